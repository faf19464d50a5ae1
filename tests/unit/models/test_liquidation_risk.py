"""Probability of and time to liquidation: bounds, monotony, quadrature, gaps."""

from __future__ import annotations

from math import erf
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate  # type: ignore[import-untyped]

from margin_core.models import liquidation_risk as risk

BARRIERS = st.floats(20.0, 500.0)
YEARS = st.floats(1e-4, 5.0)
VOLS = st.floats(0.05, 3.0)
DRIFTS = st.floats(-2.0, 2.0)
GAPS = risk.Gaps(jumps_per_year=20.0, mean_log=-0.02, deviation_log=0.1)
TOLERANCE = 1e-9


@given(BARRIERS, YEARS, VOLS, DRIFTS, st.floats(0, 1))
def test_a_touch_is_the_likelier_the_longer_and_the_nearer(
    barrier: float, years: float, vol: float, drift: float, nearer: float
) -> None:
    more = {"log_drift_per_year": drift}
    hit = float(risk.hit_probability(100.0, barrier, years, vol, **more))
    assert 0 <= hit <= 1
    longer = float(risk.hit_probability(100.0, barrier, years * 2, vol, **more))
    between = barrier + nearer * (100.0 - barrier)
    near = float(risk.hit_probability(100.0, between, years, vol, **more))
    assert hit <= longer + TOLERANCE
    assert hit <= near + TOLERANCE


@given(BARRIERS, YEARS, VOLS)
def test_without_drift_a_touch_is_twice_as_likely_as_to_end_beyond(
    barrier: float, years: float, vol: float
) -> None:
    """The principle of reflection."""
    beyond = (1 + erf(-abs(np.log(barrier / 100)) / vol / np.sqrt(2 * years))) / 2
    assert float(risk.hit_probability(100.0, barrier, years, vol)) == pytest.approx(2 * beyond)


@given(BARRIERS, YEARS, VOLS, DRIFTS, st.floats(0, 1))
def test_paid_later_is_worth_less(
    barrier: float, years: float, vol: float, drift: float, rate: float
) -> None:
    where, more = (100.0, barrier, years, vol), {"log_drift_per_year": drift}
    hit = float(risk.hit_probability(*where, **more))
    worth = float(risk.discounted_hit(*where, rate_per_year=rate, **more))
    assert hit * np.exp(-rate * years) - TOLERANCE <= worth <= hit + TOLERANCE


POSITIONS: list[dict[str, Any]] = [
    {"liquidation_price": 90.0, "is_long": True},
    {"liquidation_price": 99.0, "is_long": True},
    {"liquidation_price": 115.0, "is_long": False},
]


@pytest.mark.parametrize("gaps", [risk.NO_GAPS, GAPS], ids=["no gaps", "gaps"])
@pytest.mark.parametrize("drift", [-0.5, 0.0, 1e-9, 0.8])
@pytest.mark.parametrize("position", POSITIONS)
def test_time_alive_is_the_integral_of_survival(
    position: dict[str, Any], drift: float, gaps: risk.Gaps
) -> None:
    more = position | {"log_drift_per_year": drift, "gaps": gaps}
    horizon = 0.5
    times = np.linspace(0, 1, 4_001)[1:] ** 2 * horizon  # dense where survival changes most
    survival = 1 - risk.liquidation_probability(100.0, years=times, volatility=0.6, **more)
    alive = integrate.trapezoid([1.0, *survival], [0.0, *times])
    found = risk.expected_years_to_liquidation(100.0, years=horizon, volatility=0.6, **more)
    assert float(found) == pytest.approx(alive, rel=1e-5)


@given(
    barrier=BARRIERS,
    years=YEARS,
    vol=VOLS,
    drift=DRIFTS,
    often=st.floats(0, 100),
    is_long=st.booleans(),
)
def test_gaps_make_liquidation_likelier_and_sooner(
    barrier: float, years: float, vol: float, drift: float, often: float, *, is_long: bool
) -> None:
    where = (100.0, barrier, years, vol)
    more: dict[str, Any] = {"is_long": is_long, "log_drift_per_year": drift}
    gaps = risk.Gaps(jumps_per_year=often, mean_log=0.0, deviation_log=0.1)
    without = float(risk.liquidation_probability(*where, **more))
    with_gaps = float(risk.liquidation_probability(*where, **more, gaps=gaps))
    assert 0 <= without <= with_gaps + TOLERANCE <= 1 + 2 * TOLERANCE
    alive = float(risk.expected_years_to_liquidation(*where, **more))
    shorter = float(risk.expected_years_to_liquidation(*where, **more, gaps=gaps))
    assert 0 <= shorter <= alive + 1e-5 * years
    assert alive <= years


def test_gaps_alone_are_a_poisson_process() -> None:
    """With hardly any volatility only a jump liquidates."""
    where = (100.0, 90.0, 0.25, 1e-3)
    jumps = 20.0 * 0.5 * (1 + erf((0.02 + np.log(0.9)) / 0.1 / np.sqrt(2)))
    found = float(risk.liquidation_probability(*where, is_long=True, gaps=GAPS))
    assert found == pytest.approx(1 - np.exp(-jumps * 0.25))
    alive = float(risk.expected_years_to_liquidation(*where, is_long=True, gaps=GAPS))
    assert alive == pytest.approx((1 - np.exp(-jumps * 0.25)) / jumps)


def test_positions_that_are_never_or_already_liquidated() -> None:
    prices = [0.0, 100.0, 101.0]
    for gaps in (risk.NO_GAPS, GAPS):
        more: dict[str, Any] = {"is_long": True, "log_drift_per_year": 0.1, "gaps": gaps}
        hit = risk.liquidation_probability(100.0, prices, 0.5, 0.8, **more)
        assert hit.tolist() == [0.0, 1.0, 1.0]
        alive = risk.expected_years_to_liquidation(100.0, prices, 0.5, 0.8, **more)
        assert alive.tolist() == [0.5, 0.0, 0.0]
    never = risk.liquidation_probability(100.0, np.inf, 0.5, 0.8, is_long=False)
    assert float(never) == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": 0.0}, r"first passage: price = 0: .* above 0 \(quote"),
        ({"barrier": [90.0, -1.0]}, r"first passage: barrier\[1\] = -1: .* at least 0 \(quote"),
        ({"years": np.nan}, r"first passage: years = nan: expected a finite number"),
        ({"volatility": 0.0}, r"volatility = 0: .* \(per square root of a year\)"),
    ],
)
def test_arguments_out_of_range_are_named(change: dict[str, Any], message: str) -> None:
    at: dict[str, Any] = {"price": 100.0, "barrier": 90.0, "years": 1.0, "volatility": 0.5}
    with pytest.raises(ValueError, match=message):
        risk.hit_probability(**(at | change))
    with pytest.raises(ValueError, match=r"gaps: deviation_log = 0: .* above 0"):
        risk.Gaps(jumps_per_year=1.0, mean_log=0.0, deviation_log=0.0)
