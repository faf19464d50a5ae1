"""Equity, requirements, liquidation and bankruptcy price of one position (SPEC MARG-*).

The functions without a kind are those of linear contracts. Those that end in `_for` take it first:
where it is a constant, as in the functions that the engine calls, the compiler keeps one branch.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from margin_core.fixed_point cimport PPM, bh_int128, ceil_div, floor_div, ppm_up, wide
from margin_core.types cimport (
    INVERSE_PERPETUAL, OPTION_CALL, OPTION_PUT, PositionC, SpecC, TierC)


cdef extern from *:
    """
    #define BH_QUOTE_MAX_128 ((__int128) 1 << 60)
    """
    bh_int128 QUOTE_MAX "BH_QUOTE_MAX_128"


cdef inline int64_t abs64(int64_t x) noexcept nogil:
    return -x if x < 0 else x


cdef inline wide owed_since(int64_t lots, int64_t before, int64_t index) noexcept nogil:
    cdef bh_int128 owed = ceil_div(<bh_int128> lots * (<bh_int128> index - before), PPM)
    return <int64_t> min(max(owed, -QUOTE_MAX), QUOTE_MAX)


cdef inline int64_t funding_owed(const PositionC* p, int64_t index) noexcept nogil:
    """MARG-1: quote that the position owes the funding pool. Rounds up: against the trader."""
    if index == p.funding_index or p.lots == 0:
        return 0
    return owed_since(p.lots, p.funding_index, index)


cdef inline int64_t equity_settled(
    const PositionC* p, int64_t mark, int64_t unit
) noexcept nogil:
    """MARG-2 for a position whose funding is settled. Exact."""
    cdef int64_t value = p.lots * mark * unit
    return p.collateral + (value - p.entry_value if p.lots >= 0 else value + p.entry_value)


cdef inline int64_t equity(
    const PositionC* p, int64_t index, int64_t mark, int64_t unit
) noexcept nogil:
    """MARG-2: collateral - funding owed + profit and loss at the mark."""
    return equity_settled(p, mark, unit) - funding_owed(p, index)


cdef inline const TierC* tier_of(const SpecC* s, int64_t notional) noexcept nogil:
    """The tier that carries `notional`; the requirement is continuous: also the maximum."""
    cdef int32_t k = 0
    while k + 1 < s.tier_count and s.tiers[k + 1].notional_floor <= notional:
        k += 1
    return &s.tiers[k]


cdef inline int64_t maintenance(const SpecC* s, int64_t notional) noexcept nogil:
    """MARG-3. Rounds up: against the trader."""
    cdef const TierC* t = tier_of(s, notional)
    return ppm_up(notional, t.rate_maintenance) - t.amount_maintenance


cdef inline int64_t initial(const SpecC* s, int64_t notional) noexcept nogil:
    """MARG-3. Rounds up: against the trader."""
    cdef const TierC* t = tier_of(s, notional)
    return ppm_up(notional, t.rate_initial) - t.amount_initial


cdef inline int64_t notional_of(const SpecC* s, int64_t lots, int64_t price) noexcept nogil:
    """NUM-1: exact; inside 2^60 for every admitted market."""
    return abs64(lots) * price * s.quote_per_tick_lot


cdef inline bint liquidatable(
    const SpecC* s, const PositionC* p, int64_t index, int64_t mark
) noexcept nogil:
    """MARG-4: equity below maintenance; equality is safe."""
    if p.lots == 0:
        return False
    return equity(p, index, mark, s.quote_per_tick_lot) < maintenance(
        s, notional_of(s, p.lots, mark))


cdef inline int64_t liquidation_price(
    const SpecC* s, const PositionC* p, int64_t index
) noexcept nogil:
    """MARG-5: first tick at which the position is liquidatable, -1 when there is none.

    Per tier the condition is linear in the price, so each tier has one root; the requirement is
    the maximum over the tiers, so a long takes the largest root and a short the smallest.
    """
    cdef int64_t owed = funding_owed(p, index)
    cdef bh_int128 per_tick = <bh_int128> abs64(p.lots) * s.quote_per_tick_lot
    cdef bh_int128 numerator, root
    cdef bh_int128 best = -1
    cdef int32_t k
    if p.lots > 0:
        for k in range(s.tier_count):
            numerator = <bh_int128> PPM * (
                p.entry_value + owed - p.collateral - s.tiers[k].amount_maintenance)
            if numerator > 0:
                root = ceil_div(numerator, per_tick * (PPM - s.tiers[k].rate_maintenance)) - 1
                best = root if root > best else best
        return <int64_t> (s.price_ticks_max if best > s.price_ticks_max else best)
    if p.lots < 0:
        for k in range(s.tier_count):
            numerator = <bh_int128> PPM * (
                p.entry_value + p.collateral - owed + s.tiers[k].amount_maintenance)
            root = floor_div(numerator, per_tick * (PPM + s.tiers[k].rate_maintenance)) + 1
            root = 1 if root < 1 else root
            best = root if best < 0 or root < best else best
        return <int64_t> (-1 if best > s.price_ticks_max else best)
    return -1


cdef inline int64_t bankruptcy_price(
    const SpecC* s, const PositionC* p, int64_t index
) noexcept nogil:
    """MARG-6: tick at which equity is spent. Rounds towards the mark: the fund is never short."""
    cdef int64_t owed = funding_owed(p, index)
    cdef bh_int128 per_tick = <bh_int128> abs64(p.lots) * s.quote_per_tick_lot
    cdef bh_int128 price
    if p.lots == 0:
        return 0
    if p.lots > 0:
        price = ceil_div(<bh_int128> p.entry_value + owed - p.collateral, per_tick)
    else:
        price = floor_div(<bh_int128> p.entry_value + p.collateral - owed, per_tick)
    return <int64_t> (0 if price < 0 else price)


# Every kind of contract. A price of the underlying matters to options alone.

@cython.cdivision(True)
cdef inline int64_t traded_value(
    int kind, int64_t unit, int64_t lots, int64_t price
) noexcept nogil:
    """NUM-1, NUM-3: quote that a fill of `lots` > 0 moves, the same for both sides. Rounds down."""
    if kind == INVERSE_PERPETUAL:
        return lots * unit / price
    return price * lots * unit


@cython.cdivision(True)
cdef inline int64_t charged_value(
    int kind, int64_t unit, int64_t lots, int64_t price
) noexcept nogil:
    """NUM-1, NUM-3: quote on which a fee of `lots` >= 0 is charged. Rounds up."""
    cdef int64_t product
    if kind == INVERSE_PERPETUAL:
        product = lots * unit
        return product / price + (product % price != 0)
    return price * lots * unit


cdef inline int64_t worth_for(int kind, int64_t unit, int64_t lots, int64_t mark) noexcept nogil:
    """COIN-1: what a position is worth at the mark, quote >= 0. Rounds against the trader."""
    if lots > 0:
        return charged_value(kind, unit, lots, mark)
    return traded_value(kind, unit, -lots, mark)


cdef inline int64_t equity_for(
    int kind, const PositionC* p, int64_t mark, int64_t unit
) noexcept nogil:
    """MARG-2, COIN-1 for a position whose funding is settled: a coin's worth falls as it rises."""
    cdef int64_t gain
    if kind != INVERSE_PERPETUAL:
        return equity_settled(p, mark, unit)
    gain = p.entry_value - worth_for(kind, unit, p.lots, mark)
    return p.collateral + (gain if p.lots > 0 else -gain)


