"""Auctions: orders are collected, then filled at the one price that trades most (AUC-1, AUC-2)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from margin_core.fixed_point cimport bh_int128, floor_div
from margin_core.requirement cimport abs64
from margin_core.transitions cimport fill
from margin_core.types cimport FillC, VERDICT_OK
from matcher.engine.after cimport reducible
from matcher.engine.ladder cimport next_up
from matcher.engine.matching cimport (
    emit_fill, ends_with_sibling, lots_to_trade, meet_own, only_reduces, settle_maker, trim_all,
    unable)
from matcher.engine.special cimport filled_of, shown_of
from matcher.engine.store cimport (
    AUCTION, EXPIRED, FILL, MARKET_CANNOT_PAY, MARKET_STATE, OPEN_INTEREST_LIMIT, PRICE_BAND,
    REASON_FROZEN, SELF_TRADE, drop_order, emit, now_s, out_of, usable)
from matcher.engine.types cimport BucketC, CoreC, EventC, LadderC, MarketC, OrderC, REDUCE_ONLY

cdef enum:
    FILL_OF_AUCTION = 1          # flag of a FILL: neither side takes
    CLEARINGS_MAX = 8            # of one uncrossing; what crosses then trades pair by pair

cdef struct CrossC:              # a price at which the book may be cleared
    int64_t price                # ticks
    int64_t volume               # lots; -1: the band around the mark holds no such price
    int64_t surplus              # lots bid beyond those asked, signed


cdef inline bint is_crossed(const MarketC* m) noexcept nogil:
    return m.sides[0].best != 0 and m.sides[1].best != 0 and m.sides[0].best >= m.sides[1].best


cdef inline int64_t lots_at(const CoreC* c, const LadderC* side, uint32_t price) noexcept nogil:
    """Lots of a level, those that icebergs hide included; O(its orders)."""
    cdef uint32_t slot = side.levels[price].head
    cdef int64_t lots = 0
    while slot:
        lots += c.orders[slot].remaining
        slot = c.orders[slot].next
    return lots


cdef inline bint is_better(const CrossC* a, const CrossC* b, int64_t mark) noexcept nogil:
    """AUC-1: more volume, less surplus, nearer to the mark, lower."""
    if a.volume != b.volume:
        return a.volume > b.volume
    if abs64(a.surplus) != abs64(b.surplus):
        return abs64(a.surplus) < abs64(b.surplus)
    if abs64(a.price - mark) != abs64(b.price - mark):
        return abs64(a.price - mark) < abs64(b.price - mark)
    return a.price < b.price


cdef inline int64_t clearing_band(const MarketC* m) noexcept nogil:
    """Ticks that a clearing price may stand from the mark."""
    return max(1, <int64_t> floor_div(<bh_int128> m.mark_price * m.spec.mark_band, 1000000))


cdef inline CrossC clearing_price(CoreC* c, MarketC* m) noexcept nogil:
    """AUC-1 for a crossed book; O(orders within the cross).

    Volume and surplus change only at an ask's price and behind a bid's: of the ticks between two
    such places the one nearest to the mark is the best, and in the band if any of them is.
    """
    cdef int64_t band = clearing_band(m)
    cdef LadderC* bids = &m.sides[0]
    cdef LadderC* asks = &m.sides[1]
    cdef uint32_t price = asks.best
    cdef uint32_t last, ask, bid
    cdef int64_t bid_lots = 0
    cdef int64_t ask_lots = lots_at(c, asks, price)
    cdef CrossC found = CrossC(0, -1, 0)
    cdef CrossC candidate
    bid = next_up(bids, price)
    while bid:
        bid_lots += lots_at(c, bids, bid)
        bid = next_up(bids, bid + 1)
    while price <= bids.best:
        bid = next_up(bids, price)
        ask = next_up(asks, price + 1)
        last = ask - 1 if ask and ask <= bid else bid
        candidate.price = max(<int64_t> price, min(<int64_t> last, m.mark_price))
        candidate.volume = min(bid_lots, ask_lots)
        candidate.surplus = bid_lots - ask_lots
        if abs64(candidate.price - m.mark_price) <= band and (
                is_better(&candidate, &found, m.mark_price)):
            found = candidate
        if last == bid:
            bid_lots -= lots_at(c, bids, bid)
        price = last + 1
        if ask == price:
            ask_lots += lots_at(c, asks, ask)
    return found


cdef inline int64_t offered(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Lots that the resting order gives now; 0 after it was cancelled."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    cdef int64_t lots = shown_of(c, slot)
    if order.expiry_s <= now_s(c):
        drop_order(c, m, slot, EXPIRED)
        return 0
    if b.is_frozen:
        drop_order(c, m, slot, REASON_FROZEN)
        return 0
    if ends_with_sibling(c, m, slot):
        return 0
    if only_reduces(c, order):
        lots = min(lots, reducible(b, order.side))
        if lots == 0:
            drop_order(c, m, slot, unable(order))
    return lots


cdef inline bint judge_at(
    CoreC* c, MarketC* m, uint32_t slot, int64_t lots, int64_t price, FillC* f
) noexcept nogil:
    """AUC-2: outcome of `lots` for a resting order; false after it was refused and ended."""
    cdef OrderC* order = &c.orders[slot]
    cdef BucketC* b = &c.buckets[order.bucket]
    cdef int verdict = fill(
        &m.spec, f, &b.position, m.funding_index, m.mark_price, 1 if order.side == 0 else -1, lots,
        price, m.spec.fee_maker, order.margin, order.qty, filled_of(c, slot), usable(c, b))
    if verdict != VERDICT_OK:
        drop_order(c, m, slot, <uint8_t> verdict)
    return verdict == VERDICT_OK


cdef inline void clear_step(CoreC* c, MarketC* m, int64_t price) noexcept nogil:
    """AUC-2: the first bid against the first ask, the bid's side first; neither takes."""
    cdef uint32_t bid = m.sides[0].levels[m.sides[0].best].head
    cdef uint32_t ask = m.sides[1].levels[m.sides[1].best].head
    cdef bint bid_is_newer = c.orders[bid].id > c.orders[ask].id
    cdef uint32_t newer = bid if bid_is_newer else ask
    cdef int64_t lots = offered(c, m, bid)
    cdef FillC bought, sold
    cdef EventC* event
    if lots == 0:
        return
    lots = min(lots, offered(c, m, ask))
    if lots == 0:
        return
    if c.buckets[c.orders[bid].bucket].account == c.buckets[c.orders[ask].bucket].account:
        if not meet_own(c, m, newer, ask if bid_is_newer else bid):
            drop_order(c, m, newer, SELF_TRADE)
        return
    lots = lots_to_trade(c, m, ask, bid, lots)
    if lots == 0:
        drop_order(c, m, newer, OPEN_INTEREST_LIMIT)
        return
    if not judge_at(c, m, bid, lots, price, &bought) or (
            not judge_at(c, m, ask, lots, price, &sold)):
        return
    if out_of(&bought) + out_of(&sold) > m.pot:
        drop_order(c, m, bid if out_of(&bought) > m.pot else ask, MARKET_CANNOT_PAY)
        return
    event = emit_fill(c, m, FILL, ask, lots, sold.fee)
    event.flags = FILL_OF_AUCTION
    event.price = <uint32_t> price
    m.last_price = price
    event.account_2 = c.buckets[c.orders[bid].bucket].account
    event.order_id_2 = c.orders[bid].id
    event.amount_2 = bought.fee
    settle_maker(c, m, bid, lots, &bought)
    settle_maker(c, m, ask, lots, &sold)


