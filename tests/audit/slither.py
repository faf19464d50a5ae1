"""Slither over the contracts: no finding above informational without a reason.

    python -m tests.audit.slither

Findings that stay are listed in slither_reasons.toml: detector, a text that their description
holds, and why. An entry that matches nothing is stale, and an error too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
CONTRACTS: Final = ROOT / "settlement" / "contracts"
WORK: Final = ROOT / "build" / "slither"
REASONS: Final = Path(__file__).with_name("slither_reasons.toml")
TOOL: Final = WORK / "venv" / "bin" / "slither"
IMPACTS: Final = frozenset({"High", "Medium", "Low"})


class Finding(NamedTuple):
    """One finding above informational."""

    impact: str
    detector: str
    text: str


def build() -> None:
    """Compile the sources with what Slither reads."""
    command = [
        "node", "tools/forge.mjs", "build", "--build-info", "--skip", "test", "--force",
        "--offline", "--out", str(WORK / "out"), "--cache-path", str(WORK / "cache"),
    ]  # fmt: skip
    subprocess.run(command, cwd=CONTRACTS, check=True, stdout=subprocess.DEVNULL)


def findings() -> list[Finding]:
    """Run Slither. Raises `RuntimeError` when it did not come to an end."""
    path = os.pathsep.join(
        [str(TOOL.parent), str(CONTRACTS / "node_modules" / ".bin"), os.environ["PATH"]]
    )
    report = WORK / "report.json"
    report.unlink(missing_ok=True)
    command = [
        str(TOOL), ".", "--ignore-compile", "--foundry-out-directory", str(WORK / "out"),
        "--filter-paths", "node_modules|test|src/dev", "--json", str(report),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=CONTRACTS, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    if not told.get("success"):
        raise RuntimeError(f"slither did not finish: {done.stderr[-2000:]}")
    return [
        Finding(item["impact"], item["check"], " ".join(item["description"].split()))
        for item in told["results"].get("detectors", [])
        if item["impact"] in IMPACTS
    ]


def main() -> int:
    """Print what has no reason. Returns 1 when there is any, or a stale reason."""
    if not TOOL.exists():
        print("slither is not installed: run it by make audit", file=sys.stderr)
        return 2
    build()
    reasons: list[dict[str, str]] = tomllib.loads(REASONS.read_text())["reason"]
    used = set()
    open_findings = []
    found = findings()
    for finding in found:
        matches = [
            number
            for number, reason in enumerate(reasons)
            if reason["detector"] == finding.detector and reason["where"] in finding.text
        ]
        used |= set(matches)
        if not matches:
            open_findings.append(finding)
    for finding in open_findings:
        print(f"{finding.impact:6} {finding.detector}: {finding.text[:300]}")
    stale = [reason for number, reason in enumerate(reasons) if number not in used]
    for reason in stale:
        print(f"stale  {reason['detector']}: {reason['where']}")
    print(
        f"{len(found)} findings above informational, {len(found) - len(open_findings)} with a "
        f"reason, {len(open_findings)} open, {len(stale)} stale reasons"
    )
    return int(bool(open_findings or stale))


if __name__ == "__main__":
    sys.exit(main())
