"""What must hold for every position, whatever the formulas: safety, solvency, conservation."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import margin_core as mc
from margin_core.limits import ORDER_LOTS_MAX, QUOTE_MAX
from tests.model.cases import (
    any_bucket,
    any_fund,
    any_index,
    any_lots,
    any_market,
    any_spec,
    around,
    order_of,
    within,
)
from tests.model.margin import Bucket

if TYPE_CHECKING:
    from random import Random

    from margin_core import FillOutcome, MarginState, MarketSpec

OK = mc.Verdict.OK
chance = given(st.randoms(use_true_random=False))
rare = settings(suppress_health_check=[HealthCheck.filter_too_much])


class Case:
    """A market at a mark and an index, and positions in it."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.market = any_market(rng, any_spec(rng))
        self.spec: MarketSpec = self.market.spec
        self.at = {"funding_index_e6": self.market.index}
        self.marked = self.at | {"mark_price_ticks": self.market.mark}

    def position(self, sign: int = 0) -> MarginState:
        return state_of(any_bucket(self.rng, self.market, sign))

    def liquidatable(self) -> MarginState:
        state = self.position()
        assume(mc.is_liquidatable(self.spec, state, **self.marked))
        return state

    def equity(self, state: MarginState) -> int:
        return self.market.equity(Bucket(*state))

    def maintenance(self, lots: int) -> int:
        return mc.maintenance_requirement_quote(
            self.spec, position_lots=lots, mark_price_ticks=self.market.mark
        )

    def initial(self, lots: int) -> int:
        return mc.initial_requirement_quote(
            self.spec, position_lots=lots, mark_price_ticks=self.market.mark
        )

    def over_buffer(self, state: MarginState) -> int:
        """Return equity less maintenance and buffer."""
        buffer = self.market.share(
            state.position_lots, self.market.mark, self.spec.liquidation_buffer_ppm
        )
        return self.equity(state) - self.maintenance(state.position_lots) - buffer

    def fill(self, state: MarginState, order: dict[str, int]) -> FillOutcome:
        return within(
            mc.apply_fill,
            self.spec,
            state,
            **self.marked,
            side=0 if order["sign"] > 0 else 1,
            qty_lots=order["lots"],
            price_ticks=order["price"],
            fee_ppm=order["rate"],
            order_margin_quote=order["margin"],
            order_qty_lots=order["order_lots"],
            order_filled_lots=order["filled"],
            free_quote=order["free"],
        )


def state_of(p: Bucket) -> MarginState:
    return mc.MarginState(p.lots, p.value, p.margin, p.index)


def wealth(state: MarginState) -> int:
    """Return collateral less signed entry value: a position's term of CONS-1."""
    entry = state.entry_value_quote if state.position_lots > 0 else -state.entry_value_quote
    return state.collateral_quote - entry


def gained(before: MarginState, after: FillOutcome) -> int:
    """Return what account, position and pool have more than before."""
    moved = after.free_delta_quote + after.funding_quote
    return wealth(after.state) - wealth(before) + moved


@chance
def test_equity_at_maintenance_is_safe_and_one_unit_less_is_not(rng: Random) -> None:
    """MARG-4: equality is safe."""
    case = Case(rng)
    state = case.position()
    excess = case.equity(state) - case.maintenance(state.position_lots)
    assume(abs(state.collateral_quote - excess) < QUOTE_MAX)
    level = state._replace(collateral_quote=state.collateral_quote - excess)
    assert not mc.is_liquidatable(case.spec, level, **case.marked)
    below = level._replace(collateral_quote=level.collateral_quote - 1)
    assert mc.is_liquidatable(case.spec, below, **case.marked)


@chance
def test_ticks_around_the_liquidation_price(rng: Random) -> None:
    """MARG-5: liquidatable at it, safe at the tick before it, and so on for ever."""
    case = Case(rng)
    state = case.position()
    top = case.spec.price_ticks_max
    price = mc.liquidation_price_ticks(case.spec, state, **case.at)
    away = -1 if state.position_lots > 0 else 1  # the direction that hurts
    if price is None:
        price = 0 if state.position_lots > 0 else top + 1
    else:
        assert 0 <= price <= top
    for step in (-5, -2, -1, 0, 1, 2, 5):
        tick = price + away * step
        if 1 <= tick <= top:
            unsafe = mc.is_liquidatable(case.spec, state, **case.at, mark_price_ticks=tick)
            assert unsafe is (step >= 0)


