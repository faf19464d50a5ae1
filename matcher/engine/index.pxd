"""The liquidation index: which positions a mark endangers, in which order (SPEC IDX-*, TICK-1).

A position stands in one tree per tier that it can reach, under a key that neither mark nor funding
changes. A tree is read from the top down to where the gentler of index and mark stands now.
"""

from libc.stdint cimport (
    INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t, uint32_t, uint64_t)
from libc.stdlib cimport free, realloc

from margin_core.fixed_point cimport PPM, bh_int128, ceil_div
from margin_core.requirement cimport (
    abs64, bankruptcy_price, equity, liquidatable, liquidation_price)
from margin_core.transitions cimport adl_rank_of
from margin_core.types cimport SpecC
from matcher.engine.ladder cimport prefetch
from matcher.engine.tree cimport append_slot, tree_above, tree_add, tree_remove
from matcher.engine.types cimport (
    BucketC, CoreC, DueC, ListedC, MarketC, RankedC, RankingC, STATE_SETTLED, TreeC)

cdef enum:
    PRICE_BITS = 28
    TRIED = 1                    # liquidated
    PASSED_OVER = 2              # no candidate for ADL now
    WAS_PASSED_OVER = 4          # at least once
    PREFETCH_AHEAD = 12


cdef inline int32_t key_shift_of(const SpecC* s) noexcept nogil:
    """Fewest bits to leave out so that price, rate and funding index together fit 63 bits."""
    cdef bh_int128 top = <bh_int128> s.price_ticks_max * s.quote_per_tick_lot * (2 * PPM)
    cdef int32_t shift = 0
    while top >> shift > <bh_int128> 1 << 61:
        shift += 1
    return shift


cdef inline int64_t narrow(bh_int128 key) noexcept nogil:
    """Keys beyond 63 bits mean always or never; INT64_MIN itself stays below every key."""
    return INT64_MAX if key > INT64_MAX else INT64_MIN + 1 if key <= INT64_MIN else <int64_t> key


cdef inline int64_t key_of(
    const SpecC* s, const ListedC* p, int32_t tier, int32_t shift
) noexcept nogil:
    """IDX-1: the position is liquidatable in this tier only if `level_of` is below the key.

    Rounded up, one quote unit included for the rounding of funding: no candidate is missed.
    """
    cdef bh_int128 missing = <bh_int128> PPM * (
        <bh_int128> 1 - p.worth - s.tiers[tier].amount_maintenance)
    cdef bh_int128 key = ceil_div(missing, abs64(p.lots))
    key += -p.funding_index if p.lots > 0 else p.funding_index
    return narrow(-((-key) >> shift))


cdef inline int64_t gentler_price(const MarketC* m, bint is_short) noexcept nogil:
    """MARG-4: what positions of a side are liquidated at: the better of index and mark for them."""
    if is_short:
        return min(m.index_price, m.mark_price)
    return max(m.index_price, m.mark_price)


cdef inline bint is_endangered(CoreC* c, const MarketC* m, uint32_t slot) noexcept nogil:
    """MARG-4: the position is liquidatable at the gentler of index and mark.

    EXP-2: in a market that has ended it is bankrupt too; others are delivered with what they have.
    """
    cdef BucketC* b = &c.buckets[slot]
    cdef int64_t judged = gentler_price(m, b.position.lots < 0)
    return liquidatable(&m.spec, &b.position, m.funding_index, judged) and (
        m.state != STATE_SETTLED or equity(
            &b.position, m.funding_index, judged, m.spec.quote_per_tick_lot) < 0)


cdef inline int64_t level_of(
    const MarketC* m, int32_t tier, bint is_short
) noexcept nogil:
    """IDX-1: where price and funding stand now for a tier and side; rounded down."""
    cdef bh_int128 per_lot = <bh_int128> gentler_price(m, is_short) * m.spec.quote_per_tick_lot
    cdef int64_t rate = m.spec.tiers[tier].rate_maintenance
    cdef bh_int128 level
    if is_short:
        level = m.funding_index - per_lot * (PPM + rate)
    else:
        level = per_lot * (PPM - rate) - m.funding_index
    return narrow(level >> m.key_shift)


