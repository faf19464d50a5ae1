"""In the engine a price alone moves no liquidation price; funding and collateral do."""

from __future__ import annotations

from random import Random

import pytest

from margin_core import MarginState, liquidation_price_ticks
from matcher.engine.events import Event, EventKind
from tests.unit.engine.venue import NS, Venue, outcome, spec_of

ACCOUNTS = 16
INTERVAL_S = 10


def crowd(rng: Random, **changes: int) -> Venue:
    """Return a venue where everybody has traded, with enough margin for any price in reach."""
    spec = spec_of(
        mark_band_ppm=500_000, funding_interval_s=INTERVAL_S, funding_period_s=INTERVAL_S,
        funding_clamp_ppm=100_000, funding_cap_ppm=100_000, **changes,
    )  # fmt: skip
    venue = Venue(accounts=ACCOUNTS, spec=spec)
    for _ in range(24):
        buyer, seller = rng.sample(range(1, ACCOUNTS + 1), 2)
        qty, price = rng.randint(1, 9), rng.randint(980, 1_020)
        venue.trade(buyer, seller, qty, price, qty * 900, qty * 900)
    return venue


def states(venue: Venue) -> dict[int, MarginState]:
    found = {}
    for account in range(1, ACCOUNTS + 1):
        p = venue.engine.position(account, 1)
        if p is not None and p.position_lots:
            found[account] = MarginState(*p[:4])
    return found


def prices(venue: Venue) -> dict[int, int]:
    """Return what the engine says, which is what the kernel says of the state."""
    found = {}
    index_e6 = venue.engine.market(1).funding_index_e6
    for account, state in states(venue).items():
        p = venue.engine.position(account, 1)
        price = liquidation_price_ticks(venue.spec, state, funding_index_e6=index_e6)
        assert p is not None
        assert price is not None
        assert p.liquidation_price_ticks == price
        found[account] = price
    return found


def fundings(events: list[Event]) -> list[int]:
    """Return the rates that were settled, in ppm."""
    return [event.amount_2_quote for event in events if event.kind == EventKind.FUNDING]


@pytest.mark.parametrize("rate_ppm", [50_000, -50_000])
@pytest.mark.parametrize("seed", range(6))
def test_a_price_moves_no_liquidation_price_and_funding_does(seed: int, rate_ppm: int) -> None:
    """STATE-1, MARG-5, FUND-1: when longs pay, longs' prices rise and shorts' too, or all fall."""
    rng = Random(seed)
    venue = crowd(rng, funding_interest_ppm=rate_ppm)
    held, before = states(venue), prices(venue)
    assert len(held) > 4
    for _ in range(12):
        assert fundings(venue.price(rng.randint(800, 1_250))) == []
        assert states(venue) == held
        assert prices(venue) == before
    venue.time_ns += INTERVAL_S * NS
    assert fundings(venue.price(1_000)) == [rate_ppm]
    assert states(venue) == held, "a position pays when it is touched"
    after = prices(venue)
    for account, price in after.items():
        assert (price - before[account]) * rate_ppm > 0, held[account]
    assert fundings(venue.price(900)) == []
    assert prices(venue) == after


@pytest.mark.parametrize("seed", range(12))
def test_collateral_moves_its_own_liquidation_price_alone(seed: int) -> None:
    """COLL-1, MARG-5: a top-up moves it away from the mark, a take-out towards it."""
    rng = Random(seed)
    venue = crowd(rng)
    before = prices(venue)
    assert len(before) > 4
    for account, state in states(venue).items():
        side = 1 if state.position_lots > 0 else -1
        for per_lot in (rng.randint(5, 50), -rng.randint(5, 50)):
            assert outcome(venue.move(account, per_lot * abs(state.position_lots))) == "OK"
            after = prices(venue)
            moved = (after[account] - before[account]) * side
            assert moved * per_lot < 0, (state, per_lot)
            assert after == before | {account: after[account]}, "everybody else's stays"
            before = after
