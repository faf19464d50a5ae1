"""Configuration of settlement: the shipped file loads; what is wrong is one line with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

import matcher.config
import settlement.config
from settlement.config import load, secret_text
from settlement.errors import ConfigError

DEV = Path(__file__).resolve().parents[3] / "deploy/config/dev.toml"


def written(folder: Path, old: str, new: str) -> Path:
    """Return the development configuration with one replacement."""
    text = DEV.read_text(encoding="utf-8")
    assert old in text
    path = folder / "changed.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_the_development_configuration_loads_with_the_matchers_markets() -> None:
    config = load(DEV)
    assert config.shared.domain.chain_id == 31337
    assert [market.market_id for market in config.shared.markets][:1] == [1]
    assert config.shared.oracle_signers
    assert config.attest.key == "dev:1"


def test_a_key_that_is_wrong_is_not_shown() -> None:
    secret = "0x" + "59" * 32
    with pytest.raises(ConfigError, match=r"relay\.key: expected") as caught:
        load(DEV, {"relay.key": secret})
    assert secret not in str(caught.value)


def test_an_override_below_what_is_no_table_is_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, "[settlement.relay]", "[settlement.other]")
    path.write_text("relay = 3\n" + path.read_text())
    with pytest.raises(ConfigError):
        load(path, {"relay.key": "dev:2"})


def test_an_override_replaces_one_key_and_none_replaces_nothing() -> None:
    config = load(DEV, {"chain.port": 0, "relay.key": None})
    assert config.chain.port == 0
    assert config.relay.key == "dev:2"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("quorum = 1 ", "quorum = 0 ", r"\$.settlement.chain.quorum: expected .*>= 1.*, found 0"),
        ("quorum = 1 ", 'quorum = "1" ', r"\$.settlement.chain.quorum: expected `int`"),
        ("quorum = 1 ", "quorun = 1 ", r"\$.settlement.chain.quorun: expected no such key"),
        ("[settlement.relay]", "[settlement.relai]", r"\$.settlement.relai: expected no such key"),
        (
            "quote_per_tick_lot = 10",
            "quote_per_tick_lot = 0",
            r"\$.matcher.markets\[\d\].quote_per",
        ),
        ("[settlement]", "[settlement", "is not TOML"),
        ("journal_dir =", "jurnal_dir =", r"\$.matcher.jurnal_dir: expected no such key"),
        ("[matcher.limits]", "[matcher.limit]", r"\$.matcher.limit: expected no such key"),
        ("order_count_max", "orders_max", r"\$.matcher.engine.orders_max: expected no such key"),
        ("session_count_max", "session_max", r"\$.matcher.limits.session_max: expected no such"),
        ("chain_id =", "chainid =", r"\$.matcher.domain.chainid: expected no such key"),
        ("qty_lot_e9 =", "qty_lot =", r"\$.matcher.markets\[0\].qty_lot: expected no such key"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = written(tmp_path, old, new)
    with pytest.raises(ConfigError, match=words) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("confirmations", "block_ms", "poll_ms", "least_s"),
    [(0, 1_000, 200, 7), (0, 12_000, 3_000, 20), (0, 12_000, 3_001, 21), (12, 12_000, 2_000, 163)],
)
def test_a_pause_notice_that_the_matcher_would_miss_is_refused(
    confirmations: int, block_ms: int, poll_ms: int, least_s: int
) -> None:
    """GOV-4: confirmations, one block more, the poll, and five seconds for the matcher."""
    times = {
        "attest.confirmation_count": confirmations,
        "attest.block_interval_ms": block_ms,
        "attest.poll_interval_ms": poll_ms,
    }
    overrides = times | {"chain.limits.risk_pause_notice_s": least_s}
    config = load(DEV, overrides)
    assert config.attest.pause_notice_least_s == least_s
    with pytest.raises(ConfigError, match=rf"risk_pause_notice_s: expected at least {least_s} s"):
        load(DEV, overrides | {"chain.limits.risk_pause_notice_s": least_s - 1})
    with pytest.raises(ConfigError, match=r"the contract's: expected at least"):
        config.attest.expect_pause_notice(least_s - 1, "the contract's")


def test_the_pause_notice_is_long_enough_where_a_configuration_says_nothing() -> None:
    table = settlement.config.AttestTable(matcher_token="", key="dev:1")
    table.expect_pause_notice(settlement.config.VenueLimitsTable().risk_pause_notice_s, "")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("SharedTable", "MatcherConfig")]
    + [(name, name) for name in
       ("DomainTable", "EngineTable", "LimitsTable", "OracleTable", "TLSTable", "MarketTable",
        "TierTable")],
)  # fmt: skip
def test_the_matchers_keys_are_all_known_here(ours: str, theirs: str) -> None:
    known = getattr(settlement.config, ours).__struct_fields__
    assert set(known) == set(getattr(matcher.config, theirs).__struct_fields__)


def test_the_contract_gets_the_matchers_oracle_rule() -> None:
    ours, theirs = settlement.config.OracleTable(), matcher.config.OracleTable()
    assert {name: getattr(ours, name) for name in ours.__struct_fields__} == {
        name: getattr(theirs, name) for name in theirs.__struct_fields__
    }


def test_a_missing_table_or_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bare.toml").write_text("[matcher.domain]\nchain_id = 1\n[settlement]\n")
    with pytest.raises(ConfigError, match=r"\$.settlement.relay: expected this table"):
        _ = load(tmp_path / "bare.toml").relay
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "absent.toml")


def test_a_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "secret")
    assert secret_text("env:A_TOKEN", path=DEV, key="$.x") == "secret"
    assert secret_text("plain", path=DEV, key="$.x") == "plain"
    monkeypatch.delenv("A_TOKEN")
    with pytest.raises(ConfigError, match=r"\$.x: the environment variable A_TOKEN is not set"):
        secret_text("env:A_TOKEN", path=DEV, key="$.x")
