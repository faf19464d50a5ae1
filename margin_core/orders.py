"""What orders and leverage ask for: collateral, fees, the reservation of open orders (ORD-*)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from margin_core.arguments import market, position, whole
from margin_core.limits import FUNDING_INDEX_E6_MAX, ORDER_LOTS_MAX, QUOTE_MAX, as_integer
from margin_core.rules import (
    FillOutcome,
    MarginState,
    Verdict,
    apply_take_out,
    apply_top_up,
    bankruptcy_price_ticks,
    equity_quote,
    fee_quote,
    funding_owed_quote,
    initial_requirement_quote,
    worth_quote,
)

if TYPE_CHECKING:
    from margin_core.market_spec import MarketSpec


class OrderCost(NamedTuple):
    """What an order takes out of the free balance, in quote.

    Attributes:
        margin_quote: Worth at its price over leverage, rounded up.
        open_fee_quote: Taker's fee of the fill.
        close_fee_quote: Taker's fee of closing at the bankruptcy price.
        total_quote: The sum.
    """

    margin_quote: int
    open_fee_quote: int
    close_fee_quote: int
    total_quote: int


def checked_leverage(leverage: int | Fraction) -> Fraction:
    """Return the leverage. Raises `ValueError` below 1 and for what is not an exact number."""
    exact = leverage if isinstance(leverage, Fraction) else as_integer(leverage)
    if exact is None or exact < 1:
        raise ValueError(f"LEV-1: leverage = {leverage!r}: expected an exact number of at least 1")
    return Fraction(exact)


def _levered(spec: MarketSpec, leverage: int | Fraction) -> None:
    if market(spec).kind.is_option:
        raise ValueError(f"LEV-1: leverage = {leverage!r}: an option of kind {spec.kind.name}")


def collateral_for_leverage_quote(
    spec: MarketSpec, *, qty_lots: int, price_ticks: int, leverage: int | Fraction
) -> int:
    """Return the collateral that opens lots at a leverage, with the fees to open and to close.

    Rounds up: ceil(worth / leverage) and twice the taker's fee.

    Args:
        spec: Parameters of the market; not an option, which knows no leverage.
        qty_lots: 1 to `position_lots_max`.
        price_ticks: Price of the order, 1 to `price_ticks_max`.
        leverage: At least 1; the market admits it up to 10^6 / `margin_initial_ppm` of the tier.

    Returns:
        Quote.

    Raises:
        ValueError: A value is outside its bounds, or the tier does not admit the leverage.

    Source: LEV-1.
    """
    _levered(spec, leverage)
    qty_lots = whole("qty_lots", qty_lots, 1, spec.position_lots_max)
    worth = worth_quote(spec, position_lots=qty_lots, price_ticks=price_ticks)
    fee = fee_quote(spec, qty_lots=qty_lots, price_ticks=price_ticks, fee_ppm=spec.fee_taker_ppm)
    margin = ceil(worth / checked_leverage(leverage)) + fee
    least = initial_requirement_quote(spec, position_lots=qty_lots, mark_price_ticks=price_ticks)
    if margin < least:
        raise ValueError(
            f"LEV-1: leverage = {leverage!r}: {margin} quote are below the initial {least} quote"
        )
    return margin + fee


def apply_leverage(
    spec: MarketSpec,
    state: MarginState | tuple[int, int, int, int],
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    leverage: int | Fraction,
    free_quote: int,
) -> FillOutcome:
    """Move collateral until an open position has it at a leverage: a top-up, or a take-out.

    The target is ceil(entry value / leverage) and the taker's fee to close, after funding.

    Args:
        spec: Parameters of the market; not an option.
        state: The position before.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: Mark at which equity is judged, 1 to `price_ticks_max`.
        leverage: At least 1.
        free_quote: Free balance of the account, 0 to 2^60.

    Returns:
        The outcome. Refusals: those of `apply_top_up` and `apply_take_out`.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote would have to move, or be owed as funding.

    Source: LEV-1.
    """
    _levered(spec, leverage)
    state, at = position(state), {"funding_index_e6": funding_index_e6}
    equity_quote(spec, state, **at, mark_price_ticks=mark_price_ticks)  # checks all four
    free_quote = whole("free_quote", free_quote, 0, QUOTE_MAX)
    target = ceil(
        state.entry_value_quote
        * (1 / checked_leverage(leverage) + Fraction(spec.fee_taker_ppm, 10**6))
    )
    owed = funding_owed_quote(spec, state, **at)
    amount = target - (state.collateral_quote - owed)
    if abs(amount) > QUOTE_MAX:
        raise OverflowError(f"NUM-4: amount_quote to move = {amount}: exceeds {QUOTE_MAX} quote")
    if amount > 0 or state.position_lots == 0:
        return apply_top_up(spec, state, **at, amount_quote=max(1, amount), free_quote=free_quote)
    if amount < 0:
        return apply_take_out(
            spec, state, **at, mark_price_ticks=mark_price_ticks, amount_quote=-amount
        )
    now = whole("funding_index_e6", funding_index_e6, -FUNDING_INDEX_E6_MAX, FUNDING_INDEX_E6_MAX)
    settled = state._replace(collateral_quote=target, funding_index_e6=now)
    return FillOutcome(Verdict.OK, settled, 0, 0, owed, 0, 0)


def order_cost(
    spec: MarketSpec, *, side: int, qty_lots: int, price_ticks: int, leverage: int | Fraction
) -> OrderCost:
    """Return what opening lots costs: margin, fee to open, fee to close when all is lost.

    All round up.

    Args:
        spec: Parameters of the market; not an option.
        side: 0 buy, 1 sell.
        qty_lots: 1 to `position_lots_max`.
        price_ticks: 1 to `price_ticks_max`.
        leverage: At least 1.

    Raises:
        ValueError: A value is outside its bounds.

    Source: COST-1.
    """
    _levered(spec, leverage)
    qty_lots = whole("qty_lots", qty_lots, 1, spec.position_lots_max)
    lots = qty_lots if whole("side", side, 0, 1) == 0 else -qty_lots
    worth = worth_quote(spec, position_lots=qty_lots, price_ticks=price_ticks)
    margin = ceil(worth / checked_leverage(leverage))
    end = bankruptcy_price_ticks(spec, MarginState(lots, worth, margin), funding_index_e6=0)
    at = {"qty_lots": qty_lots, "fee_ppm": spec.fee_taker_ppm}
    opened = fee_quote(spec, price_ticks=price_ticks, **at)
    closed = 0 if not end else fee_quote(spec, price_ticks=min(end, spec.price_ticks_max), **at)
    return OrderCost(margin, opened, closed, margin + opened + closed)


def reservation_quote(
    *,
    position_lots: int,
    buy_lots: int = 0,
    buy_margin_quote: int = 0,
    sell_lots: int = 0,
    sell_margin_quote: int = 0,
) -> int:
    """Return what a position's open orders reserve of the free balance: the worse side.

    Of a side that would first close the position only the share of lots beyond it counts. Rounds
    up.

    Args:
        position_lots: Signed lots held.
        buy_lots: Unfilled lots of all open orders to buy.
        buy_margin_quote: Collateral that these lots bring along.
        sell_lots: Unfilled lots of all open orders to sell.
        sell_margin_quote: Collateral that these lots bring along.

    Returns:
        Quote.

    Raises:
        ValueError: A value is outside its bounds.

    Source: ORD-3.
    """
    most = ORDER_LOTS_MAX * 2**20
    position_lots = whole("position_lots", position_lots, -most, most)
    sides = []
    for name, lots, margin, held in (
        ("buy", buy_lots, buy_margin_quote, -position_lots),
        ("sell", sell_lots, sell_margin_quote, position_lots),
    ):
        count = whole(f"{name}_lots", lots, 0, most)
        brought = whole(f"{name}_margin_quote", margin, 0, QUOTE_MAX if count else 0)
        opening = max(0, min(count, count - held))
        sides.append(-(-brought * opening // count) if count else 0)
    return max(sides)


def order_margin_quote(
    spec: MarketSpec,
    *,
    position_lots: int,
    side: int,
    qty_lots: int,
    price_ticks: int,
    mark_price_ticks: int,
) -> int:
    """Return the least collateral of a resting order: its fee, its initial, its loss at the mark.

    Args:
        spec: Parameters of the market; a linear one.
        position_lots: Signed lots held, |x| ≤ `position_lots_max`; those that the order closes
            need nothing.
        side: 0 buy, 1 sell.
        qty_lots: 1 to 2^32 − 2.
        price_ticks: Price of the order, 1 to `price_ticks_max`.
        mark_price_ticks: Mark, 1 to `price_ticks_max`.

    Returns:
        Quote.

    Raises:
        ValueError: A value is outside its bounds, or the market is not linear.

    Source: ORD-2.
    """
    if market(spec).kind not in {spec.kind.LINEAR_PERPETUAL, spec.kind.LINEAR_FUTURE}:
        raise ValueError(f"ORD-2: kind = {spec.kind.name}: expected a linear market")
    held_max = spec.position_lots_max
    position_lots = whole("position_lots", position_lots, -held_max, held_max)
    price_ticks = whole("price_ticks", price_ticks, 1, spec.price_ticks_max)
    mark_price_ticks = whole("mark_price_ticks", mark_price_ticks, 1, spec.price_ticks_max)
    qty_lots = whole("qty_lots", qty_lots, 1, ORDER_LOTS_MAX)
    buys = whole("side", side, 0, 1) == 0
    opening = qty_lots - min(qty_lots, max(0, -position_lots if buys else position_lots))
    if opening == 0:
        return 0
    worst = price_ticks if buys else max(price_ticks, mark_price_ticks)
    fee = fee_quote(spec, qty_lots=opening, price_ticks=price_ticks, fee_ppm=spec.fee_taker_ppm)
    initial = initial_requirement_quote(spec, position_lots=opening, mark_price_ticks=worst)
    loss = price_ticks - mark_price_ticks if buys else mark_price_ticks - price_ticks
    return fee + initial + max(0, loss) * opening * spec.quote_per_tick_lot
