"""Parameters of a market: immutable, validated once, with one message per broken rule."""

from __future__ import annotations

import enum
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
    TIME_S_MAX,
    as_integer,
)

_HEAD: Final = struct.Struct("<HHqqqiiiiiiiqB")  # market id, version of the form, ...
_TIER: Final = struct.Struct("<qii")
_CONTRACT: Final = struct.Struct("<Bqqiiiiiqiiiiiq")  # version 1: what may be 0


class ContractKind(enum.IntEnum):
    """What a market trades (SPEC MKT-3)."""

    LINEAR_PERPETUAL = 0
    INVERSE_PERPETUAL = 1
    LINEAR_FUTURE = 2
    OPTION_CALL = 3
    OPTION_PUT = 4

    @property
    def is_option(self) -> bool:
        """Return whether it is a European option, settled in cash."""
        return self >= ContractKind.OPTION_CALL

    @property
    def expires(self) -> bool:
        """Return whether it is delivered at a time."""
        return self >= ContractKind.LINEAR_FUTURE

    @property
    def ends(self) -> bool:
        """Return whether it may have an end: what expires, and a perpetual that is delisted."""
        return self.expires or self == ContractKind.LINEAR_PERPETUAL


def _require(rule: str, ok: bool, name: str, value: object, expected: str) -> None:
    if not ok:
        raise ValueError(f"{rule}: {name} = {value!r}: expected {expected}")


