"""What the engine shows of its state: plain immutable tuples, money in quote units."""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """An account's isolated position. Prices in ticks; None where there is no such price."""

    position_lots: int
    entry_value_quote: int
    collateral_quote: int
    funding_index_e6: int
    funding_owed_quote: int
    equity_quote: int
    initial_quote: int
    maintenance_quote: int
    liquidation_price_ticks: int | None
    bankruptcy_price_ticks: int | None
    reserved_quote: int
    is_frozen: bool


class Market(NamedTuple):
    """A market's state. A price of 0 ticks: there is none yet."""

    market_id: int
    state: int
    index_price_ticks: int
    mark_price_ticks: int
    last_price_ticks: int
    index_time_ms: int
    funding_index_e6: int
    funding_rate_ppm: int
    next_funding_time_ns: int
    open_interest_lots: int
    funding_pool_quote: int
    pot_quote: int  # all that the market holds (CONS-4)
    best_bid_ticks: int
    best_ask_ticks: int
    grace_until_s: int
    fund_shares: int


class Order(NamedTuple):
    """A live order. `trigger_price_ticks` is 0 unless it waits for its trigger."""

    order_id: int
    account: int
    market_id: int
    side: int
    time_in_force: int
    flags: int
    price_ticks: int
    qty_lots: int
    remaining_lots: int
    margin_quote: int
    nonce: int
    expiry_time_s: int
    trigger_price_ticks: int
