"""Index price of one market from what m of n sources have observed (SPEC IDX-*)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple

from margin_core.arguments import whole
from margin_core.limits import PPM, PRICE_TICKS_MAX

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

OBSERVATIONS_MAX: Final = 64
TIME_MS_MAX: Final = 2**48 - 1


class Observation(NamedTuple):
    """What one source has seen: ticks, and when, in unix milliseconds."""

    source: Hashable
    price_ticks: int
    time_ms: int


class IndexRow(NamedTuple):
    """An index price with its evidence, sorted by price, then time, then as given.

    `price_ticks` is the lower median of the observations, `time_ms` the oldest of their times.
    """

    price_ticks: int
    time_ms: int
    observations: tuple[Observation, ...]


class NoIndex(enum.Enum):
    """Why there is no index price."""

    TOO_FEW = "fewer fresh sources than the quorum"
    SPREAD = "fewer sources than the quorum within the age spread"
    DEVIATION = "fewer sources than the quorum close to their median"


def index_price(
    observations: Iterable[tuple[Hashable, int, int]],
    *,
    now_ms: int,
    quorum: int,
    age_max_ms: int,
    spread_max_ms: int,
    deviation_max_ppm: int,
) -> IndexRow | NoIndex:
    """Return the index price that the observations agree on, or why there is none (ORA-1, ORA-2).

    Of each source its newest observation counts. Those of the future and those older than
    `age_max_ms` are left out, then those outside the `spread_max_ms` that holds the most, then
    those that deviate, the farthest first. The order of the observations does not matter. With a
    quorum of at least three, one source alone cannot move the price out of the range of the
    others.

    Args:
        observations: `(source, price_ticks, time_ms)`; at most 64 sources.
        now_ms: The present, unix milliseconds.
        quorum: Least number of sources, 1 to 64.
        age_max_ms: Oldest admitted, inclusive.
        spread_max_ms: Largest distance between the times of a row, inclusive.
        deviation_max_ppm: Largest distance from the median, in ppm of it, rounded down.

    Raises:
        ValueError: A number is out of its range, or there are too many sources.
    """
    now_ms = whole("now_ms", now_ms, 0, TIME_MS_MAX)
    age_max_ms = whole("age_max_ms", age_max_ms, 0, TIME_MS_MAX)
    spread_max_ms = whole("spread_max_ms", spread_max_ms, 0, TIME_MS_MAX)
    deviation_max_ppm = whole("deviation_max_ppm", deviation_max_ppm, 0, PPM)
    quorum = whole("quorum", quorum, 1, OBSERVATIONS_MAX)
    newest = _newest(observations)
    fresh = [o for o in newest if 0 <= now_ms - o.time_ms <= age_max_ms]
    if len(fresh) < quorum:
        return NoIndex.TOO_FEW
    close = _together(fresh, spread_max_ms)
    if len(close) < quorum:
        return NoIndex.SPREAD
    agreed = _agreed(close, deviation_max_ppm, quorum)
    if len(agreed) < quorum:
        return NoIndex.DEVIATION
    row = tuple(agreed)
    return IndexRow(_median(agreed), min(o.time_ms for o in row), row)


def is_row(
    row: Iterable[tuple[int, int]], *, quorum: int, spread_max_ms: int, deviation_max_ppm: int
) -> bool:
    """Tell whether `(price_ticks, time_ms)` pairs are a row as the contract checks it (ORA-2).

    That their sources are distinct is not judged here.
    """
    pairs = list(row)
    prices = [price for price, _ in pairs]
    if not quorum <= len(pairs) <= OBSERVATIONS_MAX or prices != sorted(prices):
        return False
    times = [time_ms for _, time_ms in pairs]
    median = prices[(len(prices) - 1) // 2]
    far = median * deviation_max_ppm // PPM
    return max(times) - min(times) <= spread_max_ms and all(abs(p - median) <= far for p in prices)


def _newest(observations: Iterable[tuple[Hashable, int, int]]) -> list[Observation]:
    """Return one observation a source, sorted; of two of the same time the lower price."""
    kept: dict[Hashable, Observation] = {}
    try:
        given = iter(observations)
    except TypeError:
        raise ValueError(f"NUM-4: observations = {observations!r}: expected several") from None
    for found in given:
        try:
            source, price_ticks, time_ms = found
            hash(source)
        except (TypeError, ValueError):
            raise ValueError(
                f"NUM-4: observation = {found!r}: expected (source, price_ticks, time_ms), "
                "the source hashable"
            ) from None
        price_ticks = whole("price_ticks", price_ticks, 1, PRICE_TICKS_MAX)
        seen = Observation(source, price_ticks, whole("time_ms", time_ms, 0, TIME_MS_MAX))
        before = kept.get(seen.source)
        if before is None or (seen.time_ms, -seen.price_ticks) > (
            before.time_ms,
            -before.price_ticks,
        ):
            kept[seen.source] = seen
        if len(kept) > OBSERVATIONS_MAX:
            raise ValueError(
                f"NUM-4: observations = {len(kept)}: expected at most {OBSERVATIONS_MAX} sources"
            )
    return sorted(kept.values(), key=_place)


def _place(o: Observation) -> tuple[int, int, str]:
    return o.price_ticks, o.time_ms, repr(o.source)


def _together(observations: list[Observation], spread_max_ms: int) -> list[Observation]:
    """Return the most observations within one spread of time, the newest such."""
    best: list[Observation] = []
    for end in sorted({o.time_ms for o in observations}, reverse=True):
        found = [o for o in observations if 0 <= end - o.time_ms <= spread_max_ms]
        if len(found) > len(best):
            best = found
    return best


def _agreed(
    observations: list[Observation], deviation_max_ppm: int, quorum: int
) -> list[Observation]:
    """Leave out the farthest from the median until none deviates or too few are left."""
    left = observations
    while len(left) >= quorum:
        median = _median(left)
        far = median * deviation_max_ppm // PPM
        low, high = median - left[0].price_ticks, left[-1].price_ticks - median
        if max(low, high) <= far:
            return left
        left = left[1:] if low >= high else left[:-1]
    return left


def _median(observations: list[Observation]) -> int:
    """Return the lower median of sorted observations."""
    return observations[(len(observations) - 1) // 2].price_ticks
