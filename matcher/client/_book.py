"""A local copy of the books, kept by snapshots and deltas, with the sequence checked."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sortedcontainers import SortedDict

from matcher.client._errors import ProtocolError
from matcher.client._market_events import BookDelta, BookSnapshot
from matcher.client._types import Book, PriceLevel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matcher.client._market_events import MarketEvent


class LocalBook:
    """One market's book. O(log levels) per changed level.

    Attributes:
        market_id: Market.
        market_seq: Last event that it contains.
    """

    __slots__ = ("_asks", "_bids", "_has_snapshot", "market_id", "market_seq")

    def __init__(self, market_id: int) -> None:
        """Start without a snapshot: the first event has to be one."""
        self.market_id = market_id
        self.market_seq = 0
        self._has_snapshot = False
        self._bids: SortedDict = SortedDict()  # -price_ticks -> qty_lots: best first
        self._asks: SortedDict = SortedDict()  # price_ticks -> qty_lots: best first

    @property
    def best_bid(self) -> PriceLevel | None:
        """The highest price at which somebody buys."""
        return next(iter(self.bids(1)), None)

    @property
    def best_ask(self) -> PriceLevel | None:
        """The lowest price at which somebody sells."""
        return next(iter(self.asks(1)), None)

    def bids(self, level_count_max: int | None = None) -> list[PriceLevel]:
        """Return buy levels, best first."""
        levels = islice(self._bids.items(), level_count_max)
        return [PriceLevel(price_ticks=-key, qty_lots=qty) for key, qty in levels]

    def asks(self, level_count_max: int | None = None) -> list[PriceLevel]:
        """Return sell levels, best first."""
        levels = islice(self._asks.items(), level_count_max)
        return [PriceLevel(price_ticks=key, qty_lots=qty) for key, qty in levels]

    def apply(self, event: MarketEvent) -> None:
        """Take in the next event of the market.

        Raises:
            ProtocolError: The event does not follow the last one. The book is as it was.
        """
        if isinstance(event, BookSnapshot):
            self._replace(event.book)
        elif not self._has_snapshot:
            raise ProtocolError(f"market {self.market_id}: an event came before the snapshot")
        elif event.market_seq != self.market_seq + 1:
            raise ProtocolError(
                f"market {self.market_id}: event {event.market_seq} came after "
                f"{self.market_seq}: ask for a new snapshot"
            )
        elif isinstance(event, BookDelta):
            _change(self._bids, event.bids, sign=-1)
            _change(self._asks, event.asks, sign=1)
        self.market_seq = event.market_seq

    def _replace(self, book: Book) -> None:
        self._has_snapshot = True
        self._bids = SortedDict({-level.price_ticks: level.qty_lots for level in book.bids})
        self._asks = SortedDict({level.price_ticks: level.qty_lots for level in book.asks})


def _change(side: SortedDict, levels: Iterable[PriceLevel], *, sign: int) -> None:
    for level in levels:
        if level.qty_lots:
            side[sign * level.price_ticks] = level.qty_lots
        else:
            side.pop(sign * level.price_ticks, None)
