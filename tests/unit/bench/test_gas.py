"""Gas figures come from the committed snapshots: each name is there."""

from __future__ import annotations

from tests.bench import gas


def test_every_figure_is_in_the_snapshot() -> None:
    results = {result.name: result for result in gas.measure()}
    assert set(results) == {figure.name for figure in gas.FIGURES.values()}
    assert all(result.value > 0 for result in results.values())