cdef inline bh_int128 option_share(
    int kind, const SpecC* s, int64_t mark, int64_t underlying, bint is_initial
) noexcept nogil:
    """OPT-1: what a short's lot needs, 10^-12 quote of one quote per tick and lot. Exact."""
    cdef bh_int128 share = <bh_int128> s.option_maintenance * underlying
    cdef bh_int128 start
    cdef int64_t out
    if kind == OPTION_PUT:
        share = max(share, <bh_int128> s.option_maintenance_of_mark * mark)
    if is_initial:
        out = s.strike - underlying if kind == OPTION_CALL else underlying - s.strike
        start = <bh_int128> s.option_initial * underlying - <bh_int128> PPM * max(out, 0)
        start = PPM * max(start, <bh_int128> s.option_initial_least * underlying)
        if kind == OPTION_PUT:
            share = share * s.option_put_initial + (
                <bh_int128> (s.option_put_initial - PPM) * PPM * mark)
            share = max(start, share)
        else:
            share = start
    else:
        share = share * PPM
    return share + <bh_int128> PPM * s.fee_taker * mark


cdef inline int64_t option_requirement(
    int kind, const SpecC* s, int64_t lots, int64_t mark, int64_t underlying, bint is_initial
) noexcept nogil:
    """OPT-1, OPT-2: beyond the mark, which equity has paid already. Rounds up."""
    if lots >= 0:
        return lots * mark * s.quote_per_tick_lot if is_initial else 0
    return <int64_t> ceil_div(
        -lots * s.quote_per_tick_lot * option_share(kind, s, mark, underlying, is_initial),
        <bh_int128> PPM * PPM)


