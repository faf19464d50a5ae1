"""What a command sets off besides its answer: it is told wherever the answer stands among it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from matcher.engine.commands import TIF_FOK, TIF_IOC, Command, RequestKind
from matcher.engine.events import EventKind
from matcher.engine.reject_reason import RejectReason
from matcher.envelope import Capacities, ShellKind
from matcher.feed import account_events as account
from tests.unit.matcher.builders import (
    ADDRESSES,
    BUY,
    LISTING,
    MARKET_ID,
    SECOND_NS,
    SELL,
    START_NS,
    Bench,
    Pair,
    cancel_all,
    deposit,
    place,
    price,
    request,
    tick,
    withdraw,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matcher.feed.settlement import SettlementItem

ALICE, BOB, CAROL, DAVE, ERIN = 1, 2, 3, 4, 5
OTHER_MARKET_ID = 2
EXPIRIES_PER_COMMAND = 256
ROOMY = Capacities(6, 64, 9_000)


def dated(count: int, after_s: int, owner: int = BOB) -> list[Pair]:
    expiry_time_s = START_NS // SECOND_NS + after_s
    return [
        place(owner, BUY, 40_000, 1, nonce, expiry_time_s=expiry_time_s)
        for nonce in range(10, 10 + count)
    ]


def open_position(bench: Bench) -> None:
    bench.apply(place(BOB, SELL, 50_000, 10, 1), place(ALICE, BUY, 50_000, 10, 1))


def lots_of(bench: Bench, index: int, market_id: int) -> int:
    position = bench.venue.engine.position(index, market_id)
    assert position is not None
    return position.position_lots


def time_ms_of(bench: Bench) -> int:
    return (START_NS + bench.passed_ns) // 1_000_000


def items_from(bench: Bench, seq: int) -> list[SettlementItem]:
    return list(bench.venue.settlement.items(seq, bench.venue.settlement.item_seq))


def told(bench: Bench, index: int, kind: type) -> list[Any]:
    address = ADDRESSES[index - 1]
    subscription, missed = bench.venue.account_feed.subscribe(address, 0)
    bench.venue.account_feed.unsubscribe(address, subscription)
    return [event.body for event in missed if isinstance(event.body, kind)]


@pytest.fixture
def roomy() -> Iterator[Bench]:
    """A venue with two markets and room for many orders; Alice holds 10 lots in the first."""
    with Bench(capacities=ROOMY) as bench:
        other = LISTING._replace(
            spec=replace(LISTING.spec, market_id=OTHER_MARKET_ID), symbol="ETH-PERP"
        )
        bench.apply((Command(kind=ShellKind.LIST_MARKET), other.pack()))
        bench.apply(*(deposit(index, ADDRESSES[index - 1]) for index in (DAVE, ERIN)))
        open_position(bench)
        yield bench


def leave_due(bench: Bench) -> None:
    """A row makes more triggers due in the other market than one command may try (TRIG-1).

    The last of them, of 3 lots, trades: after a few commands more.
    """

    def row(ticks: int) -> Pair:
        command, extra = price(ticks, time_ms_of(bench))
        return command._replace(market_id=OTHER_MARKET_ID), extra

    bench.apply(row(50_000))
    for nonce in range(100, 4_100):
        bench.apply(place(BOB, BUY, 49_000 - nonce % 50, 1, nonce, market_id=OTHER_MARKET_ID))
    of_trigger = {"market_id": OTHER_MARKET_ID, "trigger_kind": 2}
    for owner in (CAROL, DAVE):
        for nonce in range(1, 25):
            unfillable = place(owner, SELL, 40_000, 5_000, nonce, **of_trigger)
            command = unfillable[0]._replace(time_in_force=TIF_FOK, trigger_price_ticks=49_990)
            bench.apply((command, unfillable[1]))
    last, extra = place(ERIN, SELL, 40_000, 3, 1, **of_trigger)
    bench.apply((last._replace(time_in_force=TIF_IOC, trigger_price_ticks=49_980), extra))
    bench.apply(row(49_900))
    assert lots_of(bench, ERIN, OTHER_MARKET_ID) == 0


def test_what_fires_beside_a_refused_retry_is_settled(roomy: Bench) -> None:
    """FORCE-2, TRIG-1: the retry is not told; fills behind it are items, and end their orders."""
    roomy.passed_ns = 3_600 * SECOND_NS
    roomy.apply(request(1, ADDRESSES[ALICE - 1], RequestKind.REDUCE, 4))
    leave_due(roomy)
    seq = roomy.venue.settlement.item_seq
    for _ in range(4):
        (applied,) = roomy.apply(price(50_000))  # stale: refused, and the retry with it
        refused = [e for e in applied.events if e.kind == EventKind.COMMAND_REJECTED]
        assert [event.account for event in refused] == [0]
    fills = [one.event for one in items_from(roomy, seq + 1) if one.event.kind == EventKind.FILL]
    assert [(fill.account_2, fill.qty_lots) for fill in fills] == [(ERIN, 1)] * 3
    assert lots_of(roomy, ERIN, OTHER_MARKET_ID) == -3
    assert [body.qty_lots for body in told(roomy, ERIN, account.OrderFilled)] == [1] * 3
    assert len(roomy.venue.orders) == roomy.venue.engine.order_count
    assert [one.nonce for one, _ in roomy.venue.requests] == [1]
    assert told(roomy, ALICE, account.CommandRejected) == []
    assert len(told(roomy, ALICE, account.RequestServed)) == 1
    roomy.apply(price(50_000, time_ms_of(roomy)))
    assert roomy.venue.requests == []
    assert lots_of(roomy, ALICE, MARKET_ID) == 6


def test_a_withdrawal_names_its_own_item(roomy: Bench) -> None:
    """TRIG-1: whoever withdraws while triggers are left due is not answered with others' fills."""
    leave_due(roomy)
    seq = roomy.venue.settlement.item_seq
    named = [roomy.apply(withdraw(BOB, 100, nonce))[0].item_seq for nonce in range(5_001, 5_005)]
    items = {one.item_seq: one.event for one in items_from(roomy, seq + 1)}
    assert [(items[one].kind, items[one].order_id_2) for one in named] == [
        (EventKind.WITHDRAWN, nonce) for nonce in range(5_001, 5_005)
    ]
    assert max(after - before for before, after in pairwise(named)) == 4  # 3 fills between them
    assert roomy.apply(tick())[0].item_seq == 0


