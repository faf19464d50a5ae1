// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { MarketState } from "../src/interfaces/ISettlementTypes.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice COLL-1, COLL-2, FUND-1 and price rows. Alice is long 100 lots from 1000 ticks with
/// 199,500 of collateral, Bob short with 299,800; the initial requirement is 100,500.
contract CollateralTest is SettlementTest {
    event WithdrawalFailed(
        address indexed account, address indexed to, uint256 amountQuote, uint64 nonce
    );

    function setUp() public override {
        super.setUp();
        tradePair();
    }

    /* COLLATERAL */

    function test_collateral_topsUpAndTakesOut() public {
        Plan memory p = plan();
        addCollateral(p, ALICE, 1000, 1);
        settleAccepted(p);
        assertEqInt(position(ALICE).collateralQuote, 200_500, "topped up");
        p = plan();
        addCollateral(p, ALICE, -100_000, 2);
        settleAccepted(p);
        assertEqInt(position(ALICE).collateralQuote, 100_500, "down to the requirement");
        assertEq(settlement.filledLots(vm.addr(ALICE), 2), type(uint32).max, "nonce consumed");
        p = plan();
        addCollateral(p, ALICE, -1, 3);
        settleRejected(p, RejectReason.INSUFFICIENT_MARGIN);
    }

    function test_refused_collateralNonceTwice() public {
        Plan memory p = plan();
        addCollateral(p, ALICE, 1000, 1);
        addCollateral(p, ALICE, 1000, 1);
        settleRejected(p, RejectReason.NONCE_USED);
    }

    function test_refused_collateralExpired() public {
        Plan memory p = plan();
        addCollateralAs(p, ALICE, vm.addr(ALICE), 1, 1, p.clockTimeS);
        settleRejected(p, RejectReason.EXPIRED);
    }

    function test_refused_collateralMoreThanFree() public {
        Plan memory p = plan();
        addCollateral(p, ALICE, int64(int256(free(ALICE))) + 1, 1);
        settleRejected(p, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
    }

    function test_refused_collateralWithoutPosition() public {
        Plan memory p = plan();
        addCollateral(p, CAROL, 1000, 1);
        settleRejected(p, RejectReason.NO_POSITION);
    }

    function test_refused_collateralOfZero() public {
        Plan memory p = plan();
        addCollateral(p, ALICE, 0, 1);
        settleRejected(p, RejectReason.AMOUNT_OUT_OF_RANGE);
        p = plan();
        addCollateral(p, ALICE, type(int64).min, 1);
        settleRejected(p, RejectReason.INSUFFICIENT_MARGIN);
    }

    function test_refused_collateralSignedByAnother() public {
        Plan memory p = plan();
        addCollateralAs(p, BOB, vm.addr(ALICE), -1000, 1, p.clockTimeS + 1);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    function test_refused_collateralOfTheFund() public {
        Plan memory p = plan();
        addCollateralAs(p, BOB, FUND, -1000, 1, p.clockTimeS + 1);
        settleRejected(p, RejectReason.ACCOUNT_UNKNOWN);
    }

    /* WITHDRAWALS */

    function test_withdrawal_paysOut() public {
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), 1000, 1);
        addWithdrawal(p, BOB, address(0xbeef), 500, 1);
        settleAccepted(p);
        assertEq(token.balanceOf(address(0xbeef)), 1500, "paid");
        assertEq(free(ALICE), 1_000_000_000 - 200_000 - 1000, "free");
    }

    function test_withdrawal_refusedByTheTokenGoesBack() public {
        uint256 before = free(ALICE);
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0), 1000, 1);
        addWithdrawal(p, BOB, address(0xbeef), 500, 1);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit WithdrawalFailed(vm.addr(ALICE), address(0), 1000, 1);
        settlement.settle(payload, signatures);
        assertEq(free(ALICE), before, "back");
        assertEq(token.balanceOf(address(0xbeef)), 500, "the other is paid");
        assertSound();
    }

    /// @dev MONEY-3: whatever gas a submitter sends, the withdrawal is paid or the batch reverts.
    function test_RevertWhen_gasForAPaymentIsMissing() public {
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), 1000, 1);
        settleTellingMissingGas(p, ISettlementErrors.PaymentGasMissing.selector, 5000);
        assertEq(token.balanceOf(address(0xbeef)), 1000, "paid");
    }

    function test_refused_withdrawals() public {
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), uint64(free(ALICE)) + 1, 1);
        settleRejected(p, RejectReason.INSUFFICIENT_FREE_COLLATERAL);
        p = plan();
        addWithdrawalAs(p, BOB, vm.addr(ALICE), address(0xbeef), 1, 1);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
        p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), 0, 1);
        settleRejected(p, RejectReason.AMOUNT_OUT_OF_RANGE);
        p = plan();
        addWithdrawalAs(p, BOB, FUND, address(0xbeef), 1, 1);
        settleRejected(p, RejectReason.ACCOUNT_UNKNOWN);
        p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), 1, 1);
        addWithdrawal(p, ALICE, address(0xbeef), 1, 1);
        settleRejected(p, RejectReason.NONCE_USED);
    }

    /* FUNDING */

    /// @dev MARG-1: the index rises by 5 quote a lot; long pays 500, short receives 500.
    function test_funding_isSettledByIndex() public {
        Plan memory p = plan();
        addFunding(p, 5_000_000);
        addCollateral(p, ALICE, 1, 1);
        addCollateral(p, BOB, 1, 1);
        settleAccepted(p);
        assertEqInt(position(ALICE).collateralQuote, 199_500 - 500 + 1, "long pays");
        assertEqInt(position(BOB).collateralQuote, 299_800 + 500 + 1, "short receives");
        assertEqInt(settlement.fundingPoolQuote(MARKET), 0, "pool");
    }

    /// @dev A step of 1e-6 a lot: long owes 1 (rounded up), short receives 0: the pool keeps 1.
    function test_funding_roundsAgainstTheTrader() public {
        Plan memory p = plan();
        addFunding(p, 1);
        addCollateral(p, ALICE, 1, 1);
        addCollateral(p, BOB, 1, 1);
        settleAccepted(p);
        assertEqInt(position(ALICE).collateralQuote, 199_500 - 1 + 1, "long");
        assertEqInt(position(BOB).collateralQuote, 299_800 + 1, "short");
        assertEqInt(settlement.fundingPoolQuote(MARKET), 1, "pool");
    }

    /// @dev FUND-1: the cap is 10,000 ppm · 1000 ticks · 10 = 100,000,000.
    function test_refused_fundingStep() public {
        Plan memory p = plan();
        addFunding(p, 100_000_001);
        settleRejected(p, RejectReason.FUNDING_STEP);
        p = plan();
        addFunding(p, -100_000_001);
        settleRejected(p, RejectReason.FUNDING_STEP);
        p = plan();
        addFunding(p, -100_000_000);
        addFunding(p, 0);
        settleRejected(p, RejectReason.FUNDING_STEP);
        vm.warp(block.timestamp + 3600);
        p = plan();
        addFunding(p, 0);
        settleAccepted(p);
    }

    /* PRICES */

    function test_refused_prices() public {
        _refusedPrice(0, 1000, RejectReason.PRICE_OUT_OF_RANGE);
        _refusedPrice(1000, 1_000_001, RejectReason.PRICE_OUT_OF_RANGE);
        _refusedPrice(1000, 1051, RejectReason.PRICE_BAND);
        _refusedPrice(1000, 949, RejectReason.PRICE_BAND);
        Plan memory p = plan();
        addPriceAt(p, 1000, 1000, uint48(p.clockTimeS) * 1000, BOB);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
        p = plan();
        addPriceAt(p, 1000, 1000, uint48(p.clockTimeS) * 1000 - 1, ORACLE);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPriceAt(p, 1000, 1000, (uint48(p.clockTimeS) + 60) * 1000 + 1, ORACLE);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPrice(p, 1000, 1050);
        addPrice(p, 1000, 950);
        settleAccepted(p);
        (, uint256 mark) = _prices();
        assertEq(mark, 950, "last row holds");
    }

    function test_refused_priceOfARemovedSigner() public {
        govern(abi.encodeCall(settlement.setOracleSigner, (vm.addr(ORACLE), false)));
        _refusedPrice(1001, 1001, RejectReason.SIGNATURE_INVALID);
        (uint256 index,) = _prices();
        assertEq(index, 1000, "the price does not move");
    }

    function test_refused_unknownMarket() public {
        Plan memory p = plan();
        p.marketIds[0] = 9;
        addPrice(p, 1000, 1000);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        p = plan();
        p.marketIds[0] = 9;
        addFunding(p, 0);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
        p = plan();
        p.marketIds[0] = 9;
        addCollateral(p, ALICE, 1, 1);
        settleRejected(p, RejectReason.MARKET_UNKNOWN);
    }

    function _prices() private view returns (uint256 indexTicks, uint256 markTicks) {
        (MarketState memory state,) = settlement.market(MARKET);
        return (state.indexTicks, state.markTicks);
    }

    function _refusedPrice(uint32 indexTicks, uint32 markTicks, RejectReason reason) private {
        Plan memory p = plan();
        addPrice(p, indexTicks, markTicks);
        settleRejected(p, reason);
    }
}
