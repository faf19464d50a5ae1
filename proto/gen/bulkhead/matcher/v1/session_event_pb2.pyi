from bulkhead.matcher.v1 import order_event_pb2 as _order_event_pb2
from bulkhead.matcher.v1 import position_event_pb2 as _position_event_pb2
from bulkhead.types.v1 import reject_reason_pb2 as _reject_reason_pb2
from bulkhead.types.v1 import signing_domain_pb2 as _signing_domain_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionEvent(_message.Message):
    __slots__ = ("account_seq", "request_id", "time_ns", "login_challenge", "login_accepted", "heartbeat_acknowledged", "dead_man_timer_set", "command_rejected", "mass_canceled", "order_accepted", "order_rejected", "order_canceled", "order_triggered", "order_filled", "position_updated", "collateral_moved", "deposit_credited", "withdrawal_accepted", "liquidation_started", "position_taken_over", "liquidation_ended", "position_deleveraged", "position_frozen", "settlement_state_changed", "order_amended", "order_repriced", "order_replenished", "auto_top_up_set", "auto_topped_up", "request_served", "position_settled")
    ACCOUNT_SEQ_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    LOGIN_CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    LOGIN_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    DEAD_MAN_TIMER_SET_FIELD_NUMBER: _ClassVar[int]
    COMMAND_REJECTED_FIELD_NUMBER: _ClassVar[int]
    MASS_CANCELED_FIELD_NUMBER: _ClassVar[int]
    ORDER_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ORDER_REJECTED_FIELD_NUMBER: _ClassVar[int]
    ORDER_CANCELED_FIELD_NUMBER: _ClassVar[int]
    ORDER_TRIGGERED_FIELD_NUMBER: _ClassVar[int]
    ORDER_FILLED_FIELD_NUMBER: _ClassVar[int]
    POSITION_UPDATED_FIELD_NUMBER: _ClassVar[int]
    COLLATERAL_MOVED_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_CREDITED_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWAL_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_STARTED_FIELD_NUMBER: _ClassVar[int]
    POSITION_TAKEN_OVER_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_ENDED_FIELD_NUMBER: _ClassVar[int]
    POSITION_DELEVERAGED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FROZEN_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_STATE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    ORDER_AMENDED_FIELD_NUMBER: _ClassVar[int]
    ORDER_REPRICED_FIELD_NUMBER: _ClassVar[int]
    ORDER_REPLENISHED_FIELD_NUMBER: _ClassVar[int]
    AUTO_TOP_UP_SET_FIELD_NUMBER: _ClassVar[int]
    AUTO_TOPPED_UP_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SERVED_FIELD_NUMBER: _ClassVar[int]
    POSITION_SETTLED_FIELD_NUMBER: _ClassVar[int]
    account_seq: int
    request_id: int
    time_ns: int
    login_challenge: LoginChallenge
    login_accepted: LoginAccepted
    heartbeat_acknowledged: HeartbeatAcknowledged
    dead_man_timer_set: DeadManTimerSet
    command_rejected: CommandRejected
    mass_canceled: MassCanceled
    order_accepted: _order_event_pb2.OrderAccepted
    order_rejected: _order_event_pb2.OrderRejected
    order_canceled: _order_event_pb2.OrderCanceled
    order_triggered: _order_event_pb2.OrderTriggered
    order_filled: _order_event_pb2.OrderFilled
    position_updated: _position_event_pb2.PositionUpdated
    collateral_moved: _position_event_pb2.CollateralMoved
    deposit_credited: _position_event_pb2.DepositCredited
    withdrawal_accepted: _position_event_pb2.WithdrawalAccepted
    liquidation_started: _position_event_pb2.LiquidationStarted
    position_taken_over: _position_event_pb2.PositionTakenOver
    liquidation_ended: _position_event_pb2.LiquidationEnded
    position_deleveraged: _position_event_pb2.PositionDeleveraged
    position_frozen: _position_event_pb2.PositionFrozen
    settlement_state_changed: _position_event_pb2.SettlementStateChanged
    order_amended: _order_event_pb2.OrderAmended
    order_repriced: _order_event_pb2.OrderRepriced
    order_replenished: _order_event_pb2.OrderReplenished
    auto_top_up_set: _position_event_pb2.AutoTopUpSet
    auto_topped_up: _position_event_pb2.AutoToppedUp
    request_served: _position_event_pb2.RequestServed
    position_settled: _position_event_pb2.PositionSettled
    def __init__(self, account_seq: _Optional[int] = ..., request_id: _Optional[int] = ..., time_ns: _Optional[int] = ..., login_challenge: _Optional[_Union[LoginChallenge, _Mapping]] = ..., login_accepted: _Optional[_Union[LoginAccepted, _Mapping]] = ..., heartbeat_acknowledged: _Optional[_Union[HeartbeatAcknowledged, _Mapping]] = ..., dead_man_timer_set: _Optional[_Union[DeadManTimerSet, _Mapping]] = ..., command_rejected: _Optional[_Union[CommandRejected, _Mapping]] = ..., mass_canceled: _Optional[_Union[MassCanceled, _Mapping]] = ..., order_accepted: _Optional[_Union[_order_event_pb2.OrderAccepted, _Mapping]] = ..., order_rejected: _Optional[_Union[_order_event_pb2.OrderRejected, _Mapping]] = ..., order_canceled: _Optional[_Union[_order_event_pb2.OrderCanceled, _Mapping]] = ..., order_triggered: _Optional[_Union[_order_event_pb2.OrderTriggered, _Mapping]] = ..., order_filled: _Optional[_Union[_order_event_pb2.OrderFilled, _Mapping]] = ..., position_updated: _Optional[_Union[_position_event_pb2.PositionUpdated, _Mapping]] = ..., collateral_moved: _Optional[_Union[_position_event_pb2.CollateralMoved, _Mapping]] = ..., deposit_credited: _Optional[_Union[_position_event_pb2.DepositCredited, _Mapping]] = ..., withdrawal_accepted: _Optional[_Union[_position_event_pb2.WithdrawalAccepted, _Mapping]] = ..., liquidation_started: _Optional[_Union[_position_event_pb2.LiquidationStarted, _Mapping]] = ..., position_taken_over: _Optional[_Union[_position_event_pb2.PositionTakenOver, _Mapping]] = ..., liquidation_ended: _Optional[_Union[_position_event_pb2.LiquidationEnded, _Mapping]] = ..., position_deleveraged: _Optional[_Union[_position_event_pb2.PositionDeleveraged, _Mapping]] = ..., position_frozen: _Optional[_Union[_position_event_pb2.PositionFrozen, _Mapping]] = ..., settlement_state_changed: _Optional[_Union[_position_event_pb2.SettlementStateChanged, _Mapping]] = ..., order_amended: _Optional[_Union[_order_event_pb2.OrderAmended, _Mapping]] = ..., order_repriced: _Optional[_Union[_order_event_pb2.OrderRepriced, _Mapping]] = ..., order_replenished: _Optional[_Union[_order_event_pb2.OrderReplenished, _Mapping]] = ..., auto_top_up_set: _Optional[_Union[_position_event_pb2.AutoTopUpSet, _Mapping]] = ..., auto_topped_up: _Optional[_Union[_position_event_pb2.AutoToppedUp, _Mapping]] = ..., request_served: _Optional[_Union[_position_event_pb2.RequestServed, _Mapping]] = ..., position_settled: _Optional[_Union[_position_event_pb2.PositionSettled, _Mapping]] = ...) -> None: ...

