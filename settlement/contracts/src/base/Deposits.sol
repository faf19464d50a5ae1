// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import { ICollateralVault } from "../interfaces/ICollateralVault.sol";
import { VenuePhase } from "../interfaces/ISettlementTypes.sol";
import { SlotLib } from "../libraries/SlotLib.sol";
import { Desk } from "./Desk.sol";

/// @title Money that comes in (MONEY-1)
abstract contract Deposits is Desk {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// @return seq number of the deposit
    function _deposit(address account_, uint256 amountQuote) internal returns (uint64 seq) {
        if (account_ == address(0) || account_ == INSURANCE) revert AccountReserved(account_);
        // FORCE-5: engine and contract would pay out another balance.
        if (_requestsWaiting[account_].withdrawals != 0) revert WithdrawalRequested(account_);
        _takeIn(amountQuote);
        uint256 word = _accounts[account_];
        uint256 free = SlotLib.freeQuote(word) + amountQuote;
        if (free > QUOTE_MAX) revert AmountOutOfRange(amountQuote);
        _accounts[account_] = SlotLib.packAccount(free, SlotLib.nonces(word));
        _totals.freeQuote += amountQuote.toUint80();
        seq = ++_progress.depositSeq;
        emit Deposited(account_, amountQuote, seq);
    }

    /// @dev Interaction before effects, on purpose: the credit is what arrived. Entry points are
    /// guarded against reentrance, and views during the transfer show the state without it.
    function _takeIn(uint256 amountQuote) internal inPhase(VenuePhase.OPEN) {
        // The minimum of a venue that is open is not 0 (MONEY-1).
        bool isInRange = amountQuote >= _limits.depositMinQuote && amountQuote <= QUOTE_MAX;
        if (!isInRange) revert AmountOutOfRange(amountQuote);
        ICollateralVault vault = ICollateralVault(_status.vault);
        uint256 before = vault.balanceQuote();
        vault.TOKEN().safeTransferFrom(msg.sender, address(vault), amountQuote);
        uint256 received = vault.balanceQuote() - before;
        if (received != amountQuote) revert TokenAmountMismatch(amountQuote, received);
        _totals.custodyQuote += amountQuote.toUint80();
    }
}
