"""The slow, obvious twin of matcher.engine: SPEC §3 from commands to events."""

from __future__ import annotations

from margin_core import MarketSpec
from matcher.engine.commands import (
    Command,
    CommandKind,
    MarketState,
)
from tests.model.floor import FUND, Key, Seen, Venue, require
from tests.model.forced import Forced
from tests.model.margin import Bucket, Market, RefusedError
from tests.model.orders import QUOTE_MAX

EXPIRIES_MAX = 256  # of a command


class Exchange(Forced):
    """Commands in, events out."""

    def __init__(self, order_max: int) -> None:
        super().__init__(order_max)
        self.deposit_seq = 0

    def apply(self, c: Command) -> list[Seen]:
        self.begin_command(c.time_ns)
        try:
            getattr(self, CommandKind(c.kind).name.lower())(c)
        except RefusedError as refused:
            self.refuse(c, str(refused))
        return self.end_command()

    def apply_group(self, commands: list[Command], time_ns: int) -> list[Seen]:
        """GRP-1."""
        self.begin_command(time_ns)
        self.group(commands)
        return self.end_command()

    def begin_command(self, time_ns: int) -> None:
        """TIF-1: what is due ends before the command acts, the earliest first, then the oldest."""
        self.time_ns = max(self.time_ns, time_ns)
        self.events = []
        due = [o for o in self.orders if o.c.expiry_time_s <= self.now_s]
        for o in sorted(due, key=lambda o: o.c.expiry_time_s)[:EXPIRIES_MAX]:
            self.drop(o, "EXPIRED")
        self.trim()

    def end_command(self) -> list[Seen]:
        self.trim()
        self.fire_due()
        return self.events

    def tick(self, _: Command) -> None:
        """TIF-1: only time passes."""

    # Money

    def check_deposit(self, c: Command) -> None:
        require(c.nonce > self.deposit_seq, "NONCE_USED")
        require(1 <= c.amount_quote <= QUOTE_MAX - self.deposits, "AMOUNT_OUT_OF_RANGE")
        self.deposit_seq = c.nonce
        self.deposits += c.amount_quote

    def deposit(self, c: Command) -> None:
        self.check_account(c)
        self.check_deposit(c)
        self.free[c.account] += c.amount_quote
        self.answer("DEPOSITED", c, c.amount_quote)

    def withdraw(self, c: Command) -> None:
        """COLL-2."""
        self.check_account(c)
        self.check_signed_move(c)
        require(1 <= c.amount_quote <= QUOTE_MAX, "AMOUNT_OUT_OF_RANGE")
        require(c.amount_quote <= self.unreserved(c.account), "INSUFFICIENT_FREE_COLLATERAL")
        self.check_nonce_room(c.account, c.nonce)
        self.use_nonce(c.account, c.nonce)
        self.free[c.account] -= c.amount_quote
        self.withdrawals += c.amount_quote
        self.answer("WITHDRAWN", c, c.amount_quote)

    def move_collateral(self, c: Command) -> None:
        """COLL-1."""
        venue = self.venue(c)
        self.check_account(c)
        self.check_signed_move(c)
        require(venue.state != MarketState.SETTLED, "MARKET_STATE")
        require(venue.rules.mark > 0, "NO_PRICE")
        key = (c.account, c.market_id)
        p = self.positions.get(key, Bucket(0, 0, 0))
        require(p.lots != 0, "NO_POSITION")
        require(0 < abs(c.amount_quote) <= QUOTE_MAX, "AMOUNT_OUT_OF_RANGE")
        require(key not in self.frozen, "FROZEN")
        require(not self.is_risk_paused or c.amount_quote > 0, "RISK_PAUSED")
        require(c.amount_quote > 0 or self.price_holds(venue), "PRICE_STALE")
        if c.amount_quote > 0:
            p = venue.rules.top_up(p, c.amount_quote, self.unreserved(c.account))
        else:
            p = venue.rules.take_out(p, -c.amount_quote)
            require(self.pays(c.market_id, p), "MARKET_CANNOT_PAY")
        self.check_nonce_room(c.account, c.nonce)
        self.use_nonce(c.account, c.nonce)
        self.commit(key, p)
        self.answer("COLLATERAL_MOVED", c, c.amount_quote, c.market_id)

    def auto_top_up(self, c: Command) -> None:
        """COLL-3."""
        venue = self.venue(c)
        self.check_account(c)
        self.check_signed_move(c)
        require(0 <= c.amount_quote <= QUOTE_MAX, "AMOUNT_OUT_OF_RANGE")
        key = (c.account, c.market_id)
        self.check_nonce_room(c.account, c.nonce)
        self.use_nonce(c.account, c.nonce)
        self.positions.setdefault(key, Bucket(0, 0, 0, venue.rules.index))
        self.top_ups[key] = c
        self.answer("AUTO_TOP_UP_SET", c, c.amount_quote, c.market_id)

    def set_market_state(self, c: Command) -> None:
        venue = self.venue(c)
        require(venue.state != MarketState.SETTLED, "MARKET_STATE")
        require(1 <= c.aux <= MarketState.DELISTING, "AMOUNT_OUT_OF_RANGE")
        clears = c.aux not in (MarketState.HALTED, MarketState.AUCTION) and self.is_crossed(
            c.market_id
        )
        require(not clears or self.price_holds(venue), "PRICE_STALE")
        if not venue.is_continuous and c.aux != MarketState.HALTED:
            venue.grace_until_s = self.now_s + venue.spec.grace_s  # MARK-3
        venue.state = c.aux
        self.say("MARKET_STATE", c.market_id, amount=c.aux)
        if venue.state == MarketState.DELISTING:
            self.end_opening_orders(c.market_id)
        if venue.is_continuous:
            self.uncross(venue, c.market_id)

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

    # Parameters

    def announce(self, spec: MarketSpec, effective_time_s: int, time_ns: int) -> list[Seen]:
        """PAR-1."""
        self.time_ns = max(self.time_ns, time_ns)
        self.events = []
        venue, market = self.venues[spec.market_id], spec.market_id
        held = venue.spec
        stays = ("kind", "quote_per_tick_lot", "price_ticks_max", "strike_ticks")
        is_kept = all(getattr(spec, name) == getattr(held, name) for name in stays)
        rises = spec.fee_maker_ppm > held.fee_maker_ppm or spec.fee_taker_ppm > held.fee_taker_ppm
        if rises or not is_kept:
            self.say("COMMAND_REJECTED", market, reason="AMOUNT_OUT_OF_RANGE")
        else:
            venue.announced = (spec, effective_time_s)
            told = {"amount": venue.version + 1, "amount_2": effective_time_s}
            self.say("PARAMETERS_ANNOUNCED", market, **told)
        return self.events

    def follow_parameters(self, venue: Venue, market: int) -> None:
        """PAR-2; there are never more positions than one row indexes."""
        if venue.announced and venue.announced[1] <= self.now_s:
            rules = venue.rules
            venue.rules = Market(venue.announced[0], rules.index, rules.mark)
            venue.announced, venue.version = None, venue.version + 1
            self.say("PARAMETERS_CHANGED", market, amount=venue.version)

    # Prices

    def price(self, c: Command) -> None:
        """TICK-1."""
        venue = self.venue(c)
        market, age = c.market_id, venue.spec.index_age_max_ms
        require(venue.state != MarketState.SETTLED, "MARKET_STATE")
        require(1 <= c.price_ticks <= venue.spec.price_ticks_max, "PRICE_OUT_OF_RANGE")
        require(venue.index_ms <= c.aux, "PRICE_STALE")
        require(-10_000 <= self.now_s * 1000 - c.aux <= age, "PRICE_STALE")
        spec = venue.spec
        if venue.announced and venue.announced[1] <= self.now_s:
            spec = venue.announced[0]
        elif venue.announced and (end_s := venue.announced[0].expiry_time_s):
            require(c.aux < end_s * 1000, "PRICE_STALE")  # EXP-2
        if (end_s := spec.expiry_time_s) and self.now_s < end_s + 86_400:
            require(c.aux <= end_s * 1000 + 300_000, "PRICE_STALE")  # EXP-2
        if venue.announced and venue.announced[1] > self.now_s:
            next_end_s = venue.announced[0].expiry_time_s
            require(not next_end_s or c.aux < next_end_s * 1000, "PRICE_STALE")
        self.follow_parameters(venue, market)
        if venue.spec.expiry_time_s and c.aux >= venue.spec.expiry_time_s * 1000:
            self.end_market(venue, c)
            return
        age = venue.spec.index_age_max_ms
        if venue.index_price and self.now_s * 1000 - venue.index_ms > age:
            venue.grace_until_s = self.now_s + venue.spec.grace_s  # MARK-3
        waits = self.now_s < venue.grace_until_s
        venue.index_price, venue.index_ms = c.price_ticks, c.aux
        self.move_mark(venue, market)
        told = {"price": venue.rules.mark, "qty": c.price_ticks, "amount": c.aux}
        self.say("PRICE", market, flags=int(waits), **told)
        self.settle_funding(venue, market)
        if not venue.is_continuous:
            return
        self.fire_triggers(venue, market)
        self.liquidate_all(venue, market, waits)

    def liquidate_all(self, venue: Venue, market: int, waits: bool) -> None:
        tried: set[Key] = set()
        self.passed, self.was_passed, self.asked_later = set(), set(), {}
        while not waits and (key := self.most_endangered(venue, market, tried)) is not None:
            tried.add(key)
            self.liquidate(venue, key)
            self.trim()
        self.unwind_fund(venue, market, waits)

    # The end of a market

    def end_market(self, venue: Venue, c: Command) -> None:
        """EXP-2: the last row."""
        market = c.market_id
        venue.index_price, venue.index_ms, venue.rules.mark = c.price_ticks, c.aux, c.price_ticks
        self.say("PRICE", market, price=c.price_ticks, qty=c.price_ticks, amount=c.aux)
        venue.state = MarketState.SETTLED
        self.say("MARKET_STATE", market, amount=venue.state)
        for key in [key for key in self.positions if key[1] == market]:
            self.drop_all(key, "MARKET_STATE")
        self.trim()
        self.liquidate_all(venue, market, waits=False)

    def settle_market(self, c: Command) -> None:
        """EXP-2; there are never more positions than one command delivers."""
        venue, market = self.venue(c), c.market_id
        require(venue.state == MarketState.SETTLED, "MARKET_STATE")
        keys = [k for k in self.positions if k[1] == market and k[0] != FUND]
        held = {k: self.positions[k].lots for k in keys if k not in self.frozen}
        sides = [k for k in held if held[k] > 0], [k for k in held if held[k] < 0]
        while queue := sides[self.positions[FUND, market].lots > 0]:
            key = queue.pop(0)
            p, fund, price = self.positions[key], self.positions[FUND, market], venue.index_price
            try:
                after, fund_after = venue.rules.deliver_to(fund, p, price)
            except RefusedError:
                continue
            if not self.pays(market, after):
                continue
            self.say(
                "POSITION_SETTLED", market, account=key[0], side=int(p.lots < 0), price=price,
                qty=abs(p.lots), amount=after.free,
                amount_2=-min(0, venue.rules.deliver(p, price).margin),
            )  # fmt: skip
            self.commit(key, after)
            self.commit((FUND, market), fund_after)
