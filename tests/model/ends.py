"""Ends and changes of the slow model's orders, and what follows from them: SPEC §3."""

from __future__ import annotations

from matcher.engine.instructions import FLAG_ATTACHED
from tests.model.floor import Floor, Key, Order


class Ends(Floor):
    """RED-1, ATT-1, OCO-1, ORD-3, TRIG-4: after the fills of a command."""

    def end(self, o: Order) -> None:
        """OCO-1, TRIG-4: what the end of an order ends, when the command is done."""
        self.orders.remove(o)
        others = [w for w in self.orders if w.key == o.key and w.c.side != o.c.side]
        if not o.reduces and any(self.waits_alone(w) for w in others):
            self.mark(o.key, "ALONE")
        for other in self.siblings_of(o):
            other.is_doomed = True
            self.doomed.append(other)
            self.mark(o.key, "SIBLING")

    def siblings_of(self, o: Order) -> list[Order]:
        """OCO-1."""
        names = o.c.nonce, o.c.instructions.oco_nonce
        own = [s for s in self.orders if s.key == o.key]
        return [s for s in own if (s.c.instructions.oco_nonce, s.c.nonce) == names]

    def end_other(self, o: Order) -> None:
        """OCO-1: what fires ends its sibling and has none from now on."""
        others = self.siblings_of(o)
        o.c = o.c._replace(instructions=o.c.instructions._replace(oco_nonce=0))
        for other in others:
            self.drop(other, "SIBLING_ENDED")

    def drop(self, o: Order, reason: str) -> None:
        self.end(o)
        self.tell("ORDER_CANCELED", o, reason=reason)

    def cut(self, o: Order, lots: int, reason: str = "NONE") -> None:
        """AMD-1: take lots off an order; it keeps its place."""
        o.cut += lots
        o.left -= lots
        o.shown = min(o.shown, o.left) if o.waits is None else o.shown
        self.tell("ORDER_AMENDED", o, reason=reason, qty=o.c.qty_lots - o.cut)

    def newest_first(self, key: Key) -> list[Order]:
        return [o for o in reversed(self.orders) if o.key == key]

    def drop_all(self, key: Key, reason: str) -> None:
        for o in self.newest_first(key):
            self.drop(o, reason)

    def trim(self) -> None:
        """After the fills: siblings end, orders follow their position, reservations fit (ORD-3)."""
        while self.after:
            self.end_siblings()
            key = next(iter(self.after))
            what = self.after.pop(key)
            for o in self.newest_first(key) if "FLAT" in what else ():
                if o.asks(FLAG_ATTACHED):
                    self.drop(o, "POSITION_CLOSED")  # ATT-1
            if "MOVE" in what:
                self.trim_reducing(key)
            if what & {"MOVE", "ALONE"}:
                self.end_unbacked(key, is_flat="FLAT" in what)
            for o in self.newest_first(key) if "TRIM" in what else ():
                if self.unreserved(key[0]) < 0 and not o.reduces:
                    self.drop(o, "INSUFFICIENT_FREE_COLLATERAL")

    def end_siblings(self) -> None:
        """OCO-1: in the order in which the others have ended."""
        doomed, self.doomed = self.doomed, []
        for o in doomed:
            if o in self.orders:
                self.drop(o, "SIBLING_ENDED")

    def is_backed(self, o: Order) -> bool:
        """TRIG-4: a reduce-only order has a position, or opening orders that may make one."""
        others = [m for m in self.orders if m.key == o.key and m.c.side != o.c.side]
        return self.holds(o.key, o.c.side) > 0 or not all(m.reduces for m in others)

    def waits_alone(self, o: Order) -> bool:
        return o.is_waiting and o.reduces and not self.is_backed(o)

    def margin_to_wait(self, o: Order) -> int:
        """TRIG-4: the taker's fee and the initial requirement of what the order may open."""
        rules, asked = self.venues[o.key[1]].rules, o.left - self.holds(o.key, o.c.side)
        if o.reduces or asked <= 0:
            return 0
        fee = rules.share(asked, o.trigger, rules.spec.fee_taker_ppm)
        return fee + rules.requirement(asked, o.trigger, maintenance=False)

    def end_unbacked(self, key: Key, *, is_flat: bool) -> None:
        """TRIG-4: judged by how things stand before the first of them ends."""
        own = [o for o in self.newest_first(key) if o.is_waiting]
        alone = [o for o in own if self.waits_alone(o)]
        for o in own:
            if o in alone:
                self.drop(o, "REDUCE_ONLY")
            elif is_flat and o.unfilled_margin < self.margin_to_wait(o):
                self.drop(o, "INSUFFICIENT_MARGIN")

    def trim_reducing(self, key: Key) -> None:
        """RED-1: those of a side close in sum at most the position; the newest give way."""
        resting = [o for o in self.orders if o.key == key and o.reduces and o.turn is not None]
        for o in reversed(resting):
            older = sum(
                each.left for each in resting[: resting.index(o)] if each.c.side == o.c.side
            )
            lots = min(o.left, max(0, self.holds(key, o.c.side) - older))
            if lots == 0:
                self.drop(o, "REDUCE_ONLY")
            elif lots < o.left:
                self.cut(o, o.left - lots, "REDUCE_ONLY")