cdef inline void clear_at(CoreC* c, MarketC* m, const CrossC* cross) noexcept nogil:
    """AUC-2: fill at one price while both sides have orders that admit it."""
    cdef EventC* event = emit(c, AUCTION, m)
    event.price = <uint32_t> cross.price
    event.qty = cross.volume
    event.amount = cross.surplus
    while m.sides[0].best >= cross.price and 0 < m.sides[1].best <= cross.price:
        clear_step(c, m, cross.price)


cdef inline bint end_beyond(CoreC* c, MarketC* m, int64_t band) noexcept nogil:
    """AUC-1: the first order that makes a cross beyond the band ends; false: a tick is in it.

    Every tick of a cross has volume, so that none is in the band exactly when the two do not meet.
    """
    cdef uint32_t slot
    if m.sides[1].best > m.mark_price + band:
        slot = m.sides[0].levels[m.sides[0].best].head
    elif m.sides[0].best < m.mark_price - band:
        slot = m.sides[1].levels[m.sides[1].best].head
    else:
        return False
    if not ends_with_sibling(c, m, slot):
        drop_order(c, m, slot, PRICE_BAND)
    return True


cdef inline void clear_pairs(CoreC* c, MarketC* m, int64_t band) noexcept nogil:
    """AUC-2: each pair at the tick nearest to the mark that both admit; O(orders in the cross)."""
    while is_crossed(m):
        if not end_beyond(c, m, band):
            clear_step(c, m, max(
                <int64_t> m.sides[1].best, min(<int64_t> m.sides[0].best, m.mark_price)))


cdef inline void uncross(CoreC* c, MarketC* m) noexcept nogil:
    """AUC-2: clear the book; when orders that failed leave it crossed, at a new price again.

    Each step ends an order or a part of an iceberg: O(CLEARINGS_MAX x orders in the cross).
    """
    cdef CrossC cross
    cdef int64_t band = clearing_band(m)
    cdef int clearings = 0
    while is_crossed(m):
        if end_beyond(c, m, band):
            while is_crossed(m) and end_beyond(c, m, band):
                pass
        elif clearings < CLEARINGS_MAX:
            clearings += 1
            cross = clearing_price(c, m)
            clear_at(c, m, &cross)
        else:
            clear_pairs(c, m, band)
        trim_all(c)


cdef inline void end_opening_orders(CoreC* c, MarketC* m) noexcept nogil:
    """STATE-1: a market that is delisted keeps reduce-only orders; O(positions and orders)."""
    cdef uint32_t bucket, slot, older
    for bucket in range(1, c.bucket_top):
        slot = c.buckets[bucket].orders if c.buckets[bucket].market == m.slot else 0
        while slot:
            older = c.orders[slot].bucket_next
            if not c.orders[slot].flags & REDUCE_ONLY:
                drop_order(c, m, slot, MARKET_STATE)
            slot = older
