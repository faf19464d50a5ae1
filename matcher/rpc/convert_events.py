"""Events and state → wire. The wire's sides and times in force are the engine's plus one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from bulkhead.matcher.v1 import (
    book_pb2,
    market_data_event_pb2,
    market_data_service_pb2,
    order_event_pb2,
    order_pb2,
    position_event_pb2,
    position_pb2,
    session_event_pb2,
    settlement_item_pb2,
)
from bulkhead.types.v1 import (
    market_spec_pb2,
    response_header_pb2,
    signed_auto_top_up_pb2,
    signed_collateral_move_pb2,
    signed_index_price_pb2,
    signed_order_pb2,
    signed_withdrawal_pb2,
    trigger_pb2,
)
from matcher.engine import commands
from matcher.engine.commands import COMMAND_BYTES, FLAG_POST_ONLY, FLAG_REDUCE_ONLY, Command
from matcher.engine.events import FLAG_FILL_OF_AUCTION, EventKind
from matcher.envelope import Listing, PlaceExtra, PriceExtra, WithdrawExtra
from matcher.feed import account_events as account
from matcher.feed import market_data as market
from matcher.feed.settlement import TICK, SettlementItem, SettlementOrder

if TYPE_CHECKING:
    from matcher.accounts import Accounts, LiveOrder
    from matcher.engine.views import Market, Position
    from matcher.feed.account_events import AccountEvent
    from matcher.feed.market_data import MarketEvent
    from matcher.venue import Venue

_MAKER: Final = order_event_pb2.LIQUIDITY_ROLE_MAKER
_TAKER: Final = order_event_pb2.LIQUIDITY_ROLE_TAKER

# Body → field of SessionEvent and its message. Equal field names are copied.
_SESSION: Final[dict[type, tuple[str, Any]]] = {
    account.CommandRejected: ("command_rejected", session_event_pb2.CommandRejected),
    account.MassCanceled: ("mass_canceled", session_event_pb2.MassCanceled),
    account.OrderAccepted: ("order_accepted", order_event_pb2.OrderAccepted),
    account.OrderRejected: ("order_rejected", order_event_pb2.OrderRejected),
    account.OrderCanceled: ("order_canceled", order_event_pb2.OrderCanceled),
    account.OrderAmended: ("order_amended", order_event_pb2.OrderAmended),
    account.OrderTriggered: ("order_triggered", order_event_pb2.OrderTriggered),
    account.OrderRepriced: ("order_repriced", order_event_pb2.OrderRepriced),
    account.OrderReplenished: ("order_replenished", order_event_pb2.OrderReplenished),
    account.OrderFilled: ("order_filled", order_event_pb2.OrderFilled),
    account.PositionUpdated: ("position_updated", position_event_pb2.PositionUpdated),
    account.CollateralMoved: ("collateral_moved", position_event_pb2.CollateralMoved),
    account.AutoTopUpSet: ("auto_top_up_set", position_event_pb2.AutoTopUpSet),
    account.AutoToppedUp: ("auto_topped_up", position_event_pb2.AutoToppedUp),
    account.PositionSettled: ("position_settled", position_event_pb2.PositionSettled),
    account.DepositCredited: ("deposit_credited", position_event_pb2.DepositCredited),
    account.WithdrawalAccepted: ("withdrawal_accepted", position_event_pb2.WithdrawalAccepted),
    account.LiquidationStarted: ("liquidation_started", position_event_pb2.LiquidationStarted),
    account.PositionTakenOver: ("position_taken_over", position_event_pb2.PositionTakenOver),
    account.LiquidationEnded: ("liquidation_ended", position_event_pb2.LiquidationEnded),
    account.PositionDeleveraged: ("position_deleveraged", position_event_pb2.PositionDeleveraged),
    account.RequestServed: ("request_served", position_event_pb2.RequestServed),
    account.PositionFrozen: ("position_frozen", position_event_pb2.PositionFrozen),
    account.SettlementStateChanged: (
        "settlement_state_changed",
        position_event_pb2.SettlementStateChanged,
    ),
    account.HeartbeatAcknowledged: (
        "heartbeat_acknowledged",
        session_event_pb2.HeartbeatAcknowledged,
    ),
    account.DeadManTimerSet: ("dead_man_timer_set", session_event_pb2.DeadManTimerSet),
}
_MARKET: Final[dict[type, tuple[str, Any]]] = {
    market.Traded: ("traded", market_data_event_pb2.Traded),
    market.MarkUpdated: ("mark_updated", market_data_event_pb2.MarkUpdated),
    market.FundingSettled: ("funding_settled", market_data_event_pb2.FundingSettled),
    market.LiquidationStep: ("liquidation_step", market_data_event_pb2.LiquidationStep),
    market.ParametersAnnounced: (
        "parameters_announced",
        market_data_event_pb2.ParametersAnnounced,
    ),
    market.ParametersChanged: ("parameters_changed", market_data_event_pb2.ParametersChanged),
    market.MarketStateChanged: (
        "market_state_changed",
        market_data_event_pb2.MarketStateChanged,
    ),
}


def wire_enum(value: int) -> Any:  # noqa: ANN401
    """Return a number as the stubs' enum type, which exists for the type checker only."""
    return int(value)


