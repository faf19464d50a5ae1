"""Attestor, relayers and watcher as processes, between a scripted matcher and a real chain."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3.types import RPCEndpoint

from settlement.batch.items import Tick
from settlement.chain.anvil import find_anvil
from settlement.keys import dev_secret
from tests.integration.scripted_matcher import ScriptedMatcher
from tests.integration.settlement_support import (
    ALICE,
    BOB,
    CONFIG,
    Chain,
    Process,
    eventually,
    fill,
    price_row,
    running_chain,
    signed_order,
)

DEPOSIT_QUOTE = 100_000_000


class World:
    """A chain, a scripted matcher, and the processes between them."""

    def __init__(self, chain: Chain, folder: Path) -> None:
        self.chain = chain
        self.matcher = ScriptedMatcher()
        self.folder = folder
        self.config = folder / "config.toml"
        text = CONFIG.read_text(encoding="utf-8")
        self.config.write_text(text.replace("replace_after_ms = 15_000", "replace_after_ms = 500"))
        self.attestor_target = ""
        self.item_seq = 0
        self.running: list[Process] = []

    def attest(self, outbox: str = "outbox.sqlite3", **overrides: str) -> Process:
        """Start an attestor; relayers started later ask it."""
        process = self.start(
            "attest", "--matcher", self.matcher.target, "--listen", "127.0.0.1:0",
            "--outbox", f"sqlite:///{self.folder / outbox}", **overrides,
        )  # fmt: skip
        self.attestor_target = process.ready().split()[2]
        return process

    def relay(self, **overrides: str) -> Process:
        """Start a relayer."""
        process = self.start("relay", "--attestor", self.attestor_target, **overrides)
        assert process.ready().startswith("relay ready: 0x")
        return process

    def start(self, command: str, *arguments: str, **overrides: str) -> Process:
        """Start a command on this world's chain."""
        options = [word for key, value in overrides.items() for word in (f"--{key}", value)]
        process = Process(
            command, "--config", str(self.config), "--rpc-url", self.chain.rpc_url,
            "--addresses", str(self.folder / "addresses.json"), *arguments, *options,
        )  # fmt: skip
        self.running.append(process)
        return process

    def trade(self, qty_lots: int) -> None:
        """Append a price, a fill of Alice with Bob, and the tick that closes their batch."""
        now_ns = time.time_ns()
        row = price_row(self.chain.domain, item_seq=self.item_seq + 1, time_ns=now_ns)
        match = fill(item_seq=self.item_seq + 2, time_ns=now_ns, qty_lots=qty_lots)
        self.matcher.append(row, match, Tick(item_seq=self.item_seq + 3, time_ns=now_ns + 10**9))
        self.item_seq += 3
        eventually(lambda: time.time_ns() > now_ns + 10**9, "the next second")

    def sequence(self) -> int:
        """Return the number of batches on chain."""
        return int(self.chain.settlement.functions.sequence().call())

    def digests(self, outbox: str) -> list[bytes]:
        """Return the digests of an outbox."""
        with sqlite3.connect(self.folder / outbox) as database:
            rows = database.execute("SELECT digest FROM batches ORDER BY batch_seq").fetchall()
        database.close()
        return [row[0] for row in rows]

    def close(self) -> None:
        """End everything."""
        for process in self.running:
            process.stop()
        self.matcher.stop()


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    backend = getattr(request, "param", "anvil" if find_anvil() else "eth-tester")
    if backend == "anvil" and find_anvil() is None:
        pytest.skip("anvil is not installed: run npm ci in settlement/contracts")
    with running_chain(tmp_path, backend) as chain:
        world = World(chain, tmp_path)
        for order_id, key in ((1, ALICE), (2, BOB)):
            world.matcher.orders[order_id] = signed_order(
                chain.domain, key, order_id=order_id, side=order_id - 1
            )
        try:
            yield world
        finally:
            world.close()


