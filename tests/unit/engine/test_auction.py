"""Auctions: collecting, the clearing price and its ties, fills, states around them."""

from __future__ import annotations

import pytest

from matcher.engine.commands import MarketState
from matcher.engine.events import FLAG_FILL_OF_AUCTION, Event, EventKind
from matcher.engine.instructions import Instructions, SelfTradePrevention
from matcher.engine.reject_reason import RejectReason
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

RICH = 10**6

pytestmark = pytest.mark.usefixtures("on_both")


def auction(orders: list[tuple[int, int, int]], mark: int = 1_000) -> Venue:
    """Return a venue in an auction with orders (side, lots, price), each of its own account."""
    v = Venue(mark=mark, accounts=len(orders) + 3, cash=10**9)
    v.set_state(MarketState.AUCTION)
    for account, (side, lots, price) in enumerate(orders, 1):
        assert story(v.place(account, side, lots, price, RICH)) == ["ORDER_ACCEPTED"]
    return v


def cleared(events: list[Event]) -> list[tuple[int, int, int]]:
    """Return (price, volume, surplus) of each clearing."""
    found = [e for e in events if e.kind == EventKind.AUCTION]
    return [(e.price_ticks, e.qty_lots, e.amount_quote) for e in found]


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        # The largest volume: 8 at 1001, where 1000 and 1002 trade 5.
        ([(BUY, 5, 1_002), (BUY, 3, 1_001), (SELL, 5, 1_000), (SELL, 3, 1_001)], (1_001, 8, 0)),
        # The same volume from 990 to 1010: the smaller surplus.
        ([(BUY, 5, 1_010), (BUY, 2, 995), (SELL, 5, 990)], (1_000, 5, 0)),
        # The same volume and surplus: nearest to the mark, within the cross.
        ([(BUY, 5, 1_020), (SELL, 5, 1_010)], (1_010, 5, 0)),
        ([(BUY, 5, 990), (SELL, 5, 980)], (990, 5, 0)),
        ([(BUY, 5, 1_010), (SELL, 5, 990)], (1_000, 5, 0)),
        # Equally near: the lower. At 999 and at 1001 five lots trade and two are left over.
        ([(BUY, 5, 1_001), (BUY, 2, 999), (SELL, 5, 999), (SELL, 2, 1_001), (SELL, 9, 1_002),
          (BUY, 2, 999)], (1_000, 5, 0)),
        ([(BUY, 3, 1_001), (SELL, 5, 1_001), (BUY, 2, 999)], (1_001, 3, -2)),
    ],
)  # fmt: skip
def test_the_clearing_price(
    orders: list[tuple[int, int, int]], expected: tuple[int, int, int]
) -> None:
    """AUC-1: volume, surplus, distance from the mark."""
    v = auction(orders)
    events = v.set_state(MarketState.OPEN)
    assert cleared(events) == [expected]
    assert {price for _, _, price in fills(events)} == {expected[0]}
    assert sum(lots for _, lots, _ in fills(events)) == expected[1]


def test_of_two_prices_that_are_as_good_the_lower_is_taken() -> None:
    """AUC-1: 999 and 1001 trade alike and lie alike; 1000 leaves more over."""
    v = auction([(BUY, 4, 1_001), (BUY, 2, 999), (SELL, 4, 999), (SELL, 2, 1_001)])
    v.place(5, BUY, 1, 1_000, RICH)
    v.place(6, SELL, 1, 1_000, RICH)
    assert cleared(v.set_state(MarketState.OPEN)) == [(1_000, 5, 0)]
    v = auction([(BUY, 1, 1_001), (SELL, 1, 999)])
    v.place(3, BUY, 1, 999, RICH)
    v.place(4, SELL, 1, 1_001, RICH)
    assert cleared(v.set_state(MarketState.OPEN)) == [(1_000, 1, 0)]


def test_price_then_time_decides_who_trades() -> None:
    """AUC-2, BATCH-6: better prices first, then the older; one price, which both limits admit."""
    v = auction([(BUY, 2, 1_000), (BUY, 2, 1_005), (BUY, 2, 1_000), (SELL, 3, 990)])
    events = v.set_state(MarketState.OPEN)
    found = [e for e in events if e.kind == EventKind.FILL]
    assert [(e.account, e.account_2, e.qty_lots) for e in found] == [(4, 2, 2), (4, 1, 1)]
    assert {(e.side, e.flags) for e in found} == {(BUY, FLAG_FILL_OF_AUCTION)}
    assert v.book() == ([(1_000, 3)], [])
    assert [v.lots(account) for account in (1, 2, 3, 4)] == [1, 2, 0, -3]


