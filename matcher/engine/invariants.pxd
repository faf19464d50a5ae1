"""The walk over the state that proves its invariants."""

from matcher.engine.types cimport CoreC, MarketC

cdef int check_core(CoreC* c) except -1
cdef int check_side(CoreC* c, MarketC* m, int side) except -1
cdef int check_free(CoreC* c) except -1
