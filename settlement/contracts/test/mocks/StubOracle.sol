// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IIndexOracle } from "../../src/interfaces/IIndexOracle.sol";

/// @notice Says what the test wants; zero is an outage.
contract StubOracle is IIndexOracle {
    uint256 private _priceTicks;

    constructor(uint256 priceTicks) {
        _priceTicks = priceTicks;
    }

    function set(uint256 priceTicks) external {
        _priceTicks = priceTicks;
    }

    function indexPrice() external view returns (uint256, uint256) {
        if (_priceTicks == 0) revert PriceTooOld(0);
        return (_priceTicks, block.timestamp);
    }
}
