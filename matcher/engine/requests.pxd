"""Amend, replace, groups; how records split into commands (AMD-1, REP-1, GRP-1)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from matcher.engine.after cimport cut_order, left_of
from matcher.engine.forced cimport pause_risk, serve_request
from matcher.engine.handlers cimport (
    KIND_AMEND, KIND_CANCEL, KIND_EXTENSION, KIND_FORCED_REQUEST, KIND_GROUP, KIND_PAUSE_RISK,
    KIND_PLACE, KIND_REPLACE, advance, check_form, find_order, market_of, refuse,
    settle_command)
from matcher.engine.instructions cimport (
    INSTRUCTION_BYTES, InstructionsC, PEER_ENDS, PEER_FITS, PEER_STRANGE, admit, begin,
    check_order, decode, place_special, slot_of, would_rest_to_reduce)
from matcher.engine.nonces cimport is_ascending
from matcher.engine.special cimport cut_of, trigger_side
from matcher.engine.store cimport (
    COMMAND_REJECTED, FILL, GROUP_ITEMS_MAX, GROUP_REJECTED, NONCE_USED, ORDER_REJECTED,
    ORDER_UNKNOWN, QTY_OUT_OF_RANGE, REPLACED, SIDE_MISMATCH, UNFILLED_MISMATCH, USER_CANCELED,
    count_order, drop_order, ensure_bucket, unmake_bucket, update_reservation)
from matcher.engine.types cimport (
    BucketC, CommandC, CoreC, ExtraC, MarketC, ORDER_PENDING, ORDER_QUEUED, OrderC, REDUCE_ONLY,
    SPECIAL)

cdef enum:
    GROUP_STEPS_MAX = 16384      # orders that all trials of a group's orders look at
    REPLACE_BYTES = 44           # instructions, nonce of the old order u64, unfilled lots u32

cdef struct RequestC:            # one command of a kind that may stand in a group
    const CommandC* p
    InstructionsC w
    uint64_t old_nonce           # of a REPLACE whose order id is 0
    uint32_t unfilled            # lots that must be left of the old order, 0: any
    uint32_t old                 # slot of the order that it names, 0 none
    uint32_t slot                # of the order that it makes
    uint64_t order_id
    int64_t margin               # quote, what the check has added to the bucket's sums
    int64_t lots
    uint32_t bucket


cdef inline uint64_t little_endian(const uint8_t* at, int count) noexcept nogil:
    cdef uint64_t x = 0
    while count:
        count -= 1
        x = x << 8 | at[count]
    return x


cdef inline int span(const CommandC* p, int64_t count) noexcept nogil:
    """Records of the request that begins here; 0: an extension without what it extends."""
    cdef const uint8_t* head = <const uint8_t*> p
    if p.kind != KIND_EXTENSION:
        return 1
    if count < 2:
        return 0
    if p[1].kind == KIND_PLACE and head[1] == INSTRUCTION_BYTES:
        return 2
    return 2 if p[1].kind == KIND_REPLACE and head[1] == REPLACE_BYTES else 0


cdef inline int64_t group_span(const CommandC* p, int64_t count) noexcept nogil:
    """Records of a group, its own included; 0: it is not well-formed."""
    cdef int64_t end = 1 + <int64_t> p.qty
    cdef int64_t at = 1
    cdef int items = 0
    cdef int step
    if end > count:
        return 0
    while at < end:
        step = span(p + at, end - at)
        if step == 0 or items == GROUP_ITEMS_MAX or p[at + step - 1].kind not in (
                KIND_PLACE, KIND_CANCEL, KIND_AMEND, KIND_REPLACE):
            return 0
        items += 1
        at += step
    return end if items else 0


cdef inline int read_request(const CommandC* p, RequestC* r) noexcept nogil:
    """Take a request and its extension apart; the number of records."""
    cdef const uint8_t* payload = <const uint8_t*> p + 2
    memset(r, 0, sizeof(RequestC))
    r.p = p
    r.w.is_plain = 1
    if p.kind != KIND_EXTENSION:
        return 1
    r.p = p + 1
    decode(payload, &r.w)
    if r.p.kind == KIND_REPLACE:
        r.old_nonce = little_endian(payload + INSTRUCTION_BYTES, 8)
        r.unfilled = <uint32_t> little_endian(payload + INSTRUCTION_BYTES + 8, 4)
    return 2


cdef inline uint32_t named_order(CoreC* c, const CommandC* p, uint64_t nonce) noexcept nogil:
    """Slot of the account's live order with the command's id, or with the nonce; 0 none."""
    cdef uint64_t order_id = p.order_id
    cdef uint32_t slot
    if order_id == 0 and p.account < c.account_count:
        order_id = c.orders[find_order(c, p.account, nonce)].id
    slot = slot_of(order_id)
    if order_id == 0 or slot >= c.order_top or c.orders[slot].id != order_id or (
            c.buckets[c.orders[slot].bucket].account != p.account):
        return 0
    return slot


cdef inline void count_left(CoreC* c, uint32_t slot, uint32_t lots, int sign) noexcept nogil:
    """Add (1) or take away (-1) the last `lots` of a live order in its bucket's sums."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    cdef uint32_t end = order.qty - cut_of(c, slot)
    count_order(c, b, order, end - lots, end, sign)
    update_reservation(c, b)


