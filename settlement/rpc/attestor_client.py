"""A relayer's connection to an attestor's RelayService."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
from grpc.aio import AioRpcError

from bulkhead.settlement.v1 import relay_service_pb2, relay_service_pb2_grpc
from settlement import wire
from settlement.rpc.errors import error_from_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType
    from typing import Self

    from settlement.records import SignedBatch

CALL_TIMEOUT_S: Final = 10
OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
WHO: Final = "attestor"


class AttestorClient:
    """Fetches signed batches. Errors: `SettlementError` families."""

    def __init__(self, target: str) -> None:
        self._target = target

    async def __aenter__(self) -> Self:
        """Open the channel; nothing is sent before the first call."""
        self._channel = grpc.aio.insecure_channel(self._target, options=OPTIONS)
        self._stub = relay_service_pb2_grpc.RelayServiceStub(self._channel)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the channel."""
        await self._channel.close()

    async def stream_batches(self, from_batch_seq: int) -> AsyncIterator[SignedBatch | None]:
        """Yield batches in order, for ever; None at least once a second while idle."""
        request = relay_service_pb2.StreamBatchesRequest(from_batch_seq=from_batch_seq)
        try:
            async for response in self._stub.StreamBatches(request):
                has_batch = response.HasField("batch")
                yield wire.batch_from_wire(response.batch) if has_batch else None
        except AioRpcError as exc:
            raise error_from_status(exc, who=WHO, target=self._target) from exc

    async def report_submission(self, batch_seq: int, *, tx_hash: bytes, relayer: bytes) -> None:
        """Tell that a transaction with a batch was sent. Only informs."""
        request = relay_service_pb2.ReportSubmissionRequest(
            batch_seq=batch_seq, tx_hash=tx_hash, relayer=relayer
        )
        try:
            await self._stub.ReportSubmission(request, timeout=CALL_TIMEOUT_S)
        except AioRpcError as exc:
            raise error_from_status(exc, who=WHO, target=self._target) from exc
