from bulkhead.settlement.v1 import batch_pb2 as _batch_pb2
from bulkhead.types.v1 import response_header_pb2 as _response_header_pb2
from bulkhead.types.v1 import settlement_state_pb2 as _settlement_state_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamBatchesRequest(_message.Message):
    __slots__ = ("from_batch_seq",)
    FROM_BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    from_batch_seq: int
    def __init__(self, from_batch_seq: _Optional[int] = ...) -> None: ...

class StreamBatchesResponse(_message.Message):
    __slots__ = ("header", "batch")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    batch: _batch_pb2.SignedBatch
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., batch: _Optional[_Union[_batch_pb2.SignedBatch, _Mapping]] = ...) -> None: ...

class GetBatchRequest(_message.Message):
    __slots__ = ("batch_seq",)
    BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    batch_seq: int
    def __init__(self, batch_seq: _Optional[int] = ...) -> None: ...

class GetBatchResponse(_message.Message):
    __slots__ = ("header", "batch", "state", "tx_hash", "block_number")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    batch: _batch_pb2.SignedBatch
    state: _settlement_state_pb2.SettlementState
    tx_hash: bytes
    block_number: int
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., batch: _Optional[_Union[_batch_pb2.SignedBatch, _Mapping]] = ..., state: _Optional[_Union[_settlement_state_pb2.SettlementState, str]] = ..., tx_hash: _Optional[bytes] = ..., block_number: _Optional[int] = ...) -> None: ...

class ReportSubmissionRequest(_message.Message):
    __slots__ = ("batch_seq", "tx_hash", "relayer")
    BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    RELAYER_FIELD_NUMBER: _ClassVar[int]
    batch_seq: int
    tx_hash: bytes
    relayer: bytes
    def __init__(self, batch_seq: _Optional[int] = ..., tx_hash: _Optional[bytes] = ..., relayer: _Optional[bytes] = ...) -> None: ...

class ReportSubmissionResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ...) -> None: ...
