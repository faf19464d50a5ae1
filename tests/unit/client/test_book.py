"""The local book follows snapshots and deltas, and notices what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.client import (
    Book,
    BookDelta,
    BookSnapshot,
    LocalBook,
    MarkUpdated,
    PriceLevel,
    ProtocolError,
)

LEVELS = st.dictionaries(st.integers(1, 50), st.integers(0, 9), max_size=8)


def levels(qty_of_price: dict[int, int]) -> tuple[PriceLevel, ...]:
    return tuple(PriceLevel(price_ticks=p, qty_lots=q) for p, q in qty_of_price.items())


def snapshot(seq: int, bids: dict[int, int], asks: dict[int, int]) -> BookSnapshot:
    book = Book(market_id=1, market_seq=seq, bids=levels(bids), asks=levels(asks))
    return BookSnapshot(market_id=1, market_seq=seq, time_ns=0, book=book)


def delta(seq: int, bids: dict[int, int], asks: dict[int, int]) -> BookDelta:
    return BookDelta(market_id=1, market_seq=seq, time_ns=0, bids=levels(bids), asks=levels(asks))


@given(first=LEVELS, changes=st.lists(st.tuples(LEVELS, LEVELS), max_size=6))
def test_the_book_is_what_the_last_word_on_each_price_says(
    first: dict[int, int], changes: list[tuple[dict[int, int], dict[int, int]]]
) -> None:
    book = LocalBook(1)
    book.apply(snapshot(5, {p: q for p, q in first.items() if q}, {}))
    bids = dict(first)
    asks: dict[int, int] = {}
    for seq, (bid_change, ask_change) in enumerate(changes, 6):
        book.apply(delta(seq, bid_change, ask_change))
        bids |= bid_change
        asks |= ask_change
    expected_bids = sorted(((p, q) for p, q in bids.items() if q), reverse=True)
    expected_asks = sorted((p, q) for p, q in asks.items() if q)
    assert [(level.price_ticks, level.qty_lots) for level in book.bids()] == expected_bids
    assert [(level.price_ticks, level.qty_lots) for level in book.asks()] == expected_asks
    assert book.bids(1) == ([book.best_bid] if book.best_bid else [])
    assert book.asks(1) == ([book.best_ask] if book.best_ask else [])


@pytest.mark.parametrize("seq", [4, 5, 7, 0])
def test_a_gap_or_a_repetition_is_noticed(seq: int) -> None:
    book = LocalBook(1)
    book.apply(snapshot(5, {10: 1}, {11: 1}))
    with pytest.raises(ProtocolError, match=f"event {seq} came after 5"):
        book.apply(delta(seq, {10: 0}, {}))
    assert book.best_bid == PriceLevel(price_ticks=10, qty_lots=1)


def test_other_events_are_part_of_the_sequence() -> None:
    book = LocalBook(1)
    book.apply(snapshot(5, {}, {}))
    mark = MarkUpdated(
        market_id=1, market_seq=6, time_ns=0, index_price_ticks=1, mark_price_ticks=1,
        index_time_ms=1,
    )  # fmt: skip
    book.apply(mark)
    assert book.market_seq == 6


def test_an_event_before_the_snapshot_is_refused() -> None:
    with pytest.raises(ProtocolError, match="before the snapshot"):
        LocalBook(1).apply(delta(1, {}, {}))


def test_a_snapshot_replaces_everything() -> None:
    book = LocalBook(1)
    book.apply(snapshot(5, {10: 1}, {}))
    book.apply(snapshot(90, {}, {11: 2}))
    assert (book.best_bid, book.market_seq) == (None, 90)
    assert book.asks() == [PriceLevel(price_ticks=11, qty_lots=2)]
