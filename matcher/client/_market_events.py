"""What everybody sees happening in a market, as records."""

from matcher.client._types import Book, LiquidationStepKind, PriceLevel, Record, Side
from matcher.engine.commands import MarketState


class MarketEvent(Record, frozen=True, kw_only=True):
    """An event of a market; `market_seq` is contiguous, `time_ns` is the engine's clock."""

    market_id: int
    market_seq: int
    time_ns: int


class BookSnapshot(MarketEvent, frozen=True, kw_only=True):
    """The whole book: replaces what was known."""

    book: Book


class BookDelta(MarketEvent, frozen=True, kw_only=True):
    """Levels that have changed, with all lots that rest there now; 0: gone."""

    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]


class Traded(MarketEvent, frozen=True, kw_only=True):
    """Lots were traded; in an auction neither side takes, and `taker_side` is BUY."""

    price_ticks: int
    qty_lots: int
    taker_side: Side
    is_liquidation: bool
    is_auction: bool


class MarkUpdated(MarketEvent, frozen=True, kw_only=True):
    """Index and mark have changed."""

    index_price_ticks: int
    mark_price_ticks: int
    index_time_ms: int


class FundingSettled(MarketEvent, frozen=True, kw_only=True):
    """Funding was settled; longs pay when the rate is positive."""

    funding_index_e6: int
    rate_ppm: int


class LiquidationStep(MarketEvent, frozen=True, kw_only=True):
    """A step of a liquidation; `side` is the position's."""

    kind: LiquidationStepKind
    side: Side
    qty_lots: int
    price_ticks: int


class ParametersAnnounced(MarketEvent, frozen=True, kw_only=True):
    """Other parameters will hold from the first price at or after `effective_time_s`."""

    version: int
    effective_time_s: int


class ParametersChanged(MarketEvent, frozen=True, kw_only=True):
    """Other parameters hold now; the market's description has them."""

    version: int


class MarketStateChanged(MarketEvent, frozen=True, kw_only=True):
    """The market admits something else now."""

    state: MarketState
