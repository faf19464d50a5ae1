// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Tier } from "../src/interfaces/ISettlementTypes.sol";
import { Draft } from "../src/libraries/FillLib.sol";
import { Position } from "../src/libraries/MarginLib.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { TierLib } from "../src/libraries/TierLib.sol";
import { MarginHarness } from "./MarginHarness.sol";
import { Test, vm } from "./utils/Vm.sol";

/// @notice Checks of the liquidation rules that no vector is about.
contract RefusalsLibraryTest is Test, MarginHarness {
    /// @dev LIQ-2: sold at 1789 under a mark of 1980, no lot brings the higher tier any nearer: what
    /// restores in the lower tier alone is not enough, and the liquidation goes on.
    function test_liquidationFill_whereOneTierNeverRestores() public view {
        Moment memory moment = _moment(1980);
        Position memory p;
        p.positionLots = 1_000_000;
        p.entryValueQuote = 19_800_000_000;
        p.collateralQuote = 1_920_000_000;
        (RejectReason reason,, Draft memory d) = liquidationFill(p, moment, 10, 1789);
        assertEq(uint8(reason), uint8(RejectReason.NONE), "goes on");
        assertEqInt(d.position.positionLots, 999_990, "closed");
    }

    /// @dev LIQ-5: the fund closes only: no lots, more than it has, the same side.
    function test_fundFill_closesOnly() public view {
        Moment memory moment = _moment(1000);
        Position memory p;
        for (uint256 i = 0; i < 3; ++i) {
            p.positionLots = i == 0 ? int256(0) : int256(10);
            p.entryValueQuote = p.positionLots * 10_000;
            p.collateralQuote = 1_000_000;
            (RejectReason reason,) =
                fundFill(p, moment, i == 2, i == 1 ? int256(11) : int256(1), 1000);
            assertEq(uint8(reason), uint8(RejectReason.REDUCE_ONLY), "opens");
        }
    }

    /// @dev MKT-2: amounts are exact, of the initial and of the maintenance requirement.
    function test_RevertWhen_aTierLeavesARemainder() public {
        Tier[] memory tiers = new Tier[](2);
        tiers[0] = Tier(0, 100_000, 50_000);
        for (uint256 i = 0; i < 2; ++i) {
            tiers[1] = i == 0 ? Tier(10, 150_000, 50_000) : Tier(10, 200_000, 100_000);
            vm.expectRevert(abi.encodeWithSelector(TierLib.TierAmountInexact.selector, 1));
            this.chainTiers(tiers, 500);
        }
        tiers[1].notionalFloorQuote = 20;
        this.chainTiers(tiers, 500);
    }

    function _moment(int256 markTicks) private view returns (Moment memory moment) {
        Tier[] memory tiers = new Tier[](2);
        tiers[0] = Tier(0, 100_000, 50_000);
        tiers[1] = Tier(1_000_000_000, 200_000, 100_000);
        moment.terms.quotePerTickLot = 10;
        moment.terms.positionLotsMax = 1_000_000;
        moment.terms.feeTakerPpm = 500;
        moment.terms.feeLiquidationPpm = 10_000;
        moment.terms.liquidationBufferPpm = 5000;
        moment.terms.markBandPpm = 50_000;
        moment.terms.tiers = this.chainTiers(tiers, 500);
        moment.markTicks = markTicks;
    }
}
