"""What settlement's processes tell each other: batches, deposits, receipts, cursors."""

from __future__ import annotations

import enum
from typing import Final

import msgspec

ZERO_DIGEST: Final = bytes(32)


class BatchState(enum.IntEnum):
    """How far a batch has come. Values are those of the wire's SettlementState."""

    BATCHED = 2  # signed and in the outbox
    SUBMITTED = 3  # a relayer has sent a transaction
    SETTLED = 4  # in a block, confirmed


# A reorganisation deeper than the confirmations takes a settled batch back to BATCHED.
TRANSITIONS: Final[dict[BatchState, frozenset[BatchState]]] = {
    BatchState.BATCHED: frozenset({BatchState.SUBMITTED, BatchState.SETTLED}),
    BatchState.SUBMITTED: frozenset({BatchState.SUBMITTED, BatchState.SETTLED}),
    BatchState.SETTLED: frozenset({BatchState.SETTLED, BatchState.BATCHED}),
}


class SignedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as relayers submit it; signatures ascend by the signer's address."""

    batch_seq: int
    epoch: int
    previous_digest: bytes
    digest: bytes
    payload: bytes
    signatures: tuple[bytes, ...]
    first_item_seq: int
    last_item_seq: int
    gas_estimate: int


class BatchStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where a batch stands on its way to the chain."""

    state: BatchState
    tx_hash: bytes = b""
    block_number: int = 0


class Deposit(msgspec.Struct, frozen=True, kw_only=True):
    """A deposit into a free balance."""

    deposit_seq: int
    account: bytes
    amount_quote: int
    block_number: int
    tx_hash: bytes


# Fields of the contract's MarketParams in order, as configuration and wire name them.
MARKET_PARAM_NAMES: Final = (
    "quote_per_tick_lot",
    "price_ticks_max",
    "position_lots_max",
    "fee_maker_ppm",
    "fee_taker_ppm",
    "fee_liquidation_ppm",
    "liquidation_buffer_ppm",
    "mark_band_ppm",
    "funding_cap_ppm",
    "funding_interval_s",
    "index_age_max_ms",
    "expiry_time_s",
)


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """Market parameters that governance has announced on chain.

    `params` names them as the wire's MarketSpec does; tiers are (floor_quote, initial_ppm,
    maintenance_ppm).
    """

    announcement_seq: int  # block number * 2^20 + log index
    market_id: int
    params: dict[str, int]
    tiers: tuple[tuple[int, int, int], ...]
    effective_time_s: int


class ForcedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the contract's forced queue; `kind` and the meaning of `amount` are its."""

    request_id: int
    account: bytes
    kind: int
    market_id: int
    amount: int
    further_nonces: int = 0  # of a cancellation, after `amount`


class ChainNotice(msgspec.Struct, frozen=True, kw_only=True):
    """An act on chain that the matcher obeys: the guardian's pause began or is over."""

    block_number: int
    log_index: int
    is_risk_paused: bool


class RejectedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A feed item that the contract refused, with its `RejectReason`."""

    item_seq: int
    reason: int


class BatchReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the contract did with a batch."""

    batch_seq: int
    first_item_seq: int
    last_item_seq: int
    block_number: int
    tx_hash: bytes
    rejected_items: tuple[RejectedItem, ...] = ()


class BatchProgress(msgspec.Struct, frozen=True, kw_only=True):
    """A batch before its receipt: BATCHED, or SUBMITTED with the transaction's hash."""

    batch_seq: int
    state: BatchState
    first_item_seq: int
    last_item_seq: int
    tx_hash: bytes = b""


class ChainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the matcher is told in one call."""

    deposits: tuple[Deposit, ...] = ()
    requests: tuple[ForcedRequest, ...] = ()
    notices: tuple[ChainNotice, ...] = ()
    progress: tuple[BatchProgress, ...] = ()
    receipts: tuple[BatchReceipt, ...] = ()
    announcements: tuple[Announcement, ...] = ()


class MatcherCursor(msgspec.Struct, frozen=True, kw_only=True):
    """What the matcher knows of the chain; 0 before the first."""

    deposit_seq: int
    batch_seq: int
    request_seq: int = 0
