"""A market's own limits: the price band and the cap of the open interest."""

from __future__ import annotations

from typing import Any

import pytest

from matcher.engine.commands import Command, CommandKind, MarketState
from matcher.engine.engine import Engine
from matcher.engine.events import EventKind
from matcher.engine.instructions import FLAG_SLIDES, Instructions
from tests.model import orders
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

NEVER_S = 2**32 - 1


def banded(ppm: int = 50_000, **changes: Any) -> Venue:
    return Venue(spec=spec_of(order_band_ppm=ppm, mark_band_ppm=500_000), **changes)


def capped(lots: int, **changes: Any) -> Venue:
    return Venue(spec=spec_of(open_interest_lots_max=lots, **changes))


@pytest.mark.parametrize(
    ("ppm", "mark", "side", "price", "expected"),
    [
        (50_000, 1_000, BUY, 1_050, "OK"),
        (50_000, 1_000, BUY, 1_051, "PRICE_BAND"),
        (50_000, 1_000, BUY, 1, "OK"),
        (50_000, 1_000, SELL, 950, "OK"),
        (50_000, 1_000, SELL, 949, "PRICE_BAND"),
        (50_000, 1_000, SELL, 100_000, "OK"),
        # Bounds round towards the mark: 999 * 1.05 = 1048.95, 999 * 0.95 = 949.05.
        (50_000, 999, BUY, 1_048, "OK"),
        (50_000, 999, BUY, 1_049, "PRICE_BAND"),
        (50_000, 999, SELL, 950, "OK"),
        (50_000, 999, SELL, 949, "PRICE_BAND"),
        (1, 1_000, BUY, 1_000, "OK"),
        (1, 1_000, BUY, 1_001, "PRICE_BAND"),
        (999_999, 1_000, SELL, 1, "OK"),
        (999_999, 1_000, BUY, 2_000, "PRICE_BAND"),
        (0, 1_000, BUY, 100_000, "OK"),
        (0, 1_000, SELL, 1, "OK"),
    ],
)
def test_the_last_price_that_the_band_admits(
    ppm: int, mark: int, side: int, price: int, expected: str
) -> None:
    """BAND-1."""
    v = banded(ppm, mark=mark)
    assert outcome(v.place(1, side, 1, price, 10**6)) == expected


def test_the_band_follows_the_mark_and_resting_orders_stay() -> None:
    """BAND-1: only a price row moves the bounds."""
    v = banded()
    v.rest(1, BUY, 1, 1_050, 5_000)
    v.walk(900)
    assert outcome(v.place(1, BUY, 1, 946, 5_000)) == "PRICE_BAND"
    assert outcome(v.place(1, BUY, 1, 945, 5_000)) == "OK"
    assert v.book()[0] == [(1_050, 1), (945, 1)]
    assert fills(v.place(2, SELL, 1, 1_000, 5_000)) == [(1, 1, 1_050)]


def test_without_a_price_no_order_is_taken() -> None:
    """BAND-1, ORD-1."""
    assert outcome(banded(mark=0).place(1, BUY, 1, 1_000)) == "NO_PRICE"


@pytest.mark.parametrize(("maker", "taker", "last", "limit"), [
    (SELL, BUY, 1_050, 100_000), (BUY, SELL, 950, 1)])  # fmt: skip
def test_a_market_order_stops_at_the_band(maker: int, taker: int, last: int, limit: int) -> None:
    """BAND-1: an immediate order at any price fills as far as the bound and no further."""
    v = banded()
    step = 1 if maker == SELL else -1
    v.rest(1, maker, 1, last)
    v.rest(1, maker, 1, last + step)
    events = v.place(2, taker, 2, limit, 90_000, time_in_force=IOC)
    assert fills(events) == [(1, 1, last)]
    assert story(events)[-1] == "ORDER_CANCELED IMMEDIATE_REMAINDER"
    killed = v.place(2, taker, 1, limit, 90_000, time_in_force=FOK)
    assert story(killed)[-1] == "ORDER_CANCELED FOK_NOT_FILLABLE"


