"""The slow, obvious twin of matcher.engine: SPEC §3 from commands to events."""

from __future__ import annotations

from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    TIF_GTC,
    TRIGGER_MARK_AT_OR_ABOVE,
    Command,
    CommandKind,
    MarketState,
)
from tests.model.margin import PPM, Bucket, RefusedError
from tests.model.matching import FUND, Floor, Key, Order, Seen, Venue, require

ORDER_LOTS_MAX = 2**32 - 2
QUOTE_MAX = 2**60
FUNDING_INDEX_MAX = 2**62
TRIGGERS_MAX = 4_096
FUND_SLIPPAGE = 10  # the fund trades within a tenth of the band
FLAG_NEEDED = {MarketState.POST_ONLY: FLAG_POST_ONLY, MarketState.REDUCE_ONLY: FLAG_REDUCE_ONLY}


def clamp(x: int, low: int, high: int) -> int:
    return max(low, min(x, high))


class Exchange(Floor):
    """Commands in, events out."""

    def __init__(self, order_max: int) -> None:
        super().__init__(order_max)
        self.nonces: set[Key] = set()
        self.names: dict[int, Key] = {}  # order id of the engine: account and nonce
        self.deposits = self.withdrawals = self.deposit_seq = 0

    def apply(self, c: Command) -> list[Seen]:
        self.time_ns = max(self.time_ns, c.time_ns)
        self.events = []
        try:
            getattr(self, CommandKind(c.kind).name.lower())(c)
        except RefusedError as refused:
            kind = "ORDER_REJECTED" if c.kind == CommandKind.PLACE else "COMMAND_REJECTED"
            told = {"account": c.account, "side": c.side, "nonce": c.nonce}
            self.say(kind, c.market_id, reason=str(refused), **told)
        return self.events

    def venue(self, c: Command) -> Venue:
        require(c.market_id in self.venues, "MARKET_UNKNOWN")
        return self.venues[c.market_id]

    def check_account(self, c: Command) -> None:
        require(c.account != FUND and c.account in self.free, "ACCOUNT_UNKNOWN")

    def check_signed(self, c: Command) -> None:
        require(c.expiry_time_s > self.now_s, "EXPIRED")
        require((c.account, c.nonce) not in self.nonces, "NONCE_USED")

    # Money

    def check_deposit(self, c: Command) -> None:
        require(c.nonce == self.deposit_seq + 1, "NONCE_USED")
        require(1 <= c.amount_quote <= QUOTE_MAX - self.deposits, "AMOUNT_OUT_OF_RANGE")
        self.deposit_seq = c.nonce
        self.deposits += c.amount_quote

    def deposit(self, c: Command) -> None:
        self.check_account(c)
        self.check_deposit(c)
        self.free[c.account] += c.amount_quote
        self.say("DEPOSITED", account=c.account, amount=c.amount_quote, nonce=c.nonce)

    def fund_deposit(self, c: Command) -> None:
        self.venue(c)
        self.check_deposit(c)
        self.positions[FUND, c.market_id].margin += c.amount_quote
        self.say("FUND_DEPOSITED", c.market_id, amount=c.amount_quote, nonce=c.nonce)

    def withdraw(self, c: Command) -> None:
        """COLL-2."""
        self.check_account(c)
        self.check_signed(c)
        require(1 <= c.amount_quote <= QUOTE_MAX, "AMOUNT_OUT_OF_RANGE")
        require(c.amount_quote <= self.unreserved(c.account), "INSUFFICIENT_FREE_COLLATERAL")
        self.nonces.add((c.account, c.nonce))
        self.free[c.account] -= c.amount_quote
        self.withdrawals += c.amount_quote
        self.say("WITHDRAWN", account=c.account, amount=c.amount_quote, nonce=c.nonce)

    def move_collateral(self, c: Command) -> None:
        """COLL-1."""
        venue = self.venue(c)
        self.check_account(c)
        self.check_signed(c)
        require(venue.rules.mark > 0, "NO_PRICE")
        key = (c.account, c.market_id)
        p = self.positions.get(key, Bucket(0, 0, 0))
        require(p.lots != 0, "NO_POSITION")
        require(0 < abs(c.amount_quote) <= QUOTE_MAX, "AMOUNT_OUT_OF_RANGE")
        require(key not in self.frozen, "FROZEN")
        if c.amount_quote > 0:
            p = venue.rules.top_up(p, c.amount_quote, self.unreserved(c.account))
        else:
            p = venue.rules.take_out(p, -c.amount_quote)
        self.nonces.add((c.account, c.nonce))
        self.commit(key, p)
        told = {"account": c.account, "amount": c.amount_quote, "nonce": c.nonce}
        self.say("COLLATERAL_MOVED", c.market_id, **told)

    # Orders

    def place(self, c: Command) -> None:
        """ORD-1."""
        venue = self.venue(c)
        self.check_account(c)
        self.check_state(venue, c)
        self.check_signed(c)
        spec, ticks = venue.spec, range(1, venue.spec.price_ticks_max + 1)
        post_only, reduces = c.flags & FLAG_POST_ONLY, c.flags & FLAG_REDUCE_ONLY
        require(1 <= c.qty_lots <= min(ORDER_LOTS_MAX, spec.position_lots_max), "QTY_OUT_OF_RANGE")
        require(c.price_ticks in ticks, "PRICE_OUT_OF_RANGE")
        require(not c.trigger_kind or c.trigger_price_ticks in ticks, "PRICE_OUT_OF_RANGE")
        require(c.side <= 1, "SIDE_MISMATCH")
        require(max(c.time_in_force, c.trigger_kind) <= 2 and c.flags <= 3, "TIME_IN_FORCE")
        require(not post_only or c.time_in_force == TIF_GTC, "TIME_IN_FORCE")
        key = (c.account, c.market_id)
        order = Order(key, c, c.qty_lots, waits=c.trigger_kind != 0)
        closing = self.holds(key, c.side)
        takes = post_only and not order.waits and self.crossed(order)
        require(not takes, "POST_ONLY_WOULD_TAKE")
        if reduces:
            require(c.amount_quote == 0 and (closing > 0 or order.waits), "REDUCE_ONLY")
        require(venue.rules.mark > 0, "NO_PRICE")
        margins = [o.unfilled_margin for o in self.orders if o.key == key and o.c.side == c.side]
        require(0 <= c.amount_quote <= QUOTE_MAX - sum(margins), "AMOUNT_OUT_OF_RANGE")
        if not reduces and c.time_in_force == TIF_GTC and c.qty_lots > closing:
            least = self.least_margin(venue, order, c.qty_lots - closing)
            require(c.amount_quote >= least, "INSUFFICIENT_MARGIN")
        require(key not in self.frozen, "FROZEN")
        more = self.reservation(key, c) - self.reservation(key)
        require(more <= self.unreserved(c.account), "INSUFFICIENT_FREE_COLLATERAL")
        require(len(self.orders) < self.order_max, "CAPACITY")
        self.nonces.add((c.account, c.nonce))
        self.positions.setdefault(key, Bucket(0, 0, 0, venue.rules.index))
        self.orders.append(order)
        self.say(
            "ORDER_ACCEPTED", c.market_id, account=c.account, side=c.side, nonce=c.nonce,
            price=c.price_ticks, qty=c.qty_lots, left=c.qty_lots, amount=c.amount_quote,
        )  # fmt: skip
        if not order.waits:
            self.execute(order)

    def check_state(self, venue: Venue, c: Command) -> None:
        require(venue.state not in (MarketState.HALTED, MarketState.CANCEL_ONLY), "MARKET_STATE")
        needed = FLAG_NEEDED.get(MarketState(venue.state), 0)
        require(c.flags & needed == needed, "MARKET_STATE")

    def least_margin(self, venue: Venue, o: Order, lots: int) -> int:
        """ORD-2."""
        rules, price = venue.rules, o.c.price_ticks
        worst = max(price, rules.mark) if o.c.side else price
        loss = max(0, (price - rules.mark) * o.sign) * lots * rules.unit
        fee = rules.share(lots, price, rules.spec.fee_taker_ppm)
        return fee + rules.requirement(lots, worst, maintenance=False) + loss

    def cancel(self, c: Command) -> None:
        account, nonce = self.names.get(c.order_id, (0, 0)) if c.order_id else (c.account, c.nonce)
        found = [o for o in self.orders if (o.key[0], o.c.nonce) == (account, nonce)]
        require(bool(found) and account == c.account, "ORDER_UNKNOWN")
        self.drop(found[0], "USER_CANCELED")

    def cancel_all(self, c: Command) -> None:
        if c.market_id:
            self.venue(c)
        self.check_account(c)
        for market in [c.market_id] if c.market_id else self.venues:
            self.drop_all((c.account, market), "USER_CANCELED", c.side)

    def tick(self, _: Command) -> None:
        for o in self.orders.copy():
            if o.c.expiry_time_s <= self.now_s:
                self.drop(o, "EXPIRED")

    def set_market_state(self, c: Command) -> None:
        venue = self.venue(c)
        require(c.aux in set(MarketState), "AMOUNT_OUT_OF_RANGE")
        venue.state = c.aux
        self.say("MARKET_STATE", c.market_id, amount=c.aux)

    def settlement_rejected(self, c: Command) -> None:
        self.venue(c)
        self.check_account(c)
        key = (c.account, c.market_id)
        require(key in self.positions, "NO_POSITION")
        self.frozen.discard(key)
        if c.aux:
            self.frozen.add(key)
            self.drop_all(key, "FROZEN")
        self.say("FROZEN", c.market_id, account=c.account, amount=int(c.aux != 0))

    # Mark, funding, triggers

    def price(self, c: Command) -> None:
        """TICK-1."""
        venue = self.venue(c)
        market, age = c.market_id, venue.spec.index_age_max_ms
        require(1 <= c.price_ticks <= venue.spec.price_ticks_max, "PRICE_OUT_OF_RANGE")
        require(venue.index_ms <= c.aux, "PRICE_STALE")
        require(-10_000 <= self.now_s * 1000 - c.aux <= age, "PRICE_STALE")
        venue.index_price, venue.index_ms = c.price_ticks, c.aux
        self.move_mark(venue, market)
        self.say("PRICE", market, price=venue.rules.mark, qty=c.price_ticks, amount=c.aux)
        self.settle_funding(venue, market)
        if venue.state == MarketState.HALTED:
            return
        self.fire_triggers(venue, market)
        tried: set[Key] = set()
        while (key := self.most_endangered(venue, market, tried)) is not None:
            tried.add(key)
            self.liquidate(venue, key)
            self.trim()
        self.unwind_fund(venue, market)

    def move_mark(self, venue: Venue, market: int) -> None:
        """MARK-1; the averaged basis moves by a sixteenth, in 256ths of a tick."""
        index, band, rules = venue.index_price, venue.band, venue.rules
        bids, asks = self.book(market, 0), self.book(market, 1)
        mid = index + (venue.basis_x256 >> 8)
        if bids and asks:
            mid = (bids[0].c.price_ticks + asks[0].c.price_ticks) // 2
        venue.basis_x256 += ((mid - index) * 256 - venue.basis_x256) // 16
        venue.premiums.append((mid - index) * PPM // index)
        low, high = index - band, index + band
        _, mark, _ = sorted((index, index + venue.basis_x256 // 256, clamp(mid, low, high)))
        if rules.mark:
            step = max(1, band // 2)
            mark = clamp(mark, rules.mark - step, rules.mark + step)
        rules.mark = clamp(clamp(mark, low, high), 1, venue.spec.price_ticks_max)

    def settle_funding(self, venue: Venue, market: int) -> None:
        """FUND-1, FUND-2: the mean premium of an interval."""
        if venue.next_funding_s == 0:
            venue.next_funding_s = self.now_s + venue.spec.funding_interval_s
        if self.now_s < venue.next_funding_s:
            return
        cap = venue.spec.funding_cap_ppm
        venue.rate = clamp(sum(venue.premiums) // len(venue.premiums), -cap, cap)
        step = venue.rate * venue.index_price * venue.rules.unit
        if abs(venue.rules.index + step) > FUNDING_INDEX_MAX:
            venue.rate = step = 0
        venue.rules.index += step
        venue.premiums = []
        venue.next_funding_s = self.now_s + venue.spec.funding_interval_s
        self.say("FUNDING", market, amount=venue.rules.index, amount_2=venue.rate)

    def fire_triggers(self, venue: Venue, market: int) -> None:
        """TRIG-1."""
        mark = venue.rules.mark
        for _ in range(TRIGGERS_MAX):
            waiting = [o for o in self.orders if o.waits and o.key[1] == market]
            up = [o for o in waiting if o.c.trigger_kind == TRIGGER_MARK_AT_OR_ABOVE]
            down = [o for o in waiting if o not in up]
            due = sorted(up, key=lambda o: o.c.trigger_price_ticks)
            due = [o for o in due if o.c.trigger_price_ticks <= mark]
            down = sorted(down, key=lambda o: -o.c.trigger_price_ticks)
            due += [o for o in down if o.c.trigger_price_ticks >= mark]
            if not due:
                return
            o = due[0]
            o.waits = False
            told = {"account": o.key[0], "side": o.c.side, "nonce": o.c.nonce}
            self.say("ORDER_TRIGGERED", market, price=mark, **told)
            try:
                require(o.c.expiry_time_s > self.now_s, "EXPIRED")
                self.check_state(venue, o.c)
            except RefusedError as refused:
                self.drop(o, str(refused))
            else:
                self.execute(o)

    # Liquidation waterfall

    def most_endangered(self, venue: Venue, market: int, tried: set[Key]) -> Key | None:
        """TICK-1: longs, the highest liquidation price first, then shorts, the lowest first."""
        keys = [key for key in self.positions if key[1] == market and key[0] != FUND]
        found = [
            (p.lots < 0, venue.rules.liquidation_price(p) * (1 if p.lots < 0 else -1), at, key)
            for at, key in enumerate(keys)
            if venue.rules.liquidatable(p := self.positions[key])
            if key not in tried and key not in self.frozen
        ]
        return min(found)[-1] if found else None

    def liquidate(self, venue: Venue, key: Key) -> None:
        """LIQ-1 to LIQ-4, LIQ-6."""
        account, market = key
        rules, p = venue.rules, self.positions[key]
        self.say(
            "LIQUIDATION_STARTED", market, account=account, side=int(p.lots < 0), price=rules.mark,
            qty=abs(p.lots), amount=rules.equity(p), amount_2=rules.maintenance(p),
        )  # fmt: skip
        self.drop_all(key, "LIQUIDATION")
        while rules.liquidatable(self.positions[key]) and self.close_on_book(venue, key):
            pass
        passed: set[Key] = set()
        while rules.liquidatable(self.positions[key]):
            if not self.take_over(venue, key) and not self.deleverage(venue, key, passed):
                break
        p = self.positions[key]
        self.say("LIQUIDATION_ENDED", market, account=account, qty=abs(p.lots), amount=p.margin)

    def close_on_book(self, venue: Venue, key: Key) -> bool:
        """LIQ-2: one fill; False when the book gives no more."""
        account, market = key
        rules, p = venue.rules, self.positions[key]
        makers = self.book(market, 0 if p.lots > 0 else 1)
        if not makers or (makers[0].c.price_ticks - rules.bankruptcy_price(p)) * p.lots < 0:
            return False
        maker, price = makers[0], makers[0].c.price_ticks
        if self.discarded(maker, account):
            return True
        most = min(self.offer(maker), abs(p.lots))
        lots = next((n for n in range(1, most) if rules.restored(p, n, price)), most)
        if (made := self.judged(maker, lots)) is None:
            return True
        closed = rules.liquidation_fill(p, lots, price)
        party = {"account_2": account, "amount_2": closed.fee}
        self.say_fill("LIQUIDATION_FILL", maker, lots, made.fee, **party)
        self.commit(key, closed)
        self.positions[FUND, market].margin += closed.fee
        self.fill(maker, made, lots)
        return True

    def take_over(self, venue: Venue, key: Key) -> bool:
        """LIQ-3."""
        account, market = key
        rules, p, fund = venue.rules, self.positions[key], self.positions[FUND, market]
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

    def deleverage(self, venue: Venue, key: Key, passed: set[Key]) -> bool:
        """LIQ-4: one counterparty; False when there is none."""
        account, market = key
        rules, p = venue.rules, self.positions[key]
        others = [k for k in self.positions if k[1] == market and k[0] != FUND and k not in passed]
        others = [k for k in others if self.positions[k].lots * p.lots < 0 and k not in self.frozen]
        if not others:
            return False
        other = max(others, key=lambda k: rules.adl_rank(self.positions[k]))  # the first of equals
        counter = self.positions[other]
        lots = min(abs(p.lots), abs(counter.lots))
        try:
            after, counter_after = rules.adl(p, counter, lots)
        except RefusedError:
            passed.add(other)
            return True
        self.say(
            "ADL", market, account=other[0], account_2=account, side=int(p.lots < 0),
            price=rules.bankruptcy_price(p), qty=lots,
        )  # fmt: skip
        if account == FUND:
            after.margin, after.free = after.margin + after.free, 0
        self.commit(key, after)
        self.commit(other, counter_after)
        return True

    def unwind_fund(self, venue: Venue, market: int) -> None:
        """LIQ-7, LIQ-5."""
        rules, key, passed = venue.rules, (FUND, market), set[Key]()
        if rules.liquidatable(self.positions[key]):
            while self.positions[key].lots and self.deleverage(venue, key, passed):
                pass
        slack = rules.mark * venue.spec.mark_band_ppm // (FUND_SLIPPAGE * PPM)
        while (fund := self.positions[key]).lots:
            sells = fund.lots > 0
            makers = self.book(market, 0 if sells else 1)
            worst = rules.mark + (-slack if sells else slack)
            if not makers or (makers[0].c.price_ticks - worst) * fund.lots < 0:
                return
            maker = makers[0]
            if self.discarded(maker, FUND):
                continue
            lots = min(self.offer(maker), abs(fund.lots))
            if (made := self.judged(maker, lots)) is None:
                continue
            closed = rules.settled(fund)
            rules.close(closed, lots, maker.c.price_ticks)
            if rules.equity(closed) < 0:
                return
            self.say_fill("FUND_FILL", maker, lots, made.fee)
            self.commit(key, closed)
            self.fill(maker, made, lots)
            self.trim()
