"""Equity, requirement, ratio and liquidation price of many positions, in one pass over buffers."""

cimport cython
from libc.stdint cimport int32_t, int64_t

from margin_core.fixed_point cimport PPM, bh_int128, ceil_div, floor_div, ppm_up
from margin_core.requirement cimport (
    equity_for, funding_owed, liquidation_price, liquidation_price_for, maintenance_for, ratio_of)
from margin_core.rules cimport checked, load_spec
from margin_core.types cimport (
    LINEAR_FUTURE, LINEAR_PERPETUAL, PositionC, SpecC, TIERS_MAX_C)

from margin_core.limits import FUNDING_INDEX_E6_MAX, QUOTE_MAX


cdef extern from *:
    bint smul_overflow "__builtin_mul_overflow"(
        int64_t x, int64_t y, int64_t* product) noexcept nogil
    bint sub_overflow "__builtin_sub_overflow"(
        int64_t x, int64_t y, int64_t* difference) noexcept nogil


cdef enum:
    NARROW_BITS = 42             # below this, times 10^6 or twice that stays inside 63 bits


cdef struct TablesC:
    int32_t count
    int64_t floor[TIERS_MAX_C]         # quote; notional of the tier
    int64_t rate[TIERS_MAX_C]          # ppm
    int64_t amount[TIERS_MAX_C]        # quote
    int64_t root_above[2][TIERS_MAX_C]  # quote; of shorts, of longs: see load_tables


cdef void load_tables(TablesC* t, const SpecC* s) noexcept nogil:
    """MARG-5: what a position lacks or has at each tier's floor, so that one division is enough.

    With x = V + s * (F - M), the root lies above the floor of a tier for a long exactly when x is
    above floor * (1 - rate) + amount, for a short when it is not below floor * (1 + rate) - amount.
    Whole numbers compare with the first rounded down and the second rounded up.
    """
    cdef int32_t k
    t.count = s.tier_count
    for k in range(s.tier_count):
        t.floor[k] = s.tiers[k].notional_floor
        t.rate[k] = s.tiers[k].rate_maintenance
        t.amount[k] = s.tiers[k].amount_maintenance
        t.root_above[0][k] = <int64_t> ceil_div(
            <bh_int128> t.floor[k] * (PPM + t.rate[k]), PPM) - t.amount[k] - 1
        t.root_above[1][k] = t.amount[k] + <int64_t> floor_div(
            <bh_int128> t.floor[k] * (PPM - t.rate[k]), PPM)


@cython.cdivision(True)
cdef inline void linear_row(
    const SpecC* s, const TablesC* t, const PositionC* p, int64_t index, int64_t owed,
    int64_t mark, int64_t* equity, int64_t* requirement, int64_t* ratio, int64_t* price
) noexcept nogil:
    """MARG-2, MARG-3, MARG-5 and RATIO-1 without a branch on side or tier; wide numbers apart."""
    cdef int64_t side = (p.lots > 0) - (p.lots < 0)
    cdef int64_t is_long = p.lots > 0
    cdef int64_t per_tick = p.lots * side * s.quote_per_tick_lot
    cdef int64_t notional = per_tick * mark
    cdef int64_t net = p.entry_value + side * (owed - p.collateral)
    cdef const int64_t* above = t.root_above[is_long]
    cdef int32_t held = 0
    cdef int32_t root = 0
    cdef int32_t k
    cdef int64_t tick
    if p.lots == 0:
        equity[0] = p.collateral - owed - p.entry_value
        requirement[0] = 0
        ratio[0] = 0
        price[0] = -1
        return
    for k in range(1, t.count):
        held += notional >= t.floor[k]
        root += net > above[k]
    equity[0] = p.collateral - owed + side * (notional - p.entry_value)
    requirement[0] = ppm_up(notional, t.rate[held]) - t.amount[held]
    if equity[0] > 0 and requirement[0] >> NARROW_BITS == 0:
        ratio[0] = min((requirement[0] * PPM + equity[0] - 1) / equity[0], <int64_t> 1 << 60)
    else:
        ratio[0] = ratio_of(requirement[0], equity[0])
    net -= side * t.amount[root]
    if net >> NARROW_BITS != 0 or per_tick >> NARROW_BITS != 0:  # wide, or below 0
        price[0] = liquidation_price(s, p, index)
        return
    tick = (net * PPM - is_long) / (per_tick * (PPM - side * t.rate[root])) + 1 - is_long
    tick -= is_long & (net == 0)
    price[0] = tick if tick <= s.price_ticks_max else is_long * (s.price_ticks_max + 1) - 1


@cython.cdivision(True)
cdef inline bint owes(const PositionC* p, int64_t index, int64_t* owed) noexcept nogil:
    """MARG-1; whether it is no more than 2^60 quote."""
    cdef bh_int128 wide
    cdef int64_t moved, product
    if not sub_overflow(index, p.funding_index, &moved) and not (
            smul_overflow(p.lots, moved, &product)):
        owed[0] = product / PPM + (product % PPM > 0)  # C rounds towards zero
        return True
    wide = <bh_int128> p.lots * (<bh_int128> index - p.funding_index)
    owed[0] = funding_owed(p, index)
    return (-wide if wide < 0 else wide) <= (<bh_int128> 1 << 60) * PPM


