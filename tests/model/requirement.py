"""The slow, obvious twin of margin_core, first part: the rules MARG of SPEC §3."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from margin_core import ContractKind

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
    """What a position of one market needs, at one mark, underlying and funding index."""

    def __init__(
        self, spec: MarketSpec, index: int = 0, mark: int = 1, underlying: int = 1
    ) -> None:
        self.spec, self.index, self.mark, self.unit = spec, index, mark, spec.quote_per_tick_lot
        self.underlying = underlying
        self.inverse = spec.kind == ContractKind.INVERSE_PERPETUAL
        self.tiers = [(0, 0)]  # MKT-2: (initial, maintenance) amounts
        for low, tier in zip(spec.tiers, spec.tiers[1:], strict=False):
            im = tier.notional_floor_quote * (tier.margin_initial_ppm - low.margin_initial_ppm)
            mm = tier.margin_maintenance_ppm - low.margin_maintenance_ppm
            mm *= tier.notional_floor_quote
            self.tiers.append((self.tiers[-1][0] + im // PPM, self.tiers[-1][1] + mm // PPM))

    # Requirements and prices

    def owed(self, p: Bucket) -> int:
        return ceil(Fraction(p.lots * (self.index - p.index), PPM))

    def exact(self, lots: int, price: int) -> Fraction:
        """Return what lots are worth: of a coin, the less of it the higher its price."""
        size = abs(lots) * self.unit
        return Fraction(size, price) if self.inverse else Fraction(size * price)

    def traded(self, lots: int, price: int) -> int:
        return floor(self.exact(lots, price))

    def worth(self, lots: int, price: int) -> int:
        """Return a position's worth, rounded against its owner."""
        exact = self.exact(lots, price)
        return ceil(exact) if lots > 0 else floor(exact)

    def gain(self, lots: int, later: int, before: int) -> int:
        """Return what a position gains when its worth changes."""
        return later - before if (lots > 0) != self.inverse else before - later

    def equity(self, p: Bucket, mark: int | None = None) -> int:
        price = self.mark if mark is None else mark
        return p.margin - self.owed(p) + self.gain(p.lots, self.worth(p.lots, price), p.value)

    def requirement(self, lots: int, mark: int, *, maintenance: bool) -> int:
        if lots == 0:
            return 0
        if self.spec.kind.is_option:
            return self.option_requirement(lots, mark, maintenance=maintenance)
        found = []
        for tier, amounts in zip(self.spec.tiers, self.tiers, strict=True):
            rate = tier.margin_maintenance_ppm if maintenance else tier.margin_initial_ppm
            rate += self.spec.fee_taker_ppm
            found.append(self.share(lots, mark, rate) - amounts[maintenance])
        return max(found)

    def option_requirement(self, lots: int, mark: int, *, maintenance: bool) -> int:
        """OPT-1, OPT-2."""
        return ceil(abs(lots) * self.unit * self.option_need(lots, mark, maintenance=maintenance))

    def option_need(self, lots: int, mark: int, *, maintenance: bool) -> Fraction:
        """Return ticks a lot: what venues publish, less the mark that our equity has paid."""
        spec, spot, put = self.spec, self.underlying, self.spec.kind == ContractKind.OPTION_PUT
        if lots > 0:
            return Fraction(0 if maintenance else mark)

        def of(ppm: int, price: int) -> Fraction:
            return Fraction(ppm * price, PPM)

        least = of(spec.option_maintenance_ppm, spot)
        if put:
            least = max(least, of(spec.option_maintenance_of_mark_ppm, mark))
        out = max(0, spot - spec.strike_ticks if put else spec.strike_ticks - spot)
        needs = least + mark
        if not maintenance:
            start = of(spec.option_initial_ppm, spot) - out
            needs = max(start, of(spec.option_initial_least_ppm, spot)) + mark
            if put:
                needs = max(needs, Fraction(spec.option_put_initial_ppm, PPM) * (least + mark))
        return needs - mark + of(spec.fee_taker_ppm, mark)

    def share(self, lots: int, price: int, rate: int) -> int:
        """Return a rate of a worth, rounded up: fee, buffer, requirement."""
        return ceil(Fraction(self.worth(lots, price) * rate, PPM))

    def maintenance(self, p: Bucket, mark: int | None = None) -> int:
        return self.requirement(p.lots, self.mark if mark is None else mark, maintenance=True)

    def initial(self, p: Bucket) -> int:
        return self.requirement(p.lots, self.mark, maintenance=False)

    def liquidatable(self, p: Bucket, mark: int | None = None) -> bool:
        return p.lots != 0 and self.equity(p, mark) < self.maintenance(p, mark)

    def liquidation_price(self, p: Bucket) -> int:
        """Bisect the definition over the ticks, the worst for the position first."""
        top, bottom = self.spec.price_ticks_max, int(self.inverse)
        ticks = range(bottom, top + 1) if p.lots > 0 else range(top, 0, -1)
        low, high = 0, len(ticks)  # liquidatable before `low`, safe from `high` on
        while low < high:
            middle = (low + high) // 2
            if self.liquidatable(p, ticks[middle]):
                low = middle + 1
            else:
                high = middle
        return ticks[low - 1] if low and p.lots else -1

    def bankruptcy_price(self, p: Bucket) -> int:
        if self.inverse:
            return self.inverse_bankruptcy_price(p)
        per_tick = abs(p.lots) * self.unit
        if p.lots > 0:
            return max(0, ceil(Fraction(p.value + self.owed(p) - p.margin, per_tick)))
        return max(0, floor(Fraction(p.value + p.margin - self.owed(p), per_tick)))

    def inverse_bankruptcy_price(self, p: Bucket) -> int:
        """COIN-3 by bisection: the last tick at which equity is not below 0."""
        top = self.spec.price_ticks_max
        ticks = range(top, 0, -1) if p.lots > 0 else range(1, top + 1)
        low, high = 0, len(ticks)  # equity holds before `low`, not from `high` on
        while low < high:
            middle = (low + high) // 2
            if self.equity(p, ticks[middle]) >= 0:
                low = middle + 1
            else:
                high = middle
        return ticks[max(low - 1, 0)]
