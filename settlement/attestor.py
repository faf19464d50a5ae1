"""`bulkhead attest`: follows the settlement feed, builds and signs batches, keeps the outbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from bulkhead_signing import Batch, Domain, keccak
from settlement.batch import BatchBuilder, BuilderState, BuiltBatch, Limits
from settlement.batch.builder import FeedError
from settlement.config import secret_text
from settlement.errors import FeedUnreachableError, SettlementError, StateMismatchError
from settlement.keys import Signer, load_signer
from settlement.node import open_node
from settlement.outbox import Outbox
from settlement.process import Backoff, run_until, stop_event
from settlement.records import ZERO_DIGEST, BatchProgress, BatchState, ChainReport, SignedBatch
from settlement.rpc.matcher_client import MatcherClient
from settlement.rpc.relay_service import NewBatches, RelayService, start_server
from settlement.watcher import Watcher, expect_deployment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.config import Config
    from settlement.node import Addresses, Node

log: Final = structlog.get_logger()

PROGRESS_QUEUE_MAX: Final = 4_096
PROGRESS_PER_REPORT_MAX: Final = 256
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_LIMIT_S: Final = 5.0
LIMITS_NOTICE: Final = 4  # place of riskPauseNoticeS in the contract's Limits
SERVER_GRACE_S: Final = 0.2  # relayers' streams never end by themselves


class Sealer:
    """Signs built batches in a hash chain and puts them into the outbox."""

    def __init__(self, outbox: Outbox, signer: Signer, domain: Domain) -> None:
        self._outbox = outbox
        self._signer = signer
        self._domain = domain
        newest = outbox.find(outbox.last_batch_seq())
        self._previous_digest = newest.digest if newest else ZERO_DIGEST

    def seal(self, built: BuiltBatch) -> SignedBatch:
        """Return the signed batch; it is durable in the outbox."""
        digest = self._domain.digest(
            Batch(
                batch_seq=built.sequence,
                epoch=built.epoch,
                previous_digest=self._previous_digest,
                payload_hash=keccak(built.payload),
            )
        )
        batch = SignedBatch(
            batch_seq=built.sequence,
            epoch=built.epoch,
            previous_digest=self._previous_digest,
            digest=digest,
            payload=built.payload,
            signatures=(self._signer.sign(digest),),
            first_item_seq=built.first_item_seq,
            last_item_seq=built.last_item_seq,
            gas_estimate=built.gas_estimate,
        )
        self._outbox.add(batch, item_seqs=built.item_seqs, builder_state=built.state_after)
        self._previous_digest = digest
        return batch


class Attestor:
    """Turns the feed into signed batches. What it signs depends on the feed alone."""

    def __init__(
        self, *, outbox: Outbox, matcher: MatcherClient, sealer: Sealer, limits: Limits, epoch: int
    ) -> None:
        self._outbox = outbox
        self._matcher = matcher
        self._sealer = sealer
        self._limits = limits
        self._epoch = epoch
        self._progress: asyncio.Queue[BatchProgress] = asyncio.Queue(PROGRESS_QUEUE_MAX)
        self.new_batches = NewBatches()

    async def follow_feed(self, backoff: Backoff) -> None:
        """Build batches for ever; after a lost connection go on from the last closed batch.

        Raises:
            SettlementError: The matcher never answered, refuses the token, or contradicts the
                outbox.
        """
        while True:
            try:
                await self._follow_once(backoff)
            except FeedUnreachableError as exc:
                await backoff.wait(exc)
            except FeedError as exc:
                raise StateMismatchError(f"settlement feed: {exc}; nothing was signed") from exc

    async def _follow_once(self, backoff: Backoff) -> None:
        state = self._resume_state()
        builder = BatchBuilder(state, epoch=self._epoch, limits=self._limits)
        async for orders, items in self._matcher.stream_items(state.next_item_seq):
            backoff.reset()
            for order in orders:
                builder.add_order(order)
            for item in items:
                built = builder.add(item)
                if built is not None:
                    self._publish(self._sealer.seal(built))
        raise FeedUnreachableError("the matcher has ended the settlement feed")

    def _resume_state(self) -> BuilderState:
        last_batch_seq = self._outbox.last_batch_seq()
        return self._outbox.builder_state(last_batch_seq) if last_batch_seq else BuilderState()

    def _publish(self, batch: SignedBatch) -> None:
        log.info(
            "batch.signed",
            batch_seq=batch.batch_seq,
            payload_bytes=len(batch.payload),
            gas_estimate=batch.gas_estimate,
        )
        self.new_batches.announce()
        self._note(_progress(batch, BatchState.BATCHED))

    async def note_submission(self, batch_seq: int, tx_hash: bytes) -> None:
        """Tell the matcher that a relayer has sent a batch."""
        batch = self._outbox.find(batch_seq)
        assert batch is not None
        self._note(_progress(batch, BatchState.SUBMITTED, tx_hash))

    def _note(self, progress: BatchProgress) -> None:
        """Queue news for the matcher. It only informs: what does not fit is dropped."""
        try:
            self._progress.put_nowait(progress)
        except asyncio.QueueFull:
            log.warning("progress.dropped", batch_seq=progress.batch_seq)

    async def report_progress(self) -> None:
        """Bring queued news to the matcher, for ever."""
        while True:
            news = [await self._progress.get()]
            while not self._progress.empty() and len(news) < PROGRESS_PER_REPORT_MAX:
                news.append(self._progress.get_nowait())
            try:
                await self._matcher.report(ChainReport(progress=tuple(news)))
            except SettlementError as exc:
                log.warning("progress.lost", reason=str(exc), count=len(news))


def _progress(batch: SignedBatch, state: BatchState, tx_hash: bytes = b"") -> BatchProgress:
    return BatchProgress(
        batch_seq=batch.batch_seq,
        state=state,
        first_item_seq=batch.first_item_seq,
        last_item_seq=batch.last_item_seq,
        tx_hash=tx_hash,
    )


async def run_attestor(
    config: Config, addresses: Addresses, announce: Callable[[str], None]
) -> None:
    """Attest until a signal. Raises `SettlementError`."""
    table = config.attest
    stopped = stop_event()
    token = secret_text(
        table.matcher_token, path=config.path, key="$.settlement.attest.matcher_token"
    )
    signer = load_signer(table.key, chain_id=addresses.chain_id)
    outbox = Outbox(table.outbox)
    try:
        async with (
            open_node(config.settlement.rpc_url, addresses) as node,
            MatcherClient(table.matcher, token) as matcher,
        ):
            await expect_deployment_of(outbox, node)
            with node.errors():
                limits = await node.settlement.functions.limits().call()
                epoch = await _epoch_of(node, signer)
                settled_seq = await node.settlement.functions.sequence().call()
            where = f"{config.path}: $.settlement.attest: the contract's riskPauseNoticeS"
            table.expect_pause_notice(limits[LIMITS_NOTICE], where)
            if void_count := outbox.drop_void(epoch, settled_seq):
                log.warning("epoch.begins", epoch=epoch, void_batches=void_count)
            attestor = Attestor(
                outbox=outbox,
                matcher=matcher,
                sealer=Sealer(outbox, signer, _domain(addresses)),
                limits=Limits(interval_ms=table.batch_interval_ms),
                epoch=epoch,
            )
            watcher = Watcher(node, outbox, matcher, table, epoch)
            await _serve(config, attestor, watcher, outbox, stopped, announce)
    finally:
        outbox.close()


async def _serve(
    config: Config,
    attestor: Attestor,
    watcher: Watcher,
    outbox: Outbox,
    stopped: asyncio.Event,
    announce: Callable[[str], None],
) -> None:
    table = config.attest
    service = RelayService(outbox, attestor.new_batches, attestor.note_submission)
    server, target = await start_server(
        service, listen=table.listen, streams_max=table.concurrent_streams_max
    )
    try:
        await run_until(
            stopped,
            attestor.follow_feed(_backoff(table.give_up_after_ms)),
            attestor.report_progress(),
            watcher.follow_chain(
                _backoff(table.give_up_after_ms),
                lambda: announce(f"attest ready: {target} batches={outbox.last_batch_seq()}"),
            ),
        )
    finally:
        await server.stop(SERVER_GRACE_S)


def _backoff(give_up_after_ms: int) -> Backoff:
    return Backoff(
        first_s=BACKOFF_FIRST_S, limit_s=BACKOFF_LIMIT_S, give_up_after_s=give_up_after_ms / 1_000
    )


def _domain(addresses: Addresses) -> Domain:
    return Domain(addresses.chain_id, addresses.settlement_bytes)


async def _epoch_of(node: Node, signer: Signer) -> int:
    """Return the contract's epoch. Raises `SettlementError` when the key is not an attestor's."""
    address = node.web3.to_checksum_address(signer.address)
    epoch, _ = await node.settlement.functions.attestorEpoch().call()
    if not await node.settlement.functions.isAttestor(epoch, address).call():
        raise SettlementError(
            f"attest: {address} is not an attestor of epoch {epoch}; correct "
            "settlement.attest.key, or let the contract's owner set it"
        )
    return int(epoch)
