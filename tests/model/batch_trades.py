"""The slow, obvious twin of the contract's batch, first part: tables, prices and fills."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bulkhead_signing import (
    BulkOrder,
    Domain,
    IndexPrice,
    Order,
    SignatureError,
    bulk_root_of,
    recover,
)
from matcher.engine.reject_reason import RejectReason as Reason
from settlement.batch import payload as wire
from tests.model.margin import PPM, Bucket, Market
from tests.model.settlement import (
    ASCENDING,
    FUND,
    NONCE_DEAD,
    QUOTE_MAX,
    Account,
    Key,
    Listing,
    Venue,
    copied,
    held_quote,
)

if TYPE_CHECKING:
    pass

LOTS_MAX = 2**40
FUNDING_INDEX_MAX = 2**62
DAY_S = 86_400
PRICE_HOLD_MS = 3_600_000
OWNER = b"owner"  # who has signed: this, None, or the address of a session key


class VoidError(Exception):
    """The whole batch reverts."""


class RejectedError(Exception):
    """The item is refused."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def void_unless(condition: object) -> None:
    if not condition:
        raise VoidError


def refuse_if(condition: object, reason: Reason) -> None:
    if condition:
        raise RejectedError(reason)


def first(*reasons: Reason | None) -> None:
    """Refuse with the one of SPEC §6's order that comes first."""
    found = [reason for reason in reasons if reason]
    if found:
        raise RejectedError(min(found))


@dataclass
class Seat:
    """A position of the batch's table."""

    account: int
    address: bytes
    market_id: int
    listed: Any  # its Listing, None of an unknown market

    @property
    def unlisted(self) -> Reason | None:
        is_listed = self.listed is not None and self.listed.is_listed
        return None if is_listed else Reason.MARKET_UNKNOWN

    @property
    def over(self) -> Reason | None:
        """EXP-2: between its end and its first delivery the bankrupt ones are wound up."""
        is_over = self.listed is None or self.listed.is_delivering
        return Reason.MARKET_UNKNOWN if is_over else None


@dataclass
class Signed:
    """An order of the batch's table."""

    row: wire.OrderRow
    order: Order
    seat: Seat
    signer: bytes | None  # OWNER, a session key, or nobody
    slides: bool = False


