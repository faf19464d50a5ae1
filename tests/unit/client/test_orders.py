"""Orders are built exactly: margin rounds up, protection stays within its bound, nonces count."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.client import (
    NonceSource,
    OrderBuilder,
    PrecisionError,
    Side,
    TimeInForce,
    margin_quote,
    protection_price_ticks,
)
from tests.unit.client.builders import market

BTC = market()
ACCOUNT = b"\x01" * 20
PRICES = st.integers(1, BTC.spec.price_ticks_max)
LOTS = st.integers(1, 10**6)
SIDES = st.sampled_from(Side)


def builder() -> OrderBuilder:
    return OrderBuilder(ACCOUNT, NonceSource(64))


def test_orders_that_never_rest_have_ascending_nonces() -> None:
    """SIG-5: each higher than the one before; what rests or waits has others."""
    build = OrderBuilder(ACCOUNT, NonceSource(64), taker_nonces=NonceSource.ascending(0))

    def limit(time_in_force: TimeInForce) -> int:
        return build.limit(
            BTC, Side.BUY, price_ticks=9, qty_lots=1, margin_quote=9, time_in_force=time_in_force
        ).nonce

    nonces = [
        limit(TimeInForce.GTC),
        limit(TimeInForce.IOC),
        build.market(BTC, Side.BUY, qty_lots=1, mark_price_ticks=9, margin_quote=9).nonce,
        build.stop(BTC, Side.SELL, qty_lots=1, trigger_price_ticks=9).nonce,
    ]
    assert nonces == [64, 2**63, 2**63 + 1, 65]
    assert NonceSource.ascending().take() > NonceSource.ascending(10**18).take()


@given(price_ticks=PRICES, qty_lots=LOTS, leverage=st.fractions(1, 100))
def test_margin_is_the_rounded_up_share_and_two_fees(
    price_ticks: int, qty_lots: int, leverage: Fraction
) -> None:
    """NUM-2: requirements and fees round up."""
    notional = Fraction(price_ticks * qty_lots * 10)
    exact = notional / leverage + 2 * notional * 500 / 10**6
    margin = margin_quote(BTC, price_ticks=price_ticks, qty_lots=qty_lots, leverage=leverage)
    assert exact <= margin < exact + 3


@given(price_ticks=PRICES, qty_lots=LOTS)
def test_the_highest_leverage_satisfies_the_initial_requirement(
    price_ticks: int, qty_lots: int
) -> None:
    """MARG-3: margin less the opening fee covers the requirement at the price of the fill."""
    margin = margin_quote(BTC, price_ticks=price_ticks, qty_lots=qty_lots, leverage=100)
    fee = -(-price_ticks * qty_lots * 10 * 500 // 10**6)
    notional = price_ticks * qty_lots * 10
    assert margin - fee >= -(-notional * (10_000 + 500) // 10**6)


@given(side=SIDES, price_ticks=PRICES, slippage_ppm=st.integers(0, 999_999))
def test_protection_is_worse_by_at_most_the_slippage(
    side: Side, price_ticks: int, slippage_ppm: int
) -> None:
    worst = protection_price_ticks(BTC, side, price_ticks=price_ticks, slippage_ppm=slippage_ppm)
    sign = 1 if side is Side.BUY else -1
    assert 0 <= sign * (worst - price_ticks) * 10**6 <= slippage_ppm * price_ticks
    assert 1 <= worst <= BTC.spec.price_ticks_max


def test_an_order_has_a_date_unless_it_is_told_to_have_none() -> None:
    """TIF-1: a day, the seconds that are given, or with 0 none; money moves with a date only."""
    form: Any = {"qty_lots": 1, "is_reduce_only": True, "price_ticks": 9}
    stop: Any = {"qty_lots": 1, "trigger_price_ticks": 9}

    def dates(build: OrderBuilder, **lifetime: Any) -> list[int]:
        order = build.limit(BTC, Side.BUY, **form, **lifetime)
        return [order.expiry_time_s, build.stop(BTC, Side.SELL, **stop, **lifetime).expiry_time_s]

    now_s = int(time.time())
    build, dateless = builder(), OrderBuilder(ACCOUNT, NonceSource(64), lifetime_s=0)
    for found, seconds in [(dates(build), 86_400), (dates(dateless, lifetime_s=60), 60)]:
        assert all(now_s + seconds <= date <= now_s + seconds + 60 for date in found)
    assert dates(build, lifetime_s=0) == dates(dateless) == [2**32 - 1] * 2
    assert build.limit(BTC, Side.BUY, **form, lifetime_s=0).time_in_force == TimeInForce.GTC - 1
    for each in (build, dateless):
        assert now_s + 86_400 <= each.move_expiry_time_s() <= now_s + 86_400 + 60


def test_a_limit_order_carries_what_was_given() -> None:
    order = builder().limit(BTC, Side.SELL, price_ticks=500, qty_lots=3, leverage=10)
    assert order.account == ACCOUNT
    assert (order.market_id, order.side, order.time_in_force) == (1, 1, 0)
    assert (order.price_ticks, order.qty_lots, order.nonce) == (500, 3, 64)
    assert order.margin_quote == 1500 + 2 * 8
    assert order.fee_ppm_max == 500
    assert (order.trigger_kind, order.trigger_price_ticks) == (0, 0)


@pytest.mark.parametrize(("side", "price_ticks"), [(Side.BUY, 1010), (Side.SELL, 990)])
def test_a_market_order_takes_at_once_within_its_protection(side: Side, price_ticks: int) -> None:
    order = builder().market(BTC, side, qty_lots=1, mark_price_ticks=1000, leverage=2)
    assert order.time_in_force == TimeInForce.IOC - 1
    assert order.price_ticks == price_ticks
    counted = max(1000, price_ticks)
    assert order.margin_quote == margin_quote(BTC, price_ticks=counted, qty_lots=1, leverage=2)


@pytest.mark.parametrize(
    ("kind", "side", "trigger_kind", "price_ticks"),
    [
        ("stop", Side.SELL, 2, 990),
        ("stop", Side.BUY, 1, 1010),
        ("take_profit", Side.SELL, 1, 990),
        ("take_profit", Side.BUY, 2, 1010),
    ],
)
def test_triggers_point_the_right_way(
    kind: str, side: Side, trigger_kind: int, price_ticks: int
) -> None:
    order = getattr(builder(), kind)(BTC, side, qty_lots=1, trigger_price_ticks=1000)
    assert (order.trigger_kind, order.trigger_price_ticks) == (trigger_kind, 1000)
    assert order.price_ticks == price_ticks
    assert order.is_reduce_only
    assert order.margin_quote == 0


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"leverage": 2, "margin_quote": 5},
        {"leverage": 2, "is_reduce_only": True},
        {"margin_quote": 2, "is_reduce_only": True},
        {"leverage": Decimal("0.5")},
    ],
)
def test_margin_is_given_in_exactly_one_way(terms: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"leverage|margin"):
        builder().limit(BTC, Side.BUY, price_ticks=1, qty_lots=1, **terms)  # type: ignore[arg-type]


def test_nonces_are_consecutive_and_resumable() -> None:
    """SIG-1: eight in a row share a storage slot."""
    source = NonceSource(8)
    assert [source.take() for _ in range(8)] == list(range(8, 16))
    assert NonceSource(source.next_nonce).take() == 16


@given(time_ns=st.integers(0, 2**62), later_ms=st.integers(1, 10**9))
def test_clock_ranges_begin_a_slot_and_do_not_meet(time_ns: int, later_ms: int) -> None:
    first = NonceSource.from_clock(time_ns)
    second = NonceSource.from_clock(time_ns + later_ms * 1_000_000)
    assert first.next_nonce % 8 == 0
    assert second.next_nonce - first.next_nonce >= 65_536


def test_a_nonce_source_ends() -> None:
    source = NonceSource(2**64 - 1)
    assert source.take() == 2**64 - 1
    with pytest.raises(OverflowError):
        source.take()
    for wrong in (-1, 2**64):
        with pytest.raises(ValueError, match="next_nonce"):
            NonceSource(wrong)


def test_decimals_are_exact_or_an_error() -> None:
    """What a person types becomes whole ticks, lots and units, or nothing."""
    assert BTC.ticks("60000.5") == 600_005
    assert BTC.ticks(Decimal("0.1")) == 1
    assert BTC.lots("0.25") == 2_500
    assert BTC.quote("1.000001") == 1_000_001
    for convert, value in [(BTC.ticks, "0.05"), (BTC.lots, "0.00001"), (BTC.quote, "0.0000001")]:
        with pytest.raises(PrecisionError, match=value):
            convert(value)
    for text in ("", "one", "1.2.3", "nan", "inf"):
        with pytest.raises(PrecisionError):
            BTC.ticks(text)


@given(ticks=PRICES, lots=LOTS, amount=st.integers(-(2**60), 2**60))
def test_decimals_come_back(ticks: int, lots: int, amount: int) -> None:
    assert BTC.ticks(BTC.price(ticks)) == ticks
    assert BTC.lots(BTC.qty(lots)) == lots
    assert BTC.quote(BTC.amount(amount)) == amount
