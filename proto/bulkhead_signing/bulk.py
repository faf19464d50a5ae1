"""Trees of orders under one signature (SPEC section 4): root, proof and the message that is signed.

A leaf is the `hashStruct` of an order, a node the hash of its two children, left then right: the
EIP-712 hash of a nested array `Order[2]…[2]`. Positions count, nothing is sorted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bulkhead_signing.keys import DIGEST_BYTES, SIGNATURE_BYTES, SignatureError, keccak
from bulkhead_signing.typed_data import NO_INSTRUCTIONS, ORDER_TYPE, Order, TypedDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulkhead_signing.keys import SigningKey
    from bulkhead_signing.typed_data import Domain

BULK_HEIGHT_MAX: Final = 10
BULK_ORDERS_MAX: Final = 1 << BULK_HEIGHT_MAX
_SHARE_BYTES: Final = SIGNATURE_BYTES + 2  # then the siblings

# Fills a tree up: the order of nobody, all fields zero, which no contract accepts.
EMPTY_LEAF: Final = Order(
    bytes(20), 0, 0, 0, False, False, 0, 0, 0, 0, 0, 0, 0, 0, NO_INSTRUCTIONS
).hash_struct()


def bulk_type(height: int) -> str:
    """Return the EIP-712 encoded type of a tree of a height, 1 … 10. Raises `TypedDataError`."""
    if not 1 <= height <= BULK_HEIGHT_MAX:
        raise TypedDataError(f"BulkOrder.height: {height} is not in 1 … {BULK_HEIGHT_MAX}")
    return f"BulkOrder(Order{'[2]' * height} tree){ORDER_TYPE}"


def bulk_height(order_count: int) -> int:
    """Return the height of the smallest tree for 1 … 1,024 orders. Raises `TypedDataError`."""
    if not 1 <= order_count <= BULK_ORDERS_MAX:
        raise TypedDataError(f"a tree has 1 … {BULK_ORDERS_MAX} orders, not {order_count}")
    return max(1, (order_count - 1).bit_length())


def bulk_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the hashes of 1 … 1,024 orders, filled up with empty ones."""
    return _levels(leaves)[-1][0]


def bulk_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the siblings of a leaf, from the leaf upwards; as many as the tree is high."""
    if not 0 <= index < len(leaves):
        raise TypedDataError(f"leaf {index} of {len(leaves)}")
    return _siblings(_levels(leaves), index)


def bulk_root_of(leaf: bytes, index: int, siblings: Sequence[bytes]) -> bytes:
    """Return the root of the tree in which `leaf` stands at `index` with these siblings."""
    node = leaf
    for depth, sibling in enumerate(siblings):
        node = keccak(sibling + node if index >> depth & 1 else node + sibling)
    return node


class BulkOrder(NamedTuple):
    """The message that is signed for a tree: its root stands for the nested array."""

    root: bytes
    height: int

    def hash_struct(self) -> bytes:
        """Return the 32-byte `hashStruct`. Raises `TypedDataError`."""
        if len(self.root) != DIGEST_BYTES:
            raise TypedDataError(f"BulkOrder.root has {DIGEST_BYTES} bytes, not {len(self.root)}")
        return keccak(_typehash(self.height) + self.root)


class BulkSignature(NamedTuple):
    """One order's share of a tree's signature: the signature, and where the order stands.

    On the wire it takes the place of an order's own signature (SIG-4): 64 bytes signature, u16 leaf
    index, 32 bytes for each sibling from the leaf upwards.
    """

    signature: bytes
    leaf_index: int
    siblings: tuple[bytes, ...]

    def pack(self) -> bytes:
        """Return the bytes of the wire."""
        return self.signature + self.leaf_index.to_bytes(2, "big") + b"".join(self.siblings)

    @classmethod
    def unpack(cls, data: bytes) -> BulkSignature:
        """Undo `pack`. Raises `SignatureError` when it is not the share of any tree."""
        if not is_bulk_signature(data):
            raise SignatureError(f"no tree's signature has {len(data)} bytes")
        leaf_index = int.from_bytes(data[SIGNATURE_BYTES:_SHARE_BYTES], "big")
        siblings = tuple(
            data[at : at + DIGEST_BYTES] for at in range(_SHARE_BYTES, len(data), DIGEST_BYTES)
        )
        if leaf_index >> len(siblings):
            raise SignatureError(f"a tree of height {len(siblings)} has no leaf {leaf_index}")
        return cls(data[:SIGNATURE_BYTES], leaf_index, siblings)

    def message_of(self, order: Order) -> BulkOrder:
        """Return what was signed if the order stands there. Raises `TypedDataError`."""
        root = bulk_root_of(order.hash_struct(), self.leaf_index, self.siblings)
        return BulkOrder(root, len(self.siblings))


def is_bulk_signature(data: bytes) -> bool:
    """Tell by its length whether an order's signature is a share of a tree's."""
    height, rest = divmod(len(data) - _SHARE_BYTES, DIGEST_BYTES)
    return rest == 0 and 1 <= height <= BULK_HEIGHT_MAX


def sign_in_bulk(orders: Sequence[Order], domain: Domain, key: SigningKey) -> list[bytes]:
    """Sign 1 … 1,024 orders of the key's account at once; return the packed share of each.

    Raises:
        TypedDataError: Too many orders, none, or a field is out of its range.
    """
    levels = _levels([order.hash_struct() for order in orders])
    height = len(levels) - 1
    signature = key.sign(domain.digest(BulkOrder(levels[-1][0], height)))
    return [
        BulkSignature(signature, index, _siblings(levels, index)).pack()
        for index in range(len(orders))
    ]


def _typehash(height: int) -> bytes:
    return keccak(bulk_type(height).encode())


def _siblings(levels: list[list[bytes]], index: int) -> tuple[bytes, ...]:
    return tuple(level[(index >> depth) ^ 1] for depth, level in enumerate(levels[:-1]))


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return the levels of the tree, leaves first."""
    height = bulk_height(len(leaves))
    levels = [[*leaves, *[EMPTY_LEAF] * ((1 << height) - len(leaves))]]
    for _ in range(height):
        below = levels[-1]
        levels.append([keccak(below[k] + below[k + 1]) for k in range(0, len(below), 2)])
    return levels
