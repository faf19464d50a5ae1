"""The single writer: gives commands their number and time, journals them, then applies them.

Life of a command: `submit` puts it into a bounded queue; everything that waits becomes one group;
the group is made durable (one fdatasync, in a thread); then it is applied in order, and only then
are the submitters answered. Any failure on this path stops the sequencer: after a failed write or
a broken invariant the journal is the only truth, and a restart replays it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matcher.errors import BulkheadError, OverloadedError, StoppedError
from matcher.journal import Entry, Journal

if TYPE_CHECKING:
    from matcher.engine.commands import Command
    from matcher.venue import Applied, Venue

GROUP_BYTES_MAX: Final = 1 << 19

Clock = Callable[[], int]
OnSequenced = Callable[[int], None]


@dataclass(slots=True)
class _Submission:
    commands: Sequence[tuple[Command, bytes]]
    future: asyncio.Future[list[Applied]]
    on_sequenced: OnSequenced | None
    extra_bytes: int


class Sequencer:
    """Owns the venue and the journal while it runs. All methods belong to one event loop."""

    def __init__(
        self,
        venue: Venue,
        journal: Journal,
        *,
        clock: Clock,
        commands_waiting_max: int,
        commands_per_group_max: int,
    ) -> None:
        """Take a venue that holds everything in the journal.

        Args:
            venue: State; nobody else applies to it.
            journal: Log; nobody else appends to it.
            clock: Unix time in nanoseconds; may go back, engine time does not.
            commands_waiting_max: Longest queue. Beyond it submissions are refused.
            commands_per_group_max: Largest group.
        """
        assert journal.next_seq == venue.cursor.command_seq + 1
        self._venue = venue
        self._journal = journal
        self._clock = clock
        self._commands_waiting_max = commands_waiting_max
        self._commands_per_group_max = commands_per_group_max
        self._queue: deque[_Submission] = deque()
        self._waiting_count = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._is_closing = False
        self._is_stopped = False

    def submit(
        self,
        commands: Sequence[tuple[Command, bytes]],
        on_sequenced: OnSequenced | None = None,
    ) -> asyncio.Future[list[Applied]]:
        """Queue commands with their extras; they stay together and in order.

        `time_ns` of the commands is ignored: it is assigned here.

        Args:
            commands: At least one, at most `commands_per_group_max`.
            on_sequenced: Called with the command_seq of the first one when they are durable,
                before anything is applied. Must not fail.

        Returns:
            What each has come to, when all are durable and applied.

        Raises:
            OverloadedError: The queue is full. Nothing was queued.
            StoppedError: The sequencer takes no more commands.
        """
        assert 0 < len(commands) <= self._commands_per_group_max, len(commands)
        if self._is_closing or self._is_stopped:
            raise StoppedError("the matcher is stopping; try again later")
        if self._waiting_count + len(commands) > self._commands_waiting_max:
            self._room.clear()
            raise OverloadedError("the matcher is overloaded; try again later")
        extra_bytes = sum(len(extra) for _, extra in commands)
        future: asyncio.Future[list[Applied]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Submission(commands, future, on_sequenced, extra_bytes))
        self._waiting_count += len(commands)
        self._arrived.set()
        return future

    async def submit_when_room(
        self,
        commands: Sequence[tuple[Command, bytes]],
        on_sequenced: OnSequenced | None = None,
    ) -> asyncio.Future[list[Applied]]:
        """Like `submit`, but wait for room in the queue instead of raising OverloadedError."""
        while True:
            try:
                return self.submit(commands, on_sequenced)
            except OverloadedError:
                await self._room.wait()

    async def run(self) -> None:
        """Work until `close` was called and the queue is empty.

        Raises:
            JournalError: A group could not be written.
            Exception: A broken invariant of engine or shell. The process must end.
        """
        try:
            while True:
                await self._arrived.wait()
                while self._queue:
                    await self._commit_or_keep(self._next_group())
                if self._is_closing:
                    return
                self._arrived.clear()
        except BaseException as exc:
            self._fail_all(exc)
            raise
        finally:
            self._is_stopped = True
            self._room.set()

    def close(self) -> None:
        """Take no more commands; `run` returns when the queue is empty."""
        self._is_closing = True
        self._arrived.set()

    def _next_group(self) -> list[_Submission]:
        group: list[_Submission] = []
        count, extra_bytes = 0, 0
        while self._queue:
            submission = self._queue[0]
            count += len(submission.commands)
            extra_bytes += submission.extra_bytes
            is_over = count > self._commands_per_group_max or extra_bytes > GROUP_BYTES_MAX
            if group and is_over:
                break
            group.append(self._queue.popleft())
            self._waiting_count -= len(submission.commands)
        self._room.set()
        return group

    async def _commit_or_keep(self, group: list[_Submission]) -> None:
        """Commit a group; a failure puts it back, so that its submitters are told of it."""
        try:
            await self._commit(group)
        except BaseException:
            self._queue.extendleft(reversed(group))
            raise

    async def _commit(self, group: list[_Submission]) -> None:
        time_ns = max(self._clock(), self._venue.cursor.time_ns)
        entries = [
            Entry(command._replace(time_ns=time_ns).pack(), extra)
            for submission in group
            for command, extra in submission.commands
        ]
        seq = await self._journal.append(entries)
        at = 0
        for submission in group:
            if submission.on_sequenced is not None:
                submission.on_sequenced(seq + at)
            end = at + len(submission.commands)
            applied = [self._venue.apply(entry) for entry in entries[at:end]]
            at = end
            if not submission.future.done():
                submission.future.set_result(applied)
        self._venue.end_group()

    def _fail_all(self, exc: BaseException) -> None:
        what = str(exc) if isinstance(exc, BulkheadError) else "a broken invariant"
        for submission in self._queue:
            if not submission.future.done():
                submission.future.set_exception(StoppedError(f"the matcher has stopped: {what}"))
                submission.future.exception()
        self._queue.clear()
