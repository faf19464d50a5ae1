"""The engine's Python face: command records in, event records out, views of the state."""

import hashlib

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memset

from margin_core.requirement cimport (
    bankruptcy_price, equity, funding_owed, initial, liquidation_price, maintenance, notional_of)
from margin_core.rules cimport load_spec
from margin_core.types cimport LINEAR_FUTURE, LINEAR_PERPETUAL, PositionC
from matcher.engine.after cimport left_of
from matcher.engine.announce cimport forget_pending
from matcher.engine.dates cimport NO_EXPIRY_S
from matcher.engine.forced cimport is_chains
from matcher.engine.handlers cimport (
    KIND_AMEND, KIND_CANCEL, KIND_DEPOSIT, KIND_EXTENSION, KIND_GROUP, KIND_PLACE,
    KIND_SETTLEMENT_REJECTED, act, advance, dispatch, look_far, look_near, order_of_nonce,
    settle_command)
from matcher.engine.index cimport key_shift_of
from matcher.engine.invariants cimport check_core
from matcher.engine.ladder cimport (
    EMPTIED_MAX, apart, apart_int, ladder_close, ladder_open, next_down, next_up, prefetch)
from matcher.engine.limits cimport PRICE_UNBOUND
from matcher.engine.memory cimport release, reserve, reserve_dense, touch
from matcher.engine.nonces cimport end_growth, has_nonces_to_tend, tend_nonces
from matcher.engine.requests cimport dispatch_request, group_span, span
from matcher.engine.snapshot cimport (
    PIECE_BYTES_MAX, Reader, core_pieces, market_pieces, piece_bytes, piece_size, read_core,
    read_market, read_spec)
from matcher.engine.special cimport WalkC, step_down, walk_from
from matcher.engine.standing cimport KIND_AUTO_TOP_UP, KIND_SETTLE_MARKET, dispatch_standing
from matcher.engine.store cimport (
    AMOUNT_OUT_OF_RANGE, COMMAND_REJECTED, GROUP_ITEMS_MAX, ORDER_REJECTED, PARAMETERS_ANNOUNCED,
    begin_events,    bucket_at, emit, ensure_bucket, free_events)
from matcher.engine.types cimport (
    AccountC, BucketC, CommandC, CoreC, DateC, EVENTS_RESERVED, EmptiedC, EventC, ExtraC, LeafC,
    ListedC, MARKETS_MAX, MarketC, NonceC, ORDER_PENDING, OrderC, ReducingC, SLOT_BITS, TagC)

from margin_core import MarketSpec
from matcher.engine.snapshot import DIGEST_BYTES, open_snapshot
from matcher.engine.views import Market, Order, Position


UNCHANGING = "kind", "quote_per_tick_lot", "price_ticks_max", "strike_ticks"
FALLING = "fee_maker_ppm", "fee_taker_ppm"


cdef enum:
    LOOK_FAR = 8                 # commands ahead of the one being applied
    LOOK_NEAR = 4
    TOUCHED_AT_START = 1 << 26   # bytes of the nonces' table: what is larger has large pages
    RECORDS_AHEAD = 64           # a page: the machine itself fetches ahead within one
    # How often one bucket may wait within one list: for its fills, then for what ends by their
    # ends in turn: siblings at most three times, what waits alone once a side.
    AFTER_PASSES_MAX = 8
    TREE_NODES_SPARE = 8192      # a root and a little more for each tree of each market


