"""Replays price series through the engine with thousands of leveraged positions: `make replay`.

Each day everybody who is flat opens again; the makers' depth is small on purpose, so that falls
reach the insurance fund and ADL. After each day money and lots are counted to the last unit.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from matcher.engine.events import EventKind
from tests.replay.crowd import USD, Crowd
from tests.replay.series import Series, perpetuals, published_funding, read

ROOT: Final = Path(__file__).resolve().parents[2]
DAY_MS: Final = 86_400_000
EVENTS: Final = {"10 Oct": "2025-10-10", "11 Oct": "2025-10-11", "21 Nov": "2025-11-21"}


@dataclass
class Tally:
    """What happened to positions, in USD where it is money."""

    liquidated: int = 0
    on_book: float = 0.0
    taken_over: float = 0.0
    adl_fills: int = 0
    adl: float = 0.0  # notional at the mark
    adl_needed: float = 0.0  # what the bankrupt lacked at the mark
    adl_taken: float = 0.0  # what the counterparties gave up against the mark
    adl_for_fund: float = 0.0  # what they gave up when the fund itself was closed (LIQ-7)
    adl_tick: float = 0.0  # a tick of every lot that ADL closed: B rounds against the bankrupt
    fund_low: float = 0.0  # what the fund lost, day by day

    def add(self, other: Tally) -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Outcome:
    """One series."""

    series: Series
    days: int = 0
    total: Tally = field(default_factory=Tally)
    events: dict[str, Tally] = field(default_factory=dict)
    settlements: int = 0
    rate_sum_ppm: int = 0
    band_broken: int = 0
    seconds: float = 0.0
    commands: int = 0


def tally_of(done: Any) -> Tally:
    """Count the events of one day."""
    kind = done["kind"]
    mark = np.where(kind == EventKind.PRICE, done["price"], 0).astype(np.int64)
    mark = mark[np.maximum.accumulate(np.where(mark > 0, np.arange(len(mark)), 0))]
    qty, price = done["qty"].astype(np.float64), done["price"].astype(np.int64)

    def notional(which: EventKind) -> float:
        at = kind == which
        return float((qty[at] * mark[at]).sum()) / USD

    adl = kind == EventKind.ADL
    taken, needed, for_fund = adl_money(done, mark)
    book = kind == EventKind.LIQUIDATION_FILL
    return Tally(
        liquidated=int((kind == EventKind.LIQUIDATION_STARTED).sum()),
        on_book=float((qty[book] * price[book]).sum()) / USD,
        taken_over=notional(EventKind.TAKEOVER),
        adl_fills=int(adl.sum()),
        adl=notional(EventKind.ADL),
        adl_taken=taken,
        adl_needed=needed,
        adl_for_fund=for_fund,
        adl_tick=float(qty[adl].sum()) / USD,
    )


def adl_money(done: Any, mark: Any) -> tuple[float, float, float]:
    """Return (given up by counterparties, lacked by the bankrupt, given up for the fund), USD.

    A bankrupt long closed at B above the mark lacks (B - mark) a lot; its counterparty, a short,
    buys at B what the mark has for less. Where B is on the good side of the mark nothing is lacking
    and nothing is given up. What is missing is the equity below zero with which the liquidation
    began, as its event tells. The fund's own ADL (LIQ-7) has no such event and stands apart.
    """
    rows = done[done["kind"] == EventKind.ADL]
    at = mark[done["kind"] == EventKind.ADL]
    sign = np.where(rows["side"] == 0, 1, -1)
    given = np.maximum((rows["price"].astype(np.int64) - at) * sign * rows["qty"], 0)
    is_fund = rows["account_2"] == 0
    starts = np.flatnonzero(done["kind"] == EventKind.LIQUIDATION_STARTED)
    ends = np.flatnonzero(done["kind"] == EventKind.ADL)[~is_fund]
    began = np.unique(np.searchsorted(starts, ends) - 1)
    lacking = np.maximum(-done["amount"][starts[began[began >= 0]]], 0).sum()
    money = given[~is_fund].sum(), lacking, given[is_fund].sum()
    return float(money[0]) / USD, float(money[1]) / USD, float(money[2]) / USD


def replay(
    series: Series, *, traders: int, fund_share: float, seed: int, first_day: str, last_day: str
) -> Outcome:
    """Walk the days of a series; `AssertionError` when a unit of money or a lot goes astray."""
    outcome = Outcome(series)
    started = time.perf_counter()
    crowd: Crowd | None = None
    for points in series.days():
        day = datetime.fromtimestamp(series.times_ms[points.start] / 1_000, UTC).date().isoformat()
        if not first_day <= day <= last_day:
            continue
        if crowd is None:
            crowd = Crowd(series, traders, fund_share=fund_share, seed=seed, at=points.start)
        done = crowd.day(points)
        found = tally_of(done)
        found.fund_low = crowd.fund_loss_quote / USD
        outcome.total.add(found)
        for name, date in EVENTS.items():
            if day == date:
                outcome.events[name] = found
        funded = done[done["kind"] == EventKind.FUNDING]
        outcome.settlements += len(funded)
        outcome.rate_sum_ppm += int(funded["amount_2"].sum())
        outcome.band_broken += marks_outside(done, crowd.spec.mark_band_ppm)
        outcome.days += 1
    assert crowd is not None, f"{series.symbol}: no day from {first_day} to {last_day}"
    outcome.seconds = time.perf_counter() - started
    outcome.commands = crowd.engine.seq
    return outcome


def marks_outside(done: Any, band_ppm: int) -> int:
    """Return how many marks stand further from their index than the band (MARK-1)."""
    rows = done[done["kind"] == EventKind.PRICE]
    band = np.maximum(1, rows["qty"] * band_ppm // 1_000_000)
    return int((np.abs(rows["price"].astype(np.int64) - rows["qty"]) > band).sum())


def print_head() -> None:
    """Print the head of the table."""
    names = (
        "days",
        "liquid.",
        "book",
        "fund",
        "ADL",
        "ADL fills",
        "lacked",
        "given",
        "for fund",
        "fund lost",
    )
    units = ("", "", "M USD", "M USD", "M USD", "", *("k USD",) * 4)
    for first, second, words in (("series", "index", names), ("", "", units)):
        print(f"{first:<14}{second:<12}" + "".join(f"{word:>10}" for word in words), end="")
        print(
            "".join(f"{word:>10}" for word in (("funding", "theirs") if first else ("% sum",) * 2))
        )


def print_outcome(o: Outcome, data_dir: Path) -> None:
    """Print a line for the series and one for each event in it."""
    theirs = "–"
    if (data_dir / "funding_mark").is_dir():
        number, rates = published_funding(data_dir, o.series.symbol)
        theirs = f"{rates * 100:.2f}" if number else theirs
    print(f"{o.series.symbol.removesuffix('USDT'):<14}{o.series.index_source:<12}", end="")
    print(money(o.days, o.total) + f"{o.rate_sum_ppm / 1e4:>10.2f}{theirs:>10}")
    for name, found in o.events.items():
        print(f"  {name:<24}" + money(1, found), flush=True)


def print_total(outcomes: list[Outcome], data_dir: Path) -> None:
    """Print the sums, and what another venue took on the day of the crash."""
    total, crash = Tally(), Tally()
    for o in outcomes:
        total.add(o.total)
        crash.add(o.events.get("10 Oct", Tally()))
    days = sum(o.days for o in outcomes)
    print(f"{'all':<26}{money(days, total)}\n  {'10 Oct':<24}{money(len(outcomes), crash)}")
    print(
        f"\nMoney and lots are conserved to the unit after each of {days:,} days; "
        f"{sum(o.band_broken for o in outcomes)} marks stood outside the band of their index.\n"
        f"{sum(o.commands for o in outcomes):,} commands in {sum(o.seconds for o in outcomes):,.0f}"
        " seconds."
    )
    print_other_venue(data_dir, crash)


def money(days: int, t: Tally) -> str:
    """Return the columns of a tally."""
    text = f"{days:>10,}{t.liquidated:>10,}"
    text += "".join(f"{usd / 1e6:>10,.2f}" for usd in (t.on_book, t.taken_over, t.adl))
    lost = (t.adl_needed, t.adl_taken, t.adl_for_fund, t.fund_low)
    return text + f"{t.adl_fills:>10,}" + "".join(f"{usd / 1e3:>10,.1f}" for usd in lost)


def print_other_venue(data_dir: Path, total: Tally) -> None:
    """Print what Hyperliquid's ADL took on 10 October 2025 beside what was needed."""
    path = data_dir / "adl/hl_2025-10-10_adl_waves.csv"
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    needed = sum(float(row["budget_needed_usd"]) for row in rows)
    taken = sum(float(row["budget_prod_usd"]) for row in rows)
    print(
        f"On 10 October ADL took from counterparties {total.adl_taken / 1e3:,.1f} k USD where "
        f"{total.adl_needed / 1e3:,.1f} k were lacking; Hyperliquid's took {taken / 1e6:.1f} M "
        f"where {needed / 1e6:.1f} M were, {taken / needed:.2f} times as much."
    )


