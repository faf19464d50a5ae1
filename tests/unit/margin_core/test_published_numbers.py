"""Every published number of the vector file that the kernel can express."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.unit.margin_core.venue_adapters import ADAPTERS, InexpressibleError

ROOT = Path(__file__).resolve().parents[3]
PATH = Path(os.environ.get("BULKHEAD_VECTORS", ROOT / "../shared/vectors/margin_vectors.json"))
VECTORS: list[dict[str, Any]] = json.loads(PATH.read_text()) if PATH.is_file() else []

INVERSE = "inverse contract: not in the kernel yet"
OPTION = "option: not in the kernel yet"
MODEL = "model beside the kernel: not written yet"
RATE = "margin rates that depend on size or open interest: the risk layer, not written yet"
OWN = "a rule of that venue which Bulkhead does not have"
INEXPRESSIBLE = {
    ("adl", "adl_queue"): "the queue by score: the engine's; the kernel ranks",
    ("bankruptcy_price", "bankruptcy_inverse_fee"): INVERSE,
    ("black76", "black76"): MODEL,
    ("black76", "black76_normalised"): MODEL,
    ("black76", "gbs"): MODEL,
    ("black_scholes", "gbs"): MODEL,
    ("borrow_interest", "borrow_interest"): "borrowing: " + OWN,
    ("christoffersen", "christoffersen"): MODEL,
    ("ewma", "ewma"): MODEL,
    ("fillable_price", "dydx_fillable"): "a liquidation price curve: " + OWN,
    ("first_passage", "one_touch_expiry"): MODEL,
    ("first_passage", "one_touch_hit"): MODEL,
    ("funding_clamp", "dydx_clamp"): "the premium's clamp: not written yet",
    ("funding_index", "dydx_funding_index"): "an index in other units, truncated to zero: " + OWN,
    ("funding_payment", "funding_inverse"): INVERSE,
    ("funding_payment", "vega_funding"): "the premium's clamp: not written yet",
    ("funding_payment", "vega_funding_auction"): "funding scaled by auction time: " + OWN,
    ("funding_rate", "interest_component"): "the premium's interest: not written yet",
    ("funding_rate", "vega_rate_caps"): "the premium's clamp: not written yet",
    ("greeks", "black76_greek"): MODEL,
    ("greeks", "bs_greek"): MODEL,
    ("greeks", "gbs_greek"): MODEL,
    ("init_margin", "drift_iso"): "a buffer charged on losses: " + OWN,
    ("init_margin", "fully_collateralised"): "a contract with a maximum price: not written yet",
    ("init_margin", "margin_size_linear"): RATE,
    ("init_margin", "phemex_assigned"): "the margin of an order is the amount that its owner signs",
    ("init_rate", "drift_margin_ratio"): RATE,
    ("init_rate", "dydx_oimf"): RATE,
    ("insurance_fund", "drift_if_fee"): "an insurance fee solved from the shortage: " + OWN,
    ("is_liquidatable", "gmx1_state"): "two thresholds, one with a fixed fee: " + OWN,
    ("is_liquidatable", "gmx_is_liq"): "collateral in another asset: " + OWN,
    ("kupiec", "kupiec"): MODEL,
    ("liq_price", "vega_liq_at_mm"): "slippage inside the requirement: " + OWN,
    ("liquidation_fee", "drift_liq_fee"): "a fee that grows with time: " + OWN,
    ("maint_margin", "margin_size_linear"): RATE,
    ("maint_margin", "mm_flat_tier"): "tiers that jump: refused by MKT-2",
    ("maint_margin", "vega_mm"): "slippage inside the requirement: " + OWN,
    ("maint_margin", "vega_perp_mm"): "expected funding inside the requirement: " + OWN,
    ("maint_rate", "drift_margin_ratio"): RATE,
    ("maint_rate", "dydx_mm_ppm"): RATE,
    ("margin_balance", "snx_margin"): "profit priced by skew: " + OWN,
    ("margin_ratio", "kucoin_risk_rate"): "collateral shared by positions: ours is isolated",
    ("notional", "inverse_value"): INVERSE,
    ("option_isolated_margin", "derive_option"): OPTION,
    ("option_order_cost", "okx_buy_close"): OPTION,
    ("option_order_cost", "okx_sell_close"): OPTION,
    ("partial_liquidation", "drift_base_to_cover"): "fees on the oracle value: " + OWN,
    ("partial_liquidation", "drift_iso_liq"): "fees on the oracle value: " + OWN,
    ("partial_liquidation", "dydx_partial"): "bounds of one liquidation's size: " + OWN,
    ("pnl", "gmx1_delta"): "contracts sized in dollars: " + OWN,
    ("pnl", "pnl_inverse"): INVERSE,
    ("pnl", "snx_pnl"): "profit priced by skew: " + OWN,
    ("predictive_margin", "lognormal_es_rf"): MODEL,
    ("price_range", "lognormal_range"): MODEL,
    ("twap", "twap"): "the premium's average: not written yet",
}


def close(found: Any, expected: Any, tolerance: dict[str, float], grid: Fraction) -> bool:
    """Return whether every number is within the tolerance and one unit of the grid."""
    if isinstance(expected, dict):
        return all(close(found[key], expected[key], tolerance, grid) for key in expected)
    if isinstance(expected, list):
        pairs = zip(found, expected, strict=True)
        return all(close(one, other, tolerance, grid) for one, other in pairs)
    if isinstance(expected, bool):
        return bool(found is expected)
    allowed = tolerance.get("abs", 0) + tolerance.get("rel", 0) * abs(expected)
    return bool(abs(Fraction(found) - Fraction(str(expected))) <= Fraction(allowed) + grid)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_published_number(vector: dict[str, Any]) -> None:
    """MARG-2, MARG-3, MARG-4, MARG-5, MARG-6, MKT-2, FUND-1: as others publish them."""
    key = vector["kind"], vector["formula"]
    if key in INEXPRESSIBLE:
        pytest.skip(f"{key[0]}/{key[1]}: {INEXPRESSIBLE[key]}")
    if key not in ADAPTERS:
        pytest.skip(f"{key[0]}/{key[1]}: no adapter: a formula that nobody has looked at")
    try:
        found, grid = ADAPTERS[key](vector["inputs"])
    except InexpressibleError as reason:
        pytest.skip(f"{key[0]}/{key[1]}: {reason}")
    assert close(found, vector["expected"], vector["tolerance"], grid), (found, vector)


def test_no_expressible_formula_is_left_out() -> None:
    """MARG-5: a formula is either computed or has a reason why not."""
    assert not ADAPTERS.keys() & INEXPRESSIBLE.keys()


def test_the_file_of_published_numbers_is_there(vectors_path: Path) -> None:
    """MARG-5: skipped with a message where there are no published numbers."""
    assert vectors_path.is_file()
    assert VECTORS
