// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Tier } from "../src/interfaces/ISettlementTypes.sol";
import { FixedPointLib } from "../src/libraries/FixedPointLib.sol";
import { MarginLib, Position, Terms } from "../src/libraries/MarginLib.sol";
import { TierLib } from "../src/libraries/TierLib.sol";
import { MarginHarness } from "./MarginHarness.sol";
import { Test } from "./utils/Vm.sol";

/// @notice Properties of the margin rules, over positions that are healthy and such that are not.
contract MarginTest is Test, MarginHarness {
    int256 private constant PRICE_TICKS_MAX = 100_000;

    /// @dev NUM-2: floor and ceil enclose the quotient, whatever the signs.
    function testFuzz_divisionsRoundAsNamed(int128 x, uint64 divisor) public pure {
        int256 d = int256(uint256(divisor)) + 1;
        int256 down = FixedPointLib.floorDiv(x, d);
        int256 up = FixedPointLib.ceilDiv(x, d);
        assertTrue(down * d <= x && x < (down + 1) * d, "floor");
        assertTrue(up * d >= x && x > (up - 1) * d, "ceil");
    }

    /// @dev MARG-3: the tier found by its floor gives the maximum over all tiers.
    function testFuzz_requirementIsTheMaximumOverAllTiers(uint256 seed, uint256 notional)
        public
        view
    {
        uint256[] memory words = this.chainTiers(_someTiers(seed), 500);
        int256 n = int256(bound(notional, 0, 1 << 60));
        uint256 tier = TierLib.find(words, n);
        int256 found =
            FixedPointLib.partUp(n, TierLib.initialPpm(tier) + 500) - TierLib.amountInitial(tier);
        int256 largest = type(int256).min;
        for (uint256 i = 0; i < words.length; ++i) {
            int256 rate = int256(uint256(uint24(words[i] >> 64))) + 500;
            int256 required = FixedPointLib.mulDivUp(n, rate, 1_000_000)
                - int256(uint256(uint64(words[i] >> 112)));
            if (required > largest) largest = required;
        }
        assertEqInt(found, largest, "maximum");
    }

    /// @dev MARG-5: liquidatable at the tick, not at the next one towards safety.
    function testFuzz_liquidationPriceIsTheFirstTick(uint256 seed) public view {
        (Position memory p, Moment memory moment) = _somePosition(seed);
        Position memory settled = draftOf(p, moment, 0).position;
        int256 tick = liquidationPrice(p, moment);
        int256 step = p.positionLots > 0 ? int256(1) : int256(-1);
        if (tick < 0) {
            int256 worst = p.positionLots > 0 ? int256(0) : PRICE_TICKS_MAX;
            assertTrue(!MarginLib.isLiquidatable(settled, worst, moment.terms), "safe everywhere");
            return;
        }
        assertTrue(MarginLib.isLiquidatable(settled, tick, moment.terms), "liquidatable there");
        int256 neighbour = tick + step;
        if (neighbour < 1 || neighbour > PRICE_TICKS_MAX) return;
        assertTrue(!MarginLib.isLiquidatable(settled, neighbour, moment.terms), "safe beside it");
    }

    /// @dev MARG-6: at the bankruptcy price the equity is not negative and less than a tick.
    function testFuzz_bankruptcyPriceLeavesLessThanATick(uint256 seed) public view {
        (Position memory p, Moment memory moment) = _somePosition(seed);
        Position memory settled = draftOf(p, moment, 0).position;
        int256 priceTicks = MarginLib.bankruptcyPrice(settled, moment.terms);
        int256 left = MarginLib.equity(settled, priceTicks, moment.terms);
        if (priceTicks == 0) return;
        int256 tick = FixedPointLib.abs(p.positionLots) * moment.terms.quotePerTickLot;
        assertTrue(left >= 0 && left < tick, "dust");
    }

    /// @dev FILL-4: closing in two parts gives the same money as closing at once.
    function testFuzz_closingInPartsLosesNothing(uint256 seed, uint256 part) public view {
        (Position memory p, Moment memory moment) = _somePosition(seed);
        int256 held = FixedPointLib.abs(p.positionLots);
        int256 first = int256(bound(part, 1, uint256(held)));
        Position memory q;
        MarginLib.copy(p, q);
        MarginLib.reduce(p, held, moment.markTicks, moment.terms);
        MarginLib.reduce(q, first, moment.markTicks, moment.terms);
        if (first != held) MarginLib.reduce(q, held - first, moment.markTicks, moment.terms);
        assertEqInt(q.collateralQuote, p.collateralQuote, "same money");
        assertEqInt(q.entryValueQuote, 0, "nothing left");
    }

    /// @dev FILL-3: the slices of an order's fills add up to its margin.
    function testFuzz_slicesAddUp(uint64 margin, uint32 qty, uint32 cut) public pure {
        int256 quantity = int256(bound(qty, 1, type(uint32).max - 1));
        int256 middle = int256(bound(cut, 0, uint256(quantity)));
        int256 marginQuote = int256(bound(margin, 0, 1 << 60));
        int256 sum = MarginLib.slice(marginQuote, quantity, 0, middle)
            + MarginLib.slice(marginQuote, quantity, middle, quantity);
        assertEqInt(sum, marginQuote, "whole margin");
    }

    function _someTiers(uint256 seed) private pure returns (Tier[] memory tiers) {
        tiers = new Tier[](1 + seed % 8);
        uint256 floor = 0;
        uint256 rate = 10_000;
        for (uint256 i = 0; i < tiers.length; ++i) {
            tiers[i] = Tier(uint64(floor), uint24(2 * rate), uint24(rate));
            seed = uint256(keccak256(abi.encode(seed)));
            floor += 1_000_000 * (1 + seed % 1_000_000_000);
            rate += 1 + (seed >> 128) % 40_000;
        }
    }

    function _somePosition(uint256 seed)
        private
        view
        returns (Position memory p, Moment memory moment)
    {
        moment.priceTicksMax = PRICE_TICKS_MAX;
        moment.terms.quotePerTickLot = int256(1 + (seed >> 8) % 1000);
        moment.terms.feeTakerPpm = 500;
        moment.terms.tiers = this.chainTiers(_someTiers(seed), 500);
        seed = uint256(keccak256(abi.encode(seed, "position")));
        int256 entryTicks = int256(1 + seed % uint256(PRICE_TICKS_MAX));
        moment.markTicks = int256(1 + (seed >> 32) % uint256(PRICE_TICKS_MAX));
        int256 lots = int256(1 + (seed >> 64) % (1 << 20));
        p.entryValueQuote = lots * entryTicks * moment.terms.quotePerTickLot;
        p.positionLots = seed >> 255 == 0 ? lots : -lots;
        // From a tenth under zero to half of the entry value.
        int256 share = int256((seed >> 128) % 600) - 100;
        p.collateralQuote = p.entryValueQuote * share / 1000;
        moment.fundingIndexE6 = int256((seed >> 160) % 2_000_000) - 1_000_000;
    }
}
