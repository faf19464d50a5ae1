"""Price series of the data folder as one path of whole ticks: the book's middle and the index.

The perpetual is the book's middle, spot the index; where there is no spot, the hourly mark: the
perpetual plus the basis of the hour's open, held inside the hour's lowest and highest mark.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Ints = Any  # NDArray[np.int64]
BAR_MS = 300_000
HOUR_MS = 3_600_000
CORNERS = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Series:
    """A path: instants in ms, middle and index in ticks of 10^-decimals USD."""

    symbol: str
    decimals: int
    index_source: str
    times_ms: NDArray[np.int64]
    middle_ticks: NDArray[np.int64]
    index_ticks: NDArray[np.int64]

    def days(self) -> list[slice]:
        """Return the points of each day, UTC."""
        starts = np.flatnonzero(np.diff(self.times_ms // 86_400_000, prepend=-1))
        ends = [*starts[1:].tolist(), len(self.times_ms)]
        return [slice(a, b) for a, b in zip(starts.tolist(), ends, strict=True)]


def perpetuals(data_dir: Path) -> list[str]:
    """Return the symbols of all series, spot without a perpetual last."""
    names = {path.name.split("_5m_")[0] for path in (data_dir / "klines_5m").glob("*.parquet")}
    traded = sorted(name.removeprefix("um_perp_") for name in names if name.startswith("um_perp_"))
    spots = sorted(name.removeprefix("spot_") for name in names if name.startswith("spot_"))
    return traded + [symbol for symbol in spots if symbol not in traded]


def read(data_dir: Path, symbol: str, *, step_ppm: int = 1_000_000) -> Series:
    """Return the path of a symbol; legs beyond `step_ppm` are walked in steps.

    Raises:
        FileNotFoundError: There is no such series.
    """
    perpetual, spot = (_bars(data_dir, f"{kind}_{symbol}_5m_") for kind in ("um_perp", "spot"))
    traded = perpetual or spot
    if traded is None:
        raise FileNotFoundError(f"{data_dir}/klines_5m: no series {symbol}")
    times, middle, decimals = traded
    if spot is not None:
        source = "spot"
        known, index, spot_decimals = spot
        index = index[np.searchsorted(known, times)].astype(np.float64)
        index = np.rint(index * 10.0 ** (decimals - spot_decimals)).astype(np.int64)
    else:
        source = "hourly mark"
        index = _from_marks(data_dir, symbol, times, middle, decimals)
    return _walk(
        symbol,
        decimals,
        source,
        times=times,
        corners=(middle, np.maximum(index, 1)),
        step_ppm=step_ppm,
    )


def _bars(data_dir: Path, prefix: str) -> tuple[Ints, Ints, int] | None:
    import pyarrow.parquet as pq

    found = sorted((data_dir / "klines_5m").glob(prefix + "*.parquet"))
    if not found:
        return None
    table = pq.read_table(found[0])
    decimals = json.loads(table.schema.metadata[b"scale"])["price_decimals"]
    prices = np.stack([table[name].to_numpy() for name in CORNERS], axis=1).astype(np.int64)
    return table["ts_ms"].to_numpy().astype(np.int64), prices, int(decimals)


def _from_marks(data_dir: Path, symbol: str, times: Ints, middle: Ints, decimals: int) -> Ints:
    import pyarrow.parquet as pq

    path = data_dir / "funding_mark/um_mark_1h_2025-05_2025-12.parquet"
    table = pq.read_table(path, filters=[("symbol", "=", symbol)])
    scale = 10.0**decimals
    hours = table["ts_ms"].to_numpy()
    opens, high, low = (
        np.rint(table[name].to_numpy() * scale).astype(np.int64) for name in ("open", "high", "low")
    )
    at = np.clip(np.searchsorted(hours, times, side="right") - 1, 0, len(hours) - 1)
    first = np.searchsorted(times, hours[at])
    basis = opens[at] - middle[np.minimum(first, len(middle) - 1), 0]
    return np.clip(middle + basis[:, None], low[at][:, None], high[at][:, None])


def _walk(
    symbol: str,
    decimals: int,
    source: str,
    *,
    times: Ints,
    corners: tuple[Ints, Ints],
    step_ppm: int,
) -> Series:
    """Go open → high → low → close through each bar, long legs in steps."""
    instants = (times[:, None] + np.arange(4) * (BAR_MS // 4)).ravel()
    paths = [path.ravel() for path in corners]
    longest = np.max(
        [np.abs(np.diff(p)) * 1_000_000 // np.minimum(p[1:], p[:-1]) for p in paths], axis=0
    )
    counts = np.concatenate(([1], np.maximum(1, -(-longest // step_ppm))))
    ends = np.repeat(np.arange(len(instants)), counts)
    step = np.arange(len(ends)) - np.repeat(np.cumsum(counts) - counts, counts) + 1

    def walked(values: Ints) -> Ints:
        before = np.concatenate((values[:1], values[:-1]))[ends]
        return before + (values[ends] - before) * step // counts[ends]

    return Series(symbol, decimals, source, walked(instants), *(walked(path) for path in paths))


def published_funding(data_dir: Path, symbol: str) -> tuple[int, float]:
    """Return how many settlements the venue published, and the sum of their rates."""
    import pyarrow.parquet as pq

    path = data_dir / "funding_mark/um_funding_2025-05_2025-12.parquet"
    rates = pq.read_table(path, filters=[("symbol", "=", symbol)])["funding_rate"].to_numpy()
    return len(rates), float(rates.sum())
