"""Trees of orders under one signature: the digest is EIP-712's, a proof is of one place only."""

from __future__ import annotations

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from bulkhead_signing import (
    BULK_HEIGHT_MAX,
    BULK_ORDERS_MAX,
    BulkOrder,
    BulkSignature,
    Domain,
    Order,
    SignatureError,
    SigningKey,
    TypedDataError,
    bulk_height,
    bulk_proof,
    bulk_root,
    bulk_root_of,
    bulk_type,
    is_bulk_signature,
    keccak,
    recover,
    sign_in_bulk,
)
from bulkhead_signing import typed_data as td

DOMAIN = Domain(31337, b"\x11" * 20)
LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


def order(nonce: int) -> Order:
    """Return a plain order."""
    return Order(b"\x01" * 20, 1, nonce & 1, 0, False, False, 2, 3, 4, 5, 0, 0, nonce, 7)


def order_fields() -> list[dict[str, str]]:
    """Return the members of the type Order."""
    inside = td.ORDER_TYPE.partition("(")[2].rstrip(")")
    return [
        {"type": kind, "name": name}
        for kind, name in (field.split() for field in inside.split(","))
    ]


def nested(orders: list[Order], height: int) -> object:
    """Return the orders as the nested array that the type says."""
    names = [field["name"] for field in order_fields()]
    level: list[object] = [dict(zip(names, each, strict=True)) for each in orders]
    for _ in range(height):
        level = [level[k : k + 2] for k in range(0, len(level), 2)]
    return level[0]


@pytest.mark.parametrize("height", [1, 2, 3, 5])
def test_digest_equals_the_reference_encoder(height: int) -> None:
    """SIG-4: the root stands for EIP-712's hash of the nested array."""
    orders = [order(n) for n in range(1 << height)]
    signable = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [
                    {"type": "string", "name": "name"},
                    {"type": "string", "name": "version"},
                    {"type": "uint256", "name": "chainId"},
                    {"type": "address", "name": "verifyingContract"},
                ],
                "BulkOrder": [{"type": "Order" + "[2]" * height, "name": "tree"}],
                "Order": order_fields(),
            },
            "primaryType": "BulkOrder",
            "domain": {
                "name": "Bulkhead",
                "version": "1",
                "chainId": DOMAIN.chain_id,
                "verifyingContract": DOMAIN.contract,
            },
            "message": {"tree": nested(orders, height)},
        }
    )
    expected = keccak(b"\x19" + signable.version + signable.header + signable.body)
    root = bulk_root([each.hash_struct() for each in orders])
    assert DOMAIN.digest(BulkOrder(root, height)) == expected


@given(leaves=LEAVES, data=st.data())
def test_a_proof_leads_to_the_root_from_its_own_place_only(
    leaves: list[bytes], data: st.DataObject
) -> None:
    """SIG-4."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = bulk_proof(leaves, index)
    root = bulk_root(leaves)
    assert len(proof) == bulk_height(len(leaves))
    assert bulk_root_of(leaves[index], index, proof) == root
    other = data.draw(st.integers(0, (1 << len(proof)) - 1).filter(lambda k: k != index))
    if len(set(leaves)) == len(leaves):
        assert bulk_root_of(leaves[index], other, proof) != root
    assert bulk_root_of(keccak(leaves[index]), index, proof) != root


@pytest.mark.parametrize(
    ("count", "height"),
    [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (512, 9), (513, 10), (1024, BULK_HEIGHT_MAX)],
)
def test_a_tree_is_as_high_as_its_orders_need(count: int, height: int) -> None:
    assert bulk_height(count) == height


def test_heights_have_types_of_their_own() -> None:
    types = {bulk_type(height) for height in range(1, BULK_HEIGHT_MAX + 1)}
    assert len(types) == BULK_HEIGHT_MAX
    assert bulk_type(2) == f"BulkOrder(Order[2][2] tree){td.ORDER_TYPE}"


def test_what_does_not_fit_is_refused() -> None:
    leaf = bytes(32)
    for call in (
        lambda: bulk_type(0),
        lambda: bulk_type(BULK_HEIGHT_MAX + 1),
        lambda: bulk_height(0),
        lambda: bulk_root([leaf] * (BULK_ORDERS_MAX + 1)),
        lambda: bulk_proof([leaf], 1),
        lambda: bulk_proof([leaf], -1),
        lambda: BulkOrder(bytes(31), 1).hash_struct(),
        lambda: BulkOrder(bytes(32), 11).hash_struct(),
    ):
        with pytest.raises(TypedDataError):
            call()


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_each_share_is_of_its_own_order(count: int) -> None:
    """SIG-4: and of no other, nor at another place."""
    key = SigningKey(b"\x07" * 32)
    orders = [order(n) for n in range(count)]
    shares = [BulkSignature.unpack(share) for share in sign_in_bulk(orders, DOMAIN, key)]
    assert [share.leaf_index for share in shares] == list(range(count))
    for each, share in zip(orders, shares, strict=True):
        assert recover(DOMAIN.digest(share.message_of(each)), share.signature) == key.address
        other = share.message_of(each._replace(price_ticks=99))
        assert recover(DOMAIN.digest(other), share.signature) != key.address
        moved = share._replace(leaf_index=share.leaf_index ^ 1).message_of(each)
        assert recover(DOMAIN.digest(moved), share.signature) != key.address


@given(st.binary(max_size=64 + 2 + 32 * 12))
def test_a_share_has_a_length_and_a_place(data: bytes) -> None:
    try:
        share = BulkSignature.unpack(data)
    except SignatureError:
        height, rest = divmod(len(data) - 66, 32)
        is_one = not rest and 1 <= height <= BULK_HEIGHT_MAX
        assert not is_one or int.from_bytes(data[64:66], "big") >> height
    else:
        assert share.pack() == data
        assert is_bulk_signature(data)


@pytest.mark.parametrize("height", [0, BULK_HEIGHT_MAX + 1])
def test_a_tree_has_a_height(height: int) -> None:
    """SIG-4."""
    with pytest.raises(SignatureError, match="no tree's signature has"):
        BulkSignature.unpack(bytes(66 + 32 * height))


def test_a_tree_has_no_leaf_beyond_its_last() -> None:
    """SIG-4."""
    with pytest.raises(SignatureError, match="height 1 has no leaf 2"):
        BulkSignature.unpack(bytes(64) + b"\x00\x02" + bytes(32))
