"""At the very bounds of SPEC §1 the kernel is the model; beyond them it raises."""

from __future__ import annotations

import inspect
import os
import re
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import margin_core as mc
from margin_core import funding
from margin_core.limits import (
    FEE_PPM_MAX,
    FUNDING_INDEX_E6_MAX,
    ORDER_LOTS_MAX,
    PRICE_TICKS_MAX,
    QUOTE_MAX,
)
from tests.differential.test_margin_model import CHECKS, Check
from tests.model.cases import corner_bucket, corner_contract, corner_market

if TYPE_CHECKING:
    from collections.abc import Callable

RESERVED_LOTS = ORDER_LOTS_MAX * 2**20  # of all open orders of one side
STATES = int(os.environ.get("BULKHEAD_SOAK_STATES", "20000")) // 100
LOTS, TICKS = 1_000, 2**20
TIER = mc.Tier(notional_floor_quote=0, margin_initial_ppm=20_000, margin_maintenance_ppm=10_000)
MARKET: dict[str, Any] = {
    "market_id": 1, "quote_per_tick_lot": 2, "price_ticks_max": TICKS, "position_lots_max": LOTS,
    "fee_maker_ppm": 0, "fee_taker_ppm": 0,
}  # fmt: skip
PERPETUAL = mc.MarketSpec(**MARKET, impact_notional_quote=1, tiers=(TIER,))
CALL = mc.MarketSpec(
    **MARKET, kind=mc.ContractKind.OPTION_CALL, expiry_time_s=1, strike_ticks=9, tiers=(),
    funding_cap_ppm=0, option_maintenance_ppm=1, option_initial_least_ppm=1, option_initial_ppm=1,
)  # fmt: skip
BOUNDS = {
    "amount_quote": (1, QUOTE_MAX), "cap_quote": (0, QUOTE_MAX), "fee_ppm": (0, FEE_PPM_MAX),
    "free_quote": (0, QUOTE_MAX),
    "funding_index_e6": (-FUNDING_INDEX_E6_MAX, FUNDING_INDEX_E6_MAX),
    "index_price_ticks": (1, TICKS), "lots_max": (1, 10), "mark_price_ticks": (1, TICKS),
    "order_filled_lots": (0, 0), "order_margin_quote": (0, QUOTE_MAX),
    "order_qty_lots": (10, ORDER_LOTS_MAX), "position_lots": (-LOTS, LOTS),
    "price_ticks": (1, TICKS), "qty_lots": (1, ORDER_LOTS_MAX), "rate_ppm": (-7_500, 7_500),
    "sample_count": (1, funding.SAMPLES_MAX), "elapsed_s": (0, funding.SECONDS_MAX),
    "premium_ppm_sum": (-(10**6), 10**6), "side": (0, 1),
    "buy_lots": (0, RESERVED_LOTS), "buy_margin_quote": (0, QUOTE_MAX),
    "sell_lots": (0, RESERVED_LOTS), "sell_margin_quote": (0, QUOTE_MAX),
}  # fmt: skip
INNER = {
    "position_lots": -10,
    "qty_lots": 10,
    "order_qty_lots": 10,
    "order_filled_lots": 0,
    "sample_count": 1,
    "buy_lots": 1,
    "sell_lots": 1,
}
OF_MARKET = {  # where a bound is the market's, or the largest price of any
    "qty_lots": dict.fromkeys(
        ("fee_quote", "apply_adl", "collateral_for_leverage_quote", "order_cost"), LOTS
    ),
    "position_lots": {"reservation_quote": RESERVED_LOTS},
    "index_price_ticks": {"premium_ppm": PRICE_TICKS_MAX},
}
STATE = mc.MarginState(10, 10, 10)
FACE: list[Callable[..., Any]] = [
    mc.equity_quote, mc.funding_owed_quote, mc.worth_quote, mc.fee_quote, mc.is_liquidatable,
    mc.maintenance_requirement_quote, mc.initial_requirement_quote, mc.margin_ratio_ppm,
    mc.liquidation_price_ticks, mc.bankruptcy_price_ticks, mc.liquidation_lots_max, mc.adl_rank,
    mc.apply_fill, mc.apply_top_up, mc.apply_auto_top_up, mc.apply_take_out,
    mc.apply_liquidation_fill, mc.apply_takeover,
    mc.apply_fund_fill, mc.apply_adl, mc.apply_settlement, funding.funding_rate_ppm,
    funding.funding_index_after_e6, funding.premium_ppm, mc.apply_leverage, mc.order_cost,
    mc.collateral_for_leverage_quote, mc.order_margin_quote, mc.reservation_quote,
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", mc.ContractKind, ids=lambda kind: kind.name)
def test_the_kernel_equals_the_model_at_every_bound(kind: mc.ContractKind, check: Check) -> None:
    """NUM-1, NUM-2, NUM-3, NUM-4, MKT-1, MKT-3: the debug build traps what overflows."""
    rng = Random(f"bounds {kind} {check.__name__}")
    for _ in range(STATES):
        market = corner_market(rng, corner_contract(rng, kind))
        bucket = corner_bucket(rng, market)
        try:
            check(rng, market, bucket)
        except Exception as error:
            error.add_note(f"{bucket}, {vars(market)}")
            raise


def arguments_of(function: Callable[..., Any]) -> tuple[list[Any], dict[str, int]]:
    """Return states, and a value inside its bounds for each number that a function takes."""
    states: list[Any] = []
    numbers: dict[str, int] = {}
    for name in inspect.signature(function).parameters:
        if name in {"state", "fund", "counterparty"}:
            states.append(STATE)
        elif name in BOUNDS:
            numbers[name] = INNER.get(name, max(0, BOUNDS[name][0]))
    return states, numbers


@pytest.mark.parametrize("function", FACE, ids=lambda function: function.__name__)
def test_one_beyond_a_bound_raises_with_rule_value_and_unit(function: Callable[..., Any]) -> None:
    """NUM-4: every number of every function, on both sides."""
    states, numbers = arguments_of(function)
    called = function.__name__
    has_spec = "spec" in inspect.signature(function).parameters
    is_judged = "index_price_ticks" in numbers and "rate_ppm" not in numbers
    specs = [CALL if is_judged else PERPETUAL] if has_spec else []
    if "leverage" in inspect.signature(function).parameters:
        function = partial(function, leverage=1)
    function(*specs, *states, **numbers)
    assert numbers
    for name in numbers:
        low, high = BOUNDS[name]
        if called in OF_MARKET.get(name, {}):
            high = OF_MARKET[name][called]
            low = -high if low < 0 else low
        for outside in (low - 1, high + 1, 1.5, None):
            if outside is None and name in {"order_qty_lots", "index_price_ticks"}:
                continue
            with pytest.raises(ValueError, match=re.escape(f"NUM-4: {name} = {outside!r}: ")) as e:
                function(*specs, *states, **numbers | {name: outside})
            assert re.search(r"expected an integer from -?\d+ to -?\d+ \S+", str(e.value))


@pytest.mark.parametrize("field", mc.MarginState._fields)
def test_a_position_beyond_a_bound_raises(field: str) -> None:
    """NUM-4."""
    most = {"position_lots": LOTS, "funding_index_e6": 2**62}.get(field, QUOTE_MAX)
    beyond = STATE._replace(**{field: most + 1})
    with pytest.raises(ValueError, match=f"NUM-4: {field} = {most + 1}: expected an integer from"):
        mc.equity_quote(PERPETUAL, beyond, funding_index_e6=0, mark_price_ticks=1)


def test_an_outcome_beyond_a_bound_raises() -> None:
    """NUM-4: a top-up, a profit, and an entry value that do not fit."""
    full = mc.MarginState(10, 10, QUOTE_MAX)
    with pytest.raises(OverflowError, match=r"^NUM-4: collateral_quote after the change = "):
        mc.apply_top_up(PERPETUAL, full, funding_index_e6=0, amount_quote=1, free_quote=1)
    at = {"funding_index_e6": 0, "mark_price_ticks": TICKS}
    with pytest.raises(OverflowError, match=r"^NUM-4: free_delta_quote after the change = "):
        mc.apply_fill(PERPETUAL, full, **at, side=1, qty_lots=10, price_ticks=TICKS, fee_ppm=0)
    rich = mc.MarginState(10, QUOTE_MAX, QUOTE_MAX)
    with pytest.raises(OverflowError, match=r"^NUM-4: entry_value_quote after the change = "):
        mc.apply_fill(PERPETUAL, rich, **at, side=0, qty_lots=1, price_ticks=1, fee_ppm=0)
