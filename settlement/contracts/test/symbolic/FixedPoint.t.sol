// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { FixedPointLib } from "../../src/libraries/FixedPointLib.sol";

/// @notice NUM-2: each division rounds as its name says, for all operands within the bounds of the
/// specification. Proved by the compiler's SMT checker (`tools/prove.mjs`), over integers. A claim
/// about a product has a function of its own: two in one leave the solver undecided now and then.
contract FixedPointProof {
    int256 private constant PPM = 1_000_000;
    int256 private constant BOUND = 1 << 128;

    function floorDivIsNotAbove(int256 x, int256 d) public pure {
        _assumeBounds(x, d);
        assert(FixedPointLib.floorDiv(x, d) * d <= x);
    }

    function floorDivIsLessThanOneBelow(int256 x, int256 d) public pure {
        _assumeBounds(x, d);
        assert(x - FixedPointLib.floorDiv(x, d) * d < d);
    }

    function ceilDivIsNotBelow(int256 x, int256 d) public pure {
        _assumeBounds(x, d);
        assert(FixedPointLib.ceilDiv(x, d) * d >= x);
    }

    function ceilDivIsLessThanOneAbove(int256 x, int256 d) public pure {
        _assumeBounds(x, d);
        assert(FixedPointLib.ceilDiv(x, d) * d - x < d);
    }

    function ratesRoundAsNamed(int256 x) public pure {
        require(-BOUND < x && x < BOUND);
        int256 down = FixedPointLib.floorDiv(x, PPM);
        int256 up = FixedPointLib.ceilDiv(x, PPM);
        assert(down * PPM <= x && x - down * PPM < PPM);
        assert(up * PPM >= x && up * PPM - x < PPM);
        assert(up - down <= 1);
    }

    function minMaxAbs(int256 x, int256 y) public pure {
        require(-BOUND < x && x < BOUND && -BOUND < y && y < BOUND);
        assert(FixedPointLib.min(x, y) <= FixedPointLib.max(x, y));
        assert(FixedPointLib.min(x, y) + FixedPointLib.max(x, y) == x + y);
        assert(FixedPointLib.abs(x) >= 0 && FixedPointLib.abs(x) >= x);
    }

    function _assumeBounds(int256 x, int256 d) private pure {
        require(-BOUND < x && x < BOUND && 0 < d && d < BOUND);
    }
}
