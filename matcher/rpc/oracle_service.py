"""Takes index prices that configured oracles have signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkhead.matcher.v1 import oracle_service_pb2 as pb
from bulkhead.matcher.v1 import oracle_service_pb2_grpc
from matcher.engine.reject_reason import RejectReason
from matcher.rpc import convert
from matcher.rpc.auth import signer_of
from matcher.rpc.convert_events import header, wire_enum
from matcher.rpc.gateway import Gateway, rejection_of
from matcher.rpc.status import field_error

if TYPE_CHECKING:
    from collections.abc import Collection

    import grpc


class OracleService(oracle_service_pb2_grpc.OracleServiceServicer):
    """See proto/bulkhead/matcher/v1/oracle_service.proto."""

    def __init__(self, gateway: Gateway, signers: Collection[bytes]) -> None:
        """Take prices signed by one of `signers` (20-byte addresses)."""
        self._gateway = gateway
        self._signers = frozenset(signers)

    async def SubmitIndexPrices(  # noqa: N802
        self, request: pb.SubmitIndexPricesRequest, context: grpc.aio.ServicerContext
    ) -> pb.SubmitIndexPricesResponse:
        """Apply prices in order; each has its own result."""
        del context
        if not request.index_prices:
            raise field_error("index_prices", "at least one entry", 0)
        self._gateway.check_count(len(request.index_prices))
        commands = []
        positions = []
        reasons = [RejectReason.SIGNATURE_INVALID] * len(request.index_prices)
        for position, wire in enumerate(request.index_prices):
            price, signature = convert.index_price_of(wire, f"index_prices[{position}]")
            if signer_of(self._gateway.domain, price, signature) in self._signers:
                commands.append(convert.price_command(price, signature))
                positions.append(position)
        if commands:
            applied = await self._gateway.apply(commands)
            for position, one in zip(positions, applied, strict=True):
                reasons[position] = rejection_of(one)
        return pb.SubmitIndexPricesResponse(
            header=header(self._gateway.venue),
            reject_reasons=[wire_enum(reason) for reason in reasons],
        )
