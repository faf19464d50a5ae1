"""Events, order slots, buckets, nonces and reservations: the bookkeeping below matching."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy, memset

from margin_core.fixed_point cimport mul_div_up
from margin_core.requirement cimport abs64
from margin_core.transitions cimport slice_of
from margin_core.types cimport FillC
from matcher.engine.dates cimport add_date, remove_date
from matcher.engine.ladder cimport (
    cold, cold_int, either, flip_of, link_order, next_down, next_up, prefetch, unlikely,
    unlink_order)
from matcher.engine.memory cimport discard, release, reserve
from matcher.engine.special cimport (
    NEVER_S, cut_of, filled_of, is_backed, leave, link_trail, link_waiting, mark_after, shown_of,
    trigger_side, unlink_trail, unlink_waiting)
from matcher.engine.types cimport (
    AFTER_ALONE, AFTER_FLAT, AFTER_MOVE, AccountC, BucketC, CoreC, EVENTS_RESERVED, EventC,
    LadderC, MARKETS_MAX, MarketC, NAMED, NEAR_MARKETS, ORDER_FREE, ORDER_PENDING, ORDER_RESTING,
    ORDER_TAKING, OrderC, REDUCE_ONLY, SLOT_BITS, SPECIAL, TIMED, WITH_MARGIN)

cdef enum:
    GROUP_ITEMS_MAX = 32         # GRP-1: so many orders can be new in one command
    EVENTS_AHEAD = 2             # whose lines are fetched before they are written

cdef enum EventKindC:
    ORDER_ACCEPTED = 1
    ORDER_REJECTED = 2
    ORDER_CANCELED = 3
    ORDER_TRIGGERED = 4
    FILL = 5
    LIQUIDATION_STARTED = 6
    LIQUIDATION_FILL = 7
    TAKEOVER = 8
    ADL = 9
    FUND_FILL = 10
    PRICE = 11
    FUNDING = 12
    COLLATERAL_MOVED = 13
    WITHDRAWN = 14
    DEPOSITED = 15
    COMMAND_REJECTED = 17
    MARKET_STATE_CHANGED = 18
    FROZEN_CHANGED = 19
    LIQUIDATION_ENDED = 20
    ORDER_AMENDED = 21
    ORDER_REPLENISHED = 22
    AUCTION = 23
    ORDER_REPRICED = 24
    PARAMETERS_ANNOUNCED = 25
    PARAMETERS_CHANGED = 26
    AUTO_TOP_UP_SET = 27
    AUTO_TOPPED_UP = 28
    RISK_PAUSE_CHANGED = 40
    FORCED_SERVED = 41
    POSITION_SETTLED = 29

cdef enum ReasonC:
    MARKET_UNKNOWN = 1
    ACCOUNT_UNKNOWN = 2
    MARKET_STATE = 3
    EXPIRED = 4
    NONCE_USED = 5
    QTY_OUT_OF_RANGE = 6
    PRICE_OUT_OF_RANGE = 7
    ORDER_UNKNOWN = 9
    SELF_TRADE = 10
    SIDE_MISMATCH = 11
    TIME_IN_FORCE = 13
    POST_ONLY_WOULD_TAKE = 14
    FOK_NOT_FILLABLE = 15
    REASON_REDUCE_ONLY = 17
    TRIGGER_NOT_MET = 18
    NO_PRICE = 19
    PRICE_STALE = 20
    INSUFFICIENT_FREE = 21
    INSUFFICIENT_MARGIN = 22
    NO_POSITION = 31
    AMOUNT_OUT_OF_RANGE = 33
    PRICE_BAND = 34
    CAPACITY = 36
    REASON_FROZEN = 37
    MIN_QTY_NOT_MET = 38
    OPEN_INTEREST_LIMIT = 39
    UNFILLED_MISMATCH = 40
    GROUP_REJECTED = 41
    INSTRUCTIONS_INVALID = 42
    RISK_PAUSED = 46
    MARKET_CANNOT_PAY = 50
    USER_CANCELED = 64
    IMMEDIATE_REMAINDER = 65
    LIQUIDATION = 66
    REPLACED = 67
    SIBLING_ENDED = 68
    POSITION_CLOSED = 69


cdef inline cold grow_events(CoreC* c) noexcept nogil:
    """Double the buffer; views of the smaller one stay valid. On refusal the last record goes."""
    cdef EventC* grown = <EventC*> reserve(c.event_capacity * 2 * sizeof(EventC))
    if grown == NULL:
        c.is_out_of_memory = 1
        c.event_count -= 1
        return
    memcpy(grown, c.events, c.event_capacity * sizeof(EventC))
    c.retired[c.retired_count] = c.events
    c.retired_count += 1
    c.events = grown
    c.event_capacity *= 2


cdef inline cold shrink_events(CoreC* c) noexcept nogil:
    """Give back what a very large call has filled; what still shows it can be read, as zeroes."""
    cdef uint32_t k
    discard(&c.events[EVENTS_RESERVED], (c.event_capacity - EVENTS_RESERVED) * sizeof(EventC))
    for k in range(c.retired_count):
        discard(c.retired[k], (c.event_capacity >> (c.retired_count - k)) * sizeof(EventC))


cdef inline void begin_events(CoreC* c) noexcept nogil:
    """A call begins: it writes over the events of the last one."""
    if unlikely(c.event_count > EVENTS_RESERVED):
        shrink_events(c)
    c.event_count = 0


cdef inline void free_events(CoreC* c) noexcept nogil:
    """Give back the buffer and those that it outgrew."""
    cdef uint32_t k
    if c.events == NULL:
        return
    release(c.events, c.event_capacity * sizeof(EventC))
    for k in range(c.retired_count):
        release(c.retired[k], (c.event_capacity >> (c.retired_count - k)) * sizeof(EventC))


cdef inline EventC* next_event(CoreC* c) noexcept nogil:
    """Append an event of which the caller writes every field."""
    if unlikely(c.event_count == c.event_capacity):
        grow_events(c)
    c.event_count += 1
    prefetch(&c.events[c.event_count + EVENTS_AHEAD])
    return &c.events[c.event_count - 1]


cdef inline EventC* emit(CoreC* c, uint8_t kind, MarketC* m) noexcept nogil:
    """Append a zeroed event."""
    cdef EventC* event = next_event(c)
    memset(event, 0, sizeof(EventC))
    event.kind = kind
    if m != NULL:
        event.market_id = m.market_id
    return event


cdef inline EventC* emit_order(
    CoreC* c, MarketC* m, uint8_t kind, uint8_t reason, const OrderC* order, uint32_t account
) noexcept nogil:
    """Append an event of an order; zeroing it first would write each word of it twice."""
    cdef EventC* event = next_event(c)
    event.kind = kind
    event.side = order.side
    event.reason = reason
    event.flags = 0
    event.market_id = m.market_id
    event.reserved = 0
    event.account = account
    event.account_2 = 0
    event.order_id = order.id
    event.order_id_2 = order.nonce
    event.price = order.price
    event.remaining = order.remaining
    event.qty = order.qty
    event.amount = 0
    event.amount_2 = 0
    return event


cdef inline int64_t now_s(const CoreC* c) noexcept nogil:
    """The engine's clock in whole seconds: the clock of the batch."""
    return c.time_s


