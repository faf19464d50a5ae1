"""Ordered sets of (key, slot) in B+ trees: add, remove and read from the top, all O(log n).

Nodes are a kilobyte each and come from one pool. A node that is nearly empty joins its neighbour;
one that is empty goes back to the pool. The first separator of an inner node counts as -infinity.
"""

from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memmove

from matcher.engine.types cimport (
    CoreC, INNER_ENTRIES, InnerC, LEAF_ENTRIES, LeafC, SlotsC, TREE_HEIGHT_MAX, TreeC)


cdef inline void append_slot(CoreC* c, SlotsC* list, uint32_t slot) noexcept nogil:
    cdef uint32_t* grown
    cdef uint32_t capacity
    if list.count == list.capacity:
        capacity = list.capacity * 2 if list.capacity else 64
        grown = <uint32_t*> realloc(list.slots, <size_t> capacity * sizeof(uint32_t))
        if grown == NULL:
            c.is_out_of_memory = 1
            return
        list.slots = grown
        list.capacity = capacity
    list.slots[list.count] = slot
    list.count += 1


cdef inline LeafC* leaf_of(CoreC* c, uint32_t id) noexcept nogil:
    return <LeafC*> &c.tree_nodes[id]


cdef inline InnerC* inner_of(CoreC* c, uint32_t id) noexcept nogil:
    return <InnerC*> &c.tree_nodes[id]


cdef inline void free_node(CoreC* c, uint32_t id, uint64_t unfreed) noexcept nogil:
    """Give a node back; `unfreed`: 0, or its height + 1 when all that is below it goes too."""
    leaf_of(c, id).unfreed = unfreed
    leaf_of(c, id).next_free = c.tree_node_free
    c.tree_node_free = id


cdef inline uint32_t new_node(CoreC* c) noexcept nogil:
    """An empty node, 0 when the pool is used up."""
    cdef uint32_t id = c.tree_node_free
    cdef uint64_t height
    cdef uint32_t k
    if id:
        c.tree_node_free = leaf_of(c, id).next_free
        height = leaf_of(c, id).unfreed
        if height > 1:  # what was below it is free, but not yet in the list
            for k in range(inner_of(c, id).count):
                free_node(c, inner_of(c, id).children[k], height - 1)
    elif c.tree_node_top < c.tree_node_capacity:
        id = c.tree_node_top
        c.tree_node_top += 1
    else:
        return 0
    leaf_of(c, id).count = 0
    return id


cdef inline uint32_t rank_in(
    const int64_t* keys, const uint32_t* slots, uint32_t count, int64_t key, uint32_t slot
) noexcept nogil:
    """How many of the sorted entries are at or below (key, slot)."""
    cdef uint32_t low = 0
    cdef uint32_t high = count
    cdef uint32_t middle
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key or (keys[middle] == key and slots[middle] <= slot):
            low = middle + 1
        else:
            high = middle
    return low


cdef inline uint32_t descend(
    CoreC* c, const TreeC* tree, int64_t key, uint32_t slot, uint32_t* path, uint32_t* turns
) noexcept nogil:
    """The leaf where the entry belongs; `path[h]`, `turns[h]`: inner nodes and children taken."""
    cdef uint32_t id = tree.root
    cdef uint32_t at
    cdef uint32_t height = tree.height
    cdef InnerC* node
    while height:
        node = inner_of(c, id)
        at = rank_in(node.keys, node.slots, node.count, key, slot)
        at = at - 1 if at else 0
        path[height] = id
        turns[height] = at
        id = node.children[at]
        height -= 1
    path[0] = id
    return id


cdef inline void leaf_insert(LeafC* leaf, uint32_t at, int64_t key, uint32_t slot) noexcept nogil:
    memmove(&leaf.keys[at + 1], &leaf.keys[at], (leaf.count - at) * sizeof(int64_t))
    memmove(&leaf.slots[at + 1], &leaf.slots[at], (leaf.count - at) * sizeof(uint32_t))
    leaf.keys[at] = key
    leaf.slots[at] = slot
    leaf.count += 1


cdef inline void inner_insert(
    InnerC* node, uint32_t at, int64_t key, uint32_t slot, uint32_t child
) noexcept nogil:
    memmove(&node.keys[at + 1], &node.keys[at], (node.count - at) * sizeof(int64_t))
    memmove(&node.slots[at + 1], &node.slots[at], (node.count - at) * sizeof(uint32_t))
    memmove(&node.children[at + 1], &node.children[at], (node.count - at) * sizeof(uint32_t))
    node.keys[at] = key
    node.slots[at] = slot
    node.children[at] = child
    node.count += 1


