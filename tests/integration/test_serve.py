"""`bulkhead serve` over real gRPC with a real journal: what clients and attestors see."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from bulkhead.matcher.v1 import chain_event_pb2, command_pb2, trading_service_pb2
from bulkhead.matcher.v1 import settlement_feed_service_pb2 as feed_pb2
from bulkhead.matcher.v1.trading_service_pb2_grpc import TradingServiceStub
from bulkhead_signing import Login, SigningKey
from matcher import client as api
from matcher.client import RejectReason, SessionOptions, Side, _session
from matcher.rpc.slots import STRANGERS_PER_HOST_MAX
from tests.integration.serving import BEARER, CONFIG, DOMAIN, MARKET_ID, QUOTE, Matcher, limit_order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

ALICE = SigningKey(b"\x0a" * 32)
BOB = SigningKey(b"\x0b" * 32)
EVE = SigningKey(b"\x0e" * 32)
AMOUNT = 100_000 * QUOTE
PRICE = 60_000


@pytest.fixture
def matcher(tmp_path: Path) -> Iterator[Matcher]:
    running = Matcher(tmp_path / "matcher")
    running.start()
    yield running
    running.end()


async def trade(alice: api.Client, bob: api.Client, qty_lots: int = 10) -> None:
    """Alice buys from Bob's resting order."""
    await bob.place_one(await limit_order(bob, Side.SELL, PRICE, qty_lots))
    order = await limit_order(alice, Side.BUY, PRICE, qty_lots, is_resting=False)
    await alice.place_one(order)


