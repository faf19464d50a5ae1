"""A market maker: a ladder on both sides of each perpetual's path, wider and thinner in a rush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matcher.client import OrderAccepted, Side

if TYPE_CHECKING:
    from matcher.client import Client, Market, Order

LEVEL_COUNT: Final = 4
LEVEL_USD: Final = (40_000, 80_000, 160_000, 320_000)
DISTANCE_PPM: Final = (250, 600, 1_300, 3_000)
MOVE_PPM_MIN: Final = 500  # a smaller move does not pay for a new ladder
RUSH_PPM: Final = 8_000  # a step of this size makes the maker step back
LEVERAGE: Final = 4
QUOTE_PER_USD: Final = 10**6


class Maker:
    """One account that quotes all markets."""

    def __init__(self, client: Client, markets: dict[int, Market], *, offset_ppm: int) -> None:
        """Quote with a distance of its own, so that two makers do not stand on one price."""
        self.client = client
        self._markets = markets
        self._offset_ppm = offset_ppm
        self._centers: dict[int, int] = {}
        self._has_gaps: set[int] = set()
        self.order_count = 0

    def wants_to_move(self, prices: dict[int, int]) -> dict[int, int]:
        """Return the moves (ppm) of the markets whose ladder is to be drawn again."""
        moves = {}
        for market_id, price_ticks in prices.items():
            center = self._centers.get(market_id)
            move = (abs(price_ticks - center) * 1_000_000 // center) if center else MOVE_PPM_MIN
            if move >= MOVE_PPM_MIN or market_id in self._has_gaps:
                moves[market_id] = move
        return moves

    async def clear(self, moves: dict[int, int]) -> None:
        """Cancel the ladders that are to move."""
        for market_id in moves:
            await self.client.cancel_all(market_id)

    async def quote(self, moves: dict[int, int], prices: dict[int, int]) -> None:
        """Place the ladders that have moved, all in one batch."""
        orders = [
            order
            for market_id, move_ppm in moves.items()
            for order in self._ladder(self._markets[market_id], prices[market_id], move_ppm)
        ]
        if not orders:
            return
        results = await self.client.place(orders)
        self.order_count += len(results)
        for market_id in moves:
            self._centers[market_id] = prices[market_id]
            self._has_gaps.discard(market_id)
        for order, result in zip(orders, results, strict=True):
            if not isinstance(result, OrderAccepted):
                self._has_gaps.add(order.market_id)

    def _ladder(self, market: Market, center: int, move_ppm: int) -> list[Order]:
        """Return the orders of one market; a rush makes them wider and smaller."""
        rush = min(move_ppm, 4 * RUSH_PPM)
        orders = []
        for level in range(LEVEL_COUNT):
            away_ppm = DISTANCE_PPM[level] + self._offset_ppm + rush // 6
            usd = LEVEL_USD[level] * RUSH_PPM // (RUSH_PPM + 2 * rush)
            away = max(center * away_ppm // 1_000_000, level + 1)
            for side, price in ((Side.BUY, center - away), (Side.SELL, center + away)):
                lots = usd * QUOTE_PER_USD // market.notional_quote(price_ticks=price, qty_lots=1)
                orders.append(
                    self.client.orders.limit(
                        market,
                        side,
                        price_ticks=price,
                        qty_lots=max(lots, 1),
                        leverage=LEVERAGE,
                        is_post_only=True,
                    )
                )
        return orders
