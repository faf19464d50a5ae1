from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SigningDomain(_message.Message):
    __slots__ = ("chain_id", "contract")
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    chain_id: int
    contract: bytes
    def __init__(self, chain_id: _Optional[int] = ..., contract: _Optional[bytes] = ...) -> None: ...
