// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IIndexOracle } from "../interfaces/IIndexOracle.sol";
import { IAggregatorV3 } from "./IAggregatorV3.sol";

/// @title No price while a layer-2 sequencer is down, nor right after
/// @notice ORACLE-4: on a chain without such a feed `FEED` is zero and nothing is asked.
abstract contract SequencerGuard {
    IAggregatorV3 public immutable SEQUENCER_FEED;
    uint256 public immutable SEQUENCER_GRACE_S;

    constructor(IAggregatorV3 feed, uint256 graceS) {
        SEQUENCER_FEED = feed;
        SEQUENCER_GRACE_S = graceS;
    }

    /// @dev The feed answers 0 while the sequencer is up; `startedAt` is its last change.
    function _checkSequencer() internal view {
        if (address(SEQUENCER_FEED) == address(0)) return;
        (, int256 answer, uint256 startedAt,,) = SEQUENCER_FEED.latestRoundData();
        if (answer != 0 || startedAt == 0) revert IIndexOracle.SequencerDown();
        uint256 endTimeS = startedAt + SEQUENCER_GRACE_S;
        if (block.timestamp < endTimeS) revert IIndexOracle.SequencerGrace(endTimeS);
    }
}
