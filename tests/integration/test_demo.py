"""The demo itself, in short, on both embedded chains, and how it ends when it is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from settlement.chain.anvil import find_anvil
from tests.integration.serving import Matcher

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 150
END_TIMEOUT_S = 30


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["anvil", "eth-tester"])
def test_the_demo_passes_its_own_audit(backend: str, tmp_path: Path) -> None:
    """INV: chain, engine and journal agree after a replay of every eighth point of the day."""
    if backend == "anvil" and find_anvil() is None:
        pytest.skip("anvil is not installed: run make setup where npm can be reached")
    report = tmp_path / "report.html"
    command = [sys.executable, "-m", "tests.demo", "--backend", backend, "--seconds", "8"]
    command += ["--every", "8", "--output", str(report), "--keep", str(tmp_path / "run")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert done.stdout.count("✓") == 11
    assert report.stat().st_size > 20_000


def _descendants(pid: int) -> set[int]:
    """Return the processes that a process has started, and those that they have."""
    children = {
        int(child)
        for tasks in Path(f"/proc/{pid}/task").glob("*/children")
        for child in tasks.read_text().split()
    }
    return children.union(*map(_descendants, children))


def _running(pids: set[int]) -> set[int]:
    """Return those that still run; a zombie does not."""
    running = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            running.add(pid)
    return running


def _wait_until_gone(pids: set[int]) -> set[int]:
    """Return those that run even after the longest time that ending may take."""
    until_s = time.monotonic() + END_TIMEOUT_S
    while (running := _running(pids)) and time.monotonic() < until_s:
        time.sleep(0.05)
    return running


@pytest.fixture
def demo(tmp_path: Path) -> Callable[[str], subprocess.Popen[str]]:
    """Starts a demo and waits for a line that begins with a word."""

    def start(word: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.demo", "--output", str(tmp_path / "report.html")]
        process = subprocess.Popen(
            [*command, "--keep", str(tmp_path / "run")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        said = ""
        while not said.startswith(word):
            said = process.stdout.readline()
            assert said, "the demo ended"
        return process

    return start


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "numbers", "status"),
    [
        ("matcher:", [signal.SIGINT, signal.SIGINT, signal.SIGINT], 130),
        ("chain:", [signal.SIGINT, signal.SIGINT], 130),
        ("matcher:", [signal.SIGTERM], 143),
    ],
)
def test_a_signal_ends_everything_however_often_it_comes(
    word: str,
    numbers: list[signal.Signals],
    status: int,
    demo: Callable[[str], subprocess.Popen[str]],
) -> None:
    process = demo(word)
    started = _descendants(process.pid)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    said, _ = process.communicate(timeout=END_TIMEOUT_S)
    assert process.returncode == status, said
    assert _running(started) == set()
    assert "Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert last.startswith(f"interrupted by {numbers[0].name}; ended: ")
    names = set(last.rpartition(": ")[2].split(", "))
    assert names >= ({"chain", "serve", "attest", "relay"} if word == "matcher:" else {"chain"})


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGHUP, 129), (signal.SIGKILL, -9)])
def test_nothing_outlives_a_terminal_that_is_closed_or_a_demo_that_is_killed(
    number: signal.Signals, status: int, demo: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = demo("matcher:")
    started = _descendants(process.pid)
    assert len(started) >= 4
    process.send_signal(number)
    process.communicate(timeout=END_TIMEOUT_S)
    assert process.returncode == status
    assert _wait_until_gone(started) == set()


def test_the_matcher_ends_cleanly_when_its_terminal_is_closed(tmp_path: Path) -> None:
    matcher = Matcher(tmp_path / "matcher")
    matcher.start()
    try:
        assert matcher.stop(signal.SIGHUP) == 0
    finally:
        matcher.end()
    assert "Traceback" not in matcher.stderr()
    assert matcher.replay()["state_hash"]
