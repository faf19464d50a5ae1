"""One handler per command kind: checks in the order of the reject reasons, then the change."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from margin_core.transitions cimport take_out, top_up
from margin_core.types cimport FillC, VERDICT_OK
from matcher.engine.ladder cimport (
    apart, cold, cold_int, give_some_back, inlined, inlined_int, prefetch, unlikely)
from matcher.engine.limits cimport is_beyond_band, required_margin
from matcher.engine.liquidating cimport cancel_bucket
from matcher.engine.after cimport margin_to_wait, reducible
from matcher.engine.announce cimport ends_at
from matcher.engine.auction cimport end_opening_orders, is_crossed, uncross
from matcher.engine.matching cimport TIF_FOK, TIF_GTC, execute, takes, trim_all, would_take
from matcher.engine.names cimport add_name, find_name, keyed_hash
from matcher.engine.nonces cimport (
    claim_nonce, has_nonce_room, is_ascending, is_near, near_nonce_used, nonce_used,
    use_near_nonce, use_nonce)
from matcher.engine.pricing cimport begin_grace, update_price
from matcher.engine.special cimport WalkC, is_backed, join, step_down, tag_order, walk_from
from matcher.engine.states cimport admits, is_continuous, price_holds
from matcher.engine.trigger cimport fire_due
from matcher.engine.store cimport (
    ACCOUNT_UNKNOWN, AMOUNT_OUT_OF_RANGE, CAPACITY, COLLATERAL_MOVED, COMMAND_REJECTED, DEPOSITED,
    EXPIRED, FROZEN_CHANGED, INSUFFICIENT_FREE, INSUFFICIENT_MARGIN,
    MARKET_CANNOT_PAY, MARKET_STATE, MARKET_STATE_CHANGED, MARKET_UNKNOWN, NONCE_USED, NO_POSITION,
    NO_PRICE, ORDER_ACCEPTED, ORDER_REJECTED, ORDER_UNKNOWN, POST_ONLY_WOULD_TAKE, PRICE_BAND,
    PRICE_OUT_OF_RANGE, PRICE_STALE, QTY_OUT_OF_RANGE, REASON_FROZEN, REASON_REDUCE_ONLY,
    RISK_PAUSED, SIDE_MISMATCH, TIME_IN_FORCE, USER_CANCELED, WITHDRAWN, await_trigger, bucket_at,
    commit, drop_order, emit, ensure_bucket, free_order, market_with, new_order, next_event, now_s,
    reservation_with, rest_order, touch_bucket)
from matcher.engine.types cimport (
    BucketC, CommandC, CoreC, EventC, MarketC, NAMED, NEAR_MARKETS, OrderC,
    POST_ONLY, REDUCE_ONLY, SLOT_BITS, STATE_AUCTION, STATE_DELISTING, STATE_HALTED, STATE_OPEN,
    STATE_SETTLED,
    TAGGED, TRIGGER_ABOVE, TRIGGER_BELOW)

cdef enum:
    KIND_DEPOSIT = 1
    KIND_PLACE = 3
    KIND_CANCEL = 4
    KIND_CANCEL_ALL = 5
    KIND_PRICE = 6
    KIND_TICK = 7
    KIND_MOVE_COLLATERAL = 8
    KIND_WITHDRAW = 9
    KIND_SET_MARKET_STATE = 10
    KIND_SETTLEMENT_REJECTED = 11
    KIND_EXTENSION = 12
    KIND_AMEND = 15
    KIND_REPLACE = 16
    KIND_GROUP = 17
    KIND_FORCED_REQUEST = 18
    KIND_PAUSE_RISK = 21
    EXPIRIES_PER_COMMAND_MAX = 256
    BUCKET_ORDERS_MAX = 4096
    BUCKET_ORDERS_FREE = 128     # from here on the account's orders in all markets are counted
    ACCOUNT_ORDERS_MAX = 16384
    BUCKET_WAITING_MAX = 32      # orders of a bucket that wait for their trigger
    INDEX_AHEAD_MAX_MS = 10000
    SETTLEMENT_WINDOW_MS = 300000    # EXP-2: after its end, for a market's last row
    SETTLEMENT_WAIT_S = 86400        # from when on a later row may be the last

cdef enum:
    SIDE_ANY = 2

cdef extern from *:
    """
    #define BH_QUOTE_MAX (1LL << 60)
    #define BH_ORDER_LOTS_MAX 4294967294u
    """
    int64_t QUOTE_MAX "BH_QUOTE_MAX"
    uint32_t ORDER_LOTS_MAX "BH_ORDER_LOTS_MAX"


cdef inline MarketC* market_of(CoreC* c, const CommandC* command) noexcept nogil:
    """The command's market, NULL when it is not listed."""
    cdef uint8_t slot = c.market_slot_of[command.market_id]
    return c.markets[slot - 1] if slot else NULL


