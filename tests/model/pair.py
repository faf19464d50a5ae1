"""The engine and the slow model side by side: fed alike, compared after each command."""

from __future__ import annotations

from collections import Counter
from random import Random

from margin_core import MarketSpec
from matcher.engine.commands import Command, group
from matcher.engine.engine import Engine
from matcher.engine.events import Event, EventKind, unpack
from matcher.engine.reject_reason import RejectReason
from tests.model.exchange import Exchange
from tests.model.features import features_of
from tests.model.floor import Seen
from tests.model.margin import Bucket

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS
ORDER_MAX = 60
ORDER_EVENTS = {
    "ORDER_ACCEPTED", "ORDER_CANCELED", "ORDER_TRIGGERED", "ORDER_AMENDED", "ORDER_REPLENISHED",
    "ORDER_REPRICED",
}  # fmt: skip
FILLS = {"FILL", "LIQUIDATION_FILL", "FUND_FILL"}


class Pair:
    """The engine and the model, fed alike and compared after each command."""

    def __init__(self, specs: list[MarketSpec], accounts: int, order_max: int = ORDER_MAX) -> None:
        self.engine = Engine(
            account_count_max=accounts,
            position_count_max=(accounts + 1) * len(specs),
            order_count_max=order_max,
        )
        self.model = Exchange(order_max)
        self.specs = specs
        self.order_max = order_max
        self.last_id = 0
        # Every buffer of records that the engine got, and what was announced between them.
        self.sent: list[bytes | tuple[MarketSpec, int, int]] = []
        self.seen: Counter[str] = Counter()  # events with their reasons; features of orders
        self.asked: dict[
            tuple[int, int], list[str]
        ] = {}  # of accepted orders, by account and nonce
        for spec in specs:
            self.engine.list_market(spec, START_NS)
            self.model.list_market(spec)
        for _ in range(accounts):
            self.engine.register_account()
            self.model.register_account()

    def named(self, e: Event) -> Seen:
        """Put nonces in the place of order ids, which the model does not know."""
        kind = EventKind(e.kind).name
        if kind == "ORDER_ACCEPTED":
            assert e.order_id >> 28 > self.last_id >> 28, "ids ascend and are never used again"
            self.last_id = e.order_id
            self.model.names[e.order_id] = (e.account, e.order_id_2)
        nonce, nonce_2 = e.order_id_2, 0
        if kind in ORDER_EVENTS:
            assert self.model.names[e.order_id] == (e.account, e.order_id_2)
        if kind in FILLS:
            nonce = self.model.names[e.order_id][1]
            nonce_2 = self.model.names[e.order_id_2][1] if e.order_id_2 else 0
        return Seen(
            kind, e.market_id, e.account, e.account_2, e.side, RejectReason(e.reason).name,
            nonce, nonce_2, e.price_ticks, e.qty_lots, e.remaining_lots,
            e.amount_quote, e.amount_2_quote, e.flags,
        )  # fmt: skip

    def apply(self, command: Command) -> list[Seen]:
        found = self.feed(command.records())
        return self.judge([command], found, self.model.apply(command))

    def feed(self, records: bytes) -> list[Seen]:
        self.sent.append(records)
        return [self.named(e) for e in unpack(self.engine.apply(records))]

    def one_of(self, account: int, rng: Random) -> list[int]:
        """Return the id of any of the account's live orders; nothing where it has none."""
        own = self.engine.open_orders(account)
        return [rng.choice(own)] if own else []

    def restore(self) -> None:
        """Put a restored engine in the place of the one that goes on."""
        state = self.engine.state_hash()
        self.engine = Engine.restore(b"".join(self.engine.snapshot()))
        assert self.engine.state_hash() == state

    def apply_group(self, commands: list[Command], time_ns: int) -> list[Seen]:
        found = self.feed(group(commands, time_ns))
        is_refused = any(e.reason == "GROUP_REJECTED" for e in found)
        self.seen["GROUP refused" if is_refused else "GROUP admitted"] += 1
        return self.judge(commands, found, self.model.apply_group(commands, time_ns))

    def judge(self, commands: list[Command], found: list[Seen], expected: list[Seen]) -> list[Seen]:
        assert found == expected, commands
        self.engine.check_invariants()
        self.compare(commands[0])
        self.count(commands, found)
        return found

    def announce(self, spec: MarketSpec, effective_time_s: int, time_ns: int) -> None:
        """PAR-1: compare the announcement; `apply` compares what follows from it."""
        self.sent.append((spec, effective_time_s, time_ns))
        made = self.engine.announce_parameters(spec, effective_time_s, time_ns)
        found = [self.named(e) for e in unpack(made)]
        assert found == self.model.announce(spec, effective_time_s, time_ns)
        self.engine.check_invariants()
        self.seen.update(f"{e.kind} {e.reason}" for e in found)

    def count(self, commands: list[Command], found: list[Seen]) -> None:
        """Count what happened, and to orders that ask for what."""
        orders = {(c.account, c.nonce): c for c in commands}
        for e in found:
            self.seen[f"{e.kind} {e.reason}"] += 1
            if e.kind == "ORDER_ACCEPTED":
                self.asked[e.account, e.nonce] = features_of(orders[e.account, e.nonce])
                self.seen.update(f"accepted {name}" for name in self.asked[e.account, e.nonce])
            if e.kind in FILLS:
                makes, takes = (e.account, e.nonce), (e.account_2, e.nonce_2)
                self.seen.update(f"makes {name}" for name in self.asked[makes])
                self.seen.update(f"takes {name}" for name in self.asked.get(takes, ()))

    def compare(self, command: Command) -> None:
        engine, model = self.engine, self.model
        assert engine.trial_steps == model.trial_steps, command  # TRIG-1
        for account in model.free:
            found = engine.free_quote(account), engine.reserved_quote(account)
            assert found == (model.free[account], model.reserved(account)), (account, command)
        for spec in self.specs:
            rules, market = model.venues[spec.market_id].rules, spec.market_id
            assert engine.spec(market) == rules.spec
            for account in model.free:
                p = model.positions.get((account, market), Bucket(0, 0, 0))
                q = engine.position(account, market)
                if q is not None and (q.position_lots or p.lots):
                    liquidation = rules.liquidation_price(p)
                    assert q[:10] == (
                        p.lots, p.value, p.margin, p.index, rules.owed(p), rules.equity(p),
                        rules.initial(p), rules.maintenance(p),
                        None if liquidation < 0 else liquidation, rules.bankruptcy_price(p),
                    ), (account, command)  # fmt: skip
                elif q is not None:
                    assert (q.entry_value_quote, q.collateral_quote) == (p.value, p.margin)
            self.compare_market(market)

    def compare_market(self, market: int) -> None:
        venue, m = self.model.venues[market], self.engine.market(market)
        assert (m.state, m.index_price_ticks, m.index_time_ms, m.mark_price_ticks) == (
            venue.state, venue.index_price, venue.index_ms, venue.rules.mark,
        )  # fmt: skip
        assert (m.funding_index_e6, m.funding_rate_ppm, m.funding_pool_quote) == (
            venue.rules.index, venue.rate, venue.pool,
        )  # fmt: skip
        assert m.pot_quote == self.model.pot(market) >= 0  # CONS-4
        due = venue.last_funding_s + venue.spec.funding_interval_s
        assert m.next_funding_time_ns == (due * NS if venue.last_funding_s else 0)
        assert m.grace_until_s == venue.grace_until_s
        assert m.fund_shares == venue.fund_shares
        assert m.open_interest_lots == self.model.open_interest(market)
        for side, found in enumerate(self.engine.book(market, ORDER_MAX)):
            levels: Counter[int] = Counter()
            queues: dict[int, list[tuple[int, int]]] = {}  # account and nonce, first in first out
            for o in self.model.book(market, side):
                levels[o.price] += o.visible
                queues.setdefault(o.price, []).append((o.key[0], o.c.nonce))
            assert found == list(levels.items())
            for price, queue in queues.items():
                ids = self.engine.queue(market, side, price)
                assert [self.model.names[order_id] for order_id in ids] == queue, price
        assert m.last_price_ticks == venue.last_price
        assert m.best_bid_ticks == max((p for p, _ in self.engine.book(market, 1)[0]), default=0)