class Trades:
    """The tables of a batch, and the items of willing parties: prices, clock, funding, fills.

    Refused items work on copies: a position changes in `accept`.
    """

    def __init__(self, venue: Venue, domain: Domain, parts: wire.Payload, now_s: int) -> None:
        self.venue, self.domain, self.parts, self.now_s = venue, domain, parts, now_s
        self.clock_s = parts.clock_time_s
        self.runs: dict[int, tuple[int, int]] = {}  # market -> last bankrupt position, rank
        self.payments: list[tuple[bytes, bytes, int]] = []
        self.outcomes: list[Reason] = []

    # Tables

    def load(self) -> None:
        venue, parts = self.venue, self.parts
        market_ids = [row.market_id for row in parts.markets]
        self.accounts = [row.address for row in parts.accounts]
        void_unless(len(set(market_ids)) == len(market_ids))
        void_unless(all(low < high for low, high in pairwise(self.accounts)))
        self.market_ids = market_ids
        self.seats: list[Seat] = []
        for row in parts.positions:
            void_unless(row.account < len(self.accounts) and row.market < len(market_ids))
            market_id = market_ids[row.market]
            address = self.accounts[row.account]
            self.seats.append(Seat(row.account, address, market_id, venue.markets.get(market_id)))
        pairs = [(row.account, row.market) for row in parts.positions]
        void_unless(all(low < high for low, high in pairwise(pairs)))
        self.roots = [self.root_signer(row) for row in parts.roots]
        self.orders = [self.signed(row) for row in parts.orders]
        self.is_paused = 0 < venue.paused_from_s <= self.clock_s

    def root_signer(self, row: wire.RootRow) -> bytes | None:
        void_unless(row.account < len(self.accounts) and 1 <= row.height <= 10)
        digest = self.domain.digest(BulkOrder(row.root, row.height))
        return self.signer(self.accounts[row.account], digest, row.signer, row.signature)

    def signed(self, row: wire.OrderRow) -> Signed:
        void_unless(row.position < len(self.seats))
        seat, flags = self.seats[row.position], row.flags
        order = Order(
            account=seat.address, market_id=seat.market_id, side=flags & 1,
            time_in_force=flags >> 1 & 3, is_post_only=bool(flags & wire.FLAG_POST_ONLY),
            is_reduce_only=bool(flags & wire.FLAG_REDUCE_ONLY), price_ticks=row.price_ticks,
            qty_lots=row.qty_lots, margin_quote=row.margin_quote, fee_ppm_max=row.fee_ppm_max,
            trigger_kind=row.trigger_kind, trigger_price_ticks=row.trigger_price_ticks,
            nonce=row.nonce, expiry_time_s=row.expiry_time_s, instructions=row.instructions,
        )  # fmt: skip
        if not flags & wire.FLAG_BULK:
            kind = flags >> wire.FLAG_SIGNER_SHIFT & 3
            signer = self.signer(seat.address, self.domain.digest(order), kind, row.signature)
            return Signed(row, order, seat, signer)
        void_unless(row.root < len(self.roots))
        root = self.parts.roots[row.root]
        siblings = [row.siblings[k : k + 32] for k in range(0, len(row.siblings), 32)]
        is_leaf = (
            root.account == seat.account
            and row.leaf_index >> root.height == 0
            and bulk_root_of(order.hash_struct(), row.leaf_index, siblings) == root.root
        )
        return Signed(row, order, seat, self.roots[row.root] if is_leaf else None)

    def signer(self, owner: bytes, digest: bytes, kind: int, signature: bytes) -> bytes | None:
        """SIG-3."""
        if kind == wire.SignerKind.WALLET:
            is_approved = owner in self.venue.wallets and signature[:1] == b"\x01"
            return OWNER if is_approved else None
        try:
            found = recover(digest, signature)
        except SignatureError:
            return None
        if kind == wire.SignerKind.OWNER:
            return OWNER if found == owner else None
        key = self.venue.keys.get((owner, found))
        is_key = kind == wire.SignerKind.SESSION_KEY and key is not None and key.markets
        return found if is_key else None

    def by_owner(self, owner: bytes, message: Any, item: Any) -> bool:
        digest = self.domain.digest(message)
        return self.signer(owner, digest, item.signer, item.signature) == OWNER

    # Prices, clock, funding

    def listing(self, index: int) -> Listing:
        void_unless(index < len(self.market_ids))
        listed = self.venue.markets.get(self.market_ids[index])
        if listed is None or listed.is_delivering:
            raise RejectedError(Reason.MARKET_UNKNOWN)
        return listed

    def price(self, item: wire.PriceItem) -> None:
        listed, limits = self.listing(item.market), self.venue.limits
        market_id, seen = self.market_ids[item.market], item.observations
        refuse_if(listed.has_ended, Reason.MARKET_STATE)
        refuse_if(not seen, Reason.SIGNATURE_INVALID)
        index = seen[(len(seen) - 1) // 2].price_ticks
        time_ms = min(one.time_ms for one in seen)
        top = listed.spec.price_ticks_max
        outside = not (1 <= index <= top and 1 <= item.mark_ticks <= top)
        refuse_if(outside, Reason.PRICE_OUT_OF_RANGE)
        ahead_ms = (self.clock_s + limits.clock_ahead_max_s) * 1000
        refuse_if(not listed.price_time_ms <= time_ms <= ahead_ms, Reason.PRICE_STALE)
        end_s = listed.spec.expiry_time_s
        if end_s and time_ms > end_s * 1000 + 300_000:  # EXP-2
            is_old = self.clock_s * 1000 > time_ms + 3_600_000
            refuse_if(self.clock_s < end_s + DAY_S or is_old, Reason.PRICE_STALE)
        if listed.announced is not None:
            spec, from_s = listed.announced
            is_past_next = bool(spec.expiry_time_s) and time_ms >= spec.expiry_time_s * 1000
            is_past_held = bool(end_s) and time_ms >= end_s * 1000
            is_early = is_past_next or (is_past_held and self.clock_s >= from_s)
            refuse_if(is_early, Reason.PRICE_STALE)
        signers = [self.observer(market_id, one) for one in seen]
        refuse_if(
            len(seen) < limits.oracle_quorum
            or len(set(signers)) != len(signers)
            or not set(signers) <= self.venue.oracle_signers,
            Reason.SIGNATURE_INVALID,
        )
        end_ms = listed.spec.expiry_time_s * 1000
        is_last = bool(end_ms) and time_ms >= end_ms
        refuse_if(is_last and item.mark_ticks != index, Reason.PRICE_BAND)
        far = not within_band(item.mark_ticks, index, listed.spec.mark_band_ppm)
        refuse_if(far, Reason.PRICE_BAND)
        prices = [one.price_ticks for one in seen]
        span = index * limits.oracle_deviation_ppm // PPM
        refuse_if(
            prices != sorted(prices)
            or any(abs(price - index) > span for price in prices)
            or any(one.time_ms > time_ms + limits.oracle_spread_max_ms for one in seen),
            Reason.PRICE_DEVIATION,
        )
        listed.index_ticks, listed.mark_ticks = index, item.mark_ticks
        listed.price_time_ms = time_ms
        self.runs.pop(market_id, None)

    def observer(self, market_id: int, seen: wire.Observation) -> bytes:
        message = IndexPrice(market_id, seen.price_ticks, seen.time_ms)
        try:
            return recover(self.domain.digest(message), seen.signature)
        except SignatureError:
            return bytes(20)

    def clock(self, item: wire.ClockItem) -> None:
        highest = self.now_s + self.venue.limits.clock_ahead_max_s
        void_unless(self.clock_s <= item.time_s <= highest)
        self.clock_s = item.time_s

    def funding(self, item: wire.FundingItem) -> None:
        listed = self.listing(item.market)
        spec = listed.spec
        refuse_if(listed.has_ended, Reason.MARKET_UNKNOWN)
        refuse_if(listed.index_ticks == 0, Reason.NO_PRICE)
        refuse_if(abs(item.funding_index_e6) > FUNDING_INDEX_MAX, Reason.AMOUNT_OUT_OF_RANGE)
        step = abs(item.funding_index_e6 - listed.funding_index_e6)
        most = spec.funding_cap_ppm * listed.index_ticks * spec.quote_per_tick_lot
        due_s = listed.funding_time_s + spec.funding_interval_s
        is_early = listed.funding_time_s and self.clock_s < due_s
        refuse_if(step > most or is_early, Reason.FUNDING_STEP)
        listed.funding_index_e6, listed.funding_time_s = item.funding_index_e6, self.clock_s

    # Fills

    def order(self, index: int) -> Signed:
        void_unless(index < len(self.orders))
        return self.orders[index]

    def seat(self, index: int) -> Seat:
        void_unless(index < len(self.seats))
        return self.seats[index]

    def fill(self, item: wire.FillItem) -> None:
        taker, maker = self.order(item.taker_order), self.order(item.maker_order)
        price = maker.order.price_ticks
        first(
            *self.pair_reasons(taker, maker, item.lots, is_auction=False),
            self.taker_reason(taker, price),
        )
        self.trade(taker, maker, item.lots, price, taker.seat.listed.spec.fee_taker_ppm)

    def fill_at(self, item: wire.FillAtItem) -> None:
        """BATCH-6."""
        taker, maker = self.order(item.taker_order), self.order(item.maker_order)
        price, is_auction = item.price_ticks, item.auction == 1
        reasons = self.pair_reasons(taker, maker, item.lots, is_auction=item.auction != 0)
        void_unless(item.auction <= 1)
        first(
            *reasons,
            *(
                self.auction_reasons(taker, maker, price)
                if is_auction
                else (self.taker_reason(taker, price), self.rest_reason(taker.seat, maker, price))
            ),
        )
        spec = taker.seat.listed.spec
        fee = spec.fee_maker_ppm if is_auction else spec.fee_taker_ppm
        self.trade(taker, maker, item.lots, price, fee)

    def pair_reasons(
        self, taker: Signed, maker: Signed, lots: int, *, is_auction: bool
    ) -> tuple[Reason | None, ...]:
        spec = taker.seat.listed.spec if taker.seat.listed else None
        fee = 0 if spec is None else spec.fee_maker_ppm if is_auction else spec.fee_taker_ppm
        mismatch = (
            taker.order.side == maker.order.side or taker.seat.market_id != maker.seat.market_id
        )
        return (
            self.order_reason(taker, lots, fee),
            *self.maker_reasons(maker, lots),
            Reason.SELF_TRADE if taker.seat.account == maker.seat.account else None,
            Reason.SIDE_MISMATCH if mismatch else None,
        )

    def order_reason(self, signed: Signed, lots: int, fee_ppm: int) -> Reason | None:
        """BATCH-5: what the order itself says."""
        order, seat = signed.order, signed.seat
        if seat.unlisted:
            return seat.unlisted
        filled = self.venue.filled_lots(seat.address, order.nonce)
        if order.nonce >= ASCENDING and (order.time_in_force == 0 or order.trigger_kind):
            filled = NONCE_DEAD  # SIG-5: it may rest or wait
        floor = self.venue.account(seat.address).nonce_floor
        held = self.venue.position(seat.market_id, seat.address).lots
        return next(
            (
                reason
                for reason, applies in (
                    (Reason.ACCOUNT_UNKNOWN, seat.address == FUND),
                    (Reason.EXPIRED, order.expiry_time_s <= self.clock_s),
                    (Reason.NONCE_USED, filled == NONCE_DEAD or order.nonce < floor),
                    (Reason.QTY_OUT_OF_RANGE, not lots or not 1 <= order.qty_lots < NONCE_DEAD),
                    (
                        Reason.PRICE_OUT_OF_RANGE,
                        not 1 <= order.price_ticks <= seat.listed.spec.price_ticks_max,
                    ),
                    (Reason.FEE_ABOVE_LIMIT, fee_ppm > order.fee_ppm_max),
                    (Reason.OVERFILL, filled + lots > order.qty_lots),
                    (Reason.REDUCE_ONLY, order.is_reduce_only and not reduces(held, order, lots)),
                )
                if applies
            ),
            None,
        )

    def maker_reasons(self, maker: Signed, lots: int) -> tuple[Reason | None, ...]:
        fee = maker.seat.listed.spec.fee_maker_ppm if maker.seat.listed else 0
        is_resting = maker.order.time_in_force == 0
        return (
            self.order_reason(maker, lots, fee),
            None if is_resting else Reason.TIME_IN_FORCE,
        )

    def taker_reason(self, taker: Signed, price: int) -> Reason | None:
        order = taker.order
        if not admits(order, price):
            return Reason.PRICE_NOT_CROSSED
        if order.time_in_force > 2:
            return Reason.TIME_IN_FORCE
        if order.is_post_only:
            return Reason.POST_ONLY_WOULD_TAKE
        if order.time_in_force and order.trigger_kind:
            mark = taker.seat.listed.mark_ticks if taker.seat.listed else 0
            reached = {
                1: mark >= order.trigger_price_ticks,
                2: mark <= order.trigger_price_ticks,
            }.get(order.trigger_kind, True)
            if not mark or not reached:
                return Reason.TRIGGER_NOT_MET
        return None

    def rest_reason(self, seat: Seat, maker: Signed, price: int) -> Reason | None:
        """BATCH-6: an order rests at its price, or post-only at another that its limit admits."""
        if price == maker.order.price_ticks:
            return None
        top = seat.listed.spec.price_ticks_max if seat.listed else 0
        if not 1 <= price <= top:
            return Reason.PRICE_OUT_OF_RANGE
        is_slid = maker.order.is_post_only and admits(maker.order, price)
        return None if is_slid else Reason.PRICE_NOT_CROSSED

    def auction_reasons(self, buy: Signed, sell: Signed, price: int) -> tuple[Reason | None, ...]:
        listed = buy.seat.listed
        mark = listed.mark_ticks if listed else 0
        band = listed.spec.mark_band_ppm if listed else 0
        if buy.order.side:
            asked: Reason | None = Reason.SIDE_MISMATCH
        elif not admits(buy.order, price) or not admits(sell.order, price):
            asked = Reason.PRICE_NOT_CROSSED
        else:
            asked = Reason.TIME_IN_FORCE if buy.order.time_in_force else None
        if not mark:
            return (asked, Reason.NO_PRICE)
        return (asked, None if within_band(price, mark, band) else Reason.PRICE_BAND)

    def trade(self, taker: Signed, maker: Signed, lots: int, price: int, fee_ppm: int) -> None:
        listed = taker.seat.listed
        self.expect_price(listed)
        takes = self.drafted(taker, lots, price, fee_ppm)
        makes = self.drafted(maker, lots, price, listed.spec.fee_maker_ppm)
        keys = [self.signer_judged(signed, lots, price) for signed in (taker, maker)]
        self.expect_fit((taker.seat, takes), (maker.seat, makes))
        self.expect_paid(listed, takes, makes)
        for signed, after, key in zip((taker, maker), (takes, makes), keys, strict=True):
            self.accept_order(signed, after, lots, key)

    def expect_price(self, listed: Listing) -> None:
        """MARK-4."""
        refuse_if(listed.mark_ticks == 0, Reason.NO_PRICE)
        age_ms = self.clock_s * 1000 - listed.price_time_ms
        refuse_if(age_ms > PRICE_HOLD_MS, Reason.PRICE_STALE)

    def drafted(self, signed: Signed, lots: int, price: int, fee_ppm: int) -> Bucket:
        order, seat = signed.order, signed.seat
        p = self.venue.position(seat.market_id, seat.address)
        refuse_if(self.is_paused and not reduces(p.lots, order, lots), Reason.RISK_PAUSED)
        rules: Market = seat.listed.rules()
        return rules.fill(
            copied(p), 1 if order.side == 0 else -1, lots, price, fee_ppm,
            margin=order.margin_quote, order_lots=order.qty_lots,
            filled=self.venue.filled_lots(seat.address, order.nonce),
            free=self.venue.account(seat.address).free_quote,
        )  # fmt: skip

    def signer_judged(self, signed: Signed, lots: int, price: int) -> tuple[Key, int] | None:
        """KEY-1: return the key, and what it has used of the day afterwards."""
        if signed.signer == OWNER:
            return None
        if signed.signer is None:
            raise RejectedError(Reason.SIGNATURE_INVALID)
        order, seat = signed.order, signed.seat
        key = self.venue.keys[seat.address, signed.signer]
        is_dead = not key.markets or key.expiry_time_s <= self.clock_s
        refuse_if(is_dead, Reason.SIGNATURE_INVALID)
        listed = seat.listed
        per_lot = max(price, listed.mark_ticks) * listed.spec.quote_per_tick_lot
        held = self.venue.position(seat.market_id, seat.address).lots
        opens = not reduces(held, order, lots)
        too_much = order.qty_lots * per_lot > key.leverage_max * order.margin_quote
        today = self.clock_s // DAY_S & 0xFFFF
        used = lots * per_lot + (key.used_quote if key.day == today else 0)
        refuse_if(
            not admits_market(key, listed.number)
            or (opens and too_much)
            or used > key.day_max_quote,
            Reason.SESSION_KEY_SCOPE,
        )
        return key, used

    # Taking over

    def expect_fit(
        self, *changed: tuple[Seat, Bucket], reason: Reason = Reason.AMOUNT_OUT_OF_RANGE
    ) -> None:
        """SPEC §1."""
        for seat, p in changed:
            free = self.venue.account(seat.address).free_quote + p.free
            fits = (
                abs(p.margin) <= QUOTE_MAX
                and p.value <= QUOTE_MAX
                and abs(p.lots) <= LOTS_MAX
                and free <= QUOTE_MAX
                and abs(p.funding) <= QUOTE_MAX
                and abs(p.index) <= FUNDING_INDEX_MAX
            )
            refuse_if(not fits, reason)

    def expect_paid(self, listed: Listing, *sides: Bucket) -> None:
        """CONS-4."""
        out = sum(p.free + p.fee for p in sides)
        refuse_if(out > listed.pot_quote, Reason.MARKET_CANNOT_PAY)

    def accept(self, seat: Seat, after: Bucket) -> None:
        venue = self.venue
        before = venue.position(seat.market_id, seat.address)
        seat.listed.positions_quote += held_quote(after) - held_quote(before)
        seat.listed.pool_quote += after.funding
        venue.fees_quote += after.fee
        venue.positions[seat.market_id, seat.address] = copied(after)
        if after.free:
            self.add_free(venue.account(seat.address), after.free)

    def accept_order(
        self, signed: Signed, after: Bucket, lots: int, used: tuple[Key, int] | None
    ) -> None:
        address, nonce = signed.seat.address, signed.order.nonce
        self.venue.set_filled(address, nonce, self.venue.filled_lots(address, nonce) + lots)
        if used is not None:
            key = used[0]
            key.used_quote = used[1]
            key.day = self.clock_s // DAY_S & 0xFFFF
        self.accept(signed.seat, after)

    def add_free(self, account: Account, amount: int) -> None:
        account.free_quote += amount
        self.venue.free_quote += amount


def admits(order: Order, price: int) -> bool:
    """Return whether the limit of an order admits a price."""
    return price <= order.price_ticks if order.side == 0 else price >= order.price_ticks


def admits_market(key: Key, number: int) -> bool:
    return number < 64 and bool(key.markets >> number & 1)


def reduces(held: int, order: Order, lots: int) -> bool:
    """Return whether a fill closes lots of the position and opens none."""
    return lots <= (-held if order.side == 0 else held)


def within_band(price: int, reference: int, band_ppm: int) -> bool:
    return abs(price - reference) <= max(1, reference * band_ppm // PPM)
