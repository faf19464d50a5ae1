"""The order rules of one market, on their own: a slow model written from SPEC §3 alone.

Margin decides nothing for its accounts; it is told the mark of a row (MARK-1). Left out: AUC-1,
AUC-2, AUCTION, ORD-4 and limits that only many orders reach; CAP-1, MARK-4, freezes, pauses.
"""

from __future__ import annotations

from copy import deepcopy

from margin_core import MarketSpec
from matcher.engine.commands import FLAG_POST_ONLY, FLAG_REDUCE_ONLY, SIDE_ANY, TIF_FOK, Command
from matcher.engine.commands import CommandKind as Kind
from matcher.engine.commands import MarketState as State
from matcher.engine.instructions import FLAG_ATTACHED, FLAG_ON_LAST, FLAG_SLIDES

Seen = tuple[str | int, ...]  # an event: its kind, nonces, reason, prices and lots


class Order:
    """An order. `sign` is 1 of a buy, `up` of an upward trigger, else -1."""

    def __init__(self, c: Command) -> None:
        w, self.key, self.old = c.instructions, (c.account, c.nonce), c.old_nonce or c.nonce
        self.account, self.nonce, self.side, self.tif = c.account, c.nonce, c.side, c.time_in_force
        self.session, self.expiry_s, self.sibling = c.session, c.expiry_time_s, w.oco_nonce
        self.left, self.price, self.trigger = c.qty_lots, c.price_ticks, c.trigger_price_ticks
        self.filled, self.shown = 0, c.qty_lots  # of a resting order, what the book shows
        self.sign, self.up, self.waits = 1 - 2 * c.side, c.trigger_kind % 2 * 2 - 1, c.trigger_kind
        self.posts, self.reduces = bool(c.flags & FLAG_POST_ONLY), bool(c.flags & FLAG_REDUCE_ONLY)
        self.on_last, self.trail = bool(w.flags & FLAG_ON_LAST), w.trailing_ticks
        self.slides, self.is_attached = w.flags & FLAG_SLIDES, w.flags & FLAG_ATTACHED
        self.self_trade, self.display, self.least = w.self_trade, w.display_lots, w.min_lots


