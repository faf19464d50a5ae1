"""Counts what has happened, for the terminal and for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matcher.engine.events import EventKind

if TYPE_CHECKING:
    from tests.demo.ledger import ChainLedger, JournalLedger
    from tests.demo.recording import Recording

QUOTE_PER_USD = 10**6


def summarise(
    recording: Recording, chain: ChainLedger, journal: JournalLedger, *, seconds: float
) -> list[tuple[str, str]]:
    """Return names and values; also note the number of fills in the recording."""
    counts = journal.event_counts
    fills = sum(
        counts[kind] for kind in (EventKind.FILL, EventKind.LIQUIDATION_FILL, EventKind.FUND_FILL)
    )
    recording.fills = fills
    volume = sum(market.volume for market in recording.markets.values())
    gas = sum(batch.gas for batch in chain.batches)
    return [
        ("Accounts", f"{len(journal.free):,}"),
        ("Commands journalled", f"{journal.command_seq:,}"),
        ("Orders accepted", f"{counts[EventKind.ORDER_ACCEPTED]:,}"),
        ("Fills", f"{fills:,}"),
        ("Traded", f"{volume / 1e6:,.1f} M USD"),
        ("Positions liquidated", f"{counts[EventKind.LIQUIDATION_STARTED]:,}"),
        ("Taken over by fund", f"{counts[EventKind.TAKEOVER]:,}"),
        ("Auto-deleveraged", f"{counts[EventKind.ADL]:,}"),
        ("Top-ups, take-outs", f"{journal.top_ups:,}, {journal.take_outs:,}"),
        (
            "Stops, take-profits fired",
            f"{journal.stops_fired:,}, {journal.take_profits_fired:,}",
        ),
        ("Accounts that left", f"{_left_for_good(journal):,}"),
        ("Withdrawn", f"{journal.withdrawals_quote / QUOTE_PER_USD:,.0f} USD"),
        ("Batches settled", f"{len(chain.batches):,}"),
        ("Gas a fill, all in", f"{gas // fills:,}" if fills else "–"),
        ("Time", f"{seconds:.0f} s"),
    ]


def _left_for_good(journal: JournalLedger) -> int:
    """Return how many have withdrawn and have nothing left, free or in a position."""
    holders = {account for (account, _), holding in journal.holdings.items() if any(holding[:3])}
    return sum(
        account not in holders and not journal.free.get(account) for account in journal.withdrawals
    )
