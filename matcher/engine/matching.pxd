"""Price-time matching with both sides' margin checked before each fill."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from margin_core.transitions cimport fill, open_part, part_of, slice_of, start_fill
from margin_core.types cimport FillC, LINEAR_PERPETUAL, PositionC, VERDICT_OK
from matcher.engine.ladder cimport (
    clear_level, cold, cold_int, flip_of, next_down, next_up, prefetch, unlikely)
from matcher.engine.after cimport cut_order, end_siblings, finish, reducible, reducible_lots
from matcher.engine.limits cimport is_beyond_band, lots_within, protect, required_margin
from matcher.engine.special cimport filled_of, mark_after, shown_of
from matcher.engine.states cimport price_holds
from matcher.engine.store cimport (
    EXPIRED, FILL, FOK_NOT_FILLABLE, IMMEDIATE_REMAINDER, INSUFFICIENT_MARGIN,
    MARKET_CANNOT_PAY, MIN_QTY_NOT_MET,
    OPEN_INTEREST_LIMIT,
    ORDER_REPLENISHED, ORDER_REPRICED, POST_ONLY_WOULD_TAKE, PRICE_BAND, PRICE_STALE, REASON_FROZEN,
    REASON_REDUCE_ONLY,
    RISK_PAUSED, SELF_TRADE, SIBLING_ENDED, commit, count_lots, drop_order, emit, emit_order,
    free_order, now_s, out_of, owner_of, refresh_best, rest_order, update_reservation, usable)
from matcher.engine.types cimport (
    AFTER_MOVE, AFTER_TRIM, BucketC, CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, CoreC, DECREMENT,
    EventC, LadderC, LevelC, MarketC, ORDER_TAKING, OrderC, POST_ONLY, QUEUES_MAX, REDUCE_ONLY,
    SLIDES, SPECIAL, STATE_AUCTION, TRIAL_STEPS_MAX, TRIALS_MAX, TrialC, WITH_MARGIN)

cdef enum:
    TIF_GTC = 0
    TIF_IOC = 1
    TIF_FOK = 2
    NOBODY = 0xFFFFFFFF
    OVERDUE_MAX = 4096           # orders that are due to end which a post-only order looks past


cdef inline bint reaches(int side, uint32_t limit, uint32_t price) noexcept nogil:
    """Whether an order of `side` with that limit may trade at `price`, 0 where there is none."""
    return price != 0 and (price <= limit if side == 0 else price >= limit)


cdef inline bint takes(int side, uint32_t limit, uint32_t price) noexcept nogil:
    """`reaches` for a side that nobody can predict: sells by complement, a price of 0 wraps."""
    cdef uint32_t flip = flip_of(side)
    return ((price - (1 - side)) ^ flip) <= ((limit - (1 - side)) ^ flip)


cdef inline cold_int live_price(CoreC* c, MarketC* m, int side) noexcept nogil:
    """POST-1: best price of `side` that has an order which is not due to end, 0 without any.

    Behind OVERDUE_MAX orders the next one counts, whatever it is.
    """
    cdef LadderC* ladder = &m.sides[side]
    cdef uint32_t price = ladder.best
    cdef uint32_t slot
    cdef int past = 0
    while price:
        slot = ladder.levels[price].head
        while slot:
            if c.orders[slot].expiry_s > now_s(c) or past == OVERDUE_MAX:
                return <int> price
            past += 1
            slot = c.orders[slot].next
        price = next_up(ladder, price + 1) if side else next_down(ladder, price - 1)
    return 0


cdef inline bint would_take(CoreC* c, MarketC* m, int side, uint32_t limit) noexcept nogil:
    """POST-1: an order of `side` with that limit would meet a live one."""
    return takes(side, limit, m.sides[1 - side].best) and (
        takes(side, limit, <uint32_t> live_price(c, m, 1 - side)))


cdef inline bint only_reduces(const CoreC* c, const OrderC* order) noexcept nogil:
    """Whether it may open nothing now: by itself, or because of the guardian's pause (GOV-4)."""
    return order.flags & REDUCE_ONLY != 0 or c.is_risk_paused != 0


cdef inline uint8_t unable(const OrderC* order) noexcept nogil:
    """Why an order ends that may only reduce and finds nothing to reduce."""
    return REASON_REDUCE_ONLY if order.flags & REDUCE_ONLY else RISK_PAUSED


