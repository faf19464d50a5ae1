"""C surface of the kernel for other compiled modules."""

from margin_core.types cimport SpecC

cdef int load_spec(SpecC* out, object spec) except -1
