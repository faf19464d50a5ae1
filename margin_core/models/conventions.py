"""Margin as venues publish it, whatever their rates and magnitudes: exact fractions in and out.

The kernel has the same rules on a grid of ticks, lots and ppm (MARG-2, MARG-5, MARG-6, COST-1);
here a rate may be a third, a price below a tick and a notional beyond 2^60. A linear position is
worth `size·price`, an inverse one `size / price` coins; `side` is 1 for a long and -1 for a short.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE = Fraction(0)


class Position(NamedTuple):
    """A position and the collateral that it has alone.

    Attributes:
        side: 1 long, -1 short.
        size: Units of the underlying; of an inverse contract quote, both above 0.
        entry: Average price, above 0.
        margin: Collateral: quote, of an inverse contract coins.
        is_inverse: Worth and margin are in coins.
    """

    side: int
    size: Fraction
    entry: Fraction
    margin: Fraction
    is_inverse: bool = False


class Charges(NamedTuple):
    """What a position needs: `worth·on_mark + entry worth·on_entry - amount + constant`.

    Attributes:
        on_mark: Share of the worth at the mark, 1 is 100 %: maintenance, closing fee, slippage.
        on_entry: Share of the worth at entry.
        amount: What the tier takes off, in the unit of the margin.
        constant: Fixed, in the unit of the margin: fees, funding due.
    """

    on_mark: Fraction = WHOLE
    on_entry: Fraction = WHOLE
    amount: Fraction = WHOLE
    constant: Fraction = WHOLE


def worth(p: Position, price: Fraction) -> Fraction:
    """Return what a position is worth at a price, at least 0, in the unit of its margin.

    Raises:
        ValueError: An inverse one at no price.
    """
    if not p.is_inverse:
        return p.size * price
    if price <= 0:
        raise ValueError(f"worth: price = {price}: expected above 0 (quote per coin)")
    return p.size / price


def equity(p: Position, price: Fraction) -> Fraction:
    """Return margin and profit at a price (MARG-2, COIN-1), in the unit of the margin.

    Raises:
        ValueError: An inverse one at no price.
    """
    gained = worth(p, price) - worth(p, p.entry)
    return p.margin + (-p.side if p.is_inverse else p.side) * gained


def requirement(p: Position, price: Fraction, charges: Charges) -> Fraction:
    """Return what a position needs at a price, at least 0, in the unit of its margin.

    Raises:
        ValueError: An inverse one at no price.
    """
    needs = worth(p, price) * charges.on_mark + worth(p, p.entry) * charges.on_entry
    return max(WHOLE, needs - charges.amount + charges.constant)


def liquidation_price(p: Position, charges: Charges = Charges()) -> Fraction | None:  # noqa: B008
    """Return where equity is the requirement (MARG-5, COIN-2), or None: at no price.

    Without charges it is the bankruptcy price (MARG-6, COIN-3). Of a linear position it may be
    below 0: a long that is safe at every price. Of an inverse one None: its coins cover it always.

    Raises:
        ValueError: The requirement grows as fast as equity.
    """
    if charges.on_mark == (-p.side if p.is_inverse else p.side):
        raise ValueError(f"liquidation price: on_mark = {charges.on_mark}: as fast as equity")
    at_entry = worth(p, p.entry)
    free = p.margin - at_entry * charges.on_entry + charges.amount - charges.constant
    if not p.is_inverse:
        return (p.side * at_entry - free) / (p.size * (p.side - charges.on_mark))
    left = free + p.side * at_entry
    price = p.size * (charges.on_mark + p.side) / left if left else WHOLE
    return price if price > 0 else None


class OrderCost(NamedTuple):
    """What an order needs (COST-1), in the unit of the margin."""

    margin: Fraction
    fee_to_open: Fraction
    fee_to_close: Fraction
    total: Fraction


def order_cost(
    worth_at_price: Fraction, side: int, leverage: Fraction, fee: Fraction, *, is_inverse: bool
) -> OrderCost:
    """Return margin, fee to open, and fee to close at the bankruptcy price that the margin gives.

    Source: Bybit; `fee` is a share of the worth.

    Raises:
        ValueError: The leverage is not above 0.
    """
    if leverage <= 0:
        raise ValueError(f"COST-1: leverage = {leverage}: expected above 0 (worth per margin)")
    margin = worth_at_price / leverage
    opening = fee * worth_at_price
    closing = fee * (worth_at_price + (side if is_inverse else -side) * margin)
    return OrderCost(margin, opening, closing, margin + opening + closing)


def tier_amounts(floors: Sequence[Fraction], rates: Sequence[Fraction]) -> list[Fraction]:
    """Return the amount of each tier that makes the requirement continuous (MKT-2).

    Raises:
        ValueError: Not one floor for each rate, floors that do not ascend, or none at all.
    """
    if len(floors) != len(rates) or not floors or any(b <= a for a, b in pairwise(floors)):
        raise ValueError(f"MKT-2: floors = {list(map(float, floors))}: expected one a rate, rising")
    amounts = [WHOLE]
    for floor, (below, rate) in zip(floors[1:], pairwise(rates), strict=True):
        amounts.append(amounts[-1] + floor * (rate - below))
    return amounts


def tier_of(floors: Sequence[Fraction], notional: Fraction) -> int:
    """Return the number of the tier that carries a notional: the last floor not above it.

    Raises:
        ValueError: The notional is below the first floor.
    """
    found = [k for k, floor in enumerate(floors) if floor <= notional]
    if not found:
        raise ValueError(f"MKT-2: notional = {float(notional)}: below the first floor (quote)")
    return found[-1]


def funding_paid(
    worths: Sequence[Fraction], rates: Sequence[Fraction], side: int, time_fraction: Fraction
) -> Fraction:
    """Return what a position receives (negative: pays) over some settlements (FUND-1).

    `worths` at the mark of each, rates a period of which `time_fraction` has passed.

    Raises:
        ValueError: Not one rate for each worth.
    """
    if len(worths) != len(rates):
        raise ValueError(f"FUND-1: {len(rates)} rates: expected one for each of {len(worths)}")
    pairs = zip(worths, rates, strict=True)
    return -side * time_fraction * sum((worth * rate for worth, rate in pairs), WHOLE)
