"""Bugs that matching engines of others have had, one test each: none of them is here."""

from __future__ import annotations

from collections import defaultdict, deque
from random import Random

import pytest

from matcher.engine.book import Book
from matcher.engine.commands import TIF_GTC, Command, CommandKind
from matcher.engine.events import Event, EventKind, unpack
from matcher.engine.instructions import FLAG_ON_LAST, Instructions
from tests.unit.engine.venue import BUY, FOK, IOC, SELL, Venue, fills, outcome, story

pytestmark = pytest.mark.usefixtures("on_both")

LATER_S = 2**32 - 1


def test_a_cancel_in_the_middle_of_a_queue_keeps_those_behind() -> None:
    venue = Venue()
    venue.rest(1, SELL, 1, 1_000)
    middle = venue.rest(2, SELL, 2, 1_000)
    venue.rest(3, SELL, 3, 1_000)
    venue.cancel(2, middle)
    assert venue.book()[1] == [(1_000, 4)]
    assert fills(venue.place(4, BUY, 4, 1_000)) == [(1, 1, 1_000), (3, 3, 1_000)]


def test_a_cancel_of_the_first_or_the_last_keeps_the_others() -> None:
    venue = Venue()
    first = venue.rest(1, SELL, 1, 1_000)
    venue.rest(2, SELL, 2, 1_000)
    last = venue.rest(3, SELL, 3, 1_000)
    venue.cancel(1, first)
    venue.cancel(3, last)
    venue.rest(5, SELL, 5, 1_000)
    assert fills(venue.place(4, BUY, 7, 1_000)) == [(2, 2, 1_000), (5, 5, 1_000)]


def test_a_best_level_that_a_fill_empties_is_gone() -> None:
    venue = Venue()
    venue.rest(1, SELL, 1, 1_000)
    venue.rest(1, SELL, 1, 1_005)
    venue.place(2, BUY, 1, 1_000)
    assert venue.book() == ([], [(1_005, 1)])
    assert venue.engine.market(1).best_ask_ticks == 1_005


def test_a_best_level_that_a_cancel_empties_is_gone() -> None:
    venue = Venue()
    best = venue.rest(1, BUY, 1, 1_000)
    venue.rest(1, BUY, 1, 990)
    venue.cancel(1, best)
    assert venue.engine.market(1).best_bid_ticks == 990
    assert fills(venue.place(2, SELL, 2, 990)) == [(1, 1, 990)]


@pytest.mark.parametrize(("maker", "taker", "limit"), [(SELL, BUY, 1_010), (BUY, SELL, 990)])
def test_trades_are_at_the_maker_s_price_on_both_sides(maker: int, taker: int, limit: int) -> None:
    venue = Venue()
    venue.rest(1, maker, 2, 1_000)
    assert fills(venue.place(2, taker, 2, limit)) == [(1, 2, 1_000)]
    assert venue.engine.market(1).last_price_ticks == 1_000


def test_a_partly_filled_order_is_amended_by_its_total() -> None:
    """Twelve of twenty are filled: a new total of fifteen leaves three, not fifteen."""
    book = Book(2_000)
    [sell] = placed(book, SELL, 20, 1_000)
    placed(book, BUY, 12, 1_000)
    book.apply(Command(CommandKind.AMEND, order_id=sell.order_id, qty_lots=15).pack())
    assert book.levels(9) == ([], [(1_000, 3)])
    [refused] = unpack(
        book.apply(Command(CommandKind.AMEND, order_id=sell.order_id, qty_lots=12).pack())
    )
    assert refused.kind == EventKind.COMMAND_REJECTED, "nothing would be left"


def test_a_filled_order_cannot_be_cancelled() -> None:
    venue = Venue()
    order_id = venue.rest(1, SELL, 1, 1_000)
    venue.place(2, BUY, 1, 1_000)
    assert story(venue.cancel(1, order_id)) == ["COMMAND_REJECTED ORDER_UNKNOWN"]


def test_an_old_id_never_names_the_slot_s_next_order() -> None:
    venue = Venue(orders=1)
    old = venue.rest(1, SELL, 1, 1_000)
    venue.cancel(1, old)
    new = venue.rest(1, SELL, 1, 1_000)
    assert old != new
    assert outcome(venue.cancel(1, old)) == "ORDER_UNKNOWN"
    assert venue.engine.order(new) is not None
    assert venue.engine.order(old) is None


