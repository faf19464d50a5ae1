"""What comes from the chain by itself: the forced queue and the guardian's pause (FORCE, GOV-4)."""

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t

from margin_core.fixed_point cimport bh_int128, ceil_div, floor_div
from margin_core.requirement cimport abs64, equity, initial, notional_of
from margin_core.transitions cimport (
    close_lots_for, close_part, deliver, settle_funding, start_fill, top_up)
from margin_core.types cimport (
    FillC, LINEAR_PERPETUAL, VERDICT_BANKRUPT, VERDICT_FUND_CANNOT_CARRY, VERDICT_POSITION_LIMIT)
from matcher.engine.handlers cimport (
    KIND_FORCED_REQUEST, KIND_PAUSE_RISK, QUOTE_MAX, find_order, market_of, refuse)
from matcher.engine.index cimport is_endangered
from matcher.engine.special cimport WalkC, mark_after, step_down, walk_from
from matcher.engine.nonces cimport raise_nonce_floor, use_nonce
from matcher.engine.store cimport (
    ACCOUNT_UNKNOWN, AMOUNT_OUT_OF_RANGE, CAPACITY, COMMAND_REJECTED, FORCED_SERVED,
    INSUFFICIENT_FREE, MARKET_CANNOT_PAY, MARKET_UNKNOWN, NO_POSITION, NO_PRICE, PRICE_BAND,
    PRICE_STALE, RISK_PAUSE_CHANGED, USER_CANCELED, bucket_at, commit, drop_order, emit,
    ensure_bucket, now_s, update_reservation)
from matcher.engine.types cimport (
    AFTER_TRIM, BucketC, CommandC, CoreC, EventC, MarketC, PositionC, SLOT_BITS, STATE_SETTLED)

cdef enum:
    VIRTUAL_SHARES = 1000        # BACK-2: which nobody holds
    SHARES_PER_QUOTE_MAX = 1000000000
    FURTHER_NONCES_MAX = 7       # of one cancellation (FORCE-1)


cdef extern from *:
    """
    #define BH_LOTS_MAX (1LL << 40)
    """
    int64_t LOTS_MAX "BH_LOTS_MAX"


cdef enum RequestKindC:          # as RequestKind of the contract
    REQUEST_CANCEL_ALL = 1       # orders with a nonce below the amount
    REQUEST_REDUCE = 2           # lots
    REQUEST_WITHDRAW = 3         # quote
    REQUEST_TOP_UP = 4           # quote
    REQUEST_UNBACK = 5           # shares
    REQUEST_CANCEL = 6           # the order whose nonce is the amount, and so many nonces more
    REQUEST_GIVE = 7             # quote, to the insurance fund
    REQUEST_BACK = 8             # quote, for shares of the insurance fund


cdef inline bint is_chains(int kind) noexcept nogil:
    """A command of this file."""
    return kind == KIND_FORCED_REQUEST or kind == KIND_PAUSE_RISK


cdef inline bint brings_money(int kind) noexcept nogil:
    """FORCE-5."""
    return kind == REQUEST_TOP_UP or kind >= REQUEST_GIVE


cdef inline void pause_risk(CoreC* c, const CommandC* p) noexcept nogil:
    """GOV-4: nothing grows while the guardian's pause holds."""
    cdef EventC* event
    c.is_risk_paused = p.order_id != 0
    event = emit(c, RISK_PAUSE_CHANGED, NULL)
    event.amount = c.is_risk_paused


cdef inline int64_t at_most(uint64_t amount, int64_t most) noexcept nogil:
    """The amount asked for, or what there is."""
    return most if most <= 0 or amount > <uint64_t> most else <int64_t> amount


cdef inline void trim_account(CoreC* c, uint32_t account) noexcept nogil:
    """Its opening orders end until its free balance covers them, after the command (ORD-3)."""
    cdef uint32_t k, bucket
    if c.accounts[account].reserved <= c.accounts[account].free:
        return
    for k in range(c.market_count):
        bucket = bucket_at(c, account, c.markets[k])
        if bucket:
            mark_after(c, bucket, AFTER_TRIM)


cdef inline void cancel_below(CoreC* c, uint32_t account, uint64_t floor) noexcept nogil:
    """Orders of the account with a nonce below the floor end, newest first in each market."""
    cdef uint32_t k, slot
    cdef WalkC walk
    for k in range(c.market_count):
        walk = walk_from(&c.buckets[bucket_at(c, account, c.markets[k])])   # bucket 0 has none
        slot = step_down(c, &walk)
        while slot:
            if c.orders[slot].nonce < floor:
                drop_order(c, c.markets[k], slot, USER_CANCELED)
            slot = step_down(c, &walk)
    raise_nonce_floor(c, account, floor)


