"""What follows from the fills of a command: ends of siblings, cuts, trims (ORD-3)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from margin_core.fixed_point cimport ppm_up
from margin_core.requirement cimport initial, notional_of
from margin_core.transitions cimport slice_of
from margin_core.types cimport PositionC
from matcher.engine.special cimport cut_of, is_backed, make_special, shown_of
from matcher.engine.store cimport (
    INSUFFICIENT_MARGIN, ORDER_AMENDED, POSITION_CLOSED, REASON_REDUCE_ONLY, SIBLING_ENDED,
    count_order, drop_order, emit, trim_orders, update_reservation)
from matcher.engine.types cimport (
    AFTER_ALONE, AFTER_FLAT, AFTER_MOVE, AFTER_TRIM, ATTACHED, BucketC, CoreC,
    EventC, MarketC, ORDER_PENDING, ORDER_RESTING, OrderC, REDUCE_ONLY, SPECIAL)


cdef inline int64_t reducible_lots(const PositionC* p, int side) noexcept nogil:
    """Lots that a fill on `side` can take off the position."""
    return max((2 * side - 1) * p.lots, 0)


cdef inline int64_t reducible(const BucketC* b, int side) noexcept nogil:
    """Lots that a fill on `side` can take off the bucket's position."""
    return reducible_lots(&b.position, side)


cdef inline uint32_t left_of(const CoreC* c, uint32_t slot) noexcept nogil:
    """Lots that a live order may still fill; of one that waits for its trigger, all of it."""
    if c.orders[slot].state == ORDER_PENDING:
        return c.orders[slot].qty - cut_of(c, slot)
    return c.orders[slot].remaining


cdef inline void cut_order(
    CoreC* c, MarketC* m, uint32_t slot, uint32_t lots, uint8_t reason
) noexcept nogil:
    """AMEND-1: take fewer lots than are left off a live order; it keeps its place."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    cdef uint32_t left = left_of(c, slot)
    cdef uint32_t end = order.qty - cut_of(c, slot)
    cdef uint32_t shown
    cdef EventC* event
    make_special(c, slot)
    count_order(c, b, order, end - lots, end, -1)
    update_reservation(c, b)
    shown = shown_of(c, slot)
    c.extras[slot].cut += lots
    if order.state != ORDER_PENDING:
        order.remaining -= lots
        c.extras[slot].shown = min(c.extras[slot].shown, order.remaining)
    if order.state == ORDER_RESTING:
        m.sides[order.side].levels[order.price].lots -= shown - shown_of(c, slot)
    event = emit(c, ORDER_AMENDED, m)
    event.reason = reason
    event.side = order.side
    event.account = b.account
    event.order_id = order.id
    event.order_id_2 = order.nonce
    event.price = order.price
    event.qty = end - lots
    event.remaining = left - lots


cdef inline void end_siblings(CoreC* c) noexcept nogil:
    """OCO-1: what lost its sibling in this command and lives; a slot may have another order."""
    cdef uint32_t k, slot
    for k in range(c.doomed_count):
        slot = c.doomed[k]
        if c.orders[slot].flags & SPECIAL and c.extras[slot].is_doomed:
            drop_order(c, c.markets[c.buckets[c.orders[slot].bucket].market], slot, SIBLING_ENDED)
    c.doomed_count = 0


cdef inline void end_attached(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """ATT-1: the position was closed or turned. All that rests to reduce it ends too (RED-1), so
    that a step is one of these, or one of those that wait.
    """
    cdef uint32_t slot = c.buckets[bucket].followers
    cdef uint32_t older
    while slot:
        older = c.orders[slot].bucket_next
        if c.orders[slot].flags & SPECIAL and c.extras[slot].flags & ATTACHED:
            drop_order(c, m, slot, POSITION_CLOSED)
        slot = older


cdef inline int64_t margin_to_wait(MarketC* m, uint32_t trigger, int64_t lots) noexcept nogil:
    """TRIG-4: quote that an order carries at least which waits to open `lots`. Rounds up."""
    cdef int64_t notional = notional_of(&m.spec, lots, trigger)
    return ppm_up(notional, m.spec.fee_taker) + initial(&m.spec, notional)


cdef inline uint8_t unbacked(
    CoreC* c, MarketC* m, uint32_t slot, uint32_t trigger
) noexcept nogil:
    """TRIG-4: why an order without fills may not wait for `trigger`; 0: it may."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    cdef uint32_t left = order.qty - cut_of(c, slot)
    cdef int64_t opening = <int64_t> left - reducible(b, order.side)
    if order.flags & REDUCE_ONLY:
        return 0 if is_backed(b, order.side) else REASON_REDUCE_ONLY
    if opening > 0 and slice_of(order.margin, order.qty, 0, left) < (
            margin_to_wait(m, trigger, opening)):
        return INSUFFICIENT_MARGIN
    return 0


