// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Draft, FillLib } from "./FillLib.sol";
import { FixedPointLib } from "./FixedPointLib.sol";
import { MarginLib, Position, Terms } from "./MarginLib.sol";
import { RejectReason } from "./RejectReason.sol";
import { TierLib } from "./TierLib.sol";

/// @title The liquidation waterfall LIQ-2 … LIQ-7
/// @dev Works on drafts, whose funding is settled; the caller drops a draft that is refused.
library LiquidationLib {
    using FixedPointLib for int256;

    /// @notice LIQ-2, LIQ-6: closes lots on the book, no more than needed.
    /// @param probe room for a trial
    /// @return reason why not, or NONE
    /// @return feeQuote what the insurance fund receives
    function liquidationFill(
        Draft memory d,
        int256 lots,
        int256 priceTicks,
        int256 markTicks,
        Terms memory t,
        Position memory probe
    ) internal pure returns (RejectReason reason, int256 feeQuote) {
        Position memory p = d.position;
        if (!MarginLib.isLiquidatable(p, markTicks, t)) return (RejectReason.NOT_LIQUIDATABLE, 0);
        int256 bankruptcyTicks = MarginLib.bankruptcyPrice(p, t);
        bool isPriceFair =
            p.positionLots > 0 ? priceTicks >= bankruptcyTicks : priceTicks <= bankruptcyTicks;
        if (!isPriceFair) return (RejectReason.LIQUIDATION_PRICE, 0);
        if (lots > p.positionLots.abs()) return (RejectReason.LIQUIDATION_TOO_LARGE, 0);
        if (lots > 1) {
            MarginLib.copy(p, probe);
            MarginLib.reduceForLiquidation(probe, lots - 1, priceTicks, markTicks, t);
            if (
                MarginLib.isRestored(probe, markTicks, t)
                    || _fewerRestore(p, lots, priceTicks, markTicks, t)
            ) return (RejectReason.LIQUIDATION_TOO_LARGE, 0);
        }
        feeQuote = MarginLib.reduceForLiquidation(p, lots, priceTicks, markTicks, t);
        // At a price no worse than the bankruptcy price a whole closing leaves no debt.
        if (p.positionLots == 0 && !FillLib.releaseAll(d)) return (RejectReason.BANKRUPT, 0);
    }

    /// @notice LIQ-2: whether fewer lots surely restore, although one lot fewer may not.
    /// @dev What closing c lots leaves over maintenance and buffer is, unrounded, a line in c for
    /// each tier. The lowest tier's rises least: where it does not fall none does, and one lot
    /// fewer would restore too. Else the lots at which each line has 2 quote to spare intersect.
    /// Products: money and notional below 2^64, rates below 2^24.
    function _fewerRestore(
        Position memory p,
        int256 lots,
        int256 priceTicks,
        int256 markTicks,
        Terms memory t
    ) private pure returns (bool) {
        unchecked {
            int256 most = lots - 1;
            int256 least = 1;
            int256 spareQuote = MarginLib.equity(p, markTicks, t) - 2;
            int256 held = p.positionLots.abs();
            int256 gainTicks = p.positionLots > 0 ? priceTicks - markTicks : markTicks - priceTicks;
            int256 moved = gainTicks * FixedPointLib.PPM - priceTicks * t.feeLiquidationPpm;
            for (uint256 i = 0; i < t.tiers.length; ++i) {
                uint256 tier = t.tiers[i];
                int256 needed = markTicks
                    * (TierLib.maintenancePpm(tier) + t.feeTakerPpm + t.liquidationBufferPpm);
                int256 slope = (moved + needed) * t.quotePerTickLot;
                if (i == 0 && slope >= 0) return false;
                int256 start = (spareQuote + TierLib.amountMaintenance(tier)) * FixedPointLib.PPM
                    - held * needed * t.quotePerTickLot;
                if (slope > 0) {
                    least = least.max(FixedPointLib.ceilDiv(-start, slope));
                } else if (slope < 0) {
                    most = most.min(FixedPointLib.floorDiv(start, -slope));
                } else if (start < 0) {
                    return false;
                }
            }
            return least <= most;
        }
    }

    /// @notice LIQ-3: the fund takes all lots of a liquidatable position and its dust.
    /// @return carries whether the fund can carry the result
    function takeover(Position memory p, Position memory fund, int256 markTicks, Terms memory t)
        internal
        pure
        returns (bool carries)
    {
        int256 lots = p.positionLots.abs();
        bool isLong = p.positionLots > 0;
        int256 priceTicks = MarginLib.bankruptcyPrice(p, t);
        MarginLib.reduce(p, lots, priceTicks, t);
        fund.collateralQuote += p.collateralQuote;
        p.collateralQuote = 0;
        if (fund.positionLots != 0 && (fund.positionLots > 0) != isLong) {
            int256 closing = lots.min(fund.positionLots.abs());
            MarginLib.reduce(fund, closing, priceTicks, t);
            lots -= closing;
        }
        MarginLib.increase(fund, isLong, lots, MarginLib.notionalQuote(lots, priceTicks, t));
        if (fund.positionLots.abs() > t.positionLotsMax) return false;
        return
            MarginLib.equity(fund, markTicks, t)
                >= MarginLib.initial(fund.positionLots, markTicks, t);
    }

    /// @notice LIQ-4: closes lots of both sides at the bankruptcy price, without fee.
    /// @param isFund the bankrupt position is the fund's: what is left stays its collateral (LIQ-7)
    function adl(
        Draft memory bankrupt,
        Draft memory counterparty,
        bool isFund,
        int256 lots,
        int256 markTicks,
        Terms memory t
    ) internal pure returns (RejectReason reason) {
        Position memory p = bankrupt.position;
        Position memory other = counterparty.position;
        if (!MarginLib.isLiquidatable(p, markTicks, t)) return RejectReason.NOT_LIQUIDATABLE;
        bool isOpposite =
            other.positionLots != 0 && (other.positionLots > 0) != (p.positionLots > 0);
        if (!isOpposite) return RejectReason.NO_POSITION;
        if (lots > p.positionLots.abs() || lots > other.positionLots.abs()) {
            return RejectReason.LIQUIDATION_TOO_LARGE;
        }
        if (MarginLib.isLiquidatable(other, markTicks, t)) return RejectReason.BANKRUPT;
        int256 priceTicks = MarginLib.bankruptcyPrice(p, t);
        MarginLib.reduce(p, lots, priceTicks, t);
        if (p.positionLots == 0) {
            if (p.collateralQuote < 0) return RejectReason.BANKRUPT;
            if (!isFund) FillLib.releaseAll(bankrupt);
        }
        reason = FillLib.closeJudged(counterparty, lots, priceTicks, 0, markTicks, t);
        if (reason == RejectReason.NONE && other.collateralQuote < 0) {
            return RejectReason.BANKRUPT;
        }
    }

    /// @notice LIQ-5: the fund closes lots on the book, within the band around the mark.
    function fundFill(
        Position memory fund,
        bool isBuy,
        int256 lots,
        int256 priceTicks,
        int256 markTicks,
        Terms memory t
    ) internal pure returns (RejectReason) {
        bool reduces = fund.positionLots != 0 && (fund.positionLots > 0) != isBuy
            && lots <= fund.positionLots.abs();
        if (!reduces) return RejectReason.REDUCE_ONLY;
        int256 bandPpm = isBuy ? t.markBandPpm : -t.markBandPpm;
        int256 worstTicks =
            FixedPointLib.mulDivDown(markTicks, FixedPointLib.PPM + bandPpm, FixedPointLib.PPM);
        bool isPriceFair = isBuy ? priceTicks <= worstTicks : priceTicks >= worstTicks;
        if (!isPriceFair) return RejectReason.LIQUIDATION_PRICE;
        MarginLib.reduce(fund, lots, priceTicks, t);
        if (MarginLib.equity(fund, markTicks, t) < 0) return RejectReason.INSUFFICIENT_MARGIN;
        return RejectReason.NONE;
    }
}
