"""Every refusal, in the order of precedence: the first that applies is reported."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import pytest

from margin_core import Tier
from matcher.engine.commands import CommandKind, MarketState
from matcher.engine.instructions import Instructions
from matcher.engine.reject_reason import RejectReason
from tests.model.requirement import Requirements
from tests.unit.engine.venue import (
    BUY,
    CASH,
    FOK,
    GTC,
    IOC,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
    Venue,
    outcome,
    spec_of,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")
Form = dict[str, Any]
Cure = Callable[[Venue, Form], object]
USED_NONCE, FRESH_NONCE = 7_000, 7_001


def let(**fields: Any) -> Cure:
    """Return a cure that corrects fields of the command."""
    return lambda _, form: form.update(fields)


def expiring(v: Venue, form: Form) -> None:
    form["expiry_time_s"] = v.now_s + 1


def held_once(v: Venue, _: Form) -> None:
    v.trade(1, 2, 1, 1_000)
    v.trade(2, 1, 1, 1_000)
    v.freeze(1)


def with_a_trigger_that_is_met(v: Venue, form: Form) -> None:
    v.price(1_000)
    form.update(trigger_kind=1, trigger_price_ticks=1_000)


def held_and_frozen(v: Venue, _: Form) -> None:
    v.freeze(1, 0)
    v.trade(1, 2, 1, 1_000)
    v.freeze(1)


# Each row takes away what the row before it reported, and nothing else: what a row reports stands
# before everything that later rows report, because all of that applies too.
ORDER_ROWS: list[tuple[str, Cure]] = [
    ("MARKET_UNKNOWN", let()),
    ("ACCOUNT_UNKNOWN", let(market_id=1)),
    ("MARKET_STATE", let(account=1)),
    ("EXPIRED", lambda v, _: v.set_state(MarketState.OPEN)),
    ("NONCE_USED", expiring),
    ("QTY_OUT_OF_RANGE", let(nonce=FRESH_NONCE)),
    ("PRICE_OUT_OF_RANGE", let(qty_lots=1)),
    ("PRICE_OUT_OF_RANGE", let(price_ticks=1_101)),
    ("SIDE_MISMATCH", let(trigger_kind=0)),
    ("TIME_IN_FORCE", let(side=BUY)),
    ("INSTRUCTIONS_INVALID", let(time_in_force=GTC)),
    ("ORDER_UNKNOWN", let(instructions=Instructions(oco_nonce=USED_NONCE))),
    ("POST_ONLY_WOULD_TAKE", let(instructions=Instructions())),
    ("REDUCE_ONLY", let(flags=REDUCE_ONLY)),
    ("NO_PRICE", let(flags=0)),
    ("PRICE_OUT_OF_RANGE", with_a_trigger_that_is_met),
    ("PRICE_BAND", let(trigger_kind=0)),
    ("AMOUNT_OUT_OF_RANGE", let(price_ticks=1_000)),
    ("INSUFFICIENT_MARGIN", let(amount_quote=0)),
    ("FROZEN", let(amount_quote=2**60)),
    ("RISK_PAUSED", lambda v, _: v.freeze(1, 0)),
    ("INSUFFICIENT_FREE_COLLATERAL", lambda v, _: v.do(CommandKind.PAUSE_RISK, aux=0)),
    ("CAPACITY", let(amount_quote=100)),
    ("OK", lambda v, _: v.do(CommandKind.CANCEL_ALL, account=2, side=2)),
]
WORST_ORDER = {
    "market_id": 9,
    "account": 99,
    "nonce": USED_NONCE,
    "side": 2,
    "time_in_force": IOC,
    "flags": POST_ONLY | REDUCE_ONLY,
    "trigger_kind": 1,
    "amount_quote": -1,
    "instructions": Instructions(flags=8),
}


def venue_of_refusals(*, priced: bool) -> Venue:
    """A halted market; account 1 is frozen and has used a nonce; the only slot is taken."""
    v = Venue(spec=spec_of(order_band_ppm=100_000), mark=1_000 if priced else 0, orders=1)
    v.withdraw(1, 1, nonce=USED_NONCE)
    if priced:
        v.cancel(1, v.rest(1, BUY, 1, 900))
        v.rest(2, SELL, 1, 1_000)
    v.freeze(1)
    v.do(CommandKind.PAUSE_RISK, aux=1)
    v.set_state(MarketState.HALTED)
    return v


@pytest.mark.parametrize("priced", [True, False], ids=["priced", "unpriced"])
def test_an_order_is_refused_for_the_first_reason(priced: bool) -> None:
    """ORD-1: one row a reason, each with every later one present."""
    v = venue_of_refusals(priced=priced)
    # Without a price there is no book, so nothing crosses and no slot is taken; with one, a price
    # is there from the start.
    absent = {"NO_PRICE"} if priced else {"POST_ONLY_WOULD_TAKE", "CAPACITY", "FROZEN"}
    form = WORST_ORDER.copy()
    for expected, cure in ORDER_ROWS:
        cure(v, form)
        if expected not in absent:
            hash_before = v.engine.book(1, 9), v.engine.free_quote(1), v.engine.order_count
            found = outcome(v.do(CommandKind.PLACE, **form))
            assert found == expected
            if found != "OK":
                after = v.engine.book(1, 9), v.engine.free_quote(1), v.engine.order_count
                assert after == hash_before, "a refusal changes nothing"


def test_the_document_has_the_same_table() -> None:
    """ORD-1: ORDERS.md tells the reasons in the order that the rows above have shown.

    Row 0 of its table is the gateway's (`tests/unit/client/test_precedence.py`).
    """
    page = (Path(__file__).parents[3] / "matcher/ORDERS.md").read_text()
    table = page.partition("| | refused with |")[2].partition("\n| 1 |")[2].partition("\n\n")[0]
    told = re.findall(r"`([A-Z_]+)`", table)
    shown = [name for name, _ in groupby(name for name, _ in ORDER_ROWS if name != "OK")]
    assert told == shown


# What a replace asks of the old order stands before all that is asked of the new one.
REPLACE_ROWS: list[tuple[str, Cure]] = [
    ("ORDER_UNKNOWN", let()),
    ("SIDE_MISMATCH", lambda v, form: form.update(order_id=v.engine.open_orders(1)[0])),
    ("SIDE_MISMATCH", let(market_id=1)),
    ("UNFILLED_MISMATCH", let(side=BUY)),
    ("NONCE_USED", let(unfilled_lots=5)),
    ("QTY_OUT_OF_RANGE", let(nonce=FRESH_NONCE)),
    ("INSUFFICIENT_MARGIN", let(qty_lots=1)),
    ("REPLACED", let(amount_quote=CASH)),
]


def test_a_replace_is_refused_for_the_first_reason() -> None:
    """REP-1, ORD-1: the old order lives on through every refusal, its margin is the new one's."""
    v = Venue()
    v.withdraw(1, 1, nonce=USED_NONCE)
    v.withdraw(1, CASH // 2 - 1)
    old = v.rest(1, BUY, 5, 1_000, CASH // 2)
    form: Form = {
        "market_id": 9, "account": 1, "side": SELL, "price_ticks": 1_000, "order_id": old + 1,
        "nonce": USED_NONCE, "unfilled_lots": 4, "expiry_time_s": v.now_s + 9,
    }  # fmt: skip
    for expected, cure in REPLACE_ROWS:
        cure(v, form)
        form["amount_quote"] = min(form.get("amount_quote", 0), CASH // 2)
        assert outcome(v.do(CommandKind.REPLACE, **form)) == expected
        assert (v.engine.order(old) is None) == (expected == "REPLACED")
    assert v.engine.reserved_quote(1) == CASH // 2


MOVE_ROWS: list[tuple[str, Cure]] = [
    ("MARKET_UNKNOWN", let()),
    ("ACCOUNT_UNKNOWN", let(market_id=1)),
    ("EXPIRED", let(account=1)),
    ("NONCE_USED", expiring),
    ("NO_PRICE", let(nonce=FRESH_NONCE)),
    ("NO_POSITION", lambda v, _: v.price(1_000)),
    ("NO_POSITION", held_once),
    ("AMOUNT_OUT_OF_RANGE", held_and_frozen),
    ("FROZEN", let(amount_quote=2**60)),
    ("INSUFFICIENT_FREE_COLLATERAL", lambda v, _: v.freeze(1, 0)),
    ("INSUFFICIENT_MARGIN", let(amount_quote=-(2**60))),
    ("OK", let(amount_quote=-1)),
]


def test_a_collateral_move_is_refused_for_the_first_reason() -> None:
    """COLL-1, SIG-1, SIG-2: market, account, expiry, nonce, price, position, amount, freeze."""
    v = Venue(mark=0)
    v.withdraw(1, 1, nonce=USED_NONCE)
    form = {"market_id": 9, "account": 99, "nonce": USED_NONCE, "amount_quote": 0}
    for expected, cure in MOVE_ROWS:
        cure(v, form)
        assert outcome(v.do(CommandKind.MOVE_COLLATERAL, **form)) == expected


WITHDRAWAL_ROWS: list[tuple[str, Cure]] = [
    ("ACCOUNT_UNKNOWN", let()),
    ("EXPIRED", let(account=1)),
    ("NONCE_USED", expiring),
    ("AMOUNT_OUT_OF_RANGE", let(nonce=FRESH_NONCE)),
    ("AMOUNT_OUT_OF_RANGE", let(amount_quote=2**60 + 1)),
    ("INSUFFICIENT_FREE_COLLATERAL", let(amount_quote=CASH)),
    ("OK", let(amount_quote=CASH - 1)),
]


def test_a_withdrawal_is_refused_for_the_first_reason() -> None:
    """COLL-2, SIG-1, SIG-2."""
    v = Venue()
    v.withdraw(1, 1, nonce=USED_NONCE)
    form = {"account": 99, "nonce": USED_NONCE, "amount_quote": 0}
    for expected, cure in WITHDRAWAL_ROWS:
        cure(v, form)
        assert outcome(v.do(CommandKind.WITHDRAW, **form)) == expected


DEPOSIT_ROWS: list[tuple[CommandKind, Form, str]] = [
    (CommandKind.DEPOSIT, {"account": 99}, "ACCOUNT_UNKNOWN"),
    (CommandKind.DEPOSIT, {"account": 0}, "ACCOUNT_UNKNOWN"),
    (CommandKind.DEPOSIT, {"account": 1, "nonce": 2, "amount_quote": 1}, "OK"),  # one was parked
    (CommandKind.DEPOSIT, {"account": 1, "nonce": 0}, "NONCE_USED"),
    (CommandKind.DEPOSIT, {"account": 1, "nonce": 1}, "AMOUNT_OUT_OF_RANGE"),
    (CommandKind.DEPOSIT, {"account": 1, "nonce": 1, "amount_quote": -1}, "AMOUNT_OUT_OF_RANGE"),
    (
        CommandKind.DEPOSIT,
        {"account": 1, "nonce": 1, "amount_quote": 2**60 + 1},
        "AMOUNT_OUT_OF_RANGE",
    ),
    (CommandKind.DEPOSIT, {"account": 1, "nonce": 1, "amount_quote": 2**60}, "OK"),
]


@pytest.mark.parametrize(("kind", "fields", "expected"), DEPOSIT_ROWS)
def test_deposits_come_in_the_order_of_the_chain(
    kind: CommandKind, fields: Form, expected: str
) -> None:
    """CONS-1: each deposit once, in its order."""
    v = Venue(cash=0)
    assert outcome(v.do(kind, **fields)) == expected


PRICE_ROWS: list[tuple[Form, str]] = [
    ({"market_id": 9, "price_ticks": 0, "aux": 0}, "MARKET_UNKNOWN"),
    ({"price_ticks": 0, "aux": 0}, "PRICE_OUT_OF_RANGE"),
    ({"price_ticks": 100_001, "aux": 0}, "PRICE_OUT_OF_RANGE"),
    ({"aux": 1_700_000_000_000 - 1}, "PRICE_STALE"),  # before the last one
    ({"aux": 1_700_000_000_000}, "OK"),
    ({"aux": 1_700_000_010_000}, "OK"),
    ({"aux": 1_700_000_010_001}, "PRICE_STALE"),  # from the future
]


@pytest.mark.parametrize(("fields", "expected"), PRICE_ROWS)
def test_an_index_price_is_refused_for_the_first_reason(fields: Form, expected: str) -> None:
    """MARK-1, BATCH-3: in range, fresh, and never back in time."""
    v = Venue()
    assert outcome(v.price(1_000, **fields)) == expected


def test_an_old_index_price_is_stale() -> None:
    """BATCH-3: the age is judged on the clock of the batch."""
    v = Venue()
    v.wait(61)
    assert outcome(v.price(1_000, aux=v.time_ns // 10**6 - 60_001)) == "PRICE_STALE"
    assert outcome(v.price(1_000, aux=v.time_ns // 10**6 - 60_000)) == "OK"


def test_the_other_commands_name_their_reason() -> None:
    """SPEC §6: unknown market, account and order; a state that does not exist."""
    v = Venue()
    mine = v.rest(1, BUY, 1, 900)
    everything = {"account": 1, "side": 2}
    assert outcome(v.cancel(2, mine)) == "ORDER_UNKNOWN"
    assert outcome(v.cancel(99, mine)) == "ORDER_UNKNOWN"
    assert outcome(v.cancel(1, mine + 1)) == "ORDER_UNKNOWN"
    assert outcome(v.do(CommandKind.CANCEL, account=99, nonce=1)) == "ORDER_UNKNOWN"
    assert outcome(v.do(CommandKind.CANCEL_ALL, market_id=9, account=99)) == "MARKET_UNKNOWN"
    assert outcome(v.do(CommandKind.CANCEL_ALL, market_id=0, account=99)) == "ACCOUNT_UNKNOWN"
    assert story(v.do(CommandKind.CANCEL_ALL, **everything)) == ["ORDER_CANCELED USER_CANCELED"]
    assert outcome(v.do(CommandKind.SET_MARKET_STATE, market_id=9)) == "MARKET_UNKNOWN"
    for state in (0, 8):
        found = v.do(CommandKind.SET_MARKET_STATE, aux=state)
        assert outcome(found) == "AMOUNT_OUT_OF_RANGE"
    assert outcome(v.do(CommandKind.SETTLEMENT_REJECTED, market_id=9)) == "MARKET_UNKNOWN"
    assert outcome(v.freeze(3)) == "NO_POSITION"
    for account in (0, 99):
        assert outcome(v.freeze(account)) == "ACCOUNT_UNKNOWN"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"qty_lots": 10**6}, "OK"),
        ({"qty_lots": 10**6 + 1}, "QTY_OUT_OF_RANGE"),
        ({"price_ticks": 100_000}, "OK"),
        ({"price_ticks": 100_001}, "PRICE_OUT_OF_RANGE"),
        ({"trigger_kind": 1, "trigger_price_ticks": 100_001}, "PRICE_OUT_OF_RANGE"),
        ({"trigger_price_ticks": 100_001}, "OK"),  # no trigger: its price is not looked at
        ({"trigger_kind": 3, "trigger_price_ticks": 1}, "TIME_IN_FORCE"),
        ({"time_in_force": 3}, "TIME_IN_FORCE"),
        ({"flags": 4}, "TIME_IN_FORCE"),
        ({"flags": POST_ONLY, "time_in_force": FOK}, "TIME_IN_FORCE"),
        ({"expiry_time_s": 1_700_000_000}, "EXPIRED"),
        ({"expiry_time_s": 1_700_000_001}, "OK"),
    ],
)
def test_bounds_of_an_order(fields: Form, expected: str) -> None:
    """ORD-1, SPEC §1: the last value that is admitted, and the first that is not."""
    v = Venue(cash=10**12)
    form = {"side": BUY, "qty": 1, "price": 1_000, "margin": 10**9}
    assert outcome(v.place(1, **form, **fields)) == expected


@pytest.mark.parametrize(
    ("state", "flags", "expected"),
    [
        (MarketState.POST_ONLY, 0, "MARKET_STATE"),
        (MarketState.POST_ONLY, POST_ONLY, "OK"),
        (MarketState.CANCEL_ONLY, POST_ONLY | REDUCE_ONLY, "MARKET_STATE"),
        (MarketState.REDUCE_ONLY, 0, "MARKET_STATE"),
        (MarketState.REDUCE_ONLY, POST_ONLY, "MARKET_STATE"),
        (MarketState.REDUCE_ONLY, REDUCE_ONLY, "OK"),
        (MarketState.HALTED, POST_ONLY | REDUCE_ONLY, "MARKET_STATE"),
    ],
)
def test_a_market_state_admits_what_it_names(state: MarketState, flags: int, expected: str) -> None:
    """ORD-1: cancels are admitted in every state."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    mine = v.rest(1, SELL, 1, 1_200, flags=POST_ONLY)
    v.set_state(state)
    assert outcome(v.place(1, SELL, 1, 1_100, flags=flags)) == expected
    assert outcome(v.cancel(1, mine)) == "USER_CANCELED"


def test_a_margin_that_is_just_enough() -> None:
    """ORD-2: fee at its price, requirement at the worse price, and the distance from the mark."""
    v = Venue(spec=spec_of(fee_taker_ppm=1_000))
    # Requirements carry the closing fee: 10.1 % of the notional.
    rows = [
        (BUY, 1_000, 10 + 1_010),
        (BUY, 1_100, 11 + 1_111 + 1_000),  # 100 ticks over the mark
        (BUY, 900, 9 + 909),
        (SELL, 1_100, 11 + 1_111),
        (SELL, 900, 9 + 1_010 + 1_000),  # requirement at the mark, 100 ticks under it
    ]
    for side, price, least in rows:
        assert outcome(v.place(1, side, 10, price, least - 1)) == "INSUFFICIENT_MARGIN"
        events = v.place(1, side, 10, price, least)
        assert outcome(events) == "OK"
        v.cancel(1, events[0].order_id)


@pytest.mark.parametrize("seed", range(20))
def test_the_least_margin_is_exact_at_any_size(seed: int) -> None:
    """ORD-2: the engine compares with a bound first, which must not let less through."""
    rng = Random(seed)
    unit, mark = rng.choice((1, 1_000)), rng.randint(1, 99_999)
    rates = sorted(rng.sample(range(1, 400_000), 2))
    tiers = tuple(
        Tier(notional_floor_quote=floor, margin_initial_ppm=rate, margin_maintenance_ppm=rate // 2)
        for floor, rate in zip((0, 10**6 * rng.randint(1, 1_000)), rates, strict=True)
    )
    spec = spec_of(
        quote_per_tick_lot=unit, fee_taker_ppm=rng.randint(0, 1_000), tiers=tiers[: 1 + seed % 2]
    )
    v = Venue(spec=spec, cash=10**17, mark=mark)
    need = Requirements(spec, mark=mark)
    for _ in range(30):
        side, price = rng.choice((BUY, SELL)), rng.randint(1, 99_999)
        lots = rng.choice((1, rng.randint(1, 500), rng.randint(1, 10**6)))
        worst, loss = (price, price - mark) if side == BUY else (max(price, mark), mark - price)
        least = need.share(lots, price, spec.fee_taker_ppm) + max(0, loss) * lots * unit
        least += need.requirement(lots, worst, maintenance=False)
        assert outcome(v.place(1, side, lots, price, least - 1)) == "INSUFFICIENT_MARGIN"
        events = v.place(1, side, lots, price, least)
        assert outcome(events) == "OK"
        v.cancel(1, events[0].order_id)


def test_immediate_orders_are_judged_by_their_fills_alone() -> None:
    """ORD-2."""
    v = Venue()
    accepted = v.place(1, BUY, 10, 1_000, 0, time_in_force=IOC)
    assert story(accepted) == ["ORDER_ACCEPTED", "ORDER_CANCELED IMMEDIATE_REMAINDER"]
    v.rest(2, SELL, 10, 1_000)
    refused = v.place(1, BUY, 10, 1_000, 0, time_in_force=IOC)
    assert story(refused) == ["ORDER_ACCEPTED", "ORDER_CANCELED INSUFFICIENT_MARGIN"]


def test_the_margins_of_a_side_have_a_bound() -> None:
    """ORD-1, SPEC §1: orders that close reserve nothing, yet their sum stays within 2^60."""
    v = Venue()
    v.trade(1, 2, 100, 1_000)
    assert outcome(v.place(1, SELL, 1, 2_000, 2**60 - 1)) == "OK"
    assert outcome(v.place(1, SELL, 1, 2_001, 2)) == "AMOUNT_OUT_OF_RANGE"
    assert outcome(v.place(1, SELL, 1, 2_001, 1)) == "OK"
    assert outcome(v.place(1, BUY, 1, 900, 2)) == "INSUFFICIENT_MARGIN"


def test_only_the_lots_that_open_need_margin() -> None:
    """ORD-2: 5 of 8 lots close."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    assert outcome(v.place(1, SELL, 5, 1_100, 0)) == "OK"
    assert outcome(v.place(1, SELL, 8, 1_100, 329)) == "INSUFFICIENT_MARGIN"
    assert outcome(v.place(1, SELL, 8, 1_100, 330)) == "OK"


def test_the_reasons_of_the_contract_alone() -> None:
    """SPEC §6: what the engine never says, because it cannot happen inside it."""
    settlement_only = {
        "FEE_ABOVE_LIMIT", "PRICE_NOT_CROSSED", "OVERFILL", "TRIGGER_NOT_MET", "NOT_LIQUIDATABLE",
        "LIQUIDATION_PRICE", "LIQUIDATION_TOO_LARGE", "FUND_CANNOT_CARRY", "FUND_CAN_CARRY",
        "ADL_ORDER", "SIGNATURE_INVALID", "FUNDING_STEP", "SESSION_KEY_SCOPE",
        "PRICE_DEVIATION", "PARAMETERS_NOT_DUE", "OUTFLOW_LIMIT", "LEVERAGE", "EXITING",
    }  # fmt: skip
    shown = {row[0] for row in (*ORDER_ROWS, *MOVE_ROWS, *WITHDRAWAL_ROWS)} | {"PRICE_STALE"}
    shown |= {row[0] for row in REPLACE_ROWS} - {"REPLACED"}
    shown |= {"MIN_QTY_NOT_MET", "GROUP_REJECTED", "OPEN_INTEREST_LIMIT", "MARKET_CANNOT_PAY"}
    shown |= {"ORDER_UNKNOWN", "SELF_TRADE", "FOK_NOT_FILLABLE", "POSITION_LIMIT", "BANKRUPT"}
    rejections = {reason.name for reason in RejectReason if 0 < reason < 64}
    assert rejections - settlement_only == shown - {"OK"}
