"""What fills at other prices than the signed ones settles on the chain: auctions, slid orders."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bulkhead_signing import SigningKey
from matcher.client import AdminClient, Client, MarketState, Side, TimeInForce
from matcher.engine.instructions import FLAG_SLIDES, Instructions
from settlement.batch.payload import FillAtItem, LiquidationFillAtItem
from settlement.node import open_node
from settlement.reconciler import chain_state, compare, invariants
from tests.integration.settlement_support import ALICE, BOB, CONFIG
from tests.integration.whole_venue import (
    Venue,
    engine_state,
    enter,
    fund_position,
    payloads_on_chain,
    quote_index,
    running_venue,
    until,
    until_equal,
)

CAROL = SigningKey(b"\xc0" * 32)
DAVE = SigningKey(b"\xd0" * 32)
DEPOSIT_QUOTE = 100_000_000
FUND_QUOTE = 50_000_000


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    config = tmp_path / "bulkhead.toml"  # nobody waits for grace after an auction (MARK-3)
    config.write_text(CONFIG.read_text().replace("grace_s = 120", "grace_s = 0"))
    with running_venue(tmp_path, config) as running:
        yield running


async def auction(clients: list[Client], admin: AdminClient, market: Any) -> None:
    """Open the market by an auction that clears at 60,000: 100 lots to Alice, 100 to Dave."""
    alice, bob, _, dave = clients
    await admin.set_market_state(1, MarketState.AUCTION)
    for client, side, price_ticks, lots, margin in (
        (bob, Side.SELL, 59_900, 250, 30_000_000),
        (alice, Side.BUY, 60_100, 100, 6_000_000),
        (dave, Side.BUY, 60_000, 100, 1_000_000),
    ):
        order = client.orders.limit(
            market, side, price_ticks=price_ticks, qty_lots=lots, margin_quote=margin
        )
        assert (await client.place_one(order)).order_id
    await admin.set_market_state(1, MarketState.OPEN)
    assert (await alice.position(1)).position_lots == (await dave.position(1)).position_lots == 100


async def slide(clients: list[Client], market: Any) -> None:
    """Carol signs 60,300 and rests one tick below Bob's ask; Alice sells to her there."""
    alice, bob, carol, _ = clients
    (left,) = await bob.open_orders()
    await bob.cancel([left.order_id])
    ask = bob.orders.limit(
        market, Side.SELL, price_ticks=60_200, qty_lots=10, margin_quote=2_000_000
    )
    await bob.place_one(ask)
    bid = carol.orders.limit(
        market, Side.BUY, price_ticks=60_300, qty_lots=60, margin_quote=10_000_000,
        is_post_only=True,
    )  # fmt: skip
    await carol.place_one(carol.orders.instruct(bid, Instructions(flags=FLAG_SLIDES)))
    (resting,) = await carol.open_orders()
    assert resting.price_ticks == 60_199
    sell = alice.orders.limit(
        market, Side.SELL, price_ticks=60_000, qty_lots=20, is_reduce_only=True,
        time_in_force=TimeInForce.IOC,
    )  # fmt: skip
    await alice.place_one(sell)
    assert (await carol.position(1)).entry_value_quote == 60_199 * 20 * 10


async def run_venue(venue: Venue, stack: AsyncExitStack) -> None:
    chain = venue.chain
    keys = ALICE, BOB, CAROL, DAVE
    public, admin, everybody = await enter(venue, stack, keys)
    clients = {
        "0x" + key.address.hex(): client for key, client in zip(keys, everybody, strict=True)
    }
    market = await public.market(1)
    await auction(everybody, admin, market)
    await slide(everybody, market)
    await quote_index(public, chain, 59_000)  # Dave's liquidation meets the order that slid

    async def is_liquidated() -> bool:
        return (await everybody[3].position(1)).position_lots < 100

    await until(is_liquidated, "the liquidation")

    async with open_node(chain.rpc_url, chain.addresses) as node:

        async def differences() -> list[str]:
            state = await engine_state(clients, admin, await fund_position(chain, clients))
            return [str(line) for line in compare(state, await chain_state(node, state))]

        await until_equal(differences)
        assert await invariants(node) == []


def test_auctions_and_slid_orders_settle(venue: Venue) -> None:
    """BATCH-6, AUC-2, POST-1: three kinds of items, none refused."""
    venue.chain.fund_insurance(1, FUND_QUOTE)
    for key in (ALICE, BOB, CAROL, DAVE):
        venue.chain.deposit(key.address, DEPOSIT_QUOTE)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await run_venue(venue, stack)

    asyncio.run(main())
    items = [item for payload in payloads_on_chain(venue.chain) for item in payload.items]
    named = [item for item in items if isinstance(item, FillAtItem)]
    assert [(item.auction, item.lots, item.price_ticks) for item in named] == [
        (1, 100, 60_000), (1, 100, 60_000), (0, 20, 60_199),
    ]  # fmt: skip
    liquidations = [item for item in items if isinstance(item, LiquidationFillAtItem)]
    assert [item.price_ticks for item in liquidations] == [60_199]
    assert venue.chain.settlement.events.ItemRejected().get_logs(from_block=0) == []
    status, output = venue.reconcile()
    assert status == 0, output
