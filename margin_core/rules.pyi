"""Margin of one isolated position: requirements, prices, and every change (SPEC §3).

Exact integers. `state` is `(position_lots, entry_value_quote, collateral_quote, funding_index_e6)`,
a `MarginState` or any such tuple; no argument is modified. Bounds are those of SPEC §1: beyond them
a function raises `ValueError` with the name, the value and the bounds, never a wrong number.
"""

import enum
from typing import NamedTuple, TypeAlias

from margin_core.market_spec import MarketSpec

_State: TypeAlias = MarginState | tuple[int, int, int, int]

class Verdict(enum.IntEnum):
    """Whether a change is admitted; values are the reject reasons of SPEC §6."""

    OK = 0
    REDUCE_ONLY = 17
    INSUFFICIENT_FREE_COLLATERAL = 21
    INSUFFICIENT_MARGIN = 22
    POSITION_LIMIT = 23
    BANKRUPT = 24
    NOT_LIQUIDATABLE = 25
    LIQUIDATION_PRICE = 26
    LIQUIDATION_TOO_LARGE = 27
    FUND_CANNOT_CARRY = 28
    NO_POSITION = 31

class MarginState(NamedTuple):
    """One isolated position.

    Attributes:
        position_lots: Signed lots, long > 0; |x| ≤ `position_lots_max` of the market.
        entry_value_quote: Sum of the notionals of the fills that opened it, 0 to 2^60.
        collateral_quote: Its own collateral, |x| ≤ 2^60; negative only while profit that is not
            realised covers it.
        funding_index_e6: Funding index of the market when the position was last changed, in quote
            per lot times 10^6; |x| ≤ 2^62.
    """

    position_lots: int
    entry_value_quote: int
    collateral_quote: int
    funding_index_e6: int = 0

class FillOutcome(NamedTuple):
    """What a change does. All but `verdict` is meaningless when the verdict is not `OK`.

    Attributes:
        verdict: `OK`, or the reason of the refusal.
        state: The position afterwards, funding settled.
        free_delta_quote: What the account's free balance gains.
        fee_quote: What the venue gains; at a liquidation fill, what the insurance fund gains.
        funding_quote: What the market's funding pool gains; negative when it pays.
        pnl_quote: Realised profit, before the fee.
        released_quote: Collateral given back to the free balance; part of `free_delta_quote`.
    """

    verdict: Verdict
    state: MarginState
    free_delta_quote: int
    fee_quote: int
    funding_quote: int
    pnl_quote: int
    released_quote: int

def funding_owed_quote(spec: MarketSpec, state: _State, *, funding_index_e6: int) -> int:
    """Return the funding that the position owes since its last change.

    Rounds up: against the trader. Negative when the position is paid; longs pay when the index
    rises.

    Args:
        spec: Parameters of the market.
        state: The position.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.

    Returns:
        Quote, |x| ≤ 2^60.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote would be owed.

    Source: MARG-1.
    """

def equity_quote(
    spec: MarketSpec, state: _State, *, funding_index_e6: int, mark_price_ticks: int
) -> int:
    """Return collateral less funding owed plus profit at the mark. Exact but for the funding.

    Of an inverse contract the worth at the mark rounds against the trader.

    Args:
        spec: Parameters of the market.
        state: The position.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: 1 to `price_ticks_max`.

    Returns:
        Quote; negative when the position is bankrupt.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: MARG-2, COIN-1.
    """

def maintenance_requirement_quote(
    spec: MarketSpec,
    *,
    position_lots: int,
    mark_price_ticks: int,
    index_price_ticks: int | None = None,
) -> int:
    """Return the equity below which a position is liquidatable, the closing fee included.

    Rounds up: against the trader. Of a linear contract the same for a long and a short; 0 when
    flat. Of an option beyond its mark, which equity has paid already; a long's is 0.

    Args:
        spec: Parameters of the market.
        position_lots: Signed lots, |x| ≤ `position_lots_max`.
        mark_price_ticks: 1 to `price_ticks_max`.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        Quote, 0 to 2^60; of a short option below 2^63.

    Raises:
        ValueError: A value is outside its bounds.

    Source: MARG-3, MKT-2, COIN-1, OPT-1, OPT-2.
    """

