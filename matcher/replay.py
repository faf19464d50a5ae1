"""Rebuilds the venue from a journal: the same entries give the same state, on any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matcher.config import LimitsTable
from matcher.engine import commands
from matcher.envelope import Capacities, ShellKind
from matcher.errors import JournalError
from matcher.journal import Group, Journal, read_groups
from matcher.venue import Venue

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def replay(
    groups: Iterable[Group],
    limits: LimitsTable,
    *,
    derived_dir: Path | None = None,
    until_seq: int | None = None,
) -> Venue | None:
    """Apply groups from command_seq 1 on; None when there are none.

    Args:
        groups: The journal from its beginning.
        limits: Sizes of the feeds; they change nothing in the state.
        derived_dir: Folder for the unnamed file of the settlement items.
        until_seq: Stop after this command_seq; None: at the end.

    Raises:
        JournalError: The first command is not an OPEN.
    """
    venue: Venue | None = None
    for group in groups:
        for seq, entry in enumerate(group.entries, group.first_seq):
            if venue is None:
                venue = Venue(
                    capacities_of(entry.record, entry.extra), limits, derived_dir=derived_dir
                )
            if until_seq is not None and seq > until_seq:
                venue.end_group()
                return venue
            venue.apply(entry)
        assert venue is not None
        venue.end_group()
    return venue


def capacities_of(record: bytes, extra: bytes) -> Capacities:
    """Return the capacities of a journal's first entry. Raises `JournalError`."""
    if commands.unpack(record).kind != ShellKind.OPEN:
        raise JournalError("the journal does not begin with an OPEN: it is not a matcher's journal")
    return Capacities.unpack(extra)


def replay_directory(directory: Path, until_seq: int | None = None) -> Venue:
    """Replay the journal in a directory, read-only; a torn tail is passed over.

    Raises:
        JournalError: There is no journal, or it is damaged; names the file and the offset.
    """
    if not directory.is_dir():
        raise JournalError(f"{directory}: no such directory; name the journal_dir of a matcher")
    venue = replay(read_groups(directory), LimitsTable(), until_seq=until_seq)
    if venue is None:
        raise JournalError(f"{directory}: holds no journal; name the journal_dir of a matcher")
    return venue


def open_venue(
    journal: Journal, capacities: Capacities, limits: LimitsTable, derived_dir: Path
) -> Venue:
    """Return the venue of a journal that has at least its OPEN.

    Raises:
        JournalError: The journal was made with other capacities, or it is damaged.
    """
    venue = replay(journal.read(), limits, derived_dir=derived_dir)
    assert venue is not None
    if venue.capacities != capacities:
        raise JournalError(
            f"the journal was made with {venue.capacities._asdict()}: "
            "set [matcher.engine] to these, or begin a new journal_dir"
        )
    return venue