cdef inline uint32_t bucket_at(const CoreC* c, uint32_t account, MarketC* m) noexcept nogil:
    """Bucket of the account in the market, 0 when it never had one."""
    if m.slot < NEAR_MARKETS:
        return c.accounts[account].buckets[m.slot]
    return c.bucket_of[<uint64_t> account * MARKETS_MAX + m.slot]


cdef inline uint32_t ensure_bucket(CoreC* c, uint32_t account, MarketC* m) noexcept nogil:
    """Bucket of the account in the market, made when missing; 0 when the store is full."""
    cdef uint32_t slot = bucket_at(c, account, m)
    if slot == 0 and c.bucket_top < c.bucket_capacity:
        slot = c.bucket_top
        c.bucket_top += 1
        if m.slot < NEAR_MARKETS:
            c.accounts[account].buckets[m.slot] = slot
        else:
            c.bucket_of[<uint64_t> account * MARKETS_MAX + m.slot] = slot
        c.buckets[slot].account = account
        c.buckets[slot].market = m.slot
        c.buckets[slot].position.funding_index = m.funding_index
        m.bucket_count += 1
    return slot


cdef inline void unmake_bucket(CoreC* c) noexcept nogil:
    """Take the newest bucket back, on which nothing has happened yet."""
    cdef BucketC* b = &c.buckets[c.bucket_top - 1]
    cdef MarketC* m = c.markets[b.market]
    if m.slot < NEAR_MARKETS:
        c.accounts[b.account].buckets[m.slot] = 0
    else:
        c.bucket_of[<uint64_t> b.account * MARKETS_MAX + m.slot] = 0
    m.bucket_count -= 1
    memset(b, 0, sizeof(BucketC))
    c.bucket_top -= 1


