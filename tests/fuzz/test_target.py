"""What the fuzzer's genes can say: every kind of command, and most of what it causes."""

from __future__ import annotations

from collections import Counter
from random import Random

from matcher.engine.commands import COMMAND_BYTES, CommandKind
from matcher.engine.events import EventKind, unpack
from matcher.engine.reject_reason import RejectReason
from tests.fuzz import seeds, target

INPUTS = 240


def told() -> tuple[Counter[str], Counter[str]]:
    """Return how often each kind was sent, and each event with its reason came."""
    rng, sent, came = Random(2), Counter[str](), Counter[str]()
    for _ in range(INPUTS):
        engine = target.fresh()
        for request in target.rich_commands_of(rng.randbytes(96 * target.RICH_BYTES)):
            kinds = request[::COMMAND_BYTES]
            sent.update(CommandKind(kind).name for kind in kinds)
            for e in unpack(engine.apply(request)):
                came[f"{EventKind(e.kind).name} {RejectReason(e.reason).name}"] += 1
                if kinds[0] == CommandKind.GROUP:
                    came[f"group: {EventKind(e.kind).name} {RejectReason(e.reason).name}"] += 1
        engine.check_invariants()
    return sent, came


def test_genes_make_every_kind_of_command() -> None:
    """GRP-1, REP-1, AMD-1: groups and extensions too, admitted and refused."""
    sent, came = told()
    assert {kind.name for kind in CommandKind if kind not in target.JOURNAL_ONLY} <= sent.keys()
    for event in (
        "group: ORDER_ACCEPTED NONE", "group: ORDER_REJECTED GROUP_REJECTED", "ORDER_AMENDED NONE",
        "ORDER_REJECTED UNFILLED_MISMATCH", "ORDER_REJECTED INSTRUCTIONS_INVALID",
        "ORDER_CANCELED REPLACED", "ORDER_REJECTED PRICE_BAND", "ORDER_TRIGGERED NONE",
        "ORDER_CANCELED SIBLING_ENDED", "AUCTION NONE", "ORDER_REPLENISHED NONE",
        "LIQUIDATION_STARTED NONE", "FILL NONE", "TAKEOVER NONE",
    ):  # fmt: skip
        assert came[event], event


def test_the_seeds_are_no_findings() -> None:
    """On whatever extensions are in place: the seeds run, in every mode."""
    for seed in seeds.seeds():
        target.run(seed)
