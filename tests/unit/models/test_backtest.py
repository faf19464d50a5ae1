"""Tests of exceptions: edges, and agreement with what chance does."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from margin_core.models import backtest

PROBABILITIES = st.floats(0.001, 0.5)


@given(st.integers(1, 10_000), PROBABILITIES)
def test_no_exception_has_a_statistic(n: int, p: float) -> None:
    found = backtest.kupiec(n, 0, p)
    assert found.statistic == pytest.approx(-2 * n * log(1 - p))
    assert found.degrees_of_freedom == 1
    assert found.p_value == pytest.approx(stats.chi2.sf(found.statistic, 1))


@given(st.integers(1, 10_000), PROBABILITIES)
def test_nothing_but_exceptions_has_a_statistic(n: int, p: float) -> None:
    assert backtest.kupiec(n, n, p).statistic == pytest.approx(-2 * n * log(p))


@given(st.integers(1, 100), st.integers(1, 100))
def test_as_many_as_promised_is_no_deviation(hits: int, misses: int) -> None:
    found = backtest.kupiec(hits + misses, hits, hits / (hits + misses))
    assert found.statistic == pytest.approx(0, abs=1e-9)
    assert found.p_value == pytest.approx(1, abs=1e-4)


@given(st.lists(st.booleans(), min_size=2, max_size=300), PROBABILITIES)
def test_conditional_coverage_is_the_sum(exceptions: list[bool], p: float) -> None:
    often = backtest.kupiec(len(exceptions), sum(exceptions), p)
    apart = backtest.christoffersen(*backtest.transitions(exceptions))
    both = backtest.conditional_coverage(exceptions, p)
    assert both.statistic == pytest.approx(often.statistic + apart.statistic)
    assert both.p_value == pytest.approx(np.exp(-both.statistic / 2))  # chi-square of 2 degrees


def test_transitions_are_counted() -> None:
    assert backtest.transitions([False, False, True, True, False, True]) == (1, 2, 1, 1)
    assert backtest.christoffersen(5, 0, 0, 0).statistic == 0
    assert backtest.christoffersen(0, 0, 0, 5).statistic == 0
    assert backtest.christoffersen(2, 2, 2, 2).statistic == 0
    assert backtest.christoffersen(90, 1, 0, 9).p_value < 1e-6  # exceptions in one row


def test_true_models_are_doubted_as_often_as_the_level_says() -> None:
    """Of 4,000 series with exceptions at the promised rate about 5 % have a p-value below 5 %."""
    draws = np.random.default_rng(11).binomial(2_000, 0.05, 4_000)
    doubted = [backtest.kupiec(2_000, int(x), 0.05).p_value < 0.05 for x in draws]
    assert np.mean(doubted) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, 0.01), r"Kupiec: observations = 0: expected an integer, 1 to"),
        ((10, 11, 0.01), r"Kupiec: exceptions = 11: expected an integer, 0 to 10 \(periods\)"),
        ((10, 1, 0.0), r"Kupiec: probability = 0: .* above 0 and below 1 \(share of periods\)"),
        ((10.5, 1, 0.1), r"Kupiec: observations = 10.5: expected an integer"),
    ],
)
def test_counts_out_of_range_are_named(arguments: tuple[int, int, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        backtest.kupiec(*arguments)


def test_too_short_a_series_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected at least 2 \(periods\)"):
        backtest.conditional_coverage([True], 0.01)
    with pytest.raises(ValueError, match=r"n00 \+ n01 \+ n10 \+ n11 = 0"):
        backtest.christoffersen(0, 0, 0, 0)