@cython.final
cdef class Engine:
    """A deterministic exchange: books, isolated positions, liquidations. One writer, no I/O.

    The same commands give the same events and the same `state_hash`, on any machine.
    """

    cdef CoreC c
    cdef dict specs
    cdef dict announced          # parameters that do not hold yet

    def __cinit__(self, *, account_count_max=1 << 20, position_count_max=1 << 21,
                  order_count_max=1 << 22, nonce_group_count=1 << 10, hash_key=0):
        cdef size_t size
        memset(&self.c, 0, sizeof(CoreC))
        for name, value, top in (("account_count_max", account_count_max, 1 << 24),
                                 ("position_count_max", position_count_max, 1 << 26),
                                 ("order_count_max", order_count_max, (1 << SLOT_BITS) - 2),
                                 ("nonce_group_count", nonce_group_count, 1 << 28)):
            if not isinstance(value, int) or not 1 <= value <= top:
                raise ValueError(f"{name} = {value!r}: expected an integer from 1 to {top}")
        if not isinstance(hash_key, int) or not 0 <= hash_key < 2**64:
            raise ValueError(f"hash_key = {hash_key!r}: expected an integer from 0 to 2^64 - 1")
        self.specs = {}
        self.announced = {}
        self.c.hash_key = hash_key
        self.c.account_capacity = account_count_max + 1
        self.c.bucket_capacity = position_count_max + 1
        self.c.order_capacity = order_count_max + 1
        self.c.event_capacity = EVENTS_RESERVED
        self.c.nonce_capacity = 4096
        while self.c.nonce_capacity < 4 * <uint64_t> nonce_group_count:
            self.c.nonce_capacity *= 2
        self.c.name_capacity = 2
        while self.c.name_capacity < 2 * <uint64_t> self.c.order_capacity:
            self.c.name_capacity *= 2
        self.c.tree_node_capacity = self.c.bucket_capacity * 2 + TREE_NODES_SPARE
        self.c.listed = <ListedC*> reserve_dense(self.c.bucket_capacity * sizeof(ListedC))
        self.c.tree_nodes = <LeafC*> reserve_dense(
            <uint64_t> self.c.tree_node_capacity * sizeof(LeafC))
        self.c.accounts = <AccountC*> reserve_dense(self.c.account_capacity * sizeof(AccountC))
        self.c.buckets = <BucketC*> reserve_dense(self.c.bucket_capacity * sizeof(BucketC))
        self.c.orders = <OrderC*> reserve_dense(self.c.order_capacity * sizeof(OrderC))
        self.c.bucket_of = <uint32_t*> reserve(
            <uint64_t> self.c.account_capacity * MARKETS_MAX * sizeof(uint32_t))
        self.c.extras = <ExtraC*> reserve(self.c.order_capacity * sizeof(ExtraC))
        self.c.names = <uint32_t*> reserve(self.c.name_capacity * sizeof(uint32_t))
        self.c.tags = <TagC*> reserve(self.c.order_capacity * sizeof(TagC))
        self.c.dates = <DateC*> reserve(self.c.order_capacity * sizeof(DateC))
        self.c.date_heap = <uint32_t*> reserve(self.c.order_capacity * sizeof(uint32_t))
        self.c.trims = <uint32_t*> reserve(
            self.c.bucket_capacity * <uint64_t> AFTER_PASSES_MAX * sizeof(uint32_t))
        self.c.doomed = <uint32_t*> reserve(
            (<uint64_t> self.c.order_capacity + GROUP_ITEMS_MAX) * sizeof(uint32_t))
        self.c.reducing = <ReducingC*> reserve(self.c.bucket_capacity * sizeof(ReducingC))
        self.c.emptied = <EmptiedC*> reserve(EMPTIED_MAX * sizeof(EmptiedC))
        self.c.next_expiry_s = NO_EXPIRY_S
        self.c.nonces = <NonceC*> reserve_dense(self.c.nonce_capacity * sizeof(NonceC))
        if self.c.nonces != NULL:
            size = self.c.nonce_capacity * sizeof(NonceC)
            touch(self.c.nonces, min(size, <size_t> TOUCHED_AT_START))
        self.c.events = <EventC*> reserve(self.c.event_capacity * sizeof(EventC))
        if (self.c.accounts == NULL or self.c.buckets == NULL or self.c.orders == NULL
                or self.c.bucket_of == NULL or self.c.nonces == NULL or self.c.events == NULL
                or self.c.listed == NULL or self.c.tree_nodes == NULL
                or self.c.extras == NULL or self.c.tags == NULL or self.c.dates == NULL
                or self.c.date_heap == NULL or self.c.trims == NULL
                or self.c.names == NULL or self.c.doomed == NULL or self.c.reducing == NULL
                or self.c.emptied == NULL):
            raise MemoryError("engine: the system refuses the memory for these capacities")
        self.c.account_count = 1
        self.c.bucket_top = 1
        self.c.order_top = 1
        self.c.tree_node_top = 1

    def __dealloc__(self):
        cdef uint32_t k
        for k in range(self.c.market_count):
            close_market(self.c.markets[k])
        if self.c.accounts != NULL:
            release(self.c.accounts, self.c.account_capacity * sizeof(AccountC))
        if self.c.buckets != NULL:
            release(self.c.buckets, self.c.bucket_capacity * sizeof(BucketC))
        if self.c.listed != NULL:
            release(self.c.listed, self.c.bucket_capacity * sizeof(ListedC))
        if self.c.tree_nodes != NULL:
            release(self.c.tree_nodes, <uint64_t> self.c.tree_node_capacity * sizeof(LeafC))
        if self.c.orders != NULL:
            release(self.c.orders, self.c.order_capacity * sizeof(OrderC))
        if self.c.extras != NULL:
            release(self.c.extras, self.c.order_capacity * sizeof(ExtraC))
        if self.c.tags != NULL:
            release(self.c.tags, self.c.order_capacity * sizeof(TagC))
        if self.c.dates != NULL:
            release(self.c.dates, self.c.order_capacity * sizeof(DateC))
        if self.c.date_heap != NULL:
            release(self.c.date_heap, self.c.order_capacity * sizeof(uint32_t))
        if self.c.trims != NULL:
            release(self.c.trims, self.c.bucket_capacity * <uint64_t> AFTER_PASSES_MAX
                    * sizeof(uint32_t))
        if self.c.doomed != NULL:
            release(self.c.doomed, (<uint64_t> self.c.order_capacity + GROUP_ITEMS_MAX)
                    * sizeof(uint32_t))
        if self.c.reducing != NULL:
            release(self.c.reducing, self.c.bucket_capacity * sizeof(ReducingC))
        if self.c.emptied != NULL:
            release(self.c.emptied, EMPTIED_MAX * sizeof(EmptiedC))
        if self.c.bucket_of != NULL:
            release(self.c.bucket_of,
                    <uint64_t> self.c.account_capacity * MARKETS_MAX * sizeof(uint32_t))
        if self.c.names != NULL:
            release(self.c.names, self.c.name_capacity * sizeof(uint32_t))
        end_growth(&self.c)
        if self.c.nonces_next != NULL:
            release(self.c.nonces_next, 2 * self.c.nonce_capacity * sizeof(NonceC))
        if self.c.nonces != NULL:
            release(self.c.nonces, self.c.nonce_capacity * sizeof(NonceC))
        free_events(&self.c)

    def list_market(self, spec, time_ns):
        cdef MarketC* m
        if spec.market_id in self.specs:
            raise ValueError(f"market_id = {spec.market_id}: listed already")
        if self.c.market_count == MARKETS_MAX:
            raise ValueError(f"market_id = {spec.market_id}: {MARKETS_MAX} markets are the limit")
        if spec.kind not in (LINEAR_PERPETUAL, LINEAR_FUTURE):
            raise ValueError(
                f"MKT-3: kind = {spec.kind.name}: expected LINEAR_PERPETUAL or LINEAR_FUTURE: list "
                "one of these; positions of other kinds are computed with margin_core alone")
        m = open_market(&self.c, spec.price_ticks_max)
        if m == NULL:
            raise MemoryError(f"market_id = {spec.market_id}: no memory for its price ladders")
        load_spec(&m.spec, spec)
        m.market_id = spec.market_id
        m.ticks_max = spec.price_ticks_max
        m.slot = <uint8_t> self.c.market_count
        m.state = 1
        m.version = 1
        m.key_shift = key_shift_of(&m.spec)
        m.fund = ensure_bucket(&self.c, 0, m)
        if m.fund == 0:
            close_market(m)
            raise ValueError(f"market_id = {spec.market_id}: position capacity is used up")
        self.c.markets[m.slot] = m
        self.c.market_count += 1
        self.c.market_slot_of[m.market_id] = m.slot + 1
        if time_ns > self.c.time_ns:
            self.c.time_ns = time_ns
            self.c.time_s = time_ns // 1_000_000_000
        self.specs[spec.market_id] = spec

    def announce_parameters(self, spec, effective_time_s, time_ns):
        cdef MarketC* m = self._market(spec.market_id)
        cdef EventC* event
        if not 0 < effective_time_s < 2**32:
            raise ValueError(
                f"PAR-1: effective_time_s = {effective_time_s}: expected 1 to 2^32 - 1")
        if time_ns > self.c.time_ns:
            self.c.time_ns = time_ns
            self.c.time_s = time_ns // 1_000_000_000
        begin_events(&self.c)
        if not may_follow(spec, self.specs[spec.market_id]):
            event = emit(&self.c, COMMAND_REJECTED, m)
            event.reason = AMOUNT_OUT_OF_RANGE
        else:
            forget_pending(&self.c, m)
            load_spec(&m.pending, spec)
            m.pending_from_s = effective_time_s
            self.announced[spec.market_id] = spec
            event = emit(&self.c, PARAMETERS_ANNOUNCED, m)
            event.amount = m.version + 1
            event.amount_2 = effective_time_s
        return PyBytes_FromStringAndSize(
            <char*> self.c.events, <Py_ssize_t> (self.c.event_count * sizeof(EventC)))

    def announced_spec(self, market_id):
        """Return the parameters that were announced and do not hold yet, None without any."""
        self._market(market_id)
        return self.announced.get(market_id)

    cdef int _follow_specs(self) except -1:
        """Announced parameters hold in C already; now here too."""
        cdef uint32_t k
        self.c.has_changed_specs = 0
        for k in range(self.c.market_count):
            market_id = self.c.markets[k].market_id
            if market_id in self.announced and self.c.markets[k].pending_from_s == 0:
                self.specs[market_id] = self.announced.pop(market_id)
        return 0

    cdef bytes _announced(self, object market_id):
        return self.announced[market_id].pack() if market_id in self.announced else b""

    def register_account(self):
        if self.c.account_count == self.c.account_capacity:
            raise ValueError(f"accounts: {self.c.account_capacity - 1} are the limit")
        self.c.account_count += 1
        return self.c.account_count - 1

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
        cdef Py_ssize_t count
        PyObject_GetBuffer(records, &view, PyBUF_SIMPLE)
        try:
            if view.len % sizeof(CommandC):
                raise ValueError(
                    f"commands: {view.len} bytes are not whole records of {sizeof(CommandC)}")
            count = view.len // <Py_ssize_t> sizeof(CommandC)
            command = <CommandC*> view.buf
            begin_events(&self.c)
            check_records(command, count)
            with nogil:
                run(&self.c, command, count)
                if has_nonces_to_tend(&self.c):
                    tend_nonces(&self.c, count)
        finally:
            PyBuffer_Release(&view)
        if self.c.has_changed_specs:
            self._follow_specs()
        if self.c.is_out_of_memory:
            raise MemoryError("engine: the system refused memory; restart from the journal")
        return 0

    def apply_one(self, command):
        return self.apply(command.records())

    def place(self, uint32_t account, uint16_t market_id, uint8_t side, uint32_t price_ticks,
              uint32_t qty_lots, int64_t margin_quote, uint64_t nonce, uint32_t expiry_time_s,
              int64_t time_ns, uint8_t time_in_force=0, uint8_t flags=0, /):
        cdef CommandC command
        memset(&command, 0, sizeof(CommandC))
        command.kind = KIND_PLACE
        command.side = side
        command.time_in_force = time_in_force
        command.flags = flags
        command.market_id = market_id
        command.account = account
        command.price = price_ticks
        command.time_ns = time_ns
        command.nonce = nonce
        command.amount = margin_quote
        command.qty = qty_lots
        command.expiry_s = expiry_time_s
        return self._answer(&command)

    def cancel(self, uint32_t account, uint64_t order_id, int64_t time_ns, /):
        cdef CommandC command
        memset(&command, 0, sizeof(CommandC))
        command.kind = KIND_CANCEL
        command.account = account
        command.order_id = order_id
        command.time_ns = time_ns
        return self._answer(&command)

    cdef object _answer(self, CommandC* command):
        """Apply one command; its order's id, or the reason of its refusal below 0."""
        cdef EventC* event
        cdef uint64_t first
        begin_events(&self.c)
        advance(&self.c, command)
        first = self.c.event_count    # orders that expired stand before it
        act(&self.c, command)
        settle_command(&self.c)
        if has_nonces_to_tend(&self.c):
            tend_nonces(&self.c, 1)
        if self.c.is_out_of_memory:
            raise MemoryError("engine: the system refused memory; restart from the journal")
        event = &self.c.events[first]
        if event.kind == ORDER_REJECTED or event.kind == COMMAND_REJECTED:
            return -<int64_t> event.reason
        return event.order_id

    def events(self):
        return memoryview(self)

    def free_quote(self, account):
        return self.c.accounts[self._account(account)].free

    def reserved_quote(self, account):
        return self.c.accounts[self._account(account)].reserved

    def position(self, account, market_id):
        cdef MarketC* m = self._market(market_id)
        cdef uint32_t bucket = bucket_at(&self.c, self._account(account), m)
        return self._position(m, bucket) if bucket else None

    def fund(self, market_id):
        cdef MarketC* m = self._market(market_id)
        return self._position(m, m.fund)

    def market(self, market_id):
        cdef MarketC* m = self._market(market_id)
        return Market(
            m.market_id, m.state, m.index_price, m.mark_price, m.last_price, m.index_time_ms,
            m.funding_index, m.funding_rate_ppm,
            (m.last_funding_s + m.spec.funding_interval_s) * 10**9 if m.last_funding_s else 0,
            m.open_interest, m.funding_pool, m.pot, m.sides[0].best, m.sides[1].best,
            m.grace_until_s, m.fund_shares)

    def spec(self, market_id):
        return self.specs[market_id]

    def market_ids(self):
        return list(self.specs)

    def book(self, market_id, depth):
        cdef MarketC* m = self._market(market_id)
        cdef uint32_t price
        bids = []
        price = m.sides[0].best
        while price and len(bids) < depth:
            bids.append((price, m.sides[0].levels[price].lots))
            price = next_down(&m.sides[0], price - 1)
        asks = []
        price = m.sides[1].best
        while price and len(asks) < depth:
            asks.append((price, m.sides[1].levels[price].lots))
            price = next_up(&m.sides[1], price + 1)
        return bids, asks

    def queue(self, market_id, side, price_ticks):
        cdef MarketC* m = self._market(market_id)
        cdef uint32_t slot = 0
        found = []
        if side not in (0, 1):
            raise ValueError(f"side = {side}: expected 0 (buy) or 1 (sell)")
        if 0 < price_ticks < m.sides[0].size:
            slot = m.sides[<int> side].levels[<uint32_t> price_ticks].head
        while slot:
            found.append(self.c.orders[slot].id)
            slot = self.c.orders[slot].next
        return found

    def order(self, order_id):
        cdef uint32_t slot = order_id & ((1 << SLOT_BITS) - 1)
        if slot == 0 or slot >= self.c.order_top or self.c.orders[slot].id != order_id:
            return None
        return self._order(slot)

    def order_id(self, account, nonce):
        """Return the id of the account's live order with the nonce, 0 when there is none."""
        return order_of_nonce(&self.c, self._account(account), nonce)

    def open_orders(self, account):
        cdef uint32_t k, slot, bucket
        cdef uint32_t index = self._account(account)
        cdef WalkC walk
        ids = []
        for k in range(self.c.market_count):
            bucket = bucket_at(&self.c, index, self.c.markets[k])
            walk = walk_from(&self.c.buckets[bucket])   # bucket 0 has none
            slot = step_down(&self.c, &walk)
            while slot:
                ids.append(self.c.orders[slot].id)
                slot = step_down(&self.c, &walk)
        return ids

    @property
    def seq(self):
        return self.c.seq

    @property
    def time_ns(self):
        return self.c.time_ns

    @property
    def account_count(self):
        return self.c.account_count - 1

    @property
    def order_count(self):
        return self.c.order_count

    @property
    def is_risk_paused(self):
        return bool(self.c.is_risk_paused)

    @property
    def trial_steps(self):
        return self.c.trial_steps

    def fees_quote(self):
        return self.c.fees

    def deposits_quote(self):
        return self.c.deposits

    def withdrawals_quote(self):
        return self.c.withdrawals

    def deposit_seq(self):
        return self.c.deposit_seq

    def state_hash(self):
        """BLAKE2b-256 over everything that decides the future: any difference shows."""
        cdef uint32_t k
        cdef MarketC* m
        digest = hashlib.blake2b(digest_size=32)
        digest.update(
            f"{self.c.seq},{self.c.time_ns},{self.c.order_seq},{self.c.order_free},"
            f"{self.c.order_top},{self.c.bucket_top},{self.c.account_count},{self.c.fees},"
            f"{self.c.deposits},{self.c.withdrawals},{self.c.deposit_seq},{self.c.date_count},"
            f"{self.c.nonce_count},{self.c.is_risk_paused},"
            f"{self.c.fire_turn},{self.c.account_capacity},"
            f"{self.c.bucket_capacity},{self.c.order_capacity}".encode())
        digest.update(
            <uint8_t[:self.c.account_count * sizeof(AccountC)]> <uint8_t*> self.c.accounts)
        digest.update(<uint8_t[:self.c.bucket_top * sizeof(BucketC)]> <uint8_t*> self.c.buckets)
        digest.update(<uint8_t[:self.c.order_top * sizeof(OrderC)]> <uint8_t*> self.c.orders)
        digest.update(<uint8_t[:self.c.order_top * sizeof(ExtraC)]> <uint8_t*> self.c.extras)
        digest.update(<uint8_t[:self.c.order_top * sizeof(TagC)]> <uint8_t*> self.c.tags)
        digest.update(sorted_nonces(&self.c))
        for k in range(self.c.market_count):
            m = self.c.markets[k]
            digest.update(self.specs[m.market_id].pack())
            digest.update(self._announced(m.market_id))
            digest.update(
                f"{m.version},{m.pending_from_s},{m.pending_at},"
                f"{m.delivery_at[0]},{m.delivery_at[1]},"
                f"{m.state},{m.index_price},{m.mark_price},{m.last_price},{m.index_time_ms},"
                f"{m.basis_x256},{m.premium_ppm_sum},{m.premium_count},{m.funding_index},"
                f"{m.funding_rate_ppm},{m.last_funding_s},"
                f"{m.grace_until_s},{m.open_interest},{m.funding_pool},{m.fund_shares},"
                f"{m.sides[0].best},{m.sides[1].best},{m.has_due},{m.has_traded}".encode())
        return digest.digest()

    def snapshot(self):
        if self.c.is_out_of_memory:
            raise MemoryError("engine: the system refused memory; restart from the journal")
        pieces = core_pieces(&self.c)
        for k in range(self.c.market_count):
            spec = self.specs[self.c.markets[k].market_id].pack()
            announced = self._announced(self.c.markets[k].market_id)
            pieces += market_pieces(self.c.markets[k], spec, announced)
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        at = self.seq, self.account_count, self.c.market_count
        for piece in pieces:
            for begin in range(0, piece_size(piece), PIECE_BYTES_MAX):
                if at != (self.seq, self.account_count, self.c.market_count):
                    raise RuntimeError("snapshot: the engine went on before it was complete")
                chunk = piece_bytes(piece, begin)
                digest.update(chunk)
                yield chunk
        yield digest.digest()

    @staticmethod
    def restore(data):
        cdef int k
        cdef Engine engine
        cdef Reader reader
        cdef MarketC* m
        reader, capacities = open_snapshot(data)
        engine = Engine(**capacities)
        for k in range(read_core(reader, &engine.c)):
            spec = MarketSpec.unpack(read_spec(reader))
            announced = read_spec(reader)
            if announced:
                engine.announced[spec.market_id] = MarketSpec.unpack(announced)
            m = open_market(&engine.c, spec.price_ticks_max)
            if m == NULL:
                raise MemoryError(f"market_id = {spec.market_id}: no memory for its price ladders")
            engine.c.markets[k] = m
            engine.c.market_count += 1
            read_market(reader, m)
            engine.specs[spec.market_id] = spec
        reader.close()
        return engine

    def check_invariants(self):
        """Walk the whole state; `AssertionError` names the first invariant that does not hold."""
        check_core(&self.c)

    cdef uint32_t _account(self, object account) except? 0xFFFFFFFF:
        if not 0 <= account < self.c.account_count:
            raise KeyError(f"account {account}: not registered")
        return account

    cdef MarketC* _market(self, object market_id) except NULL:
        cdef uint8_t slot
        if not 0 <= market_id <= 65535 or not self.c.market_slot_of[<uint32_t> market_id]:
            raise KeyError(f"market {market_id}: not listed")
        slot = self.c.market_slot_of[<uint32_t> market_id]
        return self.c.markets[slot - 1]

    cdef object _position(self, MarketC* m, uint32_t bucket):
        cdef BucketC* b = &self.c.buckets[bucket]
        cdef PositionC* p = &b.position
        cdef int64_t mark = m.mark_price
        cdef int64_t key = liquidation_price(&m.spec, p, m.funding_index)
        held = p.lots != 0
        return Position(
            p.lots, p.entry_value, p.collateral, p.funding_index,
            funding_owed(p, m.funding_index),
            equity(p, m.funding_index, mark, m.spec.quote_per_tick_lot),
            initial(&m.spec, notional_of(&m.spec, p.lots, mark)) if held else 0,
            maintenance(&m.spec, notional_of(&m.spec, p.lots, mark)) if held else 0,
            key if key >= 0 else None,
            bankruptcy_price(&m.spec, p, m.funding_index) if held else None,
            b.reserved, bool(b.is_frozen))

    cdef object _order(self, uint32_t slot):
        cdef OrderC* order = &self.c.orders[slot]
        cdef BucketC* b = &self.c.buckets[order.bucket]
        pending = order.state == ORDER_PENDING
        return Order(
            order.id, b.account, self.c.markets[b.market].market_id, order.side,
            order.time_in_force, order.flags & 3, order.price, order.qty,
            left_of(&self.c, slot), order.margin, order.nonce, order.expiry_s,
            order.remaining if pending else 0)


