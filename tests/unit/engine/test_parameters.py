"""Announced parameters: when they hold, what they may change, what they do to positions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from margin_core import Tier
from matcher.engine.commands import Command, CommandKind
from matcher.engine.engine import Engine
from matcher.engine.events import Event, EventKind
from tests.unit.engine.test_liquidation import ENDED, STARTED, endangered, only, waterfall
from tests.unit.engine.venue import BUY, SELL, Venue, spec_of, story, unpacked

pytestmark = pytest.mark.usefixtures("on_both")

STRICT = (
    Tier(notional_floor_quote=0, margin_initial_ppm=200_000, margin_maintenance_ppm=80_000),
    Tier(notional_floor_quote=20_000, margin_initial_ppm=300_000, margin_maintenance_ppm=90_000),
)


def announce(v: Venue, after_s: int = 3_600, **changes: object) -> list[Event]:
    spec = replace(v.engine.spec(1), **changes)  # type: ignore[arg-type]
    return unpacked(v.engine.announce_parameters(spec, v.now_s + after_s, v.time_ns))


def test_they_hold_from_the_first_price_at_that_second() -> None:
    """PAR-1, PAR-2, GOV-5: not before, not at a tick of the clock, and before the row itself."""
    v = endangered(fund=10**6)
    (event,) = announce(v, tiers=STRICT)
    assert EventKind(event.kind) is EventKind.PARAMETERS_ANNOUNCED
    assert (event.amount_quote, event.amount_2_quote) == (2, v.now_s + 3_600)
    v.wait(3_599)
    assert waterfall(v.price(960)) == []
    v.wait(1)
    assert v.engine.spec(1) == v.spec
    assert v.engine.announced_spec(1) == replace(v.spec, tiers=STRICT)
    events = v.price(960)
    assert story(events)[:2] == ["PARAMETERS_CHANGED", "PRICE"]
    assert only(events, EventKind.PARAMETERS_CHANGED)[0].amount_quote == 2
    assert v.engine.announced_spec(1) is None
    assert v.engine.spec(1).tiers == STRICT
    # Equity 600 of 480 before; 768 are needed now.
    assert waterfall(events)[-3:] == [STARTED, "TAKEOVER", ENDED]


def test_the_newest_announcement_counts() -> None:
    """PAR-1: the first is forgotten, with what was prepared for it."""
    v = endangered(fund=10**6)
    announce(v, tiers=STRICT)
    v.price(1_000)
    announce(v, 7_200, liquidation_buffer_ppm=9)
    v.wait(3_600)
    assert waterfall(v.price(960)) == []
    v.wait(3_600)
    assert "PARAMETERS_CHANGED" in story(v.price(960))
    assert v.engine.spec(1) == replace(v.spec, liquidation_buffer_ppm=9)


@pytest.mark.parametrize(
    "changes",
    [{"quote_per_tick_lot": 2}, {"price_ticks_max": 99_999}, {"fee_taker_ppm": 1},
     {"fee_maker_ppm": 1}],
)  # fmt: skip
def test_what_stays(changes: dict[str, int]) -> None:
    """PAR-1: such a change is refused, and what was announced before stays."""
    v = Venue()
    announce(v, liquidation_buffer_ppm=9)
    assert story(announce(v, **changes)) == ["COMMAND_REJECTED AMOUNT_OUT_OF_RANGE"]
    assert v.engine.announced_spec(1) == replace(v.spec, liquidation_buffer_ppm=9)


@pytest.mark.engine_alone
def test_an_unknown_market_is_an_error() -> None:
    """PAR-1: the shell asks for markets that it has listed."""
    v = Venue()
    with pytest.raises(KeyError, match="market 2"):
        v.engine.announce_parameters(replace(v.spec, market_id=2), v.now_s, v.time_ns)


def test_fees_may_fall_and_funding_s_interval_may_change() -> None:
    """PAR-1, FUND-2: the next settlement comes the new interval after the last."""
    v = Venue(spec=spec_of(fee_taker_ppm=500, funding_interval_s=3_000), mark=0)
    v.price(1_000)
    announce(v, fee_taker_ppm=100, funding_interval_s=600)
    v.wait(3_000)
    assert "FUNDING" in story(v.price(1_000))
    v.wait(599)
    assert "FUNDING" not in story(v.price(1_000))
    v.wait(1)
    assert story(v.price(1_000))[0] == "PARAMETERS_CHANGED"
    assert v.engine.spec(1).fee_taker_ppm == 100


def test_resting_orders_stay_and_are_judged_by_the_new_set() -> None:
    """PAR-2, FILL-6: margin that was enough is not any more; reservations are as they were."""
    v = Venue()
    v.rest(2, SELL, 10, 1_000, 1_100)
    announce(v, tiers=STRICT)
    v.wait(3_600)
    reserved = v.engine.reserved_quote(2)
    v.price(1_000)
    assert v.engine.reserved_quote(2) == reserved > 0
    found = story(v.place(1, BUY, 10, 1_000, 5_000))
    assert found == ["ORDER_ACCEPTED", "ORDER_CANCELED INSUFFICIENT_MARGIN"]


@pytest.mark.engine_alone
def test_a_row_indexes_a_bounded_part() -> None:
    """PAR-2: with more positions than a row indexes, the change waits for the last of them."""
    v = Venue(accounts=5_000, cash=0, positions=6_000, orders=10)
    for account in range(1, 5_001):
        take_slot(v, account)
    announce(v, after_s=0, tiers=STRICT)
    assert "PARAMETERS_CHANGED" not in story(v.price(1_000))
    assert story(v.price(1_000))[0] == "PARAMETERS_CHANGED"


def take_slot(v: Venue, account: int) -> None:
    """Give an account a slot in the market: an instruction makes one."""
    v.nonce += 1
    command = Command(
        CommandKind.AUTO_TOP_UP, time_ns=v.time_ns, account=account, market_id=1, nonce=v.nonce,
        expiry_time_s=v.now_s + 9,
    )  # fmt: skip
    v.engine.apply_one(command)


@pytest.mark.engine_alone
def test_a_snapshot_keeps_what_was_announced() -> None:
    """PAR-2: the restored engine switches with the first, to the same state."""
    v = endangered(fund=10**6)
    announce(v, tiers=STRICT)
    v.price(1_000)
    twin = endangered(fund=10**6)
    twin.engine = Engine.restore(b"".join(v.engine.snapshot()))
    for one in (v, twin):
        one.wait(3_600)
        assert waterfall(one.price(960))[-3:] == [STARTED, "TAKEOVER", ENDED]
    assert twin.engine.state_hash() == v.engine.state_hash()
    assert twin.engine.spec(1) == v.engine.spec(1)
