"""The settlement contract's state as plain Python, and what its owners do beside the batches.

Each storage word of SPEC §7 and of the contracts' README is made of named numbers by one function,
so that a test compares words, not views.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from bulkhead_signing import keccak
from tests.model.margin import Bucket, Market

if TYPE_CHECKING:
    from margin_core import MarketSpec

FUND = (1).to_bytes(20, "big")
KINDS = ("", "CANCEL_ALL", "REDUCE", "WITHDRAW", "TOP_UP", "UNBACK", "CANCEL", "GIVE", "BACK")
BRINGING = frozenset({"TOP_UP", "GIVE", "BACK"})  # FORCE-5
NONCE_DEAD = 2**32 - 1
ASCENDING = 2**63  # SIG-5: nonces from here on
QUOTE_MAX = 2**60
PPM = 1_000_000


def mapped(key: int | bytes, slot: int) -> int:
    """Return the slot of a mapping's value."""
    word = key.to_bytes(32, "big") if isinstance(key, int) else key.rjust(32, b"\0")
    return int.from_bytes(keccak(word + slot.to_bytes(32, "big")), "big")


def packed(*fields: tuple[int, int]) -> int:
    """Return a word of (value, bits), the first at the lowest bit."""
    word = shift = 0
    for value, bits in fields:
        word |= (value & (1 << bits) - 1) << shift
        shift += bits
    assert shift <= 256
    return word


@dataclass
class Listing:
    """A market: its parameters, its state, its totals."""

    spec: MarketSpec
    number: int
    index_ticks: int = 0
    mark_ticks: int = 0
    price_time_ms: int = 0
    funding_index_e6: int = 0
    funding_time_s: int = 0
    delivery_ticks: int = 0
    pool_quote: int = 0
    positions_quote: int = 0
    announced: tuple[MarketSpec, int] | None = None  # and from when it holds

    @property
    def is_listed(self) -> bool:
        """EXP-2: it trades."""
        return not self.has_ended

    @property
    def is_delivering(self) -> bool:
        """EXP-2: from the first `SETTLE_MARKET` on."""
        return self.delivery_ticks != 0

    @property
    def has_ended(self) -> bool:
        """EXP-2: the row of its end is there."""
        end_ms = self.spec.expiry_time_s * 1000
        return bool(self.delivery_ticks or (end_ms and self.price_time_ms >= end_ms))

    @property
    def pot_quote(self) -> int:
        """CONS-4: what the market holds."""
        return self.positions_quote + self.pool_quote

    def rules(self) -> Market:
        """Return the margin rules at the present mark and funding index."""
        return Market(self.spec, self.funding_index_e6, self.mark_ticks or 1)

    def judging(self, p: Bucket) -> Market:
        """Return the rules at the price at which a position is liquidated (MARG-4)."""
        return self.rules().judging(p, self.index_ticks or 1)

    def liquidates(self, p: Bucket) -> bool:
        """MARG-4; EXP-2: once it has ended only what is bankrupt."""
        rules = self.judging(p)
        return rules.liquidatable(p) and not (self.has_ended and rules.equity(p) >= 0)


@dataclass
class Account:
    free_quote: int = 0
    nonce_floor: int = 0
    latest_nonce: int = ASCENDING  # highest ascending one that was used
    latest_lots: int = 0


REVOKED_WORD = 1 << 192


@dataclass
class Key:
    """A session key: its scope and what it has traded on which day (KEY-1)."""

    markets: int
    leverage_max: int
    day_max_quote: int
    expiry_time_s: int
    used_quote: int = 0
    day: int = 0

    def word(self) -> int:
        if not self.markets:
            return REVOKED_WORD
        return packed(
            (self.markets, 64), (self.day_max_quote, 64), (self.used_quote, 64),
            (self.expiry_time_s, 40), (self.day, 16), (self.leverage_max, 8),
        )  # fmt: skip


class Request(NamedTuple):
    """A forced request (FORCE-1)."""

    kind: str  # of KINDS
    account: bytes
    time_s: int
    amount: int
    market_id: int = 0
    to: bytes = bytes(20)  # of a TOP_UP: who pays


