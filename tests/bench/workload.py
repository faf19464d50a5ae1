"""Streams of orders in the common benchmark format, with the checksum that their fills must give.

A file is a header of 128 bytes and records of 24 (`HEADER`, `OPERATION`): first the orders that
fill the book, which nobody times, then the operations. Price-time priority at the maker's price; a
replace is a cancel and a new order with the same id; cancels and replaces name resting orders.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build" / "bench"
SHARED: Final = ROOT.parent / "shared" / "bench"  # the common generator and limit, where present

NEW: Final = 0
CANCEL: Final = 1
REPLACE: Final = 2
FLAG_TAKER: Final = 1
FLAG_PREFILL: Final = 2

OPERATION: Final = np.dtype(
    "u1, u1, u1, u1, <u4, <u8, <i4, <i4",
)
OPERATION.names = ("op", "side", "tif", "flags", "account", "id", "price", "qty")
HEADER: Final = np.dtype(
    "S8, <u4, <u4, <u4, <i4, <i4, <u4, <u8, <u8, <u8, <u8, <u8, <u8, <i4, <i4, V40",
)
HEADER.names = (
    "magic", "n_prefill", "n_ops", "max_id", "min_price", "max_price", "pad", "n_fills", "sum_qty",
    "sum_notional", "hash", "live_orders", "live_qty", "best_bid", "best_ask", "rest",
)  # fmt: skip

HASH_START: Final = 1469598103934665603
HASH_FACTOR: Final = 1099511628211
HASH_MASK: Final = 2**64 - 1

Array = NDArray[Any]


class Workload(NamedTuple):
    """A stream: `operations` begins with `prefill_count` orders that fill the book."""

    path: Path
    header: Array
    operations: Array

    @property
    def prefill_count(self) -> int:
        """Return how many operations come before those that are timed."""
        return int(self.header["n_prefill"])

    @property
    def timed_count(self) -> int:
        """Return how many operations are timed."""
        return int(self.header["n_ops"])


class Fills(NamedTuple):
    """What the fills of a stream add up to, in the file's ids."""

    fills: int
    lots: int
    notional: int
    checksum: int


def fills_of(header: Array) -> Fills:
    """Return what the file says."""
    return Fills(*(int(header[name]) for name in ("n_fills", "sum_qty", "sum_notional", "hash")))


def checksum_of(values: list[int]) -> int:
    """Return the checksum over maker, taker, price and lots of every fill, in order."""
    state = HASH_START
    for value in values:
        state = ((state ^ value) * HASH_FACTOR) & HASH_MASK
    return state


def load(path: Path) -> Workload:
    """Map a file."""
    header = np.fromfile(path, HEADER, 1)[0]
    operations = np.memmap(path, OPERATION, "r", offset=HEADER.itemsize)
    return Workload(path, header, operations)


def obtain(name: str, count: int, *, own: bool = False) -> Workload:
    """Return the stream of that name, generated once and kept in `build/bench`.

    The common generator makes it where it lies beside the checkout, unless `own` is asked for;
    without numba it takes minutes.
    """
    program = SHARED / "workload.py"
    is_common = program.exists() and not own
    source = program if is_common else Path(__file__)
    mark = hashlib.blake2b(source.read_bytes(), digest_size=4).hexdigest()
    path = BUILD / f"{name}-{count}-{'common' if is_common else 'own'}-{mark}.bin"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        print(f"bench: generating {path.name}", file=sys.stderr)
        partial = path.with_suffix(".partial")
        if is_common:
            command = [sys.executable, str(program), name, str(partial), str(count)]
            subprocess.run(command, check=True, capture_output=True)
        else:
            header, operations = generate(name, count)
            partial.write_bytes(header.tobytes() + operations.tobytes())
        partial.replace(path)
    return load(path)


class Scenario(NamedTuple):
    """Shape of a stream. The three shares add up to less than 1; the rest are replaces."""

    seed: int
    live: int
    adds: float
    cancels: float
    takers: float
    distance_ticks: int
    distance_ticks_max: int


