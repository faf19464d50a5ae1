// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MarketParams } from "../../src/interfaces/ISettlementTypes.sol";
import { Plan, SettlementTest } from "./SettlementTest.sol";
import { vm } from "./Vm.sol";

/// @notice A market whose end is announced (EXP-2), and its delivery.
abstract contract EndingMarketTest is SettlementTest {
    /// @dev Alice buys 100 lots of Bob; her collateral is 500 less than the margin.
    function _open(uint64 marginQuote) internal {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, marginQuote));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 300_000)), 100);
        settleAccepted(p);
    }

    /// @dev Announces the end, and lets its time and the parameters' pass.
    function _end() internal {
        vm.warp(_announce(marketParams()));
        Plan memory p = plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        settleAccepted(p);
    }

    function _announce(MarketParams memory params) internal returns (uint40 endS) {
        uint40 effectiveTimeS = uint40(block.timestamp + 4 days);
        endS = effectiveTimeS + 60;
        params.expiryTimeS = endS;
        settlement.announceMarketParams(MARKET, params, tiers(), effectiveTimeS);
    }

    function _deliver(Plan memory p, uint256 owner) internal pure {
        addItem(p, abi.encodePacked(uint8(14), addPosition(p, vm.addr(owner))));
    }
}
