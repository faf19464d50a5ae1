"""Failed calls: one total table from reason to status code and retry, one ErrorInfo each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from matcher.errors import BulkheadError, OverloadedError, StoppedError
from matcher.feed.accounts import SeqOutOfRangeError
from matcher.feed.subscription import SlowConsumerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

DOMAIN: Final = "matcher.bulkhead"
PREFIX: Final = "ERROR_REASON_"


class Row(NamedTuple):
    """The gRPC status code of a reason, and whether the same call may succeed later."""

    code: int
    is_retryable: bool


TABLE: Final[Mapping[int, Row]] = {
    ErrorReason.ERROR_REASON_FIELD_INVALID: Row(code_pb2.INVALID_ARGUMENT, is_retryable=False),
    ErrorReason.ERROR_REASON_TOKEN_INVALID: Row(code_pb2.UNAUTHENTICATED, is_retryable=False),
    ErrorReason.ERROR_REASON_LOGIN_INVALID: Row(code_pb2.UNAUTHENTICATED, is_retryable=False),
    ErrorReason.ERROR_REASON_ACCOUNT_MISMATCH: Row(code_pb2.PERMISSION_DENIED, is_retryable=False),
    ErrorReason.ERROR_REASON_LOGIN_ORDER: Row(code_pb2.FAILED_PRECONDITION, is_retryable=False),
    ErrorReason.ERROR_REASON_NOT_KNOWN: Row(code_pb2.NOT_FOUND, is_retryable=False),
    ErrorReason.ERROR_REASON_ALREADY_LISTED: Row(code_pb2.ALREADY_EXISTS, is_retryable=False),
    ErrorReason.ERROR_REASON_SEQ_OUT_OF_RANGE: Row(code_pb2.OUT_OF_RANGE, is_retryable=False),
    ErrorReason.ERROR_REASON_SEQ_GAP: Row(code_pb2.FAILED_PRECONDITION, is_retryable=False),
    ErrorReason.ERROR_REASON_SLOW_CONSUMER: Row(code_pb2.RESOURCE_EXHAUSTED, is_retryable=True),
    ErrorReason.ERROR_REASON_LIMIT_REACHED: Row(code_pb2.RESOURCE_EXHAUSTED, is_retryable=True),
    ErrorReason.ERROR_REASON_NOT_READY: Row(code_pb2.UNAVAILABLE, is_retryable=True),
}


class CallError(BulkheadError):
    """A call fails with a reason.

    Attributes:
        reason: An `ErrorReason`.
        metadata: Facts for the `ErrorInfo`, units in the keys.
        field: Path of the wrong field, or empty.
    """

    def __init__(
        self,
        reason: int,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        field: str = "",
    ) -> None:
        """Say what was expected and what was found."""
        super().__init__(message)
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.field = field


def field_error(field: str, expected: str, found: object) -> CallError:
    """Return the error of a field that is missing, has a wrong length or is out of its range."""
    message = f"{field}: expected {expected}, found {found}"
    reason = ErrorReason.ERROR_REASON_FIELD_INVALID
    return CallError(reason, message, {"field": field}, field=field)


def not_known(what: str) -> CallError:
    """Return the error of something that does not exist."""
    return CallError(ErrorReason.ERROR_REASON_NOT_KNOWN, f"{what} is not known")


def call_error_from(exc: BulkheadError) -> CallError:
    """Return the call's error for an operating error of the shell."""
    match exc:
        case CallError():
            return exc
        case OverloadedError():
            return CallError(ErrorReason.ERROR_REASON_LIMIT_REACHED, str(exc))
        case SlowConsumerError():
            return CallError(ErrorReason.ERROR_REASON_SLOW_CONSUMER, str(exc))
        case SeqOutOfRangeError():
            facts = {"first_seq": str(exc.first_seq), "last_seq": str(exc.last_seq)}
            return CallError(ErrorReason.ERROR_REASON_SEQ_OUT_OF_RANGE, str(exc), facts)
        case StoppedError() | _:
            return CallError(ErrorReason.ERROR_REASON_NOT_READY, str(exc))


def status_of(error: CallError) -> grpc.Status:
    """Return the rich gRPC status: one ErrorInfo, and BadRequest where a field is wrong."""
    row = TABLE[error.reason]
    info = error_details_pb2.ErrorInfo(
        reason=ErrorReason.Name(error.reason).removeprefix(PREFIX),
        domain=DOMAIN,
        metadata={**error.metadata, "is_retryable": str(row.is_retryable).lower()},
    )
    details = [info]
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=str(error)
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    packed = []
    for detail in details:
        any_detail = any_pb2.Any()
        any_detail.Pack(detail)
        packed.append(any_detail)
    return rpc_status.to_status(
        status_pb2.Status(code=row.code, message=str(error), details=packed)
    )
