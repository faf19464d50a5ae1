from bulkhead.types.v1 import reject_reason_pb2 as _reject_reason_pb2
from bulkhead.types.v1 import side_pb2 as _side_pb2
from bulkhead.types.v1 import time_in_force_pb2 as _time_in_force_pb2
from bulkhead.types.v1 import trigger_pb2 as _trigger_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LiquidityRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIQUIDITY_ROLE_UNSPECIFIED: _ClassVar[LiquidityRole]
    LIQUIDITY_ROLE_MAKER: _ClassVar[LiquidityRole]
    LIQUIDITY_ROLE_TAKER: _ClassVar[LiquidityRole]
LIQUIDITY_ROLE_UNSPECIFIED: LiquidityRole
LIQUIDITY_ROLE_MAKER: LiquidityRole
LIQUIDITY_ROLE_TAKER: LiquidityRole

class OrderAccepted(_message.Message):
    __slots__ = ("order_id", "nonce", "market_id", "side", "price_ticks", "qty_lots", "margin_quote", "time_in_force", "is_post_only", "is_reduce_only", "trigger", "expiry_time_s", "instructions")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    MARGIN_QUOTE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    IS_POST_ONLY_FIELD_NUMBER: _ClassVar[int]
    IS_REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_TIME_S_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    nonce: int
    market_id: int
    side: _side_pb2.Side
    price_ticks: int
    qty_lots: int
    margin_quote: int
    time_in_force: _time_in_force_pb2.TimeInForce
    is_post_only: bool
    is_reduce_only: bool
    trigger: _trigger_pb2.Trigger
    expiry_time_s: int
    instructions: bytes
    def __init__(self, order_id: _Optional[int] = ..., nonce: _Optional[int] = ..., market_id: _Optional[int] = ..., side: _Optional[_Union[_side_pb2.Side, str]] = ..., price_ticks: _Optional[int] = ..., qty_lots: _Optional[int] = ..., margin_quote: _Optional[int] = ..., time_in_force: _Optional[_Union[_time_in_force_pb2.TimeInForce, str]] = ..., is_post_only: _Optional[bool] = ..., is_reduce_only: _Optional[bool] = ..., trigger: _Optional[_Union[_trigger_pb2.Trigger, _Mapping]] = ..., expiry_time_s: _Optional[int] = ..., instructions: _Optional[bytes] = ...) -> None: ...

class OrderRejected(_message.Message):
    __slots__ = ("reason", "nonce", "market_id")
    REASON_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    reason: _reject_reason_pb2.RejectReason
    nonce: int
    market_id: int
    def __init__(self, reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ..., nonce: _Optional[int] = ..., market_id: _Optional[int] = ...) -> None: ...

class OrderCanceled(_message.Message):
    __slots__ = ("order_id", "nonce", "market_id", "reason", "remaining_lots")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REMAINING_LOTS_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    nonce: int
    market_id: int
    reason: _reject_reason_pb2.RejectReason
    remaining_lots: int
    def __init__(self, order_id: _Optional[int] = ..., nonce: _Optional[int] = ..., market_id: _Optional[int] = ..., reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ..., remaining_lots: _Optional[int] = ...) -> None: ...

class OrderAmended(_message.Message):
    __slots__ = ("order_id", "nonce", "market_id", "reason", "qty_lots", "remaining_lots")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_LOTS_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    nonce: int
    market_id: int
    reason: _reject_reason_pb2.RejectReason
    qty_lots: int
    remaining_lots: int
    def __init__(self, order_id: _Optional[int] = ..., nonce: _Optional[int] = ..., market_id: _Optional[int] = ..., reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ..., qty_lots: _Optional[int] = ..., remaining_lots: _Optional[int] = ...) -> None: ...

class OrderTriggered(_message.Message):
    __slots__ = ("order_id", "nonce", "market_id", "price_ticks")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    nonce: int
    market_id: int
    price_ticks: int
    def __init__(self, order_id: _Optional[int] = ..., nonce: _Optional[int] = ..., market_id: _Optional[int] = ..., price_ticks: _Optional[int] = ...) -> None: ...

class OrderRepriced(_message.Message):
    __slots__ = ("order_id", "nonce", "market_id", "price_ticks")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    nonce: int
    market_id: int
    price_ticks: int
    def __init__(self, order_id: _Optional[int] = ..., nonce: _Optional[int] = ..., market_id: _Optional[int] = ..., price_ticks: _Optional[int] = ...) -> None: ...

class OrderReplenished(_message.Message):
    __slots__ = ("order_id", "nonce", "market_id", "shown_lots", "remaining_lots")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    SHOWN_LOTS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_LOTS_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    nonce: int
    market_id: int
    shown_lots: int
    remaining_lots: int
    def __init__(self, order_id: _Optional[int] = ..., nonce: _Optional[int] = ..., market_id: _Optional[int] = ..., shown_lots: _Optional[int] = ..., remaining_lots: _Optional[int] = ...) -> None: ...

class OrderFilled(_message.Message):
    __slots__ = ("order_id", "nonce", "market_id", "side", "price_ticks", "qty_lots", "remaining_lots", "role", "fee_quote", "is_liquidation", "item_seq")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_LOTS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    FEE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    IS_LIQUIDATION_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    nonce: int
    market_id: int
    side: _side_pb2.Side
    price_ticks: int
    qty_lots: int
    remaining_lots: int
    role: LiquidityRole
    fee_quote: int
    is_liquidation: bool
    item_seq: int
    def __init__(self, order_id: _Optional[int] = ..., nonce: _Optional[int] = ..., market_id: _Optional[int] = ..., side: _Optional[_Union[_side_pb2.Side, str]] = ..., price_ticks: _Optional[int] = ..., qty_lots: _Optional[int] = ..., remaining_lots: _Optional[int] = ..., role: _Optional[_Union[LiquidityRole, str]] = ..., fee_quote: _Optional[int] = ..., is_liquidation: _Optional[bool] = ..., item_seq: _Optional[int] = ...) -> None: ...
