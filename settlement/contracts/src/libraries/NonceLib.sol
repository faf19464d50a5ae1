// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The nonces that an account's own word keeps (SIG-1, SIG-5)
/// @dev `nonces` is the upper part of that word: uint64 floor · uint32 lots that the latest
/// ascending nonce has filled · uint63 that nonce, without its highest bit.
library NonceLib {
    uint256 internal constant DEAD = type(uint32).max;
    uint256 internal constant ASCENDING_FIRST = 1 << 63;

    function floor(uint256 nonces) internal pure returns (uint256) {
        return nonces << 192 >> 192;
    }

    function withFloor(uint256 nonces, uint256 floor_) internal pure returns (uint256) {
        return nonces >> 64 << 64 | floor_;
    }

    /// @notice Whether a nonce may only be used by an order that never rests or waits (SIG-5).
    function isAscending(uint256 nonce) internal pure returns (bool) {
        return nonce & ASCENDING_FIRST != 0;
    }

    /// @notice Lots that an ascending nonce has filled; those before the latest one are dead.
    function filledLots(uint256 nonces, uint256 nonce) internal pure returns (uint256) {
        uint256 latest = nonces >> 96 | ASCENDING_FIRST;
        if (nonce == latest) return uint32(nonces >> 64);
        return nonce < latest ? DEAD : 0;
    }

    /// @notice Makes an ascending nonce that is not dead the latest one.
    function withFilled(uint256 nonces, uint256 nonce, uint256 lots)
        internal
        pure
        returns (uint256)
    {
        return floor(nonces) | lots << 64 | (nonce ^ ASCENDING_FIRST) << 96;
    }
}
