"""A matcher process with its configuration, and the chain's side of it, for the tests beside."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc

from bulkhead.matcher.v1 import chain_event_pb2, settlement_feed_service_pb2_grpc
from bulkhead.matcher.v1 import settlement_feed_service_pb2 as feed_pb2
from bulkhead_signing import Domain, IndexPrice, SigningKey
from matcher.client import AdminClient, Client, PublicClient, Side, TimeInForce

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from matcher.client import Order, SessionOptions

DOMAIN = Domain(31337, bytes.fromhex("bb" * 20))
ORACLE = SigningKey(b"\x11" * 32)
ADMIN_TOKEN = "test-admin-token"
ATTESTOR_TOKEN = "test-attestor-token"
READY_TIMEOUT_S = 30
MARKET_ID = 1
QUOTE = 1_000_000

CONFIG = f"""
[matcher]
listen = "127.0.0.1:0"
journal_dir = "journal"
journal_segment_bytes = 1_048_576
tick_interval_ms = 50
admin_token = "{ADMIN_TOKEN}"
attestor_token = "{ATTESTOR_TOKEN}"
oracle_signers = ["0x{ORACLE.address.hex()}"]
[matcher.domain]
chain_id = 31337
contract = "0x{"bb" * 20}"
[matcher.engine]
account_count_max = 8
position_count_max = 64
order_count_max = 4096
[matcher.limits]
account_events_kept_max = 4096
commands_per_request_max = 500
[[matcher.markets]]
market_id = {MARKET_ID}
symbol = "BTC-PERP"
price_tick_e9 = 1_000_000_000
qty_lot_e9 = 10_000
quote_per_tick_lot = 10
price_ticks_max = 1_000_000
position_lots_max = 100_000_000_000
fee_maker_ppm = 200
fee_taker_ppm = 500
fee_liquidation_ppm = 5_000
liquidation_buffer_ppm = 2_500
mark_band_ppm = 50_000
funding_cap_ppm = 750
funding_interval_s = 3_600
index_age_max_ms = 60_000
[[matcher.markets.tiers]]
notional_floor_quote = 0
margin_initial_ppm = 10_000
margin_maintenance_ppm = 5_000
"""


class Matcher:
    """A `bulkhead serve` process in a folder of its own."""

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        self.folder = folder
        self.target = ""
        self._process: subprocess.Popen[str] | None = None
        folder.mkdir(exist_ok=True)
        self.config_path = folder / "matcher.toml"
        self.config_path.write_text(config)

    def start(self) -> None:
        """Start, and wait for the line that says where it listens."""
        self._process = self.spawn()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert "listening on " in line, self.stderr()
        self.target = line.rpartition(" ")[2].strip()

    def spawn(self, *options: str) -> subprocess.Popen[str]:
        """Start a process without waiting."""
        command = [sys.executable, "-m", "matcher", "serve", "--config", str(self.config_path)]
        with (self.folder / "stderr.txt").open("w") as stderr:
            return subprocess.Popen(
                [*command, *options],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal and return its exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.communicate(timeout=READY_TIMEOUT_S)
        status = self._process.returncode
        self._process = None
        return status

    def end(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self.stop(signal.SIGKILL)

    def stderr(self) -> str:
        """Return what the process last started wrote to standard error."""
        return (self.folder / "stderr.txt").read_text()

    def replay(self, *options: str) -> dict[str, str]:
        """Run `bulkhead replay` on the journal; return what it prints, by the first word."""
        command = [sys.executable, "-m", "matcher", "replay", str(self.folder / "journal")]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return dict(line.split() for line in done.stdout.splitlines())

    async def client(self, key: SigningKey, options: SessionOptions | None = None) -> Client:
        """Log an account in."""
        return await Client.connect(self.target, DOMAIN, key, options=options)

    async def admin(self) -> AdminClient:
        """Connect as the operator."""
        return await AdminClient.connect(self.target, ADMIN_TOKEN)

    async def price(self, price_ticks: int, key: SigningKey = ORACLE) -> list[Any]:
        """Submit an index price of now; return the reasons."""
        async with await PublicClient.connect(self.target) as public:
            price = IndexPrice(MARKET_ID, price_ticks, time.time_ns() // 1_000_000)
            return await public.submit_index_prices(DOMAIN, key, [price])

    @asynccontextmanager
    async def feed(
        self,
    ) -> AsyncIterator[settlement_feed_service_pb2_grpc.SettlementFeedServiceStub]:
        """Connect as an attestor; the token goes with each call as `BEARER`."""
        async with grpc.aio.insecure_channel(self.target) as channel:
            yield settlement_feed_service_pb2_grpc.SettlementFeedServiceStub(channel)

    async def deposit(self, first_seq: int, accounts: Iterable[bytes], amount_quote: int) -> Any:
        """Report deposits as an attestor does."""
        request = feed_pb2.ReportChainEventsRequest(
            deposits=[
                chain_event_pb2.ChainDeposit(
                    deposit_seq=seq, account=account, amount_quote=amount_quote, tx_hash=bytes(32)
                )
                for seq, account in enumerate(accounts, first_seq)
            ]
        )
        async with self.feed() as stub:
            return await stub.ReportChainEvents(request, metadata=BEARER)

    async def items(self, from_seq: int, until_seq: int) -> tuple[list[Any], list[Any]]:
        """Return the orders and the settlement items from_seq … until_seq."""
        orders: list[Any] = []
        items: list[Any] = []
        async with self.feed() as stub:
            request = feed_pb2.StreamItemsRequest(from_item_seq=from_seq)
            call = stub.StreamItems(request, metadata=BEARER)
            async for response in call:
                orders += response.orders
                items += response.items
                if items[-1].item_seq >= until_seq:
                    break
            call.cancel()
        return orders, [item for item in items if item.item_seq <= until_seq]


BEARER = (("authorization", f"Bearer {ATTESTOR_TOKEN}"),)


async def limit_order(
    client: Client,
    side: Side,
    price_ticks: int,
    qty_lots: int,
    *,
    is_resting: bool = True,
) -> Order:
    """Return an order with ten times leverage."""
    market = await client.market(MARKET_ID)
    return client.orders.limit(
        market,
        side,
        price_ticks=price_ticks,
        qty_lots=qty_lots,
        leverage=10,
        time_in_force=TimeInForce.GTC if is_resting else TimeInForce.IOC,
    )
