"""The engine keeps the order rules as a model of 300 lines has them, written from SPEC §3 alone.

After every command events, books, orders, positions and the last price are equal. Then a stranger
sweeps copies of both from both sides: that shows the queue at each price. What one command ends
comes in the order of END-1.
"""

from __future__ import annotations

import os
from collections import Counter
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    NEVER_S,
    SIDE_ANY,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    Command,
    CommandKind,
    MarketState,
    group,
)  # fmt: skip
from matcher.engine.engine import Engine
from matcher.engine.events import EventKind, unpack
from matcher.engine.instructions import (
    FLAG_ATTACHED,
    FLAG_ON_LAST,
    FLAG_SLIDES,
    PLAIN,
    Instructions,
)  # fmt: skip
from matcher.engine.reject_reason import RejectReason
from tests.model.book import Book, Order, Seen
from tests.unit.engine.venue import spec_of

STREAMS = int(os.environ.get("BULKHEAD_SOAK_STREAMS", "6"))
FIRST_SEED = int(os.environ.get("BULKHEAD_SOAK_SEED", "0"))
STEPS, ENOUGH = 300, 6
NS, START_NS = 10**9, 1_700_000_000 * 10**9
TRADERS, SWEEPER = 5, 6
TOP = 250
SILENT = {EventKind.PRICE, EventKind.MARKET_STATE, EventKind.DEPOSITED}
RUNS: dict[int, Counter[str]] = {}