cdef inline void inner_remove(InnerC* node, uint32_t at) noexcept nogil:
    node.count -= 1
    memmove(&node.keys[at], &node.keys[at + 1], (node.count - at) * sizeof(int64_t))
    memmove(&node.slots[at], &node.slots[at + 1], (node.count - at) * sizeof(uint32_t))
    memmove(&node.children[at], &node.children[at + 1], (node.count - at) * sizeof(uint32_t))


cdef inline void move_entries(
    LeafC* to, uint32_t at, LeafC* source, uint32_t start, uint32_t count
) noexcept nogil:
    memmove(&to.keys[at], &source.keys[start], count * sizeof(int64_t))
    memmove(&to.slots[at], &source.slots[start], count * sizeof(uint32_t))


cdef inline void move_children(
    InnerC* to, uint32_t at, InnerC* source, uint32_t start, uint32_t count
) noexcept nogil:
    memmove(&to.keys[at], &source.keys[start], count * sizeof(int64_t))
    memmove(&to.slots[at], &source.slots[start], count * sizeof(uint32_t))
    memmove(&to.children[at], &source.children[start], count * sizeof(uint32_t))


cdef inline uint32_t split_leaf(CoreC* c, LeafC* leaf) noexcept nogil:
    """Move the upper half to a new leaf and return it, 0 when the pool is used up."""
    cdef uint32_t id = new_node(c)
    cdef uint32_t keep = leaf.count >> 1
    if id:
        leaf_of(c, id).count = leaf.count - keep
        move_entries(leaf_of(c, id), 0, leaf, keep, leaf.count - keep)
        leaf.count = keep
    return id


cdef inline uint32_t split_inner(CoreC* c, InnerC* node) noexcept nogil:
    cdef uint32_t id = new_node(c)
    cdef uint32_t keep = node.count >> 1
    if id:
        inner_of(c, id).count = node.count - keep
        move_children(inner_of(c, id), 0, node, keep, node.count - keep)
        node.count = keep
    return id


cdef inline bint grow_root(
    CoreC* c, TreeC* tree, int64_t key, uint32_t slot, uint32_t right
) noexcept nogil:
    """A new root above the old one and its new neighbour."""
    cdef uint32_t id = new_node(c)
    if id == 0 or tree.height + 1 >= TREE_HEIGHT_MAX:
        return False
    inner_insert(inner_of(c, id), 0, INT64_MIN, 0, tree.root)
    inner_insert(inner_of(c, id), 1, key, slot, right)
    tree.root = id
    tree.height += 1
    return True


cdef inline bint tree_add(CoreC* c, TreeC* tree, int64_t key, uint32_t slot) noexcept nogil:
    """Add an entry that is not there. False when the pool is used up."""
    cdef uint32_t path[TREE_HEIGHT_MAX]
    cdef uint32_t turns[TREE_HEIGHT_MAX]
    cdef uint32_t height = 0
    cdef uint32_t right
    cdef int64_t right_key
    cdef uint32_t right_slot
    cdef LeafC* leaf
    cdef InnerC* node
    if tree.root == 0:
        tree.root = new_node(c)
        tree.height = 0
        if tree.root == 0:
            return False
    leaf = leaf_of(c, descend(c, tree, key, slot, path, turns))
    if leaf.count < LEAF_ENTRIES:
        leaf_insert(leaf, rank_in(leaf.keys, leaf.slots, leaf.count, key, slot), key, slot)
        return True
    right = split_leaf(c, leaf)
    if right == 0:
        return False
    right_key = leaf_of(c, right).keys[0]
    right_slot = leaf_of(c, right).slots[0]
    if key > right_key or (key == right_key and slot > right_slot):
        leaf = leaf_of(c, right)
    leaf_insert(leaf, rank_in(leaf.keys, leaf.slots, leaf.count, key, slot), key, slot)
    while height < tree.height:
        height += 1
        node = inner_of(c, path[height])
        if node.count < INNER_ENTRIES:
            inner_insert(node, turns[height] + 1, right_key, right_slot, right)
            return True
        path[0] = split_inner(c, node)
        if path[0] == 0:
            return False
        if turns[height] < node.count:
            inner_insert(node, turns[height] + 1, right_key, right_slot, right)
        else:
            inner_insert(inner_of(c, path[0]), turns[height] + 1 - node.count, right_key,
                         right_slot, right)
        right = path[0]
        right_key = inner_of(c, right).keys[0]
        right_slot = inner_of(c, right).slots[0]
    return grow_root(c, tree, right_key, right_slot, right)