cdef inline int check_amend(CoreC* c, uint32_t slot, const CommandC* p) noexcept nogil:
    if slot == 0:
        return ORDER_UNKNOWN
    return 0 if 1 <= p.qty <= c.orders[slot].qty - cut_of(c, slot) else QTY_OUT_OF_RANGE


cdef inline uint32_t lots_cut(CoreC* c, uint32_t slot, uint32_t total) noexcept nogil:
    """Lots that go when an order is amended to `total`: at most what is left."""
    return min(c.orders[slot].qty - cut_of(c, slot) - total, left_of(c, slot))


cdef inline void do_amend(CoreC* c, uint32_t slot, const CommandC* p) noexcept nogil:
    cdef MarketC* m = c.markets[c.buckets[c.orders[slot].bucket].market]
    cdef uint32_t lots = lots_cut(c, slot, p.qty)
    if lots == left_of(c, slot):
        drop_order(c, m, slot, USER_CANCELED)
    else:
        cut_order(c, m, slot, lots, 0)


cdef inline int check_replaced(CoreC* c, MarketC* m, const RequestC* r) noexcept nogil:
    """REP-1: the old order is there, of the same market and side, and as full as expected."""
    cdef OrderC* old = &c.orders[r.old]
    if r.old == 0:
        return ORDER_UNKNOWN
    if old.side != r.p.side or m != c.markets[c.buckets[old.bucket].market]:
        return SIDE_MISMATCH
    return UNFILLED_MISMATCH if r.unfilled and r.unfilled != left_of(c, r.old) else 0


cdef inline void count_places(CoreC* c, uint32_t slot, int sign) noexcept nogil:
    """Add (1) or take away (-1) a live order where orders are counted for their limits."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    b.order_count += sign
    if order.state == ORDER_PENDING:
        b.waiting_count += sign
        if order.flags & SPECIAL and c.extras[slot].trailing:
            c.markets[b.market].trail_count += sign


cdef inline void hand_over(CoreC* c, const RequestC* r) noexcept nogil:
    """OCO-1: the sibling that the replacement names leaves the old order before that ends."""
    cdef ExtraC* x = &c.extras[r.old]
    cdef uint32_t sibling = x.sibling if c.orders[r.old].flags & SPECIAL else 0
    if sibling and c.orders[sibling].nonce == r.w.oco_nonce:
        c.extras[sibling].oco_nonce = r.p.nonce
        c.extras[sibling].sibling = 0
        x.sibling = 0


cdef inline int check_replace(CoreC* c, RequestC* r, int64_t taken, int peer) noexcept nogil:
    """REP-1; when it is admitted, the old order is out of its bucket's sums."""
    cdef MarketC* m = market_of(c, r.p)
    cdef int reason = check_replaced(c, m, r)
    if reason:
        return reason
    count_left(c, r.old, left_of(c, r.old), -1)
    count_places(c, r.old, -1)
    reason = check_order(c, m, r.p, &r.w, taken - 1, PEER_ENDS if (
        r.w.oco_nonce == c.orders[r.old].nonce) else peer, r.old)
    count_places(c, r.old, 1)
    if reason:
        count_left(c, r.old, left_of(c, r.old), 1)
    return reason