def _integer(name: str, value: object) -> int:
    number = as_integer(value)
    if number is None:
        raise ValueError(f"MKT-1: {name} = {value!r}: expected an integer")
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One bracket of notional. Rates in ppm, `maintenance < initial`."""

    notional_floor_quote: int
    margin_initial_ppm: int
    margin_maintenance_ppm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSpec:
    """A market's parameters (SPEC §2).

    `kind` says what `quote_per_tick_lot` (u) means: c lots at price p are worth p·c·u quote, of an
    inverse perpetual c·u/p quote, where the quote is the coin. Options and dated futures have an
    `expiry_time_s` (unix); options a `strike_ticks` and, instead of tiers, the shares of the
    underlying's price that a short needs (OPT-1), in ppm.

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
    kind: ContractKind = ContractKind.LINEAR_PERPETUAL
    expiry_time_s: int = 0
    strike_ticks: int = 0
    option_initial_least_ppm: int = 0
    option_initial_ppm: int = 0
    option_maintenance_ppm: int = 0
    option_maintenance_of_mark_ppm: int = 0
    option_put_initial_ppm: int = 0
    impact_notional_quote: int = 0
    funding_period_s: int = 0
    funding_interest_ppm: int = 0
    funding_clamp_ppm: int = 0
    grace_s: int = 0
    order_band_ppm: int = 0
    open_interest_lots_max: int = 0

    def __post_init__(self) -> None:
        """Check the rules NUM-1, NUM-3 and MKT-1 to MKT-3."""
        kinds = ", ".join(f"{kind.value} {kind.name}" for kind in ContractKind)
        kind = as_integer(self.kind)
        if kind is None or kind not in list(ContractKind):
            raise ValueError(f"MKT-3: kind = {self.kind!r}: expected {kinds}")
        object.__setattr__(self, "kind", ContractKind(kind))
        for field in fields(self):
            if field.name not in {"kind", "tiers"}:
                number = _integer(field.name, getattr(self, field.name))
                object.__setattr__(self, field.name, number)
        _require("MKT-1", type(self.tiers) is tuple, "tiers", self.tiers, "a tuple of Tier")
        tiers = []
        for index, tier in enumerate(self.tiers):
            at = f"tiers[{index}]"
            _require("MKT-1", isinstance(tier, Tier), at, tier, "a Tier")
            numbers = {
                field.name: _integer(f"{at}.{field.name}", getattr(tier, field.name))
                for field in fields(Tier)
            }
            tiers.append(Tier(**numbers))
        object.__setattr__(self, "tiers", tuple(tiers))
        self._check_ranges()
        self._check_products()
        self._check_contract()
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
            "impact_notional_quote": (0, QUOTE_MAX),
            "funding_period_s": (0, 7 * 86_400),
            "funding_interest_ppm": (-100_000, 100_000),
            "funding_clamp_ppm": (0, 100_000),
            "grace_s": (0, 86_400),
            "order_band_ppm": (0, PPM - 1),
            "open_interest_lots_max": (0, QUOTE_MAX),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            _require("MKT-1", low <= value <= high, name, value, f"{low} to {high}")

    def _check_products(self) -> None:
        """NUM-1, NUM-3, FUND-2: the worth of a lot at its highest, times what multiplies it."""
        rule, price, name = "NUM-1", self.price_ticks_max, "price_ticks_max * "
        if self.kind == ContractKind.INVERSE_PERPETUAL:
            rule, price, name = "NUM-3", 1, ""
        notional = price * self.position_lots_max * self.quote_per_tick_lot
        _require(
            rule,
            notional <= QUOTE_MAX,
            f"{name}position_lots_max * quote_per_tick_lot",
            notional,
            f"at most {QUOTE_MAX} quote",
        )
        step = self.funding_cap_ppm * price * self.quote_per_tick_lot
        _require(
            "FUND-2",
            step <= FUNDING_STEP_E6_MAX,
            f"funding_cap_ppm * {name}quote_per_tick_lot",
            step,
            f"at most {FUNDING_STEP_E6_MAX} quote per lot * 10^6",
        )

    def _check_contract(self) -> None:
        """MKT-3: what a kind needs, and nothing that it has not."""
        kind, most = self.kind, PPM if self.kind.is_option else 0
        bounds = {
            "expiry_time_s": (int(kind.expires), TIME_S_MAX if kind.ends else 0),
            "strike_ticks": (1, self.price_ticks_max) if kind.is_option else (0, 0),
            "option_initial_least_ppm": (self.option_maintenance_ppm, most),
            "option_initial_ppm": (self.option_initial_least_ppm, most),
            "option_maintenance_ppm": (min(1, most), most),
            "option_maintenance_of_mark_ppm": (0, most if kind == kind.OPTION_PUT else 0),
            "option_put_initial_ppm": (PPM, 2 * PPM) if kind == kind.OPTION_PUT else (0, 0),
        }
        for name, (low, high) in bounds.items():
            value, unit = getattr(self, name), name.rpartition("_")[2]
            expected = f"{low} to {high} {unit} of a market of kind {kind.name}"
            _require("MKT-3", low <= value <= high, name, value, expected)
        if kind.expires:
            cap = self.funding_cap_ppm
            _require(
                "MKT-3", cap == 0, "funding_cap_ppm", cap, f"0 ppm: a {kind.name} pays no funding"
            )

    def _check_tiers(self) -> None:
        count = len(self.tiers)
        if self.kind.is_option:
            _require("MKT-3", count == 0, "tiers", count, "none: an option has shares instead")
            return
        _require("MKT-1", 1 <= count <= TIERS_MAX, "tiers", count, f"1 to {TIERS_MAX}")
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
        """Return the journal's form of the parameters: version 0 where it can say all, else 1."""
        contract = [getattr(self, name) for name in _CONTRACT_FIELDS]
        version = int(any(contract))
        head = [getattr(self, name) for name in _HEAD_FIELDS]
        tiers = b"".join(
            _TIER.pack(t.notional_floor_quote, t.margin_initial_ppm, t.margin_maintenance_ppm)
            for t in self.tiers
        )
        packed = _HEAD.pack(head[0], version, *head[1:], len(self.tiers)) + tiers
        return packed + _CONTRACT.pack(*contract) if version else packed

    @classmethod
    def unpack(cls, packed: bytes) -> MarketSpec:
        """Return the parameters of `pack`. Raises `ValueError` or `struct.error` on bad bytes."""
        market_id, version, *head, count = _HEAD.unpack_from(packed)
        if version > 1:
            raise ValueError(f"market parameters: version {version} is newer than this program's 1")
        end = _HEAD.size + count * _TIER.size
        if len(packed) != end + version * _CONTRACT.size:
            raise ValueError(f"market parameters: {len(packed)} bytes do not hold {count} tiers")
        values = dict(zip(_HEAD_FIELDS, (market_id, *head), strict=True))
        if version:
            values |= zip(_CONTRACT_FIELDS, _CONTRACT.unpack_from(packed, end), strict=True)
        tiers = tuple(
            Tier(notional_floor_quote=floor, margin_initial_ppm=im, margin_maintenance_ppm=mm)
            for floor, im, mm in _TIER.iter_unpack(packed[_HEAD.size : end])
        )
        return cls(**values, tiers=tiers)


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
_CONTRACT_FIELDS: Final = (
    "kind",
    "expiry_time_s",
    "strike_ticks",
    "option_initial_least_ppm",
    "option_initial_ppm",
    "option_maintenance_ppm",
    "option_maintenance_of_mark_ppm",
    "option_put_initial_ppm",
    "impact_notional_quote",
    "funding_period_s",
    "funding_interest_ppm",
    "funding_clamp_ppm",
    "grace_s",
    "order_band_ppm",
    "open_interest_lots_max",
)


def tier_amounts_quote(spec: MarketSpec) -> list[tuple[int, int]]:
    """Return (initial, maintenance) amounts in quote per tier (MKT-2).

    Raises:
        ValueError: An amount would not be whole, so the requirement would jump at the floor.
    """
    amounts = [(0, 0)] if spec.tiers else []
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
