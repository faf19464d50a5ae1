"""Forced requests and the guardian's pause in the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from margin_core import MarketSpec, Tier
from matcher.engine.commands import NEVER_S, Command, CommandKind, MarketState, RequestKind
from tests.model.floor import Seen
from tests.model.pair import NS, START_NS, Pair

ALICE, BOB, CAROL, DAVE = 1, 2, 3, 4
SPEC = MarketSpec(
    market_id=1, quote_per_tick_lot=10, price_ticks_max=3_000, position_lots_max=1_000,
    fee_maker_ppm=0, fee_taker_ppm=0, fee_liquidation_ppm=10_000, liquidation_buffer_ppm=0,
    mark_band_ppm=50_000, funding_cap_ppm=750, funding_interval_s=3_600, index_age_max_ms=1_000,
    tiers=(Tier(notional_floor_quote=0, margin_initial_ppm=50_000, margin_maintenance_ppm=25_000),),
)  # fmt: skip
DATED = replace(SPEC, expiry_time_s=START_NS // NS + 86_400)


class Desk:
    """Engine and model side by side; Alice is long 40 lots at 1,000, Bob short."""

    def __init__(
        self, spec: MarketSpec = SPEC, alice_margin: int = 1_000, backing: int = 0
    ) -> None:
        self.pair = Pair([spec], 4)
        self.time_ns = START_NS
        self.nonce = 100
        self.request_id = 0
        for account in (ALICE, BOB, CAROL):
            deposit = {"account": account, "amount_quote": 100_000, "nonce": account}
            self.send(CommandKind.DEPOSIT, **deposit)
        if backing:
            self.request(CAROL, RequestKind.BACK, backing, 1)
        self.request(0, RequestKind.GIVE, 5_000, 1)
        self.price(1_000)
        self.place(BOB, 1, 40)
        self.place(ALICE, 0, 40, amount_quote=40 * alice_margin)

    def send(self, kind: CommandKind, **fields: Any) -> list[Seen]:
        return self.pair.apply(Command(kind, time_ns=self.time_ns, **fields))

    def price(self, ticks: int) -> None:
        time_ms = self.time_ns // 10**6
        self.send(CommandKind.PRICE, market_id=1, price_ticks=ticks, aux=time_ms)

    def place(self, account: int, side: int, lots: int, **fields: int) -> list[Seen]:
        self.nonce += 1
        form = {
            "account": account, "market_id": 1, "side": side, "nonce": self.nonce, "qty_lots": lots,
            "price_ticks": 1_000, "amount_quote": lots * 1_000, "expiry_time_s": NEVER_S,
        }  # fmt: skip
        return self.send(CommandKind.PLACE, **(form | fields))

    def request(
        self, account: int, kind: RequestKind, amount: int, market: int = 0, side: int = 0
    ) -> list[Seen]:
        self.request_id += 1
        return self.send(
            CommandKind.FORCED_REQUEST, account=account, flags=kind, aux=amount,
            market_id=market, nonce=self.request_id, side=side,
        )  # fmt: skip

    def lots(self, account: int) -> int:
        position = self.pair.engine.position(account, 1)
        return position.position_lots if position else 0


def test_a_reduction_goes_to_the_fund_at_the_index() -> None:
    """FORCE-3: 15 of 40 lots at 990 for 1 % of their notional."""
    desk = Desk()
    desk.price(990)
    (served,) = desk.request(ALICE, RequestKind.REDUCE, 15, 1)
    assert (served.kind, served.reason, served.qty, served.price) == (
        "FORCED_SERVED", "NONE", 15, 990,
    )  # fmt: skip
    assert served.amount_2 == 15 * 990 * 10 // 100
    fund = desk.pair.engine.fund(1)
    assert (desk.lots(ALICE), fund.position_lots) == (25, 15)
    assert fund.collateral_quote == 5_000 + served.amount_2


def test_a_reduction_takes_the_worse_of_index_and_mark() -> None:
    """FORCE-3: bought on the book below the index, it isn't closed at the index."""
    desk = Desk()
    for account, side in ((BOB, 0), (CAROL, 1)):
        desk.place(account, side, 1, price_ticks=940 + 80 * side)
    desk.price(1_010)
    mark = desk.pair.engine.market(1).mark_price_ticks
    assert mark < 1_010
    assert desk.request(ALICE, RequestKind.REDUCE, 15, 1)[0].price == mark
    assert desk.request(BOB, RequestKind.REDUCE, 15, 1)[0].price == 1_010


