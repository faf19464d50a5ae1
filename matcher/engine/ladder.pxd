"""Price levels in an array indexed by tick, and a five-level bitmap that finds the next one.

The array is paid for where it is touched. Around the mark, which no client chooses, lies a window
of large pages that stay; elsewhere a page of levels goes back to the system when its last order
has ended, a few with each command.
"""

from libc.stdint cimport uint32_t, uint64_t
from matcher.engine.memory cimport (
    discard_empty, enlarge, page_bytes, release, reserve_dense, reserve_sparse)
from matcher.engine.types cimport (
    CoreC, EmptiedC, LadderC, LevelC, MarketC, OrderC, WITH_MARGIN)


cdef extern from *:
    """
    #define bh_lowest(x) ((uint32_t) __builtin_ctzll(x))
    #define bh_highest(x) (63u - (uint32_t) __builtin_clzll(x))
    #define bh_unlikely(x) __builtin_expect(!!(x), 0)
    static inline uint32_t bh_flip_of(uint32_t is_flipped) {
        uint32_t mask = 0u - is_flipped;
    #if defined(__GNUC__)
        __asm__("" : "+r"(mask));  /* else the compiler makes two copies and a branch of it */
    #endif
        return mask;
    }
    static inline uint32_t* bh_either(uint32_t slot, uint32_t* link, uint32_t* end) {
        uintptr_t mask = 0 - (uintptr_t) (slot != 0);
    #if defined(__GNUC__)
        __asm__("" : "+r"(mask));
    #endif
        return (uint32_t*) ((uintptr_t) end ^ (((uintptr_t) link ^ (uintptr_t) end) & mask));
    }
    #define BH_APART __attribute__((noinline)) void
    #define BH_APART_INT __attribute__((noinline)) int
    #define BH_COLD __attribute__((cold, noinline)) void
    #define BH_COLD_INT __attribute__((cold, noinline)) int
    #define BH_INLINED __attribute__((always_inline)) void
    #define BH_INLINED_INT __attribute__((always_inline)) int
    """
    # All ones or 0, to be applied without a branch: the side of an order cannot be predicted.
    uint32_t flip_of "bh_flip_of"(uint32_t is_flipped) noexcept nogil
    # `link` of a slot that there is, else `end`; where it is in a list cannot be predicted either.
    uint32_t* either "bh_either"(uint32_t slot, uint32_t* link, uint32_t* end) noexcept nogil
    # Out of line, so that there are registers enough.
    ctypedef void apart "BH_APART"
    ctypedef int apart_int "BH_APART_INT"
    ctypedef void cold "BH_COLD"         # a rare case: out of line, so that the common one is short
    ctypedef int cold_int "BH_COLD_INT"
    # In line wherever it is called. What only prefetches needs it: gcc takes such a function for
    # one without effect and drops its calls.
    ctypedef void inlined "BH_INLINED"
    ctypedef int inlined_int "BH_INLINED_INT"
    uint32_t lowest "bh_lowest"(uint64_t word) noexcept nogil
    uint32_t highest "bh_highest"(uint64_t word) noexcept nogil
    bint unlikely "bh_unlikely"(bint condition) noexcept nogil
    void prefetch "__builtin_prefetch"(const void* address) noexcept nogil


cdef enum:
    LARGE_TICKS = 1 << 17        # levels of a large page
    WINDOW_TICKS = 4 * LARGE_TICKS
    EMPTIED_MAX = 16384          # pages that wait to be given back; a power of two
    EMPTIED_PER_COMMAND = 32     # of these, looked at after a command: as many as one can fill


cdef inline uint64_t level_bytes_of(uint32_t price_max) noexcept nogil:
    """Bytes of the levels, so that the bitmaps behind them begin a page of 64 KiB or less."""
    return ((<uint64_t> price_max + 4096) & ~<uint64_t> 4095) * sizeof(LevelC)


cdef inline uint64_t ladder_bytes_of(uint32_t price_max) noexcept nogil:
    cdef uint64_t total = level_bytes_of(price_max)
    cdef uint64_t words = (<uint64_t> price_max >> 6) + 1
    cdef int _k
    for _k in range(5):
        total += words * 8
        words = (words >> 6) + 1
    return total + sizeof(CoreC*)


cdef inline CoreC** core_of(const LadderC* ladder) noexcept nogil:
    """Where the ladder, behind its bitmaps, keeps the core that it belongs to: seldom asked for."""
    return <CoreC**> (
        <char*> ladder.levels + ladder_bytes_of(ladder.size - 1) - sizeof(CoreC*))


