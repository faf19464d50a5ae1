// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../interfaces/IExitDesk.sol";
import { ExitMarket, MarketParams, MarketTotals } from "../interfaces/ISettlementTypes.sol";
import { FixedPointLib } from "../libraries/FixedPointLib.sol";
import { MarginLib, Position, Terms } from "../libraries/MarginLib.sol";
import { SlotLib } from "../libraries/SlotLib.sol";
import { SettlementStorage } from "./SettlementStorage.sol";

/// @title Positions outside of batches: storage to memory and back
abstract contract Markets is SettlementStorage {
    using FixedPointLib for int256;

    /// @notice What the margin rules need to know of a market.
    function _terms(uint256 marketId) internal view returns (Terms memory t) {
        MarketParams memory params = _markets[marketId].params;
        t.quotePerTickLot = int256(uint256(params.quotePerTickLot));
        t.positionLotsMax = int256(uint256(params.positionLotsMax));
        t.feeTakerPpm = int256(uint256(params.feeTakerPpm));
        t.feeLiquidationPpm = int256(uint256(params.feeLiquidationPpm));
        t.liquidationBufferPpm = int256(uint256(params.liquidationBufferPpm));
        t.markBandPpm = int256(uint256(params.markBandPpm));
        t.tiers = _markets[marketId].tiers;
    }

    /// @notice A position with its funding settled, and what that pays into the market's pool.
    function _settled(uint256 marketId, address account_)
        internal
        view
        returns (Position memory p, int256 fundingQuote)
    {
        SlotLib.unpackPosition(_positions[marketId][account_], p);
        fundingQuote = MarginLib.settleFunding(p, _markets[marketId].state.fundingIndexE6);
    }

    /// @notice Writes a position and its part in the market's totals.
    /// @dev What a word cannot hold is refused, not cut: in exit mode the fund takes whole sides.
    function _store(uint256 marketId, address account_, Position memory p, int256 fundingQuote)
        internal
    {
        if (!SlotLib.isPackable(p)) revert IExitDesk.PositionOutOfRange(marketId, account_);
        uint256 before = _positions[marketId][account_];
        uint256 word = SlotLib.packPosition(p);
        _positions[marketId][account_] = word;
        MarketTotals storage totals = _markets[marketId].totals;
        totals.positionsQuote += int88(SlotLib.heldQuote(word) - SlotLib.heldQuote(before));
        (int256 lots, int256 lotsBefore) = (SlotLib.lots(word), SlotLib.lots(before));
        totals.lotsSum += int48(lots - lotsBefore);
        int256 open = int256(uint256(totals.openPositions));
        totals.openPositions = uint32(uint256(open + SlotLib.opening(lotsBefore, lots)));
        totals.fundingPoolQuote += int88(fundingQuote);
    }

    /// @notice Pays into a free balance what another place has given up.
    function _credit(address account_, uint256 amountQuote) internal {
        _accounts[account_] += amountQuote;
        _totals.freeQuote += uint80(amountQuote);
    }

    /* EXIT */

    /// @notice EXIT-4: fixes what may be paid of forgone profit once all have left: all that the
    /// market holds then is what they forwent, and what backers own.
    function _settleMarket(uint32 marketId) internal {
        ExitMarket storage e = _exitMarkets[marketId];
        if (e.isSettled) return;
        uint256 openPositions = _markets[marketId].totals.openPositions;
        if (openPositions != 0) revert IExitDesk.ExitNotSettled(marketId, openPositions);
        e.potQuote = uint80(uint256(_potQuote(marketId).max(0)));
        e.isSettled = true;
    }

    /// @notice Pays out of a market's pot, at most what is in it.
    function _payFromFund(uint32 marketId, address account_, uint256 amountQuote)
        internal
        returns (uint256 paidQuote)
    {
        int256 heldQuote = _potQuote(marketId).max(0);
        paidQuote = uint256(int256(amountQuote).min(heldQuote));
        (Position memory fund, int256 fundingQuote) = _settled(marketId, INSURANCE);
        fund.collateralQuote -= int256(paidQuote);
        _store(marketId, INSURANCE, fund, fundingQuote);
        _credit(account_, paidQuote);
    }
}
