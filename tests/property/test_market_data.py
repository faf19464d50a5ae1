"""Real days through the engine: no bar breaks an invariant, and no loss leaves its position."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from margin_core import MarketSpec, Tier
from matcher.engine.commands import (
    SIDE_ANY,
    SIDE_BUY,
    SIDE_SELL,
    TIF_IOC,
    Command,
    CommandKind,
    RequestKind,
)
from matcher.engine.engine import Engine
from matcher.engine.events import Event, EventKind, unpack
from tests.demo.path import BARS_PATH, CORNERS, Point, read_corners, walk

NS_PER_MS: Final = 1_000_000
USD: Final = 10**6
COLUMNS: Final = {"symbol", "ts_ms", *CORNERS, *(f"{name}_spot" for name in CORNERS)}
MAKERS: Final = range(1, 4)
TRADERS: Final = range(4, 64)
LEVERAGES: Final = (2, 3, 5, 8, 10, 15, 20, 30, 40, 50)
MAKER_USD: Final = 50_000_000
TRADER_USD: Final = 100_000
STAKE_USD: Final = 2_000
FUND_USD: Final = 1  # soon empty: the last step of the waterfall is taken too
LADDER_PPM: Final = (300, 1_000, 3_000, 10_000)
LEVEL_USD: Final = 5_000
LIQUIDATIONS: Final = {
    EventKind.LIQUIDATION_STARTED,
    EventKind.LIQUIDATION_FILL,
    EventKind.TAKEOVER,
    EventKind.ADL,
}


class Day:
    """One venue that lives through a path of prices; money and balances are checked on the way."""

    def __init__(self, path: list[Point]) -> None:
        self.path = path
        self.symbols = sorted(path[0].quotes)
        self.markets = dict(enumerate(self.symbols, 1))
        self.tick_e9 = {m: _tick_e9(path, symbol) for m, symbol in self.markets.items()}
        accounts = len(MAKERS) + len(TRADERS)
        self.engine = Engine(
            account_count_max=accounts,
            position_count_max=(accounts + 1) * len(self.markets),
            order_count_max=1_000,
        )
        self.seen: Counter[EventKind] = Counter()
        self.time_ns = path[0].time_ms * NS_PER_MS
        self.nonce = self.deposits = 0
        for market_id in self.markets:
            self.engine.list_market(self._spec(market_id), self.time_ns)
        for account in (*MAKERS, *TRADERS):
            assert self.engine.register_account() == account
            amount_usd = MAKER_USD if account in MAKERS else TRADER_USD
            self._deposit(CommandKind.DEPOSIT, account=account, amount_quote=amount_usd * USD)
        for market_id in self.markets:
            fund = {"market_id": market_id, "flags": RequestKind.GIVE, "aux": FUND_USD * USD}
            self._do(CommandKind.FORCED_REQUEST, **fund)

    def live(self) -> None:
        """Open positions at the first prices, then walk the path to its end."""
        self._index(self.path[0])
        self._quote(self.path[0])
        self._open(self.path[0])
        assert min(self.engine.market(m).open_interest_lots for m in self.markets) > 0
        for number, point in enumerate(self.path[1:], 1):
            self.time_ns = point.time_ms * NS_PER_MS
            self._index(point)
            if number % len(CORNERS) == 0:
                self._quote(point)
                self._check_money()

    def _spec(self, market_id: int) -> MarketSpec:
        highest = max(max(self._ticks(point, market_id)) for point in self.path)
        return MarketSpec(
            market_id=market_id,
            quote_per_tick_lot=1,
            price_ticks_max=highest * 5 // 4,
            position_lots_max=10**9,
            fee_maker_ppm=100,
            fee_taker_ppm=400,
            fee_liquidation_ppm=1_500,
            liquidation_buffer_ppm=2_500,
            funding_cap_ppm=300,
            funding_interval_s=3_600,
            tiers=(
                Tier(
                    notional_floor_quote=0,
                    margin_initial_ppm=15_000,
                    margin_maintenance_ppm=7_500,
                ),
                Tier(
                    notional_floor_quote=500_000 * USD,
                    margin_initial_ppm=25_000,
                    margin_maintenance_ppm=12_500,
                ),
            ),
        )

    def _ticks(self, point: Point, market_id: int) -> tuple[int, int]:
        return point.quotes[self.markets[market_id]].ticks(self.tick_e9[market_id])

    def _do(self, kind: CommandKind, **fields: Any) -> list[Event]:
        command = Command(kind, **({"time_ns": self.time_ns} | fields))
        events = list(unpack(self.engine.apply_one(command)))
        self.seen.update(EventKind(event.kind) for event in events)
        return events

    def _deposit(self, kind: CommandKind, **fields: int) -> None:
        self.deposits += 1
        self._do(kind, nonce=self.deposits, **fields)

    def _place(self, account: int, market_id: int, side: int, price: int, **fields: int) -> None:
        self.nonce += 1
        place = {"account": account, "market_id": market_id, "side": side, "price_ticks": price}
        place |= {"nonce": self.nonce, "expiry_time_s": 2**32 - 1}
        self._do(CommandKind.PLACE, **(place | fields))

    def _index(self, point: Point) -> None:
        """Bring the index; whoever only holds a position keeps every unit of the free balance."""
        for market_id in self.markets:
            before = [self.engine.free_quote(account) for account in TRADERS]
            _, spot = self._ticks(point, market_id)
            fields = {"market_id": market_id, "price_ticks": spot, "aux": point.time_ms}
            events = self._do(CommandKind.PRICE, **fields)
            assert events[0].kind == EventKind.PRICE, events[0]
            for account, free_before in zip(TRADERS, before, strict=True):
                assert self.engine.free_quote(account) >= free_before, (point, account)

    def _quote(self, point: Point) -> None:
        """Draw the makers' ladders again around the perpetual's price."""
        for market_id in self.markets:
            perp, _ = self._ticks(point, market_id)
            lots = LEVEL_USD * USD // perp
            for account in MAKERS:
                cancel = {"account": account, "market_id": market_id, "side": SIDE_ANY}
                self._do(CommandKind.CANCEL_ALL, **cancel)
                for away_ppm in LADDER_PPM:
                    away = perp * (away_ppm + 10 * account) // 10**6
                    for side, price in ((SIDE_BUY, perp - away), (SIDE_SELL, perp + away)):
                        margin = lots * price // 4
                        self._place(
                            account, market_id, side, price, qty_lots=lots, amount_quote=margin
                        )

    def _open(self, point: Point) -> None:
        """Every trader buys or sells at the market, two of three buy."""
        for market_id in self.markets:
            perp, _ = self._ticks(point, market_id)
            for number, account in enumerate(TRADERS):
                side = SIDE_SELL if number % 3 == 2 else SIDE_BUY
                leverage = LEVERAGES[(number + market_id) % len(LEVERAGES)]
                price = perp * (102 if side == SIDE_BUY else 98) // 100
                lots = STAKE_USD * USD * leverage // perp
                margin = lots * price // leverage
                fields = {"qty_lots": lots, "amount_quote": margin, "time_in_force": TIF_IOC}
                self._place(account, market_id, side, price, **fields)

    def _check_money(self) -> None:
        """CONS-1, by the engine's own walk and by a sum of what it shows."""
        engine = self.engine
        engine.check_invariants()
        held = engine.fees_quote()
        for market_id in self.markets:
            held += engine.market(market_id).funding_pool_quote
            positions = [engine.position(a, market_id) for a in (*MAKERS, *TRADERS)]
            for position in (*positions, engine.fund(market_id)):
                if position is not None:
                    lots = position.position_lots
                    side = (lots > 0) - (lots < 0)
                    held += position.collateral_quote - side * position.entry_value_quote
        held += sum(engine.free_quote(account) for account in (*MAKERS, *TRADERS))
        assert held == engine.deposits_quote()
        assert engine.withdrawals_quote() == 0


