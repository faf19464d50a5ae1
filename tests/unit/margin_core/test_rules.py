"""The Python face: bounds at the border, worked examples, the README, and the stubs."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import margin_core as mc
from tests.model.margin import Bucket, Market

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
SPEC = mc.MarketSpec(
    market_id=1,
    quote_per_tick_lot=10,
    price_ticks_max=1_000_000,
    position_lots_max=1_000_000,
    fee_maker_ppm=200,
    fee_taker_ppm=500,
    tiers=(
        mc.Tier(notional_floor_quote=0, margin_initial_ppm=10_000, margin_maintenance_ppm=5_000),
        mc.Tier(
            notional_floor_quote=10**9, margin_initial_ppm=20_000, margin_maintenance_ppm=10_000
        ),
    ),
)
LONG = mc.MarginState(1_000, 500_000_000, 50_000_000)  # 1,000 lots at 50,000
AT: dict[str, Any] = {"funding_index_e6": 0, "mark_price_ticks": 50_000}
FILL: dict[str, Any] = AT | {"side": 0, "qty_lots": 1, "price_ticks": 50_000, "fee_ppm": 0}

OUTSIDE: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any], str]] = [
    (mc.equity_quote, (10**6 + 1, 0, 0, 0), {}, "position_lots = 1000001: expected an integer"),
    (mc.equity_quote, (1, -1, 0, 0), {}, "entry_value_quote = -1: expected an integer from 0"),
    (mc.equity_quote, (1, 0, 2**60 + 1, 0), {}, "collateral_quote = 1152921504606846977"),
    (mc.equity_quote, (1, 0, 0, 2**62 + 1), {}, "funding_index_e6 = 4611686018427387905"),
    (mc.equity_quote, (1.5, 0, 0, 0), {}, "position_lots = 1.5: expected an integer"),
    (mc.equity_quote, (1, 5, 3), {}, "a state has four integers"),
    (mc.equity_quote, (), {}, "a state has four integers"),
    (mc.equity_quote, LONG, {"mark_price_ticks": 0}, "mark_price_ticks = 0: expected an integer"),
    (mc.equity_quote, LONG, {"mark_price_ticks": 1_000_001}, "from 1 to 1000000"),
    (mc.apply_fill, LONG, {"side": 2}, "side = 2: expected an integer from 0 to 1"),
    (mc.apply_fill, LONG, {"qty_lots": 0}, "qty_lots = 0: expected an integer from 1"),
    (mc.apply_fill, LONG, {"qty_lots": 2**32 - 1}, "from 1 to 4294967294"),
    (mc.apply_fill, LONG, {"price_ticks": 0}, "price_ticks = 0: expected an integer from 1"),
    (mc.apply_fill, LONG, {"fee_ppm": 100_001}, "fee_ppm = 100001: expected an integer from 0"),
    (mc.apply_fill, LONG, {"free_quote": -1}, "free_quote = -1: expected an integer from 0"),
    (mc.apply_fill, LONG, {"order_margin_quote": -1}, "order_margin_quote = -1"),
    (mc.apply_fill, LONG, {"order_qty_lots": 0}, "order_qty_lots = 0: expected an integer from 1"),
    (mc.apply_fill, LONG, {"order_filled_lots": 1}, "order_filled_lots = 1: expected an integer"),
]


@pytest.mark.parametrize(("function", "state", "change", "message"), OUTSIDE)
def test_a_value_outside_its_bounds_is_refused(
    function: Callable[..., object], state: tuple[Any, ...], change: dict[str, Any], message: str
) -> None:
    """NUM-1, NUM-2: the message names the value and its bounds."""
    arguments = (FILL if function is mc.apply_fill else AT) | change
    with pytest.raises(ValueError, match=re.escape(message)):
        function(SPEC, state, **arguments)


@pytest.mark.parametrize("spec", [None, object()])
def test_something_else_than_a_market_is_refused(spec: Any) -> None:
    """NUM-4: nothing that merely looks like a market reaches the C struct."""
    with pytest.raises(ValueError, match="expected a MarketSpec"):
        mc.equity_quote(spec, LONG, **AT)


def test_funding_beyond_the_bounds_raises() -> None:
    """MARG-1, NUM-2: narrowing is checked."""
    far = mc.MarginState(10**6, 0, 0, -(2**62))
    with pytest.raises(OverflowError, match="funding owed: 1000000 lots"):
        mc.funding_owed_quote(SPEC, far, funding_index_e6=2**62)


def test_a_fill_far_beyond_the_limit_is_refused() -> None:
    """FILL-6: the position limit is judged before any product could overflow."""
    fill = FILL | {"qty_lots": 2**32 - 2, "price_ticks": 10**6, "mark_price_ticks": 10**6}
    assert mc.apply_fill(SPEC, LONG, **fill).verdict == mc.Verdict.POSITION_LIMIT


def test_a_flat_position_has_nothing_to_liquidate() -> None:
    """LIQ-2: no lots."""
    at = AT | {"price_ticks": 50_000, "lots_max": 1}
    assert mc.liquidation_lots_max(SPEC, mc.MarginState(0, 0, 0), **at) == 0


def test_a_partial_liquidation_stops_at_the_first_lot_that_restores() -> None:
    """LIQ-2: with tiers the lots that restore are an inner interval; the fewest are closed."""
    rows = ((0, 162_000, 112_000), (63_000, 628_000, 578_000), (78_000, 991_000, 941_000))
    tiers = tuple(
        mc.Tier(notional_floor_quote=a, margin_initial_ppm=b, margin_maintenance_ppm=c)
        for a, b, c in rows
    )
    spec = mc.MarketSpec(
        market_id=1,
        quote_per_tick_lot=1,
        price_ticks_max=10_000,
        position_lots_max=10,
        fee_maker_ppm=0,
        fee_taker_ppm=0,
        fee_liquidation_ppm=46_192,
        tiers=tiers,
    )
    at = {"funding_index_e6": 0, "mark_price_ticks": 7_977, "price_ticks": 6_807}
    state = mc.MarginState(10, 83_760, 15_698)
    assert mc.liquidation_lots_max(spec, state, **at, lots_max=10) == 2


def test_adl_leaves_no_counterparty_in_debt() -> None:
    """LIQ-4: the counterparty ends with collateral of at least 0."""
    bankrupt = mc.MarginState(-10, 4_000_000, 900_000)  # short 10 at 40,000, bankrupt at 49,000
    counter = mc.MarginState(20, 8_000_000, -1_700_000)  # long 20 at 40,000, paid by its profit
    outcomes = mc.apply_adl(SPEC, bankrupt, counter, **AT, qty_lots=10)
    assert [outcome.verdict for outcome in outcomes] == [mc.Verdict.BANKRUPT] * 2


def test_adl_takes_nothing_from_the_free_balance() -> None:
    """LIQ-4, MARG-6: a short that is bankrupt even at price 0 is not closed by ADL."""
    short = mc.MarginState(-10, 4_000_000, 0, 600_000 * 10**6)  # owes 6,000,000 of funding
    long = mc.MarginState(10, 4_000_000, 3_000_000)
    outcomes = mc.apply_adl(SPEC, short, long, **AT, qty_lots=10)
    assert mc.bankruptcy_price_ticks(SPEC, short, funding_index_e6=0) == 0
    assert [outcome.verdict for outcome in outcomes] == [mc.Verdict.BANKRUPT] * 2


def test_ranks_end_inside_128_bits() -> None:
    """LIQ-4: each factor is at most 2^60."""
    spec = mc.MarketSpec(
        market_id=1,
        quote_per_tick_lot=1,
        price_ticks_max=2**27 - 1,
        position_lots_max=2**33,
        fee_maker_ppm=0,
        fee_taker_ppm=0,
        tiers=(mc.Tier(notional_floor_quote=0, margin_initial_ppm=2, margin_maintenance_ppm=1),),
    )
    mark, value = 2**27 - 1, 2**10
    state = mc.MarginState(2**33, value, value - 2**33 * mark + 1)
    rank = mc.adl_rank(spec, state, funding_index_e6=0, mark_price_ticks=mark)
    assert rank == 2**120


def test_the_readme_prints_what_it_says() -> None:
    """MARG-5: a liquidation price in five lines."""
    page = (ROOT / "margin_core/README.md").read_text()
    blocks = re.search(r"```python\n(.*?)```\n```text\n(.*?)```", page, re.DOTALL)
    assert blocks is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(blocks[1], {})
    assert printed.getvalue() == blocks[2]


@pytest.mark.slow
def test_the_stubs_say_what_the_module_has(tmp_path: Path) -> None:
    """MARG-5: signatures, defaults and names of rules.pyi are those of the compiled module."""
    allowed = tmp_path / "allowed"
    names = "FEE_PPM_MAX|FUNDING_INDEX_E6_MAX|ORDER_LOTS_MAX|PRICE_TICKS_MAX|QUOTE_MAX"
    names += "|__pyx_capi__|__test__"
    allowed.write_text(f"margin_core.(rules|funding|arrays).({names})\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "margin_core", "--allowlist", str(allowed)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_partial_close_is_the_smallest_of_a_million_lots() -> None:
    """LIQ-2: in every tier, for both sides; what restores stays restored, so samples below do."""
    rng = Random("partial close")
    tiers = tuple(
        mc.Tier(notional_floor_quote=low, margin_initial_ppm=2 * rate, margin_maintenance_ppm=rate)
        for low, rate in ((0, 5_000), (10**12, 10_000), (10**13, 25_000))
    )
    spec = replace(SPEC, quote_per_tick_lot=10_000, position_lots_max=10**6, tiers=tiers)
    partial = 0
    for _ in range(200):
        mark, lots = rng.randint(500, spec.price_ticks_max), rng.randint(1_000, 10**6)
        market = Market(spec, 0, mark)
        p = Bucket(rng.choice((-1, 1)) * lots, market.traded(lots, mark), 0)
        p.margin = rng.randint(market.maintenance(p) // 4, market.maintenance(p) - 1)
        price = mark + rng.choice((-1, 0, 1)) * rng.randint(0, mark // 500)
        at = {"funding_index_e6": 0, "mark_price_ticks": mark, "price_ticks": price}
        state = mc.MarginState(p.lots, p.value, p.margin)
        found = mc.liquidation_lots_max(spec, state, **at, lots_max=lots)
        partial += found < lots
        assert found == lots or market.restored(p, found, price)
        below = {*range(found - 20, found), *(rng.randint(1, found) for _ in range(20))}
        assert not any(market.restored(p, n, price) for n in below if 1 <= n < found)
    assert partial > 50
