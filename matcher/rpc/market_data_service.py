"""Publishes markets, books and their changes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bulkhead.matcher.v1 import market_data_service_pb2 as pb
from bulkhead.matcher.v1 import market_data_service_pb2_grpc
from matcher.feed.market_data import DEPTH_COUNT_MAX
from matcher.feed.subscription import SlowConsumerError
from matcher.rpc import convert
from matcher.rpc.convert_events import book_of, header, market_event, market_of
from matcher.rpc.status import field_error, not_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

    from matcher.feed.market_data import MarketEvent
    from matcher.rpc.gateway import Gateway

EVENTS_PER_RESPONSE_MAX: Final = 512
IDLE_S: Final = 1.0
WRITE_TIMEOUT_S: Final = 10


class MarketDataService(market_data_service_pb2_grpc.MarketDataServiceServicer):
    """See proto/bulkhead/matcher/v1/market_data_service.proto."""

    def __init__(self, gateway: Gateway) -> None:
        self._venue = gateway.venue

    async def ListMarkets(  # noqa: N802
        self, request: pb.ListMarketsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListMarketsResponse:
        """Return all markets."""
        del request, context
        engine = self._venue.engine
        markets = [
            market_of(listing, engine.market(market_id), engine.fund(market_id).collateral_quote)
            for market_id, listing in sorted(self._venue.listings.items())
        ]
        return pb.ListMarketsResponse(header=header(self._venue), markets=markets)

    async def GetBook(  # noqa: N802
        self, request: pb.GetBookRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetBookResponse:
        """Return the book of one market as it is now."""
        del context
        market_id = request.market_id
        self._check_market("market_id", market_id)
        depth = convert.in_range("depth_count_max", request.depth_count_max, 0, DEPTH_COUNT_MAX)
        bids, asks = self._venue.engine.book(market_id, depth or DEPTH_COUNT_MAX)
        market_seq = self._venue.market_feed.market_seq(market_id)
        book = book_of(market_id, market_seq, tuple(bids), tuple(asks))
        return pb.GetBookResponse(header=header(self._venue), book=book)

    async def StreamMarketData(  # noqa: N802
        self, request: pb.StreamMarketDataRequest, context: grpc.aio.ServicerContext
    ) -> None:
        """Send a snapshot of each market, then every change, for ever."""
        feed = self._venue.market_feed
        market_ids = list(request.market_ids) or feed.market_ids()
        for position, market_id in enumerate(market_ids):
            self._check_market(f"market_ids[{position}]", market_id)
        if len(set(market_ids)) != len(market_ids):
            raise field_error("market_ids", "no duplicates", market_ids)
        subscription, events = feed.subscribe(market_ids)
        try:
            await self._write(context, events)
            while True:
                events = await subscription.take(EVENTS_PER_RESPONSE_MAX, IDLE_S)
                await self._write(context, events)
        finally:
            feed.unsubscribe(subscription)

    async def _write(
        self, context: grpc.aio.ServicerContext, events: Sequence[MarketEvent]
    ) -> None:
        response = pb.StreamMarketDataResponse(
            header=header(self._venue), events=[market_event(event) for event in events]
        )
        try:
            await asyncio.wait_for(context.write(response), WRITE_TIMEOUT_S)
        except TimeoutError:
            text = f"the consumer has read nothing for {WRITE_TIMEOUT_S} s; connect again"
            raise SlowConsumerError(text) from None

    def _check_market(self, field: str, market_id: int) -> None:
        convert.in_range(field, market_id, 1, convert.MARKET_ID_MAX)
        if market_id not in self._venue.listings:
            raise not_known(f"market {market_id}")
