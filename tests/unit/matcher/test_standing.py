"""What is left for later: announced parameters and standing instructions, behind the engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bulkhead.matcher.v1 import chain_event_pb2
from margin_core import Tier
from matcher.client._convert import spec_message
from matcher.engine.commands import Command, CommandKind
from matcher.engine.events import EventKind
from matcher.feed import account_events as account
from matcher.feed import market_data as market
from matcher.rpc import convert
from matcher.rpc.convert_events import settlement_item
from tests.unit.matcher.builders import (
    ADDRESSES,
    BUY,
    EXPIRY_TIME_S,
    LISTING,
    MARKET_ID,
    SELL,
    SIGNATURE,
    START_NS,
    Bench,
    Pair,
    place,
    price,
)
from tests.unit.matcher.test_venue import bodies

STRICT = replace(
    LISTING.spec,
    tiers=(
        Tier(notional_floor_quote=0, margin_initial_ppm=300_000, margin_maintenance_ppm=250_000),
    ),
)
NOW_S = START_NS // 10**9


def announce(seq: int, effective_time_s: int, spec: object = STRICT) -> Pair:
    """Return what the edge makes of an announcement of the contract."""
    wire = chain_event_pb2.ParametersAnnouncement(
        announcement_seq=seq,
        effective_time_s=effective_time_s,
        spec=spec_message(spec),  # type: ignore[arg-type]
    )
    return convert.announcement_command(wire, LISTING.spec, "announcements[0]")


def test_announced_parameters_hold_from_a_price_on(bench: Bench) -> None:
    """PAR-2: the listing follows, an item goes to the chain before the price, twice is once."""
    (applied,) = bench.apply(announce(7, NOW_S))
    assert [e.kind for e in applied.events] == [EventKind.PARAMETERS_ANNOUNCED]
    assert bench.venue.listings[MARKET_ID] == LISTING
    first = bench.venue.settlement.item_seq + 1
    bench.apply(announce(7, NOW_S + 9), price(50_000))
    assert bench.venue.listings[MARKET_ID] == LISTING._replace(spec=STRICT)
    _, items = asyncio.run(bench.venue.settlement.cursor(first).take(9))
    assert [item.event.kind for item in items] == [EventKind.PARAMETERS_CHANGED, EventKind.PRICE]
    wire = settlement_item(items[0], bench.venue.accounts)
    assert wire.parameters.market_id == MARKET_ID
    (applied,) = bench.apply(announce(7, NOW_S))
    assert applied.events == ()


def test_what_the_contract_does_not_know_stays(bench: Bench) -> None:
    """PAR-1: the engine's own parameters are those that are held."""
    held = replace(LISTING.spec, impact_notional_quote=5, grace_s=6, funding_period_s=7)
    wire = chain_event_pb2.ParametersAnnouncement(
        announcement_seq=1, effective_time_s=2, spec=spec_message(STRICT)
    )
    command, extra = convert.announcement_command(wire, held, "x")
    assert (command.nonce, command.aux) == (1, 2)
    kept = {"impact_notional_quote": 5, "grace_s": 6, "funding_period_s": 7}
    assert extra == replace(STRICT, **kept).pack()  # type: ignore[arg-type]
    assert bench.venue.cursor.announcement_seq == 0


def top_up(index: int, cap_quote: int, nonce: int) -> Pair:
    command = Command(
        kind=CommandKind.AUTO_TOP_UP,
        account=index,
        market_id=MARKET_ID,
        amount_quote=cap_quote,
        nonce=nonce,
        expiry_time_s=EXPIRY_TIME_S,
    )
    return command, SIGNATURE


def test_each_draw_carries_the_instruction_as_signed(bench: Bench) -> None:
    """COLL-3, TOPUP-1: the item names amount, cap, nonce and signature; its owner is told."""
    bench.apply(place(2, SELL, 50_000, 5, 1), place(1, BUY, 50_000, 5, 1, amount_quote=40_000))
    bench.apply(top_up(1, 10**9, 2))
    assert bodies(bench, 1, account.AutoTopUpSet) == [(MARKET_ID, 10**9, 2)]
    for ticks in (49_400, 49_300):
        bench.apply(price(ticks))
    (drawn,) = bodies(bench, 1, account.AutoToppedUp)
    (item,) = bench.venue.settlement.items(drawn.item_seq, drawn.item_seq)
    wire = settlement_item(item, bench.venue.accounts).auto_top_up
    assert wire.amount_quote == drawn.amount_quote > 0
    assert drawn.cap_left_quote == 10**9 - drawn.amount_quote
    signed = wire.instruction
    assert (signed.account, signed.cap_quote, signed.nonce) == (ADDRESSES[0], 10**9, 2)
    assert signed.signature == SIGNATURE
    assert bodies(bench, 1, account.LiquidationStarted) == []


def test_the_market_is_told(bench: Bench) -> None:
    """PAR-1, PAR-2: version and second, then the version that holds."""
    seen: list[object] = []
    bench.venue.market_feed.add = (  # type: ignore[method-assign]
        lambda market_id, body, time_ns: seen.append(body)  # noqa: ARG005
    )
    bench.apply(announce(1, NOW_S), price(50_000))
    assert market.ParametersAnnounced(2, NOW_S) in seen
    assert market.ParametersChanged(2) in seen
