"""Three index sources: rows need a quorum of them, and settle with all their signatures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bulkhead_signing import IndexPrice, SigningKey
from matcher.client import AdminClient, Client, PublicClient, RejectedError, Side
from settlement.chain.anvil import find_anvil
from tests.integration.settlement_support import (
    ALICE,
    BOB,
    CONFIG,
    Chain,
    eventually,
    running_chain,
)
from tests.integration.whole_venue import Venue, until

SOURCES = [SigningKey(bytes([number]) * 32) for number in (0x31, 0x32, 0x33)]
DEPOSIT_QUOTE = 100_000_000


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    pytest.importorskip("matcher.engine.engine", reason="the engine is not built: run make build")
    if find_anvil() is None:
        pytest.skip("anvil is not installed: run npm ci in settlement/contracts")
    config = tmp_path / "quorum.toml"
    text = CONFIG.read_text()
    one = 'oracle_signers = ["0x90F79bf6EB2c4f870365E785982E1f101E93b906"]'
    assert one in text
    signers = ", ".join(f'"0x{key.address.hex()}"' for key in SOURCES)
    text = text.replace(one, f"oracle_signers = [{signers}]")
    text = text.replace("[matcher.engine]", "[matcher.oracle]\nquorum = 3\n\n[matcher.engine]", 1)
    config.write_text(text)
    with running_chain(tmp_path, "anvil", config=config) as chain:
        running = Venue(chain, tmp_path, config)
        try:
            yield running
        finally:
            running.stop()


def test_a_row_of_three_sources_settles(venue: Venue) -> None:
    """ORA-2: two are too few; the median of three holds, and the chain checks all of them."""
    chain = venue.chain
    for key in (ALICE, BOB):
        chain.deposit(key.address, DEPOSIT_QUOTE)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await trade(venue, stack)

    asyncio.run(main())
    status, output = venue.reconcile()
    assert status == 0, output


async def trade(venue: Venue, stack: AsyncExitStack) -> None:
    chain = venue.chain
    public = await stack.enter_async_context(await PublicClient.connect(venue.matcher))
    admin = await stack.enter_async_context(
        await AdminClient.connect(venue.matcher, "development-admin-token")
    )
    alice, bob = [
        await stack.enter_async_context(await Client.connect(venue.matcher, chain.domain, key))
        for key in (ALICE, BOB)
    ]

    async def is_credited() -> bool:
        return (await admin.status()).deposits_quote == 2 * DEPOSIT_QUOTE

    await until(is_credited, "the deposits in the engine")
    market = await public.market(1)
    time_ms = time.time_ns() // 10**6
    for key, ticks in zip(SOURCES[:2], (60_010, 59_990), strict=True):
        price = IndexPrice(1, ticks, time_ms)
        assert await public.submit_index_prices(chain.domain, key, [price]) == [0]
    ask = bob.orders.limit(market, Side.SELL, price_ticks=60_000, qty_lots=50, leverage=5)
    with pytest.raises(RejectedError, match="NO_PRICE"):
        await bob.place_one(ask)
    price = IndexPrice(1, 60_000, time_ms)
    assert await public.submit_index_prices(chain.domain, SOURCES[2], [price]) == [0]
    for client, side in ((bob, Side.SELL), (alice, Side.BUY)):
        order = client.orders.limit(market, side, price_ticks=60_000, qty_lots=50, leverage=5)
        await client.place_one(order)
    await asyncio.to_thread(eventually, lambda: lots(chain) == 50, "the fill on chain")
    state = chain.settlement.functions.market(1).call()[0]
    assert state[0] == 60_000


def lots(chain: Chain) -> int:
    address = chain.web3.to_checksum_address(ALICE.address)
    return int(chain.settlement.functions.position(1, address).call()[0])
