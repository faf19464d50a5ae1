"""Payload layout: what is encoded decodes to the same, and the bytes are the specification's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.batch import PayloadError, decode_payload, encode_payload
from settlement.batch.codec import order_bytes
from settlement.batch.payload import (
    FLAG_INSTRUCTIONS,
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
def orders(draw: st.DrawFn) -> OrderRow:
    """Return any order; parts that its flags do not name are absent."""
    fields = OrderRow.FIELDS + OrderRow.TRIGGER + OrderRow.INSTRUCTIONS + OrderRow.SIGNATURE
    values = {field.name: draw(field_values(field)) for field in fields}
    if not values["flags"] & FLAG_TRIGGER:  # type: ignore[operator]
        values |= {"trigger_kind": 0, "trigger_price_ticks": 0}
    if not values["flags"] & FLAG_INSTRUCTIONS:  # type: ignore[operator]
        values |= {"instructions": bytes(32)}
    return OrderRow(**values)  # type: ignore[arg-type]


# A price row's count is that of its observations, which follow the other fields.
prices = st.builds(
    PriceItem,
    market=st.integers(0, 255),
    mark_ticks=st.integers(0, 2**32 - 1),
    observations=st.lists(records(Observation, Observation.FIELDS), max_size=4).map(tuple),
)

items: st.SearchStrategy[Item] = st.one_of(
    [
        prices if item_type is PriceItem else records(item_type, item_type.FIELDS)
        for item_type in ITEM_TYPES.values()
    ]
)

payloads = st.builds(
    Payload,
    sequence=st.integers(1, 2**64 - 1),
    epoch=st.integers(0, 2**32 - 1),
    clock_time_s=st.integers(0, 2**40 - 1),
    markets=st.lists(records(MarketRow, MarketRow.FIELDS), max_size=3).map(tuple),
    accounts=st.lists(records(AccountRow, AccountRow.FIELDS), max_size=3).map(tuple),
    positions=st.lists(records(PositionRow, PositionRow.FIELDS), max_size=3).map(tuple),
    orders=st.lists(orders(), max_size=3).map(tuple),
    items=st.lists(items, max_size=6).map(tuple),
)


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


@given(orders())
def test_the_stated_size_of_an_order_is_its_size(order: OrderRow) -> None:
    trigger = 5 if order.flags & FLAG_TRIGGER else 0
    assert order_bytes(order) == 100 + trigger + (32 if order.flags & FLAG_INSTRUCTIONS else 0)


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
