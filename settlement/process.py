"""How settlement's processes end: signals, the death of a parent, waiting that can be stopped."""

from __future__ import annotations

import asyncio
import ctypes
import signal
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Coroutine

log: Final = structlog.get_logger()

PR_SET_PDEATHSIG: Final = 1
FIRST_CONTACT_LIMIT_S: Final = 0.5
_LIBC: Final = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Ask the kernel to send SIGTERM to this process when its parent dies (Linux)."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop_event() -> asyncio.Event:
    """Return an event that SIGINT, SIGTERM or SIGHUP sets."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    return stopped


async def wait_for(stopped: asyncio.Event, seconds: float) -> bool:
    """Wait until the event is set, at most `seconds`; return whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        return False
    return True


async def run_until(stopped: asyncio.Event, *workers: Coroutine[Any, Any, None]) -> None:
    """Run workers until the event is set or one of them ends; then cancel and await all.

    Raises:
        BaseException: What the first worker that failed has raised.
    """
    tasks = [asyncio.create_task(worker) for worker in workers]
    tasks.append(asyncio.create_task(_wait(stopped)))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _wait(stopped: asyncio.Event) -> None:
    await stopped.wait()


class Backoff:
    """Waits longer after each failure, up to a limit, and gives up on what never worked.

    Processes that start together do not wait long for each other: before the first success the
    limit is `FIRST_CONTACT_LIMIT_S`.

    The first failure after a success is logged, the others are not.
    """

    def __init__(self, *, first_s: float, limit_s: float, give_up_after_s: float) -> None:
        self._first_s = first_s
        self._limit_s = limit_s
        self._give_up_after_s = give_up_after_s
        self._next_s = first_s
        self._waited_s = 0.0
        self._has_worked = False
        self._is_failing = False

    def reset(self) -> None:
        """Note that it worked: the next failure waits shortly again, and never gives up."""
        if self._is_failing:
            log.info("back")
        self._next_s = self._first_s
        self._has_worked = True
        self._is_failing = False

    async def wait(self, cause: Exception) -> None:
        """Wait after a failure. Raises `cause` when it never worked for as long as allowed."""
        if not self._has_worked and self._waited_s >= self._give_up_after_s:
            raise cause
        if not self._is_failing:
            log.warning("waiting", reason=str(cause))
            self._is_failing = True
        await asyncio.sleep(self._next_s)
        self._waited_s += self._next_s
        limit_s = self._limit_s if self._has_worked else FIRST_CONTACT_LIMIT_S
        self._next_s = min(2 * self._next_s, limit_s)
