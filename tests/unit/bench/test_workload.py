"""The benchmarks' workload in short: engine, generator and limit agree on every fill."""

from __future__ import annotations

import pytest

from tests.bench import replay, workload
from tests.bench.limit import program

COUNT = 50_000
SOURCES = [
    pytest.param(True, id="own"),
    pytest.param(
        False,
        id="common",
        marks=pytest.mark.skipif(
            not (workload.SHARED / "workload.py").exists(), reason="no common workload"
        ),
    ),
]


@pytest.mark.parametrize("own", SOURCES)
def test_the_engine_gives_the_fills_of_the_file(own: bool) -> None:
    stream = replay.prepare(workload.obtain("tiny", COUNT, own=own))  # a difference raises
    engine = replay.engine_for(stream.workload)
    replay.play(engine, stream.commands)
    assert engine.state_hash() == stream.state_hash
    assert engine.order_count == stream.workload.header["live_orders"]
    engine.check_invariants()


@pytest.mark.parametrize("own", SOURCES)
def test_the_book_gives_the_fills_of_the_file(own: bool) -> None:
    stream = replay.prepare(workload.obtain("tiny", COUNT, own=own), replay.book_for)
    book = replay.book_for(stream.workload)
    replay.play(book, stream.commands)
    assert book.state_hash() == stream.state_hash
    assert book.order_count == stream.workload.header["live_orders"]
    book.check_invariants()


@pytest.mark.parametrize("margin", [False, True])
@pytest.mark.parametrize("own", SOURCES)
def test_our_ladder_gives_the_fills_of_the_file(own: bool, margin: bool) -> None:
    ladder = program.build(own=True, margin=margin)
    if ladder is None:
        pytest.skip("no C++ compiler")
    program.run(ladder, workload.obtain("tiny", COUNT, own=own))  # a difference raises


def test_a_checksum_that_differs_is_an_error() -> None:
    stream = workload.obtain("tiny", 1_000, own=True)
    header = stream.header.copy()
    header["hash"] += 1
    with pytest.raises(ValueError, match="the file says"):
        replay.prepare(stream._replace(header=header))


def test_our_generator_repeats_itself() -> None:
    header, operations = workload.generate("tiny", 2_000)
    again, repeated = workload.generate("tiny", 2_000)
    assert header.tobytes() == again.tobytes()
    assert operations.tobytes() == repeated.tobytes()
