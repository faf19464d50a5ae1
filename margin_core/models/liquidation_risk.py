"""How likely a position is to be liquidated, and how soon: first passage, and gaps.

The price is a geometric Brownian motion whose logarithm has a drift m and a volatility σ. It is
liquidated when the price first touches the liquidation price. Marks also jump: first passage alone
is a lower bound, to which `Gaps` adds jumps that go from the present price beyond the barrier at
once. Volatility per square root of a year, drift and jumps per year.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr, ndtr  # type: ignore[import-untyped]

from margin_core.models.arguments import Floats, number, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RULE = "first passage"
SMALL = 1e-6  # where a quotient of differences is replaced by its limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Jumps of the mark that come as a Poisson process (R. Merton, J. Financial Economics 3, 1976).

    Attributes:
        jumps_per_year: How many come, at least 0.
        mean_log: Mean of a jump's logarithm.
        deviation_log: Its standard deviation, above 0.

    Raises:
        ValueError: A number is out of range.
    """

    jumps_per_year: float
    mean_log: float
    deviation_log: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        number("gaps", "jumps_per_year", self.jumps_per_year, "jumps a year", at_least=0)
        number("gaps", "mean_log", self.mean_log, "logarithm of a price ratio")
        number("gaps", "deviation_log", self.deviation_log, "logarithm of a price ratio", above=0)

    def per_year(self, distance_log: Floats) -> Floats:
        """Return how many jumps a year reach the distance (signed logarithm of a price ratio)."""
        away = np.sign(distance_log)
        reach = ndtr((away * self.mean_log - np.abs(distance_log)) / self.deviation_log)
        return np.asarray(self.jumps_per_year * reach)


NO_GAPS = Gaps(jumps_per_year=0.0, mean_log=0.0, deviation_log=1.0)


