"""Every change of a position: fills, collateral, liquidation, takeover, ADL (SPEC §3).

What ends in `_for` takes the kind of the contract and the price of an option's underlying. The
functions of linear contracts, which the engine calls, stand below them: they pass a constant kind,
so that the compiler leaves out what the others need.
"""

from libc.stdint cimport int32_t, int64_t

from margin_core.fixed_point cimport (
    PPM, bh_int128, ceil_div, floor_div, mul_div_down, mul_div_up, ppm_up, wide_div_down)
from margin_core.requirement cimport (
    abs64, bankruptcy_price_for, charged_value, equity_for, funding_owed, initial_for,
    liquidatable_for, maintenance_for, option_share, traded_value, worth_for)
from margin_core.types cimport (
    FillC, INVERSE_PERPETUAL, LINEAR_PERPETUAL, OPTION_CALL, PositionC, SpecC, VERDICT_BANKRUPT,
    VERDICT_FUND_CANNOT_CARRY, VERDICT_INSUFFICIENT_FREE, VERDICT_INSUFFICIENT_MARGIN,
    VERDICT_LIQUIDATION_PRICE, VERDICT_LIQUIDATION_TOO_LARGE, VERDICT_NO_POSITION,
    VERDICT_NOT_LIQUIDATABLE, VERDICT_OK, VERDICT_POSITION_LIMIT, VERDICT_REDUCE_ONLY)


cdef extern from *:
    """
    #define BH_RANK_FACTOR_MAX ((__int128) 1 << 60)
    """
    bh_int128 RANK_FACTOR_MAX "BH_RANK_FACTOR_MAX"

cdef enum:
    NEIGHBOURS = 1000            # lots that `lots_to_restore_for` tries one by one

cdef struct SpareC:              # LIQ-2: a line in the lots closed
    bh_int128 start              # quote / scale
    bh_int128 slope              # quote / scale, a lot
    bh_int128 scale


cdef inline int64_t settle_funding(PositionC* p, int64_t index) noexcept nogil:
    """Move the funding owed out of the collateral and return it."""
    cdef int64_t owed = funding_owed(p, index)
    p.collateral -= owed
    p.funding_index = index
    return owed


cdef inline int64_t close_lots_for(
    int kind, PositionC* p, int64_t lots, int64_t price, int64_t unit
) noexcept nogil:
    """FILL-4 without the fee: take `lots` off the position and return the realised profit."""
    cdef int64_t held = abs64(p.lots)
    cdef int64_t value = traded_value(kind, unit, lots, price)
    cdef bint gains_with_value = (p.lots > 0) != (kind == INVERSE_PERPETUAL)
    cdef int64_t entry, pnl
    if lots == held:
        entry = p.entry_value
    elif gains_with_value:
        entry = mul_div_up(p.entry_value, lots, held)
    else:
        entry = mul_div_down(p.entry_value, lots, held)
    pnl = value - entry if gains_with_value else entry - value
    p.lots += -lots if p.lots > 0 else lots
    p.entry_value -= entry
    p.collateral += pnl
    return pnl


cdef inline bint no_worse(
    int64_t equity_after, int64_t initial_after, int64_t equity_before, int64_t initial_before
) noexcept nogil:
    """FILL-6, second branch: equity per unit of requirement did not fall and is not negative."""
    return equity_after >= 0 and (
        <bh_int128> equity_after * initial_before >= <bh_int128> equity_before * initial_after)


