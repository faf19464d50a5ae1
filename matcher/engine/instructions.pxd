"""Orders with an instruction word: decoding, their own checks, acceptance (ORD-4)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from matcher.engine.handlers cimport (
    check_form, check_standing, fill_order, find_order, has_place, has_room_to_wait, market_of,
    refuse, reserved_with)
from matcher.engine.after cimport rests_to_reduce, unbacked
from matcher.engine.matching cimport execute, live_price, would_take
from matcher.engine.nonces cimport has_nonce_room, nonce_used, use_nonce
from matcher.engine.special cimport join, tag_order
from matcher.engine.store cimport (
    CAPACITY, GROUP_ITEMS_MAX, INSTRUCTIONS_INVALID, INSUFFICIENT_FREE, MARKET_STATE,
    ORDER_ACCEPTED, ORDER_REJECTED, ORDER_UNKNOWN, await_trigger, bucket_at, count_order,
    drop_order, emit, ensure_bucket, free_order, has_ids, new_order, update_reservation)
from matcher.engine.types cimport (
    ATTACHED, BucketC, CommandC, CoreC, EventC, ExtraC, MarketC, ON_LAST, ORDER_QUEUED,
    OrderC, POST_ONLY, REDUCE_ONLY, SLIDES, SLOT_BITS, SPECIAL, STATE_AUCTION)

cdef enum:
    INSTRUCTION_BYTES = 32
    ICEBERG_PARTS_MAX = 256
    TRAILING_MAX = 4096          # trailing orders of a market
    FIRST_UNJUDGED_TRIGGER = 3   # trigger kinds 3 and 4: the engine alone judges them
    PEER_FITS = 1                # an earlier item of the group is the sibling
    PEER_ENDS = 2                # an earlier item of the group ends it
    PEER_STRANGE = 3             # an earlier item has its nonce and names another

cdef struct InstructionsC:       # the signed word, decoded
    uint64_t oco_nonce
    uint32_t display             # lots
    uint32_t min_lots
    uint32_t trailing            # ticks
    uint8_t self_trade
    uint8_t flags
    uint8_t is_plain             # the word is zero
    uint8_t is_malformed         # reserved bytes are set


cdef inline uint64_t big_endian(const uint8_t* at, int count) noexcept nogil:
    cdef uint64_t x = 0
    cdef int k
    for k in range(count):
        x = x << 8 | at[k]
    return x


cdef inline void decode(const uint8_t* word, InstructionsC* w) noexcept nogil:
    """Read the 32 bytes of a signed instruction word."""
    cdef int k
    cdef uint8_t any_bit = 0
    w.self_trade = word[0]
    w.flags = word[1]
    w.display = <uint32_t> big_endian(word + 2, 4)
    w.min_lots = <uint32_t> big_endian(word + 6, 4)
    w.trailing = <uint32_t> big_endian(word + 10, 4)
    w.oco_nonce = big_endian(word + 14, 8)
    w.is_malformed = 0
    for k in range(INSTRUCTION_BYTES):
        any_bit |= word[k]
        if k >= 22 and word[k]:
            w.is_malformed = 1
    w.is_plain = not any_bit


cdef inline bint are_valid(
    const MarketC* m, const CommandC* p, const InstructionsC* w
) noexcept nogil:
    """ORD-4: the word fits the order."""
    cdef bint is_unjudged = p.trigger_kind >= FIRST_UNJUDGED_TRIGGER
    if w.is_malformed or w.self_trade > 3 or w.flags > 7:
        return False
    if is_unjudged != (w.trailing != 0 or w.flags & ON_LAST != 0) or w.trailing > m.ticks_max:
        return False
    if w.flags & SLIDES and not p.flags & POST_ONLY:
        return False
    if w.flags & ATTACHED and not p.flags & REDUCE_ONLY:
        return False
    if w.display and (p.time_in_force or w.display > p.qty or (
            <uint64_t> w.display * ICEBERG_PARTS_MAX < p.qty)):
        return False
    return w.min_lots == 0 or (
        w.min_lots <= p.qty and p.time_in_force != 2 and not p.flags & POST_ONLY)


cdef inline bint would_rest_to_reduce(const CommandC* p) noexcept nogil:
    """OCO-1: of two such siblings of a side one is refused."""
    return p.flags & REDUCE_ONLY != 0 and p.trigger_kind == 0 and p.time_in_force == 0


cdef inline int check_sibling(
    CoreC* c, MarketC* m, const CommandC* p, const InstructionsC* w, int peer, uint32_t old
) noexcept nogil:
    """OCO-1: a sibling that lives names this order, or is that of the `old` one which it replaces;
    one that has ended takes this one with it.
    """
    cdef uint32_t slot
    if w.oco_nonce == 0:
        return 0
    if w.oco_nonce == p.nonce:
        return INSTRUCTIONS_INVALID
    if peer:
        return 0 if peer == PEER_FITS else ORDER_UNKNOWN if peer == PEER_ENDS else (
            INSTRUCTIONS_INVALID)
    slot = find_order(c, p.account, w.oco_nonce)
    if slot == 0:
        return ORDER_UNKNOWN if nonce_used(c, p.account, w.oco_nonce) else 0
    if c.buckets[c.orders[slot].bucket].market != m.slot or not c.orders[slot].flags & SPECIAL or (
            c.extras[slot].oco_nonce != p.nonce and (old == 0 or c.extras[slot].sibling != old)):
        return INSTRUCTIONS_INVALID
    if rests_to_reduce(&c.orders[slot]) and c.orders[slot].side == p.side and (
            would_rest_to_reduce(p)):
        return INSTRUCTIONS_INVALID
    return 0


cdef inline uint32_t slot_of(uint64_t order_id) noexcept nogil:
    return <uint32_t> (order_id & ((<uint64_t> 1 << SLOT_BITS) - 1))


cdef inline void judged_kind(CommandC* p, const InstructionsC* w) noexcept nogil:
    """Trigger kinds 3 and 4 wait like 1 and 2."""
    if not w.is_plain and FIRST_UNJUDGED_TRIGGER <= p.trigger_kind <= FIRST_UNJUDGED_TRIGGER + 1:
        p.trigger_kind -= 2


cdef inline uint32_t slid_price(
    CoreC* c, MarketC* m, const CommandC* p, const InstructionsC* w
) noexcept nogil:
    """Price at which a post-only order that slides would rest now."""
    cdef uint32_t best
    if not w.flags & SLIDES or p.trigger_kind or not would_take(c, m, p.side, p.price):
        return p.price
    best = <uint32_t> live_price(c, m, 1 - p.side)
    if p.side == 0:
        return best - 1 if best > 1 else p.price
    return best + 1 if best < m.ticks_max else p.price


cdef inline int check_order(
    CoreC* c, MarketC* m, const CommandC* p, const InstructionsC* w, int64_t taken, int peer,
    uint32_t old
) noexcept nogil:
    """ORD-1 with ORD-4: the first reason against an order with instructions, 0 none.

    `taken` order slots beyond those in use are spoken for; it replaces `old`, 0 none.
    """
    cdef CommandC form = p[0]
    cdef BucketC* b
    cdef int reason
    cdef int64_t reserved
    judged_kind(&form, w)
    reason = check_form(c, m, &form)
    if reason == 0 and not are_valid(m, p, w):
        reason = INSTRUCTIONS_INVALID
    if reason == 0 and m.state == STATE_AUCTION and w.min_lots and not p.trigger_kind:
        reason = MARKET_STATE
    if reason == 0:
        reason = check_sibling(c, m, p, w, peer, old)
    if reason:
        return reason
    form.price = slid_price(c, m, &form, w)
    # Bucket 0 stays empty: an account without a bucket is judged on it.
    b = &c.buckets[bucket_at(c, p.account, m)]
    reason = check_standing(
        c, m, b, &form, m.last_price if w.flags & ON_LAST else m.mark_price, False)
    if reason:
        return reason
    reserved = reserved_with(b, &form, False)
    if reserved - b.reserved > c.accounts[p.account].free - c.accounts[p.account].reserved:
        return INSUFFICIENT_FREE
    if not has_place(c, p.account, b) or not has_room_to_wait(b, p) or (
            w.trailing and m.trail_count == TRAILING_MAX):
        return CAPACITY
    if c.order_count + taken >= c.order_capacity - 1 or not has_ids(c, GROUP_ITEMS_MAX):
        return CAPACITY
    if not has_nonce_room(c, p.account, p.nonce):
        return CAPACITY
    if bucket_at(c, p.account, m) == 0 and c.bucket_top == c.bucket_capacity:
        return CAPACITY
    return 0


cdef inline void instruct(CoreC* c, uint32_t slot, const InstructionsC* w) noexcept nogil:
    """Write the order's instructions beside it, and tie it to its sibling."""
    cdef ExtraC* x = &c.extras[slot]
    cdef uint32_t sibling
    memset(x, 0, sizeof(ExtraC))
    if w.is_plain:
        return
    c.orders[slot].flags |= SPECIAL
    x.oco_nonce = w.oco_nonce
    if w.display < c.orders[slot].qty:
        x.display = x.shown = w.display
    x.min_lots = w.min_lots
    x.trailing = w.trailing
    x.self_trade = w.self_trade
    x.flags = w.flags
    if w.oco_nonce:
        sibling = find_order(c, c.buckets[c.orders[slot].bucket].account, w.oco_nonce)
        if sibling and c.extras[sibling].oco_nonce == c.orders[slot].nonce and (
                c.orders[sibling].flags & SPECIAL):
            x.sibling = sibling
            c.extras[sibling].sibling = slot


