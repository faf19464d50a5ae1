from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SignedIndexPrice(_message.Message):
    __slots__ = ("market_id", "price_ticks", "time_ms", "signature")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    price_ticks: int
    time_ms: int
    signature: bytes
    def __init__(self, market_id: _Optional[int] = ..., price_ticks: _Optional[int] = ..., time_ms: _Optional[int] = ..., signature: _Optional[bytes] = ...) -> None: ...