cdef inline int open_part(
    int kind, const SpecC* s, FillC* f, int sign, int64_t lots, int64_t price, int64_t mark,
    int64_t underlying, int32_t fee_ppm, int64_t margin_slice, int64_t free
) noexcept nogil:
    """FILL-2, FILL-6: add `lots` with their slice of the signed margin."""
    cdef int64_t fee
    if margin_slice > free + f.free_delta:
        return VERDICT_INSUFFICIENT_FREE
    f.position.lots += lots if sign > 0 else -lots
    if abs64(f.position.lots) > s.position_lots_max:
        return VERDICT_POSITION_LIMIT
    fee = ppm_up(charged_value(kind, s.quote_per_tick_lot, lots, price), fee_ppm)
    f.position.entry_value += traded_value(kind, s.quote_per_tick_lot, lots, price)
    f.position.collateral += margin_slice - fee
    f.free_delta -= margin_slice
    f.fee += fee
    if equity_for(kind, &f.position, mark, s.quote_per_tick_lot) < initial_for(
            kind, s, f.position.lots, mark, underlying):
        return VERDICT_INSUFFICIENT_MARGIN
    return VERDICT_OK


cdef inline int close_part(
    int kind, const SpecC* s, FillC* f, int64_t lots, int64_t price, int64_t mark,
    int64_t underlying, int32_t fee_ppm
) noexcept nogil:
    """FILL-4 to FILL-6: take `lots` off, pay the fee, release the freed collateral."""
    cdef PositionC* p = &f.position
    cdef PositionC before = p[0]
    cdef int64_t unit = s.quote_per_tick_lot
    cdef int64_t fee = ppm_up(charged_value(kind, unit, lots, price), fee_ppm)
    cdef int64_t share, equity_after, initial_after
    cdef int64_t pnl = close_lots_for(kind, p, lots, price, unit)
    p.collateral -= fee
    f.fee += fee
    f.pnl += pnl
    if p.lots == 0:
        if p.collateral < 0:
            return VERDICT_BANKRUPT
        f.released += p.collateral
        f.free_delta += p.collateral
        p.collateral = 0
        return VERDICT_OK
    if before.collateral >= 0:
        share = mul_div_down(before.collateral, lots, abs64(before.lots))
    else:
        share = wide_div_down(before.collateral, lots, abs64(before.lots))
    share += pnl - fee
    equity_after = equity_for(kind, p, mark, unit)
    initial_after = initial_for(kind, s, p.lots, mark, underlying)
    share = min(share, p.collateral, equity_after - initial_after)
    if share > 0:
        p.collateral -= share
        f.released += share
        f.free_delta += share
        equity_after -= share
    if equity_after >= initial_after or no_worse(
            equity_after, initial_after, equity_for(kind, &before, mark, unit),
            initial_for(kind, s, before.lots, mark, underlying)):
        return VERDICT_OK
    return VERDICT_INSUFFICIENT_MARGIN


cdef inline void start_fill(FillC* f, const PositionC* p, int64_t index) noexcept nogil:
    """Begin a change on a copy of the position: funding is settled first."""
    f.position = p[0]
    f.free_delta = 0
    f.fee = 0
    f.pnl = 0
    f.released = 0
    f.funding = settle_funding(&f.position, index)


cdef inline int64_t part_of(int64_t margin_quote, int64_t qty_lots, int64_t lots) noexcept nogil:
    """FILL-3: share of the signed margin of the order's first `lots`."""
    if lots == qty_lots:
        return margin_quote
    return mul_div_down(margin_quote, lots, qty_lots) if lots else 0


cdef inline int64_t slice_of(
    int64_t margin_quote, int64_t qty_lots, int64_t begin_lots, int64_t end_lots
) noexcept nogil:
    """FILL-3: share of the signed margin of the order's lots [begin, end)."""
    return part_of(margin_quote, qty_lots, end_lots) - part_of(margin_quote, qty_lots, begin_lots)


cdef inline int fill_for(
    int kind, const SpecC* s, FillC* f, const PositionC* p, int64_t index, int64_t mark,
    int64_t underlying, int sign, int64_t lots, int64_t price, int32_t fee_ppm,
    int64_t margin_quote, int64_t qty_lots, int64_t filled_lots, int64_t free
) noexcept nogil:
    """FILL-1 to FILL-6 on a copy: `f` holds the outcome, `p` is untouched. Returns a verdict."""
    cdef int64_t closing = 0
    cdef int verdict
    start_fill(f, p, index)
    if p.lots != 0 and (p.lots > 0) != (sign > 0):
        closing = min(lots, abs64(p.lots))
        verdict = close_part(kind, s, f, closing, price, mark, underlying, fee_ppm)
        if verdict != VERDICT_OK or closing == lots:
            return verdict
    return open_part(
        kind, s, f, sign, lots - closing, price, mark, underlying, fee_ppm,
        slice_of(margin_quote, qty_lots, filled_lots + closing, filled_lots + lots), free)


