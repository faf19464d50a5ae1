"""ADL takes whom a scan at each step would take, and anybody can check that it did."""

from __future__ import annotations

import os
from collections import Counter
from random import Random
from typing import Any

import pytest

from margin_core import (
    AdlError,
    AdlItem,
    AdlRow,
    MarginState,
    adl_run,
    apply_adl,
    apply_takeover,
    check_adl,
)
from matcher.engine.commands import NEVER_S, Command, CommandKind, RequestKind
from matcher.engine.events import Event, EventKind
from tests.model.floor import Seen
from tests.model.pair import START_NS, Pair
from tests.unit.engine.venue import BUY, SELL, Venue, spec_of

ACCOUNTS = 60
LONGS, SHORTS = 8, 14
ROWS = int(os.environ.get("BULKHEAD_SOAK_ROWS", "30"))
SEEN: Counter[str] = Counter()


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


class Row:
    """Several bankrupt longs under one price row, against shorts some of which can bear little."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = Random(seed)
        self.spec = spec_of(mark_band_ppm=500_000)
        self.pair = Pair([self.spec], LONGS + SHORTS + 1)
        self.rich = LONGS + SHORTS + 1
        self.nonce = self.deposits = 0
        for account in range(1, self.rich + 1):
            self.deposit(CommandKind.DEPOSIT, account=account, amount_quote=10**7)
        if fund := rng.choice((0, 0, 300, 2_000)):
            self.send(CommandKind.FORCED_REQUEST, flags=RequestKind.GIVE, aux=fund)
        self.price(1_000)
        self.fill()

    def send(self, kind: CommandKind, **fields: Any) -> list[Seen]:
        form: dict[str, Any] = {"time_ns": START_NS, "market_id": 1, "expiry_time_s": NEVER_S}
        return self.pair.apply(Command(kind, **(form | fields)))

    def deposit(self, kind: CommandKind, **fields: int) -> None:
        self.deposits += 1
        self.send(kind, nonce=self.deposits, **fields)

    def price(self, ticks: int) -> list[Seen]:
        return self.send(CommandKind.PRICE, price_ticks=ticks, aux=START_NS // 10**6)

    def trade(self, buyer: int, seller: int, qty: int, price: int, *margins: int) -> None:
        for account, side, margin in ((seller, SELL, margins[1]), (buyer, BUY, margins[0])):
            self.nonce += 1
            self.send(
                CommandKind.PLACE, account=account, side=side, qty_lots=qty, price_ticks=price,
                amount_quote=margin, nonce=self.nonce,
            )  # fmt: skip

    def freeze(self, account: int, frozen: int) -> None:
        self.send(CommandKind.SETTLEMENT_REJECTED, account=account, aux=frozen)

    def fill(self) -> None:
        """Longs of every strength, frozen until the row; shorts, of whom some take all out."""
        rng = self.rng
        for long in range(1, LONGS + 1):
            qty = rng.choice((2, 5, 10))
            self.trade(long, self.rich, qty, 1_000, qty * rng.randint(101, 230), qty * 9_000)
            self.freeze(long, 1)
        for short in range(LONGS + 1, self.rich):
            qty, price = rng.choice((1, 3, 6, 12)), rng.randint(780, 1_000)
            self.trade(self.rich, short, qty, price, qty * 900, qty * (1_110 - price))
        for _ in range(6):
            self.price(700)
        for short in range(LONGS + 1, self.rich):
            p = self.pair.model.positions[short, 1]
            most = min(p.margin, -p.lots * rng.choice((0, 100, 300)))
            self.nonce += 1
            self.send(
                CommandKind.MOVE_COLLATERAL, account=short, amount_quote=-most, nonce=self.nonce
            )
        for account in rng.sample(range(LONGS + 1, self.rich), 2):
            self.freeze(account, 1)
        for long in range(1, LONGS + 1):
            self.freeze(long, 0)

    def states(self) -> dict[int, MarginState]:
        """Return every position, the oldest first; the fund is 0."""
        model = self.pair.model
        found = {key[0]: p for key, p in model.positions.items() if key not in model.frozen}
        return {k: MarginState(p.lots, p.value, p.margin, p.index) for k, p in found.items()}


@pytest.mark.parametrize("seed", range(ROWS))
def test_the_runs_of_a_row_are_what_a_scan_prescribes(seed: int) -> None:
    """IDX-3, LIQ-4: engine, model, and the check that anybody can make of all runs."""
    crowd = Row(seed)
    states, asked = crowd.states(), AdlRow()
    events = crowd.price(crowd.rng.choice((735, 760, 800)))
    at = {"funding_index_e6": 0, "mark_price_ticks": crowd.pair.engine.market(1).mark_price_ticks}
    run: list[Seen] = []
    before = states.copy()
    for e in events:
        if e.kind == "LIQUIDATION_STARTED":
            run, before = [], states.copy()
        elif e.kind in ("ADL", "TAKEOVER"):
            run.append(e)
        elif e.kind == "LIQUIDATION_ENDED" and (not run or run[0].kind == "ADL"):
            items = [AdlItem(i.account, i.qty, i.price) for i in run if i.kind == "ADL"]
            others = {k: p for k, p in before.items() if k not in (0, e.account)}
            waiting = set(asked.waiting)
            check_adl(crowd.spec, before[e.account], others, before[0], items, row=asked, **at)
            SEEN["asked again"] += len(waiting - set(asked.waiting))
            SEEN["passed over"] += len(asked.passed)
            SEEN["runs"] += 1
        if e.kind == "ADL":
            taken, gave = apply_adl(
                crowd.spec, states[e.account_2], states[e.account], qty_lots=e.qty, **at
            )
            states[e.account_2], states[e.account] = taken.state, gave.state
        elif e.kind == "TAKEOVER":
            taken, gave = apply_takeover(crowd.spec, states[e.account_2], states[0], **at)
            states[e.account_2], states[0] = taken.state, gave.state
    assert states == crowd.states()


def test_rows_have_asked_again() -> None:
    """IDX-3: the runs above have met those who wait for a better price."""
    if SEEN["runs"] < 100:
        pytest.skip("not all rows were run")
    assert SEEN["passed over"] > 100
    assert SEEN["asked again"] > 20
