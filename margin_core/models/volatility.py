"""Volatility of returns: EWMA, expected shortfall, filtered historical simulation.

Returns are logarithmic, `ln(P_t / P_(t-1))`; a variance is per step of the series, a volatility per
square root of the unit that its name or text says.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

from margin_core.models.arguments import Floats, number, numbers, series, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

EWMA = "EWMA"
LOGNORMAL = "log-normal"
SHORTFALL = "expected shortfall"
PER_STEP = "variance per step"
ROOT_YEAR = "per square root of a year"


def ewma_variance(variance: ArrayLike, log_return: ArrayLike, decay: ArrayLike) -> Floats:
    """Return the next variance per step, `decay·v + (1 - decay)·r²`.

    Source: J.P. Morgan, RiskMetrics Technical Document (1996): decay 0.94 for daily returns.

    Raises:
        ValueError: A variance is negative, or a decay is not 0 to 1.
    """
    before = numbers(EWMA, "variance", variance, PER_STEP, at_least=0)
    moved = numbers(EWMA, "log_return", log_return, "logarithm of a price ratio")
    kept = numbers(EWMA, "decay", decay, "weight per step", at_least=0, at_most=1)
    return np.asarray(kept * before + (1 - kept) * moved**2)


def ewma_variances(log_returns: ArrayLike, decay: float, *, first: float) -> Floats:
    """Return n + 1 variances per step: element t is what was known before return t.

    Raises:
        ValueError: No returns, `first` (the variance at the start) negative, decay outside (0, 1).
    """
    moved = series(EWMA, "log_returns", log_returns, "logarithm of a price ratio")
    kept = number(EWMA, "decay", decay, "weight per step", above=0, below=1)
    start = number(EWMA, "first", first, PER_STEP, at_least=0)
    added = ((1 - kept) * moved**2).tolist()
    return np.array(list(accumulate(added, lambda v, r: kept * v + r, initial=start)))


def ewma_weights(count: int, decay: float) -> Floats:
    """Return the weights of the last `count` squared returns, newest first; they sum to 1 - λⁿ.

    Raises:
        ValueError: The count is not 1 to 10^9, or the decay is not between 0 and 1.
    """
    whole(EWMA, "count", count, "returns", at_least=1, at_most=10**9)
    kept = number(EWMA, "decay", decay, "weight per step", above=0, below=1)
    return np.asarray((1 - kept) * kept ** np.arange(count))


def ewma_half_life_steps(decay: ArrayLike) -> Floats:
    """Return after how many steps a return has half its weight, `ln 0.5 / ln decay`.

    Raises:
        ValueError: A decay is not between 0 and 1.
    """
    kept = numbers(EWMA, "decay", decay, "weight per step", above=0, below=1)
    return np.asarray(np.log(0.5) / np.log(kept))


def ewma_decay(half_life_steps: ArrayLike) -> Floats:
    """Return the decay per step that halves a weight in so many steps.

    Raises:
        ValueError: A half-life is not positive.
    """
    steps = numbers(EWMA, "half_life_steps", half_life_steps, "steps", above=0)
    return np.asarray(0.5 ** (1 / steps))


def lognormal_shortfall_long(
    tail_probability: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    drift_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return the mean loss of a long in the worst tail, as a share of its notional (0 to 1).

    `1 - e^(μt)·N(z - s)/l` with tail probability l, s = σ√t, z = N⁻¹(l). Source: Vega Protocol,
    risk model "log-normal" (its factor for longs).

    Raises:
        ValueError: A tail probability is not between 0 and 1, a time or volatility is negative.
    """
    tail, drift, total = _lognormal(tail_probability, years, volatility, drift_per_year)
    return np.asarray(1 - np.exp(drift) * ndtr(ndtri(tail) - total) / tail)


