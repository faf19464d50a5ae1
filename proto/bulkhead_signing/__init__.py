"""What matcher, settlement and clients sign: EIP-712 digests and 64-byte signatures."""

from bulkhead_signing.keys import SIGNATURE_BYTES, SignatureError, SigningKey, keccak, recover
from bulkhead_signing.typed_data import (
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
