"""Reads the segments of a journal in order and refuses every gap, damage and broken chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from matcher.errors import JournalCorruptError, JournalError
from matcher.journal.codec import (
    ENTRY_BYTES_MIN,
    HEADER_BYTES,
    MAGIC,
    Group,
    Header,
    damage,
    decode_entries,
    decode_header,
    group_hash,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEGMENT_SUFFIX: Final = ".segment"
_ZERO_MAGIC: Final = bytes(len(MAGIC))


class Found(NamedTuple):
    """A whole group and where it lies in its segment."""

    offset_bytes: int
    header: Header
    record: bytes


class Tail(NamedTuple):
    """Where the whole groups of a segment end, and whether torn bytes follow."""

    end_bytes: int
    next_seq: int | None  # None: the segment holds no group
    last_hash: bytes | None
    torn: str | None  # what is wrong with the bytes after `end_bytes`


def segment_path(directory: Path, first_seq: int) -> Path:
    """Return the file of the segment whose first group starts at `first_seq`."""
    return directory / f"{first_seq:020d}{SEGMENT_SUFFIX}"


def segment_paths(directory: Path) -> list[Path]:
    """Return the segments of a journal, oldest first."""
    return sorted(directory.glob(f"*{SEGMENT_SUFFIX}"))


def segment_first_seq(path: Path) -> int:
    """Return the command_seq that a segment's name promises for its first entry."""
    name = path.name.removesuffix(SEGMENT_SUFFIX)
    if not name.isascii() or not name.isdigit():
        raise JournalError(f"{path}: is not a segment of a journal; move it elsewhere")
    return int(name)


def scan_tail(path: Path) -> Tail:
    """Find the end of the last segment; what follows it is torn only if no group follows.

    Raises:
        JournalCorruptError: A damaged group with a whole one after it.
    """
    buffer = path.read_bytes()
    end, next_seq, last_hash = 0, None, None
    header, wrong = _examine(buffer, end)
    while header is not None and wrong is None:
        next_seq = header.first_seq + header.entry_count
        last_hash = group_hash(buffer[end : end + header.record_bytes])
        end += header.record_bytes
        header, wrong = _examine(buffer, end)
    if wrong is None and not _is_zero(buffer, end):
        wrong = "bytes behind the last group"
    later = None if wrong is None else _find_group_after(buffer, end, next_seq or 0)
    if later is not None:
        raise JournalCorruptError(path, end, f"{wrong}; a whole group follows at {later}")
    return Tail(end, next_seq, last_hash, wrong)


def read_groups(
    directory: Path, from_seq: int = 1, genesis: bytes | None = None
) -> Iterator[Group]:
    """Yield the groups that hold `from_seq` and everything after it, in order.

    Args:
        directory: Folder of the segments.
        from_seq: First command_seq wanted; the first group may start before it.
        genesis: Hash that the very first group must carry; None accepts any.

    Raises:
        JournalCorruptError: With the file and the offset of what is wrong.
        JournalError: The journal belongs to another deployment.
    """
    paths = segment_paths(directory)
    firsts = [segment_first_seq(path) for path in paths]
    start = max((i for i, first in enumerate(firsts) if first <= from_seq), default=0)
    expected_seq = firsts[start] if firsts else 1
    expected_hash = genesis if expected_seq == 1 else None
    if firsts and start == 0 and expected_seq != 1:
        raise JournalCorruptError(paths[0], 0, f"expected command_seq 1, found {expected_seq}")
    for index in range(start, len(paths)):
        if firsts[index] != expected_seq:
            what = f"expected a segment from command_seq {expected_seq}"
            raise JournalCorruptError(paths[index], 0, what)
        for found in _read_segment(paths[index], is_last=index == len(paths) - 1):
            _check_order(paths[index], found, expected_seq, expected_hash)
            expected_seq += found.header.entry_count
            expected_hash = group_hash(found.record)
            if expected_seq > from_seq:
                yield _decode_group(paths[index], found)


def _read_segment(path: Path, *, is_last: bool) -> Iterator[Found]:
    if is_last:
        scan_tail(path)
    buffer = path.read_bytes()
    offset = 0
    header, wrong = _examine(buffer, offset)
    while header is not None and wrong is None:
        yield Found(offset, header, buffer[offset : offset + header.record_bytes])
        offset += header.record_bytes
        header, wrong = _examine(buffer, offset)
    if is_last:
        return
    if wrong is None and not _is_zero(buffer, offset):
        wrong = "bytes behind the last group"
    if wrong is not None:
        raise JournalCorruptError(path, offset, wrong)


def _check_order(path: Path, found: Found, expected_seq: int, expected_hash: bytes | None) -> None:
    header = found.header
    if header.first_seq != expected_seq:
        what = f"expected command_seq {expected_seq}, found {header.first_seq}"
        raise JournalCorruptError(path, found.offset_bytes, what)
    if expected_hash is None or header.previous_hash == expected_hash:
        return
    if expected_seq == 1:
        raise JournalError(
            f"{path.parent}: this journal belongs to another deployment "
            "(chain_id or contract differ); choose another journal_dir"
        )
    what = "the chain of hashes is broken: the group does not follow the one before it"
    raise JournalCorruptError(path, found.offset_bytes, what)


def _decode_group(path: Path, found: Found) -> Group:
    payload = memoryview(found.record)[HEADER_BYTES:]
    try:
        return Group(
            found.header.first_seq, list(decode_entries(payload, found.header.entry_count))
        )
    except (ValueError, IndexError) as exc:
        raise JournalCorruptError(path, found.offset_bytes, str(exc)) from exc


def _examine(buffer: bytes, offset: int) -> tuple[Header | None, str | None]:
    """Return (header, None) of a whole group, (None, None) at the end, (_, what) for damage."""
    header = decode_header(buffer, offset)
    if header is None or header.magic == _ZERO_MAGIC:
        return None, None
    return header, damage(buffer, offset, header)


def _find_group_after(buffer: bytes, offset: int, next_seq: int) -> int | None:
    """Return where a later whole group starts behind a damaged place, or None."""
    at = buffer.find(MAGIC, offset + 1)
    while at >= 0:
        header, wrong = _examine(buffer, at)
        is_plausible = (
            header is not None
            and wrong is None
            and header.first_seq >= next_seq
            and header.payload_bytes >= header.entry_count * ENTRY_BYTES_MIN > 0
        )
        if is_plausible:
            return at
        at = buffer.find(MAGIC, at + 1)
    return None


def _is_zero(buffer: bytes, offset: int) -> bool:
    return buffer.count(0, offset) == len(buffer) - offset
