"""The end of a market: dated futures are delivered, perpetuals are delisted (EXP-1, EXP-2)."""

from __future__ import annotations

import pytest

from margin_core import ContractKind
from matcher.engine.commands import Command, CommandKind, MarketState, RequestKind
from matcher.engine.events import Event, EventKind
from tests.unit.engine.test_liquidation import only, waterfall
from tests.unit.engine.venue import BUY, CASH, SELL, START_S, Venue, spec_of, story

pytestmark = pytest.mark.usefixtures("on_both")

END_S = START_S + 100
FUTURE = {"kind": ContractKind.LINEAR_FUTURE, "funding_cap_ppm": 0, "expiry_time_s": END_S}


def dated(**more: int) -> Venue:
    """Return a market that ends in 100 s; account 1 is long 10 at 1 000 with 1 000."""
    v = Venue(spec=spec_of(**(FUTURE | more)))
    v.trade(1, 2, 10, 1_000, 1_000, 5_000)
    return v


def settle(v: Venue) -> list[Event]:
    return v.do(CommandKind.SETTLE_MARKET)


def settled(events: list[Event]) -> list[tuple[int, int, int, int]]:
    """Return (account, lots, released, lacking) of each delivery, all at one price."""
    found = only(events, EventKind.POSITION_SETTLED)
    assert len({e.price_ticks for e in found}) <= 1
    return [(e.account, e.qty_lots, e.amount_quote, e.amount_2_quote) for e in found]


def test_the_first_row_of_its_second_is_the_last() -> None:
    """EXP-2: the index is the mark at once, orders end, and nothing is admitted any more."""
    v = dated()
    v.rest(3, BUY, 5, 900)
    v.rest(3, SELL, 5, 1_200, trigger_kind=1, trigger_price_ticks=1_100)
    v.wait(99)
    assert story(v.price(1_000)) == ["PRICE"]
    v.wait(1)
    events = v.price(1_090)
    assert story(events) == ["PRICE", "MARKET_STATE"] + ["ORDER_CANCELED MARKET_STATE"] * 2
    assert (v.mark, events[1].amount_quote) == (1_090, MarketState.SETTLED)
    assert story(v.price(1_090)) == ["COMMAND_REJECTED MARKET_STATE"]
    assert story(v.place(3, BUY, 1, 1_000)) == ["ORDER_REJECTED MARKET_STATE"]
    assert story(v.move(1, 5)) == ["COMMAND_REJECTED MARKET_STATE"]
    assert story(v.set_state(MarketState.OPEN)) == ["COMMAND_REJECTED MARKET_STATE"]
    assert v.engine.reserved_quote(3) == 0


@pytest.mark.usefixtures("on_both")
def test_a_later_row_is_the_last_only_a_day_later() -> None:
    """EXP-2: nobody waits for the row of a later hour that suits; trading goes on meanwhile."""
    v = dated()
    v.wait(100 + 300)
    assert story(v.price(1_300, aux=(END_S + 300) * 1_000 + 1)) == ["COMMAND_REJECTED PRICE_STALE"]
    v.wait(86_400 - 301)
    assert story(v.price(1_300)) == ["COMMAND_REJECTED PRICE_STALE"]
    assert story(settle(v)) == ["COMMAND_REJECTED MARKET_STATE"]
    v.wait(1)
    assert story(v.price(1_010))[:2] == ["PRICE", "MARKET_STATE"]


@pytest.mark.usefixtures("on_both")
def test_the_last_row_comes_within_five_minutes() -> None:
    """EXP-2: the last millisecond; also when the end was announced and begins to hold with it."""
    v = dated()
    v.wait(100 + 300)
    assert story(v.price(1_010))[:2] == ["PRICE", "MARKET_STATE"]
    v = Venue(spec=spec_of())
    v.announce(100, expiry_time_s=END_S)
    v.wait(100 + 301)
    assert story(v.price(1_010)) == ["COMMAND_REJECTED PRICE_STALE"]


def test_no_row_comes_before_the_end_that_it_should_bring() -> None:
    """EXP-2: a row whose time is ahead waits for the parameters by which it is the last."""
    v = Venue(spec=spec_of())
    v.announce(100, expiry_time_s=END_S)
    v.wait(95)
    assert story(v.price(1_010, aux=END_S * 1_000)) == ["COMMAND_REJECTED PRICE_STALE"]
    assert story(v.price(1_010, aux=END_S * 1_000 - 1)) == ["PRICE"]
    v.wait(5)
    assert story(v.price(1_010, aux=END_S * 1_000)) == [
        "PARAMETERS_CHANGED", "PRICE", "MARKET_STATE",
    ]  # fmt: skip


def test_everybody_gets_what_is_left() -> None:
    """EXP-1, EXP-2: longs and shorts in turn, the oldest first; the fund is flat afterwards."""
    v = dated()
    v.trade(3, 4, 5, 1_000, 2_000, 2_000)
    v.wait(100)
    v.price(1_050)
    assert settled(settle(v)) == [
        (1, 10, 1_500, 0), (2, 10, 4_500, 0), (3, 5, 2_250, 0), (4, 5, 1_750, 0),
    ]  # fmt: skip
    assert [v.engine.free_quote(n) - CASH for n in (1, 2, 3, 4)] == [500, -500, 250, -250]
    assert v.engine.market(1).open_interest_lots == 0
    assert v.engine.fund(1)[:3] == (0, 0, 0)
    assert settle(v) == []


