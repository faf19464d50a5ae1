"""Waits until everything that was decided has reached the chain, and the matcher knows it."""

from __future__ import annotations

import asyncio
from typing import Final

import grpc

from bulkhead.matcher.v1 import settlement_feed_service_pb2 as feed_pb2
from bulkhead.matcher.v1 import settlement_feed_service_pb2_grpc as feed_grpc

SETTLE_TIMEOUT_S: Final = 90
POLL_S: Final = 0.2
EMPTY: Final = {"price", "tick"}  # items that move nothing and need not be settled


class NotSettledError(Exception):
    """Items are still on their way after the longest time that they may take."""


async def wait_until_settled(target: str, attestor_token: str) -> None:
    """Return once a receipt covers every item of substance that there is now.

    Raises:
        NotSettledError: It took longer than `SETTLE_TIMEOUT_S`.
    """
    async with grpc.aio.insecure_channel(target) as channel:
        stub = feed_grpc.SettlementFeedServiceStub(channel)
        metadata = (("authorization", f"Bearer {attestor_token}"),)

        async def cursor() -> feed_pb2.GetCursorResponse:
            request = feed_pb2.GetCursorRequest()
            response: feed_pb2.GetCursorResponse = await stub.GetCursor(request, metadata=metadata)
            return response

        async def is_settled(settled_seq: int, until_seq: int) -> bool:
            if settled_seq >= until_seq:
                return True
            request = feed_pb2.StreamItemsRequest(from_item_seq=settled_seq + 1)
            call = stub.StreamItems(request, metadata=metadata)
            try:
                async for response in call:
                    for item in response.items:
                        if item.item_seq > until_seq:
                            return True
                        if item.WhichOneof("item") not in EMPTY:
                            return False
            finally:
                call.cancel()
            return False

        until_seq = (await cursor()).item_seq
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                while not await is_settled((await cursor()).settled_item_seq, until_seq):  # noqa: ASYNC110 - another process's event
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            settled_seq = (await cursor()).settled_item_seq
            raise NotSettledError(
                f"receipts cover items up to {settled_seq} of {until_seq} after "
                f"{SETTLE_TIMEOUT_S} s; the logs of attest and relay say why (--keep)"
            ) from None
