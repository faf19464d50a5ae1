"""What the demo refuses before it starts anything: one line, status 2, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo.__main__ import parse
from tests.demo.inputs import InputError, check
from tests.demo.path import Point, read_corners
from tests.demo.settings import CONFIG_PATH

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def corners() -> list[Point]:
    return read_corners()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files that are in the way."""
    text = CONFIG_PATH.read_text()
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "broken.toml").write_text("[matcher")
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "unknown.toml").write_text(text.replace("fee_maker_ppm", "fee_maker_percent", 1))
    (tmp_path / "doge.toml").write_text(text.replace('"SOL-PERP"', '"DOGE-PERP"'))
    (tmp_path / "used" / "journal").mkdir(parents=True)
    return tmp_path


def test_good_arguments_pass_and_make_their_folders(corners: list[Point], tmp_path: Path) -> None:
    output, keep = tmp_path / "a" / "b" / "report.html", tmp_path / "c" / "d"
    check(parse(["--every", "8", "--output", str(output), "--keep", str(keep)]), corners)
    assert list(output.parent.iterdir()) == []
    assert list(keep.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--every", "0", "expected 1 to 24"),
        ("--every", "100000", "expected 1 to 24"),
        ("--every", "-3", "expected 1 to 24"),
        ("--seconds", "0", "more than 0"),
        ("--seconds", "nan", "more than 0"),
        ("--config", "{}/missing.toml", "missing.toml: cannot be read"),
        ("--config", "{}/broken.toml", "is not TOML"),
        ("--config", "{}/empty.toml", r"expected a table \[matcher\]"),
        ("--config", "{}/unknown.toml", "fee_maker_percent"),
        ("--config", "{}/doge.toml", "found BTC-PERP, ETH-PERP, DOGE-PERP"),
        ("--keep", "{}/file", "cannot be written"),
        ("--keep", "{}/file/below", "cannot be written"),
        ("--keep", "{}/used", "holds an earlier run"),
        ("--output", "{}", "is a folder"),
        ("--output", "{}/file/report.html", "cannot be written"),
    ],
)
def test_a_wrong_argument_is_one_line(
    option: str, value: str, said: str, corners: list[Point], folder: Path
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        check(parse([option, value.format(folder)]), corners)
    text = str(caught.value)
    assert text.startswith(option)
    assert "\n" not in text


def test_the_command_says_it_in_its_own_words_and_ends_with_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.demo", "--config", str(tmp_path / "[red]x.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path}/[red]x.toml: cannot be read" in done.stderr
