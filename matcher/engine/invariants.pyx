"""A walk over the whole state that proves what must always hold; not on the hot path."""

from libc.stdint cimport INT64_MAX, INT64_MIN, UINT64_MAX, int32_t, int64_t, uint32_t, uint64_t

from margin_core.transitions cimport slice_of
from margin_core.types cimport SpecC, TIERS_MAX_C
from matcher.engine.after cimport left_of, reducible, rests_to_reduce
from matcher.engine.dates cimport date_before
from matcher.engine.index cimport key_of, reaches
from matcher.engine.ladder cimport next_down, next_up
from matcher.engine.special cimport (
    NEVER_S, WalkC, anchor_of, cut_of, is_backed, shown_of, step_down, trigger_side,
    walk_from)
from matcher.engine.states cimport is_continuous
from matcher.engine.store cimport reservation
from matcher.engine.tree cimport descend, inner_of, leaf_of, rank_in
from matcher.engine.types cimport (
    BucketC, CoreC, ExtraC, InnerC, LadderC, LeafC, ListedC, MarketC, ORDER_FREE, ORDER_PENDING,
    ORDER_RESTING,
    OrderC, REDUCE_ONLY, SPECIAL, TIMED, TREE_HEIGHT_MAX, TreeC)


cdef int require(bint ok, str invariant, object facts) except -1:
    if not ok:
        raise AssertionError(f"{invariant}: {facts}")
    return 0


cdef int check_side(CoreC* c, MarketC* m, int side) except -1:
    """Levels' totals, links and the best price agree. Their order is the model's to compare."""
    cdef LadderC* ladder = &m.sides[side]
    cdef uint32_t price = next_up(ladder, 1)
    cdef uint32_t slot, previous, best
    cdef int64_t lots
    cdef OrderC* order
    best = next_down(ladder, ladder.size - 1) if side == 0 else price
    require(ladder.best == best, "INV-4 best price", (side, ladder.best, best))
    while price:
        slot = ladder.levels[price].head
        previous = 0
        lots = 0
        require(slot != 0, "INV-4 level with a bit has orders", price)
        while slot:
            order = &c.orders[slot]
            require(order.state == ORDER_RESTING, "INV-4 resting", order.id)
            require(order.price == price and order.side == side, "INV-4 where it rests", order.id)
            require(order.previous == previous, "INV-4 links", order.id)
            require(order.remaining > 0, "INV-4 remaining", order.id)
            lots += shown_of(c, slot)
            previous = slot
            slot = order.next
        require(ladder.levels[price].tail == previous, "INV-4 tail", price)
        require(ladder.levels[price].lots == lots, "INV-4 level total", (price, lots))
        price = next_up(ladder, price + 1)
    return 0


cdef int check_trails(CoreC* c, MarketC* m) except -1:
    """Each waiting trail stands once where it moves next."""
    cdef LadderC* ladder
    cdef uint32_t k, slot, anchor, previous
    cdef uint32_t count = 0
    for k in range(4):
        ladder = &m.trails[k]
        anchor = next_up(ladder, 1)
        while anchor:
            slot = ladder.levels[anchor].head
            previous = 0
            require(slot != 0, "INV-8 anchor with a bit has trails", anchor)
            while slot:
                require(c.orders[slot].state == ORDER_PENDING and c.extras[slot].trailing != 0,
                        "INV-8 it trails", slot)
                require(trigger_side(c, slot) == k and anchor_of(c, m, slot) == anchor,
                        "INV-8 where it moves", slot)
                require(c.extras[slot].trail_previous == previous, "INV-8 trails' links", slot)
                count += 1
                previous = slot
                slot = c.extras[slot].trail_next
            require(ladder.levels[anchor].tail == previous, "INV-8 last trail", anchor)
            anchor = next_up(ladder, anchor + 1)
    require(count == m.trail_count, "INV-8 all that trail", (count, m.trail_count))
    return 0


