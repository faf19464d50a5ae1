"""Python face of the kernel: range checks once at the border, then C integers."""

import enum
from operator import index as operator_index
from typing import NamedTuple

from libc.stdint cimport INT64_MAX, int64_t

from margin_core.fixed_point cimport bh_int128, ppm_up
from margin_core.requirement cimport (
    bankruptcy_price_for, charged_value, equity_for, funding_owed, initial_for,
    liquidatable_for, liquidation_price_for, maintenance_for, ratio_of, worth_for)
from margin_core.transitions cimport (
    adl_for, adl_rank_for, auto_top_up_for, fill_for, fund_fill_for, liquidation_fill_for,
    lots_to_restore_for, settle_for, settle_funding, start_fill, take_out_for, takeover_for, top_up)
from margin_core.types cimport (
    FillC, INVERSE_PERPETUAL, OPTION_CALL, PositionC, SpecC, VERDICT_OK)

from margin_core.limits import FEE_PPM_MAX, FUNDING_INDEX_E6_MAX, ORDER_LOTS_MAX, QUOTE_MAX
from margin_core.market_spec import MarketSpec, tier_amounts_quote


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
    """One isolated position: signed lots, entry value, collateral, last funding index."""

    position_lots: int
    entry_value_quote: int
    collateral_quote: int
    funding_index_e6: int = 0


class FillOutcome(NamedTuple):
    """What a change does. Money in quote units; meaningless but for `verdict` when it is not OK."""

    verdict: Verdict
    state: MarginState
    free_delta_quote: int
    fee_quote: int
    funding_quote: int
    pnl_quote: int
    released_quote: int


_UNITS = {
    "e6": "quote per lot * 10^6", "lots": "lots", "ppm": "ppm", "quote": "quote",
    "ticks": "ticks", "x256": "ticks / 256", "s": "s", "side": "(0 buy, 1 sell)",
    "max": "lots", "count": "samples", "sum": "ppm",
}


cdef int64_t checked(str name, object value, object low, object high) except? -1:
    """Return `value` as a C integer, or raise with rule, name, value, bounds and unit (NUM-4).

    Integers of other types count, such as NumPy's; truth values do not.
    """
    number = value
    if type(value) is not int:
        try:
            number = None if value is True or value is False else operator_index(value)
        except TypeError:
            number = None
    if number is None or not low <= number <= high:
        unit = _UNITS[name.rpartition("_")[2].rpartition(" ")[2]]
        raise ValueError(
            f"NUM-4: {name} = {value!r}: expected an integer from {low} to {high} {unit}")
    return number


cdef int load_spec(SpecC* out, object spec) except -1:
    """Fill the C struct of a validated `MarketSpec`."""
    cdef int k
    if not isinstance(spec, MarketSpec):
        raise ValueError(f"NUM-4: expected a MarketSpec, got {type(spec).__name__}")
    out.quote_per_tick_lot = spec.quote_per_tick_lot
    out.price_ticks_max = spec.price_ticks_max
    out.position_lots_max = spec.position_lots_max
    out.fee_maker = spec.fee_maker_ppm
    out.fee_taker = spec.fee_taker_ppm
    out.fee_liquidation = spec.fee_liquidation_ppm
    out.liquidation_buffer = spec.liquidation_buffer_ppm
    out.mark_band = spec.mark_band_ppm
    out.funding_cap = spec.funding_cap_ppm
    out.funding_interval_s = spec.funding_interval_s
    out.index_age_max_ms = spec.index_age_max_ms
    out.kind = spec.kind
    out.expiry_time_s = spec.expiry_time_s
    out.strike = spec.strike_ticks
    out.option_initial_least = spec.option_initial_least_ppm
    out.option_initial = spec.option_initial_ppm
    out.option_maintenance = spec.option_maintenance_ppm
    out.option_maintenance_of_mark = spec.option_maintenance_of_mark_ppm
    out.option_put_initial = spec.option_put_initial_ppm
    out.impact_notional = spec.impact_notional_quote
    out.funding_period_s = spec.funding_period_s
    out.funding_interest = spec.funding_interest_ppm
    out.funding_clamp = spec.funding_clamp_ppm
    out.grace_s = spec.grace_s
    out.order_band = spec.order_band_ppm
    out.open_interest_max = spec.open_interest_lots_max or INT64_MAX
    out.tier_count = len(spec.tiers)
    for k, (tier, amounts) in enumerate(zip(spec.tiers, tier_amounts_quote(spec))):
        out.tiers[k].notional_floor = tier.notional_floor_quote
        out.tiers[k].rate_initial = tier.margin_initial_ppm + spec.fee_taker_ppm
        out.tiers[k].rate_maintenance = tier.margin_maintenance_ppm + spec.fee_taker_ppm
        out.tiers[k].amount_initial = amounts[0]
        out.tiers[k].amount_maintenance = amounts[1]
    return 0


