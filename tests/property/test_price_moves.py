"""In the engine a price alone moves no position and no liquidation price; funding does."""

from __future__ import annotations

from random import Random

import pytest

from margin_core import MarginState, liquidation_price_ticks
from matcher.engine.events import EventKind
from tests.unit.engine.venue import NS, Venue, spec_of

ACCOUNTS = 16
HOUR_NS = 3_600 * NS


def crowd(rng: Random) -> Venue:
    """Return a venue where everybody has traded, with enough margin for any price in reach."""
    venue = Venue(accounts=ACCOUNTS, spec=spec_of(mark_band_ppm=500_000))
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


def prices(venue: Venue, index_e6: int) -> dict[int, int | None]:
    return {
        account: liquidation_price_ticks(venue.spec, state, funding_index_e6=index_e6)
        for account, state in states(venue).items()
    }


@pytest.mark.parametrize("seed", range(12))
def test_a_price_moves_no_liquidation_price_and_funding_does(seed: int) -> None:
    """STATE-1, MARG-5, FUND-1: longs' prices rise and shorts' fall when longs pay, and back."""
    rng = Random(seed)
    venue = crowd(rng)
    held, before = states(venue), prices(venue, 0)
    assert len(held) > 4
    for _ in range(12):
        events = venue.price(rng.randint(800, 1_250))
        assert not any(e.kind == EventKind.FUNDING for e in events)
        assert states(venue) == held
        assert prices(venue, 0) == before
    for index_e6 in (5_000_000, -5_000_000):
        for account, price in prices(venue, index_e6).items():
            was, side = before[account], 1 if held[account].position_lots > 0 else -1
            assert was is not None
            assert price is not None
            assert (price - was) * index_e6 > 0, (side, price, was)
    assert prices(venue, 0) == before