def test_a_market_order_s_own_protection_is_the_nearer_one() -> None:
    """BAND-1: a limit inside the band holds."""
    v = banded()
    v.rest(1, SELL, 1, 1_020)
    assert fills(v.place(2, BUY, 1, 1_019, time_in_force=IOC)) == []
    assert fills(v.place(2, BUY, 1, 1_020, time_in_force=IOC)) == [(1, 1, 1_020)]


def test_a_post_only_order_is_judged_where_it_slides_to() -> None:
    """BAND-1, POST-1."""
    v = banded()
    v.rest(1, SELL, 1, 1_050)
    slides = {"flags": POST_ONLY, "instructions": Instructions(flags=FLAG_SLIDES)}
    assert outcome(v.place(2, BUY, 1, 1_060, 5_000, flags=POST_ONLY)) == "POST_ONLY_WOULD_TAKE"
    assert story(v.place(2, BUY, 1, 1_060, 5_000, **slides)) == [
        "ORDER_ACCEPTED", "ORDER_REPRICED"]  # fmt: skip
    assert v.book()[0] == [(1_049, 1)]


def ends_and_slides(v: Venue, order_id: int, side: int, price: int, margin: int) -> list[str]:
    """End account 1's order and place a sliding one of account 2 in one group."""
    form: dict[str, Any] = {"market_id": 1, "time_ns": v.time_ns}
    place = {
        "account": 2, "side": side, "qty_lots": 1, "price_ticks": price, "amount_quote": margin,
        "nonce": 900, "expiry_time_s": NEVER_S, "flags": POST_ONLY,
        "instructions": Instructions(flags=FLAG_SLIDES),
    }  # fmt: skip
    cancel = Command(CommandKind.CANCEL, account=1, order_id=order_id, **form)
    return story(v.group([cancel, Command(CommandKind.PLACE, **(form | place))]))


def test_what_a_post_only_order_slides_behind_may_go_with_its_group() -> None:
    """BAND-1, GRP-1: it would then rest beyond the band, at its own limit."""
    v = banded(30_000)
    bid = v.rest(1, BUY, 1, 969)
    assert ends_and_slides(v, bid, SELL, 969, 500) == [
        "ORDER_CANCELED USER_CANCELED", "ORDER_ACCEPTED", "ORDER_CANCELED PRICE_BAND"]  # fmt: skip
    assert v.book() == ([], [])
    assert outcome(v.place(2, SELL, 1, 969, 500)) == "PRICE_BAND"


