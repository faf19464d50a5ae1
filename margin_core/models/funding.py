"""Funding as venues define it, as floats: averages, premium, interest, clamps.

The rule that holds on Bulkhead is FUND-1 and FUND-2 of SPEC.md, in integers; these are to compare.
A positive rate or payment is what longs pay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from margin_core.limits import PPM
from margin_core.models.arguments import Floats, number, numbers, series, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RULE = "funding"
PRICE_UNIT = "quote per unit of the underlying"


def time_weighted_average(
    times: ArrayLike, values: ArrayLike, end: float, *, start: float | None = None
) -> float:
    """Return the mean of a step function, each value holding until the next time, to `end`.

    It begins at `start`, or at the first time. A value whose time is the end holds for no time.
    Times in any unit, the mean in the unit of the values.

    Raises:
        ValueError: Times do not rise strictly to `end` at most, there is not one per value, or
            `start` is before the first time or not before `end`.
    """
    at = series(RULE, "times", times, "instants in one unit")
    held = series(RULE, "values", values, "values")
    unit, first = "instant in the unit of times", float(at[0])
    begin = first if start is None else number(RULE, "start", start, unit, at_least=first)
    until = number(RULE, "end", end, unit, at_least=float(at[-1]), above=begin)
    spans = np.diff(np.maximum(at, begin), append=until)
    if at.shape != held.shape or not (np.diff(at) > 0).all():
        raise ValueError(
            f"{RULE}: times = {at.tolist()}: expected one per value, strictly rising (instants)"
        )
    return float(spans @ held / (until - begin))


def impact_premium(impact_bid: ArrayLike, impact_ask: ArrayLike, index: ArrayLike) -> Floats:
    """Return the premium `[max(0, bid - index) - max(0, index - ask)] / index`, a share.

    The impact prices are the average prices of a fixed amount sold into and bought from the book.

    Raises:
        ValueError: A price is not positive.
    """
    bid = numbers(RULE, "impact_bid", impact_bid, PRICE_UNIT, above=0)
    ask = numbers(RULE, "impact_ask", impact_ask, PRICE_UNIT, above=0)
    spot = numbers(RULE, "index", index, PRICE_UNIT, above=0)
    return np.asarray((np.maximum(0, bid - spot) - np.maximum(0, spot - ask)) / spot)


def interest_rate(
    quote_rate_per_day: ArrayLike, base_rate_per_day: ArrayLike, intervals_per_day: ArrayLike
) -> Floats:
    """Return the interest component of one interval, `(quote - base) / intervals`, a share.

    Source: BitMEX, perpetual contracts guide.

    Raises:
        ValueError: The intervals are not positive.
    """
    quote = numbers(RULE, "quote_rate_per_day", quote_rate_per_day, "share a day")
    base = numbers(RULE, "base_rate_per_day", base_rate_per_day, "share a day")
    count = numbers(RULE, "intervals_per_day", intervals_per_day, "intervals a day", above=0)
    return np.asarray((quote - base) / count)


def funding_rate(
    premium: ArrayLike, interest: ArrayLike, *, clamp: ArrayLike = 0.0005, cap: ArrayLike = np.inf
) -> Floats:
    """Return `premium + clamp(interest - premium, ±clamp)` within ± the cap, a share an interval.

    Source: BitMEX, Gate, Hyperliquid; the clamp of 0.05 % is theirs.

    Raises:
        ValueError: A clamp or cap is negative.
    """
    paid = numbers(RULE, "premium", premium, "share of notional")
    cost = numbers(RULE, "interest", interest, "share of notional")
    most = numbers(RULE, "clamp", clamp, "share of notional", at_least=0)
    limit = numbers(RULE, "cap", cap, "share of notional", at_least=0, finite=False)
    return np.asarray(np.clip(paid + np.clip(cost - paid, -most, most), -limit, limit))


def rate_from_averages(
    perpetual: ArrayLike,
    spot: ArrayLike,
    *,
    scaling: ArrayLike = 1.0,
    lower: ArrayLike = -np.inf,
    upper: ArrayLike = np.inf,
) -> Floats:
    """Return `(perpetual - spot) / spot`, scaled, then bounded, a share an interval.

    Both are time-weighted averages over the interval. Source: Vega Protocol, spec 0053-PERP.

    Raises:
        ValueError: A spot price is not positive, or the bounds are crossed.
    """
    gap = payment_from_averages(perpetual, spot)
    scale = numbers(RULE, "scaling", scaling, "factor", at_least=0)
    low, high = _bounds("lower", lower, "upper", upper)
    return np.asarray(np.clip(gap / np.asarray(spot, np.float64) * scale, low, high))


def payment_from_averages(
    perpetual: ArrayLike,
    spot: ArrayLike,
    *,
    years: ArrayLike = 0.0,
    rate_per_year: ArrayLike = 0.0,
    clamp_lower: ArrayLike = 0.0,
    clamp_upper: ArrayLike = 0.0,
    share_of_time: ArrayLike = 1.0,
) -> Floats:
    """Return what a long of one unit pays for an interval, in quote.

    `F - S + clamp((1 + r·t)·S - F, lower·S, upper·S)`, times the share of the interval that was
    not an auction. Without clamps it is the difference of the averages. Source: Vega Protocol,
    specs 0019-MCAL and 0053-PERP.

    Raises:
        ValueError: A spot price is not positive, bounds are crossed, or the share is not 0 to 1.
    """
    paid = numbers(RULE, "perpetual", perpetual, PRICE_UNIT)
    at = numbers(RULE, "spot", spot, PRICE_UNIT, above=0)
    time = numbers(RULE, "years", years, "years", at_least=0)
    rate = numbers(RULE, "rate_per_year", rate_per_year, "1 is 100 % a year")
    low, high = _bounds("clamp_lower", clamp_lower, "clamp_upper", clamp_upper)
    traded = numbers(RULE, "share_of_time", share_of_time, "share of 1", at_least=0, at_most=1)
    corrected = np.clip((1 + rate * time) * at - paid, low * at, high * at)
    return np.asarray((paid - at + corrected) * traded)


def cap_ppm_by_margin(factor_ppm: int, initial_ppm: int, maintenance_ppm: int) -> int:
    """Return the largest |rate|, `factor·(initial - maintenance)` in ppm, rounded down.

    Source: dYdX v4: a payment must not take a position from initial to maintenance margin at once.

    Raises:
        ValueError: The rates are not 0 ≤ maintenance ≤ initial ≤ 1 000 000 ppm.
    """
    initial = whole(RULE, "initial_ppm", initial_ppm, "ppm", at_least=0, at_most=PPM)
    kept = whole(RULE, "maintenance_ppm", maintenance_ppm, "ppm", at_least=0, at_most=initial)
    most = 10**12
    factor = whole(
        RULE, "factor_ppm", factor_ppm, "ppm of the difference", at_least=0, at_most=most
    )
    return factor * (initial - kept) // PPM


def _bounds(
    low_name: str, low: ArrayLike, high_name: str, high: ArrayLike
) -> tuple[Floats, Floats]:
    """Return both bounds; infinite means none."""
    lowest = numbers(RULE, low_name, low, "share of the price", finite=False)
    above = numbers(RULE, high_name, high, "share of the price", finite=False)
    if (lowest > above).any():
        raise ValueError(
            f"{RULE}: {high_name} = {high!r}: expected at least {low_name}, {low!r} "
            "(share of the price)"
        )
    return lowest, above
