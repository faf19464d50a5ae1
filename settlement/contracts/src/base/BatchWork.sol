// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { SlotDerivation } from "@openzeppelin/contracts/utils/SlotDerivation.sol";
import { StorageSlot } from "@openzeppelin/contracts/utils/StorageSlot.sol";

import { MarketParams, MarketState } from "../interfaces/ISettlementTypes.sol";
import { BatchLib, Header } from "../libraries/BatchLib.sol";
import { Draft, Fill, FillLib } from "../libraries/FillLib.sol";
import { IndexPriceLib } from "../libraries/IndexPriceLib.sol";
import { MarginLib, Position, Terms } from "../libraries/MarginLib.sol";
import { NonceLib } from "../libraries/NonceLib.sol";
import { OrderWord } from "../libraries/OrderWord.sol";
import { RejectReason } from "../libraries/RejectReason.sol";
import { SettlementStorage } from "./SettlementStorage.sol";

/// @notice A market of the batch.
/// @param isListed whether it trades: its last row (EXP-2) ends that
/// @param positionsSlot where its positions are stored
/// @param fundingQuote what its pool received in the batch
/// @param fundIndex the insurance fund's position in it, within the batch's positions
/// @param adlPosition bankrupt position of the present ADL run, plus one; 0 when there is no run
/// @param adlRank rank of the run's last counterparty
/// @param heldQuote what its positions gained in the batch, as `SlotLib.heldQuote` counts
/// @param potQuote what it holds now, funding pool included (CONS-4)
/// @param lotsSum what the batch added to the sum of its positions' lots; from bit 128 on to the
/// number of its open positions
struct MarketEntry {
    uint256 marketId;
    bytes32 positionsSlot;
    bool isListed;
    bool isChanged;
    MarketParams params;
    Terms terms;
    MarketState state;
    int256 fundingQuote;
    uint256 fundIndex;
    uint256 adlPosition;
    int256 adlRank;
    int256 heldQuote;
    int256 potQuote;
    int256 lotsSum;
}

/// @notice An account of the batch; `word` is what storage holds at `slot`.
/// @param nonces as in `NonceLib`
struct AccountEntry {
    address account;
    int256 freeQuote;
    uint256 nonces;
    uint256 word;
    bytes32 slot;
}

/// @notice A position of the batch; `word` is what storage holds at `slot`.
/// @param owner its account
/// @param listing its market
struct PositionEntry {
    Position position;
    uint256 word;
    bytes32 slot;
    AccountEntry owner;
    MarketEntry listing;
}

/// @notice The root of a tree of orders that one signature covers.
struct RootEntry {
    address account;
    uint256 height;
    bytes32 root;
    bytes32 authority;
}

/// @notice A signed order of the batch, as in `OrderWord`.
/// @param authority 0: nobody who may sign it has; 1: its owner has; else a session key, whose
/// word is stored there
/// @param lanesSlot where its filled lots are stored, which every item reads and writes through; 0
/// when its nonce is ascending: the account keeps them
/// @param holder the position that it changes
struct OrderEntry {
    uint256 head;
    uint256 tail;
    bytes32 authority;
    bytes32 lanesSlot;
    PositionEntry holder;
}

/// @notice Everything a batch works on. Storage is read before the items and written after them,
/// except filled lots and what session keys have used, which are written through.
/// @param broughtQuote what requests had brought that are served now (FORCE-5)
/// @param blank an empty order: what a variable starts as that a pointer is read into
struct Batch {
    Header header;
    uint256 clockTimeS;
    bool isRiskPaused;
    uint256 itemsOffset;
    bytes32 domain;
    MarketEntry[] markets;
    AccountEntry[] accounts;
    PositionEntry[] positions;
    RootEntry[] roots;
    OrderEntry[] orders;
    OrderEntry blank;
    bytes reasons;
    uint256 rejected;
    int256 feesQuote;
    int256 withdrawnQuote;
    int256 broughtQuote;
    Draft draftA;
    Draft draftB;
    Fill fill;
    Position probeA;
    Position probeB;
}

