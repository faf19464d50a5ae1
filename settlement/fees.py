"""EIP-1559 fees of the relayer: the first bid, and each higher one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from web3 import AsyncWeb3

# Nodes replace a transaction for a tenth more; some ask for an eighth.
BUMP_DIVISOR: Final = 8
BASE_FEE_BLOCKS: Final = 2  # the bid survives the base fee doubling


class Fees(msgspec.Struct, frozen=True, kw_only=True):
    """A bid in wei per gas."""

    max_fee_wei: int
    tip_wei: int


async def first_fees(web3: AsyncWeb3[Any], *, fee_wei_max: int) -> Fees:
    """Return the bid for a new transaction: twice the base fee and the node's tip."""
    block: Any = await web3.eth.get_block("latest")
    tip_wei = min(await web3.eth.max_priority_fee, fee_wei_max)
    max_fee_wei = BASE_FEE_BLOCKS * int(block["baseFeePerGas"]) + tip_wei
    return Fees(max_fee_wei=min(max_fee_wei, fee_wei_max), tip_wei=tip_wei)


def bumped(fees: Fees, *, fee_wei_max: int) -> Fees:
    """Return a bid that replaces another: an eighth more, rounded up, never over the limit."""
    max_fee_wei = min(_raised(fees.max_fee_wei), fee_wei_max)
    return Fees(max_fee_wei=max_fee_wei, tip_wei=min(_raised(fees.tip_wei), max_fee_wei))


def _raised(wei: int) -> int:
    return wei + -(-wei // BUMP_DIVISOR)