@pytest.mark.parametrize("dated_count", [0, 1, 3])
def test_a_request_is_set_aside_though_orders_expire(bench: Bench, dated_count: int) -> None:
    """FORCE-2, TIF-1: what expires stands before the answer."""
    open_position(bench)
    bench.apply(*dated(dated_count, 3_600))
    bench.passed_ns = 3_600 * SECOND_NS
    (applied,) = bench.apply(request(1, ADDRESSES[ALICE - 1], RequestKind.REDUCE, 4))
    assert [(event.kind, event.reason) for event in applied.events] == [
        (EventKind.ORDER_CANCELED, RejectReason.EXPIRED)
    ] * dated_count + [(EventKind.FORCED_SERVED, RejectReason.PRICE_STALE)]
    assert [one.nonce for one, _ in bench.venue.requests] == [1]
    bench.apply(price(50_000, time_ms_of(bench)))
    assert bench.venue.requests == []
    assert lots_of(bench, ALICE, MARKET_ID) == 6


def test_a_request_whose_retry_is_refused_beside_expiries_waits_on(roomy: Bench) -> None:
    """FORCE-2, TIF-1: more orders are due than the row that is refused may end."""
    dated_count = 2 * EXPIRIES_PER_COMMAND + 88
    roomy.apply(*dated(dated_count, 7_200))
    roomy.passed_ns = 3_600 * SECOND_NS
    roomy.apply(request(1, ADDRESSES[ALICE - 1], RequestKind.REDUCE, 4))
    roomy.passed_ns = 7_200 * SECOND_NS
    (applied,) = roomy.apply(price(50_000, time_ms_of(roomy) - 3_600_000))
    ended = [event for event in applied.events if event.reason == RejectReason.EXPIRED]
    assert len(ended) == 2 * EXPIRIES_PER_COMMAND  # those of the row, and of the retry
    assert len(told(roomy, BOB, account.OrderCanceled)) == len(ended)
    assert len(roomy.venue.orders) == roomy.venue.engine.order_count == 88
    assert [one.nonce for one, _ in roomy.venue.requests] == [1]
    roomy.apply(price(50_000, time_ms_of(roomy)))
    assert roomy.venue.requests == []
    assert lots_of(roomy, ALICE, MARKET_ID) == 6


@pytest.mark.parametrize("kind", [RequestKind.GIVE, RequestKind.BACK, RequestKind.UNBACK])
def test_a_request_without_a_place_is_served_beside_an_expiry(
    bench: Bench, kind: RequestKind
) -> None:
    """FORCE-5, TIF-1: the item has the address, the other's order ends."""
    bench.apply(deposit(4, ADDRESSES[DAVE - 1]))
    bench.apply(*dated(2, 3_600))
    seq = bench.venue.settlement.item_seq
    bench.passed_ns = 3_600 * SECOND_NS
    bench.apply(request(1, ADDRESSES[ERIN - 1], kind, 900))
    (item,) = items_from(bench, seq + 1)
    assert (item.event.kind, item.event.flags) == (EventKind.FORCED_SERVED, kind)
    assert (item.event.account, item.extra) == (0, ADDRESSES[ERIN - 1])
    assert len(told(bench, BOB, account.OrderCanceled)) == 2
    assert len(bench.venue.orders) == bench.venue.engine.order_count == 0


def test_a_mass_cancel_counts_what_it_has_canceled(bench: Bench) -> None:
    """Neither others' orders nor the account's own that expire in the command."""
    bench.apply(*dated(5, 100), *dated(2, 100, ALICE))
    bench.apply(*(place(ALICE, BUY, 40_000, 1, nonce) for nonce in (1, 2, 3)))
    bench.passed_ns = 100 * SECOND_NS
    bench.apply(cancel_all(ALICE))
    assert [body.order_count for body in told(bench, ALICE, account.MassCanceled)] == [3]
    assert len(told(bench, ALICE, account.OrderCanceled)) == 5
    assert len(bench.venue.orders) == bench.venue.engine.order_count == 0
