"""Every published number of the vector file, exactly, and through the kernel where its grid can."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.unit.margin_core.exact_adapters import EXACT
from tests.unit.margin_core.other_venue_adapters import OTHER_ADAPTERS
from tests.unit.margin_core.venue_adapters import ADAPTERS, InexpressibleError, told
from tests.unit.models.model_adapters import MODEL_ADAPTERS

ROOT = Path(__file__).resolve().parents[3]
PATH = Path(os.environ.get("BULKHEAD_VECTORS", ROOT / "../shared/vectors/margin_vectors.json"))
if "BULKHEAD_VECTORS" in os.environ and not PATH.is_file():
    raise FileNotFoundError(f"BULKHEAD_VECTORS names no file: {PATH}")
FILE: Any = json.loads(PATH.read_text()) if PATH.is_file() else []
VECTORS: list[dict[str, Any]] = FILE["vectors"] if isinstance(FILE, dict) else FILE
TOLERANCE = {"rel": 1e-9}  # where neither the vector nor the file tells one
DEFAULT: dict[str, Any] = FILE.get("tolerance", TOLERANCE) if isinstance(FILE, dict) else TOLERANCE
MUTANTS = int(os.environ.get("BULKHEAD_SOAK_STATES", "8000")) // 1_000  # of each vector
OUTSIDE = (InexpressibleError, ValueError, ArithmeticError)  # the kernel's grid or bounds

# What a formula reads only with other inputs, or in the kernel's answer; no other may be left out.
IDLE = {
    "dydx_if_delta": {"mm_frac", "price"},
    "liq": {"max_leverage"},
    "vega_liq_at_mm": {"rf_long", "rf_short"},
}

# A formula is the same under whatever kind of question it stands.
BESIDE = {formula: adapter for (_, formula), adapter in MODEL_ADAPTERS.items()}
KERNEL = {formula: adapter for (_, formula), adapter in (ADAPTERS | OTHER_ADAPTERS).items()}


def answer(formula: str, inputs: dict[str, Any]) -> Any:
    """Return what a formula says, without a grid.

    Raises:
        InexpressibleError: It says nothing about such inputs; the message says why.
    """
    try:
        if formula in EXACT:
            return EXACT[formula](inputs)
        found, _ = (BESIDE.get(formula) or KERNEL[formula])(inputs)
    except ZeroDivisionError:
        raise InexpressibleError("a formula that divides by an input of 0") from None
    except RuntimeWarning as beyond:
        raise InexpressibleError(f"no float has it: {beyond}") from beyond
    except ValueError as refused:  # the rule, the value and the unit
        raise InexpressibleError(str(refused)) from refused
    return found


def close(found: Any, expected: Any, tolerance: dict[str, float], grid: Fraction) -> bool:
    """Return whether every number is within the tolerance and a part of the grid.

    A tuple has what venues may publish for one thing: a price below 0, or the floor of prices.
    """
    if isinstance(found, tuple):
        return any(close(each, expected, tolerance, grid) for each in found)
    if isinstance(expected, dict):
        return all(close(found[key], expected[key], tolerance, grid) for key in expected)
    if isinstance(expected, list):
        pairs = zip(found, expected, strict=True)
        return all(close(one, other, tolerance, grid) for one, other in pairs)
    if isinstance(expected, bool) or expected is None:
        return bool(found is expected)
    if found is None or expected == float("inf"):  # no such price
        return found in {None, float("inf")} and expected == float("inf")
    if isinstance(found, str) or isinstance(expected, str):  # a name
        return str(found) == str(expected)
    allowed = Fraction(tolerance.get("abs", 0)) + Fraction(tolerance.get("rel", 0)) * abs(
        Fraction(expected)
    )
    return bool(abs(Fraction(found) - Fraction(str(expected))) <= allowed + grid)


def on_the_kernel(formula: str, inputs: dict[str, Any], exact: Any) -> bool:
    """Compare the kernel's answer with the exact one; False: its grid cannot carry the inputs."""
    if formula not in EXACT or formula not in KERNEL:
        return False
    try:
        found, grid = KERNEL[formula](inputs)
    except OUTSIDE:
        return False
    relative = {"rel": 1e-9}  # of the digits that the inputs have
    assert close(exact, found, relative, grid), (formula, inputs, found, exact, float(grid))
    return True


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_published_number(vector: dict[str, Any]) -> None:
    """MARG-2, MARG-3, MARG-4, MARG-5, MARG-6, MKT-2, FUND-1: as others publish them."""
    formula = vector["formula"]
    if formula not in {*EXACT, *BESIDE, *KERNEL}:
        pytest.skip(f"{vector['kind']}/{formula}: no adapter: a formula that nobody has looked at")
    inputs = told(vector["inputs"])
    try:
        found = answer(formula, inputs)
    except InexpressibleError as reason:
        pytest.skip(f"{vector['kind']}/{formula}: {reason}")
    if unread := inputs.unread() - IDLE.get(formula, set()):
        names = ", ".join(sorted(unread))
        pytest.skip(f"{vector['kind']}/{formula}: the adapter does not know the input {names}")
    expected, tolerance = told(vector["expected"]), told(vector.get("tolerance") or DEFAULT)
    assert close(found, expected, tolerance, Fraction(0)), (found, vector)
    on_the_kernel(formula, inputs, found)


