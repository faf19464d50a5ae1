"""The settlement items, numbered without gap, in a derived file that replay fills again.

The file has no name: it is gone when the process ends, and nothing depends on it but readers. It
holds records in feed order: each signed order once, right before the first item that refers to it,
and each item. In memory stays one file offset per item. So any item can be served again, for ever.

Slow consumers: a reader takes from the file at its own pace, so there is no queue to overflow.
"""

from __future__ import annotations

import asyncio
import os
import struct
import tempfile
from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from matcher.engine import commands, events
from matcher.engine.events import Event
from matcher.envelope import PlaceExtra
from matcher.feed.accounts import SeqOutOfRangeError

if TYPE_CHECKING:
    from pathlib import Path

    from matcher.accounts import LiveOrder
    from matcher.engine.commands import Command

TICK: Final = 0  # The item kind that no engine event has.
_NO_EVENT: Final = bytes(events.EVENT_BYTES)
# length of the rest · is_item
_FRAME: Final = struct.Struct("<HB")
# item_seq · time · command_seq · event · maker's and taker's offsets + 1 · which come first here
_ITEM: Final = struct.Struct(f"<QqQ{events.EVENT_BYTES}sQQB")
_ORDER: Final = struct.Struct(f"<Q{commands.COMMAND_BYTES}s")
_MAKER_FIRST: Final = 1
_TAKER_FIRST: Final = 2


class SettlementItem(NamedTuple):
    """One item. `event.kind` is TICK or the engine event that it is made of.

    Attributes:
        item_seq: 1, 2, 3 … without gap.
        time_ns: Engine time.
        command_seq: Command that decided it.
        event: The engine's event; all zero for TICK.
        extra: PRICE: the signed observations (PriceExtra); COLLATERAL_MOVED and WITHDRAWN: the
            command's record and its journalled extra; AUTO_TOPPED_UP: those of the instruction;
            FORCED_SERVED of an account that the engine does not know: its address; else empty.
    """

    item_seq: int
    time_ns: int
    command_seq: int
    event: Event
    extra: bytes


class SettlementOrder(NamedTuple):
    """A signed order that items refer to."""

    order_id: int
    command: Command
    signed: PlaceExtra


class _ItemRecord(NamedTuple):
    item: SettlementItem
    maker_offset: int | None
    taker_offset: int | None
    firsts: int


class SettlementLog:
    """Appended by the dispatcher, read by any number of cursors."""

    def __init__(self, directory: Path | None = None) -> None:
        """Open an empty log in an unnamed file in `directory` (None: the system's choice)."""
        self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
        self._offsets = array("Q")
        self._pending: list[bytes] = []
        self._end = 0
        self._written = 0
        self._announced_seq = 0
        self._grown = asyncio.Event()

    @property
    def item_seq(self) -> int:
        """The newest item; 0 before the first."""
        return len(self._offsets)

    def add(
        self,
        event: Event | None,
        *,
        time_ns: int,
        command_seq: int,
        maker: tuple[int, LiveOrder] | None = None,
        taker: tuple[int, LiveOrder] | None = None,
        extra: bytes = b"",
    ) -> int:
        """Append an item and return its item_seq; `maker` and `taker` are (order_id, order)."""
        firsts = 0
        for order, flag in ((maker, _MAKER_FIRST), (taker, _TAKER_FIRST)):
            if order is not None and order[1].feed_offset is None:
                self._add_order(*order)
                firsts |= flag
        item_seq = self.item_seq + 1
        head = _ITEM.pack(
            item_seq,
            time_ns,
            command_seq,
            _NO_EVENT if event is None else events.RECORD.pack(*event),
            _reference(maker),
            _reference(taker),
            firsts,
        )
        self._offsets.append(self._append(head + extra, is_item=True))
        return item_seq

    def flush(self) -> None:
        """Wake the readers, when something was added. After every group."""
        if self._announced_seq < self.item_seq:
            self._write_pending()
            self._announced_seq = self.item_seq
            self._grown.set()
            self._grown = asyncio.Event()

    async def wait_beyond(self, item_seq: int) -> None:
        """Return when an item after `item_seq` was flushed."""
        while self._announced_seq <= item_seq:
            await self._grown.wait()

    def cursor(self, from_seq: int) -> SettlementCursor:
        """Return a reader that starts at an item.

        Raises:
            SeqOutOfRangeError: `from_seq` is not in 1 … newest + 1.
        """
        if not 1 <= from_seq <= self.item_seq + 1:
            raise SeqOutOfRangeError(from_seq, 1, self.item_seq + 1)
        return SettlementCursor(self, from_seq)

    def items(self, first_seq: int, last_seq: int) -> list[SettlementItem]:
        """Return the items first_seq … last_seq, all of which must exist."""
        records = self.read_records(first_seq, last_seq - first_seq + 1)
        return [record.item for _, record in records if isinstance(record, _ItemRecord)]

    def close(self) -> None:
        """Forget the file."""
        self._file.close()

    def offset_of(self, item_seq: int) -> int:
        """Return where an item's record is, or the end of the file for the next one."""
        return self._offsets[item_seq - 1] if item_seq <= self.item_seq else self._end

    def read_order(self, offset: int) -> SettlementOrder:
        """Return the order whose record is at `offset`."""
        head = os.pread(self._file.fileno(), _FRAME.size, offset)
        length, is_item = _FRAME.unpack(head)
        assert not is_item, offset
        return _decode_order(os.pread(self._file.fileno(), length, offset + _FRAME.size))

    def read_records(
        self, from_seq: int, item_count_max: int
    ) -> list[tuple[int, _ItemRecord | SettlementOrder]]:
        """Return up to `item_count_max` items and the orders between them, with their offsets."""
        self._write_pending()
        until_seq = min(from_seq + item_count_max, self.item_seq + 1)
        start = self.offset_of(from_seq)
        data = os.pread(self._file.fileno(), self.offset_of(until_seq) - start, start)
        records: list[tuple[int, _ItemRecord | SettlementOrder]] = []
        at = 0
        while at < len(data):
            length, is_item = _FRAME.unpack_from(data, at)
            end = at + _FRAME.size + length
            body = data[at + _FRAME.size : end]
            records.append((start + at, _decode_item(body) if is_item else _decode_order(body)))
            at = end
        return records

    def _write_pending(self) -> None:
        data = memoryview(b"".join(self._pending))
        self._pending.clear()
        while data:
            count = os.pwrite(self._file.fileno(), data, self._written)
            self._written += count
            data = data[count:]

    def _add_order(self, order_id: int, order: LiveOrder) -> None:
        body = _ORDER.pack(order_id, order.command.pack()) + order.signed.pack()
        order.feed_offset = self._append(body, is_item=False)

    def _append(self, body: bytes, *, is_item: bool) -> int:
        offset = self._end
        self._pending.append(_FRAME.pack(len(body), is_item) + body)
        self._end += _FRAME.size + len(body)
        return offset


