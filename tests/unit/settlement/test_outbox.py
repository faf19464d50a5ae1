"""The outbox: what is stored survives reopening; states move only as the table allows."""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path

import pytest

from settlement.batch import BuilderState
from settlement.batch.items import PriceRow
from settlement.errors import ConfigError, StateMismatchError
from settlement.outbox import MARKS_KEPT, Identity, Mark, Outbox
from settlement.records import TRANSITIONS, ZERO_DIGEST, BatchState, BatchStatus, SignedBatch

HASH = b"\x11" * 32


def batch(batch_seq: int) -> SignedBatch:
    """Return a batch with made-up contents."""
    return SignedBatch(
        batch_seq=batch_seq, epoch=1, previous_digest=ZERO_DIGEST, digest=bytes([batch_seq]) * 32,
        payload=b"payload", signatures=(b"s" * 64,), first_item_seq=1, last_item_seq=9,
        gas_estimate=21_000,
    )  # fmt: skip


def opened(folder: Path) -> Outbox:
    """Return an outbox in a folder."""
    return Outbox(f"sqlite:///{folder / 'nested' / 'outbox.sqlite3'}")


def test_a_batch_survives_reopening(tmp_path: Path) -> None:
    row = PriceRow(
        item_seq=3, time_ns=5, market_id=1, index_price_ticks=2, mark_price_ticks=2,
        index_time_ms=1, signature=bytes(64),
    )  # fmt: skip
    state = BuilderState(next_sequence=2, next_item_seq=10, rows={1: row}, emitted={1: row})
    outbox = opened(tmp_path)
    outbox.add(batch(1), item_seqs=(3, 0, 9), builder_state=state)
    outbox.close()
    outbox = opened(tmp_path)
    assert outbox.find(1) == batch(1)
    assert outbox.find(2) is None
    assert outbox.builder_state(1) == state
    assert outbox.item_seqs(1) == (3, 0, 9)
    assert (outbox.last_batch_seq(), outbox.last_item_seq()) == (1, 9)
    outbox.close()


def test_two_attestors_on_one_outbox_are_found_out(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.add(batch(1), item_seqs=(), builder_state=BuilderState())
    with pytest.raises(StateMismatchError, match="batch 1 is there already; another attestor"):
        outbox.add(batch(1), item_seqs=(), builder_state=BuilderState())
    outbox.close()


def test_a_commit_is_durable(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    with outbox._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    outbox.close()


@pytest.mark.parametrize(("before", "after"), itertools.product(BatchState, BatchState))
def test_states_move_as_the_table_says(
    tmp_path: Path, before: BatchState, after: BatchState
) -> None:
    outbox = opened(tmp_path)
    outbox.add(batch(1), item_seqs=(), builder_state=BuilderState())
    if before is not BatchState.BATCHED:
        assert outbox.move(1, BatchStatus(state=before, tx_hash=HASH, block_number=7))
    was = outbox.status(1)
    moved = outbox.move(1, BatchStatus(state=after, tx_hash=HASH, block_number=8))
    assert moved == (after in TRANSITIONS[before])
    assert outbox.status(1).state == (after if moved else was.state)
    outbox.close()


def test_a_reorganisation_unsettles_only_what_it_removed(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    for seq, block_number in ((1, 10), (2, 11)):
        outbox.add(batch(seq), item_seqs=(), builder_state=BuilderState())
        outbox.move(
            seq, BatchStatus(state=BatchState.SETTLED, tx_hash=HASH, block_number=block_number)
        )
    outbox.unsettle_after(10)
    assert [outbox.status(seq).state for seq in (1, 2)] == [BatchState.SETTLED, BatchState.BATCHED]
    outbox.close()


def test_marks_are_the_newest_first_and_bounded(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    assert outbox.mark() is None
    for number in range(MARKS_KEPT + 3):
        outbox.add_mark(Mark(block_number=number, block_hash=HASH))
    outbox.remove_mark(MARKS_KEPT + 2)
    assert outbox.mark() == Mark(block_number=MARKS_KEPT + 1, block_hash=HASH)
    with outbox._engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM marks").scalar()
    assert count == MARKS_KEPT - 1
    outbox.clear_marks()
    assert outbox.mark() is None
    outbox.close()


def test_the_outbox_of_another_deployment_is_refused(tmp_path: Path) -> None:
    identity = Identity(chain_id=1, settlement=b"\x01" * 20, deploy_block_hash=HASH)
    outbox = opened(tmp_path)
    outbox.expect_identity(identity)
    outbox.expect_identity(identity)
    other = Identity(chain_id=1, settlement=b"\x01" * 20, deploy_block_hash=ZERO_DIGEST)
    with pytest.raises(StateMismatchError, match="belongs to another deployment"):
        outbox.expect_identity(other)
    outbox.close()


def test_what_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, certainly not one")
    for url in (f"sqlite:///{tmp_path / 'text'}", "nonsense", "unknown://host/name"):
        with pytest.raises(ConfigError, match=r"outbox .*: cannot be opened") as caught:
            Outbox(url)
        assert "\n" not in str(caught.value)
    assert sqlite3.sqlite_version_info >= (3, 7)
