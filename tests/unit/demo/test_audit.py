"""The audit notices: each line fails when the one thing that it claims is not so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from matcher.envelope import INSURANCE_ADDRESS
from tests.demo.audit import audit
from tests.demo.ledger import ChainLedger, Holding, JournalLedger
from tests.demo.recording import AuditLine, Batch

ALICE, BOB = bytes(19) + b"\x0a", bytes(19) + b"\x0b"
HASH = bytes(32)
MARKET = 1


def books() -> tuple[ChainLedger, JournalLedger]:
    """Return two books that agree: Alice is long 5 of Bob's, each with 100 in the position."""
    chain, journal = ChainLedger(), JournalLedger()
    for book in (chain, journal):
        book.free = {ALICE: 890, BOB: 400}
        book.holdings = {
            (ALICE, MARKET): Holding(5, 500, 100, 7),
            (BOB, MARKET): Holding(-5, 500, 100, 7),
            (INSURANCE_ADDRESS, MARKET): Holding(0, 0, 50, 7),
        }
        book.deposits_quote, book.withdrawals_quote, book.fees_quote = 2_050, 500, 12
        book.funding_pools_quote = {MARKET: -2}
    chain.vault_quote = chain.custody_quote = chain.liabilities_quote = 1_550
    chain.batches = [Batch(1, 10, 10, 3, 0, 1)]
    journal.state_hash, journal.withdrawals = HASH, Counter({BOB: 500})
    journal.put_in, journal.got_back = Counter({(BOB, 2): 10}), Counter({(BOB, 2): 4})
    return chain, journal


def run(chain: ChainLedger, journal: JournalLedger, paid: int = 500) -> list[AuditLine]:
    return audit(
        chain,
        journal,
        live_hash=HASH,
        replayed_hash=HASH,
        received_quote={BOB: paid},
        symbols={MARKET: "BTC-PERP"},
    )


def test_books_that_agree_pass() -> None:
    lines = run(*books())
    assert [line.claim for line in lines if not line.is_true] == []
    assert len(lines) == 11


def _add(book: ChainLedger | JournalLedger, account: bytes, change: Holding) -> None:
    book.holdings[account, MARKET] = change


BREAKS: dict[str, Callable[[ChainLedger, JournalLedger], object]] = {
    "every account's free": lambda c, _: c.free.update({ALICE: 891}),
    "every position": lambda c, _: _add(c, ALICE, Holding(5, 500, 101, 7)),
    "positions of each market": lambda c, _: _add(c, ALICE, Holding(4, 500, 100, 7)),
    "chain: deposits": lambda c, _: setattr(c, "fees_quote", 13),
    "journal: deposits": lambda _, j: setattr(j, "fees_quote", 11),
    "the vault holds": lambda c, _: setattr(c, "vault_quote", 1_549),
    "totals on chain": lambda c, _: c.funding_pools_quote.update({MARKET: -3}),
    "no position lost more": lambda _, j: setattr(j, "floor_breaks", 1),
    "every withdrawal": lambda c, _: setattr(c, "failed_withdrawals", 1),
    "the contract has refused nothing": lambda c, _: setattr(c, "rejected_items", 1),
    "replaying the journal": lambda _, j: setattr(j, "state_hash", bytes(31) + b"\x01"),
}


@pytest.mark.parametrize("claim", BREAKS)
def test_a_line_fails_when_its_claim_is_false(claim: str) -> None:
    chain, journal = books()
    BREAKS[claim](chain, journal)
    failed = [line.claim for line in run(chain, journal) if not line.is_true]
    assert any(text.startswith(claim) for text in failed), failed


def test_a_missing_payment_is_noticed() -> None:
    assert [line.is_true for line in run(*books(), paid=499) if "withdrawal" in line.claim] == [
        False
    ]


def test_a_closed_position_that_owes_is_noticed() -> None:
    chain, journal = books()
    for book in (chain, journal):
        _add(book, BOB, Holding(0, 0, -1, 0))
    assert any("lost more" in line.claim for line in run(chain, journal) if not line.is_true)


def test_a_flat_position_that_keeps_money_on_the_chain_alone_is_noticed() -> None:
    """The line does not rest on the journal: the chain's own flat positions are read."""
    chain, journal = books()
    _add(chain, BOB, Holding(0, 0, 1, 0))
    (line,) = (line for line in run(chain, journal) if "lost more" in line.claim)
    assert not line.is_true
    assert "of 1 flat positions on chain 1 owe or keep money" in line.figures