def test_slots_are_used_again_for_ever() -> None:
    venue = Venue(orders=2)
    for _ in range(50):
        venue.cancel(1, venue.rest(1, SELL, 1, 1_000))
        venue.rest(1, SELL, 1, 1_000)
        venue.place(2, BUY, 1, 1_000)
    assert venue.engine.order_count == 0


def test_what_an_immediate_order_does_not_fill_never_rests() -> None:
    venue = Venue()
    venue.rest(1, SELL, 1, 1_000)
    events = venue.place(2, BUY, 3, 1_000, time_in_force=IOC)
    assert story(events)[-1] == "ORDER_CANCELED IMMEDIATE_REMAINDER"
    assert venue.book() == ([], [])
    assert venue.engine.order_count == 0


def test_an_order_at_any_price_leaves_nothing_at_that_price() -> None:
    """A market order is an immediate one at the worst price that it accepts."""
    venue = Venue()
    venue.rest(1, BUY, 1, 1_000)
    venue.place(2, SELL, 3, 1, 3_000, time_in_force=IOC)
    assert venue.book() == ([], [])


@pytest.mark.parametrize(("maker", "taker"), [(SELL, BUY), (BUY, SELL)])
def test_a_limit_does_not_walk_through_its_own_price(maker: int, taker: int) -> None:
    step = 1 if maker == SELL else -1
    venue = Venue()
    for k in range(3):
        venue.rest(1, maker, 1, 1_000 + k * step)
    events = venue.place(2, taker, 3, 1_000 + step)
    assert [price for _, _, price in fills(events)] == [1_000, 1_000 + step]
    assert venue.book()[1 - taker] == [(1_000 + 2 * step, 1)]
    assert venue.book()[taker] == [(1_000 + step, 1)]


def test_fill_or_kill_counts_every_level_that_it_reaches() -> None:
    venue = Venue()
    for k in range(3):
        venue.rest(1, SELL, 2, 1_000 + k)
    assert story(venue.place(2, BUY, 5, 1_001, time_in_force=FOK))[-1].endswith("FOK_NOT_FILLABLE")
    assert fills(venue.place(2, BUY, 5, 1_002, time_in_force=FOK)) == [
        (1, 2, 1_000), (1, 2, 1_001), (1, 1, 1_002)
    ]  # fmt: skip


def test_one_tick_fires_stops_of_every_price_that_it_passes() -> None:
    venue = Venue()
    venue.rest(1, SELL, 10, 1_001)
    for price in (1_001, 1_002, 1_003):
        venue.place(2, BUY, 1, 1_002, trigger_kind=1, trigger_price_ticks=price)
    events = venue.price(1_040)
    assert venue.mark >= 1_003
    assert [word for word in story(events) if word in ("ORDER_TRIGGERED", "FILL")] == [
        "ORDER_TRIGGERED", "FILL"] * 3  # fmt: skip
    assert fills(events) == [(1, 1, 1_001)] * 3


def test_no_trade_is_of_nothing() -> None:
    venue = Venue()
    venue.rest(1, SELL, 1, 1_000)
    assert outcome(venue.place(2, BUY, 0, 1_000)) == "QTY_OUT_OF_RANGE"
    venue.place(2, BUY, 1, 1_000)
    assert fills(venue.place(3, BUY, 1, 1_000)) == []


def test_equal_prices_trade_first_in_first_out() -> None:
    venue = Venue()
    for account in (3, 1, 2):
        venue.rest(account, BUY, 1, 1_000)
    assert [maker for maker, _, _ in fills(venue.place(4, SELL, 3, 1_000))] == [3, 1, 2]


def test_the_level_of_a_partial_fill_keeps_its_place_in_time() -> None:
    venue = Venue()
    venue.rest(1, BUY, 5, 1_000)
    venue.rest(2, BUY, 5, 1_000)
    venue.place(3, SELL, 2, 1_000)
    assert fills(venue.place(3, SELL, 4, 1_000)) == [(1, 3, 1_000), (2, 1, 1_000)]


