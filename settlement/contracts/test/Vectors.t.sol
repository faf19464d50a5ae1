// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Tier } from "../src/interfaces/ISettlementTypes.sol";
import { Draft, Fill } from "../src/libraries/FillLib.sol";
import { MarginLib, Position } from "../src/libraries/MarginLib.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { MarginHarness } from "./MarginHarness.sol";
import { Test, vm } from "./utils/Vm.sol";

/// @notice The same integers as the model of `margin_core`: test/vectors/margin.json, case by case.
contract VectorsTest is Test, MarginHarness {
    string private constant PATH = "test/vectors/margin.json";
    uint256 private constant SPEC_COLUMNS = 57;

    error CaseDiffers(string kind, uint256 row, string column, int256 expected, int256 actual);

    /// @dev One kind's table, read from left to right.
    struct Table {
        string kind;
        int256[] cells;
        uint256 next;
        uint256 row;
        int256[] specs;
        uint256[][] tiers;
    }

    function test_vectors_state() public {
        Table memory t = _open("state");
        while (_more(t)) {
            (Position memory p, Moment memory moment) = _case(t);
            Position memory settled = draftOf(p, moment, 0).position;
            _expect(t, "funding owed", MarginLib.fundingOwed(p, moment.fundingIndexE6));
            _expect(t, "equity", MarginLib.equity(settled, moment.markTicks, moment.terms));
            int256 lots = p.positionLots;
            _expect(t, "maintenance", MarginLib.maintenance(lots, moment.markTicks, moment.terms));
            _expect(t, "initial", MarginLib.initial(lots, moment.markTicks, moment.terms));
            _expect(t, "is liquidatable", isLiquidatable(p, moment) ? int256(1) : int256(0));
            _expect(t, "liquidation price", liquidationPrice(p, moment));
            _expect(t, "bankruptcy price", MarginLib.bankruptcyPrice(settled, moment.terms));
            _expect(t, "rank", MarginLib.rank(settled, moment.markTicks, moment.terms));
        }
    }

    function test_vectors_fill() public {
        Table memory t = _open("fill");
        while (_more(t)) {
            (Position memory p, Moment memory moment) = _case(t);
            Fill memory f;
            f.isBuy = _next(t) == 0;
            f.lots = _next(t);
            f.priceTicks = _next(t);
            f.feePpm = _next(t);
            f.marginQuote = _next(t);
            f.qtyLots = _next(t);
            f.filledLots = _next(t);
            int256 freeQuote = _next(t);
            (RejectReason reason, Draft memory d) = fill(p, moment, f, freeQuote);
            if (!_expectVerdict(t, reason, 6)) continue;
            _expectPosition(t, d.position);
            _expect(t, "free delta", d.freeQuote - freeQuote);
            _expect(t, "fee", d.feeQuote);
            _expect(t, "funding", d.fundingQuote);
        }
    }

    function test_vectors_topUp() public {
        Table memory t = _open("top_up");
        while (_more(t)) {
            (Position memory p, Moment memory moment) = _case(t);
            int256 amountQuote = _next(t);
            int256 freeQuote = _next(t);
            (RejectReason reason, Draft memory d) =
                moveCollateral(p, moment, amountQuote, freeQuote);
            if (!_expectVerdict(t, reason, 4)) continue;
            _expectPosition(t, d.position);
            _expect(t, "free delta", d.freeQuote - freeQuote);
        }
    }

    function test_vectors_takeOut() public {
        Table memory t = _open("take_out");
        while (_more(t)) {
            (Position memory p, Moment memory moment) = _case(t);
            (RejectReason reason, Draft memory d) = moveCollateral(p, moment, -_next(t), 0);
            if (!_expectVerdict(t, reason, 4)) continue;
            _expectPosition(t, d.position);
            _expect(t, "free delta", d.freeQuote);
        }
    }

    function test_vectors_liquidationFill() public {
        Table memory t = _open("liquidation_fill");
        while (_more(t)) {
            (Position memory p, Moment memory moment) = _case(t);
            int256 lots = _next(t);
            int256 priceTicks = _next(t);
            (RejectReason reason, int256 feeQuote, Draft memory d) =
                liquidationFill(p, moment, lots, priceTicks);
            if (!_expectVerdict(t, reason, 5)) continue;
            _expectPosition(t, d.position);
            _expect(t, "free delta", d.freeQuote);
            _expect(t, "fee", feeQuote);
        }
    }

    function test_vectors_takeover() public {
        Table memory t = _open("takeover");
        while (_more(t)) {
            (Position memory p, Moment memory moment) = _case(t);
            (RejectReason reason, Draft memory fund) = takeover(p, _position(t), moment);
            if (!_expectVerdict(t, reason, 3)) continue;
            _expectPosition(t, fund.position);
        }
    }

    function test_vectors_fundFill() public {
        Table memory t = _open("fund_fill");
        while (_more(t)) {
            (Position memory p, Moment memory moment) = _case(t);
            bool isBuy = _next(t) == 0;
            int256 lots = _next(t);
            (RejectReason reason, Draft memory d) = fundFill(p, moment, isBuy, lots, _next(t));
            if (!_expectVerdict(t, reason, 3)) continue;
            _expectPosition(t, d.position);
        }
    }

    function test_vectors_adl() public {
        Table memory t = _open("adl");
        while (_more(t)) {
            (Position memory p, Moment memory moment) = _case(t);
            Position memory other = _position(t);
            (RejectReason reason, Draft memory bankrupt, Draft memory counterparty) =
                adl(p, other, moment, _next(t));
            if (!_expectVerdict(t, reason, 8)) continue;
            _expectPosition(t, bankrupt.position);
            _expect(t, "free delta", bankrupt.freeQuote);
            _expectPosition(t, counterparty.position);
            _expect(t, "free delta of the counterparty", counterparty.freeQuote);
        }
    }

    /* READING */

    /// @dev Without the file there is nothing to compare with: the test is skipped.
    function _open(string memory kind) private returns (Table memory t) {
        if (!vm.exists(PATH)) vm.skip(true);
        string memory json = vm.readFile(PATH);
        t.kind = kind;
        t.cells = vm.parseJsonIntArray(json, string.concat(".", kind));
        t.specs = vm.parseJsonIntArray(json, ".specs");
        t.tiers = new uint256[][](t.specs.length / SPEC_COLUMNS);
        for (uint256 i = 0; i < t.tiers.length; ++i) {
            t.tiers[i] = _tiers(t.specs, i);
        }
    }

    function _tiers(int256[] memory specs, uint256 number)
        private
        view
        returns (uint256[] memory)
    {
        uint256 tierCount = number * SPEC_COLUMNS + 8;
        Tier[] memory tiers = new Tier[](uint256(specs[tierCount]));
        for (uint256 i = 0; i < tiers.length; ++i) {
            uint256 cell = tierCount + 1 + 3 * i;
            tiers[i] = Tier(
                uint64(uint256(specs[cell])),
                uint24(uint256(specs[cell + 1])),
                uint24(uint256(specs[cell + 2]))
            );
        }
        return this.chainTiers(tiers, uint256(specs[number * SPEC_COLUMNS + 4]));
    }

    function _more(Table memory t) private pure returns (bool) {
        ++t.row;
        return t.next < t.cells.length;
    }

    function _next(Table memory t) private pure returns (int256) {
        return t.cells[t.next++];
    }

    function _case(Table memory t) private pure returns (Position memory p, Moment memory moment) {
        uint256 number = uint256(_next(t));
        uint256 cell = number * SPEC_COLUMNS;
        p = _position(t);
        moment.fundingIndexE6 = _next(t);
        moment.markTicks = _next(t);
        moment.terms.quotePerTickLot = t.specs[cell];
        moment.priceTicksMax = t.specs[cell + 1];
        moment.terms.positionLotsMax = t.specs[cell + 2];
        moment.terms.feeTakerPpm = t.specs[cell + 4];
        moment.terms.feeLiquidationPpm = t.specs[cell + 5];
        moment.terms.liquidationBufferPpm = t.specs[cell + 6];
        moment.terms.markBandPpm = t.specs[cell + 7];
        moment.terms.tiers = t.tiers[number];
    }

    function _position(Table memory t) private pure returns (Position memory p) {
        p.positionLots = _next(t);
        p.entryValueQuote = _next(t);
        p.collateralQuote = _next(t);
        p.fundingIndexE6 = _next(t);
    }

    /* COMPARING */

    function _expect(Table memory t, string memory column, int256 actual) private pure {
        int256 expected = _next(t);
        if (actual != expected) revert CaseDiffers(t.kind, t.row, column, expected, actual);
    }

    function _expectPosition(Table memory t, Position memory p) private pure {
        _expect(t, "lots after", p.positionLots);
        _expect(t, "entry value after", p.entryValueQuote);
        _expect(t, "collateral after", p.collateralQuote);
    }

    /// @dev Compares the verdict. Of a refused case, skips the columns that follow.
    function _expectVerdict(Table memory t, RejectReason reason, uint256 columns)
        private
        pure
        returns (bool)
    {
        _expect(t, "verdict", int256(uint256(uint8(reason))));
        if (reason == RejectReason.NONE) return true;
        t.next += columns;
        return false;
    }
}
