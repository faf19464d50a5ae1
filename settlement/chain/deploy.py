"""Deploys token, vault and Settlement on a fresh development chain, and configures them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from eth_account import Account

from settlement.artifacts import load_artifact
from settlement.errors import SettlementError
from settlement.keys import dev_secret
from settlement.node import Addresses
from settlement.records import MARKET_PARAM_NAMES

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from hexbytes import HexBytes
    from web3 import AsyncWeb3
    from web3.contract import AsyncContract
    from web3.types import TxReceipt

    from settlement.config import ChainTable, MarketTable, SharedTable

EPOCH: Final = 1
ZERO_ADDRESS: Final = "0x" + 40 * "0"
# Each is told the one before it: a call walks up this list until a desk knows it.
DESKS: Final = ("InsuranceDesk", "ExitDesk", "GovernanceDesk", "SettlementDesk")
GAS_MAX: Final = 16_000_000
FEE_WEI_MAX: Final = 100 * 10**9
TIP_WEI: Final = 10**9
WEI_PER_GWEI: Final = 10**9
RECEIPT_TIMEOUT_S: Final = 60


class Deployer:
    """Sends the deployer's transactions one after the other. The chain is ours alone."""

    def __init__(self, web3: AsyncWeb3[Any]) -> None:
        self._web3 = web3
        self.account: LocalAccount = Account.from_key(dev_secret(0))
        self._nonce = 0
        self._sent: list[HexBytes] = []

    async def send(self, transaction: dict[str, Any]) -> None:
        """Sign and send; `expect_success` asks for the receipts."""
        filled = {
            "chainId": await self._web3.eth.chain_id,
            "nonce": self._nonce,
            "gas": GAS_MAX,
            "maxFeePerGas": FEE_WEI_MAX,
            "maxPriorityFeePerGas": TIP_WEI,
            "value": 0,
            **transaction,
        }
        signed = self.account.sign_transaction(filled)
        self._sent.append(await self._web3.eth.send_raw_transaction(signed.raw_transaction))
        self._nonce += 1

    async def create(self, name: str, *arguments: object) -> AsyncContract:
        """Deploy a contract of settlement/abi."""
        artifact = load_artifact(name)
        factory = self._web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        await self.send({"data": factory.constructor(*arguments).data_in_transaction})
        receipt = await self._receipt(self._sent[-1])
        contract = self._web3.eth.contract(address=receipt["contractAddress"], abi=artifact.abi)
        return cast("AsyncContract", contract)

    async def call(self, contract: AsyncContract, function: str, *arguments: object) -> None:
        """Send a call of a contract's function."""
        data = contract.encode_abi(function, args=list(arguments))
        await self.send({"to": contract.address, "data": data})

    async def expect_success(self) -> None:
        """Wait for every transaction sent so far. Raises `SettlementError` when one failed."""
        for tx_hash in self._sent:
            await self._receipt(tx_hash)
        self._sent.clear()

    async def _receipt(self, tx_hash: HexBytes) -> TxReceipt:
        receipt = await self._web3.eth.wait_for_transaction_receipt(
            tx_hash, timeout=RECEIPT_TIMEOUT_S, poll_latency=0.02
        )
        if receipt["status"] != 1:
            raise SettlementError(f"chain: deployment transaction {tx_hash.to_0x_hex()} reverted")
        return receipt


async def deploy(web3: AsyncWeb3[Any], chain: ChainTable, shared: SharedTable) -> Addresses:
    """Deploy and configure everything; return where it is.

    Raises:
        SettlementError: A transaction reverted, or the chain is not fresh.
    """
    deployer = Deployer(web3)
    if await web3.eth.get_transaction_count(deployer.account.address):
        raise SettlementError(
            "chain: the deployer has sent transactions before; expected a fresh chain"
        )
    token = await deployer.create("TestToken")
    settlement = await deployer.create(
        "Settlement",
        token.address,
        deployer.account.address,
        await _modules(deployer),
        venue_config(chain),
    )
    attestors = sorted(chain.attestors, key=str.lower)
    await deployer.call(
        settlement, "setAttestors", EPOCH, _checksummed(web3, attestors), chain.quorum
    )
    for signer in shared.oracle_signers:
        await deployer.call(settlement, "setOracleSigner", web3.to_checksum_address(signer), True)
    await deployer.call(
        settlement,
        "setOracleRule",
        shared.oracle.quorum,
        shared.oracle.deviation_max_ppm,
        shared.oracle.spread_max_ms,
    )
    for market in shared.markets:
        await deployer.call(settlement, "listMarket", market.market_id, *market_arguments(market))
    await deployer.call(settlement, "setGuardian", deployer.account.address)
    await deployer.call(settlement, "setFeeRecipient", deployer.account.address)
    await deployer.call(settlement, "openVenue")
    for address in _checksummed(web3, chain.funded):
        if chain.funded_gas_gwei:
            value = chain.funded_gas_gwei * WEI_PER_GWEI
            await deployer.send({"to": address, "value": value, "gas": 21_000})
        if chain.funded_quote:
            await deployer.call(token, "mint", address, chain.funded_quote)
    await deployer.expect_success()
    return Addresses(
        chain_id=await web3.eth.chain_id,
        settlement=settlement.address,
        vault=await settlement.functions.VAULT().call(),
        token=token.address,
        deploy_block=1,
    )


async def _modules(deployer: Deployer) -> tuple[str, ...]:
    """Deploy the desks, the last of the chain first, and the modules; return `Modules`."""
    address = ZERO_ADDRESS
    for name in DESKS:
        address = (await deployer.create(name, address)).address
    forced = await deployer.create("ForcedModule")
    annex = await deployer.create("SettlementAnnex", forced.address)
    return address, annex.address, (await deployer.create("PaymentsModule")).address


def venue_config(chain: ChainTable) -> tuple[object, ...]:
    """Return `VenueConfig` as Settlement's constructor takes it."""
    delays, limits = chain.delays, chain.limits
    return (
        chain.clock_ahead_max_s,
        chain.clock_lag_max_s,
        (
            delays.governance_s,
            delays.parameters_s,
            delays.parameters_grace_s,
            delays.forced_s,
            delays.withdrawal_s,
            delays.withdrawal_stretch_s,
            delays.migration_s,
            delays.insurance_lock_s,
        ),
        (
            limits.large_withdrawal_quote,
            limits.outflow_limit_ppm,
            limits.outflow_window_s,
            limits.top_up_grace_s,
            limits.risk_pause_notice_s,
            limits.deposit_min_quote,
        ),
    )


def market_arguments(market: MarketTable) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Return `MarketParams` and `Tier[]` as `listMarket` takes them."""
    params = tuple(getattr(market, name) for name in MARKET_PARAM_NAMES)
    tiers: list[tuple[int, ...]] = [
        (tier.notional_floor_quote, tier.margin_initial_ppm, tier.margin_maintenance_ppm)
        for tier in market.tiers
    ]
    return params, tiers


def _checksummed(web3: AsyncWeb3[Any], addresses: list[str]) -> list[str]:
    return [web3.to_checksum_address(address) for address in addresses]
