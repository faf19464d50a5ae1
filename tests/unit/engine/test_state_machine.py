"""Commands as bytes: whole records only, one nonce once, and a replay that gives the same state."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from margin_core import ContractKind
from matcher.engine.commands import COMMAND_BYTES, Command, CommandKind, unpack
from matcher.engine.engine import Engine
from matcher.engine.events import EVENT_BYTES
from tests.model.cases import any_contract
from tests.unit.engine.venue import BUY, FOK, GTC, IOC, SELL, Venue, outcome, spec_of, story


def busy_venue() -> tuple[Venue, list[Command]]:
    """Return a venue with a life behind it, and the commands of that life."""
    told: list[Command] = []
    v = Venue(cash=0, mark=0, fund=0)
    apply_one = v.engine.apply_one
    do = v.do

    def record(kind: CommandKind, **fields: Any) -> list[object]:
        told.append(Command(kind, **({"time_ns": v.time_ns, "market_id": 1} | fields)))
        return do(kind, **fields)  # type: ignore[return-value]

    v.do = record  # type: ignore[method-assign, assignment]
    assert apply_one is not None
    rng = Random(7)
    for account in range(1, 7):
        v.deposit(account, 50_000)
    v.fund(2_000)
    v.price(1_000)
    for k in range(300):
        side = rng.randrange(2)
        price = 1_000 + rng.randint(-20, 20)
        v.place(rng.randint(1, 6), side, rng.randint(1, 20), price, price * 2)
        if k % 10 == 0:
            v.wait(1)
            v.price(1_000 + rng.randint(-60, 60))
        if k % 7 == 0:
            v.cancel(rng.randint(1, 6), rng.choice(v.engine.open_orders(1) or [1]))
    return v, told


def empty_engine() -> Engine:
    engine = Engine(account_count_max=6, position_count_max=100, order_count_max=1_000)
    engine.list_market(spec_of(), 1_700_000_000 * 10**9)
    for _ in range(6):
        engine.register_account()
    return engine


def test_a_replay_gives_the_same_state() -> None:
    """CONS-1: and the same events, in one buffer, in many, or one by one."""
    v, told = busy_venue()
    assert len(told) > 300
    packed = b"".join(command.pack() for command in told)
    hashes, streams = set(), set()
    for size in (1, 13, len(told)):
        engine = empty_engine()
        step = size * COMMAND_BYTES
        parts = [engine.apply(packed[at : at + step]) for at in range(0, len(packed), step)]
        streams.add(b"".join(parts))
        hashes.add(engine.state_hash())
        assert engine.seq == len(told)
    assert hashes == {v.engine.state_hash()}
    assert len(streams) == 1


def test_another_history_gives_another_hash() -> None:
    """CONS-1: one command more or less, one unit more or less."""
    _, told = busy_venue()
    hashes = set()
    changed = told[3]._replace(amount_quote=told[3].amount_quote + 1)
    for history in (told, told[:-1], [*told[:3], changed, *told[4:]]):
        engine = empty_engine()
        for command in history:
            engine.apply_one(command)
        hashes.add(engine.state_hash())
    assert len(hashes) == 3


@pytest.mark.parametrize("extra", [1, COMMAND_BYTES - 1, COMMAND_BYTES + 1])
def test_a_buffer_that_ends_inside_a_record_is_refused_whole(extra: int) -> None:
    """SIG-1: nothing of it is applied."""
    v = Venue()
    before = v.engine.state_hash()
    packed = Command(CommandKind.TICK).pack() * 3
    with pytest.raises(ValueError, match="not whole records"):
        v.engine.apply((packed + packed)[: 3 * COMMAND_BYTES + extra])
    assert v.engine.state_hash() == before


def test_no_commands_give_no_events() -> None:
    """CONS-1: an empty buffer is a buffer of whole records."""
    v = Venue()
    before = v.engine.state_hash()
    assert v.engine.apply(b"") == b""
    assert bytes(v.engine.apply_view(b"")) == b""
    assert v.engine.state_hash() == before


@pytest.mark.parametrize("kind", [0, 13, 22, 255])
def test_a_kind_that_does_not_exist_is_an_error(kind: int) -> None:
    """SPEC §6: no reason for it: the shell is broken. Nothing of the buffer is applied."""
    v = Venue()
    before = v.engine.state_hash()
    with pytest.raises(ValueError, match=f"command 1: kind {kind} does not exist"):
        v.engine.apply(Command(CommandKind.TICK).pack() + Command(kind).pack())
    assert v.engine.state_hash() == before


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_any_contiguous_buffer_is_taken(buffer: type) -> None:
    """CONS-1: and `apply_view` shows the same bytes without a copy."""
    deposit = Command(CommandKind.DEPOSIT, account=1, amount_quote=5, nonce=1).pack()
    copied, viewed = empty_engine(), empty_engine()
    events = copied.apply(buffer(deposit))
    assert len(events) == EVENT_BYTES
    view = viewed.apply_view(buffer(deposit))
    assert view.readonly
    assert bytes(view) == events
    with pytest.raises(BufferError):
        copied.apply(memoryview(deposit * 2)[::2])
    with pytest.raises(TypeError):
        copied.apply(7)  # type: ignore[arg-type]


def test_a_view_of_events_keeps_its_memory() -> None:
    """CONS-1: the engine may be gone, its buffer may have grown: only the content is borrowed."""
    deposit = Command(CommandKind.DEPOSIT, account=1, amount_quote=5, nonce=1).pack()
    expected = empty_engine().apply(deposit)
    assert bytes(empty_engine().apply_view(deposit)) == expected
    engine = empty_engine()
    view = engine.apply_view(deposit)
    refused = Command(CommandKind.CANCEL, account=1, order_id=7, time_ns=1).pack()
    assert len(engine.apply_view(refused * 10_000)) == 10_000 * EVENT_BYTES
    assert len(bytes(view)) == EVENT_BYTES


def test_commands_survive_packing() -> None:
    """SIG-2: every field is in the record."""
    rng = Random(3)
    for kind in CommandKind:
        shared = "aux" if kind in {2, 6, 10, 11, 14, 18, 21} else "order_id"
        command = Command(
            kind, 1, 2, 3, market_id=65_535, trigger_kind=2, account=2**32 - 1, time_ns=2**62,
            nonce=2**64 - 1, price_ticks=2**32 - 1, qty_lots=rng.getrandbits(32),
            amount_quote=-(2**63), trigger_price_ticks=5, expiry_time_s=2**32 - 1,
            **{shared: rng.getrandbits(63)},  # type: ignore[arg-type]
        )  # fmt: skip
        packed = command.pack()
        assert len(packed) == COMMAND_BYTES
        assert unpack(packed) == command


def test_a_nonce_is_used_once_by_whatever_uses_it() -> None:
    """SIG-1: orders, moves and withdrawals share the nonces of an account, in any order."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    for nonce in (2**63 - 1, 0, 64, 63, 10**9):
        assert outcome(v.place(1, BUY, 1, 900, nonce=nonce)) == "OK"
        assert outcome(v.place(1, BUY, 1, 900, nonce=nonce)) == "NONCE_USED"
        assert outcome(v.move(1, 1, nonce=nonce)) == "NONCE_USED"
        assert outcome(v.withdraw(1, 1, nonce=nonce)) == "NONCE_USED"
        assert outcome(v.withdraw(2, 1, nonce=nonce)) == "OK"
        assert outcome(v.place(2, BUY, 1, 900, nonce=nonce)) == "NONCE_USED"
    assert outcome(v.move(1, 1, nonce=5_000)) == "OK"
    assert outcome(v.place(1, BUY, 1, 900, nonce=5_000)) == "NONCE_USED"


