// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Delays, Limits, MarketParams, Tier } from "./ISettlementTypes.sol";

/// @title Who may change what, and how long everybody is told before
/// @notice Functions marked *governed* are called by the settlement contract itself, when it
/// executes a proposal (GOV-3); before the venue opens also by the owner. GOV-2 has the table.
interface IGovernanceDesk {
    /// @notice The owner has opened the venue; from now on changes wait.
    event VenueOpened();

    /// @param call what the settlement contract will be called with
    /// @param dueTimeS from when on anybody may execute it
    event Proposed(bytes32 indexed id, bytes call, uint40 dueTimeS);
    event ProposalCancelled(bytes32 indexed id);
    event ProposalExecuted(bytes32 indexed id);
    event MarketParamsAnnounced(
        uint32 indexed marketId, MarketParams params, Tier[] tiers, uint40 effectiveTimeS
    );
    event RiskPaused(address indexed by, uint40 fromS);
    event RiskResumed(address indexed by);
    event OracleRuleSet(uint8 quorum, uint24 deviationPpm, uint32 spreadMaxMs);
    event IndexAdapterSet(uint32 indexed marketId, address adapter);
    event GuardianSet(address indexed guardian);
    event RelayerFeeSet(uint32 batchFeeQuote, uint32 itemFeeQuote, uint32 feeMaxQuote);
    event RelayerPotFilled(uint256 amountQuote);
    event FeeRecipientSet(address indexed recipient);
    event LimitsSet(Limits limits);
    event MigrationAnnounced(address indexed successor, uint40 effectiveTimeS);
    event MigrationCancelled(address indexed successor);

    error ProposalPending(bytes32 id);
    error ProposalUnknown(bytes32 id);
    error ProposalNotDue(bytes32 id, uint256 dueTimeS);
    error ProposalExpired(bytes32 id, uint256 endTimeS);
    error NoticeTooShort(uint256 earliestTimeS, uint256 effectiveTimeS);
    error AnnouncementDue(uint32 marketId);
    error MarketHasEnded(uint32 marketId);
    error AnnouncementNotDue(uint32 marketId, uint256 dueTimeS);
    error OracleRuleInvalid();
    error AdapterPriceInvalid(uint256 priceTicks);
    error LimitsInvalid();
    error AttestorsMissing();
    error FeeRecipientMissing();
    error MigrationPending(address successor);
    error MigrationUnknown();
    error SuccessorInvalid(address successor);

    /* PROPOSALS */

    /// @notice GOV-3: announces a call of a governed function. Owner only.
    function propose(bytes calldata call) external returns (bytes32 id);

    /// @notice Takes a proposal back. Owner only.
    function cancelProposal(bytes32 id) external;

    /// @notice Executes a proposal whose delay has passed. Anybody.
    function execute(bytes calldata call) external;

    /* ROLES */

    /// @notice Ends the setup. Owner only, once; needs attestors and the oracle's rule.
    function openVenue() external;

    /// @notice Lets no position grow (`RISK_PAUSED`); reducing, leaving and withdrawing go on.
    /// Guardian only.
    function pauseRisk() external;

    /// @notice Ends the pause. Guardian or owner.
    function resumeRisk() external;

    /// @notice Governed: offers the ownership; it changes when the new owner accepts.
    function transferOwnership(address newOwner) external;

    /// @notice Takes an offered ownership.
    function acceptOwnership() external;

    /// @notice Governed.
    function setGuardian(address guardian) external;

    /// @notice Governed: replaces the attestors. Batches of older epochs settle no more.
    function setAttestors(uint32 epoch, address[] calldata attestors, uint8 threshold) external;

    /// @notice Governed: allows or forbids a signer of index prices.
    function setOracleSigner(address signer, bool allowed) external;

    /// @notice Governed: ORA-3. How many distinct signers a price row needs, how far their prices
    /// may stand from the median and their times apart.
    function setOracleRule(uint8 quorum, uint24 deviationPpm, uint32 spreadMaxMs) external;

    /// @notice Governed: where the exit of a market asks for its price; zero: the last row of a
    /// batch. The adapter must have a price now.
    function setIndexAdapter(uint32 marketId, address adapter) external;

    /* MARKETS */

    /// @notice Governed: lists a market (NUM-1, MKT-1, MKT-2).
    function listMarket(uint32 marketId, MarketParams calldata params, Tier[] calldata tiers)
        external;

    /// @notice GOV-5: parameters that hold from a time on. Replaces what was announced before.
    /// Owner only.
    function announceMarketParams(
        uint32 marketId,
        MarketParams calldata params,
        Tier[] calldata tiers,
        uint40 effectiveTimeS
    ) external;

    /// @notice GOV-5: applies what no batch has applied within the grace period. Anybody.
    function applyMarketParams(uint32 marketId) external;

    /* MONEY */

    /// @notice Governed.
    function setLimits(Limits calldata limits) external;

    /// @notice Sets what a relayer earns (RELAY-1): a sum a batch and a sum an accepted item, at most
    /// `feeMaxQuote` a batch.
    function setRelayerFee(uint32 batchFeeQuote, uint32 itemFeeQuote, uint32 feeMaxQuote) external;

    /// @notice Moves venue fees into the pot that relayers are paid out of (RELAY-1).
    function fillRelayerPot(uint80 amountQuote) external;

    /// @notice Governed.
    function setFeeRecipient(address recipient) external;

    /// @notice Pays all venue fees to their recipient. Anybody.
    function collectFees() external;

    /* MIGRATION */

    /// @notice GOV-7: tells that this venue ends in favour of another settlement contract of the
    /// same token. Owner only.
    function announceMigration(address successor) external;

    /// @notice Takes the announcement back. Owner only.
    function cancelMigration() external;

    /* VIEWS */

    function owner() external view returns (address);
    function pendingOwner() external view returns (address);
    function guardian() external view returns (address);
    function feeRecipient() external view returns (address);
    function oracleRule()
        external
        view
        returns (uint8 quorum, uint24 deviationPpm, uint32 spreadMaxMs);
    function riskPausedFromS() external view returns (uint40);
    function delays() external view returns (Delays memory);
    function limits() external view returns (Limits memory);

    /// @notice From when on a proposal may be executed; 0 when there is none.
    function proposalDueTimeS(bytes32 id) external view returns (uint40);
    function announcedMarketParams(uint32 marketId)
        external
        view
        returns (uint40 effectiveTimeS, MarketParams memory params);
    function migration() external view returns (address successor, uint40 effectiveTimeS);
}
