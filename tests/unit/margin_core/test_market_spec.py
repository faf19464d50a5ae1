"""Every rule of a market's parameters: one row per rule, with its message."""

from __future__ import annotations

import struct
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from margin_core import ContractKind, MarketSpec, Tier
from margin_core.market_spec import tier_amounts_quote

GOOD: dict[str, Any] = {
    "market_id": 1,
    "quote_per_tick_lot": 10,
    "price_ticks_max": 10_000_000,
    "position_lots_max": 1_000_000,
    "fee_maker_ppm": 200,
    "fee_taker_ppm": 500,
}


def tier(floor: Any, initial: Any, maintenance: Any) -> Tier:
    return Tier(
        notional_floor_quote=floor, margin_initial_ppm=initial, margin_maintenance_ppm=maintenance
    )


def tiers(*rows: tuple[Any, Any, Any]) -> dict[str, Any]:
    return {"tiers": tuple(tier(*row) for row in rows)}


ONE = tiers((0, 10_000, 5_000))
THREE = tiers((0, 10_000, 5_000), (10**9, 20_000, 10_000), (3 * 10**9, 50_000, 25_000))

BROKEN: list[tuple[str, dict[str, Any], str]] = [
    # An integer, and inside its bounds.
    ("whole", {"price_ticks_max": 10.0}, "MKT-1: price_ticks_max = 10.0: expected an integer"),
    ("bool", {"fee_maker_ppm": True}, "MKT-1: fee_maker_ppm = True: expected an integer"),
    ("absent", {"market_id": None}, "MKT-1: market_id = None: expected an integer"),
    ("id low", {"market_id": 0}, "MKT-1: market_id = 0: expected 1 to 65535"),
    ("id high", {"market_id": 65_536}, "MKT-1: market_id = 65536: expected 1 to 65535"),
    ("unit low", {"quote_per_tick_lot": 0}, "quote_per_tick_lot = 0: expected 1 to 4294967296"),
    ("unit high", {"quote_per_tick_lot": 2**32 + 1}, "4294967297: expected 1 to 4294967296"),
    ("price low", {"price_ticks_max": 0}, "price_ticks_max = 0: expected 1 to 134217727"),
    ("price high", {"price_ticks_max": 2**27}, "134217728: expected 1 to 134217727"),
    ("lots low", {"position_lots_max": 0}, "position_lots_max = 0: expected 1 to 1099511627776"),
    ("lots high", {"position_lots_max": 2**40 + 1}, "position_lots_max = 1099511627777"),
    ("maker", {"fee_maker_ppm": -1}, "fee_maker_ppm = -1: expected 0 to 100000"),
    ("taker", {"fee_taker_ppm": 100_001}, "fee_taker_ppm = 100001: expected 0 to 100000"),
    ("fee", {"fee_liquidation_ppm": 100_001}, "fee_liquidation_ppm = 100001: expected 0 to 100"),
    ("buffer", {"liquidation_buffer_ppm": -1}, "liquidation_buffer_ppm = -1: expected 0 to 100"),
    ("band low", {"mark_band_ppm": 0}, "mark_band_ppm = 0: expected 1 to 500000"),
    ("band high", {"mark_band_ppm": 500_001}, "mark_band_ppm = 500001: expected 1 to 500000"),
    (
        "step",
        {"quote_per_tick_lot": 2**32, "position_lots_max": 1, "price_ticks_max": 2**20},
        "FUND-2: funding_cap_ppm .* price_ticks_max .* quote_per_tick_lot",
    ),
    ("cap", {"funding_cap_ppm": 100_001}, "funding_cap_ppm = 100001: expected 0 to 100000"),
    ("interval", {"funding_interval_s": 0}, "funding_interval_s = 0: expected 1 to 604800"),
    ("band", {"order_band_ppm": -1}, "MKT-1: order_band_ppm = -1: expected 0 to 999999"),
    ("band of all", {"order_band_ppm": 10**6}, "order_band_ppm = 1000000: expected 0 to 999999"),
    ("cap of lots", {"open_interest_lots_max": -1}, "open_interest_lots_max = -1: expected 0 to"),
    ("age", {"index_age_max_ms": 0}, "index_age_max_ms = 0: expected 1 to 86400000"),
    # The largest notional.
    (
        "notional",
        {"quote_per_tick_lot": 2**20, "price_ticks_max": 2**26, "position_lots_max": 2**20},
        "NUM-1: price_ticks_max * position_lots_max * quote_per_tick_lot = 73786976294838206464",
    ),
    # The tiers.
    ("tiers list", {"tiers": [tier(0, 2, 1)]}, "MKT-1: tiers = [Tier(.*expected a tuple of Tier"),
    ("tiers none", {"tiers": ()}, "MKT-1: tiers = 0: expected 1 to 16"),
    ("tiers 17", tiers(*((k, 2, 1) for k in range(17))), "MKT-1: tiers = 17: expected 1 to 16"),
    (
        "tier whole",
        tiers((0, 10_000, 5_000.5)),
        "MKT-1: tiers[0].margin_maintenance_ppm = 5000.5: expected an integer",
    ),
    ("floor", tiers((1, 2, 1)), "MKT-1: tiers[0].notional_floor_quote = 1: expected 0 to 0 quote"),
    (
        "floors ascend",
        tiers((0, 10, 5), (10**6, 20, 10), (10**6, 30, 15)),
        "MKT-1: tiers[2].notional_floor_quote = 1000000: expected 1000001 to",
    ),
    (
        "maintenance positive",
        tiers((0, 10_000, 0)),
        "tiers[0].margin_maintenance_ppm = 0: expected 1 ppm to below the initial 10000 ppm",
    ),
    (
        "maintenance below initial",
        tiers((0, 10_000, 10_000)),
        "tiers[0].margin_maintenance_ppm = 10000: expected 1 ppm to below the initial 10000 ppm",
    ),
    (
        "maintenance ascends",
        tiers((0, 10_000, 5_000), (10**6, 20_000, 4_999)),
        "tiers[1].margin_maintenance_ppm = 4999: expected 5000 ppm to below",
    ),
    (
        "initial ascends",
        tiers((0, 10_000, 5_000), (10**6, 9_999, 5_000)),
        "tiers[1].margin_initial_ppm = 9999: expected 10000 to 999499 ppm",
    ),
    (
        "initial and closing fee below one",
        tiers((0, 999_500, 5_000)),
        "tiers[0].margin_initial_ppm = 999500: expected 0 to 999499 ppm",
    ),
    (
        "continuous",
        tiers((0, 10_000, 5_000), (10**6 + 1, 20_000, 10_000)),
        "MKT-2: floor * step of margin_initial_ppm = 10000010000: expected a multiple of 10^6",
    ),
    (
        "continuous below",
        tiers((0, 10_000, 5_000), (100, 20_000, 5_001)),
        "MKT-2: floor * step of margin_maintenance_ppm = 100: expected a multiple of 10^6",
    ),
]

