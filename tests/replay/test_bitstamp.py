"""Every Bitstamp log of the data folder, through the book: whom it matches, and its levels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay import bitstamp
from tests.replay.bitstamp import Message
from tests.replay.files import NoDataError, matching

AGREE_MIN = 0.995
ALIKE_MIN = 0.99  # the feed is asynchronous: a snapshot may be between two messages

try:
    PATHS = matching("bitstamp_*_raw.log.zst")
except NoDataError as exc:
    PATHS, REASON = [], str(exc)


def test_the_files_are_there() -> None:
    if not PATHS:
        pytest.skip(REASON)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.partition(".")[0])
def test_the_book_matches_whom_the_exchange_matched(path: Path) -> None:
    one = bitstamp.replay(path)
    count = one.count
    assert count["executions that agree"] >= AGREE_MIN * count["executions"] > 0
    assert count["cancels of just what rests"] >= AGREE_MIN * count["cancels"] > 0
    assert count["best levels alike"] >= AGREE_MIN * count["book sides"] > 0
    assert count["book sides alike, 20 levels"] >= ALIKE_MIN * count["book sides"]
    assert len(one.odd) == count["executions"] - count["executions that agree"]


def message(kind: str, name: int, side: int, price: str, amount: str) -> Message:
    return Message(kind, {"id": name, "order_type": side, "price": price, "amount": amount})


def test_an_execution_that_the_book_did_not_give_is_odd() -> None:
    one = bitstamp.Replay([
        message("order_created", 1, 1, "10.00", "2"),
        message("order_created", 2, 1, "10.00", "3"),
        message("order_created", 3, 0, "10.5", "1"),
        message("order_deleted", 3, 0, "10.5", "0"),
        message("order_changed", 2, 1, "10.00", "2"),
    ])  # fmt: skip
    one.run()
    assert one.count["executions"] == 2
    assert one.count["executions that agree"] == 1
    assert len(one.odd) == 1


def test_an_order_of_more_lots_than_fit_is_one_all_the_same() -> None:
    one = bitstamp.Replay([
        message("order_created", 1, 1, "10.00", "100"),
        message("order_created", 2, 0, "10.00", "90.5"),
        message("order_changed", 1, 1, "10.00", "9.5"),
        message("order_deleted", 2, 0, "10.00", "0"),
    ])  # fmt: skip
    one.run()
    assert one.count["executions that agree"] == 2
    assert one.mirror.remaining(1) == 950_000_000
