"""What one command can cost: by the events of its steps, or as a ratio of work at N and at many N.

Nothing here depends on how fast a machine is: a ratio without its bound would be 20 and more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from matcher.engine.commands import NEVER_S, Command, CommandKind, MarketState
from matcher.engine.events import EventKind, unpack
from matcher.engine.instructions import FLAG_ATTACHED, FLAG_ON_LAST, Instructions
from tests.unit.engine.venue import (
    BUY,
    FOK,
    IOC,
    REDUCE_ONLY,
    SELL,
    Venue,
    spec_of,
    story,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 3_900  # orders of an account in a market; 4,096 are the limit
FEW = 60
TAKERS = 120
HELD = 2 * TAKERS  # lots that the maker is long at first
ON_LAST = Instructions(flags=FLAG_ON_LAST)


class Desk(Venue):
    """Six rich accounts; commands are applied many at a time, and may be timed."""

    def __init__(self, **more: Any) -> None:
        super().__init__(spec=spec_of(mark_band_ppm=500_000), cash=10**12, **more)

    def open_market(self, market_id: int) -> None:
        """List another market like the first, with a price of 1,000."""
        self.engine.list_market(spec_of(market_id=market_id, mark_band_ppm=500_000), self.time_ns)
        row = {"market_id": market_id, "price_ticks": 1_000, "aux": self.time_ns // 10**6}
        self.do(CommandKind.PRICE, **row)

    def order(self, account: int, side: int, price: int, **fields: Any) -> Command:
        """Return an order of one lot."""
        self.nonce += 1
        margin = 0 if fields.get("flags", 0) & REDUCE_ONLY else price * fields.get("qty_lots", 1)
        form: dict[str, Any] = {
            "account": account, "side": side, "qty_lots": 1, "price_ticks": price,
            "amount_quote": margin, "nonce": self.nonce, "expiry_time_s": NEVER_S,
            "time_ns": self.time_ns, "market_id": 1,
        }  # fmt: skip
        return Command(CommandKind.PLACE, **(form | fields))

    def timed(self, commands: list[Command]) -> tuple[float, list[str]]:
        """Apply the commands; return CPU seconds and the story."""
        records = b"".join(command.records() for command in commands)
        begin = time.process_time()
        made = self.engine.apply(records)
        seconds = time.process_time() - begin
        self.engine.check_invariants()
        return seconds, story(list(unpack(made)))


Case: TypeAlias = "Callable[[Desk, int], list[Command]]"


def least_seconds(run: Callable[[int], float], size: int) -> float:
    return min(run(size) for _ in range(6))


def far_bids(v: Desk, count: int) -> list[Command]:
    return [v.order(1, BUY, 1 + k % 500) for k in range(count)]


def a_reduce_only_order_rests(v: Desk, size: int) -> list[Command]:
    """Makers' fills open, nothing has to give way: the position's orders are left alone."""
    v.send([v.order(1, SELL, 90_000, flags=REDUCE_ONLY), *far_bids(v, size)])
    v.send([v.order(1, BUY, 1_000, qty_lots=TAKERS)])
    return [v.order(2, SELL, 1_000, time_in_force=IOC) for _ in range(TAKERS)]


def each_fill_cuts_one_lot(v: Desk, size: int) -> list[Command]:
    """The oldest order has to give way by one lot, again and again."""
    v.send([v.order(1, SELL, 90_000, flags=REDUCE_ONLY, qty_lots=HELD), *far_bids(v, size)])
    v.send([v.order(1, SELL, 1_000, qty_lots=TAKERS)])
    return [v.order(2, BUY, 1_000, time_in_force=IOC) for _ in range(TAKERS)]


def each_fill_ends_a_sibling(v: Desk, size: int) -> list[Command]:
    """One order ends; all others are no siblings of what filled."""
    orders = []
    for _ in range(TAKERS // 2):
        first, second = v.nonce + 1, v.nonce + 2
        orders.append(v.order(1, BUY, 600, instructions=Instructions(oco_nonce=second)))
        orders.append(v.order(1, BUY, 1_000, instructions=Instructions(oco_nonce=first)))
    v.send(orders + far_bids(v, size))
    return [v.order(2, SELL, 1_000, time_in_force=IOC) for _ in range(TAKERS // 2)]


def each_fill_leaves_a_stop_alone(v: Desk, size: int) -> list[Command]:
    """A stop's only backing fills; 30 wait beside it, thousands of bids do not."""
    v.send([v.order(1, SELL, 90_000, flags=REDUCE_ONLY, qty_lots=HELD), *far_bids(v, size)])
    takers = []
    for k in range(30):
        stop = {"flags": REDUCE_ONLY, "trigger_kind": 1, "trigger_price_ticks": 1_500 + k}
        takers += [v.order(1, SELL, 1_000), v.order(1, BUY, 1_600, **stop)]
        takers.append(v.order(2, BUY, 1_000, time_in_force=IOC))
    return takers


