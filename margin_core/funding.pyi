"""Funding: premium from impact prices, rate, index (SPEC FUND-*). Exact integers.

Positive rates and payments are what longs pay. What a position owes is `funding_owed_quote`.
"""

from collections.abc import Iterable

from margin_core.market_spec import MarketSpec

SAMPLES_MAX: int
PREMIUM_PPM_MAX: int
SECONDS_MAX: int

def impact_price_ticks_x256(
    spec: MarketSpec, levels: Iterable[tuple[int, int]], *, side: int
) -> int | None:
    """Return the mean price at which `impact_notional_quote` fills on a side (FUND-3).

    Of an inverse market the notional is in coins.

    Args:
        spec: The market.
        levels: `(price_ticks, lots)`, best first; 256 at most are looked at.
        side: 0 the bids, 1 the asks.

    Returns:
        1/256 ticks, rounded down for bids and up for asks; None when the side ends before.

    Raises:
        ValueError: A price or size is out of its range, prices get better again, or the market has
            no impact notional.
    """

def premium_ppm(
    *,
    index_price_ticks: int,
    impact_bid_x256: int | None = None,
    impact_ask_x256: int | None = None,
    middle_price_ticks: int | None = None,
) -> int:
    """Return one sample of the premium in ppm of the index, rounded down, ± 10^6 (FUND-2).

    Args:
        index_price_ticks: Index.
        impact_bid_x256: Impact price of the bids in 1/256 tick; None: the side has none.
        impact_ask_x256: Of the asks.
        middle_price_ticks: Middle of the book; when it is given it decides alone.

    Raises:
        ValueError: A price is out of its range.
    """

def funding_rate_ppm(
    spec: MarketSpec, *, premium_ppm_sum: int, sample_count: int, elapsed_s: int
) -> int:
    """Return what one settlement pays, in ppm of the index, ± `funding_cap_ppm` (FUND-4).

    Args:
        spec: The market.
        premium_ppm_sum: Sum of the samples since the last settlement.
        sample_count: How many they are, at least 1. The mean rounds down.
        elapsed_s: Seconds since the last settlement; they count when the market has a
            `funding_period_s`.

    Raises:
        ValueError: An argument is out of its range.
    """

def funding_index_after_e6(
    spec: MarketSpec, *, funding_index_e6: int, rate_ppm: int, index_price_ticks: int
) -> int:
    """Return the funding index after a settlement, quote per lot times 10^6 (FUND-1).

    Exact; of an inverse market, whose lot is worth `u / index` coins, rounded down. Options and
    dated futures have none: their `funding_cap_ppm` is 0. A step beyond 2^62 is left out.

    Raises:
        ValueError: The rate is above `funding_cap_ppm`, or another argument out of its range.
    """

def next_settlement_time_s(*, last_time_s: int, interval_s: int, now_s: int) -> int:
    """Return when the next settlement is due, unix seconds (FUND-4).

    `interval_s` is the one that holds now: an interval that has just changed counts from the last
    settlement, and one that is over already settles at once.

    Raises:
        ValueError: An instant is not 0 to 2^34, or the interval below 1 s.
    """
