"""Margin rates that grow with a position's size or with a market's open interest.

Large positions cannot be closed at the mark: venues raise the rate with size. A market's tiers
(MKT-1) are a convex approximation of these curves; the functions say what the tiers approximate.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from margin_core.limits import PPM
from margin_core.models.arguments import Floats, numbers, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RULE = "concentration"
QUANTITY_MAX = 10**38


def rate_linear_in_size(
    base_rate: ArrayLike, slope_per_unit: ArrayLike, quantity: ArrayLike
) -> Floats:
    """Return `base + slope·|quantity|`, a share of notional; slope per unit of the underlying.

    Source: Deribit, support article 25944738177565 (0.005 % a BTC).

    Raises:
        ValueError: A rate or slope is negative.
    """
    base = numbers(RULE, "base_rate", base_rate, "share of notional", at_least=0)
    slope = numbers(RULE, "slope_per_unit", slope_per_unit, "share per unit", at_least=0)
    size = numbers(RULE, "quantity", quantity, "units of the underlying")
    return np.asarray(base + slope * np.abs(size))


def rate_e4_by_root_of_size(base_rate_e4: int, *, factor_e6: int, quantity_e9: int) -> int:
    """Return `max(base, 0.8·base + factor·√|quantity|)`, a share of notional times 10^4.

    Exact: a fifth of the base is rounded down, the root of ten times the size and one too (10^-5
    of the root of a unit), then their product with the factor.

    Args:
        base_rate_e4: Share of notional times 10^4, 0 to 10 000.
        factor_e6: Share per root of a unit times 10^6, 0 to 10^12.
        quantity_e9: Signed size, in units of the underlying times 10^9.

    Raises:
        ValueError: A number is out of its range.

    Source: Drift protocol-v2, market parameters "imf".
    """
    base = whole(RULE, "base_rate_e4", base_rate_e4, "10^-4 of notional", at_least=0, at_most=10**4)
    factor = whole(RULE, "factor_e6", factor_e6, "10^-6 a root", at_least=0, at_most=10**12)
    most = QUANTITY_MAX
    size = abs(whole(RULE, "quantity_e9", quantity_e9, "10^-9", at_least=-most, at_most=most))
    premium = isqrt(10 * size + 1) * factor // (10**5 * 10**6 // 10**4)
    return max(base, base - base // 5 + premium)


def initial_ppm_by_open_interest(
    initial_ppm: int, *, open_interest: int, lower: int, upper: int
) -> int:
    """Return the rate, raised in a straight line to 100 % between two open interests, in ppm.

    Rounded down. Source: dYdX v4, liquidity tiers. Open interest and both bounds in one unit.

    Raises:
        ValueError: The rate is not 0 to 1 000 000 ppm, or a quantity is out of range.
    """
    initial_ppm = whole(RULE, "initial_ppm", initial_ppm, "ppm", at_least=0, at_most=PPM)
    open_interest, lower, upper = (
        whole(RULE, name, value, "quote or lots", at_least=0, at_most=QUANTITY_MAX)
        for name, value in (("open_interest", open_interest), ("lower", lower), ("upper", upper))
    )
    if upper <= lower or open_interest <= lower:
        return initial_ppm
    beyond = min(open_interest, upper) - lower
    return initial_ppm + (PPM - initial_ppm) * beyond // (upper - lower)


def maintenance_ppm_of_initial(initial_ppm: int, fraction_ppm: int) -> int:
    """Return a fraction of the initial rate, in ppm, rounded down (dYdX v4, liquidity tiers).

    Raises:
        ValueError: A number is not 0 to 1 000 000 ppm.
    """
    initial_ppm = whole(RULE, "initial_ppm", initial_ppm, "ppm", at_least=0, at_most=PPM)
    share = whole(RULE, "fraction_ppm", fraction_ppm, "ppm of the initial", at_least=0, at_most=PPM)
    return initial_ppm * share // PPM
