"""A bounded queue between the one writer and one reader, with the slow-consumer policy.

Policy: the writer never waits. A reader whose queue is full is cut off: its queue is emptied and
closed, and the RPC above ends with RESOURCE_EXHAUSTED (SLOW_CONSUMER). It may come back and resume
by sequence number. Nothing is dropped silently and nothing is merged here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from matcher.errors import BulkheadError

T = TypeVar("T")


class SlowConsumerError(BulkheadError):
    """The reader did not keep up and was cut off."""


class Subscription(Generic[T]):
    """The reader's end. Belongs to one event loop."""

    def __init__(self, item_count_max: int) -> None:
        """Hold at most `item_count_max` items that the reader has not taken."""
        self._items: deque[T] = deque()
        self._item_count_max = item_count_max
        self._ready = asyncio.Event()
        self._is_cut_off = False
        self._is_finished = False

    def __len__(self) -> int:
        return len(self._items)

    def push(self, item: T) -> None:
        """Add an item, or cut the reader off when its queue is full."""
        if self._is_cut_off:
            return
        if len(self._items) >= self._item_count_max:
            self.cut_off()
            return
        self._items.append(item)
        self._ready.set()

    def cut_off(self) -> None:
        """End the subscription: the reader's next `take` raises."""
        self._is_cut_off = True
        self._items.clear()
        self._ready.set()

    def finish(self) -> None:
        """Let the reader take what is left; after that `take` returns nothing at once."""
        self._is_finished = True
        self._ready.set()

    async def take(self, item_count_max: int, timeout_s: float | None = None) -> list[T]:
        """Return 1 … `item_count_max` items; [] after `timeout_s`, or when finished and empty.

        Raises:
            SlowConsumerError: The reader was cut off.
        """
        if not self._ready.is_set():
            try:
                await asyncio.wait_for(self._ready.wait(), timeout_s)
            except TimeoutError:
                return []
        if self._is_cut_off:
            raise SlowConsumerError("the consumer was too slow; connect again and resume")
        taken_count = min(item_count_max, len(self._items))
        taken = [self._items.popleft() for _ in range(taken_count)]
        if not self._items and not self._is_finished:
            self._ready.clear()
        return taken
