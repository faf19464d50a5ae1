"""Was the margin enough as often as promised? Tests of exceptions by their likelihood ratio.

An exception is a period whose loss exceeded the margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, xlog1py, xlogy  # type: ignore[import-untyped]

from margin_core.models.arguments import number, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

COUNT_MAX = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodRatio:
    """A statistic that is chi-square distributed when the margin model is right.

    Attributes:
        statistic: Minus twice the logarithm of the ratio, at least 0.
        degrees_of_freedom: Of the chi-square distribution.
        p_value: How likely a statistic as large is then; below 0.05 the model is doubtful.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float


def kupiec(observations: int, exceptions: int, probability: float) -> LikelihoodRatio:
    """Return whether exceptions are as frequent as the probability says (1 degree of freedom).

    0·log 0 is 0, so that no exception, and nothing but exceptions, have a statistic. Source:
    P. Kupiec, "Techniques for verifying the accuracy of risk measurement models", J. Derivatives
    3 (1995).

    Raises:
        ValueError: Counts are not 0 ≤ exceptions ≤ observations ≥ 1; probability not in (0, 1).
    """
    n = whole("Kupiec", "observations", observations, "periods", at_least=1, at_most=COUNT_MAX)
    x = whole("Kupiec", "exceptions", exceptions, "periods", at_least=0, at_most=n)
    p = number("Kupiec", "probability", probability, "share of periods", above=0, below=1)
    return _ratio(_log_likelihood(n - x, x, x / n) - _log_likelihood(n - x, x, p), 1)


def christoffersen(n00: int, n01: int, n10: int, n11: int) -> LikelihoodRatio:
    """Return whether exceptions come independently of each other (1 degree of freedom).

    `n01` counts the periods without an exception that one with an exception followed, and so on.
    Source: P. Christoffersen, "Evaluating interval forecasts", Int. Economic Review 39 (1998).

    Raises:
        ValueError: A count is negative, or all are 0.
    """
    n00, n01, n10, n11 = (
        whole("Christoffersen", name, count, "transitions", at_least=0, at_most=COUNT_MAX)
        for name, count in (("n00", n00), ("n01", n01), ("n10", n10), ("n11", n11))
    )
    total = n00 + n01 + n10 + n11
    whole("Christoffersen", "n00 + n01 + n10 + n11", total, "transitions", at_least=1,
          at_most=4 * COUNT_MAX)  # fmt: skip
    after_none, after_one = _share(n01, n00), _share(n11, n10)
    chained = _log_likelihood(n00, n01, after_none) + _log_likelihood(n10, n11, after_one)
    alike = _log_likelihood(n00 + n10, n01 + n11, (n01 + n11) / total)
    return _ratio(chained - alike, 1)


def transitions(exceptions: ArrayLike) -> tuple[int, int, int, int]:
    """Return (n00, n01, n10, n11) of a series of booleans, one per period.

    Raises:
        ValueError: The series has fewer than two periods.
    """
    hit = np.asarray(exceptions, dtype=np.bool_)
    if hit.ndim != 1 or hit.size < 2:
        raise ValueError(
            f"Christoffersen: exceptions has shape {hit.shape}: expected at least 2 (periods)"
        )
    n00, n01, n10, n11 = np.bincount(2 * hit[:-1] + hit[1:], minlength=4).tolist()
    return n00, n01, n10, n11


def conditional_coverage(exceptions: ArrayLike, probability: float) -> LikelihoodRatio:
    """Return whether exceptions are as frequent as promised and independent (2 degrees).

    The sum of both statistics: Kupiec's of all periods, Christoffersen's of their transitions.

    Raises:
        ValueError: Fewer than two periods, or a probability outside (0, 1).
    """
    apart = christoffersen(*transitions(exceptions))
    hit = np.asarray(exceptions, dtype=np.bool_)
    often = kupiec(int(hit.size), int(hit.sum()), probability)
    return _ratio((often.statistic + apart.statistic) / 2, 2)


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part + rest else 0.0


def _log_likelihood(misses: int, hits: int, probability: float) -> float:
    return float(xlog1py(misses, -probability) + xlogy(hits, probability))


def _ratio(log_ratio: float, degrees_of_freedom: int) -> LikelihoodRatio:
    statistic = max(0.0, 2 * log_ratio)
    p_value = float(chdtrc(degrees_of_freedom, statistic))
    return LikelihoodRatio(
        statistic=statistic, degrees_of_freedom=degrees_of_freedom, p_value=p_value
    )
