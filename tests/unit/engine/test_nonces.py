"""The table of used nonces grows beside itself: the same results, and no call waits for it."""

from __future__ import annotations

import resource
from random import Random
from typing import Any

import pytest

from matcher.engine.commands import NEVER_S, Command, CommandKind
from matcher.engine.engine import Engine
from matcher.engine.events import unpack
from matcher.engine.reject_reason import RejectReason
from tests.unit.engine.venue import spec_of

TIME_NS = 10**18
ACCOUNTS = 100
GROUP = 64  # nonces of an entry
ASCENDING = 2**63  # nonces from here on
SPARSE_MAX = 1_000  # such entries of an account that are admitted, and a few more (SIG-6)


def engine_of(**more: Any) -> Engine:
    """Return an engine whose accounts can place and have no money for it."""
    engine = Engine(
        account_count_max=ACCOUNTS, position_count_max=999, order_count_max=99_999, **more
    )
    engine.list_market(spec_of(), TIME_NS)
    for account in range(1, ACCOUNTS + 1):
        engine.register_account()
        engine.apply_one(
            Command(CommandKind.DEPOSIT, account=account, amount_quote=10**9, nonce=account)
        )
    price: dict[str, Any] = {"price_ticks": 1_000, "aux": TIME_NS // 10**6, "time_ns": TIME_NS}
    engine.apply_one(Command(CommandKind.PRICE, market_id=1, **price))
    return engine


def order(account: int, nonce: int, **fields: Any) -> bytes:
    form: dict[str, Any] = {"market_id": 1, "qty_lots": 1, "price_ticks": 1, "amount_quote": 1}
    form |= {"time_in_force": 1, "expiry_time_s": NEVER_S}
    return Command(
        CommandKind.PLACE, account=account, nonce=nonce, time_ns=TIME_NS, **(form | fields)
    ).records()


def outcome(engine: Engine, records: bytes) -> str:
    """Return the reason for which the command was refused, or NONE."""
    return RejectReason(next(iter(unpack(engine.apply(records)))).reason).name


def sparse_order(k: int) -> bytes:
    """Return an order with an entry of its own; after SPARSE_MAX of them another account's."""
    return order(1 + k // SPARSE_MAX, GROUP * (1 + k % SPARSE_MAX))


def test_growing_changes_no_result() -> None:
    """SIG-1: calls of any size, nonces forwards and back, replays, snapshots at any moment."""
    rng, last = Random(1), [0] * (ACCOUNTS + 1)
    small, large = engine_of(), engine_of(nonce_group_count=1 << 16)
    used: list[tuple[int, int]] = []
    for _ in range(1_500):
        records = b""
        for _ in range(rng.choice((1, 1, 1, 5, 20))):
            account = rng.randint(1, ACCOUNTS)
            if used and rng.random() < 0.2:
                account, nonce = rng.choice(used)
            else:
                last[account] += rng.choice((1, GROUP, GROUP))
                nonce = max(0, last[account] - rng.choice((0, 0, 5 * GROUP)))
            used.append((account, nonce))
            records += order(account, nonce)
        assert small.apply(records) == large.apply(records)
        if rng.random() < 0.02:
            assert small.state_hash() == large.state_hash()
            small = Engine.restore(b"".join(small.snapshot()))
    for account, nonce in used:
        (event,) = unpack(small.apply(order(account, nonce)))
        assert event.reason == RejectReason.NONCE_USED
        large.apply(order(account, nonce))
    assert small.state_hash() == large.state_hash()


def test_one_call_that_fills_the_table_grows_it_at_once() -> None:
    """SIG-1: 20,000 entries in a table for 1,024, then again in the middle of a growth."""
    small, large = engine_of(), engine_of(nonce_group_count=1 << 16)
    for begin, count in ((0, 20_000), (20_000, 1), (20_001, 60_000)):
        records = b"".join(sparse_order(k) for k in range(begin, begin + count))
        assert small.apply(records) == large.apply(records)
    assert small.state_hash() == large.state_hash()


def test_no_call_moves_the_table() -> None:
    """A table of 1.5 MB is copied into one of 3 MB without a call that touches 100 pages."""
    engine = engine_of(nonce_group_count=1 << 14)
    for k in range((1 << 14) - 100):
        engine.apply_view(sparse_order(k))
    most = total = 0
    for k in range((1 << 14) - 100, (1 << 14) + 20_000):
        record = sparse_order(k)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        engine.apply_view(record)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        most, total = max(most, faults), total + faults
    assert total > 400, "the new table has been touched"
    assert most < 100


@pytest.mark.parametrize(
    ("number", "fields", "expected"),
    [
        (7, {}, "NONCE_USED"),  # the latest
        (6, {}, "NONCE_USED"),  # below it, though never seen
        (0, {}, "NONCE_USED"),
        (8, {}, "NONE"),
        (2**63 - 1, {}, "NONE"),  # the last of all
        (8, {"time_in_force": 2}, "NONE"),
        (8, {"time_in_force": 0}, "NONCE_USED"),
        (8, {"trigger_kind": 1, "trigger_price_ticks": 2_000}, "NONCE_USED"),
        (8, {"qty_lots": 0}, "QTY_OUT_OF_RANGE"),  # after the nonce
        (8, {"expiry_time_s": 1}, "EXPIRED"),  # before it
        (7, {"qty_lots": 0}, "NONCE_USED"),
        (-1, {}, "NONE"),  # the last of the others
    ],
)
def test_ascending_nonces(number: int, fields: dict[str, int], expected: str) -> None:
    """SIG-5, ORD-1: the highest used ends all below; never for what rests or waits."""
    engine = engine_of()
    for used in (3, 7):
        assert outcome(engine, order(1, ASCENDING + used)) == "NONE"
    engine = Engine.restore(b"".join(engine.snapshot()))
    assert outcome(engine, order(1, ASCENDING + number, **fields)) == expected
    assert outcome(engine, order(2, ASCENDING + 1)) == "NONE", "each account has its own"
    is_used = expected == "NONE" and number >= 8
    assert outcome(engine, order(1, ASCENDING + 8)) == ("NONCE_USED" if is_used else "NONE")


def test_ascending_nonces_take_no_room() -> None:
    """SIG-5: one entry for an account, however many it uses; other nonces stay as they were."""
    engine = engine_of()
    records = b"".join(order(account, 5) for account in range(1, ACCOUNTS + 1))
    engine.apply(records + b"".join(order(1, ASCENDING + GROUP * k) for k in range(2)))
    size = sum(len(piece) for piece in engine.snapshot())
    engine.apply(b"".join(order(1, ASCENDING + GROUP * k) for k in range(2, 30_000)))
    assert sum(len(piece) for piece in engine.snapshot()) == size
    assert outcome(engine, order(1, ASCENDING + GROUP * 29_999)) == "NONCE_USED"
    assert outcome(engine, order(1, 5)) == "NONCE_USED"
    assert outcome(engine, order(1, 6)) == "NONE"
