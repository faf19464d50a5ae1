"""The reconciler names every number that differs, and nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.errors import ConfigError
from settlement.reconciler import (
    MarketRecord,
    PositionRecord,
    Snapshot,
    VenueState,
    compare,
    read_snapshot,
)

ALICE = "0x" + "a1" * 20
FUND = "0x" + "00" * 19 + "01"
numbers = st.integers(-(2**60), 2**60)

states = st.builds(
    VenueState,
    free_quote=st.fixed_dictionaries({ALICE: numbers}),
    positions=st.tuples(
        *(
            st.builds(
                PositionRecord,
                account=st.just(account),
                market_id=st.just(1),
                position_lots=numbers,
                entry_value_quote=numbers,
                collateral_quote=numbers,
                funding_index_e6=numbers,
            )
            for account in (ALICE, FUND)
        )
    ).map(list),
    markets=st.lists(
        st.builds(
            MarketRecord,
            market_id=st.just(1),
            funding_index_e6=numbers,
            funding_pool_quote=numbers,
        ),
        min_size=1,
        max_size=1,
    ),
    fees_quote=numbers,
    custody_quote=numbers,
)


@given(states)
def test_equal_states_do_not_differ(state: VenueState) -> None:
    assert compare(state, state) == []


@given(states, st.integers(1, 2**30))
def test_one_changed_number_is_one_line(state: VenueState, off: int) -> None:
    free = msgspec.structs.replace(state, free_quote={ALICE: state.free_quote[ALICE] + off})
    (difference,) = compare(state, free)
    expected = f"account {ALICE} free_quote: matcher {state.free_quote[ALICE]}"
    assert str(difference).startswith(expected)
    fund = state.positions[1]
    changed = msgspec.structs.replace(fund, position_lots=fund.position_lots + off)
    positions = [state.positions[0], changed]
    (difference,) = compare(state, msgspec.structs.replace(state, positions=positions))
    assert difference.name == "insurance fund market 1 position_lots"
    (difference,) = compare(
        state, msgspec.structs.replace(state, fees_quote=state.fees_quote + off)
    )
    assert difference.name == "fees_quote"


@given(states)
def test_a_market_that_only_the_chain_has_is_named(state: VenueState) -> None:
    (difference,) = compare(msgspec.structs.replace(state, markets=[]), state)
    assert str(difference) == "market 1 listed: matcher 0, chain 1"


def test_a_snapshot_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("snapshot")
    state = Snapshot(
        free_quote={}, positions=[], markets=[], fees_quote=1, custody_quote=2,
        command_seq=9, batch_seq=3, deposits_quote=5, withdrawals_quote=3,
    )  # fmt: skip
    (folder / "good.json").write_bytes(msgspec.json.encode(state))
    assert read_snapshot(folder / "good.json") == state
    (folder / "bad.json").write_text('{"free_quote": {}, "positions": [], "feez": 1}')
    with pytest.raises(ConfigError, match="not a state of the matcher"):
        read_snapshot(folder / "bad.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_snapshot(folder / "absent.json")
