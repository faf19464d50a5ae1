// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { BatchLib } from "./BatchLib.sol";

/// @title Observations of a price row: `u32 priceTicks · u48 timeMs · 64 bytes signature` each
library IndexPriceLib {
    uint256 internal constant OBSERVATION_BYTES = BatchLib.OBSERVATION_BYTES;
    uint256 private constant PPM = 1_000_000;

    /// @notice MARK-4: the oldest price at which orders trade and collateral is taken out.
    uint256 internal constant HOLD_MAX_MS = 3_600_000;

    /// @notice Price and time of one observation.
    function observation(bytes calldata payload, uint256 offset, uint256 i)
        internal
        pure
        returns (uint256 priceTicks, uint256 timeMs)
    {
        uint256 word = BatchLib.wordAt(payload, offset + i * OBSERVATION_BYTES);
        return (word >> 224, uint48(word >> 176));
    }

    /// @notice The row's price, the lower median, and its time, the oldest of all.
    /// @param count at least 1; the prices ascend, as `agrees` asks for
    function row(bytes calldata payload, uint256 offset, uint256 count)
        internal
        pure
        returns (uint256 priceTicks, uint256 oldestMs)
    {
        (priceTicks, oldestMs) = observation(payload, offset, (count - 1) / 2);
        for (uint256 i = 0; i < count; ++i) {
            (, uint256 timeMs) = observation(payload, offset, i);
            if (timeMs < oldestMs) oldestMs = timeMs;
        }
    }

    /// @notice Whether prices ascend, stand near the row's price, and times near its time.
    function agrees(
        bytes calldata payload,
        uint256 offset,
        uint256 count,
        uint256 medianTicks,
        uint256 oldestMs,
        uint256 deviationPpm,
        uint256 spreadMs
    ) internal pure returns (bool) {
        uint256 deviationTicks = medianTicks * deviationPpm / PPM;
        uint256 lastTicks = 0;
        for (uint256 i = 0; i < count; ++i) {
            (uint256 priceTicks, uint256 timeMs) = observation(payload, offset, i);
            bool isNear = priceTicks + deviationTicks >= medianTicks
                && priceTicks <= medianTicks + deviationTicks;
            if (priceTicks < lastTicks || !isNear || timeMs > oldestMs + spreadMs) return false;
            lastTicks = priceTicks;
        }
        return true;
    }

    /// @notice Whether a price stands within the band around a reference, at least one tick.
    function isInBand(uint256 priceTicks, uint256 referenceTicks, uint256 bandPpm)
        internal
        pure
        returns (bool)
    {
        uint256 band = referenceTicks * bandPpm / PPM;
        if (band == 0) band = 1;
        return priceTicks + band >= referenceTicks && priceTicks <= referenceTicks + band;
    }
}