cdef int check_extra(CoreC* c, uint32_t slot) except -1:
    """What stands beside the order agrees with it: parts shown, siblings, queue, position."""
    cdef OrderC* order = &c.orders[slot]
    cdef ExtraC* x = &c.extras[slot]
    cdef uint32_t sibling
    require((order.flags & TIMED != 0) == (order.expiry_s != NEVER_S),
            "INV-8 what has a date is listed", order.id)
    if not order.flags & SPECIAL:
        return 0
    sibling = x.sibling
    if sibling:
        require(c.extras[sibling].sibling == slot and (
            c.orders[sibling].bucket == order.bucket), "INV-8 siblings", order.id)
        require(c.orders[sibling].nonce == x.oco_nonce, "INV-8 a sibling's name", order.id)
        require(order.side != c.orders[sibling].side or not rests_to_reduce(order)
                or not rests_to_reduce(&c.orders[sibling]),
                "INV-8 one of two siblings rests to reduce", order.id)
    require(not x.is_doomed, "INV-8 a sibling outlives the command", order.id)
    if x.display and order.state == ORDER_RESTING:
        require(0 < x.shown <= min(x.display, order.remaining), "INV-8 iceberg", order.id)
    return 0


cdef int check_dates(CoreC* c) except -1:
    """The dates that have orders are a heap; each lists all its orders by age."""
    cdef uint32_t at, date, slot, previous
    cdef uint64_t listed = 0
    cdef uint64_t dated = 0
    require(c.date_count == 0 or c.next_expiry_s == c.dates[c.date_heap[0]].expiry_s,
            "INV-8 next expiry", c.next_expiry_s)
    for at in range(c.date_count):
        date = c.date_heap[at]
        require(c.dates[date].at == at and c.dates[date].head != 0, "INV-8 date in use", date)
        require(at == 0 or date_before(c, c.date_heap[(at - 1) >> 1], date), "INV-8 heap", at)
        previous = 0
        slot = c.dates[date].head
        require(c.orders[slot].id >= c.dates[date].since, "INV-8 since", date)
        while slot:
            require(c.orders[slot].flags & TIMED != 0 and c.tags[slot].date == date
                    and c.orders[slot].expiry_s == c.dates[date].expiry_s
                    and c.tags[slot].date_previous == previous
                    and c.orders[slot].id > c.orders[previous].id, "INV-8 dated order", slot)
            listed += 1
            previous = slot
            slot = c.tags[slot].date_next
        require(c.dates[date].tail == previous, "INV-8 youngest of a date", date)
    for slot in range(1, c.order_top):
        dated += c.orders[slot].flags & TIMED != 0
    require(listed == dated, "INV-8 all that have a date", (listed, dated))
    return 0


cdef int check_lists(CoreC* c, uint32_t slot) except -1:
    """Each list of the bucket has what it is for, the one of those that wait all of them."""
    cdef BucketC* b = &c.buckets[slot]
    cdef uint32_t at = b.orders
    cdef uint32_t waiting = 0
    cdef uint64_t newer = UINT64_MAX
    while at:
        require(not c.orders[at].flags & REDUCE_ONLY, "INV-7 opening orders", slot)
        at = c.orders[at].bucket_next
    at = b.followers
    while at:
        require(c.orders[at].flags & REDUCE_ONLY != 0, "INV-7 reduce-only orders", slot)
        at = c.orders[at].bucket_next
    at = b.waiting
    while at:
        require(c.orders[at].state == ORDER_PENDING and c.orders[at].bucket == slot,
                "INV-8 it waits", slot)
        require(c.orders[at].id < newer, "INV-8 newest first", slot)
        newer = c.orders[at].id
        waiting += 1
        at = c.extras[at].waiting_next
    require(waiting == b.waiting_count, "INV-8 all that wait", slot)
    return 0


