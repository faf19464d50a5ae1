"""The command `bulkhead`: its own commands, and those that other packages plug in.

Every typer app registered under the entry-point group `bulkhead.commands` adds its commands. An
operating error is one line on standard error; exit status 2 for a wrong configuration, 1 else.
"""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from matcher import telemetry
from matcher.config import load
from matcher.errors import BulkheadError, ConfigError

COMMANDS_GROUP: Final = "bulkhead.commands"
EXIT_ERROR: Final = 1
EXIT_CONFIG: Final = 2
DEFAULT_CONFIG: Final = Path("deploy/config/dev.toml")

app = typer.Typer(
    name="bulkhead",
    help="An exchange for derivatives with isolated margin.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # [table] in a help text is no markup
    pretty_exceptions_enable=False,
)


@app.callback()
def bulkhead() -> None:
    """Run one of the processes of the exchange, or look at what they left."""


@app.command()
def serve(
    config: Annotated[
        Path, typer.Option(help="TOML file with a [matcher] table.")
    ] = DEFAULT_CONFIG,
    listen: Annotated[str | None, typer.Option(help="Replaces listen: host:port.")] = None,
    journal_dir: Annotated[Path | None, typer.Option(help="Replaces journal_dir.")] = None,
    chain_id: Annotated[int | None, typer.Option(help="Replaces domain.chain_id.")] = None,
    contract: Annotated[str | None, typer.Option(help="Replaces domain.contract.")] = None,
    log_level: Annotated[str | None, typer.Option(help="Replaces log_level.")] = None,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when the process that started this one ends.")
    ] = False,
) -> None:
    """Run the matcher until SIGINT, SIGTERM or SIGHUP."""
    overrides: dict[str, Any] = {
        "listen": listen,
        "journal_dir": None if journal_dir is None else str(journal_dir),
        "domain.chain_id": chain_id,
        "domain.contract": contract,
        "log_level": log_level,
    }
    given = {key: value for key, value in overrides.items() if value is not None}
    settings = load(config, given)
    telemetry.configure(level=settings.log_level, log_format=settings.log_format)
    from matcher.serve import end_with_parent
    from matcher.serve import serve as run

    if with_parent:
        end_with_parent()
    asyncio.run(run(settings, lambda address: typer.echo(f"matcher: listening on {address}")))


@app.command()
def replay(
    journal_dir: Annotated[Path, typer.Argument(help="The journal_dir of a matcher.")],
    until: Annotated[int | None, typer.Option(help="Last command_seq to apply.")] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="File to write the state to, as JSON; `bulkhead reconcile` reads it."),
    ] = None,
) -> None:
    """Apply a journal from its beginning, check all invariants and print the state hash."""
    from matcher.replay import replay_directory
    from matcher.state_file import write_state

    telemetry.configure()
    venue = replay_directory(journal_dir, until)
    venue.engine.check_invariants()
    typer.echo(f"command_seq {venue.cursor.command_seq}")
    typer.echo(f"time_ns {venue.cursor.time_ns}")
    typer.echo(f"item_seq {venue.settlement.item_seq}")
    typer.echo(f"deposit_seq {venue.cursor.deposit_seq}")
    typer.echo(f"batch_seq {venue.receipts.batch_seq}")
    typer.echo(f"state_hash {venue.engine.state_hash().hex()}")
    if state is not None:
        write_state(state, venue)
    venue.close()


def main() -> None:
    """Run the command line and exit."""
    for entry_point in entry_points(group=COMMANDS_GROUP):
        app.add_typer(entry_point.load())
    try:
        app()
    except ConfigError as exc:
        _end(exc, EXIT_CONFIG)
    except BulkheadError as exc:
        _end(exc, EXIT_ERROR)


def _end(exc: BulkheadError, status: int) -> None:
    typer.echo(f"bulkhead: {exc}", err=True)
    sys.exit(status)
