"""The cases for Solidity are what the slow model says today."""

from __future__ import annotations

from tests.vectors.generate import main


def test_the_vectors_for_solidity_are_fresh() -> None:
    """MARG-1 to MARG-6, FILL-1 to FILL-6, COLL-1, LIQ-2 to LIQ-5: one file for both sides."""
    assert main(["--check"]) == 0
