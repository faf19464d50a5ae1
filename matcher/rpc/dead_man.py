"""Dead-man timers of sessions that have ended: they run on, so that a client's death fires them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class LeftTimers:
    """At most one timer an account: the earliest of those that its sessions have left armed."""

    def __init__(self, on_expiry: Callable[[bytes], None]) -> None:
        """Call `on_expiry` with the account's address when a timer fires."""
        self._on_expiry = on_expiry
        self._handles: dict[bytes, asyncio.TimerHandle] = {}

    def leave(self, address: bytes, when_s: float) -> None:
        """Let a timer run until `when_s` of the loop's clock."""
        other = self._handles.get(address)
        if other is not None and other.when() <= when_s:
            return
        self.take(address)
        loop = asyncio.get_running_loop()
        self._handles[address] = loop.call_at(when_s, self._fire, address)

    def take(self, address: bytes) -> None:
        """Forget the account's timer: a session of its own has armed or disarmed one."""
        handle = self._handles.pop(address, None)
        if handle is not None:
            handle.cancel()

    def _fire(self, address: bytes) -> None:
        del self._handles[address]
        self._on_expiry(address)
