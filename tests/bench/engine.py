"""Speed and memory of the engine: the order workloads, single calls, a mark tick, bytes.

Times are process CPU time, which a busy neighbour disturbs least; conditions hold wall time too.
Engine and limit run in turn, and figures are medians.
"""

from __future__ import annotations

import gc
import mmap
import statistics
import time
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from matcher.engine.commands import CommandKind, unpack
from matcher.engine.engine import Engine
from matcher.engine.events import EventKind
from tests.bench import replay, workload
from tests.bench.limit import program
from tests.bench.replay import COMMAND, EVENT, Machine, Replay
from tests.bench.result import Result
from tests.bench.workload import Array, Workload

T = TypeVar("T")

COUNT: Final = 5_000_000
ROUNDS: Final = 7
CALL_COUNT: Final = 500_000
CALL_ROUNDS: Final = 5
LATENCY_ROUNDS: Final = 15
PERCENTILES: Final = (50, 99, 99.9)

POSITIONS: Final = 1_000_000
POSITIONS_FEW: Final = 10_000
LIQUIDATED: Final = 100
TICKS: Final = 25
TICK_BAR: Final = {"value_max": 1e6, "ratio_to_limit_min": 0.8333}  # a millisecond; 20 %
OTHER_WORK: Final = np.ones(1 << 24)


MACHINES: Final[dict[str, Callable[[Workload], Machine]]] = {
    "engine": replay.engine_for,
    "book": replay.book_for,
}
BARS: Final = {"engine": 0.5, "book": 0.75}


def prepared(
    name: str, count: int = COUNT, machine: str = "engine", *, is_sent: bool = False
) -> Replay:
    """Return a workload ready to play."""
    return replay.prepare(workload.obtain(name, count), MACHINES[machine], is_sent=is_sent)


def filled(stream: Replay, machine: str = "engine") -> Machine:
    """Return an engine or a book as the prefill leaves it."""
    played = MACHINES[machine](stream.workload)
    replay.play(played, stream.commands[: stream.start])
    return played


def filled_engine(stream: Replay) -> Engine:
    """Return an engine whose book is as the prefill leaves it."""
    engine = filled(stream)
    assert isinstance(engine, Engine)
    return engine


def measure_batches(machine: str, name: str, *, is_sent: bool = False) -> Iterator[Result]:
    """Play a workload through the batch call, in turn with the C++ ladder.

    The engine's limit has a stand-in for margin, the book's has not. With `is_sent` orders have a
    session's tag and a date, the limit's as ever not.
    """
    stream = prepared(name, machine=machine, is_sent=is_sent)
    limit = program.build(margin=machine == "engine")
    ours: list[tuple[float, float]] = []
    bound: list[program.Run] = []
    for _ in range(ROUNDS):
        played = filled(stream, machine)
        cpu_ns, wall_ns = replay.timed_play(played, stream.timed)
        if played.state_hash() != stream.state_hash:
            raise ValueError(f"{machine}.{name}: the timed run ended in another state")
        ours.append((cpu_ns / stream.workload.timed_count, wall_ns / stream.workload.timed_count))
        if limit:
            bound.append(program.run(limit, stream.workload))
    cpu, wall = (statistics.median(times) for times in zip(*ours, strict=True))
    conditions: dict[str, object] = {
        "operations": stream.workload.timed_count,
        "commands": len(stream.timed),
        "commands_per_call": replay.BATCH,
        "fills": int(stream.workload.header["n_fills"]),
        "checksum": f"{int(stream.workload.header['hash']):016x}, equal to the file's",
        "workload": stream.workload.path.name,
        "rounds": ROUNDS,
        "value": "median CPU time; a replace, one operation, is a cancel and a place",
        "wall_ns": round(wall, 2),
        "cpu_ns_fastest": round(min(ours)[0], 2),
    }
    bound_cpu = None
    if bound:
        bound_cpu = round(statistics.median(run.cpu_ns for run in bound), 2)
        ratios = [run.cpu_ns / own[0] for run, own in zip(bound, ours, strict=True)]
        conditions["limit"] = f"{program.source().name}, C++, in turn"
        conditions["limit_wall_ns"] = round(statistics.median(run.wall_ns for run in bound), 2)
        conditions["limit_cpu_ns_fastest"] = round(min(run.cpu_ns for run in bound), 2)
        conditions["ratio_median_of_pairs"] = round(statistics.median(ratios), 4)
    bar = None if is_sent else {"ratio_to_limit_min": BARS[machine]}
    conditions["orders"] = "with session and date" if is_sent else "plain"
    if machine == "engine":
        conditions["market"] = "one tier, no price band, no open-interest cap in reach"
    title = f"{machine}.{'sent.' if is_sent else ''}{name}"
    yield Result(title, round(cpu, 2), "ns", bound_cpu, conditions, bar)


