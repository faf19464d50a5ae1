"""Compares the chain's state with the matcher's, line by line. Reports; never repairs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from settlement.batch import INSURANCE_ACCOUNT
from settlement.errors import ConfigError
from settlement.node import open_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from settlement.config import Config
    from settlement.node import Addresses, Node

CALLS_AT_ONCE: Final = 32
FUNDING_INDEX_FIELD: Final = 3  # of MarketState
FUNDING_POOL_FIELD: Final = 0  # of MarketTotals
_BALANCE_ABI: Final[list[dict[str, Any]]] = [
    {
        "type": "function",
        "name": "balanceOf",
        "stateMutability": "view",
        "inputs": [{"name": "account", "type": "address"}],
        "outputs": [{"name": "", "type": "uint256"}],
    }
]


class PositionRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An isolated position. The insurance fund's has the account 0x…01."""

    account: str
    market_id: int
    position_lots: int
    entry_value_quote: int
    collateral_quote: int
    funding_index_e6: int


class MarketRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept per market."""

    market_id: int
    funding_index_e6: int
    funding_pool_quote: int


class VenueState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state that both sides must agree on when every item is settled.

    `free_quote` maps 0x-addresses to free balances, reservations included. The README describes
    the form as JSON.
    """

    free_quote: dict[str, int]
    positions: list[PositionRecord]
    markets: list[MarketRecord]
    fees_quote: int
    custody_quote: int  # deposits less withdrawals, those that wait too, and collected fees


class Snapshot(VenueState, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `bulkhead replay --state` writes: the state, and the point of history that it is of."""

    command_seq: int  # last command of the journal
    batch_seq: int  # last batch whose receipt the matcher has
    deposits_quote: int
    withdrawals_quote: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One number on which the two sides disagree."""

    name: str
    matcher: int
    chain: int

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{self.name}: matcher {self.matcher}, chain {self.chain}"


async def chain_state(node: Node, venue: VenueState) -> VenueState:
    """Return the chain's side of everything that `venue` names, read at one block.

    Raises:
        ChainUnreachableError: The node does not answer.
    """
    with node.errors():
        block_number = await node.web3.eth.block_number
        reader = _Reader(node, block_number)
        free = await reader.gather(reader.free(address) for address in venue.free_quote)
        positions = await reader.gather(reader.position(record) for record in venue.positions)
        market_ids = await reader.call("marketIds")
        markets = await reader.gather(reader.market(market_id) for market_id in market_ids)
        # What waits to be paid has left the engine's custody, what requests bring is not in it yet.
        waiting = await reader.call("waitingQuote") + await reader.call("requestsQuote")
        custody = await reader.call("custodyQuote") - waiting
        return VenueState(
            free_quote=dict(zip(venue.free_quote, free, strict=True)),
            positions=positions,
            markets=markets,
            fees_quote=await reader.call("feesQuote"),
            custody_quote=custody,
        )


async def invariants(node: Node) -> list[str]:
    """Return what the contract's own sums violate: CONS-1, CONS-2, custody."""
    reader = _Reader(node, await node.web3.eth.block_number)
    broken: list[str] = []
    for market_id in await reader.call("marketIds"):
        lots = await reader.call("positionsSum", market_id)
        if lots:
            broken.append(f"CONS-2: market {market_id}: positions sum to {lots} lots, expected 0")
    custody, liabilities = await reader.call("custodyQuote"), await reader.call("liabilitiesQuote")
    if custody != liabilities:
        broken.append(f"CONS-1: custody {custody}, liabilities {liabilities}")
    token = node.web3.eth.contract(
        address=node.web3.to_checksum_address(node.addresses.token), abi=_BALANCE_ABI
    )
    vault = node.web3.to_checksum_address(node.addresses.vault)
    held = await token.functions.balanceOf(vault).call(block_identifier=reader.block_number)
    if held < custody:
        broken.append(f"vault holds {held}, expected at least {custody}")
    return broken


class _Reader:
    """Calls the contract's views at one block."""

    def __init__(self, node: Node, block_number: int) -> None:
        self._node = node
        self.block_number = block_number
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)

    async def gather(self, reads: Any) -> list[Any]:  # noqa: ANN401 - awaitables of one kind
        return list(await asyncio.gather(*reads))

    async def call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - as the ABI says
        async with self._slots:
            function = self._node.settlement.functions[name](*arguments)
            return await function.call(block_identifier=self.block_number)

    async def free(self, address: str) -> int:
        free_quote, _ = await self.call("account", self._node.web3.to_checksum_address(address))
        return int(free_quote)

    async def position(self, record: PositionRecord) -> PositionRecord:
        address = self._node.web3.to_checksum_address(record.account)
        lots, entry, collateral, funding = await self.call("position", record.market_id, address)
        return PositionRecord(
            account=record.account,
            market_id=record.market_id,
            position_lots=lots,
            entry_value_quote=entry,
            collateral_quote=collateral,
            funding_index_e6=funding,
        )

    async def market(self, market_id: int) -> MarketRecord:
        state, totals = await self.call("market", market_id)
        return MarketRecord(
            market_id=market_id,
            funding_index_e6=state[FUNDING_INDEX_FIELD],
            funding_pool_quote=totals[FUNDING_POOL_FIELD],
        )


