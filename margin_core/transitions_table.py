"""Which change may lead a position from which health to which (POS-1); the README prints it."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from margin_core.rules import (
    MarginState,
    equity_quote,
    initial_requirement_quote,
    is_liquidatable,
)

if TYPE_CHECKING:
    from margin_core.market_spec import MarketSpec


class Health(enum.Enum):
    """Where equity stands; the first that holds."""

    FLAT = "flat"
    SAFE = "safe"  # at the initial requirement or above
    THIN = "thin"  # from maintenance to below initial
    LIQUIDATABLE = "liquidatable"  # below maintenance, at 0 or above
    BANKRUPT = "bankrupt"  # below 0


class Change(enum.Enum):
    """What can happen to a position."""

    OPEN = "open"
    ADD = "add"
    REDUCE = "reduce"
    CLOSE = "close"
    FLIP = "flip"
    TOP_UP = "top up"
    TAKE_OUT = "take out"
    LEVERAGE = "change leverage"
    AUTO_TOP_UP = "automatic top-up"
    FUNDING = "funding"
    MARK = "mark, parameters"
    LIQUIDATION = "liquidation fill"
    TAKEOVER = "takeover"
    ADL_BANKRUPT = "ADL, liquidated side"
    ADL_COUNTERPARTY = "ADL, counterparty"
    DELIVERY = "delivery, delisting"


_ALIVE: Final = frozenset(Health) - {Health.FLAT}
_HEALTHY: Final = frozenset({Health.SAFE, Health.THIN})
_DUE: Final = frozenset({Health.LIQUIDATABLE, Health.BANKRUPT})
_FLAT: Final = frozenset({Health.FLAT})
_SAFE: Final = frozenset({Health.SAFE})
_SOLVENT: Final = _ALIVE - {Health.BANKRUPT}

# A change that is not here is refused. What it leads to holds at the mark at which it is judged.
ALLOWED: Final[dict[Change, tuple[frozenset[Health], frozenset[Health]]]] = {
    Change.OPEN: (_FLAT, _SAFE),
    Change.ADD: (_ALIVE, _SAFE),
    Change.REDUCE: (_ALIVE, _SOLVENT),
    Change.CLOSE: (_ALIVE, _FLAT),
    Change.FLIP: (_ALIVE, _SAFE),
    Change.TOP_UP: (_ALIVE, _ALIVE),
    Change.TAKE_OUT: (_SAFE, _SAFE),
    Change.LEVERAGE: (_ALIVE, _ALIVE),
    Change.AUTO_TOP_UP: (_DUE, _HEALTHY),
    Change.FUNDING: (_ALIVE, _ALIVE),
    Change.MARK: (_ALIVE, _ALIVE),
    Change.LIQUIDATION: (_DUE, _ALIVE | _FLAT),
    Change.TAKEOVER: (_DUE, _FLAT),
    Change.ADL_BANKRUPT: (_DUE, _ALIVE | _FLAT),
    Change.ADL_COUNTERPARTY: (_HEALTHY, _HEALTHY | _FLAT | {Health.LIQUIDATABLE}),
    Change.DELIVERY: (_ALIVE, _FLAT),
}


def health(
    spec: MarketSpec,
    state: MarginState | tuple[int, int, int, int],
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    index_price_ticks: int | None = None,
) -> Health:
    """Return where a position's equity stands at the mark.

    Args:
        spec: Parameters of the market.
        state: The position.
        funding_index_e6: Funding index of the market now, |x| ≤ 2^62.
        mark_price_ticks: 1 to `price_ticks_max`.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.

    Raises:
        ValueError: A value is outside its bounds.
        OverflowError: More than 2^60 quote of funding would be owed.

    Source: POS-1.
    """
    state = MarginState(*state)
    if state.position_lots == 0:
        return Health.FLAT
    at = {"funding_index_e6": funding_index_e6, "mark_price_ticks": mark_price_ticks}
    equity = equity_quote(spec, state, **at)
    if equity < 0:
        return Health.BANKRUPT
    if is_liquidatable(spec, state, **at, index_price_ticks=index_price_ticks):
        return Health.LIQUIDATABLE
    initial = initial_requirement_quote(
        spec,
        position_lots=state.position_lots,
        mark_price_ticks=mark_price_ticks,
        index_price_ticks=index_price_ticks,
    )
    return Health.SAFE if equity >= initial else Health.THIN


def is_allowed(change: Change, before: Health, after: Health) -> bool:
    """Return whether a change may lead from one health to another. Source: POS-1."""
    sources, targets = ALLOWED[change]
    return before in sources and after in targets


def table() -> str:
    """Return the table in Markdown: a row for each change, a column for each health before.

    >>> print(table().splitlines()[2])
    | open | safe | – | – | – | – |
    """
    lines = [
        "| change | " + " | ".join(health.value for health in Health) + " |",
        "|---|" + "---|" * len(Health),
    ]
    for change, (sources, targets) in ALLOWED.items():
        leads = ", ".join(health.value for health in Health if health in targets)
        cells = (leads if health in sources else "–" for health in Health)
        lines.append(f"| {change.value} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
