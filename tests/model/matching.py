"""Matching of the slow model: MATCH-1 to MATCH-4 of SPEC §3, and what orders ask for on entry."""

from __future__ import annotations

from contextlib import suppress
from copy import copy

from matcher.engine.commands import FLAG_POST_ONLY, TIF_FOK, TIF_GTC, MarketState
from matcher.engine.instructions import FLAG_ON_LAST, FLAG_SLIDES, SelfTradePrevention
from tests.model.floor import Order, require
from tests.model.limits import Limits
from tests.model.margin import Bucket, RefusedError

OVERDUE_MAX = 4_096  # orders that are due to end which a post-only order looks past
ORDER_LOTS_MAX = 2**32 - 2
TRIAL_STEPS_MAX = 4_096
UNBOUND = 2**64


class Matching(Limits):
    """Orders against the book."""

    def __init__(self, order_max: int) -> None:
        super().__init__(order_max)
        self.looked: set[tuple[int, int, int, int | None]] = set()  # orders, parts of icebergs
        self.trial_steps = 0  # how many of these all trials have looked at
        self.trials_until = UNBOUND  # what that number reaches in a group

    def judge(self, o: Order, lots: int, price: int, fee_ppm: int) -> Bucket:
        """MATCH-2: FILL-1 to FILL-6 on a copy."""
        account, market = o.key
        return self.venues[market].rules.fill(
            self.positions[o.key], o.sign, lots, price, fee_ppm, margin=o.c.amount_quote,
            order_lots=o.c.qty_lots, filled=o.filled,
            free=self.unreserved(account) + self.reservation(o.key),
        )  # fmt: skip

    def dead(self, maker: Order) -> str | None:
        if maker.c.expiry_time_s <= self.now_s:
            return "EXPIRED"
        if maker.key in self.frozen:
            return "FROZEN"
        return "SIBLING_ENDED" if maker.is_doomed else None

    def offer(self, o: Order) -> int:
        """Lots that the order can fill now; a resting iceberg what it shows."""
        lots = o.left if o.turn is None else o.visible
        only_reduces = o.reduces or self.is_risk_paused
        return min(lots, self.holds(o.key, o.c.side)) if only_reduces else lots

    def unable(self, o: Order) -> str:
        """Why an order ends that may only reduce and finds nothing to reduce."""
        return "REDUCE_ONLY" if o.reduces else "RISK_PAUSED"

    def discarded(self, maker: Order) -> bool:
        """MATCH-2: cancel a resting order that is not fit to fill."""
        reason = self.dead(maker) or (None if self.offer(maker) else self.unable(maker))
        if reason:
            self.drop(maker, reason)
        return reason is not None

    def judged(self, maker: Order, lots: int, price: int = 0) -> Bucket | None:
        """MATCH-2: the resting order's outcome; None: it was refused and is cancelled."""
        fee_ppm = self.venues[maker.key[1]].spec.fee_maker_ppm
        try:
            return self.judge(maker, lots, price or maker.price, fee_ppm)
        except RefusedError as refused:
            self.drop(maker, str(refused))
            return None

    def fillable(self, o: Order, target: int) -> bool:
        """MATCH-4, MIN-1: try it on a copy of everything."""
        trial = copy(self)
        trial.orders = [copy(each) for each in self.orders]
        trial.venues = {market: copy(venue) for market, venue in self.venues.items()}
        trial.free, trial.positions = self.free.copy(), self.positions.copy()
        trial.after, trial.doomed, trial.events, trial.looked = {}, [], [], set()
        twin = trial.orders[self.orders.index(o)]
        with suppress(RefusedError):
            trial.match(twin, target)
        limit = min(TRIAL_STEPS_MAX, max(0, self.trials_until - self.trial_steps))
        self.trial_steps += min(len(trial.looked), limit + 1)
        return twin.filled >= target and len(trial.looked) <= limit

    def fill(self, o: Order, p: Bucket, lots: int) -> None:
        """Book a fill; ICE-1: the next part of an iceberg goes to the end of its level."""
        self.commit(o.key, p)
        self.fees += p.fee
        o.left -= lots
        if o.turn is not None and o.display:
            o.shown -= lots
        if o.left == 0 and o.turn is not None:
            self.end(o)
        elif o.turn is not None and o.display and o.shown == 0:
            o.shown = min(o.display, o.left)
            o.turn = self.next_turn()
            self.tell("ORDER_REPLENISHED", o, qty=o.shown)

    def overdraw(self, o: Order) -> None:
        if self.unreserved(o.key[0]) < 0:
            self.mark(o.key, "TRIM")

    def next_turn(self) -> int:
        self.turns += 1
        return self.turns

    def say_fill(self, kind: str, maker: Order, lots: int, fee: int, **taker: int) -> None:
        account, market = maker.key
        venue = self.venues[market]
        venue.last_price = taker.pop("price", maker.price)
        waiting = [o for o in self.orders if o.key[1] == market and o.waits is not None]
        venue.has_traded |= any(o.asks(FLAG_ON_LAST) for o in waiting)
        self.say(
            kind, market, account=account, side=1 - maker.c.side, nonce=maker.c.nonce, amount=fee,
            price=venue.last_price, qty=lots, left=maker.left - lots, **taker,
        )  # fmt: skip

    def meet_own(self, o: Order, maker: Order) -> None:
        """STP-1: what the incoming order asks for; raises when it ends."""
        mode = o.c.instructions.self_trade
        lots = min(o.left, maker.left)
        if mode in (SelfTradePrevention.CANCEL_OLDEST, SelfTradePrevention.CANCEL_BOTH):
            self.drop(maker, "SELF_TRADE")
        elif mode == SelfTradePrevention.DECREMENT:
            if lots == maker.left:
                self.drop(maker, "SELF_TRADE")
            else:
                self.cut(maker, lots, "SELF_TRADE")
            if lots < o.left:
                self.cut(o, lots, "SELF_TRADE")
                return
        require(mode == SelfTradePrevention.CANCEL_OLDEST, "SELF_TRADE")

    def match(self, o: Order, target: int = ORDER_LOTS_MAX) -> None:
        """MATCH-1 to MATCH-3, until `target` lots are filled; raises why the order ends."""
        account, market = o.key
        while o.left and o.filled < target and (makers := self.crossed(o)):
            maker = makers[0]
            if self.offer(o):
                self.looked.add((*maker.key, maker.c.nonce, maker.turn))
            if self.dead(maker) is None and maker.key[0] == account:
                self.meet_own(o, maker)
                require(not o.is_doomed, "SIBLING_ENDED")
                continue
            if self.discarded(maker):
                require(not o.is_doomed, "SIBLING_ENDED")
                continue
            lots = min(self.offer(maker), self.offer(o))
            require(lots > 0, self.unable(o))
            lots = self.within_open_interest(o, maker, lots)
            require(lots > 0, "OPEN_INTEREST_LIMIT")
            if (made := self.judged(maker, lots)) is None:
                continue
            fee_ppm = self.venues[market].spec.fee_taker_ppm
            taken = self.judge(o, lots, maker.price, fee_ppm)
            if not self.pays(market, made, taken):
                require(not self.pays(market, made), "MARKET_CANNOT_PAY")
                self.drop(maker, "MARKET_CANNOT_PAY")
                continue
            party = {"account_2": account, "nonce_2": o.c.nonce, "amount_2": taken.fee}
            self.say_fill("FILL", maker, lots, made.fee, **party)
            self.fill(o, taken, lots)
            self.fill(maker, made, lots)
            self.overdraw(maker)
            self.overdraw(o)

    def met_live(self, o: Order) -> list[Order]:
        """POST-1: orders that it would meet and that are not due to end."""
        found = self.crossed(o)
        live = [m for m in found[:OVERDUE_MAX] if m.c.expiry_time_s > self.now_s]
        return live + found[OVERDUE_MAX:]

    def end_overdue(self, o: Order) -> None:
        """POST-1: what a post-only order would meet and is due to end, ends first."""
        for met in self.crossed(o) if o.c.flags & FLAG_POST_ONLY else ():
            if met.c.expiry_time_s > self.now_s:
                return
            self.drop(met, "EXPIRED")

    def slide(self, o: Order) -> None:
        """POST-1: one tick behind the opposite best price."""
        makers = self.met_live(o) if o.c.flags & FLAG_POST_ONLY and o.asks(FLAG_SLIDES) else []
        price = makers[0].price - o.sign if makers else 0
        if 1 <= price <= self.venues[o.key[1]].spec.price_ticks_max:
            o.price = price
            self.tell("ORDER_REPRICED", o)

    def enter(self, o: Order) -> None:
        """MATCH-4, MIN-1, POST-1; raises why the order ends."""
        self.end_overdue(o)
        require(not o.is_doomed, "SIBLING_ENDED")
        self.slide(o)
        if o.asks(FLAG_SLIDES) and self.trials_until != UNBOUND:
            self.check_fit(o)  # an earlier item of its group may have ended what it slid behind
        takes = o.c.flags & FLAG_POST_ONLY and self.met_live(o)
        require(not takes, "POST_ONLY_WOULD_TAKE")
        require(o.c.time_in_force != TIF_FOK or self.fillable(o, o.left), "FOK_NOT_FILLABLE")
        least = o.c.instructions.min_lots
        require(least == 0 or self.fillable(o, least), "MIN_QTY_NOT_MET")

    def execute(self, o: Order) -> None:
        self.protect(o)
        try:
            self.enter(o)
            if (venue := self.venues[o.key[1]]).state != MarketState.AUCTION:
                require(not self.crossed(o) or self.price_holds(venue), "PRICE_STALE")
                self.match(o)
            if o.left:
                require(o.c.time_in_force == TIF_GTC, "IMMEDIATE_REMAINDER")
                self.rest(o)
            else:
                self.end(o)
        except RefusedError as refused:
            self.drop(o, str(refused))
        self.trim()

    def rest(self, o: Order) -> None:
        o.turn, o.shown = self.next_turn(), min(o.display, o.left)
        if o.reduces:
            self.mark(o.key, "MOVE")
