from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class SettlementState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SETTLEMENT_STATE_UNSPECIFIED: _ClassVar[SettlementState]
    SETTLEMENT_STATE_MATCHED: _ClassVar[SettlementState]
    SETTLEMENT_STATE_BATCHED: _ClassVar[SettlementState]
    SETTLEMENT_STATE_SUBMITTED: _ClassVar[SettlementState]
    SETTLEMENT_STATE_SETTLED: _ClassVar[SettlementState]
    SETTLEMENT_STATE_BUSTED: _ClassVar[SettlementState]
SETTLEMENT_STATE_UNSPECIFIED: SettlementState
SETTLEMENT_STATE_MATCHED: SettlementState
SETTLEMENT_STATE_BATCHED: SettlementState
SETTLEMENT_STATE_SUBMITTED: SettlementState
SETTLEMENT_STATE_SETTLED: SettlementState
SETTLEMENT_STATE_BUSTED: SettlementState