SCENARIOS: Final = {
    "hot": Scenario(11, 10_000, 0.55, 0.30, 0.10, 12, 4_000),
    "churn": Scenario(12, 10_000, 0.47, 0.44, 0.02, 20, 4_000),
    "deep": Scenario(13, 1_000_000, 0.55, 0.30, 0.10, 400, 60_000),
    "tiny": Scenario(14, 500, 0.55, 0.30, 0.10, 6, 400),
}
START_TICKS: Final = 1_000_000
SIDE_ORDERS_MIN: Final = 16  # takers leave a side alone that has fewer


class _Book:
    """The generator's own book: queues of placements a level, dead ones skipped at the front."""

    def __init__(self, placements_max: int) -> None:
        self.queues: tuple[dict[int, deque[int]], ...] = ({}, {})
        self.counts: tuple[dict[int, int], ...] = ({}, {})
        self.best = [0, 0]
        self.live_on = [0, 0]
        self.id_of = [0] * placements_max
        self.price_of = [0] * placements_max
        self.lots_of = [0] * placements_max  # 0: dead
        self.placement_of: dict[int, int] = {}
        self.placements = 0

    def rest(self, order: int, side: int, price: int, lots: int) -> None:
        placement = self.placements
        self.placements += 1
        self.id_of[placement] = order
        self.price_of[placement] = price
        self.lots_of[placement] = lots
        self.placement_of[order] = placement
        self.queues[side].setdefault(price, deque()).append(placement)
        self.counts[side][price] = self.counts[side].get(price, 0) + 1
        self.live_on[side] += 1
        best = self.best[side]
        if best == 0 or (price > best if side == 0 else price < best):
            self.best[side] = price

    def remove(self, order: int, side: int) -> None:
        placement = self.placement_of.pop(order)
        price = self.price_of[placement]
        self.lots_of[placement] = 0
        self.live_on[side] -= 1
        counts = self.counts[side]
        counts[price] -= 1
        if counts[price] == 0:
            del counts[price], self.queues[side][price]
            if price == self.best[side]:
                self.best[side] = self._next(side, price) if counts else 0

    def _next(self, side: int, price: int) -> int:
        """Return the best price behind an emptied one."""
        counts, step = self.counts[side], -1 if side == 0 else 1
        for candidate in range(price + step, price + 512 * step, step):
            if candidate in counts:
                return candidate
        return max(counts) if side == 0 else min(counts)

    def first(self, side: int, price: int) -> int:
        """Return the oldest live placement of a level."""
        queue = self.queues[side][price]
        while self.lots_of[queue[0]] == 0:
            queue.popleft()
        return queue[0]


