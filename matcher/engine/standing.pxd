"""Commands for later and for the end: auto-top-up (COLL-3), delivery (EXP-2)."""

from libc.stdint cimport uint32_t
from matcher.engine.delivery cimport deliver_next
from matcher.engine.handlers cimport (
    QUOTE_MAX, advance, check_signed, market_of, refuse, settle_command)
from matcher.engine.nonces cimport has_nonce_room, use_nonce
from matcher.engine.store cimport (
    AMOUNT_OUT_OF_RANGE, AUTO_TOP_UP_SET, CAPACITY, COMMAND_REJECTED, MARKET_STATE, MARKET_UNKNOWN,
    emit, ensure_bucket)
from matcher.engine.types cimport BucketC, CommandC, CoreC, EventC, MarketC, STATE_SETTLED

cdef enum:
    KIND_AUTO_TOP_UP = 19
    KIND_SETTLE_MARKET = 20


cdef inline void set_top_up(CoreC* c, const CommandC* p) noexcept nogil:
    """The standing instruction of a position, which need not be open yet."""
    cdef MarketC* m = market_of(c, p)
    cdef int reason = MARKET_UNKNOWN if m == NULL else check_signed(c, p)
    cdef uint32_t bucket = 0
    cdef BucketC* b
    cdef EventC* event
    if reason == 0 and (p.amount < 0 or p.amount > QUOTE_MAX):
        reason = AMOUNT_OUT_OF_RANGE
    if reason == 0 and not has_nonce_room(c, p.account, p.nonce):
        reason = CAPACITY
    if reason == 0:
        bucket = ensure_bucket(c, p.account, m)
        if bucket == 0 or not use_nonce(c, p.account, p.nonce):
            reason = CAPACITY
    if reason:
        refuse(c, m, COMMAND_REJECTED, p, reason)
        return
    b = &c.buckets[bucket]
    b.top_up_cap = p.amount
    b.top_up_nonce = p.nonce
    b.top_up_expiry_s = p.expiry_s
    event = emit(c, AUTO_TOP_UP_SET, m)
    event.account = p.account
    event.amount = p.amount
    event.order_id_2 = p.nonce


cdef inline void settle_market(CoreC* c, const CommandC* p) noexcept nogil:
    """EXP-2: the next positions of a market that has ended."""
    cdef MarketC* m = market_of(c, p)
    if m == NULL:
        refuse(c, NULL, COMMAND_REJECTED, p, MARKET_UNKNOWN)
    elif m.state != STATE_SETTLED:
        refuse(c, m, COMMAND_REJECTED, p, MARKET_STATE)
    else:
        deliver_next(c, m)


cdef inline void dispatch_standing(CoreC* c, const CommandC* p) noexcept nogil:
    """Apply one command of this file's kinds."""
    advance(c, p)
    if p.kind == KIND_AUTO_TOP_UP:
        set_top_up(c, p)
    else:
        settle_market(c, p)
    settle_command(c)
