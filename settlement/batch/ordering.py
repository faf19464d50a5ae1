"""The tables of a payload in order (BATCH-2): whoever builds one adds rows as items need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.batch.payload import Item, Payload

POSITION_FIELDS: Final = ("position", "fund_position", "counterparty")


def in_order(payload: Payload) -> Payload:
    """Return the same batch with accounts by address and positions by (account, market).

    What refers to a row is renumbered; a number outside of its table stays, and so do rows that
    stand twice: the contract refuses them.
    """
    accounts = _ranks([row.address for row in payload.accounts])
    moved = [replace(row, account=_new(accounts, row.account)) for row in payload.positions]
    positions = _ranks([(row.account, row.market) for row in moved])
    return replace(
        payload,
        accounts=tuple(sorted(payload.accounts, key=lambda row: row.address)),
        positions=tuple(sorted(moved, key=lambda row: (row.account, row.market))),
        roots=tuple(replace(row, account=_new(accounts, row.account)) for row in payload.roots),
        orders=tuple(
            replace(row, position=_new(positions, row.position)) for row in payload.orders
        ),
        items=tuple(_renumbered(item, accounts, positions) for item in payload.items),
    )


def _renumbered(item: Item, accounts: list[int], positions: list[int]) -> Item:
    changes = {
        name: _new(positions, getattr(item, name))
        for name in POSITION_FIELDS
        if hasattr(item, name)
    }
    if hasattr(item, "account"):
        changes["account"] = _new(accounts, item.account)
    return replace(item, **changes) if changes else item


def _new(ranks: list[int], index: int) -> int:
    return ranks[index] if index < len(ranks) else index


def _ranks(keys: Sequence[bytes] | Sequence[tuple[int, int]]) -> list[int]:
    """Return where each key goes; equal ones keep their order."""
    ranks = [0] * len(keys)
    for rank, index in enumerate(sorted(range(len(keys)), key=keys.__getitem__)):
        ranks[index] = rank
    return ranks
