// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ExitLib } from "../libraries/ExitLib.sol";
import { FixedPointLib } from "../libraries/FixedPointLib.sol";
import { RejectReason } from "../libraries/RejectReason.sol";
import { AccountItems } from "./AccountItems.sol";
import { Batch, MarketEntry, PositionEntry } from "./BatchWork.sol";

/// @title Items by which a market changes, or ends, at a time that was known before
abstract contract MarketItems is AccountItems {
    using FixedPointLib for int256;

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

    /// @notice GOV-5: the announced parameters hold from here on.
    function _judgeParameters(Batch memory b, uint256 word) internal returns (RejectReason) {
        MarketEntry memory m = b.markets[_marketIndex(b, uint8(word >> 240))];
        if (!_isOpen(m)) return RejectReason.MARKET_UNKNOWN;
        if (!m.isListed) return RejectReason.MARKET_STATE;
        uint256 effectiveTimeS = _announced[m.marketId].effectiveTimeS;
        if (effectiveTimeS == 0 || b.clockTimeS < effectiveTimeS) {
            return RejectReason.PARAMETERS_NOT_DUE;
        }
        _applyAnnounced(uint32(m.marketId));
        _loadTerms(m);
        return RejectReason.NONE;
    }

    /// @notice EXP-2: a position of a market that has ended closes at the price of its end. The
    /// insurance fund takes its lots, so that they stay in balance, and pays what is lacking.
    function _judgeDelivery(Batch memory b, uint256 word) internal pure returns (RejectReason) {
        PositionEntry memory e = b.positions[_positionIndex(b, uint16(word >> 232))];
        MarketEntry memory m = e.listing;
        if (m.params.quotePerTickLot == 0) return RejectReason.MARKET_UNKNOWN;
        if (e.owner.account == INSURANCE) return RejectReason.ACCOUNT_UNKNOWN;
        uint256 ticks = m.state.deliveryTicks;
        if (ticks == 0) {
            if (!_hasEnded(m.state, m.params.expiryTimeS)) return RejectReason.MARKET_STATE;
            ticks = m.state.indexTicks;
        }
        if (e.position.positionLots == 0) return RejectReason.NO_POSITION;

        PositionEntry memory fund = b.positions[m.fundIndex];
        _begin(b.draftA, e);
        _begin(b.draftB, fund);
        RejectReason reason = ExitLib.deliver(b.draftA, b.draftB.position, int256(ticks), m.terms);
        if (reason != RejectReason.NONE) return reason;
        int256 fundLots = b.draftB.position.positionLots.abs();
        bool hasGrown = fundLots > fund.position.positionLots.abs();
        if (hasGrown && fundLots > m.terms.positionLotsMax) return RejectReason.POSITION_LIMIT;
        reason = _bothReason(b, e, fund);
        if (reason != RejectReason.NONE) return reason;
        m.state.deliveryTicks = uint32(ticks);
        m.isListed = false;
        m.isChanged = true;
        _accept(b, b.draftA, e);
        _accept(b, b.draftB, fund);
        return RejectReason.NONE;
    }
}
