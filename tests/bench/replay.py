"""An order workload as the engine's commands, and the engine that plays it.

An order of the file becomes one PLACE, a cancel one CANCEL, a replace one of each: the engine has
no command for it. Who places is chosen so that nobody meets himself, which the workload does not
ask for: resting orders belong to some accounts, orders that take to others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from margin_core import MarketSpec, Tier
from matcher.engine.book import Book
from matcher.engine.commands import COMMAND_BYTES, Command, CommandKind
from matcher.engine.engine import Engine
from matcher.engine.events import EVENT_BYTES, EventKind
from tests.bench.workload import (
    CANCEL,
    FLAG_TAKER,
    REPLACE,
    Array,
    Fills,
    Workload,
    checksum_of,
    fills_of,
)

COMMAND: Final = np.dtype(
    "u1, u1, u1, u1, <u2, <u2, <u4, <u4, <i8, <u8, <u8, <i8, <u4, <u4, <u4, <u4"
)
COMMAND.names = (
    "kind", "side", "tif", "flags", "market", "trigger", "account", "price", "time_ns", "nonce",
    "order_id", "amount", "qty", "trigger_price", "expiry_s", "session",
)  # fmt: skip
EVENT: Final = np.dtype("u1, u1, u1, u1, <u2, <u2, <u4, <u4, <u8, <u8, <u4, <u4, <i8, <i8, <i8")
EVENT.names = (
    "kind", "side", "reason", "flags", "market", "pad", "account", "account_2", "order_id",
    "order_id_2", "price", "remaining", "qty", "amount", "amount_2",
)  # fmt: skip
assert COMMAND.itemsize == COMMAND_BYTES
assert EVENT.itemsize == EVENT_BYTES

TIME_NS: Final = 10**18
EXPIRY_S: Final = 2**32 - 1  # no date: good till cancelled
DAY_S: Final = 86_400
ORDERS_A_SECOND: Final = 1_000_000
MARK_TICKS: Final = 1_000_000
MARGIN_DIVISOR: Final = 8
MAKERS: Final = 500
TAKERS: Final = 500
RESTING_TAKERS: Final = 2_000  # those whose rest stays in the book take turns
FREE_QUOTE: Final = 10**14
LEARN_BATCH: Final = 4_096
BATCH: Final = 512  # commands a call, as a sequencer under load hands them over


Machine = Engine | Book


class Replay(NamedTuple):
    """Commands with every order id in place; those from `start` on are timed."""

    workload: Workload
    commands: Array
    is_taker: Array  # of each command
    start: int
    state_hash: bytes  # after the last command

    @property
    def timed(self) -> Array:
        """Return the commands that are timed."""
        return self.commands[self.start :]


def spec(market_id: int = 1) -> MarketSpec:
    """Return a market that the workloads fit into."""
    return MarketSpec(
        market_id=market_id,
        quote_per_tick_lot=1,
        price_ticks_max=2**21,
        position_lots_max=2**36,
        fee_maker_ppm=200,
        fee_taker_ppm=500,
        tiers=(
            Tier(notional_floor_quote=0, margin_initial_ppm=10_000, margin_maintenance_ppm=5_000),
        ),
    )


def deposits(accounts: int, amount: int) -> Array:
    """Return one deposit for each of the accounts from 1."""
    records = np.zeros(accounts, COMMAND)
    records["kind"], records["time_ns"], records["amount"] = CommandKind.DEPOSIT, TIME_NS, amount
    records["account"] = records["nonce"] = np.arange(1, accounts + 1)
    return records


def index_price(price: int) -> Command:
    """Return an index price at the fixed engine time."""
    return Command(
        CommandKind.PRICE, market_id=1, price_ticks=price, aux=TIME_NS // 10**6, time_ns=TIME_NS
    )


def new_engine(
    *, accounts: int, orders: int, amount: int = FREE_QUOTE, nonce_groups: int = 1 << 10
) -> Engine:
    """Return an engine with one market, a mark and funded accounts."""
    engine = Engine(
        account_count_max=accounts,
        position_count_max=accounts + 1,
        order_count_max=orders,
        nonce_group_count=nonce_groups,
    )
    engine.list_market(spec(), TIME_NS)
    for _ in range(accounts):
        engine.register_account()
    play(engine, deposits(accounts, amount))
    engine.apply_one(index_price(MARK_TICKS))
    return engine


def engine_for(workload: Workload) -> Engine:
    """Return an engine that is ready for the first command of the workload."""
    accounts = MAKERS + TAKERS + RESTING_TAKERS
    return new_engine(
        accounts=accounts,
        orders=2 * int(workload.header["live_orders"]) + 65_536,
        nonce_groups=len(workload.operations) // 64 + accounts,
    )


def buffers(commands: Array, batch: int = BATCH) -> list[memoryview]:
    """Return the commands as the batches that are handed to the engine."""
    whole = memoryview(commands.tobytes())
    step = batch * COMMAND.itemsize
    return [whole[at : at + step] for at in range(0, len(whole), step)]


def book_for(workload: Workload) -> Book:
    """Return a book that is ready for the first command of the workload."""
    return Book(2**21, order_count_max=2 * int(workload.header["live_orders"]) + 65_536)


def play(engine: Machine, commands: Array) -> None:
    """Apply the commands in batches; nobody reads the events."""
    for records in buffers(commands):
        engine.apply_view(records)


def timed_play(engine: Machine, commands: Array) -> tuple[float, float]:
    """Play and return (CPU time, wall time) in nanoseconds."""
    batches = buffers(commands)
    wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    for records in batches:
        engine.apply_view(records)
    return time.process_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns


def place(records: Array, side: object, account: object, price: object, lots: object) -> None:
    """Fill whole records as good-till-cancelled orders with ample margin."""
    records["kind"], records["market"], records["time_ns"] = CommandKind.PLACE, 1, TIME_NS
    records["side"], records["account"] = side, account
    records["price"], records["qty"], records["expiry_s"] = price, lots, EXPIRY_S
    records["amount"] = records["price"].astype(np.int64) * records["qty"] // MARGIN_DIVISOR


def number(records: Array) -> None:
    """Give each account's orders nonces from 1 on."""
    by_account = np.argsort(records["account"], kind="stable")
    ordered = records["account"][by_account]
    at = np.arange(len(ordered))
    first = np.maximum.accumulate(np.where(np.r_[True, ordered[1:] != ordered[:-1]], at, 0))
    records["nonce"][by_account] = at - first + 1


