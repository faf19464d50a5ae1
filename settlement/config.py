"""Settlement's configuration: the `[settlement]` table of a TOML file, every limit named.

Markets, oracle signers and the chain id are read from the matcher's tables of the same file, so
that contract and engine cannot be listed with different numbers. Of the matcher's other keys the
names are checked here, their values by the matcher alone.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from settlement.errors import ConfigError

T = TypeVar("T")
Toml: TypeAlias = Any

ENVIRONMENT_PREFIX: Final = "env:"
# What the matcher may need to obey a notice once the attestor has read it (GOV-4).
OBEYING_MS: Final = 5_000

Address = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}$")]
Target = Annotated[str, Meta(pattern=r"^.+:[0-9]{1,5}$")]
Ppm = Annotated[int, Meta(ge=0, lt=1_000_000)]
Key = Annotated[str, Meta(pattern=r"^(file|keystore|env|dev):.+$")]
Backend = Literal["auto", "anvil", "eth-tester"]
Foreign: TypeAlias = Any  # the matcher's own: the name must be right, the value is not looked at


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: unknown keys are errors."""


class TierTable(_Table, frozen=True, kw_only=True):
    """One margin tier of a market (SPEC section 2)."""

    notional_floor_quote: Annotated[int, Meta(ge=0, le=1 << 60)]
    margin_initial_ppm: Annotated[int, Meta(ge=1, le=1_000_000)]
    margin_maintenance_ppm: Annotated[int, Meta(ge=1, lt=1_000_000)]


class MarketTable(_Table, frozen=True, kw_only=True):
    """What the contract must know of one of the matcher's markets."""

    market_id: Annotated[int, Meta(ge=1, le=65535)]
    quote_per_tick_lot: Annotated[int, Meta(ge=1, lt=1 << 60)]
    price_ticks_max: Annotated[int, Meta(ge=1, lt=1 << 27)]
    position_lots_max: Annotated[int, Meta(ge=1, le=1 << 40)]
    fee_maker_ppm: Ppm
    fee_taker_ppm: Ppm
    fee_liquidation_ppm: Ppm
    liquidation_buffer_ppm: Ppm
    mark_band_ppm: Annotated[int, Meta(ge=1, lt=1_000_000)]
    funding_cap_ppm: Ppm
    funding_interval_s: Annotated[int, Meta(ge=1, le=86_400 * 366)]
    index_age_max_ms: Annotated[int, Meta(ge=1_000, le=3_600_000)]
    expiry_time_s: Annotated[int, Meta(ge=0, lt=1 << 32)] = 0
    tiers: Annotated[list[TierTable], Meta(min_length=1, max_length=8)]
    impact_notional_quote: Foreign = None
    funding_period_s: Foreign = None
    funding_interest_ppm: Foreign = None
    funding_clamp_ppm: Foreign = None
    kind: Foreign = None
    grace_s: Foreign = None
    order_band_ppm: Foreign = None
    open_interest_lots_max: Foreign = None
    symbol: Foreign = None
    price_tick_e9: Foreign = None
    qty_lot_e9: Foreign = None
    collateral_decimals: Foreign = None


class DomainTable(_Table, frozen=True, kw_only=True):
    """The chain id of `[matcher.domain]`; settlement's contract comes from the addresses file."""

    chain_id: Annotated[int, Meta(ge=1, le=1 << 62)]
    contract: Foreign = None
    addresses_file: Foreign = None


class EngineTable(_Table, frozen=True, kw_only=True):
    """The keys of `[matcher.engine]`."""

    account_count_max: Foreign = None
    position_count_max: Foreign = None
    order_count_max: Foreign = None


class LimitsTable(_Table, frozen=True, kw_only=True):
    """The keys of `[matcher.limits]`."""

    commands_per_request_max: Foreign = None
    commands_waiting_max: Foreign = None
    commands_per_group_max: Foreign = None
    session_count_max: Foreign = None
    session_events_max: Foreign = None
    account_events_kept_max: Foreign = None
    book_deltas_kept_max: Foreign = None
    concurrent_rpcs_max: Foreign = None
    message_bytes_max: Foreign = None


class TLSTable(_Table, frozen=True, kw_only=True):
    """The keys of `[matcher.tls]`."""

    certificate_file: Foreign = None
    key_file: Foreign = None
    client_ca_file: Foreign = None


class OracleTable(_Table, frozen=True, kw_only=True):
    """The keys and defaults of `[matcher.oracle]`: the contract asks for the same."""

    quorum: Annotated[int, Meta(ge=1, le=32)] = 1
    spread_max_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 2_000
    deviation_max_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] = 10_000


