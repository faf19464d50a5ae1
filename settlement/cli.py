"""Settlement's commands, added to `bulkhead` by the entry-point group `bulkhead.commands`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from settlement import telemetry
from settlement.config import Config, load
from settlement.errors import ConfigError, SettlementError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from settlement.node import Addresses

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

STATUS_OPERATING_ERROR: Final = 1
STATUS_CONFIG_ERROR: Final = 2

ConfigOption = Annotated[
    Path, typer.Option("--config", help="TOML file with the tables [settlement] and [matcher].")
]
AddressesOption = Annotated[
    str | None, typer.Option("--addresses", help="Addresses file; see settlement.addresses_file.")
]
RpcOption = Annotated[str | None, typer.Option("--rpc-url", help="JSON-RPC node of the chain.")]
KeyOption = Annotated[
    str | None, typer.Option("--key", help="file:PATH, keystore:PATH, env:NAME or dev:N.")
]
ParentOption = Annotated[
    bool, typer.Option("--with-parent", help="End when the process that started this one ends.")
]
DEFAULT_CONFIG: Final = Path("deploy/config/dev.toml")


@app.command()
def chain(
    config: ConfigOption = DEFAULT_CONFIG,
    backend: Annotated[
        str | None, typer.Option("--backend", help="auto, anvil or eth-tester.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="0: any free port.")] = None,
    addresses: AddressesOption = None,
    with_parent: ParentOption = False,
) -> None:
    """Run the embedded chain with the contracts deployed; for demonstration and tests."""
    from settlement.chain.embedded import run_chain

    overrides = {"chain.backend": backend, "chain.port": port, "addresses_file": addresses}
    _run(config, overrides, lambda loaded: run_chain(loaded, _announce), with_parent=with_parent)


@app.command()
def attest(
    config: ConfigOption = DEFAULT_CONFIG,
    rpc_url: RpcOption = None,
    addresses: AddressesOption = None,
    matcher: Annotated[
        str | None, typer.Option("--matcher", help="SettlementFeedService, as host:port.")
    ] = None,
    listen: Annotated[
        str | None, typer.Option("--listen", help="Where RelayService listens, as host:port.")
    ] = None,
    key: KeyOption = None,
    outbox: Annotated[str | None, typer.Option("--outbox", help="SQLAlchemy URL.")] = None,
    with_parent: ParentOption = False,
) -> None:
    """Build, sign and keep batches; report deposits and receipts to the matcher."""
    overrides = {
        "rpc_url": rpc_url,
        "addresses_file": addresses,
        "attest.matcher": matcher,
        "attest.listen": listen,
        "attest.key": key,
        "attest.outbox": outbox,
    }
    _run(
        config,
        overrides,
        _attestor,
        with_parent=with_parent,
    )


@app.command()
def relay(
    config: ConfigOption = DEFAULT_CONFIG,
    rpc_url: RpcOption = None,
    addresses: AddressesOption = None,
    attestor: Annotated[
        str | None, typer.Option("--attestor", help="RelayService, as host:port.")
    ] = None,
    key: KeyOption = None,
    with_parent: ParentOption = False,
) -> None:
    """Submit signed batches to the chain and pay their gas."""
    overrides = {
        "rpc_url": rpc_url,
        "addresses_file": addresses,
        "relay.attestor": attestor,
        "relay.key": key,
    }
    _run(
        config,
        overrides,
        _relayer,
        with_parent=with_parent,
    )


@app.command()
def reconcile(
    snapshot: Annotated[
        Path, typer.Argument(help="What `bulkhead replay DIR --state FILE` has written.")
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    rpc_url: RpcOption = None,
    addresses: AddressesOption = None,
) -> None:
    """Compare the chain with the matcher's state; status 1 when they differ."""
    from settlement.reconciler import run_reconciler

    overrides = {"rpc_url": rpc_url, "addresses_file": addresses}
    _run(
        config,
        overrides,
        lambda loaded: run_reconciler(loaded, _deployment(loaded), snapshot, _announce),
        with_parent=False,
    )


def _attestor(config: Config) -> Coroutine[Any, Any, None]:
    from settlement.attestor import run_attestor

    return run_attestor(config, _deployment(config), _announce)


def _relayer(config: Config) -> Coroutine[Any, Any, None]:
    from settlement.relayer import run_relayer

    return run_relayer(config, _deployment(config), _announce)


def _deployment(config: Config) -> Addresses:
    from settlement.node import read_addresses

    return read_addresses(Path(config.settlement.addresses_file))


def _announce(line: str) -> None:
    """Print a line that others wait for."""
    print(line, flush=True)


def _run(
    path: Path,
    overrides: dict[str, Any],
    start: Callable[[Config], Coroutine[Any, Any, int | None]],
    *,
    with_parent: bool,
) -> None:
    """Load the configuration and run; an operating error is one line and a status."""
    from settlement.process import die_with_parent

    if with_parent:
        die_with_parent()
    try:
        config: Config = load(path, overrides)
        telemetry.configure(
            level=config.settlement.log_level, log_format=config.settlement.log_format
        )
        status = asyncio.run(start(config))
    except ConfigError as exc:
        _fail(exc, STATUS_CONFIG_ERROR)
    except SettlementError as exc:
        _fail(exc, STATUS_OPERATING_ERROR)
    if status:
        raise typer.Exit(status)


def _fail(exc: SettlementError, status: int) -> None:
    print(f"bulkhead: {exc}", file=sys.stderr)
    raise typer.Exit(status) from exc


if __name__ == "__main__":
    app()
