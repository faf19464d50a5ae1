"""What comes from the chain by itself, in the slow model: FORCE, BACK-2, BACK-4, GOV-4."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from matcher.engine.commands import Command, MarketState, RequestKind
from tests.model.auction import Auctions
from tests.model.floor import FUND, Key, require
from tests.model.margin import Bucket, RefusedError

EMPTY = Bucket(0, 0, 0)
FOR_LATER = {"NO_PRICE", "PRICE_STALE", "PRICE_BAND", "CAPACITY", "MARKET_CANNOT_PAY"}
QUOTE_MAX = 2**60
GIFTS = frozenset({RequestKind.GIVE, RequestKind.BACK})
BRINGING = GIFTS | {RequestKind.TOP_UP}
FUND_KINDS = GIFTS | {RequestKind.UNBACK}
NEEDING = frozenset({RequestKind.REDUCE, RequestKind.UNBACK})  # a price, and a market


class Forced(Auctions):
    """The forced queue's requests and the guardian's pause."""

    def __init__(self, order_max: int) -> None:
        super().__init__(order_max)
        self.deposits = self.withdrawals = 0

    def pause_risk(self, c: Command) -> None:
        """GOV-4."""
        self.is_risk_paused = c.aux != 0
        self.say("RISK_PAUSE", amount=int(self.is_risk_paused))

    def forced_request(self, c: Command) -> None:
        """FORCE-2: what stays in the queue raises; what is served says how it ended."""
        if c.account or c.flags not in FUND_KINDS:
            self.check_account(c)
        require(c.flags in set(RequestKind), "AMOUNT_OUT_OF_RANGE")
        kind, is_bringing = RequestKind(c.flags), c.flags in BRINGING
        require(not is_bringing or 1 <= c.aux <= QUOTE_MAX - self.deposits, "AMOUNT_OUT_OF_RANGE")
        is_listed = c.market_id in self.venues
        require(is_listed or kind not in NEEDING, "MARKET_UNKNOWN")
        if c.side and kind in NEEDING:
            self.check_price(c)
        first = len(self.events)
        facts: dict[str, int | str] = {}
        try:
            self.check_price(c)
            facts = getattr(self, f"serve_{kind.name.lower()}")(c)
            if is_bringing:
                self.deposits += c.aux
        except RefusedError as refused:
            if c.side and not is_bringing and str(refused) in FOR_LATER:
                raise
            facts = {"reason": str(refused)}
            if is_bringing and c.account:  # FORCE-5
                self.deposits += c.aux
                self.free[c.account] += c.aux
        if is_bringing:
            facts["amount"] = c.aux
        if kind in GIFTS and not is_listed:
            c = c._replace(market_id=0)
        later, self.events = self.events[first:], self.events[:first]
        told = {"account": c.account, "nonce": c.nonce, "flags": c.flags}
        self.say("FORCED_SERVED", c.market_id, **(told | facts))
        self.events += later
        for market in self.venues:
            if (
                c.account
                and (c.account, market) in self.positions
                and self.unreserved(c.account) < 0
            ):
                self.mark((c.account, market), "TRIM")

    def check_price(self, c: Command) -> None:
        """FORCE-2: a holder needs a fresh price, while the market lives."""
        needs = {
            RequestKind.REDUCE: c.account, RequestKind.UNBACK: FUND, RequestKind.BACK: FUND,
        }  # fmt: skip
        holder = needs.get(RequestKind(c.flags))
        if holder is None or self.positions.get((holder, c.market_id), EMPTY).lots == 0:
            return
        venue = self.venues[c.market_id]
        if venue.state == MarketState.SETTLED:
            return
        require(venue.index_price > 0, "NO_PRICE")
        age = self.now_s * 1000 - venue.index_ms
        require(age <= venue.spec.index_age_max_ms, "PRICE_STALE")

    def serve_cancel_all(self, c: Command) -> dict[str, int]:
        for market in self.venues:
            for o in self.newest_first((c.account, market)):
                if o.c.nonce < c.aux:
                    self.drop(o, "USER_CANCELED")
        self.raise_floor(c.account, c.aux)
        return {}

    def serve_cancel(self, c: Command) -> dict[str, int]:
        for nonce in range(c.aux, min(c.aux + min(c.amount_quote, 7) + 1, 1 << 64)):
            for o in self.orders.copy():
                if (o.key[0], o.c.nonce) == (c.account, nonce):
                    self.drop(o, "USER_CANCELED")
            self.use_nonce(c.account, nonce)
        return {}

    def serve_withdraw(self, c: Command) -> dict[str, int]:
        amount = min(c.aux, self.free[c.account])
        require(amount > 0, "INSUFFICIENT_FREE_COLLATERAL")
        self.free[c.account] -= amount
        self.withdrawals += amount
        return {"amount": amount}

    def serve_top_up(self, c: Command) -> dict[str, int]:
        """FORCE-4."""
        key: Key = (c.account, c.market_id)
        p = self.positions.get(key, EMPTY)
        require(p.lots != 0, "NO_POSITION")
        after = self.venues[c.market_id].rules.top_up(p, c.aux, c.aux)
        require(after.margin <= QUOTE_MAX, "AMOUNT_OUT_OF_RANGE")
        self.free[c.account] += c.aux
        self.commit(key, after)
        return {}

    def serve_give(self, c: Command) -> dict[str, int]:
        """FORCE-5."""
        require(c.market_id in self.venues, "MARKET_UNKNOWN")
        fund = self.positions[FUND, c.market_id]
        require(fund.margin + c.aux <= QUOTE_MAX, "AMOUNT_OUT_OF_RANGE")
        fund.margin += c.aux
        return {}

    def serve_back(self, c: Command) -> dict[str, int]:
        """BACK-2."""
        require(c.market_id in self.venues, "MARKET_UNKNOWN")
        venue = self.venues[c.market_id]
        equity = venue.rules.equity(self.positions[FUND, c.market_id])
        require(equity >= 0, "FUND_CANNOT_CARRY")
        price = Fraction(venue.fund_shares + 1_000, equity + 1)
        require(price <= 10**9, "FUND_CANNOT_CARRY")
        shares = int(c.aux * price)
        require(0 < shares < 2**63 - venue.fund_shares, "AMOUNT_OUT_OF_RANGE")
        self.serve_give(c)
        venue.fund_shares += shares
        return {"amount_2": shares}

    def serve_unback(self, c: Command) -> dict[str, int]:
        """BACK-4."""
        venue, key = self.venues[c.market_id], (FUND, c.market_id)
        rules = venue.rules
        fund = rules.settled(self.positions[key])
        equity, shares = rules.equity(fund), min(c.aux, venue.fund_shares)
        worth = max(0, shares * (equity + 1)) // (venue.fund_shares + 1000)
        amount = min(worth, equity - rules.initial(fund), fund.margin, self.pot(c.market_id))
        require(amount > 0, "FUND_CANNOT_CARRY")
        burned = ceil(Fraction(shares * amount, worth))
        venue.fund_shares -= burned
        fund.margin -= amount
        self.commit(key, fund)
        if c.account == 0:  # on chain alone
            self.withdrawals += amount
        else:
            self.free[c.account] += amount
        return {"amount": amount, "amount_2": burned}

    def serve_reduce(self, c: Command) -> dict[str, int]:
        """FORCE-3."""
        venue, key = self.venues[c.market_id], (c.account, c.market_id)
        rules, held = venue.rules, self.positions.get(key, EMPTY).lots
        lots = min(c.aux, abs(held))
        require(lots > 0, "NO_POSITION")
        if venue.state == MarketState.SETTLED:
            return self.serve_whole(c)
        p = rules.settled(self.positions[key])
        rate = venue.spec.fee_liquidation_ppm
        worse = min if held > 0 else max
        price = worse(venue.index_price, rules.mark)
        try:
            rules.close_and_release(p, lots, price, rate)
        except RefusedError as refused:
            at_gentler = rules.judging(self.positions[key], venue.index_price)
            is_due = at_gentler.liquidatable(self.positions[key])
            if str(refused) == "BANKRUPT" and not is_due:
                raise RefusedError("PRICE_BAND") from None
            raise
        fund = rules.settled(self.positions[FUND, c.market_id])
        rules.take_lots(fund, lots if held > 0 else -lots, price)
        fee, p.fee = p.fee, 0
        fund.margin += fee
        self.commit_both(c, p, fund)
        return {"side": int(held < 0), "price": price, "qty": lots, "amount_2": fee}

    def serve_whole(self, c: Command) -> dict[str, int]:
        """FORCE-3 in a market that has ended: as EXP-2 delivers."""
        venue, fund = self.venues[c.market_id], self.positions[FUND, c.market_id]
        p, price = self.positions[c.account, c.market_id], venue.index_price
        after, fund_after = venue.rules.deliver_to(fund, p, price, is_forced=True)
        self.commit_both(c, after, fund_after)
        return {"side": int(p.lots < 0), "price": price, "qty": abs(p.lots), "amount": after.free}

    def commit_both(self, c: Command, p: Bucket, fund: Bucket) -> None:
        """What a word on chain cannot hold, or the market cannot pay, is not made true."""
        require(fits(p), "AMOUNT_OUT_OF_RANGE")
        require(fits(fund), "CAPACITY")
        require(self.pays(c.market_id, p), "MARKET_CANNOT_PAY")
        self.commit((c.account, c.market_id), p)
        self.commit((FUND, c.market_id), fund)


def fits(p: Bucket) -> bool:
    """SPEC §1."""
    return p.value <= 1 << 60 and abs(p.margin) <= 1 << 60 and abs(p.lots) <= 1 << 40
