"""The answers over arrays are the scalar ones, bit for bit, and refuse what those refuse."""

from __future__ import annotations

import subprocess
import sys
from random import Random
from typing import Any

import numpy as np
import pytest

import margin_core as mc
from margin_core.arrays import evaluate
from margin_core.vector import Margins, margins
from tests.model.cases import any_bucket, any_contract, any_market, any_spec
from tests.model.margin import Bucket, Market

MARKETS, ROWS = 40, 50
SPEC = any_spec(Random(1))


def scalar(m: Market, p: Bucket) -> tuple[int, ...]:
    state = mc.MarginState(p.lots, p.value, p.margin, p.index)
    at = {"funding_index_e6": m.index}
    spot = {"index_price_ticks": m.underlying}
    marked = at | {"mark_price_ticks": m.mark}
    price = mc.liquidation_price_ticks(m.spec, state, **at, **spot)
    return (
        mc.equity_quote(m.spec, state, **marked),
        mc.maintenance_requirement_quote(
            m.spec, position_lots=p.lots, mark_price_ticks=m.mark, **spot
        ),
        mc.margin_ratio_ppm(m.spec, state, **marked, **spot),
        -1 if price is None else price,
    )


@pytest.mark.parametrize("kind", mc.ContractKind, ids=lambda kind: kind.name)
def test_arrays_equal_scalars(kind: mc.ContractKind) -> None:
    """MARG-2, MARG-3, MARG-5, RATIO-1, COIN-1, COIN-2, OPT-1, OPT-3: also at the bounds."""
    rng = Random(kind.name)
    for _ in range(MARKETS):
        m = any_market(rng, any_contract(rng, kind))
        held = [any_bucket(rng, m) for _ in range(ROWS)] + [Bucket(0, 0, 5, m.index)]
        columns = zip(*((p.lots, p.value, p.margin, p.index) for p in held), strict=True)
        found = margins(
            m.spec,
            *(np.array(column) for column in columns),
            funding_index_e6=m.index,
            mark_price_ticks=m.mark,
            index_price_ticks=m.underlying,
        )
        for k, p in enumerate(held):
            row = tuple(int(column[k]) for column in found)
            assert row == scalar(m, p), (p, m.index, m.mark, m.underlying, m.spec)


def test_prices_may_be_of_each_position() -> None:
    """MARG-2: a mark for each row; columns are broadcast and keep their shape."""
    top = SPEC.price_ticks_max
    lots, marks = np.array([[1, -1], [1, -1]]), np.array([[1, 2], [top, top // 2]])
    found = margins(SPEC, lots, 10, 7, funding_index_e6=0, mark_price_ticks=marks)
    assert found.equity_quote.shape == (2, 2)
    for at in np.ndindex(2, 2):
        state = mc.MarginState(int(lots[at]), 10, 7)
        mark = int(marks[at])
        assert found.equity_quote[at] == mc.equity_quote(
            SPEC, state, funding_index_e6=0, mark_price_ticks=mark
        )
    nothing = margins(SPEC, [], [], [], funding_index_e6=0, mark_price_ticks=1)
    assert [column.size for column in nothing] == [0] * len(Margins._fields)


def test_a_row_out_of_bounds_is_named() -> None:
    """NUM-4, NUM-1, MARG-1: row, name, value, bounds and unit."""
    at = {"funding_index_e6": 0, "mark_price_ticks": 1}
    lots = SPEC.position_lots_max
    for row, message in (
        ((lots + 1, 0, 0, 0), rf"row 1: position_lots = {lots + 1}: expected .* to {lots} lots"),
        ((1, -1, 0, 0), "row 1: entry_value_quote = -1: expected .* quote"),
        ((1, 0, 2**60 + 1, 0), "row 1: collateral_quote = .* quote"),
        ((1, 0, 0, 2**62 + 1), "row 1: funding_index_e6 = "),
    ):
        columns = [np.array([1, value]) for value in row]
        with pytest.raises(ValueError, match=f"^NUM-4: {message}"):
            margins(SPEC, *columns, **at)
    with pytest.raises(ValueError, match=r"^NUM-4: row 0: mark_price_ticks = 0: .* ticks"):
        margins(SPEC, 1, 0, 0, funding_index_e6=0, mark_price_ticks=0)
    with pytest.raises(ValueError, match=r"^NUM-4: position_lots: an array of float64: .*\(lots\)"):
        margins(SPEC, 1.5, 0, 0, **at)
    for beyond in (2**62 + 1, 0.5, True, None):
        with pytest.raises(ValueError, match=f"^NUM-4: funding_index_e6 = {beyond}: expected"):
            margins(SPEC, 1, 0, 0, funding_index_e6=beyond, mark_price_ticks=1)  # type: ignore[arg-type]
    option = any_contract(Random(2), mc.ContractKind.OPTION_CALL)
    with pytest.raises(ValueError, match="OPT-1: index_price_ticks = None"):
        margins(option, 1, 0, 0, **at)
    with pytest.raises(ValueError, match=r"^NUM-4: expected a MarketSpec, got NoneType"):
        margins(None, 1, 0, 0, **at)  # type: ignore[arg-type]
    wide = any_contract(Random(3), mc.ContractKind.LINEAR_PERPETUAL)
    lots = wide.position_lots_max
    with pytest.raises(OverflowError, match=r"^NUM-4: row 0: funding owed: "):
        margins(wide, lots, 0, 0, -(2**62), funding_index_e6=2**62, mark_price_ticks=1)


@pytest.mark.parametrize("kind", mc.ContractKind, ids=lambda kind: kind.name)
def test_a_flat_row_is_what_the_scalar_functions_say(kind: mc.ContractKind) -> None:
    """MARG-2: also one that has an entry value, which no change leaves behind."""
    m = any_market(Random(5), any_contract(Random(4), kind))
    at = {"funding_index_e6": 0, "mark_price_ticks": m.mark}
    found = margins(m.spec, [0], [5], [3], **at, index_price_ticks=m.underlying)
    state = mc.MarginState(0, 5, 3)
    assert int(found.equity_quote[0]) == mc.equity_quote(m.spec, state, **at)
    assert int(found.maintenance_quote[0]) == 0


def test_what_others_do_not_have_is_not_looked_at() -> None:
    """OPT-1: the price of an underlying matters to options alone, as in the scalar functions."""
    at = {"funding_index_e6": 0, "mark_price_ticks": 1}
    for beyond in (0, 2**40, None):
        found = margins(SPEC, [1], [5], [3], **at, index_price_ticks=beyond)
        assert [found[0].tolist(), found[3].tolist()] == [
            [3 + SPEC.quote_per_tick_lot - 5],
            [found[3][0]],
        ]


def test_buffers_have_to_be_there() -> None:
    """NUM-4: of every column."""
    columns: list[Any] = [np.ones(1, np.int64) for _ in range(10)]
    for k in range(len(columns)):
        with pytest.raises(TypeError, match="None"):
            evaluate(SPEC, 0, *[*columns[:k], None, *columns[k + 1 :]])


def test_without_numpy_the_message_says_what_to_install() -> None:
    """MARG-2: NumPy is optional; the kernel itself does without."""
    code = "import sys; sys.modules['numpy'] = None; import margin_core; import margin_core.vector"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "margin_core.vector needs NumPy: pip install numpy" in done.stderr
