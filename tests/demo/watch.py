"""Watches how near to liquidation every position comes, at each index price of the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from matcher.engine.commands import CommandKind
from matcher.engine.events import EventKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matcher.engine.commands import Command
    from matcher.engine.events import Event
    from matcher.venue import Venue

Key = tuple[bytes, int]  # address, market_id
Series = list[tuple[int, float]]

RATIO_MAX: Final = 9.99  # of a position without equity
LIQUIDATED_SHOWN: Final = 3
TOPPED_UP_SHOWN: Final = 1
OTHERS_SHOWN: Final = 1


@dataclass
class Watch:
    """Maintenance as a share of equity of each position: (time of the index in ms, ratio)."""

    ratios: dict[Key, Series] = field(default_factory=dict)
    liquidated: set[Key] = field(default_factory=set)
    topped_up: set[Key] = field(default_factory=set)

    def note(self, venue: Venue, command: Command, events: Iterable[Event]) -> None:
        """Note what an index price does to the positions of its market, and who tops up."""
        address_of = venue.accounts.get_address
        for event in events:
            if event.kind == EventKind.COLLATERAL_MOVED and event.amount_quote > 0:
                self.topped_up.add((address_of(event.account), event.market_id))
            elif event.kind == EventKind.LIQUIDATION_STARTED and command.kind == CommandKind.PRICE:
                key = address_of(event.account), event.market_id
                self.liquidated.add(key)
                self._add(key, command.aux, event.amount_2_quote, event.amount_quote)
        if command.kind != CommandKind.PRICE or command.market_id not in venue.listings:
            return
        for index in range(1, venue.accounts.account_count + 1):
            position = venue.engine.position(index, command.market_id)
            if position is not None and position.position_lots:
                key = address_of(index), command.market_id
                self._add(key, command.aux, position.maintenance_quote, position.equity_quote)

    def closest(self, names: dict[bytes, str], instants: dict[int, int]) -> dict[str, Series]:
        """Return the series of a few positions that came closest to their liquidation.

        Those that were liquidated later come first, then those that were topped up and lived, then
        the others: of each kind the ones with the highest ratio below 100 %.

        Args:
            names: Those to choose from, by address.
            instants: Time of the replayed day by the time of the index, both in ms.
        """
        kinds: tuple[list[Key], ...] = ([], [], [])
        for key in self.ratios:
            if key[0] in names:
                kinds[0 if key in self.liquidated else 1 if key in self.topped_up else 2].append(
                    key
                )
        shown = (LIQUIDATED_SHOWN, TOPPED_UP_SHOWN, OTHERS_SHOWN)
        return {
            names[key[0]]: [
                (instants[at_ms], ratio) for at_ms, ratio in self.ratios[key] if at_ms in instants
            ]
            for keys, count in zip(kinds, shown, strict=True)
            for key in sorted(keys, key=self._peak, reverse=True)[:count]
        }

    def _peak(self, key: Key) -> float:
        """Return how close a position came before it went beyond, if it did."""
        return max((ratio for _, ratio in self.ratios[key] if ratio < 1), default=0.0)

    def _add(self, key: Key, at_ms: int, maintenance_quote: int, equity_quote: int) -> None:
        ratio = maintenance_quote / equity_quote if equity_quote > 0 else RATIO_MAX
        self.ratios.setdefault(key, []).append((at_ms, min(ratio, RATIO_MAX)))
