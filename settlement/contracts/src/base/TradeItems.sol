// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ISettlementBatch } from "../interfaces/ISettlement.sol";
import { FixedPointLib } from "../libraries/FixedPointLib.sol";
import { Draft, Fill, FillLib } from "../libraries/FillLib.sol";
import { BatchLib } from "../libraries/BatchLib.sol";
import { IndexPriceLib } from "../libraries/IndexPriceLib.sol";
import { Order, OrderLib } from "../libraries/OrderLib.sol";
import { RejectReason, firstReason } from "../libraries/RejectReason.sol";
import {
    AccountEntry,
    Batch,
    BatchTables,
    MarketEntry,
    OrderEntry,
    PositionEntry
} from "./BatchTables.sol";

/// @title Items that concern willing parties: prices, clock, fills, funding, collateral
/// @dev Every judge decides on drafts and copies and changes the tables only when it accepts.
abstract contract TradeItems is BatchTables, ISettlementBatch {
    using FixedPointLib for int256;

    /// @inheritdoc ISettlementBatch
    uint256 public immutable CLOCK_AHEAD_MAX_S;

    uint256 internal constant GOOD_TILL_CANCEL = 0;
    uint256 private constant TIME_IN_FORCE_COUNT = 3;
    uint256 private constant TRIGGER_AT_OR_ABOVE = 1;
    uint256 private constant TRIGGER_AT_OR_BELOW = 2;

    constructor(uint256 clockAheadMaxS) {
        CLOCK_AHEAD_MAX_S = clockAheadMaxS;
    }

    /* FILLS */

    /// @notice BATCH-5: one fill between two signed orders at the maker's price.
    function _judgeFill(Batch memory b, uint256 word) internal returns (RejectReason reason) {
        OrderEntry memory taker = b.orders[_orderIndex(b, uint16(word >> 232))];
        OrderEntry memory maker = b.orders[_orderIndex(b, uint16(word >> 216))];
        uint256 lots = uint32(word >> 184);
        MarketEntry memory m = b.markets[b.positions[taker.position].market];
        reason = _orderReason(b, taker, lots, m.params.feeTakerPpm);
        reason = firstReason(reason, _makerReason(b, maker, lots));
        reason = firstReason(reason, _pairReason(b, taker, maker));
        if (reason != RejectReason.NONE) return reason;
        if (m.state.markTicks == 0) return RejectReason.NO_PRICE;

        uint256 priceTicks = maker.order.priceTicks;
        reason = _draftOrder(b, b.draftA, taker, lots, priceTicks, m.params.feeTakerPpm);
        if (reason != RejectReason.NONE) return reason;
        reason = _draftOrder(b, b.draftB, maker, lots, priceTicks, m.params.feeMakerPpm);
        if (reason != RejectReason.NONE) return reason;
        if (!taker.isSigned || !maker.isSigned) return RejectReason.SIGNATURE_INVALID;
        if (!FillLib.fits(b.draftA) || !FillLib.fits(b.draftB)) {
            return RejectReason.AMOUNT_OUT_OF_RANGE;
        }

        _acceptOrder(b, b.draftA, taker, lots);
        _acceptOrder(b, b.draftB, maker, lots);
    }

    /// @notice Works a fill of a signed order into a draft of its position.
    function _draftOrder(
        Batch memory b,
        Draft memory d,
        OrderEntry memory e,
        uint256 lots,
        uint256 priceTicks,
        uint256 feePpm
    ) internal pure returns (RejectReason) {
        Order memory o = e.order;
        Fill memory f = b.fill;
        MarketEntry memory m = b.markets[b.positions[e.position].market];
        f.isBuy = o.side == 0;
        f.lots = int256(lots);
        f.priceTicks = int256(priceTicks);
        f.feePpm = int256(feePpm);
        f.marginQuote = int256(uint256(o.marginQuote));
        f.qtyLots = int256(uint256(o.qtyLots));
        f.filledLots = int256(e.filledLots);
        _begin(b, d, e.position);
        return FillLib.applyFill(d, f, int256(uint256(m.state.markTicks)), m.terms);
    }

    function _acceptOrder(Batch memory b, Draft memory d, OrderEntry memory e, uint256 lots)
        internal
    {
        Order memory o = e.order;
        _setFilled(o.account, o.nonce, e.filledLots + lots);
        _accept(b, d);
    }

    /// @notice What one order by itself refuses.
    function _orderReason(Batch memory b, OrderEntry memory e, uint256 lots, uint256 feePpm)
        internal
        view
        returns (RejectReason)
    {
        Order memory o = e.order;
        MarketEntry memory m = b.markets[b.positions[e.position].market];
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        if (o.account == INSURANCE) return RejectReason.ACCOUNT_UNKNOWN;
        if (o.expiryTimeS <= b.clockTimeS) return RejectReason.EXPIRED;
        uint256 filled = _filled(o.account, o.nonce);
        e.filledLots = filled;
        if (
            filled == NONCE_DEAD
                || o.nonce < b.accounts[b.positions[e.position].account].nonceFloor
        ) {
            return RejectReason.NONCE_USED;
        }
        if (lots == 0 || o.qtyLots == 0 || o.qtyLots >= NONCE_DEAD) {
            return RejectReason.QTY_OUT_OF_RANGE;
        }
        if (o.priceTicks == 0 || o.priceTicks > m.params.priceTicksMax) {
            return RejectReason.PRICE_OUT_OF_RANGE;
        }
        if (feePpm > o.feePpmMax) return RejectReason.FEE_ABOVE_LIMIT;
        if (filled + lots > o.qtyLots) return RejectReason.OVERFILL;
        if (o.reduceOnly) {
            int256 held = b.positions[e.position].position.positionLots;
            if (o.side == 0) held = -held;
            if (int256(lots) > held) return RejectReason.REDUCE_ONLY;
        }
        return RejectReason.NONE;
    }

    /// @notice What a resting order refuses.
    function _makerReason(Batch memory b, OrderEntry memory maker, uint256 lots)
        internal
        view
        returns (RejectReason)
    {
        uint256 feePpm = b.markets[b.positions[maker.position].market].params.feeMakerPpm;
        RejectReason reason = _orderReason(b, maker, lots, feePpm);
        if (maker.order.timeInForce == GOOD_TILL_CANCEL) return reason;
        return firstReason(reason, RejectReason.TIME_IN_FORCE);
    }

    function _pairReason(
        Batch memory b,
        OrderEntry memory takerEntry,
        OrderEntry memory makerEntry
    ) private pure returns (RejectReason) {
        Order memory taker = takerEntry.order;
        Order memory maker = makerEntry.order;
        if (taker.account == maker.account) return RejectReason.SELF_TRADE;
        if (taker.side == maker.side || taker.marketId != maker.marketId) {
            return RejectReason.SIDE_MISMATCH;
        }
        bool crosses = taker.side == 0
            ? taker.priceTicks >= maker.priceTicks
            : taker.priceTicks <= maker.priceTicks;
        if (!crosses) return RejectReason.PRICE_NOT_CROSSED;
        if (taker.timeInForce >= TIME_IN_FORCE_COUNT) return RejectReason.TIME_IN_FORCE;
        if (taker.postOnly) return RejectReason.POST_ONLY_WOULD_TAKE;
        if (taker.timeInForce != GOOD_TILL_CANCEL && taker.triggerKind != 0) {
            uint256 markTicks = b.markets[b.positions[takerEntry.position].market].state.markTicks;
            if (!_isTriggered(taker, markTicks)) return RejectReason.TRIGGER_NOT_MET;
        }
        return RejectReason.NONE;
    }

    function _isTriggered(Order memory o, uint256 markTicks) private pure returns (bool) {
        if (markTicks == 0) return false;
        if (o.triggerKind == TRIGGER_AT_OR_ABOVE) return markTicks >= o.triggerPriceTicks;
        return o.triggerKind == TRIGGER_AT_OR_BELOW && markTicks <= o.triggerPriceTicks;
    }

    /* PRICES, CLOCK, FUNDING */

    /// @notice A signed index price with the engine's mark (BATCH-3).
    function _judgePrice(Batch memory b, bytes calldata payload, uint256 offset, uint256 word)
        internal
        view
        returns (RejectReason)
    {
        MarketEntry memory m = b.markets[_marketIndex(b, uint8(word >> 240))];
        uint256 count = uint8(word >> 232);
        uint256 markTicks = uint32(word >> 200);
        offset += BatchLib.PRICE_BYTES;
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        if (count == 0) return RejectReason.SIGNATURE_INVALID;
        (uint256 indexTicks, uint256 timeMs) = IndexPriceLib.row(payload, offset, count);
        uint256 highest = m.params.priceTicksMax;
        if (indexTicks == 0 || indexTicks > highest || markTicks == 0 || markTicks > highest) {
            return RejectReason.PRICE_OUT_OF_RANGE;
        }
        if (timeMs < m.state.priceTimeMs || timeMs > (b.clockTimeS + CLOCK_AHEAD_MAX_S) * 1000) {
            return RejectReason.PRICE_STALE;
        }
        if (!_isObserved(b, payload, offset, count, m.marketId)) {
            return RejectReason.SIGNATURE_INVALID;
        }
        if (!_isInBand(markTicks, indexTicks, m.params.markBandPpm)) {
            return RejectReason.PRICE_BAND;
        }
        OracleRule memory rule = _oracleRule;
        bool agrees = IndexPriceLib.agrees(
            payload, offset, count, indexTicks, timeMs, rule.deviationPpm, rule.spreadMaxMs
        );
        if (!agrees) return RejectReason.PRICE_DEVIATION;
        m.state.indexTicks = uint32(indexTicks);
        m.state.markTicks = uint32(markTicks);
        m.state.priceTimeMs = uint48(timeMs);
        m.adlPosition = 0;
        m.isChanged = true;
        return RejectReason.NONE;
    }

    /// @notice IDX-2: at least a quorum of distinct oracle signers, and no other.
    function _isObserved(
        Batch memory b,
        bytes calldata payload,
        uint256 offset,
        uint256 count,
        uint256 marketId
    ) private view returns (bool) {
        if (count < _oracleRule.quorum) return false;
        address[] memory signers = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            (uint256 priceTicks, uint256 timeMs) = IndexPriceLib.at(payload, offset, i);
            uint256 place = offset + i * IndexPriceLib.OBSERVATION_BYTES + 10;
            address signer = OrderLib.signer(
                OrderLib.indexPriceDigest(b.domain, marketId, priceTicks, timeMs),
                BatchLib.wordAt(payload, place),
                BatchLib.wordAt(payload, place + 32)
            );
            if (!_oracleSigners[signer]) return false;
            for (uint256 j = 0; j < i; ++j) {
                if (signers[j] == signer) return false;
            }
            signers[i] = signer;
        }
        return true;
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

    /// @notice FUND-1: a new funding index.
    function _judgeFunding(Batch memory b, uint256 word) internal pure returns (RejectReason) {
        MarketEntry memory m = b.markets[_marketIndex(b, uint8(word >> 240))];
        int256 fundingIndexE6 = int64(uint64(word >> 176));
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        if (m.state.indexTicks == 0) return RejectReason.NO_PRICE;
        if (fundingIndexE6.abs() > 1 << 62) return RejectReason.AMOUNT_OUT_OF_RANGE;
        uint256 step = uint256((fundingIndexE6 - m.state.fundingIndexE6).abs());
        uint256 stepMax =
            uint256(m.params.fundingCapPpm) * m.state.indexTicks * m.params.quotePerTickLot;
        uint256 dueTimeS = uint256(m.state.fundingTimeS) + m.params.fundingIntervalS;
        bool isEarly = m.state.fundingTimeS != 0 && b.clockTimeS < dueTimeS;
        if (step > stepMax || isEarly) return RejectReason.FUNDING_STEP;
        m.state.fundingIndexE6 = int64(fundingIndexE6);
        m.state.fundingTimeS = uint40(b.clockTimeS);
        m.isChanged = true;
        return RejectReason.NONE;
    }

    /* COLLATERAL */

    /// @notice COLL-1: moves collateral between the free balance and a position.
    function _judgeCollateral(Batch memory b, bytes calldata payload, uint256 offset, uint256 word)
        internal
        returns (RejectReason reason)
    {
        uint256 index = uint16(word >> 232);
        int256 amountQuote = int64(uint64(word >> 168));
        uint256 nonce = uint64(word >> 104);
        uint256 expiryTimeS = uint40(word >> 64);
        PositionEntry memory e = b.positions[_positionIndex(b, index)];
        AccountEntry memory a = b.accounts[e.account];
        MarketEntry memory m = b.markets[e.market];
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        reason = _moveReason(b, a, nonce, expiryTimeS);
        if (reason != RejectReason.NONE) return reason;

        Draft memory d = b.draftA;
        _begin(b, d, index);
        reason =
            FillLib.moveCollateral(d, amountQuote, int256(uint256(m.state.markTicks)), m.terms);
        if (reason != RejectReason.NONE) return reason;
        bytes32 digest = OrderLib.collateralMoveDigest(
            b.domain, a.account, m.marketId, amountQuote, nonce, expiryTimeS
        );
        if (!_isSignedBy(a.account, digest, payload, offset + 24)) {
            return RejectReason.SIGNATURE_INVALID;
        }
        if (amountQuote == 0 || !FillLib.fits(d)) return RejectReason.AMOUNT_OUT_OF_RANGE;
        _setFilled(a.account, nonce, NONCE_DEAD);
        _accept(b, d);
    }

    /// @notice COLL-2: takes a withdrawal out of the free balance. It is paid after the batch.
    function _judgeWithdrawal(Batch memory b, bytes calldata payload, uint256 offset, uint256 word)
        internal
        returns (RejectReason reason)
    {
        uint256 index = uint16(word >> 232);
        if (index >= b.header.accounts) revert BatchLib.BatchMalformed(offset);
        AccountEntry memory a = b.accounts[index];
        uint256 amountQuote = uint64(word >> 168);
        address to = address(uint160(word >> 8));
        word = BatchLib.wordAt(payload, offset + 31);
        uint256 nonce = word >> 192;
        uint256 expiryTimeS = uint40(word >> 152);
        reason = _moveReason(b, a, nonce, expiryTimeS);
        if (reason != RejectReason.NONE) return reason;
        if (int256(amountQuote) > a.freeQuote) return RejectReason.INSUFFICIENT_FREE_COLLATERAL;
        bytes32 digest =
            OrderLib.withdrawalDigest(b.domain, a.account, to, amountQuote, nonce, expiryTimeS);
        if (!_isSignedBy(a.account, digest, payload, offset + 44)) {
            return RejectReason.SIGNATURE_INVALID;
        }
        if (amountQuote == 0) return RejectReason.AMOUNT_OUT_OF_RANGE;
        _setFilled(a.account, nonce, NONCE_DEAD);
        a.freeQuote -= int256(amountQuote);
        b.withdrawnQuote += int256(amountQuote);
    }

    /// @notice What refuses a signed move of money by itself. Its nonce must be untouched.
    function _moveReason(Batch memory b, AccountEntry memory a, uint256 nonce, uint256 expiryTimeS)
        private
        view
        returns (RejectReason)
    {
        if (a.account == INSURANCE) return RejectReason.ACCOUNT_UNKNOWN;
        if (expiryTimeS <= b.clockTimeS) return RejectReason.EXPIRED;
        if (nonce < a.nonceFloor || _filled(a.account, nonce) != 0) {
            return RejectReason.NONCE_USED;
        }
        return RejectReason.NONE;
    }

    /* HELPERS */

    /// @notice Whether a price stands within the band around a reference, at least one tick.
    function _isInBand(uint256 priceTicks, uint256 referenceTicks, uint256 bandPpm)
        internal
        pure
        returns (bool)
    {
        uint256 band = referenceTicks * bandPpm / 1_000_000;
        if (band == 0) band = 1;
        return priceTicks + band >= referenceTicks && priceTicks <= referenceTicks + band;
    }
}
