"""`make soak`: model, kernel and contract on the same fresh states, as many as asked.

One difference of one unit ends it with status 1. The model (plain Python, fractions) writes chunks
of cases, the kernel runs them in this process, the contract in forge.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.vectors import generate, kernel

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "settlement/contracts"
PROJECT = ROOT / "build/soak/contracts"
CHUNK = PROJECT / "test/vectors/margin.json"
IMPORT = re.compile(r'^import .* from "(\..*)";$', re.MULTILINE)


def sources_of(source: Path) -> set[Path]:
    """Return a Solidity file and all that it imports by a relative path."""
    found, open_ends = set[Path](), [source]
    while open_ends:
        here = open_ends.pop()
        found.add(here)
        imports = (here.parent / path for path in IMPORT.findall(here.read_text()))
        open_ends += {path.resolve() for path in imports} - found
    return found


def copy_project() -> None:
    """Make a project of the vectors' test and what it imports: the whole takes minutes to build."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    sources = sources_of(CONTRACTS / "test/Vectors.t.sol")
    tools = [*(CONTRACTS / "tools").iterdir(), CONTRACTS / "foundry.toml"]
    for path in [*sources, *(path for path in tools if path.is_file())]:
        place = PROJECT / path.relative_to(CONTRACTS)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    (PROJECT / "node_modules").symlink_to(CONTRACTS / "node_modules")
    CHUNK.parent.mkdir(parents=True)


def forge() -> None:
    """Run Solidity's side of the chunk; its output is shown when it fails."""
    done = subprocess.run(
        ["node", "tools/forge.mjs", "test", "--offline", "--match-contract", "VectorsTest"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    passed = done.stdout.count("[PASS]")
    if done.returncode or passed != len(generate.KINDS):
        sys.exit(f"{done.stdout}\n{done.stderr}\nforge differs; the cases are in {CHUNK}")


def main(arguments: list[str]) -> None:
    """Run chunks until the states are done, then print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.soak", description=__doc__)
    parser.add_argument("--states", type=int, default=1_000_000)
    parser.add_argument("--seed", default=str(time.time_ns()), help="of the first chunk")
    parser.add_argument("--no-forge", action="store_true", help="leave the contract out")
    told = parser.parse_args(arguments)
    has_forge = not told.no_forge and shutil.which("forge") is not None
    if has_forge:
        copy_project()
    counts: Counter[str] = Counter()
    spent = dict.fromkeys(("model", "kernel", "contract"), 0.0)
    started = time.perf_counter()
    number = 0
    while counts.total() < told.states:
        seed = f"{told.seed} {number}"
        clocks = [time.perf_counter()]
        specs, tables = generate.cases(seed)
        clocks.append(time.perf_counter())
        try:
            for kind, rows in tables.items():
                kernel.check_rows(kind, specs, rows)
        except kernel.KernelDiffersError as error:
            sys.exit(f"seed {seed!r}: {error}")
        clocks.append(time.perf_counter())
        if has_forge:
            CHUNK.write_text(generate.text(specs, tables))
            forge()
        clocks.append(time.perf_counter())
        for name, before, after in zip(spent, clocks, clocks[1:], strict=False):
            spent[name] += after - before
        counts.update({kind: len(rows) for kind, rows in tables.items()})
        number += 1
        print(f"\r{counts.total():,} states, none differs", end="", flush=True)
    legs = "model, kernel and contract" if has_forge else "model and kernel (no forge here)"
    print(f"\n{legs} agree on {counts.total():,} states in {time.perf_counter() - started:,.0f} s")
    for kind, count in counts.items():
        print(f"  {kind:<18}{count:>10,}")
    print("  " + ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in spent.items()))
    print(f"  seeds {told.seed!r} 0 to {number - 1}")


if __name__ == "__main__":
    main(sys.argv[1:])
