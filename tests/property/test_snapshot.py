"""A restored engine goes on as the saved one would have: any commands, any point in between."""

from __future__ import annotations

import os
from random import Random

import pytest

from margin_core import MarketSpec
from matcher.engine.engine import Engine
from tests.model.pair import START_NS
from tests.property.test_engine_model import Stream

STREAMS = int(os.environ.get("BULKHEAD_SOAK_STREAMS", "12"))
FIRST_SEED = int(os.environ.get("BULKHEAD_SOAK_SEED", "100"))
COMMANDS = 300
CUTS = 6


class Recorded(Stream):
    """The random commands of the model's comparison; `pair.sent` keeps their records."""

    def fresh(self) -> Engine:
        """Return an engine as the stream began with."""
        engine = Engine(
            account_count_max=self.accounts,
            position_count_max=(self.accounts + 1) * len(self.specs),
            order_count_max=self.pair.order_max,
        )
        for spec in self.specs:
            engine.list_market(spec, START_NS)
        for _ in range(self.accounts):
            engine.register_account()
        return engine


def repeat(engine: Engine, sent: bytes | tuple[MarketSpec, int, int]) -> bytes:
    """Give the engine once more what the pair's got, and return its events."""
    return engine.apply(sent) if isinstance(sent, bytes) else engine.announce_parameters(*sent)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + STREAMS))
def test_a_restored_engine_continues_identically(seed: int) -> None:
    stream = Recorded(seed)
    for _ in range(COMMANDS):
        stream.step()
    rng = Random(seed)
    cuts = sorted(rng.sample(range(len(stream.pair.sent)), CUTS))
    engine, restored = stream.fresh(), stream.fresh()
    for at, sent in enumerate(stream.pair.sent):
        if at in cuts:
            saved = b"".join(engine.snapshot())
            assert b"".join(restored.snapshot()) == saved, "both are in the same state"
            restored = Engine.restore(saved)
            assert b"".join(restored.snapshot()) == saved, "the snapshot of a snapshot"
            restored.check_invariants()
        assert repeat(engine, sent) == repeat(restored, sent), at
    assert engine.state_hash() == restored.state_hash() == stream.pair.engine.state_hash()
    restored.check_invariants()
