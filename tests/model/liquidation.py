"""The liquidation waterfall of the slow model: LIQ-1 to LIQ-7 of SPEC §3."""

from __future__ import annotations

from matcher.engine.commands import MarketState
from tests.model.floor import FUND, Key, Venue
from tests.model.margin import PPM, RefusedError
from tests.model.pricing import Pricing

FUND_SLIPPAGE = 10  # the fund trades within a tenth of the band


class Waterfall(Pricing):
    """Liquidatable positions, one by one, and what the fund holds."""

    def most_endangered(self, venue: Venue, market: int, tried: set[Key]) -> Key | None:
        """TICK-1: longs, the highest liquidation price first, then shorts, the lowest first."""
        keys = [key for key in self.positions if key[1] == market and key[0] != FUND]
        found = [
            (p.lots < 0, venue.rules.liquidation_price(p) * (1 if p.lots < 0 else -1), at, key)
            for at, key in enumerate(keys)
            if venue.endangers(p := self.positions[key])
            if key not in tried and key not in self.frozen
        ]
        return min(found)[-1] if found else None

    def liquidate(self, venue: Venue, key: Key) -> None:
        """LIQ-1 to LIQ-4, LIQ-6."""
        account, market = key
        p = self.positions[key]
        rules = venue.judging(p)
        if self.draw_top_up(venue, key):
            return
        self.say(
            "LIQUIDATION_STARTED", market, account=account, side=int(p.lots < 0), price=rules.mark,
            qty=abs(p.lots), amount=rules.equity(p), amount_2=rules.maintenance(p),
        )  # fmt: skip
        self.drop_all(key, "LIQUIDATION")
        self.draw_top_up(venue, key)
        while venue.endangers(self.positions[key]) and self.close_on_book(venue, key):
            pass
        if venue.endangers(self.positions[key]) and not self.take_over(venue, key):
            self.deleverage(venue, key)
        p = self.positions[key]
        self.say("LIQUIDATION_ENDED", market, account=account, qty=abs(p.lots), amount=p.margin)

    def draw_top_up(self, venue: Venue, key: Key) -> bool:
        """COLL-3: before LIQ-1 and, where that was not enough, after it."""
        c = self.top_ups.get(key)
        if c is None or c.amount_quote == 0 or c.expiry_time_s <= self.now_s:
            return False
        if venue.state == MarketState.SETTLED:
            return False
        free = self.unreserved(key[0])
        try:
            held = self.positions[key]
            p = venue.judging(held).auto_top_up(held, c.amount_quote, free)
        except RefusedError:
            return False
        left = c.amount_quote + p.free
        self.top_ups[key] = c._replace(amount_quote=left)
        self.say(
            "AUTO_TOPPED_UP", key[1], account=key[0], amount=-p.free, amount_2=left, nonce=c.nonce
        )
        self.commit(key, p)
        return True

    def close_on_book(self, venue: Venue, key: Key) -> bool:
        """LIQ-2: one fill; False when the book gives no more."""
        account, market = key
        p = self.positions[key]
        rules = venue.judging(p)
        makers = self.book(market, 0 if p.lots > 0 else 1)
        if not makers or (makers[0].price - rules.bankruptcy_price(p)) * p.lots < 0:
            return False
        maker, price = makers[0], makers[0].price
        if self.discarded(maker):
            return True
        most = min(self.offer(maker), abs(p.lots))
        lots = rules.lots_to_restore(p, most, price)
        if (made := self.judged(maker, lots)) is None:
            return True
        closed = rules.liquidation_fill(p, lots, price)
        fee, closed.fee = closed.fee, 0  # it stays in the market
        if not self.pays(market, made, closed):
            if self.pays(market, made):
                return False
            self.drop(maker, "MARKET_CANNOT_PAY")
            return True
        party = {"account_2": account, "amount_2": fee}
        self.say_fill("LIQUIDATION_FILL", maker, lots, made.fee, **party)
        self.commit(key, closed)
        self.positions[FUND, market].margin += fee
        self.fill(maker, made, lots)
        self.overdraw(maker)
        return True

    def take_over(self, venue: Venue, key: Key) -> bool:
        """LIQ-3."""
        account, market = key
        p, fund = self.positions[key], self.positions[FUND, market]
        if not venue.endangers(p):
            return False
        rules = venue.judging(p)
        price, left = rules.bankruptcy_price(p), rules.settled(p)
        try:
            after, fund_after = rules.takeover(p, fund)
        except RefusedError:
            return False
        rules.close(left, abs(p.lots), price)
        self.say(
            "TAKEOVER", market, account_2=account, side=int(p.lots < 0), price=price,
            qty=abs(p.lots), amount=left.margin,
        )  # fmt: skip
        self.commit(key, after)
        self.commit((FUND, market), fund_after)
        return True

    def deleverage(self, venue: Venue, key: Key) -> None:
        """LIQ-4: by rank, until the fund can carry what is left."""
        left = venue.rules.settled(p := self.positions[key])
        if left.lots < 0 and left.value + left.margin < 0:
            return
        self.readmit(p.lots > 0, venue.rules.bankruptcy_price(p))
        while (other := self.counterparty(venue, key)) is not None:
            if not self.deleverage_against(venue, key, other):
                self.pass_over(venue, key, other)
            elif key[0] != FUND and self.positions[key].lots and self.take_over(venue, key):
                return

    def counterparty(self, venue: Venue, key: Key) -> Key | None:
        """IDX-3: the highest rank, the oldest of equals; None: nobody, or nothing is to be done."""
        p = self.positions[key]
        if not venue.endangers(p):
            return None
        others = [k for k in self.positions if k[1] == key[1] and k[0] != FUND]
        others = [k for k in others if self.positions[k].lots * p.lots < 0]
        others = [k for k in others if k not in self.frozen | self.passed]
        return max(others, key=lambda k: venue.rules.adl_rank(self.positions[k]), default=None)

    def pass_over(self, venue: Venue, key: Key, other: Key) -> None:
        """IDX-3."""
        p, price = self.positions[key], venue.rules.bankruptcy_price(self.positions[key])
        own = venue.rules.bankruptcy_price(self.positions[other])
        is_beyond = price > own if p.lots > 0 else price < own
        if is_beyond and other not in self.was_passed:
            self.asked_later[other] = p.lots > 0, own
        self.passed.add(other)
        self.was_passed.add(other)

    def readmit(self, is_long: bool, price: int) -> None:
        """IDX-3: who can bear the price of this run."""
        for other, (was_long, own) in list(self.asked_later.items()):
            if was_long == is_long and (price <= own if is_long else price >= own):
                del self.asked_later[other]
                self.passed.discard(other)

    def deleverage_against(self, venue: Venue, key: Key, other: Key) -> bool:
        """LIQ-4: close with one counterparty, judged at the mark; False: a rule forbids it."""
        account, market = key
        rules, p = venue.rules, self.positions[key]
        counter = self.positions[other]
        lots = min(abs(p.lots), abs(counter.lots))
        try:
            after, counter_after = rules.adl(p, counter, lots)
        except RefusedError:
            return False
        if account == FUND:
            after.margin, after.free = after.margin + after.free, 0
        if not self.pays(market, after, counter_after):
            return False
        profit_ppm, leverage_ppm = rules.adl_factors(counter)
        self.say(
            "ADL", market, account=other[0], account_2=account, side=int(p.lots < 0),
            price=rules.bankruptcy_price(p), qty=lots, amount=profit_ppm, amount_2=leverage_ppm,
        )  # fmt: skip
        self.commit(key, after)
        self.commit(other, counter_after)
        return True

    def unwind_fund(self, venue: Venue, market: int, waits: bool) -> None:
        """LIQ-7, LIQ-5."""
        rules, key = venue.rules, (FUND, market)
        if not waits and venue.endangers(self.positions[key]):
            self.deleverage(venue, key)
        slack = rules.mark * venue.spec.mark_band_ppm // (FUND_SLIPPAGE * PPM)
        while (fund := self.positions[key]).lots:
            sells = fund.lots > 0
            makers = self.book(market, 0 if sells else 1)
            worst = rules.mark + (-slack if sells else slack)
            if not makers or (makers[0].price - worst) * fund.lots < 0:
                return
            maker = makers[0]
            if self.discarded(maker):
                continue
            lots = min(self.offer(maker), abs(fund.lots))
            if (made := self.judged(maker, lots)) is None:
                continue
            closed = rules.settled(fund)
            rules.close(closed, lots, maker.price)
            if rules.equity(closed) < 0:
                return
            if not self.pays(market, made):
                self.drop(maker, "MARKET_CANNOT_PAY")
                continue
            self.say_fill("FUND_FILL", maker, lots, made.fee)
            self.commit(key, closed)
            self.fill(maker, made, lots)
            self.overdraw(maker)
            self.trim()
