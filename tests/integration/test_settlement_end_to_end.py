"""Trades, a top-up, a withdrawal, liquidations and a takeover: chain and engine end up equal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bulkhead_signing import SigningKey
from matcher.client import AdminClient, Client, PublicClient, Side
from settlement.chain.anvil import find_anvil
from settlement.node import open_node
from settlement.reconciler import chain_state, compare, invariants
from tests.integration.settlement_support import ALICE, BOB, run, running_chain
from tests.integration.whole_venue import (
    Venue,
    engine_state,
    fund_position,
    quote_index,
    until,
    until_equal,
)

CAROL = SigningKey(b"\xc0" * 32)
DAVE = SigningKey(b"\xd0" * 32)
ERIN = SigningKey(b"\xe0" * 32)
DEPOSIT_QUOTE = 100_000_000
FUND_QUOTE = 50_000_000


@pytest.fixture(params=["anvil", "eth-tester"])
def venue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Venue]:
    pytest.importorskip("matcher.engine.engine", reason="the engine is not built: run make build")
    if request.param == "anvil" and find_anvil() is None:
        pytest.skip("anvil is not installed: run npm ci in settlement/contracts")
    with running_chain(tmp_path, request.param) as chain:
        running = Venue(chain, tmp_path)
        try:
            yield running
        finally:
            running.stop()


async def trade(venue: Venue, stack: AsyncExitStack) -> None:
    """Trade through all kinds of items and compare both sides."""
    chain = venue.chain
    public = await stack.enter_async_context(await PublicClient.connect(venue.matcher))
    admin = await stack.enter_async_context(
        await AdminClient.connect(venue.matcher, "development-admin-token")
    )
    await quote_index(public, chain, 60_000)
    clients = {
        "0x" + key.address.hex(): await stack.enter_async_context(
            await Client.connect(venue.matcher, chain.domain, key)
        )
        for key in (ALICE, BOB, CAROL, DAVE, ERIN)
    }
    alice, bob, carol, dave, erin = clients.values()

    async def is_credited() -> bool:
        return (await admin.status()).deposits_quote == 5 * DEPOSIT_QUOTE + FUND_QUOTE

    await until(is_credited, "the deposits in the engine")
    market = await public.market(1)
    ask = bob.orders.limit(market, Side.SELL, price_ticks=60_000, qty_lots=400, leverage=5)
    await bob.place_one(ask)
    for client, lots, margin in (
        (alice, 100, 6_000_000),
        (carol, 150, 1_500_000),
        (dave, 100, 1_000_000),
        (erin, 50, 500_000),
    ):
        order = client.orders.limit(
            market, Side.BUY, price_ticks=60_000, qty_lots=lots, margin_quote=margin
        )
        await client.place_one(order)
    assert (await alice.move_collateral(1, 500_000)).reject_reason == 0
    assert (await alice.withdraw(7_000_000)).reject_reason == 0
    await erin.set_auto_top_up(1, 5_000_000)
    bid = bob.orders.limit(market, Side.BUY, price_ticks=59_300, qty_lots=50, leverage=5)
    await bob.place_one(bid)

    await quote_index(public, chain, 59_300)  # carol: on the book; what is left: the fund

    async def are_liquidated() -> bool:
        return (
            (await carol.position(1)).position_lots == 0 == (await dave.position(1)).position_lots
        )

    await until(are_liquidated, "both liquidations")
    # TOPUP-1: as thin as dave, but her instruction has saved her.
    saved = await erin.position(1)
    assert saved.position_lots == 50
    assert saved.equity_quote == saved.initial_quote
    assert (await erin.balances()).free_quote < DEPOSIT_QUOTE - 500_000

    async with open_node(chain.rpc_url, chain.addresses) as node:

        async def differences() -> list[str]:
            state = await engine_state(clients, admin, await fund_position(chain, clients))
            return [str(line) for line in compare(state, await chain_state(node, state))]

        await until_equal(differences)
        assert await invariants(node) == []
    assert (await fund_position(chain, clients)).position_lots > 0
    token = chain.token.functions.balanceOf(chain.web3.to_checksum_address(ALICE.address))
    assert token.call() == 7_000_000


def test_chain_and_engine_end_up_equal(venue: Venue) -> None:
    venue.chain.fund_insurance(1, FUND_QUOTE)
    for key in (ALICE, BOB, CAROL, DAVE, ERIN):
        venue.chain.deposit(key.address, DEPOSIT_QUOTE)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await trade(venue, stack)

    asyncio.run(main())
    status, output = venue.reconcile()
    assert status == 0, output
    assert "12 accounts and positions, 0 differences" in output
    venue.chain.deposit(ALICE.address, 10**6)  # after the replay: the chain is ahead
    compared = run("reconcile", str(venue.folder / "state.json"), *venue.settlement)
    assert compared.returncode == 1
    assert f"account 0x{ALICE.address.hex()} free_quote: matcher" in compared.stdout
