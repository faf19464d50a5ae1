"""What the state of a market lets in (STATE-1)."""

from libc.stdint cimport uint8_t
from matcher.engine.types cimport (
    CoreC, MarketC, POST_ONLY, REDUCE_ONLY, STATE_AUCTION, STATE_DELISTING, STATE_HALTED,
    STATE_OPEN, STATE_POST_ONLY, STATE_REDUCE_ONLY)


cdef enum:
    PRICE_HOLD_MAX_MS = 3600000  # MARK-4


cdef inline bint admits(const MarketC* m, uint8_t flags, uint8_t time_in_force) noexcept nogil:
    """The market's state lets an order of these flags in."""
    if m.state == STATE_OPEN:
        return True
    if m.state == STATE_POST_ONLY:
        return flags & POST_ONLY != 0
    if m.state == STATE_REDUCE_ONLY or m.state == STATE_DELISTING:
        return flags & REDUCE_ONLY != 0
    if m.state == STATE_AUCTION:
        return not flags & POST_ONLY and time_in_force == 0
    return False


cdef inline bint is_continuous(const MarketC* m) noexcept nogil:
    """Orders are matched as they come: the book is not crossed, triggers fire."""
    return m.state != STATE_HALTED and m.state != STATE_AUCTION


cdef inline bint is_fresh(const CoreC* c, const MarketC* m) noexcept nogil:
    """The index is not older than the market allows, on the clock of the batch."""
    return c.time_s * 1000 - m.index_time_ms <= m.spec.index_age_max_ms


cdef inline bint price_holds(const CoreC* c, const MarketC* m) noexcept nogil:
    """MARK-4: orders trade at the last price, and collateral is taken out."""
    return c.time_s * 1000 - m.index_time_ms <= PRICE_HOLD_MAX_MS
