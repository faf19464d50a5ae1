"""A check of auto-deleveraging from public data: positions, mark, funding index, events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from margin_core.arguments import market, position, whole
from margin_core.market_spec import ContractKind
from margin_core.rules import (
    MarginState,
    Verdict,
    adl_rank,
    apply_adl,
    apply_takeover,
    bankruptcy_price_ticks,
    equity_quote,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from margin_core.market_spec import MarketSpec


class AdlItem(NamedTuple):
    """One counterparty's share of a run. `account` is whatever names it."""

    account: int
    qty_lots: int
    price_ticks: int


@dataclass
class AdlRow:
    """Whom the runs of one price row have passed over (IDX-3); new for each row."""

    passed: set[int] = field(default_factory=set)  # accounts that are no candidates now
    was_passed: set[int] = field(default_factory=set)
    # Account: whether the bankrupt was long, and the own bankruptcy price in ticks.
    waiting: dict[int, tuple[bool, int]] = field(default_factory=dict)

    def begin(self, *, is_long: bool, price_ticks: int) -> None:
        """Those who can bear the price of this run are candidates once more."""
        for account, (was_long, own) in list(self.waiting.items()):
            if was_long == is_long and (price_ticks <= own if is_long else price_ticks >= own):
                del self.waiting[account]
                self.passed.discard(account)

    def pass_over(self, account: int, own: int, *, is_long: bool, price_ticks: int) -> None:
        """Note that a rule has refused a counterparty whose bankruptcy price is `own`."""
        is_beyond = price_ticks > own if is_long else price_ticks < own
        if is_beyond and account not in self.was_passed:
            self.waiting[account] = is_long, own
        self.passed.add(account)
        self.was_passed.add(account)


class AdlError(ValueError):
    """A run of ADL is not the one that LIQ-4 prescribes."""


def adl_run(
    spec: MarketSpec,
    bankrupt: MarginState | tuple[int, int, int, int],
    positions: Mapping[int, MarginState | tuple[int, int, int, int]],
    fund: MarginState | tuple[int, int, int, int] | None,
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    index_price_ticks: int | None = None,
    row: AdlRow | None = None,
) -> list[AdlItem]:
    """Return the items that LIQ-4 prescribes for a position that the fund cannot take over.

    Args:
        spec: The market's parameters.
        bankrupt: The liquidatable position, after what the book took of it.
        positions: All others of the market that are not frozen, without the fund's, the oldest
            first: those of its own side are passed over.
        fund: The insurance fund's position; None: the bankrupt is the fund itself (LIQ-7).
        funding_index_e6: Of the market, in quote per lot times 10^6.
        mark_price_ticks: Of the price row under which the run happened.
        index_price_ticks: Price of the underlying, 1 to `price_ticks_max`; options only.
        row: What earlier runs under this price row have left, and this one adds to; None: there
            was none.

    Returns:
        Highest rank first, among equal ones the oldest; as few as close the position or let the
        fund carry the rest; what no rule admits is passed over (IDX-3). Prices in ticks, rounded
        against the bankrupt (MARG-6).

    Raises:
        ValueError: An argument is beyond the bounds of SPEC §1.
    """
    funding = {"funding_index_e6": funding_index_e6}
    at = funding | {"mark_price_ticks": mark_price_ticks}
    judged: dict[str, Any] = at | {"index_price_ticks": index_price_ticks}
    items: list[AdlItem] = []
    bankrupt = position(bankrupt)
    equity_quote(spec, bankrupt, **at)  # checks the market, the position and where it is judged
    side, most = bankrupt.position_lots > 0, market(spec).position_lots_max
    if not hasattr(positions, "items"):
        raise ValueError(f"NUM-4: positions = {positions!r}: expected a mapping of states")
    row = AdlRow() if row is None else row
    others = []
    if is_beyond_adl(spec, bankrupt, funding_index_e6):
        return items
    price = bankruptcy_price_ticks(spec, bankrupt, **funding)
    if price is not None:
        row.begin(is_long=side, price_ticks=price)
    for account, held in positions.items():
        state = position(held)
        lots = whole("position_lots", state.position_lots, -most, most)
        if lots and (lots > 0) != side and account not in row.passed:
            others.append((account, state))
    others.sort(key=lambda other: -adl_rank(spec, other[1], **at))  # stable: the oldest stays first
    for account, state in others:
        if bankrupt.position_lots == 0 or (items and carries(spec, bankrupt, fund, judged)):
            break
        qty_lots = min(abs(bankrupt.position_lots), abs(state.position_lots))
        price = bankruptcy_price_ticks(spec, bankrupt, **funding)
        assert price is not None, "an open position has one"
        outcome, _ = apply_adl(spec, bankrupt, state, qty_lots=qty_lots, **judged)
        if outcome.verdict is Verdict.OK:
            items.append(AdlItem(account, qty_lots, price))
            bankrupt = outcome.state
        else:
            own = bankruptcy_price_ticks(spec, state, **funding)
            assert own is not None
            row.pass_over(account, own, is_long=side, price_ticks=price)
    return items


def is_beyond_adl(spec: MarketSpec, bankrupt: MarginState, funding_index_e6: int) -> bool:
    """LIQ-4: a short that would owe money though it closed for nothing."""
    owed = -(bankrupt.position_lots * (bankrupt.funding_index_e6 - funding_index_e6) // 10**6)
    left = bankrupt.entry_value_quote + bankrupt.collateral_quote - owed
    is_inverse = spec.kind is ContractKind.INVERSE_PERPETUAL
    return not is_inverse and bankrupt.position_lots < 0 and left < 0


def carries(
    spec: MarketSpec,
    bankrupt: MarginState,
    fund: MarginState | tuple[int, int, int, int] | None,
    judged: dict[str, Any],
) -> bool:
    """Whether the fund can take what is left (LIQ-3)."""
    if fund is None:
        return False
    outcome, _ = apply_takeover(spec, bankrupt, fund, **judged)
    return outcome.verdict is Verdict.OK


def check_adl(
    spec: MarketSpec,
    bankrupt: MarginState | tuple[int, int, int, int],
    positions: Mapping[int, MarginState | tuple[int, int, int, int]],
    fund: MarginState | tuple[int, int, int, int] | None,
    items: Sequence[AdlItem],
    *,
    funding_index_e6: int,
    mark_price_ticks: int,
    index_price_ticks: int | None = None,
    row: AdlRow | None = None,
) -> None:
    """Check a run that a venue reports against the one that LIQ-4 prescribes; see `adl_run`.

    Raises:
        AdlError: Somebody was taken out of turn, for too much, at a wrong price, without need, or
            was spared; the message names the first difference.
        ValueError: An argument is beyond the bounds of SPEC §1.
    """
    expected = adl_run(
        spec,
        bankrupt,
        positions,
        fund,
        funding_index_e6=funding_index_e6,
        mark_price_ticks=mark_price_ticks,
        index_price_ticks=index_price_ticks,
        row=row,
    )
    for number, item in enumerate(items):
        if number == len(expected):
            raise AdlError(f"LIQ-4: item {number}: {item}: nothing more was needed")
        if item != expected[number]:
            raise AdlError(f"LIQ-4: item {number}: {item}: expected {expected[number]}")
    if len(items) < len(expected):
        raise AdlError(f"LIQ-4: item {len(items)}: missing: expected {expected[len(items)]}")
