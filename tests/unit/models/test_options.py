"""Option prices and Greeks: parity, finite differences, round trips, and Deribit's own numbers."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from margin_core.models import black76, black_scholes, option_margin

YEAR_MS = 365 * 86_400_000

MONEYNESS = st.floats(0.5, 2.0)
YEARS = st.floats(1 / 365, 3.0)
VOLS = st.floats(0.1, 2.0)
RATES = st.floats(-0.1, 0.2)
SPOT = 100.0


@given(MONEYNESS, YEARS, VOLS, RATES, RATES)
def test_put_call_parity(k: float, t: float, vol: float, r: float, q: float) -> None:
    where = (SPOT, k * SPOT, t, vol)
    more = {"rate_per_year": r, "yield_per_year": q}
    call, put = black_scholes.price(*where, is_call=[True, False], **more)
    owed = SPOT * np.exp(-q * t) - k * SPOT * np.exp(-r * t)
    assert call - put == pytest.approx(owed, abs=1e-11 * SPOT)


@given(k=MONEYNESS, t=YEARS, vol=VOLS, is_call=st.booleans())
def test_the_price_rises_with_volatility_between_its_bounds(
    k: float, t: float, vol: float, *, is_call: bool
) -> None:
    low, high = black76.price(SPOT, k * SPOT, t, [vol, vol * 1.1], is_call=is_call)
    intrinsic = max(0.0, (SPOT - k * SPOT) * (1 if is_call else -1))
    assert intrinsic <= low <= high + 1e-12 * SPOT
    assert high <= (SPOT if is_call else k * SPOT) + 1e-12 * SPOT


def slope(function: Any, at: float, step: float) -> float:
    """Return the central difference quotient of fourth order."""
    near = function(at + step) - function(at - step)
    far = function(at + 2 * step) - function(at - 2 * step)
    return float(8 * near - far) / (12 * step)


@given(
    k=st.floats(0.7, 1.4),
    t=st.floats(0.05, 2.0),
    vol=st.floats(0.2, 1.5),
    r=RATES,
    q=RATES,
    is_call=st.booleans(),
)
def test_greeks_are_the_slopes_of_the_price(
    k: float, t: float, vol: float, r: float, q: float, *, is_call: bool
) -> None:
    at = {"spot": SPOT, "years": t, "volatility": vol, "rate_per_year": r, "yield_per_year": q}

    def value(**changed: float) -> float:
        return float(black_scholes.price(strike=k * SPOT, is_call=is_call, **(at | changed)))

    def delta(spot: float) -> float:
        moved = black_scholes.greeks(strike=k * SPOT, is_call=is_call, **(at | {"spot": spot}))
        return float(moved.delta)

    found = black_scholes.greeks(strike=k * SPOT, is_call=is_call, **at)
    of_yield = black_scholes.yield_rho_quote_per_rate(strike=k * SPOT, is_call=is_call, **at)
    slopes = {
        "delta": (found.delta, slope(lambda x: value(spot=x), SPOT, 0.05)),
        "gamma": (found.gamma_per_quote, slope(delta, SPOT, 0.05)),
        "vega": (found.vega_quote_per_vol, slope(lambda x: value(volatility=x), vol, 1e-3)),
        "theta": (found.theta_quote_per_year, -slope(lambda x: value(years=x), t, t * 1e-3)),
        "rho": (found.rho_quote_per_rate, slope(lambda x: value(rate_per_year=x), r, 1e-3)),
        "yield": (of_yield, slope(lambda x: value(yield_per_year=x), q, 1e-3)),
    }
    for name, (stated, measured) in slopes.items():
        assert float(stated) == pytest.approx(measured, rel=1e-5, abs=1e-6), name


def test_greeks_of_a_forward_hold_the_forward_fixed() -> None:
    at = (100.0, 110.0, 0.5, 0.6)
    found = black76.greeks(*at, is_call=False, rate_per_year=0.05)

    def value(forward: float, years: float, rate: float) -> float:
        return float(black76.price(forward, 110.0, years, 0.6, is_call=False, rate_per_year=rate))

    assert float(found.delta) == pytest.approx(slope(lambda x: value(x, 0.5, 0.05), 100.0, 0.05))
    theta = -slope(lambda x: value(100.0, x, 0.05), 0.5, 1e-3)
    assert float(found.theta_quote_per_year) == pytest.approx(theta)
    rho = slope(lambda x: value(100.0, 0.5, x), 0.05, 1e-3)
    assert float(found.rho_quote_per_rate) == pytest.approx(rho)


@given(st.lists(st.tuples(MONEYNESS, YEARS, VOLS, st.booleans()), min_size=1, max_size=20), RATES)
def test_implied_volatility_is_the_one_that_priced(
    options: list[tuple[float, float, float, bool]], rate: float
) -> None:
    k, t, vol, is_call = (np.array(column) for column in zip(*options, strict=True))
    more: dict[str, Any] = {"is_call": is_call, "rate_per_year": rate}
    value = black76.price(SPOT, k * SPOT, t, vol, **more)
    found = black76.implied_volatility(value, SPOT, k * SPOT, t, **more)
    again = black76.price(SPOT, k * SPOT, t, found, **more)
    np.testing.assert_allclose(again, value, rtol=0, atol=1e-11 * SPOT)
    # Where a volatility moves the price by more than rounding, it is found again.
    told_apart = black76.greeks(SPOT, k * SPOT, t, vol, **more).vega_quote_per_vol > 1e-3 * SPOT
    np.testing.assert_allclose(found[told_apart], vol[told_apart], rtol=0, atol=1e-9)


def test_implied_volatility_of_a_spot_option() -> None:
    more = {"is_call": True, "rate_per_year": 0.1, "yield_per_year": 0.05}
    value = black_scholes.price(100.0, 95.0, 0.5, 0.2, **more)
    found = black_scholes.implied_volatility(value, 100.0, 95.0, 0.5, **more)
    assert float(found) == pytest.approx(0.2, abs=1e-12)


def test_an_option_without_time_or_volatility_is_worth_its_intrinsic_value() -> None:
    strikes = [90.0, 100.0, 110.0]
    for years, vol in ((0.0, 0.5), (0.5, 0.0)):
        value = black76.price(100.0, strikes, years, vol, is_call=True)
        assert value.tolist() == [10.0, 0.0, 0.0]
    assert float(black76.implied_volatility(10.0, 100.0, 90.0, 0.5, is_call=True)) == 0.0


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ([12.0, 9.9], r"Black-76: price\[1\] = 9.9: expected at least 10 \(intrinsic\)"),
        ([12.0, 100.0], r"Black-76: price\[1\] = 100: .* below 100 \(quote per unit"),
        ([12.0, -1.0], r"Black-76: price\[1\] = -1: expected .* at least 0 \(quote per unit"),
    ],
)
def test_a_price_that_no_volatility_gives_is_named(price: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        black76.implied_volatility(price, 100.0, 90.0, 0.5, is_call=True)


def test_arrays_are_broadcast() -> None:
    strikes, vols = np.array([[90.0], [110.0]]), np.array([0.2, 0.4, 0.6])
    value = black76.price(100.0, strikes, 0.5, vols, is_call=True)
    assert value.shape == (2, 3)
    assert value[1, 2] == black76.price(100.0, 110.0, 0.5, 0.6, is_call=True)


def tickers(data_dir: Path) -> list[dict[str, str]]:
    """Return the options of every file, with mark volatility and the exchange's delta."""
    rows: list[dict[str, str]] = []
    for path in sorted((data_dir / "options").glob("*.csv.zst")):
        packed = zstandard.ZstdDecompressor().stream_reader(path.open("rb"))
        rows += csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8"))
    named = {"underlying_price", "strike", "mark_iv", "delta", "timestamp", "expiration_ms"}
    return [row for row in rows if all(row.get(name) for name in named)]


