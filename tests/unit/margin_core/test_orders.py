"""What orders and leverage ask for, what-ifs, and tiers from tables of brackets."""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import margin_core as mc
from tests.unit.margin_core.test_kinds import CALL, COIN, INVERSE
from tests.unit.margin_core.test_rules import LONG, SPEC

AT = mc.At(0, 50_000)
NOW: dict[str, Any] = {"funding_index_e6": 0, "mark_price_ticks": 50_000}


def test_the_ratio_is_above_one_exactly_when_liquidatable() -> None:
    """RATIO-1: rounded up; 2^60 where nothing is left, 0 when flat."""
    needs = mc.maintenance_requirement_quote(SPEC, position_lots=1_000, mark_price_ticks=50_000)
    for equity, ratio in ((needs, 10**6), (needs - 1, 10**6 + 1), (2 * needs, 500_000), (0, 2**60)):
        state = LONG._replace(collateral_quote=equity)
        assert mc.margin_ratio_ppm(SPEC, state, **NOW) == ratio
        assert mc.is_liquidatable(SPEC, state, **NOW) is (ratio > 10**6)
    assert mc.margin_ratio_ppm(SPEC, mc.MarginState(0, 0, 0), **NOW) == 0


def test_leverage_is_a_way_to_compute_collateral() -> None:
    """LEV-1: a tenth of 500 million, and half a per mille of fee twice."""
    order: dict[str, Any] = {"qty_lots": 1_000, "price_ticks": 50_000}
    assert mc.collateral_for_leverage_quote(SPEC, **order, leverage=10) == 50_500_000
    part = Fraction(25, 2)
    assert mc.collateral_for_leverage_quote(SPEC, **order, leverage=part) == 40_500_000
    opened = mc.what_if_order(
        SPEC, (0, 0, 0, 0), mc.PendingOrder(0, 1_000, 50_000, 50_500_000), at=AT, free_quote=10**9
    )
    assert opened.state.collateral_quote == 50_250_000
    assert mc.collateral_for_leverage_quote(SPEC, **order, leverage=100)
    with pytest.raises(
        ValueError, match=r"LEV-1: leverage = 101: .* are below the initial 5250000"
    ):
        mc.collateral_for_leverage_quote(SPEC, **order, leverage=101)
    for wrong in (0, 0.5, "10"):
        with pytest.raises(ValueError, match=r"LEV-1: leverage = .*: expected an exact number of"):
            mc.collateral_for_leverage_quote(SPEC, **order, leverage=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="LEV-1: leverage = 2: an option of kind OPTION_CALL"):
        mc.collateral_for_leverage_quote(CALL, **order, leverage=2)


@pytest.mark.parametrize(("leverage", "collateral"), [(5, 100_250_000), (10, 50_250_000)])
def test_a_change_of_leverage_moves_collateral(leverage: int, collateral: int) -> None:
    """LEV-1, COLL-1, WHAT-1: and the liquidation price with it."""
    after = mc.what_if_leverage(SPEC, LONG, leverage, at=AT, free_quote=10**9)
    assert after.verdict == mc.Verdict.OK
    assert after.state.collateral_quote == collateral
    assert after.free_delta_quote == LONG.collateral_quote - collateral
    assert after.liquidation_price_before_ticks is not None
    assert after.liquidation_price_ticks is not None
    assert after.liquidation_price_ticks < after.liquidation_price_before_ticks
    again = mc.what_if_leverage(SPEC, after.state, leverage, at=AT, free_quote=0)
    assert (again.verdict, again.free_delta_quote) == (mc.Verdict.OK, 0)


def test_a_leverage_beyond_the_initial_requirement_is_refused() -> None:
    """LEV-1, FILL-6, WHAT-1: with the position as it is."""
    after = mc.what_if_leverage(SPEC, LONG, 200, at=AT, free_quote=0)
    assert after.verdict == mc.Verdict.INSUFFICIENT_MARGIN
    assert after.state == LONG
    assert after.liquidation_price_ticks == after.liquidation_price_before_ticks
    assert (after.free_delta_quote, after.fee_quote) == (0, 0)
    flat = mc.what_if_leverage(SPEC, (0, 0, 0, 0), 2, at=AT, free_quote=10)
    assert flat.verdict == mc.Verdict.NO_POSITION
    down = mc.what_if_leverage(SPEC, LONG, 2, at=AT, free_quote=10)
    assert down.verdict == mc.Verdict.INSUFFICIENT_FREE_COLLATERAL


