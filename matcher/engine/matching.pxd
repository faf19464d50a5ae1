"""Price-time matching with both sides' margin checked before each fill."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from margin_core.transitions cimport fill
from margin_core.types cimport FillC, PositionC, VERDICT_OK
from matcher.engine.ladder cimport next_down, next_up, unlikely
from matcher.engine.store cimport (
    EXPIRED, FILL, FOK_NOT_FILLABLE, IMMEDIATE_REMAINDER, POST_ONLY_WOULD_TAKE, REASON_FROZEN,
    REASON_REDUCE_ONLY, SELF_TRADE, commit, count_order, drop_order, emit, free_order, now_s,
    owner_of, rest_order, trim_orders, unrest_order, update_reservation, usable)
from matcher.engine.types cimport (
    BucketC, CoreC, EventC, LadderC, MarketC, ORDER_TAKING, OrderC, POST_ONLY, REDUCE_ONLY,
    TRIALS_MAX, TRIMS_MAX, TrialC, WITH_MARGIN)

cdef enum:
    TIF_GTC = 0
    TIF_IOC = 1
    TIF_FOK = 2
    NOBODY = 0xFFFFFFFF


cdef inline int64_t reducible(const BucketC* b, int side) noexcept nogil:
    """Lots that a fill on `side` can take off the bucket's position."""
    return reducible_lots(&b.position, side)


cdef inline bint reaches(int side, uint32_t limit, uint32_t price) noexcept nogil:
    """Whether an order of `side` with that limit may trade at `price`, 0 where there is none."""
    return price != 0 and (price <= limit if side == 0 else price >= limit)


cdef inline int64_t maker_lots(
    CoreC* c, MarketC* m, uint32_t slot, uint32_t taker_account
) noexcept nogil:
    """Lots that the resting order can give now; 0 after it was cancelled; -1 for a self-trade."""
    cdef OrderC* maker = &c.orders[slot]
    cdef int64_t lots
    if unlikely(maker.expiry_s <= now_s(c)):
        drop_order(c, m, slot, EXPIRED)
        return 0
    if WITH_MARGIN and unlikely(c.buckets[maker.bucket].is_frozen):
        drop_order(c, m, slot, REASON_FROZEN)
        return 0
    if unlikely(owner_of(c, maker) == taker_account):
        return -1
    if WITH_MARGIN and unlikely(maker.flags & REDUCE_ONLY):
        lots = reducible(&c.buckets[maker.bucket], maker.side)
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
    """Book the fill on the resting order, first of its level, and end it when it is filled."""
    cdef OrderC* maker = &c.orders[slot]
    cdef uint32_t bucket = maker.bucket
    if lots == maker.remaining:
        unrest_order(c, m, slot)
        if WITH_MARGIN:
            settle_order(c, m, slot, lots, f)
        free_order(c, slot)
    else:
        m.sides[maker.side].levels[maker.price].lots -= lots
        if WITH_MARGIN:
            settle_order(c, m, slot, lots, f)
        else:
            maker.remaining -= <uint32_t> lots
    if WITH_MARGIN:
        trim_later(c, m, bucket)


cdef inline EventC* emit_fill(
    CoreC* c, MarketC* m, uint8_t kind, uint32_t maker_slot, int64_t lots, int64_t maker_fee
) noexcept nogil:
    """The maker's half of a fill event; to be called before the maker is booked."""
    cdef OrderC* maker = &c.orders[maker_slot]
    cdef EventC* event = emit(c, kind, m)
    event.account = owner_of(c, maker)
    event.order_id = maker.id
    event.side = 1 - maker.side
    event.price = maker.price
    event.qty = lots
    event.remaining = maker.remaining - <uint32_t> lots
    event.amount = maker_fee
    m.last_price = maker.price
    return event


cdef inline int judge_taker(
    CoreC* c, MarketC* m, uint32_t slot, int64_t lots, int64_t price, FillC* f
) noexcept nogil:
    """Outcome of `lots` at `price` for the incoming order."""
    cdef OrderC* taker = &c.orders[slot]
    cdef BucketC* b = &c.buckets[taker.bucket]
    return fill(&m.spec, f, &b.position, m.funding_index, m.mark_price,
                1 if taker.side == 0 else -1, lots, price, m.spec.fee_taker, taker.margin,
                taker.qty, taker.qty - taker.remaining, usable(c, b))


