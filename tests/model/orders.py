"""The commands of the slow model that make, change and end orders."""

from __future__ import annotations

from copy import deepcopy

from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    TIF_FOK,
    TIF_GTC,
    Command,
    CommandKind,
    MarketState,
)
from matcher.engine.instructions import (
    FLAG_ATTACHED,
    FLAG_ON_LAST,
    FLAG_SLIDES,
    PLAIN,
    SelfTradePrevention,
)
from tests.model.floor import FUND, Key, Order, Venue, require
from tests.model.liquidation import Waterfall
from tests.model.margin import Bucket, RefusedError
from tests.model.matching import ORDER_LOTS_MAX, UNBOUND

QUOTE_MAX = 2**60
ASCENDING = 2**63  # SIG-5: nonces from here on
ICEBERG_PARTS_MAX = 256
ORDERS_MAX = 4_096  # of an account in a market
ORDERS_FREE = 128  # there, from which on those in all markets are counted
ACCOUNT_ORDERS_MAX = 16_384
WAITING_MAX = 32  # likewise, of those that wait for a trigger
TRAILS_MAX = 4_096  # of a market
GROUP_STEPS_MAX = 16_384  # orders that all trials of a group's orders look at
GROUP = 64  # nonces that are remembered together (SIG-6)
GROUP_USED_MIN = 16
SPARSE_GROUPS_MAX = 1_024
SPARSE_LEAK_S = 60


