// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { BatchLib } from "../libraries/BatchLib.sol";
import { IndexPriceLib } from "../libraries/IndexPriceLib.sol";
import { OrderLib } from "../libraries/OrderLib.sol";
import { RejectReason } from "../libraries/RejectReason.sol";
import { SettlementStorage } from "./SettlementStorage.sol";

/// @notice What a batch knows of a market for whose next price row it asks.
/// @param latestMs a row of later is from the future
/// @param priceTimeMs time of the row that holds
/// @param expiryTimeS 0: the market has no end
struct PriceWork {
    bytes32 domain;
    uint256 marketId;
    uint256 clockTimeS;
    uint256 latestMs;
    uint256 markTicks;
    uint256 priceTimeMs;
    uint256 expiryTimeS;
    uint256 priceTicksMax;
    uint256 markBandPpm;
}

/// @title The judge of price rows
/// @dev A part of Settlement that did not fit into it: run by delegatecall, for the oracle's rule and
/// signers. Called directly it reads an empty storage.
abstract contract PriceRows is SettlementStorage {
    /// @notice EXP-2: how long after a market's end a row may be its last one, and from when on a
    /// later one may.
    uint256 private constant SETTLEMENT_WINDOW_MS = 300_000;
    uint256 private constant SETTLEMENT_WAIT_S = 1 days;

    /// @notice ORA-1 … ORA-3, MARK-1, EXP-2: judges the observations of a row, at least one.
    /// @param row `IndexPriceLib` records
    /// @return reason why the row is refused, or NONE
    /// @return indexTicks its price
    /// @return timeMs its time
    function judgeRow(PriceWork calldata w, bytes calldata row)
        external
        view
        returns (RejectReason reason, uint256 indexTicks, uint256 timeMs)
    {
        uint256 count = row.length / IndexPriceLib.OBSERVATION_BYTES;
        (indexTicks, timeMs) = IndexPriceLib.row(row, 0, count);
        return (_rowReason(w, row, count, indexTicks, timeMs), indexTicks, timeMs);
    }

    function _rowReason(
        PriceWork calldata w,
        bytes calldata row,
        uint256 count,
        uint256 indexTicks,
        uint256 timeMs
    ) private view returns (RejectReason) {
        uint256 markTicks = w.markTicks;
        uint256 highest = w.priceTicksMax;
        if (indexTicks == 0 || indexTicks > highest || markTicks == 0 || markTicks > highest) {
            return RejectReason.PRICE_OUT_OF_RANGE;
        }
        if (timeMs < w.priceTimeMs || timeMs > w.latestMs) return RejectReason.PRICE_STALE;
        uint256 expiryMs = w.expiryTimeS * 1000;
        bool isLast = expiryMs != 0 && timeMs >= expiryMs;
        // EXP-2: who brings the row does not choose it among those of later, or those of a day.
        bool isLate = isLast && timeMs > expiryMs + SETTLEMENT_WINDOW_MS
            && (w.clockTimeS < w.expiryTimeS + SETTLEMENT_WAIT_S
                || w.clockTimeS * 1000 > timeMs + IndexPriceLib.HOLD_MAX_MS);
        if (isLate) return RejectReason.PRICE_STALE;
        // EXP-2: nor does a row come before the parameters by which it is the last, or is not.
        Announcement storage next = _announced[w.marketId];
        uint256 nextExpiryS = next.params.expiryTimeS;
        bool isEarly = nextExpiryS != 0 && timeMs >= nextExpiryS * 1000;
        if (isLast && next.effectiveTimeS != 0 && w.clockTimeS >= next.effectiveTimeS) {
            isEarly = true;
        }
        if (isEarly) return RejectReason.PRICE_STALE;
        if (!_isObserved(w, row, count)) return RejectReason.SIGNATURE_INVALID;
        // EXP-2: the index of a market's last row is its mark, too.
        if (isLast && markTicks != indexTicks) return RejectReason.PRICE_BAND;
        if (!IndexPriceLib.isInBand(markTicks, indexTicks, w.markBandPpm)) {
            return RejectReason.PRICE_BAND;
        }
        OracleRule memory rule = _oracleRule;
        bool agrees = IndexPriceLib.agrees(
            row, 0, count, indexTicks, timeMs, rule.deviationPpm, rule.spreadMaxMs
        );
        return agrees ? RejectReason.NONE : RejectReason.PRICE_DEVIATION;
    }

    /// @notice ORA-3: at least a quorum of distinct oracle signers, and no other.
    function _isObserved(PriceWork calldata w, bytes calldata row, uint256 count)
        private
        view
        returns (bool)
    {
        if (count < _oracleRule.quorum) return false;
        address[] memory signers = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            (uint256 priceTicks, uint256 timeMs) = IndexPriceLib.observation(row, 0, i);
            uint256 place = i * IndexPriceLib.OBSERVATION_BYTES + 10;
            address signer = OrderLib.signer(
                OrderLib.indexPriceDigest(w.domain, w.marketId, priceTicks, timeMs),
                BatchLib.wordAt(row, place),
                BatchLib.wordAt(row, place + 32)
            );
            if (!_oracleSigners[signer]) return false;
            for (uint256 j = 0; j < i; ++j) {
                if (signers[j] == signer) return false;
            }
            signers[i] = signer;
        }
        return true;
    }
}
