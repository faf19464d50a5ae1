"""The attestor's outbox: signed batches, what became of them, and how far the chain was read.

Every call is one short transaction, and durable when it returns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from settlement.batch import BuilderState
from settlement.errors import ConfigError, StateMismatchError
from settlement.records import TRANSITIONS, BatchState, BatchStatus, SignedBatch

MARKS_KEPT: Final = 256

_metadata: Final = sa.MetaData()
_batches: Final = sa.Table(
    "batches",
    _metadata,
    sa.Column("batch_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("previous_digest", sa.LargeBinary(32), nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("signatures", sa.LargeBinary, nullable=False),  # msgpack: list of 64 bytes
    sa.Column("first_item_seq", sa.BigInteger, nullable=False),
    sa.Column("last_item_seq", sa.BigInteger, nullable=False),
    sa.Column("item_seqs", sa.LargeBinary, nullable=False),  # msgpack: list of integers
    sa.Column("gas_estimate", sa.BigInteger, nullable=False),
    sa.Column("builder_state", sa.LargeBinary, nullable=False),  # msgpack: BuilderState
    sa.Column("state", sa.Integer, nullable=False),
    sa.Column("tx_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("block_number", sa.BigInteger, nullable=False),
)
# Blocks up to which the chain was read and reported; the newest is the cursor.
_marks: Final = sa.Table(
    "marks",
    _metadata,
    sa.Column("block_number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("block_hash", sa.LargeBinary(32), nullable=False),
)
# What the outbox belongs to. One row.
_identity: Final = sa.Table(
    "identity",
    _metadata,
    sa.Column("chain_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("settlement", sa.LargeBinary(20), nullable=False),
    sa.Column("deploy_block_hash", sa.LargeBinary(32), nullable=False),
)


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The deployment that an outbox belongs to."""

    chain_id: int
    settlement: bytes
    deploy_block_hash: bytes


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A block up to which the chain was read and reported."""

    block_number: int
    block_hash: bytes


class Outbox:
    """One database. Used by one attestor at a time."""

    def __init__(self, url: str) -> None:
        """Open or create. Raises `ConfigError` when the database cannot be used."""
        self.url = url
        try:
            parsed = sa.make_url(url)
            self.url = parsed.render_as_string(hide_password=True)
            if parsed.get_backend_name() == "sqlite" and parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            self._engine = sa.create_engine(parsed)
            if parsed.get_backend_name() == "sqlite":
                sa.event.listen(self._engine, "connect", _make_durable)
            _metadata.create_all(self._engine)
        except (SQLAlchemyError, OSError) as exc:
            reason = str(exc).partition("\n")[0]
            raise ConfigError(f"outbox {self.url}: cannot be opened: {reason}") from exc

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def expect_identity(self, identity: Identity) -> None:
        """Bind a new outbox to a deployment; refuse the outbox of another.

        Raises:
            StateMismatchError: The outbox holds batches of another chain or contract.
        """
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(_identity)).one_or_none()
            if row is None:
                connection.execute(sa.insert(_identity).values(**msgspec.structs.asdict(identity)))
            elif Identity(**row._mapping) != identity:
                raise StateMismatchError(
                    f"outbox {self.url} belongs to another deployment (chain {row.chain_id}, "
                    f"contract 0x{row.settlement.hex()}, or the same one before the chain was made "
                    "anew); move it and the matcher's journal away, or correct rpc_url and "
                    "addresses_file"
                )

    def add(
        self, batch: SignedBatch, *, item_seqs: tuple[int, ...], builder_state: BuilderState
    ) -> None:
        """Store a signed batch with what the builder needs to go on after it.

        Raises:
            StateMismatchError: There is a batch of this number: another attestor writes here.
        """
        row = msgspec.structs.asdict(batch) | {
            "signatures": msgspec.msgpack.encode(batch.signatures),
            "item_seqs": msgspec.msgpack.encode(item_seqs),
            "builder_state": msgspec.msgpack.encode(builder_state),
            "state": BatchState.BATCHED,
            "tx_hash": b"",
            "block_number": 0,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(_batches).values(**row))
        except IntegrityError as exc:
            raise StateMismatchError(
                f"outbox {self.url}: batch {batch.batch_seq} is there already; another attestor "
                "writes to it: give each its own"
            ) from exc

    def last_batch_seq(self) -> int:
        """Return the number of the newest batch, 0 when there is none."""
        with self._engine.connect() as connection:
            newest = connection.execute(sa.select(sa.func.max(_batches.c.batch_seq))).scalar()
            return newest or 0

    def last_item_seq(self) -> int:
        """Return the last feed item that a batch covers, 0 when there is none."""
        with self._engine.connect() as connection:
            newest = connection.execute(sa.select(sa.func.max(_batches.c.last_item_seq))).scalar()
            return newest or 0

    def builder_state(self, batch_seq: int) -> BuilderState:
        """Return the builder's state after a batch."""
        encoded = self._column(batch_seq, _batches.c.builder_state)
        return msgspec.msgpack.decode(encoded, type=BuilderState)

    def item_seqs(self, batch_seq: int) -> tuple[int, ...]:
        """Return the feed's number of each payload item of a batch; 0 for CLOCK items."""
        encoded = self._column(batch_seq, _batches.c.item_seqs)
        return msgspec.msgpack.decode(encoded, type=tuple[int, ...])

    def find(self, batch_seq: int) -> SignedBatch | None:
        """Return a batch, None when there is none of this number."""
        names = [_batches.c[name] for name in SignedBatch.__struct_fields__]
        query = sa.select(*names).where(_batches.c.batch_seq == batch_seq)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        values = dict(row._mapping)
        values["signatures"] = msgspec.msgpack.decode(values["signatures"], type=tuple[bytes, ...])
        return SignedBatch(**values)

    def status(self, batch_seq: int) -> BatchStatus:
        """Return where a batch stands."""
        columns = (_batches.c.state, _batches.c.tx_hash, _batches.c.block_number)
        query = sa.select(*columns).where(_batches.c.batch_seq == batch_seq)
        with self._engine.connect() as connection:
            row = connection.execute(query).one()
        return BatchStatus(
            state=BatchState(row.state), tx_hash=row.tx_hash, block_number=row.block_number
        )

    def move(self, batch_seq: int, status: BatchStatus) -> bool:
        """Bring a batch to a state if the table of transitions allows it; say whether it did."""
        allowed = [state for state, targets in TRANSITIONS.items() if status.state in targets]
        with self._engine.begin() as connection:
            result = connection.execute(
                sa.update(_batches)
                .where(_batches.c.batch_seq == batch_seq, _batches.c.state.in_(allowed))
                .values(**msgspec.structs.asdict(status))
            )
            return result.rowcount == 1

    def unsettle_after(self, block_number: int) -> None:
        """Take back to BATCHED what was settled in blocks that a reorganisation removed."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(_batches)
                .where(
                    _batches.c.state == BatchState.SETTLED, _batches.c.block_number > block_number
                )
                .values(state=BatchState.BATCHED, tx_hash=b"", block_number=0)
            )

    def drop_void(self, epoch: int, settled_seq: int) -> int:
        """Forget batches of older epochs that are not settled: nobody can settle them (GOV-6).

        Args:
            epoch: The contract's.
            settled_seq: Last batch that is settled on chain.

        Returns:
            How many there were. Their items are batched anew.
        """
        is_void = (_batches.c.batch_seq > settled_seq) & (_batches.c.epoch < epoch)
        with self._engine.begin() as connection:
            return connection.execute(sa.delete(_batches).where(is_void)).rowcount

    def mark(self) -> Mark | None:
        """Return the newest mark, None before the first."""
        query = sa.select(_marks).order_by(_marks.c.block_number.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else Mark(**row._mapping)

    def add_mark(self, mark: Mark) -> None:
        """Store a newer mark and forget the oldest."""
        with self._engine.begin() as connection:
            connection.execute(sa.insert(_marks).values(**msgspec.structs.asdict(mark)))
            kept = sa.select(_marks.c.block_number).order_by(_marks.c.block_number.desc())
            oldest = connection.execute(kept.offset(MARKS_KEPT).limit(1)).scalar()
            if oldest is not None:
                connection.execute(sa.delete(_marks).where(_marks.c.block_number <= oldest))

    def remove_mark(self, block_number: int) -> None:
        """Forget a mark whose block is not on the chain any more."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(_marks).where(_marks.c.block_number == block_number))

    def clear_marks(self) -> None:
        """Forget all marks: the chain is read from the deployment on again."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(_marks))

    def _column(self, batch_seq: int, column: sa.Column[Any]) -> bytes:
        query = sa.select(column).where(_batches.c.batch_seq == batch_seq)
        with self._engine.connect() as connection:
            return bytes(connection.execute(query).scalar_one())


def _make_durable(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's class
    """A commit that returned survives a power failure; readers do not block the writer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