cdef int check_bucket(CoreC* c, uint32_t slot) except -1:
    """The bucket's sums are those of its orders; it reserves what they need."""
    cdef BucketC* b = &c.buckets[slot]
    cdef WalkC walk = walk_from(b)
    cdef uint32_t at = step_down(c, &walk)
    cdef int64_t margin[2]
    cdef int64_t lots[2]
    cdef int64_t reducing[2]
    cdef int reducers[2]
    cdef OrderC* order
    cdef int side
    cdef uint32_t remaining, end
    cdef uint32_t waiting = 0
    cdef uint32_t count = 0
    cdef uint64_t newer = UINT64_MAX
    margin[0] = margin[1] = lots[0] = lots[1] = reducing[0] = reducing[1] = 0
    reducers[0] = reducers[1] = 0
    while at:
        order = &c.orders[at]
        require(order.bucket == slot and order.state != ORDER_FREE, "INV-7 list", order.id)
        require(order.id < newer, "INV-7 newest first", order.id)
        newer = order.id
        count += 1
        remaining = left_of(c, at)
        end = order.qty - cut_of(c, at)
        check_extra(c, at)
        if not order.flags & REDUCE_ONLY:
            margin[order.side] += slice_of(order.margin, order.qty, end - remaining, end)
            lots[order.side] += remaining
        waiting += order.state == ORDER_PENDING
        reducers[order.side] += (
            order.state == ORDER_PENDING and order.flags & REDUCE_ONLY != 0)
        if rests_to_reduce(order):
            reducing[order.side] += remaining
        at = step_down(c, &walk)
    require(count == b.order_count, "INV-7 number of orders", slot)
    check_lists(c, slot)
    for side in range(2):
        require(reducing[side] == c.reducing[slot].lots[side],
                "INV-8 lots that rest to reduce", (slot, side))
        require(reducing[side] <= reducible(b, side),
                "INV-8 resting reduce-only orders are at most the position", (slot, side))
    require(margin[0] == b.margin[0] and margin[1] == b.margin[1], "INV-7 margin", slot)
    require(lots[0] == b.lots[0] and lots[1] == b.lots[1], "INV-7 lots", slot)
    require(waiting == b.waiting_count, "INV-8 waiting", slot)
    for side in range(2):
        require(reducers[side] == b.reducers[side], "INV-8 reducers", (slot, side))
        require(reducers[side] == 0 or is_backed(b, side),
                "INV-8 what waits to reduce can", (slot, side))
    require(b.after == 0, "INV-8 nothing waits after a command", slot)
    require(b.reserved == reservation(b), "INV-7 reservation", (slot, b.reserved))
    require(b.position.entry_value >= 0, "INV-6 entry value", slot)
    if b.position.lots == 0:
        require(b.position.entry_value == 0, "INV-6 a flat position has no entry value", slot)
        if b.account:
            require(b.position.collateral == 0, "INV-6 funds left in a closed position", slot)
    return 0


cdef int64_t count_node(
    CoreC* c, uint32_t id, uint32_t height, int64_t low, uint32_t low_slot, int64_t high,
    uint32_t high_slot
) except -1:
    """Entries below the node; all of them in [low, high) and sorted."""
    cdef LeafC* leaf = leaf_of(c, id)
    cdef InnerC* node = inner_of(c, id)
    cdef int64_t total = 0
    cdef uint32_t at
    require(leaf.count > 0, "INV-9 node without entries", id)
    if height == 0:
        for at in range(leaf.count):
            require((low, low_slot) <= (leaf.keys[at], leaf.slots[at]) < (high, high_slot),
                    "INV-9 order of entries", (id, at))
            low, low_slot = leaf.keys[at], leaf.slots[at] + 1
        return leaf.count
    for at in range(node.count):
        if at:
            low, low_slot = node.keys[at], node.slots[at]
        if at + 1 < node.count:
            total += count_node(c, node.children[at], height - 1, low, low_slot,
                                node.keys[at + 1], node.slots[at + 1])
        else:
            total += count_node(c, node.children[at], height - 1, low, low_slot, high, high_slot)
    return total


cdef bint is_in_tree(CoreC* c, const TreeC* tree, int64_t key, uint32_t slot):
    cdef uint32_t path[TREE_HEIGHT_MAX]
    cdef uint32_t turns[TREE_HEIGHT_MAX]
    cdef uint32_t at
    cdef LeafC* leaf
    if tree.root == 0:
        return False
    leaf = leaf_of(c, descend(c, tree, key, slot, path, turns))
    at = rank_in(leaf.keys, leaf.slots, leaf.count, key, slot)
    return at > 0 and leaf.keys[at - 1] == key and leaf.slots[at - 1] == slot


cdef int64_t count_trees(CoreC* c, TreeC* trees) except -1:
    """Entries of a side's trees, their order checked."""
    cdef int64_t found = 0
    cdef int32_t k
    for k in range(TIERS_MAX_C):
        if trees[k].root:
            found += count_node(c, trees[k].root, trees[k].height, INT64_MIN, 0, INT64_MAX,
                                0xFFFFFFFF)
    return found


cdef int64_t count_keys(
    CoreC* c, MarketC* m, const SpecC* s, const TreeC* trees, uint32_t slot
) except -1:
    """Entries that a listed bucket must have; all of them are there."""
    cdef int64_t expected = 0
    cdef int32_t k
    cdef ListedC* p = &c.listed[slot]
    for k in range(s.tier_count):
        if reaches(s, p, k):
            expected += 1
            require(is_in_tree(c, &trees[k], key_of(s, p, k, m.key_shift), slot),
                    "INV-9 entry", (slot, k))
    return expected


