"""Follows the chain block by block and reports deposits and receipts to the matcher, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
from eth_typing import HexStr
from web3.exceptions import BlockNotFound

from settlement.errors import (
    ChainUnreachableError,
    FeedUnreachableError,
    SequenceGapError,
    SettlementError,
    StateMismatchError,
)
from settlement.outbox import Identity, Mark
from settlement.records import (
    MARKET_PARAM_NAMES,
    Announcement,
    BatchReceipt,
    BatchState,
    BatchStatus,
    ChainNotice,
    ChainReport,
    Deposit,
    ForcedRequest,
    MatcherCursor,
    RejectedItem,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from settlement.config import AttestTable
    from settlement.node import Node
    from settlement.outbox import Outbox
    from settlement.process import Backoff
    from settlement.records import SignedBatch
    from settlement.rpc.matcher_client import MatcherClient

log: Final = structlog.get_logger()

EVENTS_PER_REPORT_MAX: Final = 500
LOG_INDEX_BITS: Final = 20
CANCEL: Final = 6  # RequestKind of the contract
EVENT_NAMES: Final = (
    "Deposited",
    "BatchSettled",
    "ItemRejected",
    "WithdrawalFailed",
    "AttestorsSet",
    "MarketParamsAnnounced",
    "ForcedRequested",
    "RiskPaused",
    "RiskResumed",
)
# What an operator has to know of; the engine has no command for it.
NOTICE_NAMES: Final = (
    "ExitEntered",
    "MarketParamsChanged",
    "MigrationAnnounced",
    "ProposalExecuted",
    "Proposed",
    "RequestServed",
    "RequestSetAside",
    "WithdrawalWaits",
)


Reported = TypeVar("Reported", Deposit, ForcedRequest, ChainNotice, Announcement, BatchReceipt)


class _OutboxBehindError(Exception):
    """The chain has settled a batch that this attestor has not built yet."""


class Watcher:
    """Reads confirmed blocks; what was read and reported is marked in the outbox."""

    def __init__(
        self, node: Node, outbox: Outbox, matcher: MatcherClient, table: AttestTable, epoch: int
    ) -> None:
        self._node = node
        self._outbox = outbox
        self._matcher = matcher
        self._epoch = epoch
        self._confirmation_count = table.confirmation_count
        self._block_range_max = table.block_range_max
        self._poll_s = table.poll_interval_ms / 1_000
        self._events = {
            event.topic: event
            for event in (node.settlement.events[name]() for name in EVENT_NAMES + NOTICE_NAMES)
        }
        self._cursor = MatcherCursor(deposit_seq=0, batch_seq=0)

    async def follow_chain(self, backoff: Backoff, on_contact: Callable[[], None]) -> None:
        """Report for ever; call `on_contact` once, when matcher and chain have answered.

        Raises:
            SettlementError: Chain, outbox and matcher disagree, or one of them never answered.
        """
        is_cursor_known, has_contact = False, False
        while True:
            try:
                if not is_cursor_known:
                    self._cursor = await self._matcher.cursor()
                    is_cursor_known = True
                has_advanced = await self.advance()
                backoff.reset()
                if not has_contact:
                    has_contact = True
                    on_contact()
            except (FeedUnreachableError, ChainUnreachableError) as exc:
                is_cursor_known = False
                await backoff.wait(exc)
                continue
            except SequenceGapError as exc:
                self._start_over(exc)
                is_cursor_known = False
                continue
            if not has_advanced:
                await asyncio.sleep(self._poll_s)

    async def advance(self) -> bool:
        """Read and report the next blocks; return whether there were any."""
        with self._node.errors():
            mark = await self._mark_on_chain()
            first = mark.block_number + 1 if mark else self._node.addresses.deploy_block
            head = await self._node.web3.eth.block_number
            last = min(head - self._confirmation_count, first + self._block_range_max - 1)
            if last < first:
                return False
            block: Any = await self._node.web3.eth.get_block(last)
            logs = await self._logs(first, last)
        try:
            report = self._read(logs)
        except _OutboxBehindError:
            return False
        await self._report(report)
        self._settle(report.receipts)
        self._outbox.add_mark(Mark(block_number=last, block_hash=bytes(block["hash"])))
        return True

    async def _mark_on_chain(self) -> Mark | None:
        """Return the newest mark whose block is still on the chain; forget those that are not.

        A mark that is on the chain proves that it is the same chain. Without one the deployment's
        block is looked at: a chain made anew is no reorganisation.

        Raises:
            StateMismatchError: The chain is of another deployment than the outbox.
        """
        has_stepped_back, is_checked = False, False
        while (mark := self._outbox.mark()) is not None:
            try:
                block: Any = await self._node.web3.eth.get_block(mark.block_number)
            except BlockNotFound:
                block = None
            if block is not None and bytes(block["hash"]) == mark.block_hash:
                break
            if not is_checked:
                await expect_deployment_of(self._outbox, self._node)
                is_checked = True
            log.error("chain.reorganised", block_number=mark.block_number)
            self._outbox.remove_mark(mark.block_number)
            has_stepped_back = True
        if mark is None and not is_checked:
            await expect_deployment_of(self._outbox, self._node)
        if has_stepped_back:
            self._outbox.unsettle_after(mark.block_number if mark else 0)
        return mark

    async def _logs(self, first: int, last: int) -> list[Any]:
        logs = await self._node.web3.eth.get_logs(
            {
                "address": self._node.settlement.address,
                "fromBlock": first,
                "toBlock": last,
                "topics": [list(self._events)],
            }
        )
        return sorted(logs, key=lambda entry: (entry["blockNumber"], entry["logIndex"]))

    def _event(self, entry: Any) -> Any:  # noqa: ANN401 - web3's log and event data
        return self._events[HexStr(entry["topics"][0].to_0x_hex())].process_log(entry)

    def _read(self, logs: Sequence[Any]) -> ChainReport:
        """Return what the matcher does not know yet, in order."""
        deposits: list[Deposit] = []
        receipts: list[BatchReceipt] = []
        requests: list[ForcedRequest] = []
        notices: list[ChainNotice] = []
        announcements: list[Announcement] = []
        refused: dict[int, list[tuple[int, int]]] = {}
        for entry in logs:
            event = self._event(entry)
            args = event["args"]
            match event["event"]:
                case "Deposited":
                    if args["depositSeq"] > self._cursor.deposit_seq:
                        deposits.append(_deposit(event))
                case "ItemRejected":
                    refusal = (args["itemIndex"], int(args["reason"]))
                    refused.setdefault(args["sequence"], []).append(refusal)
                case "BatchSettled":
                    receipts.append(self._receipt(event, refused.pop(args["sequence"], [])))
                case "ForcedRequested":
                    # Unserved within the contract's delay, it lets anybody end the venue.
                    log.warning("chain.request", args=str(dict(args)))
                    if args["id"] > self._cursor.request_seq:
                        requests.append(_request(args))
                case "RiskPaused" | "RiskResumed":
                    log.warning("chain.notice", name=event["event"], args=str(dict(args)))
                    notices.append(_pause(event))
                case "MarketParamsAnnounced":
                    log.info("chain.parameters_announced", args=str(dict(args)))
                    announcements.append(_announcement(event))
                case "AttestorsSet":
                    self._check_epoch(args["epoch"])
                case name if name in NOTICE_NAMES:
                    log.warning("chain.notice", name=name, args=str(dict(args)))
                case name:
                    log.error("chain.incident", name=name, args=str(dict(args)))
        return ChainReport(
            deposits=tuple(deposits),
            receipts=tuple(receipts),
            requests=tuple(requests),
            notices=tuple(notices),
            announcements=tuple(announcements),
        )

    def _check_epoch(self, epoch: int) -> None:
        """Stop when the attestors were replaced: what would be signed now is void (GOV-6)."""
        if epoch > self._epoch:
            raise SettlementError(
                f"attest: the attestors of epoch {epoch} have replaced those of epoch "
                f"{self._epoch}; start again with a key of theirs, it signs anew what is unsettled"
            )

    def _receipt(self, event: Any, refused: list[tuple[int, int]]) -> BatchReceipt:  # noqa: ANN401
        batch_seq = event["args"]["sequence"]
        batch = self._outbox.find(batch_seq)
        if batch is None:
            raise _OutboxBehindError
        if bytes(event["args"]["digest"]) != batch.digest:
            raise StateMismatchError(
                f"batch {batch_seq} on chain is not the one in the outbox "
                f"({event['args']['digest'].hex()}, expected {batch.digest.hex()}); "
                "another attestor sees another feed: stop and compare the journals"
            )
        return BatchReceipt(
            batch_seq=batch_seq,
            first_item_seq=batch.first_item_seq,
            last_item_seq=batch.last_item_seq,
            block_number=event["blockNumber"],
            tx_hash=bytes(event["transactionHash"]),
            rejected_items=self._rejected(batch, refused),
        )

    def _rejected(
        self, batch: SignedBatch, refused: list[tuple[int, int]]
    ) -> tuple[RejectedItem, ...]:
        """Name the feed items behind refused payload items; prices and clocks have none."""
        item_seqs = self._outbox.item_seqs(batch.batch_seq)
        items: list[RejectedItem] = []
        for index, reason in refused:
            item_seq = item_seqs[index]
            log.error(
                "item.refused",
                batch_seq=batch.batch_seq,
                item_index=index,
                item_seq=item_seq,
                reason=reason,
            )
            if batch.first_item_seq <= item_seq <= batch.last_item_seq:
                items.append(RejectedItem(item_seq=item_seq, reason=reason))
        return tuple(items)

    async def _report(self, found: ChainReport) -> None:
        """Tell the matcher, few events a call, and each kind after what it may need."""
        batch_seq = self._cursor.batch_seq
        receipts = tuple(one for one in found.receipts if one.batch_seq > batch_seq)
        for deposits in _parts(found.deposits):
            self._cursor = await self._matcher.report(ChainReport(deposits=deposits))
        for requests in _parts(found.requests):
            self._cursor = await self._matcher.report(ChainReport(requests=requests))
        for notices in _parts(found.notices):
            self._cursor = await self._matcher.report(ChainReport(notices=notices))
        for announcements in _parts(found.announcements):
            self._cursor = await self._matcher.report(ChainReport(announcements=announcements))
        for part in _parts(receipts):
            self._cursor = await self._matcher.report(ChainReport(receipts=part))

    def _settle(self, receipts: Sequence[BatchReceipt]) -> None:
        for receipt in receipts:
            status = BatchStatus(
                state=BatchState.SETTLED,
                tx_hash=receipt.tx_hash,
                block_number=receipt.block_number,
            )
            self._outbox.move(receipt.batch_seq, status)
            log.info("batch.settled", batch_seq=receipt.batch_seq)

    def _start_over(self, exc: SequenceGapError) -> None:
        """Read the chain from the deployment on again: the matcher knows less than was marked."""
        if self._outbox.mark() is None:
            raise StateMismatchError(f"{exc}; the chain holds no event before it") from exc
        log.warning("watcher.starts_over", reason=str(exc))
        self._outbox.clear_marks()


async def expect_deployment_of(outbox: Outbox, node: Node) -> None:
    """Refuse an outbox of another deployment: signing for it would fork the hash chain.

    Raises:
        ChainUnreachableError: The node does not answer, or has no block of the deployment.
        StateMismatchError: The outbox is of another chain, or of this one before it was made anew.
    """
    identity = Identity(
        chain_id=node.addresses.chain_id,
        settlement=node.addresses.settlement_bytes,
        deploy_block_hash=await node.deploy_block_hash(),
    )
    outbox.expect_identity(identity)


def _deposit(event: Any) -> Deposit:  # noqa: ANN401 - web3's event data
    args = event["args"]
    return Deposit(
        deposit_seq=args["depositSeq"],
        account=bytes.fromhex(args["account"].removeprefix("0x")),
        amount_quote=args["amountQuote"],
        block_number=event["blockNumber"],
        tx_hash=bytes(event["transactionHash"]),
    )


def _announcement(event: Any) -> Announcement:  # noqa: ANN401 - web3's event data
    args = event["args"]
    tiers = [_in_order(tier) for tier in args["tiers"]]
    return Announcement(
        announcement_seq=(event["blockNumber"] << LOG_INDEX_BITS) + event["logIndex"],
        market_id=args["marketId"],
        params=dict(zip(MARKET_PARAM_NAMES, _in_order(args["params"]), strict=True)),
        tiers=tuple((floor, initial, maintenance) for floor, initial, maintenance in tiers),
        effective_time_s=args["effectiveTimeS"],
    )


def _in_order(struct: Any) -> tuple[int, ...]:  # noqa: ANN401 - web3 gives a mapping or a tuple
    return tuple(struct.values() if isinstance(struct, Mapping) else struct)


def _request(args: Any) -> ForcedRequest:  # noqa: ANN401 - web3's event data
    return ForcedRequest(
        request_id=args["id"],
        account=bytes.fromhex(args["account"].removeprefix("0x")),
        kind=int(args["kind"]),
        market_id=args["marketId"],
        amount=args["amount"],
        further_nonces=int(args["to"], 16) if args["kind"] == CANCEL else 0,
    )


def _pause(event: Any) -> ChainNotice:  # noqa: ANN401 - web3's event data
    return ChainNotice(
        block_number=event["blockNumber"],
        log_index=event["logIndex"],
        is_risk_paused=event["event"] == "RiskPaused",
    )


def _parts(found: tuple[Reported, ...]) -> Iterator[tuple[Reported, ...]]:
    """Yield what was found in pieces that fit into one call."""
    for start in range(0, len(found), EVENTS_PER_REPORT_MAX):
        yield found[start : start + EVENTS_PER_REPORT_MAX]
