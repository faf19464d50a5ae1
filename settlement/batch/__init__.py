"""Deterministic settlement batches: feed items in, payload bytes out. Pure: integers, no I/O."""

from settlement.batch.builder import BatchBuilder, BuilderState, BuiltBatch, Limits
from settlement.batch.codec import PayloadError, decode_payload, encode_payload
from settlement.batch.gas import GAS_MODEL, GasModel
from settlement.batch.items import INSURANCE_ACCOUNT, FeedItem, SignedOrder

__all__ = [
    "GAS_MODEL",
    "INSURANCE_ACCOUNT",
    "BatchBuilder",
    "BuilderState",
    "BuiltBatch",
    "FeedItem",
    "GasModel",
    "Limits",
    "PayloadError",
    "SignedOrder",
    "decode_payload",
    "encode_payload",
]
