"""The trading session: login, commands awaited by request id, events in sequence, reconnection."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import grpc
import msgspec

from bulkhead.matcher.v1 import (
    command_pb2,
    session_event_pb2,
    trading_service_pb2,
    trading_service_pb2_grpc,
)
from bulkhead_signing import Domain, Login, SigningKey
from matcher.client._convert import account_event
from matcher.client._errors import (
    CallError,
    ConnectError,
    DeadlineError,
    LimitError,
    ProtocolError,
    rpc_error,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from matcher.client._events import AccountEvent

COMMANDS_PER_REQUEST_MAX: Final = 500
_BACKOFF_S: Final = (0.05, 0.2, 0.5, 1.0, 2.0)
_CLOSE_TIMEOUT_S: Final = 5.0
_BEAT_INTERVAL_S_MIN: Final = 0.1
_END: Final = None  # what a queue holds after its last entry


class SessionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a session behaves.

    Attributes:
        resume_after_account_seq: Last event already seen; 0: all that are kept; None: from now.
        cancels_on_disconnect: All orders of the account are canceled when the session ends.
        reconnects: A broken line is opened again and the events go on without a gap. Commands
            that were under way raise `ConnectError`: the events tell what became of them.
        event_count_max: Events that may wait unread; one more ends the session with `LimitError`.
            0: events are not kept, only results.
        heartbeat_interval_s: Seconds between two heartbeats.
    """

    resume_after_account_seq: int | None = None
    cancels_on_disconnect: bool = False
    reconnects: bool = True
    event_count_max: int = 65_536
    heartbeat_interval_s: float = 5.0


