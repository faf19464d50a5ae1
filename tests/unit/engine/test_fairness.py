"""What one account does costs another one nothing: stops in time, honest books, room for orders."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from matcher.engine.commands import NEVER_S, Command, CommandKind, MarketState
from matcher.engine.engine import Engine
from matcher.engine.events import Event, EventKind, unpack
from matcher.engine.instructions import FLAG_ATTACHED, FLAG_ON_LAST, FLAG_SLIDES, Instructions
from matcher.engine.reject_reason import RejectReason
from tests.unit.engine.venue import (
    BUY,
    CASH,
    GTC,
    IOC,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
    Venue,
    fills,
    outcome,
    spec_of,
    story,
)

pytestmark = pytest.mark.usefixtures("on_both")

BELOW = 2
WAITING_MAX = 32


def many(v: Venue, count: int, **fields: Any) -> list[Command]:
    """Return so many orders that differ in their nonces alone."""
    form: dict[str, Any] = {"market_id": 1, "qty_lots": 1, "expiry_time_s": NEVER_S}
    form |= {"time_ns": v.time_ns} | fields
    found = []
    for _ in range(count):
        v.nonce += 1
        found.append(Command(CommandKind.PLACE, nonce=v.nonce, **form))
    return found


def reasons(events: list[Event]) -> list[str]:
    return [RejectReason(e.reason).name for e in events if e.kind == EventKind.ORDER_REJECTED]


def stop(account: int, trigger: int) -> dict[str, Any]:
    return {
        "account": account, "side": SELL, "price_ticks": 500, "flags": REDUCE_ONLY,
        "time_in_force": IOC, "trigger_kind": BELOW, "trigger_price_ticks": trigger,
    }  # fmt: skip


def test_an_account_delays_no_other_accounts_stop() -> None:
    """TRIG-4: at most 32 of its orders wait, and end with what backs them."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000), orders=10_000)
    v.trade(1, 2, 1, 1_000)
    v.trade(5, 6, 5, 1_000)
    v.rest(6, BUY, 5, 960)
    v.rest(2, BUY, 5, 900)
    full = v.send(many(v, WAITING_MAX + 5, **stop(1, 999)))
    assert reasons(full) == ["CAPACITY"] * 5
    assert reasons(v.send(many(v, 3, **stop(4, 999)))) == ["REDUCE_ONLY"] * 3
    mine = v.rest(5, SELL, 5, 900, flags=REDUCE_ONLY, time_in_force=IOC, trigger_kind=BELOW,
                  trigger_price_ticks=980)  # fmt: skip
    events = v.price(970)
    fired = [e.order_id for e in events if e.kind == EventKind.ORDER_TRIGGERED]
    assert (len(fired), fired[-1]) == (2, mine)
    assert story(events).count("ORDER_CANCELED REDUCE_ONLY") == WAITING_MAX - 1
    assert (v.lots(1), v.lots(5), v.engine.order_count) == (0, 0, 1)


