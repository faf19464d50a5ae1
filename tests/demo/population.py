"""Who trades in the demo: plans of traders and makers, drawn from one seed."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Final, NamedTuple

TRADERS_PER_MARKET: Final = 24
MAKERS: Final = ("maker-1", "maker-2", "maker-3")
FLOWS: Final = ("flow-1", "flow-2", "flow-3", "flow-4")
LEVERAGES: Final = (2, 3, 5, 5, 8, 10, 10, 15, 20, 20, 25, 30, 40, 50)


class Habit(StrEnum):
    """What a trader does besides opening a position."""

    HOLD = "holds"
    STOP = "has a stop price"
    TAKE_PROFIT = "has a take-profit price"
    TOP_UP = "tops up on the way down"
    TAKE_OUT = "takes collateral out"
    LEAVE = "closes and withdraws everything"


class TraderPlan(NamedTuple):
    """What one trader is going to do. Progress is a share of the replay, 0 to 1."""

    name: str
    market_id: int
    is_long: bool
    leverage: int
    deposit_usd: int
    stake_usd: int
    enters_at: float
    habit: Habit
    acts_at: float  # when a leaver leaves and a taker-out takes out


def plan_traders(market_ids: list[int], seed: int, crash_at: float) -> list[TraderPlan]:
    """Return the traders of all markets in order of entry.

    Args:
        market_ids: Markets to trade in.
        seed: The same seed gives the same plans.
        crash_at: Progress at which the index is lowest; most enter before it.
    """
    chance = random.Random(seed)
    habits = list(Habit)
    plans: list[TraderPlan] = []
    for market_id in market_ids:
        for number in range(TRADERS_PER_MARKET):
            habit = habits[number % len(habits)]
            leverage = LEVERAGES[(number * 5 + market_id) % len(LEVERAGES)]
            is_long = habit is Habit.TOP_UP or chance.random() < 0.68
            stake_usd = round(chance.lognormvariate(8.2, 0.7))
            enters_at = chance.uniform(0.01, crash_at * 0.92)
            leaves_at = chance.uniform(min(enters_at + 0.1, 0.9), 0.93)
            plans.append(
                TraderPlan(
                    name=f"{leverage}x {'long' if is_long else 'short'} #{len(plans) + 1}",
                    market_id=market_id,
                    is_long=is_long,
                    leverage=leverage,
                    deposit_usd=3 * stake_usd,
                    stake_usd=stake_usd,
                    enters_at=enters_at,
                    habit=habit,
                    acts_at=leaves_at if habit is Habit.LEAVE else crash_at * 0.9,
                )
            )
    return sorted(plans, key=lambda plan: plan.enters_at)