class Book:
    """Lists in order: `live` by age, `resting` by time, `waiting` by arrival at the trigger."""

    def __init__(self, spec: MarketSpec) -> None:
        self.spec, self.state, self.now_s, self.mark, self.last = spec, State.OPEN, 0, 0, 0
        self.live, self.resting, self.waiting = list[Order](), list[Order](), list[Order]()
        self.orphans, self.used = list[Order](), set[tuple[int, int]]()  # their siblings have ended
        self.lots, self.touched = dict[int, int](), dict[int, bool]()  # was it closed or turned?
        self.seen, self.has_traded = list[Seen](), False  # since trails moved on the last price

    def apply(self, commands: list[Command], time_ns: int, mark: int) -> list[Seen]:
        """TIF-1, CXL-1: do a command, or a group; `mark` is that after it."""
        self.seen, self.now_s, self.mark, c = [], time_ns // 10**9, mark, commands[0]
        for o in sorted(self.live, key=lambda o: o.expiry_s):
            if o.expiry_s <= self.now_s:
                self.end(o, "EXPIRED")
        self.settle()
        if c.kind == Kind.CANCEL_ALL:
            for o in self.newest(c.account):
                if c.side in (SIDE_ANY, o.side) and c.session in (0, o.session):
                    self.end(o, "USER_CANCELED")
        elif c.kind == Kind.PRICE:
            self.fire(on_last=False)
        elif c.kind == Kind.SET_MARKET_STATE:
            self.state = State(c.aux)  # STATE-1
            for o in [o for a in self.lots for o in self.newest(a) if not o.reduces]:
                if self.state == State.DELISTING:
                    self.end(o, "MARKET_STATE")
        elif c.kind != Kind.TICK:
            self.group(commands)
        self.settle()
        self.fire(on_last=True)
        return self.seen

    def find(self, account: int, nonce: int) -> Order | None:
        return next((o for o in self.live if o.key == (account, nonce)), None)

    def newest(self, account: int) -> list[Order]:
        return [o for o in reversed(self.live) if o.account == account]

    def met(self, o: Order) -> Order | None:
        """MATCH-1: price, then time."""
        hits = [x for x in self.resting if x.sign != o.sign and o.sign * (o.price - x.price) >= 0]
        return min(hits, key=lambda x: o.sign * x.price, default=None)

    def room(self, o: Order) -> int:
        """MATCH-2: a reduce-only order fills at most the position."""
        return max(0, -o.sign * self.lots.get(o.account, 0)) if o.reduces else 2**40

    def admits(self, o: Order) -> bool:
        """STATE-1."""
        only = {State.POST_ONLY: o.posts, State.REDUCE_ONLY: o.reduces, State.DELISTING: o.reduces}
        return self.state == State.OPEN or only.get(self.state, False)

    def refusal_of_sibling(self, o: Order, old: Order | None) -> str:
        """OCO-1; REP-1: an order takes the place of the old one."""
        s = self.find(o.account, o.sibling)
        if s is None or s is old:
            return "ORDER_UNKNOWN" if (o.account, o.sibling) in self.used else ""
        is_named = s.sibling == o.nonce or (old is not None and self.partner(old) is s)
        exits = o.sign == s.sign and not any(x.tif or x.waits or not x.reduces for x in (o, s))
        return "" if is_named and not exits else "INSTRUCTIONS_INVALID"

    def price_of_entry(self, o: Order) -> int:
        """POST-1: where it rests; 0: it would take."""
        first = self.met(o) if o.posts else None
        slid = first.price - o.sign if first and o.slides else 0
        return o.price if first is None else slid * (slid <= self.spec.price_ticks_max)

    def excess(self, o: Order) -> int:
        """BAND-1: ticks beyond the worst price that is admitted."""
        band = o.sign * (self.spec.order_band_ppm or 2**60)
        return max(0, o.sign * o.price - o.sign * self.mark * (10**6 + band) // 10**6)

    def is_due(self, o: Order) -> bool:
        """TRIG-1, TRIG-2."""
        price = self.last if o.on_last else self.mark
        return price > 0 and o.up * (price - o.trigger) >= 0

    def can_reduce(self, o: Order) -> bool:
        """ORD-1, TRIG-4: what waits may have an opening order instead of a position."""
        opens = any(x.sign != o.sign and not x.reduces for x in self.newest(o.account))
        return self.room(o) > 0 or bool(o.waits and opens)

    def idle(self, account: int) -> list[Order]:
        """TRIG-4."""
        return [o for o in self.newest(account) if o in self.waiting and not self.can_reduce(o)]

    def refusal(self, c: Command, named: set[tuple[int, int]], before: Book) -> str:
        """ORD-1, AMD-1, REP-1 by precedence; GRP-1: post-only looks at the book `before`."""
        o, ticks = Order(c), {*range(1, self.spec.price_ticks_max + 1)}
        names = c.kind != Kind.PLACE and (c.account, o.old) not in named
        old = self.find(c.account, o.old) if names else None
        if c.kind != Kind.PLACE and old is None:
            return "ORDER_UNKNOWN"
        if c.kind in (Kind.AMEND, Kind.CANCEL):
            fits = not old or c.kind == Kind.CANCEL or 1 <= o.left <= old.left + old.filled
            return "" if fits else "QTY_OUT_OF_RANGE"
        price = o.price if o.waits else before.price_of_entry(o)
        o.price, sibling = price or o.price, self.refusal_of_sibling(o, old)
        checks = (
            ("SIDE_MISMATCH", old and old.sign != o.sign),
            ("UNFILLED_MISMATCH", old and c.unfilled_lots not in (0, old.left)),
            ("MARKET_STATE", not self.admits(o)), ("EXPIRED", c.expiry_time_s <= self.now_s),
            ("NONCE_USED", o.key in self.used),
            ("QTY_OUT_OF_RANGE", not 1 <= o.left <= self.spec.position_lots_max),
            ("PRICE_OUT_OF_RANGE", {c.price_ticks, o.trigger if o.waits else 1} - ticks),
            ("TIME_IN_FORCE", o.posts and o.tif),
            (sibling, sibling), ("POST_ONLY_WOULD_TAKE", price == 0),
            ("REDUCE_ONLY", o.reduces and (c.amount_quote or not self.can_reduce(o))),
            ("PRICE_OUT_OF_RANGE", o.waits and self.is_due(o)),
            ("PRICE_BAND", not (o.waits or o.tif) and self.excess(o)),
        )  # fmt: skip
        return next((reason for reason, is_met in checks if is_met), "")

    def group(self, commands: list[Command]) -> None:
        """GRP-1; one command is a group of its own."""
        draft, named = deepcopy(self), set[tuple[int, int]]()
        for c in commands:
            if reason := draft.refusal(c, named, self):
                for x in commands:
                    self.seen.append(("REJECTED", x.nonce, reason if x is c else "GROUP_REJECTED"))
                return
            named |= {draft.admit(c).key, (c.account, Order(c).old)}
        for o in [self.admit(c) for c in commands]:
            if o in self.live:
                (self.waiting.append if o.waits else self.execute)(o)

    def admit(self, c: Command) -> Order:
        """AMD-1, REP-1: do what is asked for, short of matching."""
        o, old = Order(c), self.find(c.account, Order(c).old)
        if old and c.kind == Kind.AMEND:
            self.cut(old, min(old.left, old.left + old.filled - o.left), "")
        elif old:
            if (heir := self.partner(old)) and heir.nonce == o.sibling:
                heir.sibling = o.nonce
            self.end(old, "REPLACED" if c.kind == Kind.REPLACE else "USER_CANCELED")
        if c.kind in (Kind.PLACE, Kind.REPLACE):
            self.seen.append(("ACCEPTED", o.nonce))
            self.used.add(o.key)
            self.live.append(o)
            self.lots.setdefault(o.account, 0)
        return o

    def partner(self, o: Order) -> Order | None:
        """OCO-1: siblings name each other."""
        s = self.find(o.account, o.sibling)
        return s if s and s.sibling == o.nonce else None

    def end(self, o: Order, reason: str) -> None:
        """OCO-1: who ends, however, leaves an orphan; who has filled ends without a word."""
        if reason:
            self.seen.append(("CANCELED", o.nonce, reason, o.left))
        self.orphans += [s for s in [self.partner(o)] if s]
        for orders in (self.live, self.resting, self.waiting, self.orphans):
            orders[:] = [x for x in orders if x is not o]

    def cut(self, o: Order, lots: int, reason: str) -> None:
        """AMD-1, RED-1, STP-1: take lots off for good; the order keeps its place."""
        if lots == o.left:
            self.end(o, reason or "USER_CANCELED")
        else:
            o.left, o.shown = o.left - lots, min(o.shown, o.left - lots)
            self.seen.append(("AMENDED", o.nonce, reason or "NONE", o.left + o.filled, o.left))

    def settle(self) -> None:
        """OCO-1; then of each position ATT-1, RED-1, TRIG-4, newest first, as the engine."""
        for account in dict.fromkeys([*self.touched, *self.lots]):
            while self.orphans:
                self.end(self.orphans[0], "SIBLING_ENDED")
            for o in self.newest(account):
                if self.touched.get(account) and o.is_attached:
                    self.end(o, "POSITION_CLOSED")
            for o in self.newest(account) if account in self.touched else ():
                mine = [x for x in self.resting if x.account == account and x.sign == o.sign]
                excess = sum(x.left for x in mine if x.reduces) - self.room(o)
                if o in mine and excess > 0:
                    self.cut(o, min(excess, o.left), "REDUCE_ONLY")
            while gone := self.idle(account) or self.orphans.copy():
                reason = "SIBLING_ENDED" if self.can_reduce(gone[0]) else "REDUCE_ONLY"
                for o in gone:
                    self.end(o, reason)
        self.touched = {}

    def execute(self, o: Order) -> None:
        """BAND-1, POST-1, MATCH-4, MIN-1: let an order match, then rest."""
        price, is_fok = self.price_of_entry(o), o.tif == TIF_FOK
        ends = "SIBLING_ENDED" if o in self.orphans else "" if self.admits(o) else "MARKET_STATE"
        if price not in (0, o.price) and not ends:
            o.price = price
            self.seen.append(("REPRICED", o.nonce, price))
        o.price -= o.sign * self.excess(o) if o.tif else 0
        draft, twin = deepcopy((self, o))  # a trial on copies of everything
        draft.match(twin)
        if ends:
            self.end(o, ends)
        elif self.excess(o):
            self.end(o, "PRICE_BAND")
        elif price == 0:
            self.end(o, "POST_ONLY_WOULD_TAKE")
        elif twin.filled < (o.left if is_fok else o.least):
            self.end(o, "FOK_NOT_FILLABLE" if is_fok else "MIN_QTY_NOT_MET")
        else:
            self.match(o)
        if o in self.live and o.tif:
            self.end(o, "SIBLING_ENDED" if o in self.orphans else "IMMEDIATE_REMAINDER")
        elif o in self.live:
            self.resting.append(o)
            o.shown = min(o.display or o.left, o.left)
            self.touched.setdefault(o.account, False)
        self.settle()

    def match(self, o: Order) -> None:
        """MATCH-2, MATCH-3, STP-1: with each order that it meets, one of two ends, or they fill."""
        while o in self.live and (m := self.met(o)):
            mode, least = o.self_trade, min(m.left, o.left)
            if orphans := [x for x in (m, o) if x in self.orphans]:
                self.end(orphans[0], "SIBLING_ENDED")
            elif m.account == o.account:
                for x in ([o], [m], [m, o], [m, o])[mode]:
                    self.cut(x, least if mode == 3 else x.left, "SELF_TRADE")
            elif not (self.room(m) and self.room(o)):
                self.end(o if self.room(m) else m, "REDUCE_ONLY")
            else:
                self.fill(m, o)

    def fill(self, m: Order, t: Order) -> None:
        """MATCH-1: at the resting order's price; ICE-1: its next part goes to the end."""
        lots = min(m.shown, t.left, self.room(m), self.room(t))
        self.last, self.has_traded = m.price, True
        for o in (t, m):
            held = self.lots[o.account]
            self.lots[o.account] = now = held + o.sign * lots
            self.touched[o.account] = self.touched.get(o.account) or held * now <= 0 < abs(held)
            o.filled, o.left, o.shown = o.filled + lots, o.left - lots, o.shown - lots
        self.seen.append(("FILL", m.nonce, t.nonce, m.price, lots, m.left))
        if m.left and not m.shown:
            self.resting.append(self.resting.pop(self.resting.index(m)))
            m.shown = min(m.display, m.left)
            self.seen.append(("REPLENISHED", m.nonce, m.shown))
        for o in (m, t):
            if not o.left:
                self.end(o, "")

    def fire(self, on_last: bool) -> None:
        """TRIG-1 to TRIG-3: trails move; what is due, its sibling ended, is as if it came now."""
        if self.state == State.HALTED:
            return
        price = self.last if on_last else self.mark
        trails = [o for o in self.waiting if o.on_last == on_last and o.trail]
        for o in sorted(trails, key=lambda o: o.up * (price - o.trigger) + o.trail):
            lag = o.up * (o.trigger - price) - o.trail
            if lag > 0 and (self.has_traded or not on_last):
                o.trigger -= o.up * lag
                self.waiting.append(self.waiting.pop(self.waiting.index(o)))
        self.has_traded = self.has_traded and not on_last
        while due := [o for o in self.waiting if o.on_last == on_last and self.is_due(o)]:
            o = min(due, key=lambda o: (-o.up, o.up * o.trigger))
            sibling, o.sibling, o.waits = self.partner(o), 0, 0
            self.waiting.remove(o)
            self.seen.append(("TRIGGERED", o.nonce, self.last if on_last else self.mark))
            if sibling:
                self.end(sibling, "SIBLING_ENDED")
            self.execute(o)