cdef inline int64_t maintenance_for(
    int kind, const SpecC* s, int64_t lots, int64_t mark, int64_t underlying
) noexcept nogil:
    """MARG-3, COIN-1, OPT-1."""
    if kind >= OPTION_CALL:
        return option_requirement(kind, s, lots, mark, underlying, False)
    return maintenance(s, worth_for(kind, s.quote_per_tick_lot, lots, mark))


cdef inline int64_t initial_for(
    int kind, const SpecC* s, int64_t lots, int64_t mark, int64_t underlying
) noexcept nogil:
    """MARG-3, COIN-1, OPT-1, OPT-2."""
    if kind >= OPTION_CALL:
        return option_requirement(kind, s, lots, mark, underlying, True)
    return initial(s, worth_for(kind, s.quote_per_tick_lot, lots, mark))


cdef inline bint liquidatable_for(
    int kind, const SpecC* s, const PositionC* p, int64_t index, int64_t mark, int64_t underlying
) noexcept nogil:
    """MARG-4: equity below maintenance; equality is safe."""
    if p.lots == 0:
        return False
    return equity_for(kind, p, mark, s.quote_per_tick_lot) - funding_owed(p, index) < (
        maintenance_for(kind, s, p.lots, mark, underlying))


cdef inline int64_t ratio_of(int64_t requirement, int64_t equity) noexcept nogil:
    """RATIO-1: ppm, above 10^6 exactly when equity is below the requirement. At most 2^60."""
    cdef bh_int128 ratio
    if requirement <= 0 and equity >= 0:
        return 0
    if equity <= 0:
        return <int64_t> QUOTE_MAX
    ratio = ceil_div(<bh_int128> requirement * PPM, equity)
    return <int64_t> (QUOTE_MAX if ratio > QUOTE_MAX else ratio)


