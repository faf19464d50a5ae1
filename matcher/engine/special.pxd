"""What orders with instructions keep beside them: siblings, trails, hidden lots."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset
from matcher.engine.ladder cimport clear_level, mark_level
from matcher.engine.names cimport remove_name
from matcher.engine.types cimport (
    AFTER_SIBLING, BucketC, CoreC, ExtraC, LadderC, LevelC, MarketC, NAMED, ON_LAST, OrderC,
    ORDER_PENDING, REDUCE_ONLY, SPECIAL, TAGGED, TRIGGER_ABOVE, WITH_MARGIN)

cdef extern from *:
    """
    #define BH_NEVER_S 4294967295u
    """
    uint32_t NEVER_S "BH_NEVER_S"                    # expiry_s of a good-till-cancelled order


# Lots

cdef inline void make_special(CoreC* c, uint32_t slot) noexcept nogil:
    """Give a plain order the record of a special one, all of it empty."""
    cdef ExtraC* x = &c.extras[slot]
    cdef uint32_t waiting_next = x.waiting_next
    if c.orders[slot].flags & SPECIAL:
        return
    memset(x, 0, sizeof(ExtraC))
    x.waiting_next = waiting_next
    c.orders[slot].flags |= SPECIAL


cdef inline uint32_t cut_of(const CoreC* c, uint32_t slot) noexcept nogil:
    """Lots taken off the signed quantity without a fill."""
    return c.extras[slot].cut if WITH_MARGIN and c.orders[slot].flags & SPECIAL else 0


cdef inline uint32_t filled_of(const CoreC* c, uint32_t slot) noexcept nogil:
    """Lots of the order that have been filled; not of one that waits for its trigger."""
    return c.orders[slot].qty - c.orders[slot].remaining - cut_of(c, slot)


cdef inline uint32_t shown_of(const CoreC* c, uint32_t slot) noexcept nogil:
    """Lots that a resting order shows in the book."""
    if WITH_MARGIN and c.orders[slot].flags & SPECIAL and c.extras[slot].display:
        return c.extras[slot].shown
    return c.orders[slot].remaining


# Triggers

cdef inline uint32_t trigger_side(const CoreC* c, uint32_t slot) noexcept nogil:
    """Which of a market's four trigger ladders the waiting order stands in."""
    cdef uint32_t side = 0 if c.orders[slot].flags & TRIGGER_ABOVE else 1
    if c.orders[slot].flags & SPECIAL and c.extras[slot].flags & ON_LAST:
        side += 2
    return side


cdef inline uint32_t anchor_of(const CoreC* c, const MarketC* m, uint32_t slot) noexcept nogil:
    """The reference price beyond which a waiting trail moves, cut to the prices that there are.

    One with a downward trigger moves above it, one with an upward trigger below.
    """
    cdef const OrderC* order = &c.orders[slot]
    cdef int64_t trigger = order.remaining
    if order.flags & TRIGGER_ABOVE:
        return <uint32_t> max(trigger - c.extras[slot].trailing, 1)
    return <uint32_t> min(trigger + c.extras[slot].trailing, <int64_t> m.ticks_max)


