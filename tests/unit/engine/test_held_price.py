"""MARK-4: a price holds for an hour; then nothing trades at it, and nothing is taken out."""

from __future__ import annotations

import pytest

from matcher.engine.commands import MarketState
from tests.unit.engine.venue import (
    BUY,
    FOK,
    IOC,
    POST_ONLY,
    SELL,
    Venue,
    fills,
    outcome,
    spec_of,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")

HOUR_S = 3_600
ENDS = ["ORDER_ACCEPTED", "ORDER_CANCELED PRICE_STALE"]


def old(seconds: int = HOUR_S + 1) -> Venue:
    """Return a market whose price is so old; account 1 rests 5 bids and 5 asks, 3 is long."""
    v = Venue()
    v.trade(3, 2, 10, 1_000, 5_000, 5_000)
    v.rest(1, BUY, 5, 990)
    v.rest(1, SELL, 5, 1_010)
    v.wait(seconds)
    return v


@pytest.mark.parametrize("told", [{}, {"time_in_force": IOC}, {"time_in_force": FOK}])
def test_what_would_take_ends(told: dict[str, int]) -> None:
    """MARK-4: to the second; the next row lets it trade again."""
    assert fills(old(HOUR_S).place(2, BUY, 5, 1_010, **told)) == [(1, 5, 1_010)]
    v = old()
    assert story(v.place(2, BUY, 5, 1_010, **told)) == ENDS
    v.price(1_000)
    assert fills(v.place(2, BUY, 5, 1_010, **told)) == [(1, 5, 1_010)]


def test_the_other_reasons_come_first() -> None:
    """MARK-4: what ORD-1 and MATCH-4 say, and what takes nothing at all."""
    v = old()
    late = v.place(2, BUY, 6, 1_010, time_in_force=FOK)
    assert story(late) == ["ORDER_ACCEPTED", "ORDER_CANCELED FOK_NOT_FILLABLE"]
    none = v.place(2, BUY, 5, 1_009, time_in_force=IOC)
    assert story(none) == ["ORDER_ACCEPTED", "ORDER_CANCELED IMMEDIATE_REMAINDER"]
    assert outcome(v.place(2, BUY, 5, 1_010, flags=POST_ONLY)) == "POST_ONLY_WOULD_TAKE"


def test_orders_rest_and_end_as_ever() -> None:
    """MARK-4: what does not cross rests, money goes in, orders are cancelled."""
    v = old()
    order = v.rest(2, BUY, 5, 1_009)
    assert v.book()[0][0] == (1_009, 5)
    assert story(v.cancel(2, order)) == ["ORDER_CANCELED USER_CANCELED"]
    assert outcome(v.move(3, 100)) == "OK"
    assert outcome(v.withdraw(3, 100)) == "OK"


def test_no_collateral_is_taken_out() -> None:
    """MARK-4, COLL-1."""
    assert outcome(old(HOUR_S).move(3, -100)) == "OK"
    v = old()
    assert outcome(v.move(3, -100)) == "PRICE_STALE"
    assert outcome(v.move(1, -100)) == "NO_POSITION"
    v.price(1_000)
    assert outcome(v.move(3, -100)) == "OK"


def test_a_crossed_book_is_not_cleared() -> None:
    """MARK-4, AUC-2: the state stays until there is a price."""
    v = old(10)
    v.set_state(MarketState.AUCTION)
    v.rest(2, BUY, 5, 1_020)
    v.wait(HOUR_S)
    for state in (MarketState.OPEN, MarketState.REDUCE_ONLY, MarketState.DELISTING):
        assert story(v.set_state(state)) == ["COMMAND_REJECTED PRICE_STALE"]
    assert story(v.set_state(MarketState.HALTED)) == ["MARKET_STATE"]
    v.price(1_000)
    assert [(a, lots) for a, lots, _ in fills(v.set_state(MarketState.OPEN))] == [(1, 5)]


def test_a_book_that_is_not_crossed_opens() -> None:
    """MARK-4: nothing trades."""
    v = old()
    v.set_state(MarketState.AUCTION)
    assert story(v.set_state(MarketState.OPEN)) == ["MARKET_STATE"]


def test_no_trigger_fires() -> None:
    """MARK-4, TRIG-1: a row that is too old by then fires nothing; the next one does."""
    v = Venue(spec=spec_of(index_age_max_ms=86_400_000))
    v.rest(2, BUY, 5, 1_100, 1_500, trigger_kind=1, trigger_price_ticks=1_020)
    aux = v.time_ns // 10**6
    v.wait(HOUR_S + 1)
    assert "ORDER_TRIGGERED" not in story(v.price(1_020, aux=aux))
    assert "ORDER_TRIGGERED" in story(v.price(1_020))
