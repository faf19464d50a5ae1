// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ISettlementDesk } from "../interfaces/ISettlement.sol";
import { MarketParams, Tier } from "../interfaces/ISettlementTypes.sol";
import { TierLib } from "../libraries/TierLib.sol";
import { Custody } from "./Custody.sol";

/// @title Markets, attestors, oracle signers, fees
abstract contract Governance is Custody {
    uint256 private constant PPM = 1_000_000;

    modifier onlyOwner() {
        if (msg.sender != _owner) revert CallerNotOwner(msg.sender);
        _;
    }

    /* ADMINISTRATION */

    /// @inheritdoc ISettlementDesk
    function listMarket(uint32 marketId, MarketParams calldata params, Tier[] calldata tiers)
        external
        onlyOwner
    {
        if (marketId == 0 || marketId > type(uint16).max) revert MarketUnknown(marketId);
        Market storage listed = _markets[marketId];
        if (listed.params.quotePerTickLot != 0) revert MarketAlreadyListed(marketId);
        _checkParams(params);
        listed.params = params;
        listed.tiers = TierLib.chain(tiers, params.feeTakerPpm);
        _marketIds.push(marketId);
        emit MarketListed(marketId, params, tiers);
    }

    /// @inheritdoc ISettlementDesk
    function setAttestors(uint32 epoch, address[] calldata attestors, uint8 threshold)
        external
        onlyOwner
    {
        if (epoch <= _progress.epoch || attestors.length > type(uint8).max) {
            revert AttestorsInvalid();
        }
        if (threshold == 0 || threshold > attestors.length) revert AttestorsInvalid();
        for (uint256 i = 0; i < attestors.length; ++i) {
            address signer = attestors[i];
            if (signer == address(0) || _attestors[epoch][signer] != 0) revert AttestorsInvalid();
            _attestors[epoch][signer] = i + 1;
        }
        _progress.epoch = epoch;
        _progress.threshold = threshold;
        emit AttestorsSet(epoch, attestors, threshold);
    }

    /// @inheritdoc ISettlementDesk
    function setOracleSigner(address signer, bool allowed) external onlyOwner {
        if (signer == address(0)) revert AccountReserved(signer);
        _oracleSigners[signer] = allowed;
        emit OracleSignerSet(signer, allowed);
    }

    /// @inheritdoc ISettlementDesk
    function collectFees(address to) external onlyOwner nonReentrant {
        uint80 amountQuote = _totals.feesQuote;
        _totals.feesQuote = 0;
        _totals.custodyQuote -= amountQuote;
        emit FeesCollected(to, amountQuote);
        VAULT.transferOut(to, amountQuote);
    }

    /* OWNERSHIP */

    /// @inheritdoc ISettlementDesk
    function transferOwnership(address newOwner) external onlyOwner {
        _pendingOwner = newOwner;
        emit OwnershipOffered(msg.sender, newOwner);
    }

    /// @inheritdoc ISettlementDesk
    function acceptOwnership() external {
        if (msg.sender != _pendingOwner) revert CallerNotOwner(msg.sender);
        emit OwnershipTransferred(_owner, msg.sender);
        _owner = msg.sender;
        _pendingOwner = address(0);
    }

    function _checkParams(MarketParams calldata params) private pure {
        uint256 perTickLot = params.quotePerTickLot;
        if (perTickLot == 0 || params.priceTicksMax == 0 || params.positionLotsMax == 0) {
            revert MarketParamsInvalid();
        }
        if (params.priceTicksMax >= 1 << 27 || params.positionLotsMax > 1 << 40) {
            revert MarketParamsInvalid();
        }
        if (uint256(params.priceTicksMax) * params.positionLotsMax * perTickLot > QUOTE_MAX) {
            revert MarketParamsInvalid();
        }
        if (
            params.feeMakerPpm >= PPM || params.feeTakerPpm >= PPM
                || params.feeLiquidationPpm >= PPM || params.liquidationBufferPpm >= PPM
                || params.markBandPpm >= PPM || params.fundingCapPpm >= PPM
        ) revert MarketParamsInvalid();
    }
}
