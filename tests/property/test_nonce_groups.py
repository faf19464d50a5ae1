"""Which nonces an account may use, near the limit of what is remembered: engine and model."""

from __future__ import annotations

import os
from collections import Counter
from random import Random
from typing import Any

import pytest

from matcher.engine.commands import NEVER_S, TIF_IOC, Command, CommandKind, RequestKind
from matcher.engine.engine import Engine
from matcher.engine.events import EventKind, unpack
from matcher.engine.reject_reason import RejectReason
from tests.model.exchange import Exchange
from tests.model.orders import GROUP, SPARSE_GROUPS_MAX
from tests.unit.engine.venue import NS, START_S, spec_of

FIRST_SEED = int(os.environ.get("BULKHEAD_SOAK_SEED", "0"))
SEEDS = range(FIRST_SEED, FIRST_SEED + 4)
STEPS = 1_500
ACCOUNTS = 2


class Clients:
    """Two accounts that place immediate orders without money, in any order of their nonces."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.engine = Engine(account_count_max=ACCOUNTS, position_count_max=9, order_count_max=99)
        self.model = Exchange(99)
        self.time_ns, self.deposits, self.seen = START_S * NS, 0, Counter[str]()
        self.top = [0] * (ACCOUNTS + 1)
        self.engine.list_market(spec_of(), self.time_ns)
        self.model.list_market(spec_of())
        for account in range(1, ACCOUNTS + 1):
            self.engine.register_account()
            self.model.register_account()
            self.do(CommandKind.DEPOSIT, account=account, amount_quote=9**9, nonce=account)
        self.do(CommandKind.PRICE, price_ticks=1_000, aux=self.time_ns // 10**6)

    def do(self, kind: CommandKind, **fields: Any) -> None:
        """Apply one command to both; the same comes of it."""
        form = {"market_id": 1, "time_ns": self.time_ns, "expiry_time_s": NEVER_S}
        command = Command(kind, **(form | fields))
        made = [(e.kind, e.reason) for e in self.model.apply(command)]
        found = unpack(self.engine.apply(command.records()))
        named = [(EventKind(e.kind).name, RejectReason(e.reason).name) for e in found]
        assert named == made, command
        self.seen.update(f"{kind} {reason}" for kind, reason in made)

    def order(self, account: int, nonce: int) -> None:
        self.top[account] = max(self.top[account], nonce)
        self.do(
            CommandKind.PLACE, account=account, nonce=nonce, qty_lots=1, price_ticks=1,
            time_in_force=TIF_IOC,
        )  # fmt: skip

    def step(self) -> None:
        rng = self.rng
        account = rng.randint(1, ACCOUNTS)
        top = self.top[account]
        near = top + rng.choice((1, 1, 1, rng.randint(2, 30), GROUP, GROUP * 3))
        nonce = rng.choice((near, near, near, rng.randint(0, top + 2 * GROUP)))
        what = rng.random()
        if what < 0.8:
            self.order(account, nonce)
        elif what < 0.9:
            self.time_ns += rng.choice((1, 20, 60, 100)) * NS
        elif what < 0.98:
            kind = rng.choice((CommandKind.WITHDRAW, CommandKind.AUTO_TOP_UP))
            self.do(kind, account=account, nonce=nonce, amount_quote=1)
        else:
            self.deposits += 1
            request = rng.choice((RequestKind.CANCEL_ALL, RequestKind.CANCEL))
            self.do(
                CommandKind.FORCED_REQUEST, account=account, flags=int(request), aux=nonce,
                amount_quote=rng.choice((0, 5)), nonce=self.deposits,
            )  # fmt: skip
        if rng.random() < 0.01:
            self.engine = Engine.restore(b"".join(self.engine.snapshot()))


@pytest.mark.parametrize("seed", SEEDS)
def test_engine_and_model_take_the_same_nonces(seed: int) -> None:
    """SIG-1, SIG-6: up and down, near and far, floors, time; all that sparse groups refuse."""
    clients = Clients(seed)
    for account in range(1, ACCOUNTS + 1):
        for k in range(SPARSE_GROUPS_MAX - clients.rng.randint(0, 40)):
            clients.order(account, GROUP * (k + 1) + clients.rng.randrange(GROUP))
    for _ in range(STEPS):
        clients.step()
    expected = {"ORDER_REJECTED CAPACITY", "COMMAND_REJECTED CAPACITY", "ORDER_REJECTED NONCE_USED"}
    assert expected <= set(clients.seen)
