// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Memory } from "@openzeppelin/contracts/utils/Memory.sol";
import { TransientSlot } from "@openzeppelin/contracts/utils/TransientSlot.sol";

import { MarketParams, MarketState } from "../interfaces/ISettlementTypes.sol";
import { BatchLib, Header } from "../libraries/BatchLib.sol";
import { Draft, Fill } from "../libraries/FillLib.sol";
import { MarginLib, Position, Terms } from "../libraries/MarginLib.sol";
import { Order, OrderLib } from "../libraries/OrderLib.sol";
import { RejectReason } from "../libraries/RejectReason.sol";
import { SlotLib } from "../libraries/SlotLib.sol";
import { SettlementStorage } from "./SettlementStorage.sol";

/// @notice A market of the batch.
/// @param fundingQuote what its pool received in the batch
/// @param fundIndex the insurance fund's position in it, within the batch's positions
/// @param adlPosition bankrupt position of the present ADL run, plus one; 0 when there is no run
/// @param adlRank rank of the run's last counterparty
struct MarketEntry {
    uint256 marketId;
    bool isListed;
    bool isChanged;
    MarketParams params;
    Terms terms;
    MarketState state;
    int256 fundingQuote;
    uint256 fundIndex;
    uint256 adlPosition;
    int256 adlRank;
}

/// @notice An account of the batch; `word` is what storage holds.
struct AccountEntry {
    address account;
    int256 freeQuote;
    uint256 nonceFloor;
    uint256 word;
}

/// @notice A position of the batch; `word` is what storage holds.
struct PositionEntry {
    uint256 account;
    uint256 market;
    Position position;
    uint256 word;
}

/// @notice A signed order of the batch. Filled lots stay in storage, where every item sees them;
/// `filledLots` is what the item at work has read.
struct OrderEntry {
    uint256 position;
    uint256 filledLots;
    bool isSigned;
    Order order;
}

/// @notice Everything a batch works on. Storage is read before the items and written after them,
/// except filled lots, which are written through.
struct Batch {
    Header header;
    uint256 clockTimeS;
    uint256 itemsOffset;
    bytes32 domain;
    MarketEntry[] markets;
    AccountEntry[] accounts;
    PositionEntry[] positions;
    OrderEntry[] orders;
    bytes reasons;
    uint256 rejected;
    int256 feesQuote;
    int256 withdrawnQuote;
    Draft draftA;
    Draft draftB;
    Fill fill;
    Position probeA;
    Position probeB;
}

