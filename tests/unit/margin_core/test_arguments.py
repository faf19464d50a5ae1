"""What is no number, and what looks like one; every public function has a docstring at run time."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import margin_core as mc
from margin_core import arrays, funding, vector
from margin_core.models import concentration
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


def numbers_of(integer: type[Any], spec: mc.MarketSpec) -> dict[str, Any]:
    """Return the numeric parameters of a market, each as another type of integer."""
    names = ("market_id", "quote_per_tick_lot", "price_ticks_max", "position_lots_max", "kind")
    tiers = tuple(
        mc.Tier(
            notional_floor_quote=integer(tier.notional_floor_quote),
            margin_initial_ppm=integer(tier.margin_initial_ppm),
            margin_maintenance_ppm=integer(tier.margin_maintenance_ppm),
        )
        for tier in spec.tiers
    )
    rates = {name: integer(getattr(spec, name)) for name in ("fee_maker_ppm", "fee_taker_ppm")}
    return rates | {"tiers": tiers} | {name: integer(getattr(spec, name)) for name in names}


def test_integers_of_numpy_are_integers_beside_the_kernel() -> None:
    """NUM-4, MKT-1, ORA-1: markets, orders, reservations, brackets, index prices."""
    one: Any = np.int64
    spec = mc.MarketSpec(**numbers_of(one, PERPETUAL))
    plain = mc.MarketSpec(**numbers_of(int, PERPETUAL))
    assert spec == plain
    assert spec.pack() == plain.pack()
    assert {type(spec.market_id), type(spec.tiers[0].margin_initial_ppm)} == {int}
    assert type(mc.reservation_quote(position_lots=one(3))) is int
    assert mc.reservation_quote(
        position_lots=one(-3), buy_lots=one(2**40), buy_margin_quote=one(2**60)
    ) == mc.reservation_quote(position_lots=-3, buy_lots=2**40, buy_margin_quote=2**60)
    order = {"side": 0, "qty_lots": 5, "price_ticks": 900}
    for function, more in (
        (mc.order_cost, {"leverage": 5}),
        (mc.collateral_for_leverage_quote, {"leverage": 5}),
        (mc.order_margin_quote, {"position_lots": -2, "mark_price_ticks": 901}),
    ):
        told: dict[str, Any] = order | more
        if function is mc.collateral_for_leverage_quote:
            del told["side"]
        called: Any = function
        of_numpy = {name: one(value) for name, value in told.items()}
        assert called(PERPETUAL, **of_numpy) == called(PERPETUAL, **told)
    limits = {
        "now_ms": 9, "quorum": 1, "age_max_ms": 9, "spread_max_ms": 9, "deviation_max_ppm": 10**6
    }  # fmt: skip
    found = mc.index_price(
        [("a", one(2**27 - 1), one(5))], **{name: one(value) for name, value in limits.items()}
    )
    assert found == mc.index_price([("a", 2**27 - 1, 5)], **limits)
    row = mc.Bracket(0, 50_000, 100, "0.005", 0)
    tiers = mc.tiers_from_brackets([row._replace(cap=one(50_000))], quote_per_unit=one(10**6))
    assert tiers == mc.tiers_from_brackets([row], quote_per_unit=10**6)
    assert concentration.maintenance_ppm_of_initial(one(10**6), one(10**6)) == 10**6
    assert concentration.rate_e4_by_root_of_size(
        one(501), factor_e6=one(50), quantity_e9=one(10**15)
    ) == 901  # fmt: skip


WRONG: dict[str, tuple[Any, ...]] = {
    "an order of None": (mc.what_if_order, PERPETUAL, LONG, None),
    "an order that is a tuple": (mc.what_if_order, PERPETUAL, LONG, (0, 1, 5)),
    "orders of None": (mc.what_if_orders, PERPETUAL, LONG, None),
    "no market": (mc.what_if_leverage, None, LONG, 2),
    "no state": (mc.what_if_leverage, PERPETUAL, None, 2),
    "a state of three": (mc.what_if_top_up, PERPETUAL, (1, 2, 3), 2),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_argument_of_a_what_if_is_told(wrong: str) -> None:
    """NUM-4, WHAT-1: never another error, and `at` has names."""
    function, *arguments = WRONG[wrong]
    with pytest.raises(ValueError, match=r"^NUM-4: .*(expected|has four integers)"):
        function(*arguments, at=mc.At(0, 5), free_quote=0)
    with pytest.raises(ValueError, match=r"^NUM-4: at = \(0, 5\): expected an At"):
        mc.what_if_orders(PERPETUAL, LONG, [], at=(0, 5), free_quote=0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^NUM-4: free_quote = -1: "):
        mc.what_if_orders(PERPETUAL, LONG, [], at=mc.At(0, 5), free_quote=-1)


def test_what_is_no_market_state_or_source_is_told() -> None:
    """NUM-4, MKT-1, LEV-1, COST-1, ORD-2, LIQ-4."""
    leveraged: Any = {"leverage": 2, "funding_index_e6": 0, "free_quote": 1}
    no_market: Any = None
    for called in (
        lambda: mc.apply_leverage(no_market, LONG, **leveraged, mark_price_ticks=5),
        lambda: mc.apply_leverage(PERPETUAL, (1, 2.5, 3), **leveraged, mark_price_ticks=5),  # type: ignore[arg-type]
        lambda: mc.apply_leverage(
            PERPETUAL, LONG, **leveraged | {"free_quote": 2**60}, mark_price_ticks=-5
        ),
        lambda: mc.order_cost(no_market, side=0, qty_lots=1, price_ticks=1, leverage=2),
        lambda: mc.order_margin_quote(
            no_market, position_lots=0, side=0, qty_lots=1, price_ticks=5, mark_price_ticks=5
        ),
        lambda: mc.adl_run(no_market, LONG, {}, None, **AT),
        lambda: mc.adl_run(PERPETUAL, LONG, {1: (1, 2)}, None, **AT),  # type: ignore[dict-item]
        lambda: mc.adl_run(PERPETUAL, LONG, {1: ("a", 2, 3, 4)}, None, **AT),  # type: ignore[dict-item]
        lambda: mc.adl_run(PERPETUAL, LONG, no_market, None, **AT),
    ):
        with pytest.raises(ValueError, match=r"^NUM-4: "):
            called()
    tier: Any = 1
    with pytest.raises(ValueError, match=r"^MKT-1: tiers\[0\] = 1: expected a Tier"):
        mc.MarketSpec(**numbers_of(int, PERPETUAL) | {"tiers": (tier,)})
    limits = dict.fromkeys(("now_ms", "quorum", "age_max_ms", "spread_max_ms"), 1)
    bad: tuple[Any, ...] = (None, [([], 5, 1)], [("a", 5)])
    for given in bad:
        with pytest.raises(ValueError, match=r"^NUM-4: observations? = .*: expected "):
            mc.index_price(given, **limits, deviation_max_ppm=1)


def test_shapes_that_do_not_fit_are_told() -> None:
    """NUM-4: one message with the shapes."""
    at: dict[str, Any] = {"funding_index_e6": 0, "mark_price_ticks": 1}
    with pytest.raises(ValueError, match=r"^NUM-4: shapes do not fit .*lots \(2,\), entry.*\(3,\)"):
        vector.margins(PERPETUAL, [1, 2], [1, 2, 3], 1, **at)
    for marks in ([1, 2, 3], []):
        with pytest.raises(
            ValueError, match=r"^NUM-4: shapes do not fit .*positions \(2,\), mark_"
        ):
            vector.margins(PERPETUAL, [1, 2], 1, 1, **at | {"mark_price_ticks": marks})
    ragged: Any = [[1], [1, 2]]
    with pytest.raises(ValueError, match=r"^NUM-4: position_lots = .*: expected an array of one"):
        vector.margins(PERPETUAL, ragged, 1, 1, **at)


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