async def next_of(events: AsyncIterator[Any], kind: type) -> Any:
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__}")


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Return the one ErrorInfo of a failed call."""
    packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    infos = []
    for detail in status_pb2.Status.FromString(packed).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            infos.append(info)
    (info,) = infos
    return info


async def open_market(matcher: Matcher, *keys: SigningKey) -> None:
    assert await matcher.price(PRICE) == [RejectReason.NONE]
    await matcher.deposit(1, [key.address for key in keys], AMOUNT)


def test_a_trade_reaches_both_accounts_and_the_settlement_feed(matcher: Matcher) -> None:
    asyncio.run(_trade_reaches_everybody(matcher))


async def _trade_reaches_everybody(matcher: Matcher) -> None:
    await open_market(matcher, ALICE, BOB)
    async with await matcher.client(ALICE) as alice, await matcher.client(BOB) as bob:
        assert (await alice.balances()).free_quote == AMOUNT
        events = alice.events()
        await trade(alice, bob)
        fill = await next_of(events, api.OrderFilled)
        assert (fill.qty_lots, fill.price_ticks, fill.remaining_lots) == (10, PRICE, 0)
        updated = await next_of(events, api.PositionUpdated)
        assert updated.position == await alice.position(MARKET_ID)
        assert updated.position.position_lots == 10
        assert (await bob.position(MARKET_ID)).position_lots == -10
        state = await alice.settlement_state(fill.item_seq)
        assert state.state.name == "MATCHED"
        moved = await alice.move_collateral(MARKET_ID, 5 * QUOTE)
        withdrawn = await bob.withdraw(7 * QUOTE)
        orders, items = await matcher.items(1, withdrawn.item_seq + 1)
    assert [item.item_seq for item in items] == list(range(1, withdrawn.item_seq + 2))
    kinds = {item.item_seq: item.WhichOneof("item") for item in items}
    assert kinds[fill.item_seq] == "fill"
    assert kinds[moved.item_seq] == "collateral_move"
    assert kinds[withdrawn.item_seq] == "withdrawal"
    assert {"price", "tick"} <= set(kinds.values())
    assert {bytes(order.order.account) for order in orders} == {ALICE.address, BOB.address}
    item = items[fill.item_seq - 1].fill
    assert {order.order_id for order in orders} == {item.taker_order_id, item.maker_order_id}
    assert items[moved.item_seq - 1].collateral_move.move.amount_quote == 5 * QUOTE
    assert items[withdrawn.item_seq - 1].withdrawal.withdrawal.receiver == BOB.address
    times = [item.time_ns for item in items]
    assert times == sorted(times)


def test_each_order_comes_once_per_subscription(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE, BOB)
        async with await matcher.client(ALICE) as alice, await matcher.client(BOB) as bob:
            await bob.place_one(await limit_order(bob, Side.SELL, PRICE, 30))
            events = alice.events()
            fills = []
            for _ in range(3):
                order = await limit_order(alice, Side.BUY, PRICE, 10, is_resting=False)
                await alice.place_one(order)
                fills.append((await next_of(events, api.OrderFilled)).item_seq)
            everything, _ = await matcher.items(1, fills[2])
            late, _ = await matcher.items(fills[1], fills[2])
        assert len({order.order_id for order in everything}) == len(everything) == 4
        assert len({order.order_id for order in late}) == len(late) == 3

    asyncio.run(run())


def test_what_is_refused_before_the_journal_is_a_result(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE)
        async with await matcher.client(ALICE) as alice, await matcher.client(EVE) as eve:
            good = await limit_order(alice, Side.BUY, PRICE, 1)
            (fee,) = await alice.place([good._replace(fee_ppm_max=499)])
            assert isinstance(fee, api.OrderRejected)
            assert fee.reason == RejectReason.FEE_ABOVE_LIMIT
            with pytest.raises(api.RejectedError, match="ACCOUNT_UNKNOWN"):
                await eve.place_one(await limit_order(eve, Side.BUY, PRICE, 1))
            with pytest.raises(api.RejectedError, match="ACCOUNT_UNKNOWN"):
                await eve.withdraw(1)
            with pytest.raises(api.AuthenticationError):
                await eve.place([good])
        assert await matcher.price(PRICE, EVE) == [RejectReason.SIGNATURE_INVALID]

    asyncio.run(run())


def test_results_of_a_batch_come_in_order_of_precedence(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE)
        async with await matcher.client(ALICE) as alice:
            orders = [await limit_order(alice, Side.BUY, PRICE - n, 1) for n in range(20)]
            orders[7] = orders[7]._replace(nonce=orders[6].nonce)
            results = await alice.place(orders)
            assert isinstance(results[7], api.OrderRejected)
            assert results[7].reason == RejectReason.NONCE_USED
            placed = [one for one in results if isinstance(one, api.OrderAccepted)]
            assert len(placed) == 19
            assert [o.order_id for o in await alice.open_orders()] == [o.order_id for o in placed]
            (canceled,) = await alice.cancel([placed[0].order_id])
            assert isinstance(canceled, api.OrderCanceled)
            new = await limit_order(alice, Side.BUY, PRICE - 50, 2)
            (replaced,) = await alice.replace([(placed[1].order_id, new)])
            assert isinstance(replaced, api.OrderAccepted)
            again = await limit_order(alice, Side.BUY, PRICE - 50, 2)
            (refused,) = await alice.replace([(placed[1].order_id, again)])
            assert isinstance(refused, api.OrderRejected)
            assert refused.reason == RejectReason.ORDER_UNKNOWN
            assert await alice.cancel_all() == 18
            assert (await alice.balances()).order_count == 0

    asyncio.run(run())


@pytest.mark.parametrize("is_abrupt", [False, True])
def test_orders_are_canceled_when_the_session_ends(matcher: Matcher, is_abrupt: bool) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE)
        async with await matcher.client(ALICE) as watcher:
            options = SessionOptions(cancels_on_disconnect=True, reconnects=False)
            async with await matcher.client(ALICE, options) as leaver:
                await leaver.place_one(await limit_order(leaver, Side.BUY, PRICE - 9, 1))
                assert (await watcher.balances()).order_count == 1
                if is_abrupt:
                    await leaver._channel.close()
            canceled = await next_of(watcher.events(), api.OrderCanceled)
            assert canceled.reason == RejectReason.USER_CANCELED

    asyncio.run(run())


def test_the_dead_man_timer_fires_when_its_client_has_died(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE)
        options = SessionOptions(reconnects=False)
        async with (
            await matcher.client(ALICE) as watcher,
            await matcher.client(ALICE, options) as alice,
        ):
            await alice.place_one(await limit_order(alice, Side.BUY, PRICE - 9, 1))
            await alice.set_dead_man_timer(1_000_000_000)
            await asyncio.sleep(1.5)  # the client's heartbeats hold it
            assert (await watcher.balances()).order_count == 1
            await alice._channel.close()
            await next_of(watcher.events(), api.OrderCanceled)
            assert (await watcher.balances()).order_count == 0

    asyncio.run(run())


def test_a_new_session_takes_over_the_timer_of_a_dead_one(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE)
        options = SessionOptions(reconnects=False)
        async with (
            await matcher.client(ALICE) as watcher,
            await matcher.client(ALICE, options) as alice,
        ):
            await alice.place_one(await limit_order(alice, Side.BUY, PRICE - 9, 1))
            await alice.set_dead_man_timer(2_000_000_000)
            await alice._channel.close()
            await asyncio.sleep(0.5)  # the matcher has seen it
            await watcher.set_dead_man_timer(0)
            await asyncio.sleep(2.5)
            assert (await watcher.balances()).order_count == 1

    asyncio.run(run())


def test_a_heartbeat_renews_the_token(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE)
        options = SessionOptions(heartbeat_interval_s=0.1)
        async with await matcher.client(ALICE, options) as alice:
            first = alice.session.session_token
            await asyncio.sleep(1)
            assert alice.session.session_token != first
            assert (await alice.balances()).order_count == 0

    asyncio.run(run())


def test_strangers_do_not_take_the_places_of_members(matcher: Matcher) -> None:
    """One host's sessions without a deposit end at their bound; an owner still gets in."""

    async def run() -> None:
        await open_market(matcher, ALICE)
        async with grpc.aio.insecure_channel(matcher.target) as channel:
            calls = [TradingServiceStub(channel).Session() for _ in range(STRANGERS_PER_HOST_MAX)]
            for call in calls:
                await call.read()
            one_more = TradingServiceStub(channel).Session()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await one_more.read()
            assert error_info(caught.value).reason == "LIMIT_REACHED"
            calls.pop().cancel()
            async with await matcher.client(ALICE) as alice:
                assert alice.session.is_registered
                another = TradingServiceStub(channel).Session()
                await another.read()
                another.cancel()
            for call in calls:
                call.cancel()

    asyncio.run(run())