def test_neither_takes_in_an_auction() -> None:
    """AUC-2, FILL-1: both pay the maker's fee; the buy is the one that the contract books first."""
    v = Venue(spec=spec_of(fee_maker_ppm=1_000, fee_taker_ppm=5_000))
    v.set_state(MarketState.AUCTION)
    v.place(1, SELL, 10, 1_000, 5_000)
    v.place(2, BUY, 10, 1_000, 5_000)
    (fill,) = [e for e in v.set_state(MarketState.OPEN) if e.kind == EventKind.FILL]
    assert (fill.account, fill.account_2) == (1, 2)
    assert (fill.amount_quote, fill.amount_2_quote) == (10, 10)


def test_an_order_that_fails_ends_and_the_clearing_goes_on() -> None:
    """AUC-2: over the position limit; then at a new price when the book is still crossed."""
    v = Venue(spec=spec_of(position_lots_max=5))
    v.trade(1, 2, 4, 1_000)
    v.set_state(MarketState.AUCTION)
    v.place(1, BUY, 3, 1_010)
    v.place(3, BUY, 2, 1_005)
    v.place(4, SELL, 3, 995)
    events = v.set_state(MarketState.OPEN)
    assert story(events)[:3] == ["MARKET_STATE", "AUCTION", "ORDER_CANCELED POSITION_LIMIT"]
    assert fills(events) == [(4, 2, 1_000)]
    assert v.book() == ([], [(995, 1)])


def test_the_price_stays_in_the_band_around_the_mark() -> None:
    """AUC-1: the volume is largest at 1100, but 1050 is the highest tick in the band."""
    v = auction([(BUY, 5, 1_100), (SELL, 2, 1_000), (SELL, 3, 1_100)])
    events = v.set_state(MarketState.OPEN)
    assert cleared(events) == [(1_000, 2, 3)]
    assert story(events)[-1] == "ORDER_CANCELED PRICE_BAND"
    assert v.book() == ([], [(1_100, 3)])


@pytest.mark.parametrize(
    ("orders", "left"),
    [
        ([(BUY, 5, 1_200), (SELL, 5, 1_100)], ([], [(1_100, 5)])),
        ([(BUY, 5, 900), (SELL, 5, 800)], ([(900, 5)], [])),
    ],
)
def test_a_cross_beyond_the_band_ends_the_orders_that_make_it(
    orders: list[tuple[int, int, int]], left: tuple[list[object], list[object]]
) -> None:
    """AUC-1: the contract would refuse their fill (BATCH-6)."""
    v = auction(orders)
    events = v.set_state(MarketState.OPEN)
    assert story(events) == ["MARKET_STATE", "ORDER_CANCELED PRICE_BAND"]
    assert v.book() == left


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (SelfTradePrevention.CANCEL_NEWEST, [(2, 2)]),
        (SelfTradePrevention.CANCEL_OLDEST, [(2, 2)]),
        (SelfTradePrevention.CANCEL_BOTH, []),
        (SelfTradePrevention.DECREMENT, [(2, 1)]),
    ],
)
def test_nobody_trades_with_himself(
    mode: SelfTradePrevention, expected: list[tuple[int, int]]
) -> None:
    """AUC-2, STP-1: as the newer order asks."""
    v = Venue()
    v.set_state(MarketState.AUCTION)
    v.place(1, SELL, 2, 1_000)
    v.place(1, BUY, 3, 1_000, instructions=Instructions(self_trade=mode))
    if mode == SelfTradePrevention.CANCEL_NEWEST:
        v.place(2, BUY, 2, 1_000)
    else:
        v.place(2, SELL, 2, 1_000)
    events = v.set_state(MarketState.OPEN)
    found = [(2, lots) for _, lots, _ in fills(events)]
    assert found == expected


