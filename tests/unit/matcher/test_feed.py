"""Subscriptions and the account feed: bounded, in order, resumable, cut off when too slow."""

from __future__ import annotations

import asyncio

import pytest

from matcher.feed.account_events import AccountEvent, PositionFrozen
from matcher.feed.accounts import AccountFeed, SeqOutOfRangeError
from matcher.feed.settlement import SettlementLog
from matcher.feed.subscription import SlowConsumerError, Subscription

ADDRESS = b"\x01" * 20
BODY = PositionFrozen(1, is_frozen=True)


def filled(count: int, *, kept: int = 5, queue: int = 5) -> AccountFeed:
    feed = AccountFeed(event_count_max=kept, queue_count_max=queue)
    add(feed, count)
    return feed


def add(feed: AccountFeed, count: int) -> None:
    for _ in range(count):
        feed.add(ADDRESS, BODY, command_seq=1, time_ns=1)


def seqs(events: list[AccountEvent]) -> list[int]:
    return [event.account_seq for event in events]


@pytest.mark.parametrize(
    ("after_seq", "expected"),
    [(None, []), (0, [4, 5, 6, 7, 8]), (3, [4, 5, 6, 7, 8]), (7, [8]), (8, [])],
)
def test_resuming_gives_what_was_missed(after_seq: int | None, expected: list[int]) -> None:
    feed = filled(8)
    subscription, missed = feed.subscribe(ADDRESS, after_seq)
    assert seqs(missed) == expected
    add(feed, 1)
    assert seqs(asyncio.run(subscription.take(9))) == [9]


@pytest.mark.parametrize("after_seq", [1, 2, 9])
def test_resuming_outside_of_what_is_kept_fails(after_seq: int) -> None:
    with pytest.raises(SeqOutOfRangeError) as caught:
        filled(8).subscribe(ADDRESS, after_seq)
    assert (caught.value.first_seq, caught.value.last_seq) == (3, 8)


def test_informing_reaches_open_sessions_only() -> None:
    feed = filled(1)
    subscription, _ = feed.subscribe(ADDRESS, None)
    feed.inform(ADDRESS, BODY, time_ns=5)
    assert seqs(asyncio.run(subscription.take(9))) == [0]
    assert feed.last_seq(ADDRESS) == 1


def test_a_slow_consumer_is_cut_off_and_others_are_not() -> None:
    feed = filled(0, kept=100, queue=3)
    slow, _ = feed.subscribe(ADDRESS, None)
    fast, _ = feed.subscribe(ADDRESS, None)

    async def run() -> None:
        for seq in range(1, 7):
            add(feed, 1)
            assert seqs(await fast.take(1)) == [seq]
        with pytest.raises(SlowConsumerError):
            await slow.take(1)
        feed.unsubscribe(ADDRESS, slow)
        _, missed = feed.subscribe(ADDRESS, 0)
        assert seqs(missed) == [1, 2, 3, 4, 5, 6]

    asyncio.run(run())


def test_an_account_without_events_leaves_nothing_behind() -> None:
    feed = filled(0)
    subscription, _ = feed.subscribe(ADDRESS, None)
    feed.unsubscribe(ADDRESS, subscription)
    assert feed._logs == {}


def test_a_finished_subscription_ends_after_its_last_item() -> None:
    async def run() -> None:
        subscription: Subscription[int] = Subscription(5)
        assert await subscription.take(1, timeout_s=0.001) == []
        subscription.push(1)
        subscription.push(2)
        subscription.finish()
        assert await subscription.take(1) == [1]
        assert await subscription.take(5) == [2]
        assert await subscription.take(5) == []

    asyncio.run(run())


def test_a_settlement_cursor_waits_for_the_next_item() -> None:
    async def run() -> None:
        log = SettlementLog()
        cursor = log.cursor(1)
        waiting = asyncio.create_task(cursor.take(10))
        await asyncio.sleep(0)
        log.add(None, time_ns=5, command_seq=3)
        log.flush()
        orders, (item,) = await waiting
        assert (orders, item.item_seq, item.time_ns, item.event.kind) == ([], 1, 5, 0)
        for from_seq in (0, 3):
            with pytest.raises(SeqOutOfRangeError):
                log.cursor(from_seq)
        log.close()

    asyncio.run(run())
