"""One measurement as `make bench` prints it, and the loop that takes the best of several."""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
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
    bar: dict[str, float] | None = None  # value_max, value_min, ratio_to_limit_min

    @property
    def ratio_to_limit(self) -> float | None:
        """Return how near the value is to the limit."""
        if self.limit is None or not self.value:
            return None
        is_rate = self.unit.endswith("/s")
        return round(self.value / self.limit if is_rate else self.limit / self.value, 4)

    @property
    def is_met(self) -> bool | None:
        """Return whether value and ratio reach the bar; None where that cannot be told."""
        if self.bar is None or ("ratio_to_limit_min" in self.bar and self.ratio_to_limit is None):
            return None
        low, high = (self.bar.get(name, self.value) for name in ("value_min", "value_max"))
        ratio = self.ratio_to_limit or 0
        return low <= self.value <= high and ratio >= self.bar.get("ratio_to_limit_min", 0)

    def to_json(self) -> str:
        """Return the line; the conditions say which commit and machine it was."""
        fields = self._asdict() | {"ratio_to_limit": self.ratio_to_limit}
        fields["conditions"] = self.conditions | surroundings()
        fields["is_met"] = self.is_met
        order = ("name", "value", "unit", "limit", "ratio_to_limit", "bar", "is_met", "conditions")
        return json.dumps({key: fields[key] for key in order})


@functools.cache
def surroundings() -> dict[str, object]:
    """Return the commit and the kind of machine that figures belong to."""
    command = ["git", "describe", "--always", "--dirty"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return {
        "commit": done.stdout.strip() or "unknown",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }


def best_ns(work: Callable[[], object], *, rounds: int = ROUNDS) -> float:
    """Return the shortest time of several runs, in nanoseconds."""
    times = []
    for _ in range(rounds):
        started_ns = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - started_ns)
    return float(min(times))
