"""Makes a run's configuration: demo.toml with free ports, a folder of its own, its people."""

from __future__ import annotations

import socket
import tomllib
from pathlib import Path
from typing import Any, Final

import tomli_w

from bulkhead_signing import SigningKey
from bulkhead_signing.keys import keccak

CONFIG_PATH: Final = Path(__file__).resolve().parents[2] / "deploy" / "config" / "demo.toml"
HOST: Final = "127.0.0.1"
SLOW_BATCH_INTERVAL_MS: Final = 4_000
GAS_GWEI: Final = 1_000_000_000  # one token of gas each


def secret_of(name: str) -> bytes:
    """Return the private key of one of the demo's people: public, the same in every run."""
    return keccak(f"bulkhead demo: {name}".encode())


class Settings:
    """One run's configuration file and the values that others ask for.

    Attributes:
        path: The file.
        table: Its content.
    """

    def __init__(self, folder: Path, source: Path, *, backend: str, people: list[str]) -> None:
        """Read `source`, and write the run's own file into `folder`."""
        self.path = folder / "demo.toml"
        self.folder = folder
        self.table: dict[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))
        matcher, settlement = self.table["matcher"], self.table["settlement"]
        ports = free_ports(3)
        matcher["listen"] = f"{HOST}:{ports[0]}"
        matcher["journal_dir"] = str(self.journal_dir)
        matcher["oracle_signers"] = [_text_address("oracle")]
        settlement["rpc_url"] = f"http://{HOST}:{ports[1]}"
        settlement["addresses_file"] = str(self.addresses_path)
        chain = settlement["chain"]
        chain |= {"port": ports[1], "backend": backend, "funded_gas_gwei": GAS_GWEI}
        chain["funded"] = [*chain.get("funded", []), *map(_text_address, people)]
        settlement["attest"] |= {"matcher": matcher["listen"], "listen": f"{HOST}:{ports[2]}"}
        settlement["attest"]["outbox"] = f"sqlite:///{folder / 'outbox.sqlite3'}"
        settlement["relay"]["attestor"] = f"{HOST}:{ports[2]}"
        self.write()

    @staticmethod
    def market_ids(source: Path) -> list[int]:
        """Return the markets of a configuration."""
        table = tomllib.loads(source.read_text(encoding="utf-8"))
        return [market["market_id"] for market in table["matcher"]["markets"]]

    @property
    def admin_token(self) -> str:
        """Token of the matcher's AdminService."""
        token: str = self.table["matcher"]["admin_token"]
        return token

    @property
    def attestor_token(self) -> str:
        """Token of the matcher's SettlementFeedService."""
        token: str = self.table["matcher"]["attestor_token"]
        return token

    @property
    def journal_dir(self) -> Path:
        """Folder of the matcher's journal."""
        return self.folder / "journal"

    @property
    def addresses_path(self) -> Path:
        """File in which the chain says where the contracts are."""
        return self.folder / "addresses.json"

    @property
    def matcher_target(self) -> str:
        """`host:port` of the matcher."""
        target: str = self.table["matcher"]["listen"]
        return target

    @property
    def rpc_url(self) -> str:
        """URL of the chain."""
        url: str = self.table["settlement"]["rpc_url"]
        return url

    def set_chain(self, contract: str, *, is_slow: bool) -> None:
        """Write what the chain's start has shown: the contract's address, and how fast it is."""
        self.table["matcher"]["domain"]["contract"] = contract
        if is_slow:
            self.table["settlement"]["attest"]["batch_interval_ms"] = SLOW_BATCH_INTERVAL_MS
        self.write()

    def write(self) -> None:
        """Write the file."""
        self.path.write_text(tomli_w.dumps(self.table), encoding="utf-8")


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _text_address(name: str) -> str:
    return "0x" + SigningKey(secret_of(name)).address.hex()
