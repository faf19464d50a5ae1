// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IGovernanceDesk } from "../src/interfaces/IGovernanceDesk.sol";
import { MarketParams, MarketState } from "../src/interfaces/ISettlementTypes.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { StubOracle } from "./mocks/StubOracle.sol";
import { EndingMarketTest } from "./utils/EndingMarketTest.sol";
import { Plan } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice EXP-2: a market ends at a time that was announced, and its positions are delivered.
contract DeliveryTest is EndingMarketTest {
    function test_delivery_paysEverybodyAtTheLastIndex() public {
        _open(200_000);
        uint256 freeBuyer = free(ALICE);
        uint256 freeSeller = free(BOB);
        int256 buyer = position(ALICE).collateralQuote;
        int256 seller = position(BOB).collateralQuote;
        _end();
        Plan memory p = plan();
        addPrice(p, 1010, 1010);
        _deliver(p, ALICE);
        _deliver(p, BOB);
        settleAccepted(p);
        int256 gain = 100 * 10 * UNIT;
        assertEqInt(position(ALICE).positionLots, 0, "no lots");
        assertEqInt(int256(free(ALICE)), int256(freeBuyer) + buyer + gain, "the long gains");
        assertEqInt(int256(free(BOB)), int256(freeSeller) + seller - gain, "the short loses");
        assertEqInt(settlement.position(MARKET, address(1)).positionLots, 0, "the fund is flat");
    }

    /// @dev The first delivery fixes the price; the market has no prices, fills or second end.
    function test_delivery_fixesOnePriceAndClosesTheMarket() public {
        _open(200_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 1010, 1010);
        _deliver(p, ALICE);
        addPrice(p, 1020, 1020);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1010, 1, 20_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1010, 1, 20_000)), 1);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        p = plan();
        _deliver(p, BOB);
        _deliver(p, BOB);
        settleRejected(p, RejectReason.NO_POSITION);
    }

    function test_refused_beforeARowOfItsEnd() public {
        _open(200_000);
        Plan memory p = plan();
        _deliver(p, ALICE);
        settleRejected(p, RejectReason.MARKET_STATE);
        _end();
        p = plan();
        _deliver(p, ALICE);
        settleRejected(p, RejectReason.MARKET_STATE);
        p = plan();
        addPrice(p, 1000, 1000);
        addItem(p, abi.encodePacked(uint8(14), addPosition(p, address(1))));
        settleRejected(p, RejectReason.ACCOUNT_UNKNOWN);
    }

    /// @dev What a position lacks the fund pays, as far as it can.
    function test_refused_whatTheFundCannotPay() public {
        _open(101_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 850, 850);
        _deliver(p, ALICE);
        settleRejected(p, RejectReason.FUND_CANNOT_CARRY);
        giveNow(100_000);
        p = plan();
        _deliver(p, ALICE);
        _deliver(p, BOB);
        settleAccepted(p);
        assertEqInt(position(ALICE).collateralQuote, 0, "nothing is owed");
    }

    /// @dev EXP-2: the first row at or after the end is the last: the operator can't wait for a
    /// better one, nor set the mark beside it.
    function test_delivery_isAtTheFirstRowOfTheEnd() public {
        _open(200_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 1010, 1011);
        settleRejected(p, RejectReason.PRICE_BAND);
        p = plan();
        addPrice(p, 1010, 1010);
        settleAccepted(p);
        vm.warp(block.timestamp + 60);
        p = plan();
        addPrice(p, 1040, 1040);
        settleRejected(p, RejectReason.MARKET_STATE);
        p = plan();
        _deliver(p, ALICE);
        settleAccepted(p);
        (MarketState memory state,) = settlement.market(MARKET);
        assertEq(state.deliveryTicks, 1010, "the first");
    }

    /// @dev EXP-2: the operator brings no row for a while and then one of the hours after that
    /// suits it: only five minutes count, and a day later what there is.
    function test_delivery_isNotAtAChosenLaterRow() public {
        _open(200_000);
        _end();
        uint48 endMs = uint48(block.timestamp) * 1000;
        vm.warp(block.timestamp + 3 hours);
        Plan memory p = plan();
        addPriceAt(p, 1200, 1200, uint48(p.clockTimeS) * 1000, ORACLE);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPriceAt(p, 1200, 1200, endMs + 300_001, ORACLE);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        _deliver(p, ALICE);
        settleRejected(p, RejectReason.MARKET_STATE);
        p = plan();
        addPriceAt(p, 1010, 1010, endMs + 300_000, ORACLE);
        _deliver(p, ALICE);
        settleAccepted(p);
    }

    /// @dev EXP-2: without a row of these five minutes the market ends a day later.
    function test_delivery_comesADayLaterWhenNoRowWasThere() public {
        _open(200_000);
        _end();
        vm.warp(block.timestamp + 1 days - 1);
        Plan memory p = plan();
        addPrice(p, 1200, 1200);
        settleRejected(p, RejectReason.PRICE_STALE);
        vm.warp(block.timestamp + 1);
        p = plan();
        addPrice(p, 1200, 1200);
        _deliver(p, ALICE);
        settleAccepted(p);
    }

    /// @dev EXP-2: nor, when no row of those minutes came, at one of any hour since.
    function test_delivery_isNotAtAnOldRowOfLater() public {
        _open(200_000);
        _end();
        uint48 endMs = uint48(block.timestamp) * 1000;
        vm.warp(block.timestamp + 10 days);
        uint48 nowMs = uint48(block.timestamp) * 1000;
        Plan memory p = plan();
        addPriceAt(p, 1200, 1200, endMs + 3 hours * 1000, ORACLE);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPriceAt(p, 1200, 1200, nowMs - 3_600_001, ORACLE);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPriceAt(p, 1010, 1010, nowMs - 3_600_000, ORACLE);
        _deliver(p, ALICE);
        settleAccepted(p);
    }

    /// @dev EXP-2: rows do not come before the parameters by which one of them is the last.
    function test_delivery_isNotAtARowBeforeTheParametersOfItsEnd() public {
        _open(200_000);
        uint40 endS = _announce(marketParams());
        vm.warp(endS + 50 minutes);
        Plan memory p = plan();
        addPrice(p, 1150, 1150);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPriceAt(p, 1150, 1150, uint48(endS) * 1000, ORACLE);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPriceAt(p, 1000, 1000, uint48(endS) * 1000 - 1, ORACLE);
        settleAccepted(p);
        vm.warp(block.timestamp + 1 hours);
        settlement.applyMarketParams(MARKET);
        p = plan();
        addPrice(p, 1200, 1200);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPriceAt(p, 1010, 1010, uint48(endS) * 1000, ORACLE);
        _deliver(p, ALICE);
        settleAccepted(p);
        (MarketState memory state,) = settlement.market(MARKET);
        assertEq(state.deliveryTicks, 1010, "the first");
    }

    /// @dev EXP-2: an end that was put off does not come while the parameters that say so are due.
    function test_delivery_isNotAtAnEndThatWasPutOff() public {
        _open(200_000);
        uint40 endS = uint40(block.timestamp + 8 days + 60);
        _announceEnd(endS);
        vm.warp(block.timestamp + 4 days);
        Plan memory p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        settleAccepted(p);
        uint256 state = vm.snapshotState();
        _announceEnd(endS + 1 days);
        vm.warp(endS);
        p = plan();
        addPrice(p, 1010, 1010);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        addPrice(p, 1010, 1011);
        settleAccepted(p);
        p = plan();
        _deliver(p, ALICE);
        settleRejected(p, RejectReason.MARKET_STATE);
        // What holds later than the end puts nothing off.
        vm.revertToState(state);
        vm.warp(block.timestamp + 61);
        _announceEnd(endS + 1 days);
        vm.warp(endS);
        p = plan();
        addPrice(p, 1010, 1010);
        _deliver(p, ALICE);
        settleAccepted(p);
    }

    /// @dev EXIT-2: in exit mode too, delivered or not, whatever an adapter says by then.
    function test_exit_ofAnEndedMarketIsAtItsLastIndex() public {
        StubOracle adapter = new StubOracle(1000);
        govern(abi.encodeCall(settlement.setIndexAdapter, (MARKET, address(adapter))));
        _open(200_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
        vm.prank(vm.addr(BOB));
        settlement.requestReduce(MARKET, 100);
        vm.warp(block.timestamp + 1 days);
        settlement.enterExitMode();
        adapter.set(1250);
        int256 collateral = position(BOB).collateralQuote;
        uint256 before = free(BOB);
        settlement.exitPosition(MARKET, vm.addr(BOB));
        assertEqInt(int256(free(BOB) - before), collateral, "neither gain nor loss");
    }

    /// @dev No parameters open again what has ended.
    function test_RevertWhen_parametersComeAfterTheEnd() public {
        _open(200_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 1010, 1010);
        settleAccepted(p);
        uint40 effectiveTimeS = uint40(block.timestamp + 4 days);
        settlement.announceMarketParams(MARKET, marketParams(), tiers(), effectiveTimeS);
        vm.warp(effectiveTimeS + 1 hours);
        p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        settleRejected(p, RejectReason.MARKET_STATE);
        vm.expectRevert(abi.encodeWithSelector(IGovernanceDesk.MarketHasEnded.selector, MARKET));
        settlement.applyMarketParams(MARKET);
    }

    /// @dev FORCE-3: a forced reduction closes all lots at the delivery price, without fee and
    /// however old the price is by then; it neither waits nor ages.
    function test_forcedReduce_isDeliveredInAnEndedMarket() public {
        _open(200_000);
        _end();
        vm.prank(vm.addr(BOB));
        settlement.requestReduce(MARKET, 1);
        vm.prank(vm.addr(ALICE));
        settlement.requestReduce(MARKET, 1);
        int256 wealth = int256(free(ALICE)) + position(ALICE).collateralQuote;
        Plan memory p = plan();
        addPrice(p, 1010, 1010);
        addForced(p, 1, vm.addr(BOB));
        settleAccepted(p);
        assertEqInt(
            settlement.position(MARKET, address(1)).positionLots, -100, "the fund has them"
        );
        vm.warp(block.timestamp + 1 hours);
        p = plan();
        addForced(p, 2, vm.addr(ALICE));
        settleAccepted(p);
        assertEqInt(int256(free(ALICE)), wealth + 100 * 10 * UNIT, "the long gains");
        assertEqInt(settlement.position(MARKET, address(1)).positionLots, 0, "the fund is flat");
        assertEqInt(settlement.position(MARKET, address(1)).collateralQuote, 0, "without fee");
    }

    /// @dev FORCE-3: whatever the fund holds already, who asks to leave does: an operator that
    /// delivers one side first keeps nobody in.
    function test_forcedReduce_isDeliveredBeyondTheFundsLimit() public {
        _open(200_000);
        Plan memory p = plan();
        uint16 taker = addOrder(p, CAROL, order(CAROL, BUY, 1000, 50, 100_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 50, 150_000)), 50);
        settleAccepted(p);
        MarketParams memory params = marketParams();
        params.positionLotsMax = 100;
        vm.warp(_announce(params));
        p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        addPrice(p, 1010, 1010);
        _deliver(p, ALICE);
        settleAccepted(p);
        p = plan();
        _deliver(p, CAROL);
        settleRejected(p, RejectReason.POSITION_LIMIT);
        vm.prank(vm.addr(CAROL));
        settlement.requestReduce(MARKET, 50);
        p = plan();
        addForced(p, 1, vm.addr(CAROL));
        settleAccepted(p);
        assertEqInt(position(CAROL).positionLots, 0, "she has left");
        assertEqInt(settlement.position(MARKET, address(1)).positionLots, 150, "the fund has them");
        p = plan();
        _deliver(p, BOB);
        settleAccepted(p);
        assertEqInt(settlement.position(MARKET, address(1)).positionLots, 0, "and is flat");
    }

    /// @dev What the fund can't pay is no reason to wait: the request is done with.
    function test_forcedReduce_ofADeliveryThatTheFundCannotPay() public {
        _open(101_000);
        _end();
        vm.prank(vm.addr(ALICE));
        settlement.requestReduce(MARKET, 1);
        Plan memory p = plan();
        addPrice(p, 850, 850);
        addForced(p, 1, vm.addr(ALICE));
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 100, "it stays");
        assertEq(settlement.queueAgeS(), 0, "and nothing waits");
    }

    /* HELPERS */

    /// @dev To hold from as soon as may be.
    function _announceEnd(uint40 endS) private {
        MarketParams memory params = marketParams();
        params.expiryTimeS = endS;
        uint40 effectiveTimeS = uint40(block.timestamp + 4 days);
        settlement.announceMarketParams(MARKET, params, tiers(), effectiveTimeS);
    }
}