@pytest.mark.parametrize("world", ["anvil", "eth-tester"], indirect=True)
def test_deposits_and_batches_travel_the_whole_way_and_survive_kills(world: World) -> None:
    attestor = world.attest()
    relayer = world.relay()
    for key in (ALICE, BOB):
        world.chain.deposit(key.address, DEPOSIT_QUOTE)
    eventually(lambda: len(world.matcher.deposits) == 2, "both deposits reported")
    assert [(d.account, d.amount_quote) for d in world.matcher.deposits] == [
        (ALICE.address, DEPOSIT_QUOTE), (BOB.address, DEPOSIT_QUOTE)
    ]  # fmt: skip

    world.trade(10)
    eventually(lambda: len(world.matcher.receipts) == 1, "the first receipt")

    relayer.kill()
    world.trade(20)
    attestor.kill()
    world.trade(30)
    world.trade(41)  # two lots too many
    world.attest()
    world.relay()
    world.relay(key="dev:4")  # faster or slower: both are right
    eventually(lambda: len(world.matcher.receipts) == 4, "all receipts after the kills")

    assert world.sequence() == 4
    ranges = [(r.first_item_seq, r.last_item_seq) for r in world.matcher.receipts]
    assert ranges == [(1, 2), (3, 5), (6, 8), (9, 11)]
    refused = [(i.item_seq, i.reason) for r in world.matcher.receipts for i in r.rejected_items]
    assert refused == [(11, 16)]  # OVERFILL
    alice = world.chain.web3.to_checksum_address(ALICE.address)
    assert world.chain.settlement.functions.position(1, alice).call()[0] == 60
    states = {(p.batch_seq, p.state) for p in world.matcher.progress}
    assert {(1, 2), (1, 3)} <= states  # BATCHED, then SUBMITTED

    world.attest(outbox="rebuilt.sqlite3")
    eventually(lambda: len(world.digests("rebuilt.sqlite3")) == 4, "the rebuilt outbox")
    assert world.digests("rebuilt.sqlite3") == world.digests("outbox.sqlite3")


def test_what_cannot_work_is_said_in_one_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.attest()
    monkeypatch.setenv("POOR", "0x" + "77" * 32)
    one, other = (f"sqlite:///{world.folder / name}.sqlite3" for name in ("one", "other"))
    taken = world.attestor_target
    cases = {
        "relayer 0x.* has 0.000000 ether and needs .* send it": ("relay", "--key", "env:POOR"),
        "0x3C44.* is not an attestor of epoch 1": ("attest", "--key", "dev:2", "--outbox", other),
        f"cannot listen on {taken};": ("attest", "--listen", taken, "--outbox", one),
    }
    failing = {words: world.start(*arguments) for words, arguments in cases.items()}
    for words, process in failing.items():
        with pytest.raises(AssertionError, match=words) as caught:
            process.ready()
        assert str(caught.value).rstrip().count("\n") == 0
        assert process.stop() == 1


def test_an_outbox_of_another_deployment_is_refused(world: World) -> None:
    world.attest().stop()
    with sqlite3.connect(world.folder / "outbox.sqlite3") as database:
        database.execute("UPDATE identity SET deploy_block_hash = ?", (os.urandom(32),))
    database.close()
    with pytest.raises(AssertionError, match="belongs to another deployment"):
        world.attest()


def test_an_attestor_that_would_see_a_pause_too_late_is_refused(world: World) -> None:
    """GOV-4: the notice of the contract that is deployed counts."""
    text = world.config.read_text(encoding="utf-8")
    limits = "[settlement.chain.limits]\nrisk_pause_notice_s = 60\n[settlement.chain]"
    text = text.replace("[settlement.chain]", limits)
    world.config.write_text(text.replace("confirmation_count = 0", "confirmation_count = 30"))
    with pytest.raises(AssertionError, match="riskPauseNoticeS: expected at least 37 s"):
        world.attest()


def test_ready_is_said_after_the_first_contact(world: World) -> None:
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(text.replace("give_up_after_ms = 30_000", "give_up_after_ms = 200"))
    nobody = "127.0.0.1:1"
    for who, arguments in (
        ("matcher", ("attest", "--matcher", nobody, "--listen", "127.0.0.1:0")),
        ("attestor", ("relay", "--attestor", nobody)),
    ):
        outbox = (f"--outbox=sqlite:///{world.folder}/x",) if who == "matcher" else ()
        process = world.start(*arguments, *outbox)
        with pytest.raises(AssertionError, match=f"bulkhead: no {who} answers at {nobody}"):
            process.ready()
        assert process.stop() == 1