cdef inline void cancel_nonce(CoreC* c, uint32_t account, uint64_t nonce) noexcept nogil:
    """The order with the nonce ends, and no other will have it."""
    cdef uint32_t slot = find_order(c, account, nonce)
    if slot:
        drop_order(c, c.markets[c.buckets[c.orders[slot].bucket].market], slot, USER_CANCELED)
    if not use_nonce(c, account, nonce):
        c.is_out_of_memory = 1


cdef inline bint fits(const PositionC* p) noexcept nogil:
    """SPEC §1: what a word on chain holds."""
    return p.entry_value <= QUOTE_MAX and -QUOTE_MAX <= p.collateral <= QUOTE_MAX and (
        abs64(p.lots) <= LOTS_MAX)


cdef inline bint is_for_later(int reason) noexcept nogil:
    """FORCE-2: what another price, or the next change of the market, may mend."""
    return reason in (NO_PRICE, PRICE_STALE, PRICE_BAND, CAPACITY, MARKET_CANNOT_PAY)


cdef inline int lacks_price(
    CoreC* c, MarketC* m, uint32_t bucket, const CommandC* p
) noexcept nogil:
    """FORCE-2: why there is no fresh price (BATCH-3) for a request that needs one; else 0.

    Who holds nothing needs none, and the last price of a market that has ended stays one.
    """
    if p.flags != REQUEST_REDUCE and p.flags != REQUEST_UNBACK and p.flags != REQUEST_BACK:
        return 0
    if m.state == STATE_SETTLED:
        return 0
    if c.buckets[bucket if p.flags == REQUEST_REDUCE else m.fund].position.lots == 0:
        return 0
    if m.index_price == 0:
        return NO_PRICE
    if now_s(c) * 1000 - m.index_time_ms > m.spec.index_age_max_ms:
        return PRICE_STALE
    return 0


cdef inline int take_both(
    CoreC* c, MarketC* m, uint32_t bucket, const FillC* f, const FillC* taken
) noexcept nogil:
    """What the fund has taken of a position holds; unless a word on chain has no room for it, or
    the market cannot pay what is left of it (CONS-4).
    """
    if not fits(&f.position):
        return AMOUNT_OUT_OF_RANGE
    if not fits(&taken.position):
        return CAPACITY
    if f.free_delta > m.pot:
        return MARKET_CANNOT_PAY
    commit(c, m, bucket, f)
    commit(c, m, m.fund, taken)
    update_reservation(c, &c.buckets[bucket])
    return 0


cdef inline int deliver_whole(
    CoreC* c, MarketC* m, uint32_t bucket, EventC* told
) noexcept nogil:
    """FORCE-3 in a market that has ended: all lots, as EXP-2 delivers them."""
    cdef int64_t lots = c.buckets[bucket].position.lots
    cdef FillC f, taken
    cdef int reason = deliver(
        &m.spec, &f, &taken, &c.buckets[bucket].position, &c.buckets[m.fund].position,
        m.funding_index, m.index_price)
    if reason == 0 or reason == VERDICT_POSITION_LIMIT:  # which binds sweeps, not who leaves
        reason = take_both(c, m, bucket, &f, &taken)
    if reason == 0:
        told.side = 0 if lots > 0 else 1
        told.price = <uint32_t> m.index_price
        told.qty = abs64(lots)
        told.amount = f.free_delta
    return reason


cdef inline int reduce_against_fund(
    CoreC* c, MarketC* m, uint32_t bucket, uint64_t amount, EventC* told
) noexcept nogil:
    """FORCE-3: the fund takes the lots at the worse of index and mark, and the fee."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef BucketC* fund = &c.buckets[m.fund]
    cdef int64_t lots = at_most(amount, abs64(b.position.lots))
    cdef int64_t unit = m.spec.quote_per_tick_lot
    cdef int64_t closing = 0
    cdef bint is_long = b.position.lots > 0
    cdef int64_t price = (min(m.index_price, m.mark_price) if is_long
                          else max(m.index_price, m.mark_price))
    cdef FillC f, taken
    cdef int reason
    if lots == 0:
        return NO_POSITION
    if m.state == STATE_SETTLED:
        return deliver_whole(c, m, bucket, told)
    start_fill(&f, &b.position, m.funding_index)
    reason = close_part(LINEAR_PERPETUAL, &m.spec, &f, lots, price, m.mark_price, 0,
                        m.spec.fee_liquidation)
    if reason == VERDICT_BANKRUPT and not is_endangered(c, m, bucket):
        return PRICE_BAND
    if reason:
        return reason
    start_fill(&taken, &fund.position, m.funding_index)
    if fund.position.lots != 0 and (fund.position.lots > 0) != is_long:
        closing = min(lots, abs64(fund.position.lots))
        close_lots_for(LINEAR_PERPETUAL, &taken.position, closing, price, unit)
    taken.position.lots += lots - closing if is_long else closing - lots
    taken.position.entry_value += notional_of(&m.spec, lots - closing, price)
    taken.position.collateral += f.fee
    reason = take_both(c, m, bucket, &f, &taken)
    if reason:
        return reason
    told.side = 0 if is_long else 1
    told.price = <uint32_t> price
    told.qty = lots
    told.amount_2 = f.fee
    return 0


cdef inline int pay_in(
    CoreC* c, MarketC* m, uint32_t bucket, int64_t amount
) noexcept nogil:
    """FORCE-4: what was brought, and is free by now, goes into the position."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef FillC f
    if b.position.lots == 0:
        return NO_POSITION
    top_up(&f, &b.position, m.funding_index, amount, c.accounts[b.account].free)
    if not fits(&f.position):
        return AMOUNT_OUT_OF_RANGE
    commit(c, m, bucket, &f)
    return 0


