"""Durable commands a second, against a bare file with the same groups and as many fdatasyncs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from matcher.engine.commands import Command, CommandKind
from matcher.journal import Entry, FileJournal
from tests.bench.result import Result, best_ns

GROUP_COUNT = 100
ENTRIES_PER_GROUP = 100


def measure() -> Iterator[Result]:
    """Append groups, each made durable before the next."""
    record = Command(kind=CommandKind.PLACE, account=1, market_id=1, qty_lots=1).pack()
    group = [Entry(record, bytes(68))] * ENTRIES_PER_GROUP
    payload = b"".join(record + extra for record, extra in group)
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        journal = FileJournal(Path(folder) / "journal")

        def ours() -> None:
            for _ in range(GROUP_COUNT):
                journal.append_blocking(group)

        def bare() -> None:
            file = os.open(Path(folder) / "bare", os.O_WRONLY | os.O_CREAT)
            os.posix_fallocate(file, 0, len(payload) * GROUP_COUNT)
            for number in range(GROUP_COUNT):
                os.pwrite(file, payload, number * len(payload))
                os.fdatasync(file)
            os.close(file)

        value, limit = best_ns(ours), best_ns(bare)
    entries = GROUP_COUNT * ENTRIES_PER_GROUP
    yield Result(
        "journal.append",
        round(entries * 1e9 / value),
        "commands/s",
        round(entries * 1e9 / limit),
        {
            "entries_per_group": ENTRIES_PER_GROUP,
            "entry_bytes": len(record) + 68,
            "groups": GROUP_COUNT,
        },
    )


CASES = {"journal.append": measure}
