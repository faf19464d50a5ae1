"""`bulkhead relay`: submits signed batches in order, from its own key. It keeps no state.

What is to do follows from the chain's `sequence()` alone, so a relayer may be killed at any
instant, and several may work at once: one of them is faster, the others see it and go on.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from eth_account import Account
from web3.exceptions import TransactionNotFound, Web3Exception, Web3RPCError

from settlement.batch.builder import GAS_MAX, SIZE_BYTES_MAX
from settlement.errors import (
    ChainUnreachableError,
    FeedUnreachableError,
    SettlementError,
    StateMismatchError,
    UnfundedError,
)
from settlement.fees import Fees, bumped, first_fees
from settlement.keys import load_secret
from settlement.node import open_node
from settlement.process import Backoff, run_until, stop_event
from settlement.rpc.attestor_client import AttestorClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from hexbytes import HexBytes

    from settlement.config import Config, RelayTable
    from settlement.node import Addresses, Node
    from settlement.records import SignedBatch

log: Final = structlog.get_logger()

TX_GAS_MAX: Final = 16_777_216  # EIP-7825
GAS_MARGIN_DIVISOR: Final = 10  # a tenth on top of the node's estimate
WEI_PER_ETHER: Final = 10**18
BACKOFF_FIRST_S: Final = 0.2
BACKOFF_LIMIT_S: Final = 5.0
REVERT_WAIT_S: Final = 1.0


class _Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """What stays the same when a transaction is replaced."""

    data: bytes
    gas: int
    nonce: int


class Relayer:
    """Brings batches to the chain, one at a time."""

    def __init__(
        self, *, node: Node, attestor: AttestorClient, secret: bytes, table: RelayTable
    ) -> None:
        self._node = node
        self._attestor = attestor
        self._account = Account.from_key(secret)
        self._replace_after_s = table.replace_after_ms / 1_000
        self._poll_s = table.poll_interval_ms / 1_000
        self._fee_wei_max = table.fee_gwei_max * 10**9

    @property
    def address(self) -> str:
        """Return the checksummed address that pays."""
        return str(self._account.address)

    async def follow(self, backoff: Backoff, on_contact: Callable[[], None]) -> None:
        """Relay for ever; unreachable services are tried again.

        Args:
            backoff: How long they are waited for.
            on_contact: Called once, when chain and attestor have answered.

        Raises:
            SettlementError: Attestor or chain never answered, or contradict each other.
        """
        has_contact = False

        def note_contact() -> None:
            nonlocal has_contact
            backoff.reset()
            if not has_contact:
                has_contact = True
                on_contact()

        while True:
            try:
                with self._node.errors():
                    await self._follow_once(note_contact)
            except (FeedUnreachableError, ChainUnreachableError, UnfundedError) as exc:
                await backoff.wait(exc)

    async def expect_funded(self) -> None:
        """Raise `UnfundedError` when the address cannot pay for a full batch."""
        with self._node.errors():
            fees = await first_fees(self._node.web3, fee_wei_max=self._fee_wei_max)
            await self._expect_balance(GAS_MAX * fees.max_fee_wei)

    async def _follow_once(self, note_contact: Callable[[], None]) -> None:
        """Bring batches from the chain's next one on; return when a reorganisation took some."""
        await self._node.expect_same_deployment()
        settled_seq = await self._sequence()
        async for batch in self._attestor.stream_batches(settled_seq + 1):
            note_contact()
            sequence = await self._sequence()
            while batch is not None and sequence == batch.batch_seq - 1:
                _expect_submittable(batch)
                await self._submit(batch)
                sequence = await self._sequence()
            if sequence < settled_seq or (batch is not None and sequence < batch.batch_seq):
                log.error("chain.reorganised", batch_seq=sequence)
                return
            settled_seq = sequence
        raise FeedUnreachableError("the attestor has ended the stream of batches")

    async def _sequence(self) -> int:
        return int(await self._node.settlement.functions.sequence().call())

    async def _submit(self, batch: SignedBatch) -> None:
        """Send the next batch and wait until the chain has it, whoever brought it."""
        await self._node.expect_same_deployment()
        data = self._node.settlement.encode_abi(
            "settle", args=[batch.payload, list(batch.signatures)]
        )
        gas = await self._gas(batch, data)
        if gas is None:
            return
        transaction = _Transaction(
            data=bytes.fromhex(data.removeprefix("0x")),
            gas=gas,
            nonce=await self._nonce(),
        )
        fees = await first_fees(self._node.web3, fee_wei_max=self._fee_wei_max)
        await self._expect_balance(gas * fees.max_fee_wei)
        sent: list[HexBytes] = []
        while True:
            tx_hash = await self._send(batch, transaction, fees)
            if tx_hash is not None:
                sent.append(tx_hash)
            if await self._is_over(batch, sent):
                return
            if tx_hash is None and not await self._may_send_again(transaction, fees):
                return
            fees = bumped(fees, fee_wei_max=self._fee_wei_max)

    async def _nonce(self) -> int:
        return int(await self._node.web3.eth.get_transaction_count(self._account.address))

    async def _may_send_again(self, transaction: _Transaction, fees: Fees) -> bool:
        """Tell whether the nonce of what the node refused is still free.

        Another transaction of this key may have taken it: the batch is then begun again.

        Raises:
            UnfundedError: The address can not pay the fees any more.
        """
        await self._expect_balance(transaction.gas * fees.max_fee_wei)
        return await self._nonce() == transaction.nonce

    async def _gas(self, batch: SignedBatch, data: str) -> int | None:
        """Return the gas limit; None when the batch does not pass now and must be looked at again.

        Another relayer may have been faster: then the contract refuses the sequence.
        """
        call: Any = {
            "from": self._account.address,
            "to": self._node.settlement.address,
            "data": data,
        }
        try:
            estimate = await self._node.web3.eth.estimate_gas(call)
        except Web3Exception as exc:
            if await self._sequence() >= batch.batch_seq:
                return None
            if "insufficient funds" in str(exc).lower():
                await self.expect_funded()
            log.error("batch.refused", batch_seq=batch.batch_seq, reason=str(exc))
            await asyncio.sleep(REVERT_WAIT_S)
            return None
        gas = estimate + estimate // GAS_MARGIN_DIVISOR
        if gas > TX_GAS_MAX:
            log.warning("batch.gas_near_limit", batch_seq=batch.batch_seq, gas=gas)
        return min(gas, TX_GAS_MAX)

    async def _send(
        self, batch: SignedBatch, transaction: _Transaction, fees: Fees
    ) -> HexBytes | None:
        """Send; return the hash, or None when the node does not want it now."""
        signed = self._account.sign_transaction(
            {
                "chainId": self._node.addresses.chain_id,
                "nonce": transaction.nonce,
                "to": self._node.settlement.address,
                "value": 0,
                "data": transaction.data,
                "gas": transaction.gas,
                "maxFeePerGas": fees.max_fee_wei,
                "maxPriorityFeePerGas": fees.tip_wei,
            }
        )
        try:
            tx_hash = await self._node.web3.eth.send_raw_transaction(signed.raw_transaction)
        except Web3RPCError as exc:
            # Known already, nonce used, underpriced: the next look at the chain decides.
            log.warning("batch.not_taken", batch_seq=batch.batch_seq, reason=str(exc))
            return None
        log.info("batch.sent", batch_seq=batch.batch_seq, tx_hash=tx_hash.to_0x_hex())
        await self._tell(batch, tx_hash)
        return tx_hash

    async def _tell(self, batch: SignedBatch, tx_hash: HexBytes) -> None:
        try:
            await self._attestor.report_submission(
                batch.batch_seq,
                tx_hash=bytes(tx_hash),
                relayer=bytes.fromhex(self._account.address.removeprefix("0x")),
            )
        except SettlementError as exc:
            log.warning("submission.not_reported", reason=str(exc))

    async def _is_over(self, batch: SignedBatch, sent: list[HexBytes]) -> bool:
        """Wait for the batch or for one of the transactions; False when it must be replaced."""
        deadline = time.monotonic() + self._replace_after_s
        while True:
            if await self._sequence() >= batch.batch_seq:
                return True
            for tx_hash in sent:
                if await self._has_reverted(tx_hash):
                    log.error("batch.reverted", batch_seq=batch.batch_seq)
                    await asyncio.sleep(REVERT_WAIT_S)
                    return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(self._poll_s)

    async def _has_reverted(self, tx_hash: HexBytes) -> bool:
        try:
            receipt = await self._node.web3.eth.get_transaction_receipt(tx_hash)
        except TransactionNotFound:
            return False
        return receipt["status"] == 0

    async def _expect_balance(self, needed_wei: int) -> None:
        balance_wei = await self._node.web3.eth.get_balance(self._account.address)
        if balance_wei < needed_wei:
            raise UnfundedError(
                f"relayer {self._account.address} has {_ether(balance_wei)} ether and needs "
                f"{_ether(needed_wei)} for the next batch; send it "
                f"{_ether(needed_wei - balance_wei)} ether or more on chain "
                f"{self._node.addresses.chain_id}"
            )


