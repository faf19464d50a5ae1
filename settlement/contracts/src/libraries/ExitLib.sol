// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Draft } from "./FillLib.sol";
import { FixedPointLib } from "./FixedPointLib.sol";
import { MarginLib, Position, Terms } from "./MarginLib.sol";
import { RejectReason } from "./RejectReason.sol";

/// @title Leaving without a counterparty: the insurance fund takes the lots
/// @dev Works on positions whose funding is settled.
library ExitLib {
    using FixedPointLib for int256;

    /// @notice BACK-2: shares that nobody holds. With the first deposit at a price of one
    /// thousandth, lifting the price by a gift costs a thousand times what it takes from others.
    uint256 internal constant VIRTUAL_SHARES = 1000;

    /// @notice BACK-2: what shares of a fund are worth; 0 of one that is lost. Rounds down.
    function sharesQuote(uint256 shares, int256 equityQuote, uint256 allShares)
        internal
        pure
        returns (uint256)
    {
        if (equityQuote <= 0) return 0;
        return shares * (uint256(equityQuote) + 1) / (allShares + VIRTUAL_SHARES);
    }

    /// @notice EXIT-3: the worse of entry and index for who leaves. Rounds against them.
    function worsePrice(Position memory p, int256 indexTicks, Terms memory t)
        internal
        pure
        returns (int256)
    {
        int256 perTick = p.positionLots.abs() * t.quotePerTickLot;
        if (p.positionLots > 0) {
            return FixedPointLib.floorDiv(p.entryValueQuote, perTick).min(indexTicks);
        }
        return FixedPointLib.ceilDiv(p.entryValueQuote, perTick).max(indexTicks);
    }

    /// @notice The fund takes `lots` of the side of a position at a price, without fee.
    function takeOn(Position memory fund, bool isLong, int256 lots, int256 price, Terms memory t)
        internal
        pure
    {
        if (fund.positionLots != 0 && (fund.positionLots > 0) != isLong) {
            int256 closing = lots.min(fund.positionLots.abs());
            MarginLib.reduce(fund, closing, price, t);
            lots -= closing;
        }
        MarginLib.increase(fund, isLong, lots, MarginLib.notionalQuote(lots, price, t));
    }

    /// @notice EXP-2: closes all lots of a draft against the fund at a price, without fee. How many
    /// lots the fund may hold is the caller's to judge.
    function deliver(Draft memory d, Position memory fund, int256 ticks, Terms memory t)
        internal
        pure
        returns (RejectReason)
    {
        int256 lots = d.position.positionLots.abs();
        takeOn(fund, d.position.positionLots > 0, lots, ticks, t);
        MarginLib.reduce(d.position, lots, ticks, t);
        int256 leftQuote = d.position.collateralQuote;
        d.position.collateralQuote = 0;
        if (leftQuote >= 0) d.freeQuote += leftQuote;
        else fund.collateralQuote += leftQuote;
        bool isLost = leftQuote < 0 && MarginLib.equity(fund, ticks, t) < 0;
        return isLost ? RejectReason.FUND_CANNOT_CARRY : RejectReason.NONE;
    }
}
