"""Auctions of orders that end by themselves, of icebergs and siblings: the engine is the model."""

from __future__ import annotations

import os
from collections import Counter
from random import Random
from typing import Any

import pytest

from margin_core import MarketSpec, Tier
from matcher.engine.commands import FLAG_REDUCE_ONLY, NEVER_S, Command, CommandKind, MarketState
from matcher.engine.instructions import Instructions, SelfTradePrevention
from tests.model.auction import CLEARINGS_MAX
from tests.model.floor import Seen
from tests.model.pair import START_NS, Pair

AUCTIONS = int(os.environ.get("BULKHEAD_SOAK_AUCTIONS", "40"))
FIRST_SEED = int(os.environ.get("BULKHEAD_SOAK_SEED", "0"))
ACCOUNTS = 6
ORDERS = 70
SEEN: Counter[str] = Counter()


def spec_of(rng: Random) -> MarketSpec:
    """Return a market where a position or the open interest is soon too large."""
    tier = Tier(notional_floor_quote=0, margin_initial_ppm=50_000, margin_maintenance_ppm=25_000)
    return MarketSpec(
        market_id=1, quote_per_tick_lot=1, price_ticks_max=3_000,
        position_lots_max=rng.choice((6, 200)), fee_maker_ppm=rng.choice((0, 200)),
        fee_taker_ppm=500, mark_band_ppm=rng.choice((5_000, 200_000, 200_000)),
        liquidation_buffer_ppm=0, fee_liquidation_ppm=0,
        open_interest_lots_max=rng.choice((0, 0, 12)), tiers=(tier,),
    )  # fmt: skip


class Opening:
    """An auction in which one account brings most of the bids, and the first ask."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = Random(seed)
        self.pair = Pair([spec_of(rng)], ACCOUNTS, order_max=2 * ORDERS)
        self.nonce = 0
        self.mode = rng.choice(tuple(SelfTradePrevention))
        self.own = rng.choice((0.5, 0.9))  # share of orders that can only meet each other
        for account in range(1, ACCOUNTS + 1):
            self.send(CommandKind.DEPOSIT, account=account, amount_quote=10**6, nonce=account)
        self.send(CommandKind.PRICE, price_ticks=1_000, aux=START_NS // 10**6)

    def send(self, kind: CommandKind, **fields: Any) -> list[Seen]:
        form: dict[str, Any] = {"time_ns": START_NS, "market_id": 1, "expiry_time_s": NEVER_S}
        return self.pair.apply(Command(kind, **(form | fields)))

    def place(self, account: int, side: int, price: int, **fields: Any) -> None:
        self.nonce += 1
        qty = fields.pop("qty_lots", 1)
        margin = 0 if fields.get("flags") else qty * price // 4
        self.send(
            CommandKind.PLACE, account=account, side=side, price_ticks=price, qty_lots=qty,
            amount_quote=margin, nonce=self.nonce, **fields,
        )  # fmt: skip

    def collect(self) -> None:
        """Positions first; then many who cannot trade above those who can."""
        rng = self.rng
        for account in range(1, ACCOUNTS):
            self.place(account, rng.randrange(2), 1_000, qty_lots=rng.choice((1, 3)))
        self.send(CommandKind.SET_MARKET_STATE, aux=MarketState.AUCTION)
        self.place(1, 1, rng.choice((960, 1_000)))
        for number in range(ORDERS):
            spread = rng.choice((2, 30))
            if rng.random() < self.own:
                self.place(1, 0, 1_050 - number // 2, instructions=Instructions(self.mode))
            else:
                self.any_order(rng.randint(990 - spread, 1_010 + spread))

    def any_order(self, price: int) -> None:
        """An order of anybody, with what an auction admits; or two that are siblings."""
        rng, account, siblings = self.rng, self.rng.randint(1, ACCOUNTS), self.rng.random() < 0.3
        for other in (1, -1) if siblings else (0,):
            qty = rng.choice((1, 1, 2, 9))
            word = Instructions(
                self_trade=rng.choice(tuple(SelfTradePrevention)),
                display_lots=rng.choice((0, 0, 1, qty)),
                oco_nonce=self.nonce + 1 + other if siblings else 0,
            )
            self.place(
                account, rng.choice((0, 0, 0, 1)), price + 3 * other, qty_lots=qty,
                instructions=word, flags=FLAG_REDUCE_ONLY * (rng.random() < 0.15),
            )  # fmt: skip

    def open(self) -> list[Seen]:
        """Uncross at a mark beside the last."""
        price = self.rng.choice((1_000, 985, 1_030))
        self.send(CommandKind.PRICE, price_ticks=price, aux=START_NS // 10**6)
        return self.send(CommandKind.SET_MARKET_STATE, aux=MarketState.OPEN)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + AUCTIONS))
def test_an_auction_ends_the_cross_in_few_clearings(seed: int) -> None:
    """AUC-1, AUC-2, STP-1, ICE-1, OCO-1, CAP-1, MATCH-1: as the model; never crossed afterwards."""
    opening = Opening(seed)
    opening.collect()
    events = opening.open()
    bids, asks = opening.pair.engine.book(1, ORDERS)
    assert not bids or not asks or bids[0][0] < asks[0][0]
    clearings = [at for at, e in enumerate(events) if e.kind == "AUCTION"]
    assert len(clearings) <= CLEARINGS_MAX
    SEEN[f"clearings {len(clearings)}"] += 1
    SEEN.update(e.reason for e in events)
    last = clearings[-1] if clearings else 0
    pairs = [e for e in events[last + 1 :] if e.kind == "FILL" and e.price != events[last].price]
    assert not pairs or len(clearings) == CLEARINGS_MAX
    SEEN["pairs"] += len(pairs)


def test_every_way_of_an_auction_has_occurred() -> None:
    """AUC-2: one clearing, several, and more than there may be."""
    if SEEN.total() < AUCTIONS or AUCTIONS < 40:
        pytest.skip("not all auctions were held in this run")
    wanted = {
        "clearings 1", "clearings 2", f"clearings {CLEARINGS_MAX}", "pairs", "SELF_TRADE",
        "PRICE_BAND", "POSITION_LIMIT", "OPEN_INTEREST_LIMIT", "SIBLING_ENDED", "REDUCE_ONLY",
    }  # fmt: skip
    assert {what for what in wanted if not SEEN[what]} == set()
