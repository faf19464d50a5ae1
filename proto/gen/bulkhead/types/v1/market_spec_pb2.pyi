from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MarketState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARKET_STATE_UNSPECIFIED: _ClassVar[MarketState]
    MARKET_STATE_OPEN: _ClassVar[MarketState]
    MARKET_STATE_POST_ONLY: _ClassVar[MarketState]
    MARKET_STATE_CANCEL_ONLY: _ClassVar[MarketState]
    MARKET_STATE_REDUCE_ONLY: _ClassVar[MarketState]
    MARKET_STATE_HALTED: _ClassVar[MarketState]
    MARKET_STATE_AUCTION: _ClassVar[MarketState]
    MARKET_STATE_DELISTING: _ClassVar[MarketState]
    MARKET_STATE_SETTLED: _ClassVar[MarketState]
MARKET_STATE_UNSPECIFIED: MarketState
MARKET_STATE_OPEN: MarketState
MARKET_STATE_POST_ONLY: MarketState
MARKET_STATE_CANCEL_ONLY: MarketState
MARKET_STATE_REDUCE_ONLY: MarketState
MARKET_STATE_HALTED: MarketState
MARKET_STATE_AUCTION: MarketState
MARKET_STATE_DELISTING: MarketState
MARKET_STATE_SETTLED: MarketState

class MarketSpec(_message.Message):
    __slots__ = ("market_id", "quote_per_tick_lot", "price_ticks_max", "position_lots_max", "fee_maker_ppm", "fee_taker_ppm", "fee_liquidation_ppm", "liquidation_buffer_ppm", "mark_band_ppm", "funding_cap_ppm", "funding_interval_s", "index_age_max_ms", "tiers", "impact_notional_quote", "funding_period_s", "funding_interest_ppm", "funding_clamp_ppm", "grace_s", "kind", "expiry_time_s", "strike_ticks", "option_initial_least_ppm", "option_initial_ppm", "option_maintenance_ppm", "option_maintenance_of_mark_ppm", "option_put_initial_ppm", "order_band_ppm", "open_interest_lots_max")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    QUOTE_PER_TICK_LOT_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICKS_MAX_FIELD_NUMBER: _ClassVar[int]
    POSITION_LOTS_MAX_FIELD_NUMBER: _ClassVar[int]
    FEE_MAKER_PPM_FIELD_NUMBER: _ClassVar[int]
    FEE_TAKER_PPM_FIELD_NUMBER: _ClassVar[int]
    FEE_LIQUIDATION_PPM_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_BUFFER_PPM_FIELD_NUMBER: _ClassVar[int]
    MARK_BAND_PPM_FIELD_NUMBER: _ClassVar[int]
    FUNDING_CAP_PPM_FIELD_NUMBER: _ClassVar[int]
    FUNDING_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    INDEX_AGE_MAX_MS_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    IMPACT_NOTIONAL_QUOTE_FIELD_NUMBER: _ClassVar[int]
    FUNDING_PERIOD_S_FIELD_NUMBER: _ClassVar[int]
    FUNDING_INTEREST_PPM_FIELD_NUMBER: _ClassVar[int]
    FUNDING_CLAMP_PPM_FIELD_NUMBER: _ClassVar[int]
    GRACE_S_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_TIME_S_FIELD_NUMBER: _ClassVar[int]
    STRIKE_TICKS_FIELD_NUMBER: _ClassVar[int]
    OPTION_INITIAL_LEAST_PPM_FIELD_NUMBER: _ClassVar[int]
    OPTION_INITIAL_PPM_FIELD_NUMBER: _ClassVar[int]
    OPTION_MAINTENANCE_PPM_FIELD_NUMBER: _ClassVar[int]
    OPTION_MAINTENANCE_OF_MARK_PPM_FIELD_NUMBER: _ClassVar[int]
    OPTION_PUT_INITIAL_PPM_FIELD_NUMBER: _ClassVar[int]
    ORDER_BAND_PPM_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_LOTS_MAX_FIELD_NUMBER: _ClassVar[int]
    market_id: int
    quote_per_tick_lot: int
    price_ticks_max: int
    position_lots_max: int
    fee_maker_ppm: int
    fee_taker_ppm: int
    fee_liquidation_ppm: int
    liquidation_buffer_ppm: int
    mark_band_ppm: int
    funding_cap_ppm: int
    funding_interval_s: int
    index_age_max_ms: int
    tiers: _containers.RepeatedCompositeFieldContainer[MarginTier]
    impact_notional_quote: int
    funding_period_s: int
    funding_interest_ppm: int
    funding_clamp_ppm: int
    grace_s: int
    kind: int
    expiry_time_s: int
    strike_ticks: int
    option_initial_least_ppm: int
    option_initial_ppm: int
    option_maintenance_ppm: int
    option_maintenance_of_mark_ppm: int
    option_put_initial_ppm: int
    order_band_ppm: int
    open_interest_lots_max: int
    def __init__(self, market_id: _Optional[int] = ..., quote_per_tick_lot: _Optional[int] = ..., price_ticks_max: _Optional[int] = ..., position_lots_max: _Optional[int] = ..., fee_maker_ppm: _Optional[int] = ..., fee_taker_ppm: _Optional[int] = ..., fee_liquidation_ppm: _Optional[int] = ..., liquidation_buffer_ppm: _Optional[int] = ..., mark_band_ppm: _Optional[int] = ..., funding_cap_ppm: _Optional[int] = ..., funding_interval_s: _Optional[int] = ..., index_age_max_ms: _Optional[int] = ..., tiers: _Optional[_Iterable[_Union[MarginTier, _Mapping]]] = ..., impact_notional_quote: _Optional[int] = ..., funding_period_s: _Optional[int] = ..., funding_interest_ppm: _Optional[int] = ..., funding_clamp_ppm: _Optional[int] = ..., grace_s: _Optional[int] = ..., kind: _Optional[int] = ..., expiry_time_s: _Optional[int] = ..., strike_ticks: _Optional[int] = ..., option_initial_least_ppm: _Optional[int] = ..., option_initial_ppm: _Optional[int] = ..., option_maintenance_ppm: _Optional[int] = ..., option_maintenance_of_mark_ppm: _Optional[int] = ..., option_put_initial_ppm: _Optional[int] = ..., order_band_ppm: _Optional[int] = ..., open_interest_lots_max: _Optional[int] = ...) -> None: ...

class MarginTier(_message.Message):
    __slots__ = ("notional_floor_quote", "margin_initial_ppm", "margin_maintenance_ppm")
    NOTIONAL_FLOOR_QUOTE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_INITIAL_PPM_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MAINTENANCE_PPM_FIELD_NUMBER: _ClassVar[int]
    notional_floor_quote: int
    margin_initial_ppm: int
    margin_maintenance_ppm: int
    def __init__(self, notional_floor_quote: _Optional[int] = ..., margin_initial_ppm: _Optional[int] = ..., margin_maintenance_ppm: _Optional[int] = ...) -> None: ...

class MarketDisplay(_message.Message):
    __slots__ = ("symbol", "price_tick_e9", "qty_lot_e9", "collateral_decimals")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    PRICE_TICK_E9_FIELD_NUMBER: _ClassVar[int]
    QTY_LOT_E9_FIELD_NUMBER: _ClassVar[int]
    COLLATERAL_DECIMALS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    price_tick_e9: int
    qty_lot_e9: int
    collateral_decimals: int
    def __init__(self, symbol: _Optional[str] = ..., price_tick_e9: _Optional[int] = ..., qty_lot_e9: _Optional[int] = ..., collateral_decimals: _Optional[int] = ...) -> None: ...
