// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { RejectReason } from "../libraries/RejectReason.sol";
import { AccountItems } from "./AccountItems.sol";
import { Batch, MarketEntry } from "./BatchWork.sol";

/// @title Items by which a market changes at a time that was announced
abstract contract MarketItems is AccountItems {
    /// @notice GOV-5: the announced parameters hold from here on.
    function _judgeParameters(Batch memory b, uint256 word) internal returns (RejectReason) {
        MarketEntry memory m = b.markets[_marketIndex(b, uint8(word >> 240))];
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        uint256 effectiveTimeS = _announced[m.marketId].effectiveTimeS;
        if (effectiveTimeS == 0 || b.clockTimeS < effectiveTimeS) {
            return RejectReason.PARAMETERS_NOT_DUE;
        }
        _applyAnnounced(uint32(m.marketId));
        _loadTerms(m);
        return RejectReason.NONE;
    }
}
