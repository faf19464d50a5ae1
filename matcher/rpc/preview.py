"""What an order would do, were all of it filled at its own price now: computed by margin_core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bulkhead.matcher.v1 import account_service_pb2 as pb
from margin_core import (
    FillOutcome,
    MarginState,
    MarketSpec,
    Verdict,
    apply_fill,
    bankruptcy_price_ticks,
    equity_quote,
    funding_owed_quote,
    initial_requirement_quote,
    liquidation_price_ticks,
    maintenance_requirement_quote,
)
from matcher.engine.reject_reason import RejectReason
from matcher.engine.views import Market, Position
from matcher.rpc import convert
from matcher.rpc.convert_events import header, position, wire_enum

if TYPE_CHECKING:
    from bulkhead_signing import Order
    from matcher.rpc.gateway import Gateway

QTY_LOTS_MAX: Final = (1 << 32) - 2
MARGIN_SEARCH_QUOTE_MAX: Final = 1 << 59
_FLAT: Final = MarginState(0, 0, 0)


def preview(gateway: Gateway, order: Order, account: int | None) -> pb.PreviewOrderResponse:
    """Return the order's outcome, or the first reason for which it would be refused.

    The reasons that depend on other orders (self trade, post-only, fill-or-kill) are not looked at.
    """
    venue = gateway.venue
    reason = _refusal(gateway, order, account)
    if reason != RejectReason.NONE or account is None:
        return pb.PreviewOrderResponse(header=header(venue), reject_reason=wire_enum(reason))
    listing = venue.listings[order.market_id]
    market = venue.engine.market(order.market_id)
    before = venue.engine.position(account, order.market_id)
    state = _FLAT if before is None else MarginState(*before[:4])
    free_quote = venue.engine.free_quote(account)
    outcome = _filled(listing.spec, market, state, order, order.margin_quote, free_quote)
    after: Position | None = before
    free_after_quote = free_quote
    if outcome.verdict == Verdict.OK:
        after = _position(listing.spec, market, outcome.state, before)
        free_after_quote = free_quote + outcome.free_delta_quote
    return pb.PreviewOrderResponse(
        header=header(venue),
        reject_reason=wire_enum(outcome.verdict),
        margin_needed_quote=_margin_needed_quote(listing.spec, market, state, order),
        fee_quote=outcome.fee_quote if outcome.verdict == Verdict.OK else 0,
        position_after=position(order.market_id, after),
        free_after_quote=free_after_quote,
    )


def _refusal(gateway: Gateway, order: Order, account: int | None) -> RejectReason:
    """Return the first reason that needs no fill to be seen, in the order of ORD-1."""
    venue = gateway.venue
    command, _ = convert.place_command(order, b"", account or 0)
    if reason := gateway.refusal_before_journal(
        command, order.fee_ppm_max, is_account=account is not None, is_signed=True
    ):
        return reason
    listing = venue.listings.get(order.market_id)
    if listing is None:
        return RejectReason.MARKET_UNKNOWN
    if order.expiry_time_s * 1_000_000_000 <= venue.cursor.time_ns:
        return RejectReason.EXPIRED
    if not 1 <= order.qty_lots <= QTY_LOTS_MAX:
        return RejectReason.QTY_OUT_OF_RANGE
    if not 1 <= order.price_ticks <= listing.spec.price_ticks_max:
        return RejectReason.PRICE_OUT_OF_RANGE
    if not venue.engine.market(order.market_id).mark_price_ticks:
        return RejectReason.NO_PRICE
    return RejectReason.NONE


def _filled(
    spec: MarketSpec,
    market: Market,
    state: MarginState,
    order: Order,
    margin_quote: int,
    free_quote: int,
) -> FillOutcome:
    return apply_fill(
        spec,
        state,
        funding_index_e6=market.funding_index_e6,
        mark_price_ticks=market.mark_price_ticks,
        side=order.side,
        qty_lots=order.qty_lots,
        price_ticks=order.price_ticks,
        fee_ppm=spec.fee_taker_ppm,
        order_margin_quote=margin_quote,
        free_quote=free_quote,
    )


def _margin_needed_quote(spec: MarketSpec, market: Market, state: MarginState, order: Order) -> int:
    """Return the smallest margin_quote that the margin rule admits, by bisection; 0: none helps."""

    def is_enough(margin_quote: int) -> bool:
        limit = MARGIN_SEARCH_QUOTE_MAX
        return _filled(spec, market, state, order, margin_quote, limit).verdict == Verdict.OK

    low, high = 0, MARGIN_SEARCH_QUOTE_MAX
    if is_enough(low) or not is_enough(high):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        if is_enough(middle):
            high = middle
        else:
            low = middle
    return high


def _position(
    spec: MarketSpec, market: Market, state: MarginState, before: Position | None
) -> Position:
    funding = {"funding_index_e6": market.funding_index_e6}
    prices = {"mark_price_ticks": market.mark_price_ticks}
    lots = {"position_lots": state.position_lots}
    return Position(
        *state,
        funding_owed_quote=funding_owed_quote(spec, state, **funding),
        equity_quote=equity_quote(spec, state, **funding, **prices),
        initial_quote=initial_requirement_quote(spec, **lots, **prices),
        maintenance_quote=maintenance_requirement_quote(spec, **lots, **prices),
        liquidation_price_ticks=liquidation_price_ticks(spec, state, **funding),
        bankruptcy_price_ticks=bankruptcy_price_ticks(spec, state, **funding),
        reserved_quote=before.reserved_quote if before is not None else 0,
        is_frozen=before.is_frozen if before is not None else False,
    )
