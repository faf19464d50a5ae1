"""What must hold for positions of every kind of contract, whatever their formulas."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import margin_core as mc
from margin_core.limits import ORDER_LOTS_MAX, QUOTE_MAX
from margin_core.transitions_table import Change, Health, health, is_allowed, table
from tests.model.cases import (
    any_bucket,
    any_contract,
    any_market,
    around,
    order_of,
    price_to_close,
    steep_contract,
    weak_bucket,
    within,
)
from tests.model.margin import Bucket, Market

OK = mc.Verdict.OK
LINEAR, INVERSE = mc.ContractKind.LINEAR_PERPETUAL, mc.ContractKind.INVERSE_PERPETUAL
BRUTE_LOTS = 64  # up to here the fewest lots that restore are looked for one by one
ROOT = Path(__file__).resolve().parents[2]
every_kind = given(st.sampled_from(mc.ContractKind), st.randoms(use_true_random=False))
rare = settings(suppress_health_check=[HealthCheck.filter_too_much])


class Case:
    """A market of a kind at a mark, an underlying and a funding index."""

    def __init__(self, kind: mc.ContractKind, rng: Random) -> None:
        self.rng = rng
        self.m: Market = any_market(rng, any_contract(rng, kind))

    @property
    def spec(self) -> mc.MarketSpec:
        return self.m.spec

    @property
    def at(self) -> dict[str, Any]:
        return {"funding_index_e6": self.m.index}

    @property
    def spot(self) -> dict[str, Any]:
        return {"index_price_ticks": self.m.underlying}

    @property
    def marked(self) -> dict[str, Any]:
        return self.at | {"mark_price_ticks": self.m.mark}

    @property
    def judged(self) -> dict[str, Any]:
        return self.marked | self.spot

    def position(self, sign: int = 0) -> mc.MarginState:
        p = any_bucket(self.rng, self.m, sign)
        return mc.MarginState(p.lots, p.value, p.margin, p.index)

    def health(self, state: mc.MarginState) -> Health:
        return health(self.spec, state, **self.judged)

    def fill(self, state: mc.MarginState, order: dict[str, int]) -> mc.FillOutcome:
        return within(
            mc.apply_fill,
            self.spec,
            state,
            **self.judged,
            side=0 if order["sign"] > 0 else 1,
            qty_lots=order["lots"],
            price_ticks=order["price"],
            fee_ppm=order["rate"],
            order_margin_quote=order["margin"],
            order_qty_lots=order["order_lots"],
            order_filled_lots=order["filled"],
            free_quote=order["free"],
        )


def wealth(case: Case, state: mc.MarginState) -> int:
    """Return collateral and signed entry value: a position's term of CONS-1."""
    p = Bucket(*state)
    return p.margin + case.m.gain(p.lots, 0, p.value) if p.lots else p.margin


@every_kind
def test_equality_is_safe_and_one_unit_less_is_not(kind: mc.ContractKind, rng: Random) -> None:
    """MARG-4, COIN-1, OPT-1, RATIO-1: for every kind."""
    case = Case(kind, rng)
    state = case.position()
    needs = mc.maintenance_requirement_quote(
        case.spec,
        position_lots=state.position_lots,
        mark_price_ticks=case.m.mark,
        **case.spot,
    )
    excess = mc.equity_quote(case.spec, state, **case.marked) - needs
    assume(abs(state.collateral_quote - excess) < QUOTE_MAX)
    level = state._replace(collateral_quote=state.collateral_quote - excess)
    below = level._replace(collateral_quote=level.collateral_quote - 1)
    assert not mc.is_liquidatable(case.spec, level, **case.judged)
    assert mc.is_liquidatable(case.spec, below, **case.judged)
    assert mc.margin_ratio_ppm(case.spec, level, **case.judged) <= 10**6
    assert mc.margin_ratio_ppm(case.spec, below, **case.judged) > 10**6


@every_kind
def test_ticks_around_the_liquidation_price(kind: mc.ContractKind, rng: Random) -> None:
    """MARG-5, COIN-2, OPT-3: unsafe at it and beyond, safe before it."""
    case = Case(kind, rng)
    state, top = case.position(), case.spec.price_ticks_max
    price = mc.liquidation_price_ticks(case.spec, state, **case.at, **case.spot)
    away = -1 if state.position_lots > 0 else 1
    edge = (0 if state.position_lots > 0 else top + 1) if price is None else price
    for step in (-5, -2, -1, 0, 1, 2, 5):
        tick = edge + away * step
        if 1 <= tick <= top:
            unsafe = mc.is_liquidatable(
                case.spec, state, **case.at, **case.spot, mark_price_ticks=tick
            )
            assert unsafe is (step >= 0)