@pytest.mark.parametrize(
    ("own", "mark", "prices", "deal"),
    [
        (6, 1_000, [1_011, 1_000], 1_000),
        (12, 1_000, [1_048, 1_011, 1_000], 1_000),
        (42, 1_000, [1_048, 1_045, 1_042, 1_039, 1_036, 1_033, 1_011, 1_000], 1_000),
        (60, 1_000, [1_048, 1_045, 1_042, 1_039, 1_036, 1_033, 1_030, 1_027], 1_000),
        (60, 1_005, [1_048, 1_045, 1_042, 1_039, 1_036, 1_033, 1_030, 1_027], 1_005),
        (60, 1_030, [1_048, 1_045, 1_042, 1_039, 1_036, 1_033, 1_030, 1_027], 1_010),
        (60, 970, [1_011, 1_000], 1_000),
    ],
)
def test_what_cannot_trade_costs_few_clearings(
    own: int, mark: int, prices: list[int], deal: int
) -> None:
    """AUC-2: bids that meet only their own ask; then pairs, nearest to the mark, in both limits."""
    v = Venue(accounts=4, cash=10**8)
    v.set_state(MarketState.AUCTION)
    v.place(1, SELL, 1, 950)
    v.place(2, BUY, 4, 1_010)
    v.place(3, SELL, 5, 1_000)
    for number in range(own):
        v.place(1, BUY, 1, 1_050 - number // 2)
    v.walk(mark)
    events = v.set_state(MarketState.OPEN)
    assert [price for price, _, _ in cleared(events)] == prices
    assert story(events).count("ORDER_CANCELED SELF_TRADE") == own
    assert fills(events) == [(1, 1, deal), (3, 3, deal)]
    assert {e.flags for e in events if e.kind == EventKind.FILL} == {FLAG_FILL_OF_AUCTION}
    assert v.book() == ([], [(1_000, 2)])
    assert v.engine.market(1).last_price_ticks == deal


def test_what_is_beyond_the_band_ends_before_its_siblings() -> None:
    """AUC-1, OCO-1: a sibling that is met there has ended with the other; the rest after them."""
    v = Venue(accounts=4, cash=10**8)
    v.set_state(MarketState.AUCTION)
    v.place(1, SELL, 5, 1_100, RICH)
    for price in (1_300, 1_150, 1_050):
        word = Instructions(oco_nonce=v.nonce + 2)
        v.place(2, BUY, 1, 1_200, RICH, instructions=word)
        v.place(2, BUY, 1, price, RICH, instructions=Instructions(oco_nonce=v.nonce))
    events = v.set_state(MarketState.OPEN)
    ended = [(e.price_ticks, RejectReason(e.reason).name) for e in events[1:]]
    assert ended == [
        (1_300, "PRICE_BAND"), (1_200, "SIBLING_ENDED"), (1_200, "PRICE_BAND"),
        (1_200, "PRICE_BAND"), (1_150, "SIBLING_ENDED"), (1_050, "SIBLING_ENDED"),
    ]  # fmt: skip
    assert v.book() == ([], [(1_100, 5)])


def test_icebergs_count_whole_and_fill_in_parts() -> None:
    """AUC-1, ICE-1: the hidden lots make the price; the parts queue behind the others."""
    v = Venue()
    v.set_state(MarketState.AUCTION)
    v.place(1, SELL, 6, 1_000, instructions=Instructions(display_lots=2))
    v.place(2, SELL, 2, 1_000)
    v.place(3, BUY, 8, 1_000)
    assert v.book()[1] == [(1_000, 4)]
    events = v.set_state(MarketState.OPEN)
    assert cleared(events) == [(1_000, 8, 0)]
    assert [(maker, lots) for maker, lots, _ in fills(events)] == [(1, 2), (2, 2), (1, 2), (1, 2)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "OK"),
        ({"flags": POST_ONLY}, "MARKET_STATE"),
        ({"time_in_force": IOC}, "MARKET_STATE"),
        ({"time_in_force": FOK}, "MARKET_STATE"),
        ({"instructions": Instructions(min_lots=1)}, "MARKET_STATE"),
    ],
)
def test_an_auction_collects_what_can_wait(fields: dict[str, int], expected: str) -> None:
    """STATE-1, ORD-4."""
    v = Venue()
    v.set_state(MarketState.AUCTION)
    assert outcome(v.place(1, BUY, 1, 1_000, **fields)) == expected


def test_a_crossed_book_moves_no_mark_and_liquidates_nobody() -> None:
    """STATE-1, AUC-1, MARK-1: not while it is collected, nor in a halt after it."""
    v = Venue()
    v.trade(1, 2, 10, 1_000, 1_100, 5_000)
    v.set_state(MarketState.AUCTION)
    v.place(3, BUY, 1, 1_200, RICH)
    v.place(4, SELL, 1, 900, RICH)
    for state in (MarketState.HALTED, MarketState.AUCTION):
        v.set_state(state)
        assert set(story(v.walk(900))) == {"PRICE"}
        assert v.lots(1) == 10
        v.walk(1_000)
        assert v.mark == 1_000
    assert cleared(v.set_state(MarketState.OPEN)) == [(1_000, 1, 0)]


def test_a_delisted_market_keeps_what_reduces() -> None:
    """STATE-1."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    v.rest(1, SELL, 5, 1_100, flags=REDUCE_ONLY)
    v.rest(3, BUY, 5, 900)
    v.rest(4, SELL, 5, 1_200)
    events = v.set_state(MarketState.DELISTING)
    assert story(events) == ["MARKET_STATE", *["ORDER_CANCELED MARKET_STATE"] * 2]
    assert v.book() == ([], [(1_100, 5)])
    assert outcome(v.place(3, BUY, 1, 900)) == "MARKET_STATE"
    assert outcome(v.place(2, BUY, 5, 1_100, flags=REDUCE_ONLY)) == "OK"
    assert v.lots(1) == v.lots(2) == 0