cdef inline void touch_bucket(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Its place in the liquidation index is renewed before the next mark is judged."""
    cdef uint32_t* grown
    if c.buckets[slot].is_dirty or slot == m.fund:
        return
    if unlikely(m.dirty_count == m.dirty_capacity):
        grown = <uint32_t*> realloc(m.dirty, <size_t> m.dirty_capacity * 2 * sizeof(uint32_t))
        if grown == NULL:
            c.is_out_of_memory = 1
            return
        m.dirty = grown
        m.dirty_capacity *= 2
    c.buckets[slot].is_dirty = 1
    m.dirty[m.dirty_count] = slot
    m.dirty_count += 1


cdef inline int64_t worst_side(
    int64_t held, int64_t margin_closing, int64_t lots_closing, int64_t margin_other
) noexcept nogil:
    """ORD-3: the larger of two sides' margins, of the one that closes `held` lots the share beyond
    them. Rounds up. Without branches on what orders and positions are: nobody can predict them.
    """
    cdef int64_t share = mul_div_up(
        margin_closing, max(lots_closing - abs64(held), 0), max(lots_closing, 1))
    return max(share, margin_other)


cdef inline int64_t reservation(const BucketC* b) noexcept nogil:
    """Worst of the two sides, quote: a fill of one side lets the other close it."""
    cdef int closing = b.position.lots > 0
    return worst_side(b.position.lots, b.margin[closing], b.lots[closing], b.margin[1 - closing])


cdef inline int64_t reservation_with(
    const BucketC* b, int side, int64_t margin, int64_t lots
) noexcept nogil:
    """What the bucket would reserve with one more order in it."""
    cdef int closing = b.position.lots > 0
    cdef int64_t adds = -<int64_t> (side == closing)
    return worst_side(b.position.lots, b.margin[closing] + (margin & adds),
                      b.lots[closing] + (lots & adds), b.margin[1 - closing] + (margin & ~adds))


cdef inline void update_reservation(CoreC* c, BucketC* b) noexcept nogil:
    cdef int64_t needed = reservation(b)
    c.accounts[b.account].reserved += needed - b.reserved
    b.reserved = needed


cdef inline int64_t usable(const CoreC* c, const BucketC* b) noexcept nogil:
    """Free balance that a fill of this bucket may use: unreserved, or reserved by itself."""
    return c.accounts[b.account].free - c.accounts[b.account].reserved + b.reserved


cdef inline void count_lots(
    CoreC* c, BucketC* b, const OrderC* order, int64_t margin, int64_t lots
) noexcept nogil:
    """Add margin and lots of an opening order to its side; of one that only reduces the lots, while
    it rests.
    """
    if unlikely(order.flags & REDUCE_ONLY):
        if order.state == ORDER_RESTING:
            c.reducing[order.bucket].lots[order.side] += lots
        return
    b.margin[order.side] += margin
    b.lots[order.side] += lots


cdef inline void count_order(
    CoreC* c, BucketC* b, const OrderC* order, uint32_t begin, uint32_t end, int sign
) noexcept nogil:
    """Add (sign 1) or take away (-1) the margin and lots [begin, end) of an opening order."""
    count_lots(c, b, order, sign * slice_of(order.margin, order.qty, begin, end),
               sign * (<int64_t> end - begin))


cdef inline uint32_t owner_of(const CoreC* c, const OrderC* order) noexcept nogil:
    """The account whose order it is."""
    return c.buckets[order.bucket].account if WITH_MARGIN else order.bucket


cdef inline MarketC* market_with(CoreC* c, const OrderC* order) noexcept nogil:
    """The market that the order is in."""
    return c.markets[c.buckets[order.bucket].market if WITH_MARGIN else 0]


cdef inline bint has_ids(const CoreC* c, uint64_t count) noexcept nogil:
    """ORD-1: 2^36 orders can have an id, which grows with age and is never used again."""
    return (c.order_seq + count) >> (64 - SLOT_BITS) == 0


cdef inline uint32_t new_order(CoreC* c, uint32_t bucket) noexcept nogil:
    """Take a slot, give it an id, link it first in its bucket; 0: none is left."""
    cdef uint32_t slot = c.order_free
    cdef OrderC* order
    cdef BucketC* b
    if unlikely(not has_ids(c, 1)):
        return 0
    if slot:
        c.order_free = c.orders[slot].next
        prefetch(&c.orders[c.order_free])       # where the next order goes
        if WITH_MARGIN:
            prefetch(&c.tags[c.order_free])
    elif c.order_top < c.order_capacity:
        slot = c.order_top
        c.order_top += 1
    else:
        return 0
    order = &c.orders[slot]
    c.order_seq += 1
    c.order_count += 1
    order.id = c.order_seq << SLOT_BITS | slot
    order.bucket = bucket
    order.previous = 0
    order.next = 0
    order.bucket_previous = 0
    if not WITH_MARGIN:
        return slot
    b = &c.buckets[bucket]
    b.order_count += 1
    order.bucket_next = b.orders
    c.orders[b.orders].bucket_previous = slot   # slot 0 takes what goes nowhere
    b.orders = slot
    return slot


cdef inline void free_order(CoreC* c, uint32_t slot) noexcept nogil:
    """Unlink from the bucket and give the slot back."""
    cdef OrderC* order = &c.orders[slot]
    cdef uint32_t newer = order.bucket_previous
    cdef uint32_t* newest
    cdef uint32_t* before
    if WITH_MARGIN:
        newest = &c.buckets[order.bucket].orders
        if order.flags & TIMED:
            remove_date(c, slot)
        if unlikely(order.flags & (REDUCE_ONLY | SPECIAL | NAMED)):
            leave(c, slot)
            if order.flags & REDUCE_ONLY:
                newest = &c.buckets[order.bucket].followers
        before = either(newer, &c.orders[newer].bucket_next, newest)
        before[0] = order.bucket_next
        c.orders[order.bucket_next].bucket_previous = newer
        c.buckets[order.bucket].order_count -= 1
    order.state = ORDER_FREE
    order.flags = 0
    order.id = 0
    order.next = c.order_free
    c.order_free = slot
    c.order_count -= 1


cdef inline void refresh_best(LadderC* side, int is_ask, uint32_t emptied) noexcept nogil:
    """After a level emptied: the true neighbour becomes the best."""
    if side.best == emptied:
        side.best = next_up(side, emptied) if is_ask else next_down(side, emptied)


cdef inline bint improves(int side, uint32_t price, uint32_t best) noexcept nogil:
    """Whether a resting order of `side` at `price` is better than the best, 0 when there is none.

    Asks are compared by complement; a best of 0 wraps around.
    """
    cdef uint32_t flip = flip_of(side)
    return ((price - side) ^ flip) > ((best - side) ^ flip)


cdef inline void rest_order(CoreC* c, MarketC* m, uint32_t slot, uint32_t shown) noexcept nogil:
    """Put the order at the end of its level, which shows so many lots of it."""
    cdef OrderC* order = &c.orders[slot]
    cdef LadderC* side = &m.sides[order.side]
    order.state = ORDER_RESTING
    link_order(side, c.orders, slot, order.price, shown)
    if WITH_MARGIN and order.expiry_s != NEVER_S:
        add_date(c, slot)
    side.best = order.price if improves(order.side, order.price, side.best) else side.best


cdef inline void await_trigger(
    CoreC* c, MarketC* m, uint32_t slot, uint32_t trigger
) noexcept nogil:
    """Let the order wait outside the book until its reference price reaches `trigger`."""
    cdef OrderC* order = &c.orders[slot]
    order.state = ORDER_PENDING
    order.remaining = trigger
    link_order(&m.triggers[trigger_side(c, slot)], c.orders, slot, trigger, 0)
    m.last_count += trigger_side(c, slot) >> 1
    link_waiting(c, slot)
    if order.expiry_s != NEVER_S:
        add_date(c, slot)
    if order.flags & SPECIAL and c.extras[slot].trailing:
        link_trail(c, m, slot)


cdef inline void unrest_order(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Take the order out of its level or out of its trigger ladder."""
    cdef OrderC* order = &c.orders[slot]
    cdef LadderC* side
    if order.state == ORDER_RESTING:
        side = &m.sides[order.side]
        if unlink_order(side, c.orders, slot, order.price, shown_of(c, slot)):
            refresh_best(side, order.side, order.price)
    elif order.state == ORDER_PENDING:
        if order.flags & SPECIAL and c.extras[slot].trailing:
            unlink_trail(c, m, slot)
        unlink_order(&m.triggers[trigger_side(c, slot)], c.orders, slot, order.remaining, 0)
        m.last_count -= trigger_side(c, slot) >> 1
        unlink_waiting(c, slot)
        order.remaining = order.qty - cut_of(c, slot)


cdef inline void drop_order(CoreC* c, MarketC* m, uint32_t slot, uint8_t reason) noexcept nogil:
    """End an order that is resting, pending or being matched, with its event."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b
    cdef uint32_t filled
    unrest_order(c, m, slot)
    if WITH_MARGIN:
        b = &c.buckets[order.bucket]
        filled = filled_of(c, slot)
        count_order(c, b, order, filled, filled + order.remaining, -1)
        update_reservation(c, b)
        if unlikely(b.waiting != 0) and not order.flags & REDUCE_ONLY and (
                b.reducers[1 - order.side] and not is_backed(b, 1 - order.side)):
            mark_after(c, order.bucket, AFTER_ALONE)
    emit_order(c, m, ORDER_CANCELED, reason, order, owner_of(c, order))
    free_order(c, slot)


cdef inline void trim_orders(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """Cancel the bucket's newest opening orders until the free balance covers the reservations."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef AccountC* account = &c.accounts[b.account]
    cdef uint32_t slot = b.orders
    cdef uint32_t older
    while account.reserved > account.free and slot:
        older = c.orders[slot].bucket_next
        if c.orders[slot].state != ORDER_TAKING:
            drop_order(c, m, slot, INSUFFICIENT_FREE)
        slot = older


cdef inline int64_t out_of(const FillC* f) noexcept nogil:
    """CONS-4: what a side of a fill takes out of its market, for free balance and fees.

    The notional goes from one side to the other: only the sum of both is what the market loses.
    """
    return f.free_delta + f.fee


cdef inline void commit(CoreC* c, MarketC* m, uint32_t bucket, const FillC* f) noexcept nogil:
    """Make the outcome of a change of position true."""
    cdef BucketC* b = &c.buckets[bucket]
    if unlikely((b.followers | b.waiting) != 0) and f.position.lots != b.position.lots:
        mark_after(c, bucket, AFTER_MOVE)
        # Closed or turned: the position that attached orders belong to is no more.
        if b.position.lots > 0 >= f.position.lots or b.position.lots < 0 <= f.position.lots:
            mark_after(c, bucket, AFTER_FLAT)
    m.open_interest += max(f.position.lots, 0) - max(b.position.lots, 0)
    b.position = f.position
    c.accounts[b.account].free += f.free_delta
    m.funding_pool += f.funding
    m.pot -= f.free_delta
    touch_bucket(c, m, bucket)
