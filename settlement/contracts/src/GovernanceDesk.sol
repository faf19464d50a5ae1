// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { Address } from "@openzeppelin/contracts/utils/Address.sol";

import { Desk } from "./base/Desk.sol";
import { ICollateralVault } from "./interfaces/ICollateralVault.sol";
import { IIndexOracle } from "./interfaces/IIndexOracle.sol";
import { IGovernanceDesk } from "./interfaces/IGovernanceDesk.sol";
import { ISettlementDesk } from "./interfaces/ISettlement.sol";
import { Delays, Limits, MarketParams, Tier, VenuePhase } from "./interfaces/ISettlementTypes.sol";
import { TierLib } from "./libraries/TierLib.sol";

/// @title GovernanceDesk
/// @notice Roles, proposals, markets, limits, migration, to be called through Settlement.
contract GovernanceDesk is Desk, IGovernanceDesk {
    uint256 private constant PPM = 1_000_000;
    uint256 private constant PROPOSAL_LIFE_S = 14 days;
    uint256 private constant OUTFLOW_WINDOW_MAX_S = 366 days;
    uint256 private constant RISK_PAUSE_NOTICE_MAX_S = 1 hours;
    uint256 private constant FUNDING_STEP_MAX = 1 << 50;
    uint256 private constant INDEX_AGE_LEAST_MS = 1000;
    uint256 private constant INDEX_AGE_MOST_MS = 3_600_000;

    constructor(address next) Desk(next) { }

    /* PROPOSALS */

    /// @inheritdoc IGovernanceDesk
    function propose(bytes calldata call_)
        external
        onlyOwner
        inPhase(VenuePhase.OPEN)
        returns (bytes32 id)
    {
        id = keccak256(call_);
        if (_proposals[id] != 0) revert ProposalPending(id);
        uint40 dueTimeS = uint40(block.timestamp + _delays.governanceS);
        _proposals[id] = dueTimeS;
        emit Proposed(id, call_, dueTimeS);
    }

    /// @inheritdoc IGovernanceDesk
    function cancelProposal(bytes32 id) external onlyOwner {
        if (_proposals[id] == 0) revert ProposalUnknown(id);
        delete _proposals[id];
        emit ProposalCancelled(id);
    }

    /// @inheritdoc IGovernanceDesk
    function execute(bytes calldata call_) external inPhase(VenuePhase.OPEN) {
        bytes32 id = keccak256(call_);
        uint256 dueTimeS = _proposals[id];
        if (dueTimeS == 0) revert ProposalUnknown(id);
        if (block.timestamp < dueTimeS) revert ProposalNotDue(id, dueTimeS);
        uint256 endTimeS = dueTimeS + PROPOSAL_LIFE_S;
        if (block.timestamp > endTimeS) revert ProposalExpired(id, endTimeS);
        delete _proposals[id];
        emit ProposalExecuted(id);
        Address.functionCall(address(this), call_);
    }

    /* ROLES */

    /// @inheritdoc IGovernanceDesk
    function openVenue() external onlyOwner inPhase(VenuePhase.SETUP) {
        if (_progress.threshold == 0) revert AttestorsMissing();
        if (_oracleRule.quorum == 0) revert OracleRuleInvalid();
        if (_limits.depositMinQuote == 0) revert LimitsInvalid();
        _status.phase = VenuePhase.OPEN;
        emit VenueOpened();
    }

    /// @inheritdoc IGovernanceDesk
    function pauseRisk() external {
        if (msg.sender != _guardian) revert CallerNotGuardian(msg.sender);
        if (_status.riskPausedFromS != 0) return;
        uint40 fromS = uint40(block.timestamp + _limits.riskPauseNoticeS);
        _status.riskPausedFromS = fromS;
        emit RiskPaused(msg.sender, fromS);
    }

    /// @inheritdoc IGovernanceDesk
    function resumeRisk() external {
        if (msg.sender != _guardian && msg.sender != _owner) revert CallerNotGuardian(msg.sender);
        _status.riskPausedFromS = 0;
        emit RiskResumed(msg.sender);
    }

    /// @inheritdoc IGovernanceDesk
    function transferOwnership(address newOwner) external onlyGovernance {
        _pendingOwner = newOwner;
        emit OwnershipOffered(_owner, newOwner);
    }

    /// @inheritdoc IGovernanceDesk
    function acceptOwnership() external {
        if (msg.sender != _pendingOwner) revert CallerNotOwner(msg.sender);
        emit OwnershipTransferred(_owner, msg.sender);
        _owner = msg.sender;
        _pendingOwner = address(0);
    }

    /// @inheritdoc IGovernanceDesk
    function setGuardian(address guardian_) external onlyGovernance {
        _guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    /// @inheritdoc IGovernanceDesk
    function setAttestors(uint32 epoch, address[] calldata attestors, uint8 threshold)
        external
        onlyGovernance
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

    /// @inheritdoc IGovernanceDesk
    function setOracleSigner(address signer, bool allowed) external onlyGovernance {
        if (signer == address(0)) revert AccountReserved(signer);
        _oracleSigners[signer] = allowed;
        emit OracleSignerSet(signer, allowed);
    }

    /// @inheritdoc IGovernanceDesk
    function setOracleRule(uint8 quorum, uint24 deviationPpm, uint32 spreadMaxMs)
        external
        onlyGovernance
    {
        if (quorum == 0 || deviationPpm >= PPM) revert OracleRuleInvalid();
        _oracleRule = OracleRule(quorum, deviationPpm, spreadMaxMs);
        emit OracleRuleSet(quorum, deviationPpm, spreadMaxMs);
    }

    /// @inheritdoc IGovernanceDesk
    function oracleRule() external view returns (uint8, uint24, uint32) {
        return (_oracleRule.quorum, _oracleRule.deviationPpm, _oracleRule.spreadMaxMs);
    }

    /// @inheritdoc IGovernanceDesk
    function setIndexAdapter(uint32 marketId, address adapter) external onlyGovernance {
        uint256 highest = _markets[marketId].params.priceTicksMax;
        if (highest == 0) revert MarketUnknown(marketId);
        if (adapter != address(0)) {
            (uint256 priceTicks,) = IIndexOracle(adapter).indexPrice();
            if (priceTicks == 0 || priceTicks > highest) revert AdapterPriceInvalid(priceTicks);
        }
        _indexAdapters[marketId] = adapter;
        emit IndexAdapterSet(marketId, adapter);
    }

    /* MARKETS */

    /// @inheritdoc IGovernanceDesk
    function listMarket(uint32 marketId, MarketParams calldata params, Tier[] calldata tiers)
        external
        onlyGovernance
    {
        if (marketId == 0 || marketId > type(uint16).max) revert MarketUnknown(marketId);
        Market storage listed = _markets[marketId];
        if (listed.params.quotePerTickLot != 0) revert MarketAlreadyListed(marketId);
        _checkParams(params, block.timestamp);
        listed.params = params;
        listed.tiers = TierLib.chain(tiers, params.feeTakerPpm);
        uint256 number = _marketIds.length;
        listed.state.number = uint8(number < 255 ? number : 255);
        _marketIds.push(marketId);
        emit MarketListed(marketId, params, tiers);
    }

    /// @inheritdoc IGovernanceDesk
    function announceMarketParams(
        uint32 marketId,
        MarketParams calldata params,
        Tier[] calldata tiers,
        uint40 effectiveTimeS
    ) external onlyOwner {
        Market storage listed = _markets[marketId];
        Announcement storage announced = _announced[marketId];
        MarketParams memory held = listed.params;
        if (held.quotePerTickLot == 0) revert MarketUnknown(marketId);
        uint256 pendingTimeS = announced.effectiveTimeS;
        if (pendingTimeS != 0 && pendingTimeS <= block.timestamp) {
            revert AnnouncementDue(marketId);
        }
        uint256 earliestTimeS = block.timestamp + _delays.parametersS;
        if (effectiveTimeS < earliestTimeS) revert NoticeTooShort(earliestTimeS, effectiveTimeS);
        _checkParams(params, effectiveTimeS);
        // Orders have signed the highest fees that they pay: a raised one would break those open.
        bool isKept = params.quotePerTickLot == held.quotePerTickLot
            && params.priceTicksMax == held.priceTicksMax && params.feeMakerPpm <= held.feeMakerPpm
            && params.feeTakerPpm <= held.feeTakerPpm
            && params.feeLiquidationPpm <= held.feeLiquidationPpm;
        if (!isKept) revert MarketParamsInvalid();
        announced.effectiveTimeS = effectiveTimeS;
        announced.params = params;
        announced.tiers = TierLib.chain(tiers, params.feeTakerPpm);
        emit MarketParamsAnnounced(marketId, params, tiers, effectiveTimeS);
    }

    /// @inheritdoc IGovernanceDesk
    function applyMarketParams(uint32 marketId) external inPhase(VenuePhase.OPEN) {
        uint256 dueTimeS = _announced[marketId].effectiveTimeS;
        if (dueTimeS == 0) revert AnnouncementNotDue(marketId, 0);
        dueTimeS += _delays.parametersGraceS;
        if (block.timestamp < dueTimeS) revert AnnouncementNotDue(marketId, dueTimeS);
        Market storage listed = _markets[marketId];
        if (_hasEnded(listed.state, listed.params.expiryTimeS)) revert MarketHasEnded(marketId);
        _applyAnnounced(marketId);
    }

    /// @param fromTimeS when they begin to hold: no market ends before
    function _checkParams(MarketParams calldata params, uint256 fromTimeS) private pure {
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
        // FUND-2: a settlement moves the funding index by at most this.
        uint256 stepMax = uint256(params.fundingCapPpm) * params.priceTicksMax * perTickLot;
        if (stepMax > FUNDING_STEP_MAX) revert MarketParamsInvalid();
        bool isTimely = params.indexAgeMaxMs >= INDEX_AGE_LEAST_MS
            && params.indexAgeMaxMs <= INDEX_AGE_MOST_MS && params.fundingIntervalS != 0
            && (params.expiryTimeS == 0 || params.expiryTimeS >= fromTimeS);
        if (!isTimely) revert MarketParamsInvalid();
    }

    /* MONEY */

    /// @inheritdoc IGovernanceDesk
    function setLimits(Limits calldata limits_) external onlyGovernance {
        bool isValid = limits_.outflowLimitPpm <= PPM && limits_.outflowWindowS != 0
            && limits_.outflowWindowS <= OUTFLOW_WINDOW_MAX_S
            && limits_.riskPauseNoticeS <= RISK_PAUSE_NOTICE_MAX_S && limits_.depositMinQuote != 0;
        if (!isValid) revert LimitsInvalid();
        _limits = limits_;
        emit LimitsSet(limits_);
    }

    /// @inheritdoc IGovernanceDesk
    function setRelayerFee(uint32 batchFeeQuote, uint32 itemFeeQuote, uint32 feeMaxQuote)
        external
        onlyGovernance
    {
        _relaying.batchFeeQuote = batchFeeQuote;
        _relaying.itemFeeQuote = itemFeeQuote;
        _relaying.feeMaxQuote = feeMaxQuote;
        emit RelayerFeeSet(batchFeeQuote, itemFeeQuote, feeMaxQuote);
    }

    /// @inheritdoc IGovernanceDesk
    function fillRelayerPot(uint80 amountQuote) external onlyGovernance {
        _totals.feesQuote -= amountQuote;
        _relaying.potQuote += amountQuote;
        emit RelayerPotFilled(amountQuote);
    }

    /// @inheritdoc IGovernanceDesk
    function setFeeRecipient(address recipient) external onlyGovernance {
        _feeRecipient = recipient;
        emit FeeRecipientSet(recipient);
    }

    /// @inheritdoc IGovernanceDesk
    function collectFees() external nonReentrant {
        address recipient = _feeRecipient;
        if (recipient == address(0)) revert FeeRecipientMissing();
        uint80 amountQuote = _totals.feesQuote;
        _totals.feesQuote = 0;
        _totals.custodyQuote -= amountQuote;
        emit FeesCollected(recipient, amountQuote);
        ICollateralVault(_status.vault).transferOut(recipient, amountQuote);
    }

    /* MIGRATION */

    /// @inheritdoc IGovernanceDesk
    function announceMigration(address successor) external onlyOwner inPhase(VenuePhase.OPEN) {
        if (_migration.successor != address(0)) revert MigrationPending(_migration.successor);
        bool isValid = successor != address(this) && successor.code.length != 0;
        if (!isValid) revert SuccessorInvalid(successor);
        IERC20 token = ICollateralVault(_status.vault).TOKEN();
        if (address(ISettlementDesk(successor).VAULT().TOKEN()) != address(token)) {
            revert SuccessorInvalid(successor);
        }
        uint40 effectiveTimeS = uint40(block.timestamp + _delays.migrationS);
        _migration = Migration(successor, effectiveTimeS);
        emit MigrationAnnounced(successor, effectiveTimeS);
    }

    /// @inheritdoc IGovernanceDesk
    function cancelMigration() external onlyOwner inPhase(VenuePhase.OPEN) {
        address successor = _migration.successor;
        if (successor == address(0)) revert MigrationUnknown();
        delete _migration;
        emit MigrationCancelled(successor);
    }

    /* VIEWS */

    /// @inheritdoc IGovernanceDesk
    function owner() external view returns (address) {
        return _owner;
    }

    /// @inheritdoc IGovernanceDesk
    function pendingOwner() external view returns (address) {
        return _pendingOwner;
    }

    /// @inheritdoc IGovernanceDesk
    function guardian() external view returns (address) {
        return _guardian;
    }

    /// @inheritdoc IGovernanceDesk
    function feeRecipient() external view returns (address) {
        return _feeRecipient;
    }

    /// @inheritdoc IGovernanceDesk
    function riskPausedFromS() external view returns (uint40) {
        return _status.riskPausedFromS;
    }

    /// @inheritdoc IGovernanceDesk
    function delays() external view returns (Delays memory) {
        return _delays;
    }

    /// @inheritdoc IGovernanceDesk
    function limits() external view returns (Limits memory) {
        return _limits;
    }

    /// @inheritdoc IGovernanceDesk
    function proposalDueTimeS(bytes32 id) external view returns (uint40) {
        return _proposals[id];
    }

    /// @inheritdoc IGovernanceDesk
    function announcedMarketParams(uint32 marketId)
        external
        view
        returns (uint40, MarketParams memory)
    {
        return (_announced[marketId].effectiveTimeS, _announced[marketId].params);
    }

    /// @inheritdoc IGovernanceDesk
    function migration() external view returns (address, uint40) {
        return (_migration.successor, _migration.effectiveTimeS);
    }
}
