// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IAggregatorV3 } from "../../src/oracles/IAggregatorV3.sol";
import { IPyth, PythPrice } from "../../src/oracles/IPyth.sol";

/// @notice A Chainlink-style feed that says what the test wants.
contract StubFeed is IAggregatorV3 {
    uint8 public immutable decimals;
    uint80 private _roundId = 7;
    uint80 private _answeredInRound = 7;
    int256 private _answer;
    uint256 private _startedAt;
    uint256 private _updatedAt;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function set(int256 answer, uint256 startedAt, uint256 updatedAt) external {
        (_answer, _startedAt, _updatedAt) = (answer, startedAt, updatedAt);
    }

    function setAnsweredInRound(uint80 round) external {
        _answeredInRound = round;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (_roundId, _answer, _startedAt, _updatedAt, _answeredInRound);
    }
}

/// @notice A Pyth-style source that says what the test wants.
contract StubPyth is IPyth {
    error StalePrice();

    PythPrice private _price;

    function set(int64 price, uint64 conf, int32 expo, uint256 publishTime) external {
        _price = PythPrice(price, conf, expo, publishTime);
    }

    function getPriceNoOlderThan(bytes32, uint256 age) external view returns (PythPrice memory) {
        if (_price.publishTime + age < block.timestamp) revert StalePrice();
        return _price;
    }
}
