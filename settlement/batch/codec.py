"""Payload bytes from its parts and back (SPEC section 5, big endian, packed)."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from settlement.batch.payload import (
    FLAG_BULK,
    FLAG_INSTRUCTIONS,
    FLAG_SIGNER_SHIFT,
    FLAG_TRIGGER,
    ITEM_TYPES,
    PAYLOAD_VERSION,
    AccountRow,
    Field,
    Header,
    Item,
    Kind,
    MarketRow,
    Observation,
    OrderRow,
    Payload,
    PositionRow,
    PriceItem,
    Record,
    RootRow,
    SignedItemRecord,
    SignerKind,
)

SIGNATURE_BYTES: Final = 64
DIGEST_BYTES: Final = 32
WALLET_SIGNATURE_BYTES_MAX: Final = 0xFFFF

RecordT = TypeVar("RecordT", bound=Record)


class PayloadError(ValueError):
    """A value does not fit its field, or bytes are not a payload."""


def fields_bytes(fields: tuple[Field, ...]) -> int:
    """Return the size in bytes of a record of these fields."""
    return sum(field.size for field in fields)


HEADER_BYTES: Final = fields_bytes(Header.FIELDS)
OBSERVATION_BYTES: Final = fields_bytes(Observation.FIELDS)


def order_bytes(row: OrderRow) -> int:
    """Return the size in bytes of an order's row."""
    fixed = fields_bytes(OrderRow.FIELDS) + fields_bytes(_order_tail(row.flags))
    if row.flags & FLAG_BULK:
        return fixed + fields_bytes(OrderRow.LEAF) + len(row.siblings)
    return fixed + _signature_bytes(row.flags >> FLAG_SIGNER_SHIFT & 3, row.signature)


def root_bytes(row: RootRow) -> int:
    """Return the size in bytes of a tree's row."""
    return fields_bytes(RootRow.FIELDS) + _signature_bytes(row.signer, row.signature)


def item_bytes(item_type: type[Item], observation_count: int = 1) -> int:
    """Return the size in bytes of an item with its opcode and what stands behind its fields.

    A price row has `observation_count` observations; signed items an owner's key has signed.
    """
    more = observation_count * OBSERVATION_BYTES if item_type is PriceItem else 0
    signed = 1 + SIGNATURE_BYTES if issubclass(item_type, SignedItemRecord) else 0
    return 1 + fields_bytes(item_type.FIELDS) + signed + more


def _signature_bytes(signer: int, signature: bytes) -> int:
    return 2 + len(signature) if signer == SignerKind.WALLET else SIGNATURE_BYTES


def _order_tail(flags: int) -> tuple[Field, ...]:
    """Return what stands behind the fixed fields of an order with these flags."""
    trigger = OrderRow.TRIGGER if flags & FLAG_TRIGGER else ()
    instructions = OrderRow.INSTRUCTIONS if flags & FLAG_INSTRUCTIONS else ()
    return (*trigger, *instructions)


def encode_payload(payload: Payload) -> bytes:
    """Return the bytes of a payload. Raises `PayloadError` when a value does not fit."""
    header = Header(
        version=PAYLOAD_VERSION,
        sequence=payload.sequence,
        epoch=payload.epoch,
        clock_time_s=payload.clock_time_s,
        market_count=len(payload.markets),
        account_count=len(payload.accounts),
        position_count=len(payload.positions),
        root_count=len(payload.roots),
        order_count=len(payload.orders),
        item_count=len(payload.items),
    )
    parts = [_pack(header, Header.FIELDS)]
    parts += (_pack(market, MarketRow.FIELDS) for market in payload.markets)
    parts += (_pack(account, AccountRow.FIELDS) for account in payload.accounts)
    parts += (_pack(position, PositionRow.FIELDS) for position in payload.positions)
    parts += (_pack_root(root) for root in payload.roots)
    parts += (_pack_order(order) for order in payload.orders)
    parts += (_pack_item(item) for item in payload.items)
    return b"".join(parts)


def decode_payload(data: bytes) -> Payload:
    """Return the parts of payload bytes. Raises `PayloadError` on anything that is not one."""
    cursor = _Cursor(data)
    header = cursor.record(Header)
    if header.version != PAYLOAD_VERSION:
        raise PayloadError(f"payload version {header.version}, expected {PAYLOAD_VERSION}")
    markets = tuple(cursor.record(MarketRow) for _ in range(header.market_count))
    accounts = tuple(cursor.record(AccountRow) for _ in range(header.account_count))
    positions = tuple(cursor.record(PositionRow) for _ in range(header.position_count))
    roots = tuple(cursor.root() for _ in range(header.root_count))
    orders = tuple(cursor.order(roots) for _ in range(header.order_count))
    items = tuple(cursor.item() for _ in range(header.item_count))
    cursor.expect_end()
    return Payload(
        sequence=header.sequence,
        epoch=header.epoch,
        clock_time_s=header.clock_time_s,
        markets=markets,
        accounts=accounts,
        positions=positions,
        roots=roots,
        orders=orders,
        items=items,
    )


