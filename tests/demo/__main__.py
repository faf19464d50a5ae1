"""`make demo`: 10 October 2025, replayed through Bulkhead's own processes, audited and drawn.

Exit status: 0 when every line of the audit holds; 1 when one does not, or a process has failed; 2
for arguments that cannot be used; 129, 130, 143 after SIGHUP, SIGINT, SIGTERM, each of which ends
everything that was started. The processes end also when this one is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from rich.console import Console

from bulkhead_signing import SigningKey
from matcher.client import AdminClient, BulkheadError
from matcher.envelope import INSURANCE_ADDRESS
from settlement.node import Node, open_node, read_addresses
from tests.demo import report
from tests.demo.audit import audit
from tests.demo.inputs import InputError, check
from tests.demo.ledger import ChainLedger, JournalLedger, read_chain, read_journal
from tests.demo.onchain import OnChain
from tests.demo.path import Point, read_corners, walk
from tests.demo.population import TraderPlan, plan_traders
from tests.demo.processes import ProcessError, Processes
from tests.demo.recorder import Recorder
from tests.demo.recording import Recording
from tests.demo.replay import Replay, finish
from tests.demo.screen import Screen, open_screen, print_audit, print_summary
from tests.demo.settings import CONFIG_PATH, Settings, secret_of
from tests.demo.settled import NotSettledError, wait_until_settled
from tests.demo.stage import BACKER, ORACLE, Stage, deposit_all, people, set_stage
from tests.demo.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

SEED: Final = 20251010
SECONDS: Final = 40.0
SLOW_EVERY: Final = 2  # on the slow chain only every second point is walked
REPORT_PATH: Final = Path("build/demo/report.html")
STATUS_FAILED: Final = 1
STATUS_USAGE: Final = 2
STATUS_SIGNALLED: Final = 128  # plus the signal's number
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Demo:
    """One run: processes up, replay, everything settled, audit, report."""

    def __init__(
        self, arguments: argparse.Namespace, path: list[Point], folder: Path, console: Console
    ) -> None:
        """Walk every n-th point of `path`, and write into `folder`."""
        self._arguments = arguments
        self._console = console
        self._folder = folder
        self._processes = Processes(folder)
        self._path = path[:: arguments.every]
        self._recording = Recording(backend="")

    @property
    def ended(self) -> list[str]:
        """Names of the processes that were started and have ended, in that order."""
        return self._processes.ended

    async def run(self) -> bool:
        """Return whether every line of the audit holds."""
        started_s = time.monotonic()
        try:
            settings, plans = self._prepare()
            await self._start(settings)
            with open_screen(self._console) as screen:
                chain, journal = await self._watched(self._work(settings, plans, screen))
        finally:
            await self._processes.stop_all()
        self._recording.summary = summarise(
            self._recording, chain, journal, seconds=time.monotonic() - started_s
        )
        print_summary(self._console, self._recording.summary)
        self._console.print()
        print_audit(self._console, self._recording.audit)
        return all(line.is_true for line in self._recording.audit)

    async def _watched(self, work: Coroutine[None, None, T]) -> T:
        """Return what the work returns; a process that ends by itself ends the work."""
        working = asyncio.create_task(work)
        watching = asyncio.create_task(self._processes.watch())
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else watching.result()
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    def write_report(self, path: Path) -> None:
        """Write the report and say where. Raises `OSError`."""
        report.write(self._recording, path)
        self._console.print(f"\nReport: {path}", highlight=False, markup=False, soft_wrap=True)

    def _prepare(self) -> tuple[Settings, list[TraderPlan]]:
        """Write the configuration and draw the plans."""
        crash = min(self._path, key=lambda point: point.quotes["SOLUSDT"].spot_e9)
        crash_at = self._path.index(crash) / len(self._path)
        source: Path = self._arguments.config
        market_ids = Settings.market_ids(source)
        plans = plan_traders(market_ids, self._arguments.seed, crash_at)
        backend: str = self._arguments.backend
        settings = Settings(self._folder, source, backend=backend, people=[ORACLE, *people(plans)])
        return settings, plans

    async def _start(self, settings: Settings) -> None:
        """Start the four processes as an operator would."""
        option = ("--config", str(settings.path))
        ready = await self._processes.start("chain", *option)
        is_slow = "anvil" not in ready
        self._recording.backend = "eth-tester" if is_slow else "Anvil"
        if is_slow:
            self._path = self._path[::SLOW_EVERY]
        self._console.print(f"chain: {self._recording.backend} at {settings.rpc_url}")
        contract = read_addresses(settings.addresses_path).settlement
        settings.set_chain(contract, is_slow=is_slow)
        try:
            async with asyncio.TaskGroup() as group:
                for name in ("serve", "attest", "relay"):
                    group.create_task(self._processes.start(name, *option))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        self._console.print(f"matcher: {settings.matcher_target}; attestor and relayer are up")

    async def _work(
        self, settings: Settings, plans: list[TraderPlan], screen: Screen
    ) -> tuple[ChainLedger, JournalLedger]:
        addresses = read_addresses(settings.addresses_path)
        async with open_node(settings.rpc_url, addresses) as node:
            chain = OnChain(node)
            market_ids = sorted({plan.market_id for plan in plans})
            count = await deposit_all(chain, plans, market_ids)
            screen.say(f"{count} accounts have deposited on chain")
            stage = await set_stage(settings.matcher_target, node, plans)
            try:
                await self._replay(stage, node, screen)
                screen.say("the day is over; waiting until everything has settled")
                await wait_until_settled(settings.matcher_target, settings.attestor_token)
                admin = await AdminClient.connect(settings.matcher_target, settings.admin_token)
                async with admin:
                    status = await admin.status()
            finally:
                await stage.close()
            screen.say("auditing")
            return await self._audit(
                settings, stage, node, chain, status.command_seq, status.state_hash
            )

    async def _replay(self, stage: Stage, node: Node, screen: Screen) -> None:
        recorder = Recorder(stage.public, stage.markets, self._recording)
        listeners = [asyncio.create_task(recorder.listen())]
        listeners += [asyncio.create_task(trader.listen()) for trader in stage.traders]
        replay = Replay(
            stage,
            recorder,
            self._recording,
            screen,
            node=node,
            path=self._path,
            seconds=self._arguments.seconds,
        )
        try:
            await replay.run()
            await finish(stage)
        finally:
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)
        for listener in listeners:
            if not listener.cancelled() and listener.exception() is not None:
                raise listener.exception() or AssertionError

    async def _audit(
        self,
        settings: Settings,
        stage: Stage,
        node: Node,
        chain: OnChain,
        command_seq: int,
        state_hash: bytes,
    ) -> tuple[ChainLedger, JournalLedger]:
        """Compare chain and journal; the journal is read while the matcher still runs."""
        backer = SigningKey(secret_of(BACKER)).address  # who gave the funds money
        traders = (client.account for client in stage.clients())
        accounts = sorted({INSURANCE_ADDRESS, backer, *traders})
        journal, printed, book = await asyncio.gather(
            asyncio.to_thread(read_journal, settings.journal_dir, command_seq),
            self._processes.call("replay", str(settings.journal_dir), "--until", str(command_seq)),
            read_chain(node, accounts, sorted(stage.markets)),
        )
        replayed = dict(line.split(maxsplit=1) for line in printed.splitlines())
        received = {a: await chain.token_balance_quote(a) for a in journal.withdrawals}
        self._recording.batches = book.batches
        names = {trader.client.account: trader.plan.name for trader in stage.traders}
        self._recording.ratios = journal.watch.closest(names, self._recording.instants)
        self._recording.audit = audit(
            book,
            journal,
            live_hash=state_hash,
            replayed_hash=bytes.fromhex(replayed["state_hash"]),
            received_quote=received,
            symbols={m: market.display.symbol for m, market in stage.markets.items()},
        )
        return book, journal


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--backend", choices=("auto", "anvil", "eth-tester"), default="auto")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long it shall take")
    parser.add_argument("--every", type=int, default=1, help="walk every n-th point only")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--config", type=Path, default=CONFIG_PATH)
    parser.add_argument("--output", type=Path, default=REPORT_PATH, help="where the report goes")
    parser.add_argument("--keep", type=Path, help="folder for journal, outbox and logs")
    return parser.parse_args(argv)


async def run(
    arguments: argparse.Namespace, path: list[Point], folder: Path, console: Console
) -> int:
    """Run the demo; the first signal ends it and everything that it has started."""
    demo = Demo(arguments, path, folder, console)
    task = asyncio.ensure_future(demo.run())
    received: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        """Cancel once: a second cancellation would cut short how the first one ends."""
        console.quiet = console.quiet or number is signal.SIGHUP  # the terminal may be gone
        if not received:
            task.cancel()
        received.append(number)

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        passed = await task
        demo.write_report(arguments.output)
    except asyncio.CancelledError:
        ended = ", ".join(demo.ended) or "nothing had been started"
        console.print(f"interrupted by {received[0].name}; ended: {ended}", markup=False)
        return STATUS_SIGNALLED + received[0]
    except (ProcessError, NotSettledError, BulkheadError, OSError) as error:
        complain(
            str(error) or f"{type(error).__name__}: the machine is too slow or a process hangs"
        )
        return STATUS_FAILED
    return 0 if passed else STATUS_FAILED


def complain(text: str) -> None:
    """Say on standard error what is wrong, in just these words."""
    Console(stderr=True).print(
        f"demo: {text}", style="red", highlight=False, markup=False, soft_wrap=True
    )


def main() -> int:
    """Run the command line; return the exit status."""
    arguments = parse(sys.argv[1:])
    path = walk(read_corners())
    try:
        check(arguments, path)
    except InputError as error:
        complain(str(error))
        return STATUS_USAGE
    console = Console()
    if arguments.keep is not None:
        return asyncio.run(run(arguments, path, arguments.keep.resolve(), console))
    with tempfile.TemporaryDirectory(prefix="bulkhead-demo-") as folder:
        return asyncio.run(run(arguments, path, Path(folder), console))


if __name__ == "__main__":
    sys.exit(main())
