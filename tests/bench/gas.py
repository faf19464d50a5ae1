"""Gas from the committed snapshots of the contracts' tests: exact, nothing is run.

`make test` measures each again and fails when one differs from its snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.result import Result

SNAPSHOT: Final = (
    Path(__file__).resolve().parents[2] / "settlement" / "contracts" / "snapshots/settlement.json"
)


class Figure(NamedTuple):
    """What one key of the snapshot means."""

    name: str
    unit: str
    what: str


FIGURES: Final = {
    "fill_bytes_each": Figure("gas.calldata", "bytes", "of a fill; batch as gas.fill"),
    "fill_each": Figure("gas.fill", "gas", "100 fills, 2 an order, 20 accounts, positions open"),
    "fill_cold_each": Figure("gas.fill_cold", "gas", "100 fills, each trader once, slots cold"),
    "fill_open_each": Figure("gas.fill_open", "gas", "100 fills, each opens two positions"),
    "fill_bulk_each": Figure(
        "gas.fill_bulk", "gas", "100 takers once each, 20 makers, 25 bulk orders, 4 fills each"
    ),
    "liquidation_each": Figure("gas.liquidation", "gas", "batch of ten, each against one order"),
    "price_each": Figure("gas.price", "gas", "a signed price row, batch of ten"),
    "deposit": Figure("gas.deposit", "gas", "a transaction"),
    "withdrawal": Figure("gas.withdraw", "gas", "a batch with one withdrawal"),
    "batch_empty": Figure("gas.batch", "gas", "a batch without items"),
}


def measure() -> Iterator[Result]:
    """Yield the figures that have a name; whole batches stay in the snapshot."""
    values = json.loads(SNAPSHOT.read_text())
    for key, figure in FIGURES.items():
        conditions: dict[str, object] = {"what": figure.what, "snapshot": f"{SNAPSHOT.name}:{key}"}
        yield Result(figure.name, float(values[key]), figure.unit, None, conditions)


CASES = {"gas.": measure}