def test_pending_orders_move_the_liquidation_price() -> None:
    """WHAT-1: one after another, each at its own price."""
    orders = [mc.PendingOrder(0, 1_000, 45_000, 45_000_000), mc.PendingOrder(1, 500, 46_000)]
    after = mc.what_if_orders(SPEC, LONG, orders, at=mc.At(0, 45_500), free_quote=45_000_000)
    assert after.verdict == mc.Verdict.OK
    assert after.state.position_lots == 1_500
    assert after.fee_quote == 225_000 + 115_000
    assert after.liquidation_price_before_ticks == 45_248
    assert after.liquidation_price_ticks is not None
    assert after.liquidation_price_ticks < 45_248
    none = mc.what_if_orders(SPEC, LONG, [], at=AT, free_quote=0)
    assert none.state == LONG
    assert none.equity_quote == 50_000_000
    refused = mc.what_if_orders(SPEC, LONG, orders, at=mc.At(0, 45_500), free_quote=1)
    assert (refused.verdict, refused.state) == (mc.Verdict.INSUFFICIENT_FREE_COLLATERAL, LONG)


def test_what_if_says_what_the_change_does() -> None:
    """WHAT-1, COLL-1: the same numbers as the functions of the kernel."""
    more = mc.what_if_top_up(SPEC, LONG, 10**6, at=AT, free_quote=10**6)
    assert more.state.collateral_quote == more.equity_quote == 51_000_000
    less = mc.what_if_take_out(SPEC, LONG, 10**6, at=AT)
    assert less.state.collateral_quote == less.equity_quote == 49_000_000
    for told in (more, less):
        assert told.ratio_ppm == mc.margin_ratio_ppm(SPEC, told.state, **NOW)
        assert told.bankruptcy_price_ticks == mc.bankruptcy_price_ticks(
            SPEC, told.state, funding_index_e6=0
        )
    assert less.initial_quote > less.maintenance_quote


