"""The wire contract: enums agree with the engine, and messages carry what was promised."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

import bulkhead_signing as signing
from bulkhead.matcher.v1 import (
    account_service_pb2,
    admin_service_pb2,
    market_data_service_pb2,
    oracle_service_pb2,
    settlement_feed_service_pb2,
    trading_service_pb2,
)
from bulkhead.settlement.v1 import relay_service_pb2
from bulkhead.types.v1 import (
    market_spec_pb2,
    reject_reason_pb2,
    side_pb2,
    signed_collateral_move_pb2,
    signed_index_price_pb2,
    signed_order_pb2,
    signed_withdrawal_pb2,
    time_in_force_pb2,
    trigger_pb2,
)
from matcher.engine import commands
from matcher.engine.reject_reason import RejectReason

SERVICE_FILES = [
    account_service_pb2.DESCRIPTOR,
    admin_service_pb2.DESCRIPTOR,
    market_data_service_pb2.DESCRIPTOR,
    oracle_service_pb2.DESCRIPTOR,
    relay_service_pb2.DESCRIPTOR,
    settlement_feed_service_pb2.DESCRIPTOR,
    trading_service_pb2.DESCRIPTOR,
]
METHODS = [
    method
    for file in SERVICE_FILES
    for service in file.services_by_name.values()
    for method in service.methods
]
UNSIGNED = {
    FieldDescriptor.TYPE_UINT32: "identities and rates",
    FieldDescriptor.TYPE_UINT64: "identities",
}
UNSIGNED_SUFFIXES = (
    "_id", "_ids", "_ppm", "_ppm_max", "nonce", "epoch", "session_tag", "collateral_decimals",
)  # fmt: skip


@pytest.mark.parametrize(
    ("python", "proto", "prefix"),
    [
        (RejectReason, reject_reason_pb2.RejectReason, "REJECT_REASON_"),
        (commands.MarketState, market_spec_pb2.MarketState, "MARKET_STATE_"),
    ],
)
def test_enums_are_those_of_the_engine(python: type[enum.IntEnum], proto: Any, prefix: str) -> None:
    """The same names and numbers; the engine's NONE is the wire's UNSPECIFIED."""
    wire = {name.removeprefix(prefix): number for name, number in proto.items()}
    assert wire.pop("UNSPECIFIED") == 0
    assert wire == {member.name: member.value for member in python if member.value}


def test_sides_and_times_in_force_are_the_signed_numbers_plus_one() -> None:
    assert side_pb2.SIDE_BUY == commands.SIDE_BUY + 1
    assert side_pb2.SIDE_SELL == commands.SIDE_SELL + 1
    assert time_in_force_pb2.TIME_IN_FORCE_GTC == commands.TIF_GTC + 1
    assert time_in_force_pb2.TIME_IN_FORCE_IOC == commands.TIF_IOC + 1
    assert time_in_force_pb2.TIME_IN_FORCE_FOK == commands.TIF_FOK + 1


def test_trigger_kinds_are_the_signed_numbers() -> None:
    assert trigger_pb2.TRIGGER_KIND_MARK_AT_OR_ABOVE == commands.TRIGGER_MARK_AT_OR_ABOVE
    assert trigger_pb2.TRIGGER_KIND_MARK_AT_OR_BELOW == commands.TRIGGER_MARK_AT_OR_BELOW


@pytest.mark.parametrize(
    ("message", "signed"),
    [
        (signed_order_pb2.SignedOrder, signing.Order),
        (signed_collateral_move_pb2.SignedCollateralMove, signing.CollateralMove),
        (signed_withdrawal_pb2.SignedWithdrawal, signing.Withdrawal),
        (signed_index_price_pb2.SignedIndexPrice, signing.IndexPrice),
    ],
)
def test_signed_messages_carry_every_signed_field(message: Any, signed: Any) -> None:
    """SIG-2: what is signed can be rebuilt from the wire, field by field, under the same name."""
    names = set(message.DESCRIPTOR.fields_by_name) - {"signature"}
    expected = set(signed._fields)
    if "trigger" in names:
        names = names - {"trigger"} | {"trigger_kind", "trigger_price_ticks"}
    assert names == expected


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_response_says_which_state_answered(method: Any) -> None:
    header = method.output_type.fields_by_name["header"]
    assert header.number == 1
    assert header.message_type.full_name == "bulkhead.types.v1.ResponseHeader"


def messages_of(file: FileDescriptor, seen: set[str]) -> list[Descriptor]:
    """Return all messages of a file and of what it imports."""
    if file.name in seen:
        return []
    seen.add(file.name)
    own = list(file.message_types_by_name.values())
    return own + [m for used in file.dependencies for m in messages_of(used, seen)]


def test_quantities_are_signed_integers() -> None:
    """Quantities are int64; unsigned are identities and rates only; there is no float."""
    seen: set[str] = set()
    fields = [f for file in SERVICE_FILES for m in messages_of(file, seen) for f in m.fields]
    assert len(fields) > 200
    floats = {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE}
    assert [f.full_name for f in fields if f.type in floats] == []
    unsigned = [f for f in fields if f.type in UNSIGNED]
    assert [f.full_name for f in unsigned if not f.name.endswith(UNSIGNED_SUFFIXES)] == []
