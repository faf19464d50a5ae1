"""Walks the path: oracle, makers and traders act at each of its points, and everything is noted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from matcher.client import BulkheadError, IndexPrice, RejectReason
from tests.demo.population import Habit
from tests.demo.screen import State

if TYPE_CHECKING:
    from matcher.client import Market
    from settlement.node import Node
    from tests.demo.path import Point
    from tests.demo.recorder import Recorder
    from tests.demo.recording import Recording
    from tests.demo.screen import Screen
    from tests.demo.stage import Stage

SAMPLE_EVERY: Final = 3
BATCHES_EVERY_S: Final = 0.5


class Replay:
    """One walk along the path."""

    def __init__(
        self,
        stage: Stage,
        recorder: Recorder,
        recording: Recording,
        screen: Screen,
        *,
        node: Node,
        path: list[Point],
        seconds: float,
    ) -> None:
        """Walk `path` in about `seconds`."""
        self._stage = stage
        self._recorder = recorder
        self._recording = recording
        self._screen = screen
        self._node = node
        self._path = path
        self._pause_s = seconds / len(path)
        recording.walk_seconds = seconds
        self._symbols = {m: market.display.symbol for m, market in stage.markets.items()}
        self._last_price_ms = 0
        self.batches = 0

    async def run(self) -> None:
        """Walk to the end of the path."""
        started_s = time.monotonic()
        counting = asyncio.create_task(self._count_batches())
        try:
            await self._walk(started_s)
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)

    async def _walk(self, started_s: float) -> None:
        for number, point in enumerate(self._path):
            await self._step(number, point)
            due_s = started_s + (number + 1) * self._pause_s
            await asyncio.sleep(max(due_s - time.monotonic(), 0))

    async def _count_batches(self) -> None:
        """Ask the chain now and then: it may be busy with a batch for as long as it likes."""
        while True:
            self.batches = await self._node.settlement.functions.sequence().call()
            await asyncio.sleep(BATCHES_EVERY_S)

    async def _step(self, number: int, point: Point) -> None:
        """Everybody acts once: makers first, they are faster; then the index; then traders."""
        recorder, stage = self._recorder, self._stage
        prices = {m: self._ticks(market, point) for m, market in stage.markets.items()}
        perp = {m: perp_ticks for m, (perp_ticks, _) in prices.items()}
        recorder.begin(point.time_ms, perp)
        await self._quote(perp)
        await self._submit_index(point.time_ms, {m: spot for m, (_, spot) in prices.items()})
        progress = number / len(self._path)
        await asyncio.gather(
            *(flow.act(perp) for flow in stage.flows),
            *(
                trader.act(progress, recorder.mark_ticks[market_id], perp[market_id])
                for trader in stage.traders
                if (market_id := trader.market.market_id) in recorder.mark_ticks
            ),
        )
        if number % SAMPLE_EVERY == 0 or number == len(self._path) - 1:
            await recorder.sample()
            self._screen.show(self._state(number + 1, point))

    async def _quote(self, perp: dict[int, int]) -> None:
        moves = {maker: maker.wants_to_move(perp) for maker in self._stage.makers}
        await asyncio.gather(*(maker.clear(moved) for maker, moved in moves.items() if moved))
        await asyncio.gather(*(maker.quote(moved, perp) for maker, moved in moves.items() if moved))

    async def _submit_index(self, day_ms: int, spot: dict[int, int]) -> None:
        """Sign the index of every market and hand it in; times rise strictly."""
        self._last_price_ms = max(time.time_ns() // 1_000_000, self._last_price_ms + 1)
        self._recording.instants[self._last_price_ms] = day_ms
        prices = [
            IndexPrice(market_id, price_ticks, self._last_price_ms)
            for market_id, price_ticks in spot.items()
        ]
        stage = self._stage
        reasons = await stage.public.submit_index_prices(stage.domain, stage.oracle, prices)
        refused = [reason for reason in reasons if reason is not RejectReason.NONE]
        assert not refused, f"index prices refused: {refused}"

    def _ticks(self, market: Market, point: Point) -> tuple[int, int]:
        symbol = market.display.symbol.partition("-")[0] + "USDT"
        return point.quotes[symbol].ticks(market.display.price_tick_e9)

    def _state(self, done: int, point: Point) -> State:
        return State(
            time_ms=point.time_ms,
            done=done,
            total=len(self._path),
            rows=self._recorder.rows(),
            batches=self.batches,
            accounts=len(self._stage.clients()),
            withdrawn=sum(trader.has_left for trader in self._stage.traders),
        )


async def finish(stage: Stage) -> None:
    """Take every order off the books and let the leavers leave who could not yet."""
    await asyncio.gather(*(client.cancel_all() for client in stage.clients()))
    for trader in stage.traders:
        if trader.plan.habit is Habit.LEAVE and not trader.has_left and not trader.lots:
            try:
                await trader.act(1.0, 0, 0)
            except BulkheadError as error:
                raise AssertionError(f"{trader.plan.name} cannot leave: {error}") from error
