"""The seed corpus: random genes and records from fixed seeds, so that no file needs to be kept."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final

from tests.fuzz.target import PRELUDE, RICH_BYTES, rich_commands_of

COUNT: Final = 64


def seeds() -> list[bytes]:
    """Return inputs of each mode, short and long."""
    rng = Random(1)
    found = [b"", bytes([0]) + PRELUDE, bytes([1]) + PRELUDE]
    for k in range(COUNT):
        genes = rng.randbytes(rng.choice((4, 16, 48, 96)) * RICH_BYTES)
        found.append(bytes([k % 8]) + genes)
        if k % 8 == 0:  # the decoder begins with what is well-formed
            found.append(b"\0" + b"".join(rich_commands_of(genes[: 24 * RICH_BYTES])))
    return found


def write(folder: Path) -> None:
    """Write the seeds into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number:03}").write_bytes(seed)