cdef int load_position(PositionC* out, SpecC* s, object state) except -1:
    try:
        lots, entry_value, collateral, funding_index = state
    except (TypeError, ValueError):
        raise ValueError(
            "NUM-4: a state has four integers: position_lots, entry_value_quote, collateral_quote, "
            f"funding_index_e6; got {state!r}") from None
    out.lots = checked("position_lots", lots, -s.position_lots_max, s.position_lots_max)
    out.entry_value = checked("entry_value_quote", entry_value, 0, QUOTE_MAX)
    out.collateral = checked("collateral_quote", collateral, -QUOTE_MAX, QUOTE_MAX)
    out.funding_index = checked(
        "funding_index_e6", funding_index, -FUNDING_INDEX_E6_MAX, FUNDING_INDEX_E6_MAX)
    return 0


cdef int64_t checked_price(SpecC* s, str name, object value) except? -1:
    return checked(name, value, 1, s.price_ticks_max)


cdef int64_t checked_underlying(SpecC* s, object value) except? -1:
    """The price of an option's underlying; others have none: what is passed is not looked at."""
    if s.kind < OPTION_CALL:
        return 0
    return checked_price(s, "index_price_ticks", value)


cdef int64_t checked_index(SpecC* s, PositionC* p, object value) except? -1:
    """The market's funding index; the funding owed must stay inside 2^60."""
    index = checked("funding_index_e6", value, -FUNDING_INDEX_E6_MAX, FUNDING_INDEX_E6_MAX)
    if abs((index - p.funding_index) * p.lots) > QUOTE_MAX * 1_000_000:
        raise OverflowError(
            f"NUM-4: funding owed: {p.lots} lots * {index - p.funding_index} e6 exceeds "
            f"{QUOTE_MAX} quote")
    return index


cdef object outcome(int verdict, FillC* f):
    cdef int64_t most = QUOTE_MAX
    if verdict == VERDICT_OK:
        for name, found in (("entry_value_quote", f.position.entry_value),
                            ("collateral_quote", f.position.collateral),
                            ("free_delta_quote", f.free_delta)):
            if abs(found) > most:
                raise OverflowError(
                    f"NUM-4: {name} after the change = {found}: exceeds {most} quote")
    return FillOutcome(
        Verdict(verdict),
        MarginState(f.position.lots, f.position.entry_value, f.position.collateral,
                    f.position.funding_index),
        f.free_delta, f.fee, f.funding, f.pnl, f.released)


def funding_owed_quote(spec, state, *, funding_index_e6):
    """Return the funding that the position owes since its last change. Source: MARG-1."""
    cdef SpecC s
    cdef PositionC p
    load_spec(&s, spec)
    load_position(&p, &s, state)
    return funding_owed(&p, checked_index(&s, &p, funding_index_e6))


def equity_quote(spec, state, *, funding_index_e6, mark_price_ticks):
    """Return collateral less funding owed plus profit at the mark. Exact but for the funding.

    Source: MARG-2, COIN-1.
    """
    cdef SpecC s
    cdef PositionC p
    load_spec(&s, spec)
    load_position(&p, &s, state)
    settle_funding(&p, checked_index(&s, &p, funding_index_e6))
    return equity_for(
        s.kind, &p, checked_price(&s, "mark_price_ticks", mark_price_ticks), s.quote_per_tick_lot)


def worth_quote(spec, *, position_lots, price_ticks):
    """Return what a position is worth at a price: its notional, of an inverse contract in coins.

    Source: NUM-1, COIN-1.
    """
    cdef SpecC s
    load_spec(&s, spec)
    lots = checked("position_lots", position_lots, -s.position_lots_max, s.position_lots_max)
    return worth_for(
        s.kind, s.quote_per_tick_lot, lots, checked_price(&s, "price_ticks", price_ticks))


