"""Converts between the wire's messages and settlement's own structs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from bulkhead.matcher.v1 import chain_event_pb2, settlement_feed_service_pb2, settlement_item_pb2
from bulkhead.settlement.v1 import batch_pb2, relay_service_pb2
from bulkhead.types.v1 import settlement_state_pb2, trigger_pb2
from bulkhead_signing import BulkSignature, Order, is_bulk_signature
from settlement.batch.items import (
    NO_INSTRUCTIONS,
    Adl,
    AnyItem,
    AutoTopUp,
    BulkProof,
    CollateralMove,
    Fill,
    Forced,
    FundFill,
    Funding,
    LiquidationFill,
    Observation,
    Parameters,
    PositionSettled,
    PriceRow,
    SignedOrder,
    Takeover,
    Tick,
    Withdrawal,
)
from settlement.errors import StateMismatchError
from settlement.records import (
    Announcement,
    BatchProgress,
    BatchReceipt,
    BatchState,
    BatchStatus,
    ChainNotice,
    ChainReport,
    Deposit,
    ForcedRequest,
    MatcherCursor,
    SignedBatch,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

FeedResponse = settlement_feed_service_pb2.StreamItemsResponse
ReportRequest = settlement_feed_service_pb2.ReportChainEventsRequest

STATES: Final = {
    BatchState.BATCHED: settlement_state_pb2.SETTLEMENT_STATE_BATCHED,
    BatchState.SUBMITTED: settlement_state_pb2.SETTLEMENT_STATE_SUBMITTED,
    BatchState.SETTLED: settlement_state_pb2.SETTLEMENT_STATE_SETTLED,
}

ItemT = TypeVar("ItemT", bound=AnyItem)

# Items whose message has the names of the struct.
PLAIN_ITEMS: Final[dict[str, type[AnyItem]]] = {
    "fill": Fill,
    "funding": Funding,
    "parameters": Parameters,
    "forced": Forced,
    "tick": Tick,
    "liquidation_fill": LiquidationFill,
    "takeover": Takeover,
    "position_settled": PositionSettled,
    "fund_fill": FundFill,
}


def orders_from_wire(response: FeedResponse) -> list[SignedOrder]:
    """Return the orders that a response of the feed brings, to be read before its items."""
    return [_order_from_wire(order) for order in response.orders]


def items_from_wire(response: FeedResponse) -> list[AnyItem]:
    """Return the items of a response. Raises `StateMismatchError` on an unknown kind."""
    return [_item_from_wire(item) for item in response.items]


def _order_from_wire(message: settlement_item_pb2.SettlementOrder) -> SignedOrder:
    order = message.order
    has_trigger = order.HasField("trigger")
    kind = order.trigger.kind if has_trigger else trigger_pb2.TRIGGER_KIND_UNSPECIFIED
    signed = SignedOrder(
        order_id=message.order_id,
        account=order.account,
        market_id=order.market_id,
        side=order.side - 1,
        time_in_force=order.time_in_force - 1,
        is_post_only=order.is_post_only,
        is_reduce_only=order.is_reduce_only,
        price_ticks=order.price_ticks,
        qty_lots=order.qty_lots,
        margin_quote=order.margin_quote,
        fee_ppm_max=order.fee_ppm_max,
        trigger_kind=int(kind),
        trigger_price_ticks=order.trigger.price_ticks if has_trigger else 0,
        nonce=order.nonce,
        expiry_time_s=order.expiry_time_s,
        signature=order.signature,
        instructions=order.instructions or NO_INSTRUCTIONS,
    )
    return _in_tree(signed) if is_bulk_signature(order.signature) else signed


def _in_tree(order: SignedOrder) -> SignedOrder:
    """Return an order whose signature is a share of a tree's, with its proof (SIG-4)."""
    share = BulkSignature.unpack(order.signature)
    root = share.message_of(Order(**{name: getattr(order, name) for name in Order._fields})).root
    proof = BulkProof(root=root, leaf_index=share.leaf_index, siblings=share.siblings)
    return msgspec.structs.replace(order, signature=share.signature, proof=proof)


def _item_from_wire(item: settlement_item_pb2.SettlementItem) -> AnyItem:
    kind = item.WhichOneof("item")
    plain = PLAIN_ITEMS.get(kind or "")
    if plain is not None:
        return _read(plain, item, getattr(item, kind))
    match kind:
        case "price":
            return _price_from_wire(item)
        case "collateral_move":
            return _read(CollateralMove, item, item.collateral_move.move)
        case "withdrawal":
            withdrawal = item.withdrawal.withdrawal
            return _read(Withdrawal, item, withdrawal, to=withdrawal.receiver)
        case "auto_top_up":
            amount_quote = item.auto_top_up.amount_quote
            signed = item.auto_top_up.instruction
            return _read(AutoTopUp, item, signed, amount_quote=amount_quote)
        case "adl":
            return _read(Adl, item, item.adl, counterparty=item.adl.counterparty_account)
        case _:
            raise StateMismatchError(
                f"item {item.item_seq} of the settlement feed is of a kind that this attestor does "
                f"not know ({kind}); install the release that the matcher runs"
            )


def _read(
    item_type: type[ItemT],
    item: settlement_item_pb2.SettlementItem,
    message: Message,
    **other: int | bytes,
) -> ItemT:
    """Return a struct of what the message holds under the same names, and of `other`."""
    known: dict[str, Any] = {"item_seq": item.item_seq, "time_ns": item.time_ns, **other}
    names = (name for name in item_type.__struct_fields__ if name not in known)
    return item_type(**known, **{name: getattr(message, name) for name in names})


