// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { PositionView } from "../src/interfaces/ISettlementTypes.sol";
import { OrderLib } from "../src/libraries/OrderLib.sol";
import { Order, OrderTwin } from "./utils/OrderTwin.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice BATCH-5 and FILL-1 … FILL-6: what a fill does, and one test per reason to refuse it.
contract FillTest is SettlementTest {
    function setUp() public override {
        super.setUp();
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
    }

    /* WHAT A FILL DOES */

    /// @dev 100 lots at 1000 ticks of 10: notional 1,000,000; fees 500 and 200.
    function test_fill_opensBothSides() public {
        _open(100, 1000, 200_000);
        PositionView memory long = position(ALICE);
        PositionView memory short = position(BOB);
        assertEqInt(long.positionLots, 100, "long");
        assertEqInt(short.positionLots, -100, "short");
        assertEq(long.entryValueQuote, 1_000_000, "entry value");
        assertEqInt(long.collateralQuote, 200_000 - 500, "FILL-2: slice less taker fee");
        assertEqInt(short.collateralQuote, 200_000 - 200, "FILL-2: slice less maker fee");
        assertEq(free(ALICE), 1_000_000_000 - 200_000, "free");
        assertEq(settlement.feesQuote(), 700, "fees");
    }

    /// @dev FILL-3: slices of 100 quote over 3 lots are 33, 33, 34.
    function test_fill_movesMarginProRata() public {
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 3, 10_000));
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, 1000, 3, 30_000));
        for (uint256 i = 0; i < 3; ++i) {
            addFill(p, taker, maker, 1);
        }
        settleAccepted(p);
        assertEq(free(ALICE), 1_000_000_000 - 10_000, "the whole margin, to the unit");
        assertEqInt(position(ALICE).collateralQuote, 10_000 - 3 * 5, "less three fees");
    }

    function test_fill_executesAtTheMakersPrice() public {
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1100, 10, 50_000));
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, 990, 10, 50_000));
        addFill(p, taker, maker, 10);
        settleAccepted(p);
        assertEq(position(ALICE).entryValueQuote, 99_000, "entry value");
    }

    /// @dev FILL-5: half of 199,500 plus a profit of 5,000 less a fee of 263 comes back.
    function test_fill_releasesShareWhenReducing() public {
        _open(100, 1000, 200_000);
        Plan memory p = plan();
        addPrice(p, 1010, 1010);
        uint16 taker = addOrder(p, ALICE, order(ALICE, SELL, 1010, 50, 0));
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 1010, 50, 200_000));
        addFill(p, taker, maker, 50);
        settleAccepted(p);
        assertEq(free(ALICE), 999_800_000 + 99_750 + 5000 - 253, "free");
        assertEqInt(position(ALICE).collateralQuote, 99_750, "half stays");
        assertEq(position(ALICE).entryValueQuote, 500_000, "half of the entry value");
    }

    /// @dev FILL-1, FILL-5: the closing part gives everything back, the opening part pays anew.
    function test_fill_turnsAPosition() public {
        _open(100, 1000, 200_000);
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, SELL, 1000, 150, 300_000));
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 1000, 150, 300_000));
        addFill(p, taker, maker, 150);
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, -50, "turned");
        assertEqInt(position(ALICE).collateralQuote, 100_000 - 250, "slice of lots 100 to 150");
        assertEq(free(ALICE), 1_000_000_000 - 500 - 500 - 100_000, "free");
    }

    function test_fill_closesWholly() public {
        _open(100, 1000, 200_000);
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, SELL, 1000, 100, 0));
        uint16 maker = addOrder(p, BOB, order(BOB, BUY, 1000, 100, 0));
        addFill(p, taker, maker, 100);
        settleAccepted(p);
        assertEqInt(position(ALICE).collateralQuote, 0, "nothing left behind");
        assertEq(free(ALICE), 1_000_000_000 - 1000, "two fees");
        assertEq(free(BOB), 1_000_000_000 - 400, "two fees");
    }

    /// @dev FILL-6: under water of the initial margin a pure reduction that helps is allowed.
    function test_fill_reducesBelowInitialMargin() public {
        _open(100, 1000, 110_000);
        Plan memory p = plan();
        addPrice(p, 960, 960);
        uint16 taker = addOrder(p, ALICE, order(ALICE, SELL, 960, 50, 0));
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 960, 50, 200_000));
        addFill(p, taker, maker, 50);
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 50, "reduced");
    }

    /// @dev Fields of the order other than the filled part; the filled lots stand on chain.
    function test_fill_continuesInALaterBatch() public {
        Order memory resting = order(BOB, SELL, 1000, 100, 200_000);
        for (uint256 i = 1; i <= 4; ++i) {
            Plan memory p = plan();
            uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 25, 50_000));
            addFill(p, taker, addOrder(p, BOB, resting), 25);
            settleAccepted(p);
            assertEq(settlement.filledLots(resting.account, resting.nonce), 25 * i, "filled");
        }
        Plan memory last = plan();
        uint16 more = addOrder(last, ALICE, order(ALICE, BUY, 1000, 25, 50_000));
        addFill(last, more, addOrder(last, BOB, resting), 1);
        settleRejected(last, RejectReason.OVERFILL);
    }

    /// @dev An order written twice into the table shares its filled lots.
    function test_fill_orderTwiceInTheTableIsNoWayRoundOverfill() public {
        Plan memory p = plan();
        Order memory resting = order(BOB, SELL, 1000, 10, 200_000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 200_000));
        uint16 first = addOrder(p, BOB, resting);
        uint16 second = addOrder(p, BOB, resting);
        addFill(p, taker, first, 6);
        addFill(p, taker, second, 6);
        settleRejected(p, RejectReason.OVERFILL);
    }

    /// @dev A collateral move and an order of one nonce: the second of them is refused.
    function test_fill_nonceIsSharedWithMoves() public {
        _open(10, 1000, 100_000);
        Plan memory p = plan();
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        uint16 taker = addOrder(p, ALICE, o);
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000));
        addCollateral(p, ALICE, 1000, o.nonce);
        addFill(p, taker, maker, 1);
        settleRejected(p, RejectReason.NONCE_USED);
    }

    /* WHY IT IS REFUSED */

    function test_refused_marketUnknown() public {
        Plan memory p = plan();
        p.marketIds[0] = 7;
        _refused(p, RejectReason.MARKET_UNKNOWN);
    }

    function test_refused_accountUnknown() public {
        Plan memory p = plan();
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.account = FUND;
        uint16 taker = addOrder(p, ALICE, o);
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000)), 1);
        settleRejected(p, RejectReason.ACCOUNT_UNKNOWN);
    }

    function test_refused_expired() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.expiryTimeS = uint64(block.timestamp);
        _refusedTaker(o, RejectReason.EXPIRED);
        o.expiryTimeS += 1;
        _acceptedTaker(o);
    }

    function test_refused_nonceCancelled() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        killNonce(ALICE, o.nonce);
        assertEq(settlement.filledLots(o.account, o.nonce), type(uint32).max, "dead");
        _refusedTaker(o, RejectReason.NONCE_USED);
    }

    function test_refused_nonceBelowTheFloor() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        raiseNonceFloor(ALICE, o.nonce + 1);
        _refusedTaker(o, RejectReason.NONCE_USED);
        o.nonce += 1;
        _acceptedTaker(o);
    }

    /// @dev GOV-4: a pause binds batches that begin `riskPauseNoticeS` after it: what opens is
    /// refused, on either side; what only reduces is not.
    function test_refused_riskPaused() public {
        _acceptedTaker(order(ALICE, BUY, 1000, 10, 100_000));
        vm.prank(GUARDIAN);
        settlement.pauseRisk();
        vm.warp(block.timestamp + 29);
        _acceptedTaker(order(ALICE, BUY, 1000, 10, 100_000));
        vm.warp(block.timestamp + 1);
        _refusedTaker(order(ALICE, BUY, 1000, 10, 100_000), RejectReason.RISK_PAUSED);

        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, SELL, 1000, 2, 0));
        uint16 maker = addOrder(p, BOB, order(BOB, BUY, 1000, 2, 0));
        addFill(p, taker, maker, 2);
        settleAccepted(p);
        p = plan();
        taker = addOrder(p, ALICE, order(ALICE, SELL, 1000, 50, 100_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, BUY, 1000, 50, 100_000)), 50);
        settleRejected(p, RejectReason.RISK_PAUSED);
        p = plan();
        addCollateral(p, ALICE, 5, nextNonce++);
        settleAccepted(p);
        p = plan();
        addCollateral(p, ALICE, -5, nextNonce++);
        settleRejected(p, RejectReason.RISK_PAUSED);

        vm.prank(GUARDIAN);
        settlement.resumeRisk();
        _acceptedTaker(order(ALICE, BUY, 1000, 10, 100_000));
    }

    function test_refused_quantity() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, o);
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000)), 0);
        settleRejected(p, RejectReason.QTY_OUT_OF_RANGE);
        o.qtyLots = type(uint32).max;
        _refusedTaker(o, RejectReason.QTY_OUT_OF_RANGE);
        o.qtyLots = 0;
        _refusedTaker(o, RejectReason.QTY_OUT_OF_RANGE);
    }

    function test_refused_price() public {
        Order memory o = order(ALICE, BUY, 1_000_001, 10, 100_000);
        _refusedTaker(o, RejectReason.PRICE_OUT_OF_RANGE);
        o.priceTicks = 0;
        _refusedTaker(o, RejectReason.PRICE_OUT_OF_RANGE);
    }

    function test_refused_feeAboveTheSignedLimit() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.feePpmMax = 499;
        _refusedTaker(o, RejectReason.FEE_ABOVE_LIMIT);
        o.feePpmMax = 500;
        _acceptedTaker(o);
        Plan memory p = plan();
        Order memory maker = order(BOB, SELL, 1000, 10, 100_000);
        maker.feePpmMax = 199;
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 100_000));
        addFill(p, taker, addOrder(p, BOB, maker), 1);
        settleRejected(p, RejectReason.FEE_ABOVE_LIMIT);
    }

    function test_refused_selfTrade() public {
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 100_000));
        addFill(p, taker, addOrder(p, ALICE, order(ALICE, SELL, 1000, 10, 100_000)), 1);
        settleRejected(p, RejectReason.SELF_TRADE);
    }

    function test_refused_sameSide() public {
        _refusedTaker(order(ALICE, SELL, 1000, 10, 100_000), RejectReason.SIDE_MISMATCH);
    }

    function test_refused_differentMarkets() public {
        govern(abi.encodeCall(settlement.listMarket, (2, marketParams(), tiers())));
        Plan memory p = plan();
        p.marketIds = new uint32[](2);
        p.marketIds[0] = MARKET;
        p.marketIds[1] = 2;
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 100_000));
        Order memory o = order(BOB, SELL, 1000, 10, 100_000);
        o.marketId = 2;
        bytes32 digest = OrderTwin.orderDigest(settlement.domainSeparator(), o);
        addFill(p, taker, addOrderAt(p, 1, o, compact(BOB, digest)), 1);
        settleRejected(p, RejectReason.SIDE_MISMATCH);
    }

    function test_refused_priceNotCrossed() public {
        _refusedTaker(order(ALICE, BUY, 999, 10, 100_000), RejectReason.PRICE_NOT_CROSSED);
    }

    function test_refused_makerThatDoesNotRest() public {
        for (uint8 timeInForce = 1; timeInForce <= 3; ++timeInForce) {
            Plan memory p = plan();
            uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 100_000));
            Order memory maker = order(BOB, SELL, 1000, 10, 100_000);
            maker.timeInForce = timeInForce;
            addFill(p, taker, addOrder(p, BOB, maker), 1);
            settleRejected(p, RejectReason.TIME_IN_FORCE);
        }
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.timeInForce = 3;
        _refusedTaker(o, RejectReason.TIME_IN_FORCE);
        o.timeInForce = 2;
        _acceptedTaker(o);
    }

    function test_refused_postOnlyTaker() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.postOnly = true;
        _refusedTaker(o, RejectReason.POST_ONLY_WOULD_TAKE);
    }

    function test_refused_overfill() public {
        _refusedTaker(order(ALICE, BUY, 1000, 4, 100_000), RejectReason.OVERFILL);
    }

    function test_refused_reduceOnly() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.reduceOnly = true;
        _refusedTaker(o, RejectReason.REDUCE_ONLY);
        _open(4, 1000, 100_000);
        o = order(ALICE, SELL, 1000, 10, 100_000);
        o.reduceOnly = true;
        Plan memory p = plan();
        uint16 maker = addOrder(p, BOB, order(BOB, BUY, 1000, 10, 100_000));
        uint16 taker = addOrder(p, ALICE, o);
        addFill(p, taker, maker, 4);
        addFill(p, taker, maker, 1);
        settleRejected(p, RejectReason.REDUCE_ONLY);
    }

    function test_refused_triggerNotMet() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.timeInForce = 1;
        o.triggerKind = 1;
        o.triggerPriceTicks = 1001;
        _refusedTaker(o, RejectReason.TRIGGER_NOT_MET);
        o.triggerKind = 2;
        o.triggerPriceTicks = 999;
        _refusedTaker(o, RejectReason.TRIGGER_NOT_MET);
        o.triggerPriceTicks = 1000;
        _acceptedTaker(o);
    }

    function test_refused_noPrice() public {
        govern(abi.encodeCall(settlement.listMarket, (2, marketParams(), tiers())));
        Plan memory p = plan();
        p.marketIds[0] = 2;
        Order memory taker = order(ALICE, BUY, 1000, 10, 100_000);
        Order memory maker = order(BOB, SELL, 1000, 10, 100_000);
        taker.marketId = 2;
        maker.marketId = 2;
        uint16 index = addOrder(p, ALICE, taker);
        addFill(p, index, addOrder(p, BOB, maker), 1);
        settleRejected(p, RejectReason.NO_PRICE);
    }

    function test_refused_freeCollateral() public {
        Order memory o = order(ALICE, BUY, 1000, 5, 1_000_000_001);
        _refusedTaker(o, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
        o.marginQuote -= 1;
        _acceptedTaker(o);
    }

    /// @dev 5 lots: notional 50,000, initial 10 % and 0.05 % for closing = 5,025; fee 25.
    function test_refused_margin() public {
        Order memory o = order(ALICE, BUY, 1000, 5, 5049);
        _refusedTaker(o, RejectReason.INSUFFICIENT_MARGIN);
        o.marginQuote = 5050;
        _acceptedTaker(o);
    }

    function test_refused_marginWhenAdding() public {
        _open(100, 1000, 110_000);
        Plan memory p = plan();
        addPrice(p, 960, 960);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 960, 1, 0));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 960, 1, 0)), 1);
        settleRejected(p, RejectReason.INSUFFICIENT_MARGIN);
    }

    /// @dev FILL-6: a reduction at a price that makes it worse is refused.
    function test_refused_reductionThatMakesItWorse() public {
        _open(100, 1000, 110_000);
        Plan memory p = plan();
        addPrice(p, 940, 940);
        uint16 taker = addOrder(p, ALICE, order(ALICE, SELL, 1, 50, 0));
        addFill(p, taker, addOrder(p, CAROL, order(CAROL, BUY, 850, 50, 200_000)), 50);
        settleRejected(p, RejectReason.INSUFFICIENT_MARGIN);
    }

    function test_refused_positionLimit() public {
        uint256 rich = 0x51c4;
        fund(rich, 100_000_000_000);
        Plan memory p = plan();
        fund(BOB, 100_000_000_000);
        uint16 taker = addOrder(p, rich, order(rich, BUY, 1000, 1_000_001, 10_000_000_000));
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, 1000, 1_000_001, 10_000_000_000));
        addFill(p, taker, maker, 1_000_000);
        addFill(p, taker, maker, 1);
        settleRejected(p, RejectReason.POSITION_LIMIT);
    }

    /// @dev Nobody closes out of a debt: what is below zero is not the free balance's.
    function test_refused_bankrupt() public {
        _open(100, 1000, 110_000);
        Plan memory p = plan();
        addPrice(p, 880, 880);
        uint16 taker = addOrder(p, ALICE, order(ALICE, SELL, 880, 100, 0));
        addFill(p, taker, addOrder(p, CAROL, order(CAROL, BUY, 880, 100, 200_000)), 100);
        settleRejected(p, RejectReason.BANKRUPT);
        assertEq(free(ALICE), 1_000_000_000 - 110_000, "isolation floor");
    }

    function test_refused_signature() public {
        Plan memory p = plan();
        uint16 taker = addOrder(p, CAROL, order(ALICE, BUY, 1000, 10, 100_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000)), 5);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
        p = plan();
        taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 100_000));
        addFill(p, taker, addOrder(p, CAROL, order(BOB, SELL, 1000, 10, 100_000)), 5);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    /// @dev The twin of a signature with s above half the order recovers to the same signer.
    function test_refused_highS() public {
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(ALICE, OrderTwin.orderDigest(settlement.domainSeparator(), o));
        uint256 highS = n - uint256(s);
        if (highS >> 255 != 0) highS = highS << 1 >> 1;
        bytes32 vs = bytes32(highS | (v == 27 ? uint256(1) << 255 : 0));
        Plan memory p = plan();
        uint16 taker = addOrderAt(p, 0, o, abi.encodePacked(r, vs));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000)), 5);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    function test_refused_zeroSignature() public {
        Plan memory p = plan();
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.account = address(0);
        uint16 taker = addOrderAt(p, 0, o, new bytes(64));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 0)), 5);
        bytes memory reasons = settle(p);
        assertTrue(reasons[0] != 0, "refused");
    }

    /// @dev SIG-2: the contract does not read instructions, but they are signed.
    function test_instructionsAreSigned() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.instructions = bytes32(uint256(3) << 248);
        _acceptedTaker(o);
        Plan memory p = plan();
        o.nonce = nextNonce++;
        bytes memory signature =
            compact(ALICE, OrderTwin.orderDigest(settlement.domainSeparator(), o));
        o.instructions = bytes32(uint256(2) << 248);
        uint16 taker = addOrderAt(p, 0, o, signature);
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000)), 5);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    /// @dev SIG-2: change any field of a signed order and the signature is void.
    function testFuzz_everyFieldOfAnOrderIsSigned(uint256 field, uint256 value) public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        bytes32 domain = settlement.domainSeparator();
        bytes32 digest = OrderTwin.orderDigest(domain, o);
        field = bound(field, 0, 14);
        if (field == 0) o.account = address(uint160(value));
        if (field == 1) o.marketId = uint32(value);
        if (field == 2) o.side = uint8(value);
        if (field == 3) o.timeInForce = uint8(value);
        if (field == 4) o.postOnly = true;
        if (field == 5) o.reduceOnly = true;
        if (field == 6) o.priceTicks = uint64(value);
        if (field == 7) o.qtyLots = uint64(value);
        if (field == 8) o.marginQuote = uint64(value);
        if (field == 9) o.feePpmMax = uint32(value);
        if (field == 10) o.triggerKind = uint8(value);
        if (field == 11) o.triggerPriceTicks = uint64(value);
        if (field == 12) o.nonce = uint64(value);
        if (field == 13) o.expiryTimeS = uint64(value);
        if (field == 14) o.instructions = bytes32(value);
        Order memory same = order(ALICE, BUY, 1000, 10, 100_000);
        same.nonce = nextNonce - 2;
        bool changed = keccak256(abi.encode(o)) != keccak256(abi.encode(same));
        assertTrue((OrderTwin.orderDigest(domain, o) != digest) == changed, "digest follows");
    }

    /* HELPERS */

    function _open(uint32 lots, uint32 priceTicks, uint64 marginQuote) private {
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, priceTicks, lots, marginQuote));
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, priceTicks, lots, marginQuote));
        addFill(p, taker, maker, lots);
        settleAccepted(p);
    }

    function _refused(Plan memory p, RejectReason reason) private {
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 100_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000)), 5);
        settleRejected(p, reason);
    }

    function _takerPlan(Order memory o) private returns (Plan memory p) {
        p = plan();
        uint16 taker = addOrder(p, ALICE, o);
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000)), 5);
    }

    function _refusedTaker(Order memory o, RejectReason reason) private {
        uint256 before = free(ALICE);
        uint256 filled = settlement.filledLots(o.account, o.nonce);
        settleRejected(_takerPlan(o), reason);
        assertEq(free(ALICE), before, "changes nothing");
        assertEq(settlement.filledLots(o.account, o.nonce), filled, "fills nothing");
    }

    function _acceptedTaker(Order memory o) private {
        settleAccepted(_takerPlan(o));
    }
}
