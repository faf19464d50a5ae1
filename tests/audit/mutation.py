"""Mutation testing of the contracts' checks: each one is removed, and a test has to fail.

    python -m tests.audit.mutation                 every check, about ten seconds each
    python -m tests.audit.mutation --list          what would be removed
    python -m tests.audit.mutation --only FillLib  checks whose place contains the text
    python -m tests.audit.mutation --numbers 21,30-35 --tests Refusals
                                                   these checks, and only such test contracts: shows
                                                   what they kill, not that a check survives

All mutants are compiled at once: a check `if (c) revert …` becomes `if (isOn(k) && (c)) revert …`,
and `isOn` compares k with the block's coinbase, which forge sets for each run. Checks are the
conditions that lead to a revert, a `require` or a reject reason.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
CONTRACTS: Final = ROOT / "settlement" / "contracts"
WORK: Final = ROOT / "build" / "mutation"
EQUIVALENT: Final = Path(__file__).with_name("equivalent_mutants.toml")
FUZZ_RUNS_FIRST: Final = 4  # most mutants die at once
FUZZ_RUNS: Final = 64

SWITCH: Final = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

function _coinbase() view returns (uint256) {
    return uint160(address(block.coinbase));
}

function _asPure(function() view returns (uint256) f)
    pure
    returns (function() pure returns (uint256) g)
{
    assembly {
        g := f
    }
}

/// Whether check `k` is in force. Pure by force: the compiler may not fold it.
function isOn(uint256 k) pure returns (bool) {
    return _asPure(_coinbase)() != k;
}
"""
IMPORT: Final = 'import { isOn } from "%s";\n'
REFUSAL: Final = re.compile(
    r"revert\b|return\s+\(?\s*RejectReason\.(?!NONE\b)|return\s+(?:false|reason)\b"
)
TERNARY: Final = re.compile(
    r"([\w.&|!=<>\s()+*\-/%\[\]]+?)\s*\?\s*RejectReason\.(\w+)\s*:\s*RejectReason\.(\w+)"
)


class Check(NamedTuple):
    """A check of a source: [begin, end) is its condition."""

    source: str
    line: int
    begin: int
    end: int
    condition: str
    keeps: str  # "and": off means false; "or": off means true

    @property
    def place(self) -> str:
        """Stable name of the check: file and condition."""
        return f"{self.source}: {' '.join(self.condition.split())}"


def blanked(text: str) -> str:
    """Return the source with comments and strings as spaces: offsets stay."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"'
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)


def closing(text: str, begin: int) -> int:
    """Return the offset of the bracket that closes the one at `begin`."""
    depth = 0
    for offset in range(begin, len(text)):
        depth += (text[offset] == "(") - (text[offset] == ")")
        if depth == 0:
            return offset
    raise ValueError(f"unbalanced bracket at {begin}")


def checks_of(source: str, text: str) -> list[Check]:
    """Return the checks of one source in the order of the text."""
    code = blanked(text)
    found = []
    for match in re.finditer(r"\bif\s*\(|\brequire\s*\(", code):
        begin = match.end()
        end = closing(code, begin - 1)
        is_require = match[0].startswith("require")
        if is_require:
            comma = re.search(r",(?=[^,]*$)", code[begin:end])
            end = begin + comma.start() if comma else end
        elif not REFUSAL.match(code[end + 1 :].lstrip().removeprefix("{").lstrip()):
            continue
        line = text.count("\n", 0, begin) + 1
        keeps = "or" if is_require else "and"
        found.append(Check(source, line, begin, end, text[begin:end], keeps))
    for match in re.finditer(r"return\s+(?=[^;{}]*\?[^;{}]*RejectReason\.)", code):
        begin = match.end()
        end = code.index("?", begin)
        left = re.match(r"\?\s*RejectReason\.(\w+)", code[end:])
        line = text.count("\n", 0, begin) + 1
        keeps = "or" if left and left[1] == "NONE" else "and"
        found.append(Check(source, line, begin, end, text[begin:end].rstrip(), keeps))
    return sorted(found, key=lambda check: check.begin)


def all_checks() -> list[Check]:
    """Return every check of src/, tests' helpers and development tokens left out."""
    sources = sorted(p for p in (CONTRACTS / "src").rglob("*.sol") if "dev" not in p.parts)
    return [
        check
        for path in sources
        for check in checks_of(str(path.relative_to(CONTRACTS / "src")), path.read_text())
    ]


