"""CONS-4: a market pays what it holds. A frozen loser stands for one that nobody has closed yet."""

from __future__ import annotations

import pytest

from matcher.engine.commands import CommandKind, MarketState, RequestKind
from matcher.engine.events import Event, EventKind
from tests.unit.engine.test_liquidation import only
from tests.unit.engine.venue import (
    BUY,
    CASH,
    FOK,
    IOC,
    REDUCE_ONLY,
    SELL,
    START_S,
    Venue,
    outcome,
    spec_of,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")

LOSER, WINNER, THIRD, LONG, SHORT = range(1, 6)
END_S = START_S + 100


def gap(fund: int = 0, **more: int) -> Venue:
    """Return a market that holds 8 000 and the fund: LOSER has -8 000, WINNER 16 000 at 700."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000, **more), fund=fund)
    v.trade(LOSER, WINNER, 40, 1_000, 4_000, 4_000)
    v.freeze(LOSER)
    v.walk(700)
    return v


def request(v: Venue, account: int, kind: RequestKind, amount: int, side: int = 0) -> Event:
    v.nonce += 1
    asked = {"account": account, "flags": kind, "aux": amount, "nonce": v.nonce, "side": side}
    return v.do(CommandKind.FORCED_REQUEST, **asked)[0]


def close(v: Venue, lots: int = 40, **more: int) -> list[Event]:
    return v.place(WINNER, BUY, lots, 700, flags=REDUCE_ONLY, **more)


def test_an_incoming_winner_ends() -> None:
    """CONS-4: with the third's 3 999 there are 11 999 for 16 000; a part can be paid."""
    v = gap()
    v.rest(THIRD, SELL, 40, 700, 3_999)
    assert story(close(v)) == ["ORDER_ACCEPTED", "ORDER_CANCELED MARKET_CANNOT_PAY"]
    trial = close(v, time_in_force=FOK)
    assert story(trial) == ["ORDER_ACCEPTED", "ORDER_CANCELED FOK_NOT_FILLABLE"]
    assert story(close(v, 20)) == ["ORDER_ACCEPTED", "FILL"]
    assert v.engine.market(1).pot_quote == 8_000 + 1_999 - 8_000


def test_a_resting_winner_ends() -> None:
    """CONS-4: the incoming order goes on, and FOK finds that the one behind it fills."""
    v = gap()
    close(v)
    v.rest(LONG, BUY, 40, 700, 3_000)
    events = v.place(THIRD, SELL, 40, 700, 3_000, time_in_force=FOK)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_CANCELED MARKET_CANNOT_PAY", "FILL"]
    assert events[1].account == WINNER


def test_both_sides_count_together() -> None:
    """CONS-4: what the other side brings pays, to the last unit."""
    v = gap()
    v.rest(THIRD, SELL, 40, 700, 8_000)
    assert story(close(v)) == ["ORDER_ACCEPTED", "FILL"]
    assert v.engine.market(1).pot_quote == 0
    assert v.engine.free_quote(WINNER) == CASH + 12_000


def test_collateral_stays_where_it_is_needed() -> None:
    """CONS-4: a take-out of more than there is."""
    v = gap()
    v.rest(THIRD, SELL, 30, 700, 4_500)
    close(v, 30)
    assert v.engine.market(1).pot_quote == 500
    assert outcome(v.move(WINNER, -501)) == "MARKET_CANNOT_PAY"
    assert outcome(v.move(WINNER, -500)) == "OK"
    assert outcome(v.move(WINNER, -1)) == "MARKET_CANNOT_PAY"


def test_a_forced_reduction_is_set_aside() -> None:
    """CONS-4, FORCE-2: then refused, until there is money."""
    v = gap()
    aside = request(v, WINNER, RequestKind.REDUCE, 40)
    assert story([aside]) == ["FORCED_SERVED MARKET_CANNOT_PAY"]
    again = request(v, WINNER, RequestKind.REDUCE, 40, side=1)
    assert story([again]) == ["COMMAND_REJECTED MARKET_CANNOT_PAY"]
    v.fund(8_000)
    served = request(v, WINNER, RequestKind.REDUCE, 40, side=1)
    assert (story([served]), served.qty_lots) == (["FORCED_SERVED"], 40)
    assert v.engine.market(1).pot_quote == 0


def test_a_backer_is_paid_what_there_is() -> None:
    """CONS-4, BACK-4: the fund's equity is more than the market holds."""
    v = gap()
    assert request(v, LONG, RequestKind.BACK, 10_000).amount_2_quote == 10**7
    v.rest(THIRD, SELL, 40, 700, 3_000)
    close(v)
    assert v.engine.market(1).pot_quote == 8_000 + 10_000 + 3_000 - 16_000
    paid = request(v, LONG, RequestKind.UNBACK, 10**10)
    assert (paid.amount_quote, paid.amount_2_quote) == (5_000, 5 * 10**6)
    unpaid = request(v, LONG, RequestKind.UNBACK, 10**10)
    assert story([unpaid]) == ["FORCED_SERVED FUND_CANNOT_CARRY"]


@pytest.mark.parametrize(("margin", "ends"), [(3_000, WINNER), (9_000, THIRD)])
def test_an_auction_pays_what_there_is(margin: int, ends: int) -> None:
    """CONS-4: the buy ends when its side alone takes too much, else the sell."""
    v = gap()
    v.set_state(MarketState.AUCTION)
    if ends == WINNER:
        close(v)
        v.rest(THIRD, SELL, 40, 700, margin)
    else:
        # The seller is the one who takes: a long that has won, against a buyer that brings little.
        v = Venue(spec=spec_of(mark_band_ppm=500_000))
        v.trade(THIRD, LOSER, 40, 1_000, 4_000, 4_000)
        v.freeze(LOSER)
        v.walk(1_300)
        v.set_state(MarketState.AUCTION)
        v.rest(WINNER, BUY, 40, 1_300, 5_500)
        v.place(THIRD, SELL, 40, 1_300, flags=REDUCE_ONLY)
    events = v.set_state(MarketState.OPEN)
    ended = only(events, EventKind.ORDER_CANCELED)
    assert [(e.account, story([e])) for e in ended] == [
        (ends, ["ORDER_CANCELED MARKET_CANNOT_PAY"]),
    ]  # fmt: skip


def test_deleveraging_passes_over_whom_the_market_cannot_pay() -> None:
    """CONS-4, LIQ-4: the bankrupt position stays until there is money."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000))
    v.trade(LOSER, WINNER, 40, 1_000, 4_000, 4_000)
    v.trade(LONG, SHORT, 10, 1_000, 1_000, 8_000)
    v.freeze(LOSER)
    v.freeze(LONG)
    v.walk(700)
    v.rest(THIRD, SELL, 40, 700, 4_000)
    close(v)
    assert v.engine.market(1).pot_quote == 5_000
    v.freeze(LONG, 0)
    events = v.price(700)
    assert only(events, EventKind.ADL) == []
    assert (v.lots(LONG), v.lots(SHORT)) == (10, -10)
    v.move(THIRD, 4_000)
    adl = only(v.price(700), EventKind.ADL)
    assert [(e.account, e.qty_lots, e.price_ticks) for e in adl] == [(SHORT, 10, 900)]
    assert v.engine.market(1).pot_quote == 0


def drained(fund: int = 0) -> Venue:
    """Return a market that holds the fund's money alone; LONG has 1 000 for 10 lots from 700."""
    v = gap(fund=fund)
    v.trade(LONG, SHORT, 10, 700, 1_000, 1_000)
    v.rest(THIRD, SELL, 30, 700, 3_000)
    close(v, 30)
    assert outcome(v.move(WINNER, -1_000)) == "OK"
    assert v.engine.market(1).pot_quote == fund
    return v


def test_a_liquidation_pays_nobody_where_nothing_is() -> None:
    """CONS-4, LIQ-2, LIQ-4: the resting order ends, nobody is deleveraged, the position stays."""
    v = drained()
    v.rest(WINNER, BUY, 10, 640, 0, flags=REDUCE_ONLY)
    events = v.walk(630)
    (ended,) = only(events, EventKind.ORDER_CANCELED)
    assert (ended.account, story([ended])) == (WINNER, ["ORDER_CANCELED MARKET_CANNOT_PAY"])
    closing = (EventKind.LIQUIDATION_FILL, EventKind.TAKEOVER, EventKind.ADL)
    assert [e for kind in closing for e in only(events, kind)] == []
    assert v.lots(LONG) == 10


def test_the_fund_does_not_trade_with_whom_the_market_cannot_pay() -> None:
    """CONS-4, LIQ-5: it has taken LONG's lots; the resting order ends."""
    v = drained(fund=3_000)
    v.walk(630)
    assert v.engine.fund(1).position_lots == 10
    v.rest(WINNER, BUY, 10, 630, 0, flags=REDUCE_ONLY)
    ended = only(v.price(630), EventKind.ORDER_CANCELED)
    assert [(e.account, story([e])) for e in ended] == [
        (WINNER, ["ORDER_CANCELED MARKET_CANNOT_PAY"]),
    ]  # fmt: skip


def test_a_delivery_waits_for_money() -> None:
    """CONS-4, EXP-2: for the next sweep."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000, expiry_time_s=END_S))
    v.trade(WINNER, LOSER, 40, 1_000, 4_000, 4_000)
    v.freeze(LOSER)
    v.wait(100)
    v.price(1_300)
    assert v.do(CommandKind.SETTLE_MARKET) == []
    v.fund(7_999)
    assert v.do(CommandKind.SETTLE_MARKET) == []
    v.fund(1)
    (paid,) = v.do(CommandKind.SETTLE_MARKET)
    assert (paid.account, paid.amount_quote) == (WINNER, 16_000)
    assert v.engine.market(1).pot_quote == 0


def test_nothing_is_refused_where_nobody_is_bankrupt() -> None:
    """CONS-4: two positions and a fill far from the mark, between a leaver and who joins."""
    v = Venue()
    v.trade(LONG, SHORT, 10, 1_000, 1_100, 1_100)
    v.rest(LONG, SELL, 10, 1_090, 0, flags=REDUCE_ONLY)
    events = v.place(THIRD, BUY, 10, 1_090, 3_000, time_in_force=IOC)
    assert story(events) == ["ORDER_ACCEPTED", "FILL"]
