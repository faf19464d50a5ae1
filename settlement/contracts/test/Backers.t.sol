// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IInsuranceDesk } from "../src/interfaces/IInsuranceDesk.sol";
import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice BACK-1 … BACK-5: shares of an insurance fund, their lock, losses and rounding.
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
        uint256 shares = _back(ALICE, 1_000_000);
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
        _serve(1, _alice);
        assertEq(free(ALICE), before + 1_000_000, "paid");
        assertEq(settlement.fundShares(MARKET), 0, "burned");
    }

    /// @dev BACK-3: who waits shares the losses. The fund loses half of what it has.
    function test_backing_lossesAreSharedWhileWaiting() public {
        uint256 shares = _back(ALICE, 1_000_000);
        _back(BOB, 1_000_000);
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
        uint256 shares = _back(ALICE, 50_000);
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
        addForced(p, 2, _alice);
        settleAccepted(p);
        assertTrue(settlement.forcedRequest(2).isAside, "set aside");
        assertEq(free(ALICE), before, "not paid yet");
        p = plan();
        addPrice(p, 1000, 1000);
        addForced(p, 2, _alice);
        settleAccepted(p);
        uint256 paid = free(ALICE) - before;
        assertGe(50_000, int256(paid) + 1, "not all");
        assertGe(int256(uint256(settlement.backer(MARKET, _alice).shares)), 1, "the rest stays");
        assertEq(settlement.backer(MARKET, _alice).lockedShares, 0, "and is unlocked");
    }

    /// @dev BACK-4: Alice puts her shares into the queue at the best moment; until they are served
    /// the fund loses half. She loses half, as Bob does who stays.
    function test_backing_isValuedWhenItIsServed() public {
        uint256 shares = _back(ALICE, 1_000_000);
        _back(BOB, 1_000_000);
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

    /// @dev BACK-2: what engine and contract know of a fund is the same while it pays a backer.
    function test_RevertWhen_theFundIsBusy() public {
        uint256 shares = _back(ALICE, 1_000_000);
        vm.prank(_alice);
        settlement.requestUnbacking(MARKET, shares);
        vm.warp(block.timestamp + 7 days);
        vm.prank(_alice);
        uint64 id = settlement.finishUnbacking(MARKET);
        assertTrue(settlement.isFundBusy(MARKET), "busy");
        bytes memory refusal = abi.encodeWithSelector(ISettlementErrors.FundBusy.selector, MARKET);
        vm.expectRevert(refusal);
        settlement.backFund(MARKET, 1000);
        vm.expectRevert(refusal);
        settlement.fundInsurance(MARKET, 1000);
        _serve(id, _alice);
        assertTrue(!settlement.isFundBusy(MARKET), "no longer");
        _back(BOB, 1000);
    }

    /// @dev BACK-2: the engine counts shares in 63 bits.
    function test_RevertWhen_thereAreTooManyShares() public {
        _back(CAROL, 10_000_000);
        _load(10_000);
        Plan memory p = plan();
        addPrice(p, 891, 891);
        settleAccepted(p);
        // 10^10 shares stand for 100,000 quote: new ones at 100,000 a unit.
        assertEqInt(settlement.fundEquityQuote(MARKET), 100_000, "nearly wiped out");
        vm.expectRevert(
            abi.encodeWithSelector(IInsuranceDesk.FundInsolvent.selector, MARKET, 100_000)
        );
        settlement.backFund(MARKET, 100_000_000_000_000);
    }

    /// @dev BACK-2: the first backer cannot take the next one's money by a gift in between. The
    /// victim loses at most a thousandth of the gift; the attacker loses nearly all of it.
    function testFuzz_backing_inflationAttackDoesNotPay(uint256 gift, uint256 victim) public {
        gift = bound(gift, 1, 100_000_000);
        victim = bound(victim, 1, 100_000_000);
        uint256 attacker = _back(ALICE, 1);
        token.mint(address(this), gift);
        token.approve(address(settlement), gift);
        settlement.fundInsurance(MARKET, gift);
        token.mint(_bob, victim);
        vm.startPrank(_bob);
        token.approve(address(settlement), victim);
        try settlement.backFund(MARKET, victim) returns (uint256 shares) {
            uint256 value = settlement.sharesValueQuote(MARKET, shares);
            assertGe(
                int256(value) + int256(gift / 1000) + 2, int256(victim), "the victim is whole"
            );
        } catch (bytes memory reason) {
            assertTrue(
                bytes4(reason) == ISettlementErrors.AmountOutOfRange.selector, "refused, not taken"
            );
        }
        vm.stopPrank();
        uint256 attackersValue = settlement.sharesValueQuote(MARKET, attacker);
        assertGe(int256(gift), int256(attackersValue), "the attacker does not gain");
    }

    /// @dev BACK-2: rounding favours the fund: in and out again never gains.
    function testFuzz_backing_roundsInTheFundsFavour(uint256 first, uint256 second) public {
        first = bound(first, 1, 1_000_000_000);
        second = bound(second, 1, 1_000_000_000);
        _back(ALICE, first);
        uint256 shares = _back(BOB, second);
        assertGe(int256(second), int256(settlement.sharesValueQuote(MARKET, shares)), "no gain");
    }

    /// @dev BACK-5: in exit mode backers get what is left after the leavers' profit.
    function test_backing_isPaidAtExit() public {
        uint256 shares = _back(CAROL, 1_000_000);
        _loadFund();
        vm.prank(_bob);
        settlement.requestWithdrawal(1, _bob);
        vm.warp(block.timestamp + 1 days);
        settlement.enterExitMode();
        settlement.exitPosition(MARKET, _bob);
        vm.warp(block.timestamp + 14 days);
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
        uint256 shares = _back(ALICE, 1_000_000);
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

    /// @dev BACK-2: while the fund holds lots, shares are made at a mark of the last 15 minutes.
    function test_RevertWhen_theMarkIsTooOld() public {
        _back(ALICE, 1_000_000);
        _loadFund();
        uint256 timeMs = block.timestamp * 1000;
        vm.warp(block.timestamp + 15 minutes + 1);
        bytes memory refusal =
            abi.encodeWithSelector(IInsuranceDesk.MarkTooOld.selector, MARKET, timeMs);
        vm.expectRevert(refusal);
        settlement.backFund(MARKET, 1000);
        vm.warp(block.timestamp - 1);
        _back(ALICE, 1000);
    }

    /// @dev BACK-2: a fund that has lost all takes no backers: shares would be without number.
    function test_RevertWhen_theFundIsWipedOut() public {
        _back(CAROL, 10_000_000);
        _load(10_000);
        int256 equity = settlement.position(MARKET, FUND).collateralQuote;
        assertEqInt(equity, 11_000_000, "what was backed, and the fee");
        Plan memory p = plan();
        addPrice(p, 890, 890);
        settleAccepted(p);
        assertEqInt(settlement.fundEquityQuote(MARKET), 0, "wiped out");
        vm.expectRevert(abi.encodeWithSelector(IInsuranceDesk.FundInsolvent.selector, MARKET, 0));
        settlement.backFund(MARKET, 1000);
    }

    function test_RevertWhen_theFundIsInsolvent() public {
        _back(CAROL, 1000);
        _loadFund();
        Plan memory p = plan();
        addPrice(p, 500, 500);
        settleAccepted(p);
        int256 equity = settlement.fundEquityQuote(MARKET);
        assertGe(-1, equity, "insolvent");
        vm.expectRevert(
            abi.encodeWithSelector(IInsuranceDesk.FundInsolvent.selector, MARKET, equity)
        );
        settlement.backFund(MARKET, 1);
    }

    /* HELPERS */

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

    function _back(uint256 key, uint256 amountQuote) private returns (uint256 shares) {
        address owner = vm.addr(key);
        token.mint(owner, amountQuote);
        vm.startPrank(owner);
        token.approve(address(settlement), amountQuote);
        shares = settlement.backFund(MARKET, amountQuote);
        vm.stopPrank();
    }

    function _serve(uint64 id, address owner) private {
        Plan memory p = plan();
        addForced(p, id, owner);
        settleAccepted(p);
    }
}