def test_an_ended_market_serves_at_its_last_price() -> None:
    """FORCE-3, EXP-2: the whole position, without fee, whatever the price's age."""
    desk = Desk(DATED)
    desk.time_ns = DATED.expiry_time_s * NS
    desk.price(1_020)
    desk.time_ns += 3_600 * NS
    (served,) = desk.request(ALICE, RequestKind.REDUCE, 15, 1)
    assert (served.reason, served.qty, served.price, served.amount_2) == ("NONE", 40, 1_020, 0)
    assert served.amount == 40_000 + 40 * 20 * 10
    assert desk.request(BOB, RequestKind.REDUCE, 1, 1)[0].qty == 40
    assert (desk.lots(ALICE), desk.lots(BOB), desk.pair.engine.fund(1).position_lots) == (0, 0, 0)


def test_an_ended_market_serves_beyond_the_funds_limit() -> None:
    """FORCE-3: a sweep leaves what the fund may not hold, who asks to leave does leave."""
    desk = Desk(replace(DATED, position_lots_max=40))
    desk.send(CommandKind.DEPOSIT, account=DAVE, amount_quote=100_000, nonce=5)
    desk.place(DAVE, 1, 30)
    desk.place(CAROL, 0, 30)
    desk.time_ns = DATED.expiry_time_s * NS
    desk.price(1_000)
    assert desk.request(ALICE, RequestKind.REDUCE, 1, 1)[0].qty == 40
    assert desk.request(CAROL, RequestKind.REDUCE, 1, 1)[0].qty == 30
    assert desk.pair.engine.fund(1).position_lots == 70


def test_a_position_that_only_one_price_bankrupts_waits() -> None:
    """FORCE-2, FORCE-3: bankrupt at the mark, healthy at the index: set aside."""
    desk = Desk(replace(SPEC, grace_s=600), alice_margin=500)
    for account, side in ((BOB, 0), (CAROL, 1)):
        desk.place(account, side, 1, price_ticks=939 + 2 * side, amount_quote=5_000)
    for _ in range(60):
        desk.price(985)
    assert desk.pair.engine.market(1).mark_price_ticks < 950
    (aside,) = desk.request(ALICE, RequestKind.REDUCE, 40, 1)
    assert (aside.kind, aside.reason) == ("FORCED_SERVED", "PRICE_BAND")
    (refused,) = desk.request(ALICE, RequestKind.REDUCE, 40, 1, side=1)
    assert (refused.kind, refused.reason) == ("COMMAND_REJECTED", "PRICE_BAND")
    assert desk.lots(ALICE) == 40
    desk.time_ns += 60 * NS  # so that nobody is liquidated for a while
    desk.price(970)
    assert desk.request(ALICE, RequestKind.REDUCE, 40, 1, side=1)[0].reason == "BANKRUPT"


def test_a_fund_without_room_for_the_lots_lets_the_leaver_wait() -> None:
    """FORCE-3, SPEC §1: 2^40 lots are the most that a word is meant to hold."""
    spec = replace(SPEC, quote_per_tick_lot=1, position_lots_max=1 << 40)
    desk = Desk(spec)
    for account in (ALICE, BOB, CAROL, DAVE):
        desk.send(CommandKind.DEPOSIT, account=account, amount_quote=1 << 54, nonce=account + 5)
    held, most = 40, (1 << 32) - 2
    while held < 1 << 40:
        lots = min(most, (1 << 40) - held)
        desk.place(BOB, 1, lots, amount_quote=100 * lots)
        desk.place(ALICE, 0, lots, amount_quote=100 * lots)
        held += lots
    desk.place(DAVE, 1, 2)
    desk.place(CAROL, 0, 2)
    assert desk.request(ALICE, RequestKind.REDUCE, held - 1, 1)[0].qty == (1 << 40) - 1
    assert desk.request(CAROL, RequestKind.REDUCE, 2, 1)[0].reason == "CAPACITY"
    (refused,) = desk.request(CAROL, RequestKind.REDUCE, 2, 1, side=1)
    assert (refused.kind, refused.reason) == ("COMMAND_REJECTED", "CAPACITY")
    assert desk.request(CAROL, RequestKind.REDUCE, 1, 1)[0].qty == 1
    assert desk.pair.engine.fund(1).position_lots == 1 << 40


