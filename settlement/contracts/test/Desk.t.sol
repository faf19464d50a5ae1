// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import { ICollateralVault } from "../src/interfaces/ICollateralVault.sol";
import { ISettlement, ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { VenuePhase } from "../src/interfaces/ISettlementTypes.sol";
import { FeeToken } from "./mocks/FeeToken.sol";
import { HostileToken } from "./mocks/HostileToken.sol";
import { SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice Custody and cancellation.
contract DeskTest is SettlementTest {
    event Deposited(address indexed account, uint256 amountQuote, uint64 indexed depositSeq);

    /* CUSTODY */

    function test_deposit_countsAndCredits() public {
        uint64 before = settlement.depositSeq();
        token.mint(address(this), 1500);
        token.approve(address(settlement), 1500);
        vm.expectEmit(true, true, false, true, address(settlement));
        emit Deposited(address(this), 1000, before + 1);
        settlement.deposit(1000);
        settlement.depositFor(address(0xcafe), 500);
        assertEq(settlement.depositSeq(), before + 2, "one counter for all");
        (uint256 free_,) = settlement.account(address(0xcafe));
        assertEq(free_, 500, "credited");
        assertSound();
    }

    function test_RevertWhen_depositIsOutOfRange() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.AmountOutOfRange.selector, 0));
        settlement.deposit(0);
        uint256 tooMuch = (1 << 60) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.AmountOutOfRange.selector, tooMuch)
        );
        settlement.deposit(tooMuch);
        token.mint(address(this), 2 << 60);
        token.approve(address(settlement), 2 << 60);
        settlement.deposit(1 << 60);
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.AmountOutOfRange.selector, 1));
        settlement.deposit(1);
    }

    function test_RevertWhen_depositGoesToAReservedAccount() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.AccountReserved.selector, FUND));
        settlement.depositFor(FUND, 1);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.AccountReserved.selector, address(0))
        );
        settlement.depositFor(address(0), 1);
    }

    function test_RevertWhen_topUpGoesToAReservedAccount() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.AccountReserved.selector, FUND));
        settlement.depositToPosition(MARKET, FUND, 1);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.AccountReserved.selector, address(0))
        );
        settlement.depositToPosition(MARKET, address(0), 1);
    }

    function test_RevertWhen_insuranceMarketIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 9));
        settlement.fundInsurance(9, 1);
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 9));
        settlement.backFund(9, 1);
    }

    function test_RevertWhen_tokenTakesAFee() public {
        FeeToken feeToken = new FeeToken();
        ISettlement other = _deploy(feeToken);
        feeToken.approve(address(other), 1000);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.TokenAmountMismatch.selector, 1000, 990)
        );
        other.deposit(1000);
    }

    /// @dev A token that calls back during a deposit gets nowhere.
    function test_reentrance_isRefused() public {
        HostileToken hostile = new HostileToken();
        ISettlement other = _deploy(hostile);
        hostile.approve(address(other), 1000);
        hostile.arm(address(this), address(other), abi.encodeCall(other.deposit, (1)));
        other.deposit(1000);
        assertEq(hostile.calls(), 1, "it tried");
        assertTrue(!hostile.succeeded(), "in vain");
        hostile.arm(
            address(this), address(other), abi.encodeCall(other.settle, ("", new bytes[](0)))
        );
        hostile.approve(address(other), 1000);
        other.deposit(1000);
        assertTrue(!hostile.succeeded(), "in vain");
    }

    function test_RevertWhen_vaultIsCalledByAnother() public {
        ICollateralVault vault = settlement.VAULT();
        vm.expectRevert(
            abi.encodeWithSelector(ICollateralVault.CallerNotSettlement.selector, address(this))
        );
        vault.transferOut(address(this), 1);
    }

    /// @dev A desk by itself has an empty storage: no owner, and a phase that takes no money.
    function test_RevertWhen_deskIsCalledDirectly() public {
        ISettlement desk = ISettlement(settlement.DESK());
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.SETUP);
        vm.expectRevert(refusal);
        desk.deposit(1);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.CallerNotOwner.selector, address(this))
        );
        desk.openVenue();
    }

    function test_RevertWhen_noDeskKnowsTheFunction() public {
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.FunctionUnknown.selector, bytes4(0x12345678))
        );
        (bool done,) = address(settlement).call(hex"12345678");
        assertTrue(done, "expectRevert turns the status");
    }

    function test_RevertWhen_etherIsSent() public {
        (bool sent,) = address(settlement).call{ value: 1 }("");
        assertTrue(!sent, "plain ether");
        (sent,) =
            address(settlement).call{ value: 1 }(abi.encodeCall(settlement.requestCancelAll, (5)));
        assertTrue(!sent, "ether with a call");
    }

    /* CANCELLATION */

    function test_raiseNonceFloor_keepsTheBalance() public {
        raiseNonceFloor(ALICE, 77);
        (uint256 free_, uint64 floor) = settlement.account(vm.addr(ALICE));
        assertEq(floor, 77, "floor");
        assertEq(free_, 1_000_000_000, "balance");
    }

    function test_RevertWhen_nonceFloorIsNotRaised() public {
        raiseNonceFloor(ALICE, 5);
        vm.prank(vm.addr(ALICE));
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.NonceFloorNotRaised.selector, 5, 5)
        );
        settlement.requestCancelAll(5);
    }

    /// @dev SIG-1: eight nonces a slot, and no lane touches another.
    function testFuzz_requestCancel_killsOnlyThat(uint64 nonce, uint64 other) public {
        nonce >>= 1; // SIG-5: an ascending one ends those below
        other >>= 1;
        if (nonce == other) return;
        killNonce(ALICE, nonce);
        assertEq(settlement.filledLots(vm.addr(ALICE), nonce), type(uint32).max, "dead");
        assertEq(settlement.filledLots(vm.addr(ALICE), other), 0, "alive");
    }

    /* HELPERS */

    function _deploy(IERC20 token_) private returns (ISettlement other) {
        other = deployVenue(token_);
        address[] memory signers = new address[](1);
        signers[0] = vm.addr(77);
        other.setAttestors(1, signers, 1);
        other.setOracleRule(1, 10_000, 2000);
        other.openVenue();
    }
}