cdef inline int64_t shares_worth(int64_t shares, int64_t whole, int64_t all_shares) noexcept nogil:
    """BACK-2: a part of a fund's equity; rounded down, 0 of a fund that is lost."""
    if whole <= 0:
        return 0
    return <int64_t> floor_div(
        <bh_int128> shares * (whole + 1), <bh_int128> all_shares + VIRTUAL_SHARES)


cdef inline int shares_for(
    CoreC* c, MarketC* m, int64_t amount, int64_t* shares
) noexcept nogil:
    """BACK-2: shares of the fund's equity at the mark, rounded down."""
    cdef PositionC* fund = &c.buckets[m.fund].position
    cdef int64_t whole = equity(
        fund, m.funding_index, m.mark_price, m.spec.quote_per_tick_lot)
    cdef bh_int128 all_shares = <bh_int128> m.fund_shares + VIRTUAL_SHARES
    cdef bh_int128 made
    if whole < 0 or all_shares > (<bh_int128> whole + 1) * SHARES_PER_QUOTE_MAX:
        return VERDICT_FUND_CANNOT_CARRY
    made = floor_div(amount * all_shares, <bh_int128> whole + 1)
    if made == 0 or made > INT64_MAX - m.fund_shares:
        return AMOUNT_OUT_OF_RANGE
    shares[0] = <int64_t> made
    return 0


cdef inline int raise_fund(
    CoreC* c, MarketC* m, const CommandC* p, int64_t amount, EventC* told
) noexcept nogil:
    """FORCE-5: a gift, or a backing, raises the fund's collateral."""
    cdef PositionC* fund
    cdef int64_t shares = 0
    cdef int reason = 0
    if m == NULL:
        return MARKET_UNKNOWN
    fund = &c.buckets[m.fund].position
    if p.flags == REQUEST_BACK:
        reason = shares_for(c, m, amount, &shares)
    if reason == 0 and fund.collateral > QUOTE_MAX - amount:
        reason = AMOUNT_OUT_OF_RANGE
    if reason:
        return reason
    fund.collateral += amount
    m.pot += amount
    m.fund_shares += shares
    told.amount_2 = shares
    return 0


cdef inline int pay_backer(
    CoreC* c, MarketC* m, uint64_t amount, EventC* told
) noexcept nogil:
    """BACK-4: what shares are worth now, as far as the fund keeps its requirement at the mark, and
    the market has it (CONS-4).

    A backer for whom there is no place is paid on chain alone: here the money leaves.
    """
    cdef BucketC* fund = &c.buckets[m.fund]
    cdef int64_t shares = at_most(amount, m.fund_shares)
    cdef FillC f
    cdef int64_t whole, spare, worth
    start_fill(&f, &fund.position, m.funding_index)
    whole = equity(&f.position, m.funding_index, m.mark_price, m.spec.quote_per_tick_lot)
    spare = whole - initial(
        &m.spec, notional_of(&m.spec, abs64(f.position.lots), m.mark_price))
    worth = shares_worth(shares, whole, m.fund_shares)
    told.amount = max(0, min(worth, spare, f.position.collateral, m.pot))
    if told.amount == 0:
        return VERDICT_FUND_CANNOT_CARRY
    told.amount_2 = <int64_t> ceil_div(<bh_int128> shares * told.amount, worth)
    m.fund_shares -= told.amount_2
    f.position.collateral -= told.amount
    commit(c, m, m.fund, &f)
    m.pot -= told.amount
    if told.account:
        c.accounts[told.account].free += told.amount
    else:
        c.withdrawals += told.amount
    return 0


