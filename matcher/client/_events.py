"""What happens to an account, as records: one class per kind of event on the trading session."""

from matcher.client._types import (
    LiquidityRole,
    Position,
    Record,
    SettlementState,
    Side,
    TimeInForce,
    Trigger,
)
from matcher.engine.commands import RequestKind
from matcher.engine.reject_reason import RejectReason


class AccountEvent(Record, frozen=True, kw_only=True):
    """An event of the account's one ordered sequence.

    Attributes:
        account_seq: Its place, 1, 2, 3 and so on; 0 when it has none and is never sent again.
        request_id: Command of this session whose result it is; 0: nobody's.
        time_ns: Engine time, unix nanoseconds.
    """

    account_seq: int
    request_id: int
    time_ns: int


class HeartbeatAcknowledged(AccountEvent, frozen=True, kw_only=True):
    """The server has seen a heartbeat, and gives a fresh token for unary calls."""

    session_token: str
    session_token_expiry_time_ns: int


class DeadManTimerSet(AccountEvent, frozen=True, kw_only=True):
    """The dead-man timer is armed, or disarmed with 0."""

    timeout_ns: int


class CommandRejected(AccountEvent, frozen=True, kw_only=True):
    """A command other than PlaceOrder was refused."""

    reason: RejectReason
    order_id: int
    nonce: int | None


class MassCanceled(AccountEvent, frozen=True, kw_only=True):
    """A cancel of many orders is done."""

    order_count: int


class OrderAccepted(AccountEvent, frozen=True, kw_only=True):
    """An order is in the engine. `instructions` is the signed word, empty when it is zero."""

    order_id: int
    nonce: int
    market_id: int
    side: Side
    price_ticks: int
    qty_lots: int
    margin_quote: int
    time_in_force: TimeInForce
    is_post_only: bool
    is_reduce_only: bool
    trigger: Trigger | None
    expiry_time_s: int
    instructions: bytes


class OrderRejected(AccountEvent, frozen=True, kw_only=True):
    """An order was refused."""

    reason: RejectReason
    nonce: int
    market_id: int


class OrderCanceled(AccountEvent, frozen=True, kw_only=True):
    """An order is no longer open although it was not filled."""

    order_id: int
    nonce: int
    market_id: int
    reason: RejectReason
    remaining_lots: int


class OrderAmended(AccountEvent, frozen=True, kw_only=True):
    """Lots were taken off an order without a fill; it keeps its place.

    `reason` is NONE when its owner has amended it, else REDUCE_ONLY or SELF_TRADE; `qty_lots` is
    the new total, what is filled included.
    """

    order_id: int
    nonce: int
    market_id: int
    reason: RejectReason
    qty_lots: int
    remaining_lots: int


class OrderTriggered(AccountEvent, frozen=True, kw_only=True):
    """The trigger of an order has fired at a mark or last price; it enters the book."""

    order_id: int
    nonce: int
    market_id: int
    price_ticks: int


class OrderRepriced(AccountEvent, frozen=True, kw_only=True):
    """A post-only order has slid: it rests at this price."""

    order_id: int
    nonce: int
    market_id: int
    price_ticks: int


class OrderReplenished(AccountEvent, frozen=True, kw_only=True):
    """The next part of an iceberg is in the book, at the end of its level."""

    order_id: int
    nonce: int
    market_id: int
    shown_lots: int
    remaining_lots: int


class OrderFilled(AccountEvent, frozen=True, kw_only=True):
    """Lots were traded: by an order, or (order_id 0, no nonce) by a liquidation on the book."""

    order_id: int
    nonce: int | None
    market_id: int
    side: Side
    price_ticks: int
    qty_lots: int
    remaining_lots: int
    role: LiquidityRole
    fee_quote: int
    is_liquidation: bool
    item_seq: int


class PositionUpdated(AccountEvent, frozen=True, kw_only=True):
    """A position has changed; `free_quote` is the account's free balance after it."""

    position: Position
    free_quote: int


class CollateralMoved(AccountEvent, frozen=True, kw_only=True):
    """Collateral has moved; `amount_quote` > 0 into the position, < 0 out of it."""

    market_id: int
    amount_quote: int
    nonce: int
    item_seq: int


class AutoTopUpSet(AccountEvent, frozen=True, kw_only=True):
    """A standing instruction for a position holds; `cap_quote` 0: there is none."""

    market_id: int
    cap_quote: int
    nonce: int


class AutoToppedUp(AccountEvent, frozen=True, kw_only=True):
    """Collateral was drawn from the free balance to save a position."""

    market_id: int
    amount_quote: int
    cap_left_quote: int
    nonce: int
    item_seq: int


class PositionSettled(AccountEvent, frozen=True, kw_only=True):
    """A position of a market that has ended was closed at the settlement price."""

    market_id: int
    qty_lots: int
    price_ticks: int
    released_quote: int
    lacking_quote: int
    item_seq: int


class DepositCredited(AccountEvent, frozen=True, kw_only=True):
    """A deposit has reached the free balance."""

    amount_quote: int
    deposit_seq: int
    free_quote: int


class WithdrawalAccepted(AccountEvent, frozen=True, kw_only=True):
    """A withdrawal is on its way to the chain."""

    amount_quote: int
    nonce: int
    item_seq: int


class LiquidationStarted(AccountEvent, frozen=True, kw_only=True):
    """A position is being liquidated."""

    market_id: int
    position_lots: int
    mark_price_ticks: int
    equity_quote: int
    maintenance_quote: int


class PositionTakenOver(AccountEvent, frozen=True, kw_only=True):
    """The insurance fund has taken what was left, at the bankruptcy price."""

    market_id: int
    qty_lots: int
    price_ticks: int
    dust_quote: int
    item_seq: int


class LiquidationEnded(AccountEvent, frozen=True, kw_only=True):
    """A liquidation is over; `qty_lots` and `collateral_quote` are what the account keeps."""

    market_id: int
    qty_lots: int
    collateral_quote: int


class PositionDeleveraged(AccountEvent, frozen=True, kw_only=True):
    """Lots were closed by auto-deleveraging, on either side of it."""

    market_id: int
    qty_lots: int
    price_ticks: int
    is_bankrupt: bool
    rank: int
    item_seq: int


class RequestServed(AccountEvent, frozen=True, kw_only=True):
    """A request of the account in the contract's forced queue was served.

    Attributes:
        reason: Why there was nothing to do; NONE: it was done. NO_PRICE, PRICE_STALE, PRICE_BAND,
            CAPACITY and MARKET_CANNOT_PAY: it was set aside and is served, with another event,
            when its market has a price at which it can be, or its fund the room, or the money.
        qty_lots: Lots that were closed, at `price_ticks`.
        amount_quote: Money that was moved. Of a request that has brought money (a top-up, a gift, a
            backing) all of it: with a reason it became free balance.
        fee_quote: Paid to the insurance fund.
    """

    forced_request_id: int
    kind: RequestKind
    market_id: int
    reason: RejectReason
    qty_lots: int
    price_ticks: int
    amount_quote: int
    fee_quote: int
    item_seq: int


class PositionFrozen(AccountEvent, frozen=True, kw_only=True):
    """A position was frozen after a refused settlement item, or thawed."""

    market_id: int
    is_frozen: bool


class SettlementStateChanged(AccountEvent, frozen=True, kw_only=True):
    """The account's items from first to last, both inclusive, have reached a state."""

    state: SettlementState
    first_item_seq: int
    last_item_seq: int
    batch_seq: int
    tx_hash: bytes
    block_number: int
    reason: RejectReason
