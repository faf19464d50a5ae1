// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Position } from "./MarginLib.sol";

/// @title Storage words of positions and accounts
/// @dev Packed by hand: one read and one write per word, which the hot path needs.
/// From the lowest bit, a position is:
/// int64 lots | uint64 entryValue | int64 collateral | int64 fundingIndexE6
/// and an account: uint96 freeQuote | uint160 nonces, as in `NonceLib`
library SlotLib {
    function unpackPosition(uint256 word, Position memory p) internal pure {
        p.positionLots = lots(word);
        p.entryValueQuote = int256(word << 128 >> 192);
        p.collateralQuote = collateralQuote(word);
        p.fundingIndexE6 = int256(word) >> 192;
    }

    /// @dev Truncates nothing: `FillLib.fits` has bounded every field.
    function packPosition(Position memory p) internal pure returns (uint256) {
        return uint256(p.positionLots) << 192 >> 192 | uint256(p.entryValueQuote) << 64
            | uint256(p.collateralQuote) << 192 >> 64 | uint256(p.fundingIndexE6) << 192;
    }

    /// @notice Whether the word of a position can hold it.
    function isPackable(Position memory p) internal pure returns (bool) {
        return int256(int64(p.positionLots)) == p.positionLots
            && int256(uint256(uint64(uint256(p.entryValueQuote)))) == p.entryValueQuote
            && int256(int64(p.collateralQuote)) == p.collateralQuote;
    }

    /// @notice Collateral less signed entry value: what a position holds of the custody.
    function heldQuote(uint256 word) internal pure returns (int256 quote) {
        int256 positionLots = lots(word);
        // Equivalent to: collateral + (lots > 0 ? -entryValue : entryValue).
        assembly ("memory-safe") {
            let isLong := sgt(positionLots, 0)
            quote := add(xor(shr(192, shl(128, word)), sub(0, isLong)), isLong)
            quote := add(quote, sar(192, shl(64, word)))
        }
    }

    function lots(uint256 word) internal pure returns (int256 positionLots) {
        // Equivalent to: int64(uint64(word)).
        assembly ("memory-safe") {
            positionLots := signextend(7, word)
        }
    }

    /// @notice Of a position that changes: whether it opens (1), closes (-1) or neither.
    function opening(int256 lotsBefore, int256 lotsAfter) internal pure returns (int256 step) {
        // Equivalent to: (lotsAfter != 0 ? 1 : 0) - (lotsBefore != 0 ? 1 : 0).
        assembly ("memory-safe") {
            step := sub(iszero(lotsBefore), iszero(lotsAfter))
        }
    }

    function collateralQuote(uint256 word) internal pure returns (int256) {
        return int256(word << 64) >> 192;
    }

    function addCollateral(uint256 word, int256 amountQuote) internal pure returns (uint256) {
        uint256 raised = uint64(uint256(collateralQuote(word) + amountQuote));
        return word & ~(uint256(type(uint64).max) << 128) | raised << 128;
    }

    function freeQuote(uint256 word) internal pure returns (uint256) {
        return uint96(word);
    }

    /// @notice As in `NonceLib`.
    function nonces(uint256 word) internal pure returns (uint256) {
        return word >> 96;
    }

    function packAccount(uint256 free, uint256 nonces_) internal pure returns (uint256) {
        return free | nonces_ << 96;
    }
}