def loop_ns(call: Callable[[T], object], records: list[T]) -> tuple[float, float]:
    """Return (CPU time, wall time) of one call in a plain loop over the records."""
    wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    for record in records:
        call(record)
    cpu_ns, wall_ns = time.process_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
    return cpu_ns / len(records), wall_ns / len(records)


def split(commands: Array) -> list[bytes]:
    """Return the records one by one."""
    whole, size = commands.tobytes(), COMMAND.itemsize
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def calls_ns(engine: Engine, rows: list[tuple[int, ...]]) -> tuple[float, float]:
    """Return (CPU time, wall time) of one order by `place` or `cancel`."""
    place, cancel, market, time_ns = engine.place, engine.cancel, 1, replay.TIME_NS
    wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    for account, order_id, side, price, lots, margin, nonce, expiry_s, tif in rows:
        if order_id:
            cancel(account, order_id, time_ns)
        else:
            place(account, market, side, price, lots, margin, nonce, expiry_s, time_ns, tif)
    cpu_ns, wall_ns = time.process_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
    return cpu_ns / len(rows), wall_ns / len(rows)


def measure_call() -> Iterator[Result]:
    """One call an order from a Python loop; the limit is such a loop that calls `len`."""
    stream = prepared("hot", CALL_COUNT)
    records = split(stream.timed)
    fields = ("account", "order_id", "side", "price", "qty", "amount", "nonce", "expiry_s", "tif")
    rows = list(zip(*(stream.timed[name].tolist() for name in fields), strict=True))
    commands = [unpack(record) for record in records[: CALL_COUNT // 10]]
    names = ("ints", "view", "bytes", "one", "empty")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(CALL_ROUNDS):
        engine = filled_engine(stream)
        times["ints"].append(calls_ns(engine, rows))
        if engine.state_hash() != stream.state_hash:
            raise ValueError("engine.call: single calls end in another state than batches")
        times["view"].append(loop_ns(filled_engine(stream).apply_view, records))
        times["bytes"].append(loop_ns(filled_engine(stream).apply, records))
        times["one"].append(loop_ns(filled_engine(stream).apply_one, commands))
        times["empty"].append(loop_ns(len, records))
    cpu = {
        name: round(statistics.median(run[0] for run in runs), 1) for name, runs in times.items()
    }
    yield Result(
        "engine.call",
        cpu["ints"],
        "ns",
        cpu["empty"],
        {
            "calls": len(rows),
            "call": "place and cancel of positional ints, returning an int; workload hot",
            "limit": "a loop calling len",
            "rounds": CALL_ROUNDS,
            "value": "median CPU time a call, the loop and its unpacking of a row in it; "
            "a replace is two calls",
            "wall_ns": round(statistics.median(run[1] for run in times["ints"]), 1),
            "apply_packed_record_ns": cpu["bytes"],
            "apply_view_packed_record_ns": cpu["view"],
            "apply_one_command_object_ns": cpu["one"],
        },
        {"value_max": 250},
    )


def latencies(call: Callable[[bytes], object], commands: Array) -> Array:
    """Return the wall time of each call; the clock's own time is in it.

    Each record was written just before, as by who decodes one, and times go to memory that was
    touched before: a list of them would grow while it is measured, and each new page costs more
    than a call.
    """
    whole, size = commands.tobytes(), COMMAND.itemsize
    clock, times = time.perf_counter_ns, array("q", [1]) * len(commands)
    gc.disable()
    try:
        for number in range(len(commands)):
            record = whole[number * size : (number + 1) * size]
            started_ns = clock()
            call(record)
            times[number] = clock() - started_ns
    finally:
        gc.enable()
    return np.array(times)


def measure_latency() -> Iterator[Result]:
    """Percentiles of single calls by kind of command, less an empty call timed likewise.

    The limit is a call about as long that stays in the first cache and allocates nothing: what its
    slowest take is the machine's. What is the engine's comes back in every round.
    """
    stream = prepared("hot", CALL_COUNT)
    rounds: dict[str, list[Array]] = {"engine": [], "idle": [], "empty": []}
    for _ in range(LATENCY_ROUNDS):
        engine = filled_engine(stream)
        rounds["engine"].append(latencies(engine.apply_view, stream.timed))
        if engine.state_hash() != stream.state_hash:
            raise ValueError("engine.latency: single calls end in another state than batches")
        rounds["idle"].append(latencies(sum, stream.timed))
        rounds["empty"].append(latencies(len, stream.timed))
    empty = float(np.median(rounds["empty"]))
    idle = np.median([np.percentile(run, PERCENTILES) for run in rounds["idle"]], axis=0) - empty
    usual = np.median(rounds["engine"], axis=0)
    is_cancel = stream.timed["kind"] == CommandKind.CANCEL
    is_taker = stream.is_taker[stream.start :]
    kinds = {"add": ~is_cancel & ~is_taker, "cancel": is_cancel, "taker": is_taker}
    for name, chosen in kinds.items():
        table = [np.percentile(run[chosen], PERCENTILES) - empty for run in rounds["engine"]]
        p50, p99, p999 = np.median(table, axis=0).tolist()
        yield Result(
            f"engine.latency.{name}",
            round(p999, 1),
            "ns",
            round(float(idle[2]), 1),
            {
                "value": "p99.9, median of rounds, wall time of single apply_view calls from "
                "Python, less an empty call timed likewise; interruptions of the machine are in it",
                "limit": "p99.9 of summing the record's bytes, timed likewise",
                "p50_ns": round(p50, 1),
                "p99_ns": round(p99, 1),
                "p999_ns_fastest_round": round(float(min(row[2] for row in table)), 1),
                "p999_ns_of_each_call_s_median": round(
                    float(np.percentile(usual[chosen], 99.9)) - empty, 1
                ),
                "limit_p50_ns": round(float(idle[0]), 1),
                "empty_ns": empty,
                "calls": int(chosen.sum()),
                "rounds": LATENCY_ROUNDS,
                "workload": "hot",
            },
            None if name == "taker" else {"value_max": 1_000},
        )


def pairs(count: int, weak: int) -> Array:
    """Return orders that open `count` positions of one lot, half of them long.

    `weak` longs, spread over all, come in groups of `LIQUIDATED`, each group with less to lose than
    the next; all others have half of their notional as margin.
    """
    records = np.zeros(count, COMMAND)
    is_buy = np.arange(count) % 2  # a seller rests, the buyer after him takes it
    replay.place(records, 1 - is_buy, np.arange(1, count + 1), replay.MARK_TICKS, 1)
    records["nonce"], records["tif"] = 1, is_buy
    records["amount"] = replay.MARK_TICKS // 2
    if weak:
        group = np.random.default_rng(1).permutation(weak) // LIQUIDATED
        records["amount"][1 : 2 * weak * (count // 2 // weak) : 2 * (count // 2 // weak)] = (
            margin_of_group(group)
        )
    return records


def margin_of_group(group: Array) -> Array:
    """Return the margin that brings a group's liquidation price under that of the one before."""
    return 20_000 + 3_000 * group


def tick_engine(count: int) -> Engine:
    """Return an engine with open positions, and one bid deep enough for every liquidation."""
    engine = replay.new_engine(accounts=count + 1, orders=4_096, amount=10**9)
    replay.play(engine, pairs(count, LIQUIDATED * TICKS))
    bid = np.zeros(1, COMMAND)
    replay.place(bid, 0, count + 1, 984_000, LIQUIDATED * TICKS)
    bid["nonce"] = 1
    bid["amount"] = 10**9 - 10**6
    replay.play(engine, bid)
    engine.apply_one(replay.index_price(replay.MARK_TICKS))
    return engine


def tick_ns(engine: Engine, price: int, time_ns: int, liquidated: int) -> tuple[float, float]:
    """Bring a price after other work has taken the caches; return (CPU time, wall time)."""
    command = replay.index_price(price)._replace(time_ns=time_ns, aux=time_ns // 10**6)
    record = command.pack()
    OTHER_WORK.sum()
    wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    events = engine.apply_view(record)
    cpu_ns, wall_ns = time.process_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
    kinds = np.frombuffer(events, EVENT)["kind"]
    counted = [int((kinds == kind).sum()) for kind in (
        EventKind.LIQUIDATION_STARTED, EventKind.LIQUIDATION_FILL)]  # fmt: skip
    if counted != [liquidated, liquidated]:
        raise ValueError(f"engine.tick_1m: {counted} liquidations and fills, not {liquidated}")
    if time_ns > replay.TIME_NS and not (kinds == EventKind.FUNDING).any():
        raise ValueError("engine.tick_1m: funding was not settled")
    return cpu_ns, wall_ns


def measure_tick() -> Iterator[Result]:
    """One mark tick that liquidates 100 of a million; the limit is the same among 10,000."""
    engines = {count: tick_engine(count) for count in (POSITIONS, POSITIONS_FEW)}
    times: dict[int, list[tuple[float, float]]] = {count: [] for count in engines}
    funding: dict[int, list[tuple[float, float]]] = {count: [] for count in engines}
    for number in range(TICKS):
        price = 984_500 - 3_000 * number
        for count, engine in engines.items():
            times[count].append(tick_ns(engine, price, replay.TIME_NS, LIQUIDATED))
    for number in range(1, TICKS + 1):
        time_ns = replay.TIME_NS + 3_600 * 10**9 * number
        for count, engine in engines.items():
            funding[count].append(tick_ns(engine, price, time_ns, 0))
    conditions: dict[str, object] = {
        "positions": POSITIONS,
        "limit": f"the same tick with {POSITIONS_FEW} positions, in turn",
        "caches": f"taken by other work before each tick: a pass over {OTHER_WORK.nbytes >> 20} MB",
        "rounds": TICKS,
        "value": "median CPU time",
    }
    for name, liquidated, runs, bar in (
        ("engine.tick_1m", LIQUIDATED, times, TICK_BAR),
        ("engine.tick_1m.funding", 0, funding, None),
    ):
        cpu = {count: statistics.median(run[0] for run in runs[count]) for count in engines}
        wall = {count: statistics.median(run[1] for run in runs[count]) for count in engines}
        walls = {"wall_ns": wall[POSITIONS], "limit_wall_ns": wall[POSITIONS_FEW]}
        more = {"liquidated": liquidated} | walls
        yield Result(name, cpu[POSITIONS], "ns", cpu[POSITIONS_FEW], conditions | more, bar)


def resident_bytes() -> int:
    """Return the memory that the process holds, in bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE


def order_bytes(*, is_sent: bool) -> float:
    """Return the memory of an order in a book of a million of a thousand accounts."""
    count, accounts = 1_000_000, 1_000
    records = np.zeros(count, COMMAND)
    at = np.arange(count)
    replay.place(records, at % 2, 1 + at // 2 % accounts, replay.MARK_TICKS, 5)
    distance = 1 + at // 2 % 20_000
    records["price"] += np.where(at % 2 == 0, -distance, distance).astype(np.int32).view(np.uint32)
    replay.number(records)
    if is_sent:
        records["session"] = records["account"]
        records["expiry_s"] = replay.TIME_NS // 10**9 + replay.DAY_S + at // 1_000
    engine = replay.new_engine(accounts=accounts, orders=count + 1, amount=10**12)
    batches = replay.buffers(records)
    before = resident_bytes()
    for batch in batches:
        engine.apply_view(batch)
    value = (resident_bytes() - before) / count
    if engine.order_count != count:
        raise ValueError(f"memory.order: {engine.order_count} orders rest, not {count}")
    return value


def measure_order_bytes() -> Iterator[Result]:
    """Fill a book with orders, plain ones and such with a session's tag and a date."""
    for name, is_sent in (("memory.order", False), ("memory.order.sent", True)):
        yield Result(
            name,
            round(order_bytes(is_sent=is_sent), 1),
            "bytes",
            64,
            {
                "orders": 1_000_000,
                "accounts": 1_000,
                "levels": 40_000,
                "dates": 1_000 if is_sent else 0,
                "value": "resident memory around filling: orders, levels, nonces, positions of 0 "
                "lots",
                "limit": "one cache line",
            },
            {"value_max": 100},
        )


def measure_sparse_bytes() -> Iterator[Result]:
    """Let orders rest alone on their pages of levels, far from the mark, then cancel them all."""
    count, gap = 2_000, 256
    records = np.zeros(2 * count, COMMAND)
    at = np.arange(2 * count)  # the first half makes the orders themselves present
    replay.place(records, 1, np.ones(2 * count, np.uint32), replay.MARK_TICKS + 1, 1)
    records["price"][count:] = (1 << 21) - 1 - gap * at[:count]
    replay.number(records)
    engine = replay.new_engine(accounts=1, orders=2 * count, amount=10**14)
    held = [resident_bytes()]
    for half in (records[:count], records[count:]):
        engine.apply_view(half.tobytes())
        held.append(resident_bytes())
        if engine.order_count != count:
            raise ValueError(f"memory.order_sparse: {engine.order_count} rest, not {count}")
        for order_id in engine.open_orders(1):
            engine.cancel(1, order_id, replay.TIME_NS)
        held.append(resident_bytes())
    yield Result(
        "memory.order_sparse",
        round((held[3] - held[2]) / count, 1),
        "bytes",
        4096,
        {
            "orders": count,
            "gap_ticks": gap,
            "value": "resident memory around filling; each order has its page of levels alone",
            "limit": "one page",
            "bytes_an_order_after_all_are_cancelled": round((held[4] - held[2]) / count, 1),
        },
    )


def measure_position_bytes() -> Iterator[Result]:
    """Open a million positions of as many accounts, which exist and are funded already."""
    records = pairs(POSITIONS, 0)
    engine = replay.new_engine(accounts=POSITIONS, orders=4_096, amount=10**9)
    batches = replay.buffers(records)
    before = resident_bytes()
    for batch in batches:
        engine.apply_view(batch)
    engine.apply_one(replay.index_price(replay.MARK_TICKS))
    value = (resident_bytes() - before) / POSITIONS
    if engine.market(1).open_interest_lots * 2 != POSITIONS:
        raise ValueError("memory.position: not every position is open")
    yield Result(
        "memory.position",
        round(value, 1),
        "bytes",
        128,
        {
            "positions": POSITIONS,
            "value": "resident memory around opening: positions and their liquidation prices; "
            "accounts were there",
            "limit": "two cache lines",
        },
        {"value_max": 200},
    )


CASES: Final[dict[str, Callable[[], Iterator[Result]]]] = {
    **{
        f"{machine}.{name}": partial(measure_batches, machine, name)
        for machine in MACHINES
        for name in ("hot", "churn", "deep")
    },
    **{
        f"engine.sent.{name}": partial(measure_batches, "engine", name, is_sent=True)
        for name in ("hot", "churn", "deep")
    },
    "engine.call": measure_call,
    "engine.latency": measure_latency,
    "engine.tick_1m": measure_tick,
    "memory.order": measure_order_bytes,
    "memory.order_sparse": measure_sparse_bytes,
    "memory.position": measure_position_bytes,
}
