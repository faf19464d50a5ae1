"""Runs the matcher: journal, replay, sequencer, ticks and gRPC server; ends cleanly on signals."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from bulkhead_signing import Domain
from margin_core import MarketSpec, Tier
from matcher.engine.commands import Command, CommandKind, MarketState
from matcher.envelope import Capacities, Listing, ShellKind
from matcher.errors import ConfigError, OverloadedError, StoppedError
from matcher.journal import Entry, FileJournal
from matcher.replay import open_venue
from matcher.rpc.admin_service import list_market_command
from matcher.rpc.auth import SessionTokens
from matcher.rpc.gateway import Gateway
from matcher.rpc.server import Server
from matcher.sequencer import Sequencer

if TYPE_CHECKING:
    from collections.abc import Callable

    from matcher.config import MarketTable, MatcherConfig
    from matcher.venue import Venue

BOOK_INTERVAL_S: Final = 0.02
PR_SET_PDEATHSIG: Final = 1

_log = structlog.get_logger(__name__)


def end_with_parent() -> None:
    """Ask the kernel to send SIGTERM to this process when its parent ends (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def serve(config: MatcherConfig, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; then finish the queue, close the journal and return.

    Args:
        config: Valid configuration.
        on_ready: Called with `address:port` once calls are answered.

    Raises:
        ConfigError: The configuration contradicts the journal.
        ListenError: The port is in use.
        JournalError: The journal cannot be used, or a write has failed.
        Exception: A broken invariant; the process must end.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    listings = [_listing(market) for market in config.markets]
    domain = Domain(config.domain.chain_id, config.domain.contract_bytes)
    server = Server(config)
    port = server.bind()
    journal = FileJournal(
        Path(config.journal_dir),
        segment_bytes=config.journal_segment_bytes,
        genesis=domain.separator,
    )
    try:
        venue = await _open(config, journal)
        try:
            runner = _Runner(config, venue, journal, domain)
            host = config.listen.rpartition(":")[0]
            await runner.run(server, listings, stop, lambda: on_ready(f"{host}:{port}"))
        finally:
            venue.close()
    finally:
        await journal.close()


async def _open(config: MatcherConfig, journal: FileJournal) -> Venue:
    """Replay the journal; begin a new one with the engine's capacities."""
    table = config.engine
    capacities = Capacities(
        table.account_count_max, table.position_count_max, table.order_count_max
    )
    if journal.next_seq == 1:
        command = Command(kind=ShellKind.OPEN, time_ns=time.time_ns())
        await journal.append([Entry(command.pack(), capacities.pack())])
    started_ns = time.monotonic_ns()
    venue = open_venue(journal, capacities, config.limits, Path(config.journal_dir))
    venue.engine.check_invariants()
    _log.info(
        "journal replayed",
        command_seq=venue.cursor.command_seq,
        duration_ns=time.monotonic_ns() - started_ns,
        state_hash=venue.engine.state_hash().hex(),
    )
    return venue


class _Runner:
    """The tasks of a serving process, and the order in which they end."""

    def __init__(
        self, config: MatcherConfig, venue: Venue, journal: FileJournal, domain: Domain
    ) -> None:
        self._config = config
        self._venue = venue
        limits = config.limits
        self._sequencer = Sequencer(
            venue,
            journal,
            clock=time.time_ns,
            commands_waiting_max=limits.commands_waiting_max,
            commands_per_group_max=limits.commands_per_group_max,
        )
        self._gateway = Gateway(
            venue,
            self._sequencer,
            domain,
            limits,
            tokens=SessionTokens(config.session_token_ttl_ms),
            login_ttl_ms=config.login_ttl_ms,
            journal_bytes=lambda: journal.size_bytes,
        )

    async def run(
        self,
        server: Server,
        listings: list[Listing],
        stop: asyncio.Event,
        on_ready: Callable[[], None],
    ) -> None:
        """Serve until `stop` is set or the sequencer fails."""
        writer = asyncio.create_task(self._sequencer.run())
        helpers = [
            asyncio.create_task(self._tick()),
            asyncio.create_task(self._publish_books()),
        ]
        stopped = asyncio.create_task(stop.wait())
        try:
            await self._list_markets(listings)
            await server.start(self._gateway)
            on_ready()
            await asyncio.wait([writer, stopped, *helpers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            await server.stop(is_at_once=writer.done())
            await self._end(helpers)
            await self._gateway.drain()
            self._sequencer.close()
            await writer
        self._venue.engine.check_invariants()
        _log.info("stopped", command_seq=self._venue.cursor.command_seq)

    async def _end(self, helpers: list[asyncio.Task[None]]) -> None:
        """Cancel the helpers; one that has failed fails the process."""
        for task in helpers:
            task.cancel()
        for result in await asyncio.gather(*helpers, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, StoppedError):
                raise result

    async def _list_markets(self, listings: list[Listing]) -> None:
        """List what the configuration names and the journal does not know."""
        for listing in listings:
            market_id = listing.spec.market_id
            if market_id not in self._venue.listings:
                await self._sequencer.submit([list_market_command(listing)])
            known = self._venue.listings.get(market_id)
            if known is None:
                raise ConfigError(f"market {market_id}: the engine has no room for it")
            if listing not in (known, self._venue.first_listings[market_id]):
                raise ConfigError(
                    f"market {market_id} ({listing.symbol}): is listed with other parameters, "
                    "which only an announcement on chain changes; take those of its listing or "
                    "those that hold now, or begin a new journal_dir"
                )

    async def _tick(self) -> None:
        """Let engine time pass: a TICK every `tick_interval_ms`."""
        interval_s = self._config.tick_interval_ms / 1000
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        while True:
            next_s = max(next_s + interval_s, loop.time())
            await asyncio.sleep(next_s - loop.time())
            try:
                await self._sequencer.submit(
                    [(Command(kind=CommandKind.TICK), b""), *deliveries(self._venue)]
                )
            except OverloadedError:
                _log.warning("tick skipped: the queue is full")

    async def _publish_books(self) -> None:
        while True:
            await asyncio.sleep(BOOK_INTERVAL_S)
            self._venue.market_feed.publish_books()


def deliveries(venue: Venue) -> list[tuple[Command, bytes]]:
    """Return a SETTLE_MARKET for each market that has ended and holds positions (EXP-2)."""
    return [
        (Command(kind=CommandKind.SETTLE_MARKET, market_id=market_id), b"")
        for market_id in venue.listings
        if (market := venue.engine.market(market_id)).state == MarketState.SETTLED
        and market.open_interest_lots
    ]


def _listing(market: MarketTable) -> Listing:
    names = (
        "market_id",
        "quote_per_tick_lot",
        "price_ticks_max",
        "position_lots_max",
        "fee_maker_ppm",
        "fee_taker_ppm",
        "fee_liquidation_ppm",
        "liquidation_buffer_ppm",
        "mark_band_ppm",
        "funding_cap_ppm",
        "funding_interval_s",
        "index_age_max_ms",
        "kind",
        "expiry_time_s",
        "impact_notional_quote",
        "funding_period_s",
        "funding_interest_ppm",
        "funding_clamp_ppm",
        "grace_s",
        "order_band_ppm",
        "open_interest_lots_max",
    )
    tiers = tuple(
        Tier(
            notional_floor_quote=tier.notional_floor_quote,
            margin_initial_ppm=tier.margin_initial_ppm,
            margin_maintenance_ppm=tier.margin_maintenance_ppm,
        )
        for tier in market.tiers
    )
    try:
        spec = MarketSpec(**{name: getattr(market, name) for name in names}, tiers=tiers)
    except ValueError as exc:
        raise ConfigError(f"$.matcher.markets: {market.symbol}: {exc}") from exc
    return Listing(
        spec,
        market.symbol,
        market.price_tick_e9,
        market.qty_lot_e9,
        market.collateral_decimals,
    )
