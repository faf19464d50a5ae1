// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MarketState } from "../src/interfaces/ISettlementTypes.sol";
import { OrderLib } from "../src/libraries/OrderLib.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice ORA-3: price rows of m-of-n signed observations.
contract ObservationsTest is SettlementTest {
    uint48 private _nowMs;

    /// @dev Five signers, three of them needed, within 1 % and two seconds.
    function setUp() public override {
        super.setUp();
        for (uint256 i = 1; i < 5; ++i) {
            govern(abi.encodeCall(settlement.setOracleSigner, (vm.addr(ORACLE + i), true)));
        }
        govern(abi.encodeCall(settlement.setOracleRule, (3, 10_000, 2000)));
        _nowMs = uint48(block.timestamp) * 1000;
    }

    /// @dev The lower median, and the oldest time.
    function test_row_isTheLowerMedian() public {
        _accepted(_three(995, 1000, 1009));
        _state(1000, _nowMs - 2);
        bytes memory four = bytes.concat(_three(996, 999, 1001), _seen(1004, _nowMs, ORACLE + 3));
        Plan memory p = plan();
        _addRow(p, 4, 999, four);
        settleAccepted(p);
        _state(999, _nowMs - 2);
    }

    function test_refused_tooFewSigners() public {
        Plan memory p = plan();
        _addRow(p, 0, 1000, "");
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
        p = plan();
        _addRow(
            p, 2, 1000, bytes.concat(_seen(1000, _nowMs, ORACLE), _seen(1000, _nowMs, ORACLE + 1))
        );
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    function test_refused_signerTwiceOrUnknown() public {
        bytes memory two =
            bytes.concat(_seen(1000, _nowMs, ORACLE), _seen(1000, _nowMs, ORACLE + 1));
        _refused(bytes.concat(two, _seen(1001, _nowMs, ORACLE)), RejectReason.SIGNATURE_INVALID);
        _refused(bytes.concat(two, _seen(1001, _nowMs, BOB)), RejectReason.SIGNATURE_INVALID);
    }

    /// @dev 1 % of a median of 1000 is 10 ticks.
    function test_refused_deviation() public {
        _refused(_three(1000, 1000, 1011), RejectReason.PRICE_DEVIATION);
        _refused(_three(989, 1000, 1000), RejectReason.PRICE_DEVIATION);
        _accepted(_three(990, 1000, 1010));
    }

    function test_refused_unsorted() public {
        _refused(_three(1001, 1000, 1002), RejectReason.PRICE_DEVIATION);
        _refused(_three(1000, 1001, 1000), RejectReason.PRICE_DEVIATION);
    }

    function test_refused_spread() public {
        bytes memory two =
            bytes.concat(_seen(1000, _nowMs, ORACLE), _seen(1000, _nowMs, ORACLE + 1));
        _refused(
            bytes.concat(two, _seen(1000, _nowMs - 2001, ORACLE + 2)), RejectReason.PRICE_DEVIATION
        );
        _accepted(bytes.concat(two, _seen(1000, _nowMs - 2000, ORACLE + 2)));
    }

    /// @dev With a quorum of three one source cannot move the price out of the others' range.
    function testFuzz_row_oneSourceCannotMoveIt(uint32 liar, bool first) public {
        liar = uint32(bound(liar, 1, 100_000));
        bytes memory row = liar < 1000
            ? _three(liar, 1000, 1004)
            : liar > 1004 ? _three(1000, 1004, liar) : _three(1000, liar, 1004);
        Plan memory p = plan();
        _addRow(p, 3, first ? 1000 : 1004, row);
        bytes memory reasons = settle(p);
        if (reasons[0] != 0) return;
        (MarketState memory state,) = settlement.market(MARKET);
        assertTrue(state.indexTicks >= 1000 && state.indexTicks <= 1004, "within the others");
    }

    /* HELPERS */

    function _three(uint32 a, uint32 b, uint32 c) private view returns (bytes memory) {
        return bytes.concat(
            _seen(a, _nowMs, ORACLE),
            _seen(b, _nowMs - 1, ORACLE + 1),
            _seen(c, _nowMs - 2, ORACLE + 2)
        );
    }

    function _seen(uint32 priceTicks, uint48 timeMs, uint256 key)
        private
        view
        returns (bytes memory)
    {
        bytes32 digest = OrderLib.indexPriceDigest(
            settlement.domainSeparator(), MARKET, priceTicks, timeMs
        );
        return abi.encodePacked(priceTicks, timeMs, compact(key, digest));
    }

    function _addRow(Plan memory p, uint8 count, uint32 markTicks, bytes memory row) private pure {
        addItem(p, abi.encodePacked(uint8(1), uint8(0), count, markTicks, row));
    }

    function _accepted(bytes memory row) private {
        Plan memory p = plan();
        _addRow(p, 3, 1000, row);
        settleAccepted(p);
    }

    function _refused(bytes memory row, RejectReason reason) private {
        Plan memory p = plan();
        _addRow(p, 3, 1000, row);
        settleRejected(p, reason);
    }

    function _state(uint256 indexTicks, uint256 timeMs) private view {
        (MarketState memory state,) = settlement.market(MARKET);
        assertEq(state.indexTicks, indexTicks, "index");
        assertEq(state.priceTimeMs, timeMs, "time");
    }
}
