"""Turns five-minute bars into one path of prices, in the order that is worst for longs.

Each bar is walked open → high → low → close, perpetual and spot together: first up, where longs
are opened and collateral is taken out, then down. Long legs are walked in small steps, as a real
price would, so that makers can follow.
"""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

BARS_PATH: Final = Path(__file__).parent / "data" / "bars.csv.gz"
E9: Final = 10**9
STEP_PPM_MAX: Final = 10_000  # the longest step of a leg
CORNERS: Final = ("open", "high", "low", "close")


class Quote(NamedTuple):
    """Prices of one market at one point, in USD × 10^9."""

    perp_e9: int
    spot_e9: int

    def ticks(self, price_tick_e9: int) -> tuple[int, int]:
        """Return (perpetual, spot) in whole ticks of the market, rounded down."""
        return self.perp_e9 // price_tick_e9, self.spot_e9 // price_tick_e9


class Point(NamedTuple):
    """One instant of the replayed day: the prices of all markets."""

    time_ms: int
    quotes: dict[str, Quote]


def read_corners(path: Path = BARS_PATH) -> list[Point]:
    """Return four points a bar, in time order.

    Raises:
        ValueError: A symbol lacks a bar that another has.
    """
    bars: dict[int, dict[str, list[Quote]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            quotes = [Quote(_e9(row[name]), _e9(row[f"{name}_spot"])) for name in CORNERS]
            bars.setdefault(int(row["ts_ms"]), {})[row["symbol"]] = quotes
    symbols = {frozenset(bar) for bar in bars.values()}
    if len(symbols) != 1:
        raise ValueError(f"{path}: every bar needs the same symbols")
    starts_ms = sorted(bars)
    bar_ms = min(after - before for before, after in pairwise(starts_ms))
    return [
        Point(
            start_ms + corner * bar_ms // len(CORNERS),
            {symbol: quotes[corner] for symbol, quotes in bars[start_ms].items()},
        )
        for start_ms in starts_ms
        for corner in range(len(CORNERS))
    ]


def walk(corners: list[Point], step_ppm_max: int = STEP_PPM_MAX) -> list[Point]:
    """Return the corners with steps between those that lie further apart than `step_ppm_max`."""
    points = corners[:1]
    for before, after in pairwise(corners):
        count = max(
            -(-_distance_ppm(before.quotes[s], after.quotes[s]) // step_ppm_max)
            for s in after.quotes
        )
        points += [_between(before, after, step, count) for step in range(1, count)]
        points.append(after)
    return points


def _distance_ppm(before: Quote, after: Quote) -> int:
    return max(abs(b - a) * 1_000_000 // min(a, b) for a, b in zip(before, after, strict=True))


def _between(before: Point, after: Point, step: int, count: int) -> Point:
    """Return the point `step / count` of the way."""

    def part(start: int, end: int) -> int:
        return start + (end - start) * step // count

    return Point(
        part(before.time_ms, after.time_ms),
        {
            symbol: Quote(
                part(before.quotes[symbol].perp_e9, after.quotes[symbol].perp_e9),
                part(before.quotes[symbol].spot_e9, after.quotes[symbol].spot_e9),
            )
            for symbol in after.quotes
        },
    )


def _e9(text: str) -> int:
    """Return a decimal number times 10^9, exactly."""
    scaled = Decimal(text) * E9
    if scaled != int(scaled):
        raise ValueError(f"{text}: more than nine decimals")
    return int(scaled)
