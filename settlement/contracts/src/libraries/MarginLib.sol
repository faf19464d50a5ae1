// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { FixedPointLib } from "./FixedPointLib.sol";
import { TierLib } from "./TierLib.sol";

/// @notice A position at work. Same fields as its storage word, wide enough not to overflow.
/// @param positionLots signed lots
/// @param entryValueQuote sum of the notionals of the fills that opened it, never negative
/// @param collateralQuote the position's own collateral, may be negative
/// @param fundingIndexE6 the market's funding index when the position was last changed
struct Position {
    int256 positionLots;
    int256 entryValueQuote;
    int256 collateralQuote;
    int256 fundingIndexE6;
}

/// @notice What the margin rules need to know of a market.
struct Terms {
    int256 quotePerTickLot;
    int256 positionLotsMax;
    int256 feeTakerPpm;
    int256 feeLiquidationPpm;
    int256 liquidationBufferPpm;
    int256 markBandPpm;
    uint256[] tiers;
}

/// @title The margin rules MARG-1 … MARG-6 and the elementary changes of a position
/// @notice Pure functions of integers. `margin_core` has the same functions with the same rounding.
/// @dev `unchecked` throughout: operands come from 64-bit storage fields and 40-bit payload
/// fields, products stay below 2^170.
library MarginLib {
    using FixedPointLib for int256;

    int256 private constant PPM = FixedPointLib.PPM;
    int256 private constant RANK_FACTOR_MAX = 1 << 60;

    /* REQUIREMENTS */

    /// @notice MARG-1: funding that the position owes since it was last changed. Rounds up.
    function fundingOwed(Position memory p, int256 fundingIndexE6) internal pure returns (int256) {
        unchecked {
            int256 moved = fundingIndexE6 - p.fundingIndexE6;
            if (moved == 0 || p.positionLots == 0) return 0;
            return FixedPointLib.ceilDiv(p.positionLots * moved, PPM);
        }
    }

    /// @notice Settles funding into the collateral and returns what went to the market's pool.
    function settleFunding(Position memory p, int256 fundingIndexE6)
        internal
        pure
        returns (int256 owedQuote)
    {
        unchecked {
            owedQuote = fundingOwed(p, fundingIndexE6);
            p.collateralQuote -= owedQuote;
            p.fundingIndexE6 = fundingIndexE6;
        }
    }

    /// @notice NUM-1: exact.
    function notionalQuote(int256 lots, int256 priceTicks, Terms memory t)
        internal
        pure
        returns (int256)
    {
        unchecked {
            return lots.abs() * priceTicks * t.quotePerTickLot;
        }
    }

    /// @notice Profit at `priceTicks`, without funding.
    function unrealisedPnlQuote(Position memory p, int256 priceTicks, Terms memory t)
        internal
        pure
        returns (int256)
    {
        unchecked {
            int256 signedValue = p.positionLots * priceTicks * t.quotePerTickLot;
            if (p.positionLots > 0) return signedValue - p.entryValueQuote;
            return signedValue + p.entryValueQuote;
        }
    }

    /// @notice MARG-2, of a position whose funding is settled.
    function equity(Position memory p, int256 priceTicks, Terms memory t)
        internal
        pure
        returns (int256)
    {
        unchecked {
            int256 lots = p.positionLots;
            int256 value = p.collateralQuote + lots * priceTicks * t.quotePerTickLot;
            return lots > 0 ? value - p.entryValueQuote : value + p.entryValueQuote;
        }
    }

    /// @notice MARG-3, maintenance. Rounds up.
    function maintenance(int256 lots, int256 priceTicks, Terms memory t)
        internal
        pure
        returns (int256)
    {
        if (lots == 0) return 0;
        int256 notional = notionalQuote(lots, priceTicks, t);
        uint256 tier = TierLib.find(t.tiers, notional);
        unchecked {
            int256 ratePpm = TierLib.maintenancePpm(tier) + t.feeTakerPpm;
            return FixedPointLib.partUp(notional, ratePpm) - TierLib.amountMaintenance(tier);
        }
    }

    /// @notice MARG-3, initial. Rounds up.
    function initial(int256 lots, int256 priceTicks, Terms memory t)
        internal
        pure
        returns (int256)
    {
        if (lots == 0) return 0;
        int256 notional = notionalQuote(lots, priceTicks, t);
        uint256 tier = TierLib.find(t.tiers, notional);
        unchecked {
            int256 ratePpm = TierLib.initialPpm(tier) + t.feeTakerPpm;
            return FixedPointLib.partUp(notional, ratePpm) - TierLib.amountInitial(tier);
        }
    }

    /// @notice Equity (MARG-2) less initial requirement (MARG-3) of a position that has lots.
    function excess(Position memory p, int256 priceTicks, Terms memory t)
        internal
        pure
        returns (int256)
    {
        unchecked {
            int256 value = p.positionLots * priceTicks * t.quotePerTickLot;
            int256 notional = value;
            int256 entryQuote = p.entryValueQuote;
            if (p.positionLots > 0) entryQuote = -entryQuote;
            else notional = -value;
            uint256 tier = TierLib.find(t.tiers, notional);
            int256 ratePpm = TierLib.initialPpm(tier) + t.feeTakerPpm;
            return p.collateralQuote + value + entryQuote - FixedPointLib.partUp(notional, ratePpm)
                + TierLib.amountInitial(tier);
        }
    }

    /// @notice MARG-4, of a position whose funding is settled. Equality is safe.
    function isLiquidatable(Position memory p, int256 markTicks, Terms memory t)
        internal
        pure
        returns (bool)
    {
        return equity(p, markTicks, t) < maintenance(p.positionLots, markTicks, t);
    }

    /// @notice MARG-6, of a position whose funding is settled. Rounds against the trader.
    function bankruptcyPrice(Position memory p, Terms memory t) internal pure returns (int256) {
        unchecked {
            int256 perTick = p.positionLots.abs() * t.quotePerTickLot;
            int256 priceTicks = p.positionLots > 0
                ? FixedPointLib.ceilDiv(p.entryValueQuote - p.collateralQuote, perTick)
                : FixedPointLib.floorDiv(p.entryValueQuote + p.collateralQuote, perTick);
            return priceTicks.max(0);
        }
    }

    /// @notice MARG-5, of a position whose funding is settled: the first tick at which it is
    /// liquidatable, -1 when there is none.
    /// @dev Bisection: equity less maintenance never falls with the price for a long and never
    /// rises for a short, because every rate is below one.
    function liquidationPrice(Position memory p, int256 priceTicksMax, Terms memory t)
        internal
        pure
        returns (int256)
    {
        if (p.positionLots == 0) return -1;
        bool isLong = p.positionLots > 0;
        int256 safe = isLong ? priceTicksMax + 1 : int256(0);
        int256 broken = isLong ? int256(-1) : priceTicksMax + 1;
        while ((safe - broken).abs() > 1) {
            int256 middle = FixedPointLib.floorDiv(safe + broken, 2);
            if (isLiquidatable(p, middle, t)) broken = middle;
            else safe = middle;
        }
        return broken > priceTicksMax ? int256(-1) : broken;
    }

    /* CHANGES */

    /// @notice FILL-3: margin that lots [`fromLots`, `toLots`) of a signed order bring along.
    function slice(int256 marginQuote, int256 qtyLots, int256 fromLots, int256 toLots)
        internal
        pure
        returns (int256)
    {
        unchecked {
            // Nothing is negative here, so that division rounds down.
            return marginQuote * toLots / qtyLots - marginQuote * fromLots / qtyLots;
        }
    }

    /// @notice FILL-1: rounds up.
    function fee(int256 notional, int256 feePpm) internal pure returns (int256) {
        return FixedPointLib.partUp(notional, feePpm);
    }

    /// @notice FILL-2 without money: opens or adds `lots` in the direction of `isBuy`.
    /// @param notional of these lots at their price
    function increase(Position memory p, bool isBuy, int256 lots, int256 notional) internal pure {
        unchecked {
            p.positionLots += isBuy ? lots : -lots;
            p.entryValueQuote += notional;
        }
    }

    /// @notice FILL-4 without fee: closes `lots`, at most all, and realises the profit.
    function reduce(Position memory p, int256 lots, int256 priceTicks, Terms memory t)
        internal
        pure
        returns (int256 pnlQuote)
    {
        unchecked {
            int256 held = p.positionLots.abs();
            bool isLong = p.positionLots > 0;
            int256 closedEntry = p.entryValueQuote;
            if (lots != held) {
                closedEntry = isLong
                    ? FixedPointLib.mulDivUp(p.entryValueQuote, lots, held)
                    : FixedPointLib.mulDivDown(p.entryValueQuote, lots, held);
            }
            int256 notional = notionalQuote(lots, priceTicks, t);
            pnlQuote = isLong ? notional - closedEntry : closedEntry - notional;
            p.positionLots += isLong ? -lots : lots;
            p.entryValueQuote -= closedEntry;
            p.collateralQuote += pnlQuote;
        }
    }

    /// @notice LIQ-2: closes `lots` on the book and takes the liquidation fee, which never makes
    /// the equity negative.
    function reduceForLiquidation(
        Position memory p,
        int256 lots,
        int256 priceTicks,
        int256 markTicks,
        Terms memory t
    ) internal pure returns (int256 feeQuote) {
        reduce(p, lots, priceTicks, t);
        feeQuote = fee(notionalQuote(lots, priceTicks, t), t.feeLiquidationPpm);
        feeQuote = feeQuote.min(equity(p, markTicks, t)).max(0);
        unchecked {
            p.collateralQuote -= feeQuote;
        }
    }

    /// @notice LIQ-2: whether the position stands at maintenance plus buffer.
    function isRestored(Position memory p, int256 markTicks, Terms memory t)
        internal
        pure
        returns (bool)
    {
        int256 notional = notionalQuote(p.positionLots, markTicks, t);
        int256 buffer = FixedPointLib.mulDivUp(notional, t.liquidationBufferPpm, PPM);
        return equity(p, markTicks, t) >= maintenance(p.positionLots, markTicks, t) + buffer;
    }

    function copy(Position memory from, Position memory to) internal pure {
        // Equivalent to four assignments, a field each.
        assembly ("memory-safe") {
            mcopy(to, from, 128)
        }
    }

    /// @notice LIQ-4: rank of a counterparty, of a position whose funding is settled. Both factors
    /// end at 2^60.
    function rank(Position memory p, int256 markTicks, Terms memory t)
        internal
        pure
        returns (int256)
    {
        unchecked {
            int256 pnlQuote = unrealisedPnlQuote(p, markTicks, t);
            int256 pnlPpm = FixedPointLib.mulDivDown(pnlQuote, PPM, p.entryValueQuote.max(1));
            if (pnlPpm <= 0) return pnlPpm * PPM;
            int256 notional = notionalQuote(p.positionLots, markTicks, t);
            int256 equityQuote = p.collateralQuote + pnlQuote;
            int256 leveragePpm = FixedPointLib.mulDivDown(notional, PPM, equityQuote.max(1));
            return pnlPpm.min(RANK_FACTOR_MAX) * leveragePpm.min(RANK_FACTOR_MAX);
        }
    }
}
