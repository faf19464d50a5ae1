"""The engine does, command for command, what the slow model of SPEC §3 does."""

from __future__ import annotations

import os
from random import Random

import pytest

from margin_core import MarketSpec, Tier
from matcher.engine.commands import SIDE_ANY, Command, CommandKind, MarketState
from tests.model.pair import NS, START_NS, Pair

COMMANDS = int(os.environ.get("BULKHEAD_SOAK_COMMANDS", "700"))  # of one stream
STREAMS = int(os.environ.get("BULKHEAD_SOAK_STREAMS", "20"))
FIRST_SEED = int(os.environ.get("BULKHEAD_SOAK_SEED", "0"))
STATES = tuple(MarketState)


def any_spec(rng: Random, market_id: int) -> MarketSpec:
    """Return a market of small prices and lots, with one tier or three; money of any size."""
    unit = rng.choice((1, 10, 10, 2**18 + 1))
    tiers = [Tier(notional_floor_quote=0, margin_initial_ppm=50_000, margin_maintenance_ppm=25_000)]
    for floor, initial in ((40_000 * unit, 100_000), (100_000 * unit, 250_000))[
        : rng.choice((0, 2))
    ]:
        tiers.append(
            Tier(
                notional_floor_quote=floor,
                margin_initial_ppm=initial,
                margin_maintenance_ppm=initial // 2,
            )
        )
    return MarketSpec(
        market_id=market_id,
        quote_per_tick_lot=unit,
        price_ticks_max=rng.choice((3_000, 100_000)),
        position_lots_max=rng.choice((60, 400)),
        fee_maker_ppm=rng.choice((0, 200)),
        fee_taker_ppm=rng.choice((0, 500, 3_000)),
        fee_liquidation_ppm=rng.choice((0, 5_000)),
        liquidation_buffer_ppm=rng.choice((0, 2_500)),
        mark_band_ppm=rng.choice((20_000, 50_000, 200_000)),
        funding_cap_ppm=rng.choice((750, 20_000)),
        funding_interval_s=rng.choice((3, 60)),
        index_age_max_ms=rng.choice((1_000, 10_000)),
        impact_notional_quote=rng.choice((0, 1, 5_000 * unit, 60_000 * unit)),
        funding_period_s=rng.choice((0, 0, 24)),
        funding_interest_ppm=rng.choice((0, 100)),
        funding_clamp_ppm=rng.choice((0, 500)),
        grace_s=rng.choice((0, 0, 2)),
        tiers=tuple(tiers),
    )


