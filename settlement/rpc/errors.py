"""gRPC statuses: ours with a stable reason, theirs as settlement's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from bulkhead.types.v1 import error_reason_pb2
from settlement.errors import (
    FeedUnreachableError,
    SequenceGapError,
    SettlementError,
    StateMismatchError,
)

if TYPE_CHECKING:
    from grpc.aio import AioRpcError, ServicerContext

DOMAIN: Final = "settlement.bulkhead"

# Reason → status code. What is not here is never sent by settlement.
CODES: Final = {
    error_reason_pb2.ERROR_REASON_FIELD_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    error_reason_pb2.ERROR_REASON_NOT_KNOWN: grpc.StatusCode.NOT_FOUND,
    error_reason_pb2.ERROR_REASON_SEQ_OUT_OF_RANGE: grpc.StatusCode.OUT_OF_RANGE,
}

# Codes after which calling again can help.
TRANSIENT: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
    }
)


async def abort(
    context: ServicerContext,
    reason: error_reason_pb2.ErrorReason,
    text: str,
    metadata: dict[str, str],
) -> NoReturn:
    """End a call with a reason and the facts behind it; keys carry units."""
    info = error_details_pb2.ErrorInfo(
        reason=error_reason_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_"),
        domain=DOMAIN,
        metadata=metadata,
    )
    detail = any_pb2.Any()
    detail.Pack(info)
    status = status_pb2.Status(code=CODES[reason].value[0], message=text, details=[detail])
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status raises")


def error_from_status(exc: AioRpcError, *, who: str, target: str) -> SettlementError:
    """Return settlement's error for a failed call to `who` at `target`."""
    code, words = exc.code(), exc.details() or exc.code().name
    match code:
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return SettlementError(
                f"{who} at {target} refuses the token ({words}); correct matcher_token"
            )
        case grpc.StatusCode.OUT_OF_RANGE:
            return StateMismatchError(
                f"{who} at {target}: {words}; it is behind what is known here: outbox, chain and "
                "journal must be of the same deployment"
            )
        case grpc.StatusCode.FAILED_PRECONDITION:
            return SequenceGapError(f"{who} at {target}: {words}")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return FeedUnreachableError(f"{who} at {target} has no room: {words}")
        case grpc.StatusCode.INTERNAL | grpc.StatusCode.UNKNOWN:
            return FeedUnreachableError(f"{who} at {target} has failed: {words}; see its log")
        case _ if code in TRANSIENT:
            return FeedUnreachableError(f"no {who} answers at {target} ({words}); start it")
        case _:
            return SettlementError(f"{who} at {target}: {code.name}: {words}")
