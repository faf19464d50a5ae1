from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TriggerKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIGGER_KIND_UNSPECIFIED: _ClassVar[TriggerKind]
    TRIGGER_KIND_MARK_AT_OR_ABOVE: _ClassVar[TriggerKind]
    TRIGGER_KIND_MARK_AT_OR_BELOW: _ClassVar[TriggerKind]
    TRIGGER_KIND_AT_OR_ABOVE: _ClassVar[TriggerKind]
    TRIGGER_KIND_AT_OR_BELOW: _ClassVar[TriggerKind]
TRIGGER_KIND_UNSPECIFIED: TriggerKind
TRIGGER_KIND_MARK_AT_OR_ABOVE: TriggerKind
TRIGGER_KIND_MARK_AT_OR_BELOW: TriggerKind
TRIGGER_KIND_AT_OR_ABOVE: TriggerKind
TRIGGER_KIND_AT_OR_BELOW: TriggerKind

class Trigger(_message.Message):
    __slots__ = ("kind", "price_ticks")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    kind: TriggerKind
    price_ticks: int
    def __init__(self, kind: _Optional[_Union[TriggerKind, str]] = ..., price_ticks: _Optional[int] = ...) -> None: ...
