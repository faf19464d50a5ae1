"""The events of one account. Field names are those of the wire; sides 0 buy, 1 sell."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matcher.engine.commands import Command
    from matcher.engine.views import Position
    from matcher.envelope import PlaceExtra


class SettlementState(enum.IntEnum):
    """How far a settlement item has come. Values are those of the wire."""

    MATCHED = 1
    BATCHED = 2
    SUBMITTED = 3
    SETTLED = 4
    BUSTED = 5


class CommandRejected(NamedTuple):
    """A command other than an order was refused; `nonce` None: it named none."""

    reason: int
    order_id: int
    nonce: int | None


class MassCanceled(NamedTuple):
    """A CANCEL_ALL is done."""

    order_count: int


class OrderAccepted(NamedTuple):
    """An order is in the engine."""

    order_id: int
    nonce: int
    market_id: int
    side: int
    price_ticks: int
    qty_lots: int
    margin_quote: int
    command: Command
    signed: PlaceExtra


class OrderRejected(NamedTuple):
    """An order was refused."""

    reason: int
    nonce: int
    market_id: int


class OrderCanceled(NamedTuple):
    """An order is dead with lots unfilled."""

    order_id: int
    nonce: int
    market_id: int
    reason: int
    remaining_lots: int


class OrderAmended(NamedTuple):
    """Lots were taken off an order without a fill; reason NONE: by its owner."""

    order_id: int
    nonce: int
    market_id: int
    reason: int
    qty_lots: int
    remaining_lots: int


class OrderTriggered(NamedTuple):
    """The trigger of an order has fired at a mark or last price."""

    order_id: int
    nonce: int
    market_id: int
    price_ticks: int


class OrderRepriced(NamedTuple):
    """A post-only order has slid to a price."""

    order_id: int
    nonce: int
    market_id: int
    price_ticks: int


class OrderReplenished(NamedTuple):
    """The next part of an iceberg is in the book."""

    order_id: int
    nonce: int
    market_id: int
    shown_lots: int
    remaining_lots: int


class OrderFilled(NamedTuple):
    """Lots were traded for the account; order_id 0 and nonce None: its position's liquidation."""

    order_id: int
    nonce: int | None
    market_id: int
    side: int
    price_ticks: int
    qty_lots: int
    remaining_lots: int
    is_taker: bool
    fee_quote: int
    is_liquidation: bool
    item_seq: int


class PositionUpdated(NamedTuple):
    """A position after a change; None: it is flat and empty."""

    market_id: int
    position: Position | None
    free_quote: int


class CollateralMoved(NamedTuple):
    """Collateral moved; > 0 into the position."""

    market_id: int
    amount_quote: int
    nonce: int
    item_seq: int


class AutoTopUpSet(NamedTuple):
    """A standing instruction for a position holds; cap 0: there is none."""

    market_id: int
    cap_quote: int
    nonce: int


class AutoToppedUp(NamedTuple):
    """Collateral was drawn to save a position."""

    market_id: int
    amount_quote: int
    cap_left_quote: int
    nonce: int
    item_seq: int


class PositionSettled(NamedTuple):
    """A position of a market that has ended was delivered."""

    market_id: int
    qty_lots: int
    price_ticks: int
    released_quote: int
    lacking_quote: int
    item_seq: int


class DepositCredited(NamedTuple):
    """A deposit reached the free balance."""

    amount_quote: int
    deposit_seq: int
    free_quote: int


class WithdrawalAccepted(NamedTuple):
    """A withdrawal left the free balance."""

    amount_quote: int
    nonce: int
    item_seq: int


class LiquidationStarted(NamedTuple):
    """A position is being liquidated."""

    market_id: int
    position_lots: int
    mark_price_ticks: int
    equity_quote: int
    maintenance_quote: int


class PositionTakenOver(NamedTuple):
    """The insurance fund took what was left of a position."""

    market_id: int
    qty_lots: int
    price_ticks: int
    dust_quote: int
    item_seq: int


class LiquidationEnded(NamedTuple):
    """A liquidation is over."""

    market_id: int
    qty_lots: int
    collateral_quote: int


class PositionDeleveraged(NamedTuple):
    """Lots were closed by auto-deleveraging."""

    market_id: int
    qty_lots: int
    price_ticks: int
    is_bankrupt: bool
    rank: int
    item_seq: int


class PositionFrozen(NamedTuple):
    """A position was frozen or thawed."""

    market_id: int
    is_frozen: bool


class RequestServed(NamedTuple):
    """A forced request was served; reason NONE: it was done."""

    forced_request_id: int
    kind: int
    market_id: int
    reason: int
    qty_lots: int
    price_ticks: int
    amount_quote: int
    fee_quote: int
    item_seq: int


class SettlementStateChanged(NamedTuple):
    """Items of the account have come further on their way to the chain."""

    state: SettlementState
    first_item_seq: int
    last_item_seq: int
    batch_seq: int
    tx_hash: bytes
    block_number: int
    reason: int


class HeartbeatAcknowledged(NamedTuple):
    """Session: the server has seen a heartbeat, and gives a fresh token for unary calls."""

    session_token: str
    session_token_expiry_time_ns: int


class DeadManTimerSet(NamedTuple):
    """Session: the dead-man timer is armed; 0: disarmed."""

    timeout_ns: int


AccountEventBody = (
    CommandRejected
    | MassCanceled
    | OrderAccepted
    | OrderRejected
    | OrderCanceled
    | OrderAmended
    | OrderTriggered
    | OrderRepriced
    | OrderReplenished
    | OrderFilled
    | PositionUpdated
    | CollateralMoved
    | AutoTopUpSet
    | AutoToppedUp
    | PositionSettled
    | DepositCredited
    | WithdrawalAccepted
    | LiquidationStarted
    | PositionTakenOver
    | LiquidationEnded
    | PositionDeleveraged
    | PositionFrozen
    | RequestServed
    | SettlementStateChanged
    | HeartbeatAcknowledged
    | DeadManTimerSet
)


class AccountEvent(NamedTuple):
    """One event of an account.

    Attributes:
        account_seq: 1, 2, 3 … per account without gap; 0: seen by one session only.
        command_seq: Command that made it; 0: none did.
        time_ns: Engine time.
        is_result: True: the one event that answers its command, for whoever sent it.
        body: What happened.
        request_id: Request of the one session that sees it; 0: found by command_seq, or none.
        item: Which command of a group it answers, from 0 on.
    """

    account_seq: int
    command_seq: int
    time_ns: int
    is_result: bool
    body: AccountEventBody
    request_id: int = 0
    item: int = 0
