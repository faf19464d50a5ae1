"""Price-time matching with both sides' margin checked before each fill."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from margin_core.transitions cimport fill
from margin_core.types cimport FillC, VERDICT_OK
from matcher.engine.ladder cimport next_down, next_up, unlikely
from matcher.engine.store cimport (
    EXPIRED, FILL, FOK_NOT_FILLABLE, IMMEDIATE_REMAINDER, INSUFFICIENT_FREE, POST_ONLY_WOULD_TAKE,
    REASON_FROZEN, REASON_REDUCE_ONLY, SELF_TRADE, commit, count_order, drop_order, emit,
    free_order, now_s, rest_order, trim_orders, unrest_order, update_reservation, usable)
from matcher.engine.types cimport (
    BucketC, CoreC, EventC, LadderC, MarketC, ORDER_TAKING, OrderC, POST_ONLY, REDUCE_ONLY)

cdef enum:
    TIF_GTC = 0
    TIF_IOC = 1
    TIF_FOK = 2


cdef inline int64_t reducible(const BucketC* b, int side) noexcept nogil:
    """Lots that a fill on `side` can take off the position."""
    if side == 0:
        return -b.position.lots if b.position.lots < 0 else 0
    return b.position.lots if b.position.lots > 0 else 0


cdef inline bint crosses(const OrderC* taker, uint32_t price) noexcept nogil:
    return price != 0 and (price <= taker.price if taker.side == 0 else price >= taker.price)


cdef inline int64_t maker_lots(
    CoreC* c, MarketC* m, uint32_t slot, uint32_t taker_account
) noexcept nogil:
    """Lots that the resting order can give now; 0 after it was cancelled; -1 for a self-trade."""
    cdef OrderC* maker = &c.orders[slot]
    cdef BucketC* b = &c.buckets[maker.bucket]
    cdef int64_t lots
    if unlikely(maker.expiry_s <= now_s(c)):
        drop_order(c, m, slot, EXPIRED)
        return 0
    if unlikely(b.is_frozen):
        drop_order(c, m, slot, REASON_FROZEN)
        return 0
    if unlikely(b.account == taker_account):
        return -1
    if maker.flags & REDUCE_ONLY:
        lots = reducible(b, maker.side)
        if lots == 0:
            drop_order(c, m, slot, REASON_REDUCE_ONLY)
            return 0
        return min(lots, <int64_t> maker.remaining)
    return maker.remaining


cdef inline int judge_maker(
    CoreC* c, MarketC* m, uint32_t slot, int64_t lots, FillC* f
) noexcept nogil:
    """Outcome of `lots` for the resting order at its own price."""
    cdef OrderC* maker = &c.orders[slot]
    cdef BucketC* b = &c.buckets[maker.bucket]
    return fill(&m.spec, f, &b.position, m.funding_index, m.mark_price,
                1 if maker.side == 0 else -1, lots, maker.price, m.spec.fee_maker, maker.margin,
                maker.qty, maker.qty - maker.remaining, usable(c, b))


cdef inline void settle_order(
    CoreC* c, MarketC* m, uint32_t slot, int64_t lots, const FillC* f
) noexcept nogil:
    """Book the fill on the order's bucket: position, fee, unfilled margin. Not the level."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    cdef uint32_t filled = order.qty - order.remaining
    commit(c, m, order.bucket, f)
    c.fees += f.fee
    count_order(c, b, order, filled, filled + <uint32_t> lots, -1)
    order.remaining -= <uint32_t> lots
    update_reservation(c, b)


cdef inline void settle_maker(
    CoreC* c, MarketC* m, uint32_t slot, int64_t lots, const FillC* f
) noexcept nogil:
    """Book the fill on the resting order and end it when it is filled."""
    cdef OrderC* maker = &c.orders[slot]
    cdef uint32_t bucket = maker.bucket
    if lots == maker.remaining:
        unrest_order(c, m, slot)
        settle_order(c, m, slot, lots, f)
        free_order(c, slot)
    else:
        m.sides[maker.side].levels[maker.price].lots -= lots
        settle_order(c, m, slot, lots, f)
    if unlikely(c.accounts[c.buckets[bucket].account].reserved
                > c.accounts[c.buckets[bucket].account].free):
        trim_orders(c, m, bucket)


cdef inline EventC* emit_fill(
    CoreC* c, MarketC* m, uint8_t kind, uint32_t maker_slot, int64_t lots, int64_t maker_fee
) noexcept nogil:
    """The maker's half of a fill event; to be called before the maker is booked."""
    cdef OrderC* maker = &c.orders[maker_slot]
    cdef EventC* event = emit(c, kind, m)
    event.account = c.buckets[maker.bucket].account
    event.order_id = maker.id
    event.side = 1 - maker.side
    event.price = maker.price
    event.qty = lots
    event.remaining = maker.remaining - <uint32_t> lots
    event.amount = maker_fee
    m.last_price = maker.price
    return event


