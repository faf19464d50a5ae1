"""The three tools of EMIR against margins that rise when markets fall: buffer, stress, floor.

Source: Commission Delegated Regulation (EU) 153/2013, Article 28(1); a house uses at least one.
Margins may be in any unit, rates too, if both arguments have the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from margin_core.models.arguments import Floats, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RULE = "EMIR 153/2013 Art 28(1)"
LEAST_SHARE = 0.25


def with_buffer(margin: ArrayLike, held: ArrayLike, *, share: float = LEAST_SHARE) -> Floats:
    """Return the margin to hold, by (a): a buffer that is drawn down while calculated margin rises.

    `max(m, min((1 + share)·m, held))`: what is held stays while it covers the calculated margin m,
    and is never more than the buffer above it. Start with an infinite `held` for the full buffer.

    Raises:
        ValueError: A margin is negative, or the share is below 25 %.
    """
    calculated = numbers(RULE, "margin", margin, "quote or rate", at_least=0)
    before = numbers(RULE, "held", held, "quote or rate", at_least=0, finite=False)
    above = numbers(RULE, "share", share, "share of the margin", at_least=LEAST_SHARE)
    return np.asarray(np.maximum(calculated, np.minimum((1 + above) * calculated, before)))


def with_stress(margin: ArrayLike, stressed: ArrayLike, *, weight: float = LEAST_SHARE) -> Floats:
    """Return the margin by (b): stressed observations have a fixed weight in it.

    Raises:
        ValueError: A margin is negative, or the weight is not 25 % to 100 %.
    """
    calculated = numbers(RULE, "margin", margin, "quote or rate", at_least=0)
    worst = numbers(RULE, "stressed", stressed, "quote or rate", at_least=0)
    fixed = numbers(RULE, "weight", weight, "share of 1", at_least=LEAST_SHARE, at_most=1)
    return np.asarray((1 - fixed) * calculated + fixed * worst)


def with_floor(margin: ArrayLike, long_history: ArrayLike) -> Floats:
    """Return the margin by (c): not below that of the volatility of ten years.

    Raises:
        ValueError: A margin is negative.
    """
    calculated = numbers(RULE, "margin", margin, "quote or rate", at_least=0)
    floor = numbers(RULE, "long_history", long_history, "quote or rate", at_least=0)
    return np.asarray(np.maximum(calculated, floor))
