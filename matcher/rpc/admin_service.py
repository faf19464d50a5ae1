"""Operates a running matcher: lists markets, changes their state, tells how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkhead.matcher.v1 import admin_service_pb2 as pb
from bulkhead.matcher.v1 import admin_service_pb2_grpc
from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from matcher.engine.commands import Command
from matcher.envelope import Listing, ShellKind
from matcher.rpc import convert
from matcher.rpc.auth import require_token
from matcher.rpc.convert_events import header
from matcher.rpc.status import CallError, not_known

if TYPE_CHECKING:
    import grpc

    from matcher.rpc.gateway import Gateway


class AdminService(admin_service_pb2_grpc.AdminServiceServicer):
    """See proto/bulkhead/matcher/v1/admin_service.proto."""

    def __init__(self, gateway: Gateway, token: str) -> None:
        """Serve whoever shows the token."""
        self._gateway = gateway
        self._venue = gateway.venue
        self._token = token

    async def ListMarket(  # noqa: N802
        self, request: pb.ListMarketRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListMarketResponse:
        """List a market."""
        require_token(context, self._token)
        listing = convert.listing_of(request.spec, request.display)
        self._check_is_new(listing)
        await self._gateway.apply([list_market_command(listing)])
        if self._venue.listings.get(listing.spec.market_id) != listing:
            text = "the engine has no room for another market"
            raise CallError(ErrorReason.ERROR_REASON_LIMIT_REACHED, text)
        return pb.ListMarketResponse(header=header(self._venue))

    async def SetMarketState(  # noqa: N802
        self, request: pb.SetMarketStateRequest, context: grpc.aio.ServicerContext
    ) -> pb.SetMarketStateResponse:
        """Change what a market admits."""
        require_token(context, self._token)
        command = convert.set_market_state_command(request.market_id, request.state)
        if request.market_id not in self._venue.listings:
            raise not_known(f"market {request.market_id}")
        await self._gateway.apply([command])
        return pb.SetMarketStateResponse(header=header(self._venue))

    async def GetStatus(  # noqa: N802
        self, request: pb.GetStatusRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetStatusResponse:
        """Tell how far the matcher is."""
        del request
        require_token(context, self._token)
        engine = self._venue.engine
        return pb.GetStatusResponse(
            header=header(self._venue),
            item_seq=self._venue.settlement.item_seq,
            journal_bytes=self._gateway.journal_bytes(),
            state_hash=engine.state_hash(),
            account_count=self._venue.accounts.account_count,
            session_count=self._gateway.slots.session_count,
            fees_quote=engine.fees_quote(),
            deposits_quote=engine.deposits_quote(),
            withdrawals_quote=engine.withdrawals_quote(),
        )

    def _check_is_new(self, listing: Listing) -> None:
        for known in self._venue.listings.values():
            if known.spec.market_id == listing.spec.market_id or known.symbol == listing.symbol:
                text = f"market {known.spec.market_id} is listed as {known.symbol}"
                raise CallError(ErrorReason.ERROR_REASON_ALREADY_LISTED, text)


def list_market_command(listing: Listing) -> tuple[Command, bytes]:
    """Return the LIST_MARKET and its extra."""
    return Command(kind=ShellKind.LIST_MARKET), listing.pack()
