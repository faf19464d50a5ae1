"""What is left when numbers or buffers have been used up: ids of orders, room for events."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest

from matcher.engine.commands import NEVER_S, Command, CommandKind, group
from matcher.engine.engine import Engine
from matcher.engine.events import EventKind, unpack
from matcher.engine.instructions import Instructions
from matcher.engine.reject_reason import RejectReason
from tests.unit.engine.test_bounded_work import TIME_NS, engine_of, order
from tests.unit.engine.test_sparse_prices import resident
from tests.unit.engine.venue import BUY, SELL

ORDERS = 9_871  # accepted and ended; a number that stands nowhere else in the snapshot's image
IDS = 1 << 36
PARTS = 256
DIGEST_BYTES = 32


def nearly_used_up(left: int) -> Engine:
    """Return an engine that has so many ids left: the count of a snapshot is set."""
    engine = engine_of(2, 16_000)
    for k in range(ORDERS):
        engine.apply(order(1, BUY, 900, 100 + k, time_in_force=1))
    saved = b"".join(engine.snapshot())
    count = struct.pack("<Q", ORDERS)
    at = saved.index(count)
    assert saved.find(count, at + 8, at + 4_096) < 0
    changed = saved[:at] + struct.pack("<Q", IDS - 1 - left) + saved[at + 8 : -DIGEST_BYTES]
    return Engine.restore(changed + hashlib.blake2b(changed, digest_size=DIGEST_BYTES).digest())


def reasons(records: bytes) -> list[str]:
    return [RejectReason(event.reason).name for event in unpack(records)]


def test_no_id_is_used_twice() -> None:
    """ORD-1: the last id is given out, then every new order is refused and all else goes on."""
    engine = nearly_used_up(2)
    for nonce in (20_000, 20_001):
        assert reasons(engine.apply(order(1, BUY, 900, nonce))) == ["NONE"]
    newest, older = engine.open_orders(1)
    assert newest > older > 0
    assert reasons(engine.apply(order(1, BUY, 900, 20_002))) == ["CAPACITY"]
    ended = engine.apply(Command(CommandKind.CANCEL, account=1, order_id=older).records())
    assert reasons(ended) == ["USER_CANCELED"]
    assert reasons(engine.apply(order(1, BUY, 900, 20_002))) == ["CAPACITY"]
    engine.check_invariants()


@pytest.mark.parametrize("left", [0, 1, 31, 32])
def test_the_last_ids_are_for_plain_orders(left: int) -> None:
    """GRP-1, REP-1, ORD-1: what may need many at once asks for 32, whatever it would free."""
    engine = nearly_used_up(left + 1)
    assert reasons(engine.apply(order(1, BUY, 900, 19_999))) == ["NONE"]
    (old,) = engine.open_orders(1)
    form: dict[str, Any] = {
        "market_id": 1, "account": 1, "qty_lots": 1, "price_ticks": 901, "amount_quote": 10**4,
        "expiry_time_s": NEVER_S, "time_ns": TIME_NS, "nonce": 20_000,
    }  # fmt: skip
    place = Command(CommandKind.PLACE, **form)
    cancel = Command(CommandKind.CANCEL, account=1, order_id=old, time_ns=TIME_NS)
    shown = place._replace(nonce=20_001, instructions=Instructions(display_lots=1))
    replace = Command(CommandKind.REPLACE, order_id=old, **(form | {"nonce": 20_002}))
    for records in (shown.records(), replace.records(), group([cancel, place], TIME_NS)):
        before = engine.open_orders(1)
        told = reasons(engine.apply(records))
        engine.check_invariants()
        if left == 32:  # the first takes one of them
            assert "CAPACITY" not in told
            left -= 1
            continue
        assert "CAPACITY" in told
        assert engine.open_orders(1) == before


def test_a_very_large_call_leaves_its_memory_to_the_next() -> None:
    """ICE-1: a taker of 4,096 orders of 256 parts makes two million records, 128 MiB."""
    engine = engine_of(4, 4_200, position_lots_max=1 << 21)
    parts = Instructions(display_lots=1)
    for k in range(4_096):
        engine.apply(order(1, SELL, 10_000, 100 + k, qty_lots=PARTS, amount_quote=10**6,
                           instructions=parts))  # fmt: skip
    before = resident()
    view = engine.apply_view(
        order(2, BUY, 10_000, 100, qty_lots=4_096 * PARTS, amount_quote=10**10 + 10**9)
    )
    assert engine.order_count == 0
    kinds = [event.kind for event in unpack(bytes(view[: 64 * 64]))]
    assert kinds.count(EventKind.FILL) > 30
    assert resident() - before > 30_000
    engine.apply_view(Command(CommandKind.TICK, time_ns=TIME_NS).records())
    assert resident() - before < 17_000  # room for a million records stays
    assert len(bytes(view)) > 10**8  # what still shows them can be read
    engine.check_invariants()
