"""Takes index prices that configured oracles have signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkhead.matcher.v1 import oracle_service_pb2 as pb
from bulkhead.matcher.v1 import oracle_service_pb2_grpc
from matcher.engine.reject_reason import RejectReason
from matcher.rpc import convert
from matcher.rpc.auth import signer_of
from matcher.rpc.convert_events import header, wire_enum
from matcher.rpc.gateway import Gateway, now_ns, rejection_of
from matcher.rpc.status import field_error

if TYPE_CHECKING:
    from collections.abc import Collection

    import grpc

    from bulkhead_signing import IndexPrice
    from matcher.engine.commands import Command
    from matcher.oracle import Aggregator


class OracleService(oracle_service_pb2_grpc.OracleServiceServicer):
    """See proto/bulkhead/matcher/v1/oracle_service.proto."""

    def __init__(
        self, gateway: Gateway, signers: Collection[bytes], aggregator: Aggregator
    ) -> None:
        """Take prices signed by one of `signers` (20-byte addresses)."""
        self._gateway = gateway
        self._signers = frozenset(signers)
        self._aggregator = aggregator

    async def SubmitIndexPrices(  # noqa: N802
        self, request: pb.SubmitIndexPricesRequest, context: grpc.aio.ServicerContext
    ) -> pb.SubmitIndexPricesResponse:
        """Take observations in order; each has its own result, and may make a row."""
        del context
        if not request.index_prices:
            raise field_error("index_prices", "at least one entry", 0)
        self._gateway.check_count(len(request.index_prices))
        read = [
            convert.index_price_of(wire, f"index_prices[{position}]")
            for position, wire in enumerate(request.index_prices)
        ]
        commands, positions = [], []
        reasons: list[RejectReason] = []
        for position, (price, signature) in enumerate(read):
            found = self._judge(price, signature)
            if not isinstance(found, RejectReason):
                commands.append(found)
                positions.append(position)
                found = RejectReason.NONE
            reasons.append(found)
        if commands:
            # Taken in by the aggregator already: a row that found no room would be lost.
            applied = await (await self._gateway.sequencer.submit_when_room(commands))
            for position, one in zip(positions, applied, strict=True):
                reasons[position] = rejection_of(one)
        return pb.SubmitIndexPricesResponse(
            header=header(self._gateway.venue),
            reject_reasons=[wire_enum(reason) for reason in reasons],
        )

    def _judge(self, price: IndexPrice, signature: bytes) -> tuple[Command, bytes] | RejectReason:
        """Return the row that the observation completes, or what becomes of it."""
        source = signer_of(self._gateway.domain, price, signature)
        if source is None or source not in self._signers:
            return RejectReason.SIGNATURE_INVALID
        listing = self._gateway.venue.listings.get(price.market_id)
        if listing is None:
            return RejectReason.MARKET_UNKNOWN
        return self._aggregator.add(
            source,
            price,
            signature,
            now_ms=now_ns() // 1_000_000,
            age_max_ms=listing.spec.index_age_max_ms,
        )
