"""The client against a real matcher: results, events, books, breaks of the line, and errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bulkhead_signing import Domain
from matcher.client import (
    AccountEvent,
    AdminClient,
    AuthenticationError,
    BookSnapshot,
    CallError,
    Client,
    CommandRejected,
    ConnectError,
    Instructions,
    InvalidRequestError,
    LimitError,
    Market,
    NotKnownError,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    PositionUpdated,
    ProtocolError,
    PublicClient,
    RejectedError,
    RejectReason,
    SessionOptions,
    SettlementState,
    Side,
)
from tests.unit.client.matcher_process import (
    ALICE,
    BOB,
    DEPOSIT_QUOTE,
    DOMAIN,
    MatcherProcess,
    with_matcher,
)


async def events_until(client: Client, kind: type[AccountEvent]) -> list[AccountEvent]:
    """Return the next events, up to the first of a kind."""
    seen: list[AccountEvent] = []
    async for event in client.events():
        seen.append(event)
        if isinstance(event, kind):
            return seen
    raise AssertionError(f"no {kind.__name__} in {seen}")


async def numbers_of(client: Client) -> list[int]:
    """Return the account_seq of all events until the session is closed."""
    return [event.account_seq async for event in client.events()]


@with_matcher
async def test_a_trade_from_order_to_withdrawal(process: MatcherProcess, btc: Market) -> None:
    """Each command has its own result, and events, balances and book tell the same story."""
    async with (
        await Client.connect(process.target, DOMAIN, ALICE) as alice,
        await Client.connect(process.target, DOMAIN, BOB) as bob,
    ):
        bids = [
            alice.orders.limit(btc, Side.BUY, price_ticks=600_000 - i, qty_lots=10, leverage=10)
            for i in range(4)
        ]
        placed = await alice.place(bids)
        assert [result.nonce for result in placed] == [order.nonce for order in bids]
        ids = [result.order_id for result in placed if isinstance(result, OrderAccepted)]
        assert len(set(ids)) == 4
        sell = bob.orders.market(btc, Side.SELL, qty_lots=15, mark_price_ticks=600_000, leverage=20)
        await bob.place_one(sell)
        seen = await events_until(alice, PositionUpdated)
        fills = [event for event in seen if isinstance(event, OrderFilled)]
        assert [(fill.order_id, fill.qty_lots) for fill in fills] == [(ids[0], 10), (ids[1], 5)]
        numbers = [event.account_seq for event in seen]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        state = await alice.settlement_state(fills[0].item_seq)
        assert state.state is SettlementState.MATCHED

        replaced = await alice.replace(
            [
                (order_id, alice.orders.limit(
                    btc, Side.BUY, price_ticks=500_000, qty_lots=1, leverage=10
                ))
                for order_id in (ids[2], ids[0])
            ]
        )  # fmt: skip
        assert isinstance(replaced[0], OrderAccepted)
        assert isinstance(replaced[1], OrderRejected)
        assert replaced[1].reason is RejectReason.ORDER_UNKNOWN
        guarded = alice.orders.limit(btc, Side.BUY, price_ticks=500_000, qty_lots=1, leverage=10)
        (refused,) = await alice.replace([(ids[3], guarded)], unfilled_lots=[9])
        assert isinstance(refused, OrderRejected)
        assert refused.reason is RejectReason.UNFILLED_MISMATCH
        instruct = alice.orders.instruct
        form: dict[str, Any] = {"price_ticks": 599_000, "qty_lots": 6, "leverage": 10}
        iceberg = instruct(alice.orders.limit(btc, Side.BUY, **form), Instructions(display_lots=2))
        iceberg = iceberg._replace(expiry_time_s=alice.orders.expiry_time_s(0))
        placed_without_a_date = await alice.place_one(iceberg)
        assert placed_without_a_date.expiry_time_s == 2**32 - 1
        pair = alice.orders.siblings(
            alice.orders.limit(btc, Side.BUY, **form), alice.orders.limit(btc, Side.BUY, **form)
        )
        first, second = await alice.place(pair)
        assert isinstance(first, OrderAccepted)
        assert isinstance(second, OrderAccepted)
        await alice.cancel([first.order_id])
        await alice.cancel_nonces([iceberg.nonce])
        assert second.order_id not in {order.order_id for order in await alice.open_orders()}
        (amended,) = await alice.amend([(ids[3], 4)])
        assert isinstance(amended, OrderAmended)
        assert (amended.qty_lots, amended.remaining_lots) == (4, 4)
        canceled = await alice.cancel([ids[3], ids[3]])
        assert isinstance(canceled[0], OrderCanceled)
        assert isinstance(canceled[1], CommandRejected)
        assert {order.order_id for order in await alice.open_orders()} == {
            ids[1], replaced[0].order_id,
        }  # fmt: skip

        stream = bob.market_data([1])
        async for event in stream:
            assert isinstance(event, BookSnapshot)
            break
        book = await bob.book(1)
        assert stream.books[1].bids() == list(book.bids)
        assert [level.qty_lots for level in book.bids] == [5, 1]
        assert book.asks == ()

        before = await bob.position(1)
        assert before.position_lots == -15
        moved = await bob.move_collateral(1, 1_000)
        assert moved.position is not None
        assert moved.position.collateral_quote == before.collateral_quote + 1_000
        with pytest.raises(RejectedError, match="INSUFFICIENT_MARGIN"):
            await bob.move_collateral(1, -before.collateral_quote)
        free_quote = (await bob.balances()).free_quote
        paid = await bob.withdraw(free_quote)
        assert paid.free_quote == 0
        assert await alice.cancel_all(1, Side.SELL) == 0
        assert await alice.cancel_all() == 2


@with_matcher
async def test_the_session_survives_a_restart(process: MatcherProcess, btc: Market) -> None:
    """Events go on without gap or repetition after the line broke; nonces stay unique."""
    options = SessionOptions(resume_after_account_seq=0)
    async with await Client.connect(process.target, DOMAIN, ALICE, options=options) as alice:
        watcher = asyncio.create_task(numbers_of(alice))
        order = alice.orders.limit(btc, Side.BUY, price_ticks=500_000, qty_lots=1, leverage=10)
        await alice.place_one(order)
        await process.stop()
        await process.start()
        again = alice.orders.limit(btc, Side.BUY, price_ticks=500_000, qty_lots=1, leverage=10)
        await alice.place_one(again)
        with pytest.raises(RejectedError, match="NONCE_USED"):
            await alice.place_one(order)
        assert len(await alice.open_orders()) == 2
        await alice.close()
        numbers = await watcher
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) == 4


@with_matcher
async def test_whoever_misbehaves_harms_only_himself(process: MatcherProcess, btc: Market) -> None:
    """A caller that gives up leaves the session whole; one that does not read loses it."""
    few = SessionOptions(event_count_max=5)
    async with (
        await Client.connect(process.target, DOMAIN, ALICE) as alice,
        await Client.connect(process.target, DOMAIN, BOB, options=few) as bob,
    ):

        def orders(client: Client, count: int) -> list[object]:
            return [
                client.orders.limit(btc, Side.BUY, price_ticks=1 + i, qty_lots=1, leverage=10)
                for i in range(count)
            ]

        impatient = asyncio.create_task(alice.place(orders(alice, 700)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        results = await alice.place(orders(alice, 3))  # type: ignore[arg-type]
        assert all(isinstance(result, OrderAccepted | OrderRejected) for result in results)

        with pytest.raises(LimitError, match="events wait unread"):
            await bob.place(orders(bob, 10))  # type: ignore[arg-type]
        with pytest.raises(LimitError):
            await numbers_of(bob)
        assert (await alice.balances()).free_quote == DEPOSIT_QUOTE

        with pytest.raises(AuthenticationError) as caught:
            await alice.place_one(bob.orders.market(
                btc, Side.BUY, qty_lots=1, mark_price_ticks=1, leverage=2
            ))  # fmt: skip
        assert caught.value.reason == "ACCOUNT_MISMATCH"


@with_matcher
async def test_what_fails_says_why(process: MatcherProcess, btc: Market) -> None:
    target = process.target
    with pytest.raises(ProtocolError, match="this client signs for chain 1"):
        await Client.connect(target, Domain(1, DOMAIN.contract), ALICE)
    with pytest.raises(ConnectError, match="bulkhead serve"):
        await PublicClient.connect("127.0.0.1:1", timeout_s=0.2)
    async with await AdminClient.connect(target, "not-the-token") as admin:
        with pytest.raises(AuthenticationError) as refused:
            await admin.status()
        assert refused.value.reason == "TOKEN_INVALID"
    async with await PublicClient.connect(target) as public:
        with pytest.raises(NotKnownError, match="ETH-PERP"):
            await public.market("ETH-PERP")
        with pytest.raises(NotKnownError):
            await public.book(2)
        with pytest.raises(InvalidRequestError):
            await public.book(70_000)
    client = await Client.connect(target, DOMAIN, ALICE)
    order = client.orders.limit(btc, Side.BUY, price_ticks=1, qty_lots=1, leverage=10)
    for change, reason in [
        ({"fee_ppm_max": 1}, RejectReason.FEE_ABOVE_LIMIT),
        ({"expiry_time_s": 1}, RejectReason.EXPIRED),
        ({"price_ticks": btc.spec.price_ticks_max + 1}, RejectReason.PRICE_OUT_OF_RANGE),
        ({"market_id": 9}, RejectReason.MARKET_UNKNOWN),
    ]:
        with pytest.raises(RejectedError) as rejected:
            await client.place_one(order._replace(**change))  # type: ignore[arg-type]
        assert rejected.value.reject_reason is reason
    await client.close()
    with pytest.raises(CallError, match="closed"):
        await client.place_one(order)
