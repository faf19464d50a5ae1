"""Announced parameters: a second index grows beside the first until they hold (PAR-1, PAR-2)."""

from libc.stdint cimport int32_t, int64_t, uint32_t

from margin_core.types cimport SpecC, TIERS_MAX_C
from matcher.engine.index cimport add_keys
from matcher.engine.store cimport PARAMETERS_CHANGED, emit, now_s
from matcher.engine.tree cimport tree_clear
from matcher.engine.types cimport CoreC, EventC, MarketC

cdef enum:
    INDEXED_PER_ROW_MAX = 4096   # buckets: a million in 245 rows


cdef inline void forget_pending(CoreC* c, MarketC* m) noexcept nogil:
    """Take back an announcement; O(1)."""
    cdef int32_t k
    for k in range(TIERS_MAX_C):
        tree_clear(c, &m.pending_index[0][k])
        tree_clear(c, &m.pending_index[1][k])
    m.pending_at = 0
    m.pending_from_s = 0


cdef inline bint grow_pending(CoreC* c, MarketC* m) noexcept nogil:
    """Index the next buckets under the announced parameters; true when all of them are."""
    cdef uint32_t slot
    cdef uint32_t begin = max(m.pending_at, 1)
    cdef uint32_t end = begin + min(<uint32_t> INDEXED_PER_ROW_MAX, c.bucket_top - begin)
    for slot in range(begin, end):
        if c.listed[slot].lots and c.buckets[slot].market == m.slot:
            add_keys(c, m, &m.pending,
                     &m.pending_index[0 if c.listed[slot].lots > 0 else 1][0], slot)
    m.pending_at = end
    return end == c.bucket_top


cdef inline void switch_parameters(CoreC* c, MarketC* m) noexcept nogil:
    """PAR-2: the announced parameters hold, and their index takes the place of the old one."""
    cdef int32_t k
    cdef int side
    cdef EventC* event
    for side in range(2):
        for k in range(TIERS_MAX_C):
            tree_clear(c, &m.index[side][k])
            m.index[side][k] = m.pending_index[side][k]
            m.pending_index[side][k].root = 0
            m.pending_index[side][k].height = 0
    m.spec = m.pending
    m.version += 1
    m.pending_at = 0
    m.pending_from_s = 0
    c.has_changed_specs = 1
    event = emit(c, PARAMETERS_CHANGED, m)
    event.amount = m.version


cdef inline bint ends_at(const SpecC* s, int64_t time_ms) noexcept nogil:
    """EXP-2: under these parameters a row of this time is the market's last."""
    return s.expiry_time_s != 0 and time_ms >= s.expiry_time_s * 1000


cdef inline void follow_parameters(CoreC* c, MarketC* m, int64_t time_ms) noexcept nogil:
    """A price row comes: a bounded part of the index, and the change when it is time.

    A row that ends the market, by what holds or by what is due, waits for no index: it walks over
    all positions anyway.
    """
    cdef bint is_whole, is_due
    if m.pending_from_s == 0:
        return
    is_due = now_s(c) >= m.pending_from_s
    is_whole = grow_pending(c, m)
    if is_due and (ends_at(&m.spec, time_ms) or ends_at(&m.pending, time_ms)):
        while not is_whole:
            is_whole = grow_pending(c, m)
    if is_due and is_whole:
        switch_parameters(c, m)
