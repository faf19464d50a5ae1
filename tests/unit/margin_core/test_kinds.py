"""Worked examples of the kinds of contract that are not linear perpetuals."""

from __future__ import annotations

from typing import Any

import pytest

import margin_core as mc

COIN = 10**8  # quote units of one coin
INVERSE = mc.MarketSpec(  # tick 0.5 USD, lot 1 USD
    market_id=1,
    kind=mc.ContractKind.INVERSE_PERPETUAL,
    quote_per_tick_lot=2 * COIN,
    price_ticks_max=10**7,
    position_lots_max=10**9,
    fee_maker_ppm=0,
    fee_taker_ppm=0,
    tiers=(
        mc.Tier(notional_floor_quote=0, margin_initial_ppm=10_000, margin_maintenance_ppm=5_000),
    ),
)
OPTION: dict[str, Any] = {
    "market_id": 2,
    "quote_per_tick_lot": 1,
    "price_ticks_max": 10**6,
    "position_lots_max": 10**6,
    "fee_maker_ppm": 0,
    "fee_taker_ppm": 0,
    "tiers": (),
    "funding_cap_ppm": 0,
    "expiry_time_s": 2_000_000_000,
    "strike_ticks": 1_900,
    "option_initial_least_ppm": 100_000,
    "option_initial_ppm": 150_000,
    "option_maintenance_ppm": 75_000,
}
CALL = mc.MarketSpec(kind=mc.ContractKind.OPTION_CALL, **OPTION)
PUT = mc.MarketSpec(
    kind=mc.ContractKind.OPTION_PUT,
    option_maintenance_of_mark_ppm=75_000,
    option_put_initial_ppm=1_050_000,
    **OPTION,
)
FUTURE = mc.MarketSpec(
    **OPTION
    | {f"option_{name}_ppm": 0 for name in ("initial_least", "initial", "maintenance")}
    | {"kind": mc.ContractKind.LINEAR_FUTURE, "strike_ticks": 0, "tiers": INVERSE.tiers}
)
AT = {"funding_index_e6": 0}


def opened(spec: mc.MarketSpec, side: int, lots: int, price: int, margin: int) -> mc.MarginState:
    after = mc.apply_fill(
        spec,
        mc.MarginState(0, 0, 0),
        **AT,
        mark_price_ticks=price,
        index_price_ticks=1_500,
        side=side,
        qty_lots=lots,
        price_ticks=price,
        fee_ppm=0,
        order_margin_quote=margin,
        free_quote=margin,
    )
    assert after.verdict == mc.Verdict.OK
    return after.state


def test_an_inverse_position_is_worth_its_coins() -> None:
    """NUM-3, COIN-1: 15,000 USD bought at 750 and sold at 800 gain 1.25 coins of 20."""
    long = opened(INVERSE, 0, 15_000, 1_500, 20 * COIN)
    assert long.entry_value_quote == 20 * COIN
    at = AT | {"mark_price_ticks": 1_600}
    assert mc.equity_quote(INVERSE, long, **at) == 20 * COIN + 125 * COIN // 100
    after = mc.apply_fill(
        INVERSE, long, **at, side=1, qty_lots=15_000, price_ticks=1_600, fee_ppm=0
    )
    assert after.pnl_quote == 125 * COIN // 100


def test_worth_rounds_against_the_trader_and_a_fill_moves_one_number() -> None:
    """NUM-3, COIN-1: 1 USD at 1.50 is 0.66666666(6) coins."""
    assert mc.worth_quote(INVERSE, position_lots=1, price_ticks=3) == 66_666_667
    assert mc.worth_quote(INVERSE, position_lots=-1, price_ticks=3) == 66_666_666
    assert mc.fee_quote(INVERSE, qty_lots=1, price_ticks=3, fee_ppm=100_000) == 6_666_667
    long, short = (opened(INVERSE, side, 1, 3, COIN) for side in (0, 1))
    assert long.entry_value_quote == short.entry_value_quote == 66_666_666


