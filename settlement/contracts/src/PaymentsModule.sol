// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Payments } from "./base/Payments.sol";

/// @title PaymentsModule
/// @notice Code of Settlement's own: it pays the withdrawals of a batch.
/// @dev Not one of the desks: no call from outside reaches it on Settlement's storage. Called
/// directly it finds an empty one.
contract PaymentsModule is Payments {
    /// @notice See `Payments._payOut`.
    function payOut(address account, address to, uint256 amountQuote, uint64 nonce)
        external
        returns (uint256 paidQuote)
    {
        return _payOut(account, to, amountQuote, nonce);
    }
}
