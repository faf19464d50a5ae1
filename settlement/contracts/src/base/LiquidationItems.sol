// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { BatchLib } from "../libraries/BatchLib.sol";
import { FixedPointLib } from "../libraries/FixedPointLib.sol";
import { Draft, FillLib } from "../libraries/FillLib.sol";
import { LiquidationLib } from "../libraries/LiquidationLib.sol";
import { MarginLib, Position } from "../libraries/MarginLib.sol";
import { OrderWord } from "../libraries/OrderWord.sol";
import { RejectReason, firstReason } from "../libraries/RejectReason.sol";
import { Batch, MarketEntry, OrderEntry, PositionEntry } from "./BatchWork.sol";
import { OrderItems } from "./OrderItems.sol";

/// @title Items of the liquidation waterfall, LIQ-2 … LIQ-7
abstract contract LiquidationItems is OrderItems {
    using FixedPointLib for int256;
    using OrderWord for uint256;

    /* CLOSING ON THE BOOK */

    /// @notice LIQ-2: closes lots of a liquidatable position against a resting order.
    function _judgeLiquidationFill(Batch memory b, uint256 word)
        internal
        returns (RejectReason reason)
    {
        uint256 index = uint16(word >> 232);
        OrderEntry memory maker = b.orders[_orderIndex(b, uint16(word >> 216))];
        uint256 lots = uint32(word >> 184);
        PositionEntry memory e = b.positions[_positionIndex(b, index)];
        MarketEntry memory m = e.listing;
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        reason =
            firstReason(_victimReason(b, e), _makerReason(b, maker, lots, m.params.feeMakerPpm));
        uint256 priceTicks = _restingTicks(word, maker);
        reason = firstReason(reason, _againstReason(e, maker, priceTicks));
        reason = firstReason(reason, _priceReason(b, m));
        if (reason != RejectReason.NONE) return reason;

        Draft memory d = b.draftA;
        _begin(d, e);
        reason = _draftOrder(b, b.draftB, maker, lots, priceTicks, m.params.feeMakerPpm);
        if (reason != RejectReason.NONE) return reason;
        int256 feeQuote;
        (reason, feeQuote) = LiquidationLib.liquidationFill(
            d, int256(lots), int256(priceTicks), _gentlerTicks(m, d.position), m.terms, b.probeA
        );
        if (reason != RejectReason.NONE) return reason;
        reason = _signerReason(b, b.draftB, maker, lots, priceTicks);
        if (reason != RejectReason.NONE) return reason;
        Position memory fund = b.positions[m.fundIndex].position;
        if (fund.collateralQuote + feeQuote > int256(QUOTE_MAX)) {
            return RejectReason.AMOUNT_OUT_OF_RANGE;
        }
        reason = _bothReason(b, e, maker.holder);
        if (reason != RejectReason.NONE) return reason;

        fund.collateralQuote += feeQuote;
        _accept(b, d, e);
        _acceptOrder(b, b.draftB, maker, lots);
    }

    /// @notice LIQ-5: closes lots of the insurance fund's position against a resting order.
    function _judgeFundFill(Batch memory b, uint256 word) internal returns (RejectReason reason) {
        uint256 index = uint16(word >> 232);
        OrderEntry memory maker = b.orders[_orderIndex(b, uint16(word >> 216))];
        uint256 lots = uint32(word >> 184);
        PositionEntry memory e = b.positions[_positionIndex(b, index)];
        MarketEntry memory m = e.listing;
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        if (index != m.fundIndex) return RejectReason.ACCOUNT_UNKNOWN;
        reason = firstReason(
            _makerReason(b, maker, lots, m.params.feeMakerPpm),
            _againstReason(e, maker, _restingTicks(word, maker))
        );
        if (int256(lots) > e.position.positionLots.abs()) {
            reason = firstReason(reason, RejectReason.REDUCE_ONLY);
        }
        reason = firstReason(reason, _priceReason(b, m));
        if (reason != RejectReason.NONE) return reason;

        uint256 priceTicks = _restingTicks(word, maker);
        Draft memory d = b.draftA;
        _begin(d, e);
        reason = _draftOrder(b, b.draftB, maker, lots, priceTicks, m.params.feeMakerPpm);
        if (reason != RejectReason.NONE) return reason;
        reason = LiquidationLib.fundFill(
            d.position,
            maker.head.side() != 0,
            int256(lots),
            int256(priceTicks),
            _markOf(m),
            m.terms
        );
        if (reason != RejectReason.NONE) return reason;
        reason = _signerReason(b, b.draftB, maker, lots, priceTicks);
        if (reason != RejectReason.NONE) return reason;
        reason = _bothReason(b, e, maker.holder);
        if (reason != RejectReason.NONE) return reason;

        _accept(b, d, e);
        _acceptOrder(b, b.draftB, maker, lots);
    }

    /* AT THE BANKRUPTCY PRICE */

    /// @notice LIQ-3: the insurance fund takes all that is left.
    function _judgeTakeover(Batch memory b, uint256 word) internal view returns (RejectReason) {
        uint256 index = uint16(word >> 232);
        uint256 fundIndex = uint16(word >> 216);
        uint256 lots = uint40(word >> 176);
        PositionEntry memory e = b.positions[_positionIndex(b, index)];
        MarketEntry memory m = e.listing;
        RejectReason reason = _victimReason(b, e);
        if (reason != RejectReason.NONE) return reason;
        PositionEntry memory fund = b.positions[_positionIndex(b, fundIndex)];
        if (fund.owner.account != INSURANCE) return RejectReason.ACCOUNT_UNKNOWN;
        if (lots == 0 || int256(lots) != e.position.positionLots.abs()) {
            return RejectReason.QTY_OUT_OF_RANGE;
        }
        if (fundIndex != m.fundIndex) return RejectReason.SIDE_MISMATCH;
        reason = _priceReason(b, m);
        if (reason != RejectReason.NONE) return reason;

        _begin(b.draftA, e);
        int256 judgedTicks = _gentlerTicks(m, e.position);
        if (!_mayTake(m, b.draftA.position, judgedTicks)) return RejectReason.NOT_LIQUIDATABLE;
        _begin(b.draftB, fund);
        bool carries =
            LiquidationLib.takeover(b.draftA.position, b.draftB.position, judgedTicks, m.terms);
        if (!carries) return RejectReason.FUND_CANNOT_CARRY;
        reason = _bothReason(b, e, fund);
        if (reason != RejectReason.NONE) return reason;

        _accept(b, b.draftA, e);
        _accept(b, b.draftB, fund);
        return RejectReason.NONE;
    }

    /// @notice LIQ-4: closes lots against a counterparty of the opposite side; LIQ-7 when the
    /// bankrupt position is the fund's own.
    function _judgeAdl(Batch memory b, uint256 word) internal view returns (RejectReason reason) {
        uint256 index = uint16(word >> 232);
        uint256 otherIndex = uint16(word >> 216);
        int256 lots = int256(uint256(uint40(word >> 176)));
        PositionEntry memory e = b.positions[_positionIndex(b, index)];
        PositionEntry memory other = b.positions[_positionIndex(b, otherIndex)];
        MarketEntry memory m = e.listing;
        bool isFund = index == m.fundIndex && _isOpen(m);
        reason = _victimReason(b, other);
        if (!isFund) reason = firstReason(_victimReason(b, e), reason);
        if (reason != RejectReason.NONE) return reason;
        if (lots == 0) return RejectReason.QTY_OUT_OF_RANGE;
        if (e.listing.marketId != other.listing.marketId) return RejectReason.SIDE_MISMATCH;
        reason = _priceReason(b, m);
        if (reason != RejectReason.NONE) return reason;

        _begin(b.draftA, e);
        _begin(b.draftB, other);
        if (!_mayTake(m, b.draftA.position, _gentlerTicks(m, e.position))) {
            return RejectReason.NOT_LIQUIDATABLE;
        }
        int256 rank = MarginLib.rank(b.draftB.position, _markOf(m), m.terms);
        reason = LiquidationLib.adl(b.draftA, b.draftB, isFund, lots, _markOf(m), m.terms);
        if (reason != RejectReason.NONE) return reason;
        if (!isFund && _canFundCarry(b, index)) return RejectReason.FUND_CAN_CARRY;
        if (m.adlPosition == index + 1 && rank > m.adlRank) return RejectReason.ADL_ORDER;
        reason = _bothReason(b, e, other);
        if (reason != RejectReason.NONE) return reason;

        m.adlPosition = index + 1;
        m.adlRank = rank;
        _accept(b, b.draftA, e);
        _accept(b, b.draftB, other);
    }

    /// @notice Whether the fund could take all that is left of a position: LIQ-3 on copies.
    function _canFundCarry(Batch memory b, uint256 index) private pure returns (bool) {
        PositionEntry memory e = b.positions[index];
        MarketEntry memory m = e.listing;
        MarginLib.copy(e.position, b.probeA);
        MarginLib.copy(b.positions[m.fundIndex].position, b.probeB);
        MarginLib.settleFunding(b.probeA, m.state.fundingIndexE6);
        MarginLib.settleFunding(b.probeB, m.state.fundingIndexE6);
        return LiquidationLib.takeover(b.probeA, b.probeB, _gentlerTicks(m, e.position), m.terms);
    }

    /* HELPERS */

    /// @notice Whether a position, funding settled, goes at its bankruptcy price: when it is
    /// liquidatable; after the market's last row only when it is bankrupt (EXP-2).
    function _mayTake(MarketEntry memory m, Position memory p, int256 ticks)
        private
        pure
        returns (bool)
    {
        if (m.isListed) return MarginLib.isLiquidatable(p, ticks, m.terms);
        return MarginLib.equity(p, ticks, m.terms) < 0;
    }

    /// @notice What forbids touching a position against its owner's will.
    function _victimReason(Batch memory b, PositionEntry memory e)
        private
        view
        returns (RejectReason)
    {
        if (!_isOpen(e.listing)) return RejectReason.MARKET_UNKNOWN;
        address account_ = e.owner.account;
        if (account_ == INSURANCE) return RejectReason.ACCOUNT_UNKNOWN;
        bool isOverdue = _isTopUpOverdue(e.listing.marketId, account_, b.clockTimeS);
        return isOverdue ? RejectReason.FROZEN : RejectReason.NONE;
    }

    /// @notice Whether a resting order can take the other side of a position's closing.
    function _againstReason(PositionEntry memory e, OrderEntry memory maker, uint256 priceTicks)
        private
        pure
        returns (RejectReason)
    {
        uint256 head = maker.head;
        PositionEntry memory makes = maker.holder;
        if (makes.owner.account == e.owner.account) return RejectReason.SELF_TRADE;
        uint256 makerSide = e.position.positionLots > 0 ? 0 : 1;
        bool isMismatch = e.position.positionLots != 0 && head.side() != makerSide;
        if (isMismatch || makes.listing.marketId != e.listing.marketId) {
            return RejectReason.SIDE_MISMATCH;
        }
        return _restReason(head, priceTicks, e.listing.params.priceTicksMax);
    }

    /// @notice Where the resting order stands: at its price, or where the item says that it slid to.
    function _restingTicks(uint256 word, OrderEntry memory maker) private pure returns (uint256) {
        return word >> 248 > BatchLib.FILL_AT ? uint32(word >> 152) : maker.head.priceTicks();
    }

    /// @notice BATCH-3: there is a price and it is fresh.
    function _priceReason(Batch memory b, MarketEntry memory m)
        internal
        pure
        returns (RejectReason)
    {
        if (m.state.markTicks == 0) return RejectReason.NO_PRICE;
        bool isStale = b.clockTimeS * 1000 > uint256(m.state.priceTimeMs) + m.params.indexAgeMaxMs;
        return isStale ? RejectReason.PRICE_STALE : RejectReason.NONE;
    }

    /// @notice MARG-4: where a position is liquidated: the better of index and mark for its owner.
    function _gentlerTicks(MarketEntry memory m, Position memory p)
        internal
        pure
        returns (int256)
    {
        int256 indexTicks = int256(uint256(m.state.indexTicks));
        return p.positionLots > 0 ? indexTicks.max(_markOf(m)) : indexTicks.min(_markOf(m));
    }

    function _markOf(MarketEntry memory m) internal pure returns (int256) {
        return int256(uint256(m.state.markTicks));
    }
}
