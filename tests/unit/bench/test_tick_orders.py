"""The short form of `engine.tick_orders`: it fails when the events differ, never for time."""

from __future__ import annotations

import pytest

from tests.bench.tick_orders import checksum


@pytest.mark.parametrize(
    ("orders", "expected"), [(0, 1862274057), (1, 2505180099), (40, 1828881742)]
)
def test_a_tick_that_cancels_orders_first_gives_the_same_events(orders: int, expected: int) -> None:
    """LIQ-1, TICK-1: three ticks, each liquidates ten of 100 positions."""
    assert checksum(100, 3, 10, orders) == expected
