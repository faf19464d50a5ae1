"""A market ends, and its positions are delivered: engine and chain end equal and flat (EXP-2)."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from matcher.client import MarketState, Side
from tests.integration.settlement_support import ALICE, BOB, CONFIG
from tests.integration.whole_venue import (
    FUND_ACCOUNT,
    Venue,
    enter,
    quote_index,
    running_venue,
    until,
)

DEPOSIT_QUOTE = 100_000_000
ENDS_AFTER_S = 45


def ending_config(folder: Path, expiry_time_s: int) -> Path:
    """Return the development configuration with an end for its first market."""
    age = "index_age_max_ms = 60_000\n"
    text = CONFIG.read_text().replace(age, f"{age}expiry_time_s = {expiry_time_s}\n", 1)
    path = folder / "ending.toml"
    path.write_text(text)
    return path


async def trade_until_the_end(venue: Venue, stack: AsyncExitStack, expiry_time_s: int) -> None:
    """Open two positions, let the market end, and wait until both sides have none."""
    chain = venue.chain
    public, _, (alice, bob) = await enter(venue, stack, (ALICE, BOB))
    market = await public.market(1)
    for client, side in ((bob, Side.SELL), (alice, Side.BUY)):
        order = client.orders.limit(
            market, side, price_ticks=60_000, qty_lots=100, margin_quote=6_000_000
        )
        await client.place_one(order)
    assert (await alice.position(1)).position_lots == 100
    assert time.time() < expiry_time_s, "too slow: the market ended before the trade"
    await asyncio.sleep(max(0, expiry_time_s + 1 - time.time()))
    await quote_index(public, chain, 60_600)

    async def is_delivered() -> bool:
        lots = [(await client.position(1)).position_lots for client in (alice, bob)]
        return lots == [0, 0]

    await until(is_delivered, "the deliveries in the engine")
    assert (await public.market(1)).state == MarketState.SETTLED
    balances = [(await client.balances()).free_quote for client in (alice, bob)]
    assert balances[0] > DEPOSIT_QUOTE > balances[1]

    async def is_on_chain() -> bool:
        call = chain.settlement.functions.account
        addresses = [chain.web3.to_checksum_address(key.address) for key in (ALICE, BOB)]
        return [call(address).call()[0] for address in addresses] == balances

    await until(is_on_chain, "the deliveries on chain")
    fund = chain.settlement.functions.position(1, FUND_ACCOUNT).call()
    assert fund[0] == 0


def test_a_market_ends_on_chain_as_in_the_engine(tmp_path: Path) -> None:
    """EXP-2: PARAMETERS are those of the listing; items 0e settle; nothing differs."""
    pytest.importorskip("matcher.engine.engine", reason="the engine is not built: run make build")
    expiry_time_s = int(time.time()) + ENDS_AFTER_S
    config = ending_config(tmp_path, expiry_time_s)
    with running_venue(tmp_path, config) as venue:
        for key in (ALICE, BOB):
            venue.chain.deposit(key.address, DEPOSIT_QUOTE)

        async def main() -> None:
            async with AsyncExitStack() as stack:
                await trade_until_the_end(venue, stack, expiry_time_s)

        asyncio.run(main())
        status, output = venue.reconcile()
        assert status == 0, output
