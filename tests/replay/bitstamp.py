"""Replays Bitstamp's order feed through the book alone: does it match whom the exchange matched?

Method. The raw log has every order of the venue by name: created, changed, deleted, and the book's
20 best levels every few seconds. Orders that are older than the log are known where a message
names them later: they rest from the beginning, in the order of their ids. Then

* created: a limit order arrives. Where it crosses, the book matches it, and its fills are what the
  exchange must report afterwards, for taker and maker each;
* changed: at another price, the order is replaced; else it has traded, and the traded amount must
  be the next fill that the book gave it;
* deleted: with nothing left it has traded, as before; else it is cancelled.

An execution agrees when the book had given that order just that fill. The feed is asynchronous: a
message about an order that its creation has not reached, and a second deletion, are passed over and
counted. Amounts have eight decimals, one lot each; 43 bitcoin and more are several orders.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from matcher.engine.events import Event
from tests.replay.files import lines, show_each
from tests.replay.mirror import Level, Mirror

LOTS: Final = 10**8  # of a bitcoin
PRICE_MAX: Final = 10**7  # cents
SNAPSHOT_SPAN: Final = 6  # messages within which an execution's trade is told
CREATED, CHANGED, DELETED = "order_created", "order_changed", "order_deleted"
ORDER_MESSAGES: Final = frozenset({CREATED, CHANGED, DELETED})

Side = list[tuple[int, int]]  # (cents, lots), best first


class Message(NamedTuple):
    """One line of the log."""

    kind: str
    body: dict[str, Any]

    @property
    def name(self) -> int:
        """The venue's number of the order."""
        return int(self.body["id"])

    @property
    def at(self) -> Level:
        """Its side and price."""
        return Level(int(self.body["order_type"]), scaled(self.body["price"], 2))

    @property
    def lots(self) -> int:
        """What is left of the order."""
        return scaled(self.body["amount"], 8)


def scaled(text: str, decimals: int) -> int:
    """Return a decimal number as an integer of so many decimals."""
    whole, _, rest = text.partition(".")
    return int(whole + rest.ljust(decimals, "0"))


def read(path: Path) -> list[Message]:
    """Return the log."""
    split = (line.split(" ", 2) for line in lines(path))
    return [Message(kind, json.loads(body)) for _, kind, body in split]


def older_orders(log: list[Message]) -> dict[int, tuple[Level, int]]:
    """Return the orders that are older than the log, with what they had at its beginning."""
    created = {message.name for message in log if message.kind == CREATED}
    found: dict[int, tuple[Level, int]] = {}
    for k, message in enumerate(log):
        if message.kind not in (CHANGED, DELETED) or message.name in created | found.keys():
            continue
        lots = message.lots
        if message.kind == CHANGED or lots == 0:
            near = (one for one in log[k : k + SNAPSHOT_SPAN] if one.kind == "trade")
            lots += round(next(near).body["amount"] * LOTS)
        found[message.name] = message.at, lots
    return found


