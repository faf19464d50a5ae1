"""Orders with instructions, changes of orders, groups: one short story a rule."""

from __future__ import annotations

import pytest

from matcher.engine.commands import (
    NEVER_S,
    TRIGGER_AT_OR_ABOVE,
    TRIGGER_AT_OR_BELOW,
    Command,
    CommandKind,
)
from matcher.engine.events import Event
from matcher.engine.instructions import (
    FLAG_ATTACHED,
    FLAG_ON_LAST,
    FLAG_SLIDES,
    Instructions,
    SelfTradePrevention,
)
from tests.unit.engine.venue import (
    BUY,
    CASH,
    FOK,
    IOC,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
    Venue,
    fills,
    outcome,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")

BELOW = 2


def amend(v: Venue, account: int, order_id: int, total: int) -> list[Event]:
    return v.do(CommandKind.AMEND, account=account, order_id=order_id, qty_lots=total, nonce=0)


def replace(
    v: Venue, account: int, old: int, side: int, qty: int, price: int, **fields: int
) -> list[Event]:
    v.nonce += 1
    form = {
        "account": account, "side": side, "qty_lots": qty, "price_ticks": price, "order_id": old,
        "amount_quote": qty * price // 5, "nonce": v.nonce, "expiry_time_s": NEVER_S,
    }  # fmt: skip
    return v.do(CommandKind.REPLACE, **(form | fields))


def item(v: Venue, account: int, side: int, qty: int, price: int, **fields: object) -> Command:
    """Return a PLACE for a group."""
    v.nonce += 1
    form = {
        "account": account, "market_id": 1, "side": side, "qty_lots": qty, "price_ticks": price,
        "amount_quote": qty * price // 5, "nonce": v.nonce, "expiry_time_s": NEVER_S,
    }  # fmt: skip
    return Command(CommandKind.PLACE, **(form | fields))  # type: ignore[arg-type]


def test_what_is_due_ends_in_order_of_date_then_of_age() -> None:
    """TIF-1: before the command that brings the time acts; an order without a date stays."""
    v = Venue()
    first = v.rest(1, BUY, 1, 900, expiry_time_s=v.now_s + 3)
    second = v.rest(2, BUY, 1, 901, expiry_time_s=v.now_s + 2)
    third = v.rest(3, BUY, 1, 902, expiry_time_s=v.now_s + 2, trigger_kind=BELOW,
                   trigger_price_ticks=800)  # fmt: skip
    v.rest(4, BUY, 1, 903, expiry_time_s=v.now_s + 9)
    v.rest(5, BUY, 1, 904, expiry_time_s=NEVER_S)
    v.wait(3)
    events = v.place(6, SELL, 1, 1_000)
    assert [e.order_id for e in events[:3]] == [second, third, first]
    assert story(events) == [*["ORDER_CANCELED EXPIRED"] * 3, "ORDER_ACCEPTED"]
    v.wait(10**6)
    assert story(v.do(CommandKind.TICK)) == ["ORDER_CANCELED EXPIRED"] * 2
    assert v.book() == ([(904, 1)], [])


def test_expiry_is_bounded_a_command_and_what_is_due_never_fills() -> None:
    """TIF-1: 256 a command; the rest is met as expired."""
    v = Venue(cash=10**12)
    for _ in range(300):
        v.rest(1, SELL, 1, 1_000, expiry_time_s=v.now_s + 1)
    v.wait(1)
    events = v.place(2, BUY, 1, 1_000)
    assert story(events) == [
        *["ORDER_CANCELED EXPIRED"] * 256, "ORDER_ACCEPTED", *["ORDER_CANCELED EXPIRED"] * 44,
    ]  # fmt: skip
    assert v.book() == ([(1_000, 1)], [])


def test_an_amended_order_keeps_its_place_and_frees_its_margin() -> None:
    """AMD-1, MATCH-1, ORD-3."""
    v = Venue()
    mine = v.rest(1, BUY, 10, 990)
    v.rest(2, BUY, 5, 990)
    assert v.engine.reserved_quote(1) == 1_980
    (event,) = amend(v, 1, mine, 4)
    assert (event.qty_lots, event.remaining_lots) == (4, 4)
    assert v.engine.reserved_quote(1) == 792
    assert fills(v.place(3, SELL, 6, 990)) == [(1, 4, 990), (2, 2, 990)]
    assert v.engine.order(mine) is None


def test_an_amend_counts_what_is_filled() -> None:
    """AMD-1: a total that is filled already ends the order; more than it has is refused."""
    v = Venue()
    mine = v.rest(1, BUY, 10, 990)
    v.place(2, SELL, 4, 990)
    assert outcome(amend(v, 1, mine, 11)) == "QTY_OUT_OF_RANGE"
    assert outcome(amend(v, 1, mine, 0)) == "QTY_OUT_OF_RANGE"
    assert outcome(amend(v, 2, mine, 5)) == "ORDER_UNKNOWN"
    assert outcome(amend(v, 1, mine, 7)) == "OK"
    assert outcome(amend(v, 1, mine, 8)) == "QTY_OUT_OF_RANGE"
    order = v.engine.order(mine)
    assert order is not None
    assert (order.qty_lots, order.remaining_lots) == (10, 3)
    assert story(amend(v, 1, mine, 4)) == ["ORDER_CANCELED USER_CANCELED"]


def test_margin_of_an_amended_order_moves_pro_rata_to_the_signed_quantity() -> None:
    """AMD-1, FILL-3: 3 of 10 signed lots move 3 tenths."""
    v = Venue()
    mine = v.rest(1, BUY, 10, 1_000, 1_999)
    amend(v, 1, mine, 3)
    v.place(2, SELL, 3, 1_000)
    position = v.engine.position(1, 1)
    assert position is not None
    assert position.collateral_quote == 1_999 * 3 // 10


def test_a_replace_is_all_or_nothing() -> None:
    """REP-1: a refused one leaves the old order in its place."""
    v = Venue()
    old = v.rest(1, BUY, 5, 990)
    v.rest(2, BUY, 5, 990)
    for fields, reason in (
        ({"order_id": 999}, "ORDER_UNKNOWN"), ({"market_id": 2}, "SIDE_MISMATCH"),
        ({"unfilled_lots": 4}, "UNFILLED_MISMATCH"), ({"amount_quote": 1}, "INSUFFICIENT_MARGIN"),
        ({"amount_quote": 2 * CASH}, "INSUFFICIENT_FREE_COLLATERAL"),
        ({"price_ticks": 0}, "PRICE_OUT_OF_RANGE"),
    ):  # fmt: skip
        assert outcome(replace(v, 1, old, BUY, 5, 991, **fields)) == reason
    assert fills(v.place(3, SELL, 1, 990)) == [(1, 1, 990)]
    events = replace(v, 1, old, BUY, 8, 991, unfilled_lots=4)
    assert story(events) == ["ORDER_CANCELED REPLACED", "ORDER_ACCEPTED"]
    assert v.book() == ([(991, 8), (990, 5)], [])
    old = events[1].order_id
    assert outcome(replace(v, 1, old, SELL, 8, 1_100)) == "SIDE_MISMATCH"


def test_a_replace_never_doubles_a_fill() -> None:
    """REP-1: the guard sees the fill that crossed the request on its way."""
    v = Venue()
    old = v.rest(1, BUY, 5, 990)
    v.place(2, SELL, 2, 990)
    assert outcome(replace(v, 1, old, BUY, 5, 995, unfilled_lots=5)) == "UNFILLED_MISMATCH"
    assert v.lots(1) == 2


def test_a_replace_may_use_what_the_old_order_reserved() -> None:
    """REP-1, ORD-3: its margin and its slot."""
    v = Venue(cash=1_000, orders=1)
    old = v.rest(1, BUY, 5, 900, 1_000)
    assert outcome(replace(v, 1, old, BUY, 5, 950, amount_quote=1_000)) == "REPLACED"
    assert v.book() == ([(950, 5)], [])


@pytest.mark.parametrize(
    ("mode", "expected", "mine", "theirs"),
    [
        (SelfTradePrevention.CANCEL_NEWEST, ["ORDER_CANCELED SELF_TRADE"], 3, 0),
        (SelfTradePrevention.CANCEL_OLDEST, ["ORDER_CANCELED SELF_TRADE", "FILL"], 0, 1),
        (SelfTradePrevention.CANCEL_BOTH, ["ORDER_CANCELED SELF_TRADE"] * 2, 0, 0),
        (
            SelfTradePrevention.DECREMENT,
            ["ORDER_CANCELED SELF_TRADE", "ORDER_AMENDED SELF_TRADE", "FILL"],
            0,
            0,
        ),
    ],
)
def test_self_trades_are_prevented_as_the_incoming_order_asks(
    mode: SelfTradePrevention, expected: list[str], mine: int, theirs: int
) -> None:
    """STP-1, MATCH-3."""
    v = Venue()
    v.rest(1, SELL, 3, 1_000)
    v.rest(2, SELL, 4, 1_001)
    events = v.place(1, BUY, 5, 1_001, instructions=Instructions(self_trade=mode))
    assert story(events)[1:] == expected
    left = {1_000: 0, 1_001: 0} | dict(v.book()[1])
    filled = sum(lots for _, lots, _ in fills(events))
    assert (left[1_000], filled) == (mine, {0: 0, 1: 4, 2: 0, 3: 2}[mode])
    assert v.lots(1) == filled
    assert sum(lots for _, lots in v.book()[0]) == theirs


def test_decrement_takes_the_smaller_of_both() -> None:
    """STP-1: the resting order keeps the rest and its place."""
    v = Venue()
    v.rest(1, SELL, 9, 1_000)
    v.rest(2, SELL, 9, 1_000)
    word = Instructions(self_trade=SelfTradePrevention.DECREMENT)
    events = v.place(1, BUY, 4, 1_000, instructions=word)
    assert story(events)[1:] == ["ORDER_AMENDED SELF_TRADE", "ORDER_CANCELED SELF_TRADE"]
    assert fills(v.place(3, BUY, 6, 1_000)) == [(1, 5, 1_000), (2, 1, 1_000)]


def test_an_iceberg_shows_its_part_and_loses_its_place() -> None:
    """ICE-1: the next part stands behind who came meanwhile; the whole is reserved."""
    v = Venue()
    v.rest(1, SELL, 7, 1_000, instructions=Instructions(display_lots=3))
    v.rest(2, SELL, 2, 1_000)
    assert v.book() == ([], [(1_000, 5)])
    assert v.engine.reserved_quote(1) == 1_400
    events = v.place(3, BUY, 6, 1_000)
    assert fills(events) == [(1, 3, 1_000), (2, 2, 1_000), (1, 1, 1_000)]
    assert story(events)[1:] == ["FILL", "ORDER_REPLENISHED", "FILL", "FILL"]
    assert v.book() == ([], [(1_000, 2)])
    assert fills(v.place(4, BUY, 9, 1_000)) == [(1, 2, 1_000), (1, 1, 1_000)]


def test_fok_counts_what_is_hidden() -> None:
    """ICE-1, MATCH-4."""
    v = Venue()
    v.rest(1, SELL, 7, 1_000, instructions=Instructions(display_lots=2))
    v.rest(2, SELL, 3, 1_000)
    refused = v.place(3, BUY, 11, 1_000, time_in_force=FOK)
    assert story(refused) == ["ORDER_ACCEPTED", "ORDER_CANCELED FOK_NOT_FILLABLE"]
    done = v.place(3, BUY, 10, 1_000, time_in_force=FOK)
    assert [lots for _, lots, _ in fills(done)] == [2, 3, 2, 2, 1]


def test_an_amended_iceberg_never_shows_more_than_it_has() -> None:
    """AMD-1, ICE-1."""
    v = Venue()
    mine = v.rest(1, SELL, 7, 1_000, instructions=Instructions(display_lots=3))
    amend(v, 1, mine, 2)
    assert v.book() == ([], [(1_000, 2)])
    assert fills(v.place(2, BUY, 9, 1_000)) == [(1, 2, 1_000)]


def test_a_minimum_quantity_fills_at_once_or_not_at_all() -> None:
    """MIN-1."""
    v = Venue()
    v.rest(1, SELL, 3, 1_000)
    v.rest(2, SELL, 3, 1_005)
    refused = v.place(3, BUY, 9, 1_000, instructions=Instructions(min_lots=4))
    assert story(refused) == ["ORDER_ACCEPTED", "ORDER_CANCELED MIN_QTY_NOT_MET"]
    assert v.book() == ([], [(1_000, 3), (1_005, 3)])
    events = v.place(3, BUY, 9, 1_005, instructions=Instructions(min_lots=4))
    assert fills(events) == [(1, 3, 1_000), (2, 3, 1_005)]
    assert v.book() == ([(1_005, 3)], [])


def test_a_post_only_order_slides_by_one_tick() -> None:
    """POST-1: off the best price, or is refused where there is no tick."""
    v = Venue()
    v.rest(1, SELL, 1, 1_000)
    word = Instructions(flags=FLAG_SLIDES)
    events = v.place(2, BUY, 1, 1_010, flags=POST_ONLY, instructions=word)
    assert story(events) == ["ORDER_ACCEPTED", "ORDER_REPRICED"]
    assert v.book() == ([(999, 1)], [(1_000, 1)])
    assert fills(v.place(3, SELL, 1, 990)) == [(2, 1, 999)]
    v.rest(3, SELL, 1, 1, 10**6)
    assert outcome(v.place(2, BUY, 1, 1, flags=POST_ONLY, instructions=word)) == (
        "POST_ONLY_WOULD_TAKE"
    )


def test_a_sliding_sell_order_is_judged_where_it_rests() -> None:
    """POST-1, ORD-2: its margin must do at the higher price."""
    v = Venue()
    v.rest(1, BUY, 10, 1_500, 10**5)
    word = Instructions(flags=FLAG_SLIDES)
    form = {"flags": POST_ONLY, "instructions": word}
    assert outcome(v.place(2, SELL, 10, 1_000, 1_500, **form)) == "INSUFFICIENT_MARGIN"
    assert outcome(v.place(2, SELL, 10, 1_000, 1_501, **form)) == "OK"
    assert v.book()[1] == [(1_501, 10)]


def test_the_end_of_an_order_ends_its_sibling() -> None:
    """OCO-1: by a fill, a cancel, whatever; a stop and a take-profit of one position."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    stop, take = v.nonce + 1, v.nonce + 2
    v.rest(1, SELL, 5, 900, flags=REDUCE_ONLY, trigger_kind=BELOW, trigger_price_ticks=980,
           time_in_force=IOC, instructions=Instructions(oco_nonce=take))  # fmt: skip
    v.rest(1, SELL, 5, 1_010, flags=REDUCE_ONLY, instructions=Instructions(oco_nonce=stop))
    events = v.place(3, BUY, 3, 1_010)
    assert story(events) == ["ORDER_ACCEPTED", "FILL", "ORDER_AMENDED REDUCE_ONLY"][:2]
    events = v.place(3, BUY, 2, 1_010)
    assert story(events) == ["ORDER_ACCEPTED", "FILL", "ORDER_CANCELED SIBLING_ENDED"]
    assert v.engine.order_count == 0


def test_a_sibling_comes_too_late_or_is_none() -> None:
    """OCO-1."""
    v = Venue()
    first = v.rest(1, BUY, 1, 900, instructions=Instructions(oco_nonce=v.nonce + 2))
    v.cancel(1, first)
    late = v.place(1, BUY, 1, 900, instructions=Instructions(oco_nonce=v.nonce))
    assert outcome(late) == "ORDER_UNKNOWN"
    v.rest(1, BUY, 1, 900)
    strange = v.place(1, BUY, 1, 900, instructions=Instructions(oco_nonce=v.nonce))
    assert outcome(strange) == "INSTRUCTIONS_INVALID"


def test_an_attached_order_ends_with_the_position() -> None:
    """ATT-1: closed by another order; it may wait beside the order that opens the position."""
    v = Venue()
    word = Instructions(flags=FLAG_ATTACHED)
    stop = {"flags": REDUCE_ONLY, "trigger_kind": BELOW, "trigger_price_ticks": 900}
    v.rest(1, BUY, 5, 1_000)
    v.rest(1, SELL, 5, 900, instructions=word, **stop)
    v.place(2, SELL, 5, 1_000)
    assert v.engine.order_count == 1
    v.rest(3, BUY, 9, 1_000)
    events = v.place(1, SELL, 5, 1_000, 0)
    assert story(events) == ["ORDER_ACCEPTED", "FILL", "ORDER_CANCELED POSITION_CLOSED"]


def test_a_trigger_on_the_last_price_fires_after_the_trade() -> None:
    """TRIG-2: in a cascade: what a fired order trades makes the next one due."""
    v = Venue()
    word = Instructions(flags=FLAG_ON_LAST)
    for account, trigger in ((1, 990), (2, 985)):
        v.rest(account, SELL, 1, trigger - 10, trigger_kind=TRIGGER_AT_OR_BELOW,
               trigger_price_ticks=trigger, instructions=word)  # fmt: skip
    for price in (990, 985, 980):
        v.rest(3, BUY, 1, price)
    events = v.place(4, SELL, 1, 990)
    assert story(events) == [
        "ORDER_ACCEPTED", "FILL", "ORDER_TRIGGERED", "FILL", "ORDER_TRIGGERED", "FILL",
    ]  # fmt: skip
    assert [price for _, _, price in fills(events)] == [990, 985, 980]


def test_a_trail_follows_and_never_goes_back() -> None:
    """TRIG-3: it fires at the trailed distance below the highest mark."""
    v = Venue()
    v.trade(1, 2, 1, 1_000)
    word = Instructions(trailing_ticks=20)
    stop = v.rest(1, SELL, 1, 900, flags=REDUCE_ONLY, trigger_kind=TRIGGER_AT_OR_BELOW,
                  trigger_price_ticks=950, instructions=word)  # fmt: skip
    for index, trigger in ((1_000, 980), (1_010, 990), (1_005, 990)):
        v.walk(index)
        order = v.engine.order(stop)
        assert order is not None
        assert order.trigger_price_ticks == trigger
    assert "ORDER_TRIGGERED" in story(v.walk(990))


def test_a_group_is_all_or_none() -> None:
    """GRP-1: one bad item refuses all, in the order of the items; nothing has changed."""
    v = Venue()
    old = v.rest(1, BUY, 1, 900)
    items = [item(v, 1, BUY, 1, 901), item(v, 1, BUY, 1, 0),
             Command(CommandKind.CANCEL, account=1, order_id=old)]  # fmt: skip
    events = v.group(items)
    assert story(events) == [
        "ORDER_REJECTED GROUP_REJECTED", "ORDER_REJECTED PRICE_OUT_OF_RANGE",
        "COMMAND_REJECTED GROUP_REJECTED",
    ]  # fmt: skip
    assert v.book() == ([(900, 1)], [])
    events = v.group([items[2], items[0]])
    assert story(events) == ["ORDER_CANCELED USER_CANCELED", "ORDER_ACCEPTED"]
    assert v.book() == ([(901, 1)], [])


def test_a_group_counts_what_it_reserves() -> None:
    """GRP-1, ORD-3: two orders that fit alone do not fit together, unless one makes room."""
    v = Venue(cash=1_000)
    old = v.rest(1, BUY, 1, 900, 600)
    two = [item(v, 1, BUY, 1, 900, amount_quote=400), item(v, 1, BUY, 1, 901, amount_quote=400)]
    assert story(v.group(two))[1] == "ORDER_REJECTED INSUFFICIENT_FREE_COLLATERAL"
    events = v.group([Command(CommandKind.CANCEL, account=1, order_id=old), *two])
    assert outcome(events) == "USER_CANCELED"
    assert v.engine.reserved_quote(1) == 800


def test_a_bracket_is_one_group() -> None:
    """GRP-1, OCO-1, ATT-1: entry, stop and take-profit come to stand together or not at all."""
    v = Venue()
    v.rest(2, SELL, 5, 1_000)
    entry, stop, take = v.nonce + 1, v.nonce + 2, v.nonce + 3
    close = {"amount_quote": 0, "flags": REDUCE_ONLY}
    items = [
        item(v, 1, BUY, 5, 1_000),
        item(v, 1, SELL, 5, 900, trigger_kind=2, trigger_price_ticks=950,
             instructions=Instructions(flags=FLAG_ATTACHED, oco_nonce=take), **close),
        item(v, 1, SELL, 5, 1_050, trigger_kind=1, trigger_price_ticks=1_050,
             instructions=Instructions(flags=FLAG_ATTACHED, oco_nonce=stop), **close),
    ]  # fmt: skip
    assert items[0].nonce == entry
    assert story(v.group(items)) == ["ORDER_ACCEPTED"] * 3 + ["FILL"]
    v.rest(3, BUY, 5, 1_050, 3_000)
    events = v.walk(1_050)
    assert story(events)[-3:] == ["ORDER_TRIGGERED", "ORDER_CANCELED SIBLING_ENDED", "FILL"]
    assert v.engine.order_count == 0


def test_a_session_cancels_its_own() -> None:
    """CXL-1."""
    v = Venue()
    v.rest(1, BUY, 1, 900, session=7)
    v.rest(1, BUY, 1, 901, session=8)
    v.rest(1, BUY, 1, 902)
    v.rest(1, SELL, 1, 1_100, session=7)
    everything = {"account": 1, "side": 2, "session": 7}
    assert len(v.do(CommandKind.CANCEL_ALL, **everything)) == 2
    assert v.book() == ([(902, 1), (901, 1)], [])


@pytest.mark.parametrize(
    ("word", "fields"),
    [
        (Instructions(self_trade=4), {}),
        (Instructions(flags=8), {}),
        (Instructions(flags=FLAG_SLIDES), {}),
        (Instructions(flags=FLAG_ATTACHED), {}),
        (Instructions(flags=FLAG_ON_LAST), {}),
        (Instructions(flags=FLAG_ON_LAST), {"trigger_kind": 1, "trigger_price_ticks": 1_000}),
        (Instructions(min_lots=1), {"trigger_kind": TRIGGER_AT_OR_ABOVE,
                                    "trigger_price_ticks": 1_000}),
        (Instructions(trailing_ticks=1), {}),
        (Instructions(trailing_ticks=100_001), {"trigger_kind": TRIGGER_AT_OR_ABOVE,
                                                "trigger_price_ticks": 1_000}),
        (Instructions(display_lots=1), {"time_in_force": IOC}),
        (Instructions(display_lots=1_001), {}),
        (Instructions(display_lots=3), {}),
        (Instructions(min_lots=1_001), {}),
        (Instructions(min_lots=1), {"time_in_force": FOK}),
        (Instructions(min_lots=1), {"flags": POST_ONLY}),
    ],
)  # fmt: skip
def test_instructions_fit_the_order(word: Instructions, fields: dict[str, int]) -> None:
    """ORD-4."""
    v = Venue()
    events = v.place(1, BUY, 1_000, 1_000, 200_000, instructions=word, **fields)
    assert outcome(events) == "INSTRUCTIONS_INVALID"


def test_a_nonce_is_a_client_order_id() -> None:
    """SIG-1: the same order sent twice is one order; its nonce finds it while it lives."""
    v = Venue()
    mine = v.rest(1, BUY, 1, 900, nonce=77)
    assert outcome(v.place(1, BUY, 1, 900, nonce=77)) == "NONCE_USED"
    assert v.engine.order_id(1, 77) == mine
    v.cancel(1, mine)
    assert outcome(v.place(1, BUY, 1, 900, nonce=77)) == "NONCE_USED"
    assert v.engine.order_id(1, 77) == 0


@pytest.mark.engine_alone
def test_the_instruction_word_is_one_in_bytes() -> None:
    """ORD-4: big endian, in the order of the specification, reserved bytes refused."""
    word = Instructions(1, 2, 3, 4, 5, 6)
    assert word.pack().hex() == "0102000000030000000400000005" + "0000000000000006" + "00" * 10
    assert Instructions.unpack(word.pack()) == word
    assert Instructions().pack() == bytes(32)
    with pytest.raises(ValueError, match="reserved"):
        Instructions.unpack(bytes(31) + b"\x01")
