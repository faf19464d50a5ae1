// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ICollateralVault } from "../interfaces/ICollateralVault.sol";
import { Limits } from "../interfaces/ISettlementTypes.sol";
import { SettlementStorage } from "./SettlementStorage.sol";

/// @title Money that leaves: at once, or after a delay when it is much (MONEY-3, MONEY-4)
abstract contract Payments is SettlementStorage {
    uint256 private constant PPM = 1_000_000;

    /// @notice MONEY-3: what a payment gets, no less, so that no submitter makes it fail, and no more,
    /// so that a token that burns it holds nobody up.
    uint256 private constant PAYMENT_GAS = 300_000;

    /// @notice What reading the limits and calling the vault take besides, an upper bound.
    uint256 private constant PAYMENT_CALL_GAS = 20_000;

    /// @notice Pays a withdrawal that has left its owner's balance, or lets it wait.
    /// @dev A token that refuses a payment must not hold up others: the amount goes back to the
    /// free balance.
    /// @return paidQuote what left the custody; the caller subtracts it
    function _payOut(address account_, address to, uint256 amountQuote, uint64 nonce)
        internal
        returns (uint256 paidQuote)
    {
        // Asked first, so that an estimate sees it whether or not the withdrawal has to wait.
        if (gasleft() < PAYMENT_GAS * 64 / 63 + PAYMENT_CALL_GAS) {
            revert PaymentGasMissing(gasleft());
        }
        (uint256 levelQuote, uint256 roomQuote) = _outflowLevel();
        if (amountQuote > _limits.largeWithdrawalQuote || amountQuote > roomQuote) {
            _letWait(account_, to, amountQuote, nonce, _delays.withdrawalS);
            return 0;
        }
        try ICollateralVault(_status.vault).transferOut{ gas: PAYMENT_GAS }(to, amountQuote) {
            _outflow.levelQuote = uint80(levelQuote + amountQuote);
            _outflow.levelTimeS = uint40(block.timestamp);
            emit Withdrawn(account_, to, amountQuote, nonce);
            return amountQuote;
        } catch {
            _accounts[account_] += amountQuote;
            _totals.freeQuote += uint80(amountQuote);
            emit WithdrawalFailed(account_, to, amountQuote, nonce);
        }
    }

    /// @notice The same without a payment now: within the limits it is due at once.
    function _payLater(address account_, address to, uint256 amountQuote) internal {
        (uint256 levelQuote, uint256 roomQuote) = _outflowLevel();
        if (amountQuote > _limits.largeWithdrawalQuote || amountQuote > roomQuote) {
            _letWait(account_, to, amountQuote, 0, _delays.withdrawalS);
            return;
        }
        _outflow.levelQuote = uint80(levelQuote + amountQuote);
        _outflow.levelTimeS = uint40(block.timestamp);
        _letWait(account_, to, amountQuote, 0, 0);
    }

    /// @notice MONEY-4: a leaky bucket that holds half of the limit and leaks as much in a window,
    /// so that no window, wherever it starts, sees more than the limit.
    /// @return levelQuote what is in it now. Rounds up: what has leaked rounds down
    /// @return roomQuote what may leave at once
    function _outflowLevel() internal view returns (uint256 levelQuote, uint256 roomQuote) {
        Limits memory limits = _limits;
        uint256 holdsQuote = uint256(_totals.custodyQuote) * limits.outflowLimitPpm / (2 * PPM);
        uint256 elapsedS = block.timestamp - _outflow.levelTimeS;
        uint256 leakedQuote = holdsQuote * elapsedS / limits.outflowWindowS;
        levelQuote = _outflow.levelQuote;
        levelQuote = levelQuote > leakedQuote ? levelQuote - leakedQuote : 0;
        roomQuote = holdsQuote > levelQuote ? holdsQuote - levelQuote : 0;
    }

    function _letWait(
        address account_,
        address to,
        uint256 amountQuote,
        uint64 nonce,
        uint256 delayS
    ) private {
        uint56 id = ++_outflow.withdrawals;
        uint40 dueTimeS = uint40(block.timestamp + delayS);
        _outflow.waitingQuote += uint80(amountQuote);
        _waiting[id] = WaitingWithdrawal(account_, dueTimeS, false, to, uint64(amountQuote));
        emit WithdrawalWaits(id, account_, to, amountQuote, nonce, dueTimeS);
    }
}
