"""A matcher that plays a script: the settlement feed over real gRPC, no engine behind it."""

from __future__ import annotations

import threading
from concurrent import futures
from typing import Any

import grpc

from bulkhead.matcher.v1 import settlement_feed_service_pb2 as feed_pb2
from bulkhead.matcher.v1 import settlement_feed_service_pb2_grpc as feed_grpc
from bulkhead.matcher.v1 import settlement_item_pb2 as item_pb2
from bulkhead.types.v1 import signed_index_price_pb2, signed_order_pb2
from bulkhead.types.v1.side_pb2 import Side
from bulkhead.types.v1.time_in_force_pb2 import TimeInForce
from settlement.batch.items import AnyItem, Fill, PriceRow, SignedOrder, Tick

TOKEN = "development-attestor-token"


class ScriptedMatcher(feed_grpc.SettlementFeedServiceServicer):
    """Sends the items that a test appends; keeps what the attestor reports."""

    def __init__(self) -> None:
        self.orders: dict[int, SignedOrder] = {}
        self.items: list[AnyItem] = []
        self.deposits: list[Any] = []
        self.receipts: list[Any] = []
        self.progress: list[Any] = []
        self._changed = threading.Condition()
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        feed_grpc.add_SettlementFeedServiceServicer_to_server(self, self._server)
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._stopped = False
        self._server.start()

    def append(self, *items: AnyItem) -> None:
        """Add items to the end of the feed."""
        with self._changed:
            self.items.extend(items)
            self._changed.notify_all()

    def stop(self) -> None:
        """End the server and its streams."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._server.stop(0).wait()

    def StreamItems(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Send items one by one, each with the orders that come up for the first time."""
        self._check(context)
        position, sent = request.from_item_seq - 1, set[int]()
        if position > len(self.items):
            context.abort(grpc.StatusCode.OUT_OF_RANGE, "no such item yet")
        while context.is_active():
            with self._changed:
                while len(self.items) <= position and not self._stopped:
                    self._changed.wait(0.2)
                if self._stopped or not context.is_active():
                    return
                item = self.items[position]
            position += 1
            new = [n for n in _order_ids(item) if n not in sent]
            sent.update(new)
            yield feed_pb2.StreamItemsResponse(
                orders=[_order(self.orders[order_id]) for order_id in new], items=[_item(item)]
            )

    def ReportChainEvents(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Take what is new and leaves no gap."""
        self._check(context)
        for deposit in request.deposits:
            if deposit.deposit_seq > len(self.deposits) + 1:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "SEQ_GAP")
            if deposit.deposit_seq == len(self.deposits) + 1:
                self.deposits.append(deposit)
        for receipt in request.batch_receipts:
            if receipt.batch_seq > len(self.receipts) + 1:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "SEQ_GAP")
            if receipt.batch_seq == len(self.receipts) + 1:
                self.receipts.append(receipt)
        self.progress.extend(request.batch_progress)
        return feed_pb2.ReportChainEventsResponse(
            deposit_seq=len(self.deposits), batch_seq=len(self.receipts)
        )

    def GetCursor(self, _request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Return what is known."""
        self._check(context)
        return feed_pb2.GetCursorResponse(
            deposit_seq=len(self.deposits), batch_seq=len(self.receipts)
        )

    def _check(self, context: grpc.ServicerContext) -> None:
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


def _order_ids(item: AnyItem) -> list[int]:
    return [item.taker_order_id, item.maker_order_id] if isinstance(item, Fill) else []


def _order(order: SignedOrder) -> item_pb2.SettlementOrder:
    return item_pb2.SettlementOrder(
        order_id=order.order_id,
        order=signed_order_pb2.SignedOrder(
            account=order.account,
            market_id=order.market_id,
            side=Side.Name(order.side + 1),
            time_in_force=TimeInForce.Name(order.time_in_force + 1),
            is_post_only=order.is_post_only,
            is_reduce_only=order.is_reduce_only,
            price_ticks=order.price_ticks,
            qty_lots=order.qty_lots,
            margin_quote=order.margin_quote,
            fee_ppm_max=order.fee_ppm_max,
            nonce=order.nonce,
            expiry_time_s=order.expiry_time_s,
            signature=order.signature,
        ),
    )


def _item(item: AnyItem) -> item_pb2.SettlementItem:
    message = item_pb2.SettlementItem(item_seq=item.item_seq, time_ns=item.time_ns)
    match item:
        case PriceRow():
            index = signed_index_price_pb2.SignedIndexPrice(
                market_id=item.market_id,
                price_ticks=item.index_price_ticks,
                time_ms=item.index_time_ms,
                signature=item.signature,
            )
            message.price.CopyFrom(
                item_pb2.PriceItem(index_price=index, mark_price_ticks=item.mark_price_ticks)
            )
        case Fill():
            message.fill.taker_order_id = item.taker_order_id
            message.fill.maker_order_id = item.maker_order_id
            message.fill.qty_lots = item.qty_lots
        case Tick():
            message.tick.SetInParent()
        case _:
            raise AssertionError(f"the script has no {type(item).__name__}")
    return message
