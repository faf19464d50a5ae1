"""The end of a market: its last price, the end of its orders, and delivery (EXP-2)."""

from libc.stdint cimport int64_t, uint32_t

from margin_core.requirement cimport abs64
from margin_core.transitions cimport deliver
from margin_core.types cimport FillC, VERDICT_OK
from matcher.engine.liquidating cimport cancel_bucket, liquidate_all
from matcher.engine.matching cimport trim_all
from matcher.engine.store cimport (
    MARKET_STATE, MARKET_STATE_CHANGED, POSITION_SETTLED, PRICE, commit, emit)
from matcher.engine.types cimport BucketC, CoreC, EventC, MarketC, STATE_SETTLED

cdef enum:
    DELIVERIES_MAX = 256         # of a command
    LOOKS_MAX = 4096


cdef inline void end_market(
    CoreC* c, MarketC* m, int64_t index_price, int64_t time_ms
) noexcept nogil:
    """The last row; O(positions and orders), once in a market's life."""
    cdef uint32_t bucket
    cdef EventC* event = emit(c, PRICE, m)
    m.index_price = index_price
    m.mark_price = index_price
    m.index_time_ms = time_ms
    event.price = <uint32_t> index_price
    event.qty = index_price
    event.amount = time_ms
    m.state = STATE_SETTLED
    m.delivery_at[0] = 1
    m.delivery_at[1] = 1
    event = emit(c, MARKET_STATE_CHANGED, m)
    event.amount = STATE_SETTLED
    for bucket in range(1, c.bucket_top):
        if c.buckets[bucket].market == m.slot:
            cancel_bucket(c, m, bucket, 2, MARKET_STATE)
    trim_all(c)
    liquidate_all(c, m, False)


cdef inline bint settle_position(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Deliver one position; false when a rule forbids it."""
    cdef BucketC* b = &c.buckets[slot]
    cdef FillC trader, fund
    cdef EventC* event
    cdef int64_t lots = b.position.lots
    if deliver(&m.spec, &trader, &fund, &b.position, &c.buckets[m.fund].position,
               m.funding_index, m.index_price) != VERDICT_OK or trader.free_delta > m.pot:
        return False
    event = emit(c, POSITION_SETTLED, m)
    event.account = b.account
    event.side = 0 if lots > 0 else 1
    event.price = <uint32_t> m.index_price
    event.qty = abs64(lots)
    event.amount = trader.free_delta
    event.amount_2 = (c.buckets[m.fund].position.collateral - fund.funding + fund.pnl
                      - fund.position.collateral)
    commit(c, m, slot, &trader)
    commit(c, m, m.fund, &fund)
    return True


cdef inline bint is_next(CoreC* c, MarketC* m, uint32_t slot, int side) noexcept nogil:
    cdef BucketC* b = &c.buckets[slot]
    return b.market == m.slot and slot != m.fund and not b.is_frozen and (
        b.position.lots < 0 if side else b.position.lots > 0)


cdef inline void deliver_next(CoreC* c, MarketC* m) noexcept nogil:
    """Deliver a bounded number of positions; at the end of a sweep the next one begins."""
    cdef uint32_t looks = LOOKS_MAX
    cdef int done = 0
    cdef int side
    cdef uint32_t slot
    while looks and done < DELIVERIES_MAX:
        side = 0 if c.buckets[m.fund].position.lots <= 0 else 1
        slot = m.delivery_at[side]
        if slot >= c.bucket_top:
            m.delivery_at[0] = 1
            m.delivery_at[1] = 1
            return
        m.delivery_at[side] = slot + 1
        looks -= 1
        if is_next(c, m, slot, side):
            done += settle_position(c, m, slot)
