"""Writes the demo's report: one HTML file that needs nothing else, in light and in dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Final, TypedDict

from tests.demo.charts import Line, Mark, bar_chart, line_chart
from tests.demo.recording import Batch, LiquidationKind, MarketRecord, Recording

GAS_MAX: Final = 15_000_000
HOUR_MS: Final = 3_600_000
TICK_STEPS_MS: Final = (600_000, 1_200_000, HOUR_MS, 2 * HOUR_MS)
CLOSE_UP_MS: Final = 2_400_000  # each side of the low
RATIO_SHOWN_MAX: Final = 1.6
SHAPES: Final = {
    LiquidationKind.FILLED: ("loss", "dot"),
    LiquidationKind.TAKEN_OVER: ("fund", "diamond"),
    LiquidationKind.DELEVERAGED: ("adl", "cross"),
}
SERIES: Final = ("s1", "s2", "s3", "s4", "s5", "s6")
SOURCE: Final = "Prices: five-minute bars of Binance, USD-M perpetuals and spot (tests/demo/data)"

STYLE: Final = """
:root { color-scheme: light dark; --page: #fbfbfa; --card: #ffffff; --text: #1d2329;
  --soft: #626c76; --edge: #e3e5e8; --grid: #eceef0; --muted: #9aa3ab; --s1: #1f6feb;
  --s2: #b35900; --s3: #1a7f5a; --s4: #8250df; --s5: #bf3989; --s6: #57606a; --loss: #d1242f;
  --fund: #9a6700; --adl: #6639ba; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1317; --card: #161b21; --text: #e4e8ec;
  --soft: #97a2ad; --edge: #2a3139; --grid: #222931; --muted: #6b7681; --s1: #58a6ff; --s2: #f0883e;
  --s3: #3fb98a; --s4: #b48cff; --s5: #f778ba; --s6: #b1bac4; --loss: #ff6b6b; --fund: #e3b341;
  --adl: #c297ff; --good: #4cc46a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 20px 64px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 6px; }
h2 { font-size: 16px; margin: 0 0 2px; }
p { margin: 0 0 10px; color: var(--soft); max-width: 75ch; }
section { background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
  padding: 18px 20px; margin-top: 16px; overflow-x: auto; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(168px, 1fr)); padding: 0;
  overflow: hidden; }
.figures div { padding: 12px 16px; box-shadow: 1px 1px 0 var(--edge); }
.figures dt { color: var(--soft); font-size: 13px; }
.figures dd { margin: 0; font-size: 19px; font-variant-numeric: tabular-nums; }
dl { margin: 0; }
svg { display: block; width: 100%; height: auto; min-width: 620px; margin-top: 8px; }
.grid { stroke: var(--grid); } .rule { stroke: var(--muted); stroke-dasharray: 4 4; }
.tick { fill: var(--soft); font-size: 11.5px; font-variant-numeric: tabular-nums; }
.name { font-size: 12px; font-weight: 600; }
.line { fill: none; stroke-width: 1.7; stroke-linejoin: round; }
.line.muted { stroke: var(--muted); stroke-width: 1.2; } .name.muted { fill: var(--soft); }
.bar { fill: var(--s1); }
.mark { stroke: var(--card); stroke-width: 1; } .mark.cross { stroke-width: 2; fill: none; }
.loss { fill: var(--loss); } .fund { fill: var(--fund); } .mark.adl { stroke: var(--adl); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft); }
.legend svg { display: inline-block; width: 14px; min-width: 0; height: 14px; margin: 0 5px 0 0;
  vertical-align: -2px; }