cdef inline bint ladder_open(LadderC* ladder, uint32_t price_max, CoreC* core) noexcept nogil:
    """Reserve a ladder for prices 1 .. price_max. False when memory is refused.

    Without a core it is all window: for who alone decides which prices there are.
    """
    cdef uint64_t words = (<uint64_t> price_max >> 6) + 1
    cdef uint64_t total = ladder_bytes_of(price_max)
    cdef char* memory = <char*> (reserve_sparse(total) if core else reserve_dense(total))
    cdef int k
    if memory == NULL:
        return False
    ladder.levels = <LevelC*> memory
    memory += level_bytes_of(price_max)
    for k in range(5):
        ladder.bits[k] = <uint64_t*> memory
        memory += words * 8
        words = (words >> 6) + 1
    ladder.size = price_max + 1
    ladder.best = 0
    ladder.window_first = 0
    ladder.window_size = 0 if core else ladder.size
    core_of(ladder)[0] = core
    return True


cdef inline void ladder_close(LadderC* ladder) noexcept nogil:
    if ladder.levels != NULL:
        release(ladder.levels, ladder_bytes_of(ladder.size - 1))
        ladder.levels = NULL


cdef inline bint is_empty_page(
    const LadderC* ladder, uint32_t price, uint32_t ticks
) noexcept nogil:
    """No level has orders in the page of so many ticks, 64 to 4,096, in which `price` lies."""
    cdef uint32_t words = ticks >> 6
    cdef uint64_t bits = ladder.bits[1][price >> 12] >> ((price >> 6) & (64 - words))
    return bits << (64 - words) == 0