def initial_requirement_quote(
    spec: MarketSpec,
    *,
    position_lots: int,
    mark_price_ticks: int,
    index_price_ticks: int | None = None,
) -> int:
    """Return the equity that opening, adding and taking out must leave, closing fee included.

    Rounds up: against the trader. Of a linear contract the same for a long and a short; 0 when
    flat. Of an option beyond its mark, which equity has paid already; a long's is its worth.

    Args:
        spec: Parameters of the market.
        position_lots: Signed lots, |x| ≤ `position_lots_max`.
        mark_price_ticks: 1 to `price_ticks_max`.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        Quote, 0 to 2^60; of a short option below 2^63.

    Raises:
        ValueError: A value is outside its bounds.

    Source: MARG-3, MKT-2, COIN-1, OPT-1, OPT-2.
    """

def worth_quote(spec: MarketSpec, *, position_lots: int, price_ticks: int) -> int:
    """Return what a position is worth at a price: its notional, of an inverse contract in coins.

    Exact; of an inverse contract rounded against the trader, up for a long and down for a short.

    Args:
        spec: Parameters of the market.
        position_lots: Signed lots, |x| ≤ `position_lots_max`.
        price_ticks: 1 to `price_ticks_max`.

    Returns:
        Quote, 0 to 2^60.

    Raises:
        ValueError: A value is outside its bounds.

    Source: NUM-1, COIN-1.
    """

def fee_quote(spec: MarketSpec, *, qty_lots: int, price_ticks: int, fee_ppm: int) -> int:
    """Return the fee of a fill. Rounds up.

    Args:
        spec: Parameters of the market.
        qty_lots: 1 to `position_lots_max`.
        price_ticks: 1 to `price_ticks_max`.
        fee_ppm: Rate, 0 to 100 000.

    Returns:
        Quote.

    Raises:
        ValueError: A value is outside its bounds.

    Source: FILL-1, NUM-3.
    """

def is_liquidatable(
    spec: MarketSpec,
    state: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    index_price_ticks: int | None = None,
) -> bool:
    """Return whether equity is below maintenance at the mark; equality is safe.

    Args:
        spec: Parameters of the market.
        state: The position. Flat is never liquidatable.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: 1 to `price_ticks_max`.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: MARG-4.
    """

def margin_ratio_ppm(
    spec: MarketSpec,
    state: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    index_price_ticks: int | None = None,
) -> int:
    """Return maintenance on equity: above 10^6 exactly when the position is liquidatable.

    Rounds up: against the trader. 0 when flat.

    Args:
        spec: Parameters of the market.
        state: The position.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: 1 to `price_ticks_max`.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        Ppm, 0 to 2^60; 2^60 where nothing is left of the equity.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: RATIO-1.
    """

def liquidation_price_ticks(
    spec: MarketSpec,
    state: _State,
    *,
    funding_index_e6: int,
    index_price_ticks: int | None = None,
) -> int | None:
    """Return the first tick at which the position is liquidatable.

    For a long the largest such tick in [0, `price_ticks_max`], for a short the smallest in
    [1, `price_ticks_max`], of an inverse contract both from 1. Exact: a root per tier, no search.
    An option's is a price of the option while its underlying stands.

    Args:
        spec: Parameters of the market.
        state: The position.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        Ticks; `None` when flat, or safe at every price.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: MARG-5, COIN-2, OPT-3.
    """

def bankruptcy_price_ticks(spec: MarketSpec, state: _State, *, funding_index_e6: int) -> int | None:
    """Return the tick at which equity is spent.

    Rounds against the trader, up for a long and down for a short: equity there is at least 0 and
    less than one tick of the position. Not below 0; may exceed `price_ticks_max`. Of an inverse
    contract between 1 and `price_ticks_max`, where a loss beyond the collateral may remain.

    Args:
        spec: Parameters of the market.
        state: The position.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.

    Returns:
        Ticks; `None` when flat, or an inverse short whose collateral covers it at every price.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: MARG-6, COIN-3.
    """

