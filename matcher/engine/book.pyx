# distutils: define_macros=BH_MARGIN=0
"""The order book alone: the engine's matching, compiled without accounts and margin."""

import hashlib

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from matcher.engine.handlers cimport (
    KIND_AMEND, KIND_CANCEL, KIND_PLACE, KIND_TICK, ORDER_LOTS_MAX, fill_order, refuse)
from matcher.engine.invariants cimport check_free, check_side
from matcher.engine.ladder cimport (
    inlined, ladder_close, ladder_open, next_down, next_up, prefetch, unlikely)
from matcher.engine.matching cimport execute, would_take
from matcher.engine.memory cimport release, reserve, reserve_dense
from matcher.engine.store cimport (
    CAPACITY, COMMAND_REJECTED, EXPIRED, MARKET_UNKNOWN, ORDER_ACCEPTED, ORDER_AMENDED,
    ORDER_REJECTED, ORDER_UNKNOWN, POST_ONLY_WOULD_TAKE, PRICE_OUT_OF_RANGE, QTY_OUT_OF_RANGE,
    SIDE_MISMATCH, TIME_IN_FORCE, USER_CANCELED, begin_events,
    drop_order, emit, free_events, new_order, now_s)
from matcher.engine.types cimport (
    CommandC, CoreC, EVENTS_RESERVED, EventC, MarketC, ORDER_FREE, OrderC, POST_ONLY, SLOT_BITS)

from matcher.engine.views import Order


cdef enum:
    LOOK_FAR = 8                 # commands ahead of the one being applied
    LOOK_NEAR = 4
    EXPIRIES_PER_TICK_MAX = 256