class Stream:
    """Random commands that live close to the edges: leverage, thin books, jumps of the index."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = Random(seed)
        self.specs = [any_spec(rng, market) for market in (1, 7)[: rng.choice((1, 1, 2))]]
        self.accounts = rng.choice((4, 8))
        self.pair = Pair(self.specs, self.accounts)
        self.time_ns = START_NS
        self.nonce = self.deposits = 0
        self.index = {spec.market_id: 1_000 for spec in self.specs}
        for account in range(1, self.accounts + 1):
            cash = rng.randrange(10**3, 10**5) * self.specs[0].quote_per_tick_lot
            self.send(CommandKind.DEPOSIT, account=account, amount_quote=cash)
        for spec in self.specs:
            if rng.random() < 0.7:
                self.send(
                    CommandKind.FUND_DEPOSIT, market_id=spec.market_id,
                    amount_quote=rng.choice((10, 300, 10**5)) * spec.quote_per_tick_lot,
                )  # fmt: skip
            self.price(spec.market_id)

    def send(self, kind: CommandKind, **fields: int) -> None:
        form = {"time_ns": self.time_ns}
        if kind in (CommandKind.DEPOSIT, CommandKind.FUND_DEPOSIT):
            self.deposits += 1
            form["nonce"] = self.deposits
        elif kind in (CommandKind.PLACE, CommandKind.MOVE_COLLATERAL, CommandKind.WITHDRAW):
            self.nonce += 1
            form["nonce"] = self.nonce
        self.pair.apply(Command(kind, **(form | fields)))

    def price(self, market: int) -> None:
        jump = self.rng.gauss(0, 0.01 if self.rng.random() < 0.9 else 0.06)
        self.index[market] = max(20, min(2_900, round(self.index[market] * (1 + jump))))
        self.send(
            CommandKind.PRICE, market_id=market, price_ticks=self.index[market],
            aux=self.time_ns // 10**6,
        )  # fmt: skip

    def step(self) -> None:
        self.time_ns += self.rng.choice((0, 1, NS // 10, NS))
        spec = self.rng.choice(self.specs)
        names = ("place", "cancel", "price", "cancel_all", "move", "withdraw", "tick", "odd")
        name = self.rng.choices(names, (60, 6, 20, 1, 7, 2, 2, 2))[0]
        if name == "price":
            self.price(spec.market_id)
        else:
            getattr(self, name)(spec)

    def any_account(self) -> int:
        return self.rng.randint(1, self.accounts)

    def place(self, spec: MarketSpec) -> None:
        rng, market = self.rng, spec.market_id
        side, tif = rng.randrange(2), rng.choice((0, 0, 0, 0, 1, 1, 2))
        flags = rng.choice((0, 0, 0, 0, 0, 2)) | (rng.random() < 0.2 and tif == 0)
        price = max(1, round(self.index[market] * (1 + rng.gauss(0, 0.012))))
        qty = rng.choice((1, 2, 3, 5, 10, 25, 50))
        margin = price * qty * spec.quote_per_tick_lot // rng.choice((2, 3, 7, 12, 17, 19, 21))
        trigger = rng.choice((0, 0, 0, 0, 0, 0, 1, 2))
        self.send(
            CommandKind.PLACE, account=self.any_account(), market_id=market, side=side,
            time_in_force=tif, flags=int(flags), price_ticks=price, qty_lots=qty,
            amount_quote=0 if flags & 2 or rng.random() < 0.03 else margin,
            expiry_time_s=self.time_ns // NS + rng.choice((0, 2, 20, 200, *[10_000] * 12)),
            trigger_kind=trigger,
            trigger_price_ticks=max(1, round(self.index[market] * (1 + rng.gauss(0, 0.02)))),
        )  # fmt: skip

    def cancel(self, _: MarketSpec) -> None:
        ids = list(self.pair.model.names)
        order_id = self.rng.choice(ids[-40:]) if ids else 1
        account, nonce = self.pair.model.names.get(order_id, (1, 1))
        if self.rng.random() < 0.1:
            account = self.any_account()
        if self.rng.random() < 0.3:
            self.send(CommandKind.CANCEL, account=account, nonce=nonce)
        else:
            self.send(CommandKind.CANCEL, account=account, order_id=order_id)

    def cancel_all(self, spec: MarketSpec) -> None:
        self.send(
            CommandKind.CANCEL_ALL, account=self.any_account(),
            market_id=self.rng.choice((0, spec.market_id)), side=self.rng.choice((0, 1, SIDE_ANY)),
        )  # fmt: skip

    def move(self, spec: MarketSpec) -> None:
        most = 10 ** self.rng.randint(1, 4) * spec.quote_per_tick_lot
        amount = self.rng.choice((-1, 1, 1)) * self.rng.randint(0, most)
        self.send(
            CommandKind.MOVE_COLLATERAL, account=self.any_account(), market_id=spec.market_id,
            amount_quote=amount, expiry_time_s=self.time_ns // NS + 1,
        )  # fmt: skip

    def withdraw(self, spec: MarketSpec) -> None:
        most = 10 ** self.rng.randint(1, 4) * spec.quote_per_tick_lot
        self.send(
            CommandKind.WITHDRAW, account=self.any_account(),
            amount_quote=self.rng.randint(0, most),
            expiry_time_s=self.time_ns // NS + 1,
        )  # fmt: skip

    def tick(self, _: MarketSpec) -> None:
        self.send(CommandKind.TICK)

    def odd(self, spec: MarketSpec) -> None:
        """Send what is rare: states, freezes, deposits, unknown markets and accounts."""
        rng, market = self.rng, spec.market_id
        what = rng.randrange(6)
        if what == 0:
            self.send(CommandKind.SET_MARKET_STATE, market_id=market, aux=rng.choice(STATES))
            for _ in range(rng.randrange(6)):
                self.place(spec)
                self.price(market)
            self.send(CommandKind.SET_MARKET_STATE, market_id=market, aux=MarketState.OPEN)
        elif what == 1:
            frozen = {"account": self.any_account(), "market_id": market}
            self.send(CommandKind.SETTLEMENT_REJECTED, aux=1, **frozen)
            for _ in range(rng.randrange(6)):
                self.place(spec)
                self.move(spec)
                self.price(market)
            self.send(CommandKind.SETTLEMENT_REJECTED, aux=0, **frozen)
        elif what == 2:
            self.send(
                CommandKind.DEPOSIT,
                account=self.any_account(),
                amount_quote=10**3 * spec.quote_per_tick_lot,
            )
        elif what == 3:
            self.send(CommandKind.PLACE, account=99, market_id=market)
        elif what == 4:
            self.send(CommandKind.CANCEL_ALL, account=1, market_id=99)
        else:
            self.send(CommandKind.PRICE, market_id=market, price_ticks=1_000, aux=1)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + STREAMS))
def test_the_engine_is_the_model(seed: int) -> None:
    """ORD-1, ORD-2, ORD-3, MATCH-1 to MATCH-4, TRIG-1, TICK-1, MARK-1, FUND-1, LIQ-1 to LIQ-7."""
    stream = Stream(seed)
    for _ in range(COMMANDS):
        stream.step()
    assert stream.pair.engine.deposits_quote() == stream.pair.model.deposits
    assert stream.pair.engine.withdrawals_quote() == stream.pair.model.withdrawals
    assert stream.pair.engine.fees_quote() == stream.pair.model.fees
