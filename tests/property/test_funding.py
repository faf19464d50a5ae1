"""Funding sums to nothing but dust, whoever touches when; and is what fractions say."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from margin_core import MarginState, MarketSpec, Tier, apply_top_up, funding, funding_owed_quote

TIERS = (Tier(notional_floor_quote=0, margin_initial_ppm=100_000, margin_maintenance_ppm=50_000),)
CASH = 10**15


def any_spec(rng: Random) -> MarketSpec:
    unit = rng.choice((1, 7, 1_000))
    return MarketSpec(
        market_id=1, quote_per_tick_lot=unit, price_ticks_max=100_000,
        position_lots_max=10**6, fee_maker_ppm=0, fee_taker_ppm=0, tiers=TIERS,
        funding_cap_ppm=rng.choice((0, 500, 100_000)),
        funding_period_s=rng.choice((0, 3_600, 28_800)),
        funding_interest_ppm=rng.choice((-100, 0, 100)), funding_clamp_ppm=rng.choice((0, 500)),
        impact_notional_quote=rng.randint(1, 10**7) * unit,
    )  # fmt: skip


@dataclass
class Pool:
    """The pool of one market, and how many positions were settled into it."""

    quote: int = 0
    touches: int = 0

    def settle(self, spec: MarketSpec, state: MarginState, index: int) -> MarginState:
        """Settle as any change of a position does: here by a top-up of 1."""
        done = apply_top_up(spec, state, funding_index_e6=index, amount_quote=1, free_quote=1)
        assert done.state.collateral_quote == state.collateral_quote + 1 - done.funding_quote
        self.quote += done.funding_quote
        self.touches += done.funding_quote != 0
        return done.state


@given(st.randoms(use_true_random=False))
def test_payments_sum_to_zero_with_dust_in_the_pool(rng: Random) -> None:
    """FUND-1, FUND-5, MARG-1, CONS-1: any sides, sizes and times of touch."""
    spec, index, pool, paid = any_spec(rng), 0, Pool(), 0
    lots = [rng.randint(-(10**5), 10**5) for _ in range(rng.randint(1, 12))]
    lots.append(-sum(lots))
    states = [MarginState(n, 0, CASH) for n in lots if n]
    for _ in range(rng.randint(1, 30)):
        index = funding.funding_index_after_e6(
            spec,
            funding_index_e6=index,
            rate_ppm=rng.randint(-spec.funding_cap_ppm, spec.funding_cap_ppm),
            index_price_ticks=rng.randint(1, 100_000),
        )
        for k, state in enumerate(states):
            if rng.random() < 0.3:
                paid += state.collateral_quote + 1
                states[k] = pool.settle(spec, state, index)
                paid -= states[k].collateral_quote
                assert pool.quote == paid  # whatever is paid is there, at every moment
    for state in states:
        pool.settle(spec, state, index)
    assert 0 <= pool.quote < max(1, pool.touches)


@given(st.integers(1, 10**5), st.integers(-(10**12), 10**12), st.integers(1, 100_000))
def test_long_and_short_are_opposite_but_for_a_unit(lots: int, moved: int, price: int) -> None:
    """FUND-5, MARG-1: the long's payment is the short's income, rounded against each."""
    spec = any_spec(Random(price))
    long, short = (
        funding_owed_quote(spec, MarginState(n, 0, 0), funding_index_e6=moved)
        for n in (lots, -lots)
    )
    assert long == ceil(Fraction(lots * moved, 10**6))
    assert 0 <= long + short <= 1


@given(st.randoms(use_true_random=False))
def test_impact_premium_and_rate_are_what_fractions_say(rng: Random) -> None:
    """FUND-2, FUND-3, FUND-4."""
    spec = any_spec(rng)
    unit, index = spec.quote_per_tick_lot, rng.randint(1_000, 90_000)
    found = {}
    for side, sign in ((0, -1), (1, 1)):
        price, levels = index + sign * rng.randint(-300, 300), []
        for _ in range(rng.choice((0, 1, 3, 20, 400))):
            levels.append((price, rng.randint(1, 400)))
            price += sign * rng.randint(1, 3)
        found[side] = funding.impact_price_ticks_x256(spec, levels, side=side)
        assert found[side] == slow_impact(spec, levels, side)
    bid, ask = (Fraction(found[side] or 0, 256) for side in (0, 1))
    gap = max(Fraction(0), bid - index)
    gap -= max(Fraction(0), index - ask) if found[1] else Fraction(0)
    premium = funding.premium_ppm(
        index_price_ticks=index, impact_bid_x256=found[0], impact_ask_x256=found[1]
    )
    assert premium == max(-(10**6), min(10**6, floor(gap * 10**6 / index)))
    count, elapsed_s = rng.randint(1, 500), rng.randint(0, 10**6)
    total = premium * count + rng.randint(-count, count)
    total = max(-(10**6) * count, min(10**6 * count, total))
    mean = floor(Fraction(total, count))
    clamp, cap = spec.funding_clamp_ppm, spec.funding_cap_ppm
    rate = mean + max(-clamp, min(clamp, spec.funding_interest_ppm - mean))
    if spec.funding_period_s:
        rate = floor(Fraction(rate * elapsed_s, spec.funding_period_s))
    assert unit >= 1
    assert max(-cap, min(cap, rate)) == funding.funding_rate_ppm(
        spec, premium_ppm_sum=total, sample_count=count, elapsed_s=elapsed_s
    )


def slow_impact(spec: MarketSpec, levels: list[tuple[int, int]], side: int) -> int | None:
    """Fill lot by lot in whole lots; level 256 never ends."""
    left, filled = spec.impact_notional_quote, []
    for number, (price, size) in enumerate(levels[:256]):
        per_lot = price * spec.quote_per_tick_lot
        taken = -(-left // per_lot) if number == 255 else min(size, -(-left // per_lot))
        filled.append((price, taken))
        left -= taken * per_lot
        if left <= 0:
            value = sum(price * lots for price, lots in filled)
            mean = Fraction(256 * value, sum(lots for _, lots in filled))
            return ceil(mean) if side else floor(mean)
    return None
