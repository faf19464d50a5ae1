"""How many sessions there may be: those of accounts with a deposit, and strangers apart.

A stranger has not logged in, or has no deposit: both cost nothing, so they have places of their
own, and one host does not get all of them.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from matcher.rpc.status import CallError

STRANGERS_PER_HOST_MAX: Final = 64


class SessionSlots:
    """Counts the sessions of one process. Both kinds have `session_count_max` places."""

    def __init__(self, session_count_max: int) -> None:
        """Begin without sessions."""
        self._count_max = session_count_max
        self._strangers: Counter[str] = Counter()
        self.member_count = 0

    @property
    def session_count(self) -> int:
        """Sessions of both kinds."""
        return self.member_count + self._strangers.total()

    def enter(self, host: str) -> None:
        """Count a stranger. Raises `CallError` LIMIT_REACHED when there is no place."""
        if self._strangers[host] >= min(STRANGERS_PER_HOST_MAX, self._count_max):
            raise _full(f"{host} has", "strangers_per_host_max", STRANGERS_PER_HOST_MAX)
        if self._strangers.total() >= self._count_max:
            raise _full("there are", "session_count_max", self._count_max)
        self._strangers[host] += 1

    def promote(self, host: str) -> None:
        """Count a stranger as a member from now on. Raises `CallError` LIMIT_REACHED."""
        if self.member_count >= self._count_max:
            raise _full("there are", "session_count_max", self._count_max)
        self.member_count += 1
        self._forget(host)

    def leave(self, host: str, *, is_member: bool) -> None:
        """Free the place of a session that has ended."""
        if is_member:
            self.member_count -= 1
        else:
            self._forget(host)

    def _forget(self, host: str) -> None:
        self._strangers[host] -= 1
        if not self._strangers[host]:
            del self._strangers[host]


def host_of(peer: str) -> str:
    """Return the host of a gRPC peer, `ipv4:1.2.3.4:5` or `ipv6:[::1]:5`; else the peer itself."""
    return peer.rpartition(":")[0] or peer


def _full(who: str, limit: str, count_max: int) -> CallError:
    text = f"{who} {count_max} sessions already; try again later"
    return CallError(ErrorReason.ERROR_REASON_LIMIT_REACHED, text, {limit: str(count_max)})
