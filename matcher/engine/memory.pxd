"""Zeroed memory that is reserved at once and paid for only where it is touched.

Under AddressSanitizer it comes from the heap, whose bounds are watched to the byte.
"""

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #include <sys/mman.h>
    #if defined(__has_feature)
    #if __has_feature(address_sanitizer)
    #define BH_WATCHED
    #endif
    #elif defined(__SANITIZE_ADDRESS__)
    #define BH_WATCHED
    #endif
    static inline void* bh_reserve(size_t length) {
    #ifdef BH_WATCHED
        return calloc(1, length);
    #else
        void* memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return memory == MAP_FAILED ? NULL : memory;
    #endif
    }
    static inline void* bh_reserve_dense(size_t length) {
        void* memory = bh_reserve(length);
    #ifndef BH_WATCHED
        if (memory != NULL) madvise(memory, length, MADV_HUGEPAGE);  /* a refusal costs speed */
    #endif
        return memory;
    }
    static inline void bh_touch(void* memory, size_t length) {
        volatile char* at = (volatile char*) memory;
        for (size_t k = 0; k < length; k += 4096) at[k] = 0;
    }
    static inline void bh_discard(void* memory, size_t length) {
    #ifndef BH_WATCHED
        madvise(memory, length, MADV_DONTNEED);  /* a refusal costs memory until the release */
    #else
        (void) memory;
        (void) length;
    #endif
    }
    static inline void bh_release(void* memory, size_t length) {
    #ifdef BH_WATCHED
        (void) length;
        free(memory);
    #else
        munmap(memory, length);
    #endif
    }
    """
    void* reserve "bh_reserve"(uint64_t length) noexcept nogil  # NULL when the system refuses
    # As `reserve`, in large pages: for what is read anywhere and fills from the front, or, as price
    # levels do, lies together.
    void* reserve_dense "bh_reserve_dense"(uint64_t length) noexcept nogil
    # Makes zeroed memory present before somebody waits for it.
    void touch "bh_touch"(void* memory, uint64_t length) noexcept nogil
    # Gives whole pages back that nobody reads any more.
    void discard "bh_discard"(void* memory, uint64_t length) noexcept nogil
    void release "bh_release"(void* memory, uint64_t length) noexcept nogil
