"""The engine's output alphabet: one fixed record per event, little endian, 64 bytes."""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple


class EventKind(enum.IntEnum):
    """What happened. Values are part of the wire and never change."""

    ORDER_ACCEPTED = 1  # account, order_id, order_id_2 = nonce, side, price, qty, amount = margin
    ORDER_REJECTED = 2  # account, order_id_2 = nonce, reason
    ORDER_CANCELED = 3  # account, order_id, order_id_2 = nonce, reason, remaining_lots
    ORDER_TRIGGERED = 4  # account, order_id
    FILL = 5  # order_id = maker, order_id_2 = taker, account = maker's, account_2 = taker's;
    #           side = taker's; amount = maker's fee, amount_2 = taker's fee; remaining = maker's
    LIQUIDATION_STARTED = 6  # account, side = position's; price = mark, qty = lots, amount = equity,
    #                          amount_2 = maintenance
    LIQUIDATION_FILL = 7  # as FILL; account_2 = liquidated, order_id_2 = 0, amount_2 = liquidation fee
    TAKEOVER = 8  # account_2 = liquidated, price = bankruptcy, qty, amount = dust to the fund
    ADL = 9  # account = counterparty, account_2 = bankrupt, price = bankruptcy, qty
    FUND_FILL = 10  # as FILL; account_2 = the fund
    PRICE = 11  # price = mark, qty = index, amount = time of the index in ms
    FUNDING = 12  # amount = new funding index e6, amount_2 = rate in ppm
    COLLATERAL_MOVED = 13  # account, amount > 0 into the position, order_id_2 = nonce
    WITHDRAWN = 14  # account, amount, order_id_2 = nonce
    DEPOSITED = 15  # account, amount, order_id_2 = deposit_seq
    FUND_DEPOSITED = 16  # amount, order_id_2 = deposit_seq
    COMMAND_REJECTED = 17  # account, reason, order_id_2 = nonce: not an order's rejection
    MARKET_STATE = 18  # amount = MarketState
    FROZEN = 19  # account, amount = 1 frozen, 0 thawed
    LIQUIDATION_ENDED = 20  # account, qty = lots left, amount = collateral left


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
