// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../src/interfaces/IExitDesk.sol";
import { IInsuranceDesk } from "../src/interfaces/IInsuranceDesk.sol";
import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { VenuePhase } from "../src/interfaces/ISettlementTypes.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice BACK-1 … BACK-5, FORCE-5: gifts to an insurance fund; shares, lock, losses and rounding.
contract BackersTest is SettlementTest {
    address private _alice;
    address private _bob;

    function setUp() public override {
        super.setUp();
        (_alice, _bob) = (vm.addr(ALICE), vm.addr(BOB));
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
    }

    /// @dev BACK-1, BACK-4: in, a lock that everybody sees, out through the queue.
    function test_backing_goesInAndComesOut() public {
        uint256 shares = backNow(ALICE, 1_000_000);
        assertEqInt(settlement.fundEquityQuote(MARKET), 1_000_000, "equity");
        vm.prank(_alice);
        settlement.requestUnbacking(MARKET, shares);
        uint256 due = block.timestamp + 7 days;
        assertEq(settlement.backer(MARKET, _alice).dueTimeS, due, "the lock is visible");
        vm.prank(_alice);
        vm.expectRevert(abi.encodeWithSelector(IInsuranceDesk.SharesLocked.selector, due));
        settlement.finishUnbacking(MARKET);
        vm.warp(due);
        vm.prank(_alice);
        settlement.finishUnbacking(MARKET);
        uint256 before = free(ALICE);
        serveNow(2, _alice);
        assertEq(free(ALICE), before + 1_000_000, "paid");
        assertEq(settlement.fundShares(MARKET), 0, "burned");
    }

    /// @dev BACK-3: who waits shares the losses. The fund loses half of what it has.
    function test_backing_lossesAreSharedWhileWaiting() public {
        uint256 shares = backNow(ALICE, 1_000_000);
        backNow(BOB, 1_000_000);
        vm.prank(_alice);
        settlement.requestUnbacking(MARKET, shares);
        _loadFund();
        Plan memory p = plan();
        addPrice(p, 900, 900);
        settleAccepted(p);
        int256 equity = settlement.fundEquityQuote(MARKET);
        uint256 value = settlement.sharesValueQuote(MARKET, shares);
        assertGe(equity / 2 + 1, int256(value), "half of it, rounded down");
        assertGe(int256(value), equity / 2 - 1, "half of it");
        assertGe(1_000_000, int256(value), "a loss");
    }

    /// @dev BACK-4: nothing leaves that the fund's position needs; the rest stays in shares.
    function test_backing_leavesOnlyAsFarAsTheFundCanSpare() public {
        uint256 shares = backNow(ALICE, 50_000);
        _loadFund();
        vm.prank(_alice);
        settlement.requestUnbacking(MARKET, shares);
        vm.warp(block.timestamp + 7 days);
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
        vm.prank(_alice);
        settlement.finishUnbacking(MARKET);
        vm.warp(block.timestamp + 60);
        uint256 before = free(ALICE);
        // BACK-4: while the fund holds lots nothing is paid without a fresh price.
        p = plan();
        addForced(p, 3, _alice);
        settleAccepted(p);
        assertTrue(settlement.forcedRequest(3).isAside, "set aside");
        assertEq(free(ALICE), before, "not paid yet");
        p = plan();
        addPrice(p, 1000, 1000);
        addForced(p, 3, _alice);
        settleAccepted(p);
        uint256 paid = free(ALICE) - before;
        assertGe(50_000, int256(paid) + 1, "not all");
        assertGe(int256(uint256(settlement.backer(MARKET, _alice).shares)), 1, "the rest stays");
        assertEq(settlement.backer(MARKET, _alice).lockedShares, 0, "and is unlocked");
    }

    /// @dev BACK-4: Alice puts her shares into the queue at the best moment; until they are served
    /// the fund loses half. She loses half, as Bob does who stays.
    function test_backing_isValuedWhenItIsServed() public {
        uint256 shares = backNow(ALICE, 1_000_000);
        backNow(BOB, 1_000_000);
        _loadFund();
        vm.prank(_alice);
        settlement.requestUnbacking(MARKET, shares);
        vm.warp(block.timestamp + 7 days);
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
        uint256 asked = settlement.sharesValueQuote(MARKET, shares);
        vm.prank(_alice);
        uint64 id = settlement.finishUnbacking(MARKET);
        assertEq(settlement.forcedRequest(id).amount, shares, "the request is about shares");
        p = plan();
        addPrice(p, 100, 100);
        settleAccepted(p);
        uint256 before = free(ALICE);
        uint256 worth = settlement.sharesValueQuote(MARKET, shares);
        p = plan();
        addPrice(p, 100, 100);
        addForced(p, id, _alice);
        settleAccepted(p);
        assertEq(free(ALICE) - before, worth, "what they are worth now");
        assertGe(int256(asked) * 6 / 10, int256(worth), "after the loss");
        assertGe(
            int256(settlement.sharesValueQuote(MARKET, shares)) + 1, int256(worth), "as Bob's are"
        );
    }

    /// @dev BACK-2: the engine counts shares in 63 bits.
    function test_refused_tooManyShares() public {
        backNow(CAROL, 10_000_000);
        _load(10_000);
        Plan memory p = plan();
        addPrice(p, 891, 891);
        settleAccepted(p);
        // 10^10 shares stand for 100,000 quote: new ones at 100,000 a unit.
        assertEqInt(settlement.fundEquityQuote(MARKET), 100_000, "nearly wiped out");
        _becomesFree(100_000_000_000_000, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    /// @dev BACK-2: the first backer cannot take the next one's money by a gift in between. The
    /// victim loses at most a thousandth of the gift; the attacker loses nearly all of it.
    function testFuzz_backing_inflationAttackDoesNotPay(uint256 gift, uint256 victim) public {
        gift = bound(gift, 1, 100_000_000);
        victim = bound(victim, 1, 100_000_000);
        uint256 attacker = backNow(ALICE, 1);
        giveNow(gift);
        uint256 before = free(BOB);
        uint256 shares = backNow(BOB, victim);
        uint256 value = settlement.sharesValueQuote(MARKET, shares);
        if (shares == 0) {
            assertEq(free(BOB), before + victim, "refused, not taken");
        } else {
            assertGe(
                int256(value) + int256(gift / 1000) + 2, int256(victim), "the victim is whole"
            );
        }
        uint256 attackersValue = settlement.sharesValueQuote(MARKET, attacker);
        assertGe(int256(gift), int256(attackersValue), "the attacker does not gain");
    }

    /// @dev BACK-2: rounding favours the fund: in and out again never gains.
    function testFuzz_backing_roundsInTheFundsFavour(uint256 first, uint256 second) public {
        first = bound(first, 1, 1_000_000_000);
        second = bound(second, 1, 1_000_000_000);
        backNow(ALICE, first);
        uint256 shares = backNow(BOB, second);
        assertGe(int256(second), int256(settlement.sharesValueQuote(MARKET, shares)), "no gain");
    }

    /// @dev BACK-5: in exit mode backers get what is left after the leavers' profit.
    function test_backing_isPaidAtExit() public {
        uint256 shares = backNow(CAROL, 1_000_000);
        _loadFund();
        vm.prank(_bob);
        settlement.requestWithdrawal(1, _bob);
        vm.warp(block.timestamp + 1 days);
        settlement.enterExitMode();
        settlement.exitPosition(MARKET, _bob);
        uint256 before = free(CAROL);
        settlement.claimBackingAtExit(MARKET, vm.addr(CAROL));
        uint256 paid = free(CAROL) - before;
        assertGe(int256(paid), 1_000_000, "capital and the fee of the reduction");
        assertGe(1_010_000, int256(paid), "no more");
        assertTrue(shares != 0, "had shares");
        vm.expectRevert(
            abi.encodeWithSelector(
                IInsuranceDesk.UnbackingMissing.selector, MARKET, vm.addr(CAROL)
            )
        );
        settlement.claimBackingAtExit(MARKET, vm.addr(CAROL));
        assertSound();
    }

    function test_RevertWhen_backingIsWrong() public {
        vm.expectRevert(abi.encodeWithSelector(IInsuranceDesk.SharesTooFew.selector, 0, 1));
        settlement.requestUnbacking(MARKET, 1);
        vm.expectRevert(abi.encodeWithSelector(IInsuranceDesk.SharesTooFew.selector, 0, 0));
        settlement.requestUnbacking(MARKET, 0);
        vm.prank(_bob);
        vm.expectRevert(
            abi.encodeWithSelector(IInsuranceDesk.UnbackingMissing.selector, MARKET, _bob)
        );
        settlement.finishUnbacking(MARKET);
    }

    /// @dev BACK-3: nobody else sends a backer's shares out at a dip, and whoever has waited has three
    /// days to leave: no right to go at any later moment that suits.
    function test_RevertWhen_leavingHasLapsed() public {
        uint256 shares = backNow(ALICE, 1_000_000);
        vm.prank(_alice);
        settlement.requestUnbacking(MARKET, shares);
        uint256 end = block.timestamp + 10 days;
        vm.warp(end);
        vm.prank(_bob);
        vm.expectRevert(
            abi.encodeWithSelector(IInsuranceDesk.UnbackingMissing.selector, MARKET, _bob)
        );
        settlement.finishUnbacking(MARKET);
        vm.warp(end + 1);
        vm.prank(_alice);
        vm.expectRevert(abi.encodeWithSelector(IInsuranceDesk.UnbackingLapsed.selector, end));
        settlement.finishUnbacking(MARKET);
        vm.prank(_alice);
        settlement.requestUnbacking(MARKET, shares);
    }

    /// @dev BACK-2, FORCE-5: while the fund holds lots, shares are made at a fresh price; where it is
    /// lacking the money is the backer's again, and no request waits for it.
    function test_refused_backingWithoutAFreshPrice() public {
        backNow(ALICE, 1_000_000);
        _loadFund();
        vm.warp(block.timestamp + 11);
        _becomesFree(1000, RejectReason.PRICE_STALE);
        uint64 id = requestBacking(BOB, 1000);
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        addForced(p, id, _bob);
        settleAccepted(p);
        assertGe(int256(uint256(settlement.backer(MARKET, _bob).shares)), 1, "shares");
    }

    /// @dev BACK-2: a fund that has lost all takes no backers: shares would be without number.
    function test_refused_backingOfAFundThatIsWipedOut() public {
        backNow(CAROL, 10_000_000);
        _load(10_000);
        int256 equity = settlement.position(MARKET, FUND).collateralQuote;
        assertEqInt(equity, 11_000_000, "what was backed, and the fee");
        Plan memory p = plan();
        addPrice(p, 890, 890);
        settleAccepted(p);
        assertEqInt(settlement.fundEquityQuote(MARKET), 0, "wiped out");
        _becomesFree(1000, RejectReason.FUND_CANNOT_CARRY);
    }

    function test_refused_backingOfAnInsolventFund() public {
        backNow(CAROL, 1000);
        _loadFund();
        Plan memory p = plan();
        addPrice(p, 500, 500);
        settleAccepted(p);
        assertGe(-1, settlement.fundEquityQuote(MARKET), "insolvent");
        _becomesFree(1, RejectReason.FUND_CANNOT_CARRY);
    }

    /* THROUGH THE QUEUE */

    /// @dev FORCE-5: nothing of the fund changes until the batch that has the request in its place;
    /// the money is in custody, and owed, all the while.
    function test_gift_changesTheFundWhereItIsServed() public {
        uint64 id = requestBacking(CAROL, 5000);
        assertEqInt(settlement.fundEquityQuote(MARKET), 0, "not yet");
        assertEq(settlement.requestsQuote(), 5000, "held by the queue");
        assertSound();
        // Shares are worth what they are when they are made: the gift before them counts.
        token.mint(address(this), 1000);
        token.approve(address(settlement), 1000);
        uint64 second = settlement.fundInsurance(MARKET, 1000);
        Plan memory p = plan();
        addForced(p, second, address(this));
        settleRejected(p, RejectReason.ORDER_UNKNOWN);
        serveNow(id, vm.addr(CAROL));
        assertEqInt(settlement.fundEquityQuote(MARKET), 5000, "the backing alone");
        serveNow(second, address(this));
        assertEqInt(settlement.fundEquityQuote(MARKET), 6000, "the gift");
        assertEq(settlement.requestsQuote(), 0, "nothing waits");
    }

    /// @dev FORCE-5: a stranger's backing lands between the engine's ADL and its batch; the ADL stands,
    /// and so does the request behind it.
    function test_backing_doesNotBreakAnAdlThatIsSigned() public {
        _thinPair();
        Plan memory p = plan();
        addPrice(p, 880, 880);
        addAdl(p, addPosition(p, _alice), addPosition(p, _bob), 100);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        uint64 id = requestBacking(CAROL, 100_000);
        (, bytes memory reasons) = dryRun(payload, signatures);
        assertEq(uint8(reasons[1]), 0, "accepted as the engine made it");
        settlement.settle(payload, signatures);
        assertEqInt(position(ALICE).positionLots, 0, "deleveraged");
        serveNow(id, vm.addr(CAROL));
        assertEqInt(settlement.fundEquityQuote(MARKET), 100_000, "after it");
        // In the same batch, in the other order, the fund carries.
        _thinPair();
        id = requestBacking(CAROL, 1_000_000);
        p = plan();
        addPrice(p, 880, 880);
        addForced(p, id, vm.addr(CAROL));
        addAdl(p, addPosition(p, _alice), addPosition(p, _bob), 100);
        settleRejected(p, RejectReason.FUND_CAN_CARRY);
    }

    /// @dev One share, put into the queue again and again, holds up nothing but itself.
    function test_backing_dustBlocksNobody() public {
        uint256 shares = backNow(ALICE, 1);
        backNow(CAROL, 1_000_000);
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(_alice);
            settlement.requestUnbacking(MARKET, 1);
            vm.warp(block.timestamp + 7 days);
            vm.prank(_alice);
            uint64 id = settlement.finishUnbacking(MARKET);
            uint64 gift = requestBacking(BOB, 100);
            serveNow(id, _alice);
            serveNow(gift, _bob);
        }
        assertEq(settlement.backer(MARKET, _alice).shares, shares, "worth nothing");
        assertEqInt(settlement.fundEquityQuote(MARKET), 1_000_301, "all of the others'");
    }

    /// @dev FORCE-5: behind the first row of a market as before it, as far as that batch goes.
    function test_gift_toAMarketWhoseFirstPriceIsInTheBatch() public {
        govern(abi.encodeCall(settlement.listMarket, (2, marketParams(), tiers())));
        token.mint(_alice, 800);
        vm.startPrank(_alice);
        token.approve(address(settlement), 800);
        uint64 gift = settlement.fundInsurance(2, 400);
        uint64 next = settlement.fundInsurance(2, 400);
        vm.stopPrank();
        uint256 before = free(ALICE);
        Plan memory p = plan();
        p.marketIds[0] = 2;
        addPrice(p, 1000, 1000);
        addItem(p, abi.encodePacked(uint8(15), gift, addAccount(p, _alice), type(uint16).max));
        settleAccepted(p);
        assertEq(free(ALICE), before + 400, "hers again");
        _serveWithoutMarket(next, RejectReason.MARKET_UNKNOWN);
        assertEq(free(ALICE), before + 400, "the next waits");
    }

    /// @dev FORCE-5: the engine does not list the market yet. The batch says so by serving the request
    /// without it, but only where nothing has happened yet.
    function test_gift_toAMarketThatIsUnknownBecomesFree() public {
        govern(abi.encodeCall(settlement.listMarket, (2, marketParams(), tiers())));
        token.mint(_alice, 1000);
        vm.startPrank(_alice);
        token.approve(address(settlement), 1000);
        uint64 gift = settlement.fundInsurance(2, 400);
        uint64 backing = settlement.backFund(2, 600);
        vm.stopPrank();
        uint256 before = free(ALICE);
        _serveWithoutMarket(gift, RejectReason.NONE);
        _serveWithoutMarket(backing, RejectReason.NONE);
        assertEq(free(ALICE), before + 1000, "hers again");
        assertEqInt(settlement.position(2, FUND).collateralQuote, 0, "not the fund's");
        // This market has a price: whoever builds batches can't refuse a gift to it.
        uint64 id = requestBacking(ALICE, 10);
        _serveWithoutMarket(id, RejectReason.MARKET_UNKNOWN);
        serveNow(id, _alice);
        assertEq(settlement.backer(MARKET, _alice).shares, 10_000, "shares");
    }

    /// @dev EXIT-1, FORCE-5: what was not served when the venue ends is its owner's, once.
    function test_gift_isReclaimedAtTheExit() public {
        uint64 id = requestBacking(CAROL, 5000);
        vm.prank(_bob);
        uint64 other = settlement.requestWithdrawal(1, _bob);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.OPEN)
        );
        settlement.reclaimRequest(id);
        vm.warp(block.timestamp + 1 days);
        settlement.enterExitMode();
        uint256 before = free(CAROL);
        settlement.reclaimRequest(id);
        assertEq(free(CAROL), before + 5000, "hers again");
        assertEq(settlement.requestsQuote(), 0, "nothing waits");
        assertSound();
        bytes4 refusal = IExitDesk.RequestWithoutMoney.selector;
        vm.expectRevert(abi.encodeWithSelector(refusal, id));
        settlement.reclaimRequest(id);
        vm.expectRevert(abi.encodeWithSelector(refusal, other));
        settlement.reclaimRequest(other);
        vm.prank(vm.addr(CAROL));
        settlement.exitWithdraw(5000, address(0xbeef));
        assertSound();
    }

    /* HELPERS */

    function _becomesFree(uint256 amountQuote, RejectReason reason) private {
        uint64 id = requestBacking(BOB, amountQuote);
        uint256 before = free(BOB);
        uint256 shares = settlement.fundShares(MARKET);
        Plan memory p = plan();
        addForced(p, id, _bob);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit IExitDesk.RequestServed(id, reason);
        settlement.settle(payload, signatures);
        assertEq(free(BOB), before + amountQuote, "the backer's again");
        assertEq(settlement.fundShares(MARKET), shares, "no shares");
        assertSound();
    }

    function _serveWithoutMarket(uint64 id, RejectReason reason) private {
        Plan memory p = plan();
        uint16 index = addAccount(p, _alice);
        addItem(p, abi.encodePacked(uint8(15), id, index, type(uint16).max));
        if (reason == RejectReason.NONE) settleAccepted(p);
        else settleRejected(p, reason);
    }

    /// @dev Alice is 100 lots long of Bob at 1000, bankrupt below 891.
    function _thinPair() private {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 110_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 300_000)), 100);
        settleAccepted(p);
    }

    /// @dev Gives the fund 100 lots long at 1000 by a forced reduction.
    function _loadFund() private {
        _load(100);
    }

    function _load(uint32 lots) private {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, lots, 2000 * lots));
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, 1000, lots, 9000 * lots));
        addFill(p, taker, maker, lots);
        settleAccepted(p);
        vm.prank(_alice);
        uint64 id = settlement.requestReduce(MARKET, lots);
        p = plan();
        addPrice(p, 1000, 1000);
        addForced(p, id, _alice);
        settleAccepted(p);
        assertEqInt(
            settlement.position(MARKET, FUND).positionLots, int256(uint256(lots)), "loaded"
        );
    }
}