table { border-collapse: collapse; width: 100%; }
td { padding: 7px 10px 7px 0; border-top: 1px solid var(--edge); vertical-align: top; }
tr:first-child td { border-top: 0; }
td:nth-child(2) { width: 38%; }
td.figure { color: var(--soft); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.yes { color: var(--good); font-weight: 700; } .no { color: var(--loss); font-weight: 700; }
.empty { padding: 20px 0; }
""" + "\n".join(
    f".line.{s} {{ stroke: var(--{s}); }} .name.{s} {{ fill: var(--{s}); }}" for s in SERIES
)


def write(recording: Recording, path: Path) -> None:
    """Write the report of a finished replay."""
    passed = sum(line.is_true for line in recording.audit)
    verdict = f"{passed} of {len(recording.audit)} audit lines hold"
    lead = (
        "Twelve hours of BTC, ETH and SOL perpetuals with spot as the index, matched off chain and "
        f"settled on {recording.backend}. {verdict}. Times are those of the replayed day, UTC."
    )
    parts = [
        "<h1>Bulkhead: 10 October 2025, replayed</h1>",
        f"<p>{escape(lead)}</p>",
        f"<p>{escape(_scaling(recording))}</p>",
        _figures(recording),
        _audit(recording),
        *(_price(market) for market in recording.markets.values()),
        _ratios(recording),
        _fund(recording),
        _open_interest(recording),
        _gas(recording),
    ]
    path.write_text(_page("".join(parts)), encoding="utf-8")


def _scaling(recording: Recording) -> str:
    """Return where the prices come from and how fast the day went by."""
    instants = [at for market in recording.markets.values() for at, _ in market.index]
    if not instants or not recording.walk_seconds:
        return f"{SOURCE}."
    minutes = (max(instants) - min(instants)) / 60_000
    return (
        f"{SOURCE}. Time is scaled: {minutes / 60:.3g} hours are walked in "
        f"{recording.walk_seconds:g} s, one second stands for "
        f"{minutes / recording.walk_seconds:.3g} minutes."
    )


def _page(body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Bulkhead: 10 October 2025, replayed</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _section(title: str, text: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(text)}</p>{body}</section>"


def _figures(recording: Recording) -> str:
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in recording.summary
    )
    return f'<section class="figures" aria-label="Summary">{cells}</section>'


def _audit(recording: Recording) -> str:
    rows = "".join(
        f'<tr><td class="{"yes" if line.is_true else "no"}">{"✓" if line.is_true else "✗"}</td>'
        f'<td>{escape(line.claim)}</td><td class="figure">{escape(line.figures)}</td></tr>'
        for line in recording.audit
    )
    text = "Computed twice, from the chain's own views and from the journal, and compared."
    return _section("Audit", text, f"<table>{rows}</table>")


def _price(market: MarketRecord) -> str:
    marks = [
        Mark(
            event.time_ms,
            event.price,
            *SHAPES[event.kind],
            f"{_clock(event.time_ms)} {event.kind}: {event.qty:g} at {event.price:,.2f}",
        )
        for event in market.liquidations
    ]
    lines = [
        Line("perpetual", "muted", market.perp),
        Line("index", "s2", market.index),
        Line("mark", "s1", market.mark),
    ]
    whole = line_chart(
        lines,
        marks=marks,
        title=f"Prices of {market.symbol}, the whole replay",
        y_label=_usd,
        height=210,
        **_time_axis(lines),
    )
    near = [Line(line.name, line.css, _around_low(market, line.points)) for line in lines]
    shown = {at for line in near for at, _ in line.points}
    close = line_chart(
        near,
        marks=[mark for mark in marks if shown and min(shown) <= mark.x <= max(shown)],
        title=f"Prices of {market.symbol} around the low",
        y_label=_usd,
        height=280,
        **_time_axis(near),
    )
    counts = {kind: sum(e.kind is kind for e in market.liquidations) for kind in LiquidationKind}
    legend = "".join(_legend(kind, count) for kind, count in counts.items())
    text = f"USD. {market.trades:,} trades, {_usd(market.volume)} traded. Steps of liquidations:"
    return _section(
        f"{market.symbol}: price", text, f'<div class="legend">{legend}</div>{whole}{close}'
    )


def _around_low(
    market: MarketRecord, points: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the part of a series that lies near the index's lowest instant."""
    low_ms = min(market.index, key=lambda point: point[1])[0] if market.index else 0
    return [point for point in points if abs(point[0] - low_ms) <= CLOSE_UP_MS]


def _legend(kind: LiquidationKind, count: int) -> str:
    css, shape = SHAPES[kind]
    outline = {
        "dot": '<circle cx="7" cy="7" r="4"/>',
        "diamond": '<path d="M7 2L12 7L7 12L2 7Z"/>',
        "cross": '<path d="M3 3L11 11M11 3L3 11"/>',
    }[shape]
    drawing = (
        f'<svg viewBox="0 0 14 14" class="mark {css} {shape}" aria-hidden="true">{outline}</svg>'
    )
    return f"<span>{drawing}{escape(kind)}: {count}</span>"


def _ratios(recording: Recording) -> str:
    lines = [
        Line(name, SERIES[number % len(SERIES)], points)
        for number, (name, points) in enumerate(recording.ratios.items())
    ]
    chart = line_chart(
        lines,
        rule=(1.0, "liquidation"),
        y_range=(0.0, RATIO_SHOWN_MAX),
        title="Margin ratios",
        y_label=lambda value: f"{value:.0%}",
        **_time_axis(lines),
    )
    text = (
        "Maintenance requirement as a share of equity, at every index price. Above 100 % the "
        "position is liquidated; steps down are top-ups or partial closes, and a line that ends is "
        "a position that is closed."
    )
    return _section("Margin ratio of the positions that came closest", text, chart)


def _fund(recording: Recording) -> str:
    charts = []
    for line in _per_market(recording, "fund"):
        start = line.points[0][1] if line.points else 0.0
        change = Line(line.name, line.css, [(at, value - start) for at, value in line.points])
        charts.append(
            line_chart(
                [change],
                rule=(0.0, f"start {_usd(start)}"),
                steps=True,
                height=150,
                title=f"Insurance fund of {line.name}, change since the start",
                y_label=_change,
                **_time_axis([change]),
            )
        )
    text = (
        "Change of each market's fund since the start, USD, each on a scale of its own: fees of "
        "liquidations in, losses of takeovers out."
    )
    return _section("Insurance fund", text, "".join(charts))


def _open_interest(recording: Recording) -> str:
    lines = _per_market(recording, "open_interest")
    chart = line_chart(lines, steps=True, title="Open interest", y_label=_usd, **_time_axis(lines))
    return _section("Open interest", "Sum of all long positions at the mark, USD.", chart)


def _gas(recording: Recording) -> str:
    bars = [(float(batch.gas), _describe(batch)) for batch in recording.batches]
    total = sum(batch.gas for batch in recording.batches)
    text = f"{total:,} gas in {len(bars)} batches"
    if recording.fills:
        text += (
            f", {total // recording.fills:,} for each of {recording.fills:,} fills, all included"
        )
    chart = bar_chart(
        bars,
        y_label=lambda value: f"{value / 1e6:g} M",
        x_caption="batches in order of their sequence",
        rule=(GAS_MAX, "limit"),
        title="Gas per batch",
    )
    return _section("Gas per batch", f"{text}.", chart)


def _describe(batch: Batch) -> str:
    return (
        f"batch {batch.sequence}: {batch.gas:,} gas, {batch.items} items, "
        f"{batch.payload_bytes:,} bytes, block {batch.block}"
    )


def _per_market(recording: Recording, series: str) -> list[Line]:
    return [
        Line(market.symbol, SERIES[number % len(SERIES)], getattr(market, series))
        for number, market in enumerate(recording.markets.values())
    ]


class TimeAxis(TypedDict):
    """How a chart writes its time axis."""

    x_ticks: Sequence[float]
    x_label: Callable[[float], str]


def _time_axis(lines: Sequence[Line]) -> TimeAxis:
    """Return round instants of the lines' span, six to twelve of them."""
    instants = [int(x) for line in lines for x, _ in line.points] or [0]
    span_ms = max(instants) - min(instants)
    step_ms = next((s for s in TICK_STEPS_MS if span_ms / s <= 12), TICK_STEPS_MS[-1])
    first = -(-min(instants) // step_ms) * step_ms
    ticks = range(first, max(instants) + step_ms // 8, step_ms)
    return {"x_ticks": ticks, "x_label": lambda x: _clock(int(x))}


def _clock(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M")


def _change(value: float) -> str:
    return f"{'+' if value > 0 else ''}{_usd(value)}"


def _usd(value: float) -> str:
    """Return an amount as a person reads it: 1.2 M, 34 k, 221.06."""
    for unit, name in ((1e9, " bn"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if name == ' k' else unit):,.4g}{name}"
    return f"{value:,.4g}"
