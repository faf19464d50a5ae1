from bulkhead.types.v1 import signed_auto_top_up_pb2 as _signed_auto_top_up_pb2
from bulkhead.types.v1 import signed_collateral_move_pb2 as _signed_collateral_move_pb2
from bulkhead.types.v1 import signed_index_price_pb2 as _signed_index_price_pb2
from bulkhead.types.v1 import signed_order_pb2 as _signed_order_pb2
from bulkhead.types.v1 import signed_withdrawal_pb2 as _signed_withdrawal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SettlementOrder(_message.Message):
    __slots__ = ("order_id", "order")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    order: _signed_order_pb2.SignedOrder
    def __init__(self, order_id: _Optional[int] = ..., order: _Optional[_Union[_signed_order_pb2.SignedOrder, _Mapping]] = ...) -> None: ...

class SettlementItem(_message.Message):
    __slots__ = ("item_seq", "time_ns", "price", "fill", "liquidation_fill", "takeover", "adl", "fund_fill", "funding", "collateral_move", "withdrawal", "tick", "parameters", "auto_top_up", "forced", "position_settled")
    ITEM_SEQ_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_FILL_FIELD_NUMBER: _ClassVar[int]
    TAKEOVER_FIELD_NUMBER: _ClassVar[int]
    ADL_FIELD_NUMBER: _ClassVar[int]
    FUND_FILL_FIELD_NUMBER: _ClassVar[int]
    FUNDING_FIELD_NUMBER: _ClassVar[int]
    COLLATERAL_MOVE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWAL_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    AUTO_TOP_UP_FIELD_NUMBER: _ClassVar[int]
    FORCED_FIELD_NUMBER: _ClassVar[int]
    POSITION_SETTLED_FIELD_NUMBER: _ClassVar[int]
    item_seq: int
    time_ns: int
    price: PriceItem
    fill: FillItem
    liquidation_fill: LiquidationFillItem
    takeover: TakeoverItem
    adl: AdlItem
    fund_fill: FundFillItem
    funding: FundingItem
    collateral_move: CollateralMoveItem
    withdrawal: WithdrawalItem
    tick: TickItem
    parameters: ParametersItem
    auto_top_up: AutoTopUpItem
    forced: ForcedItem
    position_settled: PositionSettledItem
    def __init__(self, item_seq: _Optional[int] = ..., time_ns: _Optional[int] = ..., price: _Optional[_Union[PriceItem, _Mapping]] = ..., fill: _Optional[_Union[FillItem, _Mapping]] = ..., liquidation_fill: _Optional[_Union[LiquidationFillItem, _Mapping]] = ..., takeover: _Optional[_Union[TakeoverItem, _Mapping]] = ..., adl: _Optional[_Union[AdlItem, _Mapping]] = ..., fund_fill: _Optional[_Union[FundFillItem, _Mapping]] = ..., funding: _Optional[_Union[FundingItem, _Mapping]] = ..., collateral_move: _Optional[_Union[CollateralMoveItem, _Mapping]] = ..., withdrawal: _Optional[_Union[WithdrawalItem, _Mapping]] = ..., tick: _Optional[_Union[TickItem, _Mapping]] = ..., parameters: _Optional[_Union[ParametersItem, _Mapping]] = ..., auto_top_up: _Optional[_Union[AutoTopUpItem, _Mapping]] = ..., forced: _Optional[_Union[ForcedItem, _Mapping]] = ..., position_settled: _Optional[_Union[PositionSettledItem, _Mapping]] = ...) -> None: ...

class PriceItem(_message.Message):
    __slots__ = ("index_price", "mark_price_ticks", "observations")
    INDEX_PRICE_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    index_price: _signed_index_price_pb2.SignedIndexPrice
    mark_price_ticks: int
    observations: _containers.RepeatedCompositeFieldContainer[_signed_index_price_pb2.SignedIndexPrice]
    def __init__(self, index_price: _Optional[_Union[_signed_index_price_pb2.SignedIndexPrice, _Mapping]] = ..., mark_price_ticks: _Optional[int] = ..., observations: _Optional[_Iterable[_Union[_signed_index_price_pb2.SignedIndexPrice, _Mapping]]] = ...) -> None: ...

