"""Premium, rate and index step of funding (SPEC FUND-*)."""

from libc.stdint cimport int64_t

from margin_core.fixed_point cimport PPM, bh_int128, ceil_div, floor_div
from margin_core.types cimport INVERSE_PERPETUAL, LINEAR_PERPETUAL, SpecC

cdef enum:
    IMPACT_LEVELS_MAX = 256
    IMPACT_SHIFT = 8             # impact prices have 1/256 tick

cdef extern from *:
    """
    #define BH_LOTS_FAR ((__int128) 1 << 61)
    """
    bh_int128 LOTS_FAR "BH_LOTS_FAR"  # more than any level has

cdef struct ImpactC:             # a walk along one side of a book
    int64_t left                 # quote that is still to be filled
    int64_t lots
    bh_int128 value              # ticks * lots


cdef inline void start_impact(ImpactC* walk, int64_t notional) noexcept nogil:
    walk.left = notional
    walk.lots = 0
    walk.value = 0


cdef inline bint take_level_for(
    int kind, ImpactC* walk, int64_t price, int64_t lots, int64_t unit
) noexcept nogil:
    """FUND-3: of an inverse market the notional is in coins, and lots are worth unit / price."""
    cdef int64_t per_lot = price * unit
    cdef int64_t needed, taken
    if kind == INVERSE_PERPETUAL:
        needed = <int64_t> min(ceil_div(<bh_int128> walk.left * price, unit), LOTS_FAR)
    else:
        needed = <int64_t> ceil_div(walk.left, per_lot)
    taken = min(lots, needed)
    walk.lots += taken
    walk.value += <bh_int128> price * taken
    if taken == needed:
        walk.left = 0
    elif kind == INVERSE_PERPETUAL:
        walk.left -= <int64_t> floor_div(<bh_int128> taken * unit, price)
    else:
        walk.left -= taken * per_lot
    return walk.left == 0


cdef inline bint take_level(
    ImpactC* walk, int64_t price, int64_t lots, int64_t unit
) noexcept nogil:
    """FUND-3: fill at one level; true when nothing is left. `price * unit` is below 2^60."""
    return take_level_for(LINEAR_PERPETUAL, walk, price, lots, unit)


cdef inline int64_t impact_price_x256(const ImpactC* walk, bint is_ask) noexcept nogil:
    """FUND-3: mean price of a walk that filled everything, in 1/256 tick, against the premium."""
    if is_ask:
        return <int64_t> ceil_div(walk.value << IMPACT_SHIFT, walk.lots)
    return <int64_t> floor_div(walk.value << IMPACT_SHIFT, walk.lots)


cdef inline int64_t middle_premium_ppm(int64_t middle, int64_t index) noexcept nogil:
    """FUND-2 without an impact notional; rounds down."""
    cdef int64_t premium = <int64_t> floor_div((middle - index) * PPM, index)
    return min(max(premium, -PPM), PPM)


cdef inline int64_t impact_premium_ppm(
    int64_t bid_x256, int64_t ask_x256, int64_t index
) noexcept nogil:
    """FUND-2 with impact prices in 1/256 tick, 0 where a side has none; rounds down."""
    cdef int64_t at = index << IMPACT_SHIFT
    cdef int64_t premium = max(0, bid_x256 - at) - (max(0, at - ask_x256) if ask_x256 else 0)
    premium = <int64_t> floor_div(<bh_int128> premium * PPM, at)
    return min(max(premium, -PPM), PPM)


cdef inline int64_t settlement_rate_ppm(
    const SpecC* s, int64_t premium_sum, int64_t samples, int64_t elapsed_s
) noexcept nogil:
    """FUND-4: what one settlement pays, in ppm of the index; the mean and the share round down."""
    cdef int64_t rate = <int64_t> floor_div(premium_sum, samples)
    cdef int64_t pull = s.funding_interest - rate
    rate += min(max(pull, -s.funding_clamp), s.funding_clamp)
    if s.funding_period_s:
        rate = <int64_t> floor_div(rate * elapsed_s, s.funding_period_s)
    return min(max(rate, -s.funding_cap), s.funding_cap)


cdef inline int64_t index_step_for(
    int kind, const SpecC* s, int64_t rate_ppm, int64_t index
) noexcept nogil:
    """FUND-1: quote per lot times 10^6; inside 2^50 for every admitted market.

    Exact, but of an inverse market, whose lot is worth unit / index coins, rounded down.
    """
    if kind == INVERSE_PERPETUAL:
        return <int64_t> floor_div(<bh_int128> rate_ppm * s.quote_per_tick_lot, index)
    return rate_ppm * index * s.quote_per_tick_lot


cdef inline int64_t index_step_e6(const SpecC* s, int64_t rate_ppm, int64_t index) noexcept nogil:
    """FUND-1 of a linear market, exact."""
    return index_step_for(LINEAR_PERPETUAL, s, rate_ppm, index)
