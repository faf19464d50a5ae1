// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../../src/interfaces/IExitDesk.sol";
import { MarketTotals } from "../../src/interfaces/ISettlementTypes.sol";
import { RejectReason } from "../../src/libraries/RejectReason.sol";
import { Plan, SettlementTest } from "./SettlementTest.sol";
import { vm } from "./Vm.sol";

/// @notice BATCH-2: what is refused changes nothing. Alice is long 100 lots from 1000 with 109,500
/// of collateral, Bob short with 299,800; a second market is listed and has no price yet.
abstract contract RefusalTest is SettlementTest {
    uint32 internal constant OTHER = 2;
    uint32 internal constant UNLISTED = 9;
    uint256 internal constant QUOTE_MAX = 1 << 60;

    address internal alice;
    address internal bob;
    address internal carol;

    function setUp() public virtual override {
        super.setUp();
        (alice, bob, carol) = (vm.addr(ALICE), vm.addr(BOB), vm.addr(CAROL));
        govern(abi.encodeCall(settlement.listMarket, (OTHER, marketParams(), tiers())));
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 110_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 300_000)), 100);
        settleAccepted(p);
    }

    /* WHAT MUST HOLD */

    /// @dev All money and lots: free balances, positions, totals.
    function holdings() internal view returns (bytes32) {
        bytes memory all = abi.encode(settlement.feesQuote(), settlement.waitingQuote());
        address[4] memory owners = [alice, bob, carol, FUND];
        for (uint256 i = 0; i < owners.length; ++i) {
            (uint256 freeQuote, uint256 nonceFloor) = settlement.account(owners[i]);
            all = abi.encode(
                all,
                freeQuote,
                nonceFloor,
                settlement.position(MARKET, owners[i]),
                settlement.position(OTHER, owners[i])
            );
        }
        for (uint32 marketId = MARKET; marketId <= OTHER; ++marketId) {
            (, MarketTotals memory totals) = settlement.market(marketId);
            all = abi.encode(all, totals);
        }
        return keccak256(all);
    }

    /// @dev Settles: the last item is refused for this reason, and nothing has moved.
    function refuse(Plan memory p, RejectReason reason) internal {
        bytes32 before = holdings();
        settleRejected(p, reason);
        assertTrue(holdings() == before, "a refused item has changed something");
    }

    /// @dev Serves a forced request: it is done with, for this reason, and nothing has moved.
    function serveInVain(uint64 requestId, address owner, RejectReason outcome) internal {
        bytes32 before = holdings();
        Plan memory p = plan();
        addForced(p, requestId, owner);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit IExitDesk.RequestServed(requestId, outcome);
        settlement.settle(payload, signatures);
        assertTrue(holdings() == before, "a request without effect has changed something");
        assertEq(settlement.forcedRequest(requestId).timeS, 0, "done with");
        assertSound();
    }

    function expectRevert(Plan memory p, bytes memory refusal) internal {
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectRevert(refusal);
        settlement.settle(payload, signatures);
    }

    /* STATES */

    function setPrice(uint32 ticks) internal {
        Plan memory p = plan();
        addPrice(p, ticks, ticks);
        settleAccepted(p);
    }

    /// @dev Fills a free balance up to the bound of section 1: nothing fits any more.
    function fillUp(uint256 key) internal {
        fund(key, QUOTE_MAX - free(key));
    }

    /// @dev Takes the whole free balance out.
    function empty(uint256 key) internal {
        Plan memory p = plan();
        addWithdrawal(p, key, address(0xbeef), uint64(free(key)), nextNonce++);
        settleAccepted(p);
        assertEq(free(key), 0, "nothing is free");
    }

    function topUp(address owner, uint64 amountQuote) internal returns (uint64 requestId) {
        token.mint(address(this), amountQuote);
        token.approve(address(settlement), amountQuote);
        settlement.depositToPosition(MARKET, owner, amountQuote);
        (, requestId) = settlement.requestQueue();
    }

    /// @dev A batch of two markets.
    function bothMarkets() internal view returns (Plan memory p) {
        p = planOf(MARKET);
        p.marketIds = new uint32[](2);
        (p.marketIds[0], p.marketIds[1]) = (MARKET, OTHER);
    }

    function planOf(uint32 marketId) internal view returns (Plan memory p) {
        p = plan();
        p.marketIds[0] = marketId;
    }
}
