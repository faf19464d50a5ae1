"""Extensions in the folder BULKHEAD_LIBRARY, built elsewhere, go before those in place."""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

KERNELS = ("margin_core.", "matcher.engine.")


class Library:
    """Finds our extensions in a folder that has the packages' folders in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        """Return where an extension of ours is, None for everything else."""
        if not name.startswith(KERNELS):
            return None
        where = self.folder.joinpath(*name.split(".")[:-1])
        return FileFinder(str(where), (ExtensionFileLoader, EXTENSION_SUFFIXES)).find_spec(name)


def use() -> None:
    """Let imports find the extensions of BULKHEAD_LIBRARY first; without it do nothing.

    To be called before any of our packages is imported.
    """
    if library := os.environ.get("BULKHEAD_LIBRARY"):
        sys.meta_path.insert(0, Library(Path(library).resolve()))