@dataclass
class Backer:
    """What a backer of a fund holds (BACK-1)."""

    shares: int = 0
    locked_shares: int = 0
    due_time_s: int = 0


class Waiting(NamedTuple):
    """A withdrawal that waits (MONEY-3)."""

    account: bytes
    due_time_s: int
    to: bytes
    amount_quote: int


class Limits(NamedTuple):
    """What the deployment has chosen."""

    clock_ahead_max_s: int
    clock_lag_max_s: int
    withdrawal_s: int
    large_withdrawal_quote: int
    outflow_limit_ppm: int
    outflow_window_s: int
    top_up_grace_s: int
    risk_pause_notice_s: int
    oracle_quorum: int
    oracle_deviation_ppm: int
    oracle_spread_max_ms: int


@dataclass
class Venue:
    """Everything that a batch reads or writes."""

    limits: Limits
    markets: dict[int, Listing]
    oracle_signers: frozenset[bytes]
    wallets: frozenset[bytes] = frozenset()  # approve what begins with a one
    accounts: dict[bytes, Account] = field(default_factory=dict)
    positions: dict[tuple[int, bytes], Bucket] = field(default_factory=dict)
    filled: dict[tuple[bytes, int], int] = field(default_factory=dict)
    keys: dict[tuple[bytes, bytes], Key] = field(default_factory=dict)
    drawn_quote: dict[tuple[bytes, int], int] = field(default_factory=dict)
    requests: dict[int, Request] = field(default_factory=dict)
    top_ups: dict[tuple[int, bytes], list[int]] = field(default_factory=dict)  # waiting ids
    top_up_time_s: dict[tuple[int, bytes], int] = field(default_factory=dict)
    aside: set[int] = field(default_factory=set)  # requests that wait for a price, or money
    waiting: list[Waiting] = field(default_factory=list)
    backers: dict[tuple[int, bytes], Backer] = field(default_factory=dict)
    fund_shares: dict[int, int] = field(default_factory=dict)
    served: int = 0
    sequence: int = 0
    clock_time_s: int = 0
    digest: bytes = bytes(32)
    free_quote: int = 0
    fees_quote: int = 0
    custody_quote: int = 0
    waiting_quote: int = 0
    held_quote: int = 0  # what requests that wait have brought
    outflow_quote: int = 0
    outflow_time_s: int = 0
    paused_from_s: int = 0
    deposits: int = 0

    def account(self, address: bytes) -> Account:
        return self.accounts.setdefault(address, Account())

    def filled_lots(self, address: bytes, nonce: int) -> int:
        """SIG-1, SIG-5."""
        latest = self.account(address).latest_nonce
        if nonce < ASCENDING:
            return self.filled.get((address, nonce), 0)
        if nonce == latest:
            return self.account(address).latest_lots
        return NONCE_DEAD if nonce < latest else 0

    def set_filled(self, address: bytes, nonce: int, lots: int) -> None:
        account = self.account(address)
        if nonce < ASCENDING:
            self.filled[address, nonce] = lots
        else:
            account.latest_nonce, account.latest_lots = nonce, lots

    def position(self, market_id: int, address: bytes) -> Bucket:
        return self.positions.setdefault((market_id, address), Bucket(0, 0, 0))

    # What owners do beside the batches

    def deposit(self, address: bytes, amount: int) -> None:
        self.account(address).free_quote += amount
        self.free_quote += amount
        self.custody_quote += amount
        self.deposits += 1

    def request(self, asked: Request) -> int:
        self.requests[len(self.requests) + 1] = asked
        if asked.kind == "UNBACK":  # BACK-4, without a lock
            self.backers[asked.market_id, asked.account].locked_shares += asked.amount
        if asked.kind in BRINGING:
            self.custody_quote += asked.amount
            self.held_quote += asked.amount
        if asked.kind == "TOP_UP":
            place = (asked.market_id, asked.account)
            if not self.top_ups.get(place):
                self.top_up_time_s[place] = asked.time_s
            self.top_ups.setdefault(place, []).append(len(self.requests))
        return len(self.requests)

    def waiting_requests(self, caller: bytes) -> list[Request]:
        """Return what a caller has asked for that is not served."""
        waiting = (
            asked for number, asked in self.requests.items()
            if number > self.served or number in self.aside
        )  # fmt: skip
        return [
            asked for asked in waiting
            if caller == (asked.to if asked.kind == "TOP_UP" else asked.account)
        ]  # fmt: skip

    def is_frozen(self, market_id: int, address: bytes, clock_s: int) -> bool:
        """FORCE-4."""
        place = (market_id, address)
        if not self.top_ups.get(place):
            return False
        return clock_s > self.top_up_time_s[place] + self.limits.top_up_grace_s

    # Money that leaves: MONEY-3, MONEY-4

    def outflow(self, now_s: int) -> tuple[int, int]:
        """Return what is in the bucket, and the room in it."""
        limits = self.limits
        holds = self.custody_quote * limits.outflow_limit_ppm // (2 * PPM)
        leaked = holds * (now_s - self.outflow_time_s) // limits.outflow_window_s
        level = max(0, self.outflow_quote - leaked)
        return level, max(0, holds - level)

    def pay(self, address: bytes, to: bytes, amount: int, now_s: int, *, later: bool) -> int:
        """Return what has left the custody."""
        level, room = self.outflow(now_s)
        if amount > self.limits.large_withdrawal_quote or amount > room:
            self._wait(address, to, amount, now_s + self.limits.withdrawal_s)
            return 0
        if not later and to == bytes(20):  # the token refuses it
            self.account(address).free_quote += amount
            self.free_quote += amount
            return 0
        self.outflow_quote, self.outflow_time_s = level + amount, now_s
        if later:
            self._wait(address, to, amount, now_s)
            return 0
        return amount

    def _wait(self, address: bytes, to: bytes, amount: int, due_s: int) -> None:
        self.waiting.append(Waiting(address, due_s, to, amount))
        self.waiting_quote += amount

    # Conservation

    def gap_quote(self) -> int:
        """CONS-1: custody less all that is owed."""
        owed = sum(account.free_quote for account in self.accounts.values())
        owed += self.fees_quote + self.waiting_quote + self.held_quote
        owed += sum(max(0, listed.pot_quote) for listed in self.markets.values())
        return self.custody_quote - owed

    # Storage words

    def words(self) -> dict[int, int]:
        """Return slot -> word of all that this state knows."""
        found = {
            0: packed((self.sequence, 64), (self.deposits, 64), (self.clock_time_s, 40),
                      (1, 32), (1, 8)),
            1: int.from_bytes(self.digest, "big"),
            2: packed((self.custody_quote, 80), (self.free_quote, 80), (self.fees_quote, 80)),
            15: packed((self.waiting_quote, 80), (self.outflow_quote, 80),
                       (self.outflow_time_s, 40), (len(self.waiting), 56)),
            26: packed((self.served, 64), (len(self.requests), 64), (self.held_quote, 80)),
        }  # fmt: skip
        for address, account in self.accounts.items():
            latest = account.latest_nonce - ASCENDING
            word = packed((account.free_quote, 96), (account.nonce_floor, 64),
                          (account.latest_lots, 32), (latest, 64))  # fmt: skip
            found[mapped(address, 3)] = word
        for (market_id, address), p in self.positions.items():
            word = packed((p.lots, 64), (p.value, 64), (p.margin, 64), (p.index, 64))
            found[mapped(address, mapped(market_id, 4))] = word
        for address, nonce in self.filled:
            slot = mapped(nonce >> 3, mapped(address, 5))
            first = nonce & ~7
            lanes = [(self.filled.get((address, first + lane), 0), 32) for lane in range(8)]
            found[slot] = packed(*lanes)
        for market_id, listed in self.markets.items():
            held = sum(
                p.lots != 0 for (market, _), p in self.positions.items() if market == market_id
            )
            found |= market_words(mapped(market_id, 6), listed, held)
        for (address, signer), key in self.keys.items():
            found[mapped(signer, mapped(address, 22))] = key.word()
        for (address, nonce), quote in self.drawn_quote.items():
            found[mapped(nonce, mapped(address, 23))] = quote
        aside = [0, *sorted(self.aside), 0]
        found[36] = packed((aside[1], 64), (aside[-2], 64), (len(self.aside), 64))
        for older, number, newer in zip(aside, aside[1:-1], aside[2:], strict=False):
            found[mapped(number, 37)] = packed((older, 64), (newer, 64))
        for number, asked in self.requests.items():
            found |= self.request_words(number, asked)
            caller = asked.to if asked.kind == "TOP_UP" else asked.account
            asks = [one.kind for one in self.waiting_requests(caller)]
            word = packed((len(asks), 128), (asks.count("WITHDRAW"), 128))
            found[mapped(caller, 35)] = word
        for market_id, shares in self.fund_shares.items():
            found[mapped(market_id, 32)] = shares
        for (market_id, address), backer in self.backers.items():
            slot = mapped(address, mapped(market_id, 33))
            found[slot] = packed((backer.shares, 128), (0, 128))
            found[slot + 1] = packed((backer.locked_shares, 128), (backer.due_time_s, 40))
        for number, w in enumerate(self.waiting, 1):
            slot = mapped(number, 21)
            found[slot] = packed((int.from_bytes(w.account, "big"), 160), (w.due_time_s, 40))
            found[slot + 1] = packed((int.from_bytes(w.to, "big"), 160), (w.amount_quote, 64))
        return found

    def request_words(self, number: int, asked: Request) -> dict[int, int]:
        """Return both words of a request; what is served is deleted."""
        slot, is_aside = mapped(number, 27), number in self.aside
        if number <= self.served and not is_aside:
            return {slot: 0, slot + 1: 0}
        first = packed(
            (int.from_bytes(asked.account, "big"), 160), (asked.time_s, 40),
            (KINDS.index(asked.kind), 8), (asked.market_id, 32), (is_aside, 8),
        )  # fmt: skip
        return {
            slot: first,
            slot + 1: packed((int.from_bytes(asked.to, "big"), 160), (asked.amount, 64)),
        }


