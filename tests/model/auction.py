"""Auctions of the slow model: AUC-1, AUC-2 of SPEC §3."""

from __future__ import annotations

from tests.model.floor import Order, Venue
from tests.model.margin import RefusedError
from tests.model.orders import Orders

CLEARINGS_MAX = 8  # of one uncrossing


class Auctions(Orders):
    """A crossed book is cleared at one price when the market becomes continuous."""

    def clearing_price(self, venue: Venue, market: int) -> tuple[int, int, int] | None:
        """AUC-1: price, volume and surplus; every tick in the cross and the band is tried."""
        bids, asks = self.book(market, 0), self.book(market, 1)
        mark = venue.rules.mark
        band = max(1, mark * venue.spec.mark_band_ppm // 1_000_000)
        found = []
        for price in range(max(asks[0].price, mark - band), min(bids[0].price, mark + band) + 1):
            bid = sum(o.left for o in bids if o.price >= price)
            ask = sum(o.left for o in asks if o.price <= price)
            surplus, distance = bid - ask, abs(price - mark)
            found.append((-min(bid, ask), abs(surplus), distance, price, surplus))
        if not found:
            return None
        volume, _, _, price, surplus = min(found)
        return price, -volume, surplus

    def is_crossed(self, market: int) -> bool:
        bids, asks = self.book(market, 0), self.book(market, 1)
        return bool(bids and asks and bids[0].price >= asks[0].price)

    def end_beyond(self, venue: Venue, market: int) -> bool:
        """AUC-1: end the first order of a cross that is wholly beyond the band."""
        if not self.is_crossed(market) or self.clearing_price(venue, market):
            return False
        bid, ask = self.book(market, 0)[0], self.book(market, 1)[0]
        o = bid if ask.price > venue.rules.mark else ask
        self.drop(o, "SIBLING_ENDED" if o.is_doomed else "PRICE_BAND")
        return True

    def uncross(self, venue: Venue, market: int) -> None:
        """AUC-2."""
        clearings = 0
        while self.is_crossed(market):
            if self.end_beyond(venue, market):
                while self.end_beyond(venue, market):
                    pass
            elif clearings < CLEARINGS_MAX:
                clearings += 1
                self.clear(venue, market)
            else:
                self.clear_pairs(venue, market)
            self.trim()

    def clear(self, venue: Venue, market: int) -> None:
        """AUC-2: at the one price."""
        cross = self.clearing_price(venue, market)
        assert cross is not None
        price, volume, surplus = cross
        self.say("AUCTION", market, price=price, qty=volume, amount=surplus)
        bids, asks = self.book(market, 0), self.book(market, 1)
        while bids and asks and bids[0].price >= price >= asks[0].price:
            self.clear_step(bids[0], asks[0], price)
            bids, asks = self.book(market, 0), self.book(market, 1)

    def clear_pairs(self, venue: Venue, market: int) -> None:
        """AUC-2: each pair at the tick nearest to the mark that both admit."""
        while self.is_crossed(market):
            if not self.end_beyond(venue, market):
                bid, ask = self.book(market, 0)[0], self.book(market, 1)[0]
                ticks = range(ask.price, bid.price + 1)
                price = min(ticks, key=lambda tick: abs(tick - venue.rules.mark))
                self.clear_step(bid, ask, price)

    def clear_step(self, bid: Order, ask: Order, price: int) -> None:
        """One fill, or the end of an order that is not fit; both pay the maker's fee."""
        if self.discarded(bid) or self.discarded(ask):
            return
        older, newer = sorted((bid, ask), key=self.orders.index)
        if bid.key[0] == ask.key[0]:
            try:
                self.meet_own(newer, older)
            except RefusedError as refused:
                self.drop(newer, str(refused))
            return
        lots = min(self.offer(bid), self.offer(ask))
        lots = self.within_open_interest(newer, older, lots)
        if lots == 0:
            self.drop(newer, "OPEN_INTEREST_LIMIT")
            return
        if (bought := self.judged(bid, lots, price)) is None:
            return
        if (sold := self.judged(ask, lots, price)) is None:
            return
        if not self.pays(market := bid.key[1], bought, sold):
            self.drop(ask if self.pays(market, bought) else bid, "MARKET_CANNOT_PAY")
            return
        party = {"account_2": bid.key[0], "nonce_2": bid.c.nonce, "amount_2": bought.fee}
        self.say_fill("FILL", ask, lots, sold.fee, price=price, flags=1, **party)
        for o, p in ((bid, bought), (ask, sold)):
            self.fill(o, p, lots)
            self.overdraw(o)

    def end_opening_orders(self, market: int) -> None:
        """STATE-1: a market that is delisted keeps reduce-only orders."""
        for key in self.positions:
            for o in self.newest_first(key):
                if key[1] == market and not o.reduces:
                    self.drop(o, "MARKET_STATE")