def test_nor_does_it_then_rest_with_less_margin() -> None:
    """ORD-2, GRP-1: enough one tick behind the ask, too little at its limit above the mark."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000))
    ask = v.rest(1, SELL, 1, 960)
    assert outcome(v.place(2, BUY, 1, 1_100, 150, time_in_force=0)) == "INSUFFICIENT_MARGIN"
    assert ends_and_slides(v, ask, BUY, 1_100, 150) == [
        "ORDER_CANCELED USER_CANCELED", "ORDER_ACCEPTED",
        "ORDER_CANCELED INSUFFICIENT_MARGIN"]  # fmt: skip
    v.rest(1, SELL, 1, 960)
    slides = {"flags": POST_ONLY, "instructions": Instructions(flags=FLAG_SLIDES)}
    assert story(v.place(2, BUY, 1, 1_100, 150, **slides)) == ["ORDER_ACCEPTED", "ORDER_REPRICED"]


@pytest.mark.parametrize(
    ("limit", "fields", "end"),
    [
        (901, {}, []),
        (899, {}, ["ORDER_CANCELED PRICE_BAND"]),
        (1, {"time_in_force": IOC}, ["ORDER_CANCELED IMMEDIATE_REMAINDER"]),
    ],
)
def test_a_trigger_is_judged_when_it_fires(
    limit: int, fields: dict[str, Any], end: list[str]
) -> None:
    """BAND-1, TRIG-1: a stop far from the mark is admitted; the band is that of its moment."""
    stop = {"trigger_kind": 2, "trigger_price_ticks": 1_000, **fields}
    v = banded(100_000, mark=1_200)
    assert outcome(v.place(1, SELL, 1, limit, 5_000, **stop)) == "OK"
    assert story(v.walk(1_000))[-len(end) - 1 :] == ["ORDER_TRIGGERED", *end]


def test_a_replacement_and_a_group_are_judged_alike() -> None:
    """BAND-1, REP-1, GRP-1."""
    v = banded()
    old = v.rest(1, BUY, 1, 1_000)
    form: dict[str, Any] = {
        "account": 1, "side": BUY, "qty_lots": 1, "price_ticks": 1_051, "amount_quote": 5_000,
        "expiry_time_s": NEVER_S,
    }  # fmt: skip
    assert outcome(v.do(CommandKind.REPLACE, order_id=old, nonce=501, **form)) == "PRICE_BAND"
    items = [Command(CommandKind.PLACE, market_id=1, nonce=k, **form) for k in (502, 503)]
    found = story(v.group(items))
    assert found == ["ORDER_REJECTED PRICE_BAND", "ORDER_REJECTED GROUP_REJECTED"]
    assert v.engine.order(old) is not None


def test_a_restored_engine_has_the_same_band() -> None:
    """BAND-1: the bounds are part of the state."""
    v = banded()
    v.restart()
    assert outcome(v.place(1, BUY, 1, 1_051, 5_000)) == "PRICE_BAND"


# Open interest 8 of 10: buyer is long 8, seller short 8, the others flat.
OPEN_ROWS: list[tuple[str, int, int, int, list[int], str]] = [
    # name, buyer, seller, lots, lots filled, how the buyer's order ends
    ("both open", 3, 4, 5, [2], "OPEN_INTEREST_LIMIT"),
    ("both open what fits", 3, 4, 2, [2], "OK"),
    ("the buyer closes", 2, 4, 8, [8], "OK"),
    ("the buyer closes and turns", 2, 4, 12, [10], "OPEN_INTEREST_LIMIT"),
    ("the seller closes", 3, 1, 8, [8], "OK"),
    ("the seller closes and turns", 3, 1, 12, [10], "OPEN_INTEREST_LIMIT"),
    ("both close and turn", 2, 1, 20, [18], "OPEN_INTEREST_LIMIT"),
    ("both close", 2, 1, 8, [8], "OK"),
]


@pytest.mark.parametrize(("name", "buyer", "seller", "lots", "filled", "end"), OPEN_ROWS)
def test_a_fill_stays_within_the_cap(
    name: str, buyer: int, seller: int, lots: int, filled: list[int], end: str
) -> None:
    """CAP-1: as many lots as fit; nothing is in the way of who reduces."""
    v = capped(10)
    v.trade(1, 2, 8, 1_000)
    v.rest(seller, SELL, lots, 1_000)
    events = v.place(buyer, BUY, lots, 1_000)
    assert [lots for _, lots, _ in fills(events)] == filled, name
    found = [e for e in events if e.kind == EventKind.ORDER_CANCELED]
    assert (outcome(found) if found else "OK") == end
    assert v.engine.market(1).open_interest_lots <= 10


def test_at_the_cap_the_book_still_serves_those_who_leave() -> None:
    """CAP-1: orders that would open may rest; a reducing order trades with them."""
    v = capped(8)
    v.trade(1, 2, 8, 1_000)
    v.rest(3, BUY, 4, 1_000)
    assert fills(v.place(4, SELL, 4, 1_000)) == []
    assert fills(v.place(1, SELL, 4, 1_000, flags=REDUCE_ONLY)) == [(3, 4, 1_000)]
    assert v.engine.market(1).open_interest_lots == 8


def test_fill_or_kill_counts_the_cap_over_all_its_fills() -> None:
    """CAP-1, MATCH-4, MIN-1: the first fill uses what the second has not."""
    v = capped(10)
    for seller in (2, 3):
        v.rest(seller, SELL, 6, 1_000)
    assert story(v.place(1, BUY, 11, 1_000, time_in_force=FOK))[-1].endswith("FOK_NOT_FILLABLE")
    least = Instructions(min_lots=11)
    assert story(v.place(1, BUY, 12, 1_000, instructions=least))[-1].endswith("MIN_QTY_NOT_MET")
    assert fills(v.place(1, BUY, 10, 1_000, time_in_force=FOK)) == [(2, 6, 1_000), (3, 4, 1_000)]


def test_an_auction_clears_up_to_the_cap() -> None:
    """CAP-1, AUC-2: the newer order ends where the cap is met."""
    v = capped(5)
    v.set_state(MarketState.AUCTION)
    v.place(1, BUY, 8, 1_000)
    v.place(2, SELL, 8, 1_000)
    events = v.set_state(MarketState.OPEN)
    assert fills(events) == [(2, 5, 1_000)]
    assert story(events)[-1] == "ORDER_CANCELED OPEN_INTEREST_LIMIT"
    assert v.book() == ([(1_000, 3)], [])


def test_liquidation_does_not_meet_the_cap() -> None:
    """CAP-1, LIQ-2, LIQ-3: what closes by force never raises the open interest."""
    v = Venue(spec=spec_of(open_interest_lots_max=10, mark_band_ppm=500_000), fund=100_000)
    v.trade(1, 2, 10, 1_000, 1_100, 5_000)
    v.rest(3, BUY, 4, 930, 5_000)
    assert any(word.startswith("LIQUIDATION_FILL") for word in story(v.walk(925)))
    assert v.lots(1) < 10
    assert v.engine.market(1).open_interest_lots <= 10


def test_an_accounts_orders_in_all_markets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """ORD-1: 16,384 in all, but 128 in each market; on the model both are a 64th part."""
    v = Venue(cash=10**12, orders=20_000)
    engine: Any = v.engine
    scale = 1
    if not isinstance(engine, Engine):
        scale = 64
        for name in ("ORDERS_MAX", "ORDERS_FREE", "ACCOUNT_ORDERS_MAX"):
            monkeypatch.setattr(orders, name, getattr(orders, name) // scale)
    for market in range(2, 7):
        engine.list_market(spec_of(market_id=market), v.time_ns)
        v.price(1_000, market_id=market)

    def order(market: int, old: int = 0, account: int = 1) -> Command:
        v.nonce += 1
        return Command(
            CommandKind.REPLACE if old else CommandKind.PLACE, account=account, market_id=market,
            side=BUY, qty_lots=1, price_ticks=900, amount_quote=900, nonce=v.nonce, old_nonce=old,
            expiry_time_s=NEVER_S, time_ns=v.time_ns,
        )  # fmt: skip

    for market in (2, 3, 4, 5):
        told = story(v.send([order(market) for _ in range(4_096 // scale)]))
        assert set(told) == {"ORDER_ACCEPTED"}
    first = v.nonce
    free = 128 // scale
    told = story(v.send([order(6) for _ in range(free)]))
    assert told == ["ORDER_ACCEPTED"] * free
    v.restart()
    assert outcome(v.send([order(6)])) == "CAPACITY"
    assert outcome(v.send([order(6, old=v.nonce - 1)])) == "REPLACED"
    assert outcome(v.send([order(6, account=2)])) == "OK"
    assert outcome(v.send([order(1)])) == "OK"
    spare = [
        Command(CommandKind.CANCEL, account=1, market_id=5, nonce=first - k, time_ns=v.time_ns)
        for k in range(free + 2)
    ]
    v.send(spare)  # 16,383 are left
    two = [order(6), order(6)]
    assert story(v.group(two)) == ["ORDER_REJECTED GROUP_REJECTED", "ORDER_REJECTED CAPACITY"]
    assert story(v.group(two[:1])) == ["ORDER_ACCEPTED"]
    assert outcome(v.send([order(6)])) == "CAPACITY"
    assert outcome(v.send([order(6, old=two[0].nonce)])) == "REPLACED"
