"""Trades, a top-up, a withdrawal, liquidations and a takeover: chain and engine end up equal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bulkhead_signing import IndexPrice, SigningKey
from matcher.client import AdminClient, Client, PublicClient, Side
from settlement.chain.anvil import find_anvil
from settlement.node import open_node
from settlement.reconciler import (
    MarketRecord,
    PositionRecord,
    VenueState,
    chain_state,
    compare,
    invariants,
)
from tests.integration.settlement_support import (
    ALICE,
    BOB,
    CONFIG,
    ORACLE,
    Chain,
    Process,
    run,
    running_chain,
)

CAROL = SigningKey(b"\xc0" * 32)
DAVE = SigningKey(b"\xd0" * 32)
DEPOSIT_QUOTE = 100_000_000
FUND_QUOTE = 50_000_000
FUND_ACCOUNT = "0x" + "00" * 19 + "01"
WAIT_S = 30


class Venue:
    """The processes of a whole venue, and where they listen."""

    def __init__(self, chain: Chain, folder: Path) -> None:
        self.chain = chain
        self.folder = folder
        self._running: list[Process] = []
        common = ["--config", str(CONFIG)]
        self.settlement = settlement = [
            *common, "--rpc-url", chain.rpc_url, "--addresses", str(folder / "addresses.json")
        ]  # fmt: skip
        self.matcher = self._start(
            "serve", *common, "--listen", "127.0.0.1:0", "--journal-dir", str(folder / "journal"),
            "--contract", chain.addresses.settlement, module="matcher",
        ).split()[-1]  # fmt: skip
        attestor = self._start(
            "attest", *settlement, "--matcher", self.matcher, "--listen", "127.0.0.1:0",
            "--outbox", f"sqlite:///{folder / 'outbox.sqlite3'}",
        ).split()[2]  # fmt: skip
        self._start("relay", *settlement, "--attestor", attestor)

    def _start(self, *arguments: str, module: str = "settlement.cli") -> str:
        process = Process(*arguments, module=module)
        self._running.append(process)
        return process.ready()

    def reconcile(self) -> tuple[int, str]:
        """Replay the journal into a state file; return status and output of the comparison."""
        journal, state = str(self.folder / "journal"), str(self.folder / "state.json")
        replayed = run("replay", journal, "--state", state, module="matcher")
        assert replayed.returncode == 0, replayed.stderr
        compared = run("reconcile", state, *self.settlement)
        return compared.returncode, compared.stdout + compared.stderr

    def stop(self) -> None:
        """End everything, the last started first."""
        assert [process.stop() for process in reversed(self._running)] == [0] * len(self._running)


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


async def quote_index(public: PublicClient, chain: Chain, ticks: int) -> None:
    """Hand in an index price until it is taken: two prices of one millisecond are stale."""
    price = IndexPrice(market_id=1, price_ticks=ticks, time_ms=time.time_ns() // 10**6)
    assert await public.submit_index_prices(chain.domain, ORACLE, [price]) == [0]


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for an awaitable condition; fail after a time."""
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.1)


async def engine_state(
    clients: dict[str, Client], admin: AdminClient, fund: PositionRecord
) -> VenueState:
    """Return what the engine says of every account; the fund's position is the caller's sum."""
    free, positions = {}, [fund]
    for account, client in clients.items():
        free[account] = (await client.balances()).free_quote
        found = await client.position(1)
        positions.append(
            PositionRecord(
                account=account,
                market_id=1,
                position_lots=found.position_lots,
                entry_value_quote=found.entry_value_quote,
                collateral_quote=found.collateral_quote,
                funding_index_e6=found.funding_index_e6,
            )
        )
    status = await admin.status()
    markets = [
        MarketRecord(market_id=market.market_id, funding_index_e6=0, funding_pool_quote=0)
        for market in await admin.markets()
    ]
    return VenueState(
        free_quote=free,
        positions=positions,
        markets=markets,
        fees_quote=status.fees_quote,
        custody_quote=status.deposits_quote - status.withdrawals_quote,
    )


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
        for key in (ALICE, BOB, CAROL, DAVE)
    }
    alice, bob, carol, dave = clients.values()

    async def is_credited() -> bool:
        return (await admin.status()).deposits_quote == 4 * DEPOSIT_QUOTE + FUND_QUOTE

    await until(is_credited, "the deposits in the engine")
    market = await public.market(1)
    ask = bob.orders.limit(market, Side.SELL, price_ticks=60_000, qty_lots=400, leverage=5)
    await bob.place_one(ask)
    for client, lots, margin in (
        (alice, 100, 6_000_000),
        (carol, 150, 1_500_000),
        (dave, 100, 1_000_000),
    ):
        order = client.orders.limit(
            market, Side.BUY, price_ticks=60_000, qty_lots=lots, margin_quote=margin
        )
        await client.place_one(order)
    assert (await alice.move_collateral(1, 500_000)).reject_reason == 0
    assert (await alice.withdraw(7_000_000)).reject_reason == 0
    bid = bob.orders.limit(market, Side.BUY, price_ticks=59_300, qty_lots=50, leverage=5)
    await bob.place_one(bid)

    await quote_index(public, chain, 59_300)  # carol: on the book; what is left: the fund

    async def are_liquidated() -> bool:
        return (
            (await carol.position(1)).position_lots == 0 == (await dave.position(1)).position_lots
        )

    await until(are_liquidated, "both liquidations")

    async with open_node(chain.rpc_url, chain.addresses) as node:

        async def differences() -> list[str]:
            state = await engine_state(clients, admin, await fund_position(chain, clients))
            return [str(line) for line in compare(state, await chain_state(node, state))]

        await until_equal(differences)
        assert await invariants(node) == []
    assert (await fund_position(chain, clients)).position_lots > 0
    token = chain.token.functions.balanceOf(chain.web3.to_checksum_address(ALICE.address))
    assert token.call() == 7_000_000


async def fund_position(chain: Chain, clients: dict[str, Client]) -> PositionRecord:
    """Return the fund's position: the engine's lots are what the others lack (CONS-2)."""
    lots = [(await client.position(1)).position_lots for client in clients.values()]
    on_chain = chain.settlement.functions.position(1, FUND_ACCOUNT).call()
    return PositionRecord(
        account=FUND_ACCOUNT,
        market_id=1,
        position_lots=-sum(lots),
        entry_value_quote=on_chain[1],
        collateral_quote=on_chain[2],
        funding_index_e6=on_chain[3],
    )


async def until_equal(differences: Callable[[], Awaitable[list[str]]]) -> None:
    """Wait until nothing differs; fail with what still does."""
    deadline = time.monotonic() + WAIT_S
    while lines := await differences():
        assert time.monotonic() < deadline, lines
        await asyncio.sleep(0.2)


def test_chain_and_engine_end_up_equal(venue: Venue) -> None:
    venue.chain.fund_insurance(1, FUND_QUOTE)
    for key in (ALICE, BOB, CAROL, DAVE):
        venue.chain.deposit(key.address, DEPOSIT_QUOTE)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await trade(venue, stack)

    asyncio.run(main())
    status, output = venue.reconcile()
    assert status == 0, output
    assert "9 accounts and positions, 0 differences" in output
    venue.chain.deposit(ALICE.address, 1)  # after the replay: the chain is one unit ahead
    compared = run("reconcile", str(venue.folder / "state.json"), *venue.settlement)
    assert compared.returncode == 1
    assert f"account 0x{ALICE.address.hex()} free_quote: matcher" in compared.stdout
