"""Auto-top-up: a standing instruction saves the position, or leaves the money where it is."""

from __future__ import annotations

import pytest

from matcher.engine.commands import CommandKind
from matcher.engine.events import Event, EventKind
from tests.unit.engine.test_liquidation import (
    ENDED,
    STARTED,
    endangered,
    marked,
    only,
    waterfall,
)
from tests.unit.engine.venue import BUY, CASH, Venue, outcome, story

pytestmark = pytest.mark.usefixtures("on_both")


def instruct(v: Venue, cap: int, **fields: int) -> list[Event]:
    """Leave account 1's instruction."""
    v.nonce += 1
    form = {"account": 1, "amount_quote": cap, "nonce": v.nonce, "expiry_time_s": v.now_s + 1_000}
    return v.do(CommandKind.AUTO_TOP_UP, **(form | fields))


def drawn(events: list[Event]) -> tuple[int, int, int]:
    """Return what was drawn, what the cap still allows, and the nonce."""
    (event,) = only(events, EventKind.AUTO_TOPPED_UP)
    assert event.account == 1
    return event.amount_quote, event.amount_2_quote, event.order_id_2


def test_it_draws_what_restores_the_initial_requirement() -> None:
    """COLL-3: at 940 equity is 400, maintenance 470, initial 940; the orders stay."""
    v = endangered(fund=10**6)
    v.rest(1, BUY, 1, 900)
    assert story(instruct(v, 1_000)) == ["AUTO_TOP_UP_SET"]
    events = v.walk(940)
    assert waterfall(events) == ["AUTO_TOPPED_UP"]
    assert drawn(events) == (540, 460, v.nonce)
    assert v.lots(1) == 10
    assert v.engine.free_quote(1) == CASH - 1_000 - 540
    assert waterfall(v.price(940)) == []


def test_it_restores_at_the_price_that_would_liquidate() -> None:
    """COLL-3, MARG-4: what the mark would ask for beyond the index is not drawn."""
    v = endangered(fund=10**6, mark_band_ppm=100_000)
    instruct(v, 1_000)
    assert waterfall(marked(v, 930)) == []
    events = v.price(947)
    assert v.mark < 947
    assert waterfall(events) == ["AUTO_TOPPED_UP"]
    assert drawn(events)[0] == 947 - 470


def test_it_ends_with_its_cap() -> None:
    """COLL-3: the rest of the cap is enough to be safe once more, then it is not."""
    v = endangered(fund=10**6)
    instruct(v, 1_000)
    v.walk(940)
    # 1 540 in the position: at 888 equity is 420 of 444, and 460 are left of the cap.
    events = v.walk(888)
    assert waterfall(events) == ["AUTO_TOPPED_UP"]
    assert drawn(events)[1] == 0 or drawn(events)[0] < 460
    while drawn(events)[1]:
        events = v.walk(v.mark - 50)
    assert waterfall(v.walk(700)) == [STARTED, "TAKEOVER", ENDED]


@pytest.mark.parametrize(("cap", "safe"), [(69, False), (70, True)])
def test_it_saves_or_draws_nothing(cap: int, safe: bool) -> None:
    """COLL-3: 70 are missing to maintenance, and equality is safe."""
    v = endangered(fund=10**6)
    instruct(v, cap)
    events = v.walk(940)
    assert waterfall(events) == (["AUTO_TOPPED_UP"] if safe else [STARTED, "TAKEOVER", ENDED])
    assert v.engine.free_quote(1) == CASH - 1_000 - (cap if safe else 0)


def test_it_draws_only_what_is_free() -> None:
    """COLL-3: a deposit before the price counts."""
    v = endangered(fund=10**6)
    v.withdraw(1, CASH - 1_000 - 60)
    instruct(v, 1_000)
    assert v.engine.free_quote(1) == 60
    v.deposit(1, 40)
    events = v.walk(940)
    assert waterfall(events) == ["AUTO_TOPPED_UP"]
    assert drawn(events)[:2] == (100, 900)
    assert v.engine.free_quote(1) == 0


def test_the_position_s_orders_give_back_what_they_reserve() -> None:
    """LIQ-1, COLL-3: where the free balance is reserved they are cancelled, then it is drawn."""
    v = endangered(fund=10**6)
    v.withdraw(1, CASH - 1_000 - 600)
    v.rest(1, BUY, 1, 900, 600)
    instruct(v, 1_000)
    assert v.engine.reserved_quote(1) == 600
    events = v.walk(940)
    assert waterfall(events) == [STARTED, "ORDER_CANCELED LIQUIDATION", "AUTO_TOPPED_UP", ENDED]
    assert drawn(events)[0] == 540


def test_it_expires_and_is_replaced() -> None:
    """COLL-3: the newest holds; cap 0 ends it; nothing is drawn after its expiry."""
    v = endangered(fund=10**6)
    instruct(v, 1_000)
    instruct(v, 0)
    assert waterfall(v.walk(940)) == [STARTED, "TAKEOVER", ENDED]
    v = endangered(fund=10**6)
    instruct(v, 1_000, expiry_time_s=v.now_s + 5)
    v.wait(5)
    assert waterfall(v.walk(940)) == [STARTED, "TAKEOVER", ENDED]


def test_it_may_come_before_the_position_and_a_snapshot_keeps_it() -> None:
    """COLL-3: a standing instruction is the market's, not this opening's."""
    v = Venue(fund=10**6)
    instruct(v, 1_000)
    v.restart()
    v.trade(1, 2, 10, 1_000, 1_000, 5_000)
    assert waterfall(v.walk(940)) == ["AUTO_TOPPED_UP"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"market_id": 9, "account": 99}, "MARKET_UNKNOWN"),
        ({"account": 99, "expiry_time_s": 0}, "ACCOUNT_UNKNOWN"),
        ({"account": 0}, "ACCOUNT_UNKNOWN"),
        ({"expiry_time_s": 0, "nonce": 2}, "EXPIRED"),
        ({"nonce": 2, "amount_quote": -1}, "NONCE_USED"),
        ({"amount_quote": -1}, "AMOUNT_OUT_OF_RANGE"),
        ({"amount_quote": 2**60 + 1}, "AMOUNT_OUT_OF_RANGE"),
        ({"amount_quote": 2**60}, "OK"),
    ],
)
def test_the_order_of_its_checks(fields: dict[str, int], expected: str) -> None:
    """COLL-3, SIG-1: the first reason that applies; a refused one does not use its nonce."""
    v = endangered()
    instruct(v, 5, nonce=2)
    assert outcome(instruct(v, 7, **({"nonce": 50} | fields))) == expected
    again = instruct(v, 7, nonce=50)
    assert outcome(again) == ("NONCE_USED" if expected == "OK" else "OK")
