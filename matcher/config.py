"""The matcher's configuration: the `[matcher]` table of a TOML file, every limit named.

The only place of the matcher that reads files of settings or the environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from matcher.errors import ConfigError
from matcher.journal.codec import ENTRY_BYTES_MIN, HEADER_BYTES
from matcher.sequencer import GROUP_BYTES_MAX

ENVIRONMENT_PREFIX: Final = "env:"
_UNKNOWN_FIELD: Final = re.compile(r"unknown field `(?P<name>[^`]+)`")

Address = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}$")]
Count = Annotated[int, Meta(ge=1, le=1 << 31)]
Ppm = Annotated[int, Meta(ge=0, lt=1_000_000)]
Milliseconds = Annotated[int, Meta(ge=1, le=86_400_000)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: unknown keys are errors."""


class TierTable(_Table, frozen=True, kw_only=True):
    """One margin tier of a market; see SPEC.md, rules MKT-1 and MKT-2."""

    notional_floor_quote: Annotated[int, Meta(ge=0, le=1 << 60)]
    margin_initial_ppm: Annotated[int, Meta(ge=1, le=1_000_000)]
    margin_maintenance_ppm: Annotated[int, Meta(ge=1, lt=1_000_000)]


class MarketTable(_Table, frozen=True, kw_only=True):
    """A market that is listed at the first start; see SPEC.md, section 2."""

    market_id: Annotated[int, Meta(ge=1, le=65535)]
    symbol: Annotated[str, Meta(pattern=r"^[A-Z0-9-]{1,32}$")]
    price_tick_e9: Annotated[int, Meta(ge=1, le=1 << 62)]
    qty_lot_e9: Annotated[int, Meta(ge=1, le=1 << 62)]
    collateral_decimals: Annotated[int, Meta(ge=0, le=18)] = 6
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
    index_age_max_ms: Annotated[int, Meta(ge=1, le=86_400_000)]
    impact_notional_quote: Annotated[int, Meta(ge=0, le=1 << 60)] = 0
    funding_period_s: Annotated[int, Meta(ge=0, le=7 * 86_400)] = 0
    funding_interest_ppm: Annotated[int, Meta(ge=-100_000, le=100_000)] = 0
    funding_clamp_ppm: Annotated[int, Meta(ge=0, le=100_000)] = 0
    grace_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    order_band_ppm: Ppm = 0
    open_interest_lots_max: Annotated[int, Meta(ge=0, le=1 << 60)] = 0
    kind: Annotated[int, Meta(ge=0, le=4)] = 0
    expiry_time_s: Annotated[int, Meta(ge=0, lt=1 << 32)] = 0
    tiers: Annotated[list[TierTable], Meta(min_length=1, max_length=8)]


class DomainTable(_Table, frozen=True, kw_only=True):
    """What signatures and the journal are bound to. One of contract and addresses_file is set.

    `load` returns it with the contract, read from the addresses file where that is given.
    """

    chain_id: Annotated[int, Meta(ge=1, le=1 << 62)]
    contract: Address | None = None
    addresses_file: str | None = None

    @property
    def contract_bytes(self) -> bytes:
        """The 20 bytes of the contract's address; only of a loaded configuration."""
        assert self.contract is not None
        return bytes.fromhex(self.contract.removeprefix("0x"))


class _Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """What the matcher reads of the addresses file that `bulkhead chain` writes."""

    chain_id: int
    settlement: Address


class OracleTable(_Table, frozen=True, kw_only=True):
    """When the prices that single oracle signers submit are an index price (ORA-1, ORA-2)."""

    quorum: Annotated[int, Meta(ge=1, le=64)] = 1
    spread_max_ms: Milliseconds = 2_000
    deviation_max_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] = 10_000


class EngineTable(_Table, frozen=True, kw_only=True):
    """How much the engine allocates at start. It refuses with CAPACITY beyond these."""

    account_count_max: Count = 65_536
    position_count_max: Count = 65_536
    order_count_max: Count = 262_144


class LimitsTable(_Table, frozen=True, kw_only=True):
    """Bounds of queues, requests and sessions. Every queue of the process is here."""

    commands_per_request_max: Annotated[int, Meta(ge=500, le=2_000)] = 1_000
    commands_waiting_max: Count = 65_536
    commands_per_group_max: Annotated[int, Meta(ge=1, le=16_384)] = 4_096
    session_count_max: Count = 1_024
    session_events_max: Count = 65_536
    account_events_kept_max: Count = 4_096
    book_deltas_kept_max: Count = 4_096
    concurrent_rpcs_max: Count = 8_192
    message_bytes_max: Annotated[int, Meta(ge=4_096, le=64 << 20)] = 4 << 20


class TLSTable(_Table, frozen=True, kw_only=True):
    """Server certificate; with `client_ca_file` clients must show one too (mTLS)."""

    certificate_file: str
    key_file: str
    client_ca_file: str | None = None


class MatcherConfig(_Table, frozen=True, kw_only=True):
    """The `[matcher]` table."""

    listen: Annotated[str, Meta(pattern=r"^.+:[0-9]{1,5}$")] = "127.0.0.1:7600"
    journal_dir: str
    journal_segment_bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 30)] = 64 << 20
    tick_interval_ms: Annotated[int, Meta(ge=10, le=200)] = 200
    login_ttl_ms: Milliseconds = 30_000
    session_token_ttl_ms: Milliseconds = 86_400_000
    admin_token: Annotated[str, Meta(min_length=16)]
    attestor_token: Annotated[str, Meta(min_length=16)]
    oracle_signers: Annotated[list[Address], Meta(min_length=1, max_length=64)]
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["text", "json"] = "text"
    reflection: bool = True
    domain: DomainTable
    oracle: OracleTable = OracleTable()
    engine: EngineTable = EngineTable()
    limits: LimitsTable = LimitsTable()
    tls: TLSTable | None = None
    markets: list[MarketTable] = []