cdef inline void replace(CoreC* c, RequestC* r) noexcept nogil:
    """REP-1: the new order is admitted and the old one ends, or nothing happens."""
    cdef MarketC* m = market_of(c, r.p)
    cdef int reason
    cdef uint32_t slot
    r.old = named_order(c, r.p, r.old_nonce)
    reason = check_replace(c, r, 0, 0)
    if reason:
        refuse(c, m, ORDER_REJECTED, r.p, reason)
        return
    count_left(c, r.old, left_of(c, r.old), 1)
    hand_over(c, r)
    drop_order(c, m, r.old, REPLACED)
    slot = admit(c, m, r.p, &r.w)
    if slot:
        begin(c, m, slot, r.p.trigger_price if r.p.trigger_kind else 0)


cdef inline void amend(CoreC* c, const CommandC* p) noexcept nogil:
    """AMD-1: by order id, or by nonce when the id is 0."""
    cdef uint32_t slot = named_order(c, p, p.nonce)
    cdef int reason = check_amend(c, slot, p)
    if reason:
        refuse(c, NULL, COMMAND_REJECTED, p, reason)
    else:
        do_amend(c, slot, p)


# Groups

cdef inline void assume(CoreC* c, RequestC* r) noexcept nogil:
    """Count an admitted order in its bucket's sums, as if it was accepted."""
    r.bucket = ensure_bucket(c, r.p.account, market_of(c, r.p))
    if not r.p.flags & REDUCE_ONLY:
        r.margin = r.p.amount
        r.lots = r.p.qty
    count_claims(c, r, 1)
    add_sums(c, r, 1)


cdef inline void count_claims(CoreC* c, RequestC* r, int sign) noexcept nogil:
    """`count_places` for an order that is assumed."""
    cdef BucketC* b = &c.buckets[r.bucket]
    b.order_count += sign
    if r.p.trigger_kind:
        b.waiting_count += sign
        if r.w.trailing:
            c.markets[b.market].trail_count += sign


cdef inline void add_sums(CoreC* c, RequestC* r, int sign) noexcept nogil:
    cdef BucketC* b = &c.buckets[r.bucket]
    b.margin[r.p.side] += sign * r.margin
    b.lots[r.p.side] += sign * r.lots
    update_reservation(c, b)


cdef inline void forget(CoreC* c, RequestC* r) noexcept nogil:
    """Undo what the check of an admitted request has changed."""
    if r.bucket:
        add_sums(c, r, -1)
        count_claims(c, r, -1)
    if r.p.kind == KIND_AMEND:
        count_left(c, r.old, lots_cut(c, r.old, r.p.qty), 1)
    elif r.old:
        count_left(c, r.old, left_of(c, r.old), 1)
    if ends_old(c, r):
        count_places(c, r.old, 1)


cdef inline bint ends_old(CoreC* c, const RequestC* r) noexcept nogil:
    """The order that it names ends by it."""
    return r.old != 0 and (
        r.p.kind != KIND_AMEND or lots_cut(c, r.old, r.p.qty) == left_of(c, r.old))


