"""A real matcher in a process of its own, for the client's tests: started, stopped, restarted."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Self

import grpc

from bulkhead.matcher.v1 import (
    chain_event_pb2,
    settlement_feed_service_pb2,
    settlement_feed_service_pb2_grpc,
)
from bulkhead_signing import Domain, IndexPrice, SigningKey
from matcher.client import AdminClient, Market
from tests.unit.client.builders import market

ADMIN_TOKEN = "the-operators-token"
ATTESTOR_TOKEN = "the-attestors-token"
DOMAIN = Domain(31337, b"\x11" * 20)
ORACLE = SigningKey(b"\x09" * 32)
ALICE, BOB = SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)
DEPOSIT_QUOTE = 10**12
INDEX_PRICE_TICKS = 600_000


class MatcherProcess:
    """`bulkhead serve` on a free port of the loopback; a restart keeps port and journal."""

    def __init__(self, directory: Path) -> None:
        """Keep configuration and journal in a directory."""
        self.target = "127.0.0.1:0"
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and return when calls are answered."""
        config = self._directory / "matcher.toml"
        config.write_text(
            f"""[matcher]
listen = "{self.target}"
journal_dir = "{self._directory / "journal"}"
journal_segment_bytes = {1 << 20}
admin_token = "{ADMIN_TOKEN}"
attestor_token = "{ATTESTOR_TOKEN}"
oracle_signers = ["0x{ORACLE.address.hex()}"]
domain = {{ chain_id = {DOMAIN.chain_id}, contract = "0x{DOMAIN.contract.hex()}" }}
engine = {{ account_count_max = 64, position_count_max = 64, order_count_max = 4096 }}
""",
            encoding="utf-8",
        )
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "matcher", "serve", "--config", config,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            line = b"-"
            while line and not line.startswith(b"matcher: listening on "):
                line = await self._process.stdout.readline()
        assert line, "the matcher has ended before it listened"
        self.target = line.decode().split()[-1]

    async def stop(self) -> None:
        """End it in order, and wait."""
        assert self._process is not None
        self._process.terminate()
        async with asyncio.timeout(30):
            assert await self._process.wait() == 0

    async def report_deposits(self) -> None:
        """Credit both accounts and the market's fund, as an attestor does."""
        deposits = [
            chain_event_pb2.ChainDeposit(
                deposit_seq=seq, amount_quote=DEPOSIT_QUOTE, block_number=1, tx_hash=bytes(32),
                account=key.address,
            )
            for seq, key in enumerate((ALICE, BOB), 1)
        ]  # fmt: skip
        async with grpc.aio.insecure_channel(self.target) as channel:
            feed = settlement_feed_service_pb2_grpc.SettlementFeedServiceStub(channel)
            await feed.ReportChainEvents(
                settlement_feed_service_pb2.ReportChainEventsRequest(deposits=deposits),
                metadata=(("authorization", f"Bearer {ATTESTOR_TOKEN}"),),
            )


@contextlib.asynccontextmanager
async def open_venue(directory: Path) -> AsyncIterator[tuple[MatcherProcess, Market]]:
    """Run a matcher with one market that has a price, and two accounts with money."""
    process = MatcherProcess(directory)
    await process.start()
    try:
        async with await AdminClient.connect(process.target, ADMIN_TOKEN) as admin:
            listed = market()
            await admin.list_market(listed.spec, listed.display)
            price = IndexPrice(1, INDEX_PRICE_TICKS, time.time_ns() // 1_000_000)
            assert await admin.submit_index_prices(DOMAIN, ORACLE, [price]) == [0]
            await process.report_deposits()
            yield process, await admin.market("BTC-PERP")
    finally:
        await process.stop()


Scenario = Callable[[MatcherProcess, Market], Awaitable[None]]


def with_matcher(scenario: Scenario) -> Callable[[Path], None]:
    """Run a scenario in an event loop of its own, beside a matcher of its own."""

    async def run(directory: Path) -> None:
        async with asyncio.timeout(60), open_venue(directory) as (process, listed):
            await scenario(process, listed)

    @functools.wraps(scenario)
    def test(tmp_path: Path) -> None:
        asyncio.run(run(tmp_path))

    del test.__wrapped__  # pytest reads the signature: it asks for tmp_path only
    return test


class Line:
    """A TCP relay to a matcher, which can be cut. Use `async with`."""

    def __init__(self, target: str) -> None:
        """Lead to `host:port`."""
        self.target = ""
        self._far = target.rsplit(":", 1)
        self._ends: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        """Listen on a free port of the loopback."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.target = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cut it, and listen no more."""
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset all connections; new ones are taken."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._far)
        except ConnectionError:  # nobody listens there now
            writer.close()
            return
        self._ends += [writer, far_writer]

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(1 << 16):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