def hit_probability(
    price: ArrayLike,
    barrier: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    log_drift_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return the probability that the price touches the barrier, above or below, in that time.

    Source: E. Haug, "The Complete Guide to Option Pricing Formulas" (1998), one-touch options.

    Raises:
        ValueError: Price, time or volatility is not positive, or a barrier is negative.
    """
    return discounted_hit(
        price, barrier, years, volatility, log_drift_per_year=log_drift_per_year, rate_per_year=0.0
    )


def discounted_hit(
    price: ArrayLike,
    barrier: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    rate_per_year: ArrayLike,
    log_drift_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return `E[e^(-rτ); τ ≤ T]` of the hitting time τ: what 1 paid at the touch is worth now.

    As a function of r it is the Laplace transform of the hitting time.

    Raises:
        ValueError: As `hit_probability`, or a rate is negative.
    """
    b, time, vol, drift = _path(price, barrier, years, volatility, log_drift_per_year)
    rate = numbers(RULE, "rate_per_year", rate_per_year, "1 is 100 % a year", at_least=0)
    near, far = _terms(b, time, vol, drift, np.sqrt(drift**2 + 2 * rate * vol**2))
    return np.asarray(np.clip(near + far, 0.0, 1.0))


def liquidation_probability(
    price: ArrayLike,
    liquidation_price: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    is_long: ArrayLike,
    log_drift_per_year: ArrayLike = 0.0,
    gaps: Gaps = NO_GAPS,
) -> Floats:
    """Return the probability that a position is liquidated within the time, 0 to 1.

    A long at or below its liquidation price, or a short at or above, has 1; a long whose price is
    0 and a short whose price is infinite are never liquidated: 0.

    Raises:
        ValueError: As `hit_probability`.
    """
    path = _path(price, liquidation_price, years, volatility, log_drift_per_year)
    survival, _, _ = _survival(path, is_long, gaps)
    return np.asarray(1 - survival)


def expected_years_to_liquidation(
    price: ArrayLike,
    liquidation_price: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    is_long: ArrayLike,
    log_drift_per_year: ArrayLike = 0.0,
    gaps: Gaps = NO_GAPS,
) -> Floats:
    """Return `E[min(τ, T)]`: the mean time alive within the horizon of `years`, 0 to `years`.

    Without a horizon the mean is infinite unless the price drifts towards the barrier. In closed
    form, from the Laplace transform at the rate of the gaps, or from its derivative at 0.

    Raises:
        ValueError: As `hit_probability`.
    """
    path = _path(price, liquidation_price, years, volatility, log_drift_per_year)
    b, time, vol, drift = path
    survival, touched, hazard = _survival(path, is_long, gaps)
    near, far = _terms(b, time, vol, drift, np.sqrt(drift**2 + 2 * hazard * vol**2))
    matter = hazard * time > SMALL
    with_gaps = (1 - survival - (near + far)) / np.where(matter, hazard, 1.0)
    without = _mean_hit_time(*path) + time * (1 - touched)
    alive = np.where(matter, with_gaps, without)
    return np.asarray(np.where(_is_past(b, is_long), 0.0, np.clip(alive, 0.0, time)))


def _path(
    price: ArrayLike,
    barrier: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    log_drift_per_year: ArrayLike,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return (signed log distance, years, volatility, drift), checked."""
    unit = "quote per unit of the underlying"
    start = numbers(RULE, "price", price, unit, above=0)
    end = numbers(RULE, "barrier", barrier, unit, at_least=0, finite=False)
    time = numbers(RULE, "years", years, "years", above=0)
    vol = numbers(RULE, "volatility", volatility, "per square root of a year", above=0)
    drift = numbers(RULE, "log_drift_per_year", log_drift_per_year, "logarithm a year")
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(end / start)), time, vol, drift


def _terms(
    b: Floats, time: Floats, vol: Floats, drift: Floats, towards: Floats
) -> tuple[Floats, Floats]:
    """Return the two terms of the transform; `towards` is sqrt(m² + 2rσ²)."""
    distance, spread = np.abs(b), vol * np.sqrt(time)
    with np.errstate(invalid="ignore"):
        near = (b * drift - distance * towards) / vol**2 + log_ndtr(
            (towards * time - distance) / spread
        )
        far = (b * drift + distance * towards) / vol**2 + log_ndtr(
            (-towards * time - distance) / spread
        )
    reachable = np.isfinite(b)
    return (
        np.asarray(np.where(reachable, np.exp(np.where(reachable, near, 0.0)), 0.0)),
        np.asarray(np.where(reachable, np.exp(np.where(reachable, far, 0.0)), 0.0)),
    )


def _mean_hit_time(b: Floats, time: Floats, vol: Floats, drift: Floats) -> Floats:
    """Return `E[τ; τ ≤ T]` without gaps: minus the transform's derivative at a rate of 0."""
    b = np.where(np.isfinite(b), b, 0.0)  # never hit: the mean over no paths is 0
    distance, speed = np.abs(b), np.abs(drift)
    near, far = _terms(b, time, vol, drift, speed)
    k = distance / (vol * np.sqrt(time))
    density = np.exp(-(k**2) / 2) / np.sqrt(2 * np.pi)
    moves = speed * np.sqrt(time) / vol > SMALL
    moving = distance / np.where(moves, speed, 1.0) * (near - far)
    still = np.exp(np.where(moves, 0.0, b * drift / vol**2)) * (
        2 * distance * (np.sqrt(time) / vol * density - distance / vol**2 * ndtr(-k))
    )
    return np.asarray(np.where(moves, moving, still))


def _survival(
    path: tuple[Floats, Floats, Floats, Floats], is_long: ArrayLike, gaps: Gaps
) -> tuple[Floats, Floats, Floats]:
    """Return (probability to survive, probability to touch without gaps, gaps a year)."""
    b, time, vol, drift = path
    near, far = _terms(b, time, vol, drift, np.abs(drift))
    touched = np.where(_is_past(b, is_long), 1.0, np.clip(near + far, 0.0, 1.0))
    hazard = gaps.per_year(b)
    return np.asarray((1 - touched) * np.exp(-hazard * time)), np.asarray(touched), hazard


def _is_past(b: Floats, is_long: ArrayLike) -> NDArray[np.bool_]:
    """Tell whether the price is already at or beyond the barrier."""
    return np.asarray(np.where(np.asarray(is_long, dtype=np.bool_), b >= 0, b <= 0))
