"""Sets the stage: markets, everybody's keys and deposits, everybody's session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bulkhead_signing import Domain, SigningKey
from matcher.client import Client, Market, PublicClient, SessionOptions
from tests.demo.actors.flow import Flow
from tests.demo.actors.maker import Maker
from tests.demo.actors.trader import Trader
from tests.demo.population import FLOWS, MAKERS, TraderPlan
from tests.demo.settings import secret_of

if TYPE_CHECKING:
    from settlement.node import Node
    from tests.demo.onchain import OnChain

QUOTE_PER_USD: Final = 10**6
MAKER_DEPOSIT_USD: Final = 30_000_000
FLOW_DEPOSIT_USD: Final = 1_000_000
FUND_DEPOSITS_USD: Final = (150_000, 100_000, 2_500)  # SOL's runs dry: others are deleveraged
BACKER: Final = "backer"
ORACLE: Final = "oracle"
CREDIT_TIMEOUT_S: Final = 60
DEPOSITS_AT_ONCE: Final = 8


@dataclass
class Stage:
    """Everybody who takes part, connected."""

    target: str
    domain: Domain
    public: PublicClient
    markets: dict[int, Market]
    makers: list[Maker] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    traders: list[Trader] = field(default_factory=list)
    oracle: SigningKey = field(default_factory=lambda: SigningKey(secret_of(ORACLE)))

    def clients(self) -> list[Client]:
        """Return all connections with an account."""
        actors: list[Maker | Flow | Trader] = [*self.makers, *self.flows, *self.traders]
        return [actor.client for actor in actors]

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(client.close() for client in self.clients()), return_exceptions=True)
        await self.public.close()


def people(plans: list[TraderPlan]) -> list[str]:
    """Return the names of all who send transactions."""
    return [BACKER, *MAKERS, *FLOWS, *(plan.name for plan in plans)]


async def deposit_all(chain: OnChain, plans: list[TraderPlan], market_ids: list[int]) -> int:
    """Have everybody mint, approve and deposit on chain; return how many accounts there are."""
    gate = asyncio.Semaphore(DEPOSITS_AT_ONCE)

    async def deposit(name: str, amount_usd: int) -> None:
        async with gate:
            await chain.deposit(secret_of(name), amount_usd * QUOTE_PER_USD)

    for market_id, amount_usd in zip(market_ids, FUND_DEPOSITS_USD, strict=True):
        await chain.fund_insurance(secret_of(BACKER), market_id, amount_usd * QUOTE_PER_USD)
    await asyncio.gather(
        *(deposit(name, MAKER_DEPOSIT_USD) for name in MAKERS),
        *(deposit(name, FLOW_DEPOSIT_USD) for name in FLOWS),
        *(deposit(plan.name, plan.deposit_usd) for plan in plans),
    )
    return len(MAKERS) + len(FLOWS) + len(plans)


async def _credited(client: Client) -> None:
    """Wait until the watcher has reported the account's deposit."""
    while not (await client.balances()).free_quote:  # noqa: ASYNC110 - another process's event
        await asyncio.sleep(0.05)


async def set_stage(target: str, node: Node, plans: list[TraderPlan]) -> Stage:
    """Connect everybody, and wait until the matcher has seen every deposit."""
    domain = Domain(node.addresses.chain_id, node.addresses.settlement_bytes)
    public = await PublicClient.connect(target)
    markets = {market.market_id: market for market in await public.markets()}
    stage = Stage(target, domain, public, markets)
    quiet = SessionOptions(event_count_max=0, resume_after_account_seq=None)

    async def connect(name: str, options: SessionOptions) -> Client:
        return await Client.connect(target, domain, SigningKey(secret_of(name)), options=options)

    for number, name in enumerate(MAKERS):
        client = await connect(name, quiet)
        stage.makers.append(Maker(client, markets, offset_ppm=number * 110))
    for number, name in enumerate(FLOWS):
        stage.flows.append(Flow(await connect(name, quiet), markets, seed=number))
    for plan in plans:
        client = await connect(plan.name, SessionOptions())
        stage.traders.append(Trader(plan, client, markets[plan.market_id]))
    async with asyncio.timeout(CREDIT_TIMEOUT_S):
        for client in stage.clients():
            await _credited(client)
    return stage
