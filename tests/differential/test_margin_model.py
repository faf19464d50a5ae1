"""The kernel equals the slow model, to the last unit, in every function of its Python face."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import margin_core as mc
from margin_core.limits import ORDER_LOTS_MAX, QUOTE_MAX
from tests.model.cases import (
    any_bucket,
    any_contract,
    any_fund,
    any_lots,
    any_market,
    any_spec,
    around,
    lots_to_close,
    order_of,
    price_to_close,
    steep_contract,
    weak_bucket,
)
from tests.model.margin import Bucket, Market, RefusedError

STATES = int(os.environ.get("BULKHEAD_SOAK_STATES", "20000"))
BLOCK = 1_000  # states of one test
STATES_OF_A_MARKET = 10
KIND_BLOCKS = 5  # of this many blocks one is run for each kind: as many states in all
SCAN_LOTS = 60  # up to here the fewest lots that restore are looked for one by one

Check = Callable[[Random, Market, Bucket], None]


def state_of(p: Bucket) -> mc.MarginState:
    return mc.MarginState(p.lots, p.value, p.margin, p.index)


def outcome_of(p: Bucket) -> tuple[Any, ...]:
    return (mc.Verdict.OK, state_of(p), p.free, p.fee, p.funding, p.pnl, p.released)


def tried(change: Callable[..., Any], *state: Any, **more: Any) -> Any:
    """Return the kernel's outcome, or None when it would leave the bounds (NUM-4)."""
    try:
        return change(*state, **more)
    except OverflowError:
        return None


def same(found: tuple[Any, ...] | None, change: Callable[[], Bucket]) -> None:
    """Compare a kernel outcome with a change of the model."""
    same_pair(None if found is None else (found,), lambda: (change(),))


def same_pair(found: tuple[Any, ...] | None, change: Callable[[], tuple[Bucket, ...]]) -> None:
    if found is None:
        assert max(max(p.value, abs(p.margin), abs(p.free)) for p in change()) > QUOTE_MAX
        return
    outcomes: tuple[Any, ...] = found
    try:
        expected: tuple[Any, ...] = tuple(map(outcome_of, change()))
    except RefusedError as refused:
        outcomes = tuple(outcome.verdict.name for outcome in found)
        expected = (str(refused),) * len(found)
    assert outcomes == expected


def check_requirements(_rng: Random, m: Market, p: Bucket) -> None:
    """MARG-1, MARG-2, MARG-3, MARG-4, MKT-2, NUM-2."""
    at = {"funding_index_e6": m.index}
    marked = at | {"mark_price_ticks": m.mark}
    size = {"position_lots": p.lots, "mark_price_ticks": m.mark, "index_price_ticks": m.underlying}
    assert mc.funding_owed_quote(m.spec, state_of(p), **at) == m.owed(p)
    assert mc.equity_quote(m.spec, state_of(p), **marked) == m.equity(p)
    assert mc.maintenance_requirement_quote(m.spec, **size) == m.maintenance(p)
    assert mc.initial_requirement_quote(m.spec, **size) == m.initial(p)
    judged = marked | {"index_price_ticks": m.underlying}
    assert mc.is_liquidatable(m.spec, state_of(p), **judged) is m.liquidatable(p)
    assert mc.adl_rank(m.spec, state_of(p), **marked) == m.adl_rank(p)


def check_prices(_rng: Random, m: Market, p: Bucket) -> None:
    """MARG-5, MARG-6."""
    found = mc.liquidation_price_ticks(
        m.spec, state_of(p), funding_index_e6=m.index, index_price_ticks=m.underlying
    )
    assert (-1 if found is None else found) == m.liquidation_price(p)
    found = mc.bankruptcy_price_ticks(m.spec, state_of(p), funding_index_e6=m.index)
    if found is None:  # a short whose coins cover it at every price
        assert m.inverse
        assert p.lots < 0
        assert p.margin - m.owed(p) >= p.value
    else:
        assert found == m.bankruptcy_price(p)


