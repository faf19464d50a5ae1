"""One trading session: challenge, login, commands in, events out, and an orderly end."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc

from bulkhead.matcher.v1 import command_pb2, session_event_pb2, trading_service_pb2
from bulkhead.types.v1 import signing_domain_pb2
from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from bulkhead_signing import Login, Order
from matcher.engine.commands import GROUP_ITEMS_MAX, Command, CommandKind
from matcher.engine.reject_reason import RejectReason
from matcher.envelope import ADDRESS_BYTES, SIGNATURE_BYTES, GroupExtra, ShellKind
from matcher.feed.account_events import (
    AccountEvent,
    AccountEventBody,
    CommandRejected,
    DeadManTimerSet,
    HeartbeatAcknowledged,
    OrderRejected,
)
from matcher.feed.subscription import SlowConsumerError, Subscription
from matcher.rpc import convert
from matcher.rpc.auth import CHALLENGE_BYTES, check_login
from matcher.rpc.convert_events import header, session_event
from matcher.rpc.gateway import Gateway, now_ns
from matcher.rpc.status import CallError, field_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matcher.venue import Applied

LOGIN_TIMEOUT_S: Final = 10
WRITE_TIMEOUT_S: Final = 10
EVENTS_PER_RESPONSE_MAX: Final = 512
REQUESTS_IN_FLIGHT_MAX: Final = 16
GROUP_KINDS: Final = frozenset({"place_order", "cancel_order", "amend_order", "replace_order"})
DEAD_MAN_TIMEOUT_NS_MIN: Final = 1_000_000_000
DEAD_MAN_TIMEOUT_NS_MAX: Final = 3_600_000_000_000


class _Prepared(NamedTuple):
    """A command of a request: for the sequencer when `refusal` is None, else answered at once.

    `item_ids` are the request ids of a group's commands, each of which has a result.
    """

    request_id: int
    command: Command
    extra: bytes
    refusal: AccountEventBody | None
    item_ids: tuple[int, ...] = ()


Signed = tuple[Order, bytes]  # order, signature


class TradingSession:
    """Two tasks, a reader of commands and a writer of events, between one client and its account.

    Bounded: at most `REQUESTS_IN_FLIGHT_MAX` requests wait for the sequencer (then nothing more is
    read from the client), and at most `session_events_max` events wait for the client (then it is
    cut off).
    """

    def __init__(
        self,
        gateway: Gateway,
        context: grpc.aio.ServicerContext,
        on_member: Callable[[], None],
    ) -> None:
        """Serve the client behind `context`; `on_member` admits an account with a deposit."""
        self.is_member = False
        self._on_member = on_member
        self._gateway = gateway
        self._context = context
        self._address = b""
        self._tag = 0  # of its orders in the engine
        self._cancels_on_disconnect = False
        self._subscription: Subscription[AccountEvent] = Subscription(1)
        # (command_seq, item of a group) → request_id, until its result
        self._request_ids: dict[tuple[int, int], int] = {}
        self._in_flight: deque[asyncio.Future[list[Applied]]] = deque()
        self._dead_man_timeout_ns = 0
        self._dead_man: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve until the client closes its side, goes away or breaks a rule.

        Raises:
            CallError: Why the session was ended.
            SlowConsumerError: The client did not read its events.
        """
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        await self._write_event(login_challenge=self._challenge(challenge))
        request = await self._read_login()
        if request is None:
            return
        login = request.commands[0]
        missed = self._log_in(login.login, challenge)
        try:
            await self._write_event(
                request_id=login.request_id, login_accepted=self._login_accepted()
            )
            await self._write_events(missed)
            await self._serve(request.commands[1:])
        finally:
            self._log_out()

    def _challenge(self, challenge: bytes) -> session_event_pb2.LoginChallenge:
        domain = self._gateway.domain
        return session_event_pb2.LoginChallenge(
            challenge=challenge,
            signing_domain=signing_domain_pb2.SigningDomain(
                chain_id=domain.chain_id, contract=domain.contract
            ),
        )

    async def _read_login(self) -> trading_service_pb2.SessionRequest | None:
        """Return the first request, which begins with a login; None: the client has gone."""
        reason = ErrorReason.ERROR_REASON_LOGIN_ORDER
        try:
            request = await asyncio.wait_for(self._context.read(), LOGIN_TIMEOUT_S)
        except TimeoutError:
            text = f"expected a login within {LOGIN_TIMEOUT_S} s"
            raise CallError(reason, text) from None
        if request is grpc.aio.EOF:
            return None
        assert isinstance(request, trading_service_pb2.SessionRequest)
        if not request.commands or request.commands[0].WhichOneof("command") != "login":
            raise CallError(reason, "the first command of a session must be a login")
        return request

    def _log_in(self, wire: command_pb2.Login, challenge: bytes) -> list[AccountEvent]:
        """Check the login and subscribe; return the events that the client has missed."""
        path = "commands[0].login"
        login = Login(
            convert.of_length(f"{path}.account", wire.account, ADDRESS_BYTES),
            convert.in_range(f"{path}.time_ms", wire.time_ms, 1, convert.TIME_MS_MAX),
            challenge,
        )
        signature = convert.of_length(f"{path}.signature", wire.signature, SIGNATURE_BYTES)
        now_ms = now_ns() // 1_000_000
        ttl_ms = self._gateway.login_ttl_ms
        check_login(self._gateway.domain, login, signature, now_ms=now_ms, ttl_ms=ttl_ms)
        after_seq = None
        if wire.HasField("resume_after_account_seq"):
            name = f"{path}.resume_after_account_seq"
            after_seq = convert.in_range(name, wire.resume_after_account_seq, 0, convert.INT64_MAX)
        if self._gateway.venue.accounts.find_index(login.account) is not None:
            self._on_member()
            self.is_member = True
        feed = self._gateway.venue.account_feed
        self._subscription, missed = feed.subscribe(login.account, after_seq)
        self._address = login.account
        self._cancels_on_disconnect = wire.cancels_on_disconnect
        self._tag = wire.session_tag or secrets.randbits(32) or 1
        return missed

    def _login_accepted(self) -> session_event_pb2.LoginAccepted:
        venue = self._gateway.venue
        token, expiry_time_ns = self._gateway.tokens.issue(self._address, now_ns())
        return session_event_pb2.LoginAccepted(
            session_token=token,
            session_token_expiry_time_ns=expiry_time_ns,
            account_seq=venue.account_feed.last_seq(self._address),
            is_registered=venue.accounts.find_index(self._address) is not None,
        )

    def _log_out(self) -> None:
        if self._dead_man is not None:
            self._gateway.left_timers.leave(self._address, self._dead_man.when())
        self._disarm()
        self._gateway.venue.account_feed.unsubscribe(self._address, self._subscription)
        if self._cancels_on_disconnect:
            self._gateway.cancel_all_of(self._address)

    async def _serve(self, first_commands: Sequence[command_pb2.Command]) -> None:
        """Run reader and writer; the first failure of either ends both."""
        tasks = [
            asyncio.create_task(self._read(first_commands)),
            asyncio.create_task(self._write()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, first_commands: Sequence[command_pb2.Command]) -> None:
        if first_commands:
            await self._handle(first_commands)
        while (request := await self._context.read()) is not grpc.aio.EOF:
            assert isinstance(request, trading_service_pb2.SessionRequest)
            if not request.commands:
                raise field_error("commands", "at least one entry", 0)
            await self._handle(request.commands)
        while self._in_flight:
            await self._in_flight.popleft()
        self._subscription.finish()

    async def _write(self) -> None:
        while events := await self._subscription.take(EVENTS_PER_RESPONSE_MAX):
            await self._write_events(events)

    async def _write_events(self, events: Sequence[AccountEvent]) -> None:
        for start in range(0, len(events), EVENTS_PER_RESPONSE_MAX):
            part = events[start : start + EVENTS_PER_RESPONSE_MAX]
            await self._write_response([session_event(e, self._request_id(e)) for e in part])

    async def _write_event(self, **fields: object) -> None:
        event = session_event_pb2.SessionEvent(**fields)  # type: ignore[arg-type]
        await self._write_response([event])

    async def _write_response(self, events: list[session_event_pb2.SessionEvent]) -> None:
        response = trading_service_pb2.SessionResponse(
            header=header(self._gateway.venue), events=events
        )
        try:
            await asyncio.wait_for(self._context.write(response), WRITE_TIMEOUT_S)
        except TimeoutError:
            text = f"the consumer has read nothing for {WRITE_TIMEOUT_S} s; connect again"
            raise SlowConsumerError(text) from None

    def _request_id(self, event: AccountEvent) -> int:
        if event.is_result:
            return self._request_ids.pop((event.command_seq, event.item), 0)
        return event.request_id

    async def _handle(self, wire_commands: Sequence[command_pb2.Command]) -> None:
        """Answer or queue the commands of one request; they stay in order.

        A malformed command fails the session before anything of its request is queued.
        """
        self._gateway.check_count(sum(_command_count(wire) for wire in wire_commands))
        account = self._gateway.venue.accounts.find_index(self._address)
        prepared = await self._prepare(wire_commands, account)
        to_sequence = [one for one in prepared if one.refusal is None]
        for one in prepared:
            if one.refusal is not None:
                self._answer(one.request_id, one.refusal)
        if to_sequence:
            await self._sequence(to_sequence)
        self._arm()

    async def _sequence(self, to_sequence: list[_Prepared]) -> None:
        while len(self._in_flight) >= REQUESTS_IN_FLIGHT_MAX:
            await self._in_flight.popleft()
        while self._in_flight and self._in_flight[0].done():
            self._in_flight.popleft().result()

        def on_sequenced(first_seq: int) -> None:
            for command_seq, one in enumerate(to_sequence, first_seq):
                for item, request_id in enumerate(one.item_ids or (one.request_id,)):
                    self._request_ids[command_seq, item] = request_id

        commands = [(one.command, one.extra) for one in to_sequence]
        future = await self._gateway.sequencer.submit_when_room(commands, on_sequenced)
        self._in_flight.append(future)

    async def _prepare(
        self, wire_commands: Sequence[command_pb2.Command], account: int | None
    ) -> list[_Prepared]:
        orders: dict[str, Signed] = {}
        for position, wire in enumerate(wire_commands):
            for path, one in _flat(wire, f"commands[{position}]"):
                convert.in_range(f"{path}.request_id", one.request_id, 1, 2**64 - 1)
                kind = one.WhichOneof("command")
                if kind == "place_order" or kind == "replace_order":  # noqa: PLR1714
                    order_wire = getattr(one, kind).order
                    orders[path] = convert.order_of(order_wire, f"{path}.{kind}.order")
                    self._check_account(orders[path][0].account)
        verdicts = dict.fromkeys(orders, True)
        if account is not None:  # else all are refused, whoever has signed them
            signed = [(order, signature, self._address) for order, signature in orders.values()]
            verdicts = dict(zip(orders, await self._gateway.are_signed(signed), strict=True))
        prepared: list[_Prepared] = []
        for position, wire in enumerate(wire_commands):
            path = f"commands[{position}]"
            if wire.WhichOneof("command") == "group":
                prepared += self._prepare_group(wire, path, account, orders, verdicts)
            else:
                prepared.append(self._prepare_one(wire, path, account, orders, verdicts))
        return prepared

    def _prepare_group(
        self,
        wire: command_pb2.Command,
        path: str,
        account: int | None,
        orders: dict[str, Signed],
        verdicts: dict[str, bool],
    ) -> list[_Prepared]:
        """Return the group as one command, or the refusals of all its commands (GRP-1)."""
        convert.in_range(f"{path}.group.commands", len(wire.group.commands), 1, GROUP_ITEMS_MAX)
        items = []
        for item_path, item in _flat(wire, path):
            if item.WhichOneof("command") not in GROUP_KINDS:
                expected = "place, cancel, amend or replace"
                raise field_error(f"{item_path}.command", expected, "another")
            items.append(self._prepare_one(item, item_path, account, orders, verdicts))
        failed = next((at for at, one in enumerate(items) if one.refusal is not None), None)
        if failed is None:
            extra = GroupExtra(tuple((one.command, one.extra) for one in items)).pack()
            command = Command(kind=ShellKind.GROUP, account=account or 0, session=self._tag)
            ids = tuple(one.request_id for one in items)
            return [_Prepared(wire.request_id, command, extra, None, ids)]
        return [
            one if at == failed else one._replace(refusal=_refused_with_its_group(one))
            for at, one in enumerate(items)
        ]

    def _prepare_one(
        self,
        wire: command_pb2.Command,
        place: str,
        account: int | None,
        orders: dict[str, Signed],
        verdicts: dict[str, bool],
    ) -> _Prepared:
        path = f"{place}.{wire.WhichOneof('command')}"
        index = account or 0
        if place in orders:
            is_signed = verdicts[place]
            return self._prepare_order(wire, path, account, orders[place], is_signed=is_signed)
        match wire.WhichOneof("command"):
            case "cancel_order":
                command, extra = convert.cancel_command(wire.cancel_order, index, path)
            case "cancel_all":
                command, extra = convert.cancel_all_of(wire.cancel_all, index, path)
                if wire.cancel_all.only_this_session:
                    command = command._replace(session=self._tag)
            case "amend_order":
                command, extra = convert.amend_command(wire.amend_order, index, path)
            case "heartbeat":
                self._check_lag(wire.heartbeat.account_seq)
                token = self._gateway.tokens.issue(self._address, now_ns())
                return _local(wire.request_id, HeartbeatAcknowledged(*token))
            case "set_dead_man_timer":
                timeout_ns = _dead_man_timeout_ns(wire.set_dead_man_timer.timeout_ns, path)
                self._dead_man_timeout_ns = timeout_ns
                self._gateway.left_timers.take(self._address)
                return _local(wire.request_id, DeadManTimerSet(timeout_ns))
            case "login":
                reason = ErrorReason.ERROR_REASON_LOGIN_ORDER
                raise CallError(reason, "a session has one login, its first command")
            case _:
                raise field_error(f"{place}.command", "a known command", "none")
        refusal = None
        if account is None:
            nonce = command.nonce if command.order_id == 0 else None
            refusal = CommandRejected(RejectReason.ACCOUNT_UNKNOWN, command.order_id, nonce)
        return _Prepared(wire.request_id, command, extra, refusal)

    def _prepare_order(
        self,
        wire: command_pb2.Command,
        path: str,
        account: int | None,
        signed: Signed,
        *,
        is_signed: bool,
    ) -> _Prepared:
        order, signature = signed
        command, extra = convert.place_command(order, signature, account or 0)
        reason = self._gateway.refusal_before_journal(
            command, order.fee_ppm_max, is_account=account is not None, is_signed=is_signed
        )
        refusal = None
        if reason != RejectReason.NONE:
            refusal = OrderRejected(reason, order.nonce, order.market_id)
        if wire.WhichOneof("command") == "replace_order":
            cancel_wire = wire.replace_order.cancel
            cancel, _ = convert.cancel_command(cancel_wire, command.account, f"{path}.cancel")
            unfilled_lots = convert.in_range(
                f"{path}.required_unfilled_lots",
                wire.replace_order.required_unfilled_lots,
                0,
                2**32 - 2,
            )
            command, extra = convert.replace_command(
                cancel, order, signature, command.account, unfilled_lots
            )
        command = command._replace(session=self._tag)
        return _Prepared(wire.request_id, command, extra, refusal)

    def _check_account(self, address: bytes) -> None:
        if address != self._address:
            reason = ErrorReason.ERROR_REASON_ACCOUNT_MISMATCH
            text = f"expected an order of 0x{self._address.hex()}, found one of 0x{address.hex()}"
            raise CallError(reason, text)

    def _check_lag(self, account_seq: int) -> None:
        last_seq = self._gateway.venue.account_feed.last_seq(self._address)
        limit = self._gateway.limits.account_events_kept_max
        if 0 < account_seq < last_seq - limit:
            text = f"the client is {last_seq - account_seq} events behind, {limit} are kept"
            raise SlowConsumerError(text)

    def _answer(self, request_id: int, body: AccountEventBody) -> None:
        event = AccountEvent(0, 0, 0, is_result=False, body=body, request_id=request_id)
        self._subscription.push(event)

    def _arm(self) -> None:
        """Restart the dead-man timer: a command has come."""
        self._disarm()
        if self._dead_man_timeout_ns:
            loop = asyncio.get_running_loop()
            delay_s = self._dead_man_timeout_ns / 1e9
            self._dead_man = loop.call_later(delay_s, self._gateway.cancel_all_of, self._address)

    def _disarm(self) -> None:
        if self._dead_man is not None:
            self._dead_man.cancel()
            self._dead_man = None


def _flat(wire: command_pb2.Command, path: str) -> Iterator[tuple[str, command_pb2.Command]]:
    """Yield the commands that have a result, with their paths: of a group its own."""
    if wire.WhichOneof("command") != "group":
        yield path, wire
        return
    for at, item in enumerate(wire.group.commands):
        yield f"{path}.group.commands[{at}]", item


def _command_count(wire: command_pb2.Command) -> int:
    return len(wire.group.commands) if wire.WhichOneof("command") == "group" else 1


def _refused_with_its_group(one: _Prepared) -> AccountEventBody:
    """Return the refusal of a command whose group is refused for another one."""
    command = one.command
    if command.kind in (CommandKind.PLACE, ShellKind.REPLACE):
        return OrderRejected(RejectReason.GROUP_REJECTED, command.nonce, command.market_id)
    nonce = command.nonce if command.order_id == 0 else None
    return CommandRejected(RejectReason.GROUP_REJECTED, command.order_id, nonce)


def _local(request_id: int, answer: AccountEventBody) -> _Prepared:
    return _Prepared(request_id, Command(kind=0), b"", answer)


def _dead_man_timeout_ns(timeout_ns: int, path: str) -> int:
    if timeout_ns == 0:
        return 0
    field = f"{path}.timeout_ns"
    return convert.in_range(field, timeout_ns, DEAD_MAN_TIMEOUT_NS_MIN, DEAD_MAN_TIMEOUT_NS_MAX)
