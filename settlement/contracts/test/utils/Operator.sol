// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MarketState, PositionView } from "../../src/interfaces/ISettlementTypes.sol";
import { Order } from "./OrderTwin.sol";
import { Plan, SettlementTest } from "./SettlementTest.sol";
import { vm } from "./Vm.sol";

/// @notice A malicious operator with the keys of the attestors and of the oracle: it settles what
/// it likes, with orders that users signed, and with orders that they did not sign.
contract Operator is SettlementTest {
    uint256 private constant TRADERS = 6;
    uint256 private constant TRADER = 0x7ade0000;

    mapping(uint256 trader => uint256 quote) public deposited;
    mapping(uint256 trader => uint256 quote) public consented;
    mapping(uint256 trader => Order[]) private _orders;
    uint256 public accepted;
    uint256 public refused;
    uint256[11] public acceptedOf;

    constructor() {
        setUp();
        for (uint256 i = 0; i < TRADERS; ++i) {
            _deposit(i, 50_000_000);
        }
        Plan memory p = plan();
        addPrice(p, 10_000, 10_000);
        _submit(p);
    }

    /* ACTIONS */

    function depositMore(uint256 trader, uint256 amountQuote) external {
        _deposit(trader % TRADERS, bound(amountQuote, 1, 10_000_000));
    }

    function insure(uint256 amountQuote) external {
        amountQuote = bound(amountQuote, 1, 50_000_000);
        token.mint(address(this), amountQuote);
        token.approve(address(settlement), amountQuote);
        settlement.fundInsurance(MARKET, amountQuote);
    }

    function movePrice(uint256 seed) external {
        vm.warp(block.timestamp + seed % 100);
        Plan memory p = plan();
        (MarketState memory state,) = settlement.market(MARKET);
        // One move in four is a crash or a rally, the others are gentle.
        uint256 reach = seed & 1024 == 0 || seed & 2048 == 0 ? 20 : 2;
        uint256 indexTicks = state.indexTicks;
        uint256 span = indexTicks / reach;
        indexTicks = bound(seed >> 32, indexTicks - span, indexTicks + span);
        if (indexTicks == 0) indexTicks = 1;
        if (indexTicks > 900_000) indexTicks = 900_000;
        uint256 markTicks = indexTicks * bound(seed >> 96, 97, 103) / 100;
        addPrice(p, uint32(indexTicks), uint32(markTicks == 0 ? 1 : markTicks));
        _submit(p);
    }

    function moveFunding(int256 step) external {
        vm.warp(block.timestamp + 3600);
        (MarketState memory state,) = settlement.market(MARKET);
        Plan memory p = plan();
        addFunding(p, int64(state.fundingIndexE6 + boundInt(step, -1_000_000_000, 1_000_000_000)));
        _submit(p);
    }

    /// @dev Fills near the mark, several a batch, of orders new and old.
    function trade(uint256 seed) external {
        Plan memory p = plan();
        uint256 fills = 1 + seed % 4;
        for (uint256 i = 0; i < fills; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            _addTrade(p, seed);
        }
        _submit(p);
    }

    /// @dev An order that its account did not sign.
    function forge(uint256 seed) external {
        seed >>= 1;
        Plan memory p = plan();
        Order memory o = order(TRADER + seed % TRADERS, BUY, 10_000, 10, 1_000_000);
        uint16 taker = addOrder(p, ATTESTOR, o);
        (uint16 maker,) = _newOrder(p, (seed + 1) % TRADERS, SELL, seed >> 16);
        addFill(p, taker, maker, 1);
        addWithdrawalAs(p, ATTESTOR, vm.addr(TRADER + seed % TRADERS), address(this), 1, 999);
        addCollateralAs(p, ATTESTOR, vm.addr(TRADER + seed % TRADERS), 1, 998, p.clockTimeS + 1);
        uint256 before = accepted;
        _submit(p);
        assertEq(accepted, before, "nothing without the user's signature");
    }

    function liquidate(uint256 seed) external {
        seed >>= 1;
        Plan memory p = plan();
        _refresh(p, seed);
        (MarketState memory state,) = settlement.market(MARKET);
        for (uint256 i = 0; i < TRADERS; ++i) {
            uint256 other = (i + 1 + (seed >> 8) % (TRADERS - 1)) % TRADERS;
            uint16 victim = addPosition(p, vm.addr(TRADER + i));
            uint8 side = position(TRADER + i).positionLots > 0 ? BUY : SELL;
            (uint16 maker,) = _signedOrder(p, other, side, state.markTicks, 10, 5_000_000);
            for (uint32 lots = 1; lots <= 3; ++lots) {
                addLiquidation(p, victim, maker, lots);
            }
        }
        _submit(p);
    }

    function takeOver(uint256 seed) external {
        Plan memory p = plan();
        _refresh(p, seed);
        for (uint256 i = 0; i < TRADERS; ++i) {
            address owner = vm.addr(TRADER + i);
            int256 lots = settlement.position(MARKET, owner).positionLots;
            if (lots < 0) lots = -lots;
            addTakeover(p, addPosition(p, owner), addPosition(p, FUND), uint40(uint256(lots)));
        }
        _submit(p);
    }

    function deleverage(uint256 seed) external {
        Plan memory p = plan();
        _refresh(p, seed);
        for (uint256 i = 0; i < 6; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint16 a = addPosition(p, vm.addr(TRADER + seed % TRADERS));
            uint16 b = addPosition(p, vm.addr(TRADER + (seed >> 32) % TRADERS));
            addAdl(p, a, b, uint40(1 + (seed >> 64) % 50));
        }
        _submit(p);
    }

    function closeFund(uint256 seed) external {
        Plan memory p = plan();
        _refresh(p, seed);
        bool isLong = settlement.position(MARKET, FUND).positionLots > 0;
        (uint16 maker, uint64 lots) = _newOrder(p, seed % TRADERS, isLong ? BUY : SELL, seed >> 16);
        addFundFill(p, addPosition(p, FUND), maker, uint32(lots));
        _submit(p);
    }

    function moveCollateral(uint256 trader, int256 amountQuote) external {
        trader %= TRADERS;
        int256 amount = boundInt(amountQuote, -2_000_000, 2_000_000);
        if (amount > 0) consented[trader] += uint256(amount);
        Plan memory p = plan();
        addCollateral(p, TRADER + trader, int64(amount), nextNonce++);
        _submit(p);
    }

    function withdraw(uint256 trader, uint256 amountQuote) external {
        trader %= TRADERS;
        uint256 amount = bound(amountQuote, 1, 2_000_000);
        consented[trader] += amount;
        Plan memory p = plan();
        address to = amountQuote % 5 == 0 ? address(0) : address(0xbeef);
        addWithdrawal(p, TRADER + trader, to, uint64(amount), nextNonce++);
        _submit(p);
    }

    function cancel(uint256 trader, uint256 seed) external {
        trader %= TRADERS;
        if (_orders[trader].length == 0) return;
        killNonce(TRADER + trader, _orders[trader][seed % _orders[trader].length].nonce);
    }

    /* WHAT MUST HOLD */

    function checkConservation() external view {
        assertSound();
    }

    /// @dev The free balance falls only by what its owner signed: the margin of orders, top-ups and
    /// withdrawals. No loss of a position ever reaches it.
    function checkIsolationFloor() external view {
        for (uint256 i = 0; i < TRADERS; ++i) {
            int256 least = int256(deposited[i]) - int256(consented[i]);
            assertGe(int256(free(TRADER + i)), least, "isolation floor");
        }
    }

    function checkNoOverfill() external view {
        for (uint256 i = 0; i < TRADERS; ++i) {
            for (uint256 j = 0; j < _orders[i].length; ++j) {
                Order storage o = _orders[i][j];
                uint32 filled = settlement.filledLots(o.account, o.nonce);
                if (filled == type(uint32).max) continue;
                assertTrue(filled <= o.qtyLots, "overfill");
            }
        }
    }

    function checkNothingIsLeftBehind() external view {
        for (uint256 i = 0; i < TRADERS; ++i) {
            PositionView memory p = settlement.position(MARKET, vm.addr(TRADER + i));
            if (p.positionLots != 0) continue;
            assertEqInt(p.collateralQuote, 0, "collateral in a closed position");
            assertEq(p.entryValueQuote, 0, "entry value in a closed position");
        }
    }

    /* HELPERS */

    function _addTrade(Plan memory p, uint256 seed) private {
        uint256 a = seed % TRADERS;
        uint256 b = (a + 1 + (seed >> 8) % (TRADERS - 1)) % TRADERS;
        (uint16 taker, uint64 lots) = _newOrder(p, a, BUY, seed >> 16);
        (uint16 maker,) = _newOrder(p, b, SELL, seed >> 80);
        addFill(p, taker, maker, uint32(lots));
        addFill(p, taker, maker, uint32(1 + lots / 2));
        if (_orders[a].length == 0) return;
        Order memory old = _orders[a][(seed >> 128) % _orders[a].length];
        uint16 again = addOrder(p, TRADER + a, old);
        addFill(p, again, maker, uint32(1 + (seed >> 160) % 20));
    }

    function _deposit(uint256 trader, uint256 amountQuote) private {
        fund(TRADER + trader, amountQuote);
        deposited[trader] += amountQuote;
    }

    /// @dev The same price again, fresh.
    function _refresh(Plan memory p, uint256) private view {
        (MarketState memory state,) = settlement.market(MARKET);
        addPrice(p, state.indexTicks, state.markTicks);
    }

    function _newOrder(Plan memory p, uint256 trader, uint8 side, uint256 seed)
        private
        returns (uint16 index, uint64 lots)
    {
        (MarketState memory state,) = settlement.market(MARKET);
        lots = uint64(1 + seed % 40);
        uint256 aggressive = side == BUY ? 90 + (seed >> 8) % 20 : 110 - (seed >> 8) % 20;
        uint64 priceTicks = uint64(1 + uint256(state.markTicks) * aggressive / 100);
        uint64 margin = uint64(lots * priceTicks * 10 * (5 + (seed >> 16) % 30) / 100);
        return _signedOrder(p, trader, side, priceTicks, lots, margin);
    }

    function _signedOrder(
        Plan memory p,
        uint256 trader,
        uint8 side,
        uint64 priceTicks,
        uint64 lots,
        uint64 margin
    ) private returns (uint16, uint64) {
        Order memory o = order(TRADER + trader, side, priceTicks, lots, margin);
        o.expiryTimeS = type(uint32).max;
        consented[trader] += margin;
        _orders[trader].push(o);
        return (addOrder(p, TRADER + trader, o), lots);
    }

    function _submit(Plan memory p) private {
        bytes memory reasons = settle(p);
        uint256 offset = 0;
        for (uint256 i = 0; i < reasons.length; ++i) {
            uint8 opcode = uint8(p.items[offset]);
            offset += _length(opcode);
            if (reasons[i] != 0) {
                ++refused;
                continue;
            }
            ++acceptedOf[opcode];
            if (opcode != 1) ++accepted;
        }
    }

    function _length(uint8 opcode) private pure returns (uint256) {
        if (opcode == 1) return 81;
        if (opcode == 9) return 89;
        if (opcode == 10) return 109;
        return opcode == 3 || opcode == 4 || opcode == 7 ? 9 : 10;
    }
}
