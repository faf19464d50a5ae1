from bulkhead.matcher.v1 import chain_event_pb2 as _chain_event_pb2
from bulkhead.matcher.v1 import position_pb2 as _position_pb2
from bulkhead.types.v1 import reject_reason_pb2 as _reject_reason_pb2
from bulkhead.types.v1 import settlement_state_pb2 as _settlement_state_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PositionUpdated(_message.Message):
    __slots__ = ("position", "free_quote")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    FREE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    position: _position_pb2.Position
    free_quote: int
    def __init__(self, position: _Optional[_Union[_position_pb2.Position, _Mapping]] = ..., free_quote: _Optional[int] = ...) -> None: ...

class CollateralMoved(_message.Message):
    __slots__ = ("market_id", "amount_quote", "nonce", "item_seq")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_QUOTE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    amount_quote: int
    nonce: int
    item_seq: int
    def __init__(self, market_id: _Optional[int] = ..., amount_quote: _Optional[int] = ..., nonce: _Optional[int] = ..., item_seq: _Optional[int] = ...) -> None: ...

class AutoTopUpSet(_message.Message):
    __slots__ = ("market_id", "cap_quote", "nonce")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    CAP_QUOTE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    cap_quote: int
    nonce: int
    def __init__(self, market_id: _Optional[int] = ..., cap_quote: _Optional[int] = ..., nonce: _Optional[int] = ...) -> None: ...

class AutoToppedUp(_message.Message):
    __slots__ = ("market_id", "amount_quote", "cap_left_quote", "nonce", "item_seq")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_QUOTE_FIELD_NUMBER: _ClassVar[int]
    CAP_LEFT_QUOTE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    amount_quote: int
    cap_left_quote: int
    nonce: int
    item_seq: int
    def __init__(self, market_id: _Optional[int] = ..., amount_quote: _Optional[int] = ..., cap_left_quote: _Optional[int] = ..., nonce: _Optional[int] = ..., item_seq: _Optional[int] = ...) -> None: ...

class PositionSettled(_message.Message):
    __slots__ = ("market_id", "qty_lots", "price_ticks", "released_quote", "lacking_quote", "item_seq")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_QUOTE_FIELD_NUMBER: _ClassVar[int]
    LACKING_QUOTE_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    qty_lots: int
    price_ticks: int
    released_quote: int
    lacking_quote: int
    item_seq: int
    def __init__(self, market_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ..., released_quote: _Optional[int] = ..., lacking_quote: _Optional[int] = ..., item_seq: _Optional[int] = ...) -> None: ...

class DepositCredited(_message.Message):
    __slots__ = ("amount_quote", "deposit_seq", "free_quote")
    AMOUNT_QUOTE_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_SEQ_FIELD_NUMBER: _ClassVar[int]
    FREE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    amount_quote: int
    deposit_seq: int
    free_quote: int
    def __init__(self, amount_quote: _Optional[int] = ..., deposit_seq: _Optional[int] = ..., free_quote: _Optional[int] = ...) -> None: ...

class WithdrawalAccepted(_message.Message):
    __slots__ = ("amount_quote", "nonce", "item_seq")
    AMOUNT_QUOTE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    amount_quote: int
    nonce: int
    item_seq: int
    def __init__(self, amount_quote: _Optional[int] = ..., nonce: _Optional[int] = ..., item_seq: _Optional[int] = ...) -> None: ...

class LiquidationStarted(_message.Message):
    __slots__ = ("market_id", "position_lots", "mark_price_ticks", "equity_quote", "maintenance_quote")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_LOTS_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    EQUITY_QUOTE_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    position_lots: int
    mark_price_ticks: int
    equity_quote: int
    maintenance_quote: int
    def __init__(self, market_id: _Optional[int] = ..., position_lots: _Optional[int] = ..., mark_price_ticks: _Optional[int] = ..., equity_quote: _Optional[int] = ..., maintenance_quote: _Optional[int] = ...) -> None: ...

class PositionTakenOver(_message.Message):
    __slots__ = ("market_id", "qty_lots", "price_ticks", "dust_quote", "item_seq")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    DUST_QUOTE_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    qty_lots: int
    price_ticks: int
    dust_quote: int
    item_seq: int
    def __init__(self, market_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ..., dust_quote: _Optional[int] = ..., item_seq: _Optional[int] = ...) -> None: ...

class LiquidationEnded(_message.Message):
    __slots__ = ("market_id", "qty_lots", "collateral_quote")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    COLLATERAL_QUOTE_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    qty_lots: int
    collateral_quote: int
    def __init__(self, market_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., collateral_quote: _Optional[int] = ...) -> None: ...

class PositionDeleveraged(_message.Message):
    __slots__ = ("market_id", "qty_lots", "price_ticks", "is_bankrupt", "rank", "item_seq")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    IS_BANKRUPT_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    qty_lots: int
    price_ticks: int
    is_bankrupt: bool
    rank: int
    item_seq: int
    def __init__(self, market_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ..., is_bankrupt: _Optional[bool] = ..., rank: _Optional[int] = ..., item_seq: _Optional[int] = ...) -> None: ...

class PositionFrozen(_message.Message):
    __slots__ = ("market_id", "is_frozen")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    IS_FROZEN_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    is_frozen: bool
    def __init__(self, market_id: _Optional[int] = ..., is_frozen: _Optional[bool] = ...) -> None: ...

class RequestServed(_message.Message):
    __slots__ = ("forced_request_id", "kind", "market_id", "reason", "qty_lots", "price_ticks", "amount_quote", "fee_quote", "item_seq")
    FORCED_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_QUOTE_FIELD_NUMBER: _ClassVar[int]
    FEE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    forced_request_id: int
    kind: _chain_event_pb2.ForcedRequestKind
    market_id: int
    reason: _reject_reason_pb2.RejectReason
    qty_lots: int
    price_ticks: int
    amount_quote: int
    fee_quote: int
    item_seq: int
    def __init__(self, forced_request_id: _Optional[int] = ..., kind: _Optional[_Union[_chain_event_pb2.ForcedRequestKind, str]] = ..., market_id: _Optional[int] = ..., reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ..., amount_quote: _Optional[int] = ..., fee_quote: _Optional[int] = ..., item_seq: _Optional[int] = ...) -> None: ...

class SettlementStateChanged(_message.Message):
    __slots__ = ("state", "first_item_seq", "last_item_seq", "batch_seq", "tx_hash", "block_number", "reason")
    STATE_FIELD_NUMBER: _ClassVar[int]
    FIRST_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    state: _settlement_state_pb2.SettlementState
    first_item_seq: int
    last_item_seq: int
    batch_seq: int
    tx_hash: bytes
    block_number: int
    reason: _reject_reason_pb2.RejectReason
    def __init__(self, state: _Optional[_Union[_settlement_state_pb2.SettlementState, str]] = ..., first_item_seq: _Optional[int] = ..., last_item_seq: _Optional[int] = ..., batch_seq: _Optional[int] = ..., tx_hash: _Optional[bytes] = ..., block_number: _Optional[int] = ..., reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ...) -> None: ...
