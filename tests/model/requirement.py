"""The slow, obvious twin of margin_core, first part: the rules MARG of SPEC §3."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from margin_core import MarketSpec

PPM = 1_000_000


@dataclass
class Bucket:
    """One position, and below it what a change of it moved."""

    lots: int
    value: int  # entry value, quote
    margin: int  # collateral, quote
    index: int = 0  # funding index e6 of the last touch
    free: int = 0  # change of the account's free balance
    fee: int = 0
    funding: int = 0
    pnl: int = 0
    released: int = 0


class Requirements:
    """What a position of one market needs, at one mark and one funding index."""

    def __init__(self, spec: MarketSpec, index: int = 0, mark: int = 1) -> None:
        self.spec, self.index, self.mark, self.unit = spec, index, mark, spec.quote_per_tick_lot
        self.tiers = [(0, 0)]  # MKT-2: (initial, maintenance) amounts
        for low, tier in zip(spec.tiers, spec.tiers[1:], strict=False):
            im = tier.notional_floor_quote * (tier.margin_initial_ppm - low.margin_initial_ppm)
            mm = tier.margin_maintenance_ppm - low.margin_maintenance_ppm
            mm *= tier.notional_floor_quote
            self.tiers.append((self.tiers[-1][0] + im // PPM, self.tiers[-1][1] + mm // PPM))

    # Requirements and prices

    def owed(self, p: Bucket) -> int:
        return ceil(Fraction(p.lots * (self.index - p.index), PPM))

    def equity(self, p: Bucket, mark: int | None = None) -> int:
        price = self.mark if mark is None else mark
        entry = p.value if p.lots > 0 else -p.value
        return p.margin - self.owed(p) + p.lots * price * self.unit - entry

    def requirement(self, lots: int, mark: int, *, maintenance: bool) -> int:
        if lots == 0:
            return 0
        found = []
        for tier, amounts in zip(self.spec.tiers, self.tiers, strict=True):
            rate = tier.margin_maintenance_ppm if maintenance else tier.margin_initial_ppm
            rate += self.spec.fee_taker_ppm
            found.append(self.share(lots, mark, rate) - amounts[maintenance])
        return max(found)

    def share(self, lots: int, price: int, rate: int) -> int:
        """Return a rate of a notional, rounded up: fee, buffer, requirement."""
        return -(-abs(lots) * price * self.unit * rate // PPM)

    def maintenance(self, p: Bucket, mark: int | None = None) -> int:
        return self.requirement(p.lots, self.mark if mark is None else mark, maintenance=True)

    def initial(self, p: Bucket) -> int:
        return self.requirement(p.lots, self.mark, maintenance=False)

    def liquidatable(self, p: Bucket, mark: int | None = None) -> bool:
        return self.equity(p, mark) < self.maintenance(p, mark)

    def liquidation_price(self, p: Bucket) -> int:
        """Bisect the definition over the ticks, the worst for the position first."""
        top = self.spec.price_ticks_max
        ticks = range(top + 1) if p.lots > 0 else range(top, 0, -1)
        low, high = 0, len(ticks)  # liquidatable before `low`, safe from `high` on
        while low < high:
            middle = (low + high) // 2
            if self.liquidatable(p, ticks[middle]):
                low = middle + 1
            else:
                high = middle
        return ticks[low - 1] if low and p.lots else -1

    def bankruptcy_price(self, p: Bucket) -> int:
        per_tick = abs(p.lots) * self.unit
        if p.lots > 0:
            return max(0, ceil(Fraction(p.value + self.owed(p) - p.margin, per_tick)))
        return max(0, floor(Fraction(p.value + p.margin - self.owed(p), per_tick)))
