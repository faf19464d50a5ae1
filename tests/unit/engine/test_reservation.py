"""What orders reserve, what a fill takes out of it, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from matcher.engine.commands import Command, CommandKind
from tests.unit.engine.venue import (
    BUY,
    CASH,
    IOC,
    REDUCE_ONLY,
    SELL,
    Venue,
    outcome,
    spec_of,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")


def poor(cash: int) -> Venue:
    """Give account 1 this much, and the others plenty."""
    v = Venue()
    v.withdraw(1, CASH - cash)
    return v


def test_an_order_reserves_its_margin_and_gives_it_back() -> None:
    """ORD-3: on accept and on cancel; the free balance itself does not move."""
    v = Venue()
    mine = v.rest(1, BUY, 10, 900, margin=2_000)
    assert (v.engine.free_quote(1), v.engine.reserved_quote(1)) == (CASH, 2_000)
    v.cancel(1, mine)
    assert (v.engine.free_quote(1), v.engine.reserved_quote(1)) == (CASH, 0)


def test_the_larger_side_is_reserved() -> None:
    """ORD-3: a fill of one side lets the other close it."""
    v = Venue()
    v.rest(1, BUY, 10, 900, margin=2_000)
    sell = v.rest(1, SELL, 10, 1_100, margin=3_000)
    assert v.engine.reserved_quote(1) == 3_000
    v.rest(1, BUY, 10, 900, margin=2_000)
    assert v.engine.reserved_quote(1) == 4_000
    v.cancel(1, sell)
    assert v.engine.reserved_quote(1) == 4_000


def test_lots_that_close_need_no_reservation() -> None:
    """ORD-3: the share of the lots beyond the position, rounded up."""
    v = Venue()
    v.trade(1, 2, 10, 1_000)
    assert v.engine.reserved_quote(1) == 0
    v.rest(1, SELL, 10, 1_100, margin=1_000)
    assert v.engine.reserved_quote(1) == 0
    v.rest(1, SELL, 3, 1_100, margin=1_000)
    assert v.engine.reserved_quote(1) == 462  # ceil(2 000 · 3 / 13)


def test_a_fill_moves_its_slice_into_the_position() -> None:
    """FILL-3: slices round down at their ends, so they add up to the signed margin."""
    v = Venue()
    mine = v.rest(1, SELL, 3, 1_000, margin=1_000)
    for filled in (333, 666, 1_000):
        v.place(2, BUY, 1, 1_000)
        position = v.engine.position(1, 1)
        assert position is not None
        assert position.collateral_quote == filled
        assert v.engine.free_quote(1) == CASH - filled
        assert v.engine.reserved_quote(1) == 1_000 - filled
    assert v.engine.order(mine) is None


def test_reservations_stay_below_the_free_balance() -> None:
    """ORD-3, COLL-1, COLL-2: orders, withdrawals and top-ups share what is unreserved."""
    v = poor(1_000)
    v.trade(1, 2, 1, 1_000, 200)
    v.rest(1, BUY, 2, 900, margin=500)
    assert outcome(v.place(1, BUY, 1, 900, 301)) == "INSUFFICIENT_FREE_COLLATERAL"
    assert outcome(v.withdraw(1, 301)) == "INSUFFICIENT_FREE_COLLATERAL"
    assert outcome(v.move(1, 301)) == "INSUFFICIENT_FREE_COLLATERAL"
    assert outcome(v.move(1, 100)) == "OK"
    assert outcome(v.withdraw(1, 200)) == "OK"
    assert v.engine.free_quote(1) == v.engine.reserved_quote(1) == 500


def test_a_fill_leaves_alone_what_another_market_reserves() -> None:
    """ORD-3: the position that lost its cover loses its own order, no other market's."""
    v = poor(1_000)
    v.engine.list_market(spec_of(market_id=2), v.time_ns)
    v.price(1_000, market_id=2)
    v.trade(1, 2, 2, 1_000, 400)
    v.rest(1, SELL, 2, 890, 100)
    covered = v.rest(1, SELL, 2, 1_010, 500)
    elsewhere = v.rest(1, BUY, 1, 900, 300, market_id=2)
    assert (v.engine.free_quote(1), v.engine.reserved_quote(1)) == (600, 300 + 300)
    events = v.place(3, BUY, 2, 890)
    # The loss of 220 leaves 780 free, of which the market elsewhere holds 300.
    assert story(events)[2:] == ["ORDER_CANCELED INSUFFICIENT_FREE_COLLATERAL"]
    assert events[-1].order_id == covered
    assert v.engine.open_orders(1) == [elsewhere]
    assert (v.engine.free_quote(1), v.engine.reserved_quote(1)) == (780, 300)


def test_orders_that_lost_their_cover_are_cancelled() -> None:
    """ORD-3: the position closes with a loss, and the free balance carries one order of two."""
    v = poor(1_000)
    v.trade(1, 2, 4, 1_000, 1_000)
    old = v.rest(1, SELL, 2, 1_010, 450)
    new = v.rest(1, SELL, 2, 1_020, 450)
    assert (v.engine.free_quote(1), v.engine.reserved_quote(1)) == (0, 0)
    v.rest(3, BUY, 4, 950)
    events = v.place(1, SELL, 4, 950, 0, time_in_force=IOC, flags=REDUCE_ONLY)
    assert story(events) == [
        "ORDER_ACCEPTED",
        "FILL",
        "ORDER_CANCELED INSUFFICIENT_FREE_COLLATERAL",
    ]
    assert events[-1].order_id == new
    assert v.engine.open_orders(1) == [old]
    assert (v.engine.free_quote(1), v.engine.reserved_quote(1)) == (800, 450)


@pytest.mark.engine_alone
def test_a_long_sweep_cancels_once_at_its_end() -> None:
    """ORD-3: every one of 1 200 fills uncovers more; the order being matched is not touched."""
    v = Venue(orders=4_000)
    v.trade(1, 2, 4_000, 1_000, 800_000, 800_000)
    v.rest(1, SELL, 4_000, 1_200, 400_000)
    bid: dict[str, Any] = {
        "account": 3,
        "market_id": 1,
        "side": BUY,
        "qty_lots": 1,
        "price_ticks": 790,
    }
    bid |= {"amount_quote": 200, "expiry_time_s": v.now_s + 1, "time_ns": v.time_ns}
    bids = [Command(CommandKind.PLACE, **bid, nonce=10**6 + k) for k in range(1_200)]
    v.engine.apply(b"".join(command.pack() for command in bids))
    v.withdraw(1, v.engine.free_quote(1) - 109_101)
    events = v.place(1, SELL, 1_500, 790, 0, time_in_force=IOC)
    words = story(events)
    assert words[1:-2] == ["FILL"] * 1_200
    assert words[-2:] == [
        "ORDER_CANCELED IMMEDIATE_REMAINDER",
        "ORDER_CANCELED INSUFFICIENT_FREE_COLLATERAL",
    ]
    assert v.engine.reserved_quote(1) == 0