/// @title Reads the tables of a batch and writes them back
abstract contract BatchTables is SettlementStorage {
    using TransientSlot for *;

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
        for (uint256 i = 0; i < count; ++i) {
            MarketEntry memory m = b.markets[i];
            uint256 marketId = BatchLib.wordAt(payload, offset) >> 224;
            for (uint256 j = 0; j < i; ++j) {
                if (b.markets[j].marketId == marketId) revert BatchLib.BatchMalformed(offset);
            }
            Market storage stored = _markets[marketId];
            m.marketId = marketId;
            m.params = stored.params;
            m.isListed = m.params.quotePerTickLot != 0;
            m.terms.quotePerTickLot = int256(uint256(m.params.quotePerTickLot));
            m.terms.positionLotsMax = int256(uint256(m.params.positionLotsMax));
            m.terms.feeTakerPpm = int256(uint256(m.params.feeTakerPpm));
            m.terms.feeLiquidationPpm = int256(uint256(m.params.feeLiquidationPpm));
            m.terms.liquidationBufferPpm = int256(uint256(m.params.liquidationBufferPpm));
            m.terms.markBandPpm = int256(uint256(m.params.markBandPpm));
            m.terms.tiers = stored.tiers;
            m.state = stored.state;
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
        for (uint256 i = 0; i < count; ++i) {
            AccountEntry memory a = b.accounts[i];
            uint256 id = BatchLib.wordAt(payload, offset) >> 96;
            // A second entry of an account would be a second copy of its balance. The mark
            // carries the sequence, so it needs no clearing.
            TransientSlot.Uint256Slot seen = bytes32(b.header.sequence << 160 | id).asUint256();
            if (seen.tload() != 0) revert BatchLib.BatchMalformed(offset);
            seen.tstore(1);
            a.account = address(uint160(id));
            a.word = _accounts[a.account];
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
        e.word = _positions[b.markets[marketIndex].marketId][b.accounts[accountIndex].account];
        SlotLib.unpackPosition(e.word, e.position);
    }

    function _loadOrders(Batch memory b, bytes calldata payload, uint256 offset)
        private
        pure
        returns (uint256)
    {
        uint256 count = b.header.orders;
        b.orders = new OrderEntry[](count);
        for (uint256 i = 0; i < count; ++i) {
            offset = _loadOrder(b, b.orders[i], payload, offset);
        }
        return offset;
    }

    function _loadOrder(
        Batch memory b,
        OrderEntry memory e,
        bytes calldata payload,
        uint256 offset
    ) private pure returns (uint256) {
        uint256 word = BatchLib.wordAt(payload, offset);
        uint256 flags = uint16(word >> 224);
        Order memory o = e.order;
        e.position = word >> 240;
        if (e.position >= b.header.positions) revert BatchLib.BatchMalformed(offset);
        PositionEntry memory p = b.positions[e.position];
        o.account = b.accounts[p.account].account;
        o.marketId = uint32(b.markets[p.market].marketId);
        o.side = uint8(flags & 1);
        o.timeInForce = uint8(flags >> 1 & 3);
        o.postOnly = flags & 8 != 0;
        o.reduceOnly = flags & 16 != 0;
        o.priceTicks = uint32(word >> 192);
        o.qtyLots = uint32(word >> 160);
        o.marginQuote = uint64(word >> 96);
        o.feePpmMax = uint24(word >> 72);
        o.nonce = uint64(word >> 8);
        word = BatchLib.wordAt(payload, offset + 31);
        o.expiryTimeS = uint40(word >> 216);
        offset += BatchLib.ORDER_BYTES;
        if (flags & BatchLib.FLAG_TRIGGER != 0) {
            o.triggerKind = uint8(word >> 208);
            o.triggerPriceTicks = uint32(word >> 176);
            offset += BatchLib.TRIGGER_BYTES;
        }
        if (flags & BatchLib.FLAG_INSTRUCTIONS != 0) {
            o.instructions = bytes32(BatchLib.wordAt(payload, offset));
            offset += BatchLib.INSTRUCTIONS_BYTES;
        }
        if (flags & BatchLib.FLAGS_SIGNER == 0) {
            Memory.Pointer scratch = Memory.getFreeMemoryPointer();
            e.isSigned = _isSignedBy(o.account, OrderLib.orderDigest(b.domain, o), payload, offset);
            Memory.unsafeSetFreeMemoryPointer(scratch);
        }
        return offset + BatchLib.SIGNATURE_BYTES;
    }

    /// @dev The zero address signs nothing: a failed recovery yields it.
    function _isSignedBy(address signer, bytes32 digest, bytes calldata payload, uint256 offset)
        internal
        pure
        returns (bool)
    {
        address recovered = OrderLib.signer(
            digest, BatchLib.wordAt(payload, offset), BatchLib.wordAt(payload, offset + 32)
        );
        return recovered == signer && signer != address(0);
    }

    function _domain() private view returns (bytes32) {
        if (block.chainid == _domainChainId) return _domainCached;
        return OrderLib.domainSeparator(address(this));
    }

    /* WORKING */

    // Checked indices, not checked entries: a function that returns a struct in memory pays for
    // an empty one first.

    function _marketIndex(Batch memory b, uint256 index) internal pure returns (uint256) {
        if (index >= b.header.markets) revert BatchLib.BatchMalformed(index);
        return index;
    }

    function _positionIndex(Batch memory b, uint256 index) internal pure returns (uint256) {
        if (index >= b.header.positions) revert BatchLib.BatchMalformed(index);
        return index;
    }

    function _orderIndex(Batch memory b, uint256 index) internal pure returns (uint256) {
        if (index >= b.header.orders) revert BatchLib.BatchMalformed(index);
        return index;
    }

    /// @notice Opens a draft of a position: a copy with its funding settled.
    function _begin(Batch memory b, Draft memory d, uint256 positionIndex) internal pure {
        PositionEntry memory e = b.positions[positionIndex];
        d.positionIndex = positionIndex;
        MarginLib.copy(e.position, d.position);
        d.freeQuote = b.accounts[e.account].freeQuote;
        d.feeQuote = 0;
        d.fundingQuote =
            MarginLib.settleFunding(d.position, b.markets[e.market].state.fundingIndexE6);
    }

    /// @notice Takes an accepted draft over into the tables.
    function _accept(Batch memory b, Draft memory d) internal pure {
        PositionEntry memory e = b.positions[d.positionIndex];
        MarginLib.copy(d.position, e.position);
        b.accounts[e.account].freeQuote = d.freeQuote;
        b.feesQuote += d.feeQuote;
        b.markets[e.market].fundingQuote += d.fundingQuote;
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
            _accounts[a.account] = word;
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
            _positions[b.markets[e.market].marketId][b.accounts[e.account].account] = word;
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
