"""Shows how the demo goes: a progress bar over a live table, or plain lines in a pipe."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from types import TracebackType

    from tests.demo.recording import AuditLine

REFRESH_PER_S: Final = 5
PLAIN_STEPS: Final = 12


class MarketRow(NamedTuple):
    """What the table says about one market. Money in USD."""

    symbol: str
    index_price: float
    mark: float
    perp: float
    open_interest: float
    fund: float
    trades: int
    liquidations: int


class State(NamedTuple):
    """What is shown at one moment."""

    time_ms: int
    done: int
    total: int
    rows: list[MarketRow]
    batches: int
    accounts: int
    withdrawn: int


class Screen(Protocol):
    """Where the demo shows its state."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """Print one line."""

    def show(self, state: State) -> None:
        """Show the state of now."""


def open_screen(console: Console) -> Screen:
    """Return a live screen on a terminal, and plain lines elsewhere."""
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


class LiveScreen:
    """A progress bar and a table that redraw themselves."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("10 Oct 2025", total=1)
        self._live = Live(console=console, refresh_per_second=REFRESH_PER_S, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, exc, tb)

    def say(self, text: str) -> None:
        """Print one line above the table."""
        self._console.print(text, highlight=False, markup=False)

    def show(self, state: State) -> None:
        """Draw bar and table."""
        self._progress.update(
            self._task,
            description=f"10 Oct 2025 {clock(state.time_ms)}",
            total=state.total,
            completed=state.done,
        )
        self._live.update(Group(self._progress, state_table(state)))


class PlainScreen:
    """One line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        return

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, state: State) -> None:
        """Print a line for each twelfth of the way."""
        step = state.done * PLAIN_STEPS // max(state.total, 1)
        if step == self._shown:
            return
        self._shown = step
        prices = ", ".join(f"{row.symbol.partition('-')[0]} {row.mark:,.2f}" for row in state.rows)
        liquidations = sum(row.liquidations for row in state.rows)
        fund = sum(row.fund for row in state.rows)
        open_interest = sum(row.open_interest for row in state.rows)
        self.say(
            f"  {clock(state.time_ms)}  {prices}  open interest {open_interest:,.0f}  "
            f"liquidations {liquidations}  insurance {fund:,.0f}  batches {state.batches}"
        )


def state_table(state: State) -> Table:
    """Return the live table of one moment."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("market")
    for name in ("index", "perp", "basis", "mark", "open int.", "fund", "trades", "liq."):
        table.add_column(name, justify="right")
    for row in state.rows:
        gap = row.perp / row.index_price - 1 if row.index_price else 0.0
        table.add_row(
            row.symbol,
            _price(row.index_price),
            _price(row.perp),
            f"[{'red' if gap < 0 else 'green'}]{gap:+.2%}[/]",
            _price(row.mark),
            f"{row.open_interest / 1e3:,.0f} k",
            f"{row.fund / 1e3:,.1f} k",
            f"{row.trades:,}",
            f"[bold red]{row.liquidations}[/]" if row.liquidations else "0",
        )
    table.caption = (
        f"{state.accounts} accounts · {state.batches} batches settled · {state.withdrawn} have left"
    )
    return table


def _price(value: float) -> str:
    return f"{value:,.0f}" if value >= 1e4 else f"{value:,.2f}"


def print_summary(console: Console, rows: list[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(f"[dim]{escape(name)}[/]", escape(value))
    console.print(table)


def print_audit(console: Console, lines: list[AuditLine]) -> None:
    """Print each claim with its verdict, and its figures below."""
    for line in lines:
        verdict = "[green]✓[/]" if line.is_true else "[bold red]✗[/]"
        console.print(f"{verdict} {escape(line.claim)}", highlight=False, soft_wrap=True)
        console.print(f"  [dim]{escape(line.figures)}[/]", highlight=False, soft_wrap=True)


def clock(time_ms: int) -> str:
    """Return the time of the replayed day, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M")