cdef inline int check_repeated(CoreC* c, RequestC* r) noexcept nogil:
    """An order whose nonce an earlier item uses: what stands before NONCE_USED, or that."""
    cdef MarketC* m = market_of(c, r.p)
    cdef int reason = check_replaced(c, m, r) if r.p.kind == KIND_REPLACE else 0
    if reason == 0:
        reason = check_form(c, m, r.p)
        if reason == 0 or reason > NONCE_USED:
            reason = NONCE_USED
    return reason


cdef inline int peer_of(CoreC* c, RequestC* items, int at) noexcept nogil:
    """What earlier items of the group mean to the sibling that item `at` names; 0 nothing."""
    cdef RequestC* r = &items[at]
    cdef RequestC* other
    cdef bint names_it, fits
    cdef int k
    if r.w.oco_nonce == 0:
        return 0
    for k in range(at):
        other = &items[k]
        if other.p.account != r.p.account:
            continue
        if makes_order(other) and other.p.nonce == r.w.oco_nonce:
            names_it = other.w.oco_nonce == r.p.nonce or (
                r.p.kind == KIND_REPLACE and other.w.oco_nonce == c.orders[r.old].nonce)
            fits = names_it and other.p.market_id == r.p.market_id and not (
                other.p.side == r.p.side and would_rest_to_reduce(other.p)
                and would_rest_to_reduce(r.p))
            return PEER_FITS if fits else PEER_STRANGE
        if ends_old(c, other) and c.orders[other.old].nonce == r.w.oco_nonce:
            return PEER_ENDS
        if makes_order(other) and is_ascending(r.w.oco_nonce) and other.p.nonce > r.w.oco_nonce:
            return PEER_ENDS     # SIG-5: below one that is used
    return 0


cdef inline int check_item(
    CoreC* c, RequestC* items, int at, int64_t* taken
) noexcept nogil:
    """GRP-1: the first reason against an item, the items before it assumed; 0: it is assumed."""
    cdef RequestC* r = &items[at]
    cdef int k, reason
    if r.p.kind != KIND_PLACE:
        r.old = named_order(c, r.p, r.old_nonce if r.p.kind == KIND_REPLACE else r.p.nonce)
    for k in range(at):
        if r.old and items[k].old == r.old:
            return ORDER_UNKNOWN
        if makes_order(r) and makes_order(&items[k]) and (
                items[k].p.account == r.p.account and (items[k].p.nonce == r.p.nonce or (
                    is_ascending(r.p.nonce) and items[k].p.nonce > r.p.nonce))):
            return check_repeated(c, r)
    if r.p.kind == KIND_AMEND:
        reason = check_amend(c, r.old, r.p)
        if reason == 0:
            count_left(c, r.old, lots_cut(c, r.old, r.p.qty), -1)
    elif r.p.kind == KIND_CANCEL:
        reason = 0 if r.old else ORDER_UNKNOWN
        if reason == 0:
            count_left(c, r.old, left_of(c, r.old), -1)
    elif r.p.kind == KIND_REPLACE:
        reason = check_replace(c, r, taken[0], peer_of(c, items, at))
    else:
        reason = check_order(
            c, market_of(c, r.p), r.p, &r.w, taken[0], peer_of(c, items, at), 0)
    if reason:
        return reason
    if ends_old(c, r):
        count_places(c, r.old, -1)
        taken[0] -= 1
    if makes_order(r):
        assume(c, r)
        taken[0] += 1
    return 0


cdef inline bint makes_order(const RequestC* r) noexcept nogil:
    return r.p.kind == KIND_PLACE or r.p.kind == KIND_REPLACE


cdef inline void do_item(CoreC* c, RequestC* r) noexcept nogil:
    """Do an item but for the matching of its order."""
    if r.p.kind == KIND_AMEND:
        do_amend(c, r.old, r.p)
    elif r.old:
        if r.p.kind == KIND_REPLACE:
            hand_over(c, r)
        drop_order(c, c.markets[c.buckets[c.orders[r.old].bucket].market], r.old,
                   REPLACED if r.p.kind == KIND_REPLACE else USER_CANCELED)
    if makes_order(r):
        r.slot = admit(c, market_of(c, r.p), r.p, &r.w)
        r.order_id = c.orders[r.slot].id