@chance
def test_equity_at_the_bankruptcy_price_is_less_than_a_tick(rng: Random) -> None:
    """MARG-6: at B the equity is at least 0 and less than |q| · u."""
    case = Case(rng)
    bucket = any_bucket(rng, case.market)
    price = mc.bankruptcy_price_ticks(case.spec, state_of(bucket), **case.at)
    assert price is not None
    if price > 0:
        left = case.market.equity(bucket, price)
        assert 0 <= left < abs(bucket.lots) * case.spec.quote_per_tick_lot


@chance
def test_a_top_up_never_raises_the_risk(rng: Random) -> None:
    """COLL-1: equity rises by the amount, the liquidation price does not come nearer."""
    case = Case(rng)
    state = case.position()
    amount = rng.choice((1, rng.randint(1, 10**9)))
    after = within(
        mc.apply_top_up, case.spec, state, **case.at, amount_quote=amount, free_quote=amount
    )
    assert after.verdict == OK
    assert after.free_delta_quote == -amount
    assert case.equity(after.state) == case.equity(state) + amount
    before_ticks = mc.liquidation_price_ticks(case.spec, state, **case.at)
    after_ticks = mc.liquidation_price_ticks(case.spec, after.state, **case.at)
    if after_ticks is not None:
        assert before_ticks is not None
        assert (before_ticks - after_ticks) * state.position_lots >= 0


@chance
def test_a_take_out_leaves_the_initial_requirement(rng: Random) -> None:
    """COLL-1: exactly the surplus may leave, one unit more may not."""
    case = Case(rng)
    state = case.position()
    settled = state.collateral_quote - mc.funding_owed_quote(case.spec, state, **case.at)
    surplus = min(settled, case.equity(state) - case.initial(state.position_lots))
    assume(1 <= surplus < QUOTE_MAX)
    after = within(mc.apply_take_out, case.spec, state, **case.marked, amount_quote=surplus)
    assert after.verdict == OK
    assert after.state.collateral_quote >= 0
    assert case.equity(after.state) >= case.initial(state.position_lots)
    more = within(mc.apply_take_out, case.spec, state, **case.marked, amount_quote=surplus + 1)
    assert more.verdict == mc.Verdict.INSUFFICIENT_MARGIN


@chance
def test_a_user_never_loses_more_than_was_put_in(rng: Random) -> None:
    """FILL-2, FILL-3, FILL-5, LIQ-2, LIQ-3, LIQ-6: signed slices and top-ups, and nothing else.

    What may leave the free balance is computed from the orders alone.
    """
    case = Case(rng)
    state, free, signed = mc.MarginState(0, 0, 0, case.market.index), 10**12, 0
    start = free
    for _ in range(8):
        order = order_of(rng, case.market, Bucket(*state)) | {"free": min(free, QUOTE_MAX)}
        after = case.fill(state, order)
        if after.verdict == OK:
            slice_quote = slice_of(order, state)
            assert after.released_quote >= 0
            assert after.released_quote - after.free_delta_quote == slice_quote
            signed += slice_quote
            state, free = after.state, free + after.free_delta_quote
        move(case)
        if state.position_lots and mc.is_liquidatable(case.spec, state, **case.marked):
            state, returned = liquidated(case, state)
            assert returned >= 0
            free += returned
    assert free >= start - signed


def slice_of(order: dict[str, int], state: MarginState) -> int:
    """FILL-3: what an order's opening lots bring along, from what was signed."""
    closing = min(order["lots"], max(0, -order["sign"] * state.position_lots))
    ends = (order["filled"] + closing, order["filled"] + order["lots"])
    begin, end = (floor(Fraction(order["margin"] * lots, order["order_lots"])) for lots in ends)
    return end - begin


def move(case: Case) -> None:
    """Bring the market another mark."""
    case.market.mark = around(case.rng, case.market.mark, case.spec.price_ticks_max)
    case.marked["mark_price_ticks"] = case.market.mark


def liquidated(case: Case, state: MarginState) -> tuple[MarginState, int]:
    """Return a position after a part on the book or after a takeover, and what came back."""
    price = around(case.rng, case.market.mark, case.spec.price_ticks_max)
    most = min(abs(state.position_lots), ORDER_LOTS_MAX)
    at = case.marked | {"price_ticks": price}
    lots = mc.liquidation_lots_max(case.spec, state, **at, lots_max=most)
    part = within(mc.apply_liquidation_fill, case.spec, state, **at, qty_lots=lots)
    if part.verdict == OK:
        return part.state, part.free_delta_quote
    fund = mc.MarginState(0, 0, QUOTE_MAX, case.market.index)
    whole, _ = within(mc.apply_takeover, case.spec, state, fund, **case.marked)
    return (whole.state, whole.free_delta_quote) if whole.verdict == OK else (state, 0)


