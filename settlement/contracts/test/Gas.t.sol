// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Order, OrderTwin } from "./utils/OrderTwin.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice Gas of the entry points as whole transactions, committed as snapshots/*.json: every
/// call is a transaction of its own (`isolate` in foundry.toml), so slots are cold and the 21,000
/// and the calldata are in the number.
contract GasTest is SettlementTest {
    uint256 private constant TRADER = 0x7ade0000;
    uint64 private constant MARGIN = 10_000_000;
    uint16 private constant BULK = 1 << 7;

    uint64 private openedNonce;

    function test_gas_deposit() public {
        address owner = vm.addr(ALICE);
        token.mint(owner, 1000);
        vm.startPrank(owner);
        token.approve(address(settlement), 1000);
        settlement.deposit(1000);
        vm.snapshotGasLastCall("settlement", "deposit");
        vm.stopPrank();
    }

    /// @dev 100 fills, 100 orders of two fills each, 20 accounts with open positions.
    function test_gas_fill_warm() public {
        _openAll(20);
        Plan memory p = plan();
        _addFills(p, 20, 100, 2);
        _measure(p, "fill", 100);
    }

    /// @dev 100 fills, every trader once, one fill an order, positions open before.
    function test_gas_fill_cold() public {
        _openAll(200);
        Plan memory p = plan();
        _addFills(p, 200, 200, 1);
        _measure(p, "fill_cold", 100);
    }

    /// @dev The same with positions that the fills open.
    function test_gas_fill_open() public {
        for (uint256 i = 0; i < 200; ++i) {
            fund(TRADER + i, 1_000_000_000);
        }
        _setPrice();
        Plan memory p = plan();
        _addFills(p, 200, 200, 1);
        _measure(p, "fill_open", 100);
    }

    /// @dev 100 takers, each with a position open, one immediate order with an ascending nonce
    /// (SIG-5) and one fill; 20 makers quote 25 orders in trees of 16 that each has signed once, and
    /// each order is filled four times.
    function test_gas_fill_bulk() public {
        _meet("fill_bulk", 1);
    }

    /// @dev The same with 50 orders of makers, of which each taker takes two.
    function test_gas_fill_bulk_of_two() public {
        _meet("fill_bulk_of_two", 2);
    }

    /// @dev The same with 100 orders of makers, of which each taker takes four.
    function test_gas_fill_bulk_of_four() public {
        _meet("fill_bulk_of_four", 4);
    }

    function _meet(string memory name, uint256 fillsPerTaker) private {
        _openAll(200);
        Plan memory p = plan();
        uint16[] memory makers = _addLadders(p, 25 * fillsPerTaker);
        _addTakers(p, makers, fillsPerTaker);
        _measure(p, name, 100 * fillsPerTaker);
    }

    /// @dev Each maker's order is filled four times.
    function _addTakers(Plan memory p, uint16[] memory makers, uint256 fillsPerOrder) private {
        for (uint256 i = 0; i < 100; ++i) {
            uint32 lots = uint32(5 * fillsPerOrder);
            Order memory o = order(TRADER + 2 * i, BUY, 1000, lots, uint64(MARGIN * fillsPerOrder));
            o.nonce = (1 << 63) + openedNonce;
            o.timeInForce = 1;
            uint16 taker = addOrder(p, TRADER + 2 * i, o);
            for (uint256 j = 0; j < fillsPerOrder; ++j) {
                addFill(p, taker, makers[(i * fillsPerOrder + j) / 4], 5);
            }
        }
    }

    /// @dev Orders of 20 makers in turn, each maker's under one signature.
    function _addLadders(Plan memory p, uint256 count) private returns (uint16[] memory orders) {
        orders = new uint16[](count);
        for (uint256 i = 0; i < 20; ++i) {
            uint256 quoted = (count - i + 19) / 20;
            uint16[] memory own = _addLadder(p, TRADER + 2 * i + 1, quoted);
            for (uint256 j = 0; j < quoted; ++j) {
                orders[20 * j + i] = own[j];
            }
        }
    }

    /// @dev The first orders of a tree of 16: node k has the children 2k and 2k + 1.
    function _addLadder(Plan memory p, uint256 key, uint256 quoted)
        private
        returns (uint16[] memory own)
    {
        Order[] memory orders = new Order[](quoted);
        bytes32[32] memory nodes;
        for (uint256 k = 31; k > 0; --k) {
            if (k < 16) nodes[k] = keccak256(abi.encode(nodes[2 * k], nodes[2 * k + 1]));
            else nodes[k] = keccak256(abi.encode(key, k));
            if (k < 16 || k - 16 >= quoted) continue;
            Order memory o = order(key, SELL, 1000, 20, 4 * MARGIN);
            o.nonce = openedNonce + 1 + uint64(k - 16);
            orders[k - 16] = o;
            nodes[k] = OrderTwin.orderHash(o);
        }
        uint16 root = addRoot(p, key, 4, nodes[1]);
        own = new uint16[](quoted);
        for (uint256 i = 0; i < quoted; ++i) {
            bytes memory leaf = abi.encodePacked(root, uint16(i));
            for (uint256 k = 16 + i; k > 1; k >>= 1) {
                leaf = bytes.concat(leaf, nodes[k ^ 1]);
            }
            own[i] = addOrderOf(p, orders[i], BULK, leaf);
        }
    }

    function test_gas_empty_batch() public {
        _setPrice();
        _measure(plan(), "batch_empty", 1);
    }

    function test_gas_price() public {
        _setPrice();
        Plan memory p = plan();
        for (uint256 i = 0; i < 10; ++i) {
            addPrice(p, uint32(1000 + i), 1000);
        }
        _measure(p, "price", 10);
    }

    function test_gas_withdrawal() public {
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), 1000, 1);
        _measure(p, "withdrawal", 1);
    }

    /// @dev Ten positions, each closed wholly against a resting order of its own.
    function test_gas_liquidation() public {
        uint256 count = 10;
        for (uint256 i = 0; i < 2 * count; ++i) {
            fund(TRADER + i, 1_000_000_000);
        }
        _setPrice();
        Plan memory p = plan();
        for (uint256 i = 0; i < count; ++i) {
            Order memory long = order(TRADER + i, BUY, 1000, 100, 101_000);
            Order memory short = order(TRADER + count + i, SELL, 1000, 100, 500_000);
            addFill(p, addOrder(p, TRADER + i, long), addOrder(p, TRADER + count + i, short), 100);
        }
        settleAccepted(p);
        p = plan();
        addPrice(p, 902, 902);
        settleAccepted(p);
        p = plan();
        for (uint256 i = 0; i < count; ++i) {
            Order memory bid = order(TRADER + count + i, BUY, 902, 100, 0);
            uint16 index = addPosition(p, vm.addr(TRADER + i));
            addLiquidation(p, index, addOrder(p, TRADER + count + i, bid), 100);
        }
        _measure(p, "liquidation", count);
    }

    function _setPrice() private {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
    }

    function _openAll(uint256 traders) private {
        for (uint256 i = 0; i < traders; ++i) {
            fund(TRADER + i, 1_000_000_000);
        }
        _setPrice();
        Plan memory p = plan();
        _addFills(p, traders, traders, 1);
        settleAccepted(p);
    }

    /// @dev Orders alternate: even buys, odd sells; order 2k and 2k+1 trade `fillsPerOrder` times.
    function _addFills(Plan memory p, uint256 traders, uint256 orders, uint256 fillsPerOrder)
        private
    {
        uint64 firstNonce = 1600 + nextNonce / 8 * 8;
        openedNonce = firstNonce;
        for (uint256 i = 0; i < orders; ++i) {
            uint256 key = TRADER + i % traders;
            Order memory o = order(key, i % 2 == 0 ? BUY : SELL, 1000, 10, MARGIN);
            o.nonce = firstNonce + uint64(i / traders);
            addOrder(p, key, o);
        }
        for (uint256 i = 0; i < orders; i += 2) {
            for (uint256 j = 0; j < fillsPerOrder; ++j) {
                addFill(p, uint16(i), uint16(i + 1), 5);
            }
        }
    }

    function _measure(Plan memory p, string memory name, uint256 units) private {
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        (, bytes memory reasons) = dryRun(payload, signatures);
        for (uint256 i = 0; i < reasons.length; ++i) {
            assertEq(uint8(reasons[i]), 0, "accepted");
        }
        settlement.settle(payload, signatures);
        uint256 gasUsed = vm.snapshotGasLastCall("settlement", name);
        bytes memory data = abi.encodeCall(settlement.settle, (payload, signatures));
        if (units == 1) return;
        vm.snapshotValue("settlement", string.concat(name, "_each"), gasUsed / units);
        vm.snapshotValue("settlement", string.concat(name, "_bytes_each"), data.length / units);
        string memory intrinsic = string.concat(name, "_intrinsic_each");
        vm.snapshotValue("settlement", intrinsic, _intrinsicGas(data) / units);
    }

    /// @dev What a transaction costs before anything is run.
    function _intrinsicGas(bytes memory data) private pure returns (uint256 gas) {
        gas = 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            gas += data[i] == 0 ? 4 : 16;
        }
    }
}