def lognormal_shortfall_short(
    tail_probability: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    drift_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return the mean loss of a short in the worst tail, as a share of its notional (unbounded).

    `e^(μt)·N(z + s)/l - 1`: more than a long's, because prices rise further than they fall.

    Raises:
        ValueError: A tail probability is not between 0 and 1, a time or volatility is negative.
    """
    tail, drift, total = _lognormal(tail_probability, years, volatility, drift_per_year)
    return np.asarray(np.exp(drift) * ndtr(ndtri(tail) + total) / tail - 1)


def lognormal_range(
    price: ArrayLike,
    probability: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    drift_per_year: ArrayLike = 0.0,
) -> tuple[Floats, Floats]:
    """Return (low, high), in the unit of the price: where it ends with that probability.

    The central band of a log-normal price whose mean grows with the drift.

    Raises:
        ValueError: A price is not positive, a probability not between 0 and 1.
    """
    start = numbers(LOGNORMAL, "price", price, "quote per unit of the underlying", above=0)
    inside = numbers(LOGNORMAL, "probability", probability, "share of 1", above=0, below=1)
    _, drift, total = _lognormal(0.5, years, volatility, drift_per_year)
    middle = np.log(start) + drift - total**2 / 2
    reach = ndtri((1 + inside) / 2) * total
    return np.asarray(np.exp(middle - reach)), np.asarray(np.exp(middle + reach))


def standardised_moves(
    log_returns: ArrayLike, variances: ArrayLike, *, horizon_steps: int
) -> Floats:
    """Return every sum of `horizon_steps` neighbouring returns, each over its own volatility.

    Filtered historical simulation: times today's volatility per root of a step these are the moves
    of the horizon as history would have them now. Windows overlap, so that what follows on what in
    history (trends, reversals) stays in. Source: G. Barone-Adesi, K. Giannopoulos, L. Vosper, "VaR
    without correlations for portfolios of derivative securities", J. Futures Markets 19 (1999).

    Raises:
        ValueError: Fewer returns than the horizon, or a variance that is not positive.
    """
    whole("filtered simulation", "horizon_steps", horizon_steps, "steps", at_least=1, at_most=10**9)
    moved = series(
        "filtered simulation", "log_returns", log_returns, "logarithm", least=horizon_steps
    )
    spread = numbers("filtered simulation", "variances", variances, PER_STEP, above=0)
    if spread.shape != moved.shape:
        raise ValueError(
            f"filtered simulation: variances has shape {spread.shape}: expected one per return, "
            f"{moved.shape} ({PER_STEP})"
        )
    sums = np.concatenate(([0.0], np.cumsum(moved / np.sqrt(spread))))
    return np.asarray(sums[horizon_steps:] - sums[:-horizon_steps])


def expected_shortfall(losses: ArrayLike, tail_probability: float) -> float:
    """Return the mean of the worst share of the losses, in their unit.

    Where the share ends inside an observation, that one counts by its part. Source: C. Acerbi,
    D. Tasche, "On the coherence of expected shortfall", J. Banking & Finance 26 (2002).

    Raises:
        ValueError: The tail holds less than one observation, or is not a share between 0 and 1.
    """
    tail = number(SHORTFALL, "tail_probability", tail_probability, "share of 1", above=0, below=1)
    lost = series(SHORTFALL, "losses", losses, "losses")
    weight = lost.size * tail
    if weight < 1:
        raise ValueError(
            f"{SHORTFALL}: losses = {lost.size}: expected at least {1 / tail:.0f} for a tail of "
            f"{tail:g} (observations)"
        )
    counted = int(weight)
    worst = np.partition(lost, lost.size - counted - 1)[lost.size - counted - 1 :]
    return float((worst[1:].sum() + (weight - counted) * worst[0]) / weight)


def _lognormal(
    tail_probability: ArrayLike, years: ArrayLike, volatility: ArrayLike, drift_per_year: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    tail = numbers(LOGNORMAL, "tail_probability", tail_probability, "share of 1", above=0, below=1)
    time = numbers(LOGNORMAL, "years", years, "years", at_least=0)
    vol = numbers(LOGNORMAL, "volatility", volatility, ROOT_YEAR, at_least=0)
    drift = numbers(LOGNORMAL, "drift_per_year", drift_per_year, "1 is 100 % a year")
    return tail, np.asarray(drift * time), np.asarray(vol * np.sqrt(time))
