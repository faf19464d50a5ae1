// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {
    ReentrancyGuardTransient
} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import { ICollateralVault } from "../interfaces/ICollateralVault.sol";
import { ISettlementDesk } from "../interfaces/ISettlement.sol";
import { SlotLib } from "../libraries/SlotLib.sol";
import { SettlementViews } from "./SettlementViews.sol";

/// @title What users do without the operator: deposit and cancel
abstract contract Custody is SettlementViews, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// @inheritdoc ISettlementDesk
    ICollateralVault public immutable VAULT;

    /// @dev The contract on whose storage this code may run.
    address private immutable _settlement;

    constructor(ICollateralVault vault) {
        VAULT = vault;
        _settlement = msg.sender;
    }

    /* CUSTODY */

    /// @inheritdoc ISettlementDesk
    function deposit(uint256 amountQuote) external nonReentrant {
        _deposit(msg.sender, amountQuote);
    }

    /// @inheritdoc ISettlementDesk
    function depositFor(address account_, uint256 amountQuote) external nonReentrant {
        _deposit(account_, amountQuote);
    }

    /// @inheritdoc ISettlementDesk
    function fundInsurance(uint32 marketId, uint256 amountQuote) external nonReentrant {
        if (_markets[marketId].params.quotePerTickLot == 0) revert MarketUnknown(marketId);
        uint64 depositSeq_ = _takeIn(amountQuote);
        uint256 word = _positions[marketId][INSURANCE];
        int256 raised = SlotLib.collateralQuote(word) + int256(amountQuote);
        if (raised > int256(QUOTE_MAX)) revert AmountOutOfRange(amountQuote);
        _positions[marketId][INSURANCE] = SlotLib.addCollateral(word, int256(amountQuote));
        _markets[marketId].totals.positionsQuote += int88(int256(amountQuote));
        emit InsuranceFunded(marketId, amountQuote, depositSeq_);
    }

    /* CANCELLATION */

    /// @inheritdoc ISettlementDesk
    function cancelNonces(uint64[] calldata nonces) external nonReentrant {
        for (uint256 i = 0; i < nonces.length; ++i) {
            _setFilled(msg.sender, nonces[i], NONCE_DEAD);
        }
        emit NoncesCancelled(msg.sender, nonces);
    }

    /// @inheritdoc ISettlementDesk
    function raiseNonceFloor(uint64 nonceFloor) external nonReentrant {
        uint256 word = _accounts[msg.sender];
        uint64 current = uint64(SlotLib.nonceFloor(word));
        if (nonceFloor <= current) revert NonceFloorNotRaised(current, nonceFloor);
        _accounts[msg.sender] = SlotLib.packAccount(SlotLib.freeQuote(word), nonceFloor);
        emit NonceFloorRaised(msg.sender, nonceFloor);
    }

    /* INTERNAL */

    function _deposit(address account_, uint256 amountQuote) private {
        if (account_ == address(0) || account_ == INSURANCE) revert AccountReserved(account_);
        uint64 depositSeq_ = _takeIn(amountQuote);
        uint256 word = _accounts[account_];
        uint256 free = SlotLib.freeQuote(word) + amountQuote;
        if (free > QUOTE_MAX) revert AmountOutOfRange(amountQuote);
        _accounts[account_] = SlotLib.packAccount(free, SlotLib.nonceFloor(word));
        _totals.freeQuote += amountQuote.toUint80();
        emit Deposited(account_, amountQuote, depositSeq_);
    }

    /// @dev Interaction before effects, on purpose: the credit is what arrived. Entry points are
    /// guarded against reentrance, and views during the transfer show the state without it.
    function _takeIn(uint256 amountQuote) private returns (uint64) {
        if (address(this) != _settlement) revert DeskCalledDirectly();
        if (amountQuote == 0 || amountQuote > QUOTE_MAX) revert AmountOutOfRange(amountQuote);
        uint256 before = VAULT.balanceQuote();
        VAULT.TOKEN().safeTransferFrom(msg.sender, address(VAULT), amountQuote);
        uint256 received = VAULT.balanceQuote() - before;
        if (received != amountQuote) revert TokenAmountMismatch(amountQuote, received);
        _totals.custodyQuote += amountQuote.toUint80();
        return ++_progress.depositSeq;
    }
}
