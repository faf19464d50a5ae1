from bulkhead.types.v1 import market_spec_pb2 as _market_spec_pb2
from bulkhead.types.v1 import response_header_pb2 as _response_header_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListMarketRequest(_message.Message):
    __slots__ = ("spec", "display")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_FIELD_NUMBER: _ClassVar[int]
    spec: _market_spec_pb2.MarketSpec
    display: _market_spec_pb2.MarketDisplay
    def __init__(self, spec: _Optional[_Union[_market_spec_pb2.MarketSpec, _Mapping]] = ..., display: _Optional[_Union[_market_spec_pb2.MarketDisplay, _Mapping]] = ...) -> None: ...

class ListMarketResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ...) -> None: ...

class SetMarketStateRequest(_message.Message):
    __slots__ = ("market_id", "state")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    state: _market_spec_pb2.MarketState
    def __init__(self, market_id: _Optional[int] = ..., state: _Optional[_Union[_market_spec_pb2.MarketState, str]] = ...) -> None: ...

class SetMarketStateResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("header", "item_seq", "journal_bytes", "state_hash", "account_count", "session_count", "fees_quote", "deposits_quote", "withdrawals_quote")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_COUNT_FIELD_NUMBER: _ClassVar[int]
    SESSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    FEES_QUOTE_FIELD_NUMBER: _ClassVar[int]
    DEPOSITS_QUOTE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWALS_QUOTE_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    item_seq: int
    journal_bytes: int
    state_hash: bytes
    account_count: int
    session_count: int
    fees_quote: int
    deposits_quote: int
    withdrawals_quote: int
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., item_seq: _Optional[int] = ..., journal_bytes: _Optional[int] = ..., state_hash: _Optional[bytes] = ..., account_count: _Optional[int] = ..., session_count: _Optional[int] = ..., fees_quote: _Optional[int] = ..., deposits_quote: _Optional[int] = ..., withdrawals_quote: _Optional[int] = ...) -> None: ...