def load(path: Path, overrides: dict[str, Any] | None = None) -> MatcherConfig:
    """Return the `[matcher]` table of a TOML file.

    Args:
        path: The file.
        overrides: Dotted keys of the table (`domain.contract`) and the values that replace them.

    Raises:
        ConfigError: One line with the file, the key, what was expected and what was found.
    """
    table = _read(path).get("matcher")
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: $.matcher: expected a table [matcher], found none")
    for key, value in (overrides or {}).items():
        _override(table, key, value)
    try:
        config = msgspec.convert(table, MatcherConfig)
    except msgspec.ValidationError as exc:
        raise ConfigError(_explain(path, table, str(exc))) from exc
    _check_limits(path, config.limits, config.journal_segment_bytes)
    _check_quorum(path, config)
    config = _resolve_secrets(path, config)
    return msgspec.structs.replace(config, domain=_resolve_domain(path, config.domain))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: expected UTF-8, found byte {exc.start} that is not") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: is not TOML: {exc}") from exc


def _override(table: dict[str, Any], dotted_key: str, value: object) -> None:
    *parents, name = dotted_key.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(f"$.{dotted_key}: expected {parent} to be a table")
    table[name] = value


def _explain(path: Path, table: dict[str, Any], text: str) -> str:
    """Turn msgspec's "… - at `$.a[0].b`" into file: path: expected, found."""
    what, _, where = text.partition(" - at ")
    key_path = where.strip("`").removeprefix("$") if where else ""
    unknown = _UNKNOWN_FIELD.search(what)
    if unknown is not None:
        name = unknown["name"]
        return f"{path}: $.matcher{key_path}.{name}: expected no such key; remove or correct it"
    found = _ABSENT if key_path.endswith("token") else _lookup(table, key_path)
    suffix = "" if found is _ABSENT else f", found {found!r}"
    expected = what[:1].lower() + what[1:]
    return f"{path}: $.matcher{key_path}: {expected}{suffix}"


_ABSENT: Final = object()


def _lookup(table: object, key_path: str) -> object:
    """Return the value at `.a[0].b`, or `_ABSENT`; tables are not shown."""
    for part in re.findall(r"\.(\w+)|\[(\d+)\]", key_path):
        name, index = part
        try:
            table = table[int(index)] if index else table[name]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return _ABSENT if isinstance(table, dict) else table


def _check_limits(path: Path, limits: LimitsTable, segment_bytes: int) -> None:
    """A request must fit into a group, a group into the queue and into a segment."""
    entry_bytes = limits.commands_per_group_max * ENTRY_BYTES_MIN
    least_bytes = HEADER_BYTES + entry_bytes + GROUP_BYTES_MAX
    if segment_bytes < least_bytes:
        where = f"{path}: $.matcher.journal_segment_bytes"
        raise ConfigError(f"{where}: expected at least {least_bytes}, found {segment_bytes}")
    request, group = limits.commands_per_request_max, limits.commands_per_group_max
    for name, least in (("commands_per_group_max", request), ("commands_waiting_max", group)):
        found = getattr(limits, name)
        if found < least:
            where = f"{path}: $.matcher.limits.{name}"
            raise ConfigError(f"{where}: expected at least {least}, found {found}")


def _check_quorum(path: Path, config: MatcherConfig) -> None:
    """As many signers as a row needs must exist."""
    signers = len({address.lower() for address in config.oracle_signers})
    if config.oracle.quorum > signers:
        where = f"{path}: $.matcher.oracle.quorum"
        raise ConfigError(
            f"{where}: expected at most the {signers} oracle_signers, found {config.oracle.quorum}"
        )


def _resolve_domain(path: Path, domain: DomainTable) -> DomainTable:
    """Return the domain with its contract."""
    where = f"{path}: $.matcher.domain"
    if domain.contract is not None:
        return domain
    if domain.addresses_file is None:
        raise ConfigError(f"{where}: expected contract or addresses_file, found neither")
    where = f"{where}.addresses_file: {domain.addresses_file}"
    try:
        raw = Path(domain.addresses_file).read_bytes()
        addresses = msgspec.json.decode(raw, type=_Addresses)
    except OSError as exc:
        hint = "start `bulkhead chain` first, or set contract"
        raise ConfigError(f"{where}: cannot be read: {exc.strerror or exc}; {hint}") from exc
    except msgspec.MsgspecError as exc:
        raise ConfigError(f"{where}: {exc}") from exc
    if addresses.chain_id != domain.chain_id:
        what = f"expected chain_id {domain.chain_id}, found {addresses.chain_id}"
        raise ConfigError(f"{where}: {what}")
    return msgspec.structs.replace(domain, contract=addresses.settlement)


def _resolve_secrets(path: Path, config: MatcherConfig) -> MatcherConfig:
    """Replace tokens written `env:NAME` by the environment's values."""
    changed: dict[str, str] = {}
    for key in ("admin_token", "attestor_token"):
        value: str = getattr(config, key)
        if not value.startswith(ENVIRONMENT_PREFIX):
            continue
        name = value.removeprefix(ENVIRONMENT_PREFIX)
        token = os.environ.get(name)
        if token is None:
            what = f"the environment variable {name} is not set"
            raise ConfigError(f"{path}: $.matcher.{key}: {what}")
        if len(token) < 16:
            what = f"expected 16 characters or more in the environment variable {name}"
            raise ConfigError(f"{path}: $.matcher.{key}: {what}, found {len(token)}")
        changed[key] = token
    return msgspec.structs.replace(config, **changed)
