from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SignedAutoTopUp(_message.Message):
    __slots__ = ("account", "market_id", "cap_quote", "nonce", "expiry_time_s", "signature")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    CAP_QUOTE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_TIME_S_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    market_id: int
    cap_quote: int
    nonce: int
    expiry_time_s: int
    signature: bytes
    def __init__(self, account: _Optional[bytes] = ..., market_id: _Optional[int] = ..., cap_quote: _Optional[int] = ..., nonce: _Optional[int] = ..., expiry_time_s: _Optional[int] = ..., signature: _Optional[bytes] = ...) -> None: ...