cdef inline int top_up(
    FillC* f, const PositionC* p, int64_t index, int64_t amount, int64_t free
) noexcept nogil:
    """COLL-1, amount > 0."""
    start_fill(f, p, index)
    if p.lots == 0:
        return VERDICT_NO_POSITION
    if amount > free:
        return VERDICT_INSUFFICIENT_FREE
    f.position.collateral += amount
    f.free_delta = -amount
    return VERDICT_OK


cdef inline int auto_top_up_for(
    int kind, const SpecC* s, FillC* f, const PositionC* p, int64_t index, int64_t mark,
    int64_t underlying, int64_t cap, int64_t free
) noexcept nogil:
    """COLL-3: as little as restores the initial requirement, or all there is if that saves it."""
    cdef int64_t amount, worth
    start_fill(f, p, index)
    if not liquidatable_for(kind, s, p, index, mark, underlying):
        return VERDICT_NOT_LIQUIDATABLE
    worth = equity_for(kind, &f.position, mark, s.quote_per_tick_lot)
    amount = min(initial_for(kind, s, p.lots, mark, underlying) - worth, cap, free)
    if worth + amount < maintenance_for(kind, s, p.lots, mark, underlying):
        return VERDICT_INSUFFICIENT_FREE
    f.position.collateral += amount
    f.free_delta = -amount
    return VERDICT_OK


cdef inline int take_out_for(
    int kind, const SpecC* s, FillC* f, const PositionC* p, int64_t index, int64_t mark,
    int64_t underlying, int64_t amount
) noexcept nogil:
    """COLL-1, amount > 0 taken out of the position."""
    start_fill(f, p, index)
    if p.lots == 0:
        return VERDICT_NO_POSITION
    f.position.collateral -= amount
    f.free_delta = amount
    if f.position.collateral < 0 or equity_for(
            kind, &f.position, mark, s.quote_per_tick_lot) < (
            initial_for(kind, s, p.lots, mark, underlying)):
        return VERDICT_INSUFFICIENT_MARGIN
    return VERDICT_OK


cdef inline bint restored_for(
    int kind, const SpecC* s, const PositionC* settled, int64_t lots, int64_t price,
    int64_t mark, int64_t underlying
) noexcept nogil:
    """LIQ-2: would closing `lots` at `price` bring the position over maintenance plus buffer?"""
    cdef PositionC copy = settled[0]
    cdef int64_t unit = s.quote_per_tick_lot
    cdef int64_t worth, equity_after, fee
    close_lots_for(kind, &copy, lots, price, unit)
    equity_after = equity_for(kind, &copy, mark, unit)
    fee = ppm_up(charged_value(kind, unit, lots, price), s.fee_liquidation)
    equity_after -= max(0, min(fee, equity_after))
    worth = worth_for(kind, unit, copy.lots, mark)
    return equity_after >= maintenance_for(kind, s, copy.lots, mark, underlying) + ppm_up(
        worth, s.liquidation_buffer)


cdef inline int64_t first_restoring(
    int kind, const SpecC* s, const PositionC* settled, int64_t low, int64_t high, int64_t price,
    int64_t mark, int64_t underlying
) noexcept nogil:
    """Bisect [low, high] as if `high` restored."""
    cdef int64_t middle
    while low < high:
        middle = (low + high) >> 1
        if restored_for(kind, s, settled, middle, price, mark, underlying):
            high = middle
        else:
            low = middle + 1
    return low


