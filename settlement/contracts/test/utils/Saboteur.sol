// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Hashes } from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

import { ISettlement } from "../../src/interfaces/ISettlement.sol";
import {
    MarketParams,
    MarketState,
    MarketTotals,
    Tier,
    VenuePhase
} from "../../src/interfaces/ISettlementTypes.sol";
import { OrderLib } from "../../src/libraries/OrderLib.sol";
import { RejectReason } from "../../src/libraries/RejectReason.sol";
import { SessionKeyScope } from "../../src/libraries/SessionKeyLib.sol";
import { HonestWallet } from "../mocks/Wallets.sol";
import { Operator } from "./Operator.sol";
import { Order, OrderTwin } from "./OrderTwin.sol";
import { Plan } from "./SettlementTest.sol";
import { vm } from "./Vm.sol";

/// @notice The malicious operator with the seldom means: a second market that ends, pauses, old
/// clocks, new parameters, session keys and top-ups by item, named prices, trees of orders, a
/// contract wallet, an exit that not everybody notices, a successor.
contract Saboteur is Operator {
    uint32 private constant DATED = 2;
    uint256 private constant WALLET_KEY = 0x3a11e7;
    uint16 private constant BULK = 1 << 7;
    uint16 private constant BY_WALLET = 2 << 8;
    uint256 private constant WALLET_QUOTE = 50_000_000;

    /// @dev How often an action has done what it is for.
    mapping(bytes32 action => uint256 count) public did;
    ISettlement public successor;
    address public wallet;
    uint256 private _walletConsented;
    uint40 private immutable _endTimeS;

    constructor() {
        _endTimeS = uint40(block.timestamp + 40 days);
        MarketParams memory params = marketParams();
        params.expiryTimeS = _endTimeS;
        govern(abi.encodeCall(settlement.listMarket, (DATED, params, tiers())));
        _at = DATED;
        Plan memory p = _plan();
        addPrice(p, 20_000, 20_000);
        _submit(p);
        _at = MARKET;
        wallet = address(new HonestWallet(vm.addr(WALLET_KEY)));
        token.mint(address(this), WALLET_QUOTE);
        token.approve(address(settlement), WALLET_QUOTE);
        settlement.depositFor(wallet, WALLET_QUOTE);
        _prepareSuccessor();
    }

    function _prepareSuccessor() private {
        successor = deployVenue(token);
        address[] memory attestors = new address[](1);
        attestors[0] = vm.addr(ATTESTOR);
        successor.setAttestors(1, attestors, 1);
        successor.setOracleRule(1, 10_000, 2000);
        successor.openVenue();
    }

    /* ACTIONS */

    /// @dev Which market the next actions are about.
    function pick(uint256 seed) external {
        _at = seed & 1 == 0 ? MARKET : DATED;
    }

    /// @dev The guardian stops and lets go; while risk is paused no batch adds to positions.
    function pause(uint256 seed) external whileOpen {
        vm.prank(GUARDIAN);
        if (seed & 3 == 0) return settlement.resumeRisk();
        settlement.pauseRisk();
        vm.warp(block.timestamp + 31);
        uint256 before = _grossLots();
        uint256 refusals = refusedFor[uint8(RejectReason.RISK_PAUSED)];
        Plan memory p = _plan();
        _addTrade(p, seed >> 2);
        _submit(p);
        assertTrue(_grossLots() <= before, "GOV-4: a pause lets no position grow");
        if (refusedFor[uint8(RejectReason.RISK_PAUSED)] > refusals) ++did["pause"];
        if (seed & 4 == 0) {
            vm.prank(GUARDIAN);
            settlement.resumeRisk();
        }
    }

    /// @dev MARG-4: the mark at the edge of its band takes nobody whom the index has not reached.
    function chooseMark(uint256 seed) external whileOpen {
        (MarketState memory state,) = settlement.market(_at);
        uint256 band = uint256(state.indexTicks) * marketParams().markBandPpm / 1_000_000;
        uint32 markTicks =
            uint32(seed & 1 == 0 ? state.indexTicks - band : state.indexTicks + band);
        uint256 trader = (seed >> 8) % TRADERS;
        uint256 other = (trader + 1 + (seed >> 16) % (TRADERS - 1)) % TRADERS;
        bytes memory honest = _triedOn(_takings(trader, other, state.indexTicks, state.indexTicks));
        Plan memory p = _takings(trader, other, state.indexTicks, markTicks);
        bytes memory chosen = _triedOn(p);
        for (uint256 i = 1; i < honest.length; ++i) {
            if (uint8(honest[i]) != uint8(RejectReason.NOT_LIQUIDATABLE)) continue;
            assertEq(uint8(chosen[i]), uint8(honest[i]), "taken by the choice of the mark");
            ++did["chooseMark"];
        }
        _submit(p);
    }

    /// @dev A batch with the oldest clock that the contract takes.
    function holdBackClock(uint256 seed) external whileOpen {
        vm.warp(block.timestamp + seed % 600);
        Plan memory p = _plan();
        uint256 least = settlement.clockTimeS();
        if (least + settlement.CLOCK_LAG_MAX_S() < block.timestamp) {
            least = block.timestamp - settlement.CLOCK_LAG_MAX_S();
        }
        p.clockTimeS = uint40(least);
        if (least < block.timestamp) ++did["holdBackClock"];
        _refresh(p, seed);
        _addTrade(p, seed);
        addTakeover(p, addPosition(p, vm.addr(TRADER + seed % TRADERS)), addPosition(p, FUND), 1);
        _submit(p);
    }

    /// @dev Announces other parameters, or applies those that are due.
    function changeParameters(uint256 seed) external whileOpen {
        (uint40 effectiveTimeS,) = settlement.announcedMarketParams(_at);
        if (effectiveTimeS == 0) {
            MarketParams memory params = marketParams();
            if (_at == DATED) {
                // No set of parameters begins to hold after the market's end.
                if (block.timestamp + 4 days > _endTimeS) return;
                params.expiryTimeS = _endTimeS;
            }
            params.positionLotsMax = seed & 1 == 0 ? 1_000_000 : 500;
            params.liquidationBufferPpm = uint24(seed >> 1 & 0xfff);
            Tier[] memory list = tiers();
            if (seed & 2 == 0) {
                (list[0].marginInitialPpm, list[0].marginMaintenancePpm) = (150_000, 80_000);
            }
            settlement.announceMarketParams(_at, params, list, uint40(block.timestamp + 4 days));
            return;
        }
        if (seed & 7 == 0 && block.timestamp < effectiveTimeS) vm.warp(effectiveTimeS);
        Plan memory p = _plan();
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        _refresh(p, seed);
        _submit(p);
    }

    /// @dev A session key by item; then by the attestor's signature, which is nobody's.
    function grantKey(uint256 seed) external whileOpen {
        uint256 trader = seed % TRADERS;
        Plan memory p = _plan();
        SessionKeyScope memory scope = SessionKeyScope(
            uint64(seed >> 8 & 3), 20, 9_000_000, uint40(block.timestamp + 2 days)
        );
        _addSessionKey(p, trader, TRADER + trader, scope);
        scope.markets = 3;
        _addSessionKey(p, trader, ATTESTOR, scope);
        uint256 before = acceptedOf[11];
        _submit(p);
        assertTrue(acceptedOf[11] <= before + 1, "a key that nobody granted");
    }

    /// @dev Draws of standing instructions, from too much down to too little.
    function drawTopUps(uint256 seed) external whileOpen {
        uint256 trader = seed % TRADERS;
        Plan memory p = _plan();
        _refresh(p, seed);
        for (uint64 amount = 1 << 21; amount > 256; amount >>= 1) {
            _addAutoTopUp(p, trader, amount);
        }
        uint256 before = free(TRADER + trader);
        _submit(p);
        consented[trader] += before - free(TRADER + trader);
    }

    /// @dev Fills at named prices: of an auction, and of a maker that slid; and at worse ones.
    function tradeAt(uint256 seed) external whileOpen {
        seed >>= 1;
        Plan memory p = _plan();
        uint32 ticks = _markTicks();
        (uint16 buy, uint16 sell, uint16 slid) = _ladder(p, seed, ticks);
        addItem(p, abi.encodePacked(uint8(16), buy, sell, uint32(3), ticks + 1, uint8(1)));
        addItem(p, abi.encodePacked(uint8(16), buy, slid, uint32(3), ticks + 1, uint8(0)));
        addItem(p, abi.encodePacked(uint8(16), buy, sell, uint32(1), ticks + 3, uint8(1)));
        addItem(p, abi.encodePacked(uint8(16), buy, slid, uint32(1), ticks - 1, uint8(0)));
        assertTrue(_acceptedIn(p, 16) <= 2, "a price that nobody signed");
    }

    /// @dev Two orders under one signature; one of them in the place of the other.
    function tradeBulk(uint256 seed) external whileOpen {
        seed >>= 1;
        Plan memory p = _plan();
        (uint16 taker, uint16 forged) = _bulkPair(p, seed % TRADERS);
        (uint16 maker,) = _newOrder(p, (seed + 1) % TRADERS, SELL, seed >> 8);
        addFill(p, taker, maker, uint32(1 + (seed >> 96) % 5));
        addFill(p, forged, maker, 1);
        uint256 fills = _acceptedIn(p, 3);
        assertTrue(fills <= 1, "a leaf of another place");
        did["tradeBulk"] += fills;
    }

    /// @dev A contract wallet trades, and somebody signs in its place.
    function tradeByWallet(uint256 seed) external whileOpen {
        seed >>= 1;
        Plan memory p = _plan();
        bool isForged = seed & 3 == 0;
        uint16 taker = _walletOrder(p, isForged ? ATTESTOR : WALLET_KEY);
        (uint16 maker,) = _newOrder(p, seed % TRADERS, SELL, seed >> 8);
        addFill(p, taker, maker, uint32(1 + (seed >> 96) % 5));
        uint256 fills = _acceptedIn(p, 3);
        assertTrue(!isForged || fills == 0, "signed by a stranger");
        did["tradeByWallet"] += fills;
    }

    /// @dev The second market ends: before its time nothing is delivered.
    function deliver(uint256 seed) external whileOpen {
        _at = DATED;
        (MarketState memory state,) = settlement.market(DATED);
        if (seed & 3 == 0 && block.timestamp < _endTimeS) vm.warp(_endTimeS);
        Plan memory p = _plan();
        // No row comes before parameters of its end that are due (EXP-2).
        addItem(p, abi.encodePacked(uint8(12), uint8(0)));
        if (block.timestamp < _endTimeS) _refresh(p, seed);
        else addPrice(p, state.indexTicks, state.indexTicks); // the last row, of which there is one
        for (uint256 i = 0; i < TRADERS; ++i) {
            uint16 index = addPosition(p, vm.addr(TRADER + (i + seed % TRADERS) % TRADERS));
            addItem(p, abi.encodePacked(uint8(14), index));
        }
        addItem(p, abi.encodePacked(uint8(14), addPosition(p, wallet)));
        uint256 before = acceptedOf[14];
        _submit(p);
        bool isEarly = block.timestamp < _endTimeS;
        assertTrue(!isEarly || acceptedOf[14] == before, "delivered before its time");
    }

    /// @dev In exit mode somebody leaves one market; others do not notice for weeks.
    function leaveAtExit(uint256 seed) external {
        if (settlement.phase() != VenuePhase.EXIT) return;
        address owner = seed & 63 == 0 ? wallet : vm.addr(TRADER + seed % TRADERS);
        if (settlement.position(_at, owner).positionLots == 0) return;
        settlement.exitPosition(_at, owner);
        ++did["leaveAtExit"];
    }

    /// @dev Forgone profit and backers' money: when all have left, for which somebody sees.
    function claimAtExit(uint256 seed) external {
        if (settlement.phase() != VenuePhase.EXIT) return;
        if (settlement.exitMarket(_at).indexTicks == 0 && seed & 16 == 0) return;
        if (seed & 16 != 0) settlement.exitPositions(_at, _owners());
        (, MarketTotals memory totals) = settlement.market(_at);
        if (totals.openPositions != 0) return;
        for (uint256 i = 0; i < TRADERS; ++i) {
            address owner = vm.addr(TRADER + (i + seed % TRADERS) % TRADERS);
            if (settlement.exitGainQuote(_at, owner) != 0) {
                settlement.claimExitGain(_at, owner);
                ++did["claimExitGain"];
            }
            if (seed & 8 != 0 && settlement.backer(_at, owner).shares != 0) {
                settlement.claimBackingAtExit(_at, owner);
                ++did["claimBackingAtExit"];
            }
        }
    }

    function _owners() private view returns (address[] memory owners) {
        owners = new address[](TRADERS + 1);
        for (uint256 i = 0; i < TRADERS; ++i) {
            owners[i] = vm.addr(TRADER + i);
        }
        owners[TRADERS] = wallet;
    }

    /// @dev The owner announces a successor; when it is due everybody may go there.
    function migrate(uint256 seed) external {
        (, uint40 effectiveTimeS) = settlement.migration();
        if (settlement.phase() == VenuePhase.OPEN) {
            if (effectiveTimeS == 0) {
                if (seed & 7 == 0) settlement.announceMigration(address(successor));
                return;
            }
            if (seed & 7 == 0 && block.timestamp < effectiveTimeS) vm.warp(effectiveTimeS);
            if (block.timestamp < effectiveTimeS) return;
            settlement.enterExitMode();
        }
        if (effectiveTimeS == 0 || block.timestamp < effectiveTimeS) return;
        uint256 trader = seed % TRADERS;
        uint256 amount = free(TRADER + trader) / 2;
        if (amount == 0) return;
        consented[trader] += amount;
        vm.prank(vm.addr(TRADER + trader));
        settlement.migrate(amount);
        ++did["migrate"];
    }

    /* WHAT MUST HOLD */

    /// @dev The wallet's floor; each market pays with its own money; the successor got all.
    function checkMarketsAndWallet() external view {
        (uint96 freeQuote,) = settlement.account(wallet);
        assertGe(
            int256(uint256(freeQuote)),
            int256(WALLET_QUOTE) - int256(_walletConsented),
            "isolation floor"
        );
        assertEq(token.balanceOf(wallet), 0, "the wallet withdrew nothing");
        assertGe(int256(settlement.custodyQuote()), 0, "custody");
        assertEq(successor.VAULT().balanceQuote(), successor.custodyQuote(), "the successor");
        for (uint32 marketId = 1; marketId <= DATED; ++marketId) {
            (, MarketTotals memory totals) = settlement.market(marketId);
            assertEq(totals.openPositions, _countOpen(marketId), "CONS-2: as many as are counted");
        }
        if (settlement.phase() != VenuePhase.EXIT) return;
        uint256 owed = settlement.waitingQuote() + settlement.feesQuote();
        (uint96 walletQuote,) = settlement.account(wallet);
        for (uint256 i = 0; i < TRADERS; ++i) {
            owed += free(TRADER + i);
        }
        uint256 all = owed + walletQuote;
        assertTrue(all <= settlement.custodyQuote(), "EXIT-3: no market pays with free money");
    }

    /* HELPERS */

    function _countOpen(uint32 marketId) private view returns (uint256 count) {
        if (settlement.position(marketId, FUND).positionLots != 0) ++count;
        address[] memory owners = _owners();
        for (uint256 i = 0; i < owners.length; ++i) {
            if (settlement.position(marketId, owners[i]).positionLots != 0) ++count;
        }
    }

    function _grossLots() private view returns (uint256 gross) {
        for (uint256 i = 0; i < TRADERS; ++i) {
            for (uint32 marketId = 1; marketId <= DATED; ++marketId) {
                int256 lots = settlement.position(marketId, vm.addr(TRADER + i)).positionLots;
                gross += uint256(lots < 0 ? -lots : lots);
            }
        }
    }

    function _sign(uint256 trader, Order memory o) private {
        o.expiryTimeS = type(uint32).max;
        consented[trader] += o.marginQuote;
        _orders[trader].push(o);
    }

    /// @dev Takes a position over, or deleverages it against another one.
    function _takings(uint256 trader, uint256 other, uint32 indexTicks, uint32 markTicks)
        private
        view
        returns (Plan memory p)
    {
        p = _plan();
        addPrice(p, indexTicks, markTicks);
        int256 lots = _lotsOf(trader);
        uint16 victim = addPosition(p, vm.addr(TRADER + trader));
        addAdl(p, victim, addPosition(p, vm.addr(TRADER + other)), 1);
        uint256 all = uint256(lots > 0 ? lots : -lots);
        addTakeover(p, victim, addPosition(p, FUND), uint40(all));
    }

    function _triedOn(Plan memory p) private returns (bytes memory reasons) {
        (, reasons) = dryRun(encode(p), new bytes[](0));
    }

    /// @return count how many items of an opcode the batch has brought through
    function _acceptedIn(Plan memory p, uint256 opcode) private returns (uint256 count) {
        uint256 before = acceptedOf[opcode];
        _submit(p);
        count = acceptedOf[opcode] - before;
    }

    function _markTicks() private view returns (uint32) {
        (MarketState memory state,) = settlement.market(_at);
        return state.markTicks;
    }

    /// @dev A buy, a sell that it crosses, and a post-only sell.
    function _ladder(Plan memory p, uint256 seed, uint32 ticks)
        private
        returns (uint16 buy, uint16 sell, uint16 slid)
    {
        uint256 other = (seed + 1 + (seed >> 8) % (TRADERS - 1)) % TRADERS;
        uint64 margin = uint64(ticks) * 20;
        (buy,) = _signedOrder(p, seed % TRADERS, BUY, ticks + 2, 10, margin);
        (sell,) = _signedOrder(p, other, SELL, ticks, 10, margin);
        Order memory o = _order(TRADER + other, SELL, ticks, 10, margin);
        o.postOnly = true;
        _sign(other, o);
        slid = addOrder(p, TRADER + other, o);
    }

    function _bulkPair(Plan memory p, uint256 trader)
        private
        returns (uint16 taker, uint16 forged)
    {
        uint64 ticks = _markTicks();
        Order memory o = _order(TRADER + trader, BUY, ticks + 1, 10, ticks * 20);
        Order memory unused = _order(TRADER + trader, BUY, ticks + 2, 10, ticks * 20);
        _sign(trader, o);
        bytes32 leaf = OrderTwin.orderHash(o);
        bytes32 sibling = OrderTwin.orderHash(unused);
        uint16 root = addRoot(p, TRADER + trader, 1, Hashes.efficientKeccak256(leaf, sibling));
        taker = addOrderOf(p, o, BULK, abi.encodePacked(root, uint16(0), sibling));
        forged = addOrderOf(p, unused, BULK, abi.encodePacked(root, uint16(0), leaf));
    }

    function _walletOrder(Plan memory p, uint256 signer) private returns (uint16) {
        uint64 ticks = _markTicks();
        Order memory o = _order(WALLET_KEY, BUY, ticks + 1, 10, ticks * 20);
        o.account = wallet;
        _walletConsented += o.marginQuote;
        bytes32 digest = OrderTwin.orderDigest(settlement.domainSeparator(), o);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(signer, digest);
        return addOrderOf(p, o, BY_WALLET, abi.encodePacked(uint16(65), r, s, v));
    }

    function _addSessionKey(
        Plan memory p,
        uint256 trader,
        uint256 signer,
        SessionKeyScope memory scope
    ) private {
        address owner = vm.addr(TRADER + trader);
        uint64 nonce = nextNonce++;
        bytes32 hash = OrderLib.sessionKeyHash(owner, vm.addr(KEY), scope, false, nonce);
        bytes memory signature =
            compact(signer, OrderLib.digest(settlement.domainSeparator(), hash));
        bytes memory head =
            abi.encodePacked(uint8(11), addAccount(p, owner), vm.addr(KEY), scope.markets);
        head = abi.encodePacked(head, scope.leverageMax, uint8(0), scope.dayNotionalMaxQuote);
        addItem(p, abi.encodePacked(head, nonce, scope.expiryTimeS, uint8(0), signature));
    }

    function _addAutoTopUp(Plan memory p, uint256 trader, uint64 amountQuote) private {
        address owner = vm.addr(TRADER + trader);
        uint64 nonce = nextNonce++;
        uint40 expiryTimeS = type(uint40).max;
        bytes32 hash = OrderLib.autoTopUpHash(owner, _at, amountQuote, nonce, expiryTimeS);
        bytes memory signature =
            compact(TRADER + trader, OrderLib.digest(settlement.domainSeparator(), hash));
        bytes memory head =
            abi.encodePacked(uint8(13), addPosition(p, owner), amountQuote, amountQuote);
        addItem(p, abi.encodePacked(head, nonce, expiryTimeS, uint8(0), signature));
    }
}
