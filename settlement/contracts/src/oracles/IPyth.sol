// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A Pyth-style price: `price · 10^expo`, give or take `conf · 10^expo`.
struct PythPrice {
    int64 price;
    uint64 conf;
    int32 expo;
    uint256 publishTime;
}

/// @title Pyth-style price source, the part that is used
interface IPyth {
    /// @notice Reverts when the price is older than `age` seconds.
    function getPriceNoOlderThan(bytes32 id, uint256 age) external view returns (PythPrice memory);
}