def test_before_its_end_nothing_is_delivered() -> None:
    """EXP-2: MARKET_STATE; an unknown market first."""
    v = dated()
    assert story(settle(v)) == ["COMMAND_REJECTED MARKET_STATE"]
    found = story(v.do(CommandKind.SETTLE_MARKET, market_id=9))
    assert found == ["COMMAND_REJECTED MARKET_UNKNOWN"]


def test_who_is_below_the_requirement_keeps_what_is_left() -> None:
    """EXP-2: only bankrupt positions go through the waterfall; others are simply delivered."""
    v = dated()
    v.wait(100)
    assert waterfall(v.price(901)) == ["MARKET_STATE"]
    assert settled(settle(v))[0] == (1, 10, 10, 0)


def test_what_is_bankrupt_is_deleveraged_first() -> None:
    """EXP-2, LIQ-4: without a fund the other side closes at the bankruptcy price; nobody owes."""
    v = dated()
    v.wait(100)
    names = waterfall(v.price(800))
    assert names == ["MARKET_STATE", "LIQUIDATION_STARTED", "ADL", "LIQUIDATION_ENDED"]
    assert v.engine.free_quote(1) == CASH - 1_000
    assert v.engine.free_quote(2) == CASH + 1_000
    assert settle(v) == []


def test_the_fund_pays_what_is_lacking_when_it_can() -> None:
    """EXP-2: a frozen position is not in the waterfall; its turn comes when it is thawed."""
    v = dated()
    v.freeze(1)
    v.wait(100)
    v.price(850)
    assert settled(settle(v)) == []
    v.freeze(1, 0)
    assert settled(settle(v)) == []  # 500 are lacking, and the fund has nothing
    v.fund(600)
    assert settled(settle(v)) == [(1, 10, 0, 500), (2, 10, 6_500, 0)]
    assert v.engine.fund(1)[:3] == (0, 0, 100)


def test_what_is_left_of_a_bankrupt_position_is_delivered_once_it_is_not() -> None:
    """EXP-2, LIQ-4: lots that close at a rounded price leave a little; ADL goes no further."""
    v = Venue(spec=spec_of(**FUTURE))
    v.trade(1, 2, 5, 1_000, 503, 2_000)
    v.trade(1, 3, 5, 1_000, 502, 2_000)
    v.wait(100)
    events = v.price(899)  # 1 005 for ten lots: five lots at 900 leave 0 at 899
    names = waterfall(events)
    assert names == ["MARKET_STATE", "LIQUIDATION_STARTED", "ADL", "LIQUIDATION_ENDED"]
    (adl,) = only(events, EventKind.ADL)
    assert (adl.account, adl.price_ticks, adl.qty_lots) == (2, 900, 5)
    assert settled(settle(v)) == [(1, 5, 0, 0), (3, 5, 2_505, 0)]


@pytest.mark.parametrize(("price", "adl"), [(840, []), (800, []), (799, ["ADL"])])
def test_only_a_bankrupt_fund_is_deleveraged(price: int, adl: list[str]) -> None:
    """EXP-2, LIQ-7: the fund is long 10 from 900 with 1 000 and below its requirement."""
    v = dated(mark_band_ppm=300_000)
    v.fund(1_000)
    assert "TAKEOVER" in waterfall(v.walk(940))
    v.wait(100)
    assert waterfall(v.price(price)) == ["MARKET_STATE", *adl]
    v.do(CommandKind.SETTLE_MARKET)
    assert v.engine.fund(1)[:3] == (0, 0, 0 if adl else (price - 800) * 10)


def leave(v: Venue, account: int) -> None:
    """Let a position leave by the forced queue (FORCE-3)."""
    v.nonce += 1
    asked = {"account": account, "flags": RequestKind.REDUCE, "aux": 1, "nonce": v.nonce}
    (served,) = v.do(CommandKind.FORCED_REQUEST, **asked)
    assert (EventKind(served.kind), served.reason) == (EventKind.FORCED_SERVED, 0)


def test_a_fund_beyond_its_limit_gives_lots_back() -> None:
    """EXP-2, FORCE-3: who left by the queue keeps nobody else in."""
    v = dated(position_lots_max=10)
    v.trade(3, 4, 10, 1_000)
    v.trade(5, 6, 10, 1_000)
    v.wait(100)
    v.price(1_000)
    for account in (1, 3, 5):
        leave(v, account)
    assert v.lots(0) == 30
    assert [found[:2] for found in settled(settle(v))] == [(2, 10), (4, 10), (6, 10)]
    assert v.engine.fund(1)[:3] == (0, 0, 0)


