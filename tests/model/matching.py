"""Matching of the slow model: MATCH-1 to MATCH-4 of SPEC §3."""

from __future__ import annotations

from contextlib import suppress
from copy import copy

from matcher.engine.commands import FLAG_POST_ONLY, TIF_FOK, TIF_GTC
from tests.model.floor import Floor, Order, require
from tests.model.margin import Bucket, RefusedError


class Matching(Floor):
    """Orders against the book."""

    def judge(self, o: Order, lots: int, price: int, fee_ppm: int) -> Bucket:
        """MATCH-2: FILL-1 to FILL-6 on a copy."""
        account, market = o.key
        return self.venues[market].rules.fill(
            self.positions[o.key], o.sign, lots, price, fee_ppm, margin=o.c.amount_quote,
            order_lots=o.c.qty_lots, filled=o.c.qty_lots - o.left,
            free=self.unreserved(account) + self.reservation(o.key),
        )  # fmt: skip

    def judge_maker(self, maker: Order, lots: int) -> Bucket:
        fee_ppm = self.venues[maker.key[1]].spec.fee_maker_ppm
        return self.judge(maker, lots, maker.c.price_ticks, fee_ppm)

    def dead(self, maker: Order) -> str | None:
        if maker.c.expiry_time_s <= self.now_s:
            return "EXPIRED"
        return "FROZEN" if maker.key in self.frozen else None

    def offer(self, o: Order) -> int:
        """Lots that the order can fill now."""
        return min(o.left, self.holds(o.key, o.c.side)) if o.reduces else o.left

    def discarded(self, maker: Order, account: int) -> bool:
        """MATCH-2, MATCH-3: cancel a resting order that is not fit to fill."""
        reason = self.dead(maker)
        if reason is None:
            require(maker.key[0] != account, "SELF_TRADE")
            reason = None if self.offer(maker) else "REDUCE_ONLY"
        if reason:
            self.drop(maker, reason)
        return reason is not None

    def judged(self, maker: Order, lots: int) -> Bucket | None:
        """MATCH-2: the resting order's outcome; None: it was refused and is cancelled."""
        try:
            return self.judge_maker(maker, lots)
        except RefusedError as refused:
            self.drop(maker, str(refused))
            return None

    def fillable(self, o: Order) -> bool:
        """MATCH-4 of a FOK order: try it on a copy of everything."""
        trial = copy(self)
        trial.orders = [copy(each) for each in self.orders]
        trial.venues = {market: copy(venue) for market, venue in self.venues.items()}
        trial.free, trial.positions = self.free.copy(), self.positions.copy()
        trial.overdrawn, trial.events = [], []
        twin = trial.orders[self.orders.index(o)]
        with suppress(RefusedError):
            trial.match(twin)
        return twin.left == 0

    def fill(self, o: Order, p: Bucket, lots: int) -> None:
        self.commit(o.key, p)
        self.fees += p.fee
        o.left -= lots
        if o.left == 0:
            self.orders.remove(o)
        if self.unreserved(o.key[0]) < 0:
            self.overdrawn.append(o.key)

    def say_fill(self, kind: str, maker: Order, lots: int, fee: int, **taker: int) -> None:
        account, market = maker.key
        self.say(
            kind, market, account=account, side=1 - maker.c.side, nonce=maker.c.nonce, amount=fee,
            price=maker.c.price_ticks, qty=lots, left=maker.left - lots, **taker,
        )  # fmt: skip

    def match(self, o: Order) -> None:
        """MATCH-1 to MATCH-3; raises why the order ends."""
        account, market = o.key
        while o.left and (makers := self.crossed(o)):
            maker = makers[0]
            if self.discarded(maker, account):
                continue
            lots = min(self.offer(maker), self.offer(o))
            require(lots > 0, "REDUCE_ONLY")
            if (made := self.judged(maker, lots)) is None:
                continue
            fee_ppm = self.venues[market].spec.fee_taker_ppm
            taken = self.judge(o, lots, maker.c.price_ticks, fee_ppm)
            party = {"account_2": account, "nonce_2": o.c.nonce, "amount_2": taken.fee}
            self.say_fill("FILL", maker, lots, made.fee, **party)
            self.fill(maker, made, lots)
            self.fill(o, taken, lots)

    def execute(self, o: Order) -> None:
        try:
            takes = o.c.flags & FLAG_POST_ONLY and self.crossed(o)
            require(not takes, "POST_ONLY_WOULD_TAKE")
            require(o.c.time_in_force != TIF_FOK or self.fillable(o), "FOK_NOT_FILLABLE")
            self.match(o)
            if o.left:
                require(o.c.time_in_force == TIF_GTC, "IMMEDIATE_REMAINDER")
                o.turn = self.turns = self.turns + 1
        except RefusedError as refused:
            if o.left:
                self.drop(o, str(refused))
        self.trim()
