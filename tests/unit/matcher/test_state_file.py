"""`bulkhead replay --state`: the form is settlement's, field by field, the numbers the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from matcher.errors import BulkheadError
from matcher.state_file import write_state
from settlement.reconciler import compare, read_snapshot
from tests.unit.matcher.builders import ADDRESSES, BUY, MARKET_ID, SELL, Bench, place, withdraw

if TYPE_CHECKING:
    from pathlib import Path

ALICE, BOB = 1, 2
FUND = "0x" + "00" * 19 + "01"


def test_settlement_reads_what_the_matcher_writes(bench: Bench, tmp_path: Path) -> None:
    bench.apply(
        place(BOB, SELL, 50_000, 5, 1), place(ALICE, BUY, 50_000, 8, 1), withdraw(ALICE, 7, 2)
    )
    path = tmp_path / "state.json"
    write_state(path, bench.venue)
    state = read_snapshot(path)
    engine = bench.venue.engine
    assert state.command_seq == bench.venue.cursor.command_seq
    assert state.free_quote == {
        "0x" + address.hex(): engine.free_quote(index)
        for index, address in enumerate(ADDRESSES[:3], 1)
    }
    lots = {record.account: record.position_lots for record in state.positions}
    assert lots == {FUND: 0, "0x" + ADDRESSES[0].hex(): 5, "0x" + ADDRESSES[1].hex(): -5}
    assert [market.market_id for market in state.markets] == [MARKET_ID]
    assert state.withdrawals_quote == 7
    assert state.custody_quote == state.deposits_quote - 7
    money = sum(state.free_quote.values()) + state.fees_quote
    for one in state.positions:  # what a long has paid for its lots, a short has got
        paid_quote = one.entry_value_quote if one.position_lots > 0 else -one.entry_value_quote
        money += one.collateral_quote - paid_quote
    money += sum(market.funding_pool_quote for market in state.markets)
    assert money == state.custody_quote
    assert compare(state, msgspec.structs.replace(state, command_seq=0)) == []


def test_a_file_that_cannot_be_written_is_one_line(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(BulkheadError, match=r"state\.json: cannot be written: No such file"):
        write_state(tmp_path / "none" / "state.json", bench.venue)
