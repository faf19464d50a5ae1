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
    """What one key of the snapshot means, and what it must not exceed."""

    name: str
    unit: str
    what: str
    at_most: float | None = None


class Floor(NamedTuple):
    """What the EVM's price list asks for a fill of a scenario, whatever the code does."""

    slots: int  # account, position, filled lots: read and written once, cold
    fresh_slots: int  # the same, zero before
    signatures: int
    fills: int = 100

    def gas_each(self, intrinsic_each: float) -> float:
        """Return gas a fill: transaction and calldata, slots, `ecrecover`."""
        paid = self.slots * SLOT_GAS + self.fresh_slots * FRESH_SLOT_GAS
        return intrinsic_each + (paid + self.signatures * RECOVER_GAS) / self.fills


# EIP-2929, EIP-2200: a cold read and a changed word; a word that was zero. ECRECOVER's price.
SLOT_GAS: Final = 2_100 + 2_900
FRESH_SLOT_GAS: Final = 2_100 + 20_000
RECOVER_GAS: Final = 3_000

FIGURES: Final = {
    "fill_bytes_each": Figure("gas.calldata", "bytes", "of a fill; batch as gas.fill", 125),
    "fill_each": Figure(
        "gas.fill", "gas", "100 fills, 2 an order, 20 accounts, positions open", 45_000
    ),
    "fill_cold_each": Figure(
        "gas.fill_cold", "gas", "100 fills, each trader once, slots cold, positions open", 110_000
    ),
    "fill_open_each": Figure("gas.fill_open", "gas", "100 fills, each opens two positions"),
    "fill_bulk_each": Figure(
        "gas.fill_bulk",
        "gas",
        "20 makers, bulk orders, 4 fills each; 100 takers' immediate orders, 1 fill each",
        35_000,
    ),
    "fill_bulk_of_two_each": Figure(
        "gas.fill_bulk_of_two", "gas", "the same, 2 fills a taker's order as in gas.fill", 35_000
    ),
    "fill_bulk_of_four_each": Figure(
        "gas.fill_bulk_of_four", "gas", "the same, 4 fills a taker's order", 35_000
    ),
    "liquidation_each": Figure(
        "gas.liquidation", "gas", "batch of ten, each against one order", 110_000
    ),
    "adl_each": Figure("gas.adl", "gas", "batch of ten, each against a counterparty of its own"),
    "takeover_each": Figure("gas.takeover", "gas", "batch of ten, the fund takes all"),
    "delivery_each": Figure("gas.delivery", "gas", "batch of ten, positions of an ended market"),
    "forced_each": Figure("gas.forced", "gas", "batch of ten, each a forced reduction"),
    "forced_request": Figure("gas.forced_request", "gas", "asking for one, a transaction"),
    "cancel": Figure("gas.cancel", "gas", "asking for an order's end on chain, a transaction"),
    "session_key": Figure("gas.session_key", "gas", "setting a session key, a transaction"),
    "price_each": Figure("gas.price", "gas", "a signed price row, batch of ten"),
    "deposit": Figure("gas.deposit", "gas", "a transaction"),
    "withdrawal": Figure("gas.withdraw", "gas", "a batch with one withdrawal"),
    "exit": Figure("gas.exit", "gas", "a position leaves in exit mode, a transaction"),
    "exit_withdraw": Figure("gas.exit_withdraw", "gas", "free balance leaves in exit mode"),
    "batch_empty": Figure("gas.batch", "gas", "a batch without items"),
}

# gas.fill: 20 accounts and positions, 20 groups of nonces that begin. gas.fill_cold: 200 of each.
# gas.fill_bulk: 120 accounts and positions, a group of nonces a maker (takers' nonces are in the
# account's word); 100 takers and 20 roots have signed; so too with more fills a taker's order.
FLOORS: Final = {
    "fill_each": Floor(slots=40, fresh_slots=20, signatures=100),
    "fill_cold_each": Floor(slots=400, fresh_slots=200, signatures=200),
    "fill_open_each": Floor(slots=200, fresh_slots=400, signatures=200),
    "fill_bulk_each": Floor(slots=260, fresh_slots=0, signatures=120),
    "fill_bulk_of_two_each": Floor(slots=260, fresh_slots=0, signatures=120, fills=200),
    "fill_bulk_of_four_each": Floor(slots=260, fresh_slots=0, signatures=120, fills=400),
}


def measure() -> Iterator[Result]:
    """Yield the figures that have a name; whole batches stay in the snapshot."""
    values = {key: float(value) for key, value in json.loads(SNAPSHOT.read_text()).items()}
    for key, figure in FIGURES.items():
        conditions: dict[str, object] = {"what": figure.what, "snapshot": f"{SNAPSHOT.name}:{key}"}
        bar = None if figure.at_most is None else {"value_max": figure.at_most}
        yield Result(figure.name, values[key], figure.unit, _floor(key, values), conditions, bar)


def _floor(key: str, values: dict[str, float]) -> float | None:
    floor = FLOORS.get(key)
    if floor is None:
        return None
    return floor.gas_each(values[key.replace("_each", "_intrinsic_each")])


CASES = {"gas.": measure}