cdef inline int take_free(CoreC* c, uint64_t amount, EventC* told) noexcept nogil:
    """FORCE-2: a withdrawal of at most the free balance, reserved or not."""
    told.amount = at_most(amount, c.accounts[told.account].free)
    if told.amount == 0:
        return INSUFFICIENT_FREE
    c.accounts[told.account].free -= told.amount
    c.withdrawals += told.amount
    return 0


cdef inline int unservable(CoreC* c, MarketC* m, const CommandC* p) noexcept nogil:
    """What the chain never asks for; 0: the request is served."""
    if p.account >= c.account_count or p.account == 0 and not (
            REQUEST_UNBACK == p.flags or p.flags >= REQUEST_GIVE):
        return ACCOUNT_UNKNOWN
    if p.flags < REQUEST_CANCEL_ALL or p.flags > REQUEST_BACK:
        return AMOUNT_OUT_OF_RANGE
    if brings_money(p.flags) and (
            p.order_id < 1 or p.order_id > <uint64_t> (QUOTE_MAX - c.deposits)):
        return AMOUNT_OUT_OF_RANGE
    if m == NULL and (p.flags == REQUEST_REDUCE or p.flags == REQUEST_UNBACK):
        return MARKET_UNKNOWN
    return 0


cdef inline int serve_money(
    CoreC* c, MarketC* m, uint32_t bucket, const CommandC* p, int lacking, EventC* told
) noexcept nogil:
    """FORCE-5: what the request has brought goes where it is meant to, or becomes free balance.

    Of an account without a place it becomes that on chain alone.
    """
    cdef int64_t amount = <int64_t> p.order_id
    cdef bint is_top_up = p.flags == REQUEST_TOP_UP
    cdef int reason = lacking
    told.amount = amount
    if reason == 0 and not is_top_up:
        reason = raise_fund(c, m, p, amount, told)
    if p.account or reason == 0:
        c.deposits += amount
    if p.account and (is_top_up or reason):
        c.accounts[p.account].free += amount
    return pay_in(c, m, bucket, amount) if is_top_up else reason


cdef inline void serve_request(CoreC* c, const CommandC* p) noexcept nogil:
    """FORCE-2: do it, or say why the account's own state leaves nothing to do.

    Without the price that it needs, or while the market cannot pay it, a request is set aside; one
    that was before (side 1) is refused then. One that brings money is neither.
    """
    cdef MarketC* m = market_of(c, p)
    cdef int reason = unservable(c, m, p)
    cdef uint64_t amount = p.order_id
    cdef int lacking = 0
    cdef int64_t further
    cdef uint32_t bucket = 0  # which stays empty: an account without a bucket is judged on it
    cdef EventC told
    cdef EventC* event
    if reason == 0 and m != NULL:
        bucket = bucket_at(c, p.account, m)
        lacking = lacks_price(c, m, bucket, p)
        if p.side and not brings_money(p.flags):
            reason = lacking
    if reason:
        refuse(c, m, COMMAND_REJECTED, p, reason)
        return
    event = emit(c, FORCED_SERVED, NULL)
    # FORCE-5: a gift to a market that is not listed here is served without it.
    event.market_id = 0 if m == NULL and p.flags >= REQUEST_GIVE else p.market_id
    event.account = p.account
    event.flags = p.flags
    event.order_id_2 = p.nonce
    told = event[0]
    if brings_money(p.flags):
        reason = serve_money(c, m, bucket, p, lacking, &told)
    elif lacking:
        reason = lacking
    elif p.flags == REQUEST_REDUCE:
        reason = reduce_against_fund(c, m, bucket, amount, &told)
    elif p.flags == REQUEST_UNBACK:
        reason = pay_backer(c, m, amount, &told)
    elif p.flags == REQUEST_WITHDRAW:
        reason = take_free(c, amount, &told)
    if p.side and is_for_later(reason) and not brings_money(p.flags):
        c.event_count -= 1       # nothing has changed
        refuse(c, m, COMMAND_REJECTED, p, reason)
        return
    told.reason = <unsigned char> reason
    event[0] = told
    if p.flags == REQUEST_CANCEL_ALL:
        cancel_below(c, p.account, amount)
    elif p.flags == REQUEST_CANCEL:
        for further in range(min(max(p.amount, 0), FURTHER_NONCES_MAX) + 1):
            if amount + <uint64_t> further < amount:
                break            # no nonce follows the last
            cancel_nonce(c, p.account, amount + <uint64_t> further)
    if p.account:
        trim_account(c, p.account)
