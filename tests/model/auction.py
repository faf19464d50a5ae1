"""Auctions of the slow model: AUC-1, AUC-2 of SPEC §3."""

from __future__ import annotations

from tests.model.floor import Order, Venue
from tests.model.margin import RefusedError
from tests.model.orders import Orders


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

    def uncross(self, venue: Venue, market: int) -> None:
        """AUC-2."""
        while (bids := self.book(market, 0)) and (asks := self.book(market, 1)):
            if bids[0].price < asks[0].price:
                return
            cross = self.clearing_price(venue, market)
            if cross is None:
                is_above = asks[0].price > venue.rules.mark
                self.drop(bids[0] if is_above else asks[0], "PRICE_BAND")
                self.trim()
                continue
            price, volume, surplus = cross
            self.say("AUCTION", market, price=price, qty=volume, amount=surplus)
            while bids and asks and bids[0].price >= price >= asks[0].price:
                self.clear_step(bids[0], asks[0], price)
                bids, asks = self.book(market, 0), self.book(market, 1)
            self.trim()

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
