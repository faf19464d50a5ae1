"""The two books that the audit compares: one read from the chain, one replayed from the journal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from matcher.config import LimitsTable
from matcher.engine import commands
from matcher.engine.commands import CommandKind, RequestKind
from matcher.engine.events import EventKind
from matcher.envelope import INSURANCE_ADDRESS, WithdrawExtra
from matcher.journal import read_groups
from matcher.replay import capacities_of
from matcher.venue import Venue
from settlement.artifacts import load_artifact
from tests.demo.recording import Batch
from tests.demo.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from web3.types import FilterParams

    from matcher.engine.commands import Command
    from matcher.engine.events import Event
    from matcher.journal import Entry
    from settlement.node import Node

_LIQUIDATIONS: Final = {EventKind.LIQUIDATION_FILL, EventKind.TAKEOVER, EventKind.ADL}
_BRINGING: Final = {RequestKind.TOP_UP, RequestKind.GIVE, RequestKind.BACK}
_NOT_BETWEEN: Final = {CommandKind.DEPOSIT, CommandKind.FORCED_REQUEST, CommandKind.WITHDRAW}


class Holding(NamedTuple):
    """A position as it is stored, on either side."""

    position_lots: int
    entry_value_quote: int
    collateral_quote: int
    funding_index_e6: int

    @property
    def held_quote(self) -> int:
        """Collateral less signed entry value: its term of CONS-1."""
        side = (self.position_lots > 0) - (self.position_lots < 0)
        return self.collateral_quote - side * self.entry_value_quote


FLAT: Final = Holding(0, 0, 0, 0)


@dataclass
class Ledger:
    """What one side knows of everybody's money. Addresses are 20 bytes; quote units."""

    free: dict[bytes, int] = field(default_factory=dict)
    holdings: dict[tuple[bytes, int], Holding] = field(default_factory=dict)
    deposits_quote: int = 0
    withdrawals_quote: int = 0
    fees_quote: int = 0
    funding_pools_quote: dict[int, int] = field(default_factory=dict)

    def holding(self, account: bytes, market_id: int) -> Holding:
        """Return a position; flat ones compare equal whatever index they were left with."""
        found = self.holdings.get((account, market_id), FLAT)
        return found if found.position_lots else found._replace(funding_index_e6=0)


@dataclass
class ChainLedger(Ledger):
    """The chain's book, and what only the chain knows."""

    vault_quote: int = 0
    custody_quote: int = 0
    liabilities_quote: int = 0
    batches: list[Batch] = field(default_factory=list)
    rejected_items: int = 0
    failed_withdrawals: int = 0


@dataclass
class JournalLedger(Ledger):
    """The engine's book after replaying the journal, and what only the journal knows."""

    state_hash: bytes = b""
    command_seq: int = 0
    withdrawals: Counter[bytes] = field(default_factory=Counter)  # by receiver
    put_in: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    got_back: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    floor_breaks: int = 0
    event_counts: Counter[int] = field(default_factory=Counter)
    top_ups: int = 0
    take_outs: int = 0
    stops_fired: int = 0
    take_profits_fired: int = 0
    watch: Watch = field(default_factory=Watch)


def read_journal(journal_dir: Path, until_seq: int) -> JournalLedger:
    """Apply a journal up to a command and return the engine's book.

    Goes command by command: the flow between free balances and positions shows what each position
    was given and gave back, and whether a liquidation has ever touched a free balance.
    """
    ledger = JournalLedger()
    triggers = _Triggers()
    venue: Venue | None = None
    for group in read_groups(journal_dir):
        for seq, entry in enumerate(group.entries, group.first_seq):
            if seq > until_seq:
                break
            if venue is None:
                venue = Venue(capacities_of(entry.record, entry.extra), LimitsTable())
            before = _free_by_index(venue)
            applied = venue.apply(entry)
            command = commands.unpack(entry.record)
            _note_events(ledger, entry, applied.events)
            triggers.note(ledger, command, applied.events)
            ledger.watch.note(venue, command, applied.events)
            if command.kind not in _NOT_BETWEEN:
                _note_flows(ledger, venue, applied.events, before)
        if venue is not None:
            venue.end_group()
    assert venue is not None, f"{journal_dir} holds no journal"
    _note_state(ledger, venue)
    return ledger


def _note_state(ledger: JournalLedger, venue: Venue) -> None:
    """Note what everybody has at the end."""
    engine = venue.engine
    engine.check_invariants()
    ledger.deposits_quote = engine.deposits_quote()
    ledger.withdrawals_quote = engine.withdrawals_quote()
    ledger.fees_quote = engine.fees_quote()
    ledger.state_hash = engine.state_hash()
    ledger.command_seq = venue.cursor.command_seq
    for index in range(1, venue.accounts.account_count + 1):
        address = venue.accounts.get_address(index)
        ledger.free[address] = engine.free_quote(index)
        for market_id in venue.listings:
            position = engine.position(index, market_id)
            if position is not None:
                ledger.holdings[address, market_id] = Holding._make(position[:4])
    for market_id in venue.listings:
        ledger.holdings[INSURANCE_ADDRESS, market_id] = Holding._make(engine.fund(market_id)[:4])
        ledger.funding_pools_quote[market_id] = engine.market(market_id).funding_pool_quote


def _free_by_index(venue: Venue) -> list[int]:
    engine = venue.engine
    return [engine.free_quote(index) for index in range(1, venue.accounts.account_count + 1)]


