"""Checks of arguments beside the kernel, with its messages (NUM-4)."""

from __future__ import annotations

from margin_core.limits import as_integer
from margin_core.market_spec import MarketSpec
from margin_core.rules import MarginState

_UNITS = {"side": "(0 buy, 1 sell)", "quorum": "sources"}


def whole(name: str, value: object, low: int, high: int) -> int:
    """Return the integer; its unit is the last word of the name.

    Raises:
        ValueError: It is none, or outside its bounds; the message has rule, name, value, bounds
            and unit.
    """
    number = as_integer(value)
    if number is None or not low <= number <= high:
        unit = _UNITS.get(name, name.rpartition("_")[2])
        expected = f"expected an integer from {low} to {high} {unit}"
        raise ValueError(f"NUM-4: {name} = {value!r}: {expected}")
    return number


def market(spec: object) -> MarketSpec:
    """Return the parameters. Raises `ValueError` for anything else."""
    if not isinstance(spec, MarketSpec):
        raise ValueError(  # noqa: TRY004 - as the kernel
            f"NUM-4: expected a MarketSpec, got {type(spec).__name__}"
        )
    return spec


def position(state: object) -> MarginState:
    """Return a state of four; the kernel checks its numbers. Raises `ValueError` otherwise."""
    names = MarginState._fields
    try:
        numbers: tuple[int, ...] = tuple(state)  # type: ignore[arg-type]
    except TypeError:
        numbers = ()
    if len(numbers) != len(names):
        raise ValueError(f"NUM-4: a state has four integers: {', '.join(names)}; got {state!r}")
    return MarginState(*numbers)
