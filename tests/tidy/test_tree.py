"""The folder picture: the top level is fixed, and every file says its job in its first sentence."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.tidy.sources import ROOT, source_files, text_of

TOP_FOLDERS = {"proto", "matcher", "settlement", "margin_core", "tests", "deploy"}
NOUNS_REFUSED = {"utils", "common", "helpers", "misc"}

# What may stand before the first sentence of a Solidity file.
SOLIDITY_HEAD = re.compile(r"^(//\s*SPDX[^\n]*|pragma [^;]+;|import [^;]+;|\s+)")


def tracked() -> list[Path]:
    """Return the files that git knows or would add, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git work tree: the list of files is not known")
    return [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def test_the_top_level_is_fixed() -> None:
    folders = {path.parts[0] for path in tracked() if len(path.parts) > 1}
    assert {name for name in folders if not name.startswith(".")} <= TOP_FOLDERS


def test_folders_are_named_after_the_domain() -> None:
    ours = [path for path in tracked() if path.parts[:2] != ("settlement", "contracts")]
    assert [path for path in ours if NOUNS_REFUSED & set(path.parts)] == []


def first_sentence(path: Path) -> str:
    """Return what a file says first, or nothing."""
    text = text_of(path)
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(text)) or ""
    if path.suffix == ".sol":
        while head := SOLIDITY_HEAD.match(text):
            text = text[head.end() :]
    text = re.sub(r"^(#\s*(cython|distutils):[^\n]*\n|\s)+", "", text)
    found = re.match(r'"""(.+?)"""|((?:(?:#|///?|\*|/\*\*)[^\n]*\n\s*)+)', text, re.DOTALL)
    return found.group(0).strip('"#/* \n') if found else ""


def says_something(path: Path) -> bool:
    """Tell whether a file opens with a sentence, or with a title where that is the custom."""
    said = first_sentence(path)
    return "@title" in said or "@notice" in said if path.suffix == ".sol" else "." in said


def test_every_file_opens_with_a_sentence() -> None:
    files = source_files(".py", ".pyx", ".pxd", ".pyi", ".sol", ".proto", ".toml")
    silent = [str(path) for path in files if text_of(path).strip() and not says_something(path)]
    assert silent == []
