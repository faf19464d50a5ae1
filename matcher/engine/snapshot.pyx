"""The engine's state as bytes: images of its structs without pointers, arrays as far as in use.

A snapshot is a header, the core's image and arrays, then for each market its parameters, image,
arrays and levels that are not empty; at last BLAKE2b-256 of all that. It belongs to the layout of
the build that made it, and is a short cut through the journal, never a substitute for it.
"""

import hashlib
import struct

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from matcher.engine.after cimport rests_to_reduce
from matcher.engine.ladder cimport follow_mark, mark_level, next_up
from matcher.engine.memory cimport release, reserve_dense
from matcher.engine.names cimport add_name
from matcher.engine.nonces cimport end_growth
from matcher.engine.types cimport (
    AccountC, BucketC, CoreC, DateC, ExtraC, LadderC, LeafC, LevelC, ListedC, MARKETS_MAX, MarketC,
    NAMED, NEAR_MARKETS, NonceC, ORDER_FREE, OrderC, TagC)

cdef extern from *:
    """
    #ifndef BULKHEAD_LAYOUT
    #error "BULKHEAD_LAYOUT comes from setup.py: the checksum of what declares the state"
    #endif
    """
    uint32_t LAYOUT "BULKHEAD_LAYOUT"

cdef enum:
    LADDERS = 10                 # of a market

FORMAT = 1
# magic · format · layout · accounts, positions, orders at most · commands applied · time
HEADER = struct.Struct("<8sII4Qq")
MAGIC = b"BULKSNAP"
DIGEST_BYTES = 32


# What is written: one line an array. A new pointer of CoreC or MarketC belongs here.

cdef int core_arrays(CoreC* c, ArrayC* out) noexcept nogil:
    out[0] = ArrayC(<void**> &c.accounts, sizeof(AccountC), c.account_count, c.account_capacity, 1)
    out[1] = ArrayC(<void**> &c.buckets, sizeof(BucketC), c.bucket_top, c.bucket_capacity, 1)
    out[2] = ArrayC(<void**> &c.orders, sizeof(OrderC), c.order_top, c.order_capacity, 1)
    out[3] = ArrayC(<void**> &c.nonces, sizeof(NonceC), c.nonce_capacity, c.nonce_capacity, 1)
    out[4] = ArrayC(<void**> &c.extras, sizeof(ExtraC), c.order_top, c.order_capacity, 1)
    out[5] = ArrayC(<void**> &c.tags, sizeof(TagC), c.order_top, c.order_capacity, 1)
    out[6] = ArrayC(<void**> &c.trims, sizeof(uint32_t), 0, c.bucket_capacity, 1)
    out[7] = ArrayC(<void**> &c.listed, sizeof(ListedC), c.bucket_top, c.bucket_capacity, 1)
    out[8] = ArrayC(
        <void**> &c.tree_nodes, sizeof(LeafC), c.tree_node_top, c.tree_node_capacity, 1)
    out[9] = ArrayC(<void**> &c.dates, sizeof(DateC), c.date_top + 1, c.order_capacity, 1)
    out[10] = ArrayC(
        <void**> &c.date_heap, sizeof(uint32_t), c.date_count, c.order_capacity, 1)
    return 11


cdef int market_arrays(MarketC* m, ArrayC* out) noexcept nogil:
    out[0] = ArrayC(<void**> &m.dirty, sizeof(uint32_t), m.dirty_count, m.dirty_capacity, 0)
    return 1


cdef inline LadderC* ladder_at(MarketC* m, int k) noexcept nogil:
    if k < 2:
        return &m.sides[k]
    return &m.triggers[k - 2] if k < 6 else &m.trails[k - 6]