def accounts_of(operations: Array) -> Array:
    """Return who sends each operation: he who placed the order, for cancels and replaces."""
    is_new = operations["op"] == 0
    taker = is_new & (operations["flags"] & FLAG_TAKER != 0)
    rests = taker & (operations["tif"] == 0)
    account = 1 + operations["account"].astype(np.int64) % MAKERS
    account[taker] += MAKERS
    account[rests] = 1 + MAKERS + TAKERS + np.arange(rests.sum()) % RESTING_TAKERS
    owner = np.zeros(int(operations["id"].max()) + 1, np.int64)
    owner[operations["id"][is_new]] = account[is_new]
    senders: Array = owner[operations["id"]]
    return senders


def prepare(
    workload: Workload, new: Callable[[Workload], Machine] = engine_for, *, is_sent: bool = False
) -> Replay:
    """Convert a workload and learn the order ids of engine or book in a first run.

    With `is_sent` each order has what the client and the gateway give it: the tag of its session
    and a date a day ahead, of which a million orders share one.

    Raises:
        ValueError: Its fills are not those that the file says.
    """
    operations = np.asarray(workload.operations)
    is_cancel, is_replace = operations["op"] == CANCEL, operations["op"] == REPLACE
    ends = np.cumsum(1 + is_replace)  # a replace is two commands
    place_at, cancel_at = ends - 1, ends - 1 - is_replace
    commands = np.zeros(int(ends[-1]), COMMAND)
    accounts = accounts_of(operations)

    places = ~is_cancel
    placed = np.zeros(int(places.sum()), COMMAND)
    source = operations[places]
    place(placed, source["side"], accounts[places], source["price"], source["qty"])
    placed["tif"] = source["tif"]
    number(placed)
    if is_sent:
        placed["session"] = placed["account"]
        placed["expiry_s"] = TIME_NS // 10**9 + DAY_S + np.arange(len(placed)) // ORDERS_A_SECOND
    commands[place_at[places]] = placed

    cancels = is_cancel | is_replace
    # The operation before it with the same id placed what a cancel or replace ends.
    by_id = np.argsort(operations["id"], kind="stable")
    before = np.empty(len(operations), np.int64)
    before[by_id[1:]] = by_id[:-1]
    target = place_at[before[cancels]]
    ended = np.zeros(len(target), COMMAND)
    ended["kind"], ended["time_ns"] = CommandKind.CANCEL, TIME_NS
    ended["account"], ended["nonce"] = accounts[cancels], commands["nonce"][target]
    commands[cancel_at[cancels]] = ended

    target_of = np.full(len(commands), -1)
    target_of[cancel_at[cancels]] = target
    state_hash = learn(new(workload), workload, commands, target_of, place_at)
    is_taker = np.zeros(len(commands), bool)
    is_taker[place_at] = operations["flags"] & FLAG_TAKER != 0
    start = int(ends[workload.prefill_count - 1])
    return Replay(workload, commands, is_taker, start, state_hash)


