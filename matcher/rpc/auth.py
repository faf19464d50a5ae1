"""Who calls: session tokens of logged-in accounts, and the fixed tokens of admin and attestors."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from bulkhead_signing import (
    BulkSignature,
    Domain,
    Login,
    Message,
    Order,
    SignatureError,
    TypedDataError,
    recover,
)
from matcher.envelope import ADDRESS_BYTES, SIGNATURE_BYTES
from matcher.rpc.status import CallError

if TYPE_CHECKING:
    import grpc

CHALLENGE_BYTES: Final = 32
_BEARER: Final = "bearer "
_CLAIM: Final = struct.Struct(f">{ADDRESS_BYTES}sq")
_TAG_BYTES: Final = 32
TREES_KEPT_MAX: Final = 1_024


class SessionTokens:
    """Issues and checks tokens without keeping any: a token is a claim and its HMAC.

    The key is made at start, so a restart makes all tokens invalid and clients log in again.
    """

    def __init__(self, ttl_ms: int) -> None:
        """Issue tokens that are good for `ttl_ms`."""
        self._key = secrets.token_bytes(32)
        self._ttl_ns = ttl_ms * 1_000_000

    def issue(self, address: bytes, now_ns: int) -> tuple[str, int]:
        """Return a token for an account and the instant after which it is refused."""
        expiry_time_ns = now_ns + self._ttl_ns
        claim = _CLAIM.pack(address, expiry_time_ns)
        return base64.urlsafe_b64encode(claim + self._tag(claim)).decode(), expiry_time_ns

    def address_of(self, token: str, now_ns: int) -> bytes | None:
        """Return the account of a good token, else None."""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        claim, tag = raw[: _CLAIM.size], raw[_CLAIM.size :]
        if len(raw) != _CLAIM.size + _TAG_BYTES or not hmac.compare_digest(tag, self._tag(claim)):
            return None
        address, expiry_time_ns = _CLAIM.unpack(claim)
        return address if now_ns <= expiry_time_ns else None

    def _tag(self, claim: bytes) -> bytes:
        return hmac.digest(self._key, claim, hashlib.sha256)


def is_signed_by(domain: Domain, message: Message, signature: bytes, signer: bytes) -> bool:
    """Tell whether a message's signature is the signer's (20-byte address)."""
    return signer_of(domain, message, signature) == signer


def signer_of(domain: Domain, message: Message, signature: bytes) -> bytes | None:
    """Return who signed a message; None when the signature is malformed.

    An order's may be its share of a tree's signature (SIG-4).
    """
    try:
        if isinstance(message, Order) and len(signature) != SIGNATURE_BYTES:
            share = BulkSignature.unpack(signature)
            return _signer_of_tree(domain.digest(share.message_of(message)), share.signature)
        return recover(domain.digest(message), signature)
    except (SignatureError, TypedDataError):
        return None


@lru_cache(maxsize=TREES_KEPT_MAX)
def _signer_of_tree(digest: bytes, signature: bytes) -> bytes:
    """Recover once for all orders of a tree. Raises `SignatureError`."""
    return recover(digest, signature)


def check_login(
    domain: Domain, login: Login, signature: bytes, *, now_ms: int, ttl_ms: int
) -> None:
    """Raise LOGIN_INVALID unless the account itself signed the challenge, just now."""
    reason = ErrorReason.ERROR_REASON_LOGIN_INVALID
    if abs(now_ms - login.time_ms) > ttl_ms:
        text = f"login.time_ms: expected at most {ttl_ms} ms from {now_ms}, found {login.time_ms}"
        raise CallError(reason, text, {"server_time_ms": str(now_ms)})
    if not is_signed_by(domain, login, signature, login.account):
        text = "login.signature: is not the account's signature of Login for this domain"
        raise CallError(reason, text)


def bearer_token(context: grpc.aio.ServicerContext) -> str:
    """Return the token of the metadata `authorization: Bearer <token>`, or raise."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return str(value[len(_BEARER) :]).strip()
    text = "expected the metadata `authorization: Bearer <token>`"
    raise CallError(ErrorReason.ERROR_REASON_TOKEN_INVALID, text)


def require_token(context: grpc.aio.ServicerContext, expected: str) -> None:
    """Raise TOKEN_INVALID unless the call carries a fixed token."""
    if not hmac.compare_digest(bearer_token(context).encode(), expected.encode()):
        text = "the token is not the one of the matcher's configuration"
        raise CallError(ErrorReason.ERROR_REASON_TOKEN_INVALID, text)
