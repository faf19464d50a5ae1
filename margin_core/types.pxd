"""C structs of the kernel; the unit of each field beside it."""

from libc.stdint cimport int32_t, int64_t, uint8_t

cdef enum:
    TIERS_MAX_C = 16

cdef enum KindC:                 # ContractKind
    LINEAR_PERPETUAL = 0
    INVERSE_PERPETUAL = 1
    LINEAR_FUTURE = 2
    OPTION_CALL = 3
    OPTION_PUT = 4

cdef struct TierC:
    int64_t notional_floor       # quote; first notional of the tier
    int64_t amount_initial       # quote; keeps the initial requirement continuous
    int64_t amount_maintenance   # quote
    int32_t rate_initial         # ppm, the closing fee included
    int32_t rate_maintenance     # ppm, the closing fee included

cdef struct SpecC:
    int64_t quote_per_tick_lot
    int64_t price_ticks_max
    int64_t position_lots_max
    int32_t fee_maker            # ppm
    int32_t fee_taker            # ppm
    int32_t fee_liquidation      # ppm
    int32_t liquidation_buffer   # ppm of notional
    int32_t mark_band            # ppm of the index
    int32_t funding_cap          # ppm per settlement
    int32_t tier_count           # 1 .. TIERS_MAX_C
    int32_t funding_interval_s
    int64_t index_age_max_ms
    int64_t impact_notional      # quote; 0: the premium is the book's middle
    int32_t funding_period_s     # 0: the rate is for the interval, whatever its length
    int32_t funding_interest     # ppm a period
    int32_t funding_clamp        # ppm a period
    int32_t grace_s
    int32_t order_band           # ppm of the mark; 0: none
    int64_t open_interest_max    # lots; INT64_MAX: none
    TierC tiers[TIERS_MAX_C]
    int64_t expiry_time_s        # unix; 0: never
    int64_t strike               # ticks; options
    int32_t kind                 # KindC
    int32_t option_initial_least       # ppm of the underlying, a short's
    int32_t option_initial             # ppm of the underlying at the money
    int32_t option_maintenance         # ppm of the underlying
    int32_t option_maintenance_of_mark  # ppm of the mark, a put's
    int32_t option_put_initial         # ppm of maintenance, a put's

cdef struct PositionC:
    int64_t lots                 # signed; > 0 long
    int64_t entry_value          # quote, >= 0: sum of the notionals that opened it
    int64_t collateral           # quote; below 0 only while profit that is not realised covers it
    int64_t funding_index        # quote per lot * 10^6 at the last settlement

cdef struct FillC:
    PositionC position           # after the fill
    int64_t free_delta           # quote; change of the account's free balance
    int64_t fee                  # quote
    int64_t funding              # quote; paid into the market's funding pool (negative: out of it)
    int64_t pnl                  # quote; realised
    int64_t released             # quote; collateral given back

cdef enum VerdictC:
    VERDICT_OK = 0
    VERDICT_REDUCE_ONLY = 17
    VERDICT_INSUFFICIENT_FREE = 21
    VERDICT_INSUFFICIENT_MARGIN = 22
    VERDICT_POSITION_LIMIT = 23
    VERDICT_BANKRUPT = 24
    VERDICT_NOT_LIQUIDATABLE = 25
    VERDICT_LIQUIDATION_PRICE = 26
    VERDICT_LIQUIDATION_TOO_LARGE = 27
    VERDICT_FUND_CANNOT_CARRY = 28
    VERDICT_NO_POSITION = 31
