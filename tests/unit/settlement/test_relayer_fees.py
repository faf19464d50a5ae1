"""The relayer's bids: each replacement is at least an eighth more, and the limit holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from settlement.fees import Fees, bumped


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 10**13))
def test_a_replacement_bids_an_eighth_more_unless_the_limit_stops_it(
    tip_wei: int, base_wei: int, fee_wei_max: int
) -> None:
    fees = Fees(max_fee_wei=tip_wei + base_wei, tip_wei=tip_wei)
    higher = bumped(fees, fee_wei_max=fee_wei_max)
    assert higher.max_fee_wei <= fee_wei_max
    assert higher.tip_wei <= higher.max_fee_wei
    if higher.max_fee_wei < fee_wei_max:
        assert 8 * higher.max_fee_wei >= 9 * fees.max_fee_wei
        assert 8 * higher.tip_wei >= 9 * fees.tip_wei
