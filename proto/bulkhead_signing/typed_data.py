"""Builds the EIP-712 digests of everything that is signed, by packing words; SPEC.md section 4.

Numbers are those of the signed message: `side` 0 buy, 1 sell; `time_in_force` 0 GTC, 1 IOC, 2 FOK;
`trigger_kind` 0 none, 1 mark at or above, 2 mark at or below.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, Protocol

from bulkhead_signing.keys import DIGEST_BYTES, keccak

ADDRESS_BYTES: Final = 20
INSTRUCTIONS_BYTES: Final = 32
NO_INSTRUCTIONS: Final = bytes(INSTRUCTIONS_BYTES)

ORDER_TYPE: Final = (
    "Order(address account,uint32 marketId,uint8 side,uint8 timeInForce,bool postOnly,"
    "bool reduceOnly,uint64 priceTicks,uint64 qtyLots,uint64 marginQuote,uint32 feePpmMax,"
    "uint8 triggerKind,uint64 triggerPriceTicks,uint64 nonce,uint64 expiryTimeS,"
    "bytes32 instructions)"
)
COLLATERAL_MOVE_TYPE: Final = (
    "CollateralMove(address account,uint32 marketId,int64 amountQuote,uint64 nonce,"
    "uint64 expiryTimeS)"
)
WITHDRAWAL_TYPE: Final = (
    "Withdrawal(address account,address to,uint64 amountQuote,uint64 nonce,uint64 expiryTimeS)"
)
SESSION_KEY_TYPE: Final = (
    "SessionKey(address account,address key,uint64 markets,uint8 leverageMax,bool reduceOnly,"
    "uint64 dayNotionalMaxQuote,uint64 nonce,uint64 expiryTimeS)"
)
AUTO_TOP_UP_TYPE: Final = (
    "AutoTopUp(address account,uint32 marketId,uint64 capQuote,uint64 nonce,uint64 expiryTimeS)"
)
INDEX_PRICE_TYPE: Final = "IndexPrice(uint32 marketId,uint64 priceTicks,uint64 timeMs)"
BATCH_TYPE: Final = "Batch(uint64 sequence,uint32 epoch,bytes32 previousHash,bytes32 payloadHash)"
LOGIN_TYPE: Final = "Login(address account,uint64 timeMs,bytes32 challenge)"
DOMAIN_TYPE: Final = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)

# One word of 32 bytes per field, big endian, right aligned.
_WORD_ADDRESS: Final = "12x20s"
_WORD_BOOL: Final = "31x?"
_WORD_U8: Final = "31xB"
_WORD_U32: Final = "28xI"
_WORD_U64: Final = "24xQ"
_WORD_BYTES: Final = "32s"


class TypedDataError(ValueError):
    """A field of a message to be signed is out of its range, or has the wrong length."""


class _Schema:
    """Packs the fields of one EIP-712 type behind its typehash."""

    __slots__ = ("_encoder", "_name", "_typehash")

    def __init__(self, encoded_type: str, *words: str) -> None:
        self._name = encoded_type.partition("(")[0]
        self._typehash = keccak(encoded_type.encode())
        self._encoder = struct.Struct(">32s" + "".join(words))

    def hash(self, *fields: bytes | int) -> bytes:
        """Return `hashStruct` of the fields. Raises `TypedDataError` when one is out of range."""
        try:
            return keccak(self._encoder.pack(self._typehash, *fields))
        except struct.error as error:
            raise TypedDataError(f"{self._name}: a field is out of its range: {error}") from error


_ORDER: Final = _Schema(
    ORDER_TYPE,
    _WORD_ADDRESS, _WORD_U32, _WORD_U8, _WORD_U8, _WORD_BOOL, _WORD_BOOL,
    _WORD_U64, _WORD_U64, _WORD_U64, _WORD_U32, _WORD_U8, _WORD_U64, _WORD_U64, _WORD_U64,
    _WORD_BYTES,
)  # fmt: skip
_COLLATERAL_MOVE: Final = _Schema(
    COLLATERAL_MOVE_TYPE, _WORD_ADDRESS, _WORD_U32, _WORD_BYTES, _WORD_U64, _WORD_U64
)
_WITHDRAWAL: Final = _Schema(
    WITHDRAWAL_TYPE, _WORD_ADDRESS, _WORD_ADDRESS, _WORD_U64, _WORD_U64, _WORD_U64
)
_SESSION_KEY: Final = _Schema(
    SESSION_KEY_TYPE,
    _WORD_ADDRESS, _WORD_ADDRESS, _WORD_U64, _WORD_U8, _WORD_BOOL, _WORD_U64, _WORD_U64, _WORD_U64,
)  # fmt: skip
_AUTO_TOP_UP: Final = _Schema(
    AUTO_TOP_UP_TYPE, _WORD_ADDRESS, _WORD_U32, _WORD_U64, _WORD_U64, _WORD_U64
)
_INDEX_PRICE: Final = _Schema(INDEX_PRICE_TYPE, _WORD_U32, _WORD_U64, _WORD_U64)
_BATCH: Final = _Schema(BATCH_TYPE, _WORD_U64, _WORD_U32, _WORD_BYTES, _WORD_BYTES)
_LOGIN: Final = _Schema(LOGIN_TYPE, _WORD_ADDRESS, _WORD_U64, _WORD_BYTES)
_DOMAIN: Final = _Schema(DOMAIN_TYPE, _WORD_BYTES, _WORD_BYTES, _WORD_BYTES, _WORD_ADDRESS)


class Order(NamedTuple):
    """The fields of a signed order. Quantities carry their unit in the name.

    `instructions` are the matcher's 32 bytes (SPEC section 4), all zero for a plain order.
    """

    account: bytes
    market_id: int
    side: int
    time_in_force: int
    is_post_only: bool
    is_reduce_only: bool
    price_ticks: int
    qty_lots: int
    margin_quote: int
    fee_ppm_max: int
    trigger_kind: int
    trigger_price_ticks: int
    nonce: int
    expiry_time_s: int
    instructions: bytes = NO_INSTRUCTIONS

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""
        _require_bytes("Order.account", self.account, ADDRESS_BYTES)
        _require_bytes("Order.instructions", self.instructions, INSTRUCTIONS_BYTES)
        return _ORDER.hash(*self)


class CollateralMove(NamedTuple):
    """The fields of a signed collateral move; `amount_quote` > 0 into the position, < 0 out."""

    account: bytes
    market_id: int
    amount_quote: int
    nonce: int
    expiry_time_s: int

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""
        _require_bytes("CollateralMove.account", self.account, ADDRESS_BYTES)
        if not -(2**63) <= self.amount_quote < 2**63:
            raise TypedDataError(
                f"CollateralMove.amount_quote: {self.amount_quote} is not an int64"
            )
        amount = self.amount_quote.to_bytes(32, "big", signed=True)
        return _COLLATERAL_MOVE.hash(
            self.account, self.market_id, amount, self.nonce, self.expiry_time_s
        )


class Withdrawal(NamedTuple):
    """The fields of a signed withdrawal; `receiver` is signed as `to`."""

    account: bytes
    receiver: bytes
    amount_quote: int
    nonce: int
    expiry_time_s: int

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""
        _require_bytes("Withdrawal.account", self.account, ADDRESS_BYTES)
        _require_bytes("Withdrawal.receiver", self.receiver, ADDRESS_BYTES)
        return _WITHDRAWAL.hash(*self)


class SessionKey(NamedTuple):
    """The fields of a signed grant to a session key; `markets` 0 revokes it.

    `markets` has one bit a market in the order of listing; the key expires with the message.
    """

    account: bytes
    key: bytes
    markets: int
    leverage_max: int
    is_reduce_only: bool
    day_notional_max_quote: int
    nonce: int
    expiry_time_s: int

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""
        _require_bytes("SessionKey.account", self.account, ADDRESS_BYTES)
        _require_bytes("SessionKey.key", self.key, ADDRESS_BYTES)
        return _SESSION_KEY.hash(*self)


class AutoTopUp(NamedTuple):
    """The fields of a signed order to top a position up when it is liquidatable."""

    account: bytes
    market_id: int
    cap_quote: int
    nonce: int
    expiry_time_s: int

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""
        _require_bytes("AutoTopUp.account", self.account, ADDRESS_BYTES)
        return _AUTO_TOP_UP.hash(*self)


class IndexPrice(NamedTuple):
    """The fields of a signed index price; `time_ms` is unix time."""

    market_id: int
    price_ticks: int
    time_ms: int

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""
        return _INDEX_PRICE.hash(*self)


class Batch(NamedTuple):
    """The fields that attestors sign; hashes have 32 bytes.

    `previous_digest` is the EIP-712 digest of the batch before, 32 zero bytes for the first.
    """

    batch_seq: int
    epoch: int
    previous_digest: bytes
    payload_hash: bytes

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""
        _require_bytes("Batch.previous_digest", self.previous_digest, DIGEST_BYTES)
        _require_bytes("Batch.payload_hash", self.payload_hash, DIGEST_BYTES)
        return _BATCH.hash(*self)


class Login(NamedTuple):
    """The fields of a signed login; `challenge` is the server's 32 bytes."""

    account: bytes
    time_ms: int
    challenge: bytes

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""
        _require_bytes("Login.account", self.account, ADDRESS_BYTES)
        _require_bytes("Login.challenge", self.challenge, DIGEST_BYTES)
        return _LOGIN.hash(*self)