cdef inline uint64_t traded_since(const CoreC* c, int64_t first) noexcept nogil:
    """The markets, a bit each by slot, of which one of the events from `first` on is a fill."""
    cdef int64_t k
    cdef uint64_t markets = 0
    for k in range(first, <int64_t> c.event_count):
        if c.events[k].kind == FILL:
            markets |= <uint64_t> 1 << (c.market_slot_of[c.events[k].market_id] - 1)
    return markets


cdef inline bint still_is(const CoreC* c, const RequestC* r, int state) noexcept nogil:
    """Whether the order of the item lives and is in that state."""
    return r.slot != 0 and c.orders[r.slot].id == r.order_id and c.orders[r.slot].state == state


cdef inline void match_group(CoreC* c, RequestC* items, int count) noexcept nogil:
    """GRP-1: match the new orders in order; TRIG-2: one that has begun to wait for the last price
    is asked behind the group's own trades, too.
    """
    cdef int64_t first = <int64_t> c.event_count
    cdef uint64_t traded = 0
    cdef bint has_looked = False
    cdef int at
    cdef RequestC* r
    cdef MarketC* m
    c.trials_until = c.trial_steps + GROUP_STEPS_MAX
    for at in range(count):
        r = &items[at]
        if still_is(c, r, ORDER_QUEUED):
            begin(c, market_of(c, r.p), r.slot, r.p.trigger_price if r.p.trigger_kind else 0)
    c.trials_until = 0
    for at in range(count):
        r = &items[at]
        if still_is(c, r, ORDER_PENDING) and trigger_side(c, r.slot) >= 2:
            m = market_of(c, r.p)
            if not has_looked:
                traded = traded_since(c, first)
                has_looked = True
            if traded >> m.slot & 1:
                m.has_traded = c.has_traded = 1


cdef inline void apply_group(CoreC* c, const CommandC* p) noexcept nogil:
    """GRP-1: all items are admitted, then done, then matched; or all are refused."""
    cdef RequestC items[GROUP_ITEMS_MAX]
    cdef int count = 0
    cdef int at, failed
    cdef int reason = 0
    cdef int64_t taken = 0
    cdef uint32_t k = 1
    cdef uint32_t buckets = c.bucket_top
    cdef RequestC* r
    while k <= p.qty:
        k += read_request(p + k, &items[count])
        count += 1
    failed = 0
    while failed < count and reason == 0:
        reason = check_item(c, items, failed, &taken)
        failed += reason == 0
    at = failed
    while at:
        at -= 1
        forget(c, &items[at])
    if reason:
        while c.bucket_top > buckets:
            unmake_bucket(c)
        for at in range(count):
            r = &items[at]
            refuse(c, market_of(c, r.p), ORDER_REJECTED if makes_order(r) else COMMAND_REJECTED,
                   r.p, reason if at == failed else GROUP_REJECTED)
        return
    for at in range(count):
        do_item(c, &items[at])
    match_group(c, items, count)


cdef inline int64_t dispatch_request(CoreC* c, const CommandC* p) noexcept nogil:
    """Apply one well-formed command of this file's kinds; the number of its records."""
    cdef RequestC r
    cdef int64_t records
    advance(c, p if p.kind != KIND_EXTENSION else p + 1)
    if p.kind == KIND_GROUP:
        apply_group(c, p)
        records = 1 + <int64_t> p.qty
    else:
        records = read_request(p, &r)
        if r.p.kind == KIND_AMEND:
            amend(c, r.p)
        elif r.p.kind == KIND_REPLACE:
            replace(c, &r)
        elif r.p.kind == KIND_FORCED_REQUEST:
            serve_request(c, r.p)
        elif r.p.kind == KIND_PAUSE_RISK:
            pause_risk(c, r.p)
        else:
            place_special(c, r.p, &r.w)
    settle_command(c)
    return records
