"""Logging of settlement: structlog to standard error, quiet unless asked."""

from __future__ import annotations

import logging
import os
import sys

import structlog


def configure(*, level: str, log_format: str) -> None:
    """Send log events of `level` and above to standard error, as `text` or `json`.

    To be called before grpc is imported: its core writes lines of its own otherwise.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
