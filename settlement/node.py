"""The JSON-RPC node: connecting, the addresses of what is deployed on it, sending transactions."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import BlockNotFound, Web3Exception

from settlement.artifacts import load_artifact
from settlement.errors import ChainUnreachableError, ConfigError, StateMismatchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from web3.contract import AsyncContract

REQUEST_TIMEOUT_S: Final = 60
# What a node that is down, slow or restarting makes the client raise.
TRANSPORT_ERRORS: Final = (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError)


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """What `bulkhead chain` deployed: checksummed addresses and the first block to look at."""

    chain_id: int
    settlement: str
    vault: str
    token: str
    deploy_block: int

    @property
    def settlement_bytes(self) -> bytes:
        """Return the 20 bytes of the Settlement contract's address."""
        return bytes.fromhex(self.settlement.removeprefix("0x"))


def read_addresses(path: Path) -> Addresses:
    """Return the content of an addresses file. Raises `ConfigError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Addresses)
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be read: {exc.strerror or exc}; start `bulkhead chain` first, "
            "or write the addresses of your deployment there"
        ) from exc
    except msgspec.DecodeError as exc:
        raise ConfigError(f"{path}: not an addresses file: {exc}") from exc


def write_addresses(path: Path, addresses: Addresses) -> None:
    """Write an addresses file at once or not at all. Raises `ConfigError`."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(addresses), indent=2) + b"\n")
        partial.replace(path)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


class Node:
    """A connection to one chain on which one Settlement contract is deployed."""

    def __init__(self, web3: AsyncWeb3[Any], addresses: Addresses, rpc_url: str) -> None:
        self.web3 = web3
        self.addresses = addresses
        self.rpc_url = rpc_url
        self.settlement: AsyncContract = web3.eth.contract(
            address=web3.to_checksum_address(addresses.settlement),
            abi=load_artifact("Settlement").abi,
        )
        self._deploy_block_hash = b""

    async def expect_deployment(self) -> None:
        """Check that the node is the chain of the addresses file and the contract is there.

        Raises:
            ChainUnreachableError: The node does not answer.
            StateMismatchError: Another chain, or no contract at the address.
        """
        with self.errors():
            chain_id = await self.web3.eth.chain_id
            code = await self.web3.eth.get_code(self.settlement.address)
        if chain_id != self.addresses.chain_id:
            raise StateMismatchError(
                f"{self.rpc_url} is chain {chain_id}, the addresses file is of chain "
                f"{self.addresses.chain_id}; correct settlement.rpc_url or addresses_file"
            )
        if not code:
            raise StateMismatchError(
                f"{self.rpc_url} has no contract at {self.addresses.settlement}; "
                "the addresses file is of another deployment: start `bulkhead chain` again"
            )
        self._deploy_block_hash = await self.deploy_block_hash()

    async def expect_same_deployment(self) -> None:
        """Check that the chain was not made anew since the connection was opened.

        A chain id and an address come back with a new chain; the deployment's block does not.

        Raises:
            ChainUnreachableError: The node does not answer, or has no such block yet.
            StateMismatchError: Another block stands there.
        """
        if await self.deploy_block_hash() != self._deploy_block_hash:
            raise StateMismatchError(
                f"{self.rpc_url} belongs to another deployment (chain {self.addresses.chain_id}, "
                f"contract {self.addresses.settlement}, made anew since this process started); "
                "begin anew with all of its processes, or correct rpc_url and addresses_file"
            )

    async def deploy_block_hash(self) -> bytes:
        """Return the hash of the block of the deployment, which names the chain.

        Raises:
            ChainUnreachableError: The node does not answer, or has no such block yet.
        """
        number = self.addresses.deploy_block
        with self.errors():
            try:
                block: Any = await self.web3.eth.get_block(number)
            except BlockNotFound as exc:
                raise ChainUnreachableError(
                    f"{self.rpc_url} has no block {number}, in which the contract was deployed; "
                    "let the node catch up, or correct rpc_url and addresses_file"
                ) from exc
        return bytes(block["hash"])

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what a node that is down or confused makes web3 raise into one line."""
        try:
            yield
        except (*TRANSPORT_ERRORS, Web3Exception) as exc:
            reason = " ".join(str(exc).split()) or type(exc).__name__
            raise ChainUnreachableError(
                f"no JSON-RPC node answers at {self.rpc_url} ({reason}); start `bulkhead chain`, "
                "or correct settlement.rpc_url"
            ) from exc


@asynccontextmanager
async def open_web3(rpc_url: str) -> AsyncIterator[AsyncWeb3[Any]]:
    """Connect over HTTP; nothing is sent before the first call."""
    provider = AsyncHTTPProvider(
        rpc_url,
        request_kwargs={"timeout": aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)},
        exception_retry_configuration=None,
    )
    try:
        yield AsyncWeb3(provider)
    finally:
        await provider.disconnect()


@asynccontextmanager
async def open_node(rpc_url: str, addresses: Addresses) -> AsyncIterator[Node]:
    """Connect to the chain of a deployment and check that it is the one."""
    async with open_web3(rpc_url) as web3:
        node = Node(web3, addresses, rpc_url)
        await node.expect_deployment()
        yield node
