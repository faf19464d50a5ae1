// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { BatchLib } from "../src/libraries/BatchLib.sol";
import { OrderLib } from "../src/libraries/OrderLib.sol";
import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { SessionKeyScope } from "../src/libraries/SessionKeyLib.sol";
import { HonestWallet, HostileWallet } from "./mocks/Wallets.sol";
import { Order, OrderTwin } from "./utils/OrderTwin.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice Who may sign for an account: SIG-3 (keys, session keys, wallets), SIG-4 (trees of
/// orders), KEY-1, KEY-2.
contract SignersTest is SettlementTest {
    uint256 private constant KEY = 0x5e5510;
    uint16 private constant BULK = 1 << 7;
    uint16 private constant BY_SESSION_KEY = 1 << 8;
    uint16 private constant BY_WALLET = 2 << 8;

    function setUp() public override {
        super.setUp();
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
    }

    /* BULK ORDERS */

    function test_bulk_everyLeafOfEveryHeight() public {
        for (uint256 height = 1; height <= 10; ++height) {
            uint256 count = 1 << height;
            Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
            uint256 index = uint256(keccak256(abi.encode(height))) % count;
            bytes32[] memory leaves = _leaves(count, index, OrderTwin.orderHash(o));
            Plan memory p = plan();
            uint16 root = addRoot(p, ALICE, height, _root(leaves));
            uint16 taker = addOrderOf(p, o, BULK, _leaf(root, index, leaves));
            addFill(p, taker, _maker(p), 5);
            settleAccepted(p);
        }
    }

    function test_refused_bulkProofOfAnotherPlace() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        bytes32[] memory leaves = _leaves(8, 3, OrderTwin.orderHash(o));
        bytes32 root = _root(leaves);
        for (uint256 index = 0; index < 9; ++index) {
            if (index == 3) continue;
            Plan memory p = plan();
            bytes memory proof = _proof(leaves, 3);
            bytes memory leaf = abi.encodePacked(addRoot(p, ALICE, 3, root), uint16(index), proof);
            addFill(p, addOrderOf(p, o, BULK, leaf), _maker(p), 5);
            settleRejected(p, RejectReason.SIGNATURE_INVALID);
        }
        // The same index with bits above the height, and the place's own sibling.
        _refusedLeaf(o, abi.encodePacked(uint16(0), uint16(3 + 8), _proof(leaves, 3)), 3, root);
        _refusedLeaf(o, abi.encodePacked(uint16(0), uint16(3), _proof(leaves, 2)), 3, root);
        _refusedLeaf(o, abi.encodePacked(uint16(0), uint16(3), _proof(leaves, 3)), 3, ~root);
    }

    /// @dev The signature is over another height: same root, same path.
    function test_refused_bulkProofOfAnotherHeight() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        bytes32[] memory leaves = _leaves(4, 1, OrderTwin.orderHash(o));
        bytes32 root = _root(leaves);
        Plan memory p = plan();
        bytes32 digest =
            OrderLib.bulkDigest(settlement.domainSeparator(), OrderLib.bulkTypehash(3), root);
        uint16 index = addRootSigned(p, vm.addr(ALICE), 2, root, compact(ALICE, digest));
        addFill(p, addOrderOf(p, o, BULK, _leaf(index, 1, leaves)), _maker(p), 5);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    /// @dev A node of the tree is not a leaf, and a root is nobody else's.
    function test_refused_bulkOrderOfAnotherAccount() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        bytes32[] memory leaves = _leaves(4, 1, OrderTwin.orderHash(o));
        Plan memory p = plan();
        uint16 root = addRoot(p, CAROL, 2, _root(leaves));
        addFill(p, addOrderOf(p, o, BULK, _leaf(root, 1, leaves)), _maker(p), 5);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    function test_RevertWhen_bulkRootIsMalformed() public {
        Plan memory p = plan();
        addRoot(p, ALICE, 11, 0);
        _reverts(p);
        p = plan();
        addRoot(p, ALICE, 0, 0);
        _reverts(p);
        p = plan();
        addOrderOf(p, order(ALICE, BUY, 1000, 10, 0), BULK, abi.encodePacked(uint32(0)));
        _reverts(p);
    }

    /// @dev The type hashes that `bulkhead_signing.bulk_type` gives; a test there pins the same.
    function test_bulk_typeHashes() public pure {
        bytes memory brackets;
        for (uint256 height = 1; height <= 10; ++height) {
            brackets = bytes.concat(brackets, "[2]");
            bytes memory text = bytes.concat("BulkOrder(Order", brackets, " tree)");
            text = bytes.concat(text, bytes(OrderLib.ORDER_TYPE));
            assertTrue(OrderLib.bulkTypehash(height) == keccak256(text), "type hash");
        }
    }

    /* CONTRACT WALLETS */

    function test_wallet_signsEverything() public {
        address wallet = _wallet();
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.account = wallet;
        Plan memory p = plan();
        bytes32 domain = settlement.domainSeparator();
        uint16 taker = addOrderOf(p, o, BY_WALLET, _walletSigned(OrderTwin.orderDigest(domain, o)));
        addFill(p, taker, _maker(p), 10);
        settleAccepted(p);

        p = plan();
        uint40 expiryTimeS = p.clockTimeS + 1;
        uint64 nonce = nextNonce++;
        bytes32 hash = OrderLib.collateralMoveHash(wallet, MARKET, 500, nonce, expiryTimeS);
        bytes memory signature = _walletSigned(OrderLib.digest(domain, hash));
        uint16 index = addPosition(p, wallet);
        addItem(
            p,
            abi.encodePacked(uint8(9), index, int64(500), nonce, expiryTimeS, uint8(2), signature)
        );
        nonce = nextNonce++;
        hash = OrderLib.withdrawalHash(wallet, address(0xbeef), 700, nonce, expiryTimeS);
        signature = _walletSigned(OrderLib.digest(domain, hash));
        bytes memory head = abi.encodePacked(uint8(10), addAccount(p, wallet), uint64(700));
        head = abi.encodePacked(head, address(0xbeef), nonce, expiryTimeS, uint8(2), signature);
        addItem(p, head);
        settleAccepted(p);
        assertEq(token.balanceOf(address(0xbeef)), 700, "paid");
    }

    function test_refused_walletDoesNotApprove() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.account = _wallet();
        _refusedWallet(o, _walletSigned(bytes32(uint256(1))));
        o.account = vm.addr(ALICE);
        _refusedWallet(o, _walletSigned(bytes32(uint256(1))));
        o.account = address(1);
        Plan memory p = plan();
        addFill(p, addOrderOf(p, o, BY_WALLET, abi.encodePacked(uint16(0))), _maker(p), 5);
        settleRejected(p, RejectReason.ACCOUNT_UNKNOWN);
    }

    /// @dev Whatever a wallet does, its own item is refused and the others are settled.
    function test_refused_hostileWallets() public {
        for (uint256 mode = 0; mode < 5; ++mode) {
            if (mode == 2) continue;
            Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
            o.account = address(new HostileWallet(mode));
            token.mint(address(this), 1_000_000);
            token.approve(address(settlement), 1_000_000);
            settlement.depositFor(o.account, 1_000_000);
            Plan memory p = plan();
            uint16 good = addOrder(p, CAROL, order(CAROL, BUY, 1000, 10, 100_000));
            addFill(p, good, _maker(p), 5);
            uint16 taker = addOrderOf(p, o, BY_WALLET, abi.encodePacked(uint16(3), "abc"));
            addFill(p, taker, _maker(p), 5);
            settleRejected(p, RejectReason.SIGNATURE_INVALID);
        }
    }

    /// @dev Too little gas for a wallet's answer makes the batch fail, not the signature.
    function test_RevertWhen_walletHasTooLittleGas() public {
        Order memory o = order(ALICE, BUY, 1000, 10, 100_000);
        o.account = _wallet();
        Plan memory p = plan();
        bytes32 digest = OrderTwin.orderDigest(settlement.domainSeparator(), o);
        addFill(p, addOrderOf(p, o, BY_WALLET, _walletSigned(digest)), _maker(p), 10);
        settleTellingMissingGas(p, ISettlementErrors.WalletGasMissing.selector, 10_000);
        assertEq(settlement.filledLots(o.account, o.nonce), 10, "filled");
    }

    /* SESSION KEYS */

    function test_sessionKey_trades() public {
        _grant(_scope());
        Plan memory p = plan();
        addFill(p, _byKey(p, order(ALICE, BUY, 1000, 10, 100_000)), _maker(p), 10);
        settleAccepted(p);
        (, uint64 usedQuote, uint16 day) = settlement.sessionKey(vm.addr(ALICE), vm.addr(KEY));
        assertEq(usedQuote, 100_000, "notional of the day");
        assertEq(day, START_TIME_S / 1 days, "day");
    }

    function test_refused_sessionKeyBeyondItsScope() public {
        SessionKeyScope memory scope = _scope();
        scope.markets = 2;
        _refusedKey(scope, RejectReason.SESSION_KEY_SCOPE);
        scope = _scope();
        scope.leverageMax = 0;
        _refusedKey(scope, RejectReason.SESSION_KEY_SCOPE);
        scope = _scope();
        scope.dayNotionalMaxQuote = 49_999;
        _refusedKey(scope, RejectReason.SESSION_KEY_SCOPE);
        scope = _scope();
        scope.expiryTimeS = uint40(block.timestamp);
        _refusedKey(scope, RejectReason.SIGNATURE_INVALID);
        scope = _scope();
        scope.markets = 0;
        _refusedKey(scope, RejectReason.SIGNATURE_INVALID);
    }

    /// @dev Margin 100,000 carries 1,000,000 at ten times: one lot more is too much.
    function test_refused_sessionKeyWithTooMuchLeverage() public {
        SessionKeyScope memory scope = _scope();
        scope.leverageMax = 3;
        _grant(scope);
        Plan memory p = plan();
        addFill(p, _byKey(p, order(ALICE, BUY, 1000, 10, 33_334)), _maker(p), 5);
        settleAccepted(p);
        p = plan();
        addFill(p, _byKey(p, order(ALICE, BUY, 1000, 10, 33_333)), _maker(p), 5);
        settleRejected(p, RejectReason.SESSION_KEY_SCOPE);
    }

    function test_sessionKey_onlyReduces() public {
        _grant(_scope());
        Plan memory p = plan();
        addFill(p, _byKey(p, order(ALICE, BUY, 1000, 10, 100_000)), _maker(p), 10);
        settleAccepted(p);
        SessionKeyScope memory scope = _scope();
        scope.leverageMax = 0;
        _grant(scope);
        p = plan();
        uint16 bid = addOrder(p, BOB, order(BOB, BUY, 1000, 20, 100_000));
        uint16 ask = _byKey(p, order(ALICE, SELL, 1000, 20, 100_000));
        addFill(p, ask, bid, 10);
        addFill(p, ask, bid, 1);
        settleRejected(p, RejectReason.SESSION_KEY_SCOPE);
    }

    function test_sessionKey_dayStartsAnew() public {
        SessionKeyScope memory scope = _scope();
        scope.dayNotionalMaxQuote = 100_000;
        _grant(scope);
        Plan memory p = plan();
        Order memory o = order(ALICE, BUY, 1000, 40, 200_000);
        o.expiryTimeS += 2 days;
        uint16 taker = _byKey(p, o);
        addFill(p, taker, _maker(p), 10);
        addFill(p, taker, _maker(p), 1);
        settleRejected(p, RejectReason.SESSION_KEY_SCOPE);
        vm.warp(block.timestamp + 1 days);
        p = plan();
        addPrice(p, 1000, 1000);
        addFill(p, _byKey(p, o), _maker(p), 10);
        settleAccepted(p);
    }

    /// @dev KEY-2: revoked in this block, dead for the next batch in it.
    function test_refused_sessionKeyAfterRevocation() public {
        _grant(_scope());
        Plan memory p = plan();
        addFill(p, _byKey(p, order(ALICE, BUY, 1000, 10, 100_000)), _maker(p), 5);
        settleAccepted(p);
        SessionKeyScope memory none;
        vm.prank(vm.addr(ALICE));
        settlement.setSessionKey(vm.addr(KEY), none);
        p = plan();
        addFill(p, _byKey(p, order(ALICE, BUY, 1000, 10, 100_000)), _maker(p), 5);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    /// @dev KEY-2: what was signed before a key was revoked doesn't bring it back; its owner can.
    function test_refused_messageThatRevivesARevokedKey() public {
        _grant(_scope());
        SessionKeyScope memory none;
        vm.prank(vm.addr(ALICE));
        settlement.setSessionKey(vm.addr(KEY), none);
        Plan memory p = plan();
        addSessionKey(p, ALICE, ALICE, _scope(), nextNonce++);
        settleRejected(p, RejectReason.SESSION_KEY_SCOPE);
        _grant(_scope());
        p = plan();
        addSessionKey(p, ALICE, ALICE, none, nextNonce++);
        settleRejected(p, RejectReason.EXPIRED);
        none.expiryTimeS = _scope().expiryTimeS;
        p = plan();
        addSessionKey(p, ALICE, ALICE, none, nextNonce++);
        addSessionKey(p, ALICE, ALICE, _scope(), nextNonce++);
        settleRejected(p, RejectReason.SESSION_KEY_SCOPE);
    }

    /// @dev KEY-1: a key counts at the mark what it gives away below it.
    function test_refused_sessionKeyBelowTheMark() public {
        SessionKeyScope memory scope = _scope();
        scope.dayNotionalMaxQuote = 99_999;
        _grant(scope);
        Plan memory p = plan();
        uint16 maker = addOrder(p, BOB, order(BOB, SELL, 960, 10, 100_000));
        addFill(p, _byKey(p, order(ALICE, BUY, 960, 10, 100_000)), maker, 10);
        settleRejected(p, RejectReason.SESSION_KEY_SCOPE);
        scope.dayNotionalMaxQuote = 100_000;
        _grant(scope);
        p = plan();
        maker = addOrder(p, BOB, order(BOB, SELL, 960, 10, 100_000));
        addFill(p, _byKey(p, order(ALICE, BUY, 960, 10, 100_000)), maker, 10);
        settleAccepted(p);
    }

    /// @dev KEY-1: a session key never takes money out, and moves it in only where it may trade.
    function test_refused_sessionKeyTakesMoneyOut() public {
        _grant(_scope());
        Plan memory p = plan();
        addFill(p, _byKey(p, order(ALICE, BUY, 1000, 10, 100_000)), _maker(p), 10);
        settleAccepted(p);
        p = plan();
        _addMove(p, 500);
        settleAccepted(p);
        p = plan();
        _addMove(p, -1);
        settleRejected(p, RejectReason.SESSION_KEY_SCOPE);
        p = plan();
        uint64 nonce = nextNonce++;
        bytes32 hash =
            OrderLib.withdrawalHash(vm.addr(ALICE), address(0xbeef), 1, nonce, p.clockTimeS + 1);
        bytes memory signature = compact(KEY, OrderLib.digest(settlement.domainSeparator(), hash));
        uint16 index = addAccount(p, vm.addr(ALICE));
        bytes memory head = abi.encodePacked(uint8(10), index, uint64(1), address(0xbeef), nonce);
        addItem(p, abi.encodePacked(head, p.clockTimeS + 1, uint8(1), signature));
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    function test_sessionKey_isGrantedByItem() public {
        Plan memory p = plan();
        addSessionKey(p, ALICE, ALICE, _scope(), nextNonce++);
        settleAccepted(p);
        p = plan();
        addFill(p, _byKey(p, order(ALICE, BUY, 1000, 10, 100_000)), _maker(p), 5);
        settleAccepted(p);
        (SessionKeyScope memory scope,,) = settlement.sessionKey(vm.addr(ALICE), vm.addr(KEY));
        assertTrue(
            keccak256(abi.encode(scope)) == keccak256(abi.encode(_scope())), "scope as signed"
        );
    }

    function test_refused_sessionKeyItem() public {
        uint64 nonce = nextNonce++;
        Plan memory p = plan();
        addSessionKey(p, ALICE, BOB, _scope(), nonce);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
        p = plan();
        addSessionKey(p, ALICE, ALICE, _scope(), nonce);
        addSessionKey(p, ALICE, ALICE, _scope(), nonce);
        settleRejected(p, RejectReason.NONCE_USED);
        p = plan();
        SessionKeyScope memory scope = _scope();
        scope.expiryTimeS = p.clockTimeS;
        addSessionKey(p, ALICE, ALICE, scope, nextNonce++);
        settleRejected(p, RejectReason.EXPIRED);
        // A session key makes no session keys.
        _grant(_scope());
        p = plan();
        addSessionKey(p, ALICE, KEY, _scope(), nextNonce++);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    /* AUTOMATIC TOP-UP */

    /// @dev TOPUP-1: at 905 the long of 100 lots at 1000 with 100,000 is short of maintenance.
    function test_autoTopUp_restoresTheInitialRequirement() public {
        _liquidatable();
        uint64 neededQuote = _neededQuote();
        Plan memory p = plan();
        addAutoTopUp(p, ALICE, ALICE, neededQuote + 1, neededQuote + 1, 77);
        settleRejected(p, RejectReason.AMOUNT_OUT_OF_RANGE);
        p = plan();
        addAutoTopUp(p, ALICE, ALICE, neededQuote, neededQuote, 77);
        addAutoTopUp(p, ALICE, ALICE, 1, neededQuote, 77);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
    }

    /// @dev TOPUP-1, MARG-4: nor does a mark that the index has not reached draw anything.
    function test_refused_autoTopUpAtAChosenMark() public {
        _liquidatable();
        Plan memory p = plan();
        addPrice(p, 960, 945);
        addAutoTopUp(p, ALICE, ALICE, 2300, 2400, 77);
        settleRejected(p, RejectReason.NOT_LIQUIDATABLE);
    }

    /// @dev TOPUP-1: what does not save the position is not drawn (2,223 are lacking at 945); the
    /// cap holds over all draws of one message; nobody else signs; a nonce can be killed.
    function test_refused_autoTopUp() public {
        _liquidatable();
        Plan memory p = plan();
        addAutoTopUp(p, ALICE, BOB, 2300, 2400, 77);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
        p = plan();
        addAutoTopUp(p, ALICE, ALICE, 2222, 2400, 77);
        settleRejected(p, RejectReason.INSUFFICIENT_MARGIN);
        p = plan();
        addAutoTopUp(p, ALICE, ALICE, 2300, 2400, 77);
        addPrice(p, 944, 944);
        addAutoTopUp(p, ALICE, ALICE, 900, 2400, 77);
        settleRejected(p, RejectReason.AMOUNT_OUT_OF_RANGE);
        killNonce(ALICE, 77);
        p = plan();
        addAutoTopUp(p, ALICE, ALICE, 1, 100, 77);
        settleRejected(p, RejectReason.NONCE_USED);
    }

    /* HELPERS */

    function _maker(Plan memory p) private returns (uint16) {
        return addOrder(p, BOB, order(BOB, SELL, 1000, 10, 100_000));
    }

    function _reverts(Plan memory p) private {
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectPartialRevert(BatchLib.BatchMalformed.selector);
        settlement.settle(payload, signatures);
    }

    function _leaves(uint256 count, uint256 index, bytes32 leaf)
        private
        pure
        returns (bytes32[] memory leaves)
    {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = i == index ? leaf : keccak256(abi.encode("leaf", i));
        }
    }

    function _half(bytes32[] memory nodes) private pure returns (bytes32[] memory above) {
        above = new bytes32[](nodes.length / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            above[i] = keccak256(abi.encode(nodes[2 * i], nodes[2 * i + 1]));
        }
    }

    function _root(bytes32[] memory nodes) private pure returns (bytes32) {
        while (nodes.length > 1) {
            nodes = _half(nodes);
        }
        return nodes[0];
    }

    function _proof(bytes32[] memory nodes, uint256 index)
        private
        pure
        returns (bytes memory proof)
    {
        for (; nodes.length > 1; index /= 2) {
            proof = abi.encodePacked(proof, nodes[index % 2 == 0 ? index + 1 : index - 1]);
            nodes = _half(nodes);
        }
    }

    function _leaf(uint16 root, uint256 index, bytes32[] memory leaves)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(root, uint16(index), _proof(leaves, index));
    }

    function _refusedLeaf(Order memory o, bytes memory leaf, uint256 height, bytes32 root)
        private
    {
        Plan memory p = plan();
        addRoot(p, ALICE, height, root);
        addFill(p, addOrderOf(p, o, BULK, leaf), _maker(p), 5);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    function _wallet() private returns (address wallet) {
        wallet = address(new HonestWallet(vm.addr(CAROL)));
        token.mint(address(this), 1_000_000);
        token.approve(address(settlement), 1_000_000);
        settlement.depositFor(wallet, 1_000_000);
    }

    function _walletSigned(bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(CAROL, digest);
        return abi.encodePacked(uint16(65), r, s, v);
    }

    function _refusedWallet(Order memory o, bytes memory signature) private {
        Plan memory p = plan();
        addFill(p, addOrderOf(p, o, BY_WALLET, signature), _maker(p), 5);
        settleRejected(p, RejectReason.SIGNATURE_INVALID);
    }

    function _scope() private view returns (SessionKeyScope memory) {
        return SessionKeyScope(1, 10, 1_000_000, uint40(block.timestamp + 30 days));
    }

    function _grant(SessionKeyScope memory scope) private {
        vm.prank(vm.addr(ALICE));
        settlement.setSessionKey(vm.addr(KEY), scope);
    }

    function _byKey(Plan memory p, Order memory o) private view returns (uint16) {
        bytes32 digest = OrderTwin.orderDigest(settlement.domainSeparator(), o);
        return addOrderOf(p, o, BY_SESSION_KEY, compact(KEY, digest));
    }

    function _refusedKey(SessionKeyScope memory scope, RejectReason reason) private {
        _grant(scope);
        Plan memory p = plan();
        addFill(p, _byKey(p, order(ALICE, BUY, 1000, 10, 100_000)), _maker(p), 5);
        settleRejected(p, reason);
    }

    function _addMove(Plan memory p, int64 amountQuote) private {
        uint64 nonce = nextNonce++;
        uint40 expiryTimeS = p.clockTimeS + 1;
        address alice = vm.addr(ALICE);
        bytes32 hash = OrderLib.collateralMoveHash(alice, MARKET, amountQuote, nonce, expiryTimeS);
        bytes memory signature = compact(KEY, OrderLib.digest(settlement.domainSeparator(), hash));
        uint16 index = addPosition(p, alice);
        bytes memory head = abi.encodePacked(uint8(9), index, amountQuote, nonce, expiryTimeS);
        addItem(p, abi.encodePacked(head, uint8(1), signature));
    }

    function addSessionKey(
        Plan memory p,
        uint256 owner,
        uint256 signer,
        SessionKeyScope memory scope,
        uint64 nonce
    ) private view {
        bytes32 hash = OrderLib.sessionKeyHash(vm.addr(owner), vm.addr(KEY), scope, false, nonce);
        bytes memory signature =
            compact(signer, OrderLib.digest(settlement.domainSeparator(), hash));
        bytes memory head = abi.encodePacked(
            uint8(11), addAccount(p, vm.addr(owner)), vm.addr(KEY), scope.markets
        );
        head = abi.encodePacked(head, scope.leverageMax, uint8(0), scope.dayNotionalMaxQuote);
        addItem(p, abi.encodePacked(head, nonce, scope.expiryTimeS, uint8(0), signature));
    }

    function addAutoTopUp(
        Plan memory p,
        uint256 owner,
        uint256 signer,
        uint64 amountQuote,
        uint64 capQuote,
        uint64 nonce
    ) private view {
        uint40 expiryTimeS = uint40(START_TIME_S + 30 days);
        bytes32 hash = OrderLib.autoTopUpHash(vm.addr(owner), MARKET, capQuote, nonce, expiryTimeS);
        bytes memory signature =
            compact(signer, OrderLib.digest(settlement.domainSeparator(), hash));
        bytes memory head =
            abi.encodePacked(uint8(13), addPosition(p, vm.addr(owner)), amountQuote, capQuote);
        addItem(p, abi.encodePacked(head, nonce, expiryTimeS, uint8(0), signature));
    }

    /// @dev Alice is long 100 lots at 1000 with 101,000, and the mark is 945.
    function _liquidatable() private {
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 101_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 200_000)), 100);
        addPrice(p, 945, 945);
        settleAccepted(p);
    }

    /// @dev What restores the initial requirement: 10.05 % of the notional, rounded up.
    function _neededQuote() private view returns (uint64) {
        int256 notional = 100 * 945 * UNIT;
        int256 equity = position(ALICE).collateralQuote + notional
            - int256(uint256(position(ALICE).entryValueQuote));
        int256 requirement = (notional * 100_500 + 999_999) / 1_000_000;
        return uint64(uint256(requirement - equity));
    }
}
