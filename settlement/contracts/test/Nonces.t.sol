// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Order } from "./utils/OrderTwin.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice SIG-5: ascending nonces, of which an account's word keeps the latest.
contract NoncesTest is SettlementTest {
    uint64 private constant FIRST = 1 << 63;
    uint32 private constant DEAD = type(uint32).max;
    uint8 private constant IMMEDIATE = 1;

    function setUp() public override {
        super.setUp();
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
    }

    function test_ascending_continuesInALaterBatch() public {
        Order memory o = _immediate(FIRST + 7, 30);
        for (uint32 i = 1; i <= 3; ++i) {
            settleAccepted(_taking(o, 10));
            assertEq(settlement.filledLots(o.account, o.nonce), 10 * i, "filled");
        }
        settleRejected(_taking(o, 1), RejectReason.OVERFILL);
    }

    function test_ascending_endsThoseBelow() public {
        settleAccepted(_taking(_immediate(FIRST, 10), 10));
        settleAccepted(_taking(_immediate(FIRST + 9, 10), 4));
        address owner = vm.addr(ALICE);
        assertEq(settlement.filledLots(owner, FIRST), DEAD, "below");
        assertEq(settlement.filledLots(owner, FIRST + 8), DEAD, "never used");
        assertEq(settlement.filledLots(owner, FIRST + 9), 4, "the latest");
        assertEq(settlement.filledLots(owner, FIRST + 10), 0, "above");
        settleRejected(_taking(_immediate(FIRST + 8, 10), 1), RejectReason.NONCE_USED);
        settleAccepted(_taking(_immediate(type(uint64).max, 10), 1));
        settleRejected(_taking(_immediate(FIRST + 9, 10), 1), RejectReason.NONCE_USED);
        settleAccepted(_taking(_immediate(type(uint64).max, 10), 1));
    }

    /// @dev The other nonces of the account, and its balance, do not know of them.
    function test_ascending_touchesNothingElse() public {
        settleAccepted(_taking(order(ALICE, BUY, 1000, 10, 100_000), 4));
        uint64 plain = nextNonce - 2;
        raiseNonceFloor(ALICE, 1);
        settleAccepted(_taking(_immediate(FIRST + 5, 10), 10));
        fund(ALICE, 1000);
        address owner = vm.addr(ALICE);
        assertEq(settlement.filledLots(owner, FIRST + 5), 10, "a deposit keeps it");
        assertEq(settlement.filledLots(owner, plain), 4, "others");
        (, uint64 floor) = settlement.account(owner);
        assertEq(floor, 1, "floor");
        raiseNonceFloor(ALICE, plain + 1);
        assertEq(settlement.filledLots(owner, FIRST + 5), 10, "a floor keeps it");
    }

    function test_ascending_orderTwiceInTheTableIsNoWayRoundOverfill() public {
        Plan memory p = plan();
        Order memory o = _immediate(FIRST + 1, 10);
        uint16 first = addOrder(p, ALICE, o);
        uint16 second = addOrder(p, ALICE, o);
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, 1000, 100, 1_000_000));
        addFill(p, first, maker, 6);
        addFill(p, second, maker, 6);
        settleRejected(p, RejectReason.OVERFILL);
        assertEq(settlement.filledLots(o.account, o.nonce), 6, "once");
    }

    function test_refused_ascendingOfAnOrderThatMayRestOrWait() public {
        Order memory o = _immediate(FIRST + 1, 10);
        o.timeInForce = 0;
        settleRejected(_taking(o, 1), RejectReason.NONCE_USED);
        o = _immediate(FIRST + 1, 10);
        o.triggerKind = 1;
        o.triggerPriceTicks = 1000;
        settleRejected(_taking(o, 1), RejectReason.NONCE_USED);
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 100_000));
        o = order(BOB, SELL, 1000, 10, 100_000);
        o.nonce = FIRST + 1;
        addFill(p, taker, addOrder(p, BOB, o), 1);
        settleRejected(p, RejectReason.NONCE_USED);
        assertEq(settlement.filledLots(vm.addr(ALICE), FIRST + 1), 0, "nothing used it");
    }

    function test_refused_ascendingOfAMove() public {
        settleAccepted(_taking(_immediate(FIRST + 1, 10), 10));
        Plan memory p = plan();
        addCollateral(p, ALICE, 1000, FIRST + 2);
        settleRejected(p, RejectReason.NONCE_USED);
        p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), 1000, FIRST + 2);
        settleRejected(p, RejectReason.NONCE_USED);
    }

    function test_refused_ascendingBelowTheFloor() public {
        raiseNonceFloor(ALICE, FIRST + 100);
        settleRejected(_taking(_immediate(FIRST + 99, 10), 1), RejectReason.NONCE_USED);
        settleAccepted(_taking(_immediate(FIRST + 100, 10), 1));
    }

    /// @dev A cancellation ends its nonce and those below; of one that is dead it changes nothing.
    function test_ascending_cancelled() public {
        settleAccepted(_taking(_immediate(FIRST + 5, 10), 4));
        address owner = vm.addr(ALICE);
        killNonce(ALICE, FIRST + 3);
        assertEq(settlement.filledLots(owner, FIRST + 5), 4, "below: nothing");
        killNonce(ALICE, FIRST + 5);
        settleRejected(_taking(_immediate(FIRST + 5, 10), 1), RejectReason.NONCE_USED);
        killNonce(ALICE, FIRST + 8);
        settleRejected(_taking(_immediate(FIRST + 7, 10), 1), RejectReason.NONCE_USED);
        settleRejected(_taking(_immediate(FIRST + 8, 10), 1), RejectReason.NONCE_USED);
        settleAccepted(_taking(_immediate(FIRST + 9, 10), 1));
    }

    function test_ascending_cancelledByARange() public {
        settleAccepted(_taking(_immediate(FIRST, 10), 4));
        address owner = vm.addr(ALICE);
        vm.prank(owner);
        serveNow(settlement.requestCancelRange(FIRST - 2, FIRST + 3), owner);
        assertEq(settlement.filledLots(owner, FIRST - 3), 0, "below the range");
        assertEq(settlement.filledLots(owner, FIRST - 2), DEAD, "its first");
        assertEq(settlement.filledLots(owner, FIRST - 1), DEAD, "its last plain one");
        assertEq(settlement.filledLots(owner, FIRST + 3), DEAD, "its last");
        assertEq(settlement.filledLots(owner, FIRST + 4), 0, "above");
    }

    function _immediate(uint64 nonce, uint64 lots) private returns (Order memory o) {
        o = order(ALICE, BUY, 1000, lots, lots * 10_000);
        o.nonce = nonce;
        o.timeInForce = IMMEDIATE;
    }

    function _taking(Order memory o, uint32 lots) private returns (Plan memory p) {
        p = plan();
        uint16 taker = addOrder(p, ALICE, o);
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, lots, lots * 10_000)), lots);
    }
}
