"""The commands: an operating error is one line and a status, never a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from settlement.cli import app

DEV = Path(__file__).resolve().parents[3] / "deploy/config/dev.toml"
NOBODY = "http://127.0.0.1:1"
ADDRESSES = """{"chain_id": 31337, "settlement": "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512",
"vault": "0xCafac3dD18aC6c6e92c921884f9E4176737C052c",
"token": "0x5FbDB2315678afecb367f032d93F642f64180aa3", "deploy_block": 1}"""


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """Take back the logging to a stream that the runner closes."""
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["chain", "--backend", "hardhat"], 2, r"chain.backend: invalid enum value 'hardhat'"),
        (["relay", "--rpc-url", NOBODY], 1, "no JSON-RPC node answers at http://127.0.0.1:1"),
        (["attest", "--rpc-url", NOBODY], 1, "no JSON-RPC node answers at http://127.0.0.1:1"),
        (["relay", "--addresses", "/nowhere"], 2, "/nowhere: cannot be read.*bulkhead chain"),
        (["relay", "--key", "file:/nowhere"], 2, "key file /nowhere: cannot be read"),
        (["reconcile", "/nowhere.json"], 2, "/nowhere.json: cannot be read"),
    ],
)
def test_an_operating_error_is_one_line(
    tmp_path: Path, arguments: list[str], status: int, words: str
) -> None:
    addresses = tmp_path / "addresses.json"
    addresses.write_text(ADDRESSES)
    given = [*arguments, "--config", str(DEV)]
    if "--addresses" not in arguments:
        given += ["--addresses", str(addresses)]
    if arguments[0] == "attest":
        given += ["--outbox", f"sqlite:///{tmp_path / 'outbox.sqlite3'}"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == status, result.output
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("bulkhead: ")
    assert re.search(words, result.stderr), result.stderr


def test_a_missing_configuration_is_status_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["chain", "--config", str(tmp_path / "absent.toml")])
    assert result.exit_code == 2
    assert "absent.toml: cannot be read" in result.stderr


def test_a_help_text_keeps_its_brackets() -> None:
    result = CliRunner().invoke(app, ["attest", "--help"])
    assert "[settlement] and [matcher]" in " ".join(result.output.split())
