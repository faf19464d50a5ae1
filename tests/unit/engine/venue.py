"""A small venue on the real engine: one market, funded accounts, checks after each step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from margin_core import MarketSpec, Tier
from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    SIDE_ANY,
    SIDE_BUY,
    SIDE_SELL,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    Command,
    CommandKind,
    MarketState,
    RequestKind,
    group,
)
from matcher.engine.engine import Engine
from matcher.engine.events import Event, EventKind, unpack
from matcher.engine.reject_reason import RejectReason

START_S = 1_700_000_000
NS = 1_000_000_000
CASH = 10_000_000  # quote that each account starts with
BUY, SELL, ANY = SIDE_BUY, SIDE_SELL, SIDE_ANY
GTC, IOC, FOK = TIF_GTC, TIF_IOC, TIF_FOK
POST_ONLY, REDUCE_ONLY = FLAG_POST_ONLY, FLAG_REDUCE_ONLY


def spec_of(**changes: object) -> MarketSpec:
    """Return market 1: one quote per tick and lot, 10 % initial, 5 % maintenance, no fees."""
    fields: dict[str, object] = {
        "market_id": 1,
        "quote_per_tick_lot": 1,
        "price_ticks_max": 100_000,
        "position_lots_max": 10**6,
        "fee_maker_ppm": 0,
        "fee_taker_ppm": 0,
        "fee_liquidation_ppm": 0,
        "liquidation_buffer_ppm": 0,
        "tiers": (
            Tier(notional_floor_quote=0, margin_initial_ppm=100_000, margin_maintenance_ppm=50_000),
        ),
    }
    return MarketSpec(**(fields | changes))  # type: ignore[arg-type]


class Venue:
    """An engine with accounts 1 … n; every step checks the invariants and returns its events.

    `kind` is the engine, or while a suite runs on the slow model its `Twin`.
    """

    kind: ClassVar[type[Engine]] = Engine

    def __init__(
        self,
        *,
        spec: MarketSpec | None = None,
        accounts: int = 6,
        cash: int = CASH,
        mark: int = 1_000,
        fund: int = 0,
        orders: int = 1_000,
        positions: int = 100,
    ) -> None:
        self.engine = self.kind(
            account_count_max=accounts, position_count_max=positions, order_count_max=orders
        )
        self.spec = spec_of() if spec is None else spec
        self.time_ns = START_S * NS
        self.held: list[Command] | None = None  # commands of a group that is being written
        self.nonce = self.deposits = 0
        self.engine.list_market(self.spec, self.time_ns)
        for _ in range(accounts):
            account = self.engine.register_account()
            if cash:
                self.deposit(account, cash)
        if fund:
            self.fund(fund)
        if mark:
            self.price(mark)

    def do(self, kind: CommandKind, **fields: Any) -> list[Event]:
        """Apply one command of market 1 at the venue's time."""
        command = Command(kind, **({"time_ns": self.time_ns, "market_id": 1} | fields))
        if self.held is not None:
            self.held.append(command)
            return []
        events = unpacked(self.engine.apply_one(command))
        self.engine.check_invariants()
        return events

    def group(self, commands: list[Command]) -> list[Event]:
        """Apply all of the commands, or none (GRP-1)."""
        engine: Any = self.engine
        if hasattr(engine, "apply_group"):
            made = engine.apply_group(commands, self.time_ns)
        else:
            made = engine.apply(group(commands, self.time_ns))
        self.engine.check_invariants()
        return unpacked(made)

    def send(self, commands: list[Command]) -> list[Event]:
        """Apply many commands, then walk over the state once."""
        engine: Any = self.engine
        if hasattr(engine, "apply"):
            made = engine.apply(b"".join(command.records() for command in commands))
        else:
            made = [event for command in commands for event in engine.apply_one(command)]
        self.engine.check_invariants()
        return unpacked(made)

    def restart(self) -> None:
        """Go on with an engine restored from a snapshot; the model has none."""
        if isinstance(self.engine, Engine):
            self.engine = Engine.restore(b"".join(self.engine.snapshot()))

    def announce(self, seconds: int, **changes: object) -> list[Event]:
        """Announce parameters that hold in so many seconds (PAR-1)."""
        spec = replace(self.spec, **changes)  # type: ignore[arg-type]
        made = self.engine.announce_parameters(spec, self.now_s + seconds, self.time_ns)
        self.engine.check_invariants()
        return unpacked(made)

    def deposit(self, account: int, amount: int) -> list[Event]:
        self.deposits += 1
        fields = {"account": account, "amount_quote": amount, "nonce": self.deposits}
        return self.do(CommandKind.DEPOSIT, **fields)

    def fund(self, amount: int) -> list[Event]:
        """Let somebody without a place give money to the fund (FORCE-5)."""
        gift = {"flags": RequestKind.GIVE, "aux": amount}
        return self.do(CommandKind.FORCED_REQUEST, **gift)

    def price(self, index: int, **fields: int) -> list[Event]:
        """Bring an index price with the time of the venue."""
        aux = self.time_ns // 1_000_000
        return self.do(CommandKind.PRICE, **({"price_ticks": index, "aux": aux} | fields))

    def walk(self, index: int) -> list[Event]:
        """Bring the index again and again until the mark stands at it; return all events."""
        events = self.price(index)
        while self.mark != index:
            before = self.mark
            events += self.price(index)
            assert self.mark != before, "the mark does not reach this index"
        return events

    @property
    def mark(self) -> int:
        return self.engine.market(1).mark_price_ticks

    def place(
        self, account: int, side: int, qty: int, price: int, margin: int | None = None,
        **fields: Any,
    ) -> list[Event]:  # fmt: skip
        """Place an order, GTC with a fifth of its notional as margin unless told otherwise."""
        self.nonce += 1
        if margin is None:
            reduces = fields.get("flags", 0) & REDUCE_ONLY
            margin = 0 if reduces else qty * price * self.spec.quote_per_tick_lot // 5
        form: dict[str, Any] = {
            "account": account,
            "side": side,
            "qty_lots": qty,
            "price_ticks": price,
            "amount_quote": margin,
            "nonce": self.nonce,
            "expiry_time_s": self.now_s + 1_000_000,
        }
        return self.do(CommandKind.PLACE, **(form | fields))

    def rest(
        self, account: int, side: int, qty: int, price: int, margin: int | None = None,
        **fields: Any,
    ) -> int:  # fmt: skip
        """Place an order that is accepted; return its id."""
        events = self.place(account, side, qty, price, margin, **fields)
        assert EventKind(events[0].kind) is EventKind.ORDER_ACCEPTED, events
        return events[0].order_id

    def trade(
        self, buyer: int, seller: int, qty: int, price: int,
        margin_buyer: int | None = None, margin_seller: int | None = None,
    ) -> None:  # fmt: skip
        """Let the buyer take what the seller rests."""
        self.place(seller, SELL, qty, price, margin_seller)
        events = self.place(buyer, BUY, qty, price, margin_buyer)
        assert [EventKind(e.kind).name for e in events] == ["ORDER_ACCEPTED", "FILL"], events

    def cancel(self, account: int, order_id: int) -> list[Event]:
        return self.do(CommandKind.CANCEL, account=account, order_id=order_id)

    def move(self, account: int, amount: int, **fields: int) -> list[Event]:
        self.nonce += 1
        form = {"account": account, "amount_quote": amount, "nonce": self.nonce}
        form["expiry_time_s"] = self.now_s + 60
        return self.do(CommandKind.MOVE_COLLATERAL, **(form | fields))

    def withdraw(self, account: int, amount: int, **fields: int) -> list[Event]:
        self.nonce += 1
        form = {"account": account, "amount_quote": amount, "nonce": self.nonce}
        form["expiry_time_s"] = self.now_s + 60
        return self.do(CommandKind.WITHDRAW, **(form | fields))

    def set_state(self, state: MarketState) -> list[Event]:
        return self.do(CommandKind.SET_MARKET_STATE, aux=state)

    def freeze(self, account: int, frozen: int = 1) -> list[Event]:
        return self.do(CommandKind.SETTLEMENT_REJECTED, account=account, aux=frozen)

    @property
    def now_s(self) -> int:
        return self.time_ns // NS

    def wait(self, seconds: int) -> None:
        """Let time pass; the next command carries it."""
        self.time_ns += seconds * NS

    def lots(self, account: int) -> int:
        position = self.engine.position(account, 1)
        return position.position_lots if position else 0

    def book(self, depth: int = 100) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        return self.engine.book(1, depth)


def unpacked(made: Any) -> list[Event]:
    """Return the events that the engine has packed, or those of the model."""
    return list(unpack(made) if isinstance(made, bytes) else made)


def story(events: list[Event]) -> list[str]:
    """Return the events as short words: kind, then the reason where there is one."""
    return [
        " ".join([EventKind(e.kind).name] + ([RejectReason(e.reason).name] if e.reason else []))
        for e in events
    ]


def fills(events: list[Event]) -> list[tuple[int, int, int]]:
    """Return (maker's account, lots, price) of every fill of whatever kind."""
    kinds = (EventKind.FILL, EventKind.LIQUIDATION_FILL, EventKind.FUND_FILL)
    return [(e.account, e.qty_lots, e.price_ticks) for e in events if e.kind in kinds]


def outcome(events: list[Event]) -> str:
    """Return the reason of the first event, or OK."""
    return RejectReason(events[0].reason).name if events[0].reason else "OK"
