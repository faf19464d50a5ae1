"""Proofs: the digests by Halmos, the divisions by the compiler's SMT checker.

python -m tests.audit.symbolic
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CONTRACTS: Final = ROOT / "settlement" / "contracts"
WORK: Final = ROOT / "build" / "symbolic"
TOOL: Final = WORK / "venv" / "bin" / "halmos"


def prepare() -> None:
    """Write a project of the libraries and the proofs only: Halmos compiles without via-IR."""
    for name in ("src", "test", "out", "cache"):
        shutil.rmtree(WORK / name, ignore_errors=True)
    for name in ("src/libraries", "src/interfaces", "test/symbolic", "tools"):
        shutil.copytree(CONTRACTS / name, WORK / name, dirs_exist_ok=True)
    modules = WORK / "node_modules"
    if not modules.exists():
        modules.symlink_to(CONTRACTS / "node_modules")
    toml = (CONTRACTS / "foundry.toml").read_text()
    (WORK / "foundry.toml").write_text(toml.replace("via_ir = true", "via_ir = false"))


def main() -> int:
    """Run both provers. Returns 1 when one of them leaves a claim open."""
    if not TOOL.exists():
        print("halmos is not installed: run it by make audit", file=sys.stderr)
        return 2
    prepare()
    path = os.pathsep.join(
        [str(TOOL.parent), str(WORK / "node_modules" / ".bin"), os.environ["PATH"]]
    )
    digests = subprocess.run(
        [str(TOOL), "--match-contract", "SymbolicTest", "--loop", "4"],
        cwd=WORK,
        env={**os.environ, "PATH": path},
        check=False,
    )
    divisions = subprocess.run(["node", "tools/prove.mjs"], cwd=CONTRACTS, check=False)
    return int(bool(digests.returncode or divisions.returncode))


if __name__ == "__main__":
    sys.exit(main())
