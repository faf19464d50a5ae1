"""The engine's input alphabet: one fixed record per command, little endian, one cache line."""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from matcher.engine.instructions import PLAIN, Instructions

if TYPE_CHECKING:
    from collections.abc import Sequence


class CommandKind(enum.IntEnum):
    """What a command asks for. Values are part of the journal format and never change."""

    DEPOSIT = 1  # account, amount_quote; nonce = deposit_seq of the chain
    PLACE = 3  # account, market_id, side, tif, flags, price, qty, amount_quote = margin, nonce
    CANCEL = 4  # account, order_id, or order_id = 0 and nonce
    CANCEL_ALL = 5  # account; market_id = 0: every; side = SIDE_ANY: both; session = 0: any
    PRICE = 6  # market_id, price_ticks = index; aux = time of the index in ms
    TICK = 7  # engine time passes; as in every command, what is due expires first
    MOVE_COLLATERAL = 8  # account, market_id, amount_quote > 0 into the position, < 0 out; nonce
    WITHDRAW = 9  # account, amount_quote, nonce
    SET_MARKET_STATE = 10  # market_id, aux = MarketState
    SETTLEMENT_REJECTED = 11  # account, market_id: freezes the position; aux = 1 frozen, 0 thawed
    EXTENSION = 12  # a record before a PLACE or REPLACE with what does not fit into it
    ANNOUNCE_PARAMETERS = 14  # market_id, aux = second; the parameters stand beside the record
    AMEND = 15  # account, order_id, or order_id = 0 and nonce; qty = the new total, at most the old
    REPLACE = 16  # a PLACE; order_id, or old_nonce, is the order that ends; unfilled_lots, 0: any
    GROUP = 17  # qty = records that follow; their commands are all admitted or all refused
    # Of the forced queue: account, market_id, flags = RequestKind, aux = amount, nonce = its id;
    # of a CANCEL amount_quote = how many nonces after the first end, too
    FORCED_REQUEST = 18
    AUTO_TOP_UP = 19  # account, market_id, amount_quote = cap, 0 ends it; nonce, expiry
    PAUSE_RISK = 21  # aux = 1 the guardian's pause holds, 0 it is over
    SETTLE_MARKET = 20  # market_id: delivers the next positions of a market that has ended


SIDE_BUY: Final = 0
SIDE_SELL: Final = 1
SIDE_ANY: Final = 2

TIF_GTC: Final = 0
TIF_IOC: Final = 1
TIF_FOK: Final = 2

FLAG_POST_ONLY: Final = 1
FLAG_REDUCE_ONLY: Final = 2

TRIGGER_NONE: Final = 0
TRIGGER_MARK_AT_OR_ABOVE: Final = 1
TRIGGER_MARK_AT_OR_BELOW: Final = 2
TRIGGER_AT_OR_ABOVE: Final = 3  # on the last price, or trailing: the engine alone judges it
TRIGGER_AT_OR_BELOW: Final = 4

NEVER_S: Final = 2**32 - 1  # expiry_time_s of a good-till-cancelled order
GROUP_ITEMS_MAX: Final = 32


class RequestKind(enum.IntEnum):
    """What a forced request asks for, numbered as on chain; what its amount means."""

    CANCEL_ALL = 1  # orders with a nonce below it
    REDUCE = 2  # lots
    WITHDRAW = 3  # quote
    TOP_UP = 4  # quote
    UNBACK = 5  # shares
    CANCEL = 6  # nonce
    GIVE = 7  # quote, to the insurance fund
    BACK = 8  # quote, to the insurance fund for shares


class MarketState(enum.IntEnum):
    """What a market admits."""

    OPEN = 1
    POST_ONLY = 2
    CANCEL_ONLY = 3
    REDUCE_ONLY = 4
    HALTED = 5
    AUCTION = 6
    DELISTING = 7
    SETTLED = 8


class Command(NamedTuple):
    """One command. Fields that a kind does not name are 0.

    `time_ns` is the engine's clock: it never goes back. Quantities carry their unit in the name.
    Prices, lots and seconds have 32 bits, as in the batch on chain: the shell refuses more.
    """

    kind: int
    side: int = 0
    time_in_force: int = 0
    flags: int = 0
    market_id: int = 0
    trigger_kind: int = 0
    account: int = 0
    time_ns: int = 0
    nonce: int = 0
    order_id: int = 0
    price_ticks: int = 0
    qty_lots: int = 0
    amount_quote: int = 0
    trigger_price_ticks: int = 0
    expiry_time_s: int = 0
    aux: int = 0
    session: int = 0
    instructions: Instructions = PLAIN
    old_nonce: int = 0
    unfilled_lots: int = 0

    def pack(self) -> bytes:
        """Return the 64-byte record, without what an extension carries.

        Raises `struct.error` when a field is out of its range.
        """
        return RECORD.pack(
            self.kind,
            self.side,
            self.time_in_force,
            self.flags,
            self.market_id,
            self.trigger_kind,
            self.account,
            self.price_ticks,
            self.time_ns,
            self.nonce,
            self.aux if self.kind in _AUX_KINDS else self.order_id,
            self.amount_quote,
            self.qty_lots,
            self.trigger_price_ticks,
            self.expiry_time_s,
            self.session,
        )

    def records(self) -> bytes:
        """Return the record, behind an extension when the command needs one."""
        guard = (
            _GUARD.pack(self.old_nonce, self.unfilled_lots)
            if self.kind == CommandKind.REPLACE
            else b""
        )
        if self.instructions == PLAIN and not any(guard):
            return self.pack()
        return extension(self.instructions.pack() + guard) + self.pack()


def extension(payload: bytes) -> bytes:
    """Return the record that goes before a PLACE (instructions) or REPLACE (and its guard)."""
    return _EXTENSION.pack(CommandKind.EXTENSION, len(payload), payload)


def group(commands: Sequence[Command], time_ns: int) -> bytes:
    """Return the records of a group: PLACE, CANCEL, AMEND, REPLACE, at most `GROUP_ITEMS_MAX`."""
    items = b"".join(command.records() for command in commands)
    head = Command(CommandKind.GROUP, time_ns=time_ns, qty_lots=len(items) // COMMAND_BYTES)
    return head.pack() + items


# As CommandC in types.pxd; the order id's place also carries `aux`.
RECORD: Final = struct.Struct("<BBBBHHIIqQQqIIII")
COMMAND_BYTES: Final = RECORD.size
_EXTENSION: Final = struct.Struct("<BB62s")
_GUARD: Final = struct.Struct("<QI")
# These name no order; their `aux` takes the order id's place.
_AUX_KINDS: Final = frozenset(
    {
        CommandKind.PRICE,
        CommandKind.SET_MARKET_STATE,
        CommandKind.SETTLEMENT_REJECTED,
        CommandKind.ANNOUNCE_PARAMETERS,
        CommandKind.FORCED_REQUEST,
        CommandKind.PAUSE_RISK,
    }
)


def unpack(record: bytes) -> Command:
    """Return the command of one record of `COMMAND_BYTES` bytes."""
    (
        kind,
        side,
        tif,
        flags,
        market,
        trigger,
        account,
        price,
        time_ns,
        nonce,
        shared,
        amount,
        qty,
        trigger_price,
        expiry,
        session,
    ) = RECORD.unpack(record)
    has_aux = kind in _AUX_KINDS
    return Command(
        kind,
        side,
        tif,
        flags,
        market,
        trigger,
        account,
        time_ns,
        nonce,
        0 if has_aux else shared,
        price,
        qty,
        amount,
        trigger_price,
        expiry,
        shared if has_aux else 0,
        session,
    )
