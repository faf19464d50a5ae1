from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SignedWithdrawal(_message.Message):
    __slots__ = ("account", "receiver", "amount_quote", "nonce", "expiry_time_s", "signature")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_QUOTE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_TIME_S_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    receiver: bytes
    amount_quote: int
    nonce: int
    expiry_time_s: int
    signature: bytes
    def __init__(self, account: _Optional[bytes] = ..., receiver: _Optional[bytes] = ..., amount_quote: _Optional[int] = ..., nonce: _Optional[int] = ..., expiry_time_s: _Optional[int] = ..., signature: _Optional[bytes] = ...) -> None: ...
