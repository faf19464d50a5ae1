"""The demo itself, in short, on both embedded chains: every line of its audit holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from settlement.chain.anvil import find_anvil

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 150


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
