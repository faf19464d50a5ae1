"""Cheap orders settle on the chain: a maker's ladder under one signature, and who takes from it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from matcher.client import Client, Market, NonceSource, OrderAccepted, Side, TimeInForce
from tests.integration.settlement_support import ALICE, BOB
from tests.integration.whole_venue import (
    Venue,
    enter,
    payloads_on_chain,
    running_venue,
    until,
)

DEPOSIT_QUOTE = 100_000_000
LEVELS = 5


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    with running_venue(tmp_path) as running:
        yield running


async def trade(alice: Client, bob: Client, market: Market) -> None:
    """Alice quotes a ladder; Bob takes with two orders of a tree, then with two that never rest."""
    ladder = [
        alice.orders.limit(market, Side.BUY, price_ticks=60_000 - k, qty_lots=10, leverage=5)
        for k in range(LEVELS)
    ]
    placed = await alice.place(ladder, in_bulk=True)
    assert all(isinstance(result, OrderAccepted) for result in placed), placed
    takers = [
        bob.orders.limit(market, Side.SELL, price_ticks=59_990, qty_lots=20, leverage=5)
        for _ in range(2)
    ]
    taken = await bob.place(takers, in_bulk=True)
    assert all(isinstance(result, OrderAccepted) for result in taken), taken
    bob.orders.taker_nonces = NonceSource.ascending()
    for _ in range(2):
        now = bob.orders.limit(
            market, Side.SELL, price_ticks=59_990, qty_lots=3, leverage=5,
            time_in_force=TimeInForce.IOC,
        )  # fmt: skip
        [result] = await bob.place([now])
        assert isinstance(result, OrderAccepted), result


async def run_venue(venue: Venue, stack: AsyncExitStack) -> None:
    chain = venue.chain
    public, _, (alice, bob) = await enter(venue, stack, (ALICE, BOB))
    bob_address = chain.web3.to_checksum_address(BOB.address)
    await trade(alice, bob, await public.market(1))

    async def is_settled() -> bool:
        word = chain.settlement.functions.position(1, bob_address).call()
        return bool(word[0] == -46)

    await until(is_settled, "the fills on chain")


def test_orders_of_a_tree_settle(venue: Venue) -> None:
    """SIG-4, SIG-5: two trees of two accounts, ascending nonces; nothing is refused."""
    for key in (ALICE, BOB):
        venue.chain.deposit(key.address, DEPOSIT_QUOTE)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await run_venue(venue, stack)

    asyncio.run(main())
    payloads = payloads_on_chain(venue.chain)
    assert sorted({row.height for payload in payloads for row in payload.roots}) == [1, 3]
    orders = [row for payload in payloads for row in payload.orders]
    assert sum(row.nonce >= 2**63 for row in orders) == 2
    assert all(row.siblings for row in orders if row.nonce < 2**63)
    assert venue.chain.settlement.events.ItemRejected().get_logs(from_block=0) == []
    status, output = venue.reconcile()
    assert status == 0, output
