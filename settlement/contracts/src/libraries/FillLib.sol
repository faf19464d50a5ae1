// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { FixedPointLib } from "./FixedPointLib.sol";
import { MarginLib, Position, Terms } from "./MarginLib.sol";
import { RejectReason } from "./RejectReason.sol";

/// @notice One side of an item at work: taken over into the tables only when the item is accepted.
/// @param position its state, funding settled
/// @param freeQuote the account's free balance
/// @param feeQuote venue fees of this item so far
/// @param fundingQuote what settling funding paid into the market's pool
/// @param lanes of an order's side: what storage holds of its filled lots, and those next to them
/// @param filledLots what of it is the order's own
/// @param keyWord what a session key has used with this item
struct Draft {
    Position position;
    int256 freeQuote;
    int256 feeQuote;
    int256 fundingQuote;
    uint256 lanes;
    uint256 filledLots;
    uint256 keyWord;
}

/// @notice What a signed order contributes to a fill.
/// @param filledLots lots of the order filled before
struct Fill {
    bool isBuy;
    int256 lots;
    int256 priceTicks;
    int256 feePpm;
    int256 marginQuote;
    int256 qtyLots;
    int256 filledLots;
}

/// @title The fill rules FILL-1 … FILL-6
/// @dev `unchecked` for the same reason as in MarginLib.
library FillLib {
    using FixedPointLib for int256;

    int256 private constant QUOTE_MAX = 1 << 60;
    int256 private constant LOTS_MAX = 1 << 40;

    /// @notice FILL-1: the closing part first, then the opening part, each judged by itself.
    function applyFill(Draft memory d, Fill memory f, int256 markTicks, Terms memory t)
        internal
        pure
        returns (RejectReason)
    {
        unchecked {
            int256 held = d.position.positionLots;
            int256 closing = 0;
            if (held != 0 && (held > 0) != f.isBuy) {
                closing = held.abs().min(f.lots);
                RejectReason reason = closeJudged(d, closing, f.priceTicks, f.feePpm, markTicks, t);
                if (reason != RejectReason.NONE) return reason;
            }
            if (closing == f.lots) return RejectReason.NONE;
            return _openJudged(d, f, closing, markTicks, t);
        }
    }

    /// @notice COLL-1: moves collateral from the free balance into the position, or out of it.
    /// @param markTicks needed for what leaves: the caller has judged that the price holds
    function moveCollateral(Draft memory d, int256 amountQuote, int256 markTicks, Terms memory t)
        internal
        pure
        returns (RejectReason)
    {
        Position memory p = d.position;
        if (p.positionLots == 0) return RejectReason.NO_POSITION;
        if (amountQuote > d.freeQuote) return RejectReason.INSUFFICIENT_FREE_COLLATERAL;
        unchecked {
            p.collateralQuote += amountQuote;
            d.freeQuote -= amountQuote;
        }
        if (amountQuote >= 0) return RejectReason.NONE;
        bool isCovered = p.collateralQuote >= 0 && MarginLib.excess(p, markTicks, t) >= 0;
        return isCovered ? RejectReason.NONE : RejectReason.INSUFFICIENT_MARGIN;
    }

    /// @notice A flat position gives all its collateral back; never a debt.
    function releaseAll(Draft memory d) internal pure returns (bool solvent) {
        Position memory p = d.position;
        if (p.collateralQuote < 0) return false;
        d.freeQuote += p.collateralQuote;
        p.collateralQuote = 0;
        return true;
    }

    /// @notice Whether the result can be stored: section 1 of the specification. Its funding index
    /// is the market's, which FUND-1 bounds.
    function fits(Draft memory d) internal pure returns (bool) {
        Position memory p = d.position;
        // What is far below its bound takes one comparison: x + half of a power of two, or x that is
        // not negative, leaves no bit above it.
        unchecked {
            uint256 bits = uint256(p.collateralQuote + QUOTE_MAX / 2) | uint256(p.entryValueQuote)
                | uint256(d.freeQuote) | uint256(d.fundingQuote + QUOTE_MAX / 2)
                | uint256(p.positionLots + LOTS_MAX / 2) << 20;
            return bits >> 60 == 0 || _isWithin(d);
        }
    }

    function _isWithin(Draft memory d) private pure returns (bool) {
        Position memory p = d.position;
        // |x| ≤ bound is x + bound ≤ 2 · bound without sign.
        unchecked {
            return uint256(p.collateralQuote + QUOTE_MAX) <= uint256(2 * QUOTE_MAX)
                && p.entryValueQuote <= QUOTE_MAX
                && uint256(p.positionLots + LOTS_MAX) <= uint256(2 * LOTS_MAX)
                && d.freeQuote <= QUOTE_MAX
                && uint256(d.fundingQuote + QUOTE_MAX) <= uint256(2 * QUOTE_MAX);
        }
    }

    /// @notice FILL-4 … FILL-6: closes at most all lots; a part must leave the rest no worse.
    function closeJudged(
        Draft memory d,
        int256 lots,
        int256 priceTicks,
        int256 feePpm,
        int256 markTicks,
        Terms memory t
    ) internal pure returns (RejectReason) {
        Position memory p = d.position;
        int256 equityBefore = MarginLib.equity(p, markTicks, t);
        int256 lotsBefore = p.positionLots;
        if (!_closeAndRelease(d, lots, priceTicks, feePpm, markTicks, t)) {
            return RejectReason.BANKRUPT;
        }
        if (p.positionLots == 0) return RejectReason.NONE;
        int256 equityAfter = MarginLib.equity(p, markTicks, t);
        int256 initialAfter = MarginLib.initial(p.positionLots, markTicks, t);
        if (equityAfter >= initialAfter) return RejectReason.NONE;
        unchecked {
            int256 initialBefore = MarginLib.initial(lotsBefore, markTicks, t);
            return equityAfter >= 0 && equityAfter * initialBefore >= equityBefore * initialAfter
                ? RejectReason.NONE
                : RejectReason.INSUFFICIENT_MARGIN;
        }
    }

    /// @notice FILL-4 and FILL-5: closes at most all lots and releases collateral.
    /// @return solvent false when the position is closed wholly with negative collateral
    function _closeAndRelease(
        Draft memory d,
        int256 lots,
        int256 priceTicks,
        int256 feePpm,
        int256 markTicks,
        Terms memory t
    ) private pure returns (bool solvent) {
        Position memory p = d.position;
        unchecked {
            int256 share = FixedPointLib.mulDivDown(p.collateralQuote, lots, p.positionLots.abs());
            int256 feeQuote = MarginLib.fee(MarginLib.notionalQuote(lots, priceTicks, t), feePpm);
            share += MarginLib.reduce(p, lots, priceTicks, t) - feeQuote;
            p.collateralQuote -= feeQuote;
            d.feeQuote += feeQuote;
            if (p.positionLots == 0) return releaseAll(d);
            int256 excess = MarginLib.excess(p, markTicks, t);
            int256 released = share.min(p.collateralQuote).min(excess).max(0);
            p.collateralQuote -= released;
            d.freeQuote += released;
            return true;
        }
    }

    function _openJudged(
        Draft memory d,
        Fill memory f,
        int256 closedLots,
        int256 markTicks,
        Terms memory t
    ) private pure returns (RejectReason) {
        unchecked {
            Position memory p = d.position;
            int256 sliceQuote = MarginLib.slice(
                f.marginQuote, f.qtyLots, f.filledLots + closedLots, f.filledLots + f.lots
            );
            if (sliceQuote > d.freeQuote) return RejectReason.INSUFFICIENT_FREE_COLLATERAL;
            int256 lots = f.lots - closedLots;
            int256 notional = MarginLib.notionalQuote(lots, f.priceTicks, t);
            int256 feeQuote = MarginLib.fee(notional, f.feePpm);
            MarginLib.increase(p, f.isBuy, lots, notional);
            if (p.positionLots.abs() > t.positionLotsMax) return RejectReason.POSITION_LIMIT;
            p.collateralQuote += sliceQuote - feeQuote;
            d.freeQuote -= sliceQuote;
            d.feeQuote += feeQuote;
            bool isCovered = MarginLib.excess(p, markTicks, t) >= 0;
            return isCovered ? RejectReason.NONE : RejectReason.INSUFFICIENT_MARGIN;
        }
    }
}
