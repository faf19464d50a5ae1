"""Starts Bulkhead's processes as an operator would, and ends them whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

READY_TIMEOUT_S: Final = 60
STOP_TIMEOUT_S: Final = 10
LOG_TAIL_LINES: Final = 6
BULKHEAD: Final = Path(sys.executable).with_name("bulkhead")


class ProcessError(Exception):
    """A process did not come up, or ended by itself. Its text says what it said last."""


class Processes:
    """The processes of one venue.

    Each is in a session of its own, so that Ctrl-C is ours alone, and ends when this process ends,
    however that happens.

    Attributes:
        ended: Names of those that `stop_all` has ended, in that order.
    """

    def __init__(self, folder: Path) -> None:
        self.ended: list[str] = []
        self._folder = folder
        self._running: list[tuple[str, asyncio.subprocess.Process]] = []

    async def start(self, name: str, *arguments: str) -> str:
        """Run `bulkhead name …` until it prints its line that it is ready; return that line.

        Raises:
            ProcessError: It ended, or did not get ready in time.
        """
        with self.log_path(name).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                BULKHEAD,
                name,
                "--with-parent",
                *arguments,
                cwd=self._folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._running.append((name, process))
        assert process.stdout is not None
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                if line := await process.stdout.readline():
                    return line.decode(errors="replace").strip()
        except TimeoutError:
            raise ProcessError(self._describe(name, "did not get ready")) from None
        await process.wait()
        raise ProcessError(self._describe(name, f"ended with status {process.returncode}"))

    async def call(self, name: str, *arguments: str) -> str:
        """Run `bulkhead name …` to its end; return what it printed. Raises `ProcessError`."""
        process = await asyncio.create_subprocess_exec(
            BULKHEAD,
            name,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            printed, complaint = await process.communicate()
        finally:
            await _end(process)
        if process.returncode:
            text = complaint.decode(errors="replace").strip()
            raise ProcessError(f"bulkhead {name} ended with status {process.returncode}: {text}")
        return printed.decode()

    def log_path(self, name: str) -> Path:
        """Return the file of a process's standard error."""
        return self._folder / f"{name}.log"

    async def watch(self) -> NoReturn:
        """Wait until a process ends by itself; then raise `ProcessError`."""
        waits = {asyncio.create_task(process.wait()): name for name, process in self._running}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
        task = done.pop()
        raise ProcessError(self._describe(waits[task], f"ended with status {task.result()}"))

    async def stop(self, name: str) -> int:
        """End one process by SIGTERM; return its exit status."""
        process = next(process for known, process in self._running if known == name)
        self._running.remove((name, process))
        return await _end(process)

    async def stop_all(self) -> None:
        """End what still runs, all at once; when it is cancelled, it ends everything first."""

        async def end(name: str, process: asyncio.subprocess.Process) -> None:
            await _end(process)
            self.ended.append(name)

        running, self._running = self._running, []
        ending = asyncio.gather(*(end(*one) for one in running))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending
            raise

    def _describe(self, name: str, what: str) -> str:
        lines = self.log_path(name).read_text(errors="replace").splitlines()
        said = "\n  ".join(lines[-LOG_TAIL_LINES:])
        return f"bulkhead {name} {what}" + (f":\n  {said}" if said else "")


async def _end(process: asyncio.subprocess.Process) -> int:
    """Ask, wait, insist: with everything that it has started."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return await process.wait()
