// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Backer } from "./ISettlementTypes.sol";

/// @title The insurance fund of each market and its backers (BACK-1 … BACK-5)
interface IInsuranceDesk {
    event FundBacked(
        uint32 indexed marketId, address indexed backer, uint256 amountQuote, uint256 shares
    );

    /// @param dueTimeS end of the lock
    event UnbackingRequested(
        uint32 indexed marketId, address indexed backer, uint256 shares, uint40 dueTimeS
    );
    event UnbackingPaidAtExit(
        uint32 indexed marketId, address indexed backer, uint256 amountQuote
    );

    error FundInsolvent(uint32 marketId, int256 equityQuote);
    error SharesTooFew(uint256 shares, uint256 requested);
    error SharesLocked(uint256 dueTimeS);
    error UnbackingMissing(uint32 marketId, address backer);
    error UnbackingLapsed(uint256 endTimeS);

    /// @notice The fund holds lots, and the market's last mark is too old to value them.
    error MarkTooOld(uint32 marketId, uint256 priceTimeMs);

    /// @notice Gives the caller's collateral to the insurance fund of a market.
    /// @dev Warning: a gift, to those who hold its shares.
    function fundInsurance(uint32 marketId, uint256 amountQuote) external;

    /// @notice Commits the caller's collateral to the fund of a market for shares of its equity.
    function backFund(uint32 marketId, uint256 amountQuote) external returns (uint256 shares);

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

    /// @notice Whether a backer's payment waits: until it is served nothing is added to the fund.
    function isFundBusy(uint32 marketId) external view returns (bool);

    /// @notice Equity of the fund's position at the mark, its funding settled.
    function fundEquityQuote(uint32 marketId) external view returns (int256);

    /// @notice What shares are worth now. Rounds down.
    function sharesValueQuote(uint32 marketId, uint256 shares) external view returns (uint256);
}
