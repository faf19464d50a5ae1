"""What the shell journals beside the engine's records: extras, and commands that are its own."""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

from margin_core import MarketSpec
from matcher.engine.commands import COMMAND_BYTES, Command
from matcher.engine.commands import unpack as unpack_command
from matcher.journal.codec import EXTRA_BYTES_MAX

ADDRESS_BYTES: Final = 20
SIGNATURE_BYTES: Final = 64
INSURANCE_ADDRESS: Final = bytes(19) + b"\x01"  # BATCH-4
INSURANCE_ACCOUNT: Final = 0

_OBSERVATION: Final = struct.Struct("<Iq64s")  # 76 bytes: no count of them makes 64
INSTRUCTIONS_BYTES: Final = 32
NO_INSTRUCTIONS: Final = bytes(INSTRUCTIONS_BYTES)

_PLACE: Final = struct.Struct("<I64s")
_WITHDRAW: Final = struct.Struct("<20s64s")
_REPLACE: Final = struct.Struct("<QI")
_LENGTH: Final = struct.Struct("<H")
_LISTING: Final = struct.Struct("<qqBB")
_CAPACITIES: Final = struct.Struct("<QQQ")
_RECEIPT: Final = struct.Struct("<QQQQ32sH")
_REJECTED_ITEM: Final = struct.Struct("<QH")
REJECTED_ITEMS_MAX: Final = (EXTRA_BYTES_MAX - _RECEIPT.size) // _REJECTED_ITEM.size


class ShellKind(enum.IntEnum):
    """Kinds of journalled commands that the engine never sees as such. Values never change."""

    OPEN = 127  # the first command of every journal; extra: Capacities
    LIST_MARKET = 128  # extra: Listing
    REPLACE = 129  # a PLACE whose order_id is the order to cancel; extra: ReplaceExtra
    BATCH_RECEIPT = 130  # extra: BatchReceipt
    GROUP = 131  # extra: GroupExtra


class Capacities(NamedTuple):
    """How much the engine holds. A journal keeps them: what they refuse is part of its history."""

    account_count_max: int
    position_count_max: int
    order_count_max: int

    def pack(self) -> bytes:
        """Return the extra of an OPEN."""
        return _CAPACITIES.pack(*self)

    @classmethod
    def unpack(cls, extra: bytes) -> Capacities:
        """Undo `pack`."""
        return cls._make(_CAPACITIES.unpack(extra))


class PlaceExtra(NamedTuple):
    """What an order has signed beside the engine's fields.

    `signature` has 64 bytes, or is a share of a tree's (SIG-4). `instructions` have 32 bytes; they
    take room in the journal only when one is not zero, or a share stands behind them.
    """

    fee_ppm_max: int
    signature: bytes
    instructions: bytes = NO_INSTRUCTIONS

    def pack(self) -> bytes:
        """Return the extra of a PLACE."""
        own, share = self.signature[:SIGNATURE_BYTES], self.signature[SIGNATURE_BYTES:]
        head = _PLACE.pack(self.fee_ppm_max, own)
        if not share and self.instructions == NO_INSTRUCTIONS:
            return head
        return head + self.instructions + share

    @classmethod
    def unpack(cls, extra: bytes) -> PlaceExtra:
        """Undo `pack`."""
        fee_ppm_max, signature = _PLACE.unpack_from(extra)
        instructions = extra[_PLACE.size : _PLACE.size + INSTRUCTIONS_BYTES]
        share = extra[_PLACE.size + INSTRUCTIONS_BYTES :]
        return cls(fee_ppm_max, signature + share, instructions or NO_INSTRUCTIONS)


class SignedObservation(NamedTuple):
    """What one index source has signed: ticks, unix milliseconds, 64 bytes."""

    price_ticks: int
    time_ms: int
    signature: bytes


class PriceExtra(NamedTuple):
    """The signed observations that a PRICE is made of, in the order of ORA-2."""

    observations: tuple[SignedObservation, ...]

    def pack(self) -> bytes:
        """Return the extra of a PRICE; of one observation only its signature."""
        if len(self.observations) == 1:
            return self.observations[0].signature
        return b"".join(_OBSERVATION.pack(*seen) for seen in self.observations)

    @classmethod
    def unpack(cls, extra: bytes, price_ticks: int, time_ms: int) -> PriceExtra:
        """Undo `pack`; a lone observation has the price and time of its command."""
        if len(extra) == SIGNATURE_BYTES:
            return cls((SignedObservation(price_ticks, time_ms, extra),))
        return cls(tuple(map(SignedObservation._make, _OBSERVATION.iter_unpack(extra))))


