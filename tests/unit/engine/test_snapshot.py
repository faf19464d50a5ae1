"""Snapshots: what is in them, how large they are, and what is said of bad ones."""

from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from matcher.engine.commands import Command, CommandKind
from matcher.engine.engine import Engine
from tests.unit.engine.venue import BUY, IOC, NS, SELL, START_S, Venue, spec_of

ENGINE = Path(__file__).resolve().parents[3] / "matcher/engine"
HEADER = struct.Struct("<8sII4Qq")
STRUCTS = ("CoreC", "MarketC", "LadderC", "SlotsC", "DueC", "RankingC")


def busy_venue() -> Venue:
    """Return a venue with a book, triggers, positions, gaps in its slots and a fund."""
    venue = Venue(fund=5_000)
    for k in range(8):
        venue.place(1, BUY, 2, 990 - k)
        venue.place(2, SELL, 3, 1_010 + k)
        venue.place(3, BUY, 1, 1_030, trigger_kind=1, trigger_price_ticks=1_020 + k)
    venue.trade(4, 5, 7, 1_000)
    venue.cancel(1, venue.rest(1, BUY, 2, 985))
    venue.place(6, BUY, 5, 1_020, time_in_force=IOC)
    venue.price(1_003)
    venue.price(1_002)
    return venue


def saved(engine: Engine) -> bytes:
    return b"".join(engine.snapshot())


def test_a_snapshot_holds_no_addresses() -> None:
    """Two engines in the same state have their arrays elsewhere, and give the same bytes."""
    one, other = busy_venue().engine, busy_venue().engine
    assert one.state_hash() == other.state_hash()
    assert saved(one) == saved(other)


def test_the_split_into_buffers_leaves_no_trace() -> None:
    def commands() -> list[bytes]:
        time_ns = START_S * NS
        fields: dict[str, Any] = {
            "kind": CommandKind.DEPOSIT,
            "time_ns": time_ns,
            "account": 1,
            "amount_quote": 1,
        }
        return [Command(**fields, nonce=k).pack() for k in range(1, 10_000)]

    one, other = Engine(account_count_max=1), Engine(account_count_max=1)
    one.register_account()
    other.register_account()
    one.apply(b"".join(commands()))
    for record in commands():
        other.apply(record)
    assert saved(one) == saved(other)


def test_every_pointer_of_the_state_is_accounted_for() -> None:
    """A new array of the engine is saved, or `snapshot.pyx` says why it need not be."""
    types = (ENGINE / "types.pxd").read_text(encoding="utf-8")
    known = (ENGINE / "snapshot.pyx").read_text(encoding="utf-8")
    missing, found = [], 0
    for name in STRUCTS:
        (body,) = re.findall(rf"cdef struct {name}:.*\n((?:    .*\n|\n)+)", types)
        for field in re.findall(r"^    \w+\*+ (\w+)", body, re.MULTILINE):
            found += 1
            if not re.search(rf"\b\w+(?:\(.*\))?\.{field}\b", known):
                missing.append(f"{name}.{field}")
    assert found > 10, "the declarations are read"
    assert missing == []


def test_only_what_is_in_use_is_written() -> None:
    engine = Engine(
        account_count_max=1 << 24, position_count_max=1 << 26, order_count_max=(1 << 28) - 2
    )
    engine.list_market(spec_of(price_ticks_max=10**6), START_S * NS)
    engine.register_account()
    assert len(saved(engine)) < 1 << 18
    assert saved(Engine.restore(saved(engine))) == saved(engine)


def test_accounts_in_many_markets_find_their_positions_again() -> None:
    """From the ninth market on the engine finds them by another way."""
    venue = Venue(positions=100)
    for market_id in range(2, 14):
        venue.engine.list_market(spec_of(market_id=market_id), venue.time_ns)
        venue.price(1_000, market_id=market_id)
        venue.place(1, BUY, 1, 990, market_id=market_id)
        venue.place(2, SELL, 1, 990, market_id=market_id)
    restored = Engine.restore(saved(venue.engine))
    assert restored.market_ids() == venue.engine.market_ids()
    for market_id in restored.market_ids():
        assert restored.spec(market_id) == venue.engine.spec(market_id)
        for account in (1, 2):
            expected = venue.engine.position(account, market_id)
            assert restored.position(account, market_id) == expected
    venue.engine = restored
    venue.price(1_001, market_id=13)
    venue.place(2, BUY, 1, 990, market_id=13)


def test_a_file_in_memory_is_read_where_it_is(tmp_path: Path) -> None:
    engine = busy_venue().engine
    path = tmp_path / "snapshot"
    path.write_bytes(saved(engine))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        restored = Engine.restore(memoryview(memory))
    assert restored.state_hash() == engine.state_hash()


def test_an_engine_that_goes_on_spoils_its_snapshot() -> None:
    venue = busy_venue()
    pieces = venue.engine.snapshot()
    next(pieces)
    venue.place(1, BUY, 1, 900)
    with pytest.raises(RuntimeError, match="went on"):
        list(pieces)


def test_every_truncation_is_refused() -> None:
    whole = saved(busy_venue().engine)
    for size in [*range(200), *range(200, len(whole), len(whole) // 97), len(whole) - 1]:
        with pytest.raises(ValueError, match="snapshot: "):
            Engine.restore(whole[:size])


def test_every_flipped_byte_is_refused() -> None:
    whole = saved(busy_venue().engine)
    for at in [*range(64), *range(64, len(whole), len(whole) // 97), len(whole) - 1]:
        with pytest.raises(ValueError, match="snapshot: "):
            Engine.restore(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])


@pytest.mark.parametrize("field", ["format", "layout"])
def test_another_build_s_snapshot_says_so(field: str) -> None:
    whole = saved(busy_venue().engine)
    magic, form, layout, *rest = HEADER.unpack_from(whole)
    other = (form + 1, layout) if field == "format" else (form, layout ^ 1)
    with pytest.raises(ValueError, match=f"this build reads format {form}.*replay the journal"):
        Engine.restore(HEADER.pack(magic, *other, *rest) + whole[HEADER.size :])


@pytest.mark.parametrize("data", [b"", b"BULKSNAP", bytes(1_000), b"PK" * 500])
def test_anything_else_is_no_snapshot(data: bytes) -> None:
    with pytest.raises(ValueError, match="snapshot: "):
        Engine.restore(data)


def test_what_follows_the_content_is_refused() -> None:
    with pytest.raises(ValueError, match="snapshot: "):
        Engine.restore(saved(busy_venue().engine) + b"x")
