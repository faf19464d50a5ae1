"""The slow, obvious twin of margin_core: SPEC §3 line by line, in unbounded integers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

from margin_core import ContractKind
from tests.model.requirement import PPM, Bucket, Requirements

__all__ = ["PPM", "Bucket", "Market", "RefusedError"]


class RefusedError(Exception):
    """The change is not admitted; the message is the reason's name in SPEC §6."""


class Market(Requirements):
    """Every change of a position, at one mark and one funding index."""

    # Elementary changes, in place

    def settled(self, p: Bucket) -> Bucket:
        owed = self.owed(p)
        return replace(p, margin=p.margin - owed, index=self.index, funding=owed)

    def open(self, p: Bucket, lots: int, price: int) -> None:
        p.lots += lots
        p.value += self.traded(lots, price)

    def close(self, p: Bucket, lots: int, price: int) -> None:
        sign = 1 if p.lots > 0 else -1
        entry = Fraction(p.value * lots, abs(p.lots))  # exact when all lots are closed
        entry_whole = floor(entry) if (sign > 0) == self.inverse else ceil(entry)
        pnl = self.gain(p.lots, self.traded(lots, price), entry_whole)
        p.lots -= sign * lots
        p.value -= entry_whole
        p.margin += pnl
        p.pnl += pnl

    def take_lots(self, fund: Bucket, lots: int, price: int) -> None:
        """LIQ-3: the fund takes signed lots without fee or release; opposite ones close first."""
        closing = min(abs(lots), abs(fund.lots)) if fund.lots * lots < 0 else 0
        if closing:
            self.close(fund, closing, price)
        self.open(fund, lots - closing if lots > 0 else lots + closing, price)

    def pay(self, p: Bucket, fee: int) -> None:
        p.margin -= fee
        p.fee += fee

    def release(self, p: Bucket, amount: int) -> None:
        p.margin -= amount
        p.free += amount
        p.released += amount

    def close_and_release(self, p: Bucket, lots: int, price: int, rate: int) -> None:
        """FILL-4 to FILL-6."""
        before, fee = replace(p), self.share(lots, price, rate)
        self.close(p, lots, price)
        self.pay(p, fee)
        if p.lots == 0:
            if p.margin < 0:
                raise RefusedError("BANKRUPT")
            return self.release(p, p.margin)
        share = floor(Fraction(before.margin * lots, abs(before.lots))) + p.pnl - fee
        self.release(p, max(0, min(share, p.margin, self.equity(p) - self.initial(p))))
        equity, initial = self.equity(p), self.initial(p)
        kept = equity * self.initial(before) >= self.equity(before) * initial
        if equity < initial and not (equity >= 0 and kept):
            raise RefusedError("INSUFFICIENT_MARGIN")
        return None

    # Changes of a position: the argument stays, the copy that comes back has changed

    def fill(
        self, p: Bucket, sign: int, lots: int, price: int, rate: int,
        *, margin: int, order_lots: int, filled: int, free: int,
    ) -> Bucket:  # fmt: skip
        p, closing = self.settled(p), min(lots, max(0, -sign * p.lots))
        if closing:
            self.close_and_release(p, closing, price, rate)
        if closing == lots:
            return p
        piece = margin * (filled + lots) // order_lots - margin * (filled + closing) // order_lots
        if piece > free + p.free:
            raise RefusedError("INSUFFICIENT_FREE_COLLATERAL")
        p.free -= piece
        p.margin += piece
        self.open(p, sign * (lots - closing), price)
        self.pay(p, self.share(lots - closing, price, rate))
        if abs(p.lots) > self.spec.position_lots_max:
            raise RefusedError("POSITION_LIMIT")
        if self.equity(p) < self.initial(p):
            raise RefusedError("INSUFFICIENT_MARGIN")
        return p

    def top_up(self, p: Bucket, amount: int, free: int) -> Bucket:
        if p.lots == 0:
            raise RefusedError("NO_POSITION")
        if amount > free:
            raise RefusedError("INSUFFICIENT_FREE_COLLATERAL")
        p = self.settled(p)
        return replace(p, margin=p.margin + amount, free=-amount)

    def judging(self, p: Bucket, index_price: int) -> Market:
        """MARG-4: the same rules at the price at which the position would be liquidated."""
        gentler = max if p.lots > 0 else min
        return Market(self.spec, self.index, gentler(index_price, self.mark), self.underlying)

    def auto_top_up(self, p: Bucket, cap: int, free: int) -> Bucket:
        """COLL-3."""
        if not self.liquidatable(p):
            raise RefusedError("NOT_LIQUIDATABLE")
        amount = min(self.initial(p) - self.equity(p), cap, free)
        if self.equity(p) + amount < self.maintenance(p):
            raise RefusedError("INSUFFICIENT_FREE_COLLATERAL")
        return self.top_up(p, amount, free)

    def take_out(self, p: Bucket, amount: int) -> Bucket:
        if p.lots == 0:
            raise RefusedError("NO_POSITION")
        p = self.settled(p)
        p = replace(p, margin=p.margin - amount, free=amount)
        if p.margin < 0 or self.equity(p) < self.initial(p):
            raise RefusedError("INSUFFICIENT_MARGIN")
        return p

    def close_for_liquidation(self, p: Bucket, lots: int, price: int) -> Bucket:
        p = self.settled(p)
        self.close(p, lots, price)
        fee = self.share(lots, price, self.spec.fee_liquidation_ppm)
        self.pay(p, max(0, min(fee, self.equity(p))))
        return p

    def spare(self, p: Bucket, lots: int, price: int) -> int:
        """Return how far closing `lots` brings the position over maintenance plus buffer."""
        p = self.close_for_liquidation(p, lots, price)
        buffer = self.share(p.lots, self.mark, self.spec.liquidation_buffer_ppm)
        return self.equity(p) - self.maintenance(p) - buffer

    def restored(self, p: Bucket, lots: int, price: int) -> bool:
        return self.spare(p, lots, price) >= 0

    def lots_to_restore(self, p: Bucket, most: int, price: int) -> int:
        """LIQ-2: try one lot after the other."""
        return next((n for n in range(1, most) if self.restored(p, n, price)), most)

    def fewer_restore(self, p: Bucket, lots: int, price: int) -> bool:
        """LIQ-2: one lot fewer, or fewer by the unrounded lines with something to spare."""
        if lots > 1 and self.restored(p, lots - 1, price):
            return True
        return self.enough(p, price)[0] < lots

    def enough(self, p: Bucket, price: int) -> tuple[int, int]:
        """Return the least and the most lots that leave each line enough to restore surely.

        Without such lots the least is more than the position has.
        """
        spare = 11 if self.inverse else 2
        low, high = 1, abs(p.lots)
        for start, slope in self.spare_lines(p, price):
            if slope > 0:
                low = max(low, ceil((spare - start) / slope))
            elif slope < 0:
                high = min(high, floor((start - spare) / -slope))
            elif start < spare:
                high = 0
        return (low if low <= high else abs(p.lots) + 1), high

    def spare_lines(self, p: Bucket, price: int) -> list[tuple[Fraction, Fraction]]:
        """Return, a tier, what no lots and each lot closed leave over maintenance and buffer."""
        closed, left = self.cut_worth(p, price), self.cut_worth(p, self.mark)
        held, buffer = abs(p.lots), Fraction(self.spec.liquidation_buffer_ppm, PPM)
        sign = 1 if (p.lots > 0) != self.inverse else -1
        lines = []
        for each, amount in self.unrounded_needs(p, left):
            fee = closed * self.spec.fee_liquidation_ppm / PPM
            needs = each + left * buffer
            if self.spec.kind.is_option and not needs:  # a fee that ends at the equity is enough
                fee = Fraction(0)
            start = p.margin + sign * (held * left - p.value) - held * needs + amount
            lines.append((start, sign * (closed - left) + needs - fee))
        return lines

    def cut_worth(self, p: Bucket, price: int) -> Fraction:
        """Return what a lot is worth; a coin's with as many binary digits as the lots have."""
        worth = self.exact(1, price)
        if not self.inverse:
            return worth
        digits = 1 << abs(p.lots).bit_length()
        return Fraction(floor(worth * digits), digits)

    def unrounded_needs(self, p: Bucket, worth: Fraction) -> list[tuple[Fraction, int]]:
        """Return, a tier, maintenance of a lot and the tier's amount."""
        spec = self.spec
        if spec.kind.is_option:
            return [(self.option_need(p.lots, self.mark, maintenance=True) * self.unit, 0)]
        rates = (tier.margin_maintenance_ppm + spec.fee_taker_ppm for tier in spec.tiers)
        amounts = (maintenance for _, maintenance in self.tiers)
        return [(worth * rate / PPM, a) for rate, a in zip(rates, amounts, strict=True)]

    def liquidation_fill(self, p: Bucket, lots: int, price: int) -> Bucket:
        if not self.liquidatable(p):
            raise RefusedError("NOT_LIQUIDATABLE")
        if (price - self.bankruptcy_price(p)) * p.lots < 0:
            raise RefusedError("LIQUIDATION_PRICE")
        if lots > abs(p.lots) or self.fewer_restore(self.settled(p), lots, price):
            raise RefusedError("LIQUIDATION_TOO_LARGE")
        p = self.close_for_liquidation(p, lots, price)
        if p.lots == 0:
            self.release(p, p.margin)
        return p

    def takeover(self, p: Bucket, fund: Bucket) -> tuple[Bucket, Bucket]:
        if not self.liquidatable(p):
            raise RefusedError("NOT_LIQUIDATABLE")
        price, lots = self.bankruptcy_price(p), p.lots
        p, fund = self.settled(p), self.settled(fund)
        self.close(p, abs(lots), price)
        self.take_lots(fund, lots, price)
        fund.margin += p.margin
        p.margin = 0
        over = abs(fund.lots) > self.spec.position_lots_max
        if over or self.equity(fund) < self.initial(fund):
            raise RefusedError("FUND_CANNOT_CARRY")
        return p, fund

    def adl(self, p: Bucket, counter: Bucket, lots: int) -> tuple[Bucket, Bucket]:
        if not self.liquidatable(p):
            raise RefusedError("NOT_LIQUIDATABLE")
        if counter.lots * p.lots >= 0:
            raise RefusedError("NO_POSITION")
        if lots > min(abs(p.lots), abs(counter.lots)):
            raise RefusedError("LIQUIDATION_TOO_LARGE")
        if self.liquidatable(counter):
            raise RefusedError("BANKRUPT")
        price = self.bankruptcy_price(p)
        p, counter = self.settled(p), self.settled(counter)
        self.close(p, lots, price)
        if p.lots == 0:
            if p.margin < 0:
                raise RefusedError("BANKRUPT")
            self.release(p, p.margin)
        self.close_and_release(counter, lots, price, 0)
        if counter.margin < 0:
            raise RefusedError("BANKRUPT")
        return p, counter

    def deliver(self, p: Bucket, index: int) -> Bucket:
        """EXP-1."""
        p, price = self.settled(p), index
        if self.spec.kind.is_option:
            above = index - self.spec.strike_ticks
            price = max(0, above if self.spec.kind == ContractKind.OPTION_CALL else -above)
        if p.lots:
            self.close(p, abs(p.lots), price)
            self.release(p, max(0, p.margin))
        return p

    def deliver_to(
        self, fund: Bucket, p: Bucket, price: int, *, is_forced: bool = False
    ) -> tuple[Bucket, Bucket]:
        """EXP-2: the fund takes the lots and pays what is lacking; FORCE-3: without a limit."""
        after, fund, held = self.deliver(p, price), self.settled(fund), fund.lots
        self.take_lots(fund, p.lots, price)
        fund.margin += min(0, after.margin)
        if after.margin < 0 and self.equity(fund, price) < 0:
            raise RefusedError("FUND_CANNOT_CARRY")
        rises = abs(fund.lots) > abs(held)
        if rises and abs(fund.lots) > self.spec.position_lots_max and not is_forced:
            raise RefusedError("POSITION_LIMIT")
        return replace(after, margin=0), fund

    def adl_factors(self, p: Bucket) -> tuple[int, int]:
        """LIQ-4: unrealised profit on entry value, and leverage, at the mark, in ppm."""
        worth = self.worth(p.lots, self.mark)
        profit = self.gain(p.lots, worth, p.value)
        return profit * PPM // max(p.value, 1), worth * PPM // max(self.equity(p), 1)

    def adl_rank(self, p: Bucket) -> int:
        pnl_ppm, leverage_ppm = self.adl_factors(p)
        if pnl_ppm <= 0:
            return pnl_ppm * PPM
        return min(pnl_ppm, 2**60) * min(leverage_ppm, 2**60)

    def fund_fill(self, fund: Bucket, sign: int, lots: int, price: int) -> Bucket:
        if fund.lots * sign >= 0 or lots > abs(fund.lots):
            raise RefusedError("REDUCE_ONLY")
        worst = self.mark * (PPM + sign * self.spec.mark_band_ppm) // PPM
        if (price - worst) * sign > 0:
            raise RefusedError("LIQUIDATION_PRICE")
        fund = self.settled(fund)
        self.close(fund, lots, price)
        if self.equity(fund) < 0:
            raise RefusedError("INSUFFICIENT_MARGIN")
        return fund