def test_an_inverse_long_is_liquidated_above_where_its_coins_end() -> None:
    """COIN-2, COIN-3: 2,000 USD at 2,000 with 10x: bankrupt at 1,818.18, liquidated before."""
    long = opened(INVERSE, 0, 2_000, 4_000, COIN // 10)
    bankrupt = mc.bankruptcy_price_ticks(INVERSE, long, **AT)
    price = mc.liquidation_price_ticks(INVERSE, long, **AT)
    assert (price, bankrupt) == (3_654, 3_637)
    for tick, unsafe in ((3_654, True), (3_655, False)):
        assert mc.is_liquidatable(INVERSE, long, **AT, mark_price_ticks=tick) is unsafe


def test_an_inverse_short_with_its_coins_behind_it_has_no_liquidation_price() -> None:
    """COIN-2, COIN-3: 1x: the coins that it owes fall as the price rises."""
    short = opened(INVERSE, 1, 2_000, 4_000, COIN)
    assert mc.liquidation_price_ticks(INVERSE, short, **AT) is None
    assert mc.bankruptcy_price_ticks(INVERSE, short, **AT) is None
    less = short._replace(collateral_quote=COIN - 10**6)
    assert mc.liquidation_price_ticks(INVERSE, less, **AT) == 398_000
    assert mc.bankruptcy_price_ticks(INVERSE, less, **AT) == 400_000


def test_an_inverse_long_beyond_every_price_is_bankrupt_at_the_last() -> None:
    """COIN-3: it has lost more than all its coins."""
    lost = mc.MarginState(2_000, COIN, -2 * COIN)
    assert mc.bankruptcy_price_ticks(INVERSE, lost, **AT) == INVERSE.price_ticks_max
    assert mc.liquidation_price_ticks(INVERSE, lost, **AT) == INVERSE.price_ticks_max


def test_a_short_option_needs_what_venues_publish_less_the_mark() -> None:
    """OPT-1: a call of strike 1,900 with the underlying at 1,500: 10 % and 7.5 % of it."""
    at: dict[str, Any] = {"position_lots": -1, "mark_price_ticks": 6, "index_price_ticks": 1_500}
    assert mc.initial_requirement_quote(CALL, **at) == 150
    assert mc.maintenance_requirement_quote(CALL, **at) == 113  # 112.5
    assert mc.initial_requirement_quote(PUT, **at) == 225  # in the money: 15 %
    rich = at | {"mark_price_ticks": 2_000, "index_price_ticks": 100}
    assert mc.maintenance_requirement_quote(PUT, **rich) == 150  # 7.5 % of the mark
    assert mc.initial_requirement_quote(PUT, **rich) == 258  # 1.05 * (150 + 2,000) - 2,000 = 257.5


def test_a_long_option_holds_its_premium_and_is_never_liquidated() -> None:
    """OPT-2, OPT-3: whatever its mark and its underlying do."""
    long = opened(CALL, 0, 10, 80, 800)
    assert mc.liquidation_price_ticks(CALL, long, **AT, index_price_ticks=1) is None
    assert mc.bankruptcy_price_ticks(CALL, long, **AT) == 0
    at: dict[str, Any] = AT | {"mark_price_ticks": 1_000, "index_price_ticks": 2_900}
    refused = mc.apply_take_out(CALL, long, **at, amount_quote=1)
    assert refused.verdict == mc.Verdict.INSUFFICIENT_MARGIN
    short = opened(CALL, 1, 10, 80, 1_500)
    assert mc.liquidation_price_ticks(CALL, short, **AT, index_price_ticks=1_500) == 118
    assert mc.liquidation_price_ticks(CALL, short, **AT, index_price_ticks=2_900) == 13


@pytest.mark.parametrize(
    ("spec", "side", "index", "pnl"),
    [
        (CALL, 0, 2_000, 10 * (100 - 80)),
        (CALL, 1, 2_000, 10 * (80 - 100)),
        (CALL, 1, 1_800, 10 * 80),
        (PUT, 0, 1_800, 10 * (100 - 80)),
        (PUT, 0, 2_000, -10 * 80),
        (FUTURE, 1, 90, 10 * (80 - 90)),
    ],
)
def test_delivery_pays_the_index_or_what_the_option_is_worth(
    spec: mc.MarketSpec, side: int, index: int, pnl: int
) -> None:
    """EXP-1: without fee; what is left of the collateral is free."""
    state = opened(spec, side, 10, 80, 3_000)
    after = mc.apply_settlement(spec, state, **AT, index_price_ticks=index)
    assert (after.verdict, after.pnl_quote, after.fee_quote) == (mc.Verdict.OK, pnl, 0)
    assert after.free_delta_quote == after.released_quote == 3_000 + pnl
    assert after.state == mc.MarginState(0, 0, 0)


def test_delivery_leaves_a_loss_beyond_the_collateral_to_the_fund() -> None:
    """EXP-1: never to the free balance."""
    state = opened(FUTURE, 1, 10, 80, 100)
    after = mc.apply_settlement(FUTURE, state, **AT, index_price_ticks=100)
    assert (after.free_delta_quote, after.state.collateral_quote) == (0, -100)


def test_an_option_is_judged_with_its_underlying() -> None:
    """OPT-1: the message names the argument that is missing."""
    with pytest.raises(ValueError, match="index_price_ticks = None: expected an integer from 1"):
        mc.initial_requirement_quote(CALL, position_lots=-1, mark_price_ticks=6)
    assert mc.initial_requirement_quote(FUTURE, position_lots=-1, mark_price_ticks=100) == 1
