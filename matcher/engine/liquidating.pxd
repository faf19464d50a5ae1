"""The liquidation waterfall: orders, book, insurance fund, ADL (SPEC LIQ-*)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from margin_core.fixed_point cimport bh_int128
from margin_core.requirement cimport (
    abs64, bankruptcy_price, equity, liquidatable, liquidation_price, maintenance, notional_of)
from margin_core.transitions cimport (
    adl, adl_rank_of, fund_fill, liquidation_fill, lots_to_restore, settle_funding, takeover)
from margin_core.types cimport FillC, PositionC, VERDICT_OK
from matcher.engine.heap cimport heap_add, heap_remove
from matcher.engine.matching cimport emit_fill, judge_maker, maker_lots, settle_maker, trim_all
from matcher.engine.store cimport (
    ADL, FUND_FILL, LIQUIDATION, LIQUIDATION_ENDED, LIQUIDATION_FILL, LIQUIDATION_STARTED, TAKEOVER,
    commit, drop_order, emit, touch_bucket, trim_orders, update_reservation)
from matcher.engine.types cimport BucketC, CoreC, EventC, HeapC, LadderC, MarketC

cdef enum:
    FUND_SLIPPAGE_DIVISOR = 10   # the fund trades within a tenth of the mark's band


cdef inline void refresh_keys(CoreC* c, MarketC* m) noexcept nogil:
    """Put every touched bucket where its liquidation price belongs; O(touched * log n)."""
    cdef uint32_t k, slot
    cdef BucketC* b
    cdef HeapC* heap
    for k in range(m.dirty_count):
        slot = m.dirty[k]
        b = &c.buckets[slot]
        b.is_dirty = 0
        if b.heap_at:
            heap_remove(&m.heaps[b.heap_side], c.buckets, slot)
        b.liquidation_price = liquidation_price(&m.spec, &b.position, m.funding_index)
        if b.liquidation_price >= 0 and not b.is_stuck and not b.is_frozen:
            b.heap_side = 0 if b.position.lots > 0 else 1
            heap = &m.heaps[b.heap_side]
            if not heap_add(heap, c.buckets, slot):
                c.is_out_of_memory = 1
    m.dirty_count = 0


cdef inline void touch_all(CoreC* c, MarketC* m) noexcept nogil:
    """Funding moved every liquidation price of the market, of those that had none too; O(n)."""
    cdef uint32_t slot
    for slot in range(1, c.bucket_top):
        if c.buckets[slot].market == m.slot and c.buckets[slot].position.lots != 0:
            touch_bucket(c, m, slot)


cdef inline void cancel_bucket(
    CoreC* c, MarketC* m, uint32_t bucket, int side, uint8_t reason
) noexcept nogil:
    """Cancel the bucket's orders of a side (2: both), newest first."""
    cdef uint32_t slot = c.buckets[bucket].orders
    cdef uint32_t older
    while slot:
        older = c.orders[slot].bucket_next
        if side == 2 or c.orders[slot].side == side:
            drop_order(c, m, slot, reason)
        slot = older


