"""Keys: every source gives the same key, and what others can read is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account

from settlement.errors import ConfigError
from settlement.keys import DEV_CHAIN_ID, PASSWORD_VARIABLE, dev_secret, load_secret, load_signer

SECRET = b"\x42" * 32


def test_every_source_gives_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, keystore = tmp_path / "raw.key", tmp_path / "keystore.json"
    raw.write_text("0x" + SECRET.hex() + "\n")
    raw.chmod(0o600)
    keystore.write_text(json.dumps(Account.encrypt(SECRET, "word", kdf="pbkdf2", iterations=2)))
    monkeypatch.setenv("A_KEY", SECRET.hex())
    monkeypatch.setenv(PASSWORD_VARIABLE, "word")
    for source in (f"file:{raw}", f"keystore:{keystore}", "env:A_KEY"):
        assert load_secret(source, chain_id=1) == SECRET
    expected = bytes.fromhex(Account.from_key(SECRET).address.removeprefix("0x"))
    assert load_signer("env:A_KEY", chain_id=1).address == expected


def test_development_keys_are_those_of_every_test_node() -> None:
    address = Account.from_key(dev_secret(0)).address
    assert address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert load_secret("dev:0", chain_id=DEV_CHAIN_ID) == dev_secret(0)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raw.key"
    path.write_text(SECRET.hex())
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="mode 0640: others can read it; chmod 600"):
        load_secret(f"file:{path}", chain_id=1)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("dev:0", "development keys are for chain 31337 only"),
        ("env:NOT_SET", "the environment variable NOT_SET is not set"),
        ("file:/nowhere", "cannot be read: No such file"),
        ("keystore:/nowhere", PASSWORD_VARIABLE),
        ("vault:x", "expected file:, keystore:, env: or dev:"),
    ],
)
def test_a_bad_source_is_one_line(source: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_secret(source, chain_id=1)


def test_a_wrong_password_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keystore.json"
    path.write_text(json.dumps(Account.encrypt(SECRET, "word", kdf="pbkdf2", iterations=2)))
    monkeypatch.setenv(PASSWORD_VARIABLE, "other")
    with pytest.raises(ConfigError, match="not a keystore of version 3, or MAC mismatch"):
        load_secret(f"keystore:{path}", chain_id=1)
