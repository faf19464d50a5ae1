"""What one command costs at most, whoever brings what: ratios of commands on books of one size.

The margins are wide: without the limit each ratio is in the hundreds, whatever the machine.
"""

from __future__ import annotations

from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING, Any

from matcher.engine.commands import NEVER_S, Command, CommandKind, MarketState
from matcher.engine.engine import Engine
from matcher.engine.events import EventKind, unpack
from matcher.engine.instructions import Instructions
from tests.unit.engine.venue import BUY, NS, SELL, START_S, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

TIME_NS = START_S * NS
ORDERS_MAX = 4_000  # of an account, below its limit
TRIALS = 3


def engine_of(accounts: int, orders: int, **changes: object) -> Engine:
    """Return an engine with rich accounts and a mark of 10,000."""
    engine = Engine(
        account_count_max=accounts, position_count_max=accounts + 1, order_count_max=orders
    )
    engine.list_market(spec_of(**changes), TIME_NS)
    for account in range(1, accounts + 1):
        engine.register_account()
        money: dict[str, Any] = {"account": account, "amount_quote": 10**12, "nonce": account}
        engine.apply_one(Command(CommandKind.DEPOSIT, time_ns=TIME_NS, **money))
    price: dict[str, Any] = {"price_ticks": 10_000, "aux": TIME_NS // 10**6, "market_id": 1}
    engine.apply_one(Command(CommandKind.PRICE, time_ns=TIME_NS, **price))
    return engine


def order(account: int, side: int, price: int, nonce: int, **fields: Any) -> bytes:
    form: dict[str, Any] = {"qty_lots": 1, "amount_quote": 10**4, "expiry_time_s": NEVER_S}
    return Command(
        CommandKind.PLACE, time_ns=TIME_NS, market_id=1, account=account, side=side,
        price_ticks=price, nonce=nonce, **(form | fields),
    ).records()  # fmt: skip


def to_state(state: MarketState) -> bytes:
    return Command(CommandKind.SET_MARKET_STATE, time_ns=TIME_NS, market_id=1, aux=state).records()


def timed(engine: Engine, records: bytes) -> tuple[float, Counter[str]]:
    """Return how long the command takes, and what it does."""
    begin = perf_counter()
    made = engine.apply(records)
    taken = perf_counter() - begin
    return taken, Counter(EventKind(event.kind).name for event in unpack(made))


def ratio(large: Callable[[], float], small: Callable[[], float]) -> float:
    """Return how much longer one takes than the other, the best of few trials each."""
    trials = [(large(), small()) for _ in range(TRIALS)]
    return min(t for t, _ in trials) / min(t for _, t in trials)


def opening(bidders: int, own: int, who: int) -> float:
    """Uncross `own` bids of an account over those of others, against one ask of account 1."""
    engine = engine_of(bidders + 2, bidders + own + 1, mark_band_ppm=500_000)
    records = [to_state(MarketState.AUCTION), order(1, SELL, 9_901, 1)]
    records += [order(3 + k, BUY, 10_000 - k % 90, 1) for k in range(bidders)]
    records += [order(who, BUY, 10_000 + own - k, 2 + k) for k in range(own)]
    assert not any(event.reason for event in unpack(engine.apply(b"".join(records))))
    taken, seen = timed(engine, to_state(MarketState.OPEN))
    engine.check_invariants()
    assert seen["ORDER_CANCELED"] == (own if who == 1 else 0), seen
    assert seen["FILL"] == 1
    assert seen["AUCTION"] <= 8
    return taken


def test_an_auction_is_a_few_walks_over_its_cross() -> None:
    """AUC-2: 2,000 bids that meet only their own ask cost no 2,000 clearings."""
    assert ratio(lambda: opening(4_000, 2_000, who=1), lambda: opening(4_000, 2_000, who=2)) < 80


def beyond(pairs: int, *, are_siblings: bool) -> float:
    """End bids that cross above the band; each has a sibling far from there or a stranger."""
    engine = engine_of(2, 2 * pairs + 1)
    records = [to_state(MarketState.AUCTION), order(1, SELL, 11_000, 1)]
    for k in range(pairs):
        words = (
            Instructions(oco_nonce=2 * k + other) for other in ((3, 2) if are_siblings else ())
        )
        for price in (12_000, 9_000):
            word = next(words, Instructions())
            records.append(order(2, BUY, price, 2 * k + 2 + (price == 9_000), instructions=word))
    assert not any(event.reason for event in unpack(engine.apply(b"".join(records))))
    taken, seen = timed(engine, to_state(MarketState.OPEN))
    assert seen["ORDER_CANCELED"] == (2 * pairs if are_siblings else pairs)
    return taken


def test_what_is_beyond_the_band_is_walked_over_once() -> None:
    """AUC-1, OCO-1: not once more for each sibling."""
    pairs = ORDERS_MAX // 2
    large, small = (
        (lambda: beyond(pairs, are_siblings=True)),
        (lambda: beyond(pairs, are_siblings=False)),
    )
    assert ratio(large, small) < 30


def row_of_bankrupts(victims: int, thin: int) -> float:
    """Time a row in which longs are bankrupt at a price that the highest shorts can't bear."""
    accounts = thin + victims + 2
    engine = engine_of(accounts, 99, mark_band_ppm=500_000)
    rich, strange = accounts - 1, accounts
    longs = range(thin + 1, thin + victims + 1)

    def do(kind: CommandKind, **fields: Any) -> Counter[str]:
        form: dict[str, Any] = {"time_ns": TIME_NS, "market_id": 1, "expiry_time_s": NEVER_S}
        return timed(engine, Command(kind, **(form | fields)).records())[1]

    def price(ticks: int) -> bytes:
        fields: dict[str, Any] = {"price_ticks": ticks, "aux": TIME_NS // 10**6, "market_id": 1}
        return Command(CommandKind.PRICE, time_ns=TIME_NS, **fields).records()

    def trade(buyer: int, seller: int, qty: int, ticks: int, bought: int, sold: int) -> None:
        nonce = engine.seq + 10**6
        sides = ((seller, SELL, sold), (buyer, BUY, bought))
        records = b"".join(
            order(account, side, ticks, nonce, qty_lots=qty, amount_quote=margin)
            for account, side, margin in sides
        )
        assert timed(engine, records)[1]["FILL"] == 1

    for account in longs:
        trade(account, rich, 100, 10_000, 100 * 1_010, 100 * 5_000)
        do(CommandKind.SETTLEMENT_REJECTED, account=account, aux=1)
    for account in range(1, thin + 1):
        trade(strange, account, 1, 8_000, 4_000, 3_100)
    for _ in range(5):
        engine.apply(price(7_000))
    for account in range(1, thin + 1):
        move = do(CommandKind.MOVE_COLLATERAL, account=account, amount_quote=-3_100, nonce=9)
        assert move["COLLATERAL_MOVED"] == 1
    for account in longs:
        do(CommandKind.SETTLEMENT_REJECTED, account=account, aux=0)
    engine.check_invariants()
    taken, seen = timed(engine, price(7_350))
    assert seen["ADL"] == seen["LIQUIDATION_ENDED"] == victims
    assert engine.position(1, 1).position_lots == -1  # type: ignore[union-attr]
    return taken


def test_adl_tries_a_counterparty_twice_at_most() -> None:
    """IDX-3: not once more for each bankrupt position."""
    large, small = (lambda: row_of_bankrupts(200, 2_000)), (lambda: row_of_bankrupts(1, 2_000))
    assert ratio(large, small) < 25