cdef inline void give_back(LadderC* ladder, uint32_t begin, uint32_t end) noexcept nogil:
    """Give the empty pages from one tick up to another back, each run of them by one call."""
    cdef uint32_t ticks = <uint32_t> min(page_bytes() // sizeof(LevelC), <uint64_t> 8192)
    cdef uint32_t at = begin & ~(ticks - 1)
    cdef uint32_t first = at
    if ticks > 4096:
        return                   # a page is more than a word of bits
    while at < end:
        if not is_empty_page(ladder, at, ticks):
            if first < at:
                discard_empty(&ladder.levels[first], (at - first) * sizeof(LevelC))
            first = at + ticks
        at += ticks
    if first < at:
        discard_empty(&ladder.levels[first], (at - first) * sizeof(LevelC))


cdef inline cold leave_page(LadderC* ladder, uint32_t price) noexcept nogil:
    """After a level outside of the window has become empty: its page waits, if it is empty, too.

    A command can empty many pages, and each costs a call of the system.
    """
    cdef CoreC* c = core_of(ladder)[0]
    cdef EmptiedC* emptied
    if not is_empty_page(ladder, price, 64):
        return
    if c.emptied_count == EMPTIED_MAX:
        give_back(ladder, price, price + 1)
        return
    emptied = &c.emptied[(c.emptied_first + c.emptied_count) % EMPTIED_MAX]
    emptied.ladder = ladder
    emptied.price = price
    c.emptied_count += 1


cdef inline cold give_some_back(CoreC* c) noexcept nogil:
    """After a command: what has waited longest; a page in use again, or in the window, stays."""
    cdef int _k
    cdef EmptiedC* emptied
    for _k in range(EMPTIED_PER_COMMAND):
        if c.emptied_count == 0:
            return
        emptied = &c.emptied[c.emptied_first]
        c.emptied_first = (c.emptied_first + 1) % EMPTIED_MAX
        c.emptied_count -= 1
        if emptied.price - emptied.ladder.window_first >= emptied.ladder.window_size:
            give_back(emptied.ladder, emptied.price, emptied.price + 1)


cdef inline cold move_window(LadderC* ladder, uint32_t price, bint is_large) noexcept nogil:
    """Lay the window around a price and give back what is empty where it was."""
    cdef uint32_t left = ladder.window_first
    cdef uint32_t left_end = left + ladder.window_size
    cdef uint32_t first = max(price + (LARGE_TICKS >> 1), <uint32_t> (WINDOW_TICKS >> 1))
    cdef uint32_t end
    first = (first - (WINDOW_TICKS >> 1)) & ~<uint32_t> (LARGE_TICKS - 1)
    end = min(first + <uint32_t> WINDOW_TICKS, ladder.size)
    if first == left and end == left_end:
        return                   # as near to the lowest or highest price as it can be
    ladder.window_first = first
    ladder.window_size = end - first
    if is_large:
        if left < left_end:
            enlarge(&ladder.levels[left], (left_end - left) * sizeof(LevelC), False)
        enlarge(&ladder.levels[first], (end - first) * sizeof(LevelC), True)
    if left < min(left_end, first):
        give_back(ladder, left, min(left_end, first))
    if max(left, end) < left_end:
        give_back(ladder, max(left, end), left_end)


cdef inline void follow_mark(MarketC* m) noexcept nogil:
    """Keep the windows of a market around its mark, whose middle half it may move in."""
    cdef uint32_t mark = <uint32_t> m.mark_price
    cdef uint32_t middle = m.sides[0].window_first + <uint32_t> (WINDOW_TICKS >> 2)
    cdef int k
    if mark - middle < <uint32_t> (WINDOW_TICKS >> 1) and m.sides[0].window_size:
        return
    for k in range(2):
        move_window(&m.sides[k], mark, True)
        move_window(&m.triggers[k], mark, False)
        move_window(&m.triggers[k + 2], mark, False)
        move_window(&m.trails[k], mark, False)
        move_window(&m.trails[k + 2], mark, False)


cdef inline void mark_level(LadderC* ladder, uint32_t price) noexcept nogil:
    """Set the bit of a level that is not empty any more."""
    ladder.bits[0][price >> 6] |= <uint64_t> 1 << (price & 63)
    ladder.bits[1][price >> 12] |= <uint64_t> 1 << ((price >> 6) & 63)
    ladder.bits[2][price >> 18] |= <uint64_t> 1 << ((price >> 12) & 63)
    ladder.bits[3][price >> 24] |= <uint64_t> 1 << ((price >> 18) & 63)
    ladder.bits[4][price >> 30] |= <uint64_t> 1 << ((price >> 24) & 63)


cdef inline void clear_bits(LadderC* ladder, uint32_t price) noexcept nogil:
    """Clear the bit of a level, and of words that become empty with it."""
    cdef uint32_t at = price
    cdef int k
    for k in range(5):
        ladder.bits[k][at >> 6] &= ~(<uint64_t> 1 << (at & 63))
        at >>= 6
        if ladder.bits[k][at]:
            return


cdef inline void clear_level(LadderC* ladder, uint32_t price) noexcept nogil:
    """Take a level that is all zeroes now out of the ladder."""
    clear_bits(ladder, price)
    if WITH_MARGIN and unlikely(price - ladder.window_first >= ladder.window_size):
        leave_page(ladder, price)


cdef inline uint32_t next_up(const LadderC* ladder, uint32_t price) noexcept nogil:
    """Lowest price >= `price` with a level, 0 when there is none."""
    cdef uint64_t word
    cdef uint32_t at = price
    cdef uint32_t words = ladder.size
    cdef int k = 0
    if price >= ladder.size:
        return 0
    while k < 5:
        word = ladder.bits[k][at >> 6] & (~<uint64_t> 0 << (at & 63))
        if word:
            break
        at = (at >> 6) + 1
        words = ((words - 1) >> 6) + 1
        k += 1
        if at >= words:
            return 0
    if k == 5:
        return 0
    at = (at & ~<uint32_t> 63) | lowest(word)
    while k > 0:
        k -= 1
        at = (at << 6) | lowest(ladder.bits[k][at])
    return at


cdef inline uint32_t next_down(const LadderC* ladder, uint32_t price) noexcept nogil:
    """Highest price <= `price` with a level, 0 when there is none."""
    cdef uint64_t word = 0
    cdef uint32_t at = price
    cdef int k = 0
    while k < 5:
        word = ladder.bits[k][at >> 6] & (~<uint64_t> 0 >> (63 - (at & 63)))
        if word:
            break
        at >>= 6
        if at == 0:
            return 0
        at -= 1
        k += 1
    if k == 5:
        return 0
    at = (at & ~<uint32_t> 63) | highest(word)
    while k > 0:
        k -= 1
        at = (at << 6) | highest(ladder.bits[k][at])
    return at


cdef inline void link_order(
    LadderC* ladder, OrderC* orders, uint32_t slot, uint32_t price, uint32_t lots
) noexcept nogil:
    """Append the order at the end of its level: time priority."""
    cdef LevelC* level = &ladder.levels[price]
    cdef OrderC* order = &orders[slot]
    cdef uint32_t tail = level.tail
    cdef uint32_t* before = either(tail, &orders[tail].next, &level.head)
    order.previous = tail
    order.next = 0
    before[0] = slot
    if tail == 0:
        mark_level(ladder, price)
    level.tail = slot
    level.lots += lots


cdef inline bint unlink_order(
    LadderC* ladder, OrderC* orders, uint32_t slot, uint32_t price, uint32_t lots
) noexcept nogil:
    """Take the order out of its level; true when the level is empty now."""
    cdef LevelC* level = &ladder.levels[price]
    cdef uint32_t previous = orders[slot].previous
    cdef uint32_t next = orders[slot].next
    cdef uint32_t* before = either(previous, &orders[previous].next, &level.head)
    cdef uint32_t* after = either(next, &orders[next].previous, &level.tail)
    level.lots -= lots
    before[0] = next
    after[0] = previous
    if level.head:
        return False
    clear_level(ladder, price)
    return True
