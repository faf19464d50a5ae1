"""Finds the project's own files: what is written by hand, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CODE_FOLDERS: Final = ("margin_core", "matcher", "proto", "settlement", "tests")
FOREIGN: Final = frozenset({"node_modules", "__pycache__", "gen", "out", "cache", "build"})


def source_files(*suffixes: str, below: tuple[str, ...] = CODE_FOLDERS) -> Iterator[Path]:
    """Yield paths relative to the root of the hand-written files with one of the suffixes."""
    for folder in below:
        for path in sorted((ROOT / folder).rglob("*")):
            relative = path.relative_to(ROOT)
            hidden = any(part in FOREIGN or part.startswith(".") for part in relative.parts)
            if path.suffix in suffixes and path.is_file() and not hidden:
                yield relative


def text_of(relative: Path) -> str:
    """Return the text of a file of the project."""
    return (ROOT / relative).read_text(encoding="utf-8")