def test_a_reduction_waits_for_a_fresh_price() -> None:
    """FORCE-2: set aside once, then refused until there is one; who holds nothing needs none."""
    desk = Desk()
    desk.time_ns += 2 * NS
    (aside,) = desk.request(ALICE, RequestKind.REDUCE, 15, 1)
    assert (aside.kind, aside.reason) == ("FORCED_SERVED", "PRICE_STALE")
    assert desk.lots(ALICE) == 40
    (refused,) = desk.request(ALICE, RequestKind.REDUCE, 15, 1, side=1)
    assert (refused.kind, refused.reason) == ("COMMAND_REJECTED", "PRICE_STALE")
    assert desk.request(CAROL, RequestKind.REDUCE, 1, 1)[0].reason == "NO_POSITION"
    desk.price(1_000)
    assert desk.request(ALICE, RequestKind.REDUCE, 15, 1, side=1)[0].qty == 15
    desk.time_ns += 2 * NS
    assert desk.request(CAROL, RequestKind.UNBACK, 9, 1)[0].reason == "PRICE_STALE"
    desk.price(1_000)
    assert desk.request(ALICE, RequestKind.REDUCE, 2**63, 1)[0].qty == 25
    assert desk.request(CAROL, RequestKind.REDUCE, 1, 1)[0].reason == "NO_POSITION"


def test_a_withdrawal_takes_what_orders_reserve() -> None:
    """FORCE-2: the orders that it leaves uncovered end, the newest first."""
    desk = Desk()
    desk.place(CAROL, 0, 30, price_ticks=900, amount_quote=60_000)
    desk.place(CAROL, 0, 10, price_ticks=900, amount_quote=30_000)
    events = desk.request(CAROL, RequestKind.WITHDRAW, 30_000)
    assert [(e.kind, e.reason) for e in events] == [
        ("FORCED_SERVED", "NONE"), ("ORDER_CANCELED", "INSUFFICIENT_FREE_COLLATERAL"),
    ]  # fmt: skip
    assert events[1].nonce == desk.nonce
    events = desk.request(CAROL, RequestKind.WITHDRAW, 2**64 - 1)
    assert events[0].amount == 70_000
    assert desk.request(CAROL, RequestKind.WITHDRAW, 1)[0].reason == "INSUFFICIENT_FREE_COLLATERAL"
    assert desk.pair.engine.withdrawals_quote() == 100_000


def test_a_top_up_reaches_the_position() -> None:
    """FORCE-4."""
    desk = Desk()
    assert desk.request(ALICE, RequestKind.TOP_UP, 700, 1)[0].amount == 700
    position = desk.pair.engine.position(ALICE, 1)
    assert position is not None
    assert position.collateral_quote == 40_700
    assert desk.pair.engine.free_quote(ALICE) == 60_000
    assert desk.request(CAROL, RequestKind.TOP_UP, 700, 1)[0].reason == "NO_POSITION"
    assert desk.pair.engine.free_quote(CAROL) == 100_700


def backed(amount: int = 5_000) -> Desk:
    """Carol backs the fund at 1,000 shares a unit before it gets 5,000."""
    return Desk(backing=amount)


