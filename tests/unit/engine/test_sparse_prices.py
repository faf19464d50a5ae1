"""What orders at prices that nobody else uses hold of memory: pages, counted."""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path

import pytest

from matcher.engine.commands import Command, CommandKind
from matcher.engine.engine import Engine
from tests.unit.engine.test_bounded_work import TIME_NS, engine_of, order
from tests.unit.engine.venue import SELL

TOP = 2**25
ORDERS = 512
GAP = 2**15  # ticks; each order has a page of levels and a page of their bits to itself
FAR = 2**22
FAR_GAP = 2**12
OWN = 4_096  # orders of an account in a market at most
WAITING = 16_384  # pages
PAGE = mmap.PAGESIZE
STATM = Path("/proc/self/statm")
NEAR_WINDOW = range(12_000, 2**19, 256)  # a page of levels each; the mark is 10,000


def resident() -> int:
    """Return the pages that the process holds."""
    if not STATM.exists() or PAGE != 4096:
        pytest.skip("the resident set is read from /proc, in pages of 4 KiB")
    return int(STATM.read_text(encoding="ascii").split()[1])


def rest(engine: Engine, prices: range, nonce: int) -> None:
    """Let account 1 sell one lot at each price."""
    for k, ticks in enumerate(prices):
        engine.apply_view(order(1, SELL, ticks, nonce + k, amount_quote=10**8))
    assert engine.order_count == len(prices)


def end_all(engine: Engine) -> None:
    for order_id in engine.open_orders(1):
        assert engine.cancel(1, order_id, TIME_NS) > 0
    assert engine.order_count == 0


def far(shift: int) -> range:
    return range(FAR + shift, FAR + shift + ORDERS * GAP, GAP)


def warm_engine() -> Engine:
    """Return an engine whose tables of orders and nonces are present already."""
    engine = engine_of(1, 4_000, price_ticks_max=TOP)
    rest(engine, range(10_001, 12_049), 1)
    end_all(engine)
    return engine


def move_mark(engine: Engine, ticks: int) -> None:
    row = Command(
        CommandKind.PRICE, market_id=1, price_ticks=ticks, aux=TIME_NS // 10**6 + 1,
        time_ns=TIME_NS + 10**6,
    ).records()  # fmt: skip
    engine.apply_view(row)
    assert abs(engine.market(1).mark_price_ticks - ticks) < ticks // 10


def test_a_lonely_order_holds_a_page_and_gives_it_back() -> None:
    """Before, it was a large page of 2 MiB, for good."""
    engine = warm_engine()
    before = resident()
    rest(engine, far(0), 3_000)
    assert ORDERS < resident() - before < 3 * ORDERS
    end_all(engine)
    assert resident() - before < 1.5 * ORDERS  # what is left are the bits
    known = resident()
    for turn in range(1, 9):  # other pages of levels under the same pages of bits
        rest(engine, far(turn * 512), 3_000 + turn * ORDERS)
        end_all(engine)
    assert resident() - known < ORDERS // 4
    engine.check_invariants()


def test_the_window_that_the_mark_leaves_is_given_back() -> None:
    engine = warm_engine()
    before = resident()
    rest(engine, NEAR_WINDOW, 3_000)
    assert resident() - before > len(NEAR_WINDOW) // 2  # the rest was there
    first = engine.open_orders(1)[-1]
    for order_id in engine.open_orders(1)[:-1]:
        engine.cancel(1, order_id, TIME_NS)
    move_mark(engine, FAR)
    assert resident() - before < len(NEAR_WINDOW) // 4
    engine.check_invariants()
    assert engine.open_orders(1) == [first]


@pytest.mark.parametrize("accounts", [1, 5])
def test_a_mass_cancel_leaves_its_pages_to_later_commands(accounts: int) -> None:
    """32 go back with each; of more than wait, 16,384, the rest in the command itself."""
    orders = range(FAR, FAR + OWN * FAR_GAP, FAR_GAP)
    engine = engine_of(accounts, accounts * OWN, price_ticks_max=TOP)
    before = resident()
    for k in range(accounts):
        for number, ticks in enumerate(orders):
            place = order(k + 1, SELL, ticks + k * 256, 100 + number, amount_quote=10**8)
            engine.apply_view(place)
    assert engine.order_count == accounts * OWN
    full = resident() - before
    for k in range(accounts):
        engine.apply_one(
            Command(CommandKind.CANCEL_ALL, account=k + 1, side=2, time_ns=TIME_NS, market_id=1)
        )
    assert engine.order_count == 0
    left = resident() - before
    assert left > full - accounts * OWN + WAITING - 100 if accounts > 4 else left > full - 100
    for _ in range(WAITING // 32):
        engine.apply_one(Command(CommandKind.TICK, time_ns=TIME_NS))
    assert resident() - before < full - accounts * OWN * 0.95
    engine.check_invariants()


def test_what_was_given_back_is_no_state() -> None:
    """A restored engine has touched other pages; both go on alike."""
    engine = warm_engine()
    rest(engine, NEAR_WINDOW[::16], 3_000)
    engine.apply_view(order(1, SELL, FAR, 9_000, amount_quote=10**8))
    copy = Engine.restore(b"".join(engine.snapshot()))
    for each in (engine, copy):
        move_mark(each, FAR - 1)
        for order_id in each.open_orders(1)[1::2]:
            each.cancel(1, order_id, TIME_NS)
        rest_again = order(1, SELL, NEAR_WINDOW[16], 9_001, amount_quote=10**8)
        each.apply_view(rest_again)
        each.check_invariants()
    assert engine.state_hash() == copy.state_hash()
    assert engine.book(1, 100) == copy.book(1, 100)
    assert b"".join(engine.snapshot()) == b"".join(copy.snapshot())


REFUSED = """
import resource
from matcher.engine.engine import Engine
from tests.unit.engine.venue import spec_of
engine = Engine(account_count_max=4, position_count_max=4, order_count_max=16)
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
for market_id, top in ((1, 2**27 - 1), (2, 10**6)):
    try:
        engine.list_market(spec_of(market_id=market_id, price_ticks_max=top), 1)
        print("listed", market_id)
    except MemoryError as error:
        print(error)
"""


def test_a_market_whose_prices_have_no_room_is_refused() -> None:
    """The address space is reserved when it is listed; the next, smaller one has its place."""
    done = subprocess.run(
        [sys.executable, "-c", REFUSED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "market_id = 1: no memory for its price ladders\nlisted 2\n"