def test_an_ascending_nonce_ends_those_below() -> None:
    """SIG-5: for orders that never rest or wait, each higher than the one before."""
    v, first = Venue(), 2**63
    v.trade(1, 2, 5, 1_000)

    def immediate(nonce: int, **form: Any) -> str:
        return outcome(v.place(1, BUY, 1, 900, nonce=nonce, **{"time_in_force": IOC} | form))

    assert [immediate(first + k) for k in (0, 7, 7, 3, 8)] == [
        "OK", "OK", "NONCE_USED", "NONCE_USED", "OK",
    ]  # fmt: skip
    assert immediate(first + 9, time_in_force=GTC) == "NONCE_USED"
    waits = {"trigger_kind": 1, "trigger_price_ticks": 1_100}
    assert immediate(first + 9, **waits) == "NONCE_USED"
    assert outcome(v.move(1, 1, nonce=first + 9)) == "NONCE_USED"
    assert outcome(v.withdraw(1, 1, nonce=first + 9)) == "NONCE_USED"
    assert immediate(first + 9, time_in_force=FOK) != "NONCE_USED"
    assert immediate(2**64 - 1) == "OK"
    assert immediate(2**64 - 1) == "NONCE_USED"
    assert immediate(5) == "OK"  # the others are as free as before
    assert outcome(v.place(2, BUY, 1, 900, nonce=first, time_in_force=IOC)) == "OK"