cdef inline bint close_step(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """LIQ-2: one fill against the best opposite order; false when the book gives no more."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef bint is_long = b.position.lots > 0
    cdef LadderC* side = &m.sides[0 if is_long else 1]
    cdef int64_t limit = bankruptcy_price(&m.spec, &b.position, m.funding_index)
    cdef uint32_t maker_slot
    cdef int64_t lots, price
    cdef PositionC settled
    cdef FillC made, closed
    cdef EventC* event
    if side.best == 0 or (side.best < limit if is_long else side.best > limit):
        return False
    price = side.best
    maker_slot = side.levels[price].head
    lots = maker_lots(c, m, maker_slot, b.account)
    if lots <= 0:
        return lots == 0
    settled = b.position
    settle_funding(&settled, m.funding_index)
    lots = lots_to_restore(
        &m.spec, &settled, min(lots, abs64(settled.lots)), price, m.mark_price)
    if judge_maker(c, m, maker_slot, lots, &made) != VERDICT_OK:
        drop_order(c, m, maker_slot, <uint8_t> judge_maker(c, m, maker_slot, lots, &made))
        return True
    if liquidation_fill(&m.spec, &closed, &b.position, m.funding_index, m.mark_price, lots,
                        price) != VERDICT_OK:
        return False
    event = emit_fill(c, m, LIQUIDATION_FILL, maker_slot, lots, made.fee)
    event.account_2 = b.account
    event.amount_2 = closed.fee
    commit(c, m, bucket, &closed)
    c.buckets[m.fund].position.collateral += closed.fee
    update_reservation(c, b)
    settle_maker(c, m, maker_slot, lots, &made)
    return True


cdef inline bint take_over(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """LIQ-3: the fund takes what is left; false when it can't carry it."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef FillC trader, fund
    cdef EventC* event
    cdef int64_t price = bankruptcy_price(&m.spec, &b.position, m.funding_index)
    cdef int64_t lots = abs64(b.position.lots)
    if takeover(&m.spec, &trader, &fund, &b.position, &c.buckets[m.fund].position,
                m.funding_index, m.mark_price) != VERDICT_OK:
        return False
    event = emit(c, TAKEOVER, m)
    event.account_2 = b.account
    event.side = 0 if b.position.lots > 0 else 1
    event.price = <uint32_t> price
    event.qty = lots
    event.amount = fund.position.collateral + fund.funding - fund.pnl - (
        c.buckets[m.fund].position.collateral)
    commit(c, m, bucket, &trader)
    commit(c, m, m.fund, &fund)
    return True


cdef inline uint32_t best_counterparty(
    CoreC* c, MarketC* m, uint32_t bankrupt, bh_int128* rank
) noexcept nogil:
    """LIQ-4: the opposite position of the highest rank, the lowest bucket among equals; O(n)."""
    cdef bint is_long = c.buckets[bankrupt].position.lots > 0
    cdef uint32_t slot
    cdef uint32_t best = 0
    cdef BucketC* b
    cdef bh_int128 candidate
    for slot in range(1, c.bucket_top):
        b = &c.buckets[slot]
        if b.market != m.slot or slot == m.fund or b.position.lots == 0 or b.is_stuck & 2 or (
                b.is_frozen) or (b.position.lots > 0) == is_long:
            continue
        candidate = adl_rank_of(&m.spec, &b.position, m.funding_index, m.mark_price)
        if best == 0 or candidate > rank[0]:
            best = slot
            rank[0] = candidate
    return best


cdef inline void clear_refusals(CoreC* c, MarketC* m) noexcept nogil:
    """Counterparties that one ADL run passed over are candidates again in the next."""
    cdef uint32_t slot
    for slot in range(1, c.bucket_top):
        if c.buckets[slot].market == m.slot:
            c.buckets[slot].is_stuck &= 1


cdef inline void deleverage(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """LIQ-4: close against the opposite side by rank, no more than the position."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef BucketC* other
    cdef uint32_t counterparty
    cdef int64_t lots, price
    cdef FillC bankrupt, counter
    cdef bh_int128 rank = 0
    cdef EventC* event
    while b.position.lots != 0:
        counterparty = best_counterparty(c, m, bucket, &rank)
        if counterparty == 0:
            break
        other = &c.buckets[counterparty]
        lots = min(abs64(b.position.lots), abs64(other.position.lots))
        price = bankruptcy_price(&m.spec, &b.position, m.funding_index)
        if adl(&m.spec, &bankrupt, &counter, &b.position, &other.position, m.funding_index,
               m.mark_price, lots) != VERDICT_OK:
            other.is_stuck |= 2
            continue
        event = emit(c, ADL, m)
        event.account = other.account
        event.account_2 = b.account
        event.side = 0 if b.position.lots > 0 else 1
        event.price = <uint32_t> price
        event.qty = lots
        if bucket == m.fund:
            bankrupt.position.collateral += bankrupt.free_delta
            bankrupt.free_delta = 0
        commit(c, m, bucket, &bankrupt)
        commit(c, m, counterparty, &counter)
        update_reservation(c, other)
        trim_orders(c, m, counterparty)
        if bucket != m.fund and b.position.lots != 0 and take_over(c, m, bucket):
            break
    clear_refusals(c, m)


cdef inline void liquidate(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """The waterfall for one liquidatable position."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef EventC* event = emit(c, LIQUIDATION_STARTED, m)
    event.account = b.account
    event.side = 0 if b.position.lots > 0 else 1
    event.price = <uint32_t> m.mark_price
    event.qty = abs64(b.position.lots)
    event.amount = equity(&b.position, m.funding_index, m.mark_price, m.spec.quote_per_tick_lot)
    event.amount_2 = maintenance(&m.spec, notional_of(&m.spec, b.position.lots, m.mark_price))
    cancel_bucket(c, m, bucket, 2, LIQUIDATION)
    while liquidatable(&m.spec, &b.position, m.funding_index, m.mark_price):
        if not close_step(c, m, bucket):
            break
    if liquidatable(&m.spec, &b.position, m.funding_index, m.mark_price):
        if not take_over(c, m, bucket):
            deleverage(c, m, bucket)
    event = emit(c, LIQUIDATION_ENDED, m)
    event.account = b.account
    event.qty = abs64(b.position.lots)
    event.amount = b.position.collateral
    update_reservation(c, b)
    if liquidatable(&m.spec, &b.position, m.funding_index, m.mark_price):
        b.is_stuck |= 1
        m.stuck_count += 1
    touch_bucket(c, m, bucket)


cdef inline uint32_t next_liquidatable(CoreC* c, MarketC* m) noexcept nogil:
    """Bucket that the mark has reached, longs before shorts; 0 when there is none."""
    cdef uint32_t slot
    if m.heaps[0].count:
        slot = m.heaps[0].slots[0]
        if c.buckets[slot].liquidation_price >= m.mark_price:
            return slot
    if m.heaps[1].count:
        slot = m.heaps[1].slots[0]
        if c.buckets[slot].liquidation_price <= m.mark_price:
            return slot
    return 0


cdef inline void liquidate_all(CoreC* c, MarketC* m) noexcept nogil:
    """Every position that the mark has reached; each is tried once a tick."""
    cdef uint32_t slot
    refresh_keys(c, m)
    while True:
        slot = next_liquidatable(c, m)
        if slot == 0:
            break
        liquidate(c, m, slot)
        trim_all(c)
        refresh_keys(c, m)
    if m.stuck_count:
        m.stuck_count = 0
        for slot in range(1, c.bucket_top):
            if c.buckets[slot].is_stuck and c.buckets[slot].market == m.slot:
                c.buckets[slot].is_stuck = 0
                touch_bucket(c, m, slot)


cdef inline void unwind_fund(CoreC* c, MarketC* m, bint in_grace) noexcept nogil:
    """LIQ-5: the fund gives its position back to the book close to the mark; LIQ-7 first."""
    cdef BucketC* b = &c.buckets[m.fund]
    cdef LadderC* side
    cdef int64_t lots, slack
    cdef uint32_t maker_slot
    cdef FillC made, closed
    cdef EventC* event
    cdef int sign
    if not in_grace and liquidatable(&m.spec, &b.position, m.funding_index, m.mark_price):
        deleverage(c, m, m.fund)
    while b.position.lots != 0:
        sign = -1 if b.position.lots > 0 else 1
        side = &m.sides[0 if sign < 0 else 1]
        slack = m.mark_price * m.spec.mark_band // (FUND_SLIPPAGE_DIVISOR * 1000000)
        if side.best == 0 or (side.best < m.mark_price - slack if sign < 0
                              else side.best > m.mark_price + slack):
            return
        maker_slot = side.levels[side.best].head
        lots = maker_lots(c, m, maker_slot, 0)
        if lots <= 0:
            continue
        lots = min(lots, abs64(b.position.lots))
        if judge_maker(c, m, maker_slot, lots, &made) != VERDICT_OK:
            drop_order(c, m, maker_slot, <uint8_t> judge_maker(c, m, maker_slot, lots, &made))
            continue
        if fund_fill(&m.spec, &closed, &b.position, m.funding_index, m.mark_price, sign, lots,
                     side.best) != VERDICT_OK:
            return
        event = emit_fill(c, m, FUND_FILL, maker_slot, lots, made.fee)
        event.account_2 = 0
        commit(c, m, m.fund, &closed)
        settle_maker(c, m, maker_slot, lots, &made)
        trim_all(c)
