"""C surface of snapshots: what of the state is where, out to stretches of memory and back."""

from libc.stdint cimport uint64_t

from matcher.engine.types cimport CoreC, MarketC

cdef enum:
    ARRAYS_MAX = 16
    PIECE_BYTES_MAX = 1 << 20

cdef struct ArrayC:              # an array that a pointer of the state leads to
    void** at                    # the pointer
    uint64_t element             # bytes of an element
    uint64_t count               # elements in use, from the first on
    uint64_t room                # elements that fit
    bint is_mapped               # reserved with the engine, else grows and is allocated anew

cdef class Reader:
    cdef object owner            # of the memory
    cdef const unsigned char* data
    cdef uint64_t size           # bytes
    cdef uint64_t position       # of the next byte
    cdef int take(self, void* into, uint64_t size) except -1
    cdef int close(self) except -1

cdef list core_pieces(CoreC* c)
cdef list market_pieces(MarketC* m, bytes spec, bytes announced)
cdef int read_core(Reader reader, CoreC* c) except -1
cdef bytes read_spec(Reader reader)
cdef int read_market(Reader reader, MarketC* m) except -1
cdef uint64_t piece_size(object piece)
cdef bytes piece_bytes(object piece, uint64_t begin)
