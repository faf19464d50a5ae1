"""Each error that the contracts can revert with is named by a test of theirs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

CONTRACTS: Final = Path(__file__).resolve().parents[2] / "settlement" / "contracts"
DECLARED: Final = re.compile(r"^\s*error (\w+)\(", re.MULTILINE)


def test_every_error_of_the_contracts_is_named_by_a_test_of_theirs() -> None:
    sources = "".join(path.read_text() for path in (CONTRACTS / "src").rglob("*.sol"))
    tests = "".join(path.read_text() for path in (CONTRACTS / "test").rglob("*.sol"))
    names = DECLARED.findall(sources)
    assert [name for name in names if not re.search(rf"\b{name}\b", tests)] == []
