"""Accounts, orders and reservations of the slow model: SPEC §3 in lists and dicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from margin_core import MarketSpec
from matcher.engine.commands import (
    FLAG_REDUCE_ONLY,
    SIDE_ANY,
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
    flags: int = 0


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
    last_funding_s: int = 0
    grace_until_s: int = 0
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
