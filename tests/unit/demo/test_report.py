"""The report: well-formed, self-contained, with a mark for every liquidation."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.demo import report
from tests.demo.charts import nice_ticks
from tests.demo.recording import (
    AuditLine,
    Batch,
    Liquidation,
    LiquidationKind,
    MarketRecord,
    Recording,
)

START_MS = 1_760_097_600_000


@pytest.fixture
def recording() -> Recording:
    market = MarketRecord("SOL-PERP")
    for minute in range(120):
        at = START_MS + minute * 60_000
        price = 221.0 - minute / 2
        market.index.append((at, price))
        market.mark.append((at, price - 0.1))
        market.perp.append((at, price - 0.2))
        market.fund.append((at, 1e5 - minute))
        market.open_interest.append((at, 2e6))
    market.liquidations = [
        Liquidation(START_MS + 6_000_000, kind, 215.0, 3) for kind in LiquidationKind
    ]
    return Recording(
        backend="<chain>",
        markets={3: market},
        ratios={"50x long": [(START_MS, 0.5), (START_MS + 600_000, 9.0)]},
        batches=[Batch(1, 1_000_000, 9_000, 40, 0, 7)],
        fills=12,
        summary=[("Fills", "12")],
        audit=[AuditLine("sums to zero", is_true=False, figures="SOL-PERP 3")],
    )


def test_the_report_needs_nothing_else(recording: Recording, tmp_path: Path) -> None:
    report.write(recording, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert re.findall(r"https?://|<script|<link|src=|@import|url\(", text) == []
    assert "&lt;chain&gt;" in text
    assert "✗" in text


def test_every_drawing_is_well_formed(recording: Recording, tmp_path: Path) -> None:
    report.write(recording, tmp_path / "report.html")
    drawings = re.findall(r"<svg.*?</svg>", (tmp_path / "report.html").read_text(), re.DOTALL)
    marks = 0
    for drawing in drawings:
        root = ET.fromstring(drawing)
        marks += sum("mark" in (e.get("class") or "").split() for e in root.iter("path"))
        numbers = re.findall(r"-?\d+\.\d+", " ".join(e.get("d", "") for e in root.iter("path")))
        assert all(-2000 < float(number) < 2000 for number in numbers)
    assert marks == 2 * len(LiquidationKind)  # once in the whole chart, once in the close-up
    assert len(drawings) >= 6


def test_each_fund_is_drawn_on_a_scale_of_its_own(recording: Recording, tmp_path: Path) -> None:
    """A small fund's fall is as tall as a large one's."""
    large = MarketRecord("BTC-PERP", fund=[(START_MS, 1e9), (START_MS + 600_000, 1e9 + 7)])
    recording.markets[1] = large
    report.write(recording, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    for symbol in ("SOL-PERP", "BTC-PERP"):
        drawing = re.search(rf'aria-label="Insurance fund of {symbol}.*?</svg>', text, re.DOTALL)
        assert drawing is not None
        heights = [float(y) for y in re.findall(r"V(\d+\.\d)", drawing[0])]
        path = re.search(r'class="line s\d" d="M\S+ (\d+\.\d)', drawing[0])
        assert path is not None
        assert max(abs(y - float(path[1])) for y in heights) > 60


def test_the_source_of_the_prices_and_the_scaling_of_time_are_named(
    recording: Recording, tmp_path: Path
) -> None:
    recording.walk_seconds = 40.0
    report.write(recording, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "five-minute bars of Binance" in text
    assert "1.98 hours are walked in 40 s, one second stands for 2.98 minutes" in text


def test_an_empty_recording_is_drawn_too(tmp_path: Path) -> None:
    report.write(Recording("anvil"), tmp_path / "report.html")
    assert "nothing to draw" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 100, [0, 25, 50, 75, 100]), (0, 0, [0, 0.25]), (-3, 7, [-5, -2.5, 0, 2.5, 5, 7.5])],
)
def test_ticks_are_round_and_cover_the_range(
    low: float, high: float, expected: list[float]
) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    if expected[-1] > 1:
        assert ticks == expected
