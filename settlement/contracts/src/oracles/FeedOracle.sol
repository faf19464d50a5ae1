// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IIndexOracle } from "../interfaces/IIndexOracle.sol";
import { IAggregatorV3 } from "./IAggregatorV3.sol";
import { SequencerGuard } from "./SequencerGuard.sol";

/// @title Index price from a Chainlink-style feed (ORACLE-2, ORACLE-4)
contract FeedOracle is IIndexOracle, SequencerGuard {
    IAggregatorV3 public immutable FEED;
    uint256 public immutable AGE_MAX_S;

    /// @notice Ticks of a price of one: `ticks = floor(answer · TICKS_PER_UNIT / 10^decimals)`.
    uint256 public immutable TICKS_PER_UNIT;
    uint256 private immutable _scale;

    constructor(
        IAggregatorV3 feed,
        uint256 ageMaxS,
        uint256 ticksPerUnit,
        IAggregatorV3 sequencerFeed,
        uint256 sequencerGraceS
    ) SequencerGuard(sequencerFeed, sequencerGraceS) {
        FEED = feed;
        AGE_MAX_S = ageMaxS;
        TICKS_PER_UNIT = ticksPerUnit;
        _scale = 10 ** feed.decimals();
    }

    /// @inheritdoc IIndexOracle
    function indexPrice() external view returns (uint256 priceTicks, uint256 timeS) {
        _checkSequencer();
        (uint80 roundId, int256 answer,, uint256 updatedAt, uint80 answeredInRound) =
            FEED.latestRoundData();
        if (answer <= 0) revert PriceInvalid(answer);
        bool isOld = updatedAt + AGE_MAX_S < block.timestamp || answeredInRound < roundId;
        if (updatedAt == 0 || isOld) revert PriceTooOld(updatedAt);
        return (uint256(answer) * TICKS_PER_UNIT / _scale, updatedAt);
    }
}
