"""What the demo's people do on the chain themselves: mint, approve, deposit; and what it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from eth_account import Account

from settlement.artifacts import load_artifact

if TYPE_CHECKING:
    from hexbytes import HexBytes

    from settlement.node import Node

GAS_MAX: Final = 400_000
FEE_WEI_MAX: Final = 100 * 10**9
TIP_WEI: Final = 10**9
RECEIPT_TIMEOUT_S: Final = 60


class OnChain:
    """Sends the transactions of many owners over one connection."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._chain_id = node.addresses.chain_id
        self._token = node.web3.eth.contract(
            address=node.web3.to_checksum_address(node.addresses.token),
            abi=load_artifact("TestToken").abi,
        )

    async def deposit(self, secret: bytes, amount_quote: int, *, is_first: bool = True) -> None:
        """Mint test tokens to the owner and deposit them; return when that is in a block."""
        calls = self._minting(secret, amount_quote, is_first=is_first)
        calls.append((self._node.settlement, "deposit", (amount_quote,)))
        await self._send_all(secret, calls)

    async def fund_insurance(self, secret: bytes, market_id: int, amount_quote: int) -> None:
        """Mint test tokens and give them to a market's insurance fund."""
        calls = self._minting(secret, amount_quote, is_first=True)
        calls.append((self._node.settlement, "fundInsurance", (market_id, amount_quote)))
        await self._send_all(secret, calls)

    async def token_balance_quote(self, address: bytes) -> int:
        """Return how many tokens an address holds outside the venue."""
        checksummed = self._node.web3.to_checksum_address(address)
        balance: int = await self._token.functions.balanceOf(checksummed).call()
        return balance

    def _minting(
        self, secret: bytes, amount_quote: int, *, is_first: bool
    ) -> list[tuple[Any, str, tuple[Any, ...]]]:
        calls = [(self._token, "mint", (Account.from_key(secret).address, amount_quote))]
        if is_first:
            approval = (self._node.settlement.address, 2**255)
            calls.append((self._token, "approve", approval))
        return calls

    async def _send_all(self, secret: bytes, calls: list[tuple[Any, str, tuple[Any, ...]]]) -> None:
        """Send calls of one owner in order, and expect that the last one succeeds."""
        eth = self._node.web3.eth
        owner = Account.from_key(secret)
        nonce = await eth.get_transaction_count(owner.address)
        tx_hash: HexBytes | None = None
        for number, (contract, function, arguments) in enumerate(calls):
            transaction = {
                "chainId": self._chain_id,
                "nonce": nonce + number,
                "to": contract.address,
                "data": contract.encode_abi(function, args=list(arguments)),
                "gas": GAS_MAX,
                "maxFeePerGas": FEE_WEI_MAX,
                "maxPriorityFeePerGas": TIP_WEI,
                "value": 0,
            }
            signed = owner.sign_transaction(transaction)
            tx_hash = await eth.send_raw_transaction(signed.raw_transaction)
        assert tx_hash is not None
        receipt = await eth.wait_for_transaction_receipt(
            tx_hash, timeout=RECEIPT_TIMEOUT_S, poll_latency=0.02
        )
        assert receipt["status"] == 1, f"{calls[-1][1]} reverted: {tx_hash.to_0x_hex()}"
