"""The only divisions of the kernel: floor and ceiling, on 128-bit intermediates."""

cimport cython
from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    typedef __int128 bh_int128;
    #define BH_WIDE __attribute__((cold, noinline)) int64_t
    """
    # What takes 128 bits is rare and stands out of line, so that registers suffice for its callers.
    ctypedef int64_t wide "BH_WIDE"
    ctypedef long long bh_int128   # 128 bits; Cython only needs to know that it is an integer
    bint mul_overflow "__builtin_mul_overflow"(
        uint64_t x, uint64_t y, uint64_t* product) noexcept nogil

cdef enum:
    PPM = 1000000


@cython.cdivision(True)
cdef inline bh_int128 floor_div(bh_int128 x, bh_int128 d) noexcept nogil:
    """Round x / d towards minus infinity; d > 0."""
    cdef bh_int128 q = x / d
    return q - 1 if x < 0 and q * d != x else q


@cython.cdivision(True)
cdef inline bh_int128 ceil_div(bh_int128 x, bh_int128 d) noexcept nogil:
    """Round x / d towards plus infinity; d > 0."""
    cdef bh_int128 q = x / d
    return q + 1 if x > 0 and q * d != x else q


cdef inline wide wide_div_down(int64_t x, int64_t y, int64_t d) noexcept nogil:
    return <int64_t> floor_div(<bh_int128> x * y, d)


cdef inline wide wide_div_up(int64_t x, int64_t y, int64_t d) noexcept nogil:
    return <int64_t> ceil_div(<bh_int128> x * y, d)


@cython.cdivision(True)
cdef inline int64_t mul_div_down(int64_t x, int64_t y, int64_t d) noexcept nogil:
    """floor(x * y / d) for x, y >= 0 and d > 0; 64-bit when the product allows it."""
    cdef uint64_t product
    if not mul_overflow(<uint64_t> x, <uint64_t> y, &product):
        return <int64_t> (product / <uint64_t> d)
    return wide_div_down(x, y, d)


@cython.cdivision(True)
cdef inline int64_t mul_div_up(int64_t x, int64_t y, int64_t d) noexcept nogil:
    """ceil(x * y / d) for x, y >= 0 and d > 0; 64-bit when the product allows it."""
    cdef uint64_t product
    if not mul_overflow(<uint64_t> x, <uint64_t> y, &product):
        return <int64_t> (product / <uint64_t> d + (product % <uint64_t> d != 0))
    return wide_div_up(x, y, d)


@cython.cdivision(True)
cdef inline int64_t ppm_up(int64_t x, int64_t rate_ppm) noexcept nogil:
    """ceil(x * rate_ppm / 10^6) for x >= 0, 0 <= rate_ppm <= 2 * 10^6."""
    if x >> 42 == 0:
        return <int64_t> ((<uint64_t> (x * rate_ppm) + <uint64_t> 999999) / <uint64_t> 1000000)
    return wide_div_up(x, rate_ppm, PPM)
