// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Holder of the collateral
/// @notice Knows nothing of margin: it pays out what the settlement contract says, nobody else.
interface ICollateralVault {
    error CallerNotSettlement(address caller);

    /// @notice The collateral token.
    function TOKEN() external view returns (IERC20);

    /// @notice The only contract that may move the collateral.
    function SETTLEMENT() external view returns (address);

    /// @notice Sends collateral to `to`. Reverts when the token refuses.
    function transferOut(address to, uint256 amountQuote) external;

    /// @notice Collateral held, in its smallest unit.
    function balanceQuote() external view returns (uint256);
}