def test_an_order_costs_margin_and_two_fees() -> None:
    """COST-1: 10,000 USD of coins at 2,000 with 25x, for 0.055 %; bankrupt at 1,923.5."""
    spec = mc.MarketSpec(
        **{name: getattr(INVERSE, name) for name in INVERSE.__slots__} | {"fee_taker_ppm": 550}
    )
    cost = mc.order_cost(spec, side=0, qty_lots=10_000, price_ticks=4_000, leverage=25)
    assert cost == (COIN // 5, 275_000, 285_938, COIN // 5 + 560_938)
    with pytest.raises(ValueError, match="an option of kind OPTION_CALL"):
        mc.order_cost(CALL, side=0, qty_lots=1, price_ticks=1, leverage=1)


@pytest.mark.parametrize(
    ("position", "orders", "reserved"),
    [
        (0, (10, 100, 10, 70), 100),
        (10, (10, 100, 10, 700), 100),
        (-10, (15, 100, 10, 7), 34),  # ceil(100 * 5 / 15)
        (0, (0, 0, 0, 0), 0),
        (-3, (2, 100, 0, 0), 0),
    ],
)
def test_open_orders_reserve_the_worse_side(
    position: int, orders: tuple[int, int, int, int], reserved: int
) -> None:
    """ORD-3: what would first close the position reserves nothing."""
    names = ("buy_lots", "buy_margin_quote", "sell_lots", "sell_margin_quote")
    sides = dict(zip(names, orders, strict=True))
    assert mc.reservation_quote(position_lots=position, **sides) == reserved
    with pytest.raises(ValueError, match="sell_lots = -1: expected an integer from 0"):
        mc.reservation_quote(position_lots=0, sell_lots=-1)


def test_a_resting_order_brings_fee_initial_and_loss_at_the_mark() -> None:
    """ORD-2: a buy above the mark, a sell below it, and what only closes."""
    order: dict[str, Any] = {"qty_lots": 100, "mark_price_ticks": 50_000}
    buy = mc.order_margin_quote(SPEC, position_lots=0, side=0, price_ticks=50_010, **order)
    assert buy == 25_005 + 525_105 + 10_000
    sell = mc.order_margin_quote(SPEC, position_lots=0, side=1, price_ticks=49_990, **order)
    assert sell == 24_995 + 525_000 + 10_000
    assert mc.order_margin_quote(SPEC, position_lots=100, side=1, price_ticks=1, **order) == 0
    with pytest.raises(ValueError, match="ORD-2: kind = INVERSE_PERPETUAL: expected a linear"):
        mc.order_margin_quote(INVERSE, position_lots=0, side=1, price_ticks=1, **order)


ROWS = [mc.Bracket(0, 50, 100, "0.005", 0), mc.Bracket(50, 250, 50, "0.01", "0.25")]


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        (
            1,
            {"amount": 0},
            "amount = 0: expected 1/4, else the requirement jumps by 1/4 at the flo",
        ),
        (1, {"amount": 0}, "the whole position would be charged at one rate"),
        (1, {"floor": 60}, "brackets[1].floor = 60: expected 50, where the one before ends"),
        (1, {"cap": 50}, "brackets[1].cap = 50: expected more than the floor 50"),
        (1, {"maintenance_rate": "0.004"}, "maintenance_rate = 1/250: expected at least 1/200"),
        (0, {"leverage_max": "0.5"}, "brackets[0].leverage_max = 1/2: expected at least 1"),
        (0, {"leverage_max": "ten"}, "brackets[0].leverage_max = 'ten': expected an exact number"),
        (0, {"amount": 0.5}, "brackets[0].amount = 0.5: expected an exact number"),
    ],
)
def test_a_table_whose_requirement_jumps_is_refused(
    row: int, change: dict[str, Any], message: str
) -> None:
    """TIER-1, MKT-2: with the row and the reason."""
    rows = list(ROWS)
    rows[row] = rows[row]._replace(**change)
    with pytest.raises(ValueError, match=r"\ATIER-1: ") as refused:
        mc.tiers_from_brackets(rows, quote_per_unit=10**6)
    assert message in str(refused.value)


def test_a_table_has_one_to_sixteen_rows() -> None:
    """TIER-1, MKT-1."""
    for rows in ([], ROWS * 9):
        with pytest.raises(ValueError, match="expected 1 to 16"):
            mc.tiers_from_brackets(rows, quote_per_unit=1)


def test_brackets_of_a_venue_become_markets(data_dir: Path) -> None:
    """TIER-1, MKT-2: every symbol of a published table; the amounts are the published ones."""
    zstandard = pytest.importorskip("zstandard")
    path = data_dir / "risk/binance_leverage_brackets_2024-10.csv.zst"
    if not path.is_file():
        pytest.skip("no table of brackets in the data folder")
    packed = io.BytesIO(path.read_bytes())
    text = zstandard.ZstdDecompressor().stream_reader(packed).read().decode()
    tables: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        tables.setdefault(row["symbol"], []).append(row)
    names = ("min_notional", "max_notional", "max_leverage", "mmr", "cum")
    listed = 0
    for symbol, rows in tables.items():
        brackets = [mc.Bracket(*(row[name] for name in names)) for row in rows]
        tiers = mc.tiers_from_brackets(brackets, quote_per_unit=10**6, fee_taker_ppm=500)
        spec = mc.MarketSpec(
            market_id=1,
            quote_per_tick_lot=1,
            price_ticks_max=10**6,
            position_lots_max=10**6,
            fee_maker_ppm=0,
            fee_taker_ppm=500,
            tiers=tiers,
        )
        amounts = [m for _, m in mc.market_spec.tier_amounts_quote(spec)]
        assert amounts == [Fraction(row["cum"]) * 10**6 for row in rows], symbol
        listed += 1
    assert listed == len(tables) > 300