def instrumented(text: str, numbered: list[tuple[int, Check]], depth: int) -> str:
    """Return the source with a switch in each check."""
    for number, check in reversed(numbered):
        switch = f"isOn({number}) && (" if check.keeps == "and" else f"!isOn({number}) || ("
        text = text[: check.begin] + switch + check.condition + ")" + text[check.end :]
    path = "./" + "../" * depth + "Mutant.sol"
    return re.sub(r"(pragma [^\n]+\n)", lambda m: m[1] + "\n" + IMPORT % path, text, count=1)


def prepare(checks: list[Check]) -> None:
    """Write the instrumented copy of the Foundry project below build/."""
    shutil.rmtree(WORK / "src", ignore_errors=True)
    shutil.rmtree(WORK / "test", ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    for name in ("src", "test", "tools"):
        shutil.copytree(CONTRACTS / name, WORK / name, dirs_exist_ok=True)
    shutil.rmtree(WORK / "test" / "symbolic", ignore_errors=True)
    modules = WORK / "node_modules"
    if not modules.exists():
        modules.symlink_to(CONTRACTS / "node_modules")
    (WORK / "snapshots").mkdir(exist_ok=True)
    toml = (CONTRACTS / "foundry.toml").read_text()
    (WORK / "foundry.toml").write_text(
        re.sub(r"^code_size_limit = .*$", "code_size_limit = 1_000_000", toml, flags=re.MULTILINE)
    )
    (WORK / "src" / "Mutant.sol").write_text(SWITCH)
    numbered: dict[str, list[tuple[int, Check]]] = {}
    for number, check in enumerate(checks, 1):
        numbered.setdefault(check.source, []).append((number, check))
    for source, group in numbered.items():
        path = WORK / "src" / source
        path.write_text(instrumented(path.read_text(), group, source.count("/")))


def run(
    number: int, *, fuzz_runs: int, tests: str = "", fail_fast: bool = True
) -> tuple[bool, str]:
    """Test without check `number` (0: with all). Returns whether all passed, and the output."""
    command = [
        "node", "tools/forge.mjs", "test", "--offline", "--block-coinbase", f"0x{number:040x}",
        "--no-match-contract", "GasTest|LayoutTest|InvariantTest",
    ]  # fmt: skip
    if tests:
        command += ["--match-contract", tests]
    if fail_fast:
        command.append("--fail-fast")
    environment = {**os.environ, "FOUNDRY_FUZZ_RUNS": str(fuzz_runs)}
    done = subprocess.run(
        command, cwd=WORK, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


def numbers_of(text: str) -> set[int]:
    """Return the numbers of a list like `3,5-7`."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def equivalents() -> dict[str, str]:
    """Return place -> why removing this check cannot show: another check or the type covers it."""
    return {e["place"]: e["reason"] for e in tomllib.loads(EQUIVALENT.read_text())["mutant"]}


def main(arguments: list[str]) -> int:
    """Remove each check in turn. Returns 1 when a removed check is missed by every test."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit.mutation", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the checks and stop")
    parser.add_argument("--only", default="", help="checks whose place contains this text")
    parser.add_argument("--numbers", default="", help="checks of these numbers, as 3,5-7")
    parser.add_argument("--tests", default="", help="test contracts that match; all by default")
    told = parser.parse_args(arguments)
    checks = all_checks()
    chosen = [(n, c) for n, c in enumerate(checks, 1) if told.only in c.place]
    if told.numbers:
        wanted = numbers_of(told.numbers)
        chosen = [(n, c) for n, c in chosen if n in wanted]
    if told.list:
        for number, check in chosen:
            print(f"{number:4} {check.place}")
        return 0
    known = equivalents()
    stale = sorted(set(known) - {check.place for check in checks})
    for place in stale:
        print(f"stale entry of {EQUIVALENT.name}: {place}")
    prepare(checks)
    passed, output = run(0, fuzz_runs=FUZZ_RUNS, tests=told.tests, fail_fast=False)
    if not passed:
        print(output[-6000:])
        print("the tests fail without any mutant", file=sys.stderr)
        return 2
    survivors = 0
    excused = 0
    for number, check in chosen:
        if check.place in known:
            excused += 1
            continue
        started = time.monotonic()
        passed = all(
            run(number, fuzz_runs=runs, tests=told.tests)[0]
            for runs in (FUZZ_RUNS_FIRST, FUZZ_RUNS)
        )
        if passed:
            survivors += 1
        verdict = "SURVIVED" if passed else "killed"
        print(
            f"{number:4} {verdict:8} {time.monotonic() - started:5.1f} s  "
            f"{check.source}:{check.line}  {' '.join(check.condition.split())}",
            flush=True,
        )
    killed = len(chosen) - survivors - excused
    print(f"{len(chosen)} checks: {killed} killed, {survivors} survived, {excused} equivalent")
    return int(survivors > 0 or bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