cdef inline bint join(CoreC* c, InnerC* parent, uint32_t at, uint32_t height) noexcept nogil:
    """Move all of child `at + 1` (nodes of `height`) into child `at`, if both fill half a node."""
    cdef LeafC* left_leaf
    cdef LeafC* leaf
    cdef InnerC* left
    cdef InnerC* node
    if at + 1 >= parent.count:
        return False
    leaf = leaf_of(c, parent.children[at + 1])
    left_leaf = leaf_of(c, parent.children[at])
    if 2 * (leaf.count + left_leaf.count) > <uint32_t> (
            INNER_ENTRIES if height else LEAF_ENTRIES):
        return False
    if height == 0:
        move_entries(left_leaf, left_leaf.count, leaf, 0, leaf.count)
    else:
        node = <InnerC*> leaf
        left = <InnerC*> left_leaf
        node.keys[0] = parent.keys[at + 1]
        node.slots[0] = parent.slots[at + 1]
        move_children(left, left.count, node, 0, node.count)
    left_leaf.count += leaf.count
    free_node(c, parent.children[at + 1], 0)
    inner_remove(parent, at + 1)
    return True


cdef inline void tree_remove(CoreC* c, TreeC* tree, int64_t key, uint32_t slot) noexcept nogil:
    """Remove an entry that is there."""
    cdef uint32_t path[TREE_HEIGHT_MAX]
    cdef uint32_t turns[TREE_HEIGHT_MAX]
    cdef uint32_t height = 0
    cdef uint32_t at, emptied
    cdef InnerC* node
    cdef LeafC* leaf = leaf_of(c, descend(c, tree, key, slot, path, turns))
    at = rank_in(leaf.keys, leaf.slots, leaf.count, key, slot) - 1
    leaf.count -= 1
    move_entries(leaf, at, leaf, at + 1, leaf.count - at)
    while height < tree.height:
        emptied = path[height]
        height += 1
        node = inner_of(c, path[height])
        at = turns[height]
        if leaf_of(c, emptied).count == 0:
            free_node(c, emptied, 0)
            inner_remove(node, at)
        elif not join(c, node, at, height - 1) and (
                at == 0 or not join(c, node, at - 1, height - 1)):
            return
    if leaf_of(c, tree.root).count == 0:
        free_node(c, tree.root, 0)
        tree.root = 0
        tree.height = 0
    while tree.height and inner_of(c, tree.root).count == 1:
        at = tree.root
        tree.root = inner_of(c, at).children[0]
        tree.height -= 1
        free_node(c, at, 0)


cdef inline void tree_clear(CoreC* c, TreeC* tree) noexcept nogil:
    """Give all nodes back in O(1): those below the root join the list as it is used."""
    if tree.root:
        free_node(c, tree.root, <uint64_t> tree.height + 1)
    tree.root = 0
    tree.height = 0


cdef inline bint gather_leaf(
    CoreC* c, const LeafC* leaf, int64_t floor, SlotsC* found
) noexcept nogil:
    """Append the slots whose keys are above `floor`, from the top. False: the floor is reached."""
    cdef uint32_t at = leaf.count
    while at:
        at -= 1
        if leaf.keys[at] <= floor:
            return False
        append_slot(c, found, leaf.slots[at])
    return True


cdef inline void tree_above(
    CoreC* c, const TreeC* tree, int64_t floor, SlotsC* found
) noexcept nogil:
    """Append the slots of all entries with keys above `floor`, highest first: O(log n + found)."""
    cdef uint32_t path[TREE_HEIGHT_MAX]
    cdef uint32_t turns[TREE_HEIGHT_MAX]
    cdef uint32_t height = tree.height
    cdef uint32_t id = tree.root
    if id == 0:
        return
    while True:
        while height:  # down to the highest leaf of this branch
            path[height] = id
            turns[height] = inner_of(c, id).count - 1
            id = inner_of(c, id).children[turns[height]]
            height -= 1
        if not gather_leaf(c, leaf_of(c, id), floor, found):
            return
        while True:  # up to the next branch on the left
            height += 1
            if height > tree.height:
                return
            if turns[height]:
                break
        turns[height] -= 1
        id = inner_of(c, path[height]).children[turns[height]]
        height -= 1