cdef int by_account(const void* a, const void* b) noexcept nogil:
    cdef const NonceC* x = <const NonceC*> a
    cdef const NonceC* y = <const NonceC*> b
    if x.account != y.account:
        return 1 if x.account > y.account else -1
    return (x.word > y.word) - (x.word < y.word)


cdef bytes sorted_nonces(const CoreC* c):
    """The used nonces in one order, whatever the key of their hashes."""
    cdef uint64_t k
    cdef uint64_t count = 0
    cdef NonceC* entries = <NonceC*> malloc((c.nonce_count + 1) * sizeof(NonceC))
    if entries == NULL:
        raise MemoryError("state_hash: the system refuses memory")
    for k in range(c.nonce_capacity):
        if c.nonces[k].account:
            entries[count] = c.nonces[k]
            count += 1
    for k in range(c.nonces_moved, c.nonces_before_capacity):
        if c.nonces_before[k].account:
            entries[count] = c.nonces_before[k]
            count += 1
    qsort(entries, count, sizeof(NonceC), by_account)
    try:
        return PyBytes_FromStringAndSize(<char*> entries, count * sizeof(NonceC))
    finally:
        free(entries)


cdef bint may_follow(object spec, object held):
    """PAR-1: what stays, stays; fees do not rise."""
    return all(getattr(spec, name) == getattr(held, name) for name in UNCHANGING) and all(
        getattr(spec, name) <= getattr(held, name) for name in FALLING)