@pytest.mark.engine_alone
def test_48_throwaway_accounts_delay_no_stop() -> None:
    """TRIG-4: whatever they wait with, it is not 4,096 orders, and not without money."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000), orders=9_000, accounts=54, cash=300)
    for rich in (50, 51, 52):
        v.deposit(rich, CASH)
    asked = {"side": SELL, "trigger_kind": BELOW, "trigger_price_ticks": 999}
    last: dict[str, Any] = {"trigger_kind": 4, "instructions": Instructions(flags=FLAG_ON_LAST)}
    for account in range(1, 49):
        backing = v.rest(account, BUY, 1, 1, 1)
        refused = v.send(many(v, 3, account=account, price_ticks=1, amount_quote=1, **asked))
        assert reasons(refused) == ["INSUFFICIENT_MARGIN"] * 3
        stops = many(v, 20, **stop(account, 999)) + many(v, 30, **stop(account, 999) | last)
        assert reasons(v.send(stops)) == ["CAPACITY"] * (50 - WAITING_MAX)
        if account % 2:
            assert len(v.cancel(account, backing)) == 1 + WAITING_MAX
    assert v.engine.order_count == 24 * (1 + WAITING_MAX)
    v.trade(50, 51, 2, 1_000)
    v.rest(52, BUY, 1, 960)
    mine = v.rest(50, SELL, 1, 950, flags=REDUCE_ONLY, time_in_force=IOC, trigger_kind=BELOW,
                  trigger_price_ticks=980)  # fmt: skip
    other = v.rest(50, SELL, 1, 900, flags=REDUCE_ONLY, time_in_force=IOC, **last,
                   trigger_price_ticks=970)  # fmt: skip
    v.rest(52, BUY, 1, 940)
    events = v.price(970)
    fired = [e.order_id for e in events if e.kind == EventKind.ORDER_TRIGGERED]
    assert {mine, other} < set(fired)
    assert v.lots(50) == 0


def test_what_waits_ends_with_what_backs_it() -> None:
    """TRIG-4, ATT-1: the last opening order of the other side, the position, or both."""
    v = Venue()
    asked: dict[str, Any] = {"trigger_kind": BELOW, "trigger_price_ticks": 900}
    first, second = v.rest(1, BUY, 1, 900), v.rest(1, BUY, 1, 901)
    for flags in (0, FLAG_ATTACHED):
        word = Instructions(flags=flags)
        v.rest(1, SELL, 1, 800, flags=REDUCE_ONLY, instructions=word, **asked)
    assert story(v.cancel(1, first)) == ["ORDER_CANCELED USER_CANCELED"]
    assert story(v.cancel(1, second)) == [
        "ORDER_CANCELED USER_CANCELED", *["ORDER_CANCELED REDUCE_ONLY"] * 2,
    ]  # fmt: skip
    v.trade(1, 2, 2, 1_000)
    v.rest(1, BUY, 1, 900)
    free = v.rest(1, SELL, 2, 950, 0, **asked)
    word = Instructions(flags=FLAG_ATTACHED)
    v.rest(1, SELL, 1, 800, flags=REDUCE_ONLY, instructions=word, **asked)
    kept = v.rest(1, SELL, 1, 800, flags=REDUCE_ONLY, **asked)
    v.rest(2, BUY, 2, 1_000)
    assert story(v.place(1, SELL, 2, 1_000, 0)) == [
        "ORDER_ACCEPTED", "FILL", "ORDER_CANCELED POSITION_CLOSED",
        "ORDER_CANCELED INSUFFICIENT_MARGIN",
    ]  # fmt: skip
    assert v.engine.order(free) is None
    assert v.engine.order(kept) is not None


def test_a_group_leaves_nothing_waiting_that_nothing_backs() -> None:
    """TRIG-4, GRP-1: an earlier item took what the check of a later one counted on."""
    v = Venue()
    v.trade(1, 2, 1, 1_000)
    v.rest(2, BUY, 1, 1_000)
    asked = {"trigger_kind": BELOW, "trigger_price_ticks": 900}
    v.held = []
    v.place(1, SELL, 1, 1_000, 0, time_in_force=IOC)
    v.place(1, SELL, 1, 950, 0, **asked)
    v.place(1, SELL, 1, 800, flags=REDUCE_ONLY, **asked)
    items, v.held = v.held, None
    assert story(v.group(items)) == [
        *["ORDER_ACCEPTED"] * 3, "FILL", "ORDER_CANCELED INSUFFICIENT_MARGIN",
        "ORDER_CANCELED REDUCE_ONLY",
    ]  # fmt: skip


def test_a_sibling_of_what_its_trigger_ended_does_not_fire() -> None:
    """OCO-1, TRIG-1: both are due; the first is beyond the band."""
    v = Venue(spec=spec_of(order_band_ppm=20_000, mark_band_ppm=200_000))
    asked = {"trigger_kind": BELOW, "time_in_force": GTC}
    for trigger, price, peer in ((990, 900, 1), (989, 980, -1)):
        word = Instructions(oco_nonce=v.nonce + 1 + peer)
        v.rest(1, SELL, 1, price, 200, trigger_price_ticks=trigger, instructions=word, **asked)
    v.rest(2, BUY, 1, 985)
    assert story(v.price(980)) == [
        "PRICE", "ORDER_TRIGGERED", "ORDER_CANCELED SIBLING_ENDED", "ORDER_CANCELED PRICE_BAND",
    ]  # fmt: skip


def test_what_waits_gives_its_place_back() -> None:
    """TRIG-4: by firing, by a cancel, by a replace, and inside a group."""
    v = Venue()
    v.trade(1, 2, 1, 1_000)
    v.send(many(v, WAITING_MAX, **stop(1, 900)))
    more = {"flags": REDUCE_ONLY, "trigger_kind": BELOW, "trigger_price_ticks": 900}
    assert outcome(v.place(1, SELL, 1, 900, **more)) == "CAPACITY"
    word = Instructions(self_trade=1)
    assert outcome(v.place(1, SELL, 1, 900, instructions=word, **more)) == "CAPACITY"
    form = {"account": 1, "side": SELL, "qty_lots": 1, "price_ticks": 900, "nonce": v.nonce + 9}
    form |= {"expiry_time_s": NEVER_S, "old_nonce": v.nonce - 9} | more
    assert outcome(v.do(CommandKind.REPLACE, **form)) == "REPLACED"
    assert outcome(v.do(CommandKind.CANCEL, account=1, nonce=v.nonce + 9)) == "USER_CANCELED"
    v.nonce += 9
    v.rest(1, SELL, 1, 900, **more)
    assert outcome(v.place(1, SELL, 1, 900, **more)) == "CAPACITY"


def test_orders_that_are_due_to_end_refuse_no_post_only_order() -> None:
    """POST-1, TIF-1: more of them than one command ends; they end when they are met."""
    v = Venue()
    for k in range(600):
        v.rest(1 + k % 2, SELL, 1, 1_000 + k % 3, expiry_time_s=v.now_s + 10)
    v.rest(3, SELL, 1, 1_005)
    v.wait(10)
    events = v.place(4, BUY, 1, 1_001, flags=POST_ONLY)
    told = story(events)
    assert told[:257] == [*["ORDER_CANCELED EXPIRED"] * 256, "ORDER_ACCEPTED"]
    assert set(told[257:]) == {"ORDER_CANCELED EXPIRED"}
    assert v.book()[0] == [(1_001, 1)]
    assert v.book()[1][0][0] == 1_002


def test_a_post_only_order_slides_behind_a_live_order() -> None:
    """POST-1: not behind one that is due to end; a live one behind those refuses it."""
    v = Venue()
    for k in range(900):
        v.rest(1 + k % 2, SELL, 1, 1_000 + k % 2, expiry_time_s=v.now_s + 10)
    v.rest(3, SELL, 1, 1_002)
    v.wait(10)
    assert story(v.place(4, BUY, 1, 1_002, flags=POST_ONLY))[-1] == (
        "ORDER_REJECTED POST_ONLY_WOULD_TAKE"
    )
    word = Instructions(flags=FLAG_SLIDES)
    assert "ORDER_REPRICED" in story(v.place(4, BUY, 1, 1_005, flags=POST_ONLY, instructions=word))
    assert v.book() == ([(1_001, 1)], [(1_002, 1)])


@pytest.mark.engine_alone
def test_on_the_last_price_too_what_is_left_fires_next() -> None:
    """TRIG-2: 4,096 a command; nothing that is due is forgotten, not by a halt either."""
    v = Venue(orders=5_000, accounts=140, positions=200)
    v.trade(1, 2, 1, 1_000)
    word = Instructions(flags=FLAG_ON_LAST)
    asked = {"side": BUY, "price_ticks": 900, "amount_quote": 300, "trigger_kind": 4,
             "trigger_price_ticks": 990, "instructions": word}  # fmt: skip
    for account in range(3, 133):
        v.send(many(v, WAITING_MAX, account=account, **asked))
    v.rest(2, SELL, 1, 990)
    events = v.place(1, BUY, 1, 990, time_in_force=IOC)
    assert story(events).count("ORDER_TRIGGERED") == 4_096
    v.set_state(MarketState.HALTED)
    v.restart()
    assert v.do(CommandKind.TICK) == []
    assert story(v.set_state(MarketState.OPEN)).count("ORDER_TRIGGERED") == 64
    assert v.do(CommandKind.TICK) == []


@pytest.mark.engine_alone
def test_what_a_limit_has_left_fires_after_the_next_command() -> None:
    """TRIG-1, MARK-2: 4,096 with the row, 256 after each command; not while the mark is stale."""
    accounts = 160
    v = Venue(spec=spec_of(mark_band_ppm=500_000), orders=10_000, accounts=accounts, positions=200)
    for account in range(2, accounts):
        v.trade(account, 1, 1, 1_000)
        v.send(many(v, WAITING_MAX, **stop(account, 990)))
    left = 158 * WAITING_MAX
    assert v.engine.order_count == left
    for command, most in ((v.price, 4_096), (lambda _: v.do(CommandKind.TICK), 256)):
        assert story(command(985)).count("ORDER_TRIGGERED") == most
        left -= most
    v.wait(1_000)
    assert v.do(CommandKind.TICK) == []
    assert v.engine.order_count == left
    assert story(v.price(985)).count("ORDER_TRIGGERED") == left


def test_lots_that_cannot_fill_move_no_auction_price() -> None:
    """RED-1, AUC-1: 200 reduce-only orders of an account that holds one lot."""
    v = Venue(spec=spec_of(mark_band_ppm=200_000))
    v.trade(1, 2, 1, 1_000)
    v.set_state(MarketState.AUCTION)
    for account, side, qty, price in ((3, BUY, 50, 1_050), (4, SELL, 50, 950), (5, BUY, 100, 960)):
        v.rest(account, side, qty, price)
    v.send(many(v, 200, account=1, side=SELL, price_ticks=950, flags=REDUCE_ONLY))
    assert v.book()[1] == [(950, 51)]
    cleared = v.set_state(MarketState.OPEN)
    assert sum(lots for _, lots, _ in fills(cleared)) == 51
    assert {price for _, _, price in fills(cleared)} == {960}


def test_lots_that_cannot_fill_show_no_depth() -> None:
    """RED-1, FUND-3: what the book shows fills."""
    v = Venue()
    v.trade(1, 2, 1, 1_000)
    for _ in range(50):
        v.place(1, SELL, 1, 1_001, flags=REDUCE_ONLY)
    assert v.book() == ([], [(1_001, 1)])


@pytest.mark.engine_alone
def test_an_account_has_so_many_orders_in_a_market() -> None:
    """ORD-1: 4,096, those that wait included; another account has room."""
    v = Venue(orders=5_000)
    form = {"side": BUY, "price_ticks": 10, "amount_quote": 4}
    assert reasons(v.send(many(v, 4_100, account=1, **form))) == ["CAPACITY"] * 4
    assert outcome(v.place(2, BUY, 1, 10)) == "OK"


@pytest.mark.engine_alone
def test_orders_are_found_by_nonce_after_whatever_came_between() -> None:
    """CXL-1: each is walked over once; ends, restores and new orders leave the table right."""
    v = Venue(orders=400)
    engine, rng, live = v.engine, Random(3), dict[int, int]()
    for _ in range(3_000):
        nonce = rng.randrange(1, 600)
        if rng.random() < 0.5 and len(live) < 300:
            (bid,) = many(v, 1, account=1, side=BUY, price_ticks=900, amount_quote=300)
            found = send_one(engine, bid)
            live[v.nonce] = found.order_id
        elif rng.random() < 0.5 and live:
            nonce = rng.choice(list(live))
            order_id = live.pop(nonce) if rng.random() < 0.3 else 0
            live.pop(nonce, None)
            command = Command(
                CommandKind.CANCEL, account=1, time_ns=v.time_ns, nonce=nonce, order_id=order_id
            )
            assert send_one(engine, command).kind == EventKind.ORDER_CANCELED
        elif nonce not in live:
            command = Command(CommandKind.CANCEL, account=1, time_ns=v.time_ns, nonce=nonce)
            assert send_one(engine, command).reason == RejectReason.ORDER_UNKNOWN
        if rng.random() < 0.01:
            engine = Engine.restore(b"".join(engine.snapshot()))
    engine.check_invariants()
    assert {nonce: engine.order_id(1, nonce) for nonce in live} == live


def send_one(engine: Engine, command: Command) -> Event:
    (event,) = unpack(engine.apply_one(command))
    return event


@pytest.mark.engine_alone
def test_no_result_depends_on_the_key_of_the_hashes() -> None:
    """SIG-1: nonces of any pattern; the state's hash is the same under any key."""
    hashes = set()
    for key in (0, 1, 2**64 - 1):
        engine = Engine(account_count_max=2, position_count_max=4, order_count_max=64, hash_key=key)
        engine.list_market(spec_of(), 0)
        engine.register_account()
        data = b"".join(
            Command(
                CommandKind.PLACE,
                account=1,
                market_id=1,
                nonce=nonce,
                qty_lots=1,
                price_ticks=1,
                expiry_time_s=9,
            ).records()
            for nonce in [*range(5, 200_000, 4_096), *range(2**50, 2**50 + 9)]
        )
        deposit = Command(CommandKind.DEPOSIT, account=1, amount_quote=10**6, nonce=1).records()
        price = Command(CommandKind.PRICE, market_id=1, price_ticks=9, aux=0).records()
        cancels = b"".join(
            Command(CommandKind.CANCEL, account=1, nonce=nonce).records()
            for nonce in range(5, 200_000, 4_096 * 3)
        )
        engine.apply(deposit + price + data + cancels)
        hashes.add(engine.state_hash())
    assert len(hashes) == 1
    with pytest.raises(ValueError, match="hash_key"):
        Engine(hash_key=2**64)


@pytest.mark.engine_alone
def test_an_auction_beyond_the_band_is_linear() -> None:
    """AUC-1: orders that cannot clear end one by one, without a new search for the price each."""
    v = Venue(spec=spec_of(mark_band_ppm=20_000), orders=9_000, accounts=4)
    v.set_state(MarketState.AUCTION)
    for account, side in ((1, BUY), (2, SELL)):
        form = {"account": account, "side": side, "price_ticks": 1_030, "amount_quote": 140}
        assert reasons(v.send(many(v, 4_000, **form))) == []
    ended = v.set_state(MarketState.OPEN)
    assert story(ended).count("ORDER_CANCELED PRICE_BAND") == 4_000
    assert v.book() == ([], [(1_030, 4_000)])