def test_market_data_gives_the_book_exactly(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE, BOB)
        async with await matcher.client(ALICE) as alice, await matcher.client(BOB) as bob:
            stream = alice.market_data([MARKET_ID])
            events = aiter(stream)
            await next_of(events, api.BookSnapshot)
            orders = [await limit_order(alice, Side.BUY, PRICE - n, 1 + n) for n in range(1, 30)]
            await alice.place(orders)
            await trade(alice, bob)
            await next_of(events, api.Traded)
            await matcher.price(PRICE + 10)
            await next_of(events, api.MarkUpdated)
            await alice.place_one(await limit_order(alice, Side.BUY, PRICE - 40, 7))
            expected = await alice.book(MARKET_ID)
            assert len(expected.bids) == 30
            book = stream.books[MARKET_ID]
            while len(book.bids()) < len(expected.bids):
                await next_of(events, api.BookDelta)
            assert tuple(book.bids()) == expected.bids
            assert tuple(book.asks()) == expected.asks

    asyncio.run(run())


def test_chain_events_are_idempotent_and_leave_no_gap(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE, BOB)
        again = await matcher.deposit(1, [ALICE.address, BOB.address, EVE.address], AMOUNT)
        assert again.deposit_seq == 3
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await matcher.deposit(5, [EVE.address], AMOUNT)
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert error_info(caught.value).reason == "SEQ_GAP"
        assert dict(error_info(caught.value).metadata)["deposit_seq_expected"] == "4"
        async with await matcher.client(ALICE) as alice, await matcher.client(BOB) as bob:
            assert (await alice.balances()).free_quote == AMOUNT
            events = alice.events()
            await trade(alice, bob)
            fill = await next_of(events, api.OrderFilled)
            await _settle(matcher, fill.item_seq)
            settled = await next_of(events, api.SettlementStateChanged)
            assert (settled.state.name, settled.batch_seq) == ("SETTLED", 1)
            assert (await alice.settlement_state(fill.item_seq)).state.name == "SETTLED"

    asyncio.run(run())


async def _settle(matcher: Matcher, last_item_seq: int, rejected: tuple[int, ...] = ()) -> None:
    receipt = chain_event_pb2.BatchReceipt(
        batch_seq=1,
        first_item_seq=1,
        last_item_seq=last_item_seq,
        block_number=7,
        tx_hash=b"\x07" * 32,
        rejected_items=[
            chain_event_pb2.RejectedItem(item_seq=item_seq, reason=RejectReason.OVERFILL)  # type: ignore[arg-type]
            for item_seq in rejected
        ],
    )
    async with matcher.feed() as stub:
        request = feed_pb2.ReportChainEventsRequest(batch_receipts=[receipt])
        response = await stub.ReportChainEvents(request, metadata=BEARER)
        assert response.batch_seq == 1
        cursor = await stub.GetCursor(feed_pb2.GetCursorRequest(), metadata=BEARER)
        assert cursor.settled_item_seq == last_item_seq


def test_a_refused_item_freezes_the_positions(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE, BOB)
        async with await matcher.client(ALICE) as alice, await matcher.client(BOB) as bob:
            events = alice.events()
            await trade(alice, bob)
            fill = await next_of(events, api.OrderFilled)
            await _settle(matcher, fill.item_seq, (fill.item_seq,))
            assert (await next_of(events, api.PositionFrozen)).is_frozen
            state = await alice.settlement_state(fill.item_seq)
            assert (state.state.name, state.reason) == ("BUSTED", RejectReason.OVERFILL)
            assert (await bob.position(MARKET_ID)).is_frozen

    asyncio.run(run())