@chance
def test_a_fill_conserves_money(rng: Random) -> None:
    """CONS-1, FILL-2, FILL-4: a buyer gains minus the notional, a seller the notional, less fee."""
    case = Case(rng)
    state = case.position()
    order = order_of(rng, case.market, Bucket(*state))
    after = case.fill(state, order)
    assume(after.verdict == OK)
    notional = order["lots"] * order["price"] * case.spec.quote_per_tick_lot
    assert gained(state, after) == -order["sign"] * notional - after.fee_quote
    assert after.state.position_lots == state.position_lots + order["sign"] * order["lots"]


@chance
def test_splitting_a_fill_changes_only_dust(rng: Random) -> None:
    """FILL-1, FILL-3, FILL-4: at most one unit of fee and one of entry value per extra part."""
    case = Case(rng)
    state = case.position()
    order = order_of(rng, case.market, Bucket(*state)) | {"free": QUOTE_MAX}
    assume(order["lots"] > 1)
    first_lots = rng.randint(1, order["lots"] - 1)
    whole = case.fill(state, order)
    first = case.fill(state, order | {"lots": first_lots})
    assume(whole.verdict == first.verdict == OK)
    rest = {"lots": order["lots"] - first_lots, "filled": order["filled"] + first_lots}
    second = case.fill(first.state, order | rest)
    assume(second.verdict == OK)
    assert second.state.position_lots == whole.state.position_lots
    assert abs(second.state.entry_value_quote - whole.state.entry_value_quote) <= 1
    fee = first.fee_quote + second.fee_quote - whole.fee_quote
    assert 0 <= fee <= 1
    free = first.free_delta_quote + second.free_delta_quote - whole.free_delta_quote
    assert wealth(second.state) - wealth(whole.state) + free == -fee
    if state.position_lots * order["sign"] > 0:
        assert free == 0  # the slices of an opening fill add up exactly


@chance
def test_the_graduated_rule(rng: Random) -> None:
    """FILL-6: above initial afterwards, or a reduction that does not worsen the ratio."""
    case = Case(rng)
    state = case.position()
    after = case.fill(state, order_of(rng, case.market, Bucket(*state)))
    assume(after.verdict == OK)
    equity, initial = case.equity(after.state), case.initial(after.state.position_lots)
    assert abs(after.state.position_lots) <= case.spec.position_lots_max
    if equity < initial:
        assert 0 < abs(after.state.position_lots) < abs(state.position_lots)
        assert equity >= 0
        held = case.initial(state.position_lots)
        assert equity * held >= case.equity(state) * initial


@chance
def test_funding_of_longs_and_shorts_cancels_but_for_dust(rng: Random) -> None:
    """MARG-1: at most one unit per position but one, and the pool never pays it."""
    case = Case(rng)
    lots = [any_lots(rng, case.spec.position_lots_max) for _ in range(5)]
    while abs(sum(lots)) > case.spec.position_lots_max:
        lots.pop()
    lots = [-sum(lots), *lots]
    touched = any_index(rng, case.market.index, max(map(abs, lots)))
    states = [mc.MarginState(q, 0, 0, touched) for q in lots]
    owed = [mc.funding_owed_quote(case.spec, state, **case.at) for state in states]
    assert 0 <= sum(owed) < len(owed)


