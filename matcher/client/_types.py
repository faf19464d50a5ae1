"""What the client gives and takes: enums and records that mirror the wire, with units in names.

Numbers of enums are those of the wire. A number that this version does not know stays a plain int.
"""

import enum
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple, Self

import msgspec

from bulkhead_signing import Order
from margin_core.market_spec import MarketSpec
from matcher.client._errors import PrecisionError
from matcher.engine.commands import MarketState

PPM: Final = 1_000_000
_E9: Final = 10**9


class Side(enum.IntEnum):
    """Says whether an order buys or sells."""

    BUY = 1
    SELL = 2

    @property
    def opposite(self) -> Self:
        """The other side."""
        return type(self)(3 - self)


class TimeInForce(enum.IntEnum):
    """Says what happens to the part of an order that does not match at once."""

    GTC = 1
    IOC = 2
    FOK = 3


class TriggerKind(enum.IntEnum):
    """Says what must cross a trigger price, and in which direction.

    The contract checks the first two. The others are the matcher's alone: on the last price, or
    with a price that trails (SPEC TRIG-2, TRIG-3).
    """

    MARK_AT_OR_ABOVE = 1
    MARK_AT_OR_BELOW = 2
    AT_OR_ABOVE = 3
    AT_OR_BELOW = 4


class LiquidityRole(enum.IntEnum):
    """Says who waited and who came."""

    MAKER = 1
    TAKER = 2


class SettlementState(enum.IntEnum):
    """Says how far a settlement item has come on its way to the chain."""

    MATCHED = 1
    BATCHED = 2
    SUBMITTED = 3
    SETTLED = 4
    BUSTED = 5


