"""Used nonces, remembered for ever: a bit each, 64 of an account to an entry of one hash table.

An account's newest 64 are in its own record, so that an order seldom comes here. The table grows
beside itself: when it is a quarter full a call, after its commands, reserves one of twice the size.
Each later call makes a page of that present for every record, then moves MOVED_PER_RECORD slots a
record into it, then gives the old memory back in pieces. So no command waits for it. Where a
single call brings so many new entries that the table is half full before its end, it grows at once.

An entry takes 100 bytes or so. Who counts upwards has one for 64 nonces; how many with less than 16
an account may leave behind is bounded (SIG-6), its bucket leaks a group a minute.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from matcher.engine.ladder cimport cold, cold_int, unlikely
from matcher.engine.memory cimport discard, release, reserve, touch
from matcher.engine.names cimport keyed_hash
from matcher.engine.types cimport AccountC, CoreC, NonceC

cdef extern from *:
    """
    #define BH_FLOOR_WORD 0xFFFFFFFFFFFFFFFFull
    #define BH_ASCENDING_WORD 0xFFFFFFFFFFFFFFFEull
    #define BH_SPARSE_WORD 0xFFFFFFFFFFFFFFFDull
    """
    uint64_t FLOOR_WORD "BH_FLOOR_WORD"
    uint64_t ASCENDING_WORD "BH_ASCENDING_WORD"
    uint64_t SPARSE_WORD "BH_SPARSE_WORD"   # `used`: second from which on the bucket is empty
    int count_bits "__builtin_popcountll"(uint64_t word) noexcept nogil

cdef enum:
    MOVED_PER_RECORD = 8         # a record makes two entries at most: the move is done in time
    TOUCHED_PER_RECORD = 4096    # bytes
    DISCARDED_PER_RECORD = 16384
    GROUP_USED_MIN = 16          # nonces of a group that is not sparse
    SPARSE_GROUPS_MAX = 1024
    SPARSE_LEAK_S = 60           # in which one of them is forgiven


cdef inline NonceC* probe(
    const CoreC* c, NonceC* table, uint64_t capacity, uint32_t account, uint64_t word
) noexcept nogil:
    """The entry of the account's 64 nonces of `word`, or the empty one where it belongs."""
    cdef uint64_t at = keyed_hash(c, account, word) & (capacity - 1)
    while table[at].account and (table[at].account != account or table[at].word != word):
        at = (at + 1) & (capacity - 1)
    return &table[at]


cdef inline NonceC* find_nonces(CoreC* c, uint32_t account, uint64_t word) noexcept nogil:
    """As `probe`, in the table and in what has not been moved into it."""
    cdef NonceC* found = probe(c, c.nonces, c.nonce_capacity, account, word)
    cdef NonceC* before
    if found.account == 0 and unlikely(c.nonces_moved < c.nonces_before_capacity):
        before = probe(c, c.nonces_before, c.nonces_before_capacity, account, word)
        if before.account:
            return before
    return found


cdef inline bint reserve_next(CoreC* c) noexcept nogil:
    """Have the next table, of twice the size. False when memory is refused."""
    if c.nonces_next == NULL:
        c.nonces_touched = 0
        c.nonces_next = <NonceC*> reserve(2 * c.nonce_capacity * sizeof(NonceC))
        if c.nonces_next == NULL:
            c.is_out_of_memory = 1   # never an outcome: another machine would have had it
    return c.nonces_next != NULL


cdef inline void begin_growth(CoreC* c) noexcept nogil:
    """From here on new entries go to the next table."""
    c.nonces_before = c.nonces
    c.nonces_before_capacity = c.nonce_capacity
    c.nonces_moved = 0
    c.nonces_discarded = 0
    c.nonces = c.nonces_next
    c.nonce_capacity *= 2
    c.nonces_next = NULL


cdef inline void move_nonces(CoreC* c, uint64_t slots) noexcept nogil:
    """Copy the entries of the next slots; a look-up meets the copies first."""
    cdef uint64_t end = min(c.nonces_moved + slots, c.nonces_before_capacity)
    cdef NonceC* entry
    while c.nonces_moved < end:
        entry = &c.nonces_before[c.nonces_moved]
        if entry.account:
            probe(c, c.nonces, c.nonce_capacity, entry.account, entry.word)[0] = entry[0]
        c.nonces_moved += 1


