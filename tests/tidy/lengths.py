"""Reports functions over 70 lines and files over 600: places to look, not failures."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.sources import source_files, text_of

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
CYTHON_FUNCTION = re.compile(r"^( *)(?:cdef|cpdef|def|async def) [^=\n]*\(")
SOLIDITY_FUNCTION = re.compile(r"^( *)(?:function \w+|constructor|modifier \w+)\b")


def functions(path: Path) -> Iterator[tuple[int, int]]:
    """Yield (first line, lines) of every function of a file."""
    text = text_of(path)
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1
        return
    pattern = SOLIDITY_FUNCTION if path.suffix == ".sol" else CYTHON_FUNCTION
    lines = text.splitlines()
    for start, line in enumerate(lines):
        if match := pattern.match(line):
            indent = len(match[1])
            yield start + 1, end_of(lines, start, indent) - start


def end_of(lines: list[str], start: int, indent: int) -> int:
    """Return the line after the body that is indented deeper than `indent`."""
    last = start
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if not line.strip():
            continue
        if len(line) - len(line.lstrip()) <= indent and line.lstrip()[0] not in ")}":
            break
        last = number
    return last + 1


def report() -> list[str]:
    """Return one line for each file and function that is longer than agreed."""
    found = []
    for path in source_files(".py", ".pyx", ".sol"):
        lines = text_of(path).count("\n")
        if lines > FILE_LINES_MAX:
            found.append(f"{path}: {lines} lines")
        found += [
            f"{path}:{start}: a function of {count} lines"
            for start, count in functions(path)
            if count > FUNCTION_LINES_MAX
        ]
    return found


if __name__ == "__main__":
    print("\n".join(report()) or "no function over 70 lines, no file over 600")