cdef inline void spare_line(
    SpareC* line, int kind, const SpecC* s, const PositionC* settled, int32_t k, int64_t price,
    int64_t mark, int64_t underlying
) noexcept nogil:
    """LIQ-2: what c lots closed leave over tier k's maintenance and buffer: start + c * slope.

    Nothing is rounded, so it is linear in c, in parts of 1 / scale quote. Equity after closing is
    equity + s * c * u * (price - mark): the rounding of the entry value's share cancels. An
    inverse worth u / price is cut to so many binary digits that all lots together lose less than
    one quote: the bounds of `lots_to_restore_for` count it.
    """
    cdef int64_t unit = s.quote_per_tick_lot
    cdef int64_t held = abs64(settled.lots)
    cdef bh_int128 equity = equity_for(kind, settled, mark, unit)
    cdef bh_int128 rate, each, closed, left
    cdef int bits = 0
    if kind == INVERSE_PERPETUAL:
        while held >> bits:
            bits += 1
        closed = floor_div(<bh_int128> unit << bits, price)
        left = floor_div(<bh_int128> unit << bits, mark)
        rate = s.tiers[k].rate_maintenance + s.liquidation_buffer
        line.scale = <bh_int128> PPM << bits
        if settled.lots > 0:
            equity = <bh_int128> settled.collateral + settled.entry_value
            line.start = -held * left * (PPM + rate)
            line.slope = left * (PPM + rate) - closed * (PPM + s.fee_liquidation)
        else:
            equity = <bh_int128> settled.collateral - settled.entry_value
            line.start = held * left * (PPM - rate)
            line.slope = closed * (PPM - s.fee_liquidation) - left * (PPM - rate)
        line.start += line.scale * (equity + s.tiers[k].amount_maintenance)
        return
    if kind >= OPTION_CALL:
        line.scale = <bh_int128> PPM * PPM
        each = <bh_int128> PPM * mark * s.liquidation_buffer
        if settled.lots < 0:
            each += option_share(kind, s, mark, underlying, False)
    else:
        line.scale = PPM
        equity += s.tiers[k].amount_maintenance
        each = <bh_int128> mark * (s.tiers[k].rate_maintenance + s.liquidation_buffer)
    each *= unit
    line.start = line.scale * equity - held * each
    line.slope = line.scale * unit * (price - mark if settled.lots > 0 else mark - price) + each
    if each:  # without a requirement the fee ends at the equity, and equity 0 is enough
        line.slope -= floor_div(line.scale, PPM) * unit * price * s.fee_liquidation


cdef inline int64_t least_on_lines(
    int kind, const SpecC* s, const PositionC* settled, int64_t lots_max, int64_t price,
    int64_t mark, int64_t underlying, int spare
) noexcept nogil:
    """The fewest lots at which every tier's line has `spare` quote, or lots_max when none have.

    A line is on one side of a level from one lot on, or up to one: the tiers' lots intersect.
    """
    cdef bh_int128 low = 1
    cdef bh_int128 high = lots_max - 1
    cdef bh_int128 lacks
    cdef SpareC line
    cdef int32_t k
    for k in range(s.tier_count if kind < OPTION_CALL else 1):
        spare_line(&line, kind, s, settled, k, price, mark, underlying)
        lacks = line.scale * spare - line.start
        if line.slope > 0:
            low = max(low, ceil_div(lacks, line.slope))
        elif line.slope < 0:
            high = min(high, floor_div(-lacks, -line.slope))
        elif lacks > 0:
            return lots_max
        if low > high:
            return lots_max
    return <int64_t> low


cdef inline int spare_of(int kind) noexcept nogil:
    """Quote on every line from which rounding cannot keep a position from being restored."""
    return 11 if kind == INVERSE_PERPETUAL else 2