def market_words(slot: int, listed: Listing, open_positions: int) -> dict[int, int]:
    """Return the words of a market: parameters (2), state, totals, number of tiers, tiers."""
    spec = listed.spec
    amounts = Market(spec).tiers
    found = {
        slot: packed(
            (spec.quote_per_tick_lot, 64), (spec.price_ticks_max, 32),
            (spec.position_lots_max, 48), (spec.fee_maker_ppm, 24), (spec.fee_taker_ppm, 24),
            (spec.fee_liquidation_ppm, 24), (spec.liquidation_buffer_ppm, 24),
        ),
        slot + 1: packed(
            (spec.mark_band_ppm, 24), (spec.funding_cap_ppm, 24), (spec.funding_interval_s, 32),
            (spec.index_age_max_ms, 32), (spec.expiry_time_s, 40),
        ),
        slot + 2: packed(
            (listed.index_ticks, 32), (listed.mark_ticks, 32), (listed.price_time_ms, 48),
            (listed.funding_index_e6, 64), (listed.funding_time_s, 40), (listed.number, 8),
            (listed.delivery_ticks, 32),
        ),
        slot + 3: packed(
            (listed.pool_quote, 88), (listed.positions_quote, 88), (0, 48),
            (open_positions, 32),
        ),
        slot + 4: len(spec.tiers),
    }  # fmt: skip
    first = int.from_bytes(keccak((slot + 4).to_bytes(32, "big")), "big")
    for number, (tier, (initial, maintenance)) in enumerate(zip(spec.tiers, amounts, strict=True)):
        found[first + number] = packed(
            (tier.notional_floor_quote, 64), (tier.margin_initial_ppm, 24),
            (tier.margin_maintenance_ppm, 24), (initial, 64), (maintenance, 64),
        )  # fmt: skip
    return found


def held_quote(p: Bucket) -> int:
    """Return what a position holds of the custody (CONS-1)."""
    return p.margin - p.value if p.lots > 0 else p.margin + p.value


def copied(p: Bucket) -> Bucket:
    """Return the position without what an earlier change moved."""
    return replace(p, free=0, fee=0, funding=0, pnl=0, released=0)
