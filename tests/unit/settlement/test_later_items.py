"""Items 0c, 0d and 0e from the wire into a batch; announcements from the chain onto the wire."""

from __future__ import annotations

import pytest

from bulkhead.matcher.v1 import settlement_feed_service_pb2 as feed_pb2
from bulkhead.matcher.v1 import settlement_item_pb2
from settlement import wire
from settlement.batch import BatchBuilder, BuilderState, Limits, decode_payload
from settlement.batch.items import AutoTopUp, Parameters, PositionSettled, Tick
from settlement.batch.payload import AutoTopUpItem, ParametersItem, SettleMarketItem
from settlement.errors import StateMismatchError
from settlement.records import MARKET_PARAM_NAMES, ChainReport
from settlement.watcher import _announcement

ALICE = b"\xa1" * 20
START_NS = 1_700_000_000 * 10**9


def response() -> feed_pb2.StreamItemsResponse:
    """Return a response with one item of each kind, numbered from 1 on."""
    message = feed_pb2.StreamItemsResponse()
    item = message.items.add(item_seq=1, time_ns=START_NS)
    item.parameters.market_id = 7
    item = message.items.add(item_seq=2, time_ns=START_NS)
    signed = item.auto_top_up.instruction
    signed.account, signed.market_id, signed.cap_quote = ALICE, 7, 50
    signed.nonce, signed.expiry_time_s, signed.signature = 3, 9, b"\x05" * 64
    item.auto_top_up.amount_quote = 40
    item = message.items.add(item_seq=3, time_ns=START_NS)
    item.position_settled.account, item.position_settled.market_id = ALICE, 7
    item.position_settled.qty_lots = 1
    return message


def test_items_come_from_the_wire() -> None:
    """GOV-5, TOPUP-1, EXP-2."""
    parameters, top_up, settled = wire.items_from_wire(response())
    assert parameters == Parameters(item_seq=1, time_ns=START_NS, market_id=7)
    assert isinstance(top_up, AutoTopUp)
    assert (top_up.amount_quote, top_up.cap_quote, top_up.nonce) == (40, 50, 3)
    expected = PositionSettled(item_seq=3, time_ns=START_NS, account=ALICE, market_id=7)
    assert settled == expected


def test_every_item_of_the_feed_has_a_struct() -> None:
    one_of = settlement_item_pb2.SettlementItem.DESCRIPTOR.oneofs_by_name["item"]
    names = [
        field.name
        for field in settlement_item_pb2.SettlementItem.DESCRIPTOR.fields
        if field.containing_oneof is one_of
    ]
    message = feed_pb2.StreamItemsResponse()
    for seq, name in enumerate(names, 1):
        getattr(message.items.add(item_seq=seq, time_ns=START_NS), name).SetInParent()
    items = wire.items_from_wire(message)
    assert [item.item_seq for item in items] == list(range(1, len(names) + 1))
    assert len({type(item) for item in items}) == len(names)


def test_an_item_of_no_known_kind_is_an_error() -> None:
    message = feed_pb2.StreamItemsResponse()
    message.items.add(item_seq=1, time_ns=START_NS)
    with pytest.raises(StateMismatchError, match="install the release that the matcher runs"):
        wire.items_from_wire(message)


def test_items_go_into_a_batch() -> None:
    """GOV-5, TOPUP-1, EXP-2: they name table rows, and their size is what was reckoned."""
    builder = BatchBuilder(BuilderState(), epoch=1, limits=Limits(interval_ms=1_000))
    for item in wire.items_from_wire(response()):
        assert builder.add(item) is None
    batch = builder.add(Tick(item_seq=4, time_ns=START_NS + 10**9))
    assert batch is not None
    payload = decode_payload(batch.payload)
    parameters, top_up, settled = payload.items
    assert parameters == ParametersItem(market=0)
    assert isinstance(top_up, AutoTopUpItem)
    assert (top_up.position, top_up.amount_quote, top_up.signature) == (0, 40, b"\x05" * 64)
    assert settled == SettleMarketItem(position=0)
    assert [row.market_id for row in payload.markets] == [7]


def test_an_announcement_goes_onto_the_wire() -> None:
    """PAR-1: its place on the chain orders it; structs come as mappings or as tuples."""
    values = list(range(1, len(MARKET_PARAM_NAMES) + 1))
    for params in (dict(zip(MARKET_PARAM_NAMES, values, strict=True)), tuple(values)):
        event = {
            "blockNumber": 5,
            "logIndex": 2,
            "args": {
                "marketId": 7, "params": params, "tiers": [(0, 30, 20)], "effectiveTimeS": 99,
            },
        }  # fmt: skip
        report = ChainReport(announcements=(_announcement(event),))
        (message,) = wire.report_to_wire(report).announcements
        assert message.announcement_seq == (5 << 20) + 2
        assert (message.spec.market_id, message.effective_time_s) == (7, 99)
        assert [getattr(message.spec, name) for name in MARKET_PARAM_NAMES] == values
        assert message.spec.tiers[0].margin_initial_ppm == 30
