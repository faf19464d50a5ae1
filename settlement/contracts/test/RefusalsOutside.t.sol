// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../src/interfaces/IExitDesk.sol";
import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { VenueConfig } from "../src/interfaces/ISettlementTypes.sol";
import { BatchLib } from "../src/libraries/BatchLib.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Order } from "./utils/OrderTwin.sol";
import { RefusalTest } from "./utils/RefusalTest.sol";
import { Plan } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice Checks of the queue, of money, of deployment and of a payload's form that no other test
/// is about: each is the only one that refuses here.
contract RefusalsOutsideTest is RefusalTest {
    uint16 private constant BY_WALLET = 2 << 8;

    /* THE QUEUE */

    /// @dev FORCE-2: served in another market, or in none, a request would be done with for nothing.
    function test_refused_forcedInAnotherMarket() public {
        vm.prank(alice);
        settlement.requestReduce(MARKET, 10);
        Plan memory p = planOf(OTHER);
        addForced(p, 1, alice);
        refuse(p, RejectReason.MARKET_UNKNOWN);
        p = plan();
        addItem(p, abi.encodePacked(uint8(15), uint64(1), addAccount(p, alice), type(uint16).max));
        refuse(p, RejectReason.MARKET_UNKNOWN);
        assertEq(settlement.forcedRequest(1).amount, 10, "it waits");
    }

    /// @dev Her request, his position.
    function test_RevertWhen_forcedNamesAPositionOfAnotherAccount() public {
        vm.prank(alice);
        settlement.requestReduce(MARKET, 10);
        Plan memory p = plan();
        uint16 index = addPosition(p, bob);
        addItem(p, abi.encodePacked(uint8(15), uint64(1), addAccount(p, alice), index));
        expectRevert(p, abi.encodeWithSelector(BatchLib.BatchMalformed.selector, index));
    }

    /// @dev FORCE-5: what it has brought goes into the position, whatever else is free.
    function test_forcedTopUp_ofAnAccountWithoutFreeBalance() public {
        uint64 id = topUp(alice, 700);
        empty(ALICE);
        int64 before = position(ALICE).collateralQuote;
        _serve(id, alice, RejectReason.NONE);
        assertEqInt(position(ALICE).collateralQuote - before, 700, "in the position");
        assertEq(free(ALICE), 0, "nothing is free");
    }

    function test_forcedTopUp_thatDoesNotFit() public {
        empty(ALICE);
        uint64 id = topUp(alice, uint64(QUOTE_MAX));
        _serve(id, alice, RejectReason.AMOUNT_OUT_OF_RANGE);
        assertEq(free(ALICE), QUOTE_MAX, "hers, free");
    }

    /// @dev FORCE-3: what she has lost is more than her collateral.
    function test_forcedReduce_ofABankruptPosition() public {
        vm.prank(alice);
        settlement.requestReduce(MARKET, 100);
        setPrice(880);
        serveInVain(1, alice, RejectReason.BANKRUPT);
    }

    function test_forcedReduce_thatDoesNotFit() public {
        vm.prank(alice);
        settlement.requestReduce(MARKET, 100);
        fillUp(ALICE);
        serveInVain(1, alice, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    /// @dev BACK-4: the fund's lots need more than it has: no share is worth a payment now.
    function test_unbacking_thatTheFundCannotSpare() public {
        uint256 shares = backNow(CAROL, 50_000);
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10_000, 20_000_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10_000, 90_000_000)), 10_000);
        addForced(p, 2, alice);
        vm.prank(alice);
        settlement.requestReduce(MARKET, 10_100);
        settleAccepted(p);
        vm.prank(carol);
        settlement.requestUnbacking(MARKET, shares);
        vm.warp(block.timestamp + 7 days);
        setPrice(1000);
        vm.prank(carol);
        settlement.finishUnbacking(MARKET);
        serveInVain(3, carol, RejectReason.FUND_CANNOT_CARRY);
        assertEq(settlement.backer(MARKET, carol).shares, shares, "none burned");
    }

    /* MONEY */

    /// @dev BACK-2, FORCE-5: what is worth no share becomes free balance.
    function test_refused_backingThatIsWorthNoShare() public {
        giveNow(1_000_000);
        _becomesFree(requestBacking(CAROL, 1), 1, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    /// @dev Shares that the first backing alone would make beyond 2^63 - 1.
    function test_refused_backingThatMakesTooManyShares() public {
        _becomesFree(requestBacking(CAROL, 1e16), 1e16, RejectReason.AMOUNT_OUT_OF_RANGE);
    }

    function test_refused_giftToAFundThatIsFull() public {
        giveNow(QUOTE_MAX - 1);
        uint64 id = requestBacking(CAROL, 1_000_000_000);
        _becomesFree(id, 1_000_000_000, RejectReason.AMOUNT_OUT_OF_RANGE);
        token.mint(address(this), 2);
        token.approve(address(settlement), 2);
        id = settlement.fundInsurance(MARKET, 2);
        _serve(id, address(this), RejectReason.AMOUNT_OUT_OF_RANGE);
        (uint96 freeQuote,) = settlement.account(address(this));
        assertEq(freeQuote, 2, "the giver's again");
        giveNow(1);
    }

    function _becomesFree(uint64 id, uint256 amountQuote, RejectReason reason) private {
        uint256 before = free(CAROL);
        _serve(id, vm.addr(CAROL), reason);
        assertEq(free(CAROL), before + amountQuote, "the backer's again");
        assertEq(settlement.backer(MARKET, vm.addr(CAROL)).shares, 0, "no shares");
        assertSound();
    }

    function _serve(uint64 id, address owner, RejectReason outcome) private {
        Plan memory p = plan();
        addForced(p, id, owner);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit IExitDesk.RequestServed(id, outcome);
        settlement.settle(payload, signatures);
    }

    /* DEPLOYMENT */

    function test_RevertWhen_aPauseWouldBindTooLate() public {
        VenueConfig memory config = venueConfig();
        config.limits.riskPauseNoticeS = 1 hours + 1;
        bytes memory arguments = abi.encode(token, address(this), deployModules(), config);
        bytes memory code = vm.getCode("Settlement.sol:Settlement");
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.DelaysInvalid.selector));
        this.create(bytes.concat(code, arguments));
    }

    function test_RevertWhen_theAnnexHasNoForcedModule() public {
        bytes memory code = vm.getCode("SettlementAnnex.sol:SettlementAnnex");
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.DeskMissing.selector, address(0xde5c))
        );
        this.create(bytes.concat(code, abi.encode(address(0xde5c))));
    }

    /// @dev Creates a contract from its code, and reverts as its constructor does.
    function create(bytes memory code) external {
        assembly ("memory-safe") {
            if iszero(create(0, add(code, 32), mload(code))) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    /* FORM */

    /// @dev Behind the last account stands the fund's entry, which the payload cannot name.
    function test_RevertWhen_anAccountIsNotInItsTable() public {
        bytes memory refusal = abi.encodeWithSelector(BatchLib.BatchMalformed.selector, 1);
        for (uint256 i = 0; i < 4; ++i) {
            Plan memory p = plan();
            addAccount(p, alice);
            bytes memory zeros = new bytes(64);
            if (i == 0) {
                bytes memory head = abi.encodePacked(uint8(10), uint16(1), uint64(1), alice);
                addItem(p, abi.encodePacked(head, uint64(1), p.clockTimeS + 1, uint8(0), zeros));
            }
            if (i == 1) {
                p.roots = abi.encodePacked(uint16(1), uint8(0), uint8(1), keccak256("root"), zeros);
                p.rootCount = 1;
            }
            if (i == 2) {
                addItem(p, abi.encodePacked(uint8(15), uint64(1), uint16(1), type(uint16).max));
            }
            if (i == 3) {
                bytes memory head = abi.encodePacked(uint8(11), uint16(1), alice, uint64(1));
                head = abi.encodePacked(head, uint8(1), uint8(0), uint64(1), uint64(1));
                addItem(p, abi.encodePacked(head, p.clockTimeS + 1, uint8(0), zeros));
            }
            expectRevert(p, refusal);
        }
    }

    /// @dev The table of orders ends one byte behind the payload.
    function test_RevertWhen_aTableIsCutShort() public {
        Plan memory p = plan();
        addOrder(p, CAROL, order(CAROL, BUY, 1000, 10, 100_000));
        bytes memory orders = new bytes(p.orders.length - 1);
        for (uint256 i = 0; i < orders.length; ++i) {
            orders[i] = p.orders[i];
        }
        p.orders = orders;
        uint256 length = encode(p).length;
        expectRevert(p, abi.encodeWithSelector(BatchLib.BatchMalformed.selector, length));
    }

    function test_RevertWhen_theHeaderIsCutShort() public {
        Plan memory p = plan();
        p.marketIds = new uint32[](0);
        bytes memory whole = encode(p);
        bytes memory payload = new bytes(whole.length - 1);
        for (uint256 i = 0; i < payload.length; ++i) {
            payload[i] = whole[i];
        }
        bytes[] memory signatures = attest(p, payload);
        vm.expectRevert(abi.encodeWithSelector(BatchLib.BatchMalformed.selector, 0));
        settlement.settle(payload, signatures);
    }

    /// @dev The signature of a contract wallet says that it is longer than the payload.
    function test_RevertWhen_aWalletsSignatureIsCutShort() public {
        Plan memory p = plan();
        Order memory o = order(CAROL, BUY, 1000, 10, 100_000);
        addOrderOf(p, o, BY_WALLET, abi.encodePacked(type(uint16).max, uint8(1)));
        uint256 offset = encode(p).length - 3;
        expectRevert(p, abi.encodeWithSelector(BatchLib.BatchMalformed.selector, offset));
    }
}
