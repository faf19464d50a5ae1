"""Bytes of the journal: one group of entries is one checksummed, hash-chained record."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from matcher.engine.commands import COMMAND_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAGIC: Final = b"BHJ1"
SCHEMA_VERSION: Final = 1
HASH_BYTES: Final = 32
EXTRA_BYTES_MAX: Final = 0xFFFF
GENESIS_NONE: Final = bytes(HASH_BYTES)

# magic · schema version · reserved · first command_seq · count · payload bytes · previous hash
_HEAD: Final = struct.Struct("<4sHHQII32s")
_CRC: Final = struct.Struct("<I")
_EXTRA_LENGTH: Final = struct.Struct("<H")
HEADER_BYTES: Final = _HEAD.size + _CRC.size
ENTRY_BYTES_MIN: Final = COMMAND_BYTES + _EXTRA_LENGTH.size


class Entry(NamedTuple):
    """One journalled command: the engine's record and what the shell keeps beside it."""

    record: bytes
    extra: bytes = b""


class Group(NamedTuple):
    """Entries that became durable together; `first_seq` is the command_seq of the first."""

    first_seq: int
    entries: list[Entry]


class Header(NamedTuple):
    """The decoded head of a group's record."""

    magic: bytes
    schema_version: int
    reserved: int
    first_seq: int
    entry_count: int
    payload_bytes: int
    previous_hash: bytes
    crc: int

    @property
    def record_bytes(self) -> int:
        """Length of the whole record, header included."""
        return HEADER_BYTES + self.payload_bytes


def encode_group(first_seq: int, entries: Sequence[Entry], previous_hash: bytes) -> bytes:
    """Return the record of a group of at least one entry.

    Raises:
        ValueError: An entry's record is not `COMMAND_BYTES` long, or its extra is too long.
    """
    parts: list[bytes] = []
    for record, extra in entries:
        if len(record) != COMMAND_BYTES or len(extra) > EXTRA_BYTES_MAX:
            raise ValueError(f"entry of {len(record)} + {len(extra)} bytes")
        parts += (record, _EXTRA_LENGTH.pack(len(extra)), extra)
    payload = b"".join(parts)
    head = _HEAD.pack(
        MAGIC, SCHEMA_VERSION, 0, first_seq, len(entries), len(payload), previous_hash
    )
    return head + _CRC.pack(zlib.crc32(payload, zlib.crc32(head))) + payload


def entry_bytes(entry: Entry) -> int:
    """Return how many payload bytes an entry takes."""
    return ENTRY_BYTES_MIN + len(entry.extra)


def group_hash(record: bytes) -> bytes:
    """Return the hash that the next group carries: BLAKE2b-256 over the whole record."""
    return hashlib.blake2b(record, digest_size=HASH_BYTES).digest()


def decode_header(buffer: bytes, offset: int) -> Header | None:
    """Return the header at `offset`, or None where fewer bytes than a header are left."""
    if offset + HEADER_BYTES > len(buffer):
        return None
    (crc,) = _CRC.unpack_from(buffer, offset + _HEAD.size)
    return Header._make((*_HEAD.unpack_from(buffer, offset), crc))


def damage(buffer: bytes, offset: int, header: Header) -> str | None:
    """Return what is wrong with the record at `offset`, or None when it is whole."""
    if header.magic != MAGIC:
        return f"expected magic {MAGIC!r}, found {header.magic!r}"
    if offset + header.record_bytes > len(buffer):
        return f"a group of {header.record_bytes} bytes runs over the end of the segment"
    head_end = offset + _HEAD.size
    view = memoryview(buffer)
    payload = view[offset + HEADER_BYTES : offset + header.record_bytes]
    crc = zlib.crc32(payload, zlib.crc32(view[offset:head_end]))
    if crc != header.crc:
        return f"expected CRC32 {header.crc:#010x}, found {crc:#010x}"
    if header.schema_version != SCHEMA_VERSION:
        return f"expected schema version {SCHEMA_VERSION}, found {header.schema_version}"
    return None


def decode_entries(payload: bytes | memoryview, count: int) -> Iterator[Entry]:
    """Yield the entries of a payload whose checksum was found good.

    Raises:
        ValueError: The payload does not hold exactly `count` entries.
    """
    offset = 0
    for _ in range(count):
        extra_start = offset + ENTRY_BYTES_MIN
        (extra_length,) = _EXTRA_LENGTH.unpack_from(payload, offset + COMMAND_BYTES)
        record = bytes(payload[offset : offset + COMMAND_BYTES])
        offset = extra_start + extra_length
        yield Entry(record, bytes(payload[extra_start:offset]))
    if offset != len(payload):
        raise ValueError(f"{count} entries take {offset} bytes, the payload has {len(payload)}")
