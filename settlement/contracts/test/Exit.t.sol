// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../src/interfaces/IExitDesk.sol";
import { ISettlement, ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { MarketTotals, VenuePhase } from "../src/interfaces/ISettlementTypes.sol";
import { BrokenOracle } from "./mocks/BrokenOracle.sol";
import { HungryOracle } from "./mocks/HungryOracle.sol";
import { StubOracle } from "./mocks/StubOracle.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice EXIT-1 … EXIT-5: everybody leaves without the operator.
contract ExitTest is SettlementTest {
    address private _alice;
    address private _bob;

    /// @dev Alice long 100 lots at 1000, Bob short; the last price is 950 (short gains 50,000).
    function setUp() public override {
        super.setUp();
        (_alice, _bob) = (vm.addr(ALICE), vm.addr(BOB));
        tradePair();
        Plan memory p = plan();
        addPrice(p, 950, 950);
        settleAccepted(p);
    }

    /// @dev BACK-5: where there is no position there is nothing to wait for.
    function test_exit_backersOfAnEmptyMarketLeave() public {
        uint256 before = _backMarketTwo(true);
        _enter();
        settlement.claimBackingAtExit(2, vm.addr(CAROL));
        assertEq(free(CAROL), before + 4_999_999, "all but the rounding of BACK-2");
        assertSound();
    }

    /// @dev BACK-5: a market that never had a price has none to leave at.
    function test_exit_backersOfAMarketWithoutPriceLeave() public {
        uint256 before = _backMarketTwo(false);
        _enter();
        settlement.claimBackingAtExit(2, vm.addr(CAROL));
        assertEq(free(CAROL), before + 4_999_999, "all but the rounding of BACK-2");
        assertSound();
    }

    function test_startExit_RevertWhen_venueIsOpen() public {
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.OPEN)
        );
        settlement.startExit(MARKET);
    }

    function _backMarketTwo(bool hasPrice) private returns (uint256 freeBefore) {
        govern(abi.encodeCall(settlement.listMarket, (2, marketParams(), tiers())));
        if (hasPrice) {
            Plan memory p = plan();
            p.marketIds[0] = 2;
            addPrice(p, 1000, 1000);
            settleAccepted(p);
        }
        address backer = vm.addr(CAROL);
        token.mint(backer, 5_000_000);
        vm.startPrank(backer);
        token.approve(address(settlement), 5_000_000);
        uint64 id = settlement.backFund(2, 5_000_000);
        vm.stopPrank();
        Plan memory served = plan();
        served.marketIds[0] = 2;
        addForced(served, id, backer);
        settleAccepted(served);
        return free(CAROL);
    }

    /// @dev EXIT-3, EXIT-4: the loser pays its loss, the winner gets its collateral at once and
    /// its profit when all have left. Nobody else gets anything.
    function test_exit_everybodyLeavesWhole() public {
        _enter();
        settlement.exitPosition(MARKET, _bob);
        assertEq(free(BOB), 1_000_000_000 - 300_000 + 299_800, "collateral");
        assertEq(settlement.exitGainQuote(MARKET, _bob), 50_000, "owed");
        // Alice, and the fund that has taken Bob's lots.
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitNotSettled.selector, MARKET, 2));
        settlement.claimExitGain(MARKET, _bob);
        settlement.exitPosition(MARKET, _alice);
        assertEq(free(ALICE), 1_000_000_000 - 200_000 + 199_500 - 50_000, "loss");
        assertSound();
        settlement.claimExitGain(MARKET, _bob);
        assertEq(free(BOB), 1_000_000_000 - 300_000 + 299_800 + 50_000, "profit");
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitGainMissing.selector, MARKET, _bob));
        settlement.claimExitGain(MARKET, _bob);
        assertSound();
        _leave(ALICE, _alice);
        _leave(BOB, _bob);
        _leave(CAROL, vm.addr(CAROL));
        vm.warp(block.timestamp + 2 days);
        for (uint256 id = 1; id <= settlement.waitingWithdrawals(); ++id) {
            settlement.claimWithdrawal(id);
        }
        assertEq(settlement.custodyQuote(), settlement.feesQuote(), "nothing but fees is left");
        assertSound();
    }

    /// @dev EXIT-4: what those who leave late still have in the market is not shared out before.
    function test_exit_aLateLeaverIsPaidByNobodyElse() public {
        address carol = vm.addr(CAROL);
        backNow(CAROL, 1001);
        _enter();
        settlement.exitPosition(MARKET, _bob);
        vm.warp(block.timestamp + 365 days);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitNotSettled.selector, MARKET, 2));
        settlement.claimBackingAtExit(MARKET, carol);
        settlement.exitPosition(MARKET, _alice);
        settlement.claimBackingAtExit(MARKET, carol);
        settlement.claimExitGain(MARKET, _bob);
        assertEq(free(ALICE), 1_000_000_000 - 200_000 + 199_500 - 50_000, "the late one's rest");
        assertEq(free(BOB), 1_000_000_000 - 300_000 + 299_800 + 50_000, "the early one's profit");
        int256 owed = int256(free(ALICE) + free(BOB) + free(CAROL) + settlement.feesQuote());
        assertGe(int256(settlement.custodyQuote()), owed, "solvent");
        assertSound();
    }

    /// @dev EXIT-4: anybody empties a market; who has left already, or twice, is passed over.
    function test_exitPositions_emptiesAMarket() public {
        address[] memory all = new address[](4);
        (all[0], all[1], all[2], all[3]) = (vm.addr(CAROL), _bob, _alice, _bob);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.OPEN)
        );
        settlement.exitPositions(MARKET, all);
        _enter();
        settlement.exitPositions(MARKET, all);
        (, MarketTotals memory totals) = settlement.market(MARKET);
        assertEq(totals.openPositions, 0, "all have left");
        assertEq(free(ALICE), 1_000_000_000 - 200_000 + 199_500 - 50_000, "loss");
        settlement.claimExitGain(MARKET, _bob);
        assertEq(free(BOB), 1_000_000_000 - 300_000 + 299_800 + 50_000, "profit");
        all[0] = FUND;
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.AccountReserved.selector, FUND));
        settlement.exitPositions(MARKET, all);
        assertSound();
    }

    /// @dev The price is fixed once, so the order and the moment of leaving change nothing.
    function testFuzz_exit_orderChangesNothing(bool bobFirst) public {
        _enter();
        settlement.exitPosition(MARKET, bobFirst ? _bob : _alice);
        vm.warp(block.timestamp + 3 days);
        settlement.exitPosition(MARKET, bobFirst ? _alice : _bob);
        assertEq(free(ALICE), 1_000_000_000 - 200_000 + 199_500 - 50_000, "loss");
        assertEq(settlement.exitGainQuote(MARKET, _bob), 50_000, "gain");
        assertSound();
    }

    /// @dev EXIT-2: no index can make a position that leaves worth more at once than its own
    /// collateral, nor take anything but that.
    function testFuzz_exit_oracleCannotDrain(uint32 priceTicks) public {
        priceTicks = uint32(bound(priceTicks, 1, 1_000_000));
        _adapter(new StubOracle(priceTicks));
        uint256 carol = free(CAROL);
        _enter();
        settlement.exitPosition(MARKET, _alice);
        settlement.exitPosition(MARKET, _bob);
        assertGe(1_000_000_000 - 200_000 + 199_500, int256(free(ALICE)), "no gain at once");
        assertGe(1_000_000_000 - 300_000 + 299_800, int256(free(BOB)), "no gain at once");
        assertGe(int256(free(ALICE)), 1_000_000_000 - 200_000, "the isolation floor");
        assertGe(int256(free(BOB)), 1_000_000_000 - 300_000, "the isolation floor");
        assertEq(free(CAROL), carol, "others are untouched");
        uint256 total = free(ALICE) + free(BOB);
        if (settlement.exitGainQuote(MARKET, _alice) != 0) {
            settlement.claimExitGain(MARKET, _alice);
        }
        if (settlement.exitGainQuote(MARKET, _bob) != 0) settlement.claimExitGain(MARKET, _bob);
        assertGe(int256(499_300), int256(free(ALICE) + free(BOB)) - 1_999_500_000, "zero sum");
        assertGe(int256(free(ALICE) + free(BOB)), int256(total), "paid");
        assertSound();
    }

    /// @dev A broken adapter holds up its market for a day, then the last row counts.
    function test_exit_brokenAdapterDoesNotTrap() public {
        StubOracle oracle = new StubOracle(960);
        _adapter(oracle);
        _enter();
        oracle.set(0);
        uint256 end = block.timestamp + 1 days;
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitOracleDown.selector, MARKET, end));
        settlement.exitPosition(MARKET, _alice);
        vm.warp(end);
        settlement.exitPosition(MARKET, _alice);
        assertEq(settlement.exitMarket(MARKET).indexTicks, 950, "last row");
    }

    /// @dev EXIT-2: whatever an adapter does (half an answer, all gas, no code), its market waits
    /// for a day and no longer.
    function test_exit_noAdapterTrapsItsMarket() public {
        for (uint256 mode = 1; mode <= 3; ++mode) {
            uint256 state = vm.snapshotState();
            BrokenOracle oracle = new BrokenOracle();
            _adapter(StubOracle(address(oracle)));
            _enter();
            if (mode == 3) vm.etch(address(oracle), "");
            else oracle.set(mode);
            uint256 end = block.timestamp + 1 days;
            vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitOracleDown.selector, MARKET, end));
            settlement.exitPosition(MARKET, _alice);
            vm.warp(end);
            settlement.exitPosition(MARKET, _alice);
            assertEq(settlement.exitMarket(MARKET).indexTicks, 950, "last row");
            vm.revertToState(state);
        }
    }

    /// @dev Who calls with too little gas can't make a good adapter look like a broken one.
    function test_RevertWhen_theAdapterHasTooLittleGas() public {
        _adapter(new StubOracle(960));
        _enter();
        vm.warp(block.timestamp + 1 days);
        (bool succeeded, bytes memory data) = address(settlement).call{ gas: 450_000 }(
            abi.encodeCall(settlement.exitPosition, (MARKET, _alice))
        );
        assertTrue(!succeeded, "reverts");
        assertTrue(bytes4(data) == IExitDesk.AdapterGasMissing.selector, "for want of gas");
        settlement.exitPosition(MARKET, _alice);
        assertEq(settlement.exitMarket(MARKET).indexTicks, 960, "the adapter's");
    }

    /// @dev EXIT-2: an adapter gets all its gas or is not asked: no amount makes a good one that
    /// needs nearly all of it look like a broken one.
    function test_exit_noGasMakesAnAdapterFail() public {
        HungryOracle oracle = new HungryOracle();
        _adapter(StubOracle(address(oracle)));
        _enter();
        oracle.setLeastGas(499_500);
        vm.warp(block.timestamp + 1 days);
        bytes memory call_ = abi.encodeCall(settlement.startExit, (MARKET));
        uint256 answered = 0;
        for (uint256 gas_ = 520_000; gas_ < 600_000; gas_ += 250) {
            uint256 state = vm.snapshotState();
            (bool succeeded,) = address(settlement).call{ gas: gas_ }(call_);
            uint256 ticks = settlement.exitMarket(MARKET).indexTicks;
            assertEq(ticks, succeeded ? 960 : 0, "the adapter's or none");
            if (succeeded) ++answered;
            vm.revertToState(state);
        }
        assertTrue(answered > 0 && answered < 320, "both were tried");
    }

    /// @dev The exit of one market says nothing about another.
    function test_exit_oneMarketFreezesNoOther() public {
        _enter();
        settlement.exitPosition(MARKET, _alice);
        assertEq(settlement.exitMarket(2).indexTicks, 0, "the other has not begun");
        _leave(CAROL, vm.addr(CAROL));
    }

    function test_RevertWhen_thereIsNothingToExit() public {
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.OPEN)
        );
        settlement.exitPosition(MARKET, _alice);
        _enter();
        vm.expectRevert(
            abi.encodeWithSelector(IExitDesk.PositionMissing.selector, MARKET, vm.addr(CAROL))
        );
        settlement.exitPosition(MARKET, vm.addr(CAROL));
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.AccountReserved.selector, FUND));
        settlement.exitPosition(MARKET, FUND);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.FreeBalanceTooSmall.selector, 0, 1));
        settlement.exitWithdraw(1, address(this));
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.AmountOutOfRange.selector, 0));
        settlement.exitWithdraw(0, address(this));
        vm.expectRevert(IExitDesk.MigrationNotDue.selector);
        settlement.migrate(1);
    }

    /// @dev EXIT-3: what the word of the fund's position cannot hold waits for the other side. No
    /// trade leads there: the word is put into storage.
    function test_RevertWhen_theFundsWordWouldOverflow() public {
        _enter();
        uint256 word = uint256(type(uint64).max) << 64 | 1e15;
        bytes32 inner = keccak256(abi.encode(uint256(MARKET), uint256(4)));
        vm.store(address(settlement), keccak256(abi.encode(FUND, inner)), bytes32(word));
        vm.expectRevert(
            abi.encodeWithSelector(IExitDesk.PositionOutOfRange.selector, MARKET, FUND)
        );
        settlement.exitPosition(MARKET, _alice);
        settlement.exitPosition(MARKET, _bob);
        settlement.exitPosition(MARKET, _alice);
    }

    /// @dev GOV-7: after the notice, straight into the successor.
    function test_migration_movesTheFreeBalance() public {
        ISettlement other = deployVenue(token);
        address[] memory attestors = new address[](1);
        attestors[0] = vm.addr(ATTESTOR);
        other.setAttestors(1, attestors, 1);
        other.setOracleRule(1, 10_000, 2000);
        other.openVenue();
        settlement.announceMigration(address(other));
        uint256 due = block.timestamp + 21 days;
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitNotDue.selector, due));
        settlement.enterExitMode();
        vm.warp(due);
        settlement.enterExitMode();
        vm.prank(vm.addr(CAROL));
        settlement.migrate(1_000_000_000);
        (uint256 moved,) = other.account(vm.addr(CAROL));
        assertEq(moved, 1_000_000_000, "there");
        assertEq(free(CAROL), 0, "not here");
        assertSound();
    }

    function test_gas_exit() public {
        _enter();
        settlement.exitPosition(MARKET, _alice);
        vm.snapshotGasLastCall("settlement", "exit");
        vm.prank(_alice);
        settlement.exitWithdraw(1000, _alice);
        vm.snapshotGasLastCall("settlement", "exit_withdraw");
    }

    /* HELPERS */

    function _enter() private {
        vm.prank(_alice);
        settlement.requestWithdrawal(1, _alice);
        vm.warp(block.timestamp + 1 days);
        settlement.enterExitMode();
    }

    function _leave(uint256 key, address owner) private {
        uint256 amount = free(key);
        vm.prank(owner);
        settlement.exitWithdraw(amount, owner);
        assertEq(free(key), 0, "left");
    }

    function _adapter(StubOracle oracle) private {
        govern(abi.encodeCall(settlement.setIndexAdapter, (MARKET, address(oracle))));
    }
}
