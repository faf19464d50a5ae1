"""The cases for Solidity are what the slow model says today."""

from __future__ import annotations

import pytest

from tests.vectors.generate import cases, main
from tests.vectors.kernel import KernelDiffersError, check_rows


def test_the_vectors_for_solidity_are_fresh() -> None:
    """MARG-1 to MARG-6, FILL-1 to FILL-6, COLL-1, LIQ-2 to LIQ-5: one file for both sides."""
    assert main(["--check"]) == 0


def test_the_kernel_says_what_solidity_is_asked_for() -> None:
    """MARG-1 to MARG-6, FILL-1 to FILL-6, COLL-1, LIQ-2 to LIQ-5: the third leg of those cases."""
    specs, rows_by_kind = cases(" of the kernel")
    for kind, rows in rows_by_kind.items():
        check_rows(kind, specs, rows)
    number, *row = rows_by_kind["fund_fill"][0]
    row[-1] += 1
    with pytest.raises(KernelDiffersError, match="fund_fill"):
        check_rows("fund_fill", specs, [[number, *row]])
