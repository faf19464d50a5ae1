"""The durable log of commands: durable first, applied second, acknowledged last."""

from matcher.journal.codec import GENESIS_NONE, Entry, Group
from matcher.journal.protocol import Journal
from matcher.journal.reader import read_groups
from matcher.journal.writer import FileJournal

__all__ = ["GENESIS_NONE", "Entry", "FileJournal", "Group", "Journal", "read_groups"]
