"""Market data: trades and marks at once, books as deltas of what was last published.

Policy: trades, marks, funding, liquidation steps and states are published one by one and never
merged. Changes of a book are merged: at most one delta per publishing interval, made by comparing
the engine's book with the one published last, so that applying all deltas to the snapshot gives
the book exactly. A reader whose bounded queue is full is cut off with RESOURCE_EXHAUSTED; it comes
back and begins with a new snapshot. `market_seq` is contiguous per market while it has readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from matcher.feed.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Iterable

DEPTH_COUNT_MAX: Final = 1_000  # far orders cost little: whole books would stall the loop

Levels = tuple[tuple[int, int], ...]  # (price_ticks, qty_lots), best first


class BookSource(Protocol):
    """Where the books are: the engine."""

    def book(
        self, market_id: int, depth: int
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return bids and asks as (price_ticks, qty_lots), best first."""
        ...


class BookSnapshot(NamedTuple):
    """A whole book, best levels first."""

    bids: Levels
    asks: Levels


class BookDelta(NamedTuple):
    """Levels that have changed with all lots that rest there now; 0 lots: the level is gone."""

    bids: Levels
    asks: Levels


class Traded(NamedTuple):
    """Lots were traded; `taker_side` 0 buy, 1 sell; 0 in an auction, where neither takes."""

    price_ticks: int
    qty_lots: int
    taker_side: int
    is_liquidation: bool
    is_auction: bool = False


class MarkUpdated(NamedTuple):
    """Index and mark have changed."""

    index_price_ticks: int
    mark_price_ticks: int
    index_time_ms: int


class FundingSettled(NamedTuple):
    """Funding was settled."""

    funding_index_e6: int
    rate_ppm: int


class LiquidationStep(NamedTuple):
    """A step of the waterfall; `kind` as on the wire; `side` of the position, 0 long, 1 short."""

    kind: int
    side: int
    qty_lots: int
    price_ticks: int


class MarketStateChanged(NamedTuple):
    """What the market admits has changed."""

    state: int


class ParametersAnnounced(NamedTuple):
    """Other parameters will hold from the first price at or after a second."""

    version: int
    effective_time_s: int


class ParametersChanged(NamedTuple):
    """Other parameters hold."""

    version: int


MarketEventBody = (
    BookSnapshot
    | BookDelta
    | Traded
    | MarkUpdated
    | FundingSettled
    | LiquidationStep
    | ParametersAnnounced
    | ParametersChanged
    | MarketStateChanged
)


class MarketEvent(NamedTuple):
    """One event of a market; `market_seq` of a snapshot is that of the last event in it."""

    market_id: int
    market_seq: int
    time_ns: int
    body: MarketEventBody


class _Market:
    __slots__ = ("asks", "bids", "is_dirty", "seq", "subscriptions", "time_ns")

    def __init__(self) -> None:
        self.seq = 0
        self.time_ns = 0
        self.is_dirty = False
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.subscriptions: list[Subscription[MarketEvent]] = []


class MarketDataFeed:
    """The market data of all markets."""

    def __init__(self, source: BookSource, *, queue_count_max: int) -> None:
        """Compare with the books of `source`; hold `queue_count_max` events per reader."""
        self._source = source
        self._queue_count_max = queue_count_max
        self._markets: dict[int, _Market] = {}

    def add_market(self, market_id: int) -> None:
        """Begin a market that was just listed."""
        self._markets[market_id] = _Market()

    def market_ids(self) -> list[int]:
        """Return the listed markets, ascending."""
        return sorted(self._markets)

    def market_seq(self, market_id: int) -> int:
        """Return the number of the market's last event."""
        return self._markets[market_id].seq

    def touch(self, market_id: int, time_ns: int) -> None:
        """Note that the book may have changed."""
        market = self._markets[market_id]
        market.is_dirty = True
        market.time_ns = time_ns

    def add(self, market_id: int, body: MarketEventBody, time_ns: int) -> None:
        """Publish an event to the readers of the market."""
        market = self._markets[market_id]
        if not market.subscriptions:
            return
        market.seq += 1
        event = MarketEvent(market_id, market.seq, time_ns, body)
        for subscription in market.subscriptions:
            subscription.push(event)

    def publish_books(self) -> None:
        """Publish the deltas of all books that have changed and have readers."""
        for market_id, market in self._markets.items():
            if market.is_dirty and market.subscriptions:
                self._publish_book(market_id, market)

    def subscribe(
        self, market_ids: Iterable[int]
    ) -> tuple[Subscription[MarketEvent], list[MarketEvent]]:
        """Open a reader of listed markets; return its queue and one snapshot per market."""
        subscription: Subscription[MarketEvent] = Subscription(self._queue_count_max)
        snapshots = []
        for market_id in market_ids:
            market = self._markets[market_id]
            self._publish_book(market_id, market)
            body = BookSnapshot(tuple(market.bids.items()), tuple(market.asks.items()))
            snapshots.append(MarketEvent(market_id, market.seq, market.time_ns, body))
            market.subscriptions.append(subscription)
        return subscription, snapshots

    def unsubscribe(self, subscription: Subscription[MarketEvent]) -> None:
        """Close a reader."""
        for market in self._markets.values():
            if subscription in market.subscriptions:
                market.subscriptions.remove(subscription)

    def _publish_book(self, market_id: int, market: _Market) -> None:
        bids, asks = map(dict, self._source.book(market_id, DEPTH_COUNT_MAX))
        delta = BookDelta(_changed(market.bids, bids), _changed(market.asks, asks))
        market.bids, market.asks, market.is_dirty = bids, asks, False
        if delta.bids or delta.asks:
            self.add(market_id, delta, market.time_ns)


def _changed(before: dict[int, int], after: dict[int, int]) -> Levels:
    """Return the levels of `after` that are new or differ, and those that are gone with 0."""
    gone = tuple((price_ticks, 0) for price_ticks in before.keys() - after.keys())
    return gone + tuple(after.items() - before.items())
