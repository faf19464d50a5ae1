// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import { ICollateralVault } from "../src/interfaces/ICollateralVault.sol";
import { ISettlement, ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { MarketParams, Tier } from "../src/interfaces/ISettlementTypes.sol";
import { TierLib } from "../src/libraries/TierLib.sol";
import { FeeToken } from "./mocks/FeeToken.sol";
import { HostileToken } from "./mocks/HostileToken.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice Custody, cancellation, administration.
contract DeskTest is SettlementTest {
    event Deposited(address indexed account, uint256 amountQuote, uint64 indexed depositSeq);

    /* CUSTODY */

    function test_deposit_countsAndCredits() public {
        uint64 before = settlement.depositSeq();
        token.mint(address(this), 3000);
        token.approve(address(settlement), 3000);
        vm.expectEmit(true, true, false, true, address(settlement));
        emit Deposited(address(this), 1000, before + 1);
        settlement.deposit(1000);
        settlement.depositFor(address(0xcafe), 500);
        settlement.fundInsurance(MARKET, 1500);
        assertEq(settlement.depositSeq(), before + 3, "one counter for all");
        (uint256 free_,) = settlement.account(address(0xcafe));
        assertEq(free_, 500, "credited");
        assertEqInt(settlement.position(MARKET, FUND).collateralQuote, 1500, "insurance");
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

    function test_RevertWhen_insuranceMarketIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 9));
        settlement.fundInsurance(9, 1);
    }

    function test_RevertWhen_tokenTakesAFee() public {
        FeeToken feeToken = new FeeToken();
        ISettlement other = deployVenue(feeToken);
        feeToken.approve(address(other), 1000);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.TokenAmountMismatch.selector, 1000, 990)
        );
        other.deposit(1000);
    }

    /// @dev A token that calls back during a deposit gets nowhere.
    function test_reentrance_isRefused() public {
        HostileToken hostile = new HostileToken();
        ISettlement other = deployVenue(hostile);
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

    function test_RevertWhen_deskIsCalledDirectly() public {
        ISettlement desk = ISettlement(settlement.DESK());
        vm.expectRevert(ISettlementErrors.DeskCalledDirectly.selector);
        desk.deposit(1);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.CallerNotOwner.selector, address(this))
        );
        desk.setOracleSigner(address(2), true);
    }

    function test_RevertWhen_etherIsSent() public {
        (bool sent,) = address(settlement).call{ value: 1 }("");
        assertTrue(!sent, "plain ether");
        (sent,) =
            address(settlement).call{ value: 1 }(abi.encodeCall(settlement.raiseNonceFloor, (5)));
        assertTrue(!sent, "ether with a call");
    }

    /* CANCELLATION */

    function test_raiseNonceFloor_keepsTheBalance() public {
        vm.prank(vm.addr(ALICE));
        settlement.raiseNonceFloor(77);
        (uint256 free_, uint64 floor) = settlement.account(vm.addr(ALICE));
        assertEq(floor, 77, "floor");
        assertEq(free_, 1_000_000_000, "balance");
    }

    function test_RevertWhen_nonceFloorIsNotRaised() public {
        settlement.raiseNonceFloor(5);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.NonceFloorNotRaised.selector, 5, 5)
        );
        settlement.raiseNonceFloor(5);
    }

    /// @dev SIG-1: eight nonces a slot, and no lane touches another.
    function testFuzz_cancelNonces_killsOnlyThose(uint64 nonce, uint64 other) public {
        if (nonce == other) return;
        uint64[] memory nonces = new uint64[](1);
        nonces[0] = nonce;
        settlement.cancelNonces(nonces);
        assertEq(settlement.filledLots(address(this), nonce), type(uint32).max, "dead");
        assertEq(settlement.filledLots(address(this), other), 0, "alive");
    }

    /* ADMINISTRATION */

    function test_RevertWhen_callerIsNotTheOwner() public {
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.CallerNotOwner.selector, address(0xbad));
        vm.startPrank(address(0xbad));
        vm.expectRevert(refusal);
        settlement.listMarket(2, marketParams(), tiers());
        vm.expectRevert(refusal);
        settlement.setAttestors(2, new address[](1), 1);
        vm.expectRevert(refusal);
        settlement.setOracleSigner(address(2), true);
        vm.expectRevert(refusal);
        settlement.collectFees(address(0xbad));
        vm.expectRevert(refusal);
        settlement.transferOwnership(address(0xbad));
        vm.expectRevert(refusal);
        settlement.acceptOwnership();
        vm.stopPrank();
    }

    function test_ownership_changesInTwoSteps() public {
        settlement.transferOwnership(address(0xcafe));
        assertTrue(settlement.owner() == address(this), "not yet");
        vm.prank(address(0xcafe));
        settlement.acceptOwnership();
        assertTrue(settlement.owner() == address(0xcafe), "now");
        assertTrue(settlement.pendingOwner() == address(0), "done");
    }

    function test_RevertWhen_attestorsAreInvalid() public {
        _expectAttestorsInvalid(1, _signers(3, false), 2);
        _expectAttestorsInvalid(2, _signers(3, false), 0);
        _expectAttestorsInvalid(2, _signers(3, false), 4);
        _expectAttestorsInvalid(2, _signers(2, true), 1);
        _expectAttestorsInvalid(2, new address[](1), 1);
        settlement.setAttestors(2, _signers(3, false), 3);
        (uint32 epoch, uint8 threshold) = settlement.attestorEpoch();
        assertEq(epoch * 10 + threshold, 23, "set");
    }

    function test_RevertWhen_marketIsListedTwiceOrOutOfRange() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketAlreadyListed.selector, 1));
        settlement.listMarket(1, marketParams(), tiers());
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 0));
        settlement.listMarket(0, marketParams(), tiers());
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 65_536));
        settlement.listMarket(65_536, marketParams(), tiers());
    }

    /// @dev NUM-1: the notional of the largest position must fit.
    function test_RevertWhen_marketParamsAreInvalid() public {
        MarketParams memory params = marketParams();
        params.quotePerTickLot = 1_152_922;
        _expectMarket(params, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
        params.quotePerTickLot = 0;
        _expectMarket(params, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
        params = marketParams();
        params.priceTicksMax = 1 << 27;
        _expectMarket(params, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
        params = marketParams();
        params.fundingCapPpm = 1_000_000;
        _expectMarket(params, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
    }

    /// @dev MKT-1 and MKT-2.
    function test_RevertWhen_tiersAreInvalid() public {
        MarketParams memory params = marketParams();
        _expectMarket(params, new Tier[](0), TierLib.TierCountInvalid.selector);
        _expectMarket(params, new Tier[](9), TierLib.TierCountInvalid.selector);
        Tier[] memory list = tiers();
        list[0].notionalFloorQuote = 1;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[0].marginMaintenancePpm = 100_000;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[0].marginMaintenancePpm = 0;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[1].marginInitialPpm = 99_999;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[1].marginInitialPpm = 999_500;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[1].notionalFloorQuote = 0;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[1].notionalFloorQuote = 1_000_000_001;
        _expectMarket(params, list, TierLib.TierAmountInexact.selector);
    }

    function test_marketParams_readsBack() public view {
        (MarketParams memory params, Tier[] memory list) = settlement.marketParams(MARKET);
        bool same = keccak256(abi.encode(params)) == keccak256(abi.encode(marketParams()))
            && keccak256(abi.encode(list)) == keccak256(abi.encode(tiers()));
        assertTrue(same, "parameters");
        assertEq(settlement.marketIds().length, 1, "ids");
    }

    function test_collectFees_paysOut() public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 200_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 200_000)), 100);
        settleAccepted(p);
        settlement.collectFees(address(0xfee));
        assertEq(token.balanceOf(address(0xfee)), 700, "paid");
        assertEq(settlement.feesQuote(), 0, "nothing left");
        assertSound();
    }

    /* HELPERS */

    function _signers(uint256 count, bool repeated) private pure returns (address[] memory list) {
        list = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = vm.addr(repeated ? 77 : 77 + i);
        }
    }

    function _expectAttestorsInvalid(uint32 epoch, address[] memory list, uint8 threshold)
        private
    {
        vm.expectRevert(ISettlementErrors.AttestorsInvalid.selector);
        settlement.setAttestors(epoch, list, threshold);
    }

    function _expectMarket(MarketParams memory params, Tier[] memory list, bytes4 selector)
        private
    {
        (bool listed, bytes memory data) = address(settlement)
            .call(abi.encodeCall(settlement.listMarket, (2, params, list)));
        assertTrue(!listed && bytes4(data) == selector, "refused for the reason");
    }
}
