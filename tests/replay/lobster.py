"""Replays LOBSTER files (message and orderbook) through the book alone and compares every row.

Method. The orderbook file shows ten levels a side after each message, and the message file what
happens within them. The book begins with the first row, each level an anonymous order. Then

* 1 submission: a limit order arrives, and must not trade;
* 2, 3 cancellation: an amendment downwards, or a cancel;
* 4 execution: a taker arrives at the resting order's price; who gets the fill is up to the book;
* 5 hidden execution, 7 halt: nothing.

After each message the ten levels are compared with the file's row. Levels beyond what the row
before showed come into view without a message: there, and only there, an anonymous order is taken
from the file, unless the level is what it was when it went out of view. A row that is wrong
anywhere else is counted as wrong and repaired.

An execution is checkable when the queue before its order is known: the order was submitted in the
data, to a level that has not been out of view since. It agrees when the level is the best of its
side and the order is the first in the queue; the fill must then be its own, to the lot. An
anonymous order's execution can be checked less: it is older than all that have names, so no named
order may be before it. An odd one is taken off its order, so that the replay goes on.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.replay.files import lines, show_each
from tests.replay.mirror import Level, Mirror

DEPTH: Final = 10
PRICE_MAX: Final = 100_000_000  # the files' prices are dollars * 10,000
SUBMISSION, REDUCTION, DELETION, EXECUTION, HIDDEN, HALT = "1", "2", "3", "4", "5", "7"

Side = list[tuple[int, int]]  # (price, lots), best first


@dataclass(slots=True)
class Report:
    """What came of a file."""

    messages: int = 0
    rows_alike: int = 0  # as the book had it
    rows_revealed: int = 0  # alike once levels beyond the former view were taken from the file
    rows_wrong: int = 0
    crossing: int = 0  # submissions that traded in the book
    executions: int = 0  # of visible orders
    checkable: int = 0
    agree: int = 0
    anonymous: int = 0
    anonymous_agree: int = 0
    odd: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Rows compared: all but the first, which is where the book begins."""
        return self.rows_alike + self.rows_revealed + self.rows_wrong


class Replay:
    """One pair of files."""

    def __init__(self, first_row: str) -> None:
        self.mirror = Mirror(PRICE_MAX)
        self.report = Report()
        self.view = sides_of(first_row)
        for side, levels in enumerate(self.view):
            for price, lots in levels:
                self.mirror.rest(None, Level(side, price), lots)

    def step(self, message: str, row: str) -> None:
        """Apply a message and compare the row after it."""
        _, kind, name, size, price, direction = message.split(",")
        lots, at = int(size), Level(0 if direction == "1" else 1, int(price))
        self.report.messages += 1
        self.report.kinds[kind] += 1
        if kind == SUBMISSION:
            self._submit(name, at, lots)
        elif kind in (REDUCTION, DELETION):
            self._reduce(name, at, lots)
        elif kind == EXECUTION:
            self._execute(name, at, lots, message)
        elif kind not in (HIDDEN, HALT):
            raise ValueError(f"message type {kind} is not one of the format's")
        self._compare(sides_of(row))

    def _submit(self, name: str, at: Level, lots: int) -> None:
        if self.mirror.rest(name, at, lots):
            self.report.crossing += 1

    def _reduce(self, name: str, at: Level, lots: int) -> None:
        """Take lots off the order: its own where it is known, else anonymous ones."""
        own = min(lots, self.mirror.remaining(name))
        if own:
            self.mirror.reduce(name, own)
        self.mirror.reduce_unnamed(at, lots - own)

    def _execute(self, name: str, at: Level, lots: int, message: str) -> None:
        mirror, report = self.mirror, self.report
        report.executions += 1
        is_named = mirror.remaining(name) >= lots
        makers = set(mirror.ids[name]) if is_named else set(mirror.unnamed[at])
        is_first = mirror.first(at) in makers and mirror.is_best(at)
        if is_named:
            report.checkable += 1
            report.agree += is_first
        else:
            report.anonymous += 1
            report.anonymous_agree += is_first
        if not is_first:
            report.odd.append(message)
            self._reduce(name, at, lots)
            return
        fills = mirror.take(at, lots)
        if sum(fill.qty_lots for fill in fills) != lots or any(
            fill.order_id not in makers or fill.price_ticks != at.price for fill in fills
        ):
            raise AssertionError((message, fills))

    def _compare(self, row: tuple[Side, Side]) -> None:
        """Compare the levels with the row; fill in what has come into view."""
        is_alike, is_wrong = True, False
        while (ours := self.mirror.book.levels(DEPTH)) != row:
            is_alike = False
            found = [
                (at, lots)
                for side in (0, 1)
                for at, lots in differences(side, ours[side], row[side])
            ]
            assert found, (ours, row)
            for at, lots in found:
                is_wrong |= not is_beyond(at, self.view[at.side])
                self._set(at, lots)
        self.report.rows_alike += is_alike
        self.report.rows_wrong += is_wrong
        self.report.rows_revealed += not is_alike and not is_wrong
        self._forget(row)
        self.view = row

    def _set(self, at: Level, lots: int) -> None:
        """Let a level be one anonymous order of so many lots."""
        self.mirror.empty(at)
        if lots:
            self.mirror.rest(None, at, lots)

    def _forget(self, row: tuple[Side, Side]) -> None:
        """Make what goes out of view anonymous: orders may come and go there unseen."""
        for side, levels in enumerate(self.view):
            for price, _ in levels:
                at = Level(side, price)
                if is_beyond(at, row[side]):
                    self._set(at, self.mirror.lots(at))


