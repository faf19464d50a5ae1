"""The answers over arrays are the scalar ones, bit for bit, and refuse what those refuse."""

from __future__ import annotations

import subprocess
import sys
from random import Random

import numpy as np
import pytest

import margin_core as mc
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
    """NUM-1, NUM-2, MARG-1: with its values and the bounds."""
    at = {"funding_index_e6": 0, "mark_price_ticks": 1}
    lots = SPEC.position_lots_max
    for row, message in (
        ((lots + 1, 0, 0, 0), r"row 1: .* expected lots to "),
        ((1, -1, 0, 0), "row 1: "),
        ((1, 0, 2**60 + 1, 0), "row 1: "),
        ((1, 0, 0, 2**62 + 1), "row 1: "),
    ):
        columns = [np.array([1, value]) for value in row]
        with pytest.raises(ValueError, match=message):
            margins(SPEC, *columns, **at)
    with pytest.raises(ValueError, match=r"row 0: .* prices 1 to"):
        margins(SPEC, 1, 0, 0, funding_index_e6=0, mark_price_ticks=0)
    with pytest.raises(ValueError, match=r"position_lots: an array of float64: expected integers"):
        margins(SPEC, 1.5, 0, 0, **at)
    with pytest.raises(ValueError, match=r"funding_index_e6 = .*: expected at most"):
        margins(SPEC, 1, 0, 0, funding_index_e6=2**62 + 1, mark_price_ticks=1)
    option = any_contract(Random(2), mc.ContractKind.OPTION_CALL)
    with pytest.raises(ValueError, match="OPT-1: index_price_ticks = None"):
        margins(option, 1, 0, 0, **at)
    wide = any_contract(Random(3), mc.ContractKind.LINEAR_PERPETUAL)
    lots = wide.position_lots_max
    with pytest.raises(ValueError, match=r"row 0: .* funding owed to"):
        margins(wide, lots, 0, 0, -(2**62), funding_index_e6=2**62, mark_price_ticks=1)


def test_without_numpy_the_message_says_what_to_install() -> None:
    """MARG-2: NumPy is optional; the kernel itself does without."""
    code = "import sys; sys.modules['numpy'] = None; import margin_core; import margin_core.vector"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "margin_core.vector needs NumPy: pip install numpy" in done.stderr
