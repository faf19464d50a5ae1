"""The slow, obvious twin of the contract's batch: SPEC §5 item by item, on the slow model."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from bulkhead_signing import (
    AutoTopUp,
    Batch,
    CollateralMove,
    Domain,
    SessionKey,
    Withdrawal,
    keccak,
)
from matcher.engine.reject_reason import RejectReason as Reason
from settlement.batch import payload as wire
from settlement.batch.codec import PayloadError, decode_payload
from tests.model.batch_trades import (
    OWNER,
    RejectedError,
    Seat,
    Signed,
    Trades,
    VoidError,
    admits_market,
    first,
    refuse_if,
    void_unless,
)
from tests.model.margin import Bucket, Market, RefusedError
from tests.model.settlement import (
    ASCENDING,
    BRINGING,
    FUND,
    NONCE_DEAD,
    QUOTE_MAX,
    Account,
    Backer,
    Key,
    Listing,
    Venue,
    copied,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Verdict:
    """What a batch did."""

    reasons: bytes
    outcomes: list[Reason] = field(default_factory=list)  # of served requests (FORCE-2)


def settle(venue: Venue, domain: Domain, payload: bytes, now_s: int) -> tuple[Venue, Verdict]:
    """Return the state after a batch. Raises `VoidError` when the batch reverts as a whole."""
    try:
        parts = decode_payload(payload)
    except PayloadError as error:
        raise VoidError(str(error)) from error
    judge = BatchJudge(deepcopy(venue), domain, parts, now_s)
    return judge.run(payload)


class BatchJudge(Trades):
    """One batch at work."""

    # The whole batch

    def run(self, payload: bytes) -> tuple[Venue, Verdict]:
        venue, parts = self.venue, self.parts
        limits = venue.limits
        self.load()
        self.unpriced = {m for m, listed in venue.markets.items() if not listed.index_ticks}
        void_unless(parts.sequence == venue.sequence + 1 and parts.epoch == 1)
        lowest = max(venue.clock_time_s, self.now_s - limits.clock_lag_max_s)
        void_unless(lowest <= parts.clock_time_s <= self.now_s + limits.clock_ahead_max_s)
        reasons = bytes(self.judge(item) for item in parts.items)
        venue.custody_quote -= sum(
            venue.pay(*payment, self.now_s, later=False) for payment in self.payments
        )
        batch = Batch(parts.sequence, 1, venue.digest, keccak(payload))
        venue.sequence, venue.digest = parts.sequence, self.domain.digest(batch)
        venue.clock_time_s = self.clock_s
        return venue, Verdict(reasons, self.outcomes)

    def judge(self, item: wire.Item) -> int:
        name = type(item).__name__.removesuffix("Item")
        judges: dict[str, Callable[[Any], None]] = {
            "Price": self.price, "Clock": self.clock, "Fill": self.fill,
            "FillAt": self.fill_at, "LiquidationFill": self.liquidation_fill,
            "LiquidationFillAt": self.liquidation_fill, "Takeover": self.takeover,
            "Adl": self.adl, "FundFill": self.fund_fill, "FundFillAt": self.fund_fill,
            "Funding": self.funding, "Collateral": self.collateral,
            "Withdrawal": self.withdrawal, "SessionKey": self.session_key,
            "Parameters": self.parameters, "AutoTopUp": self.auto_top_up,
            "SettleMarket": self.settle_market, "Forced": self.forced,
        }  # fmt: skip
        try:
            judges[name](item)
        except RejectedError as refused:
            return refused.reason
        except RefusedError as refused:
            return Reason[str(refused)]
        return 0

    # Liquidation

    def victim_reason(self, seat: Seat) -> Reason | None:
        if seat.over:
            return seat.over
        if seat.address == FUND:
            return Reason.ACCOUNT_UNKNOWN
        frozen = self.venue.is_frozen(seat.market_id, seat.address, self.clock_s)
        return Reason.FROZEN if frozen else None

    def price_reason(self, listed: Listing) -> Reason | None:
        if not listed.mark_ticks:
            return Reason.NO_PRICE
        age_ms = self.clock_s * 1000 - listed.price_time_ms
        return Reason.PRICE_STALE if age_ms > listed.spec.index_age_max_ms else None

    def against_reason(self, seat: Seat, maker: Signed, price: int) -> Reason | None:
        if maker.seat.account == seat.account:
            return Reason.SELF_TRADE
        held = self.venue.position(seat.market_id, seat.address).lots
        wrong = held != 0 and maker.order.side != (0 if held > 0 else 1)
        if wrong or maker.seat.market_id != seat.market_id:
            return Reason.SIDE_MISMATCH
        return self.rest_reason(seat, maker, price)

    def liquidation_fill(self, item: wire.LiquidationFillItem) -> None:
        maker, seat = self.order(item.maker_order), self.seat(item.position)
        price = getattr(item, "price_ticks", maker.order.price_ticks)
        first(
            seat.unlisted,
            self.victim_reason(seat),
            *self.maker_reasons(maker, item.lots),
            self.against_reason(seat, maker, price),
            None if seat.listed is None else self.price_reason(seat.listed),
        )
        makes = self.drafted(maker, item.lots, price, seat.listed.spec.fee_maker_ppm)
        p = self.venue.position(seat.market_id, seat.address)
        after = seat.listed.judging(p).liquidation_fill(copied(p), item.lots, price)
        key = self.signer_judged(maker, item.lots, price)
        fund = self.venue.position(seat.market_id, FUND)
        self.expect_fit((seat, after), (maker.seat, makes))
        refuse_if(fund.margin + after.fee > QUOTE_MAX, Reason.AMOUNT_OUT_OF_RANGE)
        fee, after.fee = after.fee, 0
        self.expect_paid(seat.listed, after, makes)
        seat.listed.positions_quote += fee
        fund.margin += fee
        self.accept(seat, after)
        self.accept_order(maker, makes, item.lots, key)

    def fund_fill(self, item: wire.FundFillItem) -> None:
        maker, seat = self.order(item.maker_order), self.seat(item.fund_position)
        price = getattr(item, "price_ticks", maker.order.price_ticks)
        first(seat.unlisted)
        refuse_if(seat.address != FUND, Reason.ACCOUNT_UNKNOWN)
        p = self.venue.position(seat.market_id, FUND)
        first(
            *self.maker_reasons(maker, item.lots),
            self.against_reason(seat, maker, price),
            Reason.REDUCE_ONLY if item.lots > abs(p.lots) else None,
            self.price_reason(seat.listed),
        )
        makes = self.drafted(maker, item.lots, price, seat.listed.spec.fee_maker_ppm)
        sign = 1 if maker.order.side else -1
        after = seat.listed.rules().fund_fill(copied(p), sign, item.lots, price)
        key = self.signer_judged(maker, item.lots, price)
        self.expect_fit((seat, after), (maker.seat, makes))
        self.expect_paid(seat.listed, after, makes)
        self.accept(seat, after)
        self.accept_order(maker, makes, item.lots, key)

    def takeover(self, item: wire.TakeoverItem) -> None:
        seat = self.seat(item.position)
        first(self.victim_reason(seat))
        fund = self.seat(item.fund_position)
        refuse_if(fund.address != FUND, Reason.ACCOUNT_UNKNOWN)
        p = self.venue.position(seat.market_id, seat.address)
        refuse_if(item.lots == 0 or item.lots != abs(p.lots), Reason.QTY_OUT_OF_RANGE)
        refuse_if(fund.market_id != seat.market_id, Reason.SIDE_MISMATCH)
        first(self.price_reason(seat.listed))
        held = self.venue.position(seat.market_id, FUND)
        refuse_if(not seat.listed.liquidates(p), Reason.NOT_LIQUIDATABLE)
        after, fund_after = seat.listed.judging(p).takeover(copied(p), copied(held))
        self.expect_fit((seat, after), (fund, fund_after))
        self.accept(seat, after)
        self.accept(fund, fund_after)

    def adl(self, item: wire.AdlItem) -> None:
        seat, other = self.seat(item.position), self.seat(item.counterparty)
        is_fund = seat.address == FUND and not seat.over
        first(self.victim_reason(other), None if is_fund else self.victim_reason(seat))
        refuse_if(item.lots == 0, Reason.QTY_OUT_OF_RANGE)
        refuse_if(other.market_id != seat.market_id, Reason.SIDE_MISMATCH)
        first(self.price_reason(seat.listed))
        rules = seat.listed.rules()
        p = self.venue.position(seat.market_id, seat.address)
        counter = self.venue.position(other.market_id, other.address)
        rank = rules.adl_rank(rules.settled(copied(counter)))
        judging = seat.listed.judging(p)
        refuse_if(not seat.listed.liquidates(p), Reason.NOT_LIQUIDATABLE)
        after, counter_after = rules.adl(copied(p), copied(counter), item.lots)
        if is_fund:  # LIQ-7: what is left stays the fund's
            after.margin, after.free = after.margin + after.released, 0
        refuse_if(not is_fund and self.fund_carries(judging, seat, p), Reason.FUND_CAN_CARRY)
        last = self.runs.get(seat.market_id)
        rises = last is not None and last[0] == item.position and rank > last[1]
        refuse_if(rises, Reason.ADL_ORDER)
        self.expect_fit((seat, after), (other, counter_after))
        self.expect_paid(seat.listed, after, counter_after)
        self.runs[seat.market_id] = (item.position, rank)
        self.accept(seat, after)
        self.accept(other, counter_after)

    def fund_carries(self, rules: Market, seat: Seat, p: Bucket) -> bool:
        try:
            rules.takeover(copied(p), copied(self.venue.position(seat.market_id, FUND)))
        except RefusedError:
            return False
        return True

    # Collateral and keys

    def message_reason(self, address: bytes, nonce: int, expiry_time_s: int) -> Reason | None:
        account = self.venue.account(address)
        used = nonce < account.nonce_floor or nonce >= ASCENDING
        used = used or self.venue.filled_lots(address, nonce) != 0
        if address == FUND:
            return Reason.ACCOUNT_UNKNOWN
        if expiry_time_s <= self.clock_s:
            return Reason.EXPIRED
        return Reason.NONCE_USED if used else None

    def collateral(self, item: wire.CollateralItem) -> None:
        """COLL-1."""
        seat, amount = self.seat(item.position), item.amount_quote
        first(seat.unlisted)
        first(self.message_reason(seat.address, item.nonce, item.expiry_time_s))
        refuse_if(self.is_paused and amount < 0, Reason.RISK_PAUSED)
        if amount < 0:
            self.expect_price(seat.listed)
        p, rules = self.venue.position(seat.market_id, seat.address), seat.listed.rules()
        free = self.venue.account(seat.address).free_quote
        if amount < 0:
            after = rules.take_out(copied(p), -amount)
        else:
            after = rules.top_up(copied(p), amount, free)
        message = CollateralMove(
            seat.address, seat.market_id, amount, item.nonce, item.expiry_time_s
        )
        digest = self.domain.digest(message)
        signer = self.signer(seat.address, digest, item.signer, item.signature)
        if signer is None:
            raise RejectedError(Reason.SIGNATURE_INVALID)
        if signer != OWNER:
            key = self.venue.keys[seat.address, signer]
            is_dead = not key.markets or key.expiry_time_s <= self.clock_s
            refuse_if(is_dead, Reason.SIGNATURE_INVALID)
            inside = amount > 0 and admits_market(key, seat.listed.number)
            refuse_if(not inside, Reason.SESSION_KEY_SCOPE)
        refuse_if(amount == 0, Reason.AMOUNT_OUT_OF_RANGE)
        self.expect_fit((seat, after))
        self.expect_paid(seat.listed, after)
        self.venue.set_filled(seat.address, item.nonce, NONCE_DEAD)
        self.accept(seat, after)

    def withdrawal(self, item: wire.WithdrawalItem) -> None:
        """COLL-2."""
        void_unless(item.account < len(self.accounts))
        address, amount = self.accounts[item.account], item.amount_quote
        account = self.venue.account(address)
        first(self.message_reason(address, item.nonce, item.expiry_time_s))
        refuse_if(amount > account.free_quote, Reason.INSUFFICIENT_FREE_COLLATERAL)
        message = Withdrawal(address, item.to, amount, item.nonce, item.expiry_time_s)
        refuse_if(not self.by_owner(address, message, item), Reason.SIGNATURE_INVALID)
        refuse_if(amount == 0, Reason.AMOUNT_OUT_OF_RANGE)
        self.venue.set_filled(address, item.nonce, NONCE_DEAD)
        self.add_free(account, -amount)
        self.payments.append((address, item.to, amount))

    def session_key(self, item: wire.SessionKeyItem) -> None:
        """KEY-2."""
        void_unless(item.account < len(self.accounts))
        address = self.accounts[item.account]
        first(self.message_reason(address, item.nonce, item.expiry_time_s))
        message = SessionKey(
            address, item.key, item.markets, item.leverage_max, bool(item.is_reduce_only),
            item.day_notional_max_quote, item.nonce, item.expiry_time_s,
        )  # fmt: skip
        refuse_if(not self.by_owner(address, message, item), Reason.SIGNATURE_INVALID)
        held = self.venue.keys.get((address, item.key))
        refuse_if(held is not None and not held.markets, Reason.SESSION_KEY_SCOPE)
        self.venue.set_filled(address, item.nonce, NONCE_DEAD)
        leverage = 0 if item.is_reduce_only else item.leverage_max
        self.venue.keys[address, item.key] = Key(
            item.markets, leverage, item.day_notional_max_quote, item.expiry_time_s
        )

    def auto_top_up(self, item: wire.AutoTopUpItem) -> None:
        """TOPUP-1."""
        seat, amount = self.seat(item.position), item.amount_quote
        first(seat.unlisted)
        first(self.message_reason(seat.address, item.nonce, item.expiry_time_s))
        first(self.price_reason(seat.listed))
        p = self.venue.position(seat.market_id, seat.address)
        rules = seat.listed.judging(p)
        refuse_if(not rules.liquidatable(p), Reason.NOT_LIQUIDATABLE)
        needed = rules.initial(p) - rules.equity(p)
        used = self.venue.drawn_quote.get((seat.address, item.nonce), 0) + amount
        free = self.venue.account(seat.address).free_quote
        after = rules.top_up(copied(p), amount, free)
        refuse_if(rules.liquidatable(after), Reason.INSUFFICIENT_MARGIN)
        message = AutoTopUp(
            seat.address, seat.market_id, item.cap_quote, item.nonce, item.expiry_time_s
        )
        refuse_if(not self.by_owner(seat.address, message, item), Reason.SIGNATURE_INVALID)
        beyond = amount == 0 or used > item.cap_quote or amount > needed
        refuse_if(beyond, Reason.AMOUNT_OUT_OF_RANGE)
        self.expect_fit((seat, after))
        self.venue.drawn_quote[seat.address, item.nonce] = used
        self.accept(seat, after)

    # Markets that change or end

    def parameters(self, item: wire.ParametersItem) -> None:
        """GOV-5."""
        listed = self.listing(item.market)
        refuse_if(listed.has_ended, Reason.MARKET_STATE)
        if listed.announced is None or self.clock_s < listed.announced[1]:
            raise RejectedError(Reason.PARAMETERS_NOT_DUE)
        listed.spec, listed.announced = listed.announced[0], None

    def settle_market(self, item: wire.SettleMarketItem) -> None:
        """EXP-2."""
        seat = self.seat(item.position)
        listed = seat.listed
        refuse_if(listed is None, Reason.MARKET_UNKNOWN)
        refuse_if(seat.address == FUND, Reason.ACCOUNT_UNKNOWN)
        refuse_if(not listed.has_ended, Reason.MARKET_STATE)
        ticks = listed.delivery_ticks or listed.index_ticks
        p = self.venue.position(seat.market_id, seat.address)
        refuse_if(p.lots == 0, Reason.NO_POSITION)
        fund = self.venue.position(seat.market_id, FUND)
        fund_after, after = listed.rules().deliver_to(copied(fund), copied(p), ticks)[::-1]
        fund_seat = Seat(-1, FUND, seat.market_id, listed)
        self.expect_fit((seat, after), (fund_seat, fund_after))
        self.expect_paid(listed, after)
        listed.delivery_ticks = ticks
        self.accept(seat, after)
        self.accept(fund_seat, fund_after)

    # Forced requests

    def forced(self, item: wire.ForcedItem) -> None:
        """FORCE-2."""
        venue = self.venue
        void_unless(item.account < len(self.accounts))
        address = self.accounts[item.account]
        seat = self.seats[item.position] if item.position < len(self.seats) else None
        void_unless(seat is None or seat.account == item.account)
        is_head = item.request_id == venue.served + 1 and item.request_id in venue.requests
        is_aside = item.request_id in venue.aside
        refuse_if(not is_head and not is_aside, Reason.ORDER_UNKNOWN)
        asked = venue.requests[item.request_id]
        refuse_if(asked.account != address, Reason.ACCOUNT_UNKNOWN)
        is_unopened = seat is None and asked.kind in ("GIVE", "BACK") and (
            asked.market_id in self.unpriced
        )  # fmt: skip
        elsewhere = asked.market_id and (seat is None or seat.market_id != asked.market_id)
        refuse_if(elsewhere and not is_unopened, Reason.MARKET_UNKNOWN)
        try:
            self.serve(asked, venue.account(address), seat)
            outcome = Reason.NONE
        except RejectedError as refused:
            outcome = refused.reason
        except RefusedError as refused:
            outcome = Reason[str(refused)]
        is_bringing = asked.kind in BRINGING
        is_for_later = not is_bringing and outcome in {
            Reason.NO_PRICE, Reason.PRICE_STALE, Reason.PRICE_BAND, Reason.CAPACITY,
            Reason.MARKET_CANNOT_PAY,
        }  # fmt: skip
        refuse_if(is_for_later and is_aside, outcome)
        if is_head:
            venue.served = item.request_id
        if is_for_later:
            venue.aside.add(item.request_id)
            return
        venue.aside.discard(item.request_id)
        if is_bringing:  # FORCE-5
            venue.held_quote -= asked.amount
            if outcome != Reason.NONE:
                self.add_free(venue.account(address), asked.amount)
        if asked.kind == "TOP_UP":
            venue.top_ups[asked.market_id, address].remove(item.request_id)
            venue.top_up_time_s[asked.market_id, address] = asked.time_s  # early, never late
        self.outcomes.append(outcome)

    def serve(self, asked: Any, account: Account, seat: Any) -> None:
        if asked.kind == "CANCEL_ALL":
            account.nonce_floor = max(account.nonce_floor, asked.amount)
        elif asked.kind == "CANCEL":
            for further in range(int.from_bytes(asked.to, "big") + 1):
                nonce = asked.amount + further
                if self.venue.filled_lots(asked.account, nonce) != NONCE_DEAD:
                    self.venue.set_filled(asked.account, nonce, NONCE_DEAD)
        elif asked.kind == "WITHDRAW":
            amount = min(asked.amount, account.free_quote)
            refuse_if(amount == 0, Reason.INSUFFICIENT_FREE_COLLATERAL)
            self.add_free(account, -amount)
            self.venue.pay(asked.account, asked.to, amount, self.now_s, later=True)
        elif asked.kind == "TOP_UP":
            p = self.venue.position(seat.market_id, seat.address)
            refuse_if(p.lots == 0, Reason.NO_POSITION)
            after = seat.listed.rules().top_up(copied(p), asked.amount, asked.amount)
            after.free = 0
            self.expect_fit((seat, after))
            self.accept(seat, after)
        elif asked.kind == "UNBACK":
            self.unback(asked, account, seat)
        elif asked.kind in BRINGING:
            self.raise_fund(asked, seat)
        else:
            self.reduce(asked, seat)

    def raise_fund(self, asked: Any, seat: Seat | None) -> None:
        """FORCE-5, BACK-2."""
        if seat is None:
            raise RejectedError(Reason.MARKET_UNKNOWN)
        venue, listed, market_id = self.venue, seat.listed, seat.market_id
        fund = copied(venue.position(market_id, FUND))
        shares, whole = 0, venue.fund_shares.get(market_id, 0)
        if asked.kind == "BACK":
            if fund.lots and not listed.has_ended:
                first(self.price_reason(listed))
            equity = listed.rules().equity(listed.rules().settled(copied(fund)))
            is_wiped_out = equity < 0 or whole + 1000 > 10**9 * (equity + 1)
            refuse_if(is_wiped_out, Reason.FUND_CANNOT_CARRY)
            shares = asked.amount * (whole + 1000) // (equity + 1)
            refuse_if(not 0 < shares < 2**63 - whole, Reason.AMOUNT_OUT_OF_RANGE)
        refuse_if(fund.margin + asked.amount > QUOTE_MAX, Reason.AMOUNT_OUT_OF_RANGE)
        if shares:
            venue.fund_shares[market_id] = whole + shares
            venue.backers.setdefault((market_id, asked.account), Backer()).shares += shares
        fund.margin += asked.amount
        self.accept(Seat(-1, FUND, market_id, listed), fund)

    def unback(self, asked: Any, account: Account, seat: Seat) -> None:
        """BACK-4."""
        venue, listed, market_id = self.venue, seat.listed, seat.market_id
        held = venue.position(market_id, FUND)
        if held.lots and not listed.has_ended:
            first(self.price_reason(listed))
        fund = listed.rules().settled(copied(held))
        equity, whole = listed.rules().equity(fund), venue.fund_shares[market_id]
        worth = max(0, asked.amount * (equity + 1) // (whole + 1000))
        spare = min(equity - listed.rules().initial(fund), fund.margin, listed.pot_quote)
        paid = max(0, min(worth, spare))
        backer = venue.backers[market_id, asked.account]
        backer.locked_shares -= asked.amount
        refuse_if(paid == 0, Reason.FUND_CANNOT_CARRY)
        burned = ceil(Fraction(asked.amount * paid, worth))
        backer.shares -= burned
        venue.fund_shares[market_id] -= burned
        fund.margin -= paid
        self.add_free(account, paid)
        self.accept(Seat(-1, FUND, market_id, listed), fund)

    def reduce(self, asked: Any, seat: Seat) -> None:
        """FORCE-3."""
        listed = seat.listed
        rules = listed.rules()
        p = self.venue.position(seat.market_id, seat.address)
        held = self.venue.position(seat.market_id, FUND)
        fund_seat = Seat(-1, FUND, seat.market_id, listed)
        lots, is_long = min(asked.amount, abs(p.lots)), p.lots > 0
        refuse_if(lots == 0, Reason.NO_POSITION)
        if listed.has_ended:
            ticks = listed.delivery_ticks or listed.index_ticks
            after, fund = rules.deliver_to(copied(held), copied(p), ticks, is_forced=True)
            self.accept_both((seat, after), (fund_seat, fund))
            return
        first(self.price_reason(listed))
        after = rules.settled(copied(p))
        worse = min if is_long else max
        price, rate = worse(listed.index_ticks, listed.mark_ticks), listed.spec.fee_liquidation_ppm
        try:
            rules.close_and_release(after, lots, price, rate)
        except RefusedError as refused:
            is_due = listed.judging(p).liquidatable(p)
            refuse_if(str(refused) == "BANKRUPT" and not is_due, Reason.PRICE_BAND)
            raise
        fund = rules.settled(copied(held))
        closing = min(lots, abs(fund.lots)) if fund.lots and (fund.lots > 0) != is_long else 0
        if closing:
            rules.close(fund, closing, price)
        rules.open(fund, lots - closing if is_long else closing - lots, price)
        fee, after.fee = after.fee, 0
        fund.margin += fee
        self.accept_both((seat, after), (fund_seat, fund))

    def accept_both(self, leaver: tuple[Seat, Bucket], fund: tuple[Seat, Bucket]) -> None:
        self.expect_fit(leaver)
        both = abs(leaver[1].funding + fund[1].funding)
        refuse_if(both > QUOTE_MAX, Reason.CAPACITY)
        self.expect_fit(fund, reason=Reason.CAPACITY)
        self.expect_paid(leaver[0].listed, leaver[1])
        self.accept(*leaver)
        self.accept(*fund)