cdef inline uint8_t sweep(CoreC* c, MarketC* m, uint32_t slot, int side) noexcept nogil:
    """MATCH-1 to MATCH-3 for an order of `side`. Returns why it ends here, 0: no match is left."""
    cdef OrderC* taker = &c.orders[slot]
    cdef LadderC* opposite = &m.sides[1 - side]
    cdef uint32_t account = owner_of(c, taker)
    cdef uint32_t maker_slot
    cdef int64_t lots
    cdef int verdict
    cdef FillC made, taken
    cdef EventC* event
    if not WITH_MARGIN and account == 0:
        account = NOBODY
    while taker.remaining and reaches(side, taker.price, opposite.best):
        maker_slot = opposite.levels[opposite.best].head
        lots = maker_lots(c, m, maker_slot, account)
        if unlikely(lots <= 0):
            if lots < 0:
                return SELF_TRADE
            continue
        lots = min(lots, <int64_t> taker.remaining)
        if WITH_MARGIN:
            if taker.flags & REDUCE_ONLY:
                lots = min(lots, reducible(&c.buckets[taker.bucket], side))
                if lots == 0:
                    return REASON_REDUCE_ONLY
            verdict = judge_maker(c, m, maker_slot, lots, &made)
            if unlikely(verdict != VERDICT_OK):
                drop_order(c, m, maker_slot, <uint8_t> verdict)
                continue
            verdict = judge_taker(c, m, slot, lots, opposite.best, &taken)
            if unlikely(verdict != VERDICT_OK):
                return <uint8_t> verdict
        event = emit_fill(c, m, FILL, maker_slot, lots, made.fee if WITH_MARGIN else 0)
        event.account_2 = owner_of(c, taker)
        event.order_id_2 = taker.id
        if WITH_MARGIN:
            event.amount_2 = taken.fee
            settle_order(c, m, slot, lots, &taken)
        else:
            taker.remaining -= <uint32_t> lots
        settle_maker(c, m, maker_slot, lots, &made)
        if WITH_MARGIN:
            trim_later(c, m, taker.bucket)
    return 0


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


cdef inline int64_t lone_lots(CoreC* c, uint32_t slot, const OrderC* taker) noexcept nogil:
    """Lots that the resting order gives in a book without margin; -1: the taker ends here."""
    cdef OrderC* maker = &c.orders[slot]
    if maker.expiry_s <= now_s(c):
        return 0
    return -1 if taker.bucket and maker.bucket == taker.bucket else <int64_t> maker.remaining


cdef inline bint fok_fillable(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """MATCH-4: the whole order fills, step by step as `sweep` would do it, on copies."""
    cdef OrderC* taker = &c.orders[slot]
    cdef LadderC* side = &m.sides[1 - taker.side]
    cdef uint32_t price = side.best
    cdef uint32_t trials = 0
    cdef TrialC* own = trial_of(c, taker.bucket, &trials) if WITH_MARGIN else NULL
    cdef int64_t missing = taker.remaining
    cdef int64_t lots
    cdef uint32_t at
    while reaches(taker.side, taker.price, price):
        at = side.levels[price].head
        while at:
            if WITH_MARGIN:
                lots = try_maker(c, m, at, taker, own, missing, &trials)
            else:
                lots = lone_lots(c, at, taker)
            if lots < 0:
                return False
            missing -= lots
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
    if reaches(order.side, order.price, m.sides[1 - order.side].best):
        if order.flags & POST_ONLY:
            reason = POST_ONLY_WOULD_TAKE
        elif order.time_in_force == TIF_FOK and not fok_fillable(c, m, slot):
            reason = FOK_NOT_FILLABLE
        elif order.side == 0:
            reason = sweep(c, m, slot, 0)
        else:
            reason = sweep(c, m, slot, 1)
    elif order.time_in_force == TIF_FOK:
        reason = FOK_NOT_FILLABLE
    if order.remaining == 0:
        free_order(c, slot)
    elif reason:
        drop_order(c, m, slot, reason)
    elif order.time_in_force != TIF_GTC:
        drop_order(c, m, slot, IMMEDIATE_REMAINDER)
    else:
        rest_order(c, m, slot)
    if WITH_MARGIN and unlikely(c.trim_count != 0):
        trim_all(c, m)
