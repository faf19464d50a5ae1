from bulkhead.types.v1 import side_pb2 as _side_pb2
from bulkhead.types.v1 import signed_order_pb2 as _signed_order_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Command(_message.Message):
    __slots__ = ("request_id", "login", "place_order", "cancel_order", "cancel_all", "replace_order", "heartbeat", "set_dead_man_timer", "amend_order", "group")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    PLACE_ORDER_FIELD_NUMBER: _ClassVar[int]
    CANCEL_ORDER_FIELD_NUMBER: _ClassVar[int]
    CANCEL_ALL_FIELD_NUMBER: _ClassVar[int]
    REPLACE_ORDER_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    SET_DEAD_MAN_TIMER_FIELD_NUMBER: _ClassVar[int]
    AMEND_ORDER_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    login: Login
    place_order: PlaceOrder
    cancel_order: CancelOrder
    cancel_all: CancelAll
    replace_order: ReplaceOrder
    heartbeat: Heartbeat
    set_dead_man_timer: SetDeadManTimer
    amend_order: AmendOrder
    group: Group
    def __init__(self, request_id: _Optional[int] = ..., login: _Optional[_Union[Login, _Mapping]] = ..., place_order: _Optional[_Union[PlaceOrder, _Mapping]] = ..., cancel_order: _Optional[_Union[CancelOrder, _Mapping]] = ..., cancel_all: _Optional[_Union[CancelAll, _Mapping]] = ..., replace_order: _Optional[_Union[ReplaceOrder, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., set_dead_man_timer: _Optional[_Union[SetDeadManTimer, _Mapping]] = ..., amend_order: _Optional[_Union[AmendOrder, _Mapping]] = ..., group: _Optional[_Union[Group, _Mapping]] = ...) -> None: ...

class Login(_message.Message):
    __slots__ = ("account", "time_ms", "signature", "resume_after_account_seq", "cancels_on_disconnect", "session_tag")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    RESUME_AFTER_ACCOUNT_SEQ_FIELD_NUMBER: _ClassVar[int]
    CANCELS_ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    SESSION_TAG_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    time_ms: int
    signature: bytes
    resume_after_account_seq: int
    cancels_on_disconnect: bool
    session_tag: int
    def __init__(self, account: _Optional[bytes] = ..., time_ms: _Optional[int] = ..., signature: _Optional[bytes] = ..., resume_after_account_seq: _Optional[int] = ..., cancels_on_disconnect: _Optional[bool] = ..., session_tag: _Optional[int] = ...) -> None: ...

class PlaceOrder(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _signed_order_pb2.SignedOrder
    def __init__(self, order: _Optional[_Union[_signed_order_pb2.SignedOrder, _Mapping]] = ...) -> None: ...

class CancelOrder(_message.Message):
    __slots__ = ("order_id", "nonce")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    nonce: int
    def __init__(self, order_id: _Optional[int] = ..., nonce: _Optional[int] = ...) -> None: ...

class CancelAll(_message.Message):
    __slots__ = ("market_id", "side", "only_this_session")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ONLY_THIS_SESSION_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    side: _side_pb2.Side
    only_this_session: bool
    def __init__(self, market_id: _Optional[int] = ..., side: _Optional[_Union[_side_pb2.Side, str]] = ..., only_this_session: _Optional[bool] = ...) -> None: ...

class ReplaceOrder(_message.Message):
    __slots__ = ("cancel", "order", "required_unfilled_lots")
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_UNFILLED_LOTS_FIELD_NUMBER: _ClassVar[int]
    cancel: CancelOrder
    order: _signed_order_pb2.SignedOrder
    required_unfilled_lots: int
    def __init__(self, cancel: _Optional[_Union[CancelOrder, _Mapping]] = ..., order: _Optional[_Union[_signed_order_pb2.SignedOrder, _Mapping]] = ..., required_unfilled_lots: _Optional[int] = ...) -> None: ...

class AmendOrder(_message.Message):
    __slots__ = ("target", "qty_lots")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    target: CancelOrder
    qty_lots: int
    def __init__(self, target: _Optional[_Union[CancelOrder, _Mapping]] = ..., qty_lots: _Optional[int] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("commands",)
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    commands: _containers.RepeatedCompositeFieldContainer[Command]
    def __init__(self, commands: _Optional[_Iterable[_Union[Command, _Mapping]]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("account_seq",)
    ACCOUNT_SEQ_FIELD_NUMBER: _ClassVar[int]
    account_seq: int
    def __init__(self, account_seq: _Optional[int] = ...) -> None: ...

class SetDeadManTimer(_message.Message):
    __slots__ = ("timeout_ns",)
    TIMEOUT_NS_FIELD_NUMBER: _ClassVar[int]
    timeout_ns: int
    def __init__(self, timeout_ns: _Optional[int] = ...) -> None: ...
