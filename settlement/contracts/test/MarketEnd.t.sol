// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MarketParams } from "../src/interfaces/ISettlementTypes.sol";
import { OrderLib } from "../src/libraries/OrderLib.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { EndingMarketTest } from "./utils/EndingMarketTest.sol";
import { Order, OrderTwin } from "./utils/OrderTwin.sol";
import { Plan } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice EXP-2: what the last row leaves possible. Whoever is not bankrupt at its price gets what
/// is left, whatever the attestors would rather do before they deliver.
contract MarketEndTest is EndingMarketTest {
    uint256 private constant DAVE = 0xda7e;
    uint256 private constant EVE = 0xe7e;
    uint256 private constant FRANK = 0xf4a;
    uint256 private constant REFUSED_KINDS = 10;

    /* WHO IS NOT BANKRUPT IS DELIVERED */

    function test_delivery_leavesASolventPositionItsEquity() public {
        _endedAt(930);
        _deliveredWith(30_500);
    }

    function test_refused_takeoverOfASolventPosition() public {
        assertGe(int256(backNow(CAROL, 200_000)), 1, "the fund could carry it");
        _open(101_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 930, 930);
        _takeOver(p);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
        p = plan();
        _takeOver(p);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
        _deliveredWith(30_500);
    }

    function test_refused_adlOfASolventPosition() public {
        _open(101_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 930, 930);
        _deleverage(p, vm.addr(ALICE));
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
        p = plan();
        _deleverage(p, vm.addr(ALICE));
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
        _deliveredWith(30_500);
    }

    /// @dev At her bankruptcy price, against the bid of somebody who would deliver it at once.
    function test_refused_liquidationFillOfASolventPosition() public {
        _open(101_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 930, 930);
        _liquidate(p);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        p = plan();
        _liquidate(p);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        _deliveredWith(30_500);
    }

    /// @dev LIQ-3, LIQ-4: nothing left is not bankrupt; one tick lower it is.
    function test_takeover_isOfABankruptPositionAlone() public {
        giveNow(1_000_000);
        _open(101_500);
        _end();
        uint256 state = vm.snapshotState();
        Plan memory p = plan();
        addPrice(p, 899, 899);
        _takeOver(p);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
        vm.revertToState(state);
        p = plan();
        addPrice(p, 898, 898);
        _takeOver(p);
        settleAccepted(p);
        assertEqInt(settlement.position(MARKET, FUND).positionLots, 100, "the fund has the lots");
    }

    function test_adl_isOfABankruptPositionAlone() public {
        _open(101_500);
        _end();
        uint256 state = vm.snapshotState();
        Plan memory p = plan();
        addPrice(p, 899, 899);
        _deleverage(p, vm.addr(ALICE));
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
        vm.revertToState(state);
        p = plan();
        addPrice(p, 898, 898);
        settleAccepted(p);
        p = plan();
        _deleverage(p, vm.addr(ALICE));
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 0, "closed");
        assertEqInt(position(BOB).positionLots, 0, "with the other side");
    }

    /// @dev LIQ-7: the fund is long 100 from 1000 with 50,000.
    function test_adl_isOfABankruptFundAlone() public {
        giveNow(40_000);
        _open(200_000);
        _leave(2, ALICE);
        assertEqInt(settlement.position(MARKET, FUND).collateralQuote, 50_000, "with the fee");
        _end();
        uint256 state = vm.snapshotState();
        Plan memory p = plan();
        addPrice(p, 950, 950);
        _deleverage(p, FUND);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
        vm.revertToState(state);
        p = plan();
        addPrice(p, 949, 949);
        _deleverage(p, FUND);
        settleAccepted(p);
        assertEqInt(settlement.position(MARKET, FUND).positionLots, 0, "closed");
    }

    /// @dev The first delivery ends the waterfall too.
    function test_refused_waterfallAfterTheFirstDelivery() public {
        giveNow(1_000_000);
        _open(101_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 890, 890);
        _deliver(p, BOB);
        settleAccepted(p);
        p = plan();
        _takeOver(p);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        p = plan();
        _deleverage(p, vm.addr(ALICE));
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        p = plan();
        addAdl(p, addPosition(p, FUND), addPosition(p, vm.addr(ALICE)), 100);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
    }

    /* NOTHING ELSE GOES ON */

    /// @dev In the batch of the last row and in the next.
    function test_refused_whatAnEndedMarketDoesNotKnow() public {
        _open(200_000);
        _end();
        uint256 state = vm.snapshotState();
        for (uint256 kind = 0; kind < REFUSED_KINDS; ++kind) {
            Plan memory p = plan();
            addPrice(p, 930, 930);
            _add(p, kind);
            settleRejected(p, RejectReason.MARKET_UNKNOWN);
            p = plan();
            _add(p, kind);
            settleRejected(p, RejectReason.MARKET_UNKNOWN);
            vm.revertToState(state);
        }
    }

    /// @dev Whatever the resting order is of.
    function test_refused_liquidationAgainstAnOrderOfALivingMarket() public {
        govern(abi.encodeCall(settlement.listMarket, (2, marketParams(), tiers())));
        _open(200_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 930, 930);
        settleAccepted(p);
        p = plan();
        p.marketIds = new uint32[](2);
        (p.marketIds[0], p.marketIds[1]) = (MARKET, 2);
        Order memory o = order(CAROL, BUY, 930, 10, 100_000);
        o.marketId = 2;
        bytes32 digest = OrderTwin.orderDigest(settlement.domainSeparator(), o);
        uint16 maker = addOrderAt(p, 1, o, compact(CAROL, digest));
        addLiquidation(p, addPosition(p, vm.addr(ALICE)), maker, 10);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
    }

    /// @dev Rows and parameters say why: the market has ended.
    function test_refused_rowsAndParametersAfterTheLastRow() public {
        _open(200_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 930, 930);
        addPrice(p, 930, 930);
        settleRejected(p, RejectReason.MARKET_STATE);
        p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        settleRejected(p, RejectReason.MARKET_STATE);
        p = plan();
        addPrice(p, 930, 930);
        settleRejected(p, RejectReason.MARKET_STATE);
    }

    /// @dev FUND-1: no step of funding between the price of the end and the deliveries.
    function test_refused_fundingAfterTheLastRow() public {
        _open(200_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 1010, 1010);
        addFunding(p, 101_000_000);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        uint256 before = free(ALICE);
        int256 collateral = position(ALICE).collateralQuote;
        for (uint256 i = 0; i < 3; ++i) {
            vm.warp(block.timestamp + 1 hours);
            p = plan();
            addFunding(p, 101_000_000);
            settleRejected(p, RejectReason.MARKET_UNKNOWN);
        }
        p = plan();
        _deliver(p, ALICE);
        _deliver(p, BOB);
        settleAccepted(p);
        assertEqInt(int256(free(ALICE) - before), collateral + 10_000, "all of it");
    }

    /// @dev A delivery by the queue does not open it again, nor is it the first `SETTLE_MARKET`.
    function test_refused_fundingAfterAForcedDelivery() public {
        _open(200_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 1010, 1010);
        settleAccepted(p);
        _leave(1, BOB);
        p = plan();
        addFunding(p, 101_000_000);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        uint256 before = free(ALICE);
        int256 collateral = position(ALICE).collateralQuote;
        p = plan();
        _deliver(p, ALICE);
        settleAccepted(p);
        assertEqInt(int256(free(ALICE) - before), collateral + 10_000, "at the last row");
    }

    /// @dev An order that was resting at the end, at a price that both limits admit.
    function test_refused_fillAfterTheLastRow() public {
        _open(200_000);
        _end();
        Plan memory p = plan();
        addPrice(p, 900, 900);
        settleAccepted(p);
        p = plan();
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 950, 50, 300_000));
        addFill(p, addOrder(p, BOB, order(BOB, SELL, 950, 50, 100_000)), maker, 50);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        assertEqInt(position(CAROL).positionLots, 0, "she has none");
    }

    /* WHAT THE FUND TAKES */

    /// @dev FORCE-3: three have left by the queue, and the fund holds three times its limit: what
    /// lowers that is delivered.
    function test_delivery_lowersWhatIsBeyondTheFundsLimit() public {
        fund(DAVE, 1_000_000_000);
        fund(EVE, 1_000_000_000);
        fund(FRANK, 1_000_000_000);
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        _pair(p, ALICE, BOB, 100);
        _pair(p, CAROL, EVE, 100);
        _pair(p, DAVE, FRANK, 100);
        settleAccepted(p);
        _endWithLimit(100);
        _leave(1, ALICE);
        _leave(2, CAROL);
        _leave(3, DAVE);
        assertEqInt(settlement.position(MARKET, FUND).positionLots, 300, "three limits");
        p = plan();
        _deliver(p, BOB);
        settleAccepted(p);
        assertEqInt(settlement.position(MARKET, FUND).positionLots, 200, "still two");
        p = plan();
        _deliver(p, EVE);
        _deliver(p, FRANK);
        settleAccepted(p);
        assertEqInt(settlement.position(MARKET, FUND).positionLots, 0, "flat");
    }

    /// @dev Beyond the limit it goes no further, on the other side either.
    function test_delivery_takesTheFundNoFurtherBeyondItsLimit() public {
        _deliveredToTheOtherSide(200, RejectReason.NONE);
    }

    function test_refused_deliveryThatTakesTheFundFurtherBeyondItsLimit() public {
        _deliveredToTheOtherSide(201, RejectReason.POSITION_LIMIT);
    }

    /* THE QUEUE */

    /// @dev FORCE-5: what was taken back does not wait.
    function test_queueAge_endsWithTheRequest() public {
        uint64 id = requestBacking(ALICE, 1_000_000);
        vm.warp(block.timestamp + 1 days);
        settlement.enterExitMode();
        assertEq(settlement.queueAgeS(), 1 days, "it has been waiting");
        assertEq(settlement.health().queueAgeS, 1 days, "it has been waiting");
        settlement.reclaimRequest(id);
        assertEq(settlement.queueAgeS(), 0, "nothing waits");
        assertEq(settlement.health().queueAgeS, 0, "nothing waits");
    }

    /* HELPERS */

    function _add(Plan memory p, uint256 kind) private {
        if (kind < 2) {
            uint16 bid = addOrder(p, CAROL, order(CAROL, BUY, 930, 10, 100_000));
            uint16 ask = addOrder(p, BOB, order(BOB, SELL, 930, 10, 100_000));
            if (kind == 0) {
                addFill(p, bid, ask, 10);
            } else {
                addItem(
                    p, abi.encodePacked(uint8(16), bid, ask, uint32(10), uint32(930), uint8(1))
                );
            }
        } else if (kind < 6) {
            uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 930, 10, 100_000));
            uint16 index = addPosition(p, kind < 4 ? vm.addr(ALICE) : FUND);
            uint8 item = kind == 2 ? 4 : kind == 3 ? 17 : kind == 4 ? 7 : 18;
            bytes memory core = abi.encodePacked(item, index, maker, uint32(10));
            addItem(p, item < 10 ? core : abi.encodePacked(core, uint32(930)));
        } else if (kind < 8) {
            addCollateral(p, ALICE, kind == 6 ? int64(1000) : -1000, nextNonce++);
        } else if (kind == 8) {
            _addAutoTopUp(p, 10_000);
        } else {
            addFunding(p, 1_000_000);
        }
    }

    function _addAutoTopUp(Plan memory p, uint64 amountQuote) private {
        uint64 nonce = nextNonce++;
        uint40 expiryTimeS = p.clockTimeS + 1;
        bytes32 hash =
            OrderLib.autoTopUpHash(vm.addr(ALICE), MARKET, amountQuote, nonce, expiryTimeS);
        bytes memory signature =
            compact(ALICE, OrderLib.digest(settlement.domainSeparator(), hash));
        bytes memory head =
            abi.encodePacked(uint8(13), addPosition(p, vm.addr(ALICE)), amountQuote, amountQuote);
        addItem(p, abi.encodePacked(head, nonce, expiryTimeS, uint8(0), signature));
    }

    function _takeOver(Plan memory p) private pure {
        addTakeover(p, addPosition(p, vm.addr(ALICE)), addPosition(p, FUND), 100);
    }

    function _deleverage(Plan memory p, address bankrupt) private pure {
        addAdl(p, addPosition(p, bankrupt), addPosition(p, vm.addr(BOB)), 100);
    }

    function _liquidate(Plan memory p) private {
        uint16 maker = addOrder(p, CAROL, order(CAROL, BUY, 900, 100, 200_000));
        addLiquidation(p, addPosition(p, vm.addr(ALICE)), maker, 100);
    }

    function _deliveredWith(uint256 equityQuote) private {
        uint256 before = free(ALICE);
        Plan memory p = plan();
        _deliver(p, ALICE);
        settleAccepted(p);
        assertEq(free(ALICE) - before, equityQuote, "delivered with what it has");
        assertEqInt(position(ALICE).positionLots, 0, "no lots");
    }

    /// @dev Beyond a limit of 50 the fund holds 100 of Alice; Bob is short so many lots.
    function _deliveredToTheOtherSide(uint32 lots, RejectReason reason) private {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        _pair(p, ALICE, BOB, 100);
        _pair(p, CAROL, BOB, lots - 100);
        settleAccepted(p);
        _endWithLimit(50);
        _leave(1, ALICE);
        p = plan();
        _deliver(p, BOB);
        if (reason == RejectReason.NONE) settleAccepted(p);
        else settleRejected(p, reason);
        int256 held = reason == RejectReason.NONE ? 100 - int256(uint256(lots)) : int256(100);
        assertEqInt(settlement.position(MARKET, FUND).positionLots, held, "what the fund holds");
    }

    function _pair(Plan memory p, uint256 long, uint256 short, uint32 lots) private {
        uint16 taker = addOrder(p, long, order(long, BUY, 1000, lots, lots * 2000));
        uint16 maker = addOrder(p, short, order(short, SELL, 1000, lots, lots * 3000));
        addFill(p, taker, maker, lots);
    }

    function _leave(uint64 id, uint256 key) private {
        vm.prank(vm.addr(key));
        settlement.requestReduce(MARKET, 100);
        serveNow(id, vm.addr(key));
    }

    function _endedAt(uint32 ticks) private {
        _open(101_000);
        _end();
        Plan memory p = plan();
        addPrice(p, ticks, ticks);
        settleAccepted(p);
    }

    function _endWithLimit(uint48 lots) private {
        MarketParams memory params = marketParams();
        params.positionLotsMax = lots;
        vm.warp(_announce(params));
        Plan memory p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        addPrice(p, 1010, 1010);
        settleAccepted(p);
    }
}
