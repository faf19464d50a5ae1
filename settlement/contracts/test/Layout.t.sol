// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { PositionView } from "../src/interfaces/ISettlementTypes.sol";
import { OrderLib } from "../src/libraries/OrderLib.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice What others rely on to the bit: type hashes and storage words. README.md has the table.
contract LayoutTest is SettlementTest {
    bytes32 private constant DOMAIN_HASH =
        0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f;
    bytes32 private constant ORDER_HASH =
        0x393e72a321700335cf35f2ceba615e2569c994c9110d4ce087dd878949e8abeb;
    bytes32 private constant COLLATERAL_MOVE_HASH =
        0xc756eebe267e5c233048d1512fb5f10d12bac375d18ddf947d7fc5a51ea332d7;
    bytes32 private constant WITHDRAWAL_HASH =
        0xe40e6b59ecea6ec80c6dfc08dffde32db32068c022f1e18f7a2b1162ad1b824d;
    bytes32 private constant INDEX_PRICE_HASH =
        0x0023f7a0c62aaa1289d81e8ed4921ac1cd7400a7a0dd9b0c21ec119986d9fa2c;
    bytes32 private constant BATCH_HASH =
        0x8e22deadc338c813108897050395e0918d02550abe441a15ea3b58e1242300e9;
    bytes32 private constant SESSION_KEY_HASH =
        0x5ca2a092291f9b5b78264c52bafc4eac417d30d6f9f7be4c7889ec78992ab42d;
    bytes32 private constant AUTO_TOP_UP_HASH =
        0xedb8d4bdf2dc2c2c749ae66a022a34b9870f8b0a235daefe15b82ab9a845fc20;
    uint256 private constant PROGRESS_SLOT = 0;
    uint256 private constant TOTALS_SLOT = 2;
    uint256 private constant ACCOUNTS_SLOT = 3;
    uint256 private constant POSITIONS_SLOT = 4;
    uint256 private constant FILLED_SLOT = 5;

    function test_layout_typeHashes() public pure {
        _same(OrderLib.DOMAIN_TYPEHASH, DOMAIN_HASH);
        _same(OrderLib.ORDER_TYPEHASH, ORDER_HASH);
        _same(OrderLib.COLLATERAL_MOVE_TYPEHASH, COLLATERAL_MOVE_HASH);
        _same(OrderLib.WITHDRAWAL_TYPEHASH, WITHDRAWAL_HASH);
        _same(OrderLib.INDEX_PRICE_TYPEHASH, INDEX_PRICE_HASH);
        _same(OrderLib.BATCH_TYPEHASH, BATCH_HASH);
        _same(OrderLib.SESSION_KEY_TYPEHASH, SESSION_KEY_HASH);
        _same(OrderLib.AUTO_TOP_UP_TYPEHASH, AUTO_TOP_UP_HASH);
    }

    /// @dev EIP-170 and EIP-3860.
    function test_layout_codeFitsOnEveryChain() public view {
        assertTrue(address(settlement).code.length <= 24_576, "settlement");
        string[8] memory others = [
            "SettlementAnnex",
            "SettlementDesk",
            "ExitDesk",
            "GovernanceDesk",
            "InsuranceDesk",
            "ForcedModule",
            "PaymentsModule",
            "CollateralVault"
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            string memory artifact = string.concat(others[i], ".sol:", others[i]);
            uint256 size = vm.getDeployedCode(artifact).length;
            assertTrue(size != 0 && size <= 24_576, others[i]);
        }
        assertTrue(vm.getCode("Settlement.sol:Settlement").length <= 49_152 - 128, "creation");
    }

    function test_layout_storageWords() public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 200_000));
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, 1000, 100, 200_000));
        uint64 nonce = nextNonce - 1;
        addFill(p, taker, maker, 77);
        settleAccepted(p);
        address bob = vm.addr(BOB);
        raiseNonceFloor(BOB, 5);

        uint256 word = _word(uint256(_slot(bob, ACCOUNTS_SLOT)));
        assertEq(uint96(word), free(BOB), "free balance");
        assertEq(word >> 96, 5, "nonce floor");

        uint256 inner = uint256(keccak256(abi.encode(uint256(MARKET), POSITIONS_SLOT)));
        word = _word(uint256(keccak256(abi.encode(bob, inner))));
        PositionView memory held = position(BOB);
        assertEqInt(int64(uint64(word)), held.positionLots, "lots");
        assertEq(uint64(word >> 64), held.entryValueQuote, "entry value");
        assertEqInt(int64(uint64(word >> 128)), held.collateralQuote, "collateral");
        assertEqInt(int64(uint64(word >> 192)), held.fundingIndexE6, "funding index");

        inner = uint256(_slot(bob, FILLED_SLOT));
        word = _word(uint256(keccak256(abi.encode(uint256(nonce >> 3), inner))));
        assertEq(word >> (32 * (nonce & 7)), 77, "lane of the nonce");

        word = _word(PROGRESS_SLOT);
        assertEq(uint64(word), settlement.sequence(), "sequence");
        assertEq(uint64(word >> 64), settlement.depositSeq(), "deposits");
        assertEq(uint40(word >> 128), settlement.clockTimeS(), "clock");
        assertEq(uint32(word >> 168), 1, "epoch");
        assertEq(uint8(word >> 200), 2, "threshold");
        word = _word(TOTALS_SLOT);
        assertEq(uint80(word), settlement.custodyQuote(), "custody");
        assertEq(uint80(word >> 160), settlement.feesQuote(), "fees");
    }

    function test_layout_governanceWords() public {
        tradePair();
        uint256 word = _word(12);
        assertEq(uint8(word), 1, "phase: open");
        assertEq(word >> 88, uint160(address(settlement.VAULT())), "vault");
        word = _word(13);
        assertEq(uint32(word), 3 days, "first delay");
        assertEq(uint32(word >> 224), 7 days, "last delay");
        assertEq(uint64(_word(14)), 500_000_000, "large withdrawal");
        assertEq(_word(16), uint160(GUARDIAN), "guardian");
        assertEq(_word(17), 0xfee, "fee recipient");
        Plan memory p = plan();
        addWithdrawal(p, ALICE, address(0xbeef), 500_000_001, 1);
        settleAccepted(p);
        word = _word(15);
        assertEq(uint80(word), 500_000_001, "waiting");
        assertEq(word >> 200, 1, "number of withdrawals that waited");
        uint256 record = uint256(keccak256(abi.encode(uint256(1), uint256(21))));
        assertEq(uint160(_word(record)), uint160(vm.addr(ALICE)), "account of the waiting one");
        vm.prank(vm.addr(ALICE));
        settlement.requestCancelAll(77);
        assertEq(_word(26) >> 64, 1, "requests made");
        token.mint(address(this), 7);
        token.approve(address(settlement), 7);
        record = uint256(keccak256(abi.encode(uint256(1), uint256(27))));
        assertEq(uint160(_word(record)), uint160(vm.addr(ALICE)), "account of the request");
        vm.prank(vm.addr(BOB));
        settlement.requestReduce(MARKET, 1);
        vm.warp(block.timestamp + 11);
        p = plan();
        addForced(p, 1, vm.addr(ALICE));
        addForced(p, 2, vm.addr(BOB));
        settleAccepted(p);
        assertEq(_word(36), uint256(1) << 128 | uint256(2) << 64 | 2, "requests set aside");
        assertEq(_word(uint256(keccak256(abi.encode(uint256(2), uint256(37))))), 0, "one alone");
        settlement.depositToPosition(MARKET, vm.addr(ALICE), 7);
        assertEq(_word(26) >> 128, 7, "what requests have brought");
        vm.prank(vm.addr(ALICE));
        settlement.requestWithdrawal(1, vm.addr(ALICE));
        uint256 waiting = _word(uint256(_slot(vm.addr(ALICE), 35)));
        assertEq(waiting, 1 << 128 | 1, "requests that wait, withdrawals among them");
        assertEq(_word(34), uint256(2000) << 32 | uint256(10_000) << 8 | 1, "oracle rule");
    }

    function _slot(address owner, uint256 slot) private pure returns (bytes32) {
        return keccak256(abi.encode(owner, slot));
    }

    function _word(uint256 slot) private view returns (uint256) {
        return uint256(vm.load(address(settlement), bytes32(slot)));
    }

    function _same(bytes32 left, bytes32 right) private pure {
        assertTrue(left == right, "type hash");
    }
}
