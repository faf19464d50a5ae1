"""What is no number, and what looks like one; every public function has a docstring at run time."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import margin_core as mc
from margin_core import arrays, funding
from tests.differential.test_margin_bounds import CALL, PERPETUAL

LONG = mc.MarginState(10, 10, 10)
AT: dict[str, Any] = {"funding_index_e6": 0, "mark_price_ticks": 1}


@pytest.mark.parametrize("integer", [np.int64, np.int32, np.uint8])
def test_integers_of_numpy_are_integers(integer: type[Any]) -> None:
    """NUM-4: in states and in arguments; what comes out is Python's."""
    state = (integer(10), integer(10), integer(10), integer(0))
    at = {name: integer(value) for name, value in AT.items()}
    found = mc.equity_quote(PERPETUAL, state, **at)
    assert found == mc.equity_quote(PERPETUAL, LONG, **AT)
    assert type(found) is int
    done = mc.apply_top_up(
        PERPETUAL, state, funding_index_e6=0, amount_quote=integer(1), free_quote=integer(1)
    )
    assert done.state == LONG._replace(collateral_quote=11)


@pytest.mark.parametrize("truth", [True, False, np.True_])
def test_truth_values_are_no_integers(truth: object) -> None:
    """NUM-4, LEV-1: a flag in the place of a number is a mistake."""
    with pytest.raises(ValueError, match=r"^NUM-4: position_lots = .*: expected an integer"):
        mc.equity_quote(PERPETUAL, (truth, 10, 10, 0), **AT)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^NUM-4: mark_price_ticks = "):
        mc.equity_quote(PERPETUAL, LONG, funding_index_e6=0, mark_price_ticks=truth)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^LEV-1: leverage = "):
        mc.collateral_for_leverage_quote(
            PERPETUAL,
            qty_lots=1,
            price_ticks=1,
            leverage=truth,  # type: ignore[arg-type]
        )


def test_margin_without_lots_reserves_nothing_and_is_refused() -> None:
    """NUM-4, ORD-3: no order has a margin and no lots."""
    with pytest.raises(ValueError, match=r"^NUM-4: sell_margin_quote = 7: .* from 0 to 0 quote"):
        mc.reservation_quote(position_lots=5, sell_lots=0, sell_margin_quote=7)


def test_instants_of_settlements_are_checked() -> None:
    """NUM-4, FUND-4."""
    told = {"last_time_s": 10, "interval_s": 5, "now_s": 3}
    assert funding.next_settlement_time_s(**told) == 15
    for name, wrong in (("last_time_s", 1.5), ("interval_s", -10), ("now_s", "x")):
        with pytest.raises(ValueError, match=f"^NUM-4: {name} = .* expected an integer from .* s$"):
            funding.next_settlement_time_s(**told | {name: wrong})  # type: ignore[arg-type]


def test_a_leverage_that_would_move_too_much_overflows() -> None:
    """NUM-4, LEV-1: what was passed is inside its bounds, what would have to move is not."""
    poor = mc.MarginState(10, 2**60, -(2**60))
    with pytest.raises(OverflowError, match=r"^NUM-4: amount_quote to move = "):
        mc.apply_leverage(PERPETUAL, poor, **AT, leverage=1, free_quote=2**60)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"quote_per_unit": 0}, r"quote_per_unit = 0: expected an integer from 1"),
        ({"quote_per_unit": 0.3}, r"quote_per_unit = 0.3: expected an integer"),
        ({"fee_taker_ppm": 2_000_000}, r"fee_taker_ppm = 2000000: .* to 100000 ppm"),
        ({"brackets": [(0, 10)]}, r"brackets\[0\] = \(0, 10\): expected floor, cap, "),
        ({"brackets": [7]}, r"brackets\[0\] = 7: expected floor, cap, "),
        ({"brackets": [(0, 10, "1/0", "0.005", 0)]}, r"leverage_max = '1/0': expected an exact"),
        ({"brackets": [(0, "inf", 9, "0.005", 0)]}, r"cap = 'inf': expected an exact number"),
        ({"brackets": [(0, 10, 9, 0, 0)]}, r"maintenance_rate = 0: expected above 0 and below 1"),
        ({"brackets": [(0, 10, 9, 1, 0)]}, r"maintenance_rate = 1: expected above 0 and below 1"),
        ({"brackets": []}, r"brackets = 0: expected 1 to 16"),
    ],
)
def test_brackets_that_are_none(changed: dict[str, Any], message: str) -> None:
    """TIER-1: rule, value and unit."""
    told: dict[str, Any] = {"brackets": [(0, 10, 9, "0.005", 0)], "quote_per_unit": 1}
    assert len(mc.tiers_from_brackets(**told)) == 1
    with pytest.raises(ValueError, match=f"^TIER-1: .*{message}"):
        mc.tiers_from_brackets(**told | changed)


def test_options_are_deleveraged_with_their_underlying() -> None:
    """LIQ-4, OPT-1: the run needs its price, and takes from longs."""
    short = mc.MarginState(-10, 100, 1)
    longs = {1: mc.MarginState(4, 40, 40), 2: mc.MarginState(20, 200, 200)}
    at = AT | {"mark_price_ticks": 9}
    items = mc.adl_run(CALL, short, longs, None, **at, index_price_ticks=20)
    assert [item.account for item in items] == [1, 2]
    assert sum(item.qty_lots for item in items) == 10
    mc.check_adl(CALL, short, longs, None, items, **at, index_price_ticks=20)
    with pytest.raises(ValueError, match="NUM-4: index_price_ticks = None"):
        mc.adl_run(CALL, short, longs, None, **at)


@pytest.mark.parametrize("module", [mc, funding, arrays], ids=lambda module: module.__name__)
def test_every_function_has_a_docstring_at_run_time(module: Any) -> None:
    """NUM-4: `help()` says what a compiled function returns, and its rule."""
    names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    found = [getattr(module, name) for name in names]
    ours = [f for f in found if callable(f) and getattr(f, "__module__", "").startswith("margin")]
    assert ours
    for function in ours:
        assert len(inspect.getdoc(function) or "") > 20, function
