"""Python face of funding: range checks once at the border, then C integers."""

from libc.stdint cimport int64_t

from margin_core.rules cimport checked, load_spec
from margin_core.types cimport SpecC

from margin_core.limits import FUNDING_INDEX_E6_MAX, PRICE_TICKS_MAX, QUOTE_MAX

SAMPLES_MAX = 1 << 40
PREMIUM_PPM_MAX = 1_000_000
SECONDS_MAX = 1 << 34


def impact_price_ticks_x256(spec, levels, *, side):
    """Return the mean price at which `impact_notional_quote` fills on a side (FUND-3)."""
    cdef SpecC s
    cdef ImpactC walk
    cdef int64_t price = 0
    cdef int64_t lots
    cdef bint is_ask = checked("side", side, 0, 1)
    load_spec(&s, spec)
    if s.impact_notional == 0:
        raise ValueError("FUND-3: impact_notional_quote = 0: expected at least 1 quote")
    start_impact(&walk, s.impact_notional)
    for number, (ticks, size) in enumerate(levels):
        better = price if number else (1 if is_ask else s.price_ticks_max)
        worst = s.price_ticks_max if is_ask else 1
        price = checked(f"levels[{number}] price_ticks", ticks, min(better, worst),
                        max(better, worst))
        lots = checked(f"levels[{number}] lots", size, 1, QUOTE_MAX)
        if number + 1 == IMPACT_LEVELS_MAX:
            lots = QUOTE_MAX
        if take_level_for(s.kind, &walk, price, lots, s.quote_per_tick_lot):
            return impact_price_x256(&walk, is_ask)
    return None


def premium_ppm(*, index_price_ticks, impact_bid_x256=None, impact_ask_x256=None,
                middle_price_ticks=None):
    """Return one sample of the premium in ppm of the index, rounded down, ± 10^6 (FUND-2)."""
    cdef int64_t index = checked("index_price_ticks", index_price_ticks, 1, PRICE_TICKS_MAX)
    if middle_price_ticks is not None:
        return middle_premium_ppm(
            checked("middle_price_ticks", middle_price_ticks, 1, PRICE_TICKS_MAX), index)
    top = PRICE_TICKS_MAX << 8
    return impact_premium_ppm(
        0 if impact_bid_x256 is None else checked("impact_bid_x256", impact_bid_x256, 256, top),
        0 if impact_ask_x256 is None else checked("impact_ask_x256", impact_ask_x256, 256, top),
        index)


def funding_rate_ppm(spec, *, premium_ppm_sum, sample_count, elapsed_s):
    """Return what one settlement pays, in ppm of the index, ± `funding_cap_ppm` (FUND-4)."""
    cdef SpecC s
    cdef int64_t samples = checked("sample_count", sample_count, 1, SAMPLES_MAX)
    cdef int64_t most = PREMIUM_PPM_MAX * samples
    load_spec(&s, spec)
    return settlement_rate_ppm(
        &s, checked("premium_ppm_sum", premium_ppm_sum, -most, most), samples,
        checked("elapsed_s", elapsed_s, 0, SECONDS_MAX))


def funding_index_after_e6(spec, *, funding_index_e6, rate_ppm, index_price_ticks):
    """Return the funding index after a settlement, quote per lot times 10^6 (FUND-1)."""
    cdef SpecC s
    load_spec(&s, spec)
    before = checked("funding_index_e6", funding_index_e6, -FUNDING_INDEX_E6_MAX,
                     FUNDING_INDEX_E6_MAX)
    after = before + index_step_for(
        s.kind, &s, checked("rate_ppm", rate_ppm, -s.funding_cap, s.funding_cap),
        checked("index_price_ticks", index_price_ticks, 1, s.price_ticks_max))
    return before if abs(after) > FUNDING_INDEX_E6_MAX else after


def next_settlement_time_s(*, last_time_s, interval_s, now_s):
    """Return when the next settlement is due, unix seconds (FUND-4)."""
    last = checked("last_time_s", last_time_s, 0, SECONDS_MAX)
    interval = checked("interval_s", interval_s, 1, SECONDS_MAX)
    return max(last + interval, checked("now_s", now_s, 0, SECONDS_MAX))
