"""RelayService: hands signed batches to relayers, and the server that carries it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from bulkhead.settlement.v1 import relay_service_pb2, relay_service_pb2_grpc
from bulkhead.types.v1 import error_reason_pb2, response_header_pb2
from settlement import wire
from settlement.errors import SettlementError
from settlement.process import wait_for
from settlement.records import BatchState, BatchStatus
from settlement.rpc.errors import abort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from grpc.aio import Server, ServicerContext

    from settlement.outbox import Outbox

IDLE_S: Final = 1.0
TX_HASH_BYTES: Final = 32
ADDRESS_BYTES: Final = 20


class NewBatches:
    """Wakes the streams that wait for the next batch."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def announce(self) -> None:
        """Wake everybody who waits now."""
        self._event.set()
        self._event = asyncio.Event()

    def next_event(self) -> asyncio.Event:
        """Return the event that the next announcement sets."""
        return self._event


class RelayService(relay_service_pb2_grpc.RelayServiceServicer):
    """Reads the outbox; the only thing that it changes is a batch's state SUBMITTED."""

    def __init__(
        self,
        outbox: Outbox,
        new_batches: NewBatches,
        on_submission: Callable[[int, bytes], Awaitable[None]],
    ) -> None:
        self._outbox = outbox
        self._new_batches = new_batches
        self._on_submission = on_submission

    async def StreamBatches(  # noqa: N802 - the name of the call
        self, request: relay_service_pb2.StreamBatchesRequest, context: ServicerContext
    ) -> AsyncIterator[relay_service_pb2.StreamBatchesResponse]:
        """Send batches from a number on, in order, and a sign of life at once and while idle."""
        batch_seq, last_batch_seq = request.from_batch_seq, self._outbox.last_batch_seq()
        if batch_seq < 1:
            await _refuse_number(context, "from_batch_seq", batch_seq)
        if batch_seq > last_batch_seq + 1:
            await abort(
                context,
                error_reason_pb2.ERROR_REASON_SEQ_OUT_OF_RANGE,
                f"from_batch_seq {batch_seq}: expected at most {last_batch_seq + 1}",
                {"from_batch_seq": str(batch_seq), "last_batch_seq": str(last_batch_seq)},
            )
        yield relay_service_pb2.StreamBatchesResponse(header=self._header())
        while True:
            announced = self._new_batches.next_event()
            batch = self._outbox.find(batch_seq)
            if batch is not None:
                yield relay_service_pb2.StreamBatchesResponse(
                    header=self._header(), batch=wire.batch_to_wire(batch)
                )
                batch_seq += 1
            elif not await wait_for(announced, IDLE_S):
                yield relay_service_pb2.StreamBatchesResponse(header=self._header())

    async def GetBatch(  # noqa: N802 - the name of the call
        self, request: relay_service_pb2.GetBatchRequest, context: ServicerContext
    ) -> relay_service_pb2.GetBatchResponse:
        """Return one batch and where it stands."""
        batch = self._outbox.find(request.batch_seq)
        if batch is None:
            await _refuse_unknown(context, request.batch_seq)
        assert batch is not None
        response = wire.batch_response(batch, self._outbox.status(request.batch_seq))
        response.header.CopyFrom(self._header())
        return response

    async def ReportSubmission(  # noqa: N802 - the name of the call
        self, request: relay_service_pb2.ReportSubmissionRequest, context: ServicerContext
    ) -> relay_service_pb2.ReportSubmissionResponse:
        """Note that a relayer sent a batch; the matcher is told too."""
        if len(request.tx_hash) != TX_HASH_BYTES:
            await _refuse_number(context, "tx_hash (bytes)", len(request.tx_hash))
        if len(request.relayer) != ADDRESS_BYTES:
            await _refuse_number(context, "relayer (bytes)", len(request.relayer))
        if self._outbox.find(request.batch_seq) is None:
            await _refuse_unknown(context, request.batch_seq)
        status = BatchStatus(state=BatchState.SUBMITTED, tx_hash=request.tx_hash)
        if self._outbox.move(request.batch_seq, status):
            await self._on_submission(request.batch_seq, request.tx_hash)
        return relay_service_pb2.ReportSubmissionResponse(header=self._header())

    def _header(self) -> response_header_pb2.ResponseHeader:
        return response_header_pb2.ResponseHeader(command_seq=self._outbox.last_item_seq())


async def start_server(
    service: RelayService, *, listen: str, streams_max: int
) -> tuple[Server, str]:
    """Serve until stopped; return the server and where it listens (port 0: any free one).

    Raises:
        SettlementError: The address is in use.
    """
    server = grpc.aio.server(
        maximum_concurrent_rpcs=streams_max, options=(("grpc.so_reuseport", 0),)
    )
    relay_service_pb2_grpc.add_RelayServiceServicer_to_server(service, server)
    name = relay_service_pb2.DESCRIPTOR.services_by_name["RelayService"].full_name
    health_service = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_service, server)
    await health_service.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((name, reflection.SERVICE_NAME), server)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as exc:
        raise SettlementError(
            f"attest: cannot listen on {listen}; end the other process or choose another --listen"
        ) from exc
    await server.start()
    return server, f"{listen.rpartition(':')[0]}:{port}"


async def _refuse_number(context: ServicerContext, field: str, value: int) -> None:
    await abort(
        context,
        error_reason_pb2.ERROR_REASON_FIELD_INVALID,
        f"{field}: {value} is out of range",
        {"field": field, "value": str(value)},
    )


async def _refuse_unknown(context: ServicerContext, batch_seq: int) -> None:
    await abort(
        context,
        error_reason_pb2.ERROR_REASON_NOT_KNOWN,
        f"there is no batch {batch_seq}",
        {"batch_seq": str(batch_seq)},
    )