class WithdrawExtra(NamedTuple):
    """Receiver (20 bytes) and signature (64 bytes) of a withdrawal."""

    receiver: bytes
    signature: bytes

    def pack(self) -> bytes:
        """Return the extra of a WITHDRAW."""
        return _WITHDRAW.pack(*self)

    @classmethod
    def unpack(cls, extra: bytes) -> WithdrawExtra:
        """Undo `pack`."""
        return cls._make(_WITHDRAW.unpack(extra))


class ReplaceExtra(NamedTuple):
    """The nonce of the order to cancel, used when the record's order_id is 0, and the new order.

    `unfilled_lots` must be left of the old order; 0: any.
    """

    cancel_nonce: int
    place: PlaceExtra
    unfilled_lots: int = 0

    def pack(self) -> bytes:
        """Return the extra of a REPLACE."""
        return _REPLACE.pack(self.cancel_nonce, self.unfilled_lots) + self.place.pack()

    @classmethod
    def unpack(cls, extra: bytes) -> ReplaceExtra:
        """Undo `pack`."""
        nonce, unfilled_lots = _REPLACE.unpack_from(extra)
        return cls(nonce, PlaceExtra.unpack(extra[_REPLACE.size :]), unfilled_lots)


class GroupExtra(NamedTuple):
    """The commands of a group, each with its own extra; their times are not kept."""

    items: tuple[tuple[Command, bytes], ...]

    def pack(self) -> bytes:
        """Return the extra of a GROUP."""
        return b"".join(
            command.pack() + _LENGTH.pack(len(extra)) + extra for command, extra in self.items
        )

    @classmethod
    def unpack(cls, extra: bytes) -> GroupExtra:
        """Undo `pack`."""
        items = []
        at = 0
        while at < len(extra):
            start = at + COMMAND_BYTES + _LENGTH.size
            (length,) = _LENGTH.unpack_from(extra, at + COMMAND_BYTES)
            command = unpack_command(extra[at : at + COMMAND_BYTES])
            at = start + length
            items.append((command, extra[start:at]))
        return cls(tuple(items))


class Listing(NamedTuple):
    """A market's parameters, and how people write its prices and quantities."""

    spec: MarketSpec
    symbol: str
    price_tick_e9: int
    qty_lot_e9: int
    collateral_decimals: int

    def pack(self) -> bytes:
        """Return the extra of a LIST_MARKET."""
        symbol = self.symbol.encode("ascii")
        head = _LISTING.pack(
            self.price_tick_e9, self.qty_lot_e9, self.collateral_decimals, len(symbol)
        )
        return head + symbol + self.spec.pack()

    @classmethod
    def unpack(cls, extra: bytes) -> Listing:
        """Undo `pack`. Raises `ValueError` when the parameters break a rule."""
        tick, lot, decimals, length = _LISTING.unpack_from(extra)
        end = _LISTING.size + length
        symbol = extra[_LISTING.size : end].decode("ascii")
        return cls(MarketSpec.unpack(extra[end:]), symbol, tick, lot, decimals)


class BatchReceipt(NamedTuple):
    """What the contract has done with a batch; `rejected_items` are (item_seq, reason)."""

    batch_seq: int
    first_item_seq: int
    last_item_seq: int
    block_number: int
    tx_hash: bytes
    rejected_items: tuple[tuple[int, int], ...] = ()

    def pack(self) -> bytes:
        """Return the extra of a BATCH_RECEIPT."""
        head = _RECEIPT.pack(*self[:5], len(self.rejected_items))
        return head + b"".join(_REJECTED_ITEM.pack(*item) for item in self.rejected_items)

    @classmethod
    def unpack(cls, extra: bytes) -> BatchReceipt:
        """Undo `pack`."""
        batch_seq, first, last, block, tx_hash, _ = _RECEIPT.unpack_from(extra)
        items = tuple(
            (item_seq, reason)
            for item_seq, reason in _REJECTED_ITEM.iter_unpack(extra[_RECEIPT.size :])
        )
        return cls(batch_seq, first, last, block, tx_hash, items)