def fee_quote(spec, *, qty_lots, price_ticks, fee_ppm):
    """Return the fee of a fill. Rounds up. Source: FILL-1, NUM-3."""
    cdef SpecC s
    load_spec(&s, spec)
    lots = checked("qty_lots", qty_lots, 1, s.position_lots_max)
    return ppm_up(
        charged_value(
            s.kind, s.quote_per_tick_lot, lots, checked_price(&s, "price_ticks", price_ticks)),
        checked("fee_ppm", fee_ppm, 0, FEE_PPM_MAX))


def maintenance_requirement_quote(
    spec, *, position_lots, mark_price_ticks, index_price_ticks=None
):
    """Return the equity below which a position is liquidatable, the closing fee included.

    Source: MARG-3, MKT-2, COIN-1, OPT-1, OPT-2.
    """
    cdef SpecC s
    load_spec(&s, spec)
    lots = checked("position_lots", position_lots, -s.position_lots_max, s.position_lots_max)
    if lots == 0:
        return 0
    return maintenance_for(
        s.kind, &s, lots, checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks))


def initial_requirement_quote(
    spec, *, position_lots, mark_price_ticks, index_price_ticks=None
):
    """Return the equity that opening, adding and taking out must leave, closing fee included.

    Source: MARG-3, MKT-2, COIN-1, OPT-1, OPT-2.
    """
    cdef SpecC s
    load_spec(&s, spec)
    lots = checked("position_lots", position_lots, -s.position_lots_max, s.position_lots_max)
    if lots == 0:
        return 0
    return initial_for(
        s.kind, &s, lots, checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks))


def is_liquidatable(spec, state, *, funding_index_e6, mark_price_ticks, index_price_ticks=None):
    """Return whether equity is below maintenance at the mark; equality is safe.

    Source: MARG-4.
    """
    cdef SpecC s
    cdef PositionC p
    load_spec(&s, spec)
    load_position(&p, &s, state)
    return bool(liquidatable_for(
        s.kind, &s, &p, checked_index(&s, &p, funding_index_e6),
        checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks)))


def margin_ratio_ppm(spec, state, *, funding_index_e6, mark_price_ticks, index_price_ticks=None):
    """Return maintenance on equity: above 10^6 exactly when the position is liquidatable.

    Source: RATIO-1.
    """
    cdef SpecC s
    cdef PositionC p
    cdef int64_t mark
    load_spec(&s, spec)
    load_position(&p, &s, state)
    mark = checked_price(&s, "mark_price_ticks", mark_price_ticks)
    settle_funding(&p, checked_index(&s, &p, funding_index_e6))
    if p.lots == 0:
        return 0
    return ratio_of(
        maintenance_for(s.kind, &s, p.lots, mark, checked_underlying(&s, index_price_ticks)),
        equity_for(s.kind, &p, mark, s.quote_per_tick_lot))


def liquidation_price_ticks(spec, state, *, funding_index_e6, index_price_ticks=None):
    """Return the first tick at which the position is liquidatable.

    Source: MARG-5, COIN-2, OPT-3.
    """
    cdef SpecC s
    cdef PositionC p
    cdef int64_t price
    load_spec(&s, spec)
    load_position(&p, &s, state)
    price = liquidation_price_for(
        s.kind, &s, &p, checked_index(&s, &p, funding_index_e6),
        checked_underlying(&s, index_price_ticks))
    return None if price < 0 else price


def bankruptcy_price_ticks(spec, state, *, funding_index_e6):
    """Return the tick at which equity is spent. Source: MARG-6, COIN-3."""
    cdef SpecC s
    cdef PositionC p
    load_spec(&s, spec)
    load_position(&p, &s, state)
    settle_funding(&p, checked_index(&s, &p, funding_index_e6))
    if p.lots == 0 or (
            s.kind == INVERSE_PERPETUAL and p.lots < 0 and p.collateral >= p.entry_value):
        return None
    return bankruptcy_price_for(s.kind, &s, &p, p.funding_index)