class LoginChallenge(_message.Message):
    __slots__ = ("challenge", "signing_domain")
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    SIGNING_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    challenge: bytes
    signing_domain: _signing_domain_pb2.SigningDomain
    def __init__(self, challenge: _Optional[bytes] = ..., signing_domain: _Optional[_Union[_signing_domain_pb2.SigningDomain, _Mapping]] = ...) -> None: ...

class LoginAccepted(_message.Message):
    __slots__ = ("session_token", "session_token_expiry_time_ns", "account_seq", "is_registered")
    SESSION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_TOKEN_EXPIRY_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_SEQ_FIELD_NUMBER: _ClassVar[int]
    IS_REGISTERED_FIELD_NUMBER: _ClassVar[int]
    session_token: str
    session_token_expiry_time_ns: int
    account_seq: int
    is_registered: bool
    def __init__(self, session_token: _Optional[str] = ..., session_token_expiry_time_ns: _Optional[int] = ..., account_seq: _Optional[int] = ..., is_registered: _Optional[bool] = ...) -> None: ...

class HeartbeatAcknowledged(_message.Message):
    __slots__ = ("session_token", "session_token_expiry_time_ns")
    SESSION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_TOKEN_EXPIRY_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    session_token: str
    session_token_expiry_time_ns: int
    def __init__(self, session_token: _Optional[str] = ..., session_token_expiry_time_ns: _Optional[int] = ...) -> None: ...

class DeadManTimerSet(_message.Message):
    __slots__ = ("timeout_ns",)
    TIMEOUT_NS_FIELD_NUMBER: _ClassVar[int]
    timeout_ns: int
    def __init__(self, timeout_ns: _Optional[int] = ...) -> None: ...

class CommandRejected(_message.Message):
    __slots__ = ("reason", "order_id", "nonce")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    reason: _reject_reason_pb2.RejectReason
    order_id: int
    nonce: int
    def __init__(self, reason: _Optional[_Union[_reject_reason_pb2.RejectReason, str]] = ..., order_id: _Optional[int] = ..., nonce: _Optional[int] = ...) -> None: ...

class MassCanceled(_message.Message):
    __slots__ = ("order_count",)
    ORDER_COUNT_FIELD_NUMBER: _ClassVar[int]
    order_count: int
    def __init__(self, order_count: _Optional[int] = ...) -> None: ...