def learn(
    engine: Machine, workload: Workload, commands: Array, target_of: Array, place_at: Array
) -> bytes:
    """Run once, put the order ids into the cancels, and check every fill.

    No batch has a cancel of its own orders: their ids are not known yet. Returns the state's hash.
    """
    id_of = np.zeros(len(commands), np.uint64)
    fills = []
    begin = 0
    while begin < len(commands):
        window = target_of[begin : begin + LEARN_BATCH]
        unknown = np.flatnonzero(window >= begin)
        end = begin + (int(unknown[0]) if len(unknown) else len(window))
        batch, target = commands[begin:end], target_of[begin:end]
        is_cancel = target >= 0
        batch["order_id"][is_cancel] = id_of[target[is_cancel]]
        events = np.frombuffer(engine.apply(batch.data), EVENT)
        accepted = events["order_id"][events["kind"] == EventKind.ORDER_ACCEPTED]
        is_place = batch["kind"] == CommandKind.PLACE
        if len(accepted) != is_place.sum():
            raise ValueError(f"{workload.path.name}: the engine refuses orders of the workload")
        id_of[begin:end][is_place] = accepted
        fills.append(events[events["kind"] == EventKind.FILL])
        begin = end
    found = tally(np.concatenate(fills), id_of, place_at, workload)
    if found != fills_of(workload.header):
        raise ValueError(
            f"{type(engine).__name__}: {found}, the file says {fills_of(workload.header)}"
        )
    return engine.state_hash()


def tally(fills: Array, id_of: Array, place_at: Array, workload: Workload) -> Fills:
    """Return what the engine's fills add up to in the ids of the file."""
    file_id = np.zeros(len(id_of), np.uint64)
    file_id[place_at] = workload.operations["id"]
    by_id = np.argsort(id_of)
    rows = np.empty((len(fills), 4), np.uint64)
    for column, name in enumerate(("order_id", "order_id_2")):
        rows[:, column] = file_id[by_id[np.searchsorted(id_of, fills[name], sorter=by_id)]]
    rows[:, 2], rows[:, 3] = fills["price"], fills["qty"]
    notional = int((fills["price"] * fills["qty"]).sum())
    return Fills(len(fills), int(fills["qty"].sum()), notional, checksum_of(rows.ravel().tolist()))
