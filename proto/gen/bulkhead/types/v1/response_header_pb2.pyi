from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ResponseHeader(_message.Message):
    __slots__ = ("command_seq", "time_ns")
    COMMAND_SEQ_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    command_seq: int
    time_ns: int
    def __init__(self, command_seq: _Optional[int] = ..., time_ns: _Optional[int] = ...) -> None: ...
