// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { RejectReason } from "../src/libraries/RejectReason.sol";
import { MarketTotals } from "../src/interfaces/ISettlementTypes.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice CONS-4: a market never pays more than it holds, whoever trades with whom at which rows.
contract PotTest is SettlementTest {
    uint256 private constant LONG = 0x3a11001;
    uint256 private constant SHORT = 0x3a11002;
    uint256 private constant THIRD = 0x3a11003;
    uint32 private constant LOTS = 90_000;

    function setUp() public override {
        super.setUp();
        fund(LONG, 100_000_000);
        fund(SHORT, 100_000_000);
        fund(THIRD, 100_000_000);
    }

    function pot() private view returns (int256) {
        (, MarketTotals memory totals) = settlement.market(MARKET);
        return int256(totals.positionsQuote) + int256(totals.fundingPoolQuote);
    }

    /// @dev LONG and SHORT trade at 1000 with as much as they have.
    function open(Plan memory p) private {
        uint16 taker = addOrder(p, LONG, order(LONG, BUY, 1000, LOTS, 95_000_000));
        uint16 maker = addOrder(p, SHORT, order(SHORT, SELL, 1000, LOTS, 95_000_000));
        addFill(p, taker, maker, LOTS);
    }

    /// @dev Everybody's free balance stands behind money of its own, and can be withdrawn.
    function assertBacked() private {
        assertGe(pot(), 0, "the pot");
        assertEqInt(settlement.health().liabilitiesGapQuote, 0, "liabilities");
        uint256[6] memory keys = [LONG, SHORT, THIRD, ALICE, BOB, CAROL];
        Plan memory p = plan();
        uint256 owedQuote = 0;
        for (uint256 i = 0; i < keys.length; ++i) {
            uint256 freeQuote = free(keys[i]);
            owedQuote += freeQuote;
            for (; freeQuote > 0; freeQuote -= freeQuote < 4e8 ? freeQuote : 4e8) {
                uint64 part = uint64(freeQuote < 4e8 ? freeQuote : 4e8);
                addWithdrawal(p, keys[i], address(0xbeef), part, nextNonce++);
            }
        }
        uint256 balance = settlement.VAULT().balanceQuote();
        settleAccepted(p);
        uint256 paid = balance - settlement.VAULT().balanceQuote() + settlement.waitingQuote();
        assertEq(paid, owedQuote, "withdrawn in full");
        assertGe(
            int256(settlement.VAULT().balanceQuote()), int256(settlement.waitingQuote()), "left"
        );
    }

    /// @dev Accounts of one owner on both sides; the loser leaves at the old row, the winner at a
    /// new one, both by force. The winner's profit exceeds what the market holds.
    function test_pot_forcedReductionWaitsForMoney() public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        open(p);
        settleAccepted(p);
        uint40 heldBack = uint40(block.timestamp);
        vm.warp(block.timestamp + 6 hours);
        vm.prank(vm.addr(LONG));
        settlement.requestReduce(MARKET, LOTS);
        vm.prank(vm.addr(SHORT));
        settlement.requestReduce(MARKET, LOTS);
        p = plan();
        p.clockTimeS = heldBack;
        addForced(p, 1, vm.addr(LONG)); // at 1000
        addItem(p, abi.encodePacked(uint8(2), uint40(block.timestamp)));
        addPriceAt(p, 800, 800, uint48(block.timestamp) * 1000, ORACLE);
        addForced(p, 2, vm.addr(SHORT)); // at 800, for which nobody has paid
        settleAccepted(p);
        assertTrue(settlement.forcedRequest(2).isAside, "set aside");
        assertEqInt(position(SHORT).positionLots, -int256(uint256(LOTS)), "still there");
        p = plan();
        addPriceAt(p, 800, 800, uint48(block.timestamp) * 1000, ORACLE);
        addForced(p, 2, vm.addr(SHORT));
        settleRejected(p, RejectReason.MARKET_CANNOT_PAY);

        giveNow(200_000_000);
        p = plan();
        addPriceAt(p, 800, 800, uint48(block.timestamp) * 1000, ORACLE);
        addForced(p, 2, vm.addr(SHORT));
        settleAccepted(p);
        assertEqInt(position(SHORT).positionLots, 0, "the fund's money pays it");
        assertBacked();
    }

    /// @dev The same by fills, at rows that are as old as fills admit (MARK-4): the winner closes
    /// before the loser is liquidated.
    function test_pot_winnerCannotCloseBeforeTheLoser() public {
        uint48 old = uint48(block.timestamp) * 1000;
        vm.warp(block.timestamp + 1 hours);
        Plan memory p = plan();
        addPriceAt(p, 1000, 1000, old, ORACLE);
        open(p);
        addPrice(p, 700, 700);
        uint16 taker = addOrder(p, SHORT, order(SHORT, BUY, 700, LOTS, 0));
        uint16 maker = addOrder(p, THIRD, order(THIRD, SELL, 700, LOTS, 70_000_000));
        addFill(p, taker, maker, LOTS);
        settleRejected(p, RejectReason.MARKET_CANNOT_PAY);
        assertEqInt(position(SHORT).positionLots, -int256(uint256(LOTS)), "nothing moved");

        // Deleveraging closes both at the loser's bankruptcy price, which is what there is.
        p = plan();
        addPrice(p, 700, 700);
        addAdl(p, addPosition(p, vm.addr(LONG)), addPosition(p, vm.addr(SHORT)), LOTS);
        settleAccepted(p);
        assertEqInt(position(SHORT).positionLots, 0, "closed");
        assertBacked();
    }

    /// @dev A part of it, up to the last unit, can be paid.
    function test_pot_paysUpToTheLastUnit() public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        open(p);
        addPrice(p, 700, 700);
        uint16 taker = addOrder(p, SHORT, order(SHORT, BUY, 700, LOTS, 0));
        uint16 maker = addOrder(p, THIRD, order(THIRD, SELL, 700, LOTS, 70_000_000));
        addFill(p, taker, maker, 50_000);
        settleAccepted(p);
        assertTrue(pot() > 0, "something is left");
        // What is left, less one unit, cannot pay for a take-out of all of it.
        int64 most = int64(pot());
        p = plan();
        addPrice(p, 700, 700);
        int64 spare = position(SHORT).collateralQuote;
        assertTrue(spare > most, "it has more than there is");
        addCollateral(p, SHORT, -most, nextNonce++);
        settleAccepted(p);
        assertEqInt(pot(), 0, "all of it");
        p = plan();
        addCollateral(p, SHORT, -1, nextNonce++);
        settleRejected(p, RejectReason.MARKET_CANNOT_PAY);
        assertBacked();
    }

    /// @dev A backer is paid what the market holds, not what the fund's equity says.
    function test_pot_backerIsPaidFromWhatThereIs() public {
        uint256 shares = backNow(CAROL, 200_000_000);
        vm.prank(vm.addr(CAROL));
        settlement.requestUnbacking(MARKET, shares);
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        open(p);
        settleAccepted(p);
        vm.warp(block.timestamp + 7 days);
        p = plan();
        addPrice(p, 700, 700);
        uint16 taker = addOrder(p, SHORT, order(SHORT, BUY, 700, LOTS, 0));
        uint16 maker = addOrder(p, THIRD, order(THIRD, SELL, 700, LOTS, 70_000_000));
        addFill(p, taker, maker, LOTS); // paid with the fund's collateral, while LONG is bankrupt
        settleAccepted(p);
        int256 left = pot();
        vm.prank(vm.addr(CAROL));
        settlement.finishUnbacking(MARKET);
        uint256 before = free(CAROL);
        p = plan();
        addPrice(p, 700, 700);
        addForced(p, 2, vm.addr(CAROL));
        settleAccepted(p);
        assertEqInt(int256(free(CAROL) - before), left, "what was left");
        assertBacked();
    }
}