def test_a_cancelled_or_filled_order_keeps_its_nonce() -> None:
    """SIG-1: to send an order again is to be told that it was there."""
    v = Venue()
    mine = v.rest(1, BUY, 1, 900, nonce=500)
    v.cancel(1, mine)
    assert outcome(v.place(1, BUY, 1, 900, nonce=500)) == "NONCE_USED"
    v.place(1, BUY, 1, 900, nonce=501, time_in_force=IOC)
    assert outcome(v.place(1, BUY, 1, 900, nonce=501)) == "NONCE_USED"


def test_a_refused_command_does_not_use_its_nonce() -> None:
    """ORD-1: it can be sent again."""
    v = Venue()
    assert outcome(v.place(1, BUY, 1, 900, 0, nonce=500)) == "INSUFFICIENT_MARGIN"
    assert outcome(v.withdraw(1, 2**50, nonce=500)) == "INSUFFICIENT_FREE_COLLATERAL"
    assert outcome(v.move(1, 1, nonce=500)) == "NO_POSITION"
    assert outcome(v.place(1, BUY, 1, 900, nonce=500)) == "OK"


def test_an_order_is_cancelled_by_its_nonce() -> None:
    """SIG-1: of its own account only."""
    v = Venue()
    v.rest(1, BUY, 1, 900, nonce=77)
    assert outcome(v.do(CommandKind.CANCEL, account=2, nonce=77)) == "ORDER_UNKNOWN"
    assert story(v.do(CommandKind.CANCEL, account=1, nonce=77)) == ["ORDER_CANCELED USER_CANCELED"]
    assert outcome(v.do(CommandKind.CANCEL, account=1, nonce=77)) == "ORDER_UNKNOWN"


def test_the_clock_never_goes_back() -> None:
    """BATCH-3: a command from the past is applied at the time of the latest."""
    v = Venue()
    v.wait(100)
    v.do(CommandKind.TICK)
    latest = v.engine.time_ns
    assert outcome(v.place(1, BUY, 1, 900, time_ns=0, expiry_time_s=v.now_s)) == "EXPIRED"
    assert v.engine.time_ns == latest


@pytest.mark.parametrize(
    "capacity",
    [
        {"account_count_max": 0},
        {"position_count_max": -1},
        {"order_count_max": 2**28},
        {"order_count_max": 1.5},
    ],
)
def test_capacities_have_bounds(capacity: dict[str, int]) -> None:
    """SPEC §1: one line that names the capacity, its value and its range."""
    (name,) = capacity
    with pytest.raises(ValueError, match=f"{name} = .* expected an integer from 1 to"):
        Engine(**capacity)


def test_capacities_are_kept() -> None:
    """ORD-1 CAPACITY: of accounts, positions and orders."""
    v = Venue(accounts=2, positions=2, orders=2)  # one position is the fund's
    with pytest.raises(ValueError, match="2 are the limit"):
        v.engine.register_account()
    with pytest.raises(ValueError, match="listed already"):
        v.engine.list_market(spec_of(), 0)
    first = v.rest(1, BUY, 1, 900)
    assert outcome(v.place(2, SELL, 1, 1_000)) == "CAPACITY"
    v.rest(1, BUY, 1, 901)
    assert outcome(v.place(1, BUY, 1, 902)) == "CAPACITY"
    v.cancel(1, first)
    assert outcome(v.place(1, BUY, 1, 902)) == "OK"