@pytest.mark.parametrize("has_traded", [True, False])
def test_a_chain_made_anew_is_no_reorganisation(tmp_path: Path, has_traded: bool) -> None:
    backend = "anvil" if find_anvil() else "eth-tester"
    with running_chain(tmp_path, backend) as chain:
        port = int(chain.rpc_url.rpartition(":")[2])
        world = World(chain, tmp_path)
        for order_id, key in ((1, ALICE), (2, BOB)):
            world.matcher.orders[order_id] = signed_order(
                chain.domain, key, order_id=order_id, side=order_id - 1
            )
        running = [world.attest(), world.relay()]
        if has_traded:
            chain.deposit(ALICE.address, DEPOSIT_QUOTE)
            eventually(lambda: len(world.matcher.deposits) == 1, "the deposit reported")
            world.trade(10)
            eventually(lambda: len(world.matcher.receipts) == 1, "the first receipt")
    try:
        with running_chain(tmp_path, backend, port) as anew:
            assert anew.addresses == chain.addresses
            for process in running:
                status, line = process.end()
                assert status == 1
                assert line.startswith("bulkhead: ")
                assert "belongs to another deployment" in line
            assert world.sequence() == 0
            with pytest.raises(AssertionError, match="belongs to another deployment"):
                world.attest()
    finally:
        world.close()


@pytest.mark.parametrize("world", ["anvil"], indirect=True)
def test_a_reorganisation_is_stepped_back_from(world: World) -> None:
    world.attest()
    world.relay()
    for key in (ALICE, BOB):
        world.chain.deposit(key.address, DEPOSIT_QUOTE)
    eventually(lambda: len(world.matcher.deposits) == 2, "both deposits reported")
    world.trade(10)
    eventually(lambda: len(world.matcher.receipts) == 1, "the first receipt")
    world.chain.web3.provider.make_request("anvil_reorg", [1, []])  # type: ignore[arg-type]
    assert world.sequence() == 0
    world.trade(20)
    eventually(lambda: world.sequence() == 2, "both batches on the new chain")
    eventually(lambda: len(world.matcher.receipts) == 2, "the second receipt")


@pytest.mark.parametrize("world", ["anvil"], indirect=True)
def test_a_stuck_transaction_is_replaced_with_at_least_an_eighth_more(world: World) -> None:
    world.attest()
    relayer = world.relay()
    for key in (ALICE, BOB):
        world.chain.deposit(key.address, DEPOSIT_QUOTE)
    eventually(lambda: len(world.matcher.deposits) == 2, "both deposits reported")

    def call(method: str, *params: object) -> Any:
        response = world.chain.web3.provider.make_request(RPCEndpoint(method), list(params))
        return response["result"]

    def bids_wei() -> list[int]:
        """Return the bids that wait: one nonce, so one bid."""
        pending = call("txpool_content")["pending"]
        return [
            int(transaction["maxFeePerGas"], 16)
            for nonces in pending.values()
            for transaction in nonces.values()
        ]

    call("evm_setAutomine", False)
    world.trade(10)
    (first_wei,) = eventually(bids_wei, "a transaction that waits")
    eventually(lambda: 64 * bids_wei()[0] >= 81 * first_wei, "a bid two eighths higher")
    relayer.kill()
    world.relay()  # finds the nonce taken, and replaces what its predecessor left
    call("evm_mine")
    eventually(lambda: world.sequence() == 1, "the batch on chain")


@pytest.mark.parametrize("world", ["anvil"], indirect=True)
def test_a_relayer_whose_nonce_another_transaction_took_begins_again(world: World) -> None:
    """A transfer by hand from its key, say: the batch goes out under the next nonce."""
    world.attest()
    world.relay()
    for key in (ALICE, BOB):
        world.chain.deposit(key.address, DEPOSIT_QUOTE)
    eventually(lambda: len(world.matcher.deposits) == 2, "both deposits reported")
    web3 = world.chain.web3
    relayer = Account.from_key(dev_secret(2))
    provider = web3.provider
    provider.make_request(RPCEndpoint("evm_setAutomine"), [False])
    nonce = web3.eth.get_transaction_count(relayer.address)
    world.trade(10)

    def waiting() -> Any:
        pending = provider.make_request(RPCEndpoint("txpool_content"), [])["result"]["pending"]
        return [one for nonces in pending.values() for one in nonces.values()]

    eventually(waiting, "a transaction that waits")
    transfer = {
        "chainId": world.chain.addresses.chain_id,
        "nonce": nonce,
        "to": relayer.address,
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": 10**12,
        "maxPriorityFeePerGas": 10**12,
    }
    web3.eth.send_raw_transaction(relayer.sign_transaction(transfer).raw_transaction)
    provider.make_request(RPCEndpoint("evm_mine"), [])
    assert web3.eth.get_transaction_count(relayer.address) == nonce + 1
    assert world.sequence() == 0
    provider.make_request(RPCEndpoint("evm_setAutomine"), [True])
    eventually(lambda: world.sequence() == 1, "the batch on chain")
