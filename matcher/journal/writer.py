"""The journal on local files: zero-filled segments, one writer, one fdatasync per group."""

from __future__ import annotations

import asyncio
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NoReturn

import structlog

from matcher.errors import JournalError, JournalLockedError
from matcher.journal.codec import (
    GENESIS_NONE,
    Entry,
    Group,
    encode_group,
    group_hash,
)
from matcher.journal.reader import (
    Tail,
    read_groups,
    scan_tail,
    segment_first_seq,
    segment_path,
    segment_paths,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LOCK_NAME: Final = "LOCK"
SEGMENT_BYTES_DEFAULT: Final = 64 << 20
SEGMENT_BYTES_MIN: Final = 4096
_NEW_SUFFIX: Final = ".new"
_ZEROS: Final = bytes(1 << 20)

_log = structlog.get_logger(__name__)


class FileJournal:
    """A `Journal` in a directory of the local file system.

    Every segment has its full length, filled with zeros, before its first group is written, so
    that fdatasync need not write the file's size. Groups never cross segments.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES_DEFAULT,
        genesis: bytes = GENESIS_NONE,
    ) -> None:
        """Open or create the journal, and cut a torn tail.

        Args:
            directory: Folder of the segments; created when it is missing.
            segment_bytes: Length of new segments, at least `SEGMENT_BYTES_MIN`.
            genesis: 32 bytes that name the deployment; the first group carries them.

        Raises:
            JournalLockedError: Another process has it open.
            JournalCorruptError: A group is damaged and it is not a torn tail.
            JournalError: The directory cannot be used, or belongs to another deployment.
        """
        if segment_bytes < SEGMENT_BYTES_MIN:
            raise JournalError(f"segment_bytes must be at least {SEGMENT_BYTES_MIN}")
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._genesis = genesis
        self._lock_file = _locked(directory)
        self._file = -1
        self._offset, self._length = 0, 0
        self._full_segments_bytes = 0
        self._next_seq, self._last_hash = 1, genesis
        try:
            self._recover()
        except BaseException:
            self._release()
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")

    @property
    def next_seq(self) -> int:
        """The command_seq that the next appended entry gets."""
        return self._next_seq

    @property
    def size_bytes(self) -> int:
        """What full segments and the groups of the last one take, in bytes."""
        return self._full_segments_bytes + self._offset

    async def append(self, entries: Sequence[Entry]) -> int:
        """Make one group durable; see `Journal.append`. The loop goes on meanwhile."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.append_blocking, entries)

    def append_blocking(self, entries: Sequence[Entry]) -> int:
        """Make one group durable on the caller's thread; never from two threads at once."""
        if self._file < 0:
            raise JournalError(f"{self._directory}: the journal is closed")
        first_seq = self._next_seq
        record = encode_group(first_seq, entries, self._last_hash)
        if len(record) > self._segment_bytes:
            what = f"a group of {len(record)} bytes exceeds segment_bytes {self._segment_bytes}"
            raise JournalError(f"{self._directory}: {what}")
        try:
            if self._offset + len(record) > self._length:
                self._open_new_segment()
            _write_all(self._file, record, self._offset)
            os.fdatasync(self._file)
        except OSError as exc:
            self._fail(exc)
        self._offset += len(record)
        self._next_seq += len(entries)
        self._last_hash = group_hash(record)
        return first_seq

    def read(self, from_seq: int = 1) -> Iterator[Group]:
        """Yield the durable groups from `from_seq` on; see `Journal.read`."""
        return read_groups(self._directory, from_seq, self._genesis)

    async def close(self) -> None:
        """Finish the write that is under way and release the lock. May be called twice."""
        self._thread.shutdown(wait=True)
        self._release()

    def _recover(self) -> None:
        for leftover in self._directory.glob(f"*{_NEW_SUFFIX}"):
            leftover.unlink()
        paths = segment_paths(self._directory)
        self._full_segments_bytes = sum(path.stat().st_size for path in paths[:-1])
        for position, path in enumerate(reversed(paths)):
            tail = scan_tail(path)
            if position == 0:
                self._open_segment(path, tail)
                self._next_seq = segment_first_seq(path)
            if tail.next_seq is not None and tail.last_hash is not None:
                self._next_seq, self._last_hash = tail.next_seq, tail.last_hash
                return
        if not paths:
            self._open_new_segment()

    def _open_segment(self, path: Path, tail: Tail) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._offset = tail.end_bytes
        self._length = os.fstat(self._file).st_size
        if tail.torn is not None:
            cut_bytes = self._length - tail.end_bytes
            _fill_zeros(self._file, tail.end_bytes, self._length)
            os.fsync(self._file)
            _log.warning(
                "journal torn tail cut: the last group was never acknowledged",
                path=str(path),
                offset_bytes=tail.end_bytes,
                cut_bytes=cut_bytes,
                found=tail.torn,
            )

    def _open_new_segment(self) -> None:
        path = segment_path(self._directory, self._next_seq)
        new = path.with_name(path.name + _NEW_SUFFIX)
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
        try:
            _fill_zeros(file, 0, self._segment_bytes)
            os.fsync(file)
            new.rename(path)
            _sync_directory(self._directory)
        except BaseException:
            os.close(file)
            raise
        if self._file >= 0:
            os.close(self._file)
            self._full_segments_bytes += self._length
        self._file, self._offset, self._length = file, 0, self._segment_bytes

    def _fail(self, exc: OSError) -> NoReturn:
        os.close(self._file)
        self._file = -1
        text = f"{self._directory}: cannot write the journal: {exc.strerror or exc}"
        raise JournalError(f"{text}; free space or repair the disk, then start again") from exc

    def _release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1


def _locked(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as exc:
        text = f"{directory}: cannot be used as journal_dir: {exc.strerror or exc}"
        raise JournalError(text) from exc
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(file)
        raise JournalLockedError(
            f"{directory}: another process writes this journal; stop it or choose another "
            "journal_dir"
        ) from exc
    return file


def _write_all(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view = view[written:]
        offset += written


def _fill_zeros(file: int, start: int, end: int) -> None:
    for offset in range(start, end, len(_ZEROS)):
        _write_all(file, _ZEROS[: min(len(_ZEROS), end - offset)], offset)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
