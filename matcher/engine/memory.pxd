"""Zeroed memory that is reserved at once and paid for only where it is touched."""

from libc.stdint cimport uint64_t

cdef extern from "sys/mman.h" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void* address, size_t length)
    int PROT_READ
    int PROT_WRITE
    int MAP_PRIVATE
    int MAP_ANONYMOUS
    int MAP_NORESERVE
    void* MAP_FAILED


cdef inline void* reserve(uint64_t length) noexcept nogil:
    """Map `length` zeroed bytes, NULL when the system refuses."""
    cdef void* memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    return NULL if memory == MAP_FAILED else memory
