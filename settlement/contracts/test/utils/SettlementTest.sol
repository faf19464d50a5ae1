// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import { ISettlement, ISettlementErrors } from "../../src/interfaces/ISettlement.sol";
import {
    Delays,
    Limits,
    MarketParams,
    Modules,
    PositionView,
    Tier,
    VenueConfig
} from "../../src/interfaces/ISettlementTypes.sol";
import { OrderLib } from "../../src/libraries/OrderLib.sol";
import { RejectReason } from "../../src/libraries/RejectReason.sol";
import { ITestToken } from "./ITestToken.sol";
import { Order, OrderTwin } from "./OrderTwin.sol";
import { PayloadSorter } from "./PayloadSorter.sol";
import { Test, vm } from "./Vm.sol";

/// @notice A batch in the making.
struct Plan {
    uint64 sequence;
    uint32 epoch;
    uint40 clockTimeS;
    uint32[] marketIds;
    address[] accounts;
    bytes positions;
    bytes roots;
    uint16 rootCount;
    bytes orders;
    uint16 orderCount;
    bytes items;
    uint16 itemCount;
}

/// @notice A settled venue with one market, three attestors (two must sign) and an oracle signer;
/// and a batch builder that signs for everybody.
abstract contract SettlementTest is Test {
    uint256 internal constant ALICE = 0xa11ce;
    uint256 internal constant BOB = 0xb0b;
    uint256 internal constant CAROL = 0xca401;
    uint256 internal constant ORACLE = 0x04ac1e;
    uint256 internal constant ATTESTOR = 0xa77e57;
    uint256 internal constant START_TIME_S = 1_800_000_000;
    uint256 internal constant CLOCK_AHEAD_S = 60;
    uint256 internal constant CLOCK_LAG_S = 1 days;
    uint32 internal constant MARKET = 1;
    uint8 internal constant BUY = 0;
    uint8 internal constant SELL = 1;
    int256 internal constant UNIT = 10;
    address internal constant FUND = address(1);
    address internal constant GUARDIAN = address(0x94a4d);

    ISettlement internal settlement;
    ITestToken internal token;
    uint64 internal nextNonce = 1000;
    PayloadSorter private immutable sorter = new PayloadSorter();

    function setUp() public virtual {
        vm.warp(START_TIME_S);
        token = ITestToken(vm.deployCode("TestToken.sol:TestToken", ""));
        settlement = deployVenue(token);
        settlement.listMarket(MARKET, marketParams(), tiers());
        settlement.setOracleSigner(vm.addr(ORACLE), true);
        address[] memory attestors = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            attestors[i] = vm.addr(ATTESTOR + i);
        }
        settlement.setAttestors(1, attestors, 2);
        settlement.setOracleRule(1, 10_000, 2000);
        settlement.setGuardian(GUARDIAN);
        settlement.setFeeRecipient(address(0xfee));
        settlement.openVenue();
        fund(ALICE, 1_000_000_000);
        fund(BOB, 1_000_000_000);
        fund(CAROL, 1_000_000_000);
    }

    /* VENUE */

    /// @dev A venue in its setup, with its modules.
    function deployVenue(IERC20 token_) internal returns (ISettlement) {
        bytes memory arguments = abi.encode(token_, address(this), deployModules(), venueConfig());
        return ISettlement(vm.deployCode("Settlement.sol:Settlement", arguments));
    }

    function deployModules() internal returns (Modules memory modules) {
        address desk = vm.deployCode("InsuranceDesk.sol:InsuranceDesk", abi.encode(address(0)));
        desk = vm.deployCode("ExitDesk.sol:ExitDesk", abi.encode(desk));
        desk = vm.deployCode("GovernanceDesk.sol:GovernanceDesk", abi.encode(desk));
        modules.desk = vm.deployCode("SettlementDesk.sol:SettlementDesk", abi.encode(desk));
        address forced = vm.deployCode("ForcedModule.sol:ForcedModule", "");
        modules.annex = vm.deployCode("SettlementAnnex.sol:SettlementAnnex", abi.encode(forced));
        modules.payments = vm.deployCode("PaymentsModule.sol:PaymentsModule", "");
    }

    function venueConfig() internal pure returns (VenueConfig memory config) {
        config.clockAheadMaxS = uint32(CLOCK_AHEAD_S);
        config.clockLagMaxS = uint32(CLOCK_LAG_S);
        config.delays = Delays({
            governanceS: 3 days,
            parametersS: 4 days,
            parametersGraceS: 1 hours,
            forcedS: 1 days,
            withdrawalS: 2 days,
            withdrawalStretchS: 7 days,
            migrationS: 21 days,
            insuranceLockS: 7 days
        });
        config.limits = Limits({
            largeWithdrawalQuote: 500_000_000,
            outflowLimitPpm: 1_000_000,
            outflowWindowS: 1 days,
            topUpGraceS: 900,
            riskPauseNoticeS: 30,
            depositMinQuote: 1
        });
    }

    /// @dev Proposes a governed call, waits and lets anybody execute it.
    function govern(bytes memory call) internal {
        settlement.propose(call);
        vm.warp(block.timestamp + 3 days);
        vm.prank(address(0xa17));
        settlement.execute(call);
    }

    function marketParams() internal pure returns (MarketParams memory) {
        return MarketParams({
            quotePerTickLot: uint64(uint256(UNIT)),
            priceTicksMax: 1_000_000,
            positionLotsMax: 1_000_000,
            feeMakerPpm: 200,
            feeTakerPpm: 500,
            feeLiquidationPpm: 10_000,
            liquidationBufferPpm: 5000,
            markBandPpm: 50_000,
            fundingCapPpm: 10_000,
            fundingIntervalS: 3600,
            indexAgeMaxMs: 10_000,
            expiryTimeS: 0
        });
    }

    function tiers() internal pure returns (Tier[] memory list) {
        list = new Tier[](2);
        list[0] = Tier(0, 100_000, 50_000);
        list[1] = Tier(1_000_000_000, 200_000, 100_000);
    }

    function fund(uint256 key, uint256 amountQuote) internal {
        address owner = vm.addr(key);
        token.mint(owner, amountQuote);
        vm.startPrank(owner);
        token.approve(address(settlement), amountQuote);
        settlement.deposit(amountQuote);
        vm.stopPrank();
    }

    function free(uint256 key) internal view returns (uint256 freeQuote) {
        (freeQuote,) = settlement.account(vm.addr(key));
    }

    function position(uint256 key) internal view returns (PositionView memory) {
        return settlement.position(MARKET, vm.addr(key));
    }

    /* PLAN */

    function plan() internal view returns (Plan memory p) {
        p.sequence = settlement.sequence() + 1;
        (p.epoch,) = settlement.attestorEpoch();
        p.clockTimeS = uint40(block.timestamp);
        p.marketIds = new uint32[](1);
        p.marketIds[0] = MARKET;
    }

    function addAccount(Plan memory p, address owner) internal pure returns (uint16 index) {
        uint256 count = p.accounts.length;
        for (uint256 i = 0; i < count; ++i) {
            if (p.accounts[i] == owner) return uint16(i);
        }
        address[] memory longer = new address[](count + 1);
        for (uint256 i = 0; i < count; ++i) {
            longer[i] = p.accounts[i];
        }
        longer[count] = owner;
        p.accounts = longer;
        return uint16(count);
    }

    /// @dev Position of `owner` in the market at `marketIndex` of the plan.
    function addPositionAt(Plan memory p, address owner, uint8 marketIndex)
        internal
        pure
        returns (uint16)
    {
        bytes3 entry = bytes3(abi.encodePacked(addAccount(p, owner), marketIndex));
        uint256 count = p.positions.length / 3;
        for (uint256 i = 0; i < count; ++i) {
            bytes3 present = bytes3(
                abi.encodePacked(
                    p.positions[3 * i], p.positions[3 * i + 1], p.positions[3 * i + 2]
                )
            );
            if (present == entry) return uint16(i);
        }
        p.positions = bytes.concat(p.positions, entry);
        return uint16(count);
    }

    function addPosition(Plan memory p, address owner) internal pure returns (uint16) {
        return addPositionAt(p, owner, 0);
    }

    function order(uint256 key, uint8 side, uint64 priceTicks, uint64 qtyLots, uint64 marginQuote)
        internal
        returns (Order memory o)
    {
        o.account = vm.addr(key);
        o.marketId = MARKET;
        o.side = side;
        o.priceTicks = priceTicks;
        o.qtyLots = qtyLots;
        o.marginQuote = marginQuote;
        o.feePpmMax = 1000;
        o.nonce = nextNonce++;
        o.expiryTimeS = uint64(block.timestamp + 1 hours);
    }

    function addOrder(Plan memory p, uint256 key, Order memory o) internal view returns (uint16) {
        bytes32 digest = OrderTwin.orderDigest(settlement.domainSeparator(), o);
        return addOrderAt(p, 0, o, compact(key, digest));
    }

    function addOrderAt(Plan memory p, uint8 marketIndex, Order memory o, bytes memory signature)
        internal
        pure
        returns (uint16)
    {
        return addRecord(p, addPositionAt(p, o.account, marketIndex), o, 0, signature);
    }

    /// @param flags of whoever signs, `authority` is what stands behind the record
    function addOrderOf(Plan memory p, Order memory o, uint16 flags, bytes memory authority)
        internal
        pure
        returns (uint16)
    {
        return addRecord(p, addPosition(p, o.account), o, flags, authority);
    }

    function addRecord(
        Plan memory p,
        uint16 position_,
        Order memory o,
        uint16 flags,
        bytes memory authority
    ) private pure returns (uint16) {
        flags |= o.side | o.timeInForce << 1 | (o.postOnly ? 8 : 0) | (o.reduceOnly ? 16 : 0);
        flags |= (o.triggerKind != 0 ? 32 : 0) | (o.instructions != 0 ? 64 : 0);
        bytes memory core = abi.encodePacked(
            position_,
            flags,
            uint32(o.priceTicks),
            uint32(o.qtyLots),
            o.marginQuote,
            uint24(o.feePpmMax),
            o.nonce,
            uint40(o.expiryTimeS)
        );
        if (o.triggerKind != 0) {
            core = abi.encodePacked(core, o.triggerKind, uint32(o.triggerPriceTicks));
        }
        if (o.instructions != 0) core = abi.encodePacked(core, o.instructions);
        p.orders = bytes.concat(p.orders, core, authority);
        return p.orderCount++;
    }

    function addRoot(Plan memory p, uint256 key, uint256 height, bytes32 root)
        internal
        view
        returns (uint16)
    {
        bytes32 digest = OrderLib.bulkDigest(
            settlement.domainSeparator(), OrderLib.bulkTypehash(height), root
        );
        return addRootSigned(p, vm.addr(key), uint8(height), root, compact(key, digest));
    }

    function addRootSigned(
        Plan memory p,
        address owner,
        uint8 height,
        bytes32 root,
        bytes memory signature
    ) internal pure returns (uint16) {
        bytes memory row =
            abi.encodePacked(addAccount(p, owner), uint8(0), height, root, signature);
        p.roots = bytes.concat(p.roots, row);
        return p.rootCount++;
    }

    function addItem(Plan memory p, bytes memory item) internal pure {
        p.items = bytes.concat(p.items, item);
        ++p.itemCount;
    }

    function addPrice(Plan memory p, uint32 indexTicks, uint32 markTicks) internal view {
        addPriceAt(p, indexTicks, markTicks, uint48(p.clockTimeS) * 1000, ORACLE);
    }

    function addPriceAt(
        Plan memory p,
        uint32 indexTicks,
        uint32 markTicks,
        uint48 timeMs,
        uint256 key
    ) internal view {
        bytes32 digest = OrderLib.indexPriceDigest(
            settlement.domainSeparator(), p.marketIds[0], indexTicks, timeMs
        );
        addItem(
            p,
            abi.encodePacked(
                uint8(1), uint8(0), uint8(1), markTicks, indexTicks, timeMs, compact(key, digest)
            )
        );
    }

    /// @notice Alice buys 100 lots of Bob at 1000: 199,500 and 299,800 of collateral.
    function tradePair() internal {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 200_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 300_000)), 100);
        settleAccepted(p);
    }

    function addFill(Plan memory p, uint16 taker, uint16 maker, uint32 lots) internal pure {
        addItem(p, abi.encodePacked(uint8(3), taker, maker, lots));
    }

    function addLiquidation(Plan memory p, uint16 position_, uint16 maker, uint32 lots)
        internal
        pure
    {
        addItem(p, abi.encodePacked(uint8(4), position_, maker, lots));
    }

    function addTakeover(Plan memory p, uint16 position_, uint16 fundPosition, uint40 lots)
        internal
        pure
    {
        addItem(p, abi.encodePacked(uint8(5), position_, fundPosition, lots));
    }

    function addAdl(Plan memory p, uint16 position_, uint16 counterparty, uint40 lots)
        internal
        pure
    {
        addItem(p, abi.encodePacked(uint8(6), position_, counterparty, lots));
    }

    function addFundFill(Plan memory p, uint16 fundPosition, uint16 maker, uint32 lots)
        internal
        pure
    {
        addItem(p, abi.encodePacked(uint8(7), fundPosition, maker, lots));
    }

    function addFunding(Plan memory p, int64 fundingIndexE6) internal pure {
        addItem(p, abi.encodePacked(uint8(8), uint8(0), fundingIndexE6));
    }

    function addCollateral(Plan memory p, uint256 key, int64 amountQuote, uint64 nonce)
        internal
        view
    {
        addCollateralAs(p, key, vm.addr(key), amountQuote, nonce, p.clockTimeS + 1);
    }

    function addCollateralAs(
        Plan memory p,
        uint256 key,
        address owner,
        int64 amountQuote,
        uint64 nonce,
        uint40 expiryTimeS
    ) internal view {
        bytes32 digest = OrderLib.digest(
            settlement.domainSeparator(),
            OrderLib.collateralMoveHash(owner, p.marketIds[0], amountQuote, nonce, expiryTimeS)
        );
        bytes memory signature = compact(key, digest);
        uint16 index = addPosition(p, owner);
        addItem(
            p,
            abi.encodePacked(uint8(9), index, amountQuote, nonce, expiryTimeS, uint8(0), signature)
        );
    }

    function addWithdrawal(
        Plan memory p,
        uint256 key,
        address to,
        uint64 amountQuote,
        uint64 nonce
    ) internal view {
        addWithdrawalAs(p, key, vm.addr(key), to, amountQuote, nonce);
    }

    function addWithdrawalAs(
        Plan memory p,
        uint256 key,
        address owner,
        address to,
        uint64 amountQuote,
        uint64 nonce
    ) internal view {
        uint40 expiryTimeS = p.clockTimeS + 1;
        bytes32 digest = OrderLib.digest(
            settlement.domainSeparator(),
            OrderLib.withdrawalHash(owner, to, amountQuote, nonce, expiryTimeS)
        );
        bytes memory signature = compact(key, digest);
        uint16 index = addAccount(p, owner);
        addItem(
            p,
            abi.encodePacked(
                uint8(10), index, amountQuote, to, nonce, expiryTimeS, uint8(0), signature
            )
        );
    }

    function addForced(Plan memory p, uint64 requestId, address owner) internal pure {
        uint16 index = addPosition(p, owner);
        addItem(p, abi.encodePacked(uint8(15), requestId, addAccount(p, owner), index));
    }

    /// @dev Ends a nonce by the queue, which is the only way on chain (FORCE-2).
    function killNonce(uint256 key, uint64 nonce) internal {
        vm.prank(vm.addr(key));
        serveNow(settlement.requestCancel(nonce), vm.addr(key));
    }

    function raiseNonceFloor(uint256 key, uint64 nonceFloor) internal {
        vm.prank(vm.addr(key));
        serveNow(settlement.requestCancelAll(nonceFloor), vm.addr(key));
    }

    function serveNow(uint64 requestId, address owner) internal {
        Plan memory p = plan();
        addForced(p, requestId, owner);
        settleAccepted(p);
    }

    /// @dev Gives money to the market's insurance fund (FORCE-5), and has it served.
    function giveNow(uint256 amountQuote) internal {
        token.mint(address(this), amountQuote);
        token.approve(address(settlement), amountQuote);
        serveNow(settlement.fundInsurance(MARKET, amountQuote), address(this));
    }

    function requestBacking(uint256 key, uint256 amountQuote) internal returns (uint64 id) {
        address owner = vm.addr(key);
        token.mint(owner, amountQuote);
        vm.startPrank(owner);
        token.approve(address(settlement), amountQuote);
        id = settlement.backFund(MARKET, amountQuote);
        vm.stopPrank();
    }

    /// @dev Backs the market's insurance fund, and has it served.
    function backNow(uint256 key, uint256 amountQuote) internal returns (uint256 shares) {
        address owner = vm.addr(key);
        uint256 before = settlement.backer(MARKET, owner).shares;
        serveNow(requestBacking(key, amountQuote), owner);
        return settlement.backer(MARKET, owner).shares - before;
    }

    /* SUBMISSION */

    /// @dev Settles with more and more gas: what is too little for a part of the batch is told by
    /// name, until it is enough for all of it.
    function settleTellingMissingGas(Plan memory p, bytes4 missing, uint256 step) internal {
        bytes memory payload = encode(p);
        bytes memory call = abi.encodeCall(settlement.settle, (payload, attest(p, payload)));
        bool isMissed = false;
        bool isSettled = false;
        for (uint256 gas_ = 100_000; gas_ < 1_000_000 && !isSettled; gas_ += step) {
            bytes memory answer;
            (isSettled, answer) = address(settlement).call{ gas: gas_ }(call);
            if (isSettled || answer.length == 0) continue;
            isMissed = isMissed || bytes4(answer) == missing;
        }
        assertTrue(isMissed, "told by its name");
        assertTrue(isSettled, "with enough");
    }

    function compact(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(key, digest);
        return abi.encodePacked(r, vs);
    }

    function encode(Plan memory p) internal view returns (bytes memory) {
        bytes memory head = abi.encodePacked(
            uint8(2),
            p.sequence,
            p.epoch,
            p.clockTimeS,
            uint8(p.marketIds.length),
            uint16(p.accounts.length),
            uint16(p.positions.length / 3),
            p.rootCount,
            p.orderCount,
            p.itemCount
        );
        bytes memory tables;
        for (uint256 i = 0; i < p.marketIds.length; ++i) {
            tables = bytes.concat(tables, bytes4(p.marketIds[i]));
        }
        for (uint256 i = 0; i < p.accounts.length; ++i) {
            tables = bytes.concat(tables, bytes20(p.accounts[i]));
        }
        bytes memory payload = bytes.concat(head, tables, p.positions, p.roots, p.orders, p.items);
        // What cannot be sorted goes out as it is: the contract is to refuse it.
        try sorter.sort(payload) returns (bytes memory sorted) {
            return sorted;
        } catch {
            return payload;
        }
    }

    function attest(Plan memory p, bytes memory payload)
        internal
        view
        returns (bytes[] memory signatures)
    {
        bytes32 digest = OrderLib.batchDigest(
            settlement.domainSeparator(),
            p.sequence,
            p.epoch,
            settlement.lastBatchDigest(),
            keccak256(payload)
        );
        signatures = new bytes[](2);
        signatures[0] = compact(ATTESTOR, digest);
        signatures[1] = compact(ATTESTOR + 1, digest);
    }

    function settle(Plan memory p) internal returns (bytes memory reasons) {
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        (, reasons) = dryRun(payload, signatures);
        settlement.settle(payload, signatures);
    }

    function dryRun(bytes memory payload, bytes[] memory signatures)
        internal
        returns (uint256 gasUsed, bytes memory reasons)
    {
        try settlement.dryRun(payload, signatures) {
            assertTrue(false, "dryRun reverts");
        } catch (bytes memory data) {
            if (bytes4(data) != ISettlementErrors.DryRunResult.selector) bubble(data);
            bytes memory result = new bytes(data.length - 4);
            for (uint256 i = 0; i < result.length; ++i) {
                result[i] = data[i + 4];
            }
            return abi.decode(result, (uint256, bytes));
        }
    }

    function bubble(bytes memory data) private pure {
        assembly ("memory-safe") {
            revert(add(data, 32), mload(data))
        }
    }

    /// @dev Settles and expects the last item to be refused, and nothing else.
    function settleRejected(Plan memory p, RejectReason reason) internal {
        bytes memory reasons = settle(p);
        uint256 last = reasons.length - 1;
        for (uint256 i = 0; i < last; ++i) {
            assertEq(uint8(reasons[i]), 0, "accepted before");
        }
        assertEq(uint8(reasons[last]), uint8(reason), "reason of the last item");
        assertSound();
    }

    function settleAccepted(Plan memory p) internal {
        bytes memory reasons = settle(p);
        for (uint256 i = 0; i < reasons.length; ++i) {
            assertEq(uint8(reasons[i]), 0, "accepted");
        }
        assertSound();
    }

    /// @dev CONS-1 and CONS-2.
    function assertSound() internal view {
        assertEqInt(settlement.positionsSum(MARKET), 0, "CONS-2");
        int256 custody = int256(settlement.custodyQuote());
        assertEqInt(settlement.liabilitiesQuote(), custody, "CONS-1");
        assertEqInt(int256(settlement.VAULT().balanceQuote()), custody, "vault");
    }
}
