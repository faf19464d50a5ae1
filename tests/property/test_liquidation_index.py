"""The liquidation index finds what a scan of every position finds, in the same order."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from margin_core import MarginState, MarketSpec, Tier, is_liquidatable, liquidation_price_ticks
from matcher.engine.commands import Command, CommandKind, RequestKind
from matcher.engine.engine import Engine
from matcher.engine.events import Event, EventKind, unpack

STEPS = int(os.environ.get("BULKHEAD_SOAK_INDEX_STEPS", "5000"))
NS = 10**9
ACCOUNTS = 160  # the two after them quote, and never trade otherwise
CASH = 2**40


def spec_of(rng: Random, tier_count: int) -> MarketSpec:
    """Return a market; notional and funding of any size the bounds admit."""
    unit, rate = rng.choice((1, 1_000, 2**20)), rng.choice((10_000, 15_000))
    return MarketSpec(
        market_id=1, quote_per_tick_lot=unit, price_ticks_max=rng.choice((2_500, 2**20)),
        position_lots_max=100_000, fee_maker_ppm=0, fee_taker_ppm=rng.choice((0, 300)),
        mark_band_ppm=rng.choice((20_000, 200_000)), funding_interval_s=2,
        funding_cap_ppm=rng.choice((100, 20_000)), tiers=tiers_of(unit, rate, tier_count),
    )  # fmt: skip


def tiers_of(unit: int, rate: int, tier_count: int) -> tuple[Tier, ...]:
    """Return tiers that double in notional and rise by `rate` ppm each."""
    floors = [unit * 1_000 * 2**k for k in range(tier_count - 1)]
    return tuple(
        Tier(
            notional_floor_quote=floor,
            margin_initial_ppm=20_000 * (k + 1),
            margin_maintenance_ppm=rate * (k + 1),
        )
        for k, floor in enumerate([0, *floors])
    )


class Crowd:
    """Many accounts on one market; a rich fund takes over whatever is liquidated."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.spec = spec_of(self.rng, (1, 3, 8, 8)[seed % 4])
        self.engine = Engine(account_count_max=200, position_count_max=200, order_count_max=64)
        self.time_ns = 10**18
        self.nonce = self.deposits = self.started = self.settled = 0
        self.engine.list_market(self.spec, self.time_ns)
        for _ in range(ACCOUNTS + 2):
            account = self.engine.register_account()
            self.deposit(CommandKind.DEPOSIT, account=account, amount_quote=CASH)
        self.send(CommandKind.FORCED_REQUEST, flags=RequestKind.GIVE, aux=2**58)
        self.index = 1_000
        self.price()
        for account in range(1, ACCOUNTS + 3):  # slots are as old as accounts
            self.quote(account, 0, 500)
            self.send(CommandKind.CANCEL_ALL, account=account, side=2)

    def send(self, kind: CommandKind, **fields: Any) -> list[Event]:
        self.nonce += 1
        form: dict[str, Any] = {
            "market_id": 1, "time_ns": self.time_ns, "nonce": self.nonce,
            "expiry_time_s": 2**32 - 1,
        }  # fmt: skip
        command = Command(kind, **(form | fields))
        return list(unpack(self.engine.apply_one(command)))

    def deposit(self, kind: CommandKind, **fields: int) -> None:
        self.deposits += 1
        self.send(kind, nonce=self.deposits, **fields)

    def trade(self) -> None:
        """Open or change two positions at a price near the mark; leverage of every size."""
        rng, unit = self.rng, self.spec.quote_per_tick_lot
        seller, buyer = rng.sample(range(1, ACCOUNTS + 1), 2)
        qty = rng.choice((1, 1, 3, 10, 40, rng.randint(1, 300)))
        price = max(1, round(self.index * (1 + rng.gauss(0, 0.004))))
        for account, side in ((seller, 1), (buyer, 0)):
            margin = qty * price * unit // rng.choice((1, 2, 4, 8, 15, 25, 35))
            self.send(
                CommandKind.PLACE, account=account, side=side, price_ticks=price, qty_lots=qty,
                amount_quote=margin, time_in_force=1 - side,
            )  # fmt: skip
        self.send(CommandKind.CANCEL_ALL, account=seller, side=2)

    def move(self) -> None:
        """Top up or take out."""
        amount = self.rng.choice((-1, 1)) * self.rng.randint(1, 10_000)
        self.send(
            CommandKind.MOVE_COLLATERAL, account=self.rng.randint(1, ACCOUNTS),
            amount_quote=amount * self.spec.quote_per_tick_lot,
        )  # fmt: skip

    def announce(self) -> None:
        """Let other tiers hold an hour later; prices before it prepare for them."""
        held, now_s = self.engine.spec(1), self.time_ns // NS
        rate, count = self.rng.choice((8_000, 12_000, 18_000)), self.rng.choice((1, 2, 3, 8))
        tiers = tiers_of(held.quote_per_tick_lot, rate, count)
        self.engine.announce_parameters(replace(held, tiers=tiers), now_s + 3_600, self.time_ns)
        for _ in range(self.rng.randrange(4)):
            self.trade()
            self.price()
            self.engine.check_invariants()
        if self.rng.random() < 0.2:  # another announcement takes its place
            self.engine.announce_parameters(held, now_s + 3_600, self.time_ns)
        self.time_ns += 3_600 * NS
        self.price(switches=True)
        self.engine.check_invariants()

    def freeze(self) -> None:
        account = self.rng.randint(1, ACCOUNTS)
        self.send(CommandKind.SETTLEMENT_REJECTED, account=account, aux=self.rng.randrange(2))

    def quote_premium(self) -> None:
        """Let a far middle of the book give funding a sign; the orders go before the price."""
        rng = self.rng
        shift = round(self.index * rng.gauss(0, 0.01))
        for side, price in ((0, self.index + shift - 2), (1, self.index + shift + 2)):
            self.quote(ACCOUNTS + 1 + side, side, price)

    def quote(self, account: int, side: int, price: int) -> None:
        self.send(
            CommandKind.PLACE, account=account, side=side, price_ticks=price, qty_lots=1,
            amount_quote=price * self.spec.quote_per_tick_lot,
        )  # fmt: skip

    def price(self, *, switches: bool = False) -> None:
        """Compare the liquidations of a price with a scan at its mark and funding index."""
        jump = self.rng.gauss(0, 0.01 if self.rng.random() < 0.9 else 0.05)
        self.index = max(300, min(2_400, round(self.index * (1 + jump))))
        before = [self.engine.position(account, 1) for account in range(1, ACCOUNTS + 3)]
        events = self.send(CommandKind.PRICE, price_ticks=self.index, aux=self.time_ns // 10**6)
        assert switches == any(e.kind == EventKind.PARAMETERS_CHANGED for e in events)
        self.spec = self.engine.spec(1)
        market = self.engine.market(1)
        prices = (market.index_price_ticks, market.mark_price_ticks)
        funding = market.funding_index_e6
        due = []
        for account, p in enumerate(before, 1):
            if p is None or p.position_lots == 0 or p.is_frozen:
                continue
            state = MarginState(*p[:4])
            at = {"funding_index_e6": funding}
            gentler = max(prices) if p.position_lots > 0 else min(prices)  # MARG-4
            if is_liquidatable(self.spec, state, mark_price_ticks=gentler, **at):
                price = liquidation_price_ticks(self.spec, state, **at)
                assert price is not None
                is_short = p.position_lots < 0
                due.append((is_short, price if is_short else -price, account))
        started = [e.account for e in events if e.kind == EventKind.LIQUIDATION_STARTED]
        # Whoever rested an order that a liquidation met has another position when its turn comes.
        met = {e.account for e in events if e.kind == EventKind.LIQUIDATION_FILL}
        assert [n for n in started if n not in met] == [n for *_, n in sorted(due) if n not in met]
        self.started += len(started)
        self.settled += any(e.kind == EventKind.FUNDING for e in events)
        for account in (ACCOUNTS + 1, ACCOUNTS + 2):
            self.send(CommandKind.CANCEL_ALL, account=account, side=2)


@pytest.mark.parametrize("seed", range(4))
def test_a_tick_liquidates_what_a_scan_finds(seed: int) -> None:
    """IDX-1, IDX-2, TICK-1, FUND-1, PAR-2: marks, funding, tiers old and new, top-ups, freezes."""
    crowd = Crowd(seed)
    steps = (
        crowd.trade, crowd.price, crowd.move, crowd.freeze, crowd.quote_premium, crowd.announce
    )  # fmt: skip
    for number in range(STEPS):
        crowd.time_ns += crowd.rng.choice((0, NS // 2, NS))
        crowd.rng.choices(steps, (50, 25, 15, 3, 7, 0.5))[0]()
        if number % 50 == 0:
            crowd.engine.check_invariants()
    assert crowd.started > STEPS // 100
    assert crowd.settled > STEPS // 20