def _note_events(ledger: JournalLedger, entry: Entry, events: Iterable[Event]) -> None:
    for event in events:
        ledger.event_counts[event.kind] += 1
        if event.kind == EventKind.WITHDRAWN:
            receiver = WithdrawExtra.unpack(entry.extra).receiver
            ledger.withdrawals[receiver] += event.amount_quote
        elif event.kind == EventKind.COLLATERAL_MOVED:
            ledger.top_ups += event.amount_quote > 0
            ledger.take_outs += event.amount_quote < 0


class _Triggers:
    """Tells stops from take-profits: a stop's trigger lies where its position loses."""

    def __init__(self) -> None:
        self._is_stop: dict[int, bool] = {}  # by order id

    def note(self, ledger: JournalLedger, command: Command, events: Iterable[Event]) -> None:
        """Remember what is placed, and count what fires."""
        for event in events:
            if event.kind == EventKind.ORDER_ACCEPTED and command.trigger_kind:
                is_above = command.trigger_kind == commands.TRIGGER_MARK_AT_OR_ABOVE
                self._is_stop[event.order_id] = is_above == (command.side == commands.SIDE_BUY)
            elif event.kind == EventKind.ORDER_TRIGGERED:
                is_stop = self._is_stop[event.order_id]
                ledger.stops_fired += is_stop
                ledger.take_profits_fired += not is_stop


def _note_flows(
    ledger: JournalLedger, venue: Venue, events: Iterable[Event], before: list[int]
) -> None:
    """Note what a command has moved between free balances and positions.

    A command that moves one account's money in several markets at once is left out of the flows:
    the free balance alone does not tell which is which.
    """
    markets: dict[int, set[int]] = {}
    liquidated = set()
    for event in events:
        markets.setdefault(event.account, set()).add(event.market_id)
        markets.setdefault(event.account_2, set()).add(event.market_id)
        if event.kind in _LIQUIDATIONS:
            liquidated.add(event.account_2)
    for index, free_before in enumerate(before, 1):
        moved_quote = venue.engine.free_quote(index) - free_before
        if moved_quote < 0 and index in liquidated:
            ledger.floor_breaks += 1
        if moved_quote and len(touched := markets.get(index, set())) == 1:
            key = venue.accounts.get_address(index), next(iter(touched))
            ledger.got_back[key] += max(moved_quote, 0)
            ledger.put_in[key] += max(-moved_quote, 0)


async def read_chain(node: Node, accounts: Iterable[bytes], market_ids: list[int]) -> ChainLedger:
    """Read the chain's book through the contract's views and events."""
    views = node.settlement.functions
    ledger = ChainLedger()
    for account in accounts:
        address = node.web3.to_checksum_address(account)
        if account != INSURANCE_ADDRESS:
            ledger.free[account] = (await views.account(address).call())[0]
        for market_id in market_ids:
            position = await views.position(market_id, address).call()
            ledger.holdings[account, market_id] = Holding._make(position)
    for market_id in market_ids:
        ledger.funding_pools_quote[market_id] = await views.fundingPoolQuote(market_id).call()
    ledger.fees_quote = await views.feesQuote().call()
    vault = node.web3.eth.contract(
        address=node.web3.to_checksum_address(node.addresses.vault),
        abi=load_artifact("CollateralVault").abi,
    )
    ledger.vault_quote = await vault.functions.balanceQuote().call()
    ledger.custody_quote = await views.custodyQuote().call()
    ledger.liabilities_quote = await views.liabilitiesQuote().call()
    await _read_events(node, ledger)
    return ledger


async def _read_events(node: Node, ledger: ChainLedger) -> None:
    """Sum the deposits and payments that the contract has announced, and list its batches.

    One request for all logs: the slow embedded chain walks its blocks anew for each.
    """
    everything: FilterParams = {
        "address": node.settlement.address,
        "fromBlock": node.addresses.deploy_block,
    }
    logs = await node.web3.eth.get_logs(everything)

    def announced(name: str) -> list[Any]:
        event = node.settlement.events[name]()
        return [
            event.process_log(log) for log in logs if log["topics"][0].to_0x_hex() == event.topic
        ]

    ledger.deposits_quote = sum(log["args"]["amountQuote"] for log in announced("Deposited"))
    asked = [log["args"] for log in announced("ForcedRequested")]
    ledger.deposits_quote += sum(one["amount"] for one in asked if one["kind"] in _BRINGING)
    ledger.withdrawals_quote = sum(log["args"]["amountQuote"] for log in announced("Withdrawn"))
    ledger.failed_withdrawals = len(announced("WithdrawalFailed"))
    ledger.rejected_items = len(announced("ItemRejected"))
    for log in announced("BatchSettled"):
        ledger.batches.append(await _read_batch(node, log))


async def _read_batch(node: Node, log: Any) -> Batch:
    receipt = await node.web3.eth.get_transaction_receipt(log["transactionHash"])
    transaction = await node.web3.eth.get_transaction(log["transactionHash"])
    _, arguments = node.settlement.decode_function_input(transaction["input"])
    return Batch(
        sequence=log["args"]["sequence"],
        gas=receipt["gasUsed"],
        payload_bytes=len(arguments["payload"]),
        items=log["args"]["itemCount"],
        rejected=log["args"]["rejectedCount"],
        block=log["blockNumber"],
    )