@every_kind
def test_the_liquidation_price_moves_by_the_user_and_funding_alone(
    kind: mc.ContractKind, rng: Random
) -> None:
    """STATE-1, MARG-1, MARG-5: a top-up moves it away, what is owed towards the mark.

    Funding moves it as far as the same quote taken out of the collateral would, either way.
    """
    case = Case(kind, rng)
    state = case.position()
    assume(abs(state.collateral_quote) < QUOTE_MAX // 2 and abs(case.m.index) < 2**61)
    price = liquidation_price(case, state)
    more = rng.choice((1, 10**6, 10**12))
    after = within(mc.apply_top_up, case.spec, state, **case.at, amount_quote=more, free_quote=more)
    assert not_nearer(state, price, liquidation_price(case, after.state))
    before = mc.funding_owed_quote(case.spec, state, **case.at)
    step = 10 ** rng.randint(0, 9)
    for moved in (-step, step):
        case.m.index += moved
        owed = within(mc.funding_owed_quote, case.spec, state, **case.at)
        assert (owed - before) * moved * state.position_lots >= 0
        later = liquidation_price(case, state)
        paid = state._replace(
            collateral_quote=state.collateral_quote - owed, funding_index_e6=case.m.index
        )
        assert later == liquidation_price(case, paid)
        near, far = (price, later) if owed <= before else (later, price)
        assert not_nearer(state, near, far)
        case.m.index -= moved
    assert liquidation_price(case, state) == price


def liquidation_price(case: Case, state: mc.MarginState) -> int | None:
    found: int | None = within(mc.liquidation_price_ticks, case.spec, state, **case.at, **case.spot)
    return found


def not_nearer(state: mc.MarginState, before: int | None, after: int | None) -> bool:
    """Return whether a position's liquidation price moved away from the mark, or stayed."""
    if after is None:
        return True
    return before is not None and (before - after) * state.position_lots >= 0


@every_kind
def test_a_loss_ends_at_what_was_put_in(kind: mc.ContractKind, rng: Random) -> None:
    """FILL-2, FILL-3, FILL-5, COLL-1, COLL-3, EXP-1: signed slices and top-ups, to the very end."""
    case = Case(kind, rng)
    state, free = mc.MarginState(0, 0, 0, case.m.index), 10**12
    start, signed = free, 0
    for _ in range(6):
        order = order_of(rng, case.m, Bucket(*state)) | {"free": free}
        after = case.fill(state, order)
        if after.verdict == OK:
            closing = min(order["lots"], max(0, -order["sign"] * state.position_lots))
            ends = (order["filled"] + closing, order["filled"] + order["lots"])
            first, last = (order["margin"] * lots // order["order_lots"] for lots in ends)
            assert after.released_quote >= 0
            assert after.released_quote - after.free_delta_quote == last - first
            signed += last - first
            state, free = after.state, free + after.free_delta_quote
        case.m.mark = around(rng, case.m.mark, case.spec.price_ticks_max)
        cap = rng.choice((0, 10**6, 10**10))
        drawn = within(
            mc.apply_auto_top_up, case.spec, state, **case.judged, cap_quote=cap, free_quote=free
        )
        if drawn.verdict == OK:
            assert 0 <= -drawn.free_delta_quote <= cap
            signed -= drawn.free_delta_quote
            state, free = drawn.state, free + drawn.free_delta_quote
    end = around(rng, case.m.mark, case.spec.price_ticks_max)
    closed = within(mc.apply_settlement, case.spec, state, **case.at, index_price_ticks=end)
    assert closed.free_delta_quote >= 0
    assert free + closed.free_delta_quote >= start - signed


@rare
@every_kind
def test_a_long_option_is_never_liquidatable(kind: mc.ContractKind, rng: Random) -> None:
    """OPT-2: once a fill has been admitted, whatever mark and underlying do."""
    assume(kind.is_option)
    case = Case(kind, rng)
    order = order_of(rng, case.m, Bucket(0, 0, 0)) | {"sign": 1, "free": QUOTE_MAX, "filled": 0}
    after = case.fill(mc.MarginState(0, 0, 0, case.m.index), order)
    assume(after.verdict == OK)
    assert after.state.collateral_quote >= after.state.entry_value_quote
    price = mc.liquidation_price_ticks(
        case.spec, after.state, **case.at, index_price_ticks=rng.randint(1, case.m.mark)
    )
    assert price is None


@rare
@every_kind
def test_splitting_a_fill_changes_only_dust(kind: mc.ContractKind, rng: Random) -> None:
    """FILL-1, FILL-3, FILL-4, NUM-3: a unit or two of entry value, worth and fee."""
    case = Case(kind, rng)
    state = case.position()
    order = order_of(rng, case.m, Bucket(*state)) | {"free": QUOTE_MAX}
    assume(order["lots"] > 1)
    part = rng.randint(1, order["lots"] - 1)
    whole, first = case.fill(state, order), case.fill(state, order | {"lots": part})
    assume(whole.verdict == first.verdict == OK)
    rest = {"lots": order["lots"] - part, "filled": order["filled"] + part}
    second = case.fill(first.state, order | rest)
    assume(second.verdict == OK)
    assert second.state.position_lots == whole.state.position_lots
    assert abs(second.state.entry_value_quote - whole.state.entry_value_quote) <= 2
    free = first.free_delta_quote + second.free_delta_quote - whole.free_delta_quote
    moved = wealth(case, second.state) - wealth(case, whole.state) + free
    assert -4 <= moved <= 4


@rare
@every_kind
def test_a_liquidation_restores_with_the_fewest_lots(kind: mc.ContractKind, rng: Random) -> None:
    """LIQ-2: maintenance and buffer afterwards, not so with one lot fewer."""
    case = Case(kind, rng)
    state = case.position()
    assume(mc.is_liquidatable(case.spec, state, **case.judged))
    price = around(rng, case.m.mark, case.spec.price_ticks_max)
    most = min(abs(state.position_lots), ORDER_LOTS_MAX)
    at = case.judged | {"price_ticks": price}
    few = min(most, BRUTE_LOTS)
    fewest = mc.liquidation_lots_max(case.spec, state, **at, lots_max=few)
    assert fewest == case.m.lots_to_restore(Bucket(*state), few, price)
    lots = mc.liquidation_lots_max(case.spec, state, **at, lots_max=most)
    assert lots == fewest if fewest < few else lots >= few
    after = within(mc.apply_liquidation_fill, case.spec, state, **at, qty_lots=lots)
    assume(after.verdict == OK)
    if lots < most:
        left = Bucket(*after.state)
        buffer = case.m.share(left.lots, case.m.mark, case.spec.liquidation_buffer_ppm)
        assert case.m.equity(left) >= case.m.maintenance(left) + buffer
        more = within(mc.apply_liquidation_fill, case.spec, state, **at, qty_lots=lots + 1)
        assert more.verdict == mc.Verdict.LIQUIDATION_TOO_LARGE
    assert is_allowed(Change.LIQUIDATION, case.health(state), case.health(after.state))


@rare
@given(st.sampled_from((LINEAR, INVERSE)), st.integers(0, 2**64))
def test_no_liquidation_is_larger_than_needed(kind: mc.ContractKind, seed: int) -> None:
    """LIQ-2: of all that a position could close, what fewer lots would do is refused.

    Lots that restore are no tail of the range: behind them may be some that do not.
    """
    rng = Random(seed)
    for _ in range(4):
        m = any_market(rng, steep_contract(rng, kind, lots_max=rng.randint(2, BRUTE_LOTS)))
        p = weak_bucket(rng, m)
        price = price_to_close(rng, m, p)
        if m.liquidatable(p) and (price - m.bankruptcy_price(p)) * p.lots >= 0:
            try_all_lots(m, p, price)


def try_all_lots(m: Market, p: Bucket, price: int) -> None:
    """Compare what is refused with what fewer lots would leave over maintenance and buffer."""
    most_spare = -1  # of fewer lots; they restore from 0 on, by more than dust from `sure` on
    sure = 15 if m.inverse else 2
    for lots in range(1, abs(p.lots) + 1):
        after = within(
            mc.apply_liquidation_fill,
            m.spec,
            mc.MarginState(p.lots, p.value, p.margin, p.index),
            funding_index_e6=m.index,
            mark_price_ticks=m.mark,
            qty_lots=lots,
            price_ticks=price,
        )
        if after.verdict == OK:
            assert most_spare < sure
        else:
            assert after.verdict == mc.Verdict.LIQUIDATION_TOO_LARGE
            assert most_spare >= 0
        most_spare = max(most_spare, m.spare(p, lots, price))


@rare
@every_kind
def test_adl_and_takeover_keep_lots_and_money(kind: mc.ContractKind, rng: Random) -> None:
    """LIQ-3, LIQ-4, CONS-1, CONS-2, POS-1: both sides by the same lots at one value."""
    case = Case(kind, rng)
    state = case.position()
    assume(mc.is_liquidatable(case.spec, state, **case.judged))
    other = case.position(-1 if state.position_lots > 0 else 1)
    lots = min(abs(state.position_lots), abs(other.position_lots))
    fund = mc.MarginState(0, 0, 2**58, case.m.index)
    pairs = [
        (
            (state, other),
            within(mc.apply_adl, case.spec, state, other, **case.judged, qty_lots=lots),
        ),
        ((state, fund), within(mc.apply_takeover, case.spec, state, fund, **case.judged)),
    ]
    for before, after in pairs:
        if after[0].verdict != OK:
            continue
        assert sum(a.state.position_lots for a in after) == sum(b.position_lots for b in before)
        moved = sum(a.free_delta_quote + a.funding_quote for a in after)
        assert sum(wealth(case, a.state) for a in after) + moved == sum(
            wealth(case, b) for b in before
        )
    if pairs[0][1][0].verdict == OK:
        hurt, counter = (after.state for after in pairs[0][1])
        assert is_allowed(Change.ADL_BANKRUPT, case.health(state), case.health(hurt))
        assert is_allowed(Change.ADL_COUNTERPARTY, case.health(other), case.health(counter))
    if pairs[1][1][0].verdict == OK:
        assert is_allowed(Change.TAKEOVER, case.health(state), case.health(pairs[1][1][0].state))


def kind_of_fill(before: mc.MarginState, after: mc.MarginState) -> Change:
    """Return what a fill was, from the lots around it."""
    held, left = before.position_lots, after.position_lots
    if held == 0:
        return Change.OPEN
    if left == 0:
        return Change.CLOSE
    if (held > 0) != (left > 0):
        return Change.FLIP
    return Change.ADD if abs(left) > abs(held) else Change.REDUCE


def apply_any(case: Case, state: mc.MarginState) -> tuple[Change, mc.FillOutcome] | None:
    """Return a change of a position and its outcome; nothing where only the market moved."""
    rng, spec = case.rng, case.spec
    amount = rng.choice((1, 10**6, max(1, abs(state.collateral_quote) // 2)))
    free = {"free_quote": rng.choice((amount, 0, 10**12))}
    match rng.randrange(9):
        case 0 | 1:
            after = case.fill(state, order_of(rng, case.m, Bucket(*state)))
            return kind_of_fill(state, after.state), after
        case 2:
            return Change.TOP_UP, within(
                mc.apply_top_up, spec, state, **case.at, amount_quote=amount, **free
            )
        case 3:
            return Change.TAKE_OUT, within(
                mc.apply_take_out, spec, state, **case.judged, amount_quote=amount
            )
        case 4 if not spec.kind.is_option:
            leverage = rng.choice((1, 3, 20, 125))
            return Change.LEVERAGE, within(
                mc.apply_leverage, spec, state, **case.marked, leverage=leverage, **free
            )
        case 5:
            return Change.AUTO_TOP_UP, within(
                mc.apply_auto_top_up, spec, state, **case.judged, cap_quote=amount, **free
            )
        case 6:
            price = around(rng, case.m.mark, spec.price_ticks_max)
            return Change.DELIVERY, within(
                mc.apply_settlement, spec, state, **case.at, index_price_ticks=price
            )
    return None


@every_kind
def test_a_walk_takes_only_allowed_transitions(kind: mc.ContractKind, rng: Random) -> None:
    """STATE-1, LEV-1, COLL-3, EXP-1: fills, collateral, leverage, delivery; mark and funding."""
    case = Case(kind, rng)
    state = rng.choice((case.position(), mc.MarginState(0, 0, 0, case.m.index)))
    for _ in range(16):
        before = case.health(state)
        done = apply_any(case, state)
        if done is None:
            change = rng.choice((Change.MARK, Change.FUNDING))
            if change == Change.MARK:
                case.m.mark = around(rng, case.m.mark, case.spec.price_ticks_max)
            elif abs(case.m.index) < 2**61:
                case.m.index += rng.choice((-1, 1)) * 10 ** rng.randint(0, 9)
            found = within(case.health, state)
            assert (before == Health.FLAT) == (found == Health.FLAT)
            assert before == Health.FLAT or is_allowed(change, before, found)
            continue
        change, after = done
        if change == Change.DELIVERY and before == Health.FLAT:
            continue  # nothing to deliver
        if after.verdict == OK:
            found = case.health(after.state)
            assert is_allowed(change, before, found), (change, before, found)
            state = after.state


def test_the_readme_shows_the_table() -> None:
    """POS-1: as the code has it."""
    assert table() in (ROOT / "margin_core/README.md").read_text()


@pytest.mark.parametrize("change", Change)
def test_every_change_leads_somewhere(change: Change) -> None:
    """POS-1: and nothing brings a flat position to life but an order."""
    led = {(a, b) for a in Health for b in Health if is_allowed(change, a, b)}
    assert led
    assert change == Change.OPEN or all(before != Health.FLAT for before, _ in led)
