from bulkhead.matcher.v1 import book_pb2 as _book_pb2
from bulkhead.matcher.v1 import market_data_event_pb2 as _market_data_event_pb2
from bulkhead.types.v1 import market_spec_pb2 as _market_spec_pb2
from bulkhead.types.v1 import response_header_pb2 as _response_header_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListMarketsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListMarketsResponse(_message.Message):
    __slots__ = ("header", "markets")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    MARKETS_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    markets: _containers.RepeatedCompositeFieldContainer[Market]
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., markets: _Optional[_Iterable[_Union[Market, _Mapping]]] = ...) -> None: ...

class GetBookRequest(_message.Message):
    __slots__ = ("market_id", "depth_count_max")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    DEPTH_COUNT_MAX_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    depth_count_max: int
    def __init__(self, market_id: _Optional[int] = ..., depth_count_max: _Optional[int] = ...) -> None: ...

class GetBookResponse(_message.Message):
    __slots__ = ("header", "book")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    BOOK_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    book: _book_pb2.Book
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., book: _Optional[_Union[_book_pb2.Book, _Mapping]] = ...) -> None: ...

class StreamMarketDataRequest(_message.Message):
    __slots__ = ("market_ids",)
    MARKET_IDS_FIELD_NUMBER: _ClassVar[int]
    market_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, market_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class StreamMarketDataResponse(_message.Message):
    __slots__ = ("header", "events")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    events: _containers.RepeatedCompositeFieldContainer[_market_data_event_pb2.MarketDataEvent]
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_market_data_event_pb2.MarketDataEvent, _Mapping]]] = ...) -> None: ...

class Market(_message.Message):
    __slots__ = ("spec", "display", "state", "prices", "last_price_ticks", "funding_index_e6", "funding_rate_ppm", "next_funding_time_ns", "open_interest_lots", "insurance_fund_quote")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    LAST_PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    FUNDING_INDEX_E6_FIELD_NUMBER: _ClassVar[int]
    FUNDING_RATE_PPM_FIELD_NUMBER: _ClassVar[int]
    NEXT_FUNDING_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_LOTS_FIELD_NUMBER: _ClassVar[int]
    INSURANCE_FUND_QUOTE_FIELD_NUMBER: _ClassVar[int]
    spec: _market_spec_pb2.MarketSpec
    display: _market_spec_pb2.MarketDisplay
    state: _market_spec_pb2.MarketState
    prices: _market_data_event_pb2.MarkUpdated
    last_price_ticks: int
    funding_index_e6: int
    funding_rate_ppm: int
    next_funding_time_ns: int
    open_interest_lots: int
    insurance_fund_quote: int
    def __init__(self, spec: _Optional[_Union[_market_spec_pb2.MarketSpec, _Mapping]] = ..., display: _Optional[_Union[_market_spec_pb2.MarketDisplay, _Mapping]] = ..., state: _Optional[_Union[_market_spec_pb2.MarketState, str]] = ..., prices: _Optional[_Union[_market_data_event_pb2.MarkUpdated, _Mapping]] = ..., last_price_ticks: _Optional[int] = ..., funding_index_e6: _Optional[int] = ..., funding_rate_ppm: _Optional[int] = ..., next_funding_time_ns: _Optional[int] = ..., open_interest_lots: _Optional[int] = ..., insurance_fund_quote: _Optional[int] = ...) -> None: ...
