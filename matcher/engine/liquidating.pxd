"""The liquidation waterfall: orders, book, insurance fund, ADL (SPEC LIQ-*)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from margin_core.requirement cimport (
    abs64, bankruptcy_price, equity, maintenance, notional_of)
from margin_core.transitions cimport (
    adl, fund_fill, leverage_ppm_of, liquidation_fill, lots_to_restore, profit_ppm_of,
    settle_funding, takeover)
from margin_core.types cimport FillC, PositionC, VERDICT_OK
from matcher.engine.index cimport (
    TRIED, find_due, forget_ranking, gentler_price, is_endangered, narrow, next_due, next_ranked,
    pass_over, rank_side, readmit, refresh_index)
from matcher.engine.matching cimport emit_fill, judge_maker, maker_lots, settle_maker, trim_all
from matcher.engine.special cimport WalkC, step_down, walk_from
from matcher.engine.store cimport (
    ADL, FUND_FILL, LIQUIDATION, LIQUIDATION_ENDED, LIQUIDATION_FILL, LIQUIDATION_STARTED,
    MARKET_CANNOT_PAY, TAKEOVER, commit, drop_order, emit, out_of, trim_orders, update_reservation)
from matcher.engine.top_up cimport draw_top_up
from matcher.engine.tree cimport append_slot
from matcher.engine.types cimport BucketC, CoreC, EventC, LadderC, MarketC

cdef enum:
    FUND_SLIPPAGE_DIVISOR = 10   # the fund trades within a tenth of the mark's band


cdef inline void cancel_bucket(
    CoreC* c, MarketC* m, uint32_t bucket, int side, uint8_t reason
) noexcept nogil:
    """Cancel the bucket's orders of a side (2: both), newest first."""
    cdef WalkC walk = walk_from(&c.buckets[bucket])
    cdef uint32_t slot = step_down(c, &walk)
    while slot:
        if side == 2 or c.orders[slot].side == side:
            drop_order(c, m, slot, reason)
        slot = step_down(c, &walk)


