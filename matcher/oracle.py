"""The last observation of each index source, and the rows that they agree on (SPEC ORA-1, ORA-2).

Kept in memory only: what counts is journalled with each row. After a restart sources speak again
within seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from margin_core import IndexRow, NoIndex, index_price
from margin_core.limits import PRICE_TICKS_MAX
from matcher.engine.commands import Command, CommandKind
from matcher.engine.reject_reason import RejectReason
from matcher.envelope import PriceExtra, SignedObservation

if TYPE_CHECKING:
    from bulkhead_signing import IndexPrice
    from matcher.config import OracleTable

CLOCK_AHEAD_MAX_MS: Final = 10_000  # as the engine admits (BATCH-3)

_REASONS: Final = {
    NoIndex.TOO_FEW: RejectReason.NONE,  # it waits for the others
    NoIndex.SPREAD: RejectReason.NONE,
    NoIndex.DEVIATION: RejectReason.PRICE_DEVIATION,
}


class Aggregator:
    """Turns observations of single sources into PRICE commands. No I/O, no clock."""

    def __init__(self, rules: OracleTable) -> None:
        """Begin without observations."""
        self._rules = rules
        self._last: dict[int, dict[bytes, SignedObservation]] = {}
        self._rows: dict[int, IndexRow] = {}

    def add(
        self, source: bytes, price: IndexPrice, signature: bytes, *, now_ms: int, age_max_ms: int
    ) -> tuple[Command, bytes] | RejectReason:
        """Take an observation whose signature was checked; return the row's PRICE and its extra.

        Or why there is none: `NONE` while others are missing, `PRICE_STALE` when the source said
        something newer before or this is too old, `PRICE_DEVIATION` when too few agree or the
        others do without this one.
        """
        if not 1 <= price.price_ticks <= PRICE_TICKS_MAX:
            return RejectReason.PRICE_OUT_OF_RANGE
        known = self._last.setdefault(price.market_id, {})
        before = known.get(source)
        if before is not None and price.time_ms <= before.time_ms:
            return RejectReason.PRICE_STALE
        if not -CLOCK_AHEAD_MAX_MS <= now_ms - price.time_ms <= age_max_ms:
            return RejectReason.PRICE_STALE
        known[source] = SignedObservation(price.price_ticks, price.time_ms, signature)
        row = index_price(
            ((name, seen.price_ticks, seen.time_ms) for name, seen in known.items()),
            now_ms=now_ms + CLOCK_AHEAD_MAX_MS,
            quorum=self._rules.quorum,
            age_max_ms=age_max_ms + CLOCK_AHEAD_MAX_MS,
            spread_max_ms=self._rules.spread_max_ms,
            deviation_max_ppm=self._rules.deviation_max_ppm,
        )
        if isinstance(row, NoIndex):
            return _REASONS[row]
        if all(seen.source != source for seen in row.observations):
            return RejectReason.PRICE_DEVIATION
        last = self._rows.get(price.market_id)
        if last is not None and row.time_ms < last.time_ms:
            return RejectReason.NONE
        if last is not None and row[:2] == last[:2]:
            return RejectReason.NONE  # it says nothing new
        self._rows[price.market_id] = row
        return self._command(price.market_id, row)

    def _command(self, market_id: int, row: IndexRow) -> tuple[Command, bytes]:
        known = self._last[market_id]
        signed = tuple(known[bytes(seen.source)] for seen in row.observations)  # type: ignore[call-overload]
        command = Command(
            kind=CommandKind.PRICE,
            market_id=market_id,
            price_ticks=row.price_ticks,
            aux=row.time_ms,
        )
        return command, PriceExtra(signed).pack()