cdef inline bint reaches(const SpecC* s, const ListedC* p, int32_t tier) noexcept nogil:
    """The position's notional can stand in the tier at some price."""
    return tier == 0 or s.tiers[tier].notional_floor <= (
        <bh_int128> abs64(p.lots) * s.price_ticks_max * s.quote_per_tick_lot)


cdef inline void add_keys(
    CoreC* c, MarketC* m, const SpecC* s, TreeC* trees, uint32_t slot
) noexcept nogil:
    """Put a listed bucket into the trees of a side, one per tier that it reaches."""
    cdef ListedC* p = &c.listed[slot]
    cdef int32_t k
    for k in range(s.tier_count):
        if reaches(s, p, k) and not tree_add(c, &trees[k], key_of(s, p, k, m.key_shift), slot):
            c.is_out_of_memory = 1


cdef inline void remove_keys(
    CoreC* c, MarketC* m, const SpecC* s, TreeC* trees, uint32_t slot
) noexcept nogil:
    cdef ListedC* p = &c.listed[slot]
    cdef int32_t k
    for k in range(s.tier_count):
        if reaches(s, p, k):
            tree_remove(c, &trees[k], key_of(s, p, k, m.key_shift), slot)


cdef inline void unlist(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Take the bucket's entries out of the index."""
    cdef ListedC* p = &c.listed[slot]
    cdef int side = 0 if p.lots > 0 else 1
    if p.lots == 0:
        return
    remove_keys(c, m, &m.spec, &m.index[side][0], slot)
    if slot < m.pending_at:
        remove_keys(c, m, &m.pending, &m.pending_index[side][0], slot)
    p.lots = 0


cdef inline void list_bucket(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """Put an open position that is not frozen where it belongs."""
    cdef BucketC* b = &c.buckets[slot]
    cdef ListedC* p = &c.listed[slot]
    cdef int side = 0 if b.position.lots > 0 else 1
    if b.position.lots == 0 or b.is_frozen:
        return
    p.lots = b.position.lots
    p.worth = b.position.collateral + (
        -b.position.entry_value if p.lots > 0 else b.position.entry_value)
    p.funding_index = b.position.funding_index
    add_keys(c, m, &m.spec, &m.index[side][0], slot)
    if slot < m.pending_at:
        add_keys(c, m, &m.pending, &m.pending_index[side][0], slot)


# Positions that are due in this tick

cdef inline void due_push(CoreC* c, DueC* due, uint64_t entry) noexcept nogil:
    cdef uint64_t* grown
    cdef uint32_t capacity
    cdef uint32_t at = due.count
    if due.count == due.capacity:
        capacity = due.capacity * 2 if due.capacity else 64
        grown = <uint64_t*> realloc(due.entries, <size_t> capacity * sizeof(uint64_t))
        if grown == NULL:
            c.is_out_of_memory = 1
            return
        due.entries = grown
        due.capacity = capacity
    due.count += 1
    while at and due.entries[(at - 1) >> 1] > entry:
        due.entries[at] = due.entries[(at - 1) >> 1]
        at = (at - 1) >> 1
    due.entries[at] = entry


cdef inline uint64_t due_pop(DueC* due) noexcept nogil:
    """Take the lowest entry off; there is one."""
    cdef uint64_t top = due.entries[0]
    cdef uint64_t last
    cdef uint32_t at = 0
    cdef uint32_t child = 1
    due.count -= 1
    last = due.entries[due.count]
    while child < due.count:
        if child + 1 < due.count and due.entries[child + 1] < due.entries[child]:
            child += 1
        if last <= due.entries[child]:
            break
        due.entries[at] = due.entries[child]
        at = child
        child = 2 * at + 1
    due.entries[at] = last
    return top


cdef inline uint64_t due_entry(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    """TICK-1 as a number: longs, the highest price first, then shorts, the lowest, then by slot."""
    cdef BucketC* b = &c.buckets[slot]
    cdef int64_t price = liquidation_price(&m.spec, &b.position, m.funding_index)
    cdef uint64_t turn
    if b.position.lots > 0:
        turn = (<uint64_t> 1 << PRICE_BITS) - 1 - price
    else:
        turn = (<uint64_t> 1 << PRICE_BITS) + price
    return turn << 32 | slot


cdef inline bint is_due(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    cdef BucketC* b = &c.buckets[slot]
    return not b.is_tried & TRIED and not b.is_frozen and slot != m.fund and (
        is_endangered(c, m, slot))


cdef inline void fetch_bucket(CoreC* c, uint32_t slot) noexcept nogil:
    """Candidates lie anywhere in memory: fetch what a liquidation reads while others are judged."""
    prefetch(&c.buckets[slot])
    prefetch(<char*> &c.buckets[slot] + 64)
    prefetch(&c.listed[slot])


cdef inline void find_due(CoreC* c, MarketC* m) noexcept nogil:
    """Every liquidatable position of the market: O(log n + candidates), funding or not."""
    cdef int32_t k
    cdef int side
    cdef uint32_t at
    m.due.count = 0
    m.found.count = 0
    for side in range(2):
        for k in range(m.spec.tier_count):
            tree_above(c, &m.index[side][k], level_of(m, k, side), &m.found)
    for at in range(m.found.count):
        if at + PREFETCH_AHEAD < m.found.count:
            fetch_bucket(c, m.found.slots[at + PREFETCH_AHEAD])
        if is_due(c, m, m.found.slots[at]):
            due_push(c, &m.due, due_entry(c, m, m.found.slots[at]))
            prefetch(&c.accounts[c.buckets[m.found.slots[at]].account])


cdef inline uint32_t next_due(CoreC* c, MarketC* m) noexcept nogil:
    """The most endangered position, 0 when none is left. Entries that changed since are skipped."""
    cdef uint64_t entry
    cdef uint32_t slot
    while m.due.count:
        entry = due_pop(&m.due)
        slot = <uint32_t> entry
        if is_due(c, m, slot) and due_entry(c, m, slot) == entry:
            return slot
    return 0


# Counterparties by rank

cdef inline bint ranks_before(const RankedC* a, const RankedC* b) noexcept nogil:
    return a.rank > b.rank or (a.rank == b.rank and a.slot < b.slot)


cdef inline void ranking_sink(RankingC* r, uint32_t at) noexcept nogil:
    cdef RankedC entry = r.entries[at]
    cdef uint32_t child = 2 * at + 1
    while child < r.count:
        if child + 1 < r.count and ranks_before(&r.entries[child + 1], &r.entries[child]):
            child += 1
        if not ranks_before(&r.entries[child], &entry):
            break
        r.entries[at] = r.entries[child]
        at = child
        child = 2 * at + 1
    r.entries[at] = entry


cdef inline bint ranking_grow(CoreC* c, RankingC* r, uint32_t count) noexcept nogil:
    """Room for `count` entries; False when memory is refused."""
    cdef RankedC* grown
    if count > r.capacity:
        grown = <RankedC*> realloc(r.entries, <size_t> count * sizeof(RankedC))
        if grown == NULL:
            c.is_out_of_memory = 1
            return False
        r.entries = grown
        r.capacity = count
    return True


cdef inline bh_int128 rank_of(CoreC* c, MarketC* m, uint32_t slot) noexcept nogil:
    return adl_rank_of(&m.spec, &c.buckets[slot].position, m.funding_index, m.mark_price)


cdef inline void ranking_push(
    CoreC* c, RankingC* r, bh_int128 rank, uint32_t slot
) noexcept nogil:
    cdef RankedC entry
    cdef uint32_t at = r.count
    if r.count == r.capacity and not ranking_grow(c, r, r.count * 2 + 64):
        return
    entry.rank = rank
    entry.slot = slot
    r.count += 1
    while at and ranks_before(&entry, &r.entries[(at - 1) >> 1]):
        r.entries[at] = r.entries[(at - 1) >> 1]
        at = (at - 1) >> 1
    r.entries[at] = entry


cdef inline RankedC ranking_pop(RankingC* r) noexcept nogil:
    """Take the highest entry off; there is one."""
    cdef RankedC top = r.entries[0]
    r.count -= 1
    r.entries[0] = r.entries[r.count]
    ranking_sink(r, 0)
    return top


cdef inline void ranking_add(CoreC* c, MarketC* m, int side, uint32_t slot) noexcept nogil:
    """A position that changed, or is a candidate again, is ranked again."""
    ranking_push(c, &m.ranking[side], rank_of(c, m, slot), slot)


cdef inline void rank_side(CoreC* c, MarketC* m, int side) noexcept nogil:
    """LIQ-4: rank every position of a side, once a tick at most; O(n)."""
    cdef RankingC* r = &m.ranking[side]
    cdef uint32_t at
    if r.is_live:
        return
    m.found.count = 0
    tree_above(c, &m.index[side][0], INT64_MIN, &m.found)
    if not ranking_grow(c, r, m.found.count):
        return
    r.is_live = 1
    r.count = m.found.count
    for at in range(r.count):
        r.entries[at].slot = m.found.slots[at]
        r.entries[at].rank = rank_of(c, m, m.found.slots[at])
    at = r.count >> 1
    while at:
        at -= 1
        ranking_sink(r, at)


cdef inline uint32_t next_ranked(CoreC* c, MarketC* m, int side) noexcept nogil:
    """Take the counterparty of the highest rank, 0 when none is left. Old entries are skipped."""
    cdef RankingC* r = &m.ranking[side]
    cdef RankedC top
    cdef BucketC* b
    while r.count:
        top = ranking_pop(r)
        b = &c.buckets[top.slot]
        if (b.position.lots < 0 if side else b.position.lots > 0) and not b.is_frozen and (
                not b.is_tried & PASSED_OVER and rank_of(c, m, top.slot) == top.rank):
            return top.slot
    return 0


# Counterparties that were passed over, by what they can bear

cdef inline int64_t burden(int side, int64_t price) noexcept nogil:
    """How bad a closing price is for positions of a side: the higher the worse for shorts."""
    return price if side else -price


cdef inline void pass_over(
    CoreC* c, MarketC* m, int side, uint32_t slot, int64_t price
) noexcept nogil:
    """IDX-3: no candidate any more, unless one that can't bear this price gets a better one."""
    cdef BucketC* b = &c.buckets[slot]
    cdef int64_t own = burden(side, bankruptcy_price(&m.spec, &b.position, m.funding_index))
    if not b.is_tried & WAS_PASSED_OVER:
        append_slot(c, &m.passed, slot)
        if burden(side, price) > own:
            ranking_push(c, &m.waiting[side], own, slot)
    b.is_tried |= PASSED_OVER | WAS_PASSED_OVER


cdef inline void readmit(CoreC* c, MarketC* m, int side, int64_t price) noexcept nogil:
    """IDX-3: those passed over whose own bankruptcy price this one is not beyond."""
    cdef RankingC* r = &m.waiting[side]
    cdef uint32_t slot
    while r.count and r.entries[0].rank >= burden(side, price):
        slot = ranking_pop(r).slot
        c.buckets[slot].is_tried &= ~(<uint8_t> PASSED_OVER)
        ranking_add(c, m, side, slot)


cdef inline void ranking_free(RankingC* r) noexcept nogil:
    free(r.entries)
    r.entries = NULL
    r.count = 0
    r.capacity = 0
    r.is_live = 0


cdef inline void forget_ranking(CoreC* c, MarketC* m) noexcept nogil:
    """The tick is over: marks move, ranks with them."""
    cdef uint32_t at
    cdef int side
    for side in range(2):
        ranking_free(&m.ranking[side])
        ranking_free(&m.waiting[side])
    for at in range(m.passed.count):
        c.buckets[m.passed.slots[at]].is_tried = 0
    m.passed.count = 0


cdef inline void refresh_index(CoreC* c, MarketC* m) noexcept nogil:
    """Put every touched bucket where it belongs: O(touched · log n)."""
    cdef uint32_t at, slot
    cdef int64_t lots
    for at in range(m.dirty_count):
        slot = m.dirty[at]
        c.buckets[slot].is_dirty = 0
        unlist(c, m, slot)
        list_bucket(c, m, slot)
        if m.is_liquidating:
            lots = c.listed[slot].lots
            if lots and m.ranking[0 if lots > 0 else 1].is_live:
                ranking_add(c, m, 0 if lots > 0 else 1, slot)
            if is_due(c, m, slot):
                due_push(c, &m.due, due_entry(c, m, slot))
    m.dirty_count = 0