def header(venue: Venue) -> response_header_pb2.ResponseHeader:
    """Return which state answers."""
    cursor = venue.cursor
    return response_header_pb2.ResponseHeader(
        command_seq=cursor.command_seq, time_ns=cursor.time_ns
    )


def session_event(event: AccountEvent, request_id: int) -> session_event_pb2.SessionEvent:
    """Return an account's event as one session sees it."""
    name, message = _SESSION[type(event.body)]
    return session_event_pb2.SessionEvent(
        account_seq=event.account_seq,
        request_id=request_id,
        time_ns=event.time_ns,
        **{name: message(**_session_fields(event.body))},
    )


def _session_fields(body: account.AccountEventBody) -> dict[str, Any]:
    fields = body._asdict()
    match body:
        case account.PositionUpdated():
            return {
                "position": position(body.market_id, body.position),
                "free_quote": body.free_quote,
            }
        case account.OrderFilled():
            del fields["is_taker"]
            fields["side"] = body.side + 1
            fields["role"] = _TAKER if body.is_taker else _MAKER
        case account.OrderAccepted():
            command = fields.pop("command")
            form = _order_fields(command)
            names = ("time_in_force", "is_post_only", "is_reduce_only", "expiry_time_s")
            fields |= {name: form[name] for name in names}
            fields["side"] = body.side + 1
            fields["trigger"] = trigger(command)
            fields["instructions"] = instructions(fields.pop("signed"))
        case _:
            pass
    return fields


def position(market_id: int, state: Position | None) -> position_pb2.Position:
    """Return a position; a flat one for None."""
    if state is None:
        return position_pb2.Position(market_id=market_id)
    return position_pb2.Position(market_id=market_id, **state._asdict())


def open_order(order_id: int, order: LiveOrder) -> order_pb2.Order:
    """Return an open order."""
    return order_pb2.Order(
        order_id=order_id,
        remaining_lots=order.remaining_lots,
        trigger=None if order.is_triggered else trigger(order.command),
        instructions=instructions(order.signed),
        **_order_fields(order.command)
        | {"price_ticks": order.price_ticks, "qty_lots": order.qty_lots},
    )


def instructions(signed: PlaceExtra) -> bytes:
    """Return a signed instruction word; empty when it is zero."""
    return signed.instructions if any(signed.instructions) else b""


def _order_fields(command: Command) -> dict[str, Any]:
    return {
        "nonce": command.nonce,
        "market_id": command.market_id,
        "side": command.side + 1,
        "time_in_force": command.time_in_force + 1,
        "is_post_only": bool(command.flags & FLAG_POST_ONLY),
        "is_reduce_only": bool(command.flags & FLAG_REDUCE_ONLY),
        "price_ticks": command.price_ticks,
        "qty_lots": command.qty_lots,
        "margin_quote": command.amount_quote,
        "expiry_time_s": command.expiry_time_s,
    }


def trigger(command: Command) -> trigger_pb2.Trigger | None:
    """Return the trigger that a PLACE was signed with; None when it has none."""
    if command.trigger_kind == commands.TRIGGER_NONE:
        return None
    return trigger_pb2.Trigger(
        kind=wire_enum(command.trigger_kind), price_ticks=command.trigger_price_ticks
    )


@lru_cache(maxsize=4_096)
def market_event(event: MarketEvent) -> market_data_event_pb2.MarketDataEvent:
    """Return a market's event; one message for all its readers, which do not change it."""
    body = event.body
    match body:
        case market.BookSnapshot():
            name = "book_snapshot"
            book = book_of(event.market_id, event.market_seq, body.bids, body.asks)
            value: Any = market_data_event_pb2.BookSnapshot(book=book)
        case market.BookDelta():
            name = "book_delta"
            value = market_data_event_pb2.BookDelta(
                bids=_levels(body.bids), asks=_levels(body.asks)
            )
        case _:
            name, message = _MARKET[type(body)]
            fields = body._asdict()
            for key in ("taker_side", "side"):
                if key in fields:
                    fields[key] += 1
            value = message(**fields)
    return market_data_event_pb2.MarketDataEvent(
        market_id=event.market_id,
        market_seq=event.market_seq,
        time_ns=event.time_ns,
        **{name: value},
    )


