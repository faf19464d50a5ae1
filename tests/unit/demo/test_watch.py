"""Which positions the report shows, and what the summary counts."""

from __future__ import annotations

from collections import Counter

from tests.demo.ledger import ChainLedger, Holding, JournalLedger
from tests.demo.recording import Recording
from tests.demo.summary import summarise
from tests.demo.watch import Watch

MARKET = 1
NAMES = {bytes([number]) * 20: f"trader {number}" for number in range(1, 9)}


def key(number: int) -> tuple[bytes, int]:
    return bytes([number]) * 20, MARKET


def test_those_that_came_closest_are_shown() -> None:
    """Of each kind the highest below 100 %: a jump beyond it tells nothing of the approach."""
    watch = Watch(
        ratios={
            key(1): [(1, 0.2), (2, 3.0)],
            key(2): [(1, 0.2), (2, 0.9), (3, 1.4)],
            key(3): [(1, 0.5), (2, 0.8)],
            key(4): [(1, 0.6)],
            key(5): [(1, 0.1)],
            key(6): [(1, 0.3)],
            key(7): [(1, 0.95), (2, 1.1)],
            key(9): [(1, 0.99)],
        },
        liquidated={key(1), key(2), key(7), key(6)},
        topped_up={key(3), key(2)},
    )
    shown = watch.closest(NAMES, {1: 100, 2: 200})
    assert list(shown) == [f"trader {n}" for n in (7, 2, 6, 3, 4)]
    assert shown["trader 2"] == [(100, 0.2), (200, 0.9)]


def test_the_summary_counts_who_left_for_good() -> None:
    """Whoever has withdrawn and keeps something has not left."""
    journal = JournalLedger(
        free={key(1)[0]: 0, key(2)[0]: 5, key(3)[0]: 0},
        holdings={key(1): Holding(0, 0, 0, 9), key(3): Holding(2, 20, 4, 9)},
        withdrawals=Counter({key(n)[0]: 10 for n in (1, 2, 3)}),
        top_ups=4,
        take_outs=3,
        stops_fired=2,
        take_profits_fired=1,
    )
    rows = dict(summarise(Recording("anvil"), ChainLedger(), journal, seconds=1.0))
    assert rows["Accounts that left"] == "1"
    assert rows["Top-ups, take-outs"] == "4, 3"
    assert rows["Stops, take-profits fired"] == "2, 1"
