"""Order types over gRPC: triggers, siblings, groups, mass cancels, and the stream of events."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from bulkhead_signing import SigningKey
from matcher import client as api
from matcher.client import (
    FLAG_SLIDES,
    Amend,
    Cancel,
    Instructions,
    OpenOrders,
    Place,
    RejectReason,
    Replace,
    SelfTradePrevention,
    SessionOptions,
    Side,
    TimeInForce,
)
from tests.integration.serving import MARKET_ID, QUOTE, Matcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = [SigningKey(bytes([number]) * 32) for number in (0x0A, 0x0B, 0x0C)]
PRICE = 60_000
NO_ORDER = 2**60  # the refusal of its cancel marks a place in the stream
EVERYTHING = SessionOptions(resume_after_account_seq=0)


@pytest.fixture
def matcher(tmp_path: Path) -> Iterator[Matcher]:
    running = Matcher(tmp_path / "matcher")
    running.start()
    yield running
    running.end()


class Trader:
    """A client, its market, and its open orders as the stream tells them."""

    def __init__(self, client: api.Client, market: api.Market) -> None:
        self.client = client
        self.market = market
        self.view = OpenOrders()
        self.seen: list[Any] = []

    def limit(self, side: Side, price_ticks: int, qty_lots: int, **fields: Any) -> api.Order:
        if not fields.get("is_reduce_only"):
            fields = {"leverage": 5} | fields
        return self.client.orders.limit(
            self.market, side, price_ticks=price_ticks, qty_lots=qty_lots, **fields
        )

    async def place(self, order: api.Order, **instructions: Any) -> api.OrderAccepted:
        if instructions:
            order = self.client.orders.instruct(order, Instructions(**instructions))
        return await self.client.place_one(order)

    async def catch_up(self) -> list[Any]:
        """Read the stream up to what the account service answers; return the new events."""
        events = self.client.events()
        new: list[Any] = []
        await self.client.cancel([NO_ORDER])
        async with asyncio.timeout(10):
            async for event in events:
                self.view.apply(event)
                if isinstance(event, api.CommandRejected) and event.order_id == NO_ORDER:
                    break
                new.append(event)
        self.seen += new
        return new

    async def open(self) -> list[api.OpenOrder]:
        """Return the open orders, which the stream has told as well."""
        await self.catch_up()
        orders = await self.client.open_orders()
        assert self.view.orders() == orders
        return orders

    def told(self, kind: type) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]

    async def lots(self) -> int:
        return (await self.client.position(MARKET_ID)).position_lots


async def traders(matcher: Matcher, stack: AsyncExitStack) -> list[Trader]:
    """Log three accounts with money in, at a mark of 60,000."""
    assert await matcher.price(PRICE) == [RejectReason.NONE]
    await matcher.deposit(1, [key.address for key in KEYS], 100_000 * QUOTE)
    found = []
    for key in KEYS:
        client = await stack.enter_async_context(await matcher.client(key, EVERYTHING))
        found.append(Trader(client, await client.market(MARKET_ID)))
    return found


def test_brackets_and_trailing_stops_close_a_position(matcher: Matcher) -> None:
    """TRIG-1 to TRIG-3, OCO-1, ATT-1: each kind of exit, and what it takes with it."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            alice, bob, _ = await traders(matcher, stack)
            await bob.place(bob.limit(Side.SELL, PRICE, 100))
            await bob.place(bob.limit(Side.BUY, 59_000, 1_000))
            await bob.place(bob.limit(Side.SELL, 63_000, 1_000))
            entry = alice.limit(Side.BUY, PRICE, 50, time_in_force=TimeInForce.IOC)
            exits = alice.client.orders.bracket(
                alice.market, Side.SELL, qty_lots=50, take_profit_ticks=61_000, stop_ticks=59_500,
                slippage_ppm=100_000,
            )  # fmt: skip
            results = await alice.client.group([Place(entry), *map(Place, exits)])
            assert [type(result) for result in results] == [api.OrderAccepted] * 3
            assert len(await alice.open()) == 2
            await matcher.price(61_500)  # the take-profit, at Bob's bid; its sibling goes with it
            assert (await alice.lots(), await alice.open()) == (0, [])
            (fired,) = alice.told(api.OrderTriggered)
            assert fired.price_ticks >= 61_000

            await alice.place(alice.limit(Side.BUY, PRICE, 50, time_in_force=TimeInForce.IOC))
            stop = alice.client.orders.trailing_stop(
                alice.market, Side.SELL, qty_lots=50, reference_price_ticks=61_500,
                trail_ticks=400, slippage_ppm=100_000,
            )  # fmt: skip
            await alice.place(stop)
            await matcher.price(62_000)  # the trigger follows to 61,600
            (waiting,) = await alice.open()
            assert waiting.trigger is not None
            await matcher.price(61_550)
            assert (await alice.lots(), await alice.open()) == (0, [])

    asyncio.run(run())


