"""Who may import whom: `import` and `cimport`, at any depth of any file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy.sources import ROOT, source_files, text_of

OWN = {"margin_core", "matcher", "settlement", "bulkhead", "bulkhead_signing", "tests", "deploy"}

# What pure code may use besides itself: no clock, I/O, randomness, float or logging.
PURE = {
    "__future__", "collections", "cython", "dataclasses", "enum", "fractions", "functools",
    "hashlib", "itertools", "math.ceil", "operator", "sortedcontainers", "struct", "typing",
    "typing_extensions",
}  # fmt: skip
PURE_C = ("libc.stdint", "libc.stdlib", "libc.string", "cpython.buffer", "cpython.bytes")

# What must not stand in pure code: floats, and imports or files behind the scan's back.
IMPURE = re.compile(
    r"\b(?:c?float|double|import_module|__import__|open|print|eval|exec)[ \t]*(?:\(|\b(?=[ \t]+\w))"
    r"|(?<![/*:'\"\w])\d+\.\d+\b"
)

# The models beside the kernel compute with floats; nothing that decides about money sees them.
MODELS = "margin_core.models"
ARRAYS = "margin_core.vector"  # the only place outside them that knows NumPy; nobody imports it
DECIDES = {"margin_core", "matcher.engine", "settlement", "settlement.batch", "bulkhead_signing"}

# The only places that see the wire's classes; everything else converts.
EDGES = ("matcher/rpc/", "matcher/client/", "settlement/wire.py", "settlement/rpc/", "tests/")

CIMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<source>[.\w]+)[ \t]+c?import[ \t(]"
    r"|c?import[ \t]+(?P<names>[\w., ]+))",
    re.MULTILINE,
)


def imports_of(relative: Path) -> Iterator[str]:
    """Yield the absolute dotted name of everything a file imports or cimports."""
    text = text_of(relative)
    if relative.suffix in {".py", ".pyi"}:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = absolute(relative, "." * node.level + (node.module or ""))
                yield from (f"{base}.{alias.name}" for alias in node.names)
        return
    for match in CIMPORT.finditer(text):
        if match["source"]:
            yield absolute(relative, match["source"])
        else:
            yield from (name.split()[0] for name in match["names"].split(",") if name.strip())


def absolute(relative: Path, name: str) -> str:
    """Return `name` without leading dots, as seen from the file."""
    level = len(name) - len(name.lstrip("."))
    if level == 0:
        return name
    package = relative.parent.parts[: len(relative.parent.parts) - (level - 1)]
    return ".".join([*package, *filter(None, [name.lstrip(".")])])


def layer_of(relative: Path) -> str:
    """Return the name of the layer that a file belongs to."""
    parts = relative.parts
    if parts[:2] == ("matcher", "engine"):
        return "matcher.engine"
    if parts[:2] == ("margin_core", "models"):
        return MODELS
    if parts[:2] == ("margin_core", "vector.py"):
        return ARRAYS
    if parts[:2] == ("proto", "bulkhead_signing"):
        return "bulkhead_signing"
    if parts[0] == "settlement" and len(parts) > 1 and parts[1] == "batch":
        return "settlement.batch"
    return parts[0]


def is_pure(name: str) -> bool:
    """Tell whether pure code may import the module, which is not ours."""
    return name in PURE or name.partition(".")[0] in PURE or name.startswith(PURE_C)


def may_import(layer: str, name: str) -> bool:
    """Tell whether a file of the layer may import the module."""
    top = name.partition(".")[0]
    if layer in DECIDES and f"{name}.".startswith((f"{MODELS}.", f"{ARRAYS}.")):
        return False
    match layer:
        case "margin_core.vector":
            return is_pure(name) or top in {"margin_core", "numpy"}
        case "margin_core.models":
            return top in PURE | {"libc", "margin_core", "math", "numpy", "scipy"}
        case "margin_core":
            return is_pure(name) or top == "margin_core"
        case "matcher.engine":
            return is_pure(name) or top == "margin_core" or name.startswith("matcher.engine")
        case "settlement.batch":
            pure = is_pure(name) or top in {"margin_core", "msgspec", "bulkhead_signing"}
            return pure or name.startswith("settlement.batch")
        case "bulkhead_signing":
            return top not in OWN - {"bulkhead_signing"}
        case "matcher":
            return top not in {"settlement", "tests", "deploy"}
        case "settlement":
            return top not in {"matcher", "tests", "deploy"}
    return True


PY = tuple(source_files(".py", ".pyx", ".pxd", ".pyi"))


def test_every_file_imports_only_what_its_layer_may() -> None:
    """`margin_core` knows nobody; `matcher` and `settlement` never import each other."""
    wrong = [
        f"{path} imports {name}"
        for path in PY
        for name in imports_of(path)
        if not may_import(layer_of(path), name)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("margin_core", {MODELS, "numpy", "scipy"}),
        ("matcher.engine.engine", {MODELS, "numpy", "scipy"}),
        ("matcher.engine.book", {MODELS, "numpy", "scipy"}),
        ("settlement.batch", {MODELS, "scipy"}),
    ],
)
def test_importing_what_decides_loads_no_model(module: str, absent: set[str]) -> None:
    """Not even indirectly: what a fresh interpreter has loaded afterwards."""
    code = f"import sys, {module}; print(*({absent!r} & sys.modules.keys()))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def code_of(relative: Path) -> str:
    """Return the text of a file without docstrings, strings of one line and comments."""
    text = re.sub(r'"""(?:.|\n)*?"""', "", text_of(relative))
    text = re.sub(r'f?"[^"\n]*"', "", text)
    return re.sub(r"#.*", "", text)


def test_pure_code_has_no_floats_files_or_hidden_imports() -> None:
    """`margin_core` without its models, `matcher.engine` and `settlement.batch`."""
    pure = {"margin_core", "matcher.engine", "settlement.batch"}
    wrong = [
        f"{path}: {match[0]}"
        for path in PY
        if layer_of(path) in pure
        for match in IMPURE.finditer(code_of(path))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "is_banned"),
    [
        ("cdef double half(double x):", True),
        ("ratio = float(x)", True),
        ("importlib.import_module(name)", True),
        ("with open(path) as file:", True),
        ("rate = 0.5", True),
        ("cdef bint ladder_open(LadderC* ladder):", False),
        ("state = STATE_OPEN", False),
        ("x = 1_000_000 // 2", False),
    ],
)
def test_the_ban_sees_what_it_bans(line: str, *, is_banned: bool) -> None:
    assert bool(IMPURE.search(line)) is is_banned


def test_generated_messages_are_seen_only_at_the_edges() -> None:
    wrong = [
        f"{path} imports {name}"
        for path in PY
        if not path.as_posix().startswith(EDGES)
        for name in imports_of(path)
        if "_pb2" in name or name.partition(".")[0] == "bulkhead"
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "line", "allowed"),
    [
        ("margin_core/a.pyx", "from matcher.engine.book cimport Book", False),
        ("margin_core/a.pyx", "cimport matcher.engine.book", False),
        ("margin_core/a.pyx", "from libc.stdint cimport int64_t", True),
        ("margin_core/a.pyx", "import time", False),
        ("margin_core/a.pyx", "from libc.time cimport time as now", False),
        ("margin_core/a.pyx", "from libc.stdio cimport printf", False),
        ("margin_core/a.pyx", "from libc.math cimport sqrt", False),
        ("settlement/batch/a.py", "from settlement.chain import deploy", False),
        ("settlement/batch/a.py", "from settlement.batch.items import FeedItem", True),
        ("matcher/engine/a.pyx", "from margin_core.types cimport Position", True),
        ("matcher/engine/a.pyx", "    from matcher.journal import writer", False),
        ("matcher/engine/a.pyx", "from .order_book cimport Book", True),
        ("matcher/engine/a.pyx", "from ..journal cimport writer", False),
        ("settlement/a.pyx", "from matcher.engine.engine cimport Engine", False),
        ("margin_core/a.pyx", "import numpy", False),
        ("margin_core/vector.py", "import numpy", True),
        ("margin_core/a.py", "from margin_core.vector import margins", False),
        ("margin_core/a.pyx", "from .models.profile import rates", False),
        ("margin_core/models/a.pyx", "from scipy.special cimport cython_special", True),
        ("margin_core/models/a.pyx", "from margin_core.limits import PPM", True),
        ("margin_core/models/a.pyx", "from matcher.engine.book cimport Book", False),
        ("matcher/engine/a.pyx", "from margin_core.models.black76 import price", False),
        ("settlement/a.pyx", "import margin_core.models", False),
    ],
)
def test_the_scan_sees_cimport(path: str, line: str, *, allowed: bool) -> None:
    """The scan itself: import-linter does not see `cimport`, ours must."""
    (match,) = CIMPORT.finditer(line)
    name = match["source"] or match["names"].split(",")[0].strip()
    assert may_import(layer_of(Path(path)), absolute(Path(path), name)) is allowed
