"""The replayed day: every bar's corners in order, small steps between, exact ticks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.demo.path import CORNERS, STEP_PPM_MAX, Point, Quote, read_corners, walk


@pytest.fixture(scope="module")
def corners() -> list[Point]:
    return read_corners()


def test_the_day_has_four_points_a_bar(corners: list[Point]) -> None:
    assert len(corners) == 144 * len(CORNERS)
    assert set(corners[0].quotes) == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert corners[0].quotes["BTCUSDT"] == Quote(121_493_200_000_000, 121_554_550_000_000)


def test_each_bar_goes_up_before_it_goes_down(corners: list[Point]) -> None:
    for start in range(0, len(corners), len(CORNERS)):
        for symbol in corners[start].quotes:
            first, high, low, last = (p.quotes[symbol] for p in corners[start : start + 4])
            assert high.perp_e9 >= max(first.perp_e9, last.perp_e9, low.perp_e9)
            assert low.spot_e9 <= min(first.spot_e9, last.spot_e9, high.spot_e9)


def test_the_path_visits_every_corner_in_small_steps(corners: list[Point]) -> None:
    path = walk(corners)
    assert [point for point in path if point in corners] == corners
    for before, after in pairwise(path):
        assert before.time_ms < after.time_ms
        for symbol, quote in after.quotes.items():
            for old, new in zip(before.quotes[symbol], quote, strict=True):
                assert abs(new - old) * 1_000_000 <= old * STEP_PPM_MAX * 11 // 10


def test_prices_become_whole_ticks_rounded_down() -> None:
    assert Quote(221_060_000_000, 221_159_999_999).ticks(10_000_000) == (22_106, 22_115)
