"""From a volatility profile to a market's parameters, and its backtest on real prices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from margin_core import MarketSpec, Tier
from margin_core.models import profile
from margin_core.models.profile import RateChange, Rates, announcements, with_rates

if TYPE_CHECKING:
    from pathlib import Path


def tier(floor: int, initial: int, maintenance: int) -> Tier:
    return Tier(
        notional_floor_quote=floor,
        margin_initial_ppm=initial,
        margin_maintenance_ppm=maintenance,
    )


BASE = MarketSpec(
    market_id=1,
    quote_per_tick_lot=1,
    price_ticks_max=10**6,
    position_lots_max=10**9,
    fee_maker_ppm=200,
    fee_taker_ppm=500,
    tiers=(
        tier(0, 10_000, 5_000),
        tier(10**9, 20_000, 10_000),
        tier(10**10, 100_000, 50_000),
    ),
)


def test_no_tier_is_below_the_profile() -> None:
    """MKT-1, MKT-2: tiers that would ask the same fall together, larger ones stay."""
    spec = with_rates(BASE, Rates(initial_ppm=30_000, maintenance_ppm=20_000))
    assert spec.tiers == (tier(0, 30_000, 20_000), tier(10**10, 100_000, 50_000))
    assert replace(spec, tiers=BASE.tiers) == BASE
    assert with_rates(BASE, Rates(initial_ppm=2_000, maintenance_ppm=1_000)) == BASE
    between = with_rates(BASE, Rates(initial_ppm=12_000, maintenance_ppm=11_000))
    assert between.tiers[:2] == (tier(0, 12_000, 11_000), tier(10**9, 20_000, 11_000))


def test_announcements_are_markets_of_integers_at_their_times() -> None:
    """MKT-1: only what changes the parameters is announced; journal and wire take it."""
    found = list(
        announcements(
            BASE,
            [
                RateChange(announced_time_s=1, effective_time_s=11, rates=Rates(
                    initial_ppm=5_000, maintenance_ppm=4_000)),
                RateChange(announced_time_s=2, effective_time_s=12, rates=Rates(
                    initial_ppm=40_000, maintenance_ppm=30_000)),
                RateChange(announced_time_s=3, effective_time_s=13, rates=Rates(
                    initial_ppm=10_000, maintenance_ppm=5_000)),
            ],
        )
    )  # fmt: skip
    assert [row[:2] for row in found] == [(2, 12), (3, 13)]
    for _, _, spec in found:
        assert MarketSpec.unpack(spec.pack()) == spec
    assert found[-1][2] == BASE


def test_the_whole_step_on_a_calm_and_a_wild_market() -> None:
    """MKT-1, MKT-2: EWMA, shortfall, floor, buffer, step, notice, parameters."""
    risk = profile.RiskProfile(
        step_s=300,
        maintenance=profile.Cover(horizon_s=900, tail_probability=0.01),
        initial=profile.Cover(horizon_s=3_600, tail_probability=0.01),
        half_life_s=86_400,
        history_s=30 * 86_400,
    )
    rng = np.random.default_rng(5)
    size = np.concatenate((np.full(3_000, 0.001), np.full(600, 0.006), np.full(3_000, 0.001)))
    moves = rng.standard_normal(len(size)) * size
    changes = profile.schedule(risk, moves, first_time_s=1_000_000)
    found = list(announcements(BASE, changes))
    first_rates = [spec.tiers[0].margin_maintenance_ppm for _, _, spec in found]
    assert max(first_rates) > 2 * first_rates[0]
    assert first_rates[-1] < max(first_rates)
    assert all(effective - told == risk.notice_s for told, effective, _ in found)


def test_margins_of_real_series_are_kept_as_often_as_promised(data_dir: Path) -> None:
    """MKT-1: BTC, 245 days: fewer exceptions than promised on both sides."""
    from tests.backtest.__main__ import closes_of, run

    times_s, prices = closes_of(data_dir, "BTCUSDT")
    report = run(times_s[-30_000:], prices[-30_000:])
    assert report.windows > 4_000
    for side in ("long", "short"):
        assert report.exceptions[side] <= report.windows * 0.01
        assert 0 <= report.christoffersen[side] <= 1
    assert report.rises["buffered 1"] <= report.rises["bare 1"]
    assert report.highest_ppm >= report.last.maintenance_ppm


@pytest.mark.parametrize("initial", [999_500, 10**6])
def test_rates_beyond_a_market_are_an_error(initial: int) -> None:
    """MKT-1: with rule, value and unit."""
    with pytest.raises(ValueError, match="MKT-1: "):
        with_rates(BASE, Rates(initial_ppm=initial, maintenance_ppm=5_000))
