"""European options on a spot price with a yield: price, Greeks, implied volatility.

Sources: F. Black and M. Scholes, J. Political Economy 81 (1973); R. Merton, Bell J. Economics 4
(1973) for the yield. The price is Black-76 on the forward `S·e^((r-q)t)`. Years have 365 days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from margin_core.models import black76
from margin_core.models.arguments import Floats, numbers
from margin_core.models.black76 import PRICE_UNIT, Greeks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RULE = "Black-Scholes"


def price(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    is_call: ArrayLike,
    rate_per_year: ArrayLike = 0.0,
    yield_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return the price in quote per unit of the underlying; rates are compounded continuously.

    Raises:
        ValueError: A price is not positive, a time or volatility is negative.
    """
    forward = forward_price(spot, years, rate_per_year, yield_per_year)
    return black76.price(
        forward, strike, years, volatility, is_call=is_call, rate_per_year=rate_per_year
    )


def greeks(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    is_call: ArrayLike,
    rate_per_year: ArrayLike = 0.0,
    yield_per_year: ArrayLike = 0.0,
) -> Greeks:
    """Return the Greeks; delta and gamma by the spot price, theta and rho with it fixed.

    Raises:
        ValueError: A price, time or volatility is not positive.
    """
    forward = forward_price(spot, years, rate_per_year, yield_per_year)
    of_forward = black76.greeks(
        forward, strike, years, volatility, is_call=is_call, rate_per_year=rate_per_year
    )
    spot, years, rate, carried = (
        np.asarray(x, dtype=np.float64) for x in (spot, years, rate_per_year, yield_per_year)
    )
    growth = np.exp((rate - carried) * years)
    delta = of_forward.delta * growth
    # The forward moves with time and rate: dF/dt = -(r - q)·F as time passes, dF/dr = t·F.
    return Greeks(
        delta=np.asarray(delta),
        gamma_per_quote=np.asarray(of_forward.gamma_per_quote * growth**2),
        vega_quote_per_vol=of_forward.vega_quote_per_vol,
        theta_quote_per_year=np.asarray(
            of_forward.theta_quote_per_year - (rate - carried) * spot * delta
        ),
        rho_quote_per_rate=np.asarray(of_forward.rho_quote_per_rate + years * spot * delta),
    )


def yield_rho_quote_per_rate(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    is_call: ArrayLike,
    rate_per_year: ArrayLike = 0.0,
    yield_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return the change of the price in quote per 1.00 of the yield (Haug: phi).

    Raises:
        ValueError: A price, time or volatility is not positive.
    """
    delta = greeks(
        spot,
        strike,
        years,
        volatility,
        is_call=is_call,
        rate_per_year=rate_per_year,
        yield_per_year=yield_per_year,
    ).delta
    return np.asarray(-np.asarray(years) * np.asarray(spot) * delta)


def elasticity(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    *,
    is_call: ArrayLike,
    rate_per_year: ArrayLike = 0.0,
    yield_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return the percent by which the option gains when the spot price gains one percent.

    Raises:
        ValueError: A price, time or volatility is not positive.
    """
    more = {"is_call": is_call, "rate_per_year": rate_per_year, "yield_per_year": yield_per_year}
    value = price(spot, strike, years, volatility, **more)
    return np.asarray(
        greeks(spot, strike, years, volatility, **more).delta * np.asarray(spot) / value
    )


def implied_volatility(
    price: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    *,
    is_call: ArrayLike,
    rate_per_year: ArrayLike = 0.0,
    yield_per_year: ArrayLike = 0.0,
) -> Floats:
    """Return the volatility, per square root of a year, at which the model gives the price.

    Raises:
        ValueError: As `black76.implied_volatility` on the forward.
    """
    forward = forward_price(spot, years, rate_per_year, yield_per_year)
    return black76.implied_volatility(
        price, forward, strike, years, is_call=is_call, rate_per_year=rate_per_year
    )


def forward_price(
    spot: ArrayLike, years: ArrayLike, rate_per_year: ArrayLike, yield_per_year: ArrayLike
) -> Floats:
    """Return `S·e^((r-q)t)` in quote per unit of the underlying.

    Raises:
        ValueError: A price is not positive or a time is negative.
    """
    spot = numbers(RULE, "spot", spot, PRICE_UNIT, above=0)
    years = numbers(RULE, "years", years, "years of 365 days", at_least=0)
    rate = numbers(RULE, "rate_per_year", rate_per_year, "1 is 100 % a year")
    carried = numbers(RULE, "yield_per_year", yield_per_year, "1 is 100 % a year")
    return np.asarray(spot * np.exp((rate - carried) * years))
