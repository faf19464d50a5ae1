"""Every bound of the kernel, with the inequalities that rule overflow out."""

from __future__ import annotations

from operator import index
from typing import Final

PPM: Final = 1_000_000
PRICE_TICKS_MAX: Final = 2**27 - 1
FEE_PPM_MAX: Final = 100_000
ORDER_LOTS_MAX: Final = 2**32 - 2
POSITION_LOTS_MAX: Final = 2**40
QUOTE_MAX: Final = 2**60
QUOTE_PER_TICK_LOT_MAX: Final = 2**32
FUNDING_INDEX_E6_MAX: Final = 2**62
FUNDING_STEP_E6_MAX: Final = 2**50
TIERS_MAX: Final = 16
TIME_S_MAX: Final = 2**40 - 1


def as_integer(value: object) -> int | None:
    """Return Python's integer: integers of other types count (NumPy's), truth values do not."""
    try:
        return None if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


# A notional times a rate, and a position times a funding step, stay inside 127 bits.
assert 2 * QUOTE_MAX * (2 * PPM) < 2**127
assert POSITION_LOTS_MAX * 2 * FUNDING_INDEX_E6_MAX < 2**127
# A funding step on top of the largest index stays inside 63 bits.
assert FUNDING_INDEX_E6_MAX + FUNDING_STEP_E6_MAX < 2**63
# Equity sums collateral, notional, entry value and funding: four terms of at most 2**60.
assert 4 * QUOTE_MAX < 2**63
# A short option: underlying and mark notional, each times a rate, a put's initial twice that.
assert 2 * (2 * QUOTE_MAX + QUOTE_MAX) <= 2**63
# Equity times requirement, compared cross-multiplied by the graduated rule (FILL-6).
assert 4 * QUOTE_MAX * 2 * QUOTE_MAX < 2**127