def apply_fill(
    spec, state, *, funding_index_e6, mark_price_ticks, side, qty_lots, price_ticks, fee_ppm,
    order_margin_quote=0, order_qty_lots=None, order_filled_lots=0, free_quote=0,
    index_price_ticks=None,
):
    """Fill a signed order: funding, then the closing part, then the opening part.

    Source: FILL-1 to FILL-6.
    """
    cdef SpecC s
    cdef PositionC p
    cdef FillC f
    cdef int64_t total
    load_spec(&s, spec)
    load_position(&p, &s, state)
    lots = checked("qty_lots", qty_lots, 1, ORDER_LOTS_MAX)
    total = checked("order_qty_lots", qty_lots if order_qty_lots is None else order_qty_lots,
                    lots, ORDER_LOTS_MAX)
    verdict = fill_for(
        s.kind, &s, &f, &p, checked_index(&s, &p, funding_index_e6),
        checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks),
        1 if checked("side", side, 0, 1) == 0 else -1, lots,
        checked_price(&s, "price_ticks", price_ticks),
        checked("fee_ppm", fee_ppm, 0, FEE_PPM_MAX),
        checked("order_margin_quote", order_margin_quote, 0, QUOTE_MAX), total,
        checked("order_filled_lots", order_filled_lots, 0, total - lots),
        checked("free_quote", free_quote, 0, QUOTE_MAX))
    return outcome(verdict, &f)


def apply_top_up(spec, state, *, funding_index_e6, amount_quote, free_quote):
    """Move collateral from the free balance into an open position. Source: COLL-1."""
    cdef SpecC s
    cdef PositionC p
    cdef FillC f
    load_spec(&s, spec)
    load_position(&p, &s, state)
    verdict = top_up(
        &f, &p, checked_index(&s, &p, funding_index_e6),
        checked("amount_quote", amount_quote, 1, QUOTE_MAX),
        checked("free_quote", free_quote, 0, QUOTE_MAX))
    return outcome(verdict, &f)


def apply_auto_top_up(
    spec, state, *, funding_index_e6, mark_price_ticks, cap_quote, free_quote,
    index_price_ticks=None
):
    """Move what saves a liquidatable position into it, by its owner's standing instruction.

    Source: COLL-3.
    """
    cdef SpecC s
    cdef PositionC p
    cdef FillC f
    load_spec(&s, spec)
    load_position(&p, &s, state)
    verdict = auto_top_up_for(
        s.kind, &s, &f, &p, checked_index(&s, &p, funding_index_e6),
        checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks),
        checked("cap_quote", cap_quote, 0, QUOTE_MAX),
        checked("free_quote", free_quote, 0, QUOTE_MAX))
    return outcome(verdict, &f)


def apply_take_out(
    spec, state, *, funding_index_e6, mark_price_ticks, amount_quote, index_price_ticks=None
):
    """Move collateral out of a position into the free balance, down to the initial requirement.

    Source: COLL-1.
    """
    cdef SpecC s
    cdef PositionC p
    cdef FillC f
    load_spec(&s, spec)
    load_position(&p, &s, state)
    verdict = take_out_for(
        s.kind, &s, &f, &p, checked_index(&s, &p, funding_index_e6),
        checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks),
        checked("amount_quote", amount_quote, 1, QUOTE_MAX))
    return outcome(verdict, &f)


def liquidation_lots_max(
    spec, state, *, funding_index_e6, mark_price_ticks, price_ticks, lots_max,
    index_price_ticks=None,
):
    """Return how many lots of a liquidatable position a liquidation closes at a price.

    Source: LIQ-2.
    """
    cdef SpecC s
    cdef PositionC p
    load_spec(&s, spec)
    load_position(&p, &s, state)
    if p.lots == 0:
        return 0
    settle_funding(&p, checked_index(&s, &p, funding_index_e6))
    return lots_to_restore_for(
        s.kind, &s, &p, checked("lots_max", lots_max, 1, abs(p.lots)),
        checked_price(&s, "price_ticks", price_ticks),
        checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks))


def apply_liquidation_fill(
    spec, state, *, funding_index_e6, mark_price_ticks, qty_lots, price_ticks,
    index_price_ticks=None,
):
    """Close lots of a liquidatable position on the book; the fee goes to the insurance fund.

    Source: LIQ-2, LIQ-6.
    """
    cdef SpecC s
    cdef PositionC p
    cdef FillC f
    load_spec(&s, spec)
    load_position(&p, &s, state)
    index = checked_index(&s, &p, funding_index_e6)
    start_fill(&f, &p, index)
    verdict = liquidation_fill_for(
        s.kind, &s, &f, &p, index, checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks),
        checked("qty_lots", qty_lots, 1, ORDER_LOTS_MAX),
        checked_price(&s, "price_ticks", price_ticks))
    return outcome(verdict, &f)


