"""`place` and `cancel` of integers do what `apply` does; nothing on the path allocates."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from matcher.engine.commands import Command, CommandKind
from matcher.engine.engine import Engine
from matcher.engine.events import EventKind, unpack
from matcher.engine.reject_reason import RejectReason
from tests.unit.engine.venue import BUY, IOC, NS, SELL, START_S, Venue, spec_of

EXPIRY_S = START_S + 10**6
TIME_NS = START_S * NS


def test_single_calls_do_what_records_do() -> None:
    one, other = Venue().engine, Venue().engine
    random, live = Random(3), [1]
    for nonce in range(1, 2_000):
        account = random.randint(1, 6)
        if random.random() < 0.4:
            order_id = random.choice(live)
            answer = one.cancel(account, order_id, TIME_NS)
            command = Command(
                CommandKind.CANCEL, account=account, order_id=order_id, time_ns=TIME_NS
            )
        else:
            side, price = random.choice([BUY, SELL]), random.randint(990, 1_010)
            tif = random.choice([0, 0, IOC])
            answer = one.place(account, 1, side, price, 2, 400, nonce, EXPIRY_S, TIME_NS, tif, 0)
            command = Command(
                CommandKind.PLACE, side=side, time_in_force=tif, market_id=1, account=account,
                time_ns=TIME_NS, nonce=nonce, price_ticks=price, qty_lots=2, amount_quote=400,
                expiry_time_s=EXPIRY_S,
            )  # fmt: skip
        expected = other.apply_one(command)
        assert one.events().tobytes() == expected
        first = next(unpack(expected))
        is_refused = first.kind in {EventKind.ORDER_REJECTED, EventKind.COMMAND_REJECTED}
        assert answer == (-first.reason if is_refused else first.order_id)
        live += [answer] * (answer > 0)
    assert one.state_hash() == other.state_hash()
    one.check_invariants()


def test_a_refusal_is_its_reason_below_zero() -> None:
    engine = Venue().engine
    assert engine.cancel(1, 77, TIME_NS) == -RejectReason.ORDER_UNKNOWN
    refused = engine.place(1, 9, BUY, 1_000, 1, 200, 1, EXPIRY_S, TIME_NS)
    assert refused == -RejectReason.MARKET_UNKNOWN


def test_the_answer_is_the_orders_own_when_another_expires_before_it() -> None:
    engine = Venue().engine
    dated = engine.place(1, 1, BUY, 990, 1, 400, 1, START_S + 1, TIME_NS)
    answer = engine.place(2, 1, BUY, 990, 1, 400, 1, EXPIRY_S, TIME_NS + NS)
    kinds = [event.kind for event in unpack(engine.events().tobytes())]
    assert kinds == [EventKind.ORDER_CANCELED, EventKind.ORDER_ACCEPTED]
    assert answer > dated > 0


def test_a_number_that_does_not_fit_its_field_changes_nothing() -> None:
    engine = Venue().engine
    before = engine.state_hash()
    with pytest.raises(OverflowError):
        engine.place(1, 1, BUY, 2**32, 1, 200, 1, EXPIRY_S, TIME_NS)
    with pytest.raises(OverflowError):
        engine.cancel(-1, 1, TIME_NS)
    assert engine.state_hash() == before


class Allocated(ctypes.Structure):
    """As `struct mallinfo2` of glibc."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost",
    )]  # fmt: skip


def allocated() -> tuple[int, int, int]:
    """Return what the heap has given out, what it mapped, and the process's address space."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    libc.mallinfo2.restype = Allocated
    info = libc.mallinfo2()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return info.uordblks, info.hblkhd, pages


def stream(rounds: int, *, consecutive: bool) -> bytes:
    """Return commands that rest, trade, cancel and use up nonces, with accounts that are new.

    An account's nonces are consecutive, or leave most groups of 64 with one.
    """
    random, records = Random(1), []
    used: Counter[int] = Counter()
    for step in range(1, rounds):
        account, side = random.randint(1, 400), random.choice([BUY, SELL])
        used[account] += 1
        nonce = used[account] if consecutive else step
        command = Command(
            CommandKind.PLACE, side=side, time_in_force=random.choice([0, 0, 0, IOC]), market_id=1,
            account=account, time_ns=TIME_NS, nonce=nonce, price_ticks=random.randint(980, 1_020),
            qty_lots=random.randint(1, 5), amount_quote=1_500, expiry_time_s=EXPIRY_S,
        )  # fmt: skip
        records.append(command)
        if step % 2:
            records.append(
                Command(CommandKind.CANCEL, account=account, nonce=nonce, time_ns=TIME_NS)
            )
    return b"".join(record.records() for record in records)


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="counts what glibc allocates",
)
@pytest.mark.parametrize(
    ("consecutive", "more"), [(False, {"nonce_group_count": 1 << 16}), (True, {})]
)
def test_nothing_on_the_path_allocates(consecutive: bool, more: dict[str, int]) -> None:
    """Fresh accounts, positions, levels, nonces and 60,000 events in one call."""
    accounts = 400
    engine = Engine(account_count_max=accounts, order_count_max=40_000, **more)
    engine.list_market(spec_of(), TIME_NS)
    for index in range(1, accounts + 1):
        engine.register_account()
        engine.apply_one(
            Command(CommandKind.DEPOSIT, account=index, amount_quote=10**9, nonce=index)
        )
    engine.apply_one(
        Command(
            CommandKind.PRICE, market_id=1, price_ticks=1_000, aux=TIME_NS // 10**6, time_ns=TIME_NS
        )
    )
    records = stream(40_000, consecutive=consecutive)
    engine.apply_view(b"")
    allocated()
    before = allocated()
    seen = engine.apply_view(records).nbytes
    after = allocated()
    assert seen > 60_000 * 64
    slack = 4_096  # Python's own: the numbers of this function, the memoryview
    assert after[0] - before[0] <= slack
    assert after[1:] == before[1:]
