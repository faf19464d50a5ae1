"""Every published number of the vector file that the kernel or a model beside it can express."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.unit.margin_core.venue_adapters import ADAPTERS, InexpressibleError
from tests.unit.models.model_adapters import MODEL_ADAPTERS

ROOT = Path(__file__).resolve().parents[3]
PATH = Path(os.environ.get("BULKHEAD_VECTORS", ROOT / "../shared/vectors/margin_vectors.json"))
VECTORS: list[dict[str, Any]] = json.loads(PATH.read_text()) if PATH.is_file() else []

INVERSE = "inverse contract: not in the kernel yet"
OWN = "a rule of that venue which Bulkhead does not have"
INEXPRESSIBLE = {
    ("adl", "adl_queue"): "the queue by score: the engine's; the kernel ranks",
    ("bankruptcy_price", "bankruptcy_inverse_fee"): INVERSE,
    ("borrow_interest", "borrow_interest"): "borrowing: " + OWN,
    ("fillable_price", "dydx_fillable"): "a liquidation price curve: " + OWN,
    ("funding_index", "dydx_funding_index"): "an index in other units, truncated to zero: " + OWN,
    ("funding_payment", "funding_inverse"): INVERSE,
    ("init_margin", "drift_iso"): "a buffer charged on losses: " + OWN,
    ("init_margin", "fully_collateralised"): "a contract with a maximum price: not written yet",
    ("init_margin", "phemex_assigned"): "the margin of an order is the amount that its owner signs",
    ("insurance_fund", "drift_if_fee"): "an insurance fee solved from the shortage: " + OWN,
    ("is_liquidatable", "gmx1_state"): "two thresholds, one with a fixed fee: " + OWN,
    ("is_liquidatable", "gmx_is_liq"): "collateral in another asset: " + OWN,
    ("liq_price", "vega_liq_at_mm"): "slippage inside the requirement: " + OWN,
    ("liquidation_fee", "drift_liq_fee"): "a fee that grows with time: " + OWN,
    ("maint_margin", "mm_flat_tier"): "tiers that jump: refused by MKT-2",
    ("maint_margin", "vega_mm"): "slippage inside the requirement: " + OWN,
    ("maint_margin", "vega_perp_mm"): "expected funding inside the requirement: " + OWN,
    ("margin_balance", "snx_margin"): "profit priced by skew: " + OWN,
    ("margin_ratio", "kucoin_risk_rate"): "collateral shared by positions: ours is isolated",
    ("notional", "inverse_value"): INVERSE,
    ("partial_liquidation", "drift_base_to_cover"): "fees on the oracle value: " + OWN,
    ("partial_liquidation", "drift_iso_liq"): "fees on the oracle value: " + OWN,
    ("partial_liquidation", "dydx_partial"): "bounds of one liquidation's size: " + OWN,
    ("pnl", "gmx1_delta"): "contracts sized in dollars: " + OWN,
    ("pnl", "pnl_inverse"): INVERSE,
    ("pnl", "snx_pnl"): "profit priced by skew: " + OWN,
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
    adapters = ADAPTERS | MODEL_ADAPTERS
    if key not in adapters:
        pytest.skip(f"{key[0]}/{key[1]}: no adapter: a formula that nobody has looked at")
    try:
        found, grid = adapters[key](vector["inputs"])
    except InexpressibleError as reason:
        pytest.skip(f"{key[0]}/{key[1]}: {reason}")
    assert close(found, vector["expected"], vector["tolerance"], grid), (found, vector)


def test_no_expressible_formula_is_left_out() -> None:
    """MARG-5: a formula is either computed or has a reason why not."""
    assert not ADAPTERS.keys() & MODEL_ADAPTERS.keys()
    assert not (ADAPTERS | MODEL_ADAPTERS).keys() & INEXPRESSIBLE.keys()


def test_the_file_of_published_numbers_is_there(vectors_path: Path) -> None:
    """MARG-5: skipped with a message where there are no published numbers."""
    assert vectors_path.is_file()
    assert VECTORS
