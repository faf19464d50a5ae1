"""Runs the stories of this folder: one command a line, what it gives behind the arrow.

`BULKHEAD_UPDATE=1` writes what the engine says into the stories; the difference is for review.
Their rules: MATCH-1, MATCH-2, MATCH-4, TRIG-1, LIQ-1 to LIQ-6, FUND-1, ORD-3, COLL-1, COLL-2,
TIF-1, POST-1, MIN-1, ICE-1, STP-1, OCO-1, ATT-1, AMD-1, REP-1, TRIG-2, TRIG-3, AUC-1, AUC-2,
SIG-5.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from matcher.engine.commands import SIDE_ANY, CommandKind, MarketState, RequestKind
from matcher.engine.engine import Engine
from matcher.engine.events import Event, EventKind
from matcher.engine.instructions import (
    FLAG_ATTACHED,
    FLAG_ON_LAST,
    FLAG_SLIDES,
    Instructions,
    SelfTradePrevention,
)
from matcher.engine.reject_reason import RejectReason
from matcher.engine.views import Position
from tests.unit.engine.venue import (
    BUY,
    FOK,
    GTC,
    IOC,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
    START_S,
    Venue,
    spec_of,
)

STORIES = sorted(Path(__file__).parent.glob("*.scenario"))
DOCUMENT = Path(__file__).parents[2] / "matcher/ORDERS.md"
EXAMPLE = re.compile(r"^```story\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
ARROW = " -> "
ASCENDING = 2**63  # SIG-5: nonces from here on
SIDES = {"buy": BUY, "sell": SELL}
IN_FORCE = {"gtc": GTC, "ioc": IOC, "fok": FOK}
FLAGS = {"post-only": POST_ONLY, "reduce-only": REDUCE_ONLY}
TRIGGERS = {"above": 1, "below": 2, "engine-above": 3, "engine-below": 4}
SELF_TRADE = {mode.name.lower().removeprefix("cancel_"): mode for mode in SelfTradePrevention}
INSTRUCTION_FLAGS = {"slides": FLAG_SLIDES, "on-last": FLAG_ON_LAST, "attached": FLAG_ATTACHED}
LOTS = {"display": "display_lots", "min": "min_lots", "trail": "trailing_ticks"}

WORDS = {
    "ORDER_REJECTED": "reject {reason}",
    "COMMAND_REJECTED": "reject {reason}",
    "ORDER_CANCELED": "{order} ends with {e.remaining_lots}: {reason}",
    "ORDER_TRIGGERED": "{order} fires",
    "ORDER_AMENDED": "{order} is cut to {e.remaining_lots}",
    "ORDER_REPLENISHED": "{order} shows {e.qty_lots} of {e.remaining_lots}",
    "ORDER_REPRICED": "{order} slides to {e.price_ticks}",
    "AUCTION": "clears {e.qty_lots} @ {e.price_ticks}",
    "FILL": "trade {order} {deal}",
    "LIQUIDATION_STARTED": "{who} under {e.amount_2_quote} with {e.amount_quote}",
    "LIQUIDATION_FILL": "closes {deal} with {order}",
    "TAKEOVER": "fund takes {deal} and {e.amount_quote}",
    "ADL": "{who} gives {deal} for {whose}",
    "FUND_FILL": "fund closes {deal} with {order}",
    "LIQUIDATION_ENDED": "{who} keeps {e.qty_lots} and {e.amount_quote}",
    "PRICE": "mark {e.price_ticks}",
    "FUNDING": "funding {e.amount_2_quote} ppm",
    "PARAMETERS_ANNOUNCED": "version {e.amount_quote} is announced",
    "PARAMETERS_CHANGED": "version {e.amount_quote} holds",
    "FORCED_SERVED": "{who} is served {deal}, {e.amount_quote}: {reason}",
    "POSITION_SETTLED": "{who} delivers {deal} and keeps {e.amount_quote}",
}


class Story:
    """A venue whose accounts and orders have names."""

    def __init__(self) -> None:
        self.v = Venue(accounts=1, cash=0, mark=0)
        self.accounts = {"fund": 0}
        self.orders: dict[int, str] = {}
        self.nonces: dict[str, int] = {}
        self.requests = 0

    def tell(self, line: str) -> str:
        """Run one line and return what it gives."""
        verb, *words = line.split()
        result: str = getattr(self, f"do_{verb}")(*words)
        return result

    # Commands

    def do_market(self, *settings: str) -> str:
        changes = {name: int(value) for name, value in (word.split("=") for word in settings)}
        if "expires" in changes:
            changes["expiry_time_s"] = START_S + changes.pop("expires")
        self.v = Venue(spec=spec_of(**changes), accounts=9, cash=0, mark=0)
        return "ok"

    def do_announce(self, seconds: str, *settings: str) -> str:
        changes = {name: int(value) for name, value in (word.split("=") for word in settings)}
        return self.words(self.v.announce(int(seconds), **changes))

    def do_settle(self) -> str:
        return self.words(self.v.do(CommandKind.SETTLE_MARKET))

    def do_request(self, name: str, kind: str, amount: str) -> str:
        """A request of the forced queue; of a nonce when it names an order."""
        self.requests += 1
        aux = self.nonces[amount] if amount in self.nonces else int(amount)
        served = {"account": self.accounts[name], "aux": aux, "nonce": self.requests}
        return self.words(
            self.v.do(CommandKind.FORCED_REQUEST, flags=RequestKind[kind.upper()], **served)
        )

    def do_group(self, *words: str) -> str:
        """Places, cancels, amends and replaces, with semicolons between them."""
        self.v.held = []
        for item in " ".join(words).split(" ; "):
            self.tell(item)
        items, self.v.held = self.v.held, None
        return self.words(self.v.group(items))

    def do_sweep(self, name: str, side: str = "both") -> str:
        """A mass cancel."""
        named = {"account": self.accounts[name], "side": SIDES.get(side, SIDE_ANY)}
        return self.words(self.v.do(CommandKind.CANCEL_ALL, **named))

    def do_deposit(self, name: str, amount: str) -> str:
        account = self.accounts.setdefault(name, len(self.accounts))
        return self.words(self.v.deposit(account, int(amount)))

    def do_price(self, index: str) -> str:
        return self.words(self.v.price(int(index)))

    def do_wait(self, seconds: str) -> str:
        self.v.wait(int(seconds))
        return self.words(self.v.do(CommandKind.TICK)) or "ok"

    def do_place(
        self, name: str, label: str, side: str, qty: str, _: str, price: str, tif: str, *more: str
    ) -> str:
        form, margin = self.order_form(tif, more)
        self.nonces[label] = form.get("nonce", self.v.nonce + 1)
        account = self.accounts[name]
        return self.words(self.v.place(account, SIDES[side], int(qty), int(price), margin, **form))

    def order_form(self, tif: str, more: tuple[str, ...]) -> tuple[dict[str, Any], int | None]:
        """Return an order's fields, and its margin when it is told."""
        form: dict[str, Any] = {"time_in_force": IN_FORCE[tif]}
        margin: int | None = None
        asked: dict[str, int] = {}
        for word in more:
            key, _, value = word.partition("=")
            if key in FLAGS:
                form["flags"] = form.get("flags", 0) | FLAGS[key]
            elif key in TRIGGERS:
                form |= {"trigger_kind": TRIGGERS[key], "trigger_price_ticks": int(value)}
            elif key == "ascending":
                form["nonce"] = ASCENDING + int(value)
            elif key == "expires":
                form["expiry_time_s"] = self.v.now_s + int(value)
            elif key in INSTRUCTION_FLAGS:
                asked["flags"] = asked.get("flags", 0) | INSTRUCTION_FLAGS[key]
            elif key in LOTS:
                asked[LOTS[key]] = int(value)
            elif key == "oco":
                asked["oco_nonce"] = self.nonces.get(value, self.v.nonce + 2)
            elif key == "self-trade":
                asked["self_trade"] = SELF_TRADE[value]
            else:
                assert key == "margin", word
                margin = int(value)
        return form | {"instructions": Instructions(**asked)}, margin

    def order_id(self, label: str) -> int:
        (order_id,) = [key for key, value in self.orders.items() if value == label]
        return order_id

    def do_cancel(self, name: str, label: str) -> str:
        return self.words(self.v.cancel(self.accounts[name], self.order_id(label)))

    def do_amend(self, name: str, label: str, total: str) -> str:
        named = {"account": self.accounts[name], "order_id": self.order_id(label)}
        return self.words(self.v.do(CommandKind.AMEND, qty_lots=int(total), **named))

    def do_replace(
        self, name: str, old: str, left: str, label: str, side: str, qty: str, _: str, price: str,
        tif: str, *more: str,
    ) -> str:  # fmt: skip
        """Replace `old` of which `left` lots must be left (any: whatever is) by `label`."""
        form, margin = self.order_form(tif, more)
        lots, ticks = int(qty), int(price)
        self.nonces[label] = self.v.nonce = self.v.nonce + 1
        form |= {
            "account": self.accounts[name], "order_id": self.order_id(old), "qty_lots": lots,
            "side": SIDES[side], "price_ticks": ticks, "nonce": self.v.nonce,
            "amount_quote": lots * ticks // 5 if margin is None else margin,
            "unfilled_lots": 0 if left == "any" else int(left),
            "expiry_time_s": form.get("expiry_time_s", self.v.now_s + 1_000_000),
        }  # fmt: skip
        return self.words(self.v.do(CommandKind.REPLACE, **form))

    def do_state(self, name: str) -> str:
        return self.words(self.v.set_state(MarketState[name]))

    def do_move(self, name: str, amount: str) -> str:
        return self.words(self.v.move(self.accounts[name], int(amount)))

    def do_withdraw(self, name: str, amount: str) -> str:
        return self.words(self.v.withdraw(self.accounts[name], int(amount)))

    def do_book(self) -> str:
        sides = [", ".join(f"{lots} @ {price}" for price, lots in side) for side in self.v.book()]
        return f"bids {sides[0] or '-'}; asks {sides[1] or '-'}"

    def do_show(self, name: str) -> str:
        engine, account = self.v.engine, self.accounts[name]
        p = engine.fund(1) if name == "fund" else engine.position(account, 1)
        return ", ".join([held(p), f"free {engine.free_quote(account)}",
                          f"reserved {engine.reserved_quote(account)}"])  # fmt: skip

    # Events

    def words(self, events: list[Event]) -> str:
        return ", ".join(filter(None, map(self.word, events)))

    def name(self, account: int) -> str:
        (found,) = [name for name, number in self.accounts.items() if number == account]
        return found

    def word(self, e: Event) -> str:
        """Return one event as a trader would say it."""
        kind = EventKind(e.kind).name
        if kind == "ORDER_ACCEPTED":
            label = [key for key, nonce in self.nonces.items() if nonce == e.order_id_2][-1]
            self.orders[e.order_id] = label
            return self.standing(e)
        return WORDS.get(kind, "ok").format(
            order=self.orders.get(e.order_id), who=self.name(e.account),
            whose=self.name(e.account_2), reason=RejectReason(e.reason).name,
            deal=f"{e.qty_lots} @ {e.price_ticks}", e=e,
        )  # fmt: skip

    def standing(self, e: Event) -> str:
        """Return where an accepted order came to stand; nothing when its fills say it."""
        order = self.v.engine.order(e.order_id)
        if order is None:
            return ""
        if order.trigger_price_ticks:
            return "waits"
        return f"rests {order.remaining_lots}"