class SharedTable(_Table, frozen=True, kw_only=True):
    """The `[matcher]` table, of which settlement reads domain, oracle and markets."""

    domain: DomainTable
    oracle_signers: list[Address] = []
    markets: list[MarketTable] = []
    engine: EngineTable | None = None
    limits: LimitsTable | None = None
    tls: TLSTable | None = None
    oracle: OracleTable = OracleTable()
    listen: Foreign = None
    journal_dir: Foreign = None
    journal_segment_bytes: Foreign = None
    tick_interval_ms: Foreign = None
    login_ttl_ms: Foreign = None
    session_token_ttl_ms: Foreign = None
    admin_token: Foreign = None
    attestor_token: Foreign = None
    log_level: Foreign = None
    log_format: Foreign = None
    reflection: Foreign = None


Seconds = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]


class DelaysTable(_Table, frozen=True, kw_only=True):
    """Waiting times of the contract (SPEC GOV-2). None may be shorter than leaving takes."""

    governance_s: Seconds = 172_800
    parameters_s: Seconds = 172_800
    parameters_grace_s: Seconds = 3_600
    forced_s: Seconds = 86_400
    withdrawal_s: Seconds = 86_400
    withdrawal_stretch_s: Seconds = 604_800
    migration_s: Seconds = 1_814_400
    insurance_lock_s: Seconds = 604_800


class VenueLimitsTable(_Table, frozen=True, kw_only=True):
    """Limits of what leaves the contract at once (SPEC MONEY-3, MONEY-4)."""

    large_withdrawal_quote: Annotated[int, Meta(ge=0, le=1 << 60)] = 1 << 60
    outflow_limit_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] = 1_000_000
    outflow_window_s: Annotated[int, Meta(ge=1, le=86_400 * 366)] = 86_400
    top_up_grace_s: Seconds = 900
    risk_pause_notice_s: Annotated[int, Meta(ge=0, le=3_600)] = 30
    deposit_min_quote: Annotated[int, Meta(ge=1, le=1 << 60)] = 1_000_000