cdef inline void end_growth(CoreC* c) noexcept nogil:
    """Move all that is left and give the old table back."""
    move_nonces(c, c.nonces_before_capacity)
    if c.nonces_before != NULL:
        release(c.nonces_before, c.nonces_before_capacity * sizeof(NonceC))
    c.nonces_before = NULL
    c.nonces_before_capacity = c.nonces_moved = c.nonces_discarded = 0


cdef inline cold tend_nonces(CoreC* c, uint64_t records) noexcept nogil:
    """What a call of so many records does for the growth of the table."""
    cdef uint64_t size = c.nonces_before_capacity * sizeof(NonceC)
    cdef uint64_t next_size = 2 * c.nonce_capacity * sizeof(NonceC)
    cdef uint64_t length
    if c.nonces_before == NULL:
        if reserve_next(c):
            length = min(records * TOUCHED_PER_RECORD, next_size - c.nonces_touched)
            touch(<char*> c.nonces_next + c.nonces_touched, length)
            c.nonces_touched += length
            if c.nonces_touched == next_size:
                begin_growth(c)
    elif c.nonces_moved < c.nonces_before_capacity:
        move_nonces(c, records * MOVED_PER_RECORD)
    elif c.nonces_discarded < size:
        length = min(records * DISCARDED_PER_RECORD, size - c.nonces_discarded)
        discard(<char*> c.nonces_before + c.nonces_discarded, length)
        c.nonces_discarded += length
    else:
        end_growth(c)


cdef inline bint has_nonces_to_tend(const CoreC* c) noexcept nogil:
    return c.nonces_before != NULL or c.nonce_count * 4 >= c.nonce_capacity


cdef inline cold_int grow_at_once(CoreC* c) noexcept nogil:
    """Double the table in the middle of a call. False when memory is refused."""
    end_growth(c)
    if not reserve_next(c):
        return False
    begin_growth(c)
    end_growth(c)
    return True


