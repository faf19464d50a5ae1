from bulkhead.matcher.v1 import book_pb2 as _book_pb2
from bulkhead.types.v1 import market_spec_pb2 as _market_spec_pb2
from bulkhead.types.v1 import side_pb2 as _side_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LiquidationStepKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIQUIDATION_STEP_KIND_UNSPECIFIED: _ClassVar[LiquidationStepKind]
    LIQUIDATION_STEP_KIND_STARTED: _ClassVar[LiquidationStepKind]
    LIQUIDATION_STEP_KIND_FILLED: _ClassVar[LiquidationStepKind]
    LIQUIDATION_STEP_KIND_TAKEN_OVER: _ClassVar[LiquidationStepKind]
    LIQUIDATION_STEP_KIND_DELEVERAGED: _ClassVar[LiquidationStepKind]
LIQUIDATION_STEP_KIND_UNSPECIFIED: LiquidationStepKind
LIQUIDATION_STEP_KIND_STARTED: LiquidationStepKind
LIQUIDATION_STEP_KIND_FILLED: LiquidationStepKind
LIQUIDATION_STEP_KIND_TAKEN_OVER: LiquidationStepKind
LIQUIDATION_STEP_KIND_DELEVERAGED: LiquidationStepKind

class MarketDataEvent(_message.Message):
    __slots__ = ("market_id", "market_seq", "time_ns", "book_snapshot", "book_delta", "traded", "mark_updated", "funding_settled", "liquidation_step", "market_state_changed", "parameters_announced", "parameters_changed")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    MARKET_SEQ_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    BOOK_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    BOOK_DELTA_FIELD_NUMBER: _ClassVar[int]
    TRADED_FIELD_NUMBER: _ClassVar[int]
    MARK_UPDATED_FIELD_NUMBER: _ClassVar[int]
    FUNDING_SETTLED_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_STEP_FIELD_NUMBER: _ClassVar[int]
    MARKET_STATE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_ANNOUNCED_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    market_seq: int
    time_ns: int
    book_snapshot: BookSnapshot
    book_delta: BookDelta
    traded: Traded
    mark_updated: MarkUpdated
    funding_settled: FundingSettled
    liquidation_step: LiquidationStep
    market_state_changed: MarketStateChanged
    parameters_announced: ParametersAnnounced
    parameters_changed: ParametersChanged
    def __init__(self, market_id: _Optional[int] = ..., market_seq: _Optional[int] = ..., time_ns: _Optional[int] = ..., book_snapshot: _Optional[_Union[BookSnapshot, _Mapping]] = ..., book_delta: _Optional[_Union[BookDelta, _Mapping]] = ..., traded: _Optional[_Union[Traded, _Mapping]] = ..., mark_updated: _Optional[_Union[MarkUpdated, _Mapping]] = ..., funding_settled: _Optional[_Union[FundingSettled, _Mapping]] = ..., liquidation_step: _Optional[_Union[LiquidationStep, _Mapping]] = ..., market_state_changed: _Optional[_Union[MarketStateChanged, _Mapping]] = ..., parameters_announced: _Optional[_Union[ParametersAnnounced, _Mapping]] = ..., parameters_changed: _Optional[_Union[ParametersChanged, _Mapping]] = ...) -> None: ...

class BookSnapshot(_message.Message):
    __slots__ = ("book",)
    BOOK_FIELD_NUMBER: _ClassVar[int]
    book: _book_pb2.Book
    def __init__(self, book: _Optional[_Union[_book_pb2.Book, _Mapping]] = ...) -> None: ...

class BookDelta(_message.Message):
    __slots__ = ("bids", "asks")
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    bids: _containers.RepeatedCompositeFieldContainer[_book_pb2.PriceLevel]
    asks: _containers.RepeatedCompositeFieldContainer[_book_pb2.PriceLevel]
    def __init__(self, bids: _Optional[_Iterable[_Union[_book_pb2.PriceLevel, _Mapping]]] = ..., asks: _Optional[_Iterable[_Union[_book_pb2.PriceLevel, _Mapping]]] = ...) -> None: ...

class Traded(_message.Message):
    __slots__ = ("price_ticks", "qty_lots", "taker_side", "is_liquidation", "is_auction")
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    TAKER_SIDE_FIELD_NUMBER: _ClassVar[int]
    IS_LIQUIDATION_FIELD_NUMBER: _ClassVar[int]
    IS_AUCTION_FIELD_NUMBER: _ClassVar[int]
    price_ticks: int
    qty_lots: int
    taker_side: _side_pb2.Side
    is_liquidation: bool
    is_auction: bool
    def __init__(self, price_ticks: _Optional[int] = ..., qty_lots: _Optional[int] = ..., taker_side: _Optional[_Union[_side_pb2.Side, str]] = ..., is_liquidation: _Optional[bool] = ..., is_auction: _Optional[bool] = ...) -> None: ...

class MarkUpdated(_message.Message):
    __slots__ = ("index_price_ticks", "mark_price_ticks", "index_time_ms")
    INDEX_PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    INDEX_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    index_price_ticks: int
    mark_price_ticks: int
    index_time_ms: int
    def __init__(self, index_price_ticks: _Optional[int] = ..., mark_price_ticks: _Optional[int] = ..., index_time_ms: _Optional[int] = ...) -> None: ...

class FundingSettled(_message.Message):
    __slots__ = ("funding_index_e6", "rate_ppm")
    FUNDING_INDEX_E6_FIELD_NUMBER: _ClassVar[int]
    RATE_PPM_FIELD_NUMBER: _ClassVar[int]
    funding_index_e6: int
    rate_ppm: int
    def __init__(self, funding_index_e6: _Optional[int] = ..., rate_ppm: _Optional[int] = ...) -> None: ...

class LiquidationStep(_message.Message):
    __slots__ = ("kind", "side", "qty_lots", "price_ticks")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    kind: LiquidationStepKind
    side: _side_pb2.Side
    qty_lots: int
    price_ticks: int
    def __init__(self, kind: _Optional[_Union[LiquidationStepKind, str]] = ..., side: _Optional[_Union[_side_pb2.Side, str]] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ...) -> None: ...

class MarketStateChanged(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _market_spec_pb2.MarketState
    def __init__(self, state: _Optional[_Union[_market_spec_pb2.MarketState, str]] = ...) -> None: ...

class ParametersAnnounced(_message.Message):
    __slots__ = ("version", "effective_time_s")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_S_FIELD_NUMBER: _ClassVar[int]
    version: int
    effective_time_s: int
    def __init__(self, version: _Optional[int] = ..., effective_time_s: _Optional[int] = ...) -> None: ...

class ParametersChanged(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...
