"""The venue: what commands mean to accounts, items and the book; replay gives the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from matcher.engine.commands import Command, CommandKind, RequestKind
from matcher.engine.events import EventKind
from matcher.engine.reject_reason import RejectReason
from matcher.envelope import BatchReceipt, PlaceExtra, ReplaceExtra, ShellKind
from matcher.feed import account_events as account
from matcher.feed import market_data as market
from matcher.feed.account_events import AccountEvent, SettlementState
from matcher.feed.settlement import SettlementItem, SettlementOrder
from matcher.rpc.convert_events import settlement_item
from matcher.state_file import state_of
from tests.unit.matcher.builders import (
    ADDRESSES,
    BUY,
    MARKET_ID,
    SECOND_NS,
    SELL,
    SIGNATURE,
    START_NS,
    Bench,
    cancel_all,
    deposit,
    place,
    price,
    request,
    tick,
    withdraw,
)

ALICE, BOB = 1, 2
STRANGER = bytes((9,)) * 20


def events_of(bench: Bench, index: int) -> list[AccountEvent]:
    subscription, missed = bench.venue.account_feed.subscribe(ADDRESSES[index - 1], 0)
    bench.venue.account_feed.unsubscribe(ADDRESSES[index - 1], subscription)
    return missed


def bodies(bench: Bench, index: int, kind: type) -> list[Any]:
    return [event.body for event in events_of(bench, index) if isinstance(event.body, kind)]


def read(
    bench: Bench, from_seq: int, count: int = 1000
) -> tuple[list[SettlementOrder], list[SettlementItem]]:
    return asyncio.run(bench.venue.settlement.cursor(from_seq).take(count))


def test_a_deposit_registers_its_account_once(bench: Bench) -> None:
    assert [bench.venue.accounts.find_index(address) for address in ADDRESSES[:4]] == [
        1,
        2,
        3,
        None,
    ]
    bench.apply(deposit(4, ADDRESSES[0], 5))
    assert bench.venue.accounts.account_count == 3
    assert bench.venue.engine.free_quote(ALICE) == 10**12 + 5
    assert bodies(bench, ALICE, account.DepositCredited)[-1] == (5, 4, 10**12 + 5)


@pytest.mark.parametrize("seq", [3, 5])
def test_a_deposit_that_is_known_or_leaves_a_gap_does_nothing(bench: Bench, seq: int) -> None:
    (applied,) = bench.apply(deposit(seq, ADDRESSES[0]))
    assert applied.events == ()
    assert bench.venue.cursor.deposit_seq == 3


def test_a_deposit_without_a_place_stops_nobody(bench: Bench) -> None:
    """FORCE-2: parked, on chain alone; the requests of such an account are passed on."""
    bench.apply(deposit(4, ADDRESSES[3]), deposit(5, ADDRESSES[4], 77), deposit(6, ADDRESSES[0], 5))
    assert bench.venue.cursor.deposit_seq == 6
    assert bench.venue.accounts.find_index(ADDRESSES[4]) is None
    assert bench.venue.parked == {ADDRESSES[4]: 77}
    assert bench.venue.engine.free_quote(ALICE) == 10**12 + 5
    seq = bench.venue.settlement.item_seq
    bench.apply(request(1, ADDRESSES[4], RequestKind.WITHDRAW, 70), tick())
    assert bench.venue.parked == {ADDRESSES[4]: 7}
    _, (item, *_) = read(bench, seq + 1)
    assert (item.event.order_id_2, item.extra) == (1, ADDRESSES[4])
    wire = settlement_item(item, bench.venue.accounts)
    assert (wire.forced.request_id, wire.forced.account) == (1, ADDRESSES[4])


def test_a_backer_without_a_place_does_not_hold_up_the_queue(bench: Bench) -> None:
    """FORCE-2, BACK-4: the fund pays, the money is on chain alone, those behind are served."""
    bench.apply(deposit(4, ADDRESSES[3]))
    assert bench.venue.places_left == 0
    bench.apply(request(1, ADDRESSES[4], RequestKind.BACK, 900))
    assert bench.venue.parked == {}
    seq = bench.venue.settlement.item_seq
    bench.apply(
        request(2, ADDRESSES[4], RequestKind.UNBACK, 450_000),
        request(3, ADDRESSES[0], RequestKind.WITHDRAW, 5),
        request(4, STRANGER, RequestKind.UNBACK, 10**6),
    )
    assert bench.venue.cursor.request_seq == 4
    paid = 450_000 * 901 // 901_000
    assert bench.venue.parked == {ADDRESSES[4]: paid, STRANGER: 900 - paid}
    assert bench.venue.engine.fund(MARKET_ID).collateral_quote == 0
    _, items = read(bench, seq + 1)
    wires = [settlement_item(item, bench.venue.accounts).forced for item in items]
    assert [(wire.request_id, wire.account) for wire in wires] == [
        (2, ADDRESSES[4]), (3, ADDRESSES[0]), (4, STRANGER),
    ]  # fmt: skip
    state = state_of(bench.venue)
    assert state.free_quote["0x" + ADDRESSES[4].hex()] == paid
    assert state.custody_quote == 4 * 10**12 + 900 - 5


def test_what_requests_bring_is_credited_where_it_cannot_go(bench: Bench) -> None:
    """FORCE-5: in the engine, or on chain alone where there is no place; nothing waits."""
    bench.apply(deposit(4, ADDRESSES[3]))
    seq = bench.venue.settlement.item_seq
    elsewhere = [
        request(n, address, kind, 10)
        for n, (address, kind) in enumerate(
            (address, kind) for address in (ADDRESSES[0], ADDRESSES[4])
            for kind in (RequestKind.GIVE, RequestKind.BACK, RequestKind.TOP_UP)
        )
    ]  # fmt: skip
    bench.apply(
        *((command._replace(market_id=99, nonce=command.nonce + 1), who)
          for command, who in elsewhere)
    )  # fmt: skip
    assert bench.venue.engine.free_quote(ALICE) == 10**12 + 30
    assert bench.venue.parked == {ADDRESSES[4]: 30}
    bench.apply(request(7, ADDRESSES[4], RequestKind.TOP_UP, 10))
    bench.apply(request(8, ADDRESSES[4], RequestKind.GIVE, 500))
    assert bench.venue.parked == {ADDRESSES[4]: 40}
    assert bench.venue.engine.fund(MARKET_ID).collateral_quote == 500
    _, items = read(bench, seq + 1)
    wires = [settlement_item(item, bench.venue.accounts).forced for item in items]
    assert [wire.market_id for wire in wires] == [0, 0, 99, 0, 0, 99, MARKET_ID, MARKET_ID]
    assert state_of(bench.venue).custody_quote == 4 * 10**12 + 70 + 500


def test_a_parked_account_stays_on_chain_alone(bench: Bench) -> None:
    """FORCE-2: its balance is in one place, not partly in the engine."""
    bench.venue.parked[ADDRESSES[4]] = 7
    bench.apply(deposit(4, ADDRESSES[4], 20))
    assert bench.venue.parked == {ADDRESSES[4]: 27}
    assert bench.venue.places_left == 1


def test_account_events_are_numbered_without_gap_and_have_one_result(bench: Bench) -> None:
    bench.apply(place(BOB, SELL, 50_000, 5, 1), place(ALICE, BUY, 50_000, 8, 1))
    bench.apply(cancel_all(ALICE))
    events = events_of(bench, ALICE)
    assert [event.account_seq for event in events] == list(range(1, len(events) + 1))
    names = [(type(event.body).__name__, event.is_result) for event in events]
    assert names == [
        ("DepositCredited", False),
        ("OrderAccepted", True),
        ("OrderFilled", False),
        ("PositionUpdated", False),
        ("OrderCanceled", False),
        ("MassCanceled", True),
    ]
    fill = events[2].body
    assert isinstance(fill, account.OrderFilled)
    assert (fill.is_taker, fill.qty_lots, fill.remaining_lots) == (True, 5, 3)
    assert (fill.nonce, fill.fee_quote) == (1, 50_000 * 5 * 10 * 500 // 10**6)
    (maker,) = bodies(bench, BOB, account.OrderFilled)
    assert (maker.is_taker, maker.remaining_lots, maker.side) == (False, 0, SELL)
    assert len(bench.venue.orders) == 0


def test_a_replace_is_the_engines(bench: Bench) -> None:
    """REP-1: wholly or not, guarded by what is left; the answer is about the new order."""
    (applied,) = bench.apply(place(ALICE, BUY, 49_000, 5, 1))
    order_id = applied.events[0].order_id
    command, _ = place(ALICE, BUY, 49_100, 5, 2)
    replace = command._replace(kind=ShellKind.REPLACE, order_id=order_id)
    extra = ReplaceExtra(0, PlaceExtra(1_000, SIGNATURE)).pack()
    (first,) = bench.apply((replace, extra))
    assert [event.kind for event in first.events] == [
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_ACCEPTED,
    ]
    (second,) = bench.apply((replace._replace(nonce=3), extra))
    assert [event.reason for event in second.events] == [RejectReason.ORDER_UNKNOWN]
    results = [event for event in events_of(bench, ALICE) if event.is_result]
    assert [type(event.body).__name__ for event in results] == [
        "OrderAccepted",
        "OrderAccepted",
        "OrderRejected",
    ]
    guarded = ReplaceExtra(2, PlaceExtra(1_000, SIGNATURE), unfilled_lots=4).pack()
    (refused,) = bench.apply((replace._replace(order_id=0, nonce=3), guarded))
    assert [event.reason for event in refused.events] == [RejectReason.UNFILLED_MISMATCH]
    by_nonce = ReplaceExtra(2, PlaceExtra(1_000, SIGNATURE)).pack()
    (third,) = bench.apply((replace._replace(order_id=0, nonce=3), by_nonce))
    assert third.events[-1].kind == EventKind.ORDER_ACCEPTED


def test_an_amend_is_answered_and_known(bench: Bench) -> None:
    """AMD-1: the shell's copy of the order goes down too; the end of an order is an answer."""
    (applied,) = bench.apply(place(ALICE, BUY, 49_000, 5, 1))
    order_id = applied.events[0].order_id
    command, _ = place(ALICE, BUY, 0, 3, 0)
    amend = Command(CommandKind.AMEND, account=command.account, order_id=order_id, qty_lots=3)
    (first,) = bench.apply((amend, b""))
    assert [event.kind for event in first.events] == [EventKind.ORDER_AMENDED]
    assert bench.venue.orders.get(order_id).remaining_lots == 3
    (second,) = bench.apply((amend._replace(qty_lots=4), b""))
    assert [event.reason for event in second.events] == [RejectReason.QTY_OUT_OF_RANGE]
    results = [event for event in events_of(bench, ALICE) if event.is_result]
    assert [type(event.body).__name__ for event in results] == [
        "OrderAccepted",
        "OrderAmended",
        "CommandRejected",
    ]


