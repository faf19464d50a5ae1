"""The whole state behind the journal: engine, accounts, orders, chain cursor and feeds.

`Venue.apply` is the only way in. Serving and replaying call it with the same entries and come to
the same state.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from margin_core import MarketSpec
from matcher.accounts import Accounts, LiveOrders
from matcher.engine import commands, events
from matcher.engine.commands import Command, CommandKind, RequestKind
from matcher.engine.engine import Engine
from matcher.engine.events import EventKind
from matcher.engine.instructions import Instructions
from matcher.engine.reject_reason import RejectReason
from matcher.envelope import (
    INSURANCE_ACCOUNT,
    NO_INSTRUCTIONS,
    BatchReceipt,
    Capacities,
    GroupExtra,
    Listing,
    PlaceExtra,
    ReplaceExtra,
    ShellKind,
)
from matcher.feed.accounts import AccountFeed
from matcher.feed.dispatch import Dispatcher
from matcher.feed.market_data import MarketDataFeed
from matcher.feed.settlement import SettlementLog
from matcher.receipts import Receipts

if TYPE_CHECKING:
    from pathlib import Path

    from matcher.config import LimitsTable
    from matcher.engine.events import Event
    from matcher.journal.codec import Entry


class Applied(NamedTuple):
    """What a command has come to.

    Attributes:
        command_seq: Its number in the journal.
        time_ns: Engine time.
        events: The engine's events, in order.
        item_seq: Settlement item of what it asked for itself, whatever else it has set off: of a
            row, a move of collateral or a withdrawal. 0: none.
    """

    command_seq: int
    time_ns: int
    events: tuple[Event, ...]
    item_seq: int


_IS_FOR_LATER: Final = frozenset(
    {
        RejectReason.NO_PRICE,
        RejectReason.PRICE_STALE,
        RejectReason.PRICE_BAND,
        RejectReason.CAPACITY,
        RejectReason.MARKET_CANNOT_PAY,
    }
)
_SET_ASIDE: Final = 1
# Which bring money (FORCE-5); which change a fund; which credit an account: it gets a place.
_BRINGING: Final = frozenset({RequestKind.TOP_UP, RequestKind.GIVE, RequestKind.BACK})
_OF_FUNDS: Final = frozenset({RequestKind.GIVE, RequestKind.BACK, RequestKind.UNBACK})

# Room from the start for 256 orders an account; beyond, their table grows in steps between calls.
NONCE_GROUPS_PER_ACCOUNT: Final = 4


@dataclass(slots=True)
class Cursor:
    """How far the journal and the chain are known; all 0 before the first."""

    command_seq: int = 0
    time_ns: int = 0
    deposit_seq: int = 0
    announcement_seq: int = 0
    request_seq: int = 0
    notice_place: int = 0


class Venue:
    """Engine and shell state. Single-threaded; nothing here waits, reads a clock or a file name."""

    def __init__(
        self,
        capacities: Capacities,
        limits: LimitsTable,
        *,
        derived_dir: Path | None = None,
    ) -> None:
        """Begin empty. `derived_dir` takes the unnamed file of the settlement items."""
        groups = max(1 << 10, NONCE_GROUPS_PER_ACCOUNT * capacities.account_count_max)
        key = secrets.randbits(64)  # of hashes: no result depends on it
        self.engine = Engine(**capacities._asdict(), nonce_group_count=groups, hash_key=key)
        self.capacities = capacities
        self.accounts = Accounts()
        self.orders = LiveOrders()
        self.listings: dict[int, Listing] = {}
        self.first_listings: dict[int, Listing] = {}  # before any change of parameters
        self.cursor = Cursor()
        # Forced requests set aside (FORCE-2), and who asks.
        self.requests: list[tuple[Command, bytes]] = []
        # Free balances on chain of accounts for which there is no place.
        self.parked: dict[bytes, int] = {}
        self.settlement = SettlementLog(derived_dir)
        self.account_feed = AccountFeed(
            event_count_max=limits.account_events_kept_max,
            queue_count_max=limits.session_events_max,
        )
        self.market_feed = MarketDataFeed(self.engine, queue_count_max=limits.book_deltas_kept_max)
        self.receipts = Receipts(self.settlement, self.accounts, self.account_feed)
        self._dispatcher = Dispatcher(
            self.engine,
            self.accounts,
            self.orders,
            settlement=self.settlement,
            account_feed=self.account_feed,
            market_feed=self.market_feed,
        )

    def apply(self, entry: Entry) -> Applied:
        """Apply the next journalled command.

        Never fails for reasons of business: those are events. Any exception is a broken invariant
        and the process must stop.
        """
        command = commands.unpack(entry.record)
        cursor = self.cursor
        assert command.time_ns >= cursor.time_ns, (command.time_ns, cursor.time_ns)
        cursor.command_seq += 1
        cursor.time_ns = command.time_ns
        made = self._apply_kind(command, entry.extra)
        item_seq = self._dispatcher.item_seq_of(cursor.command_seq)
        return Applied(cursor.command_seq, command.time_ns, tuple(made), item_seq)

    def end_group(self) -> None:
        """Make the items of the group readable; call it after the last entry of each group."""
        self.settlement.flush()

    def close(self) -> None:
        """Forget the derived file."""
        self.settlement.close()

    def _apply_kind(self, command: Command, extra: bytes) -> list[Event]:
        match command.kind:
            case ShellKind.OPEN:
                assert self.cursor.command_seq == 1, self.cursor.command_seq
                assert Capacities.unpack(extra) == self.capacities, self.capacities
                return []
            case CommandKind.DEPOSIT:
                return self._apply__deposit(command, extra)
            case CommandKind.ANNOUNCE_PARAMETERS:
                return self._apply__announce_parameters(command, extra)
            case CommandKind.FORCED_REQUEST:
                return self._apply__forced_request(command, extra)
            case CommandKind.PAUSE_RISK:
                return self._apply__notice(command, extra)
            case CommandKind.PRICE | CommandKind.SETTLE_MARKET:
                made = self._apply_to_engine(command, extra)
                return made + self._serve_aside(command.market_id)
            case ShellKind.LIST_MARKET:
                return self._apply__list_market(command, extra)
            case ShellKind.GROUP:
                return self._apply__group(command, extra)
            case ShellKind.BATCH_RECEIPT:
                return self._apply__batch_receipt(command, extra)
            case _:
                return self._apply_to_engine(command, extra)

    def _apply_to_engine(
        self, command: Command, extra: bytes, *, has_result: bool = True
    ) -> list[Event]:
        engine_command, told = _engine_command(command, extra)
        made = list(events.unpack(self.engine.apply_one(engine_command)))
        if command.kind == CommandKind.PRICE:
            self._follow_parameters(made)
        self._dispatcher.dispatch(*told, made, self.cursor.command_seq, has_result=has_result)
        return made

    def _follow_parameters(self, made: list[Event]) -> None:
        """PAR-2: what was announced holds from a price on, here too."""
        for event in made:
            if event.kind == EventKind.PARAMETERS_CHANGED:
                listing = self.listings[event.market_id]
                spec = self.engine.spec(event.market_id)
                self.listings[event.market_id] = listing._replace(spec=spec)

    def _apply__announce_parameters(self, command: Command, extra: bytes) -> list[Event]:
        """An announcement that is known already does nothing."""
        if command.nonce <= self.cursor.announcement_seq:
            return []
        self.cursor.announcement_seq = command.nonce
        spec = MarketSpec.unpack(extra)
        made = list(
            events.unpack(self.engine.announce_parameters(spec, command.aux, command.time_ns))
        )
        self._dispatcher.dispatch(command, b"", made, self.cursor.command_seq)
        return made

    def _apply__deposit(self, command: Command, extra: bytes) -> list[Event]:
        """A deposit that is known already, or leaves a gap, does nothing.

        One of an account for which there is no place is parked: it would stop all that follow.
        """
        if command.nonce != self.cursor.deposit_seq + 1:
            return []
        self.cursor.deposit_seq += 1
        index = self._index_of(extra)
        if index is None:
            self.parked[extra] = self.parked.get(extra, 0) + command.amount_quote
            return []
        return self._apply_to_engine(command._replace(account=index), extra)

    def _index_of(self, address: bytes) -> int | None:
        """Return the index of an address, registered when it is new; None: there is no place."""
        index = self.accounts.find_index(address)
        if index is None and address not in self.parked and self.places_left > 0:
            index = self.engine.register_account()
            self.accounts.register(address, index)
        return index

    @property
    def places_left(self) -> int:
        """Accounts that can still be registered."""
        return self.capacities.account_count_max - self.accounts.account_count

    def _apply__forced_request(self, command: Command, extra: bytes) -> list[Event]:
        """FORCE-2: requests are served in order; what another price may mend is set aside."""
        if command.nonce != self.cursor.request_seq + 1:
            return []
        self.cursor.request_seq += 1
        kind = command.flags
        is_crediting = kind in _BRINGING or kind in _OF_FUNDS
        index = self._index_of(extra) if is_crediting else self.accounts.find_index(extra)
        # Where the engine has no market there is nothing but what a request brings.
        is_elsewhere = command.market_id not in self.listings and command.market_id != 0
        is_strange = is_elsewhere and kind not in _BRINGING
        if is_strange or (index is None and kind not in _OF_FUNDS):
            return self._pass_on(command, extra)
        # What a fund pays or takes changes it, whether or not there is a place (BACK-4, FORCE-5).
        request = command._replace(account=INSURANCE_ACCOUNT if index is None else index)
        answer, made = self._serve(request, extra)
        is_for_later = answer.kind == EventKind.FORCED_SERVED and answer.reason in _IS_FOR_LATER
        if is_for_later and kind not in _BRINGING:
            self.requests.append((request._replace(side=_SET_ASIDE), extra))
        return made

    def _pass_on(self, command: Command, address: bytes) -> list[Event]:
        """Make the item of a request of an account that the engine does not know.

        It has nothing to do for it; the chain does by itself what its own state admits.
        """
        if command.flags == RequestKind.TOP_UP:
            self.parked[address] = self.parked.get(address, 0) + command.aux
        if command.flags == RequestKind.WITHDRAW and address in self.parked:
            self.parked[address] -= min(command.aux, self.parked[address])
        record = bytes(events.EVENT_BYTES)
        event = next(events.unpack(record))._replace(
            kind=EventKind.FORCED_SERVED,
            flags=command.flags,
            market_id=command.market_id,
            order_id_2=command.nonce,
            reason=RejectReason.ACCOUNT_UNKNOWN,
        )
        cursor = self.cursor
        self.settlement.add(
            event, time_ns=cursor.time_ns, command_seq=cursor.command_seq, extra=address
        )
        return []

    def _serve_aside(self, market_id: int) -> list[Event]:
        """Serve what was set aside in the market, as far as it can be served now (FORCE-2)."""
        made: list[Event] = []
        for one in [one for one in self.requests if one[0].market_id == market_id]:
            answer, found = self._serve(*one)
            if answer.kind == EventKind.FORCED_SERVED:
                self.requests.remove(one)
            made += found
        return made

    def _serve(self, request: Command, address: bytes) -> tuple[Event, list[Event]]:
        """Return the engine's answer to a request, and what was told of the command's events.

        Orders may expire before the answer, and triggers fire behind it: they are told whatever it
        is. A refusal alone is not told: the request has to wait again, and nobody sent a command.
        """
        request = request._replace(time_ns=self.cursor.time_ns)
        found = list(events.unpack(self.engine.apply_one(request)))
        answer = next(event for event in found if _answers(event, request))
        if answer.kind == EventKind.COMMAND_REJECTED:
            found.remove(answer)
        self._dispatcher.dispatch(
            request, address, found, self.cursor.command_seq, has_result=False
        )
        is_served = answer.kind == EventKind.FORCED_SERVED
        is_credited = request.flags == RequestKind.UNBACK or answer.reason != RejectReason.NONE
        if is_served and is_credited and request.account == INSURANCE_ACCOUNT:
            self.parked[address] = self.parked.get(address, 0) + answer.amount_quote
        return answer, found

    def _apply__notice(self, command: Command, extra: bytes) -> list[Event]:
        """What is not newer than the last notice does nothing."""
        if command.nonce <= self.cursor.notice_place:
            return []
        self.cursor.notice_place = command.nonce
        return self._apply_to_engine(command, extra)

    def _apply__list_market(self, command: Command, extra: bytes) -> list[Event]:
        """A market that is listed already, or one too many, changes nothing."""
        listing = Listing.unpack(extra)
        market_id = listing.spec.market_id
        if market_id in self.listings:
            return []
        try:
            self.engine.list_market(listing.spec, command.time_ns)
        except ValueError:
            return []
        self.listings[market_id] = self.first_listings[market_id] = listing
        self.market_feed.add_market(market_id)
        return []

    def _apply__group(self, command: Command, extra: bytes) -> list[Event]:
        """GRP-1: the engine does all items or none."""
        items = [
            _engine_command(item._replace(time_ns=command.time_ns), item_extra)
            for item, item_extra in GroupExtra.unpack(extra).items
        ]
        records = commands.group([item for item, _ in items], command.time_ns)
        made = list(events.unpack(self.engine.apply(records)))
        self._dispatcher.dispatch_group([told for _, told in items], made, self.cursor.command_seq)
        return made

    def _apply__batch_receipt(self, command: Command, extra: bytes) -> list[Event]:
        """Tell the accounts, and freeze the positions of items that the contract has refused."""
        made: list[Event] = []
        receipt = BatchReceipt.unpack(extra)
        for index, market_id in self.receipts.add(
            receipt, command_seq=self.cursor.command_seq, time_ns=command.time_ns
        ):
            freeze = Command(
                kind=CommandKind.SETTLEMENT_REJECTED,
                account=index,
                market_id=market_id,
                time_ns=command.time_ns,
                aux=1,
            )
            made += self._apply_to_engine(freeze, b"", has_result=False)
        return made


def _answers(event: Event, request: Command) -> bool:
    """Tell whether an event is what the engine says to a forced request itself."""
    is_kind = event.kind in (EventKind.FORCED_SERVED, EventKind.COMMAND_REJECTED)
    return is_kind and event.order_id_2 == request.nonce


def _engine_command(command: Command, extra: bytes) -> tuple[Command, tuple[Command, bytes]]:
    """Return what the engine gets, and what the feeds are told: of a REPLACE the new PLACE."""
    if command.kind == CommandKind.PLACE:
        command = _instructed(command, PlaceExtra.unpack(extra))
    if command.kind != ShellKind.REPLACE:
        return command, (command, extra)
    replace = ReplaceExtra.unpack(extra)
    place = _instructed(command._replace(kind=CommandKind.PLACE, order_id=0), replace.place)
    engine_command = place._replace(
        kind=CommandKind.REPLACE,
        order_id=command.order_id,
        old_nonce=replace.cancel_nonce,
        unfilled_lots=replace.unfilled_lots,
    )
    return engine_command, (place, replace.place.pack())


def _instructed(command: Command, signed: PlaceExtra) -> Command:
    """Return the engine's command with the instructions that its owner has signed."""
    if signed.instructions == NO_INSTRUCTIONS:
        return command
    return command._replace(instructions=Instructions.unpack(signed.instructions))
