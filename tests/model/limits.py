"""A market's own limits in the slow model: BAND-1, CAP-1 of SPEC §3."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from matcher.engine.commands import TIF_GTC
from tests.model.ends import Ends
from tests.model.floor import Order, Venue, require
from tests.model.margin import PPM


class Limits(Ends):
    """How far from the mark an order trades, and how large a market grows."""

    def worst_price(self, o: Order) -> int | None:
        """BAND-1: the worst price that the band admits to the order; None without a band."""
        venue = self.venues[o.key[1]]
        share = Fraction(venue.spec.order_band_ppm, PPM)
        if not share:
            return None
        return (
            ceil(venue.rules.mark * (1 - share))
            if o.c.side
            else floor(venue.rules.mark * (1 + share))
        )

    def check_band(self, o: Order) -> None:
        """BAND-1: an order that may rest is refused beyond the band."""
        worst = self.worst_price(o)
        inside = worst is None or (worst - o.price) * o.sign >= 0
        require(inside or o.c.time_in_force != TIF_GTC, "PRICE_BAND")

    def least_margin(self, venue: Venue, o: Order, lots: int) -> int:
        """ORD-2."""
        rules, price = venue.rules, o.price
        worst = max(price, rules.mark) if o.c.side else price
        loss = max(0, (price - rules.mark) * o.sign) * lots * rules.unit
        fee = rules.share(lots, price, rules.spec.fee_taker_ppm)
        return fee + rules.requirement(lots, worst, maintenance=False) + loss

    def check_fit(self, o: Order) -> None:
        """BAND-1, ORD-2 where an order of a group enters the book."""
        self.check_band(o)
        opening = o.left - self.holds(o.key, o.c.side)
        if not o.reduces and opening > 0:
            least = self.least_margin(self.venues[o.key[1]], o, opening)
            require(o.c.amount_quote >= least, "INSUFFICIENT_MARGIN")

    def protect(self, o: Order) -> None:
        """BAND-1: an immediate order fills within the band."""
        worst = self.worst_price(o)
        if worst is not None and o.c.time_in_force != TIF_GTC:
            o.price = max(o.price, worst) if o.c.side else min(o.price, worst)

    def open_interest(self, market: int) -> int:
        return sum(max(0, p.lots) for key, p in self.positions.items() if key[1] == market)

    def within_open_interest(self, o: Order, maker: Order, lots: int) -> int:
        """CAP-1: try every number of lots, the largest first."""
        market = o.key[1]
        most, now = self.venues[market].spec.open_interest_lots_max, self.open_interest(market)
        held = [(self.positions[each.key].lots, each.sign) for each in (o, maker)]

        def after(n: int) -> int:
            return now + sum(max(0, q + n * sign) - max(0, q) for q, sign in held)

        fitting = (n for n in range(lots, 0, -1) if not most or after(n) <= max(most, now))
        return next(fitting, 0)
