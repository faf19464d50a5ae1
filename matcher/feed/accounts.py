"""Per-account ordered events: numbered without gap, kept within a bound, fanned out to sessions.

Slow consumers: each session has its own bounded queue; when it is full the session is cut off with
RESOURCE_EXHAUSTED (see feed/subscription.py) and resumes by account_seq. Retention: the newest
`event_count_max` events of an account are kept; resuming before them fails with OUT_OF_RANGE, and
the client starts afresh from the AccountService. The numbers come from the journal alone, so they
are the same after a restart.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from matcher.errors import BulkheadError
from matcher.feed.account_events import AccountEvent, AccountEventBody
from matcher.feed.subscription import Subscription


class SeqOutOfRangeError(BulkheadError):
    """A sequence number before what is kept, or after the newest.

    Attributes:
        first_seq: Oldest number that can be asked for.
        last_seq: Newest number.
    """

    def __init__(self, asked_seq: int, first_seq: int, last_seq: int) -> None:
        """Say what was asked for and what there is."""
        super().__init__(f"sequence number {asked_seq} is not in {first_seq} to {last_seq}")
        self.first_seq = first_seq
        self.last_seq = last_seq


class _AccountLog:
    __slots__ = ("events", "last_seq", "subscriptions")

    def __init__(self, event_count_max: int) -> None:
        self.events: deque[AccountEvent] = deque(maxlen=event_count_max)
        self.last_seq = 0
        self.subscriptions: list[Subscription[AccountEvent]] = []


class AccountFeed:
    """The event logs of all accounts, by 20-byte address."""

    def __init__(self, *, event_count_max: int, queue_count_max: int) -> None:
        """Keep `event_count_max` events per account and `queue_count_max` per session."""
        self._event_count_max = event_count_max
        self._queue_count_max = queue_count_max
        self._logs: dict[bytes, _AccountLog] = {}

    def last_seq(self, address: bytes) -> int:
        """Return the newest account_seq of an account; 0 when it has no events."""
        log = self._logs.get(address)
        return 0 if log is None else log.last_seq

    def add(
        self,
        address: bytes,
        body: AccountEventBody,
        *,
        command_seq: int,
        time_ns: int,
        is_result: bool = False,
        item: int = 0,
    ) -> None:
        """Number an event, keep it, and hand it to the sessions of its account."""
        log = self._log(address)
        log.last_seq += 1
        event = AccountEvent(log.last_seq, command_seq, time_ns, is_result, body, item=item)
        log.events.append(event)
        for subscription in log.subscriptions:
            subscription.push(event)

    def inform(self, address: bytes, body: AccountEventBody, time_ns: int) -> None:
        """Hand an event to the sessions that are open now; it has no number and is not kept."""
        log = self._logs.get(address)
        for subscription in log.subscriptions if log is not None else ():
            subscription.push(AccountEvent(0, 0, time_ns, is_result=False, body=body))

    def subscribe(
        self, address: bytes, after_seq: int | None
    ) -> tuple[Subscription[AccountEvent], list[AccountEvent]]:
        """Open a session's queue, and return the kept events that it has missed.

        Args:
            address: Account.
            after_seq: Last number that the client has seen; 0: everything that is kept; None:
                only events from now on.

        Raises:
            SeqOutOfRangeError: Events after `after_seq` are no longer kept, or are yet to come.
        """
        log = self._log(address)
        missed: list[AccountEvent] = []
        if after_seq is not None:
            first_seq = log.last_seq - len(log.events) + 1
            if after_seq > log.last_seq or 0 < after_seq < first_seq - 1:
                raise SeqOutOfRangeError(after_seq, first_seq - 1, log.last_seq)
            missed = list(islice(log.events, max(0, after_seq + 1 - first_seq), None))
        subscription: Subscription[AccountEvent] = Subscription(self._queue_count_max)
        log.subscriptions.append(subscription)
        return subscription, missed

    def unsubscribe(self, address: bytes, subscription: Subscription[AccountEvent]) -> None:
        """Close a session's queue, and forget an account that never had an event."""
        log = self._logs[address]
        log.subscriptions.remove(subscription)
        if not log.subscriptions and log.last_seq == 0:
            del self._logs[address]

    def _log(self, address: bytes) -> _AccountLog:
        log = self._logs.get(address)
        if log is None:
            log = self._logs[address] = _AccountLog(self._event_count_max)
        return log
