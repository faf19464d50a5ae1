"""Errors of settlement's shell: operating errors whose text is one line that says what to do."""

from __future__ import annotations


class SettlementError(Exception):
    """An operating error: the command ends with status 1 and this one line."""


class ConfigError(SettlementError):
    """The configuration cannot be used: the command ends with status 2."""


class ChainUnreachableError(SettlementError):
    """The JSON-RPC node does not answer, or is not the chain that was asked for."""


class ArtifactError(SettlementError):
    """A committed contract artifact is missing or damaged."""


class FeedUnreachableError(SettlementError):
    """The gRPC service on the other side does not answer."""


class UnfundedError(SettlementError):
    """The relayer's address cannot pay for the next transaction."""


class StateMismatchError(SettlementError):
    """The outbox, the feed or the chain contradict each other; nothing may be signed."""


class SequenceGapError(SettlementError):
    """The matcher refuses a report: it does not know the events before it."""
