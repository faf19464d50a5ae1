"""The slow model behind the engine's face, as far as stories and tables look at it."""

from __future__ import annotations

from margin_core import MarketSpec
from matcher.engine.commands import Command
from matcher.engine.events import Event, EventKind
from matcher.engine.reject_reason import RejectReason
from matcher.engine.views import Market, Order, Position
from tests.model.exchange import Exchange
from tests.model.floor import FUND, Key, Seen
from tests.model.margin import Bucket
from tests.model.pair import FILLS, ORDER_EVENTS

SLOT_BITS = 28


class Twin:
    """Takes commands and answers with events and views, as `Engine` does."""

    def __init__(
        self, *, account_count_max: int, position_count_max: int, order_count_max: int
    ) -> None:
        del account_count_max, position_count_max  # the model has room for all
        self.model = Exchange(order_count_max)
        self.ids: dict[Key, int] = {}  # by account and nonce; a nonce is used once

    def list_market(self, spec: MarketSpec, time_ns: int) -> None:
        self.model.time_ns = max(self.model.time_ns, time_ns)
        self.model.list_market(spec)

    def register_account(self) -> int:
        self.model.register_account()
        return len(self.model.free) - 1

    def apply_one(self, command: Command) -> list[Event]:
        return [self.event(seen) for seen in self.model.apply(command)]

    def apply_group(self, commands: list[Command], time_ns: int) -> list[Event]:
        return [self.event(seen) for seen in self.model.apply_group(commands, time_ns)]

    def announce_parameters(
        self, spec: MarketSpec, effective_time_s: int, time_ns: int
    ) -> list[Event]:
        return [self.event(e) for e in self.model.announce(spec, effective_time_s, time_ns)]

    def event(self, e: Seen) -> Event:
        """Put ids in the place of nonces, which the model knows orders by."""
        if e.kind == "ORDER_ACCEPTED":
            order_id = (len(self.ids) + 1) << SLOT_BITS | 1
            self.ids[e.account, e.nonce] = order_id
            self.model.names[order_id] = (e.account, e.nonce)
        order_id, other = 0, e.nonce
        if e.kind in ORDER_EVENTS | FILLS:
            order_id = self.ids[e.account, e.nonce]
        if e.kind in FILLS:
            other = self.ids[e.account_2, e.nonce_2] if e.nonce_2 else 0
        return Event(
            EventKind[e.kind], e.side, RejectReason[e.reason], e.flags, e.market, 0, e.account,
            e.account_2, order_id, other, e.price, e.left, e.qty, e.amount, e.amount_2,
        )  # fmt: skip

    def check_invariants(self) -> None:
        """No free balance is negative, lots add up to nothing (CONS-2)."""
        assert min(self.model.free.values()) >= 0
        assert sum(p.lots for p in self.model.positions.values()) == 0

    # Views

    @property
    def order_count(self) -> int:
        return len(self.model.orders)

    def open_orders(self, account: int) -> list[int]:
        own = [o for o in self.model.orders if o.key[0] == account]
        return [self.ids[account, o.c.nonce] for o in reversed(own)]

    def order(self, order_id: int) -> Order | None:
        name = self.model.names.get(order_id)
        for o in self.model.orders:
            if (o.key[0], o.c.nonce) == name:
                return Order(
                    order_id, *o.key, o.c.side, o.c.time_in_force, o.c.flags, o.price,
                    o.c.qty_lots, o.left, o.c.amount_quote, o.c.nonce, o.c.expiry_time_s,
                    o.trigger if o.waits is not None else 0,
                )  # fmt: skip
        return None

    def order_id(self, account: int, nonce: int) -> int:
        is_live = any((o.key[0], o.c.nonce) == (account, nonce) for o in self.model.orders)
        return self.ids[account, nonce] if is_live else 0

    def spec(self, market: int) -> MarketSpec:
        return self.model.venues[market].spec

    def announced_spec(self, market: int) -> MarketSpec | None:
        announced = self.model.venues[market].announced
        return announced[0] if announced else None

    def free_quote(self, account: int) -> int:
        return self.model.free[account]

    def reserved_quote(self, account: int) -> int:
        return self.model.reserved(account)

    def fund(self, market: int) -> Position:
        held = self.position(FUND, market)
        assert held is not None
        return held

    def position(self, account: int, market: int) -> Position | None:
        key = (account, market)
        if key not in self.model.positions:
            return None
        rules, p = self.model.venues[market].rules, self.model.positions[key]
        lone = Bucket(p.lots, p.value, p.margin, p.index)
        price = rules.liquidation_price(lone) if p.lots else -1
        return Position(
            p.lots, p.value, p.margin, p.index, rules.owed(p), rules.equity(p),
            rules.initial(p) if p.lots else 0, rules.maintenance(p) if p.lots else 0,
            price if price >= 0 else None, rules.bankruptcy_price(p) if p.lots else None,
            self.model.reservation(key), key in self.model.frozen,
        )  # fmt: skip

    def market(self, market: int) -> Market:
        venue = self.model.venues[market]
        best = [next(iter(self.book(market, 1)[side]), (0, 0))[0] for side in (0, 1)]
        due_s = venue.last_funding_s and venue.last_funding_s + venue.spec.funding_interval_s
        return Market(
            market, venue.state, venue.index_price, venue.rules.mark, venue.last_price,
            venue.index_ms, venue.rules.index, venue.rate, due_s * 10**9,
            self.model.open_interest(market), venue.pool, self.model.pot(market), best[0], best[1],
            venue.grace_until_s, venue.fund_shares,
        )  # fmt: skip

    def book(self, market: int, depth: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        sides: list[list[tuple[int, int]]] = []
        for side in (0, 1):
            levels: dict[int, int] = {}
            for o in self.model.book(market, side):
                levels[o.price] = levels.get(o.price, 0) + o.visible
            sides.append(list(levels.items())[:depth])
        return sides[0], sides[1]
