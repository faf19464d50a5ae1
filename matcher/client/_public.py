"""What needs no login: markets, books, market data, and index prices of oracle signers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import grpc

from bulkhead.matcher.v1 import (
    market_data_service_pb2,
    market_data_service_pb2_grpc,
    oracle_service_pb2,
    oracle_service_pb2_grpc,
)
from matcher.client._book import LocalBook
from matcher.client._channel import TIMEOUT_S, open_channel, unary
from matcher.client._convert import decode, index_price_message, market_event
from matcher.client._errors import ConnectError, NotKnownError, ProtocolError, rpc_error
from matcher.engine.reject_reason import RejectReason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bulkhead_signing import Domain, IndexPrice, SigningKey
    from matcher.client._market_events import MarketEvent
    from matcher.client._types import Book, Market


class MarketDataStream:
    """The events of some markets, and their books as of the event yielded last.

    Attributes:
        books: Book by market_id; a market is there from its first snapshot on.
    """

    def __init__(
        self, stub: market_data_service_pb2_grpc.MarketDataServiceStub, market_ids: Sequence[int]
    ) -> None:
        """Prepare; iterating starts the stream."""
        self.books: dict[int, LocalBook] = {}
        self._stub = stub
        self._request = market_data_service_pb2.StreamMarketDataRequest(market_ids=market_ids)

    async def __aiter__(self) -> AsyncIterator[MarketEvent]:
        """Yield events in order, each after its book has taken it in.

        Raises:
            ProtocolError: An event is missing: start a new stream.
            CallError: The stream broke: start a new one.
        """
        call = self._stub.StreamMarketData(self._request)
        try:
            async for response in call:
                for envelope in response.events:
                    event = market_event(envelope)
                    if event is None:
                        raise ProtocolError(f"market {envelope.market_id}: unknown kind of event")
                    book = self.books.setdefault(event.market_id, LocalBook(event.market_id))
                    book.apply(event)
                    yield event
        except grpc.aio.AioRpcError as error:
            raise rpc_error(error) from error
        finally:
            call.cancel()
        raise ConnectError("the matcher has ended the market data")


class PublicCalls:
    """The calls that need no login. A base of all clients; close them, or use `async with`."""

    def __init__(self, channel: grpc.aio.Channel, timeout_s: float) -> None:
        """Call over a channel, with a timeout in seconds for each unary call."""
        self._channel = channel
        self._timeout_s = timeout_s
        self._market_data = market_data_service_pb2_grpc.MarketDataServiceStub(channel)
        self._oracle = oracle_service_pb2_grpc.OracleServiceStub(channel)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def markets(self) -> list[Market]:
        """Return all markets, ascending by market_id."""
        request = market_data_service_pb2.ListMarketsRequest()
        response = await unary(self._market_data.ListMarkets, request, timeout_s=self._timeout_s)
        return [decode(market) for market in response.markets]

    async def market(self, name: str | int) -> Market:
        """Return the market of a symbol or a market_id. Raises `NotKnownError`."""
        for market in await self.markets():
            if name in {market.display.symbol, market.market_id}:
                return market
        raise NotKnownError(f"there is no market {name!r}")

    async def book(self, market_id: int, level_count_max: int = 0) -> Book:
        """Return the book of a market, at most so many levels a side; 0: all (1000)."""
        request = market_data_service_pb2.GetBookRequest(
            market_id=market_id, depth_count_max=level_count_max
        )
        response = await unary(self._market_data.GetBook, request, timeout_s=self._timeout_s)
        book: Book = decode(response.book)
        return book

    def market_data(self, market_ids: Sequence[int] = ()) -> MarketDataStream:
        """Return the stream of some markets' events, or of all."""
        return MarketDataStream(self._market_data, market_ids)

    async def submit_index_prices(
        self, domain: Domain, key: SigningKey, prices: Sequence[IndexPrice]
    ) -> list[RejectReason | int]:
        """Sign index prices and hand them in; return a reason per price, NONE when accepted."""
        signed = [index_price_message(price, key.sign(domain.digest(price))) for price in prices]
        request = oracle_service_pb2.SubmitIndexPricesRequest(index_prices=signed)
        response = await unary(self._oracle.SubmitIndexPrices, request, timeout_s=self._timeout_s)
        known = {reason.value: reason for reason in RejectReason}
        return [known.get(number, number) for number in response.reject_reasons]


class PublicClient(PublicCalls):
    """A connection to the matcher without an account."""

    @classmethod
    async def connect(
        cls,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Self:
        """Return a connection.

        Args:
            target: `host:port` of the matcher.
            credentials: TLS credentials; None: plain text.
            timeout_s: Seconds for connecting, and for each unary call.

        Raises:
            ConnectError: Nobody answers at `target`.
        """
        return cls(await open_channel(target, credentials, timeout_s), timeout_s)