def _pack(record: Record, fields: tuple[Field, ...]) -> bytes:
    return b"".join(_pack_field(record, field) for field in fields)


def _pack_field(record: Record, field: Field) -> bytes:
    value = getattr(record, field.name)
    if field.kind is Kind.BYTES:
        if len(value) != field.size:
            raise PayloadError(
                f"{type(record).__name__}.{field.name}: {len(value)} bytes, expected {field.size}"
            )
        return bytes(value)
    try:
        return int(value).to_bytes(field.size, "big", signed=field.kind is Kind.INT)
    except OverflowError:
        raise PayloadError(
            f"{type(record).__name__}.{field.name}: {value} does not fit {field.size} bytes, "
            f"{field.kind.value}"
        ) from None


def _pack_root(row: RootRow) -> bytes:
    return _pack(row, RootRow.FIELDS) + _pack_signature(row.signer, row.signature)


def _pack_order(row: OrderRow) -> bytes:
    head = _pack(row, OrderRow.FIELDS) + _pack(row, _order_tail(row.flags))
    if row.flags & FLAG_BULK:
        return head + _pack(row, OrderRow.LEAF) + row.siblings
    return head + _pack_signature(row.flags >> FLAG_SIGNER_SHIFT & 3, row.signature)


def _pack_item(item: Item) -> bytes:
    head = bytes((item.OPCODE,)) + _pack(item, item.FIELDS)
    if isinstance(item, PriceItem):
        return head + b"".join(_pack(seen, Observation.FIELDS) for seen in item.observations)
    if not isinstance(item, SignedItemRecord):
        return head
    return head + bytes((item.signer,)) + _pack_signature(item.signer, item.signature)


def _pack_signature(signer: int, signature: bytes) -> bytes:
    if signer == SignerKind.WALLET:
        if len(signature) > WALLET_SIGNATURE_BYTES_MAX:
            raise PayloadError(f"a wallet's signature has {len(signature)} bytes")
        return len(signature).to_bytes(2, "big") + signature
    if len(signature) != SIGNATURE_BYTES:
        raise PayloadError(f"a signature has {len(signature)} bytes, expected {SIGNATURE_BYTES}")
    return signature


class _Cursor:
    """A place in payload bytes that only moves forward."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def record(self, record_type: type[RecordT]) -> RecordT:
        return record_type(**self._values(record_type.FIELDS))

    def root(self) -> RootRow:
        values = self._values(RootRow.FIELDS)
        return RootRow(**values, signature=self._signature(values["signer"]))

    def order(self, roots: tuple[RootRow, ...]) -> OrderRow:
        values = self._values(OrderRow.FIELDS)
        flags = values["flags"]
        values |= self._values(_order_tail(flags))
        if not flags & FLAG_BULK:
            signature = self._signature(flags >> FLAG_SIGNER_SHIFT & 3)
            return OrderRow(**values, signature=signature)
        values |= self._values(OrderRow.LEAF)
        if values["root"] >= len(roots):
            raise PayloadError(f"root {values['root']} of {len(roots)} at byte {self._offset}")
        siblings = self._take(roots[values["root"]].height * DIGEST_BYTES)
        return OrderRow(**values, siblings=siblings)

    def item(self) -> Item:
        opcode = self._take(1)[0]
        item_type = ITEM_TYPES.get(opcode)
        if item_type is None:
            raise PayloadError(f"unknown opcode {opcode:#04x} at byte {self._offset - 1}")
        values = self._values(item_type.FIELDS)
        if item_type is PriceItem:
            count = values.pop("count")
            values["observations"] = tuple(self.record(Observation) for _ in range(count))
        if issubclass(item_type, SignedItemRecord):
            values["signer"] = self._take(1)[0]
            values["signature"] = self._signature(values["signer"])
        return item_type(**values)

    def _signature(self, signer: int) -> bytes:
        if signer == SignerKind.WALLET:
            return self._take(int.from_bytes(self._take(2), "big"))
        return self._take(SIGNATURE_BYTES)

    def expect_end(self) -> None:
        if self._offset != len(self._data):
            raise PayloadError(f"{len(self._data) - self._offset} bytes after the last item")

    def _values(self, fields: tuple[Field, ...]) -> dict[str, Any]:
        return {field.name: self._value(field) for field in fields}

    def _value(self, field: Field) -> int | bytes:
        raw = self._take(field.size)
        if field.kind is Kind.BYTES:
            return raw
        return int.from_bytes(raw, "big", signed=field.kind is Kind.INT)

    def _take(self, size: int) -> bytes:
        end = self._offset + size
        if end > len(self._data):
            raise PayloadError(f"payload ends at byte {len(self._data)}, expected {end} or more")
        raw = self._data[self._offset : end]
        self._offset = end
        return raw
