// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    Health,
    MarketState,
    MarketTotals,
    PositionView,
    VenuePhase
} from "../../src/interfaces/ISettlementTypes.sol";
import { SessionKeyScope } from "../../src/libraries/SessionKeyLib.sol";
import { Order, OrderTwin } from "./OrderTwin.sol";
import { Plan, SettlementTest } from "./SettlementTest.sol";
import { vm } from "./Vm.sol";

/// @notice A malicious operator with the keys of the attestors and of the oracle: it settles what
/// it likes, with orders that users signed, and with orders that they did not sign.
contract Operator is SettlementTest {
    uint256 internal constant TRADERS = 6;
    uint256 internal constant TRADER = 0x7ade0000;
    /// @dev It and the next one are the operator's own: funded by itself, and no less counted.
    uint256 internal constant INSIDER = 4;
    uint256 internal constant KEY = 0x5e5510;
    uint16 internal constant BY_SESSION_KEY = 1 << 8;
    address internal constant RECEIVER = address(0xbeef);

    mapping(uint256 trader => uint256 quote) public deposited;
    mapping(uint256 trader => uint256 quote) public consented;
    mapping(uint256 trader => Order[]) internal _orders;
    uint256 public accepted;
    uint256 public refused;
    uint256[19] public acceptedOf;
    mapping(uint8 reason => uint256 count) public refusedFor;
    /// @dev The market that the next actions are about.
    uint32 internal _at = MARKET;
    uint256 public exits;
    uint256 public reclaimed;

    constructor() {
        setUp();
        for (uint256 i = 0; i < TRADERS; ++i) {
            _deposit(i, 50_000_000);
        }
        Plan memory p = _plan();
        addPrice(p, 10_000, 10_000);
        _submit(p);
    }

    /// @dev In exit mode there are no batches, deposits and requests.
    modifier whileOpen() {
        if (settlement.phase() == VenuePhase.OPEN) _;
    }

    /* ACTIONS */

    function depositMore(uint256 trader, uint256 amountQuote) external whileOpen {
        trader %= TRADERS;
        amountQuote = bound(amountQuote, 1, 10_000_000);
        address owner = vm.addr(TRADER + trader);
        token.mint(owner, amountQuote);
        vm.startPrank(owner);
        token.approve(address(settlement), amountQuote);
        // While a forced withdrawal of the account waits: refused.
        try settlement.deposit(amountQuote) {
            deposited[trader] += amountQuote;
        } catch { }
        vm.stopPrank();
    }

    /// @dev A trader gives the fund money; too many such requests of one are refused.
    function insure(uint256 amountQuote) external whileOpen {
        amountQuote = bound(amountQuote, 1, 50_000_000);
        uint256 trader = amountQuote % TRADERS;
        address owner = vm.addr(TRADER + trader);
        vm.startPrank(owner);
        token.approve(address(settlement), amountQuote);
        _deposited(trader, amountQuote);
        consented[trader] += amountQuote;
        try settlement.fundInsurance(_at, amountQuote) { } catch { }
        vm.stopPrank();
    }

    function movePrice(uint256 seed) external whileOpen {
        vm.warp(block.timestamp + seed % 100);
        Plan memory p = _plan();
        (MarketState memory state,) = settlement.market(_at);
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

    function moveFunding(int256 step) external whileOpen {
        vm.warp(block.timestamp + 3600);
        (MarketState memory state,) = settlement.market(_at);
        Plan memory p = _plan();
        addFunding(p, int64(state.fundingIndexE6 + boundInt(step, -1_000_000_000, 1_000_000_000)));
        _submit(p);
    }

    /// @dev Fills near the mark, several a batch, of orders new and old.
    function trade(uint256 seed) external whileOpen {
        Plan memory p = _plan();
        if (seed & 48 != 0) _refresh(p, seed); // else at the last row, which may be too old
        uint256 fills = 1 + seed % 4;
        for (uint256 i = 0; i < fills; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            _addTrade(p, seed);
        }
        _submit(p);
    }

    /// @dev The operator's own accounts open at one row; at another one, far away, the winner leaves
    /// before the loser is liquidated: against an honest trader, or by force.
    function plunder(uint256 seed) external whileOpen {
        (MarketState memory state,) = settlement.market(_at);
        bool falls = seed & 1 == 0;
        uint256 winner = falls ? INSIDER + 1 : INSIDER;
        uint64 ticks = state.indexTicks;
        if (ticks < 100 || ticks > 400_000) return;
        uint64 requestId = seed & 6 == 0 ? _requestReduce(winner) : 0;
        Plan memory p = _plan();
        uint64 lots = uint64(20 + (seed >> 8) % 100);
        _addMeeting(p, INSIDER + 1, INSIDER, SELL, ticks, lots, 12);
        ticks = ticks * uint64(falls ? 50 + (seed >> 16) % 40 : 111 + (seed >> 16) % 60) / 100;
        if (requestId != 0) {
            addPrice(p, uint32(ticks), uint32(ticks));
            addForced(p, requestId, vm.addr(TRADER + winner));
        }
        _addMeeting(p, winner, (seed >> 24) % INSIDER, falls ? BUY : SELL, ticks, lots, 15);
        int64 amount = int64(uint64(1 + (seed >> 32) % 1_000_000));
        addCollateral(p, TRADER + winner, -amount, nextNonce++);
        _submit(p);
    }

    /// @dev A fill at a new row, with so many hundredths of the notional as margin on both sides.
    function _addMeeting(
        Plan memory p,
        uint256 one,
        uint256 other,
        uint8 side,
        uint64 ticks,
        uint64 lots,
        uint64 share
    ) private {
        addPrice(p, uint32(ticks), uint32(ticks));
        uint64 margin = lots * ticks * share / 10;
        (uint16 taker,) = _signedOrder(p, one, side, ticks, lots, margin);
        (uint16 maker,) = _signedOrder(p, other, 1 - side, ticks, lots, margin);
        addFill(p, taker, maker, uint32(lots));
    }

    /// @dev At the queue's head, or 0.
    function _requestReduce(uint256 trader) private returns (uint64 id) {
        (uint64 served, uint64 made) = settlement.requestQueue();
        if (served != made || _lotsOf(trader) == 0) return 0;
        vm.prank(vm.addr(TRADER + trader));
        return settlement.requestReduce(_at, 1000);
    }

    /// @dev An order that its account did not sign.
    function forge(uint256 seed) external whileOpen {
        seed >>= 1;
        Plan memory p = _plan();
        Order memory o = _order(TRADER + seed % TRADERS, BUY, 10_000, 10, 1_000_000);
        uint16 taker = addOrder(p, ATTESTOR, o);
        (uint16 maker,) = _newOrder(p, (seed + 1) % TRADERS, SELL, seed >> 16);
        addFill(p, taker, maker, 1);
        addWithdrawalAs(p, ATTESTOR, vm.addr(TRADER + seed % TRADERS), address(this), 1, 999);
        addCollateralAs(p, ATTESTOR, vm.addr(TRADER + seed % TRADERS), 1, 998, p.clockTimeS + 1);
        uint256 before = accepted;
        _submit(p);
        assertEq(accepted, before, "nothing without the user's signature");
    }

    function liquidate(uint256 seed) external whileOpen {
        seed >>= 1;
        Plan memory p = _plan();
        uint32 ticks = _endangeringTicks(seed >> 16);
        addPrice(p, ticks, ticks);
        for (uint256 i = 0; i < TRADERS; ++i) {
            uint256 other = (i + 1 + (seed >> 8) % (TRADERS - 1)) % TRADERS;
            uint16 victim = addPosition(p, vm.addr(TRADER + i));
            bool isLong = _lotsOf(i) > 0;
            uint8 side = isLong ? BUY : SELL;
            (uint16 maker,) = _signedOrder(p, other, side, ticks, 10, 5_000_000);
            for (uint32 lots = 1; lots <= 3; ++lots) {
                addLiquidation(p, victim, maker, lots);
            }
        }
        _submit(p);
    }

    function takeOver(uint256 seed) external whileOpen {
        Plan memory p = _plan();
        _refresh(p, seed);
        for (uint256 i = 0; i < TRADERS; ++i) {
            address owner = vm.addr(TRADER + i);
            int256 lots = settlement.position(_at, owner).positionLots;
            if (lots < 0) lots = -lots;
            addTakeover(p, addPosition(p, owner), addPosition(p, FUND), uint40(uint256(lots)));
        }
        _submit(p);
    }

    function deleverage(uint256 seed) external whileOpen {
        Plan memory p = _plan();
        _refresh(p, seed);
        for (uint256 i = 0; i < 6; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint16 a = addPosition(p, vm.addr(TRADER + seed % TRADERS));
            uint16 b = addPosition(p, vm.addr(TRADER + (seed >> 32) % TRADERS));
            addAdl(p, a, b, uint40(1 + (seed >> 64) % 50));
        }
        _submit(p);
    }

    function closeFund(uint256 seed) external whileOpen {
        Plan memory p = _plan();
        _refresh(p, seed);
        bool isLong = settlement.position(_at, FUND).positionLots > 0;
        (uint16 maker, uint64 lots) = _newOrder(p, seed % TRADERS, isLong ? BUY : SELL, seed >> 16);
        addFundFill(p, addPosition(p, FUND), maker, 1);
        addFundFill(p, addPosition(p, FUND), maker, uint32(lots));
        _submit(p);
    }

    function moveCollateral(uint256 trader, int256 amountQuote) external whileOpen {
        trader %= TRADERS;
        int256 amount = boundInt(amountQuote, -2_000_000, 2_000_000);
        if (amount > 0) consented[trader] += uint256(amount);
        Plan memory p = _plan();
        addCollateral(p, TRADER + trader, int64(amount), nextNonce++);
        _submit(p);
    }

    function withdraw(uint256 trader, uint256 amountQuote) external whileOpen {
        trader %= TRADERS;
        uint256 amount = bound(amountQuote, 1, 2_000_000);
        consented[trader] += amount;
        Plan memory p = _plan();
        address to = amountQuote % 5 == 0 ? address(0) : RECEIVER;
        addWithdrawal(p, TRADER + trader, to, uint64(amount), nextNonce++);
        _submit(p);
    }

    function cancel(uint256 trader, uint256 seed) external whileOpen {
        trader %= TRADERS;
        if (_orders[trader].length == 0) return;
        uint64 nonce = _orders[trader][seed % _orders[trader].length].nonce;
        vm.prank(vm.addr(TRADER + trader));
        settlement.requestCancel(nonce);
    }

    /// @dev What owners ask for behind the operator's back.
    function request(uint256 trader, uint256 seed) external whileOpen {
        trader %= TRADERS;
        address owner = vm.addr(TRADER + trader);
        uint64 amount = uint64(1 + seed % 3_000_000);
        if (seed >> 64 & 3 == 0) {
            _deposited(trader, amount);
            consented[trader] += amount;
            vm.startPrank(owner);
            token.approve(address(settlement), amount);
            settlement.depositToPosition(_at, owner, amount);
            vm.stopPrank();
            return;
        }
        vm.startPrank(owner);
        if (seed >> 64 & 3 == 1) {
            consented[trader] += amount;
            settlement.requestWithdrawal(amount, RECEIVER);
        } else if (settlement.position(_at, owner).positionLots != 0) {
            settlement.requestReduce(_at, uint64(1 + seed % 30));
        }
        vm.stopPrank();
    }

    /// @dev Serves the head of the queue, or another request in its place, or for another account.
    function serve(uint256 seed) external whileOpen {
        (uint64 served, uint64 made) = settlement.requestQueue();
        if (served == made) return;
        Plan memory p = _plan();
        if (seed & 1 == 0) _refresh(p, seed);
        address owner = settlement.forcedRequest(served + 1).account;
        if (seed & 14 == 0) owner = vm.addr(TRADER + (seed >> 8) % TRADERS);
        addForced(p, served + (seed & 48 == 0 ? 2 : 1), owner);
        _submit(p);
    }

    /// @dev A session key of a trader trades, within its scope or beyond.
    function tradeByKey(uint256 seed) external whileOpen {
        uint256 trader = seed % TRADERS;
        SessionKeyScope memory scope =
            SessionKeyScope(uint64(seed >> 8 & 1), 5, 3_000_000, uint40(block.timestamp + 1 days));
        if (seed >> 16 & 7 == 0) {
            vm.prank(vm.addr(TRADER + trader));
            settlement.setSessionKey(vm.addr(KEY), scope);
        }
        Plan memory p = _plan();
        (MarketState memory state,) = settlement.market(_at);
        Order memory o = _order(TRADER + trader, BUY, state.markTicks + 1, 5, state.markTicks * 20);
        o.expiryTimeS = type(uint32).max;
        consented[trader] += o.marginQuote;
        _orders[trader].push(o);
        bytes32 digest = OrderTwin.orderDigest(settlement.domainSeparator(), o);
        uint16 taker = addOrderOf(p, o, BY_SESSION_KEY, compact(KEY, digest));
        (uint16 maker,) = _newOrder(p, (trader + 1) % TRADERS, SELL, seed >> 32);
        addFill(p, taker, maker, 1 + uint32(seed >> 96) % 5);
        _submit(p);
    }

    /// @dev Backs the fund, asks to leave, leaves.
    function back(uint256 trader, uint256 seed) external {
        trader %= TRADERS;
        address owner = vm.addr(TRADER + trader);
        uint256 shares = settlement.backer(_at, owner).shares;
        bool isOpen = settlement.phase() == VenuePhase.OPEN;
        if (!isOpen || settlement.backer(_at, owner).lockedShares != 0) return;
        vm.warp(block.timestamp + (seed & 7 == 0 ? 7 days : 0));
        bool isLeaving = settlement.backer(_at, owner).leavingShares != 0;
        if (isLeaving) {
            if (settlement.backer(_at, owner).dueTimeS > block.timestamp) return;
            // Too late: refused.
            vm.prank(owner);
            try settlement.finishUnbacking(_at) { } catch { }
            return;
        }
        if (shares != 0 && seed & 3 == 0) {
            vm.prank(owner);
            settlement.requestUnbacking(_at, shares);
        } else {
            uint256 amount = seed & 48 == 0 ? 1 : 1_000_000 + seed % 1_000_000;
            _deposited(trader, amount);
            consented[trader] += amount;
            vm.startPrank(owner);
            token.approve(address(settlement), amount);
            try settlement.backFund(_at, amount) { } catch { }
            vm.stopPrank();
        }
    }

    /// @dev What unserved requests have brought goes back, by anybody, once.
    function reclaim(uint256 seed) external {
        (uint64 served, uint64 made) = settlement.requestQueue();
        if (settlement.phase() != VenuePhase.EXIT || served == made) return;
        uint64 id = served + 1 + uint64(seed % (made - served));
        try settlement.reclaimRequest(id) {
            ++reclaimed;
        } catch { }
    }

    /// @dev Withdrawals that have waited are paid, by anybody.
    function claim(uint256 seed) external {
        uint256 count = settlement.waitingWithdrawals();
        if (count == 0) return;
        uint256 id = 1 + seed % count;
        (address owner,,, uint40 dueTimeS) = settlement.waitingWithdrawal(id);
        if (owner != address(0) && dueTimeS <= block.timestamp) settlement.claimWithdrawal(id);
    }

    /// @dev The operator is dead: a request grows old, and everybody leaves, one by one.
    function die(uint256 seed) external {
        if (settlement.phase() == VenuePhase.OPEN) {
            (uint64 served, uint64 made) = settlement.requestQueue();
            if (served == made || seed & 3 != 0) return;
            vm.warp(block.timestamp + 1 days);
            settlement.enterExitMode();
        }
        for (uint256 i = 0; i < TRADERS; ++i) {
            uint256 trader = (i + (seed >> 8)) % TRADERS;
            address owner = vm.addr(TRADER + trader);
            // Not everybody notices.
            if (seed >> (24 + i) & 1 != 0) continue;
            if (settlement.position(_at, owner).positionLots != 0) {
                settlement.exitPosition(_at, owner);
                ++exits;
            }
            if (seed >> 16 & 1 == 0) continue;
            uint256 amount = free(TRADER + trader);
            if (amount == 0) continue;
            consented[trader] += amount;
            vm.prank(owner);
            settlement.exitWithdraw(amount, RECEIVER);
        }
    }

    /* WHAT MUST HOLD */

    /// @dev Whoever submits and signs batches ends with nothing: not one unit of anybody's.
    function checkNobodyElseGains() external view {
        address[5] memory thieves = [
            vm.addr(ATTESTOR), vm.addr(ATTESTOR + 1), vm.addr(ORACLE), vm.addr(KEY), address(this)
        ];
        uint256 consentedQuote = 0;
        for (uint256 i = 0; i < TRADERS; ++i) {
            consentedQuote += consented[i];
        }
        for (uint256 i = 0; i < thieves.length; ++i) {
            (uint96 freeQuote,) = settlement.account(thieves[i]);
            assertEq(freeQuote + token.balanceOf(thieves[i]), 0, "a unit taken");
        }
        assertTrue(token.balanceOf(RECEIVER) <= consentedQuote, "more paid than signed for");
    }

    function checkConservation() external view {
        assertSound();
        assertEqInt(settlement.positionsSum(2), 0, "CONS-2");
        Health memory h = settlement.health();
        assertEq(h.lotsGap, 0, "CONS-3");
        assertEqInt(h.liabilitiesGapQuote, 0, "CONS-3");
        assertEqInt(h.custodyGapQuote, 0, "CONS-3");
    }

    /// @dev CONS-4: no market owes, and all free balances can be paid in full.
    function checkPots() external view {
        uint256 owedQuote =
            settlement.waitingQuote() + settlement.feesQuote() + settlement.requestsQuote();
        for (uint256 i = 0; i < TRADERS; ++i) {
            owedQuote += free(TRADER + i);
        }
        for (uint32 marketId = 1; marketId <= 2; ++marketId) {
            (, MarketTotals memory totals) = settlement.market(marketId);
            int256 potQuote = int256(totals.positionsQuote) + int256(totals.fundingPoolQuote);
            assertGe(potQuote, 0, "CONS-4");
            owedQuote += uint256(potQuote);
        }
        assertTrue(settlement.VAULT().balanceQuote() >= owedQuote, "free balances are backed");
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
            for (uint32 marketId = 1; marketId <= 2; ++marketId) {
                PositionView memory p = settlement.position(marketId, vm.addr(TRADER + i));
                if (p.positionLots != 0) continue;
                assertEqInt(p.collateralQuote, 0, "collateral in a closed position");
                assertEq(p.entryValueQuote, 0, "entry value in a closed position");
            }
        }
    }

    /* HELPERS */

    /// @dev A batch of the market that is picked.
    function _plan() internal view returns (Plan memory p) {
        p = plan();
        p.marketIds[0] = _at;
    }

    function _order(uint256 key, uint8 side, uint64 priceTicks, uint64 lots, uint64 margin)
        internal
        returns (Order memory o)
    {
        o = order(key, side, priceTicks, lots, margin);
        o.marketId = _at;
    }

    function _lotsOf(uint256 trader) internal view returns (int256) {
        return settlement.position(_at, vm.addr(TRADER + trader)).positionLots;
    }

    function _addTrade(Plan memory p, uint256 seed) internal {
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

    function _deposit(uint256 trader, uint256 amountQuote) internal {
        fund(TRADER + trader, amountQuote);
        deposited[trader] += amountQuote;
    }

    function _deposited(uint256 trader, uint256 amountQuote) internal {
        token.mint(vm.addr(TRADER + trader), amountQuote);
        deposited[trader] += amountQuote;
    }

    /// @dev Where a trader's equity is 2 % of the notional, above bankruptcy and below maintenance;
    /// the same price again for who holds nothing.
    function _endangeringTicks(uint256 seed) internal view returns (uint32) {
        (MarketState memory state,) = settlement.market(_at);
        PositionView memory held = settlement.position(_at, vm.addr(TRADER + seed % TRADERS));
        int256 lots = held.positionLots;
        if (lots == 0 || seed >> 8 & 3 == 0) return state.indexTicks;
        int256 value = int256(uint256(held.entryValueQuote));
        int256 ticks = lots > 0
            ? (value - held.collateralQuote) * 100 / (98 * lots * UNIT)
            : (value + held.collateralQuote) * 100 / (102 * -lots * UNIT);
        return uint32(uint256(boundInt(ticks, 1, 900_000)));
    }

    /// @dev The same price again, fresh.
    function _refresh(Plan memory p, uint256) internal view {
        (MarketState memory state,) = settlement.market(_at);
        addPrice(p, state.indexTicks, state.markTicks);
    }

    function _newOrder(Plan memory p, uint256 trader, uint8 side, uint256 seed)
        internal
        returns (uint16 index, uint64 lots)
    {
        (MarketState memory state,) = settlement.market(_at);
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
    ) internal returns (uint16, uint64) {
        Order memory o = _order(TRADER + trader, side, priceTicks, lots, margin);
        o.expiryTimeS = type(uint32).max;
        consented[trader] += margin;
        _orders[trader].push(o);
        return (addOrder(p, TRADER + trader, o), lots);
    }

    function _submit(Plan memory p) internal {
        bytes memory reasons = settle(p);
        uint256 offset = 0;
        for (uint256 i = 0; i < reasons.length; ++i) {
            uint8 opcode = uint8(p.items[offset]);
            offset += _length(opcode);
            if (reasons[i] != 0) {
                ++refused;
                ++refusedFor[uint8(reasons[i])];
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
        if (opcode == 11) return 119;
        if (opcode == 12) return 2;
        if (opcode == 13) return 97;
        if (opcode == 14) return 3;
        if (opcode == 15 || opcode > 16) return 13;
        if (opcode == 16) return 14;
        return opcode == 3 || opcode == 4 || opcode == 7 ? 9 : 10;
    }
}
