"""Auto-top-up: what its owner has allowed saves a liquidatable position (COLL-3)."""

from margin_core.transitions cimport auto_top_up
from margin_core.types cimport FillC, VERDICT_OK
from libc.stdint cimport uint32_t
from matcher.engine.index cimport gentler_price
from matcher.engine.store cimport AUTO_TOPPED_UP, commit, emit, now_s
from matcher.engine.types cimport AccountC, BucketC, CoreC, EventC, MarketC, STATE_SETTLED


cdef inline bint draw_top_up(CoreC* c, MarketC* m, uint32_t bucket) noexcept nogil:
    """Draw what makes the position safe, or nothing; true when it was drawn."""
    cdef BucketC* b = &c.buckets[bucket]
    cdef AccountC* account = &c.accounts[b.account]
    cdef FillC f
    cdef EventC* event
    if b.top_up_cap == 0 or b.top_up_expiry_s <= now_s(c) or m.state == STATE_SETTLED:
        return False
    if auto_top_up(
            &m.spec, &f, &b.position, m.funding_index, gentler_price(m, b.position.lots < 0),
            b.top_up_cap, account.free - account.reserved) != VERDICT_OK:
        return False
    b.top_up_cap += f.free_delta
    commit(c, m, bucket, &f)
    event = emit(c, AUTO_TOPPED_UP, m)
    event.account = b.account
    event.amount = -f.free_delta
    event.amount_2 = b.top_up_cap
    event.order_id_2 = b.top_up_nonce
    return True