def _tick_e9(path: list[Point], symbol: str) -> int:
    """Return a power of ten that gives the first price five or six digits."""
    tick_e9 = 1
    while path[0].quotes[symbol].perp_e9 // tick_e9 >= 10**6:
        tick_e9 *= 10
    return tick_e9


def _has_layout(path: Path) -> bool:
    """Tell whether a file has the columns of the demo's bars."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return set(next(csv.reader(file), [])) >= COLUMNS


def test_the_shipped_day_is_lived_through_with_every_step_of_the_waterfall() -> None:
    """CONS-1: 10 October 2025, twelve hours, corners with small steps between."""
    day = Day(walk(read_corners(BARS_PATH)))
    day.live()
    assert set(day.seen) >= LIQUIDATIONS
    assert day.seen[EventKind.FUNDING] > 0


def test_days_of_the_data_folder_are_lived_through(data_dir: Path) -> None:
    """CONS-1: every file of the demo's layout in `klines_1m3m`."""
    folder = data_dir / "klines_1m3m"
    files = [path for path in sorted(folder.glob("*.csv.gz")) if _has_layout(path)]
    if not files:
        pytest.skip(f"no bars of perpetual and spot in {folder}: set BULKHEAD_DATA")
    for path in files:
        day = Day(walk(read_corners(path)))
        day.live()
        assert day.seen[EventKind.PRICE] >= len(day.path), path