cdef bint is_request(uint8_t kind) noexcept nogil:
    """A kind that may take more than one record, or is too rare for the hot path."""
    return kind == KIND_EXTENSION or KIND_AMEND <= kind <= KIND_GROUP or is_chains(kind)


cdef apart_int dispatch_rarely(CoreC* c, const CommandC* p) noexcept nogil:
    """Apply one command of a later kind; how many records it took."""
    if is_request(p.kind):
        return dispatch_request(c, p)
    dispatch_standing(c, p)
    return 1


cdef apart run(CoreC* c, const CommandC* first, Py_ssize_t count) noexcept nogil:
    """Apply records that `check_records` has seen; in a function of its own for its registers."""
    cdef const CommandC* p = first
    cdef const CommandC* end = first + count
    cdef const CommandC* alone = first   # from here on nobody looks ahead
    if count > LOOK_FAR and c.market_count:
        alone = end - LOOK_FAR
    while p < end:
        prefetch(p + count)      # the next call's record, where that is the next slice
        if p < alone:
            look_far(c, p + LOOK_FAR)
            look_near(c, p + LOOK_NEAR)
        if p.kind < KIND_EXTENSION:
            dispatch(c, p)
            p += 1
        else:
            p += dispatch_rarely(c, p)


cdef int check_records(const CommandC* command, Py_ssize_t count) except -1:
    """Raise unless every record is of a kind that exists and stands where it may."""
    cdef Py_ssize_t k = 0
    cdef Py_ssize_t step
    while k < count:
        step = 1
        prefetch(&command[k + RECORDS_AHEAD])   # beyond the end too: it does no harm
        if KIND_PLACE <= command[k].kind <= KIND_SETTLEMENT_REJECTED:
            pass
        elif command[k].kind == KIND_DEPOSIT:
            pass
        elif command[k].kind == KIND_GROUP:
            step = group_span(&command[k], count - k)
        elif is_request(command[k].kind):
            step = span(&command[k], count - k)
        elif not KIND_AUTO_TOP_UP <= command[k].kind <= KIND_SETTLE_MARKET:
            raise ValueError(
                f"command {k}: kind {command[k].kind} does not exist; none was applied")
        if step == 0:
            raise ValueError(
                f"command {k}: a group or extension is not well-formed; none was applied")
        k += step
    return 0