DATED: dict[str, Any] = {"kind": 2, "expiry_time_s": 10**9, "funding_cap_ppm": 0}
CALL: dict[str, Any] = DATED | {
    "kind": 3,
    "strike_ticks": 60_000,
    "option_initial_least_ppm": 100_000,
    "option_initial_ppm": 150_000,
    "option_maintenance_ppm": 75_000,
    "tiers": (),
}
PUT: dict[str, Any] = CALL | {
    "kind": 4,
    "option_maintenance_of_mark_ppm": 75_000,
    "option_put_initial_ppm": 1_050_000,
}
INVERSE: dict[str, Any] = {"kind": 1, "quote_per_tick_lot": 10**9, "position_lots_max": 10**9}
KINDS: list[tuple[str, dict[str, Any], str]] = [
    ("no kind", {"kind": 5}, "MKT-3: kind = 5: expected 0 LINEAR_PERPETUAL, 1 INVERSE_PERPETUAL"),
    ("kind bool", {"kind": True}, "MKT-3: kind = True: expected 0 LINEAR_PERPETUAL"),
    ("kind name", {"kind": "put"}, "MKT-3: kind = 'put': expected 0 LINEAR_PERPETUAL"),
    ("expiry whole", DATED | {"expiry_time_s": 1.5}, "expiry_time_s = 1.5: expected an integer"),
    ("no expiry", DATED | {"expiry_time_s": 0}, "expiry_time_s = 0: expected 1 to 1099511627775 s"),
    (
        "expiry",
        {"kind": 1, "expiry_time_s": 1},
        "expiry_time_s = 1: expected 0 to 0 s of a market of kind INV",
    ),
    ("strike", {"strike_ticks": 1}, "strike_ticks = 1: expected 0 to 0 ticks of a market of kind"),
    ("no strike", CALL | {"strike_ticks": 0}, "strike_ticks = 0: expected 1 to 10000000 ticks"),
    ("share", {"option_initial_ppm": 1}, "option_initial_ppm = 1: expected 0 to 0 ppm"),
    ("no share", CALL | {"option_maintenance_ppm": 0}, "option_maintenance_ppm = 0: expected 1 to"),
    (
        "initial below maintenance",
        CALL | {"option_initial_least_ppm": 74_999},
        "option_initial_least_ppm = 74999: expected 75000 to 1000000 ppm of a market of kind OPT",
    ),
    (
        "at the money below the least",
        CALL | {"option_initial_ppm": 99_999},
        "option_initial_ppm = 99999: expected 100000 to 1000000 ppm",
    ),
    (
        "call of mark",
        CALL | {"option_maintenance_of_mark_ppm": 1},
        "of_mark_ppm = 1: expected 0 to",
    ),
    ("call initial", CALL | {"option_put_initial_ppm": 10**6}, "expected 0 to 0 ppm of a market"),
    ("put initial", PUT | {"option_put_initial_ppm": 999_999}, "expected 1000000 to 2000000 ppm"),
    ("option tiers", CALL | ONE, "MKT-3: tiers = 1: expected none: an option has shares instead"),
    (
        "future funding",
        DATED | {"funding_cap_ppm": 1},
        "MKT-3: funding_cap_ppm = 1: expected 0 ppm",
    ),
    (
        "inverse notional",
        INVERSE | {"position_lots_max": 2 * 10**9},
        "NUM-3: position_lots_max * quote_per_tick_lot = 2000000000000000000: expected at most",
    ),
    (
        "inverse step",
        INVERSE
        | {"quote_per_tick_lot": 2**32, "position_lots_max": 1, "funding_cap_ppm": 10**5 * 3},
        "MKT-1: funding_cap_ppm",
    ),
]