cdef void forget_core(CoreC* c) noexcept nogil:
    """Take out of an image what is not state: pointers, and the events of the last call."""
    cdef ArrayC arrays[ARRAYS_MAX]
    cdef int k
    memset(arrays, 0, sizeof(arrays))
    for k in range(core_arrays(c, arrays)):
        arrays[k].at[0] = NULL
    c.bucket_of = NULL           # follows from the buckets
    c.names = NULL               # follows from the orders
    c.reducing = NULL            # likewise
    c.doomed = NULL              # empty between commands
    c.emptied = NULL             # a restored engine has touched other pages
    c.emptied_first = c.emptied_count = 0
    c.nonces_before = NULL       # there is none: `core_pieces` ends the growth
    c.nonces_next = NULL         # empty
    c.nonces_touched = 0
    c.events = NULL
    c.event_count = 0
    c.event_capacity = 0
    memset(c.retired, 0, sizeof(c.retired))
    c.retired_count = 0
    memset(c.markets, 0, sizeof(c.markets))


cdef void forget_market(MarketC* m) noexcept nogil:
    cdef ArrayC arrays[ARRAYS_MAX]
    cdef int k
    for k in range(market_arrays(m, arrays)):
        arrays[k].at[0] = NULL
    # Lists of a tick, empty between commands: due.entries, ranking.entries, found.slots …
    memset(&m.due, 0, sizeof(m.due))
    memset(m.ranking, 0, sizeof(m.ranking))
    memset(m.waiting, 0, sizeof(m.waiting))
    memset(&m.found, 0, sizeof(m.found))
    memset(&m.tried, 0, sizeof(m.tried))
    memset(&m.passed, 0, sizeof(m.passed))
    for k in range(LADDERS):
        ladder_at(m, k).levels = NULL
        memset(ladder_at(m, k).bits, 0, sizeof(ladder_at(m, k).bits))
        ladder_at(m, k).window_first = 0
        ladder_at(m, k).window_size = 0


cdef bytes header_of(const CoreC* c):
    """The capacities decide what is refused, so they are part of the state."""
    return HEADER.pack(
        MAGIC, FORMAT, LAYOUT, c.account_capacity - 1, c.bucket_capacity - 1,
        c.order_capacity - 1, c.seq, c.time_ns)


cdef list core_pieces(CoreC* c):
    """The core's image and arrays: bytes, or (address, size) of memory to be read later."""
    cdef CoreC* image = <CoreC*> calloc(1, sizeof(CoreC))
    cdef ArrayC arrays[ARRAYS_MAX]
    cdef int count
    end_growth(c)                # one table, as one array
    count = core_arrays(c, arrays)
    if image == NULL:
        raise MemoryError("snapshot: the system refuses memory")
    memcpy(image, c, sizeof(CoreC))
    forget_core(image)
    pieces = [header_of(c), PyBytes_FromStringAndSize(<char*> image, sizeof(CoreC))]
    free(image)
    return pieces + pieces_of(arrays, count)


cdef list market_pieces(MarketC* m, bytes spec, bytes announced):
    """A market's parameters, image, arrays and levels, as in `core_pieces`."""
    cdef MarketC image
    cdef ArrayC arrays[ARRAYS_MAX]
    cdef int count = market_arrays(m, arrays)
    cdef int k
    memcpy(&image, m, sizeof(MarketC))
    forget_market(&image)
    pieces = [
        len(spec).to_bytes(8, "little") + spec,
        len(announced).to_bytes(8, "little") + announced,
        PyBytes_FromStringAndSize(<char*> &image, sizeof(MarketC))]
    pieces += pieces_of(arrays, count)
    for k in range(LADDERS):
        pieces.append(ladder_bytes(ladder_at(m, k)))
    return pieces


cdef list pieces_of(ArrayC* arrays, int count):
    cdef int k
    return [(<size_t> arrays[k].at[0], arrays[k].count * arrays[k].element) for k in range(count)]


cdef bytes ladder_bytes(const LadderC* ladder):
    """Number of levels that are not empty, then price and level of each, upwards."""
    cdef uint32_t price = next_up(ladder, 1)
    cdef uint64_t count = 0
    levels = bytearray()
    while price:
        levels += PyBytes_FromStringAndSize(<char*> &price, sizeof(uint32_t))
        levels += PyBytes_FromStringAndSize(<char*> &ladder.levels[price], sizeof(LevelC))
        count += 1
        price = next_up(ladder, price + 1)
    return PyBytes_FromStringAndSize(<char*> &count, sizeof(uint64_t)) + bytes(levels)


