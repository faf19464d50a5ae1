"""Auctions of the slow model: AUC-1, AUC-2 of SPEC §3."""

from __future__ import annotations

from tests.model.floor import Order, Venue
from tests.model.margin import Bucket, RefusedError
from tests.model.orders import Orders


class Auctions(Orders):
    """A crossed book is cleared at one price when the market becomes continuous."""

    def clearing_price(self, venue: Venue, market: int) -> tuple[int, int, int]:
        """AUC-1: price, volume and surplus; every tick within the cross is tried."""
        bids, asks = self.book(market, 0), self.book(market, 1)
        found = []
        for price in range(asks[0].price, bids[0].price + 1):
            bid = sum(o.left for o in bids if o.price >= price)
            ask = sum(o.left for o in asks if o.price <= price)
            surplus, distance = bid - ask, abs(price - venue.rules.mark)
            found.append((-min(bid, ask), abs(surplus), distance, price, surplus))
        volume, _, _, price, surplus = min(found)
        return price, -volume, surplus

    def uncross(self, venue: Venue, market: int) -> None:
        """AUC-2."""
        while (bids := self.book(market, 0)) and (asks := self.book(market, 1)):
            if bids[0].price < asks[0].price:
                return
            price, volume, surplus = self.clearing_price(venue, market)
            self.say("AUCTION", market, price=price, qty=volume, amount=surplus)
            while bids and asks and bids[0].price >= price >= asks[0].price:
                older, newer = sorted((bids[0], asks[0]), key=self.orders.index)
                self.clear_step(venue, older, newer, price)
                bids, asks = self.book(market, 0), self.book(market, 1)
            self.trim()

    def clear_step(self, venue: Venue, maker: Order, taker: Order, price: int) -> None:
        """One fill, or the end of an order that is not fit; the older order is the maker."""
        if self.discarded(maker) or self.discarded(taker):
            return
        if maker.key[0] == taker.key[0]:
            try:
                self.meet_own(taker, maker)
            except RefusedError as refused:
                self.drop(taker, str(refused))
            return
        lots = min(self.offer(maker), self.offer(taker))
        lots = self.within_open_interest(taker, maker, lots)
        if lots == 0:
            self.drop(taker, "OPEN_INTEREST_LIMIT")
            return
        made = self.judged_at(maker, lots, price, venue.spec.fee_maker_ppm)
        if made is None:
            return
        taken = self.judged_at(taker, lots, price, venue.spec.fee_taker_ppm)
        if taken is None:
            return
        party = {"account_2": taker.key[0], "nonce_2": taker.c.nonce, "amount_2": taken.fee}
        self.say_fill("FILL", maker, lots, made.fee, price=price, **party)
        for o, p in ((maker, made), (taker, taken)):
            self.fill(o, p, lots)
            self.overdraw(o)

    def judged_at(self, o: Order, lots: int, price: int, fee_ppm: int) -> Bucket | None:
        """The outcome for a resting order; None: it was refused and is cancelled."""
        try:
            return self.judge(o, lots, price, fee_ppm)
        except RefusedError as refused:
            self.drop(o, str(refused))
            return None

    def end_opening_orders(self, market: int) -> None:
        """STATE-1: a market that is delisted keeps reduce-only orders."""
        for key in self.positions:
            for o in reversed(self.orders.copy()):
                if o.key == key and key[1] == market and not o.reduces:
                    self.drop(o, "MARKET_STATE")
