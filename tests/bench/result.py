"""One measurement as `make bench` prints it, and the loop that takes the best of several."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final, NamedTuple

ROUNDS: Final = 5


class Result(NamedTuple):
    """One line of output.

    `limit` is what the same work costs at best, in the same unit and run; None where nothing
    bounds it. The ratio is limit / value for costs and value / limit for rates: 1 is perfect.
    """

    name: str
    value: float
    unit: str
    limit: float | None
    conditions: dict[str, object]

    @property
    def ratio_to_limit(self) -> float | None:
        """Return how near the value is to the limit."""
        if self.limit is None or not self.value:
            return None
        is_rate = self.unit.endswith("/s")
        return round(self.value / self.limit if is_rate else self.limit / self.value, 4)

    def to_json(self) -> str:
        """Return the line."""
        fields = self._asdict() | {"ratio_to_limit": self.ratio_to_limit}
        order = ("name", "value", "unit", "limit", "ratio_to_limit", "conditions")
        return json.dumps({key: fields[key] for key in order})


def best_ns(work: Callable[[], object], *, rounds: int = ROUNDS) -> float:
    """Return the shortest time of several runs, in nanoseconds."""
    times = []
    for _ in range(rounds):
        started_ns = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - started_ns)
    return float(min(times))