cdef uint64_t piece_size(object piece):
    return len(piece) if isinstance(piece, bytes) else piece[1]


cdef bytes piece_bytes(object piece, uint64_t begin):
    """Up to PIECE_BYTES_MAX bytes of a piece from an offset on."""
    cdef size_t address
    cdef uint64_t size
    if isinstance(piece, bytes):
        return piece[begin:begin + PIECE_BYTES_MAX]
    address, size = piece
    return PyBytes_FromStringAndSize(
        <char*> address + begin, <Py_ssize_t> min(<uint64_t> PIECE_BYTES_MAX, size - begin))


# What is read

cdef class Reader:
    """Takes bytes from the body of a snapshot whose checksum is right."""

    def __init__(self, const unsigned char[::1] data, uint64_t begin, uint64_t end):
        self.owner = data
        self.data = &data[0]
        self.position = begin
        self.size = end

    cdef int take(self, void* into, uint64_t size) except -1:
        if size > self.size - self.position:
            raise ValueError(f"snapshot: ends within {size} bytes at {self.position}")
        if size:
            memcpy(into, self.data + self.position, size)
        self.position += size
        return 0

    cdef int close(self) except -1:
        require(self.position == self.size, "lengths")
        return 0


def open_snapshot(const unsigned char[::1] data):
    """Return a reader behind the header, and the capacities of the engine that was saved.

    Raises:
        ValueError: This is no snapshot, one of another build, or it is truncated or damaged.
    """
    cdef Py_ssize_t size = data.shape[0]
    if size < HEADER.size + DIGEST_BYTES or bytes(data[:len(MAGIC)]) != MAGIC:
        raise ValueError(f"snapshot: {size} bytes that do not begin as a snapshot does")
    _, form, layout, accounts, positions, orders, _, _ = HEADER.unpack(data[:HEADER.size])
    if form != FORMAT or layout != LAYOUT:
        raise ValueError(
            f"snapshot: format {form}, layout {layout:08x}; this build reads format {FORMAT}, "
            f"layout {LAYOUT:08x}: replay the journal")
    end = size - DIGEST_BYTES
    if hashlib.blake2b(data[:end], digest_size=DIGEST_BYTES).digest() != bytes(data[end:]):
        raise ValueError("snapshot: truncated or damaged: its checksum is not that of its content")
    return Reader(data, HEADER.size, end), {
        "account_count_max": accounts, "position_count_max": positions, "order_count_max": orders}


cdef int read_core(Reader reader, CoreC* c) except -1:
    """Fill a fresh core of the same capacities and return how many markets are to be read."""
    cdef CoreC* fresh = <CoreC*> calloc(1, sizeof(CoreC))
    cdef ArrayC arrays[ARRAYS_MAX]
    cdef ArrayC ours[ARRAYS_MAX]
    cdef int count, market_count
    if fresh == NULL:
        raise MemoryError("snapshot: the system refuses memory")
    try:
        memcpy(fresh, c, sizeof(CoreC))
        reader.take(c, sizeof(CoreC))
        resize_nonces(fresh, c.nonce_capacity)
        market_count = c.market_count
        c.market_count = 0
        c.bucket_of = fresh.bucket_of
        c.names = fresh.names
        c.reducing = fresh.reducing
        c.doomed = fresh.doomed
        c.emptied = fresh.emptied
        c.events = fresh.events
        c.event_capacity = fresh.event_capacity
        count = core_arrays(c, arrays)
        core_arrays(fresh, ours)
        keep_pointers(arrays, ours, count)
        if c.nonces == NULL:
            raise MemoryError("snapshot: the system refuses memory")
        require(market_count <= MARKETS_MAX, "markets")
        read_arrays(reader, arrays, ours, count)
        index_buckets(c)
        index_orders(c)
    finally:
        free(fresh)
    return market_count


cdef void resize_nonces(CoreC* fresh, uint64_t capacity) noexcept:
    """Give a fresh core another table of nonces, NULL when memory is refused."""
    release(fresh.nonces, fresh.nonce_capacity * sizeof(NonceC))
    fresh.nonces = <NonceC*> reserve_dense(capacity * sizeof(NonceC))
    fresh.nonce_capacity = capacity


