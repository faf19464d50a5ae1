// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../interfaces/IExitDesk.sol";
import { ForcedRequest, RequestKind } from "../interfaces/ISettlementTypes.sol";
import { Deposits } from "./Deposits.sol";

/// @title The queue of requests that batches must serve in order (FORCE-1)
abstract contract ForcedQueue is Deposits {
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
        Waiting memory waiting = _requestsWaiting[msg.sender];
        if (waiting.requests == REQUESTS_WAITING_MAX) {
            revert IExitDesk.RequestsTooMany(msg.sender);
        }
        ++waiting.requests;
        if (kind == RequestKind.WITHDRAW) ++waiting.withdrawals;
        _requestsWaiting[msg.sender] = waiting;
        id = ++_queue.made;
        _requests[id] =
            ForcedRequest(account_, uint40(block.timestamp), kind, marketId, false, to, amount);
        emit IExitDesk.ForcedRequested(id, account_, kind, marketId, amount, to);
    }

    /// @notice FORCE-5: a request that brings money, which the queue holds until it is served.
    function _requestWith(
        address account_,
        RequestKind kind,
        uint32 marketId,
        uint256 amountQuote,
        address payer
    ) internal returns (uint64 id) {
        if (account_ == address(0) || account_ == INSURANCE) {
            revert AccountReserved(account_);
        }
        if (_markets[marketId].params.quotePerTickLot == 0) revert MarketUnknown(marketId);
        _takeIn(amountQuote);
        _queue.heldQuote += uint80(amountQuote);
        return _request(account_, kind, marketId, uint64(amountQuote), payer);
    }
}
