"""C surface of the kernel for other compiled modules."""

from libc.stdint cimport int64_t

from margin_core.types cimport SpecC

cdef int64_t checked(str name, object value, object low, object high) except? -1
cdef int load_spec(SpecC* out, object spec) except -1
