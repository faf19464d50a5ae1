from bulkhead.matcher.v1 import chain_event_pb2 as _chain_event_pb2
from bulkhead.matcher.v1 import settlement_item_pb2 as _settlement_item_pb2
from bulkhead.types.v1 import response_header_pb2 as _response_header_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamItemsRequest(_message.Message):
    __slots__ = ("from_item_seq",)
    FROM_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    from_item_seq: int
    def __init__(self, from_item_seq: _Optional[int] = ...) -> None: ...

class StreamItemsResponse(_message.Message):
    __slots__ = ("header", "orders", "items")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    orders: _containers.RepeatedCompositeFieldContainer[_settlement_item_pb2.SettlementOrder]
    items: _containers.RepeatedCompositeFieldContainer[_settlement_item_pb2.SettlementItem]
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., orders: _Optional[_Iterable[_Union[_settlement_item_pb2.SettlementOrder, _Mapping]]] = ..., items: _Optional[_Iterable[_Union[_settlement_item_pb2.SettlementItem, _Mapping]]] = ...) -> None: ...

class ReportChainEventsRequest(_message.Message):
    __slots__ = ("deposits", "batch_progress", "batch_receipts", "announcements", "requests", "notices")
    DEPOSITS_FIELD_NUMBER: _ClassVar[int]
    BATCH_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    BATCH_RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCEMENTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    deposits: _containers.RepeatedCompositeFieldContainer[_chain_event_pb2.ChainDeposit]
    batch_progress: _containers.RepeatedCompositeFieldContainer[_chain_event_pb2.BatchProgress]
    batch_receipts: _containers.RepeatedCompositeFieldContainer[_chain_event_pb2.BatchReceipt]
    announcements: _containers.RepeatedCompositeFieldContainer[_chain_event_pb2.ParametersAnnouncement]
    requests: _containers.RepeatedCompositeFieldContainer[_chain_event_pb2.ChainRequest]
    notices: _containers.RepeatedCompositeFieldContainer[_chain_event_pb2.ChainNotice]
    def __init__(self, deposits: _Optional[_Iterable[_Union[_chain_event_pb2.ChainDeposit, _Mapping]]] = ..., batch_progress: _Optional[_Iterable[_Union[_chain_event_pb2.BatchProgress, _Mapping]]] = ..., batch_receipts: _Optional[_Iterable[_Union[_chain_event_pb2.BatchReceipt, _Mapping]]] = ..., announcements: _Optional[_Iterable[_Union[_chain_event_pb2.ParametersAnnouncement, _Mapping]]] = ..., requests: _Optional[_Iterable[_Union[_chain_event_pb2.ChainRequest, _Mapping]]] = ..., notices: _Optional[_Iterable[_Union[_chain_event_pb2.ChainNotice, _Mapping]]] = ...) -> None: ...

class ReportChainEventsResponse(_message.Message):
    __slots__ = ("header", "deposit_seq", "batch_seq", "request_seq")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_SEQ_FIELD_NUMBER: _ClassVar[int]
    BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    deposit_seq: int
    batch_seq: int
    request_seq: int
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., deposit_seq: _Optional[int] = ..., batch_seq: _Optional[int] = ..., request_seq: _Optional[int] = ...) -> None: ...

class GetCursorRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCursorResponse(_message.Message):
    __slots__ = ("header", "deposit_seq", "batch_seq", "settled_item_seq", "item_seq", "request_seq")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_SEQ_FIELD_NUMBER: _ClassVar[int]
    BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    SETTLED_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    deposit_seq: int
    batch_seq: int
    settled_item_seq: int
    item_seq: int
    request_seq: int
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., deposit_seq: _Optional[int] = ..., batch_seq: _Optional[int] = ..., settled_item_seq: _Optional[int] = ..., item_seq: _Optional[int] = ..., request_seq: _Optional[int] = ...) -> None: ...
