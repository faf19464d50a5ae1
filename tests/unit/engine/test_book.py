"""The book: price, then time; levels, neighbours, and the bugs that real engines have had."""

from __future__ import annotations

from random import Random

import pytest

from matcher.engine.commands import CommandKind
from tests.unit.engine.venue import (
    BUY,
    FOK,
    IOC,
    SELL,
    Venue,
    fills,
    outcome,
    spec_of,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")

TICKS_MAX = 2**27 - 1  # the largest that a market may have


def test_best_price_first_then_first_in_first_out() -> None:
    """MATCH-1."""
    v = Venue()
    for account, price in ((1, 1_001), (2, 1_000), (3, 1_000), (4, 999), (2, 999)):
        v.rest(account, SELL, 2, price)
    assert v.book() == ([], [(999, 4), (1_000, 4), (1_001, 2)])
    events = v.place(5, BUY, 9, 1_001)
    expected = [(4, 2, 999), (2, 2, 999), (2, 2, 1_000), (3, 2, 1_000), (1, 1, 1_001)]
    assert fills(events) == expected
    assert v.book() == ([], [(1_001, 1)])


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_fill_happens_at_the_resting_price_for_both(side: int) -> None:
    """MATCH-1: not at the taker's limit, on neither side."""
    v = Venue()
    v.rest(1, side, 3, 1_000)
    events = v.place(2, 1 - side, 3, 950 if side == BUY else 1_050)
    assert fills(events) == [(1, 3, 1_000)]
    for account in (1, 2):
        position = v.engine.position(account, 1)
        assert position is not None
        assert position.entry_value_quote == 3_000
    assert v.engine.market(1).last_price_ticks == 1_000


@pytest.mark.parametrize("gone", [0, 1, 2, 3])
def test_a_cancel_keeps_the_queue_behind_it(gone: int) -> None:
    """MATCH-1: head, middle or tail may go; the others keep their turn."""
    v = Venue()
    ids = [v.rest(account, SELL, 1, 1_000) for account in (1, 2, 3, 4)]
    assert story(v.cancel(gone + 1, ids[gone])) == ["ORDER_CANCELED USER_CANCELED"]
    assert v.book() == ([], [(1_000, 3)])
    left = [account for account in (1, 2, 3, 4) if account != gone + 1]
    assert fills(v.place(5, BUY, 9, 1_000)) == [(account, 1, 1_000) for account in left]
    assert v.book() == ([(1_000, 6)], [])


def test_who_comes_back_queues_at_the_end() -> None:
    """MATCH-1: time priority is lost with a cancel, and not given to the last."""
    v = Venue()
    first = v.rest(1, SELL, 1, 1_000)
    v.rest(2, SELL, 1, 1_000)
    v.cancel(1, first)
    v.rest(1, SELL, 1, 1_000)
    assert fills(v.place(3, BUY, 2, 1_000)) == [(2, 1, 1_000), (1, 1, 1_000)]


def test_a_partial_fill_keeps_the_turn() -> None:
    """MATCH-1: what is left of the first order stays the first."""
    v = Venue()
    v.rest(1, SELL, 5, 1_000)
    v.rest(2, SELL, 5, 1_000)
    v.place(3, BUY, 3, 1_000)
    assert v.book() == ([], [(1_000, 7)])
    assert fills(v.place(3, BUY, 4, 1_000)) == [(1, 2, 1_000), (2, 2, 1_000)]


def test_an_emptied_best_level_is_gone() -> None:
    """MATCH-1: by cancel and by fill; the next one is the best, and takes part at once."""
    v = Venue()
    best = v.rest(1, SELL, 1, 1_000)
    v.rest(2, SELL, 1, 1_010)
    v.rest(3, SELL, 1, 1_020)
    v.cancel(1, best)
    assert v.engine.market(1).best_ask_ticks == 1_010
    assert fills(v.place(4, BUY, 1, 1_010)) == [(2, 1, 1_010)]
    assert v.engine.market(1).best_ask_ticks == 1_020
    assert story(v.place(4, BUY, 1, 1_015)) == ["ORDER_ACCEPTED"]
    assert v.book() == ([(1_015, 1)], [(1_020, 1)])
    v.place(4, BUY, 1, 1_020)
    assert v.book() == ([(1_015, 1)], [])
    assert v.engine.market(1).best_ask_ticks == 0


@pytest.mark.parametrize("ticks_max", [100, 4_095, 2**18, 2**24 - 1, TICKS_MAX])
def test_the_best_after_a_removal_is_the_true_neighbour(ticks_max: int) -> None:
    """MATCH-1: against a sorted dictionary after every operation, at every scale of price."""
    rng = Random(ticks_max)
    v = Venue(spec=spec_of(price_ticks_max=ticks_max, position_lots_max=2**32), cash=0, mark=0)
    v.deposit(1, 2**59)
    v.price(ticks_max // 2)
    edges = [64, 4_096, 2**18, 2**24, 2**26, ticks_max // 2]
    books: list[dict[int, list[int]]] = [{}, {}]
    for _ in range(400):
        side = rng.randrange(2)
        if books[side] and rng.random() < 0.5:
            choose = rng.choice((min, max, lambda prices: rng.choice(list(prices))))
            price = choose(books[side])
            v.cancel(1, books[side][price].pop(rng.randrange(len(books[side][price]))))
            if not books[side][price]:
                del books[side][price]
        else:
            price = rng.choice((rng.choice(edges) + rng.randint(-2, 2), rng.randint(1, ticks_max)))
            price = max(1, min(ticks_max, price))
            bid, ask = max(books[0], default=0), min(books[1], default=ticks_max + 1)
            if price >= ask if side == BUY else price <= bid:
                continue
            order_id = v.rest(1, side, 1, price, margin=2**31)
            books[side].setdefault(price, []).append(order_id)
        found = v.book(1_000)
        for k, book in enumerate(books):
            levels = [(p, len(ids)) for p, ids in sorted(book.items(), reverse=k == BUY)]
            assert found[k] == levels
        m = v.engine.market(1)
        assert m.best_bid_ticks == max(books[0], default=0)
        assert m.best_ask_ticks == min(books[1], default=0)


def test_a_sweep_crosses_many_levels_and_leaves_nothing_behind() -> None:
    """MATCH-1: levels end while they are walked; new orders at the same prices start afresh."""
    v = Venue()
    for price in range(1_000, 1_050):
        v.rest(1 + price % 4, SELL, 2, price)
    events = v.place(6, BUY, 99, 1_060)
    assert len(fills(events)) == 50
    assert [price for _, _, price in fills(events)] == list(range(1_000, 1_050))
    assert v.book() == ([], [(1_049, 1)])
    v.rest(5, SELL, 1, 1_010)
    assert fills(v.place(6, BUY, 2, 1_060)) == [(5, 1, 1_010), (1 + 1_049 % 4, 1, 1_049)]


def test_a_sweep_goes_on_behind_a_level_that_dies_under_it() -> None:
    """MATCH-2: every order of a level is cancelled on the way; the next level fills."""
    v = Venue(spec=spec_of(position_lots_max=5))
    for account in (1, 2):
        v.rest(account, SELL, 1, 1_000)
        v.trade(4 + account, account, 5, 990)
    v.rest(3, SELL, 1, 1_001)
    assert story(v.place(4, BUY, 2, 1_001)) == [
        "ORDER_ACCEPTED",
        "ORDER_CANCELED POSITION_LIMIT",
        "ORDER_CANCELED POSITION_LIMIT",
        "FILL",
    ]
    assert v.book() == ([(1_001, 1)], [])


def test_what_is_left_of_a_crossing_order_rests_uncrossed() -> None:
    """MATCH-1, MATCH-4: the book is never crossed."""
    v = Venue()
    v.rest(1, SELL, 2, 1_000)
    v.rest(2, SELL, 2, 1_005)
    assert fills(v.place(3, BUY, 5, 1_003)) == [(1, 2, 1_000)]
    assert v.book() == ([(1_003, 3)], [(1_005, 2)])


def test_a_limit_is_not_walked_through() -> None:
    """MATCH-1: neither by a resting nor by an immediate order."""
    v = Venue()
    v.rest(1, SELL, 1, 1_000)
    v.rest(2, SELL, 1, 1_001)
    events = v.place(3, BUY, 5, 1_000, time_in_force=IOC)
    assert story(events) == ["ORDER_ACCEPTED", "FILL", "ORDER_CANCELED IMMEDIATE_REMAINDER"]
    assert events[-1].remaining_lots == 4
    assert v.book() == ([], [(1_001, 1)])


def test_a_replaced_order_matches_and_its_sibling_stays() -> None:
    """MATCH-1: to change a price is to cancel and to place: a crossing price matches at once."""
    v = Venue()
    mine = v.rest(1, BUY, 5, 990)
    v.rest(2, BUY, 5, 990)
    v.rest(3, SELL, 2, 1_000)
    v.cancel(1, mine)
    assert fills(v.place(1, BUY, 5, 1_000)) == [(3, 2, 1_000)]
    assert v.book() == ([(1_000, 3), (990, 5)], [])


def test_a_part_filled_order_is_cancelled_with_what_is_left() -> None:
    """MATCH-4."""
    v = Venue()
    mine = v.rest(1, SELL, 5, 1_000)
    v.place(2, BUY, 2, 1_000)
    shown = v.engine.order(mine)
    assert shown is not None
    assert (shown.qty_lots, shown.remaining_lots) == (5, 3)
    (event,) = v.cancel(1, mine)
    assert (event.remaining_lots, event.qty_lots) == (3, 5)
    assert v.book() == ([], [])


@pytest.mark.engine_alone
def test_a_filled_order_cannot_be_cancelled() -> None:
    """SPEC §6 ORDER_UNKNOWN: by id and by nonce, also when its slot has a new owner."""
    v = Venue()
    mine = v.rest(1, SELL, 5, 1_000)
    nonce = v.nonce
    v.place(2, BUY, 5, 1_000)
    v.rest(3, SELL, 5, 1_010)
    other = v.rest(3, SELL, 5, 1_010)
    assert other & (2**28 - 1) == mine & (2**28 - 1), "the slot is used again"
    assert other > mine, "the id is not"
    assert outcome(v.cancel(1, mine)) == "ORDER_UNKNOWN"
    assert outcome(v.do(CommandKind.CANCEL, account=1, nonce=nonce)) == "ORDER_UNKNOWN"
    assert v.engine.order(mine) is None
    assert v.engine.order_id(1, nonce) == 0
    assert v.book() == ([], [(1_010, 10)])


def test_slots_are_used_again() -> None:
    """ORD-1: three slots are enough for any number of orders, one after another."""
    v = Venue(orders=3)
    ids = set()
    for k in range(200):
        order_id = v.rest(1, BUY, 1, 900 + k % 7)
        v.rest(2, SELL, 1, 1_000)
        v.place(3, BUY, 1, 1_000, time_in_force=IOC)
        v.cancel(1, order_id)
        ids.add(order_id)
    assert len(ids) == 200
    assert v.engine.order_count == 0


def test_a_fok_order_looks_at_every_level() -> None:
    """MATCH-4: three levels hold it; without the last lot nothing happens at all."""
    v = Venue()
    for account, price in ((1, 1_000), (2, 1_001), (3, 1_002)):
        v.rest(account, SELL, 2, price)
    refused = v.place(4, BUY, 7, 1_002, time_in_force=FOK)
    assert story(refused) == ["ORDER_ACCEPTED", "ORDER_CANCELED FOK_NOT_FILLABLE"]
    refused = v.place(4, BUY, 6, 1_001, time_in_force=FOK)
    assert story(refused) == ["ORDER_ACCEPTED", "ORDER_CANCELED FOK_NOT_FILLABLE"]
    assert v.book() == ([], [(1_000, 2), (1_001, 2), (1_002, 2)])
    filled = v.place(4, BUY, 6, 1_002, time_in_force=FOK)
    assert [lots for _, lots, _ in fills(filled)] == [2, 2, 2]
    assert v.book() == ([], [])


def test_a_market_order_never_rests() -> None:
    """MATCH-4: an IOC order with a protection price; what is left is at no price, not at an end."""
    v = Venue()
    v.rest(1, SELL, 2, 1_000)
    v.rest(2, SELL, 2, 1_100)
    events = v.place(3, BUY, 10, 1_050, time_in_force=IOC)
    assert fills(events) == [(1, 2, 1_000)]
    assert v.book() == ([], [(1_100, 2)])
    events = v.place(3, SELL, 1, 1, time_in_force=IOC, margin=300)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_CANCELED IMMEDIATE_REMAINDER"]
    assert v.book() == ([], [(1_100, 2)])
    assert v.engine.order_count == 1


def test_orders_of_two_markets_do_not_meet() -> None:
    """MATCH-1: one book a market; a cancel by nonce finds its order in either."""
    v = Venue()
    v.engine.list_market(spec_of(market_id=2), v.time_ns)
    v.price(1_000, market_id=2)
    v.rest(1, SELL, 2, 1_000)
    nonce = v.nonce
    v.place(2, BUY, 3, 1_010, market_id=2)
    assert v.book() == ([], [(1_000, 2)])
    assert v.engine.book(2, 9) == ([(1_010, 3)], [])
    assert v.engine.order_id(1, nonce) == v.engine.open_orders(1)[0]
    assert len(v.engine.open_orders(2)) == 1
