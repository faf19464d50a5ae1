"""What matcher, settlement and clients sign: EIP-712 digests and 64-byte signatures."""

from bulkhead_signing.keys import SIGNATURE_BYTES, SignatureError, SigningKey, keccak, recover
from bulkhead_signing.typed_data import (
    INSTRUCTIONS_BYTES,
    NO_INSTRUCTIONS,
    Batch,
    CollateralMove,
    Domain,
    IndexPrice,
    Login,
    Message,
    Order,
    TypedDataError,
    Withdrawal,
)

__all__ = [
    "INSTRUCTIONS_BYTES",
    "NO_INSTRUCTIONS",
    "SIGNATURE_BYTES",
    "Batch",
    "CollateralMove",
    "Domain",
    "IndexPrice",
    "Login",
    "Message",
    "Order",
    "SignatureError",
    "SigningKey",
    "TypedDataError",
    "Withdrawal",
    "keccak",
    "recover",
]
