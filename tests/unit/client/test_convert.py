"""Records mirror the messages of the wire, and nothing is lost between the two."""

from __future__ import annotations

import dataclasses
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

import matcher.client
from bulkhead.matcher.v1 import (
    market_data_event_pb2,
    order_event_pb2,
    position_event_pb2,
    position_pb2,
    session_event_pb2,
)
from bulkhead_signing import NO_INSTRUCTIONS, Order
from matcher.client import (
    AccountEvent,
    MarketEvent,
    OrderFilled,
    PositionUpdated,
    RejectReason,
    Side,
)
from matcher.client import _convert as convert
from matcher.client._errors import (
    ERROR_OF_CODE,
    ConnectError,
    LimitError,
    ProtocolError,
    call_error,
    rpc_error,
)
from tests.unit.client.builders import market


def names_of(record: type) -> set[str]:
    if dataclasses.is_dataclass(record):
        return {field.name for field in dataclasses.fields(record)}
    return {field.name for field in msgspec.structs.fields(record)}


@pytest.mark.parametrize(
    ("message", "record", "envelope"),
    [
        *((m, r, set()) for m, r in convert.RECORDS.items()),
        *((m, r, names_of(AccountEvent)) for m, r in convert.ACCOUNT_EVENTS.items()),
        *((m, r, names_of(MarketEvent)) for m, r in convert.MARKET_EVENTS.items()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_records_have_the_fields_of_their_messages(
    message: Any, record: type, envelope: set[str]
) -> None:
    fields = set(message.DESCRIPTOR.fields_by_name) - {"header"}
    assert names_of(record) == fields | envelope


@pytest.mark.parametrize(
    ("envelope", "records", "handled_elsewhere"),
    [
        (
            session_event_pb2.SessionEvent,
            convert.ACCOUNT_EVENTS,
            {"LoginChallenge", "LoginAccepted"},
        ),
        (market_data_event_pb2.MarketDataEvent, convert.MARKET_EVENTS, set()),
    ],
)
def test_every_event_of_the_wire_has_a_record(
    envelope: Any, records: dict[Any, type], handled_elsewhere: set[str]
) -> None:
    (oneof,) = envelope.DESCRIPTOR.oneofs
    kinds = {field.message_type.name for field in oneof.fields}
    assert {message.DESCRIPTOR.name for message in records} == kinds - handled_elsewhere


@pytest.mark.parametrize("name", sorted(convert.ENUMS))
def test_enums_have_the_numbers_of_the_wire(name: str) -> None:
    """A record's enum has every value of the wire's, under the same name."""
    used = [f.enum_type for m in ALL_MESSAGES for f in m.DESCRIPTOR.fields if f.enum_type]
    (wire,) = {enum.full_name: enum for enum in used if enum.name == name}.values()
    prefix = "".join("_" + c if c.isupper() else c.upper() for c in name).lstrip("_") + "_"
    expected = {v.name.removeprefix(prefix): v.number for v in wire.values if v.number}
    assert {m.name: m.value for m in convert.ENUMS[name] if m.value} == expected


ALL_MESSAGES = [*convert.RECORDS, *convert.ACCOUNT_EVENTS, *convert.MARKET_EVENTS]


def test_a_fill_becomes_a_record() -> None:
    envelope = session_event_pb2.SessionEvent(
        account_seq=7,
        time_ns=9,
        order_filled=order_event_pb2.OrderFilled(order_id=1, side=2, qty_lots=3, role=1),  # type: ignore[arg-type]
    )
    event = convert.account_event(envelope)
    assert isinstance(event, OrderFilled)
    assert (event.account_seq, event.time_ns, event.qty_lots) == (7, 9, 3)
    assert event.side is Side.SELL
    assert event.nonce is None


def test_absence_is_none_and_zero_is_zero() -> None:
    position = position_pb2.Position(market_id=1, liquidation_price_ticks=0)
    envelope = session_event_pb2.SessionEvent(
        position_updated=position_event_pb2.PositionUpdated(position=position)
    )
    event = convert.account_event(envelope)
    assert isinstance(event, PositionUpdated)
    assert event.position.liquidation_price_ticks == 0
    assert event.position.bankruptcy_price_ticks is None


def test_what_is_not_known_is_passed_over_or_kept_as_a_number() -> None:
    assert convert.account_event(session_event_pb2.SessionEvent(account_seq=1)) is None
    envelope = session_event_pb2.SessionEvent(
        order_rejected=order_event_pb2.OrderRejected(reason=999)  # type: ignore[arg-type]
    )
    event = convert.account_event(envelope)
    assert event is not None
    assert event.reason == 999  # type: ignore[attr-defined]
    assert not isinstance(event.reason, RejectReason)  # type: ignore[attr-defined]


U64 = st.integers(0, 2**63 - 1)


@given(
    order=st.builds(
        Order, st.binary(min_size=20, max_size=20), st.integers(1, 65535), st.integers(0, 1),
        st.integers(0, 2), st.booleans(), st.booleans(), U64, U64, U64, st.integers(0, 10**6),
        st.integers(0, 2), st.integers(0, 2**27), st.integers(0, 2**64 - 1), U64,
        st.just(NO_INSTRUCTIONS) | st.binary(min_size=32, max_size=32),
    )
)  # fmt: skip
def test_a_signed_order_travels_whole(order: Order) -> None:
    """SIG-2: what is rebuilt from the wire has the digest that was signed."""
    if not order.trigger_kind:
        order = order._replace(trigger_price_ticks=0)
    wire = convert.order_message(order, b"\x05" * 64)
    back = type(wire).FromString(wire.SerializeToString())
    assert back.signature == b"\x05" * 64
    rebuilt = Order(
        back.account, back.market_id, back.side - 1, back.time_in_force - 1, back.is_post_only,
        back.is_reduce_only, back.price_ticks, back.qty_lots, back.margin_quote, back.fee_ppm_max,
        int(back.trigger.kind), back.trigger.price_ticks, back.nonce, back.expiry_time_s,
        back.instructions or NO_INSTRUCTIONS,
    )  # fmt: skip
    assert rebuilt == order


def test_market_parameters_travel_whole() -> None:
    spec = market().spec
    assert convert.decode(convert.spec_message(spec)) == spec


def test_every_failed_call_has_an_error() -> None:
    """One table, and every code but OK is in it."""
    assert set(ERROR_OF_CODE) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


def test_an_error_carries_reason_and_facts() -> None:
    info = error_details_pb2.ErrorInfo(
        reason="SLOW_CONSUMER", domain="matcher.bulkhead", metadata={"lag_events": "70000"}
    )
    detail = any_pb2.Any()
    detail.Pack(info)
    status = status_pb2.Status(code=8, message="read faster", details=[detail])
    trailers = [("x", "y"), ("grpc-status-details-bin", status.SerializeToString())]
    error = call_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "read faster", trailers)
    assert isinstance(error, LimitError)
    assert (error.reason, error.facts) == ("SLOW_CONSUMER", {"lag_events": "70000"})
    assert str(error) == "read faster"


def test_an_error_without_details_still_says_something() -> None:
    error = call_error(grpc.StatusCode.UNAVAILABLE, None, None)
    assert (str(error), error.reason, error.facts) == ("unavailable", "", {})


def test_exports_are_sorted_and_there() -> None:
    assert sorted(set(matcher.client.__all__), key=str) == sorted(matcher.client.__all__)
    assert all(hasattr(matcher.client, name) for name in matcher.client.__all__)


@pytest.mark.parametrize(
    ("details", "kind"), [("Internal error from Core", ConnectError), ("a defect", ProtocolError)]
)
def test_a_line_that_broke_under_a_write_is_a_broken_line(details: str, kind: type) -> None:
    """It is grpc.aio's own status, not a server's: the session reconnects."""
    error = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, details=details)
    assert type(rpc_error(error)) is kind
