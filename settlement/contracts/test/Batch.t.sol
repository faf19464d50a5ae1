// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { BatchLib } from "../src/libraries/BatchLib.sol";
import { Order } from "./utils/OrderTwin.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice BATCH-1 … BATCH-3: quorum, sequence, hash chain, clock, form.
contract BatchTest is SettlementTest {
    event BatchSettled(
        uint64 indexed sequence, bytes32 digest, uint32 itemCount, uint32 rejectedCount
    );

    function test_settle_chainsDigests() public {
        bytes32 last = 0;
        for (uint64 i = 1; i <= 3; ++i) {
            settleAccepted(plan());
            assertEq(settlement.sequence(), i, "sequence");
            assertTrue(settlement.lastBatchDigest() != last, "digest moves");
            last = settlement.lastBatchDigest();
        }
        assertEq(settlement.clockTimeS(), block.timestamp, "clock");
    }

    function test_settle_anybodySubmits() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.prank(address(0xdead));
        settlement.settle(payload, signatures);
        assertEq(settlement.sequence(), 1, "settled");
    }

    function test_settle_badItemDoesNotStopTheBatch() public {
        Plan memory p = plan();
        addPrice(p, 0, 1000);
        addPrice(p, 1000, 1000);
        bytes memory reasons = settle(p);
        assertEq(uint8(reasons[0]), uint8(RejectReason.PRICE_OUT_OF_RANGE), "first refused");
        assertEq(uint8(reasons[1]), 0, "second accepted");
    }

    function test_RevertWhen_sequenceIsRepeatedOrSkipped() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        settlement.settle(payload, signatures);
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.BatchSequence.selector, 2, 1));
        settlement.settle(payload, signatures);
        p = plan();
        p.sequence = 3;
        _expectRevert(p, abi.encodeWithSelector(ISettlementErrors.BatchSequence.selector, 2, 3));
    }

    function test_RevertWhen_epochIsNotTheCurrentOne() public {
        Plan memory p = plan();
        p.epoch = 2;
        _expectRevert(p, abi.encodeWithSelector(ISettlementErrors.BatchEpoch.selector, 1, 2));
    }

    function test_RevertWhen_clockGoesBack() public {
        settleAccepted(plan());
        Plan memory p = plan();
        p.clockTimeS -= 1;
        _expectRevertSelector(p, ISettlementErrors.ClockOutOfRange.selector);
    }

    function test_RevertWhen_clockIsTooFarAhead() public {
        Plan memory p = plan();
        p.clockTimeS = uint40(block.timestamp + CLOCK_AHEAD_S);
        settleAccepted(p);
        p = plan();
        p.clockTimeS = uint40(block.timestamp + CLOCK_AHEAD_S + 1);
        _expectRevertSelector(p, ISettlementErrors.ClockOutOfRange.selector);
    }

    function test_RevertWhen_clockLagsTooFar() public {
        Plan memory p = plan();
        p.clockTimeS = uint40(block.timestamp - CLOCK_LAG_S - 1);
        _expectRevertSelector(p, ISettlementErrors.ClockOutOfRange.selector);
        p.clockTimeS += 1;
        settleAccepted(p);
    }

    function test_clockItem_movesTheClock() public {
        Plan memory p = plan();
        addItem(p, abi.encodePacked(uint8(2), p.clockTimeS + 5));
        settleAccepted(p);
        assertEq(settlement.clockTimeS(), block.timestamp + 5, "clock");
    }

    function test_RevertWhen_clockItemGoesBack() public {
        Plan memory p = plan();
        addItem(p, abi.encodePacked(uint8(2), p.clockTimeS - 1));
        _expectRevertSelector(p, ISettlementErrors.ClockOutOfRange.selector);
    }

    function test_RevertWhen_quorumIsMissing() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        bytes[] memory one = new bytes[](1);
        one[0] = signatures[0];
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.QuorumMissing.selector, 2, 1));
        settlement.settle(payload, one);
    }

    function test_RevertWhen_attestorSignsTwice() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        signatures[1] = signatures[0];
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.AttestorRepeated.selector, vm.addr(ATTESTOR))
        );
        settlement.settle(payload, signatures);
    }

    function test_RevertWhen_payloadIsNotTheSignedOne() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        addPrice(p, 1000, 1000);
        bytes memory other = encode(p);
        vm.expectRevert(ISettlementErrors.AttestorUnknown.selector);
        this.settleRaw(other, signatures);
        settlement.settle(payload, signatures);
    }

    function test_RevertWhen_attestorSignatureIsNotCompact() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        signatures[0] = bytes.concat(signatures[0], hex"1b");
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.SignatureLength.selector, 65));
        settlement.settle(payload, signatures);
    }

    function test_RevertWhen_oldEpochSigns() public {
        address[] memory attestors = new address[](1);
        attestors[0] = vm.addr(0xfeed);
        govern(abi.encodeCall(settlement.setAttestors, (2, attestors, 1)));
        Plan memory p = plan();
        p.epoch = 1;
        _expectRevert(p, abi.encodeWithSelector(ISettlementErrors.BatchEpoch.selector, 2, 1));
        p.epoch = 2;
        _expectRevertSelector(p, ISettlementErrors.AttestorUnknown.selector);
    }

    function test_RevertWhen_accountIsRepeated() public {
        Plan memory p = plan();
        p.accounts = new address[](2);
        p.accounts[0] = vm.addr(ALICE);
        p.accounts[1] = vm.addr(ALICE);
        _expectMalformed(p, 29 + 4 + 20);
    }

    function test_RevertWhen_positionIsRepeated() public {
        Plan memory p = plan();
        addPosition(p, vm.addr(ALICE));
        p.positions = bytes.concat(p.positions, p.positions);
        _expectMalformed(p, 29 + 4 + 20 + 3);
    }

    function test_RevertWhen_accountsDoNotAscend() public {
        Plan memory p = plan();
        addAccount(p, address(1));
        addAccount(p, address(2));
        bytes memory payload = encode(p);
        payload[29 + 4 + 19] = 0x03;
        _expectMalformedPayload(p, payload, 29 + 4 + 20);
    }

    function test_RevertWhen_positionsDoNotAscend() public {
        Plan memory p = plan();
        addPosition(p, address(1));
        addPosition(p, address(2));
        bytes memory payload = encode(p);
        (payload[29 + 4 + 40 + 1], payload[29 + 4 + 40 + 4]) = (bytes1(0x01), bytes1(0x00));
        _expectMalformedPayload(p, payload, 29 + 4 + 40 + 3);
    }

    function test_RevertWhen_marketIsRepeated() public {
        Plan memory p = plan();
        p.marketIds = new uint32[](2);
        p.marketIds[0] = MARKET;
        p.marketIds[1] = MARKET;
        _expectMalformed(p, 29 + 4);
    }

    function test_RevertWhen_indexIsOutOfItsTable() public {
        Plan memory p = plan();
        addPosition(p, vm.addr(ALICE));
        p.positions = hex"000100";
        _expectRevertSelector(p, BatchLib.BatchMalformed.selector);
        p.positions = hex"000001";
        _expectRevertSelector(p, BatchLib.BatchMalformed.selector);
        p = plan();
        addFill(p, 0, 0, 1);
        _expectRevertSelector(p, BatchLib.BatchMalformed.selector);
        p = plan();
        addTakeover(p, 0, 0, 1);
        _expectRevertSelector(p, BatchLib.BatchMalformed.selector);
        p = plan();
        addItem(p, abi.encodePacked(uint8(8), uint8(1), int64(0)));
        _expectRevertSelector(p, BatchLib.BatchMalformed.selector);
        p = plan();
        Order memory o = order(ALICE, BUY, 1000, 1, 0);
        addOrder(p, ALICE, o);
        p.positions = "";
        _expectRevertSelector(p, BatchLib.BatchMalformed.selector);
    }

    /// @dev Each kind that names a resting order.
    function test_RevertWhen_anOrderIsNotInItsTable() public {
        for (uint256 kind = 0; kind < 4; ++kind) {
            Plan memory p = plan();
            uint16 one = addOrder(p, ALICE, order(ALICE, BUY, 1000, 1, 0));
            if (kind == 0) addLiquidation(p, addPosition(p, vm.addr(BOB)), one + 1, 1);
            if (kind == 1) addFundFill(p, addPosition(p, FUND), one + 1, 1);
            bytes memory lots = abi.encodePacked(uint32(1), uint32(1000), uint8(0));
            if (kind == 2) addItem(p, abi.encodePacked(uint8(16), one, one + 1, lots));
            if (kind == 3) addItem(p, abi.encodePacked(uint8(16), one + 1, one, lots));
            _expectRevert(p, abi.encodeWithSelector(BatchLib.BatchMalformed.selector, one + 1));
        }
    }

    /// @dev The fund's own position stands behind the table; no item may reach it there.
    function test_RevertWhen_itemReachesBehindTheTable() public {
        Plan memory p = plan();
        addPosition(p, vm.addr(ALICE));
        addTakeover(p, 0, 1, 1);
        _expectRevertSelector(p, BatchLib.BatchMalformed.selector);
        p = plan();
        addPosition(p, vm.addr(ALICE));
        addAdl(p, 0, 1, 1);
        _expectRevertSelector(p, BatchLib.BatchMalformed.selector);
    }

    function test_RevertWhen_opcodeIsUnknown() public {
        Plan memory p = plan();
        addItem(p, hex"0b0000000000000000");
        _expectMalformed(p, 29 + 4);
        p.items = hex"000000000000000000";
        _expectMalformed(p, 29 + 4);
    }

    function test_RevertWhen_versionIsUnknown() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        payload[0] = 0x01;
        bytes[] memory signatures = attest(p, payload);
        vm.expectRevert(abi.encodeWithSelector(BatchLib.BatchMalformed.selector, 0));
        settlement.settle(payload, signatures);
    }

    function testFuzz_RevertWhen_payloadIsCutOrExtended(uint256 seed) public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        addCollateral(p, ALICE, 1, 1);
        addOrder(p, ALICE, order(ALICE, BUY, 1000, 1, 0));
        bytes memory payload = encode(p);
        uint256 length = bound(seed, 0, payload.length + 40);
        if (length == payload.length) return;
        bytes memory other = new bytes(length);
        for (uint256 i = 0; i < length && i < payload.length; ++i) {
            other[i] = payload[i];
        }
        bytes[] memory signatures = attest(p, other);
        vm.expectPartialRevert(BatchLib.BatchMalformed.selector);
        settlement.settle(other, signatures);
    }

    function test_dryRun_changesNothing() public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        addPrice(p, 0, 0);
        (uint256 gasUsed, bytes memory reasons) = dryRun(encode(p), new bytes[](0));
        assertTrue(gasUsed > 10_000, "gas");
        assertEq(reasons.length, 2, "one byte an item");
        assertEq(uint8(reasons[1]), uint8(RejectReason.PRICE_OUT_OF_RANGE), "reason");
        assertEq(settlement.sequence(), 0, "nothing settled");
    }

    function test_dryRun_checksSignaturesThatAreGiven() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        signatures[1] = signatures[0];
        vm.expectRevert(ISettlementErrors.AttestorRepeated.selector);
        this.dryRunRaw(payload, signatures);
    }

    function test_settle_emitsCounts() public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        addPrice(p, 0, 0);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectEmit(true, false, false, false, address(settlement));
        emit BatchSettled(1, 0, 2, 1);
        settlement.settle(payload, signatures);
    }

    /// @dev The digest binds chain and contract: on a fork the same batch is void.
    function test_RevertWhen_chainIdChanges() public {
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.chainId(4242);
        vm.expectRevert(ISettlementErrors.AttestorUnknown.selector);
        this.settleRaw(payload, signatures);
    }

    function settleRaw(bytes calldata payload, bytes[] calldata signatures) external {
        try settlement.settle(payload, signatures) { }
        catch (bytes memory data) {
            _bubbleSelector(data);
        }
    }

    function dryRunRaw(bytes calldata payload, bytes[] calldata signatures) external {
        try settlement.dryRun(payload, signatures) { }
        catch (bytes memory data) {
            _bubbleSelector(data);
        }
    }

    /// @dev `expectRevert(bytes4)` wants the error without operands.
    function _bubbleSelector(bytes memory data) private pure {
        bytes4 selector = bytes4(data);
        assembly ("memory-safe") {
            mstore(0, selector)
            revert(0, 4)
        }
    }

    function _expectRevert(Plan memory p, bytes memory data) private {
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectRevert(data);
        settlement.settle(payload, signatures);
    }

    function _expectRevertSelector(Plan memory p, bytes4 selector) private {
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectRevert(selector);
        this.settleRaw(payload, signatures);
    }

    function _expectMalformed(Plan memory p, uint256 offset) private {
        _expectRevert(p, abi.encodeWithSelector(BatchLib.BatchMalformed.selector, offset));
    }

    /// @dev `p` is what the attestors read in the payload's header.
    function _expectMalformedPayload(Plan memory p, bytes memory payload, uint256 offset) private {
        bytes[] memory signatures = attest(p, payload);
        vm.expectRevert(abi.encodeWithSelector(BatchLib.BatchMalformed.selector, offset));
        settlement.settle(payload, signatures);
    }
}
