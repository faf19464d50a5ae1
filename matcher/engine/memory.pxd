"""Zeroed memory that is reserved at once and paid for only where it is touched.

Under AddressSanitizer it comes from the heap, whose bounds are watched to the byte, and nothing is
given back before the release.
"""

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #include <assert.h>
    #include <stdint.h>
    #include <stdlib.h>
    #include <sys/mman.h>
    #include <unistd.h>
    #define BH_LARGE_BYTES ((size_t) 1 << 21)
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
    static inline size_t bh_page_bytes(void) {
        return (size_t) sysconf(_SC_PAGESIZE);
    }
    static inline void bh_enlarge(void* memory, size_t length, int is_large) {
    #ifndef BH_WATCHED
        madvise(memory, length, is_large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    #else
        (void) memory;
        (void) length;
        (void) is_large;
    #endif
    }
    static inline void* bh_reserve_sparse(size_t length) {
    #ifdef BH_WATCHED
        return bh_reserve(length);
    #else
        size_t page = bh_page_bytes(), used = (length + page - 1) / page * page;
        char* memory = (char*) bh_reserve(used + BH_LARGE_BYTES);
        if (memory == NULL) return NULL;
        size_t before = -(uintptr_t) memory & (BH_LARGE_BYTES - 1);
        if (before) munmap(memory, before);
        munmap(memory + before + used, BH_LARGE_BYTES - before);
        bh_enlarge(memory + before, used, 0);
        return memory + before;
    #endif
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
    static inline void bh_discard_empty(void* memory, size_t length) {
    #ifndef NDEBUG
        for (size_t k = 0; k < length / 8; k++) assert(((const uint64_t*) memory)[k] == 0);
    #endif
        bh_discard(memory, length);
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
    # As `reserve`, in large pages: for what is read anywhere and fills from the front.
    void* reserve_dense "bh_reserve_dense"(uint64_t length) noexcept nogil
    # As `reserve`, in small pages whatever the system prefers, from where a large page may begin:
    # for what others can touch anywhere.
    void* reserve_sparse "bh_reserve_sparse"(uint64_t length) noexcept nogil
    # Whole pages become large ones when they are touched, or no longer; a refusal costs speed.
    void enlarge "bh_enlarge"(void* memory, uint64_t length, bint is_large) noexcept nogil
    uint64_t page_bytes "bh_page_bytes"() noexcept nogil
    # Makes zeroed memory present before somebody waits for it.
    void touch "bh_touch"(void* memory, uint64_t length) noexcept nogil
    # Gives whole pages back that nobody reads any more.
    void discard "bh_discard"(void* memory, uint64_t length) noexcept nogil
    # As `discard`, of what is all zeroes (builds with checks look): nobody sees a difference.
    void discard_empty "bh_discard_empty"(void* memory, uint64_t length) noexcept nogil
    void release "bh_release"(void* memory, uint64_t length) noexcept nogil
