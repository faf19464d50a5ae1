"""The journal: groups come back as written, torn tails are cut, damage is named."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from matcher.engine.commands import Command, CommandKind
from matcher.errors import JournalCorruptError, JournalError, JournalLockedError
from matcher.journal import Entry, FileJournal, read_groups
from matcher.journal.codec import HEADER_BYTES, entry_bytes
from matcher.journal.reader import segment_paths

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT_BYTES = 4096


def entry(number: int, extra: bytes = b"") -> Entry:
    return Entry(Command(kind=CommandKind.TICK, nonce=number).pack(), extra)


def write(directory: Path, *groups: list[Entry]) -> None:
    journal = FileJournal(directory, segment_bytes=SEGMENT_BYTES)
    for group in groups:
        journal.append_blocking(group)
    asyncio.run(journal.close())


def entries_of(directory: Path, from_seq: int = 1) -> list[Entry]:
    return [entry for group in read_groups(directory, from_seq) for entry in group.entries]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Three groups of one, two and one entries in one segment."""
    write(tmp_path, [entry(1)], [entry(2, b"abc"), entry(3)], [entry(4, b"\xff" * 700)])
    return tmp_path


def only_segment(directory: Path) -> Path:
    (path,) = segment_paths(directory)
    return path


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def offsets(*groups: list[Entry]) -> list[int]:
    """Return where each group starts, and where the last one ends."""
    ends = [0]
    for group in groups:
        ends.append(ends[-1] + HEADER_BYTES + sum(map(entry_bytes, group)))
    return ends


WRITTEN_OFFSETS = offsets([entry(1)], [entry(2, b"abc"), entry(3)], [entry(4, b"\xff" * 700)])


def test_groups_come_back_as_they_were_written(written: Path) -> None:
    assert [(group.first_seq, len(group.entries)) for group in read_groups(written)] == [
        (1, 1),
        (2, 2),
        (4, 1),
    ]
    assert entries_of(written)[1] == entry(2, b"abc")
    assert entries_of(written)[3].extra == b"\xff" * 700


def test_append_returns_when_durable_and_the_loop_goes_on(tmp_path: Path) -> None:
    async def run() -> list[int]:
        journal = FileJournal(tmp_path, segment_bytes=SEGMENT_BYTES)
        firsts = [await journal.append([entry(1), entry(2)]), await journal.append([entry(3)])]
        assert journal.next_seq == 4
        assert len(list(journal.read())) == 2
        await journal.close()
        return firsts

    assert asyncio.run(run()) == [1, 3]


def test_reading_starts_at_the_group_that_holds_the_sequence(written: Path) -> None:
    assert [group.first_seq for group in read_groups(written, 3)] == [2, 4]
    assert list(read_groups(written, 5)) == []


def test_a_group_that_does_not_fit_opens_the_next_segment(tmp_path: Path) -> None:
    groups = [[entry(number, b"x" * 1000)] for number in range(1, 12)]
    write(tmp_path, *groups)
    paths = segment_paths(tmp_path)
    assert [path.name for path in paths] == [f"{first:020d}.segment" for first in (1, 4, 7, 10)]
    assert {path.stat().st_size for path in paths} == {SEGMENT_BYTES}
    assert entries_of(tmp_path) == [group[0] for group in groups]
    assert [group.first_seq for group in read_groups(tmp_path, 8)] == [8, 9, 10, 11]


def test_a_reopened_journal_goes_on_where_it_ended(tmp_path: Path) -> None:
    for number in range(1, 12):
        write(tmp_path, [entry(number, b"x" * 1000)])
    assert entries_of(tmp_path) == [entry(number, b"x" * 1000) for number in range(1, 12)]


def test_a_group_larger_than_a_segment_is_refused(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, segment_bytes=SEGMENT_BYTES)
    with pytest.raises(JournalError, match="exceeds segment_bytes"):
        journal.append_blocking([entry(1, b"x" * 5000)])
    assert journal.append_blocking([entry(1)]) == 1
    asyncio.run(journal.close())


@pytest.mark.parametrize("kept", [1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 200])
def test_a_torn_tail_is_cut_with_a_log_line(written: Path, kept: int) -> None:
    path, start, end = only_segment(written), WRITTEN_OFFSETS[2], WRITTEN_OFFSETS[3]
    overwrite(path, start + kept, bytes(end - start - kept))
    assert len(entries_of(written)) == 3
    with capture_logs() as logs:
        write(written, [entry(9)])
    assert [log["offset_bytes"] for log in logs if "torn tail cut" in log["event"]] == [start]
    assert entries_of(written)[3:] == [entry(9)]


