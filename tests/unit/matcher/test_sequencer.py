"""The sequencer: durable before applied, applied before answered, bounded, stopped by failure."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from matcher.config import LimitsTable
from matcher.errors import JournalError, OverloadedError, StoppedError
from matcher.journal import Entry, FileJournal
from matcher.replay import replay
from matcher.sequencer import Sequencer
from tests.unit.matcher.builders import (
    BUY,
    START_NS,
    Bench,
    opening,
    place,
    tick,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matcher.journal import Group


class MemoryJournal:
    """A journal that remembers, can be held up and can fail like a disk."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.groups = [list(entries)]
        self.next_seq = len(entries) + 1
        self.size_bytes = 0
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.error: JournalError | None = None

    async def append(self, entries: Sequence[Entry]) -> int:
        await self.may_write.wait()
        if self.error is not None:
            raise self.error
        self.groups.append(list(entries))
        first_seq = self.next_seq
        self.next_seq += len(entries)
        return first_seq

    def read(self, from_seq: int = 1) -> Iterator[Group]:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is held."""


def sequencer_of(bench: Bench, journal: MemoryJournal, **limits: int) -> Sequencer:
    return Sequencer(
        bench.venue,
        journal,
        clock=lambda: START_NS + 10**9,
        commands_waiting_max=limits.get("waiting", 100),
        commands_per_group_max=limits.get("group", 100),
    )


def test_what_waits_becomes_one_group_in_order(bench: Bench) -> None:
    async def run() -> None:
        journal = MemoryJournal(bench.entries)
        sequencer = sequencer_of(bench, journal)
        sequenced: list[int] = []
        futures = [
            sequencer.submit([place(1, BUY, 100, 1, n), tick()], sequenced.append) for n in range(3)
        ]
        sequencer.close()
        await sequencer.run()
        assert [len(group) for group in journal.groups[1:]] == [6]
        first_seq = len(bench.entries) + 1
        assert sequenced == [first_seq, first_seq + 2, first_seq + 4]
        seqs = [applied.command_seq for future in futures for applied in future.result()]
        assert seqs == list(range(first_seq, first_seq + 6))
        assert futures[0].result()[0].events
        with pytest.raises(StoppedError):
            sequencer.submit([tick()])

    asyncio.run(run())


def test_groups_are_bounded_and_keep_submissions_whole(bench: Bench) -> None:
    async def run() -> None:
        journal = MemoryJournal(bench.entries)
        sequencer = sequencer_of(bench, journal, group=5)
        for _ in range(4):
            sequencer.submit([tick(), tick()])
        sequencer.close()
        await sequencer.run()
        assert [len(group) for group in journal.groups[1:]] == [4, 4]

    asyncio.run(run())


def test_nothing_is_applied_or_answered_before_it_is_durable(bench: Bench) -> None:
    async def run() -> None:
        journal = MemoryJournal(bench.entries)
        journal.may_write.clear()
        sequencer = sequencer_of(bench, journal)
        task = asyncio.create_task(sequencer.run())
        future = sequencer.submit([tick()])
        before = bench.venue.cursor.command_seq
        for _ in range(5):
            await asyncio.sleep(0)
        assert not future.done()
        assert bench.venue.cursor.command_seq == before
        journal.may_write.set()
        (applied,) = await future
        assert applied.command_seq == before + 1
        sequencer.close()
        await task

    asyncio.run(run())


def test_a_full_queue_refuses_and_later_has_room(bench: Bench) -> None:
    async def run() -> None:
        journal = MemoryJournal(bench.entries)
        sequencer = sequencer_of(bench, journal, waiting=3)
        sequencer.submit([tick(), tick()])
        with pytest.raises(OverloadedError):
            sequencer.submit([tick(), tick()])
        waiting = asyncio.create_task(sequencer.submit_when_room([tick(), tick()]))
        task = asyncio.create_task(sequencer.run())
        await (await waiting)
        sequencer.close()
        await task

    asyncio.run(run())


def test_a_failed_write_stops_everything(bench: Bench) -> None:
    async def run() -> None:
        journal = MemoryJournal(bench.entries)
        journal.error = JournalError("disk full")
        sequencer = sequencer_of(bench, journal, group=1)
        futures = [sequencer.submit([tick()]) for _ in range(2)]
        before = bench.venue.cursor.command_seq
        with pytest.raises(JournalError, match="disk full"):
            await sequencer.run()
        for future in futures:
            with pytest.raises(StoppedError, match="disk full"):
                await future
        assert bench.venue.cursor.command_seq == before
        with pytest.raises(StoppedError):
            sequencer.submit([tick()])

    asyncio.run(run())


def test_a_broken_invariant_stops_everything(bench: Bench) -> None:
    async def run() -> None:
        sequencer = sequencer_of(bench, MemoryJournal(bench.entries))
        future = sequencer.submit([opening()])
        with pytest.raises(AssertionError):
            await sequencer.run()
        with pytest.raises(StoppedError, match="broken invariant"):
            await future

    asyncio.run(run())


def test_engine_time_never_goes_back(bench: Bench) -> None:
    async def run() -> None:
        times = iter([START_NS + 500, START_NS + 100, START_NS + 600])
        sequencer = Sequencer(
            bench.venue,
            MemoryJournal(bench.entries),
            clock=lambda: next(times),
            commands_waiting_max=9,
            commands_per_group_max=1,
        )
        futures = [sequencer.submit([tick()]) for _ in range(3)]
        sequencer.close()
        await sequencer.run()
        offsets = [future.result()[0].time_ns - START_NS for future in futures]
        assert offsets == [500, 500, 600]

    asyncio.run(run())


def test_the_file_journal_replays_to_the_same_hash(bench: Bench, tmp_path: Path) -> None:
    async def run() -> bytes:
        journal = FileJournal(tmp_path, segment_bytes=8192)
        await journal.append(bench.entries)
        sequencer = Sequencer(
            bench.venue,
            journal,
            clock=lambda: START_NS + 10**9,
            commands_waiting_max=1000,
            commands_per_group_max=7,
        )
        for nonce in range(100):
            sequencer.submit([place(1 + nonce % 2, nonce % 2, 50_000, 1 + nonce % 5, nonce)])
        sequencer.close()
        await sequencer.run()
        replayed = replay(journal.read(), LimitsTable())
        assert replayed is not None
        assert replayed.cursor == bench.venue.cursor
        assert replayed.engine.state_hash() == bench.venue.engine.state_hash()
        replayed.close()
        await journal.close()
        return bytes(bench.venue.engine.state_hash())

    assert len(asyncio.run(run())) == 32
