// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MarketParams } from "../src/interfaces/ISettlementTypes.sol";
import { OrderLib } from "../src/libraries/OrderLib.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { SessionKeyScope } from "../src/libraries/SessionKeyLib.sol";
import { Order } from "./utils/OrderTwin.sol";
import { RefusalTest } from "./utils/RefusalTest.sol";
import { Plan } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice Checks of items that no other test is about: each is the only one that refuses here.
/// At 935 Alice can be liquidated, at 880 she is bankrupt.
contract RefusalsTest is RefusalTest {
    /* MARKETS */

    function test_refused_itemsOfAMarketThatIsNotListed() public {
        for (uint256 i = 0; i < 9; ++i) {
            Plan memory p = planOf(UNLISTED);
            if (i == 0) addPrice(p, 1000, 1000);
            if (i == 1) addTakeover(p, addPosition(p, alice), addPosition(p, carol), 1);
            if (i == 2) addAdl(p, addPosition(p, alice), addPosition(p, bob), 1);
            if (i == 3) addFundFill(p, addPosition(p, alice), _orderOf(p, UNLISTED), 1);
            if (i == 4) addFunding(p, 0);
            if (i == 5) addCollateral(p, ALICE, 1, nextNonce++);
            if (i == 6) addItem(p, abi.encodePacked(uint8(12), uint8(0)));
            if (i == 7) addAutoTopUp(p, 1);
            if (i == 8) addItem(p, abi.encodePacked(uint8(14), addPosition(p, alice)));
            refuse(p, RejectReason.MARKET_UNKNOWN);
        }
    }

    function test_refused_whatNeedsAPriceThatNeverWas() public {
        for (uint256 i = 0; i < 4; ++i) {
            Plan memory p = planOf(OTHER);
            if (i == 0) addAdl(p, addPosition(p, alice), addPosition(p, bob), 1);
            if (i == 1) addFunding(p, 0);
            if (i == 2) addCollateral(p, ALICE, -1, nextNonce++);
            if (i == 3) _addTrade(p, OTHER, 0);
            refuse(p, RejectReason.NO_PRICE);
        }
        Plan memory last = planOf(OTHER);
        _addTrade(last, OTHER, 2);
        refuse(last, RejectReason.TRIGGER_NOT_MET);
    }

    function test_refused_fundingIndexOutOfBounds() public {
        Plan memory p = plan();
        addFunding(p, (1 << 62) + 1);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
        p = plan();
        addFunding(p, 1 << 62);
        refuse(p, RejectReason.FUNDING_STEP);
    }

    function test_refused_deliveryThatDoesNotFit() public {
        _endMarket(marketParams());
        fillUp(ALICE);
        Plan memory p = plan();
        addItem(p, abi.encodePacked(uint8(14), addPosition(p, alice)));
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    /// @dev EXP-2: the fund holds at most what the last parameters let anybody hold.
    function test_refused_deliveryOfMoreThanTheFundMayHold() public {
        MarketParams memory params = marketParams();
        params.positionLotsMax = 99;
        _endMarket(params);
        Plan memory p = plan();
        addItem(p, abi.encodePacked(uint8(14), addPosition(p, alice)));
        refuse(p, RejectReason.POSITION_LIMIT);
    }

    /// @dev At the present price.
    function _endMarket(MarketParams memory params) private {
        uint40 effectiveTimeS = uint40(block.timestamp + 4 days);
        params.expiryTimeS = effectiveTimeS + 60;
        settlement.announceMarketParams(MARKET, params, tiers(), effectiveTimeS);
        vm.warp(params.expiryTimeS);
        Plan memory p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        addPrice(p, 1000, 1000);
        settleAccepted(p);
    }

    /* FILLS */

    function test_refused_fillWithoutFreeCollateral() public {
        Plan memory p = plan();
        uint16 taker = addOrder(p, CAROL, order(CAROL, BUY, 1000, 10, 1_000_000_001));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000)), 10);
        refuse(p, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
        p = plan();
        taker = addOrder(p, BOB, order(BOB, BUY, 1000, 10, 0));
        addFill(p, taker, addOrder(p, CAROL, order(CAROL, SELL, 1000, 10, 1_000_000_001)), 10);
        refuse(p, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
    }

    function test_refused_fillThatIsNotSigned() public {
        for (uint256 i = 0; i < 2; ++i) {
            Plan memory p = plan();
            uint16 taker = addOrder(p, i == 0 ? BOB : CAROL, order(CAROL, BUY, 1000, 10, 100_000));
            uint16 maker = addOrder(p, i == 0 ? BOB : CAROL, order(BOB, SELL, 1000, 10, 100_000));
            addFill(p, taker, maker, 10);
            refuse(p, RejectReason.SIGNATURE_INVALID);
        }
    }

    function test_refused_fillThatDoesNotFit() public {
        fillUp(ALICE);
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, SELL, 1000, 50, 0));
        addFill(p, taker, addOrder(p, CAROL, order(CAROL, BUY, 1000, 50, 100_000)), 50);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
        p = plan();
        uint16 maker = addOrder(p, ALICE, order(ALICE, SELL, 1000, 50, 0));
        addFill(p, addOrder(p, CAROL, order(CAROL, BUY, 1000, 50, 100_000)), maker, 50);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    /// @dev SIG-3: who has not signed is nobody's session key, whatever the word of the storage slot
    /// says that stands for nobody: here it reads as a key that may do everything.
    function test_refused_unsignedWhateverSlotZeroHolds() public {
        uint256 word = uint256(vm.load(address(settlement), 0)) & type(uint208).max;
        vm.store(address(settlement), 0, bytes32(word | 1 << 231 | 255 << 248));
        assertTrue(settlement.sequence() & 1 != 0, "the mask has the first market");
        Plan memory p = plan();
        addCollateralAs(p, BOB, alice, 100, nextNonce++, p.clockTimeS + 1);
        refuse(p, RejectReason.SIGNATURE_INVALID);
        if (settlement.sequence() & 1 == 0) settleAccepted(plan());
        p = plan();
        uint16 taker = addOrder(p, BOB, order(CAROL, BUY, 1000, 10, 100_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000)), 10);
        refuse(p, RejectReason.SIGNATURE_INVALID);
    }

    /* COLLATERAL */

    function test_refused_collateralMoves() public {
        Plan memory p = plan();
        addCollateral(p, ALICE, 0, nextNonce++);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
        p = plan();
        addCollateral(p, ALICE, int64(int256(free(ALICE))) + 1, nextNonce++);
        refuse(p, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
        p = plan();
        addCollateralAs(p, BOB, alice, 100, nextNonce++, p.clockTimeS + 1);
        refuse(p, RejectReason.SIGNATURE_INVALID);
        fillUp(ALICE);
        p = plan();
        addCollateral(p, ALICE, int64(uint64(QUOTE_MAX)), nextNonce++);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    /// @dev KEY-1: a session key dies at its expiry, for top-ups too.
    function test_refused_topUpByAKeyThatHasExpired() public {
        uint40 expiryTimeS = uint40(block.timestamp + 10);
        vm.prank(alice);
        settlement.setSessionKey(carol, SessionKeyScope(1, 5, 1_000_000, expiryTimeS));
        vm.warp(expiryTimeS - 1);
        Plan memory p = plan();
        _addTopUpByCarol(p);
        settleAccepted(p);
        vm.warp(expiryTimeS);
        p = plan();
        _addTopUpByCarol(p);
        refuse(p, RejectReason.SIGNATURE_INVALID);
    }

    /// @dev Carol's key is Alice's session key.
    function _addTopUpByCarol(Plan memory p) private {
        uint64 nonce = nextNonce++;
        uint40 expiryTimeS = p.clockTimeS + 1;
        bytes32 hash = OrderLib.collateralMoveHash(alice, MARKET, 100, nonce, expiryTimeS);
        bytes memory signature =
            compact(CAROL, OrderLib.digest(settlement.domainSeparator(), hash));
        bytes memory head = abi.encodePacked(uint8(9), addPosition(p, alice), int64(100), nonce);
        addItem(p, abi.encodePacked(head, expiryTimeS, uint8(1), signature));
    }

    function test_refused_withdrawals() public {
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), 0, nextNonce++);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
        p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), uint64(free(ALICE)) + 1, nextNonce++);
        refuse(p, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
        p = plan();
        addWithdrawalAs(p, BOB, alice, address(0xbeef), 1, nextNonce++);
        refuse(p, RejectReason.SIGNATURE_INVALID);
    }

    function test_refused_autoTopUpAtAStalePrice() public {
        setPrice(935);
        vm.warp(block.timestamp + 11);
        Plan memory p = plan();
        addAutoTopUp(p, 10_000);
        refuse(p, RejectReason.PRICE_STALE);
    }

    function test_refused_autoTopUpOutOfNothing() public {
        empty(ALICE);
        setPrice(935);
        Plan memory p = plan();
        addAutoTopUp(p, 10_000);
        refuse(p, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
    }

    /* LIQUIDATIONS ON THE BOOK */

    function test_refused_liquidationFills() public {
        setPrice(935);
        Plan memory p = plan();
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 935, 10, 1e12));
        addLiquidation(p, addPosition(p, alice), maker, 10);
        refuse(p, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
        p = plan();
        maker = addOrder(p, BOB, order(CAROL, BUY, 935, 10, 100_000));
        addLiquidation(p, addPosition(p, alice), maker, 10);
        refuse(p, RejectReason.SIGNATURE_INVALID);
        p = plan();
        maker = addOrder(p, CAROL, order(CAROL, BUY, 800, 10, 100_000));
        addLiquidation(p, addPosition(p, alice), maker, 10);
        refuse(p, RejectReason.LIQUIDATION_PRICE);
        p = plan();
        maker = addOrder(p, CAROL, order(CAROL, BUY, 935, 1000, 2_000_000));
        addLiquidation(p, addPosition(p, alice), maker, 500); // of 100
        refuse(p, RejectReason.LIQUIDATION_TOO_LARGE);
    }

    function test_refused_liquidationFillThatDoesNotFit() public {
        setPrice(935);
        fillUp(BOB);
        Plan memory p = plan();
        uint16 maker = addOrder(p, BOB, order(BOB, BUY, 935, 10, 0));
        addLiquidation(p, addPosition(p, alice), maker, 1);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    /// @dev The fee has no room in the fund.
    function test_refused_liquidationFillForAFullFund() public {
        setPrice(935);
        giveNow(QUOTE_MAX);
        Plan memory p = plan();
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 935, 10, 100_000));
        addLiquidation(p, addPosition(p, alice), maker, 1);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    function test_refused_fundFills() public {
        _takeOver();
        Plan memory p = plan();
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 900, 10, 1e12));
        addFundFill(p, addPosition(p, FUND), maker, 10);
        refuse(p, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
        p = plan();
        maker = addOrder(p, BOB, order(CAROL, BUY, 900, 10, 100_000));
        addFundFill(p, addPosition(p, FUND), maker, 10);
        refuse(p, RejectReason.SIGNATURE_INVALID);
        fillUp(BOB);
        p = plan();
        maker = addOrder(p, BOB, order(BOB, BUY, 900, 10, 0));
        addFundFill(p, addPosition(p, FUND), maker, 10);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    /* TAKEOVER AND DELEVERAGING */

    function test_refused_takeoverByTheFundOfAnotherMarket() public {
        setPrice(900);
        Plan memory p = bothMarkets();
        addTakeover(p, addPosition(p, alice), addPositionAt(p, FUND, 1), 100);
        refuse(p, RejectReason.SIDE_MISMATCH);
    }

    /// @dev The dust of 500 has no room in the fund.
    function test_refused_takeoverByAFullFund() public {
        setPrice(900);
        giveNow(QUOTE_MAX);
        Plan memory p = plan();
        addTakeover(p, addPosition(p, alice), addPosition(p, FUND), 100);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    function test_refused_deleveraging() public {
        setPrice(880);
        Plan memory p = plan();
        addAdl(p, addPosition(p, alice), addPosition(p, bob), 0);
        refuse(p, RejectReason.QTY_OUT_OF_RANGE);
        p = bothMarkets();
        addAdl(p, addPosition(p, alice), addPositionAt(p, bob, 1), 1);
        refuse(p, RejectReason.SIDE_MISMATCH);
        p = plan();
        addAdl(p, addPosition(p, alice), addPosition(p, FUND), 1);
        refuse(p, RejectReason.ACCOUNT_UNKNOWN);
        fillUp(BOB);
        p = plan();
        addAdl(p, addPosition(p, alice), addPosition(p, bob), 100);
        refuse(p, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    /// @dev LIQ-4: Carol, short from 850, can herself be liquidated at 900.
    function test_refused_deleveragingAgainstALiquidatablePosition() public {
        setPrice(850);
        Plan memory p = plan();
        uint16 taker = addOrder(p, BOB, order(BOB, BUY, 850, 10, 0));
        addFill(p, taker, addOrder(p, CAROL, order(CAROL, SELL, 850, 10, 9000)), 10);
        settleAccepted(p);
        setPrice(900);
        p = plan();
        addAdl(p, addPosition(p, alice), addPosition(p, carol), 10);
        refuse(p, RejectReason.BANKRUPT);
    }

    /// @dev FORCE-4 is for counterparties, too.
    function test_refused_deleveragingAgainstAFrozenPosition() public {
        topUp(bob, 1);
        vm.warp(block.timestamp + 901);
        setPrice(880);
        Plan memory p = plan();
        addAdl(p, addPosition(p, alice), addPosition(p, bob), 100);
        refuse(p, RejectReason.FROZEN);
    }

    /* HELPERS */

    function _orderOf(Plan memory p, uint32 marketId) private returns (uint16) {
        Order memory o = order(CAROL, BUY, 1000, 10, 100_000);
        o.marketId = marketId;
        return addOrder(p, CAROL, o);
    }

    /// @param triggerKind 0: a plain order takes; else one that does not rest
    function _addTrade(Plan memory p, uint32 marketId, uint8 triggerKind) private {
        Order memory sell = order(BOB, SELL, 1000, 10, 100_000);
        sell.marketId = marketId;
        Order memory buy = order(CAROL, BUY, 1000, 10, 100_000);
        buy.marketId = marketId;
        buy.triggerKind = triggerKind;
        buy.triggerPriceTicks = triggerKind == 0 ? 0 : 1000;
        buy.timeInForce = triggerKind == 0 ? 0 : 1;
        uint16 taker = addOrder(p, CAROL, buy);
        addFill(p, taker, addOrder(p, BOB, sell), 10);
    }

    function _takeOver() private {
        giveNow(1_000_000);
        setPrice(900);
        Plan memory p = plan();
        addTakeover(p, addPosition(p, alice), addPosition(p, FUND), 100);
        settleAccepted(p);
    }

    /// @dev Alice's standing instruction, its cap the amount.
    function addAutoTopUp(Plan memory p, uint64 amountQuote) private {
        uint64 nonce = nextNonce++;
        uint40 expiryTimeS = p.clockTimeS + 1;
        bytes32 hash =
            OrderLib.autoTopUpHash(alice, p.marketIds[0], amountQuote, nonce, expiryTimeS);
        bytes memory signature =
            compact(ALICE, OrderLib.digest(settlement.domainSeparator(), hash));
        bytes memory head =
            abi.encodePacked(uint8(13), addPosition(p, alice), amountQuote, amountQuote);
        addItem(p, abi.encodePacked(head, nonce, expiryTimeS, uint8(0), signature));
    }
}
