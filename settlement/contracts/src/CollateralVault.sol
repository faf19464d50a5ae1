// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import { ICollateralVault } from "./interfaces/ICollateralVault.sol";

/// @title CollateralVault
contract CollateralVault is ICollateralVault {
    using SafeERC20 for IERC20;

    /// @inheritdoc ICollateralVault
    IERC20 public immutable TOKEN;

    /// @inheritdoc ICollateralVault
    address public immutable SETTLEMENT;

    constructor(IERC20 token) {
        TOKEN = token;
        SETTLEMENT = msg.sender;
    }

    /// @inheritdoc ICollateralVault
    function transferOut(address to, uint256 amountQuote) external {
        if (msg.sender != SETTLEMENT) revert CallerNotSettlement(msg.sender);
        TOKEN.safeTransfer(to, amountQuote);
    }

    /// @inheritdoc ICollateralVault
    function balanceQuote() external view returns (uint256) {
        return TOKEN.balanceOf(address(this));
    }
}
