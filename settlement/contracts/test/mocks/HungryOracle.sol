// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IIndexOracle } from "../../src/interfaces/IIndexOracle.sol";

/// @notice Fails when it is called with less gas than it needs.
contract HungryOracle is IIndexOracle {
    uint256 private _leastGas;

    function setLeastGas(uint256 leastGas) external {
        _leastGas = leastGas;
    }

    function indexPrice() external view returns (uint256, uint256) {
        uint256 given = gasleft();
        if (given < _leastGas) revert PriceTooOld(0);
        return (960, block.timestamp);
    }
}
