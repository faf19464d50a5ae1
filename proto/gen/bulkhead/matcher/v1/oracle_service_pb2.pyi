from bulkhead.types.v1 import reject_reason_pb2 as _reject_reason_pb2
from bulkhead.types.v1 import response_header_pb2 as _response_header_pb2
from bulkhead.types.v1 import signed_index_price_pb2 as _signed_index_price_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitIndexPricesRequest(_message.Message):
    __slots__ = ("index_prices",)
    INDEX_PRICES_FIELD_NUMBER: _ClassVar[int]
    index_prices: _containers.RepeatedCompositeFieldContainer[_signed_index_price_pb2.SignedIndexPrice]
    def __init__(self, index_prices: _Optional[_Iterable[_Union[_signed_index_price_pb2.SignedIndexPrice, _Mapping]]] = ...) -> None: ...

class SubmitIndexPricesResponse(_message.Message):
    __slots__ = ("header", "reject_reasons")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REJECT_REASONS_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    reject_reasons: _containers.RepeatedScalarFieldContainer[_reject_reason_pb2.RejectReason]
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., reject_reasons: _Optional[_Iterable[_Union[_reject_reason_pb2.RejectReason, str]]] = ...) -> None: ...
