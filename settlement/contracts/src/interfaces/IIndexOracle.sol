// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A source of index prices outside of batches
/// @notice Used where no attestor speaks: the exit of a market, and a look at a new adapter.
interface IIndexOracle {
    error PriceInvalid(int256 price);
    error PriceTooOld(uint256 timeS);
    error PriceUncertain(uint256 confidence, uint256 price);
    error SequencerDown();
    error SequencerGrace(uint256 endTimeS);

    /// @notice The price in ticks and its time. Reverts when there is none that may be used.
    function indexPrice() external view returns (uint256 priceTicks, uint256 timeS);
}