def test_a_stop_on_the_last_price_waits_for_a_trade(matcher: Matcher) -> None:
    """TRIG-2: the mark does not fire it, the next trade beyond it does."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            alice, bob, carol = await traders(matcher, stack)
            await bob.place(bob.limit(Side.SELL, PRICE, 50))
            await alice.place(alice.limit(Side.BUY, PRICE, 50, time_in_force=TimeInForce.IOC))
            stop = alice.client.orders.stop(
                alice.market, Side.SELL, qty_lots=50, trigger_price_ticks=59_000,
                slippage_ppm=100_000, on_last=True,
            )  # fmt: skip
            await alice.place(stop)
            await matcher.price(58_500)
            assert len(await alice.open()) == 1
            await bob.place(bob.limit(Side.BUY, 58_500, 100))
            sold = carol.limit(Side.SELL, 58_000, 10, time_in_force=TimeInForce.IOC)
            await carol.place(sold)
            assert (await alice.lots(), await alice.open()) == (0, [])

    asyncio.run(run())


def test_groups_are_done_wholly_or_not_at_all(matcher: Matcher) -> None:
    """GRP-1: one result for each command, refusals before and behind the journal alike."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            alice, *_ = await traders(matcher, stack)
            bid = await alice.place(alice.limit(Side.BUY, 59_000, 10))
            ask = await alice.place(alice.limit(Side.SELL, 61_000, 10))
            before = await alice.open()
            refused = await alice.client.group(
                [
                    Replace(bid.order_id, alice.limit(Side.BUY, 59_100, 10), unfilled_lots=9),
                    Amend(ask.order_id, 5),
                    Place(alice.limit(Side.BUY, 58_000, 1)),
                ]
            )
            assert [reason_of(result) for result in refused] == [
                "UNFILLED_MISMATCH", "GROUP_REJECTED", "GROUP_REJECTED",
            ]  # fmt: skip
            cheap = alice.limit(Side.BUY, 58_000, 1)._replace(fee_ppm_max=0)
            refused = await alice.client.group([Cancel(ask.order_id), Place(cheap)])
            assert [reason_of(result) for result in refused] == [
                "GROUP_REJECTED", "FEE_ABOVE_LIMIT",
            ]  # fmt: skip
            assert await alice.open() == before
            done = await alice.client.group(
                [
                    Replace(bid.order_id, alice.limit(Side.BUY, 59_100, 10), unfilled_lots=10),
                    Amend(ask.order_id, 5),
                    Cancel((await alice.place(alice.limit(Side.BUY, 57_000, 1))).order_id),
                    Place(alice.limit(Side.BUY, 58_000, 1)),
                ]
            )
            assert [type(result) for result in done] == [
                api.OrderAccepted, api.OrderAmended, api.OrderCanceled, api.OrderAccepted,
            ]  # fmt: skip
            found = [(order.price_ticks, order.qty_lots) for order in await alice.open()]
            assert sorted(found) == [(58_000, 1), (59_100, 10), (61_000, 5)]

    asyncio.run(run())


def test_mass_cancels_by_market_side_and_session(matcher: Matcher) -> None:
    """CXL-1."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            alice, *_ = await traders(matcher, stack)
            second = await stack.enter_async_context(await matcher.client(KEYS[0]))
            other = Trader(second, alice.market)
            for price_ticks in (58_000, 58_100):
                await alice.place(alice.limit(Side.BUY, price_ticks, 1))
                await other.place(other.limit(Side.SELL, 125_000 - price_ticks, 1))
            await other.place(other.limit(Side.BUY, 58_200, 1))
            assert await alice.client.cancel_all(only_this_session=True) == 2
            assert await alice.client.cancel_all(MARKET_ID, Side.SELL) == 2
            assert [order.price_ticks for order in await alice.open()] == [58_200]
            with pytest.raises(api.RejectedError, match="MARKET_UNKNOWN"):
                await alice.client.cancel_all(MARKET_ID + 1)
            assert await alice.client.cancel_all(MARKET_ID) == 1

    asyncio.run(run())


def test_a_client_that_only_reads_the_stream_knows_its_orders(matcher: Matcher) -> None:
    """POST-1, ICE-1, RED-1, STP-1, AMD-1: after each change the stream's view is the engine's."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            alice, bob, carol = await traders(matcher, stack)
            await bob.place(bob.limit(Side.SELL, 60_100, 30))
            slid = await alice.place(
                alice.limit(Side.BUY, 60_500, 20, is_post_only=True), flags=FLAG_SLIDES
            )
            (order,) = await alice.open()
            assert (order.order_id, order.price_ticks) == (slid.order_id, 60_099)
            (repriced,) = alice.told(api.OrderRepriced)
            assert repriced.price_ticks == 60_099

            await alice.place(alice.limit(Side.BUY, 60_050, 30), display_lots=10)
            sell = carol.limit(Side.SELL, 60_000, 35, time_in_force=TimeInForce.IOC)
            await carol.place(sell)
            assert [order.remaining_lots for order in await alice.open()] == [15]
            assert [event.shown_lots for event in alice.told(api.OrderReplenished)] == [10]

            out = alice.limit(Side.SELL, 61_000, 35, is_reduce_only=True)
            await alice.place(out)
            await alice.place(
                alice.limit(Side.SELL, 60_050, 5, time_in_force=TimeInForce.IOC),
                self_trade=SelfTradePrevention.DECREMENT,
            )
            assert {order.remaining_lots for order in await alice.open()} == {10, 35}
            await alice.client.amend([(out_id, 34) for out_id in [_newest(alice)]])
            taker = alice.limit(Side.SELL, 59_000, 4, is_reduce_only=True)
            await bob.place(bob.limit(Side.BUY, 60_060, 4))
            await alice.place(taker)
            assert {order.remaining_lots for order in await alice.open()} == {10, 31}
            reasons = {event.reason.name for event in alice.told(api.OrderAmended)}
            assert reasons == {"NONE", "SELF_TRADE", "REDUCE_ONLY"}
            for trader in (bob, carol):
                await trader.open()
            await matcher.price(PRICE)
            assert await alice.client.cancel_all() == 2
            assert await alice.open() == []

    asyncio.run(run())


def reason_of(result: Any) -> str:
    return str(result.reason.name)


def _newest(trader: Trader) -> int:
    return trader.view.orders()[-1].order_id
