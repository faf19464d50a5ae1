"""Every published number of the vector file that the kernel or a model beside it can express."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.unit.margin_core.other_venue_adapters import OTHER_ADAPTERS
from tests.unit.margin_core.venue_adapters import ADAPTERS, InexpressibleError, told
from tests.unit.models.model_adapters import MODEL_ADAPTERS

ROOT = Path(__file__).resolve().parents[3]
PATH = Path(os.environ.get("BULKHEAD_VECTORS", ROOT / "../shared/vectors/margin_vectors.json"))
if "BULKHEAD_VECTORS" in os.environ and not PATH.is_file():
    raise FileNotFoundError(f"BULKHEAD_VECTORS names no file: {PATH}")
VECTORS: list[dict[str, Any]] = json.loads(PATH.read_text()) if PATH.is_file() else []

KNOWN = ADAPTERS | MODEL_ADAPTERS | OTHER_ADAPTERS


def close(found: Any, expected: Any, tolerance: dict[str, float], grid: Fraction) -> bool:
    """Return whether every number is within the tolerance and one unit of the grid."""
    if isinstance(expected, dict):
        return all(close(found[key], expected[key], tolerance, grid) for key in expected)
    if isinstance(expected, list):
        pairs = zip(found, expected, strict=True)
        return all(close(one, other, tolerance, grid) for one, other in pairs)
    if isinstance(expected, bool) or expected is None:
        return bool(found is expected)
    if found is None:  # no such price
        return bool(float(expected) == float("inf"))
    allowed = tolerance.get("abs", 0) + tolerance.get("rel", 0) * abs(expected)
    return bool(abs(Fraction(found) - Fraction(str(expected))) <= Fraction(allowed) + grid)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_published_number(vector: dict[str, Any]) -> None:
    """MARG-2, MARG-3, MARG-4, MARG-5, MARG-6, MKT-2, FUND-1: as others publish them."""
    key = vector["kind"], vector["formula"]
    if key not in KNOWN:
        pytest.skip(f"{key[0]}/{key[1]}: no adapter: a formula that nobody has looked at")
    try:
        found, grid = KNOWN[key](told(vector["inputs"]))
    except InexpressibleError as reason:
        pytest.skip(f"{key[0]}/{key[1]}: {reason}")
    expected, tolerance = told(vector["expected"]), told(vector["tolerance"])
    assert close(found, expected, tolerance, grid), (found, vector)


def test_numbers_are_read_however_they_are_spelt() -> None:
    """MARG-5: a file of the same make may spell 1 as 1.0 or "1"; what is missing is named."""
    spelt = told({"a": [1, 1.0, "1", "1.0", "1e0"], "b": {"c": "0.5", "d": "kraken"}, "e": True})
    assert spelt == {"a": [1] * 5, "b": {"c": 0.5, "d": "kraken"}, "e": True}
    assert all(type(number) is int for number in spelt["a"])
    with pytest.raises(InexpressibleError, match="the input f is not given"):
        spelt["f"]


def test_every_formula_is_computed_in_one_place() -> None:
    """MARG-5: by the kernel, a model, or the rule of the venue."""
    assert len(KNOWN) == len(ADAPTERS) + len(MODEL_ADAPTERS) + len(OTHER_ADAPTERS)


def test_the_file_of_published_numbers_is_there(vectors_path: Path) -> None:
    """MARG-5: skipped with a message where there are no published numbers."""
    assert vectors_path.is_file()
    assert VECTORS
