"""The configuration: what is wrong is one line with file, key, expected and found."""

from __future__ import annotations

from pathlib import Path

import pytest

from matcher.config import MatcherConfig, load
from matcher.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[3]
GOOD = """
[matcher]
journal_dir = "/tmp/journal"
admin_token = "admin-token-0123"
attestor_token = "attestor-token-0123"
oracle_signers = ["0x00000000000000000000000000000000000000aa"]
[matcher.domain]
chain_id = 31337
contract = "0x00000000000000000000000000000000000000bb"
[settlement]
anything = 1
"""


def config_of(tmp_path: Path, text: str) -> MatcherConfig:
    path = tmp_path / "test.toml"
    path.write_text(text)
    return load(path)


def test_a_minimal_file_is_enough(tmp_path: Path) -> None:
    config = config_of(tmp_path, GOOD)
    assert config.listen == "127.0.0.1:7600"
    assert config.limits.commands_per_request_max == 1_000


def test_every_shipped_configuration_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = sorted((REPOSITORY / "deploy" / "config").glob("*.toml"))
    assert paths
    monkeypatch.setenv("BULKHEAD_ADMIN_TOKEN", "an operator's admin token")
    monkeypatch.setenv("BULKHEAD_ATTESTOR_TOKEN", "an operator's attestor token")
    given: dict[str, object] = {"domain.contract": "0x" + "bb" * 20}
    for path in paths:
        if path.name == "testnet.toml":  # its users name their own oracle signers
            with pytest.raises(ConfigError, match=r"oracle_signers: expected .* length >= 1"):
                load(path, given)
            given["oracle_signers"] = ["0x" + "cc" * 20]
        load(path, given)


def test_the_contract_may_come_from_the_addresses_file(tmp_path: Path) -> None:
    addresses = tmp_path / "addresses.json"
    contract = 'contract = "0x00000000000000000000000000000000000000bb"'
    text = GOOD.replace(contract, f'addresses_file = "{addresses}"')
    with pytest.raises(ConfigError, match=r"addresses_file: .* start `bulkhead chain` first"):
        config_of(tmp_path, text)
    addresses.write_text('{"chain_id": 1, "settlement": "0x' + "cc" * 20 + '", "vault": ""}')
    with pytest.raises(ConfigError, match="expected chain_id 31337, found 1"):
        config_of(tmp_path, text)
    addresses.write_text('{"chain_id": 31337, "settlement": "0x' + "cc" * 20 + '"}')
    assert config_of(tmp_path, text).domain.contract_bytes == bytes([0xCC]) * 20
    with pytest.raises(ConfigError, match="expected contract or addresses_file, found neither"):
        config_of(tmp_path, GOOD.replace(contract, ""))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("chain_id = 31337", "chain_id = 0", r"\$\.matcher\.domain\.chain_id: .*>= 1.*found 0"),
        ("chain_id = 31337", 'chain_id = "1"', r"domain\.chain_id: .*`int`.*found '1'"),
        ("chain_id = 31337", "", r"\$\.matcher\.domain: .*missing required field `chain_id`"),
        ("chain_id =", "chainid =", r"\$\.matcher\.domain\.chainid: expected no such key"),
        ("journal_dir =", "journal =", r"\$\.matcher\.journal: expected no such key"),
        ("matcher", "other", r"\$\.matcher: expected a table"),
        ("[matcher]", "[matcher", r"is not TOML"),
        ("00aa", "00ag", r"oracle_signers\[0\]: .*found '0x0+ag'"),
        ('"admin-token-0123"', '"short"', r"\$\.matcher\.admin_token: .*16"),
        (
            '"admin-token-0123"',
            '"env:NOT_SET_AT_ALL"',
            r"environment variable NOT_SET_AT_ALL is not set",
        ),
    ],
)
def test_a_wrong_key_is_one_clear_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=expected) as caught:
        config_of(tmp_path, GOOD.replace(old, new))
    assert str(tmp_path / "test.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_token_that_is_wrong_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\$\.matcher\.admin_token: .*16") as caught:
        config_of(tmp_path, GOOD.replace("admin-token-0123", "s3cret"))
    assert "s3cret" not in str(caught.value)


def test_a_full_group_fits_into_a_segment(tmp_path: Path) -> None:
    many = "[matcher.limits]\ncommands_per_group_max = 16384\n"
    with pytest.raises(ConfigError, match=r"journal_segment_bytes: expected at least \d+, found"):
        config_of(
            tmp_path, GOOD.replace("[matcher]", "[matcher]\njournal_segment_bytes = 1048576") + many
        )


@pytest.mark.parametrize("key", ["commands_per_group_max", "commands_waiting_max"])
def test_a_request_fits_into_a_group_and_a_group_into_the_queue(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key}: expected at least \d+, found 10"):
        config_of(tmp_path, GOOD + f"[matcher.limits]\n{key} = 10\n")


def test_tokens_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BULKHEAD_TEST_TOKEN", "from-the-environment")
    text = GOOD.replace("admin-token-0123", "env:BULKHEAD_TEST_TOKEN")
    assert config_of(tmp_path, text).admin_token == "from-the-environment"


def test_overrides_replace_nested_keys(tmp_path: Path) -> None:
    path = tmp_path / "test.toml"
    path.write_text(GOOD)
    config = load(path, {"domain.chain_id": 7, "listen": "127.0.0.1:0"})
    assert (config.domain.chain_id, config.listen) == (7, "127.0.0.1:0")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")
