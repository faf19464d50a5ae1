// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MarginLib, Position, Terms } from "../src/libraries/MarginLib.sol";
import { SlotLib } from "../src/libraries/SlotLib.sol";
import { TierLib } from "../src/libraries/TierLib.sol";
import { Test } from "./utils/Vm.sol";

/// @notice What the hot path works out at once equals the rules one by one.
contract ShortcutsTest is Test {
    function testFuzz_excess_isEquityLessInitial(
        int40 lots,
        uint32 priceTicks,
        uint56 entry,
        int56 collateral,
        uint32[3] memory steps
    ) public pure {
        Terms memory t = _terms(steps);
        Position memory p = Position(lots, int256(uint256(entry)), collateral, 0);
        int256 price = int256(uint256(priceTicks));
        int256 expected = MarginLib.equity(p, price, t) - MarginLib.initial(lots, price, t);
        assertEqInt(MarginLib.excess(p, price, t), expected, "excess");
    }

    function testFuzz_find_isTheLastTierWhoseFloorIsNotAbove(
        uint8 count,
        uint64 notional,
        uint64[16] memory floors
    ) public pure {
        uint256[] memory words = new uint256[](1 + count % 16);
        uint256 floor = 0;
        for (uint256 i = 1; i < words.length; ++i) {
            floor += 1 + floors[i] % (notional / 8 + 2);
            words[i] = uint64(floor) | i << 64;
        }
        uint256 expected = 0;
        for (uint256 i = 0; i < words.length; ++i) {
            if (uint64(words[i]) <= notional) expected = words[i];
        }
        assertEq(TierLib.find(words, int256(uint256(notional))), expected, "tier");
    }

    function testFuzz_word_tellsLotsAndWhatIsHeld(
        int64 lots,
        uint64 entry,
        int64 collateral,
        int64 index,
        int64 after_
    ) public pure {
        uint256 word = SlotLib.packPosition(
            Position(lots, int256(uint256(entry)), collateral, index)
        );
        assertEqInt(SlotLib.lots(word), lots, "lots");
        int256 value = lots > 0 ? -int256(uint256(entry)) : int256(uint256(entry));
        assertEqInt(SlotLib.heldQuote(word), collateral + value, "held");
        int256 step = (after_ != 0 ? int256(1) : int256(0)) - (lots != 0 ? int256(1) : int256(0));
        assertEqInt(SlotLib.opening(lots, after_), step, "opening");
        assertEqInt(SlotLib.opening(lots, 0), lots == 0 ? int256(0) : -1, "closes");
        assertEqInt(SlotLib.opening(0, after_), after_ == 0 ? int256(0) : int256(1), "opens");
    }

    function _terms(uint32[3] memory steps) private pure returns (Terms memory t) {
        t.quotePerTickLot = 10;
        t.feeTakerPpm = 500;
        t.tiers = new uint256[](3);
        uint256 floor = 0;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 amount = i == 0 ? 0 : uint256(steps[i]) * i;
            t.tiers[i] =
                floor | (20_000 * (i + 1)) << 64 | (10_000 * (i + 1)) << 88 | amount << 112;
            floor += 1 + uint256(steps[i]) * 1_000_000;
        }
    }
}
