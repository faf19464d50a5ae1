// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { SlotDerivation } from "@openzeppelin/contracts/utils/SlotDerivation.sol";
import { StorageSlot } from "@openzeppelin/contracts/utils/StorageSlot.sol";

import { BatchLib, Header } from "../libraries/BatchLib.sol";
import { Position } from "../libraries/MarginLib.sol";
import { NonceLib } from "../libraries/NonceLib.sol";
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
    using NonceLib for uint256;
    using OrderWord for uint256;
    using SlotDerivation for bytes32;
    using StorageSlot for bytes32;

    uint256 private constant BULK_HEIGHT_MAX = 10;

    /// @dev Bytes of the entries that are allocated by hand: `new` would first clear them, and with
    /// them an empty entry for each that they point to. Whoever fills one in writes every word that is
    /// read before an item has written it.
    uint256 private constant ACCOUNT_BYTES = 160;
    uint256 private constant POSITION_PLACE = 160;
    uint256 private constant POSITION_BYTES = 288;
    uint256 private constant ORDER_BYTES = 160;

    uint256 private immutable _domainChainId = block.chainid;
    bytes32 private immutable _domainCached = OrderLib.domainSeparator(address(this));

    /* READING */

    function _load(bytes calldata payload) internal view returns (Batch memory b) {
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
            m.potQuote = _potQuote(marketId);
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
        view
        returns (uint256)
    {
        uint256 count = b.header.accounts;
        uint256 lowest = 0;
        AccountEntry[] memory accounts;
        (uint256 place, uint256 entry) = _reserve(count + 1, ACCOUNT_BYTES);
        bytes32 accountsSlot;
        assembly ("memory-safe") {
            accounts := place
            accountsSlot := _accounts.slot
        }
        b.accounts = accounts;
        AccountEntry memory fund;
        fund.account = INSURANCE;
        accounts[count] = fund;
        AccountEntry memory a = fund;
        for (uint256 i = 0; i < count;) {
            assembly ("memory-safe") {
                a := entry
                place := add(place, 32)
                mstore(place, entry)
                entry := add(entry, ACCOUNT_BYTES)
            }
            // They ascend: a second entry of an account would be a second copy of its balance.
            uint256 id = BatchLib.wordAt(payload, offset) >> 96;
            if (id < lowest) revert BatchLib.BatchMalformed(offset);
            address account = address(uint160(id));
            bytes32 slot = accountsSlot.deriveMapping(account);
            uint256 word = slot.getUint256Slot().value;
            a.account = account;
            a.slot = slot;
            a.word = word;
            a.freeQuote = int256(SlotLib.freeQuote(word));
            a.nonces = SlotLib.nonces(word);
            unchecked {
                lowest = id + 1;
                offset += BatchLib.ACCOUNT_BYTES;
                ++i;
            }
        }
        return offset;
    }

    /// @dev Adds the insurance fund's position of every market that the payload does not name:
    /// liquidation fees go there and ADL asks it.
    function _loadPositions(Batch memory b, bytes calldata payload, uint256 offset)
        private
        view
        returns (uint256)
    {
        uint256 count = b.header.positions;
        uint256 accounts = b.header.accounts;
        uint256 markets = b.header.markets;
        uint256 lowest = 0;
        PositionEntry[] memory positions;
        (uint256 place, uint256 entry) = _reserve(count + markets, POSITION_BYTES);
        assembly ("memory-safe") {
            positions := place
        }
        b.positions = positions;
        PositionEntry memory e = b.blank.holder;
        for (uint256 i = 0; i < count;) {
            uint256 word = BatchLib.wordAt(payload, offset);
            uint256 accountIndex = word >> 240;
            uint256 marketIndex = uint8(word >> 232);
            // They ascend: a second entry of a position would be a second copy of it.
            bool isNext = word >> 232 >= lowest;
            if (!isNext || accountIndex >= accounts || marketIndex >= markets) {
                revert BatchLib.BatchMalformed(offset);
            }
            assembly ("memory-safe") {
                e := entry
                place := add(place, 32)
                mstore(place, entry)
                entry := add(entry, POSITION_BYTES)
            }
            _loadPosition(b, e, accountIndex, marketIndex);
            // The fund's address is 1: among accounts that ascend, only 0 can stand before it.
            if (accountIndex < 2 && e.owner.account == INSURANCE) e.listing.fundIndex = i;
            unchecked {
                lowest = (word >> 232) + 1;
                offset += BatchLib.POSITION_BYTES;
                ++i;
            }
        }
        for (uint256 i = 0; i < markets; ++i) {
            assembly ("memory-safe") {
                e := entry
                place := add(place, 32)
                mstore(place, entry)
                entry := add(entry, POSITION_BYTES)
            }
            // The last ones take the place of funds that the payload names: unused, but there.
            _loadPosition(b, e, accounts, i);
        }
        return offset;
    }

    function _loadPosition(
        Batch memory b,
        PositionEntry memory e,
        uint256 accountIndex,
        uint256 marketIndex
    ) private view {
        AccountEntry[] memory accounts = b.accounts;
        MarketEntry[] memory markets = b.markets;
        AccountEntry memory a = b.blank.holder.owner;
        MarketEntry memory m = b.blank.holder.listing;
        // Equivalent to a = accounts[accountIndex] and m = markets[marketIndex]: the caller has
        // checked both.
        assembly ("memory-safe") {
            a := mload(add(accounts, shl(5, add(accountIndex, 1))))
            m := mload(add(markets, shl(5, add(marketIndex, 1))))
        }
        bytes32 slot = m.positionsSlot.deriveMapping(a.account);
        uint256 word = slot.getUint256Slot().value;
        e.slot = slot;
        e.word = word;
        e.owner = a;
        e.listing = m;
        Position memory p = b.probeA;
        assembly ("memory-safe") {
            p := add(e, POSITION_PLACE)
        }
        SlotLib.unpackPosition(word, p);
        e.position = p;
    }

    function _loadRoots(Batch memory b, bytes calldata payload, uint256 offset)
        private
        view
        returns (uint256)
    {
        uint256 count = b.header.roots;
        b.roots = new RootEntry[](count);
        bytes32 typehash;
        uint256 typeHeight = 0;
        for (uint256 i = 0; i < count; ++i) {
            RootEntry memory r = b.roots[i];
            uint256 word = BatchLib.wordAt(payload, offset);
            r.account = b.accounts[_accountIndex(b, word >> 240)].account;
            r.height = uint8(word >> 224);
            r.root = bytes32(BatchLib.wordAt(payload, offset + 4));
            if (r.height == 0 || r.height > BULK_HEIGHT_MAX) {
                revert BatchLib.BatchMalformed(offset);
            }
            offset += BatchLib.ROOT_BYTES;
            if (r.height != typeHeight) {
                typeHeight = r.height;
                typehash = OrderLib.bulkTypehash(typeHeight);
            }
            bytes32 digest = OrderLib.bulkDigest(b.domain, typehash, r.root);
            uint256 kind = uint8(word >> 232);
            r.authority = _authority(r.account, digest, kind, payload, offset);
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
        OrderEntry[] memory orders;
        (uint256 place, uint256 entry) = _reserve(count, ORDER_BYTES);
        assembly ("memory-safe") {
            orders := place
        }
        b.orders = orders;
        bytes32[16] memory words;
        words[0] = OrderLib.ORDER_TYPEHASH;
        OrderEntry memory e = b.blank;
        for (uint256 i = 0; i < count;) {
            assembly ("memory-safe") {
                e := entry
                place := add(place, 32)
                mstore(place, entry)
                entry := add(entry, ORDER_BYTES)
            }
            offset = _loadOrder(b, e, words, payload, offset);
            unchecked {
                ++i;
            }
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
        if (head.position() >= b.header.positions) revert BatchLib.BatchMalformed(offset);
        PositionEntry[] memory positions = b.positions;
        PositionEntry memory p = b.blank.holder;
        uint256 index = head.position();
        // Equivalent to p = positions[index], without a second check.
        assembly ("memory-safe") {
            p := mload(add(positions, shl(5, add(index, 1))))
        }
        AccountEntry memory a = p.owner;
        bytes32 instructions = 0;
        bytes32 hash;
        unchecked {
            uint256 tail = BatchLib.wordAt(payload, offset + BatchLib.ORDER_BYTES - 5);
            offset += BatchLib.ORDER_BYTES;
            if (head.flags() & OrderWord.FLAG_TRIGGER == 0) tail = tail.withoutTrigger();
            else offset += BatchLib.TRIGGER_BYTES;
            if (head.flags() & OrderWord.FLAG_INSTRUCTIONS != 0) {
                instructions = bytes32(BatchLib.wordAt(payload, offset));
                offset += BatchLib.INSTRUCTIONS_BYTES;
            }
            e.head = head;
            e.tail = tail;
            e.holder = p;
            uint256 nonce = head.nonce();
            e.lanesSlot = nonce.isAscending() ? bytes32(0) : _lanesOf(a, nonce);
            uint256 marketId = p.listing.marketId;
            hash = OrderLib.hashOrder(words, a.account, marketId, head, tail, instructions);
        }
        if (head.flags() & OrderWord.FLAG_BULK != 0) {
            return _loadLeaf(b, e, hash, a, payload, offset);
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
        AccountEntry memory a,
        bytes calldata payload,
        uint256 offset
    ) private pure returns (uint256 end) {
        uint256 word = BatchLib.wordAt(payload, offset);
        uint256 leafIndex = uint16(word >> 224);
        if (word >> 240 >= b.header.roots) revert BatchLib.BatchMalformed(offset);
        RootEntry memory r = b.roots[word >> 240];
        offset += BatchLib.LEAF_BYTES;
        end = offset + (r.height << 5);
        bool isLeaf = r.account == a.account && leafIndex >> r.height == 0
            && OrderLib.bulkRoot(hash, leafIndex, r.height, payload, offset) == r.root;
        e.authority = isLeaf ? r.authority : UNSIGNED;
    }

    function _domain() private view returns (bytes32) {
        if (block.chainid == _domainChainId) return _domainCached;
        return OrderLib.domainSeparator(address(this));
    }

    /// @notice Room for an array of pointers and, behind it, for the entries that they point to.
    /// Whoever fills an entry in writes its pointer.
    /// @return array where the array starts
    /// @return entry where the first entry does
    function _reserve(uint256 count, uint256 entryBytes)
        private
        pure
        returns (uint256 array, uint256 entry)
    {
        assembly ("memory-safe") {
            array := mload(0x40)
            mstore(array, count)
            entry := add(array, shl(5, add(count, 1)))
            mstore(0x40, add(entry, mul(entryBytes, count)))
        }
    }

    /* WRITING */

    /// @notice Writes what changed, and proves that the batch neither made nor lost money or lots.
    function _commit(Batch memory b) internal {
        int256 freedQuote = _commitAccounts(b);
        int256 createdQuote =
            freedQuote + b.feesQuote + b.withdrawnQuote + _commitPositions(b) - b.broughtQuote;
        if (createdQuote != 0) revert ConservationBroken(createdQuote);
        _totals.freeQuote = uint80(uint256(int256(uint256(_totals.freeQuote)) + freedQuote));
        _totals.feesQuote += uint80(uint256(b.feesQuote));
    }

    function _commitAccounts(Batch memory b) private returns (int256 freedQuote) {
        AccountEntry[] memory accounts = b.accounts;
        AccountEntry memory a = b.blank.holder.owner;
        uint256 count = b.header.accounts;
        // Free balances have 96 bits: no sum of them overflows.
        unchecked {
            for (uint256 i = 1; i <= count; ++i) {
                assembly ("memory-safe") {
                    a := mload(add(accounts, shl(5, i)))
                }
                uint256 word = SlotLib.packAccount(uint256(a.freeQuote), a.nonces);
                if (word == a.word) continue;
                freedQuote += a.freeQuote - int256(SlotLib.freeQuote(a.word));
                a.slot.getUint256Slot().value = word;
            }
        }
    }

    /// @return createdQuote what positions and funding pools gained
    function _commitPositions(Batch memory b) private returns (int256 createdQuote) {
        PositionEntry[] memory positions = b.positions;
        PositionEntry memory e = b.blank.holder;
        uint256 count = positions.length;
        // Fields of a word have 64 bits: no sum of them overflows.
        unchecked {
            for (uint256 i = 1; i <= count; ++i) {
                assembly ("memory-safe") {
                    e := mload(add(positions, shl(5, i)))
                }
                uint256 before = e.word;
                uint256 word = SlotLib.packPosition(e.position);
                if (word == before) continue;
                MarketEntry memory m = e.listing;
                m.heldQuote += SlotLib.heldQuote(word) - SlotLib.heldQuote(before);
                int256 lots = SlotLib.lots(word);
                int256 lotsBefore = SlotLib.lots(before);
                m.lotsSum += lots - lotsBefore + (SlotLib.opening(lotsBefore, lots) << 128);
                e.slot.getUint256Slot().value = word;
            }
        }
        for (uint256 i = 0; i < b.markets.length; ++i) {
            MarketEntry memory m = b.markets[i];
            Market storage stored = _markets[m.marketId];
            if (m.isChanged) stored.state = m.state;
            int256 lotsSum = int128(m.lotsSum);
            if (lotsSum != 0) revert LotsSumBroken(m.marketId, lotsSum);
            if (m.heldQuote == 0 && m.fundingQuote == 0 && m.lotsSum == 0) continue;
            int256 open = int256(uint256(stored.totals.openPositions)) + (m.lotsSum >> 128);
            stored.totals.openPositions = uint32(uint256(open));
            stored.totals.fundingPoolQuote += int88(m.fundingQuote);
            stored.totals.positionsQuote += int88(m.heldQuote);
            createdQuote += m.heldQuote + m.fundingQuote;
        }
    }
}
