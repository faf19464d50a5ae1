"""`bulkhead chain`: runs the embedded chain in the foreground and deploys the contracts on it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from web3.exceptions import Web3Exception

from settlement.chain.anvil import Anvil, find_anvil
from settlement.chain.deploy import deploy
from settlement.errors import SettlementError
from settlement.node import TRANSPORT_ERRORS, open_web3, write_addresses
from settlement.process import stop_event, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.config import Config
    from settlement.node import Addresses

START_TIMEOUT_S: Final = 20
POLL_S: Final = 0.02
WATCH_S: Final = 0.5


class Backend(Protocol):
    """A chain that runs."""

    def expect_alive(self) -> None:
        """Raise `SettlementError` when it has ended by itself."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


async def run_chain(config: Config, announce: Callable[[str], None]) -> None:
    """Start the chain, deploy, announce one ready line, and stay until a signal.

    Raises:
        SettlementError: The port is in use, no backend is there, or the deployment failed.
    """
    chain = config.chain
    stopped = stop_event()
    _expect_free_port(chain.host, chain.port)
    name, backend, port = _start(config)
    try:
        rpc_url = f"http://{chain.host}:{port}"
        addresses = await _deploy(config, backend, rpc_url)
        write_addresses(Path(config.settlement.addresses_file), addresses)
        announce(
            f"chain ready: {name} {rpc_url} chain_id={addresses.chain_id} "
            f"settlement={addresses.settlement} addresses={config.settlement.addresses_file}"
        )
        while not await wait_for(stopped, WATCH_S):
            backend.expect_alive()
    finally:
        backend.stop()


def _start(config: Config) -> tuple[str, Backend, int]:
    """Return the backend's name, the backend, and its port."""
    chain = config.chain
    executable = find_anvil()
    if chain.backend == "anvil" and executable is None:
        raise SettlementError(
            "chain: anvil was not found; run `npm ci` in settlement/contracts, put anvil on the "
            "PATH, or choose --backend eth-tester"
        )
    chain_id = config.shared.domain.chain_id
    if chain.backend != "eth-tester" and executable is not None:
        port = chain.port or _free_port(chain.host)
        anvil = Anvil(
            executable,
            host=chain.host,
            port=port,
            chain_id=chain_id,
            block_gas_max=chain.block_gas_max,
        )
        return "anvil", anvil, port
    return _start_tester(config, chain_id)


def _start_tester(config: Config, chain_id: int) -> tuple[str, Backend, int]:
    try:
        from settlement.chain.http_server import RpcServer
        from settlement.chain.tester import TesterNode
    except ImportError as exc:
        raise SettlementError(
            f"chain: neither anvil nor eth-tester is installed ({exc}); "
            "run `pip install bulkhead[chain]`, or `npm ci` in settlement/contracts"
        ) from exc
    chain = config.chain
    node = TesterNode(chain_id=chain_id, block_gas_max=chain.block_gas_max)
    server = RpcServer(node, host=chain.host, port=chain.port)
    return "eth-tester", server, server.port


async def _deploy(config: Config, backend: Backend, rpc_url: str) -> Addresses:
    async with open_web3(rpc_url) as web3:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await web3.is_connected():
                backend.expect_alive()
                await asyncio.sleep(POLL_S)
        try:
            return await deploy(web3, config.chain, config.shared)
        except (*TRANSPORT_ERRORS, Web3Exception) as exc:
            backend.expect_alive()
            raise SettlementError(f"chain: deployment failed: {exc}") from exc


def _expect_free_port(host: str, port: int) -> None:
    """Raise `SettlementError` when something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise SettlementError(
                f"chain: cannot listen on {host}:{port}: {exc.strerror or exc}; "
                "end the other process or choose another --port"
            ) from exc


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