class Message(Protocol):
    """Anything that is signed."""

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""


class Domain:
    """The chain and the contract that signatures are bound to. Immutable.

    Attributes:
        chain_id: EIP-155 chain id, 1 … 2^256 - 1.
        contract: 20-byte address of the Settlement contract.
        separator: 32-byte EIP-712 domain separator.
    """

    __slots__ = ("_prefix", "chain_id", "contract", "separator")

    def __init__(self, chain_id: int, contract: bytes) -> None:
        """Raises `TypedDataError` when the id or the address is out of range."""
        _require_bytes("Domain.contract", contract, ADDRESS_BYTES)
        if not 1 <= chain_id < 2**256:
            raise TypedDataError(f"Domain.chain_id: {chain_id} is not in 1 … 2^256 - 1")
        self.chain_id = chain_id
        self.contract = contract
        self.separator = _DOMAIN.hash(
            keccak(b"Bulkhead"), keccak(b"1"), chain_id.to_bytes(32, "big"), contract
        )
        self._prefix = b"\x19\x01" + self.separator

    def digest(self, message: Message) -> bytes:
        """Return the 32-byte digest that is signed. Raises `TypedDataError`."""
        return keccak(self._prefix + message.hash_struct())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Domain) and self.separator == other.separator

    def __hash__(self) -> int:
        return hash(self.separator)

    def __repr__(self) -> str:
        return f"Domain(chain_id={self.chain_id}, contract=0x{self.contract.hex()})"


def _require_bytes(name: str, value: bytes, length_bytes: int) -> None:
    if len(value) != length_bytes:
        raise TypedDataError(f"{name} has {length_bytes} bytes, not {len(value)}")
