"""Turns the engine's events into settlement items, account events and market data.

Deterministic: only the journal's commands and the engine decide what is emitted and in what order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matcher.accounts import Accounts, LiveOrder, LiveOrders
from matcher.engine.commands import SIDE_BUY, Command, CommandKind, RequestKind
from matcher.engine.events import FLAG_FILL_OF_AUCTION, Event, EventKind
from matcher.engine.reject_reason import RejectReason
from matcher.engine.views import Position
from matcher.envelope import INSURANCE_ACCOUNT, PlaceExtra
from matcher.feed import account_events as account
from matcher.feed import market_data as market

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matcher.engine.engine import Engine
    from matcher.feed.account_events import AccountEventBody
    from matcher.feed.accounts import AccountFeed
    from matcher.feed.market_data import MarketDataFeed
    from matcher.feed.settlement import SettlementLog

_PPM: Final = 1_000_000
_NO_POSITION: Final = Position(0, 0, 0, 0, 0, 0, 0, 0, None, None, 0, False)
_INT64_MAX: Final = 2**63 - 1
_STEP_STARTED: Final = 1
_STEP_FILLED: Final = 2
_STEP_TAKEN_OVER: Final = 3
_STEP_DELEVERAGED: Final = 4


class Dispatcher:
    """Knows the command that is being applied, and emits what its events mean to whom."""

    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        orders: LiveOrders,
        *,
        settlement: SettlementLog,
        account_feed: AccountFeed,
        market_feed: MarketDataFeed,
    ) -> None:
        """Write into the given feeds."""
        self._engine = engine
        self._accounts = accounts
        self._orders = orders
        self._settlement = settlement
        self._account_feed = account_feed
        self._market_feed = market_feed
        self._command = Command(kind=0)
        self._command_seq = 0
        self._extra = b""
        self._items: Sequence[tuple[Command, bytes]] = ()
        self._result_count = 0
        self._canceled_count = 0
        self._answered = (0, 0)  # the last command that an item answers, and that item
        self._touched: dict[tuple[int, int], None] = {}
        self._top_ups: dict[tuple[int, int], bytes] = {}  # COLL-3: as signed, with its record
        self._liquidated_sides: dict[tuple[int, int], int] = {}
        self._handlers: dict[int, Callable[[Event], None]] = {
            kind: getattr(self, f"_on__{kind.name.lower()}") for kind in EventKind
        }

    def dispatch(
        self,
        command: Command,
        extra: bytes,
        events: list[Event],
        command_seq: int,
        *,
        has_result: bool = True,
    ) -> None:
        """Emit everything that the events of one engine command mean.

        Args:
            command: The command as the engine got it.
            extra: What was journalled beside it.
            events: The engine's answer, in order.
            command_seq: Number of the journalled command.
            has_result: False: no event of these answers whoever sent the command.
        """
        self._items = [(command, extra)] if has_result else ()
        self._dispatch(command, extra, events, command_seq)

    def dispatch_group(
        self, items: Sequence[tuple[Command, bytes]], events: list[Event], command_seq: int
    ) -> None:
        """Like `dispatch` for a group: each item has its result, in the order of the items."""
        self._items = items
        self._dispatch(items[0][0], items[0][1], events, command_seq)

    def _dispatch(
        self, command: Command, extra: bytes, events: list[Event], command_seq: int
    ) -> None:
        self._command, self._extra, self._command_seq = command, extra, command_seq
        self._result_count, self._canceled_count = 0, 0
        for event in events:
            self._handlers[event.kind](event)
        if command.kind == CommandKind.CANCEL_ALL and self._result_count < len(self._items):
            self._emit(command.account, account.MassCanceled(self._canceled_count), result=True)
        if command.kind == CommandKind.TICK:
            self._add_item(None)
        for index, market_id in self._touched:
            self._emit(index, self._position_updated(index, market_id))
        self._touched.clear()

    def item_seq_of(self, command_seq: int) -> int:
        """Return the item of what the last command has asked for itself; 0: none."""
        answered_seq, item_seq = self._answered
        return item_seq if answered_seq == command_seq else 0

    def _emit(self, index: int, body: AccountEventBody, *, result: bool = False) -> None:
        if index == INSURANCE_ACCOUNT:
            return
        is_open = self._result_count < len(self._items)
        is_result = result and is_open and index == self._command.account
        self._account_feed.add(
            self._accounts.get_address(index),
            body,
            command_seq=self._command_seq,
            time_ns=self._command.time_ns,
            is_result=is_result,
            item=self._result_count if is_result else 0,
        )
        self._result_count += is_result

    def _item(self) -> tuple[Command, bytes]:
        """Return the command that comes next to be answered, or else the last one."""
        if self._result_count < len(self._items):
            return self._items[self._result_count]
        return self._items[-1] if self._items else (self._command, self._extra)

    def _names_order(self) -> bool:
        return self._item()[0].kind in (CommandKind.CANCEL, CommandKind.AMEND)

    def _add_item(
        self,
        event: Event | None,
        *,
        maker_id: int = 0,
        taker_id: int = 0,
        extra: bytes = b"",
    ) -> int:
        return self._settlement.add(
            event,
            time_ns=self._command.time_ns,
            command_seq=self._command_seq,
            maker=(maker_id, self._orders.get(maker_id)) if maker_id else None,
            taker=(taker_id, self._orders.get(taker_id)) if taker_id else None,
            extra=extra,
        )

    def _publish(self, event: Event, body: market.MarketEventBody) -> None:
        self._market_feed.add(event.market_id, body, self._command.time_ns)

    def _touch_book(self, event: Event) -> None:
        self._market_feed.touch(event.market_id, self._command.time_ns)

    def _touch(self, index: int, market_id: int) -> None:
        if index != INSURANCE_ACCOUNT:
            self._touched[index, market_id] = None

    def _position_updated(self, index: int, market_id: int) -> account.PositionUpdated:
        position = self._engine.position(index, market_id) or _NO_POSITION
        return account.PositionUpdated(market_id, position, self._engine.free_quote(index))

    def _on__order_accepted(self, event: Event) -> None:
        command, extra = self._item()
        signed = PlaceExtra.unpack(extra)
        order = LiveOrder(
            command,
            signed,
            qty_lots=event.qty_lots,
            remaining_lots=event.qty_lots,
            price_ticks=command.price_ticks,
        )
        self._orders.add(event.order_id, order)
        self._touch_book(event)
        body = account.OrderAccepted(
            event.order_id,
            event.order_id_2,
            event.market_id,
            event.side,
            event.price_ticks,
            event.qty_lots,
            event.amount_quote,
            command,
            signed,
        )
        self._emit(event.account, body, result=True)

    def _on__order_rejected(self, event: Event) -> None:
        market_id = self._item()[0].market_id
        body = account.OrderRejected(event.reason, event.order_id_2, market_id)
        self._emit(event.account, body, result=True)

    def _on__order_canceled(self, event: Event) -> None:
        order = self._orders.remove(event.order_id)
        is_own = event.account == self._command.account
        self._canceled_count += is_own and event.reason == RejectReason.USER_CANCELED
        market_id = order.command.market_id
        self._market_feed.touch(market_id, self._command.time_ns)
        body = account.OrderCanceled(
            event.order_id,
            order.command.nonce,
            market_id,
            event.reason,
            event.remaining_lots,
        )
        is_answer = event.reason == RejectReason.USER_CANCELED and self._names_order()
        self._emit(event.account, body, result=is_answer)

    def _on__order_triggered(self, event: Event) -> None:
        order = self._orders.get(event.order_id)
        order.is_triggered = True
        market_id = order.command.market_id
        self._market_feed.touch(market_id, self._command.time_ns)
        body = account.OrderTriggered(
            event.order_id, order.command.nonce, market_id, event.price_ticks
        )
        self._emit(event.account, body)

    def _on__order_amended(self, event: Event) -> None:
        """Lots went that nobody filled; the order stays."""
        order = self._orders.get(event.order_id)
        order.qty_lots, order.remaining_lots = event.qty_lots, event.remaining_lots
        self._touch_book(event)
        body = account.OrderAmended(
            event.order_id,
            event.order_id_2,
            event.market_id,
            event.reason,
            event.qty_lots,
            event.remaining_lots,
        )
        self._emit(event.account, body, result=event.reason == 0)

    def _on__order_replenished(self, event: Event) -> None:
        self._touch_book(event)
        body = account.OrderReplenished(
            event.order_id,
            event.order_id_2,
            event.market_id,
            event.qty_lots,
            event.remaining_lots,
        )
        self._emit(event.account, body)

    def _on__auction(self, event: Event) -> None:
        self._touch_book(event)

    def _on__order_repriced(self, event: Event) -> None:
        self._orders.get(event.order_id).price_ticks = event.price_ticks
        self._touch_book(event)
        body = account.OrderRepriced(
            event.order_id, event.order_id_2, event.market_id, event.price_ticks
        )
        self._emit(event.account, body)

    def _on__fill(self, event: Event) -> None:
        maker_id, taker_id = event.order_id, event.order_id_2
        item_seq = self._add_item(event, maker_id=maker_id, taker_id=taker_id)
        is_auction = event.flags == FLAG_FILL_OF_AUCTION
        self._emit_maker_fill(event, item_seq, is_liquidation=False)
        taker = self._orders.get(taker_id)
        body = account.OrderFilled(
            taker_id,
            taker.command.nonce,
            event.market_id,
            event.side,
            event.price_ticks,
            event.qty_lots,
            taker.remaining_lots - event.qty_lots,
            is_taker=not is_auction,
            fee_quote=event.amount_2_quote,
            is_liquidation=False,
            item_seq=item_seq,
        )
        self._emit(event.account_2, body)
        self._orders.fill(taker_id, event.qty_lots)
        self._touch(event.account_2, event.market_id)
        self._publish_trade(event, is_liquidation=False, is_auction=is_auction)

    def _on__liquidation_started(self, event: Event) -> None:
        self._liquidated_sides[event.account, event.market_id] = event.side
        lots = event.qty_lots if event.side == SIDE_BUY else -event.qty_lots
        body = account.LiquidationStarted(
            event.market_id, lots, event.price_ticks, event.amount_quote, event.amount_2_quote
        )
        self._emit(event.account, body)
        self._publish_step(event, _STEP_STARTED, event.account)

    def _on__liquidation_fill(self, event: Event) -> None:
        item_seq = self._add_item(event, maker_id=event.order_id)
        self._emit_maker_fill(event, item_seq, is_liquidation=True)
        body = account.OrderFilled(
            0,
            None,
            event.market_id,
            event.side,
            event.price_ticks,
            event.qty_lots,
            remaining_lots=0,
            is_taker=True,
            fee_quote=event.amount_2_quote,
            is_liquidation=True,
            item_seq=item_seq,
        )
        self._emit(event.account_2, body)
        self._touch(event.account_2, event.market_id)
        self._publish_trade(event, is_liquidation=True)
        self._publish_step(event, _STEP_FILLED, event.account_2)

    def _on__takeover(self, event: Event) -> None:
        item_seq = self._add_item(event)
        body = account.PositionTakenOver(
            event.market_id, event.qty_lots, event.price_ticks, event.amount_quote, item_seq
        )
        self._emit(event.account_2, body)
        self._touch(event.account_2, event.market_id)
        self._publish_step(event, _STEP_TAKEN_OVER, event.account_2)

    def _on__adl(self, event: Event) -> None:
        item_seq = self._add_item(event)
        factor = event.amount_2_quote if event.amount_quote > 0 else _PPM
        rank = max(-_INT64_MAX, min(_INT64_MAX, event.amount_quote * factor))
        for index, is_bankrupt in ((event.account_2, True), (event.account, False)):
            body = account.PositionDeleveraged(
                event.market_id,
                event.qty_lots,
                event.price_ticks,
                is_bankrupt,
                rank,
                item_seq,
            )
            self._emit(index, body)
            self._touch(index, event.market_id)
        self._publish_step(event, _STEP_DELEVERAGED, event.account_2)

    def _on__fund_fill(self, event: Event) -> None:
        item_seq = self._add_item(event, maker_id=event.order_id)
        self._emit_maker_fill(event, item_seq, is_liquidation=False)
        self._publish_trade(event, is_liquidation=True)

    def _on__price(self, event: Event) -> None:
        item_seq = self._add_item(event, extra=self._extra)
        self._answered = self._command_seq, item_seq
        body = market.MarkUpdated(event.qty_lots, event.price_ticks, event.amount_quote)
        self._publish(event, body)

    def _on__funding(self, event: Event) -> None:
        self._add_item(event)
        self._publish(event, market.FundingSettled(event.amount_quote, event.amount_2_quote))

    def _on__collateral_moved(self, event: Event) -> None:
        item_seq = self._add_item(event, extra=self._command.pack() + self._extra)
        self._answered = self._command_seq, item_seq
        body = account.CollateralMoved(
            event.market_id, event.amount_quote, event.order_id_2, item_seq
        )
        self._emit(event.account, body, result=True)
        self._touch(event.account, event.market_id)

    def _on__withdrawn(self, event: Event) -> None:
        item_seq = self._add_item(event, extra=self._command.pack() + self._extra)
        self._answered = self._command_seq, item_seq
        body = account.WithdrawalAccepted(event.amount_quote, event.order_id_2, item_seq)
        self._emit(event.account, body, result=True)

    def _on__auto_top_up_set(self, event: Event) -> None:
        """The settlement item of every draw carries the instruction as it was signed."""
        self._top_ups[event.account, event.market_id] = self._command.pack() + self._extra
        body = account.AutoTopUpSet(event.market_id, event.amount_quote, event.order_id_2)
        self._emit(event.account, body, result=True)

    def _on__auto_topped_up(self, event: Event) -> None:
        item_seq = self._add_item(event, extra=self._top_ups[event.account, event.market_id])
        body = account.AutoToppedUp(
            event.market_id, event.amount_quote, event.amount_2_quote, event.order_id_2, item_seq
        )
        self._emit(event.account, body)
        self._touch(event.account, event.market_id)

    def _on__position_settled(self, event: Event) -> None:
        body = account.PositionSettled(
            event.market_id,
            event.qty_lots,
            event.price_ticks,
            event.amount_quote,
            event.amount_2_quote,
            self._add_item(event),
        )
        self._emit(event.account, body)
        self._touch(event.account, event.market_id)

    def _on__parameters_announced(self, event: Event) -> None:
        body = market.ParametersAnnounced(event.amount_quote, event.amount_2_quote)
        self._publish(event, body)

    def _on__parameters_changed(self, event: Event) -> None:
        self._add_item(event)
        self._publish(event, market.ParametersChanged(event.amount_quote))

    def _on__deposited(self, event: Event) -> None:
        free_quote = self._engine.free_quote(event.account)
        body = account.DepositCredited(event.amount_quote, event.order_id_2, free_quote)
        self._emit(event.account, body)

    def _on__command_rejected(self, event: Event) -> None:
        command, _ = self._item()
        names_nonce = not self._names_order() or command.order_id == 0
        nonce = command.nonce if names_nonce else None
        body = account.CommandRejected(event.reason, command.order_id, nonce)
        self._emit(event.account, body, result=True)

    def _on__market_state(self, event: Event) -> None:
        self._publish(event, market.MarketStateChanged(event.amount_quote))

    def _on__frozen(self, event: Event) -> None:
        is_frozen = event.amount_quote == 1
        self._emit(event.account, account.PositionFrozen(event.market_id, is_frozen))

    def _on__risk_pause(self, event: Event) -> None:
        """What it refuses says so."""

    def _on__forced_served(self, event: Event) -> None:
        # An account without a place is known by its address alone, and has nobody to be told.
        address = self._extra if event.account == INSURANCE_ACCOUNT else b""
        item_seq = self._add_item(event, extra=address)
        is_reduction = event.flags == RequestKind.REDUCE  # else they are shares
        body = account.RequestServed(
            event.order_id_2,
            event.flags,
            event.market_id,
            event.reason,
            event.qty_lots,
            event.price_ticks,
            event.amount_quote,
            event.amount_2_quote if is_reduction else 0,
            item_seq,
        )
        self._emit(event.account, body)
        if event.market_id in self._engine.market_ids():
            self._touch(event.account, event.market_id)

    def _on__liquidation_ended(self, event: Event) -> None:
        self._liquidated_sides.pop((event.account, event.market_id), None)
        body = account.LiquidationEnded(event.market_id, event.qty_lots, event.amount_quote)
        self._emit(event.account, body)
        self._touch(event.account, event.market_id)

    def _emit_maker_fill(self, event: Event, item_seq: int, *, is_liquidation: bool) -> None:
        maker = self._orders.get(event.order_id)
        body = account.OrderFilled(
            event.order_id,
            maker.command.nonce,
            event.market_id,
            maker.command.side,
            event.price_ticks,
            event.qty_lots,
            maker.remaining_lots - event.qty_lots,
            is_taker=False,
            fee_quote=event.amount_quote,
            is_liquidation=is_liquidation,
            item_seq=item_seq,
        )
        self._emit(event.account, body)
        self._orders.fill(event.order_id, event.qty_lots)
        self._touch(event.account, event.market_id)
        self._touch_book(event)

    def _publish_trade(
        self, event: Event, *, is_liquidation: bool, is_auction: bool = False
    ) -> None:
        body = market.Traded(
            event.price_ticks, event.qty_lots, event.side, is_liquidation, is_auction
        )
        self._publish(event, body)

    def _publish_step(self, event: Event, kind: int, liquidated: int) -> None:
        side = self._liquidated_sides.get((liquidated, event.market_id), event.side)
        step = market.LiquidationStep(kind, side, event.qty_lots, event.price_ticks)
        self._publish(event, step)
