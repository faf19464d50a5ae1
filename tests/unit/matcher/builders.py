"""A venue with one market, and commands for it, for the tests of the shell."""

from __future__ import annotations

from typing import Any, Self

from margin_core import MarketSpec, Tier
from matcher.config import LimitsTable
from matcher.engine.commands import Command, CommandKind, RequestKind
from matcher.envelope import Capacities, Listing, PlaceExtra, ShellKind, WithdrawExtra
from matcher.journal import Entry
from matcher.venue import Applied, Venue

MARKET_ID = 1
ADDRESSES = [bytes([n]) * 20 for n in range(1, 6)]
SIGNATURE = b"\x5a" * 64
SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS
EXPIRY_TIME_S = 1_800_000_000
CAPACITIES = Capacities(4, 64, 256)
LISTING = Listing(
    MarketSpec(
        market_id=MARKET_ID,
        quote_per_tick_lot=10,
        price_ticks_max=1_000_000,
        position_lots_max=1_000_000,
        fee_maker_ppm=200,
        fee_taker_ppm=500,
        tiers=(
            Tier(notional_floor_quote=0, margin_initial_ppm=10_000, margin_maintenance_ppm=5_000),
        ),
    ),
    "BTC-PERP",
    1_000_000_000,
    10_000,
    6,
)
BUY, SELL = 0, 1

Pair = tuple[Command, bytes]


def opening(capacities: Capacities = CAPACITIES) -> Pair:
    return Command(kind=ShellKind.OPEN), capacities.pack()


def listing() -> Pair:
    return Command(kind=ShellKind.LIST_MARKET), LISTING.pack()


def deposit(seq: int, address: bytes, amount_quote: int = 10**12) -> Pair:
    return Command(kind=CommandKind.DEPOSIT, nonce=seq, amount_quote=amount_quote), address


def price(ticks: int, time_ms: int = START_NS // 1_000_000) -> Pair:
    command = Command(kind=CommandKind.PRICE, market_id=MARKET_ID, price_ticks=ticks, aux=time_ms)
    return command, SIGNATURE


def tick() -> Pair:
    return Command(kind=CommandKind.TICK), b""


def place(account: int, side: int, ticks: int, lots: int, nonce: int, **more: Any) -> Pair:
    command = Command(
        kind=CommandKind.PLACE,
        account=account,
        market_id=MARKET_ID,
        side=side,
        price_ticks=ticks,
        qty_lots=lots,
        amount_quote=ticks * lots * 2,
        nonce=nonce,
        expiry_time_s=EXPIRY_TIME_S,
    )
    return command._replace(**more), PlaceExtra(1_000, SIGNATURE).pack()


def withdraw(account: int, amount_quote: int, nonce: int) -> Pair:
    command = Command(
        kind=CommandKind.WITHDRAW,
        account=account,
        amount_quote=amount_quote,
        nonce=nonce,
        expiry_time_s=EXPIRY_TIME_S,
    )
    return command, WithdrawExtra(ADDRESSES[0], SIGNATURE).pack()


def request(request_id: int, address: bytes, kind: RequestKind, amount: int) -> Pair:
    of_venue = (RequestKind.CANCEL_ALL, RequestKind.CANCEL, RequestKind.WITHDRAW)
    market_id = MARKET_ID * (kind not in of_venue)
    command = Command(
        kind=CommandKind.FORCED_REQUEST,
        flags=kind,
        market_id=market_id,
        nonce=request_id,
        aux=amount,
    )
    return command, address


def cancel_all(account: int) -> Pair:
    return Command(kind=CommandKind.CANCEL_ALL, account=account, side=2), b""


class Bench:
    """A venue that is fed by hand, one command a nanosecond."""

    def __init__(
        self, limits: LimitsTable | None = None, capacities: Capacities | None = None
    ) -> None:
        capacities = capacities or CAPACITIES
        self.venue = Venue(capacities, limits or LimitsTable())
        self.entries: list[Entry] = []
        self.passed_ns = 0
        self.apply(opening(capacities), listing(), price(50_000))
        self.apply(*(deposit(n, address) for n, address in enumerate(ADDRESSES[:3], 1)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.venue.close()

    def apply(self, *pairs: Pair) -> list[Applied]:
        """Apply commands as one group."""
        applied = []
        for command, extra in pairs:
            time_ns = START_NS + self.passed_ns + len(self.entries)
            entry = Entry(command._replace(time_ns=time_ns).pack(), extra)
            self.entries.append(entry)
            applied.append(self.venue.apply(entry))
        self.venue.end_group()
        return applied
