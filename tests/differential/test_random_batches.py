"""Random batches through the contract on a real chain and through the slow model.

After each batch the reasons of all items, the outcomes of served requests and every storage word
that the model knows are compared; a batch that one of them finds void is void for the other.
`BULKHEAD_SOAK_BATCHES` says how many; `BULKHEAD_SEED` repeats a run.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from settlement.batch import payload as wire
from settlement.batch.codec import decode_payload
from settlement.chain.anvil import find_anvil
from tests.differential.batch_chain import (
    LIMITS,
    OWNER,
    PARAMETERS_S,
    SOURCES,
    BatchChain,
    batch_chain,
    spec_of,
)
from tests.differential.draft_batch import name_of
from tests.differential.random_batches import BACKER, Desk, other_terms
from tests.model.batch import Verdict, settle
from tests.model.batch_trades import VoidError
from tests.model.margin import PPM, Market
from tests.model.settlement import Key, Listing, Request, Venue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUND = 100  # batches on one deployment
BATCHES = int(os.environ.get("BULKHEAD_SOAK_BATCHES", str(2 * ROUND)))
SEED = os.environ.get("BULKHEAD_SEED", "7")
DEPOSIT_QUOTE = 40_000_000
START_S = 2_000_000_000
RUN_S = 3_000  # the second market ends after so many seconds
WANTED = {kind.__name__.removesuffix("Item") for kind in wire.ITEM_TYPES.values()}
WANTED |= {"Auction", "MARKET_CANNOT_PAY"}


def cancellation(asked: Request) -> tuple[str, int] | tuple[str, int, int]:
    """Return the call that asks for the end of one nonce, or of a range."""
    first, further = asked.amount, int.from_bytes(asked.to, "big")
    if further:
        return "requestCancelRange", first, first + further
    return "requestCancel", first


class Run:
    """Chain and model side by side."""

    def __init__(self, chain: BatchChain, venue: Venue, rng: random.Random) -> None:
        self.chain, self.venue, self.rng = chain, venue, rng
        self.desk = Desk(rng, chain.domain, SOURCES)
        self.seen: Counter[str] = Counter()
        self.missing: set[str] = set()  # what the later half of the batches tries to bring

    def start(self) -> None:
        """Give everybody money on both sides."""
        self.venue.wallets = frozenset(self.desk.wallets)
        self.chain.mint(2**62)
        for owner in self.desk.owners:
            self.chain.adopt(owner, is_wallet=owner in self.desk.wallets)
            self.do("deposit", owner, DEPOSIT_QUOTE)
        for market_id in self.venue.markets:
            self.do("GIVE", Request("GIVE", BACKER, 0, 100_000, market_id))

    def do(self, name: str, *told: Any) -> None:
        """Do on both sides what an owner does beside the batches."""
        chain, venue = self.chain, self.venue
        if name == "deposit":
            chain.call(OWNER, "depositFor", *told)
            venue.deposit(*told)
        elif name == "key":
            owner, key, scope = told
            chain.call(owner, "setSessionKey", key, scope)
            venue.keys[owner, key] = Key(*scope)
        else:
            (asked,) = told
            calls = {
                "CANCEL_ALL": ("requestCancelAll", asked.amount),
                "CANCEL": cancellation(asked),
                "REDUCE": ("requestReduce", asked.market_id, asked.amount),
                "WITHDRAW": ("requestWithdrawal", asked.amount, asked.to),
                "TOP_UP": ("depositToPosition", asked.market_id, asked.account, asked.amount),
                "UNBACK": ("finishUnbacking", asked.market_id),
                "GIVE": ("fundInsurance", asked.market_id, asked.amount),
                "BACK": ("backFund", asked.market_id, asked.amount),
            }
            sender = OWNER if name == "TOP_UP" or asked.account == BACKER else asked.account
            if name == "UNBACK":
                chain.call(OWNER, "requestUnbacking", asked.market_id, asked.amount)
                venue.backers[asked.market_id, asked.account].due_time_s = chain.now_s
            chain.call(sender, *calls[name])
            payer = bytes.fromhex(OWNER[2:]) if name == "TOP_UP" else asked.to
            venue.request(asked._replace(time_s=chain.now_s, to=payer))
        self.seen[name] += 1

    def batch(self) -> None:
        """Settle one random batch on both sides and compare."""
        wanted = self.missing if self.venue.sequence > ROUND // 2 else set[str]()
        payload = self.desk.batch(self.venue, self.chain.now_s + 1, wanted)
        after: Venue | None = None
        verdict = Verdict(b"")
        try:
            after, verdict = settle(self.venue, self.chain.domain, payload, self.chain.now_s + 1)
        except VoidError:
            self.seen["void"] += 1
        receipt = self.chain.settle(self.venue, self.venue.sequence + 1, payload)
        if after is None or receipt is None:
            assert after is None, "only the contract finds it void"
            assert receipt is None, "only the model finds it void"
            return
        told = self.chain.told(receipt, len(verdict.reasons))
        here, there = told[0].hex(" "), verdict.reasons.hex(" ")
        assert here == there, f"reasons: contract {here}, model {there}"
        assert told[1] == verdict.outcomes, "outcomes of requests"
        self.venue = after
        self.count(payload, verdict)
        self.compare()

    def compare(self) -> None:
        """Compare every word, and see that nothing was made or lost (CONS-1, CONS-2, CONS-4)."""
        words = self.venue.words()
        found = self.chain.words(list(words))
        differing = {
            hex(slot): (f"{word:064x}", f"{here:064x}")
            for (slot, word), here in zip(words.items(), found, strict=True)
            if word != here
        }
        assert not differing, f"slot: (model, contract) {differing}"
        assert self.venue.gap_quote() == 0
        assert all(listed.pot_quote >= 0 for listed in self.venue.markets.values())
        for market_id in self.venue.markets:
            lots = (p.lots for place, p in self.venue.positions.items() if place[0] == market_id)
            assert sum(lots) == 0

    def count(self, payload: bytes, verdict: Verdict) -> None:
        for item, reason in zip(decode_payload(payload).items, verdict.reasons, strict=True):
            self.seen.update(name_of(item, reason))
        self.missing -= set(self.seen)

    def step(self) -> None:
        """Let somebody do something, let time pass, settle a batch."""
        if self.rng.random() < 0.7:
            name, told = self.desk.act(self.venue, self.chain.now_s)
            self.do(name, *told)
        self.govern()
        self.chain.now_s += 30
        self.batch()

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()

    def govern(self) -> None:
        """Pause, resume, announce; let time pass."""
        rng, chain, venue = self.rng, self.chain, self.venue
        kind = rng.randrange(16)
        if kind == 0:
            chain.call(OWNER, "pauseRisk")
            if venue.paused_from_s == 0:
                venue.paused_from_s = chain.now_s + LIMITS.risk_pause_notice_s
        elif kind <= 6:
            chain.call(OWNER, "resumeRisk")
            venue.paused_from_s = 0
        elif kind in (7, 9, 10, 11):
            self.announce(rng.choice(list(venue.markets)))
        elif kind == 8:
            chain.now_s += rng.choice((20, 60, 200))
        chain.now_s += rng.choice((0, 1, 5, 15))

    def announce(self, market_id: int) -> None:
        listed = self.venue.markets[market_id]
        if listed.announced:
            is_due = listed.announced[1] <= self.chain.now_s + 1
            if is_due or self.rng.random() < 0.9:
                return
        terms = other_terms(self.rng, self.venue, market_id)
        from_s = self.chain.now_s + 1 + PARAMETERS_S
        if 0 < terms.expiry_time_s < from_s:
            return  # GOV-5: no market ends before its parameters hold
        self.chain.announce(terms, from_s)
        listed.announced = (terms, from_s)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchChain]:
    if find_anvil() is None:
        pytest.skip("anvil is not installed: run npm ci in settlement/contracts")
    specs = [spec_of(1, 0), spec_of(2, START_S + RUN_S)]
    with batch_chain(tmp_path_factory.mktemp("batches"), specs) as running:
        yield running


@pytest.fixture
def fresh(chain: BatchChain) -> Iterator[Callable[[str], Run]]:
    """Start runs by their seeds, each on the contract as it was deployed."""
    begun: list[str] = []

    def start(seed: str) -> Run:
        if begun:
            chain.ask("evm_revert", begun.pop())
        begun.append(chain.ask("evm_snapshot"))
        chain.now_s = START_S
        markets = {
            spec.market_id: Listing(spec, number)
            for number, spec in enumerate((spec_of(1, 0), spec_of(2, START_S + RUN_S)))
        }
        signers = frozenset(key.address for key in SOURCES)
        venue = Venue(limits=LIMITS, markets=markets, oracle_signers=signers)
        run = Run(chain, venue, random.Random(seed))
        run.start()
        run.compare()
        return run

    yield start
    if begun:
        chain.ask("evm_revert", begun.pop())


def test_contract_and_model_agree_on_random_batches(fresh: Callable[[str], Run]) -> None:
    """BATCH-1 to BATCH-6, FORCE-2 to FORCE-4, CONS-1: word for word, reason for reason."""
    seen: Counter[str] = Counter()
    rounds = max(1, BATCHES // ROUND)
    for number in range(rounds):
        seed = f"{SEED} {number}"
        run = fresh(seed)
        if number == rounds - 1:
            run.missing = WANTED - set(seen)
        try:
            run.steps(min(BATCHES, ROUND))
        except AssertionError as error:
            error.add_note(f"batch {run.venue.sequence + 1} of round {seed!r}")
            raise
        seen += run.seen
    assert {*WANTED, "void"} - set(seen) == set(), "never accepted, or never met (CONS-4)"
    print(*(f"{name}: {count}" for name, count in sorted(seen.items())), sep="\n")


def test_a_rule_that_rounds_the_other_way_is_found(
    fresh: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One unit in one fee, on one side only."""

    def down(rules: Market, lots: int, price: int, rate: int) -> int:
        return abs(lots) * price * rules.unit * rate // PPM

    monkeypatch.setattr(Market, "share", down)
    run = fresh(f"{SEED} 0")
    with pytest.raises(AssertionError, match=r"^(reasons|slot): "):
        run.steps(ROUND)


def test_a_word_that_differs_by_one_is_found(fresh: Callable[[str], Run]) -> None:
    run = fresh(f"{SEED} 0")
    run.step()
    slot, word = max(run.venue.words().items())
    run.chain.ask(
        "anvil_setStorageAt", run.chain.chain.settlement.address, f"0x{slot:064x}",
        f"0x{word + 1:064x}",
    )  # fmt: skip
    with pytest.raises(AssertionError, match=f"{word + 1:064x}"):
        run.compare()