def compare(venue: VenueState, chain: VenueState) -> list[Difference]:
    """Return every number on which matcher and chain disagree; empty: they agree."""
    return [
        Difference(name=name, matcher=ours, chain=theirs)
        for name, ours, theirs in _numbers(venue, chain)
        if ours != theirs
    ]


def _numbers(venue: VenueState, chain: VenueState) -> Iterator[tuple[str, int, int]]:
    for address, free_quote in venue.free_quote.items():
        yield f"account {address} free_quote", free_quote, chain.free_quote[address]
    for ours, theirs in zip(venue.positions, chain.positions, strict=True):
        yield from _position_numbers(ours, theirs)
    known = {market.market_id: market for market in venue.markets}
    for theirs_market in chain.markets:
        yield from _market_numbers(known.get(theirs_market.market_id), theirs_market)
    yield "fees_quote", venue.fees_quote, chain.fees_quote
    yield "custody_quote", venue.custody_quote, chain.custody_quote


def _position_numbers(
    ours: PositionRecord, theirs: PositionRecord
) -> Iterator[tuple[str, int, int]]:
    fund = "0x" + INSURANCE_ACCOUNT.hex()
    who = "insurance fund" if ours.account.lower() == fund else f"position {ours.account}"
    name = f"{who} market {ours.market_id}"
    yield f"{name} position_lots", ours.position_lots, theirs.position_lots
    yield f"{name} entry_value_quote", ours.entry_value_quote, theirs.entry_value_quote
    yield f"{name} collateral_quote", ours.collateral_quote, theirs.collateral_quote
    if ours.position_lots:  # a flat position owes no funding, whatever its index
        yield f"{name} funding_index_e6", ours.funding_index_e6, theirs.funding_index_e6


def _market_numbers(
    ours: MarketRecord | None, theirs: MarketRecord
) -> Iterator[tuple[str, int, int]]:
    name = f"market {theirs.market_id}"
    if ours is None:
        yield f"{name} listed", 0, 1
        return
    yield f"{name} funding_index_e6", ours.funding_index_e6, theirs.funding_index_e6
    yield f"{name} funding_pool_quote", ours.funding_pool_quote, theirs.funding_pool_quote


def read_snapshot(path: Path) -> Snapshot:
    """Return the matcher's state from a JSON file. Raises `ConfigError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Snapshot)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except msgspec.DecodeError as exc:
        raise ConfigError(f"{path}: not a state of the matcher: {exc}") from exc


async def run_reconciler(
    config: Config, addresses: Addresses, snapshot: Path, announce: Callable[[str], None]
) -> int:
    """Compare a snapshot with the chain; print every difference; return 1 when there is one."""
    venue = read_snapshot(snapshot)
    async with open_node(config.settlement.rpc_url, addresses) as node:
        chain = await chain_state(node, venue)
        lines = [str(difference) for difference in compare(venue, chain)]
        with node.errors():
            lines += await invariants(node)
            settled_seq = await node.settlement.functions.sequence().call()
    for line in lines:
        announce(line)
    count = len(venue.free_quote) + len(venue.positions)
    announce(
        f"reconcile: matcher at command_seq {venue.command_seq} and batch_seq {venue.batch_seq}, "
        f"chain at batch_seq {settled_seq}: {count} accounts and positions, "
        f"{len(lines)} differences"
    )
    return 1 if lines else 0