class LiquidationStepKind(enum.IntEnum):
    """Names the steps of the liquidation waterfall."""

    STARTED = 1
    FILLED = 2
    TAKEN_OVER = 3
    DELEVERAGED = 4


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message of the wire as a plain immutable record."""


class Trigger(Record, frozen=True, kw_only=True):
    """The condition that holds an order back."""

    kind: TriggerKind
    price_ticks: int


class Position(Record, frozen=True, kw_only=True):
    """An isolated position and its margin at the current mark; see position.proto."""

    market_id: int
    position_lots: int
    entry_value_quote: int
    collateral_quote: int
    funding_index_e6: int
    funding_owed_quote: int
    equity_quote: int
    initial_quote: int
    maintenance_quote: int
    liquidation_price_ticks: int | None
    bankruptcy_price_ticks: int | None
    reserved_quote: int
    is_frozen: bool


class Place(NamedTuple):
    """Of a group: place an order."""

    order: Order


class Cancel(NamedTuple):
    """Of a group: cancel an order."""

    order_id: int


class Amend(NamedTuple):
    """Of a group: lower an order to a new total quantity."""

    order_id: int
    qty_lots: int


class Replace(NamedTuple):
    """Of a group: replace an order of which so many lots (0: any) must be left."""

    order_id: int
    order: Order
    unfilled_lots: int = 0


class OpenOrder(Record, frozen=True, kw_only=True):
    """An order that is open; see order.proto."""

    order_id: int
    nonce: int
    market_id: int
    side: Side
    time_in_force: TimeInForce
    is_post_only: bool
    is_reduce_only: bool
    price_ticks: int
    qty_lots: int
    remaining_lots: int
    margin_quote: int
    trigger: Trigger | None
    expiry_time_s: int
    instructions: bytes


class Account(Record, frozen=True, kw_only=True):
    """The balances of an account, in quote units."""

    account: bytes
    is_registered: bool
    free_quote: int
    reserved_quote: int
    account_seq: int
    order_count: int


class OrderPreview(Record, frozen=True, kw_only=True):
    """What an order would do, were all of it filled at its own price.

    `reject_reason` is 0 when it would be accepted.
    """

    reject_reason: int
    margin_needed_quote: int
    fee_quote: int
    position_after: Position | None
    free_after_quote: int


class ItemState(Record, frozen=True, kw_only=True):
    """Where a settlement item stands. `tx_hash` is empty before SUBMITTED."""

    state: SettlementState
    batch_seq: int
    tx_hash: bytes
    block_number: int
    reason: int


class CollateralMoveResult(Record, frozen=True, kw_only=True):
    """What became of a collateral move; `reject_reason` is 0 when it was done."""

    reject_reason: int
    item_seq: int
    position: Position | None
    free_quote: int


class WithdrawalResult(Record, frozen=True, kw_only=True):
    """What became of a withdrawal; `reject_reason` is 0 when it is on its way to the chain."""

    reject_reason: int
    item_seq: int
    free_quote: int


class MatcherStatus(Record, frozen=True, kw_only=True):
    """How far the matcher is; see admin_service.proto."""

    command_seq: int
    item_seq: int
    journal_bytes: int
    state_hash: bytes
    account_count: int
    session_count: int
    fees_quote: int
    deposits_quote: int
    withdrawals_quote: int


class PriceLevel(Record, frozen=True, kw_only=True):
    """What rests at one price; 0 lots in a delta: the level is gone."""

    price_ticks: int
    qty_lots: int


class Book(Record, frozen=True, kw_only=True):
    """A book by levels, best first, as of the event `market_seq` of its market."""

    market_id: int
    market_seq: int
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]


class Prices(Record, frozen=True, kw_only=True):
    """Index and mark of a market."""

    index_price_ticks: int
    mark_price_ticks: int
    index_time_ms: int


class MarketDisplay(Record, frozen=True, kw_only=True):
    """How people write prices and quantities of a market; see market_spec.proto."""

    symbol: str
    price_tick_e9: int
    qty_lot_e9: int
    collateral_decimals: int


class Market(Record, frozen=True, kw_only=True):
    """A market: its parameters, and its state when it was asked for.

    Conversions between decimals and integers are exact, or raise `PrecisionError`.
    """

    spec: MarketSpec
    display: MarketDisplay
    state: MarketState
    prices: Prices | None
    last_price_ticks: int
    funding_index_e6: int
    funding_rate_ppm: int
    next_funding_time_ns: int
    open_interest_lots: int
    insurance_fund_quote: int

    @property
    def market_id(self) -> int:
        """Identity of the market."""
        return self.spec.market_id

    def ticks(self, price: Decimal | int | str) -> int:
        """Return a price in collateral tokens for one base asset as ticks."""
        return _whole(price, Fraction(self.display.price_tick_e9, _E9), "price", "ticks")

    def lots(self, qty: Decimal | int | str) -> int:
        """Return a quantity of the base asset as lots."""
        return _whole(qty, Fraction(self.display.qty_lot_e9, _E9), "quantity", "lots")

    def quote(self, amount: Decimal | int | str) -> int:
        """Return an amount of collateral tokens as quote units."""
        unit = Fraction(1, 10**self.display.collateral_decimals)
        return _whole(amount, unit, "amount", "quote units")

    def price(self, price_ticks: int) -> Decimal:
        """Return ticks as a price in collateral tokens for one base asset."""
        return Decimal(price_ticks * self.display.price_tick_e9).scaleb(-9)

    def qty(self, qty_lots: int) -> Decimal:
        """Return lots as a quantity of the base asset."""
        return Decimal(qty_lots * self.display.qty_lot_e9).scaleb(-9)

    def amount(self, amount_quote: int) -> Decimal:
        """Return quote units as an amount of collateral tokens."""
        return Decimal(amount_quote).scaleb(-self.display.collateral_decimals)

    def notional_quote(self, *, price_ticks: int, qty_lots: int) -> int:
        """Return the notional in quote units, exact (NUM-1)."""
        return price_ticks * qty_lots * self.spec.quote_per_tick_lot


def _whole(value: Decimal | int | str, unit: Fraction, what: str, units: str) -> int:
    try:
        count = Fraction(value) / unit
    except (ValueError, OverflowError) as error:
        raise PrecisionError(f"{what} {value!r} is not a decimal number") from error
    if count.denominator != 1:
        raise PrecisionError(f"{what} {value} is not a whole number of {units} of {float(unit):g}")
    return count.numerator
