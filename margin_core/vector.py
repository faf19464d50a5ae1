"""The questions of many positions at once, over NumPy arrays; bit for bit the scalar answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

try:
    import numpy as np
    from numpy.typing import NDArray
except ImportError:
    raise ImportError(
        "margin_core.vector needs NumPy: pip install numpy, or bulkhead[models]"
    ) from None

from margin_core.arrays import evaluate
from margin_core.market_spec import MarketSpec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Integers: TypeAlias = NDArray[np.int64]


class Margins(NamedTuple):
    """Four int64 arrays of the positions' shape.

    Attributes:
        equity_quote: As `margin_core.equity_quote`.
        maintenance_quote: As `margin_core.maintenance_requirement_quote`.
        ratio_ppm: As `margin_core.margin_ratio_ppm`.
        liquidation_price_ticks: As `margin_core.liquidation_price_ticks`, -1 where there is none.
    """

    equity_quote: Integers
    maintenance_quote: Integers
    ratio_ppm: Integers
    liquidation_price_ticks: Integers


def _integers(name: str, values: ArrayLike) -> Integers:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise ValueError(f"NUM-4: {name} = {values!r}: expected an array of one shape") from None
    if array.dtype.kind not in "iu" and array.size:
        unit = name.rpartition("_")[2]
        raise ValueError(
            f"NUM-4: {name}: an array of {array.dtype}: expected integers of 64 bits ({unit})"
        )
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        unit = name.rpartition("_")[2]
        raise ValueError(f"NUM-4: {name} = {array.max()}: expected at most 2^63 - 1 {unit}")
    return np.ascontiguousarray(array, dtype=np.int64)


def _broadcast(columns: dict[str, Integers]) -> tuple[Integers, ...]:
    try:
        return tuple(np.broadcast_arrays(*columns.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in columns.items())
        raise ValueError(f"NUM-4: shapes do not fit each other: {shapes}") from None


def margins(
    spec: MarketSpec,
    position_lots: ArrayLike,
    entry_value_quote: ArrayLike,
    collateral_quote: ArrayLike,
    position_funding_index_e6: ArrayLike = 0,
    *,
    funding_index_e6: int,
    mark_price_ticks: ArrayLike,
    index_price_ticks: ArrayLike | None = None,
) -> Margins:
    """Return equity, maintenance, ratio and liquidation price of positions of one market.

    Rounding, units and rules are those of the scalar functions; one pass, no copies of arrays that
    are contiguous int64 already. The interpreter's lock is released.

    Args:
        spec: Parameters of the market.
        position_lots: Signed lots. The four columns are broadcast against each other.
        entry_value_quote: Sum of the notionals of the fills that opened each.
        collateral_quote: Collateral of each.
        position_funding_index_e6: Funding index of the market when each was last changed.
        funding_index_e6: Funding index of the market now.
        mark_price_ticks: One mark, or one for each position.
        index_price_ticks: Price of the underlying, one or one for each; options only.

    Raises:
        ValueError: An array is not of integers, shapes do not fit, or a value is out of bounds; the
            message names the first such row.
        OverflowError: More than 2^60 quote of funding would be owed by a row.

    >>> from margin_core import MarketSpec, Tier
    >>> tier = Tier(notional_floor_quote=0, margin_initial_ppm=100_000,
    ...             margin_maintenance_ppm=50_000)
    >>> spec = MarketSpec(market_id=1, quote_per_tick_lot=1, price_ticks_max=10_000,
    ...     position_lots_max=100, fee_maker_ppm=0, fee_taker_ppm=0, tiers=(tier,))
    >>> found = margins(spec, [10, -10], 10_000, 1_000, funding_index_e6=0, mark_price_ticks=980)
    >>> found.equity_quote.tolist(), found.liquidation_price_ticks.tolist()
    ([800, 1200], [947, 1048])
    """
    if not isinstance(spec, MarketSpec):  # as the scalar functions
        raise ValueError(  # noqa: TRY004
            f"NUM-4: expected a MarketSpec, got {type(spec).__name__}"
        )
    if not spec.kind.is_option:
        index_price_ticks = 1  # others have no underlying: what is passed is not looked at
    elif index_price_ticks is None:
        raise ValueError("OPT-1: index_price_ticks = None: an option is judged with its underlying")
    given = {
        "position_lots": position_lots,
        "entry_value_quote": entry_value_quote,
        "collateral_quote": collateral_quote,
        "position_funding_index_e6": position_funding_index_e6,
    }
    columns = _broadcast({name: _integers(name, values) for name, values in given.items()})
    shape = columns[0].shape
    lots, values, collaterals, indices = (np.ascontiguousarray(c).reshape(-1) for c in columns)
    prices = {"mark_price_ticks": mark_price_ticks, "index_price_ticks": index_price_ticks}
    marks, spots = _broadcast({name: _integers(name, values) for name, values in prices.items()})
    if marks.size != 1:
        try:
            marks, spots = (np.broadcast_to(each, shape) for each in (marks, spots))
        except ValueError:
            told = f"positions {shape}, mark_price_ticks {marks.shape}"
            raise ValueError(f"NUM-4: shapes do not fit each other: {told}") from None
    marks, spots = (np.ascontiguousarray(each).reshape(-1) for each in (marks, spots))
    found = Margins(*(np.empty(lots.size, np.int64) for _ in Margins._fields))
    evaluate(spec, funding_index_e6, lots, values, collaterals, indices, marks, spots, *found)
    return Margins(*(column.reshape(shape) for column in found))
