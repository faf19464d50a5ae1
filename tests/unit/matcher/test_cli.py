"""The command line: help texts are shown as they are written."""

from __future__ import annotations

from typer.testing import CliRunner

from matcher.cli import app


def test_a_help_text_keeps_its_brackets() -> None:
    result = CliRunner().invoke(app, ["serve", "--help"])
    assert "a [matcher] table" in " ".join(result.output.split())
