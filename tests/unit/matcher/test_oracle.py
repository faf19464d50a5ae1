"""Sources speak one by one; a row comes when a quorum of them agrees, and is journalled whole."""

from __future__ import annotations

from typing import Any

import pytest

from bulkhead_signing import IndexPrice
from margin_core.index import is_row
from matcher.config import OracleTable
from matcher.engine.commands import CommandKind
from matcher.engine.reject_reason import RejectReason
from matcher.envelope import PriceExtra, SignedObservation
from matcher.oracle import Aggregator
from matcher.rpc.convert_events import settlement_item
from tests.unit.matcher.builders import Bench

NOW = 1_700_000_000_000
A, B, C, D = (bytes([n]) * 20 for n in range(1, 5))
SIGNED = {name: name[:1] * 64 for name in (A, B, C, D)}
RULES = OracleTable(quorum=3, spread_max_ms=2_000, deviation_max_ppm=10_000)


def add(aggregator: Aggregator, source: bytes, ticks: int, age: int = 0, **fields: int) -> Any:
    price = IndexPrice(fields.get("market", 1), ticks, NOW - age)
    return aggregator.add(
        source, price, SIGNED[source], now_ms=fields.get("now", NOW), age_max_ms=5_000
    )


def test_a_row_comes_with_the_quorum() -> None:
    """ORA-1, ORA-2: lower median, oldest time, all observations in the extra."""
    aggregator = Aggregator(RULES)
    assert add(aggregator, A, 10_002, 5) is RejectReason.NONE
    assert add(aggregator, B, 10_000, 9) is RejectReason.NONE
    command, extra = add(aggregator, C, 10_001, 1)
    assert (command.kind, command.price_ticks, command.aux) == (CommandKind.PRICE, 10_001, NOW - 9)
    observations = PriceExtra.unpack(extra, 0, 0).observations
    assert observations == (
        SignedObservation(10_000, NOW - 9, SIGNED[B]),
        SignedObservation(10_001, NOW - 1, SIGNED[C]),
        SignedObservation(10_002, NOW - 5, SIGNED[A]),
    )
    pairs = [seen[:2] for seen in observations]
    assert is_row(pairs, quorum=3, spread_max_ms=2_000, deviation_max_ppm=10_000)


def test_a_row_does_not_go_back_and_says_something_new() -> None:
    """ORA-1, BATCH-3."""
    aggregator = Aggregator(RULES)
    for source, age in ((A, 30), (B, 20)):
        add(aggregator, source, 10_000, age)
    assert add(aggregator, C, 10_000, 10)[0].aux == NOW - 30
    assert add(aggregator, D, 10_000, 25) is RejectReason.NONE  # same price, same oldest time
    assert add(aggregator, A, 10_000, 1)[0].aux == NOW - 25  # time has moved on
    assert add(aggregator, A, 10_000, 1) is RejectReason.PRICE_STALE  # a source repeats itself
    assert add(aggregator, B, 10_000, 19, market=2) is RejectReason.NONE  # markets stand apart


@pytest.mark.parametrize(
    ("ticks", "age", "reason"),
    [
        (10_500, 0, RejectReason.PRICE_DEVIATION),
        (1, 0, RejectReason.PRICE_DEVIATION),
        (10_000, 5_001, RejectReason.PRICE_STALE),
        (10_000, -10_001, RejectReason.PRICE_STALE),
        (0, 0, RejectReason.PRICE_OUT_OF_RANGE),
        (2**27, 0, RejectReason.PRICE_OUT_OF_RANGE),
    ],
)
def test_a_liar_is_told_and_does_not_matter(ticks: int, age: int, reason: RejectReason) -> None:
    """ORA-2, MARK-2: the others go on without it."""
    aggregator = Aggregator(RULES)
    add(aggregator, A, 10_000, 3)
    add(aggregator, B, 10_001, 3)
    add(aggregator, C, 10_002, 3)
    assert add(aggregator, D, ticks, age) is reason
    command, extra = add(aggregator, A, 10_003, 0)
    assert command.price_ticks == 10_002
    assert len(PriceExtra.unpack(extra, 0, 0).observations) == 3


def test_one_source_is_enough_where_the_quorum_says_so() -> None:
    """ORA-2: its row's extra is the bare signature, as before there were several."""
    aggregator = Aggregator(OracleTable())
    command, extra = add(aggregator, A, 10_000)
    assert extra == SIGNED[A]
    lone = PriceExtra.unpack(extra, command.price_ticks, command.aux)
    assert lone.observations == (SignedObservation(10_000, NOW, SIGNED[A]),)


def test_the_settlement_item_carries_what_was_signed() -> None:
    """ORA-2: from the journal's extra to the settlement feed on the wire."""
    aggregator = Aggregator(RULES)
    for source, ticks in ((A, 50_002), (B, 50_000)):
        add(aggregator, source, ticks)
    command, extra = add(aggregator, C, 50_001)
    with Bench() as bench:
        (applied,) = bench.apply((command, extra))
        (item,) = bench.venue.settlement.items(applied.item_seq, applied.item_seq)
        wire = settlement_item(item, bench.venue.accounts).price
    assert (wire.index_price.price_ticks, wire.index_price.time_ms) == (50_001, NOW)
    assert wire.index_price.signature == b""
    assert [(seen.price_ticks, seen.time_ms, seen.signature) for seen in wire.observations] == [
        (50_000, NOW, SIGNED[B]),
        (50_001, NOW, SIGNED[C]),
        (50_002, NOW, SIGNED[A]),
    ]
