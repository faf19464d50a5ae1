"""The engine equals the slow model on sequences that Hypothesis invents, and makes small again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from margin_core import MarketSpec, Tier
from matcher.engine.commands import (
    SIDE_ANY,
    Command,
    CommandKind,
    MarketState,
    RequestKind,
)
from matcher.engine.instructions import FLAG_ON_LAST, Instructions
from tests.model.orders import ASCENDING
from tests.model.pair import NS, START_NS, Pair

SPEC = MarketSpec(
    market_id=1,
    quote_per_tick_lot=1,
    price_ticks_max=2_000,
    position_lots_max=40,
    fee_maker_ppm=200,
    fee_taker_ppm=500,
    mark_band_ppm=200_000,
    funding_interval_s=3,
    tiers=(
        Tier(notional_floor_quote=0, margin_initial_ppm=50_000, margin_maintenance_ppm=25_000),
        Tier(
            notional_floor_quote=10_000, margin_initial_ppm=100_000, margin_maintenance_ppm=50_000
        ),
    ),
)
ACCOUNTS = 4
accounts = st.integers(1, ACCOUNTS)
prices = st.integers(930, 1_070)
lots = st.sampled_from((1, 2, 5, 20))


class Venue(RuleBasedStateMachine):
    """Rules are commands; `Pair.apply` compares events, money, positions and books."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair([SPEC], ACCOUNTS)
        self.time_ns = START_NS
        self.nonce = self.deposits = self.requests = 0

    def send(self, kind: CommandKind, **fields: Any) -> None:
        self.nonce += 1
        form: dict[str, Any] = {"time_ns": self.time_ns, "nonce": self.nonce}
        form["expiry_time_s"] = 2**32 - 1
        self.pair.apply(Command(kind, **(form | {"market_id": 1} | fields)))

    def deposit(self, kind: CommandKind, **fields: int) -> None:
        self.deposits += 1
        self.send(kind, nonce=self.deposits, **fields)

    @initialize(fund=st.sampled_from((0, 500, 10**6)))
    def begin(self, fund: int) -> None:
        for account in range(1, ACCOUNTS + 1):
            self.deposit(CommandKind.DEPOSIT, account=account, amount_quote=4_000)
        if fund:
            self.send(CommandKind.FORCED_REQUEST, flags=RequestKind.GIVE, aux=fund)
        self.index(1_000)

    @rule(price=prices)
    def index(self, price: int) -> None:
        aux = self.time_ns // 10**6
        self.send(CommandKind.PRICE, price_ticks=price, aux=aux)

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        self.time_ns += seconds * NS
        self.send(CommandKind.TICK)

    @rule(
        account=accounts, side=st.integers(0, 1), qty=lots, price=prices,
        tif=st.sampled_from((0, 0, 0, 1, 2)), flags=st.sampled_from((0, 0, 0, 1, 2)),
        leverage=st.sampled_from((3, 9, 14, 18)), trigger=st.sampled_from((0, 0, 0, 1, 2)),
        trigger_price=prices, lifetime=st.sampled_from((1, 10**6, 10**6)),
        session=st.sampled_from((0, 1, 2)),
    )  # fmt: skip
    def place(
        self, account: int, side: int, qty: int, price: int, tif: int, flags: int, leverage: int,
        trigger: int, trigger_price: int, lifetime: int, session: int,
    ) -> None:  # fmt: skip
        self.send(
            CommandKind.PLACE, account=account, side=side, qty_lots=qty, price_ticks=price,
            time_in_force=tif, flags=flags, trigger_kind=trigger,
            trigger_price_ticks=trigger_price, expiry_time_s=self.time_ns // NS + lifetime,
            amount_quote=0 if flags == 2 else qty * price // leverage, session=session,
        )  # fmt: skip

    @rule(
        account=accounts, side=st.integers(0, 1), qty=lots, price=prices,
        tif=st.sampled_from((0, 1, 1, 2)), nonce=st.integers(0, 8),
        trigger=st.sampled_from((0, 0, 0, 1)),
    )  # fmt: skip
    def take(
        self, account: int, side: int, qty: int, price: int, tif: int, nonce: int, trigger: int
    ) -> None:
        """SIG-5: ascending nonces of few values, so that some are used and others skipped."""
        self.send(
            CommandKind.PLACE, account=account, side=side, qty_lots=qty, price_ticks=price,
            time_in_force=tif, amount_quote=qty * price // 5, nonce=ASCENDING + nonce,
            trigger_kind=trigger, trigger_price_ticks=1_999,
        )  # fmt: skip

    @rule(
        account=accounts, side=st.integers(0, 1), qty=lots, price=prices,
        self_trade=st.integers(0, 3), display=st.sampled_from((0, 0, 1, 2)),
        least=st.sampled_from((0, 0, 1, 3)), flags=st.sampled_from((0, 0, 1, 2)),
        word_flags=st.sampled_from((0, 0, 1, 4)), sibling=st.sampled_from((0, -1, 1)),
        trail=st.sampled_from((0, 0, 15)), on_last=st.booleans(), trigger_price=prices,
    )  # fmt: skip
    def place_instructed(
        self, account: int, side: int, qty: int, price: int, self_trade: int, display: int,
        least: int, flags: int, word_flags: int, sibling: int, trail: int, on_last: bool,
        trigger_price: int,
    ) -> None:  # fmt: skip
        """An order with instructions; one that does not fit is refused alike."""
        waits = trail > 0 or on_last
        word = Instructions(
            self_trade=self_trade, flags=word_flags | FLAG_ON_LAST * on_last, display_lots=display,
            min_lots=least, trailing_ticks=trail,
            oco_nonce=self.nonce + 1 + sibling if sibling else 0,
        )  # fmt: skip
        self.send(
            CommandKind.PLACE, account=account, side=side, qty_lots=qty, price_ticks=price,
            flags=flags, amount_quote=0 if flags == 2 else qty * price // 5, instructions=word,
            trigger_kind=3 + side if waits else 0, trigger_price_ticks=trigger_price,
        )  # fmt: skip

    @precondition(lambda self: self.pair.model.orders)
    @rule(data=st.data(), total=st.integers(0, 20))
    def amend(self, data: st.DataObject, total: int) -> None:
        order = data.draw(st.sampled_from(self.pair.model.orders))
        named = {"account": order.key[0], "nonce": order.c.nonce}
        self.send(CommandKind.AMEND, qty_lots=total, **named)

    @precondition(lambda self: self.pair.model.orders)
    @rule(data=st.data(), qty=lots, price=prices, guard=st.sampled_from((0, 0, 1, None)))
    def replace(self, data: st.DataObject, qty: int, price: int, guard: int | None) -> None:
        old = data.draw(st.sampled_from(self.pair.model.orders))
        self.send(
            CommandKind.REPLACE, account=old.key[0], side=old.c.side, qty_lots=qty,
            price_ticks=price, amount_quote=qty * price // 5, old_nonce=old.c.nonce,
            unfilled_lots=old.left if guard is None else guard,
        )  # fmt: skip

    @rule(
        account=accounts, sides=st.lists(st.integers(0, 1), min_size=1, max_size=3), price=prices,
        qty=lots, data=st.data(),
    )  # fmt: skip
    def group(
        self, account: int, sides: list[int], price: int, qty: int, data: st.DataObject
    ) -> None:
        """Places of one account, behind the cancel of one of its orders when it has any."""
        own = [o for o in self.pair.model.orders if o.key[0] == account]
        items = []
        if own:
            old = data.draw(st.sampled_from(own))
            items.append(Command(CommandKind.CANCEL, account=account, nonce=old.c.nonce))
        for at, side in enumerate(sides):
            self.nonce += 1
            items.append(
                Command(
                    CommandKind.PLACE,
                    account=account,
                    market_id=1,
                    side=side,
                    nonce=self.nonce,
                    price_ticks=price + at,
                    qty_lots=qty,
                    amount_quote=qty * price // 5,
                    expiry_time_s=2**32 - 1,
                )
            )
        self.pair.apply_group(items, self.time_ns)

    @precondition(lambda self: self.pair.model.orders)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.pair.model.orders))
        self.send(CommandKind.CANCEL, account=order.key[0], nonce=order.c.nonce)

    @rule(
        account=accounts, side=st.sampled_from((0, 1, SIDE_ANY)), session=st.sampled_from((0, 1, 2))
    )
    def cancel_all(self, account: int, side: int, session: int) -> None:
        """CXL-1."""
        self.send(CommandKind.CANCEL_ALL, account=account, side=side, session=session)

    @rule(
        account=accounts, kind=st.sampled_from(RequestKind),
        amount=st.sampled_from((1, 3, 40, 500, 2**63)),
    )  # fmt: skip
    def request(self, account: int, kind: RequestKind, amount: int) -> None:
        """FORCE-2: what the chain's queue asks for."""
        self.requests += 1
        self.send(
            CommandKind.FORCED_REQUEST, account=account, flags=int(kind), aux=amount,
            nonce=self.requests,
        )  # fmt: skip

    @rule(paused=st.sampled_from((0, 0, 1)))
    def pause(self, paused: int) -> None:
        """GOV-4."""
        self.send(CommandKind.PAUSE_RISK, aux=paused)

    @rule(account=accounts, cap=st.sampled_from((0, 300, 4_000)), lifetime=st.integers(1, 20))
    def auto_top_up(self, account: int, cap: int, lifetime: int) -> None:
        """COLL-3."""
        self.send(
            CommandKind.AUTO_TOP_UP, account=account, amount_quote=cap,
            expiry_time_s=self.time_ns // NS + lifetime,
        )  # fmt: skip

    @rule(
        seconds=st.integers(1, 4), band=st.sampled_from((0, 20_000)), cap=st.sampled_from((0, 30)),
        fee=st.sampled_from((100, 500, 600)),
    )  # fmt: skip
    def announce(self, seconds: int, band: int, cap: int, fee: int) -> None:
        """PAR-1, PAR-2: limits and fees; a fee that rises is refused."""
        new = replace(SPEC, order_band_ppm=band, open_interest_lots_max=cap, fee_taker_ppm=fee)
        self.pair.announce(new, self.time_ns // NS + seconds, self.time_ns)

    @rule(account=accounts, amount=st.integers(-2_000, 2_000))
    def move(self, account: int, amount: int) -> None:
        self.send(CommandKind.MOVE_COLLATERAL, account=account, amount_quote=amount)

    @rule(account=accounts, amount=st.integers(1, 4_000))
    def withdraw(self, account: int, amount: int) -> None:
        self.send(CommandKind.WITHDRAW, account=account, amount_quote=amount)

    @rule(orders=st.lists(st.tuples(accounts, st.integers(0, 1), lots, prices), max_size=8))
    def auction(self, orders: list[tuple[int, int, int, int]]) -> None:
        """Collect, then clear at one price (AUC-1, AUC-2)."""
        self.send(CommandKind.SET_MARKET_STATE, aux=MarketState.AUCTION)
        for account, side, qty, price in orders:
            self.send(
                CommandKind.PLACE, account=account, side=side, qty_lots=qty, price_ticks=price,
                amount_quote=qty * price // 4,
            )  # fmt: skip
        self.send(CommandKind.SET_MARKET_STATE, aux=MarketState.OPEN)

    @rule(state=st.sampled_from((*MarketState, *[MarketState.OPEN] * 5)))
    def set_state(self, state: MarketState) -> None:
        self.send(CommandKind.SET_MARKET_STATE, aux=state)

    @rule(account=accounts, frozen=st.integers(0, 1))
    def freeze(self, account: int, frozen: int) -> None:
        self.send(CommandKind.SETTLEMENT_REJECTED, account=account, aux=frozen)

    @invariant()
    def no_free_balance_is_negative(self) -> None:
        """INV-6: no loss reaches what is not in the position."""
        assert min(self.pair.model.free.values()) >= 0


# A run is 50 steps, so the everyday profiles get fewer of them; `make soak` all that it asks for.
PROFILE = settings.get_current_profile_name()
EXAMPLES = settings.get_profile(PROFILE).max_examples
Venue.TestCase.settings = settings(
    max_examples=EXAMPLES if PROFILE == "soak" else min(EXAMPLES, 60),
    stateful_step_count=50,
    deadline=None,
)
TestVenue = Venue.TestCase