def mutant(rng: Random, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return inputs with other magnitudes, digits, signs, zeros and missing fields."""
    changed = deepcopy(inputs)
    scale = 10 ** rng.randint(-3, 3)
    for name in rng.sample(sorted(changed), rng.randint(1, len(changed))):
        value = changed[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        way = rng.randrange(8)
        if way == 0 and name != "side":
            changed[name] = 0
        elif way == 1 and rng.random() < 0.3:
            changed[name] = None
        elif way == 2:
            changed[name] = -value
        elif name not in {"side", "index"} and isinstance(value, float):
            digits = rng.choice((2, 4, 7, 15))
            factor = rng.choice((scale, rng.uniform(0.5, 2), rng.uniform(0.9, 1.1)))
            changed[name] = float(f"{value * factor:.{digits}g}")
        elif name not in {"side", "index"}:
            changed[name] = int(value * rng.uniform(0, 3))
    return changed


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_kernel_and_exact_formula_agree_on_other_numbers(vector: dict[str, Any]) -> None:
    """MARG-2, MARG-3, MARG-4, MARG-5, MARG-6, COST-1: or the reason why not is told."""
    formula, rng = vector["formula"], Random(vector["id"])
    if formula not in {*EXACT, *BESIDE, *KERNEL}:
        pytest.skip(f"{vector['kind']}/{formula}: no adapter")
    for _ in range(MUTANTS):
        inputs = told(mutant(rng, vector["inputs"]))
        try:
            found = answer(formula, inputs)
        except InexpressibleError:
            continue
        on_the_kernel(formula, inputs, found)


def test_numbers_are_read_however_they_are_spelt() -> None:
    """MARG-5: a file of the same make may spell 1 as 1.0 or "1"; what is missing is named."""
    spelt = told({"a": [1, 1.0, "1", "1.0", "1e0"], "b": {"c": "0.5", "d": "kraken"}, "e": True})
    assert spelt == {"a": [1] * 5, "b": {"c": 0.5, "d": "kraken"}, "e": True}
    assert all(type(number) is int for number in spelt["a"])
    assert told({"side": "Short", "margin": None}) == {"side": -1}
    with pytest.raises(InexpressibleError, match="the input f is not given"):
        spelt["f"]


SPELT: list[tuple[str, dict[str, Any], Any]] = [
    ("cc", {"n00": 932, "n01": 53, "n10": 53, "n11": 4, "p": 0.05}, {"lr": 0.73}),
    ("cc", {"n00": 932, "n01": 53, "n10": 53, "n11": 4, "n": 1_043, "x": 57, "p": 0.05},
     {"lr": 0.72013, "pvalue": 0.69763}),
    ("implied_vol", {"forward": 100, "strike": 100, "price": 9.947645, "t": 0.25, "call": True},
     0.5),
    ("black76_iv", {"spot": 100, "strike": 100, "price": 9.947645, "t": 0.25, "call": False}, 0.5),
    ("ewma", {"lam": 1.0, "var": 0.0004, "ret": 0.02}, {"var": 0.0004}),
    ("ewma", {"lam": 0, "var": 0.0004, "ret": 0.03}, {"var": 0.0009}),
    ("twap", {"times": [0, 10], "prices": [5, 7], "end": 10}, 5),
    ("twap", {"times": [0, 1, 3], "prices": [10, 11, 10], "end": 10, "start": 1}, 10.2222),
    ("funding_cash", {"side": 1, "qty": 3, "marks": 100, "rates": 0.0001}, -0.03),
    ("adl_queue", {"accounts": [["a", 10, 3], ["b", 10, 4]], "liquidated_qty": 5},
     {"order": ["b", "a"], "deleveraged": {"b": 5}}),
    ("liq", {"contract": "inverse", "side": -1, "usd": 1000, "entry": 100,
             "margin_from_leverage": 0.5, "mm_rate_entry": 0.005}, "Infinity"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "inputs", "expected"), SPELT)
def test_other_files_may_tell_it_so(formula: str, inputs: dict[str, Any], expected: Any) -> None:
    """MARG-5: limits, single numbers, names of accounts, counts instead of periods."""
    spelt = told(inputs)
    assert close(answer(formula, spelt), told(expected), {"abs": 1e-4}, Fraction(0))
    assert not spelt.unread()


def test_an_input_that_nobody_reads_is_told() -> None:
    """MARG-5: an adapter says what it has looked at."""
    spelt = told({"times": [0], "prices": [5], "end": 2, "weights": "volume"})
    assert answer("twap", spelt) == 5
    assert spelt.unread() == {"weights"}


def test_the_file_of_published_numbers_is_there(vectors_path: Path) -> None:
    """MARG-5: skipped with a message where there are no published numbers."""
    assert vectors_path.is_file()
    assert VECTORS