cdef inline cold refuse(
    CoreC* c, MarketC* m, uint8_t kind, const CommandC* command, int reason
) noexcept nogil:
    cdef EventC* event = emit(c, kind, m)
    event.reason = <uint8_t> reason
    event.market_id = command.market_id
    event.account = command.account
    event.side = command.side
    event.order_id_2 = command.nonce


cdef inline bint nonce_refused(CoreC* c, const CommandC* p) noexcept nogil:
    """SIG-1, SIG-5: used, or an ascending one of an order that may rest or wait."""
    return nonce_used(c, p.account, p.nonce) or (
        is_ascending(p.nonce) and (p.time_in_force == TIF_GTC or p.trigger_kind != 0))


cdef inline cold_int check_form(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    """Reasons 1 to 13 of an order, in their order."""
    if m == NULL:
        return MARKET_UNKNOWN
    if p.account == 0 or p.account >= c.account_count:
        return ACCOUNT_UNKNOWN
    if not admits(m, p.flags, p.time_in_force):
        return MARKET_STATE
    if p.expiry_s <= now_s(c):
        return EXPIRED
    if nonce_refused(c, p):
        return NONCE_USED
    if p.qty < 1 or p.qty > ORDER_LOTS_MAX or <int64_t> p.qty > m.spec.position_lots_max:
        return QTY_OUT_OF_RANGE
    if p.price < 1 or p.price > m.ticks_max or (
            p.trigger_kind and (p.trigger_price < 1 or p.trigger_price > m.ticks_max)):
        return PRICE_OUT_OF_RANGE
    if p.side > 1:
        return SIDE_MISMATCH
    if p.time_in_force > 2 or p.trigger_kind > 2 or p.flags > 3 or (
            p.flags & POST_ONLY and p.time_in_force):
        return TIME_IN_FORCE
    return 0


cdef inline bint is_plain(const CoreC* c, const MarketC* m, const CommandC* p) noexcept nogil:
    """`check_form` has nothing against the order, its nonce aside, which is one of the account's
    newest 64, and it has neither trigger nor flags, post-only apart.
    """
    return m != NULL and m.state == STATE_OPEN and not p.trigger_kind and (
        p.flags == 0 or (p.flags == POST_ONLY and p.time_in_force == TIF_GTC)) and (
        p.account - 1 < c.account_count - 1 and p.price - 1 < m.ticks_max) and (
        p.side <= 1 and p.time_in_force <= TIF_FOK and p.expiry_s > now_s(c)) and (
        p.qty - 1 < ORDER_LOTS_MAX and <int64_t> p.qty <= m.spec.position_lots_max) and (
        is_near(c, p.account, p.nonce))


cdef inline bint is_ample(const MarketC* m, const CommandC* p) noexcept nogil:
    """The margin is more than `required_margin` can be: what most orders are, without a division.

    The bound takes all lots as opening, the worse of price and mark for both notionals, and 10^6 as
    2^19. A notional is below 2^60 (NUM-1) and two rates are at most 2 * 10^6, so that the sum stays
    below 2^63.
    """
    cdef int64_t mark = m.mark_price
    cdef int64_t worst = max(<int64_t> p.price, mark)
    cdef int64_t loss = worst - (mark ^ ((mark ^ p.price) & -<int64_t> p.side))
    cdef int64_t value = p.qty * m.spec.quote_per_tick_lot
    cdef int64_t notional = value * worst
    cdef int64_t rate = <int64_t> m.spec.fee_taker + m.spec.tiers[0].rate_initial
    return (m.spec.tier_count == 1 or notional < m.spec.tiers[1].notional_floor) and (
        p.amount >= ((notional >> 19) + 1) * rate + loss * value)


cdef inline int64_t opening_lots(const BucketC* b, const CommandC* p) noexcept nogil:
    """Lots of the order that would not close what the bucket holds now."""
    return max(<int64_t> p.qty - reducible(b, p.side), 0)


cdef inline bint is_met(const CommandC* p, int64_t reference) noexcept nogil:
    """The trigger of kind 1 or 2 is due at the reference price, 0 where there is none yet."""
    if reference == 0:
        return False
    return p.trigger_price <= reference if p.trigger_kind == 1 else p.trigger_price >= reference


cdef inline cold_int check_to_wait(
    MarketC* m, const BucketC* b, const CommandC* p, int64_t reference
) noexcept nogil:
    """TRIG-4: whether the order is due already; its margin at its trigger price."""
    cdef int64_t lots = opening_lots(b, p)
    if is_met(p, reference):
        return PRICE_OUT_OF_RANGE
    if not p.flags & REDUCE_ONLY and lots > 0 and (
            0 <= p.amount < margin_to_wait(m, p.trigger_price, lots)):
        return INSUFFICIENT_MARGIN
    return 0


cdef inline inlined_int check_standing(
    CoreC* c, MarketC* m, BucketC* b, const CommandC* p, int64_t reference, bint plain
) noexcept nogil:
    """Reasons 14 to 46 of an order that needs no look at the book's depth.

    A trigger watches `reference`: the mark, or the last price. `plain`, a constant, says that the
    order is; then the compiler leaves out what cannot be.
    """
    cdef bint reduces = not plain and p.flags & REDUCE_ONLY
    cdef bint waits = not plain and p.trigger_kind
    cdef int to_wait = 0
    if unlikely(p.flags & POST_ONLY != 0) and not waits and would_take(c, m, p.side, p.price):
        return POST_ONLY_WOULD_TAKE
    if reduces and (p.amount or not (
            is_backed(b, p.side) if waits else reducible(b, p.side) != 0)):
        return REASON_REDUCE_ONLY
    if m.mark_price == 0:
        return NO_PRICE
    if waits:
        to_wait = check_to_wait(m, b, p, reference)
        if to_wait == PRICE_OUT_OF_RANGE:
            return to_wait
    if p.time_in_force == TIF_GTC and not waits and is_beyond_band(m, p.side, p.price):
        return PRICE_BAND
    if <uint64_t> p.amount > <uint64_t> (QUOTE_MAX - b.margin[p.side]):   # or it is below 0
        return AMOUNT_OUT_OF_RANGE
    if not reduces and p.time_in_force == TIF_GTC and not is_ample(m, p) and (
            p.amount < required_margin(m, p.side, p.price, opening_lots(b, p))):
        return INSUFFICIENT_MARGIN
    if to_wait:
        return to_wait
    if b.is_frozen:
        return REASON_FROZEN
    if c.is_risk_paused and not reduces and opening_lots(b, p) > 0:
        return RISK_PAUSED
    return 0


cdef inline int64_t reserved_with(const BucketC* b, const CommandC* p, bint plain) noexcept nogil:
    """What the bucket would reserve with the order in it."""
    if not plain and p.flags & REDUCE_ONLY:
        return b.reserved
    return reservation_with(b, p.side, p.amount, p.qty)


cdef inline void fill_order(OrderC* order, const CommandC* p, bint plain) noexcept nogil:
    order.nonce = p.nonce
    order.margin = p.amount
    order.price = p.price
    order.qty = p.qty
    order.remaining = p.qty
    order.expiry_s = p.expiry_s
    order.side = p.side
    order.time_in_force = p.time_in_force
    order.flags = p.flags
    if not plain and p.trigger_kind:
        order.flags |= TRIGGER_ABOVE if p.trigger_kind == 1 else TRIGGER_BELOW


cdef inline inlined accept(
    CoreC* c, MarketC* m, BucketC* b, uint32_t slot, const CommandC* p, int64_t reserved, bint plain
) noexcept nogil:
    """Reserve, announce, then match or wait for the trigger."""
    cdef OrderC* order = &c.orders[slot]
    cdef EventC* event
    fill_order(order, p, plain)
    tag_order(c, slot, p.session)
    if not plain and p.flags & REDUCE_ONLY:
        join(c, slot)
    if plain or not p.flags & REDUCE_ONLY:
        b.margin[p.side] += p.amount
        b.lots[p.side] += p.qty
    c.accounts[p.account].reserved += reserved - b.reserved
    b.reserved = reserved
    event = next_event(c)
    event.kind = ORDER_ACCEPTED
    event.side = p.side
    event.reason = 0
    event.flags = p.flags
    event.market_id = p.market_id
    event.reserved = 0
    event.account = p.account
    event.account_2 = 0
    event.order_id = order.id
    event.order_id_2 = p.nonce
    event.price = p.price
    event.remaining = p.qty
    event.qty = p.qty
    event.amount = p.amount
    event.amount_2 = 0
    if not plain and p.trigger_kind:
        await_trigger(c, m, slot, p.trigger_price)
    elif plain and p.time_in_force == TIF_GTC and not takes(
            p.side, p.price, m.sides[1 - p.side].best):
        rest_order(c, m, slot, p.qty)
    else:
        execute(c, m, slot)


cdef inline cold_int has_place_among(
    const CoreC* c, uint32_t account, const BucketC* b
) noexcept nogil:
    """ORD-1: room for another order of a bucket that has many. At most MARKETS_MAX steps."""
    cdef uint32_t total = 0
    cdef uint32_t k
    if b.order_count >= BUCKET_ORDERS_MAX:
        return 0
    if c.market_count * BUCKET_ORDERS_MAX <= ACCOUNT_ORDERS_MAX:
        return 1
    for k in range(c.market_count):
        total += c.buckets[bucket_at(c, account, c.markets[k])].order_count   # of bucket 0 none
    return total < ACCOUNT_ORDERS_MAX


cdef inline bint has_place(const CoreC* c, uint32_t account, const BucketC* b) noexcept nogil:
    """ORD-1: what an account has in all markets bounds the walk of a mass cancel."""
    return b.order_count < BUCKET_ORDERS_FREE or has_place_among(c, account, b)


cdef inline bint has_room_to_wait(const BucketC* b, const CommandC* p) noexcept nogil:
    """TRIG-4."""
    return not p.trigger_kind or b.waiting_count < BUCKET_WAITING_MAX


cdef inline inlined place_formed(
    CoreC* c, MarketC* m, const CommandC* p, bint plain
) noexcept nogil:
    """An order that is well-formed: `check_form` has nothing against it."""
    # Bucket 0 stays empty: an account without a bucket is judged on it.
    cdef uint32_t bucket = bucket_at(c, p.account, m)
    cdef uint32_t slot
    cdef BucketC* b = &c.buckets[bucket]
    cdef int reason = check_standing(c, m, b, p, m.mark_price, plain)
    cdef int64_t reserved = 0
    if reason == 0:
        reserved = reserved_with(b, p, plain)
        if reserved - b.reserved > (
                c.accounts[p.account].free - c.accounts[p.account].reserved):
            reason = INSUFFICIENT_FREE
    if reason == 0 and has_place(c, p.account, b) and (
            c.order_free or c.order_top < c.order_capacity) and (plain or (
                has_room_to_wait(b, p) and has_nonce_room(c, p.account, p.nonce))):
        if unlikely(bucket == 0):
            bucket = ensure_bucket(c, p.account, m)
        slot = new_order(c, bucket) if bucket else 0
        if plain and slot:
            use_near_nonce(c, p.account, p.nonce)
        if slot and (plain or use_nonce(c, p.account, p.nonce)):
            accept(c, m, &c.buckets[bucket], slot, p, reserved, plain)
            return
        if slot:
            free_order(c, slot)
    refuse(c, m, ORDER_REJECTED, p, reason if reason else CAPACITY)


cdef inline apart place_other(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    """An order that is not plain, or not well-formed."""
    cdef int reason = check_form(c, m, p)
    if reason == 0:
        place_formed(c, m, p, False)
    else:
        refuse(c, m, ORDER_REJECTED, p, reason)


cdef inline apart place_plain(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    place_formed(c, m, p, True)


cdef inline apart place(CoreC* c, const CommandC* p) noexcept nogil:
    cdef MarketC* m = market_of(c, p)
    if unlikely(not is_plain(c, m, p)):
        place_other(c, m, p)
    elif unlikely(near_nonce_used(c, p.account, p.nonce)):
        refuse(c, m, ORDER_REJECTED, p, NONCE_USED)
    else:
        place_plain(c, m, p)


cdef inline uint32_t nonce_in(const CoreC* c, uint32_t newest, uint64_t nonce) noexcept nogil:
    """Slot of a list's order with the nonce; down to the first that has been entered by name."""
    cdef uint32_t slot = newest
    while slot and c.orders[slot].nonce != nonce:
        slot = c.orders[slot].bucket_next if not c.orders[slot].flags & NAMED else 0
    return slot


cdef inline uint64_t order_of_nonce(
    const CoreC* c, uint32_t account, uint64_t nonce
) noexcept nogil:
    """Id of the account's live order with the nonce, 0 when there is none; changes nothing."""
    cdef uint32_t slot = find_name(c, account, nonce)
    cdef uint32_t k, bucket
    for k in range(c.market_count):
        bucket = bucket_at(c, account, c.markets[k])
        if slot:
            break
        slot = nonce_in(c, c.buckets[bucket].orders, nonce)   # bucket 0 has none
        if slot == 0:
            slot = nonce_in(c, c.buckets[bucket].followers, nonce)
    return c.orders[slot].id


cdef inline uint32_t find_order(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    """Slot of the account's live order with the nonce, 0 when there is none.

    Enters what no look-up has met yet, so that each order is walked over once.
    """
    cdef uint32_t found, k, bucket, kind, slot
    if not nonce_used(c, account, nonce):
        return 0
    found = find_name(c, account, nonce)
    for k in range(0 if found else c.market_count):
        bucket = bucket_at(c, account, c.markets[k])
        for kind in range(2):    # bucket 0 has none
            slot = c.buckets[bucket].followers if kind else c.buckets[bucket].orders
            while slot and not c.orders[slot].flags & NAMED:
                add_name(c, slot)
                if c.orders[slot].nonce == nonce:
                    found = slot
                slot = c.orders[slot].bucket_next
    return found


cdef inline apart cancel(CoreC* c, const CommandC* p) noexcept nogil:
    """By order id, or by nonce when the id is 0."""
    cdef uint64_t order_id = p.order_id
    cdef uint32_t slot
    cdef OrderC* order
    if order_id == 0 and p.account < c.account_count:
        order_id = c.orders[find_order(c, p.account, p.nonce)].id
    slot = <uint32_t> (order_id & ((<uint64_t> 1 << SLOT_BITS) - 1))
    order = &c.orders[slot]
    if order_id == 0 or slot >= c.order_top or order.id != order_id or (
            c.buckets[order.bucket].account != p.account):
        refuse(c, NULL, COMMAND_REJECTED, p, ORDER_UNKNOWN)
        return
    drop_order(c, c.markets[c.buckets[order.bucket].market], slot, USER_CANCELED)


cdef inline void cancel_all(CoreC* c, const CommandC* p) noexcept nogil:
    """CXL-1: the account's orders, of one market, side or session, or of each."""
    cdef MarketC* m = market_of(c, p)
    cdef uint32_t k, bucket
    if p.market_id and m == NULL:
        refuse(c, NULL, COMMAND_REJECTED, p, MARKET_UNKNOWN)
    elif p.account == 0 or p.account >= c.account_count:
        refuse(c, NULL, COMMAND_REJECTED, p, ACCOUNT_UNKNOWN)
    else:
        for k in range(c.market_count):
            if m == NULL or c.markets[k] == m:
                bucket = bucket_at(c, p.account, c.markets[k])
                if bucket and p.session:
                    cancel_session(c, c.markets[k], bucket, p.side, p.session)
                elif bucket:
                    cancel_bucket(c, c.markets[k], bucket, p.side, USER_CANCELED)


cdef inline void cancel_session(
    CoreC* c, MarketC* m, uint32_t bucket, int side, uint32_t session
) noexcept nogil:
    """Cancel the bucket's orders of a side (2: both) that this session has placed."""
    cdef WalkC walk = walk_from(&c.buckets[bucket])
    cdef uint32_t slot = step_down(c, &walk)
    while slot:
        if c.orders[slot].flags & TAGGED and c.tags[slot].session == session and (
                side == 2 or c.orders[slot].side == side):
            drop_order(c, m, slot, USER_CANCELED)
        slot = step_down(c, &walk)


cdef inline void deposit(CoreC* c, const CommandC* p) noexcept nogil:
    """Deposits arrive in the chain's order: each number once."""
    cdef EventC* event
    if p.account == 0 or p.account >= c.account_count:
        refuse(c, NULL, COMMAND_REJECTED, p, ACCOUNT_UNKNOWN)
    elif p.nonce <= c.deposit_seq:
        refuse(c, NULL, COMMAND_REJECTED, p, NONCE_USED)
    elif p.amount < 1 or p.amount > QUOTE_MAX - c.deposits:
        refuse(c, NULL, COMMAND_REJECTED, p, AMOUNT_OUT_OF_RANGE)
    else:
        c.deposit_seq = p.nonce
        c.deposits += p.amount
        c.accounts[p.account].free += p.amount
        event = emit(c, DEPOSITED, NULL)
        event.account = p.account
        event.amount = p.amount
        event.order_id_2 = p.nonce


cdef inline int check_signed(CoreC* c, const CommandC* p) noexcept nogil:
    """What collateral moves and withdrawals share."""
    if p.account == 0 or p.account >= c.account_count:
        return ACCOUNT_UNKNOWN
    if p.expiry_s <= now_s(c):
        return EXPIRED
    if is_ascending(p.nonce) or nonce_used(c, p.account, p.nonce):
        return NONCE_USED
    return 0


cdef inline void move_collateral(CoreC* c, const CommandC* p) noexcept nogil:
    """COLL-1: top up what is not reserved, take out down to the initial requirement."""
    cdef MarketC* m = market_of(c, p)
    cdef int reason = MARKET_UNKNOWN if m == NULL else check_signed(c, p)
    cdef uint32_t bucket = 0
    cdef BucketC* b
    cdef FillC f
    cdef EventC* event
    if reason == 0:
        bucket = bucket_at(c, p.account, m)
        b = &c.buckets[bucket]
        if m.state == STATE_SETTLED:
            reason = MARKET_STATE
        elif m.mark_price == 0:
            reason = NO_PRICE
        elif b.position.lots == 0:
            reason = NO_POSITION
        elif p.amount == 0 or p.amount > QUOTE_MAX or p.amount < -QUOTE_MAX:
            reason = AMOUNT_OUT_OF_RANGE
        elif b.is_frozen:
            reason = REASON_FROZEN
        elif c.is_risk_paused and p.amount < 0:
            reason = RISK_PAUSED
        elif p.amount < 0 and not price_holds(c, m):
            reason = PRICE_STALE
        elif p.amount > 0:
            reason = top_up(&f, &b.position, m.funding_index, p.amount,
                            c.accounts[p.account].free - c.accounts[p.account].reserved)
        else:
            reason = take_out(&m.spec, &f, &b.position, m.funding_index, m.mark_price, -p.amount)
            if reason == 0 and f.free_delta > m.pot:
                reason = MARKET_CANNOT_PAY
    if reason == 0 and not claim_nonce(c, p.account, p.nonce):
        reason = CAPACITY
    if reason:
        refuse(c, m, COMMAND_REJECTED, p, reason)
        return
    commit(c, m, bucket, &f)
    event = emit(c, COLLATERAL_MOVED, m)
    event.account = p.account
    event.amount = p.amount
    event.order_id_2 = p.nonce


cdef inline void withdraw(CoreC* c, const CommandC* p) noexcept nogil:
    """COLL-2: what is neither in a position nor reserved by an order."""
    cdef int reason = check_signed(c, p)
    cdef EventC* event
    if reason == 0:
        if p.amount < 1 or p.amount > QUOTE_MAX:
            reason = AMOUNT_OUT_OF_RANGE
        elif p.amount > c.accounts[p.account].free - c.accounts[p.account].reserved:
            reason = INSUFFICIENT_FREE
        elif not claim_nonce(c, p.account, p.nonce):
            reason = CAPACITY
    if reason:
        refuse(c, NULL, COMMAND_REJECTED, p, reason)
        return
    c.accounts[p.account].free -= p.amount
    c.withdrawals += p.amount
    event = emit(c, WITHDRAWN, NULL)
    event.account = p.account
    event.amount = p.amount
    event.order_id_2 = p.nonce


cdef inline bint is_too_late(CoreC* c, const MarketC* m, int64_t time_ms) noexcept nogil:
    """EXP-2: a row that is not the market's last, and no row of it any more, until a day later.

    Or one that parameters which do not hold yet would make the last.
    """
    cdef int64_t end_s = m.spec.expiry_time_s
    if m.pending_from_s and m.pending_from_s <= now_s(c):
        end_s = m.pending.expiry_time_s
    elif m.pending_from_s and ends_at(&m.pending, time_ms):
        return True
    return end_s != 0 and time_ms > end_s * 1000 + SETTLEMENT_WINDOW_MS and (
        now_s(c) < end_s + SETTLEMENT_WAIT_S)


cdef inline bint is_too_early(CoreC* c, const MarketC* m, int64_t time_ms) noexcept nogil:
    """EXP-2: a row at or after the end that an announced set names, before that set is due."""
    return m.pending_from_s > now_s(c) and m.pending.expiry_time_s != 0 and (
        time_ms >= m.pending.expiry_time_s * 1000)


cdef inline void set_price(CoreC* c, const CommandC* p) noexcept nogil:
    """An index price whose signature the shell has checked; its time does not go back."""
    cdef MarketC* m = market_of(c, p)
    cdef int64_t time_ms = <int64_t> p.order_id
    if m == NULL:
        refuse(c, NULL, COMMAND_REJECTED, p, MARKET_UNKNOWN)
    elif m.state == STATE_SETTLED:
        refuse(c, m, COMMAND_REJECTED, p, MARKET_STATE)
    elif p.price < 1 or p.price > m.ticks_max:
        refuse(c, m, COMMAND_REJECTED, p, PRICE_OUT_OF_RANGE)
    elif time_ms < m.index_time_ms or (
            now_s(c) * 1000 - time_ms > m.spec.index_age_max_ms) or (
            time_ms > now_s(c) * 1000 + INDEX_AHEAD_MAX_MS) or is_too_late(c, m, time_ms) or (
            is_too_early(c, m, time_ms)):
        refuse(c, m, COMMAND_REJECTED, p, PRICE_STALE)
    else:
        update_price(c, m, p.price, time_ms)


cdef inline cold expire(CoreC* c) noexcept nogil:
    """TIF-1: end what is due, before the command acts; what is above the limit waits."""
    cdef uint32_t _k
    cdef uint32_t slot
    for _k in range(<uint32_t> EXPIRIES_PER_COMMAND_MAX):
        if c.next_expiry_s > now_s(c):
            break
        slot = c.dates[c.date_heap[0]].head
        drop_order(c, market_with(c, &c.orders[slot]), slot, EXPIRED)
    trim_all(c)


cdef inline void set_state(CoreC* c, const CommandC* p) noexcept nogil:
    cdef MarketC* m = market_of(c, p)
    cdef EventC* event
    if m == NULL:
        refuse(c, NULL, COMMAND_REJECTED, p, MARKET_UNKNOWN)
    elif m.state == STATE_SETTLED:
        refuse(c, m, COMMAND_REJECTED, p, MARKET_STATE)
    elif p.order_id < STATE_OPEN or p.order_id > STATE_DELISTING:
        refuse(c, m, COMMAND_REJECTED, p, AMOUNT_OUT_OF_RANGE)
    elif p.order_id != STATE_HALTED and p.order_id != STATE_AUCTION and is_crossed(m) and (
            not price_holds(c, m)):
        refuse(c, m, COMMAND_REJECTED, p, PRICE_STALE)
    else:
        if not is_continuous(m) and p.order_id != STATE_HALTED:
            begin_grace(c, m)
        m.state = <uint8_t> p.order_id
        event = emit(c, MARKET_STATE_CHANGED, m)
        event.amount = <int64_t> p.order_id
        if m.state == STATE_DELISTING:
            end_opening_orders(c, m)
        if is_continuous(m):
            uncross(c, m)


cdef inline void freeze(CoreC* c, const CommandC* p) noexcept nogil:
    """A settlement item was refused on chain: nothing touches the position until it is thawed."""
    cdef MarketC* m = market_of(c, p)
    cdef uint32_t bucket = 0
    cdef int reason
    cdef EventC* event
    if m == NULL:
        reason = MARKET_UNKNOWN
    elif p.account == 0 or p.account >= c.account_count:
        reason = ACCOUNT_UNKNOWN
    else:
        bucket = bucket_at(c, p.account, m)
        reason = 0 if bucket else NO_POSITION
    if reason:
        refuse(c, m, COMMAND_REJECTED, p, reason)
        return
    c.buckets[bucket].is_frozen = p.order_id != 0
    touch_bucket(c, m, bucket)
    if p.order_id:
        cancel_bucket(c, m, bucket, SIDE_ANY, REASON_FROZEN)
    event = emit(c, FROZEN_CHANGED, m)
    event.account = p.account
    event.amount = p.order_id != 0


cdef inline inlined look_far(CoreC* c, const CommandC* p) noexcept nogil:
    """Fetch what a command of the near future reads first: its account and its order.

    Neither this nor `look_near` asks what kind of command it is: a wrong guess would cost more
    than fetching what nobody needs. Fetching what is not there does no harm.
    """
    prefetch(&c.accounts[p.account])
    prefetch(&c.orders[p.order_id & (((<uint64_t> 1) << SLOT_BITS) - 1)])
    if c.date_count:
        prefetch(&c.tags[p.order_id & (((<uint64_t> 1) << SLOT_BITS) - 1)])
    if unlikely(p.nonce & 63 == 0):     # the account's first of a group stores the one before
        prefetch(&c.nonces[keyed_hash(c, p.account, (p.nonce >> 6) - 1) & (c.nonce_capacity - 1)])


cdef inline inlined look_near(CoreC* c, const CommandC* p) noexcept nogil:
    """Fetch what it reads next: bucket and level, and a cancelled order's neighbours.

    There is a market. Buckets in markets that are not near are not fetched.
    """
    cdef uint32_t slot = <uint32_t> (p.order_id & (((<uint64_t> 1) << SLOT_BITS) - 1))
    cdef uint8_t listed = c.market_slot_of[p.market_id]
    cdef uint8_t at = listed - (listed > 0)   # a cancel need not name its market
    cdef MarketC* m = c.markets[at]
    cdef BucketC* b
    if unlikely(slot >= c.order_top or p.account >= c.account_count):
        return
    b = &c.buckets[c.accounts[p.account].buckets[at % NEAR_MARKETS]]
    prefetch(b)
    prefetch(<char*> b + 64)
    # A cancel has neither side nor price, a new order no slot: one sum for both.
    prefetch(&m.sides[(p.side | c.orders[slot].side) & 1].levels[p.price + c.orders[slot].price])
    prefetch(&c.orders[c.orders[slot].previous])
    prefetch(&c.orders[c.orders[slot].next])
    if c.date_count:
        prefetch(&c.tags[c.tags[slot].date_previous])
        prefetch(&c.tags[c.tags[slot].date_next])


cdef inline void advance(CoreC* c, const CommandC* p) noexcept nogil:
    """Time passes, then the command is counted; TIF-1: what is due ends before it acts."""
    if p.time_ns > c.time_ns:
        c.time_ns = p.time_ns
        c.time_s = <int64_t> (<uint64_t> c.time_ns // <uint64_t> 1000000000)
    c.seq += 1
    if unlikely(c.next_expiry_s <= c.time_s):
        expire(c)


cdef inline void settle_command(CoreC* c) noexcept nogil:
    """What a command leaves to be done when it has acted."""
    if unlikely(c.trim_count != 0):
        trim_all(c)
    if unlikely(c.has_traded):
        fire_due(c)
    if unlikely(c.emptied_count != 0):
        give_some_back(c)


cdef inline cold act_rarely(CoreC* c, const CommandC* p) noexcept nogil:
    """Apply a command that neither places nor cancels one order."""
    if p.kind == KIND_CANCEL_ALL:
        cancel_all(c, p)
    elif p.kind == KIND_PRICE:
        set_price(c, p)
    elif p.kind == KIND_DEPOSIT:
        deposit(c, p)
    elif p.kind == KIND_MOVE_COLLATERAL:
        move_collateral(c, p)
    elif p.kind == KIND_WITHDRAW:
        withdraw(c, p)
    elif p.kind == KIND_SET_MARKET_STATE:
        set_state(c, p)
    elif p.kind == KIND_SETTLEMENT_REJECTED:
        freeze(c, p)


cdef inline void act(CoreC* c, const CommandC* p) noexcept nogil:
    """What a command of a kind that exists does itself."""
    if p.kind == KIND_PLACE:
        place(c, p)
    elif p.kind == KIND_CANCEL:
        cancel(c, p)
    else:
        act_rarely(c, p)


cdef inline void dispatch(CoreC* c, const CommandC* p) noexcept nogil:
    """Apply one command of a kind that exists."""
    advance(c, p)
    act(c, p)
    settle_command(c)
