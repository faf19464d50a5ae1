from bulkhead.types.v1 import market_spec_pb2 as _market_spec_pb2
from bulkhead.types.v1 import reject_reason_pb2 as _reject_reason_pb2
from bulkhead.types.v1 import settlement_state_pb2 as _settlement_state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ForcedRequestKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FORCED_REQUEST_KIND_UNSPECIFIED: _ClassVar[ForcedRequestKind]
    FORCED_REQUEST_KIND_CANCEL_ALL: _ClassVar[ForcedRequestKind]
    FORCED_REQUEST_KIND_REDUCE: _ClassVar[ForcedRequestKind]
    FORCED_REQUEST_KIND_WITHDRAW: _ClassVar[ForcedRequestKind]
    FORCED_REQUEST_KIND_TOP_UP: _ClassVar[ForcedRequestKind]
    FORCED_REQUEST_KIND_UNBACK: _ClassVar[ForcedRequestKind]
    FORCED_REQUEST_KIND_CANCEL: _ClassVar[ForcedRequestKind]
    FORCED_REQUEST_KIND_GIVE: _ClassVar[ForcedRequestKind]
    FORCED_REQUEST_KIND_BACK: _ClassVar[ForcedRequestKind]
FORCED_REQUEST_KIND_UNSPECIFIED: ForcedRequestKind
FORCED_REQUEST_KIND_CANCEL_ALL: ForcedRequestKind
FORCED_REQUEST_KIND_REDUCE: ForcedRequestKind
FORCED_REQUEST_KIND_WITHDRAW: ForcedRequestKind
FORCED_REQUEST_KIND_TOP_UP: ForcedRequestKind
FORCED_REQUEST_KIND_UNBACK: ForcedRequestKind
FORCED_REQUEST_KIND_CANCEL: ForcedRequestKind
FORCED_REQUEST_KIND_GIVE: ForcedRequestKind
FORCED_REQUEST_KIND_BACK: ForcedRequestKind

class ChainDeposit(_message.Message):
    __slots__ = ("deposit_seq", "account", "amount_quote", "block_number", "tx_hash")
    DEPOSIT_SEQ_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_QUOTE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    deposit_seq: int
    account: bytes
    amount_quote: int
    block_number: int
    tx_hash: bytes
    def __init__(self, deposit_seq: _Optional[int] = ..., account: _Optional[bytes] = ..., amount_quote: _Optional[int] = ..., block_number: _Optional[int] = ..., tx_hash: _Optional[bytes] = ...) -> None: ...

class ParametersAnnouncement(_message.Message):
    __slots__ = ("announcement_seq", "spec", "effective_time_s")
    ANNOUNCEMENT_SEQ_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_S_FIELD_NUMBER: _ClassVar[int]
    announcement_seq: int
    spec: _market_spec_pb2.MarketSpec
    effective_time_s: int
    def __init__(self, announcement_seq: _Optional[int] = ..., spec: _Optional[_Union[_market_spec_pb2.MarketSpec, _Mapping]] = ..., effective_time_s: _Optional[int] = ...) -> None: ...

class ChainRequest(_message.Message):
    __slots__ = ("request_id", "account", "kind", "market_id", "amount_or_nonce", "further_nonces")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_OR_NONCE_FIELD_NUMBER: _ClassVar[int]
    FURTHER_NONCES_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    account: bytes
    kind: ForcedRequestKind
    market_id: int
    amount_or_nonce: int
    further_nonces: int
    def __init__(self, request_id: _Optional[int] = ..., account: _Optional[bytes] = ..., kind: _Optional[_Union[ForcedRequestKind, str]] = ..., market_id: _Optional[int] = ..., amount_or_nonce: _Optional[int] = ..., further_nonces: _Optional[int] = ...) -> None: ...

class ChainNotice(_message.Message):
    __slots__ = ("block_number", "log_index", "risk_pause")
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    RISK_PAUSE_FIELD_NUMBER: _ClassVar[int]
    block_number: int
    log_index: int
    risk_pause: RiskPause
    def __init__(self, block_number: _Optional[int] = ..., log_index: _Optional[int] = ..., risk_pause: _Optional[_Union[RiskPause, _Mapping]] = ...) -> None: ...

class RiskPause(_message.Message):
    __slots__ = ("is_paused",)
    IS_PAUSED_FIELD_NUMBER: _ClassVar[int]
    is_paused: bool
    def __init__(self, is_paused: _Optional[bool] = ...) -> None: ...

class BatchProgress(_message.Message):
    __slots__ = ("batch_seq", "state", "first_item_seq", "last_item_seq", "tx_hash")
    BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FIRST_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    batch_seq: int
    state: _settlement_state_pb2.SettlementState
    first_item_seq: int
    last_item_seq: int
    tx_hash: bytes
    def __init__(self, batch_seq: _Optional[int] = ..., state: _Optional[_Union[_settlement_state_pb2.SettlementState, str]] = ..., first_item_seq: _Optional[int] = ..., last_item_seq: _Optional[int] = ..., tx_hash: _Optional[bytes] = ...) -> None: ...

class BatchReceipt(_message.Message):
    __slots__ = ("batch_seq", "first_item_seq", "last_item_seq", "block_number", "tx_hash", "rejected_items")
    BATCH_SEQ_FIELD_NUMBER: _ClassVar[int]
    FIRST_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    REJECTED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    batch_seq: int
    first_item_seq: int
    last_item_seq: int
    block_number: int
    tx_hash: bytes
    rejected_items: _containers.RepeatedCompositeFieldContainer[RejectedItem]
    def __init__(self, batch_seq: _Optional[int] = ..., first_item_seq: _Optional[int] = ..., last_item_seq: _Optional[int] = ..., block_number: _Optional[int] = ..., tx_hash: _Optional[bytes] = ..., rejected_items: _Optional[_Iterable[_Union[RejectedItem, _Mapping]]] = ...) -> None: ...

class RejectedItem(_message.Message):
    __slots__ = ("item_seq", "reason")
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    item_seq: int
    reason: _reject_reason_pb2.RejectReason
    def __init__(self, item_seq: _Optional[int] = ..., reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ...) -> None: ...