def test_items_are_gapless_and_any_of_them_is_served_again(bench: Bench) -> None:
    first_seq = bench.venue.settlement.item_seq + 1
    bench.apply(place(BOB, SELL, 50_000, 9, 1))
    for nonce in range(1, 4):
        bench.apply(place(ALICE, BUY, 50_000, 3, nonce), tick())
    (applied,) = bench.apply(withdraw(ALICE, 77, 9))
    orders, items = read(bench, 1)
    assert [item.item_seq for item in items] == list(range(1, applied.item_seq + 1))
    assert [order.command.nonce for order in orders] == [1, 1, 2, 3]
    assert {order.signed.signature for order in orders} == {SIGNATURE}
    assert len(bench.venue.orders) == 0, "filled orders live on in the log only"
    for from_seq in range(1, applied.item_seq + 1):
        late_orders, late_items = read(bench, from_seq)
        assert late_items == items[from_seq - 1 :]
        needed = {
            order_id
            for item in late_items
            if item.event.kind == EventKind.FILL
            for order_id in (item.event.order_id, item.event.order_id_2)
        }
        assert {order.order_id for order in late_orders} == needed
        assert len(late_orders) == len(needed)
    assert items[first_seq - 1].event.kind == EventKind.FILL


def test_a_cursor_hands_out_an_order_once_over_many_takes(bench: Bench) -> None:
    bench.apply(place(BOB, SELL, 50_000, 9, 1))
    for nonce in range(1, 4):
        bench.apply(place(ALICE, BUY, 50_000, 3, nonce))

    async def run() -> list[int]:
        cursor = bench.venue.settlement.cursor(1)
        seen = []
        for _ in range(bench.venue.settlement.item_seq):
            orders, _ = await cursor.take(1)
            seen += [order.order_id for order in orders]
        return seen

    seen = asyncio.run(run())
    assert len(seen) == len(set(seen)) == 4