@chance
def test_a_funding_settlement_charges_the_rate_on_the_index_notional(rng: Random) -> None:
    """FUND-1: the index moves by rate · index price · u."""
    case = Case(rng)
    state = case.position()._replace(funding_index_e6=0)
    rate_ppm = rng.randint(-case.spec.funding_cap_ppm, case.spec.funding_cap_ppm)
    step_e6 = rate_ppm * case.market.mark * case.spec.quote_per_tick_lot
    owed = mc.funding_owed_quote(case.spec, state, funding_index_e6=step_e6)
    notional = state.position_lots * case.market.mark * case.spec.quote_per_tick_lot
    assert owed == -(-notional * rate_ppm // 10**6)


@rare
@chance
def test_a_liquidation_closes_what_restores_and_not_a_lot_more(rng: Random) -> None:
    """LIQ-2: maintenance plus buffer after it, not so with one lot fewer."""
    case = Case(rng)
    state = case.liquidatable()
    price = around(rng, case.market.mark, case.spec.price_ticks_max)
    most = min(abs(state.position_lots), ORDER_LOTS_MAX)
    at = case.marked | {"price_ticks": price}
    lots = mc.liquidation_lots_max(case.spec, state, **at, lots_max=most)
    after = within(mc.apply_liquidation_fill, case.spec, state, **at, qty_lots=lots)
    assume(after.verdict != mc.Verdict.LIQUIDATION_PRICE)
    assert after.verdict == OK
    notional = lots * price * case.spec.quote_per_tick_lot
    sold = notional if state.position_lots > 0 else -notional
    assert gained(state, after) == sold - after.fee_quote
    if lots < most:
        assert case.over_buffer(after.state) >= 0
        more = within(mc.apply_liquidation_fill, case.spec, state, **at, qty_lots=lots + 1)
        assert more.verdict == mc.Verdict.LIQUIDATION_TOO_LARGE
    if lots > 1:
        fewer = within(mc.apply_liquidation_fill, case.spec, state, **at, qty_lots=lots - 1)
        assert fewer.verdict == OK
        assert case.over_buffer(fewer.state) < 0
    if after.state.position_lots == 0:
        assert after.state.collateral_quote == 0
        assert after.free_delta_quote >= 0


@rare
@chance
def test_a_takeover_conserves_money_and_lots(rng: Random) -> None:
    """LIQ-3, CONS-1, CONS-2: nothing is created between the trader and the fund."""
    case = Case(rng)
    state = case.liquidatable()
    fund = state_of(any_fund(rng, case.market))
    trader, taker = within(mc.apply_takeover, case.spec, state, fund, **case.marked)
    assume(trader.verdict == OK)
    assert trader.state[:3] == (0, 0, 0)
    assert taker.state.position_lots == state.position_lots + fund.position_lots
    assert gained(state, trader) + gained(fund, taker) == 0
    assert (trader.fee_quote, taker.fee_quote, taker.free_delta_quote) == (0, 0, 0)
    assert case.equity(taker.state) >= case.initial(taker.state.position_lots)


@rare
@chance
def test_adl_conserves_money_and_lots(rng: Random) -> None:
    """LIQ-4, CONS-1, CONS-2: both sides shrink by the same lots, at no fee."""
    case = Case(rng)
    state = case.liquidatable()
    other = case.position(-1 if state.position_lots > 0 else 1)
    most = min(abs(state.position_lots), abs(other.position_lots))
    lots = rng.choice((most, rng.randint(1, most)))
    closed, counter = within(mc.apply_adl, case.spec, state, other, **case.marked, qty_lots=lots)
    assume(closed.verdict == OK)
    for before, after in ((state, closed), (other, counter)):
        assert abs(before.position_lots) - abs(after.state.position_lots) == lots
        assert after.fee_quote == 0
    assert gained(state, closed) + gained(other, counter) == 0
    assert counter.state.collateral_quote >= 0


@chance
def test_winners_rank_before_losers(rng: Random) -> None:
    """LIQ-4: the rank has the sign of the profit at the mark."""
    case = Case(rng)
    bucket = any_bucket(rng, case.market)
    rank = mc.adl_rank(case.spec, state_of(bucket), **case.marked)
    side = 1 if bucket.lots > 0 else -1
    value = bucket.lots * case.market.mark * case.spec.quote_per_tick_lot
    assert (rank >= 0) == (value - side * bucket.value >= 0)


@pytest.mark.parametrize("side", [0, 1])
def test_flat_positions_need_nothing(side: int) -> None:
    """MARG-3, MARG-5: no requirement, no liquidation price, never liquidatable."""
    tier = mc.Tier(notional_floor_quote=0, margin_initial_ppm=2, margin_maintenance_ppm=1)
    spec = mc.MarketSpec(
        market_id=1,
        quote_per_tick_lot=1,
        price_ticks_max=100,
        position_lots_max=100,
        fee_maker_ppm=0,
        fee_taker_ppm=0,
        tiers=(tier,),
    )
    flat = mc.MarginState(0, 0, -side)
    at = {"position_lots": 0, "mark_price_ticks": 50}
    assert mc.maintenance_requirement_quote(spec, **at) == 0
    assert mc.initial_requirement_quote(spec, **at) == 0
    assert mc.liquidation_price_ticks(spec, flat, funding_index_e6=0) is None
    assert mc.bankruptcy_price_ticks(spec, flat, funding_index_e6=0) is None
    assert not mc.is_liquidatable(spec, flat, funding_index_e6=0, mark_price_ticks=50)
