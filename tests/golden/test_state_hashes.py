"""The state after every story, hashed: the same on any machine and in any build of the engine.

Debug, release and sanitized builds read the same file (`BULKHEAD_LIBRARY` picks one). The hash is
over the engine's structs: the file says for which layout it was written, and another layout fails
until `BULKHEAD_UPDATE=1` writes it anew.
"""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path
from typing import Final

from tests.golden.test_scenarios import STORIES, Story, retold

ROOT: Final = Path(__file__).resolve().parents[2]
HASHES: Final = Path(__file__).with_name("state_hashes.txt")
STRUCTS: Final = ("margin_core/types.pxd", "matcher/engine/types.pxd")
DIGEST: Final = re.compile(r"    def state_hash\(self\):.*?return digest", re.DOTALL)


def layout() -> str:
    """Return a checksum of what declares the state and of what is hashed of it."""
    texts = [(ROOT / name).read_text() for name in STRUCTS]
    texts += DIGEST.findall((ROOT / "matcher/engine/engine.pyx").read_text())
    assert len(texts) == len(STRUCTS) + 1
    return f"{zlib.crc32(''.join(texts).encode()):08x}"


def hash_after(path: Path) -> str:
    """Return the state hash after a story, in hexadecimal."""
    story = Story()
    retold(path.read_text().splitlines(), story)
    return story.v.engine.state_hash().hex()


def test_the_state_after_each_story_is_the_committed_one() -> None:
    """CONS-1, MATCH-1, LIQ-3: one state, whatever built the engine."""
    found = f"{layout()} layout\n"
    found += "".join(f"{hash_after(path)} {path.stem}\n" for path in STORIES)
    if os.environ.get("BULKHEAD_UPDATE") == "1":
        HASHES.write_text(found)
    committed = HASHES.read_text()
    assert committed.partition(" ")[0] == layout(), (
        "the layout has changed: BULKHEAD_UPDATE=1 python -m pytest tests/golden"
    )
    assert found == committed


def test_a_story_ends_in_one_state_however_often_it_is_told() -> None:
    """MATCH-1: same commands, same state."""
    assert [hash_after(path) for path in STORIES] == [hash_after(path) for path in STORIES]
