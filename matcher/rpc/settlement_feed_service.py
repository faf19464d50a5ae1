"""Sends settlement items to attestors, and takes what they report of the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from bulkhead.matcher.v1 import settlement_feed_service_pb2 as pb
from bulkhead.matcher.v1 import settlement_feed_service_pb2_grpc
from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from matcher.rpc import convert
from matcher.rpc.auth import require_token
from matcher.rpc.convert_events import header, settlement_item, settlement_order
from matcher.rpc.status import CallError, field_error

if TYPE_CHECKING:
    import grpc

    from matcher.engine.commands import Command
    from matcher.rpc.gateway import Gateway

ITEMS_PER_RESPONSE_MAX: Final = 256
_PLACES_WARNED_OF: Final = 8  # an eighth of them is left

_log = structlog.get_logger(__name__)


class SettlementFeedService(settlement_feed_service_pb2_grpc.SettlementFeedServiceServicer):
    """See proto/bulkhead/matcher/v1/settlement_feed_service.proto."""

    def __init__(self, gateway: Gateway, token: str) -> None:
        """Serve whoever shows the token."""
        self._gateway = gateway
        self._venue = gateway.venue
        self._token = token

    async def StreamItems(  # noqa: N802
        self, request: pb.StreamItemsRequest, context: grpc.aio.ServicerContext
    ) -> None:
        """Send all items from a number on, for ever; the reader's pace is its own."""
        require_token(context, self._token)
        accounts = self._venue.accounts
        cursor = self._venue.settlement.cursor(request.from_item_seq)
        while True:
            orders, items = await cursor.take(ITEMS_PER_RESPONSE_MAX)
            response = pb.StreamItemsResponse(
                header=header(self._venue),
                orders=[settlement_order(order, accounts) for order in orders],
                items=[settlement_item(item, accounts) for item in items],
            )
            response.header.command_seq = items[-1].command_seq
            response.header.time_ns = items[-1].time_ns
            await context.write(response)

    async def ReportChainEvents(  # noqa: N802
        self, request: pb.ReportChainEventsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ReportChainEventsResponse:
        """Take deposits, receipts and progress; what is known already is passed over."""
        require_token(context, self._token)
        if not request.ListFields():
            raise field_error("deposits", "an entry in one of the lists", "none")
        progress = [
            convert.progress_of(wire, f"batch_progress[{at}]", self._venue.settlement.item_seq)
            for at, wire in enumerate(request.batch_progress)
        ]
        commands = self._deposits(request) + self._requests(request) + self._notices(request)
        commands += self._announcements(request)
        commands += self._receipts(request)
        if commands:
            await self._gateway.apply(commands)
            self._warn_of_places()
        for one in progress:
            self._venue.receipts.inform(one, self._venue.cursor.time_ns)
        return pb.ReportChainEventsResponse(
            header=header(self._venue),
            deposit_seq=self._venue.cursor.deposit_seq,
            batch_seq=self._venue.receipts.batch_seq,
            request_seq=self._venue.cursor.request_seq,
        )

    async def GetCursor(  # noqa: N802
        self, request: pb.GetCursorRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetCursorResponse:
        """Say where reports have to go on."""
        del request
        require_token(context, self._token)
        return pb.GetCursorResponse(
            header=header(self._venue),
            deposit_seq=self._venue.cursor.deposit_seq,
            batch_seq=self._venue.receipts.batch_seq,
            settled_item_seq=self._venue.receipts.settled_item_seq,
            item_seq=self._venue.settlement.item_seq,
            request_seq=self._venue.cursor.request_seq,
        )

    def _deposits(self, request: pb.ReportChainEventsRequest) -> list[tuple[Command, bytes]]:
        read = [
            convert.deposit_command(wire, f"deposits[{at}]")
            for at, wire in enumerate(request.deposits)
        ]
        return self._in_order(read, "deposit_seq", self._venue.cursor.deposit_seq)

    def _announcements(self, request: pb.ReportChainEventsRequest) -> list[tuple[Command, bytes]]:
        commands = []
        known_seq = self._venue.cursor.announcement_seq
        for at, wire in enumerate(request.announcements):
            listing = self._venue.listings.get(wire.spec.market_id)
            if listing is None or wire.announcement_seq <= known_seq:
                continue
            known_seq = wire.announcement_seq
            held = self._venue.engine.announced_spec(wire.spec.market_id) or listing.spec
            commands.append(convert.announcement_command(wire, held, f"announcements[{at}]"))
        return commands

    def _requests(self, request: pb.ReportChainEventsRequest) -> list[tuple[Command, bytes]]:
        read = [
            convert.request_command(wire, f"requests[{at}]")
            for at, wire in enumerate(request.requests)
        ]
        return self._in_order(read, "request_id", self._venue.cursor.request_seq)

    def _in_order(
        self, read: list[tuple[Command, bytes]], counter: str, known_seq: int
    ) -> list[tuple[Command, bytes]]:
        """Return what is new; a number that was left out is an error."""
        commands = []
        for command, extra in read:
            if command.nonce <= known_seq:
                continue
            if command.nonce != known_seq + 1:
                raise _gap(counter, known_seq + 1, command.nonce)
            known_seq = command.nonce
            commands.append((command, extra))
        return commands

    def _notices(self, request: pb.ReportChainEventsRequest) -> list[tuple[Command, bytes]]:
        read = [
            convert.notice_command(wire, f"notices[{at}]")
            for at, wire in enumerate(request.notices)
        ]
        known = self._venue.cursor.notice_place
        return [(command, extra) for command, extra in read if command.nonce > known]

    def _warn_of_places(self) -> None:
        """Raise the alarm before all accounts are taken, and again while deposits are parked."""
        left = self._venue.places_left
        if self._venue.parked:
            parked_quote = sum(self._venue.parked.values())
            _log.error("accounts.full", parked=len(self._venue.parked), quote=parked_quote)
        elif left * _PLACES_WARNED_OF <= self._venue.capacities.account_count_max:
            _log.warning("accounts.nearly_full", left=left)

    def _receipts(self, request: pb.ReportChainEventsRequest) -> list[tuple[Command, bytes]]:
        commands = []
        known_seq = self._venue.receipts.batch_seq
        settled_seq = self._venue.receipts.settled_item_seq
        for at, wire in enumerate(request.batch_receipts):
            receipt = convert.receipt_of(wire, f"batch_receipts[{at}]")
            if receipt.batch_seq <= known_seq:
                continue
            if receipt.batch_seq != known_seq + 1:
                raise _gap("batch_seq", known_seq + 1, receipt.batch_seq)
            if receipt.first_item_seq != settled_seq + 1:
                raise _gap("first_item_seq", settled_seq + 1, receipt.first_item_seq)
            convert.in_range(
                f"batch_receipts[{at}].last_item_seq",
                receipt.last_item_seq,
                receipt.first_item_seq,
                self._venue.settlement.item_seq,
            )
            known_seq, settled_seq = receipt.batch_seq, receipt.last_item_seq
            commands.append(convert.receipt_command(receipt))
        return commands


def _gap(name: str, expected_seq: int, found_seq: int) -> CallError:
    text = f"expected {name} {expected_seq}, found {found_seq}"
    facts = {f"{name}_expected": str(expected_seq)}
    return CallError(ErrorReason.ERROR_REASON_SEQ_GAP, text, facts)
