"""What waits its turn: orders that are due and limited, siblings that end, nonces that are kept."""

from __future__ import annotations

from typing import Any

import pytest

from matcher.engine.commands import Command, CommandKind, RequestKind
from matcher.engine.engine import Engine
from matcher.engine.events import Event, EventKind
from matcher.engine.instructions import FLAG_ON_LAST, FLAG_SLIDES, Instructions
from tests.model import orders, pricing
from tests.unit.engine.venue import (
    BUY,
    FOK,
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

ON_LAST = Instructions(flags=FLAG_ON_LAST)
UNFILLABLE = "ORDER_CANCELED FOK_NOT_FILLABLE"
GROUP = 64
SPARSE_MAX = 1_024


def trigger_of(v: Venue, order_id: int) -> int:
    order = v.engine.order(order_id)
    assert order is not None
    return order.trigger_price_ticks


def test_a_trail_on_the_last_price_moves_once_a_command() -> None:
    """TRIG-3: what fires drives the last price up and down again; the trail sees where it ends."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000))
    v.trade(1, 2, 1, 1_000)
    word = Instructions(flags=FLAG_ON_LAST, trailing_ticks=50)
    trail = v.rest(1, SELL, 1, 500, flags=REDUCE_ONLY, trigger_kind=4, trigger_price_ticks=800,
                   instructions=word)  # fmt: skip
    for price in (1_010, 1_100, 1_200):
        v.rest(2, SELL, 1, price)
    v.rest(2, BUY, 1, 970)
    for account, side, limit, trigger in ((3, BUY, 1_100, 1_010), (4, SELL, 970, 1_050)):
        v.rest(account, side, 1, limit, time_in_force=IOC, trigger_kind=3,
               trigger_price_ticks=trigger, instructions=ON_LAST)  # fmt: skip
    events = v.place(5, BUY, 1, 1_010)
    assert fills(events) == [(2, 1, 1_010), (2, 1, 1_100), (2, 1, 970)]
    assert trigger_of(v, trail) == 960  # 1,010 − 50; at 1,100 it would have been 1,050, and due
    v.do(CommandKind.TICK)
    assert trigger_of(v, trail) == 960
    v.restart()
    assert fills(v.place(5, BUY, 1, 1_200, 500)) == [(2, 1, 1_200)]
    assert trigger_of(v, trail) == 1_150


def test_what_fired_trades_moves_trails_with_the_next_command() -> None:
    """TRIG-3: not forgotten, in a restored engine neither."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000))
    v.trade(1, 2, 1, 1_000)
    word = Instructions(flags=FLAG_ON_LAST, trailing_ticks=50)
    trail = v.rest(1, SELL, 1, 500, flags=REDUCE_ONLY, trigger_kind=4, trigger_price_ticks=800,
                   instructions=word)  # fmt: skip
    v.rest(2, SELL, 1, 1_010)
    v.rest(2, SELL, 1, 1_100)
    v.rest(3, BUY, 1, 1_100, time_in_force=IOC, trigger_kind=3, trigger_price_ticks=1_010,
           instructions=ON_LAST)  # fmt: skip
    assert len(fills(v.place(5, BUY, 1, 1_010))) == 2
    assert trigger_of(v, trail) == 960
    v.restart()
    v.do(CommandKind.TICK)
    assert trigger_of(v, trail) == 1_050


def test_the_trail_that_is_farthest_behind_moves_first() -> None:
    """TRIG-3: it has its new place in front of one that was placed before it."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000))
    v.trade(1, 2, 3, 1_000)
    word = Instructions(flags=FLAG_ON_LAST, trailing_ticks=50)
    trails = [
        v.rest(1, SELL, 1, 500, flags=REDUCE_ONLY, trigger_kind=4, trigger_price_ticks=trigger,
               instructions=word)
        for trigger in (800, 700, 800)
    ]  # fmt: skip
    v.trade(3, 4, 1, 1_010)
    v.restart()
    assert [trigger_of(v, trail) for trail in trails] == [960] * 3
    v.rest(3, BUY, 1, 960)
    events = v.place(4, SELL, 1, 960)
    fired = [e.order_id for e in events if e.kind == EventKind.ORDER_TRIGGERED]
    assert fired == [trails[1], trails[0], trails[2]]


@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.parametrize("trailing", [0, 50])
def test_an_exit_behind_its_entry_is_asked_at_once(trailing: int, *, is_alone: bool) -> None:
    """TRIG-2, TRIG-3: its trigger fires, or its trail moves, whoever else waits or not."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000))
    v.trade(1, 2, 1, 1_000)
    v.rest(2, SELL, 5, 1_020)
    v.rest(2, BUY, 5, 990)
    if not is_alone:
        v.rest(4, BUY, 1, 2_000, trigger_kind=3, trigger_price_ticks=1_900,
               time_in_force=IOC, instructions=ON_LAST)  # fmt: skip
    word = Instructions(flags=FLAG_ON_LAST, trailing_ticks=trailing)
    v.held = []
    v.place(3, BUY, 5, 1_020, time_in_force=IOC)
    v.place(3, SELL, 5, 900, time_in_force=IOC, flags=REDUCE_ONLY, instructions=word,
            trigger_kind=4 if trailing else 3,
            trigger_price_ticks=800 if trailing else 1_010)  # fmt: skip
    commands, v.held = v.held, None
    events = v.group(commands)
    if trailing:
        assert fills(events) == [(2, 5, 1_020)]
        assert trigger_of(v, events[1].order_id) == 970
    else:
        assert fills(events) == [(2, 5, 1_020), (2, 5, 990)]
        assert v.lots(3) == 0


def test_a_group_that_does_not_trade_asks_nobody() -> None:
    """TRIG-3: a trail stays where it was placed until its market trades."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000))
    v.trade(1, 2, 1, 1_000)
    v.held = []
    v.place(3, BUY, 5, 900)
    v.place(1, SELL, 1, 500, time_in_force=IOC, flags=REDUCE_ONLY, trigger_kind=4,
            trigger_price_ticks=800,
            instructions=Instructions(flags=FLAG_ON_LAST, trailing_ticks=50))  # fmt: skip
    commands, v.held = v.held, None
    assert trigger_of(v, v.group(commands)[1].order_id) == 800


def test_siblings_end_in_the_order_in_which_the_others_ended() -> None:
    """OCO-1, ATT-1: before anything else that follows from the fills."""
    v = Venue()
    v.trade(1, 2, 5, 1_000)
    resting = []
    for price in (1_010, 1_012, 1_011):
        stop = Instructions(oco_nonce=v.nonce + 2)
        v.rest(1, BUY, 1, 900, instructions=stop)
        goal = Instructions(oco_nonce=v.nonce)
        resting.append(v.rest(1, SELL, 1, price, flags=REDUCE_ONLY, instructions=goal))
    v.rest(1, SELL, 2, 1_050, flags=REDUCE_ONLY)
    v.rest(1, SELL, 3, 1_012)
    events = v.place(3, BUY, 6, 1_012)
    ended = [e.order_id_2 for e in events if e.kind == EventKind.ORDER_CANCELED]
    assert story(events)[-4:] == [
        *["ORDER_CANCELED SIBLING_ENDED"] * 3, "ORDER_CANCELED REDUCE_ONLY"]  # fmt: skip
    assert ended == [3, 7, 5, 9]
    assert v.lots(1) == -1


@pytest.mark.parametrize("flags", [0, FLAG_SLIDES])
def test_a_post_only_order_ends_what_is_overdue_before_it_looks(flags: int) -> None:
    """POST-1, TIF-1: once; a second one that fires looks at a live book."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000), orders=3_000)
    word = Instructions(flags=flags)
    for side in (BUY, BUY):
        v.rest(4, side, 1, 1_040, flags=POST_ONLY, trigger_kind=1, trigger_price_ticks=1_010,
               instructions=word)  # fmt: skip
    for k in range(600):
        v.rest(1 + k % 2, SELL, 1, 1_020, expiry_time_s=v.now_s + 10)
    v.rest(3, SELL, 1, 1_030)
    v.wait(10)
    told = story(v.price(1_015))
    assert told.count("ORDER_CANCELED EXPIRED") == 600
    assert told.index("ORDER_TRIGGERED") < 300 + told.count("PRICE")
    last = max(at for at, word in enumerate(told) if word == "ORDER_CANCELED EXPIRED")
    assert last < [at for at, word in enumerate(told) if word == "ORDER_TRIGGERED"][1]
    if flags:
        assert v.book() == ([(1_029, 2)], [(1_030, 1)])
    else:
        assert told.count("ORDER_CANCELED POST_ONLY_WOULD_TAKE") == 2


def test_what_trials_leave_waits_for_the_next_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRIG-1: 16 trials of 4,096 parts of icebergs; in its own command a row fires no more.

    On the model both are a 64th part.
    """
    v = Venue(spec=spec_of(mark_band_ppm=500_000), cash=10**12)
    engine: Any = v.engine
    parts = 256
    if not isinstance(engine, Engine):
        parts = 4
        monkeypatch.setattr(pricing, "FIRED_STEPS_MAX", pricing.FIRED_STEPS_MAX // 64)
    for at in range(16):
        word = Instructions(display_lots=1)
        v.rest(1 + at % 2, SELL, parts, 1_100 + at, 10**6, instructions=word)
    wants: dict[str, Any] = {"time_in_force": FOK, "trigger_kind": 1}
    for k in range(18):
        v.rest(3, BUY, 5_000, 1_200, 10**6, trigger_price_ticks=1_010 + k, **wants)
    limit = v.rest(3, BUY, 1, 1_200, 500, trigger_kind=1, trigger_price_ticks=1_040)
    assert story(v.price(1_050)) == ["PRICE", *["ORDER_TRIGGERED", UNFILLABLE] * 16]
    v.restart()
    assert story(v.do(CommandKind.TICK)) == [
        *["ORDER_TRIGGERED", UNFILLABLE] * 2, "ORDER_TRIGGERED", "FILL", "ORDER_REPLENISHED",
    ]  # fmt: skip
    assert v.engine.order(limit) is None
    assert v.do(CommandKind.TICK) == []


def icebergs(v: Venue, market: int, parts: int) -> None:
    """Rest sixteen asks of so many parts."""
    for at in range(16):
        word = Instructions(display_lots=1)
        v.rest(1 + at % 2, SELL, parts, 1_100 + at, 10**6, market_id=market, instructions=word)


def test_who_waited_for_others_trials_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRIG-1: three markets share a command's trials; the next begins where they have ended."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000), cash=10**12, orders=2_000)
    engine: Any = v.engine
    parts = 256
    if not isinstance(engine, Engine):
        parts = 4
        monkeypatch.setattr(pricing, "FIRED_STEPS_MAX", pricing.FIRED_STEPS_MAX // 64)
    wants: dict[str, Any] = {"time_in_force": FOK, "trigger_kind": 3, "trigger_price_ticks": 1_000}
    asks = []
    for market in (1, 2, 3):
        if market > 1:
            engine.list_market(spec_of(market_id=market, mark_band_ppm=500_000), v.time_ns)
            v.price(1_000, market_id=market)
        icebergs(v, market, parts)
        v.rest(4, SELL, 1, 1_000, market_id=market)
        for _ in range(20):
            v.rest(3, BUY, 5_000, 1_200, 10**7, market_id=market, instructions=ON_LAST, **wants)
        v.nonce += 1
        asks.append(
            Command(CommandKind.PLACE, account=5, side=BUY, qty_lots=1, price_ticks=1_000,
                    amount_quote=1_000, nonce=v.nonce, expiry_time_s=v.now_s + 99,
                    time_ns=v.time_ns, market_id=market)
        )  # fmt: skip

    def fired(events: list[Event]) -> list[int]:
        return [e.market_id for e in events if e.kind == EventKind.ORDER_TRIGGERED]

    assert fired(v.group(asks)) == [1] * 6 + [2] * 6 + [3] * 4
    v.restart()
    assert fired(v.do(CommandKind.TICK)) == [3] * 6 + [1] * 6 + [2] * 4
    v.restart()
    assert fired(v.do(CommandKind.TICK)) == [2] * 6 + [3] * 6 + [1] * 4
    assert fired(v.do(CommandKind.TICK)) == [1] * 4 + [2] * 4 + [3] * 4
    assert v.do(CommandKind.TICK) == []


@pytest.mark.parametrize("tries", [3, 4])
def test_a_groups_trials_count_together(tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRP-1: 16,384 orders and parts of icebergs; what comes behind them ends untried."""
    v = Venue(spec=spec_of(mark_band_ppm=500_000), cash=10**12)
    engine: Any = v.engine
    parts = 256
    if not isinstance(engine, Engine):
        parts = 4
        monkeypatch.setattr(orders, "GROUP_STEPS_MAX", orders.GROUP_STEPS_MAX // 64)
    icebergs(v, 1, parts)

    def wants(qty: int) -> Command:
        v.nonce += 1
        return Command(
            CommandKind.PLACE, account=3, side=BUY, qty_lots=qty, price_ticks=1_200,
            amount_quote=10**7, nonce=v.nonce, expiry_time_s=v.now_s + 99, time_in_force=FOK,
            time_ns=v.time_ns, market_id=1,
        )  # fmt: skip

    told = story(v.group([*(wants(5_000) for _ in range(tries)), wants(1)]))
    assert told.count("FILL") == (tries == 3)
    assert told.count(UNFILLABLE) == (3 if tries == 3 else 5)
    assert story(v.send([wants(1)])) == ["ORDER_ACCEPTED", "FILL", "ORDER_REPLENISHED"]


# Nonces


def ask(v: Venue, nonce: int, **fields: Any) -> str:
    """Place an order that fills nothing; the reason why it is refused, or OK."""
    form: dict[str, Any] = {"time_in_force": IOC, "nonce": nonce}
    return outcome(v.place(1, BUY, 1, 1, 0, **(form | fields)))


def sparse(v: Venue, first: int, count: int) -> list[str]:
    """Use nonces of so many groups, one of each."""
    commands = [
        Command(
            CommandKind.PLACE, account=1, market_id=1, side=BUY, qty_lots=1, price_ticks=1,
            nonce=GROUP * k, time_in_force=IOC, expiry_time_s=v.now_s + 10**6, time_ns=v.time_ns,
        )
        for k in range(first, first + count)
    ]  # fmt: skip
    return [outcome([e]) for e in v.send(commands) if e.kind != EventKind.ORDER_CANCELED]


def test_who_leaves_many_groups_behind_waits_for_the_next() -> None:
    """SIG-6: 1,024, and one more each minute; near nonces, ascending ones and others' go on."""
    v = Venue(orders=10)
    assert sparse(v, 1, SPARSE_MAX + 1) == ["OK"] * (SPARSE_MAX + 1)
    top = GROUP * (SPARSE_MAX + 1)
    assert sparse(v, SPARSE_MAX + 2, 1) == ["CAPACITY"]
    v.restart()
    assert ask(v, top + GROUP) == "CAPACITY"
    assert ask(v, 5) == "CAPACITY"  # a lower group of which none was used
    assert ask(v, GROUP + 5) == "OK"  # of one that was begun
    assert ask(v, top + 1) == "OK"
    assert ask(v, 2**63 + 5) == "OK"
    assert outcome(v.withdraw(1, 1, nonce=top + GROUP)) == "CAPACITY"
    word = Instructions(self_trade=1)
    assert ask(v, top + GROUP, instructions=word) == "CAPACITY"
    assert outcome(v.place(2, BUY, 1, 1, 0, time_in_force=IOC, nonce=10**9)) == "OK"
    v.wait(59)
    assert ask(v, top + GROUP) == "CAPACITY"
    v.wait(1)
    assert ask(v, top + GROUP) == "OK"
    assert ask(v, top + 2 * GROUP) == "CAPACITY"
    for k in range(15):  # with 16 of it used a group is not sparse
        assert ask(v, top + 2 * GROUP) == "CAPACITY"
        assert ask(v, top + GROUP + 1 + k) == "OK"
    assert ask(v, top + 2 * GROUP) == "OK"
    v.wait(120)
    assert [ask(v, top + k * GROUP) for k in (3, 4, 5)] == ["OK", "OK", "CAPACITY"]


def test_a_group_is_judged_as_before_it_and_the_chain_is_not_asked() -> None:
    """SIG-6, GRP-1, FORCE-2."""
    v = Venue(orders=40)
    sparse(v, 1, SPARSE_MAX)
    form: dict[str, Any] = {
        "account": 1, "market_id": 1, "side": BUY, "qty_lots": 1, "price_ticks": 1,
        "time_in_force": IOC, "expiry_time_s": v.now_s + 9,
    }  # fmt: skip
    items = [
        Command(CommandKind.PLACE, nonce=GROUP * (SPARSE_MAX + k), **form) for k in range(1, 4)
    ]
    assert story(v.group(items)).count("ORDER_ACCEPTED") == 3
    items = [i._replace(nonce=GROUP * (SPARSE_MAX + 9)) for i in items[:1]]
    assert story(v.group(items)) == ["ORDER_REJECTED CAPACITY"]

    def forced(kind: RequestKind, amount: int, number: int) -> list[Event]:
        fields = {"account": 1, "flags": int(kind), "aux": amount, "nonce": number}
        return v.do(CommandKind.FORCED_REQUEST, **fields)

    assert outcome(forced(RequestKind.CANCEL, GROUP * 3_000, 1)) == "OK"
    assert ask(v, GROUP * 3_000) == "NONCE_USED"
    v.wait(60 * 3)
    assert ask(v, GROUP * 3_001) == "CAPACITY"
    forced(RequestKind.CANCEL_ALL, GROUP * 4_000 + 20, 2)
    assert ask(v, GROUP * 4_000 + 19) == "NONCE_USED"
    assert ask(v, GROUP * 4_000 + 20) == "OK"  # the chain has begun it, with 20 that are dead
    assert ask(v, GROUP * 4_001) == "OK"
    assert ask(v, GROUP * 4_002) == "CAPACITY"