cdef inline void end_unbacked(CoreC* c, MarketC* m, uint32_t bucket, bint is_flat) noexcept nogil:
    """TRIG-4: what waits to reduce and cannot any more ends; after the position was closed or
    turned, also what waits with less margin than that asks for. At most BUCKET_WAITING_MAX steps.
    """
    cdef BucketC* b = &c.buckets[bucket]
    cdef bint are_alone[2]
    cdef uint32_t slot = b.waiting
    cdef uint32_t older
    cdef uint8_t reason
    cdef OrderC* order
    cdef int side
    for side in range(2):
        are_alone[side] = b.reducers[side] != 0 and not is_backed(b, side)
    if not is_flat and not are_alone[0] and not are_alone[1]:
        return
    while slot:
        order = &c.orders[slot]
        older = c.extras[slot].waiting_next
        reason = 0
        if order.flags & REDUCE_ONLY:
            reason = REASON_REDUCE_ONLY if are_alone[order.side] else 0
        elif is_flat:
            reason = unbacked(c, m, slot, order.remaining)
        if reason:
            drop_order(c, m, slot, reason)
        slot = older


cdef inline bint rests_to_reduce(const OrderC* order) noexcept nogil:
    return order.flags & REDUCE_ONLY != 0 and order.state == ORDER_RESTING


cdef inline void trim_reducing(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """RED-1: reduce-only orders of a side rest with at most what they close in sum.

    Each step ends an order, or is the last one, or passes one that waits.
    """
    cdef BucketC* b = &c.buckets[bucket]
    cdef int64_t excess[2]
    cdef uint32_t slot = b.followers
    cdef uint32_t older
    cdef OrderC* order
    cdef int side
    for side in range(2):
        excess[side] = c.reducing[bucket].lots[side] - reducible(b, side)
    while slot and (excess[0] > 0 or excess[1] > 0):
        order = &c.orders[slot]
        older = order.bucket_next
        side = order.side
        if rests_to_reduce(order) and excess[side] > 0:
            if order.remaining <= excess[side]:
                excess[side] -= order.remaining
                drop_order(c, m, slot, REASON_REDUCE_ONLY)
            else:
                cut_order(c, m, slot, <uint32_t> excess[side], REASON_REDUCE_ONLY)
                excess[side] = 0
        slot = older


cdef inline void finish(CoreC* c, uint32_t bucket) noexcept nogil:
    """All that the bucket waits for, newest order first; what that ends waits for another turn.

    A step is an order that ends, one of a few that wait, or the last.
    """
    cdef BucketC* b = &c.buckets[bucket]
    cdef MarketC* m = c.markets[b.market]
    cdef uint8_t what = b.after
    b.after = 0
    if what & AFTER_FLAT:
        end_attached(c, m, bucket)
    if what & AFTER_MOVE:
        trim_reducing(c, m, bucket)
    if what & (AFTER_MOVE | AFTER_ALONE):
        end_unbacked(c, m, bucket, what & AFTER_FLAT != 0)
    if what & AFTER_TRIM:
        trim_orders(c, m, bucket)
