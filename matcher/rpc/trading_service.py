"""Accepts trading sessions and counts them; one session's life is in trading_session.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkhead.matcher.v1 import trading_service_pb2, trading_service_pb2_grpc
from matcher.rpc.slots import host_of
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
        slots = self._gateway.slots
        host = host_of(context.peer())
        slots.enter(host)
        session = TradingSession(self._gateway, context, on_member=lambda: slots.promote(host))
        try:
            await session.run()
        finally:
            slots.leave(host, is_member=session.is_member)
