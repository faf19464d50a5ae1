"""Black's model of European options on a forward: price, Greeks, implied volatility.

Source: F. Black, "The pricing of commodity contracts", J. Financial Economics 3 (1976). Deribit and
Derive mark options with it at a rate of 0. Years have 365 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import elementwise  # type: ignore[import-untyped]
from scipy.special import ndtr  # type: ignore[import-untyped]

from margin_core.models.arguments import Floats, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RULE = "Black-76"
PRICE_UNIT = "quote per unit of the underlying"


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeks:
    """Derivatives of an option's price, each an array of the arguments' common shape.

    Attributes:
        delta: Quote per quote by which the underlying's price rises.
        gamma_per_quote: Change of delta for that.
        vega_quote_per_vol: Quote per 1.00 of volatility (a volatility point is 0.01).
        theta_quote_per_year: Quote per year that passes (a day is 1/365).
        rho_quote_per_rate: Quote per 1.00 of the yearly rate (a percent is 0.01).
    """

    delta: Floats
    gamma_per_quote: Floats
    vega_quote_per_vol: Floats
    theta_quote_per_year: Floats
    rho_quote_per_rate: Floats


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    is_call: ArrayLike,
    rate_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return the price in quote per unit of the underlying.

    `e^(-rt) · s·(F·N(s·d1) - K·N(s·d2))` with s = 1 for a call, -1 for a put, computed as intrinsic
    value plus the option out of the money: never below the discounted intrinsic value, and that
    when no time or no volatility is left. Volatility per square root of a year.

    Raises:
        ValueError: A price is not positive, a time or volatility is negative.
    """
    forward, strike, years, rate = _checked(forward, strike, years, rate_per_year)
    vol = numbers(RULE, "volatility", volatility, "per square root of a year", at_least=0)
    undiscounted = _undiscounted(forward, strike, vol * np.sqrt(years), _sign(is_call))
    return np.asarray(np.exp(-rate * years) * undiscounted)


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    is_call: ArrayLike,
    rate_per_year: ArrayLike = 0.0,
) -> Greeks:
    """Return the Greeks; delta and gamma by the forward, theta and rho with the forward fixed.

    Raises:
        ValueError: A price, time or volatility is not positive.
    """
    forward, strike, years, rate = _checked(forward, strike, years, rate_per_year, above=0)
    vol = numbers(RULE, "volatility", volatility, "per square root of a year", above=0)
    sign = _sign(is_call)
    root = np.sqrt(years)
    discount = np.exp(-rate * years)
    d1, _ = _distances(forward, strike, vol * root)
    density = discount * np.exp(-(d1**2) / 2) / np.sqrt(2 * np.pi)
    value = discount * _undiscounted(forward, strike, vol * root, sign)
    return Greeks(
        delta=np.asarray(discount * sign * ndtr(sign * d1)),
        gamma_per_quote=np.asarray(density / (forward * vol * root)),
        vega_quote_per_vol=np.asarray(forward * density * root),
        theta_quote_per_year=np.asarray(rate * value - forward * density * vol / (2 * root)),
        rho_quote_per_rate=np.asarray(-years * value),
    )


def implied_volatility(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    *,
    is_call: ArrayLike,
    rate_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return the volatility, per square root of a year, at which the model gives the price.

    The time value is inverted, which is the price of the option out of the money at that strike,
    in a bracket that holds every price between the bounds (T. Chandrupatla's method).

    Raises:
        ValueError: A price is below the discounted intrinsic value, or not below the discounted
            forward (call) or strike (put): no volatility gives it.
    """
    forward, strike, years, rate = _checked(forward, strike, years, rate_per_year, above=0)
    quoted = numbers(RULE, "price", price, PRICE_UNIT, at_least=0)
    sign = _sign(is_call)
    quoted, forward, strike, years, rate, sign = np.broadcast_arrays(
        quoted, forward, strike, years, rate, sign
    )
    undiscounted = quoted * np.exp(rate * years)
    intrinsic = np.maximum(sign * (forward - strike), 0.0)
    rounding = 4 * np.finfo(np.float64).eps * (forward + strike)
    time_value = undiscounted - intrinsic
    fits = (time_value >= -rounding) & (time_value < np.minimum(forward, strike))
    if not fits.all():
        at = np.unravel_index(int(np.argmin(fits)), fits.shape)
        low, high = intrinsic[at], np.where(sign > 0, forward, strike)[at]
        shrink = np.exp(-rate * years)[at]
        raise ValueError(
            f"{RULE}: price{list(map(int, at)) or ''} = {quoted[at]:g}: expected "
            f"at least {low * shrink:g} (intrinsic) and below {high * shrink:g} ({PRICE_UNIT})"
        )
    # At this total volatility d1 is above 8: the time value is its upper bound to rounding.
    highest = np.sqrt(2 * np.abs(np.log(forward / strike))) + 17
    found = elementwise.find_root(
        lambda total, f, k, target: _time_value(f, k, total) - target,
        (np.zeros_like(highest), highest),
        args=(forward, strike, np.maximum(time_value, 0.0)),
    )
    if not np.all(found.success):
        at = np.unravel_index(int(np.argmin(found.success)), fits.shape)
        raise ValueError(
            f"{RULE}: price{list(map(int, at)) or ''} = {quoted[at]:g}: too near its upper bound "
            f"to tell volatilities apart ({PRICE_UNIT})"
        )
    return np.asarray(found.x / np.sqrt(years))


def _distances(forward: Floats, strike: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Return (d1, d2); `total` is volatility times the root of the years."""
    with np.errstate(divide="ignore", invalid="ignore"):
        d1 = np.log(forward / strike) / total + total / 2
    d1 = np.where(np.isnan(d1), 0.0, d1)  # 0/0: at the money with nothing left, worth 0 anyhow
    return d1, d1 - total


def _time_value(forward: Floats, strike: Floats, total: Floats) -> Floats:
    """Return what an option is worth beyond its intrinsic value: the one out of the money."""
    d1, d2 = _distances(forward, strike, total)
    side = np.where(strike >= forward, 1.0, -1.0)
    return np.asarray(
        np.maximum(side * (forward * ndtr(side * d1) - strike * ndtr(side * d2)), 0.0)
    )


def _undiscounted(forward: Floats, strike: Floats, total: Floats, sign: Floats) -> Floats:
    intrinsic = np.maximum(sign * (forward - strike), 0.0)
    return np.asarray(intrinsic + _time_value(forward, strike, total))


def _sign(is_call: ArrayLike) -> Floats:
    return np.where(np.asarray(is_call, dtype=np.bool_), 1.0, -1.0)


def _checked(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate_per_year: ArrayLike,
    *,
    above: float | None = None,
) -> tuple[Floats, Floats, Floats, Floats]:
    at_least = 0.0 if above is None else None
    return (
        numbers(RULE, "forward", forward, PRICE_UNIT, above=0),
        numbers(RULE, "strike", strike, PRICE_UNIT, above=0),
        numbers(RULE, "years", years, "years of 365 days", above=above, at_least=at_least),
        numbers(RULE, "rate_per_year", rate_per_year, "1 is 100 % a year"),
    )
