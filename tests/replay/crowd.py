"""Ten thousand positions of mixed leverage and side on the real engine, fed in whole days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from margin_core import MarketSpec, Tier
from margin_core.limits import POSITION_LOTS_MAX, QUOTE_MAX
from matcher.engine import commands, events
from matcher.engine.commands import SIDE_ANY, TIF_GTC, TIF_IOC, CommandKind, RequestKind
from matcher.engine.engine import Engine

if TYPE_CHECKING:
    from tests.replay.series import Series

MARKET = 1
USD = 1_000_000  # quote units
LEVERAGES = (2, 3, 5, 10, 15, 20, 25, 33, 45)
NOTIONAL_USD = (50.0, 100_000.0)  # of a position: log-uniform
MAKER_LEVELS = 2
MAKER_SHARE = 0.002  # of the open interest, a level
CASH_USD = 5_000_000  # that each account has at least when a day begins
COMMAND = np.dtype(
    {
        "names": [
            "kind", "side", "time_in_force", "flags", "market_id", "trigger_kind", "account",
            "price", "time_ns", "nonce", "aux", "amount", "qty", "trigger_price", "expiry_s",
        ],
        "formats": [
            "u1", "u1", "u1", "u1", "<u2", "<u2", "<u4", "<u4", "<i8", "<u8", "<u8", "<i8", "<u4",
            "<u4", "<u4",
        ],
        "itemsize": commands.COMMAND_BYTES,
    }
)  # fmt: skip
EVENT = np.dtype(
    [
        ("kind", "u1"), ("side", "u1"), ("reason", "u1"), ("flags", "u1"), ("market_id", "<u2"),
        ("reserved", "<u2"), ("account", "<u4"), ("account_2", "<u4"), ("order_id", "<u8"),
        ("order_id_2", "<u8"), ("price", "<u4"), ("remaining", "<u4"), ("qty", "<i8"),
        ("amount", "<i8"), ("amount_2", "<i8"),
    ]
)  # fmt: skip
assert EVENT.itemsize == events.EVENT_BYTES
assert len(np.zeros(1, COMMAND).tobytes()) == commands.COMMAND_BYTES
EXPIRY_S = 2**32 - 1


def market_of(series: Series) -> MarketSpec:
    """Return a market in which one lot that moves by a tick is 10^-6 USD; 50x at the most."""
    top = int(max(series.middle_ticks.max(), series.index_ticks.max())) * 2
    return MarketSpec(
        market_id=MARKET,
        quote_per_tick_lot=1,
        price_ticks_max=top,
        position_lots_max=min(POSITION_LOTS_MAX, QUOTE_MAX // top),
        fee_maker_ppm=200,
        fee_taker_ppm=500,
        funding_cap_ppm=min(20_000, 2**50 // top),
        funding_interval_s=8 * 3_600,
        funding_period_s=8 * 3_600,
        funding_interest_ppm=100,  # and a clamp of 0.05 %, as venues have it
        funding_clamp_ppm=500,
        index_age_max_ms=600_000,
        grace_s=60,
        tiers=(
            Tier(notional_floor_quote=0, margin_initial_ppm=20_000, margin_maintenance_ppm=10_000),
            Tier(
                notional_floor_quote=1_000_000 * USD,
                margin_initial_ppm=50_000,
                margin_maintenance_ppm=25_000,
            ),
        ),
    )


class Crowd:
    """Traders 1 … n, then a maker of bids and a maker of asks."""

    def __init__(
        self, series: Series, traders: int, *, fund_share: float, seed: int, at: int = 0
    ) -> None:
        """Fund everybody at the first instant; `fund_share` of the open interest insures it."""
        self.series, self.traders, self.fund_share = series, traders, fund_share
        self.rng = np.random.default_rng(seed)
        self.spec = market_of(series)
        self.engine = Engine(
            account_count_max=traders + 2, position_count_max=traders + 3, order_count_max=65_536
        )
        self.time_ns = int(series.times_ms[at]) * 1_000_000
        self.engine.list_market(self.spec, self.time_ns)
        for _ in range(traders + 2):
            self.engine.register_account()
        self.nonce = 0
        self.fund_deposited = self.fund_loss_quote = 0
        self.bid_maker, self.ask_maker = traders + 1, traders + 2

    # Commands

    def _nonces(self, count: int) -> Any:
        self.nonce += count
        return np.arange(self.nonce - count + 1, self.nonce + 1)

    def send(self, batch: Any) -> Any:
        """Apply the batch; return its events."""
        return np.frombuffer(self.engine.apply(batch.tobytes()), EVENT)

    def _price(self, at: int) -> Any:
        batch = np.zeros(1, COMMAND)
        batch["kind"], batch["market_id"], batch["time_ns"] = (
            CommandKind.PRICE,
            MARKET,
            self.time_ns,
        )
        batch["price"], batch["aux"] = self.series.index_ticks[at], self.series.times_ms[at]
        return self.send(batch)

    def fill_up(self) -> None:
        """Deposit for whom little is left, and for the fund up to its share."""
        poor = [
            account
            for account in range(1, self.traders + 3)
            if self.engine.free_quote(account)
            < CASH_USD * USD * (1 + 99 * (account > self.traders))
        ]
        batch = np.zeros(len(poor) + 1, COMMAND)
        batch["kind"], batch["account"][:-1] = CommandKind.DEPOSIT, poor
        many = np.where(batch["account"] > self.traders, 100, 1)
        batch["amount"] = many * CASH_USD * USD
        batch["nonce"] = self.engine.deposit_seq() + 1 + np.arange(len(batch))
        batch["time_ns"] = self.time_ns
        market, fund = self.engine.market(MARKET), self.engine.fund(MARKET)
        wanted = int(self.fund_share * market.open_interest_lots * market.index_price_ticks)
        missing = max(0, wanted - fund.equity_quote)
        batch["kind"][-1], batch["market_id"][-1] = CommandKind.FORCED_REQUEST, MARKET
        batch["flags"][-1], batch["aux"][-1] = RequestKind.GIVE, missing
        done = self.send(batch if missing else batch[:-1])
        assert (done["kind"] != events.EventKind.COMMAND_REJECTED).all()
        self.fund_deposited += missing

    def open_positions(self) -> int:
        """Pair those who are flat, at the mark, with leverage and size of their own."""
        engine, mark = self.engine, self.engine.market(MARKET).mark_price_ticks
        held = [engine.position(account, MARKET) for account in range(1, self.traders + 1)]
        flat = [k + 1 for k, p in enumerate(held) if p is None or p.position_lots == 0]
        flat = flat[: len(flat) // 2 * 2]
        self.rng.shuffle(flat)
        pairs = np.array(flat, np.int64).reshape(-1, 2)
        low, high = np.log(NOTIONAL_USD)
        notional = np.exp(self.rng.uniform(low, high, len(pairs))) * USD
        lots = np.clip((notional / mark).astype(np.int64), 1, 2**32 - 2)
        batch = np.zeros(2 * len(pairs) + 1, COMMAND)
        batch["kind"], batch["market_id"], batch["time_ns"] = (
            CommandKind.PLACE,
            MARKET,
            self.time_ns,
        )
        batch["account"][:-1] = pairs.ravel()
        batch["side"][:-1] = np.column_stack([self.rng.integers(0, 2, len(pairs))] * 2).ravel() ^ (
            np.arange(2 * len(pairs)) & 1
        )
        batch["time_in_force"][:-1] = np.where(np.arange(2 * len(pairs)) & 1, TIF_IOC, TIF_GTC)
        batch["price"], batch["qty"][:-1] = mark, np.repeat(lots, 2)
        leverage = self.rng.choice(LEVERAGES, 2 * len(pairs))
        values = np.repeat(lots * mark, 2)
        batch["amount"][:-1] = values // leverage + values // 500 + 2
        batch["nonce"], batch["expiry_s"] = self._nonces(len(batch)), EXPIRY_S
        batch["kind"][-1], batch["market_id"][-1] = CommandKind.TICK, 0
        self.send(batch)
        return len(pairs)

    def day(self, points: slice) -> Any:
        """Walk one day: makers quote around each point's middle, then its index comes."""
        series = self.series
        self.time_ns = max(self.time_ns, int(series.times_ms[points.start]) * 1_000_000)
        self._clear()
        opening = self._price(points.start)
        self.fill_up()
        self.open_positions()
        self.fill_up()
        before = self.engine.fund(MARKET).equity_quote
        done = self.send(self._walk(points))
        self.fund_loss_quote = max(0, before - self.engine.fund(MARKET).equity_quote)
        self.time_ns = int(series.times_ms[points.stop - 1]) * 1_000_000
        self.engine.check_invariants()  # CONS-1, CONS-2: money and lots, to the last unit
        return np.concatenate((opening, done))

    def _clear(self) -> None:
        batch = np.zeros(2, COMMAND)
        batch["kind"], batch["side"] = CommandKind.CANCEL_ALL, SIDE_ANY
        batch["account"], batch["time_ns"] = (self.bid_maker, self.ask_maker), self.time_ns
        self.send(batch)

    def _walk(self, points: slice) -> Any:
        """Return per point: two cancels, the levels of both makers, the index."""
        series, count = self.series, points.stop - points.start
        width = 2 + 2 * MAKER_LEVELS + 1
        batch = np.zeros((count, width), COMMAND)
        middle = series.middle_ticks[points]
        times = series.times_ms[points]
        batch["time_ns"] = times[:, None] * 1_000_000
        batch["kind"][:, :2], batch["side"][:, :2] = CommandKind.CANCEL_ALL, SIDE_ANY
        batch["account"][:, :2] = self.bid_maker, self.ask_maker
        places = batch[:, 2:-1]
        places["kind"], places["market_id"] = CommandKind.PLACE, MARKET
        depth = MAKER_SHARE * self.engine.market(MARKET).open_interest_lots
        places["qty"] = min(2**32 - 2, max(1, int(depth)))
        places["nonce"] = self._nonces(count * 2 * MAKER_LEVELS).reshape(count, -1)
        places["expiry_s"] = EXPIRY_S
        gap = np.maximum(1, middle // 5_000)  # two basis points
        for level in range(MAKER_LEVELS):
            for side, sign in ((0, -1), (1, 1)):
                at = places[:, 2 * level + side]
                price = np.clip(middle + sign * gap * (1 + level * 5), 1, self.spec.price_ticks_max)
                at["side"], at["account"] = side, (self.bid_maker, self.ask_maker)[side]
                at["price"] = price
                at["amount"] = price * at["qty"] * 2  # a maker is never the one who fails
        last = batch[:, -1]
        last["kind"], last["market_id"] = CommandKind.PRICE, MARKET
        last["price"], last["aux"] = series.index_ticks[points], times
        return batch.ravel()
