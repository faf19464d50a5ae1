"""Opens channels to the matcher, and carries out unary calls under the client's errors."""

# ruff: noqa: ANN401  (the stubs of grpc have no types)
from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc

from matcher.client._errors import ConnectError, rpc_error

TIMEOUT_S: Final = 10.0
_MESSAGE_BYTES_MAX: Final = 64 << 20
# A peer that is silently gone is noticed within fifteen seconds.
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


async def open_channel(
    target: str,
    credentials: grpc.ChannelCredentials | None,
    timeout_s: float,
) -> grpc.aio.Channel:
    """Return a channel that is connected.

    Raises:
        ConnectError: Nobody answers at `target` in time.
    """
    if credentials is None:
        channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
    else:
        channel = grpc.aio.secure_channel(target, credentials, options=_OPTIONS)
    try:
        async with asyncio.timeout(timeout_s):
            await channel.channel_ready()
    except BaseException as error:
        await channel.close()
        if isinstance(error, TimeoutError):
            text = f"{target}: no matcher answers within {timeout_s:g} s: is `bulkhead serve` up?"
            raise ConnectError(text) from None
        raise
    return channel


async def unary(
    method: Any,
    request: Any,
    *,
    timeout_s: float,
    token: str | None = None,
) -> Any:
    """Return the response of a unary call. Raises `CallError`."""
    metadata = None if token is None else (("authorization", f"Bearer {token}"),)
    try:
        return await method(request, timeout=timeout_s, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        raise rpc_error(error) from error