cdef inline int64_t lots_to_restore_for(
    int kind, const SpecC* s, const PositionC* settled, int64_t lots_max, int64_t price,
    int64_t mark, int64_t underlying
) noexcept nogil:
    """LIQ-2: fewest lots in [1, lots_max] that restore, or lots_max when none do.

    G = equity - fee - maintenance - buffer, each rounded, restores from 0 on (where something is
    required, a fee that ends at the equity leaves 0, which is not enough). Against the line g of
    the tier that binds: fee, maintenance and buffer round up by less than 1 each, so that
    g - 3 < G <= g. Of an inverse contract both worths round too, by less than 1, what rates make
    of that is less than 1 a rate, and the line's own digits less than 1 a worth:
    g - 12 < G < g + 4. So below the first lot with g >= 0 (-4) none restores, and from the first
    with g > 1 (10) on, as long as that holds, all do: each a quotient a tier. Between them
    rounding decides. They are one or two lots where closing one changes g by 2 quote or more;
    the first `NEIGHBOURS` are tried one by one, so the result is the least unless a lot is worth
    dust. Of more than those it is one that restores while the lot before it does not.
    """
    cdef int64_t low, high, lots
    cdef bint is_inverse = kind == INVERSE_PERPETUAL
    low = least_on_lines(
        kind, s, settled, lots_max, price, mark, underlying, -4 if is_inverse else 0)
    if is_inverse and settled.lots < 0:  # what is left may be worth 0: equity 0 is enough
        lots = abs64(settled.lots) - <int64_t> floor_div(mark - 1, s.quote_per_tick_lot)
        low = <int64_t> min(low, max(1, lots, ceil_div(
            (<bh_int128> settled.entry_value - settled.collateral) * price,
            s.quote_per_tick_lot)))
    high = min(low + NEIGHBOURS, lots_max)
    for lots in range(low, high):
        if restored_for(kind, s, settled, lots, price, mark, underlying):
            return lots
    if high == lots_max:
        return lots_max
    low = high
    high = least_on_lines(
        kind, s, settled, lots_max, price, mark, underlying, spare_of(kind))
    return first_restoring(kind, s, settled, low, max(low, high), price, mark, underlying)


cdef inline bint fewer_restore_for(
    int kind, const SpecC* s, const PositionC* settled, int64_t lots, int64_t price,
    int64_t mark, int64_t underlying
) noexcept nogil:
    """LIQ-2: do fewer than `lots` restore: one fewer, or as many as the lines say?

    What restores is an interval: where closing costs more than it relieves (the price is far from
    the mark and the position in a low tier by then), it ends, and one lot fewer says nothing.
    """
    if lots < 2:
        return False
    if restored_for(kind, s, settled, lots - 1, price, mark, underlying):
        return True
    return least_on_lines(
        kind, s, settled, lots, price, mark, underlying, spare_of(kind)) < lots


cdef inline int liquidation_fill_for(
    int kind, const SpecC* s, FillC* f, const PositionC* p, int64_t index, int64_t mark,
    int64_t underlying, int64_t lots, int64_t price
) noexcept nogil:
    """LIQ-2, LIQ-6: close `lots` on the book; `f.fee` goes to the insurance fund."""
    cdef int64_t bankruptcy = bankruptcy_price_for(kind, s, p, index)
    cdef int64_t unit = s.quote_per_tick_lot
    if not liquidatable_for(kind, s, p, index, mark, underlying):
        return VERDICT_NOT_LIQUIDATABLE
    if price < bankruptcy if p.lots > 0 else price > bankruptcy:
        return VERDICT_LIQUIDATION_PRICE
    start_fill(f, p, index)
    if lots < 1 or lots > abs64(p.lots) or fewer_restore_for(
            kind, s, &f.position, lots, price, mark, underlying):
        return VERDICT_LIQUIDATION_TOO_LARGE
    f.pnl = close_lots_for(kind, &f.position, lots, price, unit)
    f.fee = max(0, min(
        ppm_up(charged_value(kind, unit, lots, price), s.fee_liquidation),
        equity_for(kind, &f.position, mark, unit)))
    f.position.collateral -= f.fee
    if f.position.lots == 0:
        f.released = f.position.collateral
        f.free_delta = f.position.collateral
        f.position.collateral = 0
    return VERDICT_OK


