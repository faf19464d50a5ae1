"""Dates of orders, few and many, near and 4,096 s apart: what ends first, in engine and model.

The engine finds a date's list by its remainder, so dates that are 4,096 s apart meet there.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from matcher.engine.commands import NEVER_S, TIF_GTC, TIF_IOC, Command, CommandKind
from tests.model.pair import NS, START_NS, Pair
from tests.unit.engine.venue import spec_of

STREAMS = int(os.environ.get("BULKHEAD_SOAK_STREAMS", "12"))
FIRST_SEED = int(os.environ.get("BULKHEAD_SOAK_SEED", "0"))
STEPS = 250
ACCOUNTS = 4
NEAR = 4_096  # seconds at which dates meet


class Stream:
    """Orders of few dates, which come to rest, wait, trade, end, and are restored."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        spec = spec_of(mark_band_ppm=500_000, position_lots_max=1_000)
        self.pair = Pair([spec], ACCOUNTS, 200)
        self.time_ns, self.nonce = START_NS, 0
        for account in range(1, ACCOUNTS + 1):
            self.send(CommandKind.DEPOSIT, account=account, amount_quote=10**12, nonce=account)
        self.row()

    def send(self, kind: CommandKind, **fields: Any) -> None:
        self.pair.apply(Command(kind, **({"time_ns": self.time_ns, "market_id": 1} | fields)))

    def row(self) -> None:
        self.send(CommandKind.PRICE, price_ticks=1_000, aux=self.time_ns // 10**6)

    def any_date(self) -> int:
        rng, now_s = self.rng, self.time_ns // NS
        near = now_s + rng.choice((1, 1, 2, 3, 60))
        return rng.choice((near, near, near + NEAR, near + 2 * NEAR, now_s + 86_400, NEVER_S))

    def place(self) -> None:
        rng = self.rng
        self.nonce += 1
        kind = rng.choice((0, 0, 0, 0, 1, 2))
        self.send(
            CommandKind.PLACE, account=rng.randint(1, ACCOUNTS), side=rng.randrange(2),
            time_in_force=rng.choice((TIF_GTC, TIF_GTC, TIF_GTC, TIF_IOC)), trigger_kind=kind,
            trigger_price_ticks=1_000 + (20 if kind == 1 else -20), nonce=self.nonce,
            price_ticks=rng.randint(996, 1_004), qty_lots=rng.randint(1, 3), amount_quote=10**5,
            expiry_time_s=self.any_date(), session=rng.randrange(3),
        )  # fmt: skip

    def cancel(self) -> None:
        account = self.rng.randint(1, ACCOUNTS)
        for order_id in self.pair.one_of(account, self.rng):
            self.send(CommandKind.CANCEL, account=account, order_id=order_id)

    def cancel_session(self) -> None:
        account, session = self.rng.randint(1, ACCOUNTS), self.rng.randrange(3)
        self.send(CommandKind.CANCEL_ALL, account=account, side=2, session=session)

    def wait(self) -> None:
        seconds = self.rng.choice((0, 0, 1, 1, 2, 3, 61, NEAR, 3 * NEAR))
        self.time_ns += seconds * NS
        self.send(CommandKind.TICK)
        if seconds > 3:
            self.row()

    def step(self) -> None:
        acts = (self.place, self.cancel, self.cancel_session, self.wait, self.pair.restore)
        (act,) = self.rng.choices(acts, (70, 15, 2, 10, 3))
        act()


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + STREAMS))
def test_what_has_a_date_ends_in_order(seed: int) -> None:
    """TIF-1, CXL-1."""
    stream = Stream(seed)
    for _ in range(STEPS):
        stream.step()
    stream.pair.engine.check_invariants()
    ended = sum(n for told, n in stream.pair.seen.items() if "EXPIRED" in told)
    assert ended > STEPS // 50
