"""What a person sees who imports `margin_core` alone: every function says rule and errors."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import margin_core as mc

FOLDER = Path(mc.__file__).parent
RULE = re.compile(r"\b[A-Z]{2,6}-\d")


def documented() -> dict[str, str]:
    """Return the docstring of every function and class in the sources and stubs."""
    found: dict[str, str] = {}
    for path in [*FOLDER.glob("*.pyi"), *FOLDER.glob("*.py")]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.setdefault(node.name, ast.get_docstring(node) or "")
    return found


DOCUMENTED = documented()


@pytest.mark.parametrize("name", mc.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """NUM-4: of a function also its rule, and what it raises or whose errors it has."""
    text = DOCUMENTED[name]
    assert text.endswith(".") or "\n" in text
    if inspect.isclass(getattr(mc, name)):
        return
    assert RULE.search(text), name
    assert name == "is_allowed" or "rror" in text, name


def test_the_package_is_typed() -> None:
    """NUM-4: a checker reads stubs and sources of the package."""
    assert (FOLDER / "py.typed").is_file()
    compiled = {path.stem for path in FOLDER.glob("*.pyx")}
    assert compiled == {path.stem for path in FOLDER.glob("*.pyi")}


def test_the_five_lines_of_the_readme_are_typed() -> None:
    """NUM-4: `make check` holds `five_lines.py` to mypy --strict; it is what the page shows."""
    _, _, lines = (Path(__file__).parent / "five_lines.py").read_text().partition("\n\n")
    assert f"```python\n{lines}```" in (FOLDER / "README.md").read_text()
