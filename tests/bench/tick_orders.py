"""A mark tick that liquidates positions which have orders: those are cancelled first (LIQ-1)."""

from __future__ import annotations

import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from matcher.engine.engine import Engine
from matcher.engine.events import EventKind
from tests.bench import replay
from tests.bench.engine import LIQUIDATED, OTHER_WORK, POSITIONS_FEW, TICKS, margin_of_group
from tests.bench.replay import COMMAND, EVENT
from tests.bench.result import Result
from tests.bench.workload import Array

ORDERS: Final = (0, 8, 64, 512)  # of each position that is liquidated
SHOWN: Final = 64
FIRST_PRICE, STEP = 984_500, 3_000  # as in engine.tick_1m: each tick reaches the next group


def weak_engine(positions: int, groups: int, liquidated: int, orders: int) -> Engine:
    """Return an engine with positions of one lot, of which groups of longs are weak in turn.

    Each weak long has so many bids far below the market, placed in turn and over many prices, so
    that one account's orders lie as far apart in memory as a day of trading leaves them.
    """
    weak = groups * liquidated
    engine = replay.new_engine(
        accounts=positions + 1, orders=weak * orders + 4_096, amount=10**9, nonce_groups=1 << 20
    )
    opening = np.zeros(positions, COMMAND)
    is_buy = np.arange(positions) % 2
    replay.place(opening, 1 - is_buy, np.arange(1, positions + 1), replay.MARK_TICKS, 1)
    opening["nonce"], opening["tif"] = 1, is_buy
    opening["amount"] = replay.MARK_TICKS // 2
    longs = np.arange(1, 2 * weak, 2)
    group = np.random.default_rng(1).permutation(weak) // liquidated
    opening["amount"][longs] = margin_of_group(group)
    replay.play(engine, opening)
    if orders:
        replay.play(engine, bids(longs + 1, orders))
    bid = np.zeros(1, COMMAND)
    replay.place(bid, 0, positions + 1, FIRST_PRICE - 500, weak)
    bid["nonce"], bid["amount"] = 1, 10**9 - 10**6
    replay.play(engine, bid)
    engine.apply_one(replay.index_price(replay.MARK_TICKS))
    return engine


def bids(accounts: Array, orders: int) -> Array:
    """Return bids of one lot, the first of every account, then the second, at many prices."""
    count = len(accounts) * orders
    records = np.zeros(count, COMMAND)
    price = np.random.default_rng(2).integers(100_000, 120_000, count)
    replay.place(records, 0, np.tile(accounts, orders), price, 1)
    records["nonce"] = 2 + np.repeat(np.arange(orders), len(accounts))
    return records


def tick(engine: Engine, number: int, liquidated: int, orders: int) -> tuple[float, int]:
    """Bring the price that reaches a group; return (CPU time, checksum of the events)."""
    record = replay.index_price(FIRST_PRICE - STEP * number).pack()
    OTHER_WORK.sum()
    cpu_ns = time.process_time_ns()
    view = engine.apply_view(record)
    cpu_ns = time.process_time_ns() - cpu_ns
    events = np.frombuffer(view, EVENT)
    kinds = (EventKind.LIQUIDATION_STARTED, EventKind.LIQUIDATION_FILL, EventKind.ORDER_CANCELED)
    counted = [int((events["kind"] == kind).sum()) for kind in kinds]
    if counted != [liquidated, liquidated, liquidated * orders]:
        raise ValueError(f"engine.tick_orders: {counted} liquidations, fills and cancels")
    return cpu_ns, zlib.crc32(view)


def checksum(positions: int, groups: int, liquidated: int, orders: int) -> int:
    """Return one number for the events of all ticks, which no machine changes."""
    engine = weak_engine(positions, groups, liquidated, orders)
    found = [tick(engine, number, liquidated, orders)[1] for number in range(groups)]
    return zlib.crc32(np.array(found, np.uint32).tobytes())


def measure_tick_orders() -> Iterator[Result]:
    """One tick that liquidates 100 positions with orders; the limit is the same without any."""
    cpu: dict[int, float] = {}
    sums: dict[int, str] = {}
    for orders in ORDERS:
        engine = weak_engine(POSITIONS_FEW, TICKS, LIQUIDATED, orders)
        ticks = [tick(engine, number, LIQUIDATED, orders) for number in range(TICKS)]
        cpu[orders] = statistics.median(ns for ns, _ in ticks)
        sums[orders] = f"{zlib.crc32(np.array([crc for _, crc in ticks], np.uint32).tobytes()):08x}"
    conditions: dict[str, object] = {
        "liquidated": LIQUIDATED,
        "positions": POSITIONS_FEW,
        "orders_of_each": SHOWN,
        "limit": "the same tick of positions without orders",
        "value": "median CPU time of a tick",
        "cpu_ns_by_orders_of_each": cpu,
        "ns_a_cancel": {
            orders: round((cpu[orders] - cpu[0]) / (orders * LIQUIDATED), 1)
            for orders in ORDERS[1:]
        },
        "checksums": sums,
        "rounds": TICKS,
    }
    yield Result("engine.tick_orders", cpu[SHOWN], "ns", cpu[0], conditions)


CASES: Final[dict[str, Callable[[], Iterator[Result]]]] = {
    "engine.tick_orders": measure_tick_orders
}