cdef bytes read_spec(Reader reader):
    """A market's parameters as `MarketSpec.pack` gives them."""
    cdef uint64_t size = 0
    reader.take(&size, sizeof(uint64_t))
    require(size <= reader.size - reader.position, "parameters")
    spec = reader.data[reader.position:reader.position + size]
    reader.position += size
    return spec


cdef int read_market(Reader reader, MarketC* m) except -1:
    """Fill a fresh market whose ladders are of the right size."""
    cdef MarketC fresh = m[0]
    cdef ArrayC arrays[ARRAYS_MAX]
    cdef ArrayC ours[ARRAYS_MAX]
    cdef int count, k
    reader.take(m, sizeof(MarketC))
    for k in range(LADDERS):
        ladder_at(m, k).levels = ladder_at(&fresh, k).levels
        memcpy(ladder_at(m, k).bits, ladder_at(&fresh, k).bits, sizeof(fresh.sides[0].bits))
    count = market_arrays(m, arrays)
    market_arrays(&fresh, ours)
    keep_pointers(arrays, ours, count)
    require(m.ticks_max + 1 == fresh.sides[0].size, "price_ticks_max")
    read_arrays(reader, arrays, ours, count)
    for k in range(LADDERS):
        require(ladder_at(m, k).size == ladder_at(&fresh, k).size
                and ladder_at(m, k).window_size == 0, "ladders")
    require(0 <= m.mark_price < fresh.sides[0].size, "mark price")
    if m.mark_price:
        follow_mark(m)
    for k in range(LADDERS):
        read_ladder(reader, ladder_at(m, k))
    return 0


cdef void keep_pointers(ArrayC* arrays, ArrayC* ours, int count) noexcept:
    """Give the image the fresh arrays, so that whoever fails from here on can free them."""
    cdef int k
    for k in range(count):
        arrays[k].at[0] = ours[k].at[0]


cdef int read_arrays(Reader reader, ArrayC* arrays, ArrayC* ours, int count) except -1:
    cdef int k
    cdef ArrayC* array
    for k in range(count):
        array = &arrays[k]
        require(array.count <= array.room, "counts")
        if array.is_mapped:
            require(array.room == ours[k].room, "capacities")
        else:
            free(array.at[0])
            array.at[0] = calloc(array.room, array.element)
            if array.at[0] == NULL:
                raise MemoryError("snapshot: the system refuses memory")
        reader.take(array.at[0], array.count * array.element)
    return 0


cdef int read_ladder(Reader reader, LadderC* ladder) except -1:
    cdef uint64_t count = 0
    cdef uint64_t _k
    cdef uint32_t price = 0
    reader.take(&count, sizeof(uint64_t))
    for _k in range(count):
        reader.take(&price, sizeof(uint32_t))
        require(0 < price < ladder.size, "prices")
        reader.take(&ladder.levels[price], sizeof(LevelC))
        mark_level(ladder, price)
    return 0


cdef int index_buckets(CoreC* c) except -1:
    """Markets beyond the near ones find an account's bucket through `bucket_of`."""
    cdef uint32_t slot
    cdef BucketC* b
    for slot in range(1, c.bucket_top):
        b = &c.buckets[slot]
        require(b.account < c.account_count and b.market < MARKETS_MAX, "buckets")
        if b.market >= NEAR_MARKETS:
            c.bucket_of[<uint64_t> b.account * MARKETS_MAX + b.market] = slot
    return 0


cdef int index_orders(CoreC* c) except -1:
    """Orders that were looked for by nonce are found by it; what rests to reduce is summed up."""
    cdef uint32_t slot
    cdef OrderC* order
    for slot in range(1, c.order_top):
        order = &c.orders[slot]
        require(order.state == ORDER_FREE or order.bucket < c.bucket_top, "orders")
        if order.flags & NAMED:
            add_name(c, slot)
        if rests_to_reduce(order):
            c.reducing[order.bucket].lots[(order.side & 1)] += order.remaining
    return 0


cdef int require(bint ok, str what) except -1:
    if not ok:
        raise ValueError(f"snapshot: its {what} contradict each other")
    return 0