cdef inline int takeover_for(
    int kind, const SpecC* s, FillC* trader, FillC* fund, const PositionC* p,
    const PositionC* fund_position, int64_t index, int64_t mark, int64_t underlying
) noexcept nogil:
    """LIQ-3: the fund takes the whole position at its bankruptcy price."""
    cdef int64_t price = bankruptcy_price_for(kind, s, p, index)
    cdef int64_t lots = abs64(p.lots)
    cdef int64_t unit = s.quote_per_tick_lot
    cdef int64_t closing = 0
    cdef int64_t dust
    if not liquidatable_for(kind, s, p, index, mark, underlying):
        return VERDICT_NOT_LIQUIDATABLE
    start_fill(trader, p, index)
    start_fill(fund, fund_position, index)
    trader.pnl = close_lots_for(kind, &trader.position, lots, price, unit)
    dust = trader.position.collateral
    trader.position.collateral = 0
    if fund_position.lots != 0 and (fund_position.lots > 0) != (p.lots > 0):
        closing = min(lots, abs64(fund_position.lots))
        fund.pnl = close_lots_for(kind, &fund.position, closing, price, unit)
    fund.position.lots += lots - closing if p.lots > 0 else closing - lots
    fund.position.entry_value += traded_value(kind, unit, lots - closing, price)
    fund.position.collateral += dust
    if abs64(fund.position.lots) > s.position_lots_max or equity_for(
            kind, &fund.position, mark, unit) < (
            initial_for(kind, s, fund.position.lots, mark, underlying)):
        return VERDICT_FUND_CANNOT_CARRY
    return VERDICT_OK


cdef inline int fund_fill_for(
    int kind, const SpecC* s, FillC* fund, const PositionC* p, int64_t index, int64_t mark,
    int sign, int64_t lots, int64_t price
) noexcept nogil:
    """LIQ-5: the fund closes `lots` on the book, no worse than the band around the mark."""
    cdef int64_t worst
    if p.lots == 0 or (p.lots > 0) == (sign > 0) or lots < 1 or lots > abs64(p.lots):
        return VERDICT_REDUCE_ONLY
    worst = <int64_t> floor_div(<bh_int128> mark * (
        PPM - s.mark_band if sign < 0 else PPM + s.mark_band), PPM)
    if price < worst if sign < 0 else price > worst:
        return VERDICT_LIQUIDATION_PRICE
    start_fill(fund, p, index)
    fund.pnl = close_lots_for(kind, &fund.position, lots, price, s.quote_per_tick_lot)
    if equity_for(kind, &fund.position, mark, s.quote_per_tick_lot) < 0:
        return VERDICT_INSUFFICIENT_MARGIN
    return VERDICT_OK


cdef inline bh_int128 profit_ppm_for(
    int kind, const SpecC* s, const PositionC* p, int64_t mark
) noexcept nogil:
    """LIQ-4: unrealised profit at the mark, without funding, on the entry value; rounded down."""
    cdef int64_t profit = equity_for(kind, p, mark, s.quote_per_tick_lot) - p.collateral
    return floor_div(<bh_int128> profit * PPM, max(p.entry_value, 1))


cdef inline bh_int128 leverage_ppm_for(
    int kind, const SpecC* s, const PositionC* p, int64_t index, int64_t mark
) noexcept nogil:
    """LIQ-4: worth at the mark on the equity, of which at least 1 counts; rounded down."""
    cdef int64_t left = equity_for(kind, p, mark, s.quote_per_tick_lot) - funding_owed(p, index)
    return floor_div(
        <bh_int128> worth_for(kind, s.quote_per_tick_lot, p.lots, mark) * PPM, max(left, 1))