cdef inline cold_int ends_with_sibling(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """OCO-1: its sibling has ended in this command; so does it now."""
    if not WITH_MARGIN or not c.orders[slot].flags & SPECIAL or not c.extras[slot].is_doomed:
        return False
    drop_order(c, m, slot, SIBLING_ENDED)
    return True


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
        return -1 if not ends_with_sibling(c, m, slot) else 0
    if WITH_MARGIN and unlikely(maker.flags & (REDUCE_ONLY | SPECIAL) or c.is_risk_paused):
        if ends_with_sibling(c, m, slot):
            return 0
        lots = shown_of(c, slot)
        if only_reduces(c, maker):
            lots = min(lots, reducible(&c.buckets[maker.bucket], maker.side))
            if lots == 0:
                drop_order(c, m, slot, unable(maker))
        return lots
    return maker.remaining


cdef inline int judge_maker(
    CoreC* c, MarketC* m, uint32_t slot, int64_t lots, FillC* f
) noexcept nogil:
    """Outcome of `lots` for the resting order at its own price."""
    cdef OrderC* maker = &c.orders[slot]
    cdef BucketC* b = &c.buckets[maker.bucket]
    return fill(&m.spec, f, &b.position, m.funding_index, m.mark_price,
                1 if maker.side == 0 else -1, lots, maker.price, m.spec.fee_maker, maker.margin,
                maker.qty, filled_of(c, slot), usable(c, b))


cdef inline int64_t next_slice(const CoreC* c, uint32_t slot, int64_t lots) noexcept nogil:
    """FILL-3: margin of the next `lots` of the order."""
    cdef const OrderC* order = &c.orders[slot]
    cdef int64_t filled = filled_of(c, slot)
    return slice_of(order.margin, order.qty, filled, filled + lots)


cdef inline void settle_order(
    CoreC* c, MarketC* m, uint32_t slot, int64_t lots, int64_t margin_slice, const FillC* f
) noexcept nogil:
    """Book the fill on the order's bucket: position, fee, unfilled margin. Not the level."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    commit(c, m, order.bucket, f)
    c.fees += f.fee
    m.pot -= f.fee
    count_lots(c, b, order, -margin_slice, -lots)
    order.remaining -= <uint32_t> lots
    update_reservation(c, b)


cdef inline void trim_later(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """Remember a bucket that reserves too much now: orders are cancelled after the command."""
    cdef BucketC* b = &c.buckets[bucket]
    if unlikely(c.accounts[b.account].reserved > c.accounts[b.account].free):
        mark_after(c, bucket, AFTER_TRIM)


cdef inline cold trim_all(CoreC* c) noexcept nogil:
    """What waits for the end of the fills: siblings, then each bucket that they have touched."""
    cdef uint32_t k = 0
    while k < c.trim_count:
        end_siblings(c)
        finish(c, c.trims[k])
        k += 1
    c.trim_count = 0


cdef inline void replenish(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """ICE-1: the next part of an iceberg goes to the end of its level."""
    cdef OrderC* order = &c.orders[slot]
    cdef EventC* event = emit(c, ORDER_REPLENISHED, m)
    c.extras[slot].shown = min(c.extras[slot].display, order.remaining)
    rest_order(c, m, slot, c.extras[slot].shown)
    event.account = c.buckets[order.bucket].account
    event.order_id = order.id
    event.order_id_2 = order.nonce
    event.side = order.side
    event.price = order.price
    event.qty = c.extras[slot].shown
    event.remaining = order.remaining


cdef inline void leave_level(CoreC* c, MarketC* m, uint32_t slot, int side) noexcept nogil:
    """Take an order that shows no more lots, the first of its level, out of the book."""
    cdef OrderC* order = &c.orders[slot]
    cdef LadderC* ladder = &m.sides[side]
    cdef LevelC* level = &ladder.levels[order.price]
    level.head = order.next
    c.orders[order.next].previous = 0            # slot 0 takes what goes nowhere
    if order.next == 0:
        level.tail = 0
        clear_level(ladder, order.price)
        refresh_best(ladder, side, order.price)


cdef inline cold show_less(CoreC* c, MarketC* m, uint32_t slot, int64_t lots) noexcept nogil:
    """After a fill of `lots` that leaves something of an order with instructions."""
    cdef OrderC* order = &c.orders[slot]
    if c.extras[slot].display and c.extras[slot].shown == lots:
        leave_level(c, m, slot, order.side)
        replenish(c, m, slot)
    else:
        c.extras[slot].shown -= <uint32_t> lots


cdef inline void book_maker(
    CoreC* c, MarketC* m, uint32_t slot, int side, int64_t lots, int64_t margin_slice,
    const FillC* f
) noexcept nogil:
    """Book the fill on the resting order of `side`, first of its level; end it when filled."""
    cdef OrderC* maker = &c.orders[slot]
    m.sides[side].levels[maker.price].lots -= lots
    if WITH_MARGIN:
        settle_order(c, m, slot, lots, margin_slice, f)
        trim_later(c, m, maker.bucket)
    else:
        maker.remaining -= <uint32_t> lots
    if maker.remaining == 0:
        leave_level(c, m, slot, side)
        free_order(c, slot)
    elif WITH_MARGIN and unlikely(maker.flags & SPECIAL):
        show_less(c, m, slot, lots)


cdef inline void settle_maker(
    CoreC* c, MarketC* m, uint32_t slot, int64_t lots, const FillC* f
) noexcept nogil:
    """Book a fill that no order took on the resting order, first of its level."""
    cdef OrderC* maker = &c.orders[slot]
    book_maker(c, m, slot, maker.side, lots, next_slice(c, slot, lots), f)


cdef inline EventC* emit_fill(
    CoreC* c, MarketC* m, uint8_t kind, uint32_t maker_slot, int64_t lots, int64_t maker_fee
) noexcept nogil:
    """The maker's half of a fill event; to be called before the maker is booked."""
    cdef OrderC* maker = &c.orders[maker_slot]
    cdef EventC* event = emit_order(c, m, kind, 0, maker, owner_of(c, maker))
    event.side = 1 - maker.side
    event.order_id_2 = 0
    event.qty = lots
    event.remaining = maker.remaining - <uint32_t> lots
    event.amount = maker_fee
    m.last_price = maker.price
    if WITH_MARGIN and unlikely(m.last_count != 0):
        m.has_traded = c.has_traded = 1
    return event


cdef inline cold_int meet_own(
    CoreC* c, MarketC* m, uint32_t slot, uint32_t maker_slot
) noexcept nogil:
    """STP-1: what the incoming order asks for when it meets its own account; false: it ends."""
    cdef uint8_t mode = CANCEL_NEWEST
    cdef uint32_t lots
    if WITH_MARGIN and c.orders[slot].flags & SPECIAL:
        mode = c.extras[slot].self_trade
    if mode == CANCEL_OLDEST or mode == CANCEL_BOTH:
        drop_order(c, m, maker_slot, SELF_TRADE)
    elif mode == DECREMENT:
        lots = min(c.orders[slot].remaining, c.orders[maker_slot].remaining)
        if lots == c.orders[maker_slot].remaining:
            drop_order(c, m, maker_slot, SELF_TRADE)
        else:
            cut_order(c, m, maker_slot, lots, SELF_TRADE)
        if lots < c.orders[slot].remaining:
            cut_order(c, m, slot, lots, SELF_TRADE)
            return True
    return mode == CANCEL_OLDEST


cdef inline int judge_order(
    CoreC* c, MarketC* m, uint32_t slot, int side, int64_t lots, int64_t price,
    int32_t fee_ppm, int64_t margin_slice, FillC* f
) noexcept nogil:
    """As `fill`, of `lots` of the order; `margin_slice` is that of all of them."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    cdef int sign = 1 - 2 * side
    if b.position.lots * sign < 0:
        return fill(&m.spec, f, &b.position, m.funding_index, m.mark_price, sign, lots, price,
                    fee_ppm, order.margin, order.qty, filled_of(c, slot), usable(c, b))
    start_fill(f, &b.position, m.funding_index)
    return open_part(LINEAR_PERPETUAL, &m.spec, f, sign, lots, price, m.mark_price, 0, fee_ppm,
                     margin_slice, usable(c, b))


cdef inline int64_t lots_to_trade(
    CoreC* c, MarketC* m, uint32_t one, uint32_t other, int64_t lots
) noexcept nogil:
    """CAP-1 for a fill between two orders of opposite sides."""
    cdef PositionC* a = &c.buckets[c.orders[one].bucket].position
    cdef PositionC* b = &c.buckets[c.orders[other].bucket].position
    if c.orders[one].side == 0:
        return lots_within(m, m.open_interest, a, b, lots)
    return lots_within(m, m.open_interest, b, a, lots)


cdef inline uint8_t sweep(CoreC* c, MarketC* m, uint32_t slot, int side) noexcept nogil:
    """MATCH-1 to MATCH-3 for an order of `side`. Returns why it ends here, 0: no match is left."""
    cdef OrderC* taker = &c.orders[slot]
    cdef LadderC* opposite = &m.sides[1 - side]
    cdef uint32_t account = owner_of(c, taker)
    cdef uint32_t maker_slot
    cdef int64_t lots
    cdef bint reduces = WITH_MARGIN and only_reduces(c, taker)
    cdef int64_t filled = filled_of(c, slot)
    cdef int64_t taken_part = part_of(taker.margin, taker.qty, filled)
    cdef int64_t made_slice = 0
    cdef int64_t taken_slice = 0
    cdef int verdict
    cdef FillC made, taken
    cdef EventC* event
    while taker.remaining and reaches(side, taker.price, opposite.best):
        maker_slot = opposite.levels[opposite.best].head
        prefetch(&c.orders[c.orders[maker_slot].next])
        lots = maker_lots(c, m, maker_slot, account if WITH_MARGIN or account else NOBODY)
        if unlikely(lots <= 0):
            if lots < 0 and not meet_own(c, m, slot, maker_slot):
                return SELF_TRADE
            if WITH_MARGIN and taker.flags & SPECIAL and c.extras[slot].is_doomed:
                return SIBLING_ENDED
            continue
        lots = min(lots, <int64_t> taker.remaining)
        if WITH_MARGIN:
            if unlikely(reduces):
                lots = min(lots, reducible(&c.buckets[taker.bucket], side))
                if lots == 0:
                    return unable(taker)
            if unlikely(m.open_interest + lots > m.spec.open_interest_max):
                lots = lots_to_trade(c, m, slot, maker_slot, lots)
                if lots == 0:
                    return OPEN_INTEREST_LIMIT
            made_slice = next_slice(c, maker_slot, lots)
            verdict = judge_order(c, m, maker_slot, 1 - side, lots, opposite.best, m.spec.fee_maker,
                                  made_slice, &made)
            if unlikely(verdict != VERDICT_OK):
                drop_order(c, m, maker_slot, <uint8_t> verdict)
                continue
            filled = filled_of(c, slot)
            taken_slice = part_of(taker.margin, taker.qty, filled + lots) - taken_part
            verdict = judge_order(c, m, slot, side, lots, opposite.best, m.spec.fee_taker,
                                  taken_slice, &taken)
            if unlikely(verdict != VERDICT_OK):
                return <uint8_t> verdict
            if unlikely(out_of(&made) + out_of(&taken) > m.pot):
                if out_of(&made) <= m.pot:
                    return MARKET_CANNOT_PAY
                drop_order(c, m, maker_slot, MARKET_CANNOT_PAY)
                continue
            prefetch(&c.buckets[c.orders[c.orders[maker_slot].next].bucket])
        event = emit_fill(c, m, FILL, maker_slot, lots, made.fee if WITH_MARGIN else 0)
        event.account_2 = account
        event.order_id_2 = taker.id
        if WITH_MARGIN:
            event.amount_2 = taken.fee
            settle_order(c, m, slot, lots, taken_slice, &taken)
            taken_part += taken_slice
        else:
            taker.remaining -= <uint32_t> lots
        book_maker(c, m, maker_slot, 1 - side, lots, made_slice, &made)
        if WITH_MARGIN:
            trim_later(c, m, taker.bucket)
    return 0


cdef inline TrialC* trial_of(CoreC* c, uint32_t bucket, uint32_t* count) noexcept nogil:
    """The copy on which the bucket's fills are tried; NULL when there are too many."""
    cdef uint32_t at = c.buckets[bucket].trial_at   # of any earlier trial; what stands there tells
    if at < count[0] and c.trials[at].bucket == bucket:
        return &c.trials[at]
    if count[0] == TRIALS_MAX:
        return NULL
    c.buckets[bucket].trial_at = count[0]
    c.trials[count[0]].bucket = bucket
    c.trials[count[0]].position = c.buckets[bucket].position
    c.trials[count[0]].spendable = usable(c, &c.buckets[bucket])
    count[0] += 1
    return &c.trials[count[0] - 1]


cdef inline int try_fill(
    MarketC* m, FillC* f, const TrialC* trial, const OrderC* order, int64_t filled, int64_t lots,
    int64_t price, int32_t fee_ppm
) noexcept nogil:
    """Judge `lots` on the copy, as the real fill will do it. Returns the verdict."""
    return fill(
        &m.spec, f, &trial.position, m.funding_index, m.mark_price, 1 if order.side == 0 else -1,
        lots, price, fee_ppm, order.margin, order.qty, filled, trial.spendable)


cdef inline void take_trial(TrialC* trial, const FillC* f) noexcept nogil:
    trial.position = f.position
    trial.spendable += f.free_delta


cdef inline int64_t try_open_interest(
    CoreC* c, MarketC* m, const PositionC* taker, const PositionC* maker, int side, int64_t lots
) noexcept nogil:
    """CAP-1 on the copies."""
    if side == 0:
        return lots_within(m, c.trial_open_interest, taker, maker, lots)
    return lots_within(m, c.trial_open_interest, maker, taker, lots)


cdef inline int64_t try_maker(
    CoreC* c, MarketC* m, uint32_t slot, int64_t shown, int64_t given, uint32_t taker_slot,
    int64_t filled, TrialC* own, int64_t* left, uint32_t* trials
) noexcept nogil:
    """Lots that the resting order gives on the copies; -1: the taker ends here.

    It shows `shown` lots and has given `given` already; the taker has filled `filled` lots and has
    `left` lots left, only these when the cap on the open interest ends it behind them.
    """
    cdef OrderC* maker = &c.orders[slot]
    cdef OrderC* taker = &c.orders[taker_slot]
    cdef TrialC* trial = trial_of(c, maker.bucket, trials)
    cdef int64_t lots = min(left[0], shown)
    cdef int64_t within, before
    cdef FillC made, taken
    if trial == NULL:
        return -1
    if only_reduces(c, maker):
        lots = min(lots, reducible_lots(&trial.position, maker.side))
    if lots == 0:
        return 0
    if only_reduces(c, taker):
        lots = min(lots, reducible_lots(&own.position, taker.side))
    within = try_open_interest(c, m, &own.position, &trial.position, taker.side, lots)
    if within == 0:
        return -1
    before = max(0, own.position.lots) + max(0, trial.position.lots)
    if try_fill(m, &made, trial, maker, filled_of(c, slot) + given, within, maker.price,
                m.spec.fee_maker) != VERDICT_OK:
        return 0
    if try_fill(m, &taken, own, taker, filled_of(c, taker_slot) + filled, within, maker.price,
                m.spec.fee_taker) != VERDICT_OK:
        return -1
    if out_of(&made) + out_of(&taken) > c.trial_pot:
        return -1 if out_of(&made) <= c.trial_pot else 0
    take_trial(trial, &made)
    take_trial(own, &taken)
    c.trial_pot -= out_of(&made) + out_of(&taken)
    if within < lots:
        left[0] = within
    c.trial_open_interest += max(0, own.position.lots) - before + max(0, trial.position.lots)
    return within


cdef inline int64_t try_step(
    CoreC* c, MarketC* m, uint32_t slot, int64_t shown, int64_t given, uint32_t taker_slot,
    int64_t filled, TrialC* own, int64_t* left, uint32_t* trials
) noexcept nogil:
    """One step of a trial: lots filled, taken off `left`; -1: the taker ends here."""
    cdef OrderC* maker = &c.orders[slot]
    cdef OrderC* taker = &c.orders[taker_slot]
    cdef uint8_t mode = CANCEL_NEWEST
    cdef int64_t lots
    if WITH_MARGIN and maker.flags & SPECIAL:
        if c.extras[slot].sibling == taker_slot:
            return -1            # it ends or stops the order, and with it the other
        if c.extras[slot].ended_in == c.trial_count or c.extras[slot].is_doomed:
            return 0
    if maker.expiry_s <= now_s(c) or (WITH_MARGIN and c.buckets[maker.bucket].is_frozen):
        return 0
    if owner_of(c, maker) == owner_of(c, taker) and (WITH_MARGIN or taker.bucket):
        if WITH_MARGIN and taker.flags & SPECIAL:
            mode = c.extras[taker_slot].self_trade
        if mode == DECREMENT:
            left[0] -= min(left[0], maker.remaining - given)
        return 0 if mode == DECREMENT or mode == CANCEL_OLDEST else -1
    lots = min(left[0], shown)
    if WITH_MARGIN:
        lots = try_maker(c, m, slot, shown, given, taker_slot, filled, own, left, trials)
    left[0] -= max(0, lots)
    return lots


cdef inline void end_in_trial(CoreC* c, uint32_t slot) noexcept nogil:
    """OCO-1: in this trial the order has ended, and its sibling with it."""
    if c.orders[slot].flags & SPECIAL and c.extras[slot].sibling:
        c.extras[c.extras[slot].sibling].ended_in = c.trial_count


cdef inline bint fillable(CoreC* c, MarketC* m, uint32_t slot, int64_t target) noexcept nogil:
    """MATCH-4: `target` lots fill at once, step by step as `sweep` would do it, on copies.

    At most TRIALS_MAX accounts, TRIAL_STEPS_MAX steps, QUEUES_MAX replenished parts a price, and
    what a group leaves.
    """
    cdef uint32_t queue[QUEUES_MAX]
    cdef int64_t gave[QUEUES_MAX]
    cdef OrderC* taker = &c.orders[slot]
    cdef LadderC* side = &m.sides[1 - taker.side]
    cdef uint32_t price = side.best
    cdef uint32_t trials = 0
    cdef TrialC* own = trial_of(c, taker.bucket, &trials) if WITH_MARGIN else NULL
    cdef int64_t left = taker.remaining
    cdef int64_t filled = 0
    cdef int64_t lots, given, shown
    cdef uint32_t next_at, at, queued, taken
    cdef uint32_t steps = 0
    c.trial_count += 1
    c.trial_open_interest = m.open_interest
    c.trial_pot = m.pot
    while reaches(taker.side, taker.price, price):
        next_at = side.levels[price].head
        queued = taken = 0
        while next_at or taken < queued:
            if WITH_MARGIN and only_reduces(c, taker) and (
                    reducible_lots(&own.position, taker.side) == 0):
                return False
            if next_at:
                at = next_at
                given = 0
                shown = shown_of(c, at)
                next_at = c.orders[at].next
            else:
                at = queue[taken]
                given = gave[taken]
                shown = min(<int64_t> c.extras[at].display, c.orders[at].remaining - given)
                taken += 1
            c.trial_steps += 1
            lots = try_step(c, m, at, shown, given, slot, filled, own, &left, &trials)
            if lots < 0 or steps == TRIAL_STEPS_MAX or (
                    WITH_MARGIN and c.trials_until and c.trial_steps > c.trials_until):
                return False
            steps += 1
            filled += lots
            if filled >= target:
                return True
            if left == 0:
                return False
            # Used up, or cut to what its account can reduce, which ends it too (RED-1).
            if WITH_MARGIN and (lots < shown or given + lots == c.orders[at].remaining):
                end_in_trial(c, at)
            if lots == shown and given + lots < c.orders[at].remaining:
                if queued == QUEUES_MAX:
                    return False
                queue[queued] = at
                gave[queued] = given + lots
                queued += 1
        price = next_up(side, price + 1) if taker.side == 0 else next_down(side, price - 1)
    return False


cdef inline void slide(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """POST-1: a post-only order that may slide goes one tick behind the opposite best price."""
    cdef OrderC* order = &c.orders[slot]
    cdef uint32_t best
    cdef EventC* event
    if not order.flags & POST_ONLY or not c.extras[slot].flags & SLIDES or (
            not would_take(c, m, order.side, order.price)):
        return
    best = <uint32_t> live_price(c, m, 1 - order.side)
    if best == 1 if order.side == 0 else best == m.ticks_max:
        return
    order.price = best - 1 if order.side == 0 else best + 1
    event = emit(c, ORDER_REPRICED, m)
    event.account = c.buckets[order.bucket].account
    event.order_id = order.id
    event.order_id_2 = order.nonce
    event.side = order.side
    event.price = order.price
    event.qty = order.qty
    event.remaining = order.remaining


cdef inline void end_overdue(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """POST-1: orders that are due to end and that a post-only order would meet end before it looks
    for what it would take, so that they are looked past once.
    """
    cdef OrderC* order = &c.orders[slot]
    cdef LadderC* opposite = &m.sides[1 - order.side]
    cdef uint32_t met
    while order.flags & POST_ONLY and reaches(order.side, order.price, opposite.best):
        met = opposite.levels[opposite.best].head
        if c.orders[met].expiry_s > now_s(c):
            return
        drop_order(c, m, met, EXPIRED)


cdef inline uint8_t unfit(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """BAND-1, ORD-2 again, of a group's order that slides: an earlier item may have ended what it
    was judged to slide behind.
    """
    cdef const OrderC* order = &c.orders[slot]
    cdef int64_t opening = <int64_t> order.remaining - reducible(
        &c.buckets[order.bucket], order.side)
    if is_beyond_band(m, order.side, order.price):
        return PRICE_BAND
    if order.flags & REDUCE_ONLY or opening <= 0 or (
            order.margin >= required_margin(m, order.side, order.price, opening)):
        return 0
    return INSUFFICIENT_MARGIN


cdef inline cold_int enter(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """What an order must meet before its first fill; the reason why it ends, 0 none."""
    cdef OrderC* order = &c.orders[slot]
    cdef uint8_t reason
    if WITH_MARGIN:
        end_overdue(c, m, slot)
    if WITH_MARGIN and order.flags & SPECIAL:
        if c.extras[slot].is_doomed:
            return SIBLING_ENDED
        slide(c, m, slot)
        if c.trials_until and c.extras[slot].flags & SLIDES:
            reason = unfit(c, m, slot)
            if reason:
                return reason
    if order.flags & POST_ONLY and would_take(c, m, order.side, order.price):
        return POST_ONLY_WOULD_TAKE
    if order.time_in_force == TIF_FOK and not fillable(c, m, slot, order.remaining):
        return FOK_NOT_FILLABLE
    if WITH_MARGIN and order.flags & SPECIAL and c.extras[slot].min_lots and (
            not fillable(c, m, slot, c.extras[slot].min_lots)):
        return MIN_QTY_NOT_MET
    return 0


cdef inline void execute(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Match the order, then rest, end or cancel what remains."""
    cdef OrderC* order = &c.orders[slot]
    cdef uint8_t reason = 0
    order.state = ORDER_TAKING
    if WITH_MARGIN and order.time_in_force != TIF_GTC:
        protect(m, order)
    if order.time_in_force == TIF_FOK or order.flags & (POST_ONLY | SPECIAL):
        reason = <uint8_t> enter(c, m, slot)
    if WITH_MARGIN and unlikely(m.state == STATE_AUCTION):
        reason = 0
    elif reason == 0 and takes(order.side, order.price, m.sides[1 - order.side].best):
        if WITH_MARGIN and unlikely(not price_holds(c, m)):
            reason = PRICE_STALE
        elif order.side == 0:
            reason = sweep(c, m, slot, 0)
        else:
            reason = sweep(c, m, slot, 1)
    if order.remaining == 0:
        free_order(c, slot)
    elif reason:
        drop_order(c, m, slot, reason)
    elif order.time_in_force != TIF_GTC:
        drop_order(c, m, slot, IMMEDIATE_REMAINDER)
    else:
        if WITH_MARGIN and order.flags & REDUCE_ONLY:
            c.reducing[order.bucket].lots[order.side] += order.remaining
            mark_after(c, order.bucket, AFTER_MOVE)
        if WITH_MARGIN and order.flags & SPECIAL:
            c.extras[slot].shown = min(c.extras[slot].display, order.remaining)
        rest_order(c, m, slot, shown_of(c, slot))
    if WITH_MARGIN and unlikely(c.trim_count != 0):
        trim_all(c)
