"""Liquidation and funding rules of other venues which Bulkhead does not have, to compare with ours.

Exact: whole numbers and fractions in, the same out. Nothing that decides about money imports them.
Amounts are in the unit that the venue counts in; each function says which.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PPM: Final = 1_000_000
NO_LIMIT: Final = 2**64 - 1
GRACE_SLOTS: Final = 1_500  # of Drift: about ten minutes
PER_BASIS: Final = 100  # ppm in one ten-thousandth


class Held(NamedTuple):
    """A position that shares its collateral with others.

    Attributes:
        qty: Units of the underlying, signed.
        price: Quote per unit at which it is judged.
        maintenance: Share of its notional that it needs, 1 is 100 %.
    """

    qty: Fraction
    price: Fraction
    maintenance: Fraction

    @property
    def value(self) -> Fraction:
        """Return the signed notional."""
        return self.qty * self.price

    @property
    def needs(self) -> Fraction:
        """Return the maintenance requirement."""
        return abs(self.value) * self.maintenance


def _above_zero(rule: str, name: str, value: Fraction | int, unit: str) -> None:
    if value <= 0:
        raise ValueError(f"{rule}: {name} = {value}: expected above 0 ({unit})")


def _shared(rule: str, held: Sequence[Held]) -> tuple[Fraction, Fraction]:
    """Return (value, maintenance) of all positions; both venues divide by the second."""
    needs = sum((p.needs for p in held), Fraction(0))
    _above_zero(rule, "maintenance of all", needs, "quote")
    return sum((p.value for p in held), Fraction(0)), needs


def borrow_interest(
    *, scheme: str, borrowed: Fraction, rate: Fraction, hours: Fraction
) -> Fraction:
    """Return the interest on margin borrowed, in its unit.

    `binance`: a rate of a day for each hour begun; `kraken`: a rate to open and one for each four
    hours begun.

    Raises:
        ValueError: Another scheme.
    """
    if scheme == "binance":
        return borrowed * rate * ceil(hours) / 24
    if scheme == "kraken":
        return borrowed * rate * (1 + ceil(hours / 4))
    raise ValueError(f"borrow interest: scheme = {scheme!r}: expected binance or kraken")


def dydx_fillable_price(
    balance: Fraction,
    held: Sequence[Held],
    index: int,
    *,
    bankruptcy_adjustment: Fraction,
    spread_to_maintenance: Fraction,
) -> Fraction:
    """Return the price at which a liquidation of `held[index]` is offered, quote per unit.

    It moves away from the oracle's as equity falls below the maintenance of all positions.

    Raises:
        ValueError: The positions need nothing.
    """
    value, needs = _shared("fillable price", held)
    equity = balance + value
    rating = max(Fraction(0), min(Fraction(1), bankruptcy_adjustment * (1 - equity / needs)))
    p = held[index]
    side = 1 if p.qty > 0 else -1
    return p.price * (1 - side * rating * spread_to_maintenance * p.maintenance)


def dydx_bankruptcy_value(
    balance: Fraction, held: Sequence[Held], index: int, qty: Fraction
) -> Fraction:
    """Return the quote that closing `qty` of `held[index]` must bring; negative: may cost.

    Each position bears the equity that is left in proportion to its maintenance.

    Raises:
        ValueError: The positions need nothing.
    """
    value, needs = _shared("bankruptcy value", held)
    equity = balance + value
    p = held[index]
    share = abs(qty / p.qty) * p.needs / needs
    return -qty * p.price - equity * share


def dydx_liquidation_bounds(notional: int, *, least: int, portion: Fraction) -> tuple[int, int]:
    """Return the least and the largest notional of one liquidation, in quote quantums.

    Raises:
        ValueError: The notional is negative.
    """
    _above_zero("liquidation bounds", "notional + 1", notional + 1, "quote quantums")
    most = max(least, floor(notional * portion))
    return min(notional, least), min(notional, most)


def dydx_funding_index_step(
    *, price: int, exponent: int, base_resolution: int, rate_8h_ppm: int, seconds: int
) -> int:
    """Return what the index moves, in millionths of a quote quantum per base quantum.

    Truncated towards zero. A quote quantum is 10^-6, a base quantum 10^`base_resolution`.

    Raises:
        ValueError: The price is not positive.
    """
    _above_zero("funding index", "price", price, "of 10^exponent")
    value = price * Fraction(10) ** (exponent + base_resolution + 6)
    step = value * rate_8h_ppm * Fraction(seconds, 8 * 3_600)
    return int(step)


def drift_liquidation_fee_ppm(*, base_ppm: int, most_ppm: int, slots: int) -> int:
    """Return the liquidator's fee: a millionth more for each slot once the grace is over.

    Raises:
        ValueError: Less than no slot has passed.
    """
    _above_zero("liquidation fee", "slots + 1", slots + 1, "slots")
    return base_ppm if slots < GRACE_SLOTS else min(base_ppm + slots, most_ppm)


def drift_fund_fee_ppm(
    *,
    shortage: int,
    base: int,
    margin_ratio: int,
    liquidation_fee_ppm: int,
    oracle: int,
    quote_oracle: int,
    most_ppm: int,
) -> int:
    """Return the insurance fund's fee: 95 % of what the margin leaves after fee and shortage.

    `shortage`, `oracle` and `quote_oracle` in 10^-6, `base` in 10^-9, `margin_ratio` in 10^-4. All
    divisions round down.

    Raises:
        ValueError: The margin ratio is not positive.
    """
    _above_zero("fund fee", "margin_ratio", margin_ratio, "10^-4")
    margin_ppm = margin_ratio * PER_BASIS
    if 0 in {oracle, quote_oracle, base} or margin_ppm <= liquidation_fee_ppm:
        return 0
    price = oracle * quote_oracle // PPM
    lacking_ppm = shortage * 10**9 // base * PPM // price
    implied = max(0, margin_ppm - liquidation_fee_ppm - lacking_ppm) * 19 // 20
    return min(most_ppm, implied)


def drift_base_to_cover(
    *,
    shortage: int,
    margin_ratio: int,
    liquidation_fee_ppm: int,
    fund_fee_ppm: int,
    oracle: int,
    quote_oracle: int,
) -> int:
    """Return the size in 10^-9 whose closing frees the shortage. Units as `drift_fund_fee_ppm`.

    Divisions round down; 2^64 - 1 where closing frees nothing.

    Raises:
        ValueError: The margin ratio is not positive.
    """
    _above_zero("base to cover", "margin_ratio", margin_ratio, "10^-4")
    margin_ppm = margin_ratio * PER_BASIS
    if oracle == 0 or margin_ppm <= liquidation_fee_ppm:
        return NO_LIMIT
    price = oracle * quote_oracle // PPM
    freed = price * (margin_ppm - liquidation_fee_ppm) // PPM - oracle * fund_fee_ppm // PPM
    return NO_LIMIT if freed <= 0 else shortage * 10**9 // freed


class DriftLiquidation(NamedTuple):
    """What a liquidation leaves and moves, in units of base and quote.

    Attributes:
        base_after: Position that is left, signed.
        quote_after: What the position has paid or received so far, signed.
        fund_fee: What the insurance fund gets.
        liquidator_quote: What the liquidator pays (negative) or receives.
    """

    base_after: Fraction
    quote_after: Fraction
    fund_fee: Fraction
    liquidator_quote: Fraction


def drift_liquidation(
    *,
    base: Fraction,
    quote: Fraction,
    collateral: Fraction,
    price: Fraction,
    maintenance: Fraction,
    buffer: Fraction,
    liquidation_fee: Fraction,
    fund_fee_most: Fraction,
) -> DriftLiquidation:
    """Close of an isolated position, in one go, what brings it to maintenance and buffer.

    Raises:
        ValueError: There is no position, or no price.
    """
    notional = abs(base) * price
    _above_zero("liquidation", "notional", notional, "quote")
    rate = maintenance + buffer
    shortage = rate * notional - (collateral + base * price + quote)
    implied = (rate - liquidation_fee - shortage / notional) * Fraction(19, 20)
    fund_fee = max(Fraction(0), min(fund_fee_most, implied))
    freed = price * (rate - liquidation_fee - fund_fee)
    size = min(abs(base), shortage / freed) if freed > 0 else abs(base)
    return drift_close(
        base=base, quote=quote, size=size, price=price,
        liquidation_fee=liquidation_fee, fund_fee=fund_fee,
    )  # fmt: skip


def drift_close(
    *,
    base: Fraction,
    quote: Fraction,
    size: Fraction,
    price: Fraction,
    liquidation_fee: Fraction,
    fund_fee: Fraction,
) -> DriftLiquidation:
    """Close `size` at the price less the liquidator's discount; the fund's fee is of the price.

    Raises:
        ValueError: The price is not positive.
    """
    _above_zero("liquidation", "price", price, "quote per unit")
    side = 1 if base > 0 else -1
    paid = side * size * price * (1 - side * liquidation_fee)
    fee = size * price * fund_fee
    return DriftLiquidation(base - side * size, quote + paid - fee, fee, -paid)


def gmx_liquidation_state(
    *,
    size: Fraction,
    collateral: Fraction,
    profit: Fraction,
    fee: Fraction,
    fixed_fee: Fraction,
    leverage_most: Fraction,
) -> int:
    """Return 0 for safe, 1 when all is lost, 2 when the rest is paid back. In dollars.

    Profit does not count, only loss; a fixed fee is part of the first threshold.

    Raises:
        ValueError: The size is not positive.
    """
    _above_zero("liquidation state", "size", size, "dollars")
    left = collateral + min(Fraction(0), profit)
    if left < fee + fixed_fee:
        return 1
    return 2 if left * leverage_most < size else 0


class AdlQueue(NamedTuple):
    """Who is deleveraged first.

    Attributes:
        order: Accounts, the highest score first.
        percentile: Cumulative share of the quantity of each, rounded up to 20 %, in that order.
        taken: What each that is reached loses.
    """

    order: list[int]
    percentile: list[int]
    taken: dict[int, Fraction]


def adl_queue(accounts: Mapping[int, tuple[Fraction, Fraction]], qty: Fraction) -> AdlQueue:
    """Return the queue of (quantity, score) per account, and who gives up `qty`.

    Raises:
        ValueError: Nobody holds anything.
    """
    order = sorted(accounts, key=lambda account: (-accounts[account][1], str(account).zfill(20)))
    total = sum((abs(held) for held, _ in accounts.values()), Fraction(0))
    _above_zero("queue", "quantity of all", total, "units")
    percentile, taken, passed, left = [], {}, Fraction(0), qty
    for account in order:
        held = abs(accounts[account][0])
        passed += held
        percentile.append(20 * ceil(5 * passed / total))
        part = min(held, left)
        left -= part
        if part > 0:
            taken[account] = part
    return AdlQueue(order, percentile, taken)


def flat_tier_rate(tiers: Sequence[tuple[Fraction, Fraction]], notional: Fraction) -> Fraction:
    """Return the rate of (floor, rate) tiers that charge the whole position at one rate.

    The requirement jumps at a floor, so it is scanned for; MKT-2 refuses such tiers.

    Raises:
        ValueError: The notional is below the first floor.
    """
    rates = [rate for low, rate in sorted(tiers) if low <= notional]
    if not rates:
        raise ValueError(f"flat tiers: notional = {notional}: below the first floor")
    return rates[-1]
