"""The attestor's connection to the matcher's SettlementFeedService."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
from grpc.aio import AioRpcError

from bulkhead.matcher.v1 import settlement_feed_service_pb2 as feed_pb2
from bulkhead.matcher.v1 import settlement_feed_service_pb2_grpc as feed_grpc
from settlement import wire
from settlement.rpc.errors import error_from_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType
    from typing import Self

    from settlement.batch.items import AnyItem, SignedOrder
    from settlement.records import ChainReport, MatcherCursor

CALL_TIMEOUT_S: Final = 10
# A tick comes every 250 ms: a feed that is silent for longer than this is dead.
KEEPALIVE_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", 64 << 20),
)
WHO: Final = "matcher"


class MatcherClient:
    """Reads the settlement feed and reports chain events. Errors: `SettlementError` families."""

    def __init__(self, target: str, token: str) -> None:
        self._target = target
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def __aenter__(self) -> Self:
        """Open the channel; nothing is sent before the first call."""
        self._channel = grpc.aio.insecure_channel(self._target, options=KEEPALIVE_OPTIONS)
        self._stub = feed_grpc.SettlementFeedServiceStub(self._channel)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the channel."""
        await self._channel.close()

    async def stream_items(
        self, from_item_seq: int
    ) -> AsyncIterator[tuple[list[SignedOrder], list[AnyItem]]]:
        """Yield orders and the items after them, from an item on, for ever."""
        request = feed_pb2.StreamItemsRequest(from_item_seq=from_item_seq)
        try:
            async for response in self._stub.StreamItems(request, metadata=self._metadata):
                yield wire.orders_from_wire(response), wire.items_from_wire(response)
        except AioRpcError as exc:
            raise error_from_status(exc, who=WHO, target=self._target) from exc

    async def report(self, report: ChainReport) -> MatcherCursor:
        """Tell what happened on the chain; return what the matcher knows now."""
        try:
            response = await self._stub.ReportChainEvents(
                wire.report_to_wire(report), metadata=self._metadata, timeout=CALL_TIMEOUT_S
            )
        except AioRpcError as exc:
            raise error_from_status(exc, who=WHO, target=self._target) from exc
        return wire.cursor_from_wire(response)

    async def cursor(self) -> MatcherCursor:
        """Return what the matcher knows of the chain."""
        try:
            response = await self._stub.GetCursor(
                feed_pb2.GetCursorRequest(), metadata=self._metadata, timeout=CALL_TIMEOUT_S
            )
        except AioRpcError as exc:
            raise error_from_status(exc, who=WHO, target=self._target) from exc
        return wire.cursor_from_wire(response)
