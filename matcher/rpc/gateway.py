"""What all services share: the venue, the way to the sequencer, the signing domain, the limits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from bulkhead_signing import Domain, Message
from matcher.engine.commands import FLAG_POST_ONLY, TIF_GTC, Command
from matcher.engine.events import EventKind
from matcher.engine.reject_reason import RejectReason
from matcher.errors import BulkheadError
from matcher.rpc import convert
from matcher.rpc.auth import SessionTokens, is_signed_by
from matcher.rpc.dead_man import LeftTimers
from matcher.rpc.slots import SessionSlots
from matcher.rpc.status import CallError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matcher.config import LimitsTable
    from matcher.sequencer import Sequencer
    from matcher.venue import Applied, Venue

SIGNATURES_INLINE_MAX: Final = 4
_REJECTIONS: Final = frozenset({EventKind.ORDER_REJECTED, EventKind.COMMAND_REJECTED})

Signed = tuple[Message, bytes, bytes]  # message, signature, signer

_log = structlog.get_logger(__name__)


class Gateway:
    """Shared by the services of one process."""

    def __init__(
        self,
        venue: Venue,
        sequencer: Sequencer,
        domain: Domain,
        limits: LimitsTable,
        *,
        tokens: SessionTokens,
        login_ttl_ms: int,
        journal_bytes: Callable[[], int],
    ) -> None:
        """Serve one venue."""
        self.venue = venue
        self.sequencer = sequencer
        self.domain = domain
        self.limits = limits
        self.tokens = tokens
        self.login_ttl_ms = login_ttl_ms
        self.journal_bytes = journal_bytes
        self.slots = SessionSlots(limits.session_count_max)
        self.left_timers = LeftTimers(self.cancel_all_of)
        self._background: set[asyncio.Task[None]] = set()

    async def apply(self, commands: Sequence[tuple[Command, bytes]]) -> list[Applied]:
        """Send commands through the sequencer and return what each has come to.

        Raises:
            CallError: LIMIT_REACHED, more commands than a request may hold.
            OverloadedError: The queue is full.
            StoppedError: The matcher is stopping.
        """
        self.check_count(len(commands))
        return await self.sequencer.submit(commands)

    def check_count(self, command_count: int) -> None:
        """Raise LIMIT_REACHED when a request holds too many commands."""
        limit = self.limits.commands_per_request_max
        if command_count > limit:
            text = f"expected at most {limit} commands in a request, found {command_count}"
            facts = {"commands_per_request_max": str(limit)}
            raise CallError(ErrorReason.ERROR_REASON_LIMIT_REACHED, text, facts)

    async def are_signed(self, messages: Sequence[Signed]) -> list[bool]:
        """Check signatures; many at once in a thread, so that the loop goes on."""
        if len(messages) <= SIGNATURES_INLINE_MAX:
            return self._check_signatures(messages)
        return await asyncio.to_thread(self._check_signatures, messages)

    def _check_signatures(self, messages: Sequence[Signed]) -> list[bool]:
        return [is_signed_by(self.domain, *signed) for signed in messages]

    def refusal_before_journal(
        self, command: Command, fee_ppm_max: int, *, is_account: bool, is_signed: bool
    ) -> RejectReason:
        """Return why an order is refused before all that the engine checks (ORD-1), or NONE.

        The first of ACCOUNT_UNKNOWN (`is_account`: it has deposited), SIGNATURE_INVALID
        (`is_signed`: by its owner), and FEE_ABOVE_LIMIT: a role that the order can take costs more
        than signed. The engine does not know the signed limit; it depends only on the order and on
        the market's fees, which never rise (PAR-1). An order of an unknown market passes: the
        engine refuses it.
        """
        if not is_account:
            return RejectReason.ACCOUNT_UNKNOWN
        if not is_signed:
            return RejectReason.SIGNATURE_INVALID
        listing = self.venue.listings.get(command.market_id)
        if listing is None:
            return RejectReason.NONE
        spec = listing.spec
        fee_ppm = 0
        if command.time_in_force == TIF_GTC:
            fee_ppm = spec.fee_maker_ppm
        if not command.flags & FLAG_POST_ONLY:
            fee_ppm = max(fee_ppm, spec.fee_taker_ppm)
        return RejectReason.FEE_ABOVE_LIMIT if fee_ppm > fee_ppm_max else RejectReason.NONE

    def cancel_all_of(self, address: bytes) -> None:
        """Cancel all orders of an account, in the background; an unknown account has none."""
        account = self.venue.accounts.find_index(address)
        if account is not None:
            self.in_background([convert.cancel_all_command(account)])

    def in_background(self, commands: Sequence[tuple[Command, bytes]]) -> None:
        """Send commands that nobody waits for; when the queue is full they wait for room."""
        task = asyncio.get_running_loop().create_task(self._send(commands))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def drain(self) -> None:
        """Return when everything that was sent in the background is done."""
        while self._background:
            await asyncio.wait(self._background)

    async def _send(self, commands: Sequence[tuple[Command, bytes]]) -> None:
        try:
            await (await self.sequencer.submit_when_room(commands))
        except BulkheadError as exc:
            _log.warning("background command not applied", error=str(exc))


def rejection_of(applied: Applied) -> RejectReason:
    """Return why a command was refused; NONE when it was not."""
    for event in applied.events:
        if event.kind in _REJECTIONS:
            return RejectReason(event.reason)
    return RejectReason.NONE


def now_ns() -> int:
    """Return the server's clock, unix time in nanoseconds; engine time comes from commands."""
    return time.time_ns()
