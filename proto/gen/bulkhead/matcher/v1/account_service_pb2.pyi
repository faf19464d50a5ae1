from bulkhead.matcher.v1 import order_pb2 as _order_pb2
from bulkhead.matcher.v1 import position_pb2 as _position_pb2
from bulkhead.types.v1 import reject_reason_pb2 as _reject_reason_pb2
from bulkhead.types.v1 import response_header_pb2 as _response_header_pb2
from bulkhead.types.v1 import settlement_state_pb2 as _settlement_state_pb2
from bulkhead.types.v1 import signed_auto_top_up_pb2 as _signed_auto_top_up_pb2
from bulkhead.types.v1 import signed_collateral_move_pb2 as _signed_collateral_move_pb2
from bulkhead.types.v1 import signed_order_pb2 as _signed_order_pb2
from bulkhead.types.v1 import signed_withdrawal_pb2 as _signed_withdrawal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetAccountRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAccountResponse(_message.Message):
    __slots__ = ("header", "account", "is_registered", "free_quote", "reserved_quote", "account_seq", "order_count")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    IS_REGISTERED_FIELD_NUMBER: _ClassVar[int]
    FREE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    RESERVED_QUOTE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_SEQ_FIELD_NUMBER: _ClassVar[int]
    ORDER_COUNT_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    account: bytes
    is_registered: bool
    free_quote: int
    reserved_quote: int
    account_seq: int
    order_count: int
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., account: _Optional[bytes] = ..., is_registered: _Optional[bool] = ..., free_quote: _Optional[int] = ..., reserved_quote: _Optional[int] = ..., account_seq: _Optional[int] = ..., order_count: _Optional[int] = ...) -> None: ...

class GetPositionRequest(_message.Message):
    __slots__ = ("market_id",)
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    def __init__(self, market_id: _Optional[int] = ...) -> None: ...

class GetPositionResponse(_message.Message):
    __slots__ = ("header", "position")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    position: _position_pb2.Position
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., position: _Optional[_Union[_position_pb2.Position, _Mapping]] = ...) -> None: ...

class ListPositionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPositionsResponse(_message.Message):
    __slots__ = ("header", "positions")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    positions: _containers.RepeatedCompositeFieldContainer[_position_pb2.Position]
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., positions: _Optional[_Iterable[_Union[_position_pb2.Position, _Mapping]]] = ...) -> None: ...

class PreviewOrderRequest(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _signed_order_pb2.SignedOrder
    def __init__(self, order: _Optional[_Union[_signed_order_pb2.SignedOrder, _Mapping]] = ...) -> None: ...

class PreviewOrderResponse(_message.Message):
    __slots__ = ("header", "reject_reason", "margin_needed_quote", "fee_quote", "position_after", "free_after_quote")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REJECT_REASON_FIELD_NUMBER: _ClassVar[int]
    MARGIN_NEEDED_QUOTE_FIELD_NUMBER: _ClassVar[int]
    FEE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    POSITION_AFTER_FIELD_NUMBER: _ClassVar[int]
    FREE_AFTER_QUOTE_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    reject_reason: _reject_reason_pb2.RejectReason
    margin_needed_quote: int
    fee_quote: int
    position_after: _position_pb2.Position
    free_after_quote: int
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., reject_reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ..., margin_needed_quote: _Optional[int] = ..., fee_quote: _Optional[int] = ..., position_after: _Optional[_Union[_position_pb2.Position, _Mapping]] = ..., free_after_quote: _Optional[int] = ...) -> None: ...

class MoveCollateralRequest(_message.Message):
    __slots__ = ("move",)
    MOVE_FIELD_NUMBER: _ClassVar[int]
    move: _signed_collateral_move_pb2.SignedCollateralMove
    def __init__(self, move: _Optional[_Union[_signed_collateral_move_pb2.SignedCollateralMove, _Mapping]] = ...) -> None: ...

class MoveCollateralResponse(_message.Message):
    __slots__ = ("header", "reject_reason", "item_seq", "position", "free_quote")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REJECT_REASON_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    FREE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    reject_reason: _reject_reason_pb2.RejectReason
    item_seq: int
    position: _position_pb2.Position
    free_quote: int
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., reject_reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ..., item_seq: _Optional[int] = ..., position: _Optional[_Union[_position_pb2.Position, _Mapping]] = ..., free_quote: _Optional[int] = ...) -> None: ...

class SetAutoTopUpRequest(_message.Message):
    __slots__ = ("instruction",)
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    instruction: _signed_auto_top_up_pb2.SignedAutoTopUp
    def __init__(self, instruction: _Optional[_Union[_signed_auto_top_up_pb2.SignedAutoTopUp, _Mapping]] = ...) -> None: ...

class SetAutoTopUpResponse(_message.Message):
    __slots__ = ("header", "reject_reason")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REJECT_REASON_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    reject_reason: _reject_reason_pb2.RejectReason
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., reject_reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ...) -> None: ...

class WithdrawRequest(_message.Message):
    __slots__ = ("withdrawal",)
    WITHDRAWAL_FIELD_NUMBER: _ClassVar[int]
    withdrawal: _signed_withdrawal_pb2.SignedWithdrawal
    def __init__(self, withdrawal: _Optional[_Union[_signed_withdrawal_pb2.SignedWithdrawal, _Mapping]] = ...) -> None: ...

class WithdrawResponse(_message.Message):
    __slots__ = ("header", "reject_reason", "item_seq", "free_quote")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REJECT_REASON_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    FREE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    reject_reason: _reject_reason_pb2.RejectReason
    item_seq: int
    free_quote: int
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., reject_reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ..., item_seq: _Optional[int] = ..., free_quote: _Optional[int] = ...) -> None: ...

class ListOpenOrdersRequest(_message.Message):
    __slots__ = ("market_id", "after_order_id", "order_count_max")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_COUNT_MAX_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    after_order_id: int
    order_count_max: int
    def __init__(self, market_id: _Optional[int] = ..., after_order_id: _Optional[int] = ..., order_count_max: _Optional[int] = ...) -> None: ...

class ListOpenOrdersResponse(_message.Message):
    __slots__ = ("header", "orders")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.Order]
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., orders: _Optional[_Iterable[_Union[_order_pb2.Order, _Mapping]]] = ...) -> None: ...

class GetSettlementStateRequest(_message.Message):
    __slots__ = ("item_seq",)
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    item_seq: int
    def __init__(self, item_seq: _Optional[int] = ...) -> None: ...

class GetSettlementStateResponse(_message.Message):
    __slots__ = ("header", "state", "batch_seq", "tx_hash", "block_number", "reason")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    header: _response_header_pb2.ResponseHeader
    state: _settlement_state_pb2.SettlementState
    batch_seq: int
    tx_hash: bytes
    block_number: int
    reason: _reject_reason_pb2.RejectReason
    def __init__(self, header: _Optional[_Union[_response_header_pb2.ResponseHeader, _Mapping]] = ..., state: _Optional[_Union[_settlement_state_pb2.SettlementState, str]] = ..., batch_seq: _Optional[int] = ..., tx_hash: _Optional[bytes] = ..., block_number: _Optional[int] = ..., reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ...) -> None: ...