class Replay:
    """One log."""

    def __init__(self, log: list[Message]) -> None:
        self.log = log
        self.mirror = Mirror(PRICE_MAX)
        self.count: Counter[str] = Counter()
        self.odd: list[str] = []
        self.told: dict[int, int] = {}  # lots that the feed has last told of an order
        self.at: dict[int, Level] = {}
        self.owed: defaultdict[int, deque[int]] = defaultdict(deque)  # fills not yet reported
        self.view: tuple[Side, Side] = ([], [])
        for name, (at, lots) in sorted(older_orders(log).items()):
            self._arrive(name, at, lots)
            self.count["older orders"] += 1

    def run(self) -> None:
        """Replay it all."""
        for message in self.log:
            if message.kind in ORDER_MESSAGES:
                self._order(message)
            elif message.kind == "order_book":
                self._compare(message)
            else:
                self.count["trades"] += 1
        self.mirror.book.check_invariants()

    def _order(self, message: Message) -> None:
        name = message.name
        self.count["order messages"] += 1
        if message.kind == CREATED:
            if name not in self.told:
                self._arrive(name, message.at, message.lots)
        elif name not in self.told:
            self.told[name] = 0
            self.count["messages before their order"] += 1
        elif self.told[name] == 0:
            self.count["messages after their order"] += 1
        elif message.kind == CHANGED and message.at != self.at[name]:
            self.count["replaced"] += 1
            self._withdraw(name)
            self._arrive(name, message.at, message.lots)
        elif message.kind == DELETED and message.lots:
            self._cancel(message)
        else:
            self._traded(message)

    def _arrive(self, name: int, at: Level, lots: int) -> None:
        """Let a limit order arrive; keep what its fills mean to both sides."""
        self.told[name], self.at[name] = lots, at
        for maker, part in by_maker(self.mirror, self.mirror.rest(name, at, lots)):
            self.owed[name].append(part)
            self.owed[maker].append(part)

    def _withdraw(self, name: int) -> None:
        left = self.mirror.remaining(name)
        if left:
            self.mirror.reduce(name, left)

    def _cancel(self, message: Message) -> None:
        name = message.name
        self.count["cancels"] += 1
        self.count["cancels of just what rests"] += self.mirror.remaining(name) == message.lots
        self._withdraw(name)
        self.owed.pop(name, None)
        self.told[name] = 0

    def _traded(self, message: Message) -> None:
        name, left = message.name, message.lots
        traded, owed = self.told[name] - left, self.owed[name]
        self.count["executions"] += 1
        self.told[name] = left
        if owed and owed[0] == traded:
            owed.popleft()
            self.count["executions that agree"] += 1
            return
        self.odd.append(f"{message.kind} {name} {message.at} traded {traded}, expected {[*owed]}")
        owed.clear()
        excess = self.mirror.remaining(name) - left
        if excess > 0:
            self.mirror.reduce(name, excess)

    def _compare(self, message: Message) -> None:
        """Compare the levels; what was never in view before may hold orders without a message."""
        sides: list[Side] = [
            [(scaled(price, 2), scaled(lots, 8)) for price, lots in message.body[name]]
            for name in ("bids", "asks")
        ]
        for side, row in enumerate(sides):
            self._fill_in(side, row)
            ours = self.mirror.book.levels(len(row))[side]
            self.count["book sides"] += 1
            self.count["best levels alike"] += ours[:1] == row[:1]
            self.count["book sides alike, 20 levels"] += ours == row
        self.view = sides[0], sides[1]

    def _fill_in(self, side: int, row: Side) -> None:
        view = self.view[side]
        for price, lots in row:
            at = Level(side, price)
            if view and (price <= view[-1][0] if side else price >= view[-1][0]):
                continue
            missing = lots - self.mirror.lots(at)
            if missing > 0:
                self.mirror.rest(None, at, missing)


def by_maker(mirror: Mirror, fills: list[Event]) -> Iterator[tuple[int, int]]:
    """Yield (name, lots) of the makers in turn; an order in several pieces is one."""
    found: list[tuple[int, int]] = []
    for fill in fills:
        name = mirror.names.get(fill.order_id, 0)
        assert isinstance(name, int)
        if found and found[-1][0] == name:
            found[-1] = name, found[-1][1] + fill.qty_lots
        else:
            found.append((name, fill.qty_lots))
    yield from found


def replay(path: Path) -> Replay:
    """Replay a log and return what came of it."""
    one = Replay(read(path))
    one.run()
    return one


def show(name: str, one: Replay) -> str:
    """Return the counts as text."""
    body = "\n".join(f"  {label:<52}{value:>10,}" for label, value in one.count.items())
    share = one.count["executions that agree"] / one.count["executions"]
    return f"{name}\n{body}\n  {'share of executions that agree':<52}{share:>10.3%}" + "".join(
        f"\n    {text}" for text in one.odd
    )


def main() -> int:
    """Replay every raw log of the data folder and print what came of it."""
    return show_each("bitstamp_*_raw.log.zst", lambda path: show(path.name, replay(path)))


if __name__ == "__main__":
    sys.exit(main())
