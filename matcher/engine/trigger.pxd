"""Orders that wait for a price: trails, firing on the mark and on the last price (TRIG-*)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from matcher.engine.ladder cimport (
    clear_level, cold, leave_page, link_order, mark_level, next_down, next_up, unlink_order)
from matcher.engine.limits cimport is_beyond_band
from matcher.engine.matching cimport TIF_FOK, end_overdue, execute, slide, trim_all
from matcher.engine.states cimport admits, is_continuous, is_fresh, price_holds
from matcher.engine.store cimport (
    EXPIRED, MARKET_STATE, ORDER_TRIGGERED, PRICE_BAND, SIBLING_ENDED, drop_order, emit, now_s,
    unrest_order)
from matcher.engine.types cimport (
    CoreC, DUE_LATER, DUE_ON_LAST, DUE_ON_MARK, EventC, ExtraC, LadderC, LevelC, MarketC,
    ORDER_TAKING, OrderC, SPECIAL)

cdef enum:
    TRIGGERS_PER_TICK_MAX = 4096     # on the mark with its row, on last prices with a command
    TRIGGERS_PER_COMMAND_MAX = 256   # of a market, on a mark of an earlier row
    TRAILS_PER_COMMAND_MAX = 4096    # of markets asked on last prices, the first one's aside
    FIRED_STEPS_MAX = 65536      # orders that the trials of one command's fired orders look at
    ON_MARK_LADDERS = 0          # first of a market's two ladders for the reference
    ON_LAST_LADDERS = 2


cdef inline uint32_t due_trigger(MarketC* m, int first, int64_t reference) noexcept nogil:
    """The next order whose trigger the reference price has reached, 0 when there is none.

    Upward triggers first, lowest price first; then downward ones, highest first; each in order
    of arrival at its price.
    """
    cdef LadderC* ladder = &m.triggers[first]
    cdef uint32_t price = next_up(ladder, 1)
    if price and price <= reference:
        return ladder.levels[price].head
    ladder = &m.triggers[first + 1]
    price = next_down(ladder, ladder.size - 1)
    if price and price >= reference:
        return ladder.levels[price].head
    return 0


cdef inline void move_level(
    CoreC* c, MarketC* m, int ladder_at, uint32_t anchor, uint32_t reference
) noexcept nogil:
    """Let all trails with one anchor follow the reference, which is their new one."""
    cdef LadderC* triggers = &m.triggers[ladder_at]
    cdef LadderC* trails = &m.trails[ladder_at]
    cdef LevelC* level = &trails.levels[anchor]
    cdef LevelC* target = &trails.levels[reference]
    cdef uint32_t slot = level.head
    cdef OrderC* order
    cdef uint32_t window_first = triggers.window_first
    cdef uint32_t window_size = triggers.window_size
    cdef uint32_t left
    # Nothing goes back while they move: most stay on their page, which would go and come again.
    triggers.window_first = 0
    triggers.window_size = triggers.size
    while slot:
        order = &c.orders[slot]
        left = order.remaining
        unlink_order(triggers, c.orders, slot, order.remaining, 0)
        order.remaining = reference + c.extras[slot].trailing
        if ladder_at & 1:
            order.remaining = reference - c.extras[slot].trailing
        link_order(triggers, c.orders, slot, order.remaining, 0)
        # 256 ticks are 4 KiB; of larger pages `leave_page` sees that they are not empty.
        if left - window_first >= window_size and left >> 8 != order.remaining >> 8:
            leave_page(triggers, left)
        slot = c.extras[slot].trail_next
    triggers.window_first = window_first
    triggers.window_size = window_size
    if target.tail:
        c.extras[target.tail].trail_next = level.head
        c.extras[level.head].trail_previous = target.tail
    else:
        target.head = level.head
        mark_level(trails, reference)
    target.tail = level.tail
    level.head = level.tail = 0
    clear_level(trails, anchor)


cdef inline void move_trails(
    CoreC* c, MarketC* m, int64_t reference, int first
) noexcept nogil:
    """TRIG-3: triggers follow the reference price in its good direction, the farthest behind first.

    `first` of a market's ladders for the reference. A step is a trail that moves, at most
    TRAILING_MAX.
    """
    cdef LadderC* ladder = &m.trails[first]
    cdef uint32_t anchor
    if m.trail_count == 0:
        return
    anchor = next_down(ladder, ladder.size - 1)
    while anchor > reference:
        move_level(c, m, first, anchor, <uint32_t> reference)
        anchor = next_down(ladder, anchor)
    ladder = &m.trails[first + 1]
    anchor = next_up(ladder, 1)
    while anchor and anchor < reference:
        move_level(c, m, first + 1, anchor, <uint32_t> reference)
        anchor = next_up(ladder, anchor)


cdef inline void end_other(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """OCO-1: what fires ends its sibling and has none from now on."""
    cdef ExtraC* x = &c.extras[slot]
    cdef uint32_t sibling = x.sibling
    x.oco_nonce = 0
    if sibling:
        x.sibling = 0
        c.extras[sibling].sibling = 0
        drop_order(c, m, sibling, SIBLING_ENDED)


cdef inline void fire(CoreC* c, MarketC* m, uint32_t slot, int64_t reference) noexcept nogil:
    """TRIG-1: take the order out of its ladder and execute it as if it came now."""
    cdef OrderC* order = &c.orders[slot]
    cdef EventC* event
    cdef uint64_t steps = c.trial_steps
    cdef uint8_t reason = 0
    c.has_traded = 1             # so that `fire_due` counts anew behind this command
    unrest_order(c, m, slot)
    event = emit(c, ORDER_TRIGGERED, m)
    event.account = c.buckets[order.bucket].account
    event.order_id = order.id
    event.order_id_2 = order.nonce
    event.side = order.side
    event.price = <uint32_t> reference
    order.state = ORDER_TAKING
    if order.flags & SPECIAL:
        end_other(c, m, slot)
    if order.expiry_s <= now_s(c):
        reason = EXPIRED
    elif not admits(m, order.flags, order.time_in_force):
        reason = MARKET_STATE
    else:
        end_overdue(c, m, slot)
        if order.flags & SPECIAL:
            slide(c, m, slot)
        if order.time_in_force == 0 and is_beyond_band(m, order.side, order.price):
            reason = PRICE_BAND
    if reason:
        drop_order(c, m, slot, reason)
        trim_all(c)
    else:
        execute(c, m, slot)
    m.fired_steps += c.trial_steps - steps
    c.fired_steps += c.trial_steps - steps


cdef inline void ask_next(CoreC* c, const MarketC* m) noexcept nogil:
    """TRIG-1: a limit for all markets holds this one up: the next command begins with it."""
    if c.fire_turn_next == 0:
        c.fire_turn_next = m.slot + 1


cdef inline bint fires_now(CoreC* c, const MarketC* m, uint32_t slot) noexcept nogil:
    """TRIG-1: an order that is tried waits for another command when this one has tried enough."""
    cdef const OrderC* order = &c.orders[slot]
    if order.time_in_force != TIF_FOK and not (
            order.flags & SPECIAL and c.extras[slot].min_lots):
        return True
    if m.fired_steps >= c.fired_share:
        return False
    if c.fired_steps >= FIRED_STEPS_MAX:
        ask_next(c, m)
        return False
    return True


cdef inline void share_trials(CoreC* c, const MarketC* row) noexcept nogil:
    """TRIG-1: what the trials of a market's fired orders may look at in this command: an equal part
    for the market of its price row, if it is one, and for each that may fire and has something to
    be asked.
    """
    cdef uint32_t k
    cdef uint32_t count = row != NULL
    cdef const MarketC* m
    if c.has_traded:
        for k in range(c.market_count):
            m = c.markets[k]
            count += m != row and (m.has_due | m.has_traded) != 0 and (
                is_continuous(m) and price_holds(c, m))
    c.fired_share = FIRED_STEPS_MAX // max(count, 1)


cdef inline void fire_on_mark(CoreC* c, MarketC* m, int most) noexcept nogil:
    """TRIG-1: activate up to `most` of what the mark has reached; what is left is noted."""
    cdef uint32_t slot
    cdef int fired = 0
    m.has_due &= ~(<uint8_t> DUE_ON_MARK)
    if not is_continuous(m) or not is_fresh(c, m) or not price_holds(c, m):
        return
    slot = due_trigger(m, ON_MARK_LADDERS, m.mark_price)
    while slot and fired < most and fires_now(c, m, slot):
        fire(c, m, slot, m.mark_price)
        fired += 1
        slot = due_trigger(m, ON_MARK_LADDERS, m.mark_price)
    if slot:
        m.has_due |= DUE_ON_MARK


cdef inline void fire_triggers(CoreC* c, MarketC* m) noexcept nogil:
    """TRIG-3, TRIG-1: trails follow the new mark, then what it has reached fires."""
    share_trials(c, m)
    move_trails(c, m, m.mark_price, ON_MARK_LADDERS)
    fire_on_mark(c, m, TRIGGERS_PER_TICK_MAX)
    if m.has_due & DUE_ON_MARK:
        m.has_due |= DUE_LATER
        c.has_traded = 1
    if not c.has_traded:
        c.fired_share = 0        # `fire_due` does not follow


cdef inline int fire_on_last(CoreC* c, MarketC* m, int most) noexcept nogil:
    """TRIG-2, TRIG-3: trails move once, then up to `most` of what the last price has reached fire.

    How many have fired.
    """
    cdef uint32_t slot
    cdef int fired = 0
    if m.last_count and (not is_continuous(m) or not price_holds(c, m)):
        return 0                 # what is due stays due
    m.has_due &= ~(<uint8_t> DUE_ON_LAST)
    if m.has_traded:
        m.has_traded = 0
        move_trails(c, m, m.last_price, ON_LAST_LADDERS)
    slot = due_trigger(m, ON_LAST_LADDERS, m.last_price)
    while slot and fired < most and fires_now(c, m, slot):
        fire(c, m, slot, m.last_price)
        fired += 1
        slot = due_trigger(m, ON_LAST_LADDERS, m.last_price)
    if slot:
        m.has_due |= DUE_ON_LAST
        if most == 0:
            ask_next(c, m)       # who has used the limit up itself is no one that it held up
    return fired


cdef inline cold fire_due(CoreC* c) noexcept nogil:
    """After a command: what a limit has left, then what it has made due at the last price."""
    cdef uint32_t k
    cdef int left = TRIGGERS_PER_TICK_MAX
    cdef uint32_t moved = 0      # trails of markets whose last price has moved
    cdef MarketC* m
    if c.fired_share == 0:
        share_trials(c, NULL)
    for k in range(c.market_count):
        m = c.markets[(c.fire_turn + k) % c.market_count]
        if m.has_due & DUE_LATER:
            m.has_due &= ~(<uint8_t> DUE_LATER)
        elif m.has_due & DUE_ON_MARK:
            fire_on_mark(c, m, TRIGGERS_PER_COMMAND_MAX)
        if m.has_traded and moved and moved + m.trail_count > TRAILS_PER_COMMAND_MAX:
            ask_next(c, m)
        elif m.has_traded or m.has_due & DUE_ON_LAST:
            moved += m.trail_count if m.has_traded else 0
            left -= fire_on_last(c, m, left)
    if c.fire_turn_next:
        c.fire_turn = c.fire_turn_next - 1
    c.fire_turn_next = 0
    c.fired_steps = 0
    c.fired_share = 0
    c.has_traded = 0
    for k in range(c.market_count):
        c.markets[k].fired_steps = 0
        c.has_traded |= c.markets[k].has_due != 0 or c.markets[k].has_traded != 0
