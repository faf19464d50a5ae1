"""Answers for the account of a session token: balances, positions, orders, payments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkhead.matcher.v1 import account_service_pb2 as pb
from bulkhead.matcher.v1 import account_service_pb2_grpc
from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from matcher.engine.reject_reason import RejectReason
from matcher.receipts import accounts_of
from matcher.rpc import convert
from matcher.rpc.auth import bearer_token
from matcher.rpc.convert_events import header, open_order, position, wire_enum
from matcher.rpc.gateway import Gateway, Signed, now_ns, rejection_of
from matcher.rpc.preview import preview
from matcher.rpc.status import CallError, not_known

if TYPE_CHECKING:
    import grpc

    from matcher.engine.commands import Command
    from matcher.engine.views import Position

ORDERS_PER_PAGE_MAX = 1_000


class AccountService(account_service_pb2_grpc.AccountServiceServicer):
    """See proto/bulkhead/matcher/v1/account_service.proto."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._venue = gateway.venue

    async def GetAccount(  # noqa: N802
        self, request: pb.GetAccountRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetAccountResponse:
        """Return the balances."""
        del request
        address, account = self._caller(context)
        engine = self._venue.engine
        return pb.GetAccountResponse(
            header=header(self._venue),
            account=address,
            is_registered=account is not None,
            free_quote=self._free_quote(account),
            reserved_quote=0 if account is None else engine.reserved_quote(account),
            account_seq=self._venue.account_feed.last_seq(address),
            order_count=0 if account is None else len(engine.open_orders(account)),
        )

    async def GetPosition(  # noqa: N802
        self, request: pb.GetPositionRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetPositionResponse:
        """Return one position."""
        _, account = self._caller(context)
        convert.in_range("market_id", request.market_id, 1, convert.MARKET_ID_MAX)
        if request.market_id not in self._venue.listings:
            raise not_known(f"market {request.market_id}")
        state = self._position(account, request.market_id)
        return pb.GetPositionResponse(
            header=header(self._venue), position=position(request.market_id, state)
        )

    async def ListPositions(  # noqa: N802
        self, request: pb.ListPositionsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListPositionsResponse:
        """Return all positions that are not empty."""
        del request
        _, account = self._caller(context)
        positions = []
        for market_id in sorted(self._venue.listings):
            state = self._position(account, market_id)
            if state is not None and (
                state.position_lots or state.collateral_quote or state.reserved_quote
            ):
                positions.append(position(market_id, state))
        return pb.ListPositionsResponse(header=header(self._venue), positions=positions)

    async def PreviewOrder(  # noqa: N802
        self, request: pb.PreviewOrderRequest, context: grpc.aio.ServicerContext
    ) -> pb.PreviewOrderResponse:
        """Compute what an order would do."""
        address, account = self._caller(context)
        order, _ = convert.order_of(request.order, "order", is_signed=False)
        self._check_account(order.account, address)
        return preview(self._gateway, order, account)

    async def MoveCollateral(  # noqa: N802
        self, request: pb.MoveCollateralRequest, context: grpc.aio.ServicerContext
    ) -> pb.MoveCollateralResponse:
        """Move collateral into a position or out of it."""
        address, account = self._caller(context)
        move, signature = convert.move_of(request.move, "move")
        self._check_account(move.account, address)
        command = convert.move_command(move, signature, account or 0)
        reason, item_seq = await self._apply(account, command, (move, signature, address))
        state = self._position(account, move.market_id)
        return pb.MoveCollateralResponse(
            header=header(self._venue),
            reject_reason=wire_enum(reason),
            item_seq=item_seq,
            position=position(move.market_id, state),
            free_quote=self._free_quote(account),
        )

    async def SetAutoTopUp(  # noqa: N802
        self, request: pb.SetAutoTopUpRequest, context: grpc.aio.ServicerContext
    ) -> pb.SetAutoTopUpResponse:
        """Leave a standing instruction for a position."""
        address, account = self._caller(context)
        top_up, signature = convert.top_up_of(request.instruction, "instruction")
        self._check_account(top_up.account, address)
        command = convert.top_up_command(top_up, signature, account or 0)
        reason, _ = await self._apply(account, command, (top_up, signature, address))
        return pb.SetAutoTopUpResponse(header=header(self._venue), reject_reason=wire_enum(reason))

    async def Withdraw(  # noqa: N802
        self, request: pb.WithdrawRequest, context: grpc.aio.ServicerContext
    ) -> pb.WithdrawResponse:
        """Pay out of the free balance."""
        address, account = self._caller(context)
        withdrawal, signature = convert.withdrawal_of(request.withdrawal, "withdrawal")
        self._check_account(withdrawal.account, address)
        command = convert.withdraw_command(withdrawal, signature, account or 0)
        reason, item_seq = await self._apply(account, command, (withdrawal, signature, address))
        return pb.WithdrawResponse(
            header=header(self._venue),
            reject_reason=wire_enum(reason),
            item_seq=item_seq,
            free_quote=self._free_quote(account),
        )

    async def ListOpenOrders(  # noqa: N802
        self, request: pb.ListOpenOrdersRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListOpenOrdersResponse:
        """Return a page of the open orders."""
        _, account = self._caller(context)
        convert.in_range("market_id", request.market_id, 0, convert.MARKET_ID_MAX)
        limit = convert.in_range("order_count_max", request.order_count_max, 0, ORDERS_PER_PAGE_MAX)
        orders = []
        for order_id in sorted(self._venue.engine.open_orders(account)) if account else ():
            order = self._venue.orders.get(order_id)
            is_wanted = request.market_id in {0, order.command.market_id}
            if is_wanted and order_id > request.after_order_id:
                orders.append(open_order(order_id, order))
            if len(orders) == (limit or ORDERS_PER_PAGE_MAX):
                break
        return pb.ListOpenOrdersResponse(header=header(self._venue), orders=orders)

    async def GetSettlementState(  # noqa: N802
        self, request: pb.GetSettlementStateRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetSettlementStateResponse:
        """Return where an item of the account stands."""
        _, account = self._caller(context)
        item_seq = convert.in_range("item_seq", request.item_seq, 1, convert.INT64_MAX)
        if item_seq > self._venue.settlement.item_seq:
            raise not_known(f"item {item_seq}")
        (item,) = self._venue.settlement.items(item_seq, item_seq)
        if account not in set(accounts_of(item.event)):
            raise not_known(f"item {item_seq} of this account")
        state = self._venue.receipts.state_of(item_seq)
        return pb.GetSettlementStateResponse(
            header=header(self._venue),
            state=wire_enum(state.state),
            batch_seq=state.batch_seq,
            tx_hash=state.tx_hash,
            block_number=state.block_number,
            reason=wire_enum(state.reason),
        )

    def _caller(self, context: grpc.aio.ServicerContext) -> tuple[bytes, int | None]:
        """Return address and index of the caller; None before the first deposit."""
        address = self._gateway.tokens.address_of(bearer_token(context), now_ns())
        if address is None:
            text = "the session token is unknown or has expired; log in again"
            raise CallError(ErrorReason.ERROR_REASON_TOKEN_INVALID, text)
        return address, self._venue.accounts.find_index(address)

    def _check_account(self, address: bytes, caller: bytes) -> None:
        if address != caller:
            text = f"expected the account 0x{caller.hex()}, found 0x{address.hex()}"
            raise CallError(ErrorReason.ERROR_REASON_ACCOUNT_MISMATCH, text)

    def _position(self, account: int | None, market_id: int) -> Position | None:
        if account is None or market_id not in self._venue.listings:
            return None
        return self._venue.engine.position(account, market_id)

    def _free_quote(self, account: int | None) -> int:
        return 0 if account is None else int(self._venue.engine.free_quote(account))

    async def _apply(
        self,
        account: int | None,
        command: tuple[Command, bytes],
        signed: Signed,
    ) -> tuple[RejectReason, int]:
        """Return why a signed command was refused, and the number of its settlement item."""
        if not (await self._gateway.are_signed([signed]))[0]:
            return RejectReason.SIGNATURE_INVALID, 0
        if account is None:
            return RejectReason.ACCOUNT_UNKNOWN, 0
        (applied,) = await self._gateway.apply([command])
        reason = rejection_of(applied)
        return reason, 0 if reason else applied.item_seq
