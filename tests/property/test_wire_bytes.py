"""Whatever bytes arrive as a message: a command that the journal can keep, or a clear error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st

from bulkhead.matcher.v1.admin_service_pb2 import ListMarketRequest
from bulkhead.matcher.v1.chain_event_pb2 import BatchProgress, BatchReceipt, ChainDeposit
from bulkhead.matcher.v1.command_pb2 import AmendOrder, CancelAll, CancelOrder
from bulkhead.types.v1.signed_collateral_move_pb2 import SignedCollateralMove
from bulkhead.types.v1.signed_index_price_pb2 import SignedIndexPrice
from bulkhead.types.v1.signed_order_pb2 import SignedOrder
from bulkhead.types.v1.signed_withdrawal_pb2 import SignedWithdrawal
from matcher import envelope
from matcher.engine.commands import Command, unpack
from matcher.journal import Entry
from matcher.journal.codec import encode_group
from matcher.rpc import convert
from matcher.rpc.admin_service import list_market_command
from matcher.rpc.status import CallError

Made = tuple[Command, bytes]
ACCOUNT = 2**24


class Way(NamedTuple):
    """A message, and how it becomes a command."""

    message: type[Message]
    convert: Callable[[Any], Made]


def replaced(wire: SignedOrder) -> Made:
    order, signature = convert.order_of(wire, "order")
    cancel = Command(4, account=ACCOUNT, nonce=2**64 - 1)
    return convert.replace_command(cancel, order, signature, ACCOUNT, 2**32 - 1)


def observed(wire: SignedIndexPrice) -> Made:
    """One observation of many; its message is signed, so every field must be encodable."""
    price, signature = convert.index_price_of(wire, "price")
    assert len(signature) == envelope.SIGNATURE_BYTES
    return Command(6, market_id=price.market_id, price_ticks=price.price_ticks), signature


def progressed(wire: BatchProgress) -> Made:
    convert.progress_of(wire, "progress", 1_000)
    return Command(7), b""


WAYS = {
    "place": Way(
        SignedOrder, lambda w: convert.place_command(*convert.order_of(w, "order"), ACCOUNT)
    ),
    "replace": Way(SignedOrder, replaced),
    "cancel": Way(CancelOrder, lambda w: convert.cancel_command(w, ACCOUNT, "cancel")),
    "cancel_all": Way(CancelAll, lambda w: convert.cancel_all_of(w, ACCOUNT, "cancel_all")),
    "move": Way(
        SignedCollateralMove, lambda w: convert.move_command(*convert.move_of(w, "move"), ACCOUNT)
    ),
    "withdraw": Way(
        SignedWithdrawal,
        lambda w: convert.withdraw_command(*convert.withdrawal_of(w, "withdrawal"), ACCOUNT),
    ),
    "price": Way(SignedIndexPrice, observed),
    "amend": Way(AmendOrder, lambda w: convert.amend_command(w, ACCOUNT, "amend")),
    "deposit": Way(ChainDeposit, lambda w: convert.deposit_command(w, "deposit")),
    "receipt": Way(
        BatchReceipt, lambda w: convert.receipt_command(convert.receipt_of(w, "receipt"))
    ),
    "progress": Way(BatchProgress, progressed),
    "listing": Way(
        ListMarketRequest, lambda w: list_market_command(convert.listing_of(w.spec, w.display))
    ),
}
EDGES = sorted({
    sign * (2**k + step)
    for k in (0, 1, 2, 7, 8, 15, 16, 20, 27, 31, 32, 48, 60, 63)
    for step in (-1, 0, 1)
    for sign in (-1, 1)
})  # fmt: skip
BITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
LENGTHS = st.sampled_from((0, 1, 19, 20, 21, 32, 63, 64, 65))


def values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Return a strategy for one field, most of it at an edge."""
    if field.cpp_type in BITS:
        low, high = BITS[field.cpp_type]
        near = [edge for edge in EDGES if low <= edge <= high]
        return st.sampled_from(near) | st.integers(low, high)
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return st.integers(0, 4) | st.sampled_from((-1, 127, 2**31 - 1))
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        return st.deferred(lambda: fields_of(field.message_type))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return LENGTHS.flatmap(lambda size: st.binary(min_size=size, max_size=size))
    return st.sampled_from(("BTC-PERP", "", "x", "A" * 33)) | st.text(max_size=8)


def fields_of(descriptor: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for the fields of a message, any of which may be missing."""
    return st.fixed_dictionaries(
        {},
        optional={
            field.name: st.lists(values(field), max_size=3) if field.is_repeated else values(field)
            for field in descriptor.fields
        },
    )


def check(way: Way, wire: Message) -> None:
    """Convert; what comes of it goes through record and journal unharmed."""
    try:
        command, extra = way.convert(wire)
    except CallError as exc:
        if not (exc.field and str(exc).startswith(exc.field)):
            raise
        return
    record = command.pack()
    assert unpack(record) == command
    assert record + len(extra).to_bytes(2, "little") + extra in encode_group(
        1, [Entry(record, extra)], bytes(32)
    )
    if way.message is BatchReceipt:
        assert envelope.BatchReceipt.unpack(extra).pack() == extra
    if way.message is ListMarketRequest:
        assert envelope.Listing.unpack(extra).pack() == extra


@pytest.mark.parametrize("name", WAYS)
@given(data=st.data())
def test_any_fields_become_a_command_or_a_clear_error(name: str, data: st.DataObject) -> None:
    way = WAYS[name]
    check(way, way.message(**data.draw(fields_of(way.message.DESCRIPTOR))))


@pytest.mark.parametrize("name", WAYS)
@given(data=st.data())
def test_any_bytes_become_a_command_or_a_clear_error(name: str, data: st.DataObject) -> None:
    """Bytes from nowhere, and bytes of a message of which some were changed."""
    way = WAYS[name]
    whole = way.message(**data.draw(fields_of(way.message.DESCRIPTOR))).SerializeToString()
    raw = bytearray(data.draw(st.binary(max_size=200) | st.just(whole)))
    for _ in range(data.draw(st.integers(0, 4)) if raw else 0):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    wire = way.message()
    try:
        wire.ParseFromString(bytes(raw))
    except DecodeError:
        return
    check(way, wire)


@pytest.mark.parametrize("count", [envelope.REJECTED_ITEMS_MAX, envelope.REJECTED_ITEMS_MAX + 1])
def test_a_receipt_has_as_many_refused_items_as_the_journal_keeps(count: int) -> None:
    wire = BatchReceipt(
        batch_seq=1, first_item_seq=1, last_item_seq=10**6, tx_hash=bytes(32),
        rejected_items=[{"item_seq": k + 1, "reason": 1} for k in range(count)],
    )  # fmt: skip
    check(WAYS["receipt"], wire)
    if count > envelope.REJECTED_ITEMS_MAX:
        with pytest.raises(CallError, match="rejected_items"):
            convert.receipt_of(wire, "receipt")
