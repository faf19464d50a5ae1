"""Saving and loading an engine of a million orders and a million positions."""

from __future__ import annotations

import hashlib
import mmap
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from matcher.engine.engine import Engine
from tests.bench import replay
from tests.bench.engine import pairs
from tests.bench.replay import COMMAND
from tests.bench.result import Result

COUNT: Final = 1_000_000
OWNERS: Final = 1_000
ROUNDS: Final = 3
BAR_NS: Final = 2e9


def full_engine(count: int = COUNT) -> Engine:
    """Return an engine with `count` open positions and as many resting orders."""
    engine = replay.new_engine(accounts=count, orders=count + 1, amount=10**9)
    replay.play(engine, pairs(count, 0))
    records = np.zeros(count, COMMAND)
    at = np.arange(count)
    replay.place(records, at % 2, 1 + at // 2 % OWNERS, replay.MARK_TICKS, 5)
    distance = 1 + at // 2 % 20_000
    records["price"] += np.where(at % 2 == 0, -distance, distance).astype(np.int32).view(np.uint32)
    replay.number(records)
    records["nonce"] += 1
    replay.play(engine, records)
    if engine.order_count != count or engine.market(1).open_interest_lots * 2 != count:
        raise ValueError(f"snapshot: {engine.order_count} orders rest, not {count}")
    return engine


def save(engine: Engine, path: Path) -> None:
    """Write a snapshot; the kernel may keep it in memory."""
    with path.open("wb", buffering=0) as file:
        for piece in engine.snapshot():
            file.write(piece)


def load(path: Path) -> Engine:
    """Return the engine of a snapshot."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        return Engine.restore(memoryview(memory))


def floor(path: Path, copy: Path) -> None:
    """Do what both cannot do without: pass over the bytes, digest them, write or copy them."""
    digest, buffer = hashlib.blake2b(digest_size=32), bytearray(1 << 20)
    with path.open("rb", buffering=0) as source, copy.open("wb", buffering=0) as file:
        while size := source.readinto(buffer):
            digest.update(memoryview(buffer)[:size])
            file.write(memoryview(buffer)[:size])


def timed_ns(work: Callable[[], object]) -> tuple[float, float]:
    """Return (CPU time, wall time); what the work returns is let go of outside."""
    wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    kept = work()
    cpu_ns, wall_ns = time.process_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
    del kept
    return cpu_ns, wall_ns


def measure() -> Iterator[Result]:
    """Save, load, and the floor of both, in turn; the loaded engine must be the saved one."""
    engine = full_engine()
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder, "snapshot"), Path(folder, "copy")
        works: dict[str, Callable[[], object]] = {
            "save": lambda: save(engine, path),
            "load": lambda: load(path),
            "floor": lambda: floor(path, copy),
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                times[name].append(timed_ns(work))
        size = path.stat().st_size
        if load(path).state_hash() != engine.state_hash():
            raise ValueError("snapshot: the loaded engine is in another state")
    cpu = {name: statistics.median(run[0] for run in runs) for name, runs in times.items()}
    for name in ("save", "load"):
        yield Result(
            f"snapshot.{name}",
            cpu[name],
            "ns",
            cpu["floor"],
            {
                "orders": COUNT,
                "positions": COUNT,
                "bytes": size,
                "value": "median CPU time, the file included, in the kernel's memory",
                "limit": "read, digest and write the same bytes, in turn",
                "rounds": ROUNDS,
                "wall_ns": statistics.median(run[1] for run in times[name]),
            },
            {"value_max": BAR_NS},
        )


CASES: Final[dict[str, Callable[[], Iterator[Result]]]] = {"snapshot": measure}