cdef inline bint match_one(CoreC* c, MarketC* m, uint32_t slot, uint8_t* reason) noexcept nogil:
    """One step against the best opposite order; false when matching ends, `reason` why (0: no match)."""
    cdef OrderC* taker = &c.orders[slot]
    cdef BucketC* b = &c.buckets[taker.bucket]
    cdef LadderC* side = &m.sides[1 - taker.side]
    cdef uint32_t maker_slot
    cdef int64_t lots
    cdef int verdict
    cdef FillC made, taken
    cdef EventC* event
    reason[0] = 0
    if taker.remaining == 0 or not crosses(taker, side.best):
        return False
    maker_slot = side.levels[side.best].head
    lots = maker_lots(c, m, maker_slot, b.account)
    if lots <= 0:
        reason[0] = SELF_TRADE if lots < 0 else 0
        return lots == 0
    lots = min(lots, <int64_t> taker.remaining)
    if taker.flags & REDUCE_ONLY:
        lots = min(lots, reducible(b, taker.side))
        if lots == 0:
            reason[0] = REASON_REDUCE_ONLY
            return False
    verdict = judge_maker(c, m, maker_slot, lots, &made)
    if unlikely(verdict != VERDICT_OK):
        drop_order(c, m, maker_slot, <uint8_t> verdict)
        return True
    verdict = fill(&m.spec, &taken, &b.position, m.funding_index, m.mark_price,
                   1 if taker.side == 0 else -1, lots, c.orders[maker_slot].price,
                   m.spec.fee_taker, taker.margin, taker.qty, taker.qty - taker.remaining,
                   usable(c, b))
    if unlikely(verdict != VERDICT_OK):
        reason[0] = <uint8_t> verdict
        return False
    event = emit_fill(c, m, FILL, maker_slot, lots, made.fee)
    event.account_2 = b.account
    event.order_id_2 = taker.id
    event.amount_2 = taken.fee
    settle_order(c, m, slot, lots, &taken)
    settle_maker(c, m, maker_slot, lots, &made)
    if unlikely(c.accounts[b.account].reserved > c.accounts[b.account].free):
        trim_orders(c, m, taker.bucket)
        if c.accounts[b.account].reserved > c.accounts[b.account].free:
            reason[0] = INSUFFICIENT_FREE
            return False
    return True


cdef inline bint fok_fillable(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Whether resting orders that pass their own checks hold the whole quantity."""
    cdef OrderC* taker = &c.orders[slot]
    cdef LadderC* side = &m.sides[1 - taker.side]
    cdef uint32_t price = side.best
    cdef uint32_t at
    cdef int64_t missing = taker.remaining
    cdef FillC f
    cdef BucketC* b
    if taker.flags & REDUCE_ONLY and reducible(&c.buckets[taker.bucket], taker.side) < missing:
        return False
    while crosses(taker, price):
        at = side.levels[price].head
        while at:
            b = &c.buckets[c.orders[at].bucket]
            if b.account == c.buckets[taker.bucket].account:
                return False
            if c.orders[at].expiry_s > now_s(c) and not b.is_frozen and not (
                    c.orders[at].flags & REDUCE_ONLY) and judge_maker(
                    c, m, at, min(missing, <int64_t> c.orders[at].remaining), &f) == VERDICT_OK:
                missing -= c.orders[at].remaining
                if missing <= 0:
                    return True
            at = c.orders[at].next
        price = next_up(side, price + 1) if taker.side == 0 else next_down(side, price - 1)
    return False


cdef inline void execute(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Match the order, then rest, end or cancel what remains."""
    cdef OrderC* order = &c.orders[slot]
    cdef uint8_t reason = 0
    order.state = ORDER_TAKING
    c.taking = slot
    if order.flags & POST_ONLY and crosses(order, m.sides[1 - order.side].best):
        reason = POST_ONLY_WOULD_TAKE
    elif order.time_in_force == TIF_FOK and not fok_fillable(c, m, slot):
        reason = FOK_NOT_FILLABLE
    else:
        while match_one(c, m, slot, &reason):
            pass
    c.taking = 0
    if order.remaining == 0:
        free_order(c, slot)
    elif reason:
        drop_order(c, m, slot, reason)
    elif order.time_in_force != TIF_GTC:
        drop_order(c, m, slot, IMMEDIATE_REMAINDER)
    else:
        rest_order(c, m, slot)
