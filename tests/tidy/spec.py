"""Prints which tests show which rule of SPEC.md: `make spec`."""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from tests.tidy.sources import source_files, text_of

RULE = re.compile(r"\*\*([A-Z]+-\d+)\*\*")
MENTION = re.compile(r"\b([A-Z]{3,6}-\d{1,2})\b")


def rules() -> list[str]:
    """Return the ids of SPEC.md in order."""
    return list(dict.fromkeys(RULE.findall(text_of(Path("SPEC.md")))))


def repeated() -> list[str]:
    """Return the ids that SPEC.md gives to more than one rule."""
    return [
        rule for rule, count in Counter(RULE.findall(text_of(Path("SPEC.md")))).items() if count > 1
    ]


def mentions() -> dict[str, list[Path]]:
    """Return for each id the test files that name it."""
    families = {rule.partition("-")[0] for rule in rules()}
    found: dict[str, list[Path]] = defaultdict(list)
    for path in source_files(
        ".py", ".sol", ".scenario", below=("tests", "settlement/contracts/test")
    ):
        is_test = path.name.startswith("test_") or path.name.endswith(".t.sol")
        if path.parts[:2] == ("tests", "tidy") or not (is_test or path.suffix == ".scenario"):
            continue
        for rule in sorted(set(MENTION.findall(text_of(path)))):
            if rule.partition("-")[0] in families:
                found[rule].append(path)
    return found


def main() -> int:
    """Print the matrix; return 1 when a rule has no test."""
    shown = mentions()
    for rule in rules():
        print(f"{rule:8}", ", ".join(map(str, shown.get(rule, []))) or "no test")
    return int(any(rule not in shown for rule in rules()))


if __name__ == "__main__":
    sys.exit(main())