def apply_fill(
    spec: MarketSpec,
    state: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    side: int,
    qty_lots: int,
    price_ticks: int,
    fee_ppm: int,
    order_margin_quote: int = 0,
    order_qty_lots: int | None = None,
    order_filled_lots: int = 0,
    free_quote: int = 0,
    index_price_ticks: int | None = None,
) -> FillOutcome:
    """Fill a signed order: funding, then the closing part, then the opening part.

    The fee rounds up, the margin of an opening part and the collateral released by a closing part
    round down.

    Args:
        spec: Parameters of the market.
        state: The position before.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: Mark at which the graduated rule judges, 1 to `price_ticks_max`.
        side: 0 buy, 1 sell.
        qty_lots: Lots of this fill, 1 to 2^32 − 2.
        price_ticks: Price of this fill, 1 to `price_ticks_max`.
        fee_ppm: Fee rate of the account's role, 0 to 100 000.
        order_margin_quote: Collateral that the whole order brings along, 0 to 2^60.
        order_qty_lots: Lots of the whole order; default: this fill is the whole order.
        order_filled_lots: Lots of the order that were filled before.
        free_quote: Free balance of the account, 0 to 2^60.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        The outcome. Refusals: `INSUFFICIENT_FREE_COLLATERAL`, `INSUFFICIENT_MARGIN`,
        `POSITION_LIMIT`, `BANKRUPT`.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed, or the outcome leaves 2^60.

    Source: FILL-1 to FILL-6.
    """

def apply_top_up(
    spec: MarketSpec, state: _State, *, funding_index_e6: int, amount_quote: int, free_quote: int
) -> FillOutcome:
    """Move collateral from the free balance into an open position.

    Args:
        spec: Parameters of the market.
        state: The position before.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        amount_quote: 1 to 2^60.
        free_quote: Free balance of the account, 0 to 2^60.

    Returns:
        The outcome. Refusals: `INSUFFICIENT_FREE_COLLATERAL`, `NO_POSITION`.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed, or the outcome leaves 2^60.

    Source: COLL-1.
    """

def apply_auto_top_up(
    spec: MarketSpec,
    state: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    cap_quote: int,
    free_quote: int,
    index_price_ticks: int | None = None,
) -> FillOutcome:
    """Move what saves a liquidatable position into it, by its owner's standing instruction.

    Args:
        spec: Parameters of the market.
        state: The position before.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: 1 to `price_ticks_max`.
        cap_quote: What the instruction still allows, 0 to 2^60.
        free_quote: Free balance of the account that no order reserves, 0 to 2^60.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        The outcome; `-free_delta_quote` was drawn: as little as restores the initial requirement,
        or all there is when that restores maintenance. Refusals: `NOT_LIQUIDATABLE`,
        `INSUFFICIENT_FREE_COLLATERAL` (it would not save the position).

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: COLL-3.
    """

def apply_take_out(
    spec: MarketSpec,
    state: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    amount_quote: int,
    index_price_ticks: int | None = None,
) -> FillOutcome:
    """Move collateral out of a position into the free balance, down to the initial requirement.

    Args:
        spec: Parameters of the market.
        state: The position before.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: Mark at which equity is judged, 1 to `price_ticks_max`.
        amount_quote: 1 to 2^60.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        The outcome. Refusals: `INSUFFICIENT_MARGIN`, `NO_POSITION`.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed, or the outcome leaves 2^60.

    Source: COLL-1.
    """

def liquidation_lots_max(
    spec: MarketSpec,
    state: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    price_ticks: int,
    lots_max: int,
    index_price_ticks: int | None = None,
) -> int:
    """Return how many lots of a liquidatable position a liquidation closes at a price.

    Args:
        spec: Parameters of the market.
        state: The position; it must be liquidatable at the mark.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: Mark, 1 to `price_ticks_max`.
        price_ticks: Price of the resting order, 1 to `price_ticks_max`.
        lots_max: Lots on offer, 1 to |position|.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        The fewest lots that leave equity at maintenance plus buffer or above; `lots_max` when none
        do. A quotient a tier; where rounding decides, the next 64 lots one by one. Where one lot
        changes the requirement by less than 1/32 quote it may be a later lot that restores while
        the one before it does not.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: LIQ-2.
    """

def apply_liquidation_fill(
    spec: MarketSpec,
    state: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    qty_lots: int,
    price_ticks: int,
    index_price_ticks: int | None = None,
) -> FillOutcome:
    """Close lots of a liquidatable position on the book; the fee goes to the insurance fund.

    The fee rounds up but never takes the equity below 0. Nothing is released unless the position
    is closed wholly: then what is left goes to the free balance.

    Args:
        spec: Parameters of the market.
        state: The position before.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: Mark, 1 to `price_ticks_max`.
        qty_lots: Lots to close, 1 to 2^32 − 2.
        price_ticks: Price of the resting order, 1 to `price_ticks_max`.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        The outcome. Refusals: `NOT_LIQUIDATABLE`, `LIQUIDATION_PRICE` (beyond bankruptcy),
        `LIQUIDATION_TOO_LARGE` (one lot fewer restores, or more lots than the position has).

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed, or the outcome leaves 2^60.

    Source: LIQ-2, LIQ-6.
    """

