"""Writes the venue's state as JSON, in the form that `bulkhead reconcile` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from matcher.envelope import INSURANCE_ADDRESS
from matcher.errors import BulkheadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matcher.engine.views import Position
    from matcher.venue import Venue


class PositionState(msgspec.Struct, frozen=True, kw_only=True):
    """An isolated position. The insurance fund's has the account 0x…01."""

    account: str
    market_id: int
    position_lots: int
    entry_value_quote: int
    collateral_quote: int
    funding_index_e6: int


class MarketState(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept per market."""

    market_id: int
    funding_index_e6: int
    funding_pool_quote: int


class VenueState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the chain keeps too, and the point of history that it is of.

    The form is described in settlement/README.md. Accounts for which the engine has no place are
    there with what they have on chain.
    """

    command_seq: int
    batch_seq: int
    free_quote: dict[str, int]
    positions: list[PositionState]
    markets: list[MarketState]
    fees_quote: int
    deposits_quote: int
    withdrawals_quote: int
    custody_quote: int


def state_of(venue: Venue) -> VenueState:
    """Return the state of a venue. O(accounts · markets)."""
    engine = venue.engine
    deposits_quote, withdrawals_quote = engine.deposits_quote(), engine.withdrawals_quote()
    markets = [engine.market(market_id) for market_id in engine.market_ids()]
    parked = {_text(address): quote for address, quote in venue.parked.items()}
    return VenueState(
        command_seq=venue.cursor.command_seq,
        batch_seq=venue.receipts.batch_seq,
        free_quote={
            _text(venue.accounts.get_address(index)): engine.free_quote(index)
            for index in range(1, venue.accounts.account_count + 1)
        }
        | parked,
        positions=list(_positions(venue)),
        markets=[
            MarketState(
                market_id=market.market_id,
                funding_index_e6=market.funding_index_e6,
                funding_pool_quote=market.funding_pool_quote,
            )
            for market in markets
        ],
        fees_quote=engine.fees_quote(),
        deposits_quote=deposits_quote,
        withdrawals_quote=withdrawals_quote,
        custody_quote=deposits_quote - withdrawals_quote + sum(parked.values()),
    )


def write_state(path: Path, venue: Venue) -> None:
    """Write the state of a venue at once or not at all. Raises `BulkheadError`."""
    partial = path.with_name(path.name + ".partial")
    content = msgspec.json.format(msgspec.json.encode(state_of(venue)), indent=2)
    try:
        partial.write_bytes(content + b"\n")
        partial.replace(path)
    except OSError as exc:
        raise BulkheadError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def _positions(venue: Venue) -> Iterator[PositionState]:
    engine, accounts = venue.engine, venue.accounts
    for market_id in engine.market_ids():
        yield _position(INSURANCE_ADDRESS, market_id, engine.fund(market_id))
        for index in range(1, accounts.account_count + 1):
            position = engine.position(index, market_id)
            if position is not None:
                yield _position(accounts.get_address(index), market_id, position)


def _position(address: bytes, market_id: int, position: Position) -> PositionState:
    return PositionState(
        account=_text(address),
        market_id=market_id,
        position_lots=position.position_lots,
        entry_value_quote=position.entry_value_quote,
        collateral_quote=position.collateral_quote,
        funding_index_e6=position.funding_index_e6,
    )


def _text(address: bytes) -> str:
    return "0x" + address.hex()
