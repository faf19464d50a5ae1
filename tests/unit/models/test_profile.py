"""Risk-weighted margin: whole ppm that a market takes, floor, buffer, steps announced in time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import margin_core as mc
from margin_core.models import backtest, volatility
from margin_core.models.profile import (
    Cover,
    Rates,
    RiskProfile,
    calculated_rates,
    rates,
    schedule,
)

HOUR, DAY = 3_600, 86_400
PROFILE = RiskProfile(
    step_s=HOUR,
    maintenance=Cover(horizon_s=HOUR, tail_probability=0.01),
    initial=Cover(horizon_s=8 * HOUR, tail_probability=0.01),
    half_life_s=2 * DAY,
)
SEED = 5


def hourly(days: int, deviation: float = 0.005, seed: int = SEED) -> Any:
    """Return fat-tailed hourly returns of a deviation."""
    return np.random.default_rng(seed).standard_t(5, 24 * days) * deviation * (3 / 5) ** 0.5


CALM = hourly(60)
STORM = np.concatenate((CALM, hourly(4, deviation=0.03), CALM))


def test_rates_fit_a_market() -> None:
    found = rates(PROFILE, CALM)
    assert isinstance(found.initial_ppm, int)
    assert 0 < found.maintenance_ppm < found.initial_ppm
    assert found.initial_ppm % 1_000 == found.maintenance_ppm % 1_000 == 0
    tier = mc.Tier(
        notional_floor_quote=0,
        margin_initial_ppm=found.initial_ppm,
        margin_maintenance_ppm=found.maintenance_ppm,
    )
    spec = mc.MarketSpec(
        market_id=1,
        quote_per_tick_lot=1,
        price_ticks_max=1_000,
        position_lots_max=1_000,
        fee_maker_ppm=0,
        fee_taker_ppm=500,
        tiers=(tier,),
    )
    assert mc.initial_requirement_quote(spec, position_lots=1_000, mark_price_ticks=1_000) > 0


def test_the_calculated_rate_is_the_shortfall_of_normal_moves() -> None:
    """On normal returns of one deviation it is the log-normal expected shortfall of a short."""
    moves = np.random.default_rng(SEED).standard_normal(100_000) * 0.005
    slow = replace(PROFILE, half_life_s=100 * DAY)
    initial, maintenance = calculated_rates(slow, moves)
    for rate, steps in ((initial, 8), (maintenance, 1)):
        expected = volatility.lognormal_shortfall_short(0.01, 1.0, 0.005 * steps**0.5)
        assert rate == pytest.approx(float(expected), rel=0.05)


def test_exceptions_are_as_rare_as_the_tail() -> None:
    """A loss beyond the shortfall is rarer than the tail, and comes independently of others."""
    profile = replace(PROFILE, half_life_s=5 * DAY)
    returns, known = hourly(300), 24 * 100
    _, rate = calculated_rates(profile, returns[:known])
    later = np.abs(np.expm1(returns[known:])) > rate
    assert later.mean() < 0.02
    assert backtest.conditional_coverage(later, 0.008).p_value > 1e-3


def test_a_storm_raises_the_rates_and_the_floor_keeps_them_up() -> None:
    calm, storm = rates(PROFILE, CALM), rates(PROFILE, STORM[: 24 * 64])
    assert storm.initial_ppm > 2 * calm.initial_ppm
    assert storm.maintenance_ppm > 2 * calm.maintenance_ppm
    # The storm's own days are in the long history: the floor is above what a calm market had.
    after = calculated_rates(PROFILE, STORM)
    before = calculated_rates(PROFILE, CALM)
    assert after[0] > before[0]
    assert after[1] > before[1]


def test_the_buffer_is_on_top_and_is_used_before_the_rates_rise() -> None:
    initial, maintenance = calculated_rates(PROFILE, CALM)
    full = rates(PROFILE, CALM)
    assert full.initial_ppm == pytest.approx(1.25e6 * initial, abs=1_000)
    assert full.maintenance_ppm == pytest.approx(1.25e6 * maintenance, abs=1_000)
    used_initial, used_maintenance = (round(1.1e3 * x) * 1_000 for x in (initial, maintenance))
    used = Rates(initial_ppm=used_initial, maintenance_ppm=used_maintenance)
    assert rates(PROFILE, CALM, held=used) == used
    low = Rates(initial_ppm=2_000, maintenance_ppm=1_000)
    raised = rates(PROFILE, CALM, held=low)
    assert raised.initial_ppm == pytest.approx(1e6 * initial, abs=1_000)
    assert raised.initial_ppm >= 1e6 * initial


def test_steps_are_announced_before_they_hold() -> None:
    changes = list(schedule(PROFILE, STORM, first_time_s=1_700_000_000))
    assert len(changes) > 1
    for before, change in zip([None, *changes], changes, strict=False):
        assert change.effective_time_s == change.announced_time_s + PROFILE.notice_s
        if before is not None:
            assert change.rates != before.rates
            assert (change.announced_time_s - before.announced_time_s) % PROFILE.review_s == 0
    assert changes[0].announced_time_s == 1_700_000_000 + (PROFILE.least_steps - 1) * HOUR


def test_a_review_knows_nothing_of_what_comes() -> None:
    """The schedule of a shorter series is the beginning of the longer one's."""
    whole = list(schedule(PROFILE, STORM, first_time_s=0))
    for days in (50, 62, 70):
        part = list(schedule(PROFILE, STORM[: 24 * days], first_time_s=0))
        assert part == [c for c in whole if c.announced_time_s < days * DAY]


def test_the_same_returns_give_the_same_schedule() -> None:
    once = list(schedule(PROFILE, STORM, first_time_s=0))
    assert once == list(schedule(PROFILE, STORM.tolist(), first_time_s=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step_s": 0}, r"risk profile: step_s = 0: expected an integer, 1 to \d+ \(seconds\)"),
        ({"buffer_share": 0.2}, r"buffer_share = 0.2: .* at least 0.25 \(share of the rate\)"),
        ({"rate_step_ppm": 0.5}, r"rate_step_ppm = 0.5: expected an integer"),
        ({"notice_s": 0}, r"notice_s = 0: expected an integer"),
    ],
)
def test_a_profile_out_of_range_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(PROFILE, **change)


def test_returns_that_say_too_little_are_refused() -> None:
    least = PROFILE.least_steps
    with pytest.raises(ValueError, match=rf"log_returns has shape .* at least {least} values"):
        rates(PROFILE, CALM[: least - 1])
    assert rates(PROFILE, CALM[:least])
    with pytest.raises(ValueError, match=r"risk profile: log_returns = 0 at the start"):
        rates(PROFILE, np.zeros(least))
    with pytest.raises(ValueError, match=r"initial rate = \d+: expected below 1000000: the market"):
        rates(PROFILE, CALM * 100)
    with pytest.raises(ValueError, match=r"tail_probability = 1: .* below 1"):
        Cover(horizon_s=HOUR, tail_probability=1.0)