/// @title What every judge of items does with the tables of a batch
abstract contract BatchWork is SettlementStorage {
    using NonceLib for uint256;
    using OrderWord for uint256;
    using SlotDerivation for bytes32;
    using StorageSlot for bytes32;

    uint256 internal constant GOOD_TILL_CANCEL = 0;

    bytes32 internal constant UNSIGNED = 0;
    bytes32 internal constant SIGNED_BY_OWNER = bytes32(uint256(1));

    // Checked indices, not checked entries: a function that returns a struct in memory pays for
    // an empty one first, and so does a variable that does not start as something.

    function _marketIndex(Batch memory b, uint256 index) internal pure returns (uint256) {
        if (index >= b.header.markets) revert BatchLib.BatchMalformed(index);
        return index;
    }

    function _accountIndex(Batch memory b, uint256 index) internal pure returns (uint256) {
        if (index >= b.header.accounts) revert BatchLib.BatchMalformed(index);
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

    /// @notice Where the pointer to an order stands; its index is checked here alone.
    function _orderPlace(Batch memory b, uint256 index) internal pure returns (uint256 place) {
        OrderEntry[] memory orders = b.orders;
        if (index >= b.header.orders) revert BatchLib.BatchMalformed(index);
        // Equivalent to: the place of orders[index].
        assembly ("memory-safe") {
            place := add(orders, shl(5, add(index, 1)))
        }
    }

    /// @notice What the rules need to know of a market, out of its stored parameters.
    function _loadTerms(MarketEntry memory m) internal view {
        Market storage stored = _markets[m.marketId];
        m.params = stored.params;
        m.isListed = _isOpen(m) && !_hasEnded(m.state, m.params.expiryTimeS);
        m.terms.quotePerTickLot = int256(uint256(m.params.quotePerTickLot));
        m.terms.positionLotsMax = int256(uint256(m.params.positionLotsMax));
        m.terms.feeTakerPpm = int256(uint256(m.params.feeTakerPpm));
        m.terms.feeLiquidationPpm = int256(uint256(m.params.feeLiquidationPpm));
        m.terms.liquidationBufferPpm = int256(uint256(m.params.liquidationBufferPpm));
        m.terms.markBandPpm = int256(uint256(m.params.markBandPpm));
        m.terms.tiers = stored.tiers;
    }

    /// @notice Whether a market is listed and no position of it has been delivered (EXP-2).
    function _isOpen(MarketEntry memory m) internal pure returns (bool) {
        return m.params.quotePerTickLot != 0 && m.state.deliveryTicks == 0;
    }

    /// @notice MARK-4: there is a price and it still holds.
    function _holdReason(Batch memory b, MarketEntry memory m)
        internal
        pure
        returns (RejectReason)
    {
        if (m.state.markTicks == 0) return RejectReason.NO_PRICE;
        unchecked {
            bool holds = b.clockTimeS * 1000 <= m.state.priceTimeMs + IndexPriceLib.HOLD_MAX_MS;
            return holds ? RejectReason.NONE : RejectReason.PRICE_STALE;
        }
    }

    /// @notice Notes that an item is refused.
    function _refuse(Batch memory b, uint256 index, RejectReason reason) internal {
        b.reasons[index] = bytes1(uint8(reason));
        ++b.rejected;
        emit ItemRejected(uint64(b.header.sequence), uint32(index), reason);
    }

    /// @notice Opens a draft of a position: a copy with its funding settled.
    function _begin(Draft memory d, PositionEntry memory e) internal pure {
        MarginLib.copy(e.position, d.position);
        d.freeQuote = e.owner.freeQuote;
        d.feeQuote = 0;
        d.fundingQuote = MarginLib.settleFunding(d.position, e.listing.state.fundingIndexE6);
    }

    /// @notice Takes an accepted draft over into the tables. The draft gets the entry's old room.
    function _accept(Batch memory b, Draft memory d, PositionEntry memory e) internal pure {
        (e.position, d.position) = (d.position, e.position);
        e.owner.freeQuote = d.freeQuote;
        unchecked {
            b.feesQuote += d.feeQuote;
            e.listing.fundingQuote += d.fundingQuote;
        }
    }

    /// @notice The last stage of an item with two sides, which stand in the batch's drafts: the
    /// bounds of section 1, then CONS-4. Who gets NONE accepts both.
    /// @dev The two sides of a fill move its notional to and fro: the market loses only what both
    /// together give to free balances and fees. Money has 64 bits: no sum of it overflows.
    function _bothReason(Batch memory b, PositionEntry memory e, PositionEntry memory other)
        internal
        pure
        returns (RejectReason)
    {
        Draft memory one = b.draftA;
        Draft memory two = b.draftB;
        if (!FillLib.fits(one) || !FillLib.fits(two)) return RejectReason.AMOUNT_OUT_OF_RANGE;
        MarketEntry memory m = e.listing;
        unchecked {
            int256 potQuote = m.potQuote + e.owner.freeQuote + other.owner.freeQuote
                - one.freeQuote - two.freeQuote - one.feeQuote - two.feeQuote;
            if (potQuote < 0) return RejectReason.MARKET_CANNOT_PAY;
            m.potQuote = potQuote;
        }
        return RejectReason.NONE;
    }

    /// @notice Reads the lots that an order has filled, into its draft, too.
    function _readFilled(Draft memory d, OrderEntry memory e)
        internal
        view
        returns (uint256 filledLots)
    {
        bytes32 slot = e.lanesSlot;
        if (slot == 0) {
            bool mayWait = e.head.timeInForce() == GOOD_TILL_CANCEL || e.tail.triggerKind() != 0;
            filledLots = mayWait ? NONCE_DEAD : e.holder.owner.nonces.filledLots(e.head.nonce());
        } else {
            uint256 lanes = slot.getUint256Slot().value;
            d.lanes = lanes;
            filledLots = uint32(lanes >> _laneShift(e.head.nonce()));
        }
        d.filledLots = filledLots;
    }

    /// @notice Adds lots to what `_readFilled` has read: no item moves an account's lanes twice.
    function _fill(Draft memory d, OrderEntry memory e, uint256 lots) internal {
        bytes32 slot = e.lanesSlot;
        // OVERFILL has been judged: the sum stays within its 32 bits.
        unchecked {
            if (slot == 0) {
                AccountEntry memory a = e.holder.owner;
                a.nonces = a.nonces.withFilled(e.head.nonce(), d.filledLots + lots);
            } else {
                slot.getUint256Slot().value = d.lanes + (lots << _laneShift(e.head.nonce()));
            }
        }
    }

    /// @notice Where the lanes of an account's nonce are stored.
    function _lanesOf(AccountEntry memory a, uint256 nonce) internal pure returns (bytes32) {
        bytes32 lanesSlot;
        assembly ("memory-safe") {
            lanesSlot := _filledLanes.slot
        }
        return lanesSlot.deriveMapping(a.account).deriveMapping(nonce >> 3);
    }

    function _setLane(bytes32 slot, uint256 nonce, uint256 lots) internal {
        uint256 shift = _laneShift(nonce);
        uint256 lanes = slot.getUint256Slot().value;
        slot.getUint256Slot().value = lanes & ~(NONCE_DEAD << shift) | lots << shift;
    }

    function _laneShift(uint256 nonce) private pure returns (uint256) {
        return (nonce & 7) << 5;
    }
}
