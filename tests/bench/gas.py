"""Gas from the committed snapshots of the contracts' tests: exact, nothing is run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench.result import Result

SNAPSHOTS: Final = Path(__file__).resolve().parents[2] / "settlement" / "contracts" / "snapshots"


def measure() -> Iterator[Result]:
    """Yield every committed figure under `gas.`."""
    for path in sorted(SNAPSHOTS.glob("*.json")):
        for name, value in json.loads(path.read_text()).items():
            label = f"gas.{name.replace(' ', '_')}"
            yield Result(label, float(value), "gas", None, {"snapshot": path.name})


CASES = {"gas.": measure}
