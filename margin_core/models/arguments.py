"""Checks of the models' arguments: one message that names rule, value and unit."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from margin_core.limits import as_integer

Floats: TypeAlias = NDArray[np.float64]


def numbers(
    rule: str,
    name: str,
    value: ArrayLike,
    unit: str,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    finite: bool = True,
) -> Floats:
    """Return the value as an array of floats, if every element is in range.

    Raises:
        ValueError: An element is not a number or out of range; the message names it.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{rule}: {name} = {value!r}: expected numbers ({unit})") from None
    bounds = (
        ("above", above, np.greater),
        ("at least", at_least, np.greater_equal),
        ("below", below, np.less),
        ("at most", at_most, np.less_equal),
    )
    fits = np.isfinite(array) if finite else ~np.isnan(array)
    expected = ["a finite number" if finite else "a number"]
    for words, bound, holds in bounds:
        if bound is not None:
            fits &= holds(array, bound)
            expected.append(f"{words} {bound:g}")
    if not fits.all():
        at = np.unravel_index(int(np.argmin(fits)), array.shape)
        place = f"[{', '.join(str(int(i)) for i in at)}]" if at else ""
        wanted = " and ".join([", ".join(expected[:2]), *expected[2:]])
        raise ValueError(f"{rule}: {name}{place} = {array[at]:g}: expected {wanted} ({unit})")
    return array


def number(
    rule: str,
    name: str,
    value: float,
    unit: str,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """Return one float in range; raises `ValueError` like `numbers`, also for an array."""
    array = numbers(
        rule, name, value, unit, above=above, at_least=at_least, below=below, at_most=at_most
    )
    if array.ndim:
        raise ValueError(f"{rule}: {name} has shape {array.shape}: expected one number ({unit})")
    return float(array)


def whole(rule: str, name: str, value: int, unit: str, *, at_least: int, at_most: int) -> int:
    """Return an integer in range; raises `ValueError` that names rule, value and unit."""
    found = as_integer(value)
    if found is None or not at_least <= found <= at_most:
        wanted = f"an integer, {at_least} to {at_most}"
        raise ValueError(f"{rule}: {name} = {value!r}: expected {wanted} ({unit})")
    return found


def series(rule: str, name: str, value: ArrayLike, unit: str, *, least: int = 1) -> Floats:
    """Return a one-dimensional array of finite numbers; raises `ValueError` like `numbers`."""
    array = numbers(rule, name, value, unit)
    if array.ndim != 1 or array.size < least:
        wanted = f"one dimension and at least {least} values"
        raise ValueError(f"{rule}: {name} has shape {array.shape}: expected {wanted} ({unit})")
    return array
