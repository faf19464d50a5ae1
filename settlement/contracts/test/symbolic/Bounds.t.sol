// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Draft, FillLib } from "../../src/libraries/FillLib.sol";
import { RejectReason, firstReason } from "../../src/libraries/RejectReason.sol";

/// @notice Section 1, proved by Halmos: the fast path of `fits` admits what the bounds admit.
contract BoundsSymbolicTest {
    int256 private constant QUOTE_MAX = 1 << 60;
    int256 private constant LOTS_MAX = 1 << 40;

    function check_fitsIsWithinTheBounds(
        int128 lots,
        int128 collateral,
        uint128 entry,
        uint128 free,
        int128 funding
    ) public pure {
        Draft memory d;
        d.position.positionLots = lots;
        d.position.collateralQuote = collateral;
        d.position.entryValueQuote = int256(uint256(entry));
        d.freeQuote = int256(uint256(free));
        d.fundingQuote = funding;
        bool isWithin = -LOTS_MAX <= lots && lots <= LOTS_MAX && -QUOTE_MAX <= collateral
            && collateral <= QUOTE_MAX && entry <= uint256(QUOTE_MAX) && free <= uint256(QUOTE_MAX)
            && -QUOTE_MAX <= funding && funding <= QUOTE_MAX;
        assert(FillLib.fits(d) == isWithin);
    }

    function check_firstReasonIsTheLowerThatIsNotNone(uint8 x, uint8 y) public pure {
        if (x > uint8(type(RejectReason).max) || y > uint8(type(RejectReason).max)) return;
        uint8 first = uint8(firstReason(RejectReason(x), RejectReason(y)));
        if (x == 0 || y == 0) assert(first == x + y);
        else assert(first == (x < y ? x : y));
    }
}
