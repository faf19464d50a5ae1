"""Turns messages of the wire into the client's records, and signed messages into the wire's.

A record has the fields of its message under the same names, so one generic decoder serves all; a
test compares the names. Numbers of enums that this version does not know stay plain ints.
"""

# ruff: noqa: ANN401  (the generic decoder reads any message)
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from bulkhead.matcher.v1 import (
    account_service_pb2,
    book_pb2,
    market_data_event_pb2,
    market_data_service_pb2,
    order_event_pb2,
    order_pb2,
    position_event_pb2,
    position_pb2,
    session_event_pb2,
)
from bulkhead.types.v1 import (
    market_spec_pb2,
    signed_auto_top_up_pb2,
    signed_collateral_move_pb2,
    signed_index_price_pb2,
    signed_order_pb2,
    signed_withdrawal_pb2,
    trigger_pb2,
)
from margin_core.market_spec import MarketSpec, Tier
from matcher.client import _events as events
from matcher.client import _market_events as market_events
from matcher.client import _types as types
from matcher.engine.commands import MarketState, RequestKind
from matcher.engine.reject_reason import RejectReason

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable

    from google.protobuf.message import Message

    from bulkhead_signing import AutoTopUp, CollateralMove, IndexPrice, Order, Withdrawal

# Enum of the wire, by its name there.
ENUMS: Final[dict[str, type[enum.IntEnum]]] = {
    "LiquidationStepKind": types.LiquidationStepKind,
    "LiquidityRole": types.LiquidityRole,
    "MarketState": MarketState,
    "RejectReason": RejectReason,
    "SettlementState": types.SettlementState,
    "Side": types.Side,
    "TimeInForce": types.TimeInForce,
    "TriggerKind": types.TriggerKind,
    "ForcedRequestKind": RequestKind,
}

# Record of each message; those of oneofs take the fields of their envelope besides.
RECORDS: Final[dict[Any, type[Any]]] = {
    account_service_pb2.GetAccountResponse: types.Account,
    account_service_pb2.GetSettlementStateResponse: types.ItemState,
    account_service_pb2.MoveCollateralResponse: types.CollateralMoveResult,
    account_service_pb2.PreviewOrderResponse: types.OrderPreview,
    account_service_pb2.WithdrawResponse: types.WithdrawalResult,
    book_pb2.Book: types.Book,
    book_pb2.PriceLevel: types.PriceLevel,
    market_data_event_pb2.MarkUpdated: types.Prices,
    market_data_service_pb2.Market: types.Market,
    market_spec_pb2.MarketDisplay: types.MarketDisplay,
    market_spec_pb2.MarketSpec: MarketSpec,
    market_spec_pb2.MarginTier: Tier,
    order_pb2.Order: types.OpenOrder,
    position_pb2.Position: types.Position,
    trigger_pb2.Trigger: types.Trigger,
}
ACCOUNT_EVENTS: Final[dict[Any, type[events.AccountEvent]]] = {
    session_event_pb2.HeartbeatAcknowledged: events.HeartbeatAcknowledged,
    session_event_pb2.DeadManTimerSet: events.DeadManTimerSet,
    session_event_pb2.CommandRejected: events.CommandRejected,
    session_event_pb2.MassCanceled: events.MassCanceled,
    order_event_pb2.OrderAccepted: events.OrderAccepted,
    order_event_pb2.OrderRejected: events.OrderRejected,
    order_event_pb2.OrderCanceled: events.OrderCanceled,
    order_event_pb2.OrderAmended: events.OrderAmended,
    order_event_pb2.OrderTriggered: events.OrderTriggered,
    order_event_pb2.OrderRepriced: events.OrderRepriced,
    order_event_pb2.OrderReplenished: events.OrderReplenished,
    order_event_pb2.OrderFilled: events.OrderFilled,
    position_event_pb2.PositionUpdated: events.PositionUpdated,
    position_event_pb2.CollateralMoved: events.CollateralMoved,
    position_event_pb2.AutoTopUpSet: events.AutoTopUpSet,
    position_event_pb2.AutoToppedUp: events.AutoToppedUp,
    position_event_pb2.PositionSettled: events.PositionSettled,
    position_event_pb2.DepositCredited: events.DepositCredited,
    position_event_pb2.WithdrawalAccepted: events.WithdrawalAccepted,
    position_event_pb2.LiquidationStarted: events.LiquidationStarted,
    position_event_pb2.PositionTakenOver: events.PositionTakenOver,
    position_event_pb2.LiquidationEnded: events.LiquidationEnded,
    position_event_pb2.PositionDeleveraged: events.PositionDeleveraged,
    position_event_pb2.RequestServed: events.RequestServed,
    position_event_pb2.PositionFrozen: events.PositionFrozen,
    position_event_pb2.SettlementStateChanged: events.SettlementStateChanged,
}
MARKET_EVENTS: Final[dict[Any, type[market_events.MarketEvent]]] = {
    market_data_event_pb2.BookSnapshot: market_events.BookSnapshot,
    market_data_event_pb2.BookDelta: market_events.BookDelta,
    market_data_event_pb2.Traded: market_events.Traded,
    market_data_event_pb2.MarkUpdated: market_events.MarkUpdated,
    market_data_event_pb2.FundingSettled: market_events.FundingSettled,
    market_data_event_pb2.LiquidationStep: market_events.LiquidationStep,
    market_data_event_pb2.ParametersAnnounced: market_events.ParametersAnnounced,
    market_data_event_pb2.ParametersChanged: market_events.ParametersChanged,
    market_data_event_pb2.MarketStateChanged: market_events.MarketStateChanged,
}


