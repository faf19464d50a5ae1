"""Test profiles, and the fixtures that find real data where there is some."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from tests import instrumented

instrumented.use()

ROOT = Path(__file__).resolve().parent.parent

hypothesis.settings.register_profile("dev", max_examples=100, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
hypothesis.settings.register_profile("small", max_examples=20, deadline=None, derandomize=True)
hypothesis.settings.register_profile("soak", max_examples=10_000, deadline=None)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real market data: `BULKHEAD_DATA`, else `../shared/data`."""
    path = Path(os.environ.get("BULKHEAD_DATA", ROOT / "../shared/data"))
    if not path.is_dir():
        pytest.skip(f"no market data in {path}: set BULKHEAD_DATA")
    return path


@pytest.fixture(scope="session")
def vectors_path() -> Path:
    """The file of published margin numbers: `BULKHEAD_VECTORS`, else `../shared/vectors/…`."""
    default = ROOT / "../shared/vectors/margin_vectors.json"
    path = Path(os.environ.get("BULKHEAD_VECTORS", default))
    if not path.is_file():
        pytest.skip(f"no published margin numbers in {path}: set BULKHEAD_VECTORS")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a file that runs on both, tests marked `engine_alone` run on the engine."""
    for item in items.copy():
        runs_on = getattr(getattr(item, "callspec", None), "params", {}).get("on_both")
        if runs_on == "model" and item.get_closest_marker("engine_alone"):
            items.remove(item)


@pytest.fixture(params=["engine", "model"])
def on_both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test of a `Venue` on the engine, then on its slow twin."""
    from tests.model.twin import Twin  # both need the extensions chosen above
    from tests.unit.engine.venue import Venue

    if request.param == "model":
        monkeypatch.setattr(Venue, "kind", Twin)
