"""Orders that wait for a price: trails, firing on the mark and on the last price (TRIG-*)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from matcher.engine.ladder cimport cold, link_order, next_down, next_up, unlink_order
from matcher.engine.limits cimport is_beyond_band
from matcher.engine.matching cimport TIF_FOK, end_overdue, execute, slide, trim_all
from matcher.engine.special cimport trigger_side
from matcher.engine.states cimport admits, is_continuous, is_fresh, price_holds
from matcher.engine.store cimport (
    EXPIRED, MARKET_STATE, ORDER_TRIGGERED, PRICE_BAND, drop_order, emit, now_s, unrest_order)
from matcher.engine.types cimport (
    CoreC, DUE_LATER, DUE_ON_LAST, DUE_ON_MARK, EventC, ExtraC, LadderC, MarketC, MARKETS_MAX,
    ON_LAST, ORDER_TAKING, OrderC, SPECIAL, TRIGGER_ABOVE)

cdef enum:
    TRIGGERS_PER_TICK_MAX = 4096     # on the mark with its row, on last prices with a command
    TRIGGERS_PER_COMMAND_MAX = 256   # of a market, on a mark of an earlier row
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


cdef inline void move_trails(
    CoreC* c, MarketC* m, int64_t reference, uint8_t on_last
) noexcept nogil:
    """TRIG-3: triggers follow the reference price in its good direction, oldest order first.

    At most TRAILING_MAX steps.
    """
    cdef uint32_t slot = m.trail_head
    cdef OrderC* order
    cdef ExtraC* x
    cdef LadderC* ladder
    cdef int64_t price
    while slot:
        order = &c.orders[slot]
        x = &c.extras[slot]
        if x.flags & ON_LAST == on_last:
            ladder = &m.triggers[trigger_side(c, slot)]
            price = reference - x.trailing
            if order.flags & TRIGGER_ABOVE:
                price = reference + x.trailing
            if price < order.remaining if order.flags & TRIGGER_ABOVE else (
                    price > order.remaining):
                unlink_order(ladder, c.orders, slot, order.remaining, 0)
                order.remaining = <uint32_t> price
                link_order(ladder, c.orders, slot, order.remaining, 0)
        slot = x.trail_next


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
    c.fired_steps += c.trial_steps - steps


cdef inline bint fires_now(const CoreC* c, uint32_t slot) noexcept nogil:
    """TRIG-1: an order that is tried waits for another command when this one has tried enough."""
    cdef const OrderC* order = &c.orders[slot]
    return c.fired_steps < FIRED_STEPS_MAX or not (
        order.time_in_force == TIF_FOK or (
            order.flags & SPECIAL and c.extras[slot].min_lots))


cdef inline void fire_on_mark(CoreC* c, MarketC* m, int most) noexcept nogil:
    """TRIG-1: activate up to `most` of what the mark has reached; what is left is noted."""
    cdef uint32_t slot
    cdef int fired = 0
    m.has_due &= ~(<uint8_t> DUE_ON_MARK)
    if not is_continuous(m) or not is_fresh(c, m) or not price_holds(c, m):
        return
    slot = due_trigger(m, ON_MARK_LADDERS, m.mark_price)
    while slot and fired < most and fires_now(c, slot):
        fire(c, m, slot, m.mark_price)
        fired += 1
        slot = due_trigger(m, ON_MARK_LADDERS, m.mark_price)
    if slot:
        m.has_due |= DUE_ON_MARK


cdef inline void fire_triggers(CoreC* c, MarketC* m) noexcept nogil:
    """TRIG-3, TRIG-1: trails follow the new mark, then what it has reached fires."""
    move_trails(c, m, m.mark_price, 0)
    fire_on_mark(c, m, TRIGGERS_PER_TICK_MAX)
    if m.has_due & DUE_ON_MARK:
        m.has_due |= DUE_LATER
        c.has_traded = 1


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
        move_trails(c, m, m.last_price, ON_LAST)
    slot = due_trigger(m, ON_LAST_LADDERS, m.last_price)
    while slot and fired < most and fires_now(c, slot):
        fire(c, m, slot, m.last_price)
        fired += 1
        slot = due_trigger(m, ON_LAST_LADDERS, m.last_price)
    if slot:
        m.has_due |= DUE_ON_LAST
    return fired


cdef inline cold fire_due(CoreC* c) noexcept nogil:
    """After a command: what a limit has left, then what it has made due at the last price."""
    cdef uint32_t k
    cdef int left = TRIGGERS_PER_TICK_MAX
    cdef MarketC* m
    for k in range(c.market_count):
        m = c.markets[k]
        if m.has_due & DUE_LATER:
            m.has_due &= ~(<uint8_t> DUE_LATER)
        elif m.has_due & DUE_ON_MARK:
            fire_on_mark(c, m, TRIGGERS_PER_COMMAND_MAX)
        if m.has_traded or m.has_due & DUE_ON_LAST:
            left -= fire_on_last(c, m, left)
    c.fired_steps = 0
    c.has_traded = 0
    for k in range(c.market_count):
        c.has_traded |= c.markets[k].has_due != 0 or c.markets[k].has_traded != 0
