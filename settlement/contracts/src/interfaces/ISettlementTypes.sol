// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Parameters of a market, as in section 2 of the specification. Two storage slots.
/// @param quotePerTickLot collateral units of one lot at one tick
/// @param priceTicksMax highest price
/// @param positionLotsMax largest position, either side
/// @param feeMakerPpm fee of the maker of a fill
/// @param feeTakerPpm fee of the taker of a fill, also the closing fee inside the requirements
/// @param feeLiquidationPpm fee of a liquidation on the book, goes to the insurance fund
/// @param liquidationBufferPpm how far over maintenance a liquidation may bring a position
/// @param markBandPpm how far the mark may stand from the index
/// @param fundingCapPpm largest absolute rate of one funding settlement
/// @param fundingIntervalS shortest time between two funding settlements
/// @param indexAgeMaxMs oldest index price that liquidates
struct MarketParams {
    uint64 quotePerTickLot;
    uint32 priceTicksMax;
    uint48 positionLotsMax;
    uint24 feeMakerPpm;
    uint24 feeTakerPpm;
    uint24 feeLiquidationPpm;
    uint24 liquidationBufferPpm;
    uint24 markBandPpm;
    uint24 fundingCapPpm;
    uint32 fundingIntervalS;
    uint32 indexAgeMaxMs;
}

/// @notice One margin tier.
/// @param notionalFloorQuote notional from which the rates hold
/// @param marginInitialPpm initial margin rate
/// @param marginMaintenancePpm maintenance margin rate
struct Tier {
    uint64 notionalFloorQuote;
    uint24 marginInitialPpm;
    uint24 marginMaintenancePpm;
}

/// @notice What moves with prices and funding. One storage slot.
/// @param indexTicks last index price, 0 before the first
/// @param markTicks last mark price, 0 before the first
/// @param priceTimeMs time of that price row
/// @param fundingIndexE6 funding index
/// @param fundingTimeS batch clock of the last funding settlement, 0 before the first
struct MarketState {
    uint32 indexTicks;
    uint32 markTicks;
    uint48 priceTimeMs;
    int64 fundingIndexE6;
    uint40 fundingTimeS;
}

/// @notice Running totals of a market, for the conservation laws. One storage slot.
/// @param fundingPoolQuote funding paid into the pool and not yet paid out
/// @param positionsQuote sum of collateral − side · entry value over all positions, fund included
/// @param lotsSum sum of position lots, fund included: always 0
struct MarketTotals {
    int88 fundingPoolQuote;
    int88 positionsQuote;
    int64 lotsSum;
}

/// @notice A position as stored, in one slot.
/// @param positionLots signed lots
/// @param entryValueQuote sum of the notionals that opened it
/// @param collateralQuote its own collateral
/// @param fundingIndexE6 funding index at its last change
struct PositionView {
    int64 positionLots;
    uint64 entryValueQuote;
    int64 collateralQuote;
    int64 fundingIndexE6;
}