def test_a_receipt_settles_and_busts(bench: Bench) -> None:
    bench.apply(place(BOB, SELL, 50_000, 5, 1))
    bench.apply(place(ALICE, BUY, 50_000, 5, 1))
    last = bench.venue.settlement.item_seq
    receipt = BatchReceipt(1, 1, last, 9, bytes(32), ((last, RejectReason.OVERFILL),))
    bench.apply((Command(kind=ShellKind.BATCH_RECEIPT), receipt.pack()))
    states = bodies(bench, ALICE, account.SettlementStateChanged)
    assert [(one.state, one.first_item_seq, one.last_item_seq) for one in states] == [
        (SettlementState.SETTLED, 1, last),
        (SettlementState.BUSTED, last, last),
    ]
    assert bodies(bench, BOB, account.PositionFrozen) == [(MARKET_ID, True)]
    position = bench.venue.engine.position(BOB, MARKET_ID)
    assert position is not None
    assert position.is_frozen
    assert bench.venue.receipts.state_of(last).state == SettlementState.BUSTED
    assert bench.venue.receipts.state_of(1).state == SettlementState.SETTLED
    bench.apply((Command(kind=ShellKind.BATCH_RECEIPT), receipt.pack()))
    assert bench.venue.receipts.batch_seq == 1