def held(p: Position | None) -> str:
    """Return what a position holds."""
    if p is None or p.position_lots == 0:
        return f"flat{f' with {p.collateral_quote}' if p and p.collateral_quote else ''}"
    return f"{p.position_lots} for {p.entry_value_quote} with {p.collateral_quote}"


def retold(lines: list[str], story: Story | None = None) -> list[str]:
    """Return the lines of a story with what the engine says."""
    story, told = story or Story(), []
    for line in lines:
        if not line or line.startswith("#"):
            told.append(line)
            continue
        command = line.partition(ARROW.rstrip())[0].rstrip()
        told.append(f"{command:<58}{ARROW}{story.tell(command)}")
    return told


@pytest.mark.usefixtures("on_both")
@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path: Path) -> None:
    """MATCH-1, TRIG-1, LIQ-2, LIQ-3, LIQ-4: engine and slow model say what the story says."""
    lines = path.read_text().splitlines()
    told = retold(lines)
    if os.environ.get("BULKHEAD_UPDATE") == "1" and Venue.kind is Engine:
        path.write_text("\n".join(told) + "\n")
    assert [line.split() for line in told] == [line.split() for line in lines]
    assert lines[0].startswith("# ")


@pytest.mark.usefixtures("on_both")
def test_the_examples_of_the_document_are_stories() -> None:
    """OCO-1, ATT-1, POST-1, REP-1, AMD-1, TRIG-3: what ORDERS.md shows is what happens."""
    page = DOCUMENT.read_text()
    blocks = EXAMPLE.findall(page)
    assert len(blocks) == 4
    told = EXAMPLE.sub(
        lambda found: found[0].replace(found[1], "\n".join(retold(found[1].splitlines()))), page
    )
    if os.environ.get("BULKHEAD_UPDATE") == "1" and Venue.kind is Engine:
        DOCUMENT.write_text(told)
    assert told.split() == page.split()


def test_there_are_stories() -> None:
    """LIQ-2, LIQ-3, LIQ-4: each step of the waterfall has one."""
    assert {"liquidation_partial", "takeover", "adl"} <= {path.stem for path in STORIES}
