"""What a market's own limits leave: price band, open interest, margin (BAND-1, CAP-1, ORD-2)."""

from libc.stdint cimport int64_t, uint32_t

from margin_core.fixed_point cimport bh_int128, ceil_div, floor_div, ppm_up
from margin_core.requirement cimport initial, notional_of
from margin_core.types cimport PositionC
from matcher.engine.after cimport reducible_lots
from matcher.engine.ladder cimport flip_of
from matcher.engine.types cimport MarketC, OrderC

cdef enum:
    PRICE_UNBOUND = 0xFFFFFFFF


cdef inline void set_price_band(MarketC* m) noexcept nogil:
    """BAND-1: bounds for what comes until the next price row."""
    cdef bh_int128 mark = m.mark_price
    if m.spec.order_band == 0:
        m.worst_price[0] = PRICE_UNBOUND
        m.worst_price[1] = 0
        return
    m.worst_price[0] = <uint32_t> floor_div(mark * (1000000 + m.spec.order_band), 1000000)
    m.worst_price[1] = <uint32_t> ceil_div(mark * (1000000 - m.spec.order_band), 1000000)


cdef inline bint is_beyond_band(const MarketC* m, int side, uint32_t price) noexcept nogil:
    """BAND-1, without a branch on the side, which nobody can predict."""
    return (price ^ flip_of(side)) > (m.worst_price[side] ^ flip_of(side))


cdef inline void protect(const MarketC* m, OrderC* order) noexcept nogil:
    """BAND-1: an immediate order fills within the band, whatever its limit."""
    if is_beyond_band(m, order.side, order.price):
        order.price = m.worst_price[order.side]


cdef inline int64_t lots_within(
    const MarketC* m, int64_t open_interest, const PositionC* buyer, const PositionC* seller,
    int64_t lots
) noexcept nogil:
    """CAP-1: lots of a fill that the cap admits, at most `lots`.

    n lots change the open interest by max(0, n - closed by the buyer) - min(n, closed by the
    seller): not at all or downwards up to the larger of both, one for one beyond their sum.
    """
    cdef int64_t room = max(0, m.spec.open_interest_max - open_interest)
    if room >= lots:
        return lots
    return min(lots, room + reducible_lots(buyer, 0) + reducible_lots(seller, 1))


cdef inline int64_t required_margin(
    MarketC* m, int side, int64_t price, int64_t lots
) noexcept nogil:
    """Margin with which `lots` filled at the limit are above the initial requirement at the mark.

    Both at the limit price and at the mark: fee, requirement, and the loss that the limit price
    means at the mark.
    """
    cdef int64_t is_sell = -<int64_t> side
    cdef int64_t worst = max(price, m.mark_price & is_sell)
    cdef int64_t loss = (price - m.mark_price ^ is_sell) - is_sell
    return ppm_up(notional_of(&m.spec, lots, price), m.spec.fee_taker) + initial(
        &m.spec, notional_of(&m.spec, lots, worst)) + max(0, loss) * lots * (
        m.spec.quote_per_tick_lot)
