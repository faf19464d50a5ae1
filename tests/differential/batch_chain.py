"""An Anvil with the contract, driven second by second, for random batches."""

from __future__ import annotations

import http.client
import json
import re
import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from bulkhead_signing import Batch, SigningKey, keccak
from margin_core import MarketSpec, Tier
from settlement.chain.deploy import market_arguments
from settlement.config import MarketTable, TierTable
from settlement.keys import dev_secret
from tests.integration.settlement_support import CONFIG, Chain, running_chain
from tests.model.settlement import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.model.settlement import Venue

ATTESTOR = SigningKey(dev_secret(1))
OWNER = "0x" + SigningKey(dev_secret(0)).address.hex()
RELAYER = "0x" + SigningKey(dev_secret(2)).address.hex()
SOURCES = tuple(SigningKey(dev_secret(number)) for number in (3, 4, 5))
GAS_MAX = 15_000_000
ETHER_WEI = 10**20
WORDS_PER_QUESTION = 500
RECEIPT_TIMEOUT_S = 30

# 1 when the first byte of the signature is 1 (EIP-1271): calldata 100 is where it stands.
WALLET_CODE = "0x60643560f81c631626ba7e60e01b0260005260206000f3"

LIMITS = Limits(
    clock_ahead_max_s=60, clock_lag_max_s=300, withdrawal_s=900, large_withdrawal_quote=9_000_000,
    outflow_limit_ppm=100_000, outflow_window_s=3_600, top_up_grace_s=200, risk_pause_notice_s=20,
    oracle_quorum=2, oracle_deviation_ppm=10_000, oracle_spread_max_ms=2_000,
)  # fmt: skip
PARAMETERS_S = 1_600
TIERS = (
    Tier(notional_floor_quote=0, margin_initial_ppm=100_000, margin_maintenance_ppm=50_000),
    Tier(
        notional_floor_quote=20_000_000, margin_initial_ppm=150_000,
        margin_maintenance_ppm=80_000,
    ),
)  # fmt: skip


def spec_of(market_id: int, expiry_time_s: int) -> MarketSpec:
    """Return one of the two markets; the second one ends."""
    return MarketSpec(
        market_id=market_id, quote_per_tick_lot=10 if market_id == 1 else 7,
        price_ticks_max=100_000, position_lots_max=2_000, fee_maker_ppm=200, fee_taker_ppm=500,
        fee_liquidation_ppm=10_000, liquidation_buffer_ppm=5_000, mark_band_ppm=50_000,
        funding_cap_ppm=10_000, funding_interval_s=60, index_age_max_ms=20_000,
        expiry_time_s=expiry_time_s, tiers=TIERS,
    )  # fmt: skip