cdef inline bh_int128 adl_rank_for(
    int kind, const SpecC* s, const PositionC* p, int64_t index, int64_t mark
) noexcept nogil:
    """LIQ-4: profit times leverage, highest first; both factors end at 2^60."""
    cdef bh_int128 profit_ppm = profit_ppm_for(kind, s, p, mark)
    if profit_ppm <= 0:
        return profit_ppm * PPM
    return min(profit_ppm, RANK_FACTOR_MAX) * min(
        leverage_ppm_for(kind, s, p, index, mark), RANK_FACTOR_MAX)


cdef inline int adl_for(
    int kind, const SpecC* s, FillC* bankrupt, FillC* counter, const PositionC* p,
    const PositionC* counter_position, int64_t index, int64_t mark, int64_t underlying,
    int64_t lots
) noexcept nogil:
    """LIQ-4: close `lots` of both sides at the bankruptcy price of `p`, without fee."""
    cdef int verdict
    cdef int64_t price = bankruptcy_price_for(kind, s, p, index)
    if not liquidatable_for(kind, s, p, index, mark, underlying):
        return VERDICT_NOT_LIQUIDATABLE
    if counter_position.lots == 0 or (counter_position.lots > 0) == (p.lots > 0):
        return VERDICT_NO_POSITION
    if lots < 1 or lots > abs64(p.lots) or lots > abs64(counter_position.lots):
        return VERDICT_LIQUIDATION_TOO_LARGE
    if liquidatable_for(kind, s, counter_position, index, mark, underlying):
        return VERDICT_BANKRUPT
    start_fill(bankrupt, p, index)
    bankrupt.pnl = close_lots_for(kind, &bankrupt.position, lots, price, s.quote_per_tick_lot)
    if bankrupt.position.lots == 0:
        if bankrupt.position.collateral < 0:
            return VERDICT_BANKRUPT
        bankrupt.released = bankrupt.position.collateral
        bankrupt.free_delta = bankrupt.position.collateral
        bankrupt.position.collateral = 0
    start_fill(counter, counter_position, index)
    verdict = close_part(kind, s, counter, lots, price, mark, underlying, 0)
    if verdict == VERDICT_OK and counter.position.collateral < 0:
        return VERDICT_BANKRUPT
    return verdict


cdef inline int64_t settle_for(
    int kind, const SpecC* s, FillC* f, const PositionC* p, int64_t index, int64_t price
) noexcept nogil:
    """EXP-1: close all at the settlement price, without fee. Returns what the collateral lacks."""
    start_fill(f, p, index)
    if p.lots == 0:
        return 0
    f.pnl = close_lots_for(kind, &f.position, abs64(p.lots), price, s.quote_per_tick_lot)
    if f.position.collateral < 0:
        return -f.position.collateral
    f.released = f.position.collateral
    f.free_delta = f.position.collateral
    f.position.collateral = 0
    return 0


cdef inline int deliver_for(
    int kind, const SpecC* s, FillC* trader, FillC* fund, const PositionC* p,
    const PositionC* fund_position, int64_t index, int64_t price
) noexcept nogil:
    """EXP-2: close all at the settlement price; the fund takes the lots, pays what is lacking."""
    cdef int64_t lots = abs64(p.lots)
    cdef int64_t unit = s.quote_per_tick_lot
    cdef int64_t closing = 0
    cdef int64_t lacking
    if p.lots == 0:
        return VERDICT_NO_POSITION
    lacking = settle_for(kind, s, trader, p, index, price)
    start_fill(fund, fund_position, index)
    if fund_position.lots != 0 and (fund_position.lots > 0) != (p.lots > 0):
        closing = min(lots, abs64(fund_position.lots))
        fund.pnl = close_lots_for(kind, &fund.position, closing, price, unit)
    fund.position.lots += lots - closing if p.lots > 0 else closing - lots
    fund.position.entry_value += traded_value(kind, unit, lots - closing, price)
    fund.position.collateral -= lacking
    trader.position.collateral += lacking
    if lacking and equity_for(kind, &fund.position, price, unit) < 0:
        return VERDICT_FUND_CANNOT_CARRY
    if abs64(fund.position.lots) > max(s.position_lots_max, abs64(fund_position.lots)):
        return VERDICT_POSITION_LIMIT
    return VERDICT_OK


