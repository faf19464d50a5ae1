"""The .proto files are clean, and the committed stubs are what they generate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUF = Path(sys.executable).with_name("buf")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the root of the project."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_stubs_are_fresh() -> None:
    done = run(sys.executable, "proto/generate.py", "--check")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [("lint", "proto"), ("format", "-d", "--exit-code", "proto")])
def test_buf_has_nothing_to_say(command: tuple[str, ...]) -> None:
    """No exceptions from STANDARD and COMMENTS, and the formatter's own layout."""
    if not BUF.exists():
        pytest.skip("buf is not installed: pip install buf-bin")
    done = run(BUF, *command)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_stale_stub_is_found(tmp_path: Path) -> None:
    """The check itself: it names a stub that differs, and one that is missing."""
    script = (
        "import generate, sys, pathlib; target = pathlib.Path(sys.argv[1]);"
        "generate.generate(target);"
        "stub = target / 'bulkhead/types/v1/side_pb2.py'; stub.write_text('');"
        "(target / 'bulkhead/types/v1/trigger_pb2.py').unlink();"
        "print(generate.stale_paths(target))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path],
        cwd=ROOT / "proto",
        capture_output=True,
        text=True,
        check=True,
    )
    expected = ["bulkhead/types/v1/side_pb2.py", "bulkhead/types/v1/trigger_pb2.py"]
    assert done.stdout.strip() == str(expected)