class ChainTable(_Table, frozen=True, kw_only=True):
    """The embedded chain (`bulkhead chain`): for demonstration and tests only."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8545
    backend: Backend = "auto"
    block_gas_max: Annotated[int, Meta(ge=20_000_000, le=1_000_000_000)] = 60_000_000
    attestors: Annotated[list[Address], Meta(min_length=1, max_length=32)]
    quorum: Annotated[int, Meta(ge=1, le=32)] = 1
    clock_ahead_max_s: Annotated[int, Meta(ge=1, le=900)] = 300
    clock_lag_max_s: Annotated[int, Meta(ge=1, le=86_400 * 366)] = 86_400
    delays: DelaysTable = DelaysTable()
    limits: VenueLimitsTable = VenueLimitsTable()
    funded: list[Address] = []
    funded_gas_gwei: Annotated[int, Meta(ge=0)] = 100_000_000_000
    funded_quote: Annotated[int, Meta(ge=0, le=1 << 60)] = 0


class AttestTable(_Table, frozen=True, kw_only=True):
    """The attestor (`bulkhead attest`)."""

    listen: Target = "127.0.0.1:7610"
    matcher: Target = "127.0.0.1:7600"
    matcher_token: str
    key: Key
    outbox: str = "sqlite:///.bulkhead/outbox.sqlite3"
    batch_interval_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 1_000
    confirmation_count: Annotated[int, Meta(ge=0, le=10_000)] = 0
    block_interval_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 12_000
    poll_interval_ms: Annotated[int, Meta(ge=10, le=60_000)] = 200
    block_range_max: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    concurrent_streams_max: Annotated[int, Meta(ge=1, le=10_000)] = 64
    give_up_after_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 30_000

    @property
    def pause_notice_least_s(self) -> int:
        """After so many seconds the matcher obeys the guardian's pause (GOV-4); rounded up."""
        seen_ms = (self.confirmation_count + 1) * self.block_interval_ms + self.poll_interval_ms
        return -(-(seen_ms + OBEYING_MS) // 1_000)

    def expect_pause_notice(self, notice_s: int, where: str) -> None:
        """Raise `ConfigError` when the chain would refuse what was matched before it was seen."""
        least_s = self.pause_notice_least_s
        if notice_s < least_s:
            raise ConfigError(
                f"{where}: expected at least {least_s} s, in which the matcher sees a pause "
                f"({self.confirmation_count} confirmations of {self.block_interval_ms} ms, "
                f"poll {self.poll_interval_ms} ms), found {notice_s} s"
            )


class RelayTable(_Table, frozen=True, kw_only=True):
    """The relayer (`bulkhead relay`)."""

    key: Key
    attestor: Target = "127.0.0.1:7610"
    replace_after_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 15_000
    poll_interval_ms: Annotated[int, Meta(ge=10, le=60_000)] = 200
    fee_gwei_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 500
    give_up_after_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 30_000


class SettlementConfig(_Table, frozen=True, kw_only=True):
    """The `[settlement]` table, with what it shares with `[matcher]`."""

    rpc_url: Annotated[str, Meta(pattern=r"^https?://")] = "http://127.0.0.1:8545"
    addresses_file: str = ".bulkhead/addresses.json"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["text", "json"] = "text"
    chain: ChainTable | None = None
    attest: AttestTable | None = None
    relay: RelayTable | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that settlement reads of a configuration file."""

    path: Path
    settlement: SettlementConfig
    shared: SharedTable

    @property
    def chain(self) -> ChainTable:
        """Return `[settlement.chain]`. Raises `ConfigError` when the file has none."""
        return self._require("chain", self.settlement.chain)

    @property
    def attest(self) -> AttestTable:
        """Return `[settlement.attest]`. Raises `ConfigError` when the file has none."""
        return self._require("attest", self.settlement.attest)

    @property
    def relay(self) -> RelayTable:
        """Return `[settlement.relay]`. Raises `ConfigError` when the file has none."""
        return self._require("relay", self.settlement.relay)

    def _require(self, name: str, table: T | None) -> T:
        if table is None:
            raise ConfigError(f"{self.path}: $.settlement.{name}: expected this table, found none")
        return table


def load(path: Path, overrides: dict[str, Any] | None = None) -> Config:
    """Return the settlement part of a TOML file.

    Args:
        path: The file.
        overrides: Dotted keys of `[settlement]` (`chain.port`) and values that replace them.

    Raises:
        ConfigError: One line with the file, the key, what was expected and what was found.
    """
    file = _read(path)
    table = _table(path, file, "settlement")
    for key, value in (overrides or {}).items():
        if value is not None:
            _override(table, key, value)
    settlement = _convert(path, "settlement", table, SettlementConfig)
    shared = _convert(path, "matcher", _table(path, file, "matcher"), SharedTable)
    if settlement.chain is not None and settlement.attest is not None:
        settlement.attest.expect_pause_notice(
            settlement.chain.limits.risk_pause_notice_s,
            f"{path}: $.settlement.chain.limits.risk_pause_notice_s",
        )
    return Config(path=path, settlement=settlement, shared=shared)


def secret_text(value: str, *, path: Path, key: str) -> str:
    """Return a token, read from the environment when it is written `env:NAME`."""
    if not value.startswith(ENVIRONMENT_PREFIX):
        return value
    name = value.removeprefix(ENVIRONMENT_PREFIX)
    found = os.environ.get(name)
    if found is None:
        raise ConfigError(f"{path}: {key}: the environment variable {name} is not set")
    if not found:
        raise ConfigError(f"{path}: {key}: the environment variable {name} is empty")
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: expected UTF-8, found byte {exc.start} that is not") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: is not TOML: {exc}") from exc


def _table(path: Path, file: dict[str, Any], name: str) -> dict[str, Any]:
    table = file.get(name)
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: $.{name}: expected a table [{name}], found none")
    return table


def _override(table: dict[str, Any], dotted_key: str, value: object) -> None:
    *parents, name = dotted_key.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(f"$.{dotted_key}: expected {parent} to be a table")
    table[name] = value


def _convert(path: Path, name: str, table: dict[str, Any], table_type: type[T]) -> T:
    try:
        return msgspec.convert(table, table_type)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at ")
        key = f"$.{name}{where.strip('`').removeprefix('$')}"
        unknown = re.search(r"unknown field `([^`]+)`", what)
        if unknown is not None:
            text = f"{key}.{unknown[1]}: expected no such key; remove or correct it"
        else:
            is_secret = key.endswith(("key", "token"))
            found = "" if is_secret else _found(table, key.removeprefix(f"$.{name}"))
            text = f"{key}: {what[:1].lower()}{what[1:]}{found}"
        raise ConfigError(f"{path}: {text}") from exc


def _found(table: Toml, key: str) -> str:
    """Return ", found …" for the value at `.a[0].b`; nothing when it is absent or a table."""
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", key):
        try:
            table = table[int(index)] if index else table[name]
        except (KeyError, IndexError, TypeError):
            return ""
    return "" if isinstance(table, dict) else f", found {table!r}"
