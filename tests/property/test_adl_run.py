"""ADL takes whom a scan at each step would take, and anybody can check that it did."""

from __future__ import annotations

from random import Random

import pytest

from margin_core import AdlError, AdlItem, MarginState, adl_run, check_adl
from matcher.engine.events import Event, EventKind
from tests.unit.engine.venue import Venue, spec_of

ACCOUNTS = 60


class Crowd(Venue):
    """One weak long against many shorts of every leverage and entry; other longs are strong."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = Random(seed)
        super().__init__(
            accounts=ACCOUNTS,
            spec=spec_of(mark_band_ppm=500_000),
            fund=rng.choice((0, 200, 2_000)),
        )
        for account in range(2, ACCOUNTS - 1):
            price, qty = rng.choice((1_000, rng.randint(970, 1_030))), rng.choice((1, 2, 5))
            short = max(qty * 1_031 // rng.choice((1, 2, 4, 6)), qty * 240)
            buyer = 1 if rng.random() < 0.5 else ACCOUNTS
            long = qty * price // 8 + 40 * qty if buyer == 1 else qty * price
            self.trade(buyer, account, qty, price, long, short)
        for account in rng.sample(range(2, ACCOUNTS - 1), 5):
            self.freeze(account)

    def states(self) -> dict[int, MarginState]:
        """Return every open position that is not frozen; accounts are as old as their slots."""
        found = {}
        for account in range(2, ACCOUNTS + 1):
            p = self.engine.position(account, 1)
            if p is not None and p.position_lots and not p.is_frozen:
                found[account] = MarginState(*p[:4])
        return found


def items_of(events: list[Event]) -> list[AdlItem]:
    return [
        AdlItem(e.account, e.qty_lots, e.price_ticks) for e in events if e.kind == EventKind.ADL
    ]


def deleveraged(seed: int) -> tuple[Crowd, list[AdlItem], tuple[object, ...], dict[str, int]]:
    """Return a crowd after its price fell, the items, and what everybody could see before."""
    crowd = Crowd(seed)
    position, fund = crowd.engine.position(1, 1), crowd.engine.fund(1)
    assert position is not None
    before = (crowd.spec, MarginState(*position[:4]), crowd.states(), MarginState(*fund[:4]))
    events = crowd.price(crowd.rng.choice((830, 850, 870)))
    at = {"funding_index_e6": 0, "mark_price_ticks": crowd.mark}
    for e in events:
        if e.kind == EventKind.LIQUIDATION_STARTED:
            assert e.account == 1, "the others are strong"
    return crowd, items_of(events), before, at


@pytest.mark.parametrize("seed", range(40))
def test_a_run_is_what_a_scan_prescribes(seed: int) -> None:
    """IDX-3, LIQ-3, LIQ-4: the same counterparties, lots, prices and order; no more than needed."""
    _, items, before, at = deleveraged(seed)
    assert items == adl_run(*before, **at)  # type: ignore[arg-type]
    check_adl(*before, items, **at)  # type: ignore[call-arg, arg-type]


def test_a_run_out_of_order_is_noticed() -> None:
    """IDX-3, LIQ-4: swapped, left out, one more, for fewer lots, at another price."""
    checked = 0
    for seed in range(40):
        _, items, before, at = deleveraged(seed)
        if len(items) < 3:
            continue
        one = items[1]
        for forged in (
            [items[1], items[0], *items[2:]],
            items[1:],
            items[:-1],
            [*items, items[0]],
            [items[0], one._replace(qty_lots=one.qty_lots + 1), *items[2:]],
            [items[0], one._replace(price_ticks=one.price_ticks + 1), *items[2:]],
        ):
            with pytest.raises(AdlError, match="LIQ-4: item"):
                check_adl(*before, forged, **at)  # type: ignore[call-arg, arg-type]
            checked += 1
    assert checked > 60