def test_failed_calls_carry_one_reason(matcher: Matcher) -> None:
    async def run() -> None:
        async with matcher.feed() as stub:
            request = feed_pb2.GetCursorRequest()
            wrong = (("authorization", "Bearer wrong"),)
            for metadata in (None, wrong):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.GetCursor(request, metadata=metadata)
                assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
                assert error_info(caught.value).reason == "TOKEN_INVALID"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await anext(
                    aiter(
                        stub.StreamItems(
                            feed_pb2.StreamItemsRequest(from_item_seq=10_000_000), metadata=BEARER
                        )
                    )
                )
            assert caught.value.code() == grpc.StatusCode.OUT_OF_RANGE
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await matcher.deposit(1, [b"short"], 1)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert error_info(caught.value).metadata["field"] == "deposits[0].account"
        async with await matcher.client(ALICE) as alice:
            with pytest.raises(api.NotKnownError):
                await alice.book(77)
            cancels = [command_pb2.Command(cancel_all=command_pb2.CancelAll())] * 501
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(_session, "COMMANDS_PER_REQUEST_MAX", 1_000)  # a client's own mistake
                with pytest.raises(api.LimitError, match="at most 500"):
                    await alice.session.request(cancels, 5)

    asyncio.run(run())


def test_a_session_begins_with_a_login(matcher: Matcher) -> None:
    async def run() -> None:
        async with grpc.aio.insecure_channel(matcher.target) as channel:
            call = TradingServiceStub(channel).Session()
            challenge = await call.read()
            assert challenge.events[0].HasField("login_challenge")
            command = command_pb2.Command(request_id=1, cancel_all=command_pb2.CancelAll())
            await call.write(trading_service_pb2.SessionRequest(commands=[command]))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert error_info(caught.value).reason == "LOGIN_ORDER"
            call = TradingServiceStub(channel).Session()
            await call.read()
            login = command_pb2.Login(account=ALICE.address, time_ms=1, signature=bytes(64))
            command = command_pb2.Command(request_id=1, login=login)
            await call.write(trading_service_pb2.SessionRequest(commands=[command]))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert error_info(caught.value).reason == "LOGIN_INVALID"

    asyncio.run(run())


def test_a_preview_is_what_the_order_does(matcher: Matcher) -> None:
    async def run() -> None:
        await open_market(matcher, ALICE, BOB)
        async with await matcher.client(ALICE) as alice, await matcher.client(BOB) as bob:
            await bob.place_one(await limit_order(bob, Side.SELL, PRICE, 10))
            order = await limit_order(alice, Side.BUY, PRICE, 10, is_resting=False)
            preview = await alice.preview(order)
            assert preview.reject_reason == RejectReason.NONE
            await alice.place_one(order)
            position = await alice.position(MARKET_ID)
            assert position == preview.position_after
            assert (await alice.balances()).free_quote == preview.free_after_quote

    asyncio.run(run())


def test_a_session_that_does_not_read_is_cut_off_and_others_go_on(tmp_path: Path) -> None:
    limits = "[matcher.limits]\nsession_events_max = 600"
    matcher = Matcher(tmp_path / "small", CONFIG.replace("[matcher.limits]", limits))
    matcher.start()

    async def run() -> None:
        await open_market(matcher, ALICE)
        small = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1024)]
        async with grpc.aio.insecure_channel(matcher.target, small) as channel:
            sleeper = await _log_in_by_hand(channel)
            async with await matcher.client(ALICE) as alice:
                orders = [await limit_order(alice, Side.BUY, PRICE - 9, 1)] * 250
                for _ in range(30):
                    nonces = alice.orders.nonces
                    await alice.place([one._replace(nonce=nonces.take()) for one in orders])
                    assert await alice.cancel_all() == 250
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await _read_to_the_end(sleeper)
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert error_info(caught.value).reason == "SLOW_CONSUMER"

    try:
        asyncio.run(run())
    finally:
        matcher.end()


async def _read_to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def _log_in_by_hand(channel: grpc.aio.Channel) -> Any:
    """Return the call of a session that has logged Alice in, and that nobody reads."""
    call = TradingServiceStub(channel).Session()
    challenge = (await call.read()).events[0].login_challenge.challenge
    time_ms = time.time_ns() // 1_000_000
    signature = ALICE.sign(DOMAIN.digest(Login(ALICE.address, time_ms, challenge)))
    login = command_pb2.Login(account=ALICE.address, time_ms=time_ms, signature=signature)
    command = command_pb2.Command(request_id=1, login=login)
    await call.write(trading_service_pb2.SessionRequest(commands=[command]))
    assert (await call.read()).events[0].HasField("login_accepted")
    return call
