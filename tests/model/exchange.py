"""The slow, obvious twin of matcher.engine: SPEC §3 from commands to events."""

from __future__ import annotations

from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    TIF_GTC,
    Command,
    CommandKind,
    MarketState,
)
from tests.model.floor import FUND, Key, Order, Seen, Venue, require
from tests.model.liquidation import Waterfall
from tests.model.margin import Bucket, RefusedError

ORDER_LOTS_MAX = 2**32 - 2
QUOTE_MAX = 2**60


class Exchange(Waterfall):
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
        if venue.state == MarketState.HALTED and c.aux != MarketState.HALTED:
            venue.grace_until_s = self.now_s + venue.spec.grace_s  # MARK-3
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

    # Prices

    def price(self, c: Command) -> None:
        """TICK-1."""
        venue = self.venue(c)
        market, age = c.market_id, venue.spec.index_age_max_ms
        require(1 <= c.price_ticks <= venue.spec.price_ticks_max, "PRICE_OUT_OF_RANGE")
        require(venue.index_ms <= c.aux, "PRICE_STALE")
        require(-10_000 <= self.now_s * 1000 - c.aux <= age, "PRICE_STALE")
        if venue.index_price and self.now_s * 1000 - venue.index_ms > age:
            venue.grace_until_s = self.now_s + venue.spec.grace_s  # MARK-3
        waits = self.now_s < venue.grace_until_s
        venue.index_price, venue.index_ms = c.price_ticks, c.aux
        self.move_mark(venue, market)
        told = {"price": venue.rules.mark, "qty": c.price_ticks, "amount": c.aux}
        self.say("PRICE", market, flags=int(waits), **told)
        self.settle_funding(venue, market)
        if venue.state == MarketState.HALTED:
            return
        self.fire_triggers(venue, market)
        tried: set[Key] = set()
        while not waits and (key := self.most_endangered(venue, market, tried)) is not None:
            tried.add(key)
            self.liquidate(venue, key)
            self.trim()
        self.unwind_fund(venue, market, waits)
