"""The engine's output alphabet: one fixed record per event, little endian, 64 bytes."""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class EventKind(enum.IntEnum):
    """What happened. Values are part of the wire and never change.

    The fields that a kind fills; all others are 0:

    * ORDER_ACCEPTED: account, order_id, order_id_2 = nonce, side, price, qty = remaining,
      amount = margin, flags = FLAG_POST_ONLY and FLAG_REDUCE_ONLY as signed, no other bit
    * ORDER_REJECTED, COMMAND_REJECTED: account, order_id_2 = nonce, reason
    * ORDER_CANCELED: account, order_id, order_id_2 = nonce, reason, remaining
    * ORDER_TRIGGERED: account, order_id, order_id_2 = nonce, side, price = mark
    * FILL: order_id = maker, order_id_2 = taker, account = maker's, account_2 = taker's,
      side = taker's, remaining = maker's, amount = maker's fee, amount_2 = taker's fee;
      flags 1: of an auction, where neither takes, the "maker" sells and the "taker" buys (AUC-2)
    * LIQUIDATION_FILL, FUND_FILL: as FILL; account_2 = the liquidated or the fund, order_id_2 = 0,
      amount_2 = liquidation fee
    * LIQUIDATION_STARTED: account, side = position's, price = mark, qty = lots, amount = equity,
      amount_2 = maintenance
    * LIQUIDATION_ENDED: account, qty = lots left, amount = collateral left
    * TAKEOVER: account_2 = liquidated, side = position's, price = bankruptcy, qty, amount = dust
    * ADL: account = counterparty, account_2 = bankrupt, side = bankrupt's, price = bankruptcy, qty,
      amount = counterparty's profit, amount_2 = its leverage, both in ppm at the mark (LIQ-4)
    * PRICE: price = mark, qty = index, amount = time of the index in ms; flags 1: grace (MARK-3)
    * FUNDING: amount = new funding index e6, amount_2 = rate in ppm
    * COLLATERAL_MOVED: account, amount > 0 into the position, order_id_2 = nonce
    * WITHDRAWN, DEPOSITED: account, amount, order_id_2 = nonce or deposit_seq
    * MARKET_STATE: amount = MarketState
    * FROZEN: account, amount = 1 frozen, 0 thawed
    * ORDER_AMENDED: account, order_id, order_id_2 = nonce, side, price, qty = the new total,
      remaining; reason NONE: the owner's, else REDUCE_ONLY or SELF_TRADE
    * ORDER_REPLENISHED: as ORDER_AMENDED; qty = lots shown
    * AUCTION: price at which the FILLs that follow happen, qty = lots that it can trade,
      amount = lots bid beyond those asked
    * PARAMETERS_ANNOUNCED: amount = the version that they will be, amount_2 = second they hold from
    * PARAMETERS_CHANGED: amount = version; 1 as listed
    * AUTO_TOP_UP_SET: account, amount = cap, order_id_2 = nonce
    * AUTO_TOPPED_UP: account, amount = drawn, amount_2 = cap left, order_id_2 = nonce
    * RISK_PAUSE: amount = 1 it holds, 0 it is over
    * FORCED_SERVED: account, order_id_2 = request, flags = its kind, reason = why there was nothing
      to do; of a reduction side = position's, price = that of closing, qty, amount_2 = fee; else
      amount, of a backer's payment amount_2 = shares that it burns
    * POSITION_SETTLED: account, side = position's, price = settlement price, qty, amount = what the
      free balance got, amount_2 = what the fund paid
    * ORDER_REPRICED: as ORDER_AMENDED; price = where it rests, qty as signed
    """

    ORDER_ACCEPTED = 1
    ORDER_REJECTED = 2
    ORDER_CANCELED = 3
    ORDER_TRIGGERED = 4
    FILL = 5
    LIQUIDATION_STARTED = 6
    LIQUIDATION_FILL = 7
    TAKEOVER = 8
    ADL = 9
    FUND_FILL = 10
    PRICE = 11
    FUNDING = 12
    COLLATERAL_MOVED = 13
    WITHDRAWN = 14
    DEPOSITED = 15
    COMMAND_REJECTED = 17
    MARKET_STATE = 18
    FROZEN = 19
    LIQUIDATION_ENDED = 20
    ORDER_AMENDED = 21
    ORDER_REPLENISHED = 22
    AUCTION = 23
    ORDER_REPRICED = 24
    PARAMETERS_ANNOUNCED = 25
    PARAMETERS_CHANGED = 26
    AUTO_TOP_UP_SET = 27
    AUTO_TOPPED_UP = 28
    RISK_PAUSE = 40
    FORCED_SERVED = 41
    POSITION_SETTLED = 29


FLAG_FILL_OF_AUCTION: Final = 1  # of a FILL


class Event(NamedTuple):
    """One event. `side` 0 buy, 1 sell; `reason` a `RejectReason`; money in quote units."""

    kind: int
    side: int
    reason: int
    flags: int
    market_id: int
    reserved: int
    account: int
    account_2: int
    order_id: int
    order_id_2: int
    price_ticks: int
    remaining_lots: int
    qty_lots: int
    amount_quote: int
    amount_2_quote: int


RECORD: Final = struct.Struct("<BBBBHHIIQQIIqqq")
EVENT_BYTES: Final = RECORD.size


def unpack(records: bytes | memoryview) -> Iterator[Event]:
    """Yield the events of a buffer that holds whole records."""
    return map(Event._make, RECORD.iter_unpack(records))
