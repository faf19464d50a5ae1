"""A hand-made batch settles on the embedded chain, on both of its backends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkhead_signing import Batch, keccak
from settlement.batch import BatchBuilder, BuilderState, BuiltBatch, Limits
from settlement.batch.items import AnyItem, Tick
from settlement.chain.anvil import find_anvil
from settlement.keys import dev_secret
from settlement.records import ZERO_DIGEST
from tests.integration.settlement_support import (
    ALICE,
    ATTESTOR,
    BOB,
    CONFIG,
    Chain,
    Process,
    fill,
    price_row,
    running_chain,
    signed_order,
)

DEPOSIT_QUOTE = 100_000_000


@pytest.fixture(scope="module", params=["anvil", "eth-tester"])
def chain(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chain]:
    if request.param == "anvil" and find_anvil() is None:
        pytest.skip("anvil is not installed: run npm ci in settlement/contracts")
    with running_chain(tmp_path_factory.mktemp(request.param), request.param) as running:
        yield running


def build(chain: Chain) -> BuiltBatch:
    """Return a batch with a price, a fill of 60 lots and one that overfills."""
    now_ns = chain.web3.eth.get_block("latest")["timestamp"] * 10**9
    made = BatchBuilder(BuilderState(), epoch=1, limits=Limits(interval_ms=1_000))
    made.add_order(signed_order(chain.domain, ALICE, order_id=1, side=0))
    made.add_order(signed_order(chain.domain, BOB, order_id=2, side=1))
    items: list[AnyItem] = [
        price_row(chain.domain, item_seq=1, time_ns=now_ns),
        fill(item_seq=2, time_ns=now_ns, qty_lots=60),
        fill(item_seq=3, time_ns=now_ns, qty_lots=41),
        fill(item_seq=4, time_ns=now_ns, qty_lots=40),
    ]
    assert [made.add(item) for item in items] == [None] * 4
    built = made.add(Tick(item_seq=5, time_ns=now_ns + 10**9))
    assert built is not None
    return built


def test_a_signed_batch_settles_and_names_the_refused_item(chain: Chain) -> None:
    """FILL-1 to FILL-3, BATCH-1, BATCH-2, CONS-1: the numbers are worked out by hand."""
    chain.deposit(ALICE.address, DEPOSIT_QUOTE)
    chain.deposit(BOB.address, DEPOSIT_QUOTE)
    built = build(chain)
    batch = Batch(
        batch_seq=1, epoch=1, previous_digest=ZERO_DIGEST, payload_hash=keccak(built.payload)
    )
    digest = chain.domain.digest(batch)
    data = chain.settlement.encode_abi("settle", [built.payload, [ATTESTOR.sign(digest)]])
    started_s = time.monotonic()
    receipt = chain.send(dev_secret(8), chain.settlement.address, data, gas=15_000_000)
    assert time.monotonic() - started_s < 10

    (settled,) = chain.events("BatchSettled", receipt)
    assert settled == {"sequence": 1, "digest": digest, "itemCount": 4, "rejectedCount": 1}
    (refused,) = chain.events("ItemRejected", receipt)
    assert refused == {"sequence": 1, "itemIndex": 2, "reason": 16}  # OVERFILL
    assert built.item_seqs[refused["itemIndex"]] == 3
    assert receipt["gasUsed"] <= built.gas_estimate

    views = chain.settlement.functions
    alice, bob = (chain.web3.to_checksum_address(key.address) for key in (ALICE, BOB))
    assert views.account(alice).call()[0] == DEPOSIT_QUOTE - 6_000_000
    assert views.account(bob).call()[0] == DEPOSIT_QUOTE - 6_000_000
    assert tuple(views.position(1, alice).call()) == (100, 60_000_000, 5_970_000, 0)
    assert tuple(views.position(1, bob).call()) == (-100, 60_000_000, 5_988_000, 0)
    assert views.feesQuote().call() == 42_000
    assert views.custodyQuote().call() == views.liabilitiesQuote().call() == 2 * DEPOSIT_QUOTE


def test_the_markets_on_chain_are_those_of_the_configuration(chain: Chain) -> None:
    params, tiers = chain.settlement.functions.marketParams(1).call()
    assert tuple(params)[:5] == (10, 1_000_000, 100_000_000_000, 200, 500)
    assert [tuple(tier)[1:] for tier in tiers] == [
        (10_000, 5_000), (20_000, 10_000), (50_000, 25_000)
    ]  # fmt: skip


def test_the_relayer_named_in_the_configuration_has_gas_money(chain: Chain) -> None:
    relayer = chain.web3.to_checksum_address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
    assert chain.web3.eth.get_balance(relayer) > 100 * 10**18


def test_a_port_in_use_is_one_line(chain: Chain, tmp_path: Path) -> None:
    port = chain.rpc_url.rpartition(":")[2]
    second = Process(
        "chain", "--config", str(CONFIG), "--port", port, "--addresses", str(tmp_path / "a.json")
    )
    with pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1:{port}"):
        second.ready()
    assert second.stop() == 1
