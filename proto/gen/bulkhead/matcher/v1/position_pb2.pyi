from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Position(_message.Message):
    __slots__ = ("market_id", "position_lots", "entry_value_quote", "collateral_quote", "funding_index_e6", "funding_owed_quote", "equity_quote", "initial_quote", "maintenance_quote", "liquidation_price_ticks", "bankruptcy_price_ticks", "reserved_quote", "is_frozen")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_LOTS_FIELD_NUMBER: _ClassVar[int]
    ENTRY_VALUE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    COLLATERAL_QUOTE_FIELD_NUMBER: _ClassVar[int]
    FUNDING_INDEX_E6_FIELD_NUMBER: _ClassVar[int]
    FUNDING_OWED_QUOTE_FIELD_NUMBER: _ClassVar[int]
    EQUITY_QUOTE_FIELD_NUMBER: _ClassVar[int]
    INITIAL_QUOTE_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_QUOTE_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    BANKRUPTCY_PRICE_TICKS_FIELD_NUMBER: _ClassVar[int]
    RESERVED_QUOTE_FIELD_NUMBER: _ClassVar[int]
    IS_FROZEN_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    position_lots: int
    entry_value_quote: int
    collateral_quote: int
    funding_index_e6: int
    funding_owed_quote: int
    equity_quote: int
    initial_quote: int
    maintenance_quote: int
    liquidation_price_ticks: int
    bankruptcy_price_ticks: int
    reserved_quote: int
    is_frozen: bool
    def __init__(self, market_id: _Optional[int] = ..., position_lots: _Optional[int] = ..., entry_value_quote: _Optional[int] = ..., collateral_quote: _Optional[int] = ..., funding_index_e6: _Optional[int] = ..., funding_owed_quote: _Optional[int] = ..., equity_quote: _Optional[int] = ..., initial_quote: _Optional[int] = ..., maintenance_quote: _Optional[int] = ..., liquidation_price_ticks: _Optional[int] = ..., bankruptcy_price_ticks: _Optional[int] = ..., reserved_quote: _Optional[int] = ..., is_frozen: _Optional[bool] = ...) -> None: ...
