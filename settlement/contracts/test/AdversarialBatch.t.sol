// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { PositionView } from "../src/interfaces/ISettlementTypes.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Order } from "./utils/OrderTwin.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice The same as AdversarialTest for what a batch of an operator who means harm could do who
/// has the keys of attestors and oracle.
contract AdversarialBatchTest is SettlementTest {
    address private _alice;
    address private _bob;

    /// @dev Alice long 100 lots at 1000 with 199,500 of collateral, Bob short with 299,800.
    function setUp() public override {
        super.setUp();
        (_alice, _bob) = (vm.addr(ALICE), vm.addr(BOB));
        tradePair();
    }

    /* SIGNATURES */

    /// @dev Some bytes in the place of the taker's signature, also none at all.
    function test_orderSignatureNotChecked_isImpossible() public {
        bytes[3] memory forged = [
            new bytes(64),
            abi.encodePacked(keccak256("r"), keccak256("s")),
            abi.encodePacked(bytes32(type(uint256).max), bytes32(type(uint256).max))
        ];
        for (uint256 i = 0; i < forged.length; ++i) {
            Plan memory p = plan();
            uint16 taker = addOrderAt(p, 0, order(CAROL, BUY, 1000, 10, 200_000), forged[i]);
            addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 300_000)), 10);
            settleRejected(p, RejectReason.SIGNATURE_INVALID);
        }
    }

    /// @dev The taker signs for the maker, too: nobody trades against whom he names.
    function test_makerIsNotTheSigner_isImpossible() public {
        Plan memory p = plan();
        uint16 taker = addOrder(p, CAROL, order(CAROL, BUY, 1000, 10, 200_000));
        addFill(p, taker, addOrder(p, CAROL, order(BOB, SELL, 1000, 10, 300_000)), 10);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
        p = plan();
        taker = addOrder(p, ATTESTOR, order(CAROL, BUY, 1000, 10, 200_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 300_000)), 10);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    /// @dev Each field that a batch carries, changed after it was signed.
    function test_fieldMissingFromTheDigest_isImpossible() public {
        for (uint256 field = 0; field < 12; ++field) {
            Plan memory p = plan();
            Order memory signed = order(CAROL, BUY, 1000, 10, 200_000);
            (signed.triggerKind, signed.triggerPriceTicks) = (1, 900);
            bytes memory signature = _sign(CAROL, signed);
            _change(signed, field);
            uint16 taker = addOrderAt(p, 0, signed, signature);
            addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 10, 300_000)), 5);
            settleRejected(p, RejectReason.SIGNATURE_INVALID);
        }
    }

    function _change(Order memory o, uint256 field) private pure {
        if (field == 0) o.account = vm.addr(ORACLE);
        if (field == 1) o.triggerKind = 2;
        if (field == 2) o.triggerPriceTicks = 901;
        if (field == 3) o.timeInForce = 1;
        if (field == 4) o.nonce += 1;
        if (field == 5) o.expiryTimeS += 1;
        if (field == 6) o.priceTicks += 1;
        if (field == 7) o.qtyLots += 1;
        if (field == 8) o.marginQuote -= 1;
        if (field == 9) o.feePpmMax += 1;
        if (field == 10) o.instructions = bytes32(uint256(1));
        if (field == 11) o.triggerPriceTicks = 0;
        // The first account must have money, or its poverty is the reason.
        if (field == 0) o.account = vm.addr(ALICE);
    }

    function _sign(uint256 key, Order memory o) private view returns (bytes memory) {
        Plan memory p = plan();
        addOrder(p, key, o);
        bytes memory signature = new bytes(64);
        uint256 start = p.orders.length - 64;
        for (uint256 i = 0; i < 64; ++i) {
            signature[i] = p.orders[start + i];
        }
        return signature;
    }

    /* PRICES */

    /// @dev The last row is a liquidation's evidence for ten seconds, whatever it says.
    function test_oraclePriceWithoutAgeLimit_isImpossible() public {
        Plan memory p = plan();
        addPrice(p, 830, 830);
        settleAccepted(p);
        vm.warp(block.timestamp + 11);
        p = plan();
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleRejected(p, RejectReason.PRICE_STALE);
        p = plan();
        addPriceAt(p, 830, 830, uint48(p.clockTimeS - 11) * 1000, ORACLE);
        addAdl(p, addPosition(p, _alice), addPosition(p, _bob), 100);
        settleRejected(p, RejectReason.PRICE_STALE);
    }

    /// @dev At one tick, the least that there is, everything is lost, and the position ends.
    function test_positionAtPriceZeroNotLiquidatable_isImpossible() public {
        giveNow(5_000_000);
        Plan memory p = plan();
        addPrice(p, 0, 0);
        settleRejected(p, RejectReason.PRICE_OUT_OF_RANGE);
        p = plan();
        addPrice(p, 1, 1);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 100);
        settleAccepted(p);
        assertEqInt(position(ALICE).positionLots, 0, "over");
    }

    /* LOSSES */

    /// @dev A takeover, a deleveraging and a liquidation at a loss: no unit of the free balance.
    function test_isolatedLossReachesTheFreeBalance_isImpossible() public {
        uint256 before = free(ALICE);
        Plan memory p = plan();
        addPrice(p, 100, 100);
        addAdl(p, addPosition(p, _alice), addPosition(p, _bob), 60);
        settleAccepted(p);
        assertEq(free(ALICE), before, "untouched by a deleveraging");
        giveNow(100_000_000);
        p = plan();
        addPrice(p, 100, 100);
        addTakeover(p, addPosition(p, _alice), addPosition(p, FUND), 40);
        settleAccepted(p);
        assertEq(free(ALICE), before, "untouched by a takeover");
        assertEqInt(position(ALICE).collateralQuote, 0, "all that she can lose");
    }

    /// @dev What the fund could carry, more lots than the bankrupt position has, a healthy position.
    function test_adlTakesMoreThanNeeded_isImpossible() public {
        Plan memory p = plan();
        addAdl(p, addPosition(p, _alice), addPosition(p, _bob), 100);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
        p = plan();
        addPrice(p, 800, 800);
        addAdl(p, addPosition(p, _alice), addPosition(p, _bob), 101);
        settleRejected(p, RejectReason.LIQUIDATION_TOO_LARGE);
        giveNow(100_000_000);
        p = plan();
        addPrice(p, 800, 800);
        addAdl(p, addPosition(p, _alice), addPosition(p, _bob), 1);
        settleRejected(p, RejectReason.FUND_CAN_CARRY);
    }

    /// @dev Closed by a fill, by the fund, by a counterparty: the collateral goes where it belongs.
    function test_fundsLeftInAPositionClosedByABatch_isImpossible() public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, SELL, 1000, 100, 0));
        addFill(p, taker, addOrder(p, BOB, order(BOB, BUY, 1000, 100, 0)), 100);
        settleAccepted(p);
        _assertEmpty(_alice);
        _assertEmpty(_bob);
        assertEq(free(ALICE), 1_000_000_000 - 1000, "all but two fees of a taker");
        assertEq(free(BOB), 1_000_000_000 - 400, "all but two fees of a maker");
    }

    /* HELPERS */

    function _assertEmpty(address owner) private view {
        PositionView memory held = settlement.position(MARKET, owner);
        assertEqInt(held.positionLots, 0, "flat");
        assertEq(held.entryValueQuote, 0, "nothing");
        assertEqInt(held.collateralQuote, 0, "nothing");
    }
}