def book_of(
    market_id: int, market_seq: int, bids: market.Levels, asks: market.Levels
) -> book_pb2.Book:
    """Return a book."""
    return book_pb2.Book(
        market_id=market_id, market_seq=market_seq, bids=_levels(bids), asks=_levels(asks)
    )


def _levels(levels: market.Levels) -> list[book_pb2.PriceLevel]:
    return [book_pb2.PriceLevel(price_ticks=price, qty_lots=lots) for price, lots in levels]


def market_of(
    listing: Listing, state: Market, fund_collateral_quote: int
) -> market_data_service_pb2.Market:
    """Return a market with its prices."""
    spec = listing.spec
    prices = None
    if state.index_price_ticks:
        prices = market_data_event_pb2.MarkUpdated(
            index_price_ticks=state.index_price_ticks,
            mark_price_ticks=state.mark_price_ticks,
            index_time_ms=state.index_time_ms,
        )
    tiers = [
        market_spec_pb2.MarginTier(
            notional_floor_quote=tier.notional_floor_quote,
            margin_initial_ppm=tier.margin_initial_ppm,
            margin_maintenance_ppm=tier.margin_maintenance_ppm,
        )
        for tier in spec.tiers
    ]
    names = [field.name for field in market_spec_pb2.MarketSpec.DESCRIPTOR.fields]
    wire_spec = {name: getattr(spec, name) for name in names if name != "tiers"}
    return market_data_service_pb2.Market(
        spec=market_spec_pb2.MarketSpec(**wire_spec, tiers=tiers),
        display=market_spec_pb2.MarketDisplay(
            symbol=listing.symbol,
            price_tick_e9=listing.price_tick_e9,
            qty_lot_e9=listing.qty_lot_e9,
            collateral_decimals=listing.collateral_decimals,
        ),
        state=wire_enum(state.state),
        prices=prices,
        last_price_ticks=state.last_price_ticks,
        funding_index_e6=state.funding_index_e6,
        funding_rate_ppm=state.funding_rate_ppm,
        next_funding_time_ns=state.next_funding_time_ns,
        open_interest_lots=state.open_interest_lots,
        insurance_fund_quote=fund_collateral_quote,
    )


def settlement_order(
    order: SettlementOrder, accounts: Accounts
) -> settlement_item_pb2.SettlementOrder:
    """Return a signed order that items refer to."""
    return settlement_item_pb2.SettlementOrder(
        order_id=order.order_id,
        order=signed_order_pb2.SignedOrder(
            account=accounts.get_address(order.command.account),
            fee_ppm_max=order.signed.fee_ppm_max,
            trigger=trigger(order.command),
            signature=order.signed.signature,
            instructions=instructions(order.signed),
            **_order_fields(order.command),
        ),
    )


def settlement_item(item: SettlementItem, accounts: Accounts) -> settlement_item_pb2.SettlementItem:
    """Return a settlement item."""
    name, value = _item_body(item, accounts)
    return settlement_item_pb2.SettlementItem(
        item_seq=item.item_seq, time_ns=item.time_ns, **{name: value}
    )


def _item_body(item: SettlementItem, accounts: Accounts) -> tuple[str, Any]:
    event = item.event
    pb = settlement_item_pb2
    lots = {"qty_lots": event.qty_lots, "price_ticks": event.price_ticks}
    match event.kind:
        case EventKind.FILL:
            return "fill", pb.FillItem(
                market_id=event.market_id,
                taker_order_id=event.order_id_2,
                maker_order_id=event.order_id,
                is_auction=event.flags == FLAG_FILL_OF_AUCTION,
                **lots,
            )
        case EventKind.PRICE:
            return "price", _price_item(item)
        case EventKind.LIQUIDATION_FILL:
            return "liquidation_fill", pb.LiquidationFillItem(
                account=accounts.get_address(event.account_2),
                market_id=event.market_id,
                maker_order_id=event.order_id,
                **lots,
            )
        case EventKind.TAKEOVER:
            address = accounts.get_address(event.account_2)
            return "takeover", pb.TakeoverItem(account=address, market_id=event.market_id, **lots)
        case EventKind.ADL:
            return "adl", pb.AdlItem(
                account=accounts.get_address(event.account_2),
                counterparty_account=accounts.get_address(event.account),
                market_id=event.market_id,
                **lots,
            )
        case EventKind.FUND_FILL:
            return "fund_fill", pb.FundFillItem(
                market_id=event.market_id, maker_order_id=event.order_id, **lots
            )
        case EventKind.FUNDING:
            return "funding", pb.FundingItem(
                market_id=event.market_id, funding_index_e6=event.amount_quote
            )
        case EventKind.PARAMETERS_CHANGED:
            return "parameters", pb.ParametersItem(market_id=event.market_id)
        case EventKind.POSITION_SETTLED:
            address = accounts.get_address(event.account)
            return "position_settled", pb.PositionSettledItem(
                account=address, market_id=event.market_id, **lots
            )
        case kind if kind in _SIGNED:
            name, make = _SIGNED[kind]
            return name, make(item, accounts)
        case _:
            return _chains_or_tick(item, accounts)


