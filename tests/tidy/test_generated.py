"""What is generated and committed is what its source gives today."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.tidy.sources import ROOT


def test_stubs_are_fresh() -> None:
    """`make gen` would leave no difference in proto/gen."""
    command = [sys.executable, "proto/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_artifacts_are_what_the_contracts_compile_to() -> None:
    """`make gen` would leave no difference in settlement/abi."""
    contracts = ROOT / "settlement" / "contracts"
    if shutil.which("node") is None or not (contracts / "node_modules" / "solc").is_dir():
        pytest.skip("solc is not installed: run make setup where npm can be reached")
    command = [sys.executable, "tools/export_abi.py", "--check"]
    done = subprocess.run(command, cwd=contracts, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
