from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SignedBatch(_message.Message):
    __slots__ = ("batch_seq", "epoch", "previous_digest", "digest", "payload", "signatures", "first_item_seq", "last_item_seq", "gas_estimate")
    BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    FIRST_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    GAS_ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    batch_seq: int
    epoch: int
    previous_digest: bytes
    digest: bytes
    payload: bytes
    signatures: _containers.RepeatedScalarFieldContainer[bytes]
    first_item_seq: int
    last_item_seq: int
    gas_estimate: int
    def __init__(self, batch_seq: _Optional[int] = ..., epoch: _Optional[int] = ..., previous_digest: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., payload: _Optional[bytes] = ..., signatures: _Optional[_Iterable[bytes]] = ..., first_item_seq: _Optional[int] = ..., last_item_seq: _Optional[int] = ..., gas_estimate: _Optional[int] = ...) -> None: ...
