"""EWMA, expected shortfall, filtered simulation, and the tools against procyclicality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats  # type: ignore[import-untyped]

from margin_core.models import procyclicality, volatility

RETURNS = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=50)


@given(RETURNS, st.floats(0.01, 0.99), st.floats(0, 0.01))
def test_ewma_is_its_recursion_and_its_weights(
    returns: list[float], decay: float, first: float
) -> None:
    variances = volatility.ewma_variances(returns, decay, first=first)
    assert variances.size == len(returns) + 1
    assert variances[0] == first
    stepped = first
    for log_return, variance in zip(returns, variances[1:], strict=True):
        stepped = float(volatility.ewma_variance(stepped, log_return, decay))
        assert variance == pytest.approx(stepped)
    weights = volatility.ewma_weights(len(returns), decay)
    weighted = weights @ np.array(returns[::-1]) ** 2 + decay ** len(returns) * first
    assert variances[-1] == pytest.approx(weighted)


@given(st.integers(1, 500), st.floats(0.5, 0.999))
def test_weights_fall_and_sum_to_one_less_the_rest(count: int, decay: float) -> None:
    weights = volatility.ewma_weights(count, decay)
    assert weights.sum() == pytest.approx(1 - decay**count)
    assert (np.diff(weights) < 0).all()


@given(st.floats(0.1, 1e4))
def test_a_weight_halves_in_a_half_life(steps: float) -> None:
    decay = volatility.ewma_decay(steps)
    assert float(volatility.ewma_half_life_steps(decay)) == pytest.approx(steps)
    assert decay**steps == pytest.approx(0.5)


@pytest.mark.parametrize("drift", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("tail", [0.001, 0.01, 0.2])
def test_lognormal_shortfall_is_the_mean_of_the_tail(tail: float, drift: float) -> None:
    years, vol = 0.1, 0.8
    total = vol * years**0.5
    log_price = stats.norm(drift * years - total**2 / 2, total)

    def mean_price(low: float, high: float) -> float:
        inside, _ = integrate.quad(lambda x: np.exp(x) * log_price.pdf(x), low, high)
        return float(inside) / tail

    worst = mean_price(-4.0, log_price.ppf(tail))
    best = mean_price(log_price.isf(tail), 4.0)
    more = {"drift_per_year": drift}
    long = float(volatility.lognormal_shortfall_long(tail, years, vol, **more))
    short = float(volatility.lognormal_shortfall_short(tail, years, vol, **more))
    assert long == pytest.approx(1 - worst, abs=1e-7)
    assert short == pytest.approx(best - 1, abs=1e-7)


@given(st.floats(1e-6, 0.5), st.floats(0, 1), st.floats(0, 3))
def test_a_short_needs_more_than_a_long(tail: float, years: float, vol: float) -> None:
    long = float(volatility.lognormal_shortfall_long(tail, years, vol))
    short = float(volatility.lognormal_shortfall_short(tail, years, vol))
    assert -1e-9 <= long <= 1
    assert long <= short + 1e-9


def test_the_range_holds_its_probability() -> None:
    low, high = volatility.lognormal_range(100.0, 0.95, 0.25, 0.6, drift_per_year=0.1)
    total = 0.6 * 0.25**0.5
    end = stats.norm(np.log(100.0) + 0.025 - total**2 / 2, total)
    assert end.cdf(np.log(low)) == pytest.approx(0.025)
    assert end.sf(np.log(high)) == pytest.approx(0.025)


def test_expected_shortfall_counts_a_part_of_an_observation() -> None:
    losses = [1.0, 5.0, 2.0, 4.0, 3.0]
    assert volatility.expected_shortfall(losses, 0.2) == 5.0
    assert volatility.expected_shortfall(losses, 0.4) == 4.5
    assert volatility.expected_shortfall(losses, 0.5) == pytest.approx((5 + 4 + 3 / 2) / 2.5)
    assert volatility.expected_shortfall(losses, 0.9999) == pytest.approx(3.0, abs=1e-3)
    with pytest.raises(ValueError, match=r"losses = 5: expected at least 10 for a tail of 0.1"):
        volatility.expected_shortfall(losses, 0.1)


def test_filtered_moves_are_sums_over_their_own_volatility() -> None:
    returns, variances = [0.1, -0.2, 0.3, 0.4], [0.01, 0.04, 0.09, 0.16]
    one = volatility.standardised_moves(returns, variances, horizon_steps=1)
    assert one.tolist() == pytest.approx([1, -1, 1, 1])
    two = volatility.standardised_moves(returns, variances, horizon_steps=2)
    assert two.tolist() == pytest.approx([0, 0, 2])
    with pytest.raises(ValueError, match=r"at least 5 values"):
        volatility.standardised_moves(returns, variances, horizon_steps=5)
    with pytest.raises(ValueError, match=r"variances has shape \(3,\): expected one per return"):
        volatility.standardised_moves(returns, variances[:3], horizon_steps=1)


def test_filtered_simulation_forgets_what_volatility_was() -> None:
    """A calm and a wild half have the same standardised moves."""
    noise = np.random.default_rng(7).standard_normal(20_000)
    scale = np.repeat([0.001, 0.01], 10_000)
    variances = volatility.ewma_variances(noise * scale, 0.97, first=1e-6)[:-1]
    moves = volatility.standardised_moves(noise * scale, variances, horizon_steps=1)
    calm, wild = moves[1_000:10_000].std(), moves[11_000:].std()
    assert calm == pytest.approx(wild, rel=0.05)
    assert calm == pytest.approx(1, rel=0.05)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.25, 1))
def test_tools_against_procyclicality(margin: float, other: float, share: float) -> None:
    held = float(procyclicality.with_buffer(margin, other, share=share))
    assert margin <= held <= (1 + share) * margin
    assert held in {margin, (1 + share) * margin, other}
    stressed = float(procyclicality.with_stress(margin, other, weight=share))
    assert min(margin, other) - 1e-12 <= stressed <= max(margin, other) + 1e-12
    assert float(procyclicality.with_floor(margin, other)) == max(margin, other)


def test_the_buffer_is_drawn_down_before_the_margin_rises() -> None:
    held, path = np.inf, []
    for margin in (100.0, 110.0, 125.0, 130.0, 100.0):
        held = float(procyclicality.with_buffer(margin, held))
        path.append(held)
    assert path == [125.0, 125.0, 125.0, 130.0, 125.0]


def test_less_than_the_rule_asks_for_is_refused() -> None:
    with pytest.raises(ValueError, match=r"EMIR 153/2013 Art 28\(1\): share = 0.1: expected"):
        procyclicality.with_buffer(1.0, 1.0, share=0.1)
    with pytest.raises(ValueError, match=r"weight = 0.2: .* at least 0.25"):
        procyclicality.with_stress(1.0, 1.0, weight=0.2)
