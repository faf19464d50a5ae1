"""`bulkhead serve` ends, crashes and comes back: nothing acknowledged is lost, replay is exact."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bulkhead_signing import SigningKey
from matcher import client as api
from matcher.client import RejectReason, SessionOptions, Side
from matcher.journal.reader import segment_paths
from tests.integration.serving import CONFIG, MARKET_ID, QUOTE, Matcher, limit_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALICE = SigningKey(b"\x0a" * 32)
BOB = SigningKey(b"\x0b" * 32)
PRICE = 60_000
ACKNOWLEDGED_MIN = 200  # orders before the crash


@pytest.fixture
def matcher(tmp_path: Path) -> Iterator[Matcher]:
    prepared = Matcher(tmp_path / "matcher")
    yield prepared
    prepared.end()


async def trade_a_little(matcher: Matcher) -> tuple[api.MatcherStatus, list[bytes], list[int]]:
    """Trade; return the status, all items as bytes, and Alice's event numbers."""
    assert await matcher.price(PRICE) == [RejectReason.NONE]
    await matcher.deposit(1, [ALICE.address, BOB.address], 100_000 * QUOTE)
    async with await matcher.client(ALICE) as alice, await matcher.client(BOB) as bob:
        await bob.place([await limit_order(bob, Side.SELL, PRICE + n, 5) for n in range(9)])
        await alice.place([await limit_order(alice, Side.BUY, PRICE + 4, 22)])
        await alice.move_collateral(MARKET_ID, 3 * QUOTE)
        withdrawn = await alice.withdraw(QUOTE)
    async with await matcher.admin() as admin:
        status = await admin.status()
    _, items = await matcher.items(1, withdrawn.item_seq)
    return status, [item.SerializeToString() for item in items], await event_seqs(matcher)


async def event_seqs(matcher: Matcher) -> list[int]:
    """Return the numbers of all events that Alice gets by resuming from the beginning."""
    options = SessionOptions(resume_after_account_seq=0)
    seqs: list[int] = []
    async with await matcher.client(ALICE, options) as alice:
        async with asyncio.timeout(10):
            async for event in alice.events():
                seqs.append(event.account_seq)
                if isinstance(event, api.WithdrawalAccepted):
                    break
    return seqs


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_cleanly_and_a_restart_goes_on(
    matcher: Matcher, number: signal.Signals
) -> None:
    matcher.start()
    before, items, seqs = asyncio.run(trade_a_little(matcher))
    assert seqs == list(range(1, len(seqs) + 1))
    assert matcher.stop(number) == 0
    replayed = matcher.replay("--until", str(before.command_seq))
    assert replayed["state_hash"] == before.state_hash.hex()
    ended = matcher.replay()

    async def look() -> None:
        async with await matcher.admin() as admin:
            now = await admin.status()
        assert now.command_seq >= int(ended["command_seq"])
        _, again = await matcher.items(1, len(items))
        assert [item.SerializeToString() for item in again] == items
        assert await event_seqs(matcher) == seqs

    matcher.start()
    asyncio.run(look())


def test_nothing_acknowledged_is_lost_by_a_crash(matcher: Matcher) -> None:
    matcher.start()

    async def place_until_killed() -> list[int]:
        await matcher.price(PRICE)
        await matcher.deposit(1, [ALICE.address], 100_000 * QUOTE)
        acknowledged: list[int] = []
        enough = asyncio.Event()
        client = await matcher.client(ALICE, SessionOptions(reconnects=False))
        template = await limit_order(client, Side.BUY, PRICE - 100, 1)

        async def place() -> None:
            while True:
                orders = [template._replace(nonce=client.orders.nonces.take()) for _ in range(7)]
                results = await client.place(orders)
                acknowledged.extend(one.order_id for one in results if hasattr(one, "order_id"))
                if len(acknowledged) >= ACKNOWLEDGED_MIN:
                    enough.set()

        tasks = [asyncio.create_task(place()) for _ in range(3)]
        async with asyncio.timeout(30):  # a busy machine takes its time for the first answers
            await enough.wait()
        assert matcher.stop(signal.SIGKILL) == -signal.SIGKILL
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, api.ConnectError) for result in results), results
        await client.close()
        return acknowledged

    acknowledged = asyncio.run(place_until_killed())
    assert len(acknowledged) >= ACKNOWLEDGED_MIN

    async def find() -> None:
        async with await matcher.client(ALICE) as alice:
            found = {order.order_id for order in await alice.open_orders()}
        assert set(acknowledged) <= found

    matcher.start()
    asyncio.run(find())
    assert matcher.stop() == 0
    matcher.replay()


def run_to_the_end(matcher: Matcher, *options: str) -> tuple[int, str]:
    process = matcher.spawn(*options)
    process.communicate(timeout=30)
    return process.returncode, matcher.stderr()


def assert_one_line(stderr: str, expected: str) -> None:
    assert expected in stderr
    assert stderr.count("\n") == 1, stderr


def test_operating_errors_are_one_line(matcher: Matcher) -> None:
    matcher.start()
    port = matcher.target.rpartition(":")[2]
    status, stderr = run_to_the_end(matcher, "--listen", f"127.0.0.1:{port}")
    assert status == 1
    assert_one_line(stderr, "cannot listen: the port is in use")
    status, stderr = run_to_the_end(matcher)
    assert status == 1
    assert_one_line(stderr, "another process writes this journal")
    assert matcher.stop() == 0
    status, stderr = run_to_the_end(matcher, "--chain-id", "5")
    assert status == 1
    assert_one_line(stderr, "belongs to another deployment")
    matcher.config_path.write_text(CONFIG.replace("order_count_max = 4096", "order_count_max = 5"))
    status, stderr = run_to_the_end(matcher)
    assert status == 1
    assert_one_line(stderr, "the journal was made with")
    matcher.config_path.write_text(CONFIG.replace("fee_maker_ppm = 200", "fee_maker_ppm = 201"))
    status, stderr = run_to_the_end(matcher)
    assert status == 2
    assert_one_line(stderr, "is listed with other parameters")
    matcher.config_path.write_text(CONFIG.replace("listen =", "listens ="))
    status, stderr = run_to_the_end(matcher)
    assert status == 2
    assert_one_line(stderr, "$.matcher.listens: expected no such key")


def test_damage_in_the_journal_stops_the_start(matcher: Matcher) -> None:
    matcher.start()
    asyncio.run(trade_a_little(matcher))
    assert matcher.stop() == 0
    (path,) = segment_paths(matcher.folder / "journal")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    status, stderr = run_to_the_end(matcher)
    assert status == 1
    assert_one_line(stderr, f"{path.name}: offset 0: expected CRC32")


def test_replaying_nothing_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "matcher", "replay"]
    for folder, expected in ((tmp_path / "none", "no such directory"), (tmp_path, "no journal")):
        done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert_one_line(done.stderr, expected)
