"""Starts settlement's processes for tests, and makes signed orders and feed items by hand."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import HTTPProvider, Web3

from bulkhead_signing import Domain, IndexPrice, Order, SigningKey
from settlement.artifacts import load_artifact
from settlement.batch.items import Fill, PriceRow, SignedOrder
from settlement.keys import dev_secret
from settlement.node import Addresses, read_addresses

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy/config/dev.toml"
READY_TIMEOUT_S = 30
NEVER_S = 2**39

ATTESTOR = SigningKey(dev_secret(1))
ORACLE = SigningKey(dev_secret(3))
PAYER_SECRET = dev_secret(9)
ALICE = SigningKey(b"\xa1" * 32)
BOB = SigningKey(b"\xb0" * 32)


class Process:
    """A `bulkhead` command that runs; its lines can be waited for."""

    def __init__(self, *arguments: str, module: str = "settlement.cli") -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=_environment(),
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self._lines.put(line.rstrip())
        self._lines.put(None)

    def ready(self) -> str:
        """Return the ready line, or fail with what the process said."""
        try:
            line = self._lines.get(timeout=READY_TIMEOUT_S)
        except queue.Empty:
            raise AssertionError("no ready line") from None
        if line is None:
            assert self.child.stderr is not None
            raise AssertionError(f"ended early: {self.child.stderr.read()}")
        return line

    def stop(self) -> int:
        """End it like Ctrl-C does and return its status."""
        if self.child.poll() is None:
            self.child.terminate()
        status = self.child.wait(READY_TIMEOUT_S)
        for stream in (self.child.stdout, self.child.stderr):
            assert stream is not None
            stream.close()
        return status

    def end(self) -> tuple[int, str]:
        """Wait until it ends by itself; return its status and its last line of errors."""
        status = self.child.wait(READY_TIMEOUT_S)
        assert self.child.stderr is not None
        return status, self.child.stderr.read().splitlines()[-1]

    def kill(self) -> None:
        """End it without a chance to clean up."""
        self.child.kill()
        self.child.wait()


def run(*arguments: str, module: str = "settlement.cli") -> subprocess.CompletedProcess[str]:
    """Run a `bulkhead` command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env=_environment(),
        timeout=READY_TIMEOUT_S,
    )  # fmt: skip


def _environment() -> dict[str, str]:
    path = os.pathsep.join(map(str, (ROOT, ROOT / "proto", ROOT / "proto/gen")))
    return {**os.environ, "PYTHONPATH": path}


class Chain:
    """An embedded chain as a client sees it."""

    def __init__(self, rpc_url: str, addresses: Addresses) -> None:
        self.rpc_url = rpc_url
        self.addresses = addresses
        self.web3 = Web3(HTTPProvider(rpc_url))
        self.settlement: Any = self._contract("Settlement", addresses.settlement)
        self.token: Any = self._contract("TestToken", addresses.token)
        self.domain = Domain(addresses.chain_id, addresses.settlement_bytes)

    def _contract(self, name: str, address: str) -> Any:
        checksummed = self.web3.to_checksum_address(address)
        return self.web3.eth.contract(address=checksummed, abi=load_artifact(name).abi)

    def send(self, secret: bytes, to: str, data: str, gas: int = 3_000_000) -> Any:
        """Send a transaction and return its receipt."""
        account = Account.from_key(secret)
        transaction = {
            "chainId": self.addresses.chain_id,
            "nonce": self.web3.eth.get_transaction_count(account.address),
            "to": to,
            "data": data,
            "value": 0,
            "gas": gas,
            "maxFeePerGas": 50 * 10**9,
            "maxPriorityFeePerGas": 10**9,
        }
        signed = account.sign_transaction(transaction)
        tx_hash = self.web3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = self.web3.eth.wait_for_transaction_receipt(tx_hash, poll_latency=0.02)
        assert receipt["status"] == 1
        return receipt

    def deposit(self, account: bytes, amount_quote: int) -> None:
        """Deposit test tokens for an account; a funded development key pays."""
        self._approve(amount_quote)
        to = self.web3.to_checksum_address(account)
        data = self.settlement.encode_abi("depositFor", [to, amount_quote])
        self.send(PAYER_SECRET, self.settlement.address, data)

    def fund_insurance(self, market_id: int, amount_quote: int) -> None:
        """Give test tokens to the insurance fund of a market, when a batch serves that."""
        self._approve(amount_quote)
        data = self.settlement.encode_abi("fundInsurance", [market_id, amount_quote])
        self.send(PAYER_SECRET, self.settlement.address, data)

    def _approve(self, amount_quote: int) -> None:
        payer = Account.from_key(PAYER_SECRET).address
        spender = self.settlement.address
        for name, to in (("mint", payer), ("approve", spender)):
            data = self.token.encode_abi(name, [to, amount_quote])
            self.send(PAYER_SECRET, self.token.address, data)

    def events(self, name: str, receipt: Any) -> list[dict[str, Any]]:
        """Return the arguments of a receipt's events of one name."""
        from web3.logs import DISCARD

        found = self.settlement.events[name]().process_receipt(receipt, errors=DISCARD)
        return [dict(event["args"]) for event in found]


@contextmanager
def running_chain(
    tmp_path: Path, backend: str, port: int = 0, config: Path = CONFIG
) -> Iterator[Chain]:
    """Run `bulkhead chain`; port 0: any free one."""
    addresses = tmp_path / "addresses.json"
    process = Process(
        "chain", "--config", str(config), "--backend", backend, "--port", str(port),
        "--addresses", str(addresses),
    )  # fmt: skip
    try:
        line = process.ready()
        assert line.startswith(f"chain ready: {backend} http://")
        yield Chain(line.split()[3], read_addresses(addresses))
    finally:
        assert process.stop() == 0


def signed_order(
    domain: Domain, key: SigningKey, *, order_id: int, side: int, price_ticks: int = 60_000
) -> SignedOrder:
    """Return an order over 100 lots of market 1 with a margin of 6 tokens."""
    order = Order(
        account=key.address, market_id=1, side=side, time_in_force=0, is_post_only=False,
        is_reduce_only=False, price_ticks=price_ticks, qty_lots=100, margin_quote=6_000_000,
        fee_ppm_max=500, trigger_kind=0, trigger_price_ticks=0, nonce=order_id,
        expiry_time_s=NEVER_S,
    )  # fmt: skip
    signature = key.sign(domain.digest(order))
    return SignedOrder(order_id=order_id, signature=signature, **order._asdict())


def price_row(domain: Domain, *, item_seq: int, time_ns: int, ticks: int = 60_000) -> PriceRow:
    """Return a price row that the development oracle has signed; the mark is the index."""
    price = IndexPrice(market_id=1, price_ticks=ticks, time_ms=time_ns // 10**6)
    return PriceRow(
        item_seq=item_seq,
        time_ns=time_ns,
        market_id=1,
        index_price_ticks=ticks,
        mark_price_ticks=ticks,
        index_time_ms=price.time_ms,
        signature=ORACLE.sign(domain.digest(price)),
    )


def fill(*, item_seq: int, time_ns: int, qty_lots: int) -> Fill:
    """Return a fill of order 1 (taker) with order 2 (maker)."""
    return Fill(
        item_seq=item_seq, time_ns=time_ns, taker_order_id=1, maker_order_id=2, qty_lots=qty_lots
    )


def eventually(condition: Any, what: str, timeout_s: float = 30) -> Any:
    """Return the first true value of a condition; fail after a time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)
