"""A market of the client for its unit tests."""

from __future__ import annotations

from margin_core.market_spec import MarketSpec, Tier
from matcher.client import Market, MarketDisplay, MarketState


def market() -> Market:
    """Return a market with ticks of 0.1, lots of 0.0001 and six decimals."""
    return Market(
        spec=MarketSpec(
            market_id=1,
            quote_per_tick_lot=10,
            price_ticks_max=1 << 24,
            position_lots_max=1 << 30,
            fee_maker_ppm=200,
            fee_taker_ppm=500,
            tiers=(
                Tier(
                    notional_floor_quote=0, margin_initial_ppm=10_000, margin_maintenance_ppm=5_000
                ),
            ),
        ),
        display=MarketDisplay(
            symbol="BTC-PERP", price_tick_e9=100_000_000, qty_lot_e9=100_000, collateral_decimals=6
        ),
        state=MarketState.OPEN,
        prices=None,
        last_price_ticks=0,
        funding_index_e6=0,
        funding_rate_ppm=0,
        next_funding_time_ns=0,
        open_interest_lots=0,
        insurance_fund_quote=0,
    )