def test_a_torn_tail_whose_header_is_missing_is_cut(written: Path) -> None:
    """Pages of one write may reach the disk in any order."""
    overwrite(only_segment(written), WRITTEN_OFFSETS[2], bytes(HEADER_BYTES))
    assert len(entries_of(written)) == 3
    write(written, [entry(9)])
    assert entries_of(written)[3:] == [entry(9)]


def test_a_truncated_file_is_a_torn_tail(written: Path) -> None:
    path = only_segment(written)
    with path.open("r+b") as file:
        file.truncate(WRITTEN_OFFSETS[3] - 1)
    write(written, [entry(9)], [entry(10)])
    assert entries_of(written)[3:] == [entry(9), entry(10)]


@pytest.mark.parametrize("at", [0, 10, HEADER_BYTES, HEADER_BYTES + 50])
def test_damage_in_the_middle_names_file_and_offset(written: Path, at: int) -> None:
    path, start = only_segment(written), WRITTEN_OFFSETS[1]
    original = path.read_bytes()[start + at]
    overwrite(path, start + at, bytes([original ^ 0x40]))
    for use in (lambda: entries_of(written), lambda: write(written, [entry(9)])):
        with pytest.raises(JournalCorruptError) as caught:
            use()
        assert (caught.value.path, caught.value.offset_bytes) == (path, start)
        assert str(path) in str(caught.value)
        assert f"offset {start}" in str(caught.value)


def test_damage_in_an_old_segment_is_found(tmp_path: Path) -> None:
    write(tmp_path, *([entry(number, b"x" * 1000)] for number in range(1, 8)))
    path = segment_paths(tmp_path)[0]
    overwrite(path, WRITTEN_OFFSETS[1], b"\x01")
    with pytest.raises(JournalCorruptError, match=r"00000001\.segment: offset"):
        entries_of(tmp_path)


def test_a_missing_segment_is_found(tmp_path: Path) -> None:
    write(tmp_path, *([entry(number, b"x" * 1000)] for number in range(1, 12)))
    segment_paths(tmp_path)[1].unlink()
    with pytest.raises(JournalCorruptError, match="expected a segment from command_seq 4"):
        entries_of(tmp_path)


def test_a_group_from_another_history_breaks_the_chain(tmp_path: Path) -> None:
    """Two journals with equal lengths: a segment of one does not fit into the other."""
    for name, fill in (("a", b"x"), ("b", b"y")):
        write(tmp_path / name, *([entry(n, fill * 1000)] for n in range(1, 8)))
    source = segment_paths(tmp_path / "b")[1]
    segment_paths(tmp_path / "a")[1].write_bytes(source.read_bytes())
    with pytest.raises(JournalCorruptError, match="chain of hashes is broken"):
        entries_of(tmp_path / "a")


def test_a_journal_of_another_deployment_is_refused(written: Path) -> None:
    journal = FileJournal(written, segment_bytes=SEGMENT_BYTES, genesis=b"\x01" * 32)
    with pytest.raises(JournalError, match="belongs to another deployment"):
        list(journal.read())
    asyncio.run(journal.close())


def test_a_second_process_gets_a_clear_error(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, segment_bytes=SEGMENT_BYTES)
    program = (
        "import sys; from pathlib import Path; from matcher.journal import FileJournal\n"
        "from matcher.errors import JournalLockedError\n"
        "try: FileJournal(Path(sys.argv[1]))\n"
        "except JournalLockedError as exc: print(exc); sys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "another process writes this journal" in done.stdout
    asyncio.run(journal.close())
    FileJournal(tmp_path, segment_bytes=SEGMENT_BYTES)


def test_one_process_cannot_open_it_twice(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, segment_bytes=SEGMENT_BYTES)
    with pytest.raises(JournalLockedError):
        FileJournal(tmp_path, segment_bytes=SEGMENT_BYTES)
    asyncio.run(journal.close())


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalError, match="cannot be used as journal_dir"):
        FileJournal(tmp_path / "file")


def test_an_appended_group_after_close_is_refused(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, segment_bytes=SEGMENT_BYTES)
    asyncio.run(journal.close())
    with pytest.raises(JournalError, match="closed"):
        journal.append_blocking([entry(1)])
