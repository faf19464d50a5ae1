"""Positions by liquidation price, most endangered first; ties by bucket, so the order is total."""

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport realloc
from matcher.engine.types cimport BucketC, HeapC


cdef inline bint before(
    const HeapC* heap, const BucketC* buckets, uint32_t a, uint32_t b
) noexcept nogil:
    """Whether bucket a is liquidated before bucket b: the price reaches it first."""
    cdef int64_t x = buckets[a].liquidation_price
    cdef int64_t y = buckets[b].liquidation_price
    if x != y:
        return x < y if heap.is_short else x > y
    return a < b


cdef inline void place_at(
    HeapC* heap, BucketC* buckets, uint32_t at, uint32_t slot
) noexcept nogil:
    heap.slots[at] = slot
    buckets[slot].heap_at = at + 1


cdef inline void sift_up(HeapC* heap, BucketC* buckets, uint32_t at) noexcept nogil:
    cdef uint32_t slot = heap.slots[at]
    cdef uint32_t parent
    while at > 0:
        parent = (at - 1) >> 1
        if not before(heap, buckets, slot, heap.slots[parent]):
            break
        place_at(heap, buckets, at, heap.slots[parent])
        at = parent
    place_at(heap, buckets, at, slot)


cdef inline void sift_down(HeapC* heap, BucketC* buckets, uint32_t at) noexcept nogil:
    cdef uint32_t slot = heap.slots[at]
    cdef uint32_t child
    while 2 * at + 1 < heap.count:
        child = 2 * at + 1
        if child + 1 < heap.count and before(
                heap, buckets, heap.slots[child + 1], heap.slots[child]):
            child += 1
        if not before(heap, buckets, heap.slots[child], slot):
            break
        place_at(heap, buckets, at, heap.slots[child])
        at = child
    place_at(heap, buckets, at, slot)


cdef inline void heap_remove(HeapC* heap, BucketC* buckets, uint32_t slot) noexcept nogil:
    cdef uint32_t at = buckets[slot].heap_at - 1
    cdef uint32_t last = heap.slots[heap.count - 1]
    heap.count -= 1
    buckets[slot].heap_at = 0
    if last != slot:
        place_at(heap, buckets, at, last)
        sift_up(heap, buckets, at)
        sift_down(heap, buckets, buckets[last].heap_at - 1)


cdef inline bint heap_add(HeapC* heap, BucketC* buckets, uint32_t slot) noexcept nogil:
    """False when memory is refused."""
    cdef uint32_t* grown
    if heap.count == heap.capacity:
        grown = <uint32_t*> realloc(heap.slots, <size_t> heap.capacity * 2 * sizeof(uint32_t))
        if grown == NULL:
            return False
        heap.slots = grown
        heap.capacity *= 2
    heap.slots[heap.count] = slot
    heap.count += 1
    sift_up(heap, buckets, heap.count - 1)
    return True
