// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IGovernanceDesk } from "../src/interfaces/IGovernanceDesk.sol";
import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import {
    Limits,
    MarketParams,
    PositionView,
    Tier,
    VenuePhase
} from "../src/interfaces/ISettlementTypes.sol";
import { OrderLib } from "../src/libraries/OrderLib.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { StubOracle } from "./mocks/StubOracle.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice Failures that other venues have had, one test for each, named after it. The operator
/// here is dead, or has the keys of attestors and oracle and means harm.
contract AdversarialTest is SettlementTest {
    address private _alice;
    address private _bob;

    /// @dev Alice long 100 lots at 1000 with 199,500 of collateral, Bob short with 299,800.
    function setUp() public override {
        super.setUp();
        (_alice, _bob) = (vm.addr(ALICE), vm.addr(BOB));
        tradePair();
    }

    /* DEPOSITS AND LEAVING */

    /// @dev The operator never serves anything: the deposit comes back all the same.
    function test_depositsTrapped_isImpossible() public {
        _exitVenue();
        address carol = vm.addr(CAROL);
        vm.startPrank(carol);
        settlement.exitWithdraw(400_000_000, carol);
        settlement.exitWithdraw(600_000_000, carol);
        vm.stopPrank();
        vm.warp(block.timestamp + 2 days);
        for (uint256 id = 1; id <= settlement.waitingWithdrawals(); ++id) {
            settlement.claimWithdrawal(id);
        }
        assertEq(token.balanceOf(carol), 1_000_000_000, "all of it");
    }

    /// @dev Stopping risk stops neither requests nor exits, and the guardian cannot stop leaving.
    function test_pauseThatTrapsUsers_isImpossible() public {
        vm.prank(GUARDIAN);
        settlement.pauseRisk();
        _exitVenue();
        settlement.exitPosition(MARKET, _alice);
        vm.prank(_alice);
        settlement.exitWithdraw(1000, _alice);
        assertEq(token.balanceOf(_alice), 1000, "out");
    }

    /// @dev One leaves; the rest of the venue, before exit mode, goes on settling.
    function test_oneExitFreezesTheVenue_isImpossible() public {
        vm.prank(_alice);
        uint64 id = settlement.requestReduce(MARKET, 100);
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        addForced(p, id, _alice);
        settleAccepted(p);
        p = plan();
        uint16 taker = addOrder(p, CAROL, order(CAROL, BUY, 1000, 10, 200_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 300_000)), 10);
        settleAccepted(p);
    }

    /// @dev A market has been exited: no position of it holds money any more.
    function test_fundsLeftInAClosedPosition_isImpossible() public {
        _exitVenue();
        settlement.exitPosition(MARKET, _alice);
        settlement.exitPosition(MARKET, _bob);
        PositionView memory p = position(ALICE);
        assertEqInt(p.collateralQuote, 0, "nothing");
        assertEq(p.entryValueQuote, 0, "nothing");
        assertEqInt(position(BOB).collateralQuote, 0, "nothing");
        assertEqInt(settlement.position(MARKET, FUND).positionLots, 0, "the fund is flat");
    }

    /// @dev At a price that wipes the position out it costs its collateral and no unit more.
    function test_isolatedLossReachesTheParent_isImpossible() public {
        uint256 before = free(ALICE);
        _exitVenueAt(1);
        settlement.exitPosition(MARKET, _alice);
        assertEq(free(ALICE), before, "the free balance stays");
        assertSound();
    }

    /// @dev Others' money: a market without any left pays nobody out of free balances.
    function test_marketPaysWithAnothersMoney_isImpossible() public {
        uint256 carol = free(CAROL);
        _exitVenueAt(1_000_000);
        settlement.exitPosition(MARKET, _bob);
        settlement.exitPosition(MARKET, _alice);
        settlement.claimExitGain(MARKET, _alice);
        assertEq(free(CAROL), carol, "untouched");
        assertSound();
    }

    /// @dev Leaving by turns at prices of one's choice: the price is fixed once.
    function test_exitAtAChosenMoment_isImpossible() public {
        StubOracle oracle = _exitVenueAt(1000);
        settlement.exitPosition(MARKET, _bob);
        oracle.set(500);
        settlement.exitPosition(MARKET, _alice);
        assertEq(settlement.exitMarket(MARKET).indexTicks, 1000, "the first price holds");
        assertEq(free(ALICE), 1_000_000_000 - 500, "no loss but the fee");
    }

    /* LIQUIDATION */

    /// @dev The requirement is raised above what Alice has: until the notice is over nothing
    /// happens to her.
    function test_liquidationByARaisedParameter_isImpossibleWithoutNotice() public {
        Tier[] memory list = new Tier[](1);
        list[0] = Tier(0, 900_000, 800_000);
        uint40 effectiveTimeS = uint40(block.timestamp + 4 days);
        MarketParams memory params = marketParams();
        settlement.announceMarketParams(MARKET, params, list, effectiveTimeS);
        vm.warp(effectiveTimeS - 1);
        _refusedTakeover(RejectReason.NOT_LIQUIDATABLE);
        vm.expectRevert(
            abi.encodeWithSelector(
                IGovernanceDesk.AnnouncementNotDue.selector, MARKET, effectiveTimeS + 1 hours
            )
        );
        settlement.applyMarketParams(MARKET);
    }

    /// @dev MARG-4: attestors put the mark where Alice, or Bob, would be liquidatable; the index
    /// has not reached either.
    function test_positionTakenByAChosenMark_isImpossible() public {
        giveNow(10_000_000);
        // Equity 49,500 at 850 against 42,925, and 7,500 at the mark. Bob: 64,800 against 62,368.
        _refusedAtAChosenMark(_alice, _bob, BUY, 850, 808);
        _refusedAtAChosenMark(_bob, _alice, SELL, 1235, 1296);
        // The index alone does not do either: both have to get there.
        _refusedAtAChosenMark(_alice, _bob, BUY, 808, 848);
        Plan memory p = plan();
        addPrice(p, 808, 808);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleAccepted(p);
    }

    function test_topUpInFlightIgnored_isImpossible() public {
        token.mint(_alice, 300_000);
        vm.startPrank(_alice);
        token.approve(address(settlement), 300_000);
        settlement.depositToPosition(MARKET, _alice, 300_000);
        vm.stopPrank();
        vm.warp(block.timestamp + 901);
        Plan memory p = plan();
        addPrice(p, 830, 830);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleRejected(p, RejectReason.FROZEN);
    }

    /* GOVERNANCE AND MONEY */

    /// @dev Whoever gets the owner's key: nothing moves before everybody could leave.
    function test_ownerTakesFeesOrKeysAtOnce_isImpossible() public {
        address[] memory mine = new address[](1);
        mine[0] = vm.addr(0xe41);
        bytes memory call = abi.encodeCall(settlement.setAttestors, (9, mine, 1));
        uint256 dueTimeS = block.timestamp + 3 days;
        settlement.propose(call);
        vm.prank(_alice);
        settlement.requestWithdrawal(type(uint64).max, _alice);
        vm.warp(dueTimeS - 2 days);
        bytes4 notDue = IGovernanceDesk.ProposalNotDue.selector;
        vm.expectRevert(abi.encodeWithSelector(notDue, keccak256(call), dueTimeS));
        settlement.execute(call);
        settlement.enterExitMode();
        settlement.exitPosition(MARKET, _alice);
        uint256 all = free(ALICE);
        vm.prank(_alice);
        settlement.exitWithdraw(all, _alice);
        vm.warp(dueTimeS);
        settlement.claimWithdrawal(1);
        assertEq(token.balanceOf(_alice), all, "out, before the proposal is due");
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.EXIT)
        );
        settlement.execute(call);
        (uint32 epoch,) = settlement.attestorEpoch();
        assertEq(epoch, 1, "the old quorum");
    }

    /// @dev A limit of zero and back does not open the gate again.
    function test_outflowLimitResetByAChange_isImpossible() public {
        _setLimit(200_000);
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), uint64(settlement.outflowRoomQuote()), 1);
        settleAccepted(p);
        bytes memory close = _limitCall(0);
        bytes memory open = _limitCall(199_999);
        settlement.propose(close);
        settlement.propose(open);
        vm.warp(block.timestamp + 3 days);
        settlement.execute(close);
        uint256 room = settlement.outflowRoomQuote();
        settlement.execute(open);
        assertEq(room, 0, "closed");
        assertGe(
            int256(settlement.custodyQuote() / 10),
            int256(settlement.outflowRoomQuote()),
            "never more than half of the limit"
        );
    }

    /// @dev A batch of this venue on another chain, or for another contract of it.
    function test_batchDigestWithoutChainOrContract_isImpossible() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.chainId(777);
        vm.expectPartialRevert(ISettlementErrors.AttestorUnknown.selector);
        settlement.settle(payload, signatures);
        vm.chainId(31_337);
        bytes32 digest = OrderLib.batchDigest(
            OrderLib.domainSeparator(address(0xdead)),
            p.sequence,
            p.epoch,
            settlement.lastBatchDigest(),
            keccak256(payload)
        );
        signatures[0] = compact(ATTESTOR, digest);
        signatures[1] = compact(ATTESTOR + 1, digest);
        vm.expectPartialRevert(ISettlementErrors.AttestorUnknown.selector);
        settlement.settle(payload, signatures);
    }

    /// @dev The guardian stops risk, and has no way to any money.
    function test_guardianTakesMoney_isImpossible() public {
        vm.startPrank(GUARDIAN);
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.CallerNotGovernance.selector, GUARDIAN);
        vm.expectRevert(refusal);
        settlement.setFeeRecipient(GUARDIAN);
        vm.expectRevert(refusal);
        settlement.setLimits(venueConfig().limits);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.CallerNotOwner.selector, GUARDIAN)
        );
        settlement.propose("");
        vm.stopPrank();
    }

    /* HELPERS */

    function _exitVenue() private {
        vm.prank(_alice);
        settlement.requestWithdrawal(1, _alice);
        vm.warp(block.timestamp + 1 days);
        settlement.enterExitMode();
    }

    function _exitVenueAt(uint256 priceTicks) private returns (StubOracle oracle) {
        oracle = new StubOracle(priceTicks);
        govern(abi.encodeCall(settlement.setIndexAdapter, (MARKET, address(oracle))));
        _exitVenue();
    }

    function _refusedTakeover(RejectReason reason) private {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleRejected(p, reason);
    }

    function _refusedAtAChosenMark(
        address victim,
        address other,
        uint8 makerSide,
        uint32 indexTicks,
        uint32 markTicks
    ) private {
        Plan memory p = plan();
        addPrice(p, indexTicks, markTicks);
        uint16 index = addPosition(p, victim);
        addTakeover(p, index, addPosition(p, FUND), 100);
        addAdl(p, index, addPosition(p, other), 1);
        uint64 ticks = makerSide == BUY ? 1000 : 900;
        uint16 maker = addOrder(p, CAROL, order(CAROL, makerSide, ticks, 10, 1_000_000));
        addLiquidation(p, index, maker, 1);
        bytes memory reasons = settle(p);
        for (uint256 i = 1; i < reasons.length; ++i) {
            assertEq(uint8(reasons[i]), uint8(RejectReason.NOT_LIQUIDATABLE), "healthy");
        }
    }

    function _limitCall(uint24 ppm) private view returns (bytes memory) {
        return abi.encodeCall(settlement.setLimits, (_limitsOf(ppm)));
    }

    function _limitsOf(uint24 ppm) private pure returns (Limits memory limits) {
        limits = venueConfig().limits;
        limits.outflowLimitPpm = ppm;
    }

    function _setLimit(uint24 ppm) private {
        govern(_limitCall(ppm));
    }
}
