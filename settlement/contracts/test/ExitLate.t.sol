// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../src/interfaces/IExitDesk.sol";
import { MarketTotals, PositionView } from "../src/interfaces/ISettlementTypes.sol";
import { StubOracle } from "./mocks/StubOracle.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice EXIT-3, EXIT-4: who leaves late, when others are bankrupt. At 1250 Bob's loss is 250,000,
/// more than his collateral; Eve's is the same, and hers is larger.
contract ExitLateTest is SettlementTest {
    uint256 private constant DAVE = 0xda5e;
    uint256 private constant EVE = 0xe5e;
    int256 private constant ENTRY_TICKS = 1000;
    int256 private constant QUOTE_PER_TICK_LOT = 10;

    uint256[5] private _keys = [ALICE, BOB, CAROL, DAVE, EVE];
    StubOracle private _oracle;

    function setUp() public override {
        super.setUp();
        fund(DAVE, 1_000_000_000);
        fund(EVE, 1_000_000_000);
        _oracle = new StubOracle(1000);
        govern(abi.encodeCall(settlement.setIndexAdapter, (MARKET, address(_oracle))));
    }

    /// @dev Who holds both sides leaves with the winner and lets the bankrupt loser stay.
    function test_exit_aSleeperPaysForNobody() public {
        _pair(ALICE, BOB, 100, 101_000);
        _pair(DAVE, EVE, 100, 400_000);
        _enterAt(1250);
        settlement.exitPosition(MARKET, vm.addr(ALICE));
        settlement.exitPosition(MARKET, vm.addr(DAVE));
        vm.warp(block.timestamp + 365 days);
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitNotSettled.selector, MARKET, 3));
        settlement.claimExitGain(MARKET, vm.addr(ALICE));
        uint256 eve = free(EVE);
        settlement.exitPositions(MARKET, _owners());
        assertEq(free(EVE) - eve, 149_800, "all that her loss has left");
        uint256 alice = free(ALICE);
        uint256 dave = free(DAVE);
        settlement.claimExitGain(MARKET, vm.addr(ALICE));
        settlement.claimExitGain(MARKET, vm.addr(DAVE));
        // Of 500,000 forgone Bob's 149,200 are lacking, for both alike.
        assertEq(free(ALICE) - alice, 175_400, "half of what the losers had");
        assertEq(free(DAVE) - dave, 175_400, "the same");
        assertSound();
    }

    /// @dev In whatever order, at whatever price, whoever is bankrupt: each gets its collateral less
    /// its loss, at least 0, and the winners together what the losers have lost.
    function testFuzz_exit_eachGetsItsOwn(uint256 seed) public {
        for (uint256 i = 0; i < 4; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            uint256 buyer = r % 5;
            uint256 seller = (buyer + 1 + (r >> 8) % 4) % 5;
            uint32 lots = uint32(1 + (r >> 16) % 100);
            uint64 marginQuote = uint64(lots * (1300 + (r >> 32) % 4000));
            _pair(_keys[buyer], _keys[seller], lots, marginQuote);
        }
        uint256 ticks = 500 + (seed >> 40) % 1000;
        _enterAt(ticks);
        uint256 openPositions = _count();
        for (uint256 i = 0; i < 5; ++i) {
            uint256 key = _keys[(i + (seed >> 80)) % 5];
            PositionView memory p = settlement.position(MARKET, vm.addr(key));
            if (p.positionLots == 0) continue;
            uint256 before = free(key);
            settlement.exitPosition(MARKET, vm.addr(key));
            int256 pnlQuote = p.positionLots * (int256(ticks) - ENTRY_TICKS) * QUOTE_PER_TICK_LOT;
            int256 restQuote = int256(p.collateralQuote) + (pnlQuote < 0 ? pnlQuote : int256(0));
            assertEqInt(int256(free(key) - before), restQuote < 0 ? int256(0) : restQuote, "own");
            --openPositions;
            assertSound();
        }
        assertEq(openPositions, 0, "all were counted");
        assertEq(_openOnChain(), 0, "and the fund's");
        for (uint256 i = 0; i < 5; ++i) {
            address owner = vm.addr(_keys[i]);
            if (settlement.exitGainQuote(MARKET, owner) != 0) {
                settlement.claimExitGain(MARKET, owner);
            }
        }
        assertSound();
        uint256 sum = settlement.feesQuote();
        for (uint256 i = 0; i < 5; ++i) {
            sum += free(_keys[i]);
        }
        assertGe(int256(sum) + 5, int256(settlement.custodyQuote()), "but for rounding");
    }

    /* HELPERS */

    function _pair(uint256 buyer, uint256 seller, uint32 lots, uint64 marginQuote) private {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, buyer, order(buyer, BUY, 1000, lots, marginQuote));
        addFill(p, taker, addOrder(p, seller, order(seller, SELL, 1000, lots, marginQuote)), lots);
        settleAccepted(p);
        assertEq(_openOnChain(), _count(), "as many as there are");
        vm.warp(block.timestamp + 1);
    }

    function _enterAt(uint256 ticks) private {
        _oracle.set(ticks);
        vm.prank(vm.addr(CAROL));
        settlement.requestWithdrawal(1, vm.addr(CAROL));
        vm.warp(block.timestamp + 1 days);
        settlement.enterExitMode();
    }

    function _openOnChain() private view returns (uint256) {
        (, MarketTotals memory totals) = settlement.market(MARKET);
        return totals.openPositions;
    }

    function _count() private view returns (uint256 count) {
        address[] memory owners = _owners();
        for (uint256 i = 0; i < owners.length; ++i) {
            if (settlement.position(MARKET, owners[i]).positionLots != 0) ++count;
        }
    }

    function _owners() private view returns (address[] memory owners) {
        owners = new address[](5);
        for (uint256 i = 0; i < 5; ++i) {
            owners[i] = vm.addr(_keys[i]);
        }
    }
}
