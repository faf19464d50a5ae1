"""Index price in, mark price, funding, triggers and liquidations out (SPEC MARK-*, FUND-*)."""

from libc.stdint cimport int64_t, uint32_t

from margin_core.fixed_point cimport bh_int128, floor_div
from margin_core.funding cimport (
    IMPACT_LEVELS_MAX, ImpactC, impact_premium_ppm, impact_price_x256, index_step_e6,
    middle_premium_ppm, settlement_rate_ppm, start_impact, take_level)
from matcher.engine.announce cimport ends_at, follow_parameters
from matcher.engine.delivery cimport end_market
from matcher.engine.ladder cimport follow_mark, next_down, next_up
from matcher.engine.limits cimport set_price_band
from matcher.engine.liquidating cimport liquidate_all
from matcher.engine.states cimport is_continuous, is_fresh
from matcher.engine.store cimport FUNDING, PRICE, emit, now_s
from matcher.engine.trigger cimport fire_triggers
from matcher.engine.types cimport CoreC, EventC, LadderC, MarketC

cdef enum:
    BASIS_SHIFT = 4              # the averaged basis moves by a sixteenth a tick


cdef extern from *:
    """
    #define BH_FUNDING_INDEX_MAX (1LL << 62)
    """
    int64_t FUNDING_INDEX_MAX "BH_FUNDING_INDEX_MAX"


cdef inline int64_t clamp(int64_t x, int64_t low, int64_t high) noexcept nogil:
    return low if x < low else high if x > high else x


cdef inline int64_t median(int64_t a, int64_t b, int64_t x) noexcept nogil:
    return max(min(a, b), min(max(a, b), x))


cdef inline int64_t band_of(const MarketC* m) noexcept nogil:
    """Ticks that the mark may stand from the index."""
    cdef int64_t band = <int64_t> floor_div(<bh_int128> m.index_price * m.spec.mark_band, 1000000)
    return band if band > 1 else 1


cdef inline int64_t impact_of(const MarketC* m, int side) noexcept nogil:
    """FUND-3: impact price of a side in 1/256 tick, 0 when the side does not carry the notional."""
    cdef const LadderC* ladder = &m.sides[side]
    cdef uint32_t price = ladder.best
    cdef int64_t lots
    cdef ImpactC walk
    cdef int k
    start_impact(&walk, m.spec.impact_notional)
    for k in range(IMPACT_LEVELS_MAX):
        if price == 0:
            return 0
        lots = ladder.levels[price].lots if k + 1 < IMPACT_LEVELS_MAX else m.spec.impact_notional
        if take_level(&walk, price, lots, m.spec.quote_per_tick_lot):
            return impact_price_x256(&walk, side)
        price = next_up(ladder, price + 1) if side else next_down(ladder, price - 1)
    return 0


cdef inline void sample_premium(MarketC* m, int64_t middle) noexcept nogil:
    """FUND-2: one sample an index."""
    if m.spec.impact_notional and is_continuous(m):
        m.premium_ppm_sum += impact_premium_ppm(impact_of(m, 0), impact_of(m, 1), m.index_price)
    else:
        m.premium_ppm_sum += middle_premium_ppm(middle, m.index_price)
    m.premium_count += 1


cdef inline void update_mark(MarketC* m) noexcept nogil:
    """MARK-1. Also one sample of the premium."""
    cdef int64_t index = m.index_price
    cdef int64_t band = band_of(m)
    cdef int64_t bid = m.sides[0].best
    cdef int64_t ask = m.sides[1].best
    cdef int64_t middle = index + (m.basis_x256 >> 8)
    cdef int64_t mark
    if bid and ask and is_continuous(m):
        middle = (bid + ask) >> 1
    m.basis_x256 += ((middle - index) * 256 - m.basis_x256) >> BASIS_SHIFT
    sample_premium(m, middle)
    mark = median(index, index + (m.basis_x256 >> 8), clamp(middle, index - band, index + band))
    if m.mark_price:
        mark = clamp(mark, m.mark_price - max(1, band >> 1), m.mark_price + max(1, band >> 1))
    m.mark_price = clamp(clamp(mark, index - band, index + band), 1, m.spec.price_ticks_max)
    set_price_band(m)
    follow_mark(m)


cdef inline void settle_market_funding(CoreC* c, MarketC* m) noexcept nogil:
    """FUND-1, FUND-4: once an interval the averaged premium, capped, moves the index."""
    cdef int64_t rate, step
    cdef EventC* event
    if m.last_funding_s == 0:
        m.last_funding_s = now_s(c)
    if now_s(c) < m.last_funding_s + m.spec.funding_interval_s:
        return
    rate = settlement_rate_ppm(
        &m.spec, m.premium_ppm_sum, m.premium_count, now_s(c) - m.last_funding_s)
    step = index_step_e6(&m.spec, rate, m.index_price)
    if m.funding_index + step > FUNDING_INDEX_MAX or m.funding_index + step < -FUNDING_INDEX_MAX:
        rate = step = 0
    m.funding_rate_ppm = rate
    m.funding_index += step
    m.premium_ppm_sum = 0
    m.premium_count = 0
    m.last_funding_s = now_s(c)
    event = emit(c, FUNDING, m)
    event.amount = m.funding_index
    event.amount_2 = rate


cdef inline void begin_grace(CoreC* c, MarketC* m) noexcept nogil:
    """MARK-3: from now on people have their time before anybody is liquidated."""
    m.grace_until_s = now_s(c) + m.spec.grace_s


cdef inline void update_price(
    CoreC* c, MarketC* m, int64_t index_price, int64_t time_ms
) noexcept nogil:
    """A new index price: mark, funding, triggers, liquidations, the fund's unwinding."""
    cdef EventC* event
    cdef bint waits
    follow_parameters(c, m, time_ms)
    if ends_at(&m.spec, time_ms):
        end_market(c, m, index_price, time_ms)
        return
    if m.index_price and not is_fresh(c, m):
        begin_grace(c, m)
    waits = now_s(c) < m.grace_until_s
    m.index_price = index_price
    m.index_time_ms = time_ms
    update_mark(m)
    event = emit(c, PRICE, m)
    event.price = <uint32_t> m.mark_price
    event.qty = index_price
    event.amount = time_ms
    event.flags = waits
    settle_market_funding(c, m)
    if not is_continuous(m) or not is_fresh(c, m):
        return
    fire_triggers(c, m)
    liquidate_all(c, m, waits)
