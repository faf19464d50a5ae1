"""Parameters of a market: immutable, validated once, with one message per broken rule."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from typing import Final

from margin_core.limits import (
    FUNDING_STEP_E6_MAX,
    POSITION_LOTS_MAX,
    PPM,
    PRICE_TICKS_MAX,
    QUOTE_MAX,
    QUOTE_PER_TICK_LOT_MAX,
    TIERS_MAX,
)

_HEAD: Final = struct.Struct("<IqqqiiiiiiiqB")
_TIER: Final = struct.Struct("<qii")


def _require(rule: str, ok: bool, name: str, value: object, expected: str) -> None:
    if not ok:
        raise ValueError(f"{rule}: {name} = {value!r}: expected {expected}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One bracket of notional. Rates in ppm, `maintenance < initial`."""

    notional_floor_quote: int
    margin_initial_ppm: int
    margin_maintenance_ppm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSpec:
    """A market's parameters (SPEC §2).

    Raises:
        ValueError: A rule is broken; the message names rule, value and unit.

    >>> spec = MarketSpec(market_id=1, quote_per_tick_lot=1, price_ticks_max=1_000_000,
    ...     position_lots_max=1_000_000, fee_maker_ppm=200, fee_taker_ppm=500,
    ...     tiers=(Tier(notional_floor_quote=0, margin_initial_ppm=10_000,
    ...                 margin_maintenance_ppm=5_000),))
    >>> MarketSpec.unpack(spec.pack()) == spec
    True
    """

    market_id: int
    quote_per_tick_lot: int
    price_ticks_max: int
    position_lots_max: int
    fee_maker_ppm: int
    fee_taker_ppm: int
    tiers: tuple[Tier, ...]
    fee_liquidation_ppm: int = 5_000
    liquidation_buffer_ppm: int = 2_500
    mark_band_ppm: int = 50_000
    funding_cap_ppm: int = 7_500
    funding_interval_s: int = 3_600
    index_age_max_ms: int = 60_000

    def __post_init__(self) -> None:
        """Check the rules NUM-1, MKT-1 and MKT-2."""
        for field in fields(self):
            if field.name != "tiers":
                value = getattr(self, field.name)
                _require("MKT-1", type(value) is int, field.name, value, "an integer")
        _require("MKT-1", type(self.tiers) is tuple, "tiers", self.tiers, "a tuple of Tier")
        for index, tier in enumerate(self.tiers):
            for field in fields(Tier):
                value = getattr(tier, field.name)
                name = f"tiers[{index}].{field.name}"
                _require("MKT-1", type(value) is int, name, value, "an integer")
        self._check_ranges()
        self._check_tiers()
        tier_amounts_quote(self)

    def _check_ranges(self) -> None:
        bounds = {
            "market_id": (1, 65_535),
            "quote_per_tick_lot": (1, QUOTE_PER_TICK_LOT_MAX),
            "price_ticks_max": (1, PRICE_TICKS_MAX),
            "position_lots_max": (1, POSITION_LOTS_MAX),
            "fee_maker_ppm": (0, 100_000),
            "fee_taker_ppm": (0, 100_000),
            "fee_liquidation_ppm": (0, 100_000),
            "liquidation_buffer_ppm": (0, 100_000),
            "mark_band_ppm": (1, 500_000),
            "funding_cap_ppm": (0, 100_000),
            "funding_interval_s": (1, 7 * 86_400),
            "index_age_max_ms": (1, 86_400_000),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            _require("MKT-1", low <= value <= high, name, value, f"{low} to {high}")
        notional = self.price_ticks_max * self.position_lots_max * self.quote_per_tick_lot
        _require(
            "NUM-1",
            notional <= QUOTE_MAX,
            "price_ticks_max * position_lots_max * quote_per_tick_lot",
            notional,
            f"at most {QUOTE_MAX} quote",
        )

        step = self.funding_cap_ppm * self.price_ticks_max * self.quote_per_tick_lot
        _require(
            "FUND-2",
            step <= FUNDING_STEP_E6_MAX,
            "funding_cap_ppm * price_ticks_max * quote_per_tick_lot",
            step,
            f"at most {FUNDING_STEP_E6_MAX} quote per lot * 10^6",
        )

    def _check_tiers(self) -> None:
        _require("MKT-1", 1 <= len(self.tiers) <= TIERS_MAX, "tiers", len(self.tiers), "1 to 8")
        floor = -1
        initial = maintenance = 0
        for index, tier in enumerate(self.tiers):
            at = f"tiers[{index}]."
            first = 0 if index == 0 else floor + 1
            last = 0 if index == 0 else QUOTE_MAX
            floor, rate = tier.notional_floor_quote, tier.margin_maintenance_ppm
            _require(
                "MKT-1",
                first <= floor <= last,
                at + "notional_floor_quote",
                floor,
                f"{first} to {last} quote",
            )
            _require(
                "MKT-1",
                max(1, maintenance) <= rate < tier.margin_initial_ppm,
                at + "margin_maintenance_ppm",
                rate,
                f"{max(1, maintenance)} ppm to below the initial {tier.margin_initial_ppm} ppm",
            )
            top = PPM - 1 - self.fee_taker_ppm
            _require(
                "MKT-1",
                initial <= tier.margin_initial_ppm <= top,
                at + "margin_initial_ppm",
                tier.margin_initial_ppm,
                f"{initial} to {top} ppm",
            )
            initial, maintenance = tier.margin_initial_ppm, rate

    def pack(self) -> bytes:
        """Return the journal's form of the parameters."""
        head = [getattr(self, name) for name in _HEAD_FIELDS]
        tiers = b"".join(
            _TIER.pack(t.notional_floor_quote, t.margin_initial_ppm, t.margin_maintenance_ppm)
            for t in self.tiers
        )
        return _HEAD.pack(*head, len(self.tiers)) + tiers

    @classmethod
    def unpack(cls, packed: bytes) -> MarketSpec:
        """Return the parameters of `pack`. Raises `ValueError` or `struct.error` on bad bytes."""
        *head, count = _HEAD.unpack_from(packed)
        if len(packed) != _HEAD.size + count * _TIER.size:
            raise ValueError(f"market parameters: {len(packed)} bytes do not hold {count} tiers")
        tiers = tuple(
            Tier(notional_floor_quote=floor, margin_initial_ppm=im, margin_maintenance_ppm=mm)
            for floor, im, mm in _TIER.iter_unpack(packed[_HEAD.size :])
        )
        return cls(**dict(zip(_HEAD_FIELDS, head, strict=True)), tiers=tiers)


_HEAD_FIELDS: Final = (
    "market_id",
    "quote_per_tick_lot",
    "price_ticks_max",
    "position_lots_max",
    "fee_maker_ppm",
    "fee_taker_ppm",
    "fee_liquidation_ppm",
    "liquidation_buffer_ppm",
    "mark_band_ppm",
    "funding_cap_ppm",
    "funding_interval_s",
    "index_age_max_ms",
)


def tier_amounts_quote(spec: MarketSpec) -> list[tuple[int, int]]:
    """Return (initial, maintenance) amounts in quote per tier (MKT-2).

    Raises:
        ValueError: An amount would not be whole, so the requirement would jump at the floor.
    """
    amounts = [(0, 0)]
    for before, tier in zip(spec.tiers, spec.tiers[1:], strict=False):
        chained = []
        for name, amount in zip(
            ("margin_initial_ppm", "margin_maintenance_ppm"), amounts[-1], strict=True
        ):
            step = tier.notional_floor_quote * (getattr(tier, name) - getattr(before, name))
            _require(
                "MKT-2",
                step % PPM == 0,
                f"floor * step of {name}",
                step,
                "a multiple of 10^6 (quote * ppm), so that the requirement is continuous",
            )
            chained.append(amount + step // PPM)
        amounts.append((chained[0], chained[1]))
    return amounts