def _enum_reader(python: type[enum.IntEnum]) -> Callable[[int], int]:
    members: dict[int, int] = {member.value: member for member in python}
    return lambda number: members.get(number, number)


def _identity(value: Any) -> Any:
    return value


def _value_reader(field: Any) -> Callable[[Any], Any]:
    if field.message_type is not None:
        return decode
    if field.enum_type is not None:
        return _enum_reader(ENUMS[field.enum_type.name])
    return _identity


def _reader(field: Any) -> Callable[[Any], Any]:
    """Return the function that reads a field of a message."""
    name, read = field.name, _value_reader(field)

    def read_all(message: Any) -> tuple[Any, ...]:
        return tuple(map(read, getattr(message, name)))

    def read_present(message: Any) -> Any:
        return read(getattr(message, name)) if message.HasField(name) else None

    def read_value(message: Any) -> Any:
        return read(getattr(message, name))

    if field.is_repeated:
        return read_all
    return read_present if field.has_presence else read_value


@cache
def _readers(kind: Any) -> list[tuple[str, Callable[[Any], Any]]]:
    """Return, per field but the header, its name and the function that reads it."""
    fields = [field for field in kind.DESCRIPTOR.fields if field.name != "header"]
    return [(field.name, _reader(field)) for field in fields]


def _values(message: Message) -> dict[str, Any]:
    """Return the fields of a message but the header, as a record takes them."""
    kind: Any = type(message)
    return {name: read(message) for name, read in _readers(kind)}


def decode(message: Message) -> Any:
    """Return the record of a message. Raises `KeyError` when it has none."""
    return RECORDS[type(message)](**_values(message))


def account_event(envelope: session_event_pb2.SessionEvent) -> events.AccountEvent | None:
    """Return the event of an envelope, or None when this version does not know its kind."""
    which = envelope.WhichOneof("event")
    if which is None:
        return None
    message = getattr(envelope, which)
    record = ACCOUNT_EVENTS.get(type(message))
    if record is None:
        return None
    return record(
        account_seq=envelope.account_seq,
        request_id=envelope.request_id,
        time_ns=envelope.time_ns,
        **_values(message),
    )


def market_event(
    envelope: market_data_event_pb2.MarketDataEvent,
) -> market_events.MarketEvent | None:
    """Return the event of an envelope, or None when this version does not know its kind."""
    which = envelope.WhichOneof("event")
    if which is None:
        return None
    message = getattr(envelope, which)
    record = MARKET_EVENTS.get(type(message))
    if record is None:
        return None
    return record(
        market_id=envelope.market_id,
        market_seq=envelope.market_seq,
        time_ns=envelope.time_ns,
        **_values(message),
    )


def order_message(order: Order, signature: bytes) -> signed_order_pb2.SignedOrder:
    """Return a signed order for the wire. Enums there are the signed numbers plus 1."""
    message = signed_order_pb2.SignedOrder(
        account=order.account,
        market_id=order.market_id,
        side=order.side + 1,  # type: ignore[arg-type]
        time_in_force=order.time_in_force + 1,  # type: ignore[arg-type]
        is_post_only=order.is_post_only,
        is_reduce_only=order.is_reduce_only,
        price_ticks=order.price_ticks,
        qty_lots=order.qty_lots,
        margin_quote=order.margin_quote,
        fee_ppm_max=order.fee_ppm_max,
        nonce=order.nonce,
        expiry_time_s=order.expiry_time_s,
        signature=signature,
        instructions=order.instructions if any(order.instructions) else b"",
    )
    if order.trigger_kind:
        message.trigger.kind = order.trigger_kind  # type: ignore[assignment]
        message.trigger.price_ticks = order.trigger_price_ticks
    return message


def move_message(
    move: CollateralMove, signature: bytes
) -> signed_collateral_move_pb2.SignedCollateralMove:
    """Return a signed collateral move for the wire."""
    return signed_collateral_move_pb2.SignedCollateralMove(**move._asdict(), signature=signature)


def top_up_message(top_up: AutoTopUp, signature: bytes) -> signed_auto_top_up_pb2.SignedAutoTopUp:
    """Return a signed standing instruction for the wire."""
    return signed_auto_top_up_pb2.SignedAutoTopUp(**top_up._asdict(), signature=signature)


def withdrawal_message(
    withdrawal: Withdrawal, signature: bytes
) -> signed_withdrawal_pb2.SignedWithdrawal:
    """Return a signed withdrawal for the wire."""
    return signed_withdrawal_pb2.SignedWithdrawal(**withdrawal._asdict(), signature=signature)


def index_price_message(
    price: IndexPrice, signature: bytes
) -> signed_index_price_pb2.SignedIndexPrice:
    """Return a signed index price for the wire."""
    return signed_index_price_pb2.SignedIndexPrice(**price._asdict(), signature=signature)


def spec_message(spec: MarketSpec) -> market_spec_pb2.MarketSpec:
    """Return a market's parameters for the wire."""
    message = market_spec_pb2.MarketSpec(
        tiers=[
            market_spec_pb2.MarginTier(
                notional_floor_quote=tier.notional_floor_quote,
                margin_initial_ppm=tier.margin_initial_ppm,
                margin_maintenance_ppm=tier.margin_maintenance_ppm,
            )
            for tier in spec.tiers
        ]
    )
    for field in message.DESCRIPTOR.fields:
        if field.name != "tiers":
            setattr(message, field.name, getattr(spec, field.name))
    return message