def sides_of(row: str) -> tuple[Side, Side]:
    """Return bids and asks of a row of the orderbook file, without its dummies."""
    numbers = [int(text) for text in row.split(",")]
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    asks, bids = pairs[::2], pairs[1::2]
    return [pair for pair in bids if pair[1]], [pair for pair in asks if pair[1]]


def differences(side: int, ours: Side, theirs: Side) -> list[tuple[Level, int]]:
    """Return the levels that differ within what both show, with the lots of the file."""
    mine, wanted = dict(ours), dict(theirs)
    prices = [
        price
        for price in mine.keys() | wanted.keys()
        if mine.get(price, 0) != wanted.get(price, 0)
        and (price in wanted or len(theirs) < DEPTH or is_better(side, price, theirs[-1][0]))
    ]
    return [(Level(side, price), wanted.get(price, 0)) for price in sorted(prices)]


def is_better(side: int, price: int, than: int) -> bool:
    """Tell whether a price of the side comes before another."""
    return price < than if side else price > than


def is_beyond(at: Level, view: Side) -> bool:
    """Tell whether the row before could not show the level."""
    return len(view) == DEPTH and is_better(at.side, view[-1][0], at.price)


def replay(message_path: Path, limit: int | None = None) -> Report:
    """Replay a message file with the orderbook file beside it, as far as `limit` messages."""
    rows = lines(message_path.with_name(message_path.name.replace("_message", "_orderbook")))
    messages = lines(message_path)
    next(messages)
    one = Replay(next(rows))
    for message, row in zip(messages, rows, strict=True):
        one.step(message, row)
        if one.report.messages == limit:
            break
    one.mirror.book.check_invariants()
    return one.report


def show(name: str, report: Report) -> str:
    """Return the report as text."""
    share = report.agree / report.checkable if report.checkable else 0.0
    table = (
        ("messages replayed", report.messages),
        ("rows compared", report.rows),
        ("  alike as the book had them", report.rows_alike),
        ("  alike, levels that came into view filled in", report.rows_revealed),
        ("  wrong", report.rows_wrong),
        ("submissions that traded in the book", report.crossing),
        ("executions of visible orders", report.executions),
        ("  checkable: of named orders", report.checkable),
        (f"    agree with price-time priority ({share:.3%})", report.agree),
        ("  of anonymous orders", report.anonymous),
        ("    none with a name was before them", report.anonymous_agree),
        ("  odd", len(report.odd)),
    )
    body = "\n".join(f"  {label:<52}{value:>10,}" for label, value in table)
    return f"{name}\n{body}" + "".join(f"\n    {message}" for message in report.odd)


def main() -> int:
    """Replay every LOBSTER file of the data folder and print what came of it."""
    return show_each("lobster_*_message.csv.zst", lambda path: show(path.name, replay(path)))


if __name__ == "__main__":
    sys.exit(main())