cdef int check_index(CoreC* c, MarketC* m) except -1:
    """IDX-1: every open position that is not frozen stands under its keys, and nothing else."""
    cdef int64_t found = 0
    cdef int64_t expected = 0
    cdef uint32_t slot
    cdef int32_t side
    cdef BucketC* b
    cdef ListedC* p
    for side in range(2):
        found += count_trees(c, &m.index[side][0])
        found += count_trees(c, &m.pending_index[side][0])
    for slot in range(1, c.bucket_top):
        b = &c.buckets[slot]
        p = &c.listed[slot]
        if b.market != m.slot:
            continue
        if not b.is_dirty and slot != m.fund:
            require(p.lots == (0 if b.is_frozen else b.position.lots), "INV-9 listed", slot)
            require(p.lots == 0 or p.funding_index == b.position.funding_index, "INV-9 when", slot)
        if p.lots == 0:
            continue
        side = 0 if p.lots > 0 else 1
        expected += count_keys(c, m, &m.spec, &m.index[side][0], slot)
        if slot < m.pending_at:
            expected += count_keys(c, m, &m.pending, &m.pending_index[side][0], slot)
    require(found == expected, "INV-9 entries", (m.market_id, found, expected))
    return 0


cdef int check_market(CoreC* c, MarketC* m) except -1:
    """Positions sum to zero, the book is not crossed, sums that are kept are those of the parts."""
    cdef uint32_t slot
    cdef int64_t total = 0
    cdef int64_t longs = 0
    cdef int64_t held = m.funding_pool
    cdef BucketC* b
    check_side(c, m, 0)
    check_side(c, m, 1)
    check_trails(c, m)
    check_index(c, m)
    require(not is_continuous(m) or m.sides[0].best == 0 or m.sides[1].best == 0 or (
        m.sides[0].best < m.sides[1].best),
            "INV-2 crossed book", (m.market_id, m.sides[0].best, m.sides[1].best))
    for slot in range(1, c.bucket_top):
        b = &c.buckets[slot]
        if b.market == m.slot:
            total += b.position.lots
            longs += max(0, b.position.lots)
            held += b.position.collateral
            held += b.position.entry_value if b.position.lots < 0 else -b.position.entry_value
    require(total == 0, "INV-5 positions sum to zero", (m.market_id, total))
    require(longs == m.open_interest, "INV-5 open interest", (m.market_id, longs))
    require(held == m.pot, "INV-5 what the market holds", (m.market_id, held, m.pot))
    require(held >= 0, "INV-5 a market owes nothing (CONS-4)", (m.market_id, held))
    return 0


cdef int check_core(CoreC* c) except -1:
    """Every market, every bucket, every account, then the money of the whole venue."""
    cdef uint32_t k
    cdef int64_t held = 0
    cdef BucketC* b
    reserved = [0] * c.account_count
    check_dates(c)
    for k in range(c.market_count):
        check_market(c, c.markets[k])
        held += c.markets[k].funding_pool
    for k in range(1, c.bucket_top):
        check_bucket(c, k)
        b = &c.buckets[k]
        reserved[b.account] += b.reserved
        held += b.position.collateral
        held += b.position.entry_value if b.position.lots < 0 else -b.position.entry_value
    check_free(c)
    for k in range(c.account_count):
        require(c.accounts[k].reserved == reserved[k], "INV-7 account's reservations", k)
        require(c.accounts[k].free >= c.accounts[k].reserved, "INV-7 reserved is there",
                (k, c.accounts[k].free, c.accounts[k].reserved))
        held += c.accounts[k].free
    held += c.fees
    require(held == c.deposits - c.withdrawals, "INV-1 money in = money out",
            (held, c.deposits, c.withdrawals))
    return 0


cdef int check_free(CoreC* c) except -1:
    """Every slot is a live order's or stands once in the free list."""
    cdef uint32_t live = 0
    cdef uint32_t count = 0
    cdef uint32_t slot
    for slot in range(1, c.order_top):
        if c.orders[slot].state != ORDER_FREE:
            live += 1
    slot = c.order_free
    while slot and count < c.order_top:
        require(c.orders[slot].state == ORDER_FREE, "INV-8 free slot", slot)
        count += 1
        slot = c.orders[slot].next
    require(live == c.order_count, "INV-8 live orders", (live, c.order_count))
    require(live + count + 1 == c.order_top, "INV-8 slots", (live, count, c.order_top))
    return 0
