"""Equity, requirement, ratio and liquidation price of many positions, in one pass over buffers.

`margin_core.vector` allocates the buffers with NumPy; any others of 64-bit integers will do.
"""

from typing import Any, TypeAlias

from margin_core.market_spec import MarketSpec

_Buffer: TypeAlias = Any  # of the buffer protocol, C-contiguous, 64-bit signed integers

def evaluate(
    spec: MarketSpec,
    index: int,
    lots: _Buffer,
    values: _Buffer,
    collaterals: _Buffer,
    indices: _Buffer,
    marks: _Buffer,
    underlyings: _Buffer,
    equities: _Buffer,
    requirements: _Buffer,
    ratios: _Buffer,
    prices: _Buffer,
) -> None:
    """Fill four buffers from six; no lock is held meanwhile.

    Args:
        spec: Parameters of the market.
        index: Funding index of the market now.
        lots: Shape n. Signed lots.
        values: Shape n. Entry values, quote.
        collaterals: Shape n. Collateral, quote.
        indices: Shape n. Funding indices of the last changes, e6.
        marks: Shape 1 or n. Ticks.
        underlyings: As `marks`. Ticks; looked at for options only.
        equities: Shape n, written. Quote; MARG-2.
        requirements: Shape n, written. Maintenance, quote; MARG-3.
        ratios: Shape n, written. Ppm; RATIO-1.
        prices: Shape n, written. Liquidation price in ticks, -1 for none; MARG-5.

    Raises:
        ValueError: Shapes differ, or a row is out of bounds; the message has row, name, value and
            unit. Rows before it are written.
        OverflowError: More than 2^60 quote of funding would be owed by a row.
    """
