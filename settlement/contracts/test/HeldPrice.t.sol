// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice MARK-4: orders trade at a price of the last hour on the batch's clock, no older.
contract HeldPriceTest is SettlementTest {
    uint256 private constant HOLD_S = 1 hours;

    /// @dev The last row is of `START_TIME_S`; the next batch's clock so much later.
    function setUp() public override {
        super.setUp();
        tradePair();
    }

    function planAfter(uint256 seconds_) private returns (Plan memory) {
        vm.warp(START_TIME_S + seconds_);
        return plan();
    }

    function addTrade(Plan memory p) private {
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 30_000));
        addFill(p, taker, addOrder(p, CAROL, order(CAROL, SELL, 1000, 10, 30_000)), 10);
    }

    function addAuction(Plan memory p) private {
        uint16 buy = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 30_000));
        uint16 sell = addOrder(p, CAROL, order(CAROL, SELL, 1000, 10, 30_000));
        addItem(p, abi.encodePacked(uint8(16), buy, sell, uint32(10), uint32(1000), uint8(1)));
    }

    function test_heldPrice_tradesForAnHour() public {
        Plan memory p = planAfter(HOLD_S);
        addTrade(p);
        addAuction(p);
        addCollateral(p, BOB, -1000, nextNonce++);
        settleAccepted(p);
    }

    function test_RevertWhen_fillIsAtAnOldPrice() public {
        Plan memory p = planAfter(HOLD_S + 1);
        addTrade(p);
        settleRejected(p, RejectReason.PRICE_STALE);
    }

    function test_RevertWhen_auctionIsAtAnOldPrice() public {
        Plan memory p = planAfter(HOLD_S + 1);
        addAuction(p);
        settleRejected(p, RejectReason.PRICE_STALE);
    }

    function test_RevertWhen_collateralIsTakenOutAtAnOldPrice() public {
        Plan memory p = planAfter(HOLD_S + 1);
        addCollateral(p, BOB, 1000, nextNonce++); // into the position: as ever
        addCollateral(p, BOB, -1000, nextNonce++);
        settleRejected(p, RejectReason.PRICE_STALE);
    }

    /// @dev It is the batch's clock that counts, from where it stands at the item.
    function test_heldPrice_agesWithTheClock() public {
        vm.warp(START_TIME_S + HOLD_S + 1);
        Plan memory p = plan();
        p.clockTimeS = uint40(START_TIME_S + HOLD_S);
        addTrade(p);
        addItem(p, abi.encodePacked(uint8(2), uint40(START_TIME_S + HOLD_S + 1)));
        addPriceAt(p, 1000, 1000, uint48(START_TIME_S + 1) * 1000, ORACLE);
        addTrade(p);
        addItem(p, abi.encodePacked(uint8(2), uint40(START_TIME_S + HOLD_S + 2)));
        addTrade(p);
        settleRejected(p, RejectReason.PRICE_STALE);
    }
}
