"""Exact rules of other venues: by hand, and against the kernel where its grid can carry them."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

import pytest

from margin_core.models import conventions
from margin_core.models.conventions import Charges, Position
from tests.unit.margin_core.exact_adapters import EXACT
from tests.unit.margin_core.test_published_numbers import answer, close, on_the_kernel
from tests.unit.margin_core.venue_adapters import InexpressibleError, told

F = Fraction
CASES = 300  # of each formula
EXACTLY: dict[str, float] = {"abs": 1e-12}


def position(rng: Random) -> dict[str, Any]:
    """Return a position of any size, price and leverage, as a file tells it."""
    contract = rng.choice(("linear", "inverse"))
    size = round(10 ** rng.uniform(-3, 6), rng.randint(0, 6)) or 1
    entry = float(f"{10 ** rng.uniform(-4, 6):.{rng.randint(2, 9)}g}")
    told_margin: dict[str, Any] = {"margin_from_leverage": rng.choice((1, 3, 10, 33.3, 125))}
    if contract == "linear" and rng.random() < 0.5:
        told_margin = {"margin": float(f"{size * entry * rng.uniform(0, 2):.6g}")}
    return {
        "contract": contract,
        "side": rng.choice((1, -1, "long", "short")),
        "usd" if contract == "inverse" else "qty": size,
        "entry": entry,
        **told_margin,
    }


def any_liq(rng: Random) -> dict[str, Any]:
    charges = {
        "mm_rate_mark": rng.choice((0, 0.004, 0.005, 0.0123456, 1 / 3, 0.5)),
        "close_fee_rate_mark": rng.choice((None, 0, 0.0005, 0.00042)),
        "mm_rate_entry": rng.choice((None, None, 0.01)),
        "buffer": rng.choice((None, 0, 0.05)),
        "maint_amount": rng.choice((None, None, 0, 0.1)),
    }
    return position(rng) | charges


def any_order(rng: Random) -> dict[str, Any]:
    told_position = position(rng)
    told_position["price"] = told_position.pop("entry")
    return told_position | {
        "leverage": rng.choice((1, 2, 3, 10, 125)),
        "fee_rate": rng.choice((0, 0.0005, 0.00055, 0.000075)),
    }


def any_requirement(rng: Random) -> dict[str, Any]:
    return {
        "qty": rng.choice((-1, 1)) * 10 ** rng.uniform(-4, 5),
        "price": round(10 ** rng.uniform(-2, 6), 3),
        "mm_rate": rng.choice((0.004, 0.025, 0.1234567)),
        "leverage": rng.choice((0.5, 1, 3, 10, 77)),
        "maint_amount": rng.choice((None, 0, 0.5, 16_300)),
    }


def any_funding(rng: Random) -> dict[str, Any]:
    count = rng.randint(1, 3)
    return {
        "side": rng.choice((-1, 1)),
        "qty": round(10 ** rng.uniform(-3, 6), 3),
        "marks": [round(10 ** rng.uniform(-2, 5), 2) for _ in range(count)],
        "rates": [round(rng.uniform(-0.003, 0.003), 6) for _ in range(count)],
        "time_fraction": rng.choice((None, 1, 0.5, 0.125)),
    }


def any_tiers(rng: Random) -> dict[str, Any]:
    count = rng.randint(1, 20)
    floors = sorted(rng.sample(range(1, 10_000), count - 1))
    rates = sorted(rng.sample(range(4, 900), count))
    return {
        "floors": [0, *(1_000 * floor for floor in floors)],
        "rates": [rate / 1_000 for rate in rates],
        "notional": round(10 ** rng.uniform(0, 8), rng.randint(0, 6)),
    }


GENERATORS = {
    "liq": any_liq,
    "bankruptcy": position,
    "order_cost": any_order,
    "im_linear": any_requirement,
    "mm_linear": any_requirement,
    "funding_cash": any_funding,
    "tier_cum": any_tiers,
    "tier_lookup": any_tiers,
}


@pytest.mark.parametrize("formula", GENERATORS)
def test_kernel_and_exact_rule_agree(formula: str) -> None:
    """MARG-3, MARG-5, MARG-6, COIN-2, COIN-3, COST-1, FUND-1, MKT-2: of several hundred inputs."""
    rng, compared = Random(formula), 0
    for _ in range(CASES):
        inputs = told(GENERATORS[formula](rng))
        try:
            exact = answer(formula, inputs)
        except InexpressibleError:
            continue
        compared += on_the_kernel(formula, inputs, exact)
    assert compared > CASES // 4


def test_prices_by_hand() -> None:
    """MARG-5, MARG-6, COIN-2, COIN-3: long and short, linear and inverse."""
    long = Position(1, F(2), F(100), F(20))
    assert conventions.liquidation_price(long) == 90
    assert conventions.liquidation_price(long, Charges(F(1, 3))) == 135
    assert conventions.liquidation_price(long, Charges(F(1, 10), amount=F(2))) == F(178, 2) / F(
        9, 10
    )
    assert conventions.liquidation_price(long._replace(side=-1)) == 110
    assert conventions.liquidation_price(long._replace(margin=F(300))) == -50
    coins = Position(1, F(10_000), F(8_000), F(10_000, 80_000), is_inverse=True)
    assert conventions.liquidation_price(coins) == F(80_000, 11)
    covered = coins._replace(side=-1, margin=F(10_000, 8_000))
    assert conventions.liquidation_price(covered) is None
    with pytest.raises(ValueError, match="as fast as equity"):
        conventions.liquidation_price(long, Charges(F(1)))
    with pytest.raises(ValueError, match="price = 0: expected above 0"):
        conventions.equity(coins, F(0))
    with pytest.raises(ValueError, match="leverage = 0"):
        conventions.order_cost(F(1), 1, F(0), F(0), is_inverse=False)
    with pytest.raises(ValueError, match="below the first floor"):
        conventions.tier_of([F(5)], F(4))
    with pytest.raises(ValueError, match="expected one a rate, rising"):
        conventions.tier_amounts([F(0), F(0)], [F(1), F(2)])
    with pytest.raises(ValueError, match="expected one for each of 0"):
        conventions.funding_paid([], [F(1)], 1, F(1))


def test_traps_of_published_numbers() -> None:
    """MARG-5: tiers by notional, buffers before the floor, margins with profit in them."""
    stake, notional = F(40_000), F(400_000)  # ten times leverage
    floors, rates = [F(0), F(50_000)], [F(4, 1_000), F(5, 1_000)]
    assert conventions.tier_of(floors, notional) != conventions.tier_of(floors, stake)
    assert conventions.tier_amounts(floors, rates) == [0, 50]
    one_to_one = {"side": 1, "qty": 1, "entry": 100, "margin": 101, "mm_rate_mark": 0}
    assert answer("liq", told(one_to_one)) == (0, -1)
    buffered = answer("liq", told(one_to_one | {"buffer": 0.05}))
    assert buffered == F(-1) + F(1, 20) * 101  # and not 5, from the floor
    opened = Position(1, F(2), F(100), F(20))
    mark = F(130)
    published = Position(1, F(2), mark, conventions.equity(opened, mark))
    charges = Charges(F(1, 100))
    assert conventions.liquidation_price(published, charges) == conventions.liquidation_price(
        opened, charges
    )


@pytest.mark.parametrize(
    ("formula", "inputs", "expected"),
    [  # what a file may ask that the known one does not
        ("deribit_option", {"index": 100, "strike": 110, "mark": 2, "call": True, "qty": -3},
         {"im": 36, "mm": 28.5}),
        ("aevo_option", {"spot": 100, "strike": 90, "mark": 2, "is_call": False, "amount": -1},
         {"im": 12, "mm": 12}),
        ("bybit_option", {"index": 100, "strike": 100, "mark": 5, "avg_price": 6, "call": True},
         {"im": 21, "mm": 8.2}),
        ("okx_option", {"forward": 100, "strike": 100, "mark": 5, "call": True, "factor": 1.02},
         {"im": 20.3, "mm": 8.06}),
        ("okx_sell_open", {"price": 0.05, "pos_im": 0.0193, "mult": 0.1, "fee": 0.0002, "n": 100},
         1.45),
        ("okx_buy_open", {"price": 0.05, "mult": 0.1, "fee": 0.0002, "n": 10}, 0.052),
        ("okx_margin_ratio", {"side": "short", "qty": 1, "entry": 100, "mark": 110, "margin": 20,
                              "mm_rate": 0.004, "fee_rate": 0.0005}, 10 / 0.495),
        ("liq_inverse_cross", {"side": "long", "usd": 10_000, "entry": 8_000, "margin": 0.5,
                               "fee_rate": 0.00075, "mm_rate": 0.005}, 5_739.5),
    ],
)  # fmt: skip
def test_numbers_that_another_file_may_have(
    formula: str, inputs: dict[str, Any], expected: Any
) -> None:
    """OPT-1, RATIO-1, COIN-2: short options, orders of options, a ratio, a rounded price."""
    assert close(answer(formula, told(inputs)), expected, EXACTLY, F(0))
    assert formula in EXACT or "option" in formula or formula.startswith("okx")