def apply_takeover(
    spec, state, fund, *, funding_index_e6, mark_price_ticks, index_price_ticks=None
):
    """Move a liquidatable position to the insurance fund at its bankruptcy price, without fee.

    Source: LIQ-3.
    """
    cdef SpecC s
    cdef PositionC p, q
    cdef FillC trader, other
    load_spec(&s, spec)
    load_position(&p, &s, state)
    load_position(&q, &s, fund)
    index = checked_index(&s, &p, funding_index_e6)
    start_fill(&trader, &p, index)
    start_fill(&other, &q, checked_index(&s, &q, funding_index_e6))
    verdict = takeover_for(
        s.kind, &s, &trader, &other, &p, &q, index,
        checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks))
    return outcome(verdict, &trader), outcome(verdict, &other)


def apply_fund_fill(
    spec, fund, *, funding_index_e6, mark_price_ticks, side, qty_lots, price_ticks
):
    """Close lots of the insurance fund's position on the book, without fee. Source: LIQ-5."""
    cdef SpecC s
    cdef PositionC p
    cdef FillC f
    load_spec(&s, spec)
    load_position(&p, &s, fund)
    index = checked_index(&s, &p, funding_index_e6)
    start_fill(&f, &p, index)
    verdict = fund_fill_for(
        s.kind, &s, &f, &p, index, checked_price(&s, "mark_price_ticks", mark_price_ticks),
        1 if checked("side", side, 0, 1) == 0 else -1,
        checked("qty_lots", qty_lots, 1, ORDER_LOTS_MAX),
        checked_price(&s, "price_ticks", price_ticks))
    return outcome(verdict, &f)


def apply_adl(
    spec, state, counterparty, *, funding_index_e6, mark_price_ticks, qty_lots,
    index_price_ticks=None,
):
    """Close lots of a liquidatable position against the other side at its bankruptcy price.

    Source: LIQ-4.
    """
    cdef SpecC s
    cdef PositionC p, q
    cdef FillC bankrupt, counter
    load_spec(&s, spec)
    load_position(&p, &s, state)
    load_position(&q, &s, counterparty)
    index = checked_index(&s, &p, funding_index_e6)
    start_fill(&bankrupt, &p, index)
    start_fill(&counter, &q, checked_index(&s, &q, funding_index_e6))
    verdict = adl_for(
        s.kind, &s, &bankrupt, &counter, &p, &q, index,
        checked_price(&s, "mark_price_ticks", mark_price_ticks),
        checked_underlying(&s, index_price_ticks),
        checked("qty_lots", qty_lots, 1, s.position_lots_max))
    return outcome(verdict, &bankrupt), outcome(verdict, &counter)


def adl_rank(spec, state, *, funding_index_e6, mark_price_ticks):
    """Return the rank of a counterparty: profit times leverage, the highest is closed first.

    Source: LIQ-4.
    """
    cdef SpecC s
    cdef PositionC p
    cdef bh_int128 rank
    load_spec(&s, spec)
    load_position(&p, &s, state)
    rank = adl_rank_for(s.kind, &s, &p, checked_index(&s, &p, funding_index_e6),
                        checked_price(&s, "mark_price_ticks", mark_price_ticks))
    return (<object> <int64_t> (rank >> 64)) * 2**64 + <unsigned long long> rank


def apply_settlement(spec, state, *, funding_index_e6, index_price_ticks):
    """Close a position at the delivery of its contract, or at the end of its market, without fee.

    Source: EXP-1.
    """
    cdef SpecC s
    cdef PositionC p
    cdef FillC f
    cdef int64_t price
    load_spec(&s, spec)
    load_position(&p, &s, state)
    price = checked_price(&s, "index_price_ticks", index_price_ticks)
    if s.kind >= OPTION_CALL:
        price = max(0, price - s.strike if s.kind == OPTION_CALL else s.strike - price)
    settle_for(s.kind, &s, &f, &p, checked_index(&s, &p, funding_index_e6), price)
    return outcome(0, &f)