def test_a_sweep_of_many_levels_meets_each_order_once() -> None:
    """Levels are emptied while the sweep walks over them."""
    venue = Venue()
    expected = []
    for k in range(40):
        venue.rest(1 + k % 3, SELL, 1 + k % 2, 1_000 + k // 2, 400)
        expected.append((1 + k % 3, 1 + k % 2, 1_000 + k // 2))
    assert fills(venue.place(4, BUY, 60, 1_050)) == expected
    assert venue.book() == ([], [])


def replaced(venue: Venue, account: int, old: int, side: int, qty: int, price: int) -> list[Event]:
    """Replace an order by one at another price."""
    venue.nonce += 1
    return venue.do(
        CommandKind.REPLACE, account=account, order_id=old, side=side, qty_lots=qty,
        price_ticks=price, amount_quote=qty * price // 5, nonce=venue.nonce, expiry_time_s=LATER_S,
    )  # fmt: skip


def test_an_order_that_is_moved_across_the_book_trades() -> None:
    """It does not come to rest on the other side's prices; only what is left of it rests."""
    venue = Venue()
    venue.rest(1, SELL, 2, 1_005)
    bid = venue.rest(2, BUY, 5, 995)
    assert fills(replaced(venue, 2, bid, BUY, 5, 1_005)) == [(1, 2, 1_005)]
    assert venue.book() == ([(1_005, 3)], [])


def test_an_order_that_is_moved_leaves_its_neighbours_in_their_queue() -> None:
    """The first, the middle and the last of a level go elsewhere in turn."""
    for moved in range(3):
        venue = Venue()
        ids = [venue.rest(1 + k, SELL, 1 + k, 1_000) for k in range(3)]
        replaced(venue, 1 + moved, ids[moved], SELL, 1 + moved, 1_010)
        stay = [(1 + k, 1 + k, 1_000) for k in range(3) if k != moved]
        assert fills(venue.place(4, BUY, 6, 1_010)) == [*stay, (1 + moved, 1 + moved, 1_010)]


def test_an_order_that_is_moved_and_back_is_the_last_of_its_level() -> None:
    venue = Venue()
    first = venue.rest(1, SELL, 1, 1_000)
    venue.rest(2, SELL, 1, 1_000)
    there = replaced(venue, 1, first, SELL, 1, 1_001)[-1].order_id
    replaced(venue, 1, there, SELL, 1, 1_000)
    assert [maker for maker, _, _ in fills(venue.place(4, BUY, 2, 1_000))] == [2, 1]


def test_a_replacement_of_a_filled_order_does_not_fill_twice() -> None:
    """The fill and the replacement cross on the way: the guard tells them apart."""
    venue = Venue()
    old = venue.rest(1, SELL, 5, 1_000)
    venue.place(2, BUY, 5, 1_000)
    assert outcome(replaced(venue, 1, old, SELL, 5, 1_001)) == "ORDER_UNKNOWN"
    half = venue.rest(1, SELL, 5, 1_000)
    venue.place(2, BUY, 3, 1_000)
    guarded = venue.do(
        CommandKind.REPLACE, account=1, order_id=half, side=SELL, qty_lots=5, price_ticks=1_001,
        amount_quote=1_001, nonce=9_001, expiry_time_s=LATER_S, unfilled_lots=5,
    )  # fmt: skip
    assert outcome(guarded) == "UNFILLED_MISMATCH"
    assert venue.book()[1] == [(1_000, 2)]


def test_a_stop_that_trades_fires_the_next_one_to_the_end() -> None:
    """A cascade is not cut after one pass: each stop's fill makes the next one due."""
    venue = Venue()
    for k in range(10):
        venue.rest(1, SELL, 1, 1_000 + k)
    on_last = Instructions(flags=FLAG_ON_LAST)
    for k in range(1, 10):
        venue.place(
            2, BUY, 1, 1_020, trigger_kind=3, trigger_price_ticks=1_000 + k - 1,
            instructions=on_last,
        )  # fmt: skip
    events = venue.place(3, BUY, 1, 1_000)
    assert [price for _, _, price in fills(events)] == [1_000 + k for k in range(10)]
    assert venue.engine.order_count == 0


def test_a_cascade_that_finds_no_book_ends() -> None:
    """Stops that nothing can fill are ended, not left between trigger and book."""
    venue = Venue()
    venue.rest(1, SELL, 1, 1_000)
    on_last = Instructions(flags=FLAG_ON_LAST)
    for _ in range(3):
        venue.place(
            2, BUY, 1, 1_020, trigger_kind=3, trigger_price_ticks=1_000, instructions=on_last,
            time_in_force=IOC,
        )  # fmt: skip
    events = story(venue.place(3, BUY, 1, 1_000))
    assert events.count("ORDER_TRIGGERED") == 3
    assert events.count("ORDER_CANCELED IMMEDIATE_REMAINDER") == 3
    assert venue.engine.order_count == 0


def test_an_iceberg_never_shows_or_fills_more_than_is_left() -> None:
    """The last part is what remains, and its level is gone with it."""
    venue = Venue()
    venue.rest(1, SELL, 7, 1_000, instructions=Instructions(display_lots=3))
    shown = []
    while venue.book()[1]:
        shown += [lots for _, lots in venue.book()[1]]
        venue.place(2, BUY, shown[-1], 1_000)
    assert shown == [3, 3, 1]
    assert venue.engine.order_count == 0


def placed(book: Book, side: int, lots: int, price: int) -> list[Event]:
    """Place a limit order in a book alone; return its acceptance and its fills."""
    command = Command(
        CommandKind.PLACE, market_id=1, side=side, time_in_force=TIF_GTC, price_ticks=price,
        qty_lots=lots, expiry_time_s=LATER_S,
    )  # fmt: skip
    return list(unpack(book.apply(command.pack())))


class Naive:
    """A book of queues in dictionaries; the best price is searched anew each time."""

    def __init__(self) -> None:
        self.sides: tuple[dict[int, deque[list[int]]], ...] = (
            defaultdict(deque), defaultdict(deque)
        )  # fmt: skip

    def place(self, order_id: int, side: int, lots: int, price: int) -> list[tuple[int, int, int]]:
        found = []
        while lots:
            prices = [p for p, queue in self.sides[1 - side].items() if queue]
            best = (max(prices) if side else min(prices)) if prices else None
            if best is None or (best < price if side else best > price):
                self.sides[side][price].append([order_id, lots])
                break
            maker = self.sides[1 - side][best][0]
            part = min(lots, maker[1])
            found.append((maker[0], part, best))
            lots -= part
            maker[1] -= part
            if maker[1] == 0:
                self.sides[1 - side][best].popleft()
        return found

    def cancel(self, order_id: int) -> bool:
        for side in self.sides:
            for queue in side.values():
                for order in queue:
                    if order[0] == order_id:
                        queue.remove(order)
                        return True
        return False

    def levels(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        bids, asks = (
            [(price, sum(lots for _, lots in queue)) for price, queue in side.items() if queue]
            for side in self.sides
        )
        return sorted(bids, reverse=True), sorted(asks)


@pytest.mark.parametrize("width", [3, 70, 5_000])
def test_the_level_behind_an_emptied_one_is_the_true_neighbour(width: int) -> None:
    """Against queues in dictionaries after each command, levels near and far apart."""
    rng, book, naive = Random(width), Book(400_000, order_count_max=500), Naive()
    ids: list[int] = []
    for _ in range(1_500):
        if ids and rng.random() < 0.45:
            order_id = ids.pop(rng.randrange(len(ids)))
            [done] = unpack(book.apply(Command(CommandKind.CANCEL, order_id=order_id).pack()))
            assert (done.kind == EventKind.ORDER_CANCELED) == naive.cancel(order_id)
        else:
            side = rng.randrange(2)
            price = 200_000 + round(rng.gauss(0, 1) * width) + (width if side else -width)
            accepted, *found = placed(book, side, rng.randint(1, 9), price)
            ids.append(accepted.order_id)
            expected = naive.place(accepted.order_id, side, accepted.qty_lots, price)
            assert [(e.order_id, e.qty_lots, e.price_ticks) for e in found] == expected
        assert book.levels(500) == naive.levels()
    book.check_invariants()
