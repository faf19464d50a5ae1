"""The same nouns in every language: reject reasons, and the strings that are hashed and signed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from matcher.engine.reject_reason import RejectReason
from tests.tidy.sources import source_files, text_of

# Members from here on say why an order was cancelled; they never reach the contract.
CANCEL_REASONS_FROM = 64
ALL_REASONS = {r.name: r.value for r in RejectReason if r.value}
SPEC = text_of(Path("SPEC.md"))
REASONS = {name: value for name, value in ALL_REASONS.items() if value < CANCEL_REASONS_FROM}


def joined(text: str) -> str:
    """Return source text with adjacent string literals made one."""
    return re.sub(r'"\s*\n?\s*"', "", text)


def test_spec_lists_the_reject_reasons() -> None:
    section = SPEC[SPEC.index("## 6. Reject reasons") :]
    listed = {name: int(number) for number, name in re.findall(r"(\d+) ([A-Z_]{5,})", section)}
    assert listed == REASONS


def test_proto_has_the_reject_reasons() -> None:
    """One name and one number each, on the wire too; those of cancels among them."""
    texts = [text_of(path) for path in source_files(".proto")]
    (body,) = [
        found[1]
        for text in texts
        if (found := re.search(r"enum RejectReason \{(.*?)^\}", text, re.DOTALL | re.MULTILINE))
    ]
    members = re.findall(r"^\s*REJECT_REASON_(\w+) = (\d+)", body, re.MULTILINE)
    wire = {name: int(number) for name, number in members if name != "UNSPECIFIED"}
    assert wire == ALL_REASONS


def test_solidity_has_the_reject_reasons() -> None:
    """The contract leaves out nothing and numbers alike, as an enum or as constants."""
    text = "\n".join(text_of(p) for p in source_files(".sol", below=("settlement/contracts/src",)))
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    if found := re.search(r"enum RejectReason\s*\{(.*?)\}", text, re.DOTALL):
        names = re.findall(r"\w+", found[1])
        assert {name: number for number, name in enumerate(names) if number} == REASONS
        return
    constants = re.findall(
        r"uint8\s+(?:internal\s+|public\s+)?constant\s+([A-Z_]+)\s*=\s*(\d+)", text
    )
    numbers = {name: int(number) for name, number in constants}
    assert REASONS.items() <= numbers.items()


@pytest.mark.parametrize(
    "typehash", re.findall(r"^((?:[A-Z]\w+)\(.+\))$", SPEC, re.MULTILINE), ids=lambda t: t[:8]
)
def test_signed_types_are_spelled_alike(typehash: str) -> None:
    """SIG-2: what is signed is the same string in SPEC.md, Python and Solidity."""
    python = joined("\n".join(text_of(p) for p in source_files(".py", below=("proto",))))
    assert typehash in python
    if not typehash.startswith("Login("):  # signed for the matcher only
        contracts = source_files(".sol", below=("settlement/contracts/src",))
        assert typehash in joined("\n".join(text_of(p) for p in contracts))
