// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import { ICollateralVault } from "../interfaces/ICollateralVault.sol";
import { ISettlementDesk } from "../interfaces/ISettlement.sol";
import { VenuePhase } from "../interfaces/ISettlementTypes.sol";
import { SessionKeyScope } from "../libraries/SessionKeyLib.sol";
import { SlotLib } from "../libraries/SlotLib.sol";
import { Deposits } from "./Deposits.sol";

/// @title What users do without the operator: deposit, cancel, take what waited
abstract contract Custody is Deposits, ISettlementDesk {
    /* DEPOSITS */

    /// @inheritdoc ISettlementDesk
    function deposit(uint256 amountQuote) external nonReentrant {
        _deposit(msg.sender, amountQuote);
    }

    /// @inheritdoc ISettlementDesk
    function depositFor(address account_, uint256 amountQuote) external nonReentrant {
        _deposit(account_, amountQuote);
    }

    /// @inheritdoc ISettlementDesk
    function depositWithPermit(
        address account_,
        uint256 amountQuote,
        uint256 deadlineTimeS,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        address token = address(ICollateralVault(_status.vault).TOKEN());
        // Somebody may have shown the permit to the token first: then the allowance is there
        // already, and when it is not the transfer fails.
        try IERC20Permit(token)
            .permit(msg.sender, address(this), amountQuote, deadlineTimeS, v, r, s) { }
            catch { }
        _deposit(account_, amountQuote);
    }

    /* WITHDRAWALS THAT WAIT */

    /// @inheritdoc ISettlementDesk
    function claimWithdrawal(uint256 id) external nonReentrant {
        WaitingWithdrawal memory w = _known(id);
        if (block.timestamp < w.dueTimeS) revert WithdrawalNotDue(id, w.dueTimeS);
        delete _waiting[id];
        _outflow.waitingQuote -= w.amountQuote;
        _totals.custodyQuote -= w.amountQuote;
        emit WithdrawalClaimed(id, w.account, w.to, w.amountQuote);
        ICollateralVault(_status.vault).transferOut(w.to, w.amountQuote);
    }

    /// @inheritdoc ISettlementDesk
    function redirectWithdrawal(uint256 id, address to) external {
        if (msg.sender != _known(id).account) revert CallerNotAccount(msg.sender);
        _waiting[id].to = to;
        emit WithdrawalRedirected(id, to);
    }

    /// @inheritdoc ISettlementDesk
    function stretchWithdrawal(uint256 id) external {
        if (msg.sender != _guardian) revert CallerNotGuardian(msg.sender);
        WaitingWithdrawal memory w = _known(id);
        if (w.amountQuote <= _limits.largeWithdrawalQuote || _status.phase == VenuePhase.EXIT) {
            revert WithdrawalNotLarge(id);
        }
        if (w.isStretched) revert WithdrawalStretchedBefore(id);
        w.dueTimeS += _delays.withdrawalStretchS;
        w.isStretched = true;
        _waiting[id] = w;
        emit WithdrawalStretched(id, w.dueTimeS);
    }

    /* RELAYERS */

    /// @inheritdoc ISettlementDesk
    function claimRelayerFees(address to) external nonReentrant {
        uint256 amountQuote = _relayerOwedQuote[msg.sender];
        _relayerOwedQuote[msg.sender] = 0;
        _relaying.owedQuote -= uint80(amountQuote);
        _totals.custodyQuote -= uint80(amountQuote);
        emit RelayerPaid(msg.sender, to, amountQuote);
        ICollateralVault(_status.vault).transferOut(to, amountQuote);
    }

    /* SESSION KEYS */

    /// @inheritdoc ISettlementDesk
    function setSessionKey(address key, SessionKeyScope calldata scope) external {
        _setSessionKey(msg.sender, key, scope);
    }

    /* INTERNAL */

    function _known(uint256 id) private view returns (WaitingWithdrawal memory w) {
        w = _waiting[id];
        if (w.account == address(0)) revert WithdrawalUnknown(id);
    }
}
