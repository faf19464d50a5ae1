// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Address } from "@openzeppelin/contracts/utils/Address.sol";

import { ForcedDone, ForcedModule, ForcedWork } from "../ForcedModule.sol";
import { BatchLib } from "../libraries/BatchLib.sol";
import { Position } from "../libraries/MarginLib.sol";
import { RejectReason } from "../libraries/RejectReason.sol";
import { SlotLib } from "../libraries/SlotLib.sol";
import { AccountEntry, Batch, MarketEntry, PositionEntry } from "./BatchWork.sol";
import { MarketItems } from "./MarketItems.sol";

/// @title Item 0f: the head of the forced queue
abstract contract ForcedItems is MarketItems {
    /// @dev Run by delegatecall, and not reachable by the fallback.
    address private immutable _forced;

    constructor(address forced) {
        if (forced.code.length == 0) revert DeskMissing(forced);
        _forced = forced;
    }

    /// @notice FORCE-2: serves the head of the queue.
    function _judgeForced(Batch memory b, uint256 word) internal returns (RejectReason) {
        ForcedWork memory w;
        uint256 accountIndex = uint16(word >> 168);
        uint256 index = uint16(word >> 152);
        if (accountIndex >= b.header.accounts) revert BatchLib.BatchMalformed(accountIndex);
        AccountEntry memory a = b.accounts[accountIndex];
        w.requestId = uint64(word >> 184);
        w.account = a.account;
        w.clockTimeS = b.clockTimeS;
        w.freeQuote = a.freeQuote;
        w.nonces = a.nonces;
        bool hasPosition = index < b.header.positions;
        Position memory fund;
        if (hasPosition) {
            PositionEntry memory e = b.positions[index];
            if (e.owner.account != a.account) revert BatchLib.BatchMalformed(index);
            MarketEntry memory m = e.listing;
            fund = b.positions[m.fundIndex].position;
            w.marketId = m.marketId;
            w.potQuote = m.potQuote;
            w.position = SlotLib.packPosition(e.position);
            w.fund = SlotLib.packPosition(fund);
            w.state = m.state;
        }
        bytes memory result =
            Address.functionDelegateCall(_forced, abi.encodeCall(ForcedModule.serve, (w)));
        ForcedDone memory done = abi.decode(result, (ForcedDone));
        if (done.reason != RejectReason.NONE) return done.reason;
        int256 freedQuote = done.freeQuote - a.freeQuote;
        a.freeQuote = done.freeQuote;
        a.nonces = done.nonces;
        b.withdrawnQuote += done.waitingQuote;
        b.broughtQuote += done.broughtQuote;
        if (!hasPosition) return RejectReason.NONE;
        SlotLib.unpackPosition(done.position, b.positions[index].position);
        SlotLib.unpackPosition(done.fund, fund);
        MarketEntry memory market = b.positions[index].listing;
        market.fundingQuote += done.fundingQuote;
        market.potQuote += done.broughtQuote - freedQuote - done.waitingQuote;
        return RejectReason.NONE;
    }
}