class Stream:
    """Random orders near a mark that walks; engine and model are asked alike."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = Random(seed)
        spec = spec_of(
            price_ticks_max=TOP, mark_band_ppm=rng.choice((20_000, 200_000)),
            order_band_ppm=rng.choice((0, 0, 30_000)), index_age_max_ms=60_000,
        )  # fmt: skip
        self.engine = Engine(account_count_max=6, position_count_max=8, order_count_max=300)
        self.engine.list_market(spec, START_NS)
        self.model = Book(spec)
        self.time_ns, self.nonce, self.index = START_NS, 0, rng.choice((200, TOP - 8))
        self.names: dict[int, int] = {}
        self.log: list[list[Command]] = []
        self.seen: Counter[str] = Counter()
        self.asked: dict[int, list[str]] = {}  # by orders, by nonce
        for account in range(1, SWEEPER + 1):
            self.engine.register_account()
            deposit = Command(
                CommandKind.DEPOSIT, account=account, amount_quote=10**15, nonce=account
            )
            self.engine.apply_one(deposit)
        self.row()

    # Both at once

    def send(self, kind: CommandKind, **fields: Any) -> None:
        self.both([Command(kind, **({"time_ns": self.time_ns, "market_id": 1} | fields))])

    def both(self, commands: list[Command]) -> None:
        """Apply a command, or a group, to engine and model; compare what both did and have."""
        self.log.append(commands)
        found, expected = self.ask(self.engine, self.model, commands)
        assert found == expected, commands
        self.count(commands, found)
        self.compare()
        self.sweep()

    def ask(
        self, engine: Engine, model: Book, commands: list[Command]
    ) -> tuple[list[Seen], list[Seen]]:
        one = commands[0].records() if len(commands) == 1 else group(commands, self.time_ns)
        found = self.named(engine.apply(one))
        mark = engine.market(1).mark_price_ticks
        return found, model.apply(commands, self.time_ns, mark)

    def named(self, records: bytes) -> list[Seen]:
        """Return the engine's events as the model says them, with nonces as names."""
        found: list[Seen] = []
        for e in unpack(records):
            kind, reason = EventKind(e.kind), RejectReason(e.reason).name
            word, nonce = kind.name.removeprefix("ORDER_"), e.order_id_2
            if kind == EventKind.ORDER_ACCEPTED:
                self.names[e.order_id] = nonce
                found.append((word, nonce))
            elif kind in (EventKind.ORDER_REJECTED, EventKind.COMMAND_REJECTED):
                found.append(("REJECTED", nonce, reason))
            elif kind == EventKind.ORDER_CANCELED:
                found.append((word, nonce, reason, e.remaining_lots))
            elif kind == EventKind.ORDER_AMENDED:
                found.append((word, nonce, reason, e.qty_lots, e.remaining_lots))
            elif kind in (EventKind.ORDER_TRIGGERED, EventKind.ORDER_REPRICED):
                found.append((word, nonce, e.price_ticks))
            elif kind == EventKind.ORDER_REPLENISHED:
                found.append((word, nonce, e.qty_lots))
            elif kind == EventKind.AUCTION:
                found.append((word, e.price_ticks, e.qty_lots, e.amount_quote))
            elif kind == EventKind.FILL:
                names = self.names[e.order_id], self.names[e.order_id_2]
                found.append((word, *names, e.price_ticks, e.qty_lots, e.remaining_lots))
            else:
                assert kind in SILENT, e
        return found

    def compare(self) -> None:
        """Compare books, orders by age, positions."""
        for sign, levels in zip((1, -1), self.engine.book(1, 1_000), strict=True):
            shown: Counter[int] = Counter()
            for o in sorted(self.model.resting, key=lambda o: -sign * o.price):
                shown[o.price] += o.shown * (o.sign == sign)
            assert levels == [(price, lots) for price, lots in shown.items() if lots]
        assert self.engine.market(1).last_price_ticks == self.model.last
        for account in range(1, TRADERS + 1):
            p = self.engine.position(account, 1)
            assert (p.position_lots if p else 0) == self.model.lots.get(account, 0)
            live = [self.engine.order(i) for i in self.engine.open_orders(account)]
            assert [
                (o.nonce, o.remaining_lots, o.price_ticks, o.trigger_price_ticks)
                for o in live if o
            ] == [
                (o.nonce, o.left, o.price, o.trigger if o in self.model.waiting else 0)
                for o in reversed(self.model.live) if o.account == account
            ]  # fmt: skip

    def sweep(self) -> None:
        """Let a stranger take all that rests, on copies: priority within each price."""
        engine, model = Engine.restore(b"".join(self.engine.snapshot())), deepcopy(self.model)
        opened = Command(CommandKind.SET_MARKET_STATE, market_id=1, aux=MarketState.OPEN)
        sweeps = [
            Command(
                CommandKind.PLACE, side=side, time_in_force=TIF_IOC, market_id=1, account=SWEEPER,
                time_ns=self.time_ns, nonce=self.nonce + 1 + side, qty_lots=100_000,
                price_ticks=1 if side else TOP, amount_quote=10**9, expiry_time_s=NEVER_S,
            )
            for side in (0, 1)
        ]  # fmt: skip
        for command in (opened._replace(time_ns=self.time_ns), *sweeps):
            found, expected = self.ask(engine, model, [command])
            assert found == expected, command

    # What is sent

    def step(self) -> None:
        self.time_ns += self.rng.choice((0, 1, NS // 10, NS))
        acts = (self.place, self.pair, self.cancel, self.amend, self.replace, self.group,
                self.cancel_all, self.row, self.become, self.tick)  # fmt: skip
        (act,) = self.rng.choices(acts, (60, 6, 4, 6, 6, 6, 1, 9, 2, 1))
        act()

    def tick(self) -> None:
        self.send(CommandKind.TICK)

    def row(self) -> None:
        self.index = max(150, min(TOP, self.index + self.rng.choice((-9, -3, -1, 0, 1, 3, 9))))
        self.send(CommandKind.PRICE, price_ticks=self.index, aux=self.time_ns // 10**6)

    def become(self) -> None:
        """Let the market be in another state for some orders."""
        rng = self.rng
        states = [s for s in MarketState if s not in (MarketState.SETTLED, MarketState.AUCTION)]
        for state in (rng.choice(states), rng.choice(states)):
            self.send(CommandKind.SET_MARKET_STATE, aux=state)
            for _ in range(rng.choice((0, 5, 15))):
                acts = (self.place, self.row, self.amend, self.replace, self.group)
                rng.choices(acts, (70, 8, 5, 5, 5))[0]()
        self.send(CommandKind.SET_MARKET_STATE, aux=MarketState.OPEN)

    def order(self, **fields: Any) -> dict[str, Any]:
        """Return the fields of an order, most of them valid, one in two plain."""
        rng = self.rng
        self.nonce += 1
        mark, qty = self.model.mark, rng.choice((1, 2, 3, 5, 8, 13))
        flags = rng.choice((0,) * 6 + (FLAG_POST_ONLY,) * 2 + (FLAG_REDUCE_ONLY,) * 4 + (3,))
        soon_s = self.time_ns // NS + rng.choice((1, 9, 30))
        form: dict[str, Any] = {
            "account": rng.randint(1, TRADERS), "side": rng.randrange(2), "qty_lots": qty,
            "price_ticks": max(1, mark + rng.randint(-8, 8)), "flags": flags, "nonce": self.nonce,
            "expiry_time_s": rng.choice((NEVER_S, NEVER_S, soon_s)),
            "time_in_force": 0 if flags & FLAG_POST_ONLY
            else rng.choice((TIF_GTC,) * 6 + (TIF_IOC,) * 2 + (TIF_FOK,)),
            "session": rng.choice((0, 1)),
        } | fields  # fmt: skip
        form["amount_quote"] = 0 if form["flags"] & FLAG_REDUCE_ONLY else 10 * TOP * qty
        if rng.random() < 0.6:
            form |= self.instructed(form)
        if form["flags"] & FLAG_REDUCE_ONLY and rng.random() < 0.02:
            form["amount_quote"] = 1
        if rng.random() < 0.05:
            form |= rng.choice(SPOILED)
        if rng.random() < 0.03 and self.model.used:
            account, nonce = rng.choice(sorted(self.model.used, key=lambda key: key[1])[-20:])
            word = form.get("instructions", PLAIN)._replace(oco_nonce=nonce)
            form |= {"account": account} | rng.choice(({"nonce": nonce}, {"instructions": word}))
        return form

    def instructed(self, form: dict[str, Any]) -> dict[str, Any]:
        rng, qty, flags = self.rng, form["qty_lots"], form["flags"]
        word = Instructions(
            self_trade=rng.randrange(4),
            display_lots=0 if form["time_in_force"] else rng.choice((0, 0, 1, 2, qty)),
            min_lots=rng.choice((0, 0, 0, 1, qty)),
        )
        if word.display_lots > qty:
            word = word._replace(display_lots=0)
        if flags & FLAG_POST_ONLY or form["time_in_force"] == TIF_FOK:
            word = word._replace(min_lots=0)
        if flags & FLAG_POST_ONLY and rng.random() < 0.6:
            word = word._replace(flags=FLAG_SLIDES)
        if flags & FLAG_REDUCE_ONLY and rng.random() < 0.4:
            word = word._replace(flags=word.flags | FLAG_ATTACHED)
        if rng.random() < (0.3 if flags & FLAG_POST_ONLY else 0.6):
            return {"instructions": word}
        on_last, trail = rng.random() < 0.4, rng.choice((0, 0, 1, 3, 8))
        ahead, is_up = rng.randint(0, 8), rng.random() < 0.5
        base = self.model.last if on_last else self.model.mark
        if not base:  # nothing is due without a last price
            base = self.model.mark + rng.choice((-9, 0, 9))
        word = word._replace(
            flags=word.flags | (FLAG_ON_LAST if on_last else 0), trailing_ticks=trail
        )
        return {
            "instructions": word, "trigger_kind": (1 if is_up else 2) + 2 * (on_last or trail > 0),
            "trigger_price_ticks": max(1, base + (ahead if is_up else -ahead)),
        }  # fmt: skip

    def place(self) -> None:
        self.send(CommandKind.PLACE, **self.order())

    def items(self, *forms: tuple[CommandKind, dict[str, Any]]) -> list[Command]:
        stamp = {"time_ns": self.time_ns, "market_id": 1}
        return [Command(kind, **(stamp | form)) for kind, form in forms]

    def pair(self) -> None:
        """Two siblings, one after the other or in a group."""
        one = self.order()
        two = self.order(account=one["account"])
        for a, b in ((one, two), (two, one)):
            word = a.get("instructions", PLAIN)
            a["instructions"] = word._replace(oco_nonce=b["nonce"])
        commands = self.items((CommandKind.PLACE, one), (CommandKind.PLACE, two))
        if self.rng.random() < 0.5:
            self.both(commands)
            return
        self.both(commands[:1])
        if self.rng.random() < 0.3:
            self.row()
        self.both(self.items((CommandKind.PLACE, two)))

    def any_live(self) -> Order | None:
        return self.rng.choice(self.model.live) if self.model.live else None

    def any_name(self) -> dict[str, Any]:
        o = self.any_live()
        if o is None or self.rng.random() < 0.1:
            return {
                "account": self.rng.randint(1, TRADERS),
                "nonce": self.rng.randint(1, self.nonce + 1),
            }
        return {"account": o.account, "nonce": o.nonce}

    def amended(self) -> dict[str, Any]:
        return self.any_name() | {"qty_lots": self.rng.choice((0, 1, 2, 3, 4, 5, 8, 13))}

    def replaced(self) -> dict[str, Any]:
        rng, o = self.rng, self.any_live()
        if o is None or rng.random() < 0.1:
            return self.order() | {"old_nonce": rng.randint(1, self.nonce + 1)}
        form = self.order(account=o.account, side=o.side ^ (rng.random() < 0.05))
        form |= {"old_nonce": o.nonce, "unfilled_lots": rng.choice((0, 0, o.left, o.left + 1))}
        if o.sibling and rng.random() < 0.7:
            word = form.get("instructions", PLAIN)
            form["instructions"] = word._replace(oco_nonce=o.sibling)
        return form

    def cancel(self) -> None:
        self.send(CommandKind.CANCEL, **self.any_name())

    def amend(self) -> None:
        self.send(CommandKind.AMEND, **self.amended())

    def replace(self) -> None:
        self.send(CommandKind.REPLACE, **self.replaced())

    def group(self) -> None:
        makers = {
            CommandKind.PLACE: self.order, CommandKind.REPLACE: self.replaced,
            CommandKind.CANCEL: self.any_name, CommandKind.AMEND: self.amended,
        }  # fmt: skip
        if self.model.resting and self.rng.random() < 0.3:
            self.pull_and_post()
            return
        kinds = [
            self.rng.choice((*makers, CommandKind.PLACE)) for _ in range(self.rng.randint(2, 4))
        ]
        self.both(self.items(*((kind, makers[kind]()) for kind in kinds)))

    def pull_and_post(self) -> None:
        """End an order and post where it stood: post-only looks at the book before the group."""
        o = self.rng.choice(self.model.resting)
        form = {"side": 1 - o.side, "price_ticks": o.price, "flags": FLAG_POST_ONLY}
        pull = {"account": o.account, "nonce": o.nonce}
        post = self.order(**form, time_in_force=TIF_GTC)
        self.both(self.items((CommandKind.CANCEL, pull), (CommandKind.PLACE, post)))

    def cancel_all(self) -> None:
        self.send(
            CommandKind.CANCEL_ALL, account=self.rng.randint(1, TRADERS),
            market_id=self.rng.randrange(2), side=self.rng.choice((0, 1, SIDE_ANY)),
            session=self.rng.randrange(2),
        )  # fmt: skip

    def count(self, commands: list[Command], found: list[Seen]) -> None:
        """Count what happened, to orders that ask for what, and who met an order of its own."""
        signed = {c.nonce: c for c in commands}
        acts = ""
        for e in found:
            word = " ".join(str(x) for x in e if isinstance(x, str))
            self.seen[word] += 1
            if e[0] == "ACCEPTED":
                self.asked[int(e[1])] = features(signed[int(e[1])])
            if e[0] in ("ACCEPTED", "TRIGGERED"):
                acts = next(f for f in self.asked[int(e[1])] if f.startswith("STP"))
                self.seen.update(f"{e[0]} {f}" for f in self.asked[int(e[1])])
            if e[0] == "FILL":
                self.seen.update(f"MAKES {f}" for f in self.asked[int(e[1])])
                self.seen.update(f"TAKES {f}" for f in self.asked[int(e[2])])
            if "SELF_TRADE" in e:
                self.seen[f"{e[0]} {acts}"] += 1
        if len(commands) > 1:
            self.seen["GROUP refused" if found[-1][0] == "REJECTED" else "GROUP admitted"] += 1


def features(c: Command) -> list[str]:
    """Return what an order asks for beyond price and quantity."""
    w, post, reduce = c.instructions, c.flags & FLAG_POST_ONLY, c.flags & FLAG_REDUCE_ONLY
    asked = {
        "GTD": c.expiry_time_s != NEVER_S, "IOC": c.time_in_force == TIF_IOC,
        "FOK": c.time_in_force == TIF_FOK, "POST_ONLY": post, "REDUCE_ONLY": reduce,
        "SLIDES": w.flags & FLAG_SLIDES, "ATTACHED": w.flags & FLAG_ATTACHED,
        "MIN_LOTS": w.min_lots, "ICEBERG": 0 < w.display_lots < c.qty_lots,
        "ON_LAST": w.flags & FLAG_ON_LAST, "TRAIL": w.trailing_ticks, "OCO": w.oco_nonce,
        "UP": c.trigger_kind % 2, "DOWN": c.trigger_kind and c.trigger_kind % 2 == 0,
        "REQUIRED_UNFILLED": c.unfilled_lots, f"STP{w.self_trade}": True,
    }  # fmt: skip
    return [name for name, is_asked in asked.items() if is_asked]


SPOILED: tuple[dict[str, Any], ...] = (
    {"qty_lots": 0}, {"qty_lots": 2**31}, {"price_ticks": 0}, {"price_ticks": TOP + 1},
    {"flags": FLAG_POST_ONLY, "time_in_force": 1},
    {"trigger_kind": 1, "trigger_price_ticks": 0}, {"price_ticks": 1},

    {"expiry_time_s": 1},
)  # fmt: skip


TAKING = "GTD IOC FOK REDUCE_ONLY ATTACHED MIN_LOTS ON_LAST TRAIL OCO UP DOWN REQUIRED_UNFILLED"
MAKING = "GTD POST_ONLY SLIDES REDUCE_ONLY ATTACHED ICEBERG OCO ON_LAST TRAIL UP DOWN"
EVENTS = {
    "ACCEPTED": f"{TAKING} {MAKING}", "TAKES": TAKING, "MAKES": MAKING,
    "TRIGGERED": "UP DOWN ON_LAST TRAIL OCO POST_ONLY SLIDES REDUCE_ONLY ATTACHED IOC FOK MIN_LOTS",
    "CANCELED":
        "EXPIRED USER_CANCELED IMMEDIATE_REMAINDER FOK_NOT_FILLABLE MIN_QTY_NOT_MET SELF_TRADE "
        "POST_ONLY_WOULD_TAKE REDUCE_ONLY REPLACED SIBLING_ENDED POSITION_CLOSED PRICE_BAND "
        "MARKET_STATE STP0 STP1 STP2 STP3",
    "AMENDED": "NONE REDUCE_ONLY SELF_TRADE STP3",
    "REJECTED":
        "MARKET_STATE EXPIRED NONCE_USED QTY_OUT_OF_RANGE PRICE_OUT_OF_RANGE TIME_IN_FORCE "
        "ORDER_UNKNOWN SIDE_MISMATCH UNFILLED_MISMATCH POST_ONLY_WOULD_TAKE REDUCE_ONLY PRICE_BAND "
        "INSTRUCTIONS_INVALID GROUP_REJECTED",
    "GROUP": "admitted refused",
}  # fmt: skip
WANTED = {f"{kind} {what}" for kind, line in EVENTS.items() for what in line.split()}
WANTED |= {"FILL", "REPLENISHED", "REPRICED"}


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + STREAMS))
def test_the_engine_keeps_the_order_rules(seed: int) -> None:
    """MATCH-1 to MATCH-4, TIF-1, POST-1, MIN-1, ICE-1, STP-1, AMD-1, REP-1, CXL-1, RED-1.

    TRIG-1 to TRIG-4, OCO-1, ATT-1, GRP-1, STATE-1, BAND-1, ORD-1.
    """
    stream = Stream(seed)
    for _ in range(STEPS):
        stream.step()
    RUNS[seed] = stream.seen


def test_each_of_these_rules_was_at_work() -> None:
    """ORD-1: nothing above was equal for want of being tried."""
    if len(RUNS) < STREAMS or STREAMS < ENOUGH:
        pytest.skip(f"not all of at least {ENOUGH} streams were run")
    seen = sum(RUNS.values(), Counter[str]())
    assert {event for event in WANTED if not seen[event]} == set()