def test_a_receipt_may_share_its_group_with_new_items(bench: Bench) -> None:
    last = bench.venue.settlement.item_seq
    receipt = BatchReceipt(1, 1, last, 9, bytes(32))
    bench.apply(tick(), (Command(kind=ShellKind.BATCH_RECEIPT), receipt.pack()), tick())
    assert bench.venue.receipts.settled_item_seq == last
    _, items = read(bench, 1)
    assert [item.item_seq for item in items] == list(range(1, last + 3))


def test_deltas_on_the_snapshot_give_the_book(bench: Bench) -> None:
    feed = bench.venue.market_feed
    bench.apply(*(place(ALICE, BUY, 49_000 + n, 1 + n, n) for n in range(9)))
    subscription, (snapshot,) = feed.subscribe([MARKET_ID])
    assert isinstance(snapshot.body, market.BookSnapshot)
    book = dict(snapshot.body.bids)
    bench.apply(place(BOB, SELL, 49_003, 30, 1), place(ALICE, BUY, 40_000, 4, 77))
    feed.publish_books()
    bench.apply(cancel_all(ALICE), price(50_001, 1_800_000_000_000))
    feed.publish_books()
    events = asyncio.run(subscription.take(100))
    seqs = [event.market_seq for event in events]
    assert seqs == list(range(snapshot.market_seq + 1, snapshot.market_seq + 1 + len(seqs)))
    for event in events:
        if isinstance(event.body, market.BookDelta):
            book.update(event.body.bids)
    assert {ticks: lots for ticks, lots in book.items() if lots} == {}
    traded = [event.body for event in events if isinstance(event.body, market.Traded)]
    assert [(one.price_ticks, one.qty_lots) for one in traded] == [
        (49_008, 9), (49_007, 8), (49_006, 7), (49_005, 6),
    ]  # fmt: skip


def test_a_request_that_lacks_a_price_lets_others_pass(bench: Bench) -> None:
    """FORCE-2: set aside, and served at the market's next price; nothing is served twice."""
    bench.apply(place(BOB, SELL, 50_000, 10, 1), place(ALICE, BUY, 50_000, 10, 1))
    bench.passed_ns = 3_600 * SECOND_NS
    seq = bench.venue.settlement.item_seq
    bench.apply(
        request(1, ADDRESSES[0], RequestKind.REDUCE, 4),
        request(2, ADDRESSES[1], RequestKind.WITHDRAW, 100),
        tick(),
    )
    assert [body.reason for body in bodies(bench, ALICE, account.RequestServed)] == [
        RejectReason.PRICE_STALE
    ]
    assert [body.reason for body in bodies(bench, BOB, account.RequestServed)] == [
        RejectReason.NONE
    ]
    assert len(bench.venue.requests) == 1
    late_ms = (START_NS + bench.passed_ns) // 1_000_000
    bench.apply(price(50_000, late_ms - 3_000_000), price(50_000, late_ms), price(50_001, late_ms))
    (_, body) = bodies(bench, ALICE, account.RequestServed)
    assert (body.forced_request_id, body.reason, body.qty_lots) == (1, RejectReason.NONE, 4)
    assert bench.venue.requests == []
    _, items = read(bench, seq + 1)
    served = [item.event.order_id_2 for item in items if item.event.kind == EventKind.FORCED_SERVED]
    assert served == [1, 2, 1]


def test_replaying_the_entries_gives_the_same_state_items_and_events(bench: Bench) -> None:
    for nonce in range(1, 20):
        bench.apply(
            place(BOB, SELL, 50_000 + nonce % 3, 5, nonce),
            place(ALICE, BUY, 50_001, 4, nonce),
            tick(),
        )
    bench.apply((Command(kind=CommandKind.CANCEL, account=BOB, nonce=19), b""))
    with Bench() as other:
        _replay_and_compare(bench, other)


def _replay_and_compare(bench: Bench, other: Bench) -> None:
    assert other.entries == bench.entries[: len(other.entries)]
    for entry in bench.entries[len(other.entries) :]:
        other.venue.apply(entry)
    other.venue.end_group()
    assert other.venue.engine.state_hash() == bench.venue.engine.state_hash()
    assert read(other, 1) == read(bench, 1)
    assert events_of(other, ALICE) == events_of(bench, ALICE)
