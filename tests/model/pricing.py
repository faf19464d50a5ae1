"""Mark, funding and triggers of the slow model: MARK-1, FUND-1 to FUND-4, TRIG-1 of SPEC §3."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    TRIGGER_MARK_AT_OR_ABOVE,
    Command,
    MarketState,
)
from tests.model.floor import Venue, require
from tests.model.margin import PPM, RefusedError
from tests.model.matching import Matching

FUNDING_INDEX_MAX = 2**62
TRIGGERS_MAX = 4_096
IMPACT_LEVELS_MAX = 256
FLAG_NEEDED = {MarketState.POST_ONLY: FLAG_POST_ONLY, MarketState.REDUCE_ONLY: FLAG_REDUCE_ONLY}


def clamp(x: int, low: int, high: int) -> int:
    return max(low, min(x, high))


class Pricing(Matching):
    """What follows from a price, but for liquidations."""

    def check_state(self, venue: Venue, c: Command) -> None:
        require(venue.state not in (MarketState.HALTED, MarketState.CANCEL_ONLY), "MARKET_STATE")
        needed = FLAG_NEEDED.get(MarketState(venue.state), 0)
        require(c.flags & needed == needed, "MARKET_STATE")

    def move_mark(self, venue: Venue, market: int) -> None:
        """MARK-1; the averaged basis moves by a sixteenth, in 256ths of a tick."""
        index, band, rules = venue.index_price, venue.band, venue.rules
        bids, asks = self.book(market, 0), self.book(market, 1)
        mid = index + (venue.basis_x256 >> 8)
        if bids and asks:
            mid = (bids[0].c.price_ticks + asks[0].c.price_ticks) // 2
        venue.basis_x256 += ((mid - index) * 256 - venue.basis_x256) // 16
        venue.premiums.append(clamp(self.premium(venue, market, mid), -PPM, PPM))
        low, high = index - band, index + band
        _, mark, _ = sorted((index, index + venue.basis_x256 // 256, clamp(mid, low, high)))
        if rules.mark:
            step = max(1, band // 2)
            mark = clamp(mark, rules.mark - step, rules.mark + step)
        rules.mark = clamp(clamp(mark, low, high), 1, venue.spec.price_ticks_max)

    def premium(self, venue: Venue, market: int, mid: int) -> int:
        """FUND-2."""
        index = venue.index_price
        if not venue.spec.impact_notional_quote:
            return floor(Fraction((mid - index) * PPM, index))
        bid, ask = (self.impact(venue, market, side) for side in (0, 1))
        above = max(Fraction(0), bid - index) if bid else Fraction(0)
        below = max(Fraction(0), index - ask) if ask else Fraction(0)
        return floor((above - below) * PPM / index)

    def impact(self, venue: Venue, market: int, side: int) -> Fraction | None:
        """FUND-3: order by order, each level at most what is needed there, in whole lots."""
        left, paid, lots = Fraction(venue.spec.impact_notional_quote), 0, 0
        levels: dict[int, int] = {}
        for o in self.book(market, side):
            levels[o.c.price_ticks] = levels.get(o.c.price_ticks, 0) + o.left
        for number, (price, size) in enumerate(list(levels.items())[:IMPACT_LEVELS_MAX]):
            needed = ceil(left / (price * venue.rules.unit))
            taken = needed if number + 1 == IMPACT_LEVELS_MAX else min(size, needed)
            paid, lots = paid + taken * price, lots + taken
            left -= taken * price * venue.rules.unit
            if left <= 0:
                mean = Fraction(paid * 256, lots)
                return Fraction(ceil(mean) if side else floor(mean), 256)
        return None

    def settle_funding(self, venue: Venue, market: int) -> None:
        """FUND-1, FUND-4: the mean premium of an interval, and interest."""
        if venue.last_funding_s == 0:
            venue.last_funding_s = self.now_s
        if self.now_s < venue.last_funding_s + venue.spec.funding_interval_s:
            return
        spec, rate = venue.spec, sum(venue.premiums) // len(venue.premiums)
        pull = spec.funding_interest_ppm - rate
        rate += clamp(pull, -spec.funding_clamp_ppm, spec.funding_clamp_ppm)
        if spec.funding_period_s:
            rate = rate * (self.now_s - venue.last_funding_s) // spec.funding_period_s
        venue.rate = clamp(rate, -spec.funding_cap_ppm, spec.funding_cap_ppm)
        step = venue.rate * venue.index_price * venue.rules.unit
        if abs(venue.rules.index + step) > FUNDING_INDEX_MAX:
            venue.rate = step = 0
        venue.rules.index += step
        venue.premiums = []
        venue.last_funding_s = self.now_s
        self.say("FUNDING", market, amount=venue.rules.index, amount_2=venue.rate)

    def fire_triggers(self, venue: Venue, market: int) -> None:
        """TRIG-1."""
        mark = venue.rules.mark
        for _ in range(TRIGGERS_MAX):
            waiting = [o for o in self.orders if o.waits and o.key[1] == market]
            up = [o for o in waiting if o.c.trigger_kind == TRIGGER_MARK_AT_OR_ABOVE]
            down = [o for o in waiting if o not in up]
            due = sorted(up, key=lambda o: o.c.trigger_price_ticks)
            due = [o for o in due if o.c.trigger_price_ticks <= mark]
            down = sorted(down, key=lambda o: -o.c.trigger_price_ticks)
            due += [o for o in down if o.c.trigger_price_ticks >= mark]
            if not due:
                return
            o = due[0]
            o.waits = False
            told = {"account": o.key[0], "side": o.c.side, "nonce": o.c.nonce}
            self.say("ORDER_TRIGGERED", market, price=mark, **told)
            try:
                require(o.c.expiry_time_s > self.now_s, "EXPIRED")
                self.check_state(venue, o.c)
            except RefusedError as refused:
                self.drop(o, str(refused))
            else:
                self.execute(o)
