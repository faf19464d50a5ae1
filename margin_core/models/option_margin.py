"""What venues ask for one option on its own, as floats: to compare ours with theirs.

A long has paid its premium and needs no margin. A short needs a share of a reference price that
falls as the option goes out of the money, plus the option's mark. The shares are those that the
venues published up to 2026; they change them without asking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from margin_core.models.arguments import Floats, number, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

UNIT = "quote per unit of the underlying"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortOptionRule:
    """A venue's shares of the reference price; 0.1 is 10 %.

    `initial = max(a, b - out_of_money / reference)·reference·factor + mark`; a call's
    `maintenance = call·reference·factor + mark`, a put's
    `max(put·reference, put_of_mark·mark)·factor + mark`; both plus `fee·reference`.

    Attributes:
        initial_least: a.
        initial_at_the_money: b.
        maintenance_call: Of the reference price.
        maintenance_put: Of the reference price.
        maintenance_put_of_mark: Of the option's mark.
        put_initial_to_maintenance: A put's initial is at least so many times its maintenance.
        liquidation_fee: Of the reference price, in the maintenance margin.
        factor: Grows with the size of the position at venues that have tiers of size.

    Raises:
        ValueError: A share is negative.
    """

    initial_least: float
    initial_at_the_money: float
    maintenance_call: float
    maintenance_put: float
    maintenance_put_of_mark: float = 0.0
    put_initial_to_maintenance: float = 1.0
    liquidation_fee: float = 0.0
    factor: float = 1.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in self.__slots__:
            number("option margin", name, getattr(self, name), "share, 1 is 100 %", at_least=0)


def _same(
    least: float, at_the_money: float, maintenance: float, fee: float = 0.0
) -> ShortOptionRule:
    return ShortOptionRule(
        initial_least=least,
        initial_at_the_money=at_the_money,
        maintenance_call=maintenance,
        maintenance_put=maintenance,
        maintenance_put_of_mark=maintenance,
        liquidation_fee=fee,
    )


DERIBIT: Final = _same(0.10, 0.15, 0.075)  # support.deribit.com 31424939178397; reference: index
AEVO: Final = _same(0.10, 0.15, 0.10)  # docs of Aevo, standard margin; reference: spot
OKX_BTC: Final = _same(0.10, 0.15, 0.03)  # okx.com/help/ii-option-margin; reference: forward
OKX_ETH: Final = _same(0.10, 0.15, 0.05)
BIT_BTC: Final = _same(0.10, 0.15, 0.075)  # bit.com, coin-margined; reference: index
BIT_BCH: Final = _same(0.15, 0.25, 0.125)
BYBIT: Final = _same(0.10, 0.15, 0.03, 0.002)  # reference: index; initial: see `mark`
DERIVE: Final = ShortOptionRule(  # derivexyz/v2-core, StandardManager, mainnet; reference: spot
    initial_least=0.13,
    initial_at_the_money=0.15,
    maintenance_call=0.09,
    maintenance_put=0.09,
    maintenance_put_of_mark=0.09,
    put_initial_to_maintenance=1.05,
)


def short_option_margin(
    rule: ShortOptionRule,
    *,
    reference: ArrayLike,
    strike: ArrayLike,
    mark: ArrayLike,
    is_call: ArrayLike,
) -> tuple[Floats, Floats]:
    """Return (initial, maintenance) of a short of one unit, in the unit of the prices.

    For a coin-margined option divide by the reference price. `mark` is the option's mark; Bybit
    takes the higher of it and the average entry price for the initial margin.

    Raises:
        ValueError: A reference or strike is not positive, or a mark is negative.
    """
    at = numbers("option margin", "reference", reference, UNIT, above=0)
    limit = numbers("option margin", "strike", strike, UNIT, above=0)
    value = numbers("option margin", "mark", mark, UNIT, at_least=0)
    calls = np.asarray(is_call, dtype=np.bool_)
    out_of_money = np.maximum(np.where(calls, limit - at, at - limit), 0.0)
    share = np.maximum(rule.initial_least, rule.initial_at_the_money - out_of_money / at)
    initial = share * at * rule.factor + value
    base = value + rule.liquidation_fee * at
    call = rule.maintenance_call * at * rule.factor + base
    of_mark = rule.maintenance_put_of_mark * value
    put = np.maximum(rule.maintenance_put * at, of_mark) * rule.factor + base
    floor = np.where(calls, 0.0, rule.put_initial_to_maintenance * put)
    return np.asarray(np.maximum(initial, floor)), np.asarray(np.where(calls, call, put))


def order_margin_buy_to_open(price: ArrayLike, *, multiplier: ArrayLike, fee: ArrayLike) -> Floats:
    """Return the premium and fee of one contract.

    Prices and the rates per unit of the underlying, the multiplier in units per contract, `fee` per
    contract. Source of the four: okx.com/help/ii-option-margin.

    Raises:
        ValueError: A number is negative.
    """
    premium, per_contract = _order(price, multiplier, fee)
    return np.asarray(premium + per_contract)


def order_margin_sell_to_open(
    price: ArrayLike,
    *,
    position_margin: ArrayLike,
    least_share: ArrayLike,
    multiplier: ArrayLike,
    fee: ArrayLike,
) -> Floats:
    """Return what a contract's position margin lacks when the premium has come, at least a share.

    `max(position_margin - premium + fee, least_share·multiplier)`; the share is 0.1 at OKX.

    Raises:
        ValueError: A number is negative.
    """
    premium, per_contract = _order(price, multiplier, fee)
    needs = numbers("option order", "position_margin", position_margin, "per contract", at_least=0)
    least = numbers("option order", "least_share", least_share, "share of a unit", at_least=0)
    return np.asarray(
        np.maximum(needs - premium + per_contract, least * np.asarray(multiplier, np.float64))
    )


def order_margin_buy_to_close(
    price: ArrayLike, *, position_margin: ArrayLike, multiplier: ArrayLike, fee: ArrayLike
) -> Floats:
    """Return what premium and fee need beyond the margin that closing one contract frees.

    Raises:
        ValueError: A number is negative.
    """
    premium, per_contract = _order(price, multiplier, fee)
    freed = numbers("option order", "position_margin", position_margin, "per contract", at_least=0)
    return np.asarray(np.maximum(premium + per_contract - freed, 0.0))


def order_margin_sell_to_close(
    price: ArrayLike, *, multiplier: ArrayLike, fee: ArrayLike
) -> Floats:
    """Return what the fee of one contract needs beyond the premium that comes.

    Raises:
        ValueError: A number is negative.
    """
    premium, per_contract = _order(price, multiplier, fee)
    return np.asarray(np.maximum(per_contract - premium, 0.0))


def _order(price: ArrayLike, multiplier: ArrayLike, fee: ArrayLike) -> tuple[Floats, Floats]:
    """Return (premium, fee) of one contract."""
    limit = numbers("option order", "price", price, UNIT, at_least=0)
    units = numbers("option order", "multiplier", multiplier, "units per contract", above=0)
    return limit * units, numbers("option order", "fee", fee, "per contract", at_least=0)
