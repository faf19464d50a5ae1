"""Builds orders: nonces, margin from leverage, protection prices, triggers. Integers only."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from bulkhead_signing import Order
from matcher.client._types import PPM, Market, Side, TimeInForce, TriggerKind
from matcher.engine.instructions import FLAG_ATTACHED, FLAG_ON_LAST, Instructions

if TYPE_CHECKING:
    from decimal import Decimal

NONCES_PER_SLOT: Final = 8
LIFETIME_S: Final = 86_400
NO_DATE: Final = 2**32 - 1  # TIF-1
SLIPPAGE_PPM: Final = 10_000
_NONCE_LIMIT: Final = 2**64
_NONCES_PER_MS: Final = 2**16
_ASCENDING: Final = 2**63


class NonceSource:
    """Counts nonces upwards, so that eight in a row share one storage slot of the contract.

    One source serves one account: two of them with overlapping ranges give NONCE_USED. Store
    `next_nonce` and pass it on to resume, or let each start take the clock's range: an account may
    begin 1,024 ranges for less than 16 orders each, and one more a minute (SIG-6, CAPACITY).
    """

    __slots__ = ("next_nonce",)

    def __init__(self, next_nonce: int) -> None:
        """Start at a nonce that was not used yet, 0 … 2^64 - 1."""
        if not 0 <= next_nonce < _NONCE_LIMIT:
            raise ValueError(f"next_nonce = {next_nonce}: expected 0 to 2^64 - 1")
        self.next_nonce = next_nonce

    @classmethod
    def from_clock(cls, time_ns: int | None = None) -> NonceSource:
        """Start at the beginning of a slot that no earlier start can have reached.

        The clock leaves room for 65 536 nonces per millisecond, until the year 10 000 or so.
        """
        instant_ns = time.time_ns() if time_ns is None else time_ns
        return cls(instant_ns // 1_000_000 * _NONCES_PER_MS)

    @classmethod
    def ascending(cls, time_ns: int | None = None) -> NonceSource:
        """Start at an ascending nonce (SIG-5) that no earlier start can have reached.

        For orders that never rest or wait; a fill of such an order costs about 7,000 gas less. Each
        nonce ends all below it, so an account has one source of them, and sends in its order.
        """
        return cls(_ASCENDING + cls.from_clock(time_ns).next_nonce)

    def take(self) -> int:
        """Return a nonce that this source has not returned before."""
        nonce = self.next_nonce
        if nonce >= _NONCE_LIMIT:
            raise OverflowError("the nonces of this source are used up")
        self.next_nonce = nonce + 1
        return nonce


def margin_quote(
    market: Market, *, price_ticks: int, qty_lots: int, leverage: int | Decimal | Fraction
) -> int:
    """Return the collateral that opens an order at a leverage, in quote units.

    Rounds up: ceil(notional / leverage), plus the fees to open and to close as taker.

    Args:
        market: Market of the order.
        price_ticks: Price at which the lots are counted.
        qty_lots: Lots that open.
        leverage: At least 1. The market admits it up to 10^6 / margin_initial_ppm of the tier.
    """
    if leverage < 1:
        raise ValueError(f"leverage = {leverage}: expected at least 1")
    notional = market.notional_quote(price_ticks=price_ticks, qty_lots=qty_lots)
    ratio = Fraction(leverage)
    own = -(-notional * ratio.denominator // ratio.numerator)
    fee = -(-notional * market.spec.fee_taker_ppm // PPM)
    return own + 2 * fee


def protection_price_ticks(
    market: Market, side: Side, *, price_ticks: int, slippage_ppm: int = SLIPPAGE_PPM
) -> int:
    """Return the worst price of an order that takes at about `price_ticks`.

    Rounds towards `price_ticks`; within 1 … price_ticks_max.
    """
    if not 0 <= slippage_ppm < PPM:
        raise ValueError(f"slippage_ppm = {slippage_ppm}: expected 0 to 999 999")
    slip = price_ticks * slippage_ppm // PPM
    worst = price_ticks + slip if side is Side.BUY else price_ticks - slip
    return max(1, min(worst, market.spec.price_ticks_max))


class OrderBuilder:
    """Builds the orders of one account. Nothing is sent: `Client.place` does that.

    Attributes:
        account: 20-byte address of the owner.
        nonces: Where nonces come from.
        lifetime_s: Seconds from now until an order expires, unless its own is given; 0: never.
        taker_nonces: Where those of IOC and FOK orders come from; None: from `nonces`.
    """

    __slots__ = ("account", "lifetime_s", "nonces", "taker_nonces")

    def __init__(
        self,
        account: bytes,
        nonces: NonceSource,
        lifetime_s: int = LIFETIME_S,
        taker_nonces: NonceSource | None = None,
    ) -> None:
        """Build for one account."""
        self.account = account
        self.nonces = nonces
        self.lifetime_s = lifetime_s
        self.taker_nonces = taker_nonces

    def limit(
        self,
        market: Market,
        side: Side,
        *,
        price_ticks: int,
        qty_lots: int,
        leverage: int | Decimal | Fraction | None = None,
        margin_quote: int | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        is_post_only: bool = False,
        is_reduce_only: bool = False,
        lifetime_s: int | None = None,
    ) -> Order:
        """Return an order at a price or better.

        Exactly one of `leverage` and `margin_quote` (quote units) is given, unless the order only
        reduces: then neither. A sell that may fill above its price needs more margin than its own
        price tells: give `margin_quote`, or use `market`.

        `lifetime_s` are the seconds from now until it expires; None: the builder's, which is a day
        unless told otherwise; 0: no date, good till cancelled. A signature without a date never
        ends: what the matcher has cancelled could be filled with it years later, until its nonce is
        cancelled on chain.
        """
        margin = self._margin(
            market, price_ticks, qty_lots, leverage, margin_quote, is_reduce_only=is_reduce_only
        )
        return self._order(
            market, side, price_ticks, qty_lots, margin, time_in_force, lifetime_s,
            is_post_only=is_post_only, is_reduce_only=is_reduce_only,
        )  # fmt: skip

    def market(
        self,
        market: Market,
        side: Side,
        *,
        qty_lots: int,
        mark_price_ticks: int,
        slippage_ppm: int = SLIPPAGE_PPM,
        leverage: int | Decimal | Fraction | None = None,
        margin_quote: int | None = None,
        is_reduce_only: bool = False,
        lifetime_s: int | None = None,
    ) -> Order:
        """Return a market order with a protection price: IOC at the mark worsened by the slippage.

        Margin from leverage is counted at the mark or the protection price, whichever is higher.
        """
        worst = protection_price_ticks(
            market, side, price_ticks=mark_price_ticks, slippage_ppm=slippage_ppm
        )
        counted = max(worst, mark_price_ticks)
        margin = self._margin(
            market, counted, qty_lots, leverage, margin_quote, is_reduce_only=is_reduce_only
        )
        return self._order(
            market, side, worst, qty_lots, margin, TimeInForce.IOC, lifetime_s,
            is_reduce_only=is_reduce_only,
        )  # fmt: skip

    def stop(
        self,
        market: Market,
        side: Side,
        *,
        qty_lots: int,
        trigger_price_ticks: int,
        slippage_ppm: int = SLIPPAGE_PPM,
        on_last: bool = False,
        lifetime_s: int | None = None,
    ) -> Order:
        """Return a reduce-only IOC order that fires when the mark moves against the position.

        `side` is the order's: sell closes a long, when the mark falls to the trigger price.
        `on_last`: the last price instead of the mark, as the matcher alone judges it.
        """
        is_above = side is Side.BUY
        return self._triggered(
            market, side, qty_lots, trigger_price_ticks, slippage_ppm, lifetime_s,
            is_above=is_above, on_last=on_last,
        )  # fmt: skip

    def trailing_stop(
        self,
        market: Market,
        side: Side,
        *,
        qty_lots: int,
        reference_price_ticks: int,
        trail_ticks: int,
        slippage_ppm: int = SLIPPAGE_PPM,
        on_last: bool = False,
        lifetime_s: int | None = None,
    ) -> Order:
        """Return a stop whose trigger follows the mark at a distance, and never moves back.

            stop = client.orders.trailing_stop(
                btc, Side.SELL, qty_lots=10, reference_price_ticks=mark, trail_ticks=500
            )

        Args:
            market: Market of the order.
            side: The order's: sell closes a long.
            qty_lots: Lots that it closes at most.
            reference_price_ticks: Mark (or last price) of now, from which the trail starts.
            trail_ticks: Distance of the trigger from the best mark since, at least 1.
            slippage_ppm: How much worse than its first trigger it may fill.
            on_last: It follows the last price instead of the mark.
            lifetime_s: Seconds from now until it expires.
        """
        away = -trail_ticks if side is Side.SELL else trail_ticks
        return self._triggered(
            market, side, qty_lots, reference_price_ticks + away, slippage_ppm, lifetime_s,
            is_above=side is Side.BUY, on_last=on_last, trail_ticks=trail_ticks,
        )  # fmt: skip

    def take_profit(
        self,
        market: Market,
        side: Side,
        *,
        qty_lots: int,
        trigger_price_ticks: int,
        slippage_ppm: int = SLIPPAGE_PPM,
        on_last: bool = False,
        lifetime_s: int | None = None,
    ) -> Order:
        """Return a reduce-only IOC order that fires when the mark moves in the position's favour.

        `side` is the order's: sell closes a long, when the mark rises to the trigger price.
        `on_last`: the last price instead of the mark, as the matcher alone judges it.
        """
        return self._triggered(
            market, side, qty_lots, trigger_price_ticks, slippage_ppm, lifetime_s,
            is_above=side is Side.SELL, on_last=on_last,
        )  # fmt: skip

    def bracket(
        self,
        market: Market,
        side: Side,
        *,
        qty_lots: int,
        take_profit_ticks: int,
        stop_ticks: int,
        slippage_ppm: int = SLIPPAGE_PPM,
        lifetime_s: int | None = None,
    ) -> tuple[Order, Order]:
        """Return a take-profit and a stop: when one ends or fires, the other ends (SPEC OCO-1).

        Both end with the position (SPEC ATT-1).

            exits = client.orders.bracket(
                btc, Side.SELL, qty_lots=10, take_profit_ticks=66_000, stop_ticks=57_000
            )
            await client.group([Place(entry), *map(Place, exits)])

        `side` is that of both orders: sell closes a long.
        """
        exits = (
            self.take_profit(
                market, side, qty_lots=qty_lots, trigger_price_ticks=take_profit_ticks,
                slippage_ppm=slippage_ppm, lifetime_s=lifetime_s,
            ),
            self.stop(
                market, side, qty_lots=qty_lots, trigger_price_ticks=stop_ticks,
                slippage_ppm=slippage_ppm, lifetime_s=lifetime_s,
            ),
        )  # fmt: skip
        attached = Instructions(flags=FLAG_ATTACHED)
        profit, stop = (self.instruct(order, attached) for order in exits)
        return self.siblings(profit, stop)

    @staticmethod
    def instruct(order: Order, instructions: Instructions) -> Order:
        """Return the order, not yet signed, with instructions (SPEC ORD-4).

        bid = orders.limit(btc, Side.BUY, price_ticks=p, qty_lots=100, leverage=5)
        iceberg = orders.instruct(bid, Instructions(display_lots=10))
        """
        return order._replace(instructions=instructions.pack())

    @staticmethod
    def siblings(first: Order, second: Order) -> tuple[Order, Order]:
        """Return two orders of one market, not yet signed: one ends or fires, the other ends."""
        words = (Instructions.unpack(order.instructions) for order in (first, second))
        one, other = words
        return (
            OrderBuilder.instruct(first, one._replace(oco_nonce=second.nonce)),
            OrderBuilder.instruct(second, other._replace(oco_nonce=first.nonce)),
        )

    def expiry_time_s(self, lifetime_s: int | None = None) -> int:
        """Return the unix second at which an order of now expires; of a lifetime of 0 no date."""
        seconds = self.lifetime_s if lifetime_s is None else lifetime_s
        return int(time.time()) + seconds if seconds else NO_DATE

    def move_expiry_time_s(self) -> int:
        """Return the unix second at which what moves money now expires: it always has a date."""
        return self.expiry_time_s(self.lifetime_s or LIFETIME_S)

    def _triggered(
        self,
        market: Market,
        side: Side,
        qty_lots: int,
        trigger_price_ticks: int,
        slippage_ppm: int,
        lifetime_s: int | None,
        *,
        is_above: bool,
        on_last: bool = False,
        trail_ticks: int = 0,
    ) -> Order:
        """Return a reduce-only IOC order; the contract judges triggers on the mark alone."""
        kind = TriggerKind.MARK_AT_OR_ABOVE if is_above else TriggerKind.MARK_AT_OR_BELOW
        worst = protection_price_ticks(
            market, side, price_ticks=trigger_price_ticks, slippage_ppm=slippage_ppm
        )
        order = self._order(
            market, side, worst, qty_lots, 0, TimeInForce.IOC, lifetime_s, is_reduce_only=True,
            waits=True,
        )  # fmt: skip
        order = order._replace(trigger_kind=int(kind), trigger_price_ticks=trigger_price_ticks)
        if not on_last and not trail_ticks:
            return order
        kind = TriggerKind.AT_OR_ABOVE if is_above else TriggerKind.AT_OR_BELOW
        word = Instructions(flags=FLAG_ON_LAST * on_last, trailing_ticks=trail_ticks)
        return self.instruct(order._replace(trigger_kind=int(kind)), word)

    @staticmethod
    def _margin(
        market: Market,
        price_ticks: int,
        qty_lots: int,
        leverage: int | Decimal | Fraction | None,
        given_quote: int | None,
        *,
        is_reduce_only: bool,
    ) -> int:
        if is_reduce_only:
            if leverage is not None or given_quote is not None:
                raise ValueError("an order that only reduces takes neither leverage nor margin")
            return 0
        if leverage is not None and given_quote is None:
            return margin_quote(
                market, price_ticks=price_ticks, qty_lots=qty_lots, leverage=leverage
            )
        if given_quote is None or leverage is not None:
            raise ValueError("give exactly one of leverage and margin_quote")
        return given_quote

    def _order(
        self,
        market: Market,
        side: Side,
        price_ticks: int,
        qty_lots: int,
        margin: int,
        time_in_force: TimeInForce,
        lifetime_s: int | None,
        *,
        is_post_only: bool = False,
        is_reduce_only: bool = False,
        waits: bool = False,
    ) -> Order:
        is_immediate = time_in_force != TimeInForce.GTC and not waits
        nonces = (is_immediate and self.taker_nonces) or self.nonces
        return Order(
            account=self.account,
            market_id=market.market_id,
            side=side - 1,
            time_in_force=time_in_force - 1,
            is_post_only=is_post_only,
            is_reduce_only=is_reduce_only,
            price_ticks=price_ticks,
            qty_lots=qty_lots,
            margin_quote=margin,
            fee_ppm_max=max(market.spec.fee_maker_ppm, market.spec.fee_taker_ppm),
            trigger_kind=0,
            trigger_price_ticks=0,
            nonce=nonces.take(),
            expiry_time_s=self.expiry_time_s(lifetime_s),
        )