@pytest.mark.parametrize(
    ("change", "message"), [pytest.param(*row[1:], id=row[0]) for row in KINDS]
)
def test_a_kind_has_what_it_needs_and_nothing_else(change: dict[str, Any], message: str) -> None:
    """MKT-3, NUM-3: the message names rule, value, unit and kind."""
    with pytest.raises(ValueError, match=r"\A(NUM-3|MKT-[13]): ") as refused:
        MarketSpec(**(GOOD | ONE | change))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "change", [{}, DATED, CALL, PUT, INVERSE], ids=lambda c: str(c.get("kind"))
)
def test_every_kind_survives_the_journal(change: dict[str, Any]) -> None:
    """MKT-3: and a linear perpetual has the bytes that it had before there were kinds."""
    spec = MarketSpec(**(GOOD | ONE | change))
    packed = spec.pack()
    assert MarketSpec.unpack(packed) == spec
    assert packed[2:4] == (b"\1\0" if change else b"\0\0")
    assert spec.kind is ContractKind(change.get("kind", 0))
    with pytest.raises(ValueError, match="version 2 is newer"):
        MarketSpec.unpack(packed[:2] + b"\2\0" + packed[4:])


@pytest.mark.parametrize(
    ("change", "message"), [pytest.param(*row[1:], id=row[0]) for row in BROKEN]
)
def test_a_broken_rule_is_refused_with_its_message(change: dict[str, Any], message: str) -> None:
    """MKT-1, MKT-2, NUM-1: the message names rule, value and what was expected."""
    with pytest.raises(ValueError, match=r"\A(NUM|MKT|FUND)-[12]: ") as refused:
        MarketSpec(**(GOOD | ONE | change))
    for part in message.split(".*"):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"fee_taker_ppm": 0, **tiers((0, 999_999, 999_998))},
        {"fee_maker_ppm": 100_000, "fee_taker_ppm": 100_000, "funding_cap_ppm": 0},
        {"price_ticks_max": 2**27 - 1, "position_lots_max": 2**33, "quote_per_tick_lot": 1},
        {"position_lots_max": 2**40, "price_ticks_max": 2**20, "quote_per_tick_lot": 1},
        {
            "quote_per_tick_lot": 2**32,
            "price_ticks_max": 2**14,
            "position_lots_max": 2**14,
            "funding_cap_ppm": 2**4,
        },
        tiers(*((k * 10**6, 10 + k, 5 + k) for k in range(8))),
        tiers((0, 10_000, 5_000), (10**6, 10_000, 6_000)),
        {"market_id": 65_535, "mark_band_ppm": 500_000, "index_age_max_ms": 86_400_000},
    ],
)
def test_the_bounds_themselves_are_admitted(change: dict[str, Any]) -> None:
    """MKT-1, NUM-1: equality is inside; and the journal's form gives the same market back."""
    spec = MarketSpec(**(GOOD | ONE | change))
    assert MarketSpec.unpack(spec.pack()) == spec


def test_amounts_chain_the_tiers() -> None:
    """MKT-2: amount_k = amount_{k-1} + floor_k · (rate_k - rate_{k-1}) / 10^6."""
    spec = MarketSpec(**(GOOD | THREE))
    assert tier_amounts_quote(spec) == [
        (0, 0),
        (10_000_000, 5_000_000),
        (100_000_000, 50_000_000),
    ]


def test_a_market_does_not_change() -> None:
    """MKT-1: validated once."""
    spec = MarketSpec(**(GOOD | ONE))
    with pytest.raises(FrozenInstanceError):
        spec.fee_taker_ppm = 0  # type: ignore[misc]


def test_damaged_bytes_are_refused() -> None:
    """MKT-1: the journal's form is checked like any other."""
    packed = MarketSpec(**(GOOD | ONE)).pack()
    with pytest.raises(ValueError, match="do not hold 1 tiers"):
        MarketSpec.unpack(packed + b"\0")
    with pytest.raises(struct.error):
        MarketSpec.unpack(packed[:10])
    with pytest.raises(ValueError, match="MKT-1: market_id = 0"):
        MarketSpec.unpack(bytes(4) + packed[4:])
