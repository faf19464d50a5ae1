"""Where the real order flows are, and how they are read."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import zstandard

ROOT: Final = Path(__file__).resolve().parents[2]


class NoDataError(Exception):
    """The data folder, or the kind of file in it, is not there."""


def data_dir() -> Path:
    """Return the folder of market data: `BULKHEAD_DATA`, else `../shared/data`."""
    path = Path(os.environ.get("BULKHEAD_DATA", ROOT / "../shared/data"))
    if not path.is_dir():
        raise NoDataError(f"no market data in {path}: set BULKHEAD_DATA")
    return path


def matching(pattern: str) -> list[Path]:
    """Return the files of `l3/` that match, in order. Raises `NoDataError` when there is none."""
    paths = sorted((data_dir() / "l3").glob(pattern))
    if not paths:
        raise NoDataError(f"no {pattern} in {data_dir() / 'l3'}")
    return paths


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a zstandard file without their ends."""
    with path.open("rb") as file:
        text = io.TextIOWrapper(
            zstandard.ZstdDecompressor().stream_reader(file), encoding="ascii", newline="\n"
        )
        for line in text:
            yield line.rstrip("\r\n")


def show_each(pattern: str, told: Callable[[Path], str]) -> int:
    """Print what is told of every file that matches; return 1 when there is none."""
    try:
        paths = matching(pattern)
    except NoDataError as exc:
        print(f"replay: {exc}", file=sys.stderr)
        return 1
    for path in paths:
        print(told(path))
    return 0
