"""Accepts trading sessions and counts them; one session's life is in trading_session.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkhead.matcher.v1 import trading_service_pb2, trading_service_pb2_grpc
from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from matcher.rpc.status import CallError
from matcher.rpc.trading_session import TradingSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import grpc

    from matcher.rpc.gateway import Gateway


class TradingService(trading_service_pb2_grpc.TradingServiceServicer):
    """See proto/bulkhead/matcher/v1/trading_service.proto."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def Session(  # noqa: N802
        self,
        request_iterator: AsyncIterator[trading_service_pb2.SessionRequest],  # noqa: ARG002
        context: grpc.aio.ServicerContext,
    ) -> None:
        """Run one session from the challenge to its end."""
        gateway = self._gateway
        limit = gateway.limits.session_count_max
        if gateway.session_count >= limit:
            text = f"all {limit} sessions are taken; try again later"
            facts = {"session_count_max": str(limit)}
            raise CallError(ErrorReason.ERROR_REASON_LIMIT_REACHED, text, facts)
        gateway.session_count += 1
        try:
            await TradingSession(gateway, context).run()
        finally:
            gateway.session_count -= 1
