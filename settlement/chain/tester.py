"""py-evm behind eth-tester, made to behave like a JSON-RPC node with automine."""

from __future__ import annotations

import threading
import time
from typing import Any, Final, TypeAlias

from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed, ValidationError
from eth_utils.exceptions import ValidationError as EVMValidationError
from web3 import EthereumTesterProvider, Web3
from web3.exceptions import Web3Exception
from web3.middleware.base import MiddlewareOnion
from web3.providers.eth_tester.defaults import API_ENDPOINTS
from web3.types import RPCEndpoint

from settlement.keys import DEV_MNEMONIC

Json: TypeAlias = Any
Evm: TypeAlias = Any  # py-evm's states and transactions: the library publishes no types

ACCOUNT_COUNT: Final = 10
HD_PATH: Final = "m/44'/60'/0'/0"
ACCOUNT_BALANCE_WEI: Final = 10**24
ERROR_METHOD_UNKNOWN: Final = -32601
ERROR_INTERNAL: Final = -32603
ERROR_REJECTED: Final = -32000
ERROR_REVERTED: Final = 3
PAYMENT_GAS_LEFT: Final = 330_000


class RpcError(Exception):
    """What goes into the `error` member of a response."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class _Backend(PyEVMBackend):  # type: ignore[misc]  # untyped library
    """eth-tester's backend with a wall clock in the pending block and a one-run gas estimate."""

    def keep_time(self) -> None:
        """Move the pending block to the wall clock; it never goes back."""
        header = self.chain.header
        now_s = max(int(time.time()), header.timestamp)
        if now_s != header.timestamp:
            self.chain.header = header.copy(timestamp=now_s)

    def send_raw_transaction(self, raw_transaction: bytes) -> bytes:
        """Apply a signed transaction at the current time."""
        self.keep_time()
        return bytes(super().send_raw_transaction(raw_transaction))


def _estimate_gas(state: Evm, transaction: Evm) -> int:
    """Run once with the block's gas, and add what that hides.

    That is what 63/64 forwarding and refunds take, and what has to be left, though it is not used,
    before a payment (MONEY-3).
    """
    from eth.vm.spoof import SpoofTransaction

    snapshot = state.snapshot()
    try:
        spoofed = SpoofTransaction(transaction, gas=state.gas_limit, gas_price=0)
        computation = state.apply_transaction(spoofed)
        computation.raise_if_error()
        used = transaction.intrinsic_gas + computation.get_gas_used()
    finally:
        state.revert(snapshot)
    return int(min(state.gas_limit, used + used // 50 + PAYMENT_GAS_LEFT))


class TesterNode:
    """Answers JSON-RPC methods, one at a time."""

    def __init__(self, *, chain_id: int, block_gas_max: int) -> None:
        backend = _Backend.from_mnemonic(
            DEV_MNEMONIC,
            num_accounts=ACCOUNT_COUNT,
            hd_path=HD_PATH,
            genesis_state_overrides={"balance": ACCOUNT_BALANCE_WEI},
            genesis_parameters=_Backend.generate_genesis_params({"gas_limit": block_gas_max}),
        )
        type(backend.chain).chain_id = chain_id
        backend.chain.gas_estimator = _estimate_gas
        self._lock = threading.Lock()
        tester = EthereumTester(backend)
        provider = EthereumTesterProvider(tester, _endpoints(chain_id))
        self._request = provider.request_func(Web3(provider), MiddlewareOnion([]))

    def answer(self, method: str, params: list[Json]) -> Json:
        """Return the JSON result of a method. Raises `RpcError`."""
        with self._lock:
            try:
                response = self._request(RPCEndpoint(method), _without_defaults(method, params))
            except TransactionFailed as exc:
                raise _reverted(exc) from exc
            except (ValidationError, EVMValidationError, Web3Exception) as exc:
                raise RpcError(ERROR_REJECTED, _one_line(exc)) from exc
        if "error" in response:
            error = response["error"]
            message = error["message"] if isinstance(error, dict) else str(error)
            raise RpcError(ERROR_METHOD_UNKNOWN, message)
        return to_json(_with_bloom(response["result"]))


def _endpoints(chain_id: int) -> dict[str, dict[str, Any]]:
    """Return web3's table of methods with this chain's id."""
    endpoints: dict[str, dict[str, Any]] = {
        namespace: dict(methods) for namespace, methods in API_ENDPOINTS.items()
    }
    endpoints["eth"]["chainId"] = lambda *_: chain_id
    endpoints["net"]["version"] = lambda *_: str(chain_id)
    endpoints["net"]["listening"] = lambda *_: True
    return endpoints


def _without_defaults(method: str, params: list[Json]) -> list[Json]:
    """Drop what other nodes take and eth-tester does not: pending blocks, types, overrides."""
    cleaned: list[Json] = ["latest" if value == "pending" else value for value in params]
    if method in {"eth_call", "eth_estimateGas", "eth_sendTransaction"} and cleaned:
        transaction: dict[str, Json] = dict(cleaned[0])
        data = transaction.pop("input", None)
        transaction.setdefault("data", data or "0x")
        transaction.pop("type", None)
        cleaned[0] = transaction
    if method == "eth_getLogs" and "blockHash" in cleaned[0]:
        raise RpcError(ERROR_REJECTED, "eth_getLogs by blockHash: expected fromBlock and toBlock")
    return cleaned


def _reverted(exc: TransactionFailed) -> RpcError:
    """Return the error of a revert, with the data that a custom error carries."""
    from eth.exceptions import Revert

    cause = exc.args[0] if exc.args else b""
    data = cause.args[0] if isinstance(cause, Revert) and cause.args else cause
    if isinstance(data, bytes):
        return RpcError(ERROR_REVERTED, "execution reverted", "0x" + data.hex())
    return RpcError(ERROR_REVERTED, f"execution reverted: {data}")


def _with_bloom(result: Json) -> Json:
    """Return a block or receipt whose bloom filter has its 256 bytes."""
    bloom = result.get("logsBloom") if hasattr(result, "get") else None
    return {**result, "logsBloom": bloom.to_bytes(256, "big")} if isinstance(bloom, int) else result


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__


def to_json(value: Json) -> Json:
    """Return a JSON-RPC value: quantities and bytes as 0x-hexadecimal."""
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, list | tuple):
        return [to_json(element) for element in value]
    return {_camel_case(str(key)): to_json(element) for key, element in dict(value).items()}


def _camel_case(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)