class FillItem(_message.Message):
    __slots__ = ("market_id", "taker_order_id", "maker_order_id", "qty_lots", "price_ticks", "is_auction")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    TAKER_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    MAKER_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    IS_AUCTION_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    taker_order_id: int
    maker_order_id: int
    qty_lots: int
    price_ticks: int
    is_auction: bool
    def __init__(self, market_id: _Optional[int] = ..., taker_order_id: _Optional[int] = ..., maker_order_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ..., is_auction: _Optional[bool] = ...) -> None: ...

class LiquidationFillItem(_message.Message):
    __slots__ = ("account", "market_id", "maker_order_id", "qty_lots", "price_ticks")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    MAKER_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    market_id: int
    maker_order_id: int
    qty_lots: int
    price_ticks: int
    def __init__(self, account: _Optional[bytes] = ..., market_id: _Optional[int] = ..., maker_order_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ...) -> None: ...

class TakeoverItem(_message.Message):
    __slots__ = ("account", "market_id", "qty_lots", "price_ticks")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    market_id: int
    qty_lots: int
    price_ticks: int
    def __init__(self, account: _Optional[bytes] = ..., market_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ...) -> None: ...

class AdlItem(_message.Message):
    __slots__ = ("account", "counterparty_account", "market_id", "qty_lots", "price_ticks")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTY_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    counterparty_account: bytes
    market_id: int
    qty_lots: int
    price_ticks: int
    def __init__(self, account: _Optional[bytes] = ..., counterparty_account: _Optional[bytes] = ..., market_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ...) -> None: ...

class FundFillItem(_message.Message):
    __slots__ = ("market_id", "maker_order_id", "qty_lots", "price_ticks")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    MAKER_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    maker_order_id: int
    qty_lots: int
    price_ticks: int
    def __init__(self, market_id: _Optional[int] = ..., maker_order_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ...) -> None: ...

class FundingItem(_message.Message):
    __slots__ = ("market_id", "funding_index_e6")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    FUNDING_INDEX_E6_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    funding_index_e6: int
    def __init__(self, market_id: _Optional[int] = ..., funding_index_e6: _Optional[int] = ...) -> None: ...

class CollateralMoveItem(_message.Message):
    __slots__ = ("move",)
    MOVE_FIELD_NUMBER: _ClassVar[int]
    move: _signed_collateral_move_pb2.SignedCollateralMove
    def __init__(self, move: _Optional[_Union[_signed_collateral_move_pb2.SignedCollateralMove, _Mapping]] = ...) -> None: ...

class WithdrawalItem(_message.Message):
    __slots__ = ("withdrawal",)
    WITHDRAWAL_FIELD_NUMBER: _ClassVar[int]
    withdrawal: _signed_withdrawal_pb2.SignedWithdrawal
    def __init__(self, withdrawal: _Optional[_Union[_signed_withdrawal_pb2.SignedWithdrawal, _Mapping]] = ...) -> None: ...

class ParametersItem(_message.Message):
    __slots__ = ("market_id",)
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    def __init__(self, market_id: _Optional[int] = ...) -> None: ...

class AutoTopUpItem(_message.Message):
    __slots__ = ("instruction", "amount_quote")
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_QUOTE_FIELD_NUMBER: _ClassVar[int]
    instruction: _signed_auto_top_up_pb2.SignedAutoTopUp
    amount_quote: int
    def __init__(self, instruction: _Optional[_Union[_signed_auto_top_up_pb2.SignedAutoTopUp, _Mapping]] = ..., amount_quote: _Optional[int] = ...) -> None: ...

class ForcedItem(_message.Message):
    __slots__ = ("request_id", "account", "market_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    account: bytes
    market_id: int
    def __init__(self, request_id: _Optional[int] = ..., account: _Optional[bytes] = ..., market_id: _Optional[int] = ...) -> None: ...

class PositionSettledItem(_message.Message):
    __slots__ = ("account", "market_id", "qty_lots", "price_ticks")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    market_id: int
    qty_lots: int
    price_ticks: int
    def __init__(self, account: _Optional[bytes] = ..., market_id: _Optional[int] = ..., qty_lots: _Optional[int] = ..., price_ticks: _Optional[int] = ...) -> None: ...

class TickItem(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
