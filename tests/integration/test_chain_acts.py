"""What people do on chain without the operator, and what the running venue makes of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bulkhead_signing import SigningKey, keccak
from matcher.client import Client, PublicClient, Side, TimeInForce
from matcher.engine.reject_reason import RejectReason
from settlement.chain.anvil import find_anvil
from settlement.keys import dev_secret
from settlement.node import open_node
from settlement.reconciler import invariants
from tests.integration.settlement_support import (
    ALICE,
    ATTESTOR,
    BOB,
    CONFIG,
    Chain,
    eventually,
)
from tests.integration.whole_venue import Venue, enter, quote_index, running_venue, until

GUARDIAN = dev_secret(0)  # the embedded chain's deployer
BACKER = dev_secret(9)
ETHER = 10**18
DEPOSIT_QUOTE = 100_000_000
LAG_S = 120


def give_gas(chain: Chain, key: SigningKey) -> None:
    address = chain.web3.to_checksum_address(key.address)
    chain.web3.provider.make_request("anvil_setBalance", [address, hex(ETHER)])  # type: ignore[arg-type]


def secret_of(key: SigningKey) -> bytes:
    return {ALICE: b"\xa1" * 32, BOB: b"\xb0" * 32}[key]


def address_of(secret: bytes) -> bytes:
    return SigningKey(secret).address


def act(chain: Chain, secret: bytes, function: str, *arguments: Any) -> Any:
    data = chain.settlement.encode_abi(function, list(arguments))
    return chain.send(secret, chain.settlement.address, data)


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    pytest.importorskip("matcher.engine.engine", reason="the engine is not built: run make build")
    if find_anvil() is None:
        pytest.skip("anvil is not installed: run npm ci in settlement/contracts")
    with running_venue(tmp_path) as running:
        yield running


def configured(folder: Path, **delays: int) -> Path:
    """Write a configuration with these delays of the contract; skip where there is no Anvil."""
    if find_anvil() is None:
        pytest.skip("anvil is not installed: run npm ci in settlement/contracts")
    text = CONFIG.read_text()
    if "forced_s" in delays:
        text = re.sub(r"clock_lag_max_s = [\d_]+", f"clock_lag_max_s = {delays['forced_s']}", text)
    table = "".join(f"{name} = {value}\n" for name, value in delays.items())
    chain = f"[settlement.chain.delays]\n{table}\n[settlement.attest]"
    config = folder / "delays.toml"
    config.write_text(text.replace("[settlement.attest]", chain))
    return config


async def trade(venue: Venue, stack: AsyncExitStack) -> tuple[Client, Client]:
    """Let Alice buy 100 lots from Bob, and wait until the fill is settled."""
    chain = venue.chain
    public, _, (alice, bob) = await enter(venue, stack, (ALICE, BOB))
    market = await public.market(1)
    ask = bob.orders.limit(market, Side.SELL, price_ticks=60_000, qty_lots=100, leverage=5)
    bid = alice.orders.limit(market, Side.BUY, price_ticks=60_000, qty_lots=100, leverage=5)
    await bob.place_one(ask)
    await alice.place_one(bid)
    await on_chain(lambda: lots(chain, ALICE) == 100, "the fill on chain")
    return alice, bob


def lots(chain: Chain, key: SigningKey) -> int:
    address = chain.web3.to_checksum_address(key.address)
    return int(chain.settlement.functions.position(1, address).call()[0])


def served(chain: Chain) -> int:
    return int(chain.settlement.functions.requestQueue().call()[0])


async def on_chain(condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(eventually, condition, what)


def with_trade(
    venue: Venue, work: Callable[[Client, Client, AsyncExitStack], Awaitable[None]]
) -> None:
    for key in (ALICE, BOB):
        venue.chain.deposit(key.address, DEPOSIT_QUOTE)
        give_gas(venue.chain, key)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await work(*await trade(venue, stack), stack)

    asyncio.run(main())


def test_forced_requests_of_each_kind_are_served(venue: Venue) -> None:
    """FORCE-1 to FORCE-4: queued on chain, served in order, and both sides are equal after it."""
    chain = venue.chain
    chain.fund_insurance(1, DEPOSIT_QUOTE)

    async def work(alice: Client, bob: Client, stack: AsyncExitStack) -> None:
        public = await stack.enter_async_context(await PublicClient.connect(venue.matcher))
        market = await public.market(1)
        orders = [
            bob.orders.limit(market, Side.SELL, price_ticks=70_000, qty_lots=1, leverage=5)
            for _ in range(2)
        ]
        ids = [(await bob.place_one(order)).order_id for order in orders]
        await quote_index(public, chain, 60_000)
        bob_address = chain.web3.to_checksum_address(BOB.address)
        act(chain, secret_of(BOB), "requestCancel", orders[0].nonce)
        act(chain, secret_of(BOB), "requestCancelAll", orders[1].nonce + 1)
        act(chain, secret_of(ALICE), "requestReduce", 1, 40)
        act(chain, secret_of(ALICE), "requestWithdrawal", 7_000_000, bob_address)
        chain._approve(3_000_000)
        chain.send(
            dev_secret(9), chain.settlement.address,
            chain.settlement.encode_abi("depositToPosition", [1, bob_address, 3_000_000]),
        )  # fmt: skip
        await on_chain(lambda: served(chain) == 6, "the gift and all five served")
        assert lots(chain, ALICE) == 60 == (await alice.position(1)).position_lots
        live = {order.order_id for order in await bob.open_orders()}
        assert live.isdisjoint(ids)
        assert chain.settlement.functions.waitingWithdrawals().call() == 1
        chain.send(
            dev_secret(9), chain.settlement.address,
            chain.settlement.encode_abi("claimWithdrawal", [1]),
        )  # fmt: skip
        assert chain.token.functions.balanceOf(bob_address).call() == 7_000_000
        async with open_node(chain.rpc_url, chain.addresses) as node:
            assert await invariants(node) == []

    with_trade(venue, work)
    status, output = venue.reconcile()
    assert status == 0, output


def test_a_backer_leaves_with_what_the_shares_are_worth(tmp_path: Path) -> None:
    """BACK-2, BACK-4: in as the fund has nothing, out while it holds lots; both sides equal."""
    config = configured(tmp_path, insurance_lock_s=0)

    async def work(_alice: Client, _bob: Client, stack: AsyncExitStack) -> None:
        public = await stack.enter_async_context(await PublicClient.connect(venue.matcher))
        chain._approve(DEPOSIT_QUOTE)
        act(chain, BACKER, "backFund", 1, DEPOSIT_QUOTE)
        await on_chain(lambda: served(chain) == 1, "the backing")
        await quote_index(public, chain, 60_000)
        act(chain, secret_of(ALICE), "requestReduce", 1, 40)
        await on_chain(lambda: served(chain) == 2, "the reduction")
        await quote_index(public, chain, 59_900)
        shares = chain.settlement.functions.fundShares(1).call()
        act(chain, BACKER, "requestUnbacking", 1, shares // 2)
        act(chain, BACKER, "finishUnbacking", 1)
        await quote_index(public, chain, 59_800)
        await on_chain(lambda: served(chain) == 3, "the payment")
        backer = chain.web3.to_checksum_address(address_of(BACKER))
        free_quote, _ = chain.settlement.functions.account(backer).call()
        assert DEPOSIT_QUOTE // 4 < free_quote < DEPOSIT_QUOTE
        act(chain, secret_of(BOB), "requestCancelRange", 10**6, 10**6 + 7)
        await on_chain(lambda: served(chain) == 4, "the cancellation")
        bob_address = chain.web3.to_checksum_address(BOB.address)
        filled = chain.settlement.functions.filledLots(bob_address, 10**6 + 7).call()
        assert filled == 2**32 - 1

    with running_venue(tmp_path, config) as venue:
        chain = venue.chain
        with_trade(venue, work)
        status, output = venue.reconcile()
        assert status == 0, output


def test_the_operator_that_ignores_a_request_loses_the_venue(venue: Venue) -> None:
    """EXIT-1: anybody starts exit mode when the head is too old, and leaves."""
    chain = venue.chain

    async def work(alice: Client, bob: Client, stack: AsyncExitStack) -> None:
        del alice, bob, stack

    with_trade(venue, work)
    venue.stop()
    act(chain, secret_of(ALICE), "requestWithdrawal", 1_000_000, "0x" + "22" * 20)
    delay_s = chain.settlement.functions.delays().call()[3]
    chain.web3.provider.make_request("evm_increaseTime", [delay_s])  # type: ignore[arg-type]
    chain.web3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]
    alice = chain.web3.to_checksum_address(ALICE.address)
    for function, arguments in (("enterExitMode", []), ("exitPosition", [1, alice])):
        act(chain, dev_secret(9), function, *arguments)
    assert lots(chain, ALICE) == 0
    act(chain, secret_of(ALICE), "exitWithdraw", 1_000_000, alice)
    assert chain.token.functions.balanceOf(alice).call() == 1_000_000


def test_the_pause_binds_matcher_and_batches_alike(venue: Venue) -> None:
    """GOV-4: what was matched before settles, nothing opens after it, reducing goes on."""
    chain = venue.chain

    async def work(alice: Client, bob: Client, stack: AsyncExitStack) -> None:
        public = await stack.enter_async_context(await PublicClient.connect(venue.matcher))
        market = await public.market(1)
        act(chain, GUARDIAN, "pauseRisk")
        paused_from_s = chain.settlement.functions.riskPausedFromS().call()
        assert paused_from_s > chain.web3.eth.get_block("latest")["timestamp"]

        async def is_refused() -> bool:
            ask = bob.orders.limit(
                market, Side.SELL, price_ticks=90_000, qty_lots=1, margin_quote=900_000,
                time_in_force=TimeInForce.IOC,
            )  # fmt: skip
            (placed,) = await bob.place([ask])
            return getattr(placed, "reason", None) == RejectReason.RISK_PAUSED

        await until(is_refused, "the pause in the engine")
        bid = bob.orders.limit(market, Side.BUY, price_ticks=60_000, qty_lots=30, margin_quote=0)
        ask = alice.orders.limit(market, Side.SELL, price_ticks=60_000, qty_lots=30, margin_quote=0)
        await bob.place_one(bid)
        await alice.place_one(ask)
        await on_chain(lambda: lots(chain, ALICE) == 70, "the reduction on chain")
        act(chain, GUARDIAN, "resumeRisk")

        async def is_open() -> bool:
            return not await is_refused()

        await until(is_open, "the end of the pause in the engine")

    with_trade(venue, work)
    status, output = venue.reconcile()
    assert status == 0, output


def test_acknowledged_fills_outlive_their_attestors(tmp_path: Path) -> None:
    """GOV-6: batches of the old epoch are void, their items settle in the new one.

    As long as their clock is not older than the lag: the replacement was proposed before the fill.
    """
    times = dict.fromkeys(("governance_s", "parameters_s", "migration_s", "forced_s"), LAG_S)
    config = configured(tmp_path, withdrawal_s=0, **times)

    async def work(alice: Client, bob: Client, stack: AsyncExitStack) -> None:
        public = await stack.enter_async_context(await PublicClient.connect(venue.matcher))
        market = await public.market(1)
        assert venue.take_last().stop() == 0  # the relayer: what follows stays unsettled
        settled_seq = chain.settlement.functions.sequence().call()
        await asyncio.sleep(LAG_S / 6)
        bid = bob.orders.limit(market, Side.BUY, price_ticks=60_000, qty_lots=30, margin_quote=0)
        ask = alice.orders.limit(market, Side.SELL, price_ticks=60_000, qty_lots=30, margin_quote=0)
        await bob.place_one(bid)
        await alice.place_one(ask)
        assert (await alice.position(1)).position_lots == 70
        await asyncio.sleep(3)  # batched and signed for epoch 1
        due_s = chain.settlement.functions.proposalDueTimeS(proposal).call()
        chain.web3.provider.make_request("evm_setNextBlockTimestamp", [due_s])  # type: ignore[arg-type]
        act(chain, GUARDIAN, "execute", call)
        ended = venue.take_last()
        status, told = await asyncio.to_thread(ended.end)
        assert status == ended.stop() == 1
        assert "epoch 2 have replaced those of epoch 1" in told
        assert chain.settlement.functions.sequence().call() == settled_seq
        await asyncio.to_thread(venue.start_settlement)
        await on_chain(lambda: lots(chain, ALICE) == 70, "the fill in the new epoch")

    with running_venue(tmp_path, config) as venue:
        chain = venue.chain
        attestor = chain.web3.to_checksum_address(ATTESTOR.address)
        call = chain.settlement.encode_abi("setAttestors", [2, [attestor], 1])
        proposal = keccak(bytes.fromhex(call.removeprefix("0x")))
        act(chain, GUARDIAN, "propose", call)
        with_trade(venue, work)
        status, output = venue.reconcile()
        assert status == 0, output
