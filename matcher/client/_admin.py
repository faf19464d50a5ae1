"""The operator's client: lists markets, changes their state, asks for the matcher's status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from bulkhead.matcher.v1 import admin_service_pb2, admin_service_pb2_grpc
from bulkhead.types.v1 import market_spec_pb2
from matcher.client._channel import TIMEOUT_S, open_channel, unary
from matcher.client._convert import spec_message
from matcher.client._public import PublicCalls
from matcher.client._types import MarketDisplay, MatcherStatus

if TYPE_CHECKING:
    import grpc

    from margin_core.market_spec import MarketSpec
    from matcher.engine.commands import MarketState


class AdminClient(PublicCalls):
    """A connection to the matcher with the operator's token. Use `async with`."""

    def __init__(self, channel: grpc.aio.Channel, token: str, timeout_s: float) -> None:
        """Call over a channel with the operator's token."""
        super().__init__(channel, timeout_s)
        self._token = token
        self._admin = admin_service_pb2_grpc.AdminServiceStub(channel)

    @classmethod
    async def connect(
        cls,
        target: str,
        token: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Self:
        """Return a connection; `token` is that of the matcher's configuration.

        Raises:
            ConnectError: Nobody answers at `target`.
        """
        return cls(await open_channel(target, credentials, timeout_s), token, timeout_s)

    async def list_market(self, spec: MarketSpec, display: MarketDisplay) -> None:
        """List a market. Raises `InvalidRequestError`."""
        request = admin_service_pb2.ListMarketRequest(
            spec=spec_message(spec),
            display=market_spec_pb2.MarketDisplay(
                symbol=display.symbol,
                price_tick_e9=display.price_tick_e9,
                qty_lot_e9=display.qty_lot_e9,
                collateral_decimals=display.collateral_decimals,
            ),
        )
        await unary(self._admin.ListMarket, request, timeout_s=self._timeout_s, token=self._token)

    async def set_market_state(self, market_id: int, state: MarketState) -> None:
        """Change what a market admits. Raises `NotKnownError`."""
        request = admin_service_pb2.SetMarketStateRequest(market_id=market_id, state=state)  # type: ignore[arg-type]
        await unary(
            self._admin.SetMarketState, request, timeout_s=self._timeout_s, token=self._token
        )

    async def status(self) -> MatcherStatus:
        """Return how far the matcher is."""
        response = await unary(
            self._admin.GetStatus,
            admin_service_pb2.GetStatusRequest(),
            timeout_s=self._timeout_s,
            token=self._token,
        )
        return MatcherStatus(
            command_seq=response.header.command_seq,
            item_seq=response.item_seq,
            journal_bytes=response.journal_bytes,
            state_hash=response.state_hash,
            account_count=response.account_count,
            session_count=response.session_count,
            fees_quote=response.fees_quote,
            deposits_quote=response.deposits_quote,
            withdrawals_quote=response.withdrawals_quote,
        )
