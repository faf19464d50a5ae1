"""What a position would be after an order, a move of collateral or another leverage (WHAT-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from margin_core.arguments import market, position, whole
from margin_core.limits import QUOTE_MAX
from margin_core.orders import apply_leverage
from margin_core.rules import (
    FillOutcome,
    MarginState,
    Verdict,
    apply_fill,
    apply_take_out,
    apply_top_up,
    bankruptcy_price_ticks,
    equity_quote,
    initial_requirement_quote,
    liquidation_price_ticks,
    maintenance_requirement_quote,
    margin_ratio_ppm,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from margin_core.market_spec import MarketSpec


class At(NamedTuple):
    """Where a position is judged.

    Attributes:
        funding_index_e6: Funding index of the market, |x| ≤ 2^62.
        mark_price_ticks: 1 to `price_ticks_max`.
        index_price_ticks: Price of the underlying; options only.
    """

    funding_index_e6: int
    mark_price_ticks: int
    index_price_ticks: int | None = None


class PendingOrder(NamedTuple):
    """An order as it would fill: wholly, at its own price.

    Attributes:
        side: 0 buy, 1 sell.
        qty_lots: 1 to 2^32 − 2.
        price_ticks: 1 to `price_ticks_max`.
        margin_quote: Collateral that it brings along, 0 to 2^60.
        fee_ppm: Fee rate, 0 to 100 000; default: the market's for a taker.
    """

    side: int
    qty_lots: int
    price_ticks: int
    margin_quote: int = 0
    fee_ppm: int | None = None


class WhatIf(NamedTuple):
    """A position after a change that was only tried.

    When the verdict is not `OK`, the rest describes the position as it is.

    Attributes:
        verdict: Whether the change is admitted, or why not.
        state: The position, funding settled when it changed.
        equity_quote: Equity at the mark.
        maintenance_quote: Equity below which it is liquidatable.
        initial_quote: Equity that opening and taking out must leave.
        ratio_ppm: Maintenance on equity; liquidatable above 10^6.
        liquidation_price_before_ticks: Liquidation price without the change; `None`: none.
        liquidation_price_ticks: Liquidation price with it; `None`: none.
        bankruptcy_price_ticks: Bankruptcy price with it; `None`: none.
        free_delta_quote: What the account's free balance gains.
        fee_quote: What the venue gains.
    """

    verdict: Verdict
    state: MarginState
    equity_quote: int
    maintenance_quote: int
    initial_quote: int
    ratio_ppm: int
    liquidation_price_before_ticks: int | None
    liquidation_price_ticks: int | None
    bankruptcy_price_ticks: int | None
    free_delta_quote: int
    fee_quote: int


def _before(spec: object, state: object, at: object) -> MarginState:
    market(spec)
    if not isinstance(at, At):
        raise ValueError(f"NUM-4: at = {at!r}: expected an At")  # noqa: TRY004 - as the kernel
    return position(state)


def _listed(orders: Iterable[PendingOrder]) -> list[PendingOrder]:
    try:
        listed = list(orders)
    except TypeError:
        raise ValueError(f"NUM-4: orders = {orders!r}: expected several PendingOrder") from None
    for order in listed:
        if not isinstance(order, PendingOrder):
            raise ValueError(f"NUM-4: order = {order!r}: expected a PendingOrder")  # noqa: TRY004
    return listed


def _described(spec: MarketSpec, before: MarginState, after: FillOutcome, at: At) -> WhatIf:
    is_ok = after.verdict == Verdict.OK
    state = after.state if is_ok else before
    index = {"funding_index_e6": at.funding_index_e6}
    spot: dict[str, Any] = {"index_price_ticks": at.index_price_ticks}
    marked = {"mark_price_ticks": at.mark_price_ticks}
    lots = {"position_lots": state.position_lots}
    return WhatIf(
        after.verdict,
        state,
        equity_quote(spec, state, **index, **marked),
        maintenance_requirement_quote(spec, **lots, **marked, **spot),
        initial_requirement_quote(spec, **lots, **marked, **spot),
        margin_ratio_ppm(spec, state, **index, **marked, **spot),
        liquidation_price_ticks(spec, before, **index, **spot),
        liquidation_price_ticks(spec, state, **index, **spot),
        bankruptcy_price_ticks(spec, state, **index),
        after.free_delta_quote if is_ok else 0,
        after.fee_quote if is_ok else 0,
    )


def what_if_orders(
    spec: MarketSpec,
    state: MarginState | tuple[int, int, int, int],
    orders: Iterable[PendingOrder],
    *,
    at: At,
    free_quote: int,
) -> WhatIf:
    """Return the position after orders have filled, one after another, each at its own price.

    The first that is refused ends it: its verdict is returned, with the position as it is.

    Args:
        spec: Parameters of the market.
        state: The position now.
        orders: Orders in the order of their fills; none: the position as it is.
        at: Funding index, mark and underlying at which all are judged.
        free_quote: Free balance of the account, 0 to 2^60.

    Returns:
        The position, with the sums of fees and of what the free balance gains.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: WHAT-1, FILL-1 to FILL-6.
    """
    before = _before(spec, state, at)
    free_quote = whole("free_quote", free_quote, 0, QUOTE_MAX)
    free, fees, after = free_quote, 0, FillOutcome(Verdict.OK, before, 0, 0, 0, 0, 0)
    for order in _listed(orders):
        after = apply_fill(
            spec,
            after.state,
            funding_index_e6=at.funding_index_e6,
            mark_price_ticks=at.mark_price_ticks,
            index_price_ticks=at.index_price_ticks,
            side=order.side,
            qty_lots=order.qty_lots,
            price_ticks=order.price_ticks,
            fee_ppm=spec.fee_taker_ppm if order.fee_ppm is None else order.fee_ppm,
            order_margin_quote=order.margin_quote,
            free_quote=free,
        )
        if after.verdict != Verdict.OK:
            return _described(spec, before, after, at)
        free, fees = free + after.free_delta_quote, fees + after.fee_quote
    moved = after._replace(free_delta_quote=free - free_quote, fee_quote=fees)
    return _described(spec, before, moved, at)


def what_if_order(
    spec: MarketSpec,
    state: MarginState | tuple[int, int, int, int],
    order: PendingOrder,
    *,
    at: At,
    free_quote: int,
) -> WhatIf:
    """Return the position after one order. Refusals and errors: those of `what_if_orders`.

    Source: WHAT-1.
    """
    return what_if_orders(spec, state, [order], at=at, free_quote=free_quote)


def what_if_top_up(
    spec: MarketSpec,
    state: MarginState | tuple[int, int, int, int],
    amount_quote: int,
    *,
    at: At,
    free_quote: int,
) -> WhatIf:
    """Return the position after a top-up. Refusals and errors: those of `apply_top_up`.

    Source: WHAT-1, COLL-1.
    """
    before = _before(spec, state, at)
    after = apply_top_up(
        spec,
        before,
        funding_index_e6=at.funding_index_e6,
        amount_quote=amount_quote,
        free_quote=free_quote,
    )
    return _described(spec, before, after, at)


def what_if_take_out(
    spec: MarketSpec,
    state: MarginState | tuple[int, int, int, int],
    amount_quote: int,
    *,
    at: At,
) -> WhatIf:
    """Return the position after a take-out. Refusals and errors: those of `apply_take_out`.

    Source: WHAT-1, COLL-1.
    """
    before = _before(spec, state, at)
    after = apply_take_out(
        spec,
        before,
        funding_index_e6=at.funding_index_e6,
        mark_price_ticks=at.mark_price_ticks,
        index_price_ticks=at.index_price_ticks,
        amount_quote=amount_quote,
    )
    return _described(spec, before, after, at)


def what_if_leverage(
    spec: MarketSpec,
    state: MarginState | tuple[int, int, int, int],
    leverage: int | Fraction,
    *,
    at: At,
    free_quote: int,
) -> WhatIf:
    """Return the position at another leverage. Refusals and errors: those of `apply_leverage`.

    Source: WHAT-1, LEV-1.
    """
    before = _before(spec, state, at)
    after = apply_leverage(
        spec,
        before,
        funding_index_e6=at.funding_index_e6,
        mark_price_ticks=at.mark_price_ticks,
        leverage=leverage,
        free_quote=free_quote,
    )
    return _described(spec, before, after, at)
