"""C surface of the invariant walk."""


from matcher.engine.types cimport CoreC
cdef int check_core(CoreC* c) except -1
