"""Was the margin enough? `python -m tests.backtest` prints a table of the real price series.

Rates are reviewed every day from the returns known by then and hold two days later. A window is an
exception when its move exceeds the maintenance rate that held at its start, of longs or of shorts.
The rate covers a mean of the worst moves, which is more than their quantile: fewer exceptions than
promised are what it is made for, and then a small p-value says "too safe".
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from margin_core.models import backtest, profile
from tests.replay.series import perpetuals, read

ROOT: Final = Path(__file__).resolve().parents[2]
STEP_S: Final = 300
DAY_S: Final = 86_400
CORNERS: Final = 4
PROFILE: Final = profile.RiskProfile(
    step_s=STEP_S,
    maintenance=profile.Cover(horizon_s=900, tail_probability=0.01),
    initial=profile.Cover(horizon_s=3_600, tail_probability=0.005),
)


@dataclass(frozen=True)
class Report:
    """What the backtest of one series found."""

    windows: int
    exceptions: dict[str, int]  # of longs, of shorts
    kupiec: dict[str, float]  # p-values
    christoffersen: dict[str, float]
    worst_share: float  # largest loss of a window beyond its rate, of notional
    changes: int
    first: profile.Rates
    last: profile.Rates
    highest_ppm: int
    rises: dict[str, float]  # largest ratio of the maintenance rate over days


def closes_of(data_dir: Path, symbol: str) -> tuple[Any, Any]:
    """Return (unix seconds, closing prices) of the five-minute bars."""
    series = read(data_dir, symbol)
    closing = slice(CORNERS - 1, None, CORNERS)
    return series.times_ms[closing] // 1_000, series.middle_ticks[closing].astype(np.float64)


def run(times_s: Any, prices: Any, risk: profile.RiskProfile = PROFILE) -> Report:
    """Return what the profile would have done on these prices."""
    moved = np.diff(np.log(prices))
    first_s = int(times_s[1])
    changes = list(profile.schedule(risk, moved, first_time_s=first_s))
    held_from = np.array([change.effective_time_s for change in changes])
    held = np.array([change.rates.maintenance_ppm for change in changes])
    horizon = risk.steps(risk.maintenance.horizon_s)
    begin = int(np.searchsorted(times_s, held_from[0]))
    starts = np.arange(begin, len(prices) - horizon, horizon)
    rates = held[np.searchsorted(held_from, times_s[starts], side="right") - 1] / 1e6
    windows = np.lib.stride_tricks.sliding_window_view(prices, horizon + 1)[starts]
    down = 1 - windows.min(axis=1) / windows[:, 0]
    up = windows.max(axis=1) / windows[:, 0] - 1
    hits = {"long": down > rates, "short": up > rates}
    tail = risk.maintenance.tail_probability
    return Report(
        windows=len(starts),
        exceptions={side: int(hit.sum()) for side, hit in hits.items()},
        kupiec={
            side: backtest.kupiec(len(hit), int(hit.sum()), tail).p_value
            for side, hit in hits.items()
        },
        christoffersen={
            side: backtest.christoffersen(*backtest.transitions(hit)).p_value
            for side, hit in hits.items()
        },
        worst_share=float(max((down - rates).max(), (up - rates).max(), 0.0)),
        changes=len(changes),
        first=changes[0].rates,
        last=changes[-1].rates,
        highest_ppm=int(held.max()),
        rises=rises_of(risk, moved, held_from, held, first_s),
    )


def rises_of(
    risk: profile.RiskProfile, moved: Any, held_from: Any, held: Any, first_s: int
) -> dict[str, float]:
    """Return the largest rise over 1 and 30 days, buffered, and of what is only calculated."""
    days = np.arange(held_from[0], first_s + len(moved) * STEP_S, DAY_S)
    buffered = held[np.searchsorted(held_from, days, side="right") - 1].astype(np.float64)
    bare = np.array(
        [
            profile.calculated_rates(risk, moved[: (day - risk.notice_s - first_s) // STEP_S + 1])[
                1
            ]
            for day in days
        ]
    )
    return {
        f"{name} {span}": rise(path, span)
        for name, path in (("buffered", buffered), ("bare", bare))
        for span in (1, 30)
    }


def rise(path: Any, days: int) -> float:
    """Return the largest ratio of a value to the smallest of the days before it."""
    return max(float(path[k] / path[max(0, k - days) : k + 1].min()) for k in range(1, len(path)))


def main(arguments: list[str]) -> None:
    """Print a line a series."""
    parser = argparse.ArgumentParser(prog="python -m tests.backtest", description=__doc__)
    parser.add_argument("symbols", nargs="*", help="default: every perpetual")
    told = parser.parse_args(arguments)
    data_dir = Path(os.environ.get("BULKHEAD_DATA", ROOT / "../shared/data"))
    if not (data_dir / "klines_5m").is_dir():
        sys.exit(f"no price series in {data_dir}/klines_5m: set BULKHEAD_DATA")
    tail = PROFILE.maintenance.tail_probability
    print(
        f"Maintenance covers {PROFILE.maintenance.horizon_s} s, tail {tail:.1%} a side;"
        " the longest history there is has 245 days, not ten years."
    )
    columns = ("windows", "promised", "long", "short", "Kupiec L", "S", "Christ. L", "S")
    more = ("worst %", "changes", "maint. %", "highest", "1 d", "30 d", "bare 1 d", "30 d")
    print(f"{'series':<10}" + "".join(f"{name:>10}" for name in columns + more))
    for symbol in told.symbols or perpetuals(data_dir)[:-1]:
        r = run(*closes_of(data_dir, symbol))
        cells: list[str] = [f"{r.windows:,}", f"{r.windows * tail:.0f}"]
        cells += [str(r.exceptions[side]) for side in ("long", "short")]
        cells += [f"{r.kupiec[side]:.3f}" for side in ("long", "short")]
        cells += [f"{r.christoffersen[side]:.3f}" for side in ("long", "short")]
        cells += [f"{r.worst_share:.1%}", str(r.changes), f"{r.last.maintenance_ppm / 1e4:.1f}"]
        cells += [f"{r.highest_ppm / 1e4:.1f}", *(f"{ratio:.2f}" for ratio in r.rises.values())]
        name = symbol.removesuffix("USDT")
        print(f"{name:<10}" + "".join(f"{cell:>10}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
