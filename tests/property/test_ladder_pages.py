"""Orders, stops and trails at the edges of memory pages, of windows and of ladders.

Engine and model, while pages are given back and taken again (ARCHITECTURE, "A lonely price holds a
page, not a large one").
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from matcher.engine.commands import NEVER_S, TIF_GTC, TIF_IOC, Command, CommandKind
from matcher.engine.instructions import FLAG_ON_LAST, Instructions
from tests.model.pair import NS, START_NS, Pair
from tests.unit.engine.venue import spec_of

STREAMS = int(os.environ.get("BULKHEAD_SOAK_STREAMS", "12"))
FIRST_SEED = int(os.environ.get("BULKHEAD_SOAK_SEED", "0"))
STEPS = 150
ACCOUNTS = 6
TOPS = (2**21 + 4_095, 2**20 + 63, 1_000_000, 786_432, 600_001, 131_072, 300)
STEPS_OF_TICKS = (63, 255, 4_095, 131_071)  # a word of bits, a page, a word of words, a large page
TRAILING = 3  # trigger kinds from here on may trail


class Stream:
    """Prices at edges anywhere on the ladder; the mark jumps, so that windows move."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = Random(seed)
        self.top = rng.choice(TOPS)
        self.pair = Pair(
            [spec_of(price_ticks_max=self.top, mark_band_ppm=500_000, position_lots_max=1_000)],
            ACCOUNTS, 300,
        )  # fmt: skip
        self.time_ns, self.nonce, self.mark = START_NS, 0, 1
        for account in range(1, ACCOUNTS + 1):
            self.send(CommandKind.DEPOSIT, account=account, amount_quote=10**14, nonce=account)
        self.row()

    def send(self, kind: CommandKind, **fields: Any) -> None:
        self.pair.apply(Command(kind, **({"time_ns": self.time_ns, "market_id": 1} | fields)))

    def any_price(self) -> int:
        rng, top = self.rng, self.top
        near = self.mark + rng.randint(-300, 300)
        edge = (rng.randrange(top + 1) & ~rng.choice(STEPS_OF_TICKS)) + rng.choice((-1, 0, 1, 63))
        ends = rng.choice((1, 2, 63, 64, 255, 256, 257, top, top - 1, top & ~255, (top & ~255) - 1))
        return max(1, min(top, rng.choice((near, edge, edge, ends, rng.randint(1, top)))))

    def row(self) -> None:
        self.time_ns += NS
        self.mark = self.any_price()
        aux = self.time_ns // 10**6
        self.send(CommandKind.PRICE, price_ticks=self.mark, aux=aux)

    def place(self) -> None:
        rng = self.rng
        self.nonce += 1
        kind = rng.choice((0, 0, 0, 1, 2, 3, 3, 4, 4))
        word = Instructions()
        if kind >= TRAILING:
            distance = rng.choice((0, 1, 255, 256, rng.randint(1, self.top), self.top))
            word = Instructions(flags=rng.choice((0, FLAG_ON_LAST)), trailing_ticks=distance)
        self.send(
            CommandKind.PLACE, account=rng.randint(1, ACCOUNTS), side=rng.randrange(2),
            time_in_force=rng.choice((TIF_GTC, TIF_GTC, TIF_GTC, TIF_IOC)), trigger_kind=kind,
            trigger_price_ticks=self.any_price() if kind else 0, nonce=self.nonce,
            price_ticks=self.any_price(), qty_lots=rng.randint(1, 3), amount_quote=10 * self.top,
            expiry_time_s=rng.choice((NEVER_S, self.time_ns // NS + 3)), instructions=word,
        )  # fmt: skip

    def cancel(self) -> None:
        account = self.rng.randint(1, ACCOUNTS)
        for order_id in self.pair.one_of(account, self.rng):
            self.send(CommandKind.CANCEL, account=account, order_id=order_id)

    def step(self) -> None:
        acts = (self.place, self.cancel, self.row, self.cancel_all, self.pair.restore)
        (act,) = self.rng.choices(acts, (64, 25, 6, 2, 3))
        act()

    def cancel_all(self) -> None:
        self.send(CommandKind.CANCEL_ALL, account=self.rng.randint(1, ACCOUNTS), side=2)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + STREAMS))
def test_pages_come_and_go_and_nothing_changes(seed: int) -> None:
    stream = Stream(seed)
    for _ in range(STEPS):
        stream.step()