cdef inline void link_trail(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """List a waiting trail behind those with the same anchor."""
    cdef LadderC* ladder = &m.trails[trigger_side(c, slot)]
    cdef uint32_t anchor = anchor_of(c, m, slot)
    cdef LevelC* level = &ladder.levels[anchor]
    c.extras[slot].trail_previous = level.tail
    c.extras[slot].trail_next = 0
    if level.tail:
        c.extras[level.tail].trail_next = slot
    else:
        level.head = slot
        mark_level(ladder, anchor)
    level.tail = slot
    m.trail_count += 1


cdef inline void unlink_trail(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Undo it while its trigger price still stands in `remaining`."""
    cdef LadderC* ladder = &m.trails[trigger_side(c, slot)]
    cdef uint32_t anchor = anchor_of(c, m, slot)
    cdef LevelC* level = &ladder.levels[anchor]
    cdef ExtraC* x = &c.extras[slot]
    if x.trail_previous:
        c.extras[x.trail_previous].trail_next = x.trail_next
    else:
        level.head = x.trail_next
    if x.trail_next:
        c.extras[x.trail_next].trail_previous = x.trail_previous
    else:
        level.tail = x.trail_previous
    if level.head == 0:
        clear_level(ladder, anchor)
    m.trail_count -= 1


cdef inline void link_waiting(CoreC* c, uint32_t slot) noexcept nogil:
    """List the newest of the bucket's orders that wait."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    c.extras[slot].waiting_next = b.waiting
    b.waiting = slot
    b.waiting_count += 1
    b.reducers[order.side] += order.flags & REDUCE_ONLY != 0


cdef inline void unlink_waiting(CoreC* c, uint32_t slot) noexcept nogil:
    """At most BUCKET_WAITING_MAX steps."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    cdef uint32_t* at = &b.waiting
    while at[0] != slot:
        at = &c.extras[at[0]].waiting_next
    at[0] = c.extras[slot].waiting_next
    b.waiting_count -= 1
    b.reducers[order.side] -= order.flags & REDUCE_ONLY != 0


# A bucket's orders

cdef struct WalkC:               # over both lists of a bucket
    uint32_t opening             # slots that come next, 0: the list is at its end
    uint32_t reducing


cdef inline WalkC walk_from(const BucketC* b) noexcept nogil:
    return WalkC(b.orders, b.followers)


cdef inline uint32_t step_down(const CoreC* c, WalkC* walk) noexcept nogil:
    """The next order of the walk, newest first, which may end; 0: there are no more."""
    cdef uint32_t slot = walk.opening
    if c.orders[walk.reducing].id > c.orders[slot].id:   # of slot 0 it is 0
        slot = walk.reducing
        walk.reducing = c.orders[slot].bucket_next
    elif slot:
        walk.opening = c.orders[slot].bucket_next
    return slot


# Ends

cdef inline void mark_after(CoreC* c, uint32_t bucket, uint8_t what) noexcept nogil:
    """Remember what the bucket waits for until the fills of the command are done."""
    if c.buckets[bucket].after == 0:
        c.trims[c.trim_count] = bucket
        c.trim_count += 1
    c.buckets[bucket].after |= what


cdef inline bint is_backed(const BucketC* b, int side) noexcept nogil:
    """TRIG-4: an order of `side` that waits to reduce could: there is a position, or there are
    opening orders that may make one.
    """
    return (2 * side - 1) * b.position.lots > 0 or b.lots[1 - side] > 0


cdef inline void tag_order(CoreC* c, uint32_t slot, uint32_t session) noexcept nogil:
    """Keep the session that has placed the order, if it is from one."""
    if session:
        c.orders[slot].flags |= TAGGED
        c.tags[slot].session = session


cdef inline void join(CoreC* c, uint32_t slot) noexcept nogil:
    """List an order, its bucket's newest, that follows its position with its like."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    if order.flags & REDUCE_ONLY:
        b.orders = order.bucket_next
        c.orders[order.bucket_next].bucket_previous = 0
        order.bucket_next = b.followers
        c.orders[b.followers].bucket_previous = slot
        b.followers = slot


cdef inline void leave(CoreC* c, uint32_t slot) noexcept nogil:
    """Undo what a special order holds beside its place in the book."""
    cdef OrderC* order = &c.orders[slot]
    cdef ExtraC* x = &c.extras[slot]
    if order.flags & NAMED:
        remove_name(c, slot)
    if order.flags & SPECIAL and x.sibling:
        c.extras[x.sibling].sibling = 0
        c.extras[x.sibling].is_doomed = 1
        c.doomed[c.doomed_count] = x.sibling
        c.doomed_count += 1
        mark_after(c, order.bucket, AFTER_SIBLING)
        x.sibling = 0