def _chains_or_tick(item: SettlementItem, accounts: Accounts) -> tuple[str, Any]:
    event = item.event
    if event.kind == EventKind.FORCED_SERVED:
        return "forced", settlement_item_pb2.ForcedItem(
            request_id=event.order_id_2,
            account=item.extra or accounts.get_address(event.account),
            market_id=event.market_id,
        )
    assert event.kind == TICK, event
    return "tick", settlement_item_pb2.TickItem()


def _price_item(item: SettlementItem) -> settlement_item_pb2.PriceItem:
    event = item.event
    observations = PriceExtra.unpack(item.extra, event.qty_lots, event.amount_quote).observations
    return settlement_item_pb2.PriceItem(
        index_price=signed_index_price_pb2.SignedIndexPrice(
            market_id=event.market_id,
            price_ticks=event.qty_lots,
            time_ms=event.amount_quote,
            signature=observations[0].signature if len(observations) == 1 else b"",
        ),
        mark_price_ticks=event.price_ticks,
        observations=[
            signed_index_price_pb2.SignedIndexPrice(
                market_id=event.market_id,
                price_ticks=seen.price_ticks,
                time_ms=seen.time_ms,
                signature=seen.signature,
            )
            for seen in observations
        ],
    )


def _move_item(item: SettlementItem, accounts: Accounts) -> settlement_item_pb2.CollateralMoveItem:
    command = commands.unpack(item.extra[:COMMAND_BYTES])
    return settlement_item_pb2.CollateralMoveItem(
        move=signed_collateral_move_pb2.SignedCollateralMove(
            account=accounts.get_address(command.account),
            market_id=command.market_id,
            amount_quote=command.amount_quote,
            nonce=command.nonce,
            expiry_time_s=command.expiry_time_s,
            signature=item.extra[COMMAND_BYTES:],
        )
    )


def _top_up_item(item: SettlementItem, accounts: Accounts) -> settlement_item_pb2.AutoTopUpItem:
    command = commands.unpack(item.extra[:COMMAND_BYTES])
    return settlement_item_pb2.AutoTopUpItem(
        instruction=signed_auto_top_up_pb2.SignedAutoTopUp(
            account=accounts.get_address(command.account),
            market_id=command.market_id,
            cap_quote=command.amount_quote,
            nonce=command.nonce,
            expiry_time_s=command.expiry_time_s,
            signature=item.extra[COMMAND_BYTES:],
        ),
        amount_quote=item.event.amount_quote,
    )


def _withdrawal_item(
    item: SettlementItem, accounts: Accounts
) -> settlement_item_pb2.WithdrawalItem:
    command = commands.unpack(item.extra[:COMMAND_BYTES])
    extra = WithdrawExtra.unpack(item.extra[COMMAND_BYTES:])
    return settlement_item_pb2.WithdrawalItem(
        withdrawal=signed_withdrawal_pb2.SignedWithdrawal(
            account=accounts.get_address(command.account),
            receiver=extra.receiver,
            amount_quote=command.amount_quote,
            nonce=command.nonce,
            expiry_time_s=command.expiry_time_s,
            signature=extra.signature,
        )
    )


# Items that carry what their owner has signed.
_SIGNED: Final[dict[int, tuple[str, Any]]] = {
    EventKind.COLLATERAL_MOVED: ("collateral_move", _move_item),
    EventKind.WITHDRAWN: ("withdrawal", _withdrawal_item),
    EventKind.AUTO_TOPPED_UP: ("auto_top_up", _top_up_item),
}
