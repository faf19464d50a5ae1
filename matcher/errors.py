"""Errors of the matcher's shell: operating errors with facts as attributes; no rejections."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class BulkheadError(Exception):
    """An operating error. Its text is one line that says what to do."""


class ConfigError(BulkheadError):
    """The configuration cannot be used. The command line ends with status 2."""


class ListenError(BulkheadError):
    """The configured address cannot be listened on."""


class JournalError(BulkheadError):
    """The journal cannot be opened, written or read."""


class JournalLockedError(JournalError):
    """Another process writes this journal."""


class JournalCorruptError(JournalError):
    """A group of the journal is damaged and is not a torn tail.

    Attributes:
        path: Segment file.
        offset_bytes: Where the damaged group starts in it.
    """

    def __init__(self, path: Path, offset_bytes: int, what: str) -> None:
        """Name the place, and what was expected and found there."""
        super().__init__(f"{path}: offset {offset_bytes}: {what}")
        self.path = path
        self.offset_bytes = offset_bytes


class OverloadedError(BulkheadError):
    """A bounded queue is full; nothing was journalled and the caller may try again later."""


class StoppedError(BulkheadError):
    """The sequencer has stopped; whether a command was journalled is unknown to the caller."""
