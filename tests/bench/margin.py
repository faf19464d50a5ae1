"""Equity, requirement, ratio and liquidation price of a million positions, against NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from margin_core import MarketSpec, Tier
from margin_core.market_spec import tier_amounts_quote
from margin_core.vector import Margins, margins
from tests.bench.result import Result, best_ns

POSITIONS = 1_000_000
BAR = 5
PPM = 1_000_000
MARK = 500_000
TIERS = (
    (0, 10_000, 5_000),
    (50_000, 20_000, 10_000),
    (250_000, 40_000, 20_000),
    (1_000_000, 100_000, 50_000),
    (5_000_000, 200_000, 100_000),
)
SPEC = MarketSpec(
    market_id=1,
    quote_per_tick_lot=10,
    price_ticks_max=10_000_000,
    position_lots_max=10_000_000,
    fee_maker_ppm=200,
    fee_taker_ppm=500,
    tiers=tuple(
        Tier(
            notional_floor_quote=floor * PPM, margin_initial_ppm=initial, margin_maintenance_ppm=mm
        )
        for floor, initial, mm in TIERS
    ),
)


def _positions() -> tuple[Any, ...]:
    """Return longs and shorts of up to a million dollars, 2x to 20x, entered near the mark."""
    rng = np.random.default_rng(1)
    lots = rng.integers(1, 200_000, POSITIONS) * rng.choice((-1, 1), POSITIONS)
    values = np.abs(lots) * rng.integers(490_000, 510_000, POSITIONS) * SPEC.quote_per_tick_lot
    collaterals = values // rng.integers(2, 21, POSITIONS)
    return lots, values, collaterals, rng.integers(-PPM, PPM, POSITIONS)


def with_numpy(lots: Any, values: Any, collaterals: Any, indices: Any) -> Margins:
    """Return the same integers as a user of NumPy would write them: one operation a line."""
    floors = np.array([tier.notional_floor_quote for tier in SPEC.tiers])
    rates = np.array([tier.margin_maintenance_ppm + SPEC.fee_taker_ppm for tier in SPEC.tiers])
    amounts = np.array([maintenance for _, maintenance in tier_amounts_quote(SPEC)])
    owed = -((lots * indices) // PPM)
    size = np.abs(lots) * SPEC.quote_per_tick_lot
    notional = size * MARK
    equity = collaterals - owed + np.sign(lots) * (notional - values)
    tier = np.searchsorted(floors, notional, side="right") - 1
    needs = -(-(notional * rates[tier]) // PPM) - amounts[tier]
    ratio = np.where(equity > 0, -(-(needs * PPM) // np.maximum(equity, 1)), 2**60)
    is_long = lots > 0
    lacks = np.where(is_long, values + owed - collaterals, values - owed + collaterals)
    price = np.where(is_long, -1, 2**60)
    for rate, amount in zip(rates, amounts, strict=True):
        long = -(-(PPM * (lacks - amount)) // (size * (PPM - rate))) - 1
        short = (PPM * (lacks + amount)) // (size * (PPM + rate)) + 1
        price = np.where(is_long, np.maximum(price, long), np.minimum(price, short))
    top = SPEC.price_ticks_max
    price = np.where(is_long, np.minimum(price, top), np.where(price > top, -1, price))
    return Margins(equity, needs, ratio, price)


def measure_vector() -> Iterator[Result]:
    """The best of several runs of each, taken in turns; the results are equal."""
    columns = _positions()

    def ours() -> Margins:
        return margins(SPEC, *columns, funding_index_e6=0, mark_price_ticks=MARK)

    def theirs() -> Margins:
        return with_numpy(*columns)

    for mine, other in zip(ours(), theirs(), strict=True):
        assert np.array_equal(mine, other)
    turns = [(best_ns(ours, rounds=1), best_ns(theirs, rounds=1)) for _ in range(9)]
    value, other_ns = (min(column) for column in zip(*turns, strict=True))
    yield Result(
        "margin.vector",
        round(other_ns / value, 2),
        "times NumPy",
        None,
        {
            "positions": POSITIONS,
            "tiers": len(SPEC.tiers),
            "ours_ns_a_position": round(value / POSITIONS, 1),
            "numpy_ns_a_position": round(other_ns / POSITIONS, 1),
            "theirs": "NumPy doing the same, equal to the last bit",
        },
        bar={"value_min": BAR},
    )


CASES = {"margin.vector": measure_vector}
