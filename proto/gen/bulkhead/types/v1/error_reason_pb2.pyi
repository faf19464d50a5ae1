from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_FIELD_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_TOKEN_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_LOGIN_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_ACCOUNT_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_LOGIN_ORDER: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_KNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_ALREADY_LISTED: _ClassVar[ErrorReason]
    ERROR_REASON_SEQ_OUT_OF_RANGE: _ClassVar[ErrorReason]
    ERROR_REASON_SEQ_GAP: _ClassVar[ErrorReason]
    ERROR_REASON_SLOW_CONSUMER: _ClassVar[ErrorReason]
    ERROR_REASON_LIMIT_REACHED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_READY: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_FIELD_INVALID: ErrorReason
ERROR_REASON_TOKEN_INVALID: ErrorReason
ERROR_REASON_LOGIN_INVALID: ErrorReason
ERROR_REASON_ACCOUNT_MISMATCH: ErrorReason
ERROR_REASON_LOGIN_ORDER: ErrorReason
ERROR_REASON_NOT_KNOWN: ErrorReason
ERROR_REASON_ALREADY_LISTED: ErrorReason
ERROR_REASON_SEQ_OUT_OF_RANGE: ErrorReason
ERROR_REASON_SEQ_GAP: ErrorReason
ERROR_REASON_SLOW_CONSUMER: ErrorReason
ERROR_REASON_LIMIT_REACHED: ErrorReason
ERROR_REASON_NOT_READY: ErrorReason