class _Generator:
    """Draws operations one by one and plays them on its book."""

    def __init__(self, scenario: Scenario, count: int) -> None:
        self.scenario = scenario
        self.total = scenario.live + count
        self.random = Random(scenario.seed).random
        self.book = _Book(self.total + 1)
        self.side_of = [0] * (self.total + 1)
        self.at_of = [0] * (self.total + 1)  # place in `live`
        self.live: list[int] = []
        self.last_id = 0
        self.fills: list[int] = []

    def operations(self) -> Iterator[tuple[int, ...]]:
        """Yield the records, in the order of `OPERATION`."""
        for _ in range(self.scenario.live):
            yield self.add(FLAG_PREFILL)
        for _ in range(self.total - self.scenario.live):
            yield self.draw()

    def draw(self) -> tuple[int, ...]:
        """Choose an operation; the number of live orders is kept near the scenario's."""
        scenario = self.scenario
        lack = 1 - len(self.live) / scenario.live
        at = self.random() - max(-0.2, min(0.2, lack))
        if at < scenario.adds or len(self.live) < SIDE_ORDERS_MIN:
            return self.add(0)
        if at < scenario.adds + scenario.cancels:
            return self.cancel()
        side = int(self.random() * 2)
        if at < scenario.adds + scenario.cancels + scenario.takers:
            if self.book.live_on[1 - side] < SIDE_ORDERS_MIN:
                return self.add(0)
            return self.take(side)
        return self.replace()

    def tail(self, scale: int, top: int) -> int:
        """Draw from 0 to `top` with a tail as 1 / x: divisions only, so every machine agrees."""
        return min(int(scale / (1 - self.random())) - scale, top)

    def passive_price(self, side: int) -> int:
        """Return a price that does not cross, near the touch most of the time."""
        distance = self.tail(self.scenario.distance_ticks, self.scenario.distance_ticks_max)
        bid, ask = self.book.best
        if side == 0:
            return (ask or START_TICKS + 1) - 1 - distance
        return (bid or START_TICKS) + 1 + distance

    def account(self) -> int:
        return 1 + int(self.random() * 1000)

    def enter(self, order: int, side: int) -> None:
        self.side_of[order] = side
        self.at_of[order] = len(self.live)
        self.live.append(order)

    def leave(self, order: int) -> None:
        last = self.live.pop()
        if last != order:
            self.live[self.at_of[order]] = last
            self.at_of[last] = self.at_of[order]

    def add(self, flags: int) -> tuple[int, ...]:
        live_on = self.book.live_on
        side = int(self.random() * 2)
        if abs(live_on[0] - live_on[1]) * 8 > len(self.live):
            side = int(live_on[0] > live_on[1])
        price, lots = self.passive_price(side), 1 + self.tail(6, 5_000)
        self.last_id += 1
        self.book.rest(self.last_id, side, price, lots)
        self.enter(self.last_id, side)
        return (NEW, side, 0, flags, self.account(), self.last_id, price, lots)

    def chosen(self) -> int:
        """Return a live order: a young one most of the time."""
        young = self.last_id - self.tail(60, 2_000_000)
        if self.random() < 0.75 and young in self.book.placement_of:
            return young
        return self.live[int(self.random() * len(self.live))]

    def cancel(self) -> tuple[int, ...]:
        order = self.chosen()
        side, price = self.side_of[order], self.book.price_of[self.book.placement_of[order]]
        self.book.remove(order, side)
        self.leave(order)
        return (CANCEL, side, 0, 0, self.account(), order, price, 0)

    def replace(self) -> tuple[int, ...]:
        order = self.chosen()
        side = self.side_of[order]
        price, lots = self.passive_price(side), 1 + self.tail(6, 5_000)
        self.book.remove(order, side)
        self.book.rest(order, side, price, lots)
        return (REPLACE, side, 0, 0, self.account(), order, price, lots)

    def take(self, side: int) -> tuple[int, ...]:
        """Cross the spread: immediate-or-cancel with some slack, or resting what is left."""
        book, other = self.book, 1 - side
        self.last_id += 1
        is_immediate = int(self.random() < 0.9)
        slack = int(self.random() * 4) * is_immediate
        price = book.best[other] + (slack if side == 0 else -slack)
        lots = left = 1 + self.tail(30, 20_000)
        while (
            left
            and book.live_on[other]
            and (book.best[other] <= price if side == 0 else book.best[other] >= price)
        ):
            level = book.best[other]
            placement = book.first(other, level)
            maker, held = book.id_of[placement], book.lots_of[placement]
            filled = min(left, held)
            left -= filled
            self.fills += (maker, self.last_id, level, filled)
            if filled == held:
                book.remove(maker, other)
                self.leave(maker)
            else:
                book.lots_of[placement] = held - filled
        if left and not is_immediate:
            book.rest(self.last_id, side, price, left)
            self.enter(self.last_id, side)
        return (
            NEW, side, is_immediate, FLAG_TAKER, self.account(), self.last_id, price, lots
        )  # fmt: skip


def generate(name: str, count: int) -> tuple[Array, Array]:
    """Return header and records of our own stream; the same on every machine."""
    scenario = SCENARIOS[name]
    generator = _Generator(scenario, count)
    operations = np.fromiter(generator.operations(), OPERATION, generator.total)
    book = generator.book
    fills = np.array(generator.fills, np.int64).reshape(-1, 4)
    priced = operations["price"]
    left = [book.lots_of[placement] for placement in book.placement_of.values()]
    header = np.zeros(1, HEADER)
    header[0] = (
        b"MEWL0001", scenario.live, count, generator.last_id, priced.min(), priced.max(), 0,
        len(fills), fills[:, 3].sum(), (fills[:, 2] * fills[:, 3]).sum(),
        checksum_of(generator.fills), len(left), sum(left), *book.best, b"",
    )  # fmt: skip
    return header, operations
