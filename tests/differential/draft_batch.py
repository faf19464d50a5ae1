"""A batch in the making: each method adds one item, mostly plausible, and its rows."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkhead_signing import (
    AutoTopUp,
    BulkOrder,
    CollateralMove,
    IndexPrice,
    Order,
    SessionKey,
    SigningKey,
    Withdrawal,
    bulk_proof,
    bulk_root,
)
from matcher.engine.reject_reason import RejectReason as Reason
from settlement.batch import payload as wire
from settlement.batch.ordering import in_order
from tests.model.batch import BatchJudge
from tests.model.batch_trades import VoidError
from tests.model.settlement import FUND, PPM, Venue

if TYPE_CHECKING:
    from random import Random

    from settlement.batch.payload import Payload
    from tests.differential.random_batches import Desk

NEVER_S = 2**32 - 1
TRIES = 10  # for an item of a kind that was never accepted
NOBODY = SigningKey(b"\x66" * 32)


class Written(NamedTuple):
    """An order that somebody has signed, as it goes into a batch."""

    order: Order
    signer: int
    signature: bytes
    root: wire.RootRow | None = None
    leaf_index: int = 0
    siblings: bytes = b""


class Drafted:
    """A batch in the making."""

    def __init__(self, desk: Desk, venue: Venue, clock_s: int, now_s: int) -> None:
        self.desk, self.rng, self.venue = desk, desk.rng, venue
        self.header_s = self.clock_s = clock_s
        self.now_s = now_s
        self.markets: list[int] = []
        self.accounts: list[bytes] = []
        self.positions: list[tuple[int, int]] = []
        self.orders: list[wire.OrderRow] = []
        self.written: list[Written] = []
        self.roots: list[wire.RootRow] = []
        self.items: list[wire.Item] = []

    # Tables

    def market(self, market_id: int) -> int:
        return index_in(self.markets, market_id)

    def account(self, address: bytes) -> int:
        return index_in(self.accounts, address)

    def position(self, market_id: int, address: bytes) -> int:
        return index_in(self.positions, (self.account(address), self.market(market_id)))

    def row(self, written: Written) -> int:
        """Return the index of an order, mostly the one that it has already."""
        if written in self.written and self.rng.random() < 0.95:
            return self.written.index(written)
        order = written.order
        flags = order.side | order.time_in_force << wire.FLAG_TIME_IN_FORCE_SHIFT
        flags |= wire.FLAG_POST_ONLY if order.is_post_only else 0
        flags |= wire.FLAG_REDUCE_ONLY if order.is_reduce_only else 0
        flags |= wire.FLAG_TRIGGER if order.trigger_kind else 0
        flags |= wire.FLAG_INSTRUCTIONS if any(order.instructions) else 0
        flags |= wire.FLAG_BULK if written.root else written.signer << wire.FLAG_SIGNER_SHIFT
        position = self.position(order.market_id, order.account)
        root = 0
        if written.root is not None:
            named = replace_struct(written.root, account=self.account(order.account))
            root = index_in(self.roots, named)
        self.orders.append(
            wire.OrderRow(
                position=position, flags=flags, price_ticks=order.price_ticks,
                qty_lots=order.qty_lots, margin_quote=order.margin_quote,
                fee_ppm_max=order.fee_ppm_max, nonce=order.nonce,
                expiry_time_s=order.expiry_time_s, trigger_kind=order.trigger_kind,
                trigger_price_ticks=order.trigger_price_ticks, instructions=order.instructions,
                signature=written.signature, root=root, leaf_index=written.leaf_index,
                siblings=written.siblings,
            )
        )  # fmt: skip
        self.written.append(written)
        return len(self.orders) - 1

    def payload(self) -> Payload:
        parts = wire.Payload(
            sequence=self.venue.sequence + 1, epoch=1, clock_time_s=self.header_s,
            markets=tuple(wire.MarketRow(market_id=market_id) for market_id in self.markets),
            accounts=tuple(wire.AccountRow(address=address) for address in self.accounts),
            positions=tuple(wire.PositionRow(account=a, market=m) for a, m in self.positions),
            roots=tuple(self.roots), orders=tuple(self.orders), items=tuple(self.items),
        )  # fmt: skip
        return in_order(parts)

    def seen(self) -> Venue:
        """Return the state after the items so far."""
        judge = BatchJudge(deepcopy(self.venue), self.desk.domain, self.payload(), self.now_s)
        try:
            judge.load()
            for item in judge.parts.items:
                judge.judge(item)
        except VoidError:
            return self.venue
        return judge.venue

    def insist(self, wanted: set[str]) -> None:
        """Add an item of a kind that was never accepted so far, when one of few is acceptable.

        The model says whether it is, as at the end contract and model do.
        """
        name = self.rng.choice(sorted(wanted))
        if "SettleMarket" in wanted and self.clock_s >= self.venue.markets[2].spec.expiry_time_s:
            name = "SettleMarket"  # a row that ends the market comes within five minutes
        tables: tuple[list[Any], ...] = (
            self.markets, self.accounts, self.positions, self.orders, self.written, self.roots,
            self.items,
        )  # fmt: skip
        before = [list(table) for table in tables], self.clock_s
        for _ in range(TRIES):
            self.try_for(name)
            if name in self.kinds():
                return
            for table, rows in zip(tables, before[0], strict=True):
                table[:] = rows
            self.clock_s = before[1]

    def try_for(self, name: str) -> None:
        """Add what may become an item of this kind, and what it needs before it."""
        if name == "SettleMarket":
            if not self.venue.markets[2].has_ended:
                self.items.append(wire.ParametersItem(market=self.market(2)))
                self.price(2)
            self.deliver()
        elif name.startswith("FundFill"):
            self.takeover()
            self.fund_fill(float(name == "FundFillAt"))
        elif name.startswith("LiquidationFill"):
            self.liquidation(float(name == "LiquidationFillAt"))
        else:
            method = {
                "FillAt": "fill_at", "AutoTopUp": "auto_top_up", "SessionKey": "session_key",
                "MARKET_CANNOT_PAY": "gap",
            }.get(name, name.lower())  # fmt: skip
            getattr(self, method)()

    def kinds(self) -> set[str]:
        """Return the names of what the model accepts or refuses, as `name_of` has them."""
        judge = BatchJudge(deepcopy(self.venue), self.desk.domain, self.payload(), self.now_s)
        try:
            judge.load()
            return {part for item in judge.parts.items for part in name_of(item, judge.judge(item))}
        except VoidError:
            return set()

    # Prices and time

    def price(self, market_id: int = 0, toward: int = 0) -> None:
        rng = self.rng
        market_id = market_id or rng.choice((1, 1, 1, 2))
        listed = self.venue.markets[market_id]
        known = [item for item in self.items if isinstance(item, wire.PriceItem)]
        old = listed.index_ticks or 10_000
        for item in known:
            if self.markets[item.market] == market_id and item.observations:
                old = item.observations[0].price_ticks
        reach = max(1, old // rng.choice((6, 12, 60, 400)))
        index = toward or old + rng.randint(-reach, reach)
        index = min(99_000, max(50, index))
        band = max(1, index * listed.spec.mark_band_ppm // PPM)
        mark = index + rng.choice((0, rng.randint(-band, band)))
        if rng.random() < 0.04:
            mark = index + band + rng.randrange(3)
        end_ms = listed.spec.expiry_time_s * 1000
        time_ms = max(
            listed.price_time_ms, self.clock_s * 1000 - rng.choice((0,) * 9 + (900, 30_000))
        )
        if end_ms and rng.random() < 0.2 and self.clock_s * 1000 + 50_000 > end_ms:
            time_ms = end_ms
        if listed.price_time_ms == 0 and rng.random() < 0.5:  # MARK-4: of an hour ago
            time_ms = (self.clock_s - 3_600) * 1000 - rng.choice((0, 1, 5_000))
        if rng.random() < 0.03:
            time_ms = rng.choice((0, listed.price_time_ms - 1, (self.now_s + 61) * 1000))
        sources = list(desk_sources(rng, self.desk.sources))
        spread = index * rng.choice((0, 1, 5, 5, 5, 11)) // 1000
        prices = sorted(index + rng.randint(-spread, spread) for _ in sources)
        prices[(len(prices) - 1) // 2] = index
        if rng.random() < 0.97:
            prices.sort()
        seen = []
        for source, ticks in zip(sources, prices, strict=True):
            when = max(0, time_ms + rng.choice((0,) * 20 + (1_500, 2_001)))
            message = IndexPrice(market_id, ticks, when)
            signature = source.sign(self.desk.domain.digest(message))
            seen.append(wire.Observation(price_ticks=ticks, time_ms=when, signature=signature))
        self.items.append(
            wire.PriceItem(market=self.market(market_id), mark_ticks=mark, observations=tuple(seen))
        )

    def freshen(self, market_id: int) -> None:
        """Mostly see to it that the batch has a price of this market."""
        items = (item for item in self.items if isinstance(item, wire.PriceItem))
        is_there = any(self.markets[item.market] == market_id for item in items)
        if not is_there and self.rng.random() < 0.9:
            self.price(market_id)

    def clock(self) -> None:
        self.clock_s += self.rng.choice((0, 1, 3, 25))
        self.clock_s = min(self.clock_s, self.now_s + 60)
        self.items.append(wire.ClockItem(time_s=self.clock_s))

    def funding(self) -> None:
        rng = self.rng
        market_id = rng.choice((1, 1, 2))
        listed = self.venue.markets[market_id]
        most = listed.spec.funding_cap_ppm * max(1, listed.index_ticks) * 10
        step = rng.choice((most // 9, most, rng.randint(-most, most), most + 10**9))
        index = listed.funding_index_e6 + step
        self.items.append(wire.FundingItem(market=self.market(market_id), funding_index_e6=index))

    # Orders and fills

    def order(
        self, owner: bytes, market_id: int, side: int, price: int, lots: int, **told: Any
    ) -> Written:
        rng, desk = self.rng, self.desk
        listed = self.venue.markets.get(market_id)
        unit = listed.spec.quote_per_tick_lot if listed else 10
        share = told.get("share", rng.choice((11, 12, 13, 16, 17, 20, 30, 2)))
        margin = lots * price * unit * share // 100
        if told.get("is_reduce_only"):
            margin = 0
        order = Order(
            account=owner, market_id=market_id, side=side,
            time_in_force=told.get("time_in_force", 0),
            is_post_only=told.get("is_post_only", False),
            is_reduce_only=told.get("is_reduce_only", False),
            price_ticks=price, qty_lots=lots, margin_quote=margin,
            fee_ppm_max=rng.choice((500,) * 20 + (1_000, 100)),
            trigger_kind=told.get("trigger_kind", 0),
            trigger_price_ticks=told.get("trigger_price_ticks", 0),
            nonce=desk.order_nonce(told), expiry_time_s=desk.expiry(self.clock_s),
            instructions=rng.choice((bytes(32), bytes(32), rng.randbytes(32))),
        )  # fmt: skip
        written = self.signed(order)
        desk.book.setdefault((owner, market_id), []).append(written)
        return written

    def signed(self, order: Order) -> Written:
        rng, desk = self.rng, self.desk
        way = rng.random()
        if way < 0.08 and order.account not in desk.wallets:
            key = rng.choice(desk.session_keys)
            return Written(order, 1, key.sign(desk.domain.digest(order)))
        if way < 0.25:
            others = [order._replace(nonce=2**50 + k) for k in range(rng.randint(1, 5))]
            leaves = [one.hash_struct() for one in (*others, order)]
            index = rng.choice((len(leaves) - 1,) * 9 + (0,))
            proof = bulk_proof(leaves, index)
            root = bulk_root(leaves)
            signer, signature = desk.sign(order.account, BulkOrder(root, len(proof)))
            row = wire.RootRow(
                account=0, signer=signer, height=len(proof), root=root, signature=signature
            )
            return Written(order, signer, b"", row, index, b"".join(proof))
        signer, signature = desk.sign(order.account, order)
        return Written(order, signer, signature)

    def known_or_new(
        self, owner: bytes, market_id: int, side: int, price: int, lots: int, **told: Any
    ) -> Written:
        """Return an order that was there before, one time in three."""
        known = [
            written
            for written in self.desk.book.get((owner, market_id), [])[-20:]
            if written.order.side == side
            and not told
            and ((written.order.price_ticks - price) * (1 - 2 * side) >= 0) == (side == 0)
        ]
        if known and self.rng.random() < 0.35:
            return self.rng.choice(known)
        return self.order(owner, market_id, side, price, lots, **told)

    def near(self, market_id: int, venue: Venue | None = None) -> int:
        listed = (venue or self.venue).markets.get(market_id)
        mark = listed.mark_ticks if listed and listed.mark_ticks else 10_000
        for item in self.items:
            if isinstance(item, wire.PriceItem) and self.markets[item.market] == market_id:
                mark = item.mark_ticks
        reach = max(1, mark // self.rng.choice((20, 100, 1000)))
        return max(1, mark + self.rng.randint(-reach, reach))

    def pair(self, **told: Any) -> tuple[Written, Written, int, int]:
        """Return a taker, a maker, lots and the maker's price."""
        rng = self.rng
        market_id = 1
        if rng.random() < (0.4 if self.venue.markets[2].is_listed else 0.03):
            market_id = 2 if rng.random() < 0.97 else 9
        side = rng.choice((0, 1)) if "side" not in told else told.pop("side")
        takes, makes = rng.sample(self.desk.owners, 2)
        if rng.random() < 0.03:
            makes = takes
        price, lots = self.near(market_id), rng.choice((1, 2, 7, 30, 100))
        maker = self.known_or_new(makes, market_id, 1 - side, price, lots, **told)
        limit = maker.order.price_ticks + rng.choice((0,) * 9 + (3, -1)) * (1 if side == 0 else -1)
        kinds: dict[str, Any] = {}
        if rng.random() < 0.1:
            kinds["time_in_force"] = rng.choice((1, 2, 3))
            kinds["trigger_kind"] = rng.choice((0, 1, 2, 3))
            kinds["trigger_price_ticks"] = self.near(market_id)
        elif rng.random() < 0.06:
            kinds["is_reduce_only"] = True
        elif rng.random() < 0.03:
            kinds["is_post_only"] = True
        taker = self.known_or_new(takes, market_id, side, max(1, limit), lots, **kinds)
        size = min(taker.order.qty_lots, maker.order.qty_lots)
        filled = rng.choice((size, size, size, max(1, size // 3), rng.choice((0, 1, size + 1))))
        return taker, maker, filled, maker.order.price_ticks

    def fill(self) -> None:
        taker, maker, lots, _ = self.pair()
        self.items.append(
            wire.FillItem(taker_order=self.row(taker), maker_order=self.row(maker), lots=lots)
        )

    def fill_at(self) -> None:
        rng = self.rng
        taker, maker, lots, price = self.pair(is_post_only=rng.random() < 0.9)
        price += rng.choice((1, 1, 0, -1)) * (1 if maker.order.side else -1)
        self.items.append(
            wire.FillAtItem(
                taker_order=self.row(taker), maker_order=self.row(maker), lots=lots,
                price_ticks=max(0, price), auction=rng.choice((0,) * 30 + (2,)),
            )
        )  # fmt: skip

    def auction(self) -> None:
        buy, sell, lots, price = self.pair(side=0)
        price = self.rng.choice((price, buy.order.price_ticks, price + 1, price * 2))
        self.items.append(
            wire.FillAtItem(
                taker_order=self.row(buy), maker_order=self.row(sell), lots=lots,
                price_ticks=price, auction=1,
            )
        )  # fmt: skip

    def gap(self) -> None:
        """Two owners trade at one price; far away the winner leaves before the loser (CONS-4)."""
        rng, market_id = self.rng, self.rng.choice((1, 2))
        falls, near = rng.random() < 0.5, self.near(market_id)
        price = min(40_000, max(300, near))
        self.price(market_id, price)
        buyer, seller, third = rng.sample(self.desk.owners, 3)
        lots = rng.choice((60, 150, 300))
        self.meet(buyer, seller, market_id, price, lots)
        price = price * rng.choice((40, 55, 70) if falls else (150, 170, 200)) // 100
        self.price(market_id, price)
        winner = seller if falls else buyer
        for part in (lots, lots // 2, lots // 3):
            pair = (winner, third) if falls else (third, winner)
            self.meet(*pair, market_id, price, part)
        for amount in (-(10**6), -(10**4)):
            message = CollateralMove(winner, market_id, amount, self.desk.next_nonce(), NEVER_S)
            signer, signature = self.desk.sign(winner, message)
            self.items.append(
                wire.CollateralItem(
                    position=self.position(market_id, winner), amount_quote=amount,
                    nonce=message.nonce, expiry_time_s=NEVER_S, signature=signature, signer=signer,
                )
            )  # fmt: skip
        self.forced()

    def meet(self, buyer: bytes, seller: bytes, market_id: int, price: int, lots: int) -> None:
        taker = self.order(buyer, market_id, 0, price, lots, share=18)
        maker = self.order(seller, market_id, 1, price, lots, share=18)
        self.items.append(
            wire.FillItem(taker_order=self.row(taker), maker_order=self.row(maker), lots=lots)
        )

    # Liquidations

    def shocked(self, venue: Venue, market_id: int, address: bytes) -> None:
        """Move the price to about where a position is liquidatable, or bankrupt."""
        rules, p = venue.markets[market_id].rules(), venue.position(market_id, address)
        ticks = max(1, rules.liquidation_price(p))
        down = -1 if p.lots > 0 else 1
        ticks += down * self.rng.choice((0, 1, 9, ticks // 50, ticks // 12, ticks // 6))
        self.price(market_id, max(50, ticks))

    def victim(self, venue: Venue) -> tuple[int, bytes, int]:
        """Return market, account and lots: mostly a position that is liquidatable."""
        rng = self.rng
        held = [place for place, p in venue.positions.items() if p.lots and place[1] != FUND]
        weak = [
            (market_id, address)
            for market_id, address in held
            if not (listed := venue.markets[market_id]).is_delivering
            and listed.liquidates(venue.position(market_id, address))
        ]
        if weak and rng.random() < 0.9:
            market_id, address = rng.choice(weak)
        elif held:
            market_id, address = rng.choice(held)
            if venue.markets[market_id].is_listed and rng.random() < 0.6:
                self.shocked(venue, market_id, address)
        else:
            market_id, address = 1, rng.choice(self.desk.owners)
        self.freshen(market_id)
        return market_id, address, venue.position(market_id, address).lots

    def resting(self, market_id: int, not_of: bytes, side: int, price: int, lots: int) -> Written:
        rng = self.rng
        owner = rng.choice(self.desk.owners)
        if owner == not_of and rng.random() < 0.9:
            owner = rng.choice([one for one in self.desk.owners if one != not_of])
        return self.order(
            owner, market_id, side, max(1, price), max(1, lots), is_post_only=rng.random() < 0.9,
            share=rng.choice((30, 30, 20, 12)),
        )  # fmt: skip

    def liquidation(self, slides_share: float = 0.4) -> None:
        rng, venue = self.rng, self.seen()
        market_id, address, held = self.victim(venue)
        venue = self.seen()
        p = venue.position(market_id, address)
        rules = venue.markets[market_id].judging(p)
        end = rules.bankruptcy_price(p) if held else 10_000
        price = rng.choice((rules.mark, (rules.mark + end) // 2, end, end + rng.choice((-1, 1))))
        slides = 1 - 2 * int(held > 0) if rng.random() < slides_share else 0
        slid = max(1, price + slides)
        lots = max(1, abs(held))
        if held and rules.liquidatable(p):
            needed = rules.lots_to_restore(p, lots, slid)
            lots = rng.choice((needed, needed, max(1, needed // 2), needed + 1, lots))
        maker = self.resting(market_id, address, int(held < 0), price, lots)
        position = self.position(market_id, address)
        if slides:
            self.items.append(
                wire.LiquidationFillAtItem(
                    position=position, maker_order=self.row(maker), lots=lots, price_ticks=slid
                )
            )
        else:
            self.items.append(
                wire.LiquidationFillItem(position=position, maker_order=self.row(maker), lots=lots)
            )

    def takeover(self) -> None:
        rng = self.rng
        market_id, address, held = self.victim(self.seen())
        fund = self.position(rng.choice((market_id,) * 20 + (1, 2)), FUND)
        lots = abs(held) + rng.choice((0,) * 15 + (1,))
        self.items.append(
            wire.TakeoverItem(
                position=self.position(market_id, address), fund_position=fund, lots=lots
            )
        )

    def adl(self) -> None:
        rng, venue = self.rng, self.seen()
        market_id, address, held = self.victim(venue)
        venue = self.seen()
        fund = venue.position(market_id, FUND)
        if fund.lots and rng.random() < 0.3:
            address, held = FUND, fund.lots
        others = [
            place[1]
            for place, p in venue.positions.items()
            if place[0] == market_id and p.lots * held < 0 and place[1] != FUND
        ]
        other = rng.choice(others or list(self.desk.owners))
        most = min(abs(held), abs(venue.position(market_id, other).lots)) or 1
        lots = rng.choice((most, 1, max(1, most // 2), most + 1))
        self.items.append(
            wire.AdlItem(
                position=self.position(market_id, address),
                counterparty=self.position(market_id, other), lots=lots,
            )
        )  # fmt: skip

    def fund_fill(self, slides_share: float = 0.5) -> None:
        rng, venue = self.rng, self.seen()
        held = {m: venue.position(m, FUND).lots for m in venue.markets}
        market_id = next((m for m, lots in held.items() if lots), 1)
        self.freshen(market_id)
        lots = rng.choice((1, max(1, abs(held[market_id]) // 2), abs(held[market_id]) + 1))
        price = self.near(market_id, venue)
        maker = self.resting(market_id, FUND, int(held[market_id] < 0), price, lots)
        fund = self.position(market_id, FUND if rng.random() < 0.97 else self.desk.owners[0])
        if rng.random() < slides_share:
            price += rng.choice((1, 1, -1)) * (1 if maker.order.side else -1)
            self.items.append(
                wire.FundFillAtItem(
                    fund_position=fund,
                    maker_order=self.row(maker),
                    lots=lots,
                    price_ticks=max(0, price),
                )
            )
        else:
            self.items.append(
                wire.FundFillItem(fund_position=fund, maker_order=self.row(maker), lots=lots)
            )

    # Collateral and keys

    def collateral(self) -> None:
        rng = self.rng
        market_id, address, _ = self.victim(self.seen())
        amount = rng.choice((1, 50_000, 700_000, -1, -30_000, -200_000, 0, 2**62))
        message = CollateralMove(
            address, market_id, amount, self.desk.next_nonce(), self.desk.expiry(self.clock_s)
        )
        signer, signature = self.desk.sign(address, message)
        if rng.random() < 0.2:
            key = rng.choice(self.desk.session_keys)
            signer, signature = 1, key.sign(self.desk.domain.digest(message))
        self.items.append(
            wire.CollateralItem(
                position=self.position(market_id, address), amount_quote=amount,
                nonce=message.nonce, expiry_time_s=message.expiry_time_s,
                signature=signature, signer=signer,
            )
        )  # fmt: skip

    def withdrawal(self) -> None:
        rng = self.rng
        address = rng.choice(self.desk.owners)
        free = self.venue.account(address).free_quote
        amount = rng.choice((1, free // 90, free // 50, free // 10, free + 1, 0))
        to = rng.choice((address, bytes((9,)) * 20, bytes((9,)) * 20, bytes(20)))
        message = Withdrawal(
            address, to, amount, self.desk.next_nonce(), self.desk.expiry(self.clock_s)
        )
        signer, signature = self.desk.sign(address, message)
        self.items.append(
            wire.WithdrawalItem(
                account=self.account(address), amount_quote=amount, to=to, nonce=message.nonce,
                expiry_time_s=message.expiry_time_s, signature=signature, signer=signer,
            )
        )  # fmt: skip

    def session_key(self) -> None:
        rng = self.rng
        address = rng.choice(self.desk.owners)
        message = SessionKey(
            address, rng.choice(self.desk.session_keys).address, rng.choice((0, 1, 2, 3, 3)),
            rng.choice((0, 3, 9, 50)), rng.random() < 0.2, rng.choice((10**7, 10**9)),
            self.desk.next_nonce(), self.clock_s + rng.choice((0, 300, 10**6)),
        )  # fmt: skip
        signer, signature = self.desk.sign(address, message)
        self.items.append(
            wire.SessionKeyItem(
                account=self.account(address), key=message.key, markets=message.markets,
                leverage_max=message.leverage_max, is_reduce_only=int(message.is_reduce_only),
                day_notional_max_quote=message.day_notional_max_quote, nonce=message.nonce,
                expiry_time_s=message.expiry_time_s, signature=signature, signer=signer,
            )
        )  # fmt: skip

    def auto_top_up(self) -> None:
        rng, venue, desk = self.rng, self.seen(), self.desk
        market_id, address, held = self.victim(venue)
        venue = self.seen()
        rules, p = venue.markets[market_id].rules(), venue.position(market_id, address)
        needed = max(1, rules.initial(p) - rules.equity(p)) if held else 1
        amount = rng.choice((needed, needed, needed * 2 // 3, needed + 1, 0))
        cap, nonce, expiry_s = rng.choice((needed, 2**40)), desk.next_nonce(), NEVER_S
        mine = [one for one in desk.standing if one[:2] == (address, market_id)]
        if mine and rng.random() < 0.4:
            *_, cap, nonce, signature = rng.choice(mine)
            signer = 2 if address in desk.wallets else 0
        else:
            message = AutoTopUp(address, market_id, cap, nonce, expiry_s)
            signer, signature = desk.sign(address, message)
            desk.standing.append((address, market_id, cap, nonce, signature))
        self.items.append(
            wire.AutoTopUpItem(
                position=self.position(market_id, address), amount_quote=amount, cap_quote=cap,
                nonce=nonce, expiry_time_s=expiry_s, signature=signature, signer=signer,
            )
        )  # fmt: skip

    # Markets and requests

    def parameters(self) -> None:
        market_id = self.rng.choice((1, 1, 2, 9))
        self.items.append(wire.ParametersItem(market=self.market(market_id)))

    def deliver(self) -> None:
        rng = self.rng
        held = [place[1] for place, p in self.venue.positions.items() if p.lots and place[0] == 2]
        address = rng.choice(held or list(self.desk.owners))
        market_id = rng.choice((2,) * 9 + (1,))
        self.items.append(wire.SettleMarketItem(position=self.position(market_id, address)))

    def forced(self) -> None:
        rng, venue = self.rng, self.seen()
        request_id = venue.served + rng.choice((1,) * 12 + (0, 2))
        if venue.aside and rng.random() < 0.4:
            request_id = rng.choice(sorted(venue.aside))
        asked = venue.requests.get(request_id)
        address = asked.account if asked else rng.choice(self.desk.owners)
        if rng.random() < 0.05:
            address = rng.choice(self.desk.owners)
        position = wire.ForcedItem.NO_POSITION
        if asked and asked.kind in ("REDUCE", "UNBACK", "BACK") and rng.random() < 0.7:
            self.freshen(asked.market_id)
        is_elsewhere = asked and asked.kind in ("GIVE", "BACK") and rng.random() < 0.04
        if asked and not is_elsewhere and (asked.market_id or rng.random() < 0.3):
            market_id = asked.market_id or 1
            position = self.position(3 - market_id if rng.random() < 0.05 else market_id, address)
        self.items.append(
            wire.ForcedItem(request_id=request_id, account=self.account(address), position=position)
        )


def name_of(item: wire.Item, reason: int) -> tuple[str, ...]:
    """Return the kind of an item that is accepted; else the reason, alone and with the kind."""
    name = type(item).__name__.removesuffix("Item")
    if isinstance(item, wire.FillAtItem) and item.auction:
        name = "Auction"
    why = Reason(reason).name
    return (name,) if reason == 0 else (why, f"{name} {why}")


def index_in(table: list[Any], row: Any) -> int:
    """Return the index of a row, which is added when it is not there."""
    if row not in table:
        table.append(row)
    return table.index(row)


def desk_sources(rng: Random, sources: tuple[SigningKey, ...]) -> list[SigningKey]:
    """Return who signs a price row: mostly a quorum."""
    kind = rng.random()
    if kind < 0.02:
        return [sources[0]]
    if kind < 0.04:
        return [sources[0], sources[0]]
    if kind < 0.06:
        return [sources[0], NOBODY]
    return rng.sample(sources, rng.choice((2, 3)))


def replace_struct(row: wire.RootRow, **changed: Any) -> wire.RootRow:
    fields = {name: getattr(row, name) for name in row.__struct_fields__}
    return wire.RootRow(**{**fields, **changed})
