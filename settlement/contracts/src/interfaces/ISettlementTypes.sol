// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Where the venue stands (GOV-1). It never goes back.
enum VenuePhase {
    SETUP,
    OPEN,
    EXIT
}

/// @notice What a forced request asks for (FORCE-1).
enum RequestKind {
    NONE,
    CANCEL_ALL,
    REDUCE,
    WITHDRAW,
    TOP_UP,
    UNBACK,
    CANCEL,
    GIVE,
    BACK
}

/// @notice A request of the forced queue. Two storage slots.
/// @param timeS when it was made
/// @param isAside it has waited at the head for a price and let the others pass (FORCE-2)
/// @param to receiver of a withdrawal, payer of a top-up; as a number, how many nonces after the
/// first one are cancelled, too
/// @param amount nonce floor, nonce, lots, shares or quote units, by its kind; what it brings, when
/// the queue holds money for it (FORCE-5)
struct ForcedRequest {
    address account;
    uint40 timeS;
    RequestKind kind;
    uint32 marketId;
    bool isAside;
    address to;
    uint64 amount;
}

/// @notice The exit of one market (EXIT-2).
/// @param indexTicks price that holds for all who leave; 0 until the first does
/// @param isSettled whether `potQuote` holds
/// @param gainsQuote forgone profit of all who left
/// @param potQuote what the market held when all had left
struct ExitMarket {
    uint32 indexTicks;
    bool isSettled;
    uint80 gainsQuote;
    uint80 potQuote;
}

/// @notice What a backer of an insurance fund holds. Two storage slots.
/// @param shares all of them
/// @param leavingShares those that wait for the lock
/// @param lockedShares those whose payment is in the forced queue
/// @param dueTimeS end of the lock
struct Backer {
    uint128 shares;
    uint128 leavingShares;
    uint128 lockedShares;
    uint40 dueTimeS;
}

/// @notice Waiting times, fixed at deployment (GOV-2). One storage slot.
/// @param governanceS between a proposal and its execution
/// @param parametersS shortest notice of new market parameters
/// @param parametersGraceS after which anybody applies what batches have not applied
/// @param forcedS within which the operator serves a forced request
/// @param withdrawalS of a withdrawal that is large or beyond the outflow limit
/// @param withdrawalStretchS by which the guardian may put such a withdrawal off, once
/// @param migrationS notice of a migration
/// @param insuranceLockS between a backer's request and the payment
struct Delays {
    uint32 governanceS;
    uint32 parametersS;
    uint32 parametersGraceS;
    uint32 forcedS;
    uint32 withdrawalS;
    uint32 withdrawalStretchS;
    uint32 migrationS;
    uint32 insuranceLockS;
}

/// @notice Limits that governance may change. One storage slot.
/// @param largeWithdrawalQuote withdrawals above it wait
/// @param outflowLimitPpm largest part of the custody that leaves within any window at once
/// @param outflowWindowS length of that window, at least 1
/// @param topUpGraceS time after which an unserved top-up forbids liquidating its position
/// @param riskPauseNoticeS between the guardian's pause and the batches that it binds, at most 1 h
/// @param depositMinQuote smallest deposit, at least 1 in an open venue
struct Limits {
    uint64 largeWithdrawalQuote;
    uint24 outflowLimitPpm;
    uint32 outflowWindowS;
    uint32 topUpGraceS;
    uint32 riskPauseNoticeS;
    uint64 depositMinQuote;
}

/// @notice Code that runs on the settlement contract's storage, named at deployment for ever.
/// @param desk first of the desks, which calls from outside reach
/// @param annex judges the items of a batch that are seldom; only a batch reaches it
/// @param payments pays withdrawals; only the settlement contract reaches it
struct Modules {
    address desk;
    address annex;
    address payments;
}

/// @notice What a deployment chooses.
/// @param clockAheadMaxS how far a batch's clock may be ahead of the block
/// @param clockLagMaxS how far a batch's clock may be behind the block
struct VenueConfig {
    uint32 clockAheadMaxS;
    uint32 clockLagMaxS;
    Delays delays;
    Limits limits;
}

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
/// @param expiryTimeS when the market ends (EXP-2), 0 never
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
    uint40 expiryTimeS;
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
/// @param number how many markets were listed before, at most 255: the bit of a session key's scope
/// @param deliveryTicks price at which positions are delivered, 0 before the market has ended
struct MarketState {
    uint32 indexTicks;
    uint32 markTicks;
    uint48 priceTimeMs;
    int64 fundingIndexE6;
    uint40 fundingTimeS;
    uint8 number;
    uint32 deliveryTicks;
}

/// @notice Running totals of a market, for the conservation laws. One storage slot.
/// @param fundingPoolQuote funding paid into the pool and not yet paid out
/// @param positionsQuote sum of collateral − side · entry value over all positions, fund included
/// @param lotsSum sum of position lots, fund included: always 0
/// @param openPositions how many positions have lots, the fund's included (EXIT-4)
struct MarketTotals {
    int88 fundingPoolQuote;
    int88 positionsQuote;
    int48 lotsSum;
    uint32 openPositions;
}

/// @notice What monitoring has to see, in one call (CONS-3).
/// @param exitTimeS when exit mode began, 0 before
/// @param riskPausedFromS from when on the guardian has stopped new risk, 0 when it has not
/// @param queueLength forced requests that wait
/// @param queueAgeS how long the oldest of them has been waiting
/// @param asideLength forced requests that were set aside (FORCE-2)
/// @param asideAgeS how long ago the oldest of them was made, 0 when there is none
/// @param clockLagS how far the batches' clock is behind the block, 0 when it is ahead
/// @param lotsGap over all markets, how far the sum of positions is from 0: always 0
/// @param liabilitiesGapQuote custody less liabilities, each market's at least 0: always 0
/// @param custodyGapQuote what the vault holds beyond the custody, never negative
struct Health {
    VenuePhase phase;
    uint40 riskPausedFromS;
    uint40 exitTimeS;
    uint64 sequence;
    uint64 queueLength;
    uint256 queueAgeS;
    uint64 asideLength;
    uint256 asideAgeS;
    uint256 clockLagS;
    uint256 lotsGap;
    int256 liabilitiesGapQuote;
    int256 custodyGapQuote;
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
