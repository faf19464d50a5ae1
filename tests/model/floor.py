"""Accounts, orders and reservations of the slow model: SPEC §3 in lists and dicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from margin_core import MarketSpec
from matcher.engine.commands import (
    FLAG_REDUCE_ONLY,
    TRIGGER_AT_OR_ABOVE,
    TRIGGER_MARK_AT_OR_ABOVE,
    Command,
    MarketState,
)
from matcher.engine.events import EventKind
from matcher.engine.reject_reason import RejectReason
from tests.model.margin import PPM, Bucket, Market, RefusedError

FUND = 0
PRICE_HOLD_MS = 3_600_000

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
    waits: int | None = None  # its place in the queue of its trigger price, None without one
    price: int = 0  # where it rests; a post-only order may slide
    trigger: int = 0  # a trail moves it
    cut: int = 0  # lots taken off the signed quantity
    shown: int = 0  # lots that an iceberg shows
    is_doomed: bool = False  # its sibling has ended

    def __post_init__(self) -> None:
        self.price, self.trigger = self.c.price_ticks, self.c.trigger_price_ticks
        self.shown = self.display

    @property
    def display(self) -> int:
        lots = self.c.instructions.display_lots
        return lots if lots < self.c.qty_lots else 0

    @property
    def visible(self) -> int:
        return self.shown if self.display else self.left

    def asks(self, flag: int) -> bool:
        return bool(self.c.instructions.flags & flag)

    @property
    def filled(self) -> int:
        return self.c.qty_lots - self.cut - self.left

    @property
    def sign(self) -> int:
        return -1 if self.c.side else 1

    @property
    def is_upward(self) -> bool:
        """Its trigger waits for a rise."""
        return self.c.trigger_kind in (TRIGGER_MARK_AT_OR_ABOVE, TRIGGER_AT_OR_ABOVE)

    @property
    def is_waiting(self) -> bool:
        return self.waits is not None

    @property
    def trails(self) -> bool:
        return self.is_waiting and self.c.instructions.trailing_ticks > 0

    @property
    def reduces(self) -> bool:
        return bool(self.c.flags & FLAG_REDUCE_ONLY)

    @property
    def unfilled_margin(self) -> int:
        margin, qty = self.c.amount_quote, self.c.qty_lots
        return margin * (self.filled + self.left) // qty - margin * self.filled // qty

    def admits(self, price: int) -> bool:
        return (self.price - price) * self.sign >= 0


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
    fund_shares: int = 0
    announced: tuple[MarketSpec, int] | None = None  # PAR-1: parameters, and from when they hold
    version: int = 1
    last_price: int = 0
    has_traded: bool = False  # while orders wait for the last price, which have not been asked
    has_due: bool = False  # triggers on the mark that a limit has left for the next command
    has_due_on_last: bool = False
    has_fired: bool = False  # in this command, at its price row
    fired_steps: int = 0  # of the trials of its orders that this command has fired

    @property
    def has_to_ask(self) -> bool:
        """Triggers may be due."""
        return self.has_due or self.has_due_on_last or self.has_traded

    @property
    def is_continuous(self) -> bool:
        return self.state not in (MarketState.HALTED, MarketState.AUCTION)

    @property
    def spec(self) -> MarketSpec:
        return self.rules.spec

    def judging(self, p: Bucket) -> Market:
        return self.rules.judging(p, self.index_price)

    def endangers(self, p: Bucket) -> bool:
        """MARG-4; EXP-2: once the market has ended only what is bankrupt is liquidated."""
        rules = self.judging(p)
        is_over = self.state == MarketState.SETTLED
        return rules.liquidatable(p) and not (is_over and rules.equity(p) >= 0)

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
        self.top_ups: dict[Key, Command] = {}  # COLL-3: with the cap that is left
        self.orders: list[Order] = []  # oldest first
        self.fees = self.time_ns = self.turns = 0
        self.is_risk_paused = False  # GOV-4
        self.events: list[Seen] = []
        # IDX-3, under one price row: no candidates for ADL; that were once; by what they can bear.
        self.passed: set[Key] = set()
        self.was_passed: set[Key] = set()
        self.asked_later: dict[Key, tuple[bool, int]] = {}
        self.after: dict[Key, set[str]] = {}  # what positions wait for until the fills are done
        self.doomed: list[Order] = []  # orders whose sibling has ended in this command

    def list_market(self, spec: MarketSpec) -> None:
        self.venues[spec.market_id] = Venue(Market(spec, mark=0))
        self.positions[FUND, spec.market_id] = Bucket(0, 0, 0)

    def register_account(self) -> None:
        self.free[len(self.free)] = 0

    def answer(self, kind: str, c: Command, amount: int, market: int = 0) -> None:
        """Say that a command about money was done."""
        self.say(kind, market, account=c.account, amount=amount, nonce=c.nonce)

    def say(self, kind: str, market: int = 0, **facts: int | str) -> None:
        assert kind in EventKind.__members__
        assert facts.get("reason", "NONE") in RejectReason.__members__
        self.events.append(Seen(kind, market, **facts))  # type: ignore[arg-type]

    # Money and positions

    @property
    def now_s(self) -> int:
        return self.time_ns // 10**9

    def price_holds(self, venue: Venue) -> bool:
        """MARK-4."""
        return self.now_s * 1000 - venue.index_ms <= PRICE_HOLD_MS

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

    def pot(self, market: int) -> int:
        """CONS-4: what the market holds."""
        held = [p for key, p in self.positions.items() if key[1] == market]
        return self.venues[market].pool + sum(
            p.margin + (p.value if p.lots < 0 else -p.value) for p in held
        )

    def pays(self, market: int, *sides: Bucket) -> bool:
        """CONS-4: the market has what all sides of a change take out of it."""
        return sum(p.free + p.fee for p in sides) <= self.pot(market)

    def commit(self, key: Key, p: Bucket) -> None:
        """Make a changed copy of a position true; RED-1, ATT-1: its orders follow."""
        old = self.positions[key].lots
        if p.lots != old and any(o.reduces or o.is_waiting for o in self.orders if o.key == key):
            self.mark(key, "MOVE")
            if old * p.lots < 0 or p.lots == 0:
                self.mark(key, "FLAT")
        self.free[key[0]] += p.free
        self.venues[key[1]].pool += p.funding
        self.positions[key] = Bucket(p.lots, p.value, p.margin, p.index)

    # Orders

    def tell(self, kind: str, o: Order, **facts: int | str) -> None:
        """Say what became of an order."""
        form: dict[str, int | str] = {
            "account": o.key[0], "side": o.c.side, "nonce": o.c.nonce, "price": o.price,
            "qty": o.c.qty_lots, "left": o.left,
        }  # fmt: skip
        self.say(kind, o.key[1], **(form | facts))

    def mark(self, key: Key, what: str) -> None:
        self.after.setdefault(key, set()).add(what)

    def book(self, market: int, side: int) -> list[Order]:
        """Resting orders, best price first, then first in, first out."""
        found = [o for o in self.orders if o.turn is not None and o.key[1] == market]
        found = [o for o in found if o.c.side == side]
        return sorted(found, key=lambda o: (-o.sign * o.price, o.turn))

    def crossed(self, o: Order) -> list[Order]:
        return [m for m in self.book(o.key[1], 1 - o.c.side) if o.admits(m.price)]
