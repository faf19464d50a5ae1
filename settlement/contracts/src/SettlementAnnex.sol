// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Batch } from "./base/BatchWork.sol";
import { ForcedItems } from "./base/ForcedItems.sol";
import { PriceRows } from "./base/PriceRows.sol";
import { BatchImage } from "./libraries/BatchImage.sol";
import { BatchLib } from "./libraries/BatchLib.sol";
import { RejectReason } from "./libraries/RejectReason.sol";

/// @title SettlementAnnex
/// @notice Judges the items that are seldom: funding, liquidations, session keys, automatic top-ups,
/// announced parameters, deliveries, forced requests.
/// @dev A part of Settlement that did not fit into it: runs on its storage and its memory, a whole
/// run of items at a call. Called directly it works on an empty storage and what it is given.
contract SettlementAnnex is ForcedItems, PriceRows {
    constructor(address forced) ForcedItems(forced) { }

    fallback() external {
        (bytes calldata items, uint256 index) = BatchImage.enter();
        function(uint256, bytes calldata, uint256) judge;
        function(Batch memory, bytes calldata, uint256) judgeBatch = _judgeItems;
        // The batch is where the image starts: Solidity has no cast from a number to a pointer.
        assembly ("memory-safe") {
            judge := judgeBatch
        }
        judge(BatchImage.START, items, index);
        BatchImage.finish();
    }

    /// @notice BATCH-2: judges the items in order; the refused ones leave an event.
    function _judgeItems(Batch memory b, bytes calldata items, uint256 index) private {
        uint256 offset = 0;
        while (offset < items.length) {
            uint256 word = BatchLib.wordAt(items, offset);
            RejectReason reason = _judge(b, items, offset, word);
            if (reason != RejectReason.NONE) _refuse(b, index, reason);
            offset = BatchLib.itemEnd(items, offset);
            ++index;
        }
    }

    function _judge(Batch memory b, bytes calldata items, uint256 offset, uint256 word)
        private
        returns (RejectReason)
    {
        uint256 opcode = word >> 248;
        if (opcode == BatchLib.LIQUIDATION_FILL || opcode == BatchLib.LIQUIDATION_FILL_AT) {
            return _judgeLiquidationFill(b, word);
        }
        if (opcode == BatchLib.TAKEOVER) return _judgeTakeover(b, word);
        if (opcode == BatchLib.ADL) return _judgeAdl(b, word);
        if (opcode == BatchLib.FUND_FILL || opcode == BatchLib.FUND_FILL_AT) {
            return _judgeFundFill(b, word);
        }
        if (opcode == BatchLib.FUNDING) return _judgeFunding(b, word);
        if (opcode == BatchLib.PARAMETERS) return _judgeParameters(b, word);
        if (opcode == BatchLib.SETTLE_MARKET) return _judgeDelivery(b, word);
        if (opcode == BatchLib.FORCED) return _judgeForced(b, word);
        if (opcode == BatchLib.SESSION_KEY) return _judgeSessionKey(b, items, offset);
        if (opcode == BatchLib.AUTO_TOP_UP) return _judgeAutoTopUp(b, items, offset);
        revert BatchLib.BatchMalformed(offset);
    }
}
