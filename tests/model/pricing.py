"""Mark, funding and triggers of the slow model: MARK-1, FUND-1 to FUND-4, TRIG-1 of SPEC §3."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    TIF_FOK,
    TIF_GTC,
    Command,
    MarketState,
)
from matcher.engine.instructions import FLAG_ON_LAST
from tests.model.floor import Order, Venue, require
from tests.model.margin import PPM, RefusedError
from tests.model.matching import Matching

FUNDING_INDEX_MAX = 2**62
TRIGGERS_MAX = 4_096
TRAILS_OF_COMMAND = 4_096  # of markets asked on last prices, the first one aside
IMPACT_LEVELS_MAX = 256
TRIGGERS_OF_COMMAND = 256
FIRED_STEPS_MAX = 65_536  # orders that the trials of one command's fired orders look at


def clamp(x: int, low: int, high: int) -> int:
    return max(low, min(x, high))


class Pricing(Matching):
    """What follows from a price, but for liquidations."""

    def __init__(self, order_max: int) -> None:
        super().__init__(order_max)
        self.fired_steps = 0  # of the trials of orders that this command has fired
        self.fired_share = 0  # of these, a market's; 0: to be computed
        self.first_asked = 0  # place of the market that is asked first for what is due
        self.held_up: list[int] = []  # markets that a limit for all has held up in this command

    def check_state(self, venue: Venue, c: Command) -> None:
        """STATE-1."""
        state, post_only = venue.state, bool(c.flags & FLAG_POST_ONLY)
        reduces = bool(c.flags & FLAG_REDUCE_ONLY)
        admitted = {
            MarketState.OPEN: True,
            MarketState.POST_ONLY: post_only,
            MarketState.REDUCE_ONLY: reduces,
            MarketState.DELISTING: reduces,
            MarketState.AUCTION: not post_only and c.time_in_force == TIF_GTC,
        }
        require(admitted.get(MarketState(state), False), "MARKET_STATE")

    def move_mark(self, venue: Venue, market: int) -> None:
        """MARK-1; the averaged basis moves by a sixteenth, in 256ths of a tick."""
        index, band, rules = venue.index_price, venue.band, venue.rules
        bids, asks = self.book(market, 0), self.book(market, 1)
        mid = index + (venue.basis_x256 >> 8)
        if bids and asks and venue.is_continuous:
            mid = (bids[0].price + asks[0].price) // 2
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
        if not venue.spec.impact_notional_quote or not venue.is_continuous:
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
            levels[o.price] = levels.get(o.price, 0) + o.visible
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

    def waiting(self, market: int, on_last: int) -> list[Order]:
        """Orders of a market that wait for the last price, or for the mark; oldest first."""
        found = [o for o in self.orders if o.waits is not None and o.key[1] == market]
        return [o for o in found if o.asks(FLAG_ON_LAST) == bool(on_last)]

    def due(self, market: int, reference: int, on_last: int) -> list[Order]:
        """TRIG-1: upward triggers, the lowest first, then downward ones, the highest first."""
        waiting = self.waiting(market, on_last)
        up = [o for o in waiting if o.is_upward and o.trigger <= reference]
        down = [o for o in waiting if not o.is_upward and o.trigger >= reference]
        up.sort(key=lambda o: (o.trigger, o.waits))
        return up + sorted(down, key=lambda o: (-o.trigger, o.waits))

    def move_trails(self, market: int, reference: int, on_last: int) -> None:
        """TRIG-3: the trigger follows its reference, never back; the farthest behind first."""
        gains = []
        for o in self.waiting(market, on_last):
            distance = o.c.instructions.trailing_ticks
            price = reference + distance if o.is_upward else reference - distance
            gain = o.trigger - price if o.is_upward else price - o.trigger
            if distance and gain > 0:
                gains.append((-gain, o.waits, price, o))
        for _, _, price, o in sorted(gains, key=lambda each: each[:2]):
            o.trigger, o.waits = price, self.next_turn()

    def fires_now(self, o: Order) -> bool:
        """TRIG-1: an order that is tried waits when this command has tried enough."""
        is_tried = o.c.time_in_force == TIF_FOK or o.c.instructions.min_lots
        if not is_tried:
            return True
        if self.venues[o.key[1]].fired_steps >= self.fired_share:
            return False
        if self.fired_steps >= FIRED_STEPS_MAX:
            self.held_up.append(o.key[1])
        return self.fired_steps < FIRED_STEPS_MAX

    def share_trials(self, row: Venue | None) -> None:
        """TRIG-1: the row's market and those that may fire and have to ask share equally."""
        sharing = [
            v
            for v in self.venues.values()
            if v is row or (v.has_to_ask and v.is_continuous and self.price_holds(v))
        ]
        self.fired_share = FIRED_STEPS_MAX // max(1, len(sharing))

    def fire(self, o: Order, venue: Venue, reference: int) -> None:
        """TRIG-1: execute it as if it came now."""
        o.waits, steps = None, self.trial_steps
        told = {"account": o.key[0], "side": o.c.side, "nonce": o.c.nonce}
        self.say("ORDER_TRIGGERED", o.key[1], price=reference, **told)
        self.end_other(o)
        try:
            require(o.c.expiry_time_s > self.now_s, "EXPIRED")
            self.check_state(venue, o.c)
            self.end_overdue(o)
            self.slide(o)
            self.check_band(o)
        except RefusedError as refused:
            self.drop(o, str(refused))
            self.trim()
        else:
            self.execute(o)
        self.fired_steps += self.trial_steps - steps
        venue.fired_steps += self.trial_steps - steps

    def fire_triggers(self, venue: Venue, market: int) -> None:
        """TRIG-3, TRIG-1."""
        self.share_trials(venue)
        self.move_trails(market, venue.rules.mark, 0)
        self.fire_on_mark(venue, market, TRIGGERS_MAX)
        venue.has_fired = True

    def fire_on_mark(self, venue: Venue, market: int, most: int) -> None:
        """TRIG-1: what a limit leaves is due after the next command."""
        venue.has_due = False
        is_fresh = self.now_s * 1000 - venue.index_ms <= venue.spec.index_age_max_ms
        fires = venue.is_continuous and is_fresh and self.price_holds(venue)
        if fires:
            _, venue.has_due = self.fire_some(venue, market, most, 0)

    def fire_some(self, venue: Venue, market: int, most: int, on_last: int) -> tuple[int, bool]:
        """Fire up to `most` orders that are due; how many did, and whether some are left."""
        for fired in range(most + 1):
            reference = venue.last_price if on_last else venue.rules.mark
            due = self.due(market, reference, on_last)
            if not due or fired == most or not self.fires_now(due[0]):
                break
            self.fire(due[0], venue, reference)
        return fired, bool(due)

    def fire_on_last(self, venue: Venue, market: int, most: int) -> int:
        """TRIG-2: after a command that has traded; its trails move once (TRIG-3)."""
        may_fire = venue.is_continuous and self.price_holds(venue)
        if self.waiting(market, FLAG_ON_LAST) and not may_fire:
            return 0  # what is due stays due
        if venue.has_traded:
            venue.has_traded = False
            self.move_trails(market, venue.last_price, FLAG_ON_LAST)
        fired, venue.has_due_on_last = self.fire_some(venue, market, most, FLAG_ON_LAST)
        if venue.has_due_on_last and most == 0:
            self.held_up.append(market)
        return fired

    def fire_due(self) -> None:
        """After a command: what a limit has left, then what it has made due at the last price."""
        left, moved, first = TRIGGERS_MAX, 0, self.first_asked
        if not self.fired_share:
            self.share_trials(None)
        listed = list(self.venues.items())
        for market, venue in listed[first:] + listed[:first]:
            if venue.has_due and not venue.has_fired:
                self.fire_on_mark(venue, market, TRIGGERS_OF_COMMAND)
            venue.has_fired = False
            trails = len([o for o in self.orders if o.key[1] == market and o.trails])
            if venue.has_traded and moved and moved + trails > TRAILS_OF_COMMAND:
                self.held_up.append(market)
            elif venue.has_traded or venue.has_due_on_last:
                moved += trails * venue.has_traded
                left -= self.fire_on_last(venue, market, left)
        for venue in self.venues.values():
            venue.fired_steps = 0
        if self.held_up:
            self.first_asked = list(self.venues).index(self.held_up[0])
        self.fired_steps, self.fired_share, self.held_up = 0, 0, []

    def is_met(self, o: Order, venue: Venue) -> bool:
        """TRIG-4: its trigger's reference, if there is one, has reached it."""
        reference = venue.last_price if o.asks(FLAG_ON_LAST) else venue.rules.mark
        ahead = (o.trigger - reference) * (1 if o.is_upward else -1)
        return reference > 0 and ahead <= 0