def main(arguments: list[str]) -> None:
    """Replay what is asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay.klines", description=__doc__)
    parser.add_argument("symbols", nargs="*", help="default: every series")
    parser.add_argument("--traders", type=int, default=10_000)
    parser.add_argument("--fund-share", type=float, default=0.01, help="of the open interest")
    parser.add_argument("--step-ppm", type=int, default=1_000_000, help="longest step of the index")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", default="0000", help="day, as 2025-10-10")
    parser.add_argument("--last", default="9999")
    told = parser.parse_args(arguments)
    data_dir = Path(os.environ.get("BULKHEAD_DATA", ROOT / "../shared/data"))
    if not (data_dir / "klines_5m").is_dir():
        sys.exit(f"no price series in {data_dir}/klines_5m: set BULKHEAD_DATA")
    outcomes: list[Outcome] = []
    print_head()
    for symbol in told.symbols or perpetuals(data_dir):
        outcomes.append(
            replay(
                read(data_dir, symbol, step_ppm=told.step_ppm), traders=told.traders,
                fund_share=told.fund_share, seed=told.seed,
                first_day=told.first, last_day=told.last,
            )
        )  # fmt: skip
        print_outcome(outcomes[-1], data_dir)
    print_total(outcomes, data_dir)


if __name__ == "__main__":
    main(sys.argv[1:])
