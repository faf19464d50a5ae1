"""The waterfall: orders, book, insurance fund, auto-deleveraging; and what stops it."""

from __future__ import annotations

import pytest

from matcher.engine.commands import CommandKind, MarketState
from matcher.engine.events import Event, EventKind
from tests.unit.engine.venue import (
    ANY,
    BUY,
    CASH,
    POST_ONLY,
    SELL,
    Venue,
    fills,
    outcome,
    spec_of,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")

STARTED, ENDED = "LIQUIDATION_STARTED", "LIQUIDATION_ENDED"


def only(events: list[Event], kind: EventKind) -> list[Event]:
    return [event for event in events if event.kind == kind]


def waterfall(events: list[Event]) -> list[str]:
    """Return the story without the prices."""
    return [word for word in story(events) if word not in ("PRICE", "FUNDING")]


def endangered(*, fund: int = 0, **changes: int) -> Venue:
    """Account 1 is long 10 at 1 000 with 1 000: liquidatable at 947, bankrupt at 900."""
    v = Venue(fund=fund, spec=spec_of(**changes))
    v.trade(1, 2, 10, 1_000, 1_000, 5_000)
    return v


def test_equality_with_the_requirement_is_safe() -> None:
    """MARG-4, MARG-5: the first tick at which it is liquidatable, and the one before."""
    v = endangered(fund=10**6)
    position = v.engine.position(1, 1)
    assert position is not None
    assert (position.liquidation_price_ticks, position.bankruptcy_price_ticks) == (947, 900)
    assert waterfall(v.walk(948)) == []
    assert waterfall(v.price(947)) == [STARTED, "TAKEOVER", ENDED]


def marked(v: Venue, mark: int, index: int = 1_000, half_spread: int = 1) -> list[Event]:
    """Quote around a price, so that the mark goes there while the index stays where it is."""
    v.rest(5, BUY, 1, mark - half_spread)
    v.rest(6, SELL, 1, mark + half_spread)
    events: list[Event] = []
    for _ in range(200):
        events += v.price(index)
    assert abs(v.mark - mark) <= 2
    return events


def test_a_mark_that_the_index_has_not_reached_takes_nobody() -> None:
    """MARG-4: account 1 is liquidatable at 947, account 2 as a short at 1 048."""
    v = endangered(fund=10**6, mark_band_ppm=100_000)
    assert waterfall(marked(v, 930)) == []
    assert v.mark < 940
    assert waterfall(v.price(960)) == []
    events = v.price(947)
    assert v.mark < 947
    assert waterfall(events) == [STARTED, "LIQUIDATION_FILL", ENDED]
    (started,) = only(events, EventKind.LIQUIDATION_STARTED)
    assert (started.price_ticks, started.amount_quote, started.amount_2_quote) == (947, 470, 474)


def test_an_index_that_the_mark_has_not_reached_takes_nobody() -> None:
    """MARG-4: the book holds the mark up; what draws the index alone does not liquidate."""
    v = endangered(fund=10**6, mark_band_ppm=100_000)
    marked(v, 1_060)
    for _ in range(50):
        assert waterfall(v.price(930)) == []
    assert v.mark > 947


def test_a_short_is_judged_at_the_lower_of_index_and_mark() -> None:
    """MARG-4, LIQ-3: bankrupt at the mark, healthy at the index."""
    v = Venue(fund=10**6, spec=spec_of(mark_band_ppm=100_000))
    v.trade(2, 1, 10, 1_000, 5_000, 1_000)
    assert waterfall(marked(v, 1_080)) == []
    assert v.mark > 1_075
    assert waterfall(v.price(1_047)) == []
    assert waterfall(v.price(1_048)) == [STARTED, "LIQUIDATION_FILL", ENDED]


def test_the_funds_own_position_is_judged_like_any_other() -> None:
    """LIQ-7, MARG-4: at the mark the fund is liquidatable, at the index it is not."""
    v = endangered(fund=500, mark_band_ppm=100_000)
    assert "TAKEOVER" in waterfall(v.walk(947))
    # Ten lots from 900 with 500: liquidatable at 894.
    assert waterfall(marked(v, 890, 947, half_spread=20)) == []
    assert v.mark < 894
    assert waterfall(v.price(895)) == []
    assert waterfall(v.price(890)) == ["ADL"]
    assert v.lots(0) == 0


def test_the_orders_go_first() -> None:
    """LIQ-1: newest first, those that wait for a trigger too, of this market only."""
    v = endangered(fund=10**6)
    ids = [v.rest(1, SELL, 1, 1_100), v.rest(1, BUY, 1, 800)]
    ids.append(v.rest(1, SELL, 1, 900, 200, trigger_kind=2, trigger_price_ticks=900))
    events = v.walk(947)
    cancelled = only(events, EventKind.ORDER_CANCELED)
    assert [event.order_id for event in cancelled] == ids[::-1]
    assert waterfall(events)[1:4] == ["ORDER_CANCELED LIQUIDATION"] * 3
    assert v.engine.reserved_quote(1) == 0


def test_it_closes_on_the_book_no_more_than_needed() -> None:
    """LIQ-2: the fewest lots after which the position is over maintenance."""
    v = endangered()
    v.rest(3, BUY, 50, 940)
    events = v.walk(940)
    assert waterfall(events) == [STARTED, "LIQUIDATION_FILL", ENDED]
    started, ended = events[-3], events[-1]
    assert (started.account, started.qty_lots, started.price_ticks) == (1, 10, 940)
    assert (started.amount_quote, started.amount_2_quote) == (400, 470)
    # Equity 400 stays (sold at the mark); 8 lots need 376, 9 would need 423.
    assert fills(events) == [(3, 2, 940)]
    assert (ended.qty_lots, v.lots(1)) == (8, 8)


def test_the_buffer_asks_for_more() -> None:
    """LIQ-2: maintenance plus buffer is restored."""
    v = endangered(liquidation_buffer_ppm=10_000)
    v.rest(3, BUY, 50, 940)
    assert fills(v.walk(940)) == [(3, 3, 940)]  # 400 ≥ 7 · 940 · 6 %


def test_the_liquidation_fee_goes_to_the_fund() -> None:
    """LIQ-2, LIQ-6: closed wholly on the book; what is left comes back to the account."""
    v = endangered(fee_liquidation_ppm=10_000)
    v.rest(3, BUY, 10, 905)
    events = v.walk(905)
    # At 905 the equity of 50 restores nothing until all is sold; 90.5 of fee meet 50 of equity.
    (fill,) = only(events, EventKind.LIQUIDATION_FILL)
    assert (fill.qty_lots, fill.amount_2_quote) == (10, 50)
    assert v.engine.fund(1).collateral_quote == 50
    assert v.engine.free_quote(1) == CASH - 1_000


def test_what_is_left_after_the_book_comes_back() -> None:
    """LIQ-6: sold better than bankruptcy, in two fills."""
    v = endangered(mark_band_ppm=500_000)
    v.rest(3, BUY, 4, 904)
    v.rest(4, BUY, 9, 902)
    events = v.price(902)
    assert fills(events) == [(3, 4, 904), (4, 6, 902)]
    assert v.lots(1) == 0
    assert v.engine.free_quote(1) == CASH - 1_000 + 4 * 4 + 6 * 2


def test_the_book_beyond_the_bankruptcy_price_is_not_used() -> None:
    """LIQ-2, LIQ-3: at it, yes; one tick worse goes to the fund."""
    v = endangered(fund=10**6)
    v.rest(3, BUY, 3, 900)
    v.rest(4, BUY, 9, 899)
    events = v.walk(901)
    assert waterfall(events) == [STARTED, "LIQUIDATION_FILL", "TAKEOVER", ENDED, "FUND_FILL"]
    (takeover,) = only(events, EventKind.TAKEOVER)
    assert (takeover.account_2, takeover.price_ticks, takeover.qty_lots) == (1, 900, 7)
    assert v.lots(1) == 0
    position = v.engine.position(1, 1)
    assert position is not None
    assert position.collateral_quote == 0


def test_the_fund_keeps_the_dust_of_a_takeover() -> None:
    """LIQ-3: the bankruptcy price rounds against the trader."""
    v = Venue(fund=10**6)
    v.trade(1, 2, 10, 1_000, 1_003, 5_000)
    (takeover,) = only(v.walk(940), EventKind.TAKEOVER)
    assert (takeover.price_ticks, takeover.amount_quote) == (900, 3)
    fund = v.engine.fund(1)
    assert (fund.position_lots, fund.entry_value_quote, fund.collateral_quote) == (
        10,
        9_000,
        10**6 + 3,
    )


def test_the_fund_closes_what_it_holds_on_the_other_side() -> None:
    """LIQ-3: long 10 at 900, then short 10 at 1 100: it has earned 2 000."""
    v = endangered(fund=10**6, mark_band_ppm=300_000)
    v.walk(940)
    v.walk(1_000)
    v.trade(4, 3, 10, 1_000, 5_000, 1_000)
    (takeover,) = only(v.walk(1_060), EventKind.TAKEOVER)
    assert (takeover.account_2, takeover.side, takeover.price_ticks) == (3, SELL, 1_100)
    fund = v.engine.fund(1)
    assert (fund.position_lots, fund.collateral_quote) == (0, 10**6 + 2_000)


def test_adl_when_the_fund_cannot_carry() -> None:
    """LIQ-4: at the bankruptcy price, without a fee, against the other side."""
    v = endangered()
    events = v.walk(940)
    assert waterfall(events) == [STARTED, "ADL", ENDED]
    (adl,) = only(events, EventKind.ADL)
    assert (adl.account, adl.account_2, adl.side) == (2, 1, BUY)
    assert (adl.price_ticks, adl.qty_lots) == (900, 10)
    assert (v.lots(1), v.lots(2)) == (0, 0)
    assert v.engine.free_quote(2) == CASH + 1_000


def test_adl_takes_the_highest_rank_and_no_more_than_needed() -> None:
    """LIQ-4: profit times leverage; the lower slot among equals; the others are left alone."""
    v = Venue()
    v.trade(1, 2, 4, 1_000, 400, 4_000)  # little leverage
    v.trade(1, 3, 4, 1_000, 400, 500)
    v.trade(1, 4, 4, 1_000, 400, 500)  # the same, but later
    adls = only(v.walk(940), EventKind.ADL)
    assert [(event.account, event.qty_lots) for event in adls] == [(3, 4), (4, 4), (2, 4)]

    v = Venue()
    v.trade(5, 2, 8, 1_000, 8_000, 4_000)
    v.trade(1, 3, 4, 1_000, 400, 500)
    adls = only(v.walk(940), EventKind.ADL)
    assert [(event.account, event.qty_lots) for event in adls] == [(3, 4)]
    assert v.lots(2) == -8


def test_the_fund_takes_the_rest_as_soon_as_it_can() -> None:
    """LIQ-4: ADL goes on only while the fund cannot carry what is left."""
    v = Venue(fund=300)
    v.trade(1, 2, 6, 1_000, 600, 1_200)
    v.trade(1, 3, 4, 1_000, 400, 800)
    events = v.walk(930)
    assert waterfall(events) == [STARTED, "ADL", "TAKEOVER", ENDED]
    assert (v.engine.fund(1).position_lots, v.lots(3)) == (4, -4)


def test_adl_passes_over_a_liquidatable_counterparty() -> None:
    """LIQ-4: here the two sides fail at once, after funding; nobody is left to pay."""
    v = Venue(spec=spec_of(mark_band_ppm=200_000))
    v.trade(1, 2, 10, 1_000, 1_000, 1_000)
    v.trade(3, 4, 10, 1_000, 5_000, 5_000)
    adls = only(v.walk(940), EventKind.ADL)
    assert [event.account for event in adls] == [2]
    assert v.lots(4) == -10


def test_adl_asks_again_whom_a_worse_price_would_have_ruined() -> None:
    """IDX-3: account 8 is bankrupt at 800, ranks first, and pays when the price is not beyond."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000), accounts=9)
    longs = {1: 900, 2: 860, 3: 790, 4: 780}
    for account, bankrupt_at in longs.items():
        v.trade(account, 9, 10, 1_000, 10 * (1_000 - bankrupt_at), 50_000)
        v.freeze(account)
    v.trade(7, 8, 15, 800, 9_000, 15 * 310)
    v.walk(700)
    assert outcome(v.move(8, -15 * 310)) == "OK"
    for account in longs:
        v.freeze(account, 0)
    adls = only(v.walk(735), EventKind.ADL)
    told = [(e.account_2, e.account, e.qty_lots, e.price_ticks) for e in adls]
    assert told == [
        (1, 9, 10, 900),
        (2, 9, 10, 860),
        (3, 8, 10, 790),
        (4, 8, 5, 780),
        (4, 9, 5, 780),
    ]


def test_a_short_that_its_funding_has_eaten_is_left_to_the_fund() -> None:
    """LIQ-4: closed for nothing it would still owe; ADL is not begun, and passes nobody over."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000, funding_cap_ppm=10**5, funding_interval_s=60))
    for account, margin in ((1, 1_500), (3, 7_200)):
        v.trade(2, account, 10, 1_000, 40_000, margin)
        v.freeze(account)
    v.place(4, BUY, 1, 1, 5)
    v.place(5, SELL, 1, 3, 5_000)
    for _ in range(12):  # shorts pay a tenth of the notional each time
        v.wait(60)
        v.price(1_000)
    v.do(CommandKind.CANCEL_ALL, account=5, side=ANY)
    v.freeze(1, 0)
    v.freeze(3, 0)
    events = v.price(1_000)
    assert waterfall(events) == [STARTED, ENDED, STARTED, "ADL", ENDED]
    assert [(e.account_2, e.account) for e in only(events, EventKind.ADL)] == [(3, 2)]
    assert v.lots(1) == -10


def test_a_frozen_position_is_left_alone() -> None:
    """LIQ-1, LIQ-4: neither liquidated nor a counterparty, until it is thawed."""
    v = endangered()
    v.rest(2, BUY, 1, 900, flags=POST_ONLY)
    assert story(v.freeze(2)) == ["ORDER_CANCELED FROZEN", "FROZEN"]
    assert waterfall(v.walk(940)) == [STARTED, ENDED]
    assert (v.lots(1), v.lots(2)) == (10, -10)
    v.freeze(1)
    assert waterfall(v.price(940)) == []
    v.freeze(1, 0)
    assert waterfall(v.price(940)) == [STARTED, ENDED]
    v.freeze(2, 0)
    assert waterfall(v.price(940)) == [STARTED, "ADL", ENDED]


def test_a_position_that_nobody_takes_is_tried_again() -> None:
    """TICK-1: once in each tick of the index."""
    v = endangered()
    v.freeze(2)
    assert waterfall(v.walk(940)) == [STARTED, ENDED]
    for _ in range(3):
        assert waterfall(v.price(940)) == [STARTED, ENDED]
    v.rest(3, BUY, 10, 940)
    assert waterfall(v.price(940)) == [STARTED, "LIQUIDATION_FILL", ENDED]


def test_two_that_nobody_takes_are_both_tried_again() -> None:
    """TICK-1, LIQ-4: being passed over as a counterparty does not take a turn away."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000), mark=1_100)
    v.trade(1, 2, 10, 1_100, 1_100, 5_000)
    v.freeze(1)
    v.freeze(2)
    v.price(950)
    v.trade(3, 4, 10, 950, 5_000, 950)
    v.freeze(3)
    v.freeze(1, 0)
    for _ in range(3):
        assert waterfall(v.price(1_000)) == [STARTED, ENDED] * 2
    assert (v.lots(1), v.lots(4)) == (10, -10)


def test_funding_alone_can_liquidate() -> None:
    """FUND-1, MARG-5: a position that had no liquidation price gets one from funding."""
    v = Venue(spec=spec_of(funding_cap_ppm=100_000, funding_interval_s=1, mark_band_ppm=10_000))
    v.trade(1, 2, 10, 1_000, 10_000, 10_000)
    v.rest(3, BUY, 1, 1_400, 1_000)
    v.rest(4, SELL, 1, 1_402)
    v.price(1_000)
    position = v.engine.position(1, 1)
    assert position is not None
    assert position.liquidation_price_ticks is None
    for _ in range(20):
        v.wait(2)
        if STARTED in story(v.price(1_000)):
            break
    else:
        raise AssertionError("never liquidated")
    assert v.engine.free_quote(1) >= CASH - 10_000


def test_funding_is_the_mean_premium_of_the_interval() -> None:
    """FUND-1, FUND-2, MARK-1: sampled at each index; capped; an interval after the one before."""
    v = Venue(spec=spec_of(funding_cap_ppm=4_000, funding_interval_s=10), mark=0)
    v.price(1_000)  # no book: a sample of 0
    v.rest(1, BUY, 1, 1_002)
    v.rest(2, SELL, 1, 1_008)
    v.wait(9)
    v.price(1_000)  # 5 000 ppm
    v.wait(1)
    (event,) = only(v.price(1_000), EventKind.FUNDING)  # 5 000 ppm: the mean is 3 333
    assert (event.amount_2_quote, event.amount_quote) == (3_333, 3_333_000)
    v.wait(9)
    assert only(v.price(1_000), EventKind.FUNDING) == []
    v.wait(5)
    (event,) = only(v.price(1_000), EventKind.FUNDING)
    assert event.amount_2_quote == 4_000
    assert v.engine.market(1).next_funding_time_ns == (v.now_s + 10) * 10**9


def test_the_order_of_liquidations() -> None:
    """TICK-1: longs by the highest liquidation price, then shorts; equal ones by age."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000), fund=10**7)
    v.trade(2, 5, 10, 1_000, 1_100, 9_000)
    v.trade(1, 5, 10, 1_000, 1_000, 9_000)
    v.trade(3, 5, 10, 1_000, 1_050, 9_000)
    v.trade(4, 5, 10, 1_000, 1_000, 9_000)
    started = only(v.price(900), EventKind.LIQUIDATION_STARTED)
    assert [event.account for event in started] == [1, 4, 3, 2]


def test_a_halted_market_liquidates_nobody() -> None:
    """TICK-1: prices and funding go on; what is due comes with the first price after it."""
    v = endangered(fund=10**6)
    v.set_state(MarketState.HALTED)
    assert waterfall(v.walk(940)) == []
    v.set_state(MarketState.CANCEL_ONLY)
    assert waterfall(v.price(940)) == [STARTED, "TAKEOVER", ENDED]


def test_the_fund_gives_its_position_back() -> None:
    """LIQ-5, TICK-1: within a tenth of the band (5 % of 940: 4 ticks), no further."""
    v = endangered(fund=10**6)
    v.walk(940)
    v.rest(3, BUY, 4, 936)
    v.rest(4, BUY, 4, 935)
    events = v.price(940)
    assert waterfall(events) == ["FUND_FILL"]
    assert fills(events) == [(3, 4, 936)]
    fund = v.engine.fund(1)
    assert (fund.position_lots, fund.collateral_quote) == (6, 10**6 + 4 * 36)


def test_the_fund_is_capped_like_any_other() -> None:
    """LIQ-7: its own liquidation is ADL at its bankruptcy price; what is left stays with it."""
    v = endangered(fund=1_000, mark_band_ppm=300_000)
    v.walk(940)
    fund = v.engine.fund(1)
    assert (fund.position_lots, fund.bankruptcy_price_ticks) == (10, 800)
    events = v.walk(840)
    assert waterfall(events) == ["ADL"]
    (adl,) = only(events, EventKind.ADL)
    assert (adl.account, adl.account_2, adl.price_ticks) == (2, 0, 800)
    fund = v.engine.fund(1)
    assert (fund.position_lots, fund.collateral_quote) == (0, 0)


def test_no_loss_reaches_the_free_balance() -> None:
    """LIQ-3, LIQ-4: however far the price falls, what is lost is the position's collateral."""
    for fund in (0, 300, 10**6):
        v = endangered(fund=fund, mark_band_ppm=500_000)
        v.price(600)
        assert v.lots(1) == 0
        assert v.engine.free_quote(1) == CASH - 1_000
