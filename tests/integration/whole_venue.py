"""A whole venue of processes on an embedded chain, and whether its two sides are equal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from bulkhead_signing import IndexPrice, SigningKey
from matcher.client import AdminClient, Client, PublicClient
from settlement.batch import decode_payload
from settlement.batch.payload import Payload
from settlement.chain.anvil import find_anvil
from settlement.reconciler import MarketRecord, PositionRecord, VenueState
from tests.integration.settlement_support import (
    CONFIG,
    ORACLE,
    Chain,
    Process,
    run,
    running_chain,
)

FUND_ACCOUNT = "0x" + "00" * 19 + "01"
WAIT_S = 30


class Venue:
    """The processes of a whole venue, and where they listen."""

    def __init__(self, chain: Chain, folder: Path, config: Path = CONFIG) -> None:
        self.chain = chain
        self.folder = folder
        self._running: list[Process] = []
        common = ["--config", str(config)]
        self.settlement = [
            *common, "--rpc-url", chain.rpc_url, "--addresses", str(folder / "addresses.json")
        ]  # fmt: skip
        self.matcher = self._start(
            "serve", *common, "--listen", "127.0.0.1:0", "--journal-dir", str(folder / "journal"),
            "--contract", chain.addresses.settlement, module="matcher",
        ).split()[-1]  # fmt: skip
        self.start_settlement()

    def start_settlement(self) -> None:
        """Start attestor and relayer; the attestor goes on where its outbox ends."""
        outbox = f"sqlite:///{self.folder / 'outbox.sqlite3'}"
        attestor = self._start(
            "attest", *self.settlement, "--matcher", self.matcher, "--listen", "127.0.0.1:0",
            "--outbox", outbox,
        ).split()[2]  # fmt: skip
        self._start("relay", *self.settlement, "--attestor", attestor)

    def take_last(self) -> Process:
        """Hand over the process that was started last; `stop` leaves it alone."""
        return self._running.pop()

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
        found = [process.stop() for process in reversed(self._running)]
        assert found == [0] * len(self._running)
        self._running.clear()


@contextmanager
def running_venue(folder: Path, config: Path = CONFIG) -> Iterator[Venue]:
    """Run a chain, on Anvil where it is installed, and a whole venue on it."""
    backend = "eth-tester" if find_anvil() is None else "anvil"
    with running_chain(folder, backend, config=config) as chain:
        venue = Venue(chain, folder, config)
        try:
            yield venue
        finally:
            venue.stop()


async def enter(
    venue: Venue, stack: AsyncExitStack, keys: Sequence[SigningKey]
) -> tuple[PublicClient, AdminClient, list[Client]]:
    """Quote 60,000, connect everybody, and wait until the engine has everybody's deposit."""
    public = await stack.enter_async_context(await PublicClient.connect(venue.matcher))
    admin = await stack.enter_async_context(
        await AdminClient.connect(venue.matcher, "development-admin-token")
    )
    await quote_index(public, venue.chain, 60_000)
    clients = [
        await stack.enter_async_context(
            await Client.connect(venue.matcher, venue.chain.domain, key)
        )
        for key in keys
    ]

    async def are_credited() -> bool:
        return all([(await client.balances()).free_quote > 0 for client in clients])

    await until(are_credited, "everybody's deposit in the engine")
    return public, admin, clients


def payloads_on_chain(chain: Chain) -> list[Payload]:
    """Return the payloads of all batches that have settled."""
    payloads = []
    for settled in chain.settlement.events.BatchSettled().get_logs(from_block=0):
        sent = chain.web3.eth.get_transaction(settled["transactionHash"])
        _, arguments = chain.settlement.decode_function_input(sent["input"])
        payloads.append(decode_payload(arguments["payload"]))
    return payloads


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
