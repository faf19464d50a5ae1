// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Tier } from "../src/interfaces/ISettlementTypes.sol";
import { Draft, Fill, FillLib } from "../src/libraries/FillLib.sol";
import { LiquidationLib } from "../src/libraries/LiquidationLib.sol";
import { MarginLib, Position, Terms } from "../src/libraries/MarginLib.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { TierLib } from "../src/libraries/TierLib.sol";

/// @notice The rules as `margin_core` states them: each change takes positions as stored and a
/// market at one mark and one funding index.
contract MarginHarness {
    /// @notice A market at one moment.
    struct Moment {
        Terms terms;
        int256 priceTicksMax;
        int256 fundingIndexE6;
        int256 markTicks;
    }

    function chainTiers(Tier[] calldata tiers, uint256 feeTakerPpm)
        public
        pure
        returns (uint256[] memory)
    {
        return TierLib.chain(tiers, feeTakerPpm);
    }

    function draftOf(Position memory p, Moment memory moment, int256 freeQuote)
        public
        pure
        returns (Draft memory d)
    {
        MarginLib.copy(p, d.position);
        d.freeQuote = freeQuote;
        d.fundingQuote = MarginLib.settleFunding(d.position, moment.fundingIndexE6);
    }

    function isLiquidatable(Position memory p, Moment memory moment) public pure returns (bool) {
        return
            MarginLib.isLiquidatable(
                draftOf(p, moment, 0).position, moment.markTicks, moment.terms
            );
    }

    function liquidationPrice(Position memory p, Moment memory moment)
        public
        pure
        returns (int256)
    {
        Position memory settled = draftOf(p, moment, 0).position;
        return MarginLib.liquidationPrice(settled, moment.priceTicksMax, moment.terms);
    }

    function fill(Position memory p, Moment memory moment, Fill memory f, int256 freeQuote)
        public
        pure
        returns (RejectReason reason, Draft memory d)
    {
        d = draftOf(p, moment, freeQuote);
        reason = FillLib.applyFill(d, f, moment.markTicks, moment.terms);
    }

    function moveCollateral(
        Position memory p,
        Moment memory moment,
        int256 amountQuote,
        int256 freeQuote
    ) public pure returns (RejectReason reason, Draft memory d) {
        d = draftOf(p, moment, freeQuote);
        reason = FillLib.moveCollateral(d, amountQuote, moment.markTicks, moment.terms);
    }

    function liquidationFill(
        Position memory p,
        Moment memory moment,
        int256 lots,
        int256 priceTicks
    ) public pure returns (RejectReason reason, int256 feeQuote, Draft memory d) {
        Position memory probe;
        d = draftOf(p, moment, 0);
        (reason, feeQuote) = LiquidationLib.liquidationFill(
            d, lots, priceTicks, moment.markTicks, moment.terms, probe
        );
    }

    function takeover(Position memory p, Position memory fund, Moment memory moment)
        public
        pure
        returns (RejectReason, Draft memory after_)
    {
        Draft memory d = draftOf(p, moment, 0);
        after_ = draftOf(fund, moment, 0);
        if (!MarginLib.isLiquidatable(d.position, moment.markTicks, moment.terms)) {
            return (RejectReason.NOT_LIQUIDATABLE, after_);
        }
        bool carries =
            LiquidationLib.takeover(d.position, after_.position, moment.markTicks, moment.terms);
        return (carries ? RejectReason.NONE : RejectReason.FUND_CANNOT_CARRY, after_);
    }

    function adl(Position memory p, Position memory other, Moment memory moment, int256 lots)
        public
        pure
        returns (RejectReason reason, Draft memory bankrupt, Draft memory counterparty)
    {
        bankrupt = draftOf(p, moment, 0);
        counterparty = draftOf(other, moment, 0);
        reason = LiquidationLib.adl(
            bankrupt, counterparty, false, lots, moment.markTicks, moment.terms
        );
    }

    function fundFill(
        Position memory p,
        Moment memory moment,
        bool isBuy,
        int256 lots,
        int256 priceTicks
    ) public pure returns (RejectReason reason, Draft memory d) {
        d = draftOf(p, moment, 0);
        reason = LiquidationLib.fundFill(
            d.position, isBuy, lots, priceTicks, moment.markTicks, moment.terms
        );
    }
}
