// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { MarketParams } from "../src/interfaces/ISettlementTypes.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice RELAY-1: fees of relayers come out of their pot; and the item PARAMETERS (GOV-5).
contract RelayerTest is SettlementTest {
    address private constant RELAYER = address(0x4e1a7);

    /* RELAYERS */

    function test_relayer_earnsABatchAndItsAcceptedItems() public {
        _fillPot(1000, 100, 7, 500);
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        addPrice(p, 0, 0);
        addPrice(p, 1001, 1001);
        _relay(p);
        assertEq(settlement.relayerOwedQuote(RELAYER), 114, "100 and twice 7");
        (uint256 potQuote, uint256 owedQuote) = settlement.relayerPotQuote();
        assertEq(potQuote, 886, "pot");
        assertEq(owedQuote, 114, "owed");
        assertSound();
        vm.prank(RELAYER);
        settlement.claimRelayerFees(address(0xbeef));
        assertEq(token.balanceOf(address(0xbeef)), 114, "paid");
        assertEq(settlement.relayerOwedQuote(RELAYER), 0, "nothing left");
        assertSound();
        vm.prank(RELAYER);
        settlement.claimRelayerFees(address(0xbeef));
        assertEq(token.balanceOf(address(0xbeef)), 114, "once");
    }

    function test_relayer_earnsAtMostTheCapAndThePot() public {
        _fillPot(150, 100, 100, 120);
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        _relay(p);
        assertEq(settlement.relayerOwedQuote(RELAYER), 120, "cap");
        _relay(plan());
        assertEq(settlement.relayerOwedQuote(RELAYER), 150, "pot");
        _relay(plan());
        assertEq(settlement.relayerOwedQuote(RELAYER), 150, "empty");
        assertSound();
    }

    function test_RevertWhen_relayerFeesAreSetByAnybody() public {
        vm.startPrank(RELAYER);
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.CallerNotGovernance.selector, RELAYER);
        vm.expectRevert(refusal);
        settlement.setRelayerFee(1, 1, 1);
        vm.expectRevert(refusal);
        settlement.fillRelayerPot(1);
        vm.stopPrank();
    }

    /* PARAMETERS */

    function test_parameters_holdFromTheirItemOn() public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
        MarketParams memory params = marketParams();
        params.feeTakerPpm = 300;
        uint40 effectiveTimeS = uint40(block.timestamp + 4 days);
        settlement.announceMarketParams(MARKET, params, tiers(), effectiveTimeS);
        p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        settleRejected(p, RejectReason.PARAMETERS_NOT_DUE);
        vm.warp(effectiveTimeS);
        p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 10, 100_000));
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000));
        addFill(p, taker, maker, 5);
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        addFill(p, taker, maker, 5);
        settleAccepted(p);
        assertEq(settlement.feesQuote(), 25 + 10 + 15 + 10, "old fees, then new ones");
        p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        settleRejected(p, RejectReason.PARAMETERS_NOT_DUE);
    }

    /* HELPERS */

    /// @dev Fees of a trade, then a pot out of them.
    function _fillPot(uint80 potQuote, uint32 batchFee, uint32 itemFee, uint32 feeMax) private {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 1000, 2_000_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 1000, 2_000_000)), 1000);
        settleAccepted(p);
        govern(abi.encodeCall(settlement.setRelayerFee, (batchFee, itemFee, feeMax)));
        govern(abi.encodeCall(settlement.fillRelayerPot, (potQuote)));
    }

    function _relay(Plan memory p) private {
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.prank(RELAYER);
        settlement.settle(payload, signatures);
    }
}
