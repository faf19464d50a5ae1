"""Checks what the command line names before anything starts: one line for each mistake."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Final

import settlement.config
import settlement.errors
from matcher import config as matcher_config
from matcher.errors import ConfigError
from tests.demo.stage import FUND_DEPOSITS_USD

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from tests.demo.path import Point

POINTS_MIN: Final = 24  # fewer leave no room for what the traders plan


class InputError(Exception):
    """An argument cannot be used. Its text is one line that says why."""


def check(arguments: argparse.Namespace, path: list[Point]) -> None:
    """Raise `InputError` for what would fail later; make the folders that are written to."""
    every_max = len(path) // POINTS_MIN
    if not 1 <= arguments.every <= every_max:
        raise InputError(f"--every {arguments.every}: expected 1 to {every_max}")
    if not 0 < arguments.seconds < float("inf"):
        raise InputError(f"--seconds {arguments.seconds:g}: expected more than 0")
    _check_config(arguments.config, set(path[0].quotes))
    if arguments.output.is_dir():
        raise InputError(f"--output {arguments.output}: is a folder, expected a file's name")
    _prepare("--output", arguments.output, arguments.output.parent)
    if arguments.keep is not None:
        _prepare("--keep", arguments.keep, arguments.keep)
        if (arguments.keep / "journal").exists():
            raise InputError(f"--keep {arguments.keep}: holds an earlier run; name an empty folder")


def _check_config(path: Path, symbols: set[str]) -> None:
    """Read the configuration as the processes will."""
    try:
        markets = matcher_config.load(path).markets
        settlement.config.load(path)
    except (ConfigError, settlement.errors.ConfigError) as error:
        raise InputError(f"--config {error}") from error
    priced = [market.symbol.partition("-")[0] + "USDT" for market in markets]
    if len(set(priced)) != len(FUND_DEPOSITS_USD) or not symbols.issuperset(priced):
        raise InputError(
            f"--config {path}: expected one market for each of {', '.join(sorted(symbols))}, "
            f"found {', '.join(market.symbol for market in markets) or 'none'}"
        )


def _prepare(option: str, named: Path, folder: Path) -> None:
    """Make a folder, and see that something can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{option} {named}: cannot be written: {error.strerror}") from error
