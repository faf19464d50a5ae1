"""Draws line and bar charts as inline SVG: text in, text out, no library and no network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple

WIDTH: Final = 960
LEFT: Final = 72
RIGHT: Final = 112
TOP: Final = 12
BOTTOM: Final = 26
LABEL_GAP: Final = 13

Label = Callable[[float], str]


class Line(NamedTuple):
    """One series. `css` names its colour: `s1` to `s5`, or `muted`."""

    name: str
    css: str
    points: Sequence[tuple[float, float]]


class Mark(NamedTuple):
    """One event on a chart; the title is shown on hover. `shape`: dot, diamond or cross."""

    x: float
    y: float
    css: str
    shape: str
    title: str


class Scale(NamedTuple):
    """Maps values of one axis to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        span = self.high - self.low or 1
        return self.start + (value - self.low) / span * (self.end - self.start)


def line_chart(
    lines: Sequence[Line],
    *,
    x_label: Label,
    y_label: Label,
    x_ticks: Sequence[float],
    marks: Sequence[Mark] = (),
    rule: tuple[float, str] | None = None,
    y_range: tuple[float, float] | None = None,
    steps: bool = False,
    height: int = 260,
    title: str = "",
) -> str:
    """Return an SVG of lines over a common x axis, each named at its end.

    Args:
        lines: Series; empty ones are left out.
        x_label: Turns an x value into the text of a tick.
        y_label: Turns a y value into the text of a tick.
        x_ticks: Where the x axis has ticks.
        marks: Events drawn over the lines.
        rule: A horizontal line with its name.
        y_range: Lowest and highest value shown; what lies outside is cut off. Default: all.
        steps: True for values that hold until the next.
        height: Pixels of the drawing at its natural width.
        title: What a screen reader says.
    """
    shown = [line for line in lines if line.points]
    values = [y for line in shown for _, y in line.points] + ([rule[0]] if rule else [])
    if not shown:
        return '<p class="empty">nothing to draw</p>'
    instants = [x for line in shown for x, _ in line.points]
    low, high = y_range or (min(values), max(values))
    y_ticks = nice_ticks(low, high)
    x = Scale(min(instants), max(instants), LEFT, WIDTH - RIGHT)
    y = Scale(min(low, y_ticks[0]), max(high, y_ticks[-1]), height - BOTTOM, TOP)
    body = [_grid(x, y, x_ticks, y_ticks, x_label, y_label)]
    if rule:
        at = y(rule[0])
        body.append(
            f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
    body += [_path(line, x, y, steps=steps) for line in shown]
    body += [_mark(mark, x, y) for mark in marks]
    ends = [(y(_clip(line.points[-1][1], low, high)), line.name, line.css) for line in shown]
    if rule:
        ends.append((y(rule[0]), rule[1], "muted"))
    body += _end_labels(ends, height - BOTTOM)
    return _svg("".join(body), height, title)


def bar_chart(
    bars: Sequence[tuple[float, str]],
    *,
    y_label: Label,
    x_caption: str,
    rule: tuple[float, str] | None = None,
    height: int = 220,
    title: str = "",
) -> str:
    """Return an SVG of bars from zero; each is (value, title shown on hover)."""
    if not bars:
        return '<p class="empty">nothing to draw</p>'
    top = max(value for value, _ in bars)
    y_ticks = nice_ticks(0, top)
    x = Scale(0, len(bars), LEFT, WIDTH - RIGHT)
    y = Scale(0, max(top, y_ticks[-1]), height - BOTTOM, TOP)
    body = [_grid(x, y, [], y_ticks, str, y_label)]
    gap = 2 if len(bars) < 200 else 0
    width = max(x(1) - x(0) - gap, 1.0)
    for number, (value, text) in enumerate(bars):
        body.append(
            f'<rect class="bar" x="{x(number):.1f}" y="{y(value):.1f}" width="{width:.1f}" '
            f'height="{y(0) - y(value):.1f}" rx="1"><title>{escape(text)}</title></rect>'
        )
    if rule and rule[0] <= y.high:
        at = y(rule[0])
        body.append(
            f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        body += _end_labels([(at, rule[1], "muted")], height - BOTTOM)
    body.append(
        f'<text class="tick" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 8}" '
        f'text-anchor="middle">{escape(x_caption)}</text>'
    )
    return _svg("".join(body), height, title)


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about `count` round values that cover [low, high]."""
    span = (high - low) or abs(high) or 1.0
    raw = span / count
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, last + 1)]


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _grid(
    x: Scale,
    y: Scale,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    x_label: Label,
    y_label: Label,
) -> str:
    parts = []
    for value in y_ticks:
        at = y(value)
        parts.append(
            f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{x.start - 8}" y="{at + 3.5:.1f}" text-anchor="end">'
            f"{escape(y_label(value))}</text>"
        )
    parts += [
        f'<text class="tick" x="{x(value):.1f}" y="{y.start + 17:.1f}" '
        f'text-anchor="middle">{escape(x_label(value))}</text>'
        for value in x_ticks
    ]
    return "".join(parts)


def _path(line: Line, x: Scale, y: Scale, *, steps: bool) -> str:
    parts = []
    for number, (at, value) in enumerate(line.points):
        px, py = x(at), y(_clip(value, y.low, y.high))
        if number == 0:
            parts.append(f"M{px:.1f} {py:.1f}")
        else:
            parts.append(f"H{px:.1f}V{py:.1f}" if steps else f"L{px:.1f} {py:.1f}")
    title = f"<title>{escape(line.name)}</title>"
    return f'<path class="line {line.css}" d="{"".join(parts)}">{title}</path>'


def _mark(mark: Mark, x: Scale, y: Scale) -> str:
    px, py = x(mark.x), y(_clip(mark.y, y.low, y.high))
    outline = {
        "dot": "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0Z",
        "diamond": "M0 -4.5L4.5 0L0 4.5L-4.5 0Z",
        "cross": "M-4 -4L4 4M4 -4L-4 4",
    }[mark.shape]
    return (
        f'<path class="mark {mark.css} {mark.shape}" transform="translate({px:.1f} {py:.1f})" '
        f'd="{outline}"><title>{escape(mark.title)}</title></path>'
    )


def _end_labels(ends: Sequence[tuple[float, str, str]], lowest: float) -> list[str]:
    """Return the names right of the drawing, pushed apart so that none covers another.

    They are pushed down, and back up from `lowest`, where the time axis has its own text.
    """
    order = sorted(ends)
    heights: list[float] = []
    for at, _, _ in order:
        heights.append(max(at, heights[-1] + LABEL_GAP) if heights else at)
    for number in reversed(range(len(heights))):
        heights[number] = min(heights[number], lowest)
        lowest = heights[number] - LABEL_GAP
    return [
        f'<text class="name {css}" x="{WIDTH - RIGHT + 8}" y="{height + 3.5:.1f}">'
        f"{escape(name)}</text>"
        for height, (_, name, css) in zip(heights, order, strict=True)
    ]


def _svg(body: str, height: int, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )
