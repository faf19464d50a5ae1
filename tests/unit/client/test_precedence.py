"""What the gateway refuses is told before all that the engine would, over gRPC."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from bulkhead.matcher.v1 import command_pb2
from bulkhead_signing import SigningKey
from matcher.client import AdminClient, Client, Market, MarketState, Order, RejectReason, Side
from matcher.client._convert import order_message
from tests.unit.client.matcher_process import (
    ADMIN_TOKEN,
    ALICE,
    DOMAIN,
    MatcherProcess,
    with_matcher,
)

STRANGER: Final = SigningKey(b"\x03" * 32)  # has not deposited
BAD_SIGNATURE: Final = b"\x01" * 64
USED_NONCE: Final = 77
NO_ORDER: Final = 2**60

# Each later reason of the engine alone, and beside what the gateway finds.
LATER: Final[list[tuple[str, dict[str, Any]]]] = [
    ("OK", {}),
    ("MARKET_UNKNOWN", {"market_id": 9}),
    ("EXPIRED", {"expiry_time_s": 1}),
    ("NONCE_USED", {"nonce": USED_NONCE}),
    ("QTY_OUT_OF_RANGE", {"qty_lots": 0}),
    ("PRICE_OUT_OF_RANGE", {"price_ticks": 0}),
    ("REDUCE_ONLY", {"is_reduce_only": 1, "margin_quote": 0}),
    ("INSUFFICIENT_MARGIN", {"margin_quote": 0}),
]
GATEWAY: Final = ["ACCOUNT_UNKNOWN", "SIGNATURE_INVALID", "FEE_ABOVE_LIMIT"]


class Sender:
    """Sends orders that a client would not build."""

    def __init__(self, client: Client, btc: Market, key: SigningKey) -> None:
        self.client = client
        self._btc = btc
        self._key = key

    def order(self, **changes: Any) -> Order:
        good = self.client.orders.limit(
            self._btc, Side.BUY, price_ticks=500_000, qty_lots=1, leverage=10
        )
        return good._replace(**changes)

    def message(self, order: Order, *, is_signed: bool = True) -> Any:
        signature = self._key.sign(DOMAIN.digest(order)) if is_signed else BAD_SIGNATURE
        return order_message(order, signature)

    def place(self, *, is_signed: bool = True, **changes: Any) -> command_pb2.Command:
        signed = self.message(self.order(**changes), is_signed=is_signed)
        return command_pb2.Command(place_order=command_pb2.PlaceOrder(order=signed))

    def replace(self, **changes: Any) -> command_pb2.Command:
        """Of an order that is not open."""
        replace = command_pb2.ReplaceOrder(
            cancel=command_pb2.CancelOrder(order_id=NO_ORDER),
            order=self.message(self.order(**changes)),
        )
        return command_pb2.Command(replace_order=replace)

    async def group(self, *commands: command_pb2.Command) -> list[str]:
        return await self.told(command_pb2.Command(group=command_pb2.Group(commands=commands)))

    async def told(self, *commands: command_pb2.Command) -> list[str]:
        """Return the reason of each result; of what the gateway refuses nothing is journalled."""
        results = await self.client.session.request(commands, 10)
        reasons = [getattr(result, "reason", None) for result in results]
        for result, reason in zip(results, reasons, strict=True):
            if reason is not None and reason.name != "GROUP_REJECTED":
                assert (result.account_seq == 0) == (reason.name in GATEWAY)
        return ["OK" if reason is None else reason.name for reason in reasons]


async def senders(target: str, btc: Market, stack: AsyncExitStack) -> list[Sender]:
    """Log in one who has money, whose nonce is used, and one who has not deposited."""
    found = []
    for key in (ALICE, STRANGER):
        client = await stack.enter_async_context(await Client.connect(target, DOMAIN, key))
        found.append(Sender(client, btc, key))
    assert await found[0].told(found[0].place(nonce=USED_NONCE)) == ["OK"]
    return found


@with_matcher
async def test_the_gateways_reasons_come_first(process: MatcherProcess, btc: Market) -> None:
    """ORD-1: one row a reason, each beside each later one; in a halted market, too."""
    async with (
        AsyncExitStack() as stack,
        await AdminClient.connect(process.target, ADMIN_TOKEN) as admin,
    ):
        alice, stranger = await senders(process.target, btc, stack)
        for state in (MarketState.OPEN, MarketState.HALTED):
            await admin.set_market_state(1, state)
            for later, wrong in LATER:
                is_listed = later != "MARKET_UNKNOWN"
                in_engine = "MARKET_STATE" if is_listed and state == MarketState.HALTED else later
                fee = "FEE_ABOVE_LIMIT" if is_listed else later
                dear = wrong | {"fee_ppm_max": 0}
                assert await alice.told(
                    alice.place(**wrong),
                    alice.place(**dear),
                    alice.place(**dear, is_signed=False),
                ) == [in_engine, fee, "SIGNATURE_INVALID"], (state, later)
                assert (
                    await stranger.told(
                        stranger.place(**dear, is_signed=False), stranger.place(**wrong)
                    )
                    == ["ACCOUNT_UNKNOWN"] * 2
                )
                for sender, expected in ((alice, fee), (stranger, "ACCOUNT_UNKNOWN")):
                    preview = await sender.client.preview(sender.order(**dear))
                    assert preview.reject_reason == RejectReason[expected]
        assert await alice.told(alice.replace(), alice.replace(fee_ppm_max=0)) == [
            "ORDER_UNKNOWN", "FEE_ABOVE_LIMIT",
        ]  # fmt: skip


@with_matcher
async def test_of_a_group_the_gateways_reasons_come_first(
    process: MatcherProcess, btc: Market
) -> None:
    """GRP-1: before what the engine finds with an earlier command; of two the first."""
    async with AsyncExitStack() as stack:
        alice, stranger = await senders(process.target, btc, stack)
        cancel = command_pb2.Command(cancel_order=command_pb2.CancelOrder(order_id=NO_ORDER))
        expired, dear = alice.place(expiry_time_s=1), alice.place(fee_ppm_max=0)
        unsigned = alice.place(is_signed=False)
        rest = "GROUP_REJECTED"
        for commands, told in [
            ((expired, alice.place()), ["EXPIRED", rest]),
            ((cancel, alice.place()), ["ORDER_UNKNOWN", rest]),
            ((expired, dear), [rest, "FEE_ABOVE_LIMIT"]),
            ((cancel, alice.place(), unsigned), [rest, rest, "SIGNATURE_INVALID"]),
            ((expired, dear, unsigned), [rest, "FEE_ABOVE_LIMIT", rest]),
            ((alice.replace(fee_ppm_max=0), unsigned), ["FEE_ABOVE_LIMIT", rest]),
        ]:
            assert await alice.group(*commands) == told
        assert await stranger.group(cancel, stranger.place(is_signed=False)) == [
            "ACCOUNT_UNKNOWN", rest,
        ]  # fmt: skip
        assert len(await alice.client.open_orders()) == 1


def test_the_document_has_the_same_row() -> None:
    """ORD-1: row 0 of ORDERS.md; the engine's rows are `tests/unit/engine/test_precedence.py`."""
    page = (Path(__file__).parents[3] / "matcher/ORDERS.md").read_text()
    row = page.partition("| | refused with |")[2].partition("\n| 0 |")[2].partition("\n")[0]
    assert re.findall(r"`([A-Z_]+)`", row) == GATEWAY