def test_a_backer_gets_what_the_shares_are_worth_when_served() -> None:
    """BACK-4: with the fund's loss that came after the request was made."""
    desk = backed(50_000)
    assert desk.pair.engine.market(1).fund_shares == 50_000_000
    half = desk.request(CAROL, RequestKind.UNBACK, 25_000_000, 1)[0]
    assert (half.amount, half.amount_2) == (25_000_000 * 55_001 // 50_001_000, 25_000_000)
    assert desk.pair.engine.free_quote(CAROL) == 100_000 + half.amount
    # The fund takes 40 lots at 1,000; the mark falls by 2 %.
    desk.request(ALICE, RequestKind.REDUCE, 40, 1)
    desk.price(980)
    equity = desk.pair.engine.fund(1).equity_quote
    assert equity < 55_000 - half.amount
    part = desk.request(CAROL, RequestKind.UNBACK, 1_000_000, 1)[0]
    assert (part.amount, part.amount_2) == (1_000_000 * (equity + 1) // 25_001_000, 1_000_000)
    assert desk.pair.engine.market(1).fund_shares == 24_000_000


def test_shares_that_are_not_paid_stay() -> None:
    """BACK-4: the fund keeps what its lots require."""
    desk = backed(20_000)
    desk.request(ALICE, RequestKind.REDUCE, 30, 1)
    fund = desk.pair.engine.fund(1)
    spare = fund.equity_quote - fund.initial_quote
    served = desk.request(CAROL, RequestKind.UNBACK, 2**63, 1)[0]
    worth = 20_000_000 * (fund.equity_quote + 1) // 20_001_000
    assert served.amount == spare < worth
    assert served.amount_2 == -(-20_000_000 * spare // worth)
    assert desk.pair.engine.market(1).fund_shares == 20_000_000 - served.amount_2
    assert desk.request(CAROL, RequestKind.UNBACK, 1, 1)[0].reason == "FUND_CANNOT_CARRY"


def test_a_backer_without_a_place_is_paid_on_chain_alone() -> None:
    """BACK-4: the fund pays, nobody's free balance grows."""
    desk = backed()
    served = desk.request(0, RequestKind.UNBACK, 1_000_000, 1)[0]
    assert served.amount == 1_000_000 * 10_001 // 5_001_000
    engine = desk.pair.engine
    assert engine.fund(1).collateral_quote == 10_000 - served.amount
    assert engine.withdrawals_quote() == served.amount
    assert desk.request(0, RequestKind.WITHDRAW, 5)[0].reason == "ACCOUNT_UNKNOWN"


def test_the_engine_counts_shares_in_63_bits() -> None:
    """BACK-2."""
    desk = backed()
    many = 2**52
    made = desk.request(CAROL, RequestKind.BACK, many, 1)[0]
    assert (made.reason, made.amount_2) == ("NONE", many * 5_001_000 // 10_001)
    for reason, amount in (("NONE", many), ("NONE", many), ("AMOUNT_OUT_OF_RANGE", 2 * many)):
        assert desk.request(CAROL, RequestKind.BACK, amount, 1)[0].reason == reason
    assert desk.pair.engine.free_quote(CAROL) == 100_000 + 2 * many


def test_a_gift_changes_the_fund_where_it_is_served() -> None:
    """FORCE-5: with or without a place, whatever the market's price; never set aside."""
    desk = Desk()
    desk.time_ns += 2 * NS
    for giver in (CAROL, 0):
        (served,) = desk.request(giver, RequestKind.GIVE, 70, 1)
        assert (served.reason, served.amount, served.amount_2) == ("NONE", 70, 0)
    engine = desk.pair.engine
    assert engine.fund(1).collateral_quote == 5_140
    assert (engine.free_quote(CAROL), engine.deposits_quote()) == (100_000, 305_140)
    assert desk.request(CAROL, RequestKind.GIVE, 2**60 - 305_140 + 1, 1)[0].reason == (
        "AMOUNT_OUT_OF_RANGE"
    )


def test_a_backing_that_cannot_be_becomes_free_balance() -> None:
    """FORCE-5, BACK-2: no fresh price for the fund's lots, too little, nothing left of the fund."""
    desk = Desk()
    engine = desk.pair.engine
    assert desk.request(CAROL, RequestKind.BACK, 5, 1)[0].reason == "AMOUNT_OUT_OF_RANGE"
    desk.request(ALICE, RequestKind.REDUCE, 40, 1)
    desk.send(CommandKind.SET_MARKET_STATE, market_id=1, aux=MarketState.HALTED)  # LIQ-7 waits
    desk.time_ns += 2 * NS
    (served,) = desk.request(CAROL, RequestKind.BACK, 10_000, 1)
    assert (served.kind, served.reason, served.amount) == ("FORCED_SERVED", "PRICE_STALE", 10_000)
    assert engine.free_quote(CAROL) == 110_005
    desk.price(1_000)
    equity = engine.fund(1).equity_quote
    made = desk.request(CAROL, RequestKind.BACK, 10_000, 1)[0].amount_2
    assert made == 10_000 * 1_000 // (equity + 1) == engine.market(1).fund_shares
    desk.price(900)
    assert engine.fund(1).equity_quote < 0
    assert desk.request(CAROL, RequestKind.BACK, 10_000, 1)[0].reason == "FUND_CANNOT_CARRY"
    assert desk.request(0, RequestKind.BACK, 10_000, 1)[0].reason == "FUND_CANNOT_CARRY"
    assert engine.free_quote(CAROL) == 120_005
    assert engine.deposits_quote() == 305_000 + 30_005


def test_what_brings_money_is_never_set_aside() -> None:
    """FORCE-5: whatever the command says, it is served, and its money is credited once."""
    for kind in (RequestKind.BACK, RequestKind.GIVE, RequestKind.TOP_UP):
        desk = Desk()
        desk.request(ALICE, RequestKind.REDUCE, 40, 1)
        desk.send(CommandKind.SET_MARKET_STATE, market_id=1, aux=MarketState.HALTED)
        desk.time_ns += 2 * NS
        (served,) = desk.request(CAROL, kind, 777, 1, side=1)
        reason = {"BACK": "PRICE_STALE", "GIVE": "NONE", "TOP_UP": "NO_POSITION"}[kind.name]
        assert (served.kind, served.reason, served.amount) == ("FORCED_SERVED", reason, 777)
        assert desk.pair.engine.free_quote(CAROL) == 100_000 + (777 if reason != "NONE" else 0)
        assert desk.pair.engine.deposits_quote() == 305_777


def test_what_is_brought_to_an_unknown_market_becomes_free_balance() -> None:
    """FORCE-5: the chain lists it, the engine does not."""
    desk = Desk()
    for kind, reason in (("GIVE", "MARKET_UNKNOWN"), ("BACK", "MARKET_UNKNOWN"),
                         ("TOP_UP", "NO_POSITION")):  # fmt: skip
        (served,) = desk.request(CAROL, RequestKind[kind], 10, 9)
        assert (served.kind, served.reason, served.amount) == ("FORCED_SERVED", reason, 10)
    assert desk.pair.engine.free_quote(CAROL) == 100_030


def test_cancellations_end_orders_and_nonces() -> None:
    """FORCE-2, SIG-1: one nonce, or all below a floor; older and newer words of nonces."""
    desk = Desk()
    nonces = []
    for _ in range(3):
        desk.place(CAROL, 0, 1, price_ticks=900)
        nonces.append(desk.nonce)
    first, second, third = nonces
    assert [e.kind for e in desk.request(CAROL, RequestKind.CANCEL, second)] == [
        "FORCED_SERVED", "ORDER_CANCELED",
    ]  # fmt: skip
    assert desk.place(CAROL, 0, 1, nonce=second)[0].reason == "NONCE_USED"
    events = desk.request(CAROL, RequestKind.CANCEL_ALL, third)
    assert [e.nonce for e in events[1:]] == [first]
    floor = third + 300
    desk.request(CAROL, RequestKind.CANCEL_ALL, floor)
    for nonce in (0, 63, 64, third + 1, floor - 64, floor - 1):
        assert desk.place(CAROL, 0, 1, nonce=nonce, price_ticks=900)[0].reason == "NONCE_USED"
    for nonce in (floor + 500, floor):
        assert desk.place(CAROL, 0, 1, nonce=nonce, price_ticks=900)[0].kind == "ORDER_ACCEPTED"
    assert desk.place(CAROL, 0, 1, nonce=floor - 1, price_ticks=900)[0].reason == "NONCE_USED"


def test_a_range_of_nonces_ends_at_once() -> None:
    """FORCE-1, SIG-1: both ends included, orders or not, at most 8."""
    desk = Desk()
    for _ in range(4):
        desk.place(CAROL, 0, 1, price_ticks=900)
    last = desk.nonce
    desk.request_id += 1
    events = desk.send(
        CommandKind.FORCED_REQUEST, account=CAROL, flags=RequestKind.CANCEL, aux=last - 2,
        amount_quote=7, nonce=desk.request_id,
    )  # fmt: skip
    assert [(e.kind, e.nonce) for e in events[1:]] == [
        ("ORDER_CANCELED", nonce) for nonce in (last - 2, last - 1, last)
    ]
    for nonce, kind in ((last + 5, "ORDER_REJECTED"), (last + 6, "ORDER_ACCEPTED")):
        assert desk.place(CAROL, 0, 1, nonce=nonce, price_ticks=900)[0].kind == kind


def test_a_range_of_nonces_ends_with_the_last() -> None:
    """FORCE-1: it does not begin anew at 0."""
    desk = Desk()
    desk.place(CAROL, 0, 1, nonce=0, price_ticks=900)
    desk.request_id += 1
    events = desk.send(
        CommandKind.FORCED_REQUEST, account=CAROL, flags=RequestKind.CANCEL, aux=2**64 - 2,
        amount_quote=5, nonce=desk.request_id,
    )  # fmt: skip
    assert [e.kind for e in events] == ["FORCED_SERVED"]
    assert len(desk.pair.engine.open_orders(CAROL)) == 1
    assert desk.place(CAROL, 0, 1, nonce=1, price_ticks=900)[0].kind == "ORDER_ACCEPTED"
    for nonce in (2**64 - 2, 2**64 - 1):
        made = desk.place(CAROL, 0, 1, nonce=nonce, price_ticks=900, time_in_force=1)
        assert made[0].reason == "NONCE_USED"


def test_a_flat_fund_that_owes_is_not_liquidated() -> None:
    """MARG-4: it has paid more for what it took than it got, and nobody is deleveraged for it."""
    desk = Desk()
    desk.place(BOB, 1, 10)
    desk.place(CAROL, 0, 10)  # whose money the market has
    desk.request(ALICE, RequestKind.REDUCE, 40, 1)
    desk.send(CommandKind.SET_MARKET_STATE, market_id=1, aux=MarketState.HALTED)  # LIQ-7 waits
    for _ in range(4):  # the mark follows
        desk.price(940)
    desk.request(BOB, RequestKind.REDUCE, 40, 1)
    fund = desk.pair.engine.fund(1)
    assert fund.position_lots == 0 > fund.collateral_quote
    desk.send(CommandKind.SET_MARKET_STATE, market_id=1, aux=MarketState.OPEN)
    desk.price(940)
    assert desk.pair.engine.fund(1).collateral_quote == fund.collateral_quote


def test_nothing_grows_under_the_pause() -> None:
    """GOV-4: resting, incoming and take-out; what reduces goes on."""
    desk = Desk()
    desk.place(CAROL, 1, 5)
    desk.send(CommandKind.PAUSE_RISK, aux=1)
    assert desk.pair.engine.is_risk_paused
    assert desk.place(CAROL, 0, 5)[0].reason == "RISK_PAUSED"
    assert desk.place(ALICE, 1, 41)[0].reason == "RISK_PAUSED"
    met = desk.place(BOB, 0, 10, time_in_force=1, amount_quote=0)
    assert [(e.kind, e.reason) for e in met[1:]] == [
        ("ORDER_CANCELED", "RISK_PAUSED"), ("ORDER_CANCELED", "IMMEDIATE_REMAINDER"),
    ]  # fmt: skip
    desk.place(ALICE, 1, 10, amount_quote=0)
    assert desk.place(BOB, 0, 10, amount_quote=0)[1].kind == "FILL"
    for amount, kind in ((-5, "COMMAND_REJECTED"), (5, "COLLATERAL_MOVED")):
        desk.nonce += 1
        (event,) = desk.send(
            CommandKind.MOVE_COLLATERAL, account=ALICE, market_id=1, amount_quote=amount,
            nonce=desk.nonce, expiry_time_s=NEVER_S,
        )  # fmt: skip
        assert event.kind == kind
    desk.send(CommandKind.PAUSE_RISK, aux=0)
    assert desk.place(CAROL, 0, 5)[0].kind == "ORDER_ACCEPTED"


def test_a_snapshot_keeps_floor_and_pause() -> None:
    """GOV-4, SIG-1."""
    desk = Desk()
    desk.request(CAROL, RequestKind.CANCEL_ALL, 5_000)
    desk.send(CommandKind.PAUSE_RISK, aux=1)
    engine = type(desk.pair.engine).restore(b"".join(desk.pair.engine.snapshot()))
    assert engine.is_risk_paused
    assert engine.state_hash() == desk.pair.engine.state_hash()