class Session:
    """One account's session, kept open until `close`.

    It is the same session after a broken line or a restart of the matcher: `only_this_session` of
    a mass cancel finds the orders that it has placed before.

    Attributes:
        account_seq: Last event of the account's sequence that has arrived.
        session_token: Token for unary calls; "" before the login.
        is_registered: The account had deposited when it logged in.
    """

    def __init__(
        self, channel: grpc.aio.Channel, domain: Domain, key: SigningKey, options: SessionOptions
    ) -> None:
        """Prepare a session; `open` starts it."""
        self.account_seq = 0
        self.session_token = ""
        self.is_registered = False
        self._stub = trading_service_pb2_grpc.TradingServiceStub(channel)
        self._domain = domain
        self._key = key
        self._options = options
        self._resume_after = options.resume_after_account_seq
        self._tag = secrets.randbelow(2**32 - 1) + 1  # the same at every login
        self._request_id = 0
        self._pending: dict[int, asyncio.Future[AccountEvent]] = {}
        self._events: asyncio.Queue[AccountEvent | None] = asyncio.Queue()
        self._outbox: asyncio.Queue[command_pb2.Command | None] = asyncio.Queue()
        self._ready = asyncio.Event()
        self._error: CallError | None = None
        self._held: command_pb2.Command | None = None  # taken from the outbox, not sent yet
        self._next_beat_s = 0.0  # of the loop's clock
        self._dead_man_timeout_ns = 0
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None

    async def open(self, timeout_s: float) -> None:
        """Log in. Raises `CallError`, `DeadlineError` among them."""
        self._task = asyncio.create_task(self._run())
        try:
            await self._until_ready(timeout_s)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the session: no more commands; the results of those under way still arrive."""
        self._is_closing = True
        if self._task is None:
            return
        if self._ready.is_set():
            self._outbox.put_nowait(_END)
            await asyncio.wait([self._task], timeout=_CLOSE_TIMEOUT_S)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def request(
        self, commands: Sequence[command_pb2.Command], timeout_s: float
    ) -> list[AccountEvent]:
        """Send commands, and return the result of each, in the same order.

        Args:
            commands: Commands without request_id; it is filled in here. Of a group each of its
                commands has a result, the group itself has none.
            timeout_s: Seconds for all of them.

        Raises:
            ConnectError: The line broke or the session is over; the outcome is unknown.
            CallError: The matcher has ended the session, and says why.
            DeadlineError: Not all results came in time; the outcome of the others is unknown.
        """
        await self._until_ready(timeout_s)
        futures: list[asyncio.Future[AccountEvent]] = []
        loop = asyncio.get_running_loop()
        answered = [one for command in commands for one in _answered(command)]
        for one in answered:
            one.request_id = self._next_request_id()
            futures.append(loop.create_future())
            self._pending[one.request_id] = futures[-1]
        try:
            async with asyncio.timeout(timeout_s):
                for command in commands:
                    self._outbox.put_nowait(command)
                return [await future for future in futures]
        except TimeoutError:
            raise DeadlineError(f"no result within {timeout_s:g} s") from None
        finally:
            for one, future in zip(answered, futures, strict=True):
                self._pending.pop(one.request_id, None)
                if future.done() and not future.cancelled():
                    future.exception()  # seen: one error was raised for all of them

    async def set_dead_man_timer(self, timeout_ns: int, timeout_s: float) -> None:
        """Arm the timer, or disarm it with 0; a new line to the matcher arms it again.

        Raises:
            CallError: As `request`.
        """
        before = self._dead_man_timeout_ns
        self._dead_man_timeout_ns = timeout_ns
        self._next_beat_s = 0.0  # the writer's next: from there on beats come as often as it asks
        try:
            await self.request([self._dead_man_command(timeout_ns)], timeout_s)
        except BaseException:
            self._dead_man_timeout_ns = before
            raise

    @staticmethod
    def _dead_man_command(timeout_ns: int) -> command_pb2.Command:
        timer = command_pb2.SetDeadManTimer(timeout_ns=timeout_ns)
        return command_pb2.Command(set_dead_man_timer=timer)

    async def events(self) -> AsyncIterator[AccountEvent]:
        """Yield the account's events in sequence, until the session is closed.

        Progress of settlement before the receipt comes between them, with account_seq 0; what was
        refused before the journal is a result only.

        Raises:
            CallError: The session has ended by itself; every event before was yielded.
        """
        while (event := await self._events.get()) is not _END:
            yield event
        self._events.put_nowait(_END)
        if self._error is not None and not self._is_closing:
            raise self._error

    async def _until_ready(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            raise DeadlineError(f"no session within {timeout_s:g} s") from None
        if self._error is not None:
            raise self._error
        if self._is_closing:
            raise ConnectError("the session is closed")

    async def _run(self) -> None:
        """Converse, and again after every break of the line, until the end."""
        error: CallError = ConnectError("the session was stopped")
        failures = 0
        try:
            while True:
                error = await self._converse()
                failures = 0 if self._ready.is_set() else failures + 1
                retries = self._options.reconnects and bool(self.session_token)
                if self._is_closing or not retries or not isinstance(error, ConnectError):
                    return
                self._ready.clear()
                self._fail_pending(error)
                await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
        finally:
            self._end(None if self._is_closing else error)

    async def _converse(self) -> CallError:
        """Log in on a new call and take in its events; return why it is over."""
        call = self._stub.Session(wait_for_ready=True)
        writer: asyncio.Task[None] | None = None
        try:
            login = self._login(await call.read())
            await call.write(trading_service_pb2.SessionRequest(commands=[login]))
            writer = asyncio.create_task(self._write_commands(call))
            while (response := await call.read()) is not grpc.aio.EOF:
                for envelope in response.events:
                    self._take(envelope)
        except grpc.aio.AioRpcError as broken:
            return rpc_error(broken)
        except asyncio.InvalidStateError:
            return ConnectError("the line to the matcher broke")
        except CallError as wrong:
            return wrong
        finally:
            if writer is not None:
                writer.cancel()
                await asyncio.wait([writer])
            call.cancel()
        return ConnectError("the matcher has ended the session")

    async def _write_commands(self, call: Any) -> None:  # noqa: ANN401
        """Send what lies in the outbox, many commands a message, and heartbeats when it is idle.

        The only writer of the call: a caller that gives up never breaks a message off.
        """
        await self._ready.wait()
        self._next_beat_s = asyncio.get_running_loop().time() + self._beat_interval_s
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # the reader sees it too
            if self._dead_man_timeout_ns:  # armed before the line broke
                again = self._dead_man_command(self._dead_man_timeout_ns)
                again.request_id = self._next_request_id()
                await call.write(trading_service_pb2.SessionRequest(commands=[again]))
            while True:
                commands = await self._outgoing()
                if commands[-1] is not _END:
                    await call.write(trading_service_pb2.SessionRequest(commands=commands))
                    continue
                if commands[:-1]:
                    await call.write(trading_service_pb2.SessionRequest(commands=commands[:-1]))
                await call.done_writing()
                return

    async def _outgoing(self) -> list[Any]:
        """Return the next commands to send, at least one; a heartbeat whenever one is due."""
        try:
            if asyncio.get_running_loop().time() >= self._next_beat_s:
                return [self._heartbeat()]
            async with asyncio.timeout_at(self._next_beat_s):
                first = self._held or await self._outbox.get()
        except TimeoutError:
            return [self._heartbeat()]
        self._held = None
        commands = [first]
        room = COMMANDS_PER_REQUEST_MAX - _result_count(first)
        while commands[-1] is not _END and not self._outbox.empty():
            one = self._outbox.get_nowait()
            room -= _result_count(one)
            if room < 0:
                self._held = one
                break
            commands.append(one)
        return commands

    def _heartbeat(self) -> command_pb2.Command:
        self._next_beat_s = asyncio.get_running_loop().time() + self._beat_interval_s
        beat = command_pb2.Heartbeat(account_seq=self.account_seq)
        return command_pb2.Command(request_id=self._next_request_id(), heartbeat=beat)

    @property
    def _beat_interval_s(self) -> float:
        """Seconds between heartbeats: three at least within the dead-man timer's time."""
        most = self._options.heartbeat_interval_s
        if not self._dead_man_timeout_ns:
            return most
        return min(most, max(_BEAT_INTERVAL_S_MIN, self._dead_man_timeout_ns / 3e9))

    def _next_request_id(self) -> int:
        self._request_id += 1
        return self._request_id

    def _login(self, response: trading_service_pb2.SessionResponse) -> command_pb2.Command:
        """Return the login that answers the server's challenge. Raises `ProtocolError`."""
        if response is grpc.aio.EOF or not response.events:
            raise ProtocolError("the matcher has sent no login challenge")
        if not response.events[0].HasField("login_challenge"):
            raise ProtocolError("the first event of the session is no login challenge")
        challenge = response.events[0].login_challenge
        theirs = challenge.signing_domain
        if (theirs.chain_id, theirs.contract) != (self._domain.chain_id, self._domain.contract):
            raise ProtocolError(
                f"the matcher settles on chain {theirs.chain_id}, contract "
                f"0x{theirs.contract.hex()}; this client signs for chain {self._domain.chain_id}, "
                f"contract 0x{self._domain.contract.hex()}"
            )
        time_ms = time.time_ns() // 1_000_000
        digest = self._domain.digest(Login(self._key.address, time_ms, challenge.challenge))
        login = command_pb2.Login(
            account=self._key.address,
            time_ms=time_ms,
            signature=self._key.sign(digest),
            cancels_on_disconnect=self._options.cancels_on_disconnect,
            session_tag=self._tag,
        )
        if self._resume_after is not None:
            login.resume_after_account_seq = self._resume_after
        return command_pb2.Command(request_id=self._next_request_id(), login=login)

    def _take(self, envelope: session_event_pb2.SessionEvent) -> None:
        """Take in one event: result, sequence, or the answer to the login."""
        if envelope.HasField("login_accepted"):
            accepted = envelope.login_accepted
            resumes = self._resume_after is not None
            self.account_seq = self._resume_after or 0 if resumes else accepted.account_seq
            self._resume_after = self.account_seq
            self.session_token = accepted.session_token
            self.is_registered = accepted.is_registered
            self._ready.set()
            return
        if envelope.HasField("heartbeat_acknowledged"):
            self.session_token = envelope.heartbeat_acknowledged.session_token
        event = account_event(envelope)
        if envelope.account_seq:
            self._follow(envelope.account_seq)
        if (future := self._pending.pop(envelope.request_id, None)) and not future.done():
            if event is None:
                future.set_exception(ProtocolError("the result is of a kind that is not known"))
            else:
                future.set_result(event)
        is_result_only = envelope.request_id and not envelope.account_seq
        if event is None or is_result_only or not self._options.event_count_max:
            return
        if self._events.qsize() >= self._options.event_count_max:
            raise LimitError(f"{self._events.qsize()} events wait unread: read events() faster")
        self._events.put_nowait(event)

    def _follow(self, account_seq: int) -> None:
        is_first_kept = self.account_seq == 0 and self._options.resume_after_account_seq == 0
        if account_seq != self.account_seq + 1 and not is_first_kept:
            raise ProtocolError(f"event {account_seq} came after {self.account_seq}")
        self.account_seq = self._resume_after = account_seq

    def _fail_pending(self, error: CallError) -> None:
        self._held = None
        while not self._outbox.empty():
            self._outbox.get_nowait()
        for future in self._pending.values():
            if not future.done():
                future.set_exception(error)
        self._pending.clear()

    def _end(self, error: CallError | None) -> None:
        self._error = error
        self._fail_pending(error or ConnectError("the session is closed"))
        self._ready.set()  # wakes those that wait; they see the error
        self._events.put_nowait(_END)


def _answered(command: command_pb2.Command) -> Sequence[command_pb2.Command]:
    """Return the commands that have a result: of a group its own."""
    return command.group.commands if command.HasField("group") else [command]


def _result_count(command: command_pb2.Command | None) -> int:
    """Return how many commands the server counts; none in the end of the outbox."""
    return 0 if command is _END else len(_answered(command))
