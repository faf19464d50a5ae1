"""What becomes of siblings when one of them is replaced; what a refused group leaves (OCO-1)."""

from __future__ import annotations

from typing import Any

import pytest

from matcher.engine.commands import NEVER_S, Command, CommandKind
from matcher.engine.instructions import Instructions
from matcher.engine.reject_reason import RejectReason
from tests.unit.engine.venue import (
    BUY,
    FOK,
    IOC,
    REDUCE_ONLY,
    SELL,
    Venue,
    fills,
    outcome,
    spec_of,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")


def order(kind: CommandKind, nonce: int, sibling: int, price: int, old: int = 0) -> Command:
    """Return an order of account 1 that names its sibling, a replacement when `old` is given."""
    fields: dict[str, Any] = {"old_nonce": old} if old else {}
    return Command(
        kind, account=1, market_id=1, side=SELL, qty_lots=5, price_ticks=price, nonce=nonce,
        amount_quote=5 * price // 5, expiry_time_s=NEVER_S, time_ns=Venue().time_ns,
        instructions=Instructions(oco_nonce=sibling), **fields,
    )  # fmt: skip


def pair_of(v: Venue) -> None:
    for nonce, sibling, price in ((100, 101, 1_010), (101, 100, 1_020)):
        (event,) = v.send([order(CommandKind.PLACE, nonce, sibling, price)])
        assert outcome([event]) == "OK"


def test_a_replacement_takes_the_sibling_over() -> None:
    """OCO-1, REP-1: the sibling lives and belongs to the new order, which ends it."""
    v = Venue()
    pair_of(v)
    events = v.send([order(CommandKind.REPLACE, 102, 101, 1_005, old=100)])
    assert story(events) == ["ORDER_CANCELED REPLACED", "ORDER_ACCEPTED"]
    events = v.send([order(CommandKind.REPLACE, 103, 102, 1_015, old=101)])
    assert story(events) == ["ORDER_CANCELED REPLACED", "ORDER_ACCEPTED"]
    events = v.place(2, BUY, 9, 1_030, time_in_force=1)
    assert fills(events) == [(1, 5, 1_005)]
    assert story(events)[2:] == [
        "ORDER_CANCELED SIBLING_ENDED",
        "ORDER_CANCELED IMMEDIATE_REMAINDER",
    ]


def test_a_replacement_that_names_nobody_ends_the_sibling() -> None:
    """OCO-1, REP-1: as any other end does; one that names a stranger is refused."""
    v = Venue()
    pair_of(v)
    refused = v.send([order(CommandKind.REPLACE, 102, 102, 1_005, old=100)])
    assert outcome(refused) == "INSTRUCTIONS_INVALID"
    events = v.send([order(CommandKind.REPLACE, 102, 0, 1_005, old=100)])
    assert story(events) == [
        "ORDER_CANCELED REPLACED", "ORDER_ACCEPTED", "ORDER_CANCELED SIBLING_ENDED",
    ]  # fmt: skip


def test_both_siblings_are_replaced_in_one_group() -> None:
    """OCO-1, GRP-1: the first takes the old second over, the second the new first."""
    v = Venue()
    pair_of(v)
    items = [
        order(CommandKind.REPLACE, 102, 101, 1_005, old=100),
        order(CommandKind.REPLACE, 103, 102, 1_015, old=101),
    ]
    assert "ORDER_REJECTED" not in " ".join(story(v.group(items)))
    assert v.engine.order_count == 2
    assert story(v.do(CommandKind.CANCEL, account=1, nonce=102)) == [
        "ORDER_CANCELED USER_CANCELED", "ORDER_CANCELED SIBLING_ENDED",
    ]  # fmt: skip


def exit_of(nonce: int, sibling: int, price: int, **fields: Any) -> Command:
    """Return a reduce-only order of account 1, GTC, that names its sibling."""
    made = order(CommandKind.PLACE, nonce, sibling, price)
    return made._replace(flags=REDUCE_ONLY, amount_quote=0, **fields)


STOP = {"trigger_kind": 2, "trigger_price_ticks": 990}


@pytest.mark.parametrize("first", [0, 1])
def test_a_stop_that_fires_and_rests_has_ended_its_take_profit(first: int) -> None:
    """OCO-1, RED-1: whichever of them is the older one; what rests closes the position."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000))
    v.trade(1, 2, 5, 1_000)
    exits = [exit_of(100, 101, 980, **STOP), exit_of(101, 100, 1_050)]
    for command in exits[first:] + exits[:first]:
        assert story(v.send([command])) == ["ORDER_ACCEPTED"]
    events = v.price(980)
    assert story(events) == ["PRICE", "ORDER_TRIGGERED", "ORDER_CANCELED SIBLING_ENDED"]
    assert events[-1].order_id_2 == 101
    assert v.book() == ([], [(980, 5)])
    late = exit_of(102, 100, 1_050, **(STOP | {"trigger_price_ticks": 900}))
    assert outcome(v.send([late])) == "INSTRUCTIONS_INVALID"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"time_in_force": IOC}, ["ORDER_CANCELED IMMEDIATE_REMAINDER"]),
        ({"time_in_force": FOK}, ["ORDER_CANCELED FOK_NOT_FILLABLE"]),
        ({"price_ticks": 900}, ["ORDER_CANCELED PRICE_BAND"]),
    ],
)
def test_what_fires_and_fills_nothing_has_ended_its_sibling(
    fields: dict[str, Any], expected: list[str]
) -> None:
    """OCO-1: the book is empty, or the limit beyond the band; the sibling does not come back."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000, order_band_ppm=20_000))
    v.trade(1, 2, 5, 1_000)
    stop = exit_of(100, 101, 980, **STOP)._replace(**fields)
    v.send([stop])
    v.send([exit_of(101, 100, 1_015)])
    told = ["PRICE", "ORDER_TRIGGERED", "ORDER_CANCELED SIBLING_ENDED", *expected]
    assert story(v.price(980)) == told
    assert v.engine.order_count == 0


@pytest.mark.parametrize("in_group", [False, True])
def test_of_two_siblings_one_rests_to_reduce(in_group: bool) -> None:
    """OCO-1, RED-1: the second is refused, alone or in a group; the first lives."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    near, far = exit_of(100, 101, 1_010), exit_of(101, 100, 1_020)
    if in_group:
        told = ["ORDER_REJECTED GROUP_REJECTED", "ORDER_REJECTED INSTRUCTIONS_INVALID"]
        assert story(v.group([near, far])) == told
    v.send([near])
    assert outcome(v.send([far])) == "INSTRUCTIONS_INVALID"
    assert v.book()[1] == [(1_010, 5)]
    for other in (far._replace(side=BUY, flags=0, amount_quote=1_000, price_ticks=900),
                  far._replace(time_in_force=IOC), exit_of(101, 100, 980, **STOP)):  # fmt: skip
        w = Venue()
        w.trade(1, 2, 5, 1_000)
        w.send([near])
        assert story(w.send([other]))[0] == "ORDER_ACCEPTED"


def test_a_replacement_does_not_rest_beside_its_sibling() -> None:
    """OCO-1, REP-1: a stop becomes a resting order only when it drops the take-profit."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    v.send([exit_of(100, 101, 980, **STOP)])
    v.send([exit_of(101, 100, 1_050)])
    new = exit_of(102, 101, 1_030)._replace(kind=CommandKind.REPLACE, old_nonce=100)
    assert outcome(v.send([new])) == "INSTRUCTIONS_INVALID"
    alone = new._replace(instructions=Instructions())
    assert story(v.send([alone]))[-1] == "ORDER_CANCELED SIBLING_ENDED"
    assert v.book()[1] == [(1_030, 5)]


def test_a_refused_group_leaves_no_position() -> None:
    """GRP-1: not even an empty one."""
    v = Venue()
    good = order(CommandKind.PLACE, 100, 0, 1_010)
    events = v.group([good, good._replace(nonce=101, qty_lots=0)])
    assert story(events) == ["ORDER_REJECTED GROUP_REJECTED", "ORDER_REJECTED QTY_OUT_OF_RANGE"]
    assert v.engine.position(1, 1) is None
    v.group([good._replace(account=2), good])
    assert v.engine.order_count == 2


@pytest.mark.parametrize(("named", "expected"), [(4, "ORDER_UNKNOWN"), (6, "OK")])
def test_a_sibling_below_an_ascending_nonce_of_the_group_has_ended(
    named: int, expected: str
) -> None:
    """OCO-1, GRP-1, SIG-5: the item before it has used all nonces up to its own."""
    v = Venue()
    first = order(CommandKind.PLACE, 2**63 + 5, 0, 900)._replace(time_in_force=IOC)
    second = order(CommandKind.PLACE, 7, 2**63 + named, 1_010)
    events = v.group([first, second])
    found = [RejectReason(e.reason).name for e in events if e.order_id_2 == 7]
    assert found[0] == ("NONE" if expected == "OK" else expected)


@pytest.mark.engine_alone
def test_trails_are_counted_where_they_come_and_go() -> None:
    """TRIG-3: a replacement of one frees its place, a group counts its own."""
    v = Venue(orders=6_000, accounts=130, positions=200)

    def trail(account: int, nonce: int, old: int = 0) -> Command:
        return trail_command(v, account, nonce, old)

    for account in range(1, 129):
        v.trade(account, 130, 1, 1_000)
        v.send([trail(account, 1_000 + k) for k in range(32)])
    v.trade(129, 130, 1, 1_000)
    assert outcome(v.send([trail(129, 7)])) == "CAPACITY"
    assert outcome(v.send([trail(128, 7, 1_000)])) == "REPLACED"
    v.do(CommandKind.CANCEL, account=128, nonce=1_001)
    two = [trail_command(v, 129, nonce) for nonce in (8, 9)]
    assert story(v.group(two)) == [
        "ORDER_REJECTED GROUP_REJECTED", "ORDER_REJECTED CAPACITY",
    ]  # fmt: skip
    assert story(v.group(two[:1])) == ["ORDER_ACCEPTED"]


def trail_command(v: Venue, account: int, nonce: int, old: int = 0) -> Command:
    return Command(
        CommandKind.REPLACE if old else CommandKind.PLACE, account=account, market_id=1, side=SELL,
        qty_lots=1, price_ticks=1, flags=2, time_in_force=1, trigger_kind=4, trigger_price_ticks=1,
        nonce=nonce, old_nonce=old, expiry_time_s=NEVER_S, time_ns=v.time_ns,
        instructions=Instructions(trailing_ticks=900),
    )  # fmt: skip
