"""A trader who follows a plan: opens once, then lives with the position as the plan says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matcher.client import (
    LiquidationEnded,
    LiquidationStarted,
    PositionUpdated,
    RejectedError,
    Side,
)
from tests.demo.population import Habit

if TYPE_CHECKING:
    from matcher.client import Client, Market, Position
    from tests.demo.population import TraderPlan

QUOTE_PER_USD: Final = 10**6
TRIES_MAX: Final = 6
TOP_UPS_MAX: Final = 3
PPM: Final = 10**6
SLIPPAGE_PPM: Final = 15_000


class Trader:
    """One account with one position.

    Attributes:
        plan: What is going to happen.
        position: As the matcher told it last; None before the first fill.
        has_left: The withdrawal is on its way.
    """

    def __init__(self, plan: TraderPlan, client: Client, market: Market) -> None:
        """Take a client that is logged in."""
        self.plan = plan
        self.client = client
        self.market = market
        self.position: Position | None = None
        self.has_left = False
        self.was_liquidated = False
        self.order_count = 0
        self.top_ups = 0
        self.took_out = False
        self._tries = 0
        self._has_opened = False
        self._entry_ticks = 0

    @property
    def side(self) -> Side:
        """Side that opens the position."""
        return Side.BUY if self.plan.is_long else Side.SELL

    @property
    def _closing_side(self) -> Side:
        return Side.SELL if self.plan.is_long else Side.BUY

    @property
    def lots(self) -> int:
        """Signed lots held."""
        return self.position.position_lots if self.position else 0

    async def listen(self) -> None:
        """Follow the account's events until the client is closed."""
        async for event in self.client.events():
            if isinstance(event, PositionUpdated):
                self.position = event.position
            elif isinstance(event, LiquidationStarted | LiquidationEnded):
                self.was_liquidated = True

    async def act(self, progress: float, mark_ticks: int, last_ticks: int) -> None:
        """Do what is due. What the engine refuses is dropped, or tried again later."""
        if self.has_left or progress < self.plan.enters_at:
            return
        try:
            if not self._has_opened and self._tries < TRIES_MAX:
                await self._open(last_ticks)
            elif self.lots:
                await self._live(progress, mark_ticks, last_ticks)
            elif self.plan.habit is Habit.LEAVE and progress >= self.plan.acts_at:
                await self._leave()
        except RejectedError:
            self._tries += 1

    async def _open(self, last_ticks: int) -> None:
        """Open at the market, and protect the position as planned."""
        self._tries += 1
        unit_quote = self.market.notional_quote(price_ticks=last_ticks, qty_lots=1)
        stake_quote = self.plan.stake_usd * QUOTE_PER_USD
        qty_lots = stake_quote * self.plan.leverage // unit_quote
        if qty_lots == 0:
            return
        order = self.client.orders.market(
            self.market,
            self.side,
            qty_lots=qty_lots,
            mark_price_ticks=last_ticks,
            slippage_ppm=SLIPPAGE_PPM,
            leverage=self.plan.leverage,
        )
        self.order_count += 1
        await self.client.place_one(order)
        self.position = await self.client.position(self.market.market_id)
        if not self.lots:
            return
        self._has_opened = True
        self._entry_ticks = last_ticks
        await self._protect()

    async def _protect(self) -> None:
        """Place the stop or take-profit of the plan."""
        distance_ppm = PPM * 45 // (100 * self.plan.leverage)
        adverse = -1 if self.plan.is_long else 1
        place = {
            Habit.STOP: self.client.orders.stop,
            Habit.TAKE_PROFIT: self.client.orders.take_profit,
        }
        if self.plan.habit not in place:
            return
        sign = adverse if self.plan.habit is Habit.STOP else -adverse
        moved = self._entry_ticks * min(distance_ppm, 60_000) // PPM
        order = place[self.plan.habit](
            self.market,
            self._closing_side,
            qty_lots=abs(self.lots),
            trigger_price_ticks=self._entry_ticks + sign * moved,
            slippage_ppm=SLIPPAGE_PPM,
        )
        self.order_count += 1
        await self.client.place_one(order)

    async def _live(self, progress: float, mark_ticks: int, last_ticks: int) -> None:
        match self.plan.habit:
            case Habit.TOP_UP if self.top_ups < TOP_UPS_MAX and self._is_near(mark_ticks):
                self.top_ups += 1
                amount_quote = self.plan.stake_usd * QUOTE_PER_USD * 35 // 100
                await self.client.move_collateral(self.market.market_id, amount_quote)
                self.position = await self.client.position(self.market.market_id)
            case Habit.TAKE_OUT if not self.took_out and progress >= self.plan.acts_at:
                self.took_out = True
                amount_quote = self.plan.stake_usd * QUOTE_PER_USD // 10
                await self.client.move_collateral(self.market.market_id, -amount_quote)
            case Habit.LEAVE if progress >= self.plan.acts_at:
                await self._close(last_ticks)

    def _is_near(self, mark_ticks: int) -> bool:
        """Tell whether less than two fifths of the way to liquidation are left."""
        assert self.position is not None
        limit = self.position.liquidation_price_ticks
        if limit is None or limit == self._entry_ticks:
            return False
        left = (mark_ticks - limit) * 100 // (self._entry_ticks - limit)
        return left < 40

    async def _close(self, last_ticks: int) -> None:
        order = self.client.orders.market(
            self.market,
            self._closing_side,
            qty_lots=abs(self.lots),
            mark_price_ticks=last_ticks,
            slippage_ppm=2 * SLIPPAGE_PPM,
            is_reduce_only=True,
        )
        self.order_count += 1
        await self.client.place_one(order)
        self.position = await self.client.position(self.market.market_id)

    async def _leave(self) -> None:
        """Withdraw everything to the account's own address."""
        balances = await self.client.balances()
        if balances.free_quote:
            await self.client.withdraw(balances.free_quote)
        self.has_left = True