def test_a_refused_order_takes_no_capacity() -> None:
    """ORD-1: neither a position nor a trace of the account in the market."""
    v = Venue(positions=2, orders=1)
    refused = v.place(1, BUY, 1, 1_000, 0)
    assert outcome(refused) == "INSUFFICIENT_MARGIN"
    assert v.engine.position(1, 1) is None
    v.rest(2, BUY, 1, 900)
    v = Venue(orders=1)
    v.rest(1, BUY, 1, 900)
    assert outcome(v.place(2, BUY, 1, 900)) == "CAPACITY"
    assert v.engine.position(2, 1) is None
    assert outcome(v.freeze(2)) == "NO_POSITION"


def test_a_market_that_does_not_fit_is_not_there() -> None:
    """ORD-1 CAPACITY: its fund needs a position."""
    v = Venue(positions=1)
    before = v.engine.state_hash()
    with pytest.raises(ValueError, match="capacity is used up"):
        v.engine.list_market(spec_of(market_id=2), 0)
    with pytest.raises(KeyError):
        v.engine.market(2)
    assert v.engine.state_hash() == before


def test_views_refuse_what_does_not_exist() -> None:
    """SPEC §1: unknown accounts and markets are errors of the shell."""
    engine = Venue().engine
    for call in (
        lambda: engine.free_quote(99), lambda: engine.reserved_quote(-1),
        lambda: engine.position(99, 1), lambda: engine.position(1, 9), lambda: engine.market(9),
        lambda: engine.book(9, 1), lambda: engine.open_orders(99), lambda: engine.fund(0),
        lambda: engine.order_id(99, 1), lambda: engine.spec(9), lambda: engine.market(65_536),
        lambda: engine.queue(9, 0, 1_000),
    ):  # fmt: skip
        with pytest.raises(KeyError):
            call()
    with pytest.raises(ValueError, match="side = 2: expected 0"):
        engine.queue(1, 2, 1_000)
    assert engine.queue(1, 0, 1_000) == engine.queue(1, 1, 0) == engine.queue(1, 1, 2**31) == []
    assert engine.order(2**63) is None
    assert engine.order(0) is None
    assert engine.position(1, 1) is None


def test_the_sums_of_the_venue() -> None:
    """CONS-1, CONS-2: what came in is what is there, in the numbers that the engine shows."""
    v, _ = busy_venue()
    e, market = v.engine, v.engine.market(1)
    positions = [p for account in range(1, 7) if (p := e.position(account, 1))] + [e.fund(1)]
    assert sum(p.position_lots for p in positions) == 0
    signs = [-1 if p.position_lots > 0 else 1 for p in positions]
    held = sum(e.free_quote(account) for account in range(7)) + e.fees_quote()
    held += sum(
        p.collateral_quote + sign * p.entry_value_quote
        for p, sign in zip(positions, signs, strict=True)
    )
    assert held + market.funding_pool_quote == e.deposits_quote() - e.withdrawals_quote()
    assert e.deposit_seq() == 6
    assert market.open_interest_lots == sum(max(0, p.position_lots) for p in positions)


def test_markets_of_another_kind_are_not_listed() -> None:
    """MKT-3: the engine computes linear perpetuals and futures."""
    Venue(spec=spec_of(kind=2, expiry_time_s=2_000_000_000, funding_cap_ppm=0))
    for kind in (ContractKind.INVERSE_PERPETUAL, ContractKind.OPTION_CALL, ContractKind.OPTION_PUT):
        spec = any_contract(Random(kind.name), kind)
        message = f"MKT-3: kind = {kind.name}: expected LINEAR_PERPETUAL or LINEAR_FUTURE: list one"
        with pytest.raises(ValueError, match=message):
            Venue(spec=spec)