def check_fill(rng: Random, m: Market, p: Bucket) -> None:
    """FILL-1, FILL-2, FILL-3, FILL-4, FILL-5, FILL-6."""
    p = rng.choice((p, p, p, Bucket(0, 0, 0, m.index)))
    order = order_of(rng, m, p)
    found = tried(
        mc.apply_fill,
        m.spec,
        state_of(p),
        funding_index_e6=m.index,
        mark_price_ticks=m.mark,
        index_price_ticks=m.underlying,
        side=0 if order["sign"] > 0 else 1,
        qty_lots=order["lots"],
        price_ticks=order["price"],
        fee_ppm=order["rate"],
        order_margin_quote=order["margin"],
        order_qty_lots=order["order_lots"],
        order_filled_lots=order["filled"],
        free_quote=order["free"],
    )
    same(found, lambda: m.fill(p, **order))


def check_collateral(rng: Random, m: Market, p: Bucket) -> None:
    """COLL-1."""
    p = rng.choice((p, p, p, Bucket(0, 0, 0, m.index)))
    state, at = state_of(p), {"funding_index_e6": m.index}
    surplus = m.equity(p) - m.initial(p)
    amount = rng.choice((1, surplus, surplus + 1, p.margin, rng.randint(1, 10**9)))
    amount = max(1, min(QUOTE_MAX, amount))
    free = rng.choice((amount, amount - 1, 0, QUOTE_MAX))
    found = tried(mc.apply_top_up, m.spec, state, **at, amount_quote=amount, free_quote=free)
    same(found, lambda: m.top_up(p, amount, free))
    at |= {"mark_price_ticks": m.mark, "index_price_ticks": m.underlying}
    found = tried(mc.apply_take_out, m.spec, state, **at, amount_quote=amount)
    same(found, lambda: m.take_out(p, amount))


def check_auto_top_up(rng: Random, m: Market, p: Bucket) -> None:
    """COLL-3: what lacks to the initial requirement, if cap and free balance save it at all."""
    p = rng.choice((p, weak_bucket(rng, m), Bucket(0, 0, 0, m.index)))
    lacks = (m.initial(p) - m.equity(p), m.maintenance(p) - m.equity(p))
    cap, free = (
        max(0, min(QUOTE_MAX, rng.choice((*lacks, QUOTE_MAX)) + rng.randint(-1, 1))) for _ in "ab"
    )
    found = tried(
        mc.apply_auto_top_up,
        m.spec,
        state_of(p),
        funding_index_e6=m.index,
        mark_price_ticks=m.mark,
        index_price_ticks=m.underlying,
        cap_quote=cap,
        free_quote=free,
    )
    same(found, lambda: m.auto_top_up(p, cap, free))


def check_liquidation(rng: Random, m: Market, p: Bucket) -> None:
    """LIQ-2, LIQ-6."""
    at = {
        "funding_index_e6": m.index,
        "mark_price_ticks": m.mark,
        "index_price_ticks": m.underlying,
    }
    p = rng.choice((p, weak_bucket(rng, m)))
    price = price_to_close(rng, m, p)
    most = any_lots(rng, abs(p.lots))
    fewest = mc.liquidation_lots_max(m.spec, state_of(p), **at, price_ticks=price, lots_max=most)
    assert 1 <= fewest <= most
    if most <= SCAN_LOTS:
        assert fewest == m.lots_to_restore(p, most, price)
    assert fewest in {1, most} or not m.restored(p, fewest - 1, price)
    assert fewest == most or m.restored(p, fewest, price)
    tried_lots = (fewest, fewest + 1, abs(p.lots), lots_to_close(rng, m, p, price))
    for lots in {min(lots, ORDER_LOTS_MAX) for lots in tried_lots}:
        found = tried(
            mc.apply_liquidation_fill, m.spec, state_of(p), **at, qty_lots=lots, price_ticks=price
        )
        same(found, partial(m.liquidation_fill, p, lots, price))


def check_takeover(rng: Random, m: Market, p: Bucket) -> None:
    """LIQ-3."""
    fund = any_fund(rng, m)
    found = tried(
        mc.apply_takeover,
        m.spec,
        state_of(p),
        state_of(fund),
        funding_index_e6=m.index,
        mark_price_ticks=m.mark,
        index_price_ticks=m.underlying,
    )
    same_pair(found, lambda: m.takeover(p, fund))


