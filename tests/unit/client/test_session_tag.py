"""Which orders a mass cancel of one session finds: its own, across breaks of the line."""

from __future__ import annotations

import time
from typing import Any, Final

import grpc

from bulkhead.matcher.v1 import command_pb2, trading_service_pb2
from bulkhead.matcher.v1.trading_service_pb2_grpc import TradingServiceStub
from bulkhead_signing import Login, SigningKey
from matcher.client import Client, ConnectError, Market, Order, Side
from matcher.client._convert import order_message
from tests.unit.client.matcher_process import (
    ALICE,
    BOB,
    DOMAIN,
    Line,
    MatcherProcess,
    with_matcher,
)

CUTS: Final = 5  # in the midst of a request: what grpc.aio makes of it varies


def bid(client: Client, btc: Market, price_ticks: int) -> Order:
    return client.orders.limit(btc, Side.BUY, price_ticks=price_ticks, qty_lots=1, leverage=10)


async def place_when_back(client: Client, order: Order) -> None:
    """Place an order; again when the break of the line, before which nothing arrived, took it."""
    try:
        await client.place_one(order)
    except ConnectError:
        await client.place_one(order)


@with_matcher
async def test_a_session_finds_its_orders_after_it_reconnected(
    process: MatcherProcess, btc: Market
) -> None:
    """CXL-1: the line is cut, then the matcher starts again; what others placed stays."""
    async with (
        Line(process.target) as line,
        await Client.connect(line.target, DOMAIN, ALICE) as maker,
        await Client.connect(process.target, DOMAIN, ALICE) as other,
    ):
        await other.place_one(bid(other, btc, 599_000))
        await maker.place([bid(maker, btc, 598_000), bid(maker, btc, 597_000)])
        for at in range(CUTS):
            line.cut()
            await place_when_back(maker, bid(maker, btc, 596_000 - at))
        assert await maker.cancel_all(only_this_session=True) == 2 + CUTS
        assert [order.price_ticks for order in await maker.open_orders()] == [599_000]

        await maker.place_one(bid(maker, btc, 595_000))
        await process.stop()
        await process.start()
        await place_when_back(maker, bid(maker, btc, 594_000))
        assert await maker.cancel_all(only_this_session=True) == 2
        assert [order.price_ticks for order in await maker.open_orders()] == [599_000]


class ByHand:
    """A session of messages, without the client."""

    def __init__(self, channel: grpc.aio.Channel, key: SigningKey) -> None:
        self.key = key
        self._call: Any = TradingServiceStub(channel).Session()

    async def log_in(self, session_tag: int) -> None:
        challenge = (await self._call.read()).events[0].login_challenge.challenge
        login = Login(self.key.address, time.time_ns() // 1_000_000, challenge)
        message = command_pb2.Login(
            account=login.account, time_ms=login.time_ms,
            signature=self.key.sign(DOMAIN.digest(login)), session_tag=session_tag,
        )  # fmt: skip
        assert (await self.send(login=message)).HasField("login_accepted")

    async def send(self, **command: Any) -> Any:
        """Send one command and return its result."""
        one = command_pb2.Command(request_id=7, **command)
        await self._call.write(trading_service_pb2.SessionRequest(commands=[one]))
        while True:
            for event in (await self._call.read()).events:
                if event.request_id == 7:
                    return event

    async def place(self, order: Order) -> None:
        signed = order_message(order, self.key.sign(DOMAIN.digest(order)))
        result = await self.send(place_order=command_pb2.PlaceOrder(order=signed))
        assert result.HasField("order_accepted")

    async def cancel_own(self) -> int:
        result = await self.send(cancel_all=command_pb2.CancelAll(only_this_session=True))
        return int(result.mass_canceled.order_count)


@with_matcher
async def test_a_tag_selects_among_the_accounts_own_orders(
    process: MatcherProcess, btc: Market
) -> None:
    """CXL-1: sessions of a tag are one, another account's are not; 0 is a tag for each."""
    async with (
        await Client.connect(process.target, DOMAIN, ALICE) as alice,
        await Client.connect(process.target, DOMAIN, BOB) as bob,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        sessions = [ByHand(channel, key) for key in (ALICE, ALICE, BOB, ALICE, ALICE)]
        for session, tag in zip(sessions, (2**32 - 1, 2**32 - 1, 2**32 - 1, 0, 0), strict=True):
            await session.log_in(tag)
            await session.place(bid(bob if session.key is BOB else alice, btc, 599_000))
        _, second, of_bob, without, _ = sessions
        assert await of_bob.cancel_own() == 1
        assert len(await alice.open_orders()) == 4
        assert await without.cancel_own() == 1
        assert await second.cancel_own() == 2
        assert len(await alice.open_orders()) == 1
