"""Price-time matching with both sides' margin checked before each fill."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from margin_core.transitions cimport fill
from margin_core.types cimport FillC, PositionC, VERDICT_OK
from matcher.engine.ladder cimport next_down, next_up, unlikely
from matcher.engine.store cimport (
    EXPIRED, FILL, FOK_NOT_FILLABLE, IMMEDIATE_REMAINDER, POST_ONLY_WOULD_TAKE, REASON_FROZEN,
    REASON_REDUCE_ONLY, SELF_TRADE, commit, count_order, drop_order, emit, free_order, now_s,
    rest_order, trim_orders, unrest_order, update_reservation, usable)
from matcher.engine.types cimport (
    BucketC, CoreC, EventC, LadderC, MarketC, ORDER_TAKING, OrderC, POST_ONLY, REDUCE_ONLY,
    TRIALS_MAX, TRIMS_MAX, TrialC)

cdef enum:
    TIF_GTC = 0
    TIF_IOC = 1
    TIF_FOK = 2


cdef inline int64_t reducible(const BucketC* b, int side) noexcept nogil:
    """Lots that a fill on `side` can take off the bucket's position."""
    return reducible_lots(&b.position, side)


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


cdef inline void trim_later(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """Remember a bucket that reserves too much now: orders are cancelled after the command."""
    cdef BucketC* b = &c.buckets[bucket]
    if unlikely(c.accounts[b.account].reserved > c.accounts[b.account].free) and not b.must_trim:
        if c.trim_count == TRIMS_MAX:
            trim_orders(c, m, bucket)
        else:
            b.must_trim = 1
            c.trims[c.trim_count] = bucket
            c.trim_count += 1


cdef inline void trim_all(CoreC* c, MarketC* m) noexcept nogil:
    """ORD-3, after the fills of a command."""
    cdef uint32_t k
    for k in range(c.trim_count):
        c.buckets[c.trims[k]].must_trim = 0
        trim_orders(c, m, c.trims[k])
    c.trim_count = 0


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
    trim_later(c, m, bucket)


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
    """One step against the best opposite order; false at the end, `reason` why (0: no match)."""
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
    trim_later(c, m, taker.bucket)
    return True


cdef inline TrialC* trial_of(CoreC* c, uint32_t bucket, uint32_t* count) noexcept nogil:
    """The copy on which the bucket's fills are tried; NULL when there are too many."""
    cdef uint32_t k
    for k in range(count[0]):
        if c.trials[k].bucket == bucket:
            return &c.trials[k]
    if count[0] == TRIALS_MAX:
        return NULL
    c.trials[count[0]].bucket = bucket
    c.trials[count[0]].position = c.buckets[bucket].position
    c.trials[count[0]].spendable = usable(c, &c.buckets[bucket])
    count[0] += 1
    return &c.trials[count[0] - 1]


cdef inline int try_fill(
    MarketC* m, TrialC* trial, const OrderC* order, int64_t filled, int64_t lots, int64_t price,
    int32_t fee_ppm
) noexcept nogil:
    """Fill `lots` on the copy, as the real fill will do it. Returns the verdict."""
    cdef FillC f
    cdef int verdict = fill(
        &m.spec, &f, &trial.position, m.funding_index, m.mark_price, 1 if order.side == 0 else -1,
        lots, price, fee_ppm, order.margin, order.qty, filled, trial.spendable)
    if verdict == VERDICT_OK:
        trial.position = f.position
        trial.spendable += f.free_delta
    return verdict


cdef inline int64_t reducible_lots(const PositionC* p, int side) noexcept nogil:
    """Lots that a fill on `side` can take off the position."""
    if side == 0:
        return -p.lots if p.lots < 0 else 0
    return p.lots if p.lots > 0 else 0


cdef inline int64_t try_maker(
    CoreC* c, MarketC* m, uint32_t slot, const OrderC* taker, TrialC* own, int64_t missing,
    uint32_t* trials
) noexcept nogil:
    """Lots that the resting order gives the taker on the copies; -1: the taker ends here."""
    cdef OrderC* maker = &c.orders[slot]
    cdef BucketC* b = &c.buckets[maker.bucket]
    cdef TrialC* trial
    cdef int64_t lots = min(missing, <int64_t> maker.remaining)
    if maker.expiry_s <= now_s(c) or b.is_frozen:
        return 0
    trial = trial_of(c, maker.bucket, trials)
    if trial == NULL or trial == own:
        return -1
    if maker.flags & REDUCE_ONLY:
        lots = min(lots, reducible_lots(&trial.position, maker.side))
    if taker.flags & REDUCE_ONLY and lots > reducible_lots(&own.position, taker.side):
        return -1
    if lots == 0 or try_fill(m, trial, maker, maker.qty - maker.remaining, lots, maker.price,
                             m.spec.fee_maker) != VERDICT_OK:
        return 0
    if try_fill(m, own, taker, taker.qty - missing, lots, maker.price,
                m.spec.fee_taker) != VERDICT_OK:
        return -1
    return lots


cdef inline bint fok_fillable(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """MATCH-4: the whole order fills, step by step as `match_one` would do it, on copies."""
    cdef OrderC* taker = &c.orders[slot]
    cdef LadderC* side = &m.sides[1 - taker.side]
    cdef uint32_t price = side.best
    cdef uint32_t trials = 0
    cdef TrialC* own = trial_of(c, taker.bucket, &trials)
    cdef int64_t missing = taker.remaining
    cdef int64_t lots
    cdef uint32_t at
    while crosses(taker, price):
        at = side.levels[price].head
        while at:
            lots = try_maker(c, m, at, taker, own, missing, &trials)
            if lots < 0:
                return False
            missing -= lots
            if missing == 0:
                return True
            at = c.orders[at].next
        price = next_up(side, price + 1) if taker.side == 0 else next_down(side, price - 1)
    return False


cdef inline void execute(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Match the order, then rest, end or cancel what remains."""
    cdef OrderC* order = &c.orders[slot]
    cdef uint8_t reason = 0
    order.state = ORDER_TAKING
    if order.flags & POST_ONLY and crosses(order, m.sides[1 - order.side].best):
        reason = POST_ONLY_WOULD_TAKE
    elif order.time_in_force == TIF_FOK and not fok_fillable(c, m, slot):
        reason = FOK_NOT_FILLABLE
    else:
        while match_one(c, m, slot, &reason):
            pass
    if order.remaining == 0:
        free_order(c, slot)
    elif reason:
        drop_order(c, m, slot, reason)
    elif order.time_in_force != TIF_GTC:
        drop_order(c, m, slot, IMMEDIATE_REMAINDER)
    else:
        rest_order(c, m, slot)
    if unlikely(c.trim_count != 0):
        trim_all(c, m)