def configuration(specs: list[MarketSpec]) -> str:
    """Return the development configuration with these markets, delays and limits."""
    text = CONFIG.read_text()
    block = re.search(r"\[\[matcher\.markets\]\].*?^\]\n", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    blocks = "".join(market_block(block[0], spec) for spec in specs)
    text = text.replace(block[0], blocks)
    signers = ", ".join(f'"0x{key.address.hex()}"' for key in SOURCES)
    text = re.sub(r"oracle_signers = \[.*\]", f"oracle_signers = [{signers}]", text)
    text = re.sub(
        r"clock_ahead_max_s = \d+", f"clock_ahead_max_s = {LIMITS.clock_ahead_max_s}", text
    )
    text = re.sub(r"clock_lag_max_s = [\d_]+", f"clock_lag_max_s = {LIMITS.clock_lag_max_s}", text)
    chain = f"""

[matcher.oracle]
quorum = {LIMITS.oracle_quorum}
deviation_max_ppm = {LIMITS.oracle_deviation_ppm}
spread_max_ms = {LIMITS.oracle_spread_max_ms}

[settlement.chain.delays]
governance_s = {PARAMETERS_S}
parameters_s = {PARAMETERS_S}
forced_s = 600
insurance_lock_s = 0
withdrawal_s = {LIMITS.withdrawal_s}

[settlement.chain.limits]
large_withdrawal_quote = {LIMITS.large_withdrawal_quote}
outflow_limit_ppm = {LIMITS.outflow_limit_ppm}
outflow_window_s = {LIMITS.outflow_window_s}
top_up_grace_s = {LIMITS.top_up_grace_s}
risk_pause_notice_s = {LIMITS.risk_pause_notice_s}
deposit_min_quote = 1

[settlement.attest]"""
    return text.replace("\n[settlement.attest]", chain)


def market_block(block: str, spec: MarketSpec) -> str:
    """Return a market's table with the numbers of `spec`."""
    block = re.sub(r"^(fund|impact|grace|order_band).*\n", "", block, flags=re.MULTILINE)
    for name in table_of(spec).__struct_fields__:
        value = getattr(spec, name, None)
        if type(value) is int and re.search(rf"^{name} = ", block, re.MULTILINE):
            block = re.sub(rf"^{name} = [\d_]+", f"{name} = {value}", block, flags=re.MULTILINE)
    tiers = ", ".join(
        "{ "
        + ", ".join(
            f"{name} = {getattr(tier, name)}"
            for name in ("notional_floor_quote", "margin_initial_ppm", "margin_maintenance_ppm")
        )
        + " }"
        for tier in spec.tiers
    )
    block = re.sub(r"tiers = \[.*?^\]", f"tiers = [{tiers}]", block, flags=re.DOTALL | re.MULTILINE)
    block = block.replace("BTC-PERP", f"M{spec.market_id}-PERP")
    return (
        block
        + f"funding_cap_ppm = {spec.funding_cap_ppm}\n"
        + f"funding_interval_s = {spec.funding_interval_s}\n"
        + f"expiry_time_s = {spec.expiry_time_s}\n\n"
    )


def table_of(spec: MarketSpec) -> MarketTable:
    """Return the market as the configuration has it."""
    names = set(MarketTable.__struct_fields__) & set(MarketSpec.__dataclass_fields__)
    numbers = {name: getattr(spec, name) for name in names - {"tiers", "kind"}}
    names = set(TierTable.__struct_fields__)
    tiers = [TierTable(**{name: getattr(tier, name) for name in names}) for tier in spec.tiers]
    return MarketTable(**numbers, tiers=tiers)


class RevertedError(Exception):
    """The node has refused a transaction, or it reverted."""


class BatchChain:
    """The contract on a chain whose clock the test moves."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.domain = chain.domain
        host, _, port = chain.rpc_url.removeprefix("http://").partition(":")
        self._http = http.client.HTTPConnection(host, int(port))
        self._ids = count(1)
        self._topics = {
            name: "0x" + keccak(text.encode()).hex()
            for name, text in (
                ("refused", "ItemRejected(uint64,uint32,uint8)"),
                ("served", "RequestServed(uint64,uint8)"),
            )
        }
        self.now_s = int(self.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # JSON-RPC

    def ask_all(self, *asked: tuple[str, list[Any]]) -> list[Any]:
        """Return the results of several calls in one request."""
        body = [
            {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
            for method, params in asked
        ]
        self._http.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
        answers = json.loads(self._http.getresponse().read())
        for answer in answers:
            if "error" in answer:
                raise RevertedError(answer["error"])
        by_id = {answer["id"]: answer["result"] for answer in answers}
        return [by_id[one["id"]] for one in body]

    def ask(self, method: str, *params: Any) -> Any:
        return self.ask_all((method, list(params)))[0]

    def words(self, slots: list[int]) -> list[int]:
        """Return the contract's storage words."""
        address = self.chain.settlement.address
        found: list[int] = []
        for first in range(0, len(slots), WORDS_PER_QUESTION):
            part = slots[first : first + WORDS_PER_QUESTION]
            asked = (("eth_getStorageAt", [address, hex(slot), "latest"]) for slot in part)
            found += (int(word, 16) for word in self.ask_all(*asked))
        return found

    # Transactions, each in a block of its own, a second or more after the last

    def send(self, sender: str, data: str, to: str | None = None) -> dict[str, Any]:
        """Send a call of the contract. Raises `RevertedError`."""
        self.now_s += 1
        transaction = {
            "from": sender, "to": to or self.chain.settlement.address, "data": data,
            "gas": hex(GAS_MAX), "gasPrice": hex(3 * 10**9),
        }  # fmt: skip
        self.ask("evm_setNextBlockTimestamp", self.now_s)
        (tx_hash,) = self.ask_all(("eth_sendTransaction", [transaction]))
        receipt: dict[str, Any] = self._mined(tx_hash)
        if receipt["status"] != "0x1":
            raise RevertedError(receipt)
        return receipt

    def _mined(self, tx_hash: str) -> Any:
        """Wait for a receipt: the node mines at once, but not before it answers."""
        deadline = time.monotonic() + RECEIPT_TIMEOUT_S
        while (receipt := self.ask("eth_getTransactionReceipt", tx_hash)) is None:
            assert time.monotonic() < deadline, "no receipt"
            time.sleep(0.002)
        return receipt

    def call(self, sender: bytes | str, function: str, *arguments: Any) -> None:
        """Call a function of the contract by name."""
        sender = sender if isinstance(sender, str) else "0x" + sender.hex()
        checked = [
            self.chain.web3.to_checksum_address(value)
            if isinstance(value, bytes) and len(value) == 20
            else value
            for value in arguments
        ]
        self.send(sender, self.chain.settlement.encode_abi(function, checked))

    def settle(self, venue: Venue, sequence: int, payload: bytes) -> dict[str, Any] | None:
        """Attest and settle a payload; return the receipt, or None when it is void."""
        batch = Batch(sequence, 1, venue.digest, keccak(payload))
        signatures = [ATTESTOR.sign(self.domain.digest(batch))]
        data = self.chain.settlement.encode_abi("settle", [payload, signatures])
        try:
            return self.send(RELAYER, data)
        except RevertedError:
            return None

    def told(self, receipt: dict[str, Any], item_count: int) -> tuple[bytes, list[int]]:
        """Return the reason of each item, and the outcomes of served requests."""
        reasons, outcomes = bytearray(item_count), []
        for log in receipt["logs"]:
            data = bytes.fromhex(log["data"][2:])
            numbers = [int(topic, 16) for topic in log["topics"][1:]]
            numbers += (int.from_bytes(data[k : k + 32], "big") for k in range(0, len(data), 32))
            if log["topics"][0] == self._topics["refused"]:
                reasons[numbers[1]] = numbers[2]
            elif log["topics"][0] == self._topics["served"]:
                outcomes.append(numbers[1])
        return bytes(reasons), outcomes

    # Setting the scene

    def adopt(self, address: bytes, *, is_wallet: bool = False) -> None:
        """Let the node send for an address that has gas money."""
        text = "0x" + address.hex()
        self.ask("anvil_setBalance", text, hex(ETHER_WEI))
        self.ask("anvil_impersonateAccount", text)
        if is_wallet:
            self.ask("anvil_setCode", text, WALLET_CODE)

    def mint(self, amount: int) -> None:
        """Give the owner tokens that the contract may take."""
        token = self.chain.token
        spender = self.chain.settlement.address
        for name, to in (
            ("mint", self.chain.web3.to_checksum_address(OWNER)),
            ("approve", spender),
        ):
            self.send(OWNER, token.encode_abi(name, [to, amount]), token.address)

    def announce(self, spec: MarketSpec, from_s: int) -> None:
        """Announce parameters (GOV-5)."""
        params, tiers = market_arguments(table_of(spec))
        self.call(OWNER, "announceMarketParams", spec.market_id, params, tiers, from_s)


@contextmanager
def batch_chain(tmp_path: Path, specs: list[MarketSpec]) -> Iterator[BatchChain]:
    """Run the chain with these markets."""
    config = tmp_path / "batches.toml"
    config.write_text(configuration(specs))
    with running_chain(tmp_path, "anvil", config=config) as chain:
        driven = BatchChain(chain)
        try:
            yield driven
        finally:
            driven.close()
