// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { PositionView } from "../src/interfaces/ISettlementTypes.sol";
import { Order } from "./utils/OrderTwin.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice LIQ-2 … LIQ-6. Alice is long 100 lots from 1000 with 109,500 of collateral, Bob short.
/// Unit 10, maintenance 5 % and 0.05 %: at 940 ticks her equity is 49,500, her maintenance 47,470;
/// at 935 it is 44,500 against 47,218. Her bankruptcy price is ceil(890,500 / 1000) = 891.
contract LiquidationTest is SettlementTest {
    function setUp() public override {
        super.setUp();
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 110_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 300_000)), 100);
        settleAccepted(p);
    }

    /* ON THE BOOK */

    function test_liquidation_closesAsLittleAsNeeded() public {
        uint32 least = _leastLots(935, 935);
        assertTrue(least > 1 && least < 100, "partial");
        uint256 freeBefore = free(ALICE);
        Plan memory p = _liquidation(935, 935, least);
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 100 - int256(uint256(least)), "closed");
        assertEq(free(ALICE), freeBefore, "liquidation fills release nothing");
        int256 fee = int256(settlement.position(MARKET, FUND).collateralQuote);
        assertEqInt(fee, int256(uint256(least)) * 935 * 10 / 100, "1 % to the fund");
    }

    function test_liquidation_wholeGivesTheRestBack() public {
        uint256 freeBefore = free(ALICE);
        Plan memory p = _liquidation(892, 892, 100);
        settleAccepted(p);
        PositionView memory gone = position(ALICE);
        assertEqInt(gone.positionLots, 0, "flat");
        assertEqInt(gone.collateralQuote, 0, "nothing left behind");
        int256 fund_ = settlement.position(MARKET, FUND).collateralQuote;
        assertEqInt(int256(free(ALICE) - freeBefore) + fund_, 1500, "fee and rest are the equity");
    }

    function test_refused_lotsMoreThanNeeded() public {
        uint32 least = _leastLots(935, 935);
        settleRejected(_liquidation(935, 935, least + 1), RejectReason.LIQUIDATION_TOO_LARGE);
        settleRejected(_liquidation(935, 935, 101), RejectReason.LIQUIDATION_TOO_LARGE);
    }

    function test_refused_healthyPosition() public {
        settleRejected(_liquidation(940, 940, 1), RejectReason.NOT_LIQUIDATABLE);
    }

    function test_refused_secondFillAfterRestoration() public {
        uint32 least = _leastLots(935, 935);
        Plan memory p = _liquidation(935, 935, least);
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 935, 10, 100_000));
        addLiquidation(p, 0, maker, 1);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
    }

    function test_refused_priceWorseThanBankruptcy() public {
        settleRejected(_liquidation(900, 890, 10), RejectReason.LIQUIDATION_PRICE);
        settleAccepted(_liquidation(900, 891, 10));
    }

    function test_refused_stalePrice() public {
        Plan memory p = plan();
        addPriceAt(p, 935, 935, uint48(p.clockTimeS) * 1000 - 10_001, ORACLE);
        _addLiquidation(p, 935, 1);
        bytes memory reasons = settle(p);
        assertEq(uint8(reasons[0]), uint8(RejectReason.PRICE_STALE), "older than the last row");
        vm.warp(block.timestamp + 100);
        p = plan();
        addPriceAt(p, 935, 935, uint48(p.clockTimeS) * 1000 - 10_001, ORACLE);
        _addLiquidation(p, 935, 1);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPriceAt(p, 935, 935, uint48(p.clockTimeS) * 1000 - 10_000, ORACLE);
        _addLiquidation(p, 935, 1);
        settleAccepted(p);
    }

    function test_refused_ownOrder() public {
        Plan memory p = plan();
        addPrice(p, 935, 935);
        uint16 index = addPosition(p, vm.addr(ALICE));
        addLiquidation(p, index, addOrder(p, ALICE, order(ALICE, BUY, 935, 10, 100_000)), 1);
        settleRejected(p, RejectReason.SELF_TRADE);
    }

    function test_refused_makerOnTheWrongSide() public {
        Plan memory p = plan();
        addPrice(p, 935, 935);
        uint16 index = addPosition(p, vm.addr(ALICE));
        addLiquidation(p, index, addOrder(p, CAROL, order(CAROL, SELL, 935, 10, 100_000)), 1);
        settleRejected(p, RejectReason.SIDE_MISMATCH);
    }

    function test_refused_liquidationOfTheFund() public {
        Plan memory p = plan();
        addPrice(p, 935, 935);
        uint16 index = addPosition(p, FUND);
        addLiquidation(p, index, addOrder(p, CAROL, order(CAROL, BUY, 935, 10, 100_000)), 1);
        settleRejected(p, RejectReason.ACCOUNT_UNKNOWN);
    }

    function test_refused_makerUnsigned() public {
        Plan memory p = plan();
        addPrice(p, 935, 935);
        uint16 index = addPosition(p, vm.addr(ALICE));
        addLiquidation(p, index, addOrder(p, BOB, order(CAROL, BUY, 935, 10, 100_000)), 1);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    /// @dev A position is liquidatable at any price, however low.
    function test_liquidation_atTheLowestPrice() public {
        Plan memory p = _liquidation(1, 891, 100);
        settleAccepted(p);
    }

    /* TAKEOVER */

    function test_takeover_movesLotsAndDust() public {
        giveNow(1_000_000);
        uint256 freeBefore = free(ALICE);
        Plan memory p = plan();
        addPrice(p, 900, 900);
        addTakeover(p, addPosition(p, vm.addr(ALICE)), addPosition(p, FUND), 100);
        settleAccepted(p);
        PositionView memory fund_ = settlement.position(MARKET, FUND);
        assertEqInt(fund_.positionLots, 100, "the fund has the lots");
        assertEq(fund_.entryValueQuote, 891_000, "at the bankruptcy price");
        assertEqInt(fund_.collateralQuote, 1_000_000 + 500, "with the dust");
        assertEqInt(position(ALICE).positionLots, 0, "flat");
        assertEq(free(ALICE), freeBefore, "isolation floor");
    }

    function test_refused_takeoverOfAPart() public {
        giveNow(1_000_000);
        Plan memory p = plan();
        addPrice(p, 900, 900);
        addTakeover(p, addPosition(p, vm.addr(ALICE)), addPosition(p, FUND), 99);
        settleRejected(p, RejectReason.QTY_OUT_OF_RANGE);
    }

    function test_refused_takeoverByAnotherAccount() public {
        Plan memory p = plan();
        addPrice(p, 900, 900);
        addTakeover(p, addPosition(p, vm.addr(ALICE)), addPosition(p, vm.addr(CAROL)), 100);
        settleRejected(p, RejectReason.ACCOUNT_UNKNOWN);
    }

    function test_refused_takeoverOfAHealthyPosition() public {
        giveNow(1_000_000);
        Plan memory p = plan();
        addPrice(p, 940, 940);
        addTakeover(p, addPosition(p, vm.addr(ALICE)), addPosition(p, FUND), 100);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
    }

    function test_refused_takeoverThatTheFundCannotCarry() public {
        Plan memory p = plan();
        addPrice(p, 900, 900);
        addTakeover(p, addPosition(p, vm.addr(ALICE)), addPosition(p, FUND), 100);
        settleRejected(p, RejectReason.FUND_CANNOT_CARRY);
    }

    /* AUTO-DELEVERAGING */

    function test_adl_closesBothAtTheBankruptcyPrice() public {
        uint256 freeAlice = free(ALICE);
        uint256 freeBob = free(BOB);
        Plan memory p = plan();
        addPrice(p, 880, 880);
        addAdl(p, addPosition(p, vm.addr(ALICE)), addPosition(p, vm.addr(BOB)), 100);
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 0, "flat");
        assertEqInt(position(BOB).positionLots, 0, "flat");
        assertEq(free(ALICE) - freeAlice, 500, "the dust is the account's");
        assertEq(free(BOB) - freeBob, 300_000 - 200 + 109_000, "collateral and profit");
    }

    function test_refused_adlWhileTheFundCanCarry() public {
        giveNow(1_000_000);
        Plan memory p = plan();
        addPrice(p, 880, 880);
        addAdl(p, addPosition(p, vm.addr(ALICE)), addPosition(p, vm.addr(BOB)), 100);
        settleRejected(p, RejectReason.FUND_CAN_CARRY);
    }

    function test_refused_adlOfAHealthyPosition() public {
        Plan memory p = plan();
        addPrice(p, 940, 940);
        addAdl(p, addPosition(p, vm.addr(ALICE)), addPosition(p, vm.addr(BOB)), 100);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
    }

    function test_refused_adlOfMoreThanThereIs() public {
        Plan memory p = plan();
        addPrice(p, 880, 880);
        addAdl(p, addPosition(p, vm.addr(ALICE)), addPosition(p, vm.addr(BOB)), 101);
        settleRejected(p, RejectReason.LIQUIDATION_TOO_LARGE);
    }

    function test_refused_adlAgainstTheSameSide() public {
        Plan memory p = plan();
        addPrice(p, 880, 880);
        addAdl(p, addPosition(p, vm.addr(ALICE)), addPosition(p, vm.addr(ALICE)), 1);
        settleRejected(p, RejectReason.NO_POSITION);
        p = plan();
        addPrice(p, 880, 880);
        addAdl(p, addPosition(p, vm.addr(ALICE)), addPosition(p, vm.addr(CAROL)), 1);
        settleRejected(p, RejectReason.NO_POSITION);
    }

    /// @dev Carol is short with a tenth of Bob's collateral per lot: her rank is higher.
    function test_adl_followsTheRank() public {
        uint256 dave = 0xda7e;
        fund(dave, 1_000_000_000);
        Plan memory p = plan();
        uint16 taker = addOrder(p, dave, order(dave, BUY, 1000, 100, 900_000));
        addFill(p, taker, addOrder(p, CAROL, order(CAROL, SELL, 1000, 100, 110_000)), 100);
        settleAccepted(p);

        p = plan();
        addPrice(p, 880, 880);
        uint16 alice = addPosition(p, vm.addr(ALICE));
        addAdl(p, alice, addPosition(p, vm.addr(BOB)), 10);
        addAdl(p, alice, addPosition(p, vm.addr(CAROL)), 10);
        settleRejected(p, RejectReason.ADL_ORDER);

        p = plan();
        addPrice(p, 880, 880);
        alice = addPosition(p, vm.addr(ALICE));
        addAdl(p, alice, addPosition(p, vm.addr(CAROL)), 10);
        addAdl(p, alice, addPosition(p, vm.addr(BOB)), 10);
        settleAccepted(p);
    }

    /* THE FUND CLOSES */

    function test_fundFill_reducesWithinTheBand() public {
        _takeOver();
        Plan memory p = plan();
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 855, 50, 200_000));
        addFundFill(p, addPosition(p, FUND), maker, 50);
        settleAccepted(p);
        assertEqInt(settlement.position(MARKET, FUND).positionLots, 50, "half");
    }

    function test_refused_fundFillOutsideTheBand() public {
        _takeOver();
        Plan memory p = plan();
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 854, 50, 200_000));
        addFundFill(p, addPosition(p, FUND), maker, 50);
        settleRejected(p, RejectReason.LIQUIDATION_PRICE);
    }

    function test_refused_fundFillThatOpens() public {
        _takeOver();
        Plan memory p = plan();
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 900, 200, 200_000));
        addFundFill(p, addPosition(p, FUND), maker, 101);
        settleRejected(p, RejectReason.REDUCE_ONLY);
        p = plan();
        maker = addOrder(p, CAROL, order(CAROL, SELL, 900, 200, 200_000));
        addFundFill(p, addPosition(p, FUND), maker, 1);
        settleRejected(p, RejectReason.SIDE_MISMATCH);
    }

    function test_refused_fundFillOfAnotherAccount() public {
        Plan memory p = plan();
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 1000, 200, 200_000));
        addFundFill(p, addPosition(p, vm.addr(ALICE)), maker, 1);
        settleRejected(p, RejectReason.ACCOUNT_UNKNOWN);
    }

    /* HELPERS */

    function _takeOver() private {
        giveNow(1_000_000);
        Plan memory p = plan();
        addPrice(p, 900, 900);
        addTakeover(p, addPosition(p, vm.addr(ALICE)), addPosition(p, FUND), 100);
        settleAccepted(p);
    }

    function _addLiquidation(Plan memory p, uint64 priceTicks, uint32 lots) private {
        uint16 index = addPosition(p, vm.addr(ALICE));
        Order memory bid = order(CAROL, BUY, priceTicks, 1000, 10_000_000);
        addLiquidation(p, index, addOrder(p, CAROL, bid), lots);
    }

    function _liquidation(uint32 markTicks, uint64 priceTicks, uint32 lots)
        private
        returns (Plan memory p)
    {
        p = plan();
        addPrice(p, markTicks, markTicks);
        _addLiquidation(p, priceTicks, lots);
    }

    /// @dev The smallest number of lots after which one more would be refused.
    function _leastLots(uint32 markTicks, uint64 priceTicks) private returns (uint32 lots) {
        for (lots = 100; lots > 1; --lots) {
            Plan memory p = _liquidation(markTicks, priceTicks, lots);
            (, bytes memory reasons) = dryRun(encode(p), new bytes[](0));
            if (reasons[1] == 0) return lots;
        }
    }
}