cdef inline int check_order(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    """What the engine checks too and needs no account, in the same order (SPEC ORD-1)."""
    if p.market_id != m.market_id:
        return MARKET_UNKNOWN
    if p.expiry_s <= now_s(c):
        return EXPIRED
    if p.qty < 1 or p.qty > ORDER_LOTS_MAX:
        return QTY_OUT_OF_RANGE
    if p.price < 1 or p.price > m.ticks_max:
        return PRICE_OUT_OF_RANGE
    if p.side > 1:
        return SIDE_MISMATCH
    if p.time_in_force > 2 or p.trigger_kind or p.flags > POST_ONLY or (
            p.flags & POST_ONLY and p.time_in_force):
        return TIME_IN_FORCE
    if p.flags & POST_ONLY and would_take(c, m, p.side, p.price):
        return POST_ONLY_WOULD_TAKE
    return 0


cdef inline void place(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    cdef int reason = check_order(c, m, p)
    cdef uint32_t slot = 0 if reason else new_order(c, p.account)
    cdef OrderC* order = &c.orders[slot]
    cdef EventC* event
    if slot == 0:
        refuse(c, m, ORDER_REJECTED, p, reason if reason else CAPACITY)
        return
    fill_order(order, p, True)
    event = emit(c, ORDER_ACCEPTED, m)
    event.account = p.account
    event.order_id = order.id
    event.order_id_2 = p.nonce
    event.side = p.side
    event.flags = p.flags
    event.price = p.price
    event.qty = p.qty
    event.remaining = p.qty
    event.amount = p.amount
    execute(c, m, slot)


cdef inline uint32_t find(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    """Slot of the live order that the command names; 0 after a refusal."""
    cdef uint32_t slot = <uint32_t> (p.order_id & ((<uint64_t> 1 << SLOT_BITS) - 1))
    if p.order_id == 0 or slot >= c.order_top or c.orders[slot].id != p.order_id or (
            c.orders[slot].bucket != p.account):
        refuse(c, m, COMMAND_REJECTED, p, ORDER_UNKNOWN)
        return 0
    return slot


cdef inline void amend(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    """Reduce the order's quantity where it stands."""
    cdef uint32_t slot = find(c, m, p)
    cdef OrderC* order = &c.orders[slot]
    cdef EventC* event
    if slot == 0:
        return
    if p.qty > order.qty or p.qty <= order.qty - order.remaining:
        refuse(c, m, COMMAND_REJECTED, p, QTY_OUT_OF_RANGE)
        return
    m.sides[order.side].levels[order.price].lots -= order.qty - p.qty
    order.remaining -= order.qty - p.qty
    order.qty = p.qty
    event = emit(c, ORDER_AMENDED, m)
    event.account = p.account
    event.order_id = order.id
    event.order_id_2 = order.nonce
    event.side = order.side
    event.price = order.price
    event.qty = order.qty
    event.remaining = order.remaining


cdef inline void pass_time(CoreC* c, MarketC* m) noexcept nogil:
    """Engine time passes: sweep a bounded number of slots for expired orders."""
    cdef uint32_t _k
    cdef uint32_t slot
    if c.order_top <= 1:
        return
    for _k in range(min(<uint32_t> EXPIRIES_PER_TICK_MAX, c.order_top - 1)):
        c.sweep_at = c.sweep_at + 1 if c.sweep_at + 1 < c.order_top else 1
        slot = c.sweep_at
        if c.orders[slot].state != ORDER_FREE and c.orders[slot].expiry_s <= now_s(c):
            drop_order(c, m, slot, EXPIRED)


cdef inline void dispatch(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    cdef uint32_t slot
    if p.time_ns > c.time_ns:
        c.time_ns = p.time_ns
        c.time_s = <int64_t> (<uint64_t> c.time_ns // <uint64_t> 1000000000)
    c.seq += 1
    if p.kind == KIND_PLACE:
        place(c, m, p)
    elif p.kind == KIND_CANCEL:
        slot = find(c, m, p)
        if slot:
            drop_order(c, m, slot, USER_CANCELED)
    elif p.kind == KIND_AMEND:
        amend(c, m, p)
    else:
        pass_time(c, m)


cdef inline inlined look_far(CoreC* c, const CommandC* p) noexcept nogil:
    """Fetch what a command of the near future reads first."""
    prefetch(&c.orders[p.order_id & (((<uint64_t> 1) << SLOT_BITS) - 1)])


cdef inline inlined look_near(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    """Fetch what it reads next: the level, and a cancelled order's neighbours."""
    cdef uint32_t slot = <uint32_t> (p.order_id & (((<uint64_t> 1) << SLOT_BITS) - 1))
    if unlikely(slot >= c.order_top):
        return
    prefetch(&m.sides[p.side & 1].levels[p.price])
    prefetch(&c.orders[c.orders[slot].previous])
    prefetch(&c.orders[c.orders[slot].next])


@cython.final
cdef class Book:
    """One order book: price, then time; no accounts, no margin, no I/O."""

    cdef CoreC c
    cdef MarketC m

    def __cinit__(self, price_ticks_max, *, order_count_max=1 << 22, market_id=1):
        memset(&self.c, 0, sizeof(CoreC))
        memset(&self.m, 0, sizeof(MarketC))
        for name, value, top in (("price_ticks_max", price_ticks_max, (1 << 27) - 1),
                                 ("order_count_max", order_count_max, (1 << SLOT_BITS) - 2),
                                 ("market_id", market_id, 65535)):
            if not isinstance(value, int) or not 1 <= value <= top:
                raise ValueError(f"{name} = {value!r}: expected an integer from 1 to {top}")
        self.c.order_capacity = order_count_max + 1
        self.c.order_top = 1
        self.c.event_capacity = EVENTS_RESERVED
        self.c.markets[0] = &self.m
        self.m.market_id = market_id
        self.m.ticks_max = price_ticks_max
        self.c.orders = <OrderC*> reserve_dense(self.c.order_capacity * sizeof(OrderC))
        self.c.events = <EventC*> reserve(self.c.event_capacity * sizeof(EventC))
        if self.c.orders == NULL or self.c.events == NULL or (
                not ladder_open(&self.m.sides[0], price_ticks_max, NULL)) or (
                not ladder_open(&self.m.sides[1], price_ticks_max, NULL)):
            raise MemoryError("book: the system refuses the memory for these capacities")

    def __dealloc__(self):
        ladder_close(&self.m.sides[0])
        ladder_close(&self.m.sides[1])
        if self.c.orders != NULL:
            release(self.c.orders, self.c.order_capacity * sizeof(OrderC))
        free_events(&self.c)

    def apply(self, records):
        self._apply(records)
        return PyBytes_FromStringAndSize(
            <char*> self.c.events, <Py_ssize_t> (self.c.event_count * sizeof(EventC)))

    def apply_view(self, records):
        self._apply(records)
        return memoryview(self)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(
            view, self, self.c.events, <Py_ssize_t> (self.c.event_count * sizeof(EventC)), 1, flags)

    cdef int _apply(self, object records) except -1:
        cdef Py_buffer view
        cdef CommandC* command
        cdef Py_ssize_t k = 0
        cdef Py_ssize_t count
        PyObject_GetBuffer(records, &view, PyBUF_SIMPLE)
        try:
            if view.len % sizeof(CommandC):
                raise ValueError(
                    f"commands: {view.len} bytes are not whole records of {sizeof(CommandC)}")
            count = view.len // <Py_ssize_t> sizeof(CommandC)
            command = <CommandC*> view.buf
            begin_events(&self.c)
            for k in range(count):
                if command[k].kind not in (KIND_PLACE, KIND_CANCEL, KIND_TICK, KIND_AMEND):
                    raise ValueError(
                        f"command {k}: a book has no kind {command[k].kind}; none was applied")
            k = 0
            with nogil:
                while k < count:
                    if k + LOOK_FAR < count:
                        look_far(&self.c, &command[k + LOOK_FAR])
                        look_near(&self.c, &self.m, &command[k + LOOK_NEAR])
                    dispatch(&self.c, &self.m, &command[k])
                    k += 1
        finally:
            PyBuffer_Release(&view)
        if self.c.is_out_of_memory:
            raise MemoryError("book: the system refused memory for the events")
        return 0

    def levels(self, depth):
        """Return (bids, asks), each (price_ticks, qty_lots), best first."""
        cdef uint32_t price = self.m.sides[0].best
        bids = []
        while price and len(bids) < depth:
            bids.append((price, self.m.sides[0].levels[price].lots))
            price = next_down(&self.m.sides[0], price - 1)
        asks = []
        price = self.m.sides[1].best
        while price and len(asks) < depth:
            asks.append((price, self.m.sides[1].levels[price].lots))
            price = next_up(&self.m.sides[1], price + 1)
        return bids, asks

    def level(self, side, price_ticks):
        """Return the live orders of one level, first in time first."""
        cdef uint32_t slot
        if side not in (0, 1) or not 1 <= price_ticks <= self.m.ticks_max:
            raise ValueError(f"side {side}, price_ticks {price_ticks}: no such level")
        slot = self.m.sides[<int> side].levels[<uint32_t> price_ticks].head
        orders = []
        while slot:
            orders.append(self._order(slot))
            slot = self.c.orders[slot].next
        return orders

    def order(self, order_id):
        cdef uint32_t slot = order_id & ((1 << SLOT_BITS) - 1)
        if slot == 0 or slot >= self.c.order_top or self.c.orders[slot].id != order_id:
            return None
        return self._order(slot)

    cdef object _order(self, uint32_t slot):
        cdef OrderC* order = &self.c.orders[slot]
        return Order(
            order.id, order.bucket, self.m.market_id, order.side, order.time_in_force, order.flags,
            order.price, order.qty, order.remaining, order.margin, order.nonce, order.expiry_s, 0)

    @property
    def best_bid_ticks(self):
        return self.m.sides[0].best

    @property
    def best_ask_ticks(self):
        return self.m.sides[1].best

    @property
    def last_price_ticks(self):
        return self.m.last_price

    @property
    def order_count(self):
        return self.c.order_count

    @property
    def seq(self):
        return self.c.seq

    @property
    def time_ns(self):
        return self.c.time_ns

    def state_hash(self):
        """BLAKE2b-256 over everything that decides the future: any difference shows."""
        digest = hashlib.blake2b(digest_size=32)
        digest.update(
            f"{self.m.market_id},{self.m.ticks_max},{self.c.seq},{self.c.time_ns},"
            f"{self.c.order_seq},{self.c.order_free},{self.c.order_top},{self.c.order_capacity},"
            f"{self.c.sweep_at},{self.m.last_price},{self.m.sides[0].best},"
            f"{self.m.sides[1].best}".encode())
        digest.update(<uint8_t[:self.c.order_top * sizeof(OrderC)]> <uint8_t*> self.c.orders)
        return digest.digest()

    def check_invariants(self):
        """Walk the whole book; `AssertionError` names the first invariant that does not hold."""
        check_side(&self.c, &self.m, 0)
        check_side(&self.c, &self.m, 1)
        if self.m.sides[0].best and self.m.sides[1].best:
            if self.m.sides[0].best >= self.m.sides[1].best:
                raise AssertionError(
                    f"INV-2 crossed book: {self.m.sides[0].best}, {self.m.sides[1].best}")
        check_free(&self.c)
