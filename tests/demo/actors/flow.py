"""Everyday flow: small orders at the market in both directions, so that something trades always."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from matcher.client import Side

if TYPE_CHECKING:
    from matcher.client import Client, Market

ORDER_SHARE: Final = 0.4  # of the points at which it trades
USD_MIN: Final = 3_000
USD_MAX: Final = 40_000
INVENTORY_USD_MAX: Final = 150_000
LEVERAGE: Final = 5
QUOTE_PER_USD: Final = 10**6


class Flow:
    """One account that trades all markets and forgets why."""

    def __init__(self, client: Client, markets: dict[int, Market], seed: int) -> None:
        """Draw from a seed of its own."""
        self.client = client
        self._markets = list(markets.values())
        self._chance = random.Random(seed)
        self._inventory_usd = dict.fromkeys(markets, 0)

    async def act(self, last_ticks: dict[int, int]) -> None:
        """Trade now and then; lean against what was bought before."""
        if self._chance.random() > ORDER_SHARE:
            return
        market = self._chance.choice(self._markets)
        market_id = market.market_id
        usd = self._chance.randint(USD_MIN, USD_MAX)
        lean = self._inventory_usd[market_id] / INVENTORY_USD_MAX
        side = Side.SELL if self._chance.random() < 0.5 + lean / 2 else Side.BUY
        unit_quote = market.notional_quote(price_ticks=last_ticks[market_id], qty_lots=1)
        order = self.client.orders.market(
            market,
            side,
            qty_lots=max(usd * QUOTE_PER_USD // unit_quote, 1),
            mark_price_ticks=last_ticks[market_id],
            leverage=LEVERAGE,
        )
        await self.client.place([order])
        self._inventory_usd[market_id] += usd if side is Side.BUY else -usd
