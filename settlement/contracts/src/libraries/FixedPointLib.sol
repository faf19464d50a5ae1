// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Divisions of signed integers, each with its direction in the name
/// @notice Requirements, fees and liabilities round up; equity, payouts and entitlements down.
/// @dev Operands of the products are bounded by the specification (section 1): quantities by 2^40,
/// money and indices by 2^63, rates by 2^24. No product comes near 2^255, hence `unchecked`.
/// Denominators are positive; zero panics.
library FixedPointLib {
    /// @notice Parts per million in one.
    int256 internal constant PPM = 1_000_000;

    /// @notice Rounds towards minus infinity.
    function floorDiv(int256 x, int256 denominator) internal pure returns (int256 quotient) {
        unchecked {
            quotient = x / denominator;
            if (x % denominator < 0) --quotient;
        }
    }

    /// @notice Rounds towards plus infinity.
    function ceilDiv(int256 x, int256 denominator) internal pure returns (int256 quotient) {
        unchecked {
            quotient = x / denominator;
            if (x % denominator > 0) ++quotient;
        }
    }

    /// @notice `x * y / denominator`, towards minus infinity.
    function mulDivDown(int256 x, int256 y, int256 denominator) internal pure returns (int256) {
        unchecked {
            return floorDiv(x * y, denominator);
        }
    }

    /// @notice `x * y / denominator`, towards plus infinity.
    function mulDivUp(int256 x, int256 y, int256 denominator) internal pure returns (int256) {
        unchecked {
            return ceilDiv(x * y, denominator);
        }
    }

    /// @notice `x * ppm / 10^6`, rounded up, of what is not negative.
    function partUp(int256 x, int256 ppm) internal pure returns (int256) {
        unchecked {
            return int256((uint256(x * ppm) + 999_999) / 1_000_000);
        }
    }

    function abs(int256 x) internal pure returns (int256) {
        unchecked {
            return x < 0 ? -x : x;
        }
    }

    function min(int256 x, int256 y) internal pure returns (int256) {
        return x < y ? x : y;
    }

    function max(int256 x, int256 y) internal pure returns (int256) {
        return x > y ? x : y;
    }
}