cdef inline int64_t inverse_liquidation_price(
    const SpecC* s, const PositionC* p, int64_t index
) noexcept nogil:
    """COIN-2: per tier the condition is linear in the worth W, so each tier has one root in W.

    A long is liquidatable from a worth upwards, a short below one: the least of the tiers' roots
    for a long, the largest for a short, decides. Then the price at which the position has it.
    """
    cdef int64_t owed = funding_owed(p, index)
    cdef bh_int128 size = <bh_int128> abs64(p.lots) * s.quote_per_tick_lot
    cdef bh_int128 slack, root, price
    cdef bh_int128 best = -1
    cdef int32_t k
    for k in range(s.tier_count):
        if p.lots > 0:  # W + ceil(W * rate) > slack
            slack = <bh_int128> p.collateral - owed + p.entry_value + s.tiers[k].amount_maintenance
            root = 0 if slack < 0 else (
                floor_div(slack * PPM, PPM + s.tiers[k].rate_maintenance) + 1)
            best = root if best < 0 or root < best else best
        else:  # W - ceil(W * rate) < slack
            slack = <bh_int128> p.entry_value - p.collateral + owed - (
                s.tiers[k].amount_maintenance)
            root = -1 if slack <= 0 else (
                ceil_div(slack * PPM, PPM - s.tiers[k].rate_maintenance) - 1)
            best = root if root > best else best
    if p.lots > 0:  # the largest price with ceil(size / price) >= best
        price = s.price_ticks_max
        if best > 1:
            price = ceil_div(size, best - 1) - 1
        price = -1 if price < 1 else price
        return <int64_t> min(price, <bh_int128> s.price_ticks_max)
    if best < 0:
        return -1
    price = floor_div(size, best + 1) + 1  # the smallest with floor(size / price) <= best
    return <int64_t> (-1 if price > s.price_ticks_max else price)


cdef inline int64_t option_liquidation_price(
    int kind, const SpecC* s, const PositionC* p, int64_t index, int64_t underlying
) noexcept nogil:
    """OPT-3: first mark at which it is liquidatable while the underlying stands."""
    cdef bh_int128 size = <bh_int128> abs64(p.lots) * s.quote_per_tick_lot
    cdef bh_int128 money = <bh_int128> PPM * (
        <bh_int128> p.collateral - funding_owed(p, index) + p.entry_value)
    cdef bh_int128 best, other
    if p.lots > 0:  # only where its collateral lacks premium, which no fill leaves behind
        if p.entry_value + funding_owed(p, index) <= p.collateral:
            return -1
        best = ceil_div(
            <bh_int128> p.entry_value + funding_owed(p, index) - p.collateral, size) - 1
        return <int64_t> (s.price_ticks_max if best > s.price_ticks_max else best)
    best = floor_div(
        money - size * s.option_maintenance * underlying, size * (PPM + s.fee_taker)) + 1
    if kind == OPTION_PUT:
        other = floor_div(
            money, size * (PPM + s.fee_taker + s.option_maintenance_of_mark)) + 1
        best = min(best, other)
    best = 1 if best < 1 else best
    return <int64_t> (-1 if best > s.price_ticks_max else best)


cdef inline int64_t liquidation_price_for(
    int kind, const SpecC* s, const PositionC* p, int64_t index, int64_t underlying
) noexcept nogil:
    """MARG-5, COIN-2, OPT-3: first tick at which the position is liquidatable, or -1."""
    if p.lots == 0:
        return -1
    if kind == INVERSE_PERPETUAL:
        return inverse_liquidation_price(s, p, index)
    if kind >= OPTION_CALL:
        return option_liquidation_price(kind, s, p, index, underlying)
    return liquidation_price(s, p, index)


cdef inline int64_t bankruptcy_price_for(
    int kind, const SpecC* s, const PositionC* p, int64_t index
) noexcept nogil:
    """MARG-6, COIN-3: tick at which equity is spent. Rounds towards the mark."""
    cdef bh_int128 size = <bh_int128> abs64(p.lots) * s.quote_per_tick_lot
    cdef bh_int128 left, price
    if kind != INVERSE_PERPETUAL:
        return bankruptcy_price(s, p, index)
    if p.lots == 0:
        return 0
    left = <bh_int128> p.collateral - funding_owed(p, index)
    left = p.entry_value + left if p.lots > 0 else p.entry_value - left
    if left <= 0:
        return s.price_ticks_max
    price = ceil_div(size, left) if p.lots > 0 else floor_div(size, left)
    price = 1 if price < 1 else price
    return <int64_t> min(price, <bh_int128> s.price_ticks_max)
