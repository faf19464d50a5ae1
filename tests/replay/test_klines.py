"""The replay in short: a crash of our own, and the worst day of the real series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from margin_core.limits import PPM
from matcher.engine.events import EventKind
from tests.replay.crowd import MARKET, Crowd
from tests.replay.klines import marks_outside, replay, tally_of
from tests.replay.series import Series, perpetuals, read

if TYPE_CHECKING:
    from pathlib import Path

DAY_MS = 86_400_000
ANY_DAY = {"first_day": "0000", "last_day": "9999"}
CRASH_DAY = {"first_day": "2025-10-10", "last_day": "2025-10-11"}


def crash(points: int = 600, days: int = 2) -> Series:
    """Fall by 30 % in four steps on each day, the book's middle faster than the index."""
    times = np.concatenate([d * DAY_MS + np.arange(points) * 60_000 for d in range(1, days + 1)])
    fall = np.interp(np.arange(points), (0, 300, 304, points), (100_000, 101_000, 70_000, 80_000))
    index = np.tile(fall, days).astype(np.int64)
    middle = np.where(index < 95_000, index * 9 // 10, index)
    return Series("CRASH", 2, "made", times, middle, index)


def test_a_crash_conserves_money_and_adl_takes_what_is_lacking() -> None:
    """CONS-1, CONS-2, LIQ-3, LIQ-4, MARK-1: book, fund and ADL all have their share of it."""
    outcome = replay(crash(), traders=400, fund_share=0.01, seed=7, **ANY_DAY)
    total = outcome.total
    assert outcome.days == 2
    assert min(total.liquidated, total.on_book, total.taken_over, total.adl_fills) > 0
    assert 0 < total.adl_taken <= total.adl_needed + total.adl_tick
    assert outcome.band_broken == 0


def test_the_same_seed_gives_the_same_state() -> None:
    """CONS-1: and another one another."""
    hashes = []
    for seed in (1, 1, 2):
        crowd = Crowd(crash(days=1), 60, fund_share=0.01, seed=seed)
        crowd.day(crowd.series.days()[0])
        hashes.append(crowd.engine.state_hash())
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("symbol", ["SOLUSDT", "BTCUSDT", "PIPPINUSDT"])
def test_the_tenth_of_october(symbol: str, data_dir: Path) -> None:
    """CONS-1, CONS-2, LIQ-4, MARK-1: real prices, mixed leverage and sides."""
    outcome = replay(read(data_dir, symbol), traders=600, fund_share=0.01, seed=1, **CRASH_DAY)
    assert outcome.days == 2
    assert outcome.total.liquidated > 100
    assert outcome.total.adl_taken <= outcome.total.adl_needed + outcome.total.adl_tick
    assert outcome.band_broken == 0
    assert outcome.settlements == 5  # the first index of the replay begins the first interval


def test_a_perpetual_far_below_its_spot_does_not_take_the_mark_along(data_dir: Path) -> None:
    """MARK-1: SOL on 10 October 2025, a bar of which closed 17.5 % under its own spot."""
    series = read(data_dir, "SOLUSDT")
    (points,) = (d for d in series.days() if series.times_ms[d.start] // DAY_MS == 20_371)
    gap = series.middle_ticks[points] / series.index_ticks[points] - 1
    assert gap[3::4].min() == pytest.approx(-0.175, abs=1e-3)  # of closes; of lows it is 20 %
    assert gap.min() < -0.2
    crowd = Crowd(series, 300, fund_share=0.05, seed=3, at=points.start)
    done = crowd.day(points)
    prices = done[done["kind"] == EventKind.PRICE]
    assert len(prices) == len(gap) + 1  # the first stands twice
    assert marks_outside(done, crowd.spec.mark_band_ppm) == 0
    marks = prices["price"] / prices["qty"] - 1
    assert marks.min() >= -crowd.spec.mark_band_ppm / PPM - 1e-4
    assert prices["price"].min() > series.middle_ticks[points].min() * 1.1
    assert tally_of(done).liquidated > 0
    assert crowd.engine.market(MARKET).funding_rate_ppm < 0  # shorts pay for the discount


def test_every_series_is_read(data_dir: Path) -> None:
    """MARK-1: the paths have a point at each corner of each bar, prices are positive."""
    symbols = perpetuals(data_dir)
    assert len(symbols) == 13
    for symbol in ("USD1USDT", "WLFIUSDT"):
        series = read(data_dir, symbol)
        assert len(series.times_ms) == len(series.index_ticks) == len(series.middle_ticks)
        assert (np.diff(series.times_ms) > 0).all()
        assert min(series.index_ticks.min(), series.middle_ticks.min()) > 0
        stepped = read(data_dir, symbol, step_ppm=1_000)
        assert len(stepped.times_ms) > len(series.times_ms)
        assert (np.diff(stepped.times_ms) >= 0).all()
