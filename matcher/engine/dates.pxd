"""TIF-1: orders with a date. A list a date, oldest order first, and a heap of dates.

Most orders share their date with others, so that one comes and goes without the heap. A list is
found through a small table of the newest ones; where another date has taken its place there, a
second list of the same date begins, all whose orders are younger.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from matcher.engine.ladder cimport apart
from matcher.engine.types cimport CoreC, DATES_NEAR, DateC, TIMED, TagC

cdef extern from *:
    """
    #define BH_NO_EXPIRY_S INT64_MAX
    """
    int64_t NO_EXPIRY_S "BH_NO_EXPIRY_S"


cdef inline bint date_before(const CoreC* c, uint32_t a, uint32_t b) noexcept nogil:
    if c.dates[a].expiry_s != c.dates[b].expiry_s:
        return c.dates[a].expiry_s < c.dates[b].expiry_s
    return c.dates[a].since < c.dates[b].since


cdef inline void set_date(CoreC* c, uint32_t at, uint32_t date) noexcept nogil:
    c.date_heap[at] = date
    c.dates[date].at = at


cdef inline void sift_date(CoreC* c, uint32_t start) noexcept nogil:
    """Bring the entry at `start` to where it belongs; O(log n)."""
    cdef uint32_t at = start
    cdef uint32_t date = c.date_heap[at]
    cdef uint32_t child
    while at > 0 and date_before(c, date, c.date_heap[(at - 1) >> 1]):
        set_date(c, at, c.date_heap[(at - 1) >> 1])
        at = (at - 1) >> 1
    while 2 * at + 1 < c.date_count:
        child = 2 * at + 1
        if child + 1 < c.date_count and date_before(
                c, c.date_heap[child + 1], c.date_heap[child]):
            child += 1
        if not date_before(c, c.date_heap[child], date):
            break
        set_date(c, at, c.date_heap[child])
        at = child
    set_date(c, at, date)


cdef inline void note_next_date(CoreC* c) noexcept nogil:
    c.next_expiry_s = c.dates[c.date_heap[0]].expiry_s if c.date_count else NO_EXPIRY_S


cdef inline uint32_t open_date(CoreC* c, uint32_t expiry_s, uint32_t slot) noexcept nogil:
    """Begin a list with the order of `slot`. There are never more lists than orders."""
    cdef uint32_t date = c.date_free
    cdef DateC* d
    if date:
        c.date_free = c.dates[date].tail
    else:
        c.date_top += 1
        date = c.date_top
    d = &c.dates[date]
    d.expiry_s = expiry_s
    d.since = c.orders[slot].id
    d.tail = 0
    c.newest_date[expiry_s % DATES_NEAR] = date
    c.date_heap[c.date_count] = date
    c.date_count += 1
    sift_date(c, c.date_count - 1)
    note_next_date(c)
    return date


cdef inline void close_date(CoreC* c, uint32_t date) noexcept nogil:
    """End a list that is empty: its `head` is 0, which nobody takes for the date's list."""
    cdef uint32_t at = c.dates[date].at
    c.dates[date].tail = c.date_free
    c.date_free = date
    c.date_count -= 1
    if at != c.date_count:
        set_date(c, at, c.date_heap[c.date_count])
        sift_date(c, at)
    note_next_date(c)


cdef inline apart add_date(CoreC* c, uint32_t slot) noexcept nogil:
    """List an order that rests or waits, younger than all that are listed under its date; once."""
    cdef uint32_t expiry_s = c.orders[slot].expiry_s
    cdef uint32_t date = c.newest_date[expiry_s % DATES_NEAR]
    cdef TagC* tag = &c.tags[slot]
    cdef DateC* d
    if c.orders[slot].flags & TIMED:
        return
    c.orders[slot].flags |= TIMED
    if c.dates[date].head == 0 or c.dates[date].expiry_s != expiry_s:
        date = open_date(c, expiry_s, slot)
    d = &c.dates[date]
    tag.date = date
    tag.date_previous = d.tail
    tag.date_next = 0
    if d.tail:
        c.tags[d.tail].date_next = slot
    else:
        d.head = slot
    d.tail = slot


cdef inline apart remove_date(CoreC* c, uint32_t slot) noexcept nogil:
    cdef TagC* tag = &c.tags[slot]
    cdef DateC* d = &c.dates[tag.date]
    c.orders[slot].flags &= ~(<uint8_t> TIMED)
    if tag.date_next:
        c.tags[tag.date_next].date_previous = tag.date_previous
    else:
        d.tail = tag.date_previous
    if tag.date_previous:
        c.tags[tag.date_previous].date_next = tag.date_next
        return
    d.head = tag.date_next
    if d.head == 0:
        close_date(c, tag.date)
