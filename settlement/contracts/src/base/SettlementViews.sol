// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ICollateralVault } from "../interfaces/ICollateralVault.sol";
import { ISettlementDesk } from "../interfaces/ISettlement.sol";
import {
    Health,
    MarketParams,
    MarketState,
    MarketTotals,
    PositionView,
    Tier,
    VenuePhase
} from "../interfaces/ISettlementTypes.sol";
import { FixedPointLib } from "../libraries/FixedPointLib.sol";
import { Position } from "../libraries/MarginLib.sol";
import { NonceLib } from "../libraries/NonceLib.sol";
import { OrderLib } from "../libraries/OrderLib.sol";
import { SessionKeyLib, SessionKeyScope } from "../libraries/SessionKeyLib.sol";
import { SlotLib } from "../libraries/SlotLib.sol";
import { Payments } from "./Payments.sol";

/// @title Views of the state
abstract contract SettlementViews is Payments, ISettlementDesk {
    using FixedPointLib for int256;

    /* VIEWS */

    /// @inheritdoc ISettlementDesk
    function VAULT() external view returns (ICollateralVault) {
        return ICollateralVault(_status.vault);
    }

    /// @inheritdoc ISettlementDesk
    function phase() external view returns (VenuePhase) {
        return _status.phase;
    }

    /// @inheritdoc ISettlementDesk
    function waitingWithdrawal(uint256 id)
        external
        view
        returns (address, address, uint64, uint40)
    {
        WaitingWithdrawal memory w = _waiting[id];
        return (w.account, w.to, w.amountQuote, w.dueTimeS);
    }

    /// @inheritdoc ISettlementDesk
    function outflowRoomQuote() external view returns (uint256 roomQuote) {
        (, roomQuote) = _outflowLevel();
    }

    /// @inheritdoc ISettlementDesk
    function waitingWithdrawals() external view returns (uint256) {
        return _outflow.withdrawals;
    }

    /// @inheritdoc ISettlementDesk
    function waitingQuote() external view returns (uint256) {
        return _outflow.waitingQuote;
    }

    /// @inheritdoc ISettlementDesk
    function account(address account_) external view returns (uint96, uint64) {
        uint256 word = _accounts[account_];
        return (uint96(SlotLib.freeQuote(word)), uint64(SlotLib.nonces(word)));
    }

    /// @inheritdoc ISettlementDesk
    function position(uint32 marketId, address account_)
        external
        view
        returns (PositionView memory)
    {
        Position memory p;
        SlotLib.unpackPosition(_positions[marketId][account_], p);
        return PositionView(
            int64(p.positionLots),
            uint64(uint256(p.entryValueQuote)),
            int64(p.collateralQuote),
            int64(p.fundingIndexE6)
        );
    }

    /// @inheritdoc ISettlementDesk
    function market(uint32 marketId)
        external
        view
        returns (MarketState memory, MarketTotals memory)
    {
        return (_markets[marketId].state, _markets[marketId].totals);
    }

    /// @inheritdoc ISettlementDesk
    function marketParams(uint32 marketId)
        external
        view
        returns (MarketParams memory, Tier[] memory tiers)
    {
        uint256[] storage words = _markets[marketId].tiers;
        tiers = new Tier[](words.length);
        for (uint256 i = 0; i < tiers.length; ++i) {
            uint256 word = words[i];
            tiers[i] = Tier(uint64(word), uint24(word >> 64), uint24(word >> 88));
        }
        return (_markets[marketId].params, tiers);
    }

    /// @inheritdoc ISettlementDesk
    function marketIds() external view returns (uint32[] memory) {
        return _marketIds;
    }

    /// @inheritdoc ISettlementDesk
    function filledLots(address account_, uint64 nonce) external view returns (uint32) {
        if (!NonceLib.isAscending(nonce)) return uint32(_filled(account_, nonce));
        return uint32(NonceLib.filledLots(SlotLib.nonces(_accounts[account_]), nonce));
    }

    /// @inheritdoc ISettlementDesk
    function relayerOwedQuote(address relayer) external view returns (uint256) {
        return _relayerOwedQuote[relayer];
    }

    /// @inheritdoc ISettlementDesk
    function relayerPotQuote() external view returns (uint256, uint256) {
        return (_relaying.potQuote, _relaying.owedQuote);
    }

    /// @inheritdoc ISettlementDesk
    function sessionKey(address account_, address key)
        external
        view
        returns (SessionKeyScope memory, uint64, uint16)
    {
        return SessionKeyLib.unpack(_sessionKeys[account_][key]);
    }

    /// @inheritdoc ISettlementDesk
    function sequence() external view returns (uint64) {
        return _progress.sequence;
    }

    /// @inheritdoc ISettlementDesk
    function lastBatchDigest() external view returns (bytes32) {
        return _lastBatchDigest;
    }

    /// @inheritdoc ISettlementDesk
    function clockTimeS() external view returns (uint40) {
        return _progress.clockTimeS;
    }

    /// @inheritdoc ISettlementDesk
    function attestorEpoch() external view returns (uint32, uint8) {
        return (_progress.epoch, _progress.threshold);
    }

    /// @inheritdoc ISettlementDesk
    function isAttestor(uint32 epoch, address signer) external view returns (bool) {
        return _attestors[epoch][signer] != 0;
    }

    /// @inheritdoc ISettlementDesk
    function isOracleSigner(address signer) external view returns (bool) {
        return _oracleSigners[signer];
    }

    /// @inheritdoc ISettlementDesk
    function depositSeq() external view returns (uint64) {
        return _progress.depositSeq;
    }

    /// @inheritdoc ISettlementDesk
    function fundingPoolQuote(uint32 marketId) external view returns (int256) {
        return _markets[marketId].totals.fundingPoolQuote;
    }

    /// @inheritdoc ISettlementDesk
    function feesQuote() external view returns (uint256) {
        return _totals.feesQuote;
    }

    /// @inheritdoc ISettlementDesk
    function domainSeparator() external view returns (bytes32) {
        return OrderLib.domainSeparator(address(this));
    }

    /// @inheritdoc ISettlementDesk
    function positionsSum(uint32 marketId) external view returns (int256) {
        return _markets[marketId].totals.lotsSum;
    }

    /// @inheritdoc ISettlementDesk
    function custodyQuote() external view returns (uint256) {
        return _totals.custodyQuote;
    }

    /// @inheritdoc ISettlementDesk
    function custodyGapQuote() public view returns (int256) {
        uint256 heldQuote = ICollateralVault(_status.vault).balanceQuote();
        return int256(heldQuote) - int256(uint256(_totals.custodyQuote));
    }

    /// @inheritdoc ISettlementDesk
    function liabilitiesQuote() public view returns (int256 quote) {
        quote = int256(uint256(_totals.freeQuote)) + int256(uint256(_totals.feesQuote))
            + int256(uint256(_outflow.waitingQuote)) + int256(uint256(_relaying.potQuote))
            + int256(uint256(_relaying.owedQuote)) + int256(uint256(_queue.heldQuote));
        for (uint256 i = 0; i < _marketIds.length; ++i) {
            quote += _potQuote(_marketIds[i]).max(0);
        }
    }

    /// @inheritdoc ISettlementDesk
    function health() external view returns (Health memory h) {
        h.phase = _status.phase;
        h.riskPausedFromS = _status.riskPausedFromS;
        h.exitTimeS = _status.exitTimeS;
        h.sequence = _progress.sequence;
        h.queueLength = _queue.made - _queue.served;
        h.queueAgeS = _queueAgeS();
        h.asideLength = _aside.length;
        if (h.asideLength != 0) h.asideAgeS = block.timestamp - _requests[_aside.oldest].timeS;
        if (_progress.clockTimeS < block.timestamp) {
            h.clockLagS = block.timestamp - _progress.clockTimeS;
        }
        for (uint256 i = 0; i < _marketIds.length; ++i) {
            int256 sum = _markets[_marketIds[i]].totals.lotsSum;
            h.lotsGap += sum < 0 ? uint256(-sum) : uint256(sum);
        }
        h.liabilitiesGapQuote = int256(uint256(_totals.custodyQuote)) - liabilitiesQuote();
        h.custodyGapQuote = custodyGapQuote();
    }
}
