// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { SlotDerivation } from "@openzeppelin/contracts/utils/SlotDerivation.sol";
import { StorageSlot } from "@openzeppelin/contracts/utils/StorageSlot.sol";
import { TransientSlot } from "@openzeppelin/contracts/utils/TransientSlot.sol";

import { BatchLib, Header } from "../libraries/BatchLib.sol";
import { OrderLib } from "../libraries/OrderLib.sol";
import { OrderWord } from "../libraries/OrderWord.sol";
import { SlotLib } from "../libraries/SlotLib.sol";
import {
    AccountEntry,
    Batch,
    MarketEntry,
    OrderEntry,
    PositionEntry,
    RootEntry
} from "./BatchWork.sol";
import { Signatures } from "./Signatures.sol";

/// @title Reads the tables of a batch and writes them back
abstract contract BatchTables is Signatures {
    using OrderWord for uint256;
    using SlotDerivation for bytes32;
    using StorageSlot for bytes32;
    using TransientSlot for *;

    uint256 private constant BULK_HEIGHT_MAX = 10;

    uint256 private immutable _domainChainId = block.chainid;
    bytes32 private immutable _domainCached = OrderLib.domainSeparator(address(this));

    /* READING */

    function _load(bytes calldata payload) internal returns (Batch memory b) {
        Header memory h = BatchLib.header(payload);
        b.header = h;
        b.clockTimeS = h.clockTimeS;
        b.domain = _domain();
        b.reasons = new bytes(h.items);
        uint256 offset = _loadMarkets(b, payload, BatchLib.HEADER_BYTES);
        offset = _loadAccounts(b, payload, offset);
        offset = _loadPositions(b, payload, offset);
        offset = _loadRoots(b, payload, offset);
        b.itemsOffset = _loadOrders(b, payload, offset);
        if (b.itemsOffset > payload.length) revert BatchLib.BatchMalformed(payload.length);
    }

    function _loadMarkets(Batch memory b, bytes calldata payload, uint256 offset)
        private
        view
        returns (uint256)
    {
        uint256 count = b.header.markets;
        b.markets = new MarketEntry[](count);
        bytes32 positionsSlot;
        assembly ("memory-safe") {
            positionsSlot := _positions.slot
        }
        for (uint256 i = 0; i < count; ++i) {
            MarketEntry memory m = b.markets[i];
            uint256 marketId = BatchLib.wordAt(payload, offset) >> 224;
            for (uint256 j = 0; j < i; ++j) {
                if (b.markets[j].marketId == marketId) revert BatchLib.BatchMalformed(offset);
            }
            m.marketId = marketId;
            m.positionsSlot = positionsSlot.deriveMapping(marketId);
            m.state = _markets[marketId].state;
            _loadTerms(m);
            m.fundIndex = b.header.positions + i;
            offset += BatchLib.MARKET_BYTES;
        }
        return offset;
    }

    /// @dev One more entry than the payload has: the insurance fund, for positions that
    /// `_loadPositions` adds.
    function _loadAccounts(Batch memory b, bytes calldata payload, uint256 offset)
        private
        returns (uint256)
    {
        uint256 count = b.header.accounts;
        b.accounts = new AccountEntry[](count + 1);
        bytes32 accountsSlot;
        bytes32 lanesSlot;
        assembly ("memory-safe") {
            accountsSlot := _accounts.slot
            lanesSlot := _filledLanes.slot
        }
        for (uint256 i = 0; i < count; ++i) {
            AccountEntry memory a = b.accounts[i];
            uint256 id = BatchLib.wordAt(payload, offset) >> 96;
            // A second entry of an account would be a second copy of its balance. The mark
            // carries the sequence, so it needs no clearing.
            TransientSlot.Uint256Slot seen = bytes32(b.header.sequence << 160 | id).asUint256();
            if (seen.tload() != 0) revert BatchLib.BatchMalformed(offset);
            seen.tstore(1);
            a.account = address(uint160(id));
            a.slot = accountsSlot.deriveMapping(a.account);
            a.lanesSlot = lanesSlot.deriveMapping(a.account);
            a.word = a.slot.getUint256Slot().value;
            a.freeQuote = int256(SlotLib.freeQuote(a.word));
            a.nonceFloor = SlotLib.nonceFloor(a.word);
            offset += BatchLib.ACCOUNT_BYTES;
        }
        b.accounts[count].account = INSURANCE;
        return offset;
    }

    /// @dev Adds the insurance fund's position of every market that the payload does not name:
    /// liquidation fees go there and ADL asks it.
    function _loadPositions(Batch memory b, bytes calldata payload, uint256 offset)
        private
        view
        returns (uint256)
    {
        Header memory h = b.header;
        uint256 markets = h.markets;
        b.positions = new PositionEntry[](h.positions + markets);
        uint256[] memory marketsSeen = new uint256[](h.accounts);
        for (uint256 i = 0; i < h.positions; ++i) {
            uint256 word = BatchLib.wordAt(payload, offset);
            uint256 accountIndex = word >> 240;
            uint256 marketIndex = uint8(word >> 232);
            if (accountIndex >= h.accounts || marketIndex >= markets) {
                revert BatchLib.BatchMalformed(offset);
            }
            uint256 seen = marketsSeen[accountIndex];
            if (seen >> marketIndex & 1 != 0) revert BatchLib.BatchMalformed(offset);
            marketsSeen[accountIndex] = seen | 1 << marketIndex;
            _loadPosition(b, i, accountIndex, marketIndex);
            if (b.accounts[accountIndex].account == INSURANCE) {
                b.markets[marketIndex].fundIndex = i;
            }
            offset += BatchLib.POSITION_BYTES;
        }
        for (uint256 i = 0; i < markets; ++i) {
            if (b.markets[i].fundIndex == h.positions + i) {
                _loadPosition(b, h.positions + i, h.accounts, i);
            }
        }
        return offset;
    }

    function _loadPosition(
        Batch memory b,
        uint256 index,
        uint256 accountIndex,
        uint256 marketIndex
    ) private view {
        PositionEntry memory e = b.positions[index];
        e.account = accountIndex;
        e.market = marketIndex;
        e.slot =
            b.markets[marketIndex].positionsSlot.deriveMapping(b.accounts[accountIndex].account);
        e.word = e.slot.getUint256Slot().value;
        SlotLib.unpackPosition(e.word, e.position);
    }

    function _loadRoots(Batch memory b, bytes calldata payload, uint256 offset)
        private
        view
        returns (uint256)
    {
        uint256 count = b.header.roots;
        b.roots = new RootEntry[](count);
        for (uint256 i = 0; i < count; ++i) {
            RootEntry memory r = b.roots[i];
            uint256 word = BatchLib.wordAt(payload, offset);
            r.account = _accountIndex(b, word >> 240);
            r.height = uint8(word >> 224);
            r.root = bytes32(BatchLib.wordAt(payload, offset + 4));
            if (r.height == 0 || r.height > BULK_HEIGHT_MAX) {
                revert BatchLib.BatchMalformed(offset);
            }
            offset += BatchLib.ROOT_BYTES;
            bytes32 digest = OrderLib.bulkDigest(b.domain, r.height, r.root);
            uint256 kind = uint8(word >> 232);
            r.authority = _authority(b.accounts[r.account].account, digest, kind, payload, offset);
            offset = BatchLib.signatureEnd(payload, kind, offset);
        }
        return offset;
    }

    function _loadOrders(Batch memory b, bytes calldata payload, uint256 offset)
        private
        view
        returns (uint256)
    {
        uint256 count = b.header.orders;
        b.orders = new OrderEntry[](count);
        bytes32[16] memory words;
        words[0] = OrderLib.ORDER_TYPEHASH;
        for (uint256 i = 0; i < count; ++i) {
            offset = _loadOrder(b, b.orders[i], words, payload, offset);
        }
        return offset;
    }

    function _loadOrder(
        Batch memory b,
        OrderEntry memory e,
        bytes32[16] memory words,
        bytes calldata payload,
        uint256 offset
    ) private view returns (uint256) {
        uint256 head = BatchLib.wordAt(payload, offset);
        uint256 tail = BatchLib.wordAt(payload, offset + BatchLib.ORDER_BYTES - 5);
        uint256 index = head.position();
        if (index >= b.header.positions) revert BatchLib.BatchMalformed(offset);
        PositionEntry memory p = b.positions[index];
        AccountEntry memory a = b.accounts[p.account];
        offset += BatchLib.ORDER_BYTES;
        if (head.flags() & OrderWord.FLAG_TRIGGER == 0) tail = tail.withoutTrigger();
        else offset += BatchLib.TRIGGER_BYTES;
        bytes32 instructions = 0;
        if (head.flags() & OrderWord.FLAG_INSTRUCTIONS != 0) {
            instructions = bytes32(BatchLib.wordAt(payload, offset));
            offset += BatchLib.INSTRUCTIONS_BYTES;
        }
        e.head = head;
        e.tail = tail;
        e.lanesSlot = a.lanesSlot.deriveMapping(head.nonce() >> 3);
        uint256 marketId = b.markets[p.market].marketId;
        bytes32 hash = OrderLib.hashOrder(words, a.account, marketId, head, tail, instructions);
        if (head.flags() & OrderWord.FLAG_BULK != 0) {
            return _loadLeaf(b, e, hash, p.account, payload, offset);
        }
        uint256 kind = head.signer();
        e.authority = _authority(a.account, OrderLib.digest(b.domain, hash), kind, payload, offset);
        return BatchLib.signatureEnd(payload, kind, offset);
    }

    /// @notice SIG-4: an order of a tree has the authority of the tree's signature.
    function _loadLeaf(
        Batch memory b,
        OrderEntry memory e,
        bytes32 hash,
        uint256 account,
        bytes calldata payload,
        uint256 offset
    ) private pure returns (uint256 end) {
        uint256 word = BatchLib.wordAt(payload, offset);
        uint256 leafIndex = uint16(word >> 224);
        if (word >> 240 >= b.header.roots) revert BatchLib.BatchMalformed(offset);
        RootEntry memory r = b.roots[word >> 240];
        offset += BatchLib.LEAF_BYTES;
        end = offset + (r.height << 5);
        bool isLeaf = r.account == account && leafIndex >> r.height == 0
            && OrderLib.bulkRoot(hash, leafIndex, r.height, payload, offset) == r.root;
        if (isLeaf) e.authority = r.authority;
    }

    function _domain() private view returns (bytes32) {
        if (block.chainid == _domainChainId) return _domainCached;
        return OrderLib.domainSeparator(address(this));
    }

    /* WRITING */

    /// @notice Writes what changed, and proves that the batch neither made nor lost money or lots.
    function _commit(Batch memory b) internal {
        int256 freedQuote = _commitAccounts(b);
        int256 createdQuote = freedQuote + b.feesQuote + b.withdrawnQuote + _commitPositions(b);
        if (createdQuote != 0) revert ConservationBroken(createdQuote);
        _totals.freeQuote = uint80(uint256(int256(uint256(_totals.freeQuote)) + freedQuote));
        _totals.feesQuote += uint80(uint256(b.feesQuote));
    }

    function _commitAccounts(Batch memory b) private returns (int256 freedQuote) {
        for (uint256 i = 0; i < b.header.accounts; ++i) {
            AccountEntry memory a = b.accounts[i];
            uint256 word = SlotLib.packAccount(uint256(a.freeQuote), a.nonceFloor);
            if (word == a.word) continue;
            freedQuote += a.freeQuote - int256(SlotLib.freeQuote(a.word));
            a.slot.getUint256Slot().value = word;
        }
    }

    /// @return createdQuote what positions and funding pools gained
    function _commitPositions(Batch memory b) private returns (int256 createdQuote) {
        int256[] memory heldQuote = new int256[](b.markets.length);
        int256[] memory lots = new int256[](b.markets.length);
        for (uint256 i = 0; i < b.positions.length; ++i) {
            PositionEntry memory e = b.positions[i];
            uint256 word = SlotLib.packPosition(e.position);
            if (word == e.word) continue;
            heldQuote[e.market] += SlotLib.heldQuote(word) - SlotLib.heldQuote(e.word);
            lots[e.market] += SlotLib.lots(word) - SlotLib.lots(e.word);
            e.slot.getUint256Slot().value = word;
        }
        for (uint256 i = 0; i < b.markets.length; ++i) {
            MarketEntry memory m = b.markets[i];
            Market storage stored = _markets[m.marketId];
            if (m.isChanged) stored.state = m.state;
            if (lots[i] != 0) revert LotsSumBroken(m.marketId, lots[i]);
            if (heldQuote[i] == 0 && m.fundingQuote == 0) continue;
            stored.totals.fundingPoolQuote += int88(m.fundingQuote);
            stored.totals.positionsQuote += int88(heldQuote[i]);
            createdQuote += heldQuote[i] + m.fundingQuote;
        }
    }
}
