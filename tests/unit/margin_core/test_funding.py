"""Funding: impact prices, rate, interval switch, on worked numbers and on published settlements."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import margin_core as mc
from margin_core import MarketSpec, Tier, funding
from tests.model.cases import any_contract

if TYPE_CHECKING:
    from pathlib import Path

HOUR_S = 3_600
TIER = Tier(notional_floor_quote=0, margin_initial_ppm=100_000, margin_maintenance_ppm=50_000)
NOTIONAL = 100_000


def spec_of(**changes: int) -> MarketSpec:
    fields: dict[str, Any] = {
        "market_id": 1,
        "quote_per_tick_lot": 10,
        "price_ticks_max": 100_000,
        "position_lots_max": 10**9,
        "fee_maker_ppm": 0,
        "fee_taker_ppm": 0,
        "funding_cap_ppm": 20_000,
        "impact_notional_quote": NOTIONAL,
    }
    return MarketSpec(tiers=(TIER,), **(fields | changes))


def test_an_impact_price_is_the_mean_of_what_fills() -> None:
    """FUND-3: 10 lots at 1000 and 1 at 990 carry 100 000; rounded down for bids, up for asks."""
    spec = spec_of(impact_notional_quote=109_900)
    bids = funding.impact_price_ticks_x256(spec, [(1_000, 10), (990, 50)], side=0)
    assert bids == (10 * 1_000 + 990) * 256 // 11
    asks = funding.impact_price_ticks_x256(spec, [(1_000, 10), (1_010, 50)], side=1)
    assert asks == -(-(10 * 1_000 + 1_010) * 256 // 11)


def test_a_side_that_ends_before_has_no_impact_price() -> None:
    """FUND-3: and one that ends on the last lot has one."""
    spec = spec_of()
    assert funding.impact_price_ticks_x256(spec, [(1_000, 9)], side=0) is None
    assert funding.impact_price_ticks_x256(spec, [(1_000, 10)], side=0) == 1_000 * 256
    assert funding.impact_price_ticks_x256(spec, [], side=1) is None


def test_dust_in_front_hides_nothing() -> None:
    """FUND-3: after 256 levels what is left fills at the last of them."""
    spec = spec_of(impact_notional_quote=10**8)
    dust = [(1_000 + k, 1) for k in range(300)]
    found = funding.impact_price_ticks_x256(spec, dust, side=1)
    assert found is not None
    assert 1_245 * 256 < found <= 1_255 * 256


@pytest.mark.parametrize(
    ("bid", "ask", "premium"),
    [
        (1_010, 1_011, 10_000),  # both above: the bid counts
        (990, 995, -5_000),  # both below: the ask counts
        (999, 1_001, 0),  # around the index
        (None, 995, -5_000),
        (None, None, 0),
        (50_000, 60_000, 10**6),  # at most
    ],
)
def test_the_premium_is_what_stands_beyond_the_index(
    bid: int | None, ask: int | None, premium: int
) -> None:
    """FUND-2."""
    found = funding.premium_ppm(
        index_price_ticks=1_000,
        impact_bid_x256=bid and bid * 256,
        impact_ask_x256=ask and ask * 256,
    )
    assert found == premium


@pytest.mark.parametrize(
    ("premium", "elapsed_s", "rate"),
    [
        (0, 8 * HOUR_S, 100),  # the interest of a period
        (0, 4 * HOUR_S, 50),
        (0, HOUR_S, 12),  # 12.5, down
        (300, 8 * HOUR_S, 100),  # inside the clamp the interest pulls all the way
        (1_000, 8 * HOUR_S, 500),  # beyond it, by the clamp
        (-1_000, 8 * HOUR_S, -500),
        (-1_000, 16 * HOUR_S, -1_000),  # a late settlement pays for its time
        (900_000, 8 * HOUR_S, 20_000),  # the cap
        (-900_000, HOUR_S, -20_000),
    ],
)
def test_a_rate_is_premium_and_interest_for_the_time(
    premium: int, elapsed_s: int, rate: int
) -> None:
    """FUND-4."""
    period = {"funding_period_s": 8 * HOUR_S, "funding_interest_ppm": 100}
    spec = spec_of(**period, funding_clamp_ppm=500)
    found = funding.funding_rate_ppm(
        spec, premium_ppm_sum=premium * 3, sample_count=3, elapsed_s=elapsed_s
    )
    assert found == rate


def test_a_changed_interval_counts_from_the_last_settlement() -> None:
    """FUND-4: eight hours become one in the fourth: due at once, then by the hour."""
    due = funding.next_settlement_time_s
    assert due(last_time_s=0, interval_s=8 * HOUR_S, now_s=3 * HOUR_S) == 8 * HOUR_S
    assert due(last_time_s=0, interval_s=HOUR_S, now_s=3 * HOUR_S) == 3 * HOUR_S
    assert due(last_time_s=3 * HOUR_S, interval_s=HOUR_S, now_s=3 * HOUR_S) == 4 * HOUR_S


def published(data_dir: Path) -> dict[str, list[tuple[int, float]]]:
    import pyarrow.parquet as pq

    table = pq.read_table(data_dir / "funding_mark/um_funding_2025-05_2025-12.parquet").to_pydict()
    rows: dict[str, list[tuple[int, float]]] = {}
    for symbol, ts_ms, rate in zip(*table.values(), strict=True):
        rows.setdefault(symbol, []).append((round(ts_ms / 1_000), rate))
    return rows


def test_published_settlements_come_out_one_by_one(data_dir: Path) -> None:
    """FUND-4: 19 perpetuals; of LAYER the interval goes from four hours to one in its collapse."""
    switched = set()
    for symbol, rows in published(data_dir).items():
        intervals = [after - before for (before, _), (after, _) in pairwise(rows)]
        switched |= {symbol} if len(set(intervals)) > 1 else set()
        times = dict(zip((time_s for time_s, _ in rows), intervals, strict=False))
        last_s, settled, interval_s = rows[0][0], [rows[0][0]], intervals[0]
        for now_s in range(rows[0][0], rows[-1][0] + 1, HOUR_S // 4):
            due_s = funding.next_settlement_time_s(
                last_time_s=last_s, interval_s=interval_s, now_s=now_s
            )
            if now_s == due_s:
                last_s = now_s
                settled.append(now_s)
            interval_s = times.get(now_s, interval_s)  # a change is known from its time on
        assert settled == [time_s for time_s, _ in rows], symbol
    assert switched == {"LAYERUSDT", "ORCAUSDT", "PIPPINUSDT", "RIVERUSDT"}


def test_published_rates_come_out_of_premium_interest_and_cap(data_dir: Path) -> None:
    """FUND-4: the rate published most is the interest of its interval; -2 % caps."""
    rules = {"funding_period_s": 8 * HOUR_S, "funding_interest_ppm": 100}
    spec = spec_of(**rules, funding_clamp_ppm=500)
    counts: Counter[tuple[int, int]] = Counter()
    for rows in published(data_dir).values():
        for (before, _), (after, rate) in pairwise(rows):
            counts[after - before, round(rate * 10**8)] += 1
    for hours, interest_e8 in ((8, 10_000), (4, 5_000), (1, 1_250)):
        seen = {rate: n for (s, rate), n in counts.items() if s == hours * HOUR_S}
        assert seen[interest_e8] == max(seen.values()), hours
        found = funding.funding_rate_ppm(
            spec, premium_ppm_sum=0, sample_count=1, elapsed_s=hours * HOUR_S
        )
        assert found == interest_e8 // 100  # ours are whole ppm, rounded down
    layer = [rate for _, rate in published(data_dir)["LAYERUSDT"]]
    assert min(layer) == -0.02
    for rate in layer:
        exact = funding.funding_rate_ppm(
            spec_of(), premium_ppm_sum=round(rate * 10**6), sample_count=1, elapsed_s=HOUR_S
        )
        assert exact == round(rate * 10**6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: funding.impact_price_ticks_x256(spec_of(), [(10, 1), (11, 1)], side=0),
            r"levels\[1\] price_ticks = 11",
        ),
        (
            lambda: funding.impact_price_ticks_x256(
                spec_of(impact_notional_quote=0), [(10, 1)], side=0
            ),
            "FUND-3: impact_notional_quote = 0",
        ),
        (lambda: funding.premium_ppm(index_price_ticks=0), "index_price_ticks = 0: expected"),
        (
            lambda: funding.funding_rate_ppm(
                spec_of(), premium_ppm_sum=1, sample_count=0, elapsed_s=1
            ),
            "sample_count = 0: expected an integer from 1",
        ),
        (
            lambda: funding.funding_index_after_e6(
                spec_of(), funding_index_e6=0, rate_ppm=20_001, index_price_ticks=1
            ),
            "rate_ppm = 20001: expected an integer from -20000 to 20000",
        ),
    ],
)
def test_outside_the_bounds_is_an_error(call: Any, message: str) -> None:
    """NUM-1: name, value and bounds."""
    with pytest.raises(ValueError, match=message):
        call()


def test_a_step_beyond_the_bound_is_left_out() -> None:
    """FUND-2."""
    step = {"rate_ppm": 20_000, "index_price_ticks": 100_000}
    far = 2**62 - 1
    assert funding.funding_index_after_e6(spec_of(), funding_index_e6=far, **step) == far
    assert funding.funding_index_after_e6(spec_of(), funding_index_e6=-5, **step) == (
        -5 + 20_000 * 100_000 * 10
    )


def test_an_inverse_market_funds_in_coins() -> None:
    """FUND-1, FUND-2, FUND-3, NUM-3: u / index coins a lot, rounded down."""
    spec = mc.MarketSpec(
        market_id=1, kind=mc.ContractKind.INVERSE_PERPETUAL, quote_per_tick_lot=10**9,
        price_ticks_max=10**6, position_lots_max=10**6, fee_maker_ppm=0, fee_taker_ppm=0,
        impact_notional_quote=25_000, tiers=(TIER,),
    )  # fmt: skip
    rng = Random("inverse funding")
    for _ in range(300):
        price, rate = rng.randint(1, 10**6), rng.randint(-7_500, 7_500)
        after = funding.funding_index_after_e6(
            spec, funding_index_e6=0, rate_ppm=rate, index_price_ticks=price
        )
        exact = Fraction(rate * 10**9, price)
        assert after == floor(exact)
        assert abs(after) <= 7_500 * 10**9 <= 2**50
        lots = rng.choice((-1, 1)) * rng.randint(1, 10**6)
        owed = mc.funding_owed_quote(spec, mc.MarginState(lots, 0, 0), funding_index_e6=after)
        assert abs(owed - lots * exact / 10**6) <= 1 + Fraction(abs(lots), 10**6)
    asks = [(800_000, 8), (1_000_000, 20)]  # 8 · 1 250 coins, then 15 of the 20 lots at 1 000
    found = funding.impact_price_ticks_x256(spec, asks, side=1)
    assert found == ceil(Fraction(8 * 800_000 + 15 * 1_000_000, 23) * 256)
    assert funding.impact_price_ticks_x256(spec, asks[:1], side=1) is None


def test_options_and_dated_futures_pay_no_funding() -> None:
    """MKT-3, FUND-1: no rate is admitted but 0."""
    for kind in mc.ContractKind:
        if not kind.expires:
            continue
        spec = any_contract(Random(kind.name), kind)
        at = {"funding_index_e6": 5, "index_price_ticks": 1}
        assert funding.funding_index_after_e6(spec, rate_ppm=0, **at) == 5
        with pytest.raises(
            ValueError, match="NUM-4: rate_ppm = 1: expected an integer from 0 to 0"
        ):
            funding.funding_index_after_e6(spec, rate_ppm=1, **at)


def test_an_interval_that_switches_in_a_collapse() -> None:
    """FUND-4: four hours become one after a settlement, and in the middle of an interval."""
    spec = mc.MarketSpec(
        market_id=1, quote_per_tick_lot=1, price_ticks_max=10**6, position_lots_max=10**6,
        fee_maker_ppm=0, fee_taker_ppm=0, funding_period_s=8 * HOUR_S, funding_cap_ppm=20_000,
        tiers=(TIER,),
    )  # fmt: skip
    for switch_s, times in ((4, [4, 5, 6, 7, 8]), (6, [4, 6, 7, 8]), (7, [4, 7, 8])):
        last_s, settled, index = 0, [], 0
        for now_s in range(8 * HOUR_S + 1):
            interval_s = HOUR_S if now_s >= switch_s * HOUR_S else 4 * HOUR_S
            due_s = funding.next_settlement_time_s(
                last_time_s=last_s, interval_s=interval_s, now_s=now_s
            )
            if due_s > now_s or now_s == last_s:
                continue
            rate = funding.funding_rate_ppm(
                spec, premium_ppm_sum=-16_000, sample_count=1, elapsed_s=now_s - last_s
            )
            index = funding.funding_index_after_e6(
                spec, funding_index_e6=index, rate_ppm=rate, index_price_ticks=100
            )
            last_s = now_s
            settled.append(now_s // HOUR_S)
        assert settled == times
        assert index == -16_000 * 100  # whatever the intervals, eight hours pay one period
