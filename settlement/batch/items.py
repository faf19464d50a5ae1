"""The settlement feed as the batch builder sees it: one frozen struct per kind of item."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

# BATCH-4: the insurance fund's row in the accounts table.
INSURANCE_ACCOUNT: Final = (1).to_bytes(20, "big")

# The instruction word of a plain order.
NO_INSTRUCTIONS: Final = bytes(32)


class BulkProof(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where an order stands in a tree of orders that its owner signed once (SIG-4)."""

    root: bytes  # 32 bytes
    leaf_index: int
    siblings: tuple[bytes, ...]  # 32 bytes each, from the leaf upwards


class SignedOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order as its owner signed it. Not an item: items refer to it by `order_id`."""

    order_id: int
    account: bytes  # 20 bytes
    market_id: int
    side: int  # 0 buy, 1 sell
    time_in_force: int  # 0 GTC, 1 IOC, 2 FOK
    is_post_only: bool
    is_reduce_only: bool
    price_ticks: int
    qty_lots: int
    margin_quote: int
    fee_ppm_max: int
    trigger_kind: int  # 0 none, 1 mark at or above, 2 mark at or below, 3 and 4: the engine's own
    trigger_price_ticks: int
    nonce: int
    expiry_time_s: int
    signature: bytes  # 64 bytes, EIP-2098; of the root when there is a proof; a wallet's own
    instructions: bytes = NO_INSTRUCTIONS  # 32 bytes
    signer: int = 0  # 0 owner's key, 1 session key, 2 contract wallet
    proof: BulkProof | None = None


class FeedItem(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """What every item carries: its place in the feed and the engine's time."""

    item_seq: int
    time_ns: int


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one index source has signed."""

    price_ticks: int
    time_ms: int
    signature: bytes  # 64 bytes, over IndexPrice


class PriceRow(FeedItem, frozen=True, kw_only=True, gc=False):
    """A new price row of a market. It holds until the next row of the same market."""

    market_id: int
    index_price_ticks: int
    mark_price_ticks: int
    index_time_ms: int
    signature: bytes  # of the only observation; empty when there are several
    observations: tuple[Observation, ...] = ()  # sorted by price, then time


class Fill(FeedItem, frozen=True, kw_only=True, gc=False):
    """A match of two users' orders; in an auction the taker is the one that buys."""

    taker_order_id: int
    maker_order_id: int
    qty_lots: int
    price_ticks: int = 0  # 0: the maker's
    is_auction: bool = False


class LiquidationFill(FeedItem, frozen=True, kw_only=True, gc=False):
    """Part of a liquidated position closed against a resting order."""

    market_id: int
    account: bytes
    maker_order_id: int
    qty_lots: int
    price_ticks: int = 0  # 0: the maker's


class Takeover(FeedItem, frozen=True, kw_only=True, gc=False):
    """What is left of a liquidated position goes to the insurance fund."""

    market_id: int
    account: bytes
    qty_lots: int


class Adl(FeedItem, frozen=True, kw_only=True, gc=False):
    """Part of a bankrupt position closed against a counterparty at the bankruptcy price."""

    market_id: int
    account: bytes
    counterparty: bytes
    qty_lots: int


class FundFill(FeedItem, frozen=True, kw_only=True, gc=False):
    """The insurance fund reduces its position against a resting order."""

    maker_order_id: int
    qty_lots: int
    price_ticks: int = 0  # 0: the maker's


class Funding(FeedItem, frozen=True, kw_only=True, gc=False):
    """A funding settlement: the market's new index, quote per lot times 10^6."""

    market_id: int
    funding_index_e6: int


class CollateralMove(FeedItem, frozen=True, kw_only=True, gc=False):
    """A signed top-up (> 0) or take-out (< 0) of a position."""

    account: bytes
    market_id: int
    amount_quote: int
    nonce: int
    expiry_time_s: int
    signature: bytes


class Withdrawal(FeedItem, frozen=True, kw_only=True, gc=False):
    """A signed withdrawal from the free balance."""

    account: bytes
    to: bytes
    amount_quote: int
    nonce: int
    expiry_time_s: int
    signature: bytes


class Parameters(FeedItem, frozen=True, kw_only=True, gc=False):
    """The announced parameters of a market hold from here on."""

    market_id: int


class AutoTopUp(FeedItem, frozen=True, kw_only=True, gc=False):
    """Collateral drawn into a liquidatable position by its owner's standing instruction."""

    account: bytes
    market_id: int
    amount_quote: int
    cap_quote: int
    nonce: int
    expiry_time_s: int
    signature: bytes


class Forced(FeedItem, frozen=True, kw_only=True, gc=False):
    """The head of the contract's forced queue is served; market 0: its kind has none."""

    request_id: int
    account: bytes
    market_id: int


class PositionSettled(FeedItem, frozen=True, kw_only=True, gc=False):
    """A position of a market that has ended, closed at the settlement price."""

    account: bytes
    market_id: int


class Tick(FeedItem, frozen=True, kw_only=True, gc=False):
    """Engine time passed; nothing to settle."""


SettledItem: TypeAlias = (
    Fill
    | LiquidationFill
    | Takeover
    | Adl
    | FundFill
    | Funding
    | CollateralMove
    | Withdrawal
    | Parameters
    | AutoTopUp
    | Forced
    | PositionSettled
)
AnyItem: TypeAlias = SettledItem | PriceRow | Tick