# Linear contracts.

cdef inline int deliver(
    const SpecC* s, FillC* trader, FillC* fund, const PositionC* p, const PositionC* fund_position,
    int64_t index, int64_t price
) noexcept nogil:
    return deliver_for(LINEAR_PERPETUAL, s, trader, fund, p, fund_position, index, price)


cdef inline int fill(
    const SpecC* s, FillC* f, const PositionC* p, int64_t index, int64_t mark, int sign,
    int64_t lots, int64_t price, int32_t fee_ppm, int64_t margin_quote, int64_t qty_lots,
    int64_t filled_lots, int64_t free
) noexcept nogil:
    return fill_for(
        LINEAR_PERPETUAL, s, f, p, index, mark, 0, sign, lots, price, fee_ppm, margin_quote,
        qty_lots, filled_lots, free)


cdef inline int auto_top_up(
    const SpecC* s, FillC* f, const PositionC* p, int64_t index, int64_t mark, int64_t cap,
    int64_t free
) noexcept nogil:
    return auto_top_up_for(LINEAR_PERPETUAL, s, f, p, index, mark, 0, cap, free)


cdef inline int take_out(
    const SpecC* s, FillC* f, const PositionC* p, int64_t index, int64_t mark, int64_t amount
) noexcept nogil:
    return take_out_for(LINEAR_PERPETUAL, s, f, p, index, mark, 0, amount)


cdef inline int64_t lots_to_restore(
    const SpecC* s, const PositionC* settled, int64_t lots_max, int64_t price, int64_t mark
) noexcept nogil:
    return lots_to_restore_for(LINEAR_PERPETUAL, s, settled, lots_max, price, mark, 0)


cdef inline int liquidation_fill(
    const SpecC* s, FillC* f, const PositionC* p, int64_t index, int64_t mark, int64_t lots,
    int64_t price
) noexcept nogil:
    return liquidation_fill_for(LINEAR_PERPETUAL, s, f, p, index, mark, 0, lots, price)


cdef inline int takeover(
    const SpecC* s, FillC* trader, FillC* fund, const PositionC* p, const PositionC* fund_position,
    int64_t index, int64_t mark
) noexcept nogil:
    return takeover_for(LINEAR_PERPETUAL, s, trader, fund, p, fund_position, index, mark, 0)


cdef inline int fund_fill(
    const SpecC* s, FillC* fund, const PositionC* p, int64_t index, int64_t mark, int sign,
    int64_t lots, int64_t price
) noexcept nogil:
    return fund_fill_for(LINEAR_PERPETUAL, s, fund, p, index, mark, sign, lots, price)


cdef inline int adl(
    const SpecC* s, FillC* bankrupt, FillC* counter, const PositionC* p,
    const PositionC* counter_position, int64_t index, int64_t mark, int64_t lots
) noexcept nogil:
    return adl_for(
        LINEAR_PERPETUAL, s, bankrupt, counter, p, counter_position, index, mark, 0, lots)


cdef inline bh_int128 adl_rank_of(
    const SpecC* s, const PositionC* p, int64_t index, int64_t mark
) noexcept nogil:
    return adl_rank_for(LINEAR_PERPETUAL, s, p, index, mark)


cdef inline bh_int128 profit_ppm_of(
    const SpecC* s, const PositionC* p, int64_t mark
) noexcept nogil:
    return profit_ppm_for(LINEAR_PERPETUAL, s, p, mark)


cdef inline bh_int128 leverage_ppm_of(
    const SpecC* s, const PositionC* p, int64_t index, int64_t mark
) noexcept nogil:
    return leverage_ppm_for(LINEAR_PERPETUAL, s, p, index, mark)