def check_adl(rng: Random, m: Market, p: Bucket) -> None:
    """LIQ-4."""
    other = any_bucket(rng, m, rng.choice((-1, -1, -1, 1)) * (1 if p.lots > 0 else -1))
    lots = rng.choice((1, any_lots(rng, abs(other.lots)), min(abs(p.lots), abs(other.lots))))
    found = tried(
        mc.apply_adl,
        m.spec,
        state_of(p),
        state_of(other),
        funding_index_e6=m.index,
        mark_price_ticks=m.mark,
        index_price_ticks=m.underlying,
        qty_lots=lots,
    )
    same_pair(found, lambda: m.adl(p, other, lots))


def check_fund_fill(rng: Random, m: Market, _p: Bucket) -> None:
    """LIQ-5."""
    fund = any_fund(rng, m)
    side = rng.choice((0, 1)) if rng.random() < 0.2 else int(fund.lots > 0)
    lots = min(any_lots(rng, abs(fund.lots) + 1), ORDER_LOTS_MAX)
    band = m.mark * m.spec.mark_band_ppm // 1_000_000
    near = rng.choice((-1, 1)) * (band + rng.randint(-2, 2))
    price = max(1, min(m.spec.price_ticks_max, m.mark + rng.choice((near, near // 2, 0))))
    found = tried(
        mc.apply_fund_fill,
        m.spec,
        state_of(fund),
        funding_index_e6=m.index,
        mark_price_ticks=m.mark,
        side=side,
        qty_lots=lots,
        price_ticks=price,
    )
    same(found, lambda: m.fund_fill(fund, -1 if side else 1, lots, price))


def check_settlement(rng: Random, m: Market, p: Bucket) -> None:
    """EXP-1."""
    p = rng.choice((p, p, p, Bucket(0, 0, 0, m.index)))
    index = around(rng, m.mark, m.spec.price_ticks_max)
    found = tried(
        mc.apply_settlement, m.spec, state_of(p), funding_index_e6=m.index, index_price_ticks=index
    )
    same(found, lambda: m.deliver(p, index))


CHECKS = (
    check_settlement,
    check_requirements,
    check_prices,
    check_fill,
    check_collateral,
    check_auto_top_up,
    check_liquidation,
    check_takeover,
    check_adl,
    check_fund_fill,
)


def run(rng: Random, kind: mc.ContractKind | None, check: Check, states: int) -> None:
    """Check states of random markets; `None`: linear perpetuals of the common generator."""
    for number in range(states):
        if number % STATES_OF_A_MARKET == 0:
            spec = any_spec(rng) if kind is None else any_contract(rng, kind)
            if rng.random() < 0.2:
                spec = steep_contract(rng, spec.kind)
            market = any_market(rng, spec)
        bucket = any_bucket(rng, market)
        try:
            check(rng, market, bucket)
        except Exception as error:
            error.add_note(
                f"{bucket}, index {market.index}, mark {market.mark}, "
                f"underlying {market.underlying}, {market.spec}"
            )
            raise


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("block", range(max(1, STATES // BLOCK)))
def test_kernel_equals_model(block: int, check: Check) -> None:
    """NUM-1, NUM-2, and what the check's docstring names."""
    run(Random(f"{check.__name__} {block}"), None, check, BLOCK)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", mc.ContractKind, ids=lambda kind: kind.name)
@pytest.mark.parametrize("block", range(max(1, STATES // BLOCK // KIND_BLOCKS)))
def test_kernel_equals_model_for_every_kind(
    block: int, kind: mc.ContractKind, check: Check
) -> None:
    """NUM-3, COIN-1, COIN-2, COIN-3, OPT-1, OPT-2, OPT-3, EXP-1: and what the check names."""
    run(Random(f"{kind} {check.__name__} {block}"), kind, check, BLOCK)


@given(st.sampled_from(mc.ContractKind), st.randoms(use_true_random=False))
def test_kernel_equals_model_on_searched_states(kind: mc.ContractKind, rng: Random) -> None:
    """MARG-1, MARG-2, MARG-3, MARG-4, MARG-5, MARG-6: the search shrinks what it finds."""
    for check in CHECKS:
        run(rng, kind, check, 1)