def apply_takeover(
    spec: MarketSpec,
    state: _State,
    fund: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    index_price_ticks: int | None = None,
) -> tuple[FillOutcome, FillOutcome]:
    """Move a liquidatable position to the insurance fund at its bankruptcy price, without fee.

    Args:
        spec: Parameters of the market.
        state: The position before; flat afterwards, its dust goes to the fund.
        fund: The fund's position in this market; may be flat, with or without collateral.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: Mark, 1 to `price_ticks_max`.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        Outcomes of the trader and of the fund, with one verdict. Refusals: `NOT_LIQUIDATABLE`,
        `FUND_CANNOT_CARRY` (the fund would be below initial, or beyond `position_lots_max`).

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed, or the outcome leaves 2^60.

    Source: LIQ-3.
    """

def apply_fund_fill(
    spec: MarketSpec,
    fund: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    side: int,
    qty_lots: int,
    price_ticks: int,
) -> FillOutcome:
    """Close lots of the insurance fund's position on the book, without fee.

    Args:
        spec: Parameters of the market.
        fund: The fund's position in this market.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: Mark around which the price is bounded, 1 to `price_ticks_max`.
        side: 0 buy, 1 sell.
        qty_lots: Lots to close, 1 to 2^32 − 2.
        price_ticks: Price of the resting order, 1 to `price_ticks_max`.

    Returns:
        The outcome; nothing is released. Refusals: `REDUCE_ONLY` (it would not only reduce),
        `LIQUIDATION_PRICE` (worse than the band around the mark), `INSUFFICIENT_MARGIN` (equity
        below 0 afterwards).

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed, or the outcome leaves 2^60.

    Source: LIQ-5.
    """

def apply_adl(
    spec: MarketSpec,
    state: _State,
    counterparty: _State,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    qty_lots: int,
    index_price_ticks: int | None = None,
) -> tuple[FillOutcome, FillOutcome]:
    """Close lots of a liquidatable position against the other side at its bankruptcy price.

    Args:
        spec: Parameters of the market.
        state: The liquidatable position before.
        counterparty: A position of the opposite side that is not liquidatable.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: Mark, 1 to `price_ticks_max`.
        qty_lots: Lots to close on both sides, 1 to `position_lots_max`.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Returns:
        Outcomes of the position and of the counterparty, with one verdict. Refusals:
        `NOT_LIQUIDATABLE`, `NO_POSITION` (counterparty flat or of the same side),
        `LIQUIDATION_TOO_LARGE` (more lots than one of them has), `BANKRUPT` (the counterparty is
        liquidatable, or one of them would end with a debt), `INSUFFICIENT_MARGIN` (graduated rule).

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed, or the outcome leaves 2^60.

    Source: LIQ-4.
    """

def adl_rank(
    spec: MarketSpec, state: _State, *, funding_index_e6: int, mark_price_ticks: int
) -> int:
    """Return the rank of a counterparty: profit times leverage, the highest is closed first.

    Both factors round down and end at 2^60. Counterparties at a loss rank by their loss alone.

    Args:
        spec: Parameters of the market.
        state: A position that is not liquidatable.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: Mark, 1 to `price_ticks_max`.

    Returns:
        A number without unit, |x| ≤ 2^120.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: LIQ-4.
    """

def apply_settlement(
    spec: MarketSpec, state: _State, *, funding_index_e6: int, index_price_ticks: int
) -> FillOutcome:
    """Close a position at the delivery of its contract, or at the end of its market, without fee.

    Args:
        spec: Parameters of the market.
        state: The position before; flat afterwards.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        index_price_ticks: Index at which it settles, 1 to `price_ticks_max`; of an option, the
            price of its underlying, which pays its intrinsic value.

    Returns:
        The outcome, never refused. Collateral below 0 is what the insurance fund has to pay.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed, or the outcome leaves 2^60.

    Source: EXP-1.
    """