class SettlementCursor:
    """Reads on from one item; hands out each signed order once, before its first item here."""

    def __init__(self, log: SettlementLog, from_seq: int) -> None:
        """Use `SettlementLog.cursor`."""
        self._log = log
        self._next_seq = from_seq
        self._start_offset = log.offset_of(from_seq)
        self._old_orders_sent: set[int] = set()

    async def take(self, item_count_max: int) -> tuple[list[SettlementOrder], list[SettlementItem]]:
        """Wait for an item; return up to `item_count_max`, and the orders to be read before."""
        await self._log.wait_beyond(self._next_seq - 1)
        orders: list[SettlementOrder] = []
        items: list[SettlementItem] = []
        at_hand: dict[int, SettlementOrder] = {}
        for offset, record in self._log.read_records(self._next_seq, item_count_max):
            if isinstance(record, SettlementOrder):
                at_hand[offset] = record
            else:
                orders += self._orders_of(record, at_hand)
                items.append(record.item)
        self._next_seq += len(items)
        return orders, items

    def _orders_of(
        self, record: _ItemRecord, at_hand: dict[int, SettlementOrder]
    ) -> list[SettlementOrder]:
        """Return the orders that this reader has not had before the item."""
        needed = []
        for offset, flag in (
            (record.maker_offset, _MAKER_FIRST),
            (record.taker_offset, _TAKER_FIRST),
        ):
            if offset is None:
                continue
            is_old = offset < self._start_offset and offset not in self._old_orders_sent
            if is_old:
                self._old_orders_sent.add(offset)
            if is_old or record.firsts & flag:
                needed.append(at_hand.get(offset) or self._log.read_order(offset))
        return needed


def _reference(order: tuple[int, LiveOrder] | None) -> int:
    if order is None or order[1].feed_offset is None:
        return 0
    return order[1].feed_offset + 1


def _decode_item(body: bytes) -> _ItemRecord:
    item_seq, time_ns, command_seq, event, maker, taker, firsts = _ITEM.unpack_from(body)
    item = SettlementItem(
        item_seq,
        time_ns,
        command_seq,
        Event._make(events.RECORD.unpack(event)),
        body[_ITEM.size :],
    )
    return _ItemRecord(item, maker - 1 if maker else None, taker - 1 if taker else None, firsts)


def _decode_order(body: bytes) -> SettlementOrder:
    order_id, record = _ORDER.unpack_from(body)
    return SettlementOrder(
        order_id, commands.unpack(record), PlaceExtra.unpack(body[_ORDER.size :])
    )
