"""The open orders of an account, kept from its events alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from matcher.client import _events as events
from matcher.client._types import OpenOrder

if TYPE_CHECKING:
    from collections.abc import Iterable


class OpenOrders:
    """What `Client.open_orders` would answer, without asking.

    Feed it every event from the account's first one on (`resume_after_account_seq=0`), or begin
    with the answer of `Client.open_orders` and the events after it:

        view = OpenOrders()
        async for event in client.events():
            view.apply(event)
            quotes = view.orders()
    """

    __slots__ = ("_orders",)

    def __init__(self, orders: Iterable[OpenOrder] = ()) -> None:
        """Begin with orders that are known."""
        self._orders = {order.order_id: order for order in orders}

    def orders(self) -> list[OpenOrder]:
        """Return the open orders, ascending by order_id."""
        return [self._orders[order_id] for order_id in sorted(self._orders)]

    def apply(self, event: events.AccountEvent) -> None:
        """Take in the account's next event; kinds that concern no order are passed over."""
        match event:
            case events.OrderAccepted():
                self._orders[event.order_id] = _accepted(event)
            case events.OrderTriggered():
                self._change(event.order_id, trigger=None)
            case events.OrderRepriced():
                self._change(event.order_id, price_ticks=event.price_ticks)
            case events.OrderAmended():
                self._change(
                    event.order_id, qty_lots=event.qty_lots, remaining_lots=event.remaining_lots
                )
            case events.OrderFilled():
                self._change(event.order_id, remaining_lots=event.remaining_lots)
                if event.remaining_lots == 0:
                    self._orders.pop(event.order_id, None)
            case events.OrderCanceled():
                self._orders.pop(event.order_id, None)
            case _:
                pass

    def _change(self, order_id: int, **fields: int | None) -> None:
        if (order := self._orders.get(order_id)) is not None:
            self._orders[order_id] = msgspec.structs.replace(order, **fields)


def _accepted(event: events.OrderAccepted) -> OpenOrder:
    return OpenOrder(
        order_id=event.order_id,
        nonce=event.nonce,
        market_id=event.market_id,
        side=event.side,
        time_in_force=event.time_in_force,
        is_post_only=event.is_post_only,
        is_reduce_only=event.is_reduce_only,
        price_ticks=event.price_ticks,
        qty_lots=event.qty_lots,
        remaining_lots=event.qty_lots,
        margin_quote=event.margin_quote,
        trigger=event.trigger,
        expiry_time_s=event.expiry_time_s,
        instructions=event.instructions,
    )
