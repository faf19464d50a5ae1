"""Equity, requirements, liquidation and bankruptcy price of one position (SPEC MARG-*)."""

from libc.stdint cimport int32_t, int64_t

from margin_core.fixed_point cimport PPM, bh_int128, ceil_div, floor_div, ppm_up
from margin_core.types cimport PositionC, SpecC, TierC


cdef extern from *:
    """
    #define BH_QUOTE_MAX_128 ((__int128) 1 << 60)
    """
    bh_int128 QUOTE_MAX "BH_QUOTE_MAX_128"


cdef inline int64_t abs64(int64_t x) noexcept nogil:
    return -x if x < 0 else x


cdef inline int64_t funding_owed(const PositionC* p, int64_t index) noexcept nogil:
    """MARG-1: quote that the position owes the funding pool. Rounds up: against the trader."""
    cdef bh_int128 owed
    if p.lots == 0 or index == p.funding_index:
        return 0
    owed = ceil_div(<bh_int128> p.lots * (<bh_int128> index - p.funding_index), PPM)
    return <int64_t> min(max(owed, -QUOTE_MAX), QUOTE_MAX)


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
