"""The largest batch that the builder makes fits a transaction, and is not far from the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from bulkhead_signing import Batch, Order, SigningKey, keccak
from settlement.batch import BatchBuilder, BuilderState, BuiltBatch, Limits
from settlement.batch.builder import GAS_MAX, SIZE_BYTES_MAX
from settlement.batch.gas import GAS_MODEL
from settlement.batch.items import Fill, SignedOrder, Tick
from settlement.batch.payload import FillItem
from settlement.chain.anvil import find_anvil
from settlement.keys import dev_secret
from settlement.records import ZERO_DIGEST
from tests.integration.settlement_support import (
    ALICE,
    ATTESTOR,
    BOB,
    NEVER_S,
    Chain,
    price_row,
    running_chain,
)

# A transaction's own cap (EIP-7825), above the builder's.
TRANSACTION_GAS_MAX: Final = 16_777_216
FILLS: Final = 400


def test_the_largest_batch_executes_and_one_more_fill_goes_into_the_next(tmp_path: Path) -> None:
    """Each order comes to a fresh slot of filled lots and each fill opens: the dearest of all."""
    if find_anvil() is None:
        pytest.skip("anvil is not installed: run npm ci in settlement/contracts")
    with running_chain(tmp_path, "anvil") as chain:
        for key in (ALICE, BOB):
            chain.deposit(key.address, 10**12)
        first, fills = _fill_up(chain)
        batch = Batch(
            batch_seq=1, epoch=1, previous_digest=ZERO_DIGEST, payload_hash=keccak(first.payload)
        )
        signature = ATTESTOR.sign(chain.domain.digest(batch))
        data = chain.settlement.encode_abi("settle", [first.payload, [signature]])
        gas = TRANSACTION_GAS_MAX - 1
        receipt = chain.send(dev_secret(8), chain.settlement.address, data, gas=gas)
        (settled,) = chain.events("BatchSettled", receipt)
    assert (settled["itemCount"], settled["rejectedCount"]) == (fills + 1, 0)
    assert len(first.payload) <= SIZE_BYTES_MAX
    assert receipt["gasUsed"] <= first.gas_estimate <= GAS_MAX
    assert receipt["gasUsed"] >= GAS_MAX * 7 // 10, "the estimate wastes a third of the room"


def _fill_up(chain: Chain) -> tuple[BuiltBatch, int]:
    """Return the first batch that the builder closes for want of room, and its fills."""
    now_ns = chain.web3.eth.get_block("latest")["timestamp"] * 10**9
    made = BatchBuilder(BuilderState(), epoch=1, limits=Limits(interval_ms=3_600_000))
    assert made.add(price_row(chain.domain, item_seq=1, time_ns=now_ns)) is None
    first: BuiltBatch | None = None
    fills = 0
    while first is None:
        assert fills < FILLS, "the builder never closed a batch"
        number = fills + 1
        for order_id, key, side in ((2 * number, ALICE, 0), (2 * number + 1, BOB, 1)):
            made.add_order(_order(chain, key, order_id=order_id, side=side))
        first = made.add(
            Fill(
                item_seq=1 + number,
                time_ns=now_ns,
                taker_order_id=2 * number,
                maker_order_id=2 * number + 1,
                qty_lots=10,
            )
        )
        fills += first is None
    second = made.add(Tick(item_seq=3 + fills, time_ns=now_ns + 3_600 * 10**9))
    assert second is not None
    # What would have been one too many is in the next batch, and alone.
    assert first.last_item_seq == 1 + fills
    assert second.first_item_seq == 2 + fills
    least = 2 * GAS_MODEL.order + GAS_MODEL.items[FillItem]
    assert first.gas_estimate + least + 4_000 > GAS_MAX, "there was room for one more"
    return first, fills


def _order(chain: Chain, key: SigningKey, *, order_id: int, side: int) -> SignedOrder:
    order = Order(
        account=key.address, market_id=1, side=side, time_in_force=0, is_post_only=False,
        is_reduce_only=False, price_ticks=60_000, qty_lots=10, margin_quote=6_000_000,
        fee_ppm_max=500, trigger_kind=0, trigger_price_ticks=0, nonce=8 * order_id,
        expiry_time_s=NEVER_S,
    )  # fmt: skip
    signature = key.sign(chain.domain.digest(order))
    return SignedOrder(order_id=order_id, signature=signature, **order._asdict())
