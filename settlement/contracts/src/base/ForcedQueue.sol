// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../interfaces/IExitDesk.sol";
import { ForcedRequest, RequestKind } from "../interfaces/ISettlementTypes.sol";
import { SettlementStorage } from "./SettlementStorage.sol";

/// @title The queue of requests that batches must serve in order (FORCE-1)
abstract contract ForcedQueue is SettlementStorage {
    /// @notice FORCE-1: how many requests of one caller may wait, so that serving is never the
    /// longer for one.
    uint256 private constant REQUESTS_WAITING_MAX = 32;

    function _request(
        address account_,
        RequestKind kind,
        uint32 marketId,
        uint64 amount,
        address to
    ) internal returns (uint64 id) {
        uint256 waiting = ++_requestsWaiting[msg.sender];
        if (waiting > REQUESTS_WAITING_MAX) revert IExitDesk.RequestsTooMany(msg.sender);
        id = ++_queue.made;
        _requests[id] =
            ForcedRequest(account_, uint40(block.timestamp), kind, marketId, false, to, amount);
        emit IExitDesk.ForcedRequested(id, account_, kind, marketId, amount, to);
    }
}