cdef inline bint in_bounds(
    const SpecC* s, const PositionC* p, int64_t mark, int64_t underlying
) noexcept nogil:
    """SPEC §1, in one branch."""
    return (
        (-s.position_lots_max <= p.lots) & (p.lots <= s.position_lots_max)
        & (0 <= p.entry_value) & (p.entry_value <= <int64_t> 1 << 60)
        & (-(<int64_t> 1 << 60) <= p.collateral) & (p.collateral <= <int64_t> 1 << 60)
        & (-(<int64_t> 1 << 62) <= p.funding_index) & (p.funding_index <= <int64_t> 1 << 62)
        & (1 <= mark) & (mark <= s.price_ticks_max)
        & (1 <= underlying) & (underlying <= s.price_ticks_max))


cdef Py_ssize_t evaluate_all(
    const SpecC* s, int64_t index, const int64_t* lots, const int64_t* values,
    const int64_t* collaterals, const int64_t* indices, const int64_t* marks,
    const int64_t* underlyings, Py_ssize_t stride, Py_ssize_t count, int64_t* equities,
    int64_t* requirements, int64_t* ratios, int64_t* prices
) noexcept nogil:
    """Fill the four results; return the place of the first position out of bounds, or `count`."""
    cdef TablesC tables
    cdef PositionC p
    cdef int64_t owed, mark, underlying
    cdef bint is_linear = s.kind == LINEAR_PERPETUAL or s.kind == LINEAR_FUTURE
    cdef Py_ssize_t k
    load_tables(&tables, s)
    for k in range(count):
        p.lots = lots[k]
        p.entry_value = values[k]
        p.collateral = collaterals[k]
        p.funding_index = indices[k]
        mark = marks[k * stride]
        underlying = underlyings[k * stride]
        if not in_bounds(s, &p, mark, underlying) or not owes(&p, index, &owed):
            return k
        if is_linear:
            linear_row(s, &tables, &p, index, owed, mark, &equities[k], &requirements[k],
                       &ratios[k], &prices[k])
            continue
        prices[k] = liquidation_price_for(s.kind, s, &p, index, underlying)
        p.collateral -= owed
        equities[k] = equity_for(s.kind, &p, mark, s.quote_per_tick_lot)
        requirements[k] = maintenance_for(s.kind, s, p.lots, mark, underlying)
        ratios[k] = ratio_of(requirements[k], equities[k]) if p.lots != 0 else 0
    return count


cdef int refuse_row(
    SpecC* s, Py_ssize_t row, int64_t index, tuple state, tuple prices
) except -1:
    """Raise what the scalar functions would, and say in which row."""
    lots, value, collateral, touched = state
    for name, found, low, high in (
        ("position_lots", lots, -s.position_lots_max, s.position_lots_max),
        ("entry_value_quote", value, 0, QUOTE_MAX),
        ("collateral_quote", collateral, -QUOTE_MAX, QUOTE_MAX),
        ("funding_index_e6", touched, -FUNDING_INDEX_E6_MAX, FUNDING_INDEX_E6_MAX),
        ("mark_price_ticks", prices[0], 1, s.price_ticks_max),
        ("index_price_ticks", prices[1], 1, s.price_ticks_max),
    ):
        checked(f"row {row}: {name}", found, low, high)
    raise OverflowError(
        f"NUM-4: row {row}: funding owed: {lots} lots * {index - touched} e6 exceeds "
        f"{QUOTE_MAX} quote")


def evaluate(
    spec, index, const int64_t[::1] lots not None, const int64_t[::1] values not None,
    const int64_t[::1] collaterals not None, const int64_t[::1] indices not None,
    const int64_t[::1] marks not None, const int64_t[::1] underlyings not None,
    int64_t[::1] equities not None, int64_t[::1] requirements not None,
    int64_t[::1] ratios not None, int64_t[::1] prices not None
):
    """Fill four buffers from six; no lock is held meanwhile."""
    cdef SpecC s
    cdef Py_ssize_t done
    cdef Py_ssize_t count = lots.shape[0]
    cdef Py_ssize_t each = marks.shape[0]
    load_spec(&s, spec)
    cdef int64_t now = checked(
        "funding_index_e6", index, -FUNDING_INDEX_E6_MAX, FUNDING_INDEX_E6_MAX)
    for rows in (values.shape[0], collaterals.shape[0], indices.shape[0], equities.shape[0],
                 requirements.shape[0], ratios.shape[0], prices.shape[0]):
        if rows != count:
            raise ValueError(f"NUM-4: positions: {count} and {rows} rows: expected as many")
    if each not in (1, count) or underlyings.shape[0] != each:
        raise ValueError(
            f"NUM-4: prices: {each} and {underlyings.shape[0]} rows: expected 1 or {count}")
    if count == 0:
        return
    with nogil:
        done = evaluate_all(
            &s, now, &lots[0], &values[0], &collaterals[0], &indices[0], &marks[0],
            &underlyings[0], 0 if each == 1 else 1, count, &equities[0], &requirements[0],
            &ratios[0], &prices[0])
    if done < count:
        at = 0 if each == 1 else done
        refuse_row(&s, done, now, (lots[done], values[done], collaterals[done], indices[done]),
                   (marks[at], underlyings[at]))