cdef inline bint close_step(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """LIQ-2: one fill against the best opposite order; false when the book gives no more."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef bint is_long = b.position.lots > 0
    cdef LadderC* side = &m.sides[0 if is_long else 1]
    cdef int64_t limit = bankruptcy_price(&m.spec, &b.position, m.funding_index)
    cdef int64_t judged = gentler_price(m, not is_long)
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
        &m.spec, &settled, min(lots, abs64(settled.lots)), price, judged)
    if judge_maker(c, m, maker_slot, lots, &made) != VERDICT_OK:
        drop_order(c, m, maker_slot, <uint8_t> judge_maker(c, m, maker_slot, lots, &made))
        return True
    if liquidation_fill(&m.spec, &closed, &b.position, m.funding_index, judged, lots,
                        price) != VERDICT_OK:
        return False
    if out_of(&made) + closed.free_delta > m.pot:   # the liquidation fee stays in the market
        if out_of(&made) <= m.pot:
            return False
        drop_order(c, m, maker_slot, MARKET_CANNOT_PAY)
        return True
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
                m.funding_index, gentler_price(m, b.position.lots < 0)) != VERDICT_OK:
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


cdef inline bint deleverage_step(
    CoreC* c, MarketC* m, uint32_t bucket, uint32_t counterparty
) noexcept nogil:
    """LIQ-4: close against one counterparty, judged at the mark; false when a rule forbids it."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef BucketC* other = &c.buckets[counterparty]
    cdef int64_t lots = min(abs64(b.position.lots), abs64(other.position.lots))
    cdef FillC bankrupt, counter
    cdef EventC* event
    if adl(&m.spec, &bankrupt, &counter, &b.position, &other.position, m.funding_index,
           m.mark_price, lots) != VERDICT_OK:
        return False
    if bucket == m.fund:
        bankrupt.position.collateral += bankrupt.free_delta
        bankrupt.free_delta = 0
    if bankrupt.free_delta + counter.free_delta > m.pot:
        return False
    event = emit(c, ADL, m)
    event.account = other.account
    event.account_2 = b.account
    event.side = 0 if b.position.lots > 0 else 1
    event.price = <uint32_t> bankruptcy_price(&m.spec, &b.position, m.funding_index)
    event.qty = lots
    event.amount = narrow(profit_ppm_of(&m.spec, &other.position, m.mark_price))
    event.amount_2 = narrow(
        leverage_ppm_of(&m.spec, &other.position, m.funding_index, m.mark_price))
    commit(c, m, bucket, &bankrupt)
    commit(c, m, counterparty, &counter)
    update_reservation(c, other)
    trim_orders(c, m, counterparty)
    return True


cdef inline bint is_beyond_adl(MarketC* m, const PositionC* p) noexcept nogil:
    """LIQ-4: a short that owes more at the price 0 than it has; wholly closed it'd be negative."""
    cdef PositionC settled = p[0]
    settle_funding(&settled, m.funding_index)
    return settled.lots < 0 and settled.entry_value + settled.collateral < 0


cdef inline void deleverage(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """LIQ-4: close against the opposite side by rank, no more than the position."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef int side = 1 if b.position.lots > 0 else 0
    cdef uint32_t counterparty
    if is_beyond_adl(m, &b.position):
        return
    refresh_index(c, m)
    rank_side(c, m, side)
    readmit(c, m, side, bankruptcy_price(&m.spec, &b.position, m.funding_index))
    while is_endangered(c, m, bucket):
        counterparty = next_ranked(c, m, side)
        if counterparty == 0:
            break
        if not deleverage_step(c, m, bucket, counterparty):
            pass_over(c, m, side, counterparty,
                      bankruptcy_price(&m.spec, &b.position, m.funding_index))
        elif bucket != m.fund and is_endangered(c, m, bucket) and take_over(c, m, bucket):
            break


cdef inline void liquidate(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """The waterfall for one liquidatable position."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef int64_t judged = gentler_price(m, b.position.lots < 0)
    cdef EventC* event
    b.is_tried |= TRIED
    append_slot(c, &m.tried, bucket)
    if draw_top_up(c, m, bucket):
        return
    event = emit(c, LIQUIDATION_STARTED, m)
    event.account = b.account
    event.side = 0 if b.position.lots > 0 else 1
    event.price = <uint32_t> judged
    event.qty = abs64(b.position.lots)
    event.amount = equity(&b.position, m.funding_index, judged, m.spec.quote_per_tick_lot)
    event.amount_2 = maintenance(&m.spec, notional_of(&m.spec, b.position.lots, judged))
    cancel_bucket(c, m, bucket, 2, LIQUIDATION)
    draw_top_up(c, m, bucket)
    while is_endangered(c, m, bucket):
        if not close_step(c, m, bucket):
            break
    if is_endangered(c, m, bucket):
        if not take_over(c, m, bucket):
            deleverage(c, m, bucket)
    event = emit(c, LIQUIDATION_ENDED, m)
    event.account = b.account
    event.qty = abs64(b.position.lots)
    event.amount = b.position.collateral
    update_reservation(c, b)


cdef inline void unwind_fund(CoreC* c, MarketC* m, bint in_grace) noexcept nogil:
    """LIQ-5: the fund gives its position back to the book close to the mark; LIQ-7 first."""
    cdef BucketC* b = &c.buckets[m.fund]
    cdef LadderC* side
    cdef int64_t lots, slack
    cdef uint32_t maker_slot
    cdef FillC made, closed
    cdef EventC* event
    cdef int sign
    if not in_grace and is_endangered(c, m, m.fund):
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
        if out_of(&made) > m.pot:
            drop_order(c, m, maker_slot, MARKET_CANNOT_PAY)
            continue
        event = emit_fill(c, m, FUND_FILL, maker_slot, lots, made.fee)
        event.account_2 = 0
        commit(c, m, m.fund, &closed)
        settle_maker(c, m, maker_slot, lots, &made)
        trim_all(c)


cdef inline void liquidate_all(CoreC* c, MarketC* m, bint in_grace) noexcept nogil:
    """Every position that index and mark have reached, each once a tick; then the fund's turn."""
    cdef uint32_t slot, at
    refresh_index(c, m)
    m.is_liquidating = 1
    if not in_grace:
        find_due(c, m)
        slot = next_due(c, m)
        while slot:
            liquidate(c, m, slot)
            trim_all(c)
            refresh_index(c, m)
            slot = next_due(c, m)
    unwind_fund(c, m, in_grace)
    m.is_liquidating = 0
    m.due.count = 0
    forget_ranking(c, m)
    for at in range(m.tried.count):
        c.buckets[m.tried.slots[at]].is_tried = 0
    m.tried.count = 0
