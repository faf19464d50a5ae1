// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20Errors } from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import { ISettlement, ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { Limits } from "../src/interfaces/ISettlementTypes.sol";
import { HostileToken } from "./mocks/HostileToken.sol";
import { RebasingToken } from "./mocks/RebasingToken.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice MONEY-1 … MONEY-4: deposits by permit, withdrawals that wait, the outflow limit.
contract MoneyTest is SettlementTest {
    bytes32 private constant PERMIT_TYPEHASH = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    );
    uint64 private constant LARGE = 500_000_000;
    address private constant RECEIVER = address(0xbeef);

    event WithdrawalWaits(
        uint256 indexed id,
        address indexed account,
        address indexed to,
        uint256 amountQuote,
        uint64 nonce,
        uint40 dueTimeS
    );

    /* DEPOSITS */

    /// @dev MONEY-1: no account for next to nothing.
    function test_RevertWhen_depositIsBelowTheMinimum() public {
        Limits memory limits = venueConfig().limits;
        limits.depositMinQuote = 500;
        govern(abi.encodeCall(settlement.setLimits, (limits)));
        token.mint(address(this), 1000);
        token.approve(address(settlement), 1000);
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.AmountOutOfRange.selector, 499);
        vm.expectRevert(refusal);
        settlement.deposit(499);
        vm.expectRevert(refusal);
        settlement.depositToPosition(MARKET, address(this), 499);
        vm.expectRevert(refusal);
        settlement.backFund(MARKET, 499);
        vm.expectRevert(refusal);
        settlement.fundInsurance(MARKET, 499);
        settlement.deposit(500);
    }

    /// @dev MONEY-2.
    function test_depositWithPermit_needsNoApproval() public {
        address alice = vm.addr(ALICE);
        token.mint(alice, 700);
        (uint8 v, bytes32 r, bytes32 s) = _permit(ALICE, 700, block.timestamp);
        vm.prank(alice);
        settlement.depositWithPermit(alice, 700, block.timestamp, v, r, s);
        assertEq(free(ALICE), 1_000_000_700, "credited");
        assertSound();
    }

    /// @dev Showing somebody's permit to the token first does not stop the deposit.
    function test_depositWithPermit_survivesFrontRunning() public {
        address alice = vm.addr(ALICE);
        token.mint(alice, 700);
        (uint8 v, bytes32 r, bytes32 s) = _permit(ALICE, 700, block.timestamp);
        token.permit(alice, address(settlement), 700, block.timestamp, v, r, s);
        vm.prank(alice);
        settlement.depositWithPermit(alice, 700, block.timestamp, v, r, s);
        assertEq(free(ALICE), 1_000_000_700, "credited");
    }

    function test_RevertWhen_permitIsAnothersOrExpired() public {
        address alice = vm.addr(ALICE);
        token.mint(alice, 700);
        (uint8 v, bytes32 r, bytes32 s) = _permit(BOB, 700, block.timestamp);
        vm.startPrank(alice);
        bytes4 unallowed = IERC20Errors.ERC20InsufficientAllowance.selector;
        vm.expectRevert(abi.encodeWithSelector(unallowed, address(settlement), 0, 700));
        settlement.depositWithPermit(alice, 700, block.timestamp, v, r, s);
        (v, r, s) = _permit(ALICE, 700, block.timestamp - 1);
        vm.expectRevert(abi.encodeWithSelector(unallowed, address(settlement), 0, 700));
        settlement.depositWithPermit(alice, 700, block.timestamp - 1, v, r, s);
        vm.stopPrank();
    }

    /// @dev MONEY-1: a token whose balances change by themselves shows in the views.
    function test_custody_alarmsWhenTheTokenRebases() public {
        RebasingToken rebasing = new RebasingToken();
        ISettlement other = _open(rebasing);
        rebasing.approve(address(other), 1000);
        other.deposit(1000);
        assertEqInt(other.custodyGapQuote(), 0, "whole");
        rebasing.rebase(90);
        assertEqInt(other.custodyGapQuote(), -100, "alarm");
        rebasing.rebase(110);
        assertEqInt(other.custodyGapQuote(), 100, "and the other way");
    }

    /* WITHDRAWALS THAT WAIT */

    /// @dev MONEY-3.
    function test_largeWithdrawal_waitsAndIsClaimedByAnybody() public {
        uint40 due = uint40(block.timestamp + 2 days);
        Plan memory p = plan();
        addWithdrawal(p, ALICE, RECEIVER, LARGE + 1, 1);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit WithdrawalWaits(1, vm.addr(ALICE), RECEIVER, LARGE + 1, 1, due);
        settlement.settle(payload, signatures);
        assertEq(token.balanceOf(RECEIVER), 0, "not yet");
        assertEq(settlement.waitingQuote(), LARGE + 1, "waits");
        assertEq(free(ALICE), 1_000_000_000 - LARGE - 1, "left the balance");
        assertSound();
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.WithdrawalNotDue.selector, 1, due)
        );
        settlement.claimWithdrawal(1);
        vm.warp(due);
        vm.prank(address(0xa17));
        settlement.claimWithdrawal(1);
        assertEq(token.balanceOf(RECEIVER), LARGE + 1, "paid");
        assertSound();
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.WithdrawalUnknown.selector, 1));
        settlement.claimWithdrawal(1);
    }

    function test_withdrawalUpToTheThreshold_isPaidAtOnce() public {
        Plan memory p = plan();
        addWithdrawal(p, ALICE, RECEIVER, LARGE, 1);
        settleAccepted(p);
        assertEq(token.balanceOf(RECEIVER), LARGE, "paid");
    }

    /// @dev MONEY-3: neither a small one, nor any after the venue's end.
    function test_RevertWhen_guardianStretchesWhatIsNotLarge() public {
        address alice = vm.addr(ALICE);
        vm.prank(alice);
        uint64 id = settlement.requestWithdrawal(LARGE, RECEIVER);
        serveNow(id, alice);
        bytes4 refusal = ISettlementErrors.WithdrawalNotLarge.selector;
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(refusal, 1));
        settlement.stretchWithdrawal(1);
        _withdraw(BOB, LARGE + 1);
        vm.prank(alice);
        settlement.requestCancelAll(9);
        vm.warp(block.timestamp + 30 days);
        settlement.enterExitMode();
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(refusal, 2));
        settlement.stretchWithdrawal(2);
    }

    /// @dev The guardian can put it off once, and can neither take nor redirect it.
    function test_guardian_stretchesOnceAndSeizesNothing() public {
        _letWait(ALICE, LARGE + 1);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.CallerNotGuardian.selector, address(this))
        );
        settlement.stretchWithdrawal(1);
        vm.startPrank(GUARDIAN);
        settlement.stretchWithdrawal(1);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.WithdrawalStretchedBefore.selector, 1)
        );
        settlement.stretchWithdrawal(1);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.CallerNotAccount.selector, GUARDIAN)
        );
        settlement.redirectWithdrawal(1, GUARDIAN);
        vm.stopPrank();
        vm.warp(block.timestamp + 9 days);
        settlement.claimWithdrawal(1);
        assertEq(token.balanceOf(RECEIVER), LARGE + 1, "paid in the end");
    }

    /// @dev A receiver that the token refuses does not trap the money: its owner names another.
    function test_redirect_freesARefusedPayment() public {
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0), LARGE + 1, 1);
        settleAccepted(p);
        vm.warp(block.timestamp + 2 days);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0))
        );
        settlement.claimWithdrawal(1);
        vm.prank(vm.addr(ALICE));
        settlement.redirectWithdrawal(1, RECEIVER);
        settlement.claimWithdrawal(1);
        assertEq(token.balanceOf(RECEIVER), LARGE + 1, "paid");
    }

    function test_RevertWhen_withdrawalIsUnknown() public {
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.WithdrawalUnknown.selector, 7);
        vm.expectRevert(refusal);
        settlement.claimWithdrawal(7);
        vm.expectRevert(refusal);
        settlement.redirectWithdrawal(7, RECEIVER);
        vm.prank(GUARDIAN);
        vm.expectRevert(refusal);
        settlement.stretchWithdrawal(7);
    }

    /* OUTFLOW */

    /// @dev MONEY-4 with a limit of 20 %: 300 of 3,000 million at once; what goes beyond waits.
    function test_outflow_beyondTheLimitWaits() public {
        _limit(200_000);
        assertEq(settlement.outflowRoomQuote(), 300_000_000, "half of the limit");
        _withdraw(ALICE, 299_999_999);
        assertEq(token.balanceOf(RECEIVER), 299_999_999, "paid");
        _withdraw(BOB, 1_000_000);
        assertEq(settlement.waitingQuote(), 1_000_000, "waits");
        vm.warp(block.timestamp + 4 hours);
        _withdraw(BOB, 1_000_000);
        assertEq(token.balanceOf(RECEIVER), 300_999_999, "room has come back");
        assertSound();
    }

    /// @dev No window sees more than the limit, wherever it starts and however it is used.
    function testFuzz_outflow_noWindowSeesMoreThanTheLimit(uint256 seed) public {
        _limit(200_000);
        uint256 limitQuote = settlement.custodyQuote() / 5;
        uint256 start = block.timestamp;
        uint256 paid = 0;
        for (uint256 i = 0; i < 12; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            vm.warp(block.timestamp + seed % 3 hours);
            if (block.timestamp > start + 1 days) break;
            uint256 before = token.balanceOf(RECEIVER);
            uint256 amount = bound(seed >> 64, 1, settlement.outflowRoomQuote() + 1);
            _withdraw(i % 2 == 0 ? ALICE : BOB, uint64(amount));
            paid += token.balanceOf(RECEIVER) - before;
        }
        assertGe(int256(limitQuote), int256(paid), "within the limit");
        assertSound();
    }

    /// @dev Changing the limit does not empty the bucket: closing and opening it again frees
    /// nothing.
    function test_outflow_changingTheLimitResetsNothing() public {
        _limit(200_000);
        _withdraw(ALICE, 300_000_000);
        uint256 room = settlement.outflowRoomQuote();
        assertEq(room, 0, "used up");
        _limit(0);
        assertEq(settlement.outflowRoomQuote(), 0, "closed");
        _withdraw(BOB, 1);
        assertEq(settlement.waitingQuote(), 1, "all waits, nothing is lost");
    }

    /* REENTRANCE */

    /// @dev A token that calls back while it pays out gets nowhere, by whatever entry.
    function test_reentrance_isRefusedWhilePaying() public {
        HostileToken hostile = new HostileToken();
        ISettlement other = _open(hostile);
        hostile.approve(address(other), 10_000);
        other.depositFor(vm.addr(ALICE), 10_000);
        settlement = other;
        bytes[] memory entries = new bytes[](4);
        entries[0] = abi.encodeCall(other.deposit, (1));
        entries[1] = abi.encodeCall(other.claimWithdrawal, (1));
        entries[2] = abi.encodeCall(other.settle, ("", new bytes[](0)));
        entries[3] = abi.encodeCall(other.collectFees, ());
        for (uint256 i = 0; i < entries.length; ++i) {
            hostile.arm(address(other.VAULT()), address(other), entries[i]);
            _withdraw(ALICE, 100);
            assertEq(hostile.calls(), i + 1, "it tried");
            assertTrue(!hostile.succeeded(), "in vain");
        }
        assertEqInt(other.custodyGapQuote(), 0, "whole");
    }

    /* HELPERS */

    function _letWait(uint256 key, uint64 amountQuote) private {
        _withdraw(key, amountQuote);
        assertEq(settlement.waitingQuote(), amountQuote, "waits");
    }

    function _withdraw(uint256 key, uint64 amountQuote) private {
        Plan memory p = plan();
        addWithdrawal(p, key, RECEIVER, amountQuote, nextNonce++);
        bytes memory reasons = settle(p);
        assertEq(uint8(reasons[0]), 0, "accepted");
    }

    function _limit(uint24 ppm) private {
        Limits memory limits = venueConfig().limits;
        limits.outflowLimitPpm = ppm;
        govern(abi.encodeCall(settlement.setLimits, (limits)));
    }

    function _open(IERC20 token_) private returns (ISettlement other) {
        other = deployVenue(token_);
        address[] memory attestors = new address[](2);
        attestors[0] = vm.addr(ATTESTOR);
        attestors[1] = vm.addr(ATTESTOR + 1);
        other.setAttestors(1, attestors, 2);
        other.setFeeRecipient(RECEIVER);
        other.setOracleRule(1, 10_000, 2000);
        other.openVenue();
    }

    function _permit(uint256 key, uint256 value, uint256 deadline)
        private
        view
        returns (uint8, bytes32, bytes32)
    {
        address owner = vm.addr(key);
        bytes32 structHash = keccak256(
            abi.encode(
                PERMIT_TYPEHASH, owner, address(settlement), value, token.nonces(owner), deadline
            )
        );
        bytes32 digest =
            keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
        return vm.sign(key, digest);
    }
}
