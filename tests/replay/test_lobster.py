"""Every LOBSTER file of the data folder, through the book: rows, and price-time priority."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay import lobster
from tests.replay.files import NoDataError, matching

PRIORITY_MIN = 0.995

try:
    PATHS = matching("lobster_*_message.csv.zst")
except NoDataError as exc:
    PATHS, REASON = [], str(exc)


def test_the_files_are_there() -> None:
    if not PATHS:
        pytest.skip(REASON)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.partition(".")[0])
def test_a_trading_day_is_reproduced(path: Path) -> None:
    report = lobster.replay(path)
    assert report.rows_wrong == 0
    assert report.rows == report.messages > 0
    assert report.rows_alike > 0.9 * report.rows
    assert report.crossing == 0
    assert report.agree >= PRIORITY_MIN * report.checkable > 0
    assert report.anonymous_agree >= PRIORITY_MIN * report.anonymous


ROW = "102,5,100,7," + ",".join(["9999999999,0,-9999999999,0"] * 9)


def step(one: lobster.Replay, message: str, bids: str, asks: str) -> None:
    """Apply a message; what rests after it is price:lots, best first."""
    sides = [[text.split(":") for text in side.split()] for side in (asks, bids)]
    dummies = ["9999999999", "0"], ["-9999999999", "0"]
    row = []
    for k in range(10):
        for side, dummy in zip(sides, dummies, strict=True):
            row += side[k] if k < len(side) else dummy
    one.step(f"1,{message}", ",".join(row))


def test_a_row_that_is_not_the_book_s_is_wrong() -> None:
    one = lobster.Replay(ROW)
    step(one, "1,9,3,99,1", "100:7 99:3", "102:5")
    assert (one.report.rows_alike, one.report.rows_wrong) == (1, 0)
    step(one, "1,10,3,99,1", "100:7 99:5", "102:5")
    assert (one.report.rows_alike, one.report.rows_wrong) == (1, 1)


def test_an_execution_out_of_turn_is_odd() -> None:
    one = lobster.Replay(ROW)
    step(one, "1,8,3,101,1", "101:3 100:7", "102:5")
    step(one, "1,9,4,101,1", "101:7 100:7", "102:5")
    step(one, "4,9,4,101,1", "101:3 100:7", "102:5")
    assert (one.report.checkable, one.report.agree, len(one.report.odd)) == (1, 0, 1)
    step(one, "4,8,2,101,1", "101:1 100:7", "102:5")
    assert (one.report.checkable, one.report.agree, one.report.rows_wrong) == (2, 1, 0)


def test_an_anonymous_order_behind_a_named_one_is_odd() -> None:
    one = lobster.Replay(ROW)
    step(one, "4,1,2,100,1", "100:5", "102:5")
    assert (one.report.anonymous, one.report.anonymous_agree) == (1, 1)
    step(one, "1,8,3,101,1", "101:3 100:5", "102:5")
    step(one, "4,1,2,100,1", "101:3 100:3", "102:5")
    assert (one.report.anonymous, one.report.anonymous_agree, len(one.report.odd)) == (2, 1, 1)
