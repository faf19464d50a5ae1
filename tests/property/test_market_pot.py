"""CONS-4 on engine and model: after gaps in grace, what a market holds is all that it pays."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from matcher.engine.commands import Command, CommandKind, MarketState, RequestKind
from tests.model.pair import NS
from tests.property.test_engine_model import Stream

STREAMS = 8
GAPS = 10  # of one stream
SEEN: Counter[str] = Counter()


class Gaps(Stream):
    """Nobody is liquidated for ten seconds after a gap: winners run for the market's money.

    `pair.apply` compares the market's pot with the model's sum after each command.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        for spec in self.specs:
            wide = replace(
                spec, grace_s=10, mark_band_ppm=500_000, order_band_ppm=0, funding_cap_ppm=750,
                open_interest_lots_max=0,
            )  # fmt: skip
            self.pair.announce(wide, self.time_ns // NS, self.time_ns)
            self.price(spec.market_id)

    def send(self, kind: CommandKind, **fields: Any) -> None:
        form: dict[str, Any] = {"time_ns": self.time_ns}
        if "nonce" not in fields:
            self.nonce += 1
            is_deposit = kind == CommandKind.DEPOSIT
            self.deposits += is_deposit
            form["nonce"] = self.deposits if is_deposit else self.nonce
        for seen in self.pair.apply(Command(kind, **(form | fields))):
            SEEN[f"{seen.kind} {seen.reason}"] += 1

    def held(self, market: int) -> list[tuple[int, int]]:
        positions = self.pair.model.positions.items()
        return [(key[0], p.lots) for key, p in positions if key[1] == market and key[0] and p.lots]

    def leave(self, market: int) -> None:
        """A holder closes near the index, by an order or by force, or takes collateral out."""
        account, lots = self.rng.choice(self.held(market) or [(self.any_account(), 1)])
        how = self.rng.randrange(5)
        if how == 0:
            self.send(
                CommandKind.MOVE_COLLATERAL, account=account, market_id=market,
                amount_quote=-self.rng.choice((1, 500, 9_000)),
                expiry_time_s=self.time_ns // NS + 1,
            )  # fmt: skip
        elif how == 1:
            self.requests += 1
            kind = self.rng.choice((RequestKind.REDUCE, RequestKind.REDUCE, RequestKind.UNBACK))
            self.send(
                CommandKind.FORCED_REQUEST, account=account, market_id=market, flags=int(kind),
                nonce=self.requests, aux=10**6, side=self.rng.randrange(2),
            )  # fmt: skip
        else:
            self.order(account, market, int(lots > 0), abs(lots), self.rng.choice((0, 0, 1, 2)))

    def order(self, account: int, market: int, side: int, lots: int, tif: int) -> None:
        price = max(1, self.index[market] + self.rng.randint(-2, 2))
        unit = self.pair.engine.spec(market).quote_per_tick_lot
        self.send(
            CommandKind.PLACE, account=account, market_id=market, side=side, qty_lots=lots,
            price_ticks=price, time_in_force=tif, expiry_time_s=self.time_ns // NS + 100,
            amount_quote=price * lots * unit // self.rng.choice((4, 6)),
        )  # fmt: skip

    def trade(self, market: int) -> None:
        lots = self.rng.choice((1, 3, 8, 20))
        for side in (0, 1):
            self.order(self.any_account(), market, side, lots, 0)

    def gap(self, market: int) -> None:
        for _ in range(6):
            self.trade(market)
        self.time_ns += 11 * NS  # the last row is stale by then
        if self.rng.random() < 0.3:  # or so old that it does not hold any more (MARK-4)
            self.time_ns += 3_600 * NS
            for _ in range(6):
                self.rng.choice((self.leave, self.trade))(market)
        jump = self.rng.choice((0.6, 0.75, 1.3, 1.5))
        self.index[market] = max(200, min(2_900, round(self.index[market] * jump)))
        self.price(market)
        is_auction = self.rng.random() < 0.3
        if is_auction:
            self.send(CommandKind.SET_MARKET_STATE, market_id=market, aux=MarketState.AUCTION)
        for _ in range(12):
            self.rng.choice((self.leave, self.leave, self.trade))(market)
            self.price(market)
        if is_auction:
            self.send(CommandKind.SET_MARKET_STATE, market_id=market, aux=MarketState.OPEN)
        self.time_ns += 11 * NS
        self.price(market)
        self.time_ns += 11 * NS
        self.price(market)


@pytest.mark.parametrize("seed", range(STREAMS))
def test_no_market_pays_more_than_it_holds(seed: int) -> None:
    """CONS-4."""
    stream = Gaps(seed)
    for _ in range(GAPS):
        stream.gap(stream.rng.choice(stream.specs).market_id)
    for spec in stream.specs:
        assert stream.pair.engine.market(spec.market_id).pot_quote >= 0
    stream.end_markets()


def test_the_rule_is_met_everywhere() -> None:
    """CONS-4, MARK-4: orders in and out of auctions, moves and requests have met it."""
    for kind in ("ORDER_CANCELED", "COMMAND_REJECTED", "FORCED_SERVED"):
        assert SEEN[f"{kind} MARKET_CANNOT_PAY"] > 0, SEEN
        assert SEEN[f"{kind} PRICE_STALE"] > 0, SEEN
