"""Notes what the public market data says, under the time of the replayed day."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from matcher.client import LiquidationStep, LiquidationStepKind, MarkUpdated, Traded
from tests.demo.recording import Liquidation, LiquidationKind, MarketRecord, Recording
from tests.demo.screen import MarketRow

if TYPE_CHECKING:
    from matcher.client import Market, PublicClient

KINDS: Final = {
    LiquidationStepKind.FILLED: LiquidationKind.FILLED,
    LiquidationStepKind.TAKEN_OVER: LiquidationKind.TAKEN_OVER,
    LiquidationStepKind.DELEVERAGED: LiquidationKind.DELEVERAGED,
}


class Recorder:
    """Fills a recording, and knows the newest state of each market.

    Attributes:
        time_ms: Instant of the replayed day that is noted now.
        mark_ticks: Newest mark by market.
    """

    def __init__(
        self, client: PublicClient, markets: dict[int, Market], recording: Recording
    ) -> None:
        """Note into `recording`."""
        self.time_ms = 0
        self.mark_ticks: dict[int, int] = {}
        self.liquidations_started: Counter[int] = Counter()
        self._client = client
        self._markets = markets
        self._records = recording.markets
        for market_id, market in markets.items():
            self._records[market_id] = MarketRecord(market.display.symbol)

    async def listen(self) -> None:
        """Follow the market data until it is cancelled."""
        async for event in self._client.market_data():
            market = self._markets[event.market_id]
            record = self._records[event.market_id]
            if isinstance(event, MarkUpdated):
                self.mark_ticks[event.market_id] = event.mark_price_ticks
                record.mark.append((self.time_ms, float(market.price(event.mark_price_ticks))))
                record.index.append((self.time_ms, float(market.price(event.index_price_ticks))))
            elif isinstance(event, Traded):
                record.trades += 1
                record.volume += _usd(market, event.price_ticks, event.qty_lots)
            elif isinstance(event, LiquidationStep):
                self._note_liquidation(event)

    def begin(self, time_ms: int, perp_ticks: dict[int, int]) -> None:
        """Go on to the next instant of the path, and note it."""
        self.time_ms = time_ms
        for market_id, price_ticks in perp_ticks.items():
            price = float(self._markets[market_id].price(price_ticks))
            self._records[market_id].perp.append((time_ms, price))

    async def sample(self) -> None:
        """Note what is not on the stream: open interest and funds."""
        for market in await self._client.markets():
            record = self._records[market.market_id]
            if market.prices is not None:
                mark = market.prices.mark_price_ticks
                held = _usd(market, mark, market.open_interest_lots)
                record.open_interest.append((self.time_ms, held))
            fund = float(market.amount(market.insurance_fund_quote))
            record.fund.append((self.time_ms, fund))

    def rows(self) -> list[MarketRow]:
        """Return the newest state of each market for the live table."""
        return [
            MarketRow(
                symbol=record.symbol,
                index_price=_last(record.index),
                mark=_last(record.mark),
                perp=_last(record.perp),
                open_interest=_last(record.open_interest),
                fund=_last(record.fund),
                trades=record.trades,
                liquidations=self.liquidations_started[market_id],
            )
            for market_id, record in self._records.items()
        ]

    def _note_liquidation(self, event: LiquidationStep) -> None:
        kind = KINDS.get(event.kind)
        if kind is None:
            self.liquidations_started[event.market_id] += 1
            return
        market = self._markets[event.market_id]
        price, qty = float(market.price(event.price_ticks)), float(market.qty(event.qty_lots))
        step = Liquidation(self.time_ms, kind, price, qty)
        self._records[event.market_id].liquidations.append(step)


def _usd(market: Market, price_ticks: int, qty_lots: int) -> float:
    notional = market.notional_quote(price_ticks=price_ticks, qty_lots=qty_lots)
    return float(market.amount(notional))


def _last(series: list[tuple[int, float]]) -> float:
    return series[-1][1] if series else 0.0
