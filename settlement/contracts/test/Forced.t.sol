// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../src/interfaces/IExitDesk.sol";
import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { VenuePhase } from "../src/interfaces/ISettlementTypes.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice FORCE-1 … FORCE-4: the queue, and what a batch does with its head.
contract ForcedTest is SettlementTest {
    address private _alice;
    address private _bob;

    event RequestServed(uint64 indexed id, RejectReason outcome);
    event RequestSetAside(uint64 indexed id, RejectReason reason);

    /// @dev Alice is long 100 lots at 1000 with 200,000 of collateral, Bob short.
    function setUp() public override {
        super.setUp();
        (_alice, _bob) = (vm.addr(ALICE), vm.addr(BOB));
        tradePair();
    }

    /* THE QUEUE */

    /// @dev FORCE-2: only the head, only for its account, each once.
    function test_forced_servesInOrderOnly() public {
        _as(_alice);
        settlement.requestWithdrawal(100, address(0xbeef));
        _as(_bob);
        settlement.requestWithdrawal(200, address(0xbeef));
        _refused(2, _bob, RejectReason.ORDER_UNKNOWN);
        _refused(1, _bob, RejectReason.ACCOUNT_UNKNOWN);
        _refused(0, _alice, RejectReason.ORDER_UNKNOWN);
        _serve(1, _alice);
        _refused(1, _alice, RejectReason.ORDER_UNKNOWN);
        _serve(2, _bob);
        _refused(3, _bob, RejectReason.ORDER_UNKNOWN);
        (uint64 served, uint64 made) = settlement.requestQueue();
        assertEq(served * 10 + made, 22, "all served");
        assertEq(settlement.queueAgeS(), 0, "nothing waits");
    }

    function test_RevertWhen_requestIsEmpty() public {
        vm.startPrank(_alice);
        vm.expectRevert(IExitDesk.RequestEmpty.selector);
        settlement.requestReduce(MARKET, 0);
        vm.expectRevert(IExitDesk.RequestEmpty.selector);
        settlement.requestWithdrawal(0, _alice);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.AccountReserved.selector, address(0))
        );
        settlement.requestWithdrawal(1, address(0));
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.NonceFloorNotRaised.selector, 0, 0)
        );
        settlement.requestCancelAll(0);
        vm.stopPrank();
        vm.expectRevert(
            abi.encodeWithSelector(IExitDesk.PositionMissing.selector, MARKET, address(this))
        );
        settlement.requestReduce(MARKET, 1);
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 9));
        settlement.depositToPosition(9, _alice, 1);
    }

    /// @dev FORCE-1: who never had anything here has nothing to ask for; a position is something.
    function test_RevertWhen_anEmptyAccountAsks() public {
        address stranger = address(0xe0e0);
        bytes memory refusal = abi.encodeWithSelector(IExitDesk.AccountEmpty.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        settlement.requestCancel(1);
        vm.expectRevert(refusal);
        settlement.requestCancelAll(1);
        vm.expectRevert(refusal);
        settlement.requestWithdrawal(1, stranger);
        vm.stopPrank();
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), uint64(free(ALICE)), 1);
        settleAccepted(p);
        assertEq(free(ALICE), 0, "all she has is her position");
        _as(_alice);
        _serve(settlement.requestCancel(2), _alice);
    }

    /// @dev FORCE-1: nobody makes serving long by asking and asking, for others neither.
    function test_RevertWhen_oneCallerAsksTooOften() public {
        for (uint256 i = 0; i < 32; ++i) {
            _as(_bob);
            settlement.requestCancel(uint64(1 + i));
        }
        _as(_bob);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.RequestsTooMany.selector, _bob));
        settlement.requestCancel(40);
        for (uint256 i = 0; i < 32; ++i) {
            _topUp(1);
        }
        token.mint(address(this), 1);
        token.approve(address(settlement), 1);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.RequestsTooMany.selector, address(this)));
        settlement.depositToPosition(MARKET, _alice, 1);
        _as(_alice);
        settlement.requestWithdrawal(1, _alice);
        Plan memory p = plan();
        for (uint64 i = 1; i <= 65; ++i) {
            addForced(p, i, i <= 32 ? _bob : _alice);
        }
        settleAccepted(p);
        _as(_bob);
        settlement.requestCancel(40);
        _topUp(1);
    }

    /* KINDS */

    function test_forced_cancelAll() public {
        _as(_alice);
        settlement.requestCancelAll(5000);
        _serve(1, _alice);
        (, uint64 floor) = settlement.account(_alice);
        assertEq(floor, 5000, "floor");
    }

    /// @dev A match is a fill: asking for a cancellation undoes nothing that was matched before
    /// the request is served; from then on the order is dead.
    function test_cancelAfterAMatch_undoesNothing() public {
        uint64 nonce = nextNonce;
        Plan memory p = plan();
        uint16 maker = addOrder(p, ALICE, order(ALICE, SELL, 1000, 20, 0));
        addFill(p, addOrder(p, BOB, order(BOB, BUY, 1000, 10, 0)), maker, 10);
        addForced(p, 1, _alice);
        addForced(p, 2, _alice);
        _as(_alice);
        settlement.requestCancel(nonce);
        _as(_alice);
        settlement.requestCancelAll(nonce + 1000);
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 90, "the fill stands");
        assertEq(settlement.filledLots(_alice, nonce), type(uint32).max, "dead now");
        p = plan();
        addFill(
            p,
            addOrder(p, BOB, order(BOB, BUY, 1000, 10, 0)),
            addOrder(p, ALICE, order(ALICE, SELL, 1000, 20, 0)),
            10
        );
        settleRejected(p, RejectReason.NONCE_USED);
    }

    /// @dev MONEY-2: money comes out without a signature that the operator could withhold; more
    /// than there is means all.
    function test_forced_withdrawal() public {
        uint256 all = free(ALICE);
        _as(_alice);
        settlement.requestWithdrawal(1000, address(0xbeef));
        _as(_alice);
        settlement.requestWithdrawal(type(uint64).max, address(0xcafe));
        _serve(1, _alice);
        settlement.claimWithdrawal(1);
        assertEq(token.balanceOf(address(0xbeef)), 1000, "due at once");
        _serve(2, _alice);
        assertEq(free(ALICE), 0, "all of it");
        assertEq(settlement.waitingQuote(), all - 1000, "waits: it is large");
        assertSound();
    }

    /// @dev FORCE-3: the fund takes 40 lots at the index of 990 for 1 % of the notional.
    function test_forced_reduce() public {
        _as(_alice);
        settlement.requestReduce(MARKET, 40);
        Plan memory p = plan();
        addPrice(p, 990, 990);
        addForced(p, 1, _alice);
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 60, "reduced");
        assertEqInt(settlement.position(MARKET, FUND).positionLots, 40, "the fund has them");
        assertEq(settlement.position(MARKET, FUND).entryValueQuote, 396_000, "at the index");
        assertEqInt(settlement.position(MARKET, FUND).collateralQuote, 3960, "and the fee");
    }

    /// @dev More lots than there are closes all; the collateral is free, less loss and fee.
    function test_forced_reduceOfAll() public {
        uint256 before = free(ALICE);
        int256 held = position(ALICE).collateralQuote;
        _as(_alice);
        settlement.requestReduce(MARKET, 1000);
        Plan memory p = plan();
        addPrice(p, 990, 990);
        addForced(p, 1, _alice);
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 0, "closed");
        assertEqInt(int256(free(ALICE) - before), held - 10_000 - 9900, "paid");
    }

    /// @dev FORCE-3: bought on the book at 960 under an index of 1000, and straight on to the fund:
    /// it takes the lots at 960, not at the index.
    function test_forced_reduceTakesTheWorseOfIndexAndMark() public {
        int256 wealth = int256(free(CAROL));
        Plan memory p = plan();
        addPrice(p, 1000, 960);
        uint16 taker = addOrder(p, CAROL, order(CAROL, BUY, 960, 100, 200_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 960, 100, 300_000)), 100);
        settleAccepted(p);
        _as(vm.addr(CAROL));
        settlement.requestReduce(MARKET, 100);
        _serve(1, vm.addr(CAROL));
        assertEq(settlement.position(MARKET, FUND).entryValueQuote, 960_000, "at the mark");
        int256 feesQuote = 100 * 960 * UNIT / 100 + 100 * 960 * UNIT / 2000;
        assertEqInt(int256(free(CAROL)), wealth - feesQuote, "all she has is less two fees");
    }

    function test_forced_aShortPaysTheHigherOfIndexAndMark() public {
        _as(_bob);
        settlement.requestReduce(MARKET, 40);
        Plan memory p = plan();
        addPrice(p, 1000, 1040);
        addForced(p, 1, _bob);
        settleAccepted(p);
        assertEq(settlement.position(MARKET, FUND).entryValueQuote, 416_000, "at the mark");
    }

    /// @dev FORCE-2: without a fresh price the request is set aside, and those behind it go on.
    /// Set aside, it is served at any place of the queue, once.
    function test_forced_reduceWithoutPriceLetsTheOthersPass() public {
        _as(_alice);
        settlement.requestReduce(MARKET, 40);
        _as(_bob);
        settlement.requestWithdrawal(100, address(0xbeef));
        vm.warp(block.timestamp + 11);
        Plan memory p = plan();
        addForced(p, 1, _alice);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit RequestSetAside(1, RejectReason.PRICE_STALE);
        this.settleOutside(p);
        assertEqInt(position(ALICE).positionLots, 100, "nothing has changed");
        assertTrue(settlement.forcedRequest(1).isAside, "set aside");
        _refused(1, _alice, RejectReason.PRICE_STALE);
        _serve(2, _bob);
        assertEq(settlement.queueAgeS(), 0, "the queue has no age");
        p = plan();
        addPrice(p, 990, 990);
        addForced(p, 1, _alice);
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 60, "reduced");
        _refused(1, _alice, RejectReason.ORDER_UNKNOWN);
    }

    /// @dev FORCE-3: healthy at the index, and the mark at the edge of its band takes more than its
    /// collateral: it is set aside until a price lets it go, and ends the venue when none does.
    function test_forced_reduceIsNotUndoneByTheMarkAlone() public {
        address carol = vm.addr(CAROL);
        Plan memory p = plan();
        uint16 taker = addOrder(p, CAROL, order(CAROL, BUY, 1000, 100, 101_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 300_000)), 100);
        settleAccepted(p);
        vm.prank(carol);
        settlement.requestReduce(MARKET, 100);
        p = plan();
        addPrice(p, 955, 908);
        addForced(p, 1, carol);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit RequestSetAside(1, RejectReason.PRICE_BAND);
        this.settleOutside(p);
        assertTrue(settlement.forcedRequest(1).isAside, "set aside");
        _refused(1, carol, RejectReason.PRICE_BAND);
        uint256 state = vm.snapshotState();
        p = plan();
        addPrice(p, 955, 955);
        addForced(p, 1, carol);
        settleAccepted(p);
        assertEqInt(position(CAROL).positionLots, 0, "at a closer mark it leaves");
        vm.revertToState(state);
        vm.warp(block.timestamp + 4 days);
        settlement.enterExitModeFor(1);
        vm.revertToState(state);
        p = plan();
        addPrice(p, 930, 890);
        addForced(p, 1, carol);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit RequestServed(1, RejectReason.BANKRUPT);
        this.settleOutside(p);
    }

    /// @dev A short likewise: the higher of both is worse, the lower judges it.
    function test_forced_reduceOfAShortIsNotUndoneByTheMarkAlone() public {
        address carol = vm.addr(CAROL);
        Plan memory p = plan();
        uint16 maker = addOrder(p, CAROL, order(CAROL, SELL, 1000, 100, 101_000));
        addFill(p, addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 300_000)), maker, 100);
        settleAccepted(p);
        vm.prank(carol);
        settlement.requestReduce(MARKET, 100);
        p = plan();
        addPrice(p, 1045, 1097);
        addForced(p, 1, carol);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit RequestSetAside(1, RejectReason.PRICE_BAND);
        this.settleOutside(p);
        p = plan();
        addPrice(p, 1060, 1110);
        addForced(p, 1, carol);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit RequestServed(1, RejectReason.BANKRUPT);
        this.settleOutside(p);
    }

    /// @dev SPEC section 1: where the fund's word has no room for the lots, the leaver waits.
    function test_forced_reduceWaitsForRoomInTheFund() public {
        bytes32 inner = keccak256(abi.encode(uint256(MARKET), uint256(4)));
        bytes32 slot = keccak256(abi.encode(FUND, inner));
        bytes32 before = vm.load(address(settlement), slot);
        _as(_alice);
        settlement.requestReduce(MARKET, 100);
        vm.store(address(settlement), slot, bytes32(uint256(1) << 40));
        Plan memory p = plan();
        addForced(p, 1, _alice);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit RequestSetAside(1, RejectReason.CAPACITY);
        settlement.settle(payload, signatures);
        vm.store(address(settlement), slot, before);
        _serve(1, _alice);
        assertEqInt(position(ALICE).positionLots, 0, "served");
    }

    /// @dev Who holds nothing needs no price.
    function test_forced_reduceOfNothingNeedsNoPrice() public {
        _as(_alice);
        settlement.requestReduce(MARKET, 40);
        _as(_alice);
        settlement.requestReduce(MARKET, 40);
        Plan memory p = plan();
        addForced(p, 1, _alice);
        addFill(
            p,
            addOrder(p, ALICE, order(ALICE, SELL, 1000, 60, 0)),
            addOrder(p, BOB, order(BOB, BUY, 1000, 60, 0)),
            60
        );
        settleAccepted(p);
        vm.warp(block.timestamp + 1 hours);
        _serve(2, _alice);
        assertEq(settlement.forcedRequest(2).timeS, 0, "done with");
    }

    /// @dev EXIT-1: a market without a price ends the venue when governance had the time to name
    /// other sources, not before, and no other request is held up meanwhile.
    function test_exitMode_forARequestThatWasSetAside() public {
        _as(_alice);
        settlement.requestReduce(MARKET, 40);
        uint256 due = block.timestamp + 1 days + 3 days;
        vm.warp(block.timestamp + 11);
        _serve(1, _alice);
        vm.warp(due - 1);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitNotDue.selector, due));
        settlement.enterExitModeFor(1);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitNotDue.selector, type(uint256).max));
        settlement.enterExitMode();
        vm.warp(due);
        settlement.enterExitModeFor(1);
        assertTrue(settlement.phase() == VenuePhase.EXIT, "exit");
    }

    function test_RevertWhen_theRequestIsNotAside() public {
        _as(_alice);
        settlement.requestReduce(MARKET, 40);
        vm.warp(block.timestamp + 30 days);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.RequestNotAside.selector, 1));
        settlement.enterExitModeFor(1);
    }

    /// @dev The owner's own top-up is served whatever stands before it: it can't keep the position
    /// from being liquidated by waiting behind a request without a price.
    function test_depositToPosition_isNotHeldUpByAStaleMarket() public {
        _as(_alice);
        settlement.requestReduce(MARKET, 40);
        _topUp(1);
        vm.warp(block.timestamp + 901);
        Plan memory p = plan();
        addForced(p, 1, _alice);
        addForced(p, 2, _alice);
        addPrice(p, 830, 830);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleRejected(p, RejectReason.FUND_CANNOT_CARRY);
    }

    /// @dev What the account's own state leaves nothing to do of is served without effect.
    function test_forced_nothingLeftToDo() public {
        _as(_alice);
        settlement.requestWithdrawal(1000, address(0xbeef));
        _as(_alice);
        settlement.requestWithdrawal(1000, address(0xbeef));
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0xdead), uint64(free(ALICE)), 1);
        settleAccepted(p);
        p = plan();
        addForced(p, 1, _alice);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit RequestServed(1, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
        settlement.settle(payload, signatures);
        assertSound();
    }

    /// @dev FORCE-5: engine and contract pay the same balance: no deposit comes between that the
    /// one has and the other not yet.
    function test_RevertWhen_depositMeetsAForcedWithdrawal() public {
        _as(_alice);
        uint64 id = settlement.requestWithdrawal(type(uint64).max, _alice);
        token.mint(address(this), 10);
        token.approve(address(settlement), 10);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.WithdrawalRequested.selector, _alice)
        );
        settlement.depositFor(_alice, 5);
        _topUp(5);
        _serve(id, _alice);
        assertEq(free(ALICE), 0, "all of it");
        token.approve(address(settlement), 5);
        settlement.depositFor(_alice, 5);
        assertEq(free(ALICE), 5, "again");
        _serve(id + 1, _alice);
    }

    /* TOP-UPS */

    /// @dev FORCE-4: a deposit with a tag; the batch moves it into the position.
    function test_depositToPosition_reachesThePosition() public {
        int256 before = position(ALICE).collateralQuote;
        uint256 freeBefore = free(ALICE);
        _topUp(5000);
        assertEq(settlement.requestsQuote(), 5000, "held by the queue");
        assertSound();
        _serve(1, _alice);
        assertEq(settlement.requestsQuote(), 0, "no longer");
        assertEq(free(ALICE), freeBefore, "nothing of hers");
        assertEqInt(position(ALICE).collateralQuote, before + 5000, "into the position");
    }

    /// @dev FORCE-5.
    function test_depositToPosition_withoutPositionBecomesFree() public {
        token.mint(address(this), 700);
        token.approve(address(settlement), 700);
        settlement.depositToPosition(MARKET, vm.addr(CAROL), 700);
        _serve(1, vm.addr(CAROL));
        assertEq(free(CAROL), 1_000_000_700, "free");
    }

    /// @dev While a top-up waits too long its position is not liquidated; served, it counts.
    function test_depositToPosition_overdueForbidsLiquidation() public {
        _topUp(200_000);
        vm.warp(block.timestamp + 901);
        Plan memory p = plan();
        addPrice(p, 830, 830);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleRejected(p, RejectReason.FROZEN);
        p = plan();
        addPrice(p, 830, 830);
        addForced(p, 1, _alice);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
    }

    /// @dev Two in a row: the first served, the second still protects.
    function test_depositToPosition_theLaterOneProtectsTooUntilServed() public {
        _topUp(10);
        vm.warp(block.timestamp + 500);
        _topUp(10);
        _serve(1, _alice);
        vm.warp(block.timestamp + 901);
        Plan memory p = plan();
        addPrice(p, 830, 830);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleRejected(p, RejectReason.FROZEN);
        _serve(2, _alice);
    }

    /// @dev A later one of somebody else's does not make the middle one younger.
    function test_depositToPosition_theMiddleOneProtectsToo() public {
        _topUp(1);
        vm.warp(block.timestamp + 10);
        _topUp(300_000);
        vm.warp(block.timestamp + 5000);
        _topUp(1);
        Plan memory p = plan();
        addForced(p, 1, _alice);
        addPrice(p, 830, 830);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleRejected(p, RejectReason.FROZEN);
    }

    /* EXIT MODE */

    function test_exitMode_onlyWhenTheHeadIsTooOld() public {
        _as(_alice);
        settlement.requestReduce(MARKET, 40);
        uint256 due = block.timestamp + 1 days;
        vm.warp(due - 1);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitNotDue.selector, due));
        settlement.enterExitMode();
        vm.warp(due);
        assertEq(settlement.queueAgeS(), 1 days, "age");
        vm.prank(address(0xa17));
        settlement.enterExitMode();
        assertTrue(settlement.phase() == VenuePhase.EXIT, "exit");
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.EXIT);
        vm.expectRevert(refusal);
        settlement.settle(payload, signatures);
        vm.expectRevert(refusal);
        settlement.requestWithdrawal(1, _alice);
        vm.expectRevert(refusal);
        settlement.deposit(1);
        vm.expectRevert(refusal);
        settlement.execute("");
    }

    function test_RevertWhen_nothingIsDue() public {
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitNotDue.selector, type(uint256).max));
        settlement.enterExitMode();
    }

    /// @dev FORCE-1, SIG-1: a range over the edges of two words; its neighbours live.
    function test_cancelRange_usesNoncesUp() public {
        vm.prank(_alice);
        uint64 id = settlement.requestCancelRange(2006, 2013);
        serveNow(id, _alice);
        for (uint64 nonce = 2000; nonce < 2030; ++nonce) {
            bool isDead = nonce >= 2006 && nonce <= 2013;
            uint256 lots = settlement.filledLots(_alice, nonce);
            assertEq(lots, isDead ? type(uint32).max : 0, "dead in the range alone");
        }
        vm.prank(_alice);
        id = settlement.requestCancelRange(type(uint64).max - 7, type(uint64).max);
        serveNow(id, _alice);
        assertEq(settlement.filledLots(_alice, type(uint64).max), type(uint32).max, "the last");
    }

    function test_RevertWhen_cancelRangeIsInvalid() public {
        vm.startPrank(_alice);
        uint64[2][2] memory ranges = [[uint64(10), 9], [uint64(10), 18]];
        for (uint256 i = 0; i < ranges.length; ++i) {
            (uint64 first, uint64 last) = (ranges[i][0], ranges[i][1]);
            vm.expectRevert(
                abi.encodeWithSelector(IExitDesk.NonceRangeInvalid.selector, first, last)
            );
            settlement.requestCancelRange(first, last);
        }
        settlement.requestCancelRange(10, 17);
        vm.stopPrank();
        address nobody = address(0x123);
        vm.prank(nobody);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.AccountEmpty.selector, nobody));
        settlement.requestCancelRange(1, 2);
    }

    /* HELPERS */

    /// @dev From outside, so that an expected event is that of the batch.
    function settleOutside(Plan memory p) external {
        bytes memory payload = encode(p);
        settlement.settle(payload, attest(p, payload));
    }

    function _as(address owner) private {
        vm.prank(owner);
    }

    function _topUp(uint64 amountQuote) private {
        token.mint(address(this), amountQuote);
        token.approve(address(settlement), amountQuote);
        settlement.depositToPosition(MARKET, _alice, amountQuote);
    }

    function _serve(uint64 id, address owner) private {
        Plan memory p = plan();
        addForced(p, id, owner);
        settleAccepted(p);
    }

    function _refused(uint64 id, address owner, RejectReason reason) private {
        Plan memory p = plan();
        addForced(p, id, owner);
        settleRejected(p, reason);
    }
}
