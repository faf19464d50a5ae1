"""Post-only, reduce-only, self-trade, expiry, triggers, and refusals that a fill meets."""

from __future__ import annotations

from typing import Any

import pytest

from matcher.engine.commands import CommandKind, MarketState
from matcher.engine.instructions import PLAIN, Instructions
from tests.unit.engine.venue import (
    BUY,
    FOK,
    IOC,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
    Venue,
    fills,
    outcome,
    spec_of,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")
ABOVE, BELOW = 1, 2
DONE = ["ORDER_ACCEPTED", "FILL"]


def test_post_only_rests_or_is_refused() -> None:
    """ORD-1: at the best opposite price it would take; one tick off it rests."""
    v = Venue()
    v.rest(1, SELL, 1, 1_000)
    assert outcome(v.place(2, BUY, 1, 1_000, flags=POST_ONLY)) == "POST_ONLY_WOULD_TAKE"
    assert story(v.place(2, BUY, 1, 999, flags=POST_ONLY)) == ["ORDER_ACCEPTED"]
    assert outcome(v.place(3, SELL, 1, 999, flags=POST_ONLY)) == "POST_ONLY_WOULD_TAKE"


def test_a_reduce_only_order_fills_at_most_the_position() -> None:
    """MATCH-2: as a taker, and what is left of it ends when it would take more."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    v.rest(3, BUY, 9, 1_000)
    events = v.place(1, SELL, 9, 1_000, flags=REDUCE_ONLY)
    assert story(events) == [*DONE, "ORDER_CANCELED REDUCE_ONLY"]
    assert fills(events) == [(3, 5, 1_000)]
    assert v.lots(1) == 0


def test_a_resting_reduce_only_order_fills_at_most_the_position() -> None:
    """RED-1: it is cut to the position when it comes to rest, with what rests already in sum."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    rested = v.place(1, SELL, 9, 1_010, flags=REDUCE_ONLY)
    assert story(rested) == ["ORDER_ACCEPTED", "ORDER_AMENDED REDUCE_ONLY"]
    assert rested[1].remaining_lots == 5
    more = v.place(1, SELL, 4, 1_011, flags=REDUCE_ONLY)
    assert story(more) == ["ORDER_ACCEPTED", "ORDER_CANCELED REDUCE_ONLY"]
    v.rest(3, SELL, 9, 1_010)
    events = v.place(4, BUY, 8, 1_010)
    assert story(events) == [*DONE, "FILL"]
    assert fills(events) == [(1, 5, 1_010), (3, 3, 1_010)]
    assert v.lots(1) == 0


def test_a_reduce_only_order_is_refused_what_it_does_not_need() -> None:
    """ORD-1: margin, a flat position, a position of the same side."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    for account, side, margin in ((1, SELL, 1), (3, SELL, 0), (1, BUY, 0)):
        assert outcome(v.place(account, side, 1, 1_000, margin, flags=REDUCE_ONLY)) == "REDUCE_ONLY"


def test_an_order_that_meets_its_own_account_ends() -> None:
    """MATCH-3: what it filled before stays, the resting order stays."""
    v = Venue()
    v.rest(1, SELL, 1, 1_000)
    v.rest(2, SELL, 1, 1_001)
    v.rest(3, SELL, 1, 1_002)
    events = v.place(2, BUY, 3, 1_002)
    assert story(events) == [*DONE, "ORDER_CANCELED SELF_TRADE"]
    assert v.book() == ([], [(1_001, 1), (1_002, 1)])


def test_an_own_order_in_the_way_stops_a_fok_order() -> None:
    """MATCH-3, MATCH-4: nothing is filled; behind enough other orders it is not in the way."""
    v = Venue()
    v.rest(1, SELL, 2, 1_000)
    v.rest(2, SELL, 1, 1_001)
    v.rest(3, SELL, 2, 1_002)
    events = v.place(2, BUY, 3, 1_002, time_in_force=FOK)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_CANCELED FOK_NOT_FILLABLE"]
    assert fills(v.place(2, BUY, 2, 1_002, time_in_force=FOK)) == [(1, 2, 1_000)]


def test_an_own_order_that_has_expired_does_not_stop_a_fok_order() -> None:
    """TIF-1, MATCH-4: it has ended before the order comes."""
    v = Venue()
    v.rest(1, SELL, 1, 1_000, expiry_time_s=v.now_s + 1)
    v.rest(2, SELL, 2, 1_000)
    v.wait(1)
    events = v.place(1, BUY, 2, 1_000, time_in_force=FOK)
    assert story(events) == ["ORDER_CANCELED EXPIRED", "ORDER_ACCEPTED", "FILL"]


def test_a_fok_order_counts_only_what_would_fill() -> None:
    """MATCH-4: not what is expired, nor more of a reduce-only order than its position."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    v.rest(1, SELL, 9, 1_000, flags=REDUCE_ONLY)
    v.rest(3, SELL, 5, 1_000, expiry_time_s=v.now_s + 1)
    v.rest(4, SELL, 5, 1_000)
    v.wait(1)
    events = v.place(5, BUY, 11, 1_000, time_in_force=FOK)
    assert story(events)[1:] == ["ORDER_ACCEPTED", "ORDER_CANCELED FOK_NOT_FILLABLE"]
    assert v.book() == ([], [(1_000, 10)]), "to try leaves no trace"
    events = v.place(5, BUY, 10, 1_000, time_in_force=FOK)
    assert fills(events) == [(1, 5, 1_000), (4, 5, 1_000)]


def test_a_fok_order_that_its_own_margin_stops_half_way_fills_nothing() -> None:
    """MATCH-4, FILL-6: the second level would take it under the requirement."""
    v = Venue()
    v.rest(1, SELL, 5, 1_000)
    v.rest(2, SELL, 5, 1_100)
    events = v.place(3, BUY, 10, 1_100, 1_010, time_in_force=FOK)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_CANCELED FOK_NOT_FILLABLE"]
    events = v.place(3, BUY, 10, 1_100, 1_510, time_in_force=FOK)
    assert fills(events) == [(1, 5, 1_000), (2, 5, 1_100)]


def test_a_fok_order_meets_one_account_twice() -> None:
    """MATCH-4: each order alone would fill, both together would pass the position limit."""
    v = Venue(spec=spec_of(position_lots_max=10))
    v.trade(2, 1, 6, 1_000)
    v.rest(1, SELL, 4, 1_000)
    v.rest(1, SELL, 4, 1_000)
    events = v.place(3, BUY, 8, 1_000, time_in_force=FOK)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_CANCELED FOK_NOT_FILLABLE"]
    assert fills(v.place(3, BUY, 4, 1_000, time_in_force=FOK)) == [(1, 4, 1_000)]


def test_time_ends_orders() -> None:
    """ORD-1: at its second an order is dead, in the book and before its trigger."""
    v = Venue()
    v.rest(1, BUY, 1, 900, expiry_time_s=v.now_s + 1)
    v.rest(2, BUY, 1, 1_100, trigger_kind=ABOVE, trigger_price_ticks=1_100,
           expiry_time_s=v.now_s + 2)  # fmt: skip
    assert v.do(CommandKind.TICK) == []
    v.wait(1)
    assert [(e.account, e.reason) for e in v.do(CommandKind.TICK)] == [(1, 4)]
    v.wait(1)
    assert [(e.account, e.reason) for e in v.do(CommandKind.TICK)] == [(2, 4)]
    assert v.engine.order_count == 0


def test_a_resting_order_that_its_margin_does_not_carry_is_cancelled() -> None:
    """MATCH-2: the mark has moved; the taker goes on to the next order."""
    v = Venue()
    v.rest(1, SELL, 1, 1_010, margin=101)
    v.rest(2, SELL, 1, 1_010)
    v.walk(1_040)
    events = v.place(3, BUY, 1, 1_010, time_in_force=IOC)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_CANCELED INSUFFICIENT_MARGIN", "FILL"]
    assert fills(events) == [(2, 1, 1_010)]


def test_a_taker_that_its_margin_does_not_carry_ends() -> None:
    """MATCH-2, FILL-6: the resting order stays."""
    v = Venue()
    v.rest(1, SELL, 1, 1_000)
    events = v.place(2, BUY, 1, 1_000, 99, time_in_force=IOC)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_CANCELED INSUFFICIENT_MARGIN"]
    assert v.book() == ([], [(1_000, 1)])


def test_the_position_limit_is_judged_before_the_margin() -> None:
    """FILL-6: POSITION_LIMIT of the taker."""
    v = Venue(spec=spec_of(position_lots_max=10))
    v.trade(1, 2, 6, 1_000)
    v.rest(3, SELL, 5, 1_000)
    events = v.place(1, BUY, 5, 1_000, 0, time_in_force=IOC)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_CANCELED POSITION_LIMIT"]


def test_a_closing_fill_that_would_leave_a_debt_is_refused() -> None:
    """FILL-5 BANKRUPT: the loss at its own limit price is more than the position has."""
    v = Venue()
    v.trade(1, 2, 1, 1_000)
    v.rest(3, BUY, 1, 700)
    events = v.place(1, SELL, 1, 700, 0, time_in_force=IOC, flags=REDUCE_ONLY)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_CANCELED BANKRUPT"]


def test_triggers_fire_in_their_order() -> None:
    """TRIG-1: upward, lowest first; downward, highest first; equal ones by arrival; all at once.

    Both directions are due at one mark only when it has moved while nothing fired.
    """
    v = Venue(spec=spec_of(mark_band_ppm=500_000))
    names = {}
    upward = (1, ABOVE, 1_030), (2, ABOVE, 1_010), (3, ABOVE, 1_010), (4, ABOVE, 1_300)
    downward = (1, BELOW, 1_100), (2, BELOW, 1_200), (3, BELOW, 1_100), (4, BELOW, 900)
    for rows in (upward, downward):
        for account, kind, trigger in rows:
            asked = {"trigger_kind": kind, "trigger_price_ticks": trigger}
            order_id = v.rest(account, BUY, 1, 500, 200, **asked)
            names[order_id] = (account, kind, trigger)
        v.set_state(MarketState.AUCTION)
        v.walk(1_250)
    v.set_state(MarketState.OPEN)
    events = v.price(1_040)
    fired = [names[e.order_id] for e in events if story([e]) == ["ORDER_TRIGGERED"]]
    assert fired == [
        (2, ABOVE, 1_010), (3, ABOVE, 1_010), (1, ABOVE, 1_030),
        (2, BELOW, 1_200), (1, BELOW, 1_100), (3, BELOW, 1_100),
    ]  # fmt: skip
    assert v.book() == ([(500, 6)], [])


def test_a_trigger_price_that_is_met_already_is_refused() -> None:
    """TRIG-4, TRIG-1: equality is met, and fires."""
    v = Venue()
    for kind, trigger in ((ABOVE, 1_000), (ABOVE, 999), (BELOW, 1_000), (BELOW, 1_001)):
        asked = {"trigger_kind": kind, "trigger_price_ticks": trigger}
        assert outcome(v.place(1, BUY, 1, 900, **asked)) == "PRICE_OUT_OF_RANGE"
    v.rest(1, BUY, 1, 900, trigger_kind=ABOVE, trigger_price_ticks=1_001)
    assert v.book() == ([], [])
    assert story(v.price(1_001)) == ["PRICE", "ORDER_TRIGGERED"]
    assert v.book() == ([(900, 1)], [])


def test_a_stop_closes_the_position() -> None:
    """TRIG-1, TRIG-4: a reduce-only IOC order, beside the order that will open the position."""
    v = Venue()
    stop = {"trigger_kind": BELOW, "trigger_price_ticks": 980, "time_in_force": IOC}
    assert outcome(v.place(1, SELL, 5, 900, flags=REDUCE_ONLY, **stop)) == "REDUCE_ONLY"
    v.rest(1, BUY, 5, 1_000)
    v.rest(1, SELL, 5, 900, flags=REDUCE_ONLY, **stop)
    v.place(2, SELL, 5, 1_000)
    v.rest(3, BUY, 9, 970)
    assert fills(v.walk(981)) == []
    assert fills(v.price(980)) == [(3, 5, 970)]
    assert v.lots(1) == 0


def test_a_post_only_order_that_would_take_when_it_fires_ends() -> None:
    """TRIG-1."""
    v = Venue()
    v.rest(1, SELL, 1, 1_000)
    v.rest(2, BUY, 1, 1_010, flags=POST_ONLY, trigger_kind=ABOVE, trigger_price_ticks=1_001)
    events = v.price(1_001)
    assert story(events)[1:] == ["ORDER_TRIGGERED", "ORDER_CANCELED POST_ONLY_WOULD_TAKE"]


def test_an_expired_order_does_not_fire() -> None:
    """TRIG-1, TIF-1, SIG-2: it has ended before the price comes."""
    v = Venue()
    v.rest(1, SELL, 1, 1_000)
    v.rest(2, BUY, 1, 1_000, trigger_kind=ABOVE, trigger_price_ticks=1_001,
           expiry_time_s=v.now_s + 1)  # fmt: skip
    v.wait(1)
    assert story(v.price(1_001)) == ["ORDER_CANCELED EXPIRED", "PRICE"]


@pytest.mark.parametrize(
    "state", [MarketState.CANCEL_ONLY, MarketState.REDUCE_ONLY, MarketState.POST_ONLY]
)
def test_a_trigger_fires_into_the_state_of_the_market(state: MarketState) -> None:
    """TRIG-1, ORD-1: as if it came then."""
    v = Venue()
    v.rest(1, SELL, 1, 1_000)
    v.rest(2, BUY, 1, 1_000, trigger_kind=ABOVE, trigger_price_ticks=1_001)
    v.set_state(state)
    assert story(v.price(1_001))[1:] == ["ORDER_TRIGGERED", "ORDER_CANCELED MARKET_STATE"]


def test_a_waiting_order_can_be_cancelled_and_reserves() -> None:
    """TRIG-1, ORD-3: it is outside the book and inside the reservation."""
    v = Venue()
    mine = v.rest(1, BUY, 1, 1_000, 200, trigger_kind=ABOVE, trigger_price_ticks=1_100)
    assert v.engine.reserved_quote(1) == 200
    shown = v.engine.order(mine)
    assert shown is not None
    assert (shown.trigger_price_ticks, shown.remaining_lots) == (1_100, 1)
    assert story(v.cancel(1, mine)) == ["ORDER_CANCELED USER_CANCELED"]
    assert v.engine.reserved_quote(1) == 0
    assert story(v.walk(1_100)).count("ORDER_TRIGGERED") == 0


def test_cancel_all_takes_the_side_that_it_names() -> None:
    """ORD-1: of one market or all, of one side or both, those that wait included; newest first."""
    v = Venue()
    bid, ask = v.rest(1, BUY, 1, 900), v.rest(1, SELL, 1, 1_100)
    stop = v.rest(1, SELL, 1, 900, 400, trigger_kind=BELOW, trigger_price_ticks=950)
    other = v.rest(2, BUY, 1, 900)
    sells = v.do(CommandKind.CANCEL_ALL, account=1, side=SELL)
    assert [e.order_id for e in sells] == [stop, ask]
    both = v.do(CommandKind.CANCEL_ALL, account=1, market_id=0, side=2)
    assert [e.order_id for e in both] == [bid]
    assert v.engine.open_orders(2) == [other]


@pytest.mark.parametrize("flags", [0, POST_ONLY, REDUCE_ONLY])
@pytest.mark.parametrize("word", [PLAIN, Instructions(self_trade=1)])
@pytest.mark.parametrize(
    "more", [{}, {"session": 7}, {"trigger_kind": BELOW, "trigger_price_ticks": 990}]
)
def test_an_accepted_order_tells_its_flags_as_signed(
    flags: int, word: Instructions, more: dict[str, int]
) -> None:
    """ORD-1: bit 0 post-only, bit 1 reduce-only, whatever path it takes; so does a replacement."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    form: dict[str, Any] = {"flags": flags, "instructions": word} | more
    (placed,) = v.place(1, SELL, 1, 1_010, 0 if flags & REDUCE_ONLY else 300, **form)
    assert (story([placed]), placed.flags) == (["ORDER_ACCEPTED"], flags)
    form |= {"account": 1, "side": SELL, "qty_lots": 1, "price_ticks": 1_020, "nonce": 10**6}
    form |= {"amount_quote": 0 if flags & REDUCE_ONLY else 300, "expiry_time_s": v.now_s + 9}
    ended, placed = v.do(CommandKind.REPLACE, order_id=placed.order_id, **form)
    assert (story([ended, placed]), placed.flags) == (
        ["ORDER_CANCELED REPLACED", "ORDER_ACCEPTED"], flags,
    )  # fmt: skip
