"""Orders, reservations and matching of the slow model: SPEC §3 in lists and dicts."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from margin_core import MarketSpec
from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    SIDE_ANY,
    TIF_FOK,
    TIF_GTC,
    Command,
    MarketState,
)
from matcher.engine.events import EventKind
from matcher.engine.reject_reason import RejectReason
from tests.model.margin import PPM, Bucket, Market, RefusedError

FUND = 0

Key = tuple[int, int]  # account, market_id


class Seen(NamedTuple):
    """What an event says, with the nonce of an order in the place of its id."""

    kind: str
    market: int = 0
    account: int = 0
    account_2: int = 0
    side: int = 0
    reason: str = "NONE"
    nonce: int = 0
    nonce_2: int = 0
    price: int = 0
    qty: int = 0
    left: int = 0
    amount: int = 0
    amount_2: int = 0


@dataclass(eq=False)
class Order:
    """A live order; `turn` is its place in the queue of its price, None when not in the book."""

    key: Key
    c: Command
    left: int
    turn: int | None = None
    waits: bool = False

    @property
    def sign(self) -> int:
        return -1 if self.c.side else 1

    @property
    def reduces(self) -> bool:
        return bool(self.c.flags & FLAG_REDUCE_ONLY)

    @property
    def unfilled_margin(self) -> int:
        return self.c.amount_quote - self.c.amount_quote * (self.c.qty_lots - self.left) // (
            self.c.qty_lots
        )

    def admits(self, price: int) -> bool:
        return (self.c.price_ticks - price) * self.sign >= 0


@dataclass
class Venue:
    """One market."""

    rules: Market  # its mark is 0 until the first index price
    state: int = MarketState.OPEN
    index_price: int = 0
    index_ms: int = 0
    basis_x256: int = 0
    premiums: list[int] = field(default_factory=list)
    next_funding_s: int = 0
    rate: int = 0
    pool: int = 0

    @property
    def spec(self) -> MarketSpec:
        return self.rules.spec

    @property
    def band(self) -> int:
        return max(1, self.index_price * self.spec.mark_band_ppm // PPM)


def require(ok: bool, reason: str) -> None:
    if not ok:
        raise RefusedError(reason)


class Floor:
    """Accounts, positions, orders and books; at most `order_max` live orders."""

    def __init__(self, order_max: int) -> None:
        self.order_max = order_max
        self.venues: dict[int, Venue] = {}
        self.free = {FUND: 0}
        self.positions: dict[Key, Bucket] = {}  # in the order of their making
        self.frozen: set[Key] = set()
        self.orders: list[Order] = []  # oldest first
        self.fees = self.time_ns = self.turns = 0
        self.events: list[Seen] = []
        self.overdrawn: list[Key] = []  # positions that reserve more than is free

    def list_market(self, spec: MarketSpec) -> None:
        self.venues[spec.market_id] = Venue(Market(spec, mark=0))
        self.positions[FUND, spec.market_id] = Bucket(0, 0, 0)

    def register_account(self) -> None:
        self.free[len(self.free)] = 0

    def say(self, kind: str, market: int = 0, **facts: int | str) -> None:
        assert kind in EventKind.__members__
        assert facts.get("reason", "NONE") in RejectReason.__members__
        self.events.append(Seen(kind, market, **facts))  # type: ignore[arg-type]

    # Money and positions

    @property
    def now_s(self) -> int:
        return self.time_ns // 10**9

    def holds(self, key: Key, side: int) -> int:
        """Lots that an order of this side can close."""
        lots = self.positions[key].lots if key in self.positions else 0
        return max(0, lots if side else -lots)

    def reservation(self, key: Key, extra: Command | None = None) -> int:
        """ORD-3."""
        worst = 0
        for side in (0, 1):
            orders = [o for o in self.orders if o.key == key and o.c.side == side]
            margins = [(o.unfilled_margin, o.left) for o in orders if not o.reduces]
            if extra and extra.side == side and not extra.flags & FLAG_REDUCE_ONLY:
                margins.append((extra.amount_quote, extra.qty_lots))
            margin, lots = sum(m for m, _ in margins), sum(n for _, n in margins)
            if opening := max(0, lots - self.holds(key, side)):
                worst = max(worst, -(-margin * opening // lots))
        return worst

    def reserved(self, account: int) -> int:
        return sum(self.reservation(key) for key in self.positions if key[0] == account)

    def unreserved(self, account: int) -> int:
        return self.free[account] - self.reserved(account)

    def commit(self, key: Key, p: Bucket) -> None:
        """Make a changed copy of a position true."""
        self.free[key[0]] += p.free
        self.venues[key[1]].pool += p.funding
        self.positions[key] = Bucket(p.lots, p.value, p.margin, p.index)

    # Orders

    def drop(self, o: Order, reason: str) -> None:
        self.orders.remove(o)
        self.say(
            "ORDER_CANCELED", o.key[1], account=o.key[0], side=o.c.side, reason=reason,
            nonce=o.c.nonce, price=o.c.price_ticks, qty=o.c.qty_lots, left=o.left,
        )  # fmt: skip

    def drop_all(self, key: Key, reason: str, side: int = SIDE_ANY) -> None:
        for o in reversed(self.orders.copy()):
            if o.key == key and side in (SIDE_ANY, o.c.side):
                self.drop(o, reason)

    def trim(self) -> None:
        """ORD-3: the newest opening orders go until the free balance covers the reservations."""
        for key in self.overdrawn:
            for o in reversed(self.orders.copy()):
                if self.unreserved(key[0]) >= 0:
                    break
                if o.key == key and not o.reduces:
                    self.drop(o, "INSUFFICIENT_FREE_COLLATERAL")
        self.overdrawn = []

    def book(self, market: int, side: int) -> list[Order]:
        """Resting orders, best price first, then first in, first out."""
        found = [o for o in self.orders if o.turn is not None and o.key[1] == market]
        found = [o for o in found if o.c.side == side]
        return sorted(found, key=lambda o: (-o.sign * o.c.price_ticks, o.turn))

    def crossed(self, o: Order) -> list[Order]:
        return [m for m in self.book(o.key[1], 1 - o.c.side) if o.admits(m.c.price_ticks)]

    def judge(self, o: Order, lots: int, price: int, fee_ppm: int) -> Bucket:
        """MATCH-2: FILL-1 to FILL-6 on a copy."""
        account, market = o.key
        return self.venues[market].rules.fill(
            self.positions[o.key], o.sign, lots, price, fee_ppm, margin=o.c.amount_quote,
            order_lots=o.c.qty_lots, filled=o.c.qty_lots - o.left,
            free=self.unreserved(account) + self.reservation(o.key),
        )  # fmt: skip

    def judge_maker(self, maker: Order, lots: int) -> Bucket:
        fee_ppm = self.venues[maker.key[1]].spec.fee_maker_ppm
        return self.judge(maker, lots, maker.c.price_ticks, fee_ppm)

    def dead(self, maker: Order) -> str | None:
        if maker.c.expiry_time_s <= self.now_s:
            return "EXPIRED"
        return "FROZEN" if maker.key in self.frozen else None

    def offer(self, o: Order) -> int:
        """Lots that the order can fill now."""
        return min(o.left, self.holds(o.key, o.c.side)) if o.reduces else o.left

    def discarded(self, maker: Order, account: int) -> bool:
        """MATCH-2, MATCH-3: cancel a resting order that is not fit to fill."""
        reason = self.dead(maker)
        if reason is None:
            require(maker.key[0] != account, "SELF_TRADE")
            reason = None if self.offer(maker) else "REDUCE_ONLY"
        if reason:
            self.drop(maker, reason)
        return reason is not None

    def judged(self, maker: Order, lots: int) -> Bucket | None:
        """MATCH-2: the resting order's outcome; None: it was refused and is cancelled."""
        try:
            return self.judge_maker(maker, lots)
        except RefusedError as refused:
            self.drop(maker, str(refused))
            return None

    def fillable(self, o: Order) -> bool:
        """MATCH-4 of a FOK order: try it on a copy of everything."""
        trial = copy(self)
        trial.orders = [copy(each) for each in self.orders]
        trial.venues = {market: copy(venue) for market, venue in self.venues.items()}
        trial.free, trial.positions = self.free.copy(), self.positions.copy()
        trial.overdrawn, trial.events = [], []
        twin = trial.orders[self.orders.index(o)]
        with suppress(RefusedError):
            trial.match(twin)
        return twin.left == 0

    def fill(self, o: Order, p: Bucket, lots: int) -> None:
        self.commit(o.key, p)
        self.fees += p.fee
        o.left -= lots
        if o.left == 0:
            self.orders.remove(o)
        if self.unreserved(o.key[0]) < 0:
            self.overdrawn.append(o.key)

    def say_fill(self, kind: str, maker: Order, lots: int, fee: int, **taker: int) -> None:
        account, market = maker.key
        self.say(
            kind, market, account=account, side=1 - maker.c.side, nonce=maker.c.nonce, amount=fee,
            price=maker.c.price_ticks, qty=lots, left=maker.left - lots, **taker,
        )  # fmt: skip

    def match(self, o: Order) -> None:
        """MATCH-1 to MATCH-3; raises why the order ends."""
        account, market = o.key
        while o.left and (makers := self.crossed(o)):
            maker = makers[0]
            if self.discarded(maker, account):
                continue
            lots = min(self.offer(maker), self.offer(o))
            require(lots > 0, "REDUCE_ONLY")
            if (made := self.judged(maker, lots)) is None:
                continue
            fee_ppm = self.venues[market].spec.fee_taker_ppm
            taken = self.judge(o, lots, maker.c.price_ticks, fee_ppm)
            party = {"account_2": account, "nonce_2": o.c.nonce, "amount_2": taken.fee}
            self.say_fill("FILL", maker, lots, made.fee, **party)
            self.fill(maker, made, lots)
            self.fill(o, taken, lots)

    def execute(self, o: Order) -> None:
        try:
            takes = o.c.flags & FLAG_POST_ONLY and self.crossed(o)
            require(not takes, "POST_ONLY_WOULD_TAKE")
            require(o.c.time_in_force != TIF_FOK or self.fillable(o), "FOK_NOT_FILLABLE")
            self.match(o)
            if o.left:
                require(o.c.time_in_force == TIF_GTC, "IMMEDIATE_REMAINDER")
                o.turn = self.turns = self.turns + 1
        except RefusedError as refused:
            if o.left:
                self.drop(o, str(refused))
        self.trim()
