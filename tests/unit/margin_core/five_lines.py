"""What the README of margin_core shows: a liquidation price in five statements."""

import margin_core as mc

tier = mc.Tier(notional_floor_quote=0, margin_initial_ppm=10_000, margin_maintenance_ppm=5_000)
spec = mc.MarketSpec(
    market_id=1, fee_maker_ppm=200, fee_taker_ppm=500, tiers=(tier,),
    quote_per_tick_lot=10, price_ticks_max=10_000_000, position_lots_max=1_000_000,
)  # fmt: skip
long = mc.MarginState(1_000, entry_value_quote=5_000_000_000, collateral_quote=500_000_000)
print(mc.liquidation_price_ticks(spec, long, funding_index_e6=0))
