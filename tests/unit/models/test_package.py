"""The package as a whole: what its page prints, docstrings, and the models of other venues."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

from margin_core import models
from margin_core.models import concentration, funding
from margin_core.models.arguments import number, numbers, series

PAGE = Path(__file__).resolve().parents[3] / "margin_core/models/README.md"
MODULES = [module.name for module in pkgutil.iter_modules(models.__path__)]


def test_the_page_prints_what_it_says() -> None:
    blocks = re.search(r"```python\n(.*?)```\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert blocks is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(blocks[1], {})
    assert printed.getvalue() == blocks[2]


def test_the_page_has_a_line_for_each_module() -> None:
    assert re.findall(r"^\| `(\w+)\.py` \|", PAGE.read_text(), re.MULTILINE) == sorted(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_says_what_it_raises(name: str) -> None:
    module = importlib.import_module(f"margin_core.models.{name}")
    for found in vars(module).values():
        ours = inspect.isfunction(found) and found.__module__ == module.__name__
        if ours and not found.__name__.startswith("_"):
            text = inspect.getdoc(found) or ""
            assert "ValueError" in text, found.__name__


def test_messages_name_rule_place_value_and_unit() -> None:
    with pytest.raises(ValueError, match=r"^R: x\[1, 0\] = 3: expected .* at most 2 \(m\)$"):
        numbers("R", "x", [[1, 2], [3, 0]], "m", at_most=2)
    with pytest.raises(ValueError, match=r"^R: x = inf: expected a finite number \(m\)$"):
        numbers("R", "x", np.inf, "m")
    with pytest.raises(ValueError, match=r"^R: x = nan: expected a number \(m\)$"):
        numbers("R", "x", np.nan, "m", finite=False)
    with pytest.raises(ValueError, match=r"^R: x = 'a': expected numbers \(m\)$"):
        numbers("R", "x", "a", "m")
    with pytest.raises(ValueError, match=r"^R: x has shape \(2,\): expected one number \(m\)$"):
        number("R", "x", [1, 2], "m")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^R: x has shape \(1,\): expected .* at least 2 values"):
        series("R", "x", [1], "m", least=2)


def test_the_premium_is_corrected_by_at_most_the_clamp() -> None:
    premium = np.array([-0.01, 0.0, 0.0002, 0.01])
    rate = funding.funding_rate(premium, 0.0001, cap=0.003)
    np.testing.assert_allclose(rate, [-0.003, 0.0001, 0.0001, 0.003])
    book = funding.impact_premium([101.0, 99.0, 98.0], [102.0, 101.0, 99.0], 100.0)
    np.testing.assert_allclose(book, [0.01, 0.0, -0.01])


def test_averages_weigh_by_time() -> None:
    assert funding.time_weighted_average([0, 1, 9], [5, 1, 10], 10) == pytest.approx(2.3)
    with pytest.raises(ValueError, match=r"funding: times = .* strictly rising"):
        funding.time_weighted_average([0, 0], [1, 2], 3)
    with pytest.raises(
        ValueError, match=r"funding: end = 0.5: .* above 0 and at least 1 \(instant"
    ):
        funding.time_weighted_average([0, 1], [1, 2], 0.5)
    with pytest.raises(ValueError, match=r"funding: end = 0: .* above 0 and at least 0 \(instant"):
        funding.time_weighted_average([0], [1], 0)
    assert funding.time_weighted_average([0, 10], [5, 7], 10) == 5  # the last holds for no time
    assert funding.time_weighted_average([0, 1, 3], [10, 11, 10], 10, start=1) == 92 / 9
    with pytest.raises(ValueError, match=r"funding: start = -1: .* at least 0 \(instant"):
        funding.time_weighted_average([0, 1], [1, 2], 3, start=-1)
    with pytest.raises(ValueError, match=r"upper = 0: expected at least lower, 1 "):
        funding.rate_from_averages(1.0, 1.0, lower=1, upper=0)


def test_rates_never_fall_with_size() -> None:
    size = np.linspace(0, 1_000, 101)
    rate = concentration.rate_linear_in_size(0.02, 1e-5, size)
    assert (np.diff(rate) >= 0).all()
    assert rate[0] == 0.02
    by_root = [
        concentration.rate_e4_by_root_of_size(200, factor_e6=1_000, quantity_e9=x * 10**10)
        for x in range(101)
    ]
    assert by_root == sorted(by_root)
    assert (by_root[0], by_root[-1]) == (200, 476)  # 160 + 10 a root of 1 000 units, rounded down
    for base, factor, units, expected in ((750, 550, 1_000, 773), (501, 50, 10**6, 901)):
        size_e9 = units * 10**9
        for signed in (size_e9, -size_e9):
            found = concentration.rate_e4_by_root_of_size(
                base, factor_e6=factor, quantity_e9=signed
            )
            assert found == expected
    grown = [
        concentration.initial_ppm_by_open_interest(50_000, open_interest=x, lower=10, upper=20)
        for x in range(25)
    ]
    assert grown == sorted(grown)
    assert (grown[10], grown[15], grown[20]) == (50_000, 525_000, 1_000_000)
