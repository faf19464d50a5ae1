// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Tier } from "../interfaces/ISettlementTypes.sol";

/// @title Margin tiers, one word each
/// @dev From the lowest bit:
/// floorQuote 64 | initialPpm 24 | maintenancePpm 24 | amountInitial 64 | amountMaintenance 64
library TierLib {
    uint256 internal constant TIERS_MAX = 16;
    uint256 private constant PPM = 1_000_000;

    error TierCountInvalid(uint256 count);
    error TierInvalid(uint256 index);
    error TierAmountInexact(uint256 index);

    /// @notice MKT-1 and MKT-2: checks the tiers and chains their amounts.
    function chain(Tier[] calldata tiers, uint256 feeTakerPpm)
        internal
        pure
        returns (uint256[] memory words)
    {
        if (tiers.length == 0 || tiers.length > TIERS_MAX) {
            revert TierCountInvalid(tiers.length);
        }
        words = new uint256[](tiers.length);
        uint256 initialSumQuote = 0;
        uint256 maintenanceSumQuote = 0;
        for (uint256 i = 0; i < tiers.length; ++i) {
            Tier calldata tier = tiers[i];
            uint256 initialRatePpm = tier.marginInitialPpm;
            uint256 maintenanceRatePpm = tier.marginMaintenancePpm;
            if (
                maintenanceRatePpm == 0 || maintenanceRatePpm >= initialRatePpm
                    || initialRatePpm > PPM
            ) {
                revert TierInvalid(i);
            }
            if (initialRatePpm + feeTakerPpm >= PPM) revert TierInvalid(i);
            if (i == 0) {
                if (tier.notionalFloorQuote != 0) revert TierInvalid(i);
            } else {
                Tier calldata below = tiers[i - 1];
                if (
                    tier.notionalFloorQuote <= below.notionalFloorQuote
                        || tier.notionalFloorQuote > 1 << 60
                        || initialRatePpm < below.marginInitialPpm
                        || maintenanceRatePpm < below.marginMaintenancePpm
                ) revert TierInvalid(i);
                uint256 risen = tier.notionalFloorQuote * (initialRatePpm - below.marginInitialPpm);
                if (risen % PPM != 0) revert TierAmountInexact(i);
                initialSumQuote += risen / PPM;
                risen = tier.notionalFloorQuote * (maintenanceRatePpm - below.marginMaintenancePpm);
                if (risen % PPM != 0) revert TierAmountInexact(i);
                maintenanceSumQuote += risen / PPM;
            }
            words[i] = uint256(tier.notionalFloorQuote) | initialRatePpm << 64 | maintenanceRatePpm
                << 88 | initialSumQuote << 112 | maintenanceSumQuote << 176;
        }
    }

    /// @notice The tier of a notional: the last one whose floor is not above it.
    /// @dev The requirement is convex and continuous (MKT-2), so the tier found by floor is the one
    /// with the largest requirement: MARG-3's maximum over all tiers, without the loop.
    function find(uint256[] memory words, int256 notionalQuote)
        internal
        pure
        returns (uint256 word)
    {
        // Equivalent to word = words[0], and words[i] for the next ones while i < words.length and
        // its floor is at most the notional, without a check of each index. There is a tier.
        assembly ("memory-safe") {
            let place := add(words, 32)
            let end := add(place, shl(5, mload(words)))
            word := mload(place)
            for { } 1 { } {
                place := add(place, 32)
                if eq(place, end) { break }
                let next := mload(place)
                if sgt(and(next, 0xffffffffffffffff), notionalQuote) { break }
                word := next
            }
        }
    }

    function initialPpm(uint256 word) internal pure returns (int256) {
        return int256(uint256(uint24(word >> 64)));
    }

    function maintenancePpm(uint256 word) internal pure returns (int256) {
        return int256(uint256(uint24(word >> 88)));
    }

    function amountInitial(uint256 word) internal pure returns (int256) {
        return int256(word << 80 >> 192);
    }

    function amountMaintenance(uint256 word) internal pure returns (int256) {
        return int256(word << 16 >> 192);
    }
}