cdef inline cold_int far_nonce_used(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    """For a nonce of older words than the account's newest."""
    if (find_nonces(c, account, nonce >> 6).used >> (nonce & 63)) & 1:
        return True
    return nonce < find_nonces(c, account, FLOOR_WORD).used


cdef inline bint is_ascending(uint64_t nonce) noexcept nogil:
    """SIG-5: a nonce that only an order may have which never rests or waits."""
    return nonce >> 63


cdef inline uint64_t ascending_count(uint64_t nonce) noexcept nogil:
    """1, 2, 3 … of the ascending nonces: the `used` of a word that no nonce has counts as far."""
    return (nonce ^ (<uint64_t> 1 << 63)) + 1


cdef inline cold_int ascending_used(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    return ascending_count(nonce) <= find_nonces(c, account, ASCENDING_WORD).used or (
        nonce < find_nonces(c, account, FLOOR_WORD).used)


cdef inline bint nonce_used(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    cdef AccountC* a = &c.accounts[account]
    if unlikely(is_ascending(nonce)):
        return ascending_used(c, account, nonce)
    if nonce >> 6 == a.nonce_word:
        return (a.nonce_bits >> (nonce & 63)) & 1
    return nonce >> 6 < a.nonce_word and far_nonce_used(c, account, nonce)


cdef inline bint store_nonces(
    CoreC* c, uint32_t account, uint64_t word, uint64_t used
) noexcept nogil:
    """Add nonces of a word to the table. False when memory is refused."""
    cdef NonceC* entry = find_nonces(c, account, word)
    if entry.account == 0:
        if unlikely(c.nonce_count * 2 >= c.nonce_capacity):
            if not grow_at_once(c):
                return False
            entry = find_nonces(c, account, word)
        entry.account = account
        entry.word = word
        c.nonce_count += 1
    entry.used |= used
    return True


cdef inline bint leaves_sparse(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    """SIG-6: using the nonce leaves an entry behind that says little."""
    cdef AccountC* a = &c.accounts[account]
    if is_ascending(nonce) or nonce >> 6 == a.nonce_word:
        return False
    if nonce >> 6 < a.nonce_word:
        return find_nonces(c, account, nonce >> 6).account == 0
    return a.nonce_bits != 0 and count_bits(a.nonce_bits) < GROUP_USED_MIN


cdef inline cold_int has_nonce_room(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    """SIG-6: the nonce, which is unused, may be remembered."""
    return not leaves_sparse(c, account, nonce) or (
        <int64_t> find_nonces(c, account, SPARSE_WORD).used - c.time_s <= (
            (SPARSE_GROUPS_MAX - 1) * SPARSE_LEAK_S))


cdef inline bint count_sparse(CoreC* c, uint32_t account) noexcept nogil:
    """One more in the bucket. False when memory is refused."""
    cdef NonceC* entry
    if not store_nonces(c, account, SPARSE_WORD, 0):
        return False
    entry = find_nonces(c, account, SPARSE_WORD)
    entry.used = max(entry.used, <uint64_t> c.time_s) + SPARSE_LEAK_S
    return True


cdef inline cold use_far_nonce(
    CoreC* c, uint32_t account, uint64_t nonce, bint* done
) noexcept nogil:
    """Remember a nonce of another 64 than the account's newest, or an ascending one."""
    cdef AccountC* a = &c.accounts[account]
    cdef uint64_t bit = <uint64_t> 1 << (nonce & 63)
    cdef NonceC* latest
    if is_ascending(nonce):
        done[0] = store_nonces(c, account, ASCENDING_WORD, 0)
        latest = find_nonces(c, account, ASCENDING_WORD)
        if done[0] and ascending_count(nonce) > latest.used:
            latest.used = ascending_count(nonce)
        return
    if leaves_sparse(c, account, nonce) and not count_sparse(c, account):
        done[0] = False
        return
    if nonce >> 6 < a.nonce_word:
        done[0] = store_nonces(c, account, nonce >> 6, bit)
        return
    done[0] = a.nonce_bits == 0 or store_nonces(c, account, a.nonce_word, a.nonce_bits)
    if done[0]:
        a.nonce_word = nonce >> 6
        a.nonce_bits = bit


cdef inline bint is_near(const CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    """The nonce is one of the account's newest 64: used or not, its record tells."""
    return nonce >> 6 == c.accounts[account].nonce_word


cdef inline bint near_nonce_used(const CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    return (c.accounts[account].nonce_bits >> (nonce & 63)) & 1


cdef inline void use_near_nonce(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    c.accounts[account].nonce_bits |= <uint64_t> 1 << (nonce & 63)


cdef inline bint claim_nonce(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    """Remember the nonce for ever. False when there is no room for it."""
    return has_nonce_room(c, account, nonce) and use_nonce(c, account, nonce)


cdef inline bint use_nonce(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    """Remember the nonce for ever. False when memory is refused."""
    cdef AccountC* a = &c.accounts[account]
    cdef bint done = True
    if unlikely(nonce >> 6 != a.nonce_word or is_ascending(nonce)):
        use_far_nonce(c, account, nonce, &done)
    else:
        a.nonce_bits |= <uint64_t> 1 << (nonce & 63)
    return done


cdef inline void raise_nonce_floor(CoreC* c, uint32_t account, uint64_t floor) noexcept nogil:
    """SIG-1: every nonce below is used. The floor is the `used` of a word that no nonce has."""
    cdef AccountC* a = &c.accounts[account]
    cdef uint64_t word = floor >> 6
    if floor <= find_nonces(c, account, FLOOR_WORD).used:
        return
    if not store_nonces(c, account, FLOOR_WORD, 0):
        c.is_out_of_memory = 1
        return
    find_nonces(c, account, FLOOR_WORD).used = floor
    # The words from the newest on are not looked up, so that one has to know of it.
    if word > a.nonce_word:
        if a.nonce_bits and not store_nonces(c, account, a.nonce_word, a.nonce_bits):
            c.is_out_of_memory = 1
        a.nonce_word = word
        a.nonce_bits = 0
    if word == a.nonce_word:
        a.nonce_bits |= (<uint64_t> 1 << (floor & 63)) - 1
