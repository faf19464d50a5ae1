// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { Health, VenuePhase } from "../src/interfaces/ISettlementTypes.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice CONS-3: what monitoring sees in one call.
contract HealthTest is SettlementTest {
    function test_health_followsTheVenue() public {
        tradePair();
        vm.warp(block.timestamp + 100);
        Health memory h = settlement.health();
        assertEq(uint8(h.phase), uint8(VenuePhase.OPEN), "phase");
        assertEq(h.sequence, 1, "sequence");
        assertEq(h.clockLagS, 100, "clock");
        assertEq(h.queueLength + h.queueAgeS + h.exitTimeS + h.lotsGap, 0, "nothing to tell");
        assertEqInt(h.liabilitiesGapQuote, 0, "liabilities");
        assertEqInt(h.custodyGapQuote, 0, "custody");

        vm.prank(GUARDIAN);
        settlement.pauseRisk();
        vm.prank(vm.addr(ALICE));
        settlement.requestWithdrawal(1, address(0xbeef));
        vm.prank(vm.addr(BOB));
        settlement.requestWithdrawal(1, address(0xbeef));
        vm.warp(block.timestamp + 1 days);
        h = settlement.health();
        assertEq(h.riskPausedFromS, settlement.riskPausedFromS(), "paused");
        assertEq(h.queueLength, 2, "two wait");
        assertEq(h.queueAgeS, 1 days, "age of the head");
        settlement.enterExitMode();
        h = settlement.health();
        assertEq(uint8(h.phase), uint8(VenuePhase.EXIT), "exit");
        assertEq(h.exitTimeS, block.timestamp, "since when");
    }

    /// @dev Requests set aside do not wait in the queue, and end the venue all the same: in order,
    /// whichever of them is served first.
    function test_health_countsWhatWasSetAside() public {
        tradePair();
        for (uint256 i = 0; i < 4; ++i) {
            vm.warp(block.timestamp + 100);
            vm.prank(vm.addr(BOB));
            settlement.requestReduce(MARKET, 10);
        }
        Plan memory p = plan();
        for (uint64 id = 1; id <= 4; ++id) {
            addForced(p, id, vm.addr(BOB));
        }
        settleAccepted(p);
        Health memory h = settlement.health();
        assertEq(h.queueLength + h.queueAgeS, 0, "nothing waits in the queue");
        assertEq(h.asideLength, 4, "four wait for a price");
        assertEq(h.asideAgeS, 300, "the first");
        _serve(2, 3, 300);
        _serve(1, 2, 100);
        _serve(4, 1, 100);
        _serve(3, 0, 0);
        vm.prank(vm.addr(BOB));
        settlement.requestReduce(MARKET, 10);
        vm.warp(block.timestamp + 5 days);
        p = plan();
        addForced(p, 5, vm.addr(BOB));
        settleAccepted(p);
        h = settlement.health();
        assertEq(h.asideLength, 1, "the next one");
        assertEq(h.asideAgeS, 5 days, "its age");
        settlement.enterExitModeFor(5);
    }

    function _serve(uint64 id, uint256 left, uint256 ageS) private {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        addForced(p, id, vm.addr(BOB));
        settleAccepted(p);
        Health memory h = settlement.health();
        assertEq(h.asideLength, left, "how many are left");
        assertEq(h.asideAgeS, ageS, "the age of the oldest");
    }

    /// @dev What the vault holds beyond the custody is seen.
    function test_health_seesTheVaultsBalance() public {
        token.mint(address(settlement.VAULT()), 7);
        assertEqInt(settlement.health().custodyGapQuote, 7, "more than owed");
        assertEqInt(settlement.health().liabilitiesGapQuote, 0, "nobody is credited");
    }

    function test_RevertWhen_etherIsSent() public {
        (bool succeeded, bytes memory data) = address(settlement).call{ value: 1 }("");
        assertTrue(!succeeded, "refused");
        assertTrue(bytes4(data) == ISettlementErrors.EtherRefused.selector, "says why");
    }
}