cdef inline uint32_t admit(
    CoreC* c, MarketC* m, const CommandC* p, const InstructionsC* w
) noexcept nogil:
    """Accept an order that `check_order` admits, without matching it; 0: out of memory."""
    cdef CommandC form = p[0]
    cdef uint32_t slot
    cdef OrderC* order
    cdef BucketC* b
    cdef EventC* event
    judged_kind(&form, w)
    slot = new_order(c, ensure_bucket(c, p.account, m))
    order = &c.orders[slot]
    b = &c.buckets[order.bucket]
    if not use_nonce(c, p.account, p.nonce):
        free_order(c, slot)
        return 0
    fill_order(order, &form, False)
    instruct(c, slot, w)
    tag_order(c, slot, p.session)
    join(c, slot)
    count_order(c, b, order, 0, order.qty, 1)
    update_reservation(c, b)
    event = emit(c, ORDER_ACCEPTED, m)
    event.account = p.account
    event.order_id = order.id
    event.order_id_2 = p.nonce
    event.side = p.side
    event.flags = p.flags
    event.price = order.price
    event.qty = p.qty
    event.remaining = order.qty
    event.amount = p.amount
    order.state = ORDER_QUEUED
    return slot


cdef inline void begin(CoreC* c, MarketC* m, uint32_t slot, uint32_t trigger) noexcept nogil:
    """Match the accepted order, or let it wait for its trigger if it may still do so (TRIG-4): an
    earlier item of its group can have taken what backed it.
    """
    cdef uint8_t reason
    if trigger == 0:
        execute(c, m, slot)
        return
    reason = unbacked(c, m, slot, trigger)
    if reason:
        drop_order(c, m, slot, reason)
    else:
        await_trigger(c, m, slot, trigger)


cdef inline void place_special(
    CoreC* c, const CommandC* p, const InstructionsC* w
) noexcept nogil:
    cdef MarketC* m = market_of(c, p)
    cdef int reason = check_order(c, m, p, w, 0, 0, 0)
    cdef uint32_t slot = admit(c, m, p, w) if reason == 0 else 0
    if slot:
        begin(c, m, slot, p.trigger_price if p.trigger_kind else 0)
    else:
        refuse(c, m, ORDER_REJECTED, p, reason if reason else CAPACITY)
