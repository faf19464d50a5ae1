// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Address } from "@openzeppelin/contracts/utils/Address.sol";

import { ISettlementBatch } from "../interfaces/ISettlement.sol";
import { BatchLib } from "../libraries/BatchLib.sol";
import { Draft, FillLib } from "../libraries/FillLib.sol";
import { IndexPriceLib } from "../libraries/IndexPriceLib.sol";
import { OrderLib } from "../libraries/OrderLib.sol";
import { OrderWord } from "../libraries/OrderWord.sol";
import { RejectReason, firstReason } from "../libraries/RejectReason.sol";
import { BatchTables } from "./BatchTables.sol";
import { AccountEntry, Batch, MarketEntry, OrderEntry, PositionEntry } from "./BatchWork.sol";
import { OrderItems } from "./OrderItems.sol";
import { PriceRows, PriceWork } from "./PriceRows.sol";

/// @title Items that concern willing parties: prices, clock, fills, collateral
/// @dev Every judge decides on drafts and copies and changes the tables only when it accepts.
abstract contract TradeItems is BatchTables, OrderItems, ISettlementBatch {
    using OrderWord for uint256;

    /// @inheritdoc ISettlementBatch
    uint256 public immutable CLOCK_AHEAD_MAX_S;

    /// @inheritdoc ISettlementBatch
    address public immutable ANNEX;

    uint256 private constant TIME_IN_FORCE_COUNT = 3;
    uint256 private constant TRIGGER_AT_OR_ABOVE = 1;
    uint256 private constant TRIGGER_AT_OR_BELOW = 2;

    constructor(uint256 clockAheadMaxS, address annex) {
        if (annex.code.length == 0) revert DeskMissing(annex);
        ANNEX = annex;
        CLOCK_AHEAD_MAX_S = clockAheadMaxS;
    }

    /* FILLS */

    /// @notice BATCH-5: one fill between two signed orders at the maker's price.
    function _judgeFill(Batch memory b, uint256 word) internal returns (RejectReason) {
        OrderEntry memory taker = b.blank;
        OrderEntry memory maker = b.blank;
        uint256 takerPlace = _orderPlace(b, uint16(word >> 232));
        uint256 makerPlace = _orderPlace(b, uint16(word >> 216));
        assembly ("memory-safe") {
            taker := mload(takerPlace)
            maker := mload(makerPlace)
        }
        uint256 lots = uint32(word >> 184);
        uint256 feePpm = taker.holder.listing.params.feeTakerPpm;
        RejectReason reason = _ordersReason(b, taker, maker, lots, feePpm);
        uint256 priceTicks = maker.head.priceTicks();
        RejectReason takerReason = _takerReason(taker, priceTicks);
        if (takerReason != RejectReason.NONE) reason = firstReason(reason, takerReason);
        if (reason != RejectReason.NONE) return reason;
        return _trade(b, taker, maker, lots, priceTicks, feePpm);
    }

    /// @notice BATCH-6: one fill at a price that the item names: of a maker that slid, or of an
    /// auction, in which neither side takes and the buy is named first.
    function _judgeFillAt(Batch memory b, uint256 offset, uint256 word)
        internal
        returns (RejectReason)
    {
        OrderEntry memory taker = b.orders[_orderIndex(b, uint16(word >> 232))];
        OrderEntry memory maker = b.orders[_orderIndex(b, uint16(word >> 216))];
        uint256 lots = uint32(word >> 184);
        uint256 priceTicks = uint32(word >> 152);
        MarketEntry memory m = taker.holder.listing;
        bool isAuction = uint8(word >> 144) != 0;
        uint256 feePpm = isAuction ? m.params.feeMakerPpm : m.params.feeTakerPpm;
        RejectReason reason = _ordersReason(b, taker, maker, lots, feePpm);
        if (uint8(word >> 144) > 1) revert BatchLib.BatchMalformed(offset);
        if (isAuction) {
            reason = firstReason(reason, _auctionReason(taker, maker, priceTicks));
            if (m.state.markTicks == 0) {
                reason = firstReason(reason, RejectReason.NO_PRICE);
            } else if (!IndexPriceLib.isInBand(
                    priceTicks, m.state.markTicks, m.params.markBandPpm
                )) {
                reason = firstReason(reason, RejectReason.PRICE_BAND);
            }
        } else {
            reason = firstReason(reason, _takerReason(taker, priceTicks));
            uint256 highest = m.params.priceTicksMax;
            reason = firstReason(reason, _restReason(maker.head, priceTicks, highest));
        }
        if (reason != RejectReason.NONE) return reason;
        return _trade(b, taker, maker, lots, priceTicks, feePpm);
    }

    /// @notice What forbids two orders to meet in an auction.
    function _auctionReason(OrderEntry memory buy, OrderEntry memory sell, uint256 priceTicks)
        private
        pure
        returns (RejectReason)
    {
        if (buy.head.side() != 0) return RejectReason.SIDE_MISMATCH;
        if (!_admits(buy.head, priceTicks) || !_admits(sell.head, priceTicks)) {
            return RejectReason.PRICE_NOT_CROSSED;
        }
        bool rests = buy.head.timeInForce() == GOOD_TILL_CANCEL;
        return rests ? RejectReason.NONE : RejectReason.TIME_IN_FORCE;
    }

    /// @notice Moves both sides of a fill that their orders admit.
    function _trade(
        Batch memory b,
        OrderEntry memory taker,
        OrderEntry memory maker,
        uint256 lots,
        uint256 priceTicks,
        uint256 feePpm
    ) private returns (RejectReason reason) {
        MarketEntry memory m = taker.holder.listing;
        reason = _holdReason(b, m);
        if (reason != RejectReason.NONE) return reason;
        reason = _draftOrder(b, b.draftA, taker, lots, priceTicks, feePpm);
        if (reason != RejectReason.NONE) return reason;
        reason = _draftOrder(b, b.draftB, maker, lots, priceTicks, m.params.feeMakerPpm);
        if (reason != RejectReason.NONE) return reason;
        reason = _signerReason(b, b.draftA, taker, lots, priceTicks);
        if (reason == RejectReason.NONE) {
            reason = _signerReason(b, b.draftB, maker, lots, priceTicks);
        }
        if (reason != RejectReason.NONE) return reason;
        reason = _bothReason(b, taker.holder, maker.holder);
        if (reason != RejectReason.NONE) return reason;

        _acceptOrder(b, b.draftA, taker, lots);
        _acceptOrder(b, b.draftB, maker, lots);
    }

    /// @notice What two orders refuse that are to trade with each other.
    function _ordersReason(
        Batch memory b,
        OrderEntry memory taker,
        OrderEntry memory maker,
        uint256 lots,
        uint256 feePpm
    ) private view returns (RejectReason reason) {
        PositionEntry memory takes = taker.holder;
        PositionEntry memory makes = maker.holder;
        reason = _orderReason(b, b.draftA, taker, lots, feePpm);
        RejectReason makerReason = _makerReason(b, maker, lots, makes.listing.params.feeMakerPpm);
        if (makerReason != RejectReason.NONE) reason = firstReason(reason, makerReason);
        if (takes.owner.account == makes.owner.account) {
            reason = firstReason(reason, RejectReason.SELF_TRADE);
        }
        if (
            taker.head.side() == maker.head.side()
                || takes.listing.marketId != makes.listing.marketId
        ) {
            reason = firstReason(reason, RejectReason.SIDE_MISMATCH);
        }
    }

    /// @notice What an order refuses that takes another at a price.
    function _takerReason(OrderEntry memory taker, uint256 priceTicks)
        private
        pure
        returns (RejectReason)
    {
        uint256 head = taker.head;
        if (!_admits(head, priceTicks)) return RejectReason.PRICE_NOT_CROSSED;
        uint256 timeInForce = head.timeInForce();
        if (timeInForce >= TIME_IN_FORCE_COUNT) return RejectReason.TIME_IN_FORCE;
        if (head.isPostOnly()) return RejectReason.POST_ONLY_WOULD_TAKE;
        if (timeInForce != GOOD_TILL_CANCEL && taker.tail.triggerKind() != 0) {
            uint256 markTicks = taker.holder.listing.state.markTicks;
            if (!_isTriggered(taker.tail, markTicks)) return RejectReason.TRIGGER_NOT_MET;
        }
        return RejectReason.NONE;
    }

    function _isTriggered(uint256 tail, uint256 markTicks) private pure returns (bool) {
        if (markTicks == 0) return false;
        uint256 priceTicks = tail.triggerPriceTicks();
        if (tail.triggerKind() == TRIGGER_AT_OR_ABOVE) return markTicks >= priceTicks;
        if (tail.triggerKind() == TRIGGER_AT_OR_BELOW) return markTicks <= priceTicks;
        return true; // last price and trails: the engine alone judges them
    }

    /* PRICES AND CLOCK */

    /// @notice A signed index price with the engine's mark (BATCH-3).
    function _judgePrice(Batch memory b, bytes calldata payload, uint256 offset, uint256 word)
        internal
        returns (RejectReason)
    {
        MarketEntry memory m = b.markets[_marketIndex(b, uint8(word >> 240))];
        uint256 count = uint8(word >> 232);
        uint256 markTicks = uint32(word >> 200);
        if (!_isOpen(m)) return RejectReason.MARKET_UNKNOWN;
        if (!m.isListed) return RejectReason.MARKET_STATE;
        if (count == 0) return RejectReason.SIGNATURE_INVALID;
        PriceWork memory w = PriceWork({
            domain: b.domain,
            marketId: m.marketId,
            clockTimeS: b.clockTimeS,
            latestMs: (b.clockTimeS + CLOCK_AHEAD_MAX_S) * 1000,
            markTicks: markTicks,
            priceTimeMs: m.state.priceTimeMs,
            expiryTimeS: m.params.expiryTimeS,
            priceTicksMax: m.params.priceTicksMax,
            markBandPpm: m.params.markBandPpm
        });
        offset += BatchLib.PRICE_BYTES;
        bytes calldata row = payload[offset:offset + count * BatchLib.OBSERVATION_BYTES];
        bytes memory result =
            Address.functionDelegateCall(ANNEX, abi.encodeCall(PriceRows.judgeRow, (w, row)));
        (RejectReason reason, uint256 indexTicks, uint256 timeMs) =
            abi.decode(result, (RejectReason, uint256, uint256));
        if (reason != RejectReason.NONE) return reason;
        m.state.indexTicks = uint32(indexTicks);
        m.state.markTicks = uint32(markTicks);
        m.state.priceTimeMs = uint48(timeMs);
        m.adlPosition = 0;
        m.isListed = !_hasEnded(m.state, m.params.expiryTimeS);
        m.isChanged = true;
        return RejectReason.NONE;
    }

    /// @notice The clock never goes back (BATCH-3); a batch that tries is void.
    function _judgeClock(Batch memory b, uint256 word) internal view returns (RejectReason) {
        uint256 timeS = uint40(word >> 208);
        uint256 highestS = block.timestamp + CLOCK_AHEAD_MAX_S;
        if (timeS < b.clockTimeS || timeS > highestS) {
            revert ClockOutOfRange(timeS, b.clockTimeS, highestS);
        }
        b.clockTimeS = timeS;
        return RejectReason.NONE;
    }

    /* COLLATERAL */

    /// @notice COLL-1: moves collateral between the free balance and a position. A session key may
    /// move it in, never out (KEY-1).
    function _judgeCollateral(Batch memory b, bytes calldata payload, uint256 offset, uint256 word)
        internal
        returns (RejectReason reason)
    {
        uint256 index = uint16(word >> 232);
        int256 amountQuote = int64(uint64(word >> 168));
        uint256 nonce = uint64(word >> 104);
        uint256 expiryTimeS = uint40(word >> 64);
        PositionEntry memory e = b.positions[_positionIndex(b, index)];
        AccountEntry memory a = e.owner;
        MarketEntry memory m = e.listing;
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        reason = _moveReason(b, a, nonce, expiryTimeS);
        if (reason != RejectReason.NONE) return reason;
        if (amountQuote < 0) {
            if (b.isRiskPaused) return RejectReason.RISK_PAUSED;
            reason = _holdReason(b, m);
            if (reason != RejectReason.NONE) return reason;
        }

        Draft memory d = b.draftA;
        _begin(d, e);
        reason =
            FillLib.moveCollateral(d, amountQuote, int256(uint256(m.state.markTicks)), m.terms);
        if (reason != RejectReason.NONE) return reason;
        bytes32 hash =
            OrderLib.collateralMoveHash(a.account, m.marketId, amountQuote, nonce, expiryTimeS);
        bytes32 authority = _authorityOf(b, a.account, hash, payload, offset + 24);
        reason = _topUpReason(b, authority, m.state.number, amountQuote);
        if (reason != RejectReason.NONE) return reason;
        if (amountQuote == 0 || !FillLib.fits(d)) return RejectReason.AMOUNT_OUT_OF_RANGE;
        if (m.potQuote + amountQuote < 0) return RejectReason.MARKET_CANNOT_PAY;
        m.potQuote += amountQuote;
        _setLane(_lanesOf(a, nonce), nonce, NONCE_DEAD);
        _accept(b, d, e);
    }

    /// @notice COLL-2: takes a withdrawal out of the free balance. It is paid after the batch.
    function _judgeWithdrawal(Batch memory b, bytes calldata payload, uint256 offset, uint256 word)
        internal
        returns (RejectReason reason)
    {
        AccountEntry memory a = b.accounts[_accountIndex(b, uint16(word >> 232))];
        uint256 amountQuote = uint64(word >> 168);
        address to = address(uint160(word >> 8));
        word = BatchLib.wordAt(payload, offset + 31);
        uint256 nonce = word >> 192;
        uint256 expiryTimeS = uint40(word >> 152);
        reason = _moveReason(b, a, nonce, expiryTimeS);
        if (reason != RejectReason.NONE) return reason;
        if (int256(amountQuote) > a.freeQuote) return RejectReason.INSUFFICIENT_FREE_COLLATERAL;
        bytes32 hash = OrderLib.withdrawalHash(a.account, to, amountQuote, nonce, expiryTimeS);
        if (_authorityOf(b, a.account, hash, payload, offset + 44) != SIGNED_BY_OWNER) {
            return RejectReason.SIGNATURE_INVALID;
        }
        if (amountQuote == 0) return RejectReason.AMOUNT_OUT_OF_RANGE;
        _setLane(_lanesOf(a, nonce), nonce, NONCE_DEAD);
        a.freeQuote -= int256(amountQuote);
        b.withdrawnQuote += int256(amountQuote);
    }
}
