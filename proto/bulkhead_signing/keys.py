"""Signs digests with secp256k1 and recovers signers; signatures are 64 bytes (EIP-2098)."""

from __future__ import annotations

from typing import Final

from coincurve import PrivateKey, PublicKey
from sha3 import keccak_256

SIGNATURE_BYTES: Final = 64
DIGEST_BYTES: Final = 32
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_PARITY_BIT: Final = 0x80


class SignatureError(ValueError):
    """A signature is malformed: wrong length, high s, or no public key belongs to it."""


def keccak(data: bytes) -> bytes:
    """Return the 32-byte keccak-256 hash of `data`."""
    digest: bytes = keccak_256(data).digest()
    return digest


class SigningKey:
    """A secp256k1 private key. Its text form never shows the secret.

    Attributes:
        address: 20-byte address of the key.
    """

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        """Take a 32-byte secret. Raises `ValueError` when it is not a valid scalar."""
        if len(secret) != DIGEST_BYTES:
            raise ValueError(f"a private key has 32 bytes, not {len(secret)}")
        self._key: PrivateKey = PrivateKey(secret)
        self.address: bytes = _address(self._key.public_key)

    @classmethod
    def generate(cls) -> SigningKey:
        """Return a new key from the system's randomness."""
        return cls(PrivateKey().secret)

    def sign(self, digest: bytes) -> bytes:
        """Return the signature of a 32-byte digest: r, then yParity << 255 | s, low s.

        Deterministic (RFC 6979). Raises `ValueError` when the digest has not 32 bytes.
        """
        raw: bytes = self._key.sign_recoverable(digest, hasher=None)
        parity = raw[64]
        assert parity in {0, 1}, "r above the field's order: cannot be found by chance"
        return raw[:32] + bytes((raw[32] | parity << 7,)) + raw[33:64]

    def __repr__(self) -> str:
        return f"SigningKey(address=0x{self.address.hex()})"


def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the 20-byte address of the key that signed the 32-byte digest.

    Raises:
        SignatureError: The signature has not 64 bytes, its s is in the upper half of the order
            (so that each message has one signature per key), or no key can have made it.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError(f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    if len(digest) != DIGEST_BYTES:
        raise SignatureError(f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
    top = signature[32]
    s = bytes((top & ~_PARITY_BIT,)) + signature[33:]
    if int.from_bytes(s, "big") > _HALF_ORDER:
        raise SignatureError("s is in the upper half of the group order")
    raw = signature[:32] + s + (b"\x01" if top & _PARITY_BIT else b"\x00")
    try:
        return _address(PublicKey.from_signature_and_message(raw, digest, hasher=None))
    except ValueError as error:
        raise SignatureError("no key can have made this signature") from error


def _address(key: PublicKey) -> bytes:
    return keccak(key.format(compressed=False)[1:])[12:]
