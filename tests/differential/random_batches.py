"""Random batches of every kind of item, most of them plausible, some refused, some void.

The desk looks into the model's state to find who can be liquidated, deleveraged or served; what it
makes of it is judged by model and contract alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bulkhead_signing import (
    Domain,
    SigningKey,
)
from settlement.batch import payload as wire
from settlement.batch.codec import encode_payload
from tests.differential.batch_chain import OWNER
from tests.model.settlement import ASCENDING, FUND, Request, Venue

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from settlement.batch.payload import Payload

from tests.differential.draft_batch import NEVER_S, NOBODY, Drafted, Written

BACKER = bytes.fromhex(OWNER[2:])


class Desk:
    """Makes batches, and what owners do between them."""

    def __init__(self, rng: Random, domain: Domain, sources: tuple[SigningKey, ...]) -> None:
        self.rng, self.domain, self.sources = rng, domain, sources
        self.traders = tuple(SigningKey(bytes((0x20 + k,)) * 32) for k in range(6))
        self.session_keys = tuple(SigningKey(bytes((0x60 + k,)) * 32) for k in range(2))
        self.wallets = tuple(bytes((0x77,)) * 19 + bytes((k,)) for k in range(2))
        self.owners = (*(key.address for key in self.traders), *self.wallets)
        self.book: dict[tuple[bytes, int], list[Written]] = {}
        self.nonce = 100
        self.standing: list[tuple[bytes, int, int, int, bytes]] = []  # auto-top-ups

    # Signing

    def sign(self, owner: bytes, message: Any) -> tuple[int, bytes]:
        """Return who has signed and the signature: mostly the owner."""
        if self.rng.random() < 0.03:
            return 0, NOBODY.sign(self.domain.digest(message))
        if owner in self.wallets:
            good = self.rng.random() < 0.95
            return 2, bytes((int(good),)) + self.rng.randbytes(self.rng.randrange(70))
        return 0, self.key_of(owner).sign(self.domain.digest(message))

    def key_of(self, owner: bytes) -> SigningKey:
        return next((key for key in self.traders if key.address == owner), NOBODY)

    def any_nonce(self) -> int:
        """Return one that somebody may have used."""
        return self.nonce - self.rng.randrange(60) + self.rng.choice((0, 0, ASCENDING))

    def next_nonce(self) -> int:
        self.nonce += self.rng.choice((1, 1, 1, 9))
        return self.nonce

    def order_nonce(self, told: dict[str, Any]) -> int:
        """SIG-5: often an ascending one where it is allowed, seldom where it is not."""
        nonce, rests = self.next_nonce(), not told.get("time_in_force")
        if self.rng.random() < (0.01 if rests or told.get("trigger_kind") else 0.5):
            return ASCENDING + nonce - self.rng.choice((0, 0, 0, 0, 0, 1, 20))
        return nonce

    def expiry(self, clock_s: int) -> int:
        near = (clock_s + 40, clock_s + 1, clock_s)
        return self.rng.choice(near) if self.rng.random() < 0.06 else NEVER_S

    # What is in a batch

    def batch(self, venue: Venue, now_s: int, wanted: set[str]) -> bytes:
        """Return the bytes of a batch for the next block, with a kind that is wanted if it can."""
        rng = self.rng
        lowest = max(venue.clock_time_s, now_s - venue.limits.clock_lag_max_s)
        clock_s = max(lowest, now_s - rng.choice((0, 0, 0, 5, 60)))
        draft = Drafted(self, venue, clock_s, now_s)
        makers: tuple[tuple[int, Callable[[], None]], ...] = (
            (30, draft.fill), (6, draft.fill_at), (8, draft.auction), (20, draft.liquidation),
            (10, draft.takeover), (16, draft.adl), (12, draft.fund_fill), (4, draft.funding),
            (8, draft.collateral), (5, draft.withdrawal), (4, draft.session_key),
            (6, draft.parameters), (7, draft.auto_top_up), (7, draft.deliver), (14, draft.forced),
            (7, draft.price), (2, draft.clock), (3, draft.gap),
        )  # fmt: skip
        for market_id, listed in venue.markets.items():
            if rng.random() < (0.85 if listed.is_listed else 0.05):
                draft.price(market_id)
        for _ in range(rng.randint(1, 14)):
            rng.choices(*zip(*((make, weight) for weight, make in makers), strict=True))[0]()
        if wanted:
            draft.insist(wanted)
        return self.spoiled(draft.payload())

    def spoiled(self, parts: Payload) -> bytes:
        """Return the payload's bytes, one time in seven not as they should be."""
        rng = self.rng
        kind = rng.randrange(42)
        if kind == 0 and parts.accounts:
            parts = replace_at(parts, "accounts", rng.choice(parts.accounts))
        elif kind == 1 and parts.positions:
            parts = replace_at(parts, "positions", rng.choice(parts.positions))
        elif kind == 2:
            parts = parts_with(parts, sequence=parts.sequence + rng.choice((-1, 1)))
        data = encode_payload(parts)
        if kind == 3:
            data = data[: rng.randrange(len(data))]
        elif kind == 4:
            data += rng.randbytes(rng.randint(1, 9))
        elif kind == 5:
            place = rng.randrange(len(data))
            data = data[:place] + rng.randbytes(1) + data[place + 1 :]
        return data

    # What owners do beside the batches

    def act(self, venue: Venue, now_s: int) -> tuple[str, tuple[Any, ...]]:
        """Return what one owner does next, as the name of a chain's function and arguments."""
        rng, owner = self.rng, self.rng.choice(self.owners)
        market_id = rng.choice(list(venue.markets))
        held = [place for place, p in venue.positions.items() if p.lots and place[1] != FUND]
        kind = rng.randrange(12)
        if kind >= 9:
            return self.backing(venue, market_id, now_s)
        if kind == 0:
            return self.deposit(venue, owner, rng.randint(1, 20_000_000))
        if kind == 1 and self.may_ask(venue):
            amount = rng.choice((1, 20_000, 300_000))
            return "GIVE", (Request("GIVE", BACKER, now_s, amount, market_id),)
        if kind == 2:
            top = self.nonce - rng.randint(0, 200)
            floor = max(top, venue.account(owner).nonce_floor + 1)
            return "CANCEL_ALL", (Request("CANCEL_ALL", owner, now_s, floor),)
        if kind == 3:
            further = rng.choice((0, 0, 1, 5, 7)).to_bytes(20, "big")
            return "CANCEL", (Request("CANCEL", owner, now_s, self.any_nonce(), to=further),)
        if kind == 4:
            to = rng.choice((owner, bytes((9,)) * 20))
            return "WITHDRAW", (Request("WITHDRAW", owner, now_s, rng.randint(1, 2**22), 0, to),)
        if kind in (5, 6) and held and self.may_ask(venue):
            market_id, owner = rng.choice(held)
            amount = rng.choice((1, 20_000, 400_000))
            return "TOP_UP", (Request("TOP_UP", owner, now_s, amount, market_id),)
        if kind == 7 and held:
            market_id, owner = rng.choice(held)
            lots = rng.choice((1, 5, 10**6))
            return "REDUCE", (Request("REDUCE", owner, now_s, lots, market_id),)
        return self.granting(owner, now_s)

    def granting(self, owner: bytes, now_s: int) -> tuple[str, tuple[Any, ...]]:
        rng = self.rng
        key = rng.choice(self.session_keys).address
        scope = (rng.choice((0, 1, 2, 3)), rng.choice((0, 5, 20)), 2**40, now_s + 500)
        return "key", (owner, key, scope)

    def backing(self, venue: Venue, market_id: int, now_s: int) -> tuple[str, tuple[Any, ...]]:
        """Let the backer add to a fund, or leave with some shares (BACK-2, BACK-4)."""
        rng = self.rng
        amount = rng.choice((1, 1_000, 70_000, 2_000_000))
        if not self.may_ask(venue):
            return self.deposit(venue, rng.choice(self.owners), amount)
        backer = venue.backers.get((market_id, BACKER))
        free = backer.shares - backer.locked_shares if backer else 0
        if free and rng.random() < 0.7:
            shares = rng.choice((1, free, 1 + free // 3))
            return "UNBACK", (Request("UNBACK", BACKER, now_s, shares, market_id),)
        return "BACK", (Request("BACK", BACKER, now_s, amount, market_id),)

    def may_ask(self, venue: Venue) -> bool:
        """FORCE-1: of the one who pays for all, fewer than 32 requests wait."""
        return len(venue.waiting_requests(BACKER)) < 32

    def deposit(self, venue: Venue, owner: bytes, amount: int) -> tuple[str, tuple[Any, ...]]:
        """FORCE-5: no deposit while a forced withdrawal waits."""
        kinds = [asked.kind for asked in venue.waiting_requests(owner)]
        return "deposit", (BACKER if "WITHDRAW" in kinds else owner, amount)


def parts_with(parts: Payload, **changed: Any) -> Payload:
    fields = {name: getattr(parts, name) for name in parts.__struct_fields__}
    return wire.Payload(**{**fields, **changed})


def replace_at(parts: Payload, name: str, row: Any) -> Payload:
    """Return the parts with a row that stands in its table twice."""
    return parts_with(parts, **{name: (*getattr(parts, name), row)})


def other_terms(rng: Random, venue: Venue, market_id: int) -> Any:
    """Return a market's parameters, some of them changed (PAR-1)."""
    spec = venue.markets[market_id].spec
    fee_ppm = rng.choice((0, 5_000, 9_000, 10_000))
    return replace(
        spec,
        fee_liquidation_ppm=min(spec.fee_liquidation_ppm, fee_ppm),
        mark_band_ppm=rng.choice((10_000, 50_000)),
        position_lots_max=rng.choice((300, 2_000)),
        tiers=spec.tiers[: rng.choice((1, 2))] or spec.tiers,
    )
