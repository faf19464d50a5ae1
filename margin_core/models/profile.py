"""Risk-weighted margin: from a market's returns to initial and maintenance rates in whole ppm.

A rate covers the mean loss of the worst moves over a horizon, of longs and of shorts, as filtered
historical simulation has them at today's EWMA volatility; it is not below what the volatility of
the long history gives, and a buffer is drawn down before it rises (EMIR 153/2013 Art 28(1)(c) and
(a)). It moves in steps of ppm that are announced before they hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from margin_core.limits import PPM
from margin_core.market_spec import Tier
from margin_core.models import procyclicality, volatility
from margin_core.models.arguments import Floats, number, series, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike

    from margin_core.market_spec import MarketSpec

RULE = "risk profile"
YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What a rate must cover: the mean of the worst share of the moves over a horizon.

    Raises:
        ValueError: The horizon is not 1 s to a year, the tail not between 0 and 1.
    """

    horizon_s: int
    tail_probability: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        whole(RULE, "horizon_s", self.horizon_s, "seconds", at_least=1, at_most=YEAR_S)
        tail = self.tail_probability
        number(RULE, "tail_probability", tail, "share of the moves", above=0, below=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskProfile:
    """How a market's rates follow its volatility.

    Attributes:
        step_s: Seconds between returns.
        maintenance: Covers the time that a liquidation takes.
        initial: Covers the time until one begins, and it.
        half_life_s: Of a squared return's weight (11 days: a decay of 0.94 a day).
        history_s: How far back the floor looks; ten years.
        buffer_share: 25 % of the calculated rate at least.
        rate_step_ppm: Rates are multiples of it, rounded up.
        review_s: How often the rates are computed.
        notice_s: How long before they hold they are announced.

    Raises:
        ValueError: A number is out of range; the message names it and its unit.
    """

    step_s: int
    maintenance: Cover
    initial: Cover
    half_life_s: int = 11 * 86_400
    history_s: int = 10 * YEAR_S
    buffer_share: float = procyclicality.LEAST_SHARE
    rate_step_ppm: int = 1_000
    review_s: int = 86_400
    notice_s: int = 2 * 86_400

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("step_s", "half_life_s", "review_s", "notice_s"):
            whole(RULE, name, getattr(self, name), "seconds", at_least=1, at_most=YEAR_S)
        whole(RULE, "history_s", self.history_s, "seconds", at_least=1, at_most=100 * YEAR_S)
        whole(RULE, "rate_step_ppm", self.rate_step_ppm, "ppm", at_least=1, at_most=100_000)
        least = procyclicality.LEAST_SHARE
        number(RULE, "buffer_share", self.buffer_share, "share of the rate", at_least=least)

    @property
    def first_steps(self) -> int:
        """Returns that only start the EWMA: as many as its half-life has."""
        return self.steps(self.half_life_s)

    @property
    def least_steps(self) -> int:
        """Returns that a first review needs: the start, and a whole observation in each tail."""
        return self.first_steps + max(
            self.steps(cover.horizon_s) - 1 + ceil(1 / cover.tail_probability)
            for cover in (self.maintenance, self.initial)
        )

    def steps(self, seconds: int) -> int:
        """Return how many returns cover so many seconds, rounded up."""
        return -(-seconds // self.step_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Initial and maintenance rate in ppm of notional, as a market's tier takes them."""

    initial_ppm: int
    maintenance_ppm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChange:
    """Rates, when they are announced, and from when they hold (unix seconds)."""

    announced_time_s: int
    effective_time_s: int
    rates: Rates


def calculated_rates(profile: RiskProfile, log_returns: ArrayLike) -> tuple[float, float]:
    """Return (initial, maintenance) as shares of notional, after the floor, before the buffer.

    Raises:
        ValueError: Fewer returns than `profile.least_steps`, or none that moves.
    """
    moved = series(RULE, "log_returns", log_returns, "logarithm", least=profile.least_steps)
    start = profile.first_steps
    first = float(np.mean(moved[:start] ** 2))
    decay = float(volatility.ewma_decay(profile.half_life_s / profile.step_s))
    variances = volatility.ewma_variances(moved, decay, first=first)
    if not (variances > 0).all():
        raise ValueError(f"{RULE}: log_returns = 0 at the start: expected moves (logarithm)")
    long_history = float(np.mean(moved[-profile.steps(profile.history_s) :] ** 2))
    initial, maintenance = (
        _covering(
            cover.tail_probability,
            volatility.standardised_moves(
                moved[start:], variances[start:-1], horizon_steps=profile.steps(cover.horizon_s)
            ),
            variance=float(variances[-1]),
            variance_floor=long_history,
        )
        for cover in (profile.initial, profile.maintenance)
    )
    return initial, maintenance


def rates(profile: RiskProfile, log_returns: ArrayLike, *, held: Rates | None = None) -> Rates:
    """Return the rates to announce after these returns, when `held` were announced last.

    Without `held` the whole buffer is on top. Rounded up to the profile's step; the initial rate is
    at least a step above the maintenance rate (MKT-1).

    Raises:
        ValueError: As `calculated_rates`, or the market moves too much for rates below 100 %.
    """
    initial, maintenance = calculated_rates(profile, log_returns)
    before = (np.inf, np.inf) if held is None else (held.initial_ppm, held.maintenance_ppm)
    step = profile.rate_step_ppm
    initial_ppm, maintenance_ppm = (
        max(step, ceil(float(buffered) / step) * step)
        for buffered in procyclicality.with_buffer(
            np.array((initial, maintenance)) * PPM, before, share=profile.buffer_share
        )
    )
    initial_ppm = max(initial_ppm, maintenance_ppm + step)
    if initial_ppm >= PPM:
        raise ValueError(
            f"{RULE}: initial rate = {initial_ppm}: expected below {PPM}: the market moves too "
            "much for such horizons and tails (ppm)"
        )
    return Rates(initial_ppm=initial_ppm, maintenance_ppm=maintenance_ppm)


def schedule(
    profile: RiskProfile, log_returns: ArrayLike, *, first_time_s: int
) -> Iterator[RateChange]:
    """Yield the changes of the rates that reviews announce, oldest first.

    `first_time_s` is when the first return was known. A review sees the returns known by then and
    no others; it happens every `review_s` once there are enough.

    Raises:
        ValueError: As `rates`.
    """
    moved = series(RULE, "log_returns", log_returns, "logarithm", least=profile.least_steps)
    held: Rates | None = None
    time_s = first_time_s + (profile.least_steps - 1) * profile.step_s
    last_s = first_time_s + (moved.size - 1) * profile.step_s
    while time_s <= last_s:
        known = (time_s - first_time_s) // profile.step_s + 1
        found = rates(profile, moved[:known], held=held)
        if found != held:
            held = found
            yield RateChange(
                announced_time_s=time_s, effective_time_s=time_s + profile.notice_s, rates=found
            )
        time_s += profile.review_s


def with_rates(base: MarketSpec, found: Rates) -> MarketSpec:
    """Return the market with no tier below the rates: what an announcement of parameters carries.

    `base` has the rates that the market asks at the least and those that grow with size; a tier
    that would ask no more than the one before it is left out. Integers in, integers out.

    Raises:
        ValueError: A rule of SPEC §2 is broken, such as MKT-2: floors times steps are not whole.
    """
    tiers: list[Tier] = []
    for tier in base.tiers:
        raised = Tier(
            notional_floor_quote=tier.notional_floor_quote,
            margin_initial_ppm=max(tier.margin_initial_ppm, found.initial_ppm),
            margin_maintenance_ppm=max(tier.margin_maintenance_ppm, found.maintenance_ppm),
        )
        if not tiers or _asked(raised) != _asked(tiers[-1]):
            tiers.append(raised)
    return replace(base, tiers=tuple(tiers))


def announcements(
    base: MarketSpec, changes: Iterable[RateChange]
) -> Iterator[tuple[int, int, MarketSpec]]:
    """Yield (announced_time_s, effective_time_s, parameters) where the parameters differ.

    Raises:
        ValueError: As `with_rates`.
    """
    held = base
    for change in changes:
        spec = with_rates(base, change.rates)
        if spec != held:
            held = spec
            yield change.announced_time_s, change.effective_time_s, spec


def _asked(tier: Tier) -> tuple[int, int]:
    return tier.margin_initial_ppm, tier.margin_maintenance_ppm


def _covering(
    tail_probability: float, moves: Floats, *, variance: float, variance_floor: float
) -> float:
    """Return the share of notional that covers the moves at the larger of what both say."""
    now, floor = (_shortfall(moves * v**0.5, tail_probability) for v in (variance, variance_floor))
    return float(procyclicality.with_floor(now, floor))


def _shortfall(log_moves: Floats, tail_probability: float) -> float:
    """Return the larger mean loss, of longs or shorts, as a share of notional."""
    gains = np.expm1(log_moves)
    return max(
        volatility.expected_shortfall(losses, tail_probability) for losses in (-gains, gains)
    )
