"""Logging of the matcher: structlog to standard error, quiet unless asked."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

import structlog

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
FORMATS: Final = ("text", "json")


def configure(*, level: str = "warning", log_format: str = "text") -> None:
    """Send log events of `level` and above to standard error; keep gRPC's own lines out of it.

    To be called before gRPC is imported, which reads its verbosity then.

    Args:
        level: A key of `LEVELS`.
        log_format: `text` for people, `json` for machines: one object a line.

    Raises:
        ValueError: An unknown level or format.
    """
    if level not in LEVELS or log_format not in FORMATS:
        raise ValueError(f"log level {level!r} or format {log_format!r} is not known")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
