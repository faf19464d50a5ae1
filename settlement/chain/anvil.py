"""Finds and runs Anvil as a child process that never outlives this one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from settlement.errors import SettlementError
from settlement.keys import DEV_MNEMONIC
from settlement.process import die_with_parent

CONTRACTS_DIR: Final = Path(__file__).resolve().parent.parent / "contracts"
STOP_TIMEOUT_S: Final = 5
HARDFORK: Final = "osaka"


def find_anvil() -> Path | None:
    """Return Anvil's executable: the one of the npm lock file, else the one on the PATH."""
    pattern = "node_modules/@foundry-rs/anvil-linux-*/bin/anvil"
    for path in sorted(CONTRACTS_DIR.glob(pattern)):
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("anvil")
    return Path(found) if found else None


class Anvil:
    """A running Anvil. It dies with this process, however this process ends."""

    def __init__(
        self, executable: Path, *, host: str, port: int, chain_id: int, block_gas_max: int
    ) -> None:
        arguments: list[str] = [
            str(executable),
            *("--host", host),
            *("--port", str(port)),
            *("--chain-id", str(chain_id)),
            *("--gas-limit", str(block_gas_max)),
            *("--hardfork", HARDFORK),
            *("--mnemonic", DEV_MNEMONIC),
            *("--balance", "1000000"),
            "--silent",
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own arguments
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread runs yet
        )

    def expect_alive(self) -> None:
        """Raise `SettlementError` when Anvil has ended by itself."""
        status = self._process.poll()
        if status is None:
            return
        assert self._process.stderr is not None
        words = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        raise SettlementError(f"anvil ended with status {status}: {' '.join(words[-2:])}")

    def stop(self) -> None:
        """End the child and wait for it."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
