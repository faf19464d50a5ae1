// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Backer } from "./ISettlementTypes.sol";

/// @title The insurance fund of each market and its backers (BACK-1 … BACK-5)
interface IInsuranceDesk {
    /// @notice A gift or a backing was served.
    /// @param shares what its backer got for it, 0 for a gift
    event InsuranceFunded(
        uint32 indexed marketId, address indexed giver, uint256 amountQuote, uint256 shares
    );

    /// @param dueTimeS end of the lock
    event UnbackingRequested(
        uint32 indexed marketId, address indexed backer, uint256 shares, uint40 dueTimeS
    );
    event UnbackingPaidAtExit(
        uint32 indexed marketId, address indexed backer, uint256 amountQuote
    );

    error SharesTooFew(uint256 shares, uint256 requested);
    error SharesLocked(uint256 dueTimeS);
    error UnbackingMissing(uint32 marketId, address backer);
    error UnbackingLapsed(uint256 endTimeS);

    /// @notice Gives money of the caller to the insurance fund of a market, by the forced queue: where
    /// it cannot go there it becomes the caller's free balance (FORCE-5).
    /// @dev Warning: a gift, to those who hold its shares.
    function fundInsurance(uint32 marketId, uint256 amountQuote)
        external
        returns (uint64 requestId);

    /// @notice Commits money of the caller to the fund of a market for shares of its equity, which
    /// are made when the request is served, at what they are worth then (BACK-2). Where none can be
    /// made it becomes the caller's free balance (FORCE-5).
    function backFund(uint32 marketId, uint256 amountQuote) external returns (uint64 requestId);

    /// @notice Starts the lock of shares that want to leave. They go on sharing losses. Replaces
    /// an earlier request of the caller.
    function requestUnbacking(uint32 marketId, uint256 shares) external;

    /// @notice After the lock, within 3 days: puts the caller's shares into the forced queue. They
    /// are valued, and paid, when they are served.
    function finishUnbacking(uint32 marketId) external returns (uint64 requestId);

    /// @notice In exit mode: pays a backer's part of what is left of the market. Anybody.
    function claimBackingAtExit(uint32 marketId, address backer) external;

    /* VIEWS */

    function backer(uint32 marketId, address account) external view returns (Backer memory);
    function fundShares(uint32 marketId) external view returns (uint256);

    /// @notice Equity of the fund's position at the mark, its funding settled.
    function fundEquityQuote(uint32 marketId) external view returns (int256);

    /// @notice What shares are worth now. Rounds down.
    function sharesValueQuote(uint32 marketId, uint256 shares) external view returns (uint256);
}
