"""Batch building: closing rules, lazy prices and clocks, tables without repetition, resumption."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.batch import (
    INSURANCE_ACCOUNT,
    BatchBuilder,
    BuilderState,
    BuiltBatch,
    Limits,
    SignedOrder,
    decode_payload,
)
from settlement.batch.builder import FeedError
from settlement.batch.items import (
    Adl,
    AnyItem,
    CollateralMove,
    Fill,
    FundFill,
    Funding,
    LiquidationFill,
    PriceRow,
    Takeover,
    Tick,
    Withdrawal,
)
from settlement.batch.payload import (
    FLAG_REDUCE_ONLY,
    FLAG_SELL,
    ClockItem,
    FillAtItem,
    FillItem,
    FundFillAtItem,
    FundFillItem,
    PriceItem,
    TakeoverItem,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

START_NS = 1_700_000_000 * 10**9
MS = 10**6
LIMITS = Limits(interval_ms=1_000)
ALICE, BOB, CAROL = (bytes([n]) * 20 for n in (0xA1, 0xB0, 0xC0))


def order(
    order_id: int, account: bytes = ALICE, *, side: int = 0, market_id: int = 1
) -> SignedOrder:
    """Return a signed order (the builder does not look at signatures)."""
    return SignedOrder(
        order_id=order_id,
        account=account,
        market_id=market_id,
        side=side,
        time_in_force=0,
        is_post_only=False,
        is_reduce_only=side == 1,
        price_ticks=100,
        qty_lots=10,
        margin_quote=1_000,
        fee_ppm_max=500,
        trigger_kind=0,
        trigger_price_ticks=0,
        nonce=order_id,
        expiry_time_s=2**39,
        signature=bytes(64),
    )


def row(seq: int, *, ms: int = 0, market_id: int = 1, index: int = 100) -> PriceRow:
    """Return a price row."""
    return PriceRow(
        item_seq=seq,
        time_ns=START_NS + ms * MS,
        market_id=market_id,
        index_price_ticks=index,
        mark_price_ticks=index,
        index_time_ms=START_NS // MS + ms,
        signature=bytes(64),
    )


def fill(seq: int, *, ms: int = 0, taker: int = 1, maker: int = 2) -> Fill:
    """Return a fill of one lot."""
    return Fill(
        item_seq=seq,
        time_ns=START_NS + ms * MS,
        taker_order_id=taker,
        maker_order_id=maker,
        qty_lots=1,
    )


def tick(seq: int, *, ms: int = 0) -> Tick:
    """Return a tick."""
    return Tick(item_seq=seq, time_ns=START_NS + ms * MS)


def builder(state: BuilderState | None = None, limits: Limits = LIMITS) -> BatchBuilder:
    """Return a builder that knows two orders of Alice and Bob."""
    made = BatchBuilder(state or BuilderState(), epoch=3, limits=limits)
    made.add_order(order(1, ALICE))
    made.add_order(order(2, BOB, side=1))
    return made


def run(made: BatchBuilder, items: Sequence[AnyItem]) -> list[BuiltBatch]:
    """Return the batches that these items close."""
    return [batch for item in items if (batch := made.add(item)) is not None]


def test_a_batch_closes_when_engine_time_enters_the_next_interval() -> None:
    batches = run(builder(), [row(1), fill(2, ms=10), fill(3, ms=999), tick(4, ms=1000)])
    assert [(b.sequence, b.first_item_seq, b.last_item_seq) for b in batches] == [(1, 1, 3)]
    payload = decode_payload(batches[0].payload)
    assert (payload.sequence, payload.epoch, payload.clock_time_s) == (1, 3, 1_700_000_000)
    assert [type(item) for item in payload.items] == [PriceItem, FillItem, FillItem]
    assert batches[0].item_seqs == (1, 2, 3)


def test_nothing_is_built_from_prices_and_ticks_alone() -> None:
    assert run(builder(), [row(1), tick(2, ms=1500), row(3, ms=2600), tick(4, ms=9000)]) == []


def test_each_order_and_position_stands_once_in_the_tables() -> None:
    (batch,) = run(builder(), [row(1), fill(2), fill(3), fill(4), tick(5, ms=1000)])
    payload = decode_payload(batch.payload)
    assert len(payload.orders) == len(payload.positions) == len(payload.accounts) == 2
    assert [row.address for row in payload.accounts] == [ALICE, BOB]
    assert payload.orders[1].flags == FLAG_SELL | FLAG_REDUCE_ONLY


def test_a_price_is_emitted_only_when_an_item_needs_it_and_it_changed() -> None:
    items: list[AnyItem] = [
        row(1),
        row(2, index=101),
        fill(3),
        row(4, market_id=2),
        fill(5),
        row(6, index=102),
        fill(7),
        tick(8, ms=1000),
        fill(9, ms=1001),
        tick(10, ms=2000),
    ]
    first, second = run(builder(), items)
    prices = [i for i in decode_payload(first.payload).items if isinstance(i, PriceItem)]
    assert [price.observations[0].price_ticks for price in prices] == [101, 102]
    assert first.item_seqs == (2, 3, 5, 6, 7)
    assert [type(item) for item in decode_payload(second.payload).items] == [FillItem]


def test_the_clock_is_emitted_when_its_second_changes() -> None:
    made = builder(limits=Limits(interval_ms=10_000))
    (batch,) = run(made, [fill(1), fill(2, ms=999), fill(3, ms=2000), tick(4, ms=10_000)])
    payload = decode_payload(batch.payload)
    assert payload.items[2] == ClockItem(time_s=1_700_000_002)
    assert batch.item_seqs == (1, 2, 0, 3)


def test_the_insurance_fund_has_its_own_account() -> None:
    """BATCH-4: the address 0x…01, only where the fund takes part."""
    items: list[AnyItem] = [
        Takeover(item_seq=1, time_ns=START_NS, market_id=1, account=CAROL, qty_lots=2**33),
        FundFill(item_seq=2, time_ns=START_NS, maker_order_id=2, qty_lots=5),
        tick(3, ms=1000),
    ]
    (batch,) = run(builder(), items)
    payload = decode_payload(batch.payload)
    assert [row.address for row in payload.accounts] == [INSURANCE_ACCOUNT, BOB, CAROL]
    assert payload.items == (
        TakeoverItem(position=2, fund_position=0, lots=2**33),
        FundFillItem(fund_position=0, maker_order=0, lots=5),
    )


def test_tables_ascend_and_what_refers_to_them_follows() -> None:
    """BATCH-2: accounts by address, positions by account, then by market of the table."""
    made = BatchBuilder(BuilderState(), epoch=3, limits=LIMITS)
    made.add_order(order(1, CAROL, market_id=2))
    made.add_order(order(2, ALICE, market_id=2, side=1))
    made.add_order(order(3, CAROL))
    made.add_order(order(4, BOB, side=1))
    (batch,) = run(made, [fill(1), fill(2, taker=3, maker=4), tick(3, ms=1000)])
    payload = decode_payload(batch.payload)
    markets = [row.market_id for row in payload.markets]
    accounts = [row.address for row in payload.accounts]
    assert (markets, accounts) == ([2, 1], [ALICE, BOB, CAROL])
    rows = [(accounts[row.account], markets[row.market]) for row in payload.positions]
    assert rows == [(ALICE, 2), (BOB, 1), (CAROL, 2), (CAROL, 1)]
    assert [rows[row.position] for row in payload.orders] == [
        (CAROL, 2), (ALICE, 2), (CAROL, 1), (BOB, 1),
    ]  # fmt: skip


def test_a_fill_names_its_price_only_where_it_is_not_the_makers() -> None:
    """BATCH-6: the order's own price, a slid one, an auction at the order's own price."""
    items: list[AnyItem] = [
        msgspec.structs.replace(fill(1), price_ticks=100),
        msgspec.structs.replace(fill(2), price_ticks=99),
        msgspec.structs.replace(fill(3), price_ticks=100, is_auction=True),
        FundFill(item_seq=4, time_ns=START_NS, maker_order_id=2, qty_lots=5, price_ticks=102),
        tick(5, ms=1000),
    ]
    (batch,) = run(builder(), items)
    at = {"taker_order": 0, "maker_order": 1, "lots": 1}
    assert decode_payload(batch.payload).items == (
        FillItem(**at),
        FillAtItem(**at, price_ticks=99, auction=0),
        FillAtItem(**at, price_ticks=100, auction=1),
        FundFillAtItem(fund_position=0, maker_order=1, lots=5, price_ticks=102),
    )


def test_a_batch_closes_before_it_grows_over_its_bytes() -> None:
    limits = Limits(interval_ms=1_000_000, size_bytes_max=400)
    batches = run(builder(limits=limits), [fill(seq) for seq in range(1, 60)])
    assert len(batches) == 4  # 275 bytes of tables, then 13 fills of 9 bytes each
    assert all(400 - 9 < len(batch.payload) <= 400 for batch in batches)


def test_a_batch_closes_before_it_grows_over_its_gas() -> None:
    limits = Limits(interval_ms=1_000_000, gas_max=1_000_000)
    batches = run(builder(limits=limits), [fill(seq) for seq in range(1, 200)])
    assert len(batches) > 1
    assert all(batch.gas_estimate <= 1_000_000 for batch in batches)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([fill(2)], "item_seq 2, expected 1"),
        ([tick(1, ms=5), tick(2, ms=4)], "time .* after"),
        ([fill(1, taker=77)], "order 77 is not in the feed before item 1"),
    ],
)
def test_a_broken_feed_is_refused(items: list[AnyItem], words: str) -> None:
    with pytest.raises(FeedError, match=words):
        run(builder(), items)


def test_an_item_over_every_limit_is_an_error() -> None:
    with pytest.raises(FeedError, match="alone is over the limits"):
        run(builder(limits=Limits(interval_ms=1_000, size_bytes_max=100)), [fill(1)])


ACCOUNTS = [ALICE, BOB, CAROL]


@st.composite
def feeds(draw: st.DrawFn) -> list[AnyItem]:
    """Return any feed of up to 60 items in which time moves by up to 700 ms."""
    items: list[AnyItem] = []
    time_ns = START_NS
    for seq in range(1, draw(st.integers(1, 60)) + 1):
        time_ns += draw(st.integers(0, 700)) * MS
        items.append(draw_item(draw, seq, time_ns))
    return items


def draw_item(draw: st.DrawFn, seq: int, time_ns: int) -> AnyItem:
    """Return any item with this place and time."""
    account = draw(st.sampled_from(ACCOUNTS))
    market_id = draw(st.integers(1, 2))
    at: Any = {"item_seq": seq, "time_ns": time_ns}
    price_ticks = draw(st.sampled_from([0, 100, 101]))
    signed = {"nonce": seq, "expiry_time_s": 2**39, "signature": bytes(64)}
    choices: list[AnyItem] = [
        Tick(**at),
        PriceRow(
            item_seq=seq,
            time_ns=time_ns,
            market_id=market_id,
            index_price_ticks=draw(st.integers(1, 3)),
            mark_price_ticks=1,
            index_time_ms=1,
            signature=bytes(64),
        ),
        Fill(
            **at,
            taker_order_id=1,
            maker_order_id=2,
            qty_lots=1,
            price_ticks=price_ticks,
            is_auction=price_ticks > 0 and draw(st.booleans()),
        ),
        LiquidationFill(
            **at,
            market_id=1,
            account=account,
            maker_order_id=2,
            qty_lots=1,
            price_ticks=price_ticks,
        ),
        Takeover(**at, market_id=market_id, account=account, qty_lots=1),
        Adl(**at, market_id=market_id, account=ALICE, counterparty=BOB, qty_lots=1),
        FundFill(**at, maker_order_id=2, qty_lots=1, price_ticks=price_ticks),
        Funding(**at, market_id=market_id, funding_index_e6=-5),
        CollateralMove(**at, **signed, account=account, market_id=market_id, amount_quote=-7),  # type: ignore[arg-type]
        Withdrawal(**at, **signed, account=account, to=CAROL, amount_quote=7),  # type: ignore[arg-type]
    ]
    return draw(st.sampled_from(choices))


@given(feeds())
def test_batches_cover_the_feed_without_gap_and_each_settled_item_once(
    items: list[AnyItem],
) -> None:
    end = tick(len(items) + 1, ms=10**9)
    batches = run(builder(), [*items, end])
    expected = [i.item_seq for i in items if not isinstance(i, Tick | PriceRow)]
    rows = {i.item_seq for i in items if isinstance(i, PriceRow)}
    settled = [seq for batch in batches for seq in batch.item_seqs if seq and seq not in rows]
    assert settled == expected
    for before, after in itertools.pairwise(batches):
        assert (after.first_item_seq, after.sequence) == (
            before.last_item_seq + 1,
            before.sequence + 1,
        )
    for batch in batches:
        assert len(decode_payload(batch.payload).items) == len(batch.item_seqs)


@given(feeds(), st.data())
def test_a_builder_resumed_from_a_closed_batch_makes_the_same_bytes(
    items: list[AnyItem], data: st.DataObject
) -> None:
    feed = [*items, tick(len(items) + 1, ms=10**9)]
    whole = run(builder(), feed)
    cut = data.draw(st.integers(0, len(whole)))
    state = whole[cut - 1].state_after if cut else BuilderState()
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=BuilderState)
    assert run(builder(state), feed[state.next_item_seq - 1 :]) == whole[cut:]
