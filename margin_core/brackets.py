"""Tiers from a table of brackets as venues publish it: floor, cap, leverage, rate, amount."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from margin_core.limits import FEE_PPM_MAX, PPM, QUOTE_MAX, TIERS_MAX, as_integer
from margin_core.market_spec import Tier

if TYPE_CHECKING:
    from collections.abc import Iterable

Exact: TypeAlias = int | str | Fraction


class Bracket(NamedTuple):
    """One row of such a table; numbers as whole numbers, decimal strings or fractions.

    Attributes:
        floor: Notional at which it begins, in units of the quote (dollars, not cents).
        cap: Notional at which it ends.
        leverage_max: Most leverage of a position in it.
        maintenance_rate: Share of the notional, 1 is 100 %.
        amount: Maintenance amount in units of the quote: requirement = rate · notional - amount.
    """

    floor: Exact
    cap: Exact
    leverage_max: Exact
    maintenance_rate: Exact
    amount: Exact


def _exact(at: str, value: Exact) -> Fraction:
    exact = value if isinstance(value, str | Fraction) else as_integer(value)
    try:
        if exact is not None:
            return Fraction(exact)
    except (ValueError, ZeroDivisionError):
        pass
    raise ValueError(f"TIER-1: {at} = {value!r}: expected an exact number")


def _row(k: int, row: Iterable[Exact]) -> Bracket:
    values = tuple(row) if isinstance(row, tuple | list) else ()
    if len(values) != len(Bracket._fields):
        names = ", ".join(Bracket._fields)
        raise ValueError(f"TIER-1: brackets[{k}] = {row!r}: expected {names}")
    pairs = zip(Bracket._fields, values, strict=True)
    return Bracket(*(_exact(f"brackets[{k}].{name}", value) for name, value in pairs))


def _whole(name: str, value: int, low: int, high: int, unit: str) -> int:
    number = as_integer(value)
    if number is None or not low <= number <= high:
        expected = f"expected an integer from {low} to {high} {unit}"
        raise ValueError(f"TIER-1: {name} = {value!r}: {expected}")
    return number


def tiers_from_brackets(
    brackets: Iterable[Bracket], *, quote_per_unit: int, fee_taker_ppm: int = 0
) -> tuple[Tier, ...]:
    """Return the tiers of a market (MKT-1, MKT-2) from a table of brackets.

    Initial rates are 1 / leverage and maintenance rates as they stand, both rounded up to whole
    ppm; an initial rate that MKT-1 does not admit with the closing fee becomes the largest that it
    does (a bracket of leverage 1).

    Args:
        brackets: Rows, lowest first.
        quote_per_unit: Smallest units in one unit of the quote; 10^6 for a token of 6 decimals.
        fee_taker_ppm: Taker's fee of the market, 0 to 100 000.

    Raises:
        ValueError: `TIER-1` and the row: no number, a gap, a rate that falls, more than sixteen
            rows, or an amount by which the requirement would jump at the floor, as with tiers that
            charge the whole position at one rate.

    Source: TIER-1.

    >>> rows = [Bracket(0, 50_000, 100, "0.005", 0), Bracket(50_000, 250_000, 50, "0.01", 250)]
    >>> [tier.margin_initial_ppm for tier in tiers_from_brackets(rows, quote_per_unit=10**6)]
    [10000, 20000]
    """
    quote_per_unit = _whole("quote_per_unit", quote_per_unit, 1, QUOTE_MAX, "quote a unit")
    fee_taker_ppm = _whole("fee_taker_ppm", fee_taker_ppm, 0, FEE_PPM_MAX, "ppm")
    rows = [_row(k, row) for k, row in enumerate(brackets)]
    if not 1 <= len(rows) <= TIERS_MAX:
        raise ValueError(f"TIER-1: brackets = {len(rows)}: expected 1 to {TIERS_MAX}")
    tiers = []
    floor = rate_before = amount = Fraction(0)
    for k, (low, cap, leverage, rate, given) in enumerate(
        tuple(Fraction(value) for value in row) for row in rows
    ):
        at = f"TIER-1: brackets[{k}]."
        if low != floor:
            raise ValueError(f"{at}floor = {low}: expected {floor}, where the one before ends")
        if cap <= low:
            raise ValueError(f"{at}cap = {cap}: expected more than the floor {low}")
        if not 0 < rate < 1:
            raise ValueError(f"{at}maintenance_rate = {rate}: expected above 0 and below 1")
        if leverage < 1:
            raise ValueError(f"{at}leverage_max = {leverage}: expected at least 1")
        if rate < rate_before:
            raise ValueError(f"{at}maintenance_rate = {rate}: expected at least {rate_before}")
        amount += low * (rate - rate_before)
        if given != amount:
            jump = amount - given
            flat = ": the whole position would be charged at one rate" if given == 0 else ""
            raise ValueError(
                f"{at}amount = {given}: expected {amount}, else the requirement jumps by {jump} "
                f"at the floor{flat}"
            )
        most = PPM - 1 - fee_taker_ppm
        tiers.append(
            Tier(
                notional_floor_quote=ceil(low * quote_per_unit),
                margin_initial_ppm=min(ceil(PPM / leverage), most),
                margin_maintenance_ppm=ceil(rate * PPM),
            )
        )
        floor, rate_before = cap, rate
    return tuple(tiers)
