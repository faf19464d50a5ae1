// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MarketParams } from "../src/interfaces/ISettlementTypes.sol";
import { SessionKeyScope } from "../src/libraries/SessionKeyLib.sol";
import { Order } from "./utils/OrderTwin.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice Gas of what is seldom, as GasTest measures it: items in batches of ten, requests and keys
/// as transactions.
contract SeldomGasTest is SettlementTest {
    uint256 private constant TRADER = 0x7ade0000;
    uint256 private constant COUNT = 10;

    function test_gas_forced() public {
        _openPairs(500_000);
        uint64 first;
        for (uint256 i = 0; i < COUNT; ++i) {
            vm.prank(vm.addr(TRADER + i));
            uint64 id = settlement.requestReduce(MARKET, 100);
            if (i == COUNT - 1) vm.snapshotGasLastCall("settlement", "forced_request");
            if (i == 0) first = id;
        }
        Plan memory p = _priced(1000);
        for (uint256 i = 0; i < COUNT; ++i) {
            addForced(p, first + uint64(i), vm.addr(TRADER + i));
        }
        _measure(p, "forced");
    }

    function test_gas_cancel() public {
        vm.prank(vm.addr(ALICE));
        settlement.requestCancel(1234);
        vm.prank(vm.addr(ALICE));
        settlement.requestCancel(1235);
        vm.snapshotGasLastCall("settlement", "cancel");
    }

    function test_gas_sessionKey() public {
        SessionKeyScope memory scope =
            SessionKeyScope(1, 10, 1_000_000, uint40(block.timestamp + 30 days));
        vm.prank(vm.addr(ALICE));
        settlement.setSessionKey(address(0x5e55), scope);
        vm.snapshotGasLastCall("settlement", "session_key");
    }

    function test_gas_adl() public {
        _openPairs(101_000);
        Plan memory p = _priced(850);
        for (uint256 i = 0; i < COUNT; ++i) {
            uint16 index = addPosition(p, vm.addr(TRADER + i));
            addAdl(p, index, addPosition(p, vm.addr(TRADER + COUNT + i)), 100);
        }
        _measure(p, "adl");
    }

    function test_gas_takeover() public {
        _openPairs(101_000);
        giveNow(1_000_000_000);
        Plan memory p = _priced(902);
        for (uint256 i = 0; i < COUNT; ++i) {
            addTakeover(p, addPosition(p, vm.addr(TRADER + i)), addPosition(p, FUND), 100);
        }
        _measure(p, "takeover");
    }

    /// @dev Longs and shorts in turn, so that the fund holds at most one position's lots.
    function test_gas_delivery() public {
        _openPairs(500_000);
        MarketParams memory params = marketParams();
        uint40 effectiveTimeS = uint40(block.timestamp + 4 days);
        params.expiryTimeS = effectiveTimeS + 60;
        settlement.announceMarketParams(MARKET, params, tiers(), effectiveTimeS);
        vm.warp(params.expiryTimeS);
        Plan memory p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        addPrice(p, 1000, 1000);
        settleAccepted(p);
        p = plan();
        for (uint256 i = 0; i < COUNT; ++i) {
            uint256 key = TRADER + (i % 2 == 0 ? i / 2 : COUNT + i / 2);
            addItem(p, abi.encodePacked(uint8(14), addPosition(p, vm.addr(key))));
        }
        _measure(p, "delivery");
    }

    /* HELPERS */

    /// @dev The first ten are long 100 lots at 1000, the other ten short.
    function _openPairs(uint64 marginQuote) private {
        for (uint256 i = 0; i < 2 * COUNT; ++i) {
            fund(TRADER + i, 1_000_000_000);
        }
        Plan memory p = _priced(1000);
        for (uint256 i = 0; i < COUNT; ++i) {
            Order memory long = order(TRADER + i, BUY, 1000, 100, marginQuote);
            Order memory short = order(TRADER + COUNT + i, SELL, 1000, 100, 500_000);
            uint16 taker = addOrder(p, TRADER + i, long);
            addFill(p, taker, addOrder(p, TRADER + COUNT + i, short), 100);
        }
        settleAccepted(p);
    }

    /// @dev The price settles before: the batch that is measured has none.
    function _priced(uint32 ticks) private returns (Plan memory p) {
        p = plan();
        addPrice(p, ticks, ticks);
        settleAccepted(p);
        return plan();
    }

    function _measure(Plan memory p, string memory name) private {
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        (, bytes memory reasons) = dryRun(payload, signatures);
        for (uint256 i = 0; i < reasons.length; ++i) {
            assertEq(uint8(reasons[i]), 0, "accepted");
        }
        settlement.settle(payload, signatures);
        uint256 gasUsed = vm.snapshotGasLastCall("settlement", name);
        vm.snapshotValue("settlement", string.concat(name, "_each"), gasUsed / COUNT);
    }
}
