"""The index: order does not matter, one liar does not matter, what is stale does not matter."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin_core import IndexRow, NoIndex, index_price
from margin_core.index import is_row

NOW = 1_700_000_000_000
RULES: dict[str, Any] = {
    "now_ms": NOW,
    "quorum": 3,
    "age_max_ms": 5_000,
    "spread_max_ms": 2_000,
    "deviation_max_ppm": 10_000,
}
Seen = tuple[str, int, int]

prices = st.integers(90_000, 110_000)
ages = st.integers(-3_000, 9_000)
observed = st.lists(st.tuples(st.sampled_from("abcdefghi"), prices, ages), max_size=20).map(
    lambda rows: [(source, price, NOW - age) for source, price, age in rows]
)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("a", 100, 0), ("b", 101, 0), ("c", 100, 10)], (100, NOW - 10)),
        ([("a", 100, 0), ("b", 101, 0), ("c", 101, 0), ("d", 100, 9)], (100, NOW - 9)),  # lower
        ([("a", 100, 0), ("b", 101, 0), ("b", 101, 5)], NoIndex.TOO_FEW),  # b counts once
        ([("a", 100, 0), ("b", 101, 0), ("c", 101, 5_001)], NoIndex.TOO_FEW),
        ([("a", 100, 0), ("b", 101, 0), ("c", 101, -1)], NoIndex.TOO_FEW),  # of the future
        ([("a", 100, 0), ("b", 100, 2_001), ("c", 100, 0)], NoIndex.SPREAD),
        ([("a", 100, 0), ("b", 100, 0), ("c", 102, 0)], NoIndex.DEVIATION),
        ([("a", 100, 0), ("b", 100, 0), ("c", 500, 0), ("d", 101, 0)], (100, NOW)),
        ([("a", 100, 4_000), ("a", 101, 0), ("b", 101, 0), ("c", 101, 0)], (101, NOW)),  # newest
    ],
)
def test_rows_and_reasons(rows: list[Seen], expected: object) -> None:
    """ORA-1, ORA-2."""
    found = index_price([(source, price, NOW - age) for source, price, age in rows], **RULES)
    assert (found if isinstance(found, NoIndex) else found[:2]) == expected


@given(observed, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(rows: list[Seen], rng: Random) -> None:
    """ORA-1."""
    shuffled = rows.copy()
    rng.shuffle(shuffled)
    assert index_price(rows, **RULES) == index_price(shuffled, **RULES)


@given(observed)
def test_what_is_stale_or_of_the_future_is_as_if_it_were_not(rows: list[Seen]) -> None:
    """ORA-1: of each source's newest."""
    newest: dict[str, Seen] = {}
    for row in rows:
        kept = newest.get(row[0], row)
        newest[row[0]] = max(kept, row, key=lambda o: (o[2], -o[1]))
    fresh = [row for row in newest.values() if NOW - 5_000 <= row[2] <= NOW]
    assert index_price(rows, **RULES) == index_price(fresh, **RULES)


@given(observed)
def test_every_row_is_what_the_contract_admits(rows: list[Seen]) -> None:
    """ORA-2: sorted, distinct sources, quorum, spread, deviation, lower median, oldest time."""
    found = index_price(rows, **RULES)
    if isinstance(found, IndexRow):
        assert is_row(
            [o[1:] for o in found.observations],
            quorum=3, spread_max_ms=2_000, deviation_max_ppm=10_000,
        )  # fmt: skip
        assert len({o.source for o in found.observations}) == len(found.observations) >= 3
        assert set(found.observations) <= set(rows)
        ranked = sorted(o.price_ticks for o in found.observations)
        assert found.price_ticks == ranked[(len(ranked) - 1) // 2]
        assert found.time_ms == min(o.time_ms for o in found.observations)


@given(st.lists(prices, min_size=2, max_size=9), st.integers(1, 2**27 - 1), st.integers(0, 2_000))
def test_one_liar_does_not_move_it_out_of_the_honest_range(
    honest: list[int], lie: int, age: int
) -> None:
    """ORA-2: whatever price and time it says, with a quorum of three."""
    rows: list[Seen] = [(str(k), price, NOW - k) for k, price in enumerate(honest)]
    for deviation in (0, 10_000, 1_000_000):
        rules = RULES | {"deviation_max_ppm": deviation}
        found = index_price([*rows, ("liar", lie, NOW - age)], **rules)
        if isinstance(found, IndexRow):
            assert min(honest) <= found.price_ticks <= max(honest)


@given(st.lists(st.integers(99_900, 100_100), min_size=3, max_size=9), st.integers(1, 2**27 - 1))
def test_one_liar_cannot_stop_it(honest: list[int], lie: int) -> None:
    """ORA-2: while the honest agree there is a price, whatever one more says and when."""
    rows: list[Seen] = [(str(k), price, NOW - 100 * k) for k, price in enumerate(honest)]
    for age in (0, 2_000, 5_000, -1):
        assert isinstance(index_price([*rows, ("liar", lie, NOW - age)], **RULES), IndexRow)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", 0, NOW), "price_ticks = 0: expected an integer from 1"),
        (("a", 2**27, NOW), "price_ticks = 134217728: expected"),
        (("a", 1, -1), "time_ms = -1: expected"),
    ],
)
def test_outside_the_bounds_is_an_error(row: Seen, message: str) -> None:
    """ORA-1: with name, value and bounds."""
    with pytest.raises(ValueError, match=message):
        index_price([row], **RULES)
    with pytest.raises(ValueError, match="at most 64 sources"):
        index_price([(str(k), 1, NOW) for k in range(65)], **RULES)
    with pytest.raises(ValueError, match="quorum = 0"):
        index_price([], **(RULES | {"quorum": 0}))


@pytest.mark.parametrize(
    ("pairs", "good"),
    [
        ([(99, 5), (100, 7), (100, 6)], True),
        ([(100, 7), (99, 5), (100, 6)], False),
        ([(99, 5), (100, 7)], False),
        ([(98, 5), (100, 7), (100, 6)], False),
        ([(99, 5), (100, 2_007), (100, 6)], False),
    ],
)
def test_a_row_has_an_order(pairs: list[tuple[int, int]], good: bool) -> None:
    """ORA-2."""
    assert is_row(pairs, quorum=3, spread_max_ms=2_000, deviation_max_ppm=10_000) is good
