"""The errors of the client, and the one table that maps failed calls to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
from google.rpc import error_details_pb2, status_pb2

from matcher.errors import BulkheadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matcher.engine.reject_reason import RejectReason


class CallError(BulkheadError):
    """A call has failed. Its kind says what to do.

    Attributes:
        reason: Name of a value of `bulkhead.types.v1.ErrorReason` without prefix, or "".
        facts: What the server says about it; keys end in units.
    """

    def __init__(self, text: str, reason: str = "", facts: Mapping[str, str] | None = None) -> None:
        """Keep the reason and the facts beside the text."""
        super().__init__(text)
        self.reason = reason
        self.facts = dict(facts or {})


class ConnectError(CallError):
    """The matcher cannot be reached, or the line broke: what was under way is unknown."""


class DeadlineError(CallError):
    """No answer came in time. Whether the call was carried out is unknown."""


class AuthenticationError(CallError):
    """Login or token is not accepted, or speaks for another account."""


class InvalidRequestError(CallError):
    """The request can never succeed as it is: a field is wrong, or the order of calls."""


class NotKnownError(CallError):
    """What was asked for does not exist."""


class LimitError(CallError):
    """Too much at once, or read too slowly. Slow down, and resume."""


class ProtocolError(CallError):
    """One side breaks the protocol: a gap in a sequence, or an answer that makes no sense."""


class PrecisionError(BulkheadError, ValueError):
    """A decimal is not a whole number of ticks, lots or quote units."""


class RejectedError(BulkheadError):
    """The engine has refused a command.

    Attributes:
        reject_reason: The first reason that applies; a plain int when it is not known here.
    """

    def __init__(self, what: str, reject_reason: RejectReason | int) -> None:
        """Name what was refused, and why."""
        name = getattr(reject_reason, "name", str(reject_reason))
        super().__init__(f"{what} was rejected: {name}")
        self.reject_reason = reject_reason


# Every status code that a server or the transport can answer with.
ERROR_OF_CODE: Final[dict[grpc.StatusCode, type[CallError]]] = {
    grpc.StatusCode.CANCELLED: ConnectError,
    grpc.StatusCode.UNKNOWN: ProtocolError,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.NOT_FOUND: NotKnownError,
    grpc.StatusCode.ALREADY_EXISTS: InvalidRequestError,
    grpc.StatusCode.PERMISSION_DENIED: AuthenticationError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitError,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequestError,
    grpc.StatusCode.ABORTED: ConnectError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequestError,
    grpc.StatusCode.UNIMPLEMENTED: ProtocolError,
    grpc.StatusCode.INTERNAL: ProtocolError,
    grpc.StatusCode.UNAVAILABLE: ConnectError,
    grpc.StatusCode.DATA_LOSS: ProtocolError,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
}
_DETAILS_KEY: Final = "grpc-status-details-bin"
# grpc.aio puts this in the place of a call's status when a write was under way as the call ended.
_BROKEN_UNDER_A_WRITE: Final = "Internal error from Core"


def call_error(
    code: grpc.StatusCode, details: str | None, trailers: Iterable[tuple[str, str | bytes]] | None
) -> CallError:
    """Return the error of a failed call, with the reason and facts of its `ErrorInfo`."""
    info = _error_info(trailers)
    text = details or code.name.lower().replace("_", " ")
    return ERROR_OF_CODE[code](text, info.reason, info.metadata)


def rpc_error(error: grpc.aio.AioRpcError) -> CallError:
    """Return the error of a failed call of grpc.aio."""
    code, details = error.code(), error.details()
    if code is grpc.StatusCode.INTERNAL and details == _BROKEN_UNDER_A_WRITE:
        return ConnectError("the line to the matcher broke under a request")
    return call_error(code, details, error.trailing_metadata())


def _error_info(
    trailers: Iterable[tuple[str, str | bytes]] | None,
) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    for key, value in trailers or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    return info
    return info
