"""A `Book` that mirrors another venue's: its order ids, and quantity whose orders are unknown.

Anonymous quantity stands for orders that rested before the data begins, or that came and went
outside of what the data shows. It is an order of the book like any other, just without a name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Any, Final, NamedTuple

from matcher.engine.book import Book
from matcher.engine.commands import TIF_GTC, TIF_IOC, Command, CommandKind
from matcher.engine.events import Event, EventKind, unpack

EXPIRY_S: Final = 2**32 - 1
ORDER_LOTS_MAX: Final = 2**32 - 2
FILL: Final = int(EventKind.FILL)


class Level(NamedTuple):
    """A price of one side, 0 buy, 1 sell."""

    side: int
    price: int


class Mirror:
    """The book under test, told what happened in the venue's own names."""

    def __init__(self, price_ticks_max: int) -> None:
        self.book = Book(price_ticks_max, order_count_max=1 << 20)
        self.ids: dict[Hashable, list[int]] = {}  # the venue's name of an order: ours
        self.names: dict[int, Hashable] = {}
        self.unnamed: defaultdict[Level, list[int]] = defaultdict(list)

    def _apply(self, kind: int, **fields: Any) -> list[Event]:
        return list(unpack(self.book.apply(Command(kind, market_id=1, **fields).pack())))

    def rest(self, name: Hashable | None, at: Level, lots: int) -> list[Event]:
        """Place an order good till cancelled; None: anonymous. Returns its fills.

        More lots than an order may have become several, one behind the other.
        """
        fills = []
        if name is not None:
            self.ids[name] = []
        for part in (*[ORDER_LOTS_MAX] * (lots // ORDER_LOTS_MAX), lots % ORDER_LOTS_MAX):
            if part:
                fills += self._rest_one(name, at, part)
        return fills

    def _rest_one(self, name: Hashable | None, at: Level, lots: int) -> list[Event]:
        accepted, *rest = self._apply(
            CommandKind.PLACE,
            side=at.side,
            price_ticks=at.price,
            qty_lots=lots,
            time_in_force=TIF_GTC,
            expiry_time_s=EXPIRY_S,
        )
        if accepted.kind != EventKind.ORDER_ACCEPTED:
            raise AssertionError((name, at, lots, accepted))
        if name is None:
            self.unnamed[at].append(accepted.order_id)
        else:
            self.ids[name].append(accepted.order_id)
            self.names[accepted.order_id] = name
        return [event for event in rest if event.kind == FILL]

    def take(self, maker: Level, lots: int) -> list[Event]:
        """Let a taker arrive who goes no further than the maker's price; return the fills."""
        events = self._apply(
            CommandKind.PLACE,
            side=1 - maker.side,
            price_ticks=maker.price,
            qty_lots=lots,
            time_in_force=TIF_IOC,
            expiry_time_s=EXPIRY_S,
        )
        return [event for event in events if event.kind == FILL]

    def remaining(self, name: Hashable) -> int:
        """Return the lots of a named order that rest, 0 when it is gone."""
        orders = (self.book.order(order_id) for order_id in self.ids.get(name, ()))
        return sum(order.remaining_lots for order in orders if order)

    def reduce(self, name: Hashable, lots: int) -> None:
        """Take lots off a named order, which keeps its place."""
        for order_id in reversed(self.ids[name]):
            order = self.book.order(order_id)
            part = min(lots, order.remaining_lots) if order else 0
            if part:
                self._reduce(order_id, part)
                lots -= part

    def _reduce(self, order_id: int, lots: int) -> None:
        order = self.book.order(order_id)
        assert order is not None
        if lots == order.remaining_lots:
            (done,) = self._apply(CommandKind.CANCEL, order_id=order_id)
        else:
            (done,) = self._apply(
                CommandKind.AMEND, order_id=order_id, qty_lots=order.qty_lots - lots
            )
        if done.kind == EventKind.COMMAND_REJECTED:
            raise AssertionError((order, lots, done))

    def reduce_unnamed(self, at: Level, lots: int) -> int:
        """Take lots off the anonymous quantity, oldest first; return what was not there."""
        for order_id in list(self.unnamed[at]):
            order = self.book.order(order_id)
            if order is None:
                self.unnamed[at].remove(order_id)
                continue
            part = min(lots, order.remaining_lots)
            if part:
                self._reduce(order_id, part)
                lots -= part
        return lots

    def unnamed_lots(self, at: Level) -> int:
        """Return the anonymous quantity that rests at a level."""
        orders = (self.book.order(order_id) for order_id in self.unnamed[at])
        return sum(order.remaining_lots for order in orders if order)

    def lots(self, at: Level) -> int:
        """Return everything that rests at a level."""
        return sum(order.remaining_lots for order in self.book.level(*at))

    def empty(self, at: Level) -> None:
        """Cancel whatever rests at a level."""
        for order in self.book.level(*at):
            self._reduce(order.order_id, order.remaining_lots)
        self.unnamed.pop(at, None)

    def first(self, at: Level) -> int:
        """Return the id of the order that is first in time at a level, 0 when it is empty."""
        orders = self.book.level(*at)
        return orders[0].order_id if orders else 0

    def is_best(self, at: Level) -> bool:
        """Tell whether the level is the best of its side."""
        best = self.book.best_ask_ticks if at.side else self.book.best_bid_ticks
        return best == at.price
