"""Payload layout: what is encoded decodes to the same, and the bytes are the specification's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.batch import PayloadError, decode_payload, encode_payload
from settlement.batch.codec import order_bytes, root_bytes
from settlement.batch.payload import (
    FLAG_BULK,
    FLAG_INSTRUCTIONS,
    FLAG_SIGNER_SHIFT,
    FLAG_TRIGGER,
    ITEM_TYPES,
    AccountRow,
    ClockItem,
    Field,
    FillItem,
    Item,
    Kind,
    MarketRow,
    Observation,
    OrderRow,
    Payload,
    PositionRow,
    PriceItem,
    Record,
    RootRow,
    SignedItemRecord,
    SignerKind,
)


def field_values(field: Field) -> st.SearchStrategy[int | bytes]:
    """Return any value that fits a field."""
    if field.kind is Kind.BYTES:
        return st.binary(min_size=field.size, max_size=field.size)
    bits = 8 * field.size
    if field.kind is Kind.INT:
        return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.integers(0, 2**bits - 1)


def records(record_type: type[Record], fields: tuple[Field, ...]) -> st.SearchStrategy[Any]:
    """Return any record of a type."""
    return st.builds(record_type, **{field.name: field_values(field) for field in fields})


@st.composite
def signatures(draw: st.DrawFn) -> dict[str, Any]:
    """Return a signer and its signature."""
    signer = draw(st.integers(0, 3))
    is_wallet = signer == SignerKind.WALLET
    size = st.binary(max_size=80) if is_wallet else st.binary(min_size=64, max_size=64)
    return {"signer": signer, "signature": draw(size)}


@st.composite
def roots(draw: st.DrawFn) -> RootRow:
    """Return any root of a tree."""
    values = {field.name: draw(field_values(field)) for field in RootRow.FIELDS}
    values |= {"height": draw(st.integers(1, 10))} | draw(signatures())
    return RootRow(**values)  # type: ignore[arg-type]


@st.composite
def orders(draw: st.DrawFn, heights: tuple[int, ...] = ()) -> OrderRow:
    """Return any order; parts that its flags do not name are absent."""
    fields = OrderRow.FIELDS + OrderRow.TRIGGER + OrderRow.INSTRUCTIONS
    values: dict[str, Any] = {field.name: draw(field_values(field)) for field in fields}
    flags = values["flags"] & (0xFFFF if heights else 0xFFFF ^ FLAG_BULK)
    if not flags & FLAG_TRIGGER:
        values |= {"trigger_kind": 0, "trigger_price_ticks": 0}
    if not flags & FLAG_INSTRUCTIONS:
        values |= {"instructions": bytes(32)}
    if flags & FLAG_BULK:
        root = draw(st.integers(0, len(heights) - 1))
        size = 32 * heights[root]
        values |= {
            "root": root,
            "leaf_index": draw(st.integers(0, 1023)),
            "siblings": draw(st.binary(min_size=size, max_size=size)),
        }
    else:
        signed = draw(signatures())
        flags = flags & ~(3 << FLAG_SIGNER_SHIFT) | signed["signer"] << FLAG_SIGNER_SHIFT
        values["signature"] = signed["signature"]
    return OrderRow(**values | {"flags": flags})


# A price row's count is that of its observations, which follow the other fields.
prices = st.builds(
    PriceItem,
    market=st.integers(0, 255),
    mark_ticks=st.integers(0, 2**32 - 1),
    observations=st.lists(records(Observation, Observation.FIELDS), max_size=4).map(tuple),
)


@st.composite
def records_of_items(draw: st.DrawFn) -> Item:
    """Return any item."""
    item_type = draw(st.sampled_from(list(ITEM_TYPES.values())))
    if item_type is PriceItem:
        return draw(prices)
    values: dict[str, Any] = {field.name: draw(field_values(field)) for field in item_type.FIELDS}
    if issubclass(item_type, SignedItemRecord):
        values |= draw(signatures())
    return item_type(**values)


@st.composite
def payloads_of(draw: st.DrawFn) -> Payload:
    """Return any payload."""
    trees = tuple(draw(st.lists(roots(), max_size=2)))
    heights = tuple(tree.height for tree in trees)
    return Payload(
        sequence=draw(st.integers(1, 2**64 - 1)),
        epoch=draw(st.integers(0, 2**32 - 1)),
        clock_time_s=draw(st.integers(0, 2**40 - 1)),
        markets=tuple(draw(st.lists(records(MarketRow, MarketRow.FIELDS), max_size=3))),
        accounts=tuple(draw(st.lists(records(AccountRow, AccountRow.FIELDS), max_size=3))),
        positions=tuple(draw(st.lists(records(PositionRow, PositionRow.FIELDS), max_size=3))),
        roots=trees,
        orders=tuple(draw(st.lists(orders(heights), max_size=3))),
        items=tuple(draw(st.lists(records_of_items(), max_size=6))),
    )


payloads = payloads_of()


@given(payloads)
def test_decoding_gives_back_what_was_encoded(payload: Payload) -> None:
    assert decode_payload(encode_payload(payload)) == payload


@given(payloads, st.data())
def test_no_prefix_and_no_extension_of_a_payload_is_one(
    payload: Payload, data: st.DataObject
) -> None:
    encoded = encode_payload(payload)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(PayloadError):
        decode_payload(encoded[:cut])
    with pytest.raises(PayloadError):
        decode_payload(encoded + b"\x00")


@given(orders((3,)))
def test_the_stated_size_of_an_order_is_its_size(order: OrderRow) -> None:
    size = 36 + (5 if order.flags & FLAG_TRIGGER else 0)
    size += 32 if order.flags & FLAG_INSTRUCTIONS else 0
    if order.flags & FLAG_BULK:
        size += 4 + 3 * 32
    elif order.flags >> FLAG_SIGNER_SHIFT & 3 == SignerKind.WALLET:
        size += 2 + len(order.signature)
    else:
        size += 64
    assert order_bytes(order) == size


@given(roots())
def test_the_stated_size_of_a_root_is_its_size(root: RootRow) -> None:
    wallet = root.signer == SignerKind.WALLET
    assert root_bytes(root) == 36 + (2 + len(root.signature) if wallet else 64)


def test_layout_of_a_small_payload() -> None:
    payload = Payload(
        sequence=7,
        epoch=2,
        clock_time_s=0x0102030405,
        markets=(MarketRow(market_id=9),),
        accounts=(AccountRow(address=b"\xaa" * 20),),
        positions=(PositionRow(account=0, market=0),),
        orders=(),
        items=(ClockItem(time_s=0x0102030406), FillItem(taker_order=1, maker_order=2, lots=3)),
    )
    assert encode_payload(payload).hex() == (
        "02"
        "0000000000000007"
        "00000002"
        "0102030405"
        "01"
        "0001"
        "0001"
        "0000"
        "0000"
        "0002"
        "00000009" + "aa" * 20 + "0000"
        "00"
        "02"
        "0102030406"
        "03"
        "0001"
        "0002"
        "00000003"
    )


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (ClockItem(time_s=2**40), r"ClockItem.time_s: 1099511627776 does not fit 5 bytes"),
        (FillItem(taker_order=-1, maker_order=0, lots=1), r"FillItem.taker_order: -1 does not fit"),
    ],
)
def test_a_value_out_of_range_is_named(item: Item, words: str) -> None:
    payload = Payload(
        sequence=1,
        epoch=0,
        clock_time_s=0,
        markets=(),
        accounts=(),
        positions=(),
        orders=(),
        items=(item,),
    )
    with pytest.raises(PayloadError, match=words):
        encode_payload(payload)


def test_unknown_version_and_opcode_are_refused() -> None:
    payload = Payload(
        sequence=1,
        epoch=0,
        clock_time_s=0,
        markets=(),
        accounts=(),
        positions=(),
        orders=(),
        items=(ClockItem(time_s=1),),
    )
    encoded = bytearray(encode_payload(payload))
    with pytest.raises(PayloadError, match="version 9, expected 2"):
        decode_payload(b"\x09" + encoded[1:])
    encoded[-6] = 0x7F
    with pytest.raises(PayloadError, match="unknown opcode 0x7f"):
        decode_payload(bytes(encoded))
