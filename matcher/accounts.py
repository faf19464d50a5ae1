"""Who is who: addresses of the engine's account indices, and the signed orders that live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matcher.envelope import INSURANCE_ACCOUNT, INSURANCE_ADDRESS, PlaceExtra

if TYPE_CHECKING:
    from matcher.engine.commands import Command


class Accounts:
    """Address ↔ dense index. Index 0 is the insurance fund; an account's first deposit adds it."""

    def __init__(self) -> None:
        self._addresses = [INSURANCE_ADDRESS]
        self._indices = {INSURANCE_ADDRESS: INSURANCE_ACCOUNT}

    @property
    def account_count(self) -> int:
        """Registered accounts, the insurance fund not counted."""
        return len(self._addresses) - 1

    def find_index(self, address: bytes) -> int | None:
        """Return the index of a 20-byte address, or None when it has never deposited."""
        return self._indices.get(address)

    def get_address(self, index: int) -> bytes:
        """Return the 20-byte address of a registered index."""
        return self._addresses[index]

    def register(self, address: bytes, index: int) -> None:
        """Add an address under the index that the engine has given it."""
        assert index == len(self._addresses), (index, len(self._addresses))
        assert address not in self._indices
        self._addresses.append(address)
        self._indices[address] = index


@dataclass(slots=True)
class LiveOrder:
    """An order that the engine holds, as it was signed.

    Attributes:
        command: The PLACE command; its `time_ns` is the engine time of the placing.
        signed: Fields and signature that the engine does not keep.
        qty_lots: Lots in all, what is filled included: as accepted, or as amended since.
        remaining_lots: Lots that may still fill.
        price_ticks: Where it rests: as signed, unless it has slid (POST-1).
        is_triggered: It had a trigger, which has fired.
        feed_offset: Where the settlement log keeps it; None before its first item.
    """

    command: Command
    signed: PlaceExtra
    qty_lots: int
    remaining_lots: int
    price_ticks: int
    is_triggered: bool = False
    feed_offset: int | None = None


class LiveOrders:
    """The engine's open orders by id.

    The settlement log copies an order at its first item, so nothing here outlives the order.
    """

    def __init__(self) -> None:
        self._orders: dict[int, LiveOrder] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order_id: int, order: LiveOrder) -> None:
        """Keep an order that the engine has accepted under an id of its own."""
        assert order_id not in self._orders, order_id
        self._orders[order_id] = order

    def get(self, order_id: int) -> LiveOrder:
        """Return an order that must live."""
        return self._orders[order_id]

    def fill(self, order_id: int, qty_lots: int) -> None:
        """Take filled lots off an order, and forget it with its last."""
        order = self._orders[order_id]
        order.remaining_lots -= qty_lots
        assert order.remaining_lots >= 0, (order_id, order.remaining_lots)
        if order.remaining_lots == 0:
            del self._orders[order_id]

    def remove(self, order_id: int) -> LiveOrder:
        """Forget a canceled order and return it."""
        return self._orders.pop(order_id)
