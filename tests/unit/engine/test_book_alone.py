"""The book without margin: the engine's events, a list that does the same, amends in place."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from matcher.engine.book import Book
from matcher.engine.commands import FLAG_POST_ONLY, Command, CommandKind
from matcher.engine.engine import Engine
from matcher.engine.events import Event, EventKind, unpack
from matcher.engine.reject_reason import RejectReason
from tests.unit.engine.venue import BUY, FOK, GTC, IOC, NS, SELL, START_S, Venue, story

LATER_S = START_S + 1_000
TICKS_MAX = 1_000
AMEND, ORDER_AMENDED = 15, 21


def place(side: int, price: int, qty: int, **fields: int) -> Command:
    form: dict[str, Any] = {"market_id": 1, "time_ns": START_S * NS, "expiry_time_s": LATER_S}
    return Command(CommandKind.PLACE, side=side, price_ticks=price, qty_lots=qty, **(form | fields))


class Lone:
    """A book; every step checks the invariants."""

    def __init__(self, **fields: int) -> None:
        self.book = Book(TICKS_MAX, **fields)

    def do(self, command: Command) -> list[Event]:
        events = list(unpack(self.book.apply(command.pack())))
        self.book.check_invariants()
        return events

    def rest(self, side: int, price: int, qty: int, **fields: int) -> int:
        (accepted,) = self.do(place(side, price, qty, **fields))
        assert accepted.kind == EventKind.ORDER_ACCEPTED
        return accepted.order_id

    def amend(self, order_id: int, qty: int, account: int = 0) -> Event:
        command = Command(AMEND, account=account, order_id=order_id, qty_lots=qty)
        (event,) = self.do(command)
        return event


def makers(events: list[Event]) -> list[tuple[int, int]]:
    return [(e.order_id, e.qty_lots) for e in events if e.kind == EventKind.FILL]


def test_an_amend_down_keeps_its_place() -> None:
    b = Lone()
    first, second = b.rest(SELL, 100, 9), b.rest(SELL, 100, 5)
    assert makers(b.do(place(BUY, 100, 2))) == [(first, 2)]
    event = b.amend(first, 3)
    assert (event.kind, event.qty_lots, event.remaining_lots) == (ORDER_AMENDED, 3, 1)
    assert b.book.levels(5) == ([], [(100, 6)])
    assert [(o.order_id, o.qty_lots, o.remaining_lots) for o in b.book.level(SELL, 100)] == [
        (first, 3, 1), (second, 5, 5),
    ]  # fmt: skip
    assert makers(b.do(place(BUY, 100, 4))) == [(first, 1), (second, 3)]


@pytest.mark.parametrize("qty", [0, 2, 10, 2**32 - 1])
def test_an_amend_to_what_is_filled_or_to_more_is_refused(qty: int) -> None:
    b = Lone()
    order = b.rest(SELL, 100, 9)
    b.do(place(BUY, 100, 2))
    event = b.amend(order, qty)
    assert (event.kind, event.reason) == (
        EventKind.COMMAND_REJECTED, RejectReason.QTY_OUT_OF_RANGE,
    )  # fmt: skip
    assert b.book.levels(1) == ([], [(100, 7)])


def test_only_the_owner_cancels_and_amends() -> None:
    b = Lone()
    order = b.rest(BUY, 100, 9, account=7)
    assert b.amend(order, 3, account=8).reason == RejectReason.ORDER_UNKNOWN
    (event,) = b.do(Command(CommandKind.CANCEL, order_id=order, account=8))
    assert event.reason == RejectReason.ORDER_UNKNOWN
    (event,) = b.do(Command(CommandKind.CANCEL, order_id=order, account=7))
    assert event.kind == EventKind.ORDER_CANCELED
    (event,) = b.do(Command(CommandKind.CANCEL, order_id=order, account=7))
    assert event.reason == RejectReason.ORDER_UNKNOWN
    assert b.book.order(order) is None


def test_owners_do_not_meet_themselves_but_nobody_may() -> None:
    """MATCH-3."""
    b = Lone()
    b.rest(SELL, 100, 1, account=7)
    assert story(b.do(place(BUY, 100, 1, account=7)))[-1] == "ORDER_CANCELED SELF_TRADE"
    assert b.book.levels(1) == ([], [(100, 1)])
    nobody = Lone()
    order = nobody.rest(SELL, 100, 1)
    assert makers(nobody.do(place(BUY, 100, 1))) == [(order, 1)]


def test_expired_orders_do_not_trade_and_are_swept() -> None:
    b = Lone()
    b.rest(SELL, 100, 1)
    late = {"time_ns": LATER_S * NS, "expiry_time_s": LATER_S + 1}
    assert story(b.do(place(BUY, 100, 1, **late))) == ["ORDER_ACCEPTED", "ORDER_CANCELED EXPIRED"]
    (event,) = b.do(Command(CommandKind.TICK, time_ns=(LATER_S + 1) * NS))
    assert (event.kind, event.reason) == (EventKind.ORDER_CANCELED, RejectReason.EXPIRED)
    assert b.book.order_count == 0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"market_id": 2}, RejectReason.MARKET_UNKNOWN),
        ({"expiry_time_s": START_S}, RejectReason.EXPIRED),
        ({"qty": 0}, RejectReason.QTY_OUT_OF_RANGE),
        ({"qty": 2**32 - 1}, RejectReason.QTY_OUT_OF_RANGE),
        ({"price": 0}, RejectReason.PRICE_OUT_OF_RANGE),
        ({"price": TICKS_MAX + 1}, RejectReason.PRICE_OUT_OF_RANGE),
        ({"side": 2}, RejectReason.SIDE_MISMATCH),
        ({"time_in_force": 3}, RejectReason.TIME_IN_FORCE),
        ({"flags": 2}, RejectReason.TIME_IN_FORCE),
        ({"trigger_kind": 1}, RejectReason.TIME_IN_FORCE),
        ({"flags": FLAG_POST_ONLY, "time_in_force": IOC}, RejectReason.TIME_IN_FORCE),
        ({"flags": FLAG_POST_ONLY}, RejectReason.POST_ONLY_WOULD_TAKE),
    ],
)
def test_refusals(fields: dict[str, int], reason: RejectReason) -> None:
    b = Lone()
    b.rest(SELL, 100, 1)
    before = b.book.levels(1), b.book.order_count
    form = {"side": BUY, "price": 100, "qty": 1} | fields
    (event,) = b.do(place(**form))
    assert (event.kind, RejectReason(event.reason)) == (EventKind.ORDER_REJECTED, reason)
    assert (b.book.levels(1), b.book.order_count) == before


def test_capacity_is_a_refusal() -> None:
    b = Lone(order_count_max=1)
    b.rest(SELL, 100, 1)
    (event,) = b.do(place(SELL, 100, 1))
    assert event.reason == RejectReason.CAPACITY


@pytest.mark.parametrize(
    ("records", "message"), [(bytes(63), "whole records"), (b"\x01" + bytes(63), "no kind 1")]
)
def test_what_is_no_command_of_a_book_is_an_error(records: bytes, message: str) -> None:
    b = Lone()
    with pytest.raises(ValueError, match=message):
        b.book.apply(records)
    assert b.book.seq == 0


def drawn(random: Random, live: list[tuple[int, int]], nonce: int) -> Command:
    """Draw a command: orders close to 500, cancels and amends of live orders."""
    if live and random.random() < 0.3:
        order_id, owner = random.choice(live)
        return Command(CommandKind.CANCEL, order_id=order_id, account=owner, market_id=1)
    tif = random.choice([GTC, GTC, GTC, GTC, IOC, FOK])
    flags = FLAG_POST_ONLY if tif == GTC and random.random() < 0.1 else 0
    side, price = random.choice([BUY, SELL]), random.randint(490, 510)
    fields = {"time_in_force": tif, "flags": flags, "nonce": nonce}
    return place(
        side, price, random.randint(1, 9), account=random.randint(1, 6), amount_quote=10**5,
        **fields,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_the_engine_gives_the_same_events(seed: int) -> None:
    """MATCH-1, MATCH-3, MATCH-4: one matching, compiled twice."""
    random, venue, book = Random(seed), Venue(cash=10**12, mark=500), Book(100_000)
    engine: Engine = venue.engine
    engine.apply_one(place(BUY, 1, 1, account=1, nonce=10**6, amount_quote=10**5))
    book.apply(place(BUY, 1, 1, account=1, nonce=10**6, amount_quote=10**5).pack())
    live: list[tuple[int, int]] = []
    for nonce in range(1, 3_000):
        record = drawn(random, live, nonce).pack()
        expected = [e._replace(amount_2_quote=0) for e in unpack(engine.apply(record))]
        found = list(unpack(book.apply(record)))
        assert found == expected, nonce
        live += [(e.order_id, e.account) for e in found if e.kind == EventKind.ORDER_ACCEPTED]
        live = [pair for pair in live if book.order(pair[0])]
    book.check_invariants()
    engine.check_invariants()
    assert book.levels(50) == engine.book(1, 50)
    assert book.order_count == engine.order_count


@pytest.mark.parametrize("seed", range(4))
def test_a_sorted_list_does_the_same(seed: int) -> None:
    """MATCH-1: the queue is price, then time of arrival; amends keep the place."""
    random, b = Random(seed), Lone()
    queue: list[list[int]] = []  # side, key of price, id, left; in order of arrival
    for _ in range(1_500):
        draw = random.random()
        if queue and draw < 0.3:
            entry = random.choice(queue)
            if draw < 0.15:
                b.do(Command(CommandKind.CANCEL, order_id=entry[2]))
                queue.remove(entry)
            elif entry[3] > 1:
                order = b.book.order(entry[2])
                assert order is not None
                cut = random.randint(1, entry[3] - 1)
                b.amend(entry[2], order.qty_lots - cut)
                entry[3] -= cut
            continue
        side, price, qty = random.choice([BUY, SELL]), random.randint(95, 105), random.randint(1, 9)
        events = b.do(place(side, price, qty))
        expected = []
        for entry in sorted((e for e in queue if e[0] != side), key=lambda e: e[1]):
            crosses = abs(entry[1]) <= price if side == BUY else abs(entry[1]) >= price
            if qty and crosses:
                lots = min(qty, entry[3])
                expected.append((entry[2], lots))
                entry[3] -= lots
                qty -= lots
        queue = [entry for entry in queue if entry[3]]
        assert makers(events) == expected
        if qty:
            queue.append([side, -price if side == BUY else price, events[0].order_id, qty])
    assert b.book.order_count == len(queue)


def test_the_same_commands_give_the_same_state() -> None:
    def run(split: int) -> bytes:
        random, book = Random(5), Book(TICKS_MAX)
        whole = b"".join(drawn(random, [], n).pack() for n in range(200))
        for at in range(0, len(whole), 64 * split):
            book.apply(whole[at : at + 64 * split])
        return book.state_hash()

    assert run(1) == run(7) == run(200)
