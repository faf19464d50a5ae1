"""Where keys come from, and the small interface behind which an attestor's key may live."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Final, Protocol

from eth_account import Account
from eth_account.hdaccount import ETHEREUM_DEFAULT_PATH

from bulkhead_signing import SigningKey
from settlement.errors import ConfigError

# Development keys: the mnemonic that every Ethereum test node knows. Worth nothing, by design.
DEV_MNEMONIC: Final = "test test test test test test test test test test test junk"
DEV_CHAIN_ID: Final = 31337
PASSWORD_VARIABLE: Final = "BULKHEAD_KEY_PASSWORD"  # noqa: S105 - a name, not a password


class Signer(Protocol):
    """Signs digests for one address. A key service can stand behind it."""

    address: bytes  # 20 bytes

    def sign(self, digest: bytes) -> bytes:
        """Return the 64-byte EIP-2098 signature of a 32-byte digest."""
        ...


def load_signer(source: str, *, chain_id: int) -> Signer:
    """Return the signer of a key source. Raises `ConfigError`."""
    return SigningKey(load_secret(source, chain_id=chain_id))


def load_secret(source: str, *, chain_id: int) -> bytes:
    """Return the 32 bytes of a private key.

    Args:
        source: `file:PATH` (hexadecimal, readable by the owner alone), `keystore:PATH` (version 3,
            password in the environment), `env:NAME` (hexadecimal), or `dev:N` (development only).
        chain_id: `dev:` keys are refused on any chain but the development chain's 31337.

    Raises:
        ConfigError: One line that names the source and what to do.
    """
    kind, _, where = source.partition(":")
    if kind == "file":
        return _secret_from_hex(_read_private(Path(where)), source)
    if kind == "keystore":
        return _secret_from_keystore(Path(where))
    if kind == "env":
        return _secret_from_environment(where, source)
    if kind == "dev":
        return _dev_secret_checked(where, source, chain_id)
    # What stands there may be the key itself: it is not shown.
    raise ConfigError("key: expected file:, keystore:, env: or dev: in front")


def dev_secret(index: int) -> bytes:
    """Return development key number `index`, 0 … 9; every test node funds these."""
    Account.enable_unaudited_hdwallet_features()
    path = ETHEREUM_DEFAULT_PATH.removesuffix("/0") + f"/{index}"
    return bytes(Account.from_mnemonic(DEV_MNEMONIC, account_path=path).key)


def _dev_secret_checked(where: str, source: str, chain_id: int) -> bytes:
    if chain_id != DEV_CHAIN_ID:
        raise ConfigError(f"key {source!r}: development keys are for chain {DEV_CHAIN_ID} only")
    if not where.isdigit() or int(where) > 9:
        raise ConfigError(f"key {source!r}: expected dev:0 to dev:9")
    return dev_secret(int(where))


def _secret_from_environment(name: str, source: str) -> bytes:
    text = os.environ.get(name)
    if text is None:
        raise ConfigError(f"key {source!r}: the environment variable {name} is not set")
    return _secret_from_hex(text, source)


def _secret_from_hex(text: str, source: str) -> bytes:
    try:
        secret = bytes.fromhex(text.strip().removeprefix("0x"))
        SigningKey(secret)
    except ValueError:
        raise ConfigError(
            f"key {source!r}: expected 64 hexadecimal digits that are a private key"
        ) from None
    return secret


def _read_private(path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise ConfigError(f"key file {path}: mode {mode:04o}: others can read it; chmod 600")
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as exc:
        raise ConfigError(f"key file {path}: cannot be read: {exc.strerror or exc}") from exc


def _secret_from_keystore(path: Path) -> bytes:
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is None:
        raise ConfigError(
            f"key file {path}: expected its password in {PASSWORD_VARIABLE}, which is not set"
        )
    try:
        keystore = json.loads(path.read_text(encoding="utf-8"))
        return bytes(Account.decrypt(keystore, password))
    except OSError as exc:
        raise ConfigError(f"key file {path}: cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, TypeError, KeyError) as exc:
        raise ConfigError(f"key file {path}: not a keystore of version 3, or {exc}") from exc