def _price_from_wire(item: settlement_item_pb2.SettlementItem) -> PriceRow:
    index = item.price.index_price
    return PriceRow(
        item_seq=item.item_seq,
        time_ns=item.time_ns,
        market_id=index.market_id,
        index_price_ticks=index.price_ticks,
        mark_price_ticks=item.price.mark_price_ticks,
        index_time_ms=index.time_ms,
        signature=index.signature,
        observations=tuple(
            Observation(
                price_ticks=seen.price_ticks, time_ms=seen.time_ms, signature=seen.signature
            )
            for seen in item.price.observations
        ),
    )


def batch_to_wire(batch: SignedBatch) -> batch_pb2.SignedBatch:
    """Return the message of a signed batch."""
    return batch_pb2.SignedBatch(
        batch_seq=batch.batch_seq,
        epoch=batch.epoch,
        previous_digest=batch.previous_digest,
        digest=batch.digest,
        payload=batch.payload,
        signatures=batch.signatures,
        first_item_seq=batch.first_item_seq,
        last_item_seq=batch.last_item_seq,
        gas_estimate=batch.gas_estimate,
    )


def batch_from_wire(message: batch_pb2.SignedBatch) -> SignedBatch:
    """Return the signed batch of a message."""
    return SignedBatch(
        batch_seq=message.batch_seq,
        epoch=message.epoch,
        previous_digest=message.previous_digest,
        digest=message.digest,
        payload=message.payload,
        signatures=tuple(message.signatures),
        first_item_seq=message.first_item_seq,
        last_item_seq=message.last_item_seq,
        gas_estimate=message.gas_estimate,
    )


def batch_response(batch: SignedBatch, status: BatchStatus) -> relay_service_pb2.GetBatchResponse:
    """Return the answer about one batch, without its header."""
    return relay_service_pb2.GetBatchResponse(
        batch=batch_to_wire(batch),
        state=STATES[status.state],
        tx_hash=status.tx_hash,
        block_number=status.block_number,
    )


def report_to_wire(report: ChainReport) -> ReportRequest:
    """Return the message that tells the matcher what happened on the chain."""
    return ReportRequest(
        deposits=[_deposit_to_wire(deposit) for deposit in report.deposits],
        batch_progress=[_progress_to_wire(progress) for progress in report.progress],
        batch_receipts=[_receipt_to_wire(receipt) for receipt in report.receipts],
        announcements=[_announcement_to_wire(one) for one in report.announcements],
        requests=[_request_to_wire(request) for request in report.requests],
        notices=[_notice_to_wire(notice) for notice in report.notices],
    )


def cursor_from_wire(
    message: settlement_feed_service_pb2.GetCursorResponse
    | settlement_feed_service_pb2.ReportChainEventsResponse,
) -> MatcherCursor:
    """Return what the matcher knows of the chain."""
    return MatcherCursor(
        deposit_seq=message.deposit_seq,
        batch_seq=message.batch_seq,
        request_seq=message.request_seq,
    )


def _deposit_to_wire(deposit: Deposit) -> chain_event_pb2.ChainDeposit:
    return chain_event_pb2.ChainDeposit(
        deposit_seq=deposit.deposit_seq,
        account=deposit.account,
        amount_quote=deposit.amount_quote,
        block_number=deposit.block_number,
        tx_hash=deposit.tx_hash,
    )


def _announcement_to_wire(one: Announcement) -> chain_event_pb2.ParametersAnnouncement:
    message = chain_event_pb2.ParametersAnnouncement(
        announcement_seq=one.announcement_seq, effective_time_s=one.effective_time_s
    )
    message.spec.market_id = one.market_id
    for name, value in one.params.items():
        setattr(message.spec, name, value)
    for floor_quote, initial_ppm, maintenance_ppm in one.tiers:
        message.spec.tiers.add(
            notional_floor_quote=floor_quote,
            margin_initial_ppm=initial_ppm,
            margin_maintenance_ppm=maintenance_ppm,
        )
    return message


def _request_to_wire(request: ForcedRequest) -> chain_event_pb2.ChainRequest:
    return chain_event_pb2.ChainRequest(
        request_id=request.request_id,
        account=request.account,
        kind=request.kind,  # type: ignore[arg-type]
        market_id=request.market_id,
        amount_or_nonce=request.amount,
        further_nonces=request.further_nonces,
    )


def _notice_to_wire(notice: ChainNotice) -> chain_event_pb2.ChainNotice:
    return chain_event_pb2.ChainNotice(
        block_number=notice.block_number,
        log_index=notice.log_index,
        risk_pause=chain_event_pb2.RiskPause(is_paused=notice.is_risk_paused),
    )


def _progress_to_wire(progress: BatchProgress) -> chain_event_pb2.BatchProgress:
    return chain_event_pb2.BatchProgress(
        batch_seq=progress.batch_seq,
        state=STATES[progress.state],
        first_item_seq=progress.first_item_seq,
        last_item_seq=progress.last_item_seq,
        tx_hash=progress.tx_hash,
    )


def _receipt_to_wire(receipt: BatchReceipt) -> chain_event_pb2.BatchReceipt:
    return chain_event_pb2.BatchReceipt(
        batch_seq=receipt.batch_seq,
        first_item_seq=receipt.first_item_seq,
        last_item_seq=receipt.last_item_seq,
        block_number=receipt.block_number,
        tx_hash=receipt.tx_hash,
        rejected_items=[
            chain_event_pb2.RejectedItem(item_seq=item.item_seq, reason=item.reason)  # type: ignore[arg-type]
            for item in receipt.rejected_items
        ],
    )
