"""The client of one account: session, account calls, and orders built for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from bulkhead.matcher.v1 import account_service_pb2, account_service_pb2_grpc, command_pb2
from bulkhead_signing import (
    AutoTopUp,
    CollateralMove,
    Domain,
    Order,
    SigningKey,
    Withdrawal,
    sign_in_bulk,
)
from matcher.client._channel import TIMEOUT_S, open_channel, unary
from matcher.client._convert import (
    decode,
    move_message,
    order_message,
    top_up_message,
    withdrawal_message,
)
from matcher.client._errors import ProtocolError, RejectedError
from matcher.client._events import (
    CommandRejected,
    MassCanceled,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderRejected,
)
from matcher.client._orders import NonceSource, OrderBuilder
from matcher.client._public import PublicCalls
from matcher.client._session import Session, SessionOptions
from matcher.client._types import Amend, Cancel, Place, Replace
from matcher.engine.reject_reason import RejectReason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import grpc
    from google.protobuf.message import Message

    from bulkhead.types.v1 import signed_order_pb2
    from matcher.client._events import AccountEvent
    from matcher.client._types import (
        Account,
        CollateralMoveResult,
        ItemState,
        OpenOrder,
        OrderPreview,
        Position,
        Side,
        WithdrawalResult,
    )

_PAGE_ORDER_COUNT = 1000


class Client(PublicCalls):
    """A connection to the matcher with one account logged in. Use `async with`.

    Attributes:
        account: 20-byte address.
        orders: Builds orders of this account.
        session: The trading session.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        domain: Domain,
        private_key: SigningKey,
        nonces: NonceSource,
        options: SessionOptions,
        timeout_s: float,
        taker_nonces: NonceSource | None = None,
    ) -> None:
        """Prepare a client; `connect` makes one that is logged in."""
        super().__init__(channel, timeout_s)
        self.account = private_key.address
        self.orders = OrderBuilder(self.account, nonces, taker_nonces=taker_nonces)
        self.session = Session(channel, domain, private_key, options)
        self._domain = domain
        self._key = private_key
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)

    @classmethod
    async def connect(
        cls,
        target: str,
        domain: Domain,
        private_key: SigningKey,
        *,
        nonces: NonceSource | None = None,
        options: SessionOptions | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        timeout_s: float = TIMEOUT_S,
        taker_nonces: NonceSource | None = None,
    ) -> Self:
        """Return a connection with an open session.

        Args:
            target: `host:port` of the matcher.
            domain: Chain and contract that everything is signed for.
            private_key: Key of the account.
            nonces: Where nonces come from; None: a range that the clock gives.
            options: How the session behaves.
            credentials: TLS credentials; None: plain text.
            timeout_s: Seconds for connecting, and for each call.
            taker_nonces: Where those of IOC and FOK orders come from, `NonceSource.ascending()` to
                make their fills cheaper; None: from `nonces`.

        Raises:
            ConnectError: Nobody answers at `target`.
            AuthenticationError: The login was refused.
            ProtocolError: The matcher settles on another chain or contract.
        """
        channel = await open_channel(target, credentials, timeout_s)
        client = cls(
            channel,
            domain,
            private_key,
            nonces or NonceSource.from_clock(),
            options or SessionOptions(),
            timeout_s,
            taker_nonces,
        )
        try:
            await client.session.open(timeout_s)
        except BaseException:
            await channel.close()
            raise
        return client

    async def close(self) -> None:
        """Close session and connection."""
        await self.session.close()
        await super().close()

    def events(self) -> AsyncIterator[AccountEvent]:
        """Yield the account's events in sequence; see `Session.events`."""
        return self.session.events()

    async def place(
        self, orders: Sequence[Order], *, in_bulk: bool = False
    ) -> list[OrderAccepted | OrderRejected]:
        """Sign and place orders in one batch; return one result per order.

        Args:
            orders: Orders of this account.
            in_bulk: One signature for all of them, at most 1,024 (SPEC SIG-4): quicker to sign
                and to check. On chain each that fills brings 32 bytes a level of the tree instead
                of a signature, so that small trees are cheaper.

        Raises:
            CallError: The line broke or time ran out; events tell what became of the orders.
        """
        signatures = (
            sign_in_bulk(orders, self._domain, self._key)
            if in_bulk
            else [self._key.sign(self._domain.digest(order)) for order in orders]
        )
        commands = [
            command_pb2.Command(
                place_order=command_pb2.PlaceOrder(order=order_message(order, signature))
            )
            for order, signature in zip(orders, signatures, strict=True)
        ]
        results = await self._request(commands)
        return [_expect(result, OrderAccepted, OrderRejected) for result in results]

    async def place_one(self, order: Order) -> OrderAccepted:
        """Sign and place an order. Raises `RejectedError`."""
        (result,) = await self.place([order])
        if isinstance(result, OrderRejected):
            raise RejectedError(f"order with nonce {result.nonce}", result.reason)
        return result

    async def cancel(self, order_ids: Sequence[int]) -> list[OrderCanceled | CommandRejected]:
        """Cancel orders by their ids in one batch; return one result per order."""
        targets = [command_pb2.CancelOrder(order_id=order_id) for order_id in order_ids]
        return await self._cancel(targets)

    async def cancel_nonces(self, nonces: Sequence[int]) -> list[OrderCanceled | CommandRejected]:
        """Cancel orders by their nonces in one batch; return one result per order."""
        return await self._cancel([command_pb2.CancelOrder(nonce=nonce) for nonce in nonces])

    async def replace(
        self, pairs: Sequence[tuple[int, Order]], *, unfilled_lots: Sequence[int] = ()
    ) -> list[OrderAccepted | OrderRejected]:
        """Replace orders by others of the same market and side, each wholly or not at all.

        Args:
            pairs: Id of the old order, and the new one.
            unfilled_lots: For each pair the lots that must be left of the old order (else
                UNFILLED_MISMATCH); 0 or absent: any. With it a fill on the way is never doubled.
        """
        commands = [
            command_pb2.Command(
                replace_order=command_pb2.ReplaceOrder(
                    cancel=command_pb2.CancelOrder(order_id=order_id),
                    order=self._signed(order),
                    required_unfilled_lots=unfilled_lots[at] if at < len(unfilled_lots) else 0,
                )
            )
            for at, (order_id, order) in enumerate(pairs)
        ]
        results = await self._request(commands)
        return [_expect(result, OrderAccepted, OrderRejected) for result in results]

    async def amend(
        self, totals: Sequence[tuple[int, int]]
    ) -> list[OrderAmended | OrderCanceled | CommandRejected]:
        """Lower orders to new total quantities, what is filled included; they keep their places.

        Args:
            totals: Id of an order, and its new total in lots: at most the present one.
        """
        commands = [
            command_pb2.Command(
                amend_order=command_pb2.AmendOrder(
                    target=command_pb2.CancelOrder(order_id=order_id), qty_lots=qty_lots
                )
            )
            for order_id, qty_lots in totals
        ]
        results = await self._request(commands)
        return [_expect(r, OrderAmended, OrderCanceled, CommandRejected) for r in results]

    async def group(
        self, items: Sequence[Place | Cancel | Amend | Replace]
    ) -> list[OrderAccepted | OrderRejected | OrderCanceled | OrderAmended | CommandRejected]:
        """Do several commands or none of them (SPEC GRP-1); return one result per command.

        When one is not admitted it is refused with its reason, the others with GROUP_REJECTED.
        Two-sided quotes that stand together or not at all:

            old_bid, old_ask = await client.open_orders(btc.market_id)
            results = await client.group(
                [Replace(old_bid.order_id, new_bid), Replace(old_ask.order_id, new_ask)]
            )
            stands = all(isinstance(result, OrderAccepted) for result in results)

        Args:
            items: At most 32, each naming another order.
        """
        group = command_pb2.Group(commands=[self._item(item) for item in items])
        results = await self._request([command_pb2.Command(group=group)])
        return [
            _expect(r, OrderAccepted, OrderRejected, OrderCanceled, OrderAmended, CommandRejected)
            for r in results
        ]

    def _item(self, item: Place | Cancel | Amend | Replace) -> command_pb2.Command:
        match item:
            case Place(order):
                place = command_pb2.PlaceOrder(order=self._signed(order))
                return command_pb2.Command(place_order=place)
            case Cancel(order_id):
                cancel = command_pb2.CancelOrder(order_id=order_id)
                return command_pb2.Command(cancel_order=cancel)
            case Amend(order_id, qty_lots):
                target = command_pb2.CancelOrder(order_id=order_id)
                amend = command_pb2.AmendOrder(target=target, qty_lots=qty_lots)
                return command_pb2.Command(amend_order=amend)
            case Replace(order_id, order, unfilled_lots):
                replace = command_pb2.ReplaceOrder(
                    cancel=command_pb2.CancelOrder(order_id=order_id),
                    order=self._signed(order),
                    required_unfilled_lots=unfilled_lots,
                )
                return command_pb2.Command(replace_order=replace)

    async def cancel_all(
        self, market_id: int = 0, side: Side | None = None, *, only_this_session: bool = False
    ) -> int:
        """Cancel all open orders of a market (0: of all) and side; return how many they were.

        await client.cancel_all()  # everything
        await client.cancel_all(btc.market_id, Side.BUY)  # the bids of a market
        await client.cancel_all(only_this_session=True)  # what this client has placed

        What a client has placed is found after it reconnected, too; another `Client` of the
        account, in another process or after a new start, has a session of its own.

        Raises:
            RejectedError: The market is unknown.
        """
        command = command_pb2.CancelAll(
            market_id=market_id,
            side=side or 0,  # type: ignore[arg-type]
            only_this_session=only_this_session,
        )
        (result,) = await self._request([command_pb2.Command(cancel_all=command)])
        if isinstance(result, CommandRejected):
            raise RejectedError(f"cancel of market {market_id}", result.reason)
        count: int = _expect(result, MassCanceled).order_count
        return count

    async def set_dead_man_timer(self, timeout_ns: int) -> None:
        """Have all orders canceled when this client is silent for so long; 0 disarms.

        The client sends heartbeats by itself, so the timer fires when it dies or its line breaks
        and does not come back in time. A new line arms it again.

        Args:
            timeout_ns: 10^9 to 3,600 · 10^9 nanoseconds.
        """
        await self.session.set_dead_man_timer(timeout_ns, self._timeout_s)

    async def balances(self) -> Account:
        """Return the balances of the account."""
        request = account_service_pb2.GetAccountRequest()
        account: Account = decode(await self._unary(self._accounts.GetAccount, request))
        return account

    async def position(self, market_id: int) -> Position:
        """Return the position in a market; a flat one when there is none."""
        request = account_service_pb2.GetPositionRequest(market_id=market_id)
        response = await self._unary(self._accounts.GetPosition, request)
        position: Position = decode(response.position)
        return position

    async def positions(self) -> list[Position]:
        """Return all positions, ascending by market_id."""
        request = account_service_pb2.ListPositionsRequest()
        response = await self._unary(self._accounts.ListPositions, request)
        return [decode(position) for position in response.positions]

    async def open_orders(self, market_id: int = 0) -> list[OpenOrder]:
        """Return the open orders of a market (0: of all), ascending by order_id."""
        orders: list[OpenOrder] = []
        while True:
            request = account_service_pb2.ListOpenOrdersRequest(
                market_id=market_id,
                after_order_id=orders[-1].order_id if orders else 0,
                order_count_max=_PAGE_ORDER_COUNT,
            )
            page = (await self._unary(self._accounts.ListOpenOrders, request)).orders
            orders += [decode(order) for order in page]
            if len(page) < _PAGE_ORDER_COUNT:
                return orders

    async def preview(self, order: Order) -> OrderPreview:
        """Return what an order would do, without placing it."""
        request = account_service_pb2.PreviewOrderRequest(order=order_message(order, b""))
        preview: OrderPreview = decode(await self._unary(self._accounts.PreviewOrder, request))
        return preview

    async def move_collateral(self, market_id: int, amount_quote: int) -> CollateralMoveResult:
        """Top up a position (> 0) or take out of it (< 0), in quote units.

        Raises:
            RejectedError: The engine refuses it.
        """
        move = CollateralMove(
            account=self.account,
            market_id=market_id,
            amount_quote=amount_quote,
            nonce=self.orders.nonces.take(),
            expiry_time_s=self.orders.move_expiry_time_s(),
        )
        signed = move_message(move, self._key.sign(self._domain.digest(move)))
        request = account_service_pb2.MoveCollateralRequest(move=signed)
        response = await self._unary(self._accounts.MoveCollateral, request)
        result: CollateralMoveResult = decode(response)
        if result.reject_reason:
            raise RejectedError("collateral move", result.reject_reason)
        return result

    async def set_auto_top_up(
        self, market_id: int, cap_quote: int, *, expiry_time_s: int | None = None
    ) -> None:
        """Let a position be topped up out of the free balance when it would be liquidated.

        As little is drawn as restores the initial requirement, and nothing that would not save the
        position; `AutoToppedUp` tells of each draw. The instruction takes the place of the one
        before.

        Args:
            market_id: Market of the position, which need not be open yet.
            cap_quote: Most that all draws together may take, in quote units; 0: none any more.
            expiry_time_s: Unix time at which it ends; None: as that of orders.

        Raises:
            RejectedError: The engine refuses it.
        """
        top_up = AutoTopUp(
            account=self.account,
            market_id=market_id,
            cap_quote=cap_quote,
            nonce=self.orders.nonces.take(),
            expiry_time_s=expiry_time_s or self.orders.expiry_time_s(),
        )
        signed = top_up_message(top_up, self._key.sign(self._domain.digest(top_up)))
        request = account_service_pb2.SetAutoTopUpRequest(instruction=signed)
        response = await self._unary(self._accounts.SetAutoTopUp, request)
        if response.reject_reason:
            raise RejectedError("auto-top-up", RejectReason(response.reject_reason))

    async def withdraw(self, amount_quote: int, receiver: bytes | None = None) -> WithdrawalResult:
        """Pay out of the free balance, in quote units, to the account or another address.

        Raises:
            RejectedError: The engine refuses it.
        """
        withdrawal = Withdrawal(
            account=self.account,
            receiver=receiver or self.account,
            amount_quote=amount_quote,
            nonce=self.orders.nonces.take(),
            expiry_time_s=self.orders.move_expiry_time_s(),
        )
        signed = withdrawal_message(withdrawal, self._key.sign(self._domain.digest(withdrawal)))
        request = account_service_pb2.WithdrawRequest(withdrawal=signed)
        result: WithdrawalResult = decode(await self._unary(self._accounts.Withdraw, request))
        if result.reject_reason:
            raise RejectedError("withdrawal", result.reject_reason)
        return result

    async def settlement_state(self, item_seq: int) -> ItemState:
        """Return where a settlement item of the account stands. Raises `NotKnownError`."""
        request = account_service_pb2.GetSettlementStateRequest(item_seq=item_seq)
        state: ItemState = decode(await self._unary(self._accounts.GetSettlementState, request))
        return state

    async def _cancel(
        self, targets: Sequence[command_pb2.CancelOrder]
    ) -> list[OrderCanceled | CommandRejected]:
        results = await self._request(
            [command_pb2.Command(cancel_order=target) for target in targets]
        )
        return [_expect(result, OrderCanceled, CommandRejected) for result in results]

    def _signed(self, order: Order) -> signed_order_pb2.SignedOrder:
        return order_message(order, self._key.sign(self._domain.digest(order)))

    async def _request(self, commands: Sequence[command_pb2.Command]) -> list[AccountEvent]:
        return await self.session.request(commands, self._timeout_s)

    async def _unary(self, method: object, request: Message) -> Any:  # noqa: ANN401
        token = self.session.session_token
        return await unary(method, request, timeout_s=self._timeout_s, token=token)


def _expect(result: AccountEvent, *kinds: type[AccountEvent]) -> Any:  # noqa: ANN401
    """Return the result when it is of one of the kinds."""
    if isinstance(result, kinds):
        return result
    raise ProtocolError(f"unexpected result {type(result).__name__}")