def column(rows: list[dict[str, str]], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([float(row[name]) for row in rows])


def test_deribit_has_the_same_greeks(data_dir: Path) -> None:
    """Undiscounted Black-76 from the mark volatility, 365 days a year: delta within 1e-4."""
    rows = tickers(data_dir)
    if not rows:
        pytest.skip(f"no option tickers in {data_dir}/options: set BULKHEAD_DATA")
    years = (column(rows, "expiration_ms") - column(rows, "timestamp")) / YEAR_MS
    forward, strike = column(rows, "underlying_price"), column(rows, "strike")
    vol = column(rows, "mark_iv") / 100
    is_call = np.array([row["cp"] == "C" for row in rows])
    found = black76.greeks(forward, strike, years, vol, is_call=is_call)
    assert np.abs(found.delta - column(rows, "delta")).max() <= 1e-4
    # Shown to five decimals per dollar, per point of volatility.
    assert np.abs(found.gamma_per_quote - column(rows, "gamma")).max() <= 1e-5
    assert np.abs(found.vega_quote_per_vol / 100 - column(rows, "vega")).max() <= 0.05
    theta = np.abs(found.theta_quote_per_year / 365 - column(rows, "theta"))
    assert np.quantile(theta[years > 1 / 365], 0.95) <= 0.01
    coin = black76.price(forward, strike, years, vol, is_call=is_call) / forward
    assert np.quantile(np.abs(coin - column(rows, "mark_price")), 0.99) <= 5e-4


@pytest.mark.parametrize(
    ("strike", "mark", "is_call", "initial", "maintenance"),
    [
        (50_000.0, 1_000.0, True, 8_500.0, 4_750.0),  # at the money: 15 % and 7.5 %
        (51_000.0, 1_000.0, True, 7_500.0, 4_750.0),  # 2 % out of the money: 13 %
        (60_000.0, 100.0, True, 5_100.0, 3_850.0),  # far out: 10 %
        (45_000.0, 500.0, False, 5_500.0, 4_250.0),
        (150_000.0, 100_000.0, False, 107_500.0, 107_500.0),  # deep in: 7.5 % of the mark
    ],
)
def test_deribits_margin_of_a_short_option(
    strike: float, mark: float, initial: float, maintenance: float, *, is_call: bool
) -> None:
    found = option_margin.short_option_margin(
        option_margin.DERIBIT, reference=50_000.0, strike=strike, mark=mark, is_call=is_call
    )
    assert [float(x) for x in found] == pytest.approx([initial, maintenance])


RULES = ("AEVO", "BIT_BCH", "BIT_BTC", "BYBIT", "DERIBIT", "DERIVE", "OKX_BTC", "OKX_ETH")


@pytest.mark.parametrize("venue", RULES)
def test_initial_margin_covers_maintenance_and_mark(venue: str) -> None:
    strikes, marks = np.meshgrid(np.linspace(50, 150, 21), np.linspace(0, 120, 13))
    for is_call in (True, False):
        initial, maintenance = option_margin.short_option_margin(
            getattr(option_margin, venue),
            reference=100.0,
            strike=strikes,
            mark=marks,
            is_call=is_call,
        )
        assert (marks < maintenance).all()
        assert (maintenance <= initial).all()


def test_order_margins_of_options() -> None:
    """Worked examples of OKX: 100 contracts of 0.1 BTC."""
    each = {"multiplier": 0.1, "fee": 0.00002}
    assert 100 * float(option_margin.order_margin_buy_to_open(0.0475, **each)) == pytest.approx(
        0.477
    )
    opened = option_margin.order_margin_sell_to_open(
        0.06, position_margin=0.01932, least_share=0.1, **each
    )
    assert 100 * float(opened) == pytest.approx(1.334)
    assert float(option_margin.order_margin_sell_to_close(0.0755, **each)) == 0.0
    closed = option_margin.order_margin_buy_to_close(0.25, position_margin=0.01932, **each)
    assert float(closed) == pytest.approx(0.025 + 0.00002 - 0.01932)
