"""Live orders by their nonce, found in O(1) over a life: see `order_of_nonce`.

Most orders are never asked for by nonce, so placing one writes nothing here. A look-up walks an
account's orders from the newest to the first that an earlier look-up has met, and enters them in a
hash table: each order is walked over once. Hashes are keyed: who chooses nonces does not know the
key, so nobody can make long runs in the tables. No result depends on the key or on the layout.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from matcher.engine.types cimport CoreC, NAMED


cdef inline uint64_t keyed_hash(const CoreC* c, uint32_t account, uint64_t word) noexcept nogil:
    """Mix an account and 64 bits (the finaliser of MurmurHash3, behind the key)."""
    cdef uint64_t x = word ^ c.hash_key ^ <uint64_t> account << 40
    x = (x ^ x >> 33) * <uint64_t> 0xFF51AFD7ED558CCD
    x = (x ^ x >> 33) * <uint64_t> 0xC4CEB9FE1A85EC53
    return x ^ x >> 33


cdef inline uint64_t home_of(const CoreC* c, uint32_t slot) noexcept nogil:
    """Where the order's entry belongs."""
    cdef uint32_t account = c.buckets[c.orders[slot].bucket].account
    return keyed_hash(c, account, c.orders[slot].nonce) & (c.name_capacity - 1)


cdef inline uint32_t find_name(const CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    """Slot of the entered order with the nonce, 0 when there is none."""
    cdef uint64_t at = keyed_hash(c, account, nonce) & (c.name_capacity - 1)
    cdef uint32_t slot = c.names[at]
    while slot and (c.orders[slot].nonce != nonce
                    or c.buckets[c.orders[slot].bucket].account != account):
        at = (at + 1) & (c.name_capacity - 1)
        slot = c.names[at]
    return slot


cdef inline void add_name(CoreC* c, uint32_t slot) noexcept nogil:
    cdef uint64_t at = home_of(c, slot)
    while c.names[at]:
        at = (at + 1) & (c.name_capacity - 1)
    c.names[at] = slot
    c.orders[slot].flags |= NAMED


cdef inline void remove_name(CoreC* c, uint32_t slot) noexcept nogil:
    """Take the entry out; those behind it that may stand nearer to their place move up."""
    cdef uint64_t mask = c.name_capacity - 1
    cdef uint64_t hole = home_of(c, slot)
    cdef uint64_t at
    while c.names[hole] != slot:
        hole = (hole + 1) & mask
    at = (hole + 1) & mask
    while c.names[at]:
        if ((at - home_of(c, c.names[at])) & mask) >= ((at - hole) & mask):
            c.names[hole] = c.names[at]
            hole = at
        at = (at + 1) & mask
    c.names[hole] = 0
    c.orders[slot].flags &= ~(<uint8_t> NAMED)
