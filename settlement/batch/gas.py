"""Upper estimate of a batch's gas, summed from a cost per table row, item and byte."""

from __future__ import annotations

from typing import Final

import msgspec

from settlement.batch.payload import (
    AdlItem,
    AutoTopUpItem,
    ClockItem,
    CollateralItem,
    FillAtItem,
    FillItem,
    ForcedItem,
    FundFillAtItem,
    FundFillItem,
    FundingItem,
    Item,
    LiquidationFillAtItem,
    LiquidationFillItem,
    ParametersItem,
    PriceItem,
    SessionKeyItem,
    SettleMarketItem,
    TakeoverItem,
    WithdrawalItem,
)


class GasModel(msgspec.Struct, frozen=True, kw_only=True):
    """Gas of each part of a batch, every slot cold and fresh: an upper bound, not a forecast."""

    batch: int
    calldata_byte: int
    market: int
    account: int
    position: int
    order: int
    root: int
    wallet_signature: int
    observation: int
    items: dict[type[Item], int]


# Calibrated against the contract on an EVM, worst case of each part: signature, fresh nonce slot,
# fresh position slot, first payment to an address. tests/integration checks that it is an upper
# bound; settlement/contracts/snapshots holds the gas itself.
GAS_MODEL: Final = GasModel(
    batch=80_000,
    calldata_byte=16,
    market=40_000,
    account=10_000,
    position=28_000,
    order=31_000,
    root=8_000,
    wallet_signature=110_000,
    observation=8_000,
    items={
        PriceItem: 14_000,
        ClockItem: 1_000,
        FillItem: 24_000,
        LiquidationFillItem: 38_000,
        TakeoverItem: 34_000,
        AdlItem: 38_000,
        FundFillItem: 34_000,
        FundingItem: 20_000,
        CollateralItem: 36_000,
        WithdrawalItem: 74_000,
        SessionKeyItem: 56_000,
        ParametersItem: 120_000,
        AutoTopUpItem: 60_000,
        SettleMarketItem: 40_000,
        FillAtItem: 25_000,
        LiquidationFillAtItem: 39_000,
        FundFillAtItem: 35_000,
        ForcedItem: 180_000,
    },
)
