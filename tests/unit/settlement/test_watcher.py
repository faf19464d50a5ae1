"""What the watcher asks the chain for."""

from __future__ import annotations

from settlement.artifacts import load_artifact
from settlement.watcher import EVENT_NAMES, NOTICE_NAMES


def test_the_contract_has_every_event_that_is_watched() -> None:
    events = {
        entry["name"] for entry in load_artifact("Settlement").abi if entry["type"] == "event"
    }
    assert set(EVENT_NAMES + NOTICE_NAMES) <= events


def test_no_event_is_both_followed_and_a_notice() -> None:
    assert not set(EVENT_NAMES) & set(NOTICE_NAMES)