cdef MarketC* open_market(CoreC* c, uint32_t price_ticks_max) noexcept:
    """A market with its ladders and queues, NULL when memory is refused.

    The queue of touched buckets never grows: it has room for all, and is paid for where touched.
    """
    cdef MarketC* m = <MarketC*> calloc(1, sizeof(MarketC))
    cdef int k
    if m == NULL:
        return NULL
    m.worst_price[0] = PRICE_UNBOUND
    m.dirty_capacity = c.bucket_capacity
    m.dirty = <uint32_t*> malloc(m.dirty_capacity * sizeof(uint32_t))
    for k in range(2):
        if not ladder_open(&m.sides[k], price_ticks_max, c) or (
                not ladder_open(&m.triggers[k], price_ticks_max, c)) or (
                not ladder_open(&m.triggers[k + 2], price_ticks_max, c)) or (
                not ladder_open(&m.trails[k], price_ticks_max, c)) or (
                not ladder_open(&m.trails[k + 2], price_ticks_max, c)):
            close_market(m)
            return NULL
    if m.dirty == NULL:
        close_market(m)
        return NULL
    return m


cdef void close_market(MarketC* m) noexcept:
    cdef int k
    for k in range(2):
        ladder_close(&m.sides[k])
        ladder_close(&m.triggers[k])
        ladder_close(&m.triggers[k + 2])
        ladder_close(&m.trails[k])
        ladder_close(&m.trails[k + 2])
        free(m.ranking[k].entries)
        free(m.waiting[k].entries)
    free(m.due.entries)
    free(m.found.slots)
    free(m.tried.slots)
    free(m.passed.slots)
    free(m.dirty)
    free(m)