@pytest.mark.parametrize(("lots", "delivered"), [(20, [2, 3]), (21, [])])
def test_a_delivery_beyond_the_limit_takes_the_fund_no_further(
    lots: int, delivered: list[int]
) -> None:
    """EXP-2: POSITION_LIMIT only where the fund holds more afterwards, on whichever side."""
    v = Venue()
    v.trade(1, 2, 10, 1_000)
    v.trade(3, 2, lots - 10, 1_000)
    v.announce(50, expiry_time_s=END_S, position_lots_max=5)
    v.wait(50)
    v.price(1_000)
    v.wait(50)
    v.price(1_000)
    assert settle(v) == []  # a flat fund takes no ten lots
    leave(v, 1)
    assert [found[0] for found in settled(settle(v))] == delivered
    assert v.lots(0) == (0 if delivered else 10)


def test_a_perpetual_is_delisted_by_announcement() -> None:
    """PAR-1, EXP-2: it gets an end; until then it trades."""
    v = Venue(fund=10)
    v.trade(1, 2, 10, 1_000, 1_000, 5_000)
    assert story(v.announce(50, expiry_time_s=END_S)) == ["PARAMETERS_ANNOUNCED"]
    v.wait(50)
    assert story(v.price(1_000)) == ["PARAMETERS_CHANGED", "PRICE"]
    v.trade(3, 4, 1, 1_000)
    v.wait(50)
    v.price(1_000)
    v.restart()
    assert [found[0] for found in settled(settle(v))] == [1, 2, 3, 4]
    assert v.engine.fund(1).collateral_quote == 10


def crowded(**changes: object) -> Venue:
    """Return a venue with more positions than a row indexes under announced parameters."""
    v = Venue(spec=spec_of(**changes), accounts=5_000, cash=0, positions=6_000, orders=10)
    for account in range(1, 5_001):
        v.nonce += 1
        command = Command(
            CommandKind.AUTO_TOP_UP, time_ns=v.time_ns, account=account, market_id=1,
            nonce=v.nonce, expiry_time_s=v.now_s + 9,
        )  # fmt: skip
        v.engine.apply_one(command)
    return v


def test_no_row_comes_before_the_parameters_that_make_it_the_last() -> None:
    """EXP-2, PAR-1: a row may be a little ahead of the clock; the contract refuses it too."""
    v = Venue()
    v.announce(100, expiry_time_s=END_S)
    v.wait(95)
    assert story(v.price(1_000, aux=END_S * 1_000 - 1)) == ["PRICE"]
    assert story(v.price(1_000, aux=END_S * 1_000)) == ["COMMAND_REJECTED PRICE_STALE"]
    v.wait(5)
    assert story(v.price(1_000)) == ["PARAMETERS_CHANGED", "PRICE", "MARKET_STATE"]


@pytest.mark.engine_alone
@pytest.mark.parametrize("late_s", [0, 300])
def test_an_end_that_was_announced_late_waits_for_no_index(late_s: int) -> None:
    """EXP-2, PAR-1, PAR-2: any row of the five minutes is the last, also the first one."""
    v = crowded()
    v.announce(0, expiry_time_s=END_S)
    v.wait(END_S - v.now_s + late_s)
    assert story(v.price(1_000)) == ["PARAMETERS_CHANGED", "PRICE", "MARKET_STATE"]
    assert v.engine.market(1).state == MarketState.SETTLED


@pytest.mark.engine_alone
@pytest.mark.parametrize("until_s", [0, END_S + 1_000])
def test_an_end_that_was_put_off_late_waits_for_no_index(until_s: int) -> None:
    """EXP-2, PAR-1, PAR-2: the parameters that are due say when a perpetual ends, or that not."""
    v = crowded(expiry_time_s=END_S)
    v.announce(0, expiry_time_s=until_s)
    v.wait(END_S - v.now_s)
    assert story(v.price(1_000)) == ["PARAMETERS_CHANGED", "PRICE"]
    assert v.engine.market(1).state == MarketState.OPEN


@pytest.mark.engine_alone
def test_a_command_delivers_a_bounded_number() -> None:
    """EXP-2: 256 positions; the next command goes on where it stopped."""
    v = Venue(spec=spec_of(**FUTURE), accounts=300, cash=1_000, positions=301)
    for account in range(1, 301, 2):
        v.trade(account, account + 1, 1, 1_000, 500, 500)
    v.wait(100)
    v.price(1_000)
    assert [len(settled(settle(v))) for _ in range(3)] == [256, 44, 0]


@pytest.mark.parametrize("kind", [ContractKind.INVERSE_PERPETUAL, ContractKind.OPTION_CALL])
@pytest.mark.engine_alone
def test_the_engine_lists_linear_kinds(kind: ContractKind) -> None:
    """MKT-3."""
    fields: dict[str, object] = {"kind": kind}
    if kind.is_option:
        fields |= {
            "tiers": (), "funding_cap_ppm": 0, "expiry_time_s": END_S, "strike_ticks": 5,
            "option_maintenance_ppm": 1, "option_initial_ppm": 2, "option_initial_least_ppm": 2,
        }  # fmt: skip
    with pytest.raises(ValueError, match=f"MKT-3: kind = {kind.name}: expected LINEAR"):
        Venue(spec=spec_of(**fields))
