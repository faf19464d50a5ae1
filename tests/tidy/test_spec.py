"""Every rule of SPEC.md is shown by a test, and every rule that a test names exists."""

from __future__ import annotations

from tests.tidy.spec import mentions, repeated, rules


def test_every_rule_has_a_test() -> None:
    shown = mentions()
    assert [rule for rule in rules() if rule not in shown] == []


def test_a_rule_has_an_id_of_its_own() -> None:
    assert repeated() == []


def test_every_rule_named_in_a_test_exists() -> None:
    known = set(rules())
    assert {rule: paths for rule, paths in mentions().items() if rule not in known} == {}
