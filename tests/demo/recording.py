"""What the demo notes while it runs and what its report is drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class LiquidationKind(StrEnum):
    """Which step of the waterfall a mark on the chart stands for."""

    FILLED = "closed on the book"
    TAKEN_OVER = "taken over by the insurance fund"
    DELEVERAGED = "auto-deleveraged"


@dataclass(frozen=True)
class Liquidation:
    """One step of a liquidation. Prices in USD, `time_ms` of the replayed day."""

    time_ms: int
    kind: LiquidationKind
    price: float
    qty: float


@dataclass(frozen=True)
class Batch:
    """One settled batch, as its transaction's receipt tells it."""

    sequence: int
    gas: int
    payload_bytes: int
    items: int
    rejected: int
    block: int


@dataclass
class MarketRecord:
    """Series of one market: (time_ms of the replayed day, value in USD)."""

    symbol: str
    index: list[tuple[int, float]] = field(default_factory=list)
    perp: list[tuple[int, float]] = field(default_factory=list)
    mark: list[tuple[int, float]] = field(default_factory=list)
    open_interest: list[tuple[int, float]] = field(default_factory=list)
    fund: list[tuple[int, float]] = field(default_factory=list)
    liquidations: list[Liquidation] = field(default_factory=list)
    trades: int = 0
    volume: float = 0.0


@dataclass(frozen=True)
class AuditLine:
    """One claim that was checked, and the figures that it was checked with."""

    claim: str
    is_true: bool
    figures: str


@dataclass
class Recording:
    """Everything that the report shows."""

    backend: str
    walk_seconds: float = 0.0  # how long the walk along the day was planned to take
    instants: dict[int, int] = field(default_factory=dict)  # time of an index → of the day, ms
    markets: dict[int, MarketRecord] = field(default_factory=dict)
    ratios: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    fills: int = 0
    summary: list[tuple[str, str]] = field(default_factory=list)
    audit: list[AuditLine] = field(default_factory=list)