def _expect_submittable(batch: SignedBatch) -> None:
    """Refuse what nodes would not take, before any gas is spent."""
    if len(batch.payload) > SIZE_BYTES_MAX or batch.gas_estimate > GAS_MAX:
        raise StateMismatchError(
            f"batch {batch.batch_seq} has {len(batch.payload)} bytes and {batch.gas_estimate} gas; "
            f"expected at most {SIZE_BYTES_MAX} and {GAS_MAX}: the attestor is not ours"
        )


def _ether(wei: int) -> str:
    """Return wei as ether with six decimals, rounded up: what must be sent."""
    millionths = -(-wei * 10**6 // WEI_PER_ETHER)
    return f"{millionths // 10**6}.{millionths % 10**6:06d}"


async def run_relayer(
    config: Config, addresses: Addresses, announce: Callable[[str], None]
) -> None:
    """Relay until a signal. Raises `SettlementError`."""
    table = config.relay
    stopped = stop_event()
    secret = load_secret(table.key, chain_id=addresses.chain_id)
    async with (
        open_node(config.settlement.rpc_url, addresses) as node,
        AttestorClient(table.attestor) as attestor,
    ):
        relayer = Relayer(node=node, attestor=attestor, secret=secret, table=table)
        await relayer.expect_funded()
        backoff = Backoff(
            first_s=BACKOFF_FIRST_S,
            limit_s=BACKOFF_LIMIT_S,
            give_up_after_s=table.give_up_after_ms / 1_000,
        )
        ready = f"relay ready: {relayer.address} attestor={table.attestor}"
        await run_until(stopped, relayer.follow(backoff, lambda: announce(ready)))