def each_round_closes_the_position(v: Desk, size: int) -> list[Command]:
    """Opened and closed by takers, a stop waiting: nothing attached is looked for among bids."""
    stop = {"flags": REDUCE_ONLY, "trigger_kind": 2, "trigger_price_ticks": 500}
    word = Instructions(flags=FLAG_ATTACHED)
    v.send([*far_bids(v, size), v.order(1, BUY, 1_000, qty_lots=TAKERS)])
    rounds = []
    for _ in range(TAKERS // 4):
        rounds.append(v.order(2, SELL, 1_000, time_in_force=IOC))
        rounds.append(v.order(1, SELL, 900, instructions=word, **stop))
        rounds.append(v.order(3, BUY, 1_001))
        rounds.append(v.order(1, SELL, 1_001, time_in_force=IOC))
    return rounds


CASES: dict[Case, dict[str, int]] = {
    a_reduce_only_order_rests: {"FILL": TAKERS},
    each_fill_cuts_one_lot: {"FILL": TAKERS, "ORDER_AMENDED REDUCE_ONLY": TAKERS},
    each_fill_ends_a_sibling: {"FILL": TAKERS // 2, "ORDER_CANCELED SIBLING_ENDED": TAKERS // 2},
    each_fill_leaves_a_stop_alone: {"FILL": 30, "ORDER_CANCELED REDUCE_ONLY": 30},
    each_round_closes_the_position: {
        "FILL": TAKERS // 2, "ORDER_CANCELED POSITION_CLOSED": TAKERS // 4},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_taker_does_not_pay_for_the_makers_other_orders(
    case: Case,
) -> None:
    """RED-1, OCO-1, TRIG-4, ATT-1: 65 times the orders are not 65 times the work."""

    def run(size: int) -> float:
        v = Desk(orders=9_000)
        if case is not each_round_closes_the_position:
            v.send([v.order(3, SELL, 1_000, qty_lots=HELD), v.order(1, BUY, 1_000, qty_lots=HELD)])
        commands = case(v, size)
        told = story(v.send(commands[: len(commands) // 2]))  # memory is touched
        seconds, more = v.timed(commands[len(commands) // 2 :])
        told += more
        assert {word: told.count(word) for word in CASES[case]} == CASES[case]
        return seconds

    assert least_seconds(run, MANY) < 8 * least_seconds(run, FEW)


def test_trails_move_once_however_many_orders_fire() -> None:
    """TRIG-3: 3,900 trails, 16 and 1,024 fires in one command: less than 64 times the work."""

    def run(fires: int) -> float:
        v = Desk(orders=12_000, accounts=200, positions=300)
        orders = [v.order(190, SELL, 1_000 + k) for k in range(fires + 1)]
        trail = Instructions(flags=FLAG_ON_LAST, trailing_ticks=500)
        for k in range(MANY):
            asked = {"trigger_kind": 4, "trigger_price_ticks": 1, "time_in_force": IOC}
            orders.append(v.order(1 + k // 32, SELL, 1, instructions=trail, **asked))
        for k in range(fires):
            asked = {"trigger_kind": 3, "trigger_price_ticks": 1_000 + k, "time_in_force": IOC}
            orders.append(v.order(130 + k // 32, BUY, 99_000, instructions=ON_LAST, **asked))
        v.send(orders)
        seconds, told = v.timed([v.order(191, BUY, 1_000)])
        assert told.count("ORDER_TRIGGERED") == fires
        return seconds

    assert least_seconds(run, 1_024) < 20 * least_seconds(run, 16)


TRAIL = Instructions(flags=FLAG_ON_LAST, trailing_ticks=500)


def many_trails(v: Desk, size: int) -> None:
    """Let trails of both directions wait, of which the last price has moved each."""
    orders = []
    for k in range(size):
        kind, side, trigger = (4, SELL, 1 + k % 90) if k % 2 else (3, BUY, 9_000 + k % 90)
        asked = {"trigger_kind": kind, "trigger_price_ticks": trigger, "time_in_force": IOC}
        orders.append(v.order(1 + k // 32, side, trigger, instructions=TRAIL, **asked))
    v.send([*orders, *(v.order(190, SELL, price) for price in (1_000, 1_001))])
    v.send([v.order(191, BUY, price) for price in (1_000, 1_001)])


@pytest.mark.parametrize("own", [False, True])
def test_trails_that_do_not_move_cost_a_trade_nothing(*, own: bool) -> None:
    """TRIG-3: up and down between two prices, a trail of one's own moved each time or not."""

    def run(size: int) -> float:
        v = Desk(orders=9_000, accounts=200, positions=300)
        many_trails(v, size)
        asks = [v.order(190, SELL, 1_000 + k % 2) for k in range(2 * TAKERS)]
        commands = []
        for k in range(2 * TAKERS):
            if own:
                trail = {"trigger_kind": 4, "trigger_price_ticks": 1, "instructions": TRAIL}
                commands.append(v.order(180, SELL, 1, time_in_force=IOC, **trail))
            commands.append(asks[k])
            commands.append(v.order(191, BUY, 1_001, time_in_force=IOC))
            if own:
                fields: dict[str, Any] = {
                    "account": 180,
                    "market_id": 1,
                    "nonce": commands[-3].nonce,
                }
                commands.append(Command(CommandKind.CANCEL, time_ns=v.time_ns, **fields))
        v.send(commands[: len(commands) // 2])
        seconds, told = v.timed(commands[len(commands) // 2 :])
        assert told.count("FILL") == TAKERS
        assert told.count("ORDER_CANCELED USER_CANCELED") == TAKERS * own
        return seconds

    assert least_seconds(run, MANY) < 8 * least_seconds(run, FEW)


def deep_book(v: Desk, fok: int) -> None:
    """Rest 4,096 asks of one lot; let orders wait that want one lot more."""
    v.send([v.order(180 + k % 4, SELL, 1_200 + k % 9) for k in range(4_096)])
    asked = {"trigger_kind": 1, "trigger_price_ticks": 1_100, "qty_lots": 4_097}
    v.send(
        [v.order(1 + k // 32, BUY, 1_300, time_in_force=FOK, **asked) for k in range(fok)]
    )  # fmt: skip


def test_what_fires_is_tried_so_often_and_no_more() -> None:
    """TRIG-1, MATCH-4: 16 trials of 4,096 orders each a command.

    The others stay due in their order, in a restored engine too.
    """
    v = Desk(orders=9_000, accounts=200, positions=300)
    deep_book(v, 50)
    fired = [story(v.walk(1_200)).count("ORDER_TRIGGERED")]
    assert v.mark == 1_200
    while fired[-1]:
        v.restart()
        fired.append(story(v.do(CommandKind.TICK)).count("ORDER_TRIGGERED"))
    assert fired == [16, 16, 16, 2, 0]


def two_markets() -> Desk:
    """Return a desk where 4,096 lots are asked behind the first; one lot in the other market."""
    v = Desk(orders=9_000, accounts=200, positions=900)
    v.open_market(2)
    v.send([v.order(180 + k % 4, SELL, 1_200) for k in range(4_096)])
    v.send([v.order(170, SELL, 1_000), v.order(171, SELL, 1_000, market_id=2)])
    return v


def test_markets_share_the_trials_of_a_command() -> None:
    """TRIG-1: 17 fill-or-kill orders of one market do not hold up those of another."""
    v = two_markets()
    on_last = {"trigger_kind": 3, "trigger_price_ticks": 1_000, "instructions": ON_LAST}
    wants = {"qty_lots": 4_097, "time_in_force": FOK, **on_last}
    v.send([v.order(1, BUY, 1_300, **wants) for _ in range(17)])
    v.send([v.order(2, BUY, 1_001, market_id=2, **on_last)])
    v.send([v.order(3, BUY, 1_001, market_id=2, **(on_last | {"time_in_force": FOK}))])
    items = [v.order(160, BUY, 1_000), v.order(161, BUY, 1_000, market_id=2)]
    events = v.group(items)
    fired = [e.market_id for e in events if e.kind == EventKind.ORDER_TRIGGERED]
    assert fired == [1] * 8 + [2] * 2
    events = v.do(CommandKind.TICK)
    fired = [e.market_id for e in events if e.kind == EventKind.ORDER_TRIGGERED]
    assert fired == [1] * 9


def test_trails_of_many_markets_move_with_several_commands() -> None:
    """TRIG-3: 2,100 in each of three: one market a command, the next begins with the next one."""
    v = Desk(orders=9_000, accounts=250, positions=900)
    for market in (2, 3):
        v.open_market(market)
    asked = {"trigger_kind": 4, "trigger_price_ticks": 1, "time_in_force": IOC}
    trails = {}
    for market in (1, 2, 3):
        orders = [
            v.order(1 + 66 * (market - 1) + k // 32, SELL, 1, market_id=market,
                    instructions=TRAIL, **asked)
            for k in range(2_100)
        ]  # fmt: skip
        v.send([*orders, v.order(240, SELL, 1_000, market_id=market)])
        trails[market] = v.engine.order_id(orders[-1].account, orders[-1].nonce)
    takers = [v.order(241, BUY, 1_000, market_id=market) for market in (1, 2, 3)]
    v.group(takers)
    seen = []
    for _ in range(4):
        v.restart()
        triggers = [v.engine.order(order_id) for order_id in trails.values()]
        seen.append([order.trigger_price_ticks if order else 0 for order in triggers])
        v.do(CommandKind.TICK)
    assert seen == [[500, 1, 1], [500, 500, 1], [500, 500, 500], [500, 500, 500]]


def test_a_halted_market_takes_no_part_of_the_trials() -> None:
    """TRIG-1, TRIG-2: what is due in it stays due and is asked when it opens again."""
    v = two_markets()
    on_last = {"trigger_kind": 3, "trigger_price_ticks": 1_000, "instructions": ON_LAST}
    wants = {"qty_lots": 4_097, "time_in_force": FOK, **on_last}
    v.send([v.order(2 + k // 32, BUY, 1_001, market_id=2, **wants) for k in range(4_097)])
    v.send([v.order(161, BUY, 1_000, market_id=2)])
    halted = {"market_id": 2, "aux": MarketState.HALTED}
    v.do(CommandKind.SET_MARKET_STATE, **halted)
    assert v.do(CommandKind.TICK) == []
    v.send([v.order(1, BUY, 1_300, **wants) for _ in range(17)])
    events = v.group([v.order(160, BUY, 1_000)])
    fired = [e.market_id for e in events if e.kind == EventKind.ORDER_TRIGGERED]
    assert fired == [1] * 16
    events = v.do(CommandKind.SET_MARKET_STATE, **(halted | {"aux": MarketState.OPEN}))
    assert EventKind.ORDER_TRIGGERED in {e.kind for e in events}


def test_who_uses_a_command_up_is_not_asked_first_again() -> None:
    """TRIG-1, TRIG-2: 8,193 due stops of a market let another's one wait for one command."""
    v = Desk(orders=10_000, accounts=270, positions=900)
    v.open_market(2)
    on_last = {"trigger_kind": 3, "trigger_price_ticks": 1_000, "instructions": ON_LAST}
    stops = {"time_in_force": IOC, **on_last}
    v.send([v.order(1 + k // 32, BUY, 1_001, **stops) for k in range(8_193)])
    v.send([v.order(262, BUY, 1_001, market_id=2, **stops)])
    v.send([v.order(263, SELL, 1_000), v.order(263, SELL, 1_000, market_id=2)])
    events = v.group([v.order(264, BUY, 1_000), v.order(264, BUY, 1_000, market_id=2)])
    told = []
    while events:
        fired = [e.market_id for e in events if e.kind == EventKind.ORDER_TRIGGERED]
        told.append((fired.count(1), fired.count(2)))
        v.restart()
        events = v.do(CommandKind.TICK)
    assert told == [(4_096, 0), (4_095, 1), (2, 0)]
