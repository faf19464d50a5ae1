"""Signatures: the round trip, agreement with eth_account, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from bulkhead_signing import SignatureError, SigningKey, recover

ORDER_OF_GROUP = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DIGESTS = st.binary(min_size=32, max_size=32)
SECRETS = st.integers(1, ORDER_OF_GROUP - 1).map(lambda scalar: scalar.to_bytes(32, "big"))
KEY = SigningKey(b"\x07" * 32)
DIGEST = b"\x42" * 32


@given(secret=SECRETS, digest=DIGESTS)
def test_the_signer_is_recovered(secret: bytes, digest: bytes) -> None:
    key = SigningKey(secret)
    signature = key.sign(digest)
    assert len(signature) == 64
    assert recover(digest, signature) == key.address


@given(secret=SECRETS, digest=DIGESTS)
def test_the_signature_is_that_of_eth_account(secret: bytes, digest: bytes) -> None:
    """EIP-2098: r, then yParity << 255 | s, of the same deterministic signature."""
    account = Account.from_key(secret)
    signed = account.unsafe_sign_hash(digest)
    compact = signed.r.to_bytes(32, "big") + (signed.s | (signed.v - 27) << 255).to_bytes(32, "big")
    key = SigningKey(secret)
    assert key.address == bytes.fromhex(account.address[2:])
    assert key.sign(digest) == compact


@given(digest=DIGESTS, position=st.integers(0, 31), bit=st.integers(0, 7))
def test_another_digest_has_another_signer(digest: bytes, position: int, bit: int) -> None:
    signature = KEY.sign(digest)
    other = bytearray(digest)
    other[position] ^= 1 << bit
    with suppress(SignatureError):
        assert recover(bytes(other), signature) != KEY.address


@pytest.mark.parametrize("length_bytes", [0, 63, 65, 96])
def test_wrong_length_is_refused(length_bytes: int) -> None:
    with pytest.raises(SignatureError, match="64 bytes"):
        recover(DIGEST, (KEY.sign(DIGEST) * 2)[:length_bytes])


@pytest.mark.parametrize("length_bytes", [0, 31, 33])
def test_a_digest_has_32_bytes(length_bytes: int) -> None:
    with pytest.raises(SignatureError, match="32 bytes"):
        recover((DIGEST * 2)[:length_bytes], KEY.sign(DIGEST))
    with pytest.raises(ValueError, match="32 bytes"):
        KEY.sign((DIGEST * 2)[:length_bytes])


@given(digest=DIGESTS)
def test_the_high_s_twin_does_not_recover_the_signer(digest: bytes) -> None:
    """(r, order - s, other parity) verifies in plain ECDSA; here it is no signature of the key."""
    signature = KEY.sign(digest)
    word = int.from_bytes(signature[32:], "big")
    twin = ORDER_OF_GROUP - word % 2**255
    for parity in (0, 1):
        encoded = (twin | parity << 255) % 2**256
        with suppress(SignatureError):
            assert recover(digest, signature[:32] + encoded.to_bytes(32, "big")) != KEY.address


@pytest.mark.parametrize("s", [0, ORDER_OF_GROUP // 2 + 1, 2**255 - 1])
def test_s_outside_the_lower_half_is_refused(s: int) -> None:
    with pytest.raises(SignatureError):
        recover(DIGEST, KEY.sign(DIGEST)[:32] + s.to_bytes(32, "big"))


@pytest.mark.parametrize("r", [0, ORDER_OF_GROUP, 2**256 - 1])
def test_r_outside_the_group_is_refused(r: int) -> None:
    with pytest.raises(SignatureError):
        recover(DIGEST, r.to_bytes(32, "big") + KEY.sign(DIGEST)[32:])


@pytest.mark.parametrize("secret", [b"", b"\x01" * 31, b"\x00" * 32, b"\xff" * 32])
def test_impossible_secrets_are_refused(secret: bytes) -> None:
    with pytest.raises(ValueError, match=r"32 bytes|scalar"):
        SigningKey(secret)


def test_generated_keys_differ_and_hide_their_secret() -> None:
    first, second = SigningKey.generate(), SigningKey.generate()
    assert first.address != second.address
    assert repr(first) == f"SigningKey(address=0x{first.address.hex()})"
