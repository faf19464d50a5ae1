from bulkhead.types.v1 import side_pb2 as _side_pb2
from bulkhead.types.v1 import time_in_force_pb2 as _time_in_force_pb2
from bulkhead.types.v1 import trigger_pb2 as _trigger_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Order(_message.Message):
    __slots__ = ("order_id", "nonce", "market_id", "side", "time_in_force", "is_post_only", "is_reduce_only", "price_ticks", "qty_lots", "remaining_lots", "margin_quote", "trigger", "expiry_time_s", "instructions")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    IS_POST_ONLY_FIELD_NUMBER: _ClassVar[int]
    IS_REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_LOTS_FIELD_NUMBER: _ClassVar[int]
    MARGIN_QUOTE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_TIME_S_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    nonce: int
    market_id: int
    side: _side_pb2.Side
    time_in_force: _time_in_force_pb2.TimeInForce
    is_post_only: bool
    is_reduce_only: bool
    price_ticks: int
    qty_lots: int
    remaining_lots: int
    margin_quote: int
    trigger: _trigger_pb2.Trigger
    expiry_time_s: int
    instructions: bytes
    def __init__(self, order_id: _Optional[int] = ..., nonce: _Optional[int] = ..., market_id: _Optional[int] = ..., side: _Optional[_Union[_side_pb2.Side, str]] = ..., time_in_force: _Optional[_Union[_time_in_force_pb2.TimeInForce, str]] = ..., is_post_only: _Optional[bool] = ..., is_reduce_only: _Optional[bool] = ..., price_ticks: _Optional[int] = ..., qty_lots: _Optional[int] = ..., remaining_lots: _Optional[int] = ..., margin_quote: _Optional[int] = ..., trigger: _Optional[_Union[_trigger_pb2.Trigger, _Mapping]] = ..., expiry_time_s: _Optional[int] = ..., instructions: _Optional[bytes] = ...) -> None: ...
