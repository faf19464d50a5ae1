"""The documents: every link leads somewhere, every page has one title, README stays short."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.tidy.sources import CODE_FOLDERS, ROOT, source_files, text_of

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

PAGES = [
    *sorted(path.relative_to(ROOT) for path in ROOT.glob("*.md")),
    *source_files(".md", below=(*CODE_FOLDERS, "deploy")),
]


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that a renderer makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def test_links_resolve() -> None:
    broken = []
    for page in PAGES:
        for target in LINK.findall(FENCE.sub("", text_of(page))):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            path = (ROOT / page.parent / name).resolve() if name else ROOT / page
            if not path.exists() or (anchor and anchor not in anchors_of(path.relative_to(ROOT))):
                broken.append(f"{page}: {target}")
    assert broken == []


def test_every_page_has_one_title() -> None:
    titles = {
        page: re.findall(r"^# ", FENCE.sub("", text_of(page)), re.MULTILINE) for page in PAGES
    }
    assert [str(page) for page, found in titles.items() if len(found) != 1] == []


GAS_SHOWN = (
    "fill_each", "fill_cold_each", "fill_bulk_each", "fill_bulk_of_two_each",
    "fill_bulk_of_four_each", "fill_intrinsic_each", "fill_cold_intrinsic_each",
    "fill_bulk_intrinsic_each", "liquidation_each", "takeover_each", "adl_each", "delivery_each",
    "forced_each", "forced_request", "cancel", "session_key",
)  # fmt: skip


def test_the_gas_shown_is_the_gas_measured() -> None:
    contracts = ROOT / "settlement" / "contracts"
    measured = json.loads((contracts / "snapshots" / "settlement.json").read_text())
    shown = (contracts / "README.md").read_text()
    assert [name for name in GAS_SHOWN if f"{int(measured[name]):,}" not in shown] == []


def test_the_readme_is_short() -> None:
    assert len(text_of(Path("README.md")).splitlines()) <= 120


def test_the_readme_shows_a_run_whose_audit_holds() -> None:
    """`make readme` pastes what a passing demo printed; it was run, and every line held."""
    readme = text_of(Path("README.md"))
    (output,) = re.findall(r"<!-- demo -->\n```text\n(.*?)\n```", readme, re.DOTALL)
    assert output.count("✓") >= 11
    assert "✗" not in output