class Orders(Waterfall):
    """ORD-1 to ORD-4, AMD-1, REP-1, GRP-1, CXL-1."""

    def __init__(self, order_max: int) -> None:
        super().__init__(order_max)
        self.nonces: set[Key] = set()
        self.groups: dict[int, dict[int, set[int]]] = {}  # SIG-6: of an account, what is used
        self.sparse_until_s: dict[int, int] = {}  # from then on its sparse ones are forgiven
        self.floors: dict[int, int] = {}  # nonces below are used
        self.latest: dict[int, int] = {}  # highest ascending nonce that was used
        self.names: dict[int, Key] = {}  # order id of the engine: account and nonce

    def refuse(self, c: Command, reason: str) -> None:
        places = c.kind in (CommandKind.PLACE, CommandKind.REPLACE)
        kind = "ORDER_REJECTED" if places else "COMMAND_REJECTED"
        told = {"account": c.account, "side": c.side, "nonce": c.nonce}
        self.say(kind, c.market_id, reason=reason, **told)

    def venue(self, c: Command) -> Venue:
        require(c.market_id in self.venues, "MARKET_UNKNOWN")
        return self.venues[c.market_id]

    def check_account(self, c: Command) -> None:
        require(c.account != FUND and c.account in self.free, "ACCOUNT_UNKNOWN")

    def check_signed(self, c: Command) -> None:
        require(c.expiry_time_s > self.now_s, "EXPIRED")
        require(not self.is_used(c.account, c.nonce), "NONCE_USED")

    def check_signed_move(self, c: Command) -> None:
        """SIG-5: ascending nonces are for orders alone."""
        self.check_signed(c)
        require(c.nonce < ASCENDING, "NONCE_USED")

    def is_used(self, account: int, nonce: int) -> bool:
        if nonce >= ASCENDING and nonce <= self.latest.get(account, 0):
            return True
        return (account, nonce) in self.nonces or nonce < self.floors.get(account, 0)

    def use_nonce(self, account: int, nonce: int) -> None:
        if nonce >= ASCENDING:
            self.latest[account] = max(self.latest.get(account, 0), nonce)
            return
        if self.leaves_sparse(account, nonce):
            begin_s = max(self.now_s, self.sparse_until_s.get(account, 0))
            self.sparse_until_s[account] = begin_s + SPARSE_LEAK_S
        self.nonces.add((account, nonce))
        self.groups.setdefault(account, {}).setdefault(nonce // GROUP, set()).add(nonce)

    def leaves_sparse(self, account: int, nonce: int) -> bool:
        """SIG-6: the nonce leaves a group of which little was used, or is alone in a lower one."""
        groups, group = self.groups.get(account, {0: set[int]()}), nonce // GROUP
        highest = max(groups)
        if nonce >= ASCENDING or group == highest:
            return False
        if group < highest:
            return not groups.get(group)
        return 0 < len(groups[highest]) < GROUP_USED_MIN

    def check_nonce_room(self, account: int, nonce: int) -> None:
        """SIG-6."""
        waits_s = self.sparse_until_s.get(account, 0) - self.now_s
        is_full = waits_s > (SPARSE_GROUPS_MAX - 1) * SPARSE_LEAK_S
        require(not is_full or not self.leaves_sparse(account, nonce), "CAPACITY")

    def raise_floor(self, account: int, floor: int) -> None:
        """SIG-1: nonces below are dead; those of the highest group count as used (SIG-6)."""
        if floor <= self.floors.get(account, 0):
            return
        self.floors[account] = floor
        groups = self.groups.setdefault(account, {0: set[int]()})
        if floor // GROUP >= max(groups):
            dead = range(floor // GROUP * GROUP, floor)
            groups.setdefault(floor // GROUP, set()).update(dead)

    # Placing

    def place(self, c: Command) -> None:
        self.begin(self.accept(c, self.check_place(c)))

    def check_place(self, c: Command, old: Order | None = None) -> Order:
        """ORD-1; `old` is the order that it replaces."""
        venue = self.venue(c)
        self.check_account(c)
        self.check_state(venue, c)
        self.check_signed(c)
        may_wait = c.time_in_force == TIF_GTC or c.trigger_kind
        require(c.nonce < ASCENDING or not may_wait, "NONCE_USED")
        self.check_form(c, venue)
        key = (c.account, c.market_id)
        order = Order(key, c, c.qty_lots)
        if c.instructions != PLAIN:
            self.check_instructions(c, venue)
            self.check_sibling(order, old)
        self.check_standing(order, venue)
        more = self.reservation(key, c) - self.reservation(key)
        require(more <= self.unreserved(c.account), "INSUFFICIENT_FREE_COLLATERAL")
        own = [o for o in self.orders if o.key == key]
        waiting = [o for o in own if o.is_waiting]
        require(len(own) < ORDERS_MAX, "CAPACITY")
        of_all = [o for o in self.orders if o.key[0] == c.account]
        is_few = len(own) < ORDERS_FREE or len(of_all) < ACCOUNT_ORDERS_MAX
        require(is_few, "CAPACITY")
        require(not c.trigger_kind or len(waiting) < WAITING_MAX, "CAPACITY")
        trails = [o for o in self.orders if o.key[1] == c.market_id and o.trails]
        require(not c.instructions.trailing_ticks or len(trails) < TRAILS_MAX, "CAPACITY")
        require(len(self.orders) < self.order_max, "CAPACITY")
        self.check_nonce_room(c.account, c.nonce)
        return order

    def check_form(self, c: Command, venue: Venue) -> None:
        spec, ticks = venue.spec, range(1, venue.spec.price_ticks_max + 1)
        require(1 <= c.qty_lots <= min(ORDER_LOTS_MAX, spec.position_lots_max), "QTY_OUT_OF_RANGE")
        require(c.price_ticks in ticks, "PRICE_OUT_OF_RANGE")
        require(not c.trigger_kind or c.trigger_price_ticks in ticks, "PRICE_OUT_OF_RANGE")
        require(c.side <= 1, "SIDE_MISMATCH")
        kinds = 2 if c.instructions == PLAIN else 4
        require(c.time_in_force <= 2 and c.trigger_kind <= kinds and c.flags <= 3, "TIME_IN_FORCE")
        require(not c.flags & FLAG_POST_ONLY or c.time_in_force == TIF_GTC, "TIME_IN_FORCE")

    def check_instructions(self, c: Command, venue: Venue) -> None:
        """ORD-4."""
        w, post_only = c.instructions, c.flags & FLAG_POST_ONLY
        engine_judges = bool(w.trailing_ticks or w.flags & FLAG_ON_LAST)
        valid = [
            w.self_trade in set(SelfTradePrevention) and w.flags <= 7,
            (c.trigger_kind in (3, 4)) == engine_judges,
            w.trailing_ticks <= venue.spec.price_ticks_max,
            not w.flags & FLAG_SLIDES or post_only,
            not w.flags & FLAG_ATTACHED or c.flags & FLAG_REDUCE_ONLY,
            w.min_lots == 0 or (w.min_lots <= c.qty_lots and not post_only),
            w.min_lots == 0 or c.time_in_force != TIF_FOK,
            w.display_lots == 0 or c.time_in_force == TIF_GTC,
            w.display_lots == 0 or c.qty_lots <= w.display_lots * ICEBERG_PARTS_MAX,
            w.display_lots <= c.qty_lots,
        ]
        require(all(valid), "INSTRUCTIONS_INVALID")
        collects = venue.state == MarketState.AUCTION and not c.trigger_kind
        require(not collects or w.min_lots == 0, "MARKET_STATE")

    def are_siblings(self, a: Order, b: Order) -> bool:
        """OCO-1."""
        names = a.c.instructions.oco_nonce, b.c.instructions.oco_nonce
        return a.key == b.key and names == (b.c.nonce, a.c.nonce)

    def hand_over(self, old: Order, c: Command) -> None:
        """OCO-1: the old order's sibling that the replacement names belongs to that."""
        for s in self.orders:
            if self.are_siblings(s, old) and s.c.nonce == c.instructions.oco_nonce:
                s.c = s.c._replace(instructions=s.c.instructions._replace(oco_nonce=c.nonce))

    def would_rest_to_reduce(self, o: Order) -> bool:
        """OCO-1: of two such siblings of a side one is refused."""
        return o.reduces and not o.c.trigger_kind and o.c.time_in_force == TIF_GTC

    def check_sibling(self, o: Order, old: Order | None) -> None:
        """OCO-1."""
        nonce, account = o.c.instructions.oco_nonce, o.key[0]
        found = [s for s in self.orders if (s.key[0], s.c.nonce) == (account, nonce)]
        if nonce == 0:
            return
        require(nonce != o.c.nonce, "INSTRUCTIONS_INVALID")
        if found:
            fits = self.are_siblings(found[0], o) or (old and self.are_siblings(found[0], old))
            require(bool(fits), "INSTRUCTIONS_INVALID")
            both_rest = all(self.would_rest_to_reduce(each) for each in (found[0], o))
            require(not both_rest or found[0].c.side != o.c.side, "INSTRUCTIONS_INVALID")
        else:
            require(not self.is_used(account, nonce), "ORDER_UNKNOWN")

    def check_standing(self, o: Order, venue: Venue) -> None:
        c, key, reduces = o.c, o.key, o.reduces
        closing = self.holds(key, c.side)
        if not c.trigger_kind:
            told = len(self.events)
            self.slide(o)  # what follows is judged where it would rest
            del self.events[told:]
            takes = c.flags & FLAG_POST_ONLY and self.met_live(o)
            require(not takes, "POST_ONLY_WOULD_TAKE")
        if reduces:
            require(c.amount_quote == 0, "REDUCE_ONLY")
            require(self.is_backed(o) if c.trigger_kind else closing > 0, "REDUCE_ONLY")
        require(venue.rules.mark > 0, "NO_PRICE")
        require(not c.trigger_kind or not self.is_met(o, venue), "PRICE_OUT_OF_RANGE")
        if not c.trigger_kind:
            self.check_band(o)
        margins = [m.unfilled_margin for m in self.orders if m.key == key and m.c.side == c.side]
        require(0 <= c.amount_quote <= QUOTE_MAX - sum(margins), "AMOUNT_OUT_OF_RANGE")
        if not reduces and c.time_in_force == TIF_GTC and c.qty_lots > closing:
            least = self.least_margin(venue, o, c.qty_lots - closing)
            require(c.amount_quote >= least, "INSUFFICIENT_MARGIN")
        if c.trigger_kind:
            require(c.amount_quote >= self.margin_to_wait(o), "INSUFFICIENT_MARGIN")
        require(key not in self.frozen, "FROZEN")
        opens = not reduces and c.qty_lots > closing
        require(not self.is_risk_paused or not opens, "RISK_PAUSED")

    def accept(self, c: Command, order: Order) -> Order:
        order.price = c.price_ticks
        self.use_nonce(c.account, c.nonce)
        index = self.venues[c.market_id].rules.index
        self.positions.setdefault(order.key, Bucket(0, 0, 0, index))
        self.orders.append(order)
        self.tell("ORDER_ACCEPTED", order, amount=c.amount_quote, flags=c.flags)
        return order

    def begin(self, order: Order) -> None:
        if not order.c.trigger_kind:
            self.execute(order)
        elif order.reduces and not self.is_backed(order):
            self.drop(order, "REDUCE_ONLY")
        elif order.unfilled_margin < self.margin_to_wait(order):
            self.drop(order, "INSUFFICIENT_MARGIN")
        else:
            order.waits = self.next_turn()

    # Changing and ending

    def find(self, c: Command, nonce: int) -> Order:
        """By the order's id, or by its nonce when the id is 0."""
        key = self.names.get(c.order_id, (0, 0)) if c.order_id else (c.account, nonce)
        found = [o for o in self.orders if (o.key[0], o.c.nonce) == key]
        require(bool(found) and key[0] == c.account, "ORDER_UNKNOWN")
        return found[0]

    def cancel(self, c: Command) -> None:
        self.drop(self.find(c, c.nonce), "USER_CANCELED")

    def cancel_all(self, c: Command) -> None:
        """CXL-1."""
        if c.market_id:
            self.venue(c)
        self.check_account(c)
        for market in [c.market_id] if c.market_id else self.venues:
            for o in self.newest_first((c.account, market)):
                if c.session in (0, o.c.session) and c.side in (2, o.c.side):
                    self.drop(o, "USER_CANCELED")

    def amend(self, c: Command) -> None:
        """AMD-1."""
        o = self.find(c, c.nonce)
        total = o.c.qty_lots - o.cut
        require(1 <= c.qty_lots <= total, "QTY_OUT_OF_RANGE")
        if c.qty_lots <= o.filled:
            self.drop(o, "USER_CANCELED")
        else:
            self.cut(o, total - c.qty_lots)

    def replace(self, c: Command) -> None:
        """REP-1."""
        self.begin(self.exchange_orders(c))

    def exchange_orders(self, c: Command) -> Order:
        """End the old order and accept the new one, or change nothing and raise."""
        old = self.find(c, c.old_nonce)
        require((old.key[1], old.c.side) == (c.market_id, c.side), "SIDE_MISMATCH")
        require(c.unfilled_lots in (0, old.left), "UNFILLED_MISMATCH")
        at = self.orders.index(old)
        self.orders.remove(old)
        try:
            order = self.check_place(c, old)
        finally:
            self.orders.insert(at, old)
        self.hand_over(old, c)
        self.drop(old, "REPLACED")
        return self.accept(c, order)

    def group(self, commands: list[Command]) -> None:
        """GRP-1: done on a copy of everything, which counts if all are admitted; then matched."""
        trial = deepcopy(self)
        trial.book = self.book  # type: ignore[method-assign]  # post-only: the book before it
        trial.check_nonce_room = self.check_nonce_room  # type: ignore[method-assign]  # SIG-6
        named: set[Key] = set()
        made = []
        for at, c in enumerate(commands):
            try:
                made.append(trial.do_item(c, named))
            except RefusedError as refused:
                for k, item in enumerate(commands):
                    self.refuse(item, str(refused) if k == at else "GROUP_REJECTED")
                return
        del trial.book, trial.check_nonce_room
        self.__dict__ = trial.__dict__
        first = len(self.events)
        self.trials_until = self.trial_steps + GROUP_STEPS_MAX
        for o in made:
            if o in self.orders:
                self.begin(o)
        self.trials_until = UNBOUND
        traded = {e.market for e in self.events[first:] if e.kind == "FILL"}
        for market in traded:  # TRIG-2: what waits now, behind its own trades too
            self.venues[market].has_traded |= bool(self.waiting(market, FLAG_ON_LAST))

    def do_item(self, c: Command, named: set[Key]) -> Order | None:
        """An item names an order that was there before the group, and each at most once."""
        if c.kind != CommandKind.PLACE:
            old = self.find(c, c.old_nonce if c.kind == CommandKind.REPLACE else c.nonce)
            require((c.account, old.c.nonce) not in named, "ORDER_UNKNOWN")
            named.add((c.account, old.c.nonce))
        if c.kind in (CommandKind.CANCEL, CommandKind.AMEND):
            getattr(self, CommandKind(c.kind).name.lower())(c)
            return None
        named.add((c.account, c.nonce))
        if c.kind == CommandKind.REPLACE:
            return self.exchange_orders(c)
        return self.accept(c, self.check_place(c))
