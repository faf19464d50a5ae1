"""What the index brings: impact premium, funding by time, grace after an outage."""

from __future__ import annotations

import pytest

from matcher.engine.commands import CommandKind, MarketState
from matcher.engine.events import Event, EventKind
from matcher.engine.reject_reason import RejectReason
from tests.unit.engine.venue import BUY, SELL, Venue, spec_of

pytestmark = pytest.mark.usefixtures("on_both")


def only(events: list[Event], kind: EventKind) -> list[Event]:
    return [event for event in events if event.kind == kind]


def held(v: Venue) -> int:
    position = v.engine.position(1, 1)
    assert position is not None
    return position.position_lots


def leveraged_pair(grace_s: int) -> Venue:
    """Account 1 is long 10 at 1000 with a tenth, account 2 short; both books empty."""
    v = Venue(spec=spec_of(grace_s=grace_s, mark_band_ppm=500_000, index_age_max_ms=5_000))
    v.place(1, BUY, 10, 1_000, 1_000)
    v.place(2, SELL, 10, 1_000, 5_000)
    return v


def test_the_premium_comes_from_impact_prices() -> None:
    """FUND-2, FUND-3: one lot at 1020 in front of ten at 1010 does not decide."""
    v = Venue(
        spec=spec_of(impact_notional_quote=10_100, funding_cap_ppm=50_000, funding_interval_s=10)
    )
    v.place(1, BUY, 1, 1_020)
    v.place(2, BUY, 50, 1_010)
    v.time_ns += 10 * 10**9
    (event,) = only(v.price(1_000), EventKind.FUNDING)
    mean_x256 = (1_020 + 9 * 1_010) * 256 // 10  # 1 020 of the 10 100, then nine lots
    with_book = (mean_x256 - 256_000) * 10**6 // 256_000
    assert event.amount_2_quote == (0 + with_book) // 2  # the first index met an empty book


def test_a_thin_side_adds_nothing() -> None:
    """FUND-3: bids above the index that do not carry the notional are no premium."""
    v = Venue(
        spec=spec_of(impact_notional_quote=10**6, funding_cap_ppm=50_000, funding_interval_s=10)
    )
    v.place(1, BUY, 5, 1_050)
    v.time_ns += 10 * 10**9
    (event,) = only(v.price(1_000), EventKind.FUNDING)
    assert event.amount_2_quote == 0


def test_a_late_settlement_pays_for_its_time() -> None:
    """FUND-4: interest of 100 ppm in 8 s, settled after 4 s and after 6 more."""
    v = Venue(
        spec=spec_of(
            funding_interval_s=4, funding_period_s=8, funding_interest_ppm=100,
            funding_clamp_ppm=500,
        )
    )  # fmt: skip
    for pause_s, rate in ((4, 50), (6, 75)):
        v.time_ns += pause_s * 10**9
        (event,) = only(v.price(1_000), EventKind.FUNDING)
        assert event.amount_2_quote == rate


def test_an_outage_gives_time_before_anybody_is_liquidated() -> None:
    """MARK-3, LIQ-3, TICK-1: no price for longer than its age: the grace begins with the next."""
    v = leveraged_pair(grace_s=30)
    v.time_ns += 6 * 10**9  # the last row is 6 s old, 5 are admitted
    events = v.price(600)
    assert only(events, EventKind.PRICE)[0].flags == 1
    assert v.mark == 850
    assert not only(events, EventKind.LIQUIDATION_STARTED)
    assert v.engine.market(1).grace_until_s == v.now_s + 30
    v.time_ns += 4 * 10**9
    assert not only(v.price(600), EventKind.LIQUIDATION_STARTED)
    v.do(CommandKind.CANCEL_ALL, account=1, side=2)  # people can act
    for _ in range(5):
        v.time_ns += 5 * 10**9
        assert not only(v.price(600), EventKind.LIQUIDATION_STARTED)
    v.time_ns += 10**9
    assert only(v.price(600), EventKind.LIQUIDATION_STARTED)


def test_without_an_outage_there_is_no_grace() -> None:
    """MARK-3: a row on the last millisecond of its age is none, and the first row neither."""
    v = leveraged_pair(grace_s=30)
    v.time_ns += 5 * 10**9
    assert only(v.price(600), EventKind.PRICE)[0].flags == 0
    assert only(v.walk(600), EventKind.PRICE)
    assert held(v) == 0


def test_the_end_of_a_halt_gives_time_too() -> None:
    """MARK-3."""
    v = leveraged_pair(grace_s=30)
    v.do(CommandKind.SET_MARKET_STATE, aux=MarketState.HALTED)
    v.price(600)
    v.do(CommandKind.SET_MARKET_STATE, aux=MarketState.OPEN)
    assert only(v.price(600), EventKind.PRICE)[0].flags == 1
    assert held(v) == 10
    for _ in range(6):
        v.time_ns += 5 * 10**9
        v.price(600)
    assert held(v) == 0


def test_a_row_that_is_too_old_is_refused() -> None:
    """MARK-2: and leaves the last one as it was."""
    v = leveraged_pair(grace_s=0)
    v.time_ns += 10 * 10**9
    (event,) = v.price(900, aux=(v.now_s - 6) * 1_000)
    assert (event.kind, event.reason) == (EventKind.COMMAND_REJECTED, RejectReason.PRICE_STALE)
    assert v.engine.market(1).index_price_ticks == 1_000
    assert only(v.price(900, aux=(v.now_s - 5) * 1_000), EventKind.PRICE)
