"""What the sequencer needs from a journal, so that a replicated one can take the file's place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matcher.journal.codec import Entry, Group


class Journal(Protocol):
    """An append-only log of groups with exactly one writer.

    `command_seq` starts at 1 and has no gaps. A group is durable as a whole or not at all.
    """

    @property
    def next_seq(self) -> int:
        """The command_seq that the next appended entry gets."""
        ...

    @property
    def size_bytes(self) -> int:
        """What the journal takes, in bytes; space that waits for groups is not counted."""
        ...

    async def append(self, entries: Sequence[Entry]) -> int:
        """Make one group durable and return the command_seq of its first entry.

        A failure leaves it open whether the group is durable: the caller must stop.

        Raises:
            JournalError: The group could not be written; names the place.
        """
        ...

    def read(self, from_seq: int = 1) -> Iterator[Group]:
        """Yield the durable groups that hold `from_seq` and everything after it, in order."""
        ...

    async def close(self) -> None:
        """Release the journal for another writer. Nothing may be appended afterwards."""
        ...
