"""The audit: what the chain says against what the journal says, to the last unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matcher.envelope import INSURANCE_ADDRESS
from tests.demo.recording import AuditLine

if TYPE_CHECKING:
    from tests.demo.ledger import ChainLedger, JournalLedger, Ledger

QUOTE_PER_USD = 10**6
DIFFERENCES_SHOWN_MAX = 3


def audit(
    chain: ChainLedger,
    journal: JournalLedger,
    *,
    live_hash: bytes,
    replayed_hash: bytes,
    received_quote: dict[bytes, int],
    symbols: dict[int, str],
) -> list[AuditLine]:
    """Return one line for each claim.

    Args:
        chain: Book read from the contract.
        journal: Book replayed from the journal.
        live_hash: State hash that the matcher gave at the journal's last replayed command.
        replayed_hash: State hash that `bulkhead replay` printed for the same command.
        received_quote: Tokens that the receivers of withdrawals hold on chain.
        symbols: Markets by id.
    """
    return [
        _accounts(chain, journal),
        _positions(chain, journal, symbols),
        _lots_sum(chain, symbols),
        _conservation("chain", chain),
        _conservation("journal", journal),
        _custody(chain),
        _totals(chain, journal),
        _losses(chain, journal),
        _payments(chain, journal, received_quote),
        _refusals(chain),
        AuditLine(
            "replaying the journal gives the same state hash",
            journal.state_hash == live_hash == replayed_hash,
            f"0x{journal.state_hash.hex()} after {journal.command_seq:,} commands",
        ),
    ]


def _accounts(chain: ChainLedger, journal: JournalLedger) -> AuditLine:
    wrong = [
        a
        for a in chain.free.keys() | journal.free.keys()
        if chain.free.get(a) != journal.free.get(a)
    ]
    shown = "".join(
        f"; 0x{a.hex()}: chain {chain.free.get(a)}, engine {journal.free.get(a)}"
        for a in wrong[:DIFFERENCES_SHOWN_MAX]
    )
    return AuditLine(
        "every account's free collateral on chain equals the engine's",
        not wrong and len(chain.free) > 0,
        f"{len(journal.free)} accounts, {len(wrong)} differ{shown}",
    )


def _positions(chain: ChainLedger, journal: JournalLedger, symbols: dict[int, str]) -> AuditLine:
    keys = sorted(chain.holdings.keys() | journal.holdings.keys())
    wrong = [key for key in keys if chain.holding(*key) != journal.holding(*key)]
    open_count = sum(1 for key in keys if journal.holding(*key).position_lots)
    shown = "".join(
        f"; 0x{a.hex()} {symbols[m]}: chain {tuple(chain.holding(a, m))}, "
        f"engine {tuple(journal.holding(a, m))}"
        for a, m in wrong[:DIFFERENCES_SHOWN_MAX]
    )
    return AuditLine(
        "every position on chain equals the engine's: lots, entry value, collateral, funding index",
        not wrong and open_count > 0,
        f"{len(keys)} compared, {open_count} open, {len(wrong)} differ{shown}",
    )


def _lots_sum(chain: ChainLedger, symbols: dict[int, str]) -> AuditLine:
    sums = {
        market_id: sum(h.position_lots for (_, m), h in chain.holdings.items() if m == market_id)
        for market_id in symbols
    }
    figures = ", ".join(f"{symbols[m]} {total}" for m, total in sums.items())
    return AuditLine("positions of each market sum to zero", not any(sums.values()), figures)


def _conservation(name: str, book: Ledger) -> AuditLine:
    """CONS-1, term by term."""
    free = sum(book.free.values())
    people = sum(h.held_quote for (a, _), h in book.holdings.items() if a != INSURANCE_ADDRESS)
    fund = sum(h.held_quote for (a, _), h in book.holdings.items() if a == INSURANCE_ADDRESS)
    pools = sum(book.funding_pools_quote.values())
    right = free + people + fund + book.fees_quote + pools + book.withdrawals_quote
    figures = (
        f"{_usd(book.deposits_quote)} = free {_usd(free)} + positions {_usd(people)} + insurance "
        f"{_usd(fund)} + fees {_usd(book.fees_quote)} + funding {_usd(pools)} + withdrawals "
        f"{_usd(book.withdrawals_quote)}"
    )
    if right != book.deposits_quote:
        figures += f"; differs by {right - book.deposits_quote} units"
    return AuditLine(
        f"{name}: deposits = where they are, to the last unit",
        right == book.deposits_quote,
        figures,
    )


def _custody(chain: ChainLedger) -> AuditLine:
    return AuditLine(
        "the vault holds what the contract owes",
        chain.vault_quote == chain.custody_quote == chain.liabilities_quote,
        f"vault {_usd(chain.vault_quote)}, custody {_usd(chain.custody_quote)}, "
        f"liabilities {_usd(chain.liabilities_quote)}",
    )


def _totals(chain: ChainLedger, journal: JournalLedger) -> AuditLine:
    pairs = {
        "deposits": (chain.deposits_quote, journal.deposits_quote),
        "withdrawals": (chain.withdrawals_quote, journal.withdrawals_quote),
        "fees": (chain.fees_quote, journal.fees_quote),
        "funding pools": (chain.funding_pools_quote, journal.funding_pools_quote),
    }
    wrong = [f"{name}: chain {a}, journal {b}" for name, (a, b) in pairs.items() if a != b]
    equal = [name for name, (a, b) in pairs.items() if a == b]
    return AuditLine(
        "totals on chain equal the journal's", not wrong, "; ".join([", ".join(equal), *wrong])
    )


def _losses(chain: ChainLedger, journal: JournalLedger) -> AuditLine:
    """The isolation floor: what was put into a position bounds what it can lose.

    The chain is asked too: a position that is flat there neither owes nor keeps anything.
    """
    closed = [key for key in journal.put_in if not journal.holding(*key).position_lots]
    lost = {key: journal.put_in[key] - journal.got_back[key] for key in closed}
    flat_count, owing = 0, set()
    for book in (chain, journal):
        for key, holding in book.holdings.items():
            if key[0] == INSURANCE_ADDRESS or holding.position_lots:
                continue
            flat_count += book is chain
            if holding.collateral_quote or holding.entry_value_quote:
                owing.add(key)
    still_open = [key for key in closed if chain.holding(*key).position_lots]
    everything = sum(1 for key, loss in lost.items() if loss == journal.put_in[key])
    return AuditLine(
        "no position lost more than its collateral, no liquidation touched a free balance",
        not owing and not still_open and not journal.floor_breaks,
        f"{len(lost)} accounts closed a position, {everything} of them lost all of it, largest "
        f"loss {_usd(max(lost.values(), default=0))}; of {flat_count} flat positions on chain "
        f"{len(owing)} owe or keep money; {journal.floor_breaks} debits of a free balance",
    )


def _payments(
    chain: ChainLedger, journal: JournalLedger, received_quote: dict[bytes, int]
) -> AuditLine:
    wrong = [a for a, amount in journal.withdrawals.items() if received_quote.get(a) != amount]
    total = sum(received_quote.values())
    return AuditLine(
        "every withdrawal has arrived",
        not wrong and not chain.failed_withdrawals and bool(journal.withdrawals),
        f"{_usd(total)} to {len(journal.withdrawals)} receivers, {len(wrong)} differ",
    )


def _refusals(chain: ChainLedger) -> AuditLine:
    items = sum(batch.items for batch in chain.batches)
    sequences = [batch.sequence for batch in chain.batches]
    return AuditLine(
        "the contract has refused nothing and missed nothing",
        chain.rejected_items == 0 and sequences == list(range(1, len(sequences) + 1)),
        f"{items:,} items in batches 1 to {len(sequences)}, {chain.rejected_items} refused",
    )


def _usd(amount_quote: int) -> str:
    """Return an amount with all its digits."""
    sign = "-" if amount_quote < 0 else ""
    whole, part = divmod(abs(amount_quote), QUOTE_PER_USD)
    return f"{sign}{whole:,}.{part:06d}"
